/* Deployments that really start processes: a fake engine that can be told to misbehave. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "http/http.h"
#include "models/registry.h"

#define FAKE YICHENG_BUILD_ROOT "/tests/models/fake_engine"
#define SOON 20000 /* ms that anything may take on a loaded machine */

static const char *const sets[] = {"models.threads=4", "models.health_every=100ms",
                                   "models.drain=20s", "models.start_timeout=20s"};

static void import_tiny(struct registry *r, const char *model)
{
    char path[4300];
    struct why why = {0};
    struct models_ask a = {.who = &r->system, .arena = r->arena, .if_match = -1};
    (void)snprintf(path, sizeof path, "%s/%s.gguf", r->dir, model);
    CHECK_OK(engine_make_random(
                 &(struct engine_random){.shape = "tiny", .kind = GGUF_TENSOR_F16, .seed = 1}, path,
                 &why),
             &why);
    const struct json *body =
        parse(r, str_printf(r->arena, "{\"path\":\"%s\",\"model\":\"%s\"}", path, model).ptr);
    CHECK_OK(models_import(r->models, &a, body, NULL, &why), &why);
}

static bool open_started(struct registry *r)
{
    struct why why = {0};
    if (!registry_open_with(r, FAKE, sets, sizeof sets / sizeof sets[0]))
        return false;
    if (log_open(NULL, LOG_LEVEL_ERROR, true, NULL) != ERR_OK)
        abort();
    import_tiny(r, "tiny");
    CHECK_OK(models_start(r->models, &why), &why);
    return true;
}
#define STARTED(r)                                                                                 \
    struct registry r;                                                                             \
    if (!open_started(&r))                                                                         \
    SKIP(test_store_skip())

static void deploy(struct registry *r, const char *name, const char *rest)
{
    (void)must(r, MAKE, MODELS_DEPLOYMENT, "",
               str_printf(r->arena, "{\"name\":\"%s\",\"version\":\"tiny\"%s}", name, rest).ptr);
    (void)must(r, DO, MODELS_START, name, "");
}

/* The deployment, once `key` is the text (as a JSON value); else as it was at last. */
static const struct json *until(struct registry *r, const char *name, const char *key,
                                const char *text)
{
    const struct json *d = NULL;
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end;) {
        d = must(r, SHOW, MODELS_DEPLOYMENT, name, "");
        if (str_eq_c(text_at(d, key), text))
            return d;
        time_sleep_ms(10);
    }
    printf("# %s: \"%s\" did not become \"%s\": \"%.*s\" \"%.*s\"\n", name, key, text,
           STR_FMT(text_at(d, key)), STR_FMT(text_at(d, "why")));
    tap_failed++;
    return d;
}

static const struct json *replica(const struct json *d, size_t i)
{
    return json_at(json_get(d, "replicas_now"), i);
}

static size_t n_ready(const struct json *d)
{
    size_t n = 0;
    for (size_t i = 0; i < json_len(json_get(d, "replicas_now")); i++)
        n += str_eq_c(text_at(replica(d, i), "state"), "ready");
    return n;
}

static const struct json *until_ready(struct registry *r, const char *name, size_t n)
{
    const struct json *d = NULL;
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end; time_sleep_ms(10)) {
        d = must(r, SHOW, MODELS_DEPLOYMENT, name, "");
        if (n_ready(d) == n && json_len(json_get(d, "replicas_now")) == n)
            return d;
    }
    printf("# %s has %zu ready, not %zu\n", name, n_ready(d), n);
    tap_failed++;
    return d;
}

/* Calls the target as the gateway would; the pid that answered, 0 when none did. */
static int64_t call(const struct models_target *t, int ms)
{
    struct arena *arena = arena_new(1 << 20);
    struct http_answer a = {0};
    const struct json *json = NULL;
    const char *headers[] = {
        "Content-Type: application/json",
        str_printf(arena, "Authorization: Bearer %.*s", STR_FMT(t->api_key)).ptr};
    struct http_call c = {
        .method = "POST",
        .url = str_printf(arena, "%.*s/v1/chat/completions", STR_FMT(t->base_url)).ptr,
        .headers = headers,
        .n_headers = 2,
        .body = str_printf(arena, "{\"ms\":%d}", ms),
        .connect_ms = 5000,
        .total_ms = 60000,
        .most = 1 << 16};
    int64_t pid = 0;
    if (http_fetch(&c, arena, &a, NULL) == ERR_OK && a.status == 200 &&
        json_parse(a.body, arena, &json, NULL) == ERR_OK)
        pid = json_get_int(json, "pid", 0);
    arena_free(arena);
    return pid;
}

static bool lives(int64_t pid)
{
    return pid > 0 && kill((pid_t)pid, 0) == 0;
}

static bool gone(int64_t pid)
{
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end; time_sleep_ms(10))
        if (!lives(pid))
            return true;
    return false;
}

TEST(a_deployment_starts_answers_and_stops)
{
    STARTED(r);
    const struct models_route *route = route_of(&r, "tiny");
    CHECK_EQ(route->n_targets, 0);
    models_route_free(route);
    deploy(&r, "d", ",\"threads\":2");
    const struct json *d = until(&r, "d", "state", "ready");
    int64_t pid = json_get_int(replica(d, 0), "pid", 0);
    CHECK_EQ(json_get_int(replica(d, 0), "threads", 0), 2);
    CHECK_EQ(json_get_int(replica(d, 0), "context", 0), 2048);
    route = route_of(&r, "tiny");
    CHECK_EQ(route->n_targets, 1);
    CHECK(!route->targets[0].cold);
    CHECK_STR(route->targets[0].name, "d/1");
    CHECK_EQ(call(&route->targets[0], 0), pid);
    struct models_target stranger = route->targets[0];
    stranger.api_key = STR("guess");
    CHECK_EQ(call(&stranger, 0), 0);
    models_route_free(route);
    (void)ask(&r, REMOVE, MODELS_DEPLOYMENT, "d", "");
    CHECK_EQ(r.err, ERR_CONFLICT);
    struct str log = STR("");
    struct models_ask a = {.who = &r.system, .arena = r.arena, .if_match = -1};
    CHECK_OK(models_deployment_log(r.models, &a, STR("d"), 4096, &log, NULL), NULL);
    CHECK(str_find(log, STR("fake engine d begins")) != STR_NPOS);
    (void)must(&r, DO, MODELS_STOP, "d", "");
    (void)until(&r, "d", "state", "stopped");
    CHECK(gone(pid));
    (void)must(&r, REMOVE, MODELS_DEPLOYMENT, "d", "");
    CHECK_EQ(centre_acts(&r.c, "models.deployment.start", "ok"), 1);
    registry_close(&r);
}

TEST(a_killed_engine_is_back_within_two_seconds)
{
    STARTED(r);
    deploy(&r, "d", ",\"threads\":1");
    const struct json *d = until(&r, "d", "state", "ready");
    for (int i = 0; i < 2; i++) {
        int64_t pid = json_get_int(replica(d, 0), "pid", 0), next = pid, begun = time_now_ms();
        CHECK(pid > 0 && kill((pid_t)pid, SIGKILL) == 0);
        while (next == pid && time_now_ms() - begun < SOON) {
            const struct models_route *route = route_of(&r, "tiny");
            if (route->n_targets == 1 && !route->targets[0].cold)
                next = call(&route->targets[0], 0) ? call(&route->targets[0], 0) : pid;
            models_route_free(route);
            time_sleep_ms(10);
        }
        int64_t took = time_now_ms() - begun;
        printf("# back after %lld ms\n", (long long)took);
        CHECK(next != pid);
        CHECK(took < 10000); /* 2 s on a machine that does nothing else */
        d = until_ready(&r, "d", 1);
        CHECK_EQ(json_get_int(replica(d, 0), "restarts", 0), i + 1);
    }
    registry_close(&r);
}

struct long_call {
    struct models_target target;
    pthread_t thread;
    int64_t pid;
};

static void *run_call(void *arg)
{
    struct long_call *c = arg;
    c->pid = call(&c->target, 1500);
    (void)models_busy(&c->target, -1, NULL);
    return NULL;
}

TEST(draining_finishes_what_is_being_answered)
{
    STARTED(r);
    struct why why = {0};
    deploy(&r, "d", "");
    int64_t pid = json_get_int(replica(until(&r, "d", "state", "ready"), 0), "pid", 0);
    const struct models_route *route = route_of(&r, "tiny"), *now;
    struct long_call c = {.target = route->targets[0]};
    CHECK_OK(models_busy(&c.target, +1, &why), &why);
    CHECK_EQ(pthread_create(&c.thread, NULL, run_call, &c), 0);
    time_sleep_ms(200);
    (void)must(&r, DO, MODELS_STOP, "d", "");
    (void)until(&r, "d", "state", "draining");
    CHECK(lives(pid));
    now = route_of(&r, "tiny");
    CHECK_EQ(now->n_targets, 0);
    models_route_free(now);
    CHECK_EQ(models_busy(&c.target, +1, &why), ERR_UNAVAILABLE); /* who holds the old route */
    (void)pthread_join(c.thread, NULL);
    CHECK_EQ(c.pid, pid);
    (void)until(&r, "d", "state", "stopped");
    CHECK(gone(pid));
    models_route_free(route);
    registry_close(&r);
}

TEST(the_new_one_serves_before_the_old_one_goes)
{
    STARTED(r);
    deploy(&r, "d-slow", ",\"threads\":1,\"slots\":2");
    int64_t old = json_get_int(replica(until(&r, "d-slow", "state", "ready"), 0), "pid", 0);
    (void)must(&r, CHANGE, MODELS_DEPLOYMENT, "d-slow", "{\"slots\":3}");
    int64_t last = 0, calls = 0;
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end && (last == old || !last);) {
        const struct models_route *route = route_of(&r, "tiny");
        bool up = route->n_targets > 0 && !route->targets[0].cold;
        CHECK(up); /* at no moment is there none */
        if (up && models_busy(&route->targets[0], +1, NULL) == ERR_OK) {
            last = call(&route->targets[0], 0);
            CHECK(last > 0);
            calls++;
            (void)models_busy(&route->targets[0], -1, NULL);
        }
        models_route_free(route);
        time_sleep_ms(5);
    }
    CHECK(last != old && calls > 2);
    CHECK(gone(old));
    (void)until_ready(&r, "d-slow", 1);
    registry_close(&r);
}

TEST(threads_never_pass_the_limit)
{
    STARTED(r);
    deploy(&r, "big", ",\"threads\":3");
    (void)until(&r, "big", "state", "ready");
    deploy(&r, "more", ",\"threads\":3");
    const struct json *d = until(&r, "more", "state", "ready");
    CHECK_EQ(json_get_int(replica(d, 0), "threads", 0), 1);
    CHECK(str_find(text_at(d, "why"), STR("asked for 3 threads and got 1")) != STR_NPOS);
    deploy(&r, "third", ",\"threads\":1");
    for (int i = 0; i < 200 && !str_starts(text_at(d, "why"), STR("no thread is free")); i++) {
        d = must(&r, SHOW, MODELS_DEPLOYMENT, "third", "");
        time_sleep_ms(20);
    }
    CHECK_STR(text_at(d, "state"), "starting");
    CHECK(str_find(text_at(d, "why"), STR("\"big\" 3, \"more\" 1")) != STR_NPOS);
    (void)must(&r, DO, MODELS_STOP, "big", "");
    d = until(&r, "third", "state", "ready");
    CHECK_EQ(json_get_int(replica(d, 0), "threads", 0), 1);
    registry_close(&r);
}

TEST(one_that_took_all_threads_gives_an_equal_share_back)
{
    STARTED(r);
    deploy(&r, "a", "");
    CHECK_EQ(json_get_int(replica(until(&r, "a", "state", "ready"), 0), "threads", 0), 4);
    deploy(&r, "b", "");
    CHECK_EQ(json_get_int(replica(until(&r, "b", "state", "ready"), 0), "threads", 0), 2);
    const struct json *d = NULL;
    for (int i = 0; i < 500; i++) {
        d = until(&r, "a", "state", "ready");
        if (json_get_int(replica(d, 0), "threads", 0) == 2)
            break;
        time_sleep_ms(20);
    }
    CHECK_EQ(json_get_int(replica(d, 0), "threads", 0), 2);
    registry_close(&r);
}

TEST(on_demand_it_wakes_with_a_call_and_sleeps_again)
{
    STARTED(r);
    struct why why = {0};
    deploy(&r, "d", ",\"on_demand\":true,\"idle_ms\":300");
    (void)until(&r, "d", "state", "ready"); /* a start by hand is a call */
    const struct json *d = until(&r, "d", "state", "stopped");
    CHECK(str_find(text_at(d, "why"), STR("on demand")) != STR_NPOS);
    const struct models_route *route = route_of(&r, "tiny");
    CHECK_EQ(route->n_targets, 1);
    CHECK(route->n_targets == 1 && route->targets[0].cold);
    CHECK_OK(models_wake(r.models, &route->targets[0], SOON, &why), &why);
    models_route_free(route);
    route = route_of(&r, "tiny");
    CHECK(route->n_targets == 1 && !route->targets[0].cold && call(&route->targets[0], 0) > 0);
    models_route_free(route);
    (void)until(&r, "d", "state", "stopped");
    registry_close(&r);
}

TEST(what_cannot_start_says_why)
{
    STARTED(r);
    deploy(&r, "refuse", ",\"on_demand\":true");
    const struct json *d = until(&r, "refuse", "state", "failed");
    CHECK_STR(text_at(d, "why"), "tensor blk.0 has no shape");
    /* What cannot be started is no target: nobody waits for it. */
    size_t n = 1;
    for (int i = 0; i < 500 && n > 0; i++) {
        const struct models_route *route = route_of(&r, "tiny");
        n = route->n_targets;
        models_route_free(route);
        time_sleep_ms(n > 0 ? 20 : 0);
    }
    CHECK_EQ(n, 0);
    deploy(&r, "crash", ",\"threads\":1");
    for (int i = 0; i < 500 && str_find(text_at(d, "why"), STR("ended")) == STR_NPOS; i++) {
        time_sleep_ms(20);
        d = must(&r, SHOW, MODELS_DEPLOYMENT, "crash", "");
    }
    CHECK(str_find(text_at(d, "why"), STR("ended")) != STR_NPOS);
    registry_close(&r);
}

TEST(one_that_hangs_or_grows_is_replaced)
{
    STARTED(r);
    deploy(&r, "hang", ",\"threads\":1");
    int64_t pid = json_get_int(replica(until(&r, "hang", "state", "ready"), 0), "pid", 0);
    const struct models_route *route = route_of(&r, "tiny");
    CHECK_EQ(call(&route->targets[0], 0), pid);   /* from now on it does not answer */
    models_report(&route->targets[0], false, -1); /* and somebody noticed */
    models_route_free(route);
    CHECK(gone(pid));
    deploy(&r, "fat", ",\"threads\":1,\"memory_bytes\":100000000");
    const struct json *d = NULL;
    for (int i = 0; i < 500; i++) {
        d = must(&r, SHOW, MODELS_DEPLOYMENT, "fat", "");
        if (str_find(text_at(d, "why"), STR("of memory, more than")) != STR_NPOS)
            break;
        time_sleep_ms(20);
    }
    CHECK(str_find(text_at(d, "why"), STR("of memory, more than its 95 MB")) != STR_NPOS);
    registry_close(&r);
}

TEST(of_two_centres_on_one_data_directory_one_supervises)
{
    STARTED(r);
    struct why why = {0};
    struct store *store = test_store_again(4, 20000);
    struct models *other = registry_again(&r, store);
    CHECK_OK(models_start(other, &why), &why);
    deploy(&r, "d", ",\"replicas\":2,\"threads\":1");
    const struct json *d = until_ready(&r, "d", 2);
    CHECK(json_get_int(replica(d, 0), "pid", 0) != json_get_int(replica(d, 1), "pid", 0));
    /* The other one sees them and can open their token. */
    const struct models_route *route = NULL;
    int64_t pid = 0;
    for (int i = 0; i < 500 && !pid; i++) {
        CHECK_OK(models_resolve(other, STR(OPS_HOME), STR("tiny"), &route, &why), &why);
        if (route->n_targets == 2)
            pid = call(&route->targets[1], 0);
        models_route_free(route);
        time_sleep_ms(20);
    }
    CHECK(pid > 0);
    /* When the first one ends, the second does its work. */
    models_stop(r.models, 1000);
    CHECK(gone(pid));
    d = until_ready(&r, "d", 2);
    CHECK(lives(json_get_int(replica(d, 0), "pid", 0)));
    models_close(other);
    CHECK(gone(json_get_int(replica(d, 0), "pid", 0)));
    store_close(store);
    registry_close(&r);
}

/* A centre in a process of its own, killed: its engines die with it, the next one starts anew. */
TEST(nothing_is_left_when_the_centre_is_killed_or_stops)
{
    STARTED(r);
    if (strcmp(TEST_ENGINE, "sqlite") != 0) {
        registry_close(&r);
        SKIP("the other engine's connections do not outlive a fork");
    }
    models_stop(r.models, 0);
    deploy(&r, "d", ",\"replicas\":2,\"threads\":1");
    pid_t child = fork();
    if (child == 0) {
        struct store *store = test_store_again(4, 20000);
        struct models *m = registry_again(&r, store);
        struct why why = {0};
        if (models_start(m, &why) != ERR_OK)
            _exit(1);
        for (;;)
            (void)pause();
    }
    const struct json *d = until_ready(&r, "d", 2);
    int64_t a = json_get_int(replica(d, 0), "pid", 0), b = json_get_int(replica(d, 1), "pid", 0);
    CHECK(lives(a) && lives(b));
    CHECK(kill(child, SIGKILL) == 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    CHECK(gone(a) && gone(b));
    struct why why = {0};
    CHECK_OK(models_start(r.models, &why), &why);
    for (int i = 0; i < 1000; i++) {
        d = until_ready(&r, "d", 2);
        if (json_get_int(replica(d, 0), "pid", 0) != a)
            break;
        time_sleep_ms(10);
    }
    a = json_get_int(replica(d, 0), "pid", 0);
    b = json_get_int(replica(d, 1), "pid", 0);
    CHECK(lives(a) && lives(b));
    models_stop(r.models, 1000);
    CHECK(!lives(a) && !lives(b));
    registry_close(&r);
}

TEST(an_engine_that_is_deaf_to_a_request_to_end_is_killed)
{
    STARTED(r);
    deploy(&r, "deaf", "");
    int64_t pid = json_get_int(replica(until(&r, "deaf", "state", "ready"), 0), "pid", 0);
    int64_t begun = time_now_ms();
    models_stop(r.models, 100);
    CHECK(!lives(pid));
    CHECK(time_now_ms() - begun < SOON);
    registry_close(&r);
}

TESTS_MAIN()
