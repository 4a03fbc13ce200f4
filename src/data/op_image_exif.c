/* image_exif: pictures without what the camera wrote beside them. */
#include "core/arena.h"
#include "data/image.h"

enum { TURN };
static const struct data_param params[] = {
    [TURN] = {"keep_orientation", DATA_FLAG, 0, 0, 1, NULL, "",
              "A turned JPEG keeps its orientation alone: it would be shown on its side",
              "保留 JPEG 的方向标记，否则图片会横置"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str bytes, made = STR_NONE;
    (void)out;
    enum err err = image_get(call, record, &bytes, why);
    if (!err)
        err = image_strip(bytes, call->args[TURN].number > 0, call->arena, &made, why);
    if (err || made.ptr == bytes.ptr)
        return err;
    return image_put(call, record, made, why);
}

const struct data_op data_op_image_exif = {
    .name = "image_exif",
    .version = 1,
    .group = DATA_PRIVACY,
    .summary = "Take Exif, GPS, XMP, IPTC and comments out of pictures, pixels untouched",
    .summary_zh = "去掉图片中的 Exif、GPS 位置、XMP、IPTC 和注释，像素不变",
    .source = "ITU-T T.81 annex B, ISO/IEC 15948 (PNG), RFC 9649 (WebP), Exif 2.32 as commonly "
              "described",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .record = record,
};
