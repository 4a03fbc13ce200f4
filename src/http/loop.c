/* Event threads: epoll, a queue of tasks with an eventfd behind it, a tick. */
#include "http/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/time.h"
#include "http/http.h"

#define MOST_LOOPS  64
#define MOST_EVENTS 256
#define NS_A_MS     1000000

struct later {
    struct later *next;
    void (*free_fn)(void *);
    void *thing;
};

struct queue_of {
    struct loop_task *first, **end;
};

struct loop {
    struct http_loops *loops;
    pthread_t thread;
    int epoll_fd, wake_fd;
    int64_t now_ns, tick_ns;
    struct loop_tick *ticks;
    struct later *later;
    struct queue_of own; /* posted on this thread */
    char *scratch;

    pthread_mutex_t lock; /* of what follows */
    struct queue_of others;
    bool closing;
};

struct http_loops {
    struct loop loops[MOST_LOOPS];
    size_t n; /* that have a thread */
    atomic_size_t turn;
};

static _Thread_local struct loop *here;

/* ---- tasks ---- */

static void put(struct queue_of *queue, struct loop_task *task)
{
    task->next = NULL;
    *queue->end = task;
    queue->end = &task->next;
}

static struct loop_task *take_all(struct queue_of *queue)
{
    struct loop_task *first = queue->first;
    queue->first = NULL;
    queue->end = &queue->first;
    return first;
}

static void run_all(struct loop_task *task)
{
    while (task) {
        struct loop_task *next = task->next;
        atomic_store(&task->posted, false);
        task->run(task);
        task = next;
    }
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    if (atomic_exchange(&task->posted, true))
        return;
    if (here == loop) {
        put(&loop->own, task);
        return;
    }
    pthread_mutex_lock(&loop->lock);
    bool was_empty = !loop->others.first;
    put(&loop->others, task);
    pthread_mutex_unlock(&loop->lock);
    if (was_empty) {
        uint64_t one = 1;
        (void)!write(loop->wake_fd, &one, sizeof one);
    }
}

/* Those of other threads; false when the loop is closing and nothing is left. */
static bool run_others(struct loop *loop)
{
    for (;;) {
        pthread_mutex_lock(&loop->lock);
        struct loop_task *first = take_all(&loop->others);
        bool closing = loop->closing;
        pthread_mutex_unlock(&loop->lock);
        run_all(first);
        if (!closing || !first)
            return !closing;
    }
}

/* ---- descriptors ---- */

enum err loop_watch(struct loop *loop, int fd, struct loop_source *source, struct why *why)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = source};
    source->forgotten = false;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return err_errno(why, "could not wait for a connection");
    return ERR_OK;
}

void loop_forget(struct loop *loop, int fd, struct loop_source *source)
{
    source->forgotten = true;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void loop_later(struct loop *loop, void (*free_fn)(void *), void *thing)
{
    struct later *later = malloc(sizeof *later);
    if (!later)
        return; /* lost memory rather than freed too soon */
    *later = (struct later){loop->later, free_fn, thing};
    loop->later = later;
}

static void free_later(struct loop *loop)
{
    struct later *at = loop->later;
    loop->later = NULL;
    while (at) {
        struct later *next = at->next;
        at->free_fn(at->thing);
        free(at);
        at = next;
    }
}

/* ---- ticks ---- */

void loop_tick_add(struct loop *loop, struct loop_tick *tick)
{
    tick->next = loop->ticks;
    loop->ticks = tick;
}

void loop_tick_remove(struct loop *loop, struct loop_tick *tick)
{
    for (struct loop_tick **at = &loop->ticks; *at; at = &(*at)->next)
        if (*at == tick) {
            *at = tick->next;
            return;
        }
}

static void tick_all(struct loop *loop)
{
    if (loop->now_ns < loop->tick_ns)
        return;
    loop->tick_ns = loop->now_ns + (int64_t)LOOP_TICK_MS * NS_A_MS;
    for (struct loop_tick *tick = loop->ticks, *next; tick; tick = next) {
        next = tick->next;
        tick->tick(tick, loop->now_ns);
    }
}

int64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

char *loop_scratch(struct loop *loop)
{
    return loop->scratch;
}

/* ---- the thread ---- */

static int wait_ms(const struct loop *loop)
{
    if (loop->own.first)
        return 0;
    if (!loop->ticks)
        return -1;
    int64_t left = loop->tick_ns - time_mono_ns();
    return left <= 0 ? 0 : (int)((left + NS_A_MS - 1) / NS_A_MS);
}

static bool take_events(struct loop *loop)
{
    struct epoll_event events[MOST_EVENTS];
    bool others = false;
    int n = epoll_wait(loop->epoll_fd, events, MOST_EVENTS, wait_ms(loop));
    loop->now_ns = time_mono_ns();
    for (int i = 0; i < n; i++) {
        struct loop_source *source = events[i].data.ptr;
        uint64_t count;
        if (!source) {
            (void)!read(loop->wake_fd, &count, sizeof count);
            others = true;
        } else if (!source->forgotten) {
            source->ready(source, events[i].events);
        }
    }
    return others;
}

static void *run(void *arg)
{
    struct loop *loop = arg;
    bool open = true;
    here = loop;
    while (open) {
        if (take_events(loop))
            open = run_others(loop);
        run_all(take_all(&loop->own));
        tick_all(loop);
        free_later(loop);
    }
    return NULL;
}

/* ---- all of them ---- */

size_t loops_count(const struct http_loops *loops)
{
    return loops->n;
}

struct loop *loops_at(struct http_loops *loops, size_t i)
{
    return &loops->loops[i];
}

struct loop *loops_here(const struct http_loops *loops)
{
    return here && here->loops == loops ? here : NULL;
}

struct loop *loops_next(struct http_loops *loops)
{
    return &loops->loops[atomic_fetch_add(&loops->turn, 1) % loops->n];
}

struct each {
    struct loop_task task;
    struct round {
        void (*run)(void *ctx, size_t i);
        void *ctx;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        size_t left;
    } * round;
    size_t i;
};

static void run_one(struct loop_task *task)
{
    struct each *each = (struct each *)(void *)task;
    struct round *round = each->round;
    round->run(round->ctx, each->i);
    pthread_mutex_lock(&round->lock);
    round->left--;
    pthread_cond_signal(&round->changed);
    pthread_mutex_unlock(&round->lock);
}

void loops_each(struct http_loops *loops, void (*run_fn)(void *ctx, size_t i), void *ctx)
{
    struct each each[MOST_LOOPS] = {0};
    struct round round = {.run = run_fn, .ctx = ctx, .left = loops->n};
    pthread_mutex_init(&round.lock, NULL);
    pthread_cond_init(&round.changed, NULL);
    for (size_t i = 0; i < loops->n; i++) {
        each[i] = (struct each){.task.run = run_one, .round = &round, .i = i};
        loop_post(&loops->loops[i], &each[i].task);
    }
    pthread_mutex_lock(&round.lock);
    while (round.left > 0)
        pthread_cond_wait(&round.changed, &round.lock);
    pthread_mutex_unlock(&round.lock);
    pthread_cond_destroy(&round.changed);
    pthread_mutex_destroy(&round.lock);
}

static void close_loop(struct loop *loop)
{
    free_later(loop);
    free(loop->scratch);
    if (loop->epoll_fd >= 0)
        (void)close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        (void)close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
}

static enum err open_loop(struct loop *loop, struct http_loops *loops, struct why *why)
{
    struct epoll_event event = {.events = EPOLLIN};
    enum err err = ERR_OK;
    loop->loops = loops;
    loop->own.end = &loop->own.first;
    loop->others.end = &loop->others.first;
    pthread_mutex_init(&loop->lock, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->scratch = malloc(LOOP_SCRATCH);
    loop->now_ns = time_mono_ns();
    if (!loop->scratch)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the connections");
    else if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
             epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0 ||
             (errno = pthread_create(&loop->thread, NULL, run, loop)) != 0)
        err = err_errno(why, "could not start an event thread");
    if (err)
        close_loop(loop);
    return err;
}

enum err http_loops_new(size_t n, struct http_loops **out, struct why *why)
{
    struct http_loops *loops = calloc(1, sizeof *loops);
    enum err err = ERR_OK;
    if (!loops)
        return err_set(why, ERR_NO_MEMORY, "could not hold the event threads");
    for (; !err && loops->n < n && loops->n < MOST_LOOPS; loops->n += !err)
        err = open_loop(&loops->loops[loops->n], loops, why);
    if (err)
        http_loops_free(loops);
    else
        *out = loops;
    return err;
}

void http_loops_free(struct http_loops *loops)
{
    uint64_t one = 1;
    if (!loops)
        return;
    for (size_t i = 0; i < loops->n; i++) {
        struct loop *loop = &loops->loops[i];
        pthread_mutex_lock(&loop->lock);
        loop->closing = true;
        pthread_mutex_unlock(&loop->lock);
        (void)!write(loop->wake_fd, &one, sizeof one);
    }
    for (size_t i = 0; i < loops->n; i++)
        pthread_join(loops->loops[i].thread, NULL);
    for (size_t i = 0; i < loops->n; i++)
        close_loop(&loops->loops[i]);
    free(loops);
}
