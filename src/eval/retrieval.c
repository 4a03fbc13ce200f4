#include "eval/eval.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/time.h"
#include "eval/room.h"

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

#define MOST_TURNS 20

struct run {
    struct knowledge *knowledge;
    const struct ops_identity *who;
    const struct eval_opts *opts;
    struct eval_report report;
    struct json_out misses;
    size_t n_misses;
    double *times, *ask_times; /* ms, one a question */
};

/* A question with the conversation before it. */
struct asked {
    const struct json *line;
    struct str text; /* what is searched for */
    const struct knowledge_turn *turns;
    size_t n_turns;
    struct knowledge_answer answer; /* when it was asked */
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

static bool is_empty(struct str text)
{
    return str_trim_space(text).len == 0;
}

static enum err as_of(const struct json *line, int32_t *out, struct why *why)
{
    struct str day = json_get_str(line, "as_of", STR(""));
    *out = DAY_NONE;
    if (day.len && !day_parse(day, out))
        return err_set(why, ERR_INVALID, "\"as_of\" is no date: \"%.*s\"", STR_FMT(day));
    return ERR_OK;
}

static enum err search(struct run *run, const struct asked *a, struct arena *arena, struct why *why)
{
    struct knowledge_hit *hits = NULL;
    struct eval_report *r = &run->report;
    size_t n = 0;
    const struct json *gold = json_get(a->line, "gold");
    struct knowledge_query query = {.kb = run->opts->kb, .text = a->text, .limit = TOP};
    enum err err = as_of(a->line, &query.as_of, why);
    int64_t start = time_mono_ns();
    /* Public sets hold empty questions: nothing can be found for one, and the rest is to be
     * measured. */
    if (!err && !is_empty(a->text))
        err = knowledge_search(run->knowledge, run->who, &query, arena, &hits, &n, why);
    if (err)
        return err;
    run->times[r->n] = (double)(time_mono_ns() - start) / 1e6;
    if (json_len(gold) == 0) {
        r->n_refuse++;
        return ERR_OK;
    }
    bool found = score(gold, hits, n, r);
    if (!found)
        miss(run, a->line, hits, n, "not among the first ten");
    r->n_followups += a->n_turns > 0;
    r->followup_hit_10 += a->n_turns > 0 && found;
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

/* Whether the first quote is from a record that is gold, and from the field that was asked for. */
static void score_place(struct run *run, const struct asked *a)
{
    struct eval_report *r = &run->report;
    const struct knowledge_answer *answer = &a->answer;
    const struct json *gold = json_get(a->line, "gold");
    struct str field = json_get_str(a->line, "field", STR("")), label;
    const struct knowledge_quote *quote = answer->n_quotes ? &answer->quotes[0] : NULL;
    bool titled = false, right = false;
    for (size_t i = 0; quote && i < json_len(gold); i++) {
        struct str title = json_get_str(json_at(gold, i), "title", STR_NONE);
        titled = titled || title.ptr;
        right = right || (title.ptr && eval_same_title(title, answer->hits[quote->hit].title));
    }
    r->n_records += titled;
    r->record_right += right;
    label = knowledge_field_label(field);
    if (!quote || !label.len)
        return;
    r->n_fields++;
    r->field_right += str_eq(quote->field, label);
    if (!right || !str_eq(quote->field, label))
        miss(run, a->line, answer->hits, answer->n_hits,
             right ? "another field of the record" : "another record");
}

static void score_facts(struct run *run, const struct asked *a)
{
    struct eval_report *r = &run->report;
    const struct json *facts = json_get(a->line, "answer_contains");
    bool right = !a->answer.refused && contains_all(facts, a->answer.text);
    if (json_len(facts) == 0)
        return;
    r->n_contains++;
    r->contains_right += right;
    r->n_followup_contains += a->n_turns > 0;
    r->followup_right += a->n_turns > 0 && right;
    if (!right && !a->answer.refused)
        miss(run, a->line, a->answer.hits, a->answer.n_hits, "the answer lacks an expected fact");
}

static enum err ask(struct run *run, struct asked *a, struct arena *arena, struct why *why)
{
    struct eval_report *r = &run->report;
    struct knowledge_ask ask = {.query = {.kb = run->opts->kb,
                                          .text = json_get_str(a->line, "question", STR("")),
                                          .limit = TOP},
                                .turns = a->turns,
                                .n_turns = a->n_turns};
    enum err err = as_of(a->line, &ask.query.as_of, why);
    int64_t start = time_mono_ns();
    if (!err)
        err = knowledge_ask(run->knowledge, run->who, &ask, arena, &a->answer, why);
    if (err)
        return err;
    run->ask_times[r->n] = (double)(time_mono_ns() - start) / 1e6;
    a->text = a->answer.question;
    bool must_refuse = json_len(json_get(a->line, "gold")) == 0;
    r->refused += a->answer.refused;
    r->refused_right += a->answer.refused && must_refuse;
    r->followup_answered += a->n_turns > 0 && !must_refuse && !a->answer.refused;
    if (a->answer.refused != must_refuse)
        miss(run, a->line, a->answer.hits, a->answer.n_hits,
             must_refuse ? "answered, but nothing supports an answer" : "refused");
    score_place(run, a);
    score_facts(run, a);
    return ERR_OK;
}

/* One question, alone or behind others. */
static enum err one_asked(struct run *run, struct asked *a, struct arena *arena, struct why *why)
{
    a->text = json_get_str(a->line, "question", STR(""));
    enum err err = run->opts->ask && !is_empty(a->text) ? ask(run, a, arena, why) : ERR_OK;
    if (!err)
        err = search(run, a, arena, why);
    if (!err)
        run->report.n++;
    return err;
}

static enum err conversation(struct run *run, const struct json *turns, struct arena *arena,
                             struct why *why)
{
    struct knowledge_turn said[2 * MOST_TURNS];
    enum err err = ERR_OK;
    size_t n = 0;
    for (size_t i = 0; !err && i < json_len(turns); i++) {
        struct asked a = {.line = json_at(turns, i), .turns = said, .n_turns = n};
        err = one_asked(run, &a, arena, why);
        said[n++] = (struct knowledge_turn){STR("user"),
                                            json_get_str(json_at(turns, i), "question", STR(""))};
        if (!err && run->opts->ask)
            said[n++] = (struct knowledge_turn){STR("assistant"), a.answer.text};
    }
    return err;
}

static bool is_question(const struct json *line)
{
    return json_kind(json_get(line, "question")) == JSON_KIND_STRING &&
           json_kind(json_get(line, "gold")) == JSON_KIND_ARRAY;
}

enum err eval_check_line(const struct json *line, size_t *n, struct why *why)
{
    const struct json *turns = json_get(line, "turns");
    size_t n_turns = json_len(turns);
    *n = n_turns ? n_turns : 1;
    if (!n_turns && is_question(line))
        return ERR_OK;
    if (!n_turns)
        return err_set(why, ERR_INVALID, "a line needs \"question\" (text) and \"gold\" (array)");
    if (n_turns > MOST_TURNS)
        return err_set(why, ERR_INVALID, "%zu turns are more than %d", n_turns, MOST_TURNS);
    for (size_t i = 0; i < n_turns; i++)
        if (!is_question(json_at(turns, i)))
            return err_set(why, ERR_INVALID,
                           "a turn needs \"question\" (text) and \"gold\" (array)");
    return ERR_OK;
}

static enum err one(struct run *run, struct str text, struct arena *arena, struct why *why)
{
    const struct json *line = NULL;
    size_t n;
    enum err err = json_parse(text, arena, &line, why);
    if (err)
        return err;
    if (run->opts->split && !str_eq_c(json_get_str(line, "split", STR("")), run->opts->split))
        return ERR_OK;
    err = eval_check_line(line, &n, why);
    if (err)
        return err;
    if (json_len(json_get(line, "turns")))
        return conversation(run, json_get(line, "turns"), arena, why);
    struct asked a = {.line = line};
    return one_asked(run, &a, arena, why);
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

/* No fewer than there are questions: lines, and the turns in them. */
static size_t count_most(struct str text)
{
    size_t n = 1, at = 0;
    while ((at = str_find_from(text, STR("\"question\""), at)) != STR_NPOS)
        n++, at++;
    return n;
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
    size_t n = count_lines(opts->questions) + count_most(opts->questions);
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
    ratio(out, "record_accuracy", (double)r->record_right, (double)r->n_records);
    ratio(out, "field_accuracy", (double)r->field_right, (double)r->n_fields);
    if (r->n_followups) {
        json_kv_int(out, "n_followups", (int64_t)r->n_followups);
        ratio(out, "followup_hit@10", (double)r->followup_hit_10, (double)r->n_followups);
        ratio(out, "followup_answered_rate", (double)r->followup_answered, (double)r->n_followups);
        ratio(out, "followup_accuracy", (double)r->followup_right, (double)r->n_followup_contains);
    }
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
