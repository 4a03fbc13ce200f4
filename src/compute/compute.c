#include "compute/compute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compute/compute_in.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/time.h"
#include "core/utf8.h"

#define MOST_TITLE 300 /* characters */
#define MOST_DEDUP 500 /* bytes */
#define LEAST_MS   50
#define YEAR_MS    31536000000LL

static const struct conf_key keys[] = {
    {"jobs.slots", CONF_INT, "2", 0, 1024, NULL,
     "Jobs that run at once on this machine; 0: none are started here"},
    {"jobs.memory", CONF_BYTES, "2G", 16 << 20, 1LL << 50, NULL,
     "Most resident memory of a job whose kind sets no limit of its own"},
    {"jobs.time", CONF_DURATION, "12h", LEAST_MS, YEAR_MS, NULL, "Longest run of a job"},
    {"jobs.attempts", CONF_INT, "5", 1, 1000, NULL,
     "Starts without progress between them before a job has failed"},
    {"jobs.backoff", CONF_DURATION, "2s", LEAST_MS, YEAR_MS, NULL,
     "Wait before the second attempt; doubles with each further one, up to 5 minutes"},
    {"jobs.grace", CONF_DURATION, "10s", LEAST_MS, 3600000, NULL,
     "How long a job that was asked to stop may take before it is killed"},
    {"jobs.keep", CONF_DURATION, "30d", 1000, 10 * YEAR_MS, NULL,
     "How long jobs that have ended are kept with their logs"},
    {"jobs.log", CONF_BYTES, "4M", 4096, 1LL << 30, NULL, "Largest log of a job"},
    {"jobs.nice", CONF_INT, "10", 0, 19, NULL, "How far jobs stand behind requests (nice)"},
};
const struct conf_table compute_conf = {keys, sizeof keys / sizeof keys[0]};

static const char *const state_names[] = {"queued", "running", "done", "failed", "cancelled"};

const char *job_state_name(enum job_state state)
{
    return state_names[state];
}

/* ---- open ---- */

static enum err find_place(struct compute *c, const char *data_dir, struct why *why)
{
    char host[256] = "", real[JOB_PATH];
    if (snprintf(c->dir, sizeof c->dir, "%s/jobs", data_dir) >= (int)sizeof c->dir)
        return err_set(why, ERR_INVALID, "the data directory's path is too long");
    enum err err = file_make_dirs(c->dir, why);
    if (err)
        return err;
    (void)gethostname(host, sizeof host - 1);
    if (!realpath(c->dir, real))
        return err_errno(why, "could not resolve \"%s\"", c->dir);
    if (strlen(real) >= sizeof c->dir)
        return err_set(why, ERR_INVALID, "the data directory's path is too long");
    memcpy(c->dir, real, strlen(real) + 1); /* children may begin elsewhere */
    if (snprintf(c->place, sizeof c->place, "%s:%s", host, c->dir) >= (int)sizeof c->place)
        return err_set(why, ERR_INVALID, "the data directory's path is too long");
    return ERR_OK;
}

static void read_conf(struct compute *c, const struct conf *conf)
{
    c->slots = conf_int(conf, "jobs.slots");
    c->memory = conf_int(conf, "jobs.memory");
    c->time_ms = conf_int(conf, "jobs.time");
    c->attempts = conf_int(conf, "jobs.attempts");
    c->backoff_ms = conf_int(conf, "jobs.backoff");
    c->grace_ms = conf_int(conf, "jobs.grace");
    c->keep_ms = conf_int(conf, "jobs.keep");
    c->log_bytes = conf_int(conf, "jobs.log");
    c->nice = conf_int(conf, "jobs.nice");
}

enum err compute_open(const struct compute_opts *opts, struct compute **out, struct why *why)
{
    struct compute *c = calloc(1, sizeof *c);
    if (c)
        c->arena = arena_new(64 << 10);
    if (!c || !c->arena) {
        free(c);
        return err_set(why, ERR_NO_MEMORY, "could not hold the jobs' settings");
    }
    c->store = opts->store;
    c->ops = opts->ops;
    c->program = opts->program;
    c->program_args = opts->program_args;
    read_conf(c, opts->conf);
    enum err err = find_place(c, opts->data_dir, why);
    if (err) {
        compute_close(c);
        return err;
    }
    *out = c;
    return ERR_OK;
}

void compute_close(struct compute *compute)
{
    if (!compute)
        return;
    compute_stop(compute, false);
    arena_free(compute->arena);
    free(compute);
}

void compute_bind(struct compute *compute, const struct job_kind *kind, void *ctx)
{
    if (compute->n_kinds < COMPUTE_MOST_KINDS)
        compute->kinds[compute->n_kinds++] = (struct bound_kind){kind, ctx};
}

const struct bound_kind *compute_kind(const struct compute *compute, struct str name)
{
    for (size_t i = 0; i < compute->n_kinds; i++)
        if (str_eq_c(name, compute->kinds[i].kind->name))
            return &compute->kinds[i];
    return NULL;
}

enum err job_tell(const struct compute *compute, struct store_tx *tx, struct str kind,
                  const struct job_move *move, struct why *why)
{
    const struct bound_kind *bound = compute_kind(compute, kind);
    return bound && bound->kind->moved ? bound->kind->moved(bound->ctx, tx, move, why) : ERR_OK;
}

bool compute_path(const struct compute *compute, struct str id, const char *name,
                  char out[JOB_PATH])
{
    if (!uuid_valid(id)) /* nothing that climbs out of the folder */
        return false;
    return snprintf(out, JOB_PATH, "%s/%.*s%s%s", compute->dir, STR_FMT(id), name[0] ? "/" : "",
                    name) < JOB_PATH;
}

struct ops_identity job_identity(struct str actor, struct str tenant)
{
    size_t colon = str_find_char(actor, ':');
    struct ops_identity who = {.kind = actor, .tenant = tenant};
    if (colon != STR_NPOS) {
        who.kind = str_slice(actor, 0, colon);
        who.id = str_from(actor, colon + 1);
    }
    return who;
}

/* ---- submit ---- */

static enum err find_same(struct store_tx *tx, struct str tenant, const char *kind,
                          const char *dedup_key, struct arena *arena, char id[UUID_TEXT],
                          struct why *why)
{
    struct store_rows rows;
    id[0] = '\0';
    if (!dedup_key[0])
        return ERR_OK;
    enum err err =
        store_query(tx,
                    "SELECT id FROM compute_jobs WHERE tenant = ? AND kind = ?"
                    " AND dedup_key = ? AND state IN ('queued', 'running')",
                    STORE_ARGS(SV_STR(tenant), SV_C(kind), SV_C(dedup_key)), arena, &rows, why);
    if (!err && rows.n_rows)
        (void)snprintf(id, UUID_TEXT, "%.*s", STR_FMT(store_str(&rows, 0, 0)));
    return err;
}

static enum err check_submit(const struct compute *compute, const char *kind, const char *title,
                             struct str spec, const char *dedup_key, struct arena *arena,
                             struct why *why)
{
    const struct json *json;
    if (!compute_kind(compute, str_c(kind)))
        return err_set(why, ERR_INVALID, "there is no kind of job \"%s\"", kind);
    if (utf8_invalid(str_c(title)) != STR_NPOS || utf8_count(str_c(title)) > MOST_TITLE)
        return err_set(why, ERR_INVALID, "the title must be UTF-8 of at most %d characters",
                       MOST_TITLE);
    if (strlen(dedup_key) > MOST_DEDUP)
        return err_set(why, ERR_INVALID, "the key of the job is too long");
    if (spec.len > JOB_SPEC)
        return err_set(why, ERR_TOO_LARGE, "the spec has more than %u bytes", JOB_SPEC);
    enum err err = json_parse(spec, arena, &json, why);
    if (!err && json_kind(json) != JSON_KIND_OBJECT)
        err = err_set(why, ERR_INVALID, "the spec must be a JSON object");
    return err;
}

static enum err insert_job(struct store_tx *tx, const struct compute *compute,
                           const struct ops_identity *who, const struct job_kind *kind,
                           const char *title, struct str spec, const char *dedup_key,
                           const char *id, struct arena *arena, struct why *why)
{
    int64_t attempts = kind->max_attempts ? kind->max_attempts : compute->attempts;
    int64_t memory = kind->memory_bytes ? kind->memory_bytes : compute->memory;
    struct buf buf;
    struct json_out json;
    enum err err = store_exec(
        tx,
        "INSERT INTO compute_jobs (id, tenant, actor, kind, title, spec, dedup_key, state, cancel,"
        " attempt, max_attempts, starts, memory_bytes, not_before_ms, best_done, done, total,"
        " phase, result, why, created_ms, started_ms, ended_ms, place, runner, pid, pid_start)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', 0, 0, ?, 0, ?, 0, 0, 0, 0, '', '', '', ?, 0, 0,"
        " '', '', 0, 0)",
        STORE_ARGS(SV_C(id), SV_STR(who->tenant), SV_STR(ops_actor(who, arena)), SV_C(kind->name),
                   SV_C(title), SV_STR(spec), SV_C(dedup_key), SV_INT(attempts), SV_INT(memory),
                   SV_INT(time_now_ms())),
        NULL, why);
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_c(&json, "kind", kind->name);
    json_kv_c(&json, "title", title);
    json_end_object(&json);
    return err ? err : ops_audit(tx, who, "compute.job.submit", id, "ok", buf_str(&buf), why);
}

enum err job_submit(struct store_tx *tx, struct compute *compute, const struct ops_identity *who,
                    const char *kind, const char *title, struct str spec, const char *dedup_key,
                    char id[UUID_TEXT], struct why *why)
{
    uint8_t digest[HASH_BYTES];
    char of_spec[HASH_TEXT];
    struct arena *arena = arena_new(16u << 20);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not queue the job");
    if (!dedup_key) {
        hash_of(HASH_SHA256, spec, digest);
        dedup_key = hex_put(digest, sizeof digest, of_spec);
    }
    enum err err = check_submit(compute, kind, title, spec, dedup_key, arena, why);
    if (!err)
        err = find_same(tx, who->tenant, kind, dedup_key, arena, id, why);
    if (!err && !id[0])
        err = insert_job(tx, compute, who, compute_kind(compute, str_c(kind))->kind, title, spec,
                         dedup_key, uuid7(id), arena, why);
    arena_free(arena);
    if (!err)
        executor_wake(compute);
    return err;
}

enum err job_submit_alone(struct compute *compute, const struct ops_identity *who, const char *kind,
                          const char *title, struct str spec, const char *dedup_key,
                          char id[UUID_TEXT], struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = store_begin(compute->store, STORE_WRITE, &tx, why);
    if (!err)
        err = job_submit(tx, compute, who, kind, title, spec, dedup_key, id, why);
    if (err)
        store_rollback(tx);
    else
        err = store_commit(tx, why);
    if (!err)
        executor_wake(compute); /* the first call of it came before others could see the job */
    return err;
}

/* ---- find, list ---- */

static enum job_state state_of(struct str name)
{
    for (size_t i = 0; i < sizeof state_names / sizeof state_names[0]; i++)
        if (str_eq_c(name, state_names[i]))
            return (enum job_state)i;
    return JOB_FAILED;
}

void job_info_fill(const struct store_rows *rows, size_t i, struct job_info *out)
{
    *out = (struct job_info){
        .id = store_str(rows, i, 0),
        .kind = store_str(rows, i, 1),
        .title = store_str(rows, i, 2),
        .tenant = store_str(rows, i, 3),
        .actor = store_str(rows, i, 4),
        .state = state_of(store_str(rows, i, 5)),
        .spec = store_str(rows, i, 6),
        .result = store_str(rows, i, 7),
        .why = store_str(rows, i, 8),
        .done = store_int(rows, i, 9),
        .total = store_int(rows, i, 10),
        .phase = store_str(rows, i, 11),
        .attempt = (int)store_int(rows, i, 12),
        .max_attempts = (int)store_int(rows, i, 13),
        .created_ms = store_int(rows, i, 14),
        .started_ms = store_int(rows, i, 15),
        .ended_ms = store_int(rows, i, 16),
        .cancelling = store_int(rows, i, 17) && state_of(store_str(rows, i, 5)) == JOB_RUNNING,
        .starts = store_int(rows, i, 18),
    };
}

/* What the child has reported since the executor last wrote it into the table, when the child runs
 * in this place; else the table's is all there is. */
static void freshen(const struct compute *compute, struct arena *arena, struct job_info *info)
{
    char path[JOB_PATH];
    struct progress p;
    if (info->state != JOB_RUNNING || !compute_path(compute, info->id, "progress", path) ||
        !progress_read(path, &p))
        return;
    struct str phase = str_copy(arena, str_c(p.phase));
    if (!phase.ptr || utf8_invalid(phase) != STR_NPOS)
        return;
    info->done = p.done;
    info->total = p.total;
    info->phase = phase;
}

enum err job_find(struct compute *compute, const char *id, struct arena *arena,
                  struct job_info *out, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_ask(compute->store, "SELECT " JOB_COLUMNS " FROM compute_jobs WHERE id = ?",
                  STORE_ARGS(SV_C(id)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such job");
    if (err)
        return err;
    job_info_fill(&rows, 0, out);
    freshen(compute, arena, out);
    return ERR_OK;
}

enum err job_list(struct compute *compute, const char *tenant, const char *state, int limit,
                  const char *before, struct arena *arena, struct job_info **out, size_t *n,
                  struct why *why)
{
    struct store_rows rows;
    struct str wanted = str_c(state), from = str_c(before);
    if (limit < 1 || limit > 1000)
        return err_set(why, ERR_INVALID, "limit %d is out of range: from 1 to 1000", limit);
    if (wanted.len && !str_eq_c(wanted, state_names[state_of(wanted)]))
        return err_set(why, ERR_INVALID,
                       "the state must be queued, running, done, failed or cancelled");
    enum err err =
        store_ask(compute->store,
                  "SELECT " JOB_COLUMNS " FROM compute_jobs WHERE (? = 1 OR tenant = ?)"
                  " AND (? = '' OR state = ?) AND (? = '' OR id < ?) ORDER BY id DESC LIMIT ?",
                  STORE_ARGS(SV_INT(tenant == NULL), SV_C(tenant), SV_STR(wanted), SV_STR(wanted),
                             SV_STR(from), SV_STR(from), SV_INT(limit)),
                  arena, &rows, why);
    if (err)
        return err;
    struct job_info *items = arena_array(arena, struct job_info, rows.n_rows);
    if (!items)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu jobs", rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++) {
        job_info_fill(&rows, i, &items[i]);
        freshen(compute, arena, &items[i]);
    }
    *out = items;
    *n = rows.n_rows;
    return ERR_OK;
}

/* ---- cancel, retry ---- */

struct handling {
    struct arena *arena;
    struct store_tx *tx;
    struct str actor, state, kind, tenant;
};

/* Another tenant's job is not there. Whoever started a job may handle it, and who manages jobs. */
static enum err begin_handling(struct compute *compute, const struct ops_identity *who,
                               const char *id, struct handling *h, struct why *why)
{
    struct store_rows rows;
    *h = (struct handling){.arena = arena_new(1u << 20)};
    if (!h->arena)
        return err_set(why, ERR_NO_MEMORY, "could not look at the job");
    enum err err = store_begin(compute->store, STORE_WRITE, &h->tx, why);
    if (!err)
        err = store_query(
            h->tx,
            "SELECT actor, state, kind, tenant FROM compute_jobs WHERE id = ?"
            " AND (tenant = ? OR ? = 1)",
            STORE_ARGS(SV_C(id), SV_STR(who->tenant), SV_INT(ops_may(who, "ops.every_tenant"))),
            h->arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such job");
    if (err)
        return err;
    h->actor = store_str(&rows, 0, 0);
    h->state = store_str(&rows, 0, 1);
    h->kind = store_str(&rows, 0, 2);
    h->tenant = store_str(&rows, 0, 3);
    return str_eq(h->actor, ops_actor(who, h->arena)) ? ERR_OK : ops_need(who, "jobs.manage", why);
}

static enum err tell(struct compute *compute, const char *id, const struct handling *h,
                     enum job_state to, struct why *why)
{
    struct job_move move = {
        .id = str_c(id), .tenant = h->tenant, .to = to, .words = STR(""), .arena = h->arena};
    return job_tell(compute, h->tx, h->kind, &move, why);
}

static enum err end_handling(struct compute *compute, const struct ops_identity *who,
                             const char *action, const char *id, struct handling *h, enum err err,
                             struct why *why)
{
    if (!err)
        err = ops_audit(h->tx, who, action, id, "ok", STR_NONE, why);
    if (!err)
        err = store_commit(h->tx, why);
    else
        store_rollback(h->tx);
    if (err == ERR_FORBIDDEN)
        ops_audit_refusal(compute->ops, who, action, id, err);
    if (!err)
        executor_wake(compute);
    arena_free(h->arena);
    return err;
}

enum err job_cancel(struct compute *compute, const struct ops_identity *who, const char *id,
                    struct why *why)
{
    struct handling h;
    enum err err = begin_handling(compute, who, id, &h, why);
    bool queued = !err && str_eq_c(h.state, "queued");
    if (queued)
        err = store_exec(h.tx,
                         "UPDATE compute_jobs SET state = 'cancelled', cancel = 1, ended_ms = ?"
                         " WHERE id = ?",
                         STORE_ARGS(SV_INT(time_now_ms()), SV_C(id)), NULL, why);
    else if (!err && str_eq_c(h.state, "running"))
        err = store_exec(h.tx, "UPDATE compute_jobs SET cancel = 1 WHERE id = ?",
                         STORE_ARGS(SV_C(id)), NULL, why);
    else if (!err)
        err = err_set(why, ERR_CONFLICT, "the job has ended already: %.*s", STR_FMT(h.state));
    if (!err && queued)
        err = tell(compute, id, &h, JOB_CANCELLED, why);
    return end_handling(compute, who, "compute.job.cancel", id, &h, err, why);
}

enum err job_retry(struct compute *compute, const struct ops_identity *who, const char *id,
                   struct why *why)
{
    struct handling h;
    enum err err = begin_handling(compute, who, id, &h, why);
    if (!err && !str_eq_c(h.state, "failed") && !str_eq_c(h.state, "cancelled"))
        err = err_set(why, ERR_CONFLICT,
                      "only a failed or cancelled job is run again; this one is "
                      "%.*s",
                      STR_FMT(h.state));
    if (!err)
        err = store_exec(h.tx,
                         "UPDATE compute_jobs SET state = 'queued', cancel = 0, attempt = 0,"
                         " not_before_ms = 0, ended_ms = 0, why = '' WHERE id = ?",
                         STORE_ARGS(SV_C(id)), NULL, why);
    if (!err)
        err = tell(compute, id, &h, JOB_QUEUED, why);
    return end_handling(compute, who, "compute.job.retry", id, &h, err, why);
}
