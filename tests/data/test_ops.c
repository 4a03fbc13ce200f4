/* Every operator against its golden cases and against the contract of data/op.h. */
#include "golden.h"

#include "core/utf8.h"
#include "data/data.h"

/* ---- golden cases ---- */

static struct str text_of(struct str line, struct arena *arena)
{
    struct record record;
    if (record_read(line, arena, &record, NULL))
        return STR("(no record)");
    return record_str(&record, "text");
}

/* The line as JSON in the writer's form, without the id unless `want` has one. */
static struct str plain(struct str line, const struct json *want, struct arena *arena)
{
    struct record record;
    struct buf buf;
    const struct json *json = NULL;
    struct str out = STR("(no record)");
    if (record_read(line, arena, &record, NULL))
        return out;
    if (!json_get(want, "id"))
        record_remove(&record, "id");
    buf_init(&buf, arena);
    record_write(&record, &buf);
    if (json_parse(buf_str(&buf), arena, &json, NULL) || json_dump(json, arena, &out, NULL))
        return STR("(no JSON)");
    return out;
}

static bool same(struct str line, const struct json *want, struct arena *arena)
{
    struct str expected = STR("");
    if (json_kind(want) == JSON_KIND_STRING) {
        struct str got = text_of(line, arena);
        if (str_eq(got, json_str(want, STR(""))))
            return true;
        printf("# got  \"%.*s\"\n# want \"%.*s\"\n", STR_FMT(got),
               STR_FMT(json_str(want, STR(""))));
        return false;
    }
    struct str got = plain(line, want, arena);
    if (json_dump(want, arena, &expected, NULL) || !str_eq(got, expected)) {
        printf("# got  %.*s\n# want %.*s\n", STR_FMT(got), STR_FMT(expected));
        return false;
    }
    return true;
}

static bool all_same(struct str lines, const struct json *want, struct arena *arena)
{
    bool many = json_kind(want) == JSON_KIND_ARRAY, good = true;
    size_t n = 0, expected = many ? json_len(want) : 1;
    struct str line;
    while (str_next_line(&lines, &line)) {
        if (n < expected)
            good &= same(line, many ? json_at(want, n) : want, arena);
        else
            printf("# more: %.*s\n", STR_FMT(line));
        n++;
    }
    if (n != expected)
        printf("# %zu records and not %zu\n", n, expected);
    return good && n == expected;
}

static bool check_value(struct golden *g, double want)
{
    const struct pipeline_step *step = &g->pipeline.steps[0];
    struct data_call call = {.args = step->args, .made = step->made, .arena = g->arena};
    struct str rest = g->lines, line = STR("");
    double got = -1;
    struct why why = {0};
    if (!str_next_line(&rest, &line) || step->op->effect != DATA_MEASURE ||
        step->op->measure(&call, text_of(line, g->arena), &got, &why)) {
        printf("# no value: %s\n", why.text);
        return false;
    }
    if (!(fabs(got - want) < 1e-4))
        printf("# value %.6g and not %.6g\n", got, want);
    return fabs(got - want) < 1e-4;
}

static bool check_run(struct golden *g)
{
    struct try_input input = {g->lines, 0};
    struct try_form form = {
        .pipeline = &g->pipeline, .inputs = &input, .n_inputs = 1, .temp = golden_temp()};
    struct work_result result;
    struct str lines, trail;
    struct why why = {0};
    const struct json *fails = json_get(g->json, "fails");
    enum err err = try_run(&form, g->arena, &result, &lines, &trail, &why);
    if (err) {
        printf("# %s\n", why_text(&why, err));
        return false;
    }
    if (fails) {
        bool said = str_find(trail, json_str(fails, STR("?"))) != STR_NPOS &&
                    str_find(trail, STR("\"failed\":0")) != STR_NPOS;
        if (!said)
            printf("# trail: %.*s\n", STR_FMT(trail));
        return said && lines.len == 0;
    }
    if (json_get_bool(g->json, "drop", false)) {
        if (lines.len)
            printf("# kept: %.*s\n", STR_FMT(lines));
        return lines.len == 0 && str_find(trail, STR("\"dropped\":0")) != STR_NPOS;
    }
    return all_same(lines, json_get(g->json, "out"), g->arena);
}

/* 1 good, 0 bad, -1 skipped. */
static int check_case(const struct data_op *op, struct str text)
{
    struct golden g;
    struct why why = {0};
    enum err err = golden_open(&g, op, text, &why);
    struct str refuses = json_get_str(g.json, "refuses", STR(""));
    int good;
    if (err == ERR_UNAVAILABLE) {
        good = -1;
    } else if (refuses.len) {
        good = err && str_find(str_c(why.text), refuses) != STR_NPOS;
        if (!good)
            printf("# said: %s\n", why_text(&why, err));
    } else if (err) {
        printf("# %s; %s\n", why_text(&why, err), why.hint);
        good = 0;
    } else if (json_get(g.json, "value")) {
        good = check_value(&g, json_get_f64(g.json, "value", 0));
    } else {
        good = check_run(&g);
    }
    arena_free(g.arena);
    return good;
}

TEST(golden_cases)
{
    size_t n_cases = 0, n_skipped = 0;
    for (size_t i = 0; data_op_at(i); i++) {
        const struct data_op *op = data_op_at(i);
        struct arena *arena = arena_new((size_t)32 << 20);
        struct str rest = golden_file(op, arena), line;
        size_t n = 0;
        for (size_t number = 1; str_next_line(&rest, &line); number++) {
            if (!str_trim(line).len)
                continue;
            int good = check_case(op, line);
            if (good == 0)
                printf("# tests/data/ops/%s.jsonl:%zu\n", op->name, number);
            CHECK(good != 0);
            n_skipped += good < 0;
            n++;
        }
        if (n < 3)
            printf("# %s has %zu golden cases\n", op->name, n);
        CHECK(n >= 3);
        n_cases += n;
        arena_free(arena);
    }
    printf("# %zu cases, %zu skipped for want of a model\n", n_cases, n_skipped);
}

/* By a real vocabulary: as many as `yicheng gguf tokens` shows, less the mark of the beginning. */
TEST(tokens_are_counted_by_the_vocabulary_of_a_model_file)
{
    const char *dir = tap_dataset("gguf-vocab/models");
    struct arena *arena = arena_new(GOLDEN_ROOM);
    const struct json *spec;
    struct pipeline p;
    struct why why = {0};
    double n = 0;
    if (!dir) {
        arena_free(arena);
        SKIP("gguf-vocab is not here");
    }
    CHECK_OK(
        json_parse(STR("{\"input\":{\"dataset\":\"a\"},\"output\":{\"dataset\":\"b\"},\"steps\":[{"
                       "\"op\":\"tokens\",\"vocabulary\":\"ggml-vocab-deepseek-llm.gguf\"}]}"),
                   arena, &spec, &why),
        &why);
    enum err err = pipeline_read(spec, RECORD_TEXT, dir, arena, &p, &why);
    CHECK_OK(err, &why);
    if (err) {
        arena_free(arena);
        return;
    }
    struct data_call call = {.args = p.steps[0].args, .made = p.steps[0].made, .arena = arena};
    CHECK_OK(p.steps[0].op->measure(&call, STR("今天天气很好，适合出门。"), &n, &why), &why);
    CHECK_EQ(n, 7);
    arena_free(arena);
}

/* ---- the contract ---- */

static bool good_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_'))
            return false;
    return name[0] != '\0';
}

static bool is_utf8(const char *text)
{
    return text && text[0] && utf8_invalid(str_c(text)) == STR_NPOS;
}

static bool one_line(const char *text)
{
    return is_utf8(text) && !strchr(text, '\n') && text[strlen(text) - 1] != '.';
}

static void check_params(const struct data_op *op)
{
    for (size_t p = 0; p < op->n_params; p++) {
        const struct data_param *a = &op->params[p];
        bool number = a->kind == DATA_NUMBER || a->kind == DATA_INTEGER;
        CHECK(a->name && good_name(a->name) && strcmp(a->name, "op") && strcmp(a->name, "on"));
        CHECK(one_line(a->summary) && one_line(a->summary_zh));
        CHECK(!number || (a->least <= a->fallback && a->fallback <= a->most));
        CHECK(a->kind != DATA_CHOICE || (a->text && strchr(a->text, '|')));
        for (size_t q = 0; q < p; q++)
            CHECK(strcmp(a->name, op->params[q].name) != 0);
    }
}

TEST(descriptors_say_what_is_needed)
{
    for (size_t i = 0; data_op_at(i); i++) {
        const struct data_op *op = data_op_at(i);
        int before = tap_failed;
        CHECK(good_name(op->name));
        CHECK(i == 0 || strcmp(data_op_at(i - 1)->name, op->name) < 0);
        CHECK(op->version >= 1);
        CHECK(one_line(op->summary) && one_line(op->summary_zh) && is_utf8(op->source));
        CHECK(op->group < DATA_GROUPS);
        CHECK((op->effect == DATA_TEXT) == (op->text != NULL));
        CHECK((op->effect == DATA_MEASURE) == (op->measure != NULL));
        CHECK((op->effect == DATA_RECORD) == (op->record != NULL));
        CHECK((op->effect == DATA_WHOLE) == (op->note && op->decide));
        CHECK((op->effect == DATA_WHOLE) == (!op->apply != !op->drops)); /* one of the two */
        CHECK(op->effect == DATA_WHOLE || (!op->apply && !op->drops));
        CHECK(op->effect == DATA_RECORD || op->gives == DATA_SAME_KIND);
        CHECK(data_op_find(str_c(op->name)) == op);
        check_params(op);
        if (op->effect == DATA_MEASURE) {
            CHECK(op->n_params >= 2);
            CHECK(strcmp(op->params[DATA_LEAST].name, "least") == 0);
            CHECK(strcmp(op->params[DATA_MOST].name, "most") == 0);
        }
        if (tap_failed > before)
            printf("# of operator %s\n", op->name);
    }
    CHECK(data_op_find(STR("no_such")) == NULL);
}

TEST(the_reference_page_is_the_programs)
{
    struct arena *arena = arena_new((size_t)16 << 20);
    struct buf buf;
    struct str docs = STR("");
    struct why why = {0};
    buf_init(&buf, arena);
    CHECK_OK(data_ops_reference(&buf, &why), &why);
    CHECK_OK(file_read(YICHENG_SOURCE_ROOT "/docs/operators.md", 1 << 20, arena, &docs, &why),
             &why);
    CHECK(str_eq(str_trim(docs), str_trim(buf_str(&buf))));
    arena_free(arena);
}

/* The pipeline of the operator's first golden case that is not about a refusal. */
static bool usual(const struct data_op *op, struct golden *g)
{
    struct arena *arena = arena_new((size_t)32 << 20);
    struct str rest = golden_file(op, arena), line;
    bool found = false;
    while (!found && str_next_line(&rest, &line)) {
        if (!line.len)
            continue;
        found = golden_open(g, op, line, NULL) == ERR_OK;
        if (!found)
            arena_free(g->arena);
    }
    arena_free(arena);
    return found;
}

static enum err through(struct golden *g, struct str lines, struct str *out, struct str *trail,
                        struct why *why)
{
    struct try_input input = {lines, 0};
    struct try_form form = {
        .pipeline = &g->pipeline, .inputs = &input, .n_inputs = 1, .temp = golden_temp()};
    struct work_result result;
    return try_run(&form, g->arena, &result, out, trail, why);
}

/* Texts that were somebody's bug once, as values of JSON strings. */
static const char *const odd[] = {
    "",
    " ",
    "\\u0000",
    "\\u0000a\\u0000",
    "\\n\\n\\n",
    "\\ufeff",
    "\\ud800",
    "\\udfff\\ud800",
    "\\uffff\\ufffe",
    "e\\u0301\\u0301\\u0301",
    "\\u200b\\u200d\\u2060",
    "\\u202eabc\\u202c",
    "\\u3000\\u3000第一条\\u3000",
    "&lt;&amp;&#x41;&#99999999999;&",
    "<<<<a<b>c</d><!--",
    "\\\"\\\\\\\"",
    "%s%n%d",
    "\\ud83d\\ude00\\ud83c\\udde8\\ud83c\\uddf3",
    "ＡＢＣ１２３，。",
    "www.a.b/c?d=e&f@g.h",
    "\\r\\n\\r\\t\\u000b\\u000c",
    "- 1 -",
    "問：什麼？答：沒有。",
    "\\u1100\\u1161\\u11a8",
    "\\u00c3\\u00a9\\u00e4\\u00b8\\u00ad",
};

static void odd_record(enum record_kind kind, const char *text, size_t number, struct buf *out)
{
    static const char *const forms[RECORD_KINDS] = {
        [RECORD_TEXT] = "\"text\":\"%s\"",
        [RECORD_CHAT] = "\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]",
        [RECORD_PREFERENCE] = "\"prompt\":\"p\",\"chosen\":\"%s\",\"rejected\":\"r\"",
        [RECORD_CLASSIFICATION] = "\"text\":\"%s\",\"label\":\"l\"",
        [RECORD_SPANS] = "\"text\":\"%s\",\"spans\":[]",
        [RECORD_QA] = "\"question\":\"q\",\"answer\":\"%s\"",
        [RECORD_CAPTION] = "\"image\":\"i\",\"caption\":\"%s\"",
        [RECORD_ROW] = "\"row\":{\"a\":\"%s\"}",
    };
    char body[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(body, sizeof body, forms[kind], text);
#pragma GCC diagnostic pop
    buf_printf(out, "{\"id\":\"o-%zu\",%s}\n", number, body);
}

static struct str odd_lines(enum record_kind kind, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        odd_record(kind, odd[i], i, &buf);
    for (int i = 0; i < 3; i++) { /* long, and long without a break */
        buf_printf(&buf, "{\"id\":\"l-%d\",", i);
        const char *open = kind == RECORD_CHAT  ? "\"messages\":[{\"role\":\"user\",\"content\":\""
                           : kind == RECORD_ROW ? "\"row\":{\"a\":\""
                           : kind == RECORD_QA  ? "\"question\":\"q\",\"answer\":\""
                           : kind == RECORD_PREFERENCE
                               ? "\"prompt\":\"p\",\"rejected\":\"r\",\"chosen\":\""
                               : "\"text\":\"";
        buf_add_c(&buf, open);
        for (int k = 0; k < 30000; k++)
            buf_add_c(&buf, i == 0 ? "第一条，" : i == 1 ? "a" : "\\n<p> 1");
        buf_add_c(&buf, kind == RECORD_CHAT ? "\"}]}\n" : kind == RECORD_ROW ? "\"}}\n" : "\"}\n");
    }
    return buf_str(&buf);
}

/* Whatever comes in: nothing ends the run, what comes out is a record in UTF-8, twice the same. */
TEST(odd_texts_end_nothing_and_come_out_as_records)
{
    for (size_t i = 0; data_op_at(i); i++) {
        const struct data_op *op = data_op_at(i);
        struct golden g;
        struct str first, second, trail, trail2, rest, line;
        struct why why = {0};
        int before = tap_failed;
        if (!usual(op, &g)) {
            printf("# %s: passed over, its model is not here\n", op->name);
            continue;
        }
        struct str lines = odd_lines(g.kind, g.arena);
        CHECK_OK(through(&g, lines, &first, &trail, &why), &why);
        CHECK_OK(through(&g, lines, &second, &trail2, &why), &why);
        CHECK(str_eq(first, second));
        CHECK(str_eq(trail, trail2));
        for (rest = first; str_next_line(&rest, &line);) {
            struct record record;
            struct arena *arena = arena_new((size_t)64 << 20);
            CHECK_OK(record_read(line, arena, &record, &why), &why);
            CHECK(record.id.len > 0);
            arena_free(arena);
        }
        arena_free(g.arena);
        if (tap_failed > before)
            printf("# of operator %s\n", op->name);
    }
}

/* No state: a record alone and among others becomes the same. */
TEST(a_record_alone_becomes_what_it_becomes_among_others)
{
    for (size_t i = 0; data_op_at(i); i++) {
        const struct data_op *op = data_op_at(i);
        struct golden g;
        struct str all, line, rest;
        struct buf alone;
        int before = tap_failed;
        if (op->effect == DATA_WHOLE || !usual(op, &g))
            continue;
        struct buf few;
        buf_init(&few, g.arena);
        buf_init(&alone, g.arena);
        for (size_t k = 0; k < sizeof odd / sizeof odd[0]; k += 4)
            odd_record(g.kind, odd[k], k, &few);
        CHECK_EQ(through(&g, buf_str(&few), &all, NULL, NULL), ERR_OK);
        for (rest = buf_str(&few); str_next_line(&rest, &line);) {
            struct str out;
            CHECK_EQ(through(&g, line, &out, NULL, NULL), ERR_OK);
            buf_add(&alone, out);
        }
        CHECK(str_eq(all, buf_str(&alone)));
        arena_free(g.arena);
        if (tap_failed > before)
            printf("# of operator %s\n", op->name);
    }
}

TESTS_MAIN()
