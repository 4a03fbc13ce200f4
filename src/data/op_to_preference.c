/* to_preference: pairs of a better and a worse answer from rows. */
#include "core/arena.h"
#include "data/talk.h"
#include "data/scan.h"

/* A text, or the text of one message {"role"/"from", "content"/"value"}. */
static struct str answer(struct str row, const char *name, struct arena *arena)
{
    struct str raw = talk_member_raw(row, name, arena);
    struct str text = scan_decode(raw, arena);
    if (text.ptr || !raw.len || raw.ptr[0] != '{')
        return text;
    text = talk_member(raw, "content", arena);
    return text.ptr ? text : talk_member(raw, "value", arena);
}

static enum err read_prompt(struct str row, struct arena *arena, struct talk *chat, struct why *why)
{
    static const char *const lists[] = {"prompt", "conversations", "messages"};
    static const char *const texts[] = {"prompt", "question", "query"};
    enum err err = talk_add(chat, STR("system"), talk_member(row, "system", arena), why);
    for (size_t i = 0; !err && i < sizeof lists / sizeof lists[0]; i++) {
        struct str raw = talk_member_raw(row, lists[i], arena);
        if (raw.len && raw.ptr[0] == '[')
            return talk_read(raw, arena, chat, why);
    }
    struct str ask = talk_instruction(row, arena);
    for (size_t i = 0; !ask.len && i < sizeof texts / sizeof texts[0]; i++)
        ask = talk_member(row, texts[i], arena);
    if (!err && !ask.len)
        err = err_set(why, ERR_INVALID, "the row has no prompt");
    return err ? err : talk_add(chat, STR("user"), ask, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct talk chat;
    struct buf buf;
    struct str row = record_raw(record, "row");
    struct str chosen = answer(row, "chosen", call->arena),
               rejected = answer(row, "rejected", call->arena);
    (void)out;
    if (!chosen.len || !rejected.len)
        return err_set(why, ERR_INVALID, "the row has no \"chosen\" and \"rejected\"");
    if (str_eq(chosen, rejected)) {
        data_drop(out, "both answers are the same");
        return ERR_OK;
    }
    enum err err = talk_init(&chat, call->arena, why);
    if (!err)
        err = read_prompt(row, call->arena, &chat, why);
    if (err)
        return err;
    record_remove(record, "row");
    buf_init(&buf, call->arena);
    talk_write(&chat, &buf);
    err = buf_err(&buf, why);
    if (!err)
        err = record_set_raw(record, "prompt", buf_str(&buf), why);
    if (!err)
        err = record_set_str(record, "chosen", chosen, why);
    return err ? err : record_set_str(record, "rejected", rejected, why);
}

const struct data_op data_op_to_preference = {
    .name = "to_preference",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Make preference pairs of rows with chosen and rejected answers",
    .summary_zh = "将含 chosen、rejected 的行转为偏好对",
    .source =
        "DPO pairs, Rafailov et al. 2023, arXiv:2305.18290; the forms of LLaMA-Factory and TRL",
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_ROW),
    .gives = RECORD_PREFERENCE,
    .record = record,
};
