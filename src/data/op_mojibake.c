/* mojibake: UTF-8 that was once read as Latin-1 or Windows-1252. */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { MARKS };
static const struct data_param params[] = {
    [MARKS] = {"drop_marks", DATA_FLAG, 0, 0, 1, NULL, "",
               "Also remove U+FFFD and 锟斤拷, which stand for what is lost",
               "同时去掉“锟斤拷”和替换字符等无法恢复的痕迹"},
};

/* The byte that Windows-1252 shows as this character, or -1. */
static int byte_of(uint32_t c)
{
    static const uint16_t high[32] = {
        0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
    if (c >= 0x80 && c <= 0xFF)
        return (int)c;
    for (int i = 0; i < 32; i++)
        if (high[i] == c)
            return 0x80 + i;
    return -1;
}

/* The character that the bytes shown at *i were once; 0 when they were none. */
static uint32_t once(struct str in, size_t *i)
{
    char bytes[UTF8_MAX_BYTES];
    size_t n = 0, want = 0, at = *i;
    while (at < in.len && (n == 0 || n < want)) {
        int b = byte_of(text_next(in, &at));
        if (b < 0 || (n > 0 && (b & 0xC0) != 0x80))
            return 0;
        if (n == 0)
            want = b >= 0xC2 && b < 0xE0   ? 2
                   : b >= 0xE0 && b < 0xF0 ? 3
                   : b >= 0xF0 && b < 0xF5 ? 4
                                           : 0;
        if (!want)
            return 0;
        bytes[n++] = (char)b;
    }
    struct str s = {bytes, n};
    if (n != want || !n || utf8_invalid(s) != STR_NPOS)
        return 0;
    size_t first = 0;
    *i = at;
    return text_next(s, &first);
}

static bool lost(struct str in, size_t at, size_t *len)
{
    static const struct str marks[] = {STR_INIT("锟斤拷"), STR_INIT("\xEF\xBF\xBD")};
    for (size_t k = 0; k < 2; k++)
        if (in.len - at >= marks[k].len && memcmp(in.ptr + at, marks[k].ptr, marks[k].len) == 0) {
            *len = marks[k].len;
            return true;
        }
    return false;
}

/* Whether a block may hold a Latin-1 letter, U+FFFD or 锟. */
static bool may_hold(const unsigned char *p)
{
    unsigned char any = 0;
    for (int k = 0; k < TEXT_BLOCK; k++) {
        unsigned char a = p[k], b = p[k + 1], c = p[k + 2];
        any |= (unsigned char)(((a & 0xFE) == 0xC2) | ((a == 0xEF) & (b == 0xBF)) |
                               ((a == 0xE9) & (b == 0x94) & (c == 0x9F)));
    }
    return any;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct text_edit edit;
    size_t len = 0, looked = 0;
    bool drop = call->args[MARKS].number > 0;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        if (i >= looked && i + TEXT_BLOCK + TEXT_PEEK <= in.len) {
            if (!may_hold((const unsigned char *)in.ptr + i)) {
                i = text_behind_block(in, i);
                continue;
            }
            looked = i + TEXT_BLOCK;
        }
        unsigned char b = (unsigned char)in.ptr[i];
        size_t at = i;
        if (b < 0xC2) {
            i++;
            continue;
        }
        uint32_t c = (b == 0xC2 || b == 0xC3) ? once(in, &i) : 0;
        bool gone = !c && drop && lost(in, at, &len);
        if (!c && !gone) {
            (void)text_next(in, &i);
            continue;
        }
        char put[UTF8_MAX_BYTES];
        i = c ? i : at + len;
        text_edit_part(&edit, at, i);
        if (c)
            buf_add(&edit.buf, (struct str){put, utf8_put(put, c)});
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_mojibake = {
    .name = "mojibake",
    .version = 1,
    .group = DATA_CLEAN,
    .summary =
        "Restore UTF-8 that was read as Latin-1 or Windows-1252, and remove marks of lost text",
    .summary_zh = "恢复被误读为 Latin-1 或 Windows-1252 的 UTF-8 文本，去掉无法恢复的乱码痕迹",
    .source = "after ftfy, Speer 2019, doi:10.5281/zenodo.2591652: sequences of shown bytes that "
              "are valid UTF-8",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
