/* synth/run - the estimate, and the job: records in, records out, marks, budget. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "models/models.h"
#include "synth/synth_in.h"

#define ROOM         ((size_t)768 << 20)
#define RECORD_ROOM  ((size_t)256 << 20)
#define SAMPLE       20 /* records of an estimate */
#define EXAMPLES     5
#define MOST_EXAMPLE ((size_t)16 << 10)
#define OTHER_BYTES  6000
#define MARK_EVERY   50 /* records; after each one when a model was called */
#define MOST_FAILED  5  /* calls that fail one after the other */

struct counts {
    int64_t next, n_passages, n_calls, prompt, completion, n_made, rejected[REJECTS];
};

struct making_run {
    struct synth *synth;
    struct job *job; /* NULL: an estimate */
    struct ops_identity who;
    struct synth_spec spec;
    struct data_reader *reader;
    struct data_writer *writer;
    struct pinyin *pinyin;
    struct arena *arena, *record;
    struct map seen; /* keys of what was made, and of questions of the input */
    int seen_fd;
    struct counts counts;
    int n_failed;
    bool stopped;
    bool plain;  /* the server takes no schema */
    char *other; /* a passage of the record before, for negatives */
    size_t other_len;
    struct json_out *examples; /* of an estimate */
    size_t n_examples;
};

/* ---- what was there before ---- */

static enum err remember(struct making_run *r, uint64_t key, bool *fresh, struct why *why)
{
    char *copy = arena_copy(r->arena, (const char *)&key, sizeof key);
    bool made = false;
    if (!copy || !map_put(&r->seen, (struct str){copy, sizeof key}, &made))
        return err_set(why, ERR_UNAVAILABLE, "could not remember %zu records", r->seen.n);
    *fresh = made;
    return ERR_OK;
}

/* The keys of an earlier start, as many as its mark counts. */
static enum err open_seen(struct making_run *r, struct why *why)
{
    char *path = file_join(r->arena, job_dir(r->job), "seen");
    struct file_map map;
    enum err err = ERR_OK;
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not begin the synthesis");
    r->seen_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (r->seen_fd < 0 || ftruncate(r->seen_fd, r->counts.n_made * (off_t)sizeof(uint64_t)))
        return err_errno(why, "could not open the work file \"%s\"", path);
    err = file_map(path, &map, why);
    for (size_t at = 0; !err && at + sizeof(uint64_t) <= map.len; at += sizeof(uint64_t)) {
        uint64_t key;
        bool fresh;
        memcpy(&key, map.ptr + at, sizeof key);
        err = remember(r, key, &fresh, why);
    }
    if (!err)
        file_unmap(&map);
    if (!err && lseek(r->seen_fd, 0, SEEK_END) < 0)
        err = err_errno(why, "could not open the work file \"%s\"", path);
    return err;
}

/* Questions that the input has already are no news. */
static enum err read_asked(struct making_run *r, struct why *why)
{
    enum err err = ERR_OK;
    if (strcmp(data_reader_version(r->reader)->kind, "qa") != 0)
        return ERR_OK;
    for (;;) {
        struct data_record record;
        struct making m = {.arena = r->record};
        bool fresh;
        arena_reset(r->record);
        err = data_reader_next(r->reader, r->record, &record, why);
        if (err || !record.line.ptr)
            break;
        if (making_read(&m, "qa", &record, NULL) == ERR_OK)
            err = remember(r, quality_key(m.question), &fresh, why);
        if (err)
            break;
    }
    data_reader_seek(r->reader, 0);
    return err;
}

/* ---- what making hands over ---- */

static void reject(void *ctx, enum reject why_not)
{
    struct making_run *r = ctx;
    r->counts.rejected[why_not]++;
}

static enum err put_example(struct making_run *r, struct str json)
{
    if (r->n_examples < EXAMPLES && json.len <= MOST_EXAMPLE) {
        json_put_raw(r->examples, json);
        r->n_examples++;
    }
    return ERR_OK;
}

static enum err put(void *ctx, struct making *m, struct str key_text, struct str json,
                    struct why *why)
{
    struct making_run *r = ctx;
    uint64_t key = quality_key(key_text);
    bool fresh = false, bad = false;
    enum err err = remember(r, key, &fresh, why);
    if (!err && !fresh) {
        reject(r, REJECT_DUPLICATE);
        return ERR_OK;
    }
    if (!err && !r->job)
        return put_example(r, json);
    if (!err)
        err = data_writer_add_part(r->writer, m->id, ++m->n_made, json, &bad, why);
    if (!err)
        err = file_write_fd(r->seen_fd, (struct str){(const char *)&key, sizeof key}, why);
    if (!err)
        r->counts.n_made++;
    return err;
}

/* ---- a model ---- */

static bool over_budget(const struct making_run *r, int64_t tokens)
{
    const struct synth_spec *s = &r->spec;
    return (s->budget_calls && r->counts.n_calls >= s->budget_calls) ||
           (s->budget_tokens &&
            r->counts.prompt + r->counts.completion + tokens > s->budget_tokens);
}

/* Errors of one call are told and counted; several on end end the run. */
static enum err call_failed(struct making_run *r, enum err err, const struct why *own,
                            struct why *why)
{
    job_log(r->job, "a call failed: %s", why_text(own, err));
    if (err == ERR_CANCELLED || err == ERR_UNSUPPORTED || err == ERR_FORBIDDEN ||
        err == ERR_NOT_FOUND || ++r->n_failed >= MOST_FAILED)
        return err_set(why, err, "%s", why_text(own, err));
    return ERR_OK;
}

/* One call, unless the budget is used up. */
static enum err call_once(struct making_run *r, struct making *m, size_t i, struct str *body,
                          struct str *reply, struct why *own)
{
    m->plain = r->plain;
    enum err err = call_body(m, i, r->record, body, own);
    r->stopped = !err && over_budget(r, tokens_guess(*body));
    if (err || r->stopped)
        return err;
    err = models_call(r->synth->opts.models, &r->who, "chat/completions", *body, r->record, reply,
                      own);
    r->counts.n_calls++;
    return err;
}

static enum err ask_model(struct making_run *r, struct making *m, size_t i, struct why *why)
{
    struct str body = STR(""), reply = STR("");
    const struct json *items = NULL;
    int64_t prompt = -1, completion = -1;
    struct why own = {0};
    enum err err = call_once(r, m, i, &body, &reply, &own);
    /* A server that takes no schema is asked again without one, and so from then on. */
    if (err == ERR_INVALID && !r->plain) {
        struct why again = {0};
        job_log(r->job, "asked again without a schema: %s", why_text(&own, err));
        r->plain = true;
        err = call_once(r, m, i, &body, &reply, &again);
        r->plain = !err; /* else it was not the schema */
        own = again;
    }
    if (!err && r->stopped)
        return ERR_OK;
    if (!err)
        err = call_items(reply, r->record, &items, &prompt, &completion, &own);
    if (err)
        return call_failed(r, err, &own, why);
    r->n_failed = 0;
    r->counts.prompt += prompt >= 0 ? prompt : tokens_guess(body);
    r->counts.completion += completion >= 0 ? completion : tokens_guess(reply);
    if (!items)
        reject(r, REJECT_MALFORMED);
    for (size_t k = 0; !err && k < json_len(items) && k < 2 * m->per_passage; k++)
        err = m->method->item(m, i, json_at(items, k), why);
    return err;
}

static enum err make_with_model(struct making_run *r, struct making *m, struct why *why)
{
    bool qa = !strcmp(m->method->takes, "qa");
    size_t n = qa ? 1 : m->n_passages;
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < n && !r->stopped; i++) {
        if (job_cancelled(r->job))
            return err_set(why, ERR_CANCELLED, "the synthesis was cancelled");
        err = ask_model(r, m, i, why);
    }
    return err;
}

/* ---- one record ---- */

static void keep_other(struct making_run *r, const struct making *m)
{
    if (!m->n_passages)
        return;
    struct str text = m->passages[m->n_passages / 2].text;
    if (text.len > OTHER_BYTES)
        return;
    memcpy(r->other, text.ptr, text.len);
    r->other_len = text.len;
}

static enum err begin_making(struct making_run *r, const struct data_record *record,
                             struct making *m, struct why *why)
{
    *m = (struct making){.method = r->spec.method,
                         .arena = r->record,
                         .model = r->spec.model,
                         .other = {r->other, r->other_len},
                         .per_passage = r->spec.per_passage,
                         .seed = hash64(record->id.ptr, record->id.len, (uint64_t)r->spec.seed),
                         .pinyin = r->pinyin,
                         .put = put,
                         .reject = reject,
                         .ctx = r};
    return making_read(m, data_reader_version(r->reader)->kind, record, why);
}

static enum err make_one(struct making_run *r, const struct data_record *record, struct why *why)
{
    struct making m;
    struct why own = {0};
    enum err err = begin_making(r, record, &m, &own);
    if (err == ERR_INVALID) {
        reject(r, REJECT_MALFORMED);
        return ERR_OK;
    }
    if (err)
        return err_set(why, err, "%s", why_text(&own, err));
    r->counts.n_passages += (int64_t)m.n_passages;
    if (r->spec.model.len && r->job)
        err = make_with_model(r, &m, why);
    else if (m.method->rules)
        err = m.method->rules(&m, why);
    keep_other(r, &m);
    return err;
}

/* ---- opening ---- */

static enum err check_kind(const struct making_run *r, struct why *why)
{
    const struct data_version_info *v = data_reader_version(r->reader);
    struct str rest = str_c(r->spec.method->takes), part;
    while (str_next(&rest, '|', &part))
        if (str_eq_c(part, v->kind))
            return str_eq_c(v->state, "withdrawn")
                       ? err_set(why, ERR_CONFLICT, "the input holds a source that was withdrawn")
                       : ERR_OK;
    return err_set(why, ERR_INVALID, "%s are made of records of %s; \"%.*s\" holds %s",
                   r->spec.method->name, r->spec.method->takes, SHOW(v->dataset), v->kind);
}

static enum err open_run(struct making_run *r, struct str spec, struct why *why)
{
    r->arena = arena_new(ROOM);
    r->record = arena_new(RECORD_ROOM);
    r->other = malloc(OTHER_BYTES);
    if (!r->arena || !r->record || !r->other)
        return err_set(why, ERR_NO_MEMORY, "could not begin the synthesis");
    map_init(&r->seen, r->arena);
    enum err err = synth_spec_read(spec, r->arena, &r->spec, why);
    if (!err)
        err = data_reader_open(r->synth->opts.data, &r->who, r->spec.input, r->spec.version,
                               &r->reader, why);
    if (!err)
        err = check_kind(r, why);
    if (!err && r->spec.model.len && !r->synth->opts.models)
        err = err_set(why, ERR_UNSUPPORTED, "there are no models here");
    if (!err && r->spec.model.len)
        err = ops_need(&r->who, "model.use", why);
    if (!err && !strcmp(r->spec.method->name, "errors"))
        err = pinyin_open(&r->pinyin, why);
    return err;
}

static void close_run(struct making_run *r)
{
    data_writer_close(r->writer);
    data_reader_close(r->reader);
    pinyin_close(r->pinyin);
    if (r->seen_fd >= 0)
        (void)close(r->seen_fd);
    free(r->other);
    arena_free(r->record);
    arena_free(r->arena);
}

/* ---- the estimate ---- */

static int64_t scaled(int64_t value, int64_t n, int64_t sample)
{
    return sample ? (int64_t)((double)value * (double)n / (double)sample + 0.5) : 0;
}

static enum err count_calls(struct making_run *r, const struct data_record *record, struct why *why)
{
    struct making m;
    struct str body;
    enum err err = ERR_OK;
    if (begin_making(r, record, &m, NULL))
        return ERR_OK;
    bool qa = !strcmp(m.method->takes, "qa");
    m.plain = true; /* a schema is no text that is read */
    for (size_t i = 0; !err && i < (qa ? 1 : m.n_passages); i++) {
        err = call_body(&m, i, r->record, &body, why);
        r->counts.n_calls++;
        r->counts.prompt += err ? 0 : tokens_guess(body);
        r->counts.completion += (int64_t)(m.per_passage * 120);
    }
    return err;
}

static enum err put_cost(struct making_run *r, const struct synth_calls *calls,
                         struct json_out *out, struct why *why)
{
    const struct synth_price *price = &r->synth->opts.price;
    struct synth_cost cost = {.priced = !calls->model.len, .currency = ""};
    enum err err = calls->model.len && price->cost
                       ? price->cost(price->ctx, &r->who, calls, &cost, why)
                       : ERR_OK;
    json_key(out, "cost_micro");
    if (cost.priced)
        json_put_int(out, cost.micro);
    else
        json_put_null(out);
    json_kv_c(out, "currency", cost.currency);
    return err;
}

enum err synth_estimate_json(struct synth *synth, const struct ops_identity *who, struct str spec,
                             struct arena *arena, struct json_out *out, struct why *why)
{
    struct making_run r = {.synth = synth, .who = *who, .seen_fd = -1};
    struct buf buf;
    struct json_out examples;
    int64_t sample = 0;
    buf_init(&buf, arena);
    json_out_init(&examples, &buf);
    json_begin_array(&examples);
    r.examples = &examples;
    enum err err = open_run(&r, spec, why);
    int64_t n = err ? 0 : data_reader_n(r.reader);
    if (r.spec.most_records && n > r.spec.most_records)
        n = r.spec.most_records;
    for (int64_t k = 0; !err && k < SAMPLE && k < n; k++, sample++) {
        struct data_record record;
        arena_reset(r.record);
        err = data_reader_at(r.reader, k * n / (n < SAMPLE ? n : SAMPLE), r.record, &record, why);
        if (!err)
            err = make_one(&r, &record, why);
        if (!err && r.spec.model.len)
            err = count_calls(&r, &record, why);
    }
    json_end_array(&examples);
    if (!err)
        err = buf_err(&buf, why);
    if (!err) {
        const struct synth_calls calls = {.model = r.spec.model,
                                          .n = scaled(r.counts.n_calls, n, sample),
                                          .prompt_tokens = scaled(r.counts.prompt, n, sample),
                                          .completion_tokens =
                                              scaled(r.counts.completion, n, sample)};
        int64_t tokens = calls.prompt_tokens + calls.completion_tokens;
        const struct synth_spec *s = &r.spec;
        json_begin_object(out);
        json_kv_int(out, "n_records", n);
        json_kv_int(out, "n_sampled", sample);
        json_kv_int(out, "n_passages", scaled(r.counts.n_passages, n, sample));
        json_kv_int(out, "n_calls", calls.n);
        json_kv_int(out, "prompt_tokens", calls.prompt_tokens);
        json_kv_int(out, "completion_tokens", calls.completion_tokens);
        json_kv_int(out, "tokens", tokens);
        err = put_cost(&r, &calls, out, why);
        json_kv_bool(out, "within_budget",
                     (!s->budget_calls || calls.n <= s->budget_calls) &&
                         (!s->budget_tokens || tokens <= s->budget_tokens));
        json_key(out, "examples");
        json_put_raw(out, buf_str(&buf));
        json_end_object(out);
    }
    close_run(&r);
    return err;
}

/* ---- the job ---- */

enum err synth_start(struct synth *synth, const struct ops_identity *who, struct str spec,
                     char job[UUID_TEXT], struct why *why)
{
    struct making_run r = {.synth = synth, .who = *who, .seen_fd = -1};
    enum err err = ops_need(who, "data.write", why);
    if (!err)
        err = open_run(&r, spec, why);
    if (!err) {
        char *title = str_z(r.arena, r.spec.output);
        err = title ? job_submit_alone(synth->opts.compute, who, "synth.run", title, spec, NULL,
                                       job, why)
                    : err_set(why, ERR_NO_MEMORY, "could not queue the synthesis");
    }
    close_run(&r);
    return err;
}

static enum err mark(struct making_run *r, struct why *why)
{
    struct buf buf;
    struct json_out json;
    const struct counts *c = &r->counts;
    buf_init(&buf, r->record);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_int(&json, "next", c->next);
    json_kv_int(&json, "n_passages", c->n_passages);
    json_kv_int(&json, "n_calls", c->n_calls);
    json_kv_int(&json, "prompt", c->prompt);
    json_kv_int(&json, "completion", c->completion);
    json_kv_int(&json, "n_made", c->n_made);
    json_kv_bool(&json, "stopped", r->stopped);
    json_key(&json, "rejected");
    json_begin_array(&json);
    for (int i = 0; i < REJECTS; i++)
        json_put_int(&json, c->rejected[i]);
    json_end_array(&json);
    json_kv_str(&json, "other", (struct str){r->other, r->other_len});
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    if (!err && fdatasync(r->seen_fd))
        err = err_errno(why, "could not make a work file durable");
    return err ? err : data_writer_mark(r->writer, buf_str(&buf), why);
}

static enum err go_on(struct making_run *r, struct why *why)
{
    const struct json *json;
    struct str cursor = data_writer_cursor(r->writer);
    struct counts *c = &r->counts;
    if (!cursor.len)
        return ERR_OK;
    enum err err = json_parse(cursor, r->arena, &json, why);
    if (err)
        return err;
    c->next = json_get_int(json, "next", 0);
    c->n_passages = json_get_int(json, "n_passages", 0);
    c->n_calls = json_get_int(json, "n_calls", 0);
    c->prompt = json_get_int(json, "prompt", 0);
    c->completion = json_get_int(json, "completion", 0);
    c->n_made = json_get_int(json, "n_made", 0);
    r->stopped = json_get_bool(json, "stopped", false);
    for (size_t i = 0; i < REJECTS; i++)
        c->rejected[i] = json_int(json_at(json_get(json, "rejected"), i), 0);
    struct str other = json_get_str(json, "other", STR(""));
    r->other_len = other.len < OTHER_BYTES ? other.len : 0;
    memcpy(r->other, other.ptr ? other.ptr : "", r->other_len);
    return ERR_OK;
}

static enum err open_writer(struct making_run *r, struct str spec, struct why *why)
{
    const struct data_version_info *v = data_reader_version(r->reader);
    struct data_writer_spec form = {.dataset = r->spec.output,
                                    .title = r->spec.title,
                                    .kind = str_c(r->spec.method->gives),
                                    .access = v->access,
                                    .append = r->spec.append,
                                    .made_by = "synth",
                                    .run = job_id(r->job),
                                    .dir = job_dir(r->job),
                                    .spec = spec,
                                    .inputs = &v->id,
                                    .n_inputs = 1};
    return data_writer_open(r->synth->opts.data, &r->who, &form, &r->writer, why);
}

static enum err make_all(struct making_run *r, struct why *why)
{
    int64_t n = data_reader_n(r->reader), since = 0;
    enum err err = ERR_OK;
    if (r->spec.most_records && n > r->spec.most_records)
        n = r->spec.most_records;
    data_reader_seek(r->reader, r->counts.next);
    while (!err && r->counts.next < n && !r->stopped) {
        struct data_record record;
        arena_reset(r->record);
        if (job_cancelled(r->job))
            return err_set(why, ERR_CANCELLED, "the synthesis was cancelled");
        err = data_reader_next(r->reader, r->record, &record, why);
        if (!err && record.line.ptr)
            err = make_one(r, &record, why);
        if (err || r->stopped)
            break;
        r->counts.next++;
        job_progress(r->job, r->counts.next, n, "writing records");
        if (r->spec.model.len || ++since == MARK_EVERY) {
            since = 0;
            err = mark(r, why);
        }
    }
    return err;
}

static enum err tell(struct making_run *r, const struct data_written *w, struct why *why)
{
    struct buf buf;
    struct json_out json;
    const struct counts *c = &r->counts;
    int64_t rejected = 0;
    for (int i = 1; i < REJECTS; i++)
        rejected += c->rejected[i];
    buf_init(&buf, r->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "dataset", r->spec.output);
    json_kv_bool(&json, "made", w->made);
    json_kv_str(&json, "version", w->version);
    json_kv_int(&json, "number", w->number);
    json_kv_str(&json, "manifest", w->manifest);
    json_kv_int(&json, "n_records", w->n_records);
    json_kv_int(&json, "n_new", w->n_new);
    json_kv_int(&json, "n_passages", c->n_passages);
    json_kv_int(&json, "n_calls", c->n_calls);
    json_kv_int(&json, "prompt_tokens", c->prompt);
    json_kv_int(&json, "completion_tokens", c->completion);
    json_kv_int(&json, "n_rejected", rejected);
    json_key(&json, "rejected");
    json_begin_object(&json);
    for (int i = 1; i < REJECTS; i++)
        json_kv_int(&json, reject_name((enum reject)i), c->rejected[i]);
    json_end_object(&json);
    json_kv_c(&json, "stopped", r->stopped ? "budget" : "");
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    if (!err)
        job_result(r->job, buf_str(&buf));
    job_log(r->job, "%lld records of %lld passages, %lld rejected, %lld calls, %lld tokens",
            (long long)w->n_records, (long long)c->n_passages, (long long)rejected,
            (long long)c->n_calls, (long long)c->prompt + c->completion);
    return err;
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct making_run r = {.synth = ctx, .job = job, .who = job_actor(job), .seen_fd = -1};
    struct data_written written;
    struct str spec;
    enum err err = json_dump(job_spec(job), job_arena(job), &spec, why);
    if (!err)
        err = open_run(&r, spec, why);
    if (!err)
        err = open_writer(&r, spec, why);
    if (!err)
        err = go_on(&r, why);
    if (!err && !data_writer_ended(r.writer, &written)) {
        err = open_seen(&r, why);
        if (!err)
            err = read_asked(&r, why);
        if (!err)
            err = make_all(&r, why);
        if (!err) /* killed behind the commit, the next start tells these counts */
            err = mark(&r, why);
        if (!err)
            err = data_writer_commit(r.writer, &written, why);
    }
    if (!err)
        err = tell(&r, &written, why);
    close_run(&r);
    return err;
}

const struct job_kind synth_run_job = {
    .name = "synth.run",
    .summary = "Make records from passages by rules or a model",
    .permission = "data.write",
    .memory_bytes = (int64_t)1 << 30,
    .max_attempts = 10,
    .run = run,
};
