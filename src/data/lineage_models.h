/*
 * data/lineage_models - the end of the lineage: release -> training run -> model -> model made from
 * it, as the versions of models in the registry say themselves.
 *
 * Place in the room: lineage (the graph) -> [lineage_models], lineage_answers (what they answered).
 */
#ifndef DATA_LINEAGE_MODELS_H
#define DATA_LINEAGE_MODELS_H

#include "data/lineage.h"

struct models;
struct origins; /* what the registry says; read when it is first asked for */

/* `models` NULL: nothing is known of models. */
ERR_MUST_USE enum err origins_new(struct models *models, struct store_tx *tx, struct arena *arena,
                                  struct origins **out, struct why *why);
/* Calls `add` for each neighbour of the node: of a release its training runs, or its models that
 * name none; of a run its models; of a model those made from it. Backwards the other way round. */
ERR_MUST_USE enum err
origins_near(struct origins *origins, struct str kind, struct str id, bool forwards,
             enum err (*add)(void *ctx, const char *kind, struct str id, struct why *why),
             void *ctx, struct why *why);

#endif
