/*
 * tests/tap - a test is a promise of a header; output is TAP version 13.
 *
 *     TEST(keeps_the_first_cause) { CHECK_EQ(1 + 1, 2); }
 *     TESTS_MAIN()
 *
 * Tests register themselves before main() runs; each prints one line. A failed CHECK is reported
 * with its place and the test goes on. SKIP("why") ends the test as skipped, and says so.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

struct tap_test {
    const char *name;
    void (*run)(void);
    struct tap_test *next;
};

static struct tap_test *tap_first, **tap_last = &tap_first;
static int tap_failed;
static const char *tap_skipped;

#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    static struct tap_test tap_##name = {#name, test_##name, NULL};                                \
    __attribute__((constructor)) static void tap_add_##name(void)                                  \
    {                                                                                              \
        *tap_last = &tap_##name;                                                                   \
        tap_last = &tap_##name.next;                                                               \
    }                                                                                              \
    static void test_##name(void)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            tap_failed++;                                                                          \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                                    \
        }                                                                                          \
    } while (0)

#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        long long tap_a = (long long)(a), tap_b = (long long)(b);                                  \
        if (tap_a != tap_b) {                                                                      \
            tap_failed++;                                                                          \
            printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #a, tap_a, tap_b);       \
        }                                                                                          \
    } while (0)

#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        struct str tap_a = (a), tap_b = str_c(b);                                                  \
        if (!str_eq(tap_a, tap_b)) {                                                               \
            tap_failed++;                                                                          \
            printf("# %s:%d: %s is \"%.*s\", not \"%.*s\"\n", __FILE__, __LINE__, #a,              \
                   STR_FMT(tap_a), STR_FMT(tap_b));                                                \
        }                                                                                          \
    } while (0)

/* For a call that must succeed: prints its words when it does not. */
#define CHECK_OK(call, why)                                                                        \
    do {                                                                                           \
        enum err tap_err = (call);                                                                 \
        if (tap_err) {                                                                             \
            tap_failed++;                                                                          \
            printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, #call, why_text((why), tap_err));      \
        }                                                                                          \
    } while (0)

#define SKIP(reason)                                                                               \
    do {                                                                                           \
        tap_skipped = (reason);                                                                    \
        return;                                                                                    \
    } while (0)

/* The folder of a real data set, or NULL when it is not on this machine. */
__attribute__((unused)) static const char *tap_dataset(const char *name)
{
    static char path[4096];
    const char *root = getenv("YICHENG_DATASETS");
    (void)snprintf(path, sizeof path, "%s/%s", root ? root : YICHENG_SOURCE_ROOT "/../shared/data",
                   name);
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    (void)fclose(f);
    return path;
}

#define TESTS_MAIN()                                                                               \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        const char *only = argc > 1 ? argv[1] : NULL;                                              \
        int n = 0, bad = 0;                                                                        \
        setvbuf(stdout, NULL, _IOLBF, 0);                                                          \
        printf("TAP version 13\n");                                                                \
        for (struct tap_test *t = tap_first; t; t = t->next) {                                     \
            if (only && !strstr(t->name, only))                                                    \
                continue;                                                                          \
            tap_failed = 0;                                                                        \
            tap_skipped = NULL;                                                                    \
            t->run();                                                                              \
            bad += tap_failed > 0;                                                                 \
            printf("%sok %d - %s", tap_failed ? "not " : "", ++n, t->name);                        \
            printf(tap_skipped ? " # SKIP %s\n" : "\n", tap_skipped);                              \
        }                                                                                          \
        printf("1..%d\n", n);                                                                      \
        return bad > 0;                                                                            \
    }

#endif
