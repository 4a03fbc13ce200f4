#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "store/store_engine.h"

void *store_stmts_find(struct store_stmts *stmts, struct str key)
{
    uint64_t hash = hash64(key.ptr, key.len, 0);
    for (size_t i = 0; i < STORE_STMTS; i++) {
        struct store_stmt *item = &stmts->items[i];
        if (item->used && item->hash == hash && item->key_len == key.len &&
            memcmp(item->key, key.ptr, key.len) == 0) {
            item->used = ++stmts->tick;
            return item->stmt;
        }
    }
    return NULL;
}

static void drop(struct store_stmts *stmts, struct store_stmt *item)
{
    if (!item->used)
        return;
    stmts->drop(stmts->conn, item->stmt);
    free(item->key);
    *item = (struct store_stmt){0};
}

bool store_stmts_keep(struct store_stmts *stmts, struct str key, void *stmt)
{
    char *copy = malloc(key.len + 1);
    if (!copy)
        return false;
    memcpy(copy, key.ptr, key.len);
    struct store_stmt *oldest = &stmts->items[0];
    for (size_t i = 1; i < STORE_STMTS; i++)
        if (stmts->items[i].used < oldest->used)
            oldest = &stmts->items[i];
    drop(stmts, oldest);
    *oldest = (struct store_stmt){.hash = hash64(key.ptr, key.len, 0),
                                  .used = ++stmts->tick,
                                  .key = copy,
                                  .key_len = key.len,
                                  .stmt = stmt};
    return true;
}

void store_stmts_clear(struct store_stmts *stmts)
{
    for (size_t i = 0; i < STORE_STMTS; i++)
        drop(stmts, &stmts->items[i]);
}
