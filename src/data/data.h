/*
 * data - the data platform: data sets with versions, operators, pipelines, lineage.
 *
 * A data set is a named series of immutable versions; a version is shards of JSON lines in the
 * object store with a manifest of their hashes (dataset.h). Acquiring makes a version out of files;
 * a pipeline makes one out of others. Both are jobs ("data.import", "data.run"): parallel, within a
 * memory limit, resumable after kill -9 with the same final bytes. Every record can be followed
 * back to its source, and every source forwards to all that descends from it (lineage.h). Operators
 * are described in op.h and listed in docs/operators.md.
 *
 * Everything checks the permissions of `who` itself (data.read, data.write, data.manage) and is in
 * the ledger. A data set has an access class as documents have (ops.h): who may not read that class
 * does not see it.
 *
 * Threads: a `struct data` serves any thread. Errors common to all: ERR_FORBIDDEN, ERR_NOT_FOUND
 * (also for what belongs to another tenant), ERR_INVALID (why names the field), those of the store.
 * Results live in the arena that was passed; the *_json functions write what the REST routes
 * answer.
 */
#ifndef DATA_DATA_H
#define DATA_DATA_H

#include "compute/compute.h"
#include "core/json.h"
#include "core/str.h"
#include "objects/objects.h"
#include "ops/ops.h"
#include "store/store.h"

struct arena;
struct conf;
struct conf_table;
struct data;
struct http_table;
struct privacy;

extern const struct store_migration data_migrations[];
extern const size_t data_n_migrations;
extern const struct conf_table data_conf; /* data.models, data.import_root ... */
extern const struct job_kind data_import_job, data_run_job;

struct data_opts {
    struct store *store;
    struct objects *objects;
    struct compute *compute;
    struct ops *ops;
    const struct conf *conf;
    const char *data_dir;
    struct privacy *privacy; /* keys of masks; NULL: none */
    struct models *models;   /* vocabularies by names of models; NULL: none */
};
ERR_MUST_USE enum err data_open(const struct data_opts *opts, struct data **out, struct why *why);
void data_close(struct data *data); /* NULL is fine */
const struct http_table *data_routes(struct data *data);

/* ---- acquiring and processing: both queue a job ---- */

/*
 * spec: {"dataset", "title"?, "kind"?, "paths": [...], "append"?: bool, "collection": {"licence",
 *        "authority"?, "owner"?, "industry"?, "grade"?, "collected_at"?, "note"?}}
 * Pictures with captions beside them or in a list become caption records (import_picture.h), also
 * without "kind" when the first picture has one. JSON lines are read as they are; what room formats
 * reads becomes one text record a document, or one row record a line of a table. Without "append"
 * the version holds these files alone; with it files that are there already are passed over, and no
 * version is made when nothing is new. `dry` only checks. The same spec, while its job is not done,
 * gives the same job: so a command that was killed and is given again goes on.
 */
ERR_MUST_USE enum err data_import(struct data *data, const struct ops_identity *who,
                                  struct str spec_json, char job[UUID_TEXT], struct why *why);
/* The same in the caller's write transaction. */
ERR_MUST_USE enum err data_import_in(struct data *data, struct store_tx *tx,
                                     const struct ops_identity *who, struct str spec_json,
                                     char job[UUID_TEXT], struct why *why);
/* A pipeline (pipeline.h), as JSON or YAML. Checked first. */
ERR_MUST_USE enum err data_run(struct data *data, const struct ops_identity *who, struct str spec,
                               char job[UUID_TEXT], struct why *why);
/* {"ok", "kind", "n_inputs", "steps": [{"op", "takes", "gives"}]} */
ERR_MUST_USE enum err data_check_spec_json(struct data *data, const struct ops_identity *who,
                                           struct str spec, struct arena *arena,
                                           struct json_out *out, struct why *why);
/* The pipeline over the first records of the input (`sample` of them, spread over the shards):
 * {"n_sampled", "steps": [{"op", "in", "out", "changed", "made", "dropped", "failed", "ms",
 *   "examples": [{"id", "what", "before", "after", "why"}]}], "records": [...]} */
ERR_MUST_USE enum err data_dry_run_json(struct data *data, const struct ops_identity *who,
                                        struct str spec, size_t sample, struct arena *arena,
                                        struct json_out *out, struct why *why);

/*
 * What a mixture of inputs would be made of, before the run: {"inputs": [{"dataset", "version"?,
 * "weight"}], "by": "characters" | "records" | "bytes", "most_repeats", "total"} -> {"total",
 * "limited_by", "estimated", "n_records", "n_characters", "n_tokens", "inputs": [{..., "share",
 * "taken", "times"}], "languages", "licences", "industries", "grades": {name: characters}}.
 * From the profiles of the versions (profile.h), so it costs milliseconds.
 */
ERR_MUST_USE enum err data_mix_preview_json(struct data *data, const struct ops_identity *who,
                                            const struct json *ask, struct arena *arena,
                                            struct json_out *out, struct why *why);

/* ---- pipelines kept under a name ---- */

ERR_MUST_USE enum err data_pipelines_json(struct data *data, const struct ops_identity *who,
                                          struct arena *arena, struct json_out *out,
                                          struct why *why);
ERR_MUST_USE enum err data_pipeline_json(struct data *data, const struct ops_identity *who,
                                         struct str id, struct arena *arena, struct json_out *out,
                                         int64_t *revision, struct why *why);
/* body: {"name", "note"?, "spec"}; a spec need not be finished. Empty id: a new one; *out (in
 * `arena`) is its id. revision -1: whatever it is now. ERR_CONFLICT for a name that is taken. */
ERR_MUST_USE enum err data_pipeline_save(struct data *data, const struct ops_identity *who,
                                         struct str id, const struct json *body, int64_t revision,
                                         struct arena *arena, struct str *out, struct why *why);
ERR_MUST_USE enum err data_pipeline_remove(struct data *data, const struct ops_identity *who,
                                           struct str id, int64_t revision, struct arena *arena,
                                           struct why *why);

/* ---- looking ---- */

/* Which sets; a member that is empty asks for nothing. */
struct data_sets_ask {
    struct str find;  /* in name, title or card, in any case */
    struct str kind;  /* "text" ... */
    struct str state; /* of the newest version: "ready", "withdrawn"; "empty": there is none */
    struct str after; /* "next" of the page before */
    size_t limit;     /* 1 .. 1000 */
};
/* {"items": [set, ...], "next", "n", "n_records", "n_withdrawn"}, the newest set first; a set: id,
 * name, title, kind, access, latest, n_records, n_bytes, state, created_at, card. The sums are of
 * all that fit. Those that `who` may not see are neither listed nor counted. */
ERR_MUST_USE enum err data_sets_json(struct data *data, const struct ops_identity *who,
                                     const struct data_sets_ask *ask, struct arena *arena,
                                     struct json_out *out, struct why *why);
/* The set with its versions. */
ERR_MUST_USE enum err data_set_json(struct data *data, const struct ops_identity *who,
                                    struct str name, struct arena *arena, struct json_out *out,
                                    struct why *why);
/* Changes title, access or card (all optional members of `json`). revision -1: whatever it is now;
 * else ERR_PRECONDITION when somebody else was faster. */
ERR_MUST_USE enum err data_set_change(struct data *data, const struct ops_identity *who,
                                      struct str name, const struct json *change, int64_t revision,
                                      struct why *why);
/* One version with manifest, schema, splits, sources, the counts of its run. number 0: newest. */
ERR_MUST_USE enum err data_version_json(struct data *data, const struct ops_identity *who,
                                        struct str name, int64_t number, struct arena *arena,
                                        struct json_out *out, struct why *why);
/* {"items": [record, ...], "next"}: from record `from` on, or n spread evenly (spread), or those
 * whose line holds `find`. At most 1000. */
struct data_look {
    int64_t version; /* 0: newest */
    int64_t from;    /* number of the record; ignored with `spread` */
    size_t n;
    bool spread;
    struct str find; /* empty: all */
};
ERR_MUST_USE enum err data_records_json(struct data *data, const struct ops_identity *who,
                                        struct str name, const struct data_look *look,
                                        struct arena *arena, struct json_out *out, struct why *why);
/* A record with its history back to its source. */
ERR_MUST_USE enum err data_record_json(struct data *data, const struct ops_identity *who,
                                       struct str name, int64_t version, struct str id,
                                       struct arena *arena, struct json_out *out, struct why *why);
/* Records added, removed and changed between two versions of a set (a, b), with examples. */
ERR_MUST_USE enum err data_diff_json(struct data *data, const struct ops_identity *who,
                                     struct str name, int64_t a, int64_t b, struct arena *arena,
                                     struct json_out *out, struct why *why);
struct data_clusters_ask {
    struct str field;   /* where the mark stands */
    size_t from, limit; /* clusters, the largest first: 1 to 100 behind the first 0 to 1000 */
    struct str
        cluster; /* its records instead, from and limit counting them in their order; or "" */
};
/* What minhash_dedup and simhash_dedup with mode "mark" wrote into `field` ("duplicates"): how many
 * clusters of which size, and the largest, with eight of their records each, 1,200 bytes of the
 * text; of one cluster any records, and no counts of the others:
 * {"field", "version", "n_records", "n_clusters", "n_members", "sizes": [{"from", "to", "n"}],
 *  "clusters": [{"cluster", "size", "members": [{"id", "keep", "text"}]}]}. Reads the version
 * twice. ERR_NOT_FOUND: no such cluster. */
ERR_MUST_USE enum err data_clusters_json(struct data *data, const struct ops_identity *who,
                                         struct str name, int64_t number,
                                         const struct data_clusters_ask *ask, struct arena *arena,
                                         struct json_out *out, struct why *why);
/* What the records of a version are like (profile.h), with its 20 largest sources. */
ERR_MUST_USE enum err data_profile_json(struct data *data, const struct ops_identity *who,
                                        struct str name, int64_t number, struct arena *arena,
                                        struct json_out *out, struct why *why);
/* The run that made the version, over the record's ancestor once more, step by step: {"whole",
 * "input": {"dataset", "number", "id"}, "record", "steps": [{"step", "op", "what", "id", "before",
 * "after", "why"}], "cut"}. Steps in "whole" were decided with all records and are left out.
 * ERR_UNSUPPORTED when no pipeline made it; ERR_NOT_FOUND when `who` may not see the input. */
ERR_MUST_USE enum err data_replay_json(struct data *data, const struct ops_identity *who,
                                       struct str name, int64_t version, struct str id,
                                       struct arena *arena, struct json_out *out, struct why *why);
/* What the making of a version dropped or put into quarantine: {"items": [{"id", "step", "what",
 * "why"}], "next", "reasons": [{"what", "step", "why", "n"}]}. Step -1: it could not be read. */
struct data_ended {
    struct str what; /* "dropped", "failed", or empty: both */
    int64_t step;    /* -2: all */
    int64_t from;    /* as "next" gave it; reasons are counted when it is 0 */
    size_t n;        /* 1 .. 1000 */
};
ERR_MUST_USE enum err data_ended_json(struct data *data, const struct ops_identity *who,
                                      struct str name, int64_t number,
                                      const struct data_ended *look, struct arena *arena,
                                      struct json_out *out, struct why *why);
/* The path of the picture that a record of kind caption names, in `arena`, and its media type.
 * ERR_NOT_FOUND without one, ERR_UNSUPPORTED for what is no JPEG, PNG, GIF or WebP. */
ERR_MUST_USE enum err data_image(struct data *data, const struct ops_identity *who, struct str name,
                                 int64_t version, struct str id, struct arena *arena,
                                 const char **path, const char **type, struct why *why);
/* Writes a version's lines to fd. */
ERR_MUST_USE enum err data_export(struct data *data, const struct ops_identity *who,
                                  struct str name, int64_t version, int fd, struct why *why);

/* ---- for the rooms above: reading a version ---- */

/*
 * A version's records in their order, or any of them by its number. Needs data.read and the access
 * class of the set; a withdrawn version is read like any other (version->state says so), for it may
 * be looked at, but nothing new is made of it.
 *
 *   Owner   what data_reader_version() gives lives as long as the reader; records live in the arena
 *           that was passed
 *   Threads one reader, one thread
 *   Cost    next: one pass over mapped shards; at: the shard is indexed when it is first met (16
 * MiB in some milliseconds), then at most 64 lines are passed over; find: a scan of all shards
 */
struct data_reader;
struct data_version_info {
    struct str id, dataset, title;
    int64_t number;
    const char *kind;        /* "text", "chat" ... */
    enum ops_class access;   /* of the set */
    struct str manifest;     /* SHA-256 of the manifest: the name of the version's content */
    struct str state;        /* "ready" or "withdrawn" */
    struct str card;         /* JSON object */
    struct str actor;        /* who made it: "user:<id>" ... */
    struct str run, made_by; /* the job that made it, and its kind: "import", "pipeline" ... */
    int64_t n_records, n_bytes, created_ms;
    size_t n_shards;
};
/* One source of the version with its papers. */
struct data_source_info {
    struct str key, uri, sha256; /* the key is what the ids of its records begin with */
    struct str collection;       /* JSON: the collection record; empty when it is not known */
    bool withdrawn;
    int64_t n_records; /* in this version */
};
/* A record is one JSON object; its members by kind are told in docs/operators.md. */
struct data_record {
    int64_t number; /* 0 .. n_records - 1 */
    struct str id;
    struct str line; /* the whole record as JSON, without "\n"; ptr NULL: there is none */
};

/* number 0: the newest. */
ERR_MUST_USE enum err data_reader_open(struct data *data, const struct ops_identity *who,
                                       struct str name, int64_t number, struct data_reader **out,
                                       struct why *why);
void data_reader_close(struct data_reader *reader); /* NULL is fine */
const struct data_version_info *data_reader_version(const struct data_reader *reader);
int64_t data_reader_n(const struct data_reader *reader);
/* The first record of a shard and how many it has; shards are numbered 0 .. n_shards - 1. */
void data_reader_shard(const struct data_reader *reader, size_t shard, int64_t *first, int64_t *n);
/* The next record, from 0 or from where seek went; out->line.ptr NULL behind the last. */
ERR_MUST_USE enum err data_reader_next(struct data_reader *reader, struct arena *arena,
                                       struct data_record *out, struct why *why);
void data_reader_seek(struct data_reader *reader, int64_t number);
/* ERR_NOT_FOUND outside 0 .. n - 1. Does not move what next gives. */
ERR_MUST_USE enum err data_reader_at(struct data_reader *reader, int64_t number,
                                     struct arena *arena, struct data_record *out, struct why *why);
/* By its id: ERR_NOT_FOUND. */
ERR_MUST_USE enum err data_reader_find(struct data_reader *reader, struct str id,
                                       struct arena *arena, struct data_record *out,
                                       struct why *why);
/* In the order of their keys. */
ERR_MUST_USE enum err data_reader_sources(struct data_reader *reader, struct arena *arena,
                                          struct data_source_info **out, size_t *n,
                                          struct why *why);

/* ---- for the rooms above: making a version, in a job ---- */

/*
 * Records are added one by one and become a version in one step; before the commit nothing is seen
 * of them. A mark makes what was added so far durable together with a text of the caller (how far
 * it has read): who was killed opens the writer of the same run again, gets that text back and goes
 * on from there; what came behind the mark is forgotten, so nothing is lost or doubled. The same
 * calls give the same bytes, however often it was killed.
 *
 * With `append` the new version holds the records of the newest one, too, but for those that were
 * added with the same id (they are replaced; the same content counts as nothing new), those that
 * were dropped, and those of withdrawn sources. When nothing is new, no version is made. Without
 * `append` it holds what was added, and is not made when the newest has the same content.
 *
 * A record whose source was withdrawn is refused. A record that is none is quarantined with words.
 * Of two records with one id in one run the later counts.
 *
 *   Rights  data.write, and data.read for inputs; the set's access class and that of the inputs: a
 *           new set has at least the highest class of its inputs, an older one must have it
 *   Memory  about 40 bytes a record that is added, and one record
 *   Threads one writer, one thread; one writer for a run at a time (the lock of the job sees to it)
 *   Ledger  data.version.create, as every version; lineage edges and papers are written here
 */
struct data_writer;
struct data_writer_spec {
    struct str dataset, title; /* title: of a set that is made now; may be empty */
    struct str kind;           /* "text", "qa" ... of all records */
    enum ops_class access;     /* of a set that is made now */
    bool append;
    const char *made_by;      /* "acquire", "synth", "annotate" ...: the kind of the run */
    struct str run;           /* id of the job; one run makes one version */
    const char *dir;          /* job_dir(): a folder "version" is made in it */
    struct str spec;          /* JSON: what was asked for, kept with the run; no secrets in it */
    struct str card;          /* JSON object, or empty: that of the set */
    const struct str *inputs; /* n_inputs ids of versions that it descends from */
    size_t n_inputs;
};
struct data_written {
    bool made;          /* a new version was made; else the rest tells of the newest one */
    struct str version; /* its id; empty when there is none yet */
    int64_t number;     /* 0: there is none yet */
    struct str manifest;
    int64_t n_records;                                  /* of the version */
    int64_t n_new, n_changed, n_same, n_dropped, n_bad; /* by this run */
};
struct data_writer_counts {
    int64_t n_added, n_dropped, n_bad; /* so far, in all starts of the run */
};

/* ERR_CONFLICT when the set holds another kind. */
ERR_MUST_USE enum err data_writer_open(struct data *data, const struct ops_identity *who,
                                       const struct data_writer_spec *spec,
                                       struct data_writer **out, struct why *why);
void data_writer_close(struct data_writer *writer); /* what was marked stays; NULL is fine */
/* Whether this run has ended already (killed behind its commit); then *out as commit gave it. */
bool data_writer_ended(const struct data_writer *writer, struct data_written *out);
/* The text of the last mark; empty in the beginning. Lives as long as the writer. */
struct str data_writer_cursor(const struct data_writer *writer);
struct data_writer_counts data_writer_counts(const struct data_writer *writer);

#define DATA_SOURCE_KEY 17 /* 16 hex digits and '\0' */
/*
 * Names a source: `uri` is its address for good ("https://host/page",
 * "postgresql://host/db/table"), and the key comes from it and the tenant alone, so that the same
 * item of it has the same id in every run. sha256 (of the content that was read) may be empty.
 * `collection` is a JSON object with licence, authority, owner, industry, grade ...; job, by and
 * collected_at are added. When the source is known already its papers are brought up to date by the
 * commit (first_collected_at is kept), which is in the ledger when the licence or the authority
 * became another. ERR_CONFLICT when it was withdrawn. Cheap when it was named before in this run.
 */
ERR_MUST_USE enum err data_writer_source(struct data_writer *writer, struct str uri,
                                         struct str sha256, int64_t n_bytes, struct str collection,
                                         char key[DATA_SOURCE_KEY], struct why *why);
/*
 * A record of that source: `json` is an object with the members of its kind (a member "id" becomes
 * "source_id"), `item` what it is called there: its id is "<key>-<item>", with a hash in the place
 * of an item that is longer than 64 bytes or has other characters than letters, digits and '_'.
 * A record that is none goes to quarantine and gives ERR_OK; *bad (may be NULL) then says true.
 */
ERR_MUST_USE enum err data_writer_add(struct data_writer *writer, const char *key, struct str item,
                                      struct str json, bool *bad, struct why *why);
/* A record made from another one (of an input or of this writer): its id is "<parent>.<n>". */
ERR_MUST_USE enum err data_writer_add_part(struct data_writer *writer, struct str parent, size_t n,
                                           struct str json, bool *bad, struct why *why);
/* A record with the id that it has in an input: what annotating or correcting gives. */
ERR_MUST_USE enum err data_writer_add_as(struct data_writer *writer, struct str id, struct str json,
                                         bool *bad, struct why *why);
/* What could not even become a record, with words: to quarantine. */
ERR_MUST_USE enum err data_writer_bad(struct data_writer *writer, const char *key, struct str item,
                                      const char *words, struct why *why);
/* The record of that item is not there any more: left out of the new version. */
ERR_MUST_USE enum err data_writer_drop(struct data_writer *writer, const char *key, struct str item,
                                       struct why *why);
/* Durable; some milliseconds. `cursor` is any text of at most 1 MiB. */
ERR_MUST_USE enum err data_writer_mark(struct data_writer *writer, struct str cursor,
                                       struct why *why);
/* ERR_CONFLICT when it would hold a withdrawn source. Strings of *out live as long as the writer.
 */
ERR_MUST_USE enum err data_writer_commit(struct data_writer *writer, struct data_written *out,
                                         struct why *why);
/* Forgets all that was added, marks too; the writer is then closed. */
void data_writer_abandon(struct data_writer *writer);

/* ---- lineage ---- */

/* Rooms above (release, training) hang what they make behind a version. Kinds: "source",
 * "version", "run", "release", "training". In the caller's transaction. */
ERR_MUST_USE enum err data_edge(struct store_tx *tx, struct str tenant, const char *from_kind,
                                struct str from, const char *to_kind, struct str to,
                                struct why *why);
/*
 * {"nodes": [{"kind", "id", "title", "state"}], "edges": [{"from", "to", "n_records"?}], "cut"}:
 * all that is reached from the node, backwards, forwards or both. Models and trainings are what
 * cards of the registry say. A "model" has one node "answers" for all that it answered, id
 * "answers:<model>", with {"n", "first_at", "last_at"}. "answer" is one answer: its models lead to
 * it. What descends from a withdrawn source has the state "withdrawn", answers too.
 */
enum data_way { DATA_BACKWARDS = 1, DATA_FORWARDS = 2, DATA_BOTH_WAYS = 3 };
ERR_MUST_USE enum err data_lineage_json(struct data *data, const struct ops_identity *who,
                                        struct str kind, struct str id, enum data_way way,
                                        struct arena *arena, struct json_out *out, struct why *why);
ERR_MUST_USE enum err data_sources_json(struct data *data, const struct ops_identity *who,
                                        struct str find, struct str after, size_t limit,
                                        struct arena *arena, struct json_out *out, struct why *why);
/* Marks the source and everything that descends from it as withdrawn, with a reason; lists them:
 * {"source", "versions": [{"dataset", "number", "n_records"}], "others": [{"kind", "id", "n"?,
 * "first_at"?, "last_at"?}], "n_models", "n_answers"}. `dry`: only lists. */
ERR_MUST_USE enum err data_withdraw(struct data *data, const struct ops_identity *who,
                                    struct str source, struct str reason, bool dry,
                                    struct arena *arena, struct json_out *out, struct why *why);

/*
 * What models answered: the room above that knows hands it in, before any thread uses `data`. Both
 * ask for what `who` may see. Without it the lineage ends at the models.
 */
struct data_answered {
    struct str model; /* "model:version" */
    int64_t n, first_ms, last_ms;
};
struct data_answers {
    void *ctx;
    /* of one version, in the transaction `tx` */
    enum err (*of_model)(void *ctx, struct store_tx *tx, const struct ops_identity *who,
                         struct str model, struct arena *arena, struct data_answered *out,
                         struct why *why);
    /* the versions that took part in the answer `id`; in no transaction of the caller.
     * ERR_NOT_FOUND, ERR_FORBIDDEN */
    enum err (*of_answer)(void *ctx, const struct ops_identity *who, struct str id,
                          struct arena *arena, struct data_answered **out, size_t *n,
                          struct why *why);
};
void data_set_answers(struct data *data, const struct data_answers *answers); /* copied; or NULL */

/* ---- operators ---- */

void data_ops_json(struct json_out *out);
/* docs/operators.md */
ERR_MUST_USE enum err data_ops_reference(struct buf *out, struct why *why);

/* ---- for the rooms above: records and operators without a pipeline ---- */

/*
 * What a record says, in one scan. Cheap beside json_parse(). ERR_INVALID when the line is no
 * record; `fault` says what the kind asks for and this record has not ("" when it is whole).
 */
struct data_view {
    struct str id, source; /* the key of the source: what stands before the first '-' of the id */
    struct str text;       /* its texts (of the usual members of its kind), joined by "\n" */
    size_t n_texts;
    struct str label, split; /* empty when there are none */
    struct str meta;         /* JSON object, or empty */
    char fault[200];
};
ERR_MUST_USE enum err data_view(struct str kind, struct str line, struct arena *arena,
                                struct data_view *out, struct why *why);

/*
 * One operator of the kind that measures, prepared once: length, language, flagged_words ... with
 * its parameters as a JSON object ("" for none). ERR_NOT_FOUND when there is no such operator,
 * ERR_UNAVAILABLE when its model is not there. data_gauge_read() may be called from many threads;
 * *out is NaN when it cannot be said of this text.
 */
struct data_gauge;
ERR_MUST_USE enum err data_gauge_open(struct data *data, const char *op, struct str args,
                                      struct data_gauge **out, struct why *why);
ERR_MUST_USE enum err data_gauge_read(const struct data_gauge *gauge, struct str text,
                                      struct arena *arena, double *out, struct why *why);
void data_gauge_close(struct data_gauge *gauge); /* NULL is fine */

/*
 * Lines of records of `kind` through record-wise steps ("steps" of a pipeline, a JSON list),
 * written to fd as JSON lines; what a step drops or cannot take is left out and counted. With
 * `member` only the value of that member of each record is written ("row": what chat_to makes, as
 * trainers read it), or an object of the members in braces ("{prompt,chosen,rejected}"); who has
 * not all of them is left out. Memory: one record and its parts, and with `member` all lines.
 */
struct data_shaped {
    int64_t n_in, n_out, n_left_out;
};
ERR_MUST_USE enum err data_shape(struct data *data, struct str kind, struct str steps_json,
                                 struct str lines, const char *member, int fd,
                                 struct data_shaped *out, struct why *why);

/*
 * News of a withdrawal: called in its transaction, once for each room that listens, with the
 * versions (ids) that hold the source; an error undoes the withdrawal. At most 4 listeners; before
 * any thread uses `data`.
 */
typedef enum err data_withdrawn_fn(void *ctx, struct store_tx *tx, const struct ops_identity *who,
                                   struct str source, struct str reason, const struct str *versions,
                                   size_t n, struct arena *arena, struct why *why);
void data_listen(struct data *data, data_withdrawn_fn *withdrawn, void *ctx);

/* Manifests and shards of every version are there and fit the table; `bad` for each that is not. */
typedef void data_bad_fn(void *ctx, const char *what, const char *words);
ERR_MUST_USE enum err data_check(struct data *data, data_bad_fn *bad, void *ctx, size_t *n,
                                 struct why *why);

#endif
