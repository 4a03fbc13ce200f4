#include "eval/eval.h"

#include "core/utf8.h"

/* Walks a title's significant characters: brackets, white space and the state's name are passed
 * over. */
struct walk {
    struct str s;
    size_t at;
};

static bool is_bracket(uint32_t c)
{
    switch (c) {
    case '(':
    case ')':
    case '[':
    case ']':
    case '<':
    case '>':
    case 0x3008: /* 〈〉《》「」『』【】〔〕〖〗 */
    case 0x3009:
    case 0x300A:
    case 0x300B:
    case 0x300C:
    case 0x300D:
    case 0x300E:
    case 0x300F:
    case 0x3010:
    case 0x3011:
    case 0x3014:
    case 0x3015:
    case 0x3016:
    case 0x3017:
        return true;
    default:
        return false;
    }
}

/* 0 at the end. */
static uint32_t next_char(struct walk *walk)
{
    static const struct str state = STR_INIT("中华人民共和国");
    while (walk->at < walk->s.len) {
        if (str_starts(str_from(walk->s, walk->at), state)) {
            walk->at += state.len;
            continue;
        }
        uint32_t c = utf8_halfwidth(utf8_next(walk->s, &walk->at));
        if (!utf8_is_space(c) && !is_bracket(c))
            return c;
    }
    return 0;
}

/* Cuts "(2013-11-18)", "（2018年修正）" and the like from the end: a bracket that begins with a
 * digit. */
static struct str without_version(struct str s)
{
    s = str_trim_space(s);
    static const struct str opens[] = {STR_INIT("("), STR_INIT("（"), STR_INIT("〔"),
                                       STR_INIT("[")};
    if (!str_ends(s, STR(")")) && !str_ends(s, STR("）")) && !str_ends(s, STR("〕")) &&
        !str_ends(s, STR("]")))
        return s;
    size_t cut = STR_NPOS;
    for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++)
        for (size_t at = 0; (at = str_find_from(s, opens[i], at)) != STR_NPOS; at += opens[i].len)
            if (at + opens[i].len < s.len && s.ptr[at + opens[i].len] >= '0' &&
                s.ptr[at + opens[i].len] <= '9')
                cut = at;
    return cut == STR_NPOS || cut == 0 ? s : str_slice(s, 0, cut);
}

bool eval_same_title(struct str a, struct str b)
{
    struct walk x = {without_version(a), 0}, y = {without_version(b), 0};
    for (;;) {
        uint32_t c = next_char(&x);
        if (c != next_char(&y))
            return false;
        if (c == 0)
            return true;
    }
}
