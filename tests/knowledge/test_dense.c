/* knowledge/dense: vectors of a model beside words, and a reranker, with a model of three meanings.
 */
#define TEST_ENGINE "sqlite"
#include "tap.h"

#include "kb.h"
#include "knowledge/dense.h"
#include "knowledge/room.h"

static const char rules[] = "# 云汀市生活规定\n\n2024年3月1日公布 自2024年5月1日起施行\n\n"
                            "第一条 携带犬只外出应当为其束犬链，由成年人牵引。\n\n"
                            "第二条 机动车驾驶人不得在人行道上停放车辆。\n\n"
                            "第三条 居民应当将厨余垃圾投入绿色收集容器。\n";

/* Knows that words which share no character mean the same: as an embedding model would. */
static const char *const meanings[3][4] = {{"犬", "狗", "毛孩", "遛"},
                                           {"机动车", "汽车", "轿车", "开车"},
                                           {"垃圾", "剩饭", "剩菜", "废品"}};

struct model {
    int calls, texts;
    bool broken;
    const char *favourite; /* the reranker puts texts with it first */
};

static void put_vector(struct json_out *out, struct str text)
{
    json_begin_array(out);
    for (int m = 0; m < 3; m++) {
        double x = 0.01;
        for (int w = 0; w < 4; w++)
            x += str_find(text, str_c(meanings[m][w])) != STR_NPOS ? 1 : 0;
        json_put_real(out, x);
    }
    json_end_array(out);
}

static enum err call(void *ctx, const struct ops_identity *who, const char *path, struct str body,
                     struct arena *arena, struct str *reply, struct why *why)
{
    struct model *model = ctx;
    const struct json *root = NULL;
    struct buf buf;
    struct json_out out;
    (void)who;
    model->calls++;
    enum err err = json_parse(body, arena, &root, why);
    if (err)
        return err;
    if (model->broken)
        return err_set(why, ERR_UNAVAILABLE, "could not reach the upstream");
    bool embeds = strcmp(path, "embeddings") == 0;
    const struct json *texts = json_get(root, embeds ? "input" : "documents");
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_key(&out, embeds ? "data" : "results");
    json_begin_array(&out);
    for (size_t i = json_len(texts); i-- > 0;) { /* out of order, as servers may */
        struct str text = json_str(json_at(texts, i), STR(""));
        model->texts++;
        json_begin_object(&out);
        json_kv_int(&out, "index", (int64_t)i);
        if (embeds) {
            json_key(&out, "embedding");
            put_vector(&out, text);
        } else {
            json_kv_real(&out, "relevance_score",
                         str_find(text, str_c(model->favourite)) != STR_NPOS ? 0.9 : 0.1);
        }
        json_end_object(&out);
    }
    json_end_array(&out);
    json_end_object(&out);
    *reply = buf_str(&buf);
    return buf_err(&buf, why);
}

static void set_models(struct kb *kb, const char *json)
{
    const struct json *change = NULL;
    CHECK_OK(json_parse(str_c(json), kb->arena, &change, &kb->why), &kb->why);
    CHECK_OK(base_change(kb->knowledge, &kb->system, STR("test"), change, kb->arena, &kb->why),
             &kb->why);
}

static bool ready(struct kb *kb, struct model *model)
{
    if (!kb_fresh(kb))
        return false;
    kb_put(kb, "life.md", rules);
    kb_import(kb, "life.md", false);
    struct models_door door = {model, call};
    knowledge_set_door(kb->knowledge, &door);
    return true;
}

static int64_t embed(struct kb *kb, enum err want)
{
    int64_t n_new = -1;
    struct why why = {0};
    CHECK_EQ(knowledge_embed(kb->knowledge, &kb->system, "test", NULL, NULL, &n_new, &why), want);
    return n_new;
}

static struct knowledge_hit *search(struct kb *kb, const char *text, size_t *n)
{
    struct knowledge_hit *hits = NULL;
    struct knowledge_query query = {
        .kb = "test", .text = str_c(text), .as_of = DAY_NONE, .limit = 5};
    struct why why = {0};
    *n = 0;
    CHECK_OK(knowledge_search(kb->knowledge, &kb->system, &query, kb->arena, &hits, n, &why), &why);
    return hits;
}

TEST(what_shares_no_word_is_found_by_its_meaning)
{
    struct kb kb;
    struct model model = {0};
    size_t n;
    if (!ready(&kb, &model))
        SKIP(test_store_skip());
    (void)search(&kb, "毛孩", &n);
    CHECK_EQ(n, 0);
    CHECK_EQ(model.calls, 0);
    set_models(&kb, "{\"embedder\":\"city-embed\"}");
    CHECK(embed(&kb, ERR_OK) >= 3);
    struct knowledge_hit *hits = search(&kb, "毛孩", &n);
    CHECK(n >= 1);
    CHECK(n && str_find(hits[0].text, STR("束犬链")) != STR_NPOS);
    hits = search(&kb, "轿车", &n);
    CHECK(n && str_find(hits[0].text, STR("机动车驾驶人")) != STR_NPOS);
    for (size_t i = 1; i < n; i++)
        CHECK(hits[i].score <= hits[i - 1].score);
    kb_done(&kb);
}

TEST(a_passage_that_has_a_vector_is_not_embedded_again)
{
    struct kb kb;
    struct model model = {0};
    if (!ready(&kb, &model))
        SKIP(test_store_skip());
    embed(&kb, ERR_CONFLICT); /* no embedder named */
    set_models(&kb, "{\"embedder\":\"city-embed\"}");
    int64_t first = embed(&kb, ERR_OK);
    CHECK(first >= 3);
    CHECK_EQ(embed(&kb, ERR_OK), 0);
    kb_put(&kb, "more.md", "# 云汀市集市规定\n\n2024年3月1日公布\n\n第一条 集市收旧废品。\n");
    kb_import(&kb, "more.md", false);
    int64_t more = embed(&kb, ERR_OK);
    CHECK(more >= 1 && more < first);
    CHECK_EQ(model.texts, first + more);
    kb_done(&kb);
}

TEST(without_the_model_the_words_still_find)
{
    struct kb kb;
    struct model model = {0};
    size_t n;
    if (!ready(&kb, &model))
        SKIP(test_store_skip());
    set_models(&kb, "{\"embedder\":\"city-embed\",\"reranker\":\"city-rank\"}");
    model.favourite = "没有";
    embed(&kb, ERR_OK);
    model.broken = true;
    struct knowledge_hit *hits = search(&kb, "人行道停放车辆", &n);
    CHECK(n && str_find(hits[0].text, STR("人行道")) != STR_NPOS);
    embed(&kb, ERR_OK); /* nothing to do, so nobody is asked */
    kb_done(&kb);
}

TEST(a_reranker_has_the_last_word_on_the_order)
{
    struct kb kb;
    struct model model = {.favourite = "厨余垃圾"};
    size_t n;
    if (!ready(&kb, &model))
        SKIP(test_store_skip());
    struct knowledge_hit *hits = search(&kb, "应当 犬只 车辆 居民", &n);
    CHECK(n >= 2);
    struct str plain = n ? hits[n - 1].text : STR("");
    set_models(&kb, "{\"reranker\":\"city-rank\"}");
    hits = search(&kb, "应当 犬只 车辆 居民", &n);
    CHECK(n >= 2 && plain.len);
    CHECK(n && str_find(hits[0].text, STR("厨余垃圾")) != STR_NPOS);
    for (size_t i = 1; i < n; i++)
        CHECK(hits[i].score <= hits[i - 1].score);
    kb_done(&kb);
}

TEST(a_file_keeps_whole_rows_and_refuses_what_is_not_its_own)
{
    char path[] = "/tmp/yicheng-dense-XXXXXX";
    struct dense *dense = NULL;
    struct why why = {0};
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    (void)close(fd);
    CHECK_OK(dense_open(path, &dense, &why), &why);
    CHECK_EQ(dense_n(dense), 0);
    CHECK_EQ(dense_find(dense, 7), -1);
    dense_close(dense);
    const uint64_t keys[] = {7, 8};
    const float vectors[] = {3, 4, 0, -1, 0, 0};
    CHECK_OK(dense_add(path, keys, vectors, 2, 3, &why), &why);
    uint64_t size = 0;
    CHECK_OK(file_size(path, &size, &why), &why);
    CHECK_EQ(truncate(path, (off_t)size - 5), 0); /* a crash within the second row */
    CHECK_OK(dense_open(path, &dense, &why), &why);
    CHECK_EQ(dense_n(dense), 1);
    CHECK_EQ(dense_find(dense, 7), 0);
    const float asked[] = {0.6f, 0.8f, 0};
    CHECK(dense_like(dense, 0, asked) > 0.99f && dense_like(dense, 0, asked) < 1.01f);
    dense_close(dense);
    CHECK_OK(dense_add(path, keys + 1, vectors + 3, 1, 3, &why), &why);
    CHECK_OK(dense_open(path, &dense, &why), &why);
    CHECK_EQ(dense_n(dense), 2);
    CHECK(dense_like(dense, dense_find(dense, 8), asked) < -0.59f);
    dense_close(dense);
    CHECK_EQ(dense_add(path, keys, vectors, 1, 2, &why), ERR_CONFLICT);
    CHECK_OK(file_write(path, STR("something else entirely"), 0600, &why), &why);
    struct why bad = {0};
    CHECK_EQ(dense_open(path, &dense, &bad), ERR_CORRUPT);
    CHECK(bad.text[0] != '\0');
    (void)unlink(path);
}

TEST(answers_of_models_are_checked)
{
    static const char *const bad[] = {
        "",
        "{}",
        "{\"data\":[]}",
        "{\"data\":[{\"embedding\":[1,2]}]}",
        "{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":9,\"embedding\":[1]}]}",
        "{\"data\":[{\"embedding\":[\"x\"]},{\"embedding\":[1]}]}",
        "\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        float *out = NULL;
        size_t dim;
        CHECK(dense_read(str_c(bad[i]), 2, arena, &out, &dim, NULL) != ERR_OK);
        CHECK(dense_read_weights(str_c(bad[i]), 2, arena, &out, NULL) != ERR_OK);
        arena_free(arena);
    }
}

TESTS_MAIN()
