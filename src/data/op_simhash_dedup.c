/* simhash_dedup: near duplicates by 64-bit fingerprints a few bits apart. */
#include <string.h>

#include "core/arena.h"
#include "data/near.h"
#include "data/shingles.h"

enum { DISTANCE = NEAR_OWN, N, SAME };
static const struct data_param params[] = {
    NEAR_PARAMS,
    [DISTANCE] = {"distance", DATA_INTEGER, 0, 6, 3, NULL, "bits",
                  "Fingerprints that differ in at most so many bits are alike",
                  "指纹相差不超过这么多位即视为近似重复"},
    [N] = {"n", DATA_INTEGER, 1, 50, 4, NULL, "characters", "Length of a shingle",
           "字符片段的长度"},
    [SAME] = {"same", DATA_CHOICE, 0, 0, 0, "words|text", "",
              "words: Han, letters and digits alone, width and case folded; text: every character",
              "words 只比较汉字、字母、数字，忽略全半角和大小写；text 比较全部字符"},
};

#define WINDOW 4096 /* so many before it in a group are compared: groups are small */

/* A note: the rank, the fingerprint, and how many shingles it was made of. */
struct mark {
    uint64_t rank, print, n;
};

static enum err prepare(const struct data_prepare *prepare, const void **made, struct why *why)
{
    *made = NULL;
    return near_check(prepare->args, why);
}

/* Votes of a byte's eight bits at once: byte lanes of one word each hold a count up to 255. */
static uint64_t fingerprint(const struct shingles *s)
{
    int64_t votes[64] = {0};
    uint64_t print = 0;
    for (size_t i = 0; i < s->n;) {
        uint64_t lanes[8] = {0}, ones = 0x0101010101010101u;
        size_t end = i + 255 < s->n ? i + 255 : s->n;
        for (; i < end; i++)
            for (int k = 0; k < 8; k++)
                lanes[k] += s->items[i] >> k & ones;
        for (int bit = 0; bit < 64; bit++)
            votes[bit] += (int64_t)(lanes[bit % 8] >> (bit / 8 * 8) & 0xFF);
    }
    for (int bit = 0; bit < 64; bit++)
        print |= (uint64_t)(2 * votes[bit] > (int64_t)s->n) << bit;
    return print;
}

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct shingles s = {0};
    struct str all = data_all_texts(call, record);
    enum err err = all.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not join the texts");
    if (!err)
        err = shingles_of(all, (size_t)call->args[N].number, call->args[SAME].number < 1,
                          call->arena, &s, why);
    if (err)
        return err;
    struct mark mark = {near_rank(call, record, s.n_chars), fingerprint(&s), s.n};
    buf_add(note, (struct str){(const char *)&mark, sizeof mark});
    return ERR_OK;
}

static struct mark mark_of(struct str note)
{
    struct mark mark;
    memcpy(&mark, note.ptr, sizeof mark);
    return mark;
}

static uint64_t rank_of(struct str note)
{
    return mark_of(note).rank;
}

struct job {
    const struct data_whole *whole;
    int distance;
};

static enum err same(void *ctx, void *own, uint64_t a, uint64_t b, bool *out, struct why *why)
{
    const struct job *job = ctx;
    (void)own, (void)why;
    uint64_t x = mark_of(data_note(job->whole, a)).print;
    uint64_t y = mark_of(data_note(job->whole, b)).print;
    *out = __builtin_popcountll(x ^ y) <= job->distance;
    return ERR_OK;
}

/*
 * The bits are cut into `distance + m` blocks. Two prints that differ in at most `distance` bits
 * agree in at least m blocks, so a table for every choice of m blocks finds them: Manku, Jain, Das
 * Sarma 2007. More blocks give longer keys and more tables: as many as the number of records asks.
 */
#define MOST_BLOCKS 12
struct tables {
    int n_blocks, m;
    uint64_t blocks[MOST_BLOCKS];
};

static struct tables plan_tables(int distance, uint64_t n)
{
    struct tables t = {.m = 1};
    int bits = 0;
    while (bits < 40 && n >> bits)
        bits++;
    while (t.m < 3 && 64 * t.m / (distance + t.m) < bits - 4)
        t.m++;
    t.n_blocks = distance + t.m;
    for (int i = 0; i < t.n_blocks; i++) {
        int from = 64 * i / t.n_blocks, to = 64 * (i + 1) / t.n_blocks;
        t.blocks[i] = ~0ull >> (64 - (to - from)) << from; /* a block has 1 to 64 bits */
    }
    return t;
}

/* The masks of all choices of m blocks. */
static size_t masks_of(const struct tables *t, uint64_t masks[])
{
    size_t n = 0;
    for (unsigned choice = 0; choice < 1u << t->n_blocks; choice++) {
        uint64_t mask = 0;
        if (__builtin_popcount(choice) != t->m)
            continue;
        for (int i = 0; i < t->n_blocks; i++)
            mask |= choice >> i & 1 ? t->blocks[i] : 0;
        masks[n++] = mask;
    }
    return n;
}

static uint32_t key_of(uint64_t print)
{
    print *= 0x9E3779B97F4A7C15u;
    return (uint32_t)((print ^ print >> 29) * 0xBF58476D1CE4E5B9u >> 32);
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    struct job job = {whole, (int)args[DISTANCE].number};
    struct near_compare compare = {.same = same, .ctx = &job, .window = WINDOW};
    struct tables t = plan_tables(job.distance, whole->n);
    uint64_t masks[1 << MOST_BLOCKS];
    size_t n = masks_of(&t, masks);
    struct near *near = NULL;
    struct data_note_at at = {0};
    struct str bytes;
    (void)made;
    enum err err = near_new(whole, whole->n * n, &near, why);
    for (uint64_t i = 0; !err && data_note_next(whole, &at, &bytes); i++) {
        struct mark mark = mark_of(bytes);
        for (size_t k = 0; !err && mark.n && k < n; k++)
            err = near_put(near, (uint32_t)k, key_of(mark.print & masks[k]), i, why);
        if (i % 4096 == 0 && !err && data_whole_cancelled(whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    if (!err)
        err = near_join(near, &compare, why);
    if (!err)
        err = near_verdicts(near, args, rank_of, why);
    near_free(near);
    return err;
}

const struct data_op data_op_simhash_dedup = {
    .name = "simhash_dedup",
    .version = 1,
    .group = DATA_DEDUP,
    .summary = "Of records that are nearly the same one stays, found by 64-bit fingerprints",
    .summary_zh = "近似重复的记录只保留一条（SimHash 64 位指纹，海明距离不超过给定位数）",
    .source =
        "SimHash: Charikar 2002, doi:10.1145/509907.509965; tables of blocks: Manku, Jain and "
        "Das Sarma 2007, doi:10.1145/1242572.1242592",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .note_bytes = sizeof(struct mark),
    .note = note,
    .decide = decide,
    .apply = near_apply,
};
