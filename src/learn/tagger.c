/* Reading a tagger and asking it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "learn/tagger_in.h"

/* ---- lines and features ---- */

static uint32_t folded(uint32_t c)
{
    c = utf8_halfwidth(c);
    if (c >= '0' && c <= '9')
        return '0';
    return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

enum { SORT_NONE, SORT_DIGIT, SORT_LETTER, SORT_MARK, SORT_DOT, SORT_HAN, SORT_OTHER };

static uint8_t sort_of(uint32_t c)
{
    if (c == '0')
        return SORT_DIGIT;
    if (c >= 'a' && c <= 'z')
        return SORT_LETTER;
    if (c < 0x80)
        return SORT_MARK;
    if (c == 0xB7 || c == 0x2022 || c == 0x30FB)
        return SORT_DOT;
    return c >= 0x4E00 && c < 0xA000 ? SORT_HAN : SORT_OTHER;
}

void tagger_marks_set(struct tagger_marks *marks)
{
    memset(marks->bits, 0, sizeof marks->bits);
    for (size_t i = 0; i < marks->n; i++)
        if (marks->chars[i] < 0x10000)
            marks->bits[marks->chars[i] >> 6] |= 1ULL << (marks->chars[i] & 63);
}

static bool ends_line(uint32_t c)
{
    return c == '\n' || c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == '!' || c == '?';
}

bool tagger_line_next(const struct tagger_marks *marks, struct str text, size_t *at,
                      struct tagger_line *line)
{
    size_t n = 0, here = *at;
    if (here >= text.len)
        return false;
    for (uint32_t c = 0; here < text.len && n < TAGGER_MOST_LINE && !ends_line(c); n++) {
        size_t i = n + TAGGER_WINDOW;
        line->at[n] = here;
        c = folded(utf8_next(text, &here));
        line->chars[i] = c;
        line->sorts[i] = sort_of(c);
        line->marked[i] = c < 0x10000 && marks->bits[c >> 6] >> (c & 63) & 1;
    }
    line->at[n] = here;
    line->n = n;
    for (size_t k = 0; k < TAGGER_WINDOW; k++) {
        size_t after = n + TAGGER_WINDOW + k;
        line->chars[k] = 1;
        line->chars[after] = 2;
        line->sorts[k] = line->sorts[after] = SORT_NONE;
        line->marked[k] = line->marked[after] = false;
    }
    *at = here;
    return true;
}

static inline uint32_t key_of(uint64_t id, uint64_t value)
{
    uint64_t x = (id << 56 ^ value) * 0x9E3779B97F4A7C15U;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93U;
    return (uint32_t)(x >> 32) | 1;
}

void tagger_keys(const struct tagger_line *line, size_t i, uint32_t keys[FEATURES])
{
    const uint32_t *at = line->chars + i + TAGGER_WINDOW;
    const uint8_t *sorts = line->sorts + i + TAGGER_WINDOW;
    const bool *marked = line->marked + i + TAGGER_WINDOW;
    uint64_t b = at[-2], c = at[-1], d = at[0], e = at[1], f = at[2], all = 0, near = 0;
    for (int k = -2; k <= 2; k++)
        near = near * 8 + sorts[k];
    for (int k = -3; k <= 3; k++)
        all = all * 2 + marked[k];
    keys[0] = key_of(1, b);
    keys[1] = key_of(2, c);
    keys[2] = key_of(3, d);
    keys[3] = key_of(4, e);
    keys[4] = key_of(5, f);
    keys[5] = key_of(6, b << 21 | c);
    keys[6] = key_of(7, c << 21 | d);
    keys[7] = key_of(8, d << 21 | e);
    keys[8] = key_of(9, e << 21 | f);
    keys[9] = key_of(10, c << 21 | e);
    keys[10] = key_of(11, b * 0x1000003 ^ c << 42 ^ d << 21);
    keys[11] = key_of(12, c * 0x1000003 ^ d << 42 ^ e << 21);
    keys[12] = key_of(13, d * 0x1000003 ^ e << 42 ^ f << 21);
    keys[13] = key_of(14, near);
    keys[14] = key_of(15, all);
    keys[15] = key_of(16, all >> 2 & 31);
    keys[16] = key_of(17, all << 21 | d);
    keys[17] = key_of(18, (all >> 3 & 1) << 42 | d << 21 | e);
    keys[18] = key_of(19, (all >> 4 & 1) << 42 | c << 21 | d);
    keys[19] = key_of(20, at[-3]);
    keys[20] = key_of(21, at[3]);
}

/* ---- the search ---- */

bool tag_follows(unsigned before, unsigned tag)
{
    enum tag_place left = before == TAGS ? TAG_OUTSIDE : tag_place(before), right = tag_place(tag);
    if (left == TAG_FIRST || left == TAG_INNER)
        return (right == TAG_INNER || right == TAG_LAST) && (before - 1) / 3 == (tag - 1) / 3;
    return right != TAG_INNER;
}

typedef int8_t row8 __attribute__((vector_size(TAGS), aligned(1)));
typedef int16_t row16 __attribute__((vector_size(TAGS * 2), aligned(2)));

void tagger_score(const struct tagger *tagger, const struct tagger_line *line,
                  tag_scores scores[TAGGER_MOST_LINE])
{
    uint32_t keys[FEATURES];
    for (size_t i = 0; i < line->n; i++) {
        row16 sum = {0};
        tagger_keys(line, i, keys);
        for (size_t k = 0; k < FEATURES; k++) {
            uint32_t at = keys[k] * 0x9E3779B1U >> 7 & tagger->mask;
            while (tagger->keys[at] && tagger->keys[at] != keys[k])
                at = (at + 1) & tagger->mask;
            if (tagger->keys[at])
                sum += __builtin_convertvector(*(const row8 *)tagger->rows[at], row16);
        }
        *(row16 *)scores[i] = sum;
    }
}

/* Tags behind which a new span or nothing may come. */
static const uint8_t closed[] = {0, 3, 6, 9, 12, 15};

#define WORST (-1000000)

static int32_t best_of(const int32_t *left, const struct tagger *t, const uint8_t *tags, size_t n,
                       unsigned tag, uint8_t *from)
{
    int32_t best = INT32_MIN;
    for (size_t k = 0; k < n; k++) {
        int32_t sum = left[tags[k]] + t->follow[tags[k]][tag];
        if (sum > best) {
            best = sum;
            *from = tags[k];
        }
    }
    return best;
}

void tagger_search(const struct tagger *t, const struct tagger_line *line,
                   tag_scores scores[TAGGER_MOST_LINE], struct tagger_path *out)
{
    uint8_t from[TAGGER_MOST_LINE][TAGS];
    int32_t rows[2][TAGS];
    unsigned n_tags = 1 + 3 * (unsigned)t->n_kinds;
    size_t n_closed = 1 + t->n_kinds;
    for (unsigned q = 0; q < TAGS; q++)
        rows[0][q] = q < n_tags && tag_follows(TAGS, q) ? t->follow[TAGS][q] + scores[0][q] : WORST;
    for (size_t i = 1; i < line->n; i++) {
        const int32_t *left = rows[(i - 1) & 1];
        int32_t *right = rows[i & 1];
        for (unsigned q = 0; q < n_tags; q++) {
            uint8_t inside[2] = {(uint8_t)(q - 1), (uint8_t)q}, other = 0;
            enum tag_place place = tag_place(q);
            if (place == TAG_INNER) {
                right[q] = best_of(left, t, inside, 2, q, &from[i][q]) + scores[i][q];
                continue;
            }
            int32_t best = best_of(left, t, closed, n_closed, q, &from[i][q]);
            if (place == TAG_LAST) {
                inside[0] = (uint8_t)(q - 2);
                inside[1] = (uint8_t)(q - 1);
                int32_t joined = best_of(left, t, inside, 2, q, &other);
                if (joined > best) {
                    best = joined;
                    from[i][q] = other;
                }
            }
            right[q] = best + scores[i][q];
        }
    }
    const int32_t *end = rows[(line->n - 1) & 1];
    uint8_t tag = 0;
    for (size_t k = 1; k < n_closed; k++)
        if (end[closed[k]] > end[tag])
            tag = closed[k];
    for (size_t i = line->n; i-- > 0;) {
        out->tags[i] = tag;
        tag = i ? from[i][tag] : 0;
    }
}

bool tagger_span_at(const struct tagger_path *path, size_t n, size_t i, size_t *last)
{
    enum tag_place place = tag_place(path->tags[i]);
    enum tag_place before = i ? tag_place(path->tags[i - 1]) : TAG_OUTSIDE;
    if (place == TAG_OUTSIDE || before == TAG_FIRST || before == TAG_INNER)
        return false;
    for (*last = i; *last < n && tag_place(path->tags[*last]) != TAG_LAST; (*last)++)
        ;
    return *last < n;
}

int32_t tagger_margin(const struct tagger *t, const struct tagger_line *line,
                      tag_scores scores[TAGGER_MOST_LINE], const struct tagger_path *path,
                      size_t first, size_t last)
{
    int32_t sum = 0;
    unsigned before = first ? path->tags[first - 1] : TAGS, flat = before;
    for (size_t i = first; i <= last + 1 && i < line->n; i++) {
        unsigned tag = path->tags[i], none = i <= last ? 0 : tag;
        sum += t->follow[before][tag] - t->follow[flat][none] + scores[i][tag] - scores[i][none];
        before = tag;
        flat = none;
    }
    return sum;
}

/* ---- asking ---- */

struct found {
    struct arena *arena;
    struct tagger_span *items;
    size_t n, cap;
};

static bool add(struct found *f, struct tagger_span span)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        void *more = arena_grow(f->arena, f->items, f->cap * sizeof span, cap * sizeof span);
        if (!more)
            return false;
        f->items = more;
        f->cap = cap;
    }
    f->items[f->n++] = span;
    return true;
}

enum err tagger_find(const struct tagger *tagger, struct str text, struct arena *arena,
                     struct tagger_span **out, size_t *n, struct why *why)
{
    struct tagger_line line;
    tag_scores scores[TAGGER_MOST_LINE];
    struct tagger_path path;
    struct found found = {.arena = arena};
    size_t at = 0, last;
    while (tagger_line_next(&tagger->marks, text, &at, &line)) {
        tagger_score(tagger, &line, scores);
        tagger_search(tagger, &line, scores, &path);
        for (size_t i = 0; i < line.n; i++) {
            if (!tagger_span_at(&path, line.n, i, &last))
                continue;
            float margin = (float)tagger_margin(tagger, &line, scores, &path, i, last);
            struct tagger_span span = {
                line.at[i], line.at[last + 1], (path.tags[i] - 1u) / 3,
                1.0F / (1.0F + expf(-(tagger->slope * margin + tagger->shift)))};
            if (!add(&found, span))
                return err_set(why, ERR_NO_MEMORY, "could not hold what was found");
            i = last;
        }
    }
    *out = found.items;
    *n = found.n;
    return ERR_OK;
}

size_t tagger_n_kinds(const struct tagger *tagger)
{
    return tagger->n_kinds;
}

const char *tagger_kind(const struct tagger *tagger, size_t i)
{
    return i < tagger->n_kinds ? tagger->kinds[i] : "";
}

/* ---- reading: head, kinds, marks, follow, rows, checksum; little endian ---- */

struct reader {
    struct str rest;
    bool bad;
};

static const unsigned char *take(struct reader *r, size_t n)
{
    if (r->bad || r->rest.len < n) {
        r->bad = true;
        return NULL;
    }
    const char *p = r->rest.ptr;
    r->rest = str_from(r->rest, n);
    return (const unsigned char *)p;
}

static uint32_t take32(struct reader *r)
{
    const unsigned char *p = take(r, 4);
    return p ? p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

static float take_float(struct reader *r)
{
    uint32_t bits = take32(r);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void read_head(struct reader *r, struct tagger *t)
{
    t->n_kinds = take32(r);
    r->bad = r->bad || t->n_kinds < 1 || t->n_kinds > TAGGER_KINDS;
    for (size_t k = 0; !r->bad && k < t->n_kinds; k++) {
        const unsigned char *name = take(r, TAGGER_NAME);
        r->bad = r->bad || !memchr(name, 0, TAGGER_NAME);
        if (!r->bad)
            memcpy(t->kinds[k], name, TAGGER_NAME);
    }
    t->slope = take_float(r);
    t->shift = take_float(r);
    r->bad = r->bad || !isfinite(t->slope) || !isfinite(t->shift);
    t->marks.n = take32(r);
    r->bad = r->bad || t->marks.n > TAGGER_MARKS;
    for (size_t i = 0; !r->bad && i < t->marks.n; i++)
        t->marks.chars[i] = take32(r);
    if (r->bad)
        return;
    tagger_marks_set(&t->marks);
    for (size_t p = 0; !r->bad && p <= TAGS; p++)
        for (size_t q = 0; !r->bad && q < TAGS; q++) {
            int32_t value = (int32_t)take32(r);
            r->bad = r->bad || value < -30000 || value > 30000;
            t->follow[p][q] = (int16_t)value;
        }
}

/* Rows may come in any order; a key twice, or 0, is refused. */
static enum err read_rows(struct reader *r, struct tagger *t, struct why *why)
{
    size_t n = take32(r), places = 1024;
    r->bad = r->bad || n > TAGGER_FEATURES || r->rest.len != n * (4 + TAGS);
    if (r->bad)
        return ERR_OK;
    while (places < n * 2)
        places *= 2;
    t->keys = calloc(places, sizeof *t->keys);
    t->rows = calloc(places, sizeof *t->rows);
    if (!t->keys || !t->rows)
        return err_set(why, ERR_NO_MEMORY, "could not hold the tagger");
    t->mask = (uint32_t)places - 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t key = take32(r), at = key * 0x9E3779B1U >> 7 & t->mask;
        while (t->keys[at] && t->keys[at] != key)
            at = (at + 1) & t->mask;
        if (!key || t->keys[at]) {
            r->bad = true;
            return ERR_OK;
        }
        t->keys[at] = key;
        memcpy(t->rows[at], take(r, TAGS), TAGS);
    }
    return ERR_OK;
}

enum err tagger_read(struct str bytes, struct tagger **out, struct why *why)
{
    struct reader r = {.rest = bytes};
    uint64_t sum = 0;
    enum err err = ERR_OK;
    struct tagger *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(why, ERR_NO_MEMORY, "could not hold the tagger");
    r.bad = bytes.len < 16 || memcmp(bytes.ptr, "YCTAG1\n", 8) != 0;
    if (!r.bad) {
        memcpy(&sum, bytes.ptr + bytes.len - 8, 8);
        r.bad = sum != hash64(bytes.ptr, bytes.len - 8, 1);
        r.rest = str_slice(bytes, 8, bytes.len - 8);
    }
    if (!r.bad)
        read_head(&r, t);
    if (!r.bad)
        err = read_rows(&r, t, why);
    if (!err && r.bad)
        err = err_set(why, ERR_CORRUPT, "the file is not a whole tagger");
    if (err) {
        tagger_free(t);
        return err;
    }
    *out = t;
    return ERR_OK;
}

void tagger_free(struct tagger *tagger)
{
    if (!tagger)
        return;
    free(tagger->keys);
    free(tagger->rows);
    free(tagger);
}
