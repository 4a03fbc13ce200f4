/*
 * models - the registry of models, where they run, and the way to them (the upstreams).
 *
 * Owns the tables models_*. A model is a card with versions; a version is a GGUF file (an object,
 * or a file left where it is) or an endpoint elsewhere that speaks the OpenAI API. An alias is a
 * name that applications use ("city-chat"): its policy says which versions answer. A deployment
 * runs a version in engine processes of this machine; an edge is an engine elsewhere that
 * registered itself.
 *
 *     card, version, alias, endpoint, deployment, edge   (tables, changed by people, audited)
 *                             |  generation counter
 *                          snapshot                      (immutable, in memory, one per process)
 *                             |  models_resolve
 *                           route                        (targets: where to send a call)
 *
 * Threads: everything here may be called from any thread. Errors common to all that take `who`:
 * ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_INVALID (why names the field), ERR_CONFLICT, ERR_PRECONDITION
 * (If-Match), and those of the store. Strings in results live in the arena that was passed.
 */
#ifndef MODELS_MODELS_H
#define MODELS_MODELS_H

#include "core/hash.h"
#include "core/json.h"
#include "core/str.h"
#include "ops/ops.h"
#include "store/store.h"

struct arena;
struct compute;
struct conf;
struct conf_table;
struct http_table;
struct job_kind;
struct models;
struct objects;

extern const struct store_migration models_migrations[];
extern const size_t models_n_migrations;
extern const struct conf_table models_conf; /* models.folder, models.threads, models.memory ... */

/* ---- open, start ---- */

struct models_opts {
    struct store *store;
    struct objects *objects;
    struct ops *ops;
    struct compute *compute; /* imports and verifications are jobs; NULL: they are not to be had */
    const struct conf *conf;
    const char *data_dir;
    const char *program; /* the binary whose command "engine" runs a model */
};

/* Makes the key file data/models.key (32 random bytes, mode 0600) when it is missing: with it the
 * keys of endpoints are sealed in the store. Without the file they cannot be opened any more, which
 * the endpoint then says; a backup does not hold it. */
ERR_MUST_USE enum err models_open(const struct models_opts *opts, struct models **out,
                                  struct why *why);
void models_close(struct models *models); /* NULL is fine */

/*
 * In `serve`: starts the thread that keeps the snapshot fresh and, unless another process of this
 * data directory supervises already (a lock file), the supervisor of the deployments. Engines are
 * children that die with this process, however it ends; another process then takes over.
 * models_stop() takes all replicas out of the routes, waits up to wait_ms for what they are
 * answering, and ends them.
 */
ERR_MUST_USE enum err models_start(struct models *models, struct why *why);
void models_stop(struct models *models, int64_t wait_ms);

/* Jobs for compute_bind(), with the `struct models` as ctx: "models.import", "models.verify". */
extern const struct job_kind models_import_job, models_verify_job;

const struct http_table *models_routes(struct models *models); /* lives as long as models */

/* ---- the hot path: routes ---- */

/* What a model does. One line: name, what it is called at the door. */
#define MODELS_MODALITY_MAP(X)                                                                     \
    X(CHAT, "chat")                                                                                \
    X(COMPLETION, "completion")                                                                    \
    X(EMBEDDING, "embedding")                                                                      \
    X(RERANK, "rerank")                                                                            \
    X(VISION, "vision")                                                                            \
    X(SPEECH, "speech")
enum models_modality {
#define MODELS_MODALITY(id, name) MODELS_##id,
    MODELS_MODALITY_MAP(MODELS_MODALITY)
#undef MODELS_MODALITY
        MODELS_N_MODALITIES
};
const char *models_modality_name(enum models_modality modality);

enum models_kind {
    MODELS_ENGINE, /* `yicheng engine`, here or on an edge */
    MODELS_OPENAI  /* any other server that speaks the OpenAI API */
};

struct models_state; /* of a target: counters that outlive snapshots; private */

/* One place that answers. Immutable, valid as long as the route it was found in. */
struct models_target {
    struct str id;   /* of the replica, the endpoint or the edge; of the deployment when cold */
    struct str name; /* for people: "qwen-chat/2", "vllm-a" */
    enum models_kind kind;
    struct str base_url; /* up to and without "/v1": "http://127.0.0.1:41231"; empty when cold */
    struct str api_key;  /* secret, never logged; empty: none */
    const char *const *headers; /* n_headers lines "Name: value" to send; may hold secrets */
    size_t n_headers;
    struct str upstream_model; /* what the model is called there */
    struct str model, version; /* of the registry: "qwen2.5-7b", "2" */
    size_t arm;                /* index into route->arms */
    int64_t weight;            /* 1 .. 1000 among the targets of its arm */
    int64_t max_context;       /* tokens; 0: not known */
    int64_t max_busy;          /* calls at once, the engine's own queue counted; 0: no bound */
    int64_t connect_ms, first_ms, between_ms, total_ms; /* time limits; 0: the gateway's own */
    bool cold; /* a deployment that sleeps: models_wake(), then resolve anew */
    struct models_state *state;
};

/* One side of an A/B split; without one there is a single arm of share 100. */
struct models_arm {
    struct str name; /* "a", "b", ... */
    int64_t share;   /* of 100; the shares of a route add up to 100 */
};

struct models_route {
    struct str name;           /* as it was asked for: an alias, "model" or "model:version" */
    struct str alias;          /* id of the alias; empty when a model was named itself */
    struct str model, version; /* of the first arm */
    struct str title;
    enum models_modality modality;
    const struct models_arm *arms; /* n_arms, at least 1 */
    size_t n_arms;
    const struct models_target *targets; /* n_targets; may be none (nothing is deployed) */
    size_t n_targets;
    const struct models_route *const *fallbacks; /* n_fallbacks, in order, none of them twice */
    size_t n_fallbacks;
    bool cache; /* answers may be kept for cache_ttl_ms */
    int64_t cache_ttl_ms;
    bool sticky;                  /* prefer the target that saw the same beginning before */
    bool maintenance;             /* takes no calls; `maintenance_words` say why */
    struct str maintenance_words; /* for people */
    struct str price_key;         /* what the meter looks a price up by; the model's name */
    int64_t max_context;          /* tokens; 0: not known */
    struct str tokenizer;         /* id of the version whose vocabulary counts; may be empty */
    struct str grants;            /* tenants that may use it, separated by ' '; empty: all */
    int64_t created_s;            /* seconds since 1970, for /v1/models */
    int64_t generation;           /* of the snapshot */
};

/*
 * The route of an alias, a "model" or a "model:version", as `tenant` (id) may use it. No database
 * on the way: a map in memory; a change made by this process is seen at once, one of another
 * process within 2 s. Where models_start() does not run (commands, jobs), the snapshot is looked
 * at again when it is older than a second.
 *
 *   Owner   *route belongs to a snapshot that lives until models_route_free()
 *   Errors  ERR_NOT_FOUND  no such name, or not for this tenant (the same words for both)
 *   Cost    a lock held for an addition, one hash look-up
 */
ERR_MUST_USE enum err models_resolve(struct models *models, struct str tenant, struct str name,
                                     const struct models_route **route, struct why *why);
void models_route_free(const struct models_route *route); /* NULL is fine */

/* Every name that `tenant` may use, sorted, for GET /v1/models: aliases, then models. Each route is
 * the caller's as from models_resolve(); the array lives in `arena`. */
ERR_MUST_USE enum err models_list(struct models *models, struct str tenant, struct arena *arena,
                                  const struct models_route ***out, size_t *n, struct why *why);
/* Whether models_resolve() and models_generation() need not wait for the store now. */
bool models_at_hand(struct models *models);
/* Counts up with each change; for caches of what was made from routes. */
int64_t models_generation(struct models *models);

/*
 * One call more (+1) or less (-1) at a target, so that idle stop, drain and bounds know. ERR_BUSY
 * when +1 would pass target->max_busy (then nothing was counted) and ERR_UNAVAILABLE when the
 * target has begun to drain: choose another. -1 always succeeds.
 */
enum err models_busy(const struct models_target *target, int delta, struct why *why);
/* How a call went, for the health shown and for the supervisor, who looks at a replica at once when
 * a call to it failed. first_ms: until the first byte; -1 when none came. */
void models_report(const struct models_target *target, bool ok, int64_t first_ms);

/* What is known of a target. */
struct models_health {
    int64_t busy, calls, failures, failures_in_row;
    int64_t first_ms;     /* moving average until the first byte; -1: no call yet */
    int64_t last_call_ms; /* instant, 0: none */
    int64_t last_failure_ms;
};
void models_health_of(const struct models_target *target, struct models_health *out);

/*
 * Wakes the deployment behind a target that is cold and waits up to wait_ms (0: only asks) until
 * one of its replicas is ready; then resolve anew.
 *
 *   Errors  ERR_TIMEOUT      still starting
 *           ERR_UNAVAILABLE  it could not be started (why says the reason), or nobody supervises
 */
ERR_MUST_USE enum err models_wake(struct models *models, const struct models_target *target,
                                  int64_t wait_ms, struct why *why);

/*
 * Tokens of a text (UTF-8) by the vocabulary of the route's tokenizer. Loaded vocabularies are
 * kept, the ones used last at most models.vocabularies of them. Without one, *estimate is true and
 * *n is one token for each 4 bytes of ASCII and for each other character, rounded up.
 */
ERR_MUST_USE enum err models_count_tokens(struct models *models, const struct models_route *route,
                                          struct str text, int64_t *n, bool *estimate,
                                          struct why *why);

/* The file that holds the vocabulary of a version (route->tokenizer), which never becomes another
 * one: for models_counter_open(). ERR_NOT_FOUND when the registry has no file of it. */
ERR_MUST_USE enum err models_vocabulary_path(struct models *models, struct str version,
                                             struct arena *arena, const char **path,
                                             struct why *why);

/* The same by a vocabulary held alone, for who counts without a registry (data pipelines): a GGUF
 * file, with or without weights. Read-only once open: from any thread. ERR_NOT_FOUND, ERR_INVALID
 * and ERR_UNSUPPORTED as vocab_open_file() in engine. `path` NULL: the estimate alone. */
struct models_counter;
ERR_MUST_USE enum err models_counter_open(const char *path, struct models_counter **out,
                                          struct why *why);
void models_counter_close(struct models_counter *counter); /* NULL is fine */
ERR_MUST_USE enum err models_counter_count(const struct models_counter *counter, struct str text,
                                           int64_t *n, struct why *why);

/* ---- the door: how rooms call a model like any client (metered, limited, logged) ---- */

struct models_door {
    void *ctx;
    enum err (*call)(void *ctx, const struct ops_identity *who, const char *path, struct str body,
                     struct arena *arena, struct str *reply, struct why *why);
};
/* main hands in the gateway's; before anybody calls. `door` is copied; NULL takes it away. */
void models_set_door(struct models *models, const struct models_door *door);
/* path: "chat/completions", "embeddings", "rerank" ...; body and reply: JSON as at /v1. An answer
 * that is an error is an error here, with its words. ERR_UNSUPPORTED when there is no door. */
ERR_MUST_USE enum err models_call(struct models *models, const struct ops_identity *who,
                                  const char *path, struct str body, struct arena *arena,
                                  struct str *reply, struct why *why);

/* ---- the registry: what the API and the command line share ---- */

/*
 * Things are named as people do: a model "qwen2.5-7b", a version "qwen2.5-7b:2", an alias, an
 * endpoint, a deployment or an edge by its name; ids do as well. Bodies are JSON objects with the
 * fields that src/models/README.md and the OpenAPI description list; a field that is missing stays
 * as it was, one that is unknown is ERR_INVALID. Answers are written as one JSON object.
 *
 * if_match: the revision the caller saw, -1 for "whatever"; another one is ERR_PRECONDITION.
 * Everything is audited as models.<noun>.<verb>. Reading asks for model.read, changing for
 * model.manage.
 */
struct models_ask {
    const struct ops_identity *who;
    struct arena *arena;
    int64_t if_match;     /* -1: whatever */
    struct json_out *out; /* the answer; NULL: none wanted */
    int64_t *revision;    /* of what was answered, for ETag; may be NULL */
};

enum models_noun {
    MODELS_MODEL,
    MODELS_ALIAS,
    MODELS_ENDPOINT,
    MODELS_DEPLOYMENT,
    MODELS_EDGE,
    MODELS_N_NOUNS
};

/* {"items": [...]}; every one of a noun in order of names. `filter` (may be NULL) is for models:
 * {"modality", "kind", "retired": true, "find", "after", "limit"}; with a limit "next" is the
 * cursor of the page behind. */
ERR_MUST_USE enum err models_items(struct models *models, const struct models_ask *ask,
                                   enum models_noun noun, const struct json *filter,
                                   struct why *why);
ERR_MUST_USE enum err models_show(struct models *models, const struct models_ask *ask,
                                  enum models_noun noun, struct str name, struct why *why);
/* Makes it; ERR_CONFLICT when the name is taken (models and aliases share their names). An edge's
 * answer holds its "token", which is shown once. */
ERR_MUST_USE enum err models_make(struct models *models, const struct models_ask *ask,
                                  enum models_noun noun, const struct json *body, struct why *why);
/* Changes it. An alias keeps what it was as history; a running deployment is replaced replica by
 * replica when what it runs changed. */
ERR_MUST_USE enum err models_change(struct models *models, const struct models_ask *ask,
                                    enum models_noun noun, struct str name, const struct json *body,
                                    struct why *why);
/* Removes it. A model or version is not removed but retired (models_retire). ERR_CONFLICT while
 * something uses it; a deployment must be stopped. */
ERR_MUST_USE enum err models_remove(struct models *models, const struct models_ask *ask,
                                    enum models_noun noun, struct str name, struct why *why);

/* A version ("model:2") takes other words: evaluations, lineage, tokenizer, notes. */
ERR_MUST_USE enum err models_version_change(struct models *models, const struct models_ask *ask,
                                            struct str name, const struct json *body,
                                            struct why *why);
/* What versions say they were made of, for lineage: the member "lineage" of their cards, a JSON
 * object {"data_releases": [ids], "training_runs": [ids], "base": "model:1"}. Only those that say
 * something; at most 10,000. `tx` may be NULL. The caller has checked who asks. */
struct models_origin {
    struct str name; /* "model:2" */
    struct str lineage;
};
ERR_MUST_USE enum err models_origins(struct models *models, struct store_tx *tx,
                                     struct arena *arena, struct models_origin **out, size_t *n,
                                     struct why *why);

/* Retires a model or a version: it answers no more. ERR_CONFLICT names what still uses it; `force`
 * needs a `reason`. */
ERR_MUST_USE enum err models_retire(struct models *models, const struct models_ask *ask,
                                    struct str name, bool force, struct str reason,
                                    struct why *why);

/* An alias back to what it was before its last change, in one step; twice comes back. */
ERR_MUST_USE enum err models_alias_rollback(struct models *models, const struct models_ask *ask,
                                            struct str name, struct why *why);
/* {"items": [{"number", "policy", "at", "actor", "action"}]}, newest first. */
ERR_MUST_USE enum err models_alias_history(struct models *models, const struct models_ask *ask,
                                           struct str name, struct why *why);

/* A real call: GET /v1/models, and one of the model itself when the body says {"call": true}.
 * Answers {"ok", "status", "ms", "models": [...], "found", "words"}; a probe that failed is an
 * answer, not an error. */
ERR_MUST_USE enum err models_endpoint_test(struct models *models, const struct models_ask *ask,
                                           struct str name, const struct json *body,
                                           struct why *why);

enum models_verb { MODELS_START, MODELS_STOP, MODELS_DRAIN, MODELS_RESTART };
/* Says what a deployment shall do, and returns; the supervisor does it. */
ERR_MUST_USE enum err models_deployment_do(struct models *models, const struct models_ask *ask,
                                           struct str name, enum models_verb verb, struct why *why);
/* The end of what its engines wrote, at most `most` bytes, newest last. */
ERR_MUST_USE enum err models_deployment_log(struct models *models, const struct models_ask *ask,
                                            struct str name, size_t most, struct str *text,
                                            struct why *why);

/*
 * Brings a GGUF file into the registry as a new version, in the caller's thread (the job does it
 * so). body: {"path", "model", "version"?, "store": "object" | "file", and fields of the card for a
 * model that is new}. The header is checked and read (room engine), what it says fills the card;
 * both digests are taken while the file is read. ERR_INVALID with the reason for what is no GGUF.
 * progress (may be NULL) is called now and then; false ends it with ERR_CANCELLED.
 */
struct models_progress {
    void *ctx;
    bool (*tell)(void *ctx, int64_t done, int64_t total);
};
ERR_MUST_USE enum err models_import(struct models *models, const struct models_ask *ask,
                                    const struct json *body, const struct models_progress *progress,
                                    struct why *why);
/* Hashes the version's file again. ERR_CORRUPT when it differs: the version is then marked and no
 * longer deployed. */
ERR_MUST_USE enum err models_verify(struct models *models, const struct models_ask *ask,
                                    struct str name, const struct models_progress *progress,
                                    struct why *why);

#endif
