/*
 * annotate/studio - Label Studio's formats: the labelling configuration (XML) and tasks (JSON).
 *
 * Reading takes what real projects hold: exports with "annotations" or the older "completions",
 * people as numbers, e-mails or objects, results as lists or empty objects, predictions, skipped
 * (was_cancelled) and ground-truth annotations, tasks without a "data" member, the short export
 * (JSON_MIN), annotations of a target storage with their task inside, predictions that only an
 * annotation carries, one list, one object, or one after the other; and the tables CSV and TSV.
 * Types understood:
 * choices, taxonomy, labels, hypertextlabels (by globalOffsets), rectanglelabels, rectangle +
 * labels, textarea, rating, number, pairwise, ranker. What is not understood is counted and named,
 * never guessed.
 *
 * Offsets: Label Studio counts UTF-16 code units, we count characters; behind an emoji the two
 * part. A span's own "text" decides when a producer counted characters (Python does) or is off by
 * one (early versions wrote the last unit, not the one behind).
 *
 * Pure. Everything is hostile: sizes, depths and counts are limited, entities are not expanded.
 */
#ifndef ANNOTATE_STUDIO_H
#define ANNOTATE_STUDIO_H

#include "annotate/answer.h"
#include "annotate/labels.h"
#include "core/map.h"

#define STUDIO_MOST_TASK    ((size_t)8 << 20) /* bytes of one task */
#define STUDIO_MOST_PEOPLE  200               /* annotations and predictions of a task, each */
#define STUDIO_MOST_RESULTS 20000

/* What was met and not taken, by what it is: "polygonlabels", "relation" ... */
struct studio_notes {
    struct arena *arena;
    struct map counts;
};
void studio_notes_init(struct studio_notes *notes, struct arena *arena);
void studio_note(struct studio_notes *notes, const char *fmt, ...) ERR_PRINTF(2, 3);
void studio_notes_write(const struct studio_notes *notes, struct json_out *out); /* {what: n} */

/* ---- the configuration ---- */

ERR_MUST_USE enum err studio_config_read(struct str xml, struct arena *arena, struct labels *out,
                                         struct studio_notes *notes, struct why *why);
void studio_config_write(const struct labels *labels, struct buf *out);

/* ---- tasks ---- */

/* The tasks of a file one after the other: a JSON list, an object, or lines. */
struct studio_scan {
    struct str text;
    size_t at;
    bool list, begun;
};
/* *task.ptr is NULL at the end. ERR_INVALID, ERR_TOO_LARGE for one above STUDIO_MOST_TASK. */
ERR_MUST_USE enum err studio_next(struct studio_scan *scan, struct str *task, struct why *why);

/* Whether the text is a table (CSV or TSV) and no JSON; and its rows as tasks of the short export,
 * a line each, in `arena`. The label set says which columns are answers. ERR_INVALID names the row.
 */
bool studio_is_table(struct str text);
ERR_MUST_USE enum err studio_table(struct str text, const struct labels *labels,
                                   struct arena *arena, struct str *lines, struct why *why);

/* Finds out the label set of an export without its configuration: look at every task, then ask. */
struct studio_guess;
struct studio_guess *studio_guess_new(struct arena *arena); /* NULL without memory */
ERR_MUST_USE enum err studio_guess_see(struct studio_guess *guess, const struct json *task,
                                       struct why *why);
ERR_MUST_USE enum err studio_guess_labels(struct studio_guess *guess, struct labels *out,
                                          struct why *why);

struct studio_annotation {
    struct str who;    /* number, e-mail or name; for a prediction the model's version */
    struct str answer; /* canonical JSON of answer.h */
    bool skipped, gold;
    int64_t spent_ms, created_ms; /* 0: not known */
    double score;                 /* of a prediction; below 0: none */
};
struct studio_task {
    struct str id;                         /* as text; empty when there is none */
    const struct json *data;               /* object */
    struct studio_annotation *annotations; /* n_annotations */
    size_t n_annotations;
    struct studio_annotation *predictions; /* n_predictions */
    size_t n_predictions;
};
/* The data of a task: its member "data", that of the task within an annotation of a target storage
 * (one file an annotation, {"result", "task": {"data"}}), or the task itself. */
const struct json *studio_task_data(const struct json *task);
/* `labels` as read from the configuration or guessed: paths are the names of data members. */
ERR_MUST_USE enum err studio_task_read(const struct json *task, const struct labels *labels,
                                       struct arena *arena, struct studio_notes *notes,
                                       struct studio_task *out, struct why *why);

/* The member "result" of an annotation or prediction. `texts[i]`: the text of labels->shows[i]
 * (empty when it has none), for offsets. */
void studio_result_write(const struct answer *answer, const struct labels *labels,
                         const struct str *texts, const char *origin, struct json_out *out);

/* Character positions of UTF-8 text as UTF-16 code units and back; STR_NPOS behind the text or
 * within a pair. */
size_t studio_to_utf16(struct str text, size_t chars);
size_t studio_from_utf16(struct str text, size_t units);

#endif
