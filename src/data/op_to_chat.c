/* to_chat: conversations from the shapes that trainers and people use. */
#include "core/arena.h"
#include "data/talk.h"
#include "data/scan.h"

enum { SYSTEM };
static const struct data_param params[] = {
    [SYSTEM] = {"system", DATA_STRING, 0, 10000, 0, "", "",
                "A system message for conversations that have none",
                "没有系统提示时补上的系统提示"},
};

/* [[question, answer], ...] */
static enum err add_history(struct talk *chat, struct str raw, struct arena *arena, struct why *why)
{
    struct str key;
    size_t next = 0, start, end;
    enum err err = ERR_OK;
    while (!err && raw.len && raw.ptr[0] == '[' && scan_each(raw, 0, &next, &key, &start, &end)) {
        struct str pair = str_slice(raw, start, end);
        size_t at = 0, a, b;
        for (int i = 0;
             !err && i < 2 && pair.ptr[0] == '[' && scan_each(pair, 0, &at, &key, &a, &b); i++) {
            struct str said = scan_decode(str_slice(pair, a, b), arena);
            err =
                talk_add(chat, i ? STR("assistant") : STR("user"), said.ptr ? said : STR(""), why);
        }
    }
    return err;
}

static enum err from_row(struct str row, struct arena *arena, struct talk *chat, struct why *why)
{
    static const char *const lists[] = {"messages", "conversations", "conversation", "dialogue"};
    static const char *const asks[] = {"prompt", "question", "query"};
    static const char *const says[] = {"output", "response", "answer", "completion"};
    enum err err = talk_add(chat, STR("system"), talk_member(row, "system", arena), why);
    for (size_t i = 0; !err && i < sizeof lists / sizeof lists[0]; i++) {
        struct str raw = talk_member_raw(row, lists[i], arena);
        if (raw.len && raw.ptr[0] == '[')
            return talk_read(raw, arena, chat, why);
    }
    struct str ask = talk_instruction(row, arena), say = STR_NONE;
    for (size_t i = 0; !ask.len && i < sizeof asks / sizeof asks[0]; i++)
        ask = talk_member(row, asks[i], arena);
    for (size_t i = 0; !say.len && i < sizeof says / sizeof says[0]; i++)
        say = talk_member(row, says[i], arena);
    if (!err && (!ask.len || !say.len))
        err = err_set(why, ERR_INVALID, "the row has no conversation, or no question and answer");
    if (!err)
        err = add_history(chat, talk_member_raw(row, "history", arena), arena, why);
    if (!err)
        err = talk_add(chat, STR("user"), ask, why);
    return err ? err : talk_add(chat, STR("assistant"), say, why);
}

static enum err from_qa(struct record *record, struct talk *chat, struct why *why)
{
    struct str question = record_str(record, "question"), context = record_str(record, "context");
    if (context.len)
        question = str_printf(record->arena, "%.*s\n\n%.*s", STR_FMT(context), STR_FMT(question));
    enum err err = talk_add(chat, STR("user"), question, why);
    return err ? err : talk_add(chat, STR("assistant"), record_str(record, "answer"), why);
}

/* In front, when the conversation has no system message. */
static enum err add_system(struct talk *chat, struct str system, struct why *why)
{
    if (!system.len || (chat->n && str_eq_c(chat->items[0].role, "system")))
        return ERR_OK;
    enum err err = talk_add(chat, STR("system"), system, why);
    for (size_t i = chat->n; !err && i-- > 1;) {
        struct talk_message m = chat->items[i];
        chat->items[i] = chat->items[i - 1];
        chat->items[i - 1] = m;
    }
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct talk chat;
    struct buf buf;
    (void)out;
    enum err err = talk_init(&chat, call->arena, why);
    if (!err)
        err = call->kind == RECORD_QA
                  ? from_qa(record, &chat, why)
                  : from_row(record_raw(record, "row"), call->arena, &chat, why);
    if (!err)
        err = add_system(&chat, call->args[SYSTEM].text, why);
    if (err)
        return err;
    static const char *const gone[] = {"row", "question", "answer", "context"};
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        if (record_raw(record, gone[i]).ptr)
            record_remove(record, gone[i]);
    buf_init(&buf, call->arena);
    talk_write(&chat, &buf);
    err = buf_err(&buf, why);
    return err ? err : record_set_raw(record, "messages", buf_str(&buf), why);
}

const struct data_op data_op_to_chat = {
    .name = "to_chat",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Make conversations of question and answer pairs and of rows in Alpaca, ShareGPT or "
               "prompt and response form",
    .summary_zh = "将问答对以及 Alpaca、ShareGPT、提示-回复格式的行转为对话",
    .source = "the forms of Stanford Alpaca (Taori et al. 2023), ShareGPT and LLaMA-Factory's data "
              "readme; OpenAI chat messages",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_QA) | DATA_KIND(RECORD_ROW),
    .gives = RECORD_CHAT,
    .record = record,
};
