/*
 * gateway/latency - how long calls took, as histograms by hour, tenant, model and application, so
 * that percentiles can be asked for any time and group.
 *
 * Place in the room: settle.c adds, latency_http.c shows. A call costs one look-up and up to three
 * increments, no lock; a thread writes what came together every few seconds to gateway_latency.
 * Several centres on one database write rows of their own; a question adds them up.
 */
#ifndef GATEWAY_LATENCY_H
#define GATEWAY_LATENCY_H

#include "core/str.h"

struct arena;
struct latency;
struct store;

enum latency_kind {
    LATENCY_FIRST,   /* beginning of a stream to its first token, waiting included */
    LATENCY_BETWEEN, /* mean time from one event of a stream to the next */
    LATENCY_WHOLE,   /* beginning to end of a call that went well */
    LATENCY_N_KINDS
};

/* ---- a histogram: pure ---- */

/* Eight buckets an octave from 8 microseconds to 71 minutes: a percentile is off by 1 part in 16
 * at most. The idea of HdrHistogram, Gil Tene 2012. */
#define LATENCY_BUCKETS 240

size_t latency_bucket(int64_t us);
/* The value below which a share `q` (0..1) of n counts lies, in microseconds; -1 without any. */
int64_t latency_percentile(const int64_t counts[LATENCY_BUCKETS], double q);

/* ---- counting ---- */

/* `store` outlives it. Begins the thread that writes. */
ERR_MUST_USE enum err latency_open(struct store *store, struct latency **out, struct why *why);
/* Writes what is there. NULL is fine. */
void latency_close(struct latency *latency);

/*
 * One call; a time below 0 is not counted. Any thread, lock-free once a name was seen. Names are
 * cut to 80 bytes; beyond 1,000 different ones a call counts for its tenant under "…".
 */
void latency_add(struct latency *latency, struct str tenant, struct str model,
                 struct str application, const int64_t us[LATENCY_N_KINDS]);

/* ---- asking ---- */

enum { LATENCY_BY_TENANT = 1, LATENCY_BY_MODEL = 2, LATENCY_BY_APPLICATION = 4 };
enum latency_step { LATENCY_STEP_NONE, LATENCY_STEP_HOUR, LATENCY_STEP_DAY };

struct latency_filter {
    int64_t from_ms, to_ms;                /* whole hours that begin in [from, to) */
    struct str tenant, model, application; /* empty: all */
    unsigned by;
    enum latency_step step;
};

struct latency_row {
    int64_t at_ms;                         /* begin of the step; 0 without one */
    struct str tenant, model, application; /* empty when not asked for by it */
    int64_t counts[LATENCY_N_KINDS][LATENCY_BUCKETS];
};

/*
 * What was counted, this process's last seconds included: rows in `arena` (6 KiB each), the most
 * calls first within a step. ERR_TOO_LARGE beyond 2,000 rows, ERR_INVALID without time.
 */
ERR_MUST_USE enum err latency_ask(struct latency *latency, const struct latency_filter *filter,
                                  struct arena *arena, struct latency_row ***out, size_t *n,
                                  struct why *why);

#endif
