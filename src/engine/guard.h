/*
 * engine/guard - chat templates, schemas and grammars in a process that may be killed.
 *
 * A template comes out of a model file and a schema out of a request; either may loop for ever,
 * call itself without end or ask for all memory. So they are worked on by a child, bounded in time,
 * memory and stack; when it dies the request that killed it gets an error and the next gets a new
 * child. The child is forked before there are threads and holds neither the model nor a socket.
 *
 *   Threads  any; one request at a time is worked on, others wait (they take milliseconds)
 */
#ifndef ENGINE_GUARD_H
#define ENGINE_GUARD_H

#include "core/str.h"
#include "engine/chat.h"

struct guard;

struct guard_limits {
    int64_t cpu_ms; /* of one request; 0: 2000 */
    size_t memory;  /* bytes beside what the program has; 0: 512 MiB */
};

/* Call it before the first thread is made. ERR_IO, ERR_NO_MEMORY. */
ERR_MUST_USE enum err guard_start(const struct guard_limits *limits, struct guard **out,
                                  struct why *why);
void guard_stop(struct guard *guard); /* kills the child; NULL is fine */

/* chat_open in the child; a second call replaces the template. ERR_TIMEOUT and ERR_TOO_LARGE (stack
 * or memory) when the template took more than its share, else as chat_open. */
ERR_MUST_USE enum err guard_open(struct guard *guard, const struct chat_source *source,
                                 struct why *why);
/* chat_render there: the answer is in `arena`. Needs guard_open. */
ERR_MUST_USE enum err guard_render(struct guard *guard, struct str request, struct arena *arena,
                                   struct str *out, struct why *why);
/* chat_schema and chat_grammar there. */
ERR_MUST_USE enum err guard_schema(struct guard *guard, struct str schema, struct arena *arena,
                                   struct str *gbnf, struct why *why);
ERR_MUST_USE enum err guard_grammar(struct guard *guard, struct str gbnf, struct arena *arena,
                                    struct why *why);

#endif
