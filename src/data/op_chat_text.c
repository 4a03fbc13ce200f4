/* chat_text: a conversation as one text, for training on whole texts. */
#include "core/arena.h"
#include "data/talk.h"

enum { FORM };
static const struct data_param params[] = {
    [FORM] = {"form", DATA_CHOICE, 0, 0, 0, "chatml|plain|llama2", "",
              "chatml: <|im_start|> and <|im_end|>; plain: 问：答：; llama2: [INST]",
              "chatml 为 Qwen 等所用标记，plain 为“问：答：”，llama2 为 [INST]"},
};

static void chatml(const struct talk *chat, struct buf *out)
{
    for (size_t i = 0; i < chat->n; i++)
        buf_printf(out, "<|im_start|>%.*s\n%.*s<|im_end|>\n", STR_FMT(chat->items[i].role),
                   STR_FMT(chat->items[i].content));
}

static void plain(const struct talk *chat, struct buf *out)
{
    for (size_t i = 0; i < chat->n; i++) {
        struct str role = chat->items[i].role;
        if (i)
            buf_char(out, '\n');
        buf_add_c(out, str_eq_c(role, "user") ? "问：" : str_eq_c(role, "assistant") ? "答：" : "");
        buf_add(out, chat->items[i].content);
    }
}

static enum err llama2(const struct talk *chat, struct buf *out, struct why *why)
{
    size_t i = 0;
    struct str system = STR_NONE;
    if (chat->n && str_eq_c(chat->items[0].role, "system"))
        system = chat->items[i++].content;
    for (bool first = true; i < chat->n; i++, first = false) {
        struct str role = chat->items[i].role;
        if (str_eq_c(role, "user")) {
            buf_add_c(out, "<s>[INST] ");
            if (first && system.len)
                buf_printf(out, "<<SYS>>\n%.*s\n<</SYS>>\n\n", STR_FMT(system));
            buf_printf(out, "%.*s [/INST]", STR_FMT(chat->items[i].content));
        } else if (str_eq_c(role, "assistant")) {
            buf_printf(out, " %.*s </s>", STR_FMT(chat->items[i].content));
        } else {
            return err_set(why, ERR_INVALID, "a message of %.*s has no place in this form",
                           STR_FMT(role));
        }
    }
    return ERR_OK;
}

/* Marks of the form within what people said would begin turns of their own. */
static bool holds_marks(const struct talk *chat, int form)
{
    static const char *const marks[][2] = {
        {"<|im_start|>", "<|im_end|>"}, {NULL, NULL}, {"[INST]", "[/INST]"}};
    for (size_t i = 0; marks[form][0] && i < chat->n; i++)
        for (size_t k = 0; k < 2; k++)
            if (str_find(chat->items[i].content, str_c(marks[form][k])) != STR_NPOS)
                return true;
    return false;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct talk chat;
    struct buf buf;
    int form = (int)call->args[FORM].number;
    (void)out;
    enum err err = talk_init(&chat, call->arena, why);
    if (!err)
        err = talk_read(record_raw(record, "messages"), call->arena, &chat, why);
    if (!err && !chat.n)
        err = err_set(why, ERR_INVALID, "the conversation is empty");
    if (!err && holds_marks(&chat, form))
        err = err_set(why, ERR_INVALID, "a message holds the marks of the form");
    buf_init(&buf, call->arena);
    if (!err && form == 0)
        chatml(&chat, &buf);
    else if (!err && form == 1)
        plain(&chat, &buf);
    else if (!err)
        err = llama2(&chat, &buf, why);
    if (!err)
        err = buf_err(&buf, why);
    if (err)
        return err;
    record_remove(record, "messages");
    return record_set_str(record, "text", str_trim(buf_str(&buf)), why);
}

const struct data_op data_op_chat_text = {
    .name = "chat_text",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Write conversations as one text with the marks of a chat template",
    .summary_zh = "将对话按模板写成一段训练文本",
    .source = "ChatML as in Qwen's model cards; Llama 2, Touvron et al. 2023, arXiv:2307.09288",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CHAT),
    .gives = RECORD_TEXT,
    .record = record,
};
