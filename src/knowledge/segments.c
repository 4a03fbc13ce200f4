/* knowledge/segments - the segment files of a base: merged, rebuilt, collected. */
#include "core/arena.h"
#include "core/file.h"
#include "core/log.h"
#include "core/map.h"
#include "knowledge/index.h"
#include "knowledge/passage.h"
#include "knowledge/room.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SEGMENTS 8 /* more are merged */
#define OLD_SECONDS   3600
#define MEMORY        ((size_t)1 << 30)
#define INDEX_MEMORY  ((size_t)384 << 20)
#define TEXT_MOST     ((size_t)256 << 20)

struct segment {
    struct str id;
    int64_t n_passages;
};

struct merging {
    struct knowledge *k;
    const struct base *base;
    struct arena *arena;
    struct segment *segments; /* of the base, smallest first */
    size_t n;
    struct map serves; /* version -> index into segments, + 1 */
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the segments of an index");
}

static enum err load(struct merging *m, struct why *why)
{
    struct store_rows rows = {0};
    struct map places;
    map_init(&m->serves, m->arena);
    map_init(&places, m->arena);
    enum err err = store_ask(
        m->k->opts.store, "SELECT id, n_passages FROM kb_segments WHERE kb = ? ORDER BY n_passages",
        STORE_ARGS(SV_C(m->base->id)), m->arena, &rows, why);
    if (err)
        return err;
    m->segments = arena_array(m->arena, struct segment, rows.n_rows + 1);
    if (!m->segments)
        return no_memory(why);
    for (size_t i = 0; i < rows.n_rows; i++) {
        m->segments[i] = (struct segment){store_str(&rows, i, 0), store_int(&rows, i, 1)};
        struct map_entry *place = map_put(&places, store_str(&rows, i, 0), NULL);
        if (!place)
            return no_memory(why);
        place->value.u = i + 1;
    }
    m->n = rows.n_rows;
    err = store_ask(m->k->opts.store, "SELECT id, segment FROM kb_versions WHERE kb = ?",
                    STORE_ARGS(SV_C(m->base->id)), m->arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        const struct map_entry *place = map_find(&places, store_str(&rows, i, 1));
        struct map_entry *entry = map_put(&m->serves, store_str(&rows, i, 0), NULL);
        if (!entry)
            return no_memory(why);
        entry->value.u = place ? place->value.u : 0;
    }
    return err;
}

static bool alive(void *ctx, size_t i, const char *version_id)
{
    const struct merging *m = ctx;
    const struct map_entry *entry = map_find(&m->serves, str_c(version_id));
    return entry && entry->value.u == i + 1;
}

static enum err put_segment(struct store_tx *tx, const struct base *base, const char *id,
                            const struct index_info *info, struct why *why)
{
    return store_exec(tx,
                      "INSERT INTO kb_segments (id, kb, n_versions, n_passages, bytes, sha256, "
                      "created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
                      STORE_ARGS(SV_C(id), SV_C(base->id), SV_INT(info->n_versions),
                                 SV_INT(info->n_passages), SV_INT((int64_t)info->bytes),
                                 SV_C(info->sha256), SV_INT(time_now_ms())),
                      NULL, why);
}

/* The rows: the new segment serves what the old ones did. */
static enum err replace(struct merging *m, size_t n, const char *id, const struct index_info *info,
                        struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = store_begin(m->k->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = put_segment(tx, m->base, id, info, why);
    for (size_t i = 0; i < n && !err; i++) {
        err = store_exec(tx, "UPDATE kb_versions SET segment = ? WHERE kb = ? AND segment = ?",
                         STORE_ARGS(SV_C(id), SV_C(m->base->id), SV_STR(m->segments[i].id)), NULL,
                         why);
        if (!err)
            err = store_exec(tx, "DELETE FROM kb_segments WHERE id = ?",
                             STORE_ARGS(SV_STR(m->segments[i].id)), NULL, why);
    }
    if (!err)
        err = base_touch(tx, m->base->id, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

/* How many of the smallest go together: all but those that are far larger than what is below. */
static size_t how_many(const struct merging *m)
{
    size_t n = m->n;
    while (n > 2) {
        int64_t below = 0;
        for (size_t i = 0; i + 1 < n; i++)
            below += m->segments[i].n_passages;
        if (m->segments[n - 1].n_passages <= 8 * below)
            break;
        n--;
    }
    return n;
}

static enum err merge(struct merging *m, struct why *why)
{
    size_t n = how_many(m);
    char id[UUID_TEXT];
    struct index_info info;
    const char **paths = arena_array(m->arena, const char *, n);
    char *path = segment_path(m->k, m->base->id, uuid7(id), m->arena);
    if (!paths || !path)
        return no_memory(why);
    for (size_t i = 0; i < n; i++) {
        char *old = str_z(m->arena, m->segments[i].id);
        paths[i] = old ? segment_path(m->k, m->base->id, old, m->arena) : NULL;
        if (!paths[i])
            return no_memory(why);
    }
    enum err err = index_merge(paths, n, alive, m, path, &info, why);
    /* The old files stay for whoever still reads them; segments_collect() takes them later. */
    return err ? err : replace(m, n, id, &info, why);
}

enum err segments_tidy(struct knowledge *k, const struct base *base, struct why *why)
{
    struct merging m = {.k = k, .base = base, .arena = arena_new(MEMORY)};
    enum err err = m.arena ? load(&m, why) : no_memory(why);
    if (!err && m.n > MOST_SEGMENTS)
        err = merge(&m, why);
    arena_free(m.arena);
    return err;
}

/* ---- from the stored texts ---- */

struct rebuilding {
    struct knowledge *k;
    const struct base *base;
    struct arena *arena;   /* of the ids */
    struct arena *scratch; /* of one version */
    struct index_writer *writer;
    struct str *ids; /* of the versions written */
    size_t n_ids;
};

static enum err add_version(struct rebuilding *r, const struct store_rows *row, struct why *why)
{
    struct str id = store_str(row, 0, 0), text = STR_NONE;
    size_t start = (size_t)store_int(row, 0, 2), len = (size_t)store_int(row, 0, 3), n = 0;
    struct passage *passages = NULL;
    uint32_t version = 0;
    char *object = str_z(r->scratch, store_str(row, 0, 1)), *name = str_z(r->arena, id);
    struct str title = store_str(row, 0, 5), part = store_str(row, 0, 6);
    if (part.len)
        title = str_printf(r->scratch, "%.*s %.*s", STR_FMT(title), STR_FMT(part));
    if (!object || !name || !title.ptr)
        return no_memory(why);
    enum err err = objects_get(r->k->opts.objects, object, TEXT_MOST, r->scratch, &text, why);
    if (!err && (start > text.len || len > text.len - start))
        err = err_set(why, ERR_CORRUPT, "a version's text is shorter than its row says");
    if (!err)
        err = passages_unpack(store_str(row, 0, 4), r->scratch, &passages, &n, why);
    if (!err)
        err = index_writer_version(r->writer, name, &version, why);
    text = str_slice(text, start, start + len);
    if (!err)
        err = index_writer_passages(r->writer, version, title, passages, n, text, why);
    r->ids[r->n_ids++] = (struct str){name, id.len};
    return err;
}

/* Commits what was written as a segment that serves those versions. */
static enum err commit(struct rebuilding *r, const char *segment, struct why *why)
{
    struct store_tx *tx = NULL;
    struct index_info info;
    enum err err = index_writer_commit(r->writer, &info, why);
    if (!err)
        err = store_begin(r->k->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = put_segment(tx, r->base, segment, &info, why);
    for (size_t i = 0; i < r->n_ids && !err; i++)
        err = store_exec(tx, "UPDATE kb_versions SET segment = ? WHERE id = ?",
                         STORE_ARGS(SV_C(segment), SV_STR(r->ids[i])), NULL, why);
    if (!err)
        err = base_touch(tx, r->base->id, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

/* Versions first .. first + n of the list, as one segment. */
static enum err rebuild_part(struct rebuilding *r, const struct store_rows *ids, size_t first,
                             size_t n, struct why *why)
{
    char segment[UUID_TEXT];
    char *path = segment_path(r->k, r->base->id, uuid7(segment), r->arena);
    enum err err = path ? index_writer_new(path, INDEX_MEMORY, &r->writer, why) : no_memory(why);
    r->n_ids = 0;
    for (size_t i = first; i < first + n && !err; i++) {
        struct store_rows row;
        arena_reset(r->scratch);
        err = store_ask(r->k->opts.store,
                        "SELECT id, text_object, text_start, text_len, passages, title, part FROM "
                        "kb_versions WHERE id = ?",
                        STORE_ARGS(SV_STR(store_str(ids, i, 0))), r->scratch, &row, why);
        if (err || !row.n_rows)
            continue;
        struct why lost = {0};
        err = add_version(r, &row, &lost);
        if (err == ERR_CORRUPT || err == ERR_NOT_FOUND) { /* the check has said so; go on */
            LOG_WARN("a version is left out of the index", LOG_WHY(&lost));
            err = ERR_OK;
        } else if (err) {
            (void)err_set(why, err, "%s", why_text(&lost, err));
        }
    }
    if (!err)
        err = commit(r, segment, why);
    index_writer_free(r->writer);
    r->writer = NULL;
    return err;
}

#define PART 2000 /* versions in a rebuilt segment */

enum err segments_rebuild(struct knowledge *k, const struct base *base, struct why *why)
{
    struct rebuilding r = {
        .k = k, .base = base, .arena = arena_new(MEMORY), .scratch = arena_new(MEMORY)};
    struct store_rows ids = {0}, old = {0};
    enum err err = r.arena && r.scratch ? ERR_OK : no_memory(why);
    if (!err)
        err = store_ask(k->opts.store, "SELECT id FROM kb_segments WHERE kb = ?",
                        STORE_ARGS(SV_C(base->id)), r.arena, &old, why);
    if (!err)
        err = store_ask(k->opts.store, "SELECT id FROM kb_versions WHERE kb = ? ORDER BY id",
                        STORE_ARGS(SV_C(base->id)), r.arena, &ids, why);
    r.ids = err ? NULL : arena_array(r.arena, struct str, PART);
    if (!err && !r.ids)
        err = no_memory(why);
    for (size_t first = 0; !err && first < ids.n_rows; first += PART)
        err = rebuild_part(&r, &ids, first, ids.n_rows - first < PART ? ids.n_rows - first : PART,
                           why);
    for (size_t i = 0; !err && i < old.n_rows; i++)
        err = store_run(k->opts.store, "DELETE FROM kb_segments WHERE id = ?",
                        STORE_ARGS(SV_STR(store_str(&old, i, 0))), NULL, why);
    arena_free(r.scratch);
    arena_free(r.arena);
    return err;
}

/* ---- files that nobody names ---- */

struct collecting {
    struct map named;
    struct arena *arena;
};

static enum err collect(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct collecting *c = ctx;
    struct stat st;
    (void)why;
    bool is_segment = str_find(relative, STR(".seg")) != STR_NPOS;
    if (!is_segment || stat(path, &st) != 0 || st.st_mtime > time_now_ms() / 1000 - OLD_SECONDS)
        return ERR_OK;
    struct str id = str_slice(relative, 0, UUID_TEXT - 1);
    if (!map_find(&c->named, id))
        (void)unlink(path);
    return ERR_OK;
}

void segments_collect(struct knowledge *k, const char *base_id)
{
    struct collecting c = {.arena = arena_new((size_t)64 << 20)};
    struct store_rows rows;
    struct why why = {0};
    if (!c.arena)
        return;
    map_init(&c.named, c.arena);
    struct str dir = str_printf(c.arena, "%s/%s", k->index_dir, base_id);
    enum err err = dir.ptr ? store_ask(k->opts.store, "SELECT id FROM kb_segments WHERE kb = ?",
                                       STORE_ARGS(SV_C(base_id)), c.arena, &rows, &why)
                           : ERR_NO_MEMORY;
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        err = map_put(&c.named, store_str(&rows, i, 0), NULL) ? ERR_OK : ERR_NO_MEMORY;
    if (!err && file_is_dir(dir.ptr))
        err = file_walk(dir.ptr, 0, collect, &c, &why);
    if (err)
        LOG_WARN("old index segments were not collected", LOG_WHY(&why));
    arena_free(c.arena);
}
