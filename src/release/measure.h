/*
 * release/measure - what the records of a version are like, counted in one pass, bounded memory.
 *
 * lookout -> [measure] -> report. Records are given one by one; then the figures are written as the
 * dimensions of a report with examples by record id. One thread.
 *
 *   Memory  24 bytes a record for duplicates and labels (at most MEASURE_MOST records), 16 KiB for
 *           distinct n-grams, the names of sources and labels
 *   Source  distinct n-grams by HyperLogLog, Flajolet et al. 2007; near duplicates by SimHash,
 *           Charikar 2002, Manku et al. 2007 (at most 3 of 64 bits); dimensions after GB/T
 * 36344-2018 (quality of data) and, for safety and diversity, our own
 */
#ifndef RELEASE_MEASURE_H
#define RELEASE_MEASURE_H

#include "core/json.h"
#include "data/data.h"
#include "release/lookout.h"

#define MEASURE_MOST ((int64_t)2000000) /* records of a report; of more a sample is taken */

struct measure;
ERR_MUST_USE enum err measure_new(struct arena *arena, int64_t n_records,
                                  const struct lookout *lookout, struct measure **out,
                                  struct why *why);
void measure_free(struct measure *measure); /* NULL is fine */
ERR_MUST_USE enum err measure_add(struct measure *measure, struct str kind,
                                  const struct data_record *record, struct arena *arena,
                                  struct why *why);
/* What is known of the version as a whole: sources with papers and dates, the manifest's schema. */
ERR_MUST_USE enum err measure_sources(struct measure *measure, const struct data_source_info *infos,
                                      size_t n, struct why *why);
void measure_schema(struct measure *measure, const struct json *members);
/* "score", "dimensions", "charts": members of the open object. *score is 0 .. 100. */
ERR_MUST_USE enum err measure_put(struct measure *measure, struct json_out *out, double *score,
                                  struct why *why);

#endif
