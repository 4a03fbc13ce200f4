/*
 * The gateway on the real server over a knowledge that is fixed here, for tests/clients: what the
 * door adds can then be checked to the letter. Prints its port, runs until its input ends.
 */
#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/json.h"
#include "core/log.h"
#include "http/http.h"
#include "knowledge/knowledge.h"

static struct ops_identity somebody = {.kind = STR_INIT("key"),
                                       .id = STR_INIT("k"),
                                       .bases = STR_INIT("city 法规 wrong"),
                                       .permissions = UINT64_MAX};

enum err knowledge_bases_json(struct knowledge *k, const struct ops_identity *who,
                              struct arena *arena, struct json_out *out, struct why *why)
{
    (void)k, (void)who, (void)arena, (void)why;
    json_put_raw(out, STR("{\"items\":[{\"name\":\"city\",\"updated_at\":\"2026-01-02T00:00:00Z\"},"
                          "{\"name\":\"法规\"},{\"name\":\"other\"}]}"));
    return ERR_OK;
}

static enum err refuse(struct knowledge_answer *out)
{
    *out = (struct knowledge_answer){.refused = true,
                                     .text = STR("知识库里没有找到依据，请拨打12345咨询。"),
                                     .method = "refuse",
                                     .id = "0190a1b2-0000-7000-8000-000000000001"};
    return ERR_OK;
}

/* Says what it was asked, quoting a source with a character outside the basic plane before it. */
enum err knowledge_ask(struct knowledge *k, const struct ops_identity *who,
                       const struct knowledge_ask *ask, struct arena *arena,
                       struct knowledge_answer *out, struct why *why)
{
    (void)k;
    if (who != &somebody)
        return err_set(why, ERR_INTERNAL, "the identity did not come through");
    if (!str_eq_c(str_c(ask->query.kb), "city"))
        return err_set(why, ERR_NOT_FOUND, "there is no knowledge base \"%s\"", ask->query.kb);
    if (str_find(ask->query.text, STR("火星")) != STR_NPOS)
        return refuse(out);
    struct knowledge_hit *hit = arena_one(arena, struct knowledge_hit);
    struct knowledge_quote *quote = arena_one(arena, struct knowledge_quote);
    if (!hit || !quote)
        return err_set(why, ERR_NO_MEMORY, "could not hold the answer");
    *hit = (struct knowledge_hit){.title = STR("养犬管理办法"),
                                  .article = STR("第八条"),
                                  .version_id = STR("v1"),
                                  .passage_id = STR("p1")};
    *quote = (struct knowledge_quote){.text = STR("应当办理登记"), .start = 3, .len = 18};
    *out = (struct knowledge_answer){.method = "extract",
                                     .quotes = quote,
                                     .n_quotes = 1,
                                     .hits = hit,
                                     .n_hits = 1,
                                     .id = "0190a1b2-0000-7000-8000-000000000002"};
    out->text =
        str_printf(arena, "🐕 %.*s (%zu): 应当办理登记。", STR_FMT(ask->query.text), ask->n_turns);
    return ERR_OK;
}

static enum err authorize(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why)
{
    struct str key = http_header(req, "Authorization");
    (void)ctx;
    if (str_eq_c(key, "Bearer yc_slow"))
        return err_set(why, ERR_RATE_LIMITED, "this key may ask 1 time a minute");
    if (route->access != HTTP_PUBLIC && !str_eq_c(key, "Bearer yc_good"))
        return err_set(why, ERR_UNAUTHENTICATED, "the key is not valid");
    http_set_identity(req, &somebody);
    return ERR_OK;
}

int main(void)
{
    static const char *const sets[] = {"http.port=0", "http.access_log=false"};
    struct gateway_opts opts = {.knowledge = (struct knowledge *)&somebody}; /* not looked into */
    struct gateway *gateway;
    struct http_server *server;
    struct why why = {0};
    struct arena *arena = arena_new(1 << 20);
    struct http_opts http = {.n_tables = 1, .authorize = authorize};
    char c;
    enum err err = gateway_open(&opts, &gateway, &why);
    if (!err)
        err = conf_load(&http_conf, 1, NULL, sets, 2, arena, &http.conf, &why);
    if (!err) {
        http.tables = gateway_routes(gateway);
        err = http_start(&http, &server, &why);
    }
    if (err) {
        (void)fprintf(stderr, "door: %s\n", why.text);
        return 1;
    }
    printf("%d\n", http_port(server));
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    http_stop(server, 1000);
    gateway_close(gateway);
    arena_free(arena);
    return 0;
}
