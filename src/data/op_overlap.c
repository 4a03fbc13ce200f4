/* overlap: how much of one text of a record stands in another: answers that repeat the question. */
#include <math.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/hash.h"
#include "data/talk.h"
#include "data/text.h"

enum { FIRST, SECOND, SHARE, LEAST, MOST };
static const struct data_param params[] = {
    [FIRST] = {"first", DATA_STRING, 0, 200, 0, "question", "",
               "Path of the one text; in conversations also user, assistant, system",
               "第一段文字的字段路径；对话可写 user、assistant、system"},
    [SECOND] = {"second", DATA_STRING, 0, 200, 0, "answer", "", "Path of the other",
                "第二段文字的字段路径"},
    [SHARE] = {"share", DATA_CHOICE, 0, 0, 0, "of_second|of_first|of_both", "",
               "Of the pairs of neighbouring characters of which text; of_both: Jaccard",
               "占哪段文字相邻字对的比例，of_both 为 Jaccard 相似度"},
    [LEAST] = {"least", DATA_NUMBER, 0, 1, 0, NULL, "", "Drop what is below", "低于此值则丢弃"},
    [MOST] = {"most", DATA_NUMBER, 0, 1, 0.8, NULL, "", "Drop what is above", "高于此值则丢弃"},
};

#define MOST_LOOKED 65536 /* pairs of a text */

struct pairs {
    uint64_t *items; /* ascending, each once */
    size_t n;
};

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool pairs_of(struct str s, struct arena *arena, struct pairs *out)
{
    size_t most = s.len < MOST_LOOKED ? s.len + 1 : MOST_LOOKED, n = 0, k = 0;
    uint32_t before = 0;
    out->items = arena_array(arena, uint64_t, most);
    if (!out->items)
        return false;
    for (size_t i = 0; i < s.len && n < most;) {
        uint32_t c = text_next(s, &i);
        if (text_class(c) > TEXT_DIGIT)
            continue;
        c = c >= 'A' && c <= 'Z' ? c | 32 : c;
        out->items[n++] = (uint64_t)before << 32 | c;
        before = c;
    }
    if (n)
        qsort(out->items, n, sizeof *out->items, compare);
    for (size_t i = 0; i < n; i++)
        if (!i || out->items[i] != out->items[k - 1])
            out->items[k++] = out->items[i];
    out->n = k;
    return true;
}

static size_t shared(const struct pairs *a, const struct pairs *b)
{
    size_t n = 0;
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        n += a->items[i] == b->items[k];
        if (a->items[i] <= b->items[k])
            i += 1, k += a->items[i - 1] == b->items[k];
        else
            k++;
    }
    return n;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct pairs a, b;
    struct str first = talk_text(record, call->args[FIRST].text, true),
               second = talk_text(record, call->args[SECOND].text, true);
    if (!first.ptr || !second.ptr)
        return err_set(why, ERR_INVALID, "the record has no text at \"%.*s\"",
                       STR_FMT(call->args[first.ptr ? SECOND : FIRST].text));
    if (!pairs_of(first, call->arena, &a) || !pairs_of(second, call->arena, &b))
        return err_set(why, ERR_NO_MEMORY, "could not compare two texts");
    size_t both = shared(&a, &b);
    int share = (int)call->args[SHARE].number;
    size_t of = share == 0 ? b.n : share == 1 ? a.n : a.n + b.n - both;
    double value = of ? (double)both / (double)of : 0;
    if (value < call->args[LEAST].number || value > call->args[MOST].number)
        data_drop(out, "%.3f of the text is in the other", value);
    return ERR_OK;
}

const struct data_op data_op_overlap = {
    .name = "overlap",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records of which one text repeats another, or has nothing to do with it",
    .summary_zh = "按两段文字的重合程度过滤，如答案照抄问题",
    .source = "character bigram containment, Broder 1997, doi:10.1109/SEQUEN.1997.666900",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .record = record,
};
