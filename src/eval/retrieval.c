#include "eval/eval.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/time.h"

#define TOP            10
#define QUESTION_ARENA (64u << 20)

/* Whether the hit is what the gold item names. */
static bool matches(const struct json *gold, const struct knowledge_hit *hit)
{
    struct str text = json_str(gold, STR_NONE);
    if (text.ptr)
        return str_eq(text, hit->document_id) || str_find(hit->text, text) != STR_NPOS;
    static const char *const ids[] = {"document", "document_id", "id"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if ((text = json_get_str(gold, ids[i], STR_NONE)).ptr)
            return str_eq(text, hit->document_id);
    static const char *const texts[] = {"contains", "substring", "text"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if ((text = json_get_str(gold, texts[i], STR_NONE)).ptr)
            return str_find(hit->text, text) != STR_NPOS;
    text = json_get_str(gold, "title", STR_NONE);
    if (!text.ptr || (!eval_same_title(text, hit->title) && !eval_same_title(text, hit->meta.key)))
        return false;
    struct str article = json_get_str(gold, "article", STR_NONE);
    return !article.ptr || str_eq(str_trim_space(article), hit->article);
}

/* Rank (1..) of the first hit that is this gold item; 0 when none of the n is. */
static size_t rank_of(const struct json *gold, const struct knowledge_hit *hits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (matches(gold, &hits[i]))
            return i + 1;
    return 0;
}

/* Adds one question's figures; true when gold was found among the first ten. */
static bool score(const struct json *gold, const struct knowledge_hit *hits, size_t n_hits,
                  struct eval_report *report)
{
    size_t n = json_len(gold), best = 0;
    size_t in_1 = 0, in_5 = 0, in_10 = 0;
    for (size_t i = 0; i < n; i++) {
        size_t rank = rank_of(json_at(gold, i), hits, n_hits);
        in_1 += rank == 1;
        in_5 += rank >= 1 && rank <= 5;
        in_10 += rank >= 1 && rank <= TOP;
        if (rank && rank <= TOP && (!best || rank < best))
            best = rank;
    }
    report->n_gold++;
    report->recall_1 += (double)in_1 / (double)n;
    report->recall_5 += (double)in_5 / (double)n;
    report->recall_10 += (double)in_10 / (double)n;
    report->hit_1 += best == 1;
    report->hit_10 += best > 0;
    report->mrr_10 += best ? 1.0 / (double)best : 0;
    return best > 0;
}

struct run {
    struct knowledge *knowledge;
    const struct ops_identity *who;
    const struct eval_opts *opts;
    struct eval_report report;
    struct json_out misses;
    size_t n_misses;
    double *times, *ask_times; /* ms, one a question */
};

static void miss(struct run *run, const struct json *line, const struct knowledge_hit *hits,
                 size_t n, const char *reason)
{
    if (run->n_misses++ >= run->opts->most_misses)
        return;
    struct json_out *out = &run->misses;
    json_begin_object(out);
    json_kv_str(out, "question", json_get_str(line, "question", STR("")));
    json_kv_c(out, "reason", reason);
    json_key(out, "gold");
    json_put_value(out, json_get(line, "gold"));
    json_key(out, "got");
    json_begin_array(out);
    for (size_t i = 0; i < n && i < 5; i++) {
        json_begin_object(out);
        json_kv_str(out, "title", hits[i].title);
        json_kv_str(out, "article", hits[i].article);
        json_kv_real(out, "score", hits[i].score);
        json_kv_real(out, "confidence", hits[i].confidence);
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
}

static bool is_empty(const struct json *line)
{
    return str_trim_space(json_get_str(line, "question", STR(""))).len == 0;
}

static enum err search(struct run *run, const struct json *line, struct arena *arena,
                       struct why *why)
{
    struct knowledge_hit *hits = NULL;
    size_t n = 0;
    int32_t as_of = DAY_NONE;
    const struct json *gold = json_get(line, "gold");
    struct str day = json_get_str(line, "as_of", STR(""));
    if (day.len && !day_parse(day, &as_of))
        return err_set(why, ERR_INVALID, "\"as_of\" is no date: \"%.*s\"", STR_FMT(day));
    struct knowledge_query query = {.kb = run->opts->kb,
                                    .text = json_get_str(line, "question", STR("")),
                                    .as_of = as_of,
                                    .limit = TOP};
    int64_t start = time_mono_ns();
    /* Public sets hold empty questions: nothing can be found for one, and the rest is to be
     * measured. */
    enum err err = is_empty(line)
                       ? ERR_OK
                       : knowledge_search(run->knowledge, run->who, &query, arena, &hits, &n, why);
    if (err)
        return err;
    run->times[run->report.n] = (double)(time_mono_ns() - start) / 1e6;
    if (json_len(gold) == 0)
        run->report.n_refuse++;
    else if (!score(gold, hits, n, &run->report))
        miss(run, line, hits, n, "not among the first ten");
    return ERR_OK;
}

/* Whether every expected fact stands in the answer. */
static bool contains_all(const struct json *facts, struct str text)
{
    for (size_t i = 0; i < json_len(facts); i++)
        if (str_find(text, json_str(json_at(facts, i), STR(""))) == STR_NPOS)
            return false;
    return true;
}

static enum err ask(struct run *run, const struct json *line, struct arena *arena, struct why *why)
{
    struct knowledge_answer answer = {0};
    struct knowledge_ask ask = {.query = {.kb = run->opts->kb,
                                          .text = json_get_str(line, "question", STR("")),
                                          .as_of = DAY_NONE,
                                          .limit = TOP}};
    struct str day = json_get_str(line, "as_of", STR(""));
    if (day.len && !day_parse(day, &ask.query.as_of))
        return err_set(why, ERR_INVALID, "\"as_of\" is no date: \"%.*s\"", STR_FMT(day));
    int64_t start = time_mono_ns();
    enum err err = knowledge_ask(run->knowledge, run->who, &ask, arena, &answer, why);
    if (err)
        return err;
    run->ask_times[run->report.n] = (double)(time_mono_ns() - start) / 1e6;
    bool must_refuse = json_len(json_get(line, "gold")) == 0;
    run->report.refused += answer.refused;
    run->report.refused_right += answer.refused && must_refuse;
    if (answer.refused != must_refuse)
        miss(run, line, answer.hits, answer.n_hits,
             must_refuse ? "answered, but nothing supports an answer" : "refused");
    const struct json *facts = json_get(line, "answer_contains");
    if (json_len(facts) == 0)
        return ERR_OK;
    run->report.n_contains++;
    if (!answer.refused && contains_all(facts, answer.text))
        run->report.contains_right++;
    else if (!answer.refused)
        miss(run, line, answer.hits, answer.n_hits, "the answer lacks an expected fact");
    return ERR_OK;
}

static enum err one(struct run *run, struct str text, struct arena *arena, struct why *why)
{
    const struct json *line = NULL;
    enum err err = json_parse(text, arena, &line, why);
    if (err)
        return err;
    if (run->opts->split && !str_eq_c(json_get_str(line, "split", STR("")), run->opts->split))
        return ERR_OK;
    if (json_kind(json_get(line, "question")) != JSON_KIND_STRING ||
        json_kind(json_get(line, "gold")) != JSON_KIND_ARRAY)
        return err_set(why, ERR_INVALID, "a line needs \"question\" (text) and \"gold\" (array)");
    err = search(run, line, arena, why);
    if (!err && run->opts->ask && !is_empty(line))
        err = ask(run, line, arena, why);
    if (!err)
        run->report.n++;
    return err;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double q)
{
    return n ? sorted[(size_t)((double)(n - 1) * q + 0.5)] : 0;
}

static void times(struct run *run)
{
    struct eval_report *r = &run->report;
    double sum = 0;
    for (size_t i = 0; i < r->n; i++)
        sum += run->times[i];
    qsort(run->times, r->n, sizeof *run->times, by_value);
    qsort(run->ask_times, r->n, sizeof *run->ask_times, by_value);
    r->mean_ms = r->n ? sum / (double)r->n : 0;
    r->p50_ms = quantile(run->times, r->n, 0.50);
    r->p95_ms = quantile(run->times, r->n, 0.95);
    r->ask_p50_ms = quantile(run->ask_times, r->n, 0.50);
    r->ask_p95_ms = quantile(run->ask_times, r->n, 0.95);
}

static size_t count_lines(struct str text)
{
    struct str line;
    size_t n = 0;
    while (str_next_line(&text, &line))
        n += str_trim_space(line).len > 0;
    return n;
}

static enum err all(struct run *run, eval_progress_fn *progress, void *ctx, struct why *why)
{
    struct str rest = run->opts->questions, line;
    struct arena *arena = arena_new(QUESTION_ARENA);
    size_t total = count_lines(rest), done = 0;
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold a question");
    for (int number = 1; !err && str_next_line(&rest, &line); number++) {
        line = str_trim_space(line);
        if (line.len == 0)
            continue;
        arena_reset(arena);
        err = one(run, line, arena, why);
        if (err)
            err_prefix(why, "line %d", number);
        else if (progress && !progress(ctx, ++done, total))
            err = err_set(why, ERR_CANCELLED, "the evaluation was cancelled");
    }
    arena_free(arena);
    return err;
}

enum err eval_retrieval(struct knowledge *knowledge, const struct ops_identity *who,
                        const struct eval_opts *opts, eval_progress_fn *progress, void *ctx,
                        struct arena *arena, struct eval_report *out, struct why *why)
{
    struct run run = {.knowledge = knowledge, .who = who, .opts = opts};
    struct buf misses;
    size_t n = count_lines(opts->questions);
    run.times = arena_array(arena, double, n);
    run.ask_times = arena_array(arena, double, n);
    if (!run.times || !run.ask_times)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu questions", n);
    buf_init(&misses, arena);
    json_out_init(&run.misses, &misses);
    json_begin_array(&run.misses);
    enum err err = all(&run, progress, ctx, why);
    if (err)
        return err;
    json_end_array(&run.misses);
    err = buf_err(&misses, why);
    if (err)
        return err;
    times(&run);
    run.report.misses = buf_str(&misses);
    *out = run.report;
    return ERR_OK;
}

/* A share, or null when there was nothing to share. */
static void ratio(struct json_out *out, const char *key, double part, double whole)
{
    json_key(out, key);
    if (whole > 0)
        json_put_real(out, part / whole);
    else
        json_put_null(out);
}

void eval_json(const struct eval_report *r, bool with_misses, struct json_out *out)
{
    double gold = (double)r->n_gold, refuse = (double)r->n_refuse;
    size_t refused_wrong = r->refused - r->refused_right;
    json_begin_object(out);
    json_kv_int(out, "n", (int64_t)r->n);
    json_kv_int(out, "n_gold", (int64_t)r->n_gold);
    json_kv_int(out, "n_refuse", (int64_t)r->n_refuse);
    ratio(out, "recall@1", r->recall_1, gold);
    ratio(out, "recall@5", r->recall_5, gold);
    ratio(out, "recall@10", r->recall_10, gold);
    ratio(out, "hit@1", r->hit_1, gold);
    ratio(out, "hit@10", r->hit_10, gold);
    ratio(out, "mrr@10", r->mrr_10, gold);
    ratio(out, "refusal_precision", (double)r->refused_right, (double)r->refused);
    ratio(out, "refusal_recall", (double)r->refused_right, refuse);
    ratio(out, "answered_rate", gold - (double)refused_wrong, gold);
    ratio(out, "answer_accuracy", (double)r->contains_right, (double)r->n_contains);
    json_kv_real(out, "p50_ms", r->p50_ms);
    json_kv_real(out, "p95_ms", r->p95_ms);
    json_kv_real(out, "mean_ms", r->mean_ms);
    json_kv_real(out, "ask_p50_ms", r->ask_p50_ms);
    json_kv_real(out, "ask_p95_ms", r->ask_p95_ms);
    if (with_misses) {
        json_key(out, "misses");
        json_put_raw(out, r->misses.len ? r->misses : STR("[]"));
    }
    json_end_object(out);
}
