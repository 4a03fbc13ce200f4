/*
 * learn - small linear models, trained here and read from bytes: what a text is about, what stands
 * in it.
 *
 *   classify.h  a class for a text, with a probability that can be believed
 *   tagger.h    names, addresses and such in a text
 *   gate.h      where a tagger is worth asking
 *
 * A model is a file of less than some megabytes with a checksum; whoever ships one embeds the bytes
 * or keeps them in a folder. Reading never trusts a file.
 */
#ifndef LEARN_LEARN_H
#define LEARN_LEARN_H

#include "learn/classify.h"
#include "learn/gate.h"
#include "learn/tagger.h"

#endif
