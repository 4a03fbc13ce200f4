/* http/words - the words of an error in the language of who reads them. */
#include "http/inside.h"

#include <string.h>

#define MOST_HOLES 6
#define MOST_DEEP  3 /* words within words */

static const struct {
    struct str said, zh;
    bool before; /* it stands before ": ", for context */
} lines[] = {
#define WORDS(said, zh)        {STR_INIT(said), STR_INIT(zh), false},
#define WORDS_BEFORE(said, zh) {STR_INIT(said), STR_INIT(zh), true},
#include "http/words_zh.def"
#undef WORDS
#undef WORDS_BEFORE
};

/* Whether `text` is `form` with something for every '*', which goes into holes. */
static bool fits(struct str text, struct str form, struct str holes[MOST_HOLES])
{
    struct str rest = form, part;
    size_t n = 0, at = 0;
    for (bool first = true; str_next(&rest, '*', &part); first = false) {
        size_t found = first                        ? (str_starts(text, part) ? 0 : STR_NPOS)
                       : !rest.ptr && part.len == 0 ? text.len
                                                    : str_find_from(text, part, at + 1);
        if (!first && !rest.ptr && part.len && str_ends(text, part))
            found = text.len - part.len; /* the last part ends the text */
        if (found == STR_NPOS || (!first && (found <= at || n == MOST_HOLES)))
            return false;
        if (!first)
            holes[n++] = str_slice(text, at, found);
        at = found + part.len;
    }
    return at == text.len;
}

static const char *exactly(struct str text)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (str_eq(lines[i].said, text))
            return lines[i].zh.ptr;
    return NULL;
}

static bool translate(struct str text, struct buf *out, int deep);

/* What stands for a '*': as it is in quotes, where it is somebody's; else a noun or a cause that
 * may have words of its own. */
static void fill_hole(struct buf *out, struct str hole, bool quoted, int deep)
{
    const char *noun = quoted ? NULL : exactly(hole);
    if (noun)
        buf_add_c(out, noun);
    else if (quoted || deep >= MOST_DEEP || !translate(hole, out, deep + 1))
        buf_add(out, hole);
}

static void fill(struct buf *out, struct str said, struct str zh, const struct str *holes, int deep)
{
    bool quoted[MOST_HOLES] = {false};
    for (size_t i = 0, n = 0; i < said.len; i++)
        if (said.ptr[i] == '*')
            quoted[n++] = i && said.ptr[i - 1] == '"';
    struct str rest = zh, part;
    for (size_t n = 0; str_next(&rest, '*', &part);) {
        buf_add(out, part);
        if (rest.ptr) {
            fill_hole(out, holes[n], quoted[n], deep);
            n++;
        }
    }
}

static bool translate_with(struct str text, bool before, struct buf *out, int deep)
{
    struct str holes[MOST_HOLES];
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (lines[i].before == before && fits(text, lines[i].said, holes)) {
            fill(out, lines[i].said, lines[i].zh, holes, deep);
            return true;
        }
    return false;
}

/* What stands before words for context: "line 7: ...". */
static bool translate_behind(struct str text, struct buf *out, int deep)
{
    size_t at = str_find(text, STR(": ")), before = out->len;
    if (at == STR_NPOS || deep >= MOST_DEEP)
        return false;
    struct str context = str_slice(text, 0, at);
    if (!translate_with(context, true, out, MOST_DEEP) && !translate(context, out, MOST_DEEP))
        buf_add(out, context);
    buf_add_c(out, "：");
    if (translate(str_from(text, at + 2), out, deep + 1))
        return true;
    buf_cut(out, before);
    return false;
}

/* Adds nothing when no line fits. */
static bool translate(struct str text, struct buf *out, int deep)
{
    return translate_with(text, false, out, deep) || translate_behind(text, out, deep);
}

bool words_in(const char *language, struct str text, struct buf *out)
{
    bool known = strcmp(language, "zh") != 0 || translate(text, out, 0);
    if (!known || strcmp(language, "zh") != 0)
        buf_add(out, text);
    return known;
}

void http_words(const char *language, struct str words, struct buf *out)
{
    (void)words_in(language, words, out);
}

static bool say_in_chinese(struct str words, struct buf *said)
{
    return translate(words, said, 0);
}

void http_say(struct json_out *out, const char *language)
{
    out->say = strcmp(language, "zh") == 0 ? say_in_chinese : NULL;
}
