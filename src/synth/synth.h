/*
 * synth - synthesis: records made from passages by templates and rules, or by a model.
 *
 *     version -> passages -> drafts (rules | model) -> quality -> duplicates -> writer of room data
 *
 * Methods stand in methods.def: questions with answers, paraphrases, instructions, dialogues,
 * negatives, errors for proofreading. Every record says in its meta that it is synthetic, by which
 * method, model or template and from which record it was made; its id begins with that record's, so
 * that sources and withdrawals reach it. The rules need no model: they turn articles of laws,
 * fields of guides and pairs of FAQs into records whose answers stand in the passage word for word.
 *
 * A run is a job: it marks what it has after each record, goes on after a kill -9 with the same
 * bytes (with rules), stops at its budget of tokens or calls with what it has, and can be
 * cancelled. Calls of a model go through the gateway's door on the account of who started the run.
 *
 * Threads: any. Permissions: data.read to estimate, data.write to start, model.use with a model.
 */
#ifndef SYNTH_SYNTH_H
#define SYNTH_SYNTH_H

#include "compute/compute.h"
#include "core/json.h"
#include "core/str.h"
#include "ops/ops.h"
#include "store/store.h"

struct arena;
struct data;
struct http_table;
struct models;
struct synth;

extern const struct job_kind synth_run_job;

/* Prices are no business of this room: who puts the rooms together hands in a function. */
struct synth_calls { /* a guess */
    struct str model;
    int64_t n, prompt_tokens, completion_tokens;
};
struct synth_cost {
    bool priced;   /* false: no price is set for that model */
    int64_t micro; /* money in micro-units of the currency */
    const char *currency;
};
struct synth_price {
    void *ctx;
    enum err (*cost)(void *ctx, const struct ops_identity *who, const struct synth_calls *calls,
                     struct synth_cost *out, struct why *why);
};

struct synth_opts {
    struct store *store;
    struct compute *compute;
    struct data *data;
    struct models *models;    /* NULL: rules only */
    struct synth_price price; /* cost NULL: estimates name no money */
};
ERR_MUST_USE enum err synth_open(const struct synth_opts *opts, struct synth **out,
                                 struct why *why);
void synth_close(struct synth *synth); /* NULL is fine */
const struct http_table *synth_routes(struct synth *synth);

void synth_methods_json(struct json_out *out); /* as GET /api/synthesis_methods */
/*
 * spec: {"input": {"dataset", "version"?}, "output": {"dataset", "title"?}, "method", "model"?: ""
 *        for rules, "per_passage"?: 3, "most_records"?: 0 for all, "seed"?: 1,
 *        "budget"?: {"tokens", "calls"} (0: none), "append"?: false}
 * {"n_records", "n_sampled", "n_passages", "n_calls", "prompt_tokens", "completion_tokens",
 * "tokens", "cost_micro", "currency", "within_budget", "examples"}: counted over a sample and
 * scaled; calls nothing. "cost_micro" is 0 by rules and null when the model has no price.
 * ERR_INVALID names what the spec has wrong.
 */
ERR_MUST_USE enum err synth_estimate_json(struct synth *synth, const struct ops_identity *who,
                                          struct str spec, struct arena *arena,
                                          struct json_out *out, struct why *why);
/* Queues the job. The same spec, while its job is not done, gives the same job. */
ERR_MUST_USE enum err synth_start(struct synth *synth, const struct ops_identity *who,
                                  struct str spec, char job[UUID_TEXT], struct why *why);

#endif
