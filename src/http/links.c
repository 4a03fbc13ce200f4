/* The socket that listens, and all connections of a server. */
#include "http/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/time.h"

/* ---- those that come ---- */

static void add(struct links *links, int fd, const struct sockaddr *peer)
{
    struct core *core = links->core;
    struct link *link = conns_admit(core->conns, peer) ? calloc(1, sizeof *link) : NULL;
    int one = 1;
    if (link)
        link->conn = conns_add(core->conns, fd, peer);
    if (!link || !link->conn || (core->tls && !(link->tls = tls_session_new(core->tls, fd)))) {
        if (link)
            conns_remove(core->conns, link->conn);
        free(link);
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    link_init(link);
    link->fd = fd;
    link->hub = &links->hubs[links->turn++ % links->n];
    atomic_fetch_add(&links->n_open, 1);
    loop_post(link->hub->loop, &link->task);
}

static void accept_all(struct links *links)
{
    links->again = false;
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(links->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            add(links, fd, (struct sockaddr *)&peer);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            links->again = true; /* those that wait are looked at when somebody has left */
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (links->again)
            return;
    }
}

static void on_listener(struct loop_source *source, uint32_t events)
{
    (void)events;
    accept_all((struct links *)(void *)source);
}

static void on_tick(struct loop_tick *tick, int64_t now_ns)
{
    struct links *links = (struct links *)(void *)((char *)tick - offsetof(struct links, tick));
    (void)now_ns;
    if (links->again)
        accept_all(links);
}

/* ---- open, close ---- */

struct opening {
    struct links *links;
    enum err err;
    struct why *why;
};

static void open_hub(void *ctx, size_t i)
{
    struct opening *opening = ctx;
    struct links *links = opening->links;
    if (i != 0)
        return;
    opening->err = loop_watch(links->hubs[0].loop, links->fd, &links->source, opening->why);
    if (!opening->err)
        loop_tick_add(links->hubs[0].loop, &links->tick);
}

enum err links_open(struct core *core, struct http_loops *loops, int fd, struct links **out,
                    struct why *why)
{
    struct links *links = calloc(1, sizeof *links);
    struct opening opening = {.links = links, .why = why};
    if (!links)
        return err_set(why, ERR_NO_MEMORY, "could not hold the connections");
    *links = (struct links){.source.ready = on_listener,
                            .tick.tick = on_tick,
                            .core = core,
                            .loops = loops,
                            .fd = fd,
                            .n = loops_count(loops)};
    for (size_t i = 0; i < links->n; i++)
        links->hubs[i] = (struct hub){.links = links, .loop = loops_at(loops, i)};
    loops_each(loops, open_hub, &opening);
    if (opening.err) {
        free(links);
        return opening.err;
    }
    *out = links;
    return ERR_OK;
}

static void refuse_hub(void *ctx, size_t i)
{
    struct links *links = ctx;
    if (i != 0 || links->fd < 0)
        return;
    loop_forget(links->hubs[0].loop, links->fd, &links->source);
    loop_tick_remove(links->hubs[0].loop, &links->tick);
    links->fd = -1;
}

void links_refuse(struct links *links)
{
    loops_each(links->loops, refuse_hub, links);
}

static void close_hub(void *ctx, size_t i)
{
    struct hub *hub = &((struct links *)ctx)->hubs[i];
    hub->closing = true;
    for (struct link *link = hub->first, *next; link; link = next) {
        next = link->next;
        if (link->state != LINK_WORK)
            link_close(link);
    }
}

void links_close(struct links *links)
{
    if (!links)
        return;
    do {
        loops_each(links->loops, close_hub, links);
        if (atomic_load(&links->n_open) > 0)
            time_sleep_ms(1);
    } while (atomic_load(&links->n_open) > 0);
    loops_each(links->loops, close_hub, links); /* what was freed later is freed now */
    free(links);
}
