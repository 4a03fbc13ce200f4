/* preference_to: preference pairs in the form that a trainer reads. */
#include "core/arena.h"
#include "data/scan.h"
#include "data/talk.h"

enum { FORM };
static const struct data_param params[] = {
    [FORM] =
        {"form", DATA_CHOICE, 0, 0, 0, "dpo|messages|sharegpt|single", "",
         "dpo: texts of prompt, chosen, rejected; messages: both whole conversations; sharegpt: "
         "LLaMA-Factory's; single: two rows with a label true or false (KTO, reward models)",
         "dpo 为三段文本，messages 为两份完整对话，sharegpt 为 LLaMA-Factory 格式，single "
         "为各自一行加真假标签"},
};

struct pair {
    struct talk prompt;
    struct str chosen, rejected;
};

static enum err read_pair(struct record *record, struct pair *p, struct why *why)
{
    struct str raw = record_raw(record, "prompt");
    p->chosen = talk_text(record, STR("chosen"), true);
    p->rejected = talk_text(record, STR("rejected"), true);
    if (!raw.len || !p->chosen.ptr || !p->rejected.ptr)
        return err_set(why, ERR_INVALID, "the record is no preference pair");
    enum err err = talk_init(&p->prompt, record->arena, why);
    if (!err && raw.ptr[0] == '[')
        return talk_read(raw, record->arena, &p->prompt, why);
    struct str text = scan_decode(raw, record->arena);
    return err ? err : talk_add(&p->prompt, STR("user"), text.ptr ? text : STR(""), why);
}

static void put(struct buf *out, const char *key, struct str value)
{
    buf_printf(out, "%s\"%s\":", out->ptr[out->len - 1] == '{' ? "" : ",", key);
    scan_quote(out, value);
}

static struct str prompt_text(const struct pair *p, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (size_t i = 0; i < p->prompt.n; i++) {
        if (i)
            buf_char(&buf, '\n');
        buf_add(&buf, p->prompt.items[i].content);
    }
    return buf.len ? buf_str(&buf) : STR("");
}

static enum err put_messages(struct buf *out, const char *key, struct pair *p, struct str answer,
                             struct why *why)
{
    size_t n = p->prompt.n;
    enum err err = talk_add(&p->prompt, STR("assistant"), answer, why);
    buf_printf(out, "%s\"%s\":", out->ptr[out->len - 1] == '{' ? "" : ",", key);
    talk_write(&p->prompt, out);
    p->prompt.n = n;
    return err;
}

static enum err write(struct buf *out, struct pair *p, int form, struct why *why)
{
    enum err err = ERR_OK;
    buf_char(out, '{');
    if (form == 0) {
        put(out, "prompt", prompt_text(p, out->arena));
        put(out, "chosen", p->chosen);
        put(out, "rejected", p->rejected);
    } else if (form == 1) {
        err = put_messages(out, "chosen", p, p->chosen, why);
        if (!err)
            err = put_messages(out, "rejected", p, p->rejected, why);
    } else {
        buf_add_c(out, "\"conversations\":");
        talk_write_sharegpt(&p->prompt, out);
        buf_add_c(out, ",\"chosen\":{\"from\":\"gpt\",\"value\":");
        scan_quote(out, p->chosen);
        buf_add_c(out, "},\"rejected\":{\"from\":\"gpt\",\"value\":");
        scan_quote(out, p->rejected);
        buf_char(out, '}');
    }
    buf_char(out, '}');
    return err;
}

static enum err emit_single(struct record *record, const struct pair *p, bool good,
                            struct data_out *out, struct why *why)
{
    struct record part;
    struct buf buf;
    struct str meta = record_raw(record, "meta");
    buf_init(&buf, record->arena);
    buf_char(&buf, '{');
    put(&buf, "prompt", prompt_text(p, record->arena));
    put(&buf, "completion", good ? p->chosen : p->rejected);
    buf_printf(&buf, ",\"label\":%s}", good ? "true" : "false");
    enum err err = buf_err(&buf, why);
    if (!err)
        err = record_part(record, good ? 1 : 2, &part, why);
    if (!err)
        err = record_set_raw(&part, "row", buf_str(&buf), why);
    if (!err && meta.ptr)
        err = record_set_raw(&part, "meta", meta, why);
    return err ? err : data_emit(out, &part, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    static const char *const gone[] = {"prompt", "chosen", "rejected"};
    struct pair p;
    struct buf buf;
    int form = (int)call->args[FORM].number;
    enum err err = read_pair(record, &p, why);
    if (!err && form == 3) {
        err = emit_single(record, &p, true, out, why);
        if (!err)
            err = emit_single(record, &p, false, out, why);
        data_drop(out, "written as two rows");
        return err;
    }
    buf_init(&buf, call->arena);
    if (!err)
        err = write(&buf, &p, form, why);
    if (!err)
        err = buf_err(&buf, why);
    for (size_t i = 0; !err && i < sizeof gone / sizeof gone[0]; i++)
        record_remove(record, gone[i]);
    return err ? err : record_set_raw(record, "row", buf_str(&buf), why);
}

const struct data_op data_op_preference_to = {
    .name = "preference_to",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Write preference pairs in the form that a trainer reads",
    .summary_zh = "将偏好对写成训练工具所需的格式",
    .source =
        "the forms of TRL's DPOTrainer and KTOTrainer and of LLaMA-Factory's data readme; KTO: "
        "Ethayarajh et al. 2024, arXiv:2402.01306",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_PREFERENCE),
    .gives = RECORD_ROW,
    .record = record,
};
