/* image_plates: licence plates made unreadable. */
#include "core/arena.h"
#include "data/haar.h"
#include "data/image.h"

enum { HITS };
static const struct data_param params[] = {
    [HITS] = {"hits", DATA_INTEGER, 1, 50, 3, NULL, "",
              "So many windows must agree; fewer find more plates and more that are none",
              "判定所需的重合窗口数，越少找得越多、误判也越多"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct haar *haar = NULL;
    enum err err = image_cascade(p, "haarcascade_russian_plate_number.xml", &haar, why);
    *made = haar;
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct haar *haar = call->made;
    return image_cover(call, record, &haar, 1, (int)call->args[HITS].number, "meta.covered_plates",
                       out, why);
}

const struct data_op data_op_image_plates = {
    .name = "image_plates",
    .version = 1,
    .group = DATA_PRIVACY,
    .summary = "Make licence plates in pictures unreadable, those that face the camera",
    .summary_zh = "将图片中正对镜头的车牌打码，个数写入 meta.covered_plates",
    .source =
        "Viola and Jones 2001, doi:10.1109/CVPR.2001.990517; the cascade of OpenCV's data was "
        "trained on Russian plates, one-line and of the same proportions",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
