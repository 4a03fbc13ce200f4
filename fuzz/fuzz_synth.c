/* synth: records, passages and what a model says are bytes from outside. The first byte chooses the
 * method; then a spec, a record and a reply, divided by '\n'. Each record that is made must be JSON
 * and say that it is synthetic; corrections put in must give the sentence back. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "synth/synth_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err take(void *ctx, struct making *m, struct str key, struct str json, struct why *why)
{
    const struct json *record = NULL;
    size_t *n = ctx;
    (void)key, (void)why;
    if (json_parse(json, m->arena, &record, NULL) ||
        !json_get_bool(json_get(record, "meta"), "synthetic", false))
        abort();
    m->n_made++;
    ++*n;
    return ERR_OK;
}

static void count(void *ctx, enum reject reject)
{
    (void)ctx;
    if (reject >= REJECTS)
        abort();
}

static void ask_model(struct making *m, struct str reply)
{
    const struct json *items = NULL;
    int64_t prompt, completion;
    struct str body = STR_NONE;
    if (!m->method->with_model || (!m->n_passages && strcmp(m->method->takes, "qa") != 0))
        return; /* a spec is refused that asks a model for what only the rules make */
    if (call_body(m, 0, m->arena, &body, NULL) == ERR_OK && tokens_guess(body) < 1)
        abort();
    if (call_items(reply, m->arena, &items, &prompt, &completion, NULL))
        return;
    for (size_t k = 0; k < json_len(items) && k < 6; k++)
        (void)!m->method->item(m, 0, json_at(items, k), NULL);
}

static void slip(const struct pinyin *pinyin, struct str right, uint64_t seed, struct arena *arena)
{
    struct slip slips[SLIPS_MOST];
    struct str wrong = STR_NONE;
    size_t n = 0;
    if (utf8_invalid(right) != STR_NPOS || right.len > 3000)
        return;
    if (slips_make(pinyin, right, 4, SLIPS_MOST, seed, arena, &wrong, slips, &n, NULL) || !n)
        return;
    if (str_eq(wrong, right) || !str_eq(slips_undo(wrong, slips, n, arena), right))
        abort();
}

static void make(uint8_t first, struct str spec_text, struct str line, struct str reply,
                 struct arena *arena)
{
    static struct pinyin *pinyin;
    static const char *const names[] = {"questions", "paraphrases", "instructions",
                                        "dialogues", "negatives",   "errors"};
    static const char *const kinds[] = {"text", "row", "qa", "classification"};
    struct synth_spec spec;
    size_t n = 0;
    struct data_record record = {.id = STR("s-1"), .line = line};
    struct making m = {.method = synth_method_find(str_c(names[first % 6])),
                       .arena = arena,
                       .id = record.id,
                       .other = STR("另一条记录的一段话，与这里无关。"),
                       .per_passage = 1 + first / 6 % 5,
                       .seed = first,
                       .put = take,
                       .reject = count,
                       .ctx = &n};
    if (!pinyin && pinyin_open(&pinyin, NULL))
        abort();
    m.pinyin = pinyin;
    (void)!synth_spec_read(spec_text, arena, &spec, NULL);
    const char *kind = !strcmp(m.method->takes, "qa") ? "qa" : kinds[first / 30 % 4];
    if (making_read(&m, kind, &record, NULL) == ERR_OK) {
        if (m.method->rules)
            (void)!m.method->rules(&m, NULL);
        m.model = STR("m");
        ask_model(&m, reply);
    }
    slip(pinyin, line, first, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)128 << 20);
    struct str text, spec, line;
    char *copy = arena && size ? arena_copy(arena, (const char *)data + 1, size - 1) : NULL;
    if (copy) {
        text = (struct str){copy, size - 1};
        if (str_next(&text, '\n', &spec) && str_next(&text, '\n', &line))
            make(data[0], spec, line, text, arena);
    }
    arena_free(arena);
    return 0;
}
