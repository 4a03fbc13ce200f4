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

static enum err open_objects(struct center *c, struct why *why)
{
    const char *folder = file_join(c->arena, c->opts->data, "objects");
    return folder ? objects_open(folder, &c->objects, why)
                  : err_set(why, ERR_NO_MEMORY, "could not hold the options");
}

static enum err open_ops(struct center *c, struct why *why)
{
    return ops_open(c->store, c->conf, &c->ops, why);
}

static enum err open_compute(struct center *c, struct why *why)
{
    struct compute_opts opts = {.store = c->store,
                                .ops = c->ops,
                                .conf = c->conf,
                                .data_dir = c->opts->data,
                                .program = c->opts->program,
                                .program_args = child_args(c)};
    return opts.program_args ? compute_open(&opts, &c->compute, why)
                             : err_set(why, ERR_NO_MEMORY, "could not hold the options");
}

static enum err open_meter(struct center *c, struct why *why)
{
    struct meter_opts opts = {
        .store = c->store, .ops = c->ops, .conf = c->conf, .data_dir = c->opts->data};
    return meter_open(&opts, &c->meter, why);
}

static enum err open_models(struct center *c, struct why *why)
{
    struct models_opts opts = {.store = c->store,
                               .objects = c->objects,
                               .ops = c->ops,
                               .compute = c->compute,
                               .conf = c->conf,
                               .data_dir = c->opts->data,
                               .program = c->opts->program};
    return models_open(&opts, &c->models, why);
}

static enum err open_privacy(struct center *c, struct why *why)
{
    struct privacy_opts opts = {c->store, c->ops, c->opts->data};
    return privacy_open(&opts, &c->privacy, why);
}

static enum err open_data(struct center *c, struct why *why)
{
    struct data_opts opts = {.store = c->store,
                             .objects = c->objects,
                             .compute = c->compute,
                             .ops = c->ops,
                             .conf = c->conf,
                             .data_dir = c->opts->data,
                             .privacy = c->privacy,
                             .models = c->models};
    return data_open(&opts, &c->data, why);
}

static enum err open_annotate(struct center *c, struct why *why)
{
    struct annotate_opts opts = {.store = c->store,
                                 .objects = c->objects,
                                 .ops = c->ops,
                                 .compute = c->compute,
                                 .models = c->models,
                                 .data = c->data,
                                 .data_dir = c->opts->data};
    return annotate_open(&opts, &c->annotate, why);
}

static enum err open_release(struct center *c, struct why *why)
{
    struct release_opts opts = {c->store, c->objects, c->compute,   c->ops,
                                c->data,  c->conf,    c->opts->data};
    return release_open(&opts, &c->release, why);
}

static enum err open_knowledge(struct center *c, struct why *why)
{
    struct knowledge_opts opts = {c->store, c->objects, c->compute, c->conf, c->opts->data, c->ops};
    return knowledge_open(&opts, &c->knowledge, why);
}

static enum err open_eval(struct center *c, struct why *why)
{
    struct eval_room_opts opts = {c->store, c->compute, c->knowledge};
    return eval_open(&opts, &c->eval, why);
}

/* What models answered: data stands below the gateway, so main hands it in. */
static enum err answered_by_model(void *ctx, struct store_tx *tx, const struct ops_identity *who,
                                  struct str model, struct arena *arena, struct data_answered *out,
                                  struct why *why)
{
    struct gateway_answered found = {0};
    enum err err = gateway_answered(tx, who, model, arena, &found, why);
    (void)ctx;
    *out = (struct data_answered){found.model, found.n, found.first_ms, found.last_ms};
    return err;
}

static enum err models_of_answer(void *ctx, const struct ops_identity *who, struct str id,
                                 struct arena *arena, struct data_answered **out, size_t *n,
                                 struct why *why)
{
    struct center *c = ctx;
    struct gateway_answered *found = NULL;
    enum err err = gateway_answer_models(c->store, who, id, arena, &found, n, why);
    if (err)
        return err;
    *out = arena_array(arena, struct data_answered, *n);
    if (!*out)
        return err_set(why, ERR_NO_MEMORY, "could not hold the models of an answer");
    for (size_t i = 0; i < *n; i++)
        (*out)[i] =
            (struct data_answered){found[i].model, found[i].n, found[i].first_ms, found[i].last_ms};
    return ERR_OK;
}

/* Other rooms call models through the gateway, as clients do. */
static enum err open_gateway(struct center *c, struct why *why)
{
    struct models_door door;
    enum err err = http_loops_new((size_t)conf_int(c->conf, "http.event_threads"), &c->loops, why);
    struct gateway_opts opts = {.store = c->store,
                                .ops = c->ops,
                                .knowledge = c->knowledge,
                                .models = c->models,
                                .meter = c->meter,
                                .conf = c->conf,
                                .loops = c->loops};
    if (!err)
        err = gateway_open(&opts, &c->gateway, why);
    if (err)
        return err;
    gateway_door(c->gateway, &door);
    models_set_door(c->models, &door);
    knowledge_set_door(c->knowledge, &door);
    data_set_answers(c->data, &(struct data_answers){c, answered_by_model, models_of_answer});
    return ERR_OK;
}

static enum err open_acquire(struct center *c, struct why *why)
{
    struct acquire_opts opts = {.store = c->store,
                                .ops = c->ops,
                                .compute = c->compute,
                                .data = c->data,
                                .knowledge = c->knowledge,
                                .gateway = c->gateway,
                                .conf = c->conf,
                                .data_dir = c->opts->data};
    return acquire_open(&opts, &c->acquire, why);
}

/* What calls of a model will cost by the price in force: rooms that call models do not see the
 * meter. */
static enum err price_of(void *ctx, const struct ops_identity *who, const struct synth_calls *calls,
                         struct synth_cost *out, struct why *why)
{
    struct center *c = ctx;
    const struct models_route *route = NULL;
    struct arena *arena = arena_new((size_t)1 << 20);
    struct meter_plan plan = {0};
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not look up the price");
    enum err err = models_resolve(c->models, who->tenant, calls->model, &route, why);
    if (!err)
        err = meter_plan_now(c->meter, who->tenant,
                             route->price_key.len ? route->price_key : route->model, arena, &plan,
                             &out->priced, why);
    /* Millions apart from the rest: meter_price() is for what one call can have. */
    const int64_t million = 1000000;
    if (!err && out->priced && calls->n > 0)
        out->micro = calls->prompt_tokens / million * plan.rates.prompt +
                     calls->completion_tokens / million * plan.rates.completion +
                     meter_price(&plan.rates, METER_CHAT, calls->prompt_tokens % million, 0,
                                 calls->completion_tokens % million, 0) +
                     (calls->n - 1) * plan.rates.request;
    out->currency = METER_CURRENCY;
    models_route_free(route);
    arena_free(arena);
    return err;
}

static enum err open_synth(struct center *c, struct why *why)
{
    struct synth_opts opts = {.store = c->store,
                              .compute = c->compute,
                              .data = c->data,
                              .models = c->models,
                              .price = {c, price_of}};
    return synth_open(&opts, &c->synth, why);
}

static void bind_jobs(struct center *c)
{
    const struct {
        const struct job_kind *kind;
        void *room;
    } jobs[] = {
        {&models_import_job, c->models},
        {&models_verify_job, c->models},
        {&knowledge_import_job, c->knowledge},
        {&knowledge_embed_job, c->knowledge},
        {&eval_job, c->eval},
        {&data_import_job, c->data},
        {&data_run_job, c->data},
        {&annotate_prepare_job, c->annotate},
        {&annotate_prelabel_job, c->annotate},
        {&annotate_import_job, c->annotate},
        {&annotate_result_job, c->annotate},
        {&release_report_job, c->release},
        {&release_gate_job, c->release},
        {&release_make_job, c->release},
        {&release_export_job, c->release},
        {&acquire_run_job, c->acquire},
        {&acquire_try_job, c->acquire},
        {&synth_run_job, c->synth},
    };
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++)
        compute_bind(c->compute, jobs[i].kind, jobs[i].room);
}

static enum err open_rooms(struct center *c, struct why *why)
{
    /* each after the rooms that it is given */
    static enum err (*const rooms[])(struct center *, struct why *) = {
        open_objects, open_ops,     open_compute,  open_meter,   open_models,
        open_privacy, open_data,    open_annotate, open_release, open_knowledge,
        open_eval,    open_gateway, open_acquire,  open_synth,
    };
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0] && !err; i++)
        err = rooms[i](c, why);
    if (!err)
        bind_jobs(c);
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
    const struct http_table *tables[] = {ops_routes(c->ops),
                                         compute_routes(c->compute),
                                         models_routes(c->models),
                                         knowledge_routes(c->knowledge),
                                         data_routes(c->data),
                                         release_routes(c->release),
                                         eval_routes(c->eval),
                                         gateway_routes(c->gateway),
                                         meter_routes(c->meter),
                                         gateway_api_routes(c->gateway),
                                         gateway_latency_routes(c->gateway),
                                         annotate_routes(c->annotate),
                                         privacy_routes(c->privacy),
                                         acquire_routes(c->acquire),
                                         synth_routes(c->synth)};
    size_t n = sizeof tables / sizeof tables[0];
    for (size_t i = 0; i < n; i++)
        out[i] = *tables[i];
    return n;
}
