/* data/import_read - the records of one file, or of a range of its lines. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/utf8.h"
#include "data/import.h"
#include "data/import_picture.h"
#include "data/scan.h"
#include "data/task.h"
#include "formats/formats.h"

#define READ_MEMORY ((size_t)256 << 20)
#define ASK_EVERY   256
#define STEP        ((size_t)16 << 20) /* a multiple of every page size */

/* ---- one record ---- */

static enum err put_bad(struct import_task *t, int64_t place, const struct why *own, enum err cause,
                        struct why *why)
{
    struct buf line;
    char id[SOURCE_KEY + 24];
    struct str words = str_c(why_text(own, cause));
    (void)snprintf(id, sizeof id, "%s-%lld", t->key, (long long)place);
    t->n_bad++;
    buf_init(&line, t->arena);
    buf_printf(&line, "{\"id\":\"%s\",\"failed\":-1,\"why\":", id);
    if (utf8_invalid(words) != STR_NPOS)
        words.len = utf8_invalid(words);
    scan_quote(&line, words);
    buf_add_c(&line, "}\n");
    enum err err = buf_err(&line, why);
    return err ? err : sink_add(&t->trail, buf_str(&line), why);
}

/* The member's name in the data set; ptr NULL: it stays behind. */
static struct str renamed(const struct import_task *t, struct str key)
{
    const struct import_plan *plan = t->plan;
    for (size_t i = 0; i < plan->n_renames && !t->is_renamed; i++)
        if (str_eq(key, plan->renames[i].from))
            return plan->renames[i].to;
    for (size_t i = 0; i < plan->n_renames && !t->is_renamed; i++)
        if (str_eq(key, plan->renames[i].to))
            return STR_NONE;
    return str_eq_c(key, "id") ? STR("source_id") : key;
}

static enum err set_member(struct record *record, struct str key, struct str raw, struct why *why)
{
    char *name = str_z(record->arena, key);
    return name ? record_set_raw(record, name, raw, why)
                : err_set(why, ERR_NO_MEMORY, "could not hold a record");
}

static enum err keep_record(struct import_task *t, const struct record *record, struct why *why)
{
    struct buf line;
    buf_init(&line, t->arena);
    record_write(record, &line);
    enum err err = buf_err(&line, why);
    if (!err)
        scan_mend(line.ptr, line.len);
    if (!err && line.len > RECORD_MOST_BYTES)
        err = err_set(why, ERR_TOO_LARGE, "a record of %zu bytes; at most %zu", line.len,
                      RECORD_MOST_BYTES);
    if (!err)
        err = shard_stats_add(t->stats, record, line.len, why);
    return err ? err : sink_add(&t->out, buf_str(&line), why);
}

/* A value that a person laid out over lines becomes one line: its breaks stand between tokens, for
 * within a string they are escaped. */
static struct str on_one_line(struct str value, struct arena *arena)
{
    if (str_find_char(value, '\n') == STR_NPOS && str_find_char(value, '\r') == STR_NPOS)
        return value;
    char *out = arena_copy(arena, value.ptr, value.len);
    for (size_t i = 0; out && i < value.len; i++)
        if (out[i] == '\n' || out[i] == '\r')
            out[i] = ' ';
    return (struct str){out, out ? value.len : 0};
}

static enum err make_record(struct import_task *t, struct str line, int64_t place, struct why *why)
{
    struct record in, out;
    const struct import_plan *plan = t->plan;
    struct str id = str_printf(t->arena, "%s-%lld", t->key, (long long)place);
    enum err err = record_read(line, t->arena, &in, why);
    if (!err && !id.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not hold a record");
    if (!err)
        err = record_new(id, t->arena, &out, why);
    if (!err && plan->kind == RECORD_ROW && !record_raw(&in, "row").ptr)
        err = record_set_raw(&out, "row", str_trim(line), why);
    else
        for (size_t i = 0; !err && i < in.n; i++) {
            struct str key = renamed(t, in.members[i].key);
            if (key.ptr)
                err = set_member(&out, key, in.members[i].raw, why);
        }
    if (!err && plan->kind == RECORD_CAPTION)
        err = import_caption_of(t, t->file, &out, why);
    if (!err)
        err = record_check(&out, plan->kind, why);
    return err ? err : keep_record(t, &out, why);
}

static enum err take_line(struct import_task *t, struct str line, int64_t place, struct why *why)
{
    struct why own = {0};
    line = on_one_line(line, t->arena);
    enum err err = line.ptr ? make_record(t, line, place, &own)
                            : err_set(&own, ERR_NO_MEMORY, "could not hold a record");
    if (err && task_fatal(err)) {
        err_note(why, "%s", why_text(&own, err));
    } else if (err) {
        arena_reset(t->arena);
        err = put_bad(t, place, &own, err, why);
    }
    arena_reset(t->arena);
    return err;
}

/* ---- files of JSON ---- */

/* Gives the pages of a mapped file before `at` back, from *gone on, a step at a time. They are read
 * again when somebody looks. */
static void forget(struct str all, size_t *gone, size_t at)
{
    if (at - *gone < STEP || at > all.len)
        return;
    size_t end = at / STEP * STEP;
    (void)madvise((void *)(uintptr_t)(all.ptr + *gone), end - *gone, MADV_DONTNEED);
    *gone = end;
}

void import_hash(struct str all, char out[HASH_TEXT])
{
    struct hash *hash = hash_new(HASH_SHA256);
    uint8_t digest[HASH_BYTES] = {0};
    size_t gone = 0;
    for (size_t at = 0; hash && at < all.len; at += STEP) {
        hash_add(hash, all.ptr + at, all.len - at < STEP ? all.len - at : STEP);
        forget(all, &gone, at + STEP);
    }
    if (hash)
        hash_end(hash, digest);
    hash_free(hash);
    (void)hex_put(digest, sizeof digest, out);
}

static bool stop(struct import_task *t, size_t n, enum err *err, struct why *why)
{
    if (n % ASK_EVERY == 0 && t->cancelled && t->cancelled(t->ctx))
        *err = err_set(why, ERR_CANCELLED, "the import was cancelled");
    return *err != ERR_OK;
}

static enum err read_lines(struct import_task *t, struct str all, int64_t from, int64_t to,
                           struct why *why)
{
    size_t at = (size_t)from, n = 0;
    enum err err = ERR_OK;
    if (from > 0) { /* a line belongs to the range that it begins in */
        const char *end = memchr(all.ptr + from - 1, '\n', all.len - (size_t)from + 1);
        at = end ? (size_t)(end - all.ptr) + 1 : all.len;
    } else if (str_starts(all, STR("\xEF\xBB\xBF"))) {
        at = 3;
    }
    while (at < all.len && at < (size_t)to && !stop(t, n++, &err, why)) {
        const char *end = memchr(all.ptr + at, '\n', all.len - at);
        size_t next = end ? (size_t)(end - all.ptr) : all.len;
        struct str line = str_slice(all, at, next);
        if (str_trim(line).len)
            err = take_line(t, str_trim(line), (int64_t)at, why);
        at = next + 1;
    }
    return err;
}

/* The items of an array; what is wrong ends the file there, with a failure. */
static enum err read_array(struct import_task *t, struct str all, size_t at, struct why *why)
{
    size_t n = 0, bad = at, gone = 0;
    enum err err = ERR_OK;
    at = scan_space(all, at + 1);
    while (at < all.len && all.ptr[at] != ']' && !stop(t, n++, &err, why)) {
        size_t end = scan_value(all, at, RECORD_DEPTH + 1, &bad);
        if (end == STR_NPOS) {
            struct why own = {0};
            err_note(&own, "the array is no JSON in UTF-8 at byte %zu", bad);
            return put_bad(t, (int64_t)bad, &own, ERR_INVALID, why);
        }
        err = take_line(t, str_slice(all, at, end), (int64_t)at, why);
        forget(all, &gone, end);
        at = scan_space(all, end);
        if (!err && at < all.len && all.ptr[at] == ',')
            at = scan_space(all, at + 1);
    }
    return err;
}

/* A file that a person laid out over lines: one value behind the other. */
static enum err read_values(struct import_task *t, struct str all, size_t at, struct why *why)
{
    enum err err = ERR_OK;
    size_t gone = 0;
    for (size_t n = 0, bad = at; at < all.len && !stop(t, n, &err, why); n++) {
        size_t end = scan_value(all, at, RECORD_DEPTH + 1, &bad);
        if (end == STR_NPOS) {
            struct why own = {0};
            err_note(&own, "the file is no JSON in UTF-8 at byte %zu", bad);
            return put_bad(t, (int64_t)bad, &own, ERR_INVALID, why);
        }
        err = take_line(t, str_slice(all, at, end), (int64_t)at, why);
        forget(all, &gone, end);
        at = scan_space(all, end);
    }
    return err;
}

/* Whether the first line is a JSON value of its own. */
static bool is_lines(struct str all, size_t at)
{
    size_t bad, end = scan_value(all, at, RECORD_DEPTH + 1, &bad);
    const char *line = memchr(all.ptr + at, '\n', all.len - at);
    return !line || (end != STR_NPOS && end <= (size_t)(line - all.ptr));
}

static bool named(const struct import_file *file, const char *suffix)
{
    return str_eq_c(file_suffix(file->path), suffix);
}

static enum err read_native(struct import_task *t, const struct import_file *file, struct str all,
                            const struct import_unit *unit, struct why *why)
{
    size_t first = str_starts(all, STR("\xEF\xBB\xBF")) ? 3 : 0;
    first = scan_space(all, first);
    if (unit->from == 0 && first < all.len && all.ptr[first] == '[')
        return read_array(t, all, first, why);
    if (unit->from == 0 && !named(file, "jsonl") && first < all.len && !is_lines(all, first))
        return read_values(t, all, first, why);
    return read_lines(t, all, unit->from, unit->to, why);
}

bool import_may_cut(const char *path)
{
    struct file_map map;
    if (file_map(path, &map, NULL))
        return false;
    struct str all = {(const char *)map.ptr, map.len};
    size_t at = scan_space(all, str_starts(all, STR("\xEF\xBB\xBF")) ? 3 : 0);
    bool may = at < all.len && all.ptr[at] == '{' &&
               (str_eq_c(file_suffix(str_c(path)), "jsonl") || is_lines(all, at));
    file_unmap(&map);
    return may;
}

enum record_kind import_guess(const char *path, struct arena *arena)
{
    struct file_map map;
    struct record record;
    enum record_kind kind = RECORD_ROW;
    if (file_map(path, &map, NULL))
        return kind;
    struct str all = {(const char *)map.ptr, map.len};
    size_t at = scan_space(all, str_starts(all, STR("\xEF\xBB\xBF")) ? 3 : 0), bad;
    if (at < all.len && all.ptr[at] == '[')
        at = scan_space(all, at + 1);
    size_t end = at < all.len ? scan_value(all, at, RECORD_DEPTH, &bad) : STR_NPOS;
    if (end != STR_NPOS && record_read(str_slice(all, at, end), arena, &record, NULL) == ERR_OK)
        kind = record_kind_guess(&record);
    file_unmap(&map);
    return kind == RECORD_KINDS ? RECORD_ROW : kind;
}

/* ---- documents ---- */

static void put_field(struct json_out *out, struct import_task *t, struct str name,
                      struct str value)
{
    char *key = str_z(t->arena, name);
    if (key)
        json_kv_str(out, key, value);
}

/* A row of a table: {"row": {...}}, or the members that the renames name and the rest in "meta". */
static void row_json(struct import_task *t, const struct format_block *block, struct json_out *out)
{
    const struct import_plan *plan = t->plan;
    bool row = plan->kind == RECORD_ROW, flat = plan->kind == RECORD_CAPTION;
    json_begin_object(out);
    for (size_t i = 0; !row && i < block->n_fields; i++)
        for (size_t k = 0; k < plan->n_renames; k++)
            if (str_eq(plan->renames[k].from, block->fields[i].name))
                put_field(out, t, plan->renames[k].to, block->fields[i].value);
    if (!flat) {
        json_key(out, row ? "row" : "meta");
        json_begin_object(out);
    }
    for (size_t i = 0; i < block->n_fields; i++) {
        bool taken = false;
        for (size_t k = 0; k < plan->n_renames && !row; k++)
            taken |= str_eq(plan->renames[k].from, block->fields[i].name);
        for (size_t k = 0; k < i; k++) /* a table may have two columns of one name */
            taken |= str_eq(block->fields[k].name, block->fields[i].name);
        if (!taken)
            put_field(out, t, block->fields[i].name, block->fields[i].value);
    }
    if (!flat)
        json_end_object(out);
    json_end_object(out);
}

/* Without renames a row of a table becomes the text "name：value" a line. */
static void row_text(const struct format_block *block, struct buf *out)
{
    for (size_t i = 0; i < block->n_fields; i++) {
        if (!block->fields[i].value.len)
            continue;
        if (out->len)
            buf_char(out, '\n');
        buf_add(out, block->fields[i].name);
        buf_add_c(out, "：");
        buf_add(out, block->fields[i].value);
    }
}

static enum err take_row(struct import_task *t, const struct format_block *block, size_t number,
                         struct why *why)
{
    struct buf buf, text;
    struct json_out out;
    struct arena *arena = arena_new(TASK_ARENA);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold a row");
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    if (t->plan->kind == RECORD_TEXT && !t->plan->n_renames) {
        buf_init(&text, arena);
        row_text(block, &text);
        json_begin_object(&out);
        json_kv_str(&out, "text", buf_str(&text));
        json_end_object(&out);
    } else {
        row_json(t, block, &out);
    }
    enum err err = buf_err(&buf, why);
    t->is_renamed = true;
    if (!err)
        err = take_line(t, buf_str(&buf), (int64_t)number, why);
    t->is_renamed = false;
    arena_free(arena);
    return err;
}

static enum err take_text(struct import_task *t, const struct format_document *doc, size_t number,
                          struct why *why)
{
    struct buf buf;
    struct json_out out;
    struct str text;
    struct arena *arena = arena_new(READ_MEMORY);
    enum err err = arena ? format_text(doc, arena, &text, NULL, why)
                         : err_set(why, ERR_NO_MEMORY, "could not hold a document");
    if (!err) {
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_kv_str(&out, "text", str_trim(text));
        if (doc->title.len)
            json_kv_str(&out, "title", doc->title);
        json_key(&out, "meta");
        json_begin_object(&out);
        json_kv_str(&out, "path", doc->path);
        json_kv_c(&out, "format", doc->format);
        json_end_object(&out);
        json_end_object(&out);
        err = buf_err(&buf, why);
    }
    if (!err)
        err = take_line(t, buf_str(&buf), (int64_t)number, why);
    arena_free(arena);
    return err;
}

static void put_failure(struct import_task *t, struct str path, const char *words)
{
    if (t->n_failures++ >= IMPORT_TOLD)
        return;
    json_begin_object(t->failures);
    json_kv_str(t->failures, "path", path);
    json_kv_c(t->failures, "why", words);
    json_end_object(t->failures);
}

struct documents {
    struct import_task *task;
    size_t n; /* records so far, over all documents of an archive */
};

static enum err take_document(void *ctx, const struct format_document *doc, struct str raw,
                              struct why *why)
{
    struct documents *d = ctx;
    struct import_task *t = d->task;
    enum err err = ERR_OK;
    bool rows = false;
    (void)raw;
    for (size_t i = 0; !err && i < doc->n_blocks; i++)
        if (doc->blocks[i].kind == FORMAT_RECORD) {
            rows = true;
            if (!stop(t, i, &err, why))
                err = take_row(t, &doc->blocks[i], d->n++, why);
        }
    if (err || rows)
        return err;
    if (t->plan->kind == RECORD_TEXT)
        return take_text(t, doc, d->n++, why);
    char words[120];
    (void)snprintf(words, sizeof words, "it holds no records of kind %s",
                   record_kind_name(t->plan->kind));
    put_failure(t, doc->path, words);
    return ERR_OK;
}

static void failed_document(void *ctx, struct str path, enum err err, const struct why *why)
{
    struct documents *d = ctx;
    put_failure(d->task, path, why_text(why, err));
}

/* ---- pictures ---- */

static enum err read_picture(struct import_task *t, const struct import_file *file, struct str all,
                             struct why *why)
{
    struct str line = STR_NONE;
    struct why own = {0};
    enum err err = import_picture_line(t, file, all, &line, &own);
    if (err && task_fatal(err)) {
        err_note(why, "%s", why_text(&own, err));
        return err;
    }
    if (err) {
        put_failure(t, file->uri, why_text(&own, err));
        arena_reset(t->arena);
        return ERR_OK;
    }
    return line.ptr ? take_line(t, line, 0, why) : ERR_OK;
}

/* *done: it was no list of the usual kind, and is dealt with. */
static enum err read_part(struct import_task *t, const struct import_file *file, struct str all,
                          bool *done, struct why *why)
{
    enum picture_part part = import_part(t, file, all, t->arena);
    arena_reset(t->arena);
    *done = part != PART_LIST;
    if (part == PART_PICTURE)
        return read_picture(t, file, all, why);
    if (part != PART_COCO)
        return ERR_OK;
    struct why own = {0};
    enum err err = import_coco(t, file, all, take_line, &own);
    if (err && !task_fatal(err)) {
        put_failure(t, file->uri, why_text(&own, err));
        return ERR_OK;
    }
    if (err)
        err_note(why, "%s", why_text(&own, err));
    return err;
}

/* ---- a unit ---- */

static enum err begin_file(struct import_task *t, const struct import_file *file, struct str all,
                           bool first, struct why *why)
{
    char hex[HASH_TEXT];
    struct str sha = file->sha256;
    if (!sha.len) {
        import_hash(all, hex);
        sha = str_c(hex);
    }
    (void)why;
    source_key(t->plan->tenant, file->uri, sha, t->key);
    t->path = file->uri;
    if (!first)
        return ERR_OK;
    json_begin_object(t->files);
    json_kv_c(t->files, "key", t->key);
    json_kv_str(t->files, "uri", file->uri);
    json_kv_str(t->files, "sha256", sha);
    json_kv_int(t->files, "n_bytes", (int64_t)all.len);
    json_end_object(t->files);
    return ERR_OK;
}

enum err import_unit_read(struct import_task *t, const struct import_unit *unit, struct why *why)
{
    const struct import_file *file = &t->plan->files[unit->file];
    struct file_map map = {0};
    struct why own = {0};
    char path[4096];
    (void)snprintf(path, sizeof path, "%.*s", STR_FMT(file->path));
    enum err err = file_map(path, &map, &own);
    if (err) {
        put_failure(t, file->uri, why_text(&own, err));
        return ERR_OK;
    }
    struct str all = {(const char *)map.ptr, map.len};
    err = begin_file(t, file, all, unit->from == 0, why);
    if (json_get(t->known, t->key)) {
        file_unmap(&map); /* the same bytes from the same place are there already */
        return err;
    }
    bool done = false;
    t->file = file;
    if (!err && t->plan->kind == RECORD_CAPTION)
        err = read_part(t, file, all, &done, why);
    if (!err && !done && file->native) {
        err = read_native(t, file, all, unit, why);
    } else if (!err && !done) {
        struct documents docs = {t, 0};
        err = format_read_file(path, file_name(file->path), &format_limits_default, READ_MEMORY,
                               take_document, failed_document, &docs, &own);
        if (err && !task_fatal(err)) {
            put_failure(t, file->uri, why_text(&own, err));
            err = ERR_OK;
        } else if (err) {
            err_note(why, "%s", why_text(&own, err));
        }
    }
    file_unmap(&map);
    return err;
}
