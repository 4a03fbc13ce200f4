/* engine/kernels: no processor gets what it cannot run. */
#include <stdlib.h>

#include "engine/kernels.h"
#include "run_kit.h"

#define V3 .sse42 = 1, .avx = 1, .avx2 = 1, .fma = 1, .f16c = 1, .bmi2 = 1
#define V4 .avx512f = 1, .avx512cd = 1, .avx512vl = 1, .avx512dq = 1, .avx512bw = 1, .avx512vnni = 1

TEST(takes_the_best_that_runs)
{
    static const struct {
        enum kernels_kind kind;
        struct kernels_can can;
        const char *best;
    } cases[] = {
        {KERNELS_X86, {0}, "x86_64"},
        {KERNELS_X86, {.sse42 = 1, .avx = 1}, "x86_64"}, /* Sandy Bridge */
        {KERNELS_X86, {.sse42 = 1, .avx = 1, .avx2 = 1, .fma = 1, .f16c = 1}, "x86_64"},
        {KERNELS_X86, {V3}, "x86_64_v3"},
        {KERNELS_X86, {V3, .avx512f = 1, .avx512cd = 1}, "x86_64_v3"},
        {KERNELS_X86, {V3, V4}, "x86_64_v4"},
        {KERNELS_X86, {V4}, "x86_64"}, /* such a one is not made; it would not do */
        {KERNELS_ARM, {0}, "armv8"},
        {KERNELS_ARM, {.dotprod = 1, .atomics = 1}, "armv8"},
        {KERNELS_ARM, {.dotprod = 1, .fp16 = 1, .atomics = 1}, "armv8_2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_STR(str_c(kernels_best(cases[i].kind, &cases[i].can)), cases[i].best);
}

/* In a package: a lesser build may be asked for. */
TEST(a_lesser_build_is_taken_when_asked_for)
{
#if HAVE_KERNELS && defined(__x86_64__)
    static const char *const names[] = {"x86_64_v4", "x86_64_v3", "x86_64"};
#elif HAVE_KERNELS
    static const char *const names[] = {"armv8_2", "armv8"};
#else
    static const char *const names[] = {"native"};
#endif
    size_t n = sizeof names / sizeof names[0], best = 0;
    while (best + 1 < n && strcmp(names[best], kernels_name()) != 0)
        best++;
    CHECK_STR(str_c(kernels_name()), names[best]);
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(setenv("YICHENG_KERNELS", names[i], 1), 0);
        CHECK_STR(str_c(kernels_name()), names[i < best ? best : i]);
    }
    CHECK_EQ(setenv("YICHENG_KERNELS", "none of them", 1), 0);
    CHECK_STR(str_c(kernels_name()), names[best]);
    CHECK_EQ(unsetenv("YICHENG_KERNELS"), 0);
}

TESTS_MAIN()
