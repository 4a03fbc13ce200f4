/* data/look - records of a version: pages, samples, one with its history; the difference of two. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/room.h"
#include "data/scan.h"

#define MOST_LOOK    1000
#define MOST_BYTES   ((size_t)8 << 20) /* of records in one answer */
#define MOST_DIFF    20000000          /* records of a version */
#define MOST_EXAMPLE 10
#define MOST_HISTORY 64

static enum err open_version(struct data *data, const struct ops_identity *who, struct str name,
                             int64_t number, struct arena *arena, struct dataset_version *out,
                             struct why *why)
{
    struct dataset set;
    enum err err = dataset_find(data, who, name, arena, &set, why);
    if (!err)
        err = dataset_version_find(data, &set, number, arena, out, why);
    return err ? err : dataset_shards(data, out, arena, why);
}

/* Lines of a version one after the other; false from `each` ends it. */
typedef bool line_fn(void *ctx, size_t shard, size_t offset, int64_t number, struct str line);

static enum err each_line(struct data *data, const struct dataset_version *v, int64_t from,
                          line_fn *each, void *ctx, struct arena *arena, struct why *why)
{
    int64_t number = 0;
    bool on = true;
    enum err err = ERR_OK;
    for (size_t s = 0; !err && on && s < v->n_shards; s++) {
        struct file_map map;
        if (number + v->shards[s].n_records <= from) {
            number += v->shards[s].n_records;
            continue;
        }
        err = dataset_map(data, v->shards[s].object, arena, &map, why);
        struct str all = {(const char *)map.ptr, map.len}, rest = all, line;
        for (; !err && on && str_next(&rest, '\n', &line); number += line.len > 0)
            if (line.len && number >= from)
                on = each(ctx, s, (size_t)(line.ptr - all.ptr), number, line);
        if (!err)
            file_unmap(&map);
    }
    return err;
}

/* ---- pages ---- */

struct page {
    const struct data_look *look;
    struct json_out *out;
    size_t n, bytes;
    int64_t total, next;
};

static bool page_line(void *ctx, size_t shard, size_t offset, int64_t number, struct str line)
{
    struct page *p = ctx;
    const struct data_look *look = p->look;
    int64_t want = (int64_t)look->n;
    (void)shard, (void)offset;
    if (look->find.len && str_find(line, look->find) == STR_NPOS)
        return true;
    if (look->spread && p->total > want &&
        number * want / p->total == (number + 1) * want / p->total)
        return true;
    if (p->n == look->n || p->bytes + line.len > MOST_BYTES) {
        p->next = number;
        return false;
    }
    json_put_raw(p->out, line);
    p->n++;
    p->bytes += line.len;
    return true;
}

enum err data_records_json(struct data *data, const struct ops_identity *who, struct str name,
                           const struct data_look *look, struct arena *arena, struct json_out *out,
                           struct why *why)
{
    struct dataset_version v;
    struct page page = {.look = look, .out = out, .next = -1};
    if (look->n < 1 || look->n > MOST_LOOK || look->from < 0)
        return err_set(why, ERR_INVALID, "1 to %d records, from 0 on", MOST_LOOK);
    enum err err = open_version(data, who, name, look->version, arena, &v, why);
    if (err)
        return err;
    page.total = v.n_records;
    json_begin_object(out);
    json_kv_int(out, "version", v.number);
    json_kv_int(out, "n_records", v.n_records);
    json_key(out, "items");
    json_begin_array(out);
    err = each_line(data, &v, look->spread ? 0 : look->from, page_line, &page, arena, why);
    json_end_array(out);
    json_key(out, "next");
    if (page.next >= 0 && !look->spread)
        json_put_int(out, page.next);
    else
        json_put_null(out);
    json_end_object(out);
    return err;
}

enum err data_export(struct data *data, const struct ops_identity *who, struct str name,
                     int64_t version, int fd, struct why *why)
{
    struct arena *arena = arena_new((size_t)256 << 20);
    struct dataset_version v;
    enum err err = arena ? open_version(data, who, name, version, arena, &v, why)
                         : err_set(why, ERR_NO_MEMORY, "could not export");
    for (size_t s = 0; !err && s < v.n_shards; s++) {
        struct file_map map;
        err = dataset_map(data, v.shards[s].object, arena, &map, why);
        if (err)
            break;
        err = file_write_fd(fd, (struct str){(const char *)map.ptr, map.len}, why);
        file_unmap(&map);
    }
    arena_free(arena);
    return err;
}

/* ---- one record and its history ---- */

/* The first line with this id in the object, in *out; with `all` every one, parted by ','. */
static enum err line_of(struct data *data, struct str object, struct str id, struct arena *arena,
                        struct str *out, struct buf *all, struct why *why)
{
    struct file_map map;
    struct buf token;
    size_t at = 0;
    buf_init(&token, arena);
    buf_add_c(&token, "\"id\":");
    scan_quote(&token, id);
    enum err err = dataset_map(data, object, arena, &map, why);
    struct str text = {(const char *)map.ptr, map.len};
    while (!err && (all || (out && !out->ptr)) &&
           (at = str_find_from(text, buf_str(&token), at)) != STR_NPOS) {
        struct record record;
        size_t start = at, end = at;
        while (start > 0 && text.ptr[start - 1] != '\n')
            start--;
        while (end < text.len && text.ptr[end] != '\n')
            end++;
        struct str line = str_slice(text, start, end);
        at = end;
        if (record_read(line, arena, &record, NULL) || !str_eq(record.id, id))
            continue;
        if (!all)
            *out = str_copy(arena, line);
        else if (all->len > 1)
            buf_char(all, ',');
        if (all)
            buf_add(all, line);
    }
    if (!err)
        file_unmap(&map);
    return err;
}

enum err dataset_line(struct data *data, const struct dataset_version *v, struct str id,
                      struct arena *arena, struct str *out, struct why *why)
{
    enum err err = ERR_OK;
    *out = STR_NONE;
    for (size_t s = 0; !err && !out->ptr && s < v->n_shards; s++)
        err = line_of(data, v->shards[s].object, id, arena, out, NULL, why);
    return err;
}

/* Everything that the trails say of an id: a list, for each stage of a run leaves a line of its own
 * (changed in one, dropped in the next). */
static enum err trail_of(struct data *data, const struct dataset_version *v, struct str id,
                         struct arena *arena, const struct json **out, struct why *why)
{
    struct buf all;
    enum err err = ERR_OK;
    buf_init(&all, arena);
    buf_char(&all, '[');
    for (size_t s = 0; !err && s < v->n_shards; s++)
        if (v->shards[s].trail.len)
            err = line_of(data, v->shards[s].trail, id, arena, NULL, &all, why);
    buf_char(&all, ']');
    if (!err)
        err = buf_err(&all, why);
    return err ? err : json_parse(buf_str(&all), arena, out, why);
}

/* Where the record ended; NULL when it did not. */
static const struct json *end_of(const struct json *trail)
{
    for (size_t i = 0; i < json_len(trail); i++)
        if (json_get(json_at(trail, i), "dropped") || json_get(json_at(trail, i), "failed"))
            return json_at(trail, i);
    return NULL;
}

/* What the run of a version did with the record; the id it had before in *id. */
static enum err put_passage(struct data *data, struct dataset_version *v, struct str *id,
                            struct arena *arena, struct json_out *out, struct why *why)
{
    struct str from = STR("");
    struct store_rows rows = {0};
    const struct json *trail = NULL, *spec = NULL;
    enum err err = dataset_shards(data, v, arena, why);
    if (!err)
        err = trail_of(data, v, *id, arena, &trail, why);
    if (!err)
        err = store_ask(data->opts.store, "SELECT kind, spec FROM data_runs WHERE id = ?",
                        STORE_ARGS(SV_STR(v->run)), arena, &rows, why);
    if (!err && store_str(&rows, 0, 1).len)
        err = json_parse(store_str(&rows, 0, 1), arena, &spec, why);
    if (err)
        return err;
    json_begin_object(out);
    json_kv_str(out, "dataset", v->set_name);
    json_kv_int(out, "number", v->number);
    json_kv_str(out, "run", v->run);
    json_kv_str(out, "made_by", store_str(&rows, 0, 0));
    json_kv_str(out, "id", *id);
    json_key(out, "changed_by");
    json_begin_array(out);
    const struct json *steps = json_get(spec, "steps");
    for (size_t k = 0; k < json_len(trail); k++) {
        const struct json *changed = json_get(json_at(trail, k), "changed");
        for (size_t i = 0; i < json_len(changed); i++)
            json_put_value(out, json_at(steps, (size_t)json_int(json_at(changed, i), 0)));
        from = json_get_str(json_at(trail, k), "from", from);
    }
    json_end_array(out);
    if (from.len) {
        json_kv_str(out, "made_from", from);
        *id = from;
    }
    json_end_object(out);
    return ERR_OK;
}

/* The input of the version's run that holds the record. */
static enum err step_back(struct data *data, struct dataset_version *v, struct str id, bool *found,
                          struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(data->opts.store,
                             "SELECT from_id FROM data_edges WHERE to_kind = 'run' AND to_id = ? "
                             "AND from_kind = 'version'",
                             STORE_ARGS(SV_STR(v->run)), arena, &rows, why);
    *found = false;
    for (size_t i = 0; !err && !*found && i < rows.n_rows; i++) {
        struct dataset_version before;
        struct str line;
        err = dataset_version_by_id(data, store_str(&rows, i, 0), arena, &before, why);
        if (!err)
            err = dataset_shards(data, &before, arena, why);
        if (!err)
            err = dataset_line(data, &before, id, arena, &line, why);
        if (!err && line.ptr) {
            *v = before;
            *found = true;
        }
    }
    return err;
}

static enum err put_source(struct data *data, const struct ops_identity *who, struct str key,
                           struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(data->opts.store,
                             "SELECT uri, sha256, collection, state FROM data_sources WHERE id = ? "
                             "AND tenant = ?",
                             STORE_ARGS(SV_STR(key), SV_STR(who->tenant)), arena, &rows, why);
    json_key(out, "source");
    if (err || !rows.n_rows) {
        json_put_null(out);
        return err;
    }
    json_begin_object(out);
    json_kv_str(out, "id", key);
    json_kv_str(out, "uri", store_str(&rows, 0, 0));
    json_kv_str(out, "sha256", store_str(&rows, 0, 1));
    json_kv_raw(out, "collection", store_str(&rows, 0, 2));
    json_kv_str(out, "state", store_str(&rows, 0, 3));
    json_end_object(out);
    return ERR_OK;
}

enum err data_record_json(struct data *data, const struct ops_identity *who, struct str name,
                          int64_t version, struct str id, struct arena *arena, struct json_out *out,
                          struct why *why)
{
    struct dataset_version v;
    struct str line = STR_NONE;
    const struct json *trail = NULL;
    enum err err = open_version(data, who, name, version, arena, &v, why);
    if (!err)
        err = dataset_line(data, &v, id, arena, &line, why);
    if (!err && !line.ptr)
        err = trail_of(data, &v, id, arena, &trail, why);
    if (!err && !line.ptr && !json_len(trail))
        err = err_set(why, ERR_NOT_FOUND, "version %lld knows no record \"%.*s\"",
                      (long long)v.number, SHOW(id));
    if (err)
        return err;
    json_begin_object(out);
    json_kv_raw(out, "record", line);
    json_key(out, "ended"); /* where and why */
    json_put_value(out, end_of(trail));
    struct str source = record_source(id);
    json_key(out, "history");
    json_begin_array(out);
    bool on = true;
    for (int i = 0; !err && on && i < MOST_HISTORY; i++) {
        err = put_passage(data, &v, &id, arena, out, why);
        if (!err)
            err = step_back(data, &v, id, &on, arena, why);
    }
    json_end_array(out);
    if (!err)
        err = put_source(data, who, source, arena, out, why);
    json_end_object(out);
    return err;
}

/* ---- the picture of a record ---- */

static const char *image_type(struct str head)
{
    if (str_starts(head, STR("\xFF\xD8\xFF")))
        return "image/jpeg";
    if (str_starts(head, STR("\x89PNG\r\n\x1A\n")))
        return "image/png";
    if (str_starts(head, STR("GIF87a")) || str_starts(head, STR("GIF89a")))
        return "image/gif";
    if (head.len >= 12 && str_starts(head, STR("RIFF")) && !memcmp(head.ptr + 8, "WEBP", 4))
        return "image/webp";
    return NULL;
}

enum err data_image(struct data *data, const struct ops_identity *who, struct str name,
                    int64_t version, struct str id, struct arena *arena, const char **path,
                    const char **type, struct why *why)
{
    struct dataset_version v;
    struct str line = STR_NONE;
    struct record record;
    struct file_map map;
    enum err err = open_version(data, who, name, version, arena, &v, why);
    if (!err)
        err = dataset_line(data, &v, id, arena, &line, why);
    if (!err && !line.ptr)
        err = err_set(why, ERR_NOT_FOUND, "version %lld knows no record \"%.*s\"",
                      (long long)v.number, SHOW(id));
    if (!err)
        err = record_read(line, arena, &record, why);
    struct str image = err ? STR_NONE : record_str(&record, "image");
    char *object = image.len ? str_z(arena, image) : NULL;
    if (!err && !object)
        err = err_set(why, ERR_NOT_FOUND, "the record has no picture");
    if (!err)
        err = objects_path(data->opts.objects, object, arena, path, why);
    if (!err)
        err = file_map(*path, &map, why);
    if (err)
        return err;
    *type = image_type(str_slice((struct str){(const char *)map.ptr, map.len}, 0, 16));
    file_unmap(&map);
    return *type ? ERR_OK : err_set(why, ERR_UNSUPPORTED, "the object is no picture");
}

/* ---- the difference of two versions ---- */

struct mark {
    uint64_t id, line; /* hashes */
    uint32_t shard, offset;
};

struct marks {
    struct mark *items;
    size_t n;
    const struct dataset_version *version;
};

static bool mark_line(void *ctx, size_t shard, size_t offset, int64_t number, struct str line)
{
    struct marks *m = ctx;
    struct arena *arena = arena_new((size_t)64 << 20);
    struct str id = arena ? record_line_id(line, arena) : STR_NONE;
    (void)number;
    m->items[m->n++] = (struct mark){hash64(id.ptr, id.len, 1), hash64(line.ptr, line.len, 2),
                                     (uint32_t)shard, (uint32_t)offset};
    arena_free(arena);
    return (int64_t)m->n < m->version->n_records;
}

static int by_id(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static enum err gather(struct data *data, const struct dataset_version *v, struct marks *out,
                       struct arena *arena, struct why *why)
{
    if (v->n_records > MOST_DIFF)
        return err_set(why, ERR_TOO_LARGE, "version %lld has %lld records; at most %d are compared",
                       (long long)v->number, (long long)v->n_records, MOST_DIFF);
    *out = (struct marks){malloc(((size_t)v->n_records + 1) * sizeof(struct mark)), 0, v};
    if (!out->items)
        return err_set(why, ERR_NO_MEMORY, "could not compare the versions");
    enum err err = v->n_records ? each_line(data, v, 0, mark_line, out, arena, why) : ERR_OK;
    if (!err)
        qsort(out->items, out->n, sizeof *out->items, by_id);
    return err;
}

enum { ADDED, REMOVED, CHANGED, KINDS };

struct diff {
    int64_t n[KINDS], same;
    struct mark examples[KINDS][MOST_EXAMPLE][2]; /* in a, in b */
    size_t n_examples[KINDS];
};

static void count(struct diff *d, int what, const struct mark *a, const struct mark *b)
{
    d->n[what]++;
    if (d->n_examples[what] == MOST_EXAMPLE)
        return;
    struct mark *to = d->examples[what][d->n_examples[what]++];
    if (a)
        to[0] = *a;
    if (b)
        to[1] = *b;
}

static void compare(const struct marks *a, const struct marks *b, struct diff *d)
{
    size_t i = 0, j = 0;
    while (i < a->n || j < b->n) {
        const struct mark *x = i < a->n ? &a->items[i] : NULL, *y = j < b->n ? &b->items[j] : NULL;
        if (!y || (x && x->id < y->id)) {
            count(d, REMOVED, x, NULL);
            i++;
        } else if (!x || y->id < x->id) {
            count(d, ADDED, NULL, y);
            j++;
        } else {
            if (x->line == y->line)
                d->same++;
            else
                count(d, CHANGED, x, y);
            i++;
            j++;
        }
    }
}

static enum err put_line(struct data *data, const struct dataset_version *v, const struct mark *m,
                         const char *key, struct arena *arena, struct json_out *out,
                         struct why *why)
{
    struct file_map map;
    enum err err = dataset_map(data, v->shards[m->shard].object, arena, &map, why);
    if (err)
        return err;
    struct str rest = str_from((struct str){(const char *)map.ptr, map.len}, m->offset), line;
    if (str_next(&rest, '\n', &line))
        json_kv_raw(out, key, line);
    file_unmap(&map);
    return ERR_OK;
}

static enum err put_diff(struct data *data, const struct marks *a, const struct marks *b,
                         const struct diff *d, struct arena *arena, struct json_out *out,
                         struct why *why)
{
    static const char *const names[KINDS] = {"added", "removed", "changed"};
    enum err err = ERR_OK;
    json_begin_object(out);
    json_kv_int(out, "a", a->version->number);
    json_kv_int(out, "b", b->version->number);
    json_kv_int(out, "n_same", d->same);
    for (int k = 0; k < KINDS && !err; k++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n_%s", names[k]);
        json_kv_int(out, name, d->n[k]);
        json_key(out, names[k]);
        json_begin_array(out);
        for (size_t i = 0; i < d->n_examples[k] && !err; i++) {
            json_begin_object(out);
            if (k != ADDED)
                err = put_line(data, a->version, &d->examples[k][i][0], "a", arena, out, why);
            if (!err && k != REMOVED)
                err = put_line(data, b->version, &d->examples[k][i][1], "b", arena, out, why);
            json_end_object(out);
        }
        json_end_array(out);
    }
    json_end_object(out);
    return err;
}

enum err data_diff_json(struct data *data, const struct ops_identity *who, struct str name,
                        int64_t a, int64_t b, struct arena *arena, struct json_out *out,
                        struct why *why)
{
    struct dataset_version va, vb;
    struct marks ma = {0}, mb = {0};
    struct diff *diff = arena_one(arena, struct diff);
    enum err err = diff ? open_version(data, who, name, a, arena, &va, why)
                        : err_set(why, ERR_NO_MEMORY, "could not compare the versions");
    if (!err)
        err = open_version(data, who, name, b, arena, &vb, why);
    if (!err)
        err = gather(data, &va, &ma, arena, why);
    if (!err)
        err = gather(data, &vb, &mb, arena, why);
    if (!err) {
        compare(&ma, &mb, diff);
        err = put_diff(data, &ma, &mb, diff, arena, out, why);
    }
    free(ma.items);
    free(mb.items);
    return err;
}
