/* image_plates: licence plates made unreadable. */
#include "core/arena.h"
#include "data/image.h"
#include "data/plates.h"

enum { SURE, LONGEST };
static const struct data_param params[] = {
    [SURE] = {"sure", DATA_NUMBER, 0.05, 0.99, 0.7, NULL, "",
              "So much must a place be like a plate; less finds more plates and more that are none",
              "判定所需的把握，越低找得越多、误判也越多"},
    [LONGEST] = {"longest", DATA_INTEGER, PLATES_LEAST_LONGEST, PLATES_MOST_LONGEST, 2048, NULL,
                 "points", "Looked at in this length at most; more finds smaller plates",
                 "检测时长边的最大像素数，越大越能找到小车牌"},
};

static enum err find(const struct data_call *call, const struct picture *picture,
                     struct image_boxes *out, struct why *why)
{
    return plates_find(picture, call->args[SURE].number, (int)call->args[LONGEST].number,
                       call->arena, out, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    static const struct image_finder finder = {find, "meta.covered_plates"};
    (void)out;
    return image_cover(call, record, &finder, why);
}

const struct data_op data_op_image_plates = {
    .name = "image_plates",
    .version = 2,
    .group = DATA_PRIVACY,
    .summary = "Make licence plates in pictures unreadable; how many goes to meta.covered_plates",
    .summary_zh =
        "将图片中的车牌（蓝牌、黄牌、新能源绿牌、白牌）打码，个数写入 meta.covered_plates",
    .source = "ours: rows of characters and patches of colour by the measures of GA 36",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .record = record,
};
