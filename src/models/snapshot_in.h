/*
 * models/snapshot_in - what the files that build a snapshot share; nobody else includes it.
 *
 *   snapshot_models (cards, versions) -> snapshot_targets -> snapshot_routes, one after the other
 *   under one reading transaction; snapshot counts who holds a route and keeps it fresh.
 */
#ifndef MODELS_SNAPSHOT_IN_H
#define MODELS_SNAPSHOT_IN_H

#include "core/map.h"
#include "models/models_in.h"

#define SNAPSHOT_MEMORY ((size_t)256 << 20)

struct version {
    struct str id, card, label, full, tokenizer;
    int64_t context;
    const struct models_target *targets;
    size_t n;
    bool retired;
};

struct card {
    struct str id, name, title, grants, price_key;
    enum models_modality modality;
    struct version *newest; /* the newest that is not retired */
    int64_t created_ms;
    bool retired;
};

/* A route knows its snapshot; the part behind is what others see. */
struct owned {
    struct snapshot *snapshot;
    struct models_route route;
};

struct snapshot {
    struct models *models;
    struct arena *arena;
    int refs; /* under models->lock */
    int64_t generation;
    struct map routes;     /* name -> struct owned * */
    struct owned **listed; /* aliases, then models; each sorted by name */
    size_t n_listed;
    struct models_state **states;
    size_t n_states, cap_states;
    /* while it is built */
    struct map cards, versions, by_name; /* id -> card, id -> version, "model:label" -> version */
};

ERR_MUST_USE enum err snapshot_read_models(struct snapshot *s, struct store_tx *tx,
                                           struct why *why);
ERR_MUST_USE enum err snapshot_read_targets(struct snapshot *s, struct store_tx *tx,
                                            struct why *why);
ERR_MUST_USE enum err snapshot_make_routes(struct snapshot *s, struct store_tx *tx,
                                           struct why *why);

/* ---- snapshot_models ---- */
ERR_MUST_USE enum err snapshot_no_memory(struct why *why);
struct card *snapshot_card(struct snapshot *s, struct str id);       /* NULL: none */
struct version *snapshot_version(struct snapshot *s, struct str id); /* NULL: none */

#endif
