/* Exports: the job "release.export", the files it leaves, and the folder in the foreground. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "release/capsule.h"
#include "release/carry.h"
#include "release/room.h"

/* ---- asking ---- */

struct export_ask {
    struct str release, form, to, suite, subscription, purpose;
    int64_t uses, ends_ms;
};

static enum err read_ask(const struct json *json, struct export_ask *ask, struct why *why)
{
    enum crypt_suite suite;
    enum err err = text_of(json, "form", 1, 20, &ask->form, why);
    if (!err)
        err = text_of(json, "release", 0, 36, &ask->release, why);
    if (!err)
        err = text_of(json, "subscription", 0, 36, &ask->subscription, why);
    if (!err)
        err = text_of(json, "to", 0, 100, &ask->to, why);
    if (!err)
        err = text_of(json, "suite", 0, 40, &ask->suite, why);
    if (!err)
        err = text_of(json, "purpose", 0, 500, &ask->purpose, why);
    if (!err)
        err = uses_of(json, &ask->uses, why);
    if (!err)
        err = end_of(json, &ask->ends_ms, why);
    bool capsule = str_eq_c(ask->form, "capsule");
    if (!err && !capsule && !str_eq_c(ask->form, "directory") && !carry_form_ok(ask->form))
        err =
            err_set(why, ERR_INVALID,
                    "\"form\" is directory, jsonl, text, openai, sharegpt, alpaca, dpo or capsule");
    if (!err && !ask->suite.len)
        ask->suite = STR("sm2-sm4-sm3");
    if (!err && !crypt_suite_parse(ask->suite, &suite))
        err = err_set(why, ERR_INVALID, "\"suite\" is sm2-sm4-sm3 or x25519-aes256gcm");
    if (!err && capsule && !ask->to.len && !ask->subscription.len)
        err = err_set(why, ERR_INVALID, "a capsule is for a tenant: \"to\" names him");
    if (!err && !capsule && (ask->to.len || ask->uses || ask->ends_ms))
        err = err_set(why, ERR_INVALID, "only a capsule has \"to\", \"uses\" and \"ends_at\"");
    return err;
}

/* Of the own tenant by right; of another by a subscription, which is counted here. */
static enum err check_right(struct act *act, struct export_ask *ask, struct release_row *row,
                            struct why *why)
{
    const struct ops_identity *who = act->who;
    enum err err;
    if (ask->subscription.len) {
        err = ops_need(who, "release.use", why);
        if (!err && !ask->purpose.len)
            err = err_set(why, ERR_INVALID, "\"purpose\" says what it is used for");
        char *form = str_z(act->arena, ask->form);
        if (!err)
            /* Of a capsule the openings count, not its making. */
            err = subscription_use(act->tx, who, ask->subscription, STR(""), form, ask->purpose,
                                   !str_eq_c(ask->form, "capsule"), act->arena, &ask->release, why);
        ask->to = who->tenant;
        return err ? err : release_row(act->tx, ask->release, act->arena, row, why);
    }
    /* A capsule goes to another tenant: whoever releases may make it; the rest is the own data. */
    err = ops_may(who, "release.use") && !str_eq_c(ask->form, "capsule")
              ? ERR_OK
              : ops_need(who, "release.make", why);
    return err ? err : release_own(act->tx, who, ask->release, act->arena, row, why);
}

static struct str spec_of(struct act *act, const struct export_ask *ask,
                          const struct release_row *row)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, act->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "release", row->id);
    json_kv_str(&out, "form", ask->form);
    json_kv_str(&out, "to", ask->to);
    json_kv_str(&out, "suite", ask->suite);
    json_kv_str(&out, "subscription", ask->subscription);
    json_kv_int(&out, "uses", ask->uses);
    json_kv_int(&out, "ends_ms", ask->ends_ms);
    json_end_object(&out);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

/* The receiver's key, made now when it is his first capsule. */
static enum err check_receiver(struct act *act, struct export_ask *ask, struct why *why)
{
    struct ops_tenant tenant;
    struct tenant_key key;
    enum crypt_suite suite = CRYPT_SUITE_SM;
    enum err err = tenant_find(act->release, ask->to, act->arena, &tenant, why);
    if (err || !crypt_suite_parse(ask->suite, &suite))
        return err;
    ask->to = tenant.id;
    return key_find(act->tx, act->release, tenant.id, crypt_suite_key(suite), true, act->arena,
                    &key, why);
}

/* How many uses and until when a subscriber's capsule may be opened follows from his subscription.
 */
static enum err bounds_of(struct act *act, struct export_ask *ask, struct why *why)
{
    struct store_rows rows;
    if (!ask->subscription.len)
        return ERR_OK;
    enum err err =
        store_query(act->tx, "SELECT uses_most, ends_ms FROM release_subscriptions WHERE id = ?",
                    STORE_ARGS(SV_STR(ask->subscription)), act->arena, &rows, why);
    if (!err && rows.n_rows) {
        ask->uses = store_int(&rows, 0, 0);
        ask->ends_ms = store_int(&rows, 0, 1);
    }
    return err;
}

enum err release_export(struct release *r, const struct ops_identity *who, const struct json *json,
                        char job[UUID_TEXT], struct why *why)
{
    struct act act;
    struct export_ask ask = {0};
    struct release_row row = {0};
    struct str spec = STR_NONE;
    enum err err = read_ask(json, &ask, why);
    if (!err)
        err = release_act_begin(&act, r, who, NULL, why);
    if (err)
        return err;
    err = check_right(&act, &ask, &row, why);
    if (!err)
        err = release_usable(&row, why);
    bool capsule = str_eq_c(ask.form, "capsule");
    if (!err && capsule)
        err = check_receiver(&act, &ask, why);
    if (!err && capsule)
        err = bounds_of(&act, &ask, why);
    if (!err && !ask.subscription.len)
        err = use_note(act.tx, who, row.id, STR(""), STR(""),
                       str_eq_c(ask.form, "capsule") ? "capsule" : "export", ask.purpose, act.arena,
                       why);
    if (!err) {
        spec = spec_of(&act, &ask, &row);
        char *title = str_z(act.arena, row.name);
        err = spec.ptr && title ? job_submit(act.tx, r->opts.compute, who, "release.export", title,
                                             spec, "", job, why)
                                : err_set(why, ERR_NO_MEMORY, "could not begin the export");
    }
    return release_act_end(&act, err, "release.release.export", row.id, spec, why);
}

/* ---- the job ---- */

struct exporting {
    struct release *release;
    struct job *job;
    struct arena *arena;
    struct ops_identity who;
    struct release_row row;
    struct carried carried;
    int fd;
    char *temp, *path;
    struct capsule_writer *writer;
};

static bool stop(void *ctx, int64_t done, int64_t total)
{
    struct exporting *x = ctx;
    job_progress(x->job, done, total, "exporting");
    return job_cancelled(x->job);
}

static enum err to_fd(void *ctx, struct str bytes, struct why *why)
{
    struct exporting *x = ctx;
    return file_write_fd(x->fd, bytes, why);
}

static enum err to_capsule(void *ctx, struct str bytes, struct why *why)
{
    struct exporting *x = ctx;
    return capsule_add(x->writer, bytes, why);
}

/* Files of exports that nobody may fetch any more. */
static void sweep(struct release *r, struct arena *arena)
{
    int64_t keep = conf_int(r->opts.conf, "release.keep_exports"), now = time_now_ms();
    DIR *dir = opendir(r->exports);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        char *path = e->d_name[0] == '.' ? NULL : file_join(arena, r->exports, e->d_name);
        if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
            now - (int64_t)st.st_mtime * 1000 > keep)
            (void)unlink(path);
    }
    if (dir)
        (void)closedir(dir);
}

static enum err open_file(struct exporting *x, const char *suffix, struct why *why)
{
    struct str id = job_id(x->job);
    x->path = str_z(x->arena,
                    str_printf(x->arena, "%s/%.*s.%s", x->release->exports, STR_FMT(id), suffix));
    x->temp = x->path ? str_z(x->arena, str_printf(x->arena, "%s.part", x->path)) : NULL;
    enum err err = x->temp ? file_make_dirs(x->release->exports, why)
                           : err_set(why, ERR_NO_MEMORY, "could not begin the export");
    if (err)
        return err;
    sweep(x->release, x->arena);
    x->fd = open(x->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    return x->fd < 0 ? err_errno(why, "could not write \"%s\"", x->temp) : ERR_OK;
}

static enum err close_file(struct exporting *x, enum err err, struct why *why)
{
    if (x->fd < 0)
        return err;
    if (!err && fsync(x->fd) != 0)
        err = err_errno(why, "could not write \"%s\"", x->temp);
    (void)close(x->fd);
    x->fd = -1;
    if (err)
        (void)unlink(x->temp);
    return err ? err : file_rename(x->temp, x->path, why);
}

/* ---- capsules ---- */

struct sealing {
    struct capsule_head head;
    struct str public_der, subscription;
};

static enum err seal_head(struct exporting *x, struct sealing *s, struct why *why)
{
    const struct json *spec = job_spec(x->job);
    char *id = arena_bytes(x->arena, UUID_TEXT);
    struct store_tx *tx = NULL;
    struct tenant_key key = {0};
    if (!id)
        return err_set(why, ERR_NO_MEMORY, "could not make a capsule");
    s->subscription = json_get_str(spec, "subscription", STR(""));
    s->head = (struct capsule_head){.id = str_c(uuid7(id)),
                                    .release = x->row.id,
                                    .title = x->row.title,
                                    .from = x->row.tenant,
                                    .to = json_get_str(spec, "to", STR("")),
                                    .manifest = x->row.manifest,
                                    .uses = json_get_int(spec, "uses", 0),
                                    .ends_ms = json_get_int(spec, "ends_ms", 0),
                                    .created_ms = time_now_ms()};
    if (!crypt_suite_parse(json_get_str(spec, "suite", STR("")), &s->head.suite))
        return err_set(why, ERR_INVALID, "there is no such suite");
    enum err err = store_begin(x->release->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = key_find(tx, x->release, s->head.to, crypt_suite_key(s->head.suite), false, x->arena,
                       &key, why);
    store_rollback(tx);
    s->public_der = key.public_der;
    return err;
}

static enum err keep_capsule(struct exporting *x, const struct sealing *s, struct why *why)
{
    char object[HASH_TEXT], id[CRYPT_KEY_ID];
    uint64_t bytes = 0;
    struct act act;
    enum err err =
        objects_put_file(x->release->opts.objects, x->path, UINT64_MAX, object, &bytes, why);
    (void)unlink(x->path); /* kept as an object, or made anew by the next try */
    if (!err)
        err = release_act_begin(&act, x->release, &x->who, NULL, why);
    if (err)
        return err;
    crypt_key_id(s->public_der, id);
    err = store_exec(
        act.tx,
        "INSERT INTO release_capsules (id, release, owner, tenant, subscription, object, suite, "
        "key_id, n_bytes, uses_most, uses, ends_ms, state, reason, job, actor, created_ms) VALUES "
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 'ready', '', ?, ?, ?)",
        STORE_ARGS(SV_STR(s->head.id), SV_STR(x->row.id), SV_STR(x->row.tenant), SV_STR(s->head.to),
                   SV_STR(s->subscription), SV_C(object), SV_C(crypt_suite_name(s->head.suite)),
                   SV_C(id), SV_INT((int64_t)bytes), SV_INT(s->head.uses), SV_INT(s->head.ends_ms),
                   SV_STR(job_id(x->job)), SV_STR(ops_actor(&x->who, act.arena)),
                   SV_INT(time_now_ms())),
        NULL, why);
    err = release_act_end(&act, err, "release.capsule.create", s->head.id,
                          detail_of(x->arena, "release", x->row.id, "to", s->head.to, "key",
                                    str_c(id), "object", str_c(object), NULL),
                          why);
    return err;
}

static enum err make_capsule(struct exporting *x, struct why *why)
{
    struct sealing s = {0};
    enum err err = seal_head(x, &s, why);
    if (!err)
        err = open_file(x, "capsule", why);
    if (!err)
        err = capsule_begin(&s.head, s.public_der, to_fd, x, &x->writer, why);
    if (!err)
        err = carry_tar(&x->carried, to_capsule, x, why);
    if (!err)
        err = capsule_end(x->writer, why);
    capsule_writer_free(x->writer);
    err = close_file(x, err, why);
    if (!err)
        err = keep_capsule(x, &s, why);
    if (!err)
        job_result(x->job, str_printf(x->arena, "{\"capsule\":\"%.*s\"}", STR_FMT(s.head.id)));
    return err;
}

static enum err make_file(struct exporting *x, struct str form, struct why *why)
{
    struct carry_counts n = {x->row.n_records, 0};
    bool tar = str_eq_c(form, "directory");
    enum err err = open_file(x, tar ? "tar" : carry_suffix(form), why);
    if (!err)
        err = tar ? carry_tar(&x->carried, to_fd, x, why)
                  : carry_form(&x->carried, form, x->fd, &n, why);
    err = close_file(x, err, why);
    if (!err)
        job_result(x->job,
                   str_printf(x->arena,
                              "{\"release\":\"%.*s\",\"file\":\"%.*s.%s\",\"n_records\":%lld,"
                              "\"n_left_out\":%lld,\"address\":\"/api/release_exports/%.*s\"}",
                              STR_FMT(x->row.id), STR_FMT(x->row.name),
                              tar ? "tar" : carry_suffix(form), (long long)n.n_records,
                              (long long)n.n_left_out, STR_FMT(job_id(x->job))));
    return err;
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct exporting x = {
        .release = ctx, .job = job, .arena = job_arena(job), .who = job_actor(job), .fd = -1};
    struct store_tx *tx = NULL;
    struct store_rows rows;
    struct str form = json_get_str(job_spec(job), "form", STR(""));
    enum err err = store_begin(x.release->opts.store, STORE_READ, &tx, why);
    if (!err)
        err =
            release_row(tx, json_get_str(job_spec(job), "release", STR("")), x.arena, &x.row, why);
    if (!err)
        err = store_query(tx, "SELECT id FROM release_capsules WHERE job = ?",
                          STORE_ARGS(SV_STR(job_id(job))), x.arena, &rows, why);
    store_rollback(tx);
    if (!err && rows.n_rows) { /* made, and then killed before it could say so */
        job_result(job,
                   str_printf(x.arena, "{\"capsule\":\"%.*s\"}", STR_FMT(store_str(&rows, 0, 0))));
        return ERR_OK;
    }
    if (!err)
        err = carry_begin(&x.carried, x.release, &x.row, x.arena, why);
    x.carried.stop = stop;
    x.carried.ctx = &x;
    if (err)
        return err;
    return str_eq_c(form, "capsule") ? make_capsule(&x, why) : make_file(&x, form, why);
}

const struct job_kind release_export_job = {
    .name = "release.export",
    .summary = "Write a release as an archive, in a trainer's form, or as a capsule",
    .permission = "release.use",
    .memory_bytes = (int64_t)1 << 30,
    .run = run,
};

/* ---- fetching ---- */

enum err release_export_path(struct release *r, const struct ops_identity *who, struct str job,
                             struct arena *arena, const char **path, struct str *name,
                             struct why *why)
{
    struct job_info info;
    const struct json *result = NULL;
    char *id = str_z(arena, job);
    enum err err = id && uuid_valid(job) ? job_find(r->opts.compute, id, arena, &info, why)
                                         : err_set(why, ERR_NOT_FOUND, "there is no such export");
    if (!err && (!str_eq(info.tenant, who->tenant) || !str_eq_c(info.kind, "release.export")))
        err = err_set(why, ERR_NOT_FOUND, "there is no such export");
    if (!err && info.state != JOB_DONE)
        err = err_set(why, ERR_CONFLICT, "the export is %s", job_state_name(info.state));
    if (!err)
        err = json_parse(info.result, arena, &result, why);
    if (err)
        return err;
    struct store_tx *tx = NULL;
    struct release_row row;
    err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = release_row(tx, json_get_str(result, "release", STR("")), arena, &row, why);
    store_rollback(tx);
    if (!err)
        err = release_usable(&row, why);
    if (err)
        return err;
    *name = json_get_str(result, "file", STR(""));
    *path =
        str_z(arena, str_printf(arena, "%s/%s.%.*s", r->exports, id, STR_FMT(file_suffix(*name))));
    return *path && file_exists(*path)
               ? ERR_OK
               : err_set(why, ERR_NOT_FOUND, "the file of this export is not kept any more");
}

/* ---- in the foreground ---- */

enum err release_export_to(struct release *r, const struct ops_identity *who, struct str id,
                           const char *dir, struct why *why)
{
    struct act act;
    struct release_row row = {0};
    struct carried carried;
    struct arena *arena = arena_new((size_t)256 << 20);
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not begin the export");
    if (!err)
        err = release_act_begin(&act, r, who, "release.use", why);
    if (err) {
        arena_free(arena);
        return err;
    }
    err = release_own(act.tx, who, id, arena, &row, why);
    if (!err)
        err = release_usable(&row, why);
    if (!err)
        err = use_note(act.tx, who, row.id, STR(""), STR(""), "export", STR(""), act.arena, why);
    err =
        release_act_end(&act, err, "release.release.export", id,
                        err ? STR_NONE : detail_of(act.arena, "form", STR("directory"), NULL), why);
    if (!err)
        err = carry_begin(&carried, r, &row, arena, why);
    if (!err)
        err = carry_dir(&carried, dir, why);
    arena_free(arena);
    return err;
}
