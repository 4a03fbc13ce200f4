/* data/view - records and operators for the rooms above, without a pipeline and its run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "data/pipeline.h"
#include "data/room.h"
#include "data/sink.h"
#include "data/spec.h"
#include "data/task.h"

#define GAUGE_ROOM ((size_t)256 << 20) /* word lists and dictionaries */

/* ---- one record ---- */

static enum err kind_of(struct str name, enum record_kind *out, struct why *why)
{
    if (record_kind_parse(name, out))
        return ERR_OK;
    return err_set(why, ERR_INVALID, "there is no kind of records \"%.*s\"", SHOW(name));
}

static enum err join(const struct record_text *texts, size_t n, struct arena *arena,
                     struct str *out, struct why *why)
{
    struct buf buf;
    if (n <= 1) {
        *out = n ? texts[0].value : STR("");
        return ERR_OK;
    }
    buf_init(&buf, arena);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&buf, '\n');
        buf_add(&buf, texts[i].value);
    }
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

enum err data_view(struct str kind, struct str line, struct arena *arena, struct data_view *out,
                   struct why *why)
{
    struct record record;
    struct record_text *texts = NULL;
    struct why own = {0};
    enum record_kind which;
    size_t n_paths;
    *out = (struct data_view){0};
    enum err err = kind_of(kind, &which, why);
    if (!err)
        err = record_read(line, arena, &record, why);
    if (err)
        return err;
    out->id = record.id;
    out->source = record_source(record.id);
    out->label = record_str(&record, "label");
    out->split = record_str(&record, "split");
    out->meta = record_raw(&record, "meta");
    err = record_check(&record, which, &own);
    if (err == ERR_NO_MEMORY)
        return err_set(why, err, "%s", why_text(&own, err));
    if (err)
        (void)snprintf(out->fault, sizeof out->fault, "%s", why_text(&own, err));
    const struct str *paths = record_paths(which, &n_paths);
    err = record_texts(&record, paths, n_paths, &texts, &out->n_texts, why);
    return err ? err : join(texts, out->n_texts, arena, &out->text, why);
}

/* ---- one measure ---- */

struct data_gauge {
    struct arena *arena;
    const struct data_op *op;
    struct data_arg *args;
    const void *made;
};

static enum err prepare(struct data *data, struct data_gauge *g, struct str args, struct why *why)
{
    const struct json *json = NULL;
    enum err err = json_parse(args.len ? args : STR("{}"), g->arena, &json, why);
    if (!err)
        err = spec_args(g->op, json, g->arena, &g->args, why);
    struct data_prepare p = {g->args, g->arena, data->models};
    return err || !g->op->prepare ? err : g->op->prepare(&p, &g->made, why);
}

enum err data_gauge_open(struct data *data, const char *op, struct str args,
                         struct data_gauge **out, struct why *why)
{
    const struct data_op *found = data_op_find(str_c(op));
    if (!found || found->effect != DATA_MEASURE)
        return err_set(why, ERR_NOT_FOUND, "there is no operator \"%s\" that measures", op);
    struct arena *arena = arena_new(GAUGE_ROOM);
    struct data_gauge *g = arena ? arena_one(arena, struct data_gauge) : NULL;
    enum err err = g ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not prepare \"%s\"", op);
    if (!err) {
        *g = (struct data_gauge){.arena = arena, .op = found};
        err = prepare(data, g, args, why);
    }
    if (err)
        arena_free(arena);
    else
        *out = g;
    return err;
}

enum err data_gauge_read(const struct data_gauge *g, struct str text, struct arena *arena,
                         double *out, struct why *why)
{
    size_t n_paths;
    const struct str *paths = record_paths(RECORD_TEXT, &n_paths);
    struct data_call call = {.args = g->args,
                             .made = g->made,
                             .arena = arena,
                             .kind = RECORD_TEXT,
                             .paths = paths,
                             .n_paths = n_paths};
    *out = NAN;
    return g->op->measure(&call, text, out, why);
}

void data_gauge_close(struct data_gauge *g)
{
    if (g)
        arena_free(g->arena);
}

/* ---- lines through steps ---- */

static enum err steps_of(struct data *data, enum record_kind kind, struct str steps,
                         struct arena *arena, struct pipeline *out, struct why *why)
{
    const struct json *spec = NULL;
    struct str text = str_printf(arena,
                                 "{\"input\":{\"dataset\":\"in\"},\"output\":{\"dataset\":"
                                 "\"out\"},\"steps\":%.*s}",
                                 STR_FMT(steps));
    enum err err = text.ptr ? json_parse(text, arena, &spec, why)
                            : err_set(why, ERR_NO_MEMORY, "could not read the steps");
    if (!err)
        err = pipeline_read(spec, kind, data->models, arena, out, why);
    if (!err)
        out->objects = data->opts.objects;
    for (size_t i = 0; !err && i < out->n_steps; i++)
        if (out->steps[i].op->effect == DATA_WHOLE)
            err = err_set(why, ERR_UNSUPPORTED, "\"%s\" needs the whole data set",
                          out->steps[i].op->name);
    return err;
}

static enum err pass(const struct pipeline *pipeline, struct str lines, int fd, struct arena *arena,
                     struct data_shaped *out, struct why *why)
{
    struct step_count *counts = arena_array(arena, struct step_count, pipeline->n_steps + 1);
    struct task task = {.pipeline = pipeline,
                        .last = pipeline->n_steps,
                        .apply = STR_NPOS,
                        .note = STR_NPOS,
                        .lines = lines,
                        .out_fd = fd,
                        .trail_fd = -1,
                        .note_fd = -1,
                        .counts = counts};
    enum err err =
        counts ? task_run(&task, why) : err_set(why, ERR_NO_MEMORY, "could not count the steps");
    if (err)
        return err;
    out->n_left_out = task.n_bad;
    for (size_t i = 0; i < pipeline->n_steps; i++)
        out->n_left_out += counts[i].dropped + counts[i].failed;
    if (pipeline->n_steps) {
        out->n_in = counts[0].in + task.n_bad;
        out->n_out = counts[pipeline->n_steps - 1].out;
    } else {
        for (struct str line; str_next_line(&lines, &line);)
            out->n_in += str_trim(line).len > 0;
        out->n_out = out->n_in - task.n_bad;
    }
    return ERR_OK;
}

/* Appends what `member` names of a record; false when it is not there. */
static bool pick(const struct record *record, const char *member, struct buf *out)
{
    struct str rest = str_c(member), name, raw;
    bool object = member[0] == '{', first = true;
    if (!object) {
        raw = record_raw(record, member);
        buf_add(out, raw);
        return raw.ptr != NULL;
    }
    rest = str_slice(rest, 1, rest.len - 1);
    while (str_next(&rest, ',', &name)) {
        char key[64];
        (void)snprintf(key, sizeof key, "%.*s", STR_FMT(name));
        raw = record_raw(record, key);
        if (!raw.ptr)
            return false;
        buf_printf(out, "%s\"%s\":", first ? "{" : ",", key);
        buf_add(out, raw);
        first = false;
    }
    buf_char(out, '}');
    return true;
}

/* The members of every line, as a line. */
static enum err unwrap(struct str lines, const char *member, int fd, struct data_shaped *out,
                       struct why *why)
{
    struct str line;
    struct arena *arena = arena_new(TASK_ARENA);
    struct sink sink = {.fd = fd, .ptr = malloc(SINK_BYTES)};
    enum err err =
        arena && sink.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not convert the records");
    while (!err && str_next_line(&lines, &line)) {
        struct record record;
        arena_reset(arena);
        err = record_read(line, arena, &record, why);
        struct buf text;
        buf_init(&text, arena);
        if (!err && !pick(&record, member, &text)) {
            out->n_out--;
            out->n_left_out++;
            continue;
        }
        buf_char(&text, '\n');
        if (!err)
            err = buf_err(&text, why);
        if (!err)
            err = sink_add(&sink, buf_str(&text), why);
    }
    if (!err)
        err = sink_flush(&sink, why);
    free(sink.ptr);
    arena_free(arena);
    return err;
}

static enum err pass_member(const struct pipeline *pipeline, struct str lines, const char *member,
                            int fd, struct arena *arena, struct data_shaped *out, struct why *why)
{
    struct stat st;
    void *map = NULL;
    int mem = memfd_create("yicheng-shape", MFD_CLOEXEC);
    if (mem < 0)
        return err_errno(why, "could not hold the converted records");
    enum err err = pass(pipeline, lines, mem, arena, out, why);
    if (!err && fstat(mem, &st) != 0)
        err = err_errno(why, "could not hold the converted records");
    size_t len = err ? 0 : (size_t)st.st_size;
    if (len) {
        map = mmap(NULL, len, PROT_READ, MAP_SHARED, mem, 0);
        if (map == MAP_FAILED)
            err = err_errno(why, "could not read the converted records");
        else
            err = unwrap((struct str){map, len}, member, fd, out, why);
    }
    if (map && map != MAP_FAILED)
        (void)munmap(map, len);
    (void)close(mem);
    return err;
}

enum err data_shape(struct data *data, struct str kind, struct str steps_json, struct str lines,
                    const char *member, int fd, struct data_shaped *out, struct why *why)
{
    enum record_kind which;
    struct pipeline pipeline;
    struct arena *arena = arena_new(GAUGE_ROOM);
    *out = (struct data_shaped){0};
    enum err err = arena ? kind_of(kind, &which, why)
                         : err_set(why, ERR_NO_MEMORY, "could not convert the records");
    if (!err)
        err = steps_of(data, which, steps_json, arena, &pipeline, why);
    if (!err)
        err = member ? pass_member(&pipeline, lines, member, fd, arena, out, why)
                     : pass(&pipeline, lines, fd, arena, out, why);
    arena_free(arena);
    return err;
}
