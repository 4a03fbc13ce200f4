/* knowledge/check - tables, objects and segments against each other. */
#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "knowledge/index.h"
#include "knowledge/passage.h"
#include "knowledge/room.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MEMORY    ((size_t)1 << 30)
#define TEXT_MOST ((size_t)256 << 20)

struct checking {
    struct knowledge *k;
    void (*bad)(void *ctx, const char *words);
    void *ctx;
    struct base base;
    struct arena *arena;   /* of the base */
    struct arena *scratch; /* of one version */
    struct map serves;     /* version -> its segment (void *: char *) */
    struct map counts;     /* version -> passages */
    const char *segment;   /* the one being read */
    size_t n_found;        /* versions that it serves, found in it */
    bool index_is_bad;
    struct str last_object, last_text; /* records of one file share their text */
    struct arena *text_arena;
};

static void fault(struct checking *c, const char *fmt, ...) ERR_PRINTF(2, 3);
static void fault(struct checking *c, const char *fmt, ...)
{
    char words[512];
    va_list args;
    va_start(args, fmt);
    int n = snprintf(words, sizeof words, "knowledge base \"%.*s\": ", STR_FMT(c->base.name));
    if (n > 0 && (size_t)n < sizeof words)
        (void)vsnprintf(words + n, sizeof words - (size_t)n, fmt, args);
    va_end(args);
    c->bad(c->ctx, words);
}

/* ---- versions ---- */

static enum err text_of(struct checking *c, struct str object, struct str *out)
{
    struct why why = {0};
    if (str_eq(object, c->last_object)) {
        *out = c->last_text;
        return ERR_OK;
    }
    arena_reset(c->text_arena);
    c->last_object = STR_NONE;
    char *name = str_z(c->text_arena, object);
    enum err err = name ? objects_get(c->k->opts.objects, name, TEXT_MOST, c->text_arena, out, &why)
                        : ERR_NO_MEMORY;
    if (!err) {
        c->last_object = (struct str){name, object.len};
        c->last_text = *out;
    }
    return err;
}

static void check_ranges(struct checking *c, const struct store_rows *row, struct str text)
{
    struct passage *passages = NULL;
    size_t n = 0;
    struct why why = {0};
    struct str id = store_str(row, 0, 0);
    size_t start = (size_t)store_int(row, 0, 3), len = (size_t)store_int(row, 0, 4);
    if (start > text.len || len > text.len - start) {
        fault(c, "version %.*s is longer than its text", STR_FMT(id));
        return;
    }
    if (passages_unpack(store_str(row, 0, 6), c->scratch, &passages, &n, &why)) {
        fault(c, "version %.*s: %s", STR_FMT(id), why.text);
        return;
    }
    if ((int64_t)n != store_int(row, 0, 5))
        fault(c, "version %.*s has %zu passages, its row says %lld", STR_FMT(id), n,
              (long long)store_int(row, 0, 5));
    for (size_t i = 0; i < n; i++)
        if (passages[i].start > len || passages[i].len > len - passages[i].start) {
            fault(c, "passage %zu of version %.*s lies outside its text", i, STR_FMT(id));
            return;
        }
}

static enum err check_version(void *ctx, const struct store_rows *row, struct why *why)
{
    struct checking *c = ctx;
    struct str id = store_str(row, 0, 0), text = STR_NONE;
    arena_reset(c->scratch);
    char *object = str_z(c->scratch, store_str(row, 0, 1));
    char *segment = str_z(c->arena, store_str(row, 0, 7));
    struct str kept = str_copy(c->arena, id);
    struct map_entry *serves = kept.ptr ? map_put(&c->serves, kept, NULL) : NULL;
    struct map_entry *count = kept.ptr ? map_put(&c->counts, kept, NULL) : NULL;
    if (!object || !segment || !serves || !count)
        return err_set(why, ERR_NO_MEMORY, "could not check the versions");
    serves->value.p = segment;
    count->value.u = (uint64_t)store_int(row, 0, 5);
    if (!objects_has(c->k->opts.objects, object))
        fault(c, "the file of version %.*s is missing (object %s)", STR_FMT(id), object);
    enum err err = text_of(c, store_str(row, 0, 2), &text);
    if (err)
        fault(c, "the text of version %.*s cannot be read: %s", STR_FMT(id), err_words(err));
    else
        check_ranges(c, row, text);
    if (store_is_null(row, 0, 8))
        fault(c, "version %.*s belongs to no document", STR_FMT(id));
    return ERR_OK;
}

/* ---- segments ---- */

static enum err on_version(void *ctx, const char *version_id, uint32_t n_passages, struct why *why)
{
    struct checking *c = ctx;
    (void)why;
    const struct map_entry *serves = map_find(&c->serves, str_c(version_id));
    if (!serves || strcmp(serves->value.p, c->segment) != 0)
        return ERR_OK; /* dead here */
    c->n_found++;
    const struct map_entry *count = map_find(&c->counts, str_c(version_id));
    if (count && count->value.u != n_passages) {
        fault(c, "the index holds %u passages of version %s, its row says %llu", n_passages,
              version_id, (unsigned long long)count->value.u);
        c->index_is_bad = true;
    }
    return ERR_OK;
}

static enum err check_segment(struct checking *c, const struct store_rows *rows, size_t i,
                              struct why *why)
{
    struct index_info info = {0};
    struct why words = {0};
    char *id = str_z(c->arena, store_str(rows, i, 0));
    char *path = id ? segment_path(c->k, c->base.id, id, c->arena) : NULL;
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not check the index");
    c->segment = id;
    c->n_found = 0;
    enum err err = index_verify(path, &info, on_version, c, &words);
    if (err == ERR_NO_MEMORY)
        return err_set(why, err, "%s", why_text(&words, err));
    if (err) {
        fault(c, "index segment %s: %s", id, why_text(&words, err));
    } else if (!str_eq_c(store_str(rows, i, 1), info.sha256)) {
        fault(c, "index segment %s is not the one that was written", id);
        err = ERR_CORRUPT;
    } else if ((int64_t)c->n_found != store_int(rows, i, 2)) {
        fault(c, "index segment %s serves %zu versions, the tables say %lld", id, c->n_found,
              (long long)store_int(rows, i, 2));
        err = ERR_CORRUPT;
    }
    c->index_is_bad = c->index_is_bad || err;
    return ERR_OK;
}

static enum err check_segments(struct checking *c, struct why *why)
{
    struct store_rows rows = {0}, lost = {0};
    struct store *store = c->k->opts.store;
    enum err err = store_ask(store,
                             "SELECT s.id, s.sha256, (SELECT COUNT(*) FROM kb_versions v WHERE "
                             "v.segment = s.id) FROM kb_segments s WHERE s.kb = ? ORDER BY s.id",
                             STORE_ARGS(SV_C(c->base.id)), c->arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        err = check_segment(c, &rows, i, why);
    if (!err)
        err = store_ask(store,
                        "SELECT COUNT(*) FROM kb_versions WHERE kb = ? AND segment NOT IN (SELECT "
                        "id FROM kb_segments WHERE kb = ?)",
                        STORE_ARGS(SV_C(c->base.id), SV_C(c->base.id)), c->arena, &lost, why);
    if (!err && store_int(&lost, 0, 0)) {
        fault(c, "%lld versions are in no index segment", (long long)store_int(&lost, 0, 0));
        c->index_is_bad = true;
    }
    return err;
}

/* ---- a base ---- */

static enum err check_base(struct checking *c, bool repair, struct why *why)
{
    struct store_rows rows = {0};
    map_init(&c->serves, c->arena);
    map_init(&c->counts, c->arena);
    enum err err = store_ask(c->k->opts.store,
                             "SELECT COUNT(*) FROM kb_documents d WHERE kb = ? AND NOT EXISTS "
                             "(SELECT 1 FROM kb_versions v WHERE v.document = d.id)",
                             STORE_ARGS(SV_C(c->base.id)), c->arena, &rows, why);
    if (!err && store_int(&rows, 0, 0))
        fault(c, "%lld documents have no version", (long long)store_int(&rows, 0, 0));
    struct store_tx *tx = NULL;
    if (!err)
        err = store_begin(c->k->opts.store, STORE_READ, &tx, why);
    if (!err)
        err =
            store_each(tx,
                       "SELECT v.id, v.object, v.text_object, v.text_start, v.text_len, "
                       "v.n_passages, v.passages, v.segment, d.id FROM kb_versions v LEFT JOIN "
                       "kb_documents d ON d.id = v.document WHERE v.kb = ? ORDER BY v.text_object",
                       STORE_ARGS(SV_C(c->base.id)), check_version, c, why);
    store_rollback(tx);
    if (!err)
        err = check_segments(c, why);
    if (!err && repair && c->index_is_bad)
        err = segments_rebuild(c->k, &c->base, why);
    return err;
}

static enum err check_locked(struct checking *c, bool repair, struct why *why)
{
    int lock = -1;
    enum err err = base_lock(c->k, c->base.id, 60000, &lock, why);
    if (err)
        return err;
    c->arena = arena_new(MEMORY);
    c->scratch = arena_new(MEMORY);
    c->text_arena = arena_new(MEMORY);
    err = c->arena && c->scratch && c->text_arena
              ? check_base(c, repair, why)
              : err_set(why, ERR_NO_MEMORY, "could not check a knowledge base");
    arena_free(c->text_arena);
    arena_free(c->scratch);
    arena_free(c->arena);
    file_unlock(lock);
    return err;
}

enum err knowledge_check(struct knowledge *k, bool repair,
                         void (*bad)(void *ctx, const char *words), void *ctx, struct why *why)
{
    struct store_rows rows = {0};
    struct arena *arena = arena_new((size_t)64 << 20);
    enum err err = arena ? store_ask(k->opts.store, "SELECT id, name FROM kb_bases ORDER BY id",
                                     STORE_NO_ARGS, arena, &rows, why)
                         : err_set(why, ERR_NO_MEMORY, "could not check the knowledge bases");
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct checking c = {.k = k, .bad = bad, .ctx = ctx};
        (void)snprintf(c.base.id, sizeof c.base.id, "%.*s", STR_FMT(store_str(&rows, i, 0)));
        c.base.name = store_str(&rows, i, 1);
        err = check_locked(&c, repair, why);
    }
    arena_free(arena);
    return err;
}
