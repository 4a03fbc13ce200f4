/* preference_check: pairs that teach what they should. */
#include <math.h>

#include "data/talk.h"
#include "data/text.h"

enum { SHORTEST, LONGER, MARGIN };
static const struct data_param params[] = {
    [SHORTEST] = {"shortest", DATA_INTEGER, 0, 1e6, 1, NULL, "characters",
                  "Both answers have at least so many", "两个回答的最少字数"},
    [LONGER] =
        {"most_ratio", DATA_NUMBER, 1, 1e6, 10, NULL, "",
         "The longer answer has at most so many times the characters of the shorter: a model "
         "would learn the length",
         "较长回答不超过较短回答的倍数，避免模型只学到长度"},
    [MARGIN] = {"chosen_longer", DATA_CHOICE, 0, 0, 0, "any|never_twice", "",
                "never_twice also drops a chosen answer of more than twice the rejected one",
                "never_twice 同时丢弃优选回答超过拒选回答两倍长的对"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str chosen = str_trim_space(talk_text(record, STR("chosen"), true)),
               rejected = str_trim_space(talk_text(record, STR("rejected"), true)),
               prompt = str_trim_space(talk_text(record, STR("prompt"), true));
    double a = (double)text_length(chosen), b = (double)text_length(rejected);
    double longer = a > b ? a : b, shorter = a > b ? b : a;
    (void)why;
    if (!prompt.len)
        data_drop(out, "it has no prompt");
    else if (shorter < call->args[SHORTEST].number)
        data_drop(out, "an answer has %.0f characters", shorter);
    else if (str_eq(chosen, rejected))
        data_drop(out, "both answers are the same");
    else if (str_eq(chosen, prompt))
        data_drop(out, "the chosen answer is the prompt");
    else if (longer > shorter * call->args[LONGER].number)
        data_drop(out, "the answers have %.0f and %.0f characters", a, b);
    else if (call->args[MARGIN].number > 0 && a > 2 * b)
        data_drop(out, "the chosen answer is %.1f times as long", b > 0 ? a / b : a);
    return ERR_OK;
}

const struct data_op data_op_preference_check = {
    .name = "preference_check",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop preference pairs with equal, empty or copied answers or lopsided lengths",
    .summary_zh = "丢弃回答相同、为空、照抄提示或长度悬殊的偏好对",
    .source = "length bias of preferences: Singhal et al. 2023, arXiv:2310.03716; limits are ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_PREFERENCE),
    .gives = DATA_SAME_KIND,
    .record = record,
};
