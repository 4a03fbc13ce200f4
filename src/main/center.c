#include "main/center.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/log.h"
#include "ledger/ledger.h"

#define CENTER_MEMORY (64u << 20)

static const struct conf_key keys[] = {
    {"log.level", CONF_CHOICE, "info", 0, 0, "debug|info|warn|error", "Least level that is logged"},
    {"log.file", CONF_STR, "", 0, 0, NULL, "File of the log; empty for standard error"},
    {"log.json", CONF_BOOL, "false", 0, 0, NULL, "JSON lines also on a terminal"},
    {"store.url", CONF_SECRET, "", 0, 0, NULL,
     "PostgreSQL URL (postgresql://user:password@host/base); empty for SQLite in the data "
     "directory"},
    {"store.connections", CONF_INT, "8", 2, 256, NULL, "Most connections to the database"},
    {"store.busy_timeout", CONF_DURATION, "10s", 100, 600000, NULL,
     "How long a writer waits for another"},
    {"time.zone_minutes", CONF_INT, "480", -720, 840, NULL, "Minutes east of UTC (480: China)"},
};
static const struct conf_table own_conf = {keys, sizeof keys / sizeof keys[0]};

static enum err load_conf(struct center *c, struct why *why)
{
    const struct conf_table tables[] = {own_conf,     http_conf,      ops_conf,    compute_conf,
                                        models_conf,  knowledge_conf, meter_conf,  data_conf,
                                        release_conf, gateway_conf,   acquire_conf};
    const char *path = c->opts->config;
    if (!path) {
        path = file_join(c->arena, c->opts->data, "yicheng.conf");
        if (path && !file_exists(path))
            path = NULL;
    }
    enum err err = conf_load(tables, sizeof tables / sizeof tables[0], path, c->opts->sets,
                             c->opts->n_sets, c->arena, &c->conf, why);
    if (err)
        return err;
    enum log_level level = LOG_LEVEL_INFO;
    const char *log = conf_str(c->conf, "log.file");
    (void)log_level_parse(str_c(conf_str(c->conf, "log.level")), &level);
    time_set_zone((int)conf_int(c->conf, "time.zone_minutes"));
    return log_open(log[0] ? log : NULL, level, conf_bool(c->conf, "log.json"), why);
}

static enum err open_store(struct center *c, struct why *why)
{
    enum err err = file_make_dirs(c->opts->data, why);
    const char *url = conf_str(c->conf, "store.url");
    if (!url[0])
        url = file_join(c->arena, c->opts->data, "yicheng.db");
    struct store_opts opts = {.url = url,
                              .busy_timeout_ms = conf_int(c->conf, "store.busy_timeout"),
                              .n_connections = (int)conf_int(c->conf, "store.connections")};
    return err ? err : store_open(&opts, &c->store, why);
}

void center_migrations(const struct store_migration **out, size_t *n, struct arena *arena)
{
    const struct {
        const struct store_migration *steps;
        size_t n;
    } rooms[] = {
        {ledger_migrations, ledger_n_migrations},
        {ops_migrations, ops_n_migrations},
        {compute_migrations, compute_n_migrations},
        {models_migrations, models_n_migrations},
        {knowledge_migrations, knowledge_n_migrations},
        {eval_migrations, eval_n_migrations},
        {meter_migrations, meter_n_migrations},
        {data_migrations, data_n_migrations},
        {release_migrations, release_n_migrations},
        {annotate_migrations, annotate_n_migrations},
        {gateway_migrations, gateway_n_migrations},
        {privacy_migrations, privacy_n_migrations},
        {acquire_migrations, acquire_n_migrations},
    };
    size_t total = 0;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        total += rooms[i].n;
    struct store_migration *all = arena_array(arena, struct store_migration, total);
    *out = all;
    *n = 0;
    for (size_t i = 0; all && i < sizeof rooms / sizeof rooms[0]; i++)
        for (size_t k = 0; k < rooms[i].n; k++)
            all[(*n)++] = rooms[i].steps[k];
}

static enum err migrate(struct center *c, struct why *why)
{
    const struct store_migration *steps;
    size_t n, pending = 0;
    center_migrations(&steps, &n, c->arena);
    enum err err = store_migrate(c->store, steps, n, true, &pending, why);
    if (err || pending == 0)
        return err;
    c->first_start = pending == n;
    err = store_migrate(c->store, steps, n, false, &pending, why);
    if (!err)
        LOG_INFO("database migrated", LOG_I("steps", pending));
    return err;
}

/* What children are started with, so that they open the same center. */
static const char *const *child_args(struct center *c)
{
    size_t n = 0;
    const char **args = arena_array(c->arena, const char *, 8 + 2 * c->opts->n_sets);
    if (!args)
        return NULL;
    args[n++] = "--data";
    args[n++] = c->opts->data;
    if (c->opts->config) {
        args[n++] = "--config";
        args[n++] = c->opts->config;
    }
    for (size_t i = 0; i < c->opts->n_sets; i++) {
        args[n++] = "--set";
        args[n++] = c->opts->sets[i];
    }
    return args;
}

static enum err open_rooms(struct center *c, struct why *why)
{
    struct compute_opts compute = {.store = c->store,
                                   .conf = c->conf,
                                   .data_dir = c->opts->data,
                                   .program = c->opts->program,
                                   .program_args = child_args(c)};
    const char *objects = file_join(c->arena, c->opts->data, "objects");
    if (!compute.program_args || !objects)
        return err_set(why, ERR_NO_MEMORY, "could not hold the options");
    enum err err = objects_open(objects, &c->objects, why);
    if (!err)
        err = ops_open(c->store, c->conf, &c->ops, why);
    compute.ops = c->ops;
    if (!err)
        err = compute_open(&compute, &c->compute, why);
    struct meter_opts meter = {
        .store = c->store, .ops = c->ops, .conf = c->conf, .data_dir = c->opts->data};
    if (!err)
        err = meter_open(&meter, &c->meter, why);
    struct models_opts models = {.store = c->store,
                                 .objects = c->objects,
                                 .ops = c->ops,
                                 .compute = c->compute,
                                 .conf = c->conf,
                                 .data_dir = c->opts->data,
                                 .program = c->opts->program};
    if (!err)
        err = models_open(&models, &c->models, why);
    struct privacy_opts privacy = {c->store, c->ops, c->opts->data};
    if (!err)
        err = privacy_open(&privacy, &c->privacy, why);
    struct data_opts data = {c->store, c->objects,    c->compute, c->ops,
                             c->conf,  c->opts->data, c->privacy};
    if (!err)
        err = data_open(&data, &c->data, why);
    struct annotate_opts annotate = {.store = c->store,
                                     .objects = c->objects,
                                     .ops = c->ops,
                                     .compute = c->compute,
                                     .models = c->models,
                                     .data = c->data,
                                     .data_dir = c->opts->data};
    if (!err)
        err = annotate_open(&annotate, &c->annotate, why);
    struct release_opts release = {c->store, c->objects, c->compute,   c->ops,
                                   c->data,  c->conf,    c->opts->data};
    if (!err)
        err = release_open(&release, &c->release, why);
    struct knowledge_opts knowledge = {c->store, c->objects,    c->compute,
                                       c->conf,  c->opts->data, c->ops};
    if (!err)
        err = knowledge_open(&knowledge, &c->knowledge, why);
    struct eval_room_opts eval = {c->store, c->compute, c->knowledge};
    if (!err)
        err = eval_open(&eval, &c->eval, why);
    struct gateway_opts gateway = {.store = c->store,
                                   .ops = c->ops,
                                   .knowledge = c->knowledge,
                                   .models = c->models,
                                   .meter = c->meter,
                                   .conf = c->conf};
    if (!err)
        err = http_loops_new((size_t)conf_int(c->conf, "http.event_threads"), &c->loops, why);
    gateway.loops = c->loops;
    if (!err)
        err = gateway_open(&gateway, &c->gateway, why);
    if (!err) {
        struct models_door door; /* rooms call models as clients do */
        gateway_door(c->gateway, &door);
        models_set_door(c->models, &door);
        knowledge_set_door(c->knowledge, &door);
        compute_bind(c->compute, &models_import_job, c->models);
        compute_bind(c->compute, &models_verify_job, c->models);
        compute_bind(c->compute, &knowledge_import_job, c->knowledge);
        compute_bind(c->compute, &knowledge_embed_job, c->knowledge);
        compute_bind(c->compute, &eval_job, c->eval);
        compute_bind(c->compute, &data_import_job, c->data);
        compute_bind(c->compute, &data_run_job, c->data);
        compute_bind(c->compute, &annotate_prepare_job, c->annotate);
        compute_bind(c->compute, &annotate_prelabel_job, c->annotate);
        compute_bind(c->compute, &annotate_import_job, c->annotate);
        compute_bind(c->compute, &annotate_result_job, c->annotate);
        compute_bind(c->compute, &release_report_job, c->release);
        compute_bind(c->compute, &release_gate_job, c->release);
        compute_bind(c->compute, &release_make_job, c->release);
        compute_bind(c->compute, &release_export_job, c->release);
    }
    struct acquire_opts acquire = {.store = c->store,
                                   .ops = c->ops,
                                   .compute = c->compute,
                                   .data = c->data,
                                   .knowledge = c->knowledge,
                                   .gateway = c->gateway,
                                   .conf = c->conf,
                                   .data_dir = c->opts->data};
    if (!err)
        err = acquire_open(&acquire, &c->acquire, why);
    if (!err) {
        compute_bind(c->compute, &acquire_run_job, c->acquire);
        compute_bind(c->compute, &acquire_try_job, c->acquire);
    }
    struct synth_opts synth = {c->store, c->compute, c->data, c->models};
    if (!err)
        err = synth_open(&synth, &c->synth, why);
    if (!err)
        compute_bind(c->compute, &synth_run_job, c->synth);
    return err;
}

enum err center_open(const struct center_opts *opts, enum center_depth depth, struct center *out,
                     struct why *why)
{
    *out = (struct center){.opts = opts, .arena = arena_new(CENTER_MEMORY), .system = ops_system()};
    if (!out->arena)
        return err_set(why, ERR_NO_MEMORY, "could not begin");
    enum err err = load_conf(out, why);
    if (!err && depth >= CENTER_STORE)
        err = open_store(out, why);
    if (!err && depth >= CENTER_ALL)
        err = migrate(out, why);
    if (!err && depth >= CENTER_ALL)
        err = open_rooms(out, why);
    if (err)
        center_close(out);
    return err;
}

void center_close(struct center *c)
{
    if (c->models)
        models_set_door(c->models, NULL);
    if (c->knowledge)
        knowledge_set_door(c->knowledge, NULL);
    acquire_close(c->acquire);
    synth_close(c->synth);
    gateway_close(c->gateway);
    eval_close(c->eval);
    knowledge_close(c->knowledge);
    annotate_close(c->annotate);
    release_close(c->release);
    data_close(c->data);
    privacy_close(c->privacy);
    models_close(c->models);
    meter_close(c->meter);
    compute_close(c->compute);
    ops_close(c->ops);
    objects_close(c->objects);
    store_close(c->store);
    http_loops_free(c->loops);
    arena_free(c->arena);
    *c = (struct center){0};
}

size_t center_routes(struct center *c, struct http_table out[CENTER_MOST_TABLES])
{
    const struct http_table *tables[] = {
        ops_routes(c->ops),           compute_routes(c->compute),
        models_routes(c->models),     knowledge_routes(c->knowledge),
        data_routes(c->data),         release_routes(c->release),
        eval_routes(c->eval),         gateway_routes(c->gateway),
        meter_routes(c->meter),       gateway_api_routes(c->gateway),
        annotate_routes(c->annotate), privacy_routes(c->privacy),
        acquire_routes(c->acquire),   synth_routes(c->synth)};
    size_t n = sizeof tables / sizeof tables[0];
    for (size_t i = 0; i < n; i++)
        out[i] = *tables[i];
    return n;
}
