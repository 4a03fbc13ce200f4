/*
 * data/spans - the spans of a record: {start, end, label} in characters of its text.
 */
#ifndef DATA_SPANS_H
#define DATA_SPANS_H

#include "data/record.h"

struct span {
    size_t start, end; /* characters */
    struct str label;  /* decoded */
};
struct spans {
    struct span *items; /* in the order of the record */
    size_t n;
};

/* ERR_INVALID for a span that has no numbers or no label; `why` says which. */
ERR_MUST_USE enum err spans_read(const struct record *record, struct spans *out, struct why *why);
void spans_sort(struct spans *spans);                         /* by start, the longer first */
void spans_write(const struct spans *spans, struct buf *out); /* a JSON list */

#endif
