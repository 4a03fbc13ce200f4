/* Import, run, look, follow, withdraw: the promises of data/data.h on either engine. */
#include "room.h"

#include "engine/gguf_make.h"

#include "data/dataset.h"

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

/* What a *_json function writes, parsed. */
#define ASK(r, out, call)                                                                          \
    do {                                                                                           \
        struct buf ask_buf;                                                                        \
        struct json_out json;                                                                      \
        struct why why = {0};                                                                      \
        buf_init(&ask_buf, (r).arena);                                                             \
        json_out_init(&json, &ask_buf);                                                            \
        CHECK_OK(call, &why);                                                                      \
        CHECK_OK(json_parse(buf_str(&ask_buf), (r).arena, &(out), &why), &why);                    \
    } while (0)

static char *spec_of(struct room *r, const char *form, const char *path)
{
    struct buf buf;
    buf_init(&buf, r->arena);
    for (; *form; form++)
        if (*form == '@')
            buf_add_c(&buf, path);
        else
            buf_char(&buf, *form == '\'' ? '"' : *form);
    return buf.ptr;
}

static const char lines[] = "{\"text\":\"第一条 甲\"}\n"
                            "{\"text\":\"乙\",\"id\":7}\n"
                            "\n"
                            "{\"text\":\n"
                            "{\"x\":1}\n"
                            "  {\"text\":\"  第二条 丙\"}\r\n";

TEST(json_lines_become_a_version_and_bad_ones_are_told)
{
    FRESH(r);
    const char *path = room_file(&r, "a.jsonl", lines);
    const struct json *out, *shown = NULL;
    out = room_import(&r, spec_of(&r, "{'dataset':'甲','paths':['@'],'kind':'text'}", path));
    CHECK_EQ(json_get_int(out, "n_records", 0), 3);
    CHECK_EQ(json_get_int(out, "n_quarantined", 0), 2);
    CHECK_EQ(json_get_int(out, "number", 0), 1);
    struct data_look look = {.n = 10};
    ASK(r, shown, data_records_json(r.data, &r.who, STR("甲"), &look, r.arena, &json, &why));
    const struct json *items = json_get(shown, "items");
    CHECK_EQ(json_len(items), 3);
    CHECK_STR(json_get_str(json_at(items, 0), "text", STR("")), "第一条 甲");
    CHECK_EQ(json_get_int(json_at(items, 1), "source_id", 0), 7);
    struct str id = json_get_str(json_at(items, 1), "id", STR(""));
    CHECK_EQ(id.len, 16 + 3); /* the key of the source, '-', the byte where the line begins */
    CHECK(str_ends(id, STR("-25")));
    DONE(r);
}

TEST(the_same_files_give_the_same_manifest)
{
    FRESH(r);
    const char *path = room_file(&r, "a.jsonl", lines);
    struct str first = json_get_str(
        room_import(&r, spec_of(&r, "{'dataset':'a','paths':['@'],'kind':'text'}", path)),
        "manifest", STR("1"));
    struct str second = json_get_str(
        room_import(&r, spec_of(&r, "{'dataset':'b','paths':['@'],'kind':'text'}", path)),
        "manifest", STR("2"));
    CHECK(str_eq(first, second));
    CHECK_EQ(first.len, 64);
    DONE(r);
}

TEST(appending_takes_only_what_is_new)
{
    FRESH(r);
    const char *a = room_file(&r, "a.jsonl", "{\"text\":\"甲\"}\n");
    const struct json *out;
    const char *form = "{'dataset':'a','paths':['@'],'append':true}";
    char *dir = str_z(r.arena, str_slice(str_c(a), 0, strlen(a) - strlen("/a.jsonl")));
    out = room_import(&r, spec_of(&r, form, dir));
    CHECK_EQ(json_get_int(out, "n_records", 0), 1);
    (void)room_file(&r, "b.jsonl", "{\"text\":\"乙\"}\n{\"text\":\"丙\"}\n");
    out = room_import(&r, spec_of(&r, form, dir));
    CHECK_EQ(json_get_int(out, "number", 0), 2);
    CHECK_EQ(json_get_int(out, "n_records", 0), 3);
    CHECK_EQ(json_get_int(out, "n_new", 0), 2);
    CHECK(json_get_bool(out, "made", false));
    out = room_import(&r, spec_of(&r, form, dir));
    CHECK_EQ(json_get_int(out, "number", 0), 2);
    CHECK(!json_get_bool(out, "made", true));
    DONE(r);
}

TEST(an_array_a_table_and_a_text_are_read)
{
    FRESH(r);
    const struct json *out, *shown = NULL;
    out = room_import(
        &r, spec_of(&r, "{'dataset':'chat','paths':['@']}",
                    room_file(&r, "c.json",
                              "[{\"messages\":[{\"role\":\"user\",\"content\":\"问\"}]},\n "
                              "{\"messages\":[]}, 5]")));
    CHECK_STR(json_get_str(out, "kind", STR("")), "chat");
    CHECK_EQ(json_get_int(out, "n_records", 0), 2);
    CHECK_EQ(json_get_int(out, "n_quarantined", 0), 1);
    out = room_import(&r, spec_of(&r, "{'dataset':'rows','paths':['@']}",
                                  room_file(&r, "t.csv", "名称,电话\n甲局,1\n乙局,2\n")));
    CHECK_STR(json_get_str(out, "kind", STR("")), "row");
    CHECK_EQ(json_get_int(out, "n_records", 0), 2);
    out = room_import(
        &r, spec_of(&r, "{'dataset':'qa','paths':['@'],'map':{'question':'问题','answer':'答复'}}",
                    room_file(&r, "q.csv", "问题,答复,日期\n几点,九点,2026-01-01\n")));
    CHECK_STR(json_get_str(out, "kind", STR("")), "qa");
    struct data_look look = {.n = 1};
    ASK(r, shown, data_records_json(r.data, &r.who, STR("qa"), &look, r.arena, &json, &why));
    const struct json *item = json_at(json_get(shown, "items"), 0);
    CHECK_STR(json_get_str(item, "answer", STR("")), "九点");
    CHECK_STR(json_get_str(json_get(item, "meta"), "日期", STR("")), "2026-01-01");
    out = room_import(&r, spec_of(&r, "{'dataset':'doc','paths':['@']}",
                                  room_file(&r, "d.md", "# 题\n\n第一段。\n")));
    CHECK_STR(json_get_str(out, "kind", STR("")), "text");
    DONE(r);
}

/* A person's layout goes over lines; a record never does. */
TEST(values_laid_out_over_lines_become_one_line_each)
{
    FRESH(r);
    const struct json *out, *shown = NULL;
    out = room_import(&r, spec_of(&r, "{'dataset':'p','paths':['@']}",
                                  room_file(&r, "p.json",
                                            "[\n {\n  \"x\": {\r\n   \"y\": \"a\\n\"\n  },\n"
                                            "  \"z\": [1,\n 2]\n }, {\n  \"x\": 3 }\n]\n")));
    CHECK_EQ(json_get_int(out, "n_records", 0), 2);
    struct data_look look = {.n = 5};
    ASK(r, shown, data_records_json(r.data, &r.who, STR("p"), &look, r.arena, &json, &why));
    const struct json *items = json_get(shown, "items");
    CHECK_EQ(json_len(items), 2);
    const struct json *row = json_get(json_at(items, 0), "row");
    CHECK_STR(json_get_str(json_get(row, "x"), "y", STR("")), "a\n");
    CHECK_EQ(json_int(json_at(json_get(row, "z"), 1), 0), 2);
    DONE(r);
}

static const char *three(struct room *r)
{
    return spec_of(
        r, "{'dataset':'a','paths':['@'],'collection':{'licence':'CC BY'}}",
        room_file(r, "a.jsonl",
                  "{\"text\":\" 第一条 \"}\n{\"text\":\"短\"}\n{\"text\":\"第三条\"}\n"));
}

#define RUN                                                                                        \
    "{'input':{'dataset':'a'},'output':{'dataset':'b'},'steps':[{'op':'trim'},{'op':'length',"     \
    "'least':2}]}"

TEST(a_run_makes_a_version_with_counts_and_history)
{
    FRESH(r);
    const struct json *out, *shown = NULL, *record = NULL;
    (void)room_import(&r, three(&r));
    out = room_run(&r, spec_of(&r, RUN, ""));
    CHECK_EQ(json_get_int(out, "n_records", 0), 2);
    const struct json *steps = json_get(out, "steps");
    CHECK_EQ(json_get_int(json_at(steps, 0), "changed", 0), 1);
    CHECK_EQ(json_get_int(json_at(steps, 1), "dropped", 0), 1);
    CHECK_EQ(json_get_int(json_at(steps, 1), "in", 0), 3);
    struct data_look look = {.n = 3};
    ASK(r, shown, data_records_json(r.data, &r.who, STR("b"), &look, r.arena, &json, &why));
    struct str id = json_get_str(json_at(json_get(shown, "items"), 0), "id", STR(""));
    ASK(r, record, data_record_json(r.data, &r.who, STR("b"), 0, id, r.arena, &json, &why));
    const struct json *history = json_get(record, "history");
    CHECK_EQ(json_len(history), 2);
    CHECK_STR(json_get_str(json_at(json_get(json_at(history, 0), "changed_by"), 0), "op", STR("")),
              "trim");
    const struct json *source = json_get(record, "source");
    CHECK_STR(json_get_str(json_get(source, "collection"), "licence", STR("")), "CC BY");
    CHECK_STR(json_get_str(source, "uri", STR("")), "file:a.jsonl");
    /* the one that was dropped is known, too: where and why it ended */
    look.spread = false;
    ASK(r, shown, data_records_json(r.data, &r.who, STR("a"), &look, r.arena, &json, &why));
    id = json_get_str(json_at(json_get(shown, "items"), 1), "id", STR(""));
    ASK(r, record, data_record_json(r.data, &r.who, STR("b"), 0, id, r.arena, &json, &why));
    CHECK_EQ(json_get_int(json_get(record, "ended"), "dropped", -1), 1);
    CHECK(json_kind(json_get(record, "record")) == JSON_KIND_NULL);
    DONE(r);
}

/* What is compared with gives no record; its number is fixed when the run is queued. */
TEST(a_reference_is_pinned_and_stands_in_the_lineage)
{
    FRESH(r);
    const struct json *out, *shown = NULL;
    static const char spec[] =
        "{'input':{'dataset':'a'},'references':[{'dataset':'exam'}],'output':{'dataset':'b'},"
        "'steps':[{'op':'decontaminate'}]}";
    (void)room_import(&r, three(&r));
    (void)room_import(&r,
                      spec_of(&r, "{'dataset':'more','paths':['@']}",
                              room_file(&r, "m.jsonl", "{\"text\":\"请问怎样申领居住证呢\"}\n")));
    (void)room_import(
        &r, spec_of(&r, "{'dataset':'exam','paths':['@']}",
                    room_file(&r, "e.jsonl",
                              "{\"question\":\"怎样申领居住证呢\",\"answer\":\"去\"}\n")));
    out = room_run(&r, spec_of(&r,
                               "{'inputs':[{'dataset':'a'},{'dataset':'more'}],'references':[{"
                               "'dataset':'exam'}],'output':{'dataset':'b'},'steps':[{'op':"
                               "'decontaminate'}]}",
                               ""));
    CHECK_EQ(json_get_int(out, "n_records", 0), 3);
    CHECK_EQ(json_get_int(json_at(json_get(out, "steps"), 0), "dropped", 0), 1);
    CHECK_EQ(json_get_int(json_at(json_get(out, "steps"), 0), "in", 0), 4);
    ASK(r, shown, data_version_json(r.data, &r.who, STR("exam"), 1, r.arena, &json, &why));
    struct str id = json_get_str(shown, "id", STR(""));
    ASK(r, shown,
        data_lineage_json(r.data, &r.who, STR("version"), id, DATA_FORWARDS, r.arena, &json, &why));
    bool reached = false;
    const struct json *nodes = json_get(shown, "nodes");
    for (size_t i = 0; i < json_len(nodes); i++)
        reached |= str_find(json_get_str(json_at(nodes, i), "title", STR("")), STR("b")) == 0;
    CHECK(reached);
    struct why why = {0};
    char job[UUID_TEXT];
    CHECK_EQ(data_run(r.data, &r.who, str_c(spec_of(&r, spec, "")), job, &why), ERR_OK);
    CHECK_EQ(data_run(r.data, &r.who,
                      str_c(spec_of(&r,
                                    "{'input':{'dataset':'a'},'references':[{'dataset':'nothing'}"
                                    "],'output':{'dataset':'b'},'steps':[]}",
                                    "")),
                      job, &why),
             ERR_NOT_FOUND);
    DONE(r);
}

static struct str first_text(struct room *r, const char *name)
{
    const struct json *shown = NULL;
    struct data_look look = {.n = 1};
    ASK(*r, shown, data_records_json(r->data, &r->who, str_c(name), &look, r->arena, &json, &why));
    return json_get_str(json_at(json_get(shown, "items"), 0), "text", STR(""));
}

/* Which key masks is fixed when the run is queued: a rotation while it waits changes no byte. */
TEST(the_key_of_a_mask_is_pinned)
{
    FRESH(r);
    struct why why = {0};
    char first[UUID_TEXT] = "", second[UUID_TEXT] = "";
    int64_t number = 0;
    size_t n = 0;
    static const char spec[] = "{'input':{'dataset':'p'},'output':{'dataset':'@'},'steps':[{'op':"
                               "'pii_mask','mode':'vault'}]}";
    (void)room_import(&r, spec_of(&r, "{'dataset':'p','paths':['@']}",
                                  room_file(&r, "p.jsonl", "{\"text\":\"手机13812345678\"}\n")));
    CHECK_OK(data_run(r.data, &r.who, str_c(spec_of(&r, spec, "one")), first, &why), &why);
    CHECK_OK(privacy_rotate(r.privacy, &r.who, &number, &why), &why);
    CHECK_OK(data_run(r.data, &r.who, str_c(spec_of(&r, spec, "two")), second, &why), &why);
    (void)room_job(&r, first);
    (void)room_job(&r, second);
    struct str one = first_text(&r, "one"), two = first_text(&r, "two"), text = STR("");
    CHECK(str_find(one, STR("[yc:mobile:1:")) != STR_NPOS);
    CHECK(str_find(two, STR("[yc:mobile:2:")) != STR_NPOS);
    (void)room_run(&r, spec_of(&r,
                               "{'input':{'dataset':'p'},'output':{'dataset':'three'},"
                               "'privacy_key':1,'steps':[{'op':'pii_mask','mode':'vault'}]}",
                               ""));
    CHECK(str_eq(first_text(&r, "three"), one));
    CHECK_OK(privacy_reveal(r.privacy, &r.who, two, STR("核对原件"), r.arena, &text, &n, &why),
             &why);
    CHECK_STR(text, "手机13812345678");
    CHECK_EQ(data_run(r.data, &r.who,
                      str_c(spec_of(&r,
                                    "{'input':{'dataset':'p'},'output':{'dataset':'x'},"
                                    "'privacy_key':9,'steps':[{'op':'pii_mask','mode':'vault'}]}",
                                    "")),
                      first, &why),
             ERR_NOT_FOUND);
    DONE(r);
}

/* The next version of the model "counter": random weights on that vocabulary. */
static void add_model(struct room *r, const char *dir, const char *file)
{
    struct models_ask ask = {.who = &r->who, .arena = r->arena, .if_match = -1};
    const struct json *body = NULL;
    struct why why = {0};
    char *path = file_join(r->arena, r->dir, file);
    struct engine_random random = {
        .shape = "tiny", .vocab = file_join(r->arena, dir, file), .kind = GGUF_TENSOR_F16};
    CHECK_OK(engine_make_random(&random, path, &why), &why);
    struct str text = str_printf(r->arena, "{\"path\":\"%s\",\"model\":\"counter\"}", path);
    CHECK_OK(json_parse(text, r->arena, &body, &why), &why);
    CHECK_OK(models_import(r->models, &ask, body, NULL, &why), &why);
}

/* A model of the registry counts by its name; which version is fixed when the run is queued. */
TEST(tokens_are_counted_by_a_model_of_the_registry)
{
    const char *dir = tap_dataset("gguf-vocab/models");
    if (!dir)
        SKIP("gguf-vocab is not here");
    FRESH(r);
    struct why why = {0};
    char first[UUID_TEXT] = "", second[UUID_TEXT] = "";
    static const char spec[] = "{'input':{'dataset':'t'},'output':{'dataset':'@'},'steps':[{'op':"
                               "'tokens','vocabulary':'counter','most':10}]}";
    (void)room_import(&r, spec_of(&r, "{'dataset':'t','paths':['@']}",
                                  room_file(&r, "t.jsonl",
                                            "{\"text\":\"今天天气很好，适合出门。\"}\n"
                                            "{\"text\":\"hi\"}\n")));
    CHECK_EQ(data_run(r.data, &r.who, str_c(spec_of(&r, spec, "none")), first, &why),
             ERR_UNAVAILABLE);
    CHECK(strstr(why.text, "counter") != NULL);
    add_model(&r, dir, "ggml-vocab-deepseek-llm.gguf"); /* 7 tokens */
    why = (struct why){0};
    CHECK_OK(data_run(r.data, &r.who, str_c(spec_of(&r, spec, "one")), first, &why), &why);
    add_model(&r, dir, "ggml-vocab-gpt-2.gguf"); /* many more */
    CHECK_OK(data_run(r.data, &r.who, str_c(spec_of(&r, spec, "two")), second, &why), &why);
    CHECK_EQ(json_get_int(room_job(&r, first), "n_records", 0), 2);
    CHECK_EQ(json_get_int(room_job(&r, second), "n_records", 0), 1);
    CHECK_EQ(data_run(r.data, &r.who,
                      str_c(spec_of(&r,
                                    "{'input':{'dataset':'t'},'output':{'dataset':'x'},'steps':[{"
                                    "'op':'tokens','vocabulary':'../t.gguf'}]}",
                                    "")),
                      first, &why),
             ERR_INVALID);
    DONE(r);
}

static enum err clusters_of(struct room *r, const char *set, size_t from, size_t limit,
                            const char *cluster, struct json_out *out, struct why *why)
{
    const struct data_clusters_ask ask = {STR("like"), from, limit, str_c(cluster)};
    return data_clusters_json(r->data, &r->who, str_c(set), 0, &ask, r->arena, out, why);
}

TEST(marked_clusters_are_counted_and_shown)
{
    FRESH(r);
    const struct json *shown = NULL;
    (void)room_import(
        &r,
        spec_of(&r, "{'dataset':'a','paths':['@']}",
                room_file(&r, "a.jsonl",
                          "{\"text\":\"同一段话\"}\n{\"text\":\"另外一句\"}\n{\"text\":"
                          "\"同一段话。\"}\n{\"text\":\"又是一对\"}\n{\"text\":\"同一段话，\"}\n"
                          "{\"text\":\"又是，一对\"}\n")));
    (void)room_run(&r, spec_of(&r,
                               "{'input':{'dataset':'a'},'output':{'dataset':'b'},'steps':[{'op':"
                               "'minhash_dedup','mode':'mark','into':'like','keep':'first'}]}",
                               ""));
    ASK(r, shown, clusters_of(&r, "b", 0, 1, "", &json, &why));
    CHECK_EQ(json_get_int(shown, "n_records", 0), 6);
    CHECK_EQ(json_get_int(shown, "n_clusters", 0), 2);
    CHECK_EQ(json_get_int(shown, "n_members", 0), 5);
    CHECK_EQ(json_len(json_get(shown, "sizes")), 2);
    const struct json *top = json_at(json_get(shown, "clusters"), 0);
    CHECK_EQ(json_len(json_get(shown, "clusters")), 1);
    CHECK_EQ(json_get_int(top, "size", 0), 3);
    const struct json *members = json_get(top, "members");
    CHECK_EQ(json_len(members), 3);
    CHECK(json_get_bool(json_at(members, 0), "keep", false));
    CHECK(!json_get_bool(json_at(members, 2), "keep", true));
    CHECK_STR(json_get_str(json_at(members, 2), "text", STR("")), "同一段话，");
    ASK(r, shown, clusters_of(&r, "b", 1, 5, "", &json, &why));
    CHECK_EQ(json_len(json_get(shown, "clusters")), 1);
    CHECK_EQ(json_get_int(json_at(json_get(shown, "clusters"), 0), "size", 0), 2);
    CHECK_EQ(json_get_int(shown, "n_clusters", 0), 2);
    ASK(r, shown, clusters_of(&r, "b", 9, 5, "", &json, &why));
    CHECK_EQ(json_len(json_get(shown, "clusters")), 0);
    ASK(r, shown, clusters_of(&r, "a", 0, 5, "", &json, &why));
    CHECK_EQ(json_get_int(shown, "n_clusters", 9), 0);
    /* one of them: its records behind the first two, its whole size, and no other */
    struct str name = json_get_str(top, "cluster", STR(""));
    ASK(r, shown, clusters_of(&r, "b", 2, 5, str_z(r.arena, name), &json, &why));
    top = json_at(json_get(shown, "clusters"), 0);
    CHECK_EQ(json_get_int(top, "size", 0), 3);
    CHECK_EQ(json_len(json_get(top, "members")), 1);
    CHECK_STR(json_get_str(json_at(json_get(top, "members"), 0), "text", STR("")), "同一段话，");
    struct buf none;
    struct json_out json;
    struct why why = {0};
    buf_init(&none, r.arena);
    json_out_init(&json, &none);
    CHECK_EQ(clusters_of(&r, "b", 0, 5, "nowhere", &json, &why), ERR_NOT_FOUND);
    DONE(r);
}

/* Shards of a few lines are put together, in order, with their trails. */
TEST(small_shards_of_a_run_become_one)
{
    FRESH(r);
    const struct json *out, *shown = NULL;
    struct dataset set;
    struct dataset_version version;
    (void)room_import(&r, three(&r));
    (void)room_import(&r, spec_of(&r, "{'dataset':'c','paths':['@']}",
                                  room_file(&r, "c.jsonl", "{\"text\":\"第四条\"}\n")));
    out = room_run(&r, spec_of(&r,
                               "{'inputs':[{'dataset':'a'},{'dataset':'c'}],'output':{'dataset':"
                               "'b'},'steps':[{'op':'trim'},{'op':'length','least':2}]}",
                               ""));
    CHECK_EQ(json_get_int(out, "n_records", 0), 3);
    CHECK_EQ(dataset_find(r.data, &r.who, STR("b"), r.arena, &set, NULL), ERR_OK);
    CHECK_EQ(dataset_version_find(r.data, &set, 0, r.arena, &version, NULL), ERR_OK);
    CHECK_EQ(dataset_shards(r.data, &version, r.arena, NULL), ERR_OK);
    CHECK_EQ(version.n_shards, 1);
    CHECK_EQ(version.shards[0].n_records, 3);
    CHECK(version.shards[0].trail.len > 0);
    struct data_look look = {.n = 5};
    ASK(r, shown, data_records_json(r.data, &r.who, STR("b"), &look, r.arena, &json, &why));
    const struct json *items = json_get(shown, "items");
    CHECK_STR(json_get_str(json_at(items, 0), "text", STR("")), "第一条");
    CHECK_STR(json_get_str(json_at(items, 2), "text", STR("")), "第四条");
    DONE(r);
}

TEST(a_withdrawn_source_marks_all_that_holds_it_and_enters_no_version)
{
    FRESH(r);
    const struct json *out = NULL, *sources = NULL, *set = NULL;
    char id[UUID_TEXT];
    struct why why2 = {0};
    (void)room_import(&r, three(&r));
    (void)room_run(&r, spec_of(&r, RUN, ""));
    ASK(r, sources, data_sources_json(r.data, &r.who, STR(""), STR(""), 10, r.arena, &json, &why));
    CHECK_EQ(json_len(json_get(sources, "items")), 1);
    struct str key = json_get_str(json_at(json_get(sources, "items"), 0), "id", STR(""));
    ASK(r, out, data_withdraw(r.data, &r.who, key, STR(""), true, r.arena, &json, &why));
    CHECK_EQ(json_len(json_get(out, "versions")), 2);
    CHECK(!json_get_bool(out, "withdrawn", true));
    ASK(r, out, data_withdraw(r.data, &r.who, key, STR("授权到期"), false, r.arena, &json, &why));
    ASK(r, set, data_set_json(r.data, &r.who, STR("b"), r.arena, &json, &why));
    CHECK_STR(json_get_str(set, "state", STR("")), "withdrawn");
    CHECK_EQ(data_run(r.data, &r.who, str_c(spec_of(&r, RUN, "")), id, &why2), ERR_OK);
    CHECK_EQ(job_run(r.compute, id, &why2), ERR_CONFLICT);
    CHECK(strstr(why2.text, "withdrawn") != NULL);
    DONE(r);
}

TEST(lineage_goes_both_ways)
{
    FRESH(r);
    const struct json *sources = NULL, *graph = NULL;
    (void)room_import(&r, three(&r));
    struct str version = json_get_str(room_run(&r, spec_of(&r, RUN, "")), "version", STR(""));
    ASK(r, graph,
        data_lineage_json(r.data, &r.who, STR("version"), version, DATA_BACKWARDS, r.arena, &json,
                          &why));
    /* b1 <- run <- a1 <- run of the import, and a1 <- source */
    CHECK_EQ(json_len(json_get(graph, "nodes")), 5);
    CHECK_EQ(json_len(json_get(graph, "edges")), 4);
    ASK(r, sources, data_sources_json(r.data, &r.who, STR(""), STR(""), 10, r.arena, &json, &why));
    struct str key = json_get_str(json_at(json_get(sources, "items"), 0), "id", STR(""));
    ASK(r, graph,
        data_lineage_json(r.data, &r.who, STR("source"), key, DATA_FORWARDS, r.arena, &json, &why));
    CHECK_EQ(json_len(json_get(graph, "nodes")), 4); /* source -> a1 -> run -> b1 */
    struct why why = {0};
    CHECK_EQ(
        data_lineage_json(r.data, &r.who, STR("thing"), key, DATA_FORWARDS, r.arena, NULL, &why),
        ERR_INVALID);
    DONE(r);
}

/* "a>b" for every edge, in order. */
static struct str edges_of(struct room *r, const char *kind, const char *id, enum data_way way)
{
    const struct json *graph = NULL;
    struct buf buf;
    ASK(*r, graph,
        data_lineage_json(r->data, &r->who, str_c(kind), str_c(id), way, r->arena, &json, &why));
    buf_init(&buf, r->arena);
    for (size_t i = 0; i < json_len(json_get(graph, "edges")); i++) {
        const struct json *e = json_at(json_get(graph, "edges"), i);
        buf_printf(&buf, "%s%.*s>%.*s", i ? " " : "", STR_FMT(json_get_str(e, "from", STR("?"))),
                   STR_FMT(json_get_str(e, "to", STR("?"))));
    }
    return buf.len ? buf_str(&buf) : STR("");
}

static void make_model(struct room *r, const char *name, const char *lineage)
{
    struct models_ask ask = {.who = &r->who, .arena = r->arena, .if_match = -1};
    const struct json *body = NULL;
    struct why why = {0};
    char *path = file_join(r->arena, r->dir, name);
    struct engine_random random = {.shape = "tiny", .kind = GGUF_TENSOR_F16, .seed = name[0]};
    CHECK_OK(engine_make_random(&random, path, &why), &why);
    struct str text = str_printf(r->arena, "{\"path\":\"%s\",\"model\":\"%s\",\"lineage\":%s}",
                                 path, name, lineage);
    CHECK_OK(json_parse(text, r->arena, &body, &why), &why);
    CHECK_OK(models_import(r->models, &ask, body, NULL, &why), &why);
}

/* What a model's card names is the end of the way: from a source to the model that it is in. */
TEST(lineage_reaches_the_models_that_were_trained)
{
    FRESH(r);
    const struct json *sources = NULL, *out = NULL;
    struct store_tx *tx = NULL;
    struct why own = {0};
    const struct json *made = room_import(&r, three(&r));
    struct str version = json_get_str(made, "version", STR(""));
    CHECK_OK(store_begin(r.store, STORE_WRITE, &tx, &own), &own);
    CHECK_OK(data_edge(tx, STR(OPS_HOME), "version", version, "release", STR("rel-1"), &own), &own);
    CHECK_OK(data_edge(tx, STR("another"), "version", STR("v"), "release", STR("rel-2"), &own),
             &own);
    CHECK_OK(store_commit(tx, &own), &own);
    make_model(&r, "city",
               "{\"data_releases\":[\"rel-1\",\"rel-2\"],\"training_runs\":[\"run-7\"]}");
    make_model(&r, "small", "{\"base\":\"city:1\"}");
    make_model(&r, "plain", "{\"data_releases\":[\"rel-1\"]}");
    CHECK_STR(edges_of(&r, "release", "rel-1", DATA_FORWARDS),
              "rel-1>run-7 rel-1>plain:1 run-7>city:1 city:1>small:1");
    struct str back = edges_of(&r, "model", "small:1", DATA_BACKWARDS);
    CHECK(str_starts(back, STR("city:1>small:1 run-7>city:1 rel-1>run-7")));
    CHECK(str_find(back, version) != STR_NPOS);
    CHECK(str_find(back, STR("rel-2")) == STR_NPOS); /* another tenant's */
    /* Who withdraws a source is told of the models. */
    ASK(r, sources, data_sources_json(r.data, &r.who, STR(""), STR(""), 10, r.arena, &json, &why));
    struct str key = json_get_str(json_at(json_get(sources, "items"), 0), "id", STR(""));
    ASK(r, out, data_withdraw(r.data, &r.who, key, STR("撤回"), true, r.arena, &json, &why));
    struct str text = STR("");
    CHECK_OK(json_dump(json_get(out, "others"), r.arena, &text, &own), &own);
    CHECK(str_find(text, STR("city:1")) != STR_NPOS && str_find(text, STR("small:1")) != STR_NPOS);
    DONE(r);
}

/* ---- answers ---- */

/* city:1 gave 12,345 answers; the call "call-1" was answered by city:1 and an embedder. */
static enum err of_model(void *ctx, struct store_tx *tx, const struct ops_identity *who,
                         struct str model, struct arena *arena, struct data_answered *out,
                         struct why *why)
{
    (void)ctx, (void)tx, (void)who, (void)arena, (void)why;
    *out = (struct data_answered){.model = model};
    if (str_eq_c(model, "city:1"))
        *out = (struct data_answered){model, 12345, 1000, 2000};
    return ERR_OK;
}

static enum err of_answer(void *ctx, const struct ops_identity *who, struct str id,
                          struct arena *arena, struct data_answered **out, size_t *n,
                          struct why *why)
{
    (void)ctx, (void)who;
    if (!str_eq_c(id, "call-1"))
        return err_set(why, ERR_NOT_FOUND, "there is no such answer");
    *out = arena_array(arena, struct data_answered, 2);
    CHECK(*out != NULL);
    (*out)[0].model = STR("embedder:1");
    (*out)[1].model = STR("city:1");
    *n = 2;
    return ERR_OK;
}

static struct str node_text(struct room *r, const char *kind, const char *id, enum data_way way,
                            const char *wanted)
{
    const struct json *graph = NULL;
    struct str text = STR("");
    ASK(*r, graph,
        data_lineage_json(r->data, &r->who, str_c(kind), str_c(id), way, r->arena, &json, &why));
    const struct json *nodes = json_get(graph, "nodes");
    for (size_t i = 0; i < json_len(nodes); i++)
        if (str_eq_c(json_get_str(json_at(nodes, i), "id", STR("")), wanted))
            CHECK_EQ(json_dump(json_at(nodes, i), r->arena, &text, NULL), ERR_OK);
    return text;
}

/* From a source to how many answers descend from it, and from one answer back to its sources. */
TEST(lineage_reaches_the_answers)
{
    FRESH(r);
    const struct json *sources = NULL, *out = NULL;
    struct store_tx *tx = NULL;
    struct str text = STR("");
    struct why own = {0};
    struct str version = json_get_str(room_import(&r, three(&r)), "version", STR(""));
    CHECK_OK(store_begin(r.store, STORE_WRITE, &tx, &own), &own);
    CHECK_OK(data_edge(tx, STR(OPS_HOME), "version", version, "release", STR("rel-1"), &own), &own);
    CHECK_OK(store_commit(tx, &own), &own);
    make_model(&r, "city", "{\"data_releases\":[\"rel-1\"],\"training_runs\":[\"run-7\"]}");
    make_model(&r, "plain", "{\"data_releases\":[\"rel-1\"]}"); /* never asked: no node */
    CHECK_EQ(data_lineage_json(r.data, &r.who, STR("answer"), STR("call-1"), DATA_BOTH_WAYS,
                               r.arena, NULL, NULL),
             ERR_UNSUPPORTED); /* nobody knows of answers */
    data_set_answers(r.data, &(struct data_answers){NULL, of_model, of_answer});
    CHECK_STR(edges_of(&r, "release", "rel-1", DATA_FORWARDS),
              "rel-1>run-7 rel-1>plain:1 run-7>city:1 city:1>answers:city:1");
    CHECK_STR(node_text(&r, "release", "rel-1", DATA_FORWARDS, "answers:city:1"),
              "{\"kind\":\"answers\",\"id\":\"answers:city:1\",\"title\":\"city:1\","
              "\"state\":\"\",\"n\":12345,\"first_at\":\"1970-01-01T08:00:01.000+08:00\","
              "\"last_at\":\"1970-01-01T08:00:02.000+08:00\"}");
    struct str back = edges_of(&r, "answers", "answers:city:1", DATA_BACKWARDS);
    CHECK(str_starts(back, STR("city:1>answers:city:1 run-7>city:1 rel-1>run-7")));
    CHECK(str_find(back, version) != STR_NPOS);
    back = edges_of(&r, "answer", "call-1", DATA_BACKWARDS);
    CHECK(str_starts(back, STR("embedder:1>call-1 city:1>call-1 run-7>city:1 rel-1>run-7")));
    CHECK(str_find(back, version) != STR_NPOS);
    CHECK_EQ(data_lineage_json(r.data, &r.who, STR("answer"), STR("call-2"), DATA_BOTH_WAYS,
                               r.arena, NULL, NULL),
             ERR_NOT_FOUND);
    /* Withdrawing says how many, and marks them: also where the sources are not drawn. */
    ASK(r, sources, data_sources_json(r.data, &r.who, STR(""), STR(""), 10, r.arena, &json, &why));
    struct str key = json_get_str(json_at(json_get(sources, "items"), 0), "id", STR(""));
    ASK(r, out, data_withdraw(r.data, &r.who, key, STR(""), true, r.arena, &json, &why));
    CHECK_EQ(json_get_int(out, "n_models", 0), 2);
    CHECK_EQ(json_get_int(out, "n_answers", 0), 12345);
    CHECK(json_get_str(out, "withdrawn", STR("")).len == 0);
    CHECK(str_find(node_text(&r, "model", "city:1", DATA_FORWARDS, "city:1"),
                   STR("\"state\":\"\"")) != STR_NPOS);
    ASK(r, out, data_withdraw(r.data, &r.who, key, STR("撤回"), false, r.arena, &json, &why));
    CHECK_OK(json_dump(json_get(out, "others"), r.arena, &text, &own), &own);
    CHECK(str_find(text, STR("{\"kind\":\"answers\",\"id\":\"answers:city:1\",\"n\":12345,")) !=
          STR_NPOS);
    static const char *const marked[][3] = {{"model", "city:1", "city:1"},
                                            {"model", "city:1", "answers:city:1"},
                                            {"release", "rel-1", "rel-1"},
                                            {"release", "rel-1", "run-7"}};
    for (size_t i = 0; i < sizeof marked / sizeof marked[0]; i++)
        CHECK(str_find(node_text(&r, marked[i][0], marked[i][1], DATA_FORWARDS, marked[i][2]),
                       STR("\"state\":\"withdrawn\"")) != STR_NPOS);
    CHECK(str_find(node_text(&r, "answer", "call-1", DATA_BACKWARDS, "call-1"),
                   STR("\"state\":\"withdrawn\"")) != STR_NPOS);
    CHECK(str_find(node_text(&r, "answer", "call-1", DATA_BACKWARDS, "embedder:1"),
                   STR("\"state\":\"\"")) != STR_NPOS);
    DONE(r);
}

TEST(two_versions_are_compared)
{
    FRESH(r);
    const struct json *out = NULL;
    (void)room_import(&r, three(&r));
    (void)room_run(&r, spec_of(&r,
                               "{'input':{'dataset':'a'},'output':{'dataset':'a'},'steps':"
                               "[{'op':'trim'},{'op':'length','least':2}]}",
                               ""));
    ASK(r, out, data_diff_json(r.data, &r.who, STR("a"), 1, 2, r.arena, &json, &why));
    CHECK_EQ(json_get_int(out, "n_same", 0), 1);
    CHECK_EQ(json_get_int(out, "n_changed", 0), 1);
    CHECK_EQ(json_get_int(out, "n_removed", 0), 1);
    CHECK_EQ(json_get_int(out, "n_added", 0), 0);
    CHECK_EQ(json_len(json_get(out, "changed")), 1);
    DONE(r);
}

TEST(a_dry_run_shows_before_and_after_and_keeps_nothing)
{
    FRESH(r);
    const struct json *out = NULL, *sets = NULL;
    (void)room_import(&r, three(&r));
    ASK(r, out,
        data_dry_run_json(r.data, &r.who, str_c(spec_of(&r, RUN, "")), 100, r.arena, &json, &why));
    CHECK_EQ(json_get_int(out, "n_sampled", 0), 3);
    CHECK_EQ(json_get_int(out, "n_records", 0), 2);
    const struct json *trim = json_at(json_get(out, "steps"), 0);
    const struct json *example = json_at(json_get(trim, "examples"), 0);
    CHECK_STR(json_get_str(example, "what", STR("")), "changed");
    CHECK(str_find(json_get_str(example, "before", STR("")), STR(" 第一条 ")) != STR_NPOS);
    CHECK(str_find(json_get_str(example, "after", STR("")), STR("\"第一条\"")) != STR_NPOS);
    ASK(r, sets,
        data_sets_json(r.data, &r.who, &(struct data_sets_ask){.limit = 100}, r.arena, &json,
                       &why));
    CHECK_EQ(json_len(json_get(sets, "items")), 1);
    DONE(r);
}

TEST(a_spec_that_is_wrong_is_told_in_words)
{
    static const struct {
        const char *spec, *words;
        enum err err;
    } cases[] = {
        {"{'input':{'dataset':'a'},'output':{'dataset':'b'},'steps':[{'op':'trimm'}]}",
         "step 1: there is no operator \"trimm\"", ERR_INVALID},
        {"{'input':{'dataset':'a'},'output':{'dataset':'b'},'steps':[{'op':'length','least':-1}]}",
         "\"least\" is -1", ERR_INVALID},
        {"{'input':{'dataset':'x'},'output':{'dataset':'b'},'steps':[]}",
         "there is no data set \"x\"", ERR_NOT_FOUND},
        {"{'input':{'dataset':'a','version':9},'output':{'dataset':'b'},'steps':[]}",
         "no version 9", ERR_NOT_FOUND},
        {"{'input':{'dataset':'a'},'output':{'dataset':'B b'},'steps':[]}", "cannot be the name",
         ERR_INVALID},
        {"{'input':{'dataset':'a'},'output':{'dataset':'b'},'stepps':[]}", "no member \"stepps\"",
         ERR_INVALID},
        {"{'output':{'dataset':'b'},'steps':[]}", "\"input\" or \"inputs\"", ERR_INVALID},
        {"input: {dataset: a}\noutput: {dataset: b}\nsteps:\n  - op: length\n    on: [a..b]\n",
         "no path", ERR_INVALID},
        {"input: &x {dataset: a}\noutput: *x\n", "anchors", ERR_INVALID},
        {"input: [\n", "line", ERR_INVALID},
    };
    FRESH(r);
    (void)room_import(&r, three(&r));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[UUID_TEXT];
        struct why why = {0};
        CHECK_EQ(data_run(r.data, &r.who, str_c(spec_of(&r, cases[i].spec, "")), id, &why),
                 cases[i].err);
        if (!strstr(why.text, cases[i].words))
            printf("# said: %s\n", why.text);
        CHECK(strstr(why.text, cases[i].words) != NULL);
    }
    DONE(r);
}

static const struct json *sets_of(struct room *r, struct data_sets_ask ask)
{
    const struct json *sets = NULL;
    ASK(*r, sets, data_sets_json(r->data, &r->who, &ask, r->arena, &json, &why));
    return sets;
}

/* By pages, the newest first; found by name, title, card and state; what may not be seen is neither
 * listed nor counted. */
TEST(data_sets_are_listed_by_pages)
{
    FRESH(r);
    const struct json *page = NULL, *body = NULL;
    struct why why = {0};
    const char *path = room_file(&r, "x.jsonl", "{\"text\":\"一\"}\n{\"text\":\"二\"}\n");
    for (int i = 0; i < 7; i++) {
        struct str spec = str_printf(
            r.arena, "{\"dataset\":\"set-%d\",\"title\":\"第%d个 Set\",\"paths\":[\"%s\"]}", i, i,
            path);
        (void)room_import(&r, spec.ptr);
    }
    struct data_sets_ask ask = {.limit = 3};
    for (int i = 6, pages = 0; pages < 3; pages++) {
        page = sets_of(&r, ask);
        CHECK_EQ(json_len(json_get(page, "items")), pages < 2 ? 3 : 1);
        CHECK_EQ(json_get_int(page, "n", 0), 7);
        CHECK_EQ(json_get_int(page, "n_records", 0), 14);
        for (size_t k = 0; k < json_len(json_get(page, "items")); k++, i--) {
            char name[16];
            (void)snprintf(name, sizeof name, "set-%d", i);
            CHECK_STR(json_get_str(json_at(json_get(page, "items"), k), "name", STR("")), name);
        }
        ask.after = json_get_str(page, "next", STR(""));
        CHECK_EQ(ask.after.len > 0, pages < 2);
    }
    CHECK_EQ(
        json_get_int(sets_of(&r, (struct data_sets_ask){.find = STR("SET-3"), .limit = 9}), "n", 0),
        1);
    CHECK_EQ(
        json_get_int(sets_of(&r, (struct data_sets_ask){.find = STR("第5个"), .limit = 9}), "n", 0),
        1);
    CHECK_EQ(
        json_get_int(sets_of(&r, (struct data_sets_ask){.kind = STR("qa"), .limit = 9}), "n", 9),
        0);
    CHECK_EQ(json_get_int(sets_of(&r, (struct data_sets_ask){.state = STR("ready"), .limit = 9}),
                          "n", 0),
             7);
    /* A set of another class, and what stands in a card. */
    CHECK_OK(json_parse(STR("{\"access\":\"restricted\",\"card\":{\"industry\":\"水务\"}}"),
                        r.arena, &body, &why),
             &why);
    CHECK_OK(data_set_change(r.data, &r.who, STR("set-2"), body, -1, &why), &why);
    CHECK_EQ(
        json_get_int(sets_of(&r, (struct data_sets_ask){.find = STR("水务"), .limit = 9}), "n", 0),
        1);
    r.who.classes = 7;
    page = sets_of(&r, (struct data_sets_ask){.limit = 9});
    CHECK_EQ(json_get_int(page, "n", 0), 6);
    CHECK_EQ(json_len(json_get(page, "items")), 6);
    DONE(r);
}

TEST(who_may_not_does_not)
{
    FRESH(r);
    struct ops_identity nobody = ops_public("city");
    char id[UUID_TEXT];
    struct why why = {0};
    (void)room_import(&r, three(&r));
    CHECK_EQ(data_import(r.data, &nobody, str_c(three(&r)), id, &why), ERR_FORBIDDEN);
    CHECK_EQ(data_run(r.data, &nobody, str_c(spec_of(&r, RUN, "")), id, NULL), ERR_FORBIDDEN);
    CHECK_EQ(data_set_json(r.data, &nobody, STR("a"), r.arena, NULL, NULL), ERR_FORBIDDEN);
    CHECK_EQ(data_withdraw(r.data, &nobody, STR("x"), STR("y"), false, r.arena, NULL, NULL),
             ERR_FORBIDDEN);
    /* Another tenant sees nothing of it; one that may not read the class neither. */
    struct ops_identity other = r.who;
    other.tenant = STR("elsewhere");
    CHECK_EQ(data_set_json(r.data, &other, STR("a"), r.arena, NULL, NULL), ERR_NOT_FOUND);
    other = r.who;
    other.classes = 1u << OPS_CLASS_PUBLIC;
    CHECK_EQ(data_set_json(r.data, &other, STR("a"), r.arena, NULL, NULL), ERR_NOT_FOUND);
    /* Nor may a person import any file of the server. */
    other = r.who;
    other.kind = STR("user");
    CHECK_EQ(data_import(r.data, &other, str_c(three(&r)), id, NULL), ERR_FORBIDDEN);
    DONE(r);
}

static void on_bad(void *ctx, const char *what, const char *words)
{
    (void)what, (void)words;
    ++*(int *)ctx;
}

TEST(a_missing_shard_is_found)
{
    FRESH(r);
    const struct json *v = NULL;
    int bad = 0;
    size_t n = 0;
    (void)room_import(&r, three(&r));
    CHECK_EQ(data_check(r.data, on_bad, &bad, &n, NULL), ERR_OK);
    CHECK_EQ(bad, 0);
    CHECK_EQ(n, 1);
    ASK(r, v, data_version_json(r.data, &r.who, STR("a"), 0, r.arena, &json, &why));
    char *object =
        str_z(r.arena, json_get_str(json_at(json_get(v, "shards"), 0), "object", STR("")));
    CHECK_EQ(objects_remove(r.objects, object, NULL), ERR_OK);
    CHECK_EQ(data_check(r.data, on_bad, &bad, &n, NULL), ERR_OK);
    CHECK_EQ(bad, 1);
    DONE(r);
}

TESTS_MAIN()
