#include "annotate/xml.h"

#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"

struct xml {
    struct str text;
    size_t at, n_nodes;
    struct arena *arena;
    struct why *why;
};

static enum err broken(const struct xml *x, const char *what)
{
    return err_set(x->why, ERR_INVALID, "the XML is broken at byte %zu: %s", x->at, what);
}

static bool has(const struct xml *x, const char *word)
{
    size_t len = strlen(word);
    return x->text.len - x->at >= len && memcmp(x->text.ptr + x->at, word, len) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct xml *x)
{
    while (x->at < x->text.len && is_space(x->text.ptr[x->at]))
        x->at++;
}

static bool name_char(unsigned char c)
{
    return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == ':';
}

static struct str read_name(struct xml *x)
{
    size_t start = x->at;
    while (x->at < x->text.len && name_char((unsigned char)x->text.ptr[x->at]))
        x->at++;
    return str_slice(x->text, start, x->at);
}

/* Behind the end mark of a comment or an instruction. */
static bool skip_to(struct xml *x, const char *end)
{
    size_t found = str_find_from(x->text, str_c(end), x->at);
    x->at = found == STR_NPOS ? x->text.len : found + strlen(end);
    return found != STR_NPOS;
}

/* ---- values ---- */

/* "#x4e2d" or "#20013". */
static bool number_entity(struct str name, uint32_t *out)
{
    bool hex = name.len > 1 && (name.ptr[1] == 'x' || name.ptr[1] == 'X');
    uint32_t value = 0;
    size_t i = hex ? 2 : 1;
    if (i >= name.len || name.len > 10)
        return false;
    for (; i < name.len; i++) {
        char c = name.ptr[i];
        uint32_t digit = c >= '0' && c <= '9'          ? (uint32_t)(c - '0')
                         : hex && c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : hex && c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                       : 99;
        if (digit == 99)
            return false;
        value = value * (hex ? 16 : 10) + digit;
        if (value > 0x10FFFF)
            return false;
    }
    *out = value;
    return value >= ' ' || value == '\t' || value == '\n' || value == '\r';
}

static bool put_entity(struct buf *buf, struct str name)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    char utf8[UTF8_MAX_BYTES];
    uint32_t value = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (str_eq_c(name, known[i].name)) {
            buf_char(buf, known[i].c);
            return true;
        }
    if (!name.len || name.ptr[0] != '#' || !number_entity(name, &value))
        return false;
    buf_add(buf, (struct str){utf8, utf8_put(utf8, value)});
    return true;
}

static enum err read_value(struct xml *x, struct str *out)
{
    char quote = x->at < x->text.len ? x->text.ptr[x->at] : '\0';
    struct buf buf;
    if (quote != '"' && quote != '\'')
        return broken(x, "a value stands in quotes");
    size_t end = ++x->at;
    while (end < x->text.len && x->text.ptr[end] != quote && x->text.ptr[end] != '<')
        end++;
    if (end >= x->text.len || x->text.ptr[end] != quote)
        return broken(x, "a value does not end");
    struct str raw = str_slice(x->text, x->at, end);
    if (str_find_char(raw, '&') == STR_NPOS) {
        x->at = end + 1;
        *out = raw;
        return ERR_OK;
    }
    buf_init(&buf, x->arena);
    for (; x->at < end; x->at++) {
        if (x->text.ptr[x->at] != '&') {
            buf_char(&buf, x->text.ptr[x->at]);
            continue;
        }
        size_t semi = str_find_from(str_slice(x->text, 0, end), STR(";"), x->at);
        if (semi == STR_NPOS || !put_entity(&buf, str_slice(x->text, x->at + 1, semi)))
            return broken(x, "an entity that is not known");
        x->at = semi;
    }
    x->at = end + 1;
    *out = buf_str(&buf);
    return buf_err(&buf, x->why);
}

static enum err read_attrs(struct xml *x, struct xml_node *node)
{
    struct xml_attr attrs[XML_MOST_ATTRS];
    enum err err = ERR_OK;
    for (skip_space(x); !err && x->at < x->text.len; skip_space(x)) {
        if (x->text.ptr[x->at] == '>' || x->text.ptr[x->at] == '/')
            break;
        if (node->n_attrs == XML_MOST_ATTRS)
            return err_set(x->why, ERR_TOO_LARGE, "an element has more than %d attributes",
                           XML_MOST_ATTRS);
        struct xml_attr *a = &attrs[node->n_attrs];
        a->name = read_name(x);
        if (!a->name.len)
            return broken(x, "an attribute has no name");
        skip_space(x);
        if (!has(x, "="))
            return broken(x, "an attribute has no value");
        x->at++;
        skip_space(x);
        err = read_value(x, &a->value);
        node->n_attrs += !err;
    }
    if (err || node->n_attrs == 0)
        return err;
    node->attrs = arena_array(x->arena, struct xml_attr, node->n_attrs);
    if (!node->attrs)
        return err_set(x->why, ERR_NO_MEMORY, "could not hold the XML");
    memcpy(node->attrs, attrs, node->n_attrs * sizeof *attrs);
    return ERR_OK;
}

/* ---- elements ---- */

/* What is neither a tag nor text: comments, instructions, CDATA. A document type is refused. */
static enum err skip_other(struct xml *x, bool *skipped)
{
    *skipped = true;
    if (has(x, "<!--"))
        return skip_to(x, "-->") ? ERR_OK : broken(x, "a comment does not end");
    if (has(x, "<?"))
        return skip_to(x, "?>") ? ERR_OK : broken(x, "an instruction does not end");
    if (has(x, "<![CDATA["))
        return skip_to(x, "]]>") ? ERR_OK : broken(x, "a CDATA section does not end");
    if (has(x, "<!"))
        return broken(x, "a document type is not allowed");
    *skipped = false;
    return ERR_OK;
}

static enum err open_tag(struct xml *x, struct xml_node **out, bool *closed)
{
    struct xml_node *node = arena_one(x->arena, struct xml_node);
    if (!node || ++x->n_nodes > XML_MOST_NODES)
        return err_set(x->why, node ? ERR_TOO_LARGE : ERR_NO_MEMORY,
                       "the XML has more than %d elements", XML_MOST_NODES);
    x->at++;
    node->name = read_name(x);
    if (!node->name.len)
        return broken(x, "an element has no name");
    enum err err = read_attrs(x, node);
    if (err)
        return err;
    *closed = has(x, "/>");
    if (!*closed && !has(x, ">"))
        return broken(x, "a tag does not end");
    x->at += *closed ? 2 : 1;
    *out = node;
    return ERR_OK;
}

static enum err close_tag(struct xml *x, const struct xml_node *node)
{
    x->at += 2;
    if (!str_eq(read_name(x), node->name))
        return broken(x, "an end tag does not fit");
    skip_space(x);
    if (!has(x, ">"))
        return broken(x, "an end tag does not end");
    x->at++;
    return ERR_OK;
}

static enum err read_nodes(struct xml *x, struct xml_node **root)
{
    struct xml_node *stack[XML_DEPTH];
    size_t depth = 0;
    enum err err = ERR_OK;
    while (!err && x->at < x->text.len && (depth > 0 || !*root)) {
        bool skipped = false, closed = false;
        if (x->text.ptr[x->at] != '<') {
            if (depth == 0 && !is_space(x->text.ptr[x->at]))
                return broken(x, "text before the first element");
            x->at++;
            continue;
        }
        err = skip_other(x, &skipped);
        if (err || skipped)
            continue;
        if (has(x, "</")) {
            err = depth ? close_tag(x, stack[depth - 1]) : broken(x, "an end tag without begin");
            depth -= depth > 0;
            continue;
        }
        struct xml_node *node = NULL;
        err = open_tag(x, &node, &closed);
        if (err)
            continue;
        struct xml_node *parent = depth ? stack[depth - 1] : NULL;
        if (!parent)
            *root = node;
        else if (parent->last)
            parent->last = parent->last->next = node;
        else
            parent->first = parent->last = node;
        if (closed)
            continue;
        if (depth == XML_DEPTH)
            return err_set(x->why, ERR_TOO_LARGE, "the XML is more than %d deep", XML_DEPTH);
        stack[depth++] = node;
    }
    return err || depth == 0 ? err : broken(x, "an element does not end");
}

enum err xml_read(struct str text, struct arena *arena, struct xml_node **out, struct why *why)
{
    struct xml x = {text, 0, 0, arena, why};
    struct xml_node *root = NULL;
    if (text.len > XML_MOST_BYTES)
        return err_set(why, ERR_TOO_LARGE, "the XML has more than %zu bytes", XML_MOST_BYTES);
    if (utf8_invalid(text) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the XML is not UTF-8");
    for (x.at = 0; x.at < text.len; x.at++) /* XML 1.0 knows no other control characters */
        if ((unsigned char)text.ptr[x.at] < ' ' && !is_space(text.ptr[x.at]))
            return broken(&x, "a control character");
    x.at = str_starts(text, STR("\xEF\xBB\xBF")) ? 3 : 0;
    enum err err = read_nodes(&x, &root);
    if (!err && !root)
        err = broken(&x, "there is no element");
    if (!err)
        *out = root;
    return err;
}

struct str xml_get(const struct xml_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (str_eq_c(node->attrs[i].name, name))
            return node->attrs[i].value;
    return STR("");
}
