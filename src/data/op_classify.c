/* classify: what a classifier says of a text, written into the record. */
#include <string.h>

#include "core/arena.h"
#include "data/put.h"
#include "data/quality.h"
#include "data/shipped.h"

enum { MODEL, FILE_NAME, INTO, LEAST, KEEP };
static const struct data_param params[] = {
    [MODEL] = {"model", DATA_CHOICE, 0, 0, 0, "rude|quality|file", "",
               "rude, quality: shipped; file: one made by `yicheng learn train`",
               "rude、quality 为自带模型，file 为自行训练的模型"},
    [FILE_NAME] = {"file", DATA_STRING, 0, 200, 0, "", "", "Its name in the folder of data.models",
                   "模型文件名（位于 data.models 目录）"},
    [INTO] = {"into", DATA_STRING, 1, 60, 0, "class", "",
              "The label goes to meta.<this>, its probability to meta.<this>_p",
              "标签写入 meta.<此名>，概率写入 meta.<此名>_p"},
    [LEAST] = {"least", DATA_NUMBER, 0, 1, 0, NULL, "",
               "Below this probability no label is written", "概率低于此值则不写标签"},
    [KEEP] = {"only", DATA_STRINGS, 0, 256, 0, "", "",
              "Keep records with one of these labels alone; empty: all",
              "只保留这些标签的记录；为空则全部保留"},
};

struct made {
    const struct learn_model *model;
    bool signs; /* it looks at signs of quality.h and not at the text */
};

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
              s.ptr[i] == '_'))
            return false;
    return s.len > 0;
}

static enum err check_labels(const struct learn_model *model, const struct data_arg *only,
                             struct why *why)
{
    size_t at;
    for (size_t i = 0; i < only->n; i++)
        if (!learn_label_find(model, only->list[i], &at))
            return err_set(why, ERR_INVALID, "the classifier has no label \"%.*s\"",
                           STR_FMT(only->list[i]));
    return ERR_OK;
}

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    struct made *m = arena_one(p->arena, struct made);
    int which = (int)p->args[MODEL].number;
    enum err err = ERR_OK;
    if (!m)
        return err_set(why, ERR_NO_MEMORY, "could not hold a classifier");
    if (!is_name(p->args[INTO].text))
        return err_set(why, ERR_INVALID, "\"into\" is made of a-z, 0-9 and _");
    if (which == 2 && !p->args[FILE_NAME].text.len)
        return err_set(why, ERR_INVALID, "\"file\" names the classifier");
    if (which == 2)
        err = shipped_open(p, p->args[FILE_NAME].text, &m->model, why);
    else
        m->model = shipped_model(which == 0 ? SHIPPED_RUDE : SHIPPED_QUALITY);
    m->signs = which == 1;
    *made = m;
    return err ? err : check_labels(m->model, &p->args[KEEP], why);
}

static enum err put_meta(const struct data_call *call, struct record *record, struct str label,
                         float p, struct why *why)
{
    struct str name = call->args[INTO].text;
    struct str path = str_printf(call->arena, "meta.%.*s", STR_FMT(name)),
               path_p = str_printf(call->arena, "meta.%.*s_p", STR_FMT(name));
    if (!path.ptr || !path_p.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not label a record");
    enum err err =
        label.len ? put_str(record, path, label, why) : put_raw(record, path, STR_NONE, why);
    return err ? err : put_number(record, path_p, (double)p, 4, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct made *m = call->made;
    const struct data_arg *only = &call->args[KEEP];
    float p[LEARN_LABELS_MOST];
    char signs[QUALITY_BYTES];
    struct str text = data_all_texts(call, record);
    if (!text.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not read the texts of a record");
    size_t best = learn_say(m->model, m->signs ? quality_signs(text, signs) : text, p);
    struct str label = learn_label(m->model, best);
    bool sure = (double)p[best] >= call->args[LEAST].number, keep = only->n == 0;
    for (size_t i = 0; sure && i < only->n; i++)
        keep |= str_eq(label, only->list[i]);
    if (!keep)
        data_drop(out, "it is %.*s (%.2f)", STR_FMT(label), (double)p[best]);
    return put_meta(call, record, sure ? label : STR_NONE, p[best], why);
}

const struct data_op data_op_classify = {
    .name = "classify",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Write the label and probability that a classifier gives a text into meta, or keep "
               "some labels alone",
    .summary_zh = "用分类模型给文本打标签并写入 meta，也可只保留指定标签",
    .source = "Joulin et al. 2016, arXiv:1607.01759; room learn",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
