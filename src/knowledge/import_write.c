/* knowledge/import_write - a batch acknowledged in one step: segment file, objects, one
 * transaction. */
#include "core/json.h"
#include "core/file.h"
#include "knowledge/import_in.h"
#include "knowledge/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MEMORY ((size_t)384 << 20)
#define MOST_TOLD    200 /* ids in the ledger's entry */

struct writing {
    struct import *import;
    struct store_tx *tx;
    struct index_writer *writer;
    char segment[UUID_TEXT];
    struct index_info info;
    char (*ids)[UUID_TEXT]; /* of the versions, in the order of documents and items */
    size_t n_ids, at;
    int64_t now;
    int64_t n_documents, n_versions, n_passages;
    struct arena *arena;
    struct buf told; /* ids of the versions, for the ledger */
};

/* The items of all documents, one after the other. Begins with {results, n}. */
struct cursor {
    const struct import_result *results;
    size_t n, at; /* the result after the one in use */
    struct import_doc *doc;
    size_t i; /* the next item of doc */
};

static struct import_item *next_item(struct cursor *c)
{
    while (!c->doc || c->i >= c->doc->n_items) {
        struct import_doc *next = c->doc ? c->doc->next : NULL;
        while (!next && c->at < c->n)
            next = c->results[c->at++].first;
        if (!next)
            return NULL;
        c->doc = next;
        c->i = 0;
    }
    return &c->doc->items[c->i++];
}

/* ---- the segment ---- */

static enum err index_item(struct writing *w, const struct import_doc *doc,
                           const struct import_item *item, const char *id, struct why *why)
{
    uint32_t version = 0;
    const struct knowledge_meta *meta = &item->found.meta;
    struct str text = str_slice(doc->text, item->start, item->start + item->len);
    struct str title = meta->title;
    if (meta->part.len)
        title = str_printf(w->arena, "%.*s %.*s", STR_FMT(meta->title), STR_FMT(meta->part));
    enum err err = title.ptr ? index_writer_version(w->writer, id, &version, why)
                             : err_set(why, ERR_NO_MEMORY, "could not hold a title");
    if (!err)
        err = index_writer_passages(w->writer, version, title, item->passages, item->n_passages,
                                    text, why);
    return err;
}

static enum err write_segment(struct writing *w, const struct import_result *results, size_t n,
                              struct why *why)
{
    struct import *import = w->import;
    for (struct cursor c = {.results = results, .n = n}; next_item(&c);)
        w->n_ids++;
    if (!w->n_ids)
        return ERR_OK;
    w->ids = arena_alloc(w->arena, w->n_ids * sizeof *w->ids);
    char *path = segment_path(import->k, import->base.id, uuid7(w->segment), w->arena);
    if (!w->ids || !path)
        return err_set(why, ERR_NO_MEMORY, "could not write an index segment");
    enum err err = index_writer_new(path, INDEX_MEMORY, &w->writer, why);
    size_t i = 0;
    struct cursor c = {.results = results, .n = n};
    for (struct import_item *item; !err && (item = next_item(&c));)
        err = index_item(w, c.doc, item, uuid7(w->ids[i++]), why);
    return err ? err : index_writer_commit(w->writer, &w->info, why);
}

/* ---- the rows ---- */

static enum err put_segment_row(struct writing *w, struct why *why)
{
    return store_exec(w->tx,
                      "INSERT INTO kb_segments (id, kb, n_versions, n_passages, bytes, sha256, "
                      "created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
                      STORE_ARGS(SV_C(w->segment), SV_C(w->import->base.id),
                                 SV_INT(w->info.n_versions), SV_INT(w->info.n_passages),
                                 SV_INT((int64_t)w->info.bytes), SV_C(w->info.sha256),
                                 SV_INT(w->now)),
                      NULL, why);
}

static enum err document_id(struct writing *w, struct str key, struct str *id, bool *known,
                            struct why *why)
{
    char fresh[UUID_TEXT];
    struct store_rows rows;
    struct import *import = w->import;
    *known = map_find(&import->keys, key) != NULL;
    enum err err = store_query(
        w->tx,
        "INSERT INTO kb_documents (id, kb, doc_key, overrides, revision, created_ms, updated_ms) "
        "VALUES (?, ?, ?, '', 1, ?, ?) ON CONFLICT (kb, doc_key) DO UPDATE SET revision = "
        "kb_documents.revision + 1, updated_ms = excluded.updated_ms RETURNING id",
        STORE_ARGS(SV_C(uuid7(fresh)), SV_C(import->base.id), SV_STR(key), SV_INT(w->now),
                   SV_INT(w->now)),
        w->arena, &rows, why);
    if (err)
        return err;
    *id = store_str(&rows, 0, 0);
    if (*known)
        return ERR_OK;
    w->n_documents++;
    struct str kept = str_copy(import->arena, key);
    return kept.ptr && map_put(&import->keys, kept, NULL)
               ? ERR_OK
               : err_set(why, ERR_NO_MEMORY, "could not hold the names of documents");
}

static bool same_day(const struct store_rows *rows, size_t row, size_t col, int32_t day)
{
    return store_is_null(rows, row, col) ? day == DAY_NONE : store_int(rows, row, col) == day;
}

static enum err remove_version(struct writing *w, struct str id, struct why *why)
{
    enum err err = store_exec(w->tx, "DELETE FROM kb_repeals WHERE version = ?",
                              STORE_ARGS(SV_STR(id)), NULL, why);
    return err ? err
               : store_exec(w->tx, "DELETE FROM kb_versions WHERE id = ?", STORE_ARGS(SV_STR(id)),
                            NULL, why);
}

/*
 * What the same file gave before: replaced when number and days are the same (somebody corrected
 * the text), else kept as an older version of its document. What a person had set stays with the
 * replacing one.
 */
static enum err settle_earlier(struct writing *w, const struct import_doc *doc,
                               const struct import_item *item, struct str document,
                               struct str *overrides, struct why *why)
{
    const struct knowledge_meta *meta = &item->found.meta;
    struct store_rows rows;
    enum err err = store_query(w->tx,
                               "SELECT id, document, number, published, effective, overrides FROM "
                               "kb_versions WHERE kb = ? AND source = ? AND item = ? AND "
                               "is_newest = 1 AND segment <> ?",
                               STORE_ARGS(SV_C(w->import->base.id), SV_STR(doc->source),
                                          SV_STR(item->item), SV_C(w->segment)),
                               w->arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        bool same = str_eq(store_str(&rows, i, 1), document) &&
                    str_eq(store_str(&rows, i, 2), meta->number) &&
                    same_day(&rows, i, 3, meta->published) &&
                    same_day(&rows, i, 4, meta->effective);
        if (same && !overrides->len)
            *overrides = store_str(&rows, i, 5);
        /* Another title: the file is about something else now, its old document stays. */
        if (same)
            err = remove_version(w, store_str(&rows, i, 0), why);
        else
            err = store_exec(w->tx, "UPDATE kb_versions SET is_newest = 0 WHERE id = ?",
                             STORE_ARGS(SV_STR(store_str(&rows, i, 0))), NULL, why);
    }
    return err;
}

/* The same text under the same title is there already: from another path, or moved here. */
static enum err find_twin(struct writing *w, const struct import_item *item, struct str document,
                          struct str *twin, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_query(w->tx, "SELECT id FROM kb_versions WHERE document = ? AND text_sha256 = ?",
                    STORE_ARGS(SV_STR(document), SV_C(item->text_sha256)), w->arena, &rows, why);
    if (!err && rows.n_rows)
        *twin = store_str(&rows, 0, 0);
    return err;
}

static enum err insert_version(struct writing *w, const struct import_doc *doc,
                               const struct import_item *item, const char *id, struct str document,
                               struct str overrides, struct why *why)
{
    struct store_value v[20 + META_N + 3];
    size_t n = 0;
    v[n++] = SV_C(id);
    v[n++] = SV_C(w->import->base.id);
    v[n++] = SV_STR(document);
    v[n++] = SV_C(w->segment);
    v[n++] = SV_STR(doc->source);
    v[n++] = SV_STR(item->item);
    v[n++] = SV_STR(doc->name);
    v[n++] = SV_C(doc->format);
    v[n++] = SV_C(doc->sha256);
    v[n++] = SV_C(doc->object);
    v[n++] = SV_C(doc->text_object);
    v[n++] = SV_INT((int64_t)item->start);
    v[n++] = SV_INT((int64_t)item->len);
    v[n++] = SV_C(item->text_sha256);
    v[n++] = SV_INT((int64_t)item->n_passages);
    v[n++] = SV_BLOB(item->packed);
    meta_to_values(&item->found.meta, item->found.access_said, item->found.label, &v[n]);
    n += META_N;
    v[n++] = SV_STR(overrides);
    v[n++] = SV_INT(w->now);
    v[n++] = SV_INT(PARSE_VERSION);
    return store_exec(
        w->tx,
        "INSERT INTO kb_versions (id, kb, document, segment, source, item, name, format, sha256, "
        "object, text_object, text_start, text_len, text_sha256, n_passages, "
        "passages, " META_COLUMNS ", overrides, created_ms, parser, is_newest, revision) VALUES "
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 1)",
        (struct store_args){v, n}, NULL, why);
}

static enum err insert_repeals(struct writing *w, const struct import_item *item, const char *id,
                               struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < item->found.n_repeals && !err; i++) {
        const struct meta_repeal *repeal = &item->found.repeals[i];
        struct str key = STR_NONE;
        err = meta_key(repeal->title, w->arena, &key, why);
        if (!err && key.len)
            err = store_exec(w->tx,
                             "INSERT INTO kb_repeals (kb, version, doc_key, number, from_day) "
                             "VALUES (?, ?, ?, ?, ?)",
                             STORE_ARGS(SV_C(w->import->base.id), SV_C(id), SV_STR(key),
                                        SV_STR(repeal->number.ptr ? repeal->number : STR("")),
                                        repeal->from == DAY_NONE ? SV_NULL : SV_INT(repeal->from)),
                             NULL, why);
    }
    return err;
}

static enum err put_item(struct writing *w, const struct import_doc *doc,
                         const struct import_item *item, const char *id, struct why *why)
{
    struct str document = STR_NONE, overrides = w->import->overrides, twin = STR_NONE;
    struct str old = STR("");
    bool known = false;
    enum err err = document_id(w, item->found.meta.key, &document, &known, why);
    if (!err && map_find(&w->import->versions, doc->source))
        err = settle_earlier(w, doc, item, document, &old, why);
    if (!overrides.len)
        overrides = old;
    if (!err && known)
        err = find_twin(w, item, document, &twin, why);
    if (err)
        return err;
    if (twin.len) {
        w->import->report->n_unchanged++;
        return store_exec(w->tx,
                          "UPDATE kb_versions SET source = ?, name = ?, sha256 = ?, parser = ?, "
                          "is_newest = 1 WHERE id = ?",
                          STORE_ARGS(SV_STR(doc->source), SV_STR(doc->name), SV_C(doc->sha256),
                                     SV_INT(PARSE_VERSION), SV_STR(twin)),
                          NULL, why);
    }
    err = insert_version(w, doc, item, id, document, overrides, why);
    if (!err)
        err = insert_repeals(w, item, id, why);
    w->n_versions++;
    w->n_passages += (int64_t)item->n_passages;
    if (w->n_versions <= MOST_TOLD)
        buf_printf(&w->told, "%s\"%s\"", w->n_versions > 1 ? "," : "", id);
    return err;
}

/* Records of a changed file that it no longer has. */
static enum err drop_missing(struct writing *w, const struct import_doc *doc, struct why *why)
{
    struct store_rows rows;
    if (doc->failed || doc->unchanged || !map_find(&w->import->versions, doc->source))
        return ERR_OK;
    enum err err =
        store_query(w->tx,
                    "SELECT id FROM kb_versions WHERE kb = ? AND source = ? AND is_newest = 1 "
                    "AND (sha256 <> ? OR parser <> ?)",
                    STORE_ARGS(SV_C(w->import->base.id), SV_STR(doc->source), SV_C(doc->sha256),
                               SV_INT(PARSE_VERSION)),
                    w->arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        err = remove_version(w, store_str(&rows, i, 0), why);
    return err;
}

#define PUT_SOURCE                                                                                 \
    "INSERT INTO kb_sources (kb, path, sha256, parser, imported_ms) VALUES (?, ?, ?, ?, ?) "       \
    "ON CONFLICT (kb, path) DO UPDATE SET sha256 = excluded.sha256, parser = excluded.parser, "    \
    "imported_ms = excluded.imported_ms"

static enum err put_source(struct writing *w, const struct import_file *file,
                           const struct import_result *result, struct why *why)
{
    if (!result->whole)
        return ERR_OK;
    return store_exec(w->tx, PUT_SOURCE,
                      STORE_ARGS(SV_C(w->import->base.id), SV_STR(file->source),
                                 SV_C(result->sha256), SV_INT(PARSE_VERSION), SV_INT(w->now)),
                      NULL, why);
}

enum err import_remember(struct import *import, size_t file, const char *sha256, struct why *why)
{
    return store_run(import->k->opts.store, PUT_SOURCE,
                     STORE_ARGS(SV_C(import->base.id), SV_STR(import->files[file].source),
                                SV_C(sha256), SV_INT(PARSE_VERSION), SV_INT(time_now_ms())),
                     NULL, why);
}

/* Documents that have lost their last version. */
static enum err drop_empty(struct store_tx *tx, const char *base_id, struct why *why)
{
    return store_exec(tx,
                      "DELETE FROM kb_documents WHERE kb = ? AND NOT EXISTS (SELECT 1 FROM "
                      "kb_versions v WHERE v.document = kb_documents.id)",
                      STORE_ARGS(SV_C(base_id)), NULL, why);
}

static enum err record(struct writing *w, struct why *why)
{
    struct str detail = str_printf(w->arena,
                                   "{\"kb\":\"%s\",\"segment\":\"%s\",\"n_versions\":%lld,\"n_"
                                   "passages\":%lld,\"versions\":[%.*s]}",
                                   w->import->base.id, w->segment, (long long)w->n_versions,
                                   (long long)w->n_passages, STR_FMT(buf_str(&w->told)));
    if (!detail.ptr || w->told.failed)
        return err_set(why, ERR_NO_MEMORY, "could not record an import");
    return ops_audit(w->tx, w->import->who, "knowledge.document.import", w->import->base.id, "ok",
                     detail, why);
}

static enum err write_rows(struct writing *w, const struct import_result *results,
                           const size_t *files, size_t n, struct why *why)
{
    enum err err = w->n_ids ? put_segment_row(w, why) : ERR_OK;
    bool again = false;
    struct cursor c = {.results = results, .n = n};
    for (struct import_item *item; !err && (item = next_item(&c));) {
        err = put_item(w, c.doc, item, w->ids[w->at++], why);
        again = again || map_find(&w->import->versions, c.doc->source);
    }
    for (size_t i = 0; i < n && !err; i++) {
        for (struct import_doc *doc = results[i].first; doc && !err; doc = doc->next)
            err = drop_missing(w, doc, why);
        if (!err && files)
            err = put_source(w, &w->import->files[files[i]], &results[i], why);
    }
    if (!err && again)
        err = drop_empty(w->tx, w->import->base.id, why);
    if (!err)
        err = base_touch(w->tx, w->import->base.id, why);
    return err || !w->n_ids ? err : record(w, why);
}

static bool is_anything(const struct import_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (const struct import_doc *doc = results[i].first; doc; doc = doc->next)
            if (doc->n_items)
                return true;
    for (size_t i = 0; i < n; i++)
        if (results[i].whole)
            return true;
    return false;
}

enum err import_write(struct import *import, const struct import_result *results,
                      const size_t *files, size_t n, struct why *why)
{
    struct writing w = {
        .import = import, .now = time_now_ms(), .arena = arena_new((size_t)256 << 20)};
    if (!w.arena)
        return err_set(why, ERR_NO_MEMORY, "could not write a batch");
    if (!is_anything(results, n)) {
        arena_free(w.arena);
        return ERR_OK;
    }
    buf_init(&w.told, w.arena);
    enum err err = write_segment(&w, results, n, why);
    if (!err)
        err = objects_batch_commit(import->objects, why);
    if (!err)
        err = store_begin(import->k->opts.store, STORE_WRITE, &w.tx, why);
    if (!err) {
        err = write_rows(&w, results, files, n, why);
        if (!err)
            err = store_commit(w.tx, why);
        else
            store_rollback(w.tx);
    }
    index_writer_free(w.writer);
    if (!err) {
        import->report->n_documents += w.n_documents;
        import->report->n_versions += w.n_versions;
        import->report->n_passages += w.n_passages;
    }
    arena_free(w.arena);
    return err;
}

/* ---- files that are gone ---- */

static bool is_below(const struct import *import, struct str source)
{
    for (size_t i = 0; i < import->spec->n_paths; i++) {
        char *real = realpath(import->spec->paths[i], NULL);
        struct str root = str_c(real);
        bool below = real && str_starts(source, root) &&
                     (source.len == root.len || source.ptr[root.len] == '/');
        free(real);
        if (below)
            return true;
    }
    return false;
}

/* The file that a source belongs to: itself, or the archive it is in. */
static bool is_seen(const struct map *seen, struct str source)
{
    for (size_t len = source.len; len > 0; len--) {
        if ((len == source.len || source.ptr[len] == '/') &&
            map_find(seen, str_slice(source, 0, len)))
            return true;
    }
    return false;
}

enum err import_retire(struct import *import, const struct map *seen, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows rows;
    struct arena *arena = arena_new((size_t)256 << 20);
    int64_t n = 0;
    enum err err = arena ? store_begin(import->k->opts.store, STORE_WRITE, &tx, why)
                         : err_set(why, ERR_NO_MEMORY, "could not retire documents");
    struct writing w = {.import = import, .tx = tx, .arena = arena};
    if (!err)
        err = store_query(tx, "SELECT id, source, sha256 FROM kb_versions WHERE kb = ?",
                          STORE_ARGS(SV_C(import->base.id)), arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct str source = store_str(&rows, i, 1);
        if (is_seen(seen, source) || !is_below(import, source))
            continue;
        n++;
        err = remove_version(&w, store_str(&rows, i, 0), why);
        /* By content: the same text may have come from another file too, which then is read again.
         */
        if (!err)
            err = store_exec(
                tx, "DELETE FROM kb_sources WHERE kb = ? AND (path = ? OR sha256 = ?)",
                STORE_ARGS(SV_C(import->base.id), SV_STR(source), SV_STR(store_str(&rows, i, 2))),
                NULL, why);
    }
    if (!err && n)
        err = drop_empty(tx, import->base.id, why);
    if (!err && n)
        err = base_touch(tx, import->base.id, why);
    if (!err && n)
        err = ops_audit(tx, import->who, "knowledge.document.retire", import->base.id, "ok",
                        str_printf(arena, "{\"n_versions\":%lld}", (long long)n), why);
    if (err || !n)
        store_rollback(tx);
    else
        err = store_commit(tx, why);
    arena_free(arena);
    return err;
}
