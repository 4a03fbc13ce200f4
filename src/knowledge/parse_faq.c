/* knowledge/parse_faq - questions and answers, in pairs. */
#include "core/utf8.h"
#include "knowledge/parse_in.h"

#include <string.h>

/* A label like 问：, 问题3：, Q1. at the start: its bytes, or 0. */
static size_t label_len(struct str line, const char *const *words)
{
    static const char *const seps[] = {"：", ":", "、", ".", "．", NULL};
    for (size_t w = 0; words[w]; w++) {
        if (!str_starts(line, str_c(words[w])))
            continue;
        size_t at = strlen(words[w]), used = 0;
        uint32_t n = 0;
        if (numeral_read(str_from(line, at), &n, &used))
            at += used;
        for (size_t s = 0; seps[s]; s++)
            if (str_starts(str_from(line, at), str_c(seps[s])))
                return at + strlen(seps[s]);
    }
    return 0;
}

bool faq_question(struct str line, bool is_heading, struct str *question)
{
    static const char *const words[] = {"问题", "问", "Q", "q", "提问", NULL};
    size_t len = label_len(parser_unnumbered(line), words);
    struct str plain = parser_unnumbered(line);
    if (len) {
        *question = str_trim_space(str_from(plain, len));
        return question->len > 0;
    }
    *question = plain;
    return is_heading && (str_ends(plain, STR("？")) || str_ends(plain, STR("?")));
}

bool faq_answer(struct str line, size_t *skip)
{
    static const char *const words[] = {"答案", "答复", "回答", "解答", "答", "A", "a", NULL};
    size_t len = label_len(line, words);
    if (len) {
        struct str value = str_trim_space(str_from(line, len));
        *skip = value.len ? (size_t)(value.ptr - line.ptr) : line.len;
    }
    return len > 0;
}

struct pair {
    bool open, answered;
    size_t start, end, answer;
    struct str question;
};

static void close_pair(struct parser *p, struct pair *pair, struct path *path)
{
    if (pair->open && pair->answered)
        parser_add(p, (struct passage){.kind = PASSAGE_FAQ,
                                       .start = pair->start,
                                       .len = pair->end - pair->start,
                                       .body = pair->answer - pair->start,
                                       .label = utf8_prefix(pair->question, 200),
                                       .path = path_join(path, p),
                                       .field = STR("")});
    *pair = (struct pair){.open = false};
}

void parse_faq(struct parser *p)
{
    struct path path = {.n = 0};
    struct pair pair = {.open = false};
    for (size_t i = p->first; i < p->n_lines && !p->err; i++) {
        const struct line *line = &p->lines[i];
        struct str text = parser_line(p, i), question;
        bool heading = line->kind == LINE_HEADING, prose = heading || line->kind == LINE_TEXT;
        size_t skip = 0;
        if (prose && faq_question(text, heading, &question)) {
            close_pair(p, &pair, &path);
            pair = (struct pair){true, false, line->start, line->end, line->end, question};
        } else if (heading) {
            close_pair(p, &pair, &path);
            path_push(&path, line->level, text);
        } else if (pair.open) {
            if (!pair.answered) {
                (void)(line->kind == LINE_TEXT && faq_answer(text, &skip));
                pair.answer = line->start + skip;
                pair.answered = true;
            }
            pair.end = line->end;
        } else {
            parser_add_cut(p,
                           (struct passage){.kind = PASSAGE_SECTION,
                                            .start = line->start,
                                            .len = line->end - line->start,
                                            .label = STR(""),
                                            .path = path_join(&path, p),
                                            .field = STR("")},
                           PARSE_PASSAGE_BYTES);
        }
    }
    close_pair(p, &pair, &path);
}
