/* ngram_repetition: how much of a text is made of n-grams that came before in it. */
#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "data/op.h"
#include "data/shingles.h"
#include "data/text.h"

enum { N = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 0.5, ""),
    [N] = {"n", DATA_INTEGER, 2, 50, 10, NULL, "characters", "Length of an n-gram", "n 元组的长度"},
};

#define MOST_LOOKED ((size_t)1 << 20) /* characters: of a longer text its beginning */

/* Whether the hash is in the set already; puts it in. 0 stands for an empty place. */
static bool seen(uint64_t *set, size_t mask, uint64_t h)
{
    h += h == 0;
    for (size_t i = h & mask;; i = (i + 1) & mask) {
        if (set[i] == h)
            return true;
        if (!set[i]) {
            set[i] = h;
            return false;
        }
    }
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    size_t n = (size_t)call->args[N].number, n_chars = text_length(in), cap = 16;
    *out = NAN;
    if (n_chars < n)
        return ERR_OK;
    if (n_chars > MOST_LOOKED)
        n_chars = MOST_LOOKED;
    while (cap < n_chars * 2)
        cap *= 2;
    uint64_t *set = arena_array(call->arena, uint64_t, cap);
    uint32_t *chars = arena_grow(call->arena, NULL, 0, (n_chars + 1) * sizeof *chars);
    uint64_t *grams = arena_grow(call->arena, NULL, 0, (n_chars + 1) * sizeof *grams);
    if (!set || !chars || !grams)
        return err_set(why, ERR_NO_MEMORY, "could not count the n-grams of a text");
    for (size_t i = 0, k = 0; i < in.len && k < n_chars; k++)
        chars[k] = text_next(in, &i);
    size_t n_grams = shingles_roll(chars, n_chars, n, grams);
    size_t again = 0, covered = 0; /* characters before `covered` are counted already */
    for (size_t i = 0; i < n_grams; i++) {
        if (!seen(set, cap - 1, grams[i]))
            continue;
        size_t from = i > covered ? i : covered;
        again += i + n - from;
        covered = i + n;
    }
    *out = (double)again / (double)n_chars;
    return ERR_OK;
}

const struct data_op data_op_ngram_repetition = {
    .name = "ngram_repetition",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records of which too much stands in n-grams that repeat",
    .summary_zh = "丢弃 n 元组重复过多的记录",
    .source = "Gopher repetition removal, Rae et al. 2021, arXiv:2112.11446 table A1, over "
              "characters for Chinese as character_repetition_filter of Data-Juicer",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
