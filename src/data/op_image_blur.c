/* image_blur: pictures in which something is sharp. */
#include "core/arena.h"
#include "data/image.h"

enum { LEAST, SIDE };
static const struct data_param params[] = {
    [LEAST] = {"least", DATA_NUMBER, 0, 1e6, 50, NULL, "",
               "Least variance of the Laplacian; below 50 little is sharp",
               "拉普拉斯方差下限，低于 50 通常模糊"},
    [SIDE] = {"side", DATA_INTEGER, 64, 4096, 512, NULL, "points",
              "Larger pictures are looked at in this size, so that sizes compare",
              "按此边长缩小后判断，使不同尺寸可比"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str bytes;
    struct picture picture;
    struct image_gray gray;
    enum err err = image_get(call, record, &bytes, why);
    if (!err)
        err = picture_decode(bytes, IMAGE_MOST_PIXELS, call->arena, &picture, why);
    if (!err)
        err = image_gray(&picture, (int)call->args[SIDE].number, call->arena, &gray, why);
    if (err)
        return err;
    double sharpness = image_sharpness(&gray);
    if (sharpness < call->args[LEAST].number)
        data_drop(out, "nothing in it is sharp (%.1f)", sharpness);
    return ERR_OK;
}

const struct data_op data_op_image_blur = {
    .name = "image_blur",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop blurred pictures",
    .summary_zh = "丢弃模糊的图片",
    .source = "variance of the Laplacian, Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .record = record,
};
