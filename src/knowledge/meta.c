/* knowledge/meta - title, issuer, number, dates, level, region and grade, where they stand. */
#include "knowledge/meta.h"

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/meta_in.h"
#include "knowledge/numeral.h"

#include <string.h>

/* ---- words ---- */

bool meta_has(struct str s, const char *word)
{
    return s.len && memmem(s.ptr, s.len, word, strlen(word)) != NULL;
}

bool meta_has_any(struct str s, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        if (meta_has(s, words[i]))
            return true;
    return false;
}

bool meta_title_next(struct str s, size_t *at, struct str *title)
{
    static const struct str open = STR_INIT("《"), close = STR_INIT("》");
    size_t start = str_find_from(s, open, *at);
    if (start == STR_NPOS)
        return false;
    int depth = 0;
    for (size_t i = start; i < s.len;) {
        struct str rest = str_from(s, i);
        if (str_starts(rest, open)) {
            depth++;
            i += open.len;
        } else if (str_starts(rest, close)) {
            i += close.len;
            if (--depth == 0) {
                *title = str_slice(s, start + open.len, i - close.len);
                *at = i;
                return true;
            }
        } else {
            (void)utf8_next(s, &i);
        }
    }
    return false;
}

struct str meta_without_titles(struct str s, struct arena *arena)
{
    struct buf buf;
    size_t at = 0, from = 0;
    struct str title;
    buf_init(&buf, arena);
    while (meta_title_next(s, &at, &title)) {
        buf_add(&buf, str_slice(s, from, (size_t)(title.ptr - s.ptr) - strlen("《")));
        from = at;
    }
    if (!from)
        return s;
    buf_add(&buf, str_from(s, from));
    return buf.failed ? s : buf_str(&buf);
}

/* ---- the document number ---- */

/* 〔2025〕 in any of its brackets at the start of s: its bytes, or 0. */
static size_t year_in_brackets(struct str s)
{
    static const struct {
        const char *open, *close;
    } pairs[] = {{"〔", "〕"}, {"［", "］"}, {"[", "]"},  {"【", "】"},
                 {"（", "）"}, {"(", ")"},   {"﹝", "﹞"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        uint32_t year = 0;
        size_t used = 0;
        if (!str_starts(s, str_c(pairs[i].open)))
            continue;
        struct str rest = str_from(s, strlen(pairs[i].open));
        if (!numeral_read(rest, &year, &used) || year < 1949 || year > 2999)
            return 0;
        if (str_starts(str_from(rest, used), str_c(pairs[i].close)))
            return strlen(pairs[i].open) + used + strlen(pairs[i].close);
    }
    return 0;
}

/* Where the word of offices before `at` begins: back over Han characters, but not over 以. */
static size_t word_start(struct str s, size_t at)
{
    while (at > 0) {
        size_t before = utf8_prev(s, at), next = before;
        uint32_t c = utf8_next(s, &next);
        if (!utf8_is_han(c) || c == 0x4EE5)
            break;
        at = before;
    }
    return at;
}

/* 第? number 号 at the start: its bytes, or 0. */
static size_t serial(struct str s)
{
    uint32_t n = 0;
    size_t used = 0, at = 0;
    if (str_starts(s, STR("第")))
        at = strlen("第");
    if (!numeral_read(str_from(s, at), &n, &used))
        return 0;
    at += used;
    return str_starts(str_from(s, at), STR("号")) ? at + strlen("号") : 0;
}

struct str meta_number(struct str s)
{
    for (size_t at = 0; at < s.len;) {
        size_t year = year_in_brackets(str_from(s, at));
        size_t tail = year ? serial(str_from(s, at + year)) : 0;
        size_t start = tail ? word_start(s, at) : at;
        if (tail && start < at)
            return str_slice(s, start, at + year + tail);
        (void)utf8_next(s, &at);
    }
    /* 国务院令第656号, 市人民政府令第21号 */
    for (size_t at = 0; (at = str_find_from(s, STR("令第"), at)) != STR_NPOS;) {
        size_t head = at + strlen("令"), tail = serial(str_from(s, head));
        size_t start = word_start(s, at);
        if (tail && start < at)
            return str_slice(s, start, head + tail);
        at = head;
    }
    return STR_NONE;
}

/* ---- labels in the head ---- */

enum label {
    LABEL_NONE,
    LABEL_OTHER, /* belongs to the head, tells nothing that is kept */
    LABEL_ISSUER,
    LABEL_NUMBER,
    LABEL_PUBLISHED,
    LABEL_WRITTEN,
    LABEL_EFFECTIVE,
    LABEL_EXPIRES,
    LABEL_TERM,
    LABEL_STATUS,
    LABEL_GRADE,
    LABEL_DEPARTMENT,
    LABEL_REGION
};

static const struct {
    const char *name;
    enum label label;
} labels[] = {
    {"发文机关", LABEL_ISSUER},
    {"发布机关", LABEL_ISSUER},
    {"制定机关", LABEL_ISSUER},
    {"发文单位", LABEL_ISSUER},
    {"发布单位", LABEL_ISSUER},
    {"发布机构", LABEL_ISSUER},
    {"印发单位", LABEL_ISSUER},
    {"发布部门", LABEL_ISSUER},
    {"来源", LABEL_ISSUER},
    {"issuer", LABEL_ISSUER},
    {"ContentSource", LABEL_ISSUER},
    {"发文字号", LABEL_NUMBER},
    {"文号", LABEL_NUMBER},
    {"字号", LABEL_NUMBER},
    {"文件编号", LABEL_NUMBER},
    {"公文字号", LABEL_NUMBER},
    {"number", LABEL_NUMBER},
    {"发布日期", LABEL_PUBLISHED},
    {"公布日期", LABEL_PUBLISHED},
    {"发文日期", LABEL_PUBLISHED},
    {"印发日期", LABEL_PUBLISHED},
    {"发布时间", LABEL_PUBLISHED},
    {"published", LABEL_PUBLISHED},
    {"PubDate", LABEL_PUBLISHED},
    {"issued", LABEL_PUBLISHED},
    {"颁布日期", LABEL_PUBLISHED},
    {"成文日期", LABEL_WRITTEN},
    {"签发日期", LABEL_WRITTEN},
    {"通过日期", LABEL_WRITTEN},
    {"施行日期", LABEL_EFFECTIVE},
    {"实施日期", LABEL_EFFECTIVE},
    {"生效日期", LABEL_EFFECTIVE},
    {"执行日期", LABEL_EFFECTIVE},
    {"effective", LABEL_EFFECTIVE},
    {"施行时间", LABEL_EFFECTIVE},
    {"失效日期", LABEL_EXPIRES},
    {"废止日期", LABEL_EXPIRES},
    {"终止日期", LABEL_EXPIRES},
    {"有效期", LABEL_TERM},
    {"有效期限", LABEL_TERM},
    {"有效期至", LABEL_TERM},
    {"expires", LABEL_TERM},
    {"状态", LABEL_STATUS},
    {"有效性", LABEL_STATUS},
    {"时效性", LABEL_STATUS},
    {"效力状态", LABEL_STATUS},
    {"文件状态", LABEL_STATUS},
    {"密级", LABEL_GRADE},
    {"公开属性", LABEL_GRADE},
    {"公开方式", LABEL_GRADE},
    {"公开类别", LABEL_GRADE},
    {"使用范围", LABEL_GRADE},
    {"发放范围", LABEL_GRADE},
    {"知悉范围", LABEL_GRADE},
    {"access", LABEL_GRADE},
    {"承办部门", LABEL_DEPARTMENT},
    {"责任部门", LABEL_DEPARTMENT},
    {"主管部门", LABEL_DEPARTMENT},
    {"起草部门", LABEL_DEPARTMENT},
    {"department", LABEL_DEPARTMENT},
    {"承办单位", LABEL_DEPARTMENT},
    {"地区", LABEL_REGION},
    {"region", LABEL_REGION},
    {"适用区域", LABEL_REGION},
    {"索引号", LABEL_OTHER},
    {"主题分类", LABEL_OTHER},
    {"主题词", LABEL_OTHER},
    {"体裁分类", LABEL_OTHER},
    {"组配分类", LABEL_OTHER},
    {"标题", LABEL_OTHER},
    {"名称", LABEL_OTHER},
    {"关键词", LABEL_OTHER},
    {"浏览次数", LABEL_OTHER},
    {"字体", LABEL_OTHER},
    {"签发人", LABEL_OTHER},
    {"类型", LABEL_OTHER},
    {"版本", LABEL_OTHER},
    {"统一编号", LABEL_OTHER},
    {"规范性文件统一编号", LABEL_OTHER},
};

static enum label label_named(struct str name)
{
    name = str_trim_space(name);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (str_eq_c(name, labels[i].name))
            return labels[i].label;
    return LABEL_NONE;
}

bool meta_is_label(struct str name)
{
    return label_named(name) != LABEL_NONE;
}

/* "发文机关：云汀市人民政府" */
static enum label label_of(struct str line, struct str *value)
{
    static const struct str wide = STR_INIT("：");
    size_t at = str_find(line, wide), len = wide.len;
    size_t plain = str_find_char(line, ':');
    if (plain < at) {
        at = plain;
        len = 1;
    }
    if (at == STR_NPOS || at > 40)
        return LABEL_NONE;
    *value = str_trim_space(str_from(line, at + len));
    return label_named(str_slice(line, 0, at));
}

static const char *const acts[] = {"通过", "公布", "发布", "施行", "修正", "修订", "批准",
                                   "印发", "实施", "执行", "生效", "修改", "颁布", NULL};

bool meta_is_head_line(struct str line)
{
    struct str value;
    struct numeral_date date;
    size_t at = 0;
    line = str_trim_space(line);
    if (!line.len || line.len > 600)
        return false;
    if (label_of(line, &value) != LABEL_NONE)
        return true;
    /* A sentence that begins with a date tells a story; the head only says what happened. */
    bool story = str_ends(line, STR("：")) || meta_has(line, "如下") || meta_has(line, "收悉");
    if (!story && numeral_date_next(line, &at, &date) && date.start <= 6 &&
        (meta_has_any(line, acts) || line.len < 36))
        return true;
    struct str number = meta_number(line);
    if (number.len && line.len <= number.len + 12)
        return true;
    if (str_starts(line, STR("<!--")) || str_starts(line, STR("```")))
        return true;
    return line.len <= 300 && !str_ends(line, STR("。")) &&
           (meta_has(line, "会议通过") || meta_has(line, "会议批准") || meta_has(line, "令第") ||
            meta_has(line, "公告公布") || meta_has(line, "次修正") || meta_has(line, "次修订"));
}

/* ---- reading it all ---- */

struct reading {
    struct meta_found *found;
    struct meta_days days;
    int32_t published, written, effective, expires;
    struct str term;
};

static int32_t day_in(struct str value)
{
    struct numeral_date date;
    size_t at = 0;
    return numeral_date_next(value, &at, &date) ? date.day : DAY_NONE;
}

/* "已废止（2023年6月1日起由《云汀市养犬管理办法》取代）" */
static void read_status(struct reading *r, struct str value)
{
    static const char *const over[] = {"废止", "失效", "停止执行", NULL};
    struct knowledge_meta *meta = &r->found->meta;
    size_t at = 0;
    if (!meta_has_any(value, over) || meta_has(value, "未废止") || meta_has(value, "未失效"))
        return;
    meta->repealed = true;
    if (r->expires == DAY_NONE)
        r->expires = day_in(value);
    (void)meta_title_next(value, &at, &meta->replaced_by);
}

static void read_grade(struct reading *r, struct str value)
{
    static const char *const secret[] = {"秘密", "机密", "绝密", NULL};
    static const char *const staff[] = {"内部",     "不予公开", "不公开",     "工作秘密",
                                        "工作人员", "staff",    "依申请公开", NULL};
    static const char *const open[] = {"主动公开", "公开", "public", NULL};
    struct meta_found *found = r->found;
    if (meta_has_any(value, secret) && !meta_has(value, "工作秘密") && !meta_has(value, "非密")) {
        found->secret = true;
        found->access_said = true;
        found->meta.access = OPS_CLASS_RESTRICTED;
    } else if (meta_has_any(value, staff)) {
        found->access_said = true;
        found->meta.access = OPS_CLASS_STAFF;
    } else if (meta_has_any(value, open)) {
        found->access_said = true;
        found->meta.access = OPS_CLASS_PUBLIC;
    }
}

static void keep(struct str *to, struct str value)
{
    if (!to->len && value.len <= 300)
        *to = value;
}

static void keep_day(int32_t *to, int32_t day)
{
    if (*to == DAY_NONE)
        *to = day;
}

static void read_label(struct reading *r, enum label label, struct str value)
{
    struct knowledge_meta *meta = &r->found->meta;
    switch (label) {
    case LABEL_ISSUER:
        keep(&meta->issuer, value);
        break;
    case LABEL_NUMBER: {
        struct str number = meta_number(value);
        keep(&meta->number, number.len ? number : value);
        break;
    }
    case LABEL_PUBLISHED:
        keep_day(&r->published, day_in(value));
        break;
    case LABEL_WRITTEN:
        keep_day(&r->written, day_in(value));
        break;
    case LABEL_EFFECTIVE:
        keep_day(&r->effective, day_in(value));
        break;
    case LABEL_EXPIRES:
        keep_day(&r->expires, day_in(value));
        break;
    case LABEL_TERM:
        keep(&r->term, value);
        break;
    case LABEL_STATUS:
        read_status(r, value);
        break;
    case LABEL_GRADE:
        read_grade(r, value);
        break;
    case LABEL_DEPARTMENT:
        keep(&meta->department, value);
        break;
    case LABEL_REGION:
        keep(&meta->region, value);
        break;
    case LABEL_NONE:
    case LABEL_OTHER:
        break;
    }
}

/* A line that is only a mark: 秘密★1年, 内部资料 注意保存. */
static bool is_mark(struct str line)
{
    static const char *const marks[] = {"秘密", "机密", "绝密", "内部", NULL};
    if (line.len > 48 || meta_has(line, "。") || meta_has(line, "，"))
        return false;
    for (size_t i = 0; marks[i]; i++)
        if (str_starts(line, str_c(marks[i])))
            return meta_has(line, "★") || str_eq_c(line, marks[i]) || meta_has(line, "内部");
    return false;
}

/* "来源：市水务局　发布日期：2022-03-30　字体：大 中 小": several labels in one line. */
static bool read_labels(struct reading *r, struct str line)
{
    struct str value = STR_NONE, more = STR_NONE;
    enum label label = label_of(line, &value);
    if (label == LABEL_NONE)
        return false;
    static const char *const gaps[] = {"　", "  ", "|", "\t"};
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        for (size_t at = 0; (at = str_find_from(value, str_c(gaps[i]), at)) != STR_NPOS; at++) {
            struct str rest = str_trim_space(str_from(value, at + strlen(gaps[i])));
            if (label_of(rest, &more) != LABEL_NONE) {
                (void)read_labels(r, rest);
                value = str_trim_space(str_slice(value, 0, at));
                break;
            }
        }
    }
    read_label(r, label, value);
    return true;
}

static void read_head(struct reading *r, const struct meta_source *source, struct arena *arena)
{
    for (size_t i = 0; i < source->n_props; i++)
        read_label(r, label_named(source->props[i].name), str_trim_space(source->props[i].value));
    for (size_t i = 0; i < source->n_head; i++) {
        struct str line = str_trim_space(source->head[i]);
        if (read_labels(r, line))
            continue;
        if (is_mark(line))
            read_grade(r, line);
        keep(&r->found->meta.number, meta_number(meta_without_titles(line, arena)));
        meta_time_head(line, &r->days, arena);
    }
    if (meta_has(source->title, "（内部") || meta_has(source->title, "(内部"))
        read_grade(r, STR("内部"));
}

/* The date that stands in the name of a file: "劳动合同法(2012-12-28).md". */
static int32_t day_of_path(struct str path)
{
    struct str rest = path, part, name = path;
    while (str_next(&rest, '/', &part))
        name = part;
    size_t at = str_find_char(name, '(');
    if (at == STR_NPOS)
        at = str_find(name, STR("（"));
    return at == STR_NPOS ? DAY_NONE : day_in(str_from(name, at));
}

/* The signature's date: the last line that is a date and nothing else. */
static int32_t day_of_tail(const struct meta_source *source)
{
    for (size_t i = source->n_tail; i > 0; i--) {
        struct str line = str_trim_space(source->tail[i - 1]);
        struct numeral_date date;
        size_t at = 0;
        if (line.len <= 60 && numeral_date_next(line, &at, &date) && date.start <= 3 &&
            line.len - date.end <= 3)
            return date.day;
    }
    return DAY_NONE;
}

static void settle_days(struct reading *r, const struct meta_source *source)
{
    struct knowledge_meta *meta = &r->found->meta;
    int32_t published = r->published;
    if (published == DAY_NONE)
        published = r->written;
    /* Files of laws are named after the day of publication, which is not before the adoption; long
     * after it, it is that of an amendment which the head does not tell of. */
    int32_t named = day_of_path(source->path);
    if (r->days.adopted != DAY_NONE && named != DAY_NONE && named > r->days.adopted + 400) {
        r->days.adopted = named;
        r->days.amended = true;
    }
    keep_day(&published, named > r->days.adopted ? named : r->days.adopted);
    keep_day(&published, day_of_tail(source));
    meta->published = published;

    int32_t effective = r->effective;
    /* A date of effect that is older than the last amendment is that of the first text. */
    if (effective == DAY_NONE && r->days.told != DAY_NONE &&
        (!r->days.amended || r->days.told >= r->days.adopted))
        effective = r->days.told;
    if (effective == DAY_NONE) {
        int32_t own = meta_time_effect(source->tail, source->n_tail, published);
        r->found->from_text = own != DAY_NONE;
        if (own != DAY_NONE && (!r->days.amended || published == DAY_NONE || own >= published))
            effective = own;
        else if (r->days.amended)
            effective = published;
    }
    meta->effective = effective;

    int32_t expires = r->expires;
    if (r->term.len)
        keep_day(&expires, meta_time_end(r->term, effective, true));
    for (size_t i = source->n_tail; i > 0 && expires == DAY_NONE; i--) {
        struct str line = source->tail[i - 1];
        if (meta_has(line, "施行") || meta_has(line, "执行") || meta_has(line, "实施"))
            expires = meta_time_end(line, effective, false);
    }
    /* A text that ends before it begins was misread. */
    meta->expires =
        expires != DAY_NONE && effective != DAY_NONE && expires <= effective ? DAY_NONE : expires;
}

static enum err settle_label(struct reading *r, struct arena *arena, struct why *why)
{
    struct knowledge_meta *meta = &r->found->meta;
    char day[TIME_TEXT];
    int32_t named = meta->effective != DAY_NONE ? meta->effective : meta->published;
    int32_t amended = r->days.amended ? r->days.adopted : DAY_NONE;
    if (amended != DAY_NONE)
        r->found->label = str_printf(arena, "%s 修正", day_format(amended, day));
    else if (named != DAY_NONE)
        r->found->label = str_printf(arena, "%s %s", day_format(named, day),
                                     meta->effective != DAY_NONE ? "施行" : "公布");
    else
        r->found->label = STR("");
    return r->found->label.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold a label");
}

enum err meta_read(const struct meta_source *source, struct arena *arena, struct meta_found *out,
                   struct why *why)
{
    struct meta_found found = {
        .meta = {.published = DAY_NONE, .effective = DAY_NONE, .expires = DAY_NONE}};
    struct reading r = {.found = &found,
                        .days = {DAY_NONE, DAY_NONE, false},
                        .published = DAY_NONE,
                        .written = DAY_NONE,
                        .effective = DAY_NONE,
                        .expires = DAY_NONE};
    struct knowledge_meta *meta = &found.meta;
    meta->title = source->title;
    meta->part = source->part;
    read_head(&r, source, arena);
    settle_days(&r, source);
    found.amended = r.days.amended;

    enum err err = ERR_OK;
    if (!meta->issuer.len)
        err = meta_issuer(source, arena, &meta->issuer, why);
    if (!err && !meta->region.len)
        err = meta_region(source, meta->issuer, arena, &meta->region, why);
    if (!err)
        err = meta_time_repeals(source->tail, source->n_tail, arena, &found, why);
    if (!err)
        err = settle_label(&r, arena, why);
    if (!err) {
        struct str whole =
            str_printf(arena, "%.*s%.*s", STR_FMT(source->title), STR_FMT(source->part));
        err = whole.ptr ? meta_key(whole, arena, &meta->key, why)
                        : err_set(why, ERR_NO_MEMORY, "could not hold a title");
    }
    if (err)
        return err;
    meta->level = meta_level(source, &found);
    *out = found;
    return ERR_OK;
}

/* ---- the key ---- */

/* What tells versions of one text apart when it stands in brackets behind the title. */
static bool tells_versions_apart(struct str inside)
{
    static const char *const words[] = {"修正", "修订", "修改", "试行", "暂行", "年本",
                                        "年版", "废止", "失效", "文本", NULL};
    struct numeral_date date;
    size_t at = 0;
    return meta_has_any(inside, words) || numeral_date_next(inside, &at, &date);
}

/* The bracketed words at s, brackets included: bytes, or 0. */
static size_t bracketed(struct str s, struct str *inside)
{
    static const char *const opens[] = {"（", "(", "【", "["};
    static const char *const closes[] = {"）", ")", "】", "]"};
    for (size_t i = 0; i < 4; i++) {
        if (!str_starts(s, str_c(opens[i])))
            continue;
        size_t from = strlen(opens[i]);
        for (size_t c = 0; c < 4; c++) {
            size_t close = str_find_from(s, str_c(closes[c]), from);
            if (close != STR_NPOS && close - from < 90) {
                *inside = str_slice(s, from, close);
                return close + strlen(closes[c]);
            }
        }
    }
    return 0;
}

static bool is_noise(uint32_t c)
{
    static const char noise[] = "《》〈〉<>()（）[]【】〔〕“”\"'‘’「」『』、，。：:;；·•,.-—_";
    if (utf8_is_space(c))
        return true;
    struct str all = {noise, sizeof noise - 1};
    for (size_t at = 0; at < all.len;)
        if (utf8_next(all, &at) == c)
            return true;
    return false;
}

enum err meta_key(struct str title, struct arena *arena, struct str *out, struct why *why)
{
    static const struct str country = STR_INIT("中华人民共和国");
    struct buf key;
    buf_init(&key, arena);
    for (size_t at = 0; at < title.len;) {
        struct str rest = str_from(title, at), inside = STR_NONE;
        size_t skip = bracketed(rest, &inside);
        if (skip && tells_versions_apart(inside)) {
            at += skip;
            continue;
        }
        /* 中华人民共和国 alone before 民法典 tells nothing; the country itself is kept. */
        if (str_starts(rest, country) && rest.len > country.len) {
            at += country.len;
            continue;
        }
        uint32_t c = utf8_halfwidth(utf8_next(title, &at));
        if (is_noise(c))
            continue;
        char bytes[UTF8_MAX_BYTES];
        if (c >= 'A' && c <= 'Z')
            c += 32;
        buf_add(&key, (struct str){bytes, utf8_put(bytes, c)});
    }
    if (key.failed)
        return err_set(why, ERR_NO_MEMORY, "could not hold a title");
    *out = key.len ? buf_str(&key) : STR("");
    return ERR_OK;
}
