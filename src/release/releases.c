/* Releases as rows: found, shown, made a job of, marked when a source is withdrawn. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "release/room.h"

#define COLUMNS   "id" RELEASE_COLUMNS(ROW_NAME)

#define MOST_FILE ((size_t)64 << 20)

static void row_of(const struct store_rows *rows, size_t i, struct release_row *row)
{
    size_t at = 0;
    row->id = store_str(rows, i, at++);
    RELEASE_COLUMNS(ROW_READ)
}

static enum err no_release(struct str id, struct why *why)
{
    return err_set(why, ERR_NOT_FOUND, "there is no release \"%.*s\"", SHOW(id));
}

enum err release_row(struct store_tx *tx, struct str id, struct arena *arena,
                     struct release_row *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT " COLUMNS " FROM release_releases WHERE id = ?",
                               STORE_ARGS(SV_STR(id)), arena, &rows, why);
    if (err)
        return err;
    if (!rows.n_rows)
        return no_release(id, why);
    row_of(&rows, 0, out);
    return ERR_OK;
}

bool may_read_class(const struct ops_identity *who, int64_t access)
{
    return (who->classes >> (access & 3) & 1) != 0;
}

enum err release_own(struct store_tx *tx, const struct ops_identity *who, struct str id,
                     struct arena *arena, struct release_row *out, struct why *why)
{
    enum err err = release_row(tx, id, arena, out, why);
    if (!err && (!str_eq(out->tenant, who->tenant) || !may_read_class(who, out->access)))
        err = no_release(id, why);
    return err;
}

enum err release_usable(const struct release_row *row, struct why *why)
{
    if (str_eq_c(row->state, "ready"))
        return ERR_OK;
    return err_set(why, ERR_CONFLICT, "the release was withdrawn: %.*s", SHOW(row->reason));
}

void release_put(struct release *r, const struct release_row *row, struct arena *arena,
                 struct json_out *out)
{
    json_kv_str(out, "id", row->id);
    json_kv_str(out, "tenant", row->tenant);
    json_kv_str(out, "tenant_title", tenant_title(r, row->tenant, arena));
    json_kv_str(out, "name", row->name);
    json_kv_str(out, "title", row->title);
    json_kv_str(out, "dataset", row->dataset);
    json_kv_int(out, "version", row->number);
    json_kv_str(out, "version_id", row->version);
    json_kv_c(out, "grade", release_grades[row->access & 3]);
    json_kv_str(out, "kind", row->kind);
    json_kv_str(out, "gate", row->gate);
    json_kv_int(out, "n_records", row->n_records);
    json_kv_int(out, "n_bytes", row->n_bytes);
    json_kv_str(out, "manifest", row->manifest);
    json_kv_str(out, "state", row->state);
    json_kv_str(out, "reason", row->reason);
    kv_actor(out, r, row->actor, arena);
    json_kv_time(out, "created_at", row->created_ms);
    json_kv_time(out, "withdrawn_at", row->withdrawn_ms);
}

/* ---- looking ---- */

static enum err may_see(const struct ops_identity *who, struct why *why)
{
    if (ops_may(who, "release.make") || ops_may(who, "release.approve") ||
        ops_may(who, "release.use"))
        return ERR_OK;
    return ops_need(who, "data.read", why);
}

enum err release_list_json(struct release *r, const struct ops_identity *who, struct str dataset,
                           struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = may_see(who, why);
    if (!err)
        err = store_ask(r->opts.store,
                        "SELECT " COLUMNS " FROM release_releases WHERE tenant = ? AND (? = 0 OR "
                        "dataset = ?) ORDER BY created_ms DESC, id DESC LIMIT 500",
                        STORE_ARGS(SV_STR(who->tenant), SV_INT(dataset.len > 0), SV_STR(dataset)),
                        arena, &rows, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        struct release_row row;
        row_of(&rows, i, &row);
        if (!may_read_class(who, row.access))
            continue;
        json_begin_object(out);
        release_put(r, &row, arena, out);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

static enum err put_uses(struct store_tx *tx, struct release *r, struct str id, struct arena *arena,
                         struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT tenant, actor, what, purpose, used_ms FROM release_uses "
                               "WHERE release = ? ORDER BY used_ms DESC LIMIT 200",
                               STORE_ARGS(SV_STR(id)), arena, &rows, why);
    json_key(out, "uses");
    json_begin_array(out);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        json_begin_object(out);
        json_kv_str(out, "tenant", store_str(&rows, i, 0));
        json_kv_str(out, "tenant_title", tenant_title(r, store_str(&rows, i, 0), arena));
        kv_actor(out, r, store_str(&rows, i, 1), arena);
        json_kv_str(out, "what", store_str(&rows, i, 2));
        json_kv_str(out, "purpose", store_str(&rows, i, 3));
        json_kv_time(out, "used_at", store_int(&rows, i, 4));
        json_end_object(out);
    }
    json_end_array(out);
    return err;
}

static enum err put_object(struct release *r, const char *key, struct str name, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    struct str text;
    char *object = str_z(arena, name);
    enum err err = object ? objects_get(r->opts.objects, object, MOST_FILE, arena, &text, why)
                          : err_set(why, ERR_NO_MEMORY, "could not read the release");
    if (!err)
        json_kv_raw(out, key, str_trim(text));
    return err;
}

enum err release_one_json(struct release *r, const struct ops_identity *who, struct str id,
                          struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct release_row row = {0};
    enum err err = may_see(who, why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = release_own(tx, who, id, arena, &row, why);
    if (!err) {
        json_begin_object(out);
        release_put(r, &row, arena, out);
        err = put_object(r, "card", row.card, arena, out, why);
    }
    if (!err)
        err = put_object(r, "signature", row.signature, arena, out, why);
    if (!err)
        err = put_uses(tx, r, id, arena, out, why);
    if (!err)
        json_end_object(out);
    store_rollback(tx);
    return err;
}

enum err release_file(struct release *r, const struct ops_identity *who, struct str id,
                      const char *name, struct arena *arena, struct str *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct release_row row;
    enum err err = may_see(who, why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = release_own(tx, who, id, arena, &row, why);
    store_rollback(tx);
    if (err)
        return err;
    char *object = str_z(arena, strcmp(name, "manifest.json") == 0 ? row.manifest : row.signature);
    return object ? objects_get(r->opts.objects, object, MOST_FILE, arena, out, why)
                  : err_set(why, ERR_NO_MEMORY, "could not read the release");
}

/* ---- making: the job is in make.c ---- */

static bool name_ok(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || ((c == '-' || c == '.') && i)))
            return false;
    }
    return name.len > 0 && name.len <= 63;
}

/* ERR_CONFLICT when this gate or this name has its release already. */
static enum err check_free(struct act *act, struct str gate, struct str name, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(act->tx,
                               "SELECT name FROM release_releases WHERE gate = ? OR (tenant = ? "
                               "AND name = ?)",
                               STORE_ARGS(SV_STR(gate), SV_STR(act->who->tenant), SV_STR(name)),
                               act->arena, &rows, why);
    if (err || !rows.n_rows)
        return err;
    if (str_eq(store_str(&rows, 0, 0), name))
        return err_set(why, ERR_CONFLICT, "there is a release \"%.*s\" already", SHOW(name));
    return err_set(why, ERR_CONFLICT, "this gate led to the release \"%.*s\" already",
                   SHOW(store_str(&rows, 0, 0)));
}

static struct str make_spec(struct arena *arena, const char *id, struct str gate, struct str name,
                            struct str title, struct str note)
{
    return detail_of(arena, "release", str_c(id), "gate", gate, "name", name, "title", title,
                     "note", note, NULL);
}

enum err release_make(struct release *r, const struct ops_identity *who, const struct json *ask,
                      char id[UUID_TEXT], char job[UUID_TEXT], struct why *why)
{
    struct act act;
    struct gate_row g;
    struct str gate, name, title, note, spec = STR_NONE;
    id[0] = job[0] = '\0';
    enum err err = text_of(ask, "gate", 36, 36, &gate, why);
    if (!err)
        err = text_of(ask, "name", 1, 63, &name, why);
    if (!err && !name_ok(name))
        err = err_set(why, ERR_INVALID,
                      "\"name\" has letters a to z, digits, '-' and '.', and begins with a letter "
                      "or digit");
    if (!err)
        err = text_of(ask, "title", 0, 200, &title, why);
    if (!err)
        err = text_of(ask, "note", 0, 2000, &note, why);
    if (!err)
        err = release_act_begin(&act, r, who, "release.make", why);
    if (err)
        return err;
    err = gate_find(act.tx, who, gate, act.arena, &g, why);
    if (!err && !str_eq_c(g.state, "passed"))
        err = err_set(why, ERR_CONFLICT, "the gate is %.*s; only a version that passed is released",
                      STR_FMT(g.state));
    if (!err)
        err = check_free(&act, gate, name, why);
    if (!err) {
        spec = make_spec(act.arena, uuid7(id), gate, name, title.len ? title : name, note);
        char *words = str_z(act.arena, name), *key = str_z(act.arena, gate);
        err = spec.ptr && words && key ? job_submit(act.tx, r->opts.compute, who, "release.make",
                                                    words, spec, key, job, why)
                                       : err_set(why, ERR_NO_MEMORY, "could not begin the release");
    }
    return release_act_end(&act, err, "release.release.begin", str_c(id), spec, why);
}

/* ---- withdrawing ---- */

static enum err mark_one(struct store_tx *tx, const struct ops_identity *who, struct str release,
                         struct str reason, struct arena *arena, struct why *why)
{
    enum err err =
        store_exec(tx,
                   "UPDATE release_releases SET state = 'withdrawn', reason = ?, "
                   "withdrawn_ms = ? WHERE id = ?",
                   STORE_ARGS(SV_STR(reason), SV_INT(time_now_ms()), SV_STR(release)), NULL, why);
    char *id = str_z(arena, release);
    if (!err && !id)
        err = err_set(why, ERR_NO_MEMORY, "could not mark a release");
    return err ? err
               : ops_audit(tx, who, "release.release.withdraw", id, "ok",
                           detail_of(arena, "reason", reason, NULL), why);
}

enum err release_withdrawn(void *ctx, struct store_tx *tx, const struct ops_identity *who,
                           struct str source, struct str reason, const struct str *versions,
                           size_t n, struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err = ERR_OK;
    (void)ctx, (void)source;
    for (size_t i = 0; !err && i < n; i++) {
        err =
            store_query(tx, "SELECT id FROM release_releases WHERE version = ? AND state = 'ready'",
                        STORE_ARGS(SV_STR(versions[i])), arena, &rows, why);
        for (size_t k = 0; !err && k < rows.n_rows; k++)
            err = mark_one(tx, who, store_str(&rows, k, 0), reason, arena, why);
        if (!err)
            err = store_exec(tx,
                             "UPDATE release_gates SET state = 'withdrawn' WHERE version = ? AND "
                             "state IN ('queued', 'running', 'judging', 'passed')",
                             STORE_ARGS(SV_STR(versions[i])), NULL, why);
    }
    return err;
}
