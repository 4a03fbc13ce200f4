/* The label set of an export that came without its configuration, from what its results say; and
 * results written in Label Studio's shape. */
#include <stdio.h>
#include <string.h>

#include "annotate/studio.h"
#include "core/arena.h"
#include "core/utf8.h"

#define MOST_DATA 64

struct seen_field {
    struct field field;
    struct str to;
    struct map labels; /* in order: value.u */
};

struct studio_guess {
    struct arena *arena;
    struct seen_field fields[LABELS_MOST_FIELDS];
    size_t n_fields;
    struct str data[MOST_DATA]; /* names of members that are texts */
    bool picture[MOST_DATA];
    size_t n_data;
    struct str odd_type, odd_to, odd_data; /* the first result and member that tell nothing */
};

struct studio_guess *studio_guess_new(struct arena *arena)
{
    struct studio_guess *g = arena_one(arena, struct studio_guess);
    if (g)
        g->arena = arena;
    return g;
}

static const struct {
    const char *type, *member;
    enum field_kind kind;
} types[] = {
    {"choices", "choices", FIELD_CHOICES},
    {"taxonomy", "taxonomy", FIELD_CHOICES},
    {"labels", "labels", FIELD_SPANS},
    {"hypertextlabels", "hypertextlabels", FIELD_SPANS},
    {"rectanglelabels", "rectanglelabels", FIELD_BOXES},
    {"textarea", NULL, FIELD_TEXT},
    {"rating", NULL, FIELD_RATING},
    {"number", NULL, FIELD_NUMBER},
    {"pairwise", NULL, FIELD_PREFERENCE},
    {"ranker", NULL, FIELD_RANKING},
};

static struct seen_field *seen(struct studio_guess *g, struct str name, enum field_kind kind)
{
    for (size_t i = 0; i < g->n_fields; i++)
        if (str_eq(g->fields[i].field.name, name))
            return &g->fields[i];
    if (g->n_fields == LABELS_MOST_FIELDS)
        return NULL;
    struct seen_field *f = &g->fields[g->n_fields++];
    f->field = (struct field){
        .name = str_copy(g->arena, name), .kind = kind, .compare = kind != FIELD_TEXT, .max = 5};
    map_init(&f->labels, g->arena);
    return f;
}

static enum err see_label(struct studio_guess *g, struct seen_field *f, const struct json *one,
                          struct why *why)
{
    struct buf way;
    bool made = false;
    size_t parts = json_kind(one) == JSON_KIND_ARRAY ? json_len(one) : 1;
    buf_init(&way, g->arena);
    /* Parents become labels, too. */
    for (size_t i = 0; i < parts && i < LABELS_DEPTH; i++) {
        struct str name = json_kind(one) == JSON_KIND_ARRAY ? json_str(json_at(one, i), STR(""))
                                                            : json_str(one, STR(""));
        if (!name.len || name.len > LABELS_MOST_NAME)
            return ERR_OK;
        if (i)
            buf_char(&way, '/');
        buf_add(&way, name);
        if (f->labels.n >= LABELS_MOST)
            return err_set(why, ERR_TOO_LARGE, "the export uses more than %d labels", LABELS_MOST);
        struct str key = str_copy(g->arena, buf_str(&way));
        struct map_entry *e = key.ptr ? map_put(&f->labels, key, &made) : NULL;
        if (!e)
            return err_set(why, ERR_NO_MEMORY, "could not hold the labels");
        if (made)
            e->value.u = f->labels.n - 1;
    }
    return ERR_OK;
}

static enum err see_result(struct studio_guess *g, const struct json *result, struct why *why)
{
    struct str type = json_get_str(result, "type", STR("")),
               from = json_get_str(result, "from_name", STR(""));
    const struct json *value = json_get(result, "value");
    enum err err = ERR_OK;
    size_t k = 0;
    while (k < sizeof types / sizeof types[0] && !str_eq_c(type, types[k].type))
        k++;
    bool region = json_get(value, "start") || json_get(value, "width");
    if (k == sizeof types / sizeof types[0] || !from.len || from.len > LABELS_MOST_NAME ||
        (types[k].kind == FIELD_CHOICES && region)) {
        if (!g->odd_type.len)
            g->odd_type = str_copy(g->arena, type);
        return ERR_OK;
    }
    bool box = types[k].kind == FIELD_SPANS && json_get(value, "width");
    struct seen_field *f = seen(g, from, box ? FIELD_BOXES : types[k].kind);
    if (!f)
        return ERR_OK;
    f->to = f->to.len ? f->to : str_copy(g->arena, json_get_str(result, "to_name", STR("")));
    const struct json *list = types[k].member ? json_get(value, types[k].member) : NULL;
    for (size_t i = 0; !err && i < json_len(list); i++)
        err = see_label(g, f, json_at(list, i), why);
    f->field.multiple = f->field.multiple || (f->field.kind == FIELD_CHOICES && json_len(list) > 1);
    int64_t rating = json_get_int(value, "rating", 0);
    f->field.max = rating > f->field.max && rating <= 100 ? rating : f->field.max;
    return err;
}

static bool looks_picture(struct str s)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (str_ends(s, str_c(ends[i])))
            return true;
    return str_starts(s, STR("data:image/"));
}

static void see_data(struct studio_guess *g, const struct json *data)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    while (json_each(data, &iter, &key, &value)) {
        size_t i = 0;
        while (i < g->n_data && !str_eq(g->data[i], key))
            i++;
        bool nested = json_kind(value) == JSON_KIND_ARRAY || json_kind(value) == JSON_KIND_OBJECT;
        if (nested && !g->odd_data.len)
            g->odd_data = str_copy(g->arena, key);
        if (json_kind(value) != JSON_KIND_STRING || key.len == 0 || key.len > LABELS_MOST_NAME)
            continue;
        if (i == g->n_data && g->n_data < MOST_DATA)
            g->data[g->n_data++] = str_copy(g->arena, key);
        if (i < g->n_data && looks_picture(json_str(value, STR(""))))
            g->picture[i] = true;
    }
}

enum err studio_guess_see(struct studio_guess *g, const struct json *task, struct why *why)
{
    static const char *const lists[] = {"annotations", "completions", "predictions"};
    const struct json *data = studio_task_data(task), *own = json_get(task, "result");
    enum err err = ERR_OK;
    if (data != task)
        see_data(g, data);
    for (size_t k = 0; !err && data != json_get(task, "data") && k < json_len(own); k++)
        err = see_result(g, json_at(own, k), why);
    for (size_t l = 0; !err && l < sizeof lists / sizeof lists[0]; l++) {
        const struct json *list = json_get(task, lists[l]);
        for (size_t i = 0; !err && i < json_len(list); i++) {
            const struct json *results = json_get(json_at(list, i), "result");
            for (size_t k = 0; !err && k < json_len(results); k++)
                err = see_result(g, json_at(results, k), why);
        }
    }
    return err;
}

/* The member that a field is about: called like its to_name, else the usual names, else the first
 * that fits. */
static int member_for(const struct studio_guess *g, struct str to, bool picture)
{
    static const char *const usual[] = {"text", "content", "sentence", "image", "img"};
    for (size_t i = 0; i < g->n_data; i++)
        if (str_eq(g->data[i], to) && g->picture[i] == picture)
            return (int)i;
    for (size_t u = 0; u < sizeof usual / sizeof usual[0]; u++)
        for (size_t i = 0; i < g->n_data; i++)
            if (str_eq_c(g->data[i], usual[u]) && g->picture[i] == picture)
                return (int)i;
    for (size_t i = 0; i < g->n_data; i++)
        if (g->picture[i] == picture)
            return (int)i;
    return -1;
}

static enum err give_labels(const struct studio_guess *g, struct seen_field *s, struct field *out,
                            struct why *why)
{
    size_t at = 0, n = s->labels.n;
    struct str *ways = arena_array(g->arena, struct str, n + 1);
    out->labels = arena_array(g->arena, struct label, n + 1);
    if (!ways || !out->labels)
        return err_set(why, ERR_NO_MEMORY, "could not hold the labels");
    for (struct map_entry *e; (e = map_each(&s->labels, &at)) != NULL;)
        ways[e->value.u] = e->key;
    /* A parent's children directly behind it: as often as there are levels, the list is passed. */
    bool *done = arena_array(g->arena, bool, n + 1);
    int stack[LABELS_DEPTH + 1];
    size_t top = 0;
    if (!done)
        return err_set(why, ERR_NO_MEMORY, "could not hold the labels");
    while (out->n_labels < n) {
        int parent = top ? stack[top - 1] : -1;
        struct str above = parent < 0 ? STR("") : out->labels[parent].value;
        size_t i = 0;
        for (; i < n; i++) {
            struct str rest = above.len && str_starts(ways[i], above) && ways[i].len > above.len &&
                                      ways[i].ptr[above.len] == '/'
                                  ? str_from(ways[i], above.len + 1)
                              : above.len ? STR_NONE
                                          : ways[i];
            struct str head = rest;
            size_t slash = rest.len ? str_find_char(rest, '/') : STR_NPOS;
            /* A label may have a '/' of its own: then nothing above it was ever used. */
            bool own = slash == STR_NPOS ||
                       !map_find(&s->labels, str_slice(ways[i], 0, ways[i].len - rest.len + slash));
            if (done[i] || !rest.ptr || !own)
                continue;
            out->labels[out->n_labels] =
                (struct label){.value = ways[i], .name = head, .parent = parent, .depth = (int)top};
            done[i] = true;
            break;
        }
        if (i < n && top < LABELS_DEPTH)
            stack[top++] = (int)out->n_labels++;
        else if (top)
            top--;
        else
            break;
    }
    return ERR_OK;
}

static enum err tells_nothing(const struct studio_guess *g, struct why *why)
{
    enum err err = ERR_INVALID;
    if (g->odd_to.len && g->odd_data.len)
        err =
            err_set(why, err,
                    "the results are about \"%.*s\", and the data holds \"%.*s\", which is a list "
                    "or object: repeated parts are not taken",
                    STR_FMT(g->odd_to), STR_FMT(g->odd_data));
    else if (g->odd_to.len)
        err = err_set(why, err, "the results are about \"%.*s\", and no data of a task is a text",
                      STR_FMT(g->odd_to));
    else if (g->odd_type.len)
        err =
            err_set(why, err, "results of the type \"%.*s\" are not taken, and there are no others",
                    STR_FMT(g->odd_type));
    else
        err = err_set(why, err, "the tasks hold no results that tell a label set");
    err_hint(why, "give the labelling configuration with it");
    return err;
}

enum err studio_guess_labels(struct studio_guess *g, struct labels *out, struct why *why)
{
    struct labels labels = {.shows = arena_array(g->arena, struct show, LABELS_MOST_SHOWS),
                            .fields = arena_array(g->arena, struct field, LABELS_MOST_FIELDS)};
    enum err err = ERR_OK;
    if (!labels.shows || !labels.fields)
        return err_set(why, ERR_NO_MEMORY, "could not hold the label set");
    for (size_t i = 0; !err && i < g->n_fields; i++) {
        struct seen_field *s = &g->fields[i];
        bool picture = s->field.kind == FIELD_BOXES;
        int member = member_for(g, s->to, picture);
        if (member < 0 && !picture)
            member = member_for(g, s->to, true);
        if (member < 0) {
            g->odd_to = g->odd_to.len ? g->odd_to : s->to;
            continue;
        }
        struct str name = g->data[member];
        if (!labels_show(&labels, name))
            labels.shows[labels.n_shows++] =
                (struct show){.name = name,
                              .path = name,
                              .kind = g->picture[member] ? STR("image") : STR("text")};
        struct field *f = &labels.fields[labels.n_fields];
        *f = s->field;
        f->to = name;
        err = give_labels(g, s, f, why);
        labels.n_fields += !err;
    }
    if (!err && labels.n_fields == 0)
        err = tells_nothing(g, why);
    if (!err)
        err = labels_finish(&labels, g->arena, why);
    if (!err)
        *out = labels;
    return err;
}

/* ---- writing ---- */

static void begin_result(const struct field *f, const struct show *show, const char *type,
                         const char *origin, size_t n, struct json_out *out)
{
    char id[32];
    (void)snprintf(id, sizeof id, "r%zu", n);
    json_begin_object(out);
    json_kv_c(out, "id", id);
    json_kv_str(out, "from_name", f->name);
    json_kv_str(out, "to_name", show ? show->name : STR(""));
    json_kv_c(out, "type", type);
    json_kv_c(out, "origin", origin);
    json_key(out, "value");
    json_begin_object(out);
}

static void end_result(struct json_out *out)
{
    json_end_object(out);
    json_end_object(out);
}

static void put_one(struct json_out *out, const char *member, struct str value)
{
    json_key(out, member);
    json_begin_array(out);
    json_put_str(out, value);
    json_end_array(out);
}

/* The way to a label as a list of names. */
static void put_way(const struct field *f, int label, struct json_out *out)
{
    int way[LABELS_DEPTH + 1];
    size_t n = 0;
    for (int at = label; at >= 0 && n <= LABELS_DEPTH; at = f->labels[at].parent)
        way[n++] = at;
    json_begin_array(out);
    while (n > 0)
        json_put_str(out, f->labels[way[--n]].name);
    json_end_array(out);
}

static void write_choices(const struct field *f, const struct answer_value *v, struct json_out *out)
{
    bool nested = false;
    for (size_t i = 0; i < f->n_labels; i++)
        nested = nested || f->labels[i].depth > 0;
    json_key(out, nested ? "taxonomy" : "choices");
    json_begin_array(out);
    for (size_t i = 0; i < v->n_labels; i++) {
        if (nested)
            put_way(f, (int)v->labels[i], out);
        else
            json_put_str(out, f->labels[v->labels[i]].name);
    }
    json_end_array(out);
}

static void write_span(const struct field *f, const struct agree_span *s, struct str text,
                       struct json_out *out)
{
    json_kv_int(out, "start", (int64_t)studio_to_utf16(text, s->start));
    json_kv_int(out, "end", (int64_t)studio_to_utf16(text, s->end));
    json_kv_str(out, "text",
                str_slice(text, utf8_offset(text, s->start), utf8_offset(text, s->end)));
    put_one(out, "labels", f->labels[s->code].value);
}

static void write_box(const struct field *f, const struct answer_box *b, struct json_out *out)
{
    json_kv_real(out, "x", b->at.x);
    json_kv_real(out, "y", b->at.y);
    json_kv_real(out, "width", b->at.width);
    json_kv_real(out, "height", b->at.height);
    json_kv_real(out, "rotation", b->rotation);
    put_one(out, "rectanglelabels", f->labels[b->at.code].value);
}

static void write_plain(const struct field *f, const struct answer_value *v, struct json_out *out)
{
    if (f->kind == FIELD_TEXT)
        put_one(out, "text", v->text);
    else if (f->kind == FIELD_RATING)
        json_kv_int(out, "rating", (int64_t)v->number);
    else if (f->kind == FIELD_NUMBER)
        json_kv_real(out, "number", v->number);
    else if (f->kind == FIELD_PREFERENCE && !str_eq_c(v->text, "tie"))
        json_kv_c(out, "selected", str_eq_c(v->text, "a") ? "left" : "right");
    else if (f->kind == FIELD_RANKING) {
        json_key(out, "ranker");
        json_begin_object(out);
        json_key(out, "rank");
        json_begin_array(out);
        for (size_t i = 0; i < v->n_ranks; i++)
            json_put_str(out, v->ranks[i]);
        json_end_array(out);
        json_end_object(out);
    }
}

void studio_result_write(const struct answer *answer, const struct labels *labels,
                         const struct str *texts, const char *origin, struct json_out *out)
{
    static const char *const plain[] = {[FIELD_TEXT] = "textarea",
                                        [FIELD_RATING] = "rating",
                                        [FIELD_NUMBER] = "number",
                                        [FIELD_RANKING] = "ranker",
                                        [FIELD_PREFERENCE] = "pairwise"};
    size_t n = 0;
    json_begin_array(out);
    for (size_t i = 0; i < labels->n_fields; i++) {
        const struct field *f = &labels->fields[i];
        const struct answer_value *v = &answer->values[i];
        const struct show *show = labels_show(labels, f->to);
        if (!show && labels->n_shows)
            show = &labels->shows[0];
        struct str text = show ? texts[show - labels->shows] : STR("");
        for (size_t k = 0; k < v->n_spans; k++) {
            begin_result(f, show, "labels", origin, n++, out);
            write_span(f, &v->spans[k], text, out);
            end_result(out);
        }
        for (size_t k = 0; k < v->n_boxes; k++) {
            begin_result(f, show, "rectanglelabels", origin, n++, out);
            write_box(f, &v->boxes[k], out);
            end_result(out);
        }
        if (!v->given || f->kind == FIELD_SPANS || f->kind == FIELD_BOXES)
            continue;
        bool nested = false;
        for (size_t k = 0; k < f->n_labels; k++)
            nested = nested || f->labels[k].depth > 0;
        begin_result(f, show,
                     f->kind == FIELD_CHOICES ? (nested ? "taxonomy" : "choices") : plain[f->kind],
                     origin, n++, out);
        if (f->kind == FIELD_CHOICES)
            write_choices(f, v, out);
        else
            write_plain(f, v, out);
        end_result(out);
    }
    json_end_array(out);
}
