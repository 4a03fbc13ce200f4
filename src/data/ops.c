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
    while (str_next(&rest, '|', &one))
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
    json_begin_object(out);
    json_key(out, "items");
    json_begin_array(out);
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
    json_end_array(out);
    json_end_object(out);
}
