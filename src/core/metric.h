/*
 * core/metric - counters, gauges and histograms in the Prometheus text format 0.0.4.
 *
 * A metric is a static struct that its file owns; metric_add() and friends are lock-free and may be
 * called from any thread. The first use registers it. Names follow Prometheus' rules: yicheng_
 * first, the unit last, _total for counters.
 */
#ifndef CORE_METRIC_H
#define CORE_METRIC_H

#include <stdatomic.h>

#include "core/str.h"

#define METRIC_BUCKETS 16

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    const char *name;
    const char *help;
    const char *labels; /* "room=\"http\",code=\"2xx\"" or NULL */
    enum metric_kind kind;
    _Atomic int64_t value; /* counter, gauge; the sum in microseconds of a histogram */
    _Atomic int64_t buckets[METRIC_BUCKETS];
    atomic_int state; /* 0 unregistered, 1 registering, 2 registered */
    struct metric *next;
};

#define METRIC_INIT(kind, name, help, labels)                                                      \
    {                                                                                              \
        (name), (help), (labels), (kind), 0, {0}, 0, NULL                                          \
    }

void metric_add(struct metric *metric, int64_t n);
void metric_set(struct metric *metric, int64_t value);
/* A duration into a histogram; bucket bounds from 0.1 ms to 60 s. */
void metric_observe_us(struct metric *metric, int64_t microseconds);
int64_t metric_value(struct metric *metric);

/* All registered metrics and the process's own (resident memory, open files, CPU time). */
void metric_write(struct buf *out);

#endif
