/* knowledge/numeral - Chinese numbers, article numbers and dates. */
#include "knowledge/numeral.h"

#include "core/utf8.h"

#include <stdio.h>
#include <string.h>

#define MOST 999999999u

/* 0..9 for a digit of any writing, 10, 100, 1000, 10000 for a unit, -1 for anything else. */
static int worth(uint32_t c)
{
    if (c >= '0' && c <= '9')
        return (int)(c - '0');
    if (c >= 0xFF10 && c <= 0xFF19)
        return (int)(c - 0xFF10);
    switch (c) {
    case 0x96F6: /* 零 */
    case 0x3007: /* 〇 */
    case 0x25CB: /* ○ */
    case 0x25EF: /* ◯ */
        return 0;
    case 0x4E00: /* 一 */
        return 1;
    case 0x4E8C: /* 二 */
    case 0x4E24: /* 两 */
        return 2;
    case 0x4E09: /* 三 */
        return 3;
    case 0x56DB: /* 四 */
        return 4;
    case 0x4E94: /* 五 */
        return 5;
    case 0x516D: /* 六 */
        return 6;
    case 0x4E03: /* 七 */
        return 7;
    case 0x516B: /* 八 */
        return 8;
    case 0x4E5D: /* 九 */
        return 9;
    case 0x5341: /* 十 */
        return 10;
    case 0x767E: /* 百 */
        return 100;
    case 0x5343: /* 千 */
        return 1000;
    case 0x4E07: /* 万 */
        return 10000;
    default:
        return -1;
    }
}

bool numeral_read(struct str s, uint32_t *n, size_t *used)
{
    uint64_t total = 0, section = 0, digits = 0;
    bool any = false, pending = false; /* pending: digits that no unit has taken yet */
    size_t at = 0, end = 0;
    while (at < s.len) {
        int w = worth(utf8_next(s, &at));
        if (w < 0)
            break;
        if (w < 10) {
            /* Digits side by side are positional (二〇二五); the 零 of 一百零三 changes nothing. */
            digits = digits * 10 + (uint64_t)w;
            pending = true;
        } else if (w < 10000) {
            /* 十二 begins with its unit; so does 一百十二, as people say it. */
            section += (pending && digits ? digits : 1) * (uint64_t)w;
            digits = 0;
            pending = false;
        } else {
            total = (total + section + digits) * (uint64_t)w;
            section = digits = 0;
            pending = false;
        }
        any = true;
        end = at;
        if (total + section + digits > MOST)
            return false;
    }
    if (!any)
        return false;
    *n = (uint32_t)(total + section + digits);
    *used = end;
    return true;
}

static const char *const digit_words[] = {"零", "一", "二", "三", "四",
                                          "五", "六", "七", "八", "九"};

/* Below 10,000; `inside` when something stands before it (then 10 is 一十 and gaps get 零). */
static size_t write_section(uint32_t n, bool inside, char *out, size_t room)
{
    static const struct {
        uint32_t worth;
        const char *word;
    } units[] = {{1000, "千"}, {100, "百"}, {10, "十"}, {1, ""}};
    size_t len = 0;
    bool gap = inside && n < 1000, begun = inside;
    for (size_t i = 0; i < 4; i++) {
        uint32_t d = n / units[i].worth;
        n %= units[i].worth;
        if (!d) {
            gap = gap || (begun && n > 0);
            continue;
        }
        bool bare_ten = units[i].worth == 10 && d == 1 && !begun;
        len += (size_t)snprintf(out + len, room - len, "%s%s%s", gap ? "零" : "",
                                bare_ten ? "" : digit_words[d], units[i].word);
        gap = false;
        begun = true;
    }
    return len;
}

const char *numeral_write(uint32_t n, char out[NUMERAL_TEXT])
{
    size_t len = 0;
    out[0] = '\0';
    if (n == 0)
        (void)snprintf(out, NUMERAL_TEXT, "零");
    if (n > 99999999)
        (void)snprintf(out, NUMERAL_TEXT, "%u", n);
    if (n == 0 || n > 99999999)
        return out;
    if (n >= 10000) {
        len = write_section(n / 10000, false, out, NUMERAL_TEXT);
        len += (size_t)snprintf(out + len, NUMERAL_TEXT - len, "万");
    }
    if (n % 10000)
        (void)write_section(n % 10000, n >= 10000, out + len, NUMERAL_TEXT - len);
    return out;
}

bool numeral_article(struct str s, struct numeral_article *out)
{
    static const struct str begin = STR_INIT("第"), end = STR_INIT("条"), of = STR_INIT("之");
    if (!str_starts(s, begin))
        return false;
    uint32_t number = 0, sub = 0;
    size_t used = 0, len = begin.len;
    while (len < s.len && s.ptr[len] == ' ') /* 第 三 条 in tidy print */
        len++;
    if (!numeral_read(str_from(s, len), &number, &used))
        return false;
    len += used;
    while (len < s.len && s.ptr[len] == ' ')
        len++;
    if (!str_starts(str_from(s, len), end))
        return false;
    len += end.len;
    struct str rest = str_from(s, len);
    if (str_starts(rest, of) && numeral_read(str_from(rest, of.len), &sub, &used))
        len += of.len + used;
    else
        sub = 0;
    *out = (struct numeral_article){number, sub, len};
    return true;
}

const char *numeral_article_write(uint32_t number, uint32_t sub, char out[2 * NUMERAL_TEXT])
{
    char a[NUMERAL_TEXT], b[NUMERAL_TEXT];
    if (sub)
        (void)snprintf(out, 2 * NUMERAL_TEXT, "第%.48s条之%.48s", numeral_write(number, a),
                       numeral_write(sub, b));
    else
        (void)snprintf(out, 2 * NUMERAL_TEXT, "第%s条", numeral_write(number, a));
    return out;
}

/* ---- dates ---- */

static size_t skip_spaces(struct str s, size_t at)
{
    while (at < s.len) {
        size_t next = at;
        if (!utf8_is_space(utf8_next(s, &next)))
            break;
        at = next;
    }
    return at;
}

/* A number, then one of the separators of its place: 年 - / . and so on. */
static bool part(struct str s, size_t *at, const char *word, char *sep, uint32_t *n)
{
    size_t used = 0, p = skip_spaces(s, *at);
    if (!numeral_read(str_from(s, p), n, &used))
        return false;
    p = skip_spaces(s, p + used);
    struct str rest = str_from(s, p);
    struct str w = str_c(word);
    if ((*sep == 0 || *sep == 'h') && str_starts(rest, w)) {
        *sep = 'h';
        *at = p + w.len;
        return true;
    }
    if (*sep != 'h' && rest.len && strchr("-/.", rest.ptr[0]) && (!*sep || *sep == rest.ptr[0])) {
        *sep = rest.ptr[0];
        *at = p + 1;
        return true;
    }
    return false;
}

static bool date_at(struct str s, size_t start, struct numeral_date *out)
{
    char sep = 0;
    uint32_t year = 0, month = 0, day = 0;
    size_t at = start, used = 0;
    if (!part(s, &at, "年", &sep, &year) || year < 1800 || year > 2999)
        return false;
    if (!part(s, &at, "月", &sep, &month) || month < 1 || month > 12)
        return false;
    size_t p = skip_spaces(s, at);
    if (!numeral_read(str_from(s, p), &day, &used) || day < 1 || day > 31)
        return false;
    p += used;
    size_t tail = skip_spaces(s, p);
    if (sep == 'h') {
        if (str_starts(str_from(s, tail), STR("日")) || str_starts(str_from(s, tail), STR("号")))
            p = tail + strlen("日");
    }
    int32_t found = day_from_ymd((int)year, (int)month, (int)day);
    if (found == DAY_NONE)
        return false;
    *out = (struct numeral_date){found, start, p};
    return true;
}

bool numeral_date_next(struct str s, size_t *at, struct numeral_date *out)
{
    bool inside = false; /* the character before is part of a number */
    size_t i = *at < s.len ? *at : s.len;
    while (i < s.len) {
        size_t next = i;
        int w = worth(utf8_next(s, &next));
        if (w >= 0 && w < 10 && !inside && date_at(s, i, out)) {
            *at = out->end;
            return true;
        }
        inside = w >= 0;
        i = next;
    }
    *at = s.len;
    return false;
}
