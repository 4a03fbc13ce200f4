/* Jobs that ended without saying so to their row: failed, killed too often, cancelled; or that
 * somebody has run again. Gates and reports then say the same as their jobs, and why. */
#include "release/room.h"

static const char *state_for(const struct job_move *move)
{
    return move->to == JOB_FAILED ? "failed" : move->to == JOB_CANCELLED ? "cancelled" : "queued";
}

/* A gate that has its samples, or was decided, withdrawn or given up, is none of the job's business
 * any more. */
enum err gate_moved(void *ctx, struct store_tx *tx, const struct job_move *move, struct why *why)
{
    (void)ctx;
    return store_exec(
        tx,
        "UPDATE release_gates SET state = ?, why = ? WHERE job = ? AND found = '' AND "
        "decided_ms = 0 AND state IN ('queued', 'running', 'failed', 'cancelled')",
        STORE_ARGS(SV_C(state_for(move)), SV_STR(move->words), SV_STR(move->id)), NULL, why);
}

enum err report_moved(void *ctx, struct store_tx *tx, const struct job_move *move, struct why *why)
{
    (void)ctx;
    return store_exec(tx,
                      "UPDATE release_reports SET state = ?, why = ? WHERE job = ? AND state <> "
                      "'ready'",
                      STORE_ARGS(SV_C(state_for(move)), SV_STR(move->words), SV_STR(move->id)),
                      NULL, why);
}
