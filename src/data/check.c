/* data/check - whether every version's manifest and shards are there and fit the table. */
#include <stdio.h>

#include "core/arena.h"
#include "data/room.h"

struct check {
    struct data *data;
    data_bad_fn *bad;
    void *ctx;
    size_t n;
    struct arena *arena;
};

static void say(struct check *c, const struct dataset_version *v, const char *words)
{
    char what[256];
    (void)snprintf(what, sizeof what, "data set %.*s, version %lld", SHOW(v->set_name),
                   (long long)v->number);
    c->bad(c->ctx, what, words);
}

static void check_version(struct check *c, struct str id)
{
    struct dataset_version v = {.number = 0};
    struct why why = {0};
    int64_t n_records = 0;
    enum err err = dataset_version_by_id(c->data, id, c->arena, &v, &why);
    if (!err)
        err = dataset_shards(c->data, &v, c->arena, &why);
    if (err) {
        say(c, &v, why_text(&why, err));
        return;
    }
    for (size_t i = 0; i < v.n_shards; i++) {
        char *object = str_z(c->arena, v.shards[i].object),
             *trail = str_z(c->arena, v.shards[i].trail);
        n_records += v.shards[i].n_records;
        if (object && object[0] && !objects_has(c->data->opts.objects, object))
            say(c, &v, "a shard is missing");
        if (trail && trail[0] && !objects_has(c->data->opts.objects, trail))
            say(c, &v, "a trail is missing");
    }
    if (n_records != v.n_records)
        say(c, &v, "its shards do not have as many records as the table says");
    c->n++;
}

enum err data_check(struct data *data, data_bad_fn *bad, void *ctx, size_t *n, struct why *why)
{
    struct store_rows rows;
    struct arena *list = arena_new((size_t)256 << 20);
    struct check c = {data, bad, ctx, 0, arena_new((size_t)512 << 20)};
    enum err err = list && c.arena ? store_ask(data->opts.store, "SELECT id FROM data_versions",
                                               STORE_NO_ARGS, list, &rows, why)
                                   : err_set(why, ERR_NO_MEMORY, "could not check the data sets");
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        check_version(&c, store_str(&rows, i, 0));
        arena_reset(c.arena);
    }
    if (n)
        *n = c.n;
    arena_free(c.arena);
    arena_free(list);
    return err;
}
