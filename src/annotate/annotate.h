/*
 * annotate - people label the records of a data set: projects, work, review, agreement, results.
 *
 * A project asks its label set (labels.h) of each record of one version. Its items are handed to
 * annotators for a time (a lease); an item that was abandoned comes back. When as many people have
 * answered as the project wants, equal answers are final or go to review, unequal ones go to the
 * disagreement queue. Gold items, mixed in unseen, measure people; an exam decides who may begin.
 * What is final becomes a new version of a data set, with who labelled and how far they agreed.
 *
 *     item:   open -> (review | disputed) -> final            a returned label opens it again
 *     label:  leased -> submitted | skipped -> returned -> submitted; leased -> expired -> leased
 *
 * Nobody reviews or adjudicates an item that he labelled; unless the project says otherwise nobody
 * is annotator and reviewer in one project. All of it is in the store when a call returns; changes
 * of projects and people, gold, verdicts, hand-overs and results are in the ledger (submissions are
 * not, one by one: the entry of the result holds their number and digest).
 *
 * Rights: annotate.work and a place among the project's people to work; annotate.review and the
 * same to review and adjudicate; annotate.manage for the rest. Being given a place in a project is
 * leave to see its records: whoever gives it must have leave for the data set himself.
 *
 * Threads: a `struct annotate` serves any thread. Errors common to all: ERR_FORBIDDEN,
 * ERR_NOT_FOUND (also for what belongs to another tenant), ERR_INVALID (why names the field),
 * ERR_CONFLICT, those of the store. Results are written as JSON, as the REST routes answer; strings
 * live in `arena`.
 */
#ifndef ANNOTATE_ANNOTATE_H
#define ANNOTATE_ANNOTATE_H

#include "compute/compute.h"
#include "core/json.h"
#include "core/str.h"
#include "data/data.h"
#include "models/models.h"
#include "objects/objects.h"
#include "ops/ops.h"
#include "store/store.h"

struct annotate;
struct arena;
struct http_table;

extern const struct store_migration annotate_migrations[];
extern const size_t annotate_n_migrations;
/* Bound with the `struct annotate`: "annotate.prepare", ".prelabel", ".import", ".result". */
extern const struct job_kind annotate_prepare_job, annotate_prelabel_job, annotate_import_job,
    annotate_result_job;

struct annotate_opts {
    struct store *store;
    struct objects *objects;
    struct ops *ops;
    struct compute *compute;
    struct models *models; /* for pre-labels by a model */
    struct data *data;
    const char *data_dir;
    /* The time in milliseconds; NULL: the system's. */
    int64_t (*clock)(void *ctx);
    void *clock_ctx;
};
ERR_MUST_USE enum err annotate_open(const struct annotate_opts *opts, struct annotate **out,
                                    struct why *why);
void annotate_close(struct annotate *annotate); /* NULL is fine */
const struct http_table *annotate_routes(struct annotate *annotate);

/* What every call below has in common. */
struct annotate_ask {
    const struct ops_identity *who;
    struct arena *arena;
    struct json_out *out; /* the answer; NULL: none wanted */
    int64_t if_match;     /* revision that the caller saw; -1: whatever */
    int64_t *revision;    /* of what was answered; may be NULL */
};

/* ---- projects ---- */

/*
 * body: {"title", "dataset", "version"? (0: newest), "labels": {...} | "studio_config": XML,
 *        "guidelines"?: Markdown, "overlap"? (1: people an item), "review"? (0: percent of items),
 *        "lease_minutes"? (30), "gold_every"? (0: none), "pass_mark"? (0: no exam; percent),
 *        "separate"? (true), "limit"? (0: all), "spread"? (evenly when limited), "filter"? (text in
 *        the line), "gold"?: {"field", "n", "exam"} (n records that carry a right label become
 * gold, "exam" of them the exam), "prelabel"?: as annotate_prelabel()} Queues the job that makes
 * the items; answers the project with "job".
 */
ERR_MUST_USE enum err annotate_create(struct annotate *annotate, const struct annotate_ask *ask,
                                      const struct json *body, struct why *why);
/* {"items": [...], "next"}: all of the tenant for who manages, else those he has a place in. */
ERR_MUST_USE enum err annotate_list(struct annotate *annotate, const struct annotate_ask *ask,
                                    struct str after, size_t limit, struct why *why);
ERR_MUST_USE enum err annotate_show(struct annotate *annotate, const struct annotate_ask *ask,
                                    struct str project, struct why *why);
/* Any of title, guidelines, overlap, review, lease_minutes, gold_every, pass_mark, separate, state
 * ("open", "paused", "finished") and labels (labels may be added and renamed in title, colour and
 * key; one that is used cannot go). */
ERR_MUST_USE enum err annotate_change(struct annotate *annotate, const struct annotate_ask *ask,
                                      struct str project, const struct json *body, struct why *why);

/* People of the tenant who may work or review: {"items": [{"id", "name", "work", "review"}]}. */
ERR_MUST_USE enum err annotate_people(struct annotate *annotate, const struct annotate_ask *ask,
                                      struct why *why);
/* body: {"work": bool, "review": bool, "suspended": bool, "exam": "again" | "pass"}; neither work
 * nor review takes the place away (what was done stays). `user`: id, or the name to sign in with.
 */
ERR_MUST_USE enum err annotate_member(struct annotate *annotate, const struct annotate_ask *ask,
                                      struct str project, struct str user, const struct json *body,
                                      struct why *why);
/* What lies with one person goes to another: leases, drafts and returned labels. {"n"} */
ERR_MUST_USE enum err annotate_handover(struct annotate *annotate, const struct annotate_ask *ask,
                                        struct str project, struct str from, struct str to,
                                        struct why *why);

/* ---- work ---- */

/* Up to n (1 .. 5) items that are now the caller's, those that he has already first: {"items": [{
 * "id", "seq", "record", "show": {name: value}, "pre"?, "answer"? (draft or returned), "returned"?,
 * "exam"?, "lease_until"}], "exam": {"n", "done", "state"}, "left"}. Nothing left: an empty list.
 */
ERR_MUST_USE enum err annotate_work(struct annotate *annotate, const struct annotate_ask *ask,
                                    struct str project, size_t n, struct why *why);
/* item: "<project>.<seq>". Keeps the draft and renews the lease. */
ERR_MUST_USE enum err annotate_draft(struct annotate *annotate, const struct annotate_ask *ask,
                                     struct str item, const struct json *answer, struct why *why);
/* body: {"answer", "spent_ms", "comment"?}. The same again is fine. Answers {"state"}; for an exam
 * item {"exam": {"right": answer, "score", "state"}}. */
ERR_MUST_USE enum err annotate_submit(struct annotate *annotate, const struct annotate_ask *ask,
                                      struct str item, const struct json *body, struct why *why);
ERR_MUST_USE enum err annotate_skip(struct annotate *annotate, const struct annotate_ask *ask,
                                    struct str item, struct str reason, struct why *why);
/* The caller's last submission or skip is his again, unless somebody built on it. */
ERR_MUST_USE enum err annotate_undo(struct annotate *annotate, const struct annotate_ask *ask,
                                    struct str project, struct why *why);

/* ---- review, disagreement, gold ---- */

/* The next item to review (state "review") or to decide (state "disputed"), held for the caller:
 * {"item": {..., "labels": [{"id", "who", "answer", ...}]} | null, "left"}. */
ERR_MUST_USE enum err annotate_next_review(struct annotate *annotate,
                                           const struct annotate_ask *ask, struct str project,
                                           bool disputed, struct why *why);
/* body: {"action": "accept" | "fix" | "return", "label"?, "answer"?, "comment"?}. */
ERR_MUST_USE enum err annotate_verdict(struct annotate *annotate, const struct annotate_ask *ask,
                                       struct str item, const struct json *body, struct why *why);
/* body: {"label": id} takes that answer, {"answer"} another one, {"unusable": true} leaves the
 * record out; "comment"?. */
ERR_MUST_USE enum err annotate_adjudicate(struct annotate *annotate, const struct annotate_ask *ask,
                                          struct str item, const struct json *body,
                                          struct why *why);
/* body: {"answer", "exam"?: bool}, or {"clear": true}. Only of items nobody has worked on. */
ERR_MUST_USE enum err annotate_gold(struct annotate *annotate, const struct annotate_ask *ask,
                                    struct str item, const struct json *body, struct why *why);

/* ---- looking ---- */

/* {"items": [{"seq", "record", "text", "state", ...}], "next"}; state "" or open, review, disputed,
 * final, unusable, gold, exam. */
ERR_MUST_USE enum err annotate_items(struct annotate *annotate, const struct annotate_ask *ask,
                                     struct str project, struct str state, int64_t after,
                                     size_t limit, struct why *why);
ERR_MUST_USE enum err annotate_item(struct annotate *annotate, const struct annotate_ask *ask,
                                    struct str item, struct why *why);
/* The picture of an item: bytes and type. */
ERR_MUST_USE enum err annotate_image(struct annotate *annotate, const struct annotate_ask *ask,
                                     struct str item, struct str show, struct str *bytes,
                                     const char **type, struct why *why);
/* {"people": [...], "pairs": [...], "fields": [{"field", "alpha", "fleiss", "exact", "partial",
 *  "iou", "n_units"}], "days": [...], "n_units", "of"}: agreement over at most the newest 20,000
 * items with two or more labels. */
ERR_MUST_USE enum err annotate_statistics(struct annotate *annotate, const struct annotate_ask *ask,
                                          struct str project, struct why *why);

/* ---- jobs ---- */

/*
 * body: {"from": "field", "field": member, "to": field}
 *     | {"from": "dictionary", "to": field, "terms": [{"term", "label"}]}
 *     | {"from": "patterns", "to": field, "patterns": [{"pattern", "label"}]} (POSIX extended)
 *     | {"from": "model", "to": field, "model": name, "prompt"?}
 * Suggests answers for items that are open; what people make of them is recorded.
 */
ERR_MUST_USE enum err annotate_prelabel(struct annotate *annotate, const struct annotate_ask *ask,
                                        struct str project, const struct json *body,
                                        struct why *why);
/* Label Studio: a file of tasks becomes a data set and a project with its annotations. spec:
 * {"path", "title", "dataset", "config"?: XML, "images"?: folder, "collection"?, "overlap"? ...}
 * The file belongs to the job afterwards when "upload" is true. */
ERR_MUST_USE enum err annotate_import(struct annotate *annotate, const struct annotate_ask *ask,
                                      const struct json *spec, struct why *why);
/* body: {"dataset", "title"?}: what is final becomes a version of that data set. */
ERR_MUST_USE enum err annotate_result(struct annotate *annotate, const struct annotate_ask *ask,
                                      struct str project, const struct json *body, struct why *why);
/* Writes the project's tasks with annotations in Label Studio's JSON, or its configuration as XML.
 */
ERR_MUST_USE enum err annotate_export(struct annotate *annotate, const struct annotate_ask *ask,
                                      struct str project, bool config, int fd, struct why *why);

#endif
