/* to_qa: question and answer pairs out of rows and conversations. */
#include "core/arena.h"
#include "data/talk.h"

enum { QUESTION, ANSWER, CONTEXT };
static const struct data_param params[] = {
    [QUESTION] = {"question", DATA_STRING, 0, 200, 0, "row.question", "",
                  "Path of the question, for rows", "问题所在字段（行数据）"},
    [ANSWER] = {"answer", DATA_STRING, 0, 200, 0, "row.answer", "", "Path of the answer, for rows",
                "回答所在字段（行数据）"},
    [CONTEXT] = {"context", DATA_STRING, 0, 200, 0, "", "",
                 "Path of a passage that the answer is from; empty: none",
                 "依据段落所在字段，可为空"},
};

static enum err emit(struct record *record, size_t number, struct str question, struct str answer,
                     struct data_out *out, struct why *why)
{
    struct record part;
    struct str meta = record_raw(record, "meta");
    enum err err = record_part(record, number, &part, why);
    if (!err)
        err = record_set_str(&part, "question", question, why);
    if (!err)
        err = record_set_str(&part, "answer", answer, why);
    if (!err && meta.ptr)
        err = record_set_raw(&part, "meta", meta, why);
    return err ? err : data_emit(out, &part, why);
}

/* Each question with the answer right behind it. */
static enum err from_chat(const struct data_call *call, struct record *record, struct data_out *out,
                          struct why *why)
{
    struct talk chat;
    size_t n = 0;
    enum err err = talk_init(&chat, call->arena, why);
    if (!err)
        err = talk_read(record_raw(record, "messages"), call->arena, &chat, why);
    for (size_t i = 1; !err && i < chat.n; i++)
        if (str_eq_c(chat.items[i - 1].role, "user") && str_eq_c(chat.items[i].role, "assistant"))
            err = emit(record, ++n, chat.items[i - 1].content, chat.items[i].content, out, why);
    data_drop(out, "%zu pairs were taken from it", n);
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    if (call->kind == RECORD_CHAT)
        return from_chat(call, record, out, why);
    struct str question = str_trim_space(talk_text(record, call->args[QUESTION].text, true)),
               answer = str_trim_space(talk_text(record, call->args[ANSWER].text, true)),
               context = call->args[CONTEXT].text;
    if (!question.len || !answer.len)
        return err_set(why, ERR_INVALID, "the record has no %s",
                       question.len ? "answer" : "question");
    if (context.len)
        context = str_trim_space(talk_text(record, context, true));
    record_remove(record, "row");
    enum err err = record_set_str(record, "question", question, why);
    if (!err)
        err = record_set_str(record, "answer", answer, why);
    if (!err && context.len)
        err = record_set_str(record, "context", context, why);
    return err;
}

const struct data_op data_op_to_qa = {
    .name = "to_qa",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Make question and answer records of rows, or of each turn of a conversation",
    .summary_zh = "由行字段或对话各轮生成问答对",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_ROW) | DATA_KIND(RECORD_CHAT),
    .gives = RECORD_QA,
    .record = record,
};
