/* knowledge/meta_origin - the level, the region and the issuer of a text. */
#include "knowledge/meta_in.h"

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/numeral.h"

#include <string.h>

/* ---- level ---- */

enum {
    CONSTITUTION = 9,
    LAW = 8,
    REGULATION = 7,
    INTERPRETATION = 6,
    MINISTRY = 5,
    LOCAL = 4,
    LOCAL_RULE = 3,
    NORMATIVE = 2,
    CASE = 1,
    OTHER = 0
};

/* Folders as the national database of laws and its copies name them. */
static const struct {
    const char *folder;
    int level;
} folders[] = {
    {"宪法", CONSTITUTION},
    {"宪法相关法", LAW},
    {"法律", LAW},
    {"民法典", LAW},
    {"民法商法", LAW},
    {"刑法", LAW},
    {"行政法", LAW},
    {"经济法", LAW},
    {"社会法", LAW},
    {"诉讼与非诉讼程序法", LAW},
    {"行政法规", REGULATION},
    {"司法解释", INTERPRETATION},
    {"部门规章", MINISTRY},
    {"地方性法规", LOCAL},
    {"地方法规", LOCAL},
    {"地方政府规章", LOCAL_RULE},
    {"规范性文件", NORMATIVE},
    {"案例", CASE},
    {"其他", OTHER},
};

static int level_of_folders(struct str path)
{
    int level = -1;
    struct str rest = path, part;
    while (str_next(&rest, '/', &part)) {
        if (!rest.len && !str_eq(part, path))
            break; /* the file's own name */
        for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
            if (str_eq_c(part, folders[i].folder) ||
                (folders[i].level == LOCAL && str_ends(part, str_c(folders[i].folder))))
                level = level == CASE ? CASE : folders[i].level;
    }
    return level;
}

static bool head_has(const struct meta_source *source, const char *word)
{
    for (size_t i = 0; i < source->n_head; i++)
        if (meta_has(source->head[i], word))
            return true;
    return false;
}

static int level_of_words(const struct meta_source *source, const struct meta_found *found)
{
    static const char *const ministries[] = {"部令", "委员会令", "总局令", "署令",
                                             "局令", "银行令",   NULL};
    struct str title = source->title, number = found->meta.number, issuer = found->meta.issuer;
    bool rules = source->n_articles > 1;
    if (str_eq_c(title, "中华人民共和国宪法") || str_eq_c(title, "宪法") ||
        meta_has(title, "宪法修正案"))
        return CONSTITUTION;
    if (meta_has(title, "最高人民法院") || meta_has(title, "最高人民检察院") ||
        str_starts(number, STR("法释")) || str_starts(number, STR("高检发释")))
        return INTERPRETATION;
    if (meta_has(title, "诉") && str_ends(title, STR("案")))
        return CASE;
    if (meta_has(issuer, "全国人民代表大会") && rules)
        return LAW;
    if (str_starts(title, STR("中华人民共和国")) &&
        (str_ends(title, STR("法")) || str_ends(title, STR("法典"))))
        return LAW;
    if (meta_has(number, "国务院令") || head_has(source, "国务院令") ||
        (meta_has(issuer, "国务院") && rules && !meta_has(number, "〔")))
        return REGULATION;
    if (meta_has(number, "人民政府令") || (meta_has(issuer, "人民政府") && meta_has(number, "令")))
        return LOCAL_RULE;
    if (meta_has_any(number, ministries))
        return MINISTRY;
    if (meta_has(issuer, "人民代表大会"))
        return LOCAL;
    if (number.len || (issuer.len && (rules || meta_has(title, "通知") || meta_has(title, "意见"))))
        return NORMATIVE;
    return OTHER;
}

int meta_level(const struct meta_source *source, const struct meta_found *found)
{
    int level = level_of_folders(source->path);
    if (level == CONSTITUTION && !meta_has(source->title, "宪法"))
        level = LAW;
    return level >= 0 ? level : level_of_words(source, found);
}

/* ---- region ---- */

static const char *const provinces[] = {"北京",   "天津", "河北", "山西", "内蒙古", "辽宁", "吉林",
                                        "黑龙江", "上海", "江苏", "浙江", "安徽",   "福建", "江西",
                                        "山东",   "河南", "湖北", "湖南", "广东",   "广西", "海南",
                                        "重庆",   "四川", "贵州", "云南", "西藏",   "陕西", "甘肃",
                                        "青海",   "宁夏", "新疆", "香港", "澳门",   "台湾"};
#define N_PROVINCES (sizeof provinces / sizeof provinces[0])

static struct str province_at_start(struct str s)
{
    for (size_t i = 0; i < N_PROVINCES; i++)
        if (str_starts(s, str_c(provinces[i])))
            return str_c(provinces[i]);
    return STR_NONE;
}

static struct str province_of_folders(struct str path)
{
    struct str rest = path, part, found = STR_NONE;
    while (str_next(&rest, '/', &part)) {
        struct str province = province_at_start(part);
        struct str tail = str_from(part, province.len);
        if (rest.len && province.len &&
            (!tail.len || str_eq_c(tail, "地方法规") || str_eq_c(tail, "省") ||
             str_eq_c(tail, "市") || str_eq_c(tail, "自治区")))
            found = province;
    }
    return found;
}

/* 杭州市…, 景宁畲族自治县…, 深圳经济特区… at the start: the name without its kind. */
static struct str place_at_start(struct str s)
{
    static const struct {
        const char *kind;
        size_t most; /* bytes before it */
    } kinds[] = {{"经济特区", 15}, {"自治州", 30}, {"自治县", 36}, {"自治旗", 36}, {"市", 18}};
    static const char *const not_places[] = {"城", "都", "上", "超", "门", "集", "股", "菜", "夜",
                                             "楼", "全", "省", "本", "县", "入", "各", NULL};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t at =
            str_find(str_slice(s, 0, kinds[i].most + strlen(kinds[i].kind)), str_c(kinds[i].kind));
        if (at == STR_NPOS || at < 6)
            continue;
        struct str name = str_slice(s, 0, at);
        struct str last = str_slice(name, utf8_prev(name, name.len), name.len);
        bool other = str_starts(str_from(s, at + strlen(kinds[i].kind)), STR("场"));
        for (size_t w = 0; not_places[w] && !other; w++)
            other = str_eq_c(last, not_places[w]);
        for (size_t b = 0; b < name.len && !other;)
            other = !utf8_is_han(utf8_next(name, &b));
        if (!other && !meta_has(name, "关于") && !meta_has(name, "共和国") &&
            !meta_has(name, "国务院"))
            return name;
    }
    return STR_NONE;
}

/* What stands behind 省 or 自治区 of a province's full name. */
static struct str after_province(struct str s, struct str province)
{
    static const char *const tails[] = {"省", "壮族自治区", "回族自治区", "维吾尔自治区", "自治区"};
    struct str rest = str_from(s, province.len);
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
        if (str_starts(rest, str_c(tails[i])))
            return str_from(rest, strlen(tails[i]));
    return rest;
}

enum err meta_region(const struct meta_source *source, struct str issuer, struct arena *arena,
                     struct str *out, struct why *why)
{
    struct str province = province_of_folders(source->path), place = STR_NONE;
    const struct str texts[] = {source->title, issuer};
    for (size_t i = 0; i < 2 && !place.len; i++) {
        struct str own = province_at_start(texts[i]);
        struct str rest = texts[i];
        if (own.len) {
            if (!province.len)
                province = own;
            rest = after_province(rest, own);
            if (str_starts(rest, STR("市")))
                continue; /* 上海市 is the province itself */
        }
        place = place_at_start(rest);
    }
    *out = str_printf(arena, "%.*s%.*s", STR_FMT(province),
                      STR_FMT(str_eq(place, province) ? STR_NONE : place));
    return out->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold a region");
}

/* ---- issuer ---- */

bool meta_is_office(struct str s)
{
    static const char *const ends[] = {"委员会", "委",     "人民政府", "政府", "办公室", "办公厅",
                                       "办",     "局",     "厅",       "部",   "院",     "署",
                                       "中心",   "支队",   "总队",     "公司", "联合会", "总会",
                                       "协会",   "指挥部", "银行",     "大会", "会",     "党组",
                                       "总局",   "监管局", "管理处",   NULL};
    s = str_trim_space(s);
    if (s.len < 6 || s.len > 150 || meta_has(s, "，") || meta_has(s, "。") || meta_has(s, "《") ||
        meta_has(s, "："))
        return false;
    for (size_t i = 0; ends[i]; i++)
        if (str_ends(s, str_c(ends[i])))
            return true;
    return false;
}

/* The body in "2019年8月16日 金华市第七届人民代表大会常务委员会第二十二次会议通过". */
static struct str body_of_assembly(struct str told, struct arena *arena)
{
    static const char *const bodies[] = {"人民代表大会常务委员会", "人民代表大会"};
    for (size_t i = 0; i < 2; i++) {
        size_t at = str_find(told, str_c(bodies[i]));
        if (at == STR_NPOS)
            continue;
        struct str place = str_trim_space(str_slice(told, 0, at));
        size_t term = str_find(place, STR("第"));
        if (term != STR_NPOS) {
            struct str behind = str_slice(place, term, place.len);
            size_t of = str_find(behind, STR("届"));
            struct str tail = of == STR_NPOS ? behind : str_from(behind, of + strlen("届"));
            place = term ? str_slice(place, 0, term) : tail;
        }
        if (place.len > 60)
            return STR_NONE;
        return str_printf(arena, "%.*s%s", STR_FMT(place), bodies[i]);
    }
    return STR_NONE;
}

static struct str issuer_of_head_line(struct str line, struct arena *arena)
{
    line = meta_without_titles(line, arena);
    bool court = meta_has(line, "最高人民法院"), procurator = meta_has(line, "最高人民检察院");
    if (court || procurator)
        return court && procurator ? STR("最高人民法院、最高人民检察院")
               : court             ? STR("最高人民法院")
                                   : STR("最高人民检察院");
    struct numeral_date date;
    size_t at = 0;
    struct str told = numeral_date_next(line, &at, &date) ? str_from(line, date.end) : line;
    told = str_trim_space(told);
    if (meta_has(told, "全国人民代表大会常务委员会"))
        return STR("全国人民代表大会常务委员会");
    if (meta_has(told, "全国人民代表大会"))
        return STR("全国人民代表大会");
    struct str body = body_of_assembly(told, arena);
    if (body.len)
        return body;
    if (meta_has(told, "国务院"))
        return STR("国务院");
    size_t order = str_find(told, STR("令第"));
    if (order != STR_NPOS && order >= 6 && order < 90)
        return str_slice(told, 0, order);
    return STR_NONE;
}

/* "云汀市教育局 云汀市财政局关于做好…的通知": what stands before 关于. */
static struct str issuer_of_title(struct str title)
{
    size_t at = str_find(title, STR("关于"));
    if (at == STR_NPOS || at == 0)
        return STR_NONE;
    struct str before = str_trim_space(str_slice(title, 0, at));
    return meta_is_office(before) ? before : STR_NONE;
}

/* The office that signed above the date at the end. */
static struct str issuer_of_tail(const struct meta_source *source)
{
    for (size_t i = source->n_tail; i > 1; i--) {
        struct numeral_date date;
        size_t at = 0;
        struct str line = source->tail[i - 1];
        if (line.len > 60 || !numeral_date_next(line, &at, &date) || date.start > 0)
            continue;
        struct str above = str_trim_space(source->tail[i - 2]);
        return meta_is_office(above) ? above : STR_NONE;
    }
    return STR_NONE;
}

enum err meta_issuer(const struct meta_source *source, struct arena *arena, struct str *out,
                     struct why *why)
{
    struct str found = STR_NONE;
    for (size_t i = 0; i < source->n_head && !found.len; i++)
        found = issuer_of_head_line(source->head[i], arena);
    if (!found.len)
        found = issuer_of_title(source->title);
    if (!found.len)
        found = issuer_of_tail(source);
    *out = str_copy(arena, found);
    return out->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold an issuer");
}
