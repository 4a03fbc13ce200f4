/* The formats that are text: md, txt, html, csv, json, jsonl; and the plain text of a document. */
#include "formats/reads.h"

#define KIND(doc, i) ((doc).blocks[i].kind)

TEST(md_gives_headings_articles_lists_and_tables)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    struct str text =
        text_of(arena,
                STR("---\ntitle: 停车收费办法\nissuer: \"发改委\"\n---\n"
                    "# 停车收费办法 #\n\n<!-- INFO\n END -->\n##第一章 总则\n"
                    "第一条 为了**规范**收费，制定[本办法](http://a.b/c)。\n第二条 "
                    "本市适用&nbsp;`本办法`。\n\n"
                    "- 甲\n  - 乙\n1. 丙\n\n| 区域 | 收费 |\n|---|:-:|\n| 一类 | **5**元 |\n| 二类 "
                    "| 3\\|4元 |\n\n"
                    "```\ncode  # kept\n  as is\n```\n小标题\n---\na_b_c * 2 * 3 != x\n"),
                "a.md", &doc);
    CHECK_STR(text, "# 停车收费办法\n\n## 第一章 总则\n\n第一条 "
                    "为了规范收费，制定本办法。\n\n第二条 本市适用 本办法。\n\n"
                    "- 甲\n  - 乙\n1. 丙\n\n区域 | 收费\n一类 | 5元\n二类 | 3|4元\n\ncode  # "
                    "kept\n  as is\n\n## 小标题\n\n"
                    "a_b_c * 2 * 3 != x\n");
    CHECK_STR(doc.title, "停车收费办法");
    CHECK_EQ(doc.n_meta, 2);
    CHECK_STR(doc.meta[1].name, "issuer");
    CHECK_STR(doc.meta[1].value, "发改委");
    CHECK_STR(str_c(doc.format), "md");
    CHECK_EQ(KIND(doc, 4), FORMAT_LIST_ITEM);
    CHECK(doc.blocks[6].numbered && !doc.blocks[4].numbered);
    CHECK(doc.blocks[7].table.has_header);
    arena_free(arena);
}

TEST(md_reads_html_tables_with_merged_cells)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    struct str text = text_of(arena,
                              STR("前\n<table><tr><th>区</th><th colspan=2>收费</th></tr>"
                                  "<tr><td "
                                  "rowspan=2>汀南</td><td>昼</td><td>5元</td></tr>\n<tr><td>夜</"
                                  "td><td>3元</td></tr></table>\n后\n"),
                              "a.md", &doc);
    CHECK_STR(text, "前\n\n区 | 收费 | 收费\n汀南 | 昼 | 5元\n汀南 | 夜 | 3元\n\n后\n");
    arena_free(arena);
}

TEST(md_comment_or_table_without_end_costs_little_and_loses_nothing)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    struct buf buf;
    buf_init(&buf, arena);
    for (int i = 0; i < 100000; i++)
        buf_add(&buf, STR("<!-- never\n<table never\n[[[[[[[[(((\n"));
    struct str text = text_of(arena, buf_str(&buf), "a.md", &doc);
    CHECK_EQ(doc.n_blocks, 300000);
    CHECK(str_starts(text, STR("<!-- never\n\n<table never\n")));
    arena_free(arena);
}

TEST(txt_keeps_lines_and_joins_wrapped_ones)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    CHECK_STR(
        text_of(arena,
                STR("云汀市人民政府办公室\r\n\r\n　　各区人民政府：\r\n第一条 甲。\r\n第二条 乙。"),
                "a.txt", &doc),
        "云汀市人民政府办公室\n\n各区人民政府：\n\n第一条 甲。\n\n第二条 乙。\n");
    CHECK_STR(doc.title, "云汀市人民政府办公室");
    struct buf buf;
    buf_init(&buf, arena);
    for (int i = 0; i < 6; i++)
        buf_add(&buf, STR("第一条　为了规范机动车停放服务收费行为，保护消费者和经营者的合法权\n"
                          "益，根据有关法律法规的规定，结合本市的实际情况和停车管理的需要，经\n"
                          "研究制定本办法。\n"));
    (void)text_of(arena, buf_str(&buf), "b.txt", &doc);
    CHECK_EQ(doc.n_blocks, 6);
    CHECK(str_ends(doc.blocks[5].text, STR("需要，经研究制定本办法。")));
    CHECK(str_find(doc.blocks[5].text, STR("合法权益")) != STR_NPOS);
    arena_free(arena);
}

TEST(html_drops_what_surrounds_the_text)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    struct str text =
        text_of(arena,
                STR("<!DOCTYPE html><html><head><meta charset=gb2312><meta name=\"PubDate\" "
                    "content=\"2024-09-13\">"
                    "<title>停车 "
                    "办法</title><style>p{}</style></head><body><nav>首页</"
                    "nav><script>alert('<p>x')</script>"
                    "<h1>停车<b>办法</b></h1><p>第一条　本市<a href=x>适用</a>。<br>第二条 "
                    "略。</p><div hidden>不见</div>"
                    "<ol><li>甲<ul><li>乙</li></ul></li><li>丙</li></ol>"
                    "<table><tr><td><table><tr><td>布局</td></tr></table></td></tr></table>"
                    "<table><thead><tr><th>项</th><th>值</th></tr></thead><tr><td>a<p>b</p></"
                    "td><td>&lt;1&amp;2</td></tr></table>"
                    "<pre>x\n  y</pre><footer>版权所有</footer></body></html>"),
                "a.html", &doc);
    CHECK_STR(text,
              "# 停车办法\n\n第一条　本市适用。\n\n第二条 略。\n\n1. 甲\n  - 乙\n2. 丙\n\n布局\n\n"
              "项 | 值\na b | <1&2\n\nx\n  y\n");
    CHECK_STR(doc.title, "停车 办法");
    CHECK_EQ(doc.n_meta, 1);
    CHECK_STR(doc.meta[0].value, "2024-09-13");
    CHECK(doc.blocks[doc.n_blocks - 2].table.has_header);
    arena_free(arena);
}

TEST(html_of_boilerplate_alone_is_read_all_the_same)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    CHECK_STR(text_of(arena, STR("<html><body><form>办事指南<p>窗口</p></form></body></html>"),
                      "a.htm", &doc),
              "办事指南\n\n窗口\n");
    arena_free(arena);
}

TEST(csv_finds_delimiter_quotes_and_header)
{
    static const struct {
        const char *csv, *text;
        enum format_block_kind kind;
    } cases[] = {
        {"code,name\n11,北京市\n12,\"天津, \"\"津\"\"\n市\"\n",
         "code：11\nname：北京市\n\ncode：12\nname：天津, \"津\"\n市\n", FORMAT_RECORD},
        {"项目;金额\n停车;5\n洗车;20\n", "项目：停车\n金额：5\n\n项目：洗车\n金额：20\n",
         FORMAT_RECORD},
        {"a\tb\n1\t2\n", "a：1\nb：2\n", FORMAT_RECORD},
        {"110101,东城区\n110102,西城区\n", "110101 | 东城区\n110102 | 西城区\n", FORMAT_TABLE},
        {",label,TEXT\n7,1,好\n8,,坏\n", "A：7\nlabel：1\nTEXT：好\n\nA：8\nTEXT：坏\n",
         FORMAT_RECORD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct format_document doc = {0};
        CHECK_STR(text_of(arena, str_c(cases[i].csv), "a.csv", &doc), cases[i].text);
        CHECK(doc.n_blocks && KIND(doc, 0) == cases[i].kind);
        arena_free(arena);
    }
}

TEST(csv_quote_without_end_swallows_nothing)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    CHECK_STR(text_of(arena, STR("name,size\n\"甲,1\n乙,2\n丙,3\n"), "a.csv", &doc),
              "name：\"甲\nsize：1\n\nname：乙\nsize：2\n\nname：丙\nsize：3\n");
    CHECK(doc.note.len > 0);
    arena_free(arena);
}

TEST(json_gives_records_with_dotted_names)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    CHECK_STR(text_of(arena,
                      STR("[{\"a\":{\"b\":1,\"c\":null},\"l\":[\"x\",\"y\"],\"o\":[{\"n\":\"甲\"},{"
                          "\"n\":\"乙\"}]},\n {\"a\":true,\"d\":2.5}, [1,2]]"),
                      "a.json", &doc),
              "a.b：1\nl：x；y\no.1.n：甲\no.2.n：乙\n\na：true\nd：2.5\n\n1；2\n");
    CHECK_EQ(doc.blocks[0].n_fields, 5);
    CHECK_STR(doc.blocks[0].fields[1].name, "a.c");
    CHECK_STR(text_of(arena, STR("{\"version\":\"1\",\"data\":[{\"q\":\"问\"},{\"q\":\"再问\"}]}"),
                      "a.json", &doc),
              "# data\n\nq：问\n\nq：再问\n");
    CHECK_STR(doc.meta[0].value, "1");
    CHECK_STR(str_c(doc.format), "json");
    arena_free(arena);
}

TEST(json_of_careless_programs_is_read)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    CHECK_STR(text_of(arena, STR("[{\"a\":NaN,\"b\":\"NaN\"},{\"a\":-Infinity,\"b\":2}]"), "a.json",
                      &doc),
              "b：NaN\n\nb：2\n");
    CHECK_STR(text_of(arena, STR("{\n\"a\": \"}{\"\n}\n{\n\"a\": 2\n}"), "a.json", &doc),
              "a：}{\n\na：2\n");
    check_refused(STR("[{\"a\":1},{\"a\":nan}]"), "a.json", NULL, ERR_INVALID, "item 2: not valid");
    check_refused(STR("{\n\"a\": 1}\n{\n\"a\": }"), "a.json", NULL, ERR_INVALID,
                  "value 2: not valid");
    arena_free(arena);
}

TEST(json_lines_leave_out_broken_lines_and_say_so)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    CHECK_STR(
        text_of(arena, STR("{\"a\":1}\n{\"a\":\n\n{\"a\":\"x\\r\\ny\\u0000\"}\n"), "a.json", &doc),
        "a：1\n\na：x\ny\n");
    CHECK_STR(str_c(doc.format), "jsonl");
    CHECK(str_find(doc.note, STR("line 2")) != STR_NPOS);
    arena_free(arena);
}

/* Offsets point at the blocks, and what is stored does not depend on anything but the document. */
TEST(plain_text_is_found_again_by_offsets)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    struct str text = text_of(arena, STR("# 题\n\n- 甲\n- 乙\n\n段落\n"), "a.md", &doc), again;
    size_t offsets[4];
    CHECK_EQ(doc.n_blocks, 4);
    CHECK_OK(format_text(&doc, arena, &again, offsets, NULL), NULL);
    CHECK(str_eq(text, again));
    static const char *const starts[] = {"# 题", "- 甲", "- 乙", "段落"};
    for (size_t i = 0; i < 4; i++)
        CHECK(str_starts(str_from(text, offsets[i]), str_c(starts[i])));
    arena_free(arena);
}

/* Every allocation fails once in turn; each time: the right error, nothing written. */
TEST(says_so_when_memory_runs_out)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"a.md", "---\nk: v\n---\n# 题 *x*\n- a\n  "
                 "b\n\n|a|b|\n|-|-|\n|1|2|\n\n<table><tr><td>1</td><td>2</td></tr></table>\n"},
        {"a.html", "<html><title>t</title><p>段<table><tr><td>1<td>2</table></html>"},
        {"a.csv", "a,b\n\"1\"\"\",2\n"},
        {"a.json", "[{\"a\":{\"b\":[1,2]}}]"},
        {"a.txt", "\xD5\xFE\xCE\xF1\xB7\xFE\xCE\xF1\xD6\xD0\xD0\xC4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t limit = 0;
        for (enum err err = ERR_NO_MEMORY; err == ERR_NO_MEMORY && limit < ROOM; limit += 64) {
            struct arena *arena = arena_new(limit);
            struct format_document doc = {.n_blocks = 99};
            err = format_read(str_c(cases[i].text), str_c(cases[i].name), NULL, arena, &doc, NULL);
            CHECK(err == ERR_OK || (err == ERR_NO_MEMORY && doc.n_blocks == 99));
            arena_free(arena);
        }
        CHECK(limit > 64);
    }
}

TESTS_MAIN()
