/* The parts of http that need no socket: targets, routes, ranges, tags, addresses. */
#include "http/inside.h"

#include <arpa/inet.h>

#include "core/arena.h"
#include "core/json.h"
#include "tap.h"

static enum err parse(const char *raw, struct target *out, struct arena *arena)
{
    *out = (struct target){0};
    return target_parse(str_c(raw), arena, out, NULL);
}

TEST(a_target_is_taken_apart_and_decoded)
{
    struct arena *arena = arena_new(1 << 20);
    struct target t;
    CHECK_EQ(parse("/api/%E5%9F%8E/x%2By?q=a+b%26c&empty=&flag&n=1#frag", &t, arena), ERR_OK);
    CHECK_EQ(t.n_segments, 3);
    CHECK_STR(t.segments[1], "城");
    CHECK_STR(t.segments[2], "x+y");
    CHECK_STR(t.path, "/api/城/x+y");
    CHECK_EQ(t.n_query, 4);
    CHECK_STR(t.query[0].value, "a b&c");
    CHECK_STR(t.query[2].name, "flag");
    CHECK_STR(t.query[3].value, "1");
    CHECK_EQ(parse("http://host:80/a?b=c", &t, arena), ERR_OK);
    CHECK_STR(t.path, "/a");
    CHECK_EQ(parse("/", &t, arena), ERR_OK);
    CHECK_EQ(t.n_segments, 0);
    CHECK_STR(t.path, "/");
    CHECK_EQ(parse("/a%2Fb", &t, arena), ERR_OK);
    CHECK(t.slashes);
    CHECK_EQ(t.n_segments, 1);
    arena_free(arena);
}

TEST(words_of_an_error_are_told_in_chinese)
{
    static const struct {
        const char *said, *zh;
    } cases[] = {
        {"sign in first", "请先登录"},
        {"there is no knowledge base \"甲*乙\"", "没有知识库“甲*乙”"},
        {"the body is larger than 1024 bytes", "请求正文超过 1024 字节"},
        {"limit 0 is not from 1 to 100", "数量 0 不在 1 到 100 之间"},
        {"10.0.0.1: more than 60 requests a minute", "10.0.0.1：每分钟超过 60 次请求"},
        {"line 7: a line needs \"question\" (text) and \"gold\" (array)",
         "第 7 行：每行需要“question”（文字）和“gold”（数组）"},
        {"the job has ended already: done", "任务已经结束：done"},
        /* nouns and causes that stand for a '*' without quotes; names in quotes stay */
        {"the key's limit \"money_per_day\" of 12.50 CNY was reached (12.60 used)",
         "密钥的限额“money_per_day”（12.50 CNY）已经用完（已用 12.60）"},
        {"there is no user \"key\"", "没有用户“key”"},
        {"step 2, trim: \"least\" is above \"most\"",
         "第 2 步 trim：下限（least）大于上限（most）"},
        {"rules.txt: line 3: the record has no answer", "rules.txt：第 3 行：记录中没有回答"},
        /* what jobs say of themselves */
        {"step 2 trim: 51 in, 44 out, 3 changed, 0 made, 7 dropped, 0 failed",
         "第 2 步 trim：进 51 条，出 44 条；改动 3 条，新增 0 条，丢弃 7 条，失败 0 条"},
        {"44 records: version 1", "记录 44 条：生成第 1 版"},
        {"invalid: there is no user \"key\"", "要求不正确：没有用户“key”"},
        {"http://a.b/c: status 404", "http://a.b/c：返回状态 404"},
        /* unknown, cut short, empty: as they are */
        {"no line knows this", "no line knows this"},
        {"there is no knowledge base \"", "there is no knowledge base \""},
        {"the body is larger than  bytes", "the body is larger than  bytes"},
        {"", ""},
    };
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, arena);
        words_in("zh", str_c(cases[i].said), &out);
        CHECK_STR(buf_str(&out), cases[i].zh);
        buf_clear(&out);
        words_in("en", str_c(cases[i].said), &out);
        CHECK_STR(buf_str(&out), cases[i].said);
    }
    arena_free(arena);
}

static struct str problem_of(enum err err, const char *words, const char *language, bool said,
                             struct arena *arena)
{
    struct why why = {0};
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    err_note(&why, "%s", words);
    const struct http_problem problem = {
        .err = err, .why = &why, .status = err_http(err), .trace_id = "t"};
    problem_write(&out, &problem, language, said);
    return buf_str(&buf);
}

/* What a person can mend stays, in whatever words; what failed inside is told by its title in
 * Chinese, and by its own words to who reads English or did not say. */
TEST(a_failure_inside_is_told_by_its_title_in_chinese)
{
    struct arena *arena = arena_new(1 << 20);
    static const char words[] = "could not flush the frobnicator";
    CHECK(str_find(problem_of(ERR_IO, words, "zh", true, arena), str_c(words)) == STR_NPOS);
    CHECK(str_find(problem_of(ERR_IO, words, "zh", true, arena), STR("\"detail\":\"读写失败\"")) !=
          STR_NPOS);
    CHECK(str_find(problem_of(ERR_IO, words, "en", true, arena), str_c(words)) != STR_NPOS);
    CHECK(str_find(problem_of(ERR_IO, words, "zh", false, arena), str_c(words)) != STR_NPOS);
    CHECK(str_find(problem_of(ERR_INVALID, words, "zh", true, arena), str_c(words)) != STR_NPOS);
    CHECK(str_find(problem_of(ERR_CONFLICT, "there is a data set \"a\" that is not yours", "zh",
                              true, arena),
                   STR("已有名为“a”的数据集")) != STR_NPOS);
    arena_free(arena);
}

TEST(every_wording_has_its_holes_on_both_sides)
{
    static const struct {
        const char *said, *zh, *behind;
    } lines[] = {
#define WORDS(said, zh)        {said, zh, ""},
#define WORDS_BEFORE(said, zh) {said, zh, ": sign in first"},
#include "http/words_zh.def"
#undef WORDS
#undef WORDS_BEFORE
    };
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t holes = 0, zh = 0;
        struct buf out;
        for (const char *c = lines[i].said; *c; c++)
            holes += *c == '*';
        for (const char *c = lines[i].zh; *c; c++)
            zh += *c == '*';
        CHECK_EQ(holes, zh);
        CHECK(holes <= 6);
        /* its own words come out as its own Chinese, not as an earlier line's */
        buf_init(&out, arena);
        char said[400];
        (void)snprintf(said, sizeof said, "%s%s", lines[i].said, lines[i].behind);
        CHECK(words_in("zh", str_c(said), &out));
        if (lines[i].behind[0])
            CHECK(str_starts(buf_str(&out), str_c(lines[i].zh)));
        else
            CHECK_STR(buf_str(&out), lines[i].zh);
        for (size_t j = 0; j < i; j++) /* a form stands once */
            CHECK(strcmp(lines[i].said, lines[j].said) != 0);
    }
    arena_free(arena);
}

TEST(a_hostile_target_is_refused)
{
    static const char *const bad[] = {
        "",           "a",        "*",        "/%",     "/%4",    "/%zz",     "/a/../b",
        "/a/%2e%2E/", "/..%2fb",  "/x%5c..",  "/.",     "/a%00b", "/a?b=%00", "/%C0%AF",
        "/%ED%A0%80", "/a%0d%0a", "/a?b=%ff", "/a\x01", "/a%7f",  "/a/.%2e",  "/a/b%2f..%2f"};
    struct arena *arena = arena_new(1 << 20);
    struct target t;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (parse(bad[i], &t, arena) != ERR_INVALID)
            CHECK_STR(str_c(bad[i]), "should have been refused");
    char deep[200] = "";
    for (int i = 0; i < TARGET_MOST_SEGMENTS + 1; i++)
        strcat(deep, "/x");
    CHECK_EQ(parse(deep, &t, arena), ERR_NOT_FOUND);
    CHECK_EQ(parse("/a..b/...", &t, arena), ERR_OK); /* dots that climb nowhere */
    arena_free(arena);
}

TEST(a_target_says_so_when_memory_runs_out)
{
    enum err err = ERR_NO_MEMORY;
    size_t limit = 0;
    for (; err == ERR_NO_MEMORY && limit < 65536; limit += 64) {
        struct arena *arena = arena_new(limit);
        struct target t;
        err = parse("/api/things/42?q=1&r=2", &t, arena);
        arena_free(arena);
    }
    CHECK_EQ(err, ERR_OK);
    CHECK(limit > 64);
}

static enum err nothing(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)res, (void)why;
    return ERR_OK;
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/api/jobs/{id}", .handle = nothing},
    {.method = "GET", .path = "/api/jobs/running", .handle = nothing},
    {.method = "DELETE", .path = "/api/jobs/{id}", .handle = nothing},
    {.method = "GET", .path = "/api/{room}/about", .handle = nothing},
    {.method = "POST", .path = "/", .handle = nothing},
};
static const struct http_table table = {.room = "test", .routes = routes, .n = 5};

static struct router_match find(struct router *router, const char *method, const char *path,
                                struct arena *arena)
{
    struct router_match match;
    struct target t;
    CHECK_EQ(parse(path, &t, arena), ERR_OK);
    router_find(router, str_c(method), &t, &match);
    return match;
}

TEST(the_router_prefers_what_is_written_out)
{
    struct arena *arena = arena_new(1 << 20);
    struct router *router = NULL;
    struct why why = {0};
    CHECK_OK(router_new(&table, 1, arena, &router, &why), &why);
    CHECK(find(router, "GET", "/api/jobs/running", arena).route->route == &routes[1]);
    CHECK(find(router, "GET", "/api/jobs/17", arena).route->route == &routes[0]);
    CHECK(find(router, "HEAD", "/api/jobs/17", arena).route->route == &routes[0]);
    CHECK(find(router, "GET", "/api/x/about", arena).route->route == &routes[3]);
    CHECK(find(router, "POST", "/", arena).route->route == &routes[4]);
    CHECK(find(router, "GET", "/api/jobs/", arena).route == NULL);
    CHECK(find(router, "GET", "/api/jobs", arena).allow[0] == '\0');
    struct router_match m = find(router, "PUT", "/api/jobs/17", arena);
    CHECK(m.route == NULL);
    CHECK(strstr(m.allow, "GET, HEAD") && strstr(m.allow, "DELETE") && !strstr(m.allow, "PUT"));
    arena_free(arena);
}

TEST(the_router_refuses_tables_that_are_wrong)
{
    static const struct http_route bad[][2] = {
        {{.method = "FETCH", .path = "/a", .handle = nothing}},
        {{.method = "GET", .path = "a", .handle = nothing}},
        {{.method = "GET", .path = "/a"}},
        {{.method = "GET", .path = "/a", .handle = nothing, .access = HTTP_SESSION, .quick = true}},
        {{.method = "GET", .path = "/a/{x}", .handle = nothing},
         {.method = "GET", .path = "/a/{y}", .handle = nothing}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct router *router = NULL;
        struct why why = {0};
        struct http_table one = {.room = "test", .routes = bad[i], .n = bad[i][1].path ? 2 : 1};
        CHECK_EQ(router_new(&one, 1, arena, &router, &why), ERR_INVALID);
        CHECK(router == NULL && why.text[0] != '\0');
        arena_free(arena);
    }
}

TEST(ranges_follow_rfc_9110)
{
    static const struct {
        const char *text;
        uint64_t size;
        int kind;
        uint64_t start, len;
    } cases[] = {
        {"bytes=0-499", 1000, 1, 0, 500},
        {"bytes=500-", 1000, 1, 500, 500},
        {"bytes=-200", 1000, 1, 800, 200},
        {"bytes=-2000", 1000, 1, 0, 1000},
        {"bytes=0-0", 1000, 1, 0, 1},
        {"bytes=999-5000", 1000, 1, 999, 1},
        {"bytes=1000-", 1000, -1, 0, 0},
        {"bytes=-0", 1000, -1, 0, 0},
        {"bytes=0-", 0, -1, 0, 0},
        {"bytes=5-2", 1000, 0, 0, 0},
        {"bytes=0-1,5-6", 1000, 0, 0, 0},
        {"lines=0-1", 1000, 0, 0, 0},
        {"bytes=a-b", 1000, 0, 0, 0},
        {"bytes=-", 1000, 0, 0, 0},
        {"bytes=--5", 1000, 0, 0, 0},
        {"bytes=99999999999999999999-", 10, 0, 0, 0},
        {"bytes=0-9223372036854775807", 10, 1, 0, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t start = 0, len = 0;
        CHECK_EQ(range_parse(str_c(cases[i].text), cases[i].size, &start, &len), cases[i].kind);
        if (cases[i].kind == 1) {
            CHECK_EQ(start, cases[i].start);
            CHECK_EQ(len, cases[i].len);
        }
    }
}

TEST(entity_tags_compare_weakly)
{
    CHECK(etag_matches(STR("\"a\""), "\"a\""));
    CHECK(etag_matches(STR("\"x\", W/\"a\""), "\"a\""));
    CHECK(etag_matches(STR("*"), "\"a\""));
    CHECK(!etag_matches(STR("\"b\""), "\"a\""));
    CHECK(!etag_matches(STR(""), "\"a\""));
}

static struct in6_addr v4(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    CHECK_EQ(inet_pton(AF_INET, text, &in.sin_addr), 1);
    return address_of((struct sockaddr *)&in);
}

TEST(blocks_of_addresses_hold_what_they_should)
{
    struct arena *arena = arena_new(1 << 16);
    struct net *nets;
    struct why why = {0};
    size_t n;
    CHECK_OK(
        nets_parse(STR("10.0.0.0/8, 192.168.1.7 ,172.16.0.0/12,fd00::/8,"), arena, &nets, &n, &why),
        &why);
    CHECK_EQ(n, 4);
    static const char *const in[] = {"10.255.1.2", "192.168.1.7", "172.31.255.255"};
    static const char *const out[] = {"11.0.0.1", "192.168.1.8", "172.32.0.0", "9.255.255.255"};
    for (size_t i = 0; i < 3; i++) {
        struct in6_addr a = v4(in[i]);
        CHECK(nets_hold(nets, n, &a));
    }
    for (size_t i = 0; i < 4; i++) {
        struct in6_addr a = v4(out[i]);
        CHECK(!nets_hold(nets, n, &a));
    }
    static const char *const bad[] = {"10.0.0.0/33", "here", "10.0.0.0/-1", "10.0.0.0/x",
                                      "fd00::/129"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(nets_parse(str_c(bad[i]), arena, &nets, &n, NULL), ERR_INVALID);
    arena_free(arena);
}

TEST(events_keep_their_lines)
{
    struct arena *arena = arena_new(1 << 16);
    struct buf buf;
    buf_init(&buf, arena);
    http_event(&buf, "answer", STR("one\ntwo\r\nthree\rfour"));
    http_event(&buf, NULL, STR("[DONE]"));
    http_event(&buf, NULL, STR(""));
    CHECK_STR(buf_str(&buf), "event: answer\ndata: one\ndata: two\ndata: three\ndata: four\n\n"
                             "data: [DONE]\n\ndata: \n\n");
    arena_free(arena);
}

TESTS_MAIN()
