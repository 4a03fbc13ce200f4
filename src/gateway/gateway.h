/*
 * gateway - the OpenAI-shaped door: every model of the city, and every knowledge base, behind /v1.
 *
 *     key, permission (ops) -> guards before -> limits, reserve (meter) -> cache -> route (models)
 *         -> place in a fair queue -> upstream, again or elsewhere before the first byte
 *         -> guards after -> client; settle (meter), request log, metrics
 *
 * Models `kb:<name>` are knowledge bases and answered here; all others are looked up in room models
 * and answered by their upstreams. What the gateway does not know in a request or an answer passes
 * through it byte for byte; it replaces the name of the model, adds what it needs to count, and
 * takes that out again.
 *
 * Threads: any. A call under way costs no thread: its request is held, or streams.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "core/str.h"
#include "store/store.h"

struct arena;
struct conf;
struct conf_table;
struct gateway;
struct http_table;
struct knowledge;
struct meter;
struct models;
struct models_door;
struct ops;
struct ops_identity;

extern const struct conf_table gateway_conf; /* gateway.queue, gateway.first_time ... */
extern const struct store_migration gateway_migrations[];
extern const size_t gateway_n_migrations;

struct gateway_opts {
    struct store *store; /* for the request log; NULL: none is kept */
    struct ops *ops;
    struct knowledge *knowledge; /* NULL: no models kb:<name> */
    struct models *models;       /* NULL: no other models */
    struct meter *meter;         /* NULL: nothing is limited or counted */
    const struct conf *conf;     /* with gateway_conf; NULL: the defaults */
    struct http_loops *loops; /* those of the server, so that a call stays on its thread, or NULL */
};

ERR_MUST_USE enum err gateway_open(const struct gateway_opts *opts, struct gateway **out,
                                   struct why *why);
/* Ends what is under way (after http_stop() that is little), settles it, writes the log. NULL is
 * fine. Before meter_close() and models_close(). */
void gateway_close(struct gateway *gateway);

/* Lives as long as the gateway. */
const struct http_table *gateway_routes(struct gateway *gateway);
const struct http_table *gateway_api_routes(struct gateway *gateway);     /* /api/requests */
const struct http_table *gateway_latency_routes(struct gateway *gateway); /* /api/latency */

/* For models_set_door(): other rooms call models like any client, limited, counted and logged.
 * The call waits for the answer and is on the account of `who`, whose permissions the
 * calling room has checked. "stream" is refused. */
void gateway_door(struct gateway *gateway, struct models_door *out);

/* ---- calls that may become data ---- */

/*
 * Calls whose client sent "X-Yicheng-Consent: yes" and that went well, of the tenant of `who` (who
 * needs gateway.requests), in the order of their ids behind `after` (""; from the first on). Bodies
 * as they are in the log: masked as gateway.log_bodies says, at most 64 KiB each. An error of
 * `each` ends it. ERR_UNSUPPORTED when no log is kept.
 */
struct gateway_agreed {
    struct str id, model, application, door; /* "chat/completions" ... */
    struct str request, reply;               /* reply: JSON, or of a stream its words */
    bool stream;
    int64_t at_ms;
};
typedef enum err gateway_agreed_fn(void *ctx, const struct gateway_agreed *call, struct why *why);
ERR_MUST_USE enum err gateway_agreed_each(struct gateway *gateway, const struct ops_identity *who,
                                          struct str after, gateway_agreed_fn *each, void *ctx,
                                          struct why *why);

/* ---- what models answered, for the lineage ---- */

struct gateway_answered {
    struct str model;          /* "model:version", as the registry names it */
    int64_t n;                 /* calls that it answered, also by a kept answer */
    int64_t first_ms, last_ms; /* of the first and the last of them; 0: none */
};
/*
 * All answers that a version gave to the tenant of `who`; to all tenants for who may
 * ops.every_tenant. Counted apart from the log, which is sampled and expires; up to 5 s late.
 */
ERR_MUST_USE enum err gateway_answered(struct store_tx *tx, const struct ops_identity *who,
                                       struct str model, struct arena *arena,
                                       struct gateway_answered *out, struct why *why);
/*
 * The versions that took part in one answer, in the order of their calls, at most 64: `id` is that
 * of a call in the log, a trace id, or the id of an answer of a knowledge base ("chatcmpl-<id>" or
 * <id>). ERR_FORBIDDEN without gateway.requests; ERR_NOT_FOUND when the log knows none of this
 * tenant.
 */
ERR_MUST_USE enum err gateway_answer_models(struct store *store, const struct ops_identity *who,
                                            struct str id, struct arena *arena,
                                            struct gateway_answered **out, size_t *n,
                                            struct why *why);

/* ---- guards: a hook before and after each call ---- */

/* What is known of a call. Strings live as long as the call. */
struct gateway_turn {
    const struct ops_identity *who;
    struct str path;        /* "chat/completions" */
    struct str model;       /* as it was asked for */
    struct str application; /* may be empty */
    struct str trace;
    bool stream;
    struct gateway_labels *labels; /* see gateway_label() */
};

/* Adds a response header "Name: value"; up to the first byte of the answer. Copied. */
void gateway_label(const struct gateway_turn *turn, const char *name, const char *value);

/*
 * One guard. Each function may be NULL; called from many threads for different calls, for one call
 * by one at a time. An error refuses the call or stops the answer: its words go to the client with
 * the code "guard_<name>".
 */
struct gateway_guard {
    const char *name; /* [a-z0-9_]+ */
    void *ctx;
    /* Before limits are charged. *body is the request as it came, JSON; it may be set to another
     * one in `arena`. *state is the guard's own for this call. On a worker: may take its time. */
    enum err (*before)(void *ctx, const struct gateway_turn *turn, struct arena *arena,
                       struct str *body, void **state, struct why *why);
    /* The answer: the whole of it, or of a stream each event's data ("last" for the empty text at
     * the end). *data may be set to another text in `arena`, or to the empty one (a stream: the
     * event is left out). On an event thread: must not block. */
    enum err (*after)(void *ctx, const struct gateway_turn *turn, struct arena *arena,
                      struct str *data, bool last, void *state, struct why *why);
    /* Once for each call whose before() was called. */
    void (*end)(void *ctx, void *state);
};
/* At most 8, called in the order given. Before the first call; `guard` is copied. ERR_INVALID. */
ERR_MUST_USE enum err gateway_guard_add(struct gateway *gateway, const struct gateway_guard *guard,
                                        struct why *why);

#endif
