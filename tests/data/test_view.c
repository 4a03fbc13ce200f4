/* What rooms above see of records and operators: the promises of data_view, data_gauge, data_shape.
 */
#include "room.h"

#include <fcntl.h>
#include <math.h>

#define FRESH(r)                                                                                   \
    struct room r;                                                                                 \
    FRESH_STORE(store, 4);                                                                         \
    if (!room_fresh(&(r), store))                                                                  \
    SKIP("no room")

#define DONE(r)                                                                                    \
    do {                                                                                           \
        room_done(&(r));                                                                           \
        test_store_done(store);                                                                    \
    } while (0)

TEST(a_record_is_seen_with_its_texts_and_faults)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    struct data_view v;
    struct why why = {0};
    CHECK_OK(data_view(STR("qa"),
                       STR("{\"id\":\"ab12-3.1\",\"question\":\"几点开门？\",\"answer\":\"九点\","
                           "\"label\":\"x\",\"split\":\"train\",\"meta\":{\"d\":1}}"),
                       arena, &v, &why),
             &why);
    CHECK_STR(v.id, "ab12-3.1");
    CHECK_STR(v.source, "ab12");
    CHECK_STR(v.label, "x");
    CHECK_STR(v.split, "train");
    CHECK_STR(v.meta, "{\"d\":1}");
    CHECK_STR(v.text, "几点开门？\n九点");
    CHECK_EQ(v.n_texts, 2);
    CHECK_EQ(v.fault[0], 0);
    CHECK_OK(data_view(STR("qa"), STR("{\"id\":\"a-1\",\"question\":\"q\"}"), arena, &v, &why),
             &why);
    CHECK(strstr(v.fault, "answer") != NULL);
    CHECK_EQ(data_view(STR("qa"), STR("{\"id\":\"a-1\""), arena, &v, NULL), ERR_INVALID);
    CHECK_EQ(data_view(STR("poem"), STR("{}"), arena, &v, NULL), ERR_INVALID);
    arena_free(arena);
}

TEST(an_operator_measures_a_text)
{
    FRESH(r);
    struct data_gauge *g = NULL;
    struct why why = {0};
    double x = 0;
    CHECK_OK(data_gauge_open(r.data, "flagged_words", STR("{\"words\":[\"代开发票\"]}"), &g, &why),
             &why);
    CHECK_OK(data_gauge_read(g, STR("长期代 开发票，电话"), r.arena, &x, &why), &why);
    CHECK(x > 0);
    CHECK_OK(data_gauge_read(g, STR("开具发票须知"), r.arena, &x, &why), &why);
    CHECK(x == 0);
    CHECK_OK(data_gauge_read(g, STR(""), r.arena, &x, &why), &why);
    CHECK(isnan(x));
    data_gauge_close(g);
    CHECK_EQ(data_gauge_open(r.data, "trim", STR(""), &g, NULL), ERR_NOT_FOUND);
    CHECK_EQ(data_gauge_open(r.data, "nothing", STR(""), &g, NULL), ERR_NOT_FOUND);
    CHECK_EQ(data_gauge_open(r.data, "length", STR("{\"x\":1}"), &g, NULL), ERR_INVALID);
    CHECK_EQ(data_gauge_open(r.data, "language", STR(""), &g, NULL), ERR_UNAVAILABLE);
    data_gauge_close(NULL);
    DONE(r);
}

TEST(lines_take_the_form_that_trainers_read)
{
    FRESH(r);
    static const char lines[] = "{\"id\":\"a-1\",\"question\":\"甲？\",\"answer\":\"乙\"}\n"
                                "{\"id\":\"a-2\",\"question\":\"丙？\",\"answer\":\"\"}\n"
                                "{\"id\":\"a-3\",\"question\":\"丁？\",\"answer\":\"戊\"}\n";
    char path[128];
    struct data_shaped n;
    struct why why = {0};
    struct str got;
    (void)snprintf(path, sizeof path, "%s/out", r.dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    CHECK(fd >= 0);
    CHECK_OK(data_shape(r.data, STR("qa"),
                        STR("[{\"op\":\"to_chat\"},{\"op\":\"chat_to\",\"form\":\"alpaca\"}]"),
                        str_c(lines), "row", fd, &n, &why),
             &why);
    (void)close(fd);
    CHECK_EQ(n.n_in, 3);
    CHECK_EQ(n.n_out, 2);
    CHECK_EQ(n.n_left_out, 1); /* no answer */
    CHECK_OK(file_read(path, 4096, r.arena, &got, &why), &why);
    CHECK_STR(got, "{\"instruction\":\"甲？\",\"input\":\"\",\"output\":\"乙\",\"history\":[]}\n"
                   "{\"instruction\":\"丁？\",\"input\":\"\",\"output\":\"戊\",\"history\":[]}\n");
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    CHECK_OK(data_shape(r.data, STR("qa"), STR("[{\"op\":\"to_chat\"}]"), str_c(lines),
                        "{messages}", fd, &n, &why),
             &why);
    (void)close(fd);
    CHECK_OK(file_read(path, 4096, r.arena, &got, &why), &why);
    CHECK(str_starts(got, STR("{\"messages\":[{\"role\":\"user\",\"content\":\"甲？\"},")));
    CHECK_EQ(data_shape(r.data, STR("qa"), STR("[{\"op\":\"exact_dedup\"}]"), STR(""), NULL, -1, &n,
                        NULL),
             ERR_UNSUPPORTED);
    CHECK_EQ(
        data_shape(r.data, STR("qa"), STR("[{\"op\":\"chat_to\"}]"), STR(""), NULL, -1, &n, NULL),
        ERR_UNSUPPORTED);
    DONE(r);
}

struct heard {
    int n;
    size_t versions;
    enum err answer;
};

static enum err hear(void *ctx, struct store_tx *tx, const struct ops_identity *who,
                     struct str source, struct str reason, const struct str *versions, size_t n,
                     struct arena *arena, struct why *why)
{
    struct heard *h = ctx;
    (void)tx, (void)who, (void)arena;
    h->n++;
    h->versions = n;
    CHECK(source.len && n && versions[0].len);
    CHECK_STR(reason, "授权到期");
    return h->answer ? err_set(why, h->answer, "not now") : ERR_OK;
}

TEST(a_withdrawal_is_told_in_its_transaction)
{
    FRESH(r);
    struct heard heard = {.answer = ERR_BUSY};
    struct why why = {0};
    const struct json *doc = NULL;
    struct buf buf;
    struct json_out out;
    char path[128], id[UUID_TEXT];
    (void)snprintf(path, sizeof path, "%s/in.jsonl", r.dir);
    CHECK_OK(file_write(path, STR("{\"text\":\"甲\"}\n"), 0640, &why), &why);
    data_listen(r.data, hear, &heard);
    struct str spec = str_printf(r.arena, "{\"dataset\":\"a\",\"paths\":[\"%s\"]}", path);
    CHECK_OK(data_import(r.data, &r.who, spec, id, &why), &why);
    CHECK_OK(job_run(r.compute, id, &why), &why);
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(data_sources_json(r.data, &r.who, STR(""), STR(""), 10, r.arena, &out, &why), &why);
    CHECK_OK(json_parse(buf_str(&buf), r.arena, &doc, &why), &why);
    struct str key = json_get_str(json_at(json_get(doc, "items"), 0), "id", STR(""));
    for (int round = 0; round < 2; round++) {
        buf_init(&buf, r.arena);
        json_out_init(&out, &buf);
        CHECK_EQ(data_withdraw(r.data, &r.who, key, STR("授权到期"), false, r.arena, &out, NULL),
                 round ? ERR_OK : ERR_BUSY);
        CHECK_EQ(heard.n, round + 1);
        CHECK_EQ(heard.versions, 1);
        buf_init(&buf, r.arena);
        json_out_init(&out, &buf);
        CHECK_OK(data_set_json(r.data, &r.who, STR("a"), r.arena, &out, &why), &why);
        CHECK((str_find(buf_str(&buf), STR("withdrawn")) != STR_NPOS) == (round == 1));
        heard.answer = ERR_OK;
    }
    DONE(r);
}

TESTS_MAIN()
