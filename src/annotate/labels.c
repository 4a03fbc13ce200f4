#include "annotate/labels.h"

#include <ctype.h>
#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/utf8.h"

static const char *const kinds[] = {
#define FIELD_KIND(id, name) name,
    FIELD_KIND_MAP(FIELD_KIND)
#undef FIELD_KIND
};

/* Dark enough to be read as text on white, far enough apart to be told from each other. */
static const char *const palette[] = {"#1f6fb2", "#b3541e", "#2a7d46", "#8a3ab9",
                                      "#b8860b", "#b02a37", "#0f7b7b", "#5c6b1f",
                                      "#c2407a", "#4a5aa8", "#7a5230", "#3f7f00"};
/* In the order of the hands; without s (skip), z (undo) and what moves about. */
static const char auto_keys[] = "1234567890qwertyuiopadfghjklcvbnm";

const char *field_kind_name(enum field_kind kind)
{
    return kind < FIELD_KINDS ? kinds[kind] : "";
}

static enum err name_check(struct str name, size_t most, const char *what, struct why *why)
{
    if (!name.len || name.len > most)
        return err_set(why, ERR_INVALID, "the name of a %s has 1 to %zu bytes", what, most);
    if (utf8_invalid(name) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the name of a %s is not UTF-8", what);
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ')
            return err_set(why, ERR_INVALID, "the name of a %s has a control character", what);
    return ERR_OK;
}

static bool color_ok(struct str color)
{
    if (color.len != 7 || color.ptr[0] != '#')
        return false;
    for (size_t i = 1; i < 7; i++)
        if (!isxdigit((unsigned char)color.ptr[i]))
            return false;
    return true;
}

static bool key_ok(struct str key)
{
    return key.len == 1 && memchr(auto_keys, key.ptr[0], sizeof auto_keys - 1) != NULL;
}

/* ---- reading ---- */

struct reading {
    struct arena *arena;
    struct label *labels; /* most of them */
    size_t n, most;
};

static size_t count_labels(const struct json *list, int depth)
{
    size_t n = json_len(list);
    for (size_t i = 0; depth < LABELS_DEPTH && i < json_len(list); i++)
        n += count_labels(json_get(json_at(list, i), "children"), depth + 1);
    return n;
}

static enum err read_labels(const struct json *list, int parent, struct reading *r, struct why *why)
{
    enum err err = ERR_OK;
    int depth = parent < 0 ? 0 : r->labels[parent].depth + 1;
    if (depth >= LABELS_DEPTH)
        return err_set(why, ERR_INVALID, "labels lie more than %d deep", LABELS_DEPTH);
    for (size_t i = 0; !err && i < json_len(list); i++) {
        const struct json *one = json_at(list, i);
        struct str name = json_kind(one) == JSON_KIND_STRING ? json_str(one, STR(""))
                                                             : json_get_str(one, "value", STR(""));
        if (r->n == r->most)
            return err_set(why, ERR_INVALID, "a field has at most %d labels", LABELS_MOST);
        err = name_check(name, LABELS_MOST_NAME, "label", why);
        if (err)
            return err;
        struct str way = parent < 0 ? name
                                    : str_printf(r->arena, "%.*s/%.*s",
                                                 STR_FMT(r->labels[parent].value), STR_FMT(name));
        struct str color = json_get_str(one, "color", STR("")),
                   key = json_get_str(one, "key", STR(""));
        if (!way.ptr || way.len > (size_t)2 * LABELS_MOST_NAME)
            return err_set(why, ERR_INVALID, "the way of a label is longer than %d bytes",
                           2 * LABELS_MOST_NAME);
        r->labels[r->n] = (struct label){.value = way,
                                         .name = name,
                                         .title = json_get_str(one, "title", STR("")),
                                         .color = color_ok(color) ? color : STR(""),
                                         .key = key_ok(key) ? key : STR(""),
                                         .parent = parent,
                                         .depth = depth};
        err = read_labels(json_get(one, "children"), (int)r->n++, r, why);
    }
    return err;
}

static bool needs_labels(enum field_kind kind)
{
    return kind == FIELD_CHOICES || kind == FIELD_SPANS || kind == FIELD_BOXES;
}

static enum err read_field(const struct json *json, struct arena *arena, struct field *out,
                           struct why *why)
{
    struct str kind = json_get_str(json, "kind", STR(""));
    size_t k = 0;
    while (k < FIELD_KINDS && !str_eq_c(kind, kinds[k]))
        k++;
    if (k == FIELD_KINDS)
        return err_set(why, ERR_INVALID, "\"%.*s\" is no kind of field",
                       STR_FMT(str_slice(kind, 0, 40)));
    *out = (struct field){.name = json_get_str(json, "name", STR("")),
                          .title = json_get_str(json, "title", STR("")),
                          .to = json_get_str(json, "to", STR("")),
                          .kind = (enum field_kind)k,
                          .required = json_get_bool(json, "required", true),
                          .multiple = json_get_bool(json, "multiple", false),
                          .compare = json_get_bool(json, "compare", k != FIELD_TEXT),
                          .max = json_get_int(json, "max", 5)};
    enum err err = name_check(out->name, LABELS_MOST_NAME, "field", why);
    if (err || !needs_labels(out->kind))
        return err;
    struct reading r = {.arena = arena, .most = count_labels(json_get(json, "labels"), 0)};
    if (r.most > LABELS_MOST)
        return err_set(why, ERR_INVALID, "a field has at most %d labels", LABELS_MOST);
    r.labels = arena_array(arena, struct label, r.most + 1);
    if (!r.labels)
        return err_set(why, ERR_NO_MEMORY, "could not hold the labels");
    err = read_labels(json_get(json, "labels"), -1, &r, why);
    out->labels = r.labels;
    out->n_labels = r.n;
    return err;
}

static enum err read_show(const struct json *json, struct show *out, struct why *why)
{
    *out = (struct show){.name = json_get_str(json, "name", STR("")),
                         .path = json_get_str(json, "path", STR("")),
                         .kind = json_get_str(json, "kind", STR("text")),
                         .title = json_get_str(json, "title", STR(""))};
    enum err err = name_check(out->name, LABELS_MOST_NAME, "shown member", why);
    if (!err)
        err = name_check(out->path, LABELS_MOST_NAME, "shown member's path", why);
    if (!err && !str_eq_c(out->kind, "text") && !str_eq_c(out->kind, "chat") &&
        !str_eq_c(out->kind, "image"))
        err = err_set(why, ERR_INVALID, "what is shown is a text, a chat or an image");
    return err;
}

/* ---- checks ---- */

static enum err check_field(const struct labels *labels, const struct field *f, struct why *why)
{
    if (needs_labels(f->kind) && f->n_labels == 0)
        return err_set(why, ERR_INVALID, "field \"%.*s\" has no labels", STR_FMT(f->name));
    if (f->kind == FIELD_RATING && (f->max < 2 || f->max > 100))
        return err_set(why, ERR_INVALID, "a rating goes from 1 to something between 2 and 100");
    const struct show *show = labels_show(labels, f->to);
    if (f->to.len && !show)
        return err_set(why, ERR_INVALID, "field \"%.*s\" is about \"%.*s\", which is not shown",
                       STR_FMT(f->name), STR_FMT(f->to));
    if (f->kind == FIELD_SPANS && (!show || !str_eq_c(show->kind, "text")))
        return err_set(why, ERR_INVALID, "field \"%.*s\" marks spans of no text", STR_FMT(f->name));
    if (f->kind == FIELD_BOXES && (!show || !str_eq_c(show->kind, "image")))
        return err_set(why, ERR_INVALID, "field \"%.*s\" draws boxes on no image",
                       STR_FMT(f->name));
    return ERR_OK;
}

static enum err find_doubles(const struct field *f, struct arena *arena, struct why *why)
{
    struct map seen;
    map_init(&seen, arena);
    for (size_t i = 0; i < f->n_labels; i++) {
        bool made = false;
        if (!map_put(&seen, f->labels[i].value, &made))
            return err_set(why, ERR_NO_MEMORY, "could not hold the labels");
        if (!made)
            return err_set(why, ERR_INVALID, "label \"%.*s\" stands twice in field \"%.*s\"",
                           STR_FMT(f->labels[i].value), STR_FMT(f->name));
    }
    return ERR_OK;
}

static void give_keys(struct labels *labels)
{
    bool used[256] = {false};
    size_t next = 0;
    for (size_t f = 0; f < labels->n_fields; f++)
        for (size_t i = 0; i < labels->fields[f].n_labels; i++) {
            struct label *l = &labels->fields[f].labels[i];
            if (l->key.len && used[(unsigned char)l->key.ptr[0]])
                l->key = STR("");
            if (l->key.len)
                used[(unsigned char)l->key.ptr[0]] = true;
        }
    for (size_t f = 0; f < labels->n_fields; f++)
        for (size_t i = 0; i < labels->fields[f].n_labels; i++) {
            struct label *l = &labels->fields[f].labels[i];
            if (!l->color.len)
                l->color = str_c(palette[i % (sizeof palette / sizeof palette[0])]);
            while (!l->key.len && next < sizeof auto_keys - 1 &&
                   used[(unsigned char)auto_keys[next]])
                next++;
            if (!l->key.len && next < sizeof auto_keys - 1)
                l->key = (struct str){&auto_keys[next++], 1};
        }
}

enum err labels_finish(struct labels *labels, struct arena *arena, struct why *why)
{
    enum err err = ERR_OK;
    if (labels->n_shows < 1 || labels->n_fields < 1)
        return err_set(why, ERR_INVALID, "a label set shows something and has a field");
    for (size_t i = 0; !err && i < labels->n_shows; i++)
        if (labels_show(labels, labels->shows[i].name) != &labels->shows[i])
            err = err_set(why, ERR_INVALID, "\"%.*s\" is shown twice",
                          STR_FMT(labels->shows[i].name));
    for (size_t i = 0; !err && i < labels->n_fields; i++) {
        err = check_field(labels, &labels->fields[i], why);
        if (!err && labels_field(labels, labels->fields[i].name) != &labels->fields[i])
            err = err_set(why, ERR_INVALID, "field \"%.*s\" stands twice",
                          STR_FMT(labels->fields[i].name));
        if (!err)
            err = find_doubles(&labels->fields[i], arena, why);
    }
    if (!err)
        give_keys(labels);
    return err;
}

enum err labels_read(const struct json *json, struct arena *arena, struct labels *out,
                     struct why *why)
{
    const struct json *shows = json_get(json, "show"), *fields = json_get(json, "fields");
    size_t n_shows = json_len(shows), n_fields = json_len(fields);
    if (n_shows < 1 || n_shows > LABELS_MOST_SHOWS || n_fields < 1 || n_fields > LABELS_MOST_FIELDS)
        return err_set(why, ERR_INVALID,
                       "a label set has 1 to %d members \"show\" and 1 to %d \"fields\"",
                       LABELS_MOST_SHOWS, LABELS_MOST_FIELDS);
    struct labels labels = {.shows = arena_array(arena, struct show, n_shows),
                            .n_shows = n_shows,
                            .fields = arena_array(arena, struct field, n_fields),
                            .n_fields = n_fields};
    if (!labels.shows || !labels.fields)
        return err_set(why, ERR_NO_MEMORY, "could not hold the label set");
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < n_shows; i++)
        err = read_show(json_at(shows, i), &labels.shows[i], why);
    for (size_t i = 0; !err && i < n_fields; i++)
        err = read_field(json_at(fields, i), arena, &labels.fields[i], why);
    if (!err)
        err = labels_finish(&labels, arena, why);
    if (!err)
        *out = labels;
    return err;
}

/* ---- writing, finding ---- */

static size_t write_labels(const struct field *f, size_t i, int depth, struct json_out *out)
{
    json_begin_array(out);
    while (i < f->n_labels && f->labels[i].depth == depth) {
        const struct label *l = &f->labels[i];
        json_begin_object(out);
        json_kv_str(out, "value", l->name);
        if (l->title.len)
            json_kv_str(out, "title", l->title);
        json_kv_str(out, "color", l->color);
        json_kv_str(out, "key", l->key);
        i++;
        if (i < f->n_labels && f->labels[i].depth == depth + 1) {
            json_key(out, "children");
            i = write_labels(f, i, depth + 1, out);
        }
        json_end_object(out);
    }
    json_end_array(out);
    return i;
}

void labels_write(const struct labels *labels, struct json_out *out)
{
    json_begin_object(out);
    json_key(out, "show");
    json_begin_array(out);
    for (size_t i = 0; i < labels->n_shows; i++) {
        json_begin_object(out);
        json_kv_str(out, "name", labels->shows[i].name);
        json_kv_str(out, "kind", labels->shows[i].kind);
        json_kv_str(out, "path", labels->shows[i].path);
        json_kv_str(out, "title", labels->shows[i].title);
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "fields");
    json_begin_array(out);
    for (size_t i = 0; i < labels->n_fields; i++) {
        const struct field *f = &labels->fields[i];
        json_begin_object(out);
        json_kv_str(out, "name", f->name);
        json_kv_c(out, "kind", kinds[f->kind]);
        json_kv_str(out, "title", f->title);
        json_kv_str(out, "to", f->to);
        json_kv_bool(out, "required", f->required);
        json_kv_bool(out, "compare", f->compare);
        if (f->kind == FIELD_CHOICES)
            json_kv_bool(out, "multiple", f->multiple);
        if (f->kind == FIELD_RATING)
            json_kv_int(out, "max", f->max);
        if (needs_labels(f->kind)) {
            json_key(out, "labels");
            (void)write_labels(f, 0, 0, out);
        }
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
}

const struct field *labels_field(const struct labels *labels, struct str name)
{
    for (size_t i = 0; i < labels->n_fields; i++)
        if (str_eq(labels->fields[i].name, name))
            return &labels->fields[i];
    return NULL;
}

const struct show *labels_show(const struct labels *labels, struct str name)
{
    for (size_t i = 0; i < labels->n_shows; i++)
        if (str_eq(labels->shows[i].name, name))
            return &labels->shows[i];
    return NULL;
}

int field_label(const struct field *field, struct str value)
{
    for (size_t i = 0; i < field->n_labels; i++)
        if (str_eq(field->labels[i].value, value))
            return (int)i;
    return -1;
}

int field_label_loose(const struct field *field, struct str value)
{
    int found = field_label(field, value), n = 0;
    for (size_t i = 0; found < 0 && i < field->n_labels; i++)
        n += str_eq(field->labels[i].name, value) ||
             (field->labels[i].title.len && str_eq(field->labels[i].title, value));
    for (size_t i = 0; found < 0 && n == 1 && i < field->n_labels; i++)
        if (str_eq(field->labels[i].name, value) || str_eq(field->labels[i].title, value))
            found = (int)i;
    return found;
}
