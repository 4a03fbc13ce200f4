/*
 * data/profile - what the records of a version are like: lengths, languages, labels, licences.
 *
 * Small versions are read whole; of others some PROFILE_RECORDS records, by chance out of some
 * PROFILE_SHARDS shards, stand for the rest, and figures of the whole are in proportion to the
 * bytes. A version never changes, so a profile is made once and kept in data_profiles.
 *
 *     {"n_records", "n_bytes", "n_sampled", "whole": bool, "n_characters", "n_text_bytes",
 *      "n_tokens", "characters": {"mean", "p10", "p50", "p90", "most"},
 *      "lengths": [{"from", "to", "n"}], "languages": {"zh": n}, "languages_by": "lid.176" or
 *      "script", "labels": {...}, "splits": {...}, "licences": {...}, "industries": {...}}
 *
 * n_tokens is a rule of thumb: one for 1.6 Han characters, one for 4 other bytes. Licences and
 * industries count records by what the collection records of their sources say; "" is the rest.
 * lengths, languages and labels count the records that were read.
 */
#ifndef DATA_PROFILE_H
#define DATA_PROFILE_H

#include "data/dataset.h"

#define PROFILE_WHOLE_BYTES   ((int64_t)24 << 20)
#define PROFILE_WHOLE_RECORDS 50000
#define PROFILE_RECORDS       10000
#define PROFILE_SHARDS        16
#define PROFILE_LANGUAGES     1000 /* records whose language is looked at */

/* Costs at most some 200 ms the first time. Errors of objects and store. */
ERR_MUST_USE enum err profile_of(struct data *data, struct dataset_version *version,
                                 struct arena *arena, const struct json **out, struct why *why);

#endif
