#include "core/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 64

size_t pool_cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : (size_t)n;
}

struct work {
    pool_run_fn *run;
    void *ctx;
    size_t n;
    atomic_size_t next;
    atomic_bool stop;
    pthread_mutex_t lock; /* of err and why */
    enum err err;
    struct why why;
};

static void *work_on(void *arg)
{
    struct work *work = arg;
    while (!atomic_load(&work->stop)) {
        size_t i = atomic_fetch_add(&work->next, 1);
        if (i >= work->n)
            break;
        struct why why = {0};
        enum err err = work->run(work->ctx, i, &why);
        if (!err)
            continue;
        pthread_mutex_lock(&work->lock);
        if (!work->err) {
            work->err = err;
            work->why = why;
        }
        pthread_mutex_unlock(&work->lock);
        atomic_store(&work->stop, true);
    }
    return NULL;
}

enum err pool_each(size_t threads, size_t n, pool_run_fn *run, void *ctx, struct why *why)
{
    struct work work = {.run = run, .ctx = ctx, .n = n};
    pthread_t ids[MOST_THREADS];
    size_t started = 0;
    if (threads == 0)
        threads = pool_cores();
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    if (threads > n)
        threads = n;
    pthread_mutex_init(&work.lock, NULL);
    /* A thread that cannot be started is no error: the others, at least this one, do its share. */
    while (started + 1 < threads && pthread_create(&ids[started], NULL, work_on, &work) == 0)
        started++;
    work_on(&work);
    for (size_t i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    pthread_mutex_destroy(&work.lock);
    if (work.err && why && !why->text[0])
        *why = work.why;
    return work.err;
}

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied; /* one waiter is woken for each item or place */
    void **items;                   /* a ring of `most` */
    size_t most;
    size_t first;
    size_t n;
    bool closed;
};

struct queue *queue_new(size_t most)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->most = most ? most : 1;
    queue->items = calloc(queue->most, sizeof *queue->items);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (!queue->items || pthread_mutex_init(&queue->lock, NULL) != 0 ||
        pthread_cond_init(&queue->filled, &attr) != 0 ||
        pthread_cond_init(&queue->emptied, &attr) != 0) {
        free(queue->items);
        free(queue);
        queue = NULL;
    }
    pthread_condattr_destroy(&attr);
    return queue;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->filled);
    pthread_cond_destroy(&queue->emptied);
    pthread_mutex_destroy(&queue->lock);
    free(queue->items);
    free(queue);
}

static struct timespec deadline(int64_t wait_ms)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += wait_ms / 1000;
    ts.tv_nsec += (wait_ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

/* Waits for a change; false when the time is over. */
static bool wait_change(struct queue *queue, pthread_cond_t *changed, int64_t wait_ms,
                        const struct timespec *until)
{
    if (wait_ms < 0)
        return pthread_cond_wait(changed, &queue->lock) == 0;
    return pthread_cond_timedwait(changed, &queue->lock, until) == 0;
}

enum err queue_push(struct queue *queue, void *item, int64_t wait_ms)
{
    struct timespec until = deadline(wait_ms < 0 ? 0 : wait_ms);
    enum err err = ERR_OK;
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->n == queue->most)
        if (!wait_change(queue, &queue->emptied, wait_ms, &until))
            break;
    if (queue->closed) {
        err = ERR_CANCELLED;
    } else if (queue->n == queue->most) {
        err = ERR_BUSY;
    } else {
        queue->items[(queue->first + queue->n++) % queue->most] = item;
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return err;
}

enum err queue_pop(struct queue *queue, void **item, int64_t wait_ms)
{
    struct timespec until = deadline(wait_ms < 0 ? 0 : wait_ms);
    enum err err = ERR_OK;
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->n == 0)
        if (!wait_change(queue, &queue->filled, wait_ms, &until))
            break;
    if (queue->n == 0) {
        err = queue->closed ? ERR_CANCELLED : ERR_TIMEOUT;
    } else {
        *item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->most;
        queue->n--;
        pthread_cond_signal(&queue->emptied);
    }
    pthread_mutex_unlock(&queue->lock);
    return err;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_cond_broadcast(&queue->emptied);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_len(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t n = queue->n;
    pthread_mutex_unlock(&queue->lock);
    return n;
}
