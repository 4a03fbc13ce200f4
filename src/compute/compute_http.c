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

static void put_job(struct json_out *out, const struct job_info *job, struct str actor_name)
{
    json_begin_object(out);
    json_kv_str(out, "id", job->id);
    json_kv_str(out, "kind", job->kind);
    json_kv_str(out, "title", job->title);
    json_kv_c(out, "state", job_state_name(job->state));
    json_kv_bool(out, "cancelling", job->cancelling);
    json_kv_str(out, "phase", job->phase);
    json_kv_int(out, "done", job->done);
    json_kv_int(out, "total", job->total);
    json_kv_int(out, "attempt", job->attempt);
    json_kv_int(out, "max_attempts", job->max_attempts);
    json_kv_int(out, "starts", job->starts);
    json_kv_time(out, "created_at", job->created_ms);
    json_kv_time(out, "started_at", job->started_ms);
    json_kv_time(out, "ended_at", job->ended_ms);
    json_kv_str(out, "why", job->why);
    json_kv_raw(out, "result", job->result);
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
        put_job(out, &items[i], ops_actor_name(compute->ops, items[i].actor, arena));
    json_end_items(out, n == limit ? items[n - 1].id : STR(""));
    return ERR_OK;
}

static enum err answer_job(struct http_request *req, struct http_response *res, struct why *why)
{
    struct compute *compute = http_ctx(req);
    struct job_info job;
    enum err err = find(req, &job, why);
    if (!err)
        put_job(http_json(res), &job, ops_actor_name(compute->ops, job.actor, http_arena(req)));
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
    http_send(res, "text/plain; charset=utf-8", text);
    return ERR_OK;
}

/* ---- events ---- */

struct follower {
    struct compute *compute;
    struct arena *scratch;
    char id[UUID_TEXT];
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
    put_job(&json, job, STR(""));
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
    (void)snprintf(f->id, sizeof f->id, "%.*s", STR_FMT(job.id));
    http_stream(res, follow, stop_following, f);
    return ERR_OK;
}

/* ---- the table ---- */

static const struct http_param by_id[] = {{"id", "uuid", "Job", true, true}};
static const struct http_param by_log[] = {
    {"id", "uuid", "Job", true, true},
    {"from", "integer", "Byte to begin at: X-Log-Next of the answer before", false, false}};
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
     N(by_id), events},
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
