/*
 * train_answer DATA L2 MODEL FILE[@SPLIT[@WEIGHT[@KB[@WITHOUT]]]]...: fits the weights of
 * knowledge/answer_weights.def on questions over the bases of a data directory and prints the
 * table; writes the model of the questions' wording (knowledge/asked.h) to MODEL.
 *
 * FILE is a question file of `yicheng eval retrieval`. A passage is right when it is what "gold"
 * names or, where "answer_contains" stands, holds all of it. The model is a softmax over the
 * gathered passages and "no answer" (sum 0), fitted by gradient descent on -log(share of what is
 * right) + L2 * |w|^2; what is right of "gold": [] is no answer; of a question whose gold was not
 * found, any passage. A '?' before FILE holds it out: it is only told of. WEIGHT counts a file's
 * questions more or less than once.
 *
 * While the weights are fitted, what the wording's model says of a question comes from one that has
 * not seen it: of five, each trained without a fifth of the questions.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "eval/eval.h"
#include "knowledge/answer_rank.h"
#include "knowledge/asked.h"
#include "learn/learn.h"
#include "main/center.h"

#define MOST_FILE  (64u << 20)
#define MOST_CASES 20000
#define MOST_HITS  60
#define ROUNDS     3000
#define STEP       0.05
#define FOLDS      5
#define COPIES     5 /* of a question of full weight, against one of less */

struct sample {
    size_t n, n_right;
    double weight;
    bool refuse, held; /* held: told of, not learned from */
    bool left_out; /* its right passages were taken away: its wording is that of an answered one */
    const char *file, *question;
    struct str text;    /* the question as the ranking reads it */
    const char **names; /* of the hits, for the dump */
    double *features;
    bool *right;
};

struct set {
    struct sample items[MOST_CASES];
    size_t n;
};

static bool is_right(const struct json *line, const struct knowledge_hit *hit)
{
    const struct json *facts = json_get(line, "answer_contains"), *gold = json_get(line, "gold");
    bool all = json_len(facts) > 0;
    for (size_t i = 0; all && i < json_len(facts); i++)
        all = str_find(hit->text, json_str(json_at(facts, i), STR("\1"))) != STR_NPOS;
    for (size_t i = 0; !all && i < json_len(gold); i++) {
        struct str title = json_get_str(json_at(gold, i), "title", STR_NONE);
        struct str article = json_get_str(json_at(gold, i), "article", STR_NONE);
        all = title.ptr && eval_same_title(title, hit->title) &&
              (!article.ptr || str_eq(article, hit->article));
    }
    return all;
}

static enum err read_one(struct center *c, const char *kb, const struct json *line,
                         struct arena *arena, struct sample *out, struct why *why)
{
    struct question q;
    struct knowledge_hit *hits;
    struct knowledge_query query = {.kb = kb, .as_of = DAY_NONE, .limit = MOST_HITS};
    struct str day = json_get_str(line, "as_of", STR(""));
    struct arena *work = arena_new(64u << 20);
    if (!work)
        return err_set(why, ERR_NO_MEMORY, "could not hold a question");
    enum err err = question_read(json_get_str(line, "question", STR("")), work, &q, why);
    query.text = q.text;
    if (!err && day.len && !day_parse(day, &query.as_of))
        err = err_set(why, ERR_INVALID, "as_of is no date");
    if (!err)
        err = answer_gather(c->knowledge, &c->system, &query, q.want, work, &hits, &out->n, why);
    if (!err)
        err = answer_measure(c->knowledge, &c->system, kb, &q, hits, out->n, arena, &out->features,
                             why);
    out->text = str_copy(arena, q.text);
    out->right = arena_array(arena, bool, out->n + 1);
    for (size_t i = 0; !err && out->right && i < out->n; i++)
        out->n_right += out->right[i] = is_right(line, &hits[i]);
    out->names = (const char **)arena_array(arena, char *, out->n + 1);
    for (size_t i = 0; !err && out->names && i < out->n; i++)
        out->names[i] = str_z(arena, str_printf(arena, "%.*s %.*s", STR_FMT(hits[i].title),
                                                STR_FMT(hits[i].article)));
    out->refuse = json_len(json_get(line, "gold")) == 0;
    for (size_t i = 0; !err && !out->refuse && !out->n_right && i < out->n; i++)
        out->right[i] = true;
    arena_free(work);
    return err;
}

/* The same question as if the base had not what is right: nothing answers it then. */
static enum err leave_out(const struct sample *s, double weight, struct arena *arena,
                          struct sample *out, struct why *why)
{
    *out = (struct sample){.weight = weight, .refuse = true, .left_out = true, .text = s->text};
    out->features = arena_array(arena, double, s->n *ANSWER_N_FEATURES + 1);
    out->right = arena_array(arena, bool, s->n + 1);
    if (!out->features || !out->right)
        return err_set(why, ERR_NO_MEMORY, "could not hold a question");
    for (size_t i = 0; i < s->n; i++)
        if (!s->right[i])
            memcpy(out->features + out->n++ * ANSWER_N_FEATURES,
                   s->features + i * ANSWER_N_FEATURES, ANSWER_N_FEATURES * sizeof(double));
    return ERR_OK;
}

static enum err read_set(struct center *c, char *spec, struct arena *arena, struct set *set,
                         struct why *why)
{
    bool held = *spec == '?';
    char *file = strtok(spec + held, "@"), *split = strtok(NULL, "@"), *weight = strtok(NULL, "@");
    char *kb = strtok(NULL, "@"), *left_out = strtok(NULL, "@");
    double without = left_out ? atof(left_out) : 0;
    if (kb && *kb == '*')
        kb = NULL;
    struct str text, line;
    size_t n = 0, found = 0;
    enum err err = file_read(file, MOST_FILE, arena, &text, why);
    while (!err && str_next_line(&text, &line)) {
        const struct json *doc = NULL;
        if (str_trim_space(line).len == 0 || set->n == MOST_CASES)
            continue;
        err = json_parse(line, arena, &doc, why);
        if (err ||
            (split && *split != '*' && !str_eq_c(json_get_str(doc, "split", STR("")), split)))
            continue;
        struct sample *s = &set->items[set->n];
        s->weight = weight ? atof(weight) : 1;
        s->held = held;
        err = read_one(c, kb, doc, arena, s, why);
        s->file = file;
        s->question = str_z(arena, json_get_str(doc, "question", STR("")));
        set->n += !err && s->n > 0;
        if (!err && s->n_right && without > 0 && set->n < MOST_CASES && !held)
            err = leave_out(s, without, arena, &set->items[set->n++], why);
        n++;
        found += s->n_right > 0;
    }
    (void)fprintf(stderr, "%s: %zu questions, gold gathered for %zu\n", file, n, found);
    return err;
}

/* p[n] is that of no answer. */
static void shares(const struct sample *s, const double *w, double *p)
{
    double most = 0, sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        p[i] = 0;
        for (size_t f = 0; f < ANSWER_N_FEATURES; f++)
            p[i] += w[f] * s->features[i * ANSWER_N_FEATURES + f];
        most = p[i] > most ? p[i] : most;
    }
    p[s->n] = 0;
    for (size_t i = 0; i <= s->n; i++)
        sum += p[i] = exp(p[i] - most);
    for (size_t i = 0; i <= s->n; i++)
        p[i] /= sum;
}

static void learn_one(const struct sample *s, const double *w, double *gradient)
{
    double p[256 + 1], right = s->refuse ? 0 : 1e-9;
    shares(s, w, p);
    for (size_t i = 0; !s->refuse && i < s->n; i++)
        right += s->right[i] ? p[i] : 0;
    for (size_t i = 0; i < s->n; i++) {
        double pull = (!s->refuse && s->right[i] ? p[i] / right : 0) - p[i];
        for (size_t f = 0; f < ANSWER_N_FEATURES; f++)
            gradient[f] += s->weight * pull * s->features[i * ANSWER_N_FEATURES + f];
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Where as large a share is answered as is refused, and that share. */
static void balance(double *yes, size_t n_yes, double *no, size_t n_no)
{
    double best = 0, at = 0;
    qsort(yes, n_yes, sizeof *yes, by_value);
    for (size_t i = 0; i < n_yes; i++) {
        size_t refused = 0;
        for (size_t k = 0; k < n_no; k++)
            refused += no[k] < yes[i];
        double answered = (double)(n_yes - i) / (double)n_yes;
        double worse = n_no ? (double)refused / (double)n_no : 0;
        worse = worse < answered ? worse : answered;
        if (worse > best) {
            best = worse;
            at = yes[i];
        }
    }
    (void)fprintf(stderr, "    answered and refused %.3f when told apart at %.3f\n", best, at);
}

static void tell(const struct set *set, const double *w, bool held, const char *words)
{
    static double yes[MOST_CASES], no[MOST_CASES];
    size_t n_yes = 0, n_no = 0, first = 0, n_found = 0, refused = 0, answered = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct sample *s = &set->items[i];
        double p[256 + 1];
        size_t best = 0;
        if (s->held != held)
            continue;
        shares(s, w, p);
        for (size_t k = 1; k < s->n; k++)
            best = p[k] > p[best] ? k : best;
        refused += s->refuse && p[s->n] > 0.5;
        answered += !s->refuse && p[s->n] <= 0.5;
        n_found += s->n_right > 0;
        first += s->n_right && s->right[best];
        if (s->refuse)
            no[n_no++] = 1 - p[s->n];
        else
            yes[n_yes++] = 1 - p[s->n];
    }
    if (n_yes + n_no == 0)
        return;
    (void)fprintf(stderr,
                  "%s: right first %.3f of %zu found, answered %.3f of %zu, refused %.3f of %zu\n",
                  words, (double)first / (double)n_found, n_found, (double)answered / (double)n_yes,
                  n_yes, (double)refused / (double)n_no, n_no);
    balance(yes, n_yes, no, n_no);
}

/* ---- the wording of questions ---- */

static unsigned fold_of(struct str question)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < question.len; i++)
        hash = (hash ^ (unsigned char)question.ptr[i]) * 16777619u;
    return hash % FOLDS;
}

static bool is_repeated(const struct set *set, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (!set->items[i].left_out && str_eq(set->items[i].text, set->items[at].text))
            return true;
    return false;
}

/* Of all questions but those of one fold; FOLDS: of all. */
static enum err train_wording(const struct set *set, unsigned without, struct learn_model **out,
                              struct why *why)
{
    static struct learn_example examples[MOST_CASES * COPIES];
    const struct str labels[] = {STR(ASKED_OTHER), STR(ASKED_ANSWERED)};
    struct learn_options options = learn_options_default;
    size_t n = 0;
    options.bits = 16;
    options.grams_least = 1;
    options.grams_most = 3;
    options.balance = true;
    options.note = STR("tests/data *dev, LeCoQA dev, questions of encyclopedias and chats");
    for (size_t i = 0; i < set->n; i++) {
        const struct sample *s = &set->items[i];
        if (s->held || s->left_out || fold_of(s->text) == without || is_repeated(set, i))
            continue;
        for (int k = 0; k < (s->weight >= 1 ? COPIES : 1); k++)
            examples[n++] = (struct learn_example){.text = s->text, .label = !s->refuse};
    }
    return learn_train(examples, n, labels, 2, &options, out, why);
}

static void say_wording(struct set *set, const struct learn_model *model, unsigned fold, bool held)
{
    for (size_t i = 0; i < set->n; i++) {
        struct sample *s = &set->items[i];
        if (s->held != held || (!held && fold_of(s->text) != fold))
            continue;
        double odds = asked_answered_by(model, s->text) / ASKED_MOST;
        for (size_t k = 0; k < s->n; k++)
            s->features[k * ANSWER_N_FEATURES + ANSWER_F_asked] = odds;
    }
}

static enum err learn_wording(struct set *set, const char *path, struct arena *arena,
                              struct why *why)
{
    enum err err = ERR_OK;
    for (unsigned fold = 0; !err && fold <= FOLDS; fold++) {
        struct learn_model *model = NULL;
        struct str bytes;
        err = train_wording(set, fold, &model, why);
        if (!err)
            say_wording(set, model, fold, fold == FOLDS);
        if (!err && fold == FOLDS)
            err = learn_write(model, arena, &bytes, why);
        if (!err && fold == FOLDS)
            err = file_write(path, bytes, 0644, why);
        learn_free(model);
    }
    return err;
}

/* Adam (Kingma and Ba 2015). */
static void fit(const struct set *set, double l2, double *w)
{
    double m[ANSWER_N_FEATURES] = {0}, v[ANSWER_N_FEATURES] = {0}, n = 0;
    for (size_t i = 0; i < set->n; i++)
        n += set->items[i].held ? 0 : set->items[i].weight;
    for (int round = 1; round <= ROUNDS; round++) {
        double gradient[ANSWER_N_FEATURES] = {0};
        for (size_t i = 0; i < set->n; i++)
            if (!set->items[i].held)
                learn_one(&set->items[i], w, gradient);
        for (size_t f = 0; f < ANSWER_N_FEATURES; f++) {
            double g = gradient[f] / n - 2 * l2 * w[f];
            m[f] = 0.9 * m[f] + 0.1 * g;
            v[f] = 0.999 * v[f] + 0.001 * g * g;
            w[f] += STEP * (m[f] / (1 - pow(0.9, round))) /
                    (sqrt(v[f] / (1 - pow(0.999, round))) + 1e-8);
        }
    }
}

/* The figures as JSON lines, for a look at them elsewhere: one question a line. */
static void dump(const struct set *set)
{
    struct arena *arena = arena_new(64u << 20);
    for (size_t i = 0; arena && i < set->n; i++) {
        const struct sample *s = &set->items[i];
        struct buf buf;
        struct json_out out;
        arena_reset(arena);
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_kv_c(&out, "file", s->file ? s->file : "left out");
        json_kv_c(&out, "question", s->question ? s->question : "");
        json_kv_bool(&out, "refuse", s->refuse);
        json_key(&out, "hits");
        json_begin_array(&out);
        for (size_t k = 0; k < s->n; k++) {
            json_begin_array(&out);
            json_put_str(&out, str_c(s->names && s->names[k] ? s->names[k] : ""));
            json_put_int(&out, s->n_right && s->right[k]);
            for (size_t f = 0; f < ANSWER_N_FEATURES; f++)
                json_put_real(&out, s->features[k * ANSWER_N_FEATURES + f]);
            json_end_array(&out);
        }
        json_end_array(&out);
        json_end_object(&out);
        if (!buf.failed)
            (void)printf("%.*s\n", STR_FMT(buf_str(&buf)));
    }
    arena_free(arena);
}

int main(int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    struct arena *arena = arena_new(2ull << 30);
    struct set *set = calloc(1, sizeof *set);
    double w[ANSWER_N_FEATURES] = {0};
    if (argc < 5 || !arena || !set) {
        (void)fprintf(
            stderr, "usage: train_answer DATA L2 MODEL FILE[@SPLIT[@WEIGHT[@KB[@WITHOUT]]]]...\n");
        return 2;
    }
    struct center_opts opts = {.data = argv[1], .program = argv[0]};
    enum err err = center_open(&opts, CENTER_ALL, &center, &why);
    for (int i = 4; !err && i < argc; i++)
        err = read_set(&center, argv[i], arena, set, &why);
    if (!err)
        err = learn_wording(set, argv[3], arena, &why);
    if (err) {
        (void)fprintf(stderr, "train_answer: %s\n", why.text);
        return 1;
    }
    if (strcmp(argv[2], "dump") == 0) {
        dump(set);
        center_close(&center);
        return 0;
    }
    tell(set, answer_weights, false, "learned, with the present weights");
    tell(set, answer_weights, true, "held out, with the present weights");
    fit(set, atof(argv[2]), w);
    tell(set, w, false, "learned");
    tell(set, w, true, "held out");
    for (size_t f = 0; f < ANSWER_N_FEATURES; f++)
        (void)printf("ANSWER_WEIGHT(%s, %.3f, \"%s\")\n", answer_feature_names[f], w[f],
                     answer_feature_words[f]);
    center_close(&center);
    free(set);
    arena_free(arena);
    return 0;
}
