#include "data/work.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/pool.h"
#include "data/merge.h"
#include "data/whole.h"

#define NAME       4096
#define TASK_NOTES ((size_t)64 << 20) /* arena of a task's own counts */
#define BOOT_ID    "/proc/sys/kernel/random/boot_id"

static const char *const parts[] = {"out", "trail", "note"};
enum { OUT, TRAIL, NOTE, PARTS };

static void name_of(const struct work *w, size_t stage, size_t shard, const char *suffix,
                    char out[NAME])
{
    (void)snprintf(out, NAME, "%s/s%zu-%zu.%s", w->dir, stage, shard, suffix);
}

/* ---- stages ---- */

/* The DATA_WHOLE step number i, or n_steps behind the last. */
static size_t whole_step(const struct pipeline *p, size_t i)
{
    for (size_t s = 0; s < p->n_steps; s++)
        if (p->steps[s].op->effect == DATA_WHOLE && i-- == 0)
            return s;
    return p->n_steps;
}

size_t work_n_stages(const struct pipeline *pipeline)
{
    size_t n = 1;
    for (size_t s = 0; s < pipeline->n_steps; s++)
        n += pipeline->steps[s].op->effect == DATA_WHOLE;
    return n;
}

static bool is_last(const struct work *w, size_t stage)
{
    return stage + 1 == work_n_stages(w->pipeline);
}

/* ---- the folder ---- */

static struct str boot_id(struct arena *arena)
{
    struct str id = STR("");
    int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
    char *text = arena_bytes(arena, 64);
    ssize_t n = fd >= 0 && text ? read(fd, text, 64) : 0;
    if (fd >= 0)
        (void)close(fd);
    if (n > 0)
        id = str_trim((struct str){text, (size_t)n});
    return id;
}

enum err work_folder(const char *dir, struct why *why)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    char *mark = arena ? file_join(arena, dir, "boot") : NULL;
    struct str before = STR("");
    if (!mark) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "could not begin the run");
    }
    struct str now = boot_id(arena);
    enum err err = file_make_dirs(dir, why);
    if (!err && (file_read(mark, 64, arena, &before, NULL) || !str_eq(before, now))) {
        err = file_remove(dir, why);
        if (!err)
            err = file_make_dirs(dir, why);
        if (!err)
            err = file_write(mark, now, 0640, why);
    }
    arena_free(arena);
    return err;
}

/* ---- one task ---- */

struct one {
    const struct work *work;
    size_t stage, shard;
    struct task task;
    struct shard_stats stats;
    struct arena *arena;
    struct file_map lines, verdicts;
    int fds[PARTS];
    int64_t sizes[PARTS];
};

static enum err open_parts(struct one *o, struct why *why)
{
    char name[NAME];
    for (int i = 0; i < PARTS; i++) {
        char suffix[16];
        if (i == NOTE && o->task.note == STR_NPOS)
            continue;
        (void)snprintf(suffix, sizeof suffix, "%s.part", parts[i]);
        name_of(o->work, o->stage, o->shard, suffix, name);
        o->fds[i] = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if (o->fds[i] < 0)
            return err_errno(why, "could not make the work file \"%s\"", name);
    }
    o->task.out_fd = o->fds[OUT];
    o->task.trail_fd = o->fds[TRAIL];
    o->task.note_fd = o->fds[NOTE];
    return ERR_OK;
}

/* Renames the parts to what they are, and notes their sizes. */
static enum err close_parts(struct one *o, struct why *why)
{
    char from[NAME], to[NAME], suffix[16];
    enum err err = ERR_OK;
    for (int i = 0; i < PARTS; i++) {
        if (o->fds[i] < 0)
            continue;
        o->sizes[i] = lseek(o->fds[i], 0, SEEK_END);
        if (close(o->fds[i]) != 0 && !err)
            err = err_errno(why, "could not write a work file");
        o->fds[i] = -1;
        (void)snprintf(suffix, sizeof suffix, "%s.part", parts[i]);
        name_of(o->work, o->stage, o->shard, suffix, from);
        name_of(o->work, o->stage, o->shard, parts[i], to);
        if (!err && rename(from, to) != 0)
            err = err_errno(why, "could not rename the work file \"%s\"", from);
    }
    return err;
}

static enum err map_inputs(struct one *o, struct why *why)
{
    char name[NAME];
    const struct work *w = o->work;
    if (o->stage == 0)
        (void)snprintf(name, sizeof name, "%s", w->shards[o->shard].path);
    else
        name_of(w, o->stage - 1, o->shard, "out", name);
    enum err err = name[0] ? file_map(name, &o->lines, why) : ERR_OK;
    o->task.lines = (struct str){(const char *)o->lines.ptr, o->lines.len};
    if (err || o->task.apply == STR_NPOS)
        return err;
    (void)snprintf(name, sizeof name, "%s/v%zu-%zu", w->dir, o->stage - 1, o->shard);
    err = file_map(name, &o->verdicts, why);
    o->task.verdicts = (struct str){(const char *)o->verdicts.ptr, o->verdicts.len};
    return err;
}

static void put_counts(struct json_out *out, const struct step_count *c)
{
    json_begin_array(out);
    json_put_int(out, c->in);
    json_put_int(out, c->out);
    json_put_int(out, c->changed);
    json_put_int(out, c->made);
    json_put_int(out, c->dropped);
    json_put_int(out, c->failed);
    json_end_array(out);
}

/* All stages' trails of a shard behind one another. */
static enum err join_trails(struct one *o, char path[NAME], struct why *why)
{
    name_of(o->work, o->stage, o->shard, "trails", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(why, "could not make the work file \"%s\"", path);
    enum err err = ERR_OK;
    for (size_t s = 0; s <= o->stage && !err; s++) {
        char name[NAME];
        struct file_map map = {0};
        name_of(o->work, s, o->shard, "trail", name);
        err = file_map(name, &map, why);
        if (!err)
            err = file_write_fd(fd, (struct str){(const char *)map.ptr, map.len}, why);
        file_unmap(&map);
    }
    if (close(fd) != 0 && !err)
        err = err_errno(why, "could not write \"%s\"", path);
    return err;
}

/* The last stage: its files become objects. Few lines wait in their files for those of the shards
 * beside them (work_end). */
static enum err keep(struct one *o, struct json_out *out, struct why *why)
{
    char name[NAME], object[HASH_TEXT] = "", trail[HASH_TEXT] = "";
    uint64_t trail_bytes = 0;
    enum err err = ERR_OK;
    if (merge_waits(o->sizes[OUT])) {
        json_kv_bool(out, "waits", true);
        return join_trails(o, name, why);
    }
    name_of(o->work, o->stage, o->shard, "out", name);
    if (o->sizes[OUT])
        err = objects_put_file(o->work->objects, name, UINT64_MAX, object, NULL, why);
    if (!err)
        err = file_remove(name, why);
    if (!err)
        err = join_trails(o, name, why);
    if (!err)
        err = file_size(name, &trail_bytes, why);
    if (!err && trail_bytes)
        err = objects_put_file(o->work->objects, name, UINT64_MAX, trail, NULL, why);
    if (!err)
        err = file_remove(name, why);
    json_kv_c(out, "object", object);
    json_kv_c(out, "trail", trail);
    return err;
}

static enum err finish(struct one *o, struct why *why)
{
    struct buf buf;
    struct json_out out;
    char name[NAME];
    buf_init(&buf, o->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_int(&out, "bad", o->task.n_bad);
    json_kv_int(&out, "notes", o->task.n_notes);
    json_key(&out, "counts");
    json_begin_array(&out);
    for (size_t i = 0; i < o->work->pipeline->n_steps; i++)
        put_counts(&out, &o->task.counts[i]);
    json_end_array(&out);
    enum err err = ERR_OK;
    if (is_last(o->work, o->stage))
        err = shard_stats_json(&o->stats, &out, why);
    if (!err && is_last(o->work, o->stage) && o->work->objects)
        err = keep(o, &out, why);
    json_end_object(&out);
    if (!err)
        err = buf_err(&buf, why);
    name_of(o->work, o->stage, o->shard, "done", name);
    return err ? err : file_write(name, buf_str(&buf), 0640, why);
}

/* What the stage before left for this task is not needed any more. */
static void sweep(struct one *o)
{
    char name[NAME];
    if (o->stage == 0)
        return;
    name_of(o->work, o->stage - 1, o->shard, "out", name);
    (void)unlink(name);
    (void)snprintf(name, sizeof name, "%s/v%zu-%zu", o->work->dir, o->stage - 1, o->shard);
    (void)unlink(name);
}

static bool one_cancelled(void *ctx)
{
    const struct work *w = ctx;
    return w->cancelled && w->cancelled(w->ctx);
}

static void one_saw(void *ctx, size_t step, enum task_event event, struct str id, struct str before,
                    struct str after, const char *words)
{
    const struct work *w = ctx;
    w->saw(w->ctx, step, event, id, before, after, words);
}

static void plan_task(struct one *o)
{
    const struct work *w = o->work;
    const struct pipeline *p = w->pipeline;
    bool last = is_last(w, o->stage);
    o->task = (struct task){
        .pipeline = p,
        .first = o->stage ? whole_step(p, o->stage - 1) + 1 : 0,
        .last = whole_step(p, o->stage),
        .apply = o->stage ? whole_step(p, o->stage - 1) : STR_NPOS,
        .note = last ? STR_NPOS : whole_step(p, o->stage),
        .input = w->shards[o->shard].input,
        .counts = arena_array(o->arena, struct step_count, p->n_steps + 1),
        .stats = last ? &o->stats : NULL,
        .cancelled = one_cancelled,
        .saw = w->saw ? one_saw : NULL,
        .ctx = (void *)w,
    };
    for (int i = 0; i < PARTS; i++)
        o->fds[i] = -1;
}

static enum err do_task(const struct work *w, size_t stage, size_t shard, struct why *why)
{
    struct one o = {.work = w, .stage = stage, .shard = shard, .arena = arena_new(TASK_NOTES)};
    if (!o.arena)
        return err_set(why, ERR_NO_MEMORY, "could not begin with a shard");
    plan_task(&o);
    shard_stats_init(&o.stats, o.arena);
    enum err err = o.task.counts ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not count");
    if (!err)
        err = map_inputs(&o, why);
    if (!err)
        err = open_parts(&o, why);
    if (!err)
        err = task_run(&o.task, why);
    if (!err)
        err = close_parts(&o, why);
    if (!err)
        err = finish(&o, why);
    for (int i = 0; i < PARTS; i++)
        if (o.fds[i] >= 0)
            (void)close(o.fds[i]);
    file_unmap(&o.lines);
    file_unmap(&o.verdicts);
    if (!err)
        sweep(&o);
    arena_free(o.arena);
    return err;
}

/* ---- a stage ---- */

struct range {
    const struct work *work;
    size_t stage, first;
    _Atomic int64_t done;
};

static enum err range_task(void *ctx, size_t i, struct why *why)
{
    struct range *r = ctx;
    const struct work *w = r->work;
    char name[NAME];
    enum err err = ERR_OK;
    if (one_cancelled((void *)w))
        return err_set(why, ERR_CANCELLED, "the run was cancelled");
    name_of(w, r->stage, r->first + i, "done", name);
    if (!file_exists(name))
        err = do_task(w, r->stage, r->first + i, why);
    int64_t done = ++r->done;
    if (!err && w->progress)
        w->progress(w->ctx, (int64_t)(r->stage * w->n_shards) + done,
                    (int64_t)(work_n_stages(w->pipeline) * w->n_shards), "working on records");
    return err;
}

enum err work_stage(const struct work *w, size_t stage, size_t first, size_t n, struct why *why)
{
    struct range range = {.work = w, .stage = stage, .first = first};
    return pool_each(w->threads, n, range_task, &range, why);
}

/* ---- between stages ---- */

static enum err read_done(const struct work *w, size_t stage, size_t shard, struct arena *arena,
                          const struct json **out, struct why *why)
{
    char name[NAME];
    struct str text;
    name_of(w, stage, shard, "done", name);
    enum err err = file_read(name, TASK_NOTES, arena, &text, why);
    return err ? err : json_parse(text, arena, out, why);
}

static enum err read_bounds(const struct work *w, size_t stage, uint64_t *bounds, struct why *why)
{
    struct arena *arena = arena_new(4 * TASK_NOTES);
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the counts");
    bounds[0] = 0;
    for (size_t i = 0; i < w->n_shards && !err; i++) {
        const struct json *done;
        err = read_done(w, stage, i, arena, &done, why);
        if (!err)
            bounds[i + 1] = bounds[i] + (uint64_t)json_get_int(done, "notes", 0);
        arena_reset(arena);
    }
    arena_free(arena);
    return err;
}

static void drop_notes(const struct work *w, size_t stage)
{
    char name[NAME];
    for (size_t i = 0; i < w->n_shards; i++) {
        name_of(w, stage, i, "note", name);
        (void)unlink(name);
    }
}

/* Shards of a stage are counted as records; what stands between is told by itself. */
static void decide_went(void *ctx, uint64_t done, uint64_t total)
{
    const struct work *w = ctx;
    if (w->progress)
        w->progress(w->ctx, (int64_t)done, (int64_t)total, "looking at all records");
}

enum err work_decide(const struct work *w, size_t stage, struct why *why)
{
    char mark[NAME];
    (void)snprintf(mark, sizeof mark, "%s/v%zu.done", w->dir, stage);
    if (file_exists(mark))
        return ERR_OK;
    uint64_t *bounds = calloc(w->n_shards + 1, sizeof *bounds);
    if (!bounds)
        return err_set(why, ERR_NO_MEMORY, "could not count the records");
    size_t i = whole_step(w->pipeline, stage);
    enum err err = read_bounds(w, stage, bounds, why);
    struct whole_form form = {.step = &w->pipeline->steps[i],
                              .pipeline = w->pipeline,
                              .dir = w->dir,
                              .stage = stage,
                              .bounds = bounds,
                              .n_shards = w->n_shards,
                              .memory = w->memory,
                              .threads = w->threads ? w->threads : pool_cores(),
                              .cancelled = one_cancelled,
                              .went = decide_went,
                              .ctx = (void *)w};
    if (!err)
        err = whole_decide(&form, why);
    free(bounds);
    if (err) {
        err_prefix(why, "step %zu, %s: ", i + 1, w->pipeline->steps[i].op->name);
        return err;
    }
    err = file_write(mark, STR("{}\n"), 0640, why);
    if (!err)
        drop_notes(w, stage);
    return err;
}

/* ---- the end ---- */

static void add_counts(struct step_count *c, const struct json *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct json *x = json_at(list, i);
        c[i].in += json_int(json_at(x, 0), 0);
        c[i].out += json_int(json_at(x, 1), 0);
        c[i].changed += json_int(json_at(x, 2), 0);
        c[i].made += json_int(json_at(x, 3), 0);
        c[i].dropped += json_int(json_at(x, 4), 0);
        c[i].failed += json_int(json_at(x, 5), 0);
    }
}

static enum err end_shard(const struct work *w, size_t shard, struct arena *arena,
                          struct arena *own, struct work_result *out, bool *waits, struct why *why)
{
    size_t stages = work_n_stages(w->pipeline);
    struct shard_info *info = &out->shards[shard];
    enum err err = ERR_OK;
    for (size_t s = 0; s < stages && !err; s++) {
        const struct json *done;
        err = read_done(w, s, shard, own, &done, why);
        if (err)
            break;
        add_counts(out->counts, json_get(done, "counts"), w->pipeline->n_steps);
        out->n_bad += json_get_int(done, "bad", 0);
        if (s + 1 < stages)
            continue;
        err = shard_stats_merge(&out->stats, done, why);
        info->n_records = json_get_int(done, "n_records", 0);
        info->n_bytes = json_get_int(done, "n_bytes", 0);
        info->object = str_copy(arena, json_get_str(done, "object", STR("")));
        info->trail = str_copy(arena, json_get_str(done, "trail", STR("")));
        waits[shard] = json_get_bool(done, "waits", false);
        if (!info->object.ptr || !info->trail.ptr)
            err = err_set(why, ERR_NO_MEMORY, "could not hold the shards");
    }
    return err;
}

enum err work_end(const struct work *w, struct arena *arena, struct work_result *out,
                  struct why *why)
{
    struct arena *own = arena_new(4 * TASK_NOTES);
    *out = (struct work_result){
        .shards = arena_array(arena, struct shard_info, w->n_shards + 1),
        .n_shards = w->n_shards,
        .counts = arena_array(arena, struct step_count, w->pipeline->n_steps + 1),
    };
    bool *waits = arena_array(arena, bool, w->n_shards + 1);
    shard_stats_init(&out->stats, arena);
    enum err err = own && out->shards && out->counts && waits
                       ? ERR_OK
                       : err_set(why, ERR_NO_MEMORY, "could not sum the shards up");
    for (size_t i = 0; i < w->n_shards && !err; i++) {
        err = end_shard(w, i, arena, own, out, waits, why);
        arena_reset(own);
    }
    arena_free(own);
    struct merge merge = {
        w->dir, work_n_stages(w->pipeline) - 1, w->objects, out->shards, waits, w->n_shards};
    return err || !w->objects ? err : merge_small(&merge, arena, why);
}

enum err work_run(const struct work *w, struct arena *arena, struct work_result *out,
                  struct why *why)
{
    size_t stages = work_n_stages(w->pipeline);
    enum err err = work_folder(w->dir, why);
    for (size_t s = 0; s < stages && !err; s++) {
        err = work_stage(w, s, 0, w->n_shards, why);
        if (!err && s + 1 < stages)
            err = work_decide(w, s, why);
    }
    return err ? err : work_end(w, arena, out, why);
}

void work_counts_json(const struct pipeline *p, const struct work_result *r, struct json_out *out)
{
    json_begin_array(out);
    for (size_t i = 0; i < p->n_steps; i++) {
        const struct step_count *c = &r->counts[i];
        json_begin_object(out);
        json_kv_c(out, "op", p->steps[i].op->name);
        json_kv_int(out, "op_version", p->steps[i].op->version);
        json_kv_int(out, "in", c->in);
        json_kv_int(out, "out", c->out);
        json_kv_int(out, "changed", c->changed);
        json_kv_int(out, "made", c->made);
        json_kv_int(out, "dropped", c->dropped);
        json_kv_int(out, "failed", c->failed);
        json_end_object(out);
    }
    json_end_array(out);
}
