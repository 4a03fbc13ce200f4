/*
 * knowledge/papers - what was asked, what was answered from where, and what people thought of it.
 *
 * Place in the room: answer -> [papers]. Owns kb_answers and kb_feedback. A recorded answer has its
 * papers in the ledger too: the passages it quotes, with their versions. Questions are kept for
 * learning, with telephone, identity and card numbers masked before they are written.
 *
 * Threads: any.
 */
#ifndef KNOWLEDGE_PAPERS_H
#define KNOWLEDGE_PAPERS_H

#include "knowledge/knowledge.h"

extern const char papers_tables[]; /* the step PAPERS_MIGRATION_NUMBER of room.h */

/* Writes the answer's row and its ledger entry, in one transaction. */
ERR_MUST_USE enum err papers_record(struct knowledge *k, const struct ops_identity *who,
                                    const struct knowledge_ask *ask,
                                    const struct knowledge_answer *answer, struct why *why);

/* Masks runs of 7 digits and more (numbers of people, accounts, telephones) but the last two. */
ERR_MUST_USE enum err papers_mask(struct str text, struct arena *arena, struct str *out,
                                  struct why *why);

enum papers_verdict { PAPERS_UP, PAPERS_DOWN, PAPERS_WRONG, PAPERS_MISSING };
/* ERR_INVALID for a word that is no verdict. */
ERR_MUST_USE enum err papers_verdict_parse(struct str word, enum papers_verdict *out,
                                           struct why *why);

/* One person's opinion of an answer that was given to this tenant; consent: it may become data.
 * "up" is counted; the others go to the review queue. ERR_NOT_FOUND, ERR_TOO_LARGE (more than 4,000
 * bytes of text). */
ERR_MUST_USE enum err papers_feedback(struct knowledge *k, const struct ops_identity *who,
                                      const char *answer_id, enum papers_verdict verdict,
                                      struct str comment, struct str correction, bool consent,
                                      struct why *why);

/* The steward's queue, newest first: {"items":[...],"next":...}. state "open", "done" or "" (all).
 */
ERR_MUST_USE enum err papers_reviews_json(struct knowledge *k, const struct ops_identity *who,
                                          const char *state, const char *after, size_t limit,
                                          struct arena *arena, struct json_out *out,
                                          struct why *why);

/* What a steward decides. */
struct papers_decision {
    struct str action;           /* "make_faq" or "dismiss" */
    struct str question, answer; /* the pair; empty: as asked, as corrected */
    struct str kb;               /* where the pair goes; empty: the base that was asked */
};

/* Ends a review: "make_faq" puts question and answer into the base as an FAQ pair (it answers from
 * then on), "dismiss" does not. ERR_CONFLICT when it is ended already, ERR_INVALID when several
 * bases were asked and none is named, ERR_NOT_FOUND for a base that `who` cannot see. */
ERR_MUST_USE enum err papers_review(struct knowledge *k, const struct ops_identity *who,
                                    const char *id, const struct papers_decision *decision,
                                    struct arena *arena, struct why *why);

/* Refused questions of the last `days`, the alike ones grouped, the most frequent first; those that
 * were settled since they were last asked are left out. */
ERR_MUST_USE enum err papers_unanswered_json(struct knowledge *k, const struct ops_identity *who,
                                             int days, struct arena *arena, struct json_out *out,
                                             struct why *why);

/* Settles the group of a refused question, named by one of its answers: "make_faq" puts a pair into
 * a base, whose question is the refused one unless given; "dismiss" only takes the group off the
 * list until it is asked again. Both stand among the reviews that ended. ERR_NOT_FOUND for an
 * answer of another tenant or one that was not refused; otherwise like papers_review(). */
ERR_MUST_USE enum err papers_settle(struct knowledge *k, const struct ops_identity *who,
                                    const char *answer_id, const struct papers_decision *decision,
                                    struct arena *arena, struct why *why);

/* Figures for the start page: questions and answered ones a day, by method, reviews that wait,
 * documents by validity. */
ERR_MUST_USE enum err papers_overview_json(struct knowledge *k, const struct ops_identity *who,
                                           int days, struct arena *arena, struct json_out *out,
                                           struct why *why);

#endif
