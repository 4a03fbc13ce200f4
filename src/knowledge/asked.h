/*
 * knowledge/asked - how likely a question is one that an office's texts answer, by its wording
 * alone.
 *
 * Place in the room: question -> [asked] -> answer_rank. A linear model over the runs of its
 * characters (learn/classify.h), in the binary: asked_model.bin, made by bench/train_answer. It is
 * one figure among those that weigh an answer and refuses nothing by itself.
 */
#ifndef KNOWLEDGE_ASKED_H
#define KNOWLEDGE_ASKED_H

#include "core/str.h"

/* Logarithm of the odds, between -ASKED_MOST and ASKED_MOST; 0 says nothing. Any thread. Some
 * microseconds. */
#define ASKED_MOST 4.0
double asked_answered(struct str question);

/* The same of a model that is not the shipped one. */
struct learn_model;
double asked_answered_by(const struct learn_model *model, struct str question);

/* The labels of the model. */
#define ASKED_OTHER    "other"
#define ASKED_ANSWERED "answered"

#endif
