/*
 * engine/kernels - which build of ggml's kernels this processor runs.
 *
 * A package is made for all processors of a kind, and the kernels are a few times faster with what
 * only newer ones have. So a packaged engine carries several builds and takes the best that the
 * processor it starts on can run (docs/decisions/0019-kernels.md); a developer's has one, for the
 * processor it was built on. Pure but for kernels_name.
 */
#ifndef ENGINE_KERNELS_H
#define ENGINE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

/* What a processor can do, and its system lets it do. */
struct kernels_can {
    bool sse42, avx, avx2, fma, f16c, bmi2;                           /* x86-64 */
    bool avx512f, avx512cd, avx512vl, avx512dq, avx512bw, avx512vnni; /* x86-64 */
    bool dotprod, fp16, atomics;                                      /* arm64 */
};

/* The builds, best first: each name is that of the environment variable YICHENG_KERNELS and of
 * tools/llama. Ends with a build that every processor of the kind runs. */
enum kernels_kind { KERNELS_X86, KERNELS_ARM };
const char *kernels_best(enum kernels_kind kind, const struct kernels_can *can);

/* The build this process runs: "x86_64_v3"; "native" when there is only one. YICHENG_KERNELS may
 * name a lesser one than the best; what the processor cannot run is never taken. From any thread.
 */
const char *kernels_name(void);

#endif
