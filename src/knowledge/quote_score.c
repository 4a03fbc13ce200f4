/* knowledge/quote, the weighing of sentences. */
#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/quote_in.h"

#define MOST_ASKED 160 /* characters of a question that are compared */
#define FOCUS      4   /* characters beside a question word that tell what it asks for */
#define BRIEF      8   /* characters of a heading */
#define RARE_PAIRS 4

const char *const quote_feature_names[QUOTE_N_FEATURES] = {
#define QUOTE_WEIGHT(name, weight, words) #name,
#include "knowledge/quote_weights.def"
#undef QUOTE_WEIGHT
};

const char *const quote_feature_words[QUOTE_N_FEATURES] = {
#define QUOTE_WEIGHT(name, weight, words) words,
#include "knowledge/quote_weights.def"
#undef QUOTE_WEIGHT
};

const double quote_weights[QUOTE_N_FEATURES] = {
#define QUOTE_WEIGHT(name, weight, words) weight,
#include "knowledge/quote_weights.def"
#undef QUOTE_WEIGHT
};

/* Folded word characters of a text; 0 stands where marks part them. */
struct chars {
    uint32_t *at;
    size_t n;
};

static uint32_t fold(uint32_t c)
{
    c = utf8_halfwidth(c);
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool is_latin(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

static bool is_word(uint32_t c)
{
    return utf8_is_han(c) || is_latin(c) || (c >= 0xC0 && c < 0x2000);
}

static bool chars_of(struct str text, size_t most, struct arena *arena, struct chars *out)
{
    size_t room = text.len < most ? text.len : most;
    out->n = 0;
    out->at = arena_array(arena, uint32_t, room + 1);
    if (!out->at)
        return false;
    for (size_t at = 0; at < text.len && out->n < room;) {
        uint32_t c = fold(utf8_next(text, &at));
        if (is_word(c))
            out->at[out->n++] = c;
        else if (out->n && out->at[out->n - 1])
            out->at[out->n++] = 0;
    }
    return true;
}

/* ---- what the question holds ---- */

/* A word of the question: one character, or two that stand together. */
struct gram {
    uint32_t a, b; /* b 0: a single character */
    double weight; /* rarity in the passage */
    unsigned in;   /* sentences that hold it */
    bool focus;    /* beside the question word */
    bool latin;
};

struct asked {
    struct chars chars; /* of the content */
    struct gram *grams;
    size_t n;
    double pairs, singles, focus, focus_pairs, latin; /* sums of weights, for shares */
    uint32_t unit[2]; /* what is counted: 几"天", 多少"平方" */
};

static struct gram *gram_for(struct asked *q, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < q->n; i++)
        if (q->grams[i].a == a && q->grams[i].b == b)
            return &q->grams[i];
    q->grams[q->n] = (struct gram){.a = a, .b = b, .latin = is_latin(a) && (!b || is_latin(b))};
    return &q->grams[q->n++];
}

static bool asked_grams(struct asked *q, struct arena *arena)
{
    q->grams = arena_array(arena, struct gram, 2 * q->chars.n + 1);
    if (!q->grams)
        return false;
    for (size_t i = 0; i < q->chars.n; i++) {
        if (!q->chars.at[i])
            continue;
        (void)gram_for(q, q->chars.at[i], 0);
        if (i + 1 < q->chars.n && q->chars.at[i + 1])
            (void)gram_for(q, q->chars.at[i], q->chars.at[i + 1]);
    }
    return true;
}

/* Question words, behind or before which stands what they ask for. */
static const char *const ask_words[] = {
    "什么时候", "什么时间", "哪一", "哪些", "哪个", "哪里", "哪儿", "哪",     "什么", "多少",
    "几",       "谁",       "怎么", "怎样", "如何", "多久", "多长", "为什么", "为何", "何"};

/* Where the question word stands in the text, and its length; false when there is none. */
static bool ask_word(struct str text, size_t *at, size_t *len)
{
    for (size_t i = 0; i < sizeof ask_words / sizeof ask_words[0]; i++) {
        size_t hit = str_find(text, str_c(ask_words[i]));
        if (hit == STR_NPOS)
            continue;
        *at = hit;
        *len = strlen(ask_words[i]);
        return true;
    }
    return false;
}

/* Marks the grams of a stretch of the question's own text as its focus. */
static void mark_focus(struct asked *q, struct str part)
{
    uint32_t before = 0;
    for (size_t at = 0; at < part.len;) {
        uint32_t c = fold(utf8_next(part, &at));
        for (size_t i = 0; i < q->n; i++)
            if (q->grams[i].b ? q->grams[i].a == before && q->grams[i].b == c : q->grams[i].a == c)
                q->grams[i].focus = true;
        before = c;
    }
}

static void find_focus(const struct question *question, struct asked *q)
{
    size_t at, len;
    if (!ask_word(question->text, &at, &len))
        return;
    struct str behind = utf8_prefix(str_from(question->text, at + len), FOCUS);
    struct str ahead = str_slice(question->text, 0, at);
    size_t n = utf8_count(ahead);
    mark_focus(q, behind);
    mark_focus(q, str_from(ahead, n > FOCUS ? utf8_offset(ahead, n - FOCUS) : 0));
    static const char *const counting[] = {"多少", "几", "多少个", "哪一", "哪", "第几"};
    for (size_t i = 0; i < sizeof counting / sizeof counting[0]; i++) {
        size_t hit = str_find(question->text, str_c(counting[i]));
        if (hit == STR_NPOS)
            continue;
        size_t from = hit + strlen(counting[i]);
        if (from >= question->text.len)
            continue;
        q->unit[0] = fold(utf8_next(question->text, &from));
        break;
    }
    if (!is_word(q->unit[0]))
        q->unit[0] = 0;
}

static enum err asked_of(const struct question *question, struct arena *arena, struct asked *q)
{
    *q = (struct asked){0};
    struct str content = question->content.len ? question->content : question->text;
    if (!chars_of(content, MOST_ASKED, arena, &q->chars) || !asked_grams(q, arena))
        return ERR_NO_MEMORY;
    find_focus(question, q);
    return ERR_OK;
}

/* ---- words against sentences ---- */

static bool holds(const struct chars *s, const struct gram *g)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i] == g->a && (!g->b || (i + 1 < s->n && s->at[i + 1] == g->b)))
            return true;
    return false;
}

/* has[i * n_grams + g]: sentence i holds gram g. Weights become rarities. */
static bool *mark_all(struct asked *q, const struct chars *s, size_t n, struct arena *arena)
{
    bool *has = arena_array(arena, bool, n * q->n + 1);
    if (!has)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        for (size_t g = 0; g < q->n; g++) {
            has[i * q->n + g] = holds(&s[i], &q->grams[g]);
            q->grams[g].in += has[i * q->n + g];
        }
    }
    for (size_t g = 0; g < q->n; g++) {
        struct gram *gram = &q->grams[g];
        gram->weight = log(1 + ((double)n - gram->in + 0.5) / (gram->in + 0.5));
        *(gram->b ? &q->pairs : &q->singles) += gram->weight;
        if (gram->focus)
            *(gram->b ? &q->focus_pairs : &q->focus) += gram->weight;
        if (gram->latin && gram->b)
            q->latin += gram->weight;
    }
    return has;
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static double pairs_held(const struct asked *q, const bool *has, const bool *or_has)
{
    double sum = 0;
    for (size_t g = 0; g < q->n; g++)
        if (q->grams[g].b && (has[g] || (or_has && or_has[g])))
            sum += q->grams[g].weight;
    return share(sum, q->pairs);
}

static double rarest_held(const struct asked *q, const bool *has)
{
    const struct gram *rare[RARE_PAIRS] = {NULL};
    double got = 0, all = 0;
    for (size_t g = 0; g < q->n; g++) {
        const struct gram *gram = &q->grams[g];
        if (!gram->b || !gram->in)
            continue;
        for (size_t k = 0; k < RARE_PAIRS; k++) {
            if (!rare[k] || gram->in < rare[k]->in) {
                memmove(&rare[k + 1], &rare[k], (RARE_PAIRS - 1 - k) * sizeof(void *));
                rare[k] = gram;
                break;
            }
        }
    }
    for (size_t k = 0; k < RARE_PAIRS && rare[k]; k++) {
        all++;
        got += has[rare[k] - q->grams];
    }
    return share(got, all);
}

static void measure_words(const struct asked *q, const bool *has, double *f)
{
    double single = 0, focus = 0, focus_pairs = 0, latin = 0;
    for (size_t g = 0; g < q->n; g++) {
        const struct gram *gram = &q->grams[g];
        if (!has[g])
            continue;
        if (!gram->b)
            single += gram->weight;
        if (gram->focus)
            *(gram->b ? &focus_pairs : &focus) += gram->weight;
        if (gram->latin && gram->b)
            latin += gram->weight;
    }
    f[QUOTE_F_pairs] = pairs_held(q, has, NULL);
    f[QUOTE_F_singles] = share(single, q->singles);
    f[QUOTE_F_focus] = share(focus, q->focus);
    f[QUOTE_F_focus_pairs] = share(focus_pairs, q->focus_pairs);
    f[QUOTE_F_latin] = share(latin, q->latin);
    f[QUOTE_F_rare] = rarest_held(q, has);
}

/* Longest common run and longest common subsequence of question and sentence. */
static void measure_runs(const struct asked *q, const struct chars *s, double *f)
{
    uint16_t run[MOST_ASKED + 1] = {0}, order[MOST_ASKED + 1] = {0};
    size_t most = 0, n = q->chars.n < MOST_ASKED ? q->chars.n : MOST_ASKED;
    for (size_t i = 0; i < s->n; i++) {
        uint16_t run_diag = 0, order_diag = 0;
        for (size_t j = 0; j < n; j++) {
            uint16_t run_old = run[j + 1], order_old = order[j + 1];
            bool same = s->at[i] && s->at[i] == q->chars.at[j];
            run[j + 1] = same ? (uint16_t)(run_diag + 1) : 0;
            if (run[j + 1] > most)
                most = run[j + 1];
            if (same)
                order[j + 1] = (uint16_t)(order_diag + 1);
            else if (order[j] > order[j + 1])
                order[j + 1] = order[j];
            run_diag = run_old;
            order_diag = order_old;
        }
    }
    f[QUOTE_F_run] = share((double)most, (double)n);
    f[QUOTE_F_order] = share(order[n], (double)n);
}

static void measure_shape(const struct asked *q, const struct chars *s, double *f)
{
    size_t fresh = 0, length = 0;
    for (size_t i = 0; i < s->n; i++) {
        bool asked = false;
        for (size_t j = 0; j < q->chars.n && !asked; j++)
            asked = q->chars.at[j] == s->at[i];
        length += s->at[i] != 0;
        fresh += s->at[i] && !asked;
    }
    f[QUOTE_F_fresh] = log(1 + (double)fresh) / 4;
    f[QUOTE_F_length] = log(1 + (double)length) / 4;
    f[QUOTE_F_brief] = length < BRIEF;
}

/* ---- kinds of answers ---- */

static bool has_any(struct str text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_find(text, str_c(words[i])) != STR_NPOS)
            return true;
    return false;
}

#define ANY(text, ...)                                                                             \
    has_any((text), (const char *const[]){__VA_ARGS__},                                            \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static bool is_numeral(uint32_t c)
{
    static const uint32_t numerals[] = {0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94, 0x516D,
                                        0x4E03, 0x516B, 0x4E5D, 0x5341, 0x767E, 0x5343,
                                        0x4E07, 0x4E24, 0x534A, 0x96F6, 0x3007, 0x4EBF};
    if (c >= '0' && c <= '9')
        return true;
    for (size_t i = 0; i < sizeof numerals / sizeof numerals[0]; i++)
        if (c == numerals[i])
            return true;
    return false;
}

/* A number, a number before one of these units, four digits of a year. */
static bool has_number(const struct chars *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (is_numeral(s->at[i]))
            return true;
    return false;
}

static bool counts_in(const struct chars *s, const char *units)
{
    struct str all = str_c(units);
    for (size_t i = 1; i < s->n; i++) {
        size_t from = i - 1;
        if (!s->at[from] && from > 0)
            from--;
        if (!is_numeral(s->at[from]))
            continue;
        for (size_t at = 0; at < all.len;)
            if (utf8_next(all, &at) == s->at[i])
                return true;
    }
    return false;
}

static bool has_unit(const struct chars *s, uint32_t unit)
{
    for (size_t i = 1; unit && i < s->n; i++)
        if (s->at[i] == unit && is_numeral(s->at[i - 1]))
            return true;
    return false;
}

static bool has_year(const struct chars *s)
{
    for (size_t i = 4; i < s->n; i++)
        if (s->at[i] == 0x5E74 && is_numeral(s->at[i - 1]) && is_numeral(s->at[i - 2]) &&
            is_numeral(s->at[i - 3]))
            return true;
    return false;
}

static void measure_kind(const struct question *question, const struct asked *q, struct str text,
                         const struct chars *s, double *f)
{
    unsigned want = question->want;
    bool number = has_number(s);
    bool counted = want & (QUESTION_NUMBER | QUESTION_MONEY | QUESTION_DURATION | QUESTION_DATE);
    f[QUOTE_F_unit] = (want & (QUESTION_NUMBER | QUESTION_DURATION)) && has_unit(s, q->unit[0]);
    f[QUOTE_F_money] =
        (want & QUESTION_MONEY) &&
        (counts_in(s, "元倍成块") || (number && ANY(text, "%", "％", "百分之", "免费")) ||
         ANY(text, "不收取", "不收费", "免费", "免收"));
    f[QUOTE_F_duration] = (want & QUESTION_DURATION) && counts_in(s, "日天月年个小周分工");
    f[QUOTE_F_date] = (want & QUESTION_DATE) && (counts_in(s, "年月日时点号") || has_year(s));
    f[QUOTE_F_year] = (want & QUESTION_DATE) && has_year(s);
    f[QUOTE_F_number] = (want & QUESTION_NUMBER) && number;
    f[QUOTE_F_who] = (want & QUESTION_WHO) && ANY(text, "部门", "局", "机关", "机构", "单位", "委",
                                                  "负责", "主管", "由", "人民政府", "先生", "公司");
    f[QUOTE_F_where] = (want & QUESTION_WHERE) && ANY(text, "位于", "在", "地址", "路", "号",
                                                      "窗口", "市", "县", "区", "省", "平台");
    f[QUOTE_F_why] = (want & QUESTION_WHY) &&
                     ANY(text, "因为", "由于", "因此", "所以", "导致", "因", "为了", "使得", "故");
    f[QUOTE_F_list] =
        (want & QUESTION_LIST) && ANY(text, "：", "、", "（一）", "包括", "以及", "和", "下列");
    f[QUOTE_F_yes_no] =
        (want & QUESTION_YES_NO) && ANY(text, "可以", "不得", "应当", "禁止", "不予", "有权",
                                        "无权", "不能", "无需", "不需", "必须", "可");
    f[QUOTE_F_bare] = counted && !number;
}

/* ---- all together ---- */

static void measure_place(const struct asked *q, const bool *has, size_t i, size_t n, double *f)
{
    const bool *before = i > 0 ? has - q->n : NULL;
    f[QUOTE_F_before] = before ? pairs_held(q, before, NULL) : 0;
    f[QUOTE_F_after] = i + 1 < n ? pairs_held(q, has + q->n, NULL) : 0;
    f[QUOTE_F_joint] = pairs_held(q, has, before);
    f[QUOTE_F_first] = i == 0;
    f[QUOTE_F_place] = n > 1 ? (double)i / (double)(n - 1) : 0;
}

static void mark_top(double *f, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (f[i * QUOTE_N_FEATURES + QUOTE_F_pairs] > most)
            most = f[i * QUOTE_N_FEATURES + QUOTE_F_pairs];
    for (size_t i = 0; i < n; i++)
        f[i * QUOTE_N_FEATURES + QUOTE_F_top] =
            most > 0 && f[i * QUOTE_N_FEATURES + QUOTE_F_pairs] == most;
}

enum err quote_measure(const struct question *question, struct str text,
                       const struct quote_span *spans, size_t n, struct arena *arena, double **out,
                       struct why *why)
{
    struct asked q;
    struct chars *s = arena_array(arena, struct chars, n + 1);
    double *all = arena_array(arena, double, n *QUOTE_N_FEATURES + 1);
    enum err err = s && all ? asked_of(question, arena, &q) : ERR_NO_MEMORY;
    for (size_t i = 0; !err && i < n; i++)
        if (!chars_of(str_slice(text, spans[i].start, spans[i].start + spans[i].len), SIZE_MAX,
                      arena, &s[i]))
            err = ERR_NO_MEMORY;
    bool *has = err ? NULL : mark_all(&q, s, n, arena);
    if (!has)
        return err_set(why, ERR_NO_MEMORY, "could not weigh the passage's sentences");
    for (size_t i = 0; i < n; i++) {
        double *f = all + i * QUOTE_N_FEATURES;
        struct str sentence = str_slice(text, spans[i].start, spans[i].start + spans[i].len);
        measure_words(&q, has + i * q.n, f);
        measure_place(&q, has + i * q.n, i, n, f);
        measure_runs(&q, &s[i], f);
        measure_shape(&q, &s[i], f);
        measure_kind(question, &q, sentence, &s[i], f);
        f[QUOTE_F_asks] = str_ends(sentence, STR("？")) || str_ends(sentence, STR("?"));
    }
    mark_top(all, n);
    *out = all;
    return ERR_OK;
}

bool quote_is_wanted(const struct question *question, struct str text)
{
    unsigned want = question->want;
    bool digit = false;
    for (size_t at = 0; at < text.len && !digit;)
        digit = is_numeral(utf8_next(text, &at));
    return ((want & (QUESTION_NUMBER | QUESTION_DATE | QUESTION_DURATION)) && digit) ||
           ((want & QUESTION_MONEY) && (digit || ANY(text, "免费", "不收"))) ||
           ((want & QUESTION_WHY) && ANY(text, "因", "由于", "为了")) ||
           ((want & QUESTION_WHERE) &&
            ANY(text, "位于", "地址", "路", "号", "窗口", "大厅", "中心", "平台")) ||
           ((want & QUESTION_WHO) && ANY(text, "部门", "局", "机关", "机构", "单位", "负责")) ||
           ((want & QUESTION_LIST) && ANY(text, "：", "、", "（一）")) ||
           ((want & QUESTION_YES_NO) && ANY(text, "可以", "不得", "应当", "禁止", "不予", "有权",
                                            "不能", "无需", "必须", "可"));
}
