/* Cards, versions, aliases, endpoints and edges, and the routes that come out of them. */
#include <pthread.h>
#include <stdatomic.h>

#include "models/registry.h"

#define ENDPOINT(name, model, rest)                                                                \
    "{\"name\":\"" name "\",\"model\":\"" model "\",\"base_url\":\"https://" name                  \
    ".example\"" rest "}"

static void two_models(struct registry *r)
{
    (void)must(r, MAKE, MODELS_ENDPOINT, "",
               ENDPOINT("vllm-a", "qwen:1",
                        ",\"api_key\":\"sk-0123456789abcdef\",\"weight\":30,\"max_busy\":2,"
                        "\"headers\":{\"X-Region\":\"north\"},\"card\":{\"title\":\"通义\"}"));
    (void)must(r, MAKE, MODELS_ENDPOINT, "", ENDPOINT("vllm-b", "qwen:1", ",\"weight\":10"));
    (void)must(r, MAKE, MODELS_ENDPOINT, "", ENDPOINT("cloud", "deepseek", ""));
}

TEST(an_endpoint_makes_its_model_and_a_route)
{
    REGISTRY(r);
    two_models(&r);
    const struct json *card = must(&r, SHOW, MODELS_MODEL, "qwen", "");
    CHECK_STR(text_at(card, "title"), "通义");
    CHECK_STR(text_at(json_at(json_get(card, "versions"), 0), "label"), "1");
    CHECK_STR(text_at(json_at(json_get(card, "versions"), 0), "storage"), "endpoint");
    const struct models_route *route = route_of(&r, "qwen");
    CHECK_EQ(route->n_targets, 2);
    CHECK_STR(route->targets[0].name, "vllm-a");
    CHECK_STR(route->targets[0].base_url, "https://vllm-a.example");
    CHECK_STR(route->targets[0].api_key, "sk-0123456789abcdef");
    CHECK_STR(route->targets[0].upstream_model, "qwen");
    CHECK_EQ(route->targets[0].n_headers, 1);
    CHECK_STR(str_c(route->targets[0].headers[0]), "X-Region: north");
    CHECK_STR(route->version, "1");
    CHECK_EQ(route->n_arms, 1);
    models_route_free(route);
    models_route_free(route_of(&r, "qwen:1"));
    CHECK_EQ(models_resolve(r.models, STR(OPS_HOME), STR("qwen:2"), &route, NULL), ERR_NOT_FOUND);
    registry_close(&r);
}

static const struct json *cards(struct registry *r, const char *filter)
{
    struct buf buf;
    struct json_out out;
    struct models_ask a = {.who = &r->system, .arena = r->arena, .if_match = -1, .out = &out};
    buf_init(&buf, r->arena);
    json_out_init(&out, &buf);
    CHECK_OK(models_items(r->models, &a, MODELS_MODEL, parse(r, filter), NULL), NULL);
    return parse(r, str_z(r->arena, buf_str(&buf)));
}

TEST(models_are_listed_by_pages)
{
    REGISTRY(r);
    two_models(&r);
    (void)must(&r, MAKE, MODELS_ENDPOINT, "", ENDPOINT("third", "yi", ""));
    const struct json *page = cards(&r, "{\"limit\":2}");
    CHECK_EQ(json_len(json_get(page, "items")), 2);
    CHECK_STR(text_at(json_at(json_get(page, "items"), 0), "name"), "deepseek");
    CHECK_STR(text_at(page, "next"), "qwen");
    page = cards(&r, "{\"limit\":2,\"after\":\"qwen\"}");
    CHECK_EQ(json_len(json_get(page, "items")), 1);
    CHECK_STR(text_at(json_at(json_get(page, "items"), 0), "name"), "yi");
    CHECK_EQ(json_kind(json_get(page, "next")), JSON_KIND_NULL);
    CHECK_EQ(json_len(json_get(cards(&r, "{\"find\":\"通\"}"), "items")), 1);
    CHECK_EQ(json_len(json_get(cards(&r, "{\"find\":\"QWEN\"}"), "items")), 1);
    CHECK_EQ(json_len(json_get(cards(&r, "{\"modality\":\"rerank\"}"), "items")), 0);
    CHECK_EQ(json_len(json_get(cards(&r, "{}"), "items")), 3);
    registry_close(&r);
}

TEST(a_key_is_sealed_and_never_shown)
{
    REGISTRY(r);
    two_models(&r);
    struct store_rows rows;
    struct buf buf;
    struct json_out out;
    struct models_ask a = {.who = &r.system, .arena = r.arena, .if_match = -1, .out = &out};
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(models_items(r.models, &a, MODELS_ENDPOINT, NULL, NULL), NULL);
    CHECK(str_find(buf_str(&buf), STR("0123456789")) == STR_NPOS);
    CHECK(str_find(buf_str(&buf), STR("north")) == STR_NPOS);
    CHECK(str_find(buf_str(&buf), STR("****cdef")) != STR_NPOS);
    CHECK(str_find(buf_str(&buf), STR("X-Region")) != STR_NPOS);
    CHECK_OK(store_ask(r.c.store,
                       "SELECT key_sealed, headers_sealed FROM models_endpoints WHERE name ="
                       " 'vllm-a'",
                       STORE_NO_ARGS, r.arena, &rows, NULL),
             NULL);
    CHECK(store_str(&rows, 0, 0).len > 16);
    CHECK(str_find(store_str(&rows, 0, 0), STR("0123456789")) == STR_NPOS);
    CHECK(str_find(store_str(&rows, 0, 1), STR("north")) == STR_NPOS);
    struct ledger_entry *entries;
    size_t n;
    CHECK_OK(
        ledger_list(r.c.store, &(struct ledger_filter){.limit = 100}, r.arena, &entries, &n, NULL),
        NULL);
    for (size_t i = 0; i < n; i++)
        CHECK(str_find(entries[i].detail, STR("sk-")) == STR_NPOS);
    /* Moved elsewhere it does not go along. */
    (void)ask(&r, CHANGE, MODELS_ENDPOINT, "vllm-a", "{\"base_url\":\"https://evil.example\"}");
    CHECK_EQ(r.err, ERR_INVALID);
    (void)must(&r, CHANGE, MODELS_ENDPOINT, "vllm-a",
               "{\"base_url\":\"https://other.example/v1/\",\"api_key\":\"\",\"headers\":{}}");
    const struct models_route *route = route_of(&r, "qwen");
    CHECK_STR(route->targets[0].base_url, "https://other.example");
    CHECK_EQ(route->targets[0].api_key.len, 0);
    models_route_free(route);
    registry_close(&r);
}

TEST(bad_bodies_are_refused_in_words)
{
    static const struct {
        int noun;
        const char *body, *words;
    } cases[] = {
        {MODELS_MODEL, "{}", "name has 1 to"},
        {MODELS_MODEL, "{\"name\":\"a:b\"}", "no name"},
        {MODELS_MODEL, "{\"name\":\"a b\"}", "no name"},
        {MODELS_MODEL, "{\"name\":\"/a\"}", "begin or end"},
        {MODELS_MODEL, "{\"name\":\"a\",\"kind\":\"big\"}", "base|industry|scene"},
        {MODELS_MODEL, "{\"name\":\"a\",\"colour\":1}", "no member \"colour\""},
        {MODELS_MODEL, "{\"name\":\"a\",\"title\":7}", "must be a string"},
        {MODELS_MODEL, "{\"name\":\"a\",\"title\":\"\\u0007\"}", "control character"},
        {MODELS_MODEL, "{\"name\":\"a\",\"grants\":{}}", "must be a list"},
        {MODELS_MODEL, "{\"name\":\"a\",\"grants\":[\"nobody\"]}", "not there"},
        {MODELS_MODEL, "[]", "JSON object"},
        {MODELS_ENDPOINT, "{\"name\":\"e\"}", "\"base_url\" is missing"},
        {MODELS_ENDPOINT, "{\"name\":\"e\",\"model\":\"m\",\"base_url\":\"ftp://a.b/\"}",
         "http://"},
        {MODELS_ENDPOINT, "{\"name\":\"e\",\"model\":\"m\",\"base_url\":\"http://u:p@a.b\"}",
         "'@'"},
        {MODELS_ENDPOINT, "{\"name\":\"e\",\"model\":\"m\",\"base_url\":\"http://a.b/?k=1\"}",
         "'?'"},
        {MODELS_ENDPOINT,
         "{\"name\":\"e\",\"model\":\"m\",\"base_url\":\"http://a.b\",\"weight\":0}",
         "from 1 to 1000"},
        {MODELS_ENDPOINT,
         "{\"name\":\"e\",\"model\":\"m\",\"base_url\":\"http://"
         "a.b\",\"headers\":{\"A\":\"x\\r\\ny\"}}",
         "no header"},
        {MODELS_ALIAS, "{\"name\":\"c\"}", "either \"targets\" or \"arms\""},
        {MODELS_ALIAS, "{\"name\":\"c\",\"targets\":[{\"model\":\"qwen:9\"}]}",
         "no model or version"},
        {MODELS_ALIAS, "{\"name\":\"qwen\",\"targets\":[{\"model\":\"qwen:1\"}]}", "already"},
        {MODELS_ALIAS, "{\"name\":\"c\",\"targets\":[{\"model\":\"qwen\"},{\"model\":\"qwen\"}]}",
         "twice"},
        {MODELS_ALIAS, "{\"name\":\"c\",\"targets\":[{\"model\":\"qwen\"}],\"fallbacks\":[\"c\"]}",
         "fall back on itself"},
        {MODELS_ALIAS,
         "{\"name\":\"c\",\"arms\":[{\"name\":\"a\",\"share\":60,\"targets\":[{\"model\":\"qwen\"}]"
         "},"
         "{\"name\":\"b\",\"share\":50,\"targets\":[{\"model\":\"deepseek\"}]}]}",
         "add up to 110"},
        {MODELS_DEPLOYMENT, "{\"name\":\"d\",\"version\":\"qwen\"}", "served by an endpoint"},
        {MODELS_DEPLOYMENT, "{\"name\":\"d\",\"version\":\"none\"}", "no model or version"},
    };
    REGISTRY(r);
    two_models(&r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)ask(&r, MAKE, cases[i].noun, "", cases[i].body);
        bool good = (r.err == ERR_INVALID || r.err == ERR_CONFLICT) &&
                    strstr(r.why.text, cases[i].words) != NULL;
        CHECK(good);
        if (!good)
            printf("# %s: %s (%s)\n", cases[i].body, r.why.text, err_code(r.err));
    }
    registry_close(&r);
}

TEST(an_alias_is_switched_and_rolled_back_in_one_step)
{
    REGISTRY(r);
    two_models(&r);
    (void)must(
        &r, MAKE, MODELS_ALIAS, "",
        "{\"name\":\"city-chat\",\"title\":\"城市助手\",\"targets\":[{\"model\":\"qwen:1\"}],"
        "\"cache\":{\"on\":true,\"ttl_s\":30},\"fallbacks\":[\"deepseek\"]}");
    const struct models_route *old = route_of(&r, "city-chat"), *now;
    CHECK_STR(old->model, "qwen");
    CHECK_STR(old->title, "城市助手");
    CHECK(old->cache && old->cache_ttl_ms == 30000);
    CHECK_EQ(old->n_fallbacks, 1);
    CHECK_STR(old->fallbacks[0]->model, "deepseek");
    CHECK_EQ(old->fallbacks[0]->n_targets, 1);
    (void)must(&r, CHANGE, MODELS_ALIAS, "city-chat", "{\"targets\":[{\"model\":\"deepseek\"}]}");
    now = route_of(&r, "city-chat");
    CHECK_STR(now->model, "deepseek");
    CHECK(now->cache);             /* what was not said stays */
    CHECK_STR(old->model, "qwen"); /* who holds the old one keeps it */
    CHECK_STR(old->targets[1].name, "vllm-b");
    models_route_free(old);
    models_route_free(now);
    (void)must(&r, ROLLBACK, MODELS_ALIAS, "city-chat", "");
    now = route_of(&r, "city-chat");
    CHECK_STR(now->model, "qwen");
    models_route_free(now);
    const struct json *history = must(&r, HISTORY, MODELS_ALIAS, "city-chat", "");
    CHECK_EQ(json_len(json_get(history, "items")), 3);
    CHECK_STR(text_at(json_at(json_get(history, "items"), 0), "action"), "rollback");
    (void)must(&r, ROLLBACK, MODELS_ALIAS, "city-chat", ""); /* twice comes back */
    now = route_of(&r, "city-chat");
    CHECK_STR(now->model, "deepseek");
    models_route_free(now);
    CHECK_EQ(centre_acts(&r.c, "models.alias.rollback", "ok"), 2);
    CHECK_EQ(centre_acts(&r.c, "models.alias.change", "ok"), 1);
    (void)must(&r, MAKE, MODELS_ALIAS, "", "{\"name\":\"new\",\"targets\":[{\"model\":\"qwen\"}]}");
    (void)ask(&r, ROLLBACK, MODELS_ALIAS, "new", "");
    CHECK_EQ(r.err, ERR_CONFLICT);
    registry_close(&r);
}

struct asker {
    struct registry *r;
    atomic_bool stop;
    pthread_t thread;
};

static void *keep_asking(void *arg)
{
    struct asker *a = arg;
    while (!atomic_load(&a->stop)) {
        const struct models_route *route = NULL;
        if (models_resolve(a->r->models, STR(OPS_HOME), STR("city-chat"), &route, NULL) == ERR_OK)
            models_route_free(route);
    }
    return NULL;
}

/* Also while another thread is building the next snapshot for its own question. */
TEST(what_this_process_changed_is_seen_by_its_next_question)
{
    REGISTRY(r);
    struct asker others[2] = {{.r = &r}, {.r = &r}};
    two_models(&r);
    (void)must(&r, MAKE, MODELS_ALIAS, "",
               "{\"name\":\"city-chat\",\"targets\":[{\"model\":\"qwen:1\"}]}");
    for (size_t i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&others[i].thread, NULL, keep_asking, &others[i]), 0);
    for (int i = 0; i < 200; i++) {
        const char *model = i % 2 ? "qwen" : "deepseek";
        (void)must(&r, CHANGE, MODELS_ALIAS, "city-chat",
                   i % 2 ? "{\"targets\":[{\"model\":\"qwen\"}]}"
                         : "{\"targets\":[{\"model\":\"deepseek\"}]}");
        const struct models_route *now = route_of(&r, "city-chat");
        CHECK_STR(now->model, model);
        models_route_free(now);
    }
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&others[i].stop, true);
        CHECK_EQ(pthread_join(others[i].thread, NULL), 0);
    }
    registry_close(&r);
}

TEST(weights_of_an_alias_spread_over_the_places_of_a_version)
{
    REGISTRY(r);
    two_models(&r);
    (void)must(&r, MAKE, MODELS_ALIAS, "",
               "{\"name\":\"ab\",\"sticky\":true,\"arms\":["
               "{\"name\":\"a\",\"share\":90,\"targets\":[{\"model\":\"qwen:1\",\"weight\":40}]},"
               "{\"name\":\"b\",\"share\":10,\"targets\":[{\"model\":\"deepseek\"}]}]}");
    const struct models_route *route = route_of(&r, "ab");
    CHECK_EQ(route->n_arms, 2);
    CHECK_EQ(route->arms[1].share, 10);
    CHECK_EQ(route->n_targets, 3);
    CHECK(route->sticky);
    CHECK_EQ(route->targets[0].arm, 0);
    CHECK_EQ(route->targets[2].arm, 1);
    CHECK_EQ(route->targets[0].weight, 3 * route->targets[1].weight);
    models_route_free(route);
    registry_close(&r);
}

TEST(another_edit_in_the_meantime_is_noticed)
{
    REGISTRY(r);
    two_models(&r);
    (void)must(&r, SHOW, MODELS_ENDPOINT, "cloud", "");
    r.if_match = r.revision;
    (void)must(&r, CHANGE, MODELS_ENDPOINT, "cloud", "{\"weight\":5}");
    (void)ask(&r, CHANGE, MODELS_ENDPOINT, "cloud", "{\"weight\":6}");
    CHECK_EQ(r.err, ERR_PRECONDITION);
    (void)ask(&r, REMOVE, MODELS_ENDPOINT, "cloud", "");
    CHECK_EQ(r.err, ERR_PRECONDITION);
    registry_close(&r);
}

TEST(what_is_in_use_is_retired_only_with_a_reason)
{
    REGISTRY(r);
    const struct models_route *route = NULL;
    two_models(&r);
    (void)must(&r, MAKE, MODELS_ALIAS, "", "{\"name\":\"c\",\"targets\":[{\"model\":\"qwen:1\"}]}");
    (void)ask(&r, RETIRE, 0, "qwen:1", "");
    CHECK_EQ(r.err, ERR_CONFLICT);
    CHECK(strstr(r.why.text, "alias \"c\"") && strstr(r.why.text, "endpoint \"vllm-a\""));
    (void)ask(&r, FORCE, 0, "qwen:1", " ");
    CHECK_EQ(r.err, ERR_INVALID);
    const struct json *v = must(&r, FORCE, 0, "qwen:1", "备案撤销");
    CHECK_STR(text_at(v, "state"), "retired");
    CHECK_STR(text_at(v, "why"), "备案撤销");
    CHECK_EQ(models_resolve(r.models, STR(OPS_HOME), STR("qwen"), &route, NULL), ERR_NOT_FOUND);
    route = route_of(&r, "c");
    CHECK_EQ(route->n_targets, 0); /* the name is there and answers nothing */
    models_route_free(route);
    (void)ask(&r, CHANGE, MODELS_ALIAS, "c", "{\"title\":\"x\"}");
    CHECK_EQ(r.err, ERR_INVALID);
    CHECK(strstr(r.why.text, "retired") != NULL);
    (void)ask(&r, REMOVE, MODELS_MODEL, "qwen", "");
    CHECK_EQ(r.err, ERR_CONFLICT);
    registry_close(&r);
}

TEST(only_those_it_is_granted_to_see_a_model)
{
    REGISTRY(r);
    two_models(&r);
    struct str id;
    struct why why = {0};
    const struct models_route *route = NULL;
    CHECK_OK(ops_tenant_create(r.c.ops, &r.system, STR("water"), STR("水务"), r.arena, &id, &why),
             &why);
    (void)must(&r, CHANGE, MODELS_MODEL, "qwen", "{\"grants\":[\"water\"]}");
    CHECK_EQ(models_resolve(r.models, STR(OPS_HOME), STR("qwen"), &route, NULL), ERR_NOT_FOUND);
    CHECK_OK(models_resolve(r.models, id, STR("qwen"), &route, &why), &why);
    models_route_free(route);
    const struct models_route **list;
    size_t n;
    CHECK_OK(models_list(r.models, STR(OPS_HOME), r.arena, &list, &n, &why), &why);
    CHECK_EQ(n, 1);
    CHECK_STR(list[0]->name, "deepseek");
    models_route_free(list[0]);
    CHECK_OK(models_list(r.models, id, r.arena, &list, &n, &why), &why);
    CHECK_EQ(n, 2);
    for (size_t i = 0; i < n; i++)
        models_route_free(list[i]);
    registry_close(&r);
}

TEST(a_change_of_another_process_is_seen_within_two_seconds)
{
    REGISTRY(r);
    struct why why = {0};
    two_models(&r);
    struct store *other_store = test_store_again(4, 20000);
    struct models *other = registry_again(&r, other_store);
    const struct models_route *route = NULL;
    CHECK_OK(models_resolve(other, STR(OPS_HOME), STR("qwen"), &route, &why), &why);
    models_route_free(route);
    (void)must(&r, MAKE, MODELS_ALIAS, "",
               "{\"name\":\"late\",\"targets\":[{\"model\":\"qwen\"}]}");
    int64_t begun = time_now_ms();
    while (models_resolve(other, STR(OPS_HOME), STR("late"), &route, NULL) != ERR_OK &&
           time_now_ms() - begun < 10000)
        time_sleep_ms(20);
    CHECK(route != NULL && str_eq_c(route->name, "late"));
    printf("# seen after %lld ms\n", (long long)(time_now_ms() - begun));
    models_route_free(route);
    models_close(other);
    store_close(other_store);
    registry_close(&r);
}

TEST(calls_are_counted_and_bounded)
{
    REGISTRY(r);
    two_models(&r);
    struct why why = {0};
    const struct models_route *route = route_of(&r, "qwen");
    const struct models_target *t = &route->targets[0];
    struct models_health h;
    CHECK_OK(models_busy(t, +1, &why), &why);
    CHECK_OK(models_busy(t, +1, &why), &why);
    CHECK_EQ(models_busy(t, +1, &why), ERR_BUSY);
    CHECK_OK(models_busy(t, -1, NULL), NULL);
    models_report(t, true, 80);
    models_report(t, true, 160);
    models_report(t, false, -1);
    /* The counters outlive the snapshot. */
    (void)must(&r, CHANGE, MODELS_ENDPOINT, "vllm-b", "{\"weight\":11}");
    const struct models_route *next = route_of(&r, "qwen");
    CHECK(next->generation > route->generation);
    models_health_of(&next->targets[0], &h);
    CHECK_EQ(h.busy, 1);
    CHECK_EQ(h.calls, 3);
    CHECK_EQ(h.failures, 1);
    CHECK_EQ(h.failures_in_row, 1);
    CHECK_EQ(h.first_ms, 90);
    CHECK_OK(models_busy(t, -1, NULL), NULL);
    models_route_free(route);
    models_route_free(next);
    registry_close(&r);
}

TEST(who_may_not_is_refused_and_recorded)
{
    REGISTRY(r);
    (void)centre_make(&r.c, NULL, "dev", "developer");
    (void)centre_make(&r.c, NULL, "reader", "reader");
    struct ops_identity dev = centre_user(&r.c, "dev"), reader = centre_user(&r.c, "reader");
    (void)ask_as(&r, &dev, MAKE, MODELS_MODEL, "", "{\"name\":\"m\"}");
    CHECK_EQ(r.err, ERR_FORBIDDEN);
    CHECK_EQ(centre_acts(&r.c, "models.model.create", "forbidden"), 1);
    (void)ask_as(&r, &dev, ITEMS, MODELS_MODEL, "", "");
    CHECK_EQ(r.err, ERR_OK);
    (void)ask_as(&r, &reader, ITEMS, MODELS_MODEL, "", "");
    CHECK_EQ(r.err, ERR_FORBIDDEN);
    registry_close(&r);
}

TEST(a_text_has_about_as_many_tokens_as_characters)
{
    REGISTRY(r);
    two_models(&r);
    const struct models_route *route = route_of(&r, "qwen");
    int64_t n = 0;
    bool estimate = false;
    struct why why = {0};
    CHECK_OK(models_count_tokens(r.models, route, STR("一城 abcd"), &n, &estimate, &why), &why);
    CHECK(estimate);
    CHECK_EQ(n, 4);
    CHECK_OK(models_count_tokens(r.models, route, STR(""), &n, &estimate, &why), &why);
    CHECK_EQ(n, 0);
    models_route_free(route);
    registry_close(&r);
}

TEST(without_a_door_nobody_is_called)
{
    REGISTRY(r);
    struct str reply;
    struct why why = {0};
    CHECK_EQ(models_call(r.models, &r.system, "embeddings", STR("{}"), r.arena, &reply, &why),
             ERR_UNSUPPORTED);
    registry_close(&r);
}

TESTS_MAIN()
