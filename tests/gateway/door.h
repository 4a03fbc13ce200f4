/*
 * tests/gateway/door - the gateway on the real server, over the real meter and store, with a
 * registry that is a table here: each model "m" has one target that calls it "m" at the fake
 * upstream, unless the test says otherwise.
 */
#ifndef TESTS_GATEWAY_DOOR_H
#define TESTS_GATEWAY_DOOR_H

#include "gateway/upstream.h"
#include "http/fixture.h"

#include "gateway/gateway.h"
#include "gateway/gateway_in.h"
#include "knowledge/knowledge.h"
#include "ledger/ledger.h"
#include "meter/meter.h"
#include "models/models.h"
#include "ops/ops.h"
#include "support/test_store.h"

/* ---- the registry ---- */

#define MOST_ROUTES  32
#define MOST_TARGETS 4

struct fake_target {
    struct models_target target;
    char url[64];
    atomic_int busy, most_busy, calls, failed;
};
struct fake_route {
    struct models_route route;
    struct models_target targets[MOST_TARGETS];
    struct models_arm arms[2];
    const struct models_route *fallbacks[3];
};
static struct fake_route fake_routes[MOST_ROUTES];
static size_t n_fake_routes;
static atomic_int fake_busy[MOST_ROUTES][MOST_TARGETS], fake_calls[MOST_ROUTES][MOST_TARGETS];
static atomic_int n_routes_held, n_counted;

static struct fake_route *add_route(const char *name, int port, const char *const *upstream_models)
{
    struct fake_route *r = &fake_routes[n_fake_routes++];
    static char urls[MOST_ROUTES][64];
    char *url = urls[n_fake_routes - 1];
    (void)snprintf(url, 64, "http://127.0.0.1:%d", port);
    *r = (struct fake_route){.route = {.name = str_c(name),
                                       .model = str_c(name),
                                       .version = str_c("1"),
                                       .modality = MODELS_CHAT,
                                       .arms = r->arms,
                                       .n_arms = 1,
                                       .targets = r->targets,
                                       .fallbacks = r->fallbacks,
                                       .price_key = str_c(name)},
                             .arms = {{STR_INIT("a"), 100}}};
    for (size_t i = 0; upstream_models[i]; i++) {
        static char ids[MOST_ROUTES][MOST_TARGETS][32];
        char *id = ids[n_fake_routes - 1][i];
        (void)snprintf(id, 32, "%s-%zu", name, i);
        r->targets[i] = (struct models_target){.id = str_c(id),
                                               .name = str_c(id),
                                               .kind = MODELS_OPENAI,
                                               .base_url = str_c(url),
                                               .api_key = STR("sk-secret"),
                                               .upstream_model = str_c(upstream_models[i]),
                                               .weight = 1};
        atomic_store(&fake_busy[n_fake_routes - 1][i], 0);
        atomic_store(&fake_calls[n_fake_routes - 1][i], 0);
        r->route.n_targets = i + 1;
    }
    return r;
}

enum err models_resolve(struct models *models, struct str tenant, struct str name,
                        const struct models_route **route, struct why *why)
{
    (void)models;
    if (!str_eq_c(tenant, "stranger"))
        for (size_t i = 0; i < n_fake_routes; i++)
            if (str_eq(fake_routes[i].route.name, name)) {
                *route = &fake_routes[i].route;
                atomic_fetch_add(&n_routes_held, 1);
                return ERR_OK;
            }
    return err_set(why, ERR_NOT_FOUND, "no such model");
}

void models_route_free(const struct models_route *route)
{
    if (route)
        atomic_fetch_sub(&n_routes_held, 1);
}

enum err models_list(struct models *models, struct str tenant, struct arena *arena,
                     const struct models_route ***out, size_t *n, struct why *why)
{
    (void)models, (void)tenant, (void)why;
    *out = arena_array(arena, const struct models_route *, MOST_ROUTES);
    for (*n = 0; *n < n_fake_routes; (*n)++)
        (*out)[*n] = &fake_routes[*n].route;
    atomic_fetch_add(&n_routes_held, (int)*n);
    return ERR_OK;
}

bool models_at_hand(struct models *models)
{
    (void)models;
    return true;
}

int64_t models_generation(struct models *models)
{
    (void)models;
    return 1;
}

static void place_of(const struct models_target *target, size_t *route, size_t *at)
{
    for (*route = 0; *route < n_fake_routes; (*route)++)
        for (*at = 0; *at < MOST_TARGETS; (*at)++)
            if (target == &fake_routes[*route].targets[*at])
                return;
    abort();
}

enum err models_busy(const struct models_target *target, int delta, struct why *why)
{
    size_t r, t;
    (void)why;
    place_of(target, &r, &t);
    int before = atomic_fetch_add(&fake_busy[r][t], delta);
    if (delta > 0 && target->max_busy && before >= target->max_busy) {
        atomic_fetch_sub(&fake_busy[r][t], delta);
        return ERR_BUSY;
    }
    if (delta > 0)
        atomic_fetch_add(&fake_calls[r][t], 1);
    return ERR_OK;
}

void models_report(const struct models_target *target, bool ok, int64_t first_ms)
{
    (void)target, (void)ok, (void)first_ms;
}

enum err models_wake(struct models *models, const struct models_target *target, int64_t wait_ms,
                     struct why *why)
{
    (void)models, (void)target, (void)wait_ms;
    return err_set(why, ERR_UNAVAILABLE, "nobody supervises");
}

/* A word is a token. */
enum err models_count_tokens(struct models *models, const struct models_route *route,
                             struct str text, int64_t *n, bool *estimate, struct why *why)
{
    bool in = false;
    (void)models, (void)route, (void)why;
    *n = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool space = text.ptr[i] == ' ' || text.ptr[i] == '\n';
        *n += !space && !in;
        in = !space;
    }
    *estimate = false;
    atomic_fetch_add(&n_counted, 1);
    return ERR_OK;
}

const char *models_modality_name(enum models_modality modality)
{
    static const char *const names[] = {"chat",   "completion", "embedding",
                                        "rerank", "vision",     "speech"};
    return names[modality];
}

/* ---- no knowledge ---- */

enum err knowledge_bases_json(struct knowledge *k, const struct ops_identity *who,
                              struct arena *arena, struct json_out *out, struct why *why)
{
    (void)k, (void)who, (void)arena, (void)out;
    return err_set(why, ERR_NOT_FOUND, "there is none");
}

enum err knowledge_ask(struct knowledge *k, const struct ops_identity *who,
                       const struct knowledge_ask *ask, struct arena *arena,
                       struct knowledge_answer *out, struct why *why)
{
    (void)k, (void)who, (void)ask, (void)arena, (void)out;
    return err_set(why, ERR_NOT_FOUND, "there is none");
}

/* ---- the door ---- */

struct door {
    struct upstream up;
    struct arena *arena;
    struct store *store;
    struct ops *ops;
    struct meter *meter;
    struct gateway *gateway;
    struct serve serve;
};

/* "Bearer <tenant>"; "nobody" may not call models. */
static enum err door_authorize(void *ctx, struct http_request *req, const struct http_route *route,
                               struct why *why)
{
    struct str key = http_header(req, "Authorization");
    struct ops_identity *who = arena_one(http_arena(req), struct ops_identity);
    (void)ctx, (void)route;
    if (!str_starts(key, STR("Bearer ")))
        return err_set(why, ERR_UNAUTHENTICATED, "the API key is not valid");
    *who = (struct ops_identity){.kind = STR("key"),
                                 .id = STR("key-1"),
                                 .user = STR("user-1"),
                                 .name = STR("a key"),
                                 .tenant = str_from(key, 7),
                                 .address = STR("127.0.0.1"),
                                 .trace = str_c(http_trace_id(req)),
                                 .permissions = str_eq_c(key, "Bearer nobody") ? 0 : UINT64_MAX};
    http_set_identity(req, who);
    return ERR_OK;
}

static bool door_open(struct door *d, const char *const *sets)
{
    const struct conf_table tables[] = {gateway_conf, meter_conf, ops_conf};
    const char *all[24] = {"meter.commit=20ms", "gateway.queue_time=20s"};
    const struct conf *conf;
    struct store_migration steps[24];
    struct why why = {0};
    size_t n = 2, n_steps = 0;
    static const char *const models[] = {
        "ok",    "quiet", "slow",    "s500",       "s429",  "s400",   "s401",   "dies",
        "hangs", "short", "garbage", "half_event", "error", "breaks", "stalls", "floods"};
    for (size_t i = 0; sets && sets[i]; i++)
        all[n++] = sets[i];
    memset(d, 0, sizeof *d);
    d->store = test_store_fresh(TEST_ENGINE, 6, 20000);
    if (!d->store)
        return false;
    upstream_open(&d->up);
    d->arena = arena_new(64 << 20);
    CHECK_OK(conf_load(tables, 3, NULL, all, n, d->arena, &conf, &why), &why);
    for (size_t i = 0; i < ledger_n_migrations; i++)
        steps[n_steps++] = ledger_migrations[i];
    for (size_t i = 0; i < ops_n_migrations; i++)
        steps[n_steps++] = ops_migrations[i];
    for (size_t i = 0; i < meter_n_migrations; i++)
        steps[n_steps++] = meter_migrations[i];
    for (size_t i = 0; i < gateway_n_migrations; i++)
        steps[n_steps++] = gateway_migrations[i];
    CHECK_OK(store_migrate(d->store, steps, n_steps, false, NULL, &why), &why);
    CHECK_OK(ops_open(d->store, conf, &d->ops, &why), &why);
    struct meter_opts meter = {
        .store = d->store, .ops = d->ops, .conf = conf, .data_dir = test_store_dir()};
    CHECK_OK(meter_open(&meter, &d->meter, &why), &why);
    struct gateway_opts opts = {.store = d->store,
                                .ops = d->ops,
                                .models = (struct models *)d, /* not looked into */
                                .meter = d->meter,
                                .conf = conf};
    CHECK_OK(gateway_open(&opts, &d->gateway, &why), &why);
    n_fake_routes = 0;
    atomic_store(&n_counted, 0);
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        (void)add_route(models[i], d->up.port, (const char *const[]){models[i], NULL});
    struct http_opts http = {
        .tables = gateway_routes(d->gateway), .n_tables = 1, .authorize = door_authorize};
    d->serve = serve_start(&http, (const char *[]){"http.connections_per_address=4096", NULL});
    return true;
}

/* Everything is settled, nothing is held, nobody is inside. */
static void door_close(struct door *d)
{
    serve_stop(&d->serve, 5000);
    gateway_close(d->gateway);
    meter_close(d->meter);
    ops_close(d->ops);
    CHECK(upstream_close(&d->up));
    CHECK_EQ(atomic_load(&n_routes_held), 0);
    for (size_t r = 0; r < n_fake_routes; r++)
        for (size_t t = 0; t < MOST_TARGETS; t++)
            CHECK_EQ(atomic_load(&fake_busy[r][t]), 0);
    test_store_done(d->store);
    arena_free(d->arena);
}

#define DOOR(var, ...)                                                                             \
    struct door var;                                                                               \
    if (!door_open(&var, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}))                  \
    SKIP(test_store_skip())

/* ---- calls ---- */

struct said {
    int status;
    struct str body, headers;
};

static struct said call_as(struct door *d, const char *tenant, const char *path, const char *body)
{
    struct http_answer answer = {0};
    struct why why = {0};
    struct str key = str_printf(d->arena, "Authorization: Bearer %s", tenant);
    const char *headers[] = {"Content-Type: application/json", key.ptr};
    struct http_call call = {
        .method = body ? "POST" : "GET",
        .url = str_printf(d->arena, "http://127.0.0.1:%d/v1/%s", d->serve.port, path).ptr,
        .headers = headers,
        .n_headers = 2,
        .body = str_c(body),
        .connect_ms = 5000,
        .total_ms = 60000,
        .most = 8 << 20};
    CHECK_OK(http_fetch(&call, d->arena, &answer, &why), &why);
    return (struct said){answer.status, answer.body, answer.headers};
}

static struct said chat(struct door *d, const char *model, const char *more)
{
    struct str body = str_printf(d->arena,
                                 "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":"
                                 "\"say it now\"}]%s}",
                                 model, more ? more : "");
    return call_as(d, "city", "chat/completions", body.ptr);
}

static bool says(struct said said, const char *part)
{
    return str_find(said.body, str_c(part)) != STR_NPOS;
}

static struct str header_of(struct said said, const char *name)
{
    struct http_answer answer = {.headers = said.headers};
    return http_answer_header(&answer, name);
}

/* A request whose answer the test reads by itself. */
static int ask_raw(struct door *d, const char *tenant, const char *model, const char *more)
{
    char body[1024], text[2048];
    (void)snprintf(
        body, sizeof body,
        "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"say it now\"}]%s}", model,
        more);
    int n = snprintf(text, sizeof text,
                     "POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     tenant, strlen(body), body);
    int fd = raw_open(d->serve.port);
    CHECK(raw_send(fd, text, (size_t)n));
    return fd;
}

/* ---- what the meter wrote ---- */

struct line_sums {
    int64_t n, prompt, cached, completion;
};

static struct line_sums lines(struct door *d, const char *where)
{
    struct store_rows rows;
    struct why why = {0};
    struct str sql =
        str_printf(d->arena,
                   "SELECT COUNT(*), COALESCE(SUM(prompt), 0), COALESCE(SUM(cached), 0),"
                   " COALESCE(SUM(completion), 0) FROM meter_lines WHERE %s",
                   where);
    CHECK_OK(meter_flush(d->meter, 20000, &why), &why);
    CHECK_OK(store_ask(d->store, sql.ptr, STORE_NO_ARGS, d->arena, &rows, &why), &why);
    return (struct line_sums){store_int(&rows, 0, 0), store_int(&rows, 0, 1),
                              store_int(&rows, 0, 2), store_int(&rows, 0, 3)};
}

static bool wait_lines(struct door *d, const char *where, int64_t n)
{
    for (int i = 0; i < 500 && lines(d, where).n != n; i++)
        time_sleep_ms(20);
    return lines(d, where).n == n;
}

#endif
