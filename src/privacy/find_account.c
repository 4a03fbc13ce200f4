/* Account names: 微信, QQ and others, said by a word before them. */
#include <string.h>

#include "core/utf8.h"
#include "privacy/scan_in.h"

enum form { FORM_WECHAT, FORM_QQ, FORM_ANY };

static const struct {
    const char *word; /* ASCII in lower case */
    enum form form;
} words[] = {
    {"微信", FORM_WECHAT}, {"威信", FORM_WECHAT}, {"wechat", FORM_WECHAT}, {"weixin", FORM_WECHAT},
    {"vx", FORM_WECHAT},   {"wx", FORM_WECHAT},   {"v信", FORM_WECHAT},    {"qq", FORM_QQ},
    {"扣扣", FORM_QQ},     {"企鹅", FORM_QQ},     {"微博", FORM_ANY},      {"抖音", FORM_ANY},
    {"快手", FORM_ANY},    {"支付宝", FORM_ANY},  {"账号", FORM_ANY},
};

/* What may stand between the word and the account. */
static const char *const links[] = {"号码", "号", "帐号", "账号", "账户", "是", "为", "ID", "id",
                                    "：",   ":",  " ",    "（",   "(",    "“",  "\"", "加", "　"};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t word_len(struct str text, size_t at, enum form *form)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i].word), k = 0;
        while (k < n && at + k < text.len) {
            char c = text.ptr[at + k];
            if ((c >= 'A' && c <= 'Z' ? c | 32 : c) != words[i].word[k])
                break;
            k++;
        }
        if (k == n) {
            *form = words[i].form;
            return n;
        }
    }
    return 0;
}

static size_t skip_links(struct str text, size_t at)
{
    for (int most = 4; most > 0; most--) {
        size_t was = at;
        for (size_t i = 0; i < sizeof links / sizeof links[0] && at == was; i++)
            if (str_starts(str_from(text, at), str_c(links[i])))
                at += strlen(links[i]);
        if (at == was)
            break;
    }
    return at;
}

/* QQ: 5 to 11 digits. WeChat: a letter and 5 to 19 more, or the number of a telephone or of QQ. */
static bool fits(enum form form, const char *s, size_t n)
{
    size_t digits = 0;
    for (size_t i = 0; i < n; i++)
        digits += s[i] >= '0' && s[i] <= '9';
    if (digits == n)
        return n >= 5 && n <= 11 && s[0] != '0';
    return n >= 6 && n <= 20 && is_letter(s[0]) &&
           (form == FORM_WECHAT || digits || strchr(s, '_'));
}

size_t find_account(struct scan *scan, size_t at)
{
    struct str t = scan->text;
    enum form form = FORM_ANY;
    char value[24];
    size_t word = word_len(t, at, &form), n = 0, next;
    if (!word)
        return at + 1;
    struct cell cell;
    uint32_t before = letters_before(t, at, 0, &next);
    bool ascii = (unsigned char)t.ptr[at] < 0x80;
    if (ascii && before && before < 0x80 && letters_cell(before, &cell))
        return at + 1; /* "awx" is part of a word */
    size_t start = skip_links(t, at + word), end = start;
    if (ascii && start == at + word && start < t.len && is_letter(t.ptr[start]))
        return at + word;
    while (end < t.len && is_name_char(t.ptr[end]) && n < sizeof value - 1)
        value[n++] = t.ptr[end++];
    value[n] = '\0';
    if (!fits(form, value, n) ||
        (end < t.len && (is_name_char(t.ptr[end]) || t.ptr[end] == '@' || t.ptr[end] == '.')))
        return start > at + 1 ? at + word : at + 1;
    struct cues cues;
    cues_before(t, at, scan->context, &cues);
    if (cues.at[CUE_OFFICE] < 24 || str_starts(str_c(value), STR("gh_")) ||
        (n == 11 && check_mobile(value) && value[0] == '1'))
        return start;
    scan_add(scan, PRIVACY_ACCOUNT, start, end, (struct str){value, n},
             form == FORM_ANY && start == at + word ? 0.5F : 0.88F);
    return start;
}
