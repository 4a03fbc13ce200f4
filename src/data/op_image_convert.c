/* image_convert: pictures of one kind, no larger than a size. */
#include "core/arena.h"
#include "data/image.h"

enum { LONGEST, KIND, QUALITY };
static const struct data_param params[] = {
    [LONGEST] = {"longest", DATA_INTEGER, 16, 16384, 1024, NULL, "points",
                 "Longer sides are shrunk to it; none is enlarged", "长边缩小到此值，不放大"},
    [KIND] = {"kind", DATA_CHOICE, 0, 0, 0, "jpeg|png", "", "What is written", "输出格式"},
    [QUALITY] = {"quality", DATA_INTEGER, 1, 100, 90, NULL, "", "Of a JPEG", "JPEG 质量"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str bytes, made;
    struct picture p, small;
    int longest = (int)call->args[LONGEST].number;
    enum picture_kind kind = call->args[KIND].number > 0 ? PICTURE_PNG : PICTURE_JPEG;
    (void)out;
    enum err err = image_get(call, record, &bytes, why);
    if (!err)
        err = picture_measure(bytes, &p, why);
    if (!err && p.kind == kind && p.width <= longest && p.height <= longest)
        return ERR_OK; /* as asked already: its bytes stay */
    if (!err)
        err = picture_decode(bytes, IMAGE_MOST_PIXELS, call->arena, &p, why);
    if (err)
        return err;
    small = p;
    int side = p.width > p.height ? p.width : p.height;
    if (side > longest) {
        int width = (int)((int64_t)p.width * longest / side),
            height = (int)((int64_t)p.height * longest / side);
        err = image_resize(&p, width ? width : 1, height ? height : 1, call->arena, &small, why);
    }
    if (!err)
        err =
            picture_encode(&small, kind, (int)call->args[QUALITY].number, call->arena, &made, why);
    return err ? err : image_put(call, record, made, why);
}

const struct data_op data_op_image_convert = {
    .name = "image_convert",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Write pictures as JPEG or PNG, no larger than a size; metadata does not come along",
    .summary_zh = "统一图片格式和最大尺寸，不带元数据",
    .source = "ours; means over areas for shrinking",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .record = record,
};
