#include "data/expr.h"

#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/field.h"

#define MOST_PARTS 200
#define MOST_DEPTH 32

enum kind { OR, AND, NOT, VALUE, COMPARE };
enum relation { EQUAL, UNLIKE, LESS, AT_MOST, MORE, AT_LEAST, CONTAINS, STARTS, ENDS };
enum source { LITERAL, PATH, LENGTH, EXISTS };

struct value {
    enum source source;
    struct str text; /* literal or path */
};

struct expr {
    enum kind kind;
    enum relation relation;
    const struct expr *left, *right;
    struct value a, b;
};

struct parse {
    struct str text;
    size_t at, parts;
    int depth;
    struct arena *arena;
    struct why *why;
    enum err err;
};

static enum err fail(struct parse *p, const char *expected)
{
    if (!p->err)
        p->err = err_set(p->why, ERR_INVALID, "at byte %zu of the condition %s is expected", p->at,
                         expected);
    return p->err;
}

static void skip(struct parse *p)
{
    while (p->at < p->text.len && strchr(" \t\n\r", p->text.ptr[p->at]))
        p->at++;
}

static bool is_name(char c)
{
    return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') ||
           ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '.' || c == '-';
}

/* A word that is not the beginning of a longer one. */
static bool take_word(struct parse *p, const char *word)
{
    size_t n = strlen(word);
    skip(p);
    if (!str_starts(str_from(p->text, p->at), (struct str){word, n}))
        return false;
    if (is_name(word[0]) && p->at + n < p->text.len && is_name(p->text.ptr[p->at + n]))
        return false;
    p->at += n;
    return true;
}

static struct expr *node(struct parse *p, enum kind kind)
{
    struct expr *e = p->err ? NULL : arena_one(p->arena, struct expr);
    if (!p->err && !e)
        p->err = err_set(p->why, ERR_NO_MEMORY, "could not hold the condition");
    if (e && p->parts++ == MOST_PARTS)
        p->err = err_set(p->why, ERR_INVALID, "the condition has more than %d parts", MOST_PARTS);
    if (e)
        e->kind = kind;
    return e;
}

static bool read_quoted(struct parse *p, struct value *out)
{
    char quote = p->text.ptr[p->at];
    size_t end = p->at + 1;
    while (end < p->text.len && p->text.ptr[end] != quote)
        end++;
    if (end == p->text.len) {
        (void)fail(p, "the end of a text in quotes");
        return false;
    }
    *out = (struct value){LITERAL, str_slice(p->text, p->at + 1, end)};
    p->at = end + 1;
    return true;
}

static struct str read_name(struct parse *p)
{
    size_t from = p->at;
    while (p->at < p->text.len && is_name(p->text.ptr[p->at]))
        p->at++;
    return str_slice(p->text, from, p->at);
}

static bool read_value(struct parse *p, struct value *out)
{
    double number;
    skip(p);
    if (p->err || p->at >= p->text.len)
        return !fail(p, "a value");
    if (p->text.ptr[p->at] == '\'' || p->text.ptr[p->at] == '"')
        return read_quoted(p, out);
    struct str name = read_name(p);
    if (!name.len)
        return !fail(p, "a value");
    bool literal = str_to_f64(name, &number) || str_eq_c(name, "true") || str_eq_c(name, "false");
    *out = (struct value){literal ? LITERAL : PATH, name};
    bool length = str_eq_c(name, "length"), exists = str_eq_c(name, "exists");
    if (!length && !exists)
        return true;
    if (!take_word(p, "("))
        return !fail(p, "(");
    skip(p);
    *out = (struct value){length ? LENGTH : EXISTS, read_name(p)};
    if (!out->text.len || !take_word(p, ")"))
        return !fail(p, "a path and )");
    return true;
}

static bool take_relation(struct parse *p, enum relation *out)
{
    static const struct {
        const char *word;
        enum relation relation;
    } all[] = {{"==", EQUAL},  {"!=", UNLIKE}, {"<=", AT_MOST},        {">=", AT_LEAST},
               {"<", LESS},    {">", MORE},    {"contains", CONTAINS}, {"starts", STARTS},
               {"ends", ENDS}, {"=", EQUAL}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (take_word(p, all[i].word)) {
            *out = all[i].relation;
            return true;
        }
    return false;
}

static const struct expr *read_or(struct parse *p);

static const struct expr *read_factor(struct parse *p)
{
    struct expr *e = NULL;
    if (p->depth++ == MOST_DEPTH)
        (void)fail(p, "less nesting");
    if (p->err) {
        p->depth--;
        return NULL;
    }
    if (take_word(p, "not")) {
        e = node(p, NOT);
        const struct expr *inner = read_factor(p);
        if (e)
            e->left = inner;
    } else if (take_word(p, "(")) {
        const struct expr *inner = read_or(p);
        if (!p->err && !take_word(p, ")"))
            (void)fail(p, ")");
        p->depth--;
        return inner;
    } else {
        e = node(p, VALUE);
        if (e && read_value(p, &e->a) && take_relation(p, &e->relation)) {
            e->kind = COMPARE;
            (void)read_value(p, &e->b);
        }
    }
    p->depth--;
    return e;
}

static const struct expr *read_and(struct parse *p)
{
    const struct expr *left = read_factor(p);
    while (!p->err && take_word(p, "and")) {
        struct expr *e = node(p, AND);
        const struct expr *right = read_factor(p);
        if (!e)
            return NULL;
        e->left = left;
        e->right = right;
        left = e;
    }
    return left;
}

static const struct expr *read_or(struct parse *p)
{
    const struct expr *left = read_and(p);
    while (!p->err && take_word(p, "or")) {
        struct expr *e = node(p, OR);
        const struct expr *right = read_and(p);
        if (!e)
            return NULL;
        e->left = left;
        e->right = right;
        left = e;
    }
    return left;
}

enum err expr_read(struct str text, struct arena *arena, const struct expr **out, struct why *why)
{
    struct parse p = {.text = text, .arena = arena, .why = why};
    const struct expr *e = read_or(&p);
    skip(&p);
    if (!p.err && p.at < text.len)
        (void)fail(&p, "and, or, or the end");
    if (!p.err)
        *out = e;
    return p.err;
}

/* ---- asking ---- */

static struct str value_of(const struct value *v, const struct record *record)
{
    struct str text;
    switch (v->source) {
    case LITERAL:
        return v->text;
    case EXISTS:
        text = field_raw(record, v->text);
        return text.len && !str_eq_c(text, "null") ? STR("true") : STR("false");
    case LENGTH:
        text = field_text(record, v->text);
        return text.ptr ? str_printf(record->arena, "%zu", utf8_count(text)) : STR_NONE;
    case PATH:
        break;
    }
    return field_text(record, v->text);
}

static bool compare(enum relation relation, struct str a, struct str b)
{
    double x, y;
    int order;
    if (!a.ptr || !b.ptr)
        return relation == UNLIKE && (a.ptr || b.ptr);
    if (relation == CONTAINS)
        return str_find(a, b) != STR_NPOS;
    if (relation == STARTS)
        return str_starts(a, b);
    if (relation == ENDS)
        return str_ends(a, b);
    if (str_to_f64(str_trim(a), &x) && str_to_f64(str_trim(b), &y))
        order = x < y ? -1 : x > y;
    else
        order = str_cmp(a, b);
    switch (relation) {
    case EQUAL:
        return order == 0;
    case UNLIKE:
        return order != 0;
    case LESS:
        return order < 0;
    case AT_MOST:
        return order <= 0;
    case MORE:
        return order > 0;
    default:
        return order >= 0;
    }
}

bool expr_holds(const struct expr *e, const struct record *record)
{
    struct str value;
    switch (e->kind) {
    case OR:
        return expr_holds(e->left, record) || expr_holds(e->right, record);
    case AND:
        return expr_holds(e->left, record) && expr_holds(e->right, record);
    case NOT:
        return !expr_holds(e->left, record);
    case COMPARE:
        return compare(e->relation, value_of(&e->a, record), value_of(&e->b, record));
    case VALUE:
        break;
    }
    value = value_of(&e->a, record);
    return value.len && !str_eq_c(value, "false") && !str_eq_c(value, "0");
}
