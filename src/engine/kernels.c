/* Which build of ggml's kernels this processor runs. */
#include "engine/kernels.h"

#include <stdlib.h>
#include <string.h>

/* ---- what each build needs ---- */

static bool always(const struct kernels_can *can)
{
    (void)can;
    return true;
}

static bool has_v3(const struct kernels_can *can)
{
    return can->sse42 && can->avx && can->avx2 && can->fma && can->f16c && can->bmi2;
}

static bool has_v4(const struct kernels_can *can)
{
    return has_v3(can) && can->avx512f && can->avx512cd && can->avx512vl && can->avx512dq &&
           can->avx512bw && can->avx512vnni;
}

static bool has_armv8_2(const struct kernels_can *can)
{
    return can->dotprod && can->fp16 && can->atomics;
}

/* The names and what the compiler was told stand in tools/llama. */
static const struct {
    enum kernels_kind kind;
    const char *name;
    bool (*runs)(const struct kernels_can *can);
} builds[] = {
    {KERNELS_X86, "x86_64_v4", has_v4}, {KERNELS_X86, "x86_64_v3", has_v3},
    {KERNELS_X86, "x86_64", always},    {KERNELS_ARM, "armv8_2", has_armv8_2},
    {KERNELS_ARM, "armv8", always},
};

/* The best that is not better than `most`; an unknown name asks for nothing. */
static const char *pick(enum kernels_kind kind, const struct kernels_can *can, const char *most)
{
    const char *best = NULL;
    for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++) {
        if (builds[i].kind != kind)
            continue;
        if (most && strcmp(builds[i].name, most) == 0)
            best = NULL; /* those before it are better than what was asked for */
        if (!best && builds[i].runs(can))
            best = builds[i].name;
    }
    return best;
}

const char *kernels_best(enum kernels_kind kind, const struct kernels_can *can)
{
    return pick(kind, can, NULL);
}

#if HAVE_KERNELS

#include <ggml-cpu.h>

#if defined(__x86_64__)

#include <cpuid.h>

#define KIND KERNELS_X86
ggml_backend_reg_t ggml_backend_cpu_reg_x86_64(void);
ggml_backend_reg_t ggml_backend_cpu_reg_x86_64_v3(void);
ggml_backend_reg_t ggml_backend_cpu_reg_x86_64_v4(void);

static const struct {
    const char *name;
    ggml_backend_reg_t (*reg)(void);
} regs[] = {
    {"x86_64_v4", ggml_backend_cpu_reg_x86_64_v4},
    {"x86_64_v3", ggml_backend_cpu_reg_x86_64_v3},
    {"x86_64", ggml_backend_cpu_reg_x86_64},
};

/* The registers that the system keeps when it changes threads (XCR0). */
static unsigned kept_registers(void)
{
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Intel's manual, volume 2A, CPUID: leaf 1 and leaf 7. */
static struct kernels_can ask(void)
{
    struct kernels_can can = {0};
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return can;
    can.sse42 = c & bit_SSE4_2;
    unsigned kept = c & bit_OSXSAVE ? kept_registers() : 0;
    bool ymm = (kept & 0x06) == 0x06, zmm = (kept & 0xE6) == 0xE6;
    can.avx = ymm && (c & bit_AVX);
    can.fma = ymm && (c & bit_FMA);
    can.f16c = ymm && (c & bit_F16C);
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return can;
    can.avx2 = ymm && (b & bit_AVX2);
    can.bmi2 = b & bit_BMI2;
    can.avx512f = zmm && (b & bit_AVX512F);
    can.avx512cd = zmm && (b & bit_AVX512CD);
    can.avx512vl = zmm && (b & bit_AVX512VL);
    can.avx512dq = zmm && (b & bit_AVX512DQ);
    can.avx512bw = zmm && (b & bit_AVX512BW);
    can.avx512vnni = zmm && (c & bit_AVX512VNNI);
    return can;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

#define KIND        KERNELS_ARM
/* Linux's <asm/hwcap.h> of arm64. */
#define CAN_ATOMICS (1UL << 8)
#define CAN_FPHP    (1UL << 9)
#define CAN_ASIMDHP (1UL << 10)
#define CAN_ASIMDDP (1UL << 20)
ggml_backend_reg_t ggml_backend_cpu_reg_armv8(void);
ggml_backend_reg_t ggml_backend_cpu_reg_armv8_2(void);

static const struct {
    const char *name;
    ggml_backend_reg_t (*reg)(void);
} regs[] = {
    {"armv8_2", ggml_backend_cpu_reg_armv8_2},
    {"armv8", ggml_backend_cpu_reg_armv8},
};

static struct kernels_can ask(void)
{
    unsigned long can = getauxval(AT_HWCAP);
    return (struct kernels_can){.dotprod = can & CAN_ASIMDDP,
                                .fp16 = (can & CAN_FPHP) && (can & CAN_ASIMDHP),
                                .atomics = can & CAN_ATOMICS};
}

#else
#error "no builds of the kernels are known for this processor"
#endif

const char *kernels_name(void)
{
    struct kernels_can can = ask();
    return pick(KIND, &can, getenv("YICHENG_KERNELS"));
}

/* In the place of ggml's own: what registers the processor gets the build that it can run. */
ggml_backend_reg_t ggml_backend_cpu_reg(void)
{
    const char *name = kernels_name();
    size_t i = 0;
    while (i + 1 < sizeof regs / sizeof regs[0] && strcmp(regs[i].name, name) != 0)
        i++;
    return regs[i].reg();
}

#else

const char *kernels_name(void)
{
    return "native";
}

#endif
