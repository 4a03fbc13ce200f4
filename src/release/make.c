/* The job "release.make": hashes, papers, manifest, two signatures, and the row with its lineage.
 */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "release/manifest.h"
#include "release/room.h"

#define MOST_MANIFEST ((size_t)256 << 20)
#define PART          ((size_t)1 << 20)
#define N_PAPERS      4 /* card, gate, lineage, sources */

struct making {
    struct release *release;
    struct job *job;
    struct arena *arena;
    struct ops_identity who, own;
    struct gate_row gate;
    struct str id, name, title, note;
    struct data_reader *reader;
    struct manifest manifest;
    struct str text, card; /* of the manifest; name of the object */
};

/* ---- files ---- */

/* An object as a file of the release; hashed anew, so that what is signed was really there. */
static enum err add_file(struct making *m, struct str name, struct str object, int64_t n_records,
                         struct why *why)
{
    const char *path;
    struct file_map map = {0};
    uint8_t digest[HASH_BYTES], sm3[HASH_BYTES];
    char hex[HASH_TEXT];
    char *z = str_z(m->arena, object);
    enum err err = z ? objects_path(m->release->opts.objects, z, m->arena, &path, why)
                     : err_set(why, ERR_NO_MEMORY, "could not hold the files");
    if (!err)
        err = file_map(path, &map, why);
    if (err)
        return err;
    hash_of(HASH_SHA256, (struct str){(const char *)map.ptr, map.len}, digest);
    hash_of(HASH_SM3, (struct str){(const char *)map.ptr, map.len}, sm3);
    int64_t len = (int64_t)map.len;
    file_unmap(&map);
    if (!str_eq_c(object, hex_put(digest, sizeof digest, hex)))
        return err_set(why, ERR_CORRUPT, "object %.*s is damaged", STR_FMT(object));
    m->manifest.files[m->manifest.n++] = (struct manifest_file){
        name, str_copy(m->arena, object), str_copy(m->arena, str_c(hex_put(sm3, sizeof sm3, hex))),
        len, n_records};
    m->manifest.n_bytes += len;
    return ERR_OK;
}

static enum err add_text(struct making *m, const char *name, struct str text, struct why *why)
{
    char object[HASH_TEXT];
    enum err err = objects_put(m->release->opts.objects, text, object, why);
    if (!err && strcmp(name, "card.json") == 0)
        m->card = str_copy(m->arena, str_c(object));
    return err ? err : add_file(m, str_c(name), str_copy(m->arena, str_c(object)), -1, why);
}

static enum err add_shards(struct making *m, const struct json *shards, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0, number = 0; !err && i < json_len(shards); i++) {
        const struct json *s = json_at(shards, i);
        struct str object = json_get_str(s, "object", STR(""));
        job_progress(m->job, (int64_t)i, (int64_t)json_len(shards), "hashing the files");
        if (job_cancelled(m->job))
            return err_set(why, ERR_CANCELLED, "it was cancelled");
        if (!object.len)
            continue;
        struct str name = str_printf(m->arena, "shards/%06zu.jsonl", number++);
        int64_t n = json_get_int(s, "n_records", 0);
        m->manifest.n_records += n;
        err = add_file(m, name, object, n, why);
    }
    return err;
}

/* ---- papers ---- */

static enum err newest_report(struct making *m, struct str *object, double *score, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(m->release->opts.store,
                             "SELECT object, score FROM release_reports WHERE tenant = ? AND "
                             "version = ? AND state = 'ready' ORDER BY created_ms DESC LIMIT 1",
                             STORE_ARGS(SV_STR(m->gate.tenant), SV_STR(m->gate.version)), m->arena,
                             &rows, why);
    *object = err || !rows.n_rows ? STR("") : store_str(&rows, 0, 0);
    *score = err ? 0 : store_real(&rows, 0, 1);
    return err;
}

static enum err put_card(struct making *m, struct str *text, struct why *why)
{
    const struct data_version_info *v = data_reader_version(m->reader);
    struct buf buf;
    struct json_out out;
    struct str report;
    double score;
    enum err err = newest_report(m, &report, &score, why);
    buf_init(&buf, m->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "release", m->id);
    json_kv_str(&out, "name", m->name);
    json_kv_str(&out, "title", m->title);
    json_kv_str(&out, "note", m->note);
    json_kv_str(&out, "dataset", v->dataset);
    json_kv_int(&out, "version", v->number);
    json_kv_str(&out, "made_by", v->made_by);
    json_kv_c(&out, "grade", release_grades[v->access & 3]);
    json_kv_raw(&out, "card", v->card);
    json_kv_str(&out, "gate", m->gate.id);
    json_kv_str(&out, "purpose", m->gate.purpose);
    json_kv_str(&out, "quality_report", report);
    if (report.len)
        json_kv_real(&out, "quality_score", score);
    json_end_object(&out);
    buf_char(&buf, '\n');
    *text = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

static enum err put_sources(struct making *m, struct str *text, struct why *why)
{
    struct data_source_info *sources = NULL;
    size_t n = 0;
    struct buf buf;
    enum err err = data_reader_sources(m->reader, m->arena, &sources, &n, why);
    buf_init(&buf, m->arena);
    for (size_t i = 0; !err && i < n; i++) {
        struct json_out out;
        if (sources[i].withdrawn)
            err = err_set(why, ERR_CONFLICT, "the source \"%.*s\" was withdrawn",
                          SHOW(sources[i].uri));
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_kv_str(&out, "key", sources[i].key);
        json_kv_str(&out, "uri", sources[i].uri);
        json_kv_str(&out, "sha256", sources[i].sha256);
        json_kv_int(&out, "n_records", sources[i].n_records);
        json_kv_raw(&out, "collection", sources[i].collection);
        json_end_object(&out);
        buf_char(&buf, '\n');
    }
    *text = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

static enum err put_lineage(struct making *m, struct str *text, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, m->arena);
    json_out_init(&out, &buf);
    enum err err = data_lineage_json(m->release->opts.data, &m->own, STR("version"),
                                     m->gate.version, DATA_BACKWARDS, m->arena, &out, why);
    buf_char(&buf, '\n');
    *text = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

/* In the order of their names. */
static enum err gather(struct making *m, struct why *why)
{
    struct str text;
    const struct json *manifest = NULL;
    char *object = str_z(m->arena, m->gate.manifest);
    enum err err =
        object ? objects_get(m->release->opts.objects, object, MOST_MANIFEST, m->arena, &text, why)
               : err_set(why, ERR_NO_MEMORY, "could not read the manifest");
    if (!err)
        err = json_parse(text, m->arena, &manifest, why);
    const struct json *shards = json_get(manifest, "shards");
    m->manifest.files =
        arena_array(m->arena, struct manifest_file, json_len(shards) + N_PAPERS + 1);
    if (!err && !m->manifest.files)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the files");
    if (!err)
        err = put_card(m, &text, why);
    if (!err)
        err = add_text(m, "card.json", text, why);
    if (!err)
        err = add_text(m, "gate.json", m->gate.result, why);
    if (!err)
        err = put_lineage(m, &text, why);
    if (!err)
        err = add_text(m, "lineage.json", text, why);
    if (!err)
        err = add_shards(m, shards, why);
    if (!err)
        err = put_sources(m, &text, why);
    return err ? err : add_text(m, "sources.jsonl", text, why);
}

static enum err describe(struct making *m, struct why *why)
{
    const struct data_version_info *v = data_reader_version(m->reader);
    char now[TIME_TEXT];
    m->manifest =
        (struct manifest){.id = m->id,
                          .name = m->name,
                          .title = m->title,
                          .tenant = m->gate.tenant,
                          .dataset = v->dataset,
                          .version = v->number,
                          .version_manifest = v->manifest,
                          .record_kind = str_c(v->kind),
                          .grade = str_c(release_grades[v->access & 3]),
                          .gate = m->gate.id,
                          .created_at = str_copy(m->arena, str_c(time_format(time_now_ms(), now)))};
    enum err err = gather(m, why);
    return err ? err : manifest_write(&m->manifest, m->arena, &m->text, why);
}

/* ---- signing and the row ---- */

static enum err sign(struct making *m, struct store_tx *tx, struct str *out, struct why *why)
{
    static const enum crypt_kind kinds[MANIFEST_SIGNATURES] = {CRYPT_SM2, CRYPT_ED25519};
    struct manifest_signature sigs[MANIFEST_SIGNATURES];
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < MANIFEST_SIGNATURES; i++) {
        struct tenant_key key;
        struct str secret = STR("");
        err = key_find(tx, m->release, m->gate.tenant, kinds[i], true, m->arena, &key, why);
        if (!err)
            err = key_secret(tx, m->release, m->gate.tenant, key.id, m->arena, &secret, why);
        if (!err)
            err = crypt_sign(kinds[i], secret, m->text, m->arena, &sigs[i].signature, why);
        sigs[i].public_der = key.public_der;
        secret_wipe((void *)secret.ptr, secret.len);
    }
    return err ? err : signatures_write(m->text, sigs, m->arena, out, why);
}

/* The gate may have been overtaken by a withdrawal while the files were hashed. */
static enum err check_still(struct making *m, struct store_tx *tx, struct why *why)
{
    struct gate_row now;
    enum err err = gate_find(tx, &m->own, m->gate.id, m->arena, &now, why);
    if (!err && !str_eq_c(now.state, "passed"))
        err = err_set(why, ERR_CONFLICT, "the gate is %.*s in the meantime", STR_FMT(now.state));
    return err;
}

static enum err insert(struct making *m, struct store_tx *tx, const char *manifest,
                       const char *signature, struct why *why)
{
    const struct manifest *f = &m->manifest;
    return store_exec(
        tx,
        "INSERT INTO release_releases (id, tenant, name, title, dataset, number, version, access, "
        "gate, job, kind, manifest, signature, card, n_records, n_bytes, state, reason, actor, "
        "created_ms, withdrawn_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "'ready', '', ?, ?, 0)",
        STORE_ARGS(SV_STR(m->id), SV_STR(m->gate.tenant), SV_STR(m->name), SV_STR(m->title),
                   SV_STR(f->dataset), SV_INT(f->version), SV_STR(m->gate.version),
                   SV_INT(m->gate.access), SV_STR(m->gate.id), SV_STR(job_id(m->job)),
                   SV_STR(f->record_kind), SV_C(manifest), SV_C(signature), SV_STR(m->card),
                   SV_INT(f->n_records), SV_INT(f->n_bytes), SV_STR(ops_actor(&m->who, m->arena)),
                   SV_INT(time_now_ms())),
        NULL, why);
}

static enum err publish(struct making *m, struct why *why)
{
    struct act act;
    struct str signatures = STR_NONE;
    char manifest[HASH_TEXT], signature[HASH_TEXT] = "";
    enum err err = objects_put(m->release->opts.objects, m->text, manifest, why);
    if (!err)
        err = release_act_begin(&act, m->release, &m->who, NULL, why);
    if (err)
        return err;
    err = check_still(m, act.tx, why);
    if (!err)
        err = sign(m, act.tx, &signatures, why);
    if (!err)
        err = objects_put(m->release->opts.objects, signatures, signature, why);
    if (!err)
        err = insert(m, act.tx, manifest, signature, why);
    if (!err)
        err = data_edge(act.tx, m->gate.tenant, "version", m->gate.version, "release", m->id, why);
    return release_act_end(&act, err, "release.release.create", m->id,
                           detail_of(m->arena, "name", m->name, "manifest", str_c(manifest), "gate",
                                     m->gate.id, "version", m->gate.version, NULL),
                           why);
}

/* ---- the job ---- */

static enum err begin(struct making *m, bool *ended, struct why *why)
{
    const struct json *spec = job_spec(m->job);
    struct store_tx *tx = NULL;
    struct release_row row;
    m->id = json_get_str(spec, "release", STR(""));
    m->name = json_get_str(spec, "name", STR(""));
    m->title = json_get_str(spec, "title", STR(""));
    m->note = json_get_str(spec, "note", STR(""));
    m->own = inside(m->who.tenant);
    enum err err = store_begin(m->release->opts.store, STORE_READ, &tx, why);
    *ended = !err && release_row(tx, m->id, m->arena, &row, NULL) == ERR_OK;
    if (!err)
        err = gate_find(tx, &m->own, json_get_str(spec, "gate", STR("")), m->arena, &m->gate, why);
    store_rollback(tx);
    if (!err && !*ended && !str_eq_c(m->gate.state, "passed"))
        err = err_set(why, ERR_CONFLICT, "the gate is %.*s", STR_FMT(m->gate.state));
    return err;
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct making m = {.release = ctx, .job = job, .arena = job_arena(job), .who = job_actor(job)};
    bool ended = false;
    enum err err = begin(&m, &ended, why);
    if (!err && !ended)
        err = data_reader_open(m.release->opts.data, &m.own, m.gate.dataset, m.gate.number,
                               &m.reader, why);
    if (!err && !ended && !str_eq(data_reader_version(m.reader)->id, m.gate.version))
        err = err_set(why, ERR_CORRUPT, "the version of the gate is another one now");
    if (!err && !ended)
        err = describe(&m, why);
    if (!err && !ended)
        err = publish(&m, why);
    data_reader_close(m.reader);
    if (!err)
        job_result(job, str_printf(m.arena, "{\"release\":\"%.*s\",\"name\":\"%.*s\"}",
                                   STR_FMT(m.id), STR_FMT(m.name)));
    return err;
}

const struct job_kind release_make_job = {
    .name = "release.make",
    .summary = "Hash, describe and sign a version that passed its gate",
    .permission = "release.make",
    .memory_bytes = (int64_t)1 << 30,
    .run = run,
};
