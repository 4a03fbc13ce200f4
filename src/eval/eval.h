/*
 * eval - how good the answers are: suites of questions with gold, metrics, reports.
 *
 * A question file is JSON lines: {"question": "...", "gold": [...], "as_of"?: "2026-01-01",
 * "answer_contains"?: ["..."]}. A gold item names what must be found:
 *     {"title": "劳动合同法", "article": "第三十七条"}   title, with article when given; any
 * version counts
 *     {"document": "<id>"}                               a document id
 *     {"contains": "..."}, or just "..."                 a substring that the passage must hold
 * "gold": [] means that the question must be refused. "field": "phone" (a name of a guide's field,
 * as in knowledge_field_label) says which field of the record must be quoted. A conversation is
 * {"turns": [{"question", "gold", ...}, ...]}: each turn is asked with those before it, and what is
 * searched for is the question as it was understood. Titles match without regard to
 * 中华人民共和国, white space, brackets and a date or version in brackets at the end.
 *
 * Threads: one call, one thread; calls may run side by side.
 */
#ifndef EVAL_EVAL_H
#define EVAL_EVAL_H

#include "core/json.h"
#include "core/str.h"
#include "knowledge/knowledge.h"

struct arena;
struct compute;
struct eval;
struct http_table;
struct job_kind;

extern const struct store_migration eval_migrations[];
extern const size_t eval_n_migrations;

struct eval_opts {
    const char *kb;       /* name; NULL: all that `who` may read */
    struct str questions; /* the JSON lines, borrowed */
    const char *split;    /* only lines whose "split" is this; NULL: all */
    bool ask;             /* also ask each question: refusals, quoted answers; else search only */
    size_t most_misses;   /* how many misses are kept in the report */
};

/* Sums over the questions; the ratios are made from them by eval_json. */
struct eval_report {
    size_t n;                             /* questions */
    size_t n_gold;                        /* questions that have an answer */
    size_t n_refuse;                      /* questions that must be refused */
    double recall_1, recall_5, recall_10; /* sums over questions of the share of gold found */
    double hit_1, hit_10, mrr_10;
    size_t refused, refused_right; /* when asked */
    size_t n_contains,
        contains_right;             /* questions with answer_contains; all of them in the answer */
    size_t n_records, record_right; /* answered, gold names a title; the first quote is from it */
    size_t n_fields, field_right;   /* answered, with "field"; the first quote is that field */
    size_t n_followups, followup_hit_10, followup_answered; /* turns behind the first, with gold */
    size_t n_followup_contains, followup_right;             /* those with answer_contains */
    double p50_ms, p95_ms, mean_ms;                         /* of the search */
    double ask_p50_ms, ask_p95_ms;                          /* of the answer */
    struct str misses; /* JSON array of {"question","gold","got":[{"title","article","score"}]} */
};

/* ERR_INVALID names the line that is not well formed. `progress` may be NULL; a false return
 * cancels. */
typedef bool eval_progress_fn(void *ctx, size_t done, size_t total);
ERR_MUST_USE enum err eval_retrieval(struct knowledge *knowledge, const struct ops_identity *who,
                                     const struct eval_opts *opts, eval_progress_fn *progress,
                                     void *ctx, struct arena *arena, struct eval_report *out,
                                     struct why *why);

/* The report as one JSON object with recall@1, recall@5, recall@10, hit@1, hit@10, mrr@10,
 * refusal_precision, refusal_recall, answered_rate, answer_accuracy, record_accuracy,
 * field_accuracy, followup_*, p50_ms, p95_ms ... */
void eval_json(const struct eval_report *report, bool with_misses, struct json_out *out);

/* Whether two titles name the same document in the sense above. Pure. */
bool eval_same_title(struct str a, struct str b);

/* ---- evidence: the quoted words against those that people marked ---- */

struct eval_evidence {
    size_t n;
    double f1;                      /* sum over questions of the best F1 against a gold evidence */
    size_t n_answers, answers_held; /* questions with short answers; one of them in the quote */
};

/*
 * Lines {"context","question","evidences":["..."],"answers"?:["..."]}: what knowledge_quote() takes
 * from the context, one place a question. ERR_INVALID names the line.
 */
ERR_MUST_USE enum err eval_evidence(struct str questions, struct eval_evidence *out,
                                    struct why *why);
void eval_evidence_json(const struct eval_evidence *report, struct json_out *out);

/* F1 of two texts over their characters without punctuation, by the longest run that stands in
 * both: the measure of CMRC 2018 and ExpMRC. 0 when memory ran out. */
double eval_overlap(struct str got, struct str gold, struct arena *arena);

/* Runs kept in the tables eval_runs, started as jobs, with the routes /api/evaluations. */
struct eval_room_opts {
    struct store *store;
    struct compute *compute;
    struct knowledge *knowledge;
};
ERR_MUST_USE enum err eval_open(const struct eval_room_opts *opts, struct eval **out,
                                struct why *why);
void eval_close(struct eval *eval);
extern const struct job_kind eval_job;
const struct http_table *eval_routes(struct eval *eval);

#endif
