/*
 * http/link - one client's connection, on the thread of its loop.
 *
 *     links.c      the socket that listens, all connections, open and close
 *     link.c       the life of one: what it waits for, who has its request, its end
 *     link_take.c  bytes that come: a head, a body, the request handed on
 *     link_send.c  bytes that go: an answer, a file, the parts of a stream
 *
 * Nobody else includes it.
 */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include <sys/types.h>

#include "http/inside.h"
#include "http/loop.h"

#define LINK_PIECES 4
#define LINK_HUBS   64

enum link_state {
    LINK_NEW,   /* accepted, not yet with its loop */
    LINK_SHAKE, /* TLS */
    LINK_HEAD,
    LINK_BODY,
    LINK_WORK, /* somebody else has the request: a worker, its holder, a stream thread */
    LINK_SEND,
    LINK_LINGER, /* answered; what still comes is dropped, for closing on unread bytes would reset
                  */
    LINK_GONE    /* closed; freed when its task has run */
};

struct link {
    struct loop_source source;
    struct loop_task task;
    struct hub *hub;
    int fd;
    struct conn *conn;
    struct tls_session *tls;
    enum link_state state;
    bool readable, ended; /* ended: the client will send no more */
    bool close_after, linger;
    atomic_bool returned; /* the request came back */

    struct carry carry; /* read and not yet understood */
    size_t seen;        /* of it, by message_head_end() */
    bool hungry;        /* it is not enough: read on */
    uint64_t body_left, lingered;
    struct chunks chunks;
    struct http_request *req;

    struct str out[LINK_PIECES]; /* to be sent, in order; what went is cut off */
    size_t n_out;
    int file; /* then this, from file_at */
    off_t file_at;
    uint64_t file_left;
    bool in_stream, stuck; /* stuck: the client does not take what is sent */
    char chunk_head[20];

    struct link *prev, *next;
};

struct hub { /* the connections of one loop */
    struct links *links;
    struct loop *loop;
    struct link *first;
    bool closing;
};

struct links {
    struct loop_source source; /* of the socket that listens */
    struct loop_tick tick;
    struct core *core;
    struct http_loops *loops;
    int fd;
    bool again; /* there was no descriptor for one that came */
    size_t n, turn;
    atomic_size_t n_open;
    struct hub hubs[LINK_HUBS];
};

/* ---- link.c ---- */

void link_init(struct link *link); /* what is called when it is ready, and for its tasks */
/* False when the keeper has cut the connection. */
bool link_enter(struct link *link, enum conn_state state);
void link_end_request(struct link *link, bool whole);
void link_close(struct link *link); /* freed when nobody can mean it any more */

/* ---- link_take.c ---- */

/* One read, or what was read before; false: there is nothing. */
bool link_receive(struct link *link);
/* Bytes that were read; 0: none now; -1: the end. */
ssize_t link_read(struct link *link, char *out, size_t most);

/* ---- link_send.c ---- */

/* Begins to send what the response holds. */
void link_reply(struct link *link);
/* An error as the response; status 0: that of the error. */
void link_decide(struct http_request *req, enum err err, int status, const struct why *why);
/* Answered before the whole request was read: the connection ends with it. */
void link_refuse(struct link *link);
/* The next bytes of a stream, its end, or the question for more. */
void link_stream_more(struct link *link);
/* As much as the client takes now. */
void link_send(struct link *link);

#endif
