#include "data/talk.h"

#include "core/arena.h"
#include "data/field.h"
#include "data/scan.h"

static const struct {
    const char *theirs, *role;
} roles[] = {
    {"system", "system"},       {"user", "user"},
    {"assistant", "assistant"}, {"tool", "tool"},
    {"human", "user"},          {"gpt", "assistant"},
    {"chatgpt", "assistant"},   {"bot", "assistant"},
    {"bing", "assistant"},      {"function_call", "assistant"},
    {"observation", "tool"},    {"function", "tool"},
    {"developer", "system"},
};

enum err talk_init(struct talk *chat, struct arena *arena, struct why *why)
{
    chat->n = 0;
    chat->items = arena_array(arena, struct talk_message, TALK_MOST);
    return chat->items ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold a conversation");
}

enum err talk_add(struct talk *chat, struct str role, struct str content, struct why *why)
{
    if (!content.len)
        return ERR_OK;
    if (chat->n == TALK_MOST)
        return err_set(why, ERR_TOO_LARGE, "a conversation of more than %d messages", TALK_MOST);
    chat->items[chat->n++] = (struct talk_message){role, content};
    return ERR_OK;
}

struct str talk_member_raw(struct str object, const char *name, struct arena *arena)
{
    struct str key;
    size_t next = 0, start, end;
    if (!object.len || object.ptr[0] != '{')
        return STR_NONE;
    while (scan_each(object, 0, &next, &key, &start, &end)) {
        struct str decoded = scan_decode(key, arena);
        if (decoded.ptr && str_eq_c(decoded, name))
            return str_slice(object, start, end);
    }
    return STR_NONE;
}

struct str talk_member(struct str object, const char *name, struct arena *arena)
{
    return scan_decode(talk_member_raw(object, name, arena), arena);
}

struct str talk_instruction(struct str object, struct arena *arena)
{
    struct str instruction = talk_member(object, "instruction", arena),
               input = talk_member(object, "input", arena);
    if (!instruction.len)
        return input;
    return input.len ? str_printf(arena, "%.*s\n%.*s", STR_FMT(instruction), STR_FMT(input))
                     : instruction;
}

static struct str role_of(struct str theirs)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (str_eq_c(theirs, roles[i].theirs))
            return str_c(roles[i].role);
    return STR_NONE;
}

enum err talk_read(struct str raw, struct arena *arena, struct talk *chat, struct why *why)
{
    struct str key;
    size_t next = 0, start, end;
    enum err err = raw.len && raw.ptr[0] == '['
                       ? ERR_OK
                       : err_set(why, ERR_INVALID, "there is no list of messages");
    while (!err && scan_each(raw, 0, &next, &key, &start, &end)) {
        struct str one = str_slice(raw, start, end);
        struct str who = talk_member(one, "role", arena), said = talk_member(one, "content", arena);
        if (!who.ptr) {
            who = talk_member(one, "from", arena);
            said = talk_member(one, "value", arena);
        }
        struct str role = who.ptr ? role_of(who) : STR_NONE;
        if (!role.ptr)
            err = err_set(why, ERR_INVALID, "message %zu has no role that is known", chat->n + 1);
        else
            err = talk_add(chat, role, said.ptr ? said : STR(""), why);
    }
    return err;
}

static void write_messages(const struct talk *chat, const char *role_key, const char *text_key,
                           bool theirs, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < chat->n; i++) {
        struct str role = chat->items[i].role;
        if (theirs && str_eq_c(role, "user"))
            role = STR("human");
        else if (theirs && str_eq_c(role, "assistant"))
            role = STR("gpt");
        else if (theirs && str_eq_c(role, "tool"))
            role = STR("observation");
        buf_printf(out, "%s{\"%s\":", i ? "," : "", role_key);
        scan_quote(out, role);
        buf_printf(out, ",\"%s\":", text_key);
        scan_quote(out, chat->items[i].content);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

void talk_write(const struct talk *chat, struct buf *out)
{
    write_messages(chat, "role", "content", false, out);
}

void talk_write_sharegpt(const struct talk *chat, struct buf *out)
{
    write_messages(chat, "from", "value", true, out);
}

/* The contents of a role joined by "\n"; all of them when it is empty. */
static struct str said_by(const struct talk *chat, struct str role, bool last, struct arena *arena)
{
    struct buf buf;
    bool any = false;
    buf_init(&buf, arena);
    for (size_t i = 0; i < chat->n; i++) {
        if (role.len && !str_eq(chat->items[i].role, role))
            continue;
        if (last)
            buf_clear(&buf);
        if (any && !last)
            buf_char(&buf, '\n');
        buf_add(&buf, chat->items[i].content);
        any = true;
    }
    return any && !buf.failed ? (buf.len ? buf_str(&buf) : STR("")) : STR_NONE;
}

struct str talk_text(const struct record *record, struct str path, bool last)
{
    bool role = str_eq_c(path, "user") || str_eq_c(path, "assistant") || str_eq_c(path, "system");
    struct str raw = role ? record_raw(record, "messages") : field_raw(record, path);
    struct arena *arena = record->arena;
    struct talk chat;
    if (!raw.len)
        return STR_NONE;
    if (raw.ptr[0] == '[') {
        if (talk_init(&chat, arena, NULL) || talk_read(raw, arena, &chat, NULL))
            return STR_NONE;
        return said_by(&chat, role ? path : STR(""), last, arena);
    }
    if (raw.ptr[0] == '{') {
        struct str text = talk_member(raw, "content", arena);
        return text.ptr ? text : talk_member(raw, "value", arena);
    }
    return field_text(record, path);
}
