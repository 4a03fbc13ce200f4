/* Files that mean harm or are not what they say: each refused or limited, with a reason. */
#include <sys/mman.h>
#include <unistd.h>

#include "core/file.h"
#include "formats/reads.h"
#include "formats/wire.h"

TEST(bytes_decide_and_the_note_says_what_it_is)
{
    static const struct {
        const char *name, *format;
        struct str bytes;
        bool noted;
    } cases[] = {
        {"a.pdf", "html", STR_INIT("<!DOCTYPE html><p>页</p>"), true},
        {"a.docx", "txt", STR_INIT("只是文字"), true},
        {"a.csv", "html", STR_INIT("<!DOCTYPE html><p>页</p>"), true},
        {"a.txt", "jsonl", STR_INIT("{\"a\":1}\n{\"a\":2}\n"), true},
        {"a.md", "md", STR_INIT("# 题\n"), false},
        {"a", "txt", STR_INIT("文字"), false},
        {"a.weird", "txt", STR_INIT("文字"), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct format_document doc = {.format = ""};
        (void)text_of(arena, cases[i].bytes, cases[i].name, &doc);
        CHECK_STR(str_c(doc.format), cases[i].format);
        if ((doc.note.len > 0) != cases[i].noted)
            printf("# %s: \"%.*s\"\n", cases[i].name, STR_FMT(doc.note));
        CHECK_EQ(doc.note.len > 0, cases[i].noted);
        arena_free(arena);
    }
}

TEST(recognises_what_it_does_not_read)
{
    static const struct {
        struct str bytes;
        const char *words;
    } cases[] = {
        {STR_INIT("Rar!\x1A\x07\x01\0...."), "pack them as zip"},
        {STR_INIT("7z\xBC\xAF\x27\x1C\0\4"), "7z archive"},
        {STR_INIT("\x7F"
                  "ELF\2\1\1\0"),
         "a program"},
        {STR_INIT("GGUF\3\0\0\0\0\0\0"), "a model"},
        {STR_INIT("{\\rtf1\\ansi}"), "save it as docx"},
        {STR_INIT("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....W\0o\0r\0d\0D\0o\0c\0u\0m\0e\0n\0t\0...."),
         "save it as docx"},
        {STR_INIT("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....W\0o\0r\0k\0b\0o\0o\0k\0...."),
         "save it as xlsx"},
        {STR_INIT(
             "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1..E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0."),
         "password"},
        {STR_INIT("SQLite format 3\0\1"), "csv"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_refused(cases[i].bytes, "a.bin", NULL, ERR_UNSUPPORTED, cases[i].words);
    char program[256] = "MZ";
    program[60] = (char)128;
    memcpy(program + 128, "PE\0\0", 4);
    check_refused((struct str){program, sizeof program}, "a.exe", NULL, ERR_UNSUPPORTED,
                  "a program");
}

TEST(limits_hold)
{
    struct format_limits limits = format_limits_default;
    limits.file_bytes = 100;
    limits.line_bytes = 50;
    limits.blocks = 3;
    check_refused(STR(""), "a.txt", &limits, ERR_INVALID, "empty");
    check_refused(STR(" \n\n \n"), "a.txt", &limits, ERR_INVALID, "no text");
    check_refused(STR("0123456789012345678901234567890123456789012345678901234567890\n"), "a.txt",
                  &limits, ERR_TOO_LARGE, "line");
    check_refused(STR("1\n2\n3\n4\n"), "a.txt", &limits, ERR_TOO_LARGE, "parts");
    limits = format_limits_default;
    limits.text_bytes = 6;
    check_refused(STR("四个字多"), "a.txt", &limits, ERR_TOO_LARGE, "text");
    limits = format_limits_default;
    limits.time_ms = 0;
    check_refused(STR("文字"), "a.txt", &limits, ERR_TIMEOUT, "longer");
}

TEST(deep_nesting_is_refused)
{
    struct arena *arena = arena_new(ROOM);
    struct buf buf;
    static const char *const opens[] = {"<div>", "<table><tr><td>", "<b>",
                                        "[",     "{\"a\":",         "<font><p>"};
    static const char *const names[] = {"a.html", "a.html", "a.html", "a.json", "a.json", "a.html"};
    for (size_t k = 0; k < sizeof opens / sizeof opens[0]; k++) {
        buf_init(&buf, arena);
        for (int i = 0; i < 100000; i++)
            buf_add_c(&buf, opens[k]);
        check_refused(buf_str(&buf), names[k], NULL, ERR_INVALID, "deeper");
    }
    arena_free(arena);
}

/* Never ends by itself within the limits of memory; what matters is that it ends in time. */
TEST(long_runs_of_marks_end_in_time)
{
    static const char *const marks[] = {"*", "_a", "[a](", "![", "<a", "&",
                                        "|", "`",  "> ",   "# ", "\\"};
    for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++) {
        struct arena *arena = arena_new(ROOM);
        struct buf buf;
        struct format_document doc;
        struct why why = {0};
        buf_init(&buf, arena);
        for (int i = 0; i < 300000; i++)
            buf_add_c(&buf, marks[k]);
        struct format_limits limits = format_limits_default;
        limits.time_ms = 20000;
        enum err err = format_read(buf_str(&buf), STR("a.md"), &limits, arena, &doc, &why);
        CHECK(err == ERR_OK || err == ERR_INVALID);
        arena_free(arena);
    }
}

TEST(rows_without_cells_that_a_parser_claims_are_refused)
{
    struct arena *arena = arena_new(1 << 22);
    struct format_block block = {.kind = FORMAT_TABLE, .table = {.n_rows = 1u << 24, .n_cols = 0}};
    struct format_document doc = {.blocks = &block, .n_blocks = 1}, again = {0};
    struct why why = {0};
    struct str bytes = STR_NONE;
    char path[64];
    int fd = memfd_create("wire", 0), copy = dup(fd);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(wire_write(copy, ERR_OK, &doc, &why));
    CHECK_OK(file_read(path, 1 << 20, arena, &bytes, &why), &why);
    CHECK_EQ(wire_read(bytes, arena, &again, &why), ERR_INVALID);
    (void)close(fd);
    arena_free(arena);
}

TESTS_MAIN()
