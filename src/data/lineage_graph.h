/*
 * data/lineage_graph - the lineage as a graph of nodes, found breadth first from where somebody
 * looks.
 *
 *     source -> version -> run -> version -> release -> training -> model -> answers
 *
 * Place in the room: data_edges and data_contents (lineage.h), what the registry says
 * (lineage_models.h) and what models answered (data.h, struct data_answers) -> [lineage_graph].
 * Lives in the arena it was made in; reads in the transaction `tx`, which stays the caller's.
 */
#ifndef DATA_LINEAGE_GRAPH_H
#define DATA_LINEAGE_GRAPH_H

#include "data/lineage.h"

struct graph;

ERR_MUST_USE enum err graph_new(struct data *data, struct store_tx *tx,
                                const struct ops_identity *who, struct arena *arena,
                                struct graph **out, struct why *why);
/* Adds a node; beyond 2,000 the graph is cut. */
void graph_add(struct graph *g, const char *kind, struct str id);
/* One answer with the models that took part in it. */
ERR_MUST_USE enum err graph_add_answer(struct graph *g, struct str id,
                                       const struct data_answered *models, size_t n,
                                       struct why *why);
/* All that is reached from the first node. */
ERR_MUST_USE enum err graph_spread(struct graph *g, enum data_way way, struct why *why);
/* What is behind the nodes that are there: releases, trainings, models, answers, not their runs. */
ERR_MUST_USE enum err graph_behind(struct graph *g, struct why *why);
/* Whether there is more than the first node. */
bool graph_reached(const struct graph *g);

/* {"nodes": [...], "edges": [...], "cut"} */
ERR_MUST_USE enum err graph_json(struct graph *g, struct json_out *out, struct why *why);
/* [{"kind", "id", ...}] without versions and runs; how many models and answers are among them. */
struct graph_sums {
    int64_t n_models, n_answers;
};
void graph_others_json(struct graph *g, struct json_out *out);
struct graph_sums graph_sums(const struct graph *g);

#endif
