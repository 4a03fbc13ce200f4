/* repeated_lines: a line that came before in the same text. */
#include "core/arena.h"
#include "core/map.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { SHORTEST };
static const struct data_param params[] = {
    [SHORTEST] = {"shortest", DATA_INTEGER, 0, 10000, 10, NULL, "characters",
                  "Shorter lines may repeat", "短于此长度的行允许重复"},
};

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct map seen;
    struct buf buf;
    struct str rest = in, line;
    bool first = true, any = false;
    map_init(&seen, call->arena);
    buf_init(&buf, call->arena);
    while (str_next(&rest, '\n', &line)) {
        struct str s = str_trim_space(line);
        bool made = true;
        if ((double)text_length(s) >= call->args[SHORTEST].number && s.len &&
            !map_put(&seen, s, &made))
            return err_set(why, ERR_NO_MEMORY, "could not hold the lines of a text");
        if (made)
            text_add_line(&buf, line, &first);
        any |= !made;
    }
    *out = !any ? in : buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

const struct data_op data_op_repeated_lines = {
    .name = "repeated_lines",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Remove lines that stood in the text before",
    .summary_zh = "去掉文本内重复出现的行",
    .source =
        "line deduplication of CCNet, Wenzek et al. 2020, arXiv:1911.00359, within one document",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
