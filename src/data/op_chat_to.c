/* chat_to: conversations in the form that a trainer reads. */
#include "core/arena.h"
#include "data/talk.h"
#include "data/scan.h"

enum { FORM };
static const struct data_param params[] = {
    [FORM] =
        {"form", DATA_CHOICE, 0, 0, 0, "sharegpt|alpaca|prompt_completion", "",
         "sharegpt: from and value; alpaca: the last turn with history; prompt_completion: texts",
         "sharegpt 为 from/value，alpaca 为末轮加历史，prompt_completion 为纯文本"},
};

static void put(struct buf *out, const char *key, struct str value)
{
    buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", key);
    scan_quote(out, value);
}

static size_t first_turn(const struct talk *chat)
{
    return chat->n && str_eq_c(chat->items[0].role, "system");
}

static enum err alpaca(const struct talk *chat, struct buf *out, struct why *why)
{
    size_t first = first_turn(chat), n = chat->n;
    bool good = n >= first + 2 && (n - first) % 2 == 0;
    for (size_t i = first; good && i < n; i++)
        good = str_eq_c(chat->items[i].role, (i - first) % 2 ? "assistant" : "user");
    if (!good)
        return err_set(why, ERR_INVALID, "the conversation is not question and answer in turn");
    buf_char(out, '{');
    put(out, "instruction", chat->items[n - 2].content);
    put(out, "input", STR(""));
    put(out, "output", chat->items[n - 1].content);
    if (first)
        put(out, "system", chat->items[0].content);
    buf_add_c(out, ",\"history\":[");
    for (size_t i = first; i + 2 < n; i += 2) {
        buf_add_c(out, i > first ? ",[" : "[");
        scan_quote(out, chat->items[i].content);
        buf_char(out, ',');
        scan_quote(out, chat->items[i + 1].content);
        buf_char(out, ']');
    }
    buf_add_c(out, "]}");
    return ERR_OK;
}

static enum err completion(const struct talk *chat, struct arena *arena, struct buf *out,
                           struct why *why)
{
    struct buf prompt;
    buf_init(&prompt, arena);
    if (chat->n < 2 || !str_eq_c(chat->items[chat->n - 1].role, "assistant"))
        return err_set(why, ERR_INVALID, "the conversation does not end with an answer");
    for (size_t i = 0; i + 1 < chat->n; i++) {
        if (i)
            buf_char(&prompt, '\n');
        buf_add(&prompt, chat->items[i].content);
    }
    buf_char(out, '{');
    put(out, "prompt", buf_str(&prompt));
    put(out, "completion", chat->items[chat->n - 1].content);
    buf_char(out, '}');
    return buf_err(&prompt, why);
}

static void sharegpt(const struct talk *chat, struct buf *out)
{
    struct talk turns = *chat;
    size_t first = first_turn(chat);
    turns.items += first;
    turns.n -= first;
    buf_add_c(out, "{\"conversations\":");
    talk_write_sharegpt(&turns, out);
    if (first)
        put(out, "system", chat->items[0].content);
    buf_char(out, '}');
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct talk chat;
    struct buf buf;
    (void)out;
    enum err err = talk_init(&chat, call->arena, why);
    if (!err)
        err = talk_read(record_raw(record, "messages"), call->arena, &chat, why);
    if (err)
        return err;
    buf_init(&buf, call->arena);
    if (call->args[FORM].number == 0)
        sharegpt(&chat, &buf);
    else
        err = call->args[FORM].number == 1 ? alpaca(&chat, &buf, why)
                                           : completion(&chat, call->arena, &buf, why);
    if (!err)
        err = buf_err(&buf, why);
    if (err)
        return err;
    record_remove(record, "messages");
    return record_set_raw(record, "row", buf_str(&buf), why);
}

const struct data_op data_op_chat_to = {
    .name = "chat_to",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Write conversations as rows in ShareGPT, Alpaca or prompt and completion form",
    .summary_zh = "将对话写成 ShareGPT、Alpaca 或提示-补全格式",
    .source = "the forms of ShareGPT, Stanford Alpaca with LLaMA-Factory's history, and TRL",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CHAT),
    .gives = RECORD_ROW,
    .record = record,
};
