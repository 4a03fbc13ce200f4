/* Vocabularies by the names of models, pinned. */
#include "data/vocabulary.h"

#include "core/arena.h"
#include "data/room.h"
#include "models/models.h"

#define MOST_NAMES 32

struct word_shelf {
    struct data *data;
    const struct ops_identity *who;
    const struct json *pinned;
    struct arena *arena;
    struct data_vocabularies given;
    struct {
        struct str name, version;
    } items[MOST_NAMES];
    size_t n;
};

/* The version whose vocabulary counts for that model or alias, now. */
static enum err resolve(struct word_shelf *s, struct str name, struct str *version, struct why *why)
{
    const struct models_route *route = NULL;
    struct why own = {0};
    if (!s->data->opts.models)
        return err_set(why, ERR_UNAVAILABLE, "there is no registry of models here");
    enum err err = models_resolve(s->data->opts.models, s->who->tenant, name, &route, &own);
    if (err == ERR_NOT_FOUND)
        return err_set(why, ERR_UNAVAILABLE,
                       "there is neither a file \"%.*s\" in the folder of data.models nor a model "
                       "of that name",
                       SHOW(name));
    if (!err && !route->tokenizer.len)
        err = err_set(&own, ERR_UNAVAILABLE,
                      "the vocabulary of the model \"%.*s\" is not in the registry", SHOW(name));
    if (!err)
        *version = str_copy(s->arena, route->tokenizer);
    models_route_free(route);
    return err ? err_set(why, err, "%s", why_text(&own, err)) : ERR_OK;
}

static enum err path(void *ctx, struct str name, struct arena *arena, const char **out,
                     struct why *why)
{
    struct word_shelf *s = ctx;
    struct str version = STR_NONE;
    for (size_t i = 0; i < s->n && !version.len; i++)
        if (str_eq(s->items[i].name, name))
            version = s->items[i].version;
    bool known = version.len > 0;
    char *key = known ? NULL : str_z(s->arena, name);
    if (!known && !key)
        return err_set(why, ERR_NO_MEMORY, "could not look up a vocabulary");
    if (!known)
        version = json_get_str(s->pinned, key, STR(""));
    enum err err = version.len ? ERR_OK : resolve(s, name, &version, why);
    if (!err && !known && s->n == MOST_NAMES)
        err = err_set(why, ERR_TOO_LARGE, "a pipeline names at most %d vocabularies", MOST_NAMES);
    if (!err && !s->data->opts.models)
        err = err_set(why, ERR_UNAVAILABLE, "there is no registry of models here");
    if (!err)
        err = models_vocabulary_path(s->data->opts.models, version, arena, out, why);
    if (!err && !known) {
        s->items[s->n].name = str_c(key);
        s->items[s->n++].version = version;
    }
    return err == ERR_NOT_FOUND ? ERR_UNAVAILABLE : err;
}

enum err word_shelf_new(struct data *data, const struct ops_identity *who, const struct json *spec,
                        struct arena *arena, struct word_shelf **out, struct why *why)
{
    const struct json *pinned = json_get(spec, "vocabularies");
    struct word_shelf *s = arena_one(arena, struct word_shelf);
    if (!s)
        return err_set(why, ERR_NO_MEMORY, "could not hold the vocabularies");
    if (pinned && json_kind(pinned) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID,
                       "\"vocabularies\" is an object of names of models and their versions");
    *s = (struct word_shelf){.data = data, .who = who, .pinned = pinned, .arena = arena};
    s->given = (struct data_vocabularies){path, s};
    *out = s;
    return ERR_OK;
}

const struct data_vocabularies *word_shelf_vocabularies(struct word_shelf *s)
{
    return &s->given;
}

void word_shelf_put(const struct word_shelf *s, struct json_out *out)
{
    if (!s || !s->n)
        return;
    json_key(out, "vocabularies");
    json_begin_object(out);
    for (size_t i = 0; i < s->n; i++)
        json_kv_str(out, s->items[i].name.ptr, s->items[i].version);
    json_end_object(out);
}
