/*
 * engine - one model in one process, model files and tokenizers: the room's public header.
 *
 * The server: `yicheng engine` opens one engine and closes it at the end. It answers OpenAI's API
 * (README.md lists the routes) on its own port.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/gguf.h"
#include "engine/gguf_make.h"
#include "engine/gguf_write.h"
#include "engine/quantize.h"
#include "engine/vocab.h"
#include "engine/run.h"

struct engine;
struct json_out;

struct engine_opts {
    struct run_opts run;
    const char *alias;         /* the name that requests use; NULL: the model's own */
    const char *listen;        /* NULL: 127.0.0.1 */
    int port;                  /* 0: any free one */
    const char *token;         /* what callers send as bearer; NULL: nothing is asked */
    const char *template_path; /* a chat template instead of the file's; NULL: the file's */
};

/*
 * Loads the model and listens. Everything in `opts` is copied.
 *
 *   Errors  those of run_open; ERR_INVALID for an address, or a chat template given by
 *           template_path that does not work; ERR_UNAVAILABLE, ERR_IO when the port is not to be
 *           had. A file's own template that does not work leaves an engine without chat, which says
 *           so.
 *   Threads one engine in a process; call it before other threads are made (it forks)
 */
ERR_MUST_USE enum err engine_open(const struct engine_opts *opts, struct engine **out,
                                  struct why *why);
/* No new requests; what is under way goes on. From any thread. */
void engine_drain(struct engine *engine);
/* Drains for up to wait_ms, then ends what is left. NULL is fine. */
void engine_close(struct engine *engine, int64_t wait_ms);

int engine_port(const struct engine *engine);
/* An object's members: port, pid, model, context, slots, threads, embedding, rerank, version. */
void engine_describe(const struct engine *engine, struct json_out *out);
/* The same of its load: busy, queued, requests. */
void engine_load(const struct engine *engine, struct json_out *out);

/* ---- an edge: an engine on another machine that says to a centre where it is ---- */

struct edge;

struct edge_opts {
    const char *url;       /* of the centre */
    const char *token;     /* what the centre gave out for edges */
    const char *advertise; /* where this engine is reached from there, "http://host:port" */
    const char *name;
    const char *bearer; /* what the centre is to send to the engine; NULL: nothing */
};

/* Starts a thread that registers, sends heartbeats, and tries again (slowly when the token is
 * refused). Everything is copied. ERR_INVALID, ERR_NO_MEMORY. */
ERR_MUST_USE enum err edge_start(const struct edge_opts *opts, const struct engine *engine,
                                 struct edge **out, struct why *why);
/* Takes leave from the centre. NULL is fine. */
void edge_stop(struct edge *edge);

#endif
