/* Runs of the retrieval suite: kept in eval_runs, carried out as jobs. */
#include "eval/eval.h"

#include <stdlib.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "core/hash.h"
#include "core/time.h"
#include "eval/room.h"

#define MOST_MISSES 500

const struct store_migration eval_migrations[] = {
    {"eval", 1,
     "CREATE TABLE eval_runs ("
     " id TEXT PRIMARY KEY, tenant TEXT NOT NULL, kb TEXT NOT NULL, name TEXT NOT NULL,"
     " questions TEXT NOT NULL, n_questions INTEGER NOT NULL, job TEXT NOT NULL, state TEXT NOT "
     "NULL,"
     " metrics TEXT NOT NULL, misses TEXT NOT NULL, created_by TEXT NOT NULL, created_ms INTEGER "
     "NOT NULL,"
     " ended_ms INTEGER NOT NULL);"
     "CREATE INDEX eval_runs_by_tenant ON eval_runs (tenant, id)",
     NULL},
    {"eval", 2, "ALTER TABLE eval_runs ADD COLUMN why TEXT NOT NULL DEFAULT ''", NULL},
};
const size_t eval_n_migrations = sizeof eval_migrations / sizeof eval_migrations[0];

enum err eval_open(const struct eval_room_opts *opts, struct eval **out, struct why *why)
{
    struct eval *eval = calloc(1, sizeof *eval);
    if (!eval)
        return err_set(why, ERR_NO_MEMORY, "could not open the evaluations");
    eval->opts = *opts;
    *out = eval;
    return ERR_OK;
}

void eval_close(struct eval *eval)
{
    if (eval)
        free(eval->table);
    free(eval);
}

/* ---- the job ---- */

struct watch {
    struct job *job;
};

static bool progress(void *ctx, size_t done, size_t total)
{
    struct watch *watch = ctx;
    job_progress(watch->job, (int64_t)done, (int64_t)total, "asking the questions");
    return !job_cancelled(watch->job);
}

static enum err load(struct eval *eval, struct str id, struct arena *arena, struct str *kb,
                     struct str *questions, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(eval->opts.store, "SELECT kb, questions FROM eval_runs WHERE id = ?",
                             STORE_ARGS(SV_STR(id)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        return err_set(why, ERR_NOT_FOUND, "there is no evaluation \"%.*s\"", STR_FMT(id));
    if (!err) {
        *kb = store_str(&rows, 0, 0);
        *questions = store_str(&rows, 0, 1);
    }
    return err;
}

/* The figures and the misses replace whatever an earlier, unfinished attempt wrote: running twice
 * is running once. */
static enum err keep(struct eval *eval, struct str id, const struct eval_report *report,
                     struct arena *arena, struct str *metrics, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    eval_json(report, false, &out);
    enum err err = buf_err(&buf, why);
    if (err)
        return err;
    *metrics = buf_str(&buf);
    return store_run(
        eval->opts.store,
        "UPDATE eval_runs SET state = 'done', why = '', metrics = ?, misses = ?, ended_ms = ? "
        "WHERE id = ?",
        STORE_ARGS(SV_STR(*metrics), SV_STR(report->misses), SV_INT(time_now_ms()), SV_STR(id)),
        NULL, why);
}

static enum err carry_out(struct eval *eval, struct job *job, struct str id, struct why *why)
{
    struct arena *arena = job_arena(job);
    struct watch watch = {job};
    struct ops_identity who = job_actor(job);
    struct str kb, metrics = STR_NONE;
    struct eval_opts opts = {.ask = true, .most_misses = MOST_MISSES};
    struct eval_report report;
    enum err err = load(eval, id, arena, &kb, &opts.questions, why);
    if (err)
        return err;
    opts.kb = str_z(arena, kb);
    if (!opts.kb)
        return err_set(why, ERR_NO_MEMORY, "could not hold the evaluation");
    err = eval_retrieval(eval->opts.knowledge, &who, &opts, progress, &watch, arena, &report, why);
    if (!err)
        err = keep(eval, id, &report, arena, &metrics, why);
    if (!err)
        job_result(job, metrics);
    return err;
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct eval *eval = ctx;
    struct str id = json_get_str(json_get(job_spec(job), "run"), "id", STR(""));
    return carry_out(eval, job, id, why);
}

static enum err moved(void *ctx, struct store_tx *tx, const struct job_move *move, struct why *why)
{
    const char *state = move->to == JOB_FAILED      ? "failed"
                        : move->to == JOB_CANCELLED ? "cancelled"
                                                    : "queued";
    (void)ctx;
    return store_exec(
        tx, "UPDATE eval_runs SET state = ?, why = ? WHERE job = ? AND state <> 'done'",
        STORE_ARGS(SV_C(state), SV_STR(move->to == JOB_FAILED ? move->words : STR("")),
                   SV_STR(move->id)),
        NULL, why);
}

const struct job_kind eval_job = {
    .name = "eval.retrieval",
    .summary = "Ask a knowledge base the questions of a file and measure the answers",
    .permission = "eval.run",
    .max_attempts = 2,
    .run = run,
    .moved = moved,
};

/* ---- starting and listing ---- */

enum err eval_check_questions(struct str text, size_t *n, struct why *why)
{
    struct str rest = text, line;
    *n = 0;
    struct arena *arena = arena_new(8u << 20);
    enum err err = arena ? ERR_OK : ERR_NO_MEMORY;
    for (int number = 1; !err && str_next_line(&rest, &line); number++) {
        const struct json *doc = NULL;
        line = str_trim_space(line);
        if (line.len == 0)
            continue;
        arena_reset(arena);
        err = json_parse(line, arena, &doc, why);
        size_t of_line = 0;
        if (!err)
            err = eval_check_line(doc, &of_line, why);
        if (err)
            err_prefix(why, "line %d", number);
        *n += of_line;
    }
    arena_free(arena);
    if (!err && *n == 0)
        err = err_set(why, ERR_INVALID, "there is no question in the file");
    return err;
}

enum err eval_start(struct eval *eval, const struct ops_identity *who, struct str kb,
                    struct str name, struct str questions, struct arena *arena, char id[UUID_TEXT],
                    char job[UUID_TEXT], struct why *why)
{
    size_t n;
    struct store_tx *tx = NULL;
    enum err err = ops_need(who, "eval.run", why);
    if (!err)
        err = eval_check_questions(questions, &n, why);
    if (!err && kb.len) /* said now, and not by a job that fails; none: all bases */
        err = knowledge_see(eval->opts.knowledge, who, kb, arena, why);
    if (err)
        return err;
    uuid7(id);
    struct str spec = str_printf(arena, "{\"run\":{\"id\":\"%s\"}}", id);
    char *title = str_z(arena, kb);
    struct str actor = ops_actor(who, arena);
    if (!spec.ptr || !title || !actor.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the evaluation");
    err = store_begin(eval->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = job_submit(tx, eval->opts.compute, who, eval_job.name, title, spec, "", job, why);
    if (!err)
        err = store_exec(
            tx,
            "INSERT INTO eval_runs (id, tenant, kb, name, questions, n_questions, job, state,"
            " metrics, misses, created_by, created_ms, ended_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', '{}', '[]', ?, ?, 0)",
            STORE_ARGS(SV_C(id), SV_STR(who->tenant), SV_STR(kb), SV_STR(name), SV_STR(questions),
                       SV_INT((int64_t)n), SV_C(job), SV_STR(actor), SV_INT(time_now_ms())),
            NULL, why);
    if (!err)
        err = ops_audit(tx, who, "eval.run.start", id, "ok", STR("{}"), why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}
