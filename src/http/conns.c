#include "http/inside.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"

#define KEEPER_MS 250
#define N_BUCKETS 1024

static struct metric open_connections =
    METRIC_INIT(METRIC_GAUGE, "yicheng_http_connections", "Connections that are open", NULL);
static struct metric refused = METRIC_INIT(METRIC_COUNTER, "yicheng_http_refused_total",
                                           "Connections refused by a limit", NULL);
static struct metric cut_total = METRIC_INIT(METRIC_COUNTER, "yicheng_http_cut_total",
                                             "Connections cut because a deadline passed", NULL);

struct address {
    struct address *next;
    struct in6_addr of;
    size_t n;
};

struct conns {
    struct core *core;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct conn *first;
    size_t n;
    struct address *buckets[N_BUCKETS];
    bool closed;
    pthread_t keeper;
};

/* ---- counts ---- */

static struct address **find_address(struct conns *conns, const struct in6_addr *of)
{
    struct address **at = &conns->buckets[hash64(of, sizeof *of, 0) % N_BUCKETS];
    while (*at && memcmp(&(*at)->of, of, sizeof *of) != 0)
        at = &(*at)->next;
    return at;
}

/* Everybody behind a proxy that we trust comes from one address. */
static bool proxied(const struct conns *conns, const struct in6_addr *of)
{
    return nets_hold(conns->core->proxies, conns->core->n_proxies, of);
}

bool conns_admit(struct conns *conns, const struct sockaddr *peer)
{
    struct in6_addr of = address_of(peer);
    const struct limits *limits = &conns->core->limits;
    bool behind = proxied(conns, &of);
    pthread_mutex_lock(&conns->lock);
    struct address *address = *find_address(conns, &of);
    bool ok = conns->n < limits->most_connections &&
              (behind || !address || address->n < limits->most_per_address);
    pthread_mutex_unlock(&conns->lock);
    if (!ok)
        metric_add(&refused, 1);
    return ok;
}

static bool count_address(struct conns *conns, const struct in6_addr *of)
{
    struct address **at = find_address(conns, of);
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at)
            return false;
        (*at)->of = *of;
    }
    (*at)->n++;
    return true;
}

static void uncount_address(struct conns *conns, const struct in6_addr *of)
{
    struct address **at = find_address(conns, of), *gone = *at;
    if (gone && --gone->n == 0) {
        *at = gone->next;
        free(gone);
    }
}

struct conn *conns_add(struct conns *conns, int fd, const struct sockaddr *peer)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->fd = fd;
    conn->peer = address_of(peer);
    conn->since_ns = time_mono_ns();
    bool behind = proxied(conns, &conn->peer);
    pthread_mutex_lock(&conns->lock);
    conn->counted = !behind && count_address(conns, &conn->peer);
    conn->next = conns->first;
    if (conns->first)
        conns->first->prev = conn;
    conns->first = conn;
    conns->n++;
    pthread_mutex_unlock(&conns->lock);
    metric_add(&open_connections, 1);
    return conn;
}

void conns_remove(struct conns *conns, struct conn *conn)
{
    if (!conn)
        return;
    pthread_mutex_lock(&conns->lock);
    if (conn->counted)
        uncount_address(conns, &conn->peer);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        conns->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    conns->n--;
    pthread_mutex_unlock(&conns->lock);
    metric_add(&open_connections, -1);
    free(conn);
}

size_t conns_count(struct conns *conns)
{
    pthread_mutex_lock(&conns->lock);
    size_t n = conns->n;
    pthread_mutex_unlock(&conns->lock);
    return n;
}

/* Times and counts need no order among themselves: they are read at the next look, or the one
 * after. What must be seen at once is the state. */
bool conn_enter(struct conn *conn, enum conn_state state, int64_t now_ns)
{
    int old = atomic_load_explicit(&conn->state, memory_order_relaxed);
    do {
        if (old == CONN_DEAD)
            return false;
        atomic_store_explicit(&conn->since_ns, now_ns, memory_order_relaxed);
        if (state == CONN_BODY)
            atomic_store_explicit(&conn->received, 0, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak(&conn->state, &old, (int)state));
    return true;
}

void conn_sends(struct conn *conn, uint64_t bytes)
{
    int64_t since_ns = atomic_load_explicit(&conn->since_ns, memory_order_relaxed);
    atomic_store_explicit(&conn->sends_ns, since_ns, memory_order_relaxed);
    atomic_store_explicit(&conn->to_send, (int64_t)bytes, memory_order_relaxed);
}

/* ---- deadlines ---- */

/* Nothing else is under way to the client while a request still comes in. */
static void tell_too_slow(int fd)
{
    static const char body[] =
        "{\"type\":\"urn:yicheng:error:timeout\",\"title\":\"took longer than its deadline\","
        "\"status\":408,\"code\":\"timeout\",\"detail\":\"the request was sent too slowly\"}";
    char text[640];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                     "X-Content-Type-Options: nosniff\r\n"
                     "Content-Type: application/problem+json; charset=utf-8\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     sizeof body - 1, body);
    (void)!send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Called with the lock held, so that the descriptor is still this connection's. */
static void cut(struct conns *conns, struct conn *conn, int state, bool tell)
{
    if (!atomic_compare_exchange_strong(&conn->state, &state, CONN_DEAD))
        return; /* it has just moved on */
    if (tell && !conns->core->tls)
        tell_too_slow(conn->fd);
    (void)shutdown(conn->fd, SHUT_RDWR);
    metric_add(&cut_total, 1);
}

/* ---- clients that went away ---- */

void conn_watch(struct conn *conn, void (*gone)(void *ctx), void *ctx)
{
    conn->gone = gone;
    conn->gone_ctx = ctx;
    atomic_store(&conn->watch, WATCH_ARMED);
}

void conn_unwatch(struct conn *conn)
{
    int armed = WATCH_ARMED;
    if (atomic_load_explicit(&conn->watch, memory_order_acquire) == WATCH_OFF ||
        atomic_compare_exchange_strong(&conn->watch, &armed, WATCH_OFF))
        return;
    while (atomic_load(&conn->watch) == WATCH_FIRING)
        (void)sched_yield(); /* gone() does not block */
}

/* With the lock held, so that the connection is still there. */
static void tell_gone(struct conn *conn)
{
    int armed = WATCH_ARMED;
    if (!atomic_compare_exchange_strong(&conn->watch, &armed, WATCH_FIRING))
        return;
    conn->gone(conn->gone_ctx);
    atomic_store(&conn->watch, WATCH_OFF);
}

/* Whether the client has said its last word and all of it was read. Over TLS the last word is an
 * alert that nobody reads while somebody has the request. */
static bool left(const struct conns *conns, struct conn *conn)
{
    int unread = 0;
    return atomic_load(&conn->hung_up) &&
           (conns->core->tls || ioctl(conn->fd, FIONREAD, &unread) != 0 || unread == 0);
}

void conns_all_gone(struct conns *conns)
{
    pthread_mutex_lock(&conns->lock);
    for (struct conn *conn = conns->first; conn; conn = conn->next)
        tell_gone(conn);
    pthread_mutex_unlock(&conns->lock);
}

/* Whether the client takes its answer too slowly: not at all for a while, or too little of it. */
static bool stuck(const struct limits *limits, struct conn *conn, int64_t now_ns, int64_t age_ms)
{
    int64_t all_ms = (now_ns - atomic_load(&conn->sends_ns)) / 1000000;
    return age_ms > limits->idle_ms ||
           all_ms > limits->idle_ms + atomic_load(&conn->to_send) * 1000 / limits->body_rate;
}

static void watch(struct conns *conns, struct conn *conn, int64_t now_ns)
{
    const struct limits *limits = &conns->core->limits;
    int state = atomic_load(&conn->state);
    int64_t age_ms = (now_ns - atomic_load(&conn->since_ns)) / 1000000;
    int64_t got = atomic_load(&conn->received);
    bool late = (state == CONN_HEAD && age_ms > limits->header_ms) ||
                (state == CONN_BODY && age_ms > limits->body_ms + got * 1000 / limits->body_rate);
    if (late)
        cut(conns, conn, state, true);
    else if ((state == CONN_IDLE && age_ms > limits->idle_ms) ||
             (state == CONN_SEND && stuck(limits, conn, now_ns, age_ms)))
        cut(conns, conn, state, false);
    else if (state == CONN_WORK && atomic_load(&conn->watch) == WATCH_ARMED && left(conns, conn))
        tell_gone(conn);
}

static void *keep(void *arg)
{
    struct conns *conns = arg;
    pthread_mutex_lock(&conns->lock);
    while (!conns->closed) {
        int64_t now = time_mono_ns(), due = now + (int64_t)KEEPER_MS * 1000000;
        struct timespec ts = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
        for (struct conn *conn = conns->first; conn; conn = conn->next)
            watch(conns, conn, now);
        (void)pthread_cond_timedwait(&conns->changed, &conns->lock, &ts);
    }
    pthread_mutex_unlock(&conns->lock);
    return NULL;
}

void conns_cut_idle(struct conns *conns)
{
    pthread_mutex_lock(&conns->lock);
    for (struct conn *conn = conns->first; conn; conn = conn->next)
        if (atomic_load(&conn->state) == CONN_IDLE)
            cut(conns, conn, CONN_IDLE, false);
    pthread_mutex_unlock(&conns->lock);
}

enum err conns_new(struct core *core, struct conns **out, struct why *why)
{
    struct conns *conns = calloc(1, sizeof *conns);
    pthread_condattr_t attr;
    if (!conns)
        return err_set(why, ERR_NO_MEMORY, "could not hold the connections");
    conns->core = core;
    pthread_mutex_init(&conns->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&conns->changed, &attr);
    pthread_condattr_destroy(&attr);
    if ((errno = pthread_create(&conns->keeper, NULL, keep, conns)) != 0) {
        enum err err = err_errno(why, "could not start a thread");
        free(conns);
        return err;
    }
    *out = conns;
    return ERR_OK;
}

/* After every connection was closed. */
void conns_free(struct conns *conns)
{
    if (!conns)
        return;
    pthread_mutex_lock(&conns->lock);
    conns->closed = true;
    pthread_cond_broadcast(&conns->changed);
    pthread_mutex_unlock(&conns->lock);
    pthread_join(conns->keeper, NULL);
    while (conns->first)
        conns_remove(conns, conns->first);
    pthread_cond_destroy(&conns->changed);
    pthread_mutex_destroy(&conns->lock);
    free(conns);
}
