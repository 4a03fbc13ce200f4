/* http/words - the words of an error in the language of who reads them. */
#include "http/inside.h"

#include <string.h>

#define MOST_HOLES 6

static const struct {
    struct str said, zh;
} lines[] = {
#define WORDS(said, zh) {STR_INIT(said), STR_INIT(zh)},
#include "http/words_zh.def"
#undef WORDS
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

static void fill(struct buf *out, struct str form, const struct str *holes)
{
    struct str rest = form, part;
    for (size_t n = 0; str_next(&rest, '*', &part);) {
        buf_add(out, part);
        if (rest.ptr)
            buf_add(out, holes[n++]);
    }
}

static bool translate(struct str text, struct buf *out)
{
    struct str holes[MOST_HOLES];
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (fits(text, lines[i].said, holes)) {
            fill(out, lines[i].zh, holes);
            return true;
        }
    return false;
}

/* What stands before words for context: "line 7: ...". */
static bool translate_behind(struct str text, struct buf *out)
{
    size_t at = str_find(text, STR(": "));
    if (at == STR_NPOS)
        return false;
    struct str before = str_slice(text, 0, at);
    if (str_starts(before, STR("line "))) {
        buf_add_c(out, "第 ");
        buf_add(out, str_from(before, strlen("line ")));
        buf_add_c(out, " 行：");
    } else {
        buf_add(out, before);
        buf_add_c(out, "：");
    }
    return translate(str_from(text, at + 2), out);
}

void words_in(const char *language, const char *text, struct buf *out)
{
    size_t before = out->len;
    if (strcmp(language, "zh") == 0) {
        if (translate(str_c(text), out) || translate_behind(str_c(text), out))
            return;
        buf_cut(out, before);
    }
    buf_add_c(out, text);
}
