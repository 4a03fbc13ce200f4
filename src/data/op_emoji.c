/* emoji: pictures among the words, and the bracketed ones of message boards. */
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { WITH, BRACKETED };
static const struct data_param params[] = {
    [WITH] = {"with", DATA_STRING, 0, 100, 0, "", "", "What comes in their place", "替换成的文字"},
    [BRACKETED] = {"bracketed", DATA_FLAG, 0, 0, 0, NULL, "",
                   "Also [微笑]: one to four Han characters in square brackets",
                   "同时去掉“[微笑]”式表情（方括号内一至四个汉字）"},
};

#define JOINER   0x200D
#define PICTURE  0xFE0F
#define KEYCAP   0x20E3
#define TAG_LOW  0xE0020
#define TAG_HIGH 0xE007F

static uint32_t peek(struct str in, size_t at)
{
    return at < in.len ? text_next(in, &at) : 0;
}

/* Behind marks that belong to the picture before: variation, skin, keycap, tags. */
static size_t marks(struct str in, size_t at)
{
    for (size_t i = at; i < in.len; at = i) {
        uint32_t c = text_next(in, &i);
        if (c != PICTURE && c != KEYCAP && !(c >= 0x1F3FB && c <= 0x1F3FF) &&
            !(c >= TAG_LOW && c <= TAG_HIGH))
            break;
    }
    return at;
}

/* The end of the picture at `at`, or `at`. Joined ones are one. */
static size_t picture(struct str in, size_t at)
{
    size_t i = at;
    uint32_t c = text_next(in, &i);
    uint32_t next = peek(in, i);
    bool symbol = c >= 0x203C || c == 0xA9 || c == 0xAE;
    bool keycap = c < 0x80 && next == PICTURE && peek(in, i + 3) == KEYCAP;
    if (!text_is_picture(c) && !(symbol && next == PICTURE) && !keycap)
        return at;
    for (;;) {
        i = marks(in, i);
        size_t k = i;
        if (peek(in, k) != JOINER)
            return i;
        k += 3;
        if (k >= in.len)
            return k;
        (void)text_next(in, &k);
        i = k;
    }
}

static size_t bracketed(struct str in, size_t at)
{
    size_t i = at + 1, n = 0;
    while (i < in.len && n < 5) {
        uint32_t c = text_next(in, &i);
        if (c == ']')
            return n ? i : at;
        if (!utf8_is_han(c))
            return at;
        n++;
    }
    return at;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct text_edit edit;
    bool brackets = call->args[BRACKETED].number > 0;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        unsigned char b = (unsigned char)in.ptr[i];
        size_t end = i;
        /* Nothing below U+203C but keycaps and two signs: most bytes are passed over here. */
        if (b >= 0xE2 || b == 0xC2 || b == '#' || b == '*' || (b >= '0' && b <= '9'))
            end = b >= 0xE4 && b <= 0xEE ? i : picture(in, i);
        else if (brackets && b == '[')
            end = bracketed(in, i);
        if (end == i) {
            (void)text_next(in, &i);
            continue;
        }
        text_edit_part(&edit, i, end);
        buf_add(&edit.buf, call->args[WITH].text);
        i = end;
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_emoji = {
    .name = "emoji",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Remove or replace emoji, joined sequences, flags and keycaps as one each",
    .summary_zh = "去掉或替换表情符号，组合表情、旗帜、键帽各算一个",
    .source = "Unicode Technical Standard 51, by ICU 72; the bracketed ones are ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
