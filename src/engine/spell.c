/* From the bytes of tokens to text that may be given out. */
#include "engine/spell.h"

#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"

void spell_init(struct spell *s, const struct str *stops, size_t n_stops, struct arena *arena)
{
    *s = (struct spell){.arena = arena, .stops = stops, .n_stops = n_stops};
    for (size_t i = 0; i < n_stops; i++)
        if (stops[i].len > s->longest)
            s->longest = stops[i].len;
    buf_init(&s->held, arena);
    buf_init(&s->clean, arena);
}

/* Drops what the last call gave out; it was valid until now. */
static void forget(struct spell *s)
{
    if (s->spent)
        memmove(s->held.ptr, s->held.ptr + s->spent, s->held.len - s->spent);
    buf_cut(&s->held, s->held.len - s->spent);
    if (s->given)
        memmove(s->tokens, s->tokens + s->given, (s->n_tokens - s->given) * sizeof *s->tokens);
    s->n_tokens -= s->given;
    for (size_t i = 0; i < s->n_tokens; i++)
        s->tokens[i].start -= s->spent < s->tokens[i].start ? s->spent : s->tokens[i].start;
    s->given = s->spent = 0;
}

/* The earliest stop string that ends in the last `fresh` bytes; NULL when there is none. */
static const struct str *find_stop(const struct spell *s, size_t fresh, size_t *at)
{
    struct str held = buf_str(&s->held);
    const struct str *found = NULL;
    size_t back = fresh + s->longest;
    size_t from = held.len > back ? held.len - back : 0;
    for (size_t i = 0; i < s->n_stops; i++) {
        size_t hit = str_find_from(held, s->stops[i], from);
        if (hit != STR_NPOS && (!found || hit < *at)) {
            found = &s->stops[i];
            *at = hit;
        }
    }
    return found;
}

/* How many bytes at the end may be the beginning of a stop string. */
static size_t doubtful(const struct spell *s)
{
    struct str held = buf_str(&s->held);
    size_t most = s->longest ? s->longest - 1 : 0;
    for (size_t n = held.len < most ? held.len : most; n > 0; n--)
        for (size_t i = 0; i < s->n_stops; i++)
            if (n < s->stops[i].len && memcmp(held.ptr + held.len - n, s->stops[i].ptr, n) == 0)
                return n;
    return 0;
}

/* How many bytes at the end begin a character that more bytes could finish. */
static size_t unfinished(struct str s)
{
    for (size_t n = 1; n <= 3 && n <= s.len; n++) {
        unsigned char c = (unsigned char)s.ptr[s.len - n];
        if (c >= 0xC0) {
            size_t whole = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
            return c <= 0xF4 && n < whole ? n : 0;
        }
        if (c < 0x80)
            return 0;
    }
    return 0;
}

/* Bytes that are no character become U+FFFD. */
static struct str mend(struct spell *s, struct str text)
{
    if (utf8_invalid(text) == STR_NPOS)
        return text;
    buf_clear(&s->clean);
    for (size_t at = 0; at < text.len;) {
        char bytes[UTF8_MAX_BYTES];
        size_t n = utf8_put(bytes, utf8_next(text, &at));
        buf_add(&s->clean, (struct str){bytes, n});
    }
    return buf_str(&s->clean);
}

static enum err give(struct spell *s, size_t end, size_t drop, const struct str *stop,
                     struct spell_part *out, struct why *why)
{
    size_t n = 0;
    while (n < s->n_tokens && (s->tokens[n].start < end || (end == s->held.len && !stop)))
        n++;
    *out = (struct spell_part){
        .text = mend(s, (struct str){s->held.ptr, end}),
        .tokens = s->tokens,
        .n_tokens = n,
        .stop = stop,
    };
    s->given = n;
    s->spent = end + drop;
    enum err err = buf_err(&s->held, why);
    return err ? err : buf_err(&s->clean, why);
}

static enum err keep(struct spell *s, int32_t id, struct str bytes, void *more, struct why *why)
{
    if (s->n_tokens == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        struct spell_token *grown =
            arena_grow(s->arena, s->tokens, s->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return err_set(why, ERR_NO_MEMORY, "the memory for one answer is used up");
        s->tokens = grown;
        s->cap = cap;
    }
    s->tokens[s->n_tokens++] = (struct spell_token){id, s->held.len, bytes, more};
    buf_add(&s->held, bytes);
    return buf_err(&s->held, why);
}

enum err spell_add(struct spell *s, int32_t id, struct str bytes, void *more,
                   struct spell_part *out, struct why *why)
{
    forget(s);
    enum err err = keep(s, id, bytes, more, why);
    if (err)
        return err;
    size_t at = 0;
    const struct str *stop = find_stop(s, bytes.len, &at);
    if (stop)
        return give(s, at, 0, stop, out, why);
    size_t sure = s->held.len - doubtful(s);
    sure -= unfinished((struct str){s->held.ptr, sure});
    return give(s, sure, 0, NULL, out, why);
}

enum err spell_end(struct spell *s, struct spell_part *out, struct why *why)
{
    forget(s);
    size_t tail = unfinished(buf_str(&s->held));
    size_t end = s->held.len - tail;
    enum err err = give(s, end, tail, NULL, out, why);
    out->n_tokens = s->given = s->n_tokens;
    return err;
}
