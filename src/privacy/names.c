/* Personal names and postal addresses: what the tagger says, put right by the words around. */
#include "privacy/names.h"

#include <string.h>

#include "core/utf8.h"
#include "learn/learn.h"
#include "privacy/scan_in.h"

enum { KIND_NAME, KIND_ADDRESS }; /* of the shipped tagger, which bench/train_names fixes */

enum err names_tagger(struct tagger **out, struct why *why)
{
    struct str bytes = {(const char *)privacy_names_begin,
                        (size_t)(privacy_names_end - privacy_names_begin)};
    return tagger_read(bytes, out, why);
}

static bool ends_with(struct str text, size_t at, const char *const *words, size_t n)
{
    struct str before = str_slice(text, at > 48 ? at - 48 : 0, at);
    for (size_t i = 0; i < n; i++)
        if (str_ends(before, str_c(words[i])))
            return true;
    return false;
}
#define ENDS_WITH(text, at, words) ends_with(text, at, words, sizeof(words) / sizeof *(words))

/* ---- names ---- */

/* Words right before a name, with or without a colon. */
static const char *const introduced[] = {
    "姓名",   "联系人", "申请人", "投诉人", "来电人",     "举报人",   "户主",
    "业主",   "当事人", "收件人", "收货人", "法定代表人", "法人代表", "负责人",
    "经办人", "我叫",   "我是",   "本人",   "名叫",       "患者",     "被告人",
    "原告",   "被告",   "委托人", "监护人", "配偶",       "父亲",     "母亲"};

/* A word that begins with no surname needs more to be a name: "卫生" is told so less often. */
static float plausible(struct str name, float sure)
{
    size_t at = 0, n = 0;
    bool dot = false;
    if (name.ptr[0] >= 'a' && name.ptr[0] <= 'z') /* an English word */
        return 0;
    while (at < name.len) {
        uint32_t c = utf8_next(name, &at);
        if (c == 0xB7 || c == 0x2022)
            dot = true;
        else if (!utf8_is_han(c) && !letters_is_word(c) && c != ' ' && c != '.')
            return 0;
        n++;
    }
    return n < 2 ? 0 : n > 4 && !dot ? sure * 0.9F : sure;
}

static void add_name(struct scan *scan, const struct tagger_span *span)
{
    static const char *const links[] = {"：", ":", "为", "是", " ", "　"};
    size_t at = span->start;
    float sure = plausible(str_slice(scan->text, span->start, span->end), span->sure);
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
            if (str_ends(str_slice(scan->text, 0, at), str_c(links[i])))
                at -= strlen(links[i]);
    if (sure > 0 && ENDS_WITH(scan->text, at, introduced))
        sure = sure < 0.95F ? 0.95F : sure;
    scan_add(scan, PRIVACY_NAME, span->start, span->end,
             str_slice(scan->text, span->start, span->end), sure);
}

/* ---- addresses ---- */

/* Parts of an address behind a number, the finest first. */
static const struct {
    const char *word;
    unsigned level;
} parts[] = {{"单元", 3}, {"室", 3}, {"房", 3}, {"户", 3}, {"层", 2}, {"栋", 2}, {"幢", 2},
             {"座", 2},   {"楼", 2}, {"号", 2}, {"弄", 2}, {"组", 2}, {"队", 2}, {"巷", 2}};

static size_t skip_number(struct str text, size_t at, bool *any)
{
    struct cell cell;
    for (size_t next;; at = next) {
        uint32_t c = letters_at(text, at, &next);
        bool ten = c == 0x5341 || c == 0x767E; /* 十 百 */
        if (!c || !(ten || letters_cell(c, &cell) || c == '-' || c == '#'))
            return at;
        *any = true;
    }
}

/* "12号3栋2单元401室" from `at` on: its end; the finest part it has. */
static size_t numbered(struct str text, size_t at, unsigned *level)
{
    for (int most = 8; most > 0; most--) {
        bool any = false;
        size_t behind = skip_number(text, at, &any), i = 0;
        while (any && i < sizeof parts / sizeof parts[0] &&
               !str_starts(str_from(text, behind), str_c(parts[i].word)))
            i++;
        if (!any || i == sizeof parts / sizeof parts[0])
            break;
        at = behind + strlen(parts[i].word);
        *level = parts[i].level > *level ? parts[i].level : *level;
    }
    bool any = false;
    size_t tail = *level >= 2 ? skip_number(text, at, &any) : at; /* "3栋401" */
    if (any && tail - at >= 2) {
        *level = 3;
        at = tail;
    }
    return at;
}

/* What kinds of places a span names: 0 a region, 1 a street, an estate, a village; 2, 3 numbers. */
static unsigned level_of(struct str span)
{
    static const char *const places[] = {"路",   "街", "道",   "巷",   "里弄", "胡同", "村", "小区",
                                         "花园", "苑", "社区", "公寓", "大厦", "新村", "屯", "庄"};
    unsigned level = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (str_find(span, str_c(places[i])) != STR_NPOS)
            level = 1;
    for (size_t i = 0; i < span.len; i++)
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            if (parts[k].level > level && str_starts(str_from(span, i), str_c(parts[k].word)) &&
                i > 0)
                level = parts[k].level;
    return level;
}

static bool within(struct str text, size_t at, size_t most, const char *const *words, size_t n)
{
    struct str before = str_slice(text, at > most ? at - most : 0, at);
    for (size_t i = 0; i < n; i++)
        if (str_find(before, str_c(words[i])) != STR_NPOS)
            return true;
    return false;
}
#define WITHIN(text, at, most, words) within(text, at, most, words, sizeof(words) / sizeof *(words))

/* A place is personal when somebody lives there; the hall of an office is not. */
static float address_sure(const struct scan *scan, size_t start, size_t end, unsigned level)
{
    static const float by_level[] = {0.25F, 0.45F, 0.65F, 0.85F};
    static const char *const lives[] = {"家住",     "住址", "住在",     "居住",     "现住",
                                        "户籍",     "户口", "家庭地址", "收货地址", "收件地址",
                                        "通讯地址", "租住", "我家",     "住所",     "address"};
    static const char *const offices[] = {"办理地点", "办公地址", "窗口地址", "咨询地址", "地点",
                                          "现场",     "受理",     "位于",     "单位地址", "注册地"};
    static const char *const houses[] = {"局",   "厅",   "委员会", "中心", "大厅", "政府", "窗口",
                                         "医院", "学校", "法院",   "公司", "银行", "服务"};
    float sure = by_level[level];
    if (WITHIN(scan->text, start, 36, lives) ||
        (start < 36 && WITHIN(scan->context, scan->context.len, 48, lives)))
        return sure < 0.45F ? 0.62F : 0.92F;
    if (WITHIN(scan->text, start, 48, offices) ||
        WITHIN(scan->context, scan->context.len, 48, offices))
        sure -= 0.4F;
    else if (WITHIN(scan->text, end + 36 < scan->text.len ? end + 36 : scan->text.len,
                    (end + 36 < scan->text.len ? 36 : scan->text.len - end), houses))
        sure -= 0.3F;
    return sure > 0 ? sure : 0;
}

/* Spans that touch are one address: "北京市" "海淀区" "中关村大街" and the numbers behind. */
static size_t add_address(struct scan *scan, const struct tagger_span *spans, size_t n, size_t i)
{
    size_t start = spans[i].start, end = spans[i].end;
    for (;;) {
        unsigned none = 0;
        end = numbered(scan->text, end, &none);
        if (i + 1 >= n || spans[i + 1].kind != KIND_ADDRESS || spans[i + 1].start > end + 3 ||
            spans[i + 1].end <= end)
            break;
        end = spans[++i].end;
    }
    struct str value = str_slice(scan->text, start, end);
    scan_add(scan, PRIVACY_ADDRESS, start, end, value,
             address_sure(scan, start, end, level_of(value)));
    return i;
}

void find_names(struct scan *scan)
{
    struct tagger_span *spans;
    size_t n;
    if (tagger_find(scan->scanner->tagger, scan->text, scan->arena, &spans, &n, NULL)) {
        scan->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (spans[i].kind == KIND_NAME)
            add_name(scan, &spans[i]);
        else if (spans[i].kind == KIND_ADDRESS)
            i = add_address(scan, spans, n, i);
}
