/* image_faces: faces made unrecognisable. */
#include "core/arena.h"
#include "data/faces.h"
#include "data/image.h"

enum { SURE, LONGEST };
static const struct data_param params[] = {
    [SURE] = {"sure", DATA_NUMBER, 0.05, 0.99, 0.5, NULL, "",
              "So sure must the network be; less finds more faces and more that are none",
              "判定所需的把握，越低找得越多、误判也越多"},
    [LONGEST] = {"longest", DATA_INTEGER, FACES_FIRST_SIDE, FACES_MOST_SIDE, 2048, NULL, "points",
                 "Looked at in this length at most; more finds smaller faces, in four times the "
                 "time for twice the length",
                 "检测时长边的最大像素数，越大越能找到小脸，加倍则耗时约为四倍"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct faces *faces = NULL;
    (void)p;
    enum err err = faces_shipped(&faces, why);
    *made = faces;
    return err;
}

static enum err find(const struct data_call *call, const struct picture *picture,
                     struct image_boxes *out, struct why *why)
{
    struct faces_opts opts = {call->args[SURE].number, (int)call->args[LONGEST].number};
    return faces_find(call->made, picture, &opts, call->arena, out, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    static const struct image_finder finder = {find, "meta.covered_faces"};
    (void)out;
    return image_cover(call, record, &finder, why);
}

const struct data_op data_op_image_faces = {
    .name = "image_faces",
    .version = 3,
    .group = DATA_PRIVACY,
    .summary = "Make faces in pictures unrecognisable; how many goes to meta.covered_faces",
    .summary_zh = "将图片中的人脸打码，个数写入 meta.covered_faces",
    .source = "SSD on MobileNet, Liu et al. 2016, arXiv:1512.02325, Howard et al. 2017, "
              "arXiv:1704.04861; weights of face-api.js, trained on WIDER FACE",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
