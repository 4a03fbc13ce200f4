/*
 * annotate/room - what the files of this room share; nobody else includes it.
 *
 * Every change is one write transaction (`struct act`): there is one writer at a time over all
 * processes, so what it read is still so when it commits, and no two people get one item.
 */
#ifndef ANNOTATE_ROOM_H
#define ANNOTATE_ROOM_H

#include <pthread.h>

#include "annotate/annotate.h"
#include "annotate/answer.h"
#include "annotate/studio.h"
#include "core/arena.h"
#include "core/time.h"

#define MOST_READERS 8
#define ACT_MEMORY   ((size_t)64 << 20)
#define MOST_OVERLAP 20
#define MOST_ITEMS   2000000

struct open_reader { /* a version that is being read; one thread at a time */
    char version[UUID_TEXT];
    struct data_reader *reader;
    int64_t used;
};

struct annotate {
    struct annotate_opts opts;
    void *table;          /* of routes, when it was asked for; annotate_http.c makes it */
    pthread_mutex_t lock; /* of the readers */
    struct open_reader readers[MOST_READERS];
    int64_t n_used;
};

enum purpose { PURPOSE_WORK, PURPOSE_GOLD, PURPOSE_EXAM };
enum item_state { ITEM_OPEN, ITEM_REVIEW, ITEM_DISPUTED, ITEM_FINAL, ITEM_UNUSABLE, ITEM_STATES };
enum label_state { LABEL_LEASED, LABEL_SUBMITTED, LABEL_SKIPPED, LABEL_RETURNED, LABEL_EXPIRED };
extern const char *const item_state_names[ITEM_STATES];
extern const char *const label_state_names[];

struct project {
    struct str id, tenant, title, dataset, version, state, labels_text, guidelines, result, job,
        created_by, why;
    int64_t number, overlap, review, lease_ms, gold_every, pass_mark;
    bool separate;
    int64_t n_items, n_final, n_review, n_disputed, n_unusable, n_gold, n_exam, n_labels, n_skipped;
    int64_t freed, revision, created_ms, changed_ms;
    struct labels labels;
};

enum { MEMBER_WORK = 1, MEMBER_REVIEW = 2 };
struct member {
    struct str user;
    int64_t roles;
    bool suspended;
    struct str exam; /* "", "passed", "failed" */
    int64_t cursor, since_gold;
    bool there;
};

struct item {
    int64_t seq, rec, wanted, n_out, n_done, n_skip, changed_ms, held_until;
    struct str record, gold, pre, pre_by, final, final_how, final_by, held_by;
    enum purpose purpose;
    enum item_state state;
    bool front;
};

struct work_label { /* what one person did with one item */
    struct str id, user, answer, pre, comment, verdict, reviewer, review_comment, fixed;
    int64_t seq, lease_ms, begun_ms, done_ms, spent_ms, review_ms;
    double score; /* against what became final; below 0: not known */
    enum label_state state;
    enum purpose purpose;
};

/* ---- project.c ---- */

/* One change. change_end commits when err is ERR_OK (with a ledger entry when `action` is given),
 * else rolls back and audits a refusal. */
struct act {
    struct annotate *annotate;
    const struct annotate_ask *ask;
    const char *action;
    struct arena *arena;
    struct store_tx *tx;
    struct project project;
    int64_t now_ms;
};
ERR_MUST_USE enum err change_begin(struct act *act, struct annotate *annotate,
                                   const struct annotate_ask *ask, const char *action,
                                   const char *permission, struct str project, struct why *why);
ERR_MUST_USE enum err change_end(struct act *act, enum err err, struct str object,
                                 struct str detail, struct why *why);
/* A look: a read transaction and the project when it is named. Ended by store_rollback(act->tx) and
 * arena_free(act->arena): look_end(). */
ERR_MUST_USE enum err look_begin(struct act *act, struct annotate *annotate,
                                 const struct annotate_ask *ask, struct str project,
                                 struct why *why);
void look_end(struct act *act);

ERR_MUST_USE enum err project_load(struct store_tx *tx, struct str tenant, struct str id,
                                   struct arena *arena, struct project *out, struct why *why);
/* Adds to the counts of the project's row. */
struct project_delta {
    int64_t items, final, review, disputed, unusable, gold, exam, labels, skipped, freed;
};
ERR_MUST_USE enum err project_add(struct act *act, const struct project_delta *delta,
                                  struct why *why);
ERR_MUST_USE enum err member_load(struct act *act, struct str user, struct member *out,
                                  struct why *why);
/* The caller's place with this role; ERR_FORBIDDEN without one. */
ERR_MUST_USE enum err member_need(struct act *act, int role, struct member *out, struct why *why);
bool is_manager(const struct ops_identity *who);
/* ERR_NOT_FOUND unless the caller manages or has a place in the project. */
ERR_MUST_USE enum err project_see(struct act *act, struct why *why);
/* "user:<id>" becomes the name for people. */
struct str person_name(struct annotate *annotate, struct str user, struct arena *arena);
int64_t now_of(const struct annotate *annotate);

/* ---- item.c ---- */

/* "<project>.<seq>" */
ERR_MUST_USE enum err item_split(struct str id, struct str *project, int64_t *seq, struct why *why);
ERR_MUST_USE enum err item_load(struct act *act, int64_t seq, struct item *out, struct why *why);
#define ITEM_COLUMNS                                                                               \
    "seq, rec, record, purpose, state, wanted, n_out, n_done, n_skip, front, gold, pre, pre_by, "  \
    "final, final_how, final_by, held_by, held_until, changed_ms"
struct item item_from(const struct store_rows *rows, size_t row);
ERR_MUST_USE enum err item_save(struct act *act, const struct item *item, struct why *why);
#define LABEL_COLUMNS                                                                              \
    "id, seq, user_id, purpose, state, answer, pre, comment, verdict, reviewer, review_comment, "  \
    "fixed, lease_ms, begun_ms, done_ms, spent_ms, review_ms, score"
struct work_label label_from(const struct store_rows *rows, size_t row);
/* All of an item, oldest first. */
ERR_MUST_USE enum err labels_of(struct act *act, int64_t seq, struct work_label **out, size_t *n,
                                struct why *why);
/* The caller's; ERR_NOT_FOUND when he has none. */
ERR_MUST_USE enum err label_mine(struct act *act, int64_t seq, struct work_label *out,
                                 struct why *why);
/* Decides what the item is after one of its labels changed, and moves it there. */
ERR_MUST_USE enum err item_settle(struct act *act, struct item *item, struct why *why);
/* Into another state, with everything that depends on it: counts, scores of its labels. `final`,
 * `how`, `by` for ITEM_FINAL. */
ERR_MUST_USE enum err item_move(struct act *act, struct item *item, enum item_state state,
                                struct str final, const char *how, struct str by, struct why *why);
/* Adds to a person's counts: "n_submitted = n_submitted + ?" ... */
ERR_MUST_USE enum err member_count(struct act *act, struct str user, const char *column, double n,
                                   struct why *why);

/* The record of an item as the project's version holds it. */
ERR_MUST_USE enum err record_of(struct annotate *annotate, const struct project *project,
                                int64_t rec, struct arena *arena, const struct json **out,
                                struct str *line, struct why *why);
/* The member at a path, NULL when there is none. */
const struct json *at_path(const struct json *record, struct str path);
/* Text of a shown member: a string as it is, a chat as lines; empty when there is none. */
struct str shown_text(const struct json *record, const struct show *show, struct arena *arena);
struct answer_about about_record(const struct project *project, const struct json *record,
                                 struct arena *arena);
void put_shown(const struct project *project, const struct json *record, struct json_out *out);
struct str item_id(const struct project *project, int64_t seq, struct arena *arena);

/* ---- rules.c ---- */

struct rule {
    struct str text, label; /* a term or a pattern */
};
struct rules;
/* Terms (`patterns` false) or POSIX extended patterns; ERR_INVALID names the one that is wrong. */
ERR_MUST_USE enum err rules_new(const struct rule *rules, size_t n, bool patterns,
                                const struct field *field, struct arena *arena, struct rules **out,
                                struct why *why);
void rules_free(struct rules *rules); /* NULL is fine */
/* The member of an answer that they give for a text, as JSON; ptr NULL when none fits. */
ERR_MUST_USE enum err rules_apply(struct rules *rules, struct str text, struct arena *arena,
                                  struct str *out, struct why *why);

/* ---- prelabel.c, prepare.c ---- */

/* Checks what annotate_prelabel() takes. */
ERR_MUST_USE enum err prelabel_check(const struct labels *labels, const struct json *spec,
                                     struct arena *arena, struct why *why);
ERR_MUST_USE enum err submit_job(struct act *act, const char *kind, const char *title,
                                 struct str spec, char id[UUID_TEXT], struct why *why);
/* The project of a job that failed, was cancelled or is run again says so; for job_kind. */
ERR_MUST_USE enum err project_moved(void *ctx, struct store_tx *tx, const struct job_move *move,
                                    struct why *why);
/* An identity of the project's tenant that may do everything: for jobs and for reading records. */
struct ops_identity tenant_identity(struct str tenant);
/* Adds an item; the job's transaction. */
struct new_item {
    int64_t seq, rec;
    struct str record, gold, pre, pre_by;
    enum purpose purpose;
};
ERR_MUST_USE enum err item_add(struct act *act, const struct new_item *item, struct why *why);
/* Suggests answers for the open items behind `after`; for a job's run(). Adds to *n_given. */
ERR_MUST_USE enum err prelabel_run(struct annotate *annotate, struct job *job,
                                   const struct project *project, const struct json *spec,
                                   int64_t after, int64_t *n_given, struct why *why);
/* The canonical answer with this value (JSON) in this one field; ptr NULL when it is none. */
struct str answer_of(const struct labels *labels, const struct field *field, struct str value,
                     struct arena *arena);
/* The same from a member of a record. */
struct str member_answer(const struct labels *labels, const struct field *field,
                         const struct json *record, struct str path, struct arena *arena);

#endif
