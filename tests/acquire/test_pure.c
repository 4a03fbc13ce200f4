/* Addresses, robots.txt, links, sitemaps, schedules, networks and paging: what needs no server. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "acquire/net.h"
#include "acquire/page.h"
#include "acquire/paging.h"
#include "acquire/robots.h"
#include "acquire/schedule.h"
#include "core/arena.h"
#include "core/time.h"
#include "tap.h"

TEST(addresses_have_one_form)
{
    static const struct {
        const char *given, *is; /* NULL: refused */
    } cases[] = {
        {"HTTP://Example.COM:80", "http://example.com/"},
        {"https://a.cn:443/x/../y/./z?b=1&a=2#part", "https://a.cn/y/z?b=1&a=2"},
        {"http://a.cn/%7euser/%e4%b8%ad?q=%41", "http://a.cn/~user/%E4%B8%AD?q=A"},
        {"http://a.cn/中", "http://a.cn/%E4%B8%AD"},
        {"http://a.cn/x;jsessionid=1?utm_source=x&id=3&SPM=1", "http://a.cn/x?id=3"},
        {"http://a.cn/../../..", "http://a.cn/"},
        {"http://[::1]:8080/a", "http://[::1]:8080/a"},
        {"http://a.cn./", "http://a.cn/"},
        {"http://user:pw@a.cn/", NULL},
        {"ftp://a.cn/", NULL},
        {"http://a.cn:0/", NULL},
        {"http://a b/", NULL},
        {"http:///x", NULL},
        {"javascript:alert(1)", NULL},
        {"http://a.cn\\@b.cn/", NULL},
        {"http://[::1/", NULL},
    };
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url url;
        struct why why = {0};
        enum err err = url_parse(str_c(cases[i].given), arena, &url, &why);
        CHECK_EQ(err, cases[i].is ? ERR_OK : ERR_INVALID);
        if (!err)
            CHECK_STR(url_text(&url, arena), cases[i].is ? cases[i].is : "");
    }
    arena_free(arena);
}

TEST(references_resolve_as_rfc_3986_says)
{
    /* RFC 3986 sec. 5.4, with http in the place of its scheme. */
    static const struct {
        const char *ref, *is;
    } cases[] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"g#s", "http://a/b/c/g"},
        {";x", "http://a/b/c/;x"},
        {"..", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {" g\n", "http://a/b/c/g"},
        {"https://z/", "https://z/"},
    };
    struct arena *arena = arena_new(1 << 20);
    struct url base;
    CHECK_EQ(url_parse(STR("http://a/b/c/d;p?q"), arena, &base, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_STR(url_resolve(&base, str_c(cases[i].ref), arena), cases[i].is);
    CHECK(url_resolve(&base, STR("#x"), arena).ptr == NULL);
    CHECK(url_resolve(&base, STR("mailto:a@b.cn"), arena).ptr == NULL);
    CHECK(url_resolve(&base, STR("javascript:void(0)"), arena).ptr == NULL);
    arena_free(arena);
}

static bool allows(const char *text, const char *path)
{
    struct arena *arena = arena_new(4 << 20);
    struct robots robots;
    CHECK_EQ(robots_parse(str_c(text), "yichengbot", arena, &robots, NULL), ERR_OK);
    bool is = robots_allows(&robots, str_c(path));
    arena_free(arena);
    return is;
}

TEST(robots_are_read_as_rfc_9309_says)
{
    static const char two[] =
        "User-agent: *\nDisallow: /\n\nuser-AGENT: YichengBot/2.0\nUser-agent: other\n"
        "Disallow: /a # not this\nAllow: /a/b\nCrawl-delay: 2.5\n"
        "Sitemap: http://x/s.xml\n";
    CHECK(!allows(two, "/a/c"));
    CHECK(allows(two, "/a/b/c")); /* the longer rule */
    CHECK(allows(two, "/z"));     /* our group, not that of '*' */
    CHECK(!allows("User-agent: *\nDisallow: /\n", "/"));
    CHECK(allows("User-agent: other\nDisallow: /\n", "/x"));
    CHECK(allows("", "/x"));
    CHECK(allows("User-agent: *\nDisallow:\n", "/x"));
    CHECK(!allows("User-agent: *\nDisallow: /*.pdf$\n", "/d/x.pdf"));
    CHECK(allows("User-agent: *\nDisallow: /*.pdf$\n", "/d/x.pdf?a"));
    CHECK(allows("User-agent: *\nDisallow: /p\nAllow: /p\n", "/page")); /* as long: allow */
    CHECK(!allows("\xEF\xBB\xBFUser-agent: *\r\nDisallow: /p\r\n", "/page"));
    struct arena *arena = arena_new(4 << 20);
    struct robots robots;
    CHECK_EQ(robots_parse(str_c(two), "yichengbot", arena, &robots, NULL), ERR_OK);
    CHECK_EQ(robots.delay_ms, 2500);
    CHECK_EQ(robots.n_sitemaps, 1);
    arena_free(arena);
    /* A rule made to be slow is answered at once. */
    char slow[4000] = "User-agent: *\nDisallow: /";
    for (int i = 0; i < 900; i++)
        strcat(slow, "*a");
    char path[4000] = "/";
    memset(path + 1, 'a', 800);
    int64_t start = time_mono_ns();
    CHECK(allows(slow, path));
    CHECK(time_mono_ns() - start < 200000000);
}

TEST(links_and_wishes_of_a_page_are_found)
{
    static const char html[] =
        "<html><head><base href='/dir/'><meta NAME=robots content='noindex, follow'>"
        "<link rel=canonical href=\"http://a.cn/real\"></head><body>"
        "<a href=one.html>1</a> <A HREF='two.html?a=1&amp;b=2'>2</A><a href=\"one.html#x\">1</a>"
        "<a rel='x nofollow' href=no.html>n</a><!-- <a href=hidden.html> -->"
        "<script>var s = '<a href=script.html>';</script><a href='javascript:x()'>j</a>"
        "<a title='>' href=\"//b.cn/other\">o</a><area href=/map><a name=x>";
    struct arena *arena = arena_new(8 << 20);
    struct url base;
    struct page_links links;
    CHECK_EQ(url_parse(STR("http://a.cn/x/y"), arena, &base, NULL), ERR_OK);
    CHECK_EQ(page_links(str_c(html), &base, arena, &links, NULL), ERR_OK);
    static const char *const want[] = {"http://a.cn/dir/one.html",
                                       "http://a.cn/dir/two.html?a=1&b=2", "http://b.cn/other",
                                       "http://a.cn/map"};
    CHECK_EQ(links.n, 4);
    for (size_t i = 0; i < links.n && i < 4; i++)
        CHECK_STR(links.items[i], want[i]);
    CHECK(links.no_index && !links.no_follow);
    CHECK_STR(links.canonical, "http://a.cn/real");
    arena_free(arena);
}

TEST(sitemaps_give_their_addresses)
{
    struct arena *arena = arena_new(8 << 20);
    struct url base;
    struct str *urls;
    size_t n;
    bool is_index;
    CHECK_EQ(url_parse(STR("http://a.cn/sitemap.xml"), arena, &base, NULL), ERR_OK);
    CHECK_EQ(
        page_sitemap(STR("<?xml?><urlset><url><loc> http://a.cn/a?x=1&amp;y=2 </loc></url>"
                         "<url><loc><![CDATA[http://a.cn/b]]></loc></url><url><loc>ftp://q/</loc>"),
                     &base, 10, arena, &urls, &n, &is_index, NULL),
        ERR_OK);
    CHECK_EQ(n, 2);
    CHECK(!is_index);
    CHECK_STR(urls[0], "http://a.cn/a?x=1&y=2");
    CHECK_STR(urls[1], "http://a.cn/b");
    CHECK_EQ(page_sitemap(STR("<sitemapindex><sitemap><loc>/two.xml</loc>"), &base, 10, arena,
                          &urls, &n, &is_index, NULL),
             ERR_OK);
    CHECK(is_index && n == 1);
    CHECK_EQ(page_sitemap(STR("http://a.cn/1\nhttp://a.cn/2\n"), &base, 1, arena, &urls, &n,
                          &is_index, NULL),
             ERR_OK);
    CHECK_EQ(n, 1);
    arena_free(arena);
}

static int64_t at(const char *text)
{
    int64_t ms = 0;
    CHECK(time_parse(str_c(text), &ms));
    return ms;
}

TEST(schedules_say_when_next)
{
    static const struct {
        const char *schedule, *from, *next;
    } cases[] = {
        {"30m", "2026-03-01T10:00:00+08:00", "2026-03-01T10:30:00+08:00"},
        {"1d", "2026-03-01T10:00:00+08:00", "2026-03-02T10:00:00+08:00"},
        {"0 3 * * *", "2026-03-01T02:59:59+08:00", "2026-03-01T03:00:00+08:00"},
        {"0 3 * * *", "2026-03-01T03:00:00+08:00", "2026-03-02T03:00:00+08:00"},
        {"*/15 8-18 * * 1-5", "2026-02-27T18:45:00+08:00", "2026-03-02T08:00:00+08:00"},
        {"0 0 29 2 *", "2026-03-01T00:00:00+08:00", "2028-02-29T00:00:00+08:00"},
        {"30 4 1,15 * 0", "2026-03-01T05:00:00+08:00", "2026-03-08T04:30:00+08:00"},
        {"0 0 1 1 *", "2026-12-31T23:59:00+08:00", "2027-01-01T00:00:00+08:00"},
    };
    static const char *const wrong[] = {"x",          "0 3 * *", "60 * * * *",  "* * * * * *",
                                        "0 0 30 2 *", "0m",      "5-1 * * * *", "*/0 * * * *",
                                        "-1m",        "1s"};
    struct schedule s;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(schedule_parse(str_c(cases[i].schedule), &s, NULL), ERR_OK);
        CHECK_EQ(schedule_next(&s, at(cases[i].from)), at(cases[i].next));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_EQ(schedule_parse(str_c(wrong[i]), &s, NULL), ERR_INVALID);
    CHECK_EQ(schedule_parse(STR(""), &s, NULL), ERR_OK);
    CHECK_EQ(schedule_next(&s, 0), -1);
}

static bool may(const struct net_rules *rules, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return net_may_connect(rules, (const struct sockaddr *)&v4);
    CHECK_EQ(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return net_may_connect(rules, (const struct sockaddr *)&v6);
}

TEST(inner_addresses_need_the_operators_word)
{
    static const char *const inner[] = {"127.0.0.1",
                                        "10.1.2.3",
                                        "172.31.0.1",
                                        "192.168.1.1",
                                        "169.254.169.254",
                                        "0.0.0.0",
                                        "100.64.0.1",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "::1",
                                        "::",
                                        "fe80::1",
                                        "fd00::1",
                                        "::ffff:127.0.0.1",
                                        "::ffff:10.0.0.1",
                                        "64:ff9b::a00:1",
                                        "2002:7f00:1::"};
    struct arena *arena = arena_new(1 << 20);
    struct net_rules none, some;
    CHECK_EQ(net_rules_parse(STR(""), arena, &none, NULL), ERR_OK);
    CHECK_EQ(net_rules_parse(STR("10.0.0.0/8, 192.168.1.1 fd00::/8"), arena, &some, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        CHECK(!may(&none, inner[i]));
    CHECK(may(&none, "8.8.8.8") && may(&none, "172.32.0.1") && may(&none, "2606:4700::1111"));
    CHECK(may(&some, "10.9.9.9") && may(&some, "192.168.1.1") && may(&some, "fd12::1"));
    CHECK(may(&some, "::ffff:10.0.0.1"));
    CHECK(!may(&some, "192.168.1.2") && !may(&some, "127.0.0.1"));
    CHECK_EQ(net_rules_parse(STR("10.0.0.0/33"), arena, &some, NULL), ERR_INVALID);
    CHECK_EQ(net_rules_parse(STR("intranet"), arena, &some, NULL), ERR_INVALID);
    struct why why = {0};
    char address[NET_TEXT];
    CHECK_EQ(net_resolve(&none, "localhost", 80, address, &why), ERR_FORBIDDEN);
    arena_free(arena);
}

struct api {
    struct arena *arena;
    struct paging paging;
    struct paging_place place;
    struct map seen;
};

static struct str request(struct api *a)
{
    struct str url = STR(""), body;
    struct why why = {0};
    CHECK_OK(paging_request(&a->paging, &a->place, a->arena, &url, &body, &why), &why);
    return url;
}

static bool step(struct api *a, const char *answer, const char *link, size_t n)
{
    const struct json *json;
    bool more = false;
    struct why why = {0};
    CHECK_EQ(json_parse(str_c(answer), a->arena, &json, NULL), ERR_OK);
    CHECK_OK(paging_next(&a->paging, json, str_c(answer), str_c(link), n, &a->seen, &a->place,
                         &more, &why),
             &why);
    return more;
}

static void begin(struct api *a, struct paging paging)
{
    *a = (struct api){.arena = arena_new(1 << 20), .paging = paging};
    map_init(&a->seen, a->arena);
    paging_begin(&a->paging, &a->place);
}

TEST(pages_follow_each_other_and_end)
{
    struct api a;
    begin(&a, (struct paging){.by = PAGING_PAGE,
                              .url = STR("http://a.cn/x?k=中"),
                              .param = STR("page"),
                              .size_param = STR("n"),
                              .since_param = STR("since"),
                              .since = STR("2026-01-01 00:00"),
                              .first = 1,
                              .size = 50});
    CHECK_STR(request(&a), "http://a.cn/x?k=中&page=1&n=50&since=2026-01-01%2000%3A00");
    CHECK(step(&a, "[1]", "", 1));
    CHECK_EQ(a.place.page, 2);
    CHECK(!step(&a, "[1]", "", 1)); /* the server ignores the parameter */
    CHECK(!step(&a, "[]", "", 0));
    arena_free(a.arena);
    begin(&a, (struct paging){.by = PAGING_CURSOR,
                              .url = STR("http://a.cn/x"),
                              .param = STR("c"),
                              .path = STR("meta.next")});
    CHECK_STR(request(&a), "http://a.cn/x");
    CHECK(step(&a, "{\"meta\":{\"next\":\"k&1\"}}", "", 1));
    CHECK_STR(request(&a), "http://a.cn/x?c=k%261");
    CHECK(!step(&a, "{\"meta\":{\"next\":\"k&1\"}}", "", 1)); /* in a circle */
    CHECK(!step(&a, "{\"meta\":{\"next\":null}}", "", 1));
    arena_free(a.arena);
    begin(&a,
          (struct paging){.by = PAGING_NEXT, .url = STR("http://a.cn/x/"), .path = STR("next")});
    CHECK(step(&a, "{\"next\":\"?p=2\"}", "", 1));
    CHECK_STR(request(&a), "http://a.cn/x/?p=2");
    CHECK(!step(&a, "{\"next\":\"\"}", "", 1));
    arena_free(a.arena);
    begin(&a, (struct paging){.by = PAGING_LINK, .url = STR("http://a.cn/x")});
    CHECK(step(&a, "[]",
               "<http://a.cn/x?p=1>; rel=\"prev\", </x?p=3>; title=\"a, b\"; rel=\"last next\"",
               1));
    CHECK_STR(request(&a), "http://a.cn/x?p=3");
    CHECK(!step(&a, "[]", "<http://a.cn/x?p=1>; rel=prev", 1));
    arena_free(a.arena);
    begin(&a, (struct paging){.by = PAGING_OFFSET,
                              .url = STR("http://a.cn/{offset}/{size}"),
                              .body = STR("{\"from\":{offset},\"c\":\"{cursor}\"}"),
                              .size = 10});
    a.place.cursor = STR("\"x");
    struct str url, body;
    CHECK_EQ(paging_request(&a.paging, &a.place, a.arena, &url, &body, NULL), ERR_OK);
    CHECK_STR(url, "http://a.cn/0/10");
    CHECK_STR(body, "{\"from\":0,\"c\":\"\\\"x\"}");
    arena_free(a.arena);
}

TESTS_MAIN()
