#include "privacy/cases.h"

#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

#define N(array) (sizeof(array) / sizeof(array)[0])

static uint64_t next(struct cases *c)
{
    uint64_t z = (c->state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static unsigned below(struct cases *c, unsigned n)
{
    return (unsigned)(next(c) % n);
}

static void put_digits(struct cases *c, char *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (char)('0' + below(c, 10));
    out[n] = '\0';
}

#define PICK(c, array) (array)[below((c), (unsigned)N(array))]

/* ---- values ---- */

static char id_check(const char *s)
{
    static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    int sum = 0;
    for (int i = 0; i < 17; i++)
        sum += weights[i] * (s[i] - '0');
    return "10X98765432"[sum % 11];
}

static void id_of(struct cases *c, const char *region, char *out)
{
    unsigned month = 1 + below(c, 12);
    (void)snprintf(out, 32, "%.6s%04u%02u%02u%03u", region, 1940 + below(c, 75), month,
                   1 + below(c, 28), below(c, 1000));
    out[17] = id_check(out);
    out[18] = '\0';
}

static const char *const regions[] = {"110101", "110105", "310104", "310115", "440103", "440106",
                                      "440305", "500103", "510104", "420106", "330106", "320102",
                                      "370102", "610113", "210102", "430102", "130102", "650102"};

static char credit_check(const char *s)
{
    static const char set[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    int sum = 0, weight = 1;
    for (int i = 0; i < 17; i++, weight = weight * 3 % 31)
        sum += weight * (int)(strchr(set, s[i]) - set);
    return set[(31 - sum % 31) % 31];
}

static void credit_of(struct cases *c, char *out)
{
    static const char set[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    static const char *const heads[] = {"91", "92", "93", "12", "52", "11"};
    (void)snprintf(out, 32, "%s%s", PICK(c, heads), PICK(c, regions));
    for (int i = 8; i < 17; i++)
        out[i] = below(c, 3) ? (char)('0' + below(c, 10)) : set[below(c, 31)];
    out[17] = credit_check(out);
    out[18] = '\0';
}

static char luhn(const char *s, size_t n)
{
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        int d = s[n - 1 - i] - '0';
        if (i % 2 == 0)
            d = d * 2 > 9 ? d * 2 - 9 : d * 2;
        sum += d;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

static void card_of(struct cases *c, char *out)
{
    static const char *const heads[] = {"622202", "622848", "621700", "621661", "622588", "622260",
                                        "621799", "622155", "621226", "622700", "436742", "521899"};
    const char *head = PICK(c, heads);
    size_t n = head[0] == '6' ? (below(c, 3) ? 19 : 16) : 16;
    memcpy(out, head, 6);
    put_digits(c, out + 6, n - 7);
    out[n - 1] = luhn(out, n - 1);
    out[n] = '\0';
}

static void mobile_of(struct cases *c, char *out)
{
    static const char *const heads[] = {"130", "131", "135", "136", "137", "138", "139", "150",
                                        "151", "157", "158", "166", "173", "176", "177", "180",
                                        "182", "185", "187", "188", "189", "191", "198", "199"};
    (void)snprintf(out, 32, "%s", PICK(c, heads));
    put_digits(c, out + 3, 8);
}

static void landline_of(struct cases *c, char *out)
{
    static const char *const eight[] = {"010", "020", "021", "022", "027", "028", "0755", "0571"};
    static const char *const seven[] = {"0554", "0717", "0834", "0937"};
    bool big = below(c, 4) > 0;
    int n = snprintf(out, 32, "%s", big ? PICK(c, eight) : PICK(c, seven));
    out[n] = (char)('2' + below(c, 7));
    put_digits(c, out + n + 1, big ? 7 : 6);
}

static void plate_of(struct cases *c, char *out)
{
    static const char *const provinces[] = {"京", "沪", "粤", "苏", "浙", "川",
                                            "鲁", "冀", "豫", "湘", "鄂", "闽"};
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ";
    char tail[16];
    put_digits(c, tail, 5);
    switch (below(c, 6)) {
    case 0: /* new energy, small */
        (void)snprintf(out, 32, "%s%cD%s", PICK(c, provinces), letters[below(c, 12)], tail);
        return;
    case 1: /* new energy, large */
        (void)snprintf(out, 32, "%s%c%sF", PICK(c, provinces), letters[below(c, 12)], tail);
        return;
    case 2: { /* police, learner, trailer */
        static const char *const ends[] = {"警", "学", "挂"};
        tail[4] = '\0';
        (void)snprintf(out, 32, "%s%c%s%s", PICK(c, provinces), letters[below(c, 12)], tail,
                       PICK(c, ends));
        return;
    }
    default:
        if (below(c, 2))
            tail[below(c, 5)] = letters[below(c, 24)];
        (void)snprintf(out, 32, "%s%c%s", PICK(c, provinces), letters[below(c, 12)], tail);
    }
}

static void email_of(struct cases *c, char *out)
{
    static const char *const names[] = {"zhangwei", "li.na", "wang_fang", "chen-jie", "liuyang"};
    static const char *const homes[] = {"163.com",   "qq.com",      "126.com", "sina.com.cn",
                                        "gmail.com", "foxmail.com", "139.com"};
    (void)snprintf(out, 64, "%s%u@%s", PICK(c, names), below(c, 10000), PICK(c, homes));
}

static void account_of(struct cases *c, char *out)
{
    static const char *const names[] = {"wxid_", "happy_", "Lily-", "xiaoming", "sunny"};
    if (below(c, 2)) {
        out[0] = (char)('1' + below(c, 9));
        put_digits(c, out + 1, 6 + below(c, 4));
    } else
        (void)snprintf(out, 64, "%s%u", PICK(c, names), 1000 + below(c, 900000));
}

static void value_of(struct cases *c, enum privacy_kind kind, char *out)
{
    switch (kind) {
    case PRIVACY_ID_NUMBER:
        id_of(c, PICK(c, regions), out);
        break;
    case PRIVACY_RESIDENCE_PERMIT: {
        static const char *const codes[] = {"810000", "820000", "830000"};
        id_of(c, PICK(c, codes), out);
        break;
    }
    case PRIVACY_CREDIT_CODE:
        credit_of(c, out);
        break;
    case PRIVACY_BANK_CARD:
        card_of(c, out);
        break;
    case PRIVACY_MOBILE:
        mobile_of(c, out);
        break;
    case PRIVACY_LANDLINE:
        landline_of(c, out);
        break;
    case PRIVACY_PASSPORT:
        out[0] = "EGE"[below(c, 3)];
        put_digits(c, out + 1, 8);
        if (out[0] == 'E' && below(c, 2))
            out[1] = "ABCDEFGH"[below(c, 8)];
        break;
    case PRIVACY_OFFICER_CARD: {
        static const char *const heads[] = {"军", "南", "空", "海", "政", "沈"};
        char digits[16];
        put_digits(c, digits, 6 + below(c, 3));
        (void)snprintf(out, 64, "%s字第%s号", PICK(c, heads), digits);
        break;
    }
    case PRIVACY_HK_MACAU_PERMIT:
        out[0] = "HM"[below(c, 2)];
        put_digits(c, out + 1, below(c, 2) ? 8 : 10);
        break;
    case PRIVACY_TAIWAN_PERMIT:
        put_digits(c, out, 8);
        break;
    case PRIVACY_PLATE:
        plate_of(c, out);
        break;
    case PRIVACY_EMAIL:
        email_of(c, out);
        break;
    case PRIVACY_IPV4: {
        static const unsigned heads[] = {192, 10, 172, 61, 119, 218, 113};
        (void)snprintf(out, 64, "%u.%u.%u.%u", PICK(c, heads), below(c, 256), below(c, 256),
                       1 + below(c, 254));
        break;
    }
    case PRIVACY_IPV6:
        (void)snprintf(out, 64, "2409:8a%02x:%x:%x::%x", below(c, 256), 1 + below(c, 0xfffe),
                       1 + below(c, 0xfffe), 1 + below(c, 0xfffe));
        break;
    case PRIVACY_MAC:
        (void)snprintf(out, 64, "%02x:%02x:%02x:%02x:%02x:%02x", below(c, 256), below(c, 256),
                       below(c, 256), below(c, 256), below(c, 256), below(c, 256));
        break;
    case PRIVACY_ACCOUNT:
        account_of(c, out);
        break;
    default: /* PRIVACY_BIRTH_DATE */
        (void)snprintf(out, 64, "%04u-%02u-%02u", 1940 + below(c, 75), 1 + below(c, 12),
                       1 + below(c, 28));
    }
}

/* ---- near misses: a value of the form, wrong in what makes it one ---- */

static void miss_of(struct cases *c, enum privacy_kind kind, char *out)
{
    size_t n;
    value_of(c, kind, out);
    n = strlen(out);
    switch (kind) {
    case PRIVACY_ID_NUMBER:
    case PRIVACY_RESIDENCE_PERMIT:
        switch (below(c, 4)) {
        case 0: /* the check digit */
            out[17] = out[17] == 'X' ? '3' : (char)('0' + (out[17] - '0' + 1 + below(c, 8)) % 10);
            break;
        case 1: /* no such month */
            out[10] = '1', out[11] = (char)('3' + below(c, 7));
            out[17] = id_check(out);
            break;
        case 2: /* no such province */
            out[0] = '9', out[1] = '9';
            out[17] = id_check(out);
            break;
        default: /* a digit too many */
            out[18] = (char)('0' + below(c, 10));
            out[17] = out[17] == 'X' ? '5' : out[17];
            out[19] = '\0';
            if (luhn(out, 18) == out[18])
                out[18] = (char)('0' + (out[18] - '0' + 1) % 10);
        }
        break;
    case PRIVACY_CREDIT_CODE:
        out[17] = out[17] == '7' ? '8' : '7';
        break;
    case PRIVACY_BANK_CARD:
        out[n - 1] = (char)('0' + (out[n - 1] - '0' + 1 + below(c, 9)) % 10);
        break;
    case PRIVACY_MOBILE:
        if (below(c, 2))
            out[1] = (char)('0' + below(c, 2) * 2); /* 10x, 12x */
        else
            put_digits(c, out + 11, 1 + below(c, 2)); /* too long */
        break;
    case PRIVACY_LANDLINE: /* of an office: said by the sentence; or a service number */
        if (below(c, 3) == 0)
            (void)snprintf(out, 32, "%s%03u%04u", below(c, 2) ? "400" : "800", below(c, 1000),
                           below(c, 10000));
        break;
    case PRIVACY_PASSPORT:
    case PRIVACY_HK_MACAU_PERMIT:
        out[n - 2] = '\0';
        break;
    case PRIVACY_PLATE: /* I and O are not used */
        memcpy(out + 4, "IO", 2);
        break;
    case PRIVACY_EMAIL:
        *strchr(out, '@') = below(c, 2) ? '#' : '.';
        break;
    case PRIVACY_IPV4: /* a version, or a part above 255 */
        (void)snprintf(out, 64, "%u.%u.%u.%u", below(c, 10), below(c, 30), 256 + below(c, 700),
                       below(c, 10));
        break;
    case PRIVACY_IPV6: /* a time */
        (void)snprintf(out, 64, "%02u:%02u:%02u", below(c, 24), below(c, 60), below(c, 60));
        break;
    case PRIVACY_MAC:
        out[n - 3] = '\0';
        break;
    default:
        break;
    }
}

/* ---- spellings ---- */

/* What a spelling suits. */
enum { DIGITS = 1, CHECKED = 2, LETTERS = 4, MARKS = 8, FIXED = 16 };

static const unsigned suits[PRIVACY_KINDS] = {
    [PRIVACY_ID_NUMBER] = DIGITS | CHECKED,
    [PRIVACY_RESIDENCE_PERMIT] = DIGITS | CHECKED,
    [PRIVACY_CREDIT_CODE] = LETTERS,
    [PRIVACY_BANK_CARD] = DIGITS | CHECKED,
    [PRIVACY_MOBILE] = DIGITS,
    [PRIVACY_LANDLINE] = DIGITS,
    [PRIVACY_PASSPORT] = LETTERS,
    [PRIVACY_OFFICER_CARD] = FIXED,
    [PRIVACY_HK_MACAU_PERMIT] = LETTERS,
    [PRIVACY_TAIWAN_PERMIT] = FIXED,
    [PRIVACY_PLATE] = FIXED,
    [PRIVACY_EMAIL] = MARKS,
    [PRIVACY_IPV4] = FIXED,
    [PRIVACY_IPV6] = FIXED,
    [PRIVACY_MAC] = FIXED,
    [PRIVACY_ACCOUNT] = FIXED,
};

static const char *const han[] = {"〇", "一", "二", "三", "四", "五", "六", "七", "八", "九"};
static const char *const spoken[] = {"零", "幺", "二", "三", "四", "五", "六", "七", "八", "九"};
static const char *const money[] = {"零", "壹", "贰", "叁", "肆", "伍", "陆", "柒", "捌", "玖"};
static const char *const old_money[] = {"零", "壹", "貳", "參", "肆", "伍", "陸", "柒", "捌", "玖"};
static const char *const circled[] = {"⓪", "①", "②", "③", "④", "⑤", "⑥", "⑦", "⑧", "⑨"};

static void put_wide(struct buf *out, char c)
{
    char bytes[UTF8_MAX_BYTES];
    size_t n = utf8_put(bytes, c > ' ' ? (uint32_t)(unsigned char)c - '!' + 0xFF01 : 0x3000);
    buf_add(out, (struct str){bytes, n});
}

/* Sizes of the groups that people write such a number in. */
static const char *groups_of(enum privacy_kind kind, size_t len)
{
    switch (kind) {
    case PRIVACY_ID_NUMBER:
    case PRIVACY_RESIDENCE_PERMIT:
        return "684";
    case PRIVACY_MOBILE:
        return "344";
    case PRIVACY_LANDLINE:
        return len == 12 ? "48" : len == 11 ? "38" : "37";
    case PRIVACY_PASSPORT:
    case PRIVACY_HK_MACAU_PERMIT:
        return "144";
    default:
        return "444443";
    }
}

static void grouped(struct buf *out, const char *s, const char *groups, const char *mark, bool wide)
{
    size_t left = (size_t)(*groups - '0');
    for (; *s; s++, left--) {
        if (!left && groups[1]) {
            buf_add_c(out, mark);
            left = (size_t)(*++groups - '0');
        }
        if (wide)
            put_wide(out, *s);
        else
            buf_char(out, *s);
    }
}

static void numerals(struct buf *out, const char *s, const char *const *table, unsigned every)
{
    for (unsigned i = 0; s[i]; i++)
        if (s[i] >= '0' && s[i] <= '9' && i % every == 0)
            buf_add_c(out, table[s[i] - '0']);
        else
            buf_char(out, s[i]);
}

static void joined(struct buf *out, const char *s, const char *mark, size_t every)
{
    for (size_t i = 0; s[i]; i++) {
        if (i && i % every == 0)
            buf_add_c(out, mark);
        buf_char(out, s[i]);
    }
}

static void swapped(struct buf *out, const char *s, char zero, char one)
{
    for (; *s; s++)
        buf_char(out, *s == '0' ? zero : *s == '1' && one ? one : *s);
}

static void lowered(struct buf *out, const char *s)
{
    for (; *s; s++)
        buf_char(out, (char)(*s >= 'A' && *s <= 'Z' ? *s | 32 : *s));
}

static void bracketed(struct buf *out, const char *s, const char *groups)
{
    size_t n = (size_t)(groups[0] - '0');
    buf_printf(out, "(%.*s)%s", (int)n, s, s + n);
}

static void spell_tune(struct cases *c, struct buf *out, const char *s, struct cases_one *one)
{
    unsigned suit = suits[one->kind];
    const char *groups = groups_of(one->kind, strlen(s));
    unsigned way = suit & FIXED ? 0 : suit & MARKS ? 20 + below(c, 3) : below(c, 13);
    one->spelling = "plain";
    if (suit & LETTERS && way >= 6 && way <= 8)
        way = 2;
    if (way == 11 && !(suit & CHECKED))
        way = 0;
    switch (way) {
    case 1:
    case 21:
        one->spelling = "full width";
        grouped(out, s, "9", "", true);
        return;
    case 2:
        one->spelling = "groups, spaces";
        grouped(out, s, groups, " ", false);
        return;
    case 3:
        one->spelling = "groups, dashes";
        grouped(out, s, groups, "-", false);
        return;
    case 4:
        one->spelling = "space between all";
        joined(out, s, " ", 1);
        return;
    case 5:
        one->spelling = "U+200B";
        joined(out, s, "\u200B", 2);
        return;
    case 6:
        one->spelling = "Chinese numerals";
        numerals(out, s, han, 1);
        return;
    case 7:
        one->spelling = "Chinese numerals, spoken";
        numerals(out, s, spoken, 1);
        return;
    case 8:
        one->spelling = "Chinese numerals of money";
        numerals(out, s, money, 1);
        return;
    case 9:
        one->spelling = "line break";
        joined(out, s, "\n", strlen(s) / 2 + 1);
        return;
    case 10:
        one->spelling = "middle dots";
        grouped(out, s, groups, "·", false);
        return;
    case 11:
        one->spelling = "O and l";
        swapped(out, s, 'O', 'l');
        return;
    case 12:
        one->spelling = "lower case";
        lowered(out, s);
        return;
    case 22:
        one->spelling = "spaces about @";
        for (; *s; s++)
            buf_add_c(out, *s == '@' ? " @ " : (char[]){*s, '\0'});
        return;
    default:
        buf_add_c(out, s);
    }
}

static void spell_held(struct cases *c, struct buf *out, const char *s, struct cases_one *one)
{
    static const char *const dashes[] = {"–", "—", "－", "‐", "−"};
    static const char *const nothing[] = {"\u200D", "\uFEFF", "\u2060", "\u00AD", "\u200C"};
    unsigned suit = suits[one->kind];
    const char *groups = groups_of(one->kind, strlen(s));
    unsigned way = suit & FIXED ? 99 : suit & MARKS ? 20 + below(c, 3) : below(c, 14);
    if (suit & LETTERS && (way == 5 || way == 8 || way == 12))
        way = 1;
    if (way == 9 && !(suit & CHECKED))
        way = 4;
    switch (way) {
    case 0:
        one->spelling = "half and full width mixed";
        for (size_t i = 0; s[i]; i++)
            if (i % 2)
                put_wide(out, s[i]);
            else
                buf_char(out, s[i]);
        return;
    case 1:
        one->spelling = "wide spaces between groups";
        grouped(out, s, groups, "\u3000", true);
        return;
    case 2:
        one->spelling = "typographic dashes";
        grouped(out, s, groups, PICK(c, dashes), false);
        return;
    case 3:
        one->spelling = "line break and indent";
        joined(out, s, "\r\n    ", strlen(s) / 2 + 1);
        return;
    case 4:
        one->spelling = "characters of no width";
        joined(out, s, PICK(c, nothing), 1 + below(c, 3));
        return;
    case 5:
        one->spelling = "numerals and digits mixed";
        numerals(out, s, below(c, 2) ? han : spoken, 2 + below(c, 2));
        return;
    case 6:
        one->spelling = "slashes or underscores";
        grouped(out, s, groups, below(c, 2) ? "/" : "_", false);
        return;
    case 7:
        one->spelling = "commas between all";
        joined(out, s, below(c, 2) ? "、" : "，", 1);
        return;
    case 8:
        one->spelling = "traditional numerals of money";
        numerals(out, s, old_money, 1);
        return;
    case 9:
        one->spelling = "o and I";
        swapped(out, s, 'o', 'I');
        return;
    case 10:
        one->spelling = "brackets";
        bracketed(out, s, groups);
        return;
    case 11:
        one->spelling = "tabs and double spaces";
        grouped(out, s, groups, below(c, 2) ? "\t" : "  ", false);
        return;
    case 12:
        one->spelling = "circled digits";
        numerals(out, s, circled, 1);
        return;
    case 13:
        one->spelling = "keycaps";
        for (; *s; s++)
            buf_printf(out, *s >= '0' && *s <= '9' ? "%c\uFE0F\u20E3" : "%c", *s);
        return;
    case 20:
        one->spelling = "wide @ and dot";
        for (; *s; s++)
            buf_add_c(out, *s == '@' ? "＠" : *s == '.' ? "．" : (char[]){*s, '\0'});
        return;
    case 21:
        one->spelling = "(at)";
        for (; *s; s++)
            buf_add_c(out, *s == '@' ? "(at)" : (char[]){*s, '\0'});
        return;
    default:
        one->spelling = "plain";
        buf_add_c(out, s);
    }
}

static void spell_last(struct cases *c, struct buf *out, const char *s, struct cases_one *one)
{
    static const char *const bold[] = {"𝟎", "𝟏", "𝟐", "𝟑", "𝟒", "𝟓", "𝟔", "𝟕", "𝟖", "𝟗"};
    static const char *const round[] = {"⓪", "❶", "❷", "❸", "❹", "❺", "❻", "❼", "❽", "❾"};
    static const char *const marks[] = {".", "\n", " - ", "——", "\u00A0", "\u2009",
                                        "~", "+",  "•",   "|",  " / ",    "，"};
    unsigned suit = suits[one->kind];
    const char *groups = groups_of(one->kind, strlen(s));
    unsigned way = suit & FIXED ? 99 : suit & MARKS ? 40 + below(c, 4) : below(c, 18);
    if (suit & LETTERS && (way == 12 || way == 13))
        way = 16;
    if (way < N(marks)) {
        one->spelling = marks[way];
        grouped(out, s, groups, marks[way], false);
    } else if (way == 12 || way == 13) {
        one->spelling = way == 12 ? "bold digits" : "white on black";
        numerals(out, s, way == 12 ? bold : round, 1);
    } else if (way == 14) {
        one->spelling = "dash between all";
        joined(out, s, "-", 1);
    } else if (way == 15) {
        one->spelling = "U+200F";
        joined(out, s, "\u200F", 1);
    } else if (way == 16) {
        one->spelling = "wide, narrow spaces";
        grouped(out, s, groups, " ", true);
    } else if (way == 17) {
        one->spelling = "square brackets";
        buf_printf(out, "【%.*s】%s", groups[0] - '0', s, s + (groups[0] - '0'));
    } else if (way == 40) {
        one->spelling = "[at]";
        for (; *s; s++)
            buf_add_c(out, *s == '@' ? "[at]" : (char[]){*s, '\0'});
    } else if (way == 41) {
        one->spelling = "（at）";
        for (; *s; s++)
            buf_add_c(out, *s == '@' ? "（at）" : (char[]){*s, '\0'});
    } else if (way == 42) {
        one->spelling = "capitals";
        for (; *s; s++)
            buf_char(out, (char)(*s >= 'a' && *s <= 'z' ? *s - 32 : *s));
    } else {
        one->spelling = "plain";
        buf_add_c(out, s);
    }
}

/* Spellings of their own: a plate with a dot, a birthday in words. */
static void spell_plate(struct cases *c, struct buf *out, const char *s, struct cases_one *one)
{
    static const char *const marks[2][3] = {{"", "·", " "}, {"•", "-", "．"}};
    const char *mark = marks[one->miss ? 0 : c->set > 0][below(c, 3)];
    one->spelling = mark[0] ? mark : "plain";
    buf_printf(out, "%.4s%s%s", s, mark, s + 4);
}

static void put_chinese(struct buf *out, const char *digits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_c(out, han[digits[i] - '0']);
}

static void put_counted(struct buf *out, unsigned n)
{
    if (n >= 20)
        buf_add_c(out, han[n / 10]);
    if (n >= 10)
        buf_add_c(out, "十");
    if (n % 10)
        buf_add_c(out, han[n % 10]);
}

static void spell_birth(struct cases *c, struct buf *out, const char *s, struct cases_one *one)
{
    unsigned y = 0, m = 0, d = 0;
    (void)sscanf(s, "%u-%u-%u", &y, &m, &d);
    switch (below(c, 2) + 2 * (unsigned)(c->set > 0)) {
    case 0:
        one->spelling = "1985年3月2日";
        buf_printf(out, "%u年%u月%u日", y, m, d);
        return;
    case 1:
        one->spelling = "1985-03-02";
        buf_add_c(out, s);
        return;
    case 2:
        one->spelling = "一九八五年三月二日";
        put_chinese(out, s, 4);
        buf_add_c(out, "年");
        put_counted(out, m);
        buf_add_c(out, "月");
        put_counted(out, d);
        buf_add_c(out, "日");
        return;
    default:
        one->spelling = "1985.03.02";
        buf_printf(out, "%04u.%02u.%02u", y, m, d);
    }
}

/* ---- sentences: '$' is the place ---- */

static const char *const plain_tune[] = {
    "市民来电反映问题，$，请尽快处理。",
    "申请人提供：$（已核对）",
    "记录如下 $ 待回访",
    "$",
    "本人张先生，$，家住幸福小区，咨询公积金提取。",
    "转办单：$；紧急程度：一般",
};
static const char *const plain_last[] = {
    "市民反映：$，麻烦核实一下。",
    "[备注]$",
    "之前登记过，$（以此为准）",
    "附：$\t无",
};
static const char *const plain_held[] = {
    "诉求内容：楼上漏水三天没人管，$。望解决！",
    "【登记】$【完】",
    "您好我的是$谢谢",
    "来电人留下了“$”，希望回复",
    "1. $\n2. 其他无",
};

#define CUES(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
/* Before the value where its form alone does not tell. */
static const char *const *const cues[2][PRIVACY_KINDS] = {
    {
        [PRIVACY_ID_NUMBER] = CUES("身份证号", "身份证号码：", ""),
        [PRIVACY_RESIDENCE_PERMIT] = CUES("港澳台居民居住证：", "居住证号"),
        [PRIVACY_CREDIT_CODE] = CUES("统一社会信用代码：", ""),
        [PRIVACY_BANK_CARD] = CUES("银行卡号：", "卡号", ""),
        [PRIVACY_MOBILE] = CUES("手机：", "联系电话", "电话：", ""),
        [PRIVACY_LANDLINE] = CUES("家庭电话：", "住宅电话", "家里电话是"),
        [PRIVACY_PASSPORT] = CUES("护照号：", "护照号码", "护照"),
        [PRIVACY_OFFICER_CARD] = CUES("军官证：", "军官证号码"),
        [PRIVACY_HK_MACAU_PERMIT] = CUES("回乡证：", "港澳居民来往内地通行证号码"),
        [PRIVACY_TAIWAN_PERMIT] = CUES("台胞证：", "台胞证号"),
        [PRIVACY_PLATE] = CUES("车牌号：", "车牌", ""),
        [PRIVACY_EMAIL] = CUES("邮箱：", "电子邮件 ", ""),
        [PRIVACY_IPV4] = CUES("IP：", "登录IP ", ""),
        [PRIVACY_IPV6] = CUES("IPv6地址：", ""),
        [PRIVACY_MAC] = CUES("MAC地址：", ""),
        [PRIVACY_ACCOUNT] = CUES("微信号：", "QQ：", "加我微信"),
        [PRIVACY_BIRTH_DATE] = CUES("出生日期：", "出生于", "生日："),
    },
    {
        [PRIVACY_ID_NUMBER] = CUES("公民身份号码", "证件号：", "我的身份证是", ""),
        [PRIVACY_RESIDENCE_PERMIT] = CUES("居住证号码为", ""),
        [PRIVACY_CREDIT_CODE] = CUES("信用代码 ", "营业执照："),
        [PRIVACY_BANK_CARD] = CUES("收款账户：", "工资卡", "打到我卡里"),
        [PRIVACY_MOBILE] = CUES("我的号码是", "打这个", "Tel:", ""),
        [PRIVACY_LANDLINE] = CUES("座机：", "宅电：", "我家的座机"),
        [PRIVACY_PASSPORT] = CUES("持有护照", "Passport No. "),
        [PRIVACY_OFFICER_CARD] = CUES("证件：", "持军官证"),
        [PRIVACY_HK_MACAU_PERMIT] = CUES("港澳通行证号：", "持回乡证"),
        [PRIVACY_TAIWAN_PERMIT] = CUES("台湾居民来往大陆通行证：", "持台胞证"),
        [PRIVACY_PLATE] = CUES("一辆车号为", "小车"),
        [PRIVACY_EMAIL] = CUES("发到", "email: ", ""),
        [PRIVACY_IPV4] = CUES("来自", "访问地址为"),
        [PRIVACY_IPV6] = CUES("客户端地址 ", "来源："),
        [PRIVACY_MAC] = CUES("网卡地址", "设备："),
        [PRIVACY_ACCOUNT] = CUES("V信：", "加扣扣", "我的微信是", "QQ号"),
        [PRIVACY_BIRTH_DATE] = CUES("生于", "出生年月日：", "出生时间为"),
    }};

/* Where no personal data is meant, whatever the digits look like. */
static const char *const *const miss_cues[2][PRIVACY_KINDS] = {
    {
        [PRIVACY_ID_NUMBER] = CUES("流水号：", "订单号", "编号"),
        [PRIVACY_RESIDENCE_PERMIT] = CUES("流水号：", "编号"),
        [PRIVACY_CREDIT_CODE] = CUES("许可证编号：", "项目代码"),
        [PRIVACY_BANK_CARD] = CUES("订单号：", "运单号", "流水号"),
        [PRIVACY_MOBILE] = CUES("订单号：", "工单编号", "合同号"),
        [PRIVACY_LANDLINE] =
            CUES("市住建局咨询电话：", "服务热线：", "办事大厅联系电话：", "投诉电话："),
        [PRIVACY_PASSPORT] = CUES("型号", "航班"),
        [PRIVACY_OFFICER_CARD] = CUES("文号："),
        [PRIVACY_HK_MACAU_PERMIT] = CUES("型号：", "编号"),
        [PRIVACY_TAIWAN_PERMIT] = CUES("编号：", "面积", "案号"),
        [PRIVACY_PLATE] = CUES("编号：", "代码"),
        [PRIVACY_EMAIL] = CUES("见", "话题"),
        [PRIVACY_IPV4] = CUES("版本", "版本号："),
        [PRIVACY_IPV6] = CUES("时间：", "截至"),
        [PRIVACY_MAC] = CUES("时间：", "比值"),
        [PRIVACY_ACCOUNT] = CUES("编号：", "共计"),
        [PRIVACY_BIRTH_DATE] = CUES("施行日期：", "受理时间：", "签订于"),
    },
    {
        [PRIVACY_ID_NUMBER] = CUES("交易号", "凭证号：", "受理号"),
        [PRIVACY_RESIDENCE_PERMIT] = CUES("交易号", "凭证号："),
        [PRIVACY_CREDIT_CODE] = CUES("设备序列号", "批次："),
        [PRIVACY_BANK_CARD] = CUES("快递单号", "交易流水：", "订单编号"),
        [PRIVACY_MOBILE] = CUES("受理编号", "发票号码：", "批次号"),
        [PRIVACY_LANDLINE] =
            CUES("监督电话：", "区行政审批局窗口电话", "客服电话", "街道办值班电话："),
        [PRIVACY_PASSPORT] = CUES("设备", "批次"),
        [PRIVACY_OFFICER_CARD] = CUES("依据"),
        [PRIVACY_HK_MACAU_PERMIT] = CUES("设备号：", "批次"),
        [PRIVACY_TAIWAN_PERMIT] = CUES("工单", "金额", "户数"),
        [PRIVACY_PLATE] = CUES("型号：", "地块"),
        [PRIVACY_EMAIL] = CUES("关注", "详见"),
        [PRIVACY_IPV4] = CUES("软件版本", "升级到"),
        [PRIVACY_IPV6] = CUES("于", "上传时间"),
        [PRIVACY_MAC] = CUES("时刻", "编码"),
        [PRIVACY_ACCOUNT] = CUES("数量：", "文号"),
        [PRIVACY_BIRTH_DATE] = CUES("发布时间：", "有效期至", "于"),
    }};

static const char *cue_of(struct cases *c, const char *const *list)
{
    size_t n = 0;
    while (list[n])
        n++;
    return list[below(c, (unsigned)n)];
}

static enum privacy_kind kind_of(struct cases *c)
{
    return (enum privacy_kind)below(c, PRIVACY_BIRTH_DATE + 1);
}

/* Misses that are whole texts of their own. */
static const char *document_of(struct cases *c, char *out)
{
    switch (below(c, 8)) {
    case 0:
        (void)snprintf(out, 64, "国发〔20%02u〕%u号", below(c, 25), 1 + below(c, 99));
        break;
    case 1:
        (void)snprintf(out, 64, "（20%02u）粤01民终%05u号", below(c, 25), below(c, 100000));
        break;
    case 2:
        (void)snprintf(out, 64, "第一百%s十%s条", han[2 + below(c, 8)], han[1 + below(c, 9)]);
        break;
    case 3:
        (void)snprintf(out, 64, "人民币%u,%03u,%03u.00元", 1 + below(c, 99), below(c, 1000),
                       below(c, 1000));
        break;
    case 4:
        (void)snprintf(out, 64, "请拨打12345或110、119、%u", 10000 + below(c, 87));
        break;
    case 5:
        (void)snprintf(out, 64, "GB/T %u-20%02u", 1000 + below(c, 40000), below(c, 25));
        break;
    case 6:
        (void)snprintf(out, 64, "20%02u%02u%02u%08u", below(c, 25), 1 + below(c, 12),
                       1 + below(c, 28), below(c, 100000000));
        break;
    default:
        (void)snprintf(out, 64, "ISBN 978-7-%03u-%05u-%u", below(c, 1000), below(c, 100000),
                       below(c, 10));
    }
    return out;
}

void cases_next(struct cases *c, struct buf *text, struct cases_one *one)
{
    char document[64];
    *one = (struct cases_one){.kind = kind_of(c), .miss = c->misses, .spelling = "plain"};
    const char *frame = c->set == CASES_TUNE   ? PICK(c, plain_tune)
                        : c->set == CASES_HELD ? PICK(c, plain_held)
                                               : PICK(c, plain_last);
    const char *place = strchr(frame, '$');
    buf_add(text, (struct str){frame, (size_t)(place - frame)});
    if (c->misses && (below(c, 5) == 0 || one->kind == PRIVACY_OFFICER_CARD)) {
        one->start = text->len;
        buf_add_c(text, document_of(c, document));
        one->end = text->len;
        one->spelling = "document";
    } else {
        (void)(c->misses ? miss_of : value_of)(c, one->kind, one->value);
        buf_add_c(text, cue_of(c, (c->misses ? miss_cues : cues)[c->set > 0][one->kind]));
        one->start = text->len;
        if (one->kind == PRIVACY_PLATE)
            spell_plate(c, text, one->value, one);
        else if (one->kind == PRIVACY_BIRTH_DATE)
            spell_birth(c, text, one->value, one);
        else if (c->misses)
            buf_add_c(text, one->value);
        else if (c->set == CASES_TUNE)
            spell_tune(c, text, one->value, one);
        else if (c->set == CASES_LAST)
            spell_last(c, text, one->value, one);
        else
            spell_held(c, text, one->value, one);
        one->end = text->len;
    }
    buf_add_c(text, place + 1);
    buf_char(text, '\n');
}
