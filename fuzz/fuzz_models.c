/* models: what people and engines send to the registry. A body is read by the table of its noun or
 * refused in words; a policy that is read can be merged and reads the same; the line of an engine
 * gives a port or a reason; an address that passes holds nothing but an address. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "models/child.h"
#include "models/models_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need_words(enum err err, const struct why *why)
{
    if (err && !why->text[0])
        abort();
}

static void one_policy(const struct json *json, struct arena *arena)
{
    struct policy p, q;
    struct why why = {0};
    struct str merged;
    const struct json *again = NULL;
    enum err err = policy_read(json, arena, &p, &why);
    need_words(err, &why);
    if (err)
        return;
    int64_t sum = 0;
    for (size_t a = 0; a < p.n_arms; a++) {
        sum += p.arms[a].share;
        if (p.arms[a].n < 1 || p.arms[a].n > MODELS_MOST_TARGETS)
            abort();
        for (size_t t = 0; t < p.arms[a].n; t++)
            if (p.arms[a].targets[t].weight < 1)
                abort();
    }
    if (sum != 100 || p.n_arms > MODELS_MOST_ARMS || p.n_fallbacks > MODELS_MOST_FALLBACKS)
        abort();
    if (policy_merge(json, json, arena, &merged, &why) || json_parse(merged, arena, &again, &why) ||
        policy_read(again, arena, &q, &why) || q.n_arms != p.n_arms || q.cache != p.cache)
        abort();
}

static void one_body(const struct json *json, struct arena *arena)
{
    static const struct noun *const nouns[] = {&noun_model, &noun_endpoint, &noun_deployment,
                                               &noun_edge};
    struct field_value values[64];
    for (size_t i = 0; i < sizeof nouns / sizeof nouns[0]; i++)
        for (int fresh = 0; fresh < 2; fresh++) {
            struct why why = {0};
            memset(values, 0, sizeof values);
            need_words(models_fields_read(json, nouns[i]->fields, nouns[i]->n_fields, fresh, arena,
                                          values, &why),
                       &why);
        }
}

static void one_address(struct str text)
{
    struct why why = {0};
    struct str url = text;
    enum err err = models_base_url_check(&url, &why);
    need_words(err, &why);
    for (size_t i = 0; !err && i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == '@' || url.ptr[i] == '?')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(32 << 20);
    struct str text = {(const char *)data, size};
    struct child_ready ready;
    const struct json *json = NULL;
    enum child_word word = child_read_line(text, &ready);
    if ((word == CHILD_READY) != (ready.port > 0 && ready.port < 65536))
        abort();
    if (word != CHILD_READY && !ready.words[0])
        abort();
    one_address(text);
    if (json_parse(text, arena, &json, NULL) == ERR_OK) {
        one_policy(json, arena);
        one_body(json, arena);
    }
    arena_free(arena);
    return 0;
}
