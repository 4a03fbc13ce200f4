/*
 * models/models_in - what the files of this room share; nobody else includes it.
 */
#ifndef MODELS_MODELS_IN_H
#define MODELS_MODELS_IN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/arena.h"
#include "core/secret.h"
#include "models/models.h"

#define MODELS_MOST_NAME      100 /* bytes of a name */
#define MODELS_MOST_TARGETS   16  /* of one arm */
#define MODELS_MOST_ARMS      8
#define MODELS_MOST_FALLBACKS 8
#define MODELS_PATH           4096

struct row_kind;
struct snapshot;
struct supervisor;
struct vocabularies;

struct models {
    struct store *store;
    struct objects *objects;
    struct ops *ops;
    struct compute *compute;
    const struct conf *conf;
    const char *program;
    struct arena *arena;
    char data_dir[MODELS_PATH / 4];
    char folder[MODELS_PATH / 2]; /* files that the API may import from */
    char place[MODELS_PATH];      /* "<host>:<data dir>": whose engines this machine can reach */
    struct secret_key key;
    struct models_door door;

    pthread_mutex_t lock; /* snapshot, states */
    struct snapshot *snapshot;
    int64_t looked_ns; /* when the generation was last asked for */
    bool building;     /* a thread is making the next snapshot */
    pthread_cond_t built;
    atomic_uint outdated; /* how often this process changed something */
    unsigned
        heeded; /* what `outdated` was when the snapshot was last looked after; under the lock */
    struct models_state *states;

    pthread_t watcher;
    bool watching;
    pthread_mutex_t watch_lock;
    pthread_cond_t watch_wake;
    bool watch_stop;

    _Atomic(struct supervisor *) supervisor; /* NULL when it does not run here */
    struct vocabularies *vocabularies;
};

/* ---- fields.c: what a body may hold, as a table ---- */

enum field_kind {
    FIELD_TEXT,   /* least .. most bytes of UTF-8 without control characters but line breaks */
    FIELD_INT,    /* least .. most */
    FIELD_BOOL,   /* kept as 0 or 1 */
    FIELD_CHOICE, /* one of `choices`, separated by '|' */
    FIELD_JSON,   /* an array or object, kept as compact text of at most `most` bytes */
    FIELD_SECRET  /* text that goes to a hook and into no column */
};

struct field {
    const char *name; /* in the body, and of the column */
    enum field_kind kind;
    int64_t least, most;
    const char *choices;
    const char *fallback; /* when it is made without; NULL: must be there */
    const char *summary;
    bool fixed; /* given when it is made, never changed */
};

struct field_value {
    bool set; /* stood in the body */
    int64_t i;
    struct str s;
};

/* Reads the members of `body` into values[n]; those that are missing stay as they are, or with
 * `fresh` get their fallback. ERR_INVALID names the member: unknown (with the nearest known one),
 * of another kind, out of range, fixed, or missing. */
ERR_MUST_USE enum err models_fields_read(const struct json *body, const struct field *fields,
                                         size_t n, bool fresh, struct arena *arena,
                                         struct field_value *values, struct why *why);
/* {"type":"object","properties":...}: for the OpenAPI description and the console's form. */
void models_fields_schema(struct json_out *out, const struct field *fields, size_t n);

/* ---- act.c: a change, audited, in one transaction ---- */

struct act {
    struct models *models;
    const struct models_ask *ask;
    struct store_tx *tx;
    struct arena *arena; /* the ask's */
    const char *action;
    bool routes; /* the change touches routes: the generation is raised */
};
/* Checks the permission first. */
ERR_MUST_USE enum err models_act_begin(struct act *act, struct models *models,
                                       const struct models_ask *ask, const char *action,
                                       bool routes, struct why *why);
/* Commits with the entry in the ledger when err is ERR_OK, else rolls back and records a refusal
 * (ERR_FORBIDDEN). Returns err, or what the commit said. `detail`: JSON object or empty. */
ERR_MUST_USE enum err models_act_end(struct act *act, enum err err, struct str object,
                                     struct str detail, struct why *why);
/* {"key": value, ...} of strings; ACT_END ends. */
#define ACT_END ((const char *)0)
struct str models_act_detail(struct arena *arena, ...);
ERR_MUST_USE enum err models_generation_raise(struct store_tx *tx, struct why *why);
/* Ends what this process itself wrote: commits, with `routes` after raising the generation, and has
 * the snapshot looked after; rolls back when `err`. tx may be NULL then. */
ERR_MUST_USE enum err models_commit(struct models *models, struct store_tx *tx, enum err err,
                                    bool routes, struct why *why);
ERR_MUST_USE enum err models_need_read(const struct models_ask *ask, struct why *why);
/* A stored JSON text as a member; `fallback` when it is empty. */
void models_put_stored(struct json_out *out, const char *key, struct str json,
                       const char *fallback);
/* ERR_INVALID unless it is a name: 1 to MODELS_MOST_NAME bytes of letters, digits, Han and other
 * letters, '.', '_', '-', '/', no ':' and no '/' at an end. */
ERR_MUST_USE enum err models_name_check(const char *what, struct str name, struct why *why);

/* ---- card.c ---- */

struct version_ref {
    struct str id, card, model, label, storage, state;
};
/* "model" (its newest version that is not retired), "model:label" or an id. */
ERR_MUST_USE enum err model_version_find(struct store_tx *tx, struct str name, struct arena *arena,
                                         struct version_ref *out, struct why *why);
ERR_MUST_USE enum err models_version_show(struct models *models, const struct models_ask *ask,
                                          struct str id, struct why *why);
/* The card, made when it is missing from `body`'s fields "modality", "title" ...; for imports. */
ERR_MUST_USE enum err card_take(struct act *act, struct str name, const struct json *body,
                                struct str *id, struct why *why);
/* A version of storage "endpoint" of that model, made when missing: what an endpoint or an edge
 * stands for. `name` is "model" or "model:label". */
ERR_MUST_USE enum err version_take(struct act *act, struct str name, const struct json *card,
                                   struct str *id, struct why *why);
/* Who uses the version: words, empty when nobody does. */
ERR_MUST_USE enum err version_uses(struct store_tx *tx, struct str id, struct arena *arena,
                                   struct str *words, struct why *why);

/* What an import knows of the file. */
struct version_facts {
    struct str label; /* empty: the next number */
    const char *storage;
    struct str object, path, sha256, sm3, architecture, quantisation, header, lineage, notes;
    int64_t bytes, parameters, context, embedding;
    bool vocabulary, template;
};
ERR_MUST_USE enum err version_insert(struct act *act, struct str card,
                                     const struct version_facts *facts, struct str *id,
                                     struct str *label, struct why *why);

/* ["tenant name or id", ...] as ids. */
ERR_MUST_USE enum err models_grants_resolve(struct models *models, struct str json,
                                            struct arena *arena, struct str *out, struct why *why);
/* Free among models and aliases. */
ERR_MUST_USE enum err model_name_free(struct store_tx *tx, struct str name, struct arena *arena,
                                      struct why *why);
/* The checked "name" of a body, and the rest of it. */
ERR_MUST_USE enum err models_body_name(const struct json *body, const char *what,
                                       struct arena *arena, struct str *name,
                                       const struct json **rest, struct why *why);

/* ---- endpoint.c ---- */
/* The opened key and header lines ("Name: value\n" each). */
ERR_MUST_USE enum err endpoint_secrets(struct models *models, struct str id, struct str key_sealed,
                                       struct str headers_sealed, struct arena *arena,
                                       struct str *key, struct str *lines, struct why *why);
/* An address that calls may go to; without a last "/" or "/v1". */
ERR_MUST_USE enum err models_base_url_check(struct str *url, struct why *why);

/* ---- policy.c: what an alias says, as JSON ---- */

struct policy_target {
    struct str model; /* "model" or "model:label" */
    int64_t weight;
};
struct policy_arm {
    struct str name;
    int64_t share;
    const struct policy_target *targets;
    size_t n;
};
struct policy {
    struct str title;
    const struct policy_arm *arms;
    size_t n_arms;
    const struct str *fallbacks;
    size_t n_fallbacks;
    bool cache, sticky, maintenance;
    int64_t cache_ttl_ms, context;
    struct str maintenance_words, price_key, tokenizer;
    const struct str *grants; /* tenants: as given, ids once stored */
    size_t n_grants;
};
/* Pure; the strings are borrowed from the document. ERR_INVALID names the member. */
ERR_MUST_USE enum err policy_read(const struct json *body, struct arena *arena, struct policy *out,
                                  struct why *why);
/* The members of `change` put over those of `base` (either may be NULL): targets replace arms and
 * the other way round. */
ERR_MUST_USE enum err policy_merge(const struct json *base, const struct json *change,
                                   struct arena *arena, struct str *out, struct why *why);

/* ---- the nouns; each file one ---- */

struct noun {
    const char *word;           /* "endpoint" */
    const struct row_kind *row; /* lists and shows it, where items and show are NULL */
    enum err (*items)(struct models *, const struct models_ask *, const struct json *filter,
                      struct why *);
    enum err (*show)(struct models *, const struct models_ask *, struct str name, struct why *);
    enum err (*make)(struct models *, const struct models_ask *, const struct json *, struct why *);
    enum err (*change)(struct models *, const struct models_ask *, struct str name,
                       const struct json *, struct why *);
    enum err (*remove)(struct models *, const struct models_ask *, struct str name, struct why *);
    const struct field *fields;
    size_t n_fields;
};
extern const struct noun noun_model, noun_alias, noun_endpoint, noun_deployment, noun_edge;

/* ---- row.c: what the nouns with one row have in common ---- */

struct row_kind {
    const char *word, *table;
    const struct field *fields;
    size_t n_fields; /* that are columns */
    size_t n_body;   /* that a body may hold; the columns come first */
    /* What `put` writes: "SELECT ... FROM table x JOIN ..." without WHERE, the x, and the place of
     * the revision. */
    const char *select, *letter;
    size_t revision;
    /* One row as a JSON object; `once`: a secret that is shown when it is made, else empty. */
    enum err (*put)(struct models *models, struct store_tx *tx, const struct models_ask *ask,
                    const struct store_rows *rows, size_t i, struct str once, struct why *why);
};
/* {"items": [...]} by name, one by its name, one by its id inside a change. */
ERR_MUST_USE enum err models_row_items(struct models *models, const struct row_kind *kind,
                                       const struct models_ask *ask, struct why *why);
ERR_MUST_USE enum err models_row_show(struct models *models, const struct row_kind *kind,
                                      const struct models_ask *ask, struct str name,
                                      struct why *why);
ERR_MUST_USE enum err models_row_answer(struct act *act, const struct row_kind *kind, struct str id,
                                        struct str once, struct why *why);
/* The beginning of a change that is named "models.<word>.<verb>" in the ledger: of a new row (its
 * name is checked, its body read into values), of one that is there (found, its revision checked).
 * Whatever they return, models_row_end follows. */
ERR_MUST_USE enum err models_row_new(struct act *act, struct models *models,
                                     const struct row_kind *kind, const struct models_ask *ask,
                                     const struct json *body, struct field_value *values,
                                     struct str *id, struct str *name, struct why *why);
ERR_MUST_USE enum err models_row_begin(struct act *act, struct models *models,
                                       const struct row_kind *kind, const struct models_ask *ask,
                                       const char *verb, struct str name, struct str *id,
                                       struct why *why);
/* Answers with the row when there is no error yet, and ends the change. */
ERR_MUST_USE enum err models_row_end(struct act *act, const struct row_kind *kind, enum err err,
                                     struct str id, struct str name, struct why *why);
/* Deletes it; the change is ended. */
ERR_MUST_USE enum err models_row_remove(struct models *models, const struct row_kind *kind,
                                        const struct models_ask *ask, struct str name,
                                        struct why *why);
/* id by name or id. */
ERR_MUST_USE enum err models_row_find(struct store_tx *tx, const struct row_kind *kind,
                                      struct str name, struct arena *arena, struct str *id,
                                      int64_t *revision, struct why *why);
/* Loads the columns of the fields (FIELD_SECRET are left out). */
ERR_MUST_USE enum err models_row_load(struct store_tx *tx, const struct row_kind *kind,
                                      struct str id, struct arena *arena,
                                      struct field_value *values, struct why *why);
/* Writes them, raises the revision and changed_ms. */
ERR_MUST_USE enum err models_row_save(struct store_tx *tx, const struct row_kind *kind,
                                      struct str id, struct arena *arena,
                                      const struct field_value *values, struct why *why);
ERR_MUST_USE enum err models_revision_check(const struct models_ask *ask, int64_t revision,
                                            const char *word, struct why *why);
ERR_MUST_USE enum err models_name_free(struct store_tx *tx, const struct row_kind *kind,
                                       struct str name, struct arena *arena, struct why *why);

/* ---- import.c ---- */
/* What can be said of an import before it is a job. */
ERR_MUST_USE enum err models_import_check(struct models *models, const struct json *body,
                                          struct arena *arena, struct why *why);

/* ---- edge.c: the engine's side, by its token ---- */
enum err edge_register(struct models *models, const struct models_ask *ask, struct str token,
                       const struct json *body, struct why *why);
enum err edge_heartbeat(struct models *models, const struct models_ask *ask, struct str token,
                        struct why *why);
enum err edge_leave(struct models *models, const struct models_ask *ask, struct str token,
                    struct why *why);
/* Those that were not heard of for three heartbeats are lost; for the supervisor. */
enum err edges_sweep(struct models *models, struct why *why);

/* ---- state.c ---- */

struct models_state {
    struct models_state *next;
    char id[UUID_TEXT];
    int refs;                   /* of snapshots; under models->lock */
    atomic_bool draining, look; /* look: the supervisor shall look at once */
    atomic_llong busy, calls, failures, failures_in_row, first_us, last_call_ms, last_failure_ms;
};
/* Under models->lock. */
struct models_state *state_take(struct models *models, struct str id);
void state_drop(struct models *models, struct models_state *state);
/* The one of that id, if any snapshot has it; sets draining / reads busy. */
int64_t state_busy(struct models *models, const char *id);
void state_drain(struct models *models, const char *id, bool draining);
bool state_look(struct models *models, const char *id); /* and clears it */
bool state_health(struct models *models, const char *id, struct models_health *out);
int64_t state_last_call(struct models *models, const char *id);

/* ---- snapshot.c ---- */
void snapshot_wake(struct models *models); /* this process changed something: build it anew */
enum err models_watch_start(struct models *models, struct why *why);
void models_watch_stop(struct models *models);
void snapshot_drop_all(struct models *models);

/* ---- supervise.c ---- */
enum err supervisor_start(struct models *models, struct why *why);
void supervisor_stop(struct models *models, int64_t wait_ms);
/* When another process supervised and is gone: this one does it from now on. */
void supervisor_take_over(struct models *models);
void supervisor_poke(struct models *models);
const char *engine_log_path(const struct models *models, struct str deployment,
                            char out[MODELS_PATH]);

/* ---- tokens.c ---- */
struct vocabularies *vocabularies_new(size_t most);
void vocabularies_free(struct vocabularies *vocabularies);

#endif
