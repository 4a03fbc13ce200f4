#include "data/yaml.h"

#include <string.h>
#include <yaml.h>

#include "core/json.h"
#include "core/utf8.h"

#define DEPTH 32

struct level {
    bool object, want_key;
};

struct walk {
    struct buf *out;
    struct level levels[DEPTH];
    int depth;
    bool any, first[DEPTH];
};

static bool is_number(struct str s)
{
    size_t i = s.len && (s.ptr[0] == '-'), digits = 0, dots = 0;
    if (i < s.len && s.ptr[i] == '0' && i + 1 < s.len && s.ptr[i + 1] != '.')
        return false; /* 007 stays a text */
    for (; i < s.len; i++) {
        digits += s.ptr[i] >= '0' && s.ptr[i] <= '9';
        dots += s.ptr[i] == '.';
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] == '.' && digits)))
            return false;
    }
    return digits && digits < 16 && dots <= 1 && s.ptr[s.len - 1] != '.';
}

/* ',' and ':' as the place asks for. */
static void before(struct walk *w)
{
    if (!w->depth)
        return;
    struct level *l = &w->levels[w->depth - 1];
    if (l->object && !l->want_key) {
        buf_char(w->out, ':');
    } else {
        if (!w->first[w->depth - 1])
            buf_char(w->out, ',');
        w->first[w->depth - 1] = false;
    }
    if (l->object)
        l->want_key = !l->want_key;
}

static void scalar(struct walk *w, const yaml_event_t *event)
{
    struct str s = {(const char *)event->data.scalar.value, event->data.scalar.length};
    bool key = w->depth && w->levels[w->depth - 1].object && w->levels[w->depth - 1].want_key;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !key;
    before(w);
    if (plain && (s.len == 0 || str_eq_c(s, "~") || str_eq_c(s, "null")))
        buf_add_c(w->out, "null");
    else if (plain && (str_eq_c(s, "true") || str_eq_c(s, "false") || is_number(s)))
        buf_add(w->out, s);
    else
        json_quote(w->out, s);
}

static enum err wrong(const yaml_mark_t *mark, const char *words, struct why *why)
{
    return err_set(why, ERR_INVALID, "line %zu, column %zu of the YAML text: %s", mark->line + 1,
                   mark->column + 1, words);
}

static enum err open_level(struct walk *w, const yaml_event_t *event, bool object, struct why *why)
{
    if (w->depth && w->levels[w->depth - 1].object && w->levels[w->depth - 1].want_key)
        return wrong(&event->start_mark, "a key must be a text", why);
    if (w->depth == DEPTH)
        return wrong(&event->start_mark, "nested too deep", why);
    before(w);
    buf_char(w->out, object ? '{' : '[');
    w->first[w->depth] = true;
    w->levels[w->depth++] = (struct level){object, true};
    return ERR_OK;
}

static void close_level(struct walk *w, char bracket)
{
    buf_char(w->out, bracket);
    w->depth--;
}

static bool has_extras(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    default:
        return e->type == YAML_ALIAS_EVENT;
    }
}

static enum err one_event(struct walk *w, const yaml_event_t *event, struct why *why)
{
    if (has_extras(event))
        return wrong(&event->start_mark, "anchors, aliases and tags are not read", why);
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (w->any)
            return wrong(&event->start_mark, "a second document begins", why);
        w->any = true;
        return ERR_OK;
    case YAML_SCALAR_EVENT:
        scalar(w, event);
        return ERR_OK;
    case YAML_SEQUENCE_START_EVENT:
        return open_level(w, event, false, why);
    case YAML_MAPPING_START_EVENT:
        return open_level(w, event, true, why);
    case YAML_SEQUENCE_END_EVENT:
        close_level(w, ']');
        return ERR_OK;
    case YAML_MAPPING_END_EVENT:
        close_level(w, '}');
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

static enum err all_events(yaml_parser_t *parser, struct walk *w, struct why *why)
{
    for (bool end = false; !end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return wrong(&parser->problem_mark, parser->problem ? parser->problem : "no YAML", why);
        end = event.type == YAML_STREAM_END_EVENT;
        enum err err = one_event(w, &event, why);
        yaml_event_delete(&event);
        if (err)
            return err;
    }
    return w->any ? buf_err(w->out, why) : err_set(why, ERR_INVALID, "the YAML text is empty");
}

enum err yaml_to_json(struct str text, struct buf *out, struct why *why)
{
    struct walk w = {.out = out};
    yaml_parser_t parser;
    if (text.len > YAML_MOST)
        return err_set(why, ERR_TOO_LARGE, "a YAML text of %zu bytes; at most %zu", text.len,
                       YAML_MOST);
    if (utf8_invalid(text) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the YAML text is not UTF-8");
    if (!yaml_parser_initialize(&parser))
        return err_set(why, ERR_NO_MEMORY, "could not read the YAML text");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    enum err err = all_events(&parser, &w, why);
    yaml_parser_delete(&parser);
    return err;
}
