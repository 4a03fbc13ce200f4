/*
 * data/stats - what the records of a shard, and of a version, are made of: counted when written.
 *
 * Members with the kinds of their values (the schema), splits, and records of each source. Counts
 * of shards are kept as JSON and summed; the JSON is in order of names, the same for the same.
 */
#ifndef DATA_STATS_H
#define DATA_STATS_H

#include "core/json.h"
#include "core/map.h"
#include "data/record.h"

#define STATS_MOST_NAMES 2000 /* members and splits; what comes later counts as "*" */

struct shard_stats {
    struct arena *arena;
    int64_t n_records, n_bytes;
    struct map members; /* name -> int64_t[STATS_KINDS] */
    struct map splits;  /* name -> n */
    struct map sources; /* key -> n */
};

void shard_stats_init(struct shard_stats *stats, struct arena *arena);
/* ERR_UNAVAILABLE when the arena is full: no run can go on without its counts. */
ERR_MUST_USE enum err shard_stats_add(struct shard_stats *stats, const struct record *record,
                                      size_t line_bytes, struct why *why);
/* The other way round, for a record that was counted before. */
ERR_MUST_USE enum err shard_stats_take(struct shard_stats *stats, const struct record *record,
                                       size_t line_bytes, struct why *why);
/* "n_records", "n_bytes", "schema", "splits", "sources": members of the object that is open. */
ERR_MUST_USE enum err shard_stats_json(const struct shard_stats *stats, struct json_out *out,
                                       struct why *why);
ERR_MUST_USE enum err shard_stats_merge(struct shard_stats *stats, const struct json *json,
                                        struct why *why);

/* The entries of a map in the order of their keys, in its arena; NULL without memory. */
const struct map_entry **stats_sorted(const struct map *map);

#endif
