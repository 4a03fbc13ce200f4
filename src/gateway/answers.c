#include "gateway/answers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "gateway/gateway.h"
#include "ledger/ledger.h"
#include "ops/ops.h"
#include "store/store.h"

#define N_HEADS     256
#define MOST_MODELS 64 /* that took part in one answer */

struct cell { /* lives as long as the counter: a reader needs no lock. As many as the registry has
               */
    struct cell *next; /* versions, times the tenants that use them */
    uint64_t hash;
    struct str tenant, model;
    _Atomic int64_t n, first_ms, last_ms; /* since the last writing; last_ms stays */
    int64_t taken, taken_first_ms;        /* by the writing under way */
    char bytes[];
};

struct answers {
    struct store *store;
    struct cell *_Atomic heads[N_HEADS];
    pthread_mutex_t making; /* of cells */
};

struct answers *answers_new(struct store *store)
{
    struct answers *answers = calloc(1, sizeof *answers);
    if (!answers)
        return NULL;
    answers->store = store;
    pthread_mutex_init(&answers->making, NULL);
    return answers;
}

void answers_free(struct answers *answers)
{
    for (size_t head = 0; answers && head < N_HEADS; head++)
        for (struct cell *c = atomic_load(&answers->heads[head]), *next; c; c = next) {
            next = c->next;
            free(c);
        }
    if (answers)
        pthread_mutex_destroy(&answers->making);
    free(answers);
}

static struct cell *find(struct answers *answers, uint64_t hash, struct str tenant,
                         struct str model)
{
    struct cell *c = atomic_load_explicit(&answers->heads[hash % N_HEADS], memory_order_acquire);
    while (c && !(c->hash == hash && str_eq(c->tenant, tenant) && str_eq(c->model, model)))
        c = c->next;
    return c;
}

static struct cell *make(struct answers *answers, uint64_t hash, struct str tenant,
                         struct str model)
{
    pthread_mutex_lock(&answers->making);
    struct cell *c = find(answers, hash, tenant, model);
    if (!c && (c = calloc(1, sizeof *c + tenant.len + model.len)) != NULL) {
        c->tenant = (struct str){c->bytes, tenant.len};
        c->model = (struct str){c->bytes + tenant.len, model.len};
        if (tenant.len)
            memcpy(c->bytes, tenant.ptr, tenant.len);
        memcpy(c->bytes + tenant.len, model.ptr, model.len);
        c->hash = hash;
        c->next = atomic_load(&answers->heads[hash % N_HEADS]);
        atomic_store_explicit(&answers->heads[hash % N_HEADS], c, memory_order_release);
    }
    pthread_mutex_unlock(&answers->making);
    return c;
}

void answers_add(struct answers *answers, struct str tenant, struct str model, int64_t now_ms)
{
    int64_t none = 0;
    if (!answers || !model.len)
        return;
    uint64_t hash = hash64(model.ptr, model.len, hash64(tenant.ptr, tenant.len, 0));
    struct cell *c = find(answers, hash, tenant, model);
    if (!c && !(c = make(answers, hash, tenant, model)))
        return;
    /* The times first: a writing in between finds a time for each answer that it counts. */
    (void)atomic_compare_exchange_strong(&c->first_ms, &none, now_ms);
    atomic_store(&c->last_ms, now_ms);
    atomic_fetch_add(&c->n, 1);
}

static enum err write_cell(struct store_tx *tx, struct cell *c, struct why *why)
{
    int64_t last = atomic_load(&c->last_ms);
    return store_exec(
        tx,
        "INSERT INTO gateway_answers (model, tenant_id, n, first_ms, last_ms) VALUES (?, ?, ?, ?,"
        " ?) ON CONFLICT (model, tenant_id) DO UPDATE SET n = gateway_answers.n + excluded.n,"
        " last_ms = CASE WHEN excluded.last_ms > gateway_answers.last_ms THEN excluded.last_ms"
        " ELSE gateway_answers.last_ms END",
        STORE_ARGS(SV_STR(c->model), SV_STR(c->tenant), SV_INT(c->taken),
                   SV_INT(c->taken_first_ms ? c->taken_first_ms : last), SV_INT(last)),
        NULL, why);
}

static void give_back(struct answers *answers)
{
    for (size_t head = 0; head < N_HEADS; head++)
        for (struct cell *c = atomic_load(&answers->heads[head]); c; c = c->next)
            if (c->taken) {
                atomic_store(&c->first_ms, c->taken_first_ms);
                atomic_fetch_add(&c->n, c->taken);
                c->taken = 0;
            }
}

enum err answers_write(struct answers *answers, struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = ERR_OK;
    for (size_t head = 0; head < N_HEADS && !err; head++)
        for (struct cell *c = atomic_load(&answers->heads[head]); c && !err; c = c->next) {
            c->taken = 0;
            if (atomic_load(&c->n) == 0)
                continue;
            if (!tx && (err = store_begin(answers->store, STORE_WRITE, &tx, why)) != ERR_OK)
                break;
            c->taken = atomic_exchange(&c->n, 0);
            c->taken_first_ms = atomic_exchange(&c->first_ms, 0);
            err = write_cell(tx, c, why);
        }
    if (tx && !err)
        err = store_commit(tx, why);
    else if (tx)
        store_rollback(tx);
    if (err)
        give_back(answers);
    return err;
}

/* ---- asking ---- */

enum err gateway_answered(struct store_tx *tx, const struct ops_identity *who, struct str model,
                          struct arena *arena, struct gateway_answered *out, struct why *why)
{
    struct store_rows rows;
    bool all = ops_may(who, "ops.every_tenant");
    enum err err = store_query(
        tx,
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT), COALESCE(MIN(first_ms), 0),"
        " COALESCE(MAX(last_ms), 0) FROM gateway_answers WHERE model = ? AND (? = 1 OR tenant_id "
        "= ?)",
        STORE_ARGS(SV_STR(model), SV_INT(all), SV_STR(who->tenant)), arena, &rows, why);
    if (!err)
        *out = (struct gateway_answered){model, store_int(&rows, 0, 0), store_int(&rows, 0, 1),
                                         store_int(&rows, 0, 2)};
    return err;
}

/* The trace of an answer of a knowledge base, which stands with its papers in the ledger; empty
 * when there is none. */
static enum err trace_of_base(struct store *store, const struct ops_identity *who, struct str id,
                              struct arena *arena, struct str *out, struct why *why)
{
    struct ledger_entry *entry;
    size_t n = 0;
    char *answer = str_z(arena, str_starts(id, STR("chatcmpl-")) ? str_from(id, 9) : id);
    char *tenant = str_z(arena, who->tenant);
    struct ledger_filter filter = {.tenant = ops_may(who, "ops.every_tenant") ? NULL : tenant,
                                   .action = "knowledge.answer.give",
                                   .object = answer,
                                   .limit = 1};
    *out = STR("");
    if (!answer || !tenant)
        return err_set(why, ERR_NO_MEMORY, "could not look for the answer");
    enum err err = ledger_list(store, &filter, arena, &entry, &n, why);
    if (!err && n)
        *out = entry->trace;
    return err;
}

static enum err models_of(struct store *store, const struct ops_identity *who, struct str id,
                          struct arena *arena, struct store_rows *rows, struct why *why)
{
    return store_ask(store,
                     "SELECT served, COUNT(*), MIN(at_ms), MAX(at_ms) FROM gateway_requests WHERE"
                     " (id = ? OR (trace = ? AND trace <> '')) AND served <> '' AND (? = 1 OR"
                     " tenant_id = ?) GROUP BY served ORDER BY MIN(at_ms), served LIMIT ?",
                     STORE_ARGS(SV_STR(id), SV_STR(id), SV_INT(ops_may(who, "ops.every_tenant")),
                                SV_STR(who->tenant), SV_INT(MOST_MODELS)),
                     arena, rows, why);
}

enum err gateway_answer_models(struct store *store, const struct ops_identity *who, struct str id,
                               struct arena *arena, struct gateway_answered **out, size_t *n,
                               struct why *why)
{
    struct store_rows rows = {0};
    struct str trace = STR("");
    enum err err = ops_need(who, "gateway.requests", why);
    if (!err)
        err = models_of(store, who, id, arena, &rows, why);
    if (!err && !rows.n_rows)
        err = trace_of_base(store, who, id, arena, &trace, why);
    if (!err && trace.len)
        err = models_of(store, who, trace, arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND,
                      trace.len ? "no call of a model is logged for the answer \"%.*s\""
                                : "there is no answer \"%.*s\" in the log of calls",
                      (int)(id.len < 80 ? id.len : 80), id.ptr);
    if (err)
        return err;
    struct gateway_answered *all = arena_array(arena, struct gateway_answered, rows.n_rows);
    if (!all)
        return err_set(why, ERR_NO_MEMORY, "could not hold the models of an answer");
    for (size_t i = 0; i < rows.n_rows; i++)
        all[i] = (struct gateway_answered){store_str(&rows, i, 0), store_int(&rows, i, 1),
                                           store_int(&rows, i, 2), store_int(&rows, i, 3)};
    *out = all;
    *n = rows.n_rows;
    return ERR_OK;
}
