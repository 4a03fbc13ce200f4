/* Metrics by model, made once a process and never freed, for they are registered for ever. */
#include "gateway/gateway_in.h"

#include <stdio.h>
#include <string.h>

#include "core/metric.h"

#define MOST_MODELS 200
#define MOST_NAME   80
#define N_BUCKETS   512

struct stats {
    struct stats *next;
    char model[MOST_NAME];
    char class_labels[6][128], kind_labels[3][128], label[112];
    struct metric by_class[6], tokens[3];
    struct metric seconds, first, between, queue, queue_seconds, failures;
};

/* What may stand in a label without escapes; the rest becomes '_'. */
static void put_name(char out[MOST_NAME], struct str model)
{
    size_t n = model.len < MOST_NAME - 1 ? model.len : MOST_NAME - 1;
    for (size_t i = 0; i < n; i++) {
        char c = model.ptr[i];
        out[i] = (unsigned char)c < ' ' || c == '"' || c == '\\' || c == 0x7F ? '_' : c;
    }
    out[n] = '\0';
}

static struct metric make(enum metric_kind kind, const char *name, const char *help,
                          const char *labels)
{
    return (struct metric)METRIC_INIT(kind, name, help, labels);
}

static void fill(struct stats *stats)
{
    static const char *const kinds[] = {"prompt", "cached", "completion"};
    const char *label = stats->label;
    (void)snprintf(stats->label, sizeof stats->label, "model=\"%s\"", stats->model);
    for (int i = 1; i < 6; i++) {
        (void)snprintf(stats->class_labels[i], sizeof stats->class_labels[i],
                       "model=\"%s\",code=\"%dxx\"", stats->model, i);
        stats->by_class[i] = make(METRIC_COUNTER, "yicheng_gateway_requests_total",
                                  "Calls of models, by class of status", stats->class_labels[i]);
    }
    for (int i = 0; i < 3; i++) {
        (void)snprintf(stats->kind_labels[i], sizeof stats->kind_labels[i],
                       "model=\"%s\",kind=\"%s\"", stats->model, kinds[i]);
        stats->tokens[i] = make(METRIC_COUNTER, "yicheng_gateway_tokens_total",
                                "Tokens; the cached are part of the prompt", stats->kind_labels[i]);
    }
    stats->seconds = make(METRIC_HISTOGRAM, "yicheng_gateway_request_seconds",
                          "Time of a call from its beginning to its end", label);
    stats->first = make(METRIC_HISTOGRAM, "yicheng_gateway_first_token_seconds",
                        "Time to the first token of a stream, waiting included", label);
    stats->between = make(METRIC_HISTOGRAM, "yicheng_gateway_between_tokens_seconds",
                          "Mean time between the events of a stream", label);
    stats->queue =
        make(METRIC_GAUGE, "yicheng_gateway_queue", "Calls that wait for a place", label);
    stats->queue_seconds = make(METRIC_HISTOGRAM, "yicheng_gateway_queue_seconds",
                                "Time that calls waited for a place", label);
    stats->failures = make(METRIC_COUNTER, "yicheng_gateway_upstream_failures_total",
                           "Attempts that failed at an upstream", label);
}

struct stats *stats_of(struct str model)
{
    static struct stats all[MOST_MODELS + 1];
    static struct stats *_Atomic buckets[N_BUCKETS];
    static size_t n;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char wanted[MOST_NAME] = "";
    put_name(wanted, model.len ? model : STR("none"));
    size_t bucket = hash64(wanted, strlen(wanted), 0) % N_BUCKETS;
    for (struct stats *s = atomic_load(&buckets[bucket]); s; s = s->next)
        if (strcmp(s->model, wanted) == 0)
            return s;
    pthread_mutex_lock(&lock);
    struct stats *found = atomic_load(&buckets[bucket]);
    while (found && strcmp(found->model, wanted) != 0)
        found = found->next;
    if (!found && n < MOST_MODELS) {
        found = &all[n++];
        memcpy(found->model, wanted, sizeof found->model);
        fill(found);
        found->next = atomic_load(&buckets[bucket]);
        atomic_store(&buckets[bucket], found);
    }
    if (!found) {
        found = &all[MOST_MODELS];
        if (!found->model[0]) {
            (void)snprintf(found->model, sizeof found->model, "others");
            fill(found);
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void stats_call(struct stats *stats, int status, int64_t us)
{
    int class = status / 100;
    metric_add(&stats->by_class[class < 1 || class > 5 ? 5 : class], 1);
    metric_observe_us(&stats->seconds, us);
}

void stats_tokens(struct stats *stats, int64_t prompt, int64_t cached, int64_t completion)
{
    metric_add(&stats->tokens[0], prompt);
    metric_add(&stats->tokens[1], cached);
    metric_add(&stats->tokens[2], completion);
}

void stats_first(struct stats *stats, int64_t us)
{
    metric_observe_us(&stats->first, us);
}

void stats_between(struct stats *stats, int64_t us)
{
    metric_observe_us(&stats->between, us);
}

void stats_queue(struct stats *stats, int delta, int64_t us)
{
    metric_add(&stats->queue, delta);
    if (delta < 0)
        metric_observe_us(&stats->queue_seconds, us);
}

void stats_failure(struct stats *stats)
{
    metric_add(&stats->failures, 1);
}
