/* The suite "evidence": how well the quoted words agree with those that people marked. */
#include <stdlib.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "eval/eval.h"

#define QUESTION_ARENA (64u << 20)
#define MOST_CHARS     20000 /* of a quote or of gold; more is cut */

/* Letters, digits and ideographs; CMRC counts no punctuation. */
static uint32_t *chars_of(struct str text, struct arena *arena, size_t *n)
{
    uint32_t *out = arena_array(arena, uint32_t, text.len + 1);
    *n = 0;
    for (size_t at = 0; out && at < text.len && *n < MOST_CHARS;) {
        uint32_t c = utf8_halfwidth(utf8_next(text, &at));
        if (c >= 'A' && c <= 'Z')
            c += 32;
        if (utf8_is_han(c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c >= 0xC0)
            if ((c < 0x2000 || c > 0x206F) && (c < 0x3000 || c > 0x303F) && c < 0xFF00)
                out[(*n)++] = c;
    }
    return out;
}

static size_t longest_run(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b,
                          uint32_t *row)
{
    size_t most = 0;
    for (size_t i = 0; i < n_a; i++) {
        uint32_t diag = 0;
        for (size_t j = 0; j < n_b; j++) {
            uint32_t old = row[j + 1];
            row[j + 1] = a[i] == b[j] ? diag + 1 : 0;
            most = row[j + 1] > most ? row[j + 1] : most;
            diag = old;
        }
    }
    return most;
}

double eval_overlap(struct str got, struct str gold, struct arena *arena)
{
    size_t n_a, n_b;
    uint32_t *a = chars_of(got, arena, &n_a), *b = chars_of(gold, arena, &n_b);
    uint32_t *row = arena_array(arena, uint32_t, n_b + 1);
    if (!a || !b || !row || n_a + n_b == 0)
        return 0;
    return 2.0 * (double)longest_run(a, n_a, b, n_b, row) / (double)(n_a + n_b);
}

static enum err quote_text(const struct json *line, struct arena *arena, struct str *out,
                           struct why *why)
{
    struct str context = json_get_str(line, "context", STR(""));
    size_t start = 0, len = 0;
    enum err err =
        knowledge_quote(json_get_str(line, "question", STR("")), context, arena, &start, &len, why);
    *out = str_slice(context, start, start + len);
    return err;
}

static enum err one(struct str text, struct arena *arena, struct eval_evidence *out,
                    struct why *why)
{
    const struct json *line = NULL;
    struct str quote;
    double best = 0;
    enum err err = json_parse(text, arena, &line, why);
    if (!err && (json_get_str(line, "context", STR("")).len == 0 ||
                 json_len(json_get(line, "evidences")) == 0))
        err = err_set(why, ERR_INVALID, "a line needs \"context\", \"question\" and \"evidences\"");
    if (!err)
        err = quote_text(line, arena, &quote, why);
    if (err)
        return err;
    const struct json *gold = json_get(line, "evidences"), *answers = json_get(line, "answers");
    for (size_t i = 0; i < json_len(gold); i++) {
        double f1 = eval_overlap(quote, json_str(json_at(gold, i), STR("")), arena);
        best = f1 > best ? f1 : best;
    }
    bool held = false;
    for (size_t i = 0; i < json_len(answers) && !held; i++)
        held = str_find(quote, json_str(json_at(answers, i), STR("\1"))) != STR_NPOS;
    out->n++;
    out->f1 += best;
    out->n_answers += json_len(answers) > 0;
    out->answers_held += held;
    return ERR_OK;
}

enum err eval_evidence(struct str questions, struct eval_evidence *out, struct why *why)
{
    struct str line;
    struct eval_evidence report = {0};
    struct arena *arena = arena_new(QUESTION_ARENA);
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold a question");
    for (int number = 1; !err && str_next_line(&questions, &line); number++) {
        line = str_trim_space(line);
        if (line.len == 0)
            continue;
        arena_reset(arena);
        err = one(line, arena, &report, why);
        if (err)
            err_prefix(why, "line %d", number);
    }
    arena_free(arena);
    if (!err && report.n == 0)
        err = err_set(why, ERR_INVALID, "there is no question in the file");
    if (!err)
        *out = report;
    return err;
}

void eval_evidence_json(const struct eval_evidence *r, struct json_out *out)
{
    json_begin_object(out);
    json_kv_int(out, "n", (int64_t)r->n);
    json_kv_real(out, "evidence_f1", r->n ? r->f1 / (double)r->n : 0);
    json_key(out, "answer_in_quote");
    if (r->n_answers)
        json_put_real(out, (double)r->answers_held / (double)r->n_answers);
    else
        json_put_null(out);
    json_end_object(out);
}
