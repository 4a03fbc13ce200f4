/* minhash_dedup: near duplicates by MinHash and bands of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "data/near.h"
#include "data/shingles.h"

enum { THRESHOLD = NEAR_OWN, N, SAME, PERMUTATIONS, VERIFY };
static const struct data_param params[] = {
    NEAR_PARAMS,
    [THRESHOLD] = {"threshold", DATA_NUMBER, 0.3, 0.99, 0.8, NULL, "",
                   "Jaccard similarity of the shingles from which two are alike",
                   "两条记录字符片段集合的 Jaccard 相似度达到此值即视为近似重复"},
    [N] = {"n", DATA_INTEGER, 1, 50, 5, NULL, "characters", "Length of a shingle",
           "字符片段的长度"},
    [SAME] = {"same", DATA_CHOICE, 0, 0, 0, "words|text", "",
              "words: Han, letters and digits alone, width and case folded; text: every character",
              "words 只比较汉字、字母、数字，忽略全半角和大小写；text 比较全部字符"},
    [PERMUTATIONS] = {"permutations", DATA_INTEGER, 16, 1024, 128, NULL, "",
                      "Hash functions; more find and tell more surely, at their price",
                      "哈希函数个数，越多越准，也越慢"},
    [VERIFY] = {"verify", DATA_CHOICE, 0, 0, 0, "exact|estimate", "",
                "exact: pairs whose estimate is near the threshold are compared shingle by shingle",
                "exact 对估计值接近阈值的候选逐片段核实；estimate 只看估计值"},
};

/* The chance that two texts at the threshold have a band in common is to be at least this. */
#define FOUND 0.995
/* Beyond so many standard deviations the estimate is believed. */
#define SURE 3.5
/* Of a group with the same band, how many before are compared. */
#define WINDOW     32
#define MOST_BANDS 1024
#define LANES      32 /* hash functions worked on together */

struct plan {
    size_t n_functions, n_bands, n_rows;
    uint32_t *factor, *add; /* n_functions, and then up to whole LANES */
};

/* A note: rank (8), number of shingles (4), keys of the bands (4 each), a byte of each minimum. */
#define HEAD 12

static void plan_bands(double threshold, size_t n_functions, struct plan *plan)
{
    plan->n_rows = 1;
    for (size_t r = 1; r <= n_functions; r++) {
        size_t n_bands = n_functions / r;
        double missed = pow(1 - pow(threshold, (double)r), (double)n_bands);
        if (1 - missed >= FOUND)
            plan->n_rows = r;
    }
    plan->n_functions = n_functions;
    plan->n_bands = n_functions / plan->n_rows;
}

static size_t note_size(const struct data_arg *args)
{
    struct plan plan;
    plan_bands(args[THRESHOLD].number, (size_t)args[PERMUTATIONS].number, &plan);
    return HEAD + 4 * plan.n_bands + plan.n_functions;
}

static enum err prepare(const struct data_prepare *prepare, const void **made, struct why *why)
{
    struct plan *plan = arena_one(prepare->arena, struct plan);
    enum err err = near_check(prepare->args, why);
    if (err)
        return err;
    if (plan) {
        plan_bands(prepare->args[THRESHOLD].number, (size_t)prepare->args[PERMUTATIONS].number,
                   plan);
        size_t n = (plan->n_functions + LANES - 1) / LANES * LANES;
        plan->factor = arena_array(prepare->arena, uint32_t, n);
        plan->add = arena_array(prepare->arena, uint32_t, n);
        for (uint64_t i = 0; plan->factor && plan->add && i < n; i++) {
            plan->factor[i] = (uint32_t)hash64(&i, sizeof i, 1) | 1;
            plan->add[i] = (uint32_t)hash64(&i, sizeof i, 2);
        }
    }
    *made = plan;
    return plan && plan->factor && plan->add ? ERR_OK
                                             : err_set(why, ERR_NO_MEMORY, "could not prepare");
}

/* ---- signatures ---- */

/* The least of (factor * h + add) mod 2^32 over all shingles, for LANES functions. */
static inline __attribute__((always_inline)) void lowest_of(const uint64_t *items, size_t n,
                                                            const uint32_t *factor,
                                                            const uint32_t *add, uint32_t *out)
{
    uint32_t least[LANES];
    for (int k = 0; k < LANES; k++)
        least[k] = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)(items[i] >> 32);
        for (int k = 0; k < LANES; k++) {
            uint32_t v = factor[k] * h + add[k];
            least[k] = v < least[k] ? v : least[k];
        }
    }
    memcpy(out, least, sizeof least);
}

static void lowest_plain(const uint64_t *items, size_t n, const uint32_t *factor,
                         const uint32_t *add, uint32_t *out)
{
    lowest_of(items, n, factor, add, out);
}

#if defined __x86_64__
__attribute__((target("avx2"))) static void lowest_avx2(const uint64_t *items, size_t n,
                                                        const uint32_t *factor, const uint32_t *add,
                                                        uint32_t *out)
{
    lowest_of(items, n, factor, add, out);
}
#endif

static void lowest(const uint64_t *items, size_t n, const struct plan *plan, uint32_t *out)
{
    for (size_t k = 0; k < plan->n_functions; k += LANES) {
#if defined __x86_64__
        if (__builtin_cpu_supports("avx2")) {
            lowest_avx2(items, n, plan->factor + k, plan->add + k, out + k);
            continue;
        }
#endif
        lowest_plain(items, n, plan->factor + k, plan->add + k, out + k);
    }
}

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    const struct plan *plan = call->made;
    uint32_t least[1024 + LANES];
    struct shingles s = {0};
    struct str all = data_all_texts(call, record);
    enum err err = all.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not join the texts");
    if (!err)
        err = shingles_of(all, (size_t)call->args[N].number, call->args[SAME].number < 1,
                          call->arena, &s, why);
    if (err)
        return err;
    uint64_t rank = near_rank(call, record, s.n_chars);
    uint32_t n = (uint32_t)s.n;
    char *room = buf_room(note, HEAD + 4 * plan->n_bands + plan->n_functions);
    if (!room)
        return buf_err(note, why);
    lowest(s.items, s.n, plan, least);
    buf_add(note, (struct str){(const char *)&rank, 8});
    buf_add(note, (struct str){(const char *)&n, 4});
    for (size_t b = 0; b < plan->n_bands; b++) {
        uint32_t key = (uint32_t)hash64(&least[b * plan->n_rows], plan->n_rows * 4, b);
        buf_add(note, (struct str){(const char *)&key, 4});
    }
    for (size_t k = 0; k < plan->n_functions; k++)
        buf_char(note, (char)(least[k] >> 24 ^ least[k]));
    return ERR_OK;
}

/* ---- comparing ---- */

struct job {
    const struct data_whole *whole;
    const struct plan *plan;
    double threshold, unsure; /* estimates within threshold +- unsure are looked at */
    size_t n;
    bool words;
};

#define KEPT 16
#define LONG ((size_t)1 << 20) /* of a text: others are not kept beside it */

/* What one thread keeps: sets of shingles that were read lately; the last is of the later record of
 * a pair, which is compared with many. */
struct own {
    struct kept {
        struct arena *arena;
        uint64_t number; /* of the record; UINT64_MAX: none */
        struct shingles set;
    } kept[KEPT + 1];
};

static void end(void *ctx)
{
    struct own *own = ctx;
    for (int i = 0; i <= KEPT; i++)
        arena_free(own->kept[i].arena);
    free(own);
}

static void *begin(void *ctx)
{
    struct own *own = calloc(1, sizeof *own);
    (void)ctx;
    for (int i = 0; own && i <= KEPT; i++) {
        own->kept[i].arena = arena_new((size_t)512 << 20);
        own->kept[i].number = UINT64_MAX;
        if (!own->kept[i].arena) {
            end(own);
            return NULL;
        }
    }
    return own;
}

static void forget(struct kept *kept)
{
    kept->number = UINT64_MAX;
    arena_reset(kept->arena);
}

static enum err set_of(const struct job *job, struct own *own, size_t k, uint64_t i,
                       const struct shingles **out, struct why *why)
{
    struct kept *kept = &own->kept[k];
    struct str text;
    *out = &kept->set;
    if (kept->number == i)
        return ERR_OK;
    forget(kept);
    enum err err = data_whole_text(job->whole, i, kept->arena, NULL, &text, why);
    for (size_t o = 0; !err && text.len > LONG && o < KEPT; o++)
        if (o != k)
            forget(&own->kept[o]);
    if (!err)
        err = shingles_of(text, job->n, job->words, kept->arena, &kept->set, why);
    if (err)
        return err;
    shingles_sort(&kept->set);
    kept->number = i;
    return ERR_OK;
}

/* Two bytes of different minima are equal once in 256: Li and Koenig 2010, b-bit minwise hashing.
 */
static double estimate(const struct plan *plan, struct str a, struct str b)
{
    const char *x = a.ptr + HEAD + 4 * plan->n_bands, *y = b.ptr + HEAD + 4 * plan->n_bands;
    unsigned equal = 0;
    for (size_t k = 0; k < plan->n_functions; k++)
        equal += x[k] == y[k];
    return ((double)equal / (double)plan->n_functions - 1.0 / 256) / (1 - 1.0 / 256);
}

static enum err same(void *ctx, void *thread, uint64_t a, uint64_t b, bool *out, struct why *why)
{
    const struct job *job = ctx;
    struct own *own = thread;
    double j = estimate(job->plan, data_note(job->whole, a), data_note(job->whole, b));
    const struct shingles *x, *y;
    if (fabs(j - job->threshold) < job->unsure) {
        enum err err = set_of(job, own, a % KEPT, a, &x, why);
        if (!err)
            err = set_of(job, own, KEPT, b, &y, why);
        if (err)
            return err;
        j = shingles_jaccard(x, y);
    }
    *out = j >= job->threshold;
    return ERR_OK;
}

static uint64_t rank_of(struct str note)
{
    uint64_t rank;
    memcpy(&rank, note.ptr, sizeof rank);
    return rank;
}

static enum err put_keys(const struct data_whole *whole, const struct plan *plan, struct near *near,
                         struct why *why)
{
    struct data_note_at at = {0};
    struct str note;
    enum err err = ERR_OK;
    for (uint64_t i = 0; !err && data_note_next(whole, &at, &note); i++) {
        uint32_t n, key;
        memcpy(&n, note.ptr + 8, sizeof n);
        for (size_t b = 0; !err && n && b < plan->n_bands; b++) {
            memcpy(&key, note.ptr + HEAD + 4 * b, sizeof key);
            err = near_put(near, (uint32_t)b, key, i, why);
        }
        if (i % 4096 == 0 && !err && data_whole_cancelled(whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    return err;
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    const struct plan *plan = made;
    double t = args[THRESHOLD].number;
    struct job job = {.whole = whole,
                      .plan = plan,
                      .threshold = t,
                      .unsure = args[VERIFY].number > 0
                                    ? 0
                                    : SURE * sqrt(t * (1 - t) / (double)plan->n_functions) + 0.01,
                      .n = (size_t)args[N].number,
                      .words = args[SAME].number < 1};
    struct near_compare compare = {same, begin, end, &job, WINDOW};
    struct near *near = NULL;
    enum err err = near_new(whole, whole->n * plan->n_bands, &near, why);
    if (!err)
        err = put_keys(whole, plan, near, why);
    if (!err)
        err = near_join(near, &compare, why);
    if (!err)
        err = near_verdicts(near, args, rank_of, why);
    near_free(near);
    return err;
}

const struct data_op data_op_minhash_dedup = {
    .name = "minhash_dedup",
    .version = 1,
    .group = DATA_DEDUP,
    .summary = "Of records that are nearly the same one stays, found by MinHash and bands",
    .summary_zh = "近似重复的记录只保留一条（MinHash-LSH 找候选，核实相似度，并查集成簇）",
    .source =
        "MinHash: Broder 1997, doi:10.1109/SEQUEN.1997.666900; bands: Leskovec et al., Mining "
        "of Massive Datasets, ch. 3; b-bit: Li and Koenig 2010, arXiv:0910.3349; candidates "
        "verified exactly near the threshold: ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .note_size = note_size,
    .note = note,
    .decide = decide,
    .apply = near_apply,
};
