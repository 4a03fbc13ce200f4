/*
 * http/loop - event threads: descriptors that are ready, tasks of other threads, and a tick.
 *
 * Place in the room: [loop] <- link (a client's connection), lean (a connection to an upstream).
 * What is registered with a loop belongs to its thread. Other threads reach it through tasks alone;
 * a task that was posted is run, whatever else happens until the loops are freed.
 */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define LOOP_SCRATCH ((size_t)64 << 10)

struct http_loops;
struct loop;

/* Embedded in whoever waits for a descriptor; registered for input, output, the other side's end,
 * each told once (edge-triggered): who is told reads until there is nothing more. */
struct loop_source {
    void (*ready)(struct loop_source *source, uint32_t events); /* EPOLLIN ... */
    bool forgotten;
};

/* Embedded in whoever has something done on a loop's thread. Posted again before it ran, it runs
 * once; it may be posted again from the moment it began to run. */
struct loop_task {
    void (*run)(struct loop_task *task);
    atomic_bool posted;
    struct loop_task *next;
};

/* Called every LOOP_TICK_MS on the loop's thread. */
#define LOOP_TICK_MS 50
struct loop_tick {
    void (*tick)(struct loop_tick *tick, int64_t now_ns);
    struct loop_tick *next;
};

size_t loops_count(const struct http_loops *loops);
struct loop *loops_at(struct http_loops *loops, size_t i);
/* The loop whose thread calls, if it is one of these; else NULL. */
struct loop *loops_here(const struct http_loops *loops);
/* Each loop in turn. */
struct loop *loops_next(struct http_loops *loops);
/* Runs the function once on each loop's thread and waits for all. Not from a loop's thread. */
void loops_each(struct http_loops *loops, void (*run)(void *ctx, size_t i), void *ctx);

/* From any thread. On the loop's own thread it runs after what runs now has returned. */
void loop_post(struct loop *loop, struct loop_task *task);

/* On the loop's thread: */
ERR_MUST_USE enum err loop_watch(struct loop *loop, int fd, struct loop_source *source,
                                 struct why *why);
/* No more events. The source is not freed before loop_later() says so: events for it may be under
 * way in the same round. */
void loop_forget(struct loop *loop, int fd, struct loop_source *source);
void loop_later(struct loop *loop, void (*free_fn)(void *), void *thing); /* after this round */
void loop_tick_add(struct loop *loop, struct loop_tick *tick);
void loop_tick_remove(struct loop *loop, struct loop_tick *tick);
int64_t loop_now_ns(const struct loop *loop); /* when this round began */
char *loop_scratch(struct loop *loop);        /* LOOP_SCRATCH bytes for whoever runs now */

#endif
