/* chat_window: long conversations as several, each with the turns that lead up to an answer. */
#include "core/arena.h"
#include "data/talk.h"
#include "data/text.h"

enum { TURNS, CHARACTERS, WAY };
static const struct data_param params[] = {
    [TURNS] = {"turns", DATA_INTEGER, 1, 1000, 4, NULL, "answers", "Most answers of one",
               "每段最多回答数"},
    [CHARACTERS] = {"characters", DATA_INTEGER, 10, 1e7, 8000, NULL, "characters",
                    "Most characters of one; the oldest turns go first",
                    "每段最多字数，超出时先去掉最早的轮次"},
    [WAY] = {"way", DATA_CHOICE, 0, 0, 0, "parts|every_answer", "",
             "parts: one behind the other; every_answer: one that ends at each answer",
             "parts 为依次切段，every_answer 为每个回答各成一段"},
};

struct window {
    const struct talk *chat;
    size_t system; /* messages of the system in front: 0 or 1 */
    size_t most_turns, most_characters;
    struct talk part; /* the window in hand */
};

static size_t characters(const struct talk *chat, size_t from, size_t end)
{
    size_t n = 0;
    for (size_t i = from; i < end; i++)
        n += text_length(chat->items[i].content);
    return n;
}

/* Where a window that ends at `end` begins: at a question, with so many turns. */
static size_t begin_of(const struct window *w, size_t least, size_t end)
{
    size_t best = end, turns = 0, size = characters(w->chat, 0, w->system);
    for (size_t i = end; i-- > least;) {
        turns += str_eq_c(w->chat->items[i].role, "assistant");
        size += text_length(w->chat->items[i].content);
        if (turns > w->most_turns || size > w->most_characters)
            break;
        if (str_eq_c(w->chat->items[i].role, "user"))
            best = i;
    }
    return best;
}

static enum err emit(struct record *record, struct window *w, size_t from, size_t end,
                     size_t number, struct data_out *out, struct why *why)
{
    struct record made;
    struct buf buf;
    struct str meta = record_raw(record, "meta");
    w->part.n = 0;
    if (w->system)
        w->part.items[w->part.n++] = w->chat->items[0];
    for (size_t i = from; i < end; i++)
        w->part.items[w->part.n++] = w->chat->items[i];
    buf_init(&buf, record->arena);
    talk_write(&w->part, &buf);
    enum err err = buf_err(&buf, why);
    if (!err)
        err = record_part(record, number, &made, why);
    if (!err)
        err = record_set_raw(&made, "messages", buf_str(&buf), why);
    if (!err && meta.ptr)
        err = record_set_raw(&made, "meta", meta, why);
    return err ? err : data_emit(out, &made, why);
}

static bool ends_at(const struct talk *chat, size_t i)
{
    return str_eq_c(chat->items[i].role, "assistant") &&
           (i + 1 == chat->n || str_eq_c(chat->items[i + 1].role, "user"));
}

static enum err parts(struct record *record, struct window *w, struct data_out *out, size_t *n,
                      struct why *why)
{
    const struct talk *chat = w->chat;
    enum err err = ERR_OK;
    for (size_t from = w->system; !err && from < chat->n;) {
        size_t end = 0, turns = 0, size = characters(chat, 0, w->system);
        for (size_t i = from; i < chat->n; i++) {
            size += text_length(chat->items[i].content);
            turns += str_eq_c(chat->items[i].role, "assistant");
            if (turns > w->most_turns || size > w->most_characters)
                break;
            if (ends_at(chat, i))
                end = i + 1;
        }
        if (!end) { /* one turn alone is too long: it is left out */
            do {
                from++;
            } while (from < chat->n && !str_eq_c(chat->items[from].role, "user"));
            continue;
        }
        err = emit(record, w, from, end, ++*n, out, why);
        from = end;
    }
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct talk chat;
    size_t n = 0;
    enum err err = talk_init(&chat, call->arena, why);
    if (!err)
        err = talk_read(record_raw(record, "messages"), call->arena, &chat, why);
    if (err)
        return err;
    struct window w = {.chat = &chat,
                       .system = chat.n && str_eq_c(chat.items[0].role, "system"),
                       .most_turns = (size_t)call->args[TURNS].number,
                       .most_characters = (size_t)call->args[CHARACTERS].number};
    err = talk_init(&w.part, call->arena, why);
    if (err)
        return err;
    if (call->args[WAY].number == 0) {
        err = parts(record, &w, out, &n, why);
    } else {
        for (size_t i = w.system; !err && i < chat.n; i++) {
            size_t from = ends_at(&chat, i) ? begin_of(&w, w.system, i + 1) : chat.n;
            if (from <= i)
                err = emit(record, &w, from, i + 1, ++n, out, why);
        }
    }
    data_drop(out, "made into %zu", n);
    return err;
}

const struct data_op data_op_chat_window = {
    .name = "chat_window",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Cut long conversations into such as fit, at the ends of answers",
    .summary_zh = "将长对话按轮次和字数切成多段，均以回答结尾",
    .source =
        "after the conversation splitting of FastChat (LMSYS 2023); the form by answers is ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CHAT),
    .gives = DATA_SAME_KIND,
    .record = record,
};
