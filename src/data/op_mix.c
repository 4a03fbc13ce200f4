/* mix: several inputs in given proportions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "data/mix.h"
#include "data/op.h"
#include "data/pick.h"
#include "data/text.h"

enum { RATIOS, BY, CAP, TOTAL };
static const struct data_param params[] = {
    [RATIOS] = {"ratios", DATA_STRINGS, 0, 64, 0, NULL, "", "Each \"data set=weight\", all inputs",
                "每项为“数据集=权重”，须列出全部输入"},
    [BY] = {"by", DATA_CHOICE, 0, 0, 0, "characters|records|bytes", "", "What the ratios count",
            "比例的计量单位"},
    [CAP] = {"most_repeats", DATA_NUMBER, 1, 100, 1, NULL, "times",
             "So often may a record come at most", "单条记录最多重复次数"},
    [TOTAL] = {"total", DATA_NUMBER, 0, 1e15, 0, NULL, "",
               "Size of the whole, in what is counted; 0: as much as the inputs and the cap allow",
               "总量；0 表示在输入和重复上限内取最大"},
};

struct one {
    uint64_t number;
    uint32_t input, size;
};

struct weights {
    struct str *names;
    double *values;
    size_t n;
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct data_arg *arg = &p->args[RATIOS];
    struct weights *w = arena_one(p->arena, struct weights);
    if (!w || !(w->names = arena_array(p->arena, struct str, arg->n + 1)) ||
        !(w->values = arena_array(p->arena, double, arg->n + 1)))
        return err_set(why, ERR_NO_MEMORY, "could not hold the ratios");
    for (; w->n < arg->n; w->n++) {
        size_t at = str_find_char(arg->list[w->n], '=');
        if (at == STR_NPOS || !at ||
            !str_to_f64(str_from(arg->list[w->n], at + 1), &w->values[w->n]) ||
            !(w->values[w->n] > 0 && w->values[w->n] <= 1e9))
            return err_set(why, ERR_INVALID, "ratio %zu is not \"data set=weight\"", w->n + 1);
        w->names[w->n] = str_slice(arg->list[w->n], 0, at);
    }
    *made = w;
    return ERR_OK;
}

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct one one = {pick_number(call, record->id, 7 + call->input), (uint32_t)call->input, 1};
    int by = (int)call->args[BY].number;
    if (by != 1) {
        struct str all = data_all_texts(call, record);
        if (!all.ptr)
            return err_set(why, ERR_NO_MEMORY, "could not hold the texts of a record");
        one.size = (uint32_t)(by == 0 ? text_length(all) : all.len);
    }
    buf_add(note, (struct str){(const char *)&one, sizeof one});
    return ERR_OK;
}

static enum err find_weights(const struct data_whole *whole, const struct weights *w, double *out,
                             struct why *why)
{
    for (size_t i = 0; i < whole->n_inputs; i++) {
        out[i] = 0;
        for (size_t k = 0; k < w->n; k++)
            if (str_eq(w->names[k], whole->inputs[i]))
                out[i] = w->values[k];
        if (out[i] == 0)
            return err_set(why, ERR_INVALID, "\"ratios\" has no weight for the input \"%.*s\"",
                           STR_FMT(whole->inputs[i]));
    }
    return ERR_OK;
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    double weights[MIX_MOST], sizes[MIX_MOST] = {0}, times[MIX_MOST];
    enum err err = find_weights(whole, made, weights, why);
    struct one one;
    for (uint64_t i = 0; !err && i < whole->n; i++) {
        memcpy(&one, data_note(whole, i).ptr, sizeof one);
        sizes[one.input] += one.size;
    }
    if (!err)
        (void)mix_times(weights, sizes, whole->n_inputs, args[CAP].number, args[TOTAL].number,
                        times, NULL);
    for (uint64_t i = 0; !err && i < whole->n; i++) {
        memcpy(&one, data_note(whole, i).ptr, sizeof one);
        double chance = (double)(one.number >> 11) * 0x1p-53,
               whole_times = (double)(int)times[one.input];
        int copies = (int)whole_times + (chance < times[one.input] - whole_times);
        char text[16];
        int len = snprintf(text, sizeof text, "%d", copies);
        err = data_verdict(whole, copies == 1 ? STR("") : (struct str){text, (size_t)len}, why);
    }
    return err;
}

static enum err apply(const struct data_call *call, struct record *record, struct str verdict,
                      struct data_out *out, struct why *why)
{
    int64_t copies = 0;
    enum err err = ERR_OK;
    if (!str_to_i64(verdict, &copies))
        return err_set(why, ERR_CORRUPT, "a verdict is damaged");
    if (copies == 0) {
        data_drop(out, "not in the mixture");
        return ERR_OK;
    }
    for (int64_t i = 2; !err && i <= copies; i++) {
        struct record again = *record;
        again.members = arena_array(call->arena, struct record_member, record->cap + 1);
        struct str id = str_printf(call->arena, "%.*s~%lld", STR_FMT(record->id), (long long)i);
        if (!again.members || !id.ptr)
            return err_set(why, ERR_NO_MEMORY, "could not repeat a record");
        memcpy(again.members, record->members, record->n * sizeof *record->members);
        err = record_set_id(&again, id, why);
        if (!err)
            err = data_emit(out, &again, why);
    }
    return err;
}

const struct data_op data_op_mix = {
    .name = "mix",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Mix the inputs of the pipeline in given proportions, with a cap on repetition",
    .summary_zh = "按比例混合多个输入，限制重复次数",
    .source = "mixture weights by size as in the Pile, Gao et al. 2020, arXiv:2101.00027; up to 4 "
              "repetitions cost little, Muennighoff et al. 2023, arXiv:2305.16264",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .note_bytes = sizeof(struct one),
    .note = note,
    .decide = decide,
    .apply = apply,
};
