#include "data/spans.h"

#include <stdlib.h>

#include "core/arena.h"
#include "data/scan.h"
#include "data/talk.h"

static bool number_of(struct str object, const char *name, struct arena *arena, size_t *out)
{
    struct str raw = talk_member_raw(object, name, arena);
    int64_t value;
    if (!raw.len || !str_to_i64(raw, &value) || value < 0 || value > INT32_MAX)
        return false;
    *out = (size_t)value;
    return true;
}

enum err spans_read(const struct record *record, struct spans *out, struct why *why)
{
    struct str raw = record_raw(record, "spans"), key;
    struct arena *arena = record->arena;
    size_t next = 0, start, end, n = 0;
    if (!raw.len || raw.ptr[0] != '[')
        return err_set(why, ERR_INVALID, "the record has no list \"spans\"");
    while (scan_each(raw, 0, &next, &key, &start, &end))
        n++;
    *out = (struct spans){arena_array(arena, struct span, n + 1), 0};
    if (!out->items)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu spans", n);
    next = 0;
    while (scan_each(raw, 0, &next, &key, &start, &end)) {
        struct str one = str_slice(raw, start, end);
        struct span *span = &out->items[out->n];
        span->label = talk_member(one, "label", arena);
        if (!number_of(one, "start", arena, &span->start) ||
            !number_of(one, "end", arena, &span->end) || !span->label.len)
            return err_set(why, ERR_INVALID, "span %zu has no start, end and label", out->n + 1);
        out->n++;
    }
    return ERR_OK;
}

static int compare(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return str_cmp(x->label, y->label);
}

void spans_sort(struct spans *spans)
{
    if (spans->n > 1)
        qsort(spans->items, spans->n, sizeof *spans->items, compare);
}

void spans_write(const struct spans *spans, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < spans->n; i++) {
        const struct span *s = &spans->items[i];
        buf_printf(out, "%s{\"start\":%zu,\"end\":%zu,\"label\":", i ? "," : "", s->start, s->end);
        scan_quote(out, s->label);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}
