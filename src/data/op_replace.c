/* replace: words by words. */
#include "core/arena.h"
#include "data/op.h"
#include "data/text.h"

enum { PAIRS };
static const struct data_param params[] = {
    [PAIRS] = {"pairs", DATA_STRINGS, 0, 1000, 0, NULL, "",
               "Each \"old=>new\"; at one place the first that fits is taken",
               "每项为“原文=>新文”，同一位置先匹配者优先"},
};

struct pairs {
    struct str *from, *to;
    size_t n;
    bool begins[256]; /* some `from` begins with this byte */
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct data_arg *arg = &p->args[PAIRS];
    struct pairs *pairs = arena_one(p->arena, struct pairs);
    if (!pairs || !(pairs->from = arena_array(p->arena, struct str, arg->n + 1)) ||
        !(pairs->to = arena_array(p->arena, struct str, arg->n + 1)))
        return err_set(why, ERR_NO_MEMORY, "could not hold the pairs");
    for (size_t i = 0; i < arg->n; i++) {
        size_t at = str_find(arg->list[i], STR("=>"));
        if (at == STR_NPOS || at == 0)
            return err_set(why, ERR_INVALID, "pair %zu is not \"old=>new\"", i + 1);
        pairs->from[i] = str_slice(arg->list[i], 0, at);
        pairs->to[i] = str_from(arg->list[i], at + 2);
        pairs->begins[(unsigned char)arg->list[i].ptr[0]] = true;
    }
    pairs->n = arg->n;
    *made = pairs;
    return ERR_OK;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    const struct pairs *pairs = call->made;
    struct text_edit edit;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        size_t k = pairs->n;
        if (pairs->begins[(unsigned char)in.ptr[i]])
            for (k = 0; k < pairs->n && !str_starts(str_from(in, i), pairs->from[k]); k++)
                ;
        if (k == pairs->n) {
            i++;
            continue;
        }
        text_edit_part(&edit, i, i + pairs->from[k].len);
        buf_add(&edit.buf, pairs->to[k]);
        i += pairs->from[k].len;
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_replace = {
    .name = "replace",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Replace given words by others",
    .summary_zh = "按词表替换文字",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .text = text,
};
