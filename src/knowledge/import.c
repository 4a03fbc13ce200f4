/* knowledge/import - files into a base: found, read on all cores, written in batches. */
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/pool.h"
#include "knowledge/import_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH_FILES   400
#define BATCH_BYTES   ((uint64_t)8 << 20) /* of files */
#define MOST_TOLD     1000                /* failures in a report */
#define WALK_DEPTH    32
#define IMPORT_MEMORY ((size_t)1 << 30)

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the list of files to be read in");
}

/* ---- the files ---- */

struct finding {
    struct arena *arena;
    struct import_file *files;
    size_t n, cap;
    struct str root_name; /* of the folder that was given; "" for a single file */
    struct str root;      /* its absolute path */
};

static enum err add_file(struct finding *f, const char *path, struct str name, struct str source,
                         struct why *why)
{
    struct stat st;
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 256;
        struct import_file *grown =
            arena_grow(f->arena, f->files, f->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return no_memory(why);
        f->files = grown;
        f->cap = cap;
    }
    uint64_t bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    struct import_file file = {str_z(f->arena, str_c(path)), str_copy(f->arena, name),
                               str_copy(f->arena, source), bytes};
    if (!file.path || !file.name.ptr || !file.source.ptr)
        return no_memory(why);
    f->files[f->n++] = file;
    return ERR_OK;
}

static enum err on_file(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct finding *f = ctx;
    struct str rest = relative, part;
    while (str_next(&rest, '/', &part))
        if (str_starts(part, STR(".")))
            return ERR_OK; /* .git, .DS_Store */
    struct str name = str_printf(f->arena, "%.*s/%.*s", STR_FMT(f->root_name), STR_FMT(relative));
    struct str source = str_printf(f->arena, "%.*s/%.*s", STR_FMT(f->root), STR_FMT(relative));
    return name.ptr && source.ptr ? add_file(f, path, name, source, why) : no_memory(why);
}

/* The last two parts of a single file's path: the folder often says what kind of text it is. */
static struct str short_name(struct str path)
{
    size_t at = path.len, parts = 0;
    while (at > 0) {
        if (path.ptr[at - 1] == '/' && ++parts == 2)
            break;
        at--;
    }
    return str_from(path, at);
}

static enum err find_files(const struct knowledge_import *spec, struct finding *f, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < spec->n_paths && !err; i++) {
        const char *path = spec->paths[i];
        char *real = realpath(path, NULL);
        if (!real)
            return err_errno(why, "could not find \"%s\"", path);
        f->root = str_copy(f->arena, str_c(real));
        free(real);
        if (!f->root.ptr)
            return no_memory(why);
        f->root_name = file_name(f->root);
        if (file_is_dir(path))
            err = file_walk(path, WALK_DEPTH, on_file, f, why);
        else
            err = add_file(f, path, short_name(f->root), f->root, why);
    }
    return err;
}

/* ---- what is there already ---- */

static enum err learn(struct import *im, const char *sql, struct store_args args, struct map *map,
                      struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(im->k->opts.store, sql, args, im->arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct map_entry *entry = map_put(map, store_str(&rows, i, 0), NULL);
        char *value = rows.n_cols > 1 ? str_z(im->arena, store_str(&rows, i, 1)) : NULL;
        if (!entry || (rows.n_cols > 1 && !value))
            return no_memory(why);
        entry->value.p = value;
    }
    return err;
}

static enum err learn_all(struct import *im, struct why *why)
{
    map_init(&im->sources, im->arena);
    map_init(&im->versions, im->arena);
    map_init(&im->keys, im->arena);
    struct store_value kb = SV_C(im->base.id);
    enum err err = learn(im, "SELECT path, sha256 FROM kb_sources WHERE kb = ? AND parser = ?",
                         STORE_ARGS(kb, SV_INT(PARSE_VERSION)), &im->sources, why);
    /* A version whose file was read by an older parser counts as changed. */
    if (!err)
        err = learn(im,
                    "SELECT source, MAX(CASE WHEN parser = ? THEN sha256 ELSE '' END) FROM "
                    "kb_versions WHERE kb = ? AND is_newest = 1 GROUP BY source",
                    STORE_ARGS(SV_INT(PARSE_VERSION), kb), &im->versions, why);
    if (!err)
        err = learn(im, "SELECT doc_key FROM kb_documents WHERE kb = ?", STORE_ARGS(kb), &im->keys,
                    why);
    return err;
}

/* ---- the report ---- */

static void tell_failure(struct import *im, const struct import_doc *doc)
{
    im->report->n_failed++;
    if (im->n_told++ >= MOST_TOLD)
        return;
    struct json_out out;
    if (im->failures.len > 1)
        buf_char(&im->failures, ',');
    json_out_init(&out, &im->failures);
    json_begin_object(&out);
    json_kv_str(&out, "path", doc->name);
    json_kv_c(&out, "code", err_code(doc->code));
    json_kv_c(&out, "why", why_text(&doc->why, doc->code));
    if (doc->why.hint[0])
        json_kv_c(&out, "hint", doc->why.hint);
    json_end_object(&out);
}

static void tell(struct import *im, const struct import_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        im->report->n_unchanged += results[i].unchanged;
        for (const struct import_doc *doc = results[i].first; doc; doc = doc->next) {
            im->report->n_unchanged += doc->unchanged;
            if (doc->failed)
                tell_failure(im, doc);
        }
    }
}

static void progress(struct import *im, const char *phase)
{
    if (im->progress && !im->progress(im->ctx, im->n_done, (int64_t)im->n_files, phase))
        im->cancelled = true;
}

/* Between batches, where nothing is half done. */
static enum err go_on(struct import *im, struct why *why)
{
    progress(im, "reading files");
    return im->cancelled ? err_set(why, ERR_CANCELLED, "the import was cancelled") : ERR_OK;
}

static void free_results(struct import_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++)
        while (results[i].first) {
            struct import_doc *doc = results[i].first;
            results[i].first = doc->next;
            import_doc_free(doc);
        }
}

/* ---- plain files: a batch at a time ---- */

struct batch {
    struct import *im;
    size_t files[BATCH_FILES];
    struct import_result results[BATCH_FILES];
    size_t n;
    uint64_t bytes;
};

static enum err read_one(void *ctx, size_t i, struct why *why)
{
    struct batch *b = ctx;
    (void)why;
    import_read(b->im, b->files[i], &b->results[i]);
    return ERR_OK;
}

static enum err disk_failure(const struct batch *b, struct why *why)
{
    for (size_t i = 0; i < b->n; i++)
        for (const struct import_doc *doc = b->results[i].first; doc; doc = doc->next)
            if (doc->failed && (doc->code == ERR_NO_SPACE))
                return err_set(why, doc->code, "%s", why_text(&doc->why, doc->code));
    return ERR_OK;
}

/* Two documents of one batch under one key are told apart here: records of one file that share a
 * title are no versions of each other. */
static enum err tell_apart(struct batch *b, struct why *why)
{
    for (size_t i = 0; i < b->n; i++) {
        for (struct import_doc *doc = b->results[i].first; doc; doc = doc->next) {
            struct map seen;
            if (doc->n_items < 2)
                continue;
            map_init(&seen, doc->arena);
            for (size_t k = 0; k < doc->n_items; k++) {
                bool made = false;
                struct knowledge_meta *meta = &doc->items[k].found.meta;
                struct map_entry *entry = map_put(&seen, meta->key, &made);
                if (entry && !made) {
                    meta->key = str_printf(doc->arena, "%.*s#%llu", STR_FMT(meta->key),
                                           (unsigned long long)++entry->value.u + 1);
                    doc->items[k].item =
                        str_printf(doc->arena, "%.*s#%llu", STR_FMT(doc->items[k].item),
                                   (unsigned long long)entry->value.u + 1);
                }
                if (!entry || !meta->key.ptr || !doc->items[k].item.ptr)
                    return no_memory(why);
            }
        }
    }
    return ERR_OK;
}

static enum err finish_batch(struct batch *b, struct why *why)
{
    if (!b->n)
        return ERR_OK;
    enum err err = pool_each(0, b->n, read_one, b, why);
    if (!err)
        err = disk_failure(b, why);
    if (!err)
        err = tell_apart(b, why);
    if (!err)
        err = import_write(b->im, b->results, b->files, b->n, why);
    if (!err) {
        tell(b->im, b->results, b->n);
        b->im->n_done += (int64_t)b->n;
        err = go_on(b->im, why);
    }
    free_results(b->results, b->n);
    b->n = 0;
    b->bytes = 0;
    return err;
}

/* ---- archives: one after the other, written as they are read ---- */

struct archive {
    struct batch *batch; /* one result that collects */
    struct import *im;
};

static enum err flush_archive(struct archive *a, struct why *why)
{
    struct batch *b = a->batch;
    enum err err = tell_apart(b, why);
    if (!err)
        err = import_write(a->im, b->results, NULL, 1, why);
    if (!err)
        tell(a->im, b->results, 1);
    free_results(b->results, 1);
    b->results[0] = (struct import_result){.first = NULL};
    b->results[0].last = &b->results[0].first;
    b->bytes = 0;
    return err ? err : go_on(a->im, why);
}

static enum err on_archived(void *ctx, struct import_doc *doc, struct why *why)
{
    struct archive *a = ctx;
    struct batch *b = a->batch;
    *b->results[0].last = doc;
    b->results[0].last = &doc->next;
    b->bytes += doc->text.len + 1024;
    a->im->report->n_files++;
    return b->bytes >= BATCH_BYTES ? flush_archive(a, why) : ERR_OK;
}

static enum err read_archive(struct batch *b, size_t file, struct why *why)
{
    struct archive a = {b, b->im};
    struct import_result whole;
    b->n = 1;
    b->results[0] = (struct import_result){.first = NULL};
    b->results[0].last = &b->results[0].first;
    struct why words = {0};
    enum err err = import_read_archive(b->im, file, on_archived, &a, &whole, &words);
    if (err == ERR_NO_SPACE || err == ERR_NO_MEMORY || err == ERR_BUSY || err == ERR_CANCELLED) {
        (void)err_set(why, err, "%s", why_text(&words, err));
    } else if (err) { /* the archive itself: reported, the rest goes on */
        struct import_doc failed = {.name = b->im->files[file].name, .code = err, .why = words};
        tell_failure(b->im, &failed);
        err = ERR_OK;
    }
    if (!err)
        err = flush_archive(&a, why);
    if (!err && whole.whole)
        err = import_remember(b->im, file, whole.sha256, why);
    b->im->report->n_unchanged += whole.unchanged;
    free_results(b->results, 1);
    b->n = 0;
    b->im->n_done++;
    progress(b->im, "reading files");
    return err;
}

static bool is_archive(struct str name)
{
    struct str suffix = file_suffix(name);
    return suffix.len == 3 && (suffix.ptr[0] | 32) == 'z' && (suffix.ptr[1] | 32) == 'i' &&
           (suffix.ptr[2] | 32) == 'p';
}

static enum err read_all(struct import *im, struct why *why)
{
    struct batch *b = calloc(1, sizeof *b);
    if (!b)
        return no_memory(why);
    b->im = im;
    enum err err = ERR_OK;
    for (size_t i = 0; i < im->n_files && !err; i++) {
        if (is_archive(im->files[i].name)) {
            err = finish_batch(b, why);
            if (!err)
                err = read_archive(b, i, why);
            continue;
        }
        if (b->n == BATCH_FILES || (b->n && b->bytes + im->files[i].bytes > BATCH_BYTES))
            err = finish_batch(b, why);
        b->files[b->n++] = i;
        b->bytes += im->files[i].bytes;
    }
    if (!err)
        err = finish_batch(b, why);
    free_results(b->results, b->n);
    free(b);
    return err;
}

/* ---- the whole ---- */

static enum err retire(struct import *im, struct why *why)
{
    struct map seen;
    map_init(&seen, im->arena);
    for (size_t i = 0; i < im->n_files; i++)
        if (!map_put(&seen, im->files[i].source, NULL))
            return no_memory(why);
    return import_retire(im, &seen, why);
}

enum err import_run(struct knowledge *k, const struct ops_identity *who,
                    const struct knowledge_import *spec, const struct import_file *files,
                    size_t n_files, knowledge_progress_fn *on_progress, void *ctx,
                    struct arena *arena, struct knowledge_report *out, struct why *why)
{
    pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER;
    struct import im = {.k = k,
                        .who = who,
                        .spec = spec,
                        .files = files,
                        .n_files = n_files,
                        .report = out,
                        .overrides = STR(""),
                        .progress = on_progress,
                        .ctx = ctx,
                        .objects = objects_batch_new(k->opts.objects),
                        .objects_lock = &objects_lock,
                        .arena = arena_new(IMPORT_MEMORY)};
    int lock = -1;
    *out = (struct knowledge_report){.n_files = (int64_t)n_files, .failures = STR("[]")};
    if (!im.arena || !im.objects) {
        objects_batch_free(im.objects);
        arena_free(im.arena);
        return no_memory(why);
    }
    buf_init(&im.failures, arena);
    buf_char(&im.failures, '[');
    enum err err = ops_need(who, "knowledge.write", why);
    if (!err)
        err = base_find(k, who, str_c(spec->kb), im.arena, &im.base, why);
    if (!err && spec->overrides)
        err = overrides_of(spec->overrides, im.arena, &im.overrides, why);
    if (!err)
        err = base_lock(k, im.base.id, conf_int(k->opts.conf, "knowledge.lock_wait"), &lock, why);
    if (!err)
        segments_collect(k, im.base.id);
    /* What is gone first: a file that was moved is then read as a new one. */
    if (!err && spec->update)
        err = retire(&im, why);
    if (!err)
        err = learn_all(&im, why);
    progress(&im, "reading files");
    if (!err)
        err = read_all(&im, why);
    if (!err) {
        progress(&im, "tidying the index");
        err = segments_tidy(k, &im.base, why);
    }
    if (lock >= 0)
        file_unlock(lock);
    buf_char(&im.failures, ']');
    if (!im.failures.failed)
        out->failures = buf_str(&im.failures);
    objects_batch_free(im.objects);
    arena_free(im.arena);
    return err;
}

enum err knowledge_import(struct knowledge *k, const struct ops_identity *who,
                          const struct knowledge_import *import, knowledge_progress_fn *progress_fn,
                          void *ctx, struct arena *arena, struct knowledge_report *out,
                          struct why *why)
{
    struct finding f = {.arena = arena_new(IMPORT_MEMORY)};
    *out = (struct knowledge_report){.failures = STR("[]")};
    if (!f.arena)
        return no_memory(why);
    enum err err = find_files(import, &f, why);
    if (!err)
        err = import_run(k, who, import, f.files, f.n, progress_fn, ctx, arena, out, why);
    arena_free(f.arena);
    return err;
}
