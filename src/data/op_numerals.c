/* numerals: numbers in Chinese characters as digits, or the other way round. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { TO, ORDINALS };
static const struct data_param params[] = {
    [TO] = {"to", DATA_CHOICE, 0, 0, 0, "digits|chinese", "", "How numbers are to be written",
            "数字的写法：阿拉伯数字或汉字"},
    [ORDINALS] = {"ordinals", DATA_FLAG, 0, 0, 0, NULL, "",
                  "Also numbers behind 第, as in 第十五条", "同时转换“第”字后的数字（如第十五条）"},
};

#define MOST_RUN 32 /* characters of a number */

static const char *const digit_names[] = {"零", "一", "二", "三", "四",
                                          "五", "六", "七", "八", "九"};

/* 0 to 9, or -1. */
static int digit_of(uint32_t c)
{
    static const struct {
        uint32_t c;
        int value;
    } names[] = {{0x96F6, 0}, {0x3007, 0}, {0x4E00, 1}, {0x4E8C, 2}, {0x4E24, 2}, {0x4E09, 3},
                 {0x56DB, 4}, {0x4E94, 5}, {0x516D, 6}, {0x4E03, 7}, {0x516B, 8}, {0x4E5D, 9},
                 {0x58F9, 1}, {0x8D30, 2}, {0x53C1, 3}, {0x8086, 4}, {0x4F0D, 5}, {0x9646, 6},
                 {0x67D2, 7}, {0x634C, 8}, {0x7396, 9}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].c == c)
            return names[i].value;
    return -1;
}

/* 十 百 千 万 亿 and their forms for cheques; 0: none. */
static uint64_t unit_of(uint32_t c)
{
    switch (c) {
    case 0x5341: /* 十 */
    case 0x62FE: /* 拾 */
        return 10;
    case 0x767E: /* 百 */
    case 0x4F70: /* 佰 */
        return 100;
    case 0x5343: /* 千 */
    case 0x4EDF: /* 仟 */
        return 1000;
    case 0x4E07: /* 万 */
        return 10000;
    case 0x4EBF: /* 亿 */
        return 100000000;
    default:
        return 0;
    }
}

/* A number with units: 一百二十三, 十五, 三千零六万. False for what is none, 千万, 万一, 五六十. */
static bool with_units(const uint32_t *run, size_t n, uint64_t *out)
{
    uint64_t total = 0, section = 0, last_unit = UINT64_MAX, last_big = UINT64_MAX;
    int digit = -1;
    bool zero = false;
    for (size_t i = 0; i < n; i++) {
        int d = digit_of(run[i]);
        uint64_t unit = unit_of(run[i]);
        if (d == 0 && digit < 0 && i && !zero) {
            zero = true;
        } else if (d > 0 && digit < 0) {
            digit = d;
            zero = false;
        } else if (unit && unit < 10000) {
            if (digit < 0 && !(unit == 10 && i == 0)) /* only 十 stands alone, in front */
                return false;
            if (unit >= last_unit)
                return false;
            section += (uint64_t)(digit < 0 ? 1 : digit) * unit;
            last_unit = unit;
            digit = -1;
        } else if (unit) {
            section += digit > 0 ? (uint64_t)digit : 0;
            if (!section || unit >= last_big || zero)
                return false;
            total = unit == 100000000 ? (total + section) * unit : total + section * unit;
            section = 0;
            digit = -1;
            last_big = unit;
            last_unit = UINT64_MAX;
        } else {
            return false;
        }
    }
    /* 一百二 is 120 when spoken: not decided here. */
    if (digit > 0 && n >= 2 && unit_of(run[n - 2]) > 10)
        return false;
    if (zero)
        return false;
    *out = total + section + (digit > 0 ? (uint64_t)digit : 0);
    return true;
}

/* 二〇二四: digits alone, a year or a number that was read out. */
static bool digits_alone(const uint32_t *run, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        int d = digit_of(run[i]);
        if (d < 0 || run[i] == 0x4E24)
            return false;
        out[i] = (char)('0' + d);
    }
    out[n] = '\0';
    return n >= 4;
}

struct number {
    size_t end;
    char text[64];
};

/* The number in Chinese characters at `at`. */
static bool read_chinese(struct str in, size_t at, struct number *out)
{
    uint32_t run[MOST_RUN];
    size_t ends[MOST_RUN], n = 0, i = at;
    uint64_t value = 0;
    while (i < in.len && n < MOST_RUN) {
        uint32_t c = text_next(in, &i);
        if (digit_of(c) < 0 && !unit_of(c))
            break;
        run[n] = c;
        ends[n++] = i;
    }
    if (n == MOST_RUN || !n)
        return false;
    out->end = ends[n - 1];
    if (n >= 2 && with_units(run, n, &value))
        (void)snprintf(out->text, sizeof out->text, "%llu", (unsigned long long)value);
    else if (!digits_alone(run, n, out->text))
        return false;
    /* 三点五 with a decimal part */
    struct str rest = str_from(in, out->end);
    if (str_starts(rest, STR("点"))) {
        size_t k = 3, len = strlen(out->text);
        char decimals[16];
        size_t m = 0, good = 0;
        while (k < rest.len && m + 1 < sizeof decimals) {
            size_t next = k;
            int d = digit_of(text_next(rest, &next));
            if (d < 0)
                break;
            decimals[m++] = (char)('0' + d);
            good = k = next;
        }
        if (m && len + m + 2 < sizeof out->text) {
            (void)snprintf(out->text + len, sizeof out->text - len, ".%.*s", (int)m, decimals);
            out->end += good;
        }
    }
    return true;
}

static size_t skip_run(struct str in, size_t at)
{
    for (size_t i = at; i < in.len; at = i) {
        uint32_t c = text_next(in, &i);
        if (digit_of(c) < 0 && !unit_of(c))
            break;
    }
    return at;
}

static enum err to_digits(const struct data_call *call, struct str in, struct buf *out)
{
    size_t from = 0;
    for (size_t i = 0; i < in.len;) {
        size_t at = i, next = i;
        uint32_t c = text_next(in, &next);
        if (c < 0x3007 || (digit_of(c) < 0 && !unit_of(c))) {
            i = next;
            continue;
        }
        struct number number;
        struct str before = str_slice(in, 0, at);
        bool percent = str_ends(before, STR("百分之")), ordinal = str_ends(before, STR("第"));
        i = skip_run(in, at);
        if (percent && read_chinese(in, at, &number)) {
            buf_add(out, str_slice(in, from, at - 9 < from ? from : at - 9));
            buf_printf(out, "%s%%", number.text);
        } else if ((!ordinal || call->args[ORDINALS].number > 0) && read_chinese(in, at, &number)) {
            buf_add(out, str_slice(in, from, at));
            buf_add_c(out, number.text);
        } else {
            continue;
        }
        from = i = number.end;
    }
    if (from)
        buf_add(out, str_from(in, from));
    return ERR_OK;
}

/* Four digits: 1005 is 一千零五. */
static void put_section(struct buf *out, unsigned value, bool inside)
{
    static const char *const units[] = {"千", "百", "十", ""};
    static const unsigned sizes[] = {1000, 100, 10, 1};
    bool any = false, zero = inside && value < 1000;
    for (size_t i = 0; i < 4; i++) {
        unsigned d = value / sizes[i] % 10;
        if (!d) {
            zero |= any;
            continue;
        }
        if (zero)
            buf_add_c(out, "零");
        zero = false;
        /* 15 is 十五, 115 一百一十五 */
        if (!(d == 1 && i == 2 && !any && !inside))
            buf_add_c(out, digit_names[d]);
        buf_add_c(out, units[i]);
        any = true;
    }
}

static void put_chinese(struct buf *out, uint64_t value)
{
    static const char *const bigs[] = {"", "万", "亿"};
    bool inside = false;
    if (!value)
        buf_add_c(out, "零");
    for (int k = 2; k >= 0; k--) {
        unsigned section = (unsigned)(value / (k == 2 ? 100000000u : k == 1 ? 10000u : 1u) % 10000);
        if (!section)
            continue;
        put_section(out, section, inside);
        buf_add_c(out, bigs[k]);
        inside = true;
    }
}

/* Digits that are a quantity: not part of a word, a code, a fraction, a date or a long number. */
static bool is_quantity(struct str in, size_t at, size_t end)
{
    static const char beside[] = "./-:_%@#+*=,~";
    if (end - at > 12 || (in.ptr[at] == '0' && end - at > 1))
        return false;
    char before = at ? in.ptr[at - 1] : ' ', behind = end < in.len ? in.ptr[end] : ' ';
    bool word = ((before | 32) >= 'a' && (before | 32) <= 'z') ||
                ((behind | 32) >= 'a' && (behind | 32) <= 'z');
    return !word && !strchr(beside, before) && !strchr(beside, behind);
}

static enum err to_chinese(const struct data_call *call, struct str in, struct buf *out)
{
    size_t from = 0;
    for (size_t i = 0; i < in.len;) {
        size_t at = i;
        if (in.ptr[i] < '0' || in.ptr[i] > '9') {
            i++;
            continue;
        }
        uint64_t value = 0;
        while (i < in.len && in.ptr[i] >= '0' && in.ptr[i] <= '9')
            value = i - at < 12 ? value * 10 + (uint64_t)(in.ptr[i++] - '0') : (i++, value);
        bool ordinal =
            str_ends(str_slice(in, 0, at), STR("第")) && !(call->args[ORDINALS].number > 0);
        bool year = i - at == 4 && str_starts(str_from(in, i), STR("年"));
        if (!is_quantity(in, at, i) || ordinal)
            continue;
        buf_add(out, str_slice(in, from, at));
        for (size_t k = at; year && k < i; k++)
            buf_add_c(out, in.ptr[k] == '0' ? "〇" : digit_names[in.ptr[k] - '0']);
        if (!year)
            put_chinese(out, value);
        from = i;
    }
    if (from)
        buf_add(out, str_from(in, from));
    return ERR_OK;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct buf buf;
    buf_init(&buf, call->arena);
    enum err err =
        call->args[TO].number > 0 ? to_chinese(call, in, &buf) : to_digits(call, in, &buf);
    if (!err)
        err = buf_err(&buf, why);
    *out = buf.len ? buf_str(&buf) : in;
    return err;
}

const struct data_op data_op_numerals = {
    .name = "numerals",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Write Chinese numerals as digits or digits as Chinese numerals, where it is sure "
               "that they are numbers",
    .summary_zh = "汉字数字与阿拉伯数字互转，只转换确定是数量的部分（“千万”“万一”等词不动）",
    .source = "GB/T 15835-2011 as commonly described for the forms; which runs are numbers is ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
