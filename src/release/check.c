/* Whether what releases, reports and capsules consist of is there, and is what was signed. */
#include <stdio.h>

#include "core/arena.h"
#include "release/carry.h"
#include "release/room.h"

#define ROOM ((size_t)256 << 20)

struct checking {
    struct release *release;
    release_bad_fn *bad;
    void *ctx;
    struct arena *arena;
};

static void say(struct checking *c, const char *what, struct str id, const char *words)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s %.*s", what, SHOW(id));
    c->bad(c->ctx, text, words);
}

static void check_release(struct checking *c, struct release_row *row)
{
    struct carried carried;
    struct why why = {0};
    row->state = STR("ready"); /* a withdrawn one must be whole, too */
    enum err err = carry_begin(&carried, c->release, row, c->arena, &why);
    if (err) {
        say(c, "release", row->name, why_text(&why, err));
        return;
    }
    for (size_t i = 0; i < carried.manifest.n; i++) {
        char *object = str_z(c->arena, carried.manifest.files[i].sha256);
        if (!object || !objects_has(c->release->opts.objects, object))
            say(c, "release", row->name, "a file is missing");
    }
}

/* Each row with its arena emptied behind it. */
static enum err each_release(struct checking *c, const struct store_rows *ids, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < ids->n_rows; i++) {
        struct store_tx *tx = NULL;
        struct release_row row;
        arena_reset(c->arena);
        err = store_begin(c->release->opts.store, STORE_READ, &tx, why);
        if (!err)
            err = release_row(tx, store_str(ids, i, 0), c->arena, &row, why);
        store_rollback(tx);
        if (!err)
            check_release(c, &row);
    }
    return err;
}

static enum err each_object(struct checking *c, const char *what, const char *sql,
                            struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(c->release->opts.store, sql, STORE_NO_ARGS, arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        char *object = str_z(arena, store_str(&rows, i, 1));
        if (!object || !objects_has(c->release->opts.objects, object))
            say(c, what, store_str(&rows, i, 0), "its object is missing");
    }
    return err;
}

enum err release_check(struct release *r, release_bad_fn *bad, void *ctx, struct why *why)
{
    struct store_rows ids;
    struct arena *arena = arena_new(ROOM), *keep = arena_new(ROOM);
    struct checking c = {r, bad, ctx, arena};
    enum err err = arena && keep ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not check");
    if (!err)
        err = store_ask(r->opts.store, "SELECT id FROM release_releases ORDER BY id", STORE_NO_ARGS,
                        keep, &ids, why);
    if (!err)
        err = each_release(&c, &ids, why);
    if (!err)
        err = each_object(&c, "quality report",
                          "SELECT id, object FROM release_reports WHERE object <> ''", keep, why);
    if (!err)
        err = each_object(&c, "capsule", "SELECT id, object FROM release_capsules", keep, why);
    arena_free(arena);
    arena_free(keep);
    return err;
}
