#include "data/spec.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"

#define SHOWN 80 /* bytes of a value in words */

struct nearest {
    struct str name;
    const char *best;
    size_t distance;
};

static void nearer(struct nearest *n, const char *name)
{
    size_t d = str_edits(n->name, str_c(name));
    if (d < n->distance) {
        n->distance = d;
        n->best = name;
    }
}

static struct nearest nearest_to(struct str name)
{
    return (struct nearest){name, NULL, name.len / 2 + 2};
}

void spec_hint_op(struct why *why, struct str name)
{
    struct nearest n = nearest_to(name);
    for (size_t i = 0; data_op_at(i); i++)
        nearer(&n, data_op_at(i)->name);
    if (n.best)
        err_hint(why, "perhaps \"%s\"; docs/operators.md lists them all", n.best);
    else
        err_hint(why, "docs/operators.md lists them all");
}

static const struct data_param *param_of(const struct data_op *op, struct str name)
{
    for (size_t i = 0; i < op->n_params; i++)
        if (str_eq_c(name, op->params[i].name))
            return &op->params[i];
    return NULL;
}

static enum err check_names(const struct data_op *op, const struct json *step, struct why *why)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    while (json_each(step, &iter, &key, &value)) {
        if (str_eq_c(key, "op") || str_eq_c(key, "on") || param_of(op, key))
            continue;
        struct nearest n = nearest_to(key);
        for (size_t i = 0; i < op->n_params; i++)
            nearer(&n, op->params[i].name);
        enum err err = err_set(why, ERR_INVALID, "\"%s\" has no parameter \"%.*s\"", op->name,
                               (int)(key.len < SHOWN ? key.len : SHOWN), key.ptr);
        if (n.best)
            err_hint(why, "perhaps \"%s\"", n.best);
        return err;
    }
    return ERR_OK;
}

static enum err wrong_kind(const struct data_param *p, const char *want, struct why *why)
{
    return err_set(why, ERR_INVALID, "\"%s\" must be %s", p->name, want);
}

static enum err number_arg(const struct data_param *p, const struct json *value,
                           struct data_arg *out, struct why *why)
{
    enum json_kind kind = json_kind(value);
    double x = json_f64(value, NAN);
    if (kind != JSON_KIND_INT && kind != JSON_KIND_REAL)
        return wrong_kind(p, "a number", why);
    if (p->kind == DATA_INTEGER && x != floor(x))
        return wrong_kind(p, "a whole number", why);
    if (!(x >= p->least && x <= p->most))
        return err_set(why, ERR_INVALID, "\"%s\" is %g; it may be %g to %g", p->name, x, p->least,
                       p->most);
    out->number = x;
    return ERR_OK;
}

static enum err choice_arg(const struct data_param *p, const struct json *value,
                           struct data_arg *out, struct why *why)
{
    struct str given = json_str(value, STR("")), rest = str_c(p->text), one;
    for (int i = 0; str_next(&rest, '|', &one); i++)
        if (json_kind(value) == JSON_KIND_STRING && str_eq(given, one)) {
            out->number = i;
            out->text = one;
            return ERR_OK;
        }
    return err_set(why, ERR_INVALID, "\"%s\" may be %s, not \"%.*s\"", p->name, p->text,
                   (int)(given.len < SHOWN ? given.len : SHOWN), given.ptr);
}

static enum err string_arg(const struct data_param *p, const struct json *value,
                           struct data_arg *out, struct why *why)
{
    if (json_kind(value) != JSON_KIND_STRING)
        return wrong_kind(p, "a text", why);
    out->text = json_str(value, STR(""));
    if (p->most > 0 && (double)out->text.len > p->most)
        return err_set(why, ERR_INVALID, "\"%s\" has %zu bytes; at most %g", p->name, out->text.len,
                       p->most);
    return ERR_OK;
}

static enum err strings_arg(const struct data_param *p, const struct json *value,
                            struct arena *arena, struct data_arg *out, struct why *why)
{
    size_t n = json_len(value);
    struct str *list = arena_array(arena, struct str, n + 1);
    if (json_kind(value) != JSON_KIND_ARRAY)
        return wrong_kind(p, "a list of texts", why);
    if (p->most > 0 && (double)n > p->most)
        return err_set(why, ERR_INVALID, "\"%s\" has %zu items; at most %g", p->name, n, p->most);
    if (!list)
        return err_set(why, ERR_NO_MEMORY, "could not hold \"%s\"", p->name);
    for (size_t i = 0; i < n; i++) {
        if (json_kind(json_at(value, i)) != JSON_KIND_STRING)
            return wrong_kind(p, "a list of texts", why);
        list[i] = json_str(json_at(value, i), STR(""));
    }
    out->list = list;
    out->n = n;
    return ERR_OK;
}

/* What an argument is when nothing is said. */
static enum err fallback(const struct data_param *p, struct arena *arena, struct data_arg *out,
                         struct why *why)
{
    struct str rest = str_c(p->text), one;
    *out = (struct data_arg){.number = p->fallback};
    if (p->kind < DATA_CHOICE)
        return ERR_OK;
    if (!p->text)
        return err_set(why, ERR_INVALID, "\"%s\" is missing", p->name);
    if (p->kind == DATA_STRING) {
        out->text = rest;
    } else if (p->kind == DATA_CHOICE) {
        for (int i = 0; i <= (int)p->fallback; i++)
            (void)str_next(&rest, '|', &out->text);
    } else {
        struct str *list = arena_array(arena, struct str, rest.len + 1);
        if (!list)
            return err_set(why, ERR_NO_MEMORY, "could not hold \"%s\"", p->name);
        while (rest.len && str_next(&rest, '|', &one))
            list[out->n++] = one;
        out->list = list;
    }
    return ERR_OK;
}

static enum err one_arg(const struct data_param *p, const struct json *value, struct arena *arena,
                        struct data_arg *out, struct why *why)
{
    if (!value)
        return fallback(p, arena, out, why);
    switch (p->kind) {
    case DATA_NUMBER:
    case DATA_INTEGER:
        return number_arg(p, value, out, why);
    case DATA_FLAG:
        if (json_kind(value) != JSON_KIND_BOOL)
            return wrong_kind(p, "true or false", why);
        out->number = json_bool(value, false);
        return ERR_OK;
    case DATA_CHOICE:
        return choice_arg(p, value, out, why);
    case DATA_STRING:
        return string_arg(p, value, out, why);
    case DATA_STRINGS:
        return strings_arg(p, value, arena, out, why);
    }
    return ERR_OK;
}

enum err spec_args(const struct data_op *op, const struct json *step, struct arena *arena,
                   struct data_arg **out, struct why *why)
{
    struct data_arg *args = arena_array(arena, struct data_arg, op->n_params + 1);
    enum err err = args ? check_names(op, step, why)
                        : err_set(why, ERR_NO_MEMORY, "could not hold the arguments");
    for (size_t i = 0; !err && i < op->n_params; i++)
        err = one_arg(&op->params[i], json_get(step, op->params[i].name), arena, &args[i], why);
    if (!err && op->effect == DATA_MEASURE && args[DATA_LEAST].number > args[DATA_MOST].number)
        err = err_set(why, ERR_INVALID, "\"least\" is %g, which is above \"most\", %g",
                      args[DATA_LEAST].number, args[DATA_MOST].number);
    if (!err)
        *out = args;
    return err;
}
