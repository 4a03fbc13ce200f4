/* Sums for dashboards, from the roll-ups. */
#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "meter/meter_in.h"

#define HOUR_MS   3600000LL
#define MOST_ROWS 100000
#define MOST_ARGS 8
#define FOLD_ROWS 200000 /* rows by day that a month is made of */

struct query {
    struct buf sql;
    struct store_value args[MOST_ARGS];
    size_t n_args;
};

static const struct {
    unsigned by;
    const char *column;
} groups[] = {
    {METER_BY_TENANT, "d.tenant"},
    {METER_BY_MODEL, "d.model"},
    {METER_BY_APPLICATION, "d.application"},
    {METER_BY_KEY, "d.key_id"},
    {METER_BY_KEY, "d.who_kind"},
    {METER_BY_KIND, "d.kind"},
};
#define N_GROUPS (sizeof groups / sizeof groups[0])

/* A column that is not grouped by stands as a constant, so that rows have one shape. */
static void add_columns(struct query *q, const struct meter_filter *f, const char *period)
{
    buf_add_c(&q->sql, "SELECT ");
    buf_add_c(&q->sql, f->step == METER_STEP_NONE ? "0" : period);
    for (size_t i = 0; i < N_GROUPS; i++) {
        bool on = (f->by & groups[i].by) != 0;
        const char *none = groups[i].by == METER_BY_KIND ? ", -1" : ", ''";
        buf_add_c(&q->sql, on ? ", " : none);
        if (on)
            buf_add_c(&q->sql, groups[i].column);
    }
    static const char *const sums[] = {"calls",      "failed",  "prompt",  "cached",
                                       "completion", "images",  "money",   "ms",
                                       "first_ms",   "n_first", "queue_ms"};
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        buf_printf(&q->sql, ", CAST(SUM(r.%s) AS BIGINT)", sums[i]);
}

static void add_filter(struct query *q, const char *column, const char *value)
{
    if (!value)
        return;
    buf_printf(&q->sql, " AND %s = ?", column);
    q->args[q->n_args++] = SV_C(value);
}

static void add_grouping(struct query *q, const struct meter_filter *f, const char *period)
{
    const char *sep = " GROUP BY ";
    if (f->step != METER_STEP_NONE) {
        buf_printf(&q->sql, "%s%s", sep, period);
        sep = ", ";
    }
    for (size_t i = 0; i < N_GROUPS; i++)
        if (f->by & groups[i].by) {
            buf_printf(&q->sql, "%s%s", sep, groups[i].column);
            sep = ", ";
        }
    buf_add_c(&q->sql, " ORDER BY 1, SUM(r.money) DESC, SUM(r.calls) DESC LIMIT ?");
}

static void build(struct query *q, const struct meter_filter *f, struct arena *arena, int64_t most)
{
    bool hours = f->step == METER_STEP_HOUR;
    const char *period = hours ? "r.hour" : "r.day";
    int64_t from = hours ? f->from_ms / HOUR_MS : day_of(f->from_ms);
    int64_t to = hours ? (f->to_ms - 1) / HOUR_MS : day_of(f->to_ms - 1);
    buf_init(&q->sql, arena);
    add_columns(q, f, period);
    buf_printf(&q->sql, " FROM %s r JOIN meter_dims d ON d.id = r.dim WHERE %s >= ? AND %s <= ?",
               hours ? "meter_hours" : "meter_days", period, period);
    q->args[q->n_args++] = SV_INT(from);
    q->args[q->n_args++] = SV_INT(to);
    add_filter(q, "d.tenant", f->tenant);
    add_filter(q, "d.model", f->model);
    add_filter(q, "d.application", f->application);
    add_filter(q, "d.key_id", f->key);
    add_grouping(q, f, period);
    q->args[q->n_args++] = SV_INT(most);
}

static int64_t begin_of(enum meter_step step, int64_t period)
{
    switch (step) {
    case METER_STEP_HOUR:
        return period * HOUR_MS;
    case METER_STEP_DAY:
        return day_start_ms((int32_t)period);
    case METER_STEP_MONTH:
        return day_start_ms(month_begin(month_of((int32_t)period)));
    case METER_STEP_NONE:
        break;
    }
    return 0;
}

static struct meter_row row_from(const struct store_rows *rows, size_t i, enum meter_step step)
{
    int64_t kind = store_int(rows, i, 6);
    return (struct meter_row){
        .at_ms = begin_of(step, store_int(rows, i, 0)),
        .tenant = store_str(rows, i, 1),
        .model = store_str(rows, i, 2),
        .application = store_str(rows, i, 3),
        .key = store_str(rows, i, 4),
        .who_kind = store_str(rows, i, 5),
        .kind = kind < 0 ? STR("") : str_c(meter_kind_name((enum meter_kind)kind)),
        .sums = {store_int(rows, i, 7), store_int(rows, i, 8), store_int(rows, i, 9),
                 store_int(rows, i, 10), store_int(rows, i, 11), store_int(rows, i, 12),
                 store_int(rows, i, 13), store_int(rows, i, 14), store_int(rows, i, 15),
                 store_int(rows, i, 16), store_int(rows, i, 17)},
    };
}

static int compare(const void *a, const void *b)
{
    const struct meter_row *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (x->sums.money != y->sums.money)
        return x->sums.money > y->sums.money ? -1 : 1;
    return (x->sums.calls < y->sums.calls) - (x->sums.calls > y->sums.calls);
}

/* Rows of one month and group become one. */
static enum err fold(struct arena *arena, struct meter_row *items, size_t *n, struct why *why)
{
    struct map seen;
    size_t kept = 0;
    map_init(&seen, arena);
    for (size_t i = 0; i < *n; i++) {
        struct meter_row *r = &items[i];
        bool made;
        struct str key =
            str_printf(arena, "%lld %.*s\n%.*s\n%.*s\n%.*s\n%.*s\n%.*s", (long long)r->at_ms,
                       STR_FMT(r->tenant), STR_FMT(r->model), STR_FMT(r->application),
                       STR_FMT(r->key), STR_FMT(r->who_kind), STR_FMT(r->kind));
        struct map_entry *entry = key.ptr ? map_put(&seen, key, &made) : NULL;
        if (!entry)
            return err_set(why, ERR_NO_MEMORY, "could not hold the sums");
        if (made) {
            entry->value.u = kept;
            items[kept++] = *r;
        } else {
            meter_sums_add(&items[entry->value.u].sums, &r->sums);
        }
    }
    qsort(items, kept, sizeof *items, compare);
    *n = kept;
    return ERR_OK;
}

static enum err check(const struct meter_filter *f, struct why *why)
{
    if (f->limit < 1 || f->limit > MOST_ROWS)
        return err_set(why, ERR_INVALID, "limit must be from 1 to %d", MOST_ROWS);
    if (f->to_ms <= f->from_ms || f->from_ms < 0)
        return err_set(why, ERR_INVALID, "the time must begin before it ends");
    return ERR_OK;
}

enum err meter_usage_in(struct store_tx *tx, const struct meter_filter *f, struct arena *arena,
                        struct meter_row **out, size_t *n, struct why *why)
{
    struct query q = {.n_args = 0};
    struct store_rows rows;
    bool months = f->step == METER_STEP_MONTH;
    int64_t most = months ? FOLD_ROWS : f->limit;
    enum err err = check(f, why);
    if (err)
        return err;
    build(&q, f, arena, most + 1);
    err = buf_err(&q.sql, why);
    if (!err)
        err = store_query(tx, q.sql.ptr, (struct store_args){q.args, q.n_args}, arena, &rows, why);
    if (err)
        return err;
    /* Without any group the sum of nothing is one row of NULLs. */
    size_t n_rows = rows.n_rows == 1 && store_is_null(&rows, 0, 7) ? 0 : rows.n_rows;
    struct meter_row *items = arena_array(arena, struct meter_row, n_rows + 1);
    if (!items)
        return err_set(why, ERR_NO_MEMORY, "could not hold the sums");
    for (size_t i = 0; i < n_rows; i++)
        items[i] = row_from(&rows, i, f->step);
    if (n_rows > (size_t)most)
        return err_set(why, ERR_TOO_LARGE, "the answer has more than %d rows: ask for less time",
                       f->limit);
    err = months ? fold(arena, items, &n_rows, why) : ERR_OK;
    if (!err && n_rows > (size_t)f->limit)
        err = err_set(why, ERR_TOO_LARGE, "the answer has more than %d rows: ask for less time",
                      f->limit);
    if (err)
        return err;
    *out = items;
    *n = n_rows;
    return ERR_OK;
}

enum err meter_usage_query(struct meter *meter, const struct meter_filter *filter,
                           struct arena *arena, struct meter_row **out, size_t *n, struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = store_begin(meter->store, STORE_READ, &tx, why);
    if (!err)
        err = meter_usage_in(tx, filter, arena, out, n, why);
    store_rollback(tx);
    return err;
}
