#include "data/task.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/scan.h"
#include "data/sink.h"
#include "data/stats.h"

#define WORDS     200
#define ASK_EVERY 256 /* lines between two looks at `cancelled` */

struct data_out {
    struct arena *arena;
    bool dropped;
    char reason[WORDS];
    struct record *parts;
    size_t n, cap;
};

/* The texts of the record in hand, kept over steps that look at the same paths. */
struct texts {
    const struct str *paths;
    size_t n_paths;
    struct record_text *items;
    size_t n;
    bool dirty; /* some were changed and not yet put back */
};

struct run {
    struct task *task;
    struct arena *arena;
    struct arena *seen; /* what `saw` is shown of one step; NULL without it */
    struct sink out, trail, note;
};

/* One record on its way. */
struct trip {
    struct record record;
    struct texts texts;
    struct str from;     /* id of the record that it was made from, or empty */
    uint64_t changed[2]; /* steps that changed it */
};

/* ---- for operators ---- */

void data_drop(struct data_out *out, const char *reason, ...)
{
    va_list args;
    va_start(args, reason);
    (void)vsnprintf(out->reason, sizeof out->reason, reason, args);
    va_end(args);
    out->dropped = true;
}

enum err data_emit(struct data_out *out, const struct record *part, struct why *why)
{
    if (out->n == DATA_MOST_PARTS)
        return err_set(why, ERR_TOO_LARGE, "more than %d records would be made from one",
                       DATA_MOST_PARTS);
    if (out->n == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 8, size = sizeof *out->parts;
        struct record *more = arena_grow(out->arena, out->parts, out->cap * size, cap * size);
        if (!more)
            return err_set(why, ERR_NO_MEMORY, "could not hold the records made from one");
        out->parts = more;
        out->cap = cap;
    }
    out->parts[out->n++] = *part;
    return ERR_OK;
}

bool task_fatal(enum err err)
{
    return err == ERR_CANCELLED || err == ERR_IO || err == ERR_NO_SPACE || err == ERR_UNAVAILABLE;
}

/* ---- the trail ---- */

/* Words that were cut by a fixed size may end within a character. */
static struct str whole_words(const char *words)
{
    struct str s = str_c(words);
    while (s.len && utf8_invalid(s) != STR_NPOS)
        s.len = utf8_invalid(s);
    return s;
}

static enum err put_trail(struct run *run, struct buf *line, struct why *why)
{
    buf_add_c(line, "}\n");
    enum err err = buf_err(line, why);
    return err ? err : sink_add(&run->trail, buf_str(line), why);
}

static void begin_trail(struct run *run, const struct trip *trip, struct buf *line)
{
    buf_init(line, run->arena);
    buf_add_c(line, "{\"id\":");
    scan_quote(line, trip->record.id);
    if (trip->from.len) {
        buf_add_c(line, ",\"from\":");
        scan_quote(line, trip->from);
    }
    const char *sep = ",\"changed\":[";
    for (size_t i = 0; i < 128; i++)
        if (trip->changed[i / 64] >> (i % 64) & 1) {
            buf_printf(line, "%s%zu", sep, i);
            sep = ",";
        }
    if (trip->changed[0] || trip->changed[1])
        buf_char(line, ']');
}

static enum err ended(struct run *run, const struct trip *trip, const char *how, size_t step,
                      const char *words, struct why *why)
{
    struct buf line;
    if (run->trail.fd < 0)
        return ERR_OK;
    begin_trail(run, trip, &line);
    buf_printf(&line, ",\"%s\":%zu,\"why\":", how, step);
    scan_quote(&line, whole_words(words));
    return put_trail(run, &line, why);
}

static struct str as_line(struct run *run, const struct record *record)
{
    struct buf buf;
    buf_init(&buf, run->seen ? run->seen : run->arena);
    record_write(record, &buf);
    return str_trim(buf_str(&buf));
}

static void saw(struct run *run, size_t step, enum task_event event, const struct trip *trip,
                struct str before, const char *words)
{
    struct str after =
        event == TASK_CHANGED || event == TASK_MADE ? as_line(run, &trip->record) : STR_NONE;
    run->task->saw(run->task->ctx, step, event, trip->record.id, before, after, words);
}

/* The record ends at this step. */
static enum err dropped(struct run *run, const struct trip *trip, size_t step, const char *words,
                        struct why *why)
{
    run->task->counts[step].dropped++;
    if (run->task->saw)
        saw(run, step, TASK_DROPPED, trip, as_line(run, &trip->record), words);
    return ended(run, trip, "dropped", step, words, why);
}

static enum err failed(struct run *run, const struct trip *trip, size_t step, enum err err,
                       const struct why *own, struct why *why)
{
    if (task_fatal(err)) {
        err_note(why, "step %zu, %s: %s", step + 1, run->task->pipeline->steps[step].op->name,
                 why_text(own, err));
        if (own->hint[0])
            err_hint(why, "%s", own->hint);
        return err;
    }
    run->task->counts[step].failed++;
    if (run->task->saw)
        saw(run, step, TASK_FAILED, trip, as_line(run, &trip->record), why_text(own, err));
    return ended(run, trip, "failed", step, why_text(own, err), why);
}

/* ---- one step ---- */

static enum err put_back(struct trip *trip, struct why *why)
{
    enum err err = ERR_OK;
    if (trip->texts.dirty)
        err = record_put_texts(&trip->record, trip->texts.items, trip->texts.n, why);
    trip->texts = (struct texts){0};
    return err;
}

static enum err look(struct trip *trip, const struct pipeline_step *step, struct why *why)
{
    struct texts *t = &trip->texts;
    if (t->paths == step->paths && t->n_paths == step->n_paths)
        return ERR_OK;
    bool same = t->paths && t->n_paths == step->n_paths;
    for (size_t i = 0; same && i < t->n_paths; i++)
        same = str_eq(t->paths[i], step->paths[i]);
    if (same)
        return ERR_OK;
    enum err err = put_back(trip, why);
    if (!err)
        err = record_texts(&trip->record, step->paths, step->n_paths, &t->items, &t->n, why);
    if (!err) {
        t->paths = step->paths;
        t->n_paths = step->n_paths;
    }
    return err;
}

static bool same_bytes(struct str a, struct str b)
{
    return a.len == b.len && (a.ptr == b.ptr || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static enum err do_text(struct trip *trip, const struct pipeline_step *step,
                        const struct data_call *call, bool *changed, struct why *why)
{
    enum err err = look(trip, step, why);
    for (size_t i = 0; !err && i < trip->texts.n; i++) {
        struct record_text *t = &trip->texts.items[i];
        struct str out = STR_NONE;
        err = step->op->text(call, t->value, &out, why);
        if (err || same_bytes(out, t->value))
            continue;
        t->value = out;
        t->changed = *changed = trip->texts.dirty = true;
    }
    return err;
}

static struct str joined(struct run *run, const struct texts *t)
{
    struct buf buf;
    if (t->n <= 1)
        return t->n ? t->items[0].value : STR("");
    buf_init(&buf, run->arena);
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            buf_char(&buf, '\n');
        buf_add(&buf, t->items[i].value);
    }
    return buf.failed ? STR_NONE : buf_str(&buf);
}

static enum err do_measure(struct run *run, struct trip *trip, const struct pipeline_step *step,
                           const struct data_call *call, struct data_out *out, struct why *why)
{
    double x = NAN;
    enum err err = look(trip, step, why);
    struct str all = err ? STR_NONE : joined(run, &trip->texts);
    if (!err && !all.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not join the texts of a record");
    if (!err)
        err = step->op->measure(call, all, &x, why);
    if (err || isnan(x))
        return err;
    if (x < step->args[DATA_LEAST].number)
        data_drop(out, "%s %.4g is below %.4g", step->op->name, x, step->args[DATA_LEAST].number);
    else if (x > step->args[DATA_MOST].number)
        data_drop(out, "%s %.4g is above %.4g", step->op->name, x, step->args[DATA_MOST].number);
    return ERR_OK;
}

static enum err do_record(struct trip *trip, const struct pipeline_step *step,
                          const struct data_call *call, struct str verdict, struct data_out *out,
                          bool *changed, struct why *why)
{
    enum err err = put_back(trip, why);
    bool before = trip->record.changed;
    trip->record.changed = false;
    if (!err && step->op->drops)
        data_drop(out, "%s", step->op->drops);
    else if (!err && step->op->effect == DATA_WHOLE)
        err = step->op->apply(call, &trip->record, verdict, out, why);
    else if (!err)
        err = step->op->record(call, &trip->record, out, why);
    *changed = trip->record.changed;
    trip->record.changed |= before;
    return err;
}

static struct data_call call_of(struct run *run, const struct pipeline_step *step)
{
    return (struct data_call){.args = step->args,
                              .made = step->made,
                              .arena = run->arena,
                              .seed = run->task->pipeline->seed,
                              .input = run->task->input,
                              .kind = step->takes,
                              .paths = step->paths,
                              .n_paths = step->n_paths,
                              .objects = run->task->pipeline->objects};
}

static enum err travel(struct run *run, struct trip *trip, size_t step, struct why *why);

static enum err send_parts(struct run *run, const struct trip *parent, size_t step,
                           const struct data_out *out, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < out->n && !err; i++) {
        struct trip part = {.record = out->parts[i], .from = parent->record.id};
        run->task->counts[step].made++;
        if (run->task->saw)
            saw(run, step, TASK_MADE, &part, STR_NONE, "");
        err = travel(run, &part, step + 1, why);
    }
    return err;
}

/* One step; *gone when the record ended there. Parts go their whole way before it goes on. */
static enum err take_step(struct run *run, struct trip *trip, size_t i, struct str verdict,
                          bool *gone, struct why *why)
{
    const struct pipeline_step *step = &run->task->pipeline->steps[i];
    struct data_call call = call_of(run, step);
    struct data_out out = {.arena = run->arena};
    struct why own = {0};
    bool changed = false;
    struct str before = STR_NONE;
    if (run->task->saw) {
        arena_reset(run->seen);
        enum err err = put_back(trip, &own);
        if (err)
            return failed(run, trip, i, err, &own, why);
        before = as_line(run, &trip->record);
    }
    enum err err;
    if (step->op->effect == DATA_TEXT)
        err = do_text(trip, step, &call, &changed, &own);
    else if (step->op->effect == DATA_MEASURE)
        err = do_measure(run, trip, step, &call, &out, &own);
    else
        err = do_record(trip, step, &call, verdict, &out, &changed, &own);
    *gone = err || out.dropped;
    if (err)
        return failed(run, trip, i, err, &own, why);
    if (changed) {
        run->task->counts[i].changed++;
        trip->changed[i / 64] |= 1ull << (i % 64);
    }
    if (changed && run->task->saw && !out.dropped) {
        err = put_back(trip, why);
        saw(run, i, TASK_CHANGED, trip, before, "");
    }
    if (!err)
        err = send_parts(run, trip, i, &out, why);
    if (!err && out.dropped)
        err = dropped(run, trip, i, out.reason, why);
    return err;
}

/* ---- the way of a record ---- */

static enum err leave_note(struct run *run, struct trip *trip, bool *gone, struct why *why)
{
    size_t i = run->task->note;
    const struct pipeline_step *step = &run->task->pipeline->steps[i];
    struct data_call call = call_of(run, step);
    struct why own = {0};
    struct buf note;
    buf_init(&note, run->arena);
    run->task->counts[i].in++;
    enum err err = step->op->note(&call, &trip->record, &note, &own);
    if (!err)
        err = buf_err(&note, &own);
    if (!err && step->note_bytes && note.len != step->note_bytes)
        err = err_set(&own, ERR_INTERNAL, "a note of %zu bytes and not %zu", note.len,
                      step->note_bytes);
    *gone = err;
    if (err)
        return failed(run, trip, i, err, &own, why);
    uint32_t len = (uint32_t)note.len;
    run->task->n_notes++;
    if (!step->note_bytes)
        err = sink_add(&run->note, (struct str){(const char *)&len, sizeof len}, why);
    return err ? err : sink_add(&run->note, buf_str(&note), why);
}

static enum err arrive(struct run *run, struct trip *trip, struct why *why)
{
    struct task *task = run->task;
    struct buf line;
    bool gone = false;
    enum err err = put_back(trip, why);
    if (!err && task->note != STR_NPOS)
        err = leave_note(run, trip, &gone, why);
    if (err || gone)
        return err;
    struct str bytes = trip->record.line;
    if (trip->record.changed || !bytes.ptr) {
        buf_init(&line, run->arena);
        record_write(&trip->record, &line);
        err = buf_err(&line, why);
        bytes = str_slice(buf_str(&line), 0, line.len ? line.len - 1 : 0);
    }
    if (!err && task->stats)
        err = shard_stats_add(task->stats, &trip->record, bytes.len + 1, why);
    if (!err)
        err = sink_add(&run->out, bytes, why);
    if (!err)
        err = sink_add(&run->out, STR("\n"), why);
    if (err || run->trail.fd < 0 || (!trip->changed[0] && !trip->changed[1] && !trip->from.len))
        return err;
    begin_trail(run, trip, &line);
    return put_trail(run, &line, why);
}

static enum err travel(struct run *run, struct trip *trip, size_t step, struct why *why)
{
    bool gone = false;
    for (size_t i = step; i < run->task->last && !gone; i++) {
        run->task->counts[i].in++;
        enum err err = take_step(run, trip, i, STR_NONE, &gone, why);
        if (err)
            return err;
        run->task->counts[i].out += !gone;
    }
    return gone ? ERR_OK : arrive(run, trip, why);
}

/* A line that is no record: such a one cannot come out of a version, but may come into one. */
static enum err bad_line(struct run *run, size_t number, const struct why *own, enum err cause,
                         struct why *why)
{
    struct buf line;
    run->task->n_bad++;
    if (run->task->saw)
        run->task->saw(run->task->ctx, STR_NPOS, TASK_FAILED, STR(""), STR_NONE, STR_NONE,
                       why_text(own, cause));
    if (run->trail.fd < 0)
        return ERR_OK;
    buf_init(&line, run->arena);
    buf_printf(&line, "{\"line\":%zu,\"failed\":-1,\"why\":", number);
    scan_quote(&line, whole_words(why_text(own, cause)));
    return put_trail(run, &line, why);
}

/* Verdicts come in the order of the lines that had a note, which are all of this shard. */
static enum err next_verdict(struct task *task, size_t *at, struct str *out, struct why *why)
{
    uint32_t len;
    if (task->verdicts.len - *at < sizeof len)
        return err_set(why, ERR_CORRUPT, "there are fewer verdicts than records");
    memcpy(&len, task->verdicts.ptr + *at, sizeof len);
    *at += sizeof len;
    if (task->verdicts.len - *at < len)
        return err_set(why, ERR_CORRUPT, "the verdicts are cut off");
    *out = (struct str){task->verdicts.ptr + *at, len};
    *at += len;
    return ERR_OK;
}

static enum err one_line(struct run *run, struct str line, size_t number, struct str verdict,
                         struct why *why)
{
    struct task *task = run->task;
    struct trip trip = {.from = STR("")};
    struct why own = {0};
    bool gone = false;
    enum err err = record_read(line, run->arena, &trip.record, &own);
    if (!err && !trip.record.id.len)
        err = err_set(&own, ERR_INVALID, "the record has no id");
    if (err)
        return bad_line(run, number, &own, err, why);
    if (task->apply != STR_NPOS) {
        if (verdict.len)
            err = take_step(run, &trip, task->apply, verdict, &gone, why);
        if (err)
            return err;
        task->counts[task->apply].out += !gone;
    }
    err = gone ? ERR_OK : travel(run, &trip, task->first, &own);
    if (!err)
        return ERR_OK;
    if (task_fatal(err)) {
        err_note(why, "%s", why_text(&own, err));
        return err;
    }
    arena_reset(run->arena); /* too large to be written: its id went with the memory */
    return bad_line(run, number, &own, err, why);
}

static enum err all_lines(struct run *run, struct why *why)
{
    struct task *task = run->task;
    struct str rest = task->lines, line, verdict = STR_NONE;
    size_t number = 0, at = 0;
    enum err err = ERR_OK;
    while (!err && str_next(&rest, '\n', &line)) {
        if (number++ % ASK_EVERY == 0 && task->cancelled && task->cancelled(task->ctx))
            return err_set(why, ERR_CANCELLED, "the run was cancelled");
        if (!line.len)
            continue;
        if (task->apply != STR_NPOS)
            err = next_verdict(task, &at, &verdict, why);
        if (!err)
            err = one_line(run, line, number, verdict, why);
        arena_reset(run->arena);
    }
    return err;
}

enum err task_run(struct task *task, struct why *why)
{
    struct run run = {.task = task,
                      .arena = arena_new(TASK_ARENA),
                      .seen = task->saw ? arena_new(TASK_ARENA) : NULL,
                      .out = {.fd = task->out_fd},
                      .trail = {.fd = task->trail_fd},
                      .note = {.fd = task->note_fd}};
    char *room = malloc(3 * SINK_BYTES);
    enum err err = ERR_OK;
    if (!run.arena || !room || (task->saw && !run.seen))
        err = err_set(why, ERR_NO_MEMORY, "could not begin with a shard");
    run.out.ptr = room;
    run.trail.ptr = room ? room + SINK_BYTES : NULL;
    run.note.ptr = room ? room + 2 * SINK_BYTES : NULL;
    if (!err)
        err = all_lines(&run, why);
    if (!err)
        err = sink_flush(&run.out, why);
    if (!err)
        err = sink_flush(&run.trail, why);
    if (!err)
        err = sink_flush(&run.note, why);
    free(room);
    arena_free(run.seen);
    arena_free(run.arena);
    return err;
}
