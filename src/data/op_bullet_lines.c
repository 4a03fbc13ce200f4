/* bullet_lines: how many lines are items of a list, or end in dots. */
#include <math.h>

#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { WHAT = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 0.9, ""),
    [WHAT] = {"what", DATA_CHOICE, 0, 0, 0, "bullets|ellipses", "",
              "Lines that begin with a bullet, or that end in an ellipsis",
              "以项目符号开头的行，或以省略号结尾的行"},
};

static bool is_bullet(struct str line)
{
    size_t i = 0;
    switch (text_next(line, &i)) {
    case '-':
    case '*':
    case '+':
    case 0xB7:   /* · */
    case 0x2022: /* • */
    case 0x25A0: /* ■ */
    case 0x25A1:
    case 0x25B6:
    case 0x25BA: /* ► */
    case 0x25C6: /* ◆ */
    case 0x25CB: /* ○ */
    case 0x25CF: /* ● */
    case 0x2605: /* ★ */
    case 0x203B: /* ※ */
        return true;
    default:
        return false;
    }
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    (void)why;
    struct str line;
    size_t n = 0, hits = 0;
    bool bullets = call->args[WHAT].number == 0;
    while (str_next(&in, '\n', &line)) {
        struct str s = str_trim_space(line);
        if (!s.len)
            continue;
        n++;
        hits += bullets ? is_bullet(s) : str_ends(s, STR("…")) || str_ends(s, STR("..."));
    }
    *out = n ? (double)hits / (double)n : NAN;
    return ERR_OK;
}

const struct data_op data_op_bullet_lines = {
    .name = "bullet_lines",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records of which too many lines begin with a bullet or end in an ellipsis",
    .summary_zh = "丢弃项目符号行或省略号行过多的记录",
    .source = "Gopher quality rules, Rae et al. 2021, arXiv:2112.11446 sec. A.1.1 (0.9 bullets, "
              "0.3 ellipses)",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
