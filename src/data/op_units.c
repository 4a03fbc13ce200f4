/* units: one name for each unit of measure behind a number, and amounts written out. */
#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { FORM, AMOUNTS };
static const struct data_param params[] = {
    [FORM] = {"form", DATA_CHOICE, 0, 0, 0, "chinese|symbol", "", "平方米 or m²",
              "单位写成汉字名称或符号"},
    [AMOUNTS] = {"amounts", DATA_FLAG, 0, 0, 0, NULL, "", "Also write 3.5万元 as 35000元",
                 "同时展开金额，如 3.5万元 写作 35000元"},
};

/* Ways of writing a unit: the longer before the shorter that begins alike. */
static const struct {
    const char *form;
    int unit;
} forms[] = {
    {"平方公里", 0}, {"平方千米", 0}, {"km²", 0},   {"km2", 0},   {"㎢", 0},     {"平方米", 1},
    {"平米", 1},     {"m²", 1},       {"m2", 1},    {"㎡", 1},    {"立方米", 2}, {"m³", 2},
    {"m3", 2},       {"㎥", 2},       {"千米", 3},  {"公里", 3},  {"km", 3},     {"㎞", 3},
    {"厘米", 4},     {"公分", 4},     {"cm", 4},    {"㎝", 4},    {"毫米", 5},   {"mm", 5},
    {"㎜", 5},       {"千克", 6},     {"公斤", 6},  {"kg", 6},    {"KG", 6},     {"㎏", 6},
    {"毫克", 7},     {"mg", 7},       {"㎎", 7},    {"毫升", 8},  {"ml", 8},     {"mL", 8},
    {"摄氏度", 9},   {"℃", 9},        {"°C", 9},    {"公顷", 10}, {"hm²", 10},   {"hm2", 10},
    {"千瓦时", 11},  {"kWh", 11},     {"kW·h", 11}, {"KWH", 11},  {"分贝", 12},  {"dB", 12},
    {"千瓦", 13},    {"kW", 13},      {"KW", 13},
};
static const struct {
    const char *chinese, *symbol;
} units[] = {{"平方公里", "km²"}, {"平方米", "m²"}, {"立方米", "m³"}, {"公里", "km"},
             {"厘米", "cm"},      {"毫米", "mm"},   {"千克", "kg"},   {"毫克", "mg"},
             {"毫升", "mL"},      {"摄氏度", "℃"},  {"公顷", "hm²"},  {"千瓦时", "kWh"},
             {"分贝", "dB"},      {"千瓦", "kW"}};

static bool is_latin(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* The unit that stands at `at`, and its end. */
static int unit_at(struct str in, size_t at, size_t *end)
{
    struct str rest = str_from(in, at);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct str form = str_c(forms[i].form);
        if (!str_starts(rest, form))
            continue;
        *end = at + form.len;
        bool word = is_latin(form.ptr[0]) && *end < in.len &&
                    (is_latin(in.ptr[*end]) || (in.ptr[*end] >= '0' && in.ptr[*end] <= '9'));
        return word ? -1 : forms[i].unit;
    }
    return -1;
}

/* 3.5万元 -> 35000元; 0 when it cannot be written out exactly. */
static size_t amount_at(struct str in, size_t number, size_t at, struct buf *out, size_t from)
{
    struct str rest = str_from(in, at);
    int zeros = str_starts(rest, STR("亿元")) ? 8 : str_starts(rest, STR("万元")) ? 4 : 0;
    size_t dot = STR_NPOS, n = at - number;
    if (!zeros || n > 12)
        return 0;
    for (size_t i = number; i < at; i++) {
        if (in.ptr[i] == ',')
            return 0;
        if (in.ptr[i] == '.') {
            if (dot != STR_NPOS)
                return 0;
            dot = i;
        }
    }
    int decimals = dot == STR_NPOS ? 0 : (int)(at - dot - 1);
    if (decimals > zeros || (dot != STR_NPOS && dot == number))
        return 0;
    buf_add(out, str_slice(in, from, number));
    size_t begun = out->len;
    for (size_t i = number; i < at; i++)
        if (i != dot && !(in.ptr[i] == '0' && out->len == begun))
            buf_char(out, in.ptr[i]);
    if (out->len == begun)
        buf_char(out, '0');
    else
        for (int i = decimals; i < zeros; i++)
            buf_char(out, '0');
    buf_add(out, STR("元"));
    return at + strlen("万元");
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct buf buf;
    size_t from = 0;
    bool symbol = call->args[FORM].number > 0, amounts = call->args[AMOUNTS].number > 0;
    buf_init(&buf, call->arena);
    for (size_t i = 0; i < in.len;) {
        if (in.ptr[i] < '0' || in.ptr[i] > '9') {
            i++;
            continue;
        }
        size_t number = i, end = 0;
        while (i < in.len && ((in.ptr[i] >= '0' && in.ptr[i] <= '9') || in.ptr[i] == '.' ||
                              (in.ptr[i] == ',' && i + 1 < in.len && in.ptr[i + 1] >= '0' &&
                               in.ptr[i + 1] <= '9')))
            i++;
        size_t at = i;
        if (amounts && (end = amount_at(in, number, at, &buf, from))) {
            from = i = end;
            continue;
        }
        while (at < in.len && in.ptr[at] == ' ')
            at++;
        int unit = unit_at(in, at, &end);
        if (unit < 0)
            continue;
        buf_add(&buf, str_slice(in, from, i));
        buf_add_c(&buf, symbol ? units[unit].symbol : units[unit].chinese);
        from = i = end;
    }
    *out = in;
    if (!from)
        return ERR_OK;
    buf_add(&buf, str_from(in, from));
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

const struct data_op data_op_units = {
    .name = "units",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Write units of measure behind numbers in one way, and amounts of money in full",
    .summary_zh = "统一数字后计量单位的写法，可展开“万元”“亿元”金额",
    .source = "names and symbols of GB 3100-1993 as commonly described",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
