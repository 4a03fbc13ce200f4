/* synth/passage - texts cut into what one can ask about. Pure. */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "synth/synth_in.h"

#define PIECE      600 /* characters of prose in a passage */
#define MOST_NAME  24  /* characters of a field's name */
#define MOST_LINES 200000

struct cutting {
    struct arena *arena;
    struct passage *items;
    size_t n, cap;
    struct str title;
};

static struct passage *grow(struct cutting *c, enum passage_kind kind)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 32, size = sizeof *c->items;
        c->items = arena_grow(c->arena, c->items, c->cap * size, cap * size);
        c->cap = cap;
    }
    if (!c->items)
        return NULL;
    c->items[c->n] = (struct passage){.kind = kind, .title = c->title};
    return &c->items[c->n++];
}

/* "第十二条" (also "第12条", "第十二条之一") at the beginning of a line; its bytes, or 0. */
static size_t article_len(struct str line)
{
    static const char digits[] = "零〇一二三四五六七八九十百千0123456789";
    struct str first = STR("第"), last = STR("条");
    if (!str_starts(line, first))
        return 0;
    size_t at = first.len, n = 0;
    while (at < line.len) {
        size_t next = at;
        (void)utf8_next(line, &next);
        struct str c = str_slice(line, at, next);
        if (str_eq(c, last))
            break;
        if (str_find(str_c(digits), c) == STR_NPOS || ++n > 8)
            return 0;
        at = next;
    }
    if (!n || at >= line.len)
        return 0;
    at += last.len;
    if (str_starts(str_from(line, at), STR("之"))) {
        size_t end = at + strlen("之"), next = end;
        if (end < line.len) {
            (void)utf8_next(line, &next);
            if (str_find(str_c(digits), str_slice(line, end, next)) != STR_NPOS)
                at = next;
        }
    }
    return at;
}

static struct str no_marks(struct str line)
{
    while (line.len && (line.ptr[0] == '#' || line.ptr[0] == '*' || line.ptr[0] == '>'))
        line = str_trim_space(str_from(line, 1));
    return line;
}

/* "name：value"; false when it is no field. */
static bool field_of(struct str line, struct passage_field *out)
{
    size_t colon = str_find(line, STR("："));
    size_t width = strlen("：");
    if (colon == STR_NPOS && (colon = str_find_char(line, ':')) != STR_NPOS)
        width = 1;
    if (colon == STR_NPOS || colon == 0)
        return false;
    out->name = str_trim_space(str_slice(line, 0, colon));
    out->value = str_trim_space(str_from(line, colon + width));
    return out->name.len && utf8_count(out->name) <= MOST_NAME && out->value.len &&
           str_find(out->name, STR("，")) == STR_NPOS && str_find(out->name, STR("。")) == STR_NPOS;
}

static bool is_question_head(struct str name)
{
    static const char *const heads[] = {"问", "问题", "Q", "q", "提问"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        if (str_starts(name, str_c(heads[i])) && utf8_count(name) <= 4)
            return true;
    return false;
}

static bool is_answer_head(struct str name)
{
    static const char *const heads[] = {"答", "回答", "A", "a", "答复", "解答"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        if (str_starts(name, str_c(heads[i])) && utf8_count(name) <= 4)
            return true;
    return false;
}

/* ---- the shapes of texts ---- */

struct shape {
    size_t n_lines, n_articles, n_fields, n_questions, n_answers;
};

static struct shape shape_of(struct str text)
{
    struct shape s = {0};
    struct str line;
    while (s.n_lines < MOST_LINES && str_next_line(&text, &line)) {
        struct passage_field f;
        line = no_marks(str_trim_space(line));
        if (!line.len)
            continue;
        s.n_lines++;
        s.n_articles += article_len(line) > 0;
        if (!field_of(line, &f))
            continue;
        s.n_questions += is_question_head(f.name);
        s.n_answers += is_answer_head(f.name);
        s.n_fields++;
    }
    return s;
}

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not cut a text into passages");
}

static void end_article(struct passage *p, const char *end)
{
    if (!p)
        return;
    p->text = str_trim_space((struct str){p->text.ptr, (size_t)(end - p->text.ptr)});
    p->body = str_trim_space(str_from(p->text, p->name.len));
}

/* A heading ends the article before it. */
static bool is_heading(struct str line)
{
    static const char *const marks[] = {"章", "节", "编", "篇"};
    struct str bare = no_marks(line);
    if (bare.ptr != line.ptr)
        return true;
    if (!str_starts(line, STR("第")) || utf8_count(line) > 40)
        return false;
    struct str head = utf8_prefix(line, 8);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (str_find(head, str_c(marks[i])) != STR_NPOS)
            return true;
    return false;
}

static enum err cut_articles(struct cutting *c, struct str text, struct why *why)
{
    struct passage *now = NULL;
    struct str rest = text, raw;
    while (str_next_line(&rest, &raw)) {
        struct str line = str_trim_space(raw);
        size_t name = article_len(line);
        if (!name && !(now && is_heading(line)))
            continue;
        end_article(now, raw.ptr);
        now = NULL;
        if (!name)
            continue;
        now = grow(c, PASSAGE_ARTICLE);
        if (!now)
            return no_memory(why);
        now->name = str_slice(line, 0, name);
        now->text = line; /* its end is set when the next begins */
    }
    end_article(now, text.ptr + text.len);
    return ERR_OK;
}

static enum err cut_faq(struct cutting *c, struct str text, struct why *why)
{
    struct str line, question = STR("");
    const char *begin = NULL;
    struct str rest = text;
    while (str_next_line(&rest, &line)) {
        struct passage_field f;
        line = no_marks(str_trim_space(line));
        if (!field_of(line, &f))
            continue;
        if (is_question_head(f.name)) {
            question = f.value;
            begin = line.ptr;
        } else if (is_answer_head(f.name) && question.len) {
            struct passage *p = grow(c, PASSAGE_FAQ);
            struct passage_field *fields = arena_array(c->arena, struct passage_field, 1);
            if (!p || !fields)
                return no_memory(why);
            fields[0] = (struct passage_field){question, f.value};
            p->fields = fields;
            p->n_fields = 1;
            p->text = (struct str){begin, (size_t)(line.ptr + line.len - begin)};
            p->body = f.value;
            question = STR("");
        }
    }
    return ERR_OK;
}

static enum err cut_guide(struct cutting *c, struct str text, size_t most, struct why *why)
{
    struct passage *p = grow(c, PASSAGE_GUIDE);
    struct str line, rest = text;
    if (!p || !(p->fields = arena_array(c->arena, struct passage_field, most + 1)))
        return no_memory(why);
    while (p->n_fields < most && str_next_line(&rest, &line)) {
        struct passage_field f;
        if (field_of(no_marks(str_trim_space(line)), &f))
            p->fields[p->n_fields++] = f;
    }
    p->text = p->body = str_trim_space(text);
    return ERR_OK;
}

bool passage_sentence(struct str *rest, struct str *sentence)
{
    static const char *const ends[] = {"。", "！", "？", "；", "\n"};
    struct str s = *rest;
    if (!s.len)
        return false;
    for (size_t at = 0; at < s.len;) {
        size_t next = at;
        (void)utf8_next(s, &next);
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
            if (str_eq_c(str_slice(s, at, next), ends[i])) {
                *sentence = str_trim_space(str_slice(s, 0, next));
                *rest = str_from(s, next);
                return true;
            }
        at = next;
    }
    *sentence = str_trim_space(s);
    *rest = STR("");
    return true;
}

static enum err cut_prose(struct cutting *c, struct str text, struct why *why)
{
    struct str rest = text, sentence;
    const char *begin = NULL;
    size_t n = 0;
    while (passage_sentence(&rest, &sentence)) {
        if (!sentence.len)
            continue;
        if (!begin)
            begin = sentence.ptr;
        n += utf8_count(sentence);
        if (n < PIECE && rest.len)
            continue;
        struct passage *p = grow(c, PASSAGE_PROSE);
        if (!p)
            return no_memory(why);
        p->text = p->body = (struct str){begin, (size_t)(sentence.ptr + sentence.len - begin)};
        begin = NULL;
        n = 0;
    }
    if (begin && n) {
        struct passage *p = grow(c, PASSAGE_PROSE);
        if (!p)
            return no_memory(why);
        p->text = p->body =
            str_trim_space((struct str){begin, (size_t)(text.ptr + text.len - begin)});
    }
    return ERR_OK;
}

enum err passages_cut(struct str title, struct str text, struct arena *arena, struct passage **out,
                      size_t *n, struct why *why)
{
    struct cutting c = {.arena = arena, .title = title};
    struct shape s = shape_of(text);
    enum err err;
    if (s.n_articles >= 2 || (s.n_articles && s.n_articles * 3 >= s.n_lines))
        err = cut_articles(&c, text, why);
    else if (s.n_questions && s.n_answers)
        err = cut_faq(&c, text, why);
    else if (s.n_fields >= 3 && s.n_fields * 2 >= s.n_lines)
        err = cut_guide(&c, text, s.n_fields, why);
    else
        err = cut_prose(&c, text, why);
    if (err)
        return err;
    *out = c.items;
    *n = c.n;
    return ERR_OK;
}
