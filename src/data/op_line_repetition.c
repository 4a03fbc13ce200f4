/* line_repetition: how much of a text are lines that came before in it. */
#include <math.h>

#include "core/arena.h"
#include "core/map.h"
#include "data/op.h"
#include "data/text.h"

enum { BY = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 0.3, ""),
    [BY] = {"by", DATA_CHOICE, 0, 0, 0, "lines|bytes", "", "What is counted", "计量单位"},
};

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    struct map seen;
    struct str line;
    size_t n = 0, bytes = 0, again = 0, again_bytes = 0;
    map_init(&seen, call->arena);
    while (str_next(&in, '\n', &line)) {
        struct str s = str_trim_space(line);
        bool made;
        if (!s.len)
            continue;
        if (!map_put(&seen, s, &made))
            return err_set(why, ERR_NO_MEMORY, "could not hold the lines of a text");
        n++;
        bytes += s.len;
        again += !made;
        again_bytes += made ? 0 : s.len;
    }
    if (!n)
        *out = NAN;
    else
        *out = call->args[BY].number > 0 ? (double)again_bytes / (double)bytes
                                         : (double)again / (double)n;
    return ERR_OK;
}

const struct data_op data_op_line_repetition = {
    .name = "line_repetition",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records in which too many lines repeat earlier ones",
    .summary_zh = "丢弃重复行过多的记录",
    .source = "Gopher repetition removal, Rae et al. 2021, arXiv:2112.11446 table A1 (0.3 of "
              "lines, 0.2 of characters)",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
