/*
 * acquire - collectors: what fetches data from elsewhere into data sets, again and again.
 *
 *     collector (kind, settings, papers, schedule) -> run (a job) -> records -> writer of room data
 *
 * A collector is a named definition; its kinds stand in kinds.def: files, SQLite and PostgreSQL
 * databases, HTTP APIs, web sites, documents of a knowledge base, the log of model calls, feedback.
 * Each run appends what is new or changed as one version, with a collection record for each source;
 * a run that finds nothing new makes none. A run that is killed goes on from its last mark.
 *
 * Secrets (passwords, headers) are sealed in the store under <data>/acquire.key and never shown.
 * Addresses inside the city's network are refused unless acquire.networks names them.
 *
 * Everything checks data.read (to see) or data.write (to make, change, run) of `who` and is in the
 * ledger. Threads: any. Errors common to all: ERR_FORBIDDEN, ERR_NOT_FOUND (also for what belongs
 * to another tenant), ERR_INVALID (why names the member), those of the store. Owns acquire_*.
 */
#ifndef ACQUIRE_ACQUIRE_H
#define ACQUIRE_ACQUIRE_H

#include "compute/compute.h"
#include "core/json.h"
#include "core/str.h"
#include "ops/ops.h"
#include "store/store.h"

struct acquire;
struct arena;
struct conf;
struct conf_table;
struct data;
struct gateway;
struct http_table;
struct knowledge;

extern const struct store_migration acquire_migrations[];
extern const size_t acquire_n_migrations;
extern const struct conf_table acquire_conf;
extern const struct job_kind acquire_run_job; /* of a collector */
extern const struct job_kind acquire_try_job; /* its first records, nothing is kept */

struct acquire_opts {
    struct store *store;
    struct ops *ops;
    struct compute *compute;
    struct data *data;
    struct knowledge *knowledge; /* NULL: no collectors of its documents and feedback */
    struct gateway *gateway;     /* NULL: none of its log */
    const struct conf *conf;
    const char *data_dir;
};
ERR_MUST_USE enum err acquire_open(const struct acquire_opts *opts, struct acquire **out,
                                   struct why *why);
void acquire_close(struct acquire *acquire); /* NULL is fine */
const struct http_table *acquire_routes(struct acquire *acquire);

/* A thread (in `serve`) that starts what is due: looked for every 5 seconds, by one of the servers
 * on the database. A run that is missed while nobody serves is made up for once. */
ERR_MUST_USE enum err acquire_start(struct acquire *acquire, struct why *why);
void acquire_stop(struct acquire *acquire);
/* Starts what is due at this moment (the thread's work); *n counts them. */
ERR_MUST_USE enum err acquire_tick(struct acquire *acquire, int64_t now_ms, size_t *n,
                                   struct why *why);

/* ---- collectors; `name` may be the id ---- */

void acquire_kinds_json(struct json_out *out); /* as GET /api/collector_kinds */
/* `body` as POST /api/collectors takes it; the collector is written to `out`. */
ERR_MUST_USE enum err acquire_create(struct acquire *acquire, const struct ops_identity *who,
                                     const struct json *body, struct arena *arena,
                                     struct json_out *out, struct why *why);
/* Only the members that are named change. revision -1: whatever it is now, else ERR_PRECONDITION
 * when somebody else was faster. Who changes it owns it: it then runs with their rights. */
ERR_MUST_USE enum err acquire_change(struct acquire *acquire, const struct ops_identity *who,
                                     struct str name, const struct json *body, int64_t revision,
                                     struct arena *arena, struct json_out *out, struct why *why);
ERR_MUST_USE enum err acquire_remove(struct acquire *acquire, const struct ops_identity *who,
                                     struct str name, struct why *why);
/* Forgets how far it has read: the next run reads everything. */
ERR_MUST_USE enum err acquire_reset(struct acquire *acquire, const struct ops_identity *who,
                                    struct str name, struct arena *arena, struct json_out *out,
                                    struct why *why);
ERR_MUST_USE enum err acquire_list_json(struct acquire *acquire, const struct ops_identity *who,
                                        struct arena *arena, struct json_out *out, struct why *why);
/* *revision may be NULL. */
ERR_MUST_USE enum err acquire_show_json(struct acquire *acquire, const struct ops_identity *who,
                                        struct str name, int64_t *revision, struct arena *arena,
                                        struct json_out *out, struct why *why);
ERR_MUST_USE enum err acquire_runs_json(struct acquire *acquire, const struct ops_identity *who,
                                        struct str name, size_t limit, struct arena *arena,
                                        struct json_out *out, struct why *why);

/* ---- runs: both queue a job ---- */

/* While a run of it is queued or under way, that one is given. */
ERR_MUST_USE enum err acquire_run(struct acquire *acquire, const struct ops_identity *who,
                                  struct str name, char job[UUID_TEXT], struct why *why);
/* The first records of a definition that is given as for acquire_create(), or of {"id": name}. The
 * job's result: {"records", "sources", "n_bad", "bad": [{"item", "why"}]}. */
ERR_MUST_USE enum err acquire_try(struct acquire *acquire, const struct ops_identity *who,
                                  const struct json *body, char job[UUID_TEXT], struct why *why);

#endif
