/* knowledge/meta_time - when a text was adopted, takes effect, ends, and what it ends. */
#include "knowledge/meta_in.h"

#include "core/arena.h"
#include "knowledge/numeral.h"

#include <stdlib.h>
#include <string.h>

static const char *const adopting[] = {"通过", "公布", "发布", "批准", "印发",
                                       "颁布", "修正", "修订", "修改", NULL};
static const char *const amending[] = {"修正", "修订", "修改", NULL};
static const char *const starting[] = {"施行", "实施", "执行", "生效", NULL};

void meta_time_head(struct str line, struct meta_days *days, struct arena *arena)
{
    line = meta_without_titles(line, arena);
    struct numeral_date date, next;
    size_t at = 0;
    bool more = numeral_date_next(line, &at, &date);
    while (more) {
        more = numeral_date_next(line, &at, &next);
        struct str told = str_slice(line, date.end, more ? next.start : line.len);
        bool adopts = meta_has_any(told, adopting);
        /* Passed again years later: an amendment that does not say its name. */
        if (adopts && days->adopted != DAY_NONE && abs(date.day - days->adopted) > 400)
            days->amended = true;
        if (adopts && date.day > days->adopted)
            days->adopted = date.day;
        if (meta_has_any(told, starting) && date.day > days->told)
            days->told = date.day;
        days->amended = days->amended || meta_has_any(told, amending);
        date = next;
    }
}

/* 自公布之日起30日后施行 -> published + 30. */
static int32_t from_publication(struct str line, int32_t published)
{
    static const char *const days[] = {"公布之日", "发布之日", "印发之日",
                                       "颁布之日", "公告之日", NULL};
    if (published == DAY_NONE || !meta_has_any(line, days))
        return DAY_NONE;
    size_t at = str_find(line, STR("之日起"));
    uint32_t n = 0;
    size_t used = 0;
    if (at != STR_NPOS && numeral_read(str_from(line, at + strlen("之日起")), &n, &used)) {
        struct str rest = str_from(line, at + strlen("之日起") + used);
        if (n <= 366 && (str_starts(rest, STR("日后")) || str_starts(rest, STR("天后"))))
            return published + (int32_t)n;
    }
    return published;
}

/* The date of "自 <date> 起" in a line, followed by a word of starting. */
static int32_t from_date(struct str line)
{
    size_t at = 0;
    struct numeral_date date;
    while (numeral_date_next(line, &at, &date)) {
        struct str before = str_slice(line, date.start > 6 ? date.start - 6 : 0, date.start);
        struct str after = str_slice(line, date.end, date.end + 36);
        if ((str_ends(before, STR("自")) || str_ends(before, STR("于")) ||
             str_ends(before, STR("从"))) &&
            meta_has_any(after, starting))
            return date.day;
    }
    return DAY_NONE;
}

int32_t meta_time_effect(const struct str *lines, size_t n, int32_t published)
{
    /* "本办法自…起施行" at the end beats "自…起执行新标准" in the middle. */
    for (int strict = 1; strict >= 0; strict--) {
        for (size_t i = n; i > 0; i--) {
            struct str line = lines[i - 1];
            size_t own = str_find(line, STR("本"));
            if (!meta_has_any(line, starting) || (strict && own == STR_NPOS))
                continue;
            struct str rest = strict ? str_from(line, own) : line;
            int32_t day = from_date(rest);
            if (day == DAY_NONE)
                day = from_publication(rest, published);
            if (day != DAY_NONE)
                return day;
        }
    }
    return DAY_NONE;
}

static int32_t add_months(int32_t day, uint32_t months)
{
    int y = 0, m = 0, d = 0;
    day_to_ymd(day, &y, &m, &d);
    int64_t total = (int64_t)y * 12 + (m - 1) + (int64_t)months;
    y = (int)(total / 12);
    m = (int)(total % 12) + 1;
    for (; d > 28; d--) { /* 31 January and a month: the last day of February */
        int32_t found = day_from_ymd(y, m, d);
        if (found != DAY_NONE)
            return found;
    }
    return day_from_ymd(y, m, d);
}

/* "五年", "5年", "三年六个月" of effect. */
static int32_t after_term(struct str term, int32_t effective)
{
    uint32_t n = 0;
    size_t used = 0;
    if (effective == DAY_NONE || !numeral_read(term, &n, &used) || n == 0 || n > 100)
        return DAY_NONE;
    struct str unit = str_from(term, used);
    if (str_starts(unit, STR("年")))
        return add_months(effective, n * 12);
    if (str_starts(unit, STR("个月")))
        return add_months(effective, n);
    return DAY_NONE;
}

int32_t meta_time_end(struct str line, int32_t effective, bool label)
{
    static const char *const words[] = {"有效期", "试行期", "试行", "暂行", NULL};
    static const char *const fill[] = {
        "限",           "为",           "：",           ":",    "至", "到", "是", "自施行之日起",
        "自发布之日起", "自印发之日起", "自公布之日起", "截至", NULL};
    for (size_t w = 0; words[w] || label; w++) {
        size_t at = label ? 0 : str_find(line, str_c(words[w]));
        if (at == STR_NPOS)
            continue;
        struct str rest = str_trim_space(str_from(line, label ? 0 : at + strlen(words[w])));
        for (size_t i = 0; fill[i]; i++) {
            if (str_starts(rest, str_c(fill[i]))) {
                rest = str_trim_space(str_from(rest, strlen(fill[i])));
                i = (size_t)-1;
            }
        }
        struct numeral_date date;
        size_t from = 0;
        if (numeral_date_next(rest, &from, &date) && date.start < 24)
            return date.day + 1;
        int32_t day = after_term(rest, effective);
        if (day != DAY_NONE || label)
            return day;
    }
    /* 自2026年1月1日起执行，至2026年12月31日止 */
    size_t at = 0;
    struct numeral_date date;
    while (numeral_date_next(line, &at, &date)) {
        struct str before = str_slice(line, date.start > 3 ? date.start - 3 : 0, date.start);
        if (str_eq(before, STR("至")) && str_starts(str_from(line, date.end), STR("止")))
            return date.day + 1;
    }
    return DAY_NONE;
}

/* ---- repeals ---- */

static const char *const ending[] = {"同时废止", "即行废止", "予以废止", "停止执行",
                                     "不再执行", "相应废止", "随之废止", "自行废止",
                                     "同时停止", "同时失效", NULL};

static enum err repeal_one(struct str sentence, size_t *at, struct str title, int32_t from,
                           struct arena *arena, struct meta_found *found, struct why *why)
{
    struct str rest = str_from(sentence, *at);
    if (str_starts(rest, STR("第")) || str_starts(rest, STR("中")))
        return ERR_OK; /* only some of its articles */
    struct str number = STR_NONE;
    if (str_starts(rest, STR("（")) || str_starts(rest, STR("("))) {
        size_t close = str_find(rest, STR("）"));
        if (close == STR_NPOS)
            close = str_find(rest, STR(")"));
        if (close != STR_NPOS && close < 120)
            number = meta_number(str_slice(rest, 1, close));
    }
    struct meta_repeal *grown = arena_grow(arena, found->repeals, found->n_repeals * sizeof *grown,
                                           (found->n_repeals + 1) * sizeof *grown);
    if (!grown)
        return err_set(why, ERR_NO_MEMORY, "could not hold the repeals of a text");
    grown[found->n_repeals++] = (struct meta_repeal){title, number, from};
    found->repeals = grown;
    return ERR_OK;
}

enum err meta_time_repeals(const struct str *lines, size_t n, struct arena *arena,
                           struct meta_found *found, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && found->n_repeals < 200; i++) {
        struct str rest = lines[i];
        while (rest.len && !err) {
            size_t stop = str_find(rest, STR("。"));
            struct str sentence = str_slice(rest, 0, stop == STR_NPOS ? rest.len : stop);
            rest = stop == STR_NPOS ? STR_NONE : str_from(rest, stop + strlen("。"));
            if (!meta_has_any(sentence, ending))
                continue;
            struct str title;
            size_t at = 0;
            /* "自2027年1月1日起停止执行" behind the titles; the date of an old text stands before.
             */
            int32_t from = DAY_NONE;
            struct numeral_date date;
            size_t seek = 0;
            while (numeral_date_next(sentence, &seek, &date)) {
                struct str after = str_slice(sentence, date.end, date.end + 24);
                if (str_starts(after, STR("起")) && meta_has_any(after, ending))
                    from = date.day;
            }
            while (!err && meta_title_next(sentence, &at, &title))
                err = repeal_one(sentence, &at, title, from, arena, found, why);
        }
    }
    return err;
}
