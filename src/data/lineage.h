/*
 * data/lineage - where records come from and what became of them: sources, runs, versions, edges.
 *
 *     source --(held by)--> version --(input of)--> run --(made)--> version --> release, training
 * ...
 *
 * Edges stand in data_edges, (from_kind, from_id, to_kind, to_id); rooms above add theirs with
 * data_edge() (data.h). How many records of which source a version holds stands in data_contents,
 * exactly, for it is counted when the version is written. What happened to one record stands in
 * the trails of the versions (dataset.h).
 */
#ifndef DATA_LINEAGE_H
#define DATA_LINEAGE_H

#include "data/data.h"
#include "data/dataset.h"

#define SOURCE_KEY DATA_SOURCE_KEY

/* What was acquired from where: one file, one table, one page. */
struct data_source {
    char key[SOURCE_KEY]; /* of the tenant, the address and the content */
    struct str uri;       /* "file:...", "upload:..." */
    struct str sha256;    /* of the content */
    int64_t n_bytes;
    struct str collection; /* JSON: the collection record (who, when, licence, authority ...) */
    bool lasting;          /* the key is of the address alone: its papers are brought up to date */
};
void source_key(struct str tenant, struct str uri, struct str sha256, char out[SOURCE_KEY]);
/* Makes it, or leaves the one that is there. ERR_CONFLICT when that was withdrawn. */
ERR_MUST_USE enum err source_put(struct store_tx *tx, const struct ops_identity *who,
                                 const struct data_source *source, struct arena *arena,
                                 struct why *why);

#endif
