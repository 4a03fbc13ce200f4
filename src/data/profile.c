#include "data/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/map.h"
#include "data/lang.h"
#include "data/room.h"
#include "data/text.h"

#define FORMAT      1 /* of what data_profiles holds */
#define MOST_LABELS 200
#define MOST_KEPT   60 /* licences and industries; the rest counts as "*" */
#define N_LENGTHS   12
#define RECORD_ROOM ((size_t)64 << 20)

/* The bounds of the histogram, in characters; the last is open. */
static const int64_t bounds[N_LENGTHS] = {0,    20,   50,   100,   200,   500,
                                          1000, 2000, 5000, 10000, 20000, 50000};

struct reader {
    const struct dataset_version *version;
    struct arena *arena, *own; /* of the profile; of the record in hand */
    struct lang *lang;         /* or NULL: told by the script */
    int64_t *lengths;          /* of every record read, n of them; PROFILE_WHOLE_RECORDS of room */
    int64_t n, expected;       /* records read, and to be read */
    int64_t line_bytes, characters, text_bytes;
    double tokens;
    struct map languages, labels;
};

static enum err count_one(struct map *map, struct str name, int64_t n, size_t most, struct why *why)
{
    struct map_entry *e = map_find(map, name);
    if (!e) {
        struct str key = map->n < most ? str_copy(map->arena, name) : STR("*");
        e = key.ptr ? map_put(map, key, NULL) : NULL;
    }
    if (!e)
        return err_set(why, ERR_NO_MEMORY, "could not count what the records are like");
    e->value.i += n;
    return ERR_OK;
}

/* ---- languages ---- */

struct script {
    uint32_t from, to;
    const char *code;
};
static const struct script scripts[] = {
    {0x41, 0x7A, "latin"},  {0xC0, 0x24F, "latin"},   {0x400, 0x52F, "ru"},
    {0x600, 0x6FF, "ug"},   {0xF00, 0xFFF, "bo"},     {0x1100, 0x11FF, "ko"},
    {0x1800, 0x18AF, "mn"}, {0x3040, 0x30FF, "ja"},   {0x3400, 0x4DBF, "zh"},
    {0x4E00, 0x9FFF, "zh"}, {0xA000, 0xA4CF, "ii"},   {0xAC00, 0xD7AF, "ko"},
    {0xF900, 0xFAFF, "zh"}, {0x20000, 0x323AF, "zh"},
};

/* Without a model: whose letters are most. Kana decide for Japanese, which has Han too. */
static const char *by_script(struct str text)
{
    enum { N = sizeof scripts / sizeof scripts[0] };
    int64_t counts[N] = {0}, most = 0;
    const char *best = "";
    for (size_t i = 0; i < text.len && i < 3000;) {
        uint32_t c = text_next(text, &i);
        for (size_t k = 0; k < N; k++)
            counts[k] += c >= scripts[k].from && c <= scripts[k].to;
    }
    for (size_t k = 0; k < N; k++) {
        int64_t weight = counts[k];
        if (!strcmp(scripts[k].code, "ja"))
            weight *= 4;
        else if (!strcmp(scripts[k].code, "latin"))
            weight /= 3; /* a Han character says as much as some letters */
        if (weight > most) {
            most = weight;
            best = scripts[k].code;
        }
    }
    return best;
}

static enum err add_language(struct reader *r, struct str text, struct why *why)
{
    char code[LANG_CODE] = "";
    int64_t every = r->expected / PROFILE_LANGUAGES;
    if (every > 1 && r->n % every != 0)
        return ERR_OK;
    if (!r->lang)
        (void)snprintf(code, sizeof code, "%s", by_script(text));
    else if (!lang_best(r->lang, text, 1000, code))
        code[0] = '\0';
    return count_one(&r->languages, code[0] ? str_c(code) : STR("?"), 1, MOST_LABELS, why);
}

/* ---- records ---- */

static enum err add_texts(struct reader *r, const struct record *record, struct why *why)
{
    size_t n_paths, n;
    const struct str *paths = record_paths(r->version->kind, &n_paths);
    struct record_text *texts;
    struct buf all;
    int64_t characters = 0;
    buf_init(&all, r->own);
    enum err err = record_texts(record, paths, n_paths, &texts, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        struct text_counts counts = text_count(texts[i].value);
        struct str s = texts[i].value;
        size_t han = counts.of[TEXT_HAN];
        characters += (int64_t)counts.n;
        r->text_bytes += (int64_t)s.len;
        r->tokens += (double)han / 1.6 + (s.len > 3 * han ? (double)(s.len - 3 * han) / 4 : 0);
        if (all.len < 2000) {
            buf_add(&all, s);
            buf_char(&all, '\n');
        }
    }
    if (!err)
        err = buf_err(&all, why);
    r->lengths[r->n++] = characters;
    r->characters += characters;
    return err ? err : add_language(r, buf_str(&all), why);
}

static enum err add_labels(struct reader *r, const struct record *record, struct why *why)
{
    static const struct str paths[] = {STR_INIT("label"), STR_INIT("spans[].label")};
    struct record_text *texts;
    size_t n;
    if (r->version->kind != RECORD_CLASSIFICATION && r->version->kind != RECORD_SPANS)
        return ERR_OK;
    enum err err = record_texts(record, paths, 2, &texts, &n, why);
    for (size_t i = 0; !err && i < n; i++)
        err = count_one(&r->labels, texts[i].value, 1, MOST_LABELS, why);
    return err;
}

static enum err add_line(struct reader *r, struct str line, struct why *why)
{
    struct record record;
    arena_reset(r->own);
    if (!line.len || r->n >= PROFILE_WHOLE_RECORDS)
        return ERR_OK;
    enum err err = record_read(line, r->own, &record, why);
    if (!err)
        err = add_texts(r, &record, why);
    r->line_bytes += (int64_t)line.len + 1;
    return err ? err : add_labels(r, &record, why);
}

/* By chance, not every n-th: records may come in turns. The same ones each time. */
static bool by_chance(int64_t number, int64_t want, int64_t total)
{
    return (int64_t)(hash64(&number, sizeof number, 11) % (uint64_t)total) < want;
}

static enum err read_all(struct data *data, struct reader *r, struct why *why)
{
    const struct dataset_version *v = r->version;
    bool whole = v->n_bytes <= PROFILE_WHOLE_BYTES && v->n_records <= PROFILE_WHOLE_RECORDS;
    size_t step = whole || v->n_shards <= PROFILE_SHARDS ? 1 : v->n_shards / PROFILE_SHARDS;
    int64_t number = 0, total = 0, want = PROFILE_RECORDS;
    enum err err = ERR_OK;
    r->expected = whole ? v->n_records : want;
    for (size_t s = 0; s < v->n_shards; s += step)
        total += v->shards[s].n_records;
    for (size_t s = 0; !err && s < v->n_shards; s += step) {
        struct file_map map;
        err = dataset_map(data, v->shards[s].object, r->arena, &map, why);
        if (err)
            break;
        struct str rest = {(const char *)map.ptr, map.len}, line;
        for (; !err && str_next(&rest, '\n', &line); number += line.len > 0)
            if (whole || total <= want || by_chance(number, want, total))
                err = add_line(r, line, why);
        file_unmap(&map);
    }
    return err;
}

/* ---- what sources say ---- */

struct said {
    struct arena *own;
    struct map licences, industries;
};

static enum err add_source(void *ctx, const struct store_rows *row, struct why *why)
{
    struct said *said = ctx;
    const struct json *collection = NULL;
    arena_reset(said->own);
    /* What cannot be read says nothing; `yicheng check` looks at the tables. */
    if (json_parse(store_str(row, 0, 0), said->own, &collection, NULL))
        collection = NULL;
    int64_t n = store_int(row, 0, 1);
    enum err err =
        count_one(&said->licences, json_get_str(collection, "licence", STR("")), n, MOST_KEPT, why);
    return err ? err
               : count_one(&said->industries, json_get_str(collection, "industry", STR("")), n,
                           MOST_KEPT, why);
}

static enum err read_sources(struct data *data, struct str version, struct said *said,
                             struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = store_begin(data->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = store_each(tx,
                         "SELECT s.collection, c.n_records FROM data_contents c JOIN data_sources "
                         "s ON s.id = c.source WHERE c.version = ?",
                         STORE_ARGS(SV_STR(version)), add_source, said, why);
    store_rollback(tx);
    return err;
}

/* ---- as JSON ---- */

static enum err put_map(const struct map *map, const char *name, struct json_out *out,
                        struct why *why)
{
    const struct map_entry **list = stats_sorted(map);
    if (!list)
        return err_set(why, ERR_NO_MEMORY, "could not write the profile");
    json_key(out, name);
    json_begin_object(out);
    for (size_t i = 0; i < map->n; i++) {
        char *key = str_z(map->arena, list[i]->key);
        if (!key)
            return err_set(why, ERR_NO_MEMORY, "could not write the profile");
        json_key(out, key);
        json_put_int(out, list[i]->value.i);
    }
    json_end_object(out);
    return ERR_OK;
}

static int by_length(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void put_lengths(struct reader *r, struct json_out *out)
{
    int64_t n = r->n, *sorted = r->lengths, i = 0;
    qsort(sorted, (size_t)n, sizeof *sorted, by_length);
    json_key(out, "characters");
    json_begin_object(out);
    json_kv_int(out, "mean", n ? r->characters / n : 0);
    json_kv_int(out, "p10", n ? sorted[n / 10] : 0);
    json_kv_int(out, "p50", n ? sorted[n / 2] : 0);
    json_kv_int(out, "p90", n ? sorted[n * 9 / 10] : 0);
    json_kv_int(out, "most", n ? sorted[n - 1] : 0);
    json_end_object(out);
    json_key(out, "lengths");
    json_begin_array(out);
    for (size_t b = 0; b < N_LENGTHS; b++) {
        int64_t first = i;
        while (i < n && (b + 1 == N_LENGTHS || sorted[i] < bounds[b + 1]))
            i++;
        json_begin_object(out);
        json_kv_int(out, "from", bounds[b]);
        json_key(out, "to");
        if (b + 1 < N_LENGTHS)
            json_put_int(out, bounds[b + 1]);
        else
            json_put_null(out);
        json_kv_int(out, "n", i - first);
        json_end_object(out);
    }
    json_end_array(out);
}

static enum err put_profile(struct data *data, struct reader *r, const struct json *manifest,
                            struct json_out *out, struct why *why)
{
    const struct dataset_version *v = r->version;
    struct said said = {.own = r->own};
    /* Every record was read: exact. Else in proportion to the bytes. */
    bool whole = r->n == v->n_records;
    double scale = whole || !r->line_bytes ? 1 : (double)v->n_bytes / (double)r->line_bytes;
    map_init(&said.licences, r->arena);
    map_init(&said.industries, r->arena);
    json_begin_object(out);
    json_kv_int(out, "n_records", v->n_records);
    json_kv_int(out, "n_bytes", v->n_bytes);
    json_kv_int(out, "n_sampled", r->n);
    json_kv_bool(out, "whole", whole);
    json_kv_int(out, "n_characters", (int64_t)((double)r->characters * scale));
    json_kv_int(out, "n_text_bytes", (int64_t)((double)r->text_bytes * scale));
    json_kv_int(out, "n_tokens", (int64_t)(r->tokens * scale));
    put_lengths(r, out);
    json_kv_c(out, "languages_by", r->lang ? "lid.176" : "script");
    enum err err = put_map(&r->languages, "languages", out, why);
    if (!err)
        err = put_map(&r->labels, "labels", out, why);
    json_key(out, "splits");
    json_put_value(out, json_get(manifest, "splits"));
    if (!err)
        err = read_sources(data, v->id, &said, why);
    if (!err)
        err = put_map(&said.licences, "licences", out, why);
    if (!err)
        err = put_map(&said.industries, "industries", out, why);
    json_end_object(out);
    return err;
}

static void close_lang(void *lang)
{
    lang_close(lang);
}

static enum err make(struct data *data, struct dataset_version *v, struct arena *arena,
                     struct str *out, struct why *why)
{
    struct reader r = {.version = v, .arena = arena, .own = arena_new(RECORD_ROOM)};
    const struct json *manifest;
    struct buf buf;
    struct json_out json;
    char words[160];
    char *model = file_join(arena, data->models, "lid.176.ftz");
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    map_init(&r.languages, arena);
    map_init(&r.labels, arena);
    r.lengths = arena_array(arena, int64_t, PROFILE_WHOLE_RECORDS);
    r.lang = model && file_exists(model) ? lang_open(model, words, sizeof words) : NULL;
    if (r.lang && arena_defer(arena, close_lang, r.lang) != 0) {
        lang_close(r.lang);
        r.lang = NULL;
    }
    enum err err =
        r.own && r.lengths ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not look at the records");
    if (!err)
        err = dataset_manifest_read(data, v, arena, &manifest, why);
    if (!err)
        err = read_all(data, &r, why);
    if (!err)
        err = put_profile(data, &r, manifest, &json, why);
    arena_free(r.own);
    *out = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

static enum err make_and_keep(struct data *data, struct dataset_version *v, struct arena *arena,
                              struct str *out, struct why *why)
{
    struct arena *own = arena_new((size_t)256 << 20);
    struct str text = STR_NONE;
    struct why kept = {0};
    enum err err = own ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not look at the records");
    if (!err)
        err = dataset_shards(data, v, own, why);
    if (!err)
        err = make(data, v, own, &text, why);
    if (!err) {
        *out = str_copy(arena, text);
        err = out->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the profile");
    }
    v->shards = NULL; /* they end with `own` */
    v->n_shards = 0;
    /* Only kept so as not to be made again: that it could not be kept is no reason to fail. */
    if (!err && store_run(data->opts.store,
                          "INSERT INTO data_profiles (version, format, profile) VALUES (?, ?, ?) "
                          "ON CONFLICT (version) DO UPDATE SET format = excluded.format, profile = "
                          "excluded.profile",
                          STORE_ARGS(SV_STR(v->id), SV_INT(FORMAT), SV_STR(text)), NULL, &kept))
        LOG_WARN("a profile could not be kept", LOG_WHY(&kept));
    arena_free(own);
    return err;
}

enum err profile_of(struct data *data, struct dataset_version *version, struct arena *arena,
                    const struct json **out, struct why *why)
{
    struct store_rows rows;
    struct str text = STR_NONE;
    enum err err = store_ask(data->opts.store,
                             "SELECT profile FROM data_profiles WHERE version = ? AND format = ?",
                             STORE_ARGS(SV_STR(version->id), SV_INT(FORMAT)), arena, &rows, why);
    if (!err && rows.n_rows)
        text = store_str(&rows, 0, 0);
    else if (!err)
        err = make_and_keep(data, version, arena, &text, why);
    return err ? err : json_parse(text, arena, out, why);
}

/* ---- as the route shows it ---- */

static enum err put_largest(struct data *data, struct str version, struct arena *arena,
                            struct json_out *out, struct why *why)
{
    struct store_rows rows, count;
    enum err err = store_ask(data->opts.store,
                             "SELECT s.id, s.uri, c.n_records, s.state FROM data_contents c JOIN "
                             "data_sources s ON s.id = c.source WHERE c.version = ? ORDER BY "
                             "c.n_records DESC, s.id LIMIT 20",
                             STORE_ARGS(SV_STR(version)), arena, &rows, why);
    if (!err)
        err = store_ask(data->opts.store, "SELECT COUNT(*) FROM data_contents WHERE version = ?",
                        STORE_ARGS(SV_STR(version)), arena, &count, why);
    if (err)
        return err;
    json_kv_int(out, "n_sources", store_int(&count, 0, 0));
    json_key(out, "sources");
    json_begin_array(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        json_begin_object(out);
        json_kv_str(out, "id", store_str(&rows, i, 0));
        json_kv_str(out, "uri", store_str(&rows, i, 1));
        json_kv_int(out, "n_records", store_int(&rows, i, 2));
        json_kv_str(out, "state", store_str(&rows, i, 3));
        json_end_object(out);
    }
    json_end_array(out);
    return ERR_OK;
}

enum err data_profile_json(struct data *data, const struct ops_identity *who, struct str name,
                           int64_t number, struct arena *arena, struct json_out *out,
                           struct why *why)
{
    struct dataset set;
    struct dataset_version v;
    const struct json *profile = NULL, *value;
    void *iter = NULL;
    struct str key;
    enum err err = dataset_find(data, who, name, arena, &set, why);
    if (!err)
        err = dataset_version_find(data, &set, number, arena, &v, why);
    if (!err)
        err = profile_of(data, &v, arena, &profile, why);
    if (err)
        return err;
    json_begin_object(out);
    while (json_each(profile, &iter, &key, &value)) {
        char *member = str_z(arena, key);
        if (!member)
            return err_set(why, ERR_NO_MEMORY, "could not write the profile");
        json_key(out, member);
        json_put_value(out, value);
    }
    err = put_largest(data, v.id, arena, out, why);
    json_end_object(out);
    return err;
}
