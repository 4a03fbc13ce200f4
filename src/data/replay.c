/* data/replay - what a run did with one record, step by step; and what it let go, with reasons. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "data/room.h"
#include "data/try.h"

#define ROOM         ((size_t)512 << 20)
#define MOST_EVENTS  200
#define MOST_SHOWN   16384 /* bytes of a line that is shown */
#define MOST_REASONS 200
#define MOST_ENDED   500000 /* lines of trails that are looked at */

/* ---- one record through the steps again ---- */

struct event {
    size_t step;
    enum task_event what;
    struct str id, before, after, words;
};

struct replay {
    struct arena *arena;
    struct event events[MOST_EVENTS];
    size_t n;
};

static struct str shown(struct replay *r, struct str s)
{
    /* A line that is cut is no JSON any more; the page shows it as it is. */
    size_t len = s.len < MOST_SHOWN ? s.len : MOST_SHOWN;
    while (len && len < s.len && (s.ptr[len] & 0xC0) == 0x80)
        len--;
    return str_copy(r->arena, str_slice(s, 0, len));
}

static void saw(void *ctx, size_t step, enum task_event event, struct str id, struct str before,
                struct str after, const char *words)
{
    struct replay *r = ctx;
    if (step == STR_NPOS || r->n == MOST_EVENTS)
        return;
    r->events[r->n++] = (struct event){step,
                                       event,
                                       str_copy(r->arena, id),
                                       shown(r, before),
                                       shown(r, after),
                                       str_copy(r->arena, str_c(words))};
}

/* "a-1.2~3" came from "a-1.2", that from "a-1". False when there is nothing before it. */
static bool strip(struct str *id)
{
    size_t at = id->len;
    while (at > 0 && id->ptr[at - 1] != '.' && id->ptr[at - 1] != '~')
        at--;
    if (!at)
        return false;
    *id = str_slice(*id, 0, at - 1);
    return true;
}

struct origin {
    struct dataset_version version; /* the input that holds it */
    size_t input;
    struct str id, line;
};

/* The record of an input of the run that `id` descends from. */
static enum err find_origin(struct data *data, const struct dataset_version *v, struct str id,
                            struct arena *arena, struct origin *out, struct why *why)
{
    struct store_rows rows;
    struct dataset_version *inputs;
    enum err err = store_ask(data->opts.store,
                             "SELECT from_id FROM data_edges WHERE to_kind = 'run' AND to_id = ? "
                             "AND from_kind = 'version' ORDER BY from_id",
                             STORE_ARGS(SV_STR(v->run)), arena, &rows, why);
    inputs = err ? NULL : arena_array(arena, struct dataset_version, rows.n_rows + 1);
    if (!err && !inputs)
        err = err_set(why, ERR_NO_MEMORY, "could not follow the record");
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        err = dataset_version_by_id(data, store_str(&rows, i, 0), arena, &inputs[i], why);
        if (!err)
            err = dataset_shards(data, &inputs[i], arena, why);
    }
    do {
        for (size_t i = 0; !err && i < rows.n_rows; i++) {
            err = dataset_line(data, &inputs[i], id, arena, &out->line, why);
            if (!err && out->line.ptr) {
                out->version = inputs[i];
                out->id = id;
                return ERR_OK;
            }
        }
    } while (!err && strip(&id));
    return err ? err
               : err_set(why, ERR_NOT_FOUND, "no input of the run holds what became this record");
}

/* The steps that look at one record alone; *numbers are theirs in the spec. */
static enum err alone(struct pipeline *p, struct arena *arena, size_t **numbers, struct why *why)
{
    struct pipeline_step *steps = arena_array(arena, struct pipeline_step, p->n_steps + 1);
    size_t n = 0;
    *numbers = arena_array(arena, size_t, p->n_steps + 1);
    if (!steps || !*numbers)
        return err_set(why, ERR_NO_MEMORY, "could not follow the record");
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].op->effect != DATA_WHOLE) {
            (*numbers)[n] = i;
            steps[n++] = p->steps[i];
        }
    p->steps = steps;
    p->n_steps = n;
    return ERR_OK;
}

static void put_replay(const struct replay *r, const struct pipeline *p, const size_t *numbers,
                       const struct origin *origin, struct json_out *out)
{
    static const char *const what[] = {"changed", "dropped", "failed", "made"};
    json_key(out, "input");
    json_begin_object(out);
    json_kv_str(out, "dataset", origin->version.set_name);
    json_kv_int(out, "number", origin->version.number);
    json_kv_str(out, "id", origin->id);
    json_end_object(out);
    json_key(out, "record");
    json_put_raw(out, origin->line);
    json_key(out, "steps");
    json_begin_array(out);
    for (size_t i = 0; i < r->n; i++) {
        const struct event *e = &r->events[i];
        json_begin_object(out);
        json_kv_int(out, "step", (int64_t)numbers[e->step]);
        json_kv_c(out, "op", p->steps[e->step].op->name);
        json_kv_c(out, "what", what[e->what]);
        json_kv_str(out, "id", e->id);
        json_kv_str(out, "before", e->before);
        json_kv_str(out, "after", e->after);
        json_kv_str(out, "why", e->words);
        json_end_object(out);
    }
    json_end_array(out);
    json_kv_bool(out, "cut", r->n == MOST_EVENTS);
}

static void put_whole(const struct pipeline *p, struct json_out *out)
{
    json_key(out, "whole");
    json_begin_array(out);
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].op->effect == DATA_WHOLE)
            json_put_int(out, (int64_t)i);
    json_end_array(out);
}

static enum err read_run(struct data *data, const struct dataset_version *v, struct arena *arena,
                         const struct json **spec, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_ask(data->opts.store, "SELECT spec FROM data_runs WHERE id = ? AND kind = 'pipeline'",
                  STORE_ARGS(SV_STR(v->run)), arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_UNSUPPORTED, "version %lld was not made by a pipeline",
                      (long long)v->number);
    return err ? err : json_parse(store_str(&rows, 0, 0), arena, spec, why);
}

/* The references are those that the run had: their numbers stand in the spec. */
static enum err read_spec(struct data *data, const struct ops_identity *who,
                          const struct json *spec, const struct origin *origin, struct arena *arena,
                          struct pipeline *out, struct why *why)
{
    struct pipeline_input *inputs, *references = NULL;
    size_t n, m = 0;
    enum err err = pipeline_inputs(spec, arena, &inputs, &n, why);
    if (!err)
        err = pipeline_references(spec, arena, &references, &m, why);
    struct dataset_version *versions =
        err ? NULL : arena_array(arena, struct dataset_version, n + m + 1);
    if (!err && !versions)
        err = err_set(why, ERR_NO_MEMORY, "could not follow the record");
    for (size_t i = 0; !err && i < m; i++) {
        struct dataset set;
        err = dataset_find(data, who, references[i].dataset, arena, &set, why);
        if (!err)
            err = dataset_version_find(data, &set, references[i].version, arena, &versions[n + i],
                                       why);
    }
    if (err)
        return err;
    versions[0].kind = origin->version.kind;
    return data_read_pipeline(data, who, spec, versions, arena, out, why);
}

static enum err replay(struct data *data, const struct ops_identity *who,
                       const struct dataset_version *v, struct str id, struct arena *arena,
                       struct json_out *out, struct why *why)
{
    const struct json *spec = NULL;
    struct origin origin;
    struct pipeline pipeline;
    struct work_result result;
    size_t *numbers = NULL;
    struct replay *r = arena_one(arena, struct replay);
    enum err err = r ? read_run(data, v, arena, &spec, why)
                     : err_set(why, ERR_NO_MEMORY, "could not follow the record");
    if (!err)
        err = find_origin(data, v, id, arena, &origin, why);
    /* Who may see what came out need not see what went in: it may be what was masked. */
    struct dataset set;
    if (!err)
        err = dataset_find(data, who, origin.version.set_name, arena, &set, why);
    if (!err)
        err = read_spec(data, who, spec, &origin, arena, &pipeline, why);
    if (err)
        return err;
    *r = (struct replay){.arena = arena};
    json_begin_object(out);
    put_whole(&pipeline, out);
    size_t input = 0;
    for (size_t i = 0; i < pipeline.n_inputs; i++)
        if (str_eq(pipeline.inputs[i].dataset, origin.version.set_name))
            input = i;
    struct str line = str_printf(arena, "%.*s\n", STR_FMT(origin.line));
    struct try_input one = {.lines = line, .input = input};
    struct try_form form = {
        .pipeline = &pipeline, .inputs = &one, .n_inputs = 1, .temp = "/tmp", .saw = saw, .ctx = r};
    err = alone(&pipeline, arena, &numbers, why);
    if (!err && pipeline.n_steps)
        err = try_run(&form, arena, &result, NULL, NULL, why);
    if (!err)
        put_replay(r, &pipeline, numbers, &origin, out);
    json_end_object(out);
    return err;
}

static enum err open_version(struct data *data, const struct ops_identity *who, struct str name,
                             int64_t number, struct arena *arena, struct dataset_version *out,
                             struct why *why)
{
    struct dataset set;
    enum err err = dataset_find(data, who, name, arena, &set, why);
    return err ? err : dataset_version_find(data, &set, number, arena, out, why);
}

enum err data_replay_json(struct data *data, const struct ops_identity *who, struct str name,
                          int64_t version, struct str id, struct arena *arena, struct json_out *out,
                          struct why *why)
{
    struct arena *own = arena_new(ROOM);
    struct dataset_version v;
    (void)arena;
    enum err err = own ? open_version(data, who, name, version, own, &v, why)
                       : err_set(why, ERR_NO_MEMORY, "could not follow the record");
    if (!err)
        err = replay(data, who, &v, id, own, out, why);
    arena_free(own);
    return err;
}

/* ---- what a run let go ---- */

struct ended {
    const struct data_ended *look;
    struct arena *arena, *own;
    struct json_out *out;
    int64_t number, next; /* of the record that ended; where to go on, -1 at the end */
    size_t n;
    struct map reasons;
};

/* Of a figure ("0.97") or the id of a record ("0dc74d68-587"). */
static bool in_figure(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-';
}

/* Words without what differs from record to record: figures, ids and quoted values. */
static struct str pattern(struct str words, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < words.len; i++) {
        char c = words.ptr[i];
        size_t end = c == '"' ? str_find_from(words, STR("\""), i + 1) : STR_NPOS;
        if (end != STR_NPOS) {
            buf_add_c(&out, "\"…\"");
            i = end;
        } else if (in_figure(c)) {
            bool figure = false;
            size_t from = i;
            for (; i < words.len && in_figure(words.ptr[i]); i++)
                figure |= words.ptr[i] >= '0' && words.ptr[i] <= '9';
            buf_add(&out, figure ? STR("N") : str_slice(words, from, i));
            i--;
        } else {
            buf_char(&out, c);
        }
    }
    return buf_str(&out);
}

static enum err count_reason(struct ended *e, const char *what, int64_t step, struct str words,
                             struct why *why)
{
    struct str key =
        str_printf(e->own, "%s %lld %.*s", what, (long long)step, STR_FMT(pattern(words, e->own)));
    struct map_entry *found = map_find(&e->reasons, key);
    if (!found && e->reasons.n < MOST_REASONS) {
        key = str_copy(e->arena, key);
        found = key.ptr ? map_put(&e->reasons, key, NULL) : NULL;
        if (!found)
            return err_set(why, ERR_NO_MEMORY, "could not count the reasons");
    }
    if (found)
        found->value.i++;
    return ERR_OK;
}

static enum err ended_line(struct ended *e, struct str line, struct why *why)
{
    const struct json *trail;
    arena_reset(e->own);
    if (str_find(line, STR("\"dropped\":")) == STR_NPOS &&
        str_find(line, STR("\"failed\":")) == STR_NPOS)
        return ERR_OK;
    enum err err = json_parse(line, e->own, &trail, why);
    if (err)
        return err;
    bool dropped = json_get(trail, "dropped") != NULL, failed = json_get(trail, "failed") != NULL;
    const char *what = dropped ? "dropped" : "failed";
    int64_t step = json_get_int(trail, what, -1), number = e->number;
    if (!dropped && !failed)
        return ERR_OK; /* the words stood in the id */
    const struct data_ended *look = e->look;
    e->number++;
    struct str words = json_get_str(trail, "why", STR(""));
    if (look->from == 0)
        err = count_reason(e, what, step, words, why);
    if (err || (look->what.len && !str_eq_c(look->what, what)) ||
        (look->step > -2 && look->step != step) || number < look->from)
        return err;
    if (e->n == look->n) {
        if (e->next < 0)
            e->next = number;
        return ERR_OK;
    }
    e->n++;
    json_begin_object(e->out);
    json_kv_str(e->out, "id", json_get_str(trail, "id", STR("")));
    json_kv_int(e->out, "step", step);
    json_kv_c(e->out, "what", what);
    json_kv_str(e->out, "why", words);
    json_end_object(e->out);
    return ERR_OK;
}

static enum err put_reasons(const struct ended *e, struct why *why)
{
    const struct map_entry **list = stats_sorted(&e->reasons);
    if (!list)
        return err_set(why, ERR_NO_MEMORY, "could not count the reasons");
    json_key(e->out, "reasons");
    json_begin_array(e->out);
    for (size_t i = 0; i < e->reasons.n; i++) {
        struct str rest = list[i]->key, what, step;
        int64_t number = -1;
        (void)!str_next(&rest, ' ', &what);
        (void)!str_next(&rest, ' ', &step);
        (void)!str_to_i64(step, &number);
        json_begin_object(e->out);
        json_kv_str(e->out, "what", what);
        json_kv_int(e->out, "step", number);
        json_kv_str(e->out, "why", rest);
        json_kv_int(e->out, "n", list[i]->value.i);
        json_end_object(e->out);
    }
    json_end_array(e->out);
    return ERR_OK;
}

enum err data_ended_json(struct data *data, const struct ops_identity *who, struct str name,
                         int64_t number, const struct data_ended *look, struct arena *arena,
                         struct json_out *out, struct why *why)
{
    struct dataset_version v;
    struct ended e = {
        .look = look, .arena = arena, .own = arena_new((size_t)64 << 20), .out = out, .next = -1};
    map_init(&e.reasons, arena);
    enum err err = e.own ? open_version(data, who, name, number, arena, &v, why)
                         : err_set(why, ERR_NO_MEMORY, "could not read what became of the records");
    if (!err && (look->n < 1 || look->n > 1000 || look->from < 0))
        err = err_set(why, ERR_INVALID, "1 to 1000 records, from 0 on");
    if (!err && look->what.len && !str_eq_c(look->what, "dropped") &&
        !str_eq_c(look->what, "failed"))
        err = err_set(why, ERR_INVALID, "\"what\" is dropped or failed");
    if (!err)
        err = dataset_shards(data, &v, arena, why);
    if (err) {
        arena_free(e.own);
        return err;
    }
    json_begin_object(out);
    json_key(out, "items");
    json_begin_array(out);
    for (size_t s = 0; !err && s < v.n_shards && e.number < look->from + MOST_ENDED; s++) {
        struct file_map map;
        if (!v.shards[s].trail.len)
            continue;
        err = dataset_map(data, v.shards[s].trail, arena, &map, why);
        if (err)
            break;
        struct str rest = {(const char *)map.ptr, map.len}, line;
        /* A page behind the first has no reasons to count: it ends with its last record. */
        while (!err && !(look->from > 0 && e.next >= 0) && str_next(&rest, '\n', &line))
            err = ended_line(&e, line, why);
        file_unmap(&map);
    }
    json_end_array(out);
    json_key(out, "next");
    if (e.next >= 0)
        json_put_int(out, e.next);
    else
        json_put_null(out);
    if (!err)
        err = put_reasons(&e, why);
    json_end_object(out);
    arena_free(e.own);
    return err;
}
