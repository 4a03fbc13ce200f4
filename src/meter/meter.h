/*
 * meter - limits, prices, metering and bills: what was delivered is what stands in the ledger is
 * what is billed.
 *
 *     meter_begin   checks every limit and reserves          (memory only)
 *     meter_deliver says what is about to go to the client   (a store into mapped memory)
 *     meter_end     settles and refunds the rest             (never waits for the disk)
 *
 * A call lives in a slot of the process's flight file (data/meter/<pid>-<start>.flight, mapped). A
 * writer thread moves ended calls into meter_lines, some thousand at a time, with the roll-ups, the
 * spent sums and one ledger entry in the same transaction; then the slots are free again. A process
 * that dies leaves its flight file: whoever starts next settles its calls by what was delivered,
 * once (meter_recover).
 *
 * Units      money in micro-units of the currency (1 CNY = 1,000,000), tokens and milliseconds as
 *            integers; days and months in the process's zone (time_zone), a month as 202611
 * Rounding   once a line, half up, to the micro-unit; sums and bills add lines and never round
 * Servers    several on one database share the sums of days and months through the store: what
 *            another process has spent is seen after at most meter.commit + meter.refresh. So a day
 *            or month limit may be overshot by what the others admitted within that time and hold
 *            reserved. Limits of a minute and of concurrent calls hold for each process.
 * Power loss calls of the last meter.commit may be missing, in favour of the client; kill -9 and
 *            a full disk lose and double nothing
 * Threads    a `struct meter` serves any thread; a `struct meter_call` one thread at a time
 *
 * Owns the tables meter_*.
 */
#ifndef METER_METER_H
#define METER_METER_H

#include "core/hash.h"
#include "core/str.h"
#include "ops/ops.h"
#include "store/store.h"

struct arena;
struct conf;
struct conf_table;
struct http_table;
struct meter;
struct meter_call;

extern const struct store_migration meter_migrations[];
extern const size_t meter_n_migrations;
extern const struct conf_table meter_conf; /* meter.commit, meter.refresh, meter.slots ... */

#define METER_CURRENCY          "CNY"
#define METER_MICRO             1000000LL    /* micro-units of money in one unit */
#define METER_MOST_TOKENS       1000000000LL /* of each kind in one call */
#define METER_MOST_RATE         1000000000LL /* micro-units: 1,000 CNY a million tokens or a request */
#define METER_MOST_IMAGES       1000         /* in one call */
#define METER_MOST_APPLICATION  63           /* bytes */
#define METER_MOST_APPLICATIONS 1000         /* of a tenant in a month, told apart */
#define METER_MOST_MODEL        127          /* bytes; a price key too */
#define METER_MOST_TRACE        63           /* bytes */

/* ---- open, start ---- */

struct meter_opts {
    struct store *store;
    struct ops *ops;
    const struct conf *conf;
    const char *data_dir;        /* flight files go to <data_dir>/meter */
    int64_t (*clock)(void *ctx); /* milliseconds since 1970; NULL: time_now_ms. For tests */
    void *clock_ctx;
};
/* Touches neither files nor tables: the flight file and the writer begin with the first call or
 * with meter_start. */
ERR_MUST_USE enum err meter_open(const struct meter_opts *opts, struct meter **out,
                                 struct why *why);
/* Loads limits, prices and sums, settles what dead processes left behind, begins the writer (in
 * `serve`). ERR_NO_SPACE when there is no room for the flight file. */
ERR_MUST_USE enum err meter_start(struct meter *meter, struct why *why);
/* Writes what has ended and removes the flight file; calls that have not ended stay in it and are
 * settled by the next process. NULL is fine. */
void meter_close(struct meter *meter);
/* Whether calls can begin for a while: not, when the disk is so far behind that few more fit. */
bool meter_room(struct meter *meter);
/* Waits for room, at most so long, for who may wait: callers are better slowed down than refused.
 * Not when it would not help: nothing can be written (meter_begin() says why), or all is written
 * and the calls that take the room are under way. */
void meter_wait(struct meter *meter, int64_t wait_ms);

/* Waits until every call that has ended is in the store. ERR_TIMEOUT, or why it cannot be written.
 */
ERR_MUST_USE enum err meter_flush(struct meter *meter, int64_t wait_ms, struct why *why);
/* Settles the calls in flight files of processes that are dead; *n_calls (may be NULL) of them.
 * Files that cannot be read are kept, renamed to *.bad, and logged. */
ERR_MUST_USE enum err meter_recover(struct meter *meter, size_t *n_calls, struct why *why);

/* ---- a call ---- */

enum meter_kind {
    METER_CHAT,       /* chat and text completions, responses */
    METER_EMBEDDINGS, /* prompt tokens only */
    METER_RERANK,     /* prompt tokens only */
    METER_IMAGE,      /* images */
    METER_AUDIO,      /* for each request */
    METER_CACHED,     /* answered from the response cache: a line and a rate of its own */
    METER_N_KINDS
};
const char *meter_kind_name(enum meter_kind kind); /* "chat", "embeddings" ... */

struct meter_ask {
    const struct ops_identity *who; /* tenant, key or user, address */
    enum meter_kind kind;
    struct str application;        /* as the client says; what the key was given goes before it */
    struct str model;              /* as it was asked for: limits and bills name this */
    struct str model_id;           /* the version that serves it; may be empty */
    struct str price_key;          /* of the plan; empty: the model */
    int64_t prompt_tokens;         /* counted or estimated */
    int64_t max_completion_tokens; /* most that can come; below 0: unknown (meter.reserve) */
    int64_t images;
    struct str trace;
};

/* Which limit refused. All strings are static. */
struct meter_refusal {
    const char *limit;     /* "requests_per_minute", "tokens_per_minute", "concurrent",
                              "tokens_per_day", "tokens_per_month", "money_per_day",
                              "money_per_month", "models", "expires", "network"; NULL: none of them */
    const char *level;     /* "tenant", "application", "key" */
    int64_t value, used;   /* of the limit, without this call; 0 where it has no number */
    int64_t retry_after_s; /* at least 1; 0: trying again does not help */
};

/*
 * Checks the limits of the key, the application and the tenant together: either all have room and
 * are charged with the reservation, or none is. The refusal that would last longest is named.
 *
 *   Errors  ERR_RATE_LIMITED  a limit that passes; refusal->retry_after_s says when
 *           ERR_FORBIDDEN     model, network, expiry; or no price and meter.unpriced = refuse
 *           ERR_INVALID       a name that is too long, a number out of range
 *           ERR_NO_SPACE, ERR_UNAVAILABLE   lines cannot be written, and no slot is left
 *   Cost    about a microsecond; no system call, no database (but the first call of a process)
 *   Owner   *out ends with meter_end, which must be called, once
 */
ERR_MUST_USE enum err meter_begin(struct meter *meter, const struct meter_ask *ask,
                                  struct meter_call **out, struct meter_refusal *refusal,
                                  struct why *why);

/* UUIDv7 of the call, as its line keeps it; valid until meter_end. */
const char *meter_call_id(struct meter_call *call);

/* What is left of the limits of a minute after this call began, the least over the levels; -1: no
 * such limit. For the headers x-ratelimit-*. */
struct meter_left {
    int64_t limit_requests, left_requests;
    int64_t limit_tokens, left_tokens;
};
void meter_left(const struct meter_call *call, struct meter_left *out);

/* So many completion tokens in all, from the first on, will have gone to the client: called BEFORE
 * the bytes go. 0 counts as a first byte, too (an embedding). A store into mapped memory. */
void meter_deliver(struct meter_call *call, int64_t completion_tokens);
/* The prompt as the upstream or our tokenizer counted it, as soon as it is known: what a crash
 * would charge. Below 0: unchanged. */
void meter_prompt(struct meter_call *call, int64_t prompt_tokens, int64_t cached_tokens);

enum meter_source { METER_UPSTREAM, METER_COUNTED, METER_ESTIMATED, METER_N_SOURCES };
const char *meter_source_name(enum meter_source source); /* "upstream", "counted", "estimated" */

/*
 * How it ended. Whole answers are charged by the usage that is reported. All others by what was
 * delivered: nothing before the first meter_deliver, afterwards the prompt and the tokens
 * delivered.
 */
enum meter_outcome {
    METER_OK,
    METER_CANCELLED, /* the client went away */
    METER_FAILED,    /* the upstream refused, died, or broke off */
    METER_TIMED_OUT,
    METER_INTERRUPTED, /* our process died; written by recovery */
    METER_N_OUTCOMES
};
const char *meter_outcome_name(enum meter_outcome outcome); /* "ok", "cancelled" ... */

struct meter_usage {
    int64_t prompt; /* tokens; those from the cache are part of them; below 0: as told before */
    int64_t cached; /* prompt tokens that the upstream had in its cache; below 0: as told before */
    int64_t completion; /* tokens; below 0: as delivered */
    enum meter_source source;
    enum meter_outcome outcome;
    int64_t queue_ms, first_ms; /* waited for a place; to the first token; below 0: not known */
};

struct meter_charge {
    int64_t prompt, cached, completion; /* tokens charged */
    int64_t money;                      /* micro-units */
};

/* Settles: charges, gives the rest of the reservation back, hands the call to the writer. *out may
 * be NULL. The call must not be used afterwards. */
void meter_end(struct meter_call *call, const struct meter_usage *usage, struct meter_charge *out);

/* ---- prices ---- */

/* Micro-units of money. Cached prompt tokens are charged at their own rate instead of `prompt`. */
struct meter_rates {
    int64_t prompt, cached, completion; /* a million tokens */
    int64_t request, image;             /* each */
    int64_t cached_answer;              /* each answer from the response cache, and nothing else */
};

/* The one rounding rule: the token part rounded half up to the micro-unit. Pure. */
int64_t meter_price(const struct meter_rates *rates, enum meter_kind kind, int64_t prompt,
                    int64_t cached, int64_t completion, int64_t images);

struct meter_plan {
    struct str id;
    struct str tenant;    /* empty: all tenants that have no plan of their own for the key */
    struct str price_key; /* a model's; "*": every model without a plan */
    int64_t from_ms;      /* in force from here until the next plan of the same tenant and key */
    struct meter_rates rates;
    struct str note;
    struct str created_by; /* read only, as created_ms */
    int64_t created_ms;
};
/* A call takes the plan in force when it begins: the tenant's own before the general one, the key's
 * before "*". from_ms 0: now; not in the past, so that no bill changes afterwards. Permission
 * meter.price. Prices are never changed, only followed by others. */
ERR_MUST_USE enum err meter_plan_create(struct meter *meter, const struct ops_identity *who,
                                        const struct meter_plan *plan, struct arena *arena,
                                        struct str *id, struct why *why);
/* Takes back a plan that is not in force yet; ERR_CONFLICT when it is. */
ERR_MUST_USE enum err meter_plan_withdraw(struct meter *meter, const struct ops_identity *who,
                                          const char *id, struct why *why);
/* Newest first; price_key NULL: all. Of every tenant for who acts in every tenant, else the general
 * ones and the own. limit 1 .. 1000. */
ERR_MUST_USE enum err meter_plan_list(struct meter *meter, const struct ops_identity *who,
                                      const char *price_key, int limit, struct arena *arena,
                                      struct meter_plan **out, size_t *n, struct why *why);

/* The plan that a call of this tenant would take now; *found false: there is none, such calls cost
 * nothing or are refused (meter.unpriced). For saying beforehand what work will cost: the caller
 * has checked who asks. */
ERR_MUST_USE enum err meter_plan_now(struct meter *meter, struct str tenant, struct str price_key,
                                     struct arena *arena, struct meter_plan *out, bool *found,
                                     struct why *why);

/* ---- limits ---- */

enum meter_level { METER_TENANT, METER_APPLICATION, METER_KEY, METER_N_LEVELS };
const char *meter_level_name(enum meter_level level); /* "tenant", "application", "key" */

#define METER_NO_LIMIT (-1) /* 0 admits nothing */

struct meter_limit {
    struct str tenant;
    enum meter_level level;
    struct str name;        /* application; key or user id; empty for the tenant itself */
    struct str models;      /* names separated by ' ', '*' stands for any run; empty: all */
    struct str network;     /* CIDR blocks separated by ' '; empty: from anywhere */
    struct str application; /* of a key: what its calls belong to; empty: as the client says */
    int64_t requests_per_minute, tokens_per_minute, concurrent;
    int64_t tokens_per_day, tokens_per_month;
    int64_t money_per_day, money_per_month; /* micro-units */
    int64_t expires_ms;                     /* 0: never */
    int64_t version;                        /* 0: there is none yet; for If-Match */
    int64_t updated_ms;
};
/* Sets all limits of one tenant, application or key. `version` must be that of what is there, or -1
 * for "whatever is there" (ERR_PRECONDITION). Permission meter.limit; a tenant's own level only for
 * who acts in every tenant. In force at once here, within meter.refresh in other processes. */
ERR_MUST_USE enum err meter_limit_put(struct meter *meter, const struct ops_identity *who,
                                      const struct meter_limit *limit, struct why *why);
ERR_MUST_USE enum err meter_limit_remove(struct meter *meter, const struct ops_identity *who,
                                         const char *tenant, enum meter_level level,
                                         const char *name, struct why *why);
/* What is used of it now: the minute's in this process, day and month in all. */
struct meter_used {
    int64_t requests_minute, tokens_minute, concurrent;
    int64_t tokens_day, tokens_month, money_day, money_month;
};
/* tenant NULL: the own one, or all for who acts in every tenant. used may be NULL. Ordered by
 * tenant, level, name. */
ERR_MUST_USE enum err meter_limit_list(struct meter *meter, const struct ops_identity *who,
                                       const char *tenant, struct arena *arena,
                                       struct meter_limit **out, struct meter_used **used,
                                       size_t *n, struct why *why);

/* ---- usage ---- */

enum meter_by { /* bits: what the sums are grouped by */
                METER_BY_TENANT = 1,
                METER_BY_MODEL = 2,
                METER_BY_APPLICATION = 4,
                METER_BY_KEY = 8,
                METER_BY_KIND = 16
};
enum meter_step { METER_STEP_NONE, METER_STEP_HOUR, METER_STEP_DAY, METER_STEP_MONTH };

struct meter_filter {
    const char *tenant;                    /* NULL: all (the caller has checked that `who` may) */
    const char *model, *application, *key; /* NULL: any */
    int64_t from_ms, to_ms; /* half open; whole hours with METER_STEP_HOUR, else whole days */
    enum meter_step step;
    unsigned by; /* enum meter_by */
    int limit;   /* rows, 1 .. 100000 */
};
struct meter_sums {
    int64_t calls, failed; /* failed: ended otherwise than ok */
    int64_t prompt, cached, completion, images;
    int64_t money; /* micro-units */
    int64_t ms, first_ms, n_first,
        queue_ms; /* sums of durations; n_first calls have a first token */
};
struct meter_row {
    int64_t at_ms; /* begin of the hour, day or month; 0 without step */
    struct str tenant, model, application, key; /* empty where not grouped by it */
    struct str who_kind;                        /* "key", "user" ...: whose id `key` is */
    struct str kind;
    struct meter_sums sums;
};
/* From the roll-ups, never from the lines: the cost goes with hours or days times the combinations
 * of tenant, model, application and key that were used. By time, then by money, most first.
 * ERR_TOO_LARGE when there are more rows than the limit. */
ERR_MUST_USE enum err meter_usage_query(struct meter *meter, const struct meter_filter *filter,
                                        struct arena *arena, struct meter_row **out, size_t *n,
                                        struct why *why);

/* ---- bills ---- */

struct meter_bill {
    struct str tenant, tenant_title;
    int month;   /* 202611 */
    bool closed; /* immutable, and in the ledger */
    int64_t closed_ms;
    struct meter_sums sums;
    struct meter_row *rows; /* by model, application and kind; n_rows of them */
    size_t n_rows;
    struct str json, sha256; /* the text that was closed, and its digest; empty while open */
};
/* The closed one as it was closed, else the sums so far. ERR_NOT_FOUND when the month has not
 * begun. */
ERR_MUST_USE enum err meter_bill_of(struct meter *meter, const char *tenant, int month,
                                    struct arena *arena, struct meter_bill *out, struct why *why);
ERR_MUST_USE enum err meter_bill_json(const struct meter_bill *bill, struct buf *out,
                                      struct why *why);
ERR_MUST_USE enum err meter_bill_csv(const struct meter_bill *bill, struct buf *out,
                                     struct why *why);
/* Closes a month that is over: its JSON is kept, with its digest in the ledger. A call that is
 * settled later (a server that was away) goes to the month that is open. Permission meter.bill. */
ERR_MUST_USE enum err meter_bill_close(struct meter *meter, const struct ops_identity *who,
                                       const char *tenant, int month, struct why *why);

/* Closes, as the centre itself, the bills of months that ended meter.close ago; *n_closed of them.
 * Called by the writer every hour. Nothing when meter.close is 0s. */
ERR_MUST_USE enum err meter_bill_close_due(struct meter *meter, size_t *n_closed, struct why *why);

/* The months in which a tenant (NULL: each) used something, newest first. limit 1 .. 1000. */
struct meter_month {
    struct str tenant;
    int month;
    int64_t tokens, money;
    int64_t closed_ms; /* 0: open */
};
ERR_MUST_USE enum err meter_bill_list(struct meter *meter, const char *tenant, int limit,
                                      struct arena *arena, struct meter_month **out, size_t *n,
                                      struct why *why);

/* ---- evidence ---- */

/*
 * One line with what proves it: `canonical` is the text whose SHA-256 is `sha256` (line.c says its
 * form); the SHA-256 of the batch is that of its lines' digests, and stands in the ledger's entry.
 */
struct meter_paper {
    int64_t line, batch, ledger_entry;
    struct str tenant, key, application, model, model_id, plan, trace;
    enum meter_kind kind;
    enum meter_source source;
    enum meter_outcome outcome;
    int64_t began_ms, ended_ms;
    struct meter_charge charge;
    struct str batch_sha256, canonical;
    char sha256[HASH_TEXT];
};
/* By the call's id. ERR_NOT_FOUND when it is not written yet, or its line was removed. The caller
 * compares out->tenant. */
ERR_MUST_USE enum err meter_paper_of(struct meter *meter, struct str call, struct arena *arena,
                                     struct meter_paper *out, struct why *why);

/* ---- keeping and checking ---- */

/* Removes lines (and sums by hour) older than meter.keep whose months are closed; batches, sums by
 * day and bills stay. At most `most` batches; *n_batches were removed. Called by the writer every
 * hour. */
ERR_MUST_USE enum err meter_expire(struct meter *meter, size_t most, size_t *n_batches,
                                   struct why *why);

struct meter_report {
    int64_t n_lines, n_batches, n_bills, n_faults;
    int64_t n_expired; /* batches whose lines were removed: proven by their sums only */
    int64_t n_flight;  /* calls in flight files, not settled yet */
};
/* Proves lines <-> batches <-> ledger entries, batches <-> roll-ups <-> spent sums <-> bills. Each
 * fault is told in words that name the line, batch, day or bill. ERR_OK also with faults. Cost: one
 * pass over the lines, in one read transaction. */
ERR_MUST_USE enum err meter_check(struct meter *meter, void (*fault)(void *ctx, const char *words),
                                  void *ctx, struct meter_report *out, struct why *why);

const struct http_table *meter_routes(struct meter *meter); /* lives as long as the meter */

#endif
