/* chat_check: conversations that can be trained on. */
#include "core/arena.h"
#include "data/talk.h"

enum { LEAST, MOST };
static const struct data_param params[] = {
    [LEAST] = {"least", DATA_INTEGER, 1, TALK_MOST, 1, NULL, "answers", "Fewest answers",
               "最少回答数"},
    [MOST] = {"most", DATA_INTEGER, 1, TALK_MOST, TALK_MOST, NULL, "answers", "Most answers",
              "最多回答数"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct talk chat;
    size_t answers = 0, first;
    enum err err = talk_init(&chat, call->arena, why);
    if (!err)
        err = talk_read(record_raw(record, "messages"), call->arena, &chat, why);
    if (err)
        return err;
    first = chat.n && str_eq_c(chat.items[0].role, "system");
    for (size_t i = first; i < chat.n; i++) {
        struct str role = chat.items[i].role;
        if (str_eq_c(role, "system"))
            data_drop(out, "a system message stands at place %zu", i + 1);
        else if (i > first && str_eq(role, chat.items[i - 1].role) && !str_eq_c(role, "tool"))
            data_drop(out, "two messages of %.*s in a row", STR_FMT(role));
        answers += str_eq_c(role, "assistant");
    }
    if (chat.n == first || !str_eq_c(chat.items[first].role, "user"))
        data_drop(out, "it does not begin with a question");
    else if (!str_eq_c(chat.items[chat.n - 1].role, "assistant"))
        data_drop(out, "it does not end with an answer");
    else if ((double)answers < call->args[LEAST].number ||
             (double)answers > call->args[MOST].number)
        data_drop(out, "it has %zu answers", answers);
    return ERR_OK;
}

const struct data_op data_op_chat_check = {
    .name = "chat_check",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop conversations that do not go in turns from a question to an answer",
    .summary_zh = "丢弃轮次不合规、不以回答结尾的对话",
    .source = "the role rules of chat templates (Qwen, Llama, Mistral)",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CHAT),
    .gives = DATA_SAME_KIND,
    .record = record,
};
