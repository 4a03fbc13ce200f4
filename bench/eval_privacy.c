/*
 * eval_privacy - precision and recall of the scanner on generated identifiers, and its speed.
 *
 *     build/bench/eval_privacy [tune|held|last] [seed] [n]      identifiers in adversarial
 * spellings build/bench/eval_privacy speed FILE...               megabytes a second over files
 *     build/bench/eval_privacy list|names FILE...          what is found in files
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/utf8.h"
#include "privacy/cases.h"

#define SHOWN 40

struct score {
    size_t right, missed, wrong, n;
};

static struct score scores[PRIVACY_KINDS], all;
static size_t shown;

static void show(const char *what, struct str text, const struct cases_one *one)
{
    if (shown++ < SHOWN)
        printf("  %s %s (%s): %.*s\n", what, privacy_kind_name(one->kind), one->spelling,
               (int)(text.len && text.ptr[text.len - 1] == '\n' ? text.len - 1 : text.len),
               text.ptr);
}

/* The same kind, and over at least four fifths of both. */
static bool hits(const struct privacy_finding *f, const struct cases_one *one)
{
    size_t from = f->start > one->start ? f->start : one->start;
    size_t to = f->end < one->end ? f->end : one->end;
    size_t first = f->start < one->start ? f->start : one->start;
    size_t last = f->end > one->end ? f->end : one->end;
    return f->kind == one->kind && to > from && 5 * (to - from) >= 4 * (last - first);
}

static void judge(const struct privacy_scanner *scanner, struct str text,
                  const struct cases_one *one, struct arena *arena)
{
    struct privacy_findings found;
    bool right = false;
    if (privacy_scan(scanner, text, STR(""), arena, &found, NULL))
        exit(1);
    for (size_t i = 0; i < found.n; i++) {
        if (!one->miss && hits(&found.items[i], one)) {
            right = true;
            continue;
        }
        scores[found.items[i].kind].wrong++;
        struct cases_one as = *one;
        as.kind = found.items[i].kind;
        show("WRONG", text, &as);
    }
    if (one->miss)
        return;
    scores[one->kind].n++;
    scores[one->kind].right += right;
    scores[one->kind].missed += !right;
    if (!right)
        show("MISSED", text, one);
}

static int identifiers(int argc, char **argv)
{
    struct cases cases = {.set = argc < 2                       ? CASES_TUNE
                                 : strcmp(argv[1], "held") == 0 ? CASES_HELD
                                 : strcmp(argv[1], "last") == 0 ? CASES_LAST
                                                                : CASES_TUNE,
                          .state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1};
    size_t n = argc > 3 ? strtoull(argv[3], NULL, 10) : 20000;
    struct arena *arena = arena_new((size_t)64 << 20);
    struct privacy_scanner *scanner = NULL;
    struct privacy_scan_opts opts = {.kinds = PRIVACY_NUMBERS};
    struct why why = {0};
    if (privacy_scanner_new(&opts, &scanner, &why))
        return 1;
    for (size_t i = 0; i < n; i++) {
        struct buf text;
        struct cases_one one;
        buf_init(&text, arena);
        cases.misses = i % 2;
        cases_next(&cases, &text, &one);
        judge(scanner, buf_str(&text), &one, arena);
        arena_reset(arena);
    }
    printf("%-18s %7s %9s %9s\n", "kind", "n", "precision", "recall");
    for (size_t k = 0; k < PRIVACY_KINDS; k++) {
        struct score *s = &scores[k];
        all.n += s->n, all.right += s->right, all.wrong += s->wrong;
        if (s->n || s->wrong)
            printf("%-18s %7zu %9.4f %9.4f\n", privacy_kind_name((enum privacy_kind)k), s->n,
                   (double)s->right / (double)(s->right + s->wrong),
                   (double)s->right / (double)s->n);
    }
    printf("%-18s %7zu %9.4f %9.4f\n", "all", all.n,
           (double)all.right / (double)(all.right + all.wrong), (double)all.right / (double)all.n);
    privacy_scanner_free(scanner);
    arena_free(arena);
    return 0;
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define PIECE ((size_t)16 << 20) /* of a file, to a line's end */

struct pace {
    double seconds, bytes;
    size_t found;
};

/* A file by pieces, so that findings take little memory; what is read from disk is not timed. */
static enum err scan_file(const struct privacy_scanner *scanner, struct str text,
                          struct arena *arena, struct pace *pace)
{
    enum err err = ERR_OK;
    for (size_t at = 0, end; !err && at < text.len; at = end) {
        struct privacy_findings found;
        uint64_t sum = 0;
        end = text.len - at > PIECE ? at + PIECE : text.len;
        while (end < text.len && text.ptr[end - 1] != '\n')
            end++;
        for (size_t k = at; k < end; k += 4096)
            sum += (unsigned char)text.ptr[k];
        double from = now() + (double)(sum & 0);
        err = privacy_scan(scanner, str_slice(text, at, end), STR(""), arena, &found, NULL);
        pace->seconds += now() - from;
        pace->bytes += (double)(end - at);
        pace->found += err ? 0 : found.n;
        arena_reset(arena);
    }
    return err;
}

static int speed(int argc, char **argv)
{
    struct arena *arena = arena_new((size_t)1 << 30);
    static const struct {
        const char *what;
        unsigned kinds;
    } sets[] = {{"numbers", PRIVACY_NUMBERS}, {"all", PRIVACY_ALL}};
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        struct privacy_scan_opts opts = {.kinds = sets[s].kinds};
        struct privacy_scanner *scanner = NULL;
        struct pace pace = {0};
        if (privacy_scanner_new(&opts, &scanner, NULL))
            return 1;
        for (int i = 2; i < argc; i++) {
            struct file_map map;
            if (file_map(argv[i], &map, NULL))
                continue;
            if (scan_file(scanner, (struct str){(const char *)map.ptr, map.len}, arena, &pace))
                return 1;
            file_unmap(&map);
        }
        printf("%-8s %6.1f MB, %zu found, %.0f MB/s and core\n", sets[s].what, pace.bytes / 1e6,
               pace.found, pace.bytes / 1e6 / pace.seconds);
        privacy_scanner_free(scanner);
    }
    arena_free(arena);
    return 0;
}

/* Every finding with what stands around it, a line each. */
static int list(int argc, char **argv)
{
    struct arena *arena = arena_new((size_t)1 << 30);
    struct privacy_scanner *scanner = NULL;
    struct privacy_scan_opts opts = {.kinds = strcmp(argv[1], "names") == 0 ? PRIVACY_ALL
                                                                            : PRIVACY_NUMBERS};
    if (privacy_scanner_new(&opts, &scanner, NULL))
        return 1;
    for (int i = 2; i < argc; i++) {
        struct str text;
        struct privacy_findings found;
        if (file_read(argv[i], (size_t)256 << 20, arena, &text, NULL) ||
            privacy_scan(scanner, text, STR(""), arena, &found, NULL))
            return 1;
        for (size_t k = 0; k < found.n; k++) {
            const struct privacy_finding *f = &found.items[k];
            size_t from = utf8_floor(text, f->start > 60 ? f->start - 60 : 0);
            size_t to = utf8_floor(text, f->end + 24 < text.len ? f->end + 24 : text.len);
            printf("%s\t%.2f\t%.*s\t", privacy_kind_name(f->kind), (double)f->confidence,
                   STR_FMT(f->value));
            for (size_t at = from; at < to; at++)
                putchar(text.ptr[at] == '\n' ? ' ' : text.ptr[at]);
            putchar('\n');
        }
    }
    privacy_scanner_free(scanner);
    arena_free(arena);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "speed") == 0)
        return speed(argc, argv);
    if (argc > 2 && (strcmp(argv[1], "list") == 0 || strcmp(argv[1], "names") == 0))
        return list(argc, argv);
    return identifiers(argc, argv);
}
