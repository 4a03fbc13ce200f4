/* knowledge/chunk - cut prose into passages. */
#include "knowledge/chunk.h"

#include "core/arena.h"
#include "core/utf8.h"

static enum err check(struct str text, const struct chunk_opts *opts, struct why *why)
{
    if (opts->max_bytes < CHUNK_MIN_BYTES)
        return err_set(why, ERR_INVALID, "passages of %zu bytes are too short, the least is %d",
                       opts->max_bytes, CHUNK_MIN_BYTES);
    if (opts->overlap_bytes > opts->max_bytes / 4)
        return err_set(why, ERR_INVALID, "an overlap of %zu bytes is more than a quarter of %zu",
                       opts->overlap_bytes, opts->max_bytes);
    size_t bad = utf8_invalid(text);
    if (bad != STR_NPOS)
        return err_set(why, ERR_INVALID, "the text is not UTF-8 at byte %zu", bad);
    return ERR_OK;
}

/* How good a place for a cut is behind the character c: a line's end beats a sentence's, that beats
 * a clause's. */
static int cut_worth(uint32_t c, uint32_t next)
{
    switch (c) {
    case '\n':
        return 4;
    case 0x3002: /* 。 */
    case 0xFF01: /* ！ */
    case 0xFF1F: /* ？ */
    case '!':
    case '?':
        return next == 0x201D || next == 0xFF09 ? 0 : 3; /* the closing quote belongs to it */
    case '.':
        return next == ' ' || next == '\n' ? 3 : 0;
    case 0x201D: /* ” */
        return 1;
    case 0xFF1B: /* ； */
    case ';':
        return 2;
    default:
        return 0;
    }
}

/* The best cut in text[from .. most], behind `from`; `most` itself at worst (at a character). */
static size_t cut_point(struct str text, size_t from, size_t most)
{
    if (most >= text.len)
        return text.len;
    most = utf8_floor(text, most);
    size_t half = utf8_floor(text, from + (most - from) / 2);
    size_t best = most;
    int best_worth = 0;
    for (size_t at = half; at < most;) {
        uint32_t c = utf8_next(text, &at);
        if (at > most)
            break;
        size_t peek = at;
        uint32_t next = at < text.len ? utf8_next(text, &peek) : '\n';
        int w = cut_worth(c, next);
        if (w && w >= best_worth) {
            best = at;
            best_worth = w;
        }
    }
    return best;
}

/* Where the next passage begins: a sentence start in the overlap, else the plain overlap. */
static size_t overlap_point(struct str text, size_t end, size_t overlap)
{
    if (!overlap || end <= overlap)
        return end;
    size_t from = utf8_floor(text, end - overlap);
    for (size_t at = from; at < end;) {
        uint32_t c = utf8_next(text, &at);
        size_t peek = at;
        uint32_t next = at < text.len ? utf8_next(text, &peek) : '\n';
        if (cut_worth(c, next) >= 3 && at < end)
            return at;
    }
    return from;
}

enum err chunk_text(struct str text, const struct chunk_opts *opts, struct arena *arena,
                    struct chunks *out, struct why *why)
{
    enum err err = check(text, opts, why);
    if (err)
        return err;

    /* A passage is over half a window less a character and shares at most a quarter and a
     * character: each step is at least max / 4 less two characters. */
    size_t step = opts->max_bytes / 4 - 2 * UTF8_MAX_BYTES;
    size_t most = text.len / step + 1;
    struct chunk *items = arena_array(arena, struct chunk, most);
    if (!items)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu passages", most);
    size_t n = 0;
    for (size_t start = 0, end = 0; end < text.len;) {
        size_t room = text.len - start;
        size_t window = room < opts->max_bytes ? room : opts->max_bytes;
        end = cut_point(text, start, start + window);
        items[n++] = (struct chunk){start, end - start};
        size_t next = end < text.len ? overlap_point(text, end, opts->overlap_bytes) : end;
        start = next > start ? next : end;
    }
    *out = (struct chunks){items, n};
    return ERR_OK;
}
