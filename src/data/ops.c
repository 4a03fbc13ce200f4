/* data/ops - the table of operators, and what is written from their descriptors. */
#include "core/arena.h"
#include "core/hash.h"
#include "core/json.h"
#include "data/data.h"
#include "data/op.h"

static const struct data_op *const ops[] = {
#define DATA_OP(name) &data_op_##name,
#include "data/ops.def"
#undef DATA_OP
};

const struct data_op *data_op_at(size_t i)
{
    return i < sizeof ops / sizeof ops[0] ? ops[i] : NULL;
}

const struct data_op *data_op_find(struct str name)
{
    for (size_t i = 0; data_op_at(i); i++)
        if (str_eq_c(name, ops[i]->name))
            return ops[i];
    return NULL;
}

const char *data_effect_name(enum data_effect effect)
{
    static const char *const names[] = {"text", "measure", "record", "whole"};
    return names[effect];
}

const char *data_group_name(enum data_group group)
{
    static const char *const names[DATA_GROUPS] = {"clean",  "filter", "dedup",
                                                   "select", "shape",  "privacy"};
    return names[group];
}

double data_chance(const struct data_call *call, struct str id, uint64_t salt)
{
    uint64_t h = hash64(id.ptr, id.len, call->seed ^ (salt * 0x9E3779B97F4A7C15u));
    return (double)(h >> 11) * 0x1p-53;
}

struct str data_all_texts(const struct data_call *call, const struct record *record)
{
    struct record_text *texts;
    struct buf buf;
    size_t n;
    if (record_texts(record, call->paths, call->n_paths, &texts, &n, NULL))
        return STR_NONE;
    if (n <= 1)
        return n ? texts[0].value : STR("");
    buf_init(&buf, call->arena);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&buf, '\n');
        buf_add(&buf, texts[i].value);
    }
    return buf.failed ? STR_NONE : buf_str(&buf);
}

/* ---- as JSON, for the console and programs ---- */

static const char *const param_kinds[] = {"number", "integer", "flag",
                                          "choice", "string",  "strings"};

static void put_choices(struct json_out *out, const char *text)
{
    struct str rest = str_c(text), one;
    json_begin_array(out);
    while (rest.len && str_next(&rest, '|', &one))
        json_put_str(out, one);
    json_end_array(out);
}

static void put_fallback(struct json_out *out, const struct data_param *p)
{
    struct str rest, choice = STR_NONE;
    switch (p->kind) {
    case DATA_NUMBER:
        json_kv_real(out, "default", p->fallback);
        break;
    case DATA_INTEGER:
        json_kv_int(out, "default", (int64_t)p->fallback);
        break;
    case DATA_FLAG:
        json_kv_bool(out, "default", p->fallback > 0);
        break;
    case DATA_CHOICE:
        rest = str_c(p->text);
        for (int i = 0; i <= (int)p->fallback; i++)
            if (!str_next(&rest, '|', &choice))
                break;
        json_kv_str(out, "default", choice);
        json_key(out, "choices");
        put_choices(out, p->text);
        break;
    case DATA_STRING:
        if (p->text)
            json_kv_c(out, "default", p->text);
        break;
    case DATA_STRINGS:
        if (p->text) {
            json_key(out, "default");
            put_choices(out, p->text);
        }
        break;
    }
}

static void put_param(struct json_out *out, const struct data_param *p)
{
    json_begin_object(out);
    json_kv_c(out, "name", p->name);
    json_kv_c(out, "kind", param_kinds[p->kind]);
    if (p->kind == DATA_NUMBER || p->kind == DATA_INTEGER) {
        json_kv_real(out, "least", p->least);
        json_kv_real(out, "most", p->most);
    }
    if ((p->kind == DATA_STRING || p->kind == DATA_STRINGS) && p->most > 0)
        json_kv_int(out, "most", (int64_t)p->most);
    put_fallback(out, p);
    if (p->kind >= DATA_STRING)
        json_kv_bool(out, "required", !p->text);
    json_kv_c(out, "unit", p->unit ? p->unit : "");
    json_kv_c(out, "summary", p->summary);
    json_kv_c(out, "summary_zh", p->summary_zh);
    json_end_object(out);
}

static void put_kinds(struct json_out *out, unsigned takes)
{
    json_begin_array(out);
    for (int k = 0; k < RECORD_KINDS; k++)
        if (!takes || takes & DATA_KIND(k))
            json_put_c(out, record_kind_name((enum record_kind)k));
    json_end_array(out);
}

void data_ops_json(struct json_out *out)
{
    json_begin_items(out);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const struct data_op *op = ops[i];
        json_begin_object(out);
        json_kv_c(out, "name", op->name);
        json_kv_int(out, "version", op->version);
        json_kv_c(out, "group", data_group_name(op->group));
        json_kv_c(out, "effect", data_effect_name(op->effect));
        json_kv_c(out, "summary", op->summary);
        json_kv_c(out, "summary_zh", op->summary_zh);
        json_kv_c(out, "source", op->source);
        json_key(out, "takes");
        put_kinds(out, op->takes);
        json_kv_c(out, "gives", op->gives == DATA_SAME_KIND ? "same" : record_kind_name(op->gives));
        json_key(out, "params");
        json_begin_array(out);
        for (size_t p = 0; p < op->n_params; p++)
            put_param(out, &op->params[p]);
        json_end_array(out);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
}

/* ---- as the reference page ---- */

static void write_default(struct buf *out, const struct data_param *p)
{
    struct str rest = str_c(p->text), one = STR("");
    switch (p->kind) {
    case DATA_NUMBER:
    case DATA_INTEGER:
        buf_printf(out, "%g", p->fallback);
        break;
    case DATA_FLAG:
        buf_add_c(out, p->fallback > 0 ? "true" : "false");
        break;
    case DATA_CHOICE:
        for (int i = 0; i <= (int)p->fallback; i++)
            (void)str_next(&rest, '|', &one);
        buf_add(out, one);
        break;
    case DATA_STRING:
    case DATA_STRINGS:
        buf_add_c(out, !p->text ? "(must be given)" : p->text[0] ? p->text : "(none)");
        break;
    }
}

/* '|' would end the cell. */
static void write_cell(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_add_c(out, *text == '|' ? "\\|" : (char[]){*text, '\0'});
}

static void write_op(struct buf *out, const struct data_op *op)
{
    buf_printf(out, "\n### %s\n\n%s. %s。\n\n", op->name, op->summary, op->summary_zh);
    buf_printf(out, "Effect: %s; version %d; takes ", data_effect_name(op->effect), op->version);
    if (!op->takes || op->takes == DATA_ANY_KIND)
        buf_add_c(out, "any kind");
    for (int k = 0, n = 0; op->takes && op->takes != DATA_ANY_KIND && k < RECORD_KINDS; k++)
        if (op->takes & DATA_KIND(k))
            buf_printf(out, "%s%s", n++ ? ", " : "", record_kind_name((enum record_kind)k));
    if (op->gives != DATA_SAME_KIND)
        buf_printf(out, "; gives %s", record_kind_name(op->gives));
    buf_printf(out, ".\nSource: %s.\n", op->source);
    if (!op->n_params)
        return;
    buf_add_c(out, "\n| parameter | kind | default | meaning | 含义 |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < op->n_params; i++) {
        const struct data_param *p = &op->params[i];
        struct buf value;
        struct arena *arena = arena_new((size_t)1 << 20);
        buf_init(&value, arena);
        write_default(&value, p);
        buf_printf(out, "| %s | %s | ", p->name, param_kinds[p->kind]);
        write_cell(out, value.len ? value.ptr : "");
        buf_printf(out, "%s%s | %s", p->unit && p->unit[0] ? " " : "", p->unit ? p->unit : "",
                   p->summary);
        if (p->kind == DATA_CHOICE) {
            buf_add_c(out, ": ");
            write_cell(out, p->text);
        } else if (p->kind <= DATA_INTEGER) {
            buf_printf(out, " (%g to %g)", p->least, p->most);
        }
        buf_printf(out, " | %s |\n", p->summary_zh);
        arena_free(arena);
    }
}

enum err data_ops_reference(struct buf *out, struct why *why)
{
    static const char *const titles[DATA_GROUPS] = {"Cleaning 清洗",     "Filters 过滤",
                                                    "Duplicates 去重",   "Selection 选样与配比",
                                                    "Shapes 切分与格式", "Personal data 个人信息"};
    buf_add_c(out, "# Operators\n\nWritten by `yicheng data ops --markdown`; a test compares it "
                   "with the program. A step of a pipeline names an operator in \"op\", its "
                   "parameters, and in \"on\" the paths of the texts that it works on (the usual "
                   "ones of the kind of record when it is left out).\n");
    for (int g = 0; g < DATA_GROUPS; g++) {
        bool any = false;
        for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
            if (ops[i]->group != (enum data_group)g)
                continue;
            if (!any)
                buf_printf(out, "\n## %s\n", titles[g]);
            any = true;
            write_op(out, ops[i]);
        }
    }
    return buf_err(out, why);
}
