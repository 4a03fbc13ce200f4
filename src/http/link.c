/* The life of a connection on one event thread. Starts at on_ready. */
#include "http/link.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/time.h"

#define LINGER_MOST ((uint64_t)64 << 20) /* read and dropped after a refusal */
#define TURNS       32 /* requests of one connection before the others have their turn */

bool link_enter(struct link *link, enum conn_state state)
{
    return conn_enter(link->conn, state, loop_now_ns(link->hub->loop));
}

/* ---- closing ---- */

static void log_request(const struct http_request *req, bool whole)
{
    bool quick = req->match.route && req->match.route->route->quick;
    int64_t end = req->answered_ns ? req->answered_ns : time_mono_ns();
    if (!req->core->limits.access_log)
        return;
    LOG_AT(quick ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "request", LOG_STR("method", req->method),
           LOG_STR("path", req->target.path),
           LOG_I("status", req->answered_ns ? req->res.status : 0),
           LOG_I("us", (end - req->start_ns) / 1000), LOG_I("received", req->body_total),
           LOG_I("sent", req->sent_bytes), LOG_S("address", req->address),
           LOG_S("end", whole ? "whole" : "cut"), LOG_S("trace", req->trace_id));
}

void link_end_request(struct link *link, bool whole)
{
    struct http_request *req = link->req;
    struct core *core = link->hub->links->core;
    link->req = NULL;
    if (!req)
        return;
    log_request(req, whole);
    conn_unwatch(link->conn);
    (void)link_enter(link, CONN_IDLE);
    if (req->stream)
        streams_end(core->streams, req);
    else
        request_free(req);
    atomic_fetch_sub(&core->n_requests, 1);
}

static void free_link(void *arg)
{
    struct link *link = arg;
    carry_free(&link->carry);
    free(link);
}

void link_close(struct link *link)
{
    struct hub *hub = link->hub;
    struct links *links = hub->links;
    link_end_request(link, false);
    loop_forget(hub->loop, link->fd, &link->source);
    tls_session_free(link->tls);
    conns_remove(links->core->conns, link->conn); /* before the descriptor is somebody else's */
    (void)close(link->fd);
    *(link->prev ? &link->prev->next : &hub->first) = link->next;
    if (link->next)
        link->next->prev = link->prev;
    link->state = LINK_GONE;
    if (!atomic_load(&link->task.posted))
        loop_later(hub->loop, free_link, link);
    atomic_fetch_sub(&links->n_open, 1);
}

/* ---- what comes before and after requests ---- */

static bool linger(struct link *link)
{
    if (!link->readable)
        return false;
    ssize_t n = link_read(link, loop_scratch(link->hub->loop), LOOP_SCRATCH);
    if (n > 0) {
        link->lingered += (uint64_t)n;
        atomic_fetch_add(&link->conn->received, n);
    }
    if (n < 0 || link->lingered > LINGER_MOST)
        link_close(link);
    return n != 0;
}

static bool shake(struct link *link)
{
    int rc = tls_shake(link->tls);
    if (rc < 0)
        link_close(link);
    else if (rc > 0)
        link->state = LINK_HEAD;
    if (rc > 0)
        (void)link_enter(link, CONN_IDLE);
    link->readable = true;
    return rc != 0;
}

/* ---- the loop of one connection ---- */

/* As far as it goes without waiting. */
static void go(struct link *link)
{
    for (int turns = 0; turns < TURNS * 4; turns++) {
        switch (link->state) {
        case LINK_SHAKE:
            if (!shake(link))
                return;
            break;
        case LINK_HEAD:
        case LINK_BODY:
            if (!link_receive(link))
                return;
            break;
        case LINK_SEND:
            link_send(link);
            if (link->state == LINK_SEND && link->stuck)
                return;
            break;
        case LINK_LINGER:
            if (!linger(link))
                return;
            break;
        default: /* LINK_NEW, LINK_WORK, LINK_GONE */
            return;
        }
    }
    /* Others have waited long enough. A link that the last turn closed is on its way to be freed,
     * and one that it gave to a worker comes back by itself. */
    if (link->state != LINK_GONE && link->state != LINK_WORK)
        loop_post(link->hub->loop, &link->task);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct link *link = (struct link *)(void *)source;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        link->ended = true;
        atomic_store(&link->conn->hung_up, true);
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        link->readable = true;
    go(link);
}

/* The request came back: with an answer, with bytes of its stream, or its body is to go on. */
static void come_back(struct link *link)
{
    struct http_request *req = link->req;
    if (req->phase == PHASE_BODY) {
        link->state = LINK_BODY;
        link->hungry = false;
    } else if (req->phase == PHASE_DRAIN) {
        link_refuse(link);
    } else if (req->phase == PHASE_SENT) {
        link->state = LINK_SEND;
        link_stream_more(link);
    } else {
        link_reply(link);
    }
}

static void join(struct link *link)
{
    struct hub *hub = link->hub;
    link->next = hub->first;
    if (hub->first)
        hub->first->prev = link;
    hub->first = link;
    link->state = link->tls ? LINK_SHAKE : LINK_HEAD;
    if (link->tls)
        (void)link_enter(link, CONN_HEAD);
    if (hub->closing || loop_watch(hub->loop, link->fd, &link->source, NULL) != ERR_OK)
        link_close(link);
}

static void on_task(struct loop_task *task)
{
    struct link *link = (struct link *)(void *)((char *)task - offsetof(struct link, task));
    if (link->state == LINK_GONE) {
        loop_later(link->hub->loop, free_link, link);
        return;
    }
    if (link->state == LINK_NEW) {
        join(link);
        return;
    }
    if (link->state == LINK_WORK && atomic_exchange(&link->returned, false)) {
        if (link->hub->closing) {
            link_close(link);
            return;
        }
        come_back(link);
    }
    go(link);
}

void link_init(struct link *link)
{
    link->source.ready = on_ready;
    link->task.run = on_task;
}

void link_resume(struct http_request *req)
{
    struct link *link = req->link;
    struct loop *loop = link->hub->loop;
    atomic_store(&link->returned, true);
    loop_post(loop, &link->task);
}
