/* knowledge/base - the bases: made, found, listed, locked. */
#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "knowledge/room.h"

#include <stdio.h>
#include <string.h>

#define LOCK_STEP_MS 50
#define BASE_COLUMNS "id, name, title, tenant, access, revision, writer, embedder, reranker"

static enum err check_name(struct str name, struct why *why)
{
    bool good = name.len > 0 && utf8_count(name) <= 40 && utf8_invalid(name) == STR_NPOS;
    for (size_t at = 0; good && at < name.len;) {
        uint32_t c = utf8_next(name, &at);
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               utf8_is_han(c);
    }
    if (good)
        return ERR_OK;
    enum err err = err_set(why, ERR_INVALID, "\"%.*s\" cannot be the name of a knowledge base",
                           (int)(name.len < 80 ? name.len : 80), name.ptr ? name.ptr : "");
    err_hint(why, "1 to 40 lower-case letters, digits, '_', '-' or Chinese characters");
    return err;
}

static enum err insert(struct knowledge *k, const struct ops_identity *who, const char *name,
                       const char *title, enum ops_class access, const char *id, struct why *why)
{
    struct store_tx *tx = NULL;
    int64_t now = time_now_ms();
    enum err err = store_begin(k->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(tx,
                         "INSERT INTO kb_bases (id, tenant, name, title, access, revision, "
                         "created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
                         STORE_ARGS(SV_C(id), SV_STR(who->tenant), SV_C(name), SV_C(title),
                                    SV_INT(access), SV_INT(now), SV_INT(now)),
                         NULL, why);
    if (!err)
        err = ops_audit(tx, who, "knowledge.base.create", id, "ok", STR_NONE, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

enum err knowledge_create(struct knowledge *k, const struct ops_identity *who, const char *name,
                          const char *title, enum ops_class access, char id[UUID_TEXT],
                          struct why *why)
{
    struct store_rows rows;
    struct arena *arena = arena_new(1u << 20);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not make a knowledge base");
    enum err err = ops_need(who, "knowledge.write", why);
    if (!err)
        err = check_name(str_c(name), why);
    if (!err && !ops_may_base(who, str_c(name)))
        err = err_set(why, ERR_FORBIDDEN, "this key is not for the base \"%s\"", name);
    if (!err)
        err = store_ask(k->opts.store, "SELECT id FROM kb_bases WHERE tenant = ? AND name = ?",
                        STORE_ARGS(SV_STR(who->tenant), SV_C(name)), arena, &rows, why);
    if (!err && rows.n_rows) {
        (void)snprintf(id, UUID_TEXT, "%.*s", STR_FMT(store_str(&rows, 0, 0)));
    } else if (!err) {
        (void)uuid7(id);
        err = insert(k, who, name, title && title[0] ? title : name, access, id, why);
    }
    arena_free(arena);
    return err;
}

static bool may_see(const struct ops_identity *who, struct str name, int64_t access)
{
    return access >= 0 && access < 64 && (who->classes >> access & 1) && ops_may_base(who, name);
}

static void base_of_row(const struct store_rows *rows, size_t row, struct base *out)
{
    (void)snprintf(out->id, sizeof out->id, "%.*s", STR_FMT(store_str(rows, row, 0)));
    out->name = store_str(rows, row, 1);
    out->title = store_str(rows, row, 2);
    out->tenant = store_str(rows, row, 3);
    out->access = (enum ops_class)store_int(rows, row, 4);
    out->revision = store_int(rows, row, 5);
    out->writer = store_str(rows, row, 6);
    out->embedder = store_str(rows, row, 7);
    out->reranker = store_str(rows, row, 8);
}

enum err base_find(struct knowledge *k, const struct ops_identity *who, struct str name,
                   struct arena *arena, struct base *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(k->opts.store,
                             "SELECT " BASE_COLUMNS " FROM kb_bases "
                             "WHERE tenant = ? AND name = ?",
                             STORE_ARGS(SV_STR(who->tenant), SV_STR(name)), arena, &rows, why);
    if (err)
        return err;
    if (!rows.n_rows || !may_see(who, name, store_int(&rows, 0, 4)))
        return err_set(why, ERR_NOT_FOUND, "there is no knowledge base \"%.*s\"",
                       (int)(name.len < 120 ? name.len : 120), name.ptr ? name.ptr : "");
    base_of_row(&rows, 0, out);
    return ERR_OK;
}

enum err knowledge_see(struct knowledge *k, const struct ops_identity *who, struct str kb,
                       struct arena *arena, struct why *why)
{
    struct base base;
    return base_find(k, who, kb, arena, &base, why);
}

enum err base_list(struct knowledge *k, const struct ops_identity *who, struct arena *arena,
                   struct base **out, size_t *n, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(k->opts.store,
                             "SELECT " BASE_COLUMNS " FROM kb_bases "
                             "WHERE tenant = ? ORDER BY name",
                             STORE_ARGS(SV_STR(who->tenant)), arena, &rows, why);
    struct base *list = err ? NULL : arena_array(arena, struct base, rows.n_rows + 1);
    if (err)
        return err;
    if (!list)
        return err_set(why, ERR_NO_MEMORY, "could not list the knowledge bases");
    *n = 0;
    for (size_t i = 0; i < rows.n_rows; i++)
        if (may_see(who, store_str(&rows, i, 1), store_int(&rows, i, 4)))
            base_of_row(&rows, i, &list[(*n)++]);
    *out = list;
    return ERR_OK;
}

enum err base_touch(struct store_tx *tx, const char *base_id, struct why *why)
{
    int64_t changed = 0;
    enum err err =
        store_exec(tx, "UPDATE kb_bases SET revision = revision + 1, updated_ms = ? WHERE id = ?",
                   STORE_ARGS(SV_INT(time_now_ms()), SV_C(base_id)), &changed, why);
    if (!err && !changed)
        err = err_set(why, ERR_NOT_FOUND, "the knowledge base is not there any more");
    return err;
}

enum err base_lock(struct knowledge *k, const char *base_id, int64_t wait_ms, int *fd,
                   struct why *why)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/%s", k->index_dir, base_id);
    if (len < 0 || (size_t)len + 8 > sizeof path)
        return err_set(why, ERR_INVALID, "the path of the data directory is too long");
    enum err err = file_make_dirs(path, why);
    memcpy(path + len, "/lock", 6);
    for (int64_t waited = 0; !err; waited += LOCK_STEP_MS) {
        struct why busy = {0};
        err = file_lock(path, fd, &busy);
        if (err != ERR_BUSY)
            return err ? err_set(why, err, "%s", busy.text) : ERR_OK;
        if (waited >= wait_ms)
            return err_set(why, ERR_BUSY, "another import into this base is running");
        time_sleep_ms(LOCK_STEP_MS);
        err = ERR_OK;
    }
    return err;
}

struct figures {
    int64_t n_documents, n_passages, updated_ms;
};

/* What `who` may read is counted, nothing else. */
static enum err figures_of(struct knowledge *k, const struct ops_identity *who,
                           const struct base *base, struct arena *arena, struct figures *out,
                           struct why *why)
{
    const struct catalog *c = NULL;
    struct store_rows rows = {0};
    enum err err = catalog_of(k, who, base->name, &c, why);
    if (err)
        return err;
    *out = (struct figures){.n_documents = 0};
    for (uint32_t d = 0; d < c->n_documents; d++) {
        bool any = false;
        for (uint32_t i = 0; i < c->documents[d].n; i++) {
            const struct catalog_version *v = &c->versions[c->documents[d].first + i];
            bool readable = catalog_may_read(v, who);
            out->n_passages += readable ? v->n_passages : 0;
            any = any || readable;
        }
        out->n_documents += any;
    }
    catalog_release(c);
    err = store_ask(k->opts.store, "SELECT updated_ms FROM kb_bases WHERE id = ?",
                    STORE_ARGS(SV_C(base->id)), arena, &rows, why);
    out->updated_ms = store_int(&rows, 0, 0);
    return err;
}

enum err knowledge_bases_json(struct knowledge *k, const struct ops_identity *who,
                              struct arena *arena, struct json_out *out, struct why *why)
{
    struct base *bases = NULL;
    size_t n = 0;
    char time[TIME_TEXT];
    enum err err = base_list(k, who, arena, &bases, &n, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < n && !err; i++) {
        struct figures figures = {0};
        err = figures_of(k, who, &bases[i], arena, &figures, why);
        json_begin_object(out);
        json_kv_c(out, "id", bases[i].id);
        json_kv_str(out, "name", bases[i].name);
        json_kv_str(out, "title", bases[i].title);
        json_kv_c(out, "access", access_name(bases[i].access));
        json_kv_str(out, "writer", bases[i].writer);
        json_kv_str(out, "embedder", bases[i].embedder);
        json_kv_str(out, "reranker", bases[i].reranker);
        json_kv_int(out, "n_documents", figures.n_documents);
        json_kv_int(out, "n_passages", figures.n_passages);
        json_kv_c(out, "updated_at", time_format(figures.updated_ms, time));
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return err;
}
