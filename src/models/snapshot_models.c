/* The cards and versions of a snapshot. */
#include "core/arena.h"
#include "models/snapshot_in.h"

enum err snapshot_no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "the registry is larger than %zu MB of routes",
                   SNAPSHOT_MEMORY >> 20);
}

static enum models_modality modality_of(struct str name)
{
    for (int i = 0; i < MODELS_N_MODALITIES; i++)
        if (str_eq_c(name, models_modality_name((enum models_modality)i)))
            return (enum models_modality)i;
    return MODELS_CHAT;
}

/* ["a","b"] as "a b". */
static struct str words_of(struct str json, struct arena *arena)
{
    const struct json *list;
    struct buf buf;
    buf_init(&buf, arena);
    if (json_parse(json, arena, &list, NULL) != ERR_OK)
        return STR("");
    for (size_t i = 0; i < json_len(list); i++)
        buf_printf(&buf, "%s%.*s", i ? " " : "", STR_FMT(json_str(json_at(list, i), STR(""))));
    return buf_str(&buf);
}

struct card *snapshot_card(struct snapshot *s, struct str id)
{
    struct map_entry *e = map_find(&s->cards, id);
    return e ? e->value.p : NULL;
}

struct version *snapshot_version(struct snapshot *s, struct str id)
{
    struct map_entry *e = map_find(&s->versions, id);
    return e ? e->value.p : NULL;
}

static enum err read_cards(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx,
                               "SELECT id, name, title, modality, grants, price_key, retired_ms,"
                               " created_ms FROM models_cards",
                               STORE_NO_ARGS, s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        struct card *c = arena_one(s->arena, struct card);
        struct map_entry *e = c ? map_put(&s->cards, store_str(&r, i, 0), NULL) : NULL;
        if (!e)
            return snapshot_no_memory(why);
        *c = (struct card){.id = store_str(&r, i, 0),
                           .name = store_str(&r, i, 1),
                           .title = store_str(&r, i, 2),
                           .modality = modality_of(store_str(&r, i, 3)),
                           .grants = words_of(store_str(&r, i, 4), s->arena),
                           .price_key = store_str(&r, i, 5),
                           .retired = store_int(&r, i, 6) != 0,
                           .created_ms = store_int(&r, i, 7)};
        if (!c->price_key.len)
            c->price_key = c->name;
        e->value.p = c;
    }
    return err;
}

static enum err read_versions(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx,
                               "SELECT id, card, label, tokenizer, context, state, vocabulary"
                               " FROM models_versions ORDER BY number",
                               STORE_NO_ARGS, s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        struct version *v = arena_one(s->arena, struct version);
        struct card *c = snapshot_card(s, store_str(&r, i, 1));
        if (!v)
            return snapshot_no_memory(why);
        if (!c)
            continue;
        struct str id = store_str(&r, i, 0), own = store_int(&r, i, 6) ? id : STR("");
        *v = (struct version){.id = id,
                              .card = c->id,
                              .label = store_str(&r, i, 2),
                              .tokenizer = store_str(&r, i, 3).len ? store_str(&r, i, 3) : own,
                              .context = store_int(&r, i, 4),
                              .retired = c->retired || str_eq_c(store_str(&r, i, 5), "retired")};
        v->full = str_printf(s->arena, "%.*s:%.*s", STR_FMT(c->name), STR_FMT(v->label));
        struct map_entry *by_id = map_put(&s->versions, v->id, NULL);
        if (!by_id || !v->full.ptr)
            return snapshot_no_memory(why);
        by_id->value.p = v;
        struct map_entry *by_name = map_put(&s->by_name, v->full, NULL);
        if (!by_name)
            return snapshot_no_memory(why);
        by_name->value.p = v;
        if (!v->retired)
            c->newest = v;
    }
    return err;
}

enum err snapshot_read_models(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    enum err err = read_cards(s, tx, why);
    return err ? err : read_versions(s, tx, why);
}
