/* refusals: answers that say what the writer is, or that it will not answer. */
#include <string.h>

#include "core/arena.h"
#include "data/talk.h"
#include "data/text.h"

enum { PATH, WITHIN, ALSO };
static const struct data_param params[] = {
    [PATH] = {"path", DATA_STRING, 0, 200, 0, "", "",
              "Path of the answer; empty: the usual one (answer, assistant, chosen)",
              "回答所在字段；为空则用惯常字段"},
    [WITHIN] = {"within", DATA_INTEGER, 1, 1e6, 120, NULL, "characters",
                "Refusals stand so near the beginning", "拒答语出现在开头多少字以内"},
    [ALSO] = {"also", DATA_STRINGS, 0, 1000, 0, "", "", "More phrases", "另加的拒答用语"},
};

/* Lower case: ASCII is folded before it is compared. */
static const char *const phrases[] = {
    "作为一个人工智能",
    "作为人工智能",
    "作为一个ai",
    "作为ai",
    "作为一个语言模型",
    "作为语言模型",
    "作为大语言模型",
    "作为一个大型语言模型",
    "我是一个ai",
    "我只是一个ai",
    "我是一个人工智能",
    "我只是一个语言模型",
    "我无法回答",
    "我无法提供",
    "我不能回答",
    "我不能提供",
    "我无法协助",
    "我不能协助",
    "我无法满足",
    "无法完成您的请求",
    "很抱歉，我无法",
    "抱歉，我无法",
    "很抱歉，我不能",
    "抱歉，我不能",
    "对不起，我无法",
    "对不起，我不能",
    "我没有个人观点",
    "我没有能力",
    "我的知识截止",
    "我的训练数据",
    "违反了我的",
    "as an ai",
    "as a language model",
    "as a large language model",
    "i cannot answer",
    "i can't answer",
    "i'm sorry, but i",
    "i am sorry, but i",
    "i'm unable to",
    "i am unable to",
    "i cannot fulfill",
    "i can't fulfill",
    "i cannot assist",
    "i can't assist",
    "my knowledge cutoff",
    "i do not have personal",
    "i don't have personal",
};

static struct str answer_of(const struct data_call *call, const struct record *record)
{
    struct str path = call->args[PATH].text;
    if (path.len)
        return talk_text(record, path, true);
    return talk_text(record,
                     call->kind == RECORD_CHAT         ? STR("assistant")
                     : call->kind == RECORD_PREFERENCE ? STR("chosen")
                     : call->kind == RECORD_QA         ? STR("answer")
                     : call->kind == RECORD_ROW        ? STR("row.output")
                                                       : STR("text"),
                     true);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str answer = answer_of(call, record);
    if (!answer.ptr)
        return err_set(why, ERR_INVALID, "the record has no answer");
    size_t most = (size_t)call->args[WITHIN].number, n = 0, end = 0;
    while (end < answer.len && n++ < most)
        (void)text_next(answer, &end);
    struct str front = str_lower_ascii(call->arena, str_slice(answer, 0, end));
    if (!front.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not look at an answer");
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (str_find(front, str_c(phrases[i])) != STR_NPOS)
            data_drop(out, "the answer says \"%s\"", phrases[i]);
    const struct data_arg *also = &call->args[ALSO];
    for (size_t i = 0; i < also->n; i++)
        if (also->list[i].len && str_find(str_slice(answer, 0, end), also->list[i]) != STR_NPOS)
            data_drop(out, "the answer says \"%.*s\"", STR_FMT(also->list[i]));
    return ERR_OK;
}

const struct data_op data_op_refusals = {
    .name = "refusals",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records whose answer refuses or says that it is a language model",
    .summary_zh = "丢弃拒答或自称语言模型的回答",
    .source = "the phrase filters of Vicuna's data (ShareGPT cleaning, LMSYS 2023) and of "
              "unnatural refusals in Alpaca-cleaned; the Chinese phrases are ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .record = record,
};
