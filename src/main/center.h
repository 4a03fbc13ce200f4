/*
 * main/center - the rooms of one data directory, opened in order and closed in the reverse.
 *
 * The only place that knows every room: tables of configuration keys, migrations, job kinds and
 * routes are collected here. A command opens what it needs with one call.
 */
#ifndef MAIN_CENTER_H
#define MAIN_CENTER_H

#include "acquire/acquire.h"
#include "annotate/annotate.h"
#include "compute/compute.h"
#include "core/conf.h"
#include "data/data.h"
#include "eval/eval.h"
#include "gateway/gateway.h"
#include "http/http.h"
#include "knowledge/knowledge.h"
#include "models/models.h"
#include "meter/meter.h"
#include "objects/objects.h"
#include "ops/ops.h"
#include "privacy/privacy.h"
#include "release/release.h"
#include "store/store.h"
#include "synth/synth.h"

#define CENTER_MOST_SETS 64

/* What stands before the command on the command line. */
struct center_opts {
    const char *data;   /* the data directory */
    const char *config; /* configuration file; NULL: <data>/yicheng.conf when there is one */
    const char *sets[CENTER_MOST_SETS]; /* "key=value" */
    size_t n_sets;
    bool json;           /* programs read the output */
    const char *program; /* how this binary can be started again */
};

struct center {
    struct arena *arena; /* lives as long as the center */
    const struct center_opts *opts;
    const struct conf *conf;
    struct store *store;
    struct objects *objects;
    struct ops *ops;
    struct compute *compute;
    struct models *models;
    struct privacy *privacy;
    struct data *data;
    struct annotate *annotate;
    struct release *release;
    struct knowledge *knowledge;
    struct meter *meter;
    struct eval *eval;
    struct gateway *gateway;
    struct synth *synth;
    struct acquire *acquire;
    struct http_loops *loops;   /* event threads of the server and the gateway */
    struct ops_identity system; /* who a command acts as */
    bool first_start;           /* the database was empty */
};

enum center_depth {
    CENTER_CONF,  /* the configuration only; nothing is made */
    CENTER_STORE, /* the store, not migrated */
    CENTER_ALL    /* everything, migrated */
};

/* ERR_CONFLICT when the data was written by a newer program. */
ERR_MUST_USE enum err center_open(const struct center_opts *opts, enum center_depth depth,
                                  struct center *out, struct why *why);
void center_close(struct center *center);

/* Every room's migrations in order, and the tables of routes (n <= CENTER_MOST_TABLES). */
#define CENTER_MOST_TABLES 24
void center_migrations(const struct store_migration **out, size_t *n, struct arena *arena);
size_t center_routes(struct center *center, struct http_table out[CENTER_MOST_TABLES]);

#endif
