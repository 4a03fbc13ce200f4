#include "data/stats.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

enum { STRING, NUMBER, BOOLEAN, NOTHING, ARRAY, OBJECT, STATS_KINDS };
static const char *const kinds[STATS_KINDS] = {"string", "number", "boolean",
                                               "null",   "array",  "object"};

void shard_stats_init(struct shard_stats *stats, struct arena *arena)
{
    *stats = (struct shard_stats){.arena = arena};
    map_init(&stats->members, arena);
    map_init(&stats->splits, arena);
    map_init(&stats->sources, arena);
}

static enum err full(struct why *why)
{
    return err_set(why, ERR_UNAVAILABLE, "could not count what the records are made of");
}

/* The entry of a key that need not live. */
static struct map_entry *entry(struct shard_stats *stats, struct map *map, struct str key,
                               bool bounded)
{
    struct map_entry *e = map_find(map, key);
    if (e)
        return e;
    if (bounded && map->n >= STATS_MOST_NAMES)
        key = STR("*");
    key = str_copy(stats->arena, key);
    return key.ptr ? map_put(map, key, NULL) : NULL;
}

static int64_t *kinds_of(struct shard_stats *stats, struct str member)
{
    struct map_entry *e = entry(stats, &stats->members, member, true);
    if (e && !e->value.p)
        e->value.p = arena_array(stats->arena, int64_t, STATS_KINDS);
    return e ? e->value.p : NULL;
}

static int kind_of(struct str raw)
{
    switch (raw.ptr[0]) {
    case '"':
        return STRING;
    case '{':
        return OBJECT;
    case '[':
        return ARRAY;
    case 't':
    case 'f':
        return BOOLEAN;
    case 'n':
        return NOTHING;
    default:
        return NUMBER;
    }
}

static enum err count(struct shard_stats *stats, const struct record *record, size_t line_bytes,
                      int64_t by, struct why *why)
{
    for (size_t i = 0; i < record->n; i++) {
        const struct record_member *m = &record->members[i];
        int64_t *counts = m->raw.ptr ? kinds_of(stats, m->key) : NULL;
        if (counts)
            counts[kind_of(m->raw)] += by;
        else if (m->raw.ptr)
            return full(why);
    }
    struct str split = record_str(record, "split"), source = record_source(record->id);
    struct map_entry *e = split.ptr ? entry(stats, &stats->splits, split, true) : NULL;
    if (e)
        e->value.i += by;
    e = entry(stats, &stats->sources, source, false);
    if (!e)
        return full(why);
    e->value.i += by;
    stats->n_records += by;
    stats->n_bytes += by * (int64_t)line_bytes;
    return ERR_OK;
}

enum err shard_stats_add(struct shard_stats *stats, const struct record *record, size_t line_bytes,
                         struct why *why)
{
    return count(stats, record, line_bytes, 1, why);
}

enum err shard_stats_take(struct shard_stats *stats, const struct record *record, size_t line_bytes,
                          struct why *why)
{
    return count(stats, record, line_bytes, -1, why);
}

static int by_key(const void *a, const void *b)
{
    const struct map_entry *const *x = a, *const *y = b;
    return str_cmp((*x)->key, (*y)->key);
}

const struct map_entry **stats_sorted(const struct map *map)
{
    const struct map_entry **list = arena_array(map->arena, const struct map_entry *, map->n + 1);
    size_t at = 0, n = 0;
    if (!list)
        return NULL;
    for (struct map_entry *e; (e = map_each(map, &at));)
        list[n++] = e;
    qsort(list, n, sizeof(void *), by_key);
    return list;
}

static void put_key(struct json_out *out, struct str key)
{
    char name[RECORD_MOST_ID + 1];
    size_t n = key.len < RECORD_MOST_ID ? key.len : RECORD_MOST_ID;
    memcpy(name, key.ptr ? key.ptr : "", n);
    name[n] = '\0';
    json_key(out, name);
}

static enum err put_counts(const struct map *map, const char *name, struct json_out *out,
                           struct why *why)
{
    const struct map_entry **list = stats_sorted(map);
    if (!list)
        return full(why);
    json_key(out, name);
    json_begin_object(out);
    for (size_t i = 0; i < map->n; i++) {
        if (!list[i]->value.i)
            continue; /* all were taken out again */
        put_key(out, list[i]->key);
        json_put_int(out, list[i]->value.i);
    }
    json_end_object(out);
    return ERR_OK;
}

enum err shard_stats_json(const struct shard_stats *stats, struct json_out *out, struct why *why)
{
    const struct map_entry **list = stats_sorted(&stats->members);
    if (!list)
        return full(why);
    json_kv_int(out, "n_records", stats->n_records);
    json_kv_int(out, "n_bytes", stats->n_bytes);
    json_key(out, "schema");
    json_begin_object(out);
    for (size_t i = 0; i < stats->members.n; i++) {
        const int64_t *counts = list[i]->value.p;
        int64_t sum = 0;
        for (int k = 0; k < STATS_KINDS; k++)
            sum += counts[k];
        if (!sum)
            continue;
        put_key(out, list[i]->key);
        json_begin_object(out);
        for (int k = 0; k < STATS_KINDS; k++)
            if (counts[k])
                json_kv_int(out, kinds[k], counts[k]);
        json_end_object(out);
    }
    json_end_object(out);
    enum err err = put_counts(&stats->splits, "splits", out, why);
    return err ? err : put_counts(&stats->sources, "sources", out, why);
}

static enum err merge_counts(struct shard_stats *stats, struct map *map, const struct json *json,
                             bool bounded, struct why *why)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    while (json_each(json, &iter, &key, &value)) {
        struct map_entry *e = entry(stats, map, key, bounded);
        if (!e)
            return full(why);
        e->value.i += json_int(value, 0);
    }
    return ERR_OK;
}

enum err shard_stats_merge(struct shard_stats *stats, const struct json *json, struct why *why)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    while (json_each(json_get(json, "schema"), &iter, &key, &value)) {
        int64_t *counts = kinds_of(stats, key);
        if (!counts)
            return full(why);
        for (int k = 0; k < STATS_KINDS; k++)
            counts[k] += json_get_int(value, kinds[k], 0);
    }
    stats->n_records += json_get_int(json, "n_records", 0);
    stats->n_bytes += json_get_int(json, "n_bytes", 0);
    enum err err = merge_counts(stats, &stats->splits, json_get(json, "splits"), true, why);
    return err ? err : merge_counts(stats, &stats->sources, json_get(json, "sources"), false, why);
}
