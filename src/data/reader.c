/* data/reader - the records of a version for the rooms above, in order or by number. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/room.h"

#define ROOM       ((size_t)640 << 20) /* a manifest as a tree, and the indexes */
#define STRIDE     64                  /* of how many records one is indexed */
#define MOST_OPEN  32                  /* mapped shards */
#define RECORD_MEM ((size_t)64 << 20)

struct shard {
    int64_t first, n;
    struct file_map map;
    uint32_t *index; /* offset of every STRIDE-th line; NULL: not looked at yet */
    uint64_t used;   /* when it was asked for last */
    bool is_open;
};

struct data_reader {
    struct data *data;
    struct arena *arena;
    struct ops_identity who;
    struct dataset_version version;
    struct data_version_info info;
    struct shard *shards;
    size_t n_shards, n_open;
    uint64_t clock;
    int64_t next;       /* number of the record that next() gives */
    size_t shard, byte; /* where it begins, when it is known */
    bool known;
};

/* ---- opening ---- */

static enum err read_run(struct data_reader *r, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(r->data->opts.store, "SELECT kind FROM data_runs WHERE id = ?",
                             STORE_ARGS(SV_STR(r->version.run)), r->arena, &rows, why);
    if (!err)
        r->info.made_by = store_str(&rows, 0, 0);
    return err;
}

/* Shards without lines (only a trail) are passed over. */
static enum err set_shards(struct data_reader *r, struct why *why)
{
    const struct dataset_version *v = &r->version;
    int64_t first = 0;
    r->shards = arena_array(r->arena, struct shard, v->n_shards + 1);
    if (!r->shards)
        return err_set(why, ERR_NO_MEMORY, "could not open the version");
    for (size_t i = 0; i < v->n_shards; i++) {
        r->shards[i] = (struct shard){.first = first, .n = v->shards[i].n_records};
        first += v->shards[i].n_records;
    }
    r->n_shards = v->n_shards;
    if (first != v->n_records)
        return err_set(why, ERR_CORRUPT, "the shards of version %lld have %lld records, not %lld",
                       (long long)v->number, (long long)first, (long long)v->n_records);
    return ERR_OK;
}

static enum err open_in(struct data_reader *r, struct str name, int64_t number, struct why *why)
{
    struct dataset set;
    struct dataset_version *v = &r->version;
    enum err err = dataset_find(r->data, &r->who, name, r->arena, &set, why);
    if (!err)
        err = dataset_version_find(r->data, &set, number, r->arena, v, why);
    if (!err)
        err = dataset_shards(r->data, v, r->arena, why);
    if (!err)
        err = set_shards(r, why);
    if (err)
        return err;
    r->info = (struct data_version_info){.id = v->id,
                                         .dataset = set.name,
                                         .title = set.title,
                                         .number = v->number,
                                         .kind = record_kind_name(v->kind),
                                         .access = set.access,
                                         .manifest = v->manifest,
                                         .state = v->state,
                                         .card = v->card,
                                         .actor = v->actor,
                                         .run = v->run,
                                         .n_records = v->n_records,
                                         .n_bytes = v->n_bytes,
                                         .created_ms = v->created_ms,
                                         .n_shards = v->n_shards};
    return read_run(r, why);
}

enum err data_reader_open(struct data *data, const struct ops_identity *who, struct str name,
                          int64_t number, struct data_reader **out, struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct data_reader *r = arena ? arena_one(arena, struct data_reader) : NULL;
    if (!r) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "could not open the version");
    }
    *r = (struct data_reader){.data = data, .arena = arena, .who = *who};
    r->who.tenant = str_copy(arena, who->tenant); /* all that is asked of it later */
    enum err err = open_in(r, name, number, why);
    if (err)
        arena_free(arena);
    else
        *out = r;
    return err;
}

static void shut(struct data_reader *r, struct shard *s)
{
    file_unmap(&s->map);
    s->is_open = false;
    r->n_open--;
}

void data_reader_close(struct data_reader *reader)
{
    for (size_t i = 0; reader && i < reader->n_shards; i++) {
        if (reader->shards[i].is_open)
            shut(reader, &reader->shards[i]);
        free(reader->shards[i].index);
    }
    if (reader)
        arena_free(reader->arena);
}

const struct data_version_info *data_reader_version(const struct data_reader *reader)
{
    return &reader->info;
}

int64_t data_reader_n(const struct data_reader *reader)
{
    return reader->info.n_records;
}

void data_reader_shard(const struct data_reader *reader, size_t shard, int64_t *first, int64_t *n)
{
    bool known = shard < reader->n_shards;
    *first = known ? reader->shards[shard].first : reader->info.n_records;
    *n = known ? reader->shards[shard].n : 0;
}

/* ---- lines ---- */

static enum err damaged(const struct data_reader *r, size_t shard, struct why *why)
{
    return err_set(why, ERR_CORRUPT,
                   "shard %zu of \"%.*s\" version %lld has fewer records than told", shard,
                   SHOW(r->info.dataset), (long long)r->info.number);
}

static enum err need_shard(struct data_reader *r, size_t i, struct why *why)
{
    struct shard *s = &r->shards[i], *oldest = NULL;
    s->used = ++r->clock;
    if (s->is_open)
        return ERR_OK;
    for (size_t k = 0; r->n_open >= MOST_OPEN && k < r->n_shards; k++)
        if (r->shards[k].is_open && (!oldest || r->shards[k].used < oldest->used))
            oldest = &r->shards[k];
    if (oldest)
        shut(r, oldest);
    struct arena *arena = arena_new((size_t)1 << 20);
    enum err err = arena ? dataset_map(r->data, r->version.shards[i].object, arena, &s->map, why)
                         : err_set(why, ERR_NO_MEMORY, "could not open a shard");
    arena_free(arena);
    s->is_open = !err;
    r->n_open += !err;
    return err;
}

static struct str all_of(const struct shard *s)
{
    return (struct str){(const char *)s->map.ptr, s->map.len};
}

/* The line that begins at *at, which moves behind it; empty lines are none. */
static bool line_at(const struct shard *s, size_t *at, struct str *line)
{
    struct str all = all_of(s);
    while (*at < all.len) {
        const char *end = memchr(all.ptr + *at, '\n', all.len - *at);
        size_t next = end ? (size_t)(end - all.ptr) : all.len;
        *line = str_slice(all, *at, next);
        *at = next + 1;
        if (line->len)
            return true;
    }
    return false;
}

static enum err need_index(struct data_reader *r, size_t i, struct why *why)
{
    struct shard *s = &r->shards[i];
    struct str line;
    if (s->index)
        return ERR_OK;
    if (s->map.len > UINT32_MAX)
        return err_set(why, ERR_TOO_LARGE, "a shard of %zu bytes cannot be indexed", s->map.len);
    uint32_t *index = calloc((size_t)(s->n / STRIDE) + 1, sizeof *index);
    if (!index)
        return err_set(why, ERR_NO_MEMORY, "could not index a shard");
    size_t at = 0;
    for (int64_t n = 0; n < s->n; n++) {
        if (n % STRIDE == 0)
            index[n / STRIDE] = (uint32_t)at;
        if (!line_at(s, &at, &line)) {
            free(index);
            return damaged(r, i, why);
        }
    }
    s->index = index;
    return ERR_OK;
}

static enum err give(const struct data_reader *r, int64_t number, struct str line,
                     struct arena *arena, struct data_record *out, struct why *why)
{
    struct str copy = str_copy(arena, line);
    (void)r;
    if (!copy.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold a record");
    *out = (struct data_record){.number = number, .id = record_line_id(copy, arena), .line = copy};
    return ERR_OK;
}

static size_t shard_of(const struct data_reader *r, int64_t number)
{
    size_t low = 0, high = r->n_shards;
    while (high - low > 1) { /* the last one whose first record is not behind it */
        size_t middle = low + (high - low) / 2;
        if (r->shards[middle].first <= number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Where record `number` begins: its shard is open, its line passed over to. */
static enum err locate(struct data_reader *r, int64_t number, size_t *shard, size_t *byte,
                       struct why *why)
{
    size_t i = shard_of(r, number);
    struct str line;
    enum err err = need_shard(r, i, why);
    if (!err)
        err = need_index(r, i, why);
    if (err)
        return err;
    const struct shard *s = &r->shards[i];
    int64_t within = number - s->first;
    size_t at = s->index[within / STRIDE];
    for (int64_t n = within % STRIDE; n > 0; n--)
        if (!line_at(s, &at, &line))
            return damaged(r, i, why);
    *shard = i;
    *byte = at;
    return ERR_OK;
}

void data_reader_seek(struct data_reader *reader, int64_t number)
{
    reader->next = number < 0 ? 0 : number;
    reader->known = false;
}

enum err data_reader_at(struct data_reader *r, int64_t number, struct arena *arena,
                        struct data_record *out, struct why *why)
{
    size_t shard, at;
    struct str line;
    if (number < 0 || number >= r->info.n_records)
        return err_set(why, ERR_NOT_FOUND, "version %lld has no record %lld; it has %lld",
                       (long long)r->info.number, (long long)number, (long long)r->info.n_records);
    enum err err = locate(r, number, &shard, &at, why);
    if (!err && !line_at(&r->shards[shard], &at, &line))
        err = damaged(r, shard, why);
    return err ? err : give(r, number, line, arena, out, why);
}

/* The next shard that has lines, from its beginning. */
static enum err step_shard(struct data_reader *r, struct why *why)
{
    if (r->shards[r->shard].is_open) /* what was passed is not needed soon */
        shut(r, &r->shards[r->shard]);
    do
        r->shard++;
    while (r->shard < r->n_shards && !r->shards[r->shard].n);
    r->byte = 0;
    return r->shard < r->n_shards ? need_shard(r, r->shard, why) : damaged(r, r->shard - 1, why);
}

enum err data_reader_next(struct data_reader *r, struct arena *arena, struct data_record *out,
                          struct why *why)
{
    struct str line;
    enum err err = ERR_OK;
    *out = (struct data_record){.number = r->next};
    if (r->next >= r->info.n_records)
        return ERR_OK;
    if (!r->known) {
        err = locate(r, r->next, &r->shard, &r->byte, why);
        r->known = !err;
    } else {
        const struct shard *s = &r->shards[r->shard];
        err = r->next >= s->first + s->n ? step_shard(r, why) : need_shard(r, r->shard, why);
    }
    if (!err && !line_at(&r->shards[r->shard], &r->byte, &line))
        err = damaged(r, r->shard, why);
    if (!err)
        err = give(r, r->next, line, arena, out, why);
    if (!err)
        r->next++;
    return err;
}

/* ---- by id ---- */

static enum err find_in(struct data_reader *r, size_t i, struct str token, struct str id,
                        struct arena *arena, struct data_record *out, struct why *why)
{
    enum err err = need_shard(r, i, why);
    struct str all = err ? STR("") : all_of(&r->shards[i]), line;
    if (err || str_find(all, token) == STR_NPOS)
        return err;
    size_t at = 0;
    for (int64_t n = 0; n < r->shards[i].n && line_at(&r->shards[i], &at, &line); n++) {
        struct arena *own = arena_new(RECORD_MEM);
        bool hit = own && str_eq(record_line_id(line, own), id);
        arena_free(own);
        if (hit)
            return give(r, r->shards[i].first + n, line, arena, out, why);
    }
    return ERR_OK;
}

enum err data_reader_find(struct data_reader *r, struct str id, struct arena *arena,
                          struct data_record *out, struct why *why)
{
    struct buf token; /* as it stands in a line that has no white space */
    struct data_record found = {.line = STR_NONE};
    buf_init(&token, arena);
    json_quote(&token, id);
    enum err err = buf_err(&token, why);
    for (size_t i = 0; !err && !found.line.ptr && i < r->n_shards; i++)
        if (r->shards[i].n)
            err = find_in(r, i, buf_str(&token), id, arena, &found, why);
    if (!err && !found.line.ptr)
        err = err_set(why, ERR_NOT_FOUND, "version %lld knows no record \"%.*s\"",
                      (long long)r->info.number, SHOW(id));
    if (!err)
        *out = found;
    return err;
}

/* ---- papers ---- */

enum err data_reader_sources(struct data_reader *r, struct arena *arena,
                             struct data_source_info **out, size_t *n, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(
        r->data->opts.store,
        "SELECT c.source, c.n_records, s.uri, s.sha256, s.collection, s.state FROM data_contents c "
        "LEFT JOIN data_sources s ON s.id = c.source AND s.tenant = ? WHERE c.version = ? ORDER BY "
        "c.source",
        STORE_ARGS(SV_STR(r->who.tenant), SV_STR(r->version.id)), arena, &rows, why);
    struct data_source_info *list =
        err ? NULL : arena_array(arena, struct data_source_info, rows.n_rows + 1);
    if (!err && !list)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the sources");
    if (err)
        return err;
    for (size_t i = 0; i < rows.n_rows; i++)
        list[i] =
            (struct data_source_info){.key = store_str(&rows, i, 0),
                                      .n_records = store_int(&rows, i, 1),
                                      .uri = store_str(&rows, i, 2),
                                      .sha256 = store_str(&rows, i, 3),
                                      .collection = store_str(&rows, i, 4),
                                      .withdrawn = str_eq_c(store_str(&rows, i, 5), "withdrawn")};
    *out = list;
    *n = rows.n_rows;
    return ERR_OK;
}
