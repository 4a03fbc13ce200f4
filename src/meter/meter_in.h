/*
 * meter/meter_in - what the files of this room share; nobody else includes it.
 *
 * Locks: `start` before everything; `rules_lock` (the writer's and the API's reload) before the
 * stripes; a stripe's lock is the innermost and is held for a microsecond. All levels of a tenant
 * live in one stripe, so that they are checked and charged together under one lock.
 */
#ifndef METER_METER_IN_H
#define METER_METER_IN_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/arena.h"
#include "core/map.h"
#include "meter/flight.h"
#include "meter/meter.h"

#define METER_STRIPES      32                 /* ThreadSanitizer follows at most 64 held locks */
#define METER_BATCH        4096               /* lines of a batch at most */
#define METER_WINDOW       61                 /* seconds: in no 60 s pass more than the limit */
#define METER_SCRATCH      ((size_t)64 << 20) /* of one batch */
#define METER_ID_SHIFT     16                 /* a line's id is its batch << 16 | its place in it */
#define METER_MOST_NETS    64
#define METER_MOST_PATTERN 4000 /* bytes of a list of models or networks */

/* ---- rules.c: limits and plans in memory, replaced as a whole ---- */

struct meter_net {
    uint8_t addr[16];
    uint8_t family; /* 4 or 6 */
    uint8_t bits;
};

struct meter_rule { /* a limit, ready for use */
    struct meter_limit limit;
    struct str *models; /* n_models patterns */
    size_t n_models;
    struct meter_net *nets;
    size_t n_nets;
};

struct meter_rate_step {
    int64_t from_ms;
    struct str plan; /* id */
    struct meter_rates rates;
};
struct meter_rate_list { /* of one tenant and price key, oldest first */
    struct meter_rate_step *steps;
    size_t n;
};

struct meter_rules {
    struct arena *arena;
    struct map limits; /* "tenant\0level\0name" -> struct meter_rule */
    struct map plans;  /* "tenant\0key" -> struct meter_rate_list */
    int64_t generation;
};

/* The patterns and networks of a limit; ERR_INVALID names the one that is wrong. */
ERR_MUST_USE enum err rule_compile(const struct meter_limit *limit, struct arena *arena,
                                   struct meter_rule *out, struct why *why);
bool rule_model(const struct meter_rule *rule, struct str model);
bool rule_address(const struct meter_rule *rule, struct str address);
/* '*' stands for any run of bytes. */
bool glob_match(struct str pattern, struct str text);

ERR_MUST_USE enum err rules_load(struct meter *meter, struct store_tx *tx, struct why *why);
ERR_MUST_USE enum err rules_generation(struct store_tx *tx, int64_t *out, struct why *why);
/* In the transaction of a change. */
ERR_MUST_USE enum err rules_touch(struct store_tx *tx, struct why *why);
const struct meter_rule *rules_find(const struct meter_rules *rules, struct str tenant,
                                    enum meter_level level, struct str name);
/* The plan in force; NULL when there is none. */
const struct meter_rate_step *rules_rates(const struct meter_rules *rules, struct str tenant,
                                          struct str key, int64_t now_ms);

/* ---- scope.c: what one tenant, application or key has used ---- */

struct meter_window { /* the last METER_WINDOW seconds, this one included */
    int64_t now_s;
    int64_t sum_requests, sum_tokens;
    int64_t requests[METER_WINDOW], tokens[METER_WINDOW];
};

struct meter_scope {
    struct meter_scope *next;
    const struct meter_rule *rule; /* NULL: no limits */
    struct meter_window *window;   /* NULL: no limit of a minute so far */
    uint64_t hash;
    int64_t n_applications;          /* of a tenant: its scopes of that level */
    int64_t open;                    /* calls in flight */
    int64_t held;                    /* calls whose line is not committed; keeps it here */
    int64_t held_tokens, held_money; /* reserved, or charged and not committed */
    int64_t day_tokens, day_money;   /* committed, by all processes */
    int64_t month_tokens, month_money;
    int32_t day;
    int month;
    uint8_t level;
    uint8_t n_tenant, n_name;
    char text[]; /* tenant, then name */
};

struct meter_stripe {
    pthread_mutex_t lock;
    struct meter_scope **buckets; /* n_buckets, a power of two */
    size_t n_buckets, n;
} __attribute__((aligned(64)));

struct meter_want {
    int64_t now_ms;
    int64_t tokens, money; /* to be reserved */
    struct str model, model_id, address;
};

/* Made when missing; NULL without memory. The stripe is locked. */
struct meter_scope *scope_get(struct meter *meter, struct meter_stripe *stripe, struct str tenant,
                              enum meter_level level, struct str name);
struct meter_scope *scope_find(struct meter_stripe *stripe, struct str tenant,
                               enum meter_level level, struct str name);
/* Looks whether the limits have room; *refusal is replaced when this one lasts longer. */
void scope_check(struct meter_scope *scope, const struct meter_want *want,
                 struct meter_refusal *refusal);
void scope_reserve(struct meter_scope *scope, const struct meter_want *want);
/* Gives back what was reserved at second began_s and charges instead. */
void scope_settle(struct meter_scope *scope, int64_t began_s, int64_t now_ms,
                  int64_t reserved_tokens, int64_t reserved_money, int64_t tokens, int64_t money);
void scope_left(const struct meter_scope *scope, struct meter_left *out);
/* Moves the scope's day and month on. */
void scope_roll(struct meter_scope *scope, int64_t now_ms);
struct meter_used scope_used(struct meter_scope *scope, int64_t now_ms);
void scopes_rebind(struct meter *meter); /* to meter->rules; all stripes are locked */
/* Drops those without limits that were not used this month. */
void scopes_sweep(struct meter *meter);
void scopes_free(struct meter *meter);
struct meter_stripe *stripe_of(struct meter *meter, struct str tenant);
void stripes_lock(struct meter *meter);
void stripes_unlock(struct meter *meter);
int month_of(int32_t day);      /* 202611 */
int32_t month_begin(int month); /* its first day */
int month_next(int month);
int date_of(int32_t day); /* 20261122 */

/* ---- calls ---- */

struct meter_call {
    struct meter *meter;
    struct flight_slot *slot;
    struct meter_call *next;                    /* ended, waiting for the writer */
    struct meter_scope *scopes[METER_N_LEVELS]; /* NULL: has none */
    int64_t began_s;
    int64_t reserved_tokens, reserved_money;
    int64_t tokens, money; /* charged */
    struct meter_left left;
    char id[UUID_TEXT];
};

/* What the charge is, from the slot and what the end says. Also for recovery. */
void call_settle(const struct flight_slot *slot, const struct meter_usage *usage,
                 struct flight_end *out);
/* Back to the free ones, after the commit. */
void call_free(struct meter *meter, struct meter_call *call);

/* ---- writer.c, batch.c ---- */

struct meter_line {
    int64_t id, dim;
    const uint8_t *call; /* 16 bytes */
    int64_t began_ms, ended_ms, hour;
    int32_t day;
    enum meter_kind kind;
    enum meter_source source;
    enum meter_outcome outcome;
    int64_t delivered, prompt, cached, completion, images, money, queue_ms, first_ms;
    struct str tenant, key, who_kind, application, model, model_id, plan, trace;
    int64_t mark; /* the first 8 bytes of its digest, big endian */
};

/* What line_from() reads, in this order; behind them nothing of a line. */
#define LINE_COLUMNS                                                                               \
    "l.id, l.call, l.began_ms, l.ended_ms, l.hour, l.day, l.source, l.outcome, l.delivered,"       \
    " l.prompt, l.cached, l.completion, l.images, l.money, l.queue_ms, l.first_ms, l.trace,"       \
    " l.mark, d.tenant, d.key_id, d.who_kind, d.application, d.model, d.model_id, d.plan_id, "     \
    "d.kind"
#define LINE_TABLES "meter_lines l LEFT JOIN meter_dims d ON d.id = l.dim"
struct meter_line line_from(const struct store_rows *rows, size_t row);
/* Its canonical bytes; ptr NULL without memory. */
struct str line_text(const struct meter_line *line, struct arena *arena);
const char *call_text(const uint8_t *id, char out[UUID_TEXT]);

/* The SHA-256 of the line's canonical bytes (line.c says which), and its mark. */
void line_digest(struct meter_line *line, uint8_t out[HASH_BYTES]);
/* What the line must cost by the rates of its plan. */
int64_t line_price(const struct meter_line *line, const struct meter_rates *rates);

/* Writes the slots' lines (at most METER_BATCH, all ended) with everything that belongs to them in
 * one transaction. With `look_first` those whose line is there already are left out. */
ERR_MUST_USE enum err batch_write(struct meter *meter, struct flight_slot *const *slots, size_t n,
                                  bool look_first, struct why *why);

ERR_MUST_USE enum err writer_start(struct meter *meter, struct why *why);
void writer_stop(struct meter *meter); /* after writing what has ended */
void writer_kick(struct meter *meter);

/* ---- meter.c ---- */

struct meter {
    struct store *store;
    struct ops *ops;
    struct arena *arena; /* for as long as the meter */
    char dir[4096];
    int64_t (*clock)(void *ctx);
    void *clock_ctx;
    int64_t commit_ms, refresh_ms, keep_ms, close_ms, default_completion;
    size_t n_slots;
    bool refuse_unpriced;

    pthread_mutex_t start;
    atomic_bool started;

    struct meter_rules *rules; /* replaced with all stripes locked */
    pthread_mutex_t rules_lock;
    struct meter_stripe stripes[METER_STRIPES];
    int64_t seen_batch; /* spent sums up to this one are in the scopes; the writer's and start's */

    struct flight flight;
    struct meter_call *calls; /* one for each slot */
    uint32_t *next_free;
    _Atomic uint64_t free_head; /* tag << 32 | index + 1 */
    _Atomic(struct meter_call *) ended;
    _Atomic int64_t n_free;
    _Atomic int64_t n_ended, n_written; /* since the start */
    uint8_t id_seed[8];
    _Atomic uint64_t id_count;

    pthread_t writer;
    pthread_mutex_t writer_lock;
    pthread_cond_t wake, done;
    bool running, stop, kicked;
    enum err write_err; /* of the last attempt; under writer_lock */
    struct why write_why;
    uint64_t n_attempts;
    struct meter_call *backlog,
        **backlog_end; /* the writer's: taken, oldest first, not committed */
    int32_t seen_day;
};

int64_t meter_now(const struct meter *meter);

/* Reads sums that changed since seen_batch into the scopes, rules when they changed. */
ERR_MUST_USE enum err meter_refresh(struct meter *meter, struct why *why);
/* One change: a write transaction with scratch memory. act_end writes the act into the ledger and
 * commits when `err` is ERR_OK, else rolls back (a refusal is audited); then limits and prices are
 * read anew when `rules`. Returns what came of it. */
struct meter_act {
    struct meter *meter;
    const struct ops_identity *who;
    const char *action;
    struct arena *arena;
    struct store_tx *tx;
};
ERR_MUST_USE enum err act_begin(struct meter_act *act, struct meter *meter,
                                const struct ops_identity *who, const char *action,
                                const char *permission, struct why *why);
ERR_MUST_USE enum err act_end(struct meter_act *act, enum err err, const char *object,
                              struct str detail, bool rules, struct why *why);
/* ERR_NOT_FOUND unless `who` may see that tenant. */
ERR_MUST_USE enum err meter_see(const struct ops_identity *who, struct str tenant, struct why *why);
ERR_MUST_USE enum err meter_usage_in(struct store_tx *tx, const struct meter_filter *filter,
                                     struct arena *arena, struct meter_row **out, size_t *n,
                                     struct why *why);
/* The sums of the month from the roll-ups, closed or not. */
ERR_MUST_USE enum err bill_from_sums(struct store_tx *tx, struct str tenant, int month,
                                     struct arena *arena, struct meter_bill *out, struct why *why);
void meter_sums_add(struct meter_sums *to, const struct meter_sums *what);
struct str meter_new_id(struct arena *arena);
ERR_MUST_USE enum err meter_check_text(const char *what, struct str s, size_t most_bytes,
                                       struct why *why);

#endif
