/* docx and xlsx, from packages that the tests put together. */
#include "formats/reads.h"
#include "formats/zips.h"

#define W                                                                                          \
    "<w:document "                                                                                 \
    "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>"
#define W_   "</w:body></w:document>"
#define P(s) "<w:p><w:r><w:t>" s "</w:t></w:r></w:p>"
#define NUM(level, id, s)                                                                          \
    "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"" level "\"/><w:numId w:val=\"" id                       \
    "\"/></w:numPr></w:pPr><w:r><w:t>" s "</w:t></w:r></w:p>"
#define TC(props, s) "<w:tc><w:tcPr>" props "</w:tcPr>" P(s) "</w:tc>"

static const char types[] = "<?xml version=\"1.0\"?><Types/>";

static const char styles[] =
    "<w:styles xmlns:w=\"w\"><w:style w:styleId=\"1\"><w:name w:val=\"heading 1\"/></w:style>"
    "<w:style w:styleId=\"a\"><w:name w:val=\"我的标题\"/><w:basedOn w:val=\"b\"/></w:style>"
    "<w:style w:styleId=\"b\"><w:name w:val=\"底\"/><w:pPr><w:outlineLvl "
    "w:val=\"1\"/></w:pPr></w:style>"
    "<w:style w:styleId=\"T\"><w:name w:val=\"Title\"/></w:style>"
    "<w:style w:styleId=\"toc\"><w:name w:val=\"toc 1\"/></w:style>"
    "<w:style w:styleId=\"loop\"><w:name w:val=\"loop\"/><w:basedOn "
    "w:val=\"loop\"/></w:style></w:styles>";

static const char numbering[] =
    "<w:numbering xmlns:w=\"w\"><w:abstractNum w:abstractNumId=\"0\">"
    "<w:lvl w:ilvl=\"0\"><w:start w:val=\"1\"/><w:numFmt w:val=\"chineseCounting\"/><w:lvlText "
    "w:val=\"第%1条\"/></w:lvl>"
    "<w:lvl w:ilvl=\"1\"><w:start w:val=\"1\"/><w:numFmt w:val=\"chineseCounting\"/><w:lvlText "
    "w:val=\"（%2）\"/></w:lvl>"
    "</w:abstractNum><w:abstractNum w:abstractNumId=\"1\"><w:lvl w:ilvl=\"0\"><w:numFmt "
    "w:val=\"bullet\"/><w:lvlText w:val=\"\"/></w:lvl></w:abstractNum>"
    "<w:num w:numId=\"5\"><w:abstractNumId w:val=\"0\"/></w:num>"
    "<w:num w:numId=\"6\"><w:abstractNumId w:val=\"1\"/></w:num></w:numbering>";

static struct str docx_of(struct arena *arena, const char *document)
{
    const struct zip_part parts[] = {
        {"[Content_Types].xml", str_c(types)},
        {"word/document.xml", str_c(document)},
        {"word/styles.xml", str_c(styles)},
        {"word/numbering.xml", str_c(numbering)},
        {"word/footnotes.xml",
         STR("<w:footnotes xmlns:w=\"w\"><w:footnote w:type=\"separator\" "
             "w:id=\"0\"><w:p/></w:footnote>"
             "<w:footnote w:id=\"2\">" P("脚注文字") "</w:footnote></w:footnotes>")},
        {"docProps/core.xml", STR("<c:coreProperties xmlns:c=\"c\" "
                                  "xmlns:d=\"d\"><d:title>模板</d:title><d:creator>张三</"
                                  "d:creator></c:coreProperties>")},
    };
    return ZIP_OF(arena, parts);
}

static void check_docx(const char *document, const char *expected)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {.format = ""};
    CHECK_STR(text_of(arena, docx_of(arena, document), "a.docx", &doc), expected);
    CHECK_STR(str_c(doc.format), "docx");
    arena_free(arena);
}

TEST(docx_headings_by_style_and_outline_level)
{
    check_docx(
        W
        "<w:p><w:pPr><w:pStyle w:val=\"T\"/></w:pPr><w:r><w:t>办法</w:t></w:r></w:p>"
        "<w:p><w:pPr><w:pStyle "
        "w:val=\"1\"/></w:pPr><w:r><w:t>第一章</w:t></w:r><w:r><w:tab/><w:t>总则</w:t></w:r></w:p>"
        "<w:p><w:pPr><w:pStyle w:val=\"a\"/></w:pPr><w:r><w:t>继承</w:t></w:r></w:p>"
        "<w:p><w:pPr><w:outlineLvl w:val=\"2\"/></w:pPr><w:r><w:t>直接</w:t></w:r></w:p>"
        "<w:p><w:pPr><w:pStyle w:val=\"toc\"/></w:pPr><w:r><w:t>目录行 1</w:t></w:r></w:p>"
        "<w:p><w:pPr><w:pStyle w:val=\"loop\"/></w:pPr><w:r><w:t>正文 "
        "</w:t></w:r><w:r><w:t>一段</w:t></w:r></w:p>" W_,
        "# 办法\n\n# 第一章 总则\n\n## 继承\n\n### 直接\n\n正文 一段\n\n[2] 脚注文字\n");
}

TEST(docx_lists_carry_the_numbers_that_word_computes)
{
    check_docx(W NUM("0", "5", "甲") NUM("1", "5", "子") NUM("1", "5", "丑") NUM("0", "5", "乙")
                   NUM("1", "5", "寅") NUM("0", "6", "点") W_,
               "第一条 甲\n  （一）子\n  （二）丑\n第二条 乙\n  （一）寅\n- 点\n\n[2] 脚注文字\n");
}

TEST(docx_gives_the_final_text)
{
    check_docx(
        W "<w:p><w:r><w:t>留</w:t></w:r><w:ins><w:r><w:t>增</w:t></w:r></"
          "w:ins><w:del><w:r><w:delText>删</w:delText></w:r></w:del>"
          "<w:moveFrom><w:r><w:t>移</w:t></w:r></w:moveFrom><w:r><w:rPr><w:vanish/></"
          "w:rPr><w:t>隐</w:t></w:r>"
          "<w:r><w:instrText>PAGE</w:instrText></w:r><w:hyperlink><w:r><w:t>链</w:t></w:r></"
          "w:hyperlink>"
          "<w:r><w:footnoteReference w:id=\"2\"/></w:r></w:p>"
          "<w:p><w:r><mc:AlternateContent xmlns:mc=\"m\"><mc:Choice><w:txbxContent>" P(
              "框内") "</w:txbxContent></mc:Choice>"
                      "<mc:Fallback><w:txbxContent>" P(
                          "重复") "</w:txbxContent></mc:Fallback></mc:AlternateContent><w:t>框外</"
                                  "w:t></w:r></w:p>"
                                  "<w:sdt><w:sdtContent>" P("控件") "</w:sdtContent></w:sdt>" W_,
        "留增链[2]\n\n框外\n\n框内\n\n控件\n\n[2] 脚注文字\n");
}

TEST(docx_tables_repeat_merged_cells)
{
    check_docx(
        W "<w:tbl><w:tr><w:trPr><w:tblHeader/></w:trPr>" TC("", "区")
            TC("<w:gridSpan w:val=\"2\"/>",
               "收费") "</w:tr>"
                       "<w:tr>" TC("<w:vMerge w:val=\"restart\"/>",
                                   "汀南") TC("", "昼") "<w:tc>" P("五")
                           P("元") "</w:tc></w:tr>"
                                   "<w:tr>" TC("<w:vMerge/>", "") TC("", "夜")
                                       TC("", "3元") "</w:tr></w:tbl>"
                                                     "<w:tbl><w:tr><w:tc>" P(
                                                         "框中一段") "</w:tc></w:tr></w:tbl>" W_,
        "区 | 收费 | 收费\n汀南 | 昼 | 五 元\n汀南 | 夜 | 3元\n\n框中一段\n\n[2] 脚注文字\n");
}

TEST(docx_that_is_broken_or_hostile_says_so)
{
    struct arena *arena = arena_new(ROOM);
    struct str whole = docx_of(arena, W P("文") W_);
    check_refused(str_slice(whole, 0, whole.len / 2), "a.docx", NULL, ERR_UNSUPPORTED, "archive");
    check_refused(docx_of(arena, W "<w:p><w:r></w:p>"), "a.docx", NULL, ERR_INVALID, "broken");
    struct buf buf;
    buf_init(&buf, arena);
    buf_add(&buf, STR(W));
    for (int i = 0; i < 100000; i++)
        buf_add(&buf, STR("<w:sdt>"));
    check_refused(docx_of(arena, buf.ptr), "a.docx", NULL, ERR_INVALID, "deeper");
    /* entities neither expand nor fetch */
    static const char lol[] =
        "<!DOCTYPE d [<!ENTITY a \"haha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c "
        "\"&b;&b;&b;&b;&b;&b;&b;&b;\">"
        "<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" W
        "<w:p><w:r><w:t>A&c;&x;&amp;B</w:t></w:r></w:p>" W_;
    struct format_document doc = {0};
    struct why why = {0};
    struct str text = STR("");
    enum err err = format_read(docx_of(arena, lol), STR("a.docx"), NULL, arena, &doc, &why);
    if (!err)
        CHECK_OK(format_text(&doc, arena, &text, NULL, &why), &why);
    CHECK(str_find(text, STR("haha")) == STR_NPOS && str_find(text, STR("root")) == STR_NPOS);
    arena_free(arena);
}

/* ---- xlsx ---- */

static const char book[] = "<workbook xmlns:r=\"r\"><sheets><sheet name=\"一表\" "
                           "r:id=\"r1\"/><sheet name=\"二表\" r:id=\"r2\"/>"
                           "<sheet name=\"暗\" state=\"hidden\" r:id=\"r3\"/></sheets></workbook>";
static const char relations[] =
    "<Relationships><Relationship Id=\"r1\" Type=\"t/worksheet\" Target=\"worksheets/sheet1.xml\"/>"
    "<Relationship Id=\"r2\" Type=\"t/worksheet\" Target=\"/xl/worksheets/sheet2.xml\"/>"
    "<Relationship Id=\"r3\" Type=\"t/worksheet\" "
    "Target=\"worksheets/sheet3.xml\"/></Relationships>";
static const char shared[] =
    "<sst><si><t>事项</t></si><si><r><t>受理</t></r><r><t>时间</t></r><rPh><t>しょう</t></rPh></"
    "si><si><t xml:space=\"preserve\"> 停车\n证 </t></si></sst>";
static const char cell_styles[] =
    "<styleSheet><numFmts><numFmt numFmtId=\"180\" "
    "formatCode=\"yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;\"/></numFmts>"
    "<cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"180\"/><xf numFmtId=\"22\"/><xf "
    "numFmtId=\"10\"/><xf numFmtId=\"20\"/></cellXfs></styleSheet>";

static struct str xlsx_of(struct arena *arena, const char *sheet1, const char *sheet2)
{
    const struct zip_part parts[] = {
        {"[Content_Types].xml", str_c(types)},
        {"xl/workbook.xml", str_c(book)},
        {"xl/_rels/workbook.xml.rels", str_c(relations)},
        {"xl/sharedStrings.xml", str_c(shared)},
        {"xl/styles.xml", str_c(cell_styles)},
        {"xl/worksheets/sheet1.xml", str_c(sheet1)},
        {"xl/worksheets/sheet2.xml", str_c(sheet2)},
        {"xl/worksheets/sheet3.xml", STR("<worksheet/>")},
    };
    return ZIP_OF(arena, parts);
}

TEST(xlsx_gives_records_with_dates_and_titles)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {.format = ""};
    struct str bytes =
        xlsx_of(arena,
                "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" "
                "t=\"inlineStr\"><is><t>云汀市清单</t></is></c></row>"
                "<row r=\"3\"><c r=\"A3\" t=\"s\"><v>0</v></c><c r=\"B3\" t=\"s\"><v>1</v></c><c "
                "r=\"D3\" t=\"str\"><v>比例</v></c></row>"
                "<row r=\"4\"><c r=\"A4\" t=\"s\"><v>2</v></c><c r=\"B4\" "
                "s=\"1\"><v>43580</v></c><c r=\"D4\" s=\"3\"><v>0.125</v></c></row>"
                "<row r=\"5\"><c r=\"A5\"><v>12.50</v></c><c r=\"B5\" "
                "s=\"2\"><v>43580.397326388892</v></c><c r=\"D5\" t=\"e\"><v>#N/A</v></c></row>"
                "<row r=\"6\"><c r=\"A6\" s=\"4\"><v>0.375</v></c><c "
                "r=\"B6\"><v>3.0000000000000004E-2</v></c></row>"
                "</sheetData><mergeCells><mergeCell ref=\"A1:D1\"/></mergeCells></worksheet>",
                "<worksheet><sheetData><row><c "
                "t=\"inlineStr\"><is><t>只有一格</t></is></c></row></sheetData></worksheet>");
    CHECK_STR(text_of(arena, bytes, "a.xlsx", &doc),
              "# "
              "一表\n\n云汀市清单\n\n事项：停车\n证\n受理时间：2019-04-25\n比例：12.5%\n\n事项：12."
              "50\n受理时间：2019-04-25 09:32:09\n\n"
              "事项：09:00\n受理时间：0.03\n\n# 二表\n\n只有一格\n");
    CHECK(str_find(doc.note, STR("hidden")) != STR_NPOS);
    arena_free(arena);
}

TEST(xlsx_merged_headers_and_cells)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {.format = ""};
#define C(ref, s) "<c r=\"" ref "\" t=\"inlineStr\"><is><t>" s "</t></is></c>"
    struct str bytes = xlsx_of(
        arena,
        "<worksheet><sheetData><row r=\"1\">" C("A1", "部门")
            C("B1", "时间") "</row><row r=\"2\">" C("B2", "上午")
                C("C2", "下午") "</row>"
                                "<row r=\"3\">" C("A3", "民政局") C("B3", "开")
                                    C("C3", "休") "</row><row r=\"4\">" C("B4", "停")
                                        C("C4",
                                          "转") "</row></sheetData>"
                                                "<mergeCells><mergeCell ref=\"A1:A2\"/><mergeCell "
                                                "ref=\"B1:C1\"/><mergeCell "
                                                "ref=\"A3:A4\"/></mergeCells></worksheet>",
        "<worksheet/>");
    CHECK_STR(text_of(arena, bytes, "a.xlsx", &doc),
              "# "
              "一表\n\n部门：民政局\n时间.上午：开\n时间.下午：休\n\n部门：民政局\n时间."
              "上午：停\n时间.下午：转\n");
    arena_free(arena);
}

TEST(xlsx_empty_rows_cost_nothing_but_their_parsing)
{
    struct arena *arena = arena_new(ROOM), *small = arena_new((size_t)40 << 20);
    struct format_document doc = {.format = ""};
    struct buf buf;
    buf_init(&buf, arena);
    buf_add(&buf, STR("<worksheet><sheetData><row r=\"1\">" C("A1", "甲")
                          C("B1", "乙") "</row><row r=\"2\">" C("A2", "1") C("B2", "2") "</row>"));
    for (int r = 3; r < 65000; r++)
        buf_printf(&buf,
                   "<row r=\"%d\" spans=\"1:6\"><c r=\"A%d\" s=\"1\"/><c r=\"B%d\" s=\"1\"/></row>",
                   r, r, r);
    buf_add(&buf, STR("</sheetData></worksheet>"));
    CHECK_STR(text_of(small, xlsx_of(arena, buf.ptr, "<worksheet/>"), "a.xlsx", &doc),
              "# 一表\n\n甲：1\n乙：2\n");
    arena_free(small);
    arena_free(arena);
}

TEST(xlsx_far_cells_and_wrong_references_are_harmless)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {.format = ""};
    struct str bytes = xlsx_of(
        arena,
        "<worksheet><sheetData><row r=\"1048576\">" C("XFD1048576", "远") "</row><row r=\"1\">" C(
            "A1", "近") C("ZZZZZZ9", "乱")
            C("A99999999999",
              "码") "<c r=\"B1\" t=\"s\"><v>-1</v></c><c r=\"C1\" t=\"s\"><v>99999999999</v></c>"
                    "</row></sheetData><mergeCells><mergeCell ref=\"A1:XFD1048576\"/><mergeCell "
                    "ref=\"B2:A1\"/></mergeCells></worksheet>",
        "<worksheet/>");
    (void)text_of(arena, bytes, "a.xlsx", &doc);
    CHECK(doc.n_blocks > 0);
    arena_free(arena);
}

TESTS_MAIN()
