/*
 * data/dataset - named series of immutable versions: shards of JSON lines, a manifest, a card.
 *
 * A version is a row of data_versions and a manifest, an object without times and random ids, so
 * that the same records give the same manifest and the same name:
 *
 *     {"format": 1, "kind": "text", "n_records": N, "n_bytes": B,
 *      "shards": [{"object": "<sha256>", "n_records": n, "n_bytes": b, "trail": "<sha256>"}, ...],
 *      "schema": {"members": {"text": {"string": n}, ...}}, "splits": {"train": n, ...},
 *      "sources": {"<key>": n, ...}}
 *
 * A shard is plain JSON lines, at most about DATASET_SHARD_BYTES. Its trail (an object, or "")
 * holds one line for every record that the making of this version changed, made, dropped or
 * refused:
 *
 *     {"id": "a-1", "changed": [0, 3]}          by the steps of these numbers
 *     {"id": "a-1.2", "from": "a-1"}            made from that one
 *     {"id": "a-7", "dropped": 2, "why": "..."} by this step
 *     {"id": "a-9", "failed": 2, "why": "..."}  quarantined
 *
 * The card (who may use it, under which licence ...) is kept in the table, for people correct it;
 * every correction is in the ledger. A version keeps the card that it was made with.
 */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include "core/hash.h"
#include "core/json.h"
#include "data/data.h"
#include "data/record.h"
#include "data/stats.h"

#define DATASET_SHARD_BYTES ((size_t)16 << 20)
#define DATASET_MOST_SHARDS 1000000

struct shard_info {
    struct str object; /* name of the object with the lines; empty when there are none */
    struct str trail;  /* name of the object with the trail, or empty */
    int64_t n_records, n_bytes;
};

struct dataset {
    struct str id, tenant, name, title;
    enum record_kind kind;
    int64_t latest; /* number of the newest version, 0: none yet */
    int64_t revision, created_ms;
    struct str card; /* JSON object */
    enum ops_class access;
};

struct dataset_version {
    struct str id, set, set_name;
    int64_t number; /* 1, 2, 3 ... */
    enum record_kind kind;
    struct str manifest; /* name of the object */
    struct str state;    /* "ready", or "withdrawn": it holds records of a withdrawn source */
    struct str run;      /* id of the job that made it */
    struct str card, actor;
    int64_t n_records, n_bytes, created_ms;
    struct shard_info *shards; /* n_shards; only after dataset_shards() */
    size_t n_shards;
};

/* ERR_NOT_FOUND for what belongs to another tenant or to a class that `who` may not read, too. */
ERR_MUST_USE enum err dataset_find(struct data *data, const struct ops_identity *who,
                                   struct str name, struct arena *arena, struct dataset *out,
                                   struct why *why);
/* A page of them, with figures of their newest versions; and the sums of all that fit. */
struct dataset_listed {
    struct dataset set;
    struct str state;
    int64_t n_records, n_bytes;
};
struct dataset_sums {
    int64_t n, n_records, n_withdrawn;
};
ERR_MUST_USE enum err dataset_list(struct data *data, const struct ops_identity *who,
                                   const struct data_sets_ask *ask, struct arena *arena,
                                   struct dataset_listed **out, size_t *n,
                                   struct dataset_sums *sums, struct why *why);
/* Finds the set, or makes it. ERR_CONFLICT when it is of another kind. */
ERR_MUST_USE enum err dataset_make(struct store_tx *tx, const struct ops_identity *who,
                                   struct str name, struct str title, enum record_kind kind,
                                   struct arena *arena, struct dataset *out, struct why *why);
ERR_MUST_USE enum err dataset_name_check(struct str name, struct why *why);

/* number 0: the newest. */
ERR_MUST_USE enum err dataset_version_find(struct data *data, const struct dataset *set,
                                           int64_t number, struct arena *arena,
                                           struct dataset_version *out, struct why *why);
/* The newest first, at most 1000. */
ERR_MUST_USE enum err dataset_versions(struct data *data, const struct dataset *set,
                                       struct arena *arena, struct dataset_version **out, size_t *n,
                                       struct why *why);
/* By its id, of any tenant: for lineage, and for runs that were checked when they were queued. */
ERR_MUST_USE enum err dataset_version_by_id(struct data *data, struct str id, struct arena *arena,
                                            struct dataset_version *out, struct why *why);

/* The manifest's text for these shards and their sums; the same for the same. Empty shards are left
 * out. */
ERR_MUST_USE enum err dataset_manifest(enum record_kind kind, const struct shard_info *shards,
                                       size_t n, const struct shard_stats *sums,
                                       struct arena *arena, struct str *out, struct why *why);
ERR_MUST_USE enum err dataset_manifest_read(struct data *data,
                                            const struct dataset_version *version,
                                            struct arena *arena, const struct json **out,
                                            struct why *why);
/* Reads the manifest into version->shards. */
ERR_MUST_USE enum err dataset_shards(struct data *data, struct dataset_version *version,
                                     struct arena *arena, struct why *why);

#endif
