/* data/clusters - what the mark of near duplicates (near.h) says of a version: sizes, the largest.
 */
#include <string.h>

#include "core/arena.h"
#include "data/field.h"
#include "data/room.h"

#define MOST_SHOWN   100
#define MOST_FROM    1000
#define MOST_MEMBERS 8
#define MOST_SIZES   32   /* 2, 3-4, 5-8 ... */
#define EXCERPT      1200 /* bytes of a text */

struct member {
    struct str id, text;
    bool keep;
};

struct cluster {
    struct str id;
    int64_t size;
    struct member *members; /* n of at most c->most, in the order of the data */
    size_t n;
};

struct clusters {
    struct arena *arena;
    struct cluster *top; /* the largest first, n of them; of equals the first in the data */
    size_t n, limit;
    size_t most, skip; /* members of each that are shown, and before them of the first */
    int64_t n_clusters, n_members, sizes[MOST_SIZES];
};

struct mark {
    struct str cluster;
    int64_t size;
    bool keep;
};

static bool mark_of(const struct record *record, struct str field, struct mark *out)
{
    const struct json *json;
    struct str raw = field_raw(record, field);
    if (!raw.len || raw.ptr[0] != '{' || json_parse(raw, record->arena, &json, NULL))
        return false;
    *out = (struct mark){json_get_str(json, "cluster", STR("")), json_get_int(json, "size", 0),
                         json_get_bool(json, "keep", false)};
    return out->cluster.len > 0 && out->size > 1;
}

static enum err insert(struct clusters *c, const struct mark *mark, struct why *why)
{
    size_t at = c->n;
    while (at > 0 && c->top[at - 1].size < mark->size)
        at--;
    if (at == c->limit)
        return ERR_OK;
    struct str id = str_copy(c->arena, mark->cluster);
    if (!id.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the clusters");
    c->n += c->n < c->limit;
    memmove(&c->top[at + 1], &c->top[at], (c->n - at - 1) * sizeof *c->top);
    c->top[at] = (struct cluster){.id = id, .size = mark->size};
    return ERR_OK;
}

/* Who stays counts for the cluster. */
static enum err count(struct clusters *c, const struct record *record, const struct mark *mark,
                      struct why *why)
{
    size_t k = 0;
    (void)record;
    c->n_members++;
    if (!mark->keep)
        return ERR_OK;
    while (k + 1 < MOST_SIZES && (int64_t)2 << k < mark->size)
        k++;
    c->sizes[k]++;
    c->n_clusters++;
    return insert(c, mark, why);
}

static enum err show(struct clusters *c, const struct record *record, const struct mark *mark,
                     struct why *why)
{
    struct record_text *texts;
    size_t n, n_paths;
    struct cluster *to = NULL;
    for (size_t i = 0; i < c->n && !to; i++)
        if (str_eq(c->top[i].id, mark->cluster))
            to = &c->top[i];
    if (!to)
        return ERR_OK;
    to->size = mark->size;
    if (c->skip > 0) {
        c->skip--;
        return ERR_OK;
    }
    if (to->n == c->most)
        return ERR_OK;
    if (!to->members)
        to->members = arena_array(c->arena, struct member, c->most);
    if (!to->members)
        return err_set(why, ERR_NO_MEMORY, "could not hold the clusters");
    const struct str *paths = record_paths(record_kind_guess(record), &n_paths);
    enum err err = record_texts(record, paths, n_paths, &texts, &n, why);
    if (err)
        return err;
    struct str text = n ? texts[0].value : STR("");
    bool cut = text.len > EXCERPT;
    text.len = cut ? EXCERPT : text.len;
    while (cut && text.len && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80)
        text.len--;
    struct member m = {str_copy(c->arena, record->id), str_copy(c->arena, text), mark->keep};
    to->members[to->n++] = m;
    return m.id.ptr && m.text.ptr ? ERR_OK
                                  : err_set(why, ERR_NO_MEMORY, "could not hold the clusters");
}

typedef enum err look_fn(struct clusters *c, const struct record *record, const struct mark *mark,
                         struct why *why);

static enum err look(struct data_reader *reader, struct str field, struct clusters *c, look_fn *fn,
                     struct why *why)
{
    struct arena *one = arena_new((size_t)256 << 20);
    enum err err = one ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not look for clusters");
    data_reader_seek(reader, 0);
    while (!err) {
        struct data_record got;
        struct record record;
        struct mark mark;
        arena_reset(one);
        err = data_reader_next(reader, one, &got, why);
        if (err || !got.line.ptr)
            break;
        err = record_read(got.line, one, &record, why);
        if (!err && mark_of(&record, field, &mark))
            err = fn(c, &record, &mark, why);
    }
    arena_free(one);
    return err;
}

static void put_sizes(const struct clusters *c, struct json_out *out)
{
    json_key(out, "sizes");
    json_begin_array(out);
    for (size_t k = 0; k < MOST_SIZES; k++) {
        if (!c->sizes[k])
            continue;
        json_begin_object(out);
        json_kv_int(out, "from", k ? ((int64_t)1 << k) + 1 : 2);
        json_kv_int(out, "to", (int64_t)2 << k);
        json_kv_int(out, "n", c->sizes[k]);
        json_end_object(out);
    }
    json_end_array(out);
}

static void put_top(const struct clusters *c, struct json_out *out)
{
    json_key(out, "clusters");
    json_begin_array(out);
    for (size_t i = 0; i < c->n; i++) {
        json_begin_object(out);
        json_kv_str(out, "cluster", c->top[i].id);
        json_kv_int(out, "size", c->top[i].size);
        json_key(out, "members");
        json_begin_array(out);
        for (size_t k = 0; k < c->top[i].n; k++) {
            json_begin_object(out);
            json_kv_str(out, "id", c->top[i].members[k].id);
            json_kv_bool(out, "keep", c->top[i].members[k].keep);
            json_kv_str(out, "text", c->top[i].members[k].text);
            json_end_object(out);
        }
        json_end_array(out);
        json_end_object(out);
    }
    json_end_array(out);
}

static enum err largest(struct clusters *c, struct data_reader *reader,
                        const struct data_clusters_ask *ask, struct why *why)
{
    c->limit = ask->from + ask->limit;
    c->most = MOST_MEMBERS;
    c->top = arena_array(c->arena, struct cluster, c->limit + 1);
    if (!c->top)
        return err_set(why, ERR_NO_MEMORY, "could not hold the clusters");
    enum err err = look(reader, ask->field, c, count, why);
    size_t from = ask->from < c->n ? ask->from : c->n; /* those before were shown */
    c->top += from;
    c->n -= from;
    return err || !c->n ? err : look(reader, ask->field, c, show, why);
}

static enum err one_of_them(struct clusters *c, struct data_reader *reader,
                            const struct data_clusters_ask *ask, struct why *why)
{
    c->n = 1;
    c->most = ask->limit;
    c->skip = ask->from;
    c->top = arena_one(c->arena, struct cluster);
    if (!c->top)
        return err_set(why, ERR_NO_MEMORY, "could not hold the cluster");
    *c->top = (struct cluster){.id = ask->cluster};
    enum err err = look(reader, ask->field, c, show, why);
    if (!err && !c->top->size)
        err = err_set(why, ERR_NOT_FOUND, "there is no cluster \"%.*s\"", STR_FMT(ask->cluster));
    return err;
}

enum err data_clusters_json(struct data *data, const struct ops_identity *who, struct str name,
                            int64_t number, const struct data_clusters_ask *ask,
                            struct arena *arena, struct json_out *out, struct why *why)
{
    struct data_reader *reader = NULL;
    struct clusters c = {.arena = arena};
    if (ask->limit < 1 || ask->limit > MOST_SHOWN)
        return err_set(why, ERR_INVALID, "1 to %d clusters are shown", MOST_SHOWN);
    if (!ask->cluster.len && ask->from > MOST_FROM)
        return err_set(why, ERR_INVALID, "the %d largest clusters can be looked at", MOST_FROM);
    enum err err = record_path_check(ask->field, why);
    if (!err)
        err = data_reader_open(data, who, name, number, &reader, why);
    if (!err)
        err = (ask->cluster.len ? one_of_them : largest)(&c, reader, ask, why);
    if (!err) {
        json_begin_object(out);
        json_kv_str(out, "field", ask->field);
        json_kv_int(out, "version", data_reader_version(reader)->number);
        json_kv_int(out, "n_records", data_reader_n(reader));
        json_kv_int(out, "n_clusters", c.n_clusters);
        json_kv_int(out, "n_members", c.n_members);
        put_sizes(&c, out);
        put_top(&c, out);
        json_end_object(out);
    }
    data_reader_close(reader);
    return err;
}
