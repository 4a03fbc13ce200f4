/* What becomes of a run's row when its job moves: state and words. */
#include "compute/compute.h"
#include "core/arena.h"
#include "eval/eval.h"
#include "support/test_store.h"
#include "tap.h"

static void move(struct store *store, enum job_state to, const char *words)
{
    struct store_tx *tx = NULL;
    struct why why = {0};
    struct job_move m = {.id = STR("job-1"), .tenant = STR("t"), .to = to, .words = str_c(words)};
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(eval_job.moved(NULL, tx, &m, &why), &why);
    CHECK_OK(store_commit(tx, &why), &why);
}

static struct str column(struct store *store, struct arena *arena, const char *name)
{
    struct store_rows rows;
    struct why why = {0};
    struct str sql = str_printf(arena, "SELECT %s FROM eval_runs", name);
    CHECK_OK(store_ask(store, sql.ptr, STORE_NO_ARGS, arena, &rows, &why), &why);
    return store_str(&rows, 0, 0);
}

TEST(a_run_that_failed_says_why_until_it_is_run_again)
{
    struct store *store = test_store_fresh(TEST_ENGINE, 4, TEST_BUSY_MS);
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    if (!store)
        SKIP(test_store_skip());
    CHECK_OK(store_migrate(store, eval_migrations, eval_n_migrations, false, NULL, &why), &why);
    CHECK_OK(
        store_run(store,
                  "INSERT INTO eval_runs (id, tenant, kb, name, questions, n_questions, job,"
                  " state, metrics, misses, created_by, created_ms, ended_ms) VALUES ('r', 't',"
                  " 'kb', 'n', '', 1, 'job-1', 'queued', '{}', '[]', 'u', 1, 0)",
                  STORE_NO_ARGS, NULL, &why),
        &why);
    CHECK_STR(column(store, arena, "why"), "");
    move(store, JOB_FAILED, "there is no knowledge base \"kb\"");
    CHECK_STR(column(store, arena, "state"), "failed");
    CHECK_STR(column(store, arena, "why"), "there is no knowledge base \"kb\"");
    move(store, JOB_QUEUED, "");
    CHECK_STR(column(store, arena, "state"), "queued");
    CHECK_STR(column(store, arena, "why"), "");
    move(store, JOB_CANCELLED, "");
    CHECK_STR(column(store, arena, "state"), "cancelled");
    arena_free(arena);
    test_store_done(store);
}

TESTS_MAIN()
