/* answer_check: questions and answers of a length to learn from, and not the same. */
#include "data/talk.h"
#include "data/text.h"

enum { QUESTION, ANSWER, LONGEST, WHOLE };
static const struct data_param params[] = {
    [QUESTION] = {"question", DATA_INTEGER, 0, 1e6, 4, NULL, "characters", "Shortest question",
                  "问题最少字数"},
    [ANSWER] = {"answer", DATA_INTEGER, 0, 1e6, 2, NULL, "characters", "Shortest answer",
                "回答最少字数"},
    [LONGEST] = {"longest", DATA_INTEGER, 1, 1e7, 20000, NULL, "characters", "Longest answer",
                 "回答最多字数"},
    [WHOLE] = {"whole", DATA_FLAG, 0, 0, 0, NULL, "",
               "Answers end like sentences: others were cut off",
               "要求回答以句末标点结束（否则视为被截断）"},
};

/* Letters, digits and Han: "？？？" asks nothing. */
static double words(struct str s)
{
    struct text_counts c = text_count(s);
    return (double)(c.of[TEXT_HAN] + c.of[TEXT_LETTER] + c.of[TEXT_DIGIT]);
}

static bool ends_well(struct str answer)
{
    struct str rest = answer, line = STR("");
    while (str_next(&rest, '\n', &line))
        ;
    struct str last = str_trim_space(line);
    return text_ends_sentence(last) || str_ends(last, STR("```")) || str_ends(last, STR("|"));
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    bool chat = call->kind == RECORD_CHAT;
    struct str question =
        str_trim_space(talk_text(record, chat ? STR("user") : STR("question"), true));
    struct str answer =
        str_trim_space(talk_text(record, chat ? STR("assistant") : STR("answer"), true));
    double asked = words(question), said = words(answer);
    (void)why;
    if (asked < call->args[QUESTION].number)
        data_drop(out, "the question has %.0f characters", asked);
    else if (said < call->args[ANSWER].number || said > call->args[LONGEST].number)
        data_drop(out, "the answer has %.0f characters", said);
    else if (str_eq(question, answer))
        data_drop(out, "the answer is the question");
    else if (call->args[WHOLE].number > 0 && !ends_well(answer))
        data_drop(out, "the answer does not end like a sentence");
    return ERR_OK;
}

const struct data_op data_op_answer_check = {
    .name = "answer_check",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop questions and answers that are too short, too long, the same or cut off",
    .summary_zh = "丢弃问题或回答过短、过长、相同或被截断的记录",
    .source = "after the instruction filters of Self-Instruct, Wang et al. 2022, arXiv:2212.10560 "
              "sec. 2.2",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_QA) | DATA_KIND(RECORD_CHAT),
    .gives = DATA_SAME_KIND,
    .record = record,
};
