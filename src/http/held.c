/* Answers that come later: a request without a thread, until somebody releases it. */
#include "http/inside.h"

#include <assert.h>

static struct metric held_now = METRIC_INIT(
    METRIC_GAUGE, "yicheng_http_held", "Requests whose answer comes later, without a thread", NULL);

void http_hold(struct http_request *req)
{
    assert(!req->match.route->route->quick);
    assert(atomic_load(&req->hold) == HOLD_NONE);
    atomic_store(&req->hold, HOLD_ASKED);
    atomic_fetch_add(&req->core->n_held, 1);
    metric_add(&held_now, 1);
}

static void no_longer_held(struct core *core)
{
    metric_add(&held_now, -1);
    atomic_fetch_sub(&core->n_held, 1);
}

void held_void(struct http_request *req)
{
    if (atomic_exchange(&req->hold, HOLD_NONE) != HOLD_NONE)
        no_longer_held(req->core);
}

/* Whoever comes second, the handler's worker or the releaser, hands the request back. */
void http_release(struct http_request *req, enum err err, const struct why *why)
{
    struct core *core = req->core;
    request_answer(req, err, why);
    req->phase = PHASE_READY;
    int old = atomic_exchange(&req->hold, HOLD_RELEASED);
    assert(old == HOLD_ASKED || old == HOLD_LEFT);
    if (old == HOLD_LEFT)
        core->resume(req);
    no_longer_held(core); /* last: http_stop() waits for it before it closes connections */
}

void http_on_gone(struct http_request *req, void (*gone)(void *ctx), void *ctx)
{
    conn_watch(req->conn, gone, ctx);
}
