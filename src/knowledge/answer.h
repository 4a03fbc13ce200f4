/*
 * knowledge/answer - choosing what answers, without a model: an article, a field, an FAQ pair, or
 * sentences.
 *
 * Place in the room: question -> retrieve -> quote -> [answer] -> papers. knowledge_ask() of
 * knowledge.h is implemented here. The order of trying, and what ends in a refusal, are rules; the
 * figures that they compare with are calibrated on questions that must be answered and questions
 * that must be refused (see the README).
 */
#ifndef KNOWLEDGE_ANSWER_H
#define KNOWLEDGE_ANSWER_H

#include "knowledge/knowledge.h"
#include "knowledge/question.h"

/* Below this confidence nothing is answered: a person decides. */
#define ANSWER_LEAST 0.5

/* How alike two short texts are: twice the shared two-character words over all of both, 0 .. 1.
 * Pure. */
double answer_alike(struct str a, struct str b);

/* The share of the two-character words of `part` that stand in `whole`, 0 .. 1. Pure. */
double answer_covered(struct str part, struct str whole);

#endif
