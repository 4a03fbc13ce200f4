#include "knowledge/question.h"

#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/knowledge.h"
#include "knowledge/numeral.h"
#include "knowledge/signs.h"

#define WEAKER        0.5 /* a field this much weaker than the best is not asked for */
#define STRETCH_CHARS 4   /* so many characters of a name in a row are the name */
#define LEAN_CHARS                                                                                 \
    6 /* content shorter than this, with a field asked for, leans on the conversation */
#define MAY_LEAN_CHARS 8 /* content shorter than this may lean on it */

static const struct {
    const char *field;
    const char *words;
    double weight;
} intents[] = {
#define INTENT(field, words, weight) {#field, words, weight},
#include "knowledge/intents.def"
#undef INTENT
};
#define N_INTENTS (sizeof intents / sizeof intents[0])

/* Taken out of the question to get its content, longest first where one begins another. */
static const char *const empty_words[] = {
    "请问一下",   "请问",     "你好",   "您好",   "我想问一下", "我想问",   "想问一下",
    "想咨询一下", "咨询一下", "问一下", "麻烦",   "谢谢",       "是不是",   "能不能",
    "可不可以",   "要不要",   "有没有", "会不会", "需不需要",   "什么时候", "什么时间",
    "什么地方",   "多长时间", "为什么", "怎么样", "怎么办",     "怎么",     "怎样",
    "如何",       "为何",     "是否",   "哪些",   "哪个",       "哪里",     "哪儿",
    "哪一",       "什么",     "多少",   "多久",   "几天",       "几个",     "谁",
    "吗",         "呢",       "吧",     "啊",     "呀",         "了",       "的",
    "么",
};

static const struct {
    const char *words;
    unsigned want;
} wants[] = {
    {"多少钱", QUESTION_MONEY | QUESTION_NUMBER},
    {"多少元", QUESTION_MONEY | QUESTION_NUMBER},
    {"罚多少", QUESTION_MONEY | QUESTION_NUMBER},
    {"罚款", QUESTION_MONEY},
    {"补贴", QUESTION_MONEY},
    {"标准", QUESTION_NUMBER},
    {"收费", QUESTION_MONEY},
    {"几天", QUESTION_DURATION | QUESTION_NUMBER},
    {"多久", QUESTION_DURATION},
    {"多长时间", QUESTION_DURATION},
    {"多少天", QUESTION_DURATION | QUESTION_NUMBER},
    {"几年", QUESTION_DURATION | QUESTION_NUMBER},
    {"多少年", QUESTION_DURATION | QUESTION_NUMBER},
    {"几个月", QUESTION_DURATION | QUESTION_NUMBER},
    {"期限", QUESTION_DURATION},
    {"时效", QUESTION_DURATION},
    {"什么时候", QUESTION_DATE},
    {"什么时间", QUESTION_DATE},
    {"何时", QUESTION_DATE},
    {"几号", QUESTION_DATE},
    {"哪一年", QUESTION_DATE},
    {"哪年", QUESTION_DATE},
    {"哪天", QUESTION_DATE},
    {"几点", QUESTION_DATE},
    {"多少", QUESTION_NUMBER},
    {"几", QUESTION_NUMBER},
    {"谁", QUESTION_WHO},
    {"哪个部门", QUESTION_WHO},
    {"什么部门", QUESTION_WHO},
    {"哪个单位", QUESTION_WHO},
    {"哪位", QUESTION_WHO},
    {"哪里", QUESTION_WHERE},
    {"哪儿", QUESTION_WHERE},
    {"在哪", QUESTION_WHERE},
    {"何处", QUESTION_WHERE},
    {"什么地方", QUESTION_WHERE},
    {"为什么", QUESTION_WHY},
    {"为何", QUESTION_WHY},
    {"原因", QUESTION_WHY},
    {"哪些", QUESTION_LIST},
    {"什么材料", QUESTION_LIST},
    {"吗", QUESTION_YES_NO},
    {"能不能", QUESTION_YES_NO},
    {"可不可以", QUESTION_YES_NO},
    {"是否", QUESTION_YES_NO},
    {"是不是", QUESTION_YES_NO},
    {"要不要", QUESTION_YES_NO},
    {"有没有", QUESTION_YES_NO},
    {"能否", QUESTION_YES_NO},
    {"可否", QUESTION_YES_NO},
};

/* Words with which a question points back. Only at the front, where they cannot be part of a name.
 */
static const char *const back_words[] = {
    "那么", "那要", "那我", "那得", "那需", "那",   "它",   "他",     "她",     "这个", "这种",
    "这",   "上面", "刚才", "还要", "还需", "另外", "然后", "办这个", "如果是", "要是"};

/* ---- the text ---- */

/* Folds width, drops control characters and doubled white space. */
static enum err clean(struct str text, struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    bool space = true;
    size_t letters = 0;
    if (utf8_invalid(text) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the question is not valid UTF-8");
    if (text.len > QUESTION_MOST_BYTES)
        text = str_slice(text, 0, utf8_floor(text, QUESTION_MOST_BYTES));
    buf_init(&buf, arena);
    for (size_t at = 0; at < text.len;) {
        char bytes[UTF8_MAX_BYTES];
        uint32_t c = utf8_next(text, &at);
        /* Punctuation keeps its Chinese form: a full-width question mark is not an operator. */
        if ((c >= 0xFF10 && c <= 0xFF19) || (c >= 0xFF21 && c <= 0xFF5A) || c == 0x3000)
            c = utf8_halfwidth(c);
        bool blank = utf8_is_space(c) || c < 0x20 || c == 0x7F || (c >= 0x200B && c <= 0x200F) ||
                     c == 0xFEFF;
        if (blank && space)
            continue;
        space = blank;
        letters += utf8_is_han(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   (c > 0x303F && c < 0xFE00);
        buf_add(&buf, blank ? STR(" ") : (struct str){bytes, utf8_put(bytes, c)});
    }
    *out = str_trim_space(buf_str(&buf));
    if (!buf.failed && letters == 0)
        return err_set(why, ERR_INVALID, "there is no question in the text");
    return buf_err(&buf, why);
}

/* The longest empty word at the front of s, or 0. */
static size_t empty_word(struct str s)
{
    size_t most = 0;
    for (size_t i = 0; i < sizeof empty_words / sizeof empty_words[0]; i++) {
        struct str word = str_c(empty_words[i]);
        if (word.len > most && str_starts(s, word))
            most = word.len;
    }
    return most;
}

static bool is_mark(uint32_t c)
{
    return c < 0x30 || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
           (c >= 0x7B && c < 0x80) || (c >= 0x2010 && c <= 0x206F) ||
           (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF00 && c <= 0xFF0F) ||
           (c >= 0xFF1A && c <= 0xFF20);
}

static enum err content_of(struct str text, struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (size_t at = 0; at < text.len;) {
        size_t skip = empty_word(str_from(text, at));
        size_t start = at;
        if (skip) {
            at += skip;
            continue;
        }
        if (!is_mark(utf8_next(text, &at)))
            buf_add(&buf, str_slice(text, start, at));
    }
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* ---- fields ---- */

static void add_field(struct question *q, const char *field, double weight)
{
    size_t i = 0;
    while (i < q->n_fields && strcmp(q->fields[i], field) != 0)
        i++;
    if (i == QUESTION_MOST_FIELDS)
        return;
    if (i == q->n_fields)
        q->fields[q->n_fields++] = field;
    /* Two wordings of one field say little more than one. */
    q->strength[i] =
        q->strength[i] > weight ? q->strength[i] + 0.1 : weight + (q->strength[i] > 0 ? 0.1 : 0);
}

/* Money that is given or taken by rule: 补贴多少钱 asks for no fee. */
static bool is_granted(struct str text)
{
    static const char *const words[] = {"补贴", "补助", "津贴",   "奖励",   "救助", "罚", "贷",
                                        "工资", "低保", "养老金", "失业金", "提取", "赔"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_find(text, str_c(words[i])) != STR_NPOS)
            return true;
    return false;
}

static void find_fields(struct question *q)
{
    bool granted = is_granted(q->text);
    for (size_t i = 0; i < N_INTENTS; i++)
        if (signs_stand(q->text, str_c(intents[i].words)) &&
            !(granted && strcmp(intents[i].field, "fee") == 0 &&
              strcmp(intents[i].words, "多少钱") == 0))
            add_field(q, intents[i].field, intents[i].weight);
    for (size_t i = 1; i < q->n_fields; i++) {
        for (size_t j = i; j > 0 && q->strength[j] > q->strength[j - 1]; j--) {
            const char *field = q->fields[j];
            double strength = q->strength[j];
            q->fields[j] = q->fields[j - 1];
            q->strength[j] = q->strength[j - 1];
            q->fields[j - 1] = field;
            q->strength[j - 1] = strength;
        }
    }
    while (q->n_fields > 1 && q->strength[q->n_fields - 1] < q->strength[0] * WEAKER)
        q->n_fields--;
}

/* ---- articles ---- */

/* The title before the article: what stands in 《》, else the run of characters up to a mark. */
static struct str title_before(struct str text, size_t at)
{
    struct str before = str_trim_space(str_slice(text, 0, at));
    if (str_ends(before, STR("》"))) {
        for (size_t i = before.len; i-- > 0;)
            if (str_starts(str_from(before, i), STR("《")))
                return str_slice(before, i + 3, before.len - 3);
    }
    size_t start = before.len;
    while (start > 0) {
        size_t prev = utf8_prev(before, start), step = prev;
        uint32_t c = utf8_next(before, &step);
        if (is_mark(c))
            break;
        start = prev;
    }
    before = str_from(before, start);
    for (size_t skip = empty_word(before); skip; skip = empty_word(before))
        before = str_from(before, skip);
    while (str_ends(before, STR("的")))
        before.len -= 3;
    return before;
}

static void find_article(struct question *q)
{
    for (size_t at = 0; (at = str_find_from(q->text, STR("第"), at)) != STR_NPOS; at += 3) {
        struct numeral_article article;
        if (!numeral_article(str_from(q->text, at), &article))
            continue;
        q->names_article = true;
        q->article = article.number;
        q->sub = article.sub;
        q->law = title_before(q->text, at);
        return;
    }
}

/* ---- the conversation ---- */

static bool points_back(struct str text)
{
    for (size_t i = 0; i < sizeof back_words / sizeof back_words[0]; i++)
        if (str_starts(text, str_c(back_words[i])))
            return true;
    return false;
}

enum err question_read(struct str text, struct arena *arena, struct question *out, struct why *why)
{
    struct question q = {0};
    enum err err = clean(text, arena, &q.text, why);
    if (!err)
        err = content_of(q.text, arena, &q.content, why);
    if (err)
        return err;
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++)
        if (str_find(q.text, str_c(wants[i].words)) != STR_NPOS)
            q.want |= wants[i].want;
    find_fields(&q);
    find_article(&q);
    size_t content = utf8_count(q.content);
    q.leans = points_back(q.text) || (q.n_fields > 0 && content < LEAN_CHARS) || content < 3;
    q.may_lean = q.leans || content < MAY_LEAN_CHARS;
    *out = q;
    return ERR_OK;
}

/* Bytes of the longest stretch at the front of `text` that stands in `title`. */
static size_t stretch(struct str text, struct str title)
{
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        (void)utf8_next(text, &at);
        if (str_find(title, str_slice(text, 0, at)) == STR_NPOS)
            break;
        len = at;
    }
    return len;
}

enum err question_without(struct str text, struct str title, struct arena *arena, struct str *out,
                          struct why *why)
{
    struct buf buf;
    size_t least = utf8_count(title) < STRETCH_CHARS ? utf8_count(title) : STRETCH_CHARS;
    buf_init(&buf, arena);
    for (size_t at = 0; at < text.len;) {
        size_t len = stretch(str_from(text, at), title), start = at;
        if (len && utf8_count(str_slice(text, at, at + len)) >= least) {
            at += len;
            buf_char(&buf, ' ');
            continue;
        }
        (void)utf8_next(text, &at);
        buf_add(&buf, str_slice(text, start, at));
    }
    *out = str_trim_space(buf_str(&buf));
    return buf_err(&buf, why);
}

enum err question_before(const struct knowledge_turn *turns, size_t n_turns, struct arena *arena,
                         struct question *out, bool *found, struct why *why)
{
    *found = false;
    for (size_t i = n_turns; i-- > 0;) {
        struct question earlier;
        struct why ignored = {0};
        if (!str_eq_c(turns[i].role, "user"))
            continue;
        enum err err = question_read(turns[i].text, arena, &earlier, &ignored);
        if (err == ERR_NO_MEMORY)
            return err_set(why, err, "could not hold the conversation");
        if (err)
            continue;
        *out = earlier; /* the first one stands on its own, however short it is */
        *found = true;
        if (!earlier.leans)
            break;
    }
    return ERR_OK;
}

enum err question_behind(const struct question *before, const struct question *question,
                         struct arena *arena, struct str *out, struct why *why)
{
    *out = str_printf(arena, "%.*s %.*s", STR_FMT(before->content), STR_FMT(question->text));
    return out->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the conversation");
}
