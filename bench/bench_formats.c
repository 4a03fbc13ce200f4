/*
 * bench/bench_formats - megabytes a second from bytes to plain text, per second of
 * one core; the child process's price in time that passes; and pdftotext beside our pdf reader.
 *
 *     bench_formats [file ...]      default: the data sets and documents made here
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "formats/formats.h"
#include "formats/zips.h"

#define MEMORY  ((size_t)1 << 30)
#define LEAST_S 1.0 /* seconds a figure is taken over */

static const struct {
    const char *set, *file;
} inputs[] = {
    {"laws", "民法典/合同编.md"},        {"service-guides", "data/policy.json"},
    {"admin-divisions", "streets.csv"},  {"prose", "红楼梦.txt"},
    {"citizen-messages", "附件4.xlsx"},  {"citizen-messages", "file2.xlsx"},
    {"citizen-messages", "problem.pdf"},
};

static _Noreturn void stop(const char *words)
{
    (void)fprintf(stderr, "bench_formats: %s\n", words);
    exit(1);
}

static double seconds(int64_t start_ns)
{
    return (double)(time_mono_ns() - start_ns) / 1e9;
}

/* Of this process: other work on the machine does not count. */
static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void measure(struct str bytes, const char *name)
{
    struct arena *arena = arena_new(MEMORY);
    struct format_document doc = {0};
    struct str text = STR_NONE;
    struct why why = {0};
    int n = 0;
    double start = cpu_seconds();
    do {
        arena_reset(arena);
        if (format_read(bytes, str_c(name), NULL, arena, &doc, &why) ||
            format_text(&doc, arena, &text, NULL, &why))
            stop(why_text(&why, ERR_INTERNAL));
        n++;
    } while (cpu_seconds() - start < LEAST_S);
    double s = (cpu_seconds() - start) / n;
    printf("%-28.28s %-6s %8.2f MB %8.1f ms %8.1f MB/s of file %8.1f MB/s of text\n", name,
           doc.format, (double)bytes.len / 1e6, s * 1e3, (double)bytes.len / 1e6 / s,
           (double)text.len / 1e6 / s);
    arena_free(arena);
}

static enum err drop(void *ctx, const struct format_document *doc, struct str raw, struct why *why)
{
    (void)ctx, (void)doc, (void)raw, (void)why;
    return ERR_OK;
}

static void fail(void *ctx, struct str path, enum err err, const struct why *why)
{
    (void)ctx, (void)path;
    stop(why_text(why, err));
}

/* The same file through the child process, and through pdftotext when it is a pdf. */
static void measure_process(const char *path, bool pdf)
{
    struct why why = {0};
    int n = 0;
    int64_t start = time_mono_ns();
    for (; seconds(start) < LEAST_S; n++) {
        if (format_read_file(path, str_c(path), NULL, MEMORY, drop, fail, NULL, &why))
            stop(why_text(&why, ERR_INTERNAL));
    }
    printf("%-28s %37.1f ms\n", "  in a child process", seconds(start) / n * 1e3);
    start = time_mono_ns();
    for (n = 0; pdf && seconds(start) < LEAST_S; n++) {
        pid_t pid = fork();
        int status = 1;
        if (pid == 0) {
            (void)execlp("pdftotext", "pdftotext", "-q", path, "/dev/null", (char *)NULL);
            _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
            return;
    }
    if (pdf)
        printf("%-28s %37.1f ms\n", "  pdftotext", seconds(start) / n * 1e3);
}

static void measure_file(const char *path)
{
    struct arena *arena = arena_new(MEMORY);
    struct str bytes;
    struct why why = {0};
    if (file_read(path, MEMORY / 2, arena, &bytes, &why)) {
        printf("%-28.28s skipped: %s\n", file_name(str_c(path)).ptr, why.text);
    } else {
        measure(bytes, file_name(str_c(path)).ptr);
        bool pdf = str_ends(str_c(path), STR(".pdf"));
        if (pdf || str_ends(str_c(path), STR("x")))
            measure_process(path, pdf);
    }
    arena_free(arena);
}

/* A long document of the same paragraphs, as html and as docx. */
static void measure_made(void)
{
    static const char text[] = "劳动者提前三十日以书面形式通知用人单位，可以解除劳动合同。劳动者在"
                               "试用期内提前三日通知用人单位，可以解除劳动合同。";
    struct arena *arena = arena_new(MEMORY);
    struct buf html, docx;
    buf_init(&html, arena);
    buf_init(&docx, arena);
    buf_add_c(&html, "<!DOCTYPE html><html><body>");
    buf_add_c(&docx, "<w:document xmlns:w=\"w\"><w:body>");
    for (int i = 0; i < 20000; i++) {
        buf_printf(&html, "<p class=\"indent\"><b>第%d条</b>　%s</p>\n", i, text);
        buf_printf(&docx,
                   "<w:p w:rsidR=\"00A77B3E\"><w:pPr><w:ind "
                   "w:firstLine=\"420\"/></w:pPr><w:r><w:rPr><w:b/></w:rPr>"
                   "<w:t>第%d条</w:t></w:r><w:r><w:t>　%s</w:t></w:r></w:p>",
                   i, text);
    }
    buf_add_c(&html, "</body></html>");
    buf_add_c(&docx, "</w:body></w:document>");
    const struct zip_part parts[] = {ZIP_PART("[Content_Types].xml", "<Types/>"),
                                     {"word/document.xml", buf_str(&docx)}};
    measure(buf_str(&html), "made.html");
    measure(ZIP_OF(arena, parts), "made.docx");
    arena_free(arena);
}

int main(int argc, char **argv)
{
    const char *root = getenv("YICHENG_DATASETS");
    for (int i = 1; i < argc; i++)
        measure_file(argv[i]);
    for (size_t i = 0; argc == 1 && i < sizeof inputs / sizeof inputs[0]; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s/%s",
                       root ? root : YICHENG_SOURCE_ROOT "/../shared/data", inputs[i].set,
                       inputs[i].file);
        measure_file(path);
    }
    if (argc == 1)
        measure_made();
    return 0;
}
