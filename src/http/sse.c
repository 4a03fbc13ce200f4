#include "http/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/time.h"

#define PAUSE_NS     200000000 /* until a stream that had nothing to say is asked again */
#define MOST_THREADS 64

static struct metric open_streams = METRIC_INIT(METRIC_GAUGE, "yicheng_http_streams",
                                                "Server-sent event streams that are open", NULL);

struct list { /* first in, first out */
    struct http_stream *first, *last;
};

/* Every pause is the same, so each sleeping list is in the order of waking without sorting: one of
 * streams that are asked every PAUSE_NS, one of those that are woken. */
struct streams {
    struct core *core;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list ready, sleeping[2];
    size_t n_open, n_suspended;
    bool closed;
    pthread_t threads[MOST_THREADS];
    size_t n_threads;
};

/* ---- events ---- */

void http_event(struct buf *out, const char *event, struct str data)
{
    if (event) {
        buf_add_c(out, "event: ");
        buf_add_c(out, event);
        buf_char(out, '\n');
    }
    for (size_t at = 0; at <= data.len;) {
        size_t end = at;
        while (end < data.len && data.ptr[end] != '\n' && data.ptr[end] != '\r')
            end++;
        buf_add_c(out, "data: ");
        buf_add(out, str_slice(data, at, end));
        buf_char(out, '\n');
        if (end + 1 < data.len && data.ptr[end] == '\r' && data.ptr[end + 1] == '\n')
            end++;
        at = end + 1;
    }
    buf_char(out, '\n');
}

static void error_event(struct http_stream *stream, enum err err, const struct why *why)
{
    struct http_request *req = stream->req;
    const struct http_table *table = req->match.table;
    struct http_problem problem = {err, err_http(err), why, req->trace_id};
    struct buf text;
    struct json_out out;
    arena_reset(stream->arena);
    buf_init(&stream->out, stream->arena);
    buf_init(&text, stream->arena);
    json_out_init(&out, &text);
    if (table && table->problem)
        table->problem(&out, &problem);
    else
        problem_write(&out, &problem, http_language(req),
                      http_header(req, "Accept-Language").len > 0);
    http_event(&stream->out, table && table->problem ? NULL : "error", buf_str(&text));
}

/* ---- the list of work ---- */

static void append(struct list *list, struct http_stream *stream)
{
    stream->after = NULL;
    stream->before = list->last;
    if (list->last)
        list->last->after = stream;
    else
        list->first = stream;
    list->last = stream;
}

static void take_out(struct list *list, struct http_stream *stream)
{
    if (stream->before)
        stream->before->after = stream->after;
    else
        list->first = stream->after;
    if (stream->after)
        stream->after->before = stream->before;
    else
        list->last = stream->before;
}

static struct http_stream *take_first(struct list *list)
{
    struct http_stream *stream = list->first;
    if (stream)
        take_out(list, stream);
    return stream;
}

/* All with the lock held. */
static void make_ready(struct streams *streams, struct http_stream *stream)
{
    stream->state = STREAM_READY;
    append(&streams->ready, stream);
    pthread_cond_signal(&streams->changed);
}

static struct http_stream *first_due(struct streams *streams, int64_t *due_ns)
{
    int64_t now = time_mono_ns();
    *due_ns = INT64_MAX;
    for (size_t i = 0; i < 2; i++) {
        struct http_stream *stream = streams->sleeping[i].first;
        if (stream && stream->due_ns <= now)
            return take_first(&streams->sleeping[i]);
        if (stream && stream->due_ns < *due_ns)
            *due_ns = stream->due_ns;
    }
    return NULL;
}

static void wait_until(struct streams *streams, int64_t due_ns)
{
    struct timespec ts = {.tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000};
    (void)pthread_cond_timedwait(&streams->changed, &streams->lock, &ts);
}

/* The next stream to ask or to end; NULL when all is over. */
static struct http_stream *next_work(struct streams *streams)
{
    struct http_stream *stream = NULL;
    pthread_mutex_lock(&streams->lock);
    while (!stream) {
        int64_t due_ns;
        stream = streams->ready.first ? take_first(&streams->ready) : first_due(streams, &due_ns);
        if (stream)
            stream->state = STREAM_ASKED;
        else if (due_ns != INT64_MAX)
            wait_until(streams, due_ns);
        else if (streams->closed)
            break;
        else
            pthread_cond_wait(&streams->changed, &streams->lock);
    }
    pthread_mutex_unlock(&streams->lock);
    return stream;
}

/* ---- one step of one stream ---- */

static void finish(struct streams *streams, struct http_stream *stream)
{
    bool counted = stream->counted;
    if (stream->done)
        stream->done(stream->ctx);
    arena_free(stream->arena);
    request_free(stream->req);
    if (!counted)
        return;
    metric_add(&open_streams, -1);
    pthread_mutex_lock(&streams->lock);
    streams->n_open--;
    pthread_mutex_unlock(&streams->lock);
}

static enum err ask(struct http_stream *stream, struct why *why)
{
    enum err err = stream->next(stream->ctx, &stream->out, &stream->end, why);
    if (!err)
        err = buf_err(&stream->out, why);
    if (!err && stream->out.len > HTTP_STREAM_MOST)
        err = err_set(why, ERR_TOO_LARGE, "a part of the stream is larger than its limit");
    return err;
}

/* False: it has nothing to say and sleeps. */
static bool step(struct streams *streams, struct http_stream *stream)
{
    struct core *core = streams->core;
    struct why why = {0};
    arena_reset(stream->arena);
    buf_init(&stream->out, stream->arena);
    stream->taken = false;
    if (atomic_load(&core->cutting)) {
        stream->end = true;
        return true;
    }
    enum err err = ask(stream, &why);
    if (err) {
        LOG_WARN("stream failed", LOG_STR("path", stream->req->target.path),
                 LOG_S("code", err_code(err)), LOG_WHY(&why),
                 LOG_S("trace", stream->req->trace_id));
        error_event(stream, err, &why);
        stream->end = true;
    }
    int64_t now = time_mono_ns();
    if (stream->out.len == 0 && !stream->end) {
        if (atomic_load(&core->draining))
            stream->end = true;
        else if (now - stream->last_ns >= core->limits.heartbeat_ms * 1000000)
            buf_add_c(&stream->out, ":\n\n");
        else
            return false;
    }
    stream->last_ns = now;
    return true;
}

/* False: it was woken in the meantime and has to be asked again. With the lock held. */
static bool sleep_on(struct streams *streams, struct http_stream *stream)
{
    struct list *list = &streams->sleeping[stream->wakes];
    if (stream->woken) {
        stream->woken = false;
        return false;
    }
    stream->state = STREAM_SLEEPING;
    stream->due_ns =
        time_mono_ns() + (stream->wakes ? streams->core->limits.heartbeat_ms * 1000000 : PAUSE_NS);
    append(list, stream);
    if (list->first == stream) /* somebody must know when it is due */
        pthread_cond_signal(&streams->changed);
    return true;
}

static void hand_back(struct streams *streams, struct http_stream *stream)
{
    pthread_mutex_lock(&streams->lock);
    stream->state = STREAM_SENDING;
    stream->woken = false; /* it will be asked again anyway */
    pthread_mutex_unlock(&streams->lock);
    streams->core->resume(stream->req); /* from here on the stream is the event thread's */
    pthread_mutex_lock(&streams->lock);
    streams->n_suspended--;
    pthread_mutex_unlock(&streams->lock);
}

static void put_to_sleep(struct streams *streams, struct http_stream *stream)
{
    pthread_mutex_lock(&streams->lock);
    if (!sleep_on(streams, stream))
        make_ready(streams, stream);
    pthread_mutex_unlock(&streams->lock);
}

static void *stream_thread(void *arg)
{
    struct streams *streams = arg;
    struct http_stream *stream;
    while ((stream = next_work(streams))) {
        if (stream->gone)
            finish(streams, stream);
        else if (step(streams, stream))
            hand_back(streams, stream);
        else
            put_to_sleep(streams, stream);
    }
    return NULL;
}

/* ---- for the server ---- */

enum err streams_new(struct core *core, struct streams **out, struct why *why)
{
    struct streams *streams = calloc(1, sizeof *streams);
    pthread_condattr_t attr;
    if (!streams)
        return err_set(why, ERR_NO_MEMORY, "could not hold the streams");
    streams->core = core;
    pthread_mutex_init(&streams->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&streams->changed, &attr);
    pthread_condattr_destroy(&attr);
    for (; streams->n_threads < core->limits.n_stream_workers && streams->n_threads < MOST_THREADS;
         streams->n_threads++)
        if ((errno = pthread_create(&streams->threads[streams->n_threads], NULL, stream_thread,
                                    streams)) != 0) {
            enum err err = err_errno(why, "could not start a thread");
            streams_free(streams);
            return err;
        }
    *out = streams;
    return ERR_OK;
}

enum err streams_begin(struct streams *streams, struct http_stream *stream, struct why *why)
{
    stream->arena = arena_new(4 * HTTP_STREAM_MOST);
    if (!stream->arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold a stream");
    pthread_mutex_lock(&streams->lock);
    stream->counted = streams->n_open < streams->core->limits.most_streams;
    if (stream->counted)
        streams->n_open++;
    pthread_mutex_unlock(&streams->lock);
    if (!stream->counted)
        return err_set(why, ERR_BUSY, "%zu streams are open already",
                       streams->core->limits.most_streams);
    metric_add(&open_streams, 1);
    stream->last_ns = time_mono_ns();
    stream->taken = true; /* nothing yet */
    return ERR_OK;
}

struct str stream_take(struct http_stream *stream)
{
    struct str out = stream->taken ? STR_NONE : buf_str(&stream->out);
    stream->taken = true;
    return out;
}

void streams_ask(struct streams *streams, struct http_stream *stream)
{
    pthread_mutex_lock(&streams->lock);
    streams->n_suspended++;
    make_ready(streams, stream);
    pthread_mutex_unlock(&streams->lock);
}

static void set_state(struct streams *streams, struct http_stream *stream, enum stream_state state)
{
    pthread_mutex_lock(&streams->lock);
    stream->state = state;
    stream->woken = false;
    pthread_mutex_unlock(&streams->lock);
}

bool streams_ask_here(struct streams *streams, struct http_stream *stream)
{
    for (bool slept = false; !slept;) {
        set_state(streams, stream, STREAM_ASKED);
        if (step(streams, stream)) {
            set_state(streams, stream, STREAM_SENDING);
            return true;
        }
        pthread_mutex_lock(&streams->lock);
        slept = sleep_on(streams, stream);
        streams->n_suspended += slept;
        pthread_mutex_unlock(&streams->lock);
    }
    return false;
}

void streams_end(struct streams *streams, struct http_request *req)
{
    pthread_mutex_lock(&streams->lock);
    req->stream->gone = true;
    make_ready(streams, req->stream);
    pthread_mutex_unlock(&streams->lock);
}

void http_wake(struct http_request *req)
{
    struct streams *streams = req->core->streams;
    struct http_stream *stream = req->stream;
    bool resume = false;
    pthread_mutex_lock(&streams->lock);
    if (stream->state == STREAM_SLEEPING) {
        take_out(&streams->sleeping[stream->wakes], stream);
        resume = stream->here;
        if (resume)
            stream->state = STREAM_SENDING; /* the event thread asks it */
        else
            make_ready(streams, stream);
        streams->n_suspended -= resume;
    } else if (stream->state == STREAM_ASKED) {
        stream->woken = true;
    }
    stream->wakes = true;
    pthread_mutex_unlock(&streams->lock);
    if (resume)
        streams->core->resume(req);
}

void streams_wake_all(struct streams *streams)
{
    struct http_stream *stream;
    pthread_mutex_lock(&streams->lock);
    for (size_t i = 0; i < 2; i++)
        while ((stream = take_first(&streams->sleeping[i])))
            make_ready(streams, stream);
    pthread_cond_broadcast(&streams->changed);
    pthread_mutex_unlock(&streams->lock);
}

size_t streams_suspended(struct streams *streams)
{
    pthread_mutex_lock(&streams->lock);
    size_t n = streams->n_suspended;
    pthread_mutex_unlock(&streams->lock);
    return n;
}

void streams_free(struct streams *streams)
{
    if (!streams)
        return;
    pthread_mutex_lock(&streams->lock);
    streams->closed = true;
    pthread_cond_broadcast(&streams->changed);
    pthread_mutex_unlock(&streams->lock);
    for (size_t i = 0; i < streams->n_threads; i++)
        pthread_join(streams->threads[i], NULL);
    pthread_cond_destroy(&streams->changed);
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}
