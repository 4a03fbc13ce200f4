/* Old lines leave, in the order they came; their batches, sums by day and bills stay. */
#include <stdio.h>

#include "core/json.h"
#include "core/time.h"
#include "ledger/ledger.h"
#include "meter/meter_in.h"

#define CHUNK_LINES 50000 /* of one transaction */
#define SPENT_DAYS  62    /* sums of single days are only asked for today */
#define ACT_MEMORY  ((size_t)4 << 20)

struct chunk {
    int64_t from, to; /* batches; to < from: none */
    int64_t n_batches, n_lines;
    int32_t last_day;
};

/* Lines before this day may go: they are old enough, and every month before it is closed for each
 * tenant that used anything. */
static enum err first_kept_day(struct meter *m, struct store_tx *tx, struct arena *arena,
                               int32_t *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        tx,
        "SELECT MIN(s.period) FROM meter_spent s WHERE s.level = 0 AND s.period < 1000000 AND NOT"
        " EXISTS (SELECT 1 FROM meter_bills b WHERE b.tenant = s.tenant AND b.month = s.period)",
        STORE_NO_ARGS, arena, &rows, why);
    *out = day_of(meter_now(m) - m->keep_ms);
    if (!err && !store_is_null(&rows, 0, 0)) {
        int32_t open = month_begin((int)store_int(&rows, 0, 0));
        if (open < *out)
            *out = open;
    }
    return err;
}

static enum err next_chunk(struct meter *m, struct store_tx *tx, struct arena *arena, size_t most,
                           struct chunk *out, struct why *why)
{
    struct store_rows rows;
    int32_t keep;
    *out = (struct chunk){.last_day = INT32_MIN};
    enum err err = first_kept_day(m, tx, arena, &keep, why);
    if (!err)
        err = store_query(tx,
                          "SELECT batch, n, last_day FROM meter_batches WHERE batch >"
                          " (SELECT COALESCE(MAX(to_batch), 0) FROM meter_expired)"
                          " ORDER BY batch LIMIT ?",
                          STORE_ARGS(SV_INT((int64_t)most)), arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows && out->n_lines < CHUNK_LINES; i++) {
        int32_t last = (int32_t)store_int(&rows, i, 2);
        if (last >= keep)
            break;
        out->from = out->from ? out->from : store_int(&rows, i, 0);
        out->to = store_int(&rows, i, 0);
        out->n_batches++;
        out->n_lines += store_int(&rows, i, 1);
        if (last > out->last_day)
            out->last_day = last;
    }
    return err;
}

static enum err record(struct meter *m, struct store_tx *tx, struct arena *arena,
                       const struct chunk *chunk, struct why *why)
{
    char object[48];
    struct str detail =
        str_printf(arena, "{\"from_batch\":%lld,\"to_batch\":%lld,\"lines\":%lld}",
                   (long long)chunk->from, (long long)chunk->to, (long long)chunk->n_lines);
    (void)snprintf(object, sizeof object, "%lld", (long long)chunk->to);
    struct ledger_act act = {.actor = "system",
                             .action = "meter.lines.expire",
                             .object = object,
                             .result = "ok",
                             .detail = detail};
    enum err err = ledger_append(tx, &act, NULL, why);
    if (err)
        return err;
    return store_exec(tx,
                      "INSERT INTO meter_expired (to_batch, from_batch, last_day, time_ms)"
                      " VALUES (?, ?, ?, ?)",
                      STORE_ARGS(SV_INT(chunk->to), SV_INT(chunk->from), SV_INT(chunk->last_day),
                                 SV_INT(meter_now(m))),
                      NULL, why);
}

static enum err remove_chunk(struct meter *m, struct store_tx *tx, struct arena *arena,
                             const struct chunk *chunk, struct why *why)
{
    int64_t kept_hour = day_start_ms(chunk->last_day + 1) / 3600000;
    enum err err = store_exec(tx, "DELETE FROM meter_lines WHERE id >= ? AND id < ?",
                              STORE_ARGS(SV_INT(chunk->from << METER_ID_SHIFT),
                                         SV_INT((chunk->to + 1) << METER_ID_SHIFT)),
                              NULL, why);
    if (!err)
        err = store_exec(tx, "DELETE FROM meter_hours WHERE hour < ?",
                         STORE_ARGS(SV_INT(kept_hour)), NULL, why);
    return err ? err : record(m, tx, arena, chunk, why);
}

static enum err forget_days(struct meter *m, struct why *why)
{
    return store_run(m->store, "DELETE FROM meter_spent WHERE period >= 10000000 AND period < ?",
                     STORE_ARGS(SV_INT(date_of(day_of(meter_now(m)) - SPENT_DAYS))), NULL, why);
}

enum err meter_expire(struct meter *m, size_t most, size_t *n_batches, struct why *why)
{
    *n_batches = 0;
    enum err err = forget_days(m, why);
    while (!err && *n_batches < most) {
        struct chunk chunk;
        struct store_tx *tx = NULL;
        struct arena *arena = arena_new(ACT_MEMORY);
        err = arena ? store_begin(m->store, STORE_WRITE, &tx, why)
                    : err_set(why, ERR_NO_MEMORY, "could not remove old lines");
        if (!err)
            err = next_chunk(m, tx, arena, most - *n_batches, &chunk, why);
        bool any = !err && chunk.n_batches > 0;
        if (any)
            err = remove_chunk(m, tx, arena, &chunk, why);
        if (any && !err)
            err = store_commit(tx, why);
        else
            store_rollback(tx);
        arena_free(arena);
        if (!any)
            break;
        *n_batches += err ? 0 : (size_t)chunk.n_batches;
    }
    return err;
}
