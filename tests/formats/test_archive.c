/* format_read_file: archives, their limits and tricks, and the child process. */
#include "formats/reads.h"
#include "formats/zips.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/file.h"
#include "core/pool.h"

/* Everything that came, as lines "name format: text" and "name !code: words". */
struct told {
    struct arena *arena;
    struct buf buf;
    size_t n_docs, n_failed;
};

static enum err tell(void *ctx, const struct format_document *doc, struct str raw, struct why *why)
{
    struct told *told = ctx;
    struct str text;
    enum err err = format_text(doc, told->arena, &text, NULL, why);
    if (err)
        return err;
    CHECK(raw.len > 0);
    told->n_docs++;
    buf_printf(&told->buf, "%.*s %s: %.*s\n", STR_FMT(doc->path), doc->format,
               STR_FMT(str_trim(str_slice(text, 0, 60))));
    return ERR_OK;
}

static void tell_failed(void *ctx, struct str path, enum err err, const struct why *why)
{
    struct told *told = ctx;
    CHECK(why->text[0] != '\0');
    told->n_failed++;
    buf_printf(&told->buf, "%.*s !%s: %s\n", STR_FMT(path), err_code(err), why->text);
}

/* Reads bytes as a file of that name. */
static void read_as_file(struct told *told, struct str bytes, const char *name,
                         const struct format_limits *limits)
{
    char path[] = "/tmp/yicheng-formats-XXXXXX";
    struct why why = {0};
    int fd = mkstemp(path);
    if (fd < 0)
        abort();
    told->arena = arena_new(ROOM);
    buf_init(&told->buf, told->arena);
    CHECK_OK(file_write_fd(fd, bytes, &why), &why);
    (void)close(fd);
    CHECK_OK(format_read_file(path, str_c(name), limits, ROOM, tell, tell_failed, told, &why),
             &why);
    (void)unlink(path);
}

TEST(reads_what_is_in_an_archive_and_reports_the_rest)
{
    struct arena *arena = arena_new(ROOM);
    const struct zip_part inner[] = {ZIP_PART("深.txt", "里面的文字")};
    const struct zip_part docx[] = {
        ZIP_PART("[Content_Types].xml", "<Types/>"),
        ZIP_PART(
            "word/document.xml",
            "<w:document "
            "xmlns:w='w'><w:body><w:p><w:r><w:t>文档</w:t></w:r></w:p></w:body></w:document>")};
    struct str inner_zip = ZIP_OF(arena, inner);
    const struct zip_part parts[] = {
        ZIP_PART("dir/", ""),
        ZIP_PART("dir/a.md", "# 题"),
        ZIP_PART("\xB9\xAB\xB8\xE6\xCD\xA8\xD6\xAA\xCE\xC4\xBC\xFE.txt",
                 "公告"), /* a name in GB18030 */
        ZIP_PART("../../etc/pass", "出走"),
        ZIP_PART("C:\\win\\b.txt", "盘符"),
        ZIP_PART("__MACOSX/._a", "x"),
        ZIP_PART("empty.txt", ""),
        ZIP_PART("virus.exe", "MZ\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                              "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        {"in.zip", inner_zip},
        {"c.docx", ZIP_OF(arena, docx)},
    };
    struct told told = {0};
    read_as_file(&told, ZIP_OF(arena, parts), "包.zip", NULL);
    CHECK_STR(buf_str(&told.buf),
              "包.zip/dir/a.md md: # 题\n包.zip/公告通知文件.txt txt: 公告\n包.zip/etc/pass txt: "
              "出走\n包.zip/win/b.txt txt: 盘符\n"
              "包.zip/empty.txt !invalid: the file is empty\n包.zip/virus.exe !unsupported: it is "
              "a program, which is not read\n"
              "包.zip/in.zip/深.txt txt: 里面的文字\n包.zip/c.docx docx: 文档\n");
    arena_free(told.arena);
    arena_free(arena);
}

TEST(bombs_are_stopped_while_they_unpack)
{
    struct arena *arena = arena_new((size_t)1 << 30);
    size_t size = (size_t)200 << 20;
    char *zeros = arena_bytes(arena, size);
    memset(zeros, ' ', size);
    struct format_limits limits = format_limits_default;
    struct told told = {0};
    const struct zip_part one[] = {{"big.txt", {zeros, (size_t)64 << 20}},
                                   ZIP_PART("after.txt", "后")};
    struct str bomb = ZIP_OF(arena, one);
    read_as_file(&told, bomb, "b.zip", &limits);
    CHECK_EQ(told.n_docs, 0);
    CHECK(str_find(buf_str(&told.buf),
                   STR("b.zip !too_large: it unpacks to more than 200 times")) != STR_NPOS);
    arena_free(told.arena);
    /* the same inside another archive */
    const struct zip_part nested[] = {{"x.zip", bomb}, ZIP_PART("after.txt", "后")};
    told = (struct told){0};
    read_as_file(&told, ZIP_OF(arena, nested), "n.zip", &limits);
    CHECK(str_find(buf_str(&told.buf), STR("n.zip/x.zip !too_large")) != STR_NPOS);
    arena_free(told.arena);
    limits.expand_ratio = 1000000;
    limits.expanded_bytes = 100000;
    told = (struct told){0};
    read_as_file(&told, bomb, "b.zip", &limits);
    CHECK(str_find(buf_str(&told.buf), STR("more than the limit of")) != STR_NPOS);
    CHECK_EQ(told.n_docs, 0);
    arena_free(told.arena);
    limits = format_limits_default;
    limits.expand_ratio = 1000000;
    limits.file_bytes = (size_t)32 << 20; /* one file too large; the next is read */
    told = (struct told){0};
    read_as_file(&told, bomb, "b.zip", &limits);
    CHECK_EQ(told.n_docs, 1);
    CHECK_EQ(told.n_failed, 1);
    arena_free(told.arena);
    arena_free(arena);
}

TEST(depth_and_number_of_archives_are_limited)
{
    struct arena *arena = arena_new(ROOM);
    struct str zip = STR("底");
    for (int i = 0; i < 5; i++) {
        const struct zip_part parts[] = {{i ? "x.zip" : "x.txt", zip}};
        zip = ZIP_OF(arena, parts);
    }
    struct told told = {0};
    read_as_file(&told, zip, "d.zip", NULL);
    CHECK_STR(buf_str(&told.buf),
              "d.zip/x.zip/x.zip !too_large: archives are packed in archives more than 2 deep\n");
    arena_free(told.arena);
    struct format_limits limits = format_limits_default;
    limits.archive_files = 2;
    const struct zip_part three[] = {ZIP_PART("1.txt", "一"), ZIP_PART("2.txt", "二"),
                                     ZIP_PART("3.txt", "三")};
    told = (struct told){0};
    read_as_file(&told, ZIP_OF(arena, three), "t.zip", &limits);
    CHECK_EQ(told.n_docs, 2);
    CHECK(str_find(buf_str(&told.buf), STR("more files than the limit of 2")) != STR_NPOS);
    arena_free(told.arena);
    arena_free(arena);
}

TEST(locked_broken_and_foreign_packages_say_what_they_are)
{
    struct arena *arena = arena_new(ROOM);
    const struct zip_part parts[] = {ZIP_PART("a.txt", "秘密的文字，比较长一些，以便压缩。")};
    const struct zip_part pptx[] = {ZIP_PART("[Content_Types].xml", "<Types/>"),
                                    ZIP_PART("ppt/presentation.xml", "<p/>")};
    const struct zip_part ofd[] = {ZIP_PART("OFD.xml", "<OFD/>")};
    struct str whole = ZIP_OF(arena, parts), locked = zip_of(arena, parts, 1, "pass");
    const struct {
        struct str bytes;
        const char *words;
    } cases[] = {
        {locked, "protected by a password"},
        {str_slice(whole, 0, whole.len - 30), "broken or cut off"},
        {ZIP_OF(arena, pptx), "presentation"},
        {ZIP_OF(arena, ofd), "OFD"},
        {STR("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct told told = {0};
        read_as_file(&told, cases[i].bytes, "x.zip", NULL);
        CHECK_EQ(told.n_docs, 0);
        if (str_find(buf_str(&told.buf), str_c(cases[i].words)) == STR_NPOS)
            printf("# %zu: %.*s", i, STR_FMT(buf_str(&told.buf)));
        CHECK(str_find(buf_str(&told.buf), str_c(cases[i].words)) != STR_NPOS);
        arena_free(told.arena);
    }
    arena_free(arena);
}

TEST(links_are_not_followed)
{
    struct arena *arena = arena_new(ROOM);
    const struct zip_part parts[] = {ZIP_PART("a.link", "/etc/passwd"), ZIP_PART("b.txt", "乙")};
    struct told told = {0};
    read_as_file(&told, ZIP_OF(arena, parts), "x.zip", NULL);
    CHECK_STR(buf_str(&told.buf),
              "x.zip/a.link !unsupported: it is a symbolic link, which is not followed\n"
              "x.zip/b.txt txt: 乙\n");
    arena_free(told.arena);
    arena_free(arena);
}

/* Half a gigabyte that is not even there: its size is enough. */
TEST(a_file_that_is_too_large_is_not_read)
{
    char path[] = "/tmp/yicheng-formats-XXXXXX";
    struct told told = {.arena = arena_new(ROOM)};
    struct why why = {0};
    int fd = mkstemp(path);
    buf_init(&told.buf, told.arena);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)500 << 20) == 0);
    CHECK_OK(format_read_file(path, STR("big.txt"), NULL, (size_t)64 << 20, tell, tell_failed,
                              &told, &why),
             &why);
    CHECK_EQ(told.n_failed, 1);
    CHECK(str_starts(buf_str(&told.buf), STR("big.txt !too_large")));
    (void)close(fd);
    (void)unlink(path);
    arena_free(told.arena);
}

/* A damaged entry costs itself only. */
TEST(damage_in_one_entry_does_not_stop_the_rest)
{
    struct arena *arena = arena_new(ROOM);
    const struct zip_part parts[] = {
        ZIP_PART("1.txt", "一一一一一一一一一一一一一一一一一一一一一一二二二三"),
        ZIP_PART("2.txt", "二")};
    struct str whole = ZIP_OF(arena, parts);
    ((char *)whole.ptr)[40] ^= 0x55;
    struct told told = {0};
    read_as_file(&told, whole, "x.zip", NULL);
    CHECK_EQ(told.n_failed, 1);
    CHECK(str_find(buf_str(&told.buf), STR("x.zip/2.txt txt: 二")) != STR_NPOS);
    arena_free(told.arena);
    arena_free(arena);
}

static struct str long_docx(struct arena *arena, int n_paragraphs)
{
    struct buf buf;
    buf_init(&buf, arena);
    buf_add(&buf,
            STR("<w:document "
                "xmlns:w='w'><w:body><w:tbl><w:tr><w:tc><w:p><w:r><w:t>格</w:t></w:r></w:p></w:tc>"
                "<w:tc><w:p/></w:tc></w:tr></w:tbl>"));
    for (int i = 0; i < n_paragraphs; i++)
        buf_printf(&buf, "<w:p><w:r><w:t>第%d段文字，比较长，用来花时间。</w:t></w:r></w:p>", i);
    buf_add(&buf, STR("</w:body></w:document>"));
    const struct zip_part parts[] = {
        ZIP_PART("[Content_Types].xml", "<Types/>"),
        {"word/document.xml", buf_str(&buf)},
        ZIP_PART("docProps/core.xml",
                 "<c:coreProperties xmlns:c='c' "
                 "xmlns:d='d'><d:creator>张三</d:creator></c:coreProperties>")};
    return ZIP_OF(arena, parts);
}

/* Keeps the text of the one document that comes. */
static enum err keep_text(void *ctx, const struct format_document *doc, struct str raw,
                          struct why *why)
{
    struct told *told = ctx;
    struct str text;
    (void)raw;
    CHECK_STR(str_c(doc->format), "docx");
    CHECK_EQ(doc->n_meta, 1);
    CHECK_STR(doc->meta[0].value, "张三");
    CHECK_EQ(doc->blocks[0].kind, FORMAT_TABLE);
    enum err err = format_text(doc, told->arena, &text, NULL, why);
    buf_add(&told->buf, text);
    return err;
}

TEST(what_the_child_reads_is_what_is_read_here)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {0};
    struct str bytes = long_docx(arena, 500), text = text_of(arena, bytes, "a.docx", &doc);
    struct told told = {.arena = arena};
    struct why why = {0};
    char path[] = "/tmp/yicheng-formats-XXXXXX";
    int fd = mkstemp(path);
    buf_init(&told.buf, arena);
    CHECK_OK(file_write_fd(fd, bytes, &why), &why);
    CHECK_OK(format_read_file(path, STR("a.docx"), NULL, ROOM, keep_text, tell_failed, &told, &why),
             &why);
    CHECK(text.len > 10000 && str_eq(buf_str(&told.buf), text));
    (void)close(fd);
    (void)unlink(path);
    arena_free(arena);
}

TEST(the_child_is_stopped_when_it_takes_too_long_or_too_much)
{
    struct arena *arena = arena_new((size_t)1 << 30);
    struct str bytes = long_docx(arena, 200000);
    struct format_limits limits = format_limits_default;
    struct told told = {0};
    limits.expand_ratio = 100000;
    limits.time_ms = 1;
    read_as_file(&told, bytes, "slow.docx", &limits);
    CHECK(str_find(buf_str(&told.buf), STR("!timeout")) != STR_NPOS);
    arena_free(told.arena);
    limits.time_ms = 60000;
    limits.text_bytes = 1 << 20;
    told = (struct told){0};
    read_as_file(&told, bytes, "long.docx", &limits);
    CHECK(str_find(buf_str(&told.buf), STR("!too_large")) != STR_NPOS);
    arena_free(told.arena);
    arena_free(arena);
}

/* Many threads at once: children are born while others parse. */
static enum err read_one(void *ctx, size_t i, struct why *why)
{
    struct told told = {.arena = arena_new(ROOM)};
    const char *const *paths = ctx;
    buf_init(&told.buf, told.arena);
    enum err err = format_read_file(paths[i % 2], i % 2 ? STR("a.html") : STR("a.docx"), NULL, ROOM,
                                    tell, tell_failed, &told, why);
    if (!err && told.n_docs != 1)
        err = err_set(why, ERR_INTERNAL, "%zu failed", told.n_failed);
    arena_free(told.arena);
    return err;
}

TEST(threads_and_children_do_not_wait_for_each_other)
{
    if (READS_ASAN)
        SKIP("AddressSanitizer's allocator keeps its locks over a fork beside threads");
    struct arena *arena = arena_new(ROOM);
    char docx[] = "/tmp/yicheng-formats-XXXXXX", html[] = "/tmp/yicheng-formats-XXXXXX";
    int fds[] = {mkstemp(docx), mkstemp(html)};
    const char *paths[] = {docx, html};
    struct why why = {0};
    struct buf page;
    buf_init(&page, arena);
    buf_add(&page, STR("<!DOCTYPE html><html><body>"));
    for (int i = 0; i < 2000; i++)
        buf_add(&page, STR("<p>段</p>"));
    CHECK_OK(file_write_fd(fds[0], long_docx(arena, 50), &why), &why);
    CHECK_OK(file_write_fd(fds[1], buf_str(&page), &why), &why);
    CHECK_OK(pool_each(4, 60, read_one, paths, &why), &why);
    for (int i = 0; i < 2; i++) {
        (void)close(fds[i]);
        (void)unlink(paths[i]);
    }
    arena_free(arena);
}

TEST(a_missing_file_is_an_error_of_the_call)
{
    struct why why = {0};
    struct told told = {0};
    CHECK_EQ(
        format_read_file("/nonexistent/x", STR("x"), NULL, ROOM, tell, tell_failed, &told, &why),
        ERR_NOT_FOUND);
    CHECK(why.text[0] != '\0');
    CHECK_EQ(told.n_failed, 0);
}

TESTS_MAIN()
