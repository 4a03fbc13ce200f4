/* tagger_in - what training and tagging share: characters of a line, features, the search. Private.
 */
#ifndef LEARN_TAGGER_IN_H
#define LEARN_TAGGER_IN_H

#include "learn/tagger.h"

#define TAGS          16 /* outside, and three of each kind */
#define TAGGER_WINDOW 3  /* characters on either side that features look at */
#define FEATURES      21 /* of a character */
#define LINE_PAD      (TAGGER_MOST_LINE + 2 * TAGGER_WINDOW)

typedef int16_t tag_scores[TAGS];

/* A line: its characters folded (half width, lower case, digits one sign), with pads. */
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
/* The keys of the features of character i; none is 0. */
void tagger_keys(const struct tagger_line *line, size_t i, uint32_t keys[FEATURES]);

enum tag_place { TAG_OUTSIDE, TAG_FIRST, TAG_INNER, TAG_LAST };
static inline enum tag_place tag_place(unsigned tag)
{
    return tag ? (enum tag_place)(TAG_FIRST + (tag - 1) % 3) : TAG_OUTSIDE;
}
static inline unsigned tag_of(unsigned kind, enum tag_place place)
{
    return 1 + kind * 3 + (unsigned)place - TAG_FIRST;
}
/* Whether `tag` may stand behind `before` (TAGS: at the start of a line). */
bool tag_follows(unsigned before, unsigned tag);

struct tagger {
    size_t n_kinds;
    char kinds[TAGGER_KINDS][TAGGER_NAME];
    struct tagger_marks marks;
    int16_t follow[TAGS + 1][TAGS]; /* weights of neighbours; the last row: at the start */
    float slope, shift;             /* of the logistic curve from a span's margin to `sure` */
    uint32_t mask;                  /* places - 1 */
    uint32_t *keys;                 /* 0: free */
    int8_t (*rows)[TAGS];
};

struct tagger_path {
    uint8_t tags[TAGGER_MOST_LINE];
};
/* Scores of every character, and the best line of tags. */
void tagger_score(const struct tagger *tagger, const struct tagger_line *line,
                  tag_scores scores[TAGGER_MOST_LINE]);
void tagger_search(const struct tagger *tagger, const struct tagger_line *line,
                   tag_scores scores[TAGGER_MOST_LINE], struct tagger_path *out);
/* How much better the span first .. last stands tagged than outside. */
int32_t tagger_margin(const struct tagger *tagger, const struct tagger_line *line,
                      tag_scores scores[TAGGER_MOST_LINE], const struct tagger_path *path,
                      size_t first, size_t last);
/* Where the span that begins at character i ends; false when none begins there. */
bool tagger_span_at(const struct tagger_path *path, size_t n, size_t i, size_t *last);

#endif
