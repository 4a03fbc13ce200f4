/* image_faces: faces made unrecognisable. */
#include "core/arena.h"
#include "data/haar.h"
#include "data/image.h"

enum { HITS, LOOK };
static const struct data_param params[] = {
    [HITS] = {"hits", DATA_INTEGER, 1, 50, 3, NULL, "",
              "So many windows must agree; fewer find more faces and more that are none",
              "判定所需的重合窗口数，越少找得越多、误判也越多"},
    [LOOK] = {"look", DATA_CHOICE, 0, 0, 0, "frontal_and_profile|frontal", "",
              "frontal is twice as fast", "是否也找侧脸，只找正脸快一倍"},
};

struct made {
    const struct haar *haars[3];
    size_t n;
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    static const char *const files[] = {"haarcascade_frontalface_alt2.xml",
                                        "haarcascade_frontalface_default.xml",
                                        "haarcascade_profileface.xml"};
    struct made *m = arena_one(p->arena, struct made);
    enum err err = m ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the cascades");
    size_t n = p->args[LOOK].number > 0 ? 2 : 3;
    for (; !err && m->n < n; m->n++)
        err = image_cascade(p, files[m->n], &m->haars[m->n], why);
    *made = m;
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct made *m = call->made;
    return image_cover(call, record, m->haars, m->n, (int)call->args[HITS].number,
                       "meta.covered_faces", out, why);
}

const struct data_op data_op_image_faces = {
    .name = "image_faces",
    .version = 2,
    .group = DATA_PRIVACY,
    .summary = "Make faces in pictures unrecognisable; how many goes to meta.covered_faces",
    .summary_zh = "将图片中的人脸打码，个数写入 meta.covered_faces",
    .source =
        "Viola and Jones 2001, doi:10.1109/CVPR.2001.990517, with the cascades of OpenCV's data",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
