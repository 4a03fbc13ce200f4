/* dates: one way of writing days of the calendar. */
#include "core/arena.h"
#include "data/op.h"
#include "data/text.h"

enum { FORM };
static const struct data_param params[] = {
    [FORM] = {"form", DATA_CHOICE, 0, 0, 0, "iso|chinese", "",
              "iso: 2024-03-05; chinese: 2024年3月5日",
              "iso 为 2024-03-05，chinese 为 2024年3月5日"},
};

struct day {
    int year, month, day;
    size_t end;
};

static int chinese_digit(struct str s, size_t at)
{
    static const char digits[] = "〇一二三四五六七八九";
    for (int d = 0; d < 10; d++)
        if (str_starts(str_from(s, at), (struct str){digits + (size_t)d * 3, 3}))
            return d;
    return str_starts(str_from(s, at), STR("零")) || str_starts(str_from(s, at), STR("○")) ? 0 : -1;
}

/* Digits of either script, `most` of them at most; behind them, or `at`. */
static size_t read_digits(struct str s, size_t at, int most, int *value)
{
    int n = 0;
    *value = 0;
    while (at < s.len && n < most) {
        int d = s.ptr[at] >= '0' && s.ptr[at] <= '9' ? s.ptr[at] - '0' : chinese_digit(s, at);
        if (d < 0)
            break;
        *value = *value * 10 + d;
        at += s.ptr[at] >= '0' && s.ptr[at] <= '9' ? 1 : 3;
        n++;
    }
    return at;
}

/* 1 to 31, also 十, 十五, 二十, 二十五, 三十一. */
static size_t read_small(struct str s, size_t at, int *value)
{
    int tens = 0, ones = 0;
    size_t i = read_digits(s, at, 2, &tens);
    if (!str_starts(str_from(s, i), STR("十"))) {
        *value = tens;
        return i;
    }
    if (tens > 3)
        return at;
    size_t behind = read_digits(s, i + 3, 1, &ones);
    *value = (i == at ? 1 : tens) * 10 + ones;
    return behind;
}

static bool is_day(const struct day *d)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;
    return d->year >= 1000 && d->year <= 2999 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= days[d->month - 1] + (d->month == 2 && leap);
}

static bool is_space_or_end(struct str s, size_t at)
{
    return at >= s.len || s.ptr[at] < '0' || s.ptr[at] > '9';
}

/* The day that begins at `at`: 2024年3月5日, 二〇二四年三月五日, 2024-3-5, 2024/03/05, 2024.3.5 */
static bool read_day(struct str s, size_t at, struct day *d)
{
    size_t i = read_digits(s, at, 4, &d->year), next;
    if (d->year < 1000 || i >= s.len)
        return false;
    struct str rest = str_from(s, i);
    if (str_starts(rest, STR("年"))) {
        i = read_small(s, i + 3, &d->month);
        if (!str_starts(str_from(s, i), STR("月")))
            return false;
        next = read_small(s, i + 3, &d->day);
        bool named =
            str_starts(str_from(s, next), STR("日")) || str_starts(str_from(s, next), STR("号"));
        d->end = next + 3;
        return named && is_day(d);
    }
    char sep = rest.ptr[0];
    if (sep != '-' && sep != '/' && sep != '.')
        return false;
    next = read_digits(s, i + 1, 2, &d->month);
    if (next == i + 1 || next >= s.len || s.ptr[next] != sep)
        return false;
    d->end = read_digits(s, next + 1, 2, &d->day);
    /* 1.2.3.4 and 2024-1-2-3 are no days. */
    bool more = d->end + 1 < s.len && s.ptr[d->end] == sep && !is_space_or_end(s, d->end + 1);
    return d->end > next + 1 && is_space_or_end(s, d->end) && !more && is_day(d);
}

static bool may_begin(struct str s, size_t at)
{
    if (s.ptr[at] >= '1' && s.ptr[at] <= '2')
        return at == 0 || !((s.ptr[at - 1] >= '0' && s.ptr[at - 1] <= '9') ||
                            s.ptr[at - 1] == '.' || s.ptr[at - 1] == '-' || s.ptr[at - 1] == '/');
    return str_starts(str_from(s, at), STR("一")) || str_starts(str_from(s, at), STR("二"));
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct text_edit edit;
    bool iso = call->args[FORM].number == 0;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        struct day d = {0};
        if (!may_begin(in, i) || !read_day(in, i, &d)) {
            (void)text_next(in, &i);
            continue;
        }
        text_edit_part(&edit, i, d.end);
        buf_printf(&edit.buf, iso ? "%04d-%02d-%02d" : "%d年%d月%d日", d.year, d.month, d.day);
        i = d.end;
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_dates = {
    .name = "dates",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Write dates in one form; what is no day of the calendar stays",
    .summary_zh = "统一日期写法，不是合法日期的不动",
    .source = "GB/T 7408.1-2023 (ISO 8601-1:2019) for the form; which texts are dates is ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
