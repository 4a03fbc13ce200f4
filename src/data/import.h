/*
 * data/import - files into a version: planned, read in parallel, published in one step.
 *
 * spec -> plan (which file, which bytes of it, in which task) -> tasks (import_read) -> version
 *
 * The plan is kept in the job's folder, so that an import that was killed goes on with the same
 * tasks. A long file of JSON lines is cut into ranges; a line belongs to the range that it begins
 * in. A record's id is the key of its source and where it stands: the byte offset of its line, the
 * number of its row, 0 for a document.
 */
#ifndef DATA_IMPORT_H
#define DATA_IMPORT_H

#include "data/lineage.h"
#include "data/sink.h"

struct map;
struct objects;

#define IMPORT_TASK_BYTES DATASET_SHARD_BYTES
#define IMPORT_TASK_FILES 200
#define IMPORT_MOST_FILES 1000000
#define IMPORT_TOLD       100 /* failures of a task that are told by name */

struct import_rename {
    struct str to, from;
};

struct import_file {
    struct str path, uri;
    int64_t n_bytes;
    struct str sha256; /* known already for files that are cut; else empty */
    bool native;       /* JSON lines, or a JSON array: read here and not by room formats */
};

struct import_unit {
    size_t file;
    int64_t from, to; /* bytes of a native file */
};

struct import_plan {
    struct str dataset, title, tenant;
    enum record_kind kind;
    struct import_rename *renames;
    size_t n_renames;
    struct import_file *files;
    size_t n_files;
    struct import_unit *units;
    size_t n_units;
    struct map *pictures, *names; /* of an import of captions: path and name -> import_file */
    bool has_lists;               /* there are files that may name pictures */
    size_t *tasks;                /* n_tasks + 1: task i has the units tasks[i] .. tasks[i + 1] */
    size_t n_tasks;
};

/* Where the records of one task go. */
struct import_task {
    const struct import_plan *plan;
    struct arena *arena;            /* of one record */
    struct objects *objects;        /* where pictures are put */
    const struct import_file *file; /* in hand */
    struct sink out, trail;
    struct shard_stats *stats;
    struct json_out *files; /* array that is open: what was read */
    struct json_out *failures;
    size_t n_failures;
    int64_t n_bad;
    const struct json *known; /* object: keys of sources that are in the version before */
    char key[SOURCE_KEY];     /* of the file in hand */
    struct str path;          /* for people */
    bool is_renamed;          /* the line in hand was made here */
    bool (*cancelled)(void *ctx);
    void *ctx;
};

/* One unit of the plan. Errors are those that end an import; a file or record that cannot be read
 * goes to the failures and the trail. */
ERR_MUST_USE enum err import_unit_read(struct import_task *task, const struct import_unit *unit,
                                       struct why *why);
/* The SHA-256 of a mapped file as hex. What was read is given back to the system as it goes, so
 * that a file of 10 GB does not stay in memory. */
void import_hash(struct str all, char out[HASH_TEXT]);
/* What the first record of a native file looks like; RECORD_ROW when nothing fits. */
enum record_kind import_guess(const char *path, struct arena *arena);
/* Whether it holds JSON lines, so that ranges of it can be read apart. */
bool import_may_cut(const char *path);

/* The plan for a spec (data.h), or the one that is in the folder already. Hashes the files that are
 * cut. ERR_NOT_FOUND names a path that is not there, ERR_INVALID what the spec has wrong. */
ERR_MUST_USE enum err import_plan_make(const struct json *spec, const char *dir, struct str tenant,
                                       struct arena *arena, struct import_plan *out,
                                       struct why *why);
/* The spec alone, without looking at files. */
ERR_MUST_USE enum err import_spec_check(const struct json *spec, struct why *why);

#endif
