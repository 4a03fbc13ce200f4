/*
 * data/sink - bytes on their way into a file, a MiB at a time.
 */
#ifndef DATA_SINK_H
#define DATA_SINK_H

#include "core/str.h"

#define SINK_BYTES ((size_t)1 << 20)

struct sink {
    int fd;    /* -1: what is added goes nowhere */
    char *ptr; /* SINK_BYTES */
    size_t len;
    uint64_t total; /* bytes added */
};

ERR_MUST_USE enum err sink_add(struct sink *sink, struct str bytes, struct why *why);
ERR_MUST_USE enum err sink_flush(struct sink *sink, struct why *why);

#endif
