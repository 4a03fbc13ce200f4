/* data/expr: a condition that somebody typed, over a record. */
#include <assert.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char line[] = "{\"id\":\"a-1\",\"text\":\"现行有效\",\"label\":\"1\",\"meta\":{"
                               "\"year\":2018,\"x\":null}}";
    struct str text = {(const char *)data, size};
    struct arena *arena = arena_new((size_t)16 << 20);
    const struct expr *expr = NULL;
    struct record record;
    struct why why = {0};
    if (!arena || utf8_invalid(text) != STR_NPOS) {
        arena_free(arena);
        return 0;
    }
    if (record_read(str_c(line), arena, &record, NULL) != ERR_OK)
        __builtin_trap();
    if (expr_read(text, arena, &expr, &why) == ERR_OK)
        assert(expr_holds(expr, &record) == expr_holds(expr, &record));
    else
        assert(why.text[0]);
    arena_free(arena);
    return 0;
}
