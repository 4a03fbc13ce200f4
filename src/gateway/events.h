/*
 * gateway/events - server-sent events from an upstream, taken apart.
 *
 * Place in the room: http (parts of a body) -> [events] -> reply. After the event stream
 * interpretation of the HTML standard, section 9.2.6: lines end with LF, CR or CRLF wherever the
 * parts are cut, ':' begins a comment, several "data" lines make one text, a byte order mark at the
 * start is skipped, an event without data is none, and one that has no end is not told.
 */
#ifndef GATEWAY_EVENTS_H
#define GATEWAY_EVENTS_H

#include "core/str.h"

struct arena;

struct events {
    size_t most;             /* bytes of one event */
    struct buf line;         /* what has come of a line */
    struct buf name, data;   /* of the event that is under way */
    bool has_data, after_cr; /* a "data" line has come; the last byte was CR */
    size_t n_bytes;          /* at the start, for the byte order mark */
};

/* The text of an event; `name` is empty unless one was given. Both are valid during the call. */
typedef enum err events_fn(void *ctx, struct str name, struct str data, struct why *why);

void events_init(struct events *events, struct arena *arena, size_t most);

/*
 * Tells each event that `part` completes, in order. An error of `each` ends it and is returned.
 *
 *   Errors  ERR_TOO_LARGE  a line or an event is longer than `most`
 *           ERR_NO_MEMORY
 *   Cost    one pass; a line within one part is not copied, the data of an event is, once
 */
ERR_MUST_USE enum err events_feed(struct events *events, struct str part, events_fn *each,
                                  void *ctx, struct why *why);

/* Whether an event has begun and not ended. */
bool events_half(const struct events *events);
/* At the end of the body: the event whose empty line is missing, when all its lines are whole. Some
 * servers end so. False when there is none. */
bool events_last(struct events *events, struct str *name, struct str *data);

#endif
