/* Label Studio's labelling configuration: XML into our label set and back. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "annotate/studio.h"
#include "annotate/xml.h"
#include "core/arena.h"

void studio_notes_init(struct studio_notes *notes, struct arena *arena)
{
    notes->arena = arena;
    map_init(&notes->counts, arena);
}

#define MOST_NOTES 200

void studio_note(struct studio_notes *notes, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct map_entry *e = map_find(&notes->counts, str_c(text));
    if (!e && notes->counts.n < MOST_NOTES) {
        struct str key = str_copy(notes->arena, str_c(text));
        e = key.ptr ? map_put(&notes->counts, key, NULL) : NULL;
    }
    if (e)
        e->value.i++;
}

void studio_notes_write(const struct studio_notes *notes, struct json_out *out)
{
    size_t at = 0;
    json_begin_object(out);
    for (struct map_entry *e; (e = map_each(&notes->counts, &at)) != NULL;)
        json_kv_int(out, e->key.ptr, e->value.i);
    json_end_object(out);
}

/* ---- reading ---- */

struct config {
    struct labels labels;
    struct show shows[LABELS_MOST_SHOWS];
    struct field fields[LABELS_MOST_FIELDS];
    struct arena *arena;
    struct studio_notes *notes;
    struct why *why;
};

static bool is(const struct xml_node *node, const char *name)
{
    return str_eq_c(node->name, name);
}

static bool truthy(struct str value)
{
    return str_eq_c(value, "true") || str_eq_c(value, "True") || str_eq_c(value, "1");
}

/* What is shown: its value is "$member". */
static enum err add_show(struct config *c, const struct xml_node *node, const char *kind)
{
    struct str value = xml_get(node, "value"), name = xml_get(node, "name");
    if (!value.len)
        value = xml_get(node, "valueList");
    if (!name.len)
        return ERR_OK; /* a decoration */
    if (c->labels.n_shows == LABELS_MOST_SHOWS)
        return err_set(c->why, ERR_INVALID, "the configuration shows more than %d members",
                       LABELS_MOST_SHOWS);
    if (value.len < 2 || value.ptr[0] != '$') {
        studio_note(c->notes, "a fixed text in <%.*s>", STR_FMT(str_slice(node->name, 0, 40)));
        return ERR_OK;
    }
    c->shows[c->labels.n_shows++] =
        (struct show){.name = name, .path = str_from(value, 1), .kind = str_c(kind)};
    return ERR_OK;
}

static size_t count_labels(const struct xml_node *node, const char *tag)
{
    size_t n = 0;
    for (const struct xml_node *at = node->first; at; at = at->next)
        n += is(at, tag) + count_labels(at, tag);
    return n;
}

/* The value that results carry: the alias when there is one. */
static struct str label_name(const struct xml_node *node)
{
    struct str alias = xml_get(node, "alias");
    return alias.len ? alias : xml_get(node, "value");
}

static enum err take_labels(struct config *c, const struct xml_node *node, const char *tag,
                            int parent, struct field *f)
{
    enum err err = ERR_OK;
    int depth = parent < 0 ? 0 : f->labels[parent].depth + 1;
    for (const struct xml_node *at = node->first; !err && at; at = at->next) {
        struct str name = label_name(at), value = xml_get(at, "value");
        if (!is(at, tag)) { /* a view in between */
            err = take_labels(c, at, tag, parent, f);
            continue;
        }
        if (!name.len || name.len > LABELS_MOST_NAME || depth >= LABELS_DEPTH ||
            f->n_labels >= LABELS_MOST)
            return err_set(c->why, ERR_INVALID,
                           "a label of \"%.*s\" has no name, or too much of it",
                           STR_FMT(str_slice(f->name, 0, 60)));
        struct str color = xml_get(at, "background"), key = xml_get(at, "hotkey");
        struct label *l = &f->labels[f->n_labels];
        *l = (struct label){.value = name,
                            .name = name,
                            .title = str_eq(name, value) ? STR("") : value,
                            .color = color.len == 7 && color.ptr[0] == '#' ? color : STR(""),
                            .key = key.len == 1 ? key : STR(""),
                            .parent = parent,
                            .depth = depth};
        if (parent >= 0)
            l->value =
                str_printf(c->arena, "%.*s/%.*s", STR_FMT(f->labels[parent].value), STR_FMT(name));
        if (!l->value.ptr)
            return err_set(c->why, ERR_NO_MEMORY, "could not hold the labels");
        if (field_label(f, l->value) >= 0) {
            studio_note(c->notes, "a label that stands twice");
            continue;
        }
        err = take_labels(c, at, tag, (int)f->n_labels++, f);
    }
    return err;
}

struct control {
    const char *tag, *label; /* label: tag of its labels, or NULL */
    enum field_kind kind;
};
static const struct control controls[] = {
    {"Choices", "Choice", FIELD_CHOICES},
    {"Taxonomy", "Choice", FIELD_CHOICES},
    {"Labels", "Label", FIELD_SPANS},
    {"HyperTextLabels", "Label", FIELD_SPANS},
    {"RectangleLabels", "Label", FIELD_BOXES},
    {"TextArea", NULL, FIELD_TEXT},
    {"Rating", NULL, FIELD_RATING},
    {"Number", NULL, FIELD_NUMBER},
    {"Pairwise", NULL, FIELD_PREFERENCE},
    {"Ranker", NULL, FIELD_RANKING},
};

static bool is_multiple(const struct xml_node *node)
{
    struct str choice = xml_get(node, "choice");
    return str_eq_c(choice, "multiple") ||
           (is(node, "Taxonomy") && !str_eq_c(xml_get(node, "maxUsages"), "1"));
}

static enum err add_control(struct config *c, const struct xml_node *node,
                            const struct control *control)
{
    struct str to = xml_get(node, "toName");
    size_t comma = str_find_char(to, ',');
    if (truthy(xml_get(node, "perRegion"))) {
        studio_note(c->notes, "<%s perRegion>", control->tag);
        return ERR_OK;
    }
    if (c->labels.n_fields == LABELS_MOST_FIELDS)
        return err_set(c->why, ERR_INVALID, "the configuration has more than %d controls",
                       LABELS_MOST_FIELDS);
    struct field *f = &c->fields[c->labels.n_fields];
    int64_t most = 5;
    if (xml_get(node, "maxRating").len && !str_to_i64(xml_get(node, "maxRating"), &most))
        most = 5;
    *f = (struct field){.name = xml_get(node, "name"),
                        .title = xml_get(node, "title"),
                        .to = comma == STR_NPOS ? to : STR(""),
                        .kind = control->kind,
                        .required = truthy(xml_get(node, "required")),
                        .multiple = is_multiple(node),
                        .compare = control->kind != FIELD_TEXT,
                        .max = most};
    if (!f->name.len || f->name.len > LABELS_MOST_NAME)
        return err_set(c->why, ERR_INVALID, "a <%s> has no name, or one that is too long",
                       control->tag);
    if (control->label) {
        size_t n = count_labels(node, control->label);
        if (n == 0) {
            studio_note(c->notes, "<%s> with labels from the data", control->tag);
            return ERR_OK;
        }
        f->labels = arena_array(c->arena, struct label, n + 1);
        if (!f->labels)
            return err_set(c->why, ERR_NO_MEMORY, "could not hold the labels");
        enum err err = take_labels(c, node, control->label, -1, f);
        if (err)
            return err;
    }
    c->labels.n_fields++;
    return ERR_OK;
}

static const char *show_kind(const struct xml_node *node)
{
    static const char *const kinds[][2] = {{"Text", "text"},   {"HyperText", "text"},
                                           {"Image", "image"}, {"Paragraphs", "chat"},
                                           {"Chat", "chat"},   {"List", "list"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (is(node, kinds[i][0]))
            return kinds[i][1];
    return NULL;
}

/* Tags that hold others or only decorate. */
static bool passes(const struct xml_node *node)
{
    static const char *const names[] = {"View",   "Header", "Style",    "Collapse",
                                        "Panel",  "Filter", "Shortcut", "Markdown",
                                        "Choice", "Label",  "Repeater", "Rectangle"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is(node, names[i]))
            return true;
    return false;
}

static enum err walk(struct config *c, const struct xml_node *node)
{
    enum err err = ERR_OK;
    const char *kind = show_kind(node);
    const struct control *control = NULL;
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
        if (is(node, controls[i].tag))
            control = &controls[i];
    if (kind)
        return add_show(c, node, strcmp(kind, "list") == 0 ? "text" : kind);
    if (control)
        return add_control(c, node, control);
    if (!passes(node))
        studio_note(c->notes, "<%.*s>", STR_FMT(str_slice(node->name, 0, 60)));
    for (const struct xml_node *at = node->first; !err && at; at = at->next)
        err = walk(c, at);
    return err;
}

/* Labels without a text under them are for the rectangles of an image. */
static void settle_kinds(struct config *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->labels.n_fields; i++) {
        struct field *f = &c->fields[i];
        const struct show *show = labels_show(&c->labels, f->to);
        if (f->kind == FIELD_SPANS && show && str_eq_c(show->kind, "image"))
            f->kind = FIELD_BOXES;
        if (!show)
            f->to = STR("");
        bool spans = f->kind == FIELD_SPANS || f->kind == FIELD_BOXES;
        if (spans && (!show || (f->kind == FIELD_SPANS && !str_eq_c(show->kind, "text")))) {
            studio_note(c->notes, "labels of something that is no text and no image");
            continue;
        }
        c->fields[kept++] = *f;
    }
    c->labels.n_fields = kept;
}

enum err studio_config_read(struct str xml, struct arena *arena, struct labels *out,
                            struct studio_notes *notes, struct why *why)
{
    struct xml_node *root = NULL;
    struct config *c = arena_one(arena, struct config);
    if (!c)
        return err_set(why, ERR_NO_MEMORY, "could not read the configuration");
    c->arena = arena;
    c->notes = notes;
    c->why = why;
    c->labels.shows = c->shows;
    c->labels.fields = c->fields;
    enum err err = xml_read(xml, arena, &root, why);
    if (!err)
        err = walk(c, root);
    if (err)
        return err;
    settle_kinds(c);
    err = labels_finish(&c->labels, arena, why);
    if (err)
        err_prefix(why, "the labelling configuration");
    else
        *out = c->labels;
    return err;
}

/* ---- writing ---- */

static void put_attr(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, " %s=\"", name);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '&')
            buf_add_c(out, "&amp;");
        else if (c == '<')
            buf_add_c(out, "&lt;");
        else if (c == '>')
            buf_add_c(out, "&gt;");
        else if (c == '"')
            buf_add_c(out, "&quot;");
        else
            buf_char(out, c);
    }
    buf_char(out, '"');
}

static size_t put_labels(const struct field *f, const char *tag, size_t i, int depth,
                         struct buf *out)
{
    while (i < f->n_labels && f->labels[i].depth == depth) {
        const struct label *l = &f->labels[i];
        buf_printf(out, "%*s<%s", 4 + 2 * depth, "", tag);
        put_attr(out, "value", l->title.len ? l->title : l->name);
        if (l->title.len)
            put_attr(out, "alias", l->name);
        put_attr(out, "background", l->color);
        if (l->key.len)
            put_attr(out, "hotkey", l->key);
        i++;
        if (i < f->n_labels && f->labels[i].depth == depth + 1) {
            buf_add_c(out, ">\n");
            i = put_labels(f, tag, i, depth + 1, out);
            buf_printf(out, "%*s</%s>\n", 4 + 2 * depth, "", tag);
        } else {
            buf_add_c(out, "/>\n");
        }
    }
    return i;
}

static bool nested(const struct field *f)
{
    for (size_t i = 0; i < f->n_labels; i++)
        if (f->labels[i].depth > 0)
            return true;
    return false;
}

static const char *tag_of(const struct field *f)
{
    static const char *const tags[] = {
        [FIELD_CHOICES] = "Choices",       [FIELD_SPANS] = "Labels",
        [FIELD_BOXES] = "RectangleLabels", [FIELD_TEXT] = "TextArea",
        [FIELD_RATING] = "Rating",         [FIELD_NUMBER] = "Number",
        [FIELD_PREFERENCE] = "Pairwise",   [FIELD_RANKING] = "Ranker"};
    return f->kind == FIELD_CHOICES && nested(f) ? "Taxonomy" : tags[f->kind];
}

static void put_field(const struct labels *labels, const struct field *f, struct buf *out)
{
    const char *tag = tag_of(f);
    buf_printf(out, "  <%s", tag);
    put_attr(out, "name", f->name);
    if (f->kind == FIELD_PREFERENCE && labels->n_shows >= 2) {
        const struct show *last = &labels->shows[labels->n_shows - 1];
        buf_printf(out, " toName=\"%.*s,%.*s\"", STR_FMT(last[-1].name), STR_FMT(last->name));
    } else {
        put_attr(out, "toName", f->to.len ? f->to : labels->shows[0].name);
    }
    if (f->kind == FIELD_CHOICES)
        put_attr(out, "choice", f->multiple ? STR("multiple") : STR("single"));
    if (f->kind == FIELD_RATING)
        buf_printf(out, " maxRating=\"%lld\"", (long long)f->max);
    if (f->required)
        put_attr(out, "required", STR("true"));
    if (f->n_labels == 0) {
        buf_add_c(out, "/>\n");
        return;
    }
    buf_add_c(out, ">\n");
    (void)put_labels(f, f->kind == FIELD_CHOICES ? "Choice" : "Label", 0, 0, out);
    buf_printf(out, "  </%s>\n", tag);
}

void studio_config_write(const struct labels *labels, struct buf *out)
{
    buf_add_c(out, "<View>\n");
    for (size_t i = 0; i < labels->n_shows; i++) {
        const struct show *s = &labels->shows[i];
        const char *tag = str_eq_c(s->kind, "image")  ? "Image"
                          : str_eq_c(s->kind, "chat") ? "Paragraphs"
                                                      : "Text";
        /* "row.review" is the member "review" of an exported task. */
        struct str member = str_starts(s->path, STR("row.")) ? str_from(s->path, 4) : s->path;
        buf_printf(out, "  <%s", tag);
        put_attr(out, "name", s->name);
        put_attr(out, "value", str_printf(out->arena, "$%.*s", STR_FMT(member)));
        buf_add_c(out, "/>\n");
    }
    for (size_t i = 0; i < labels->n_fields; i++)
        put_field(labels, &labels->fields[i], out);
    buf_add_c(out, "</View>\n");
}
