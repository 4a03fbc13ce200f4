#include "knowledge/signs.h"

#include "core/utf8.h"

#define GAP_CHARS 8 /* what a '*' may pass over */

static const struct {
    enum sign_kind kind;
    struct str words;
} table[] = {
#define SIGN(kind, words) {SIGN_##kind, STR_INIT(words)},
#include "knowledge/signs.def"
#undef SIGN
};

static const struct str places[] = {
#define PLACES(names) STR_INIT(names),
#include "knowledge/places.def"
#undef PLACES
};

/* What is asked, and what a number that answers stands before. The first that stands in the
 * question counts, so the longer ones come first. */
static const struct {
    struct str asked;
    const char *units;
} units[] = {
    {STR_INIT("多少钱"), "元 % ％ 倍"},
    {STR_INIT("多少元"), "元"},
    {STR_INIT("几块"), "元"},
    {STR_INIT("多少块"), "元"},
    {STR_INIT("几千"), "元"},
    {STR_INIT("几万"), "元"},
    {STR_INIT("多少万"), "元"},
    {STR_INIT("几个工作日"), "日 天 小时"},
    {STR_INIT("多少个工作日"), "日 天 小时"},
    {STR_INIT("几个小时"), "小时 分钟"},
    {STR_INIT("几小时"), "小时 分钟"},
    {STR_INIT("多少小时"), "小时 分钟"},
    {STR_INIT("多少个小时"), "小时 分钟"},
    {STR_INIT("几分钟"), "分钟"},
    {STR_INIT("多少分钟"), "分钟"},
    {STR_INIT("几天"), "日 天 工作日 个工作日 小时"},
    {STR_INIT("多少天"), "日 天 工作日 个工作日 小时"},
    {STR_INIT("几个月"), "个月 月"},
    {STR_INIT("多少个月"), "个月 月"},
    {STR_INIT("几月几"), "日 号"},
    {STR_INIT("几月"), "月"},
    {STR_INIT("几号"), "日 号"},
    {STR_INIT("哪天"), "日 号"},
    {STR_INIT("哪几天"), "日 号"},
    {STR_INIT("几点"), "： : 时 点"},
    {STR_INIT("几岁"), "岁 周岁"},
    {STR_INIT("多少岁"), "岁 周岁"},
    {STR_INIT("多大年龄"), "岁 周岁"},
    {STR_INIT("几年"), "年"},
    {STR_INIT("多少年"), "年"},
    {STR_INIT("几倍"), "倍"},
    {STR_INIT("几成"), "% ％ 成"},
    {STR_INIT("百分之几"), "% ％"},
    {STR_INIT("百分之多少"), "% ％"},
    {STR_INIT("比例"), "% ％"},
    {STR_INIT("几折"), "% ％ 折"},
    {STR_INIT("多少平"), "平方米 平米 ㎡"},
    {STR_INIT("几平"), "平方米 平米 ㎡"},
    {STR_INIT("多大面积"), "平方米 平米 ㎡"},
    {STR_INIT("面积多大"), "平方米 平米 ㎡"},
    {STR_INIT("多少米"), "米 公里 厘米"},
    {STR_INIT("几米"), "米 公里 厘米"},
    {STR_INIT("多远"), "米 公里"},
    {STR_INIT("多高"), "米 厘米 % 层"},
    {STR_INIT("多少公里"), "公里 千米"},
    {STR_INIT("多少度"), "℃ 度 摄氏度"},
    {STR_INIT("几度"), "℃ 度 摄氏度"},
    {STR_INIT("几次"), "次"},
    {STR_INIT("多少次"), "次"},
    {STR_INIT("几回"), "次"},
    {STR_INIT("几趟"), "次"},
    {STR_INIT("几分"), "分"},
    {STR_INIT("多少分"), "分"},
    {STR_INIT("几层"), "层"},
    {STR_INIT("几条"), "条 只"},
    {STR_INIT("几只"), "只 条"},
    {STR_INIT("多少只"), "只 条"},
    {STR_INIT("几个人"), "人 名"},
    {STR_INIT("多少人"), "人 名"},
    {STR_INIT("几口人"), "人 口"},
    {STR_INIT("几件"), "件"},
    {STR_INIT("多少件"), "件"},
    {STR_INIT("几台"), "台"},
    {STR_INIT("几辆"), "辆"},
    {STR_INIT("多少辆"), "辆"},
    {STR_INIT("几张"), "张"},
    {STR_INIT("几份"), "份"},
    {STR_INIT("几户"), "户"},
    {STR_INIT("几斤"), "公斤 千克 斤"},
    {STR_INIT("多少吨"), "吨 立方米"},
    {STR_INIT("多久"), "日 天 年 个月 小时 分钟 工作日 个工作日"},
    {STR_INIT("多长时间"), "日 天 年 个月 小时 分钟 工作日 个工作日"},
    {STR_INIT("多少时间"), "日 天 年 个月 小时 分钟 工作日 个工作日"},
    {STR_INIT("什么时候"), "日 月 年 时 ： :"},
    {STR_INIT("什么时间"), "日 月 年 时 ： :"},
    {STR_INIT("罚多少"), "元 倍"},
    {STR_INIT("补多少"), "元 % ％"},
    {STR_INIT("给多少"), "元 % ％"},
    {STR_INIT("发多少"), "元 % ％"},
    {STR_INIT("交多少"), "元 % ％"},
    {STR_INIT("收多少"), "元 % ％"},
    {STR_INIT("贷多少"), "元 % ％ 倍"},
    {STR_INIT("领多少"), "元 % ％"},
    {STR_INIT("退多少"), "元 % ％"},
    {STR_INIT("报多少"), "元 % ％"},
    {STR_INIT("奖多少"), "元 % ％"},
    {STR_INIT("奖励多少"), "元 % ％"},
    {STR_INIT("补贴多少"), "元 % ％"},
    {STR_INIT("多少补贴"), "元 % ％"},
    {STR_INIT("多少补助"), "元 % ％"},
    {STR_INIT("多少额度"), "元 倍"},
};

/* Words behind 什么, 哪些 and the like that name no thing. */
static const struct str no_things[] = {
    STR_INIT("时候"), STR_INIT("时间"), STR_INIT("地方"), STR_INIT("材料"), STR_INIT("条件"),
    STR_INIT("手续"), STR_INIT("部门"), STR_INIT("单位"), STR_INIT("情况"), STR_INIT("东西"),
    STR_INIT("要求"), STR_INIT("意思"), STR_INIT("样的"), STR_INIT("证件"), STR_INIT("资料"),
    STR_INIT("电话"), STR_INIT("流程"), STR_INIT("程序"), STR_INIT("规定"), STR_INIT("机构"),
    STR_INIT("人可"), STR_INIT("人能"), STR_INIT("人不"), STR_INIT("后果"), STR_INIT("责任"),
    STR_INIT("处罚"), STR_INIT("好处"), STR_INIT("优惠"), STR_INIT("补贴"), STR_INIT("可以"),
    STR_INIT("事情"), STR_INIT("事项"), STR_INIT("算是"), STR_INIT("不能"), STR_INIT("才能"),
};

static const struct str asking[] = {
    STR_INIT("什么"), STR_INIT("哪个"), STR_INIT("哪种"), STR_INIT("哪些"),
    STR_INIT("哪条"), STR_INIT("哪款"), STR_INIT("啥"),
};

bool signs_stand(struct str text, struct str words)
{
    struct str rest = words, part;
    if (!str_next(&rest, '*', &part))
        return false;
    for (size_t from = 0;; from++) {
        struct str more = rest, next;
        size_t at = str_find_from(text, part, from);
        if (at == STR_NPOS)
            return false;
        from = at;
        bool all = true;
        for (at += part.len; all && more.ptr && str_next(&more, '*', &next);) {
            struct str window = str_from(text, at);
            window = str_slice(window, 0, utf8_offset(window, GAP_CHARS) + next.len);
            size_t hit = str_find(window, next);
            all = hit != STR_NPOS;
            at += hit + next.len;
        }
        if (all)
            return true;
    }
}

static void read_places(struct str question, struct signs *out)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct str rest = places[i], name;
        while (out->n_places < SIGNS_MOST_PLACES && rest.len && str_next(&rest, ' ', &name))
            if (str_find(question, name) != STR_NPOS)
                out->places[out->n_places++] =
                    str_ends(name, STR("市")) ? str_slice(name, 0, name.len - 3) : name;
    }
}

/* The two characters behind a word that asks for a thing. */
static struct str read_thing(struct str question)
{
    for (size_t i = 0; i < sizeof asking / sizeof asking[0]; i++) {
        size_t at = str_find(question, asking[i]);
        if (at == STR_NPOS)
            continue;
        struct str rest = str_from(question, at + asking[i].len);
        struct str thing = str_slice(rest, 0, utf8_offset(rest, 2));
        size_t n = 0;
        for (size_t c = 0; c < thing.len;)
            n += utf8_is_han(utf8_next(thing, &c));
        for (size_t k = 0; n == 2 && k < sizeof no_things / sizeof no_things[0]; k++)
            if (str_eq(thing, no_things[k]))
                n = 0;
        if (n == 2)
            return thing;
    }
    return STR("");
}

void signs_read(struct str question, struct signs *out)
{
    *out = (struct signs){.thing = read_thing(question)};
    for (size_t i = 0; i < sizeof table / sizeof table[0] && out->n < SIGNS_MOST; i++)
        if (signs_stand(question, table[i].words)) {
            out->items[out->n].kind = table[i].kind;
            out->items[out->n++].words = table[i].words;
        }
    read_places(question, out);
    for (size_t i = 0; i < sizeof units / sizeof units[0] && !out->units; i++)
        if (str_find(question, units[i].asked) != STR_NPOS)
            out->units = units[i].units;
}

unsigned signs_against(const struct signs *signs, struct str title, struct str text)
{
    unsigned against = 0;
    for (size_t i = 0; i < signs->n; i++) {
        enum sign_kind kind = signs->items[i].kind;
        struct str words = signs->items[i].words;
        bool fixed = kind == SIGN_task || kind == SIGN_mine || kind == SIGN_event;
        if (fixed || (str_find(text, words) == STR_NPOS && str_find(title, words) == STR_NPOS))
            against |= 1u << kind;
    }
    return against;
}

bool signs_elsewhere(const struct signs *signs, struct str title, struct str text,
                     struct str region)
{
    for (size_t i = 0; i < signs->n_places; i++)
        if (str_find(title, signs->places[i]) == STR_NPOS &&
            str_find(text, signs->places[i]) == STR_NPOS &&
            str_find(region, signs->places[i]) == STR_NPOS)
            return true;
    return false;
}

static bool is_figure(uint32_t c)
{
    static const uint32_t figures[] = {0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94, 0x516D,
                                       0x4E03, 0x516B, 0x4E5D, 0x5341, 0x767E, 0x5343,
                                       0x4E07, 0x4EBF, 0x4E24, 0x534A, 0x96F6}; /* 一 .. 零 */
    bool is = c >= '0' && c <= '9';
    for (size_t i = 0; !is && i < sizeof figures / sizeof figures[0]; i++)
        is = c == figures[i];
    return is;
}

bool signs_has_unit(const char *list, struct str text)
{
    struct str rest = str_c(list), unit;
    while (rest.len && str_next(&rest, ' ', &unit))
        for (size_t at = 0; (at = str_find_from(text, unit, at)) != STR_NPOS; at += unit.len) {
            size_t before = at ? utf8_prev(text, at) : 0;
            if (at && is_figure(utf8_next(text, &before)))
                return true;
        }
    return false;
}
