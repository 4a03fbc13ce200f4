/* cast: values as what they are: numbers, truth, dates; what is none goes to quarantine. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/field.h"
#include "data/op.h"
#include "data/put.h"

enum { PATHS, TO, LEAST, MOST, WRONG };
static const struct data_param params[] = {
    [PATHS] = {"paths", DATA_STRINGS, 0, 100, 0, NULL, "", "Paths of the values: row.金额",
               "值所在字段，如 row.金额"},
    [TO] = {"to", DATA_CHOICE, 0, 0, 0, "number|integer|flag|text|date", "",
            "What they are to be; date: 2024-03-05", "目标类型，date 为 2024-03-05"},
    [LEAST] = {"least", DATA_NUMBER, -1e15, 1e15, -1e15, NULL, "", "Smallest number", "数值下限"},
    [MOST] = {"most", DATA_NUMBER, -1e15, 1e15, 1e15, NULL, "", "Greatest number", "数值上限"},
    [WRONG] = {"wrong", DATA_CHOICE, 0, 0, 0, "fail|null|drop", "",
               "What becomes of a value that is none; fail: to quarantine with the reason",
               "无法转换的值：fail 进入隔离并写明原因，null 置空，drop 丢弃记录"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    enum err err = ERR_OK;
    *made = NULL;
    for (size_t i = 0; !err && i < p->args[PATHS].n; i++)
        err = put_check(p->args[PATHS].list[i], why);
    if (!err && p->args[LEAST].number > p->args[MOST].number)
        err = err_set(why, ERR_INVALID, "\"least\" is above \"most\"");
    return err;
}

/* Half width, without white space, thousands marks and signs of money and percent. */
static bool clean_number(struct str in, char *out, size_t cap, bool *percent)
{
    size_t n = 0;
    *percent = false;
    for (size_t i = 0; i < in.len;) {
        uint32_t c = utf8_halfwidth(utf8_next(in, &i));
        if (c == ' ' || c == ',' || c == 0xA5 || c == '$' || c == 0xFFE5 || c == 0x3000)
            continue;
        if (c == '%') {
            *percent = true;
            continue;
        }
        if (c >= 0x80 || n + 1 >= cap || *percent)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return n > 0;
}

static bool to_number(struct str in, double *out)
{
    char text[64];
    bool percent;
    if (!clean_number(in, text, sizeof text, &percent) || !str_to_f64(str_c(text), out) ||
        !isfinite(*out))
        return false;
    *out = percent ? *out / 100 : *out;
    return true;
}

static bool to_flag(struct str in, bool *out)
{
    static const char *const yes[] = {"true", "1", "是", "有", "对", "yes", "y", "Y", "TRUE", "√"};
    static const char *const no[] = {"false", "0", "否", "无", "错", "no", "n", "N", "FALSE", "×"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (str_eq_c(in, yes[i]) || str_eq_c(in, no[i])) {
            *out = str_eq_c(in, yes[i]);
            return true;
        }
    }
    return false;
}

/* 2024-3-5, 2024/03/05, 2024.3.5, 2024年3月5日, 20240305; a time behind it is cut off. */
static bool to_date(struct str in, char out[40])
{
    int part[3] = {0}, n = 0, digits = 0;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    size_t i = 0;
    for (; i < in.len && n < 3; i++) {
        char c = in.ptr[i];
        if (c >= '0' && c <= '9') {
            if (digits == 4)
                return false;
            part[n] = part[n] * 10 + (c - '0');
            digits++;
            bool full = digits == (n == 0 ? 4 : 2);
            bool run = i + 1 < in.len && in.ptr[i + 1] >= '0' && in.ptr[i + 1] <= '9';
            if (full && (run || n == 2)) { /* 20240305 */
                n++;
                digits = 0;
            }
        } else if (digits) {
            n++;
            digits = 0;
        } else if (n == 0) {
            return false;
        }
    }
    n += digits > 0;
    bool leap = (part[0] % 4 == 0 && part[0] % 100 != 0) || part[0] % 400 == 0;
    if (n != 3 || part[0] < 1000 || part[0] > 2999 || part[1] < 1 || part[1] > 12 || part[2] < 1 ||
        part[2] > days[part[1] - 1] + (part[1] == 2 && leap))
        return false;
    (void)snprintf(out, 40, "%04d-%02d-%02d", part[0], part[1], part[2]);
    return true;
}

static enum err wrong(const struct data_call *call, struct record *record, struct str path,
                      struct str value, struct data_out *out, struct why *why)
{
    int what = (int)call->args[WRONG].number;
    struct str shown = str_slice(value, 0, utf8_floor(value, value.len < 60 ? value.len : 60));
    if (what == 1)
        return put_raw(record, path, STR("null"), why);
    if (what == 2)
        data_drop(out, "%.*s is \"%.*s\"", STR_FMT(path), STR_FMT(shown));
    return what == 2 ? ERR_OK
                     : err_set(why, ERR_INVALID, "\"%.*s\" at %.*s cannot be converted",
                               STR_FMT(shown), STR_FMT(path));
}

static enum err one(const struct data_call *call, struct record *record, struct str path,
                    struct data_out *out, struct why *why)
{
    struct str value = field_text(record, path);
    char date[40];
    double number;
    bool flag;
    int to = (int)call->args[TO].number;
    if (!value.ptr)
        return ERR_OK; /* missing or null */
    value = str_trim_space(value);
    if (to <= 1) {
        bool good = to_number(value, &number) && number >= call->args[LEAST].number &&
                    number <= call->args[MOST].number && (to == 0 || number == floor(number));
        if (good)
            return put_number(record, path, number, to == 0 ? 6 : 0, why);
    } else if (to == 2 && to_flag(value, &flag)) {
        return put_raw(record, path, flag ? STR("true") : STR("false"), why);
    } else if (to == 3) {
        return put_str(record, path, value, why);
    } else if (to == 4 && to_date(value, date)) {
        struct str text = str_copy(record->arena, str_c(date));
        return text.ptr ? put_str(record, path, text, why)
                        : err_set(why, ERR_NO_MEMORY, "could not write a date");
    }
    return wrong(call, record, path, value, out, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < call->args[PATHS].n; i++)
        err = one(call, record, call->args[PATHS].list[i], out, why);
    return err;
}

const struct data_op data_op_cast = {
    .name = "cast",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Turn values into numbers, truth, texts or dates, and say which cannot be",
    .summary_zh = "将字段值转为数值、真假、文本或日期，并检查范围",
    .source =
        "ours; forms of numbers as GB/T 15835-2011, of dates as GB/T 7408.1-2023, as commonly "
        "described",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
