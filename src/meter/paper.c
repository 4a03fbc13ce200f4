/* One metered call as evidence. */
#include "meter/meter_in.h"

static bool bytes_of(struct str call, char out[16])
{
    char hex[32];
    size_t n = 0;
    if (!uuid_valid(call))
        return false;
    for (size_t i = 0; i < call.len; i++)
        if (call.ptr[i] != '-')
            hex[n++] = call.ptr[i];
    return hex_get((struct str){hex, n}, out, 16);
}

static enum err read_batch(struct store_tx *tx, struct arena *arena, struct meter_paper *out,
                           struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT sha256, entry FROM meter_batches WHERE batch = ?",
                               STORE_ARGS(SV_INT(out->batch)), arena, &rows, why);
    if (err)
        return err;
    out->batch_sha256 = store_str(&rows, 0, 0);
    out->ledger_entry = store_int(&rows, 0, 1);
    return ERR_OK;
}

static enum err read_paper(struct store_tx *tx, struct str call, struct arena *arena,
                           struct meter_paper *out, struct why *why)
{
    char id[16];
    uint8_t digest[HASH_BYTES];
    struct store_rows rows;
    if (!bytes_of(call, id))
        return err_set(why, ERR_INVALID, "the id of a call is a UUID");
    enum err err =
        store_query(tx, "SELECT " LINE_COLUMNS " FROM " LINE_TABLES " WHERE l.call = ?",
                    STORE_ARGS(SV_BLOB(((struct str){id, sizeof id}))), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such call");
    if (err)
        return err;
    struct meter_line l = line_from(&rows, 0);
    line_digest(&l, digest);
    *out = (struct meter_paper){
        .line = l.id,
        .batch = l.id >> METER_ID_SHIFT,
        .tenant = l.tenant,
        .key = l.key,
        .application = l.application,
        .model = l.model,
        .model_id = l.model_id,
        .plan = l.plan,
        .trace = l.trace,
        .kind = l.kind,
        .source = l.source,
        .outcome = l.outcome,
        .began_ms = l.began_ms,
        .ended_ms = l.ended_ms,
        .charge = {l.prompt, l.cached, l.completion, l.money},
        .canonical = line_text(&l, arena),
    };
    hex_put(digest, sizeof digest, out->sha256);
    return out->canonical.ptr ? read_batch(tx, arena, out, why)
                              : err_set(why, ERR_NO_MEMORY, "could not hold the call");
}

enum err meter_paper_of(struct meter *meter, struct str call, struct arena *arena,
                        struct meter_paper *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct meter_paper paper = {0};
    enum err err = store_begin(meter->store, STORE_READ, &tx, why);
    if (!err)
        err = read_paper(tx, call, arena, &paper, why);
    store_rollback(tx);
    if (!err)
        *out = paper;
    return err;
}
