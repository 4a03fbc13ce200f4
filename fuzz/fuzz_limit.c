/* Any text as the models and networks of a limit, and as a model and an address that it is asked
 * about: "models\nnetworks\nmodel\naddress". */
#include <stdlib.h>

#include "meter/meter_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, parts[4] = {STR_NONE};
    struct meter_rule rule = {.n_models = 99};
    struct why why = {0};
    for (size_t i = 0; i < 4; i++)
        (void)str_next(&rest, '\n', &parts[i]);
    struct arena *arena = arena_new((size_t)1 << 22);
    struct meter_limit limit = {.models = parts[0], .network = parts[1]};
    if (rule_compile(&limit, arena, &rule, &why)) {
        if (!why.text[0] || rule.n_models != 99)
            abort();
    } else {
        bool model = rule_model(&rule, parts[2]), address = rule_address(&rule, parts[3]);
        if ((rule.n_models == 0 && !model) || (rule.n_nets == 0 && !address))
            abort();
        for (size_t i = 0; i < rule.n_models; i++) /* a pattern without '*' is itself */
            if (str_find_char(rule.models[i], '*') == STR_NPOS &&
                !glob_match(rule.models[i], rule.models[i]))
                abort();
    }
    arena_free(arena);
    return 0;
}
