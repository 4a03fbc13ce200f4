#include "data/lineage_models.h"

#include "core/arena.h"
#include "core/json.h"
#include "models/models.h"

struct origin {
    struct str name;
    const struct json *releases, *trainings;
    struct str base;
};

struct origins {
    struct origin *items;
    size_t n;
};

enum err origins_new(struct models *models, struct store_tx *tx, struct arena *arena,
                     struct origins **out, struct why *why)
{
    struct models_origin *said = NULL;
    size_t n = 0;
    struct origins *o = arena_one(arena, struct origins);
    enum err err = o ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
    if (!err && models)
        err = models_origins(models, tx, arena, &said, &n, why);
    if (!err)
        o->items = arena_array(arena, struct origin, n + 1);
    if (!err && !o->items)
        err = err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
    for (size_t i = 0; !err && i < n; i++) {
        const struct json *json = NULL;
        if (json_parse(said[i].lineage, arena, &json, NULL))
            continue; /* a card that says nothing that can be read */
        o->items[o->n++] = (struct origin){.name = said[i].name,
                                           .releases = json_get(json, "data_releases"),
                                           .trainings = json_get(json, "training_runs"),
                                           .base = json_get_str(json, "base", STR(""))};
    }
    *out = o;
    return err;
}

static bool names(const struct json *list, struct str id)
{
    for (size_t i = 0; i < json_len(list); i++)
        if (str_eq(json_str(json_at(list, i), STR("")), id))
            return true;
    return false;
}

static enum err add_all(const struct json *list, const char *kind,
                        enum err (*add)(void *, const char *, struct str, struct why *), void *ctx,
                        struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < json_len(list); i++) {
        struct str id = json_str(json_at(list, i), STR(""));
        if (id.len)
            err = add(ctx, kind, id, why);
    }
    return err;
}

static enum err near_one(const struct origin *o, struct str kind, struct str id, bool forwards,
                         enum err (*add)(void *, const char *, struct str, struct why *), void *ctx,
                         struct why *why)
{
    bool trained = json_len(o->trainings) > 0;
    if (str_eq_c(kind, "release") && forwards && names(o->releases, id))
        return trained ? add_all(o->trainings, "training", add, ctx, why)
                       : add(ctx, "model", o->name, why);
    if (str_eq_c(kind, "training") && names(o->trainings, id))
        return forwards ? add(ctx, "model", o->name, why)
                        : add_all(o->releases, "release", add, ctx, why);
    if (!str_eq_c(kind, "model"))
        return ERR_OK;
    if (forwards)
        return o->base.len && str_eq(o->base, id) ? add(ctx, "model", o->name, why) : ERR_OK;
    if (!str_eq(o->name, id))
        return ERR_OK;
    enum err err = trained ? add_all(o->trainings, "training", add, ctx, why)
                           : add_all(o->releases, "release", add, ctx, why);
    return err || !o->base.len ? err : add(ctx, "model", o->base, why);
}

enum err origins_near(struct origins *o, struct str kind, struct str id, bool forwards,
                      enum err (*add)(void *, const char *, struct str, struct why *), void *ctx,
                      struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < o->n; i++)
        err = near_one(&o->items[i], kind, id, forwards, add, ctx, why);
    return err;
}
