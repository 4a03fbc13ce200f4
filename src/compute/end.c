/* How an attempt ends. */
#include <string.h>

#include "compute/compute_in.h"
#include "core/time.h"
#include "core/utf8.h"

#define MOST_BACKOFF_MS 300000

struct ending {
    struct compute *compute;
    const char *id;
    struct arena *arena;
    struct store_tx *tx;
    struct str tenant, actor, kind;
    int64_t attempt, max_attempts, best_done, cancel;
};

/* false: it is not running (any more), somebody else has written its end. */
static enum err read_running(struct ending *e, int64_t starts, bool *running, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(e->tx,
                               "SELECT tenant, actor, kind, attempt, max_attempts, best_done,"
                               " cancel FROM compute_jobs WHERE id = ? AND state = 'running'"
                               " AND starts = ?",
                               STORE_ARGS(SV_C(e->id), SV_INT(starts)), e->arena, &rows, why);
    *running = !err && rows.n_rows > 0;
    if (!*running)
        return err;
    e->tenant = store_str(&rows, 0, 0);
    e->actor = store_str(&rows, 0, 1);
    e->kind = store_str(&rows, 0, 2);
    e->attempt = store_int(&rows, 0, 3);
    e->max_attempts = store_int(&rows, 0, 4);
    e->best_done = store_int(&rows, 0, 5);
    e->cancel = store_int(&rows, 0, 6);
    return ERR_OK;
}

static struct str cut_words(struct arena *arena, const char *words)
{
    struct str s = str_slice(str_c(words), 0, JOB_MOST_WHY);
    s = str_slice(s, 0, utf8_floor(s, s.len));
    size_t bad = utf8_invalid(s);
    return str_copy(arena, bad == STR_NPOS ? s : str_slice(s, 0, bad));
}

static enum err finish(struct ending *e, const struct job_end *end, const char *state,
                       struct str words, struct why *why)
{
    const struct progress *p = &end->progress;
    struct ops_identity who = job_identity(e->actor, e->tenant);
    const char *result = strcmp(state, "done") == 0     ? "ok"
                         : strcmp(state, "failed") == 0 ? "failed"
                                                        : "cancelled";
    struct str phase = cut_words(e->arena, p->phase);
    enum err err = store_exec(
        e->tx,
        "UPDATE compute_jobs SET state = ?, result = ?, why = ?, done = ?, total = ?, phase = ?,"
        " ended_ms = ?, runner = '', pid = 0, pid_start = 0 WHERE id = ?",
        STORE_ARGS(SV_C(state), SV_STR(end->result), SV_STR(words), SV_INT(p->done),
                   SV_INT(p->total), SV_STR(phase), SV_INT(time_now_ms()), SV_C(e->id)),
        NULL, why);
    struct buf buf;
    struct json_out json;
    buf_init(&buf, e->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "kind", e->kind);
    if (words.len && end->kind == END_FAILED)
        json_kv_str(&json, "why", words);
    json_end_object(&json);
    struct job_move move = {.id = str_c(e->id),
                            .tenant = e->tenant,
                            .to = result[0] == 'f' ? JOB_FAILED : JOB_CANCELLED,
                            .words = words,
                            .arena = e->arena};
    if (!err && strcmp(state, "done") != 0)
        err = job_tell(e->compute, e->tx, e->kind, &move, why);
    return err ? err : ops_audit(e->tx, &who, "compute.job.end", e->id, result, buf_str(&buf), why);
}

/* first * 2^(attempt - 1), at most five minutes; nothing when it had got on. */
static int64_t backoff(const struct compute *compute, int64_t attempt)
{
    int64_t ms = attempt > 0 ? compute->backoff_ms : 0;
    for (int64_t i = 1; i < attempt && ms < MOST_BACKOFF_MS; i++)
        ms *= 2;
    return ms < MOST_BACKOFF_MS ? ms : MOST_BACKOFF_MS;
}

/*
 * An attempt that got further than any before it does not count: a job may be killed as often as
 * one likes as long as it gets on. Compared with the furthest ever, not with the start of this
 * attempt, for a job that crashes at one place each time gets there each time.
 */
static enum err queue_again(struct ending *e, const struct job_end *end, struct str words,
                            struct why *why)
{
    const struct progress *p = &end->progress;
    bool got_on = p->done > e->best_done;
    int64_t attempt = got_on ? 0 : end->kind == END_STOPPED ? e->attempt - 1 : e->attempt;
    int64_t best = got_on ? p->done : e->best_done;
    struct str phase = cut_words(e->arena, p->phase);
    return store_exec(
        e->tx,
        "UPDATE compute_jobs SET state = 'queued', attempt = ?, best_done = ?, why = ?, done = ?,"
        " total = ?, phase = ?, not_before_ms = ?, runner = '', pid = 0, pid_start = 0"
        " WHERE id = ?",
        STORE_ARGS(SV_INT(attempt), SV_INT(best), SV_STR(words), SV_INT(p->done), SV_INT(p->total),
                   SV_STR(phase), SV_INT(time_now_ms() + backoff(e->compute, attempt)),
                   SV_C(e->id)),
        NULL, why);
}

static enum err write_end(struct ending *e, const struct job_end *end, struct why *why)
{
    struct str words = cut_words(e->arena, end->why);
    bool again = end->kind == END_STOPPED ||
                 (end->kind == END_DIED &&
                  (e->attempt < e->max_attempts || end->progress.done > e->best_done));
    if (end->kind == END_DONE)
        return finish(e, end, "done", STR(""), why);
    if (end->kind == END_CANCELLED || (e->cancel && end->kind != END_FAILED))
        return finish(e, end, "cancelled", words, why);
    if (again)
        return queue_again(e, end, words, why);
    struct job_end failed = *end;
    failed.kind = END_FAILED;
    if (end->kind == END_DIED)
        words = str_printf(e->arena, "%.*s (attempt %lld of %lld)", STR_FMT(words),
                           (long long)e->attempt, (long long)e->max_attempts);
    return finish(e, &failed, "failed", words, why);
}

enum err job_end(struct compute *compute, const char *id, const struct job_end *end,
                 struct why *why)
{
    struct ending e = {.compute = compute, .id = id, .arena = arena_new(4u << 20)};
    bool running = false;
    if (!e.arena)
        return err_set(why, ERR_NO_MEMORY, "could not end job %s", id);
    enum err err = store_begin(compute->store, STORE_WRITE, &e.tx, why);
    if (!err)
        err = read_running(&e, end->starts, &running, why);
    if (!err && running)
        err = write_end(&e, end, why);
    if (!err && running) {
        err = store_commit(e.tx, why);
        e.tx = NULL;
    }
    store_rollback(e.tx);
    arena_free(e.arena);
    return err;
}
