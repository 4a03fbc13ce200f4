#include "knowledge/quote.h"

#include <math.h>

#include "core/arena.h"
#include "core/utf8.h"

#define MOST_GRAMS 256
#define KIND_BONUS                                                                                 \
    0.5 /* what a sentence of the wanted kind is worth, in words that occur everywhere */
#define SINGLE     0.15 /* a shared character against a shared pair */
#define JOIN       0.75 /* a neighbour this good is quoted along */
#define MOST_QUOTE 900  /* bytes: an enumeration that is longer is quoted by its best items */

/* ---- sentences ---- */

static bool ends_sentence(uint32_t c)
{
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF1B || c == '\n' || c == '!' ||
           c == '?' || c == ';';
}

static bool closes(uint32_t c)
{
    return c == 0x201D || c == 0x2019 || c == 0x300D || c == 0x300F || c == 0x300B || c == 0xFF09 ||
           c == ')';
}

static bool add_span(struct str text, size_t start, size_t end, struct quote_span *out)
{
    struct str part = str_trim_space(str_slice(text, start, end));
    if (part.len == 0)
        return false;
    *out = (struct quote_span){(size_t)(part.ptr - text.ptr), part.len, 0};
    return true;
}

size_t quote_sentences(struct str text, struct quote_span *out, size_t most)
{
    size_t n = 0, start = 0, at = 0;
    while (at < text.len && n < most) {
        if (!ends_sentence(utf8_next(text, &at)))
            continue;
        for (size_t next = at; next < text.len; at = next) {
            uint32_t c = utf8_next(text, &next);
            if (!closes(c) && !ends_sentence(c))
                break;
        }
        n += add_span(text, start, at, &out[n]);
        start = at;
    }
    if (start < text.len && n < most)
        n += add_span(text, start, text.len, &out[n]);
    return n;
}

/* ---- words ---- */

/* The question's characters in pairs, each once, with the weight that its rarity in the passage
 * gives. */
struct gram {
    uint32_t a, b; /* b 0: a single character */
    double weight;
    uint32_t last; /* sentence that held it last, plus 1 */
    unsigned in;   /* sentences that hold it */
};

struct grams {
    struct gram items[MOST_GRAMS];
    size_t n;
};

static uint32_t fold(uint32_t c)
{
    c = utf8_halfwidth(c);
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool is_word(uint32_t c)
{
    return utf8_is_han(c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 0xC0 && c < 0x2000);
}

static void add_gram(struct grams *grams, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < grams->n; i++)
        if (grams->items[i].a == a && grams->items[i].b == b)
            return;
    if (grams->n < MOST_GRAMS)
        grams->items[grams->n++] = (struct gram){.a = a, .b = b};
}

static void grams_of(struct str content, struct grams *grams)
{
    uint32_t before = 0;
    grams->n = 0;
    for (size_t at = 0; at < content.len;) {
        uint32_t c = fold(utf8_next(content, &at));
        if (!is_word(c)) {
            before = 0;
            continue;
        }
        add_gram(grams, c, 0);
        if (before)
            add_gram(grams, before, c);
        before = c;
    }
}

/* Calls mark for every gram of the text; `sentence` counts from 1. */
static void mark_sentence(struct grams *grams, struct str text, uint32_t sentence)
{
    uint32_t before = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t c = fold(utf8_next(text, &at));
        for (size_t i = 0; i < grams->n; i++) {
            struct gram *g = &grams->items[i];
            bool hit = g->b ? g->a == before && g->b == c : g->a == c;
            if (hit && g->last != sentence) {
                g->last = sentence;
                g->in++;
            }
        }
        before = c;
    }
}

static double held(const struct grams *grams, uint32_t sentence)
{
    double sum = 0;
    for (size_t i = 0; i < grams->n; i++)
        if (grams->items[i].last == sentence)
            sum += grams->items[i].weight;
    return sum;
}

double quote_coverage(const struct question *question, struct str text)
{
    struct grams grams;
    double all = 0, got = 0;
    grams_of(question->content.len ? question->content : question->text, &grams);
    mark_sentence(&grams, text, 1);
    for (size_t i = 0; i < grams.n; i++) {
        if (!grams.items[i].b)
            continue;
        all++;
        got += grams.items[i].in > 0;
    }
    return all > 0 ? got / all : 0;
}

/* ---- kinds of answers ---- */

static bool has_any(struct str text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_find(text, str_c(words[i])) != STR_NPOS)
            return true;
    return false;
}

static bool has_number(struct str text)
{
    static const char *const numerals[] = {"一", "二", "三", "四", "五", "六", "七",
                                           "八", "九", "十", "百", "千", "万", "两"};
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9')
            return true;
    return has_any(text, numerals, sizeof numerals / sizeof numerals[0]);
}

#define ANY(text, ...)                                                                             \
    has_any((text), (const char *const[]){__VA_ARGS__},                                            \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static bool is_wanted(unsigned want, struct str text)
{
    bool number = has_number(text);
    return ((want & QUESTION_MONEY) && number && ANY(text, "元", "%", "倍", "罚", "费")) ||
           ((want & QUESTION_DURATION) && number &&
            ANY(text, "日", "天", "月", "年", "小时", "工作日")) ||
           ((want & QUESTION_DATE) && number && ANY(text, "年", "月", "日", "时", "点")) ||
           ((want & QUESTION_NUMBER) && number) ||
           ((want & QUESTION_WHY) && ANY(text, "因为", "由于", "因此", "所以", "导致", "因")) ||
           ((want & QUESTION_WHERE) && ANY(text, "位于", "在", "地址", "路", "号")) ||
           ((want & QUESTION_WHO) &&
            ANY(text, "部门", "局", "机关", "机构", "单位", "委", "负责", "主管")) ||
           ((want & QUESTION_LIST) && ANY(text, "：", "、", "（一）")) ||
           ((want & QUESTION_YES_NO) &&
            ANY(text, "可以", "不得", "应当", "禁止", "不予", "有权", "无权"));
}

/* ---- choosing ---- */

static bool opens_list(struct str text)
{
    return str_ends(text, STR("：")) || str_ends(text, STR(":"));
}

/* （一）, (1), 1., 一、 at the front. */
static bool is_item(struct str text)
{
    if (str_starts(text, STR("（")) || str_starts(text, STR("(")) || str_starts(text, STR("- ")))
        return true;
    size_t at = 0;
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at > 0 && at < text.len &&
           (text.ptr[at] == '.' || str_starts(str_from(text, at), STR("、")));
}

/* The sentence, with the enumeration that it opens when that is not too long. */
static struct quote_span with_items(struct str text, const struct quote_span *s, size_t n, size_t i,
                                    size_t *last)
{
    struct quote_span span = s[i];
    *last = i;
    if (!opens_list(str_slice(text, s[i].start, s[i].start + s[i].len)))
        return span;
    for (size_t j = i + 1; j < n; j++) {
        struct str item = str_slice(text, s[j].start, s[j].start + s[j].len);
        if (!is_item(item) && j > i + 1)
            break;
        if (s[j].start + s[j].len - span.start > MOST_QUOTE)
            break;
        span.len = s[j].start + s[j].len - span.start;
        *last = j;
    }
    return span;
}

/* An item is a fragment without the line that opens its list. */
static size_t opening_of(struct str text, const struct quote_span *s, size_t i)
{
    size_t j = i;
    while (j > 0 && is_item(str_slice(text, s[j].start, s[j].start + s[j].len)) && i - j < 24)
        j--;
    return j != i && opens_list(str_slice(text, s[j].start, s[j].start + s[j].len)) ? j : i;
}

static void weigh(struct grams *grams, size_t n_sentences)
{
    for (size_t i = 0; i < grams->n; i++) {
        struct gram *g = &grams->items[i];
        double idf = log(1 + ((double)n_sentences - g->in + 0.5) / (g->in + 0.5));
        g->weight = g->b ? idf : SINGLE * idf;
        g->last = 0;
    }
}

static void score_sentences(const struct question *question, struct str text, struct quote_span *s,
                            size_t n)
{
    struct grams grams;
    grams_of(question->content.len ? question->content : question->text, &grams);
    for (size_t i = 0; i < n; i++)
        mark_sentence(&grams, str_slice(text, s[i].start, s[i].start + s[i].len), (uint32_t)i + 1);
    weigh(&grams, n);
    for (size_t i = 0; i < n; i++) {
        struct str sentence = str_slice(text, s[i].start, s[i].start + s[i].len);
        mark_sentence(&grams, sentence, (uint32_t)i + 1);
        s[i].score = held(&grams, (uint32_t)i + 1);
        if (s[i].score > 0 && is_wanted(question->want, sentence))
            s[i].score += KIND_BONUS;
    }
}

static size_t best_free(const struct quote_span *s, const bool *used, size_t n)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (!used[i] && (best == n || s[i].score > s[best].score))
            best = i;
    return best;
}

enum err quote_best(const struct question *question, struct str text, size_t most,
                    struct arena *arena, struct quote_span **out, size_t *n_out, struct why *why)
{
    struct quote_span *s = arena_array(arena, struct quote_span, QUOTE_MOST_SENTENCES);
    struct quote_span *picked = arena_array(arena, struct quote_span, most ? most : 1);
    bool *used = arena_array(arena, bool, QUOTE_MOST_SENTENCES);
    if (!s || !picked || !used)
        return err_set(why, ERR_NO_MEMORY, "could not hold the passage's sentences");
    size_t n = quote_sentences(text, s, QUOTE_MOST_SENTENCES), n_picked = 0;
    score_sentences(question, text, s, n);
    while (n_picked < most) {
        size_t i = best_free(s, used, n), last;
        if (i == n || (n_picked > 0 && s[i].score < JOIN * picked[0].score))
            break;
        size_t first = opening_of(text, s, i);
        if (used[first])
            first = i;
        struct quote_span span = first == i ? with_items(text, s, n, i, &last) : s[first];
        if (first != i) { /* the opening line up to the item itself */
            last = i;
            span.len = s[i].start + s[i].len - span.start;
            if (span.len > MOST_QUOTE)
                span = s[first = i];
        }
        span.score = s[i].score;
        for (size_t j = first; j <= last; j++)
            used[j] = true;
        picked[n_picked++] = span;
    }
    *out = picked;
    *n_out = n_picked;
    return ERR_OK;
}
