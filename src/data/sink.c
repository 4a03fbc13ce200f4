#include "data/sink.h"

#include <string.h>

#include "core/file.h"

enum err sink_flush(struct sink *s, struct why *why)
{
    enum err err = s->len ? file_write_fd(s->fd, (struct str){s->ptr, s->len}, why) : ERR_OK;
    s->len = 0;
    return err;
}

enum err sink_add(struct sink *s, struct str bytes, struct why *why)
{
    enum err err = ERR_OK;
    if (s->fd < 0)
        return ERR_OK;
    s->total += bytes.len;
    if (s->len + bytes.len > SINK_BYTES)
        err = sink_flush(s, why);
    if (!err && bytes.len > SINK_BYTES)
        return file_write_fd(s->fd, bytes, why);
    if (!err && bytes.len) {
        memcpy(s->ptr + s->len, bytes.ptr, bytes.len);
        s->len += bytes.len;
    }
    return err;
}
