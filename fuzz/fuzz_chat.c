/*
 * Any bytes as a chat template, and as what a model wrote: an error or an answer, and nothing told
 * twice. What needs unbounded time, memory or stack is engine/guard's to stop; it is left out here.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "engine/chat.h"

#define MOST 4096
#define TALK                                                                                       \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"type\":\"function\","    \
    "\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],"      \
    "\"tool_choice\":\"auto\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The form of Hermes and Qwen, in short: tools are described, calls are tagged. */
static const char tagged[] =
    "{% if tools %}<tools>{% for t in tools %}{{ t | tojson }}{% endfor %}</tools>{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or "
    "[] "
    "%}<tool_call>\n{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | "
    "tojson }}}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}"
    "<|im_start|>assistant\n{% endif %}";

static size_t count(struct str text, const char *word)
{
    size_t n = 0;
    for (size_t at = 0; (at = str_find_from(text, str_c(word), at)) != STR_NPOS; at++)
        n++;
    return n;
}

/* Loops in loops, numbers of more than two digits, recursion, strings that double. */
static bool may_run_wild(struct str text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        digits = isdigit((unsigned char)text.ptr[i]) ? digits + 1 : 0;
        if (digits > 2)
            return true;
    }
    return count(text, "for") > 4 || count(text, "macro") || count(text, "call") ||
           count(text, "namespace") || count(text, "set") || count(text, "*") > 2 ||
           count(text, "recursive");
}

static void render(struct str template_text, const char *request)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct chat_source source = {.template_text = template_text, .bos = STR("<s>")};
    struct chat *chat = NULL;
    struct why why = {0};
    struct buf out;
    buf_init(&out, arena);
    enum err err = chat_open(&source, &chat, &why);
    if (!err)
        err = chat_render(chat, str_c(request), &out, &why);
    const struct json *root = NULL;
    if (!err && json_parse(buf_str(&out), arena, &root, NULL))
        abort();
    if (err && (!why.text[0] || strchr(why.text, '\n')))
        abort();
    chat_close(chat);
    arena_free(arena);
}

struct heard {
    size_t bytes; /* of content and reasoning */
    bool named[512];
};

static enum err hear(void *ctx, const struct chat_delta *d, struct why *why)
{
    struct heard *heard = ctx;
    (void)why;
    if (d->kind != CHAT_TOOL)
        heard->bytes += d->text.len;
    else if (d->tool < 512 && d->name.len) {
        if (heard->named[d->tool] || !d->id.len)
            abort();
        heard->named[d->tool] = true;
    }
    return ERR_OK;
}

/* The same text in pieces; what is content is never more than was written (a byte that is no
 * character may become three). */
static void listen(struct str text, size_t step)
{
    static struct str rendered;
    static struct arena *kept;
    struct heard heard = {0};
    struct chat_reader *reader = NULL;
    if (!kept) {
        struct chat_source source = {.template_text = str_c(tagged)};
        struct chat *chat = NULL;
        struct buf out;
        kept = arena_new((size_t)16 << 20);
        buf_init(&out, kept);
        if (chat_open(&source, &chat, NULL) || chat_render(chat, STR(TALK), &out, NULL))
            abort();
        chat_close(chat);
        rendered = buf_str(&out);
    }
    if (chat_reader_open(rendered, true, &reader, NULL))
        abort();
    enum err err = ERR_OK;
    for (size_t at = 0; !err && at <= text.len; at += step)
        err = chat_reader_feed(reader, str_slice(text, at, at + step), at + step > text.len, hear,
                               &heard, NULL);
    if (heard.bytes > text.len * 3)
        abort();
    chat_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > MOST)
        return 0;
    struct str text = {(const char *)data + 1, size - 1};
    if (data[0] % 2 == 0)
        listen(text, 1 + data[0] / 2);
    else if (!may_run_wild(text))
        render(text,
               data[0] % 4 == 1 ? TALK : "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    return 0;
}
