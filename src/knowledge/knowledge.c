/* knowledge - opening and closing. */
#include "knowledge/knowledge.h"

#include "core/arena.h"
#include "core/file.h"
#include "core/log.h"
#include "knowledge/retrieve.h"
#include "knowledge/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void knowledge_set_door(struct knowledge *k, const struct models_door *door)
{
    k->door = door ? *door : (struct models_door){NULL, NULL};
}

enum err knowledge_call(struct knowledge *k, const struct ops_identity *who, const char *path,
                        struct str body, struct arena *arena, struct str *reply, struct why *why)
{
    struct ops_identity centre = ops_system();
    centre.tenant = who->tenant;
    centre.name = STR("knowledge");
    centre.trace = who->trace;
    if (!k->door.call)
        return err_set(why, ERR_UNSUPPORTED, "no models are connected");
    return k->door.call(k->door.ctx, &centre, path, body, arena, reply, why);
}

struct retrieve_cache *knowledge_retrieve_cache(struct knowledge *k)
{
    return k->retrieve;
}

/* What a crash left of imports, base by base. */
static enum err collect(struct knowledge *k, struct why *why)
{
    struct store_rows rows = {0};
    char id[UUID_TEXT];
    struct arena *arena = arena_new((size_t)16 << 20);
    enum err err = arena ? store_ask(k->opts.store, "SELECT id FROM kb_bases", STORE_NO_ARGS, arena,
                                     &rows, why)
                         : err_set(why, ERR_NO_MEMORY, "could not open the knowledge bases");
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        (void)snprintf(id, sizeof id, "%.*s", STR_FMT(store_str(&rows, i, 0)));
        segments_collect(k, id);
    }
    arena_free(arena);
    return err;
}

enum err knowledge_open(const struct knowledge_opts *opts, struct knowledge **out, struct why *why)
{
    struct knowledge *k = calloc(1, sizeof *k);
    if (!k)
        return err_set(why, ERR_NO_MEMORY, "could not open the knowledge bases");
    k->opts = *opts;
    k->catalogs = catalog_cache_new();
    k->retrieve = retrieve_cache_new();
    enum err err = ERR_OK;
    if (!k->catalogs || !k->retrieve || asprintf(&k->index_dir, "%s/index", opts->data_dir) < 0) {
        k->index_dir = NULL;
        err = err_set(why, ERR_NO_MEMORY, "could not open the knowledge bases");
    }
    if (!err)
        err = file_make_dirs(k->index_dir, why);
    if (!err)
        err = collect(k, why);
    if (err) {
        knowledge_close(k);
        return err;
    }
    *out = k;
    return ERR_OK;
}

void knowledge_close(struct knowledge *k)
{
    if (!k)
        return;
    retrieve_cache_free(k->retrieve);
    catalog_cache_free(k->catalogs);
    free(k->table);
    free(k->routes);
    free(k->index_dir);
    free(k);
}
