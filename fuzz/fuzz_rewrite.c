/* rewrite: any text as SQL keeps its bytes but for places of arguments and types of columns. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "store/store_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(16u << 20);
    struct buf params, types, again;
    size_t n = 0, n_marks = 0;
    const char *sql = arena_copy(arena, (const char *)data, size);
    buf_init(&params, arena);
    buf_init(&types, arena);
    buf_init(&again, arena);
    if (sql) {
        size_t len = strlen(sql);
        for (size_t i = 0; i < len; i++)
            n_marks += sql[i] == '?';
        store_rewrite_params(sql, &params, &n);
        store_rewrite_types(sql, &types);
        if (n > n_marks || (!params.failed && params.len < len) ||
            (n == 0 && !params.failed && params.len != len))
            abort();
        /* What was rewritten holds no more of the dialect, but for TEXT, which stays. */
        if (!types.failed && !strstr(sql, "TEXT")) {
            store_rewrite_types(types.ptr ? types.ptr : "", &again);
            if (!again.failed && !str_eq(buf_str(&again), buf_str(&types)))
                abort();
        }
    }
    arena_free(arena);
    return 0;
}
