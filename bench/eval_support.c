/*
 * eval_support QUERIES.json [dev|test]: how well knowledge/support tells sentences that stand in
 * the passages from sentences that do not.
 *
 * Material: laypeople's questions with answers that lawyers wrote and the articles they rest on
 * (LeCoQA's fields 答案文本 and 相关法规). A sentence before its own articles mostly stands (not
 * always: people add what they know); before another question's articles, the nearest by shared
 * words, it does not; nor does a sentence that stood and of which a number, a mark (可以, 不得 ...)
 * or a 不 was changed. "test" are the questions whose number hashes into one fifth; nothing is
 * fitted on them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "knowledge/quote.h"
#include "knowledge/support.h"

#define MOST_SOURCES 16

struct item {
    struct str question, answer;
    struct support_source sources[MOST_SOURCES];
    size_t n;
    bool test;
};

static struct arena *arena;
static struct why why;

static void die(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, why.text);
    exit(1);
}

static void read_item(const struct json *row, size_t number, struct item *out)
{
    const struct json *laws = json_get(row, "相关法规");
    out->question = json_get_str(row, "问题", STR(""));
    out->answer = json_get_str(row, "答案文本", STR(""));
    out->test = hash64(&number, sizeof number, 7) % 5 == 0;
    const struct json *text;
    struct str name;
    for (void *at = NULL; out->n < MOST_SOURCES && json_each(laws, &at, &name, &text);) {
        size_t cut = str_find(name, STR("第"));
        struct str title = str_slice(name, 0, cut == STR_NPOS ? name.len : cut);
        out->sources[out->n++] =
            (struct support_source){title, str_from(name, title.len), json_str(text, STR(""))};
    }
}

static double alike(struct str a, struct str b)
{
    struct support s;
    struct support_source source = {.text = b};
    if (support_of(a, &source, 1, arena, &s, &why))
        die("alike");
    return s.share;
}

struct count {
    size_t n, stands;
};

static void tell(const char *name, const struct count *c)
{
    (void)printf("%-34s %5zu sentences, kept %.3f\n", name, c->n,
                 c->n ? (double)c->stands / (double)c->n : 0);
}

static bool stands(struct str sentence, const struct support_source *sources, size_t n,
                   enum support_verdict *verdict)
{
    struct support s;
    if (support_of(sentence, sources, n, arena, &s, &why))
        die("support");
    *verdict = s.verdict;
    return s.verdict == SUPPORT_STANDS;
}

/* The sentence with the first `from` turned into `to`; empty when there is none. */
static struct str turned(struct str s, const char *from, const char *to)
{
    size_t at = str_find(s, str_c(from));
    if (at == STR_NPOS)
        return STR("");
    return str_printf(arena, "%.*s%s%.*s", STR_FMT(str_slice(s, 0, at)), to,
                      STR_FMT(str_from(s, at + strlen(from))));
}

static const char *const turns[][2] = {
    {"不得", "可以"},     {"可以", "不得"},     {"应当", "可以"},
    {"不承担", "承担"},   {"承担", "不承担"},   {"无权", "有权"},
    {"有权", "无权"},     {"不能", "可以"},     {"不影响", "影响"},
    {"三十日", "六十日"}, {"六个月", "三个月"}, {"一年", "二年"},
    {"三年", "五年"},     {"二倍", "三倍"},     {"十五日", "二十日"},
    {"必须", "可以"},     {"一个月", "两个月"}, {"百分之二十", "百分之三十"},
    {"第一", "第九"},     {"第二", "第七"},
};

int main(int argc, char **argv)
{
    arena = arena_new((size_t)8 << 30);
    struct str text;
    const struct json *root;
    bool test = argc > 2 && strcmp(argv[2], "test") == 0;
    if (argc < 2 || file_read(argv[1], (size_t)1 << 28, arena, &text, &why) ||
        json_parse(text, arena, &root, &why))
        die("eval_support QUERIES.json [dev|test]");
    size_t n = json_len(root);
    struct item *items = arena_array(arena, struct item, n);
    for (size_t i = 0; i < n; i++)
        read_item(json_at(root, i), i, &items[i]);
    struct count own = {0}, foreign = {0}, changed[sizeof turns / sizeof turns[0]] = {{0}},
                 all = {0};
    size_t verdicts[6] = {0};
    for (size_t i = 0; i < n; i++) {
        struct quote_span spans[64];
        if (items[i].test != test || items[i].n == 0)
            continue;
        size_t other = i;
        double most = -1;
        for (size_t k = 1; k <= 40; k++) { /* the nearest of forty others with other articles */
            size_t j = (i + k * 17) % n;
            double a = items[j].n && !str_eq(items[j].sources[0].text, items[i].sources[0].text)
                           ? alike(items[i].question, items[j].sources[0].text)
                           : -1;
            if (a > most) {
                most = a;
                other = j;
            }
        }
        size_t m = quote_sentences(items[i].answer, spans, 64);
        for (size_t k = 0; k < m; k++) {
            enum support_verdict v;
            struct str s =
                str_slice(items[i].answer, spans[k].start, spans[k].start + spans[k].len);
            bool good = stands(s, items[i].sources, items[i].n, &v);
            verdicts[v]++;
            own.n += v != SUPPORT_EMPTY;
            own.stands += good;
            foreign.n += v != SUPPORT_EMPTY;
            foreign.stands += other != i && stands(s, items[other].sources, items[other].n, &v);
            for (size_t t = 0; good && t < sizeof turns / sizeof turns[0]; t++) {
                struct str wrong = turned(s, turns[t][0], turns[t][1]);
                if (wrong.len == 0)
                    continue;
                bool kept = stands(wrong, items[i].sources, items[i].n, &v);
                changed[t].n++, all.n++;
                changed[t].stands += kept, all.stands += kept;
            }
        }
    }
    tell("before its own articles", &own);
    tell("before another question's", &foreign);
    tell("changed so that it is wrong", &all);
    for (size_t t = 0; t < sizeof turns / sizeof turns[0]; t++) {
        char name[80];
        (void)snprintf(name, sizeof name, "  %s -> %s", turns[t][0], turns[t][1]);
        tell(name, &changed[t]);
    }
    for (size_t v = 0; v < 6; v++)
        (void)printf("%s %zu  ", support_verdict_name((enum support_verdict)v), verdicts[v]);
    (void)printf("\n");
    return 0;
}
