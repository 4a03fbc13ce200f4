#include "data/writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "core/utf8.h"
#include "data/scan.h"
#include "data/task.h"

#define ROOM        ((size_t)1 << 30)
#define MOST_STATE  ((size_t)4 << 20)
#define MOST_CURSOR ((size_t)1 << 20)
#define MOST_PAPERS ((size_t)1 << 30)
#define MOST_ITEM   64
#define FIRST_IDS   4096
#define DROPPED_AT  ",\"dropped\":-1,\"at\":" /* how many lines were added before */

/* ---- what is known of ids ---- */

static uint64_t id_hash(struct str id)
{
    uint64_t h = hash64(id.ptr, id.len, 1);
    return h ? h : 1;
}

struct writer_id *writer_ids_find(const struct writer_ids *ids, uint64_t id)
{
    if (!ids->cap)
        return NULL;
    for (size_t i = id & (ids->cap - 1);; i = (i + 1) & (ids->cap - 1)) {
        if (ids->items[i].id == id)
            return &ids->items[i];
        if (!ids->items[i].id)
            return NULL;
    }
}

static void ids_place(struct writer_ids *ids, const struct writer_id *item)
{
    size_t i = item->id & (ids->cap - 1);
    while (ids->items[i].id)
        i = (i + 1) & (ids->cap - 1);
    ids->items[i] = *item;
}

static enum err ids_put(struct writer_ids *ids, uint64_t id, uint64_t line, uint64_t last,
                        struct why *why)
{
    struct writer_id *found = writer_ids_find(ids, id);
    if (found) {
        found->line = line;
        found->last = last;
        return ERR_OK;
    }
    if (ids->n * 3 >= ids->cap * 2) {
        struct writer_ids more = {.cap = ids->cap ? ids->cap * 2 : FIRST_IDS, .n = ids->n};
        more.items = calloc(more.cap, sizeof *more.items);
        if (!more.items)
            return err_set(why, ERR_UNAVAILABLE, "could not remember %zu records", ids->n);
        for (size_t i = 0; i < ids->cap; i++)
            if (ids->items[i].id)
                ids_place(&more, &ids->items[i]);
        free(ids->items);
        *ids = more;
    }
    ids_place(ids, &(struct writer_id){.id = id, .line = line, .last = last});
    ids->n++;
    return ERR_OK;
}

/* ---- files ---- */

void writer_name(const struct data_writer *w, size_t part, const char *suffix,
                 char out[WRITER_NAME])
{
    (void)snprintf(out, WRITER_NAME, "%s/%zu.%s", w->dir, part, suffix);
}

static enum err open_sink(struct sink *sink, const char *path, uint64_t size, struct why *why)
{
    sink->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (sink->fd < 0)
        return err_errno(why, "could not open the work file \"%s\"", path);
    sink->ptr = sink->ptr ? sink->ptr : malloc(SINK_BYTES);
    if (!sink->ptr)
        return err_set(why, ERR_NO_MEMORY, "could not open a work file");
    off_t have = lseek(sink->fd, 0, SEEK_END);
    if (have < (off_t)size)
        return err_set(why, ERR_CORRUPT, "the work file \"%s\" is shorter than its mark", path);
    if (ftruncate(sink->fd, (off_t)size) || lseek(sink->fd, (off_t)size, SEEK_SET) < 0)
        return err_errno(why, "could not cut the work file \"%s\"", path);
    sink->len = 0;
    sink->total = size;
    return ERR_OK;
}

static enum err flush(struct sink *sink, bool durably, struct why *why)
{
    if (sink->fd < 0)
        return ERR_OK;
    enum err err = sink_flush(sink, why);
    if (!err && durably && fdatasync(sink->fd))
        err = err_errno(why, "could not make a work file durable");
    return err;
}

enum err writer_flush(struct data_writer *w, bool durably, struct why *why)
{
    enum err err = flush(&w->out, durably, why);
    if (!err)
        err = flush(&w->trail, durably, why);
    return err ? err : flush(&w->papers, durably, why);
}

static void shut(struct sink *sink)
{
    if (sink->fd >= 0)
        (void)close(sink->fd);
    free(sink->ptr);
    *sink = (struct sink){.fd = -1};
}

static enum err open_part(struct data_writer *w, size_t part, uint64_t out, uint64_t trail,
                          struct why *why)
{
    char name[WRITER_NAME];
    shut(&w->out);
    shut(&w->trail);
    w->part = part;
    writer_name(w, part, "out", name);
    enum err err = open_sink(&w->out, name, out, why);
    writer_name(w, part, "trail", name);
    return err ? err : open_sink(&w->trail, name, trail, why);
}

/* ---- the mark ---- */

static enum err write_state(struct data_writer *w, struct why *why)
{
    struct buf buf;
    struct json_out json;
    char *path = file_join(w->line, w->dir, "state");
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not write a mark");
    buf_init(&buf, w->line);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "base", w->base.id);
    json_kv_int(&json, "part", (int64_t)w->part);
    json_kv_int(&json, "out", (int64_t)w->out.total);
    json_kv_int(&json, "trail", (int64_t)w->trail.total);
    json_kv_int(&json, "sources", (int64_t)w->papers.total);
    json_kv_int(&json, "added", w->counts.n_added);
    json_kv_int(&json, "dropped", w->counts.n_dropped);
    json_kv_int(&json, "bad", w->counts.n_bad);
    json_kv_str(&json, "cursor", w->cursor);
    json_kv_bool(&json, "ended", w->ended);
    if (w->ended) {
        const struct data_written *d = &w->written;
        json_kv_bool(&json, "made", d->made);
        json_kv_str(&json, "version", d->version);
        json_kv_int(&json, "number", d->number);
        json_kv_str(&json, "manifest", d->manifest);
        json_kv_int(&json, "n_records", d->n_records);
        json_kv_int(&json, "n_new", d->n_new);
        json_kv_int(&json, "n_changed", d->n_changed);
        json_kv_int(&json, "n_same", d->n_same);
    }
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    if (!err)
        err = file_write(path, buf_str(&buf), 0640, why);
    arena_reset(w->line);
    return err;
}

enum err data_writer_mark(struct data_writer *w, struct str cursor, struct why *why)
{
    if (w->ended)
        return ERR_OK;
    if (cursor.len > MOST_CURSOR)
        return err_set(why, ERR_TOO_LARGE, "a mark of %zu bytes; at most %zu", cursor.len,
                       MOST_CURSOR);
    struct str copy = str_copy(w->arena, cursor);
    if (!copy.ptr)
        return err_set(why, ERR_UNAVAILABLE, "could not hold a mark");
    enum err err = writer_flush(w, true, why);
    if (err)
        return err;
    w->cursor = copy;
    return write_state(w, why);
}

enum err writer_keep_end(struct data_writer *w, struct why *why)
{
    char name[WRITER_NAME];
    w->ended = true;
    enum err err = write_state(w, why);
    size_t last = w->part;
    shut(&w->out);
    shut(&w->trail);
    shut(&w->papers);
    for (size_t i = 0; !err && i <= last; i++) {
        writer_name(w, i, "out", name);
        err = file_remove(name, why);
        writer_name(w, i, "trail", name);
        if (!err)
            err = file_remove(name, why);
    }
    (void)snprintf(name, sizeof name, "%s/sources", w->dir);
    return err ? err : file_remove(name, why);
}

/* ---- going on ---- */

/* A line of a trail that says that the item was dropped: counts unless it was added afterwards. */
static enum err recall_drop(struct data_writer *w, struct str line, struct why *why)
{
    size_t place = str_find(line, STR(DROPPED_AT));
    const struct json *json;
    if (place == STR_NPOS)
        return ERR_OK;
    enum err err = json_parse(line, w->line, &json, why);
    if (err)
        return err;
    uint64_t at = (uint64_t)json_get_int(json, "at", 0);
    uint64_t id = id_hash(json_get_str(json, "id", STR("")));
    const struct writer_id *known = writer_ids_find(&w->ids, id);
    if (known && known->last != WRITER_DROP && known->last >= at)
        return ERR_OK;
    return ids_put(&w->ids, id, 0, WRITER_DROP, why);
}

static enum err recall_trail(struct data_writer *w, size_t part, struct why *why)
{
    struct file_map map;
    char name[WRITER_NAME];
    writer_name(w, part, "trail", name);
    enum err err = file_map(name, &map, why);
    if (err)
        return err;
    struct str rest = {(const char *)map.ptr, map.len}, line;
    while (!err && str_next(&rest, '\n', &line)) {
        err = recall_drop(w, line, why);
        arena_reset(w->line);
    }
    file_unmap(&map);
    return err;
}

static enum err recall_part(struct data_writer *w, size_t part, struct why *why)
{
    struct file_map map;
    char name[WRITER_NAME];
    writer_name(w, part, "out", name);
    enum err err = file_map(name, &map, why);
    if (err)
        return err;
    struct str rest = {(const char *)map.ptr, map.len}, line;
    while (!err && str_next(&rest, '\n', &line)) {
        if (!line.len)
            continue;
        struct str id = record_line_id(line, w->line);
        err = ids_put(&w->ids, id_hash(id), hash64(line.ptr, line.len, 2), w->seen++, why);
        arena_reset(w->line);
    }
    file_unmap(&map);
    return err ? err : recall_trail(w, part, why);
}

static enum err remember_source(struct data_writer *w, const struct data_source *source,
                                struct why *why)
{
    struct data_source *kept = arena_one(w->arena, struct data_source);
    if (kept) {
        *kept = *source;
        kept->uri = str_copy(w->arena, source->uri);
        kept->sha256 = str_copy(w->arena, source->sha256);
        kept->collection = str_copy(w->arena, source->collection);
        kept->lasting = true;
    }
    struct map_entry *e = kept && kept->uri.ptr && kept->sha256.ptr && kept->collection.ptr
                              ? map_put(&w->named, str_c(kept->key), NULL)
                              : NULL;
    if (!e)
        return err_set(why, ERR_UNAVAILABLE, "could not remember %zu sources", w->named.n);
    e->value.p = kept;
    return ERR_OK;
}

static enum err recall_sources(struct data_writer *w, struct why *why)
{
    struct str text, line;
    char *path = file_join(w->arena, w->dir, "sources");
    struct arena *arena = arena_new(MOST_PAPERS);
    enum err err = path && arena ? file_read(path, MOST_PAPERS / 2, arena, &text, why)
                                 : err_set(why, ERR_NO_MEMORY, "could not read the sources");
    while (!err && str_next(&text, '\n', &line)) {
        const struct json *json;
        struct data_source s = {0};
        if (!line.len)
            continue;
        err = json_parse(line, w->line, &json, why);
        if (err)
            break;
        s.uri = json_get_str(json, "uri", STR(""));
        s.sha256 = json_get_str(json, "sha256", STR(""));
        s.n_bytes = json_get_int(json, "n_bytes", 0);
        err = json_dump(json_get(json, "collection"), w->line, &s.collection, why);
        (void)snprintf(s.key, sizeof s.key, "%.*s", STR_FMT(json_get_str(json, "key", STR(""))));
        if (!err)
            err = remember_source(w, &s, why);
        arena_reset(w->line);
    }
    arena_free(arena);
    return err;
}

static enum err take_end(struct data_writer *w, const struct json *state, struct why *why)
{
    w->ended = true;
    w->written = (struct data_written){
        .made = json_get_bool(state, "made", false),
        .version = str_copy(w->arena, json_get_str(state, "version", STR(""))),
        .number = json_get_int(state, "number", 0),
        .manifest = str_copy(w->arena, json_get_str(state, "manifest", STR(""))),
        .n_records = json_get_int(state, "n_records", 0),
        .n_new = json_get_int(state, "n_new", 0),
        .n_changed = json_get_int(state, "n_changed", 0),
        .n_same = json_get_int(state, "n_same", 0),
        .n_dropped = w->counts.n_dropped,
        .n_bad = w->counts.n_bad};
    return w->written.version.ptr && w->written.manifest.ptr
               ? ERR_OK
               : err_set(why, ERR_NO_MEMORY, "could not open a version");
}

static enum err open_papers(struct data_writer *w, uint64_t size, struct why *why)
{
    char name[WRITER_NAME];
    (void)snprintf(name, sizeof name, "%s/sources", w->dir);
    return open_sink(&w->papers, name, size, why);
}

static enum err go_on(struct data_writer *w, const struct json *state, struct why *why)
{
    size_t part = (size_t)json_get_int(state, "part", 0);
    char name[WRITER_NAME];
    struct str base = str_copy(w->arena, json_get_str(state, "base", STR("")));
    w->cursor = str_copy(w->arena, json_get_str(state, "cursor", STR("")));
    w->counts = (struct data_writer_counts){.n_added = json_get_int(state, "added", 0),
                                            .n_dropped = json_get_int(state, "dropped", 0),
                                            .n_bad = json_get_int(state, "bad", 0)};
    if (!w->cursor.ptr || !base.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not open a version");
    if (json_get_bool(state, "ended", false))
        return take_end(w, state, why);
    enum err err = ERR_OK;
    if (base.len)
        err = dataset_version_by_id(w->data, base, w->arena, &w->base, why);
    for (size_t i = part + 1;; i++) { /* what came behind the mark */
        writer_name(w, i, "out", name);
        if (err || !file_exists(name))
            break;
        err = file_remove(name, why);
        writer_name(w, i, "trail", name);
        if (!err)
            err = file_remove(name, why);
    }
    if (!err)
        err = open_part(w, part, (uint64_t)json_get_int(state, "out", 0),
                        (uint64_t)json_get_int(state, "trail", 0), why);
    if (!err)
        err = open_papers(w, (uint64_t)json_get_int(state, "sources", 0), why);
    for (size_t i = 0; !err && i <= part; i++)
        err = recall_part(w, i, why);
    return err ? err : recall_sources(w, why);
}

static enum err begin_new(struct data_writer *w, struct why *why)
{
    enum err err = file_remove(w->dir, why);
    if (!err)
        err = file_make_dirs(w->dir, why);
    if (!err)
        err = writer_find_base(w, why);
    if (!err)
        err = open_part(w, 0, 0, 0, why);
    if (!err)
        err = open_papers(w, 0, why);
    if (!err)
        err = writer_flush(w, true, why);
    w->cursor = STR("");
    return err ? err : write_state(w, why);
}

/* ---- opening ---- */

/* The newest version, which `append` adds to and whose content tells whether something is new. */
enum err writer_find_base(struct data_writer *w, struct why *why)
{
    struct dataset set;
    struct why none = {0};
    w->base = (struct dataset_version){.id = STR("")};
    enum err err = dataset_find(w->data, &w->who, w->spec.dataset, w->arena, &set, &none);
    if (err == ERR_NOT_FOUND)
        return ERR_OK; /* made by the commit, which refuses a set of somebody else */
    if (err)
        return err_set(why, err, "%s", why_text(&none, err));
    if (set.kind != w->kind)
        return err_set(why, ERR_CONFLICT, "the data set \"%.*s\" holds records of kind %s, not %s",
                       SHOW(set.name), record_kind_name(set.kind), record_kind_name(w->kind));
    if (set.access < w->least)
        return err_set(why, ERR_FORBIDDEN,
                       "what is made from an input may not be open to more people than the input; "
                       "\"%.*s\" is",
                       SHOW(set.name));
    return set.latest ? dataset_version_find(w->data, &set, 0, w->arena, &w->base, why) : ERR_OK;
}

static enum err find_inputs(struct data_writer *w, struct why *why)
{
    enum err err = ERR_OK;
    w->inputs = arena_array(w->arena, struct dataset_version, w->spec.n_inputs + 1);
    if (!w->inputs)
        return err_set(why, ERR_NO_MEMORY, "could not hold the inputs");
    for (size_t i = 0; !err && i < w->spec.n_inputs; i++) {
        struct dataset set = {0};
        err = dataset_version_by_id(w->data, w->spec.inputs[i], w->arena, &w->inputs[i], why);
        if (!err)
            err = dataset_find(w->data, &w->who, w->inputs[i].set_name, w->arena, &set, why);
        if (!err && !str_eq(set.id, w->inputs[i].set))
            err = err_set(why, ERR_NOT_FOUND, "there is no version \"%.*s\"",
                          SHOW(w->spec.inputs[i]));
        if (!err && set.access > w->least)
            w->least = set.access;
    }
    return err;
}

static struct str kept(struct data_writer *w, struct str s, bool *good)
{
    struct str copy = str_copy(w->arena, s);
    *good &= copy.ptr != NULL;
    return copy;
}

static enum err copy_spec(struct data_writer *w, const struct ops_identity *who,
                          const struct data_writer_spec *spec, struct why *why)
{
    bool good = true;
    w->spec = (struct data_writer_spec){.dataset = kept(w, spec->dataset, &good),
                                        .title = kept(w, spec->title, &good),
                                        .kind = kept(w, spec->kind, &good),
                                        .access = spec->access,
                                        .append = spec->append,
                                        .made_by = kept(w, str_c(spec->made_by), &good).ptr,
                                        .run = kept(w, spec->run, &good),
                                        .spec = kept(w, spec->spec, &good),
                                        .card = kept(w, spec->card, &good),
                                        .n_inputs = spec->n_inputs};
    struct str *inputs = arena_array(w->arena, struct str, spec->n_inputs + 1);
    for (size_t i = 0; inputs && i < spec->n_inputs; i++)
        inputs[i] = kept(w, spec->inputs[i], &good);
    w->spec.inputs = inputs;
    w->dir = file_join(w->arena, spec->dir, "version");
    w->who = *who;
    struct str *const texts[] = {&w->who.kind,  &w->who.id,      &w->who.user,
                                 &w->who.name,  &w->who.tenant,  &w->who.department,
                                 &w->who.bases, &w->who.address, &w->who.trace};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = kept(w, *texts[i], &good);
    return good && inputs && w->dir ? ERR_OK
                                    : err_set(why, ERR_NO_MEMORY, "could not open a version");
}

static enum err check_spec(struct data_writer *w, struct why *why)
{
    struct str spec = w->spec.spec;
    size_t bad;
    enum err err = dataset_name_check(w->spec.dataset, why);
    if (!err && !record_kind_parse(w->spec.kind, &w->kind))
        err =
            err_set(why, ERR_INVALID, "there are no records of kind \"%.*s\"", SHOW(w->spec.kind));
    if (!err && (!w->spec.run.len || w->spec.run.len > 100))
        err = err_set(why, ERR_INVALID, "a version is made by a run with an id");
    if (!err && spec.len && scan_value(spec, 0, RECORD_DEPTH, &bad) == STR_NPOS)
        err = err_set(why, ERR_INVALID, "the spec of a run is JSON");
    return err ? err : find_inputs(w, why);
}

static enum err open_in(struct data_writer *w, struct why *why)
{
    const struct json *state;
    struct str text;
    struct arena *arena = arena_new(2 * MOST_STATE);
    char *path = arena ? file_join(arena, w->dir, "state") : NULL;
    enum err err =
        path ? check_spec(w, why) : err_set(why, ERR_NO_MEMORY, "could not open a version");
    if (!err && !file_exists(path)) {
        err = begin_new(w, why);
    } else if (!err) {
        err = file_read(path, MOST_STATE, arena, &text, why);
        if (!err)
            err = json_parse(text, arena, &state, why);
        if (!err)
            err = go_on(w, state, why);
    }
    arena_free(arena);
    return err;
}

enum err data_writer_open(struct data *data, const struct ops_identity *who,
                          const struct data_writer_spec *spec, struct data_writer **out,
                          struct why *why)
{
    enum err err = ops_need(who, "data.write", why);
    if (err)
        return err;
    struct arena *arena = arena_new(ROOM);
    struct data_writer *w = arena ? arena_one(arena, struct data_writer) : NULL;
    if (!w) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "could not open a version");
    }
    *w = (struct data_writer){.data = data,
                              .arena = arena,
                              .line = arena_new(WRITER_LINE),
                              .out = {.fd = -1},
                              .trail = {.fd = -1},
                              .papers = {.fd = -1}};
    map_init(&w->named, arena);
    map_init(&w->gone, arena);
    err = w->line ? copy_spec(w, who, spec, why)
                  : err_set(why, ERR_NO_MEMORY, "could not open a version");
    if (!err)
        err = open_in(w, why);
    if (err)
        data_writer_close(w);
    else
        *out = w;
    return err;
}

void data_writer_close(struct data_writer *w)
{
    if (!w)
        return;
    shut(&w->out);
    shut(&w->trail);
    shut(&w->papers);
    free(w->ids.items);
    arena_free(w->line);
    arena_free(w->arena);
}

void data_writer_abandon(struct data_writer *w)
{
    struct why why = {0};
    char dir[WRITER_NAME];
    (void)snprintf(dir, sizeof dir, "%s", w->dir);
    data_writer_close(w);
    (void)!file_remove(dir, &why); /* what stays is removed with the job's folder */
}

bool data_writer_ended(const struct data_writer *w, struct data_written *out)
{
    if (w->ended)
        *out = w->written;
    return w->ended;
}

struct str data_writer_cursor(const struct data_writer *w)
{
    return w->cursor;
}

struct data_writer_counts data_writer_counts(const struct data_writer *w)
{
    return w->counts;
}

/* ---- sources ---- */

static enum err check_withdrawn(struct data_writer *w, const char *key, struct str uri,
                                struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(w->data->opts.store, "SELECT state FROM data_sources WHERE id = ?",
                             STORE_ARGS(SV_C(key)), w->line, &rows, why);
    if (!err && rows.n_rows && str_eq_c(store_str(&rows, 0, 0), "withdrawn"))
        err = err_set(why, ERR_CONFLICT, "the source \"%.*s\" was withdrawn", SHOW(uri));
    return err;
}

/* What the caller says, with what is known here. */
static enum err papers_of(struct data_writer *w, struct str given_text, struct str *out,
                          struct why *why)
{
    struct buf buf;
    struct json_out json;
    struct str key;
    void *iter = NULL;
    const struct json *given = NULL, *value;
    char now[TIME_TEXT];
    if (!given_text.len)
        given_text = STR("{}");
    enum err err = json_parse(given_text, w->line, &given, why);
    if (!err && json_kind(given) != JSON_KIND_OBJECT)
        err = err_set(why, ERR_INVALID, "a collection record is a JSON object");
    if (err)
        return err;
    buf_init(&buf, w->line);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "job", w->spec.run);
    json_kv_str(&json, "by", ops_actor(&w->who, w->line));
    if (!json_get(given, "collected_at"))
        json_kv_c(&json, "collected_at", time_format(time_now_ms(), now));
    while (json_each(given, &iter, &key, &value)) {
        char *name = str_z(w->line, key);
        if (!name || !strcmp(name, "job") || !strcmp(name, "by"))
            continue;
        json_key(&json, name);
        json_put_value(&json, value);
    }
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err note_source(struct data_writer *w, const struct data_source *s, struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, w->line);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_c(&json, "key", s->key);
    json_kv_str(&json, "uri", s->uri);
    json_kv_str(&json, "sha256", s->sha256);
    json_kv_int(&json, "n_bytes", s->n_bytes);
    json_key(&json, "collection");
    json_put_raw(&json, s->collection);
    json_end_object(&json);
    buf_char(&buf, '\n');
    enum err err = buf_err(&buf, why);
    return err ? err : sink_add(&w->papers, buf_str(&buf), why);
}

enum err data_writer_source(struct data_writer *w, struct str uri, struct str sha256,
                            int64_t n_bytes, struct str collection, char key[DATA_SOURCE_KEY],
                            struct why *why)
{
    struct data_source s = {.uri = uri, .sha256 = sha256, .n_bytes = n_bytes};
    if (!uri.len || uri.len > 8000 || utf8_invalid(uri) != STR_NPOS)
        return err_set(why, ERR_INVALID, "a source has an address of 1 to 8000 bytes in UTF-8");
    source_key(w->who.tenant, uri, STR(""), s.key);
    memcpy(key, s.key, sizeof s.key);
    if (w->ended || map_find(&w->named, str_c(s.key)))
        return ERR_OK;
    enum err err = check_withdrawn(w, s.key, uri, why);
    if (!err)
        err = papers_of(w, collection, &s.collection, why);
    if (!err)
        err = note_source(w, &s, why);
    if (!err)
        err = remember_source(w, &s, why);
    arena_reset(w->line);
    return err;
}

/* ---- records ---- */

/* The id of an item; ptr NULL without memory. */
static struct str item_id(struct data_writer *w, const char *key, struct str item)
{
    bool plain = item.len > 0 && item.len <= MOST_ITEM;
    for (size_t i = 0; plain && i < item.len; i++) {
        char c = item.ptr[i];
        plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    }
    if (plain)
        return str_printf(w->line, "%s-%.*s", key, STR_FMT(item));
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    hash_of(HASH_SHA256, item, digest);
    return str_printf(w->line, "%s-x%s", key, hex_put(digest, 10, hex));
}

static enum err trail_line(struct data_writer *w, struct str id, const char *rest, struct why *why)
{
    struct buf line;
    buf_init(&line, w->line);
    buf_add_c(&line, "{\"id\":");
    scan_quote(&line, id);
    buf_add_c(&line, rest);
    enum err err = buf_err(&line, why);
    return err ? err : sink_add(&w->trail, buf_str(&line), why);
}

static enum err put_bad(struct data_writer *w, struct str id, const char *words, struct why *why)
{
    struct buf rest;
    struct str valid = str_c(words);
    size_t wrong = utf8_invalid(valid);
    if (wrong != STR_NPOS)
        valid.len = wrong;
    buf_init(&rest, w->line);
    buf_add_c(&rest, ",\"failed\":-1,\"why\":");
    scan_quote(&rest, valid);
    buf_add_c(&rest, "}\n");
    enum err err = buf_err(&rest, why);
    w->counts.n_bad += !err;
    return err ? err : trail_line(w, id, rest.ptr, why);
}

static enum err make_record(struct data_writer *w, struct str id, struct str json,
                            struct record *out, struct why *why)
{
    struct record in;
    enum err err = record_read(json, w->line, &in, why);
    if (!err)
        err = record_new(id, w->line, out, why);
    for (size_t i = 0; !err && i < in.n; i++) {
        struct str key = str_eq_c(in.members[i].key, "id") ? STR("source_id") : in.members[i].key;
        char *name = str_z(w->line, key);
        if (str_eq(in.id, id) && str_eq_c(key, "source_id"))
            continue; /* its own id, given back */
        err = name ? record_set_raw(out, name, in.members[i].raw, why)
                   : err_set(why, ERR_NO_MEMORY, "could not hold a record");
    }
    return err ? err : record_check(out, w->kind, why);
}

static enum err next_part(struct data_writer *w, struct why *why)
{
    enum err err = writer_flush(w, true, why);
    return err ? err : open_part(w, w->part + 1, 0, 0, why);
}

static enum err keep_line(struct data_writer *w, const struct record *record, struct why *why)
{
    struct buf line;
    buf_init(&line, w->line);
    record_write(record, &line);
    enum err err = buf_err(&line, why);
    if (!err)
        scan_mend(line.ptr, line.len);
    if (!err && line.len > RECORD_MOST_BYTES)
        err = err_set(why, ERR_TOO_LARGE, "a record of %zu bytes; at most %zu", line.len,
                      RECORD_MOST_BYTES);
    if (err)
        return err;
    if (w->out.total >= DATASET_SHARD_BYTES)
        err = next_part(w, why);
    if (!err)
        err = sink_add(&w->out, buf_str(&line), why);
    if (!err)
        err = ids_put(&w->ids, id_hash(record->id), hash64(line.ptr, line.len - 1, 2), w->seen++,
                      why);
    w->counts.n_added += !err;
    return err;
}

/* `from`: the record that it was made from, or empty. */
static enum err add(struct data_writer *w, struct str id, struct str from, struct str json,
                    bool *bad, struct why *why)
{
    struct record record;
    struct why own = {0};
    if (bad)
        *bad = false;
    if (w->ended)
        return ERR_OK;
    enum err err = id.ptr ? make_record(w, id, json, &record, &own)
                          : err_set(&own, ERR_UNAVAILABLE, "could not hold a record");
    if (!err && from.len) {
        struct buf rest;
        buf_init(&rest, w->line);
        buf_add_c(&rest, ",\"from\":");
        scan_quote(&rest, from);
        buf_add_c(&rest, "}\n");
        err = buf_err(&rest, &own);
        if (!err)
            err = trail_line(w, id, rest.ptr, &own);
    }
    if (!err)
        err = keep_line(w, &record, &own);
    if (err && (task_fatal(err) || !id.ptr)) {
        err_note(why, "%s", why_text(&own, err));
    } else if (err) {
        char kept_id[RECORD_MOST_ID * 2];
        (void)snprintf(kept_id, sizeof kept_id, "%.*s", STR_FMT(id));
        if (bad)
            *bad = true;
        arena_reset(w->line); /* it may be full */
        err = put_bad(w, str_c(kept_id), why_text(&own, err), why);
    }
    arena_reset(w->line);
    return err;
}

static enum err no_source(const struct data_writer *w, struct str id, struct why *why)
{
    (void)w;
    return err_set(why, ERR_INVALID, "the id \"%.*s\" does not begin with the key of a source",
                   SHOW(id));
}

enum err data_writer_add(struct data_writer *w, const char *key, struct str item, struct str json,
                         bool *bad, struct why *why)
{
    return add(w, item_id(w, key, item), STR(""), json, bad, why);
}

enum err data_writer_add_part(struct data_writer *w, struct str parent, size_t n, struct str json,
                              bool *bad, struct why *why)
{
    if (record_source(parent).len != DATA_SOURCE_KEY - 1)
        return no_source(w, parent, why);
    return add(w, str_printf(w->line, "%.*s.%zu", STR_FMT(parent), n), parent, json, bad, why);
}

enum err data_writer_add_as(struct data_writer *w, struct str id, struct str json, bool *bad,
                            struct why *why)
{
    if (record_source(id).len != DATA_SOURCE_KEY - 1)
        return no_source(w, id, why);
    return add(w, id, STR(""), json, bad, why);
}

enum err data_writer_bad(struct data_writer *w, const char *key, struct str item, const char *words,
                         struct why *why)
{
    if (w->ended)
        return ERR_OK;
    struct str id = item_id(w, key, item);
    enum err err = id.ptr ? put_bad(w, id, words, why)
                          : err_set(why, ERR_UNAVAILABLE, "could not hold a record");
    arena_reset(w->line);
    return err;
}

enum err data_writer_drop(struct data_writer *w, const char *key, struct str item, struct why *why)
{
    if (w->ended)
        return ERR_OK;
    struct str id = item_id(w, key, item);
    char rest[64];
    (void)snprintf(rest, sizeof rest, DROPPED_AT "%llu}\n", (unsigned long long)w->seen);
    enum err err = id.ptr ? trail_line(w, id, rest, why)
                          : err_set(why, ERR_UNAVAILABLE, "could not hold a record");
    if (!err)
        err = ids_put(&w->ids, id_hash(id), 0, WRITER_DROP, why);
    w->counts.n_dropped += !err;
    arena_reset(w->line);
    return err;
}

enum err data_writer_commit(struct data_writer *w, struct data_written *out, struct why *why)
{
    if (!w->ended) {
        struct data_written written = {0};
        enum err err = writer_flush(w, true, why);
        if (!err)
            err = writer_publish(w, &written, why);
        if (err)
            return err;
        w->written = written;
        err = writer_keep_end(w, why);
        if (err)
            return err;
    }
    *out = w->written;
    return ERR_OK;
}
