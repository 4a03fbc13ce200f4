#include "gateway/events.h"

#include <string.h>

#include "core/arena.h"

void events_init(struct events *events, struct arena *arena, size_t most)
{
    *events = (struct events){.most = most};
    buf_init(&events->line, arena);
    buf_init(&events->name, arena);
    buf_init(&events->data, arena);
}

static enum err too_large(const struct events *events, struct why *why)
{
    return err_set(why, ERR_TOO_LARGE, "an event is larger than %zu bytes", events->most);
}

static void forget(struct events *events)
{
    buf_clear(&events->name);
    buf_clear(&events->data);
    events->has_data = false;
}

/* An empty line: the event is whole. */
static enum err dispatch(struct events *events, events_fn *each, void *ctx, struct why *why)
{
    enum err err = ERR_OK;
    if (events->has_data)
        err = each(ctx, buf_str(&events->name), buf_str(&events->data), why);
    forget(events);
    return err;
}

static enum err take_field(struct events *events, struct str line, struct why *why)
{
    size_t colon = str_find_char(line, ':');
    struct str field = str_slice(line, 0, colon);
    struct str value = colon == STR_NPOS ? STR("") : str_from(line, colon + 1);
    if (value.len && value.ptr[0] == ' ')
        value = str_from(value, 1);
    if (str_eq_c(field, "data")) {
        if (value.len + 1 > events->most - events->data.len)
            return too_large(events, why);
        if (events->has_data)
            buf_char(&events->data, '\n');
        buf_add(&events->data, value);
        events->has_data = true;
        return buf_err(&events->data, why);
    }
    if (str_eq_c(field, "event")) {
        buf_clear(&events->name);
        buf_add(&events->name, value);
        return buf_err(&events->name, why);
    }
    return ERR_OK; /* a comment, "id", "retry", or what the standard says to ignore */
}

static enum err take_line(struct events *events, struct str line, events_fn *each, void *ctx,
                          struct why *why)
{
    return line.len ? take_field(events, line, why) : dispatch(events, each, ctx, why);
}

/* How many bytes of the part belong to a byte order mark at the very start. */
static size_t skip_mark(struct events *events, struct str part)
{
    static const char mark[] = "\xEF\xBB\xBF";
    size_t n = 0;
    while (n < part.len && events->n_bytes < 3 && part.ptr[n] == mark[events->n_bytes]) {
        events->n_bytes++;
        n++;
    }
    if (n < part.len && events->n_bytes < 3) { /* it was none: what was skipped is text */
        buf_add(&events->line, (struct str){mark, events->n_bytes});
        events->n_bytes = 3;
    }
    return n;
}

static size_t line_end(struct str part, size_t at)
{
    while (at < part.len && part.ptr[at] != '\n' && part.ptr[at] != '\r')
        at++;
    return at;
}

/* A line without its end, kept until that comes. */
static enum err keep(struct events *events, struct str rest, struct why *why)
{
    if (rest.len > events->most - events->line.len)
        return too_large(events, why);
    buf_add(&events->line, rest);
    return buf_err(&events->line, why);
}

enum err events_feed(struct events *events, struct str part, events_fn *each, void *ctx,
                     struct why *why)
{
    size_t at = events->n_bytes < 3 ? skip_mark(events, part) : 0;
    enum err err = ERR_OK;
    if (at > 0)
        events->after_cr = false;
    while (!err && at < part.len) {
        if (events->after_cr && part.ptr[at] == '\n')
            at++; /* the other half of CRLF */
        events->after_cr = false;
        size_t end = line_end(part, at);
        struct str rest = str_slice(part, at, end);
        if (end == part.len)
            return keep(events, rest, why);
        events->after_cr = part.ptr[end] == '\r';
        at = end + 1;
        if (events->line.len == 0) {
            err = rest.len > events->most ? too_large(events, why)
                                          : take_line(events, rest, each, ctx, why);
            continue;
        }
        err = keep(events, rest, why);
        if (!err)
            err = take_line(events, buf_str(&events->line), each, ctx, why);
        buf_clear(&events->line);
    }
    return err;
}

bool events_half(const struct events *events)
{
    return events->has_data || events->line.len > 0;
}

bool events_last(struct events *events, struct str *name, struct str *data)
{
    if (!events->has_data || events->line.len > 0)
        return false;
    *name = buf_str(&events->name);
    *data = buf_str(&events->data);
    events->has_data = false;
    return true;
}
