/* image_size: pictures of a usable size, by their header alone. */
#include "core/arena.h"
#include "data/image.h"

enum { SHORTER, LONGER, RATIO };
static const struct data_param params[] = {
    [SHORTER] = {"shorter", DATA_INTEGER, 1, 65500, 128, NULL, "points",
                 "The shorter side has at least so many", "短边最少像素数"},
    [LONGER] = {"longer", DATA_INTEGER, 1, 65500, 16384, NULL, "points",
                "The longer side has at most so many", "长边最多像素数"},
    [RATIO] = {"ratio", DATA_NUMBER, 1, 1000, 5, NULL, "",
               "The longer side is at most so many times the shorter", "长短边之比上限"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str bytes;
    struct picture p = {0};
    enum err err = image_get(call, record, &bytes, why);
    if (!err)
        err = picture_measure(bytes, &p, why);
    if (err)
        return err;
    int shorter = p.width < p.height ? p.width : p.height,
        longer = p.width < p.height ? p.height : p.width;
    if (shorter < call->args[SHORTER].number || longer > call->args[LONGER].number ||
        longer > shorter * call->args[RATIO].number)
        data_drop(out, "the picture has %d by %d points", p.width, p.height);
    return ERR_OK;
}

const struct data_op data_op_image_size = {
    .name = "image_size",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop pictures that are too small, too large or too long and thin",
    .summary_zh = "丢弃过小、过大或过于狭长的图片",
    .source = "image_shape_filter and image_aspect_ratio_filter of Data-Juicer, arXiv:2309.02033",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .record = record,
};
