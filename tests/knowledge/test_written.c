/* knowledge/written: what is left of a model's words, with a model that says what the test wants.
 */
#define TEST_ENGINE "sqlite"
#include "tap.h"

#include "kb.h"
#include "knowledge/room.h"
#include "knowledge/written.h"

static const char rules[] =
    "# 云汀市共享单车停放管理办法\n\n2024年3月1日公布 自2024年5月1日起施行\n\n"
    "第一条 为了规范共享单车停放，维护道路交通秩序，制定本办法。\n\n"
    "第二条 本市行政区域内共享单车的投放、停放和管理，适用本办法。\n\n"
    "第三条 "
    "共享单车应当停放在划定的停放区内，不得占用盲道。违反规定占用盲道的，运营企业应当在四十八"
    "小时内清理；逾期不清理的，由城市管理部门处五百元罚款。运营企业应当在清理后将车辆数量、停放位置"
    "和"
    "处理情况报城市管理部门备案，并在本企业网站上公布投诉电话。城市管理部门应当每季度公布一次检查情"
    "况，"
    "对多次违反规定的运营企业约谈其负责人，必要时可以限制其投放车辆的数量。\n\n"
    "第四条 市城市管理部门负责共享单车停放的监督管理工作。\n";

struct model {
    const char *words; /* NULL: out of reach */
    char seen[16384];  /* the last request */
    char who[80];
    int calls;
};

static enum err call(void *ctx, const struct ops_identity *who, const char *path, struct str body,
                     struct arena *arena, struct str *reply, struct why *why)
{
    struct model *model = ctx;
    struct buf buf;
    struct json_out out;
    model->calls++;
    (void)snprintf(model->seen, sizeof model->seen, "%.*s", STR_FMT(body));
    (void)snprintf(model->who, sizeof model->who, "%.*s %s", STR_FMT(who->kind), path);
    if (!model->words)
        return err_set(why, ERR_UNAVAILABLE, "could not reach the upstream");
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_key(&out, "choices");
    json_begin_array(&out);
    json_begin_object(&out);
    json_key(&out, "message");
    json_begin_object(&out);
    json_kv_c(&out, "content", model->words);
    json_end_object(&out);
    json_end_object(&out);
    json_end_array(&out);
    json_end_object(&out);
    *reply = buf_str(&buf);
    return buf_err(&buf, why);
}

static struct knowledge_answer ask(struct kb *kb, const char *question)
{
    struct knowledge_answer answer = {0};
    struct knowledge_ask asked = {
        .query = {.kb = "test", .text = str_c(question), .as_of = DAY_NONE, .limit = 10},
        .record = true};
    struct why why = {0};
    CHECK_OK(knowledge_ask(kb->knowledge, &kb->system, &asked, kb->arena, &answer, &why), &why);
    return answer;
}

static bool ready(struct kb *kb, struct model *model, const char *writer)
{
    const struct json *change = NULL;
    if (!kb_fresh(kb))
        return false;
    kb_put(kb, "bike.md", rules);
    kb_import(kb, "bike.md", false);
    struct models_door door = {model, call};
    knowledge_set_door(kb->knowledge, &door);
    struct str json = str_printf(kb->arena, "{\"writer\":\"%s\"}", writer);
    CHECK_OK(json_parse(json, kb->arena, &change, &kb->why), &kb->why);
    CHECK_OK(base_change(kb->knowledge, &kb->system, STR("test"), change, kb->arena, &kb->why),
             &kb->why);
    return true;
}

#define QUESTION "共享单车违反停放规定占用盲道，运营企业要在多少小时内清理？"

TEST(what_stands_is_kept_and_cited_what_does_not_is_struck_out_and_counted)
{
    struct kb kb;
    struct model model = {
        .words = "<think>想一想</think>违反规定占用盲道的，运营企业应当在48小时内清理[1]。"
                 "逾期不清理的，处五千元罚款[1]。运营企业还要向用户赔礼道歉并赔偿一百元。"
                 "共享单车不得占用盲道【1】。"};
    if (!ready(&kb, &model, "city-chat"))
        SKIP(test_store_skip());
    struct knowledge_answer answer = ask(&kb, QUESTION);
    CHECK(strcmp(answer.method, "model") == 0);
    CHECK_EQ(answer.written.n_sentences, 4);
    CHECK_EQ(answer.written.n_struck, 2);
    CHECK(str_find(answer.text, STR("48小时内清理。[1]")) != STR_NPOS);
    CHECK(str_find(answer.text, STR("五千元")) == STR_NPOS);
    CHECK(str_find(answer.text, STR("赔礼")) == STR_NPOS);
    CHECK(str_find(answer.text, STR("想一想")) == STR_NPOS);
    CHECK(answer.n_quotes >= 1);
    for (size_t i = 0; i < answer.n_quotes; i++) {
        const struct knowledge_quote *q = &answer.quotes[i];
        const struct knowledge_hit *hit = &answer.hits[q->hit];
        CHECK(str_eq(q->text,
                     str_slice(hit->text, q->start - hit->start, q->start - hit->start + q->len)));
    }
    CHECK(strcmp(model.who, "system chat/completions") == 0);
    CHECK(strstr(model.seen, "\"model\":\"city-chat\"") && strstr(model.seen, "四十八小时内清理"));
    kb_done(&kb);
}

TEST(where_nothing_stands_the_quoted_answer_stays)
{
    static const char *const bad[] = {"材料不足。", "运营企业必须在五小时内清理，并可以占用盲道。",
                                      "", "<think>还没有想完", NULL};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct kb kb;
        struct model model = {.words = bad[i]};
        if (!ready(&kb, &model, "city-chat"))
            SKIP(test_store_skip());
        struct knowledge_answer answer = ask(&kb, QUESTION);
        CHECK(!answer.refused && strcmp(answer.method, "extract") == 0);
        CHECK(str_find(answer.text, STR("四十八小时内清理")) != STR_NPOS);
        CHECK(answer.written.failure.len > 0);
        CHECK_EQ(model.calls, 1);
        kb_done(&kb);
    }
}

TEST(a_model_is_not_asked_when_nothing_was_found_or_a_text_is_given_word_for_word)
{
    struct kb kb;
    struct model model = {.words = "外星人住在月球上。"};
    if (!ready(&kb, &model, "city-chat"))
        SKIP(test_store_skip());
    CHECK(ask(&kb, "月球上有没有外星人").refused);
    CHECK(strcmp(ask(&kb, "共享单车停放管理办法第四条").method, "article") == 0);
    CHECK_EQ(model.calls, 0);
    kb_done(&kb);
}

TEST(a_base_without_a_writer_asks_no_model)
{
    struct kb kb;
    struct model model = {.words = "运营企业应当在48小时内清理。"};
    if (!ready(&kb, &model, ""))
        SKIP(test_store_skip());
    CHECK(strcmp(ask(&kb, QUESTION).method, "extract") == 0);
    CHECK_EQ(model.calls, 0);
    kb_done(&kb);
}

TEST(any_reply_is_read_without_harm)
{
    static const char *const replies[] = {"",
                                          "null",
                                          "{}",
                                          "{\"choices\":[]}",
                                          "{\"choices\":[{\"message\":{\"content\":null}}]}",
                                          "{\"choices\":[{\"message\":{\"content\":[1]}}]}",
                                          "\xFF\xFE",
                                          "{\"choices\":7}",
                                          "[[[["};
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
        CHECK_EQ(written_words(str_c(replies[i]), arena).len, 0);
    CHECK_STR(
        written_words(STR("{\"choices\":[{\"message\":{\"content\":\" a</think> b \"}}]}"), arena),
        "b");
    arena_free(arena);
}

TESTS_MAIN()
