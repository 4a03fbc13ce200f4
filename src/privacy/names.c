/* Personal names and postal addresses: what the tagger says, put right by the words around. */
#include "privacy/names.h"

#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "learn/learn.h"
#include "privacy/scan_in.h"

enum { KIND_NAME, KIND_ADDRESS }; /* of the shipped tagger, which bench/train_names fixes */

static struct str bytes_of(const unsigned char *begin, const unsigned char *end)
{
    return (struct str){(const char *)begin, (size_t)(end - begin)};
}

enum err names_tagger(struct tagger **out, struct why *why)
{
    return tagger_read(bytes_of(privacy_names_begin, privacy_names_end), out, why);
}

enum err names_gate(struct gate **out, struct why *why)
{
    return gate_read(bytes_of(privacy_gate_begin, privacy_gate_end), out, why);
}

static bool ends_with(struct str text, size_t at, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(words[i]);
        if (len <= at && text.ptr[at - 1] == words[i][len - 1] &&
            memcmp(text.ptr + at - len, words[i], len) == 0)
            return true;
    }
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

/* Whether a number or a letter stands before `at`: "3号", "A座", "十二弄", not "黄鹤楼". */
static bool is_numbered(struct str span, size_t at)
{
    struct cell cell;
    size_t start;
    uint32_t c = letters_before(span, at, 0, &start);
    return c && (letters_cell(c, &cell) || c == 0x5341 || c == 0x767E);
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
    for (size_t i = 1; i < span.len; i++)
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            if (parts[k].level > level && str_starts(str_from(span, i), str_c(parts[k].word)) &&
                is_numbered(span, i))
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

/* Words that say so; find_spans() watches for a character of each. */
static const char *const lives[] = {"家住",     "住址", "住在",     "居住",     "现住",
                                    "户籍",     "户口", "家庭地址", "收货地址", "收件地址",
                                    "通讯地址", "租住", "我家",     "住所",     "address"};

/* A place is personal when somebody lives there; the hall of an office is not. */
static float address_sure(const struct scan *scan, size_t start, size_t end, unsigned level)
{
    static const float by_level[] = {0.25F, 0.45F, 0.65F, 0.85F};
    static const char *const offices[] = {"办理地点", "办公地址", "窗口地址", "咨询地址", "地点",
                                          "现场",     "受理",     "位于",     "单位地址", "注册地"};
    static const char *const houses[] = {"局",   "厅",   "委员会", "中心", "大厅", "政府", "窗口",
                                         "医院", "学校", "法院",   "公司", "银行", "服务"};
    float sure = by_level[level];
    if (WITHIN(scan->text, start, 36, lives) ||
        (start < 36 && WITHIN(scan->context, scan->context.len, 48, lives)))
        return sure < 0.45F ? 0.62F : 0.92F;
    if (sure < scan->scanner->least)
        return sure;
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

/* ---- where to ask the tagger ---- */

/* Spans found so far; the part of the text that is next to be asked about. */
struct search {
    struct scan *scan;
    struct tagger_span *spans;
    size_t n, cap;
    size_t from, to; /* from == to: none */
    size_t done;     /* asked up to here */
};

/* A Han character of three bytes, which ends no sentence. */
static bool is_plain(const char *p)
{
    return (unsigned char)p[0] >= 0xE4 && (unsigned char)p[0] <= 0xE9 &&
           ((unsigned char)p[1] & 0xC0) == 0x80 && ((unsigned char)p[2] & 0xC0) == 0x80;
}

/* Up to `most` characters before `at` in its sentence. */
static size_t back(struct str text, size_t at, unsigned most)
{
    while (at && most--) {
        if (at >= 3 && is_plain(text.ptr + at - 3)) {
            at -= 3;
            continue;
        }
        size_t before = utf8_prev(text, at), next = before;
        if (tagger_ends_line(utf8_next(text, &next)))
            break;
        at = before;
    }
    return at;
}

/* Up to `most` characters from `at` on, with the mark that ends the sentence. */
static size_t forth(struct str text, size_t at, unsigned most)
{
    while (at < text.len && most--) {
        if (text.len - at >= 3 && is_plain(text.ptr + at))
            at += 3;
        else if (tagger_ends_line(utf8_next(text, &at)))
            break;
    }
    return at;
}

static bool ends_at(struct str text, size_t at)
{
    size_t before = at ? utf8_prev(text, at) : 0;
    return at >= text.len || !at || tagger_ends_line(utf8_next(text, &before));
}

static bool keep_spans(struct search *s, const struct tagger_span *spans, size_t n)
{
    if (s->n + n > s->cap) {
        size_t cap = (s->n + n) * 2, size = sizeof *spans;
        void *more = arena_grow(s->scan->arena, s->spans, s->cap * size, cap * size);
        if (!more)
            return false;
        s->spans = more;
        s->cap = cap;
    }
    if (n)
        memcpy(s->spans + s->n, spans, n * sizeof *spans);
    s->n += n;
    return true;
}

/* Asks about the part; a little further while what is found reaches its end. */
static void ask(struct search *s)
{
    struct str text = s->scan->text;
    struct tagger_span *spans = NULL;
    size_t n = 0;
    for (int more = 0; s->from < s->to && more < 8; more++) {
        if (tagger_find_part(s->scan->scanner->tagger, text, s->from, s->to, s->scan->arena, &spans,
                             &n, NULL)) {
            s->scan->failed = true;
            return;
        }
        if (!n || spans[n - 1].end < s->to || ends_at(text, s->to))
            break;
        s->to = forth(text, s->to, 8);
    }
    if (!keep_spans(s, spans, n))
        s->scan->failed = true;
    s->done = s->from = s->to;
}

static void look_between(struct search *s, size_t from, size_t to)
{
    if (s->from < s->to && from < s->to) {
        s->to = to > s->to ? to : s->to;
        return;
    }
    ask(s);
    s->from = from > s->done ? from : s->done;
    s->to = to > s->from ? to : s->from;
}

static bool is_number(uint32_t c)
{
    struct cell cell;
    return letters_cell(c, &cell) || c == 0x5341 || c == 0x767E || c == '-' || c == '#' ||
           c == 0x7532 || c == 0x4E59; /* 十 百 甲 乙 */
}

static uint64_t places[1024]; /* a bit for every character that makes a place */

void names_init(void)
{
    struct str all = STR("路街道巷弄村镇乡区园苑庄屯里坊庭湾厦寓号栋幢座楼组城");
    for (size_t at = 0; at < all.len;) {
        uint32_t c = utf8_next(all, &at);
        places[c >> 6] |= 1ULL << (c & 63);
    }
}

/* Before a number of a house there is a street, an estate, a village; before that of a document an
 * ordinal or a bracket. */
static bool house_before(struct str text, size_t at)
{
    static const char *const documents[] = {"第", "〕", "］", "】", ")", "）", "]", "令"};
    size_t from = at, start;
    for (uint32_t c; (c = letters_before(text, from, 0, &start)) && is_number(c);)
        from = start;
    if (from == at || ENDS_WITH(text, from, documents))
        return false;
    for (unsigned n = 0; n < 20; n++, from = start) {
        uint32_t c = letters_before(text, from, 0, &start);
        if (!c || tagger_ends_line(c))
            return false;
        if (c < 0x10000 && places[c >> 6] >> (c & 63) & 1)
            return true;
    }
    return false;
}

/* Whether a character that is watched belongs to a word of `lives`: *end is behind it. */
static bool lives_at(struct str text, size_t at, uint32_t c, size_t *end)
{
    size_t start, next, behind = *end;
    uint32_t before = letters_before(text, at, 0, &start), after = letters_at(text, behind, &next);
    switch (c) {
    case 0x4F4F: /* 家住 居住 现住 租住; 住址 住在 住所 */
        if (after == 0x5740 || after == 0x5728 || after == 0x6240) {
            *end = next;
            return true;
        }
        return before == 0x5BB6 || before == 0x5C45 || before == 0x73B0 || before == 0x79DF;
    case 0x5740: /* 地址, of whatever sort: WITHIN tells */
        return before == 0x5730 && WITHIN(text, behind, 12, lives);
    case 0x7C4D: /* 户籍 */
    case 0x53E3: /* 户口 */
        return before == 0x6237;
    case 0x5BB6: /* 我家 */
        return before == 0x6211;
    default:
        return false;
    }
}

/* A watched character: of a house's number, of a word that says where somebody lives, a colon. */
static void look_at_watched(struct search *s, size_t at, bool addresses)
{
    struct str text = s->scan->text;
    size_t end = at;
    uint32_t c = utf8_next(text, &end);
    if (c == ':' || c == 0xFF1A) {
        if (ENDS_WITH(text, at, introduced))
            look_between(s, end, forth(text, end, 10));
    } else if (!addresses) {
        return;
    } else if (c == 0x4F4F || c == 0x5740 || c == 0x7C4D || c == 0x53E3 || c == 0x5BB6) {
        if (lives_at(text, at, c, &end))
            look_between(s, end, forth(text, end, 40));
    } else if (house_before(text, at)) {
        look_between(s, back(text, at, 24), forth(text, end, 8));
    }
}

static void find_spans(struct search *s)
{
    struct gate_pass pass;
    struct gate_hit hit;
    struct str text = s->scan->text;
    bool names = scan_wants(s->scan, PRIVACY_NAME),
         addresses = scan_wants(s->scan, PRIVACY_ADDRESS);
    if (addresses && WITHIN(s->scan->context, s->scan->context.len, 48, lives))
        look_between(s, 0, forth(text, 0, 40));
    gate_begin(&pass, s->scan->scanner->gate, text);
    while (gate_next(&pass, &hit) && !s->scan->failed) {
        if (hit.watched)
            look_at_watched(s, hit.at, addresses);
        if (hit.begins && names)
            look_between(s, back(text, hit.at, 3), forth(text, hit.at, 7));
    }
    ask(s);
}

void find_names(struct scan *scan)
{
    struct search s = {.scan = scan};
    find_spans(&s);
    for (size_t i = 0; i < s.n && !scan->failed; i++)
        if (s.spans[i].kind == KIND_NAME)
            add_name(scan, &s.spans[i]);
        else if (s.spans[i].kind == KIND_ADDRESS)
            i = add_address(scan, s.spans, s.n, i);
}
