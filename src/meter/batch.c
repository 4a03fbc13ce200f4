/* One commit of the writer: lines, roll-ups, sums, the batch and its entry of the ledger. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/time.h"
#include "ledger/ledger.h"
#include "meter/meter_in.h"

struct sum_row { /* of a roll-up */
    int64_t period, dim;
    struct meter_sums sums;
};

struct spent_row {
    struct str tenant, name;
    enum meter_level level;
    int64_t period, tokens, money;
};

/* What lines of one set of dimensions have in common, with the rows that the last of them went to:
 * lines come in the order of time, so that the next one goes to the same. */
struct dim {
    int64_t id, hour;
    int32_t day;
    struct sum_row *of_hour, *of_day;
    struct spent_row
        *spent[METER_N_LEVELS][2]; /* of the day and of its month; NULL: no such level */
};

struct batch {
    struct meter *meter;
    struct arena *arena;
    struct store_tx *tx;
    int64_t number, now_ms, next_dim;
    int32_t last_day;
    struct meter_line *lines; /* n of them */
    size_t n;
    struct map dims;               /* the eight texts -> struct dim */
    struct map closed;             /* tenant and month -> 1 open, 2 closed */
    struct map hours, days, spent; /* -> struct sum_row, struct spent_row */
    struct meter_sums total;
    uint8_t (*digests)[HASH_BYTES];
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold a batch of lines");
}

void meter_sums_add(struct meter_sums *to, const struct meter_sums *what)
{
    to->calls += what->calls;
    to->failed += what->failed;
    to->prompt += what->prompt;
    to->cached += what->cached;
    to->completion += what->completion;
    to->images += what->images;
    to->money += what->money;
    to->ms += what->ms;
    to->first_ms += what->first_ms;
    to->n_first += what->n_first;
    to->queue_ms += what->queue_ms;
}

/* ---- what is in it ---- */

static enum err is_there(struct batch *b, const struct flight_slot *slot, bool *there,
                         struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(b->tx, "SELECT id FROM meter_lines WHERE call = ?",
                               STORE_ARGS(SV_BLOB(((struct str){(const char *)slot->open.id, 16}))),
                               b->arena, &rows, why);
    *there = !err && rows.n_rows > 0;
    return err;
}

static struct meter_line line_of(const struct flight_slot *slot)
{
    const struct flight_open *o = &slot->open;
    const struct flight_end *e = &slot->end;
    return (struct meter_line){
        .call = o->id,
        .began_ms = o->began_ms,
        .ended_ms = e->ended_ms,
        .kind = (enum meter_kind)o->kind,
        .source = (enum meter_source)e->source,
        .outcome = (enum meter_outcome)e->outcome,
        .delivered = atomic_load_explicit(&slot->delivered, memory_order_relaxed),
        .prompt = e->prompt,
        .cached = e->cached,
        .completion = e->completion,
        .images = e->images,
        .money = e->money,
        .queue_ms = e->queue_ms,
        .first_ms = e->first_ms,
        .tenant = FLIGHT_GET(o->tenant),
        .key = FLIGHT_GET(o->key),
        .who_kind = FLIGHT_GET(o->who_kind),
        .application = FLIGHT_GET(o->application),
        .model = FLIGHT_GET(o->model),
        .model_id = FLIGHT_GET(o->model_id),
        .plan = FLIGHT_GET(o->plan),
        .trace = FLIGHT_GET(o->trace),
    };
}

static enum err collect(struct batch *b, struct flight_slot *const *slots, size_t n,
                        bool look_first, struct why *why)
{
    b->lines = arena_array(b->arena, struct meter_line, n);
    b->digests = arena_calloc(b->arena, n, HASH_BYTES);
    if (!b->lines || !b->digests)
        return no_memory(why);
    for (size_t i = 0; i < n; i++) {
        bool there = false;
        enum err err = look_first ? is_there(b, slots[i], &there, why) : ERR_OK;
        if (err)
            return err;
        if (!there)
            b->lines[b->n++] = line_of(slots[i]);
    }
    return ERR_OK;
}

/* ---- the place of a line ---- */

static enum err ask_closed(struct batch *b, struct str tenant, int month, bool *closed,
                           struct why *why)
{
    struct store_rows rows;
    struct str key = str_printf(b->arena, "%d %.*s", month, STR_FMT(tenant));
    struct map_entry *entry = key.ptr ? map_put(&b->closed, key, NULL) : NULL;
    if (!entry)
        return no_memory(why);
    if (!entry->value.i) {
        enum err err =
            store_query(b->tx, "SELECT closed_ms FROM meter_bills WHERE tenant = ? AND month = ?",
                        STORE_ARGS(SV_STR(tenant), SV_INT(month)), b->arena, &rows, why);
        if (err)
            return err;
        entry->value.i = rows.n_rows ? 2 : 1;
    }
    *closed = entry->value.i == 2;
    return ERR_OK;
}

/* A line belongs to the day it ended, unless that month's bill is closed: then to today. */
static enum err book(struct batch *b, struct meter_line *line, struct why *why)
{
    int32_t day = day_of(line->ended_ms), today = day_of(b->now_ms);
    bool closed = false;
    if (day != today && month_of(day) != month_of(today)) {
        enum err err = ask_closed(b, line->tenant, month_of(day), &closed, why);
        if (err)
            return err;
    }
    line->day = closed ? today : day;
    line->hour = (closed ? b->now_ms : line->ended_ms) / 3600000;
    if (line->day > b->last_day)
        b->last_day = line->day;
    return ERR_OK;
}

static enum err insert_dim(struct batch *b, const struct meter_line *l, int64_t *id,
                           struct why *why)
{
    struct store_rows rows;
    enum err err = ERR_OK;
    if (b->next_dim == 0) {
        err = store_query(b->tx, "SELECT COALESCE(MAX(id), 0) + 1 FROM meter_dims", STORE_NO_ARGS,
                          b->arena, &rows, why);
        if (err)
            return err;
        b->next_dim = store_int(&rows, 0, 0);
    }
    *id = b->next_dim++;
    return store_exec(b->tx,
                      "INSERT INTO meter_dims (id, tenant, key_id, who_kind, application, model,"
                      " model_id, plan_id, kind) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      STORE_ARGS(SV_INT(*id), SV_STR(l->tenant), SV_STR(l->key),
                                 SV_STR(l->who_kind), SV_STR(l->application), SV_STR(l->model),
                                 SV_STR(l->model_id), SV_STR(l->plan), SV_INT((int64_t)l->kind)),
                      NULL, why);
}

static enum err read_dim(struct batch *b, const struct meter_line *l, int64_t *id, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_query(b->tx,
                    "SELECT id FROM meter_dims WHERE tenant = ? AND key_id = ? AND who_kind = ?"
                    " AND application = ? AND model = ? AND model_id = ? AND plan_id = ?"
                    " AND kind = ?",
                    STORE_ARGS(SV_STR(l->tenant), SV_STR(l->key), SV_STR(l->who_kind),
                               SV_STR(l->application), SV_STR(l->model), SV_STR(l->model_id),
                               SV_STR(l->plan), SV_INT((int64_t)l->kind)),
                    b->arena, &rows, why);
    if (err)
        return err;
    if (rows.n_rows == 0)
        return insert_dim(b, l, id, why);
    *id = store_int(&rows, 0, 0);
    return ERR_OK;
}

static bool same_dim(const struct meter_line *a, const struct meter_line *b)
{
    return a->kind == b->kind && str_eq(a->key, b->key) && str_eq(a->model, b->model) &&
           str_eq(a->tenant, b->tenant) && str_eq(a->application, b->application) &&
           str_eq(a->model_id, b->model_id) && str_eq(a->plan, b->plan) &&
           str_eq(a->who_kind, b->who_kind);
}

static enum err look_up_dim(struct batch *b, struct meter_line *l, struct dim **out,
                            struct why *why)
{
    const struct str parts[] = {
        l->tenant, l->key,      l->who_kind, l->application,
        l->model,  l->model_id, l->plan,     str_c(meter_kind_name(l->kind))};
    char text[1024];
    size_t len = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].len)
            memcpy(text + len, parts[i].ptr, parts[i].len);
        len += parts[i].len;
        text[len++] = '\0';
    }
    struct map_entry *entry = map_find(&b->dims, (struct str){text, len});
    if (entry) {
        *out = entry->value.p;
        return ERR_OK;
    }
    struct dim *dim = arena_one(b->arena, struct dim);
    struct str key = {arena_copy(b->arena, text, len), len};
    entry = dim && key.ptr ? map_put(&b->dims, key, NULL) : NULL;
    if (!entry)
        return no_memory(why);
    entry->value.p = *out = dim;
    return read_dim(b, l, &dim->id, why);
}

/* `before`: the line before this one and its dimensions, or NULL. */
static enum err find_dim(struct batch *b, struct meter_line *l, const struct meter_line *before,
                         struct dim **dim, struct why *why)
{
    enum err err = before && same_dim(before, l) ? ERR_OK : look_up_dim(b, l, dim, why);
    if (!err)
        l->dim = (*dim)->id;
    return err;
}

/* ---- sums ---- */

static enum err sum_row(struct batch *b, struct map *map, int64_t period, int64_t dim,
                        struct sum_row **out, struct why *why)
{
    int64_t pair[2] = {period, dim};
    struct str key = {(const char *)pair, sizeof pair};
    struct map_entry *entry = map_find(map, key);
    if (!entry) {
        struct sum_row *row = arena_one(b->arena, struct sum_row);
        if (!row)
            return no_memory(why);
        row->period = period;
        row->dim = dim;
        entry = map_put(map, (struct str){(const char *)row, sizeof pair}, NULL);
        if (!entry)
            return no_memory(why);
        entry->value.p = row;
    }
    *out = entry->value.p;
    return ERR_OK;
}

static enum err spent_row(struct batch *b, const struct meter_line *l, enum meter_level level,
                          struct str name, int64_t period, struct spent_row **out, struct why *why)
{
    char text[256];
    int len = snprintf(text, sizeof text, "%d %lld %.*s/%.*s", (int)level, (long long)period,
                       STR_FMT(l->tenant), STR_FMT(name));
    struct str key = {text, (size_t)len};
    struct map_entry *entry = map_find(&b->spent, key);
    if (!entry) {
        struct spent_row *row = arena_one(b->arena, struct spent_row);
        key = str_copy(b->arena, key);
        entry = row && key.ptr ? map_put(&b->spent, key, NULL) : NULL;
        if (!entry)
            return no_memory(why);
        *row =
            (struct spent_row){.tenant = l->tenant, .name = name, .level = level, .period = period};
        entry->value.p = row;
    }
    *out = entry->value.p;
    return ERR_OK;
}

static enum err find_day(struct batch *b, const struct meter_line *l, struct dim *dim,
                         struct why *why)
{
    const struct str names[METER_N_LEVELS] = {
        [METER_TENANT] = STR(""), [METER_APPLICATION] = l->application, [METER_KEY] = l->key};
    const int64_t periods[] = {date_of(l->day), month_of(l->day)};
    enum err err = sum_row(b, &b->days, l->day, l->dim, &dim->of_day, why);
    for (int level = 0; level < METER_N_LEVELS; level++)
        for (size_t p = 0; p < 2 && !err; p++)
            if (level == METER_TENANT || names[level].len)
                err = spent_row(b, l, (enum meter_level)level, names[level], periods[p],
                                &dim->spent[level][p], why);
    dim->day = l->day;
    return err;
}

static void add_spent(const struct meter_line *l, struct dim *dim)
{
    int64_t tokens = l->kind == METER_CACHED ? 0 : l->prompt + l->completion;
    for (int level = 0; level < METER_N_LEVELS; level++)
        for (size_t p = 0; p < 2; p++)
            if (dim->spent[level][p]) {
                dim->spent[level][p]->tokens += tokens;
                dim->spent[level][p]->money += l->money;
            }
}

static enum err add_up(struct batch *b, const struct meter_line *l, struct dim *dim,
                       struct why *why)
{
    struct meter_sums sums = {
        .calls = 1,
        .failed = l->outcome != METER_OK,
        .prompt = l->prompt,
        .cached = l->cached,
        .completion = l->completion,
        .images = l->images,
        .money = l->money,
        .ms = l->ended_ms - l->began_ms,
        .first_ms = l->first_ms < 0 ? 0 : l->first_ms,
        .n_first = l->first_ms >= 0,
        .queue_ms = l->queue_ms < 0 ? 0 : l->queue_ms,
    };
    enum err err = ERR_OK;
    if (!dim->of_hour || dim->hour != l->hour)
        err = sum_row(b, &b->hours, l->hour, l->dim, &dim->of_hour, why);
    dim->hour = l->hour;
    if (!err && (!dim->of_day || dim->day != l->day))
        err = find_day(b, l, dim, why);
    if (err)
        return err;
    meter_sums_add(&b->total, &sums);
    meter_sums_add(&dim->of_hour->sums, &sums);
    meter_sums_add(&dim->of_day->sums, &sums);
    add_spent(l, dim);
    return ERR_OK;
}

/* ---- writing ---- */

#define LINE_FIELDS 19
#define AT_ONCE     8 /* lines in one statement: fewer ways to the store and back */
#define LINE_INSERT                                                                                \
    "INSERT INTO meter_lines (id, dim, call, began_ms, ended_ms, hour, day, source, outcome,"      \
    " delivered, prompt, cached, completion, images, money, queue_ms, first_ms, trace, mark)"      \
    " VALUES "
#define LINE_ROW "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

static void put_line(const struct meter_line *l, struct store_value out[LINE_FIELDS])
{
    const struct store_value values[LINE_FIELDS] = {
        SV_INT(l->id),
        SV_INT(l->dim),
        SV_BLOB(((struct str){(const char *)l->call, 16})),
        SV_INT(l->began_ms),
        SV_INT(l->ended_ms),
        SV_INT(l->hour),
        SV_INT(l->day),
        SV_INT((int64_t)l->source),
        SV_INT((int64_t)l->outcome),
        SV_INT(l->delivered),
        SV_INT(l->prompt),
        SV_INT(l->cached),
        SV_INT(l->completion),
        SV_INT(l->images),
        SV_INT(l->money),
        SV_INT(l->queue_ms),
        SV_INT(l->first_ms),
        SV_STR(l->trace),
        SV_INT(l->mark),
    };
    memcpy(out, values, sizeof values);
}

static enum err insert_lines(struct batch *b, const struct meter_line *lines, size_t n,
                             struct why *why)
{
    struct store_value values[AT_ONCE * LINE_FIELDS];
    for (size_t i = 0; i < n; i++)
        put_line(&lines[i], values + i * LINE_FIELDS);
    const char *sql = n == AT_ONCE ? LINE_INSERT LINE_ROW ", " LINE_ROW ", " LINE_ROW ", " LINE_ROW
                                                          ", " LINE_ROW ", " LINE_ROW ", " LINE_ROW
                                                          ", " LINE_ROW
                                   : LINE_INSERT LINE_ROW;
    return store_exec(b->tx, sql, (struct store_args){values, n * LINE_FIELDS}, NULL, why);
}

static enum err write_lines(struct batch *b, struct why *why)
{
    struct dim *dim = NULL;
    enum err err = ERR_OK;
    for (size_t i = 0; i < b->n && !err; i++) {
        struct meter_line *l = &b->lines[i];
        l->id = b->number << METER_ID_SHIFT | (int64_t)i;
        err = book(b, l, why);
        if (!err)
            err = find_dim(b, l, i ? l - 1 : NULL, &dim, why);
        if (!err)
            err = add_up(b, l, dim, why);
        if (!err)
            line_digest(l, b->digests[i]);
    }
    for (size_t i = 0, n; i < b->n && !err; i += n) {
        n = b->n - i >= AT_ONCE ? AT_ONCE : 1;
        err = insert_lines(b, &b->lines[i], n, why);
    }
    return err;
}

#define UPSERT(table, period)                                                                      \
    "INSERT INTO " table " (" period ", dim, calls, failed, prompt, cached, completion, images,"   \
    " money, ms, first_ms, n_first, queue_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"      \
    " ON CONFLICT (" period ", dim) DO UPDATE SET calls = " table ".calls + excluded.calls,"       \
    " failed = " table ".failed + excluded.failed, prompt = " table ".prompt + excluded.prompt,"   \
    " cached = " table ".cached + excluded.cached,"                                                \
    " completion = " table ".completion + excluded.completion,"                                    \
    " images = " table ".images + excluded.images, money = " table ".money + excluded.money,"      \
    " ms = " table ".ms + excluded.ms, first_ms = " table ".first_ms + excluded.first_ms,"         \
    " n_first = " table ".n_first + excluded.n_first,"                                             \
    " queue_ms = " table ".queue_ms + excluded.queue_ms"

static enum err write_sums(struct batch *b, const struct map *map, const char *sql, struct why *why)
{
    size_t at = 0;
    for (struct map_entry *e; (e = map_each(map, &at));) {
        const struct sum_row *r = e->value.p;
        const struct meter_sums *s = &r->sums;
        enum err err = store_exec(
            b->tx, sql,
            STORE_ARGS(SV_INT(r->period), SV_INT(r->dim), SV_INT(s->calls), SV_INT(s->failed),
                       SV_INT(s->prompt), SV_INT(s->cached), SV_INT(s->completion),
                       SV_INT(s->images), SV_INT(s->money), SV_INT(s->ms), SV_INT(s->first_ms),
                       SV_INT(s->n_first), SV_INT(s->queue_ms)),
            NULL, why);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err write_spent(struct batch *b, struct why *why)
{
    size_t at = 0;
    for (struct map_entry *e; (e = map_each(&b->spent, &at));) {
        const struct spent_row *r = e->value.p;
        enum err err = store_exec(
            b->tx,
            "INSERT INTO meter_spent (tenant, level, name, period, tokens, money, batch)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, level, name, period) DO UPDATE"
            " SET tokens = meter_spent.tokens + excluded.tokens,"
            " money = meter_spent.money + excluded.money, batch = excluded.batch",
            STORE_ARGS(SV_STR(r->tenant), SV_INT((int64_t)r->level), SV_STR(r->name),
                       SV_INT(r->period), SV_INT(r->tokens), SV_INT(r->money), SV_INT(b->number)),
            NULL, why);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err write_entry(struct batch *b, const char *sha256, int64_t *entry, struct why *why)
{
    char object[24];
    struct buf buf;
    struct json_out out;
    buf_init(&buf, b->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_int(&out, "batch", b->number);
    json_kv_int(&out, "lines", (int64_t)b->n);
    json_kv_int(&out, "prompt", b->total.prompt);
    json_kv_int(&out, "cached", b->total.cached);
    json_kv_int(&out, "completion", b->total.completion);
    json_kv_int(&out, "images", b->total.images);
    json_kv_int(&out, "money_micro", b->total.money);
    json_kv_c(&out, "sha256", sha256);
    json_end_object(&out);
    enum err err = buf_err(&buf, why);
    if (err)
        return err;
    (void)snprintf(object, sizeof object, "%lld", (long long)b->number);
    struct ledger_act act = {.actor = "system",
                             .action = "meter.batch.settle",
                             .object = object,
                             .result = "ok",
                             .detail = buf_str(&buf)};
    return ledger_append(b->tx, &act, entry, why);
}

static enum err write_batch(struct batch *b, struct why *why)
{
    uint8_t digest[HASH_BYTES];
    char sha256[HASH_TEXT];
    int64_t entry;
    hash_of(HASH_SHA256, (struct str){(const char *)b->digests, b->n * HASH_BYTES}, digest);
    hex_put(digest, sizeof digest, sha256);
    enum err err = write_entry(b, sha256, &entry, why);
    if (err)
        return err;
    return store_exec(
        b->tx,
        "INSERT INTO meter_batches (batch, time_ms, n, prompt, cached, completion, images, money,"
        " last_day, sha256, entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        STORE_ARGS(SV_INT(b->number), SV_INT(b->now_ms), SV_INT((int64_t)b->n),
                   SV_INT(b->total.prompt), SV_INT(b->total.cached), SV_INT(b->total.completion),
                   SV_INT(b->total.images), SV_INT(b->total.money), SV_INT(b->last_day),
                   SV_C(sha256), SV_INT(entry)),
        NULL, why);
}

static enum err write_all(struct batch *b, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(b->tx, "SELECT COALESCE(MAX(batch), 0) + 1 FROM meter_batches",
                               STORE_NO_ARGS, b->arena, &rows, why);
    if (err)
        return err;
    b->number = store_int(&rows, 0, 0);
    err = write_lines(b, why);
    if (!err)
        err = write_sums(b, &b->hours, UPSERT("meter_hours", "hour"), why);
    if (!err)
        err = write_sums(b, &b->days, UPSERT("meter_days", "day"), why);
    if (!err)
        err = write_spent(b, why);
    return err ? err : write_batch(b, why);
}

enum err batch_write(struct meter *meter, struct flight_slot *const *slots, size_t n,
                     bool look_first, struct why *why)
{
    struct batch b = {.meter = meter,
                      .arena = arena_new(METER_SCRATCH),
                      .now_ms = meter_now(meter),
                      .last_day = INT32_MIN};
    if (!b.arena)
        return no_memory(why);
    map_init(&b.dims, b.arena);
    map_init(&b.closed, b.arena);
    map_init(&b.hours, b.arena);
    map_init(&b.days, b.arena);
    map_init(&b.spent, b.arena);
    enum err err = store_begin(meter->store, STORE_WRITE, &b.tx, why);
    if (!err)
        err = collect(&b, slots, n, look_first, why);
    if (!err && b.n > 0)
        err = write_all(&b, why);
    if (!err && b.n > 0)
        err = store_commit(b.tx, why);
    else
        store_rollback(b.tx);
    arena_free(b.arena);
    return err;
}
