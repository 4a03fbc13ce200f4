/*
 * train_quote QUESTIONS [L2]: fits the weights of knowledge/quote_weights.def and prints the table.
 *
 * QUESTIONS is JSON lines {"context","question","answers":["..."]}; a sentence that holds an answer
 * is right. The model is a softmax over the sentences of a passage, fitted by gradient descent on
 * -log(sum of the shares of the right sentences) + L2 * |w|^2. Four in five questions (by number)
 * are learned from, the fifth is told of as held out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "knowledge/quote_in.h"

#define MOST_FILE  (256u << 20)
#define MOST_CASES 20000
#define ROUNDS     1500
#define STEP       0.5

struct sentences {
    size_t n;
    double *features; /* (n, QUOTE_N_FEATURES) */
    bool *right;
};

struct set {
    struct sentences cases[MOST_CASES];
    size_t n;
};

static bool holds_answer(const struct json *answers, struct str sentence)
{
    for (size_t i = 0; i < json_len(answers); i++) {
        struct str answer = json_str(json_at(answers, i), STR(""));
        if (answer.len && str_find(sentence, answer) != STR_NPOS)
            return true;
    }
    return false;
}

static enum err read_case(const struct json *line, struct arena *arena, struct sentences *out,
                          struct why *why)
{
    struct question question;
    struct str text = json_get_str(line, "context", STR(""));
    struct quote_span *spans = arena_array(arena, struct quote_span, QUOTE_MOST_SENTENCES);
    if (!spans)
        return err_set(why, ERR_NO_MEMORY, "could not hold a passage");
    enum err err = question_read(json_get_str(line, "question", STR("")), arena, &question, why);
    out->n = quote_sentences(text, spans, QUOTE_MOST_SENTENCES);
    if (!err)
        err = quote_measure(&question, text, spans, out->n, arena, &out->features, why);
    out->right = arena_array(arena, bool, out->n + 1);
    if (!err && !out->right)
        err = err_set(why, ERR_NO_MEMORY, "could not hold a passage");
    for (size_t i = 0; !err && i < out->n; i++)
        out->right[i] =
            holds_answer(json_get(line, "answers"),
                         str_slice(text, spans[i].start, spans[i].start + spans[i].len));
    return err;
}

/* Only cases that tell something: a right sentence and a wrong one. */
static bool tells(const struct sentences *s)
{
    size_t right = 0;
    for (size_t i = 0; i < s->n; i++)
        right += s->right[i];
    return right > 0 && right < s->n;
}

static enum err read_set(const char *path, struct arena *arena, struct set *set, struct why *why)
{
    struct str text, line;
    enum err err = file_read(path, MOST_FILE, arena, &text, why);
    while (!err && str_next_line(&text, &line)) {
        const struct json *doc = NULL;
        if (str_trim_space(line).len == 0 || set->n == MOST_CASES)
            continue;
        err = json_parse(line, arena, &doc, why);
        struct why skipped = {0};
        if (!err && read_case(doc, arena, &set->cases[set->n], &skipped) == ERR_OK)
            set->n += tells(&set->cases[set->n]);
    }
    return err;
}

static void shares(const struct sentences *s, const double *w, double *out)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        out[i] = 0;
        for (size_t f = 0; f < QUOTE_N_FEATURES; f++)
            out[i] += w[f] * s->features[i * QUOTE_N_FEATURES + f];
        most = out[i] > most ? out[i] : most;
    }
    for (size_t i = 0; i < s->n; i++)
        sum += out[i] = exp(out[i] - most);
    for (size_t i = 0; i < s->n; i++)
        out[i] /= sum;
}

static void learn_one(const struct sentences *s, const double *w, double *gradient)
{
    double p[QUOTE_MOST_SENTENCES], right = 0;
    shares(s, w, p);
    for (size_t i = 0; i < s->n; i++)
        right += s->right[i] ? p[i] : 0;
    for (size_t i = 0; i < s->n; i++) {
        double pull = (s->right[i] ? p[i] / right : 0) - p[i];
        for (size_t f = 0; f < QUOTE_N_FEATURES; f++)
            gradient[f] += pull * s->features[i * QUOTE_N_FEATURES + f];
    }
}

static bool is_held(size_t i)
{
    return i % 5 == 4;
}

static double accuracy(const struct set *set, const double *w, bool held)
{
    size_t n = 0, right = 0;
    for (size_t i = 0; i < set->n; i++) {
        double p[QUOTE_MOST_SENTENCES];
        size_t best = 0;
        if (is_held(i) != held)
            continue;
        shares(&set->cases[i], w, p);
        for (size_t k = 1; k < set->cases[i].n; k++)
            best = p[k] > p[best] ? k : best;
        n++;
        right += set->cases[i].right[best];
    }
    return n ? (double)right / (double)n : 0;
}

static void learn(const struct set *set, double l2, double *w)
{
    double speed[QUOTE_N_FEATURES] = {0};
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        n += !is_held(i);
    for (int round = 0; round < ROUNDS; round++) {
        double gradient[QUOTE_N_FEATURES] = {0};
        for (size_t i = 0; i < set->n; i++)
            if (!is_held(i))
                learn_one(&set->cases[i], w, gradient);
        for (size_t f = 0; f < QUOTE_N_FEATURES; f++) {
            speed[f] = 0.9 * speed[f] + gradient[f] / (double)n - l2 * w[f];
            w[f] += STEP * speed[f];
        }
    }
}

int main(int argc, char **argv)
{
    struct why why = {0};
    struct arena *arena = arena_new(2ull << 30);
    struct set *set = calloc(1, sizeof *set);
    double w[QUOTE_N_FEATURES] = {0};
    if (argc < 2 || !arena || !set) {
        (void)fprintf(stderr, "usage: train_quote QUESTIONS [L2]\n");
        return 2;
    }
    if (read_set(argv[1], arena, set, &why)) {
        (void)fprintf(stderr, "train_quote: %s\n", why.text);
        return 1;
    }
    (void)fprintf(stderr, "%zu questions; with the present weights: learned %.4f, held out %.4f\n",
                  set->n, accuracy(set, quote_weights, false), accuracy(set, quote_weights, true));
    learn(set, argc > 2 ? atof(argv[2]) : 0.001, w);
    (void)fprintf(stderr, "with these: learned %.4f, held out %.4f\n", accuracy(set, w, false),
                  accuracy(set, w, true));
    for (size_t f = 0; f < QUOTE_N_FEATURES; f++)
        (void)printf("QUOTE_WEIGHT(%s, %.3f, \"%s\")\n", quote_feature_names[f], w[f],
                     quote_feature_words[f]);
    free(set);
    arena_free(arena);
    return 0;
}
