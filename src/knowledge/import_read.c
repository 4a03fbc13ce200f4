/* knowledge/import_read - one file into documents, ready to be written; on any core. */
#include "core/conf.h"
#include "core/file.h"
#include "knowledge/import_in.h"

#include <stdlib.h>
#include <string.h>

#define DOC_MEMORY ((size_t)512 << 20) /* for the passages of one document */
#define UNIT_MOST  ((size_t)64 << 20)  /* text that one file may give beside others */

struct reading {
    const struct import *import;
    const struct import_file *file;
    struct import_result *result;
    bool archive;
    import_each_fn *each; /* NULL: documents are collected in the result */
    void *ctx;
    bool failed;
};

void import_doc_free(struct import_doc *doc)
{
    arena_free(doc->arena);
    free(doc);
}

static struct import_doc *doc_new(struct reading *r, struct str path)
{
    struct import_doc *doc = calloc(1, sizeof *doc);
    struct arena *arena = arena_new(DOC_MEMORY);
    if (!doc || !arena) {
        free(doc);
        arena_free(arena);
        return NULL;
    }
    doc->arena = arena;
    /* A file by itself is known by its source; one inside an archive by what follows its name. */
    struct str inside = STR("");
    if (path.len > r->file->name.len && str_starts(path, r->file->name))
        inside = str_from(path, r->file->name.len);
    doc->source = str_printf(arena, "%.*s%.*s", STR_FMT(r->file->source), STR_FMT(inside));
    doc->name = str_printf(arena, "%.*s%.*s", STR_FMT(r->file->name), STR_FMT(inside));
    if (!doc->source.ptr || !doc->name.ptr) {
        import_doc_free(doc);
        return NULL;
    }
    return doc;
}

static enum err deliver(struct reading *r, struct import_doc *doc, struct why *why)
{
    r->failed = r->failed || doc->failed;
    if (r->each)
        return r->each(r->ctx, doc, why);
    *r->result->last = doc;
    r->result->last = &doc->next;
    r->result->bytes += doc->text.len;
    return ERR_OK;
}

static void fail(struct import_doc *doc, enum err code, const struct why *why)
{
    doc->failed = true;
    doc->code = code;
    doc->why = *why;
    doc->n_items = 0;
}

/* ---- out of the reader's arena ---- */

struct keeping {
    struct import_doc *doc;
    struct str last_from, last_to; /* passages share their paths */
    bool failed;
};

static struct str keep(struct keeping *keep, struct str s)
{
    const char *text = keep->doc->text.ptr;
    if (!s.len)
        return STR("");
    if (s.ptr >= text && s.ptr < text + keep->doc->text.len)
        return s;
    if (s.ptr == keep->last_from.ptr && s.len == keep->last_from.len)
        return keep->last_to;
    struct str copy = str_copy(keep->doc->arena, s);
    keep->failed = keep->failed || !copy.ptr;
    keep->last_from = s;
    keep->last_to = copy;
    return copy;
}

static void keep_meta(struct keeping *k, struct meta_found *found)
{
    struct knowledge_meta *m = &found->meta;
    struct str *texts[] = {&m->title,  &m->part,       &m->key,         &m->issuer,   &m->number,
                           &m->region, &m->department, &m->replaced_by, &found->label};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = keep(k, *texts[i]);
    for (size_t i = 0; i < found->n_repeals; i++) {
        found->repeals[i].title = keep(k, found->repeals[i].title);
        found->repeals[i].number = keep(k, found->repeals[i].number);
    }
}

static void keep_passages(struct keeping *k, struct import_item *item)
{
    for (size_t i = 0; i < item->n_passages; i++) {
        struct passage *p = &item->passages[i];
        p->start -= item->start;
        p->label = keep(k, p->label);
        p->path = keep(k, p->path);
        p->field = keep(k, p->field);
        p->words = keep(k, p->words);
    }
}

/* The parser's result, made independent of the document that formats lent. */
static enum err keep_items(struct import_doc *doc, const struct parsed_file *file, struct why *why)
{
    struct keeping k = {.doc = doc};
    doc->items = arena_array(doc->arena, struct import_item, file->n + 1);
    if (!doc->items)
        return err_set(why, ERR_NO_MEMORY, "could not hold the documents of a file");
    for (size_t i = 0; i < file->n; i++) {
        const struct parsed *from = &file->items[i];
        struct import_item *to = &doc->items[i];
        *to = (struct import_item){.found = from->found,
                                   .start = from->start,
                                   .len = from->len,
                                   .passages = from->passages,
                                   .n_passages = from->n_passages};
        uint8_t digest[HASH_BYTES];
        to->item = keep(&k, from->item);
        keep_meta(&k, &to->found);
        keep_passages(&k, to);
        hash_of(HASH_SHA256, str_slice(doc->text, to->start, to->start + to->len), digest);
        (void)hex_put(digest, sizeof digest, to->text_sha256);
        enum err err = passages_pack(to->passages, to->n_passages, doc->arena, &to->packed, why);
        if (err)
            return err;
    }
    if (k.failed)
        return err_set(why, ERR_NO_MEMORY, "could not hold the documents of a file");
    doc->n_items = file->n;
    return ERR_OK;
}

static enum err refuse_secret(const struct reading *r, const struct parsed_file *file,
                              struct why *why)
{
    for (size_t i = 0; i < file->n; i++) {
        if (!file->items[i].found.secret ||
            conf_bool(r->import->k->opts.conf, "knowledge.accept_secret"))
            continue;
        err_hint(why, "knowledge.accept_secret takes such files in as restricted, where the rules "
                      "on state secrets allow this system to hold them");
        return err_set(why, ERR_FORBIDDEN,
                       "the file is marked 秘密, 机密 or 绝密 and was not read in");
    }
    return ERR_OK;
}

/* The files may differ only in what is around the text; the names of folders tell the level. */
static enum err take_apart(struct reading *r, const struct format_document *doc,
                           struct import_doc *out, struct why *why)
{
    struct format_document named = *doc;
    struct parsed_file file = {NULL, 0};
    named.path = out->name;
    size_t *offsets = arena_array(out->arena, size_t, doc->n_blocks + 1);
    enum err err = offsets ? format_text(doc, out->arena, &out->text, offsets, why)
                           : err_set(why, ERR_NO_MEMORY, "could not hold the text of a file");
    if (!err)
        err = parse_document(&named, out->text, offsets, out->arena, &file, why);
    if (!err)
        err = refuse_secret(r, &file, why);
    return err ? err : keep_items(out, &file, why);
}

static bool is_known(const struct import *import, const struct import_doc *doc)
{
    const struct map_entry *entry = map_find(&import->versions, doc->source);
    return entry && strcmp(entry->value.p, doc->sha256) == 0;
}

/* Into the batch that import_write() makes durable before any row names them. */
static enum err put_objects(const struct import *import, struct str raw, struct import_doc *doc,
                            struct why *why)
{
    (void)pthread_mutex_lock(import->objects_lock);
    enum err err = objects_batch_put(import->objects, raw, doc->object, why);
    if (!err)
        err = objects_batch_put(import->objects, doc->text, doc->text_object, why);
    (void)pthread_mutex_unlock(import->objects_lock);
    return err;
}

static enum err on_document(void *ctx, const struct format_document *doc, struct str raw,
                            struct why *why)
{
    struct reading *r = ctx;
    struct import_doc *out = doc_new(r, doc->path);
    struct why words = {0};
    uint8_t digest[HASH_BYTES];
    if (!out)
        return err_set(why, ERR_NO_MEMORY, "could not hold a document");
    out->format = doc->format;
    hash_of(HASH_SHA256, raw, digest);
    (void)hex_put(digest, sizeof digest, out->sha256);
    if (is_known(r->import, out)) {
        out->unchanged = true;
        return deliver(r, out, why);
    }
    if (!r->each && r->result->bytes > UNIT_MOST) {
        import_doc_free(out);
        return err_set(why, ERR_TOO_LARGE,
                       "the archive is too large to be read without the suffix .zip");
    }
    enum err err = take_apart(r, doc, out, &words);
    if (!err)
        err = put_objects(r->import, raw, out, &words);
    if (err == ERR_NO_SPACE || err == ERR_IO) { /* the disk, not the document */
        import_doc_free(out);
        return err_set(why, err, "%s", why_text(&words, err));
    }
    if (err)
        fail(out, err, &words);
    return deliver(r, out, why);
}

static void on_failure(void *ctx, struct str path, enum err err, const struct why *why)
{
    struct reading *r = ctx;
    struct import_doc *doc = doc_new(r, path);
    struct why none = {0};
    r->failed = true;
    if (!doc)
        return;
    fail(doc, err, why);
    if (deliver(r, doc, &none))
        r->failed = true;
}

static struct format_limits limits_of(const struct import *import)
{
    struct format_limits limits = format_limits_default;
    limits.file_bytes = (size_t)conf_int(import->k->opts.conf, "knowledge.file_bytes");
    limits.ocr = conf_bool(import->k->opts.conf, "knowledge.ocr");
    return limits;
}

/* The SHA-256 of the whole file; false when it cannot be read, which reading will then report. */
static bool digest_file(const struct import_file *file, uint64_t most, char out[HASH_TEXT])
{
    struct file_map map;
    uint8_t digest[HASH_BYTES];
    struct why none = {0};
    if (file->bytes > most || file_map(file->path, &map, &none))
        return false;
    hash_of(HASH_SHA256, (struct str){(const char *)map.ptr, map.len}, digest);
    file_unmap(&map);
    (void)hex_put(digest, sizeof digest, out);
    return true;
}

static enum err read_file(struct reading *r, struct why *why)
{
    const struct import *import = r->import;
    struct format_limits limits = limits_of(import);
    if (digest_file(r->file, limits.file_bytes, r->result->sha256)) {
        const struct map_entry *known = map_find(&import->sources, r->file->source);
        if (known && strcmp(known->value.p, r->result->sha256) == 0) {
            r->result->unchanged = true;
            return ERR_OK;
        }
    }
    size_t memory = (size_t)conf_int(import->k->opts.conf, "knowledge.file_memory");
    return format_read_file(r->file->path, r->file->name, &limits, memory, on_document, on_failure,
                            r, why);
}

void import_read(const struct import *import, size_t i, struct import_result *out)
{
    struct reading r = {.import = import, .file = &import->files[i], .result = out};
    struct why why = {0};
    *out = (struct import_result){.first = NULL};
    out->last = &out->first;
    enum err err = read_file(&r, &why);
    if (err)
        on_failure(&r, r.file->name, err, &why);
    out->whole = !r.failed && !out->unchanged && out->sha256[0];
}

enum err import_read_archive(const struct import *import, size_t i, import_each_fn *each, void *ctx,
                             struct import_result *out, struct why *why)
{
    struct reading r = {
        .import = import, .file = &import->files[i], .result = out, .each = each, .ctx = ctx};
    *out = (struct import_result){.first = NULL};
    out->last = &out->first;
    enum err err = read_file(&r, why);
    out->whole = !err && !r.failed && !out->unchanged && out->sha256[0];
    return err;
}
