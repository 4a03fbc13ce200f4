/* words: how many words a text has, how long and how varied they are. */
#include <math.h>

#include "core/arena.h"
#include "core/hash.h"
#include "data/op.h"
#include "data/text.h"

enum { WHICH = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1e9, 0, 1e9, ""),
    [WHICH] = {"which", DATA_CHOICE, 0, 0, 0, "count|mean_length|unique", "",
               "count; mean length of words of letters; share of words that are said only once "
               "over again (of Han, pairs of neighbours)",
               "词数、字母词平均长度、不重复词占比（汉字按相邻两字计）"},
};

#define MOST_LOOKED ((size_t)1 << 18) /* words, for "unique" */

struct words {
    size_t n, letters, of_letters; /* words; letters in words of letters; how many such words */
    uint64_t *set;                 /* for "unique"; NULL: not asked */
    size_t cap, distinct;
};

static void put(struct words *w, uint64_t h)
{
    if (!w->set || w->n > MOST_LOOKED)
        return;
    h += h == 0;
    for (size_t i = h & (w->cap - 1);; i = (i + 1) & (w->cap - 1)) {
        if (w->set[i] == h)
            return;
        if (!w->set[i]) {
            w->set[i] = h;
            w->distinct++;
            return;
        }
    }
}

/* A word is a run of letters and digits, or a Han character with the one behind it. */
static void walk(struct words *w, struct str in)
{
    for (size_t i = 0; i < in.len;) {
        size_t at = i, n = 0;
        enum text_class class = text_class(text_next(in, &i));
        if (class == TEXT_HAN) {
            size_t next = i;
            if (next < in.len && text_class(text_next(in, &next)) == TEXT_HAN) {
                w->n++;
                put(w, hash64(in.ptr + at, next - at, 1));
            }
            continue;
        }
        if (class != TEXT_LETTER && class != TEXT_DIGIT)
            continue;
        for (n = 1; i < in.len; n++) {
            size_t next = i;
            enum text_class then = text_class(text_next(in, &next));
            if (then != TEXT_LETTER && then != TEXT_DIGIT)
                break;
            i = next;
        }
        w->n++;
        put(w, hash64(in.ptr + at, i - at, 2));
        if (class == TEXT_LETTER) {
            w->letters += n;
            w->of_letters++;
        }
    }
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    struct words w = {.cap = 64};
    int which = (int)call->args[WHICH].number;
    if (which == 2) {
        while (w.cap < 2 * (in.len < MOST_LOOKED ? in.len : MOST_LOOKED))
            w.cap *= 2;
        w.set = arena_array(call->arena, uint64_t, w.cap);
        if (!w.set)
            return err_set(why, ERR_NO_MEMORY, "could not count the words of a text");
    }
    walk(&w, in);
    size_t looked = w.n < MOST_LOOKED ? w.n : MOST_LOOKED;
    *out = which == 0   ? (double)w.n
           : which == 1 ? (w.of_letters ? (double)w.letters / (double)w.of_letters : NAN)
                        : (looked ? (double)w.distinct / (double)looked : NAN);
    return ERR_OK;
}

const struct data_op data_op_words = {
    .name = "words",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Keep records by the number, mean length or variety of their words",
    .summary_zh = "按词数、平均词长或用词丰富度过滤",
    .source = "Gopher quality rules, Rae et al. 2021, arXiv:2112.11446 app. A1.1; pairs of Han for "
              "words are ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
