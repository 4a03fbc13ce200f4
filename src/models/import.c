/* Files into the registry: checked, hashed, kept; and hashed again. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "core/utf8.h"
#include "engine/engine.h"
#include "models/models_in.h"
#include "objects/objects.h"

#define MOST_FILE ((uint64_t)4 << 40)
#define CHUNK     ((size_t)4 << 20)

static const struct field fields[] = {
    {"path", FIELD_TEXT, 1, 4000, NULL, NULL, "The GGUF file", false},
    {"model", FIELD_TEXT, 1, MODELS_MOST_NAME, NULL, NULL, "The model it is a version of", false},
    {"version", FIELD_TEXT, 0, MODELS_MOST_NAME, NULL, "", "Label; empty: the next number", false},
    {"store", FIELD_CHOICE, 0, 0, "object|file", "object",
     "Copied into the object store, or left where it is", false},
    {"notes", FIELD_TEXT, 0, 4000, NULL, "", "Notes", false},
    {"lineage", FIELD_JSON, 0, 16384, NULL, "{}", "data_releases, training_runs, base", false},
    {"card", FIELD_JSON, 0, 16384, NULL, "{}", "The card of a model that is new", false},
    {"upload", FIELD_BOOL, 0, 0, NULL, "false", "The file is removed when it was copied", false},
};
enum { PATH, MODEL, VERSION, STORE, NOTES, LINEAGE, CARD, UPLOAD };
#define N_FIELDS (sizeof fields / sizeof fields[0])

struct digests {
    char sha256[HASH_TEXT], sm3[HASH_TEXT];
    int64_t bytes;
};

/* Both digests in one pass; tells how far it got. */
static enum err hash_file(const char *path, const struct models_progress *progress,
                          struct digests *out, struct why *why)
{
    uint8_t digest[HASH_BYTES];
    uint64_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open \"%s\"", path);
    char *buf = malloc(CHUNK);
    struct hash *sha = hash_new(HASH_SHA256), *sm3 = hash_new(HASH_SM3);
    enum err err = file_size(path, &size, why);
    if (!err && (!buf || !sha || !sm3))
        err = err_set(why, ERR_NO_MEMORY, "could not hash \"%s\"", path);
    out->bytes = 0;
    for (ssize_t n = 1; !err && n > 0;) {
        n = read(fd, buf, CHUNK);
        if (n < 0)
            err = err_errno(why, "could not read \"%s\"", path);
        if (err || n <= 0)
            break;
        hash_add(sha, buf, (size_t)n);
        hash_add(sm3, buf, (size_t)n);
        out->bytes += n;
        if (progress && progress->tell && !progress->tell(progress->ctx, out->bytes, (int64_t)size))
            err = err_set(why, ERR_CANCELLED, "stopped");
    }
    if (!err) {
        hash_end(sha, digest);
        hex_put(digest, sizeof digest, out->sha256);
        hash_end(sm3, digest);
        hex_put(digest, sizeof digest, out->sm3);
    }
    hash_free(sha);
    hash_free(sm3);
    free(buf);
    (void)close(fd);
    return err;
}

/* ---- what the file says about itself ---- */

static struct str kept(struct arena *arena, struct str s)
{
    return str_copy(arena, utf8_prefix(s, 200));
}

static enum err read_facts(const char *path, struct arena *arena, struct version_facts *f,
                           struct gguf_card *card, struct why *why)
{
    struct gguf *gguf = NULL;
    struct buf buf;
    struct json_out out;
    enum err err = gguf_open(path, &gguf, why);
    if (err)
        return err;
    gguf_describe(gguf, card);
    bool adapter = str_eq_c(gguf_str(gguf, "general.type", STR("")), "adapter");
    if (!adapter && gguf_n_tensors(gguf) == 0)
        err = err_set(why, ERR_INVALID, "the file \"%s\" holds a vocabulary and no weights", path);
    if (!err && card->architecture.len == 0)
        err = err_set(why, ERR_INVALID, "the file \"%s\" does not name its architecture", path);
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_c(&out, "type", adapter ? "adapter" : "model");
    json_kv_int(&out, "tensors", (int64_t)gguf_n_tensors(gguf));
    gguf_card_json(card, &out);
    json_end_object(&out);
    f->header = buf_str(&buf);
    f->architecture = kept(arena, card->architecture);
    f->quantisation = kept(arena, card->file_type);
    f->parameters = (int64_t)card->n_parameters;
    f->context = card->n_context <= INT64_MAX ? (int64_t)card->n_context : 0;
    f->embedding = card->n_embed <= INT64_MAX ? (int64_t)card->n_embed : 0;
    f->vocabulary = card->n_vocab > 0 && card->tokenizer.len > 0;
    f->template = card->chat_template.len > 0;
    if (!err)
        err = buf_err(&buf, why);
    card->name = kept(arena, card->name);
    card->license = kept(arena, card->license);
    card->organization = kept(arena, card->organization);
    card->description = kept(arena, card->description);
    gguf_close(gguf);
    return err;
}

static const char *modality_of(const struct gguf_card *card)
{
    return card->pooling == 4 ? "rerank" : card->pooling > 0 ? "embedding" : "chat";
}

/* What the file says, under what the person says. */
static enum err card_body(const struct json *said, const struct gguf_card *card,
                          struct arena *arena, const struct json **out, struct why *why)
{
    struct buf buf;
    struct json_out j;
    struct str merged;
    const struct json *base = NULL;
    buf_init(&buf, arena);
    json_out_init(&j, &buf);
    json_begin_object(&j);
    json_kv_str(&j, "title", card->name);
    json_kv_str(&j, "licence", card->license);
    json_kv_str(&j, "source", card->organization);
    json_kv_str(&j, "description", card->description);
    json_kv_c(&j, "modality", modality_of(card));
    json_end_object(&j);
    enum err err = buf_err(&buf, why);
    if (!err)
        err = json_parse(buf_str(&buf), arena, &base, why);
    if (!err)
        err = policy_merge(base, said, arena, &merged, why);
    return err ? err : json_parse(merged, arena, out, why);
}

/* ---- import ---- */

static bool card_there(struct store_tx *tx, struct str name, struct arena *arena)
{
    struct store_rows r;
    return store_query(tx, "SELECT id FROM models_cards WHERE name = ?", STORE_ARGS(SV_STR(name)),
                       arena, &r, NULL) == ERR_OK &&
           r.n_rows > 0;
}

static enum err record(struct models *m, const struct models_ask *ask, const struct field_value *v,
                       struct version_facts *facts, const struct gguf_card *card, struct str *id,
                       struct why *why)
{
    struct act act;
    struct str card_id, label = STR("");
    const struct json *said = NULL, *body = NULL;
    enum err err = models_act_begin(&act, m, ask, "models.version.import", true, why);
    if (!err)
        err = json_parse(v[CARD].s, ask->arena, &said, why);
    if (!err && card_there(act.tx, v[MODEL].s, ask->arena) && json_len(said) == 0)
        body = NULL;
    else if (!err)
        err = card_body(said, card, ask->arena, &body, why);
    if (!err)
        err = card_take(&act, v[MODEL].s, body, &card_id, why);
    if (!err)
        err = version_insert(&act, card_id, facts, id, &label, why);
    return models_act_end(&act, err, err ? STR("") : *id,
                          models_act_detail(ask->arena, "model", v[MODEL].s, "version", label,
                                            "sha256", facts->sha256, "sm3", facts->sm3, ACT_END),
                          why);
}

enum err models_import_check(struct models *m, const struct json *body, struct arena *arena,
                             struct why *why)
{
    (void)m;
    struct field_value v[N_FIELDS] = {0};
    enum err err = models_fields_read(body, fields, N_FIELDS, true, arena, v, why);
    if (!err)
        err = models_name_check("model", v[MODEL].s, why);
    if (!err && v[VERSION].s.len)
        err = models_name_check("version", v[VERSION].s, why);
    return err;
}

enum err models_import(struct models *m, const struct models_ask *ask, const struct json *body,
                       const struct models_progress *progress, struct why *why)
{
    struct field_value v[N_FIELDS] = {0};
    struct version_facts facts = {.storage = "file"};
    struct gguf_card card = {0};
    struct digests d = {.bytes = 0};
    char real[PATH_MAX], name[HASH_TEXT] = "";
    struct str id = STR("");
    enum err err = ops_need(ask->who, "model.manage", why);
    if (!err)
        err = models_fields_read(body, fields, N_FIELDS, true, ask->arena, v, why);
    if (!err)
        err = models_name_check("model", v[MODEL].s, why);
    if (!err && v[VERSION].s.len)
        err = models_name_check("version", v[VERSION].s, why);
    char *path = err ? NULL : str_z(ask->arena, v[PATH].s);
    if (!err && (!path || !realpath(path, real)))
        err = err_errno(why, "could not find \"%.*s\"", STR_FMT(v[PATH].s));
    if (!err)
        err = read_facts(real, ask->arena, &facts, &card, why);
    if (!err)
        err = hash_file(real, progress, &d, why);
    bool keep = str_eq_c(v[STORE].s, "object");
    if (!err && keep && !m->objects)
        err = err_set(why, ERR_UNAVAILABLE, "there is no object store here");
    if (!err && keep)
        err = objects_put_file(m->objects, real, MOST_FILE, name, NULL, why);
    if (!err && keep && strcmp(name, d.sha256) != 0)
        err = err_set(why, ERR_CONFLICT, "the file \"%s\" changed while it was read", real);
    if (err)
        return err;
    facts.storage = keep ? "object" : "file";
    facts.object = str_c(name);
    facts.path =
        keep ? str_copy(ask->arena, file_name(str_c(real))) : str_copy(ask->arena, str_c(real));
    facts.label = v[VERSION].s;
    facts.sha256 = str_c(d.sha256);
    facts.sm3 = str_c(d.sm3);
    facts.bytes = d.bytes;
    facts.notes = v[NOTES].s;
    facts.lineage = v[LINEAGE].s;
    err = record(m, ask, v, &facts, &card, &id, why);
    if (!err && keep && v[UPLOAD].i)
        (void)unlink(real);
    if (err || !ask->out)
        return err;
    return models_version_show(m, ask, id, why);
}

/* ---- verify ---- */

static enum err mark(struct models *m, const struct models_ask *ask, const struct version_ref *ref,
                     bool good, const char *words, struct why *why)
{
    struct act act;
    enum err err = models_act_begin(&act, m, ask, "models.version.verify", !good, why);
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE models_versions SET verified_ms = ?, why = ?,"
                         " state = CASE WHEN state = 'retired' THEN state ELSE ? END,"
                         " revision = revision + 1 WHERE id = ?",
                         STORE_ARGS(SV_INT(time_now_ms()), SV_C(words),
                                    SV_C(good ? "ready" : "damaged"), SV_STR(ref->id)),
                         NULL, why);
    return models_act_end(&act, err, ref->id,
                          models_act_detail(ask->arena, "model", ref->model, "version", ref->label,
                                            "found", good ? STR("intact") : STR("damaged"),
                                            ACT_END),
                          why);
}

enum err models_verify(struct models *m, const struct models_ask *ask, struct str name,
                       const struct models_progress *progress, struct why *why)
{
    struct store_tx *tx = NULL;
    struct version_ref ref = {.id = STR("")};
    struct store_rows r;
    struct digests d = {.bytes = 0};
    struct why bad = {0};
    const char *path = NULL;
    enum err err = ops_need(ask->who, "model.manage", why);
    if (!err)
        err = store_begin(m->store, STORE_READ, &tx, why);
    if (!err)
        err = model_version_find(tx, name, ask->arena, &ref, why);
    if (!err)
        err = store_query(tx, "SELECT object, path, sha256, sm3 FROM models_versions WHERE id = ?",
                          STORE_ARGS(SV_STR(ref.id)), ask->arena, &r, why);
    store_rollback(tx);
    if (!err && str_eq_c(ref.storage, "endpoint"))
        err = err_set(why, ERR_INVALID, "\"%.*s\" has no file: test its endpoint", STR_FMT(name));
    if (!err && str_eq_c(ref.storage, "object"))
        err = objects_path(m->objects, str_z(ask->arena, store_str(&r, 0, 0)), ask->arena, &path,
                           why);
    else if (!err)
        path = str_z(ask->arena, store_str(&r, 0, 1));
    if (!err && !path)
        err = err_set(why, ERR_NO_MEMORY, "could not verify \"%.*s\"", STR_FMT(name));
    if (err)
        return err;
    enum err found = hash_file(path, progress, &d, &bad);
    if (found == ERR_CANCELLED)
        return err_set(why, found, "stopped");
    if (!found &&
        (!str_eq_c(store_str(&r, 0, 2), d.sha256) || !str_eq_c(store_str(&r, 0, 3), d.sm3)))
        found = err_set(&bad, ERR_CORRUPT, "the file does not have the digests of its import");
    else if (found == ERR_NOT_FOUND)
        found = ERR_CORRUPT;
    if (found && found != ERR_CORRUPT) /* could not be read now: nothing is said about it */
        return err_set(why, found, "%s", why_text(&bad, found));
    err = mark(m, ask, &ref, !found, found ? bad.text : "", why);
    if (!err && found)
        return err_set(why, ERR_CORRUPT, "\"%.*s\" is damaged: %s", STR_FMT(name), bad.text);
    if (err || !ask->out)
        return err;
    return models_version_show(m, ask, ref.id, why);
}

/* ---- jobs ---- */

static bool tell(void *ctx, int64_t done, int64_t total)
{
    job_progress(ctx, done, total, "hashing the file");
    return !job_cancelled(ctx);
}

static enum err run_import(void *ctx, struct job *job, struct why *why)
{
    struct models *m = ctx;
    struct arena *arena = job_arena(job);
    struct buf buf;
    struct json_out out;
    struct ops_identity who = job_actor(job);
    struct models_progress progress = {job, tell};
    struct models_ask ask = {.who = &who, .arena = arena, .if_match = -1, .out = &out};
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    enum err err = models_import(m, &ask, job_spec(job), &progress, why);
    if (!err)
        job_result(job, buf_str(&buf));
    return err;
}

static enum err run_verify(void *ctx, struct job *job, struct why *why)
{
    struct models *m = ctx;
    struct arena *arena = job_arena(job);
    struct buf buf;
    struct json_out out;
    struct ops_identity who = job_actor(job);
    struct models_progress progress = {job, tell};
    struct models_ask ask = {.who = &who, .arena = arena, .if_match = -1, .out = &out};
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    enum err err =
        models_verify(m, &ask, json_get_str(job_spec(job), "version", STR("")), &progress, why);
    if (!err)
        job_result(job, buf_str(&buf));
    return err;
}

const struct job_kind models_import_job = {
    .name = "models.import",
    .summary = "Check a GGUF file and bring it into the registry",
    .permission = "model.manage",
    .run = run_import,
};
const struct job_kind models_verify_job = {
    .name = "models.verify",
    .summary = "Hash a model's file again",
    .permission = "model.manage",
    .run = run_verify,
};
