/*
 * core/pool - a fixed set of threads for work that is split, and a bounded queue between threads.
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Calls run(ctx, i) for i in 0 .. n-1 on at most `threads` threads (this one included), in no
 * particular order, and waits for all. The first error stops the handing out of further items and
 * is returned with its words. threads 0: as many as there are cores.
 */
typedef enum err pool_run_fn(void *ctx, size_t i, struct why *why);
ERR_MUST_USE enum err pool_each(size_t threads, size_t n, pool_run_fn *run, void *ctx,
                                struct why *why);
size_t pool_cores(void);

/* A bounded first-in first-out queue of pointers, for any number of threads. */
struct queue;
struct queue *queue_new(size_t most); /* NULL without memory */
void queue_free(struct queue *queue);
/* Waits up to wait_ms (-1: for ever) for room: ERR_BUSY when there was none, ERR_CANCELLED when the
 * queue is closed. */
ERR_MUST_USE enum err queue_push(struct queue *queue, void *item, int64_t wait_ms);
/* ERR_TIMEOUT when none came in time, ERR_CANCELLED when closed and empty. */
ERR_MUST_USE enum err queue_pop(struct queue *queue, void **item, int64_t wait_ms);
void queue_close(struct queue *queue); /* no more pushes; what is inside can still be popped */
size_t queue_len(struct queue *queue);

#endif
