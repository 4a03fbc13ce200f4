#include "data/mix.h"

#include <stdio.h>

#include "core/arena.h"
#include "core/map.h"
#include "data/profile.h"
#include "data/room.h"

double mix_times(const double *weights, const double *sizes, size_t n, double most_repeats,
                 double total, double *times, size_t *scarce)
{
    double sum = 0, most = 0;
    size_t least = n;
    for (size_t i = 0; i < n; i++)
        sum += sizes[i] > 0 ? weights[i] : 0;
    for (size_t i = 0; i < n; i++) {
        double can = sizes[i] > 0 ? sizes[i] * most_repeats * sum / weights[i] : 0;
        if (can > 0 && (most == 0 || can < most)) {
            most = can;
            least = i;
        }
    }
    if (total == 0 || total > most)
        total = most;
    else if (total < most)
        least = n;
    for (size_t i = 0; i < n; i++)
        times[i] = sizes[i] > 0 ? total * weights[i] / sum / sizes[i] : 0;
    if (scarce)
        *scarce = least;
    return total;
}

/* ---- the preview ---- */

static const char *const units[] = {"characters", "records", "bytes"};
static const char *const sized[] = {"n_characters", "n_records", "n_text_bytes"};

struct preview {
    struct arena *arena;
    size_t n;
    struct dataset sets[MIX_MOST];
    struct dataset_version versions[MIX_MOST];
    const struct json *profiles[MIX_MOST], *cards[MIX_MOST];
    double weights[MIX_MOST], sizes[MIX_MOST], times[MIX_MOST];
    size_t unit;
    double most_repeats, total;
};

static enum err read_input(struct data *data, const struct ops_identity *who, struct preview *p,
                           const struct json *input, struct why *why)
{
    size_t i = p->n++;
    int64_t number = json_get_int(input, "version", 0);
    p->weights[i] = json_get_f64(input, "weight", 1);
    if (!(p->weights[i] > 0 && p->weights[i] <= 1e9))
        return err_set(why, ERR_INVALID, "the weight of input %zu is above 0", i + 1);
    enum err err = dataset_find(data, who, json_get_str(input, "dataset", STR("")), p->arena,
                                &p->sets[i], why);
    if (!err)
        err = dataset_version_find(data, &p->sets[i], number, p->arena, &p->versions[i], why);
    if (!err && p->versions[i].kind != p->versions[0].kind)
        err = err_set(why, ERR_INVALID, "\"%.*s\" holds records of kind %s, \"%.*s\" of %s",
                      SHOW(p->sets[i].name), record_kind_name(p->versions[i].kind),
                      SHOW(p->sets[0].name), record_kind_name(p->versions[0].kind));
    if (!err)
        err = profile_of(data, &p->versions[i], p->arena, &p->profiles[i], why);
    if (!err && p->sets[i].card.len)
        err = json_parse(p->sets[i].card, p->arena, &p->cards[i], why);
    if (!err)
        p->sizes[i] = (double)json_get_int(p->profiles[i], sized[p->unit], 0);
    return err;
}

static enum err read_preview(struct data *data, const struct ops_identity *who,
                             const struct json *ask, struct preview *p, struct why *why)
{
    const struct json *inputs = json_get(ask, "inputs");
    struct str by = json_get_str(ask, "by", STR("characters"));
    enum err err = ERR_OK;
    p->most_repeats = json_get_f64(ask, "most_repeats", 1);
    p->total = json_get_f64(ask, "total", 0);
    for (p->unit = 0; p->unit < 3 && !str_eq_c(by, units[p->unit]);)
        p->unit++;
    if (json_len(inputs) < 1 || json_len(inputs) > MIX_MOST)
        return err_set(why, ERR_INVALID, "\"inputs\" has 1 to %d data sets", MIX_MOST);
    if (p->unit == 3)
        return err_set(why, ERR_INVALID, "\"by\" is characters, records or bytes");
    if (!(p->most_repeats >= 1 && p->most_repeats <= 100))
        return err_set(why, ERR_INVALID, "\"most_repeats\" is 1 to 100");
    if (!(p->total >= 0 && p->total <= 1e15))
        return err_set(why, ERR_INVALID, "\"total\" is 0 to 1e15");
    for (size_t i = 0; !err && i < json_len(inputs); i++)
        err = read_input(data, who, p, json_at(inputs, i), why);
    return err;
}

/* ---- the composition: characters by what `member` counts of each input ---- */

static double characters(const struct preview *p, size_t i)
{
    return (double)json_get_int(p->profiles[i], "n_characters", 0) * p->times[i];
}

static enum err add(struct map *map, struct str name, double n, struct why *why)
{
    struct map_entry *e = map_put(map, name, NULL);
    if (!e)
        return err_set(why, ERR_NO_MEMORY, "could not sum the mixture up");
    e->value.i += (int64_t)n;
    return ERR_OK;
}

/* What no source says is what the card says. */
static enum err composed(const struct preview *p, const char *member, const char *on_card,
                         struct json_out *out, struct why *why)
{
    struct map sums;
    enum err err = ERR_OK;
    map_init(&sums, p->arena);
    for (size_t i = 0; !err && i < p->n; i++) {
        const struct json *counts = json_get(p->profiles[i], member), *n;
        struct str card = on_card ? json_get_str(p->cards[i], on_card, STR("")) : STR("");
        struct str key;
        void *iter = NULL;
        double all = 0;
        while (json_each(counts, &iter, &key, &n))
            all += (double)json_int(n, 0);
        if (all == 0)
            err = add(&sums, card, characters(p, i), why);
        iter = NULL;
        while (!err && all > 0 && json_each(counts, &iter, &key, &n))
            err = add(&sums, key.len ? key : card, characters(p, i) * (double)json_int(n, 0) / all,
                      why);
    }
    const struct map_entry **list = err ? NULL : stats_sorted(&sums);
    if (!err && !list)
        err = err_set(why, ERR_NO_MEMORY, "could not sum the mixture up");
    json_key(out, member);
    json_begin_object(out);
    for (size_t i = 0; !err && i < sums.n; i++) {
        char *key = str_z(p->arena, list[i]->key);
        json_kv_int(out, key ? key : "", list[i]->value.i);
    }
    json_end_object(out);
    return err;
}

static void put_inputs(const struct preview *p, double total, struct json_out *out)
{
    json_key(out, "inputs");
    json_begin_array(out);
    for (size_t i = 0; i < p->n; i++) {
        double taken = p->sizes[i] * p->times[i];
        json_begin_object(out);
        json_kv_str(out, "dataset", p->sets[i].name);
        json_kv_str(out, "title", p->sets[i].title);
        json_kv_int(out, "number", p->versions[i].number);
        json_kv_str(out, "state", p->versions[i].state);
        json_kv_real(out, "weight", p->weights[i]);
        json_kv_real(out, "share", total > 0 ? taken / total : 0);
        json_kv_int(out, "size", (int64_t)p->sizes[i]);
        json_kv_int(out, "taken", (int64_t)taken);
        json_kv_int(out, "n_records", (int64_t)((double)p->versions[i].n_records * p->times[i]));
        json_kv_real(out, "times", p->times[i]);
        json_end_object(out);
    }
    json_end_array(out);
}

static enum err put_preview(const struct preview *p, double total, size_t scarce,
                            struct json_out *out, struct why *why)
{
    double n_records = 0, n_characters = 0, n_tokens = 0;
    bool estimated = false;
    for (size_t i = 0; i < p->n; i++) {
        n_records += (double)p->versions[i].n_records * p->times[i];
        n_characters += characters(p, i);
        n_tokens += (double)json_get_int(p->profiles[i], "n_tokens", 0) * p->times[i];
        estimated |= !json_get_bool(p->profiles[i], "whole", false);
    }
    json_begin_object(out);
    json_kv_c(out, "by", units[p->unit]);
    json_kv_c(out, "kind", record_kind_name(p->versions[0].kind));
    json_kv_int(out, "total", (int64_t)total);
    json_key(out, "limited_by");
    if (scarce < p->n)
        json_put_str(out, p->sets[scarce].name);
    else
        json_put_null(out);
    json_kv_bool(out, "estimated", estimated);
    json_kv_int(out, "n_records", (int64_t)n_records);
    json_kv_int(out, "n_characters", (int64_t)n_characters);
    json_kv_int(out, "n_tokens", (int64_t)n_tokens);
    put_inputs(p, total, out);
    enum err err = composed(p, "languages", "language", out, why);
    if (!err)
        err = composed(p, "licences", "licence", out, why);
    if (!err)
        err = composed(p, "industries", "industry", out, why);
    if (!err) /* no profile counts grades: the cards alone say them */
        err = composed(p, "grades", "grade", out, why);
    json_end_object(out);
    return err;
}

enum err data_mix_preview_json(struct data *data, const struct ops_identity *who,
                               const struct json *ask, struct arena *arena, struct json_out *out,
                               struct why *why)
{
    struct preview *p = arena_one(arena, struct preview);
    size_t scarce;
    enum err err = p ? ops_need(who, "data.read", why)
                     : err_set(why, ERR_NO_MEMORY, "could not sum the mixture up");
    if (err)
        return err;
    *p = (struct preview){.arena = arena};
    err = read_preview(data, who, ask, p, why);
    if (err)
        return err;
    double total =
        mix_times(p->weights, p->sizes, p->n, p->most_repeats, p->total, p->times, &scarce);
    return put_preview(p, total, scarce, out, why);
}
