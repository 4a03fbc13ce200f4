/* faq_pairs: the questions and answers of a page of frequent questions. */
#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { NUMBERED };
static const struct data_param params[] = {
    [NUMBERED] = {"numbered", DATA_FLAG, 0, 0, 1, NULL, "",
                  "A numbered line that ends in a question mark is a question, too",
                  "带编号且以问号结尾的行也视为问题"},
};

/* Behind "问：", "问题1：", "Q:", "Q1." and the like; ptr NULL when the line begins otherwise. */
static struct str behind(struct str line, const char *const *heads, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!str_starts(line, str_c(heads[i])))
            continue;
        struct str rest = str_from(line, str_c(heads[i]).len);
        while (rest.len && rest.ptr[0] >= '0' && rest.ptr[0] <= '9')
            rest = str_from(rest, 1);
        static const char *const ends[] = {"：", ":", "、", ".", "．"};
        for (size_t k = 0; k < sizeof ends / sizeof ends[0]; k++)
            if (str_starts(rest, str_c(ends[k])))
                return str_trim_space(str_from(rest, str_c(ends[k]).len));
    }
    return STR_NONE;
}

static struct str question_of(struct str line, bool numbered)
{
    static const char *const heads[] = {"问题", "问", "【问】", "Q", "q", "提问"};
    struct str q = behind(line, heads, sizeof heads / sizeof heads[0]);
    if (q.ptr || !numbered)
        return q;
    /* "1. ...？", "一、...？", "（三）...？" */
    size_t i = 0, n = 0;
    bool mark = false;
    while (i < line.len && n < 6) {
        size_t at = i;
        uint32_t c = text_next(line, &i);
        n++;
        if (c == 0x3001 || c == '.' || c == 0xFF0E || c == 0xFF09 || c == ')') {
            mark = n > 1;
            break;
        }
        bool number = (c >= '0' && c <= '9') || c == '(' || c == 0xFF08;
        static const char digits[] = "一二三四五六七八九十";
        for (size_t k = 0; !number && k + 3 < sizeof digits; k += 3)
            number = str_eq(str_slice(line, at, i), (struct str){digits + k, 3});
        if (!number)
            break;
    }
    bool asks = str_ends(line, STR("？")) || str_ends(line, STR("?"));
    return mark && asks ? str_trim_space(str_from(line, i)) : STR_NONE;
}

static struct str answer_of(struct str line)
{
    static const char *const heads[] = {"答复", "答", "【答】", "A", "a", "回答", "解答"};
    return behind(line, heads, sizeof heads / sizeof heads[0]);
}

struct pair {
    struct str question;
    struct buf answer;
    size_t n;
};

static enum err flush(struct record *record, struct pair *p, struct data_out *out, struct why *why)
{
    struct record part;
    struct str answer = str_trim_space(buf_str(&p->answer));
    struct str meta = record_raw(record, "meta"), title = record_raw(record, "title");
    if (!p->question.len || !answer.len)
        return ERR_OK;
    enum err err = record_part(record, ++p->n, &part, why);
    if (!err)
        err = record_set_str(&part, "question", p->question, why);
    if (!err)
        err = record_set_str(&part, "answer", str_copy(record->arena, answer), why);
    if (!err && title.ptr)
        err = record_set_raw(&part, "title", title, why);
    if (!err && meta.ptr)
        err = record_set_raw(&part, "meta", meta, why);
    return err ? err : data_emit(out, &part, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str text = record_str(record, "text"), line;
    struct pair p = {.question = STR("")};
    enum err err = text.ptr ? ERR_OK : err_set(why, ERR_INVALID, "the record has no text");
    bool first = true;
    buf_init(&p.answer, call->arena);
    while (!err && str_next(&text, '\n', &line)) {
        struct str s = str_trim_space(line);
        struct str q = question_of(s, call->args[NUMBERED].number > 0);
        if (q.ptr) {
            err = flush(record, &p, out, why);
            p.question = q;
            buf_clear(&p.answer);
            first = true;
            continue;
        }
        struct str a = answer_of(s);
        if (p.question.len && s.len)
            text_add_line(&p.answer, a.ptr ? a : s, &first);
    }
    if (!err)
        err = flush(record, &p, out, why);
    data_drop(out, "%zu pairs were taken from it", p.n);
    return err;
}

const struct data_op data_op_faq_pairs = {
    .name = "faq_pairs",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Take the question and answer pairs out of pages of frequent questions",
    .summary_zh = "从常见问题页面中抽取问答对",
    .source = "ours, from the forms of Chinese government pages (问/答, Q/A, numbered questions)",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_TEXT),
    .gives = RECORD_QA,
    .record = record,
};
