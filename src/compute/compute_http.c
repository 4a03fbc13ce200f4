/* The routes /api/jobs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compute/compute_in.h"
#include "core/time.h"
#include "http/http.h"

#define MOST_LOG       ((size_t)1 << 20)
#define EVENT_LEAST_MS 250

static const struct ops_identity *caller(struct http_request *req)
{
    return http_identity(req);
}

/* What failed in a job stands in its result as words too, in members called "why". */
static void put_part(struct json_out *out, const struct json *value)
{
    void *iter = NULL;
    struct str key;
    const struct json *member;
    if (json_kind(value) == JSON_KIND_ARRAY) {
        json_begin_array(out);
        for (size_t i = 0; i < json_len(value); i++)
            put_part(out, json_at(value, i));
        json_end_array(out);
    } else if (json_kind(value) == JSON_KIND_OBJECT) {
        json_begin_object(out);
        while (json_each(value, &iter, &key, &member)) {
            json_key(out, key.ptr);
            if (str_eq_c(key, "why") && json_kind(member) == JSON_KIND_STRING)
                json_put_said(out, json_str(member, STR("")));
            else
                put_part(out, member);
        }
        json_end_object(out);
    } else {
        json_put_value(out, value);
    }
}

static void put_result(struct json_out *out, struct str result, struct arena *arena)
{
    const struct json *value;
    if (out->say && str_find(result, STR("\"why\"")) != STR_NPOS &&
        json_parse(result, arena, &value, NULL) == ERR_OK) {
        json_key(out, "result");
        put_part(out, value);
    } else {
        json_kv_raw(out, "result", result);
    }
}

static void put_job(struct json_out *out, const struct job_info *job, struct str actor_name,
                    struct arena *arena)
{
    json_begin_object(out);
    json_kv_str(out, "id", job->id);
    json_kv_str(out, "kind", job->kind);
    json_kv_str(out, "title", job->title);
    json_kv_c(out, "state", job_state_name(job->state));
    json_kv_bool(out, "cancelling", job->cancelling);
    json_kv_said(out, "phase", job->phase);
    json_kv_int(out, "done", job->done);
    json_kv_int(out, "total", job->total);
    json_kv_int(out, "attempt", job->attempt);
    json_kv_int(out, "max_attempts", job->max_attempts);
    json_kv_int(out, "starts", job->starts);
    json_kv_time(out, "created_at", job->created_ms);
    json_kv_time(out, "started_at", job->started_ms);
    json_kv_time(out, "ended_at", job->ended_ms);
    json_kv_said(out, "why", job->why);
    put_result(out, job->result, arena);
    json_kv_str(out, "actor", job->actor);
    if (actor_name.len)
        json_kv_str(out, "actor_name", actor_name);
    json_end_object(out);
}

void job_accepted(struct http_response *res, const char *thing, const char *id, const char *kind)
{
    struct json_out *out = http_json(res);
    http_status(res, 202);
    json_begin_object(out);
    if (thing)
        json_kv_c(out, "id", thing);
    json_key(out, "job");
    json_begin_object(out);
    json_kv_c(out, "id", id);
    json_kv_c(out, "kind", kind);
    json_kv_c(out, "state", job_state_name(JOB_QUEUED));
    json_end_object(out);
    json_end_object(out);
}

/* The job in the path; another tenant's is not there. */
static enum err find(struct http_request *req, struct job_info *out, struct why *why)
{
    struct compute *compute = http_ctx(req);
    const struct ops_identity *who = caller(req);
    char *id = str_z(http_arena(req), http_param(req, "id"));
    enum err err = id ? job_find(compute, id, http_arena(req), out, why)
                      : err_set(why, ERR_NO_MEMORY, "could not read the address");
    if (!err && !str_eq(out->tenant, who->tenant) && !ops_may(who, "ops.every_tenant"))
        err = err_set(why, ERR_NOT_FOUND, "there is no such job");
    return err;
}

static enum err list(struct http_request *req, struct http_response *res, struct why *why)
{
    struct compute *compute = http_ctx(req);
    const struct ops_identity *who = caller(req);
    struct arena *arena = http_arena(req);
    struct job_info *items;
    size_t n, limit = http_param_limit(req, 50, 500);
    char *tenant = str_z(arena, who->tenant), *state = str_z(arena, http_param(req, "state"));
    char *after = str_z(arena, http_param(req, "after"));
    if (!tenant || !state || !after)
        return err_set(why, ERR_NO_MEMORY, "could not list the jobs");
    enum err err = job_list(compute, ops_may(who, "ops.every_tenant") ? NULL : tenant, state,
                            (int)limit, after, arena, &items, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++)
        put_job(out, &items[i], ops_actor_name(compute->ops, items[i].actor, arena), arena);
    json_end_items(out, n == limit ? items[n - 1].id : STR(""));
    return ERR_OK;
}

static enum err answer_job(struct http_request *req, struct http_response *res, struct why *why)
{
    struct compute *compute = http_ctx(req);
    struct job_info job;
    enum err err = find(req, &job, why);
    if (!err)
        put_job(http_json(res), &job, ops_actor_name(compute->ops, job.actor, http_arena(req)),
                http_arena(req));
    return err;
}

static enum err cancel(struct http_request *req, struct http_response *res, struct why *why)
{
    char *id = str_z(http_arena(req), http_param(req, "id"));
    enum err err = job_cancel(http_ctx(req), caller(req), id ? id : "", why);
    return err ? err : answer_job(req, res, why);
}

static enum err retry(struct http_request *req, struct http_response *res, struct why *why)
{
    char *id = str_z(http_arena(req), http_param(req, "id"));
    enum err err = job_retry(http_ctx(req), caller(req), id ? id : "", why);
    return err ? err : answer_job(req, res, why);
}

/* Each line is an instant, a space and words; what a program beside the job wrote has no line in
 * words_zh*.def and stays. */
static enum err send_log(struct http_request *req, struct http_response *res, struct str text,
                         struct why *why)
{
    const char *language = http_words_language(req);
    struct str rest = text, line;
    struct buf out;
    if (strcmp(language, "en") != 0) {
        buf_init(&out, http_arena(req));
        while (str_next(&rest, '\n', &line)) {
            size_t words = str_find_char(line, ' ');
            words = words == STR_NPOS ? 0 : words + 1;
            buf_add(&out, str_slice(line, 0, words));
            http_words(language, str_from(line, words), &out);
            if (rest.ptr)
                buf_char(&out, '\n');
        }
        enum err err = buf_err(&out, why);
        if (err)
            return err;
        text = buf_str(&out);
    }
    http_send(res, "text/plain; charset=utf-8", text);
    return ERR_OK;
}

static enum err show_log(struct http_request *req, struct http_response *res, struct why *why)
{
    struct job_info job;
    struct str text;
    int64_t next;
    char number[24];
    enum err err = find(req, &job, why);
    if (!err)
        err = job_log_read(http_ctx(req), str_z(http_arena(req), job.id),
                           http_param_int(req, "from", 0), MOST_LOG, http_arena(req), &text, &next,
                           why);
    if (err)
        return err;
    (void)snprintf(number, sizeof number, "%lld", (long long)next);
    http_set_header(res, "X-Log-Next", number);
    return send_log(req, res, text, why);
}

/* ---- events ---- */

struct follower {
    struct compute *compute;
    struct arena *scratch;
    char id[UUID_TEXT];
    const char *language;
    enum job_state state;
    bool cancelling, told;
    int64_t done, total, told_ms;
    uint64_t phase;
};

static void stop_following(void *ctx)
{
    struct follower *f = ctx;
    arena_free(f->scratch);
    free(f);
}

static void tell(struct follower *f, const char *event, const struct job_info *job, struct buf *out)
{
    struct buf text;
    struct json_out json;
    buf_init(&text, f->scratch);
    json_out_init(&json, &text);
    http_say(&json, f->language);
    put_job(&json, job, STR(""), f->scratch);
    if (!text.failed)
        http_event(out, event, buf_str(&text));
}

/* "state" when it changes and at the beginning, "progress" at most four times a second. */
static enum err follow(void *ctx, struct buf *out, bool *end, struct why *why)
{
    struct follower *f = ctx;
    struct job_info job;
    int64_t now = time_now_ms();
    arena_reset(f->scratch);
    enum err err = job_find(f->compute, f->id, f->scratch, &job, why);
    if (err)
        return err;
    uint64_t phase = hash64(job.phase.ptr, job.phase.len, 1);
    bool state = !f->told || job.state != f->state || job.cancelling != f->cancelling;
    bool moved = job.done != f->done || job.total != f->total || phase != f->phase;
    if (state)
        tell(f, "state", &job, out);
    else if (moved && now - f->told_ms >= EVENT_LEAST_MS)
        tell(f, "progress", &job, out);
    else
        return ERR_OK;
    f->told = true;
    f->told_ms = now;
    f->state = job.state;
    f->cancelling = job.cancelling;
    f->done = job.done;
    f->total = job.total;
    f->phase = phase;
    *end = job.state >= JOB_DONE;
    return ERR_OK;
}

static enum err events(struct http_request *req, struct http_response *res, struct why *why)
{
    struct job_info job;
    enum err err = find(req, &job, why);
    if (err)
        return err;
    struct follower *f = calloc(1, sizeof *f);
    if (f)
        f->scratch = arena_new(8u << 20);
    if (!f || !f->scratch) {
        free(f);
        return err_set(why, ERR_NO_MEMORY, "could not follow the job");
    }
    f->compute = http_ctx(req);
    f->language = http_words_language(req);
    if (http_param(req, "language").len)
        f->language = str_eq_c(http_param(req, "language"), "zh") ? "zh" : "en";
    (void)snprintf(f->id, sizeof f->id, "%.*s", STR_FMT(job.id));
    http_stream(res, follow, stop_following, f);
    return ERR_OK;
}

/* ---- the table ---- */

static const struct http_param by_id[] = {{"id", "uuid", "Job", true, true}};
static const struct http_param by_log[] = {
    {"id", "uuid", "Job", true, true},
    {"from", "integer", "Byte to begin at: X-Log-Next of the answer before", false, false}};
static const struct http_param by_events[] = {
    {"id", "uuid", "Job", true, true},
    {"language", "string", "zh or en; the header Accept-Language when missing", false, false}};
static const struct http_param by_list[] = {
    {"state", "string", "queued, running, done, failed or cancelled", false, false},
    {"after", "string", "Cursor: the next of the page before", false, false},
    {"limit", "integer", "Most items", false, false}};

#define N(array) (array), sizeof(array) / sizeof((array)[0])
#define READ     HTTP_SESSION, "jobs.read"

static const struct http_route routes[] = {
    {"GET", "/api/jobs", READ, 0, "Jobs of the tenant, newest first", NULL, NULL, N(by_list), list},
    {"GET", "/api/jobs/{id}", READ, 0, "One job", NULL, NULL, N(by_id), answer_job},
    {"POST", "/api/jobs/{id}/cancel", READ, 4096,
     "Stop a job: for who started it, and for jobs.manage", NULL, NULL, N(by_id), cancel},
    {"POST", "/api/jobs/{id}/retry", READ, 4096,
     "Queue a failed or cancelled job again: for who started it, and for jobs.manage", NULL, NULL,
     N(by_id), retry},
    {"GET", "/api/jobs/{id}/log", READ, 0, "The job's log as text", NULL, NULL, N(by_log),
     show_log},
    {"GET", "/api/jobs/{id}/events", READ, 0,
     "Server-sent events \"state\" and \"progress\", each with the job; ends with it", NULL, NULL,
     N(by_events), events},
};

const struct http_table *compute_routes(struct compute *compute)
{
    static const struct http_table none = {.room = "compute"};
    struct http_table *table = arena_one(compute->arena, struct http_table);
    if (!table) /* 64 KiB for some hundred bytes: only when called without end */
        return &none;
    *table = (struct http_table){
        .room = "compute", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = compute};
    return table;
}
