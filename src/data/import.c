/* data/import - the job that makes a version out of files. */
#include "data/import.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/pool.h"
#include "core/time.h"
#include "data/room.h"
#include "data/task.h"
#include "data/work.h"

#define NAME       4096
#define TASK_ROOM  ((size_t)128 << 20) /* counts, files and failures of one task */
#define MOST_SHOWN 1000                /* failures in the job's result */

struct import {
    struct data *data;
    struct job *job;
    struct import_plan plan;
    struct dataset_version base; /* with "append"; id empty: none */
    const struct json *base_manifest;
    char *dir;
    _Atomic int64_t done;
};

static bool cancelled(void *ctx)
{
    return job_cancelled(ctx);
}

/* ---- one task ---- */

struct one {
    struct import *import;
    size_t number;
    struct arena *arena;
    struct import_task task;
    struct shard_stats stats;
    struct buf files_buf, failures_buf;
    struct json_out files, failures;
    char out[NAME], trail[NAME];
};

static enum err open_sink(struct sink *sink, const char *path, struct why *why)
{
    sink->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    sink->ptr = malloc(SINK_BYTES);
    if (sink->fd < 0)
        return err_errno(why, "could not make the work file \"%s\"", path);
    return sink->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not begin with a task");
}

static enum err close_sink(struct sink *sink, enum err before, struct why *why)
{
    enum err err = before ? before : sink_flush(sink, why);
    if (sink->fd >= 0 && close(sink->fd) != 0 && !err)
        err = err_errno(why, "could not write a work file");
    free(sink->ptr);
    *sink = (struct sink){.fd = -1};
    return err;
}

static enum err read_units(struct one *o, struct why *why)
{
    const struct import_plan *plan = &o->import->plan;
    enum err err = open_sink(&o->task.out, o->out, why);
    if (!err)
        err = open_sink(&o->task.trail, o->trail, why);
    for (size_t u = plan->tasks[o->number]; !err && u < plan->tasks[o->number + 1]; u++)
        err = import_unit_read(&o->task, &plan->units[u], why);
    err = close_sink(&o->task.out, err, why);
    return close_sink(&o->task.trail, err, why);
}

/* The file as an object; its name, or "" when it is empty. The file is gone afterwards. */
static enum err keep(struct data *data, const char *path, char name[HASH_TEXT], struct why *why)
{
    uint64_t bytes = 0;
    name[0] = '\0';
    enum err err = file_size(path, &bytes, why);
    if (!err && bytes)
        err = objects_put_file(data->opts.objects, path, UINT64_MAX, name, NULL, why);
    return err ? err : file_remove(path, why);
}

static enum err finish(struct one *o, const char *done, struct why *why)
{
    struct buf buf;
    struct json_out out;
    char object[HASH_TEXT] = "", trail[HASH_TEXT] = "";
    enum err err = keep(o->import->data, o->out, object, why);
    if (!err)
        err = keep(o->import->data, o->trail, trail, why);
    json_end_array(&o->files);
    json_end_array(&o->failures);
    if (!err)
        err = buf_err(&o->files_buf, why);
    if (!err)
        err = buf_err(&o->failures_buf, why);
    buf_init(&buf, o->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_c(&out, "object", object);
    json_kv_c(&out, "trail", trail);
    json_kv_int(&out, "bad", o->task.n_bad);
    json_kv_int(&out, "n_failures", (int64_t)o->task.n_failures);
    json_key(&out, "files");
    json_put_raw(&out, buf_str(&o->files_buf));
    json_key(&out, "failures");
    json_put_raw(&out, buf_str(&o->failures_buf));
    if (!err)
        err = shard_stats_json(&o->stats, &out, why);
    json_end_object(&out);
    if (!err)
        err = buf_err(&buf, why);
    return err ? err : file_write(done, buf_str(&buf), 0640, why);
}

static void begin_list(struct buf *buf, struct json_out *out, struct arena *arena)
{
    buf_init(buf, arena);
    json_out_init(out, buf);
    json_begin_array(out);
}

static enum err do_task(struct import *im, size_t i, const char *done, struct why *why)
{
    struct one o = {.import = im, .number = i, .arena = arena_new(TASK_ROOM)};
    struct arena *line = arena_new(TASK_ARENA);
    enum err err =
        o.arena && line ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not begin with a task");
    (void)snprintf(o.out, NAME, "%s/i%zu.out", im->dir, i);
    (void)snprintf(o.trail, NAME, "%s/i%zu.trail", im->dir, i);
    if (!err) {
        shard_stats_init(&o.stats, o.arena);
        begin_list(&o.files_buf, &o.files, o.arena);
        begin_list(&o.failures_buf, &o.failures, o.arena);
        o.task = (struct import_task){.plan = &im->plan,
                                      .arena = line,
                                      .objects = im->data->opts.objects,
                                      .out = {.fd = -1},
                                      .trail = {.fd = -1},
                                      .stats = &o.stats,
                                      .files = &o.files,
                                      .failures = &o.failures,
                                      .known = json_get(im->base_manifest, "sources"),
                                      .cancelled = cancelled,
                                      .ctx = im->job};
        err = read_units(&o, why);
    }
    if (!err)
        err = finish(&o, done, why);
    arena_free(line);
    arena_free(o.arena);
    return err;
}

static enum err each_task(void *ctx, size_t i, struct why *why)
{
    struct import *im = ctx;
    char done[NAME];
    enum err err = ERR_OK;
    if (job_cancelled(im->job))
        return err_set(why, ERR_CANCELLED, "the import was cancelled");
    (void)snprintf(done, sizeof done, "%s/i%zu.done", im->dir, i);
    if (!file_exists(done))
        err = do_task(im, i, done, why);
    if (!err)
        job_progress(im->job, ++im->done, (int64_t)im->plan.n_tasks, "reading files");
    return err;
}

/* ---- the version ---- */

struct end {
    struct import *import;
    struct arena *arena;
    struct shard_info *shards;
    size_t n_shards;
    struct shard_stats stats;
    struct data_source *sources;
    size_t n_sources, cap_sources;
    struct str collection;
    struct buf shown; /* failures */
    struct json_out shown_json;
    int64_t n_failures, n_bad, n_shown;
    struct ops_identity who;
};

static enum err add_source(struct end *e, const struct json *file, struct why *why)
{
    if (e->n_sources == e->cap_sources) {
        size_t cap = e->cap_sources ? e->cap_sources * 2 : 64, size = sizeof *e->sources;
        e->sources = arena_grow(e->arena, e->sources, e->cap_sources * size, cap * size);
        e->cap_sources = cap;
    }
    if (!e->sources)
        return err_set(why, ERR_NO_MEMORY, "could not hold the sources");
    struct data_source *s = &e->sources[e->n_sources++];
    *s = (struct data_source){.uri = str_copy(e->arena, json_get_str(file, "uri", STR(""))),
                              .sha256 = str_copy(e->arena, json_get_str(file, "sha256", STR(""))),
                              .n_bytes = json_get_int(file, "n_bytes", 0),
                              .collection = e->collection};
    (void)snprintf(s->key, sizeof s->key, "%.*s", STR_FMT(json_get_str(file, "key", STR(""))));
    return s->uri.ptr && s->sha256.ptr ? ERR_OK
                                       : err_set(why, ERR_NO_MEMORY, "could not hold the sources");
}

static enum err read_done(struct end *e, size_t i, struct arena *own, struct why *why)
{
    char name[NAME];
    struct str text;
    const struct json *done;
    (void)snprintf(name, sizeof name, "%s/i%zu.done", e->import->dir, i);
    enum err err = file_read(name, TASK_ROOM, own, &text, why);
    if (!err)
        err = json_parse(text, own, &done, why);
    if (!err)
        err = shard_stats_merge(&e->stats, done, why);
    if (err)
        return err;
    struct shard_info *s = &e->shards[e->n_shards++];
    *s = (struct shard_info){.object = str_copy(e->arena, json_get_str(done, "object", STR(""))),
                             .trail = str_copy(e->arena, json_get_str(done, "trail", STR(""))),
                             .n_records = json_get_int(done, "n_records", 0),
                             .n_bytes = json_get_int(done, "n_bytes", 0)};
    if (!s->object.ptr || !s->trail.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the shards");
    e->n_bad += json_get_int(done, "bad", 0);
    e->n_failures += json_get_int(done, "n_failures", 0);
    const struct json *files = json_get(done, "files"), *failures = json_get(done, "failures");
    for (size_t k = 0; !err && k < json_len(files); k++)
        err = add_source(e, json_at(files, k), why);
    for (size_t k = 0; k < json_len(failures) && e->n_shown < MOST_SHOWN; k++, e->n_shown++)
        json_put_value(&e->shown_json, json_at(failures, k));
    return err;
}

/* With "append": what the version before holds, in front. */
static enum err add_before(struct end *e, struct why *why)
{
    const struct dataset_version *base = &e->import->base;
    struct shard_info *all =
        arena_array(e->arena, struct shard_info, base->n_shards + e->import->plan.n_tasks + 1);
    if (!all)
        return err_set(why, ERR_NO_MEMORY, "could not hold the shards");
    for (size_t i = 0; i < base->n_shards; i++) {
        all[e->n_shards] = base->shards[i];
        all[e->n_shards++].trail = STR(""); /* of how that version was made, not this one */
    }
    e->shards = all;
    return shard_stats_merge(&e->stats, e->import->base_manifest, why);
}

static enum err open_base(struct import *im, const struct json *spec, struct why *why)
{
    struct str id = json_get_str(spec, "base", STR(""));
    struct arena *arena = job_arena(im->job);
    if (!id.len)
        return ERR_OK;
    enum err err = dataset_version_by_id(im->data, id, arena, &im->base, why);
    if (!err)
        err = dataset_manifest_read(im->data, &im->base, arena, &im->base_manifest, why);
    return err ? err : dataset_shards(im->data, &im->base, arena, why);
}

static enum err put_sources(struct store_tx *tx, void *ctx, struct why *why)
{
    struct end *e = ctx;
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < e->n_sources; i++)
        err = source_put(tx, &e->who, &e->sources[i], e->arena, why);
    return err;
}

/* Who collected what, when, under which licence: as given, with what is known here. */
static enum err collection_json(struct end *e, const struct json *spec, struct why *why)
{
    struct buf buf;
    struct json_out out;
    struct str key;
    void *iter = NULL;
    const struct json *given = json_get(spec, "collection"), *value;
    char now[TIME_TEXT];
    buf_init(&buf, e->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "job", job_id(e->import->job));
    json_kv_str(&out, "by", ops_actor(&e->who, e->arena));
    if (!json_get(given, "collected_at"))
        json_kv_c(&out, "collected_at", time_format(time_now_ms(), now));
    while (json_each(given, &iter, &key, &value)) {
        char *name = str_z(e->arena, key);
        if (!name || !strcmp(name, "job") || !strcmp(name, "by"))
            continue;
        json_key(&out, name);
        json_put_value(&out, value);
    }
    json_end_object(&out);
    e->collection = buf_str(&buf);
    return buf_err(&buf, why);
}

/* What the collection record says of the data set as a whole: its card, when it has none yet. */
static enum err card_json(struct end *e, const struct json *collection, struct str *out,
                          struct why *why)
{
    static const char *const members[] = {"licence", "owner", "industry", "grade"};
    struct buf buf;
    struct json_out json;
    size_t n = 0;
    buf_init(&buf, e->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct str value = json_get_str(collection, members[i], STR(""));
        if (!value.len)
            continue;
        json_kv_str(&json, members[i], value);
        n++;
    }
    json_end_object(&json);
    *out = n ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

static enum err result(struct end *e, const struct dataset_version *v, struct str *out,
                       struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, e->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "dataset", e->import->plan.dataset);
    if (v) {
        json_kv_bool(&json, "made", v != &e->import->base);
        json_kv_str(&json, "version", v->id);
        json_kv_int(&json, "number", v->number);
        json_kv_str(&json, "manifest", v->manifest);
    }
    json_kv_c(&json, "kind", record_kind_name(e->import->plan.kind));
    json_kv_int(&json, "n_records", e->stats.n_records);
    json_kv_int(&json, "n_new", e->stats.n_records - e->import->base.n_records);
    json_kv_int(&json, "n_bytes", e->stats.n_bytes);
    json_kv_int(&json, "n_files", (int64_t)e->import->plan.n_files);
    json_kv_int(&json, "n_quarantined", e->n_bad);
    json_kv_int(&json, "n_failed", e->n_failures);
    json_key(&json, "failures");
    json_put_raw(&json, buf_str(&e->shown));
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* With "append" and nothing new: the version before is what came of it. */
static enum err nothing_new(struct end *e, struct why *why)
{
    struct str text;
    enum err err = result(e, &e->import->base, &text, why);
    if (err)
        return err;
    job_result(e->import->job, text);
    job_log(e->import->job, "%zu files, nothing new; the newest version is %lld",
            e->import->plan.n_files, (long long)e->import->base.number);
    return ERR_OK;
}

static enum err publish(struct end *e, const struct json *spec, struct why *why)
{
    struct import *im = e->import;
    struct dataset_version version;
    struct str counts = STR(""), text = STR(""), card = STR("");
    enum err err = json_dump(spec, e->arena, &text, why);
    if (!err && json_get(spec, "card"))
        err = json_dump(json_get(spec, "card"), e->arena, &card, why);
    if (!err)
        err = result(e, NULL, &counts, why);
    struct run_form run = {.id = job_id(im->job), .kind = "import", .spec = text, .counts = counts};
    if (!err)
        err = card_json(e, json_get(spec, "collection"), &run.card, why);
    if (!err)
        err = dataset_publish(im->data, &e->who, im->plan.dataset, im->plan.title, im->plan.kind,
                              card, e->shards, e->n_shards, &e->stats, &run, put_sources, e,
                              e->arena, &version, why);
    if (!err)
        err = result(e, &version, &counts, why);
    if (err)
        return err;
    job_result(im->job, counts);
    job_log(im->job, "%lld records of %zu files, %lld quarantined, %lld files failed: version %lld",
            (long long)e->stats.n_records, im->plan.n_files, (long long)e->n_bad,
            (long long)e->n_failures, (long long)version.number);
    return ERR_OK;
}

static enum err end(struct import *im, const struct json *spec, struct why *why)
{
    struct arena *own = arena_new(4 * TASK_ROOM);
    struct end e = {.import = im, .arena = job_arena(im->job), .who = job_actor(im->job)};
    e.shards = arena_array(e.arena, struct shard_info, im->plan.n_tasks + 1);
    shard_stats_init(&e.stats, e.arena);
    begin_list(&e.shown, &e.shown_json, e.arena);
    enum err err =
        own && e.shards ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not end the import");
    if (!err)
        err = collection_json(&e, spec, why);
    if (!err && im->base.id.len)
        err = add_before(&e, why);
    for (size_t i = 0; !err && i < im->plan.n_tasks; i++) {
        err = read_done(&e, i, own, why);
        arena_reset(own);
    }
    json_end_array(&e.shown_json);
    if (!err)
        err = buf_err(&e.shown, why);
    if (!err && e.stats.n_records == 0)
        err = err_set(why, ERR_INVALID,
                      "no record could be read; %lld were quarantined, %lld "
                      "files failed",
                      (long long)e.n_bad, (long long)e.n_failures);
    if (!err && im->base.id.len && e.n_bad == 0 && e.n_failures == 0 &&
        e.stats.n_records == im->base.n_records)
        err = nothing_new(&e, why);
    else if (!err)
        err = publish(&e, spec, why);
    arena_free(own);
    return err;
}

static void drop_uploads(struct import *im, const struct json *spec)
{
    const struct json *paths = json_get(spec, "paths");
    for (size_t i = 0; json_get_bool(spec, "upload", false) && i < json_len(paths); i++) {
        char *path = str_z(job_arena(im->job), json_str(json_at(paths, i), STR("")));
        struct why why = {0};
        if (path && file_remove(path, &why))
            job_log(im->job, "the uploaded file was not removed: %s", why.text);
    }
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct import im = {.data = ctx, .job = job};
    struct arena *arena = job_arena(job);
    const struct json *spec = job_spec(job);
    im.dir = file_join(arena, job_dir(job), "work");
    size_t threads = (size_t)conf_int(im.data->opts.conf, "data.threads");
    enum err err = im.dir ? work_folder(im.dir, why)
                          : err_set(why, ERR_NO_MEMORY, "could not begin the import");
    if (!err)
        err = import_plan_make(spec, im.dir, job_actor(job).tenant, arena, &im.plan, why);
    if (!err)
        err = open_base(&im, spec, why);
    if (!err)
        err = pool_each(threads, im.plan.n_tasks, each_task, &im, why);
    if (!err)
        err = end(&im, spec, why);
    if (err)
        return err;
    drop_uploads(&im, spec);
    struct why none = {0};
    if (file_remove(im.dir, &none))
        job_log(job, "the work folder was not removed: %s", none.text);
    return ERR_OK;
}

const struct job_kind data_import_job = {
    .name = "data.import",
    .summary = "Read files into a data set",
    .permission = "data.write",
    .memory_bytes = (int64_t)1 << 30,
    .max_attempts = 10,
    .run = run,
};
