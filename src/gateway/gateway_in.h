/*
 * gateway/gateway_in - what the files of this room share. Nobody else includes it but its tests.
 *
 *     gateway.c       configuration, open and close, the door for other rooms
 *     gateway_http.c  the routes, answers of knowledge bases
 *     exchange.c      the life of one call: begin, try, try elsewhere, fail
 *     place.c         which target, the fair queues, the keeper thread
 *     upstream.c      the call to a target, its answer taken apart
 *     answer.c        what the client gets: an answer, a stream, an error
 *     settle.c        counting, metering, the end
 *     record.c        the request log (requests_http.c shows it)        stats.c   metrics by model
 *     latency.c       histograms by hour, tenant, model, application (latency_http.c shows them)
 *     ask, reply, responses, scan, events, fair, breaker, cache: pure parts, see their headers
 */
#ifndef GATEWAY_GATEWAY_IN_H
#define GATEWAY_GATEWAY_IN_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/ask.h"
#include "gateway/breaker.h"
#include "gateway/cache.h"
#include "gateway/events.h"
#include "gateway/fair.h"
#include "gateway/gateway.h"
#include "gateway/latency.h"
#include "gateway/reply.h"
#include "gateway/responses.h"
#include "http/http.h"
#include "meter/meter.h"
#include "models/models.h"
#include "privacy/privacy.h"

#define MOST_GUARDS 8
#define MOST_TRIED  8

#define N_LACKING   256

struct queue;
struct exchange;

/* ---- the gateway ---- */

struct line { /* those who wait for the targets of one model */
    struct line *next;
    pthread_mutex_t lock;
    struct fair *fair;
    struct str model;
};

struct limits { /* read once */
    int64_t connect_ms, first_ms, between_ms, whole_ms, total_ms, queue_ms;
    size_t most_waiting, most_answer, n_threads, most_calls;
    unsigned attempts;
    int64_t log_keep_ms;
    int log_sample;   /* of a thousand calls that went well */
    int64_t log_rate; /* of them at most so many a second */
    enum { LOG_BODIES_OFF, LOG_BODIES_MASKED, LOG_BODIES_FULL } log_bodies;
};

/* A target that was found to know no /v1/responses, for a while; a newcomer takes the place. */
struct lacking {
    _Atomic uint64_t target; /* hash of its id */
    _Atomic int64_t until_ms;
};

struct gateway {
    struct gateway_opts opts;
    struct http_table table, api_table, latency_table;
    struct arena *arena;
    struct limits limits;
    struct gateway_guard guards[MOST_GUARDS];
    size_t n_guards;
    struct breakers *breakers;
    struct cache *cache;
    struct records *records; /* NULL: no log is kept */
    struct latency *latency; /* NULL: without a store */
    struct lacking lacking[N_LACKING];

    pthread_mutex_t lock;       /* of what follows */
    struct http_client *client; /* opened by the first call */
    struct line *_Atomic lines;
    pthread_cond_t changed;
    atomic_bool closing, ready;
    pthread_t keeper, counter;
    struct queue *counting;    /* exchanges whose tokens are to be counted */
    atomic_size_t n_waiting;   /* in all lines */
    atomic_size_t n_exchanges; /* that have not ended */
};

/* Opens the client and begins the threads, once; ERR_CANCELLED when closing. */
ERR_MUST_USE enum err gateway_ready(struct gateway *gateway, struct http_client **out,
                                    struct why *why);

void gateway_table(struct gateway *gateway); /* fills gateway->table: gateway_http.c */

/* ---- an error for the client ---- */

struct fault {
    int status; /* 0: none */
    const char *type, *code;
    char param[ASK_PARAM];
    int64_t retry_after_s; /* 0: not said */
    struct why why;
};
void fault_of(struct fault *fault, enum err err, const struct why *why, const char *param);
void fault_set(struct fault *fault, int status, const char *code, const char *fmt, ...)
    ERR_PRINTF(4, 5);
void fault_put(struct json_out *out, const struct fault *fault);

/* ---- an exchange: one call of a client ---- */

enum stage {
    STAGE_NEW,
    STAGE_WAITING, /* in a line */
    STAGE_CALLING, /* an upstream has it */
    STAGE_COUNTING,
    STAGE_OVER /* settled and answered (a stream may still be on its way to the client) */
};

struct gateway_labels {
    struct arena *arena;
    const char *names[16], *values[16];
    size_t n;
};

struct exchange {
    atomic_int refs; /* the request or door, the line, the upstream's call, the counter */
    struct gateway *gateway;
    pthread_mutex_t lock;     /* of everything below; taken before a line's lock */
    struct arena *arena;      /* as long as the exchange */
    struct arena *call_arena; /* the upstream's call's; anew for each attempt */
    enum stage stage;

    /* the client */
    struct http_request *req; /* NULL: a call through the door */
    struct http_response *res;
    pthread_cond_t *waiting; /* of the door */
    struct ops_identity who; /* copied */
    struct gateway_turn turn;
    struct gateway_labels labels;
    void *guard_state[MOST_GUARDS];
    size_t n_before; /* guards whose before() was called */
    bool gone, answered;

    /* what is asked, and where */
    struct ask ask;
    const struct models_route *root, *route; /* route: root or one of its fallbacks */
    int64_t generation;
    size_t n_fallback; /* next to be tried */
    uint64_t choice;   /* what targets and arms are chosen by */
    const struct models_target *target;
    struct str served; /* "model:version" of the target asked last, or of the kept answer */
    struct str tried[MOST_TRIED];
    size_t n_tried;
    unsigned attempts;
    struct line *line;
    struct fair_item item;
    struct exchange *next; /* in a list of those that waited too long */
    struct http_asked *asked;

    /* the answer */
    int status; /* the upstream's */
    int64_t upstream_retry_s;
    bool is_events, streaming, paused, done_seen, usage_sent, stream_over, stream_ended;
    bool by_chat; /* /v1/responses over chat/completions: */
    struct responses *responses;
    uint64_t asked_hash, turned_hash; /* of a target's id: asked last; had to be asked by chat */
    struct buf body;
    struct events events;
    struct buf pending, words, scratch;
    struct buf kept;                  /* of a stream for the cache: its events before the guards */
    size_t pending_at;                /* of pending that the client has */
    size_t words_delivered;           /* bytes of words that went to the client */
    int64_t tokens, tokens_delivered; /* estimated, while it streams */
    bool words_lost;                  /* there were too many to keep: the estimate counts */
    struct reply_usage usage;
    enum meter_source source;
    enum meter_outcome outcome;
    struct fault fault; /* of the last attempt */
    struct str reply;   /* the whole answer, for the door and the log */
    struct str stream_id;
    const struct cached *cached;
    uint8_t digest[HASH_BYTES];
    bool keep;    /* in the cache when it went well */
    bool consent; /* who asks agrees that the call becomes data for training */

    struct meter_call *call;
    struct meter_left left; /* when it began */
    bool metered;
    char call_id[UUID_TEXT];
    int64_t begun_ns, waiting_ns, asked_ns, first_ns, last_ns;
    int64_t queue_ms, n_between, between_us;
    int64_t money;
};

struct exchange *exchange_new(struct gateway *gateway, const struct ops_identity *who);
void exchange_drop(struct exchange *x); /* it never ran */
void exchange_ref(struct exchange *x);
void exchange_unref(void *x); /* a deferred call of arenas */

/* From the body to a target, a line, or an answer. The lock is not held. `application` may be
 * empty; no_store: the client wants no kept answer. */
void exchange_run(struct exchange *x, const struct ask_door *door, struct str body,
                  struct str application, bool no_store);
/* The client went away. The lock is not held. */
void exchange_gone(void *x);

/* With the lock held: */
void exchange_advance(struct exchange *x);
/* An attempt failed: again, elsewhere, or the fault to the client. */
void exchange_failed(struct exchange *x, bool again);

/* place.c */
enum placed { PLACED, PLACED_LATER, PLACED_NOWHERE };
/* A target that takes the call, counted busy (x->target); or a place in the line. Lock held. */
enum placed place_find(struct exchange *x);
/* The side of an A/B split that a choice falls on. */
size_t arm_of(const struct models_route *route, uint64_t choice);
/* The target is done with. Lock held; place_kick() afterwards without it. */
void place_leave(struct exchange *x);
/* Takes it out of its line; false when it is being launched. Lock held. */
bool place_drop(struct exchange *x);
/* Launches who may go now. No exchange's lock is held. */
void place_kick(struct gateway *gateway);
void *place_keeper(void *gateway);
void place_fail_all(struct gateway *gateway); /* when closing */

/* upstream.c; lock held */
void upstream_call(struct exchange *x);
/* A stream that was kept (x->cached), as if it came again. ERR_FORBIDDEN: a guard stopped it. */
ERR_MUST_USE enum err upstream_replay(struct exchange *x, struct why *why);
/* The last events of a stream over chat/completions, with its usage. Errors as above. */
ERR_MUST_USE enum err upstream_last(struct exchange *x, struct why *why);

/* answer.c; lock held */
void answer_fault(struct exchange *x);             /* x->fault */
void answer_reply(struct exchange *x, int status); /* x->reply */
void answer_stream(struct exchange *x);            /* begins it; pending holds the first event */
void answer_more(struct exchange *x);              /* pending grew, or the stream is over */

/* settle.c; lock held */
void settle(struct exchange *x, enum meter_outcome outcome); /* what came is all that comes */
void *settle_counter(void *gateway);
ERR_MUST_USE enum err settle_begin(struct exchange *x, bool cached); /* limits; sets x->fault */
void settle_end(struct exchange *x, int status);                     /* meter, log, metrics; once */
void settle_drop(struct exchange *x); /* the call was nothing: to another route */
enum err guards_after(struct exchange *x, struct str *data, bool last);

/* ---- record.c: the request log ---- */

struct records;
struct record { /* strings are copied by records_put */
    int64_t at_ms, ms, first_ms, queue_ms;
    struct str id, trace, tenant, actor, name, application, address;
    struct str door, model, version, target, code, source, request, reply;
    struct str served; /* "model:version" that answered; empty: none did */
    int status, attempts;
    bool stream, cached, consent;
    int64_t prompt, cached_tokens, completion, money;
};
ERR_MUST_USE enum err records_open(struct gateway *gateway, struct records **out, struct why *why);
/* Whether a call is kept: those that failed are, the others by their id and up to a rate. Once. */
bool records_want(struct records *records, const char *id, int status);
void records_put(struct records *records, const struct record *record); /* never blocks */
/* One answer of "model:version" (answers.h). */
void records_answered(struct records *records, struct str tenant, struct str served);
void records_close(struct records *records); /* writes what is there */
/* Personal data in a text, in part (room privacy); nothing of the text when that fails. The scanner
 * is the caller's. */
ERR_MUST_USE enum err record_scanner(struct privacy_scanner **out, struct why *why);
void record_mask(const struct privacy_scanner *scanner, struct str text, struct buf *out);

/* ---- stats.c: metrics by model ---- */

struct stats;
struct stats *stats_of(struct str model); /* for ever; beyond 200 models, that of all others */
void stats_call(struct stats *stats, int status, int64_t us);
void stats_tokens(struct stats *stats, int64_t prompt, int64_t cached, int64_t completion);
void stats_first(struct stats *stats, int64_t us);
void stats_between(struct stats *stats, int64_t us);
void stats_queue(struct stats *stats, int delta, int64_t us);
void stats_failure(struct stats *stats);

#endif
