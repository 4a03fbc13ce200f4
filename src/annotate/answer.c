#include "annotate/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"

#define MOST_TEXT  ((size_t)128 << 10)
#define MOST_RANKS 200
#define MEET       0.5 /* boxes are the same from half of intersection over union on */

const struct answer_about answer_about_anything = {
    {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX,
     SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX}};

struct reader {
    const struct field *field;
    struct arena *arena;
    size_t chars; /* of the text that the field is about */
    struct why *why;
};

static enum err no_memory(const struct reader *r)
{
    return err_set(r->why, ERR_NO_MEMORY, "could not hold the answer");
}

static enum err label_of(const struct reader *r, const struct json *json, uint32_t *out)
{
    struct str value = json_str(json, STR(""));
    int i = field_label(r->field, value);
    if (i < 0)
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" has no label \"%.*s\"",
                       STR_FMT(r->field->name), STR_FMT(str_slice(value, 0, 80)));
    *out = (uint32_t)i;
    return ERR_OK;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static enum err read_choices(const struct reader *r, const struct json *json,
                             struct answer_value *out)
{
    size_t n = json_kind(json) == JSON_KIND_ARRAY ? json_len(json) : 1;
    enum err err = ERR_OK;
    if (n > r->field->n_labels)
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" has more choices than labels",
                       STR_FMT(r->field->name));
    out->labels = arena_array(r->arena, uint32_t, n + 1);
    if (!out->labels)
        return no_memory(r);
    for (size_t i = 0; !err && i < n; i++)
        err = label_of(r, json_kind(json) == JSON_KIND_ARRAY ? json_at(json, i) : json,
                       &out->labels[i]);
    if (err)
        return err;
    qsort(out->labels, n, sizeof *out->labels, by_number);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || out->labels[i] != out->labels[i - 1])
            out->labels[out->n_labels++] = out->labels[i];
    if (out->n_labels > 1 && !r->field->multiple)
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" takes one label",
                       STR_FMT(r->field->name));
    return ERR_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct agree_span *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->code < y->code ? -1 : x->code > y->code;
}

static enum err read_spans(const struct reader *r, const struct json *json,
                           struct answer_value *out)
{
    size_t n = json_len(json);
    enum err err = ERR_OK;
    if (n > ANSWER_MOST_SPANS)
        return err_set(r->why, ERR_INVALID, "more than %d spans", ANSWER_MOST_SPANS);
    out->spans = arena_array(r->arena, struct agree_span, n + 1);
    if (!out->spans)
        return no_memory(r);
    for (size_t i = 0; !err && i < n; i++) {
        const struct json *one = json_at(json, i);
        int64_t start = json_get_int(one, "start", -1), end = json_get_int(one, "end", -1);
        if (start < 0 || end <= start || (uint64_t)end > r->chars)
            return err_set(r->why, ERR_INVALID,
                           "span %zu of field \"%.*s\" does not lie in the text", i + 1,
                           STR_FMT(r->field->name));
        out->spans[i] = (struct agree_span){(size_t)start, (size_t)end, 0};
        err = label_of(r, json_get(one, "label"), &out->spans[i].code);
    }
    if (err)
        return err;
    qsort(out->spans, n, sizeof *out->spans, by_place);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || by_place(&out->spans[i], &out->spans[i - 1]) != 0)
            out->spans[out->n_spans++] = out->spans[i];
    return ERR_OK;
}

static int box_by_place(const void *a, const void *b)
{
    const struct answer_box *x = a, *y = b;
    if (x->at.x != y->at.x)
        return x->at.x < y->at.x ? -1 : 1;
    if (x->at.y != y->at.y)
        return x->at.y < y->at.y ? -1 : 1;
    return x->at.code < y->at.code ? -1 : x->at.code > y->at.code;
}

/* Kept to a thousandth of a percent: finer than any pixel, and the same bytes for the same box. */
static double grid(double x)
{
    return round(x * 1000) / 1000;
}

static enum err read_boxes(const struct reader *r, const struct json *json,
                           struct answer_value *out)
{
    size_t n = json_len(json);
    enum err err = ERR_OK;
    if (n > ANSWER_MOST_BOXES)
        return err_set(r->why, ERR_INVALID, "more than %d boxes", ANSWER_MOST_BOXES);
    out->boxes = arena_array(r->arena, struct answer_box, n + 1);
    if (!out->boxes)
        return no_memory(r);
    for (size_t i = 0; !err && i < n; i++) {
        const struct json *one = json_at(json, i);
        struct answer_box *b = &out->boxes[i];
        b->at.x = grid(json_get_f64(one, "x", -1));
        b->at.y = grid(json_get_f64(one, "y", -1));
        b->at.width = grid(json_get_f64(one, "width", 0));
        b->at.height = grid(json_get_f64(one, "height", 0));
        b->rotation = grid(json_get_f64(one, "rotation", 0));
        bool fits = b->at.x >= 0 && b->at.y >= 0 && b->at.width > 0 && b->at.height > 0 &&
                    b->at.x + b->at.width <= 100.01 && b->at.y + b->at.height <= 100.01 &&
                    b->rotation > -360.001 && b->rotation < 360.001;
        if (!fits)
            return err_set(r->why, ERR_INVALID,
                           "box %zu of field \"%.*s\" does not lie in the image", i + 1,
                           STR_FMT(r->field->name));
        err = label_of(r, json_get(one, "label"), &b->at.code);
    }
    if (!err)
        qsort(out->boxes, n, sizeof *out->boxes, box_by_place);
    out->n_boxes = n;
    return err;
}

static enum err read_number(const struct reader *r, const struct json *json,
                            struct answer_value *out)
{
    bool whole = r->field->kind == FIELD_RATING;
    enum json_kind kind = json_kind(json);
    out->number = json_f64(json, -1);
    if ((kind != JSON_KIND_INT && kind != JSON_KIND_REAL) || !isfinite(out->number))
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" takes a number",
                       STR_FMT(r->field->name));
    if (whole && (out->number < 1 || out->number > (double)r->field->max ||
                  out->number != floor(out->number)))
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" goes from 1 to %lld",
                       STR_FMT(r->field->name), (long long)r->field->max);
    return ERR_OK;
}

static enum err read_words(const struct reader *r, const struct json *json,
                           struct answer_value *out)
{
    out->text = str_trim_space(json_str(json, STR("")));
    if (json_kind(json) != JSON_KIND_STRING || out->text.len > MOST_TEXT)
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" takes a text of at most %zu bytes",
                       STR_FMT(r->field->name), MOST_TEXT);
    if (r->field->kind == FIELD_PREFERENCE && !str_eq_c(out->text, "a") &&
        !str_eq_c(out->text, "b") && !str_eq_c(out->text, "tie"))
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" takes \"a\", \"b\" or \"tie\"",
                       STR_FMT(r->field->name));
    return ERR_OK;
}

static enum err read_ranks(const struct reader *r, const struct json *json,
                           struct answer_value *out)
{
    size_t n = json_len(json);
    if (json_kind(json) != JSON_KIND_ARRAY || n > MOST_RANKS)
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" takes a list of at most %d",
                       STR_FMT(r->field->name), MOST_RANKS);
    out->ranks = arena_array(r->arena, struct str, n + 1);
    if (!out->ranks)
        return no_memory(r);
    for (size_t i = 0; i < n; i++)
        out->ranks[i] = json_str(json_at(json, i), STR(""));
    out->n_ranks = n;
    return ERR_OK;
}

static bool empty(const struct field *f, const struct answer_value *v)
{
    switch (f->kind) {
    case FIELD_CHOICES:
        return v->n_labels == 0;
    case FIELD_TEXT:
    case FIELD_PREFERENCE:
        return v->text.len == 0;
    case FIELD_RANKING:
        return v->n_ranks == 0;
    default: /* no span and no box is an answer, too */
        return false;
    }
}

static enum err read_value(const struct reader *r, const struct json *json,
                           struct answer_value *out)
{
    static enum err (*const readers[])(const struct reader *, const struct json *,
                                       struct answer_value *) = {
        [FIELD_CHOICES] = read_choices,  [FIELD_SPANS] = read_spans,   [FIELD_BOXES] = read_boxes,
        [FIELD_TEXT] = read_words,       [FIELD_RATING] = read_number, [FIELD_NUMBER] = read_number,
        [FIELD_PREFERENCE] = read_words, [FIELD_RANKING] = read_ranks};
    bool list = r->field->kind == FIELD_SPANS || r->field->kind == FIELD_BOXES;
    *out = (struct answer_value){0};
    if (json_kind(json) == JSON_KIND_NULL)
        return ERR_OK;
    if (list && json_kind(json) != JSON_KIND_ARRAY)
        return err_set(r->why, ERR_INVALID, "field \"%.*s\" takes a list", STR_FMT(r->field->name));
    enum err err = readers[r->field->kind](r, json, out);
    out->given = !err && !empty(r->field, out);
    return err;
}

enum err answer_read(const struct json *json, const struct labels *labels,
                     const struct answer_about *about, bool draft, struct arena *arena,
                     struct answer *out, struct why *why)
{
    struct answer_value *values = arena_array(arena, struct answer_value, labels->n_fields);
    void *iter = NULL;
    struct str key;
    const struct json *value;
    enum err err = ERR_OK;
    if (!values)
        return err_set(why, ERR_NO_MEMORY, "could not hold the answer");
    if (json_kind(json) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "an answer is an object with a member for each field");
    while (json_each(json, &iter, &key, &value))
        if (!labels_field(labels, key))
            return err_set(why, ERR_INVALID, "there is no field \"%.*s\"",
                           STR_FMT(str_slice(key, 0, 80)));
    for (size_t i = 0; !err && i < labels->n_fields; i++) {
        const struct field *f = &labels->fields[i];
        const struct show *show = labels_show(labels, f->to);
        struct reader r = {f, arena, show ? about->chars[show - labels->shows] : SIZE_MAX, why};
        char name[LABELS_MOST_NAME + 1] = "";
        memcpy(name, f->name.ptr, f->name.len < sizeof name ? f->name.len : sizeof name - 1);
        err = read_value(&r, json_get(json, name), &values[i]);
        /* Nothing marked is an answer; it need not be said. */
        if (!err && (f->kind == FIELD_SPANS || f->kind == FIELD_BOXES))
            values[i].given = true;
        if (!err && !draft && f->required && !values[i].given)
            err = err_set(why, ERR_INVALID, "field \"%.*s\" is not answered", STR_FMT(f->name));
    }
    if (!err)
        out->values = values;
    return err;
}

enum err answer_parse(struct str text, const struct labels *labels,
                      const struct answer_about *about, bool draft, struct arena *arena,
                      struct answer *out, struct why *why)
{
    const struct json *json = NULL;
    if (text.len > ANSWER_MOST_BYTES)
        return err_set(why, ERR_TOO_LARGE, "an answer has at most %zu bytes", ANSWER_MOST_BYTES);
    enum err err = json_parse(text, arena, &json, why);
    return err ? err : answer_read(json, labels, about, draft, arena, out, why);
}

/* ---- writing ---- */

static void write_boxes(const struct field *f, const struct answer_value *v, struct json_out *out)
{
    for (size_t i = 0; i < v->n_boxes; i++) {
        const struct answer_box *b = &v->boxes[i];
        json_begin_object(out);
        json_kv_real(out, "x", b->at.x);
        json_kv_real(out, "y", b->at.y);
        json_kv_real(out, "width", b->at.width);
        json_kv_real(out, "height", b->at.height);
        if (b->rotation != 0)
            json_kv_real(out, "rotation", b->rotation);
        json_kv_str(out, "label", f->labels[b->at.code].value);
        json_end_object(out);
    }
}

static void write_list(const struct field *f, const struct answer_value *v, struct json_out *out)
{
    json_begin_array(out);
    for (size_t i = 0; i < v->n_labels; i++)
        json_put_str(out, f->labels[v->labels[i]].value);
    for (size_t i = 0; i < v->n_ranks; i++)
        json_put_str(out, v->ranks[i]);
    for (size_t i = 0; i < v->n_spans; i++) {
        json_begin_object(out);
        json_kv_int(out, "start", (int64_t)v->spans[i].start);
        json_kv_int(out, "end", (int64_t)v->spans[i].end);
        json_kv_str(out, "label", f->labels[v->spans[i].code].value);
        json_end_object(out);
    }
    write_boxes(f, v, out);
    json_end_array(out);
}

void answer_write(const struct answer *answer, const struct labels *labels, struct json_out *out)
{
    json_begin_object(out);
    for (size_t i = 0; i < labels->n_fields; i++) {
        const struct field *f = &labels->fields[i];
        const struct answer_value *v = &answer->values[i];
        char name[LABELS_MOST_NAME + 1] = "";
        if (!v->given)
            continue;
        memcpy(name, f->name.ptr, f->name.len < sizeof name ? f->name.len : sizeof name - 1);
        json_key(out, name);
        if (f->kind == FIELD_RATING)
            json_put_int(out, (int64_t)v->number);
        else if (f->kind == FIELD_NUMBER)
            json_put_real(out, v->number);
        else if (f->kind == FIELD_TEXT || f->kind == FIELD_PREFERENCE)
            json_put_str(out, v->text);
        else
            write_list(f, v, out);
    }
    json_end_object(out);
}

enum err answer_text(const struct answer *answer, const struct labels *labels, struct arena *arena,
                     struct str *out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    answer_write(answer, labels, &json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* ---- comparing ---- */

static double labels_alike(const struct answer_value *a, const struct answer_value *b)
{
    size_t both = 0, all;
    for (size_t i = 0, k = 0; i < a->n_labels && k < b->n_labels;) {
        bool same = a->labels[i] == b->labels[k];
        bool first = a->labels[i] < b->labels[k];
        both += same;
        i += same || first;
        k += same || !first;
    }
    all = a->n_labels + b->n_labels - both;
    return all ? (double)both / (double)all : 1;
}

static double boxes_alike(const struct answer_value *a, const struct answer_value *b)
{
    struct agree_box x[ANSWER_MOST_BOXES], y[ANSWER_MOST_BOXES];
    for (size_t i = 0; i < a->n_boxes; i++)
        x[i] = a->boxes[i].at;
    for (size_t i = 0; i < b->n_boxes; i++)
        y[i] = b->boxes[i].at;
    return agree_boxes(x, a->n_boxes, y, b->n_boxes, MEET, NULL);
}

static double ranks_alike(const struct answer_value *a, const struct answer_value *b)
{
    bool same = a->n_ranks == b->n_ranks;
    for (size_t i = 0; same && i < a->n_ranks; i++)
        same = str_eq(a->ranks[i], b->ranks[i]);
    return same;
}

double field_alike(const struct field *f, const struct answer_value *a,
                   const struct answer_value *b)
{
    if (a->given != b->given)
        return 0;
    switch (f->kind) {
    case FIELD_CHOICES:
        return labels_alike(a, b);
    case FIELD_SPANS:
        return agree_spans_exact(a->spans, a->n_spans, b->spans, b->n_spans);
    case FIELD_BOXES:
        return boxes_alike(a, b);
    case FIELD_RATING:
        return a->given ? 1 - fabs(a->number - b->number) / (double)(f->max - 1) : 1;
    case FIELD_NUMBER:
        return a->number == b->number;
    case FIELD_RANKING:
        return ranks_alike(a, b);
    default:
        return str_eq(a->text, b->text);
    }
}

bool labels_compared(const struct labels *labels)
{
    for (size_t i = 0; i < labels->n_fields; i++)
        if (labels->fields[i].compare)
            return true;
    return false;
}

double answer_score(const struct labels *labels, const struct answer *a, const struct answer *b,
                    bool *same)
{
    bool some = labels_compared(labels), all_same = true;
    double sum = 0, n = 0;
    for (size_t i = 0; i < labels->n_fields; i++) {
        if (some && !labels->fields[i].compare)
            continue;
        double alike = field_alike(&labels->fields[i], &a->values[i], &b->values[i]);
        all_same = all_same && alike >= 1;
        sum += alike;
        n++;
    }
    if (same)
        *same = all_same;
    return n > 0 ? sum / n : 1;
}
