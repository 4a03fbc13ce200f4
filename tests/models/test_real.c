/* The registry with the real engine: a random model with a real vocabulary is imported, deployed,
 * called, killed, and is there again. */
#include <signal.h>
#include <unistd.h>

#include "engine/engine.h"
#include "models/registry.h"

#define PROGRAM YICHENG_BUILD_ROOT "/yicheng"
#define SOON    60000

static const struct models_route *ready_route(struct registry *r, const char *name)
{
    const struct models_route *route = NULL;
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end; time_sleep_ms(20)) {
        route = route_of(r, name);
        if (route->n_targets && !route->targets[0].cold)
            return route;
        models_route_free(route);
    }
    return NULL;
}

static const struct json *chat(struct registry *r, const struct models_target *t, int *status)
{
    struct http_answer a = {0};
    const char *headers[] = {
        "Content-Type: application/json",
        str_printf(r->arena, "Authorization: Bearer %.*s", STR_FMT(t->api_key)).ptr};
    struct http_call c = {
        .method = "POST",
        .url = str_printf(r->arena, "%.*s/v1/chat/completions", STR_FMT(t->base_url)).ptr,
        .headers = headers,
        .n_headers = 2,
        .body = str_printf(r->arena,
                           "{\"model\":\"%.*s\",\"max_tokens\":4,\"messages\":[{\"role\":\"user\","
                           "\"content\":\"你好\"}]}",
                           STR_FMT(t->upstream_model)),
        .connect_ms = 5000,
        .total_ms = 60000,
        .most = 1 << 20};
    const struct json *json = NULL;
    *status = http_fetch(&c, r->arena, &a, NULL) == ERR_OK ? a.status : 0;
    if (*status)
        CHECK_OK(json_parse(a.body, r->arena, &json, NULL), NULL);
    if (*status != 200)
        printf("# %d %.*s\n", *status, STR_FMT(a.body));
    return json;
}

static int64_t pid_of(struct registry *r)
{
    const struct json *d = must(r, SHOW, MODELS_DEPLOYMENT, "d", "");
    return json_get_int(json_at(json_get(d, "replicas_now"), 0), "pid", 0);
}

TEST(a_real_engine_is_deployed_called_killed_and_back)
{
    static const char *const sets[] = {"models.threads=1", "models.health_every=200ms"};
    struct registry r;
    struct why why = {0};
    int status = 0;
    if (!registry_open_with(&r, PROGRAM, sets, 2))
        SKIP(test_store_skip());
    char *path = (char *)str_printf(r.arena, "%s/tiny.gguf", r.dir).ptr;
    struct models_ask a = {.who = &r.system, .arena = r.arena, .if_match = -1};
    CHECK_OK(engine_make_random(
                 &(struct engine_random){.shape = "tiny", .kind = GGUF_TENSOR_F16, .seed = 1}, path,
                 &why),
             &why);
    CHECK_OK(models_import(
                 r.models, &a,
                 parse(&r, str_printf(r.arena, "{\"path\":\"%s\",\"model\":\"tiny\"}", path).ptr),
                 NULL, &why),
             &why);
    CHECK_OK(models_start(r.models, &why), &why);
    (void)must(&r, MAKE, MODELS_DEPLOYMENT, "",
               "{\"name\":\"d\",\"version\":\"tiny\",\"threads\":1,\"context\":512}");
    (void)must(&r, DO, MODELS_START, "d", "");
    const struct models_route *route = ready_route(&r, "tiny");
    if (!route) {
        const struct json *d = must(&r, SHOW, MODELS_DEPLOYMENT, "d", "");
        bool none = str_find(text_at(d, "why"), STR("llama")) != STR_NPOS;
        printf("# %.*s\n", STR_FMT(text_at(d, "why")));
        CHECK(none);
        registry_close(&r);
        SKIP("this program was built without llama.cpp");
    }
    CHECK_EQ(route->targets[0].max_context, 512);
    const struct json *reply = chat(&r, &route->targets[0], &status);
    CHECK_EQ(status, 200);
    CHECK(json_get_int(json_get(reply, "usage"), "completion_tokens", 0) > 0);
    struct models_target stranger = route->targets[0];
    stranger.api_key = STR("guess");
    (void)chat(&r, &stranger, &status);
    CHECK_EQ(status, 401);
    models_route_free(route);
    int64_t pid = pid_of(&r), begun = time_now_ms();
    CHECK(pid > 0 && kill((pid_t)pid, SIGKILL) == 0);
    while (time_now_ms() - begun < SOON) {
        route = ready_route(&r, "tiny");
        if (route && pid_of(&r) != pid)
            break;
        models_route_free(route);
        time_sleep_ms(20);
    }
    printf("# back after %lld ms\n", (long long)(time_now_ms() - begun));
    CHECK(pid_of(&r) != pid);
    (void)chat(&r, &route->targets[0], &status);
    CHECK_EQ(status, 200);
    models_route_free(route);
    pid = pid_of(&r);
    models_stop(r.models, 2000);
    CHECK(kill((pid_t)pid, 0) != 0);
    registry_close(&r);
}

TESTS_MAIN()
