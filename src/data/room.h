/*
 * data/room - what the files of this room share: the open room, and small helpers.
 */
#ifndef DATA_ROOM_H
#define DATA_ROOM_H

#include "data/data.h"
#include "data/dataset.h"
#include "http/http.h"

struct data {
    struct data_opts opts;
    const char *models; /* folder of models and word lists for operators */
    char *made_models;  /* the same when it was made here */
    struct http_table table;
    struct {
        data_withdrawn_fn *withdrawn;
        void *ctx;
    } listeners[4]; /* n_listeners of them */
    size_t n_listeners;
    struct data_answers answers; /* functions NULL: nothing is known of answers */
};

/* For %.*s of what came from outside: at most 120 bytes of it. */
#define SHOW(s) (int)((s).len < 120 ? (s).len : 120), ((s).ptr ? (s).ptr : "")

/* A row of data_runs: what made a version. Written in the transaction of the version. */
struct run_form {
    struct str id;    /* of the job */
    const char *kind; /* "import" or "pipeline" */
    struct str spec;
    struct str counts; /* JSON */
    const struct dataset_version *inputs;
    size_t n_inputs;
    struct str card; /* of a set that has none yet, when none is given either; or empty */
};

/* Puts a manifest into the objects and the version with its run into the tables: the end of both
 * kinds of jobs. ERR_CONFLICT when it would hold records of a withdrawn source. */
ERR_MUST_USE enum err
dataset_publish(struct data *data, const struct ops_identity *who, struct str name,
                struct str title, enum record_kind kind, struct str card,
                const struct shard_info *shards, size_t n_shards, const struct shard_stats *stats,
                const struct run_form *run,
                enum err (*before)(struct store_tx *tx, void *ctx, struct why *why), void *ctx,
                struct arena *arena, struct dataset_version *out, struct why *why);

/* A spec with what its operators compare with, and the keys of the tenant of `who` to mask with;
 * out->privacy_key says which were used. `versions`: of its inputs and then of its references. */
struct json;
struct pipeline;
ERR_MUST_USE enum err data_read_pipeline(struct data *data, const struct ops_identity *who,
                                         const struct json *spec, struct dataset_version *versions,
                                         struct arena *arena, struct pipeline *out,
                                         struct why *why);

/* Time as text, or null for 0. */
/* JSON that is stored, or null when it is empty. */

/* The line of the record with this id in a version; ptr NULL when there is none. Copied. Needs the
 * shards. Cost: a search through the version. */
ERR_MUST_USE enum err dataset_line(struct data *data, const struct dataset_version *version,
                                   struct str id, struct arena *arena, struct str *out,
                                   struct why *why);

/* The lines of a shard, mapped. An empty shard gives len 0. */
struct file_map;
ERR_MUST_USE enum err dataset_map(struct data *data, struct str object, struct arena *arena,
                                  struct file_map *out, struct why *why);

#endif
