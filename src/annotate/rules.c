/*
 * Pre-labels by terms and patterns; the only file that sees regex.h. Patterns are POSIX extended
 * expressions over UTF-8. Back references are refused and repetitions bounded: with them matching
 * can take exponential time or memory.
 */
#include <locale.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "annotate/room.h"
#include "core/utf8.h"

#define MOST_RULES   5000
#define MOST_PATTERN 500
#define MOST_REPEAT  100

struct one_rule {
    struct str term;
    regex_t regex;
    bool compiled;
    int label;
};

struct rules {
    const struct field *field;
    struct one_rule *items;
    size_t n;
    locale_t utf8;
};

static enum err check_pattern(struct str p, struct why *why)
{
    if (!p.len || p.len > MOST_PATTERN || memchr(p.ptr, '\0', p.len))
        return err_set(why, ERR_INVALID, "a pattern has 1 to %d bytes", MOST_PATTERN);
    for (size_t i = 0; i + 1 < p.len; i++) {
        if (p.ptr[i] == '\\' && p.ptr[i + 1] >= '1' && p.ptr[i + 1] <= '9')
            return err_set(why, ERR_INVALID, "pattern \"%.*s\" refers back, which is not taken",
                           STR_FMT(p));
        long n = p.ptr[i] == '{' ? strtol(p.ptr + i + 1, NULL, 10) : 0;
        size_t comma = p.ptr[i] == '{' ? str_find_from(p, STR(","), i) : STR_NPOS;
        if (comma != STR_NPOS)
            n = labs(n) + labs(strtol(p.ptr + comma + 1, NULL, 10));
        if (labs(n) > MOST_REPEAT)
            return err_set(why, ERR_INVALID, "pattern \"%.*s\" repeats more than %d times",
                           STR_FMT(p), MOST_REPEAT);
    }
    return ERR_OK;
}

/* Compiling and matching read the thread's locale: that of UTF-8 while it works. */
static enum err compile(struct rules *rules, struct one_rule *r, struct arena *arena,
                        struct why *why)
{
    char words[128];
    char *z = str_z(arena, r->term);
    if (!z)
        return err_set(why, ERR_NO_MEMORY, "could not hold the patterns");
    enum err err = check_pattern((struct str){z, r->term.len}, why);
    if (err)
        return err;
    locale_t before = uselocale(rules->utf8);
    int code = regcomp(&r->regex, z, REG_EXTENDED);
    (void)uselocale(before);
    r->compiled = code == 0;
    if (code == 0)
        return ERR_OK;
    (void)regerror(code, &r->regex, words, sizeof words);
    return err_set(why, ERR_INVALID, "pattern \"%.*s\": %s", STR_FMT(r->term), words);
}

enum err rules_new(const struct rule *given, size_t n, bool patterns, const struct field *field,
                   struct arena *arena, struct rules **out, struct why *why)
{
    struct rules *rules = arena_one(arena, struct rules);
    enum err err = ERR_OK;
    if (n < 1 || n > MOST_RULES)
        return err_set(why, ERR_INVALID, "there are 1 to %d terms or patterns", MOST_RULES);
    if (rules)
        *rules = (struct rules){.field = field, .items = arena_array(arena, struct one_rule, n)};
    if (!rules || !rules->items)
        return err_set(why, ERR_NO_MEMORY, "could not hold the rules");
    rules->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!rules->utf8)
        return err_set(why, ERR_UNAVAILABLE, "the system has no locale C.UTF-8");
    for (size_t i = 0; !err && i < n; i++) {
        struct one_rule *r = &rules->items[rules->n++];
        r->term = given[i].text;
        r->label = field_label_loose(field, given[i].label);
        if (!r->term.len || r->label < 0)
            err = err_set(why, ERR_INVALID, "rule %zu has no text, or a label that there is not",
                          i + 1);
        else if (patterns)
            err = compile(rules, r, arena, why);
    }
    if (err)
        rules_free(rules);
    else
        *out = rules;
    return err;
}

void rules_free(struct rules *rules)
{
    if (!rules)
        return;
    for (size_t i = 0; i < rules->n; i++)
        if (rules->items[i].compiled)
            regfree(&rules->items[i].regex);
    freelocale(rules->utf8);
}

/* The next place where a rule fits, from a byte on. */
static bool next_match(const struct one_rule *r, const char *text, size_t len, size_t from,
                       size_t *start, size_t *end)
{
    if (!r->compiled) {
        size_t at = str_find_from((struct str){text, len}, r->term, from);
        *start = at;
        *end = at == STR_NPOS ? at : at + r->term.len;
        return at != STR_NPOS;
    }
    regmatch_t m;
    if (from > len || regexec(&r->regex, text + from, 1, &m, from ? REG_NOTBOL : 0) != 0)
        return false;
    *start = from + (size_t)m.rm_so;
    *end = from + (size_t)m.rm_eo;
    return true;
}

static size_t find_all(const struct one_rule *r, const char *text, size_t len,
                       struct agree_span *spans, size_t n, size_t most)
{
    size_t start, end;
    for (size_t at = 0; n < most && at < len && next_match(r, text, len, at, &start, &end);) {
        at = end > at ? end : at + 1;
        bool taken = end == start;
        for (size_t i = 0; i < n; i++) /* the first rule that fits keeps its place */
            taken = taken || (spans[i].start < end && start < spans[i].end);
        if (!taken)
            spans[n++] = (struct agree_span){start, end, (uint32_t)r->label};
    }
    return n;
}

static void put_spans(const struct rules *rules, struct str text, const struct agree_span *spans,
                      size_t n, struct json_out *out)
{
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(out);
        json_kv_int(out, "start", (int64_t)utf8_count(str_slice(text, 0, spans[i].start)));
        json_kv_int(out, "end", (int64_t)utf8_count(str_slice(text, 0, spans[i].end)));
        json_kv_str(out, "label", rules->field->labels[spans[i].code].value);
        json_end_object(out);
    }
    json_end_array(out);
}

/* Each label that some rule finds, once; a field with one label takes the first. */
static size_t put_labels(const struct rules *rules, const char *text, size_t len,
                         struct json_out *out)
{
    size_t n = 0, start, end;
    bool *seen = calloc(rules->field->n_labels, sizeof *seen);
    json_begin_array(out);
    for (size_t i = 0; seen && i < rules->n && (n == 0 || rules->field->multiple); i++) {
        const struct one_rule *r = &rules->items[i];
        if (seen[r->label] || !next_match(r, text, len, 0, &start, &end))
            continue;
        seen[r->label] = true;
        json_put_str(out, rules->field->labels[r->label].value);
        n++;
    }
    json_end_array(out);
    free(seen);
    return n;
}

enum err rules_apply(struct rules *rules, struct str text, struct arena *arena, struct str *out,
                     struct why *why)
{
    struct agree_span spans[ANSWER_MOST_SPANS];
    struct buf buf;
    struct json_out json;
    size_t n = 0;
    char *z = str_z(arena, text);
    if (!z)
        return err_set(why, ERR_NO_MEMORY, "could not hold the text");
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    locale_t before = uselocale(rules->utf8);
    if (rules->field->kind == FIELD_SPANS) {
        for (size_t i = 0; i < rules->n; i++)
            n = find_all(&rules->items[i], z, text.len, spans, n, ANSWER_MOST_SPANS);
        put_spans(rules, text, spans, n, &json);
    } else {
        n = put_labels(rules, z, text.len, &json);
    }
    (void)uselocale(before);
    *out = n ? buf_str(&buf) : STR_NONE;
    return buf_err(&buf, why);
}
