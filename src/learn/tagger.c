/* Asking a tagger: scores, the search, spans. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "learn/tagger_in.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- scores ---- */

/* The rows that tell of the characters of a line, by group; with those of its pads. */
struct rows {
    const int8_t *one[LINE_PAD], *two[LINE_PAD], *three[LINE_PAD], *around[LINE_PAD],
        *marked[LINE_PAD];
};

/* Asked for early: they are read when all of the line are known. */
static inline const int8_t *rows_of(const struct tagger_table *table, uint32_t key, size_t rows)
{
    const int8_t *at = table->rows + tagger_rows(table, key) * rows * TAGS;
    __builtin_prefetch(at);
    if (rows * TAGS > 64)
        __builtin_prefetch(at + 64);
    return at;
}

/* The numbers of rows stand here as constants, for straight loops; tagger_shapes has them too. */
static void look_up(const struct tagger *t, const struct tagger_line *line, struct rows *out)
{
    const struct tagger_table *tables = t->tables;
    ptrdiff_t n = (ptrdiff_t)line->n;
    uint64_t marks = 0;
    for (ptrdiff_t i = -3; i < n + 3; i++)
        out->one[i + 3] = rows_of(&tables[GROUP_ONE], tagger_key(line, GROUP_ONE, i), 7);
    for (ptrdiff_t i = -2; i < n + 1; i++)
        out->two[i + 3] = rows_of(&tables[GROUP_TWO], tagger_key(line, GROUP_TWO, i), 4);
    for (ptrdiff_t i = -2; i < n; i++)
        out->three[i + 3] = rows_of(&tables[GROUP_THREE], tagger_key(line, GROUP_THREE, i), 3);
    for (ptrdiff_t i = 0; i < n; i++)
        out->around[i + 3] = rows_of(&tables[GROUP_AROUND], tagger_key(line, GROUP_AROUND, i), 1);
    for (ptrdiff_t i = 0; i < n + 6; i++) {
        marks = (marks << 1 | line->marked[i]) & ((1u << MARKS_BITS) - 1);
        if (i >= 6)
            out->marked[i - 3] =
                rows_of(&tables[GROUP_MARKED],
                        tagger_key_of(GROUP_MARKED, marks << 21 | line->chars[i - 3]), 1);
    }
}

/* Row r of the k rows of a group tells of the character first + r behind the key's own. */
static inline void rows_at(const struct tagger *t, size_t i, const struct rows *rows,
                           uint32_t marks, uint32_t sorts, const int8_t *out[FEATURES])
{
    const struct tagger_table *tables = t->tables;
    for (size_t r = 0; r < 7; r++)
        *out++ = rows->one[i + 6 - r] + r * TAGS;
    for (size_t r = 0; r < 4; r++)
        *out++ = rows->two[i + 4 - r] + r * TAGS;
    for (size_t r = 0; r < 3; r++)
        *out++ = rows->three[i + 3 - r] + r * TAGS;
    *out++ = rows->around[i + 3];
    *out++ = rows->marked[i + 3];
    *out++ = tables[GROUP_SORTS].rows + t->sort_rows[sorts] * (size_t)TAGS;
    *out++ = tables[GROUP_MARKS].rows + t->mark_rows[marks] * (size_t)TAGS;
    *out = tables[GROUP_NEAR].rows + t->near_rows[tagger_near(marks)] * (size_t)TAGS;
}

typedef int8_t row8 __attribute__((vector_size(TAGS), aligned(1)));
typedef int16_t row16 __attribute__((vector_size(TAGS * 2), aligned(2)));

static void sum_rows(const int8_t *const rows[FEATURES], int16_t out[TAGS])
{
    row16 sum = {0};
    for (size_t k = 0; k < FEATURES; k++)
        sum += __builtin_convertvector(*(const row8 *)rows[k], row16);
    *(row16 *)out = sum;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void sum_rows_avx2(const int8_t *const rows[FEATURES],
                                                          int16_t out[TAGS])
{
    __m256i sum = _mm256_setzero_si256();
    for (size_t k = 0; k < FEATURES; k++)
        sum = _mm256_add_epi16(
            sum, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)rows[k])));
    _mm256_storeu_si256((__m256i *)(void *)out, sum);
}
#endif

void tagger_score(const struct tagger *tagger, const struct tagger_line *line, tag_scores scores)
{
    struct rows rows;
    const int8_t *at[FEATURES];
    void (*add)(const int8_t *const *, int16_t *) = sum_rows;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        add = sum_rows_avx2;
#endif
    uint32_t marks = 0, sorts = 0;
    for (size_t k = 0; k < 2 * TAGGER_WINDOW; k++) /* but the last, which the loop adds */
        marks = marks << 1 | line->marked[k];
    for (size_t k = 1; k < TAGGER_WINDOW + 2; k++)
        sorts = sorts << 3 | line->sorts[k];
    look_up(tagger, line, &rows);
    for (size_t i = 0; i < line->n; i++) {
        marks = (marks << 1 | line->marked[i + 2 * TAGGER_WINDOW]) & ((1u << MARKS_BITS) - 1);
        sorts = (sorts << 3 | line->sorts[i + TAGGER_WINDOW + 2]) & ((1u << SORTS_BITS) - 1);
        rows_at(tagger, i, &rows, marks, sorts, at);
        add(at, scores[i]);
    }
    memset(scores[line->n], 0, sizeof scores[0]);
}

/* ---- the search ---- */

bool tag_follows(unsigned before, unsigned tag)
{
    enum tag_place left = before == TAG_START ? TAG_OUTSIDE : tag_place(before);
    enum tag_place right = tag_place(tag);
    if (left == TAG_FIRST || left == TAG_INNER)
        return (right == TAG_INNER || right == TAG_LAST) && tag_kind(before) == tag_kind(tag);
    return right != TAG_INNER;
}

/*
 * Eight lanes: a kind each in the first five; lane 5 of `last` is outside, so that `last` holds all
 * tags behind which something new may begin. What cannot be is WORST. Values are kept relative to
 * outside and within MOST: no sum of a step is below 2 * WORST less twice FEATURES * 127 and
 * TAGGER_FOLLOW and MOST, which an int16_t holds.
 */
typedef int16_t lanes __attribute__((vector_size(16)));
typedef int16_t loose_lanes __attribute__((vector_size(16), aligned(2)));
#define CLOSED 6
#define WORST  (-8000)
#define MOST   8000

struct tagger_steps {
    lanes to_first[CLOSED + 1], to_last[CLOSED + 1]; /* from lane p of `last`; from the start */
    lanes first_inner, inner_inner, first_last, inner_last;
};
struct state {
    lanes first, inner, last;
};
/* Where the best way to each tag came from: a lane of `last`, or FROM_FIRST, FROM_INNER. */
enum { FROM_FIRST = 8, FROM_INNER };
struct came {
    lanes first, inner, last;
};

static inline lanes splat(int v)
{
    int16_t x = (int16_t)v;
    return (lanes){x, x, x, x, x, x, x, x};
}

static inline lanes choose(lanes mask, lanes a, lanes b)
{
    return (a & mask) | (b & ~mask);
}

static inline lanes within(lanes a)
{
    a = choose(a > splat(-MOST), a, splat(-MOST));
    return choose(a < splat(MOST), a, splat(MOST));
}

static inline lanes load(const int16_t *p)
{
    return *(const loose_lanes *)p;
}

/* From the best ways to the tags of one character to those of the next. */
static inline void step(const struct tagger_steps *t, const int16_t *scores, struct state *s,
                        struct came *came)
{
    lanes first = splat(INT16_MIN), last = first, from_first = splat(0), from_last = from_first;
    for (int p = 0; p < CLOSED; p++) {
        lanes v = splat(s->last[p]), a = v + t->to_first[p], b = v + t->to_last[p];
        lanes better_a = a > first, better_b = b > last;
        first = choose(better_a, a, first);
        last = choose(better_b, b, last);
        from_first = choose(better_a, splat(p), from_first);
        from_last = choose(better_b, splat(p), from_last);
    }
    lanes a = s->first + t->first_inner, b = s->inner + t->inner_inner;
    lanes c = s->first + t->first_last, d = s->inner + t->inner_last;
    lanes longer = b > a, longer_end = d > c, joined = choose(longer_end, d, c);
    lanes joins = joined > last;
    came->first = from_first;
    came->inner = choose(longer, splat(FROM_INNER), splat(FROM_FIRST));
    came->last = choose(joins, choose(longer_end, splat(FROM_INNER), splat(FROM_FIRST)), from_last);
    s->first = first + load(scores);
    s->inner = choose(longer, b, a) + load(scores + TAGGER_KINDS);
    s->last = choose(joins, joined, last) + load(scores + 2 * TAGGER_KINDS);
    lanes base = splat(s->last[CLOSED - 1]);
    s->first = within(s->first - base);
    s->inner = within(s->inner - base);
    s->last = within(s->last - base);
}

static unsigned tag_in_lane(unsigned lane)
{
    return 2 * TAGGER_KINDS + lane; /* last of a kind, or outside */
}

void tagger_search(const struct tagger *t, size_t n, unsigned before, tag_scores scores,
                   struct tagger_path *out)
{
    struct came came[TAGGER_MOST_LINE];
    struct state s = {splat(WORST), splat(WORST), splat(WORST)};
    unsigned lane = before == TAG_START ? CLOSED : before - 2 * TAGGER_KINDS;
    s.first = within(t->steps->to_first[lane] + load(scores[0]));
    s.last = within(t->steps->to_last[lane] + load(scores[0] + 2 * TAGGER_KINDS));
    for (size_t i = 1; i < n; i++)
        step(t->steps, scores[i], &s, &came[i]);
    unsigned best = CLOSED - 1;
    for (unsigned k = 0; k < t->n_kinds; k++)
        if (s.last[k] > s.last[best])
            best = k;
    unsigned tag = tag_in_lane(best);
    for (size_t i = n; i-- > 0;) {
        enum tag_place place = tag_place(tag);
        unsigned kind = tag_kind(tag);
        out->tags[i] = (uint8_t)tag;
        if (!i)
            break;
        const lanes *from = place == TAG_FIRST   ? &came[i].first
                            : place == TAG_INNER ? &came[i].inner
                                                 : &came[i].last;
        unsigned by = (unsigned)(*from)[place == TAG_OUTSIDE ? CLOSED - 1 : kind];
        tag = by == FROM_FIRST   ? tag_of(kind, TAG_FIRST)
              : by == FROM_INNER ? tag_of(kind, TAG_INNER)
                                 : tag_in_lane(by);
    }
}

static int16_t weight(const struct tagger *t, unsigned before, unsigned tag)
{
    bool there = tag == TAG_NONE || tag_kind(tag) < t->n_kinds;
    bool left = before >= TAG_NONE || tag_kind(before) < t->n_kinds;
    return there && left && tag_follows(before, tag) ? t->follow[before][tag] : WORST;
}

bool tagger_steps_set(struct tagger *t)
{
    struct tagger_steps *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    if (!s)
        return false;
    s->first_inner = s->inner_inner = s->first_last = s->inner_last = splat(WORST);
    for (unsigned p = 0; p <= CLOSED; p++) {
        unsigned before = p == CLOSED ? TAG_START : tag_in_lane(p);
        s->to_first[p] = s->to_last[p] = splat(WORST);
        for (unsigned k = 0; k < TAGGER_KINDS; k++) {
            s->to_first[p][k] = weight(t, before, tag_of(k, TAG_FIRST));
            s->to_last[p][k] = weight(t, before, tag_of(k, TAG_LAST));
        }
        s->to_last[p][CLOSED - 1] = weight(t, before, TAG_NONE);
    }
    for (unsigned k = 0; k < t->n_kinds; k++) {
        unsigned first = tag_of(k, TAG_FIRST), inner = tag_of(k, TAG_INNER);
        s->first_inner[k] = t->follow[first][inner];
        s->inner_inner[k] = t->follow[inner][inner];
        s->first_last[k] = t->follow[first][tag_of(k, TAG_LAST)];
        s->inner_last[k] = t->follow[inner][tag_of(k, TAG_LAST)];
    }
    t->steps = s;
    return true;
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

int32_t tagger_margin(const struct tagger *t, size_t n, unsigned before, tag_scores scores,
                      const struct tagger_path *path, size_t first, size_t last)
{
    int32_t sum = 0;
    unsigned left = first ? path->tags[first - 1] : before, flat = left;
    for (size_t i = first; i <= last + 1 && i < n; i++) {
        unsigned tag = path->tags[i], none = i <= last ? TAG_NONE : tag;
        sum += t->follow[left][tag] - t->follow[flat][none] + scores[i][tag] - scores[i][none];
        left = tag;
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

/* Adds the spans of a tagged line. */
static bool add_spans(const struct tagger *t, const struct tagger_line *line, unsigned before,
                      tag_scores scores, const struct tagger_path *path, struct found *out)
{
    for (size_t i = 0, last; i < line->n; i++) {
        if (!tagger_span_at(path, line->n, i, &last))
            continue;
        float margin = (float)tagger_margin(t, line->n, before, scores, path, i, last);
        unsigned kind = tag_kind(path->tags[i]);
        struct tagger_span span = {line->at[i], line->at[last + 1], kind,
                                   1.0F /
                                       (1.0F + expf(-(t->slope[kind] * margin + t->shift[kind])))};
        if (!add(out, span))
            return false;
        i = last;
    }
    return true;
}

static enum err no_room(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold what was found");
}

enum err tagger_find(const struct tagger *tagger, struct str text, struct arena *arena,
                     struct tagger_span **out, size_t *n, struct why *why)
{
    struct tagger_line line;
    tag_scores scores;
    struct tagger_path path;
    struct found found = {.arena = arena};
    size_t at = 0;
    while (tagger_line_next(&tagger->marks, text, &at, &line)) {
        tagger_score(tagger, &line, scores);
        tagger_search(tagger, line.n, TAG_START, scores, &path);
        if (!add_spans(tagger, &line, TAG_START, scores, &path, &found))
            return no_room(why);
    }
    *out = found.items;
    *n = found.n;
    return ERR_OK;
}

enum err tagger_find_part(const struct tagger *tagger, struct str text, size_t from, size_t to,
                          struct arena *arena, struct tagger_span **out, size_t *n, struct why *why)
{
    struct tagger_line line;
    tag_scores scores;
    struct tagger_path path;
    struct found found = {.arena = arena};
    for (size_t at = from; at < to; at = line.at[line.n]) {
        tagger_line_part(&tagger->marks, text, at, to, &line);
        unsigned before = line.chars[TAGGER_WINDOW - 1] == 1 ? TAG_START : TAG_NONE;
        tagger_score(tagger, &line, scores);
        tagger_search(tagger, line.n, before, scores, &path);
        if (!add_spans(tagger, &line, before, scores, &path, &found))
            return no_room(why);
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
