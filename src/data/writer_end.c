/*
 * data/writer_end - what a writer added becomes a version.
 *
 * First the version before is read against what was added: what is the same, what is replaced,
 * dropped or of a withdrawn source. Its shards that lose nothing are taken over as they are; the
 * others, and a short last one, are written again in front of the new lines, so that small runs do
 * not leave thousands of small shards.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/writer.h"

#define MOST_TRIES 5
#define ROOM       ((size_t)1 << 30)

struct end {
    struct data_writer *w;
    struct arena *arena; /* of this attempt */
    const struct json *base_manifest;
    struct map withdrawn; /* keys */
    struct shard_info *shards;
    size_t n_shards, cap;
    struct shard_stats stats;
    struct sink out, trail; /* of the shard in hand */
    int64_t in_shard;
    bool append, lost; /* the version before loses records */
    struct data_written got;
};

static uint64_t id_of(struct end *e, struct str line)
{
    struct str id = record_line_id(line, e->w->line);
    uint64_t h = hash64(id.ptr, id.len, 1);
    return h ? h : 1;
}

/* ---- shards ---- */

static void part_name(const struct end *e, const char *suffix, char out[WRITER_NAME])
{
    (void)snprintf(out, WRITER_NAME, "%s/shard.%s", e->w->dir, suffix);
}

static enum err begin_sink(const struct end *e, struct sink *sink, const char *suffix,
                           struct why *why)
{
    char name[WRITER_NAME];
    part_name(e, suffix, name);
    sink->fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (sink->fd < 0)
        return err_errno(why, "could not make the work file \"%s\"", name);
    sink->ptr = sink->ptr ? sink->ptr : malloc(SINK_BYTES);
    sink->len = 0;
    sink->total = 0;
    return sink->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not write a shard");
}

/* The file as an object: its name, or "" when nothing was written. */
static enum err end_sink(struct end *e, struct sink *sink, const char *suffix, struct str *object,
                         struct why *why)
{
    char name[WRITER_NAME], *hex = arena_bytes(e->arena, HASH_TEXT);
    enum err err =
        hex ? sink_flush(sink, why) : err_set(why, ERR_NO_MEMORY, "could not write a shard");
    if (close(sink->fd) != 0 && !err)
        err = err_errno(why, "could not write a shard");
    sink->fd = -1;
    part_name(e, suffix, name);
    *object = STR("");
    if (!err && sink->total) {
        err = objects_put_file(e->w->data->opts.objects, name, UINT64_MAX, hex, NULL, why);
        if (!err) /* else nothing was written to it */
            *object = str_c(hex);
    }
    return err ? err : file_remove(name, why);
}

static void drop_sink(struct sink *sink)
{
    if (sink->fd >= 0)
        (void)close(sink->fd);
    free(sink->ptr);
    *sink = (struct sink){.fd = -1};
}

static enum err add_shard(struct end *e, const struct shard_info *shard, struct why *why)
{
    if (e->n_shards == DATASET_MOST_SHARDS)
        return err_set(why, ERR_TOO_LARGE, "more than %d shards", DATASET_MOST_SHARDS);
    if (e->n_shards == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 64, size = sizeof *e->shards;
        e->shards = arena_grow(e->arena, e->shards, e->cap * size, cap * size);
        if (!e->shards)
            return err_set(why, ERR_NO_MEMORY, "could not hold the shards");
        e->cap = cap;
    }
    e->shards[e->n_shards++] = *shard;
    return ERR_OK;
}

static enum err open_shard(struct end *e, struct why *why)
{
    enum err err = ERR_OK;
    if (e->out.fd < 0)
        err = begin_sink(e, &e->out, "out", why);
    if (!err && e->trail.fd < 0)
        err = begin_sink(e, &e->trail, "trail", why);
    return err;
}

static enum err close_shard(struct end *e, struct why *why)
{
    struct shard_info s = {.n_records = e->in_shard, .n_bytes = (int64_t)e->out.total};
    if (e->out.fd < 0)
        return ERR_OK;
    enum err err = end_sink(e, &e->out, "out", &s.object, why);
    if (!err)
        err = end_sink(e, &e->trail, "trail", &s.trail, why);
    e->in_shard = 0;
    return err || (!s.object.len && !s.trail.len) ? err : add_shard(e, &s, why);
}

static enum err put_line(struct end *e, struct str line, struct why *why)
{
    struct record record;
    enum err err =
        e->out.fd >= 0 && e->out.total >= DATASET_SHARD_BYTES ? close_shard(e, why) : ERR_OK;
    if (!err)
        err = open_shard(e, why);
    if (!err)
        err = record_read(line, e->w->line, &record, why);
    if (!err)
        err = shard_stats_add(&e->stats, &record, line.len + 1, why);
    if (!err)
        err = sink_add(&e->out, line, why);
    if (!err)
        err = sink_add(&e->out, STR("\n"), why);
    e->in_shard += !err;
    return err;
}

/* ---- the version before ---- */

static bool is_withdrawn(const struct end *e, struct str id)
{
    return e->withdrawn.n && map_find(&e->withdrawn, record_source(id));
}

static enum err ask_withdrawn(struct end *e, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(e->w->data->opts.store,
                             "SELECT id FROM data_sources WHERE tenant = ? AND state = 'withdrawn'",
                             STORE_ARGS(SV_STR(e->w->who.tenant)), e->arena, &rows, why);
    map_init(&e->withdrawn, e->arena);
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        if (!map_put(&e->withdrawn, store_str(&rows, i, 0), NULL))
            err = err_set(why, ERR_NO_MEMORY, "could not hold the withdrawn sources");
    return err;
}

/* Whether a record of the version before stays. What it has just so is no news of this run. */
static bool stays(struct end *e, struct str line)
{
    struct str id = record_line_id(line, e->w->line);
    struct writer_id *mine = writer_ids_find(&e->w->ids, id_of(e, line));
    bool same = mine && mine->last != WRITER_DROP && mine->line == hash64(line.ptr, line.len, 2);
    if (is_withdrawn(e, id))
        return false;
    if (mine) {
        mine->met = true;
        mine->same = same;
    }
    return !mine || same;
}

static size_t count_lost(struct end *e, struct str all)
{
    struct str line;
    size_t lost = 0;
    while (str_next(&all, '\n', &line)) {
        lost += line.len && !stays(e, line);
        arena_reset(e->w->line);
    }
    return lost;
}

/* The lines of a shard that is not taken over: those that stay, again. */
static enum err rewrite(struct end *e, struct str all, struct why *why)
{
    struct str line;
    struct record record;
    enum err err = ERR_OK;
    while (!err && str_next(&all, '\n', &line)) {
        if (!line.len)
            continue;
        err = record_read(line, e->w->line, &record, why);
        if (!err)
            err = shard_stats_take(&e->stats, &record, line.len + 1, why);
        if (!err && stays(e, line))
            err = put_line(e, line, why);
        arena_reset(e->w->line);
    }
    return err;
}

/* Only shards of versions with sources of this run, or with withdrawn ones, can lose something. */
static bool may_lose(const struct end *e)
{
    const struct json *sources = json_get(e->base_manifest, "sources");
    void *iter = NULL;
    struct str key;
    const struct json *value;
    if (e->w->ids.n)
        return true;
    while (json_each(sources, &iter, &key, &value))
        if (map_find(&e->withdrawn, key))
            return true;
    return false;
}

static enum err take_shard(struct end *e, size_t i, bool look, struct why *why)
{
    const struct dataset_version *base = &e->w->base;
    struct shard_info s = base->shards[i];
    struct file_map map = {0};
    size_t lost = 0;
    bool is_short = i + 1 == base->n_shards && s.n_bytes < (int64_t)DATASET_SHARD_BYTES;
    s.trail = STR(""); /* of how that version was made, not this one */
    enum err err = dataset_map(e->w->data, s.object, e->arena, &map, why);
    struct str all = {(const char *)map.ptr, map.len};
    if (!err && look)
        lost = count_lost(e, all);
    e->lost |= lost > 0;
    if (!err && (lost || is_short)) {
        err = rewrite(e, all, why);
    } else if (!err) {
        err = close_shard(e, why); /* what was written again before stands before */
        if (!err && s.n_records)
            err = add_shard(e, &s, why);
    }
    file_unmap(&map);
    return err;
}

static enum err take_base(struct end *e, struct why *why)
{
    struct data_writer *w = e->w;
    enum err err = dataset_manifest_read(w->data, &w->base, e->arena, &e->base_manifest, why);
    if (!err)
        err = dataset_shards(w->data, &w->base, e->arena, why);
    if (!err)
        err = shard_stats_merge(&e->stats, e->base_manifest, why);
    bool look = !err && may_lose(e);
    for (size_t i = 0; !err && i < w->base.n_shards; i++)
        err = take_shard(e, i, look, why);
    return err;
}

/* ---- what was added ---- */

static enum err put_added(struct end *e, struct str line, uint64_t number, struct why *why)
{
    const struct writer_id *mine = writer_ids_find(&e->w->ids, id_of(e, line));
    if (!mine)
        return err_set(why, ERR_CORRUPT, "a work file has a record that was not added");
    if (mine->last != number) /* a later one counts, or it was dropped */
        return ERR_OK;
    if (is_withdrawn(e, record_line_id(line, e->w->line)))
        return ERR_OK;
    if (mine->same) {
        e->got.n_same++;
        return ERR_OK;
    }
    e->got.n_new += !mine->met;
    e->got.n_changed += mine->met;
    return put_line(e, line, why);
}

static enum err put_part(struct end *e, size_t part, uint64_t *number, struct why *why)
{
    struct file_map out = {0}, trail = {0};
    struct str line;
    char name[WRITER_NAME];
    writer_name(e->w, part, "out", name);
    enum err err = file_map(name, &out, why);
    writer_name(e->w, part, "trail", name);
    if (!err)
        err = file_map(name, &trail, why);
    struct str lines = {(const char *)out.ptr, out.len},
               told = {(const char *)trail.ptr, trail.len};
    while (!err && str_next(&lines, '\n', &line)) {
        if (line.len)
            err = put_added(e, line, (*number)++, why);
        arena_reset(e->w->line);
    }
    if (!err && told.len) {
        err = open_shard(e, why);
        if (!err)
            err = sink_add(&e->trail, told, why);
    }
    file_unmap(&out);
    file_unmap(&trail);
    return err;
}

static enum err put_parts(struct end *e, struct why *why)
{
    uint64_t number = 0;
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i <= e->w->part; i++)
        err = put_part(e, i, &number, why);
    return err ? err : close_shard(e, why);
}

/* ---- publishing ---- */

static enum err put_access(struct store_tx *tx, struct data_writer *w, struct why *why)
{
    enum ops_class access = w->spec.access > w->least ? w->spec.access : w->least;
    return store_exec(tx,
                      "UPDATE data_sets SET access = ? WHERE tenant = ? AND name = ? AND latest = "
                      "0",
                      STORE_ARGS(SV_INT(access), SV_STR(w->who.tenant), SV_STR(w->spec.dataset)),
                      NULL, why);
}

/* In the transaction of the version: it must still follow the one that it was made from. */
static enum err before(struct store_tx *tx, void *ctx, struct why *why)
{
    struct end *e = ctx;
    struct data_writer *w = e->w;
    struct store_rows rows;
    size_t at = 0;
    enum err err = store_query(
        tx, "SELECT latest, access FROM data_sets WHERE tenant = ? AND name = ?",
        STORE_ARGS(SV_STR(w->who.tenant), SV_STR(w->spec.dataset)), e->arena, &rows, why);
    if (!err && e->append && store_int(&rows, 0, 0) != w->base.number)
        return err_set(why, ERR_PRECONDITION, "the data set \"%.*s\" got another version meanwhile",
                       SHOW(w->spec.dataset));
    if (!err && store_int(&rows, 0, 0) && store_int(&rows, 0, 1) < (int64_t)w->least)
        return err_set(why, ERR_FORBIDDEN,
                       "what is made from an input may not be open to more people than the input");
    if (!err)
        err = put_access(tx, w, why);
    for (struct map_entry *m; !err && (m = map_each(&w->named, &at));) {
        const struct data_source *s = m->value.p;
        if (!map_find(&e->withdrawn, str_c(s->key)))
            err = source_put(tx, &w->who, s, e->arena, why);
    }
    return err;
}

static enum err counts_json(const struct end *e, struct str *out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, e->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_int(&json, "n_new", e->got.n_new);
    json_kv_int(&json, "n_changed", e->got.n_changed);
    json_kv_int(&json, "n_same", e->got.n_same);
    json_kv_int(&json, "n_dropped", e->w->counts.n_dropped);
    json_kv_int(&json, "n_quarantined", e->w->counts.n_bad);
    json_kv_int(&json, "n_sources", (int64_t)e->w->named.n);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* With `append` the version before is an input, too. */
static enum err all_inputs(struct end *e, struct run_form *run, struct why *why)
{
    struct data_writer *w = e->w;
    struct dataset_version *list =
        arena_array(e->arena, struct dataset_version, w->spec.n_inputs + 1);
    if (!list)
        return err_set(why, ERR_NO_MEMORY, "could not hold the inputs");
    for (size_t i = 0; i < w->spec.n_inputs; i++)
        list[run->n_inputs++] = w->inputs[i];
    if (e->append && w->base.id.len)
        list[run->n_inputs++] = w->base;
    run->inputs = list;
    return ERR_OK;
}

static enum err tell(struct data_writer *w, const struct dataset_version *v, bool made,
                     struct data_written *out, struct why *why)
{
    out->made = made;
    out->version = str_copy(w->arena, v->id);
    out->manifest = str_copy(w->arena, v->manifest);
    out->number = v->number;
    out->n_records = v->n_records;
    out->n_dropped = w->counts.n_dropped;
    out->n_bad = w->counts.n_bad;
    return out->version.ptr && out->manifest.ptr
               ? ERR_OK
               : err_set(why, ERR_UNAVAILABLE, "could not end the version");
}

/* Without `append`: whether the newest version holds the very same. */
static enum err is_the_same(struct end *e, bool *same, struct why *why)
{
    struct str text;
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    enum err err =
        dataset_manifest(e->w->kind, e->shards, e->n_shards, &e->stats, e->arena, &text, why);
    if (err)
        return err;
    hash_of(HASH_SHA256, text, digest);
    *same = str_eq_c(e->w->base.manifest, hex_put(digest, sizeof digest, hex));
    return ERR_OK;
}

static enum err publish(struct end *e, struct data_written *out, struct why *why)
{
    struct data_writer *w = e->w;
    struct dataset_version v = w->base;
    struct run_form run = {.id = w->spec.run, .kind = w->spec.made_by, .spec = w->spec.spec};
    bool same = e->append && !e->lost && !e->got.n_new && !e->got.n_changed;
    enum err err = ERR_OK;
    if (!e->append && e->w->base.id.len)
        err = is_the_same(e, &same, why);
    if (!err && e->stats.n_records == 0 && !w->base.id.len)
        same = true;
    else if (!err && !same && e->stats.n_records == 0)
        err = err_set(why, ERR_CONFLICT, "the new version would hold no record at all");
    *out = e->got;
    if (err || same)
        return err ? err : tell(w, &v, false, out, why);
    err = all_inputs(e, &run, why);
    if (!err)
        err = counts_json(e, &run.counts, why);
    if (!err)
        err =
            dataset_publish(w->data, &w->who, w->spec.dataset, w->spec.title, w->kind, w->spec.card,
                            e->shards, e->n_shards, &e->stats, &run, before, e, e->arena, &v, why);
    return err ? err : tell(w, &v, true, out, why);
}

static void forget_base(struct data_writer *w)
{
    for (size_t i = 0; i < w->ids.cap; i++)
        w->ids.items[i].same = w->ids.items[i].met = false;
}

static enum err try_once(struct data_writer *w, struct data_written *out, struct why *why)
{
    struct end e = {.w = w,
                    .arena = arena_new(ROOM),
                    .append = w->spec.append,
                    .out = {.fd = -1},
                    .trail = {.fd = -1}};
    enum err err = e.arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not end the version");
    forget_base(w);
    if (!err) {
        shard_stats_init(&e.stats, e.arena);
        err = ask_withdrawn(&e, why);
    }
    if (!err && e.append && w->base.id.len)
        err = take_base(&e, why);
    if (!err)
        err = put_parts(&e, why);
    if (!err)
        err = publish(&e, out, why);
    drop_sink(&e.out);
    drop_sink(&e.trail);
    arena_free(e.arena);
    return err;
}

enum err writer_publish(struct data_writer *w, struct data_written *out, struct why *why)
{
    struct why own = {0};
    enum err err = ERR_OK;
    for (int i = 0; i < MOST_TRIES; i++) {
        own = (struct why){0};
        err = try_once(w, out, &own);
        if (err != ERR_PRECONDITION)
            break;
        err = writer_find_base(w, &own); /* somebody else was faster: on top of theirs */
        if (err)
            break;
        err = ERR_PRECONDITION;
    }
    return err ? err_set(why, err, "%s", why_text(&own, err)) : ERR_OK;
}
