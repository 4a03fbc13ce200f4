/* exact_dedup: of records with the same text the first stays. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { SAME };
static const struct data_param params[] = {
    [SAME] = {"same", DATA_CHOICE, 0, 0, 0, "text|words", "",
              "text: byte for byte; words: Han, letters and digits alone, width and case folded",
              "text 逐字节相同；words 只比较汉字、字母、数字，忽略全半角和大小写"},
};

/* 128 bits: among 10^9 records two that differ meet with a chance of 10^-21. */
static void digest(struct str s, char out[16])
{
    uint64_t h[2] = {hash64(s.ptr, s.len, 0x9E3779B97F4A7C15u), hash64(s.ptr, s.len, 2)};
    memcpy(out, h, 16);
}

static struct str words_of(struct str in, struct arena *arena)
{
    char *out = arena_bytes(arena, in.len + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < in.len;) {
        uint32_t c = utf8_halfwidth(text_next(in, &i));
        if (text_class(c) > TEXT_DIGIT)
            continue;
        n += utf8_put(out + n, c >= 'A' && c <= 'Z' ? c | 32 : c);
    }
    return (struct str){out, out ? n : 0};
}

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    char bytes[16];
    struct str all = data_all_texts(call, record);
    if (all.ptr && call->args[SAME].number > 0)
        all = words_of(all, call->arena);
    if (!all.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the texts of a record");
    digest(all, bytes);
    buf_add(note, (struct str){bytes, sizeof bytes});
    return ERR_OK;
}

/* Open addressing over the notes' own bytes: number of the first record with this digest + 1. */
static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    struct place {
        uint64_t h[2];
    } * table;
    size_t cap = 1024;
    enum err err = ERR_OK;
    (void)args, (void)made;
    while (cap < whole->n + whole->n / 2)
        cap *= 2;
    if (cap * sizeof *table > whole->memory)
        return err_set(why, ERR_TOO_LARGE, "%llu records need more memory than a run may have",
                       (unsigned long long)whole->n);
    table = calloc(cap, sizeof *table);
    if (!table)
        return err_set(why, ERR_NO_MEMORY, "could not hold the digests");
    for (uint64_t i = 0; !err && i < whole->n; i++) {
        struct place p;
        memcpy(&p, data_note(whole, i).ptr, sizeof p);
        p.h[0] += p.h[0] == 0; /* 0 is an empty place */
        size_t at = p.h[0] & (cap - 1);
        while (table[at].h[0] && (table[at].h[0] != p.h[0] || table[at].h[1] != p.h[1]))
            at = (at + 1) & (cap - 1);
        bool again = table[at].h[0] != 0;
        table[at] = p;
        if (i % 4096 == 0 && data_whole_cancelled(whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
        if (!err)
            err = data_verdict(whole, again ? STR("d") : STR(""), why);
    }
    free(table);
    return err;
}

const struct data_op data_op_exact_dedup = {
    .name = "exact_dedup",
    .version = 1,
    .group = DATA_DEDUP,
    .summary = "Keep the first of all records that have the same text",
    .summary_zh = "文本相同的记录只保留第一条",
    .source =
        "exact document deduplication as in Lee et al. 2022, arXiv:2107.06499; by 128-bit digests",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .note_bytes = 16,
    .note = note,
    .decide = decide,
    .drops = "the same text came before",
};
