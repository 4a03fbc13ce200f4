#include "core/metric.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Upper bounds in microseconds; the last bucket is +Inf. */
static const int64_t bounds[METRIC_BUCKETS - 1] = {100,    250,     500,     1000,     2500,
                                                   5000,   10000,   25000,   50000,    100000,
                                                   250000, 1000000, 5000000, 15000000, 60000000};

static _Atomic(struct metric *) first;

static void ensure(struct metric *metric)
{
    int fresh = 0;
    if (atomic_load_explicit(&metric->state, memory_order_acquire) == 2)
        return;
    if (!atomic_compare_exchange_strong(&metric->state, &fresh, 1))
        return; /* another thread is at it; it will be listed in a moment */
    struct metric *head = atomic_load(&first);
    do {
        metric->next = head;
    } while (!atomic_compare_exchange_weak(&first, &head, metric));
    atomic_store_explicit(&metric->state, 2, memory_order_release);
}

void metric_add(struct metric *metric, int64_t n)
{
    ensure(metric);
    atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    ensure(metric);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe_us(struct metric *metric, int64_t us)
{
    size_t b = 0;
    ensure(metric);
    while (b < METRIC_BUCKETS - 1 && us > bounds[b])
        b++;
    atomic_fetch_add_explicit(&metric->buckets[b], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, us, memory_order_relaxed);
}

int64_t metric_value(struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

static void write_histogram(struct buf *out, struct metric *m)
{
    const char *labels = m->labels ? m->labels : "", *comma = m->labels ? "," : "";
    int64_t n = 0;
    for (size_t b = 0; b < METRIC_BUCKETS; b++) {
        n += atomic_load_explicit(&m->buckets[b], memory_order_relaxed);
        if (b < METRIC_BUCKETS - 1)
            buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %lld\n", m->name, labels, comma,
                       (double)bounds[b] / 1e6, (long long)n);
        else
            buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %lld\n", m->name, labels, comma,
                       (long long)n);
    }
    const char *open = m->labels ? "{" : "", *close = m->labels ? "}" : "";
    buf_printf(out, "%s_sum%s%s%s %.6f\n", m->name, open, labels, close,
               (double)metric_value(m) / 1e6);
    buf_printf(out, "%s_count%s%s%s %lld\n", m->name, open, labels, close, (long long)n);
}

static void write_one(struct buf *out, struct metric *m)
{
    if (m->kind == METRIC_HISTOGRAM)
        write_histogram(out, m);
    else if (m->labels)
        buf_printf(out, "%s{%s} %lld\n", m->name, m->labels, (long long)metric_value(m));
    else
        buf_printf(out, "%s %lld\n", m->name, (long long)metric_value(m));
}

/* Metrics of one name stand together behind one HELP and TYPE, as the format asks. */
static void write_family(struct buf *out, struct metric *m, struct metric *all)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    for (struct metric *p = all; p != m; p = p->next)
        if (strcmp(p->name, m->name) == 0)
            return; /* written with the first of its name */
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, kinds[m->kind]);
    for (struct metric *p = m; p; p = p->next)
        if (strcmp(p->name, m->name) == 0)
            write_one(out, p);
}

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    (void)fclose(f);
    return resident;
}

static int open_files(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n - 3; /* ".", ".." and the folder itself */
}

static void write_process(struct buf *out)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    buf_printf(out,
               "# HELP process_resident_memory_bytes Resident memory size in bytes\n"
               "# TYPE process_resident_memory_bytes gauge\n"
               "process_resident_memory_bytes %lld\n",
               (long long)resident_pages() * sysconf(_SC_PAGESIZE));
    buf_printf(out,
               "# HELP process_cpu_seconds_total Total user and system CPU time in seconds\n"
               "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.3f\n"
               "# HELP process_open_fds Number of open file descriptors\n"
               "# TYPE process_open_fds gauge\nprocess_open_fds %d\n",
               cpu, open_files());
}

void metric_write(struct buf *out)
{
    struct metric *all = atomic_load(&first);
    for (struct metric *m = all; m; m = m->next)
        write_family(out, m, all);
    write_process(out);
}
