/*
 * tagger_in - what training and tagging share: characters of a line, groups of features, the
 * search. Private.
 */
#ifndef LEARN_TAGGER_IN_H
#define LEARN_TAGGER_IN_H

#include "learn/tagger.h"

#define TAGGER_WINDOW 3 /* characters on either side that features look at */
#define LINE_PAD      (TAGGER_MOST_LINE + 2 * TAGGER_WINDOW)

/* ---- tags: first, inner, last of each kind, then outside ---- */

#define TAGS      16
#define TAG_NONE  15
#define TAG_START TAGS /* what stands before a line; a row of `follow` */

enum tag_place { TAG_FIRST, TAG_INNER, TAG_LAST, TAG_OUTSIDE };
static inline enum tag_place tag_place(unsigned tag)
{
    return (enum tag_place)(tag / TAGGER_KINDS);
}
static inline unsigned tag_of(unsigned kind, enum tag_place place)
{
    return (unsigned)place * TAGGER_KINDS + kind;
}
static inline unsigned tag_kind(unsigned tag)
{
    return tag % TAGGER_KINDS;
}
/* Whether `tag` may stand behind `before` (TAG_START: at the start of a line). */
bool tag_follows(unsigned before, unsigned tag);

/* ---- lines ---- */

/* A line: its characters folded (half width, lower case, digits one sign), with what stands around
 * them. */
struct tagger_line {
    size_t n;
    uint32_t chars[LINE_PAD]; /* the first at TAGGER_WINDOW */
    uint8_t sorts[LINE_PAD];  /* digit, letter, mark, Han ... */
    bool marked[LINE_PAD];
    size_t at[TAGGER_MOST_LINE + 1]; /* where each begins, and where the last ends */
};

struct tagger_marks {
    uint32_t chars[TAGGER_MARKS]; /* sorted */
    size_t n;
    uint64_t bits[1024]; /* of those below 0x10000 */
};
void tagger_marks_set(struct tagger_marks *marks);

/* Takes a line from *at on and moves behind it: to a sentence's end, at most TAGGER_MOST_LINE
 * characters. False at the end of the text. */
bool tagger_line_next(const struct tagger_marks *marks, struct str text, size_t *at,
                      struct tagger_line *line);
/* The characters from .. to (of one sentence) with what stands around them there. */
void tagger_line_part(const struct tagger_marks *marks, struct str text, size_t from, size_t to,
                      struct tagger_line *line);

/* ---- features: groups with one key, and a row of weights for every place it tells of ---- */

enum tagger_group {
    GROUP_ONE,    /* a character: places -3 .. 3 */
    GROUP_TWO,    /* it and the next: -1 .. 2 */
    GROUP_THREE,  /* it and the next two: 0 .. 2 */
    GROUP_AROUND, /* the one before and the one behind */
    GROUP_SORTS,  /* sorts of the five around */
    GROUP_MARKS,  /* which of the seven around are marked */
    GROUP_NEAR,   /* which of the five around are */
    GROUP_MARKED, /* which of the seven, and the character */
    TAGGER_GROUPS
};
/* rows of a key; the first tells of the character `first` places behind the group's own. */
extern const struct tagger_shape {
    int first;
    unsigned rows;
} tagger_shapes[TAGGER_GROUPS];
#define FEATURES 19 /* of a character: the rows of all groups */
static inline uint32_t tagger_key_of(uint64_t group, uint64_t value)
{
    uint64_t x = ((group + 1) << 59 ^ value) * 0x9E3779B97F4A7C15U;
    uint32_t key = (uint32_t)((x ^ x >> 29) >> 24);
    return key ? key : 1;
}

/* Bits of which of the seven around are marked, and of the sorts of the five around. */
#define MARKS_BITS 7
#define NEAR_BITS  5
#define SORTS_BITS 15
static inline uint32_t tagger_marks_at(const struct tagger_line *line, ptrdiff_t i)
{
    uint32_t bits = 0;
    for (ptrdiff_t k = i; k < i + 2 * TAGGER_WINDOW + 1; k++)
        bits = bits << 1 | line->marked[k];
    return bits;
}
static inline uint32_t tagger_sorts_at(const struct tagger_line *line, ptrdiff_t i)
{
    uint32_t bits = 0;
    for (ptrdiff_t k = i + TAGGER_WINDOW - 2; k <= i + TAGGER_WINDOW + 2; k++)
        bits = bits << 3 | line->sorts[k];
    return bits;
}
static inline uint32_t tagger_near(uint32_t marks)
{
    return marks >> 1 & ((1u << NEAR_BITS) - 1);
}

/* The key of a group at character i, -TAGGER_WINDOW <= i < n + TAGGER_WINDOW; never 0. */
static inline uint32_t tagger_key(const struct tagger_line *line, enum tagger_group group,
                                  ptrdiff_t i)
{
    const uint32_t *at = line->chars + (i + TAGGER_WINDOW);
    switch (group) {
    case GROUP_ONE:
        return tagger_key_of(group, at[0]);
    case GROUP_TWO:
        return tagger_key_of(group, (uint64_t)at[0] << 21 | at[1]);
    case GROUP_THREE:
        return tagger_key_of(group, (uint64_t)at[0] << 42 ^ (uint64_t)at[1] << 21 ^ at[2]);
    case GROUP_AROUND:
        return tagger_key_of(group, (uint64_t)at[-1] << 21 | at[1]);
    case GROUP_SORTS:
        return tagger_key_of(group, tagger_sorts_at(line, i));
    case GROUP_MARKS:
        return tagger_key_of(group, tagger_marks_at(line, i));
    case GROUP_NEAR:
        return tagger_key_of(group, tagger_near(tagger_marks_at(line, i)));
    default:
        return tagger_key_of(group, (uint64_t)tagger_marks_at(line, i) << 21 | at[0]);
    }
}

/*
 * Where the rows of a key stand: in one of TAGGER_TRIES entries from its place on. An entry is 16
 * bits of the key and the number of its rows, which begin at 1: rows 0 are nothing, and what a key
 * that is not there gets. One key in some ten thousand that is not there gets those of another. All
 * tries are looked at, without a branch: which one it is cannot be foretold.
 */
#define TAGGER_TRIES 4
struct tagger_table {
    uint32_t mask;     /* places - 1; there are TAGGER_TRIES - 1 more entries */
    uint32_t *entries; /* 0: free */
    int8_t *rows;      /* (n + 1, rows of the group, TAGS) */
};
typedef uint32_t tagger_entries __attribute__((vector_size(16)));
typedef uint32_t tagger_loose_entries __attribute__((vector_size(16), aligned(4)));
static inline uint32_t tagger_rows(const struct tagger_table *table, uint32_t key)
{
    uint32_t sign = key >> 16;
    tagger_entries e = *(const tagger_loose_entries *)&table->entries[key & table->mask];
    tagger_entries mine = (tagger_entries)(e >> 16 == (tagger_entries){sign, sign, sign, sign});
    e &= mine & 0xFFFF;
    return e[0] | e[1] | e[2] | e[3];
}

/* ---- the tagger ---- */

#define TAGGER_KEYS   65535 /* of a group; an entry has 16 bits for the number of its rows */
#define TAGGER_FOLLOW 2000  /* the largest weight of neighbours */

struct tagger {
    size_t n_kinds;
    char kinds[TAGGER_KINDS][TAGGER_NAME];
    struct tagger_marks marks;
    int16_t follow[TAGS + 1][TAGS]; /* weights of neighbours; the last row: at the start */
    /* The logistic curve from a span's margin to `sure`, for each kind. */
    float slope[TAGGER_KINDS], shift[TAGGER_KINDS];
    struct tagger_table tables[TAGGER_GROUPS];
    /* The rows of what has few values, without a look at the table. */
    uint16_t sort_rows[1 << SORTS_BITS], mark_rows[1 << MARKS_BITS], near_rows[1 << NEAR_BITS];
    struct tagger_steps *steps; /* `follow` as the search wants it */
};
bool tagger_steps_set(struct tagger *tagger); /* from `follow`; false: no memory */

/* With room behind for reading past the last row. */
typedef int16_t tag_scores[TAGGER_MOST_LINE + 1][TAGS];
struct tagger_path {
    uint8_t tags[TAGGER_MOST_LINE];
};
/* Scores of every character, and the best line of tags behind the tag `before`. */
void tagger_score(const struct tagger *tagger, const struct tagger_line *line, tag_scores scores);
void tagger_search(const struct tagger *tagger, size_t n, unsigned before, tag_scores scores,
                   struct tagger_path *out);
/* How much better the span first .. last stands tagged than outside. */
int32_t tagger_margin(const struct tagger *tagger, size_t n, unsigned before, tag_scores scores,
                      const struct tagger_path *path, size_t first, size_t last);
/* Where the span that begins at character i ends; false when none begins there. */
bool tagger_span_at(const struct tagger_path *path, size_t n, size_t i, size_t *last);

#endif
