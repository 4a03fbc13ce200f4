/*
 * annotate/answer - what one person said about one item: read, checked, written, compared.
 *
 * An answer is a JSON object with a member for each field (labels.h says which shape). Written
 * again it is canonical: fields and labels in the order of the label set, spans and boxes by place,
 * nothing twice; two answers that say the same have the same bytes.
 */
#ifndef ANNOTATE_ANSWER_H
#define ANNOTATE_ANSWER_H

#include "annotate/agree.h"
#include "annotate/labels.h"

#define ANSWER_MOST_BYTES ((size_t)256 << 10)
#define ANSWER_MOST_SPANS AGREE_MOST_SPANS
#define ANSWER_MOST_BOXES AGREE_MOST_BOXES

struct answer_box {
    struct agree_box at; /* percent of the image */
    double rotation;     /* degrees */
};

struct answer_value { /* of one field; what its kind does not have is empty */
    bool given;
    uint32_t *labels; /* n_labels indexes into field->labels, rising */
    size_t n_labels;
    struct agree_span *spans; /* n_spans */
    size_t n_spans;
    struct answer_box *boxes; /* n_boxes */
    size_t n_boxes;
    struct str text; /* also "a", "b", "tie" */
    double number;   /* also a rating */
    struct str *ranks;
    size_t n_ranks;
};

struct answer {
    struct answer_value *values; /* one for each field, in their order */
};

/* What an item has of the shown members: characters of a text (SIZE_MAX: not known, not checked).
 */
struct answer_about {
    size_t chars[LABELS_MOST_SHOWS];
};
extern const struct answer_about answer_about_anything;

/*
 *   Errors  ERR_INVALID  why names the field: missing, no such label, a span outside the text ...
 * With `draft` fields may be missing. Everything lives in `arena`.
 */
ERR_MUST_USE enum err answer_read(const struct json *json, const struct labels *labels,
                                  const struct answer_about *about, bool draft, struct arena *arena,
                                  struct answer *out, struct why *why);
/* The same from text; at most ANSWER_MOST_BYTES. */
ERR_MUST_USE enum err answer_parse(struct str text, const struct labels *labels,
                                   const struct answer_about *about, bool draft,
                                   struct arena *arena, struct answer *out, struct why *why);
void answer_write(const struct answer *answer, const struct labels *labels, struct json_out *out);
ERR_MUST_USE enum err answer_text(const struct answer *answer, const struct labels *labels,
                                  struct arena *arena, struct str *out, struct why *why);

/* How alike two answers are in one field, 0 .. 1: choices by the share of labels that both have,
 * spans and boxes by F1 (boxes meet at half), ratings by their distance, the rest is same or not.
 */
double field_alike(const struct field *field, const struct answer_value *a,
                   const struct answer_value *b);
/* The mean over the fields that are compared (all, when none is), and whether every one of them is
 * exactly alike. */
double answer_score(const struct labels *labels, const struct answer *a, const struct answer *b,
                    bool *same);
/* Whether any field is compared. */
bool labels_compared(const struct labels *labels);

#endif
