/*
 * data/vocabulary - vocabularies that a pipeline names by a model of the registry: which version a
 * name means is looked up when the run is queued, written into its spec ("vocabularies": {name:
 * version}), and the same ever after.
 */
#ifndef DATA_VOCABULARY_H
#define DATA_VOCABULARY_H

#include "core/json.h"
#include "data/op.h"

struct data;
struct ops_identity;

struct word_shelf; /* of one pipeline */
/* `spec`: what it pins already is taken from there. In `arena`; `spec` and `who` must outlive it.
 */
ERR_MUST_USE enum err word_shelf_new(struct data *data, const struct ops_identity *who,
                                     const struct json *spec, struct arena *arena,
                                     struct word_shelf **out, struct why *why);
/* For data_prepare. */
const struct data_vocabularies *word_shelf_vocabularies(struct word_shelf *vocabularies);
/* The member "vocabularies" with all that was asked for; nothing when there was none. */
void word_shelf_put(const struct word_shelf *vocabularies, struct json_out *out);

#endif
