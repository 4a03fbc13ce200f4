/* The proof: lines <-> batches <-> ledger, and lines <-> roll-ups <-> spent sums <-> bills. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/time.h"
#include "ledger/ledger.h"
#include "meter/meter_in.h"

#define CHECK_MEMORY ((size_t)512 << 20)
#define PAGE         1000 /* batches, or entries of the ledger, at once */
#define MOST_TOLD    200  /* faults told in words; the rest is counted */

struct checker {
    struct meter *meter;
    struct arena *arena; /* of the whole check */
    struct arena *page;  /* of a page */
    struct store_tx *tx;
    void (*fault)(void *ctx, const char *words);
    void *ctx;
    struct meter_report report;
    struct map plans;    /* id -> struct meter_rates */
    int64_t last_batch;  /* what came later than the snapshot is not looked at */
    int64_t expired_to;  /* the lines of batches up to here were removed */
    int32_t expired_day; /* and the last of them belong to this day */
};

static void tell(struct checker *c, const char *fmt, ...) ERR_PRINTF(2, 3);
static void tell(struct checker *c, const char *fmt, ...)
{
    char words[400];
    va_list args;
    if (++c->report.n_faults > MOST_TOLD)
        return;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    c->fault(c->ctx, words);
}

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold what is checked");
}

/* ---- lines against batches ---- */

struct batch_row {
    int64_t number, n, prompt, cached, completion, images, money, entry;
    struct str sha256;
};

struct counted { /* what the lines of the batch in hand give */
    struct checker *c;
    const struct batch_row *rows; /* n_rows of the page, by number */
    size_t n_rows, at;
    struct batch_row sum;
    struct hash *hash;
    bool named; /* a line of it was named */
};

static void name_line(struct counted *t, const struct meter_line *l, const char *what)
{
    char id[UUID_TEXT];
    t->named = true;
    tell(t->c, "line %lld (batch %lld, call %s): %s", (long long)l->id,
         (long long)(l->id >> METER_ID_SHIFT), call_text(l->call, id), what);
}

static enum err end_batch(struct counted *t, struct why *why)
{
    const struct batch_row *want = &t->rows[t->at++];
    struct checker *c = t->c;
    uint8_t digest[HASH_BYTES];
    char sha256[HASH_TEXT];
    hash_end(t->hash, digest);
    hash_free(t->hash);
    hex_put(digest, sizeof digest, sha256);
    const struct batch_row *got = &t->sum;
    if (got->n != want->n)
        tell(c, "batch %lld has %lld lines, not %lld", (long long)want->number, (long long)got->n,
             (long long)want->n);
    else if (got->prompt != want->prompt || got->cached != want->cached ||
             got->completion != want->completion || got->images != want->images ||
             got->money != want->money)
        tell(c,
             "batch %lld: its lines sum up to %lld micro-units and %lld tokens, not %lld and %lld",
             (long long)want->number, (long long)got->money,
             (long long)got->prompt + got->completion, (long long)want->money,
             (long long)want->prompt + want->completion);
    else if (!t->named && !str_eq_c(want->sha256, sha256))
        tell(c, "batch %lld: its lines do not give its SHA-256", (long long)want->number);
    t->sum = (struct batch_row){0};
    t->named = false;
    t->hash = hash_new(HASH_SHA256);
    return t->hash ? ERR_OK : no_memory(why);
}

#define LINE_TEXTS_MOST 1400 /* of what this program writes, with room; see line.c */

static void check_line(struct counted *t, struct meter_line *l, int64_t mark, uint8_t digest[])
{
    static const struct meter_rates none;
    size_t texts = l->tenant.len + l->key.len + l->who_kind.len + l->application.len +
                   l->model.len + l->model_id.len + l->plan.len + l->trace.len;
    if (texts > LINE_TEXTS_MOST) {
        memset(digest, 0, HASH_BYTES);
        name_line(t, l, "it has texts that are too long");
        return;
    }
    line_digest(l, digest);
    if (l->mark != mark) {
        name_line(t, l, "it was changed after it was written");
        return;
    }
    const struct meter_rates *rates = &none;
    if (l->plan.len) {
        struct map_entry *entry = map_find(&t->c->plans, l->plan);
        if (!entry) {
            name_line(t, l, "its price is not there");
            return;
        }
        rates = entry->value.p;
    }
    if (line_price(l, rates) != l->money)
        name_line(t, l, "its money is not what its price gives");
}

static enum err take_line(void *ctx, const struct store_rows *row, struct why *why)
{
    static const uint8_t no_id[16];
    struct counted *t = ctx;
    struct meter_line l = line_from(row, 0);
    uint8_t digest[HASH_BYTES];
    int64_t number = l.id >> METER_ID_SHIFT;
    enum err err = ERR_OK;
    if (store_str(row, 0, 1).len != 16)
        l.call = no_id;
    while (!err && t->at < t->n_rows && t->rows[t->at].number < number)
        err = end_batch(t, why);
    if (err)
        return err;
    if (t->at == t->n_rows || t->rows[t->at].number != number) {
        name_line(t, &l, "it belongs to no batch");
        t->named = false;
        return ERR_OK;
    }
    if (store_is_null(row, 0, 18)) {
        name_line(t, &l, "what it has in common with others (meter_dims) is gone");
        memset(digest, 0, sizeof digest);
    } else {
        check_line(t, &l, store_int(row, 0, 17), digest);
    }
    hash_add(t->hash, digest, sizeof digest);
    t->sum.n++;
    t->sum.prompt += l.prompt;
    t->sum.cached += l.cached;
    t->sum.completion += l.completion;
    t->sum.images += l.images;
    t->sum.money += l.money;
    t->c->report.n_lines++;
    return ERR_OK;
}

static enum err check_lines(struct checker *c, const struct batch_row *rows, size_t n,
                            struct why *why)
{
    struct counted t = {.c = c, .rows = rows, .n_rows = n, .hash = hash_new(HASH_SHA256)};
    if (!t.hash)
        return no_memory(why);
    enum err err = store_each(c->tx,
                              "SELECT " LINE_COLUMNS " FROM " LINE_TABLES
                              " WHERE l.id >= ? AND l.id < ? ORDER BY l.id",
                              STORE_ARGS(SV_INT(rows[0].number << METER_ID_SHIFT),
                                         SV_INT((rows[n - 1].number + 1) << METER_ID_SHIFT)),
                              take_line, &t, why);
    while (!err && t.at < n)
        err = end_batch(&t, why);
    hash_free(t.hash);
    return err;
}

static enum err check_batches(struct checker *c, struct why *why)
{
    struct store_rows rows;
    enum err err = ERR_OK;
    for (int64_t after = c->expired_to; !err;) {
        arena_reset(c->page);
        err = store_query(c->tx,
                          "SELECT batch, n, prompt, cached, completion, images, money, sha256"
                          " FROM meter_batches WHERE batch > ? ORDER BY batch LIMIT ?",
                          STORE_ARGS(SV_INT(after), SV_INT(PAGE)), c->page, &rows, why);
        if (err || rows.n_rows == 0)
            return err;
        struct batch_row *page = arena_array(c->page, struct batch_row, rows.n_rows);
        if (!page)
            return no_memory(why);
        for (size_t i = 0; i < rows.n_rows; i++)
            page[i] = (struct batch_row){.number = store_int(&rows, i, 0),
                                         .n = store_int(&rows, i, 1),
                                         .prompt = store_int(&rows, i, 2),
                                         .cached = store_int(&rows, i, 3),
                                         .completion = store_int(&rows, i, 4),
                                         .images = store_int(&rows, i, 5),
                                         .money = store_int(&rows, i, 6),
                                         .sha256 = store_str(&rows, i, 7)};
        after = page[rows.n_rows - 1].number;
        err = check_lines(c, page, rows.n_rows, why);
    }
    return err;
}

static enum err tell_stray(void *ctx, const struct store_rows *row, struct why *why)
{
    (void)why;
    int64_t id = store_int(row, 0, 0);
    tell(ctx, "line %lld belongs to no batch", (long long)id);
    return ERR_OK;
}

/* Lines outside the batches that are to have some. */
static enum err check_strays(struct checker *c, struct why *why)
{
    return store_each(c->tx, "SELECT id FROM meter_lines WHERE id < ? OR id >= ? ORDER BY id",
                      STORE_ARGS(SV_INT((c->expired_to + 1) << METER_ID_SHIFT),
                                 SV_INT((c->last_batch + 1) << METER_ID_SHIFT)),
                      tell_stray, c, why);
}

/* ---- batches against the ledger ---- */

static void compare_entry(struct checker *c, const struct ledger_entry *entry,
                          const struct json *detail, const struct store_rows *row)
{
    static const char *const names[] = {"lines",      "prompt", "cached",
                                        "completion", "images", "money_micro"};
    int64_t number = json_get_int(detail, "batch", 0);
    if (row->n_rows == 0) {
        tell(c, "batch %lld stands in the ledger and is gone", (long long)number);
        return;
    }
    bool same = store_int(row, 0, 7) == entry->number &&
                str_eq(store_str(row, 0, 6), json_get_str(detail, "sha256", STR("")));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        same = same && store_int(row, 0, i) == json_get_int(detail, names[i], -1);
    if (!same)
        tell(c, "batch %lld is not what stands in the ledger (entry %lld)", (long long)number,
             (long long)entry->number);
}

static enum err check_entry(struct checker *c, const struct ledger_entry *entry, int64_t *expected,
                            struct why *why)
{
    const struct json *detail;
    struct store_rows row;
    enum err err = json_parse(entry->detail, c->page, &detail, why);
    if (err)
        return err;
    int64_t number = json_get_int(detail, "batch", 0);
    if (number > c->last_batch)
        return ERR_OK;
    for (; *expected > number; --*expected)
        tell(c, "batch %lld has no entry in the ledger", (long long)*expected);
    *expected = number - 1;
    err = store_query(c->tx,
                      "SELECT n, prompt, cached, completion, images, money, sha256, entry"
                      " FROM meter_batches WHERE batch = ?",
                      STORE_ARGS(SV_INT(number)), c->page, &row, why);
    if (!err)
        compare_entry(c, entry, detail, &row);
    return err;
}

/* Newest first, as the ledger lists them; numbers have no gaps. */
static enum err check_entries(struct checker *c, struct why *why)
{
    int64_t expected = c->last_batch;
    enum err err = ERR_OK;
    for (int64_t before = 0; !err;) {
        struct ledger_entry *entries;
        size_t n;
        arena_reset(c->page);
        struct ledger_filter filter = {
            .action = "meter.batch.settle", .before = before, .limit = PAGE};
        err = ledger_list(c->meter->store, &filter, c->page, &entries, &n, why);
        for (size_t i = 0; !err && i < n; i++)
            err = check_entry(c, &entries[i], &expected, why);
        if (err || n < PAGE)
            break;
        before = entries[n - 1].number;
    }
    for (; !err && expected > 0; expected--)
        tell(c, "batch %lld has no entry in the ledger", (long long)expected);
    return err;
}

/* ---- prices against the ledger ---- */

static enum err check_plan(struct checker *c, struct str id, const struct meter_rates *r,
                           struct str price_key, int64_t from_ms, struct why *why)
{
    struct ledger_entry *entries;
    const struct json *d;
    size_t n;
    struct ledger_filter filter = {
        .action = "meter.plan.create", .object = str_z(c->page, id), .limit = 1};
    enum err err = ledger_list(c->meter->store, &filter, c->page, &entries, &n, why);
    if (err)
        return err;
    if (n == 0) {
        tell(c, "price %.*s has no entry in the ledger", STR_FMT(id));
        return ERR_OK;
    }
    err = json_parse(entries[0].detail, c->page, &d, why);
    if (!err && (json_get_int(d, "prompt_micro_per_million", -1) != r->prompt ||
                 json_get_int(d, "cached_micro_per_million", -1) != r->cached ||
                 json_get_int(d, "completion_micro_per_million", -1) != r->completion ||
                 json_get_int(d, "request_micro", -1) != r->request ||
                 json_get_int(d, "image_micro", -1) != r->image ||
                 json_get_int(d, "cached_answer_micro", -1) != r->cached_answer ||
                 json_get_int(d, "from_ms", -1) != from_ms ||
                 !str_eq(json_get_str(d, "price_key", STR("")), price_key)))
        tell(c, "price %.*s is not what stands in the ledger (entry %lld)", STR_FMT(id),
             (long long)entries[0].number);
    return err;
}

static enum err check_plans(struct checker *c, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(c->tx,
                               "SELECT id, prompt, cached, completion, request, image,"
                               " cached_answer, price_key, from_ms FROM meter_plans",
                               STORE_NO_ARGS, c->arena, &rows, why);
    map_init(&c->plans, c->arena);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct meter_rates *rates = arena_one(c->arena, struct meter_rates);
        struct map_entry *entry = rates ? map_put(&c->plans, store_str(&rows, i, 0), NULL) : NULL;
        if (!entry)
            return no_memory(why);
        *rates = (struct meter_rates){store_int(&rows, i, 1), store_int(&rows, i, 2),
                                      store_int(&rows, i, 3), store_int(&rows, i, 4),
                                      store_int(&rows, i, 5), store_int(&rows, i, 6)};
        entry->value.p = rates;
        arena_reset(c->page);
        err = check_plan(c, store_str(&rows, i, 0), rates, store_str(&rows, i, 7),
                         store_int(&rows, i, 8), why);
    }
    return err;
}

/* ---- roll-ups ---- */

#define AGAINST_LINES(table, period)                                                               \
    "SELECT t." period ", t.dim, CAST(SUM(t.calls) AS BIGINT), CAST(SUM(t.money) AS BIGINT) FROM"  \
    " (SELECT " period ", dim, calls, failed, prompt, cached, completion, images, money, ms"       \
    " FROM " table " WHERE " period " >= ? UNION ALL"                                              \
    " SELECT " period ", dim, -COUNT(*), -SUM(CASE WHEN outcome <> 0 THEN 1 ELSE 0 END),"          \
    " -SUM(prompt), -SUM(cached), -SUM(completion), -SUM(images), -SUM(money),"                    \
    " -SUM(ended_ms - began_ms) FROM meter_lines WHERE " period " >= ? GROUP BY " period           \
    ", dim) t"                                                                                     \
    " GROUP BY t." period ", t.dim HAVING SUM(t.calls) <> 0 OR SUM(t.failed) <> 0 OR"              \
    " SUM(t.prompt) <> 0 OR SUM(t.cached) <> 0 OR SUM(t.completion) <> 0 OR"                       \
    " SUM(t.images) <> 0 OR SUM(t.money) <> 0 OR SUM(t.ms) <> 0 ORDER BY 1, 2"

static enum err tell_hour(void *ctx, const struct store_rows *row, struct why *why)
{
    char text[TIME_TEXT];
    (void)why;
    tell(ctx,
         "the sums of the hour %s (dimension %lld) are not those of its lines: %+lld calls, "
         "%+lld micro-units",
         time_format(store_int(row, 0, 0) * 3600000, text), (long long)store_int(row, 0, 1),
         (long long)store_int(row, 0, 2), (long long)store_int(row, 0, 3));
    return ERR_OK;
}

static enum err tell_day(void *ctx, const struct store_rows *row, struct why *why)
{
    char text[TIME_TEXT];
    (void)why;
    tell(ctx,
         "the sums of the day %s (dimension %lld) are not those of its lines: %+lld calls, "
         "%+lld micro-units",
         day_format((int32_t)store_int(row, 0, 0), text), (long long)store_int(row, 0, 1),
         (long long)store_int(row, 0, 2), (long long)store_int(row, 0, 3));
    return ERR_OK;
}

/* Days whose lines are all there one by one, and the sum of all days against that of all batches.
 */
static enum err check_rollups(struct checker *c, struct why *why)
{
    struct store_rows days, batches;
    int64_t day = c->expired_to ? c->expired_day + 1 : INT32_MIN;
    int64_t hour = c->expired_to ? day_start_ms(c->expired_day + 1) / 3600000 + 1 : 0;
    enum err err = store_each(c->tx, AGAINST_LINES("meter_hours", "hour"),
                              STORE_ARGS(SV_INT(hour), SV_INT(hour)), tell_hour, c, why);
    if (!err)
        err = store_each(c->tx, AGAINST_LINES("meter_days", "day"),
                         STORE_ARGS(SV_INT(day), SV_INT(day)), tell_day, c, why);
    arena_reset(c->page);
    if (!err)
        err = store_query(c->tx,
                          "SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT),"
                          " CAST(COALESCE(SUM(money), 0) AS BIGINT) FROM meter_days",
                          STORE_NO_ARGS, c->page, &days, why);
    if (!err)
        err = store_query(c->tx,
                          "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT),"
                          " CAST(COALESCE(SUM(money), 0) AS BIGINT) FROM meter_batches",
                          STORE_NO_ARGS, c->page, &batches, why);
    if (!err && (store_int(&days, 0, 0) != store_int(&batches, 0, 0) ||
                 store_int(&days, 0, 1) != store_int(&batches, 0, 1)))
        tell(c, "all days sum up to %lld calls and %lld micro-units, all batches to %lld and %lld",
             (long long)store_int(&days, 0, 0), (long long)store_int(&days, 0, 1),
             (long long)store_int(&batches, 0, 0), (long long)store_int(&batches, 0, 1));
    return err;
}

/* ---- spent sums ---- */

struct spent {
    int64_t tokens, money;
    bool seen;
};

static enum err add_spent(struct checker *c, struct map *map, int level, struct str tenant,
                          struct str name, int64_t period, int64_t tokens, int64_t money,
                          struct why *why)
{
    char text[256];
    bool made;
    int len = snprintf(text, sizeof text, "%s \"%.*s\" of tenant %.*s in %lld",
                       meter_level_name((enum meter_level)level), STR_FMT(name), STR_FMT(tenant),
                       (long long)period);
    struct str key = {text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1};
    struct map_entry *entry = map_find(map, key);
    if (!entry) {
        key = str_copy(c->arena, key);
        entry = key.ptr ? map_put(map, key, &made) : NULL;
        if (!entry || !(entry->value.p = arena_one(c->arena, struct spent)))
            return no_memory(why);
    }
    struct spent *s = entry->value.p;
    s->tokens += tokens;
    s->money += money;
    return ERR_OK;
}

struct summing {
    struct checker *c;
    struct map map;
};

static enum err take_day(void *ctx, const struct store_rows *row, struct why *why)
{
    struct summing *s = ctx;
    int32_t day = (int32_t)store_int(row, 0, 0);
    struct str tenant = store_str(row, 0, 1);
    const struct str names[] = {STR(""), store_str(row, 0, 2), store_str(row, 0, 3)};
    bool cached = store_int(row, 0, 4) == METER_CACHED;
    int64_t tokens = cached ? 0 : store_int(row, 0, 5), money = store_int(row, 0, 6);
    enum err err = ERR_OK;
    for (int level = 0; !err && level < METER_N_LEVELS; level++) {
        if (level != METER_TENANT && names[level].len == 0)
            continue;
        err =
            add_spent(s->c, &s->map, level, tenant, names[level], date_of(day), tokens, money, why);
        if (!err)
            err = add_spent(s->c, &s->map, level, tenant, names[level], month_of(day), tokens,
                            money, why);
    }
    return err;
}

static enum err take_spent(void *ctx, const struct store_rows *row, struct why *why)
{
    struct summing *s = ctx;
    char text[256];
    (void)why;
    int len = snprintf(text, sizeof text, "%s \"%.*s\" of tenant %.*s in %lld",
                       meter_level_name((enum meter_level)store_int(row, 0, 1)),
                       STR_FMT(store_str(row, 0, 2)), STR_FMT(store_str(row, 0, 0)),
                       (long long)store_int(row, 0, 3));
    struct map_entry *entry = map_find(
        &s->map, (struct str){text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1});
    struct spent none = {0}, *want = entry ? entry->value.p : &none;
    want->seen = true;
    if (want->tokens != store_int(row, 0, 4) || want->money != store_int(row, 0, 5))
        tell(s->c, "spent by %s: %lld tokens and %lld micro-units stand there, not %lld and %lld",
             text, (long long)store_int(row, 0, 4), (long long)store_int(row, 0, 5),
             (long long)want->tokens, (long long)want->money);
    return ERR_OK;
}

static enum err check_spent(struct checker *c, struct why *why)
{
    struct summing s = {.c = c};
    map_init(&s.map, c->arena);
    enum err err = store_each(c->tx,
                              "SELECT r.day, d.tenant, d.application, d.key_id, d.kind,"
                              " CAST(SUM(r.prompt + r.completion) AS BIGINT),"
                              " CAST(SUM(r.money) AS BIGINT) FROM meter_days r JOIN meter_dims d"
                              " ON d.id = r.dim"
                              " GROUP BY r.day, d.tenant, d.application, d.key_id, d.kind",
                              STORE_NO_ARGS, take_day, &s, why);
    if (!err)
        err =
            store_each(c->tx, "SELECT tenant, level, name, period, tokens, money FROM meter_spent",
                       STORE_NO_ARGS, take_spent, &s, why);
    size_t at = 0;
    int64_t today = date_of(day_of(meter_now(c->meter)));
    for (struct map_entry *e; !err && (e = map_each(&s.map, &at));) {
        const struct spent *spent = e->value.p;
        size_t in = str_find(e->key, STR(" in "));
        int64_t period = 0;
        for (size_t next; (next = str_find_from(e->key, STR(" in "), in + 1)) != STR_NPOS;)
            in = next; /* the last: names may have one */
        /* Sums of past days are forgotten after a while. */
        if (!spent->seen && str_to_i64(str_from(e->key, in + 4), &period) &&
            (period < 1000000 || period == today))
            tell(c, "spent by %.*s: it is missing", STR_FMT(e->key));
    }
    return err;
}

/* ---- bills ---- */

static enum err check_bill_entry(struct checker *c, const struct meter_bill *bill, struct why *why)
{
    struct ledger_entry *entries;
    const struct json *d;
    size_t n;
    struct str object = str_printf(c->page, "%.*s/%d", STR_FMT(bill->tenant), bill->month);
    struct ledger_filter filter = {
        .action = "meter.bill.close", .object = object.ptr, .limit = 100};
    enum err err = ledger_list(c->meter->store, &filter, c->page, &entries, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        if (!str_eq_c(entries[i].result, "ok"))
            continue;
        err = json_parse(entries[i].detail, c->page, &d, why);
        if (!err && str_eq(json_get_str(d, "sha256", STR("")), bill->sha256) &&
            json_get_int(d, "money_micro", -1) == bill->sums.money)
            return ERR_OK;
    }
    if (!err)
        tell(c, "the bill %.*s is not what stands in the ledger", STR_FMT(object));
    return err;
}

static enum err check_bill(struct checker *c, struct str tenant, int month, struct why *why)
{
    struct meter_bill closed, sums;
    uint8_t digest[HASH_BYTES];
    char sha256[HASH_TEXT];
    enum err err = meter_bill_of(c->meter, str_z(c->page, tenant), month, c->page, &closed, why);
    if (!err)
        err = bill_from_sums(c->tx, tenant, month, c->page, &sums, why);
    if (err)
        return err;
    c->report.n_bills++;
    hash_of(HASH_SHA256, closed.json, digest);
    if (!str_eq_c(closed.sha256, hex_put(digest, sizeof digest, sha256)))
        tell(c, "the bill of tenant %.*s for %d does not give its SHA-256", STR_FMT(tenant), month);
    bool same = closed.n_rows == sums.n_rows && closed.sums.money == sums.sums.money &&
                closed.sums.calls == sums.sums.calls && closed.sums.prompt == sums.sums.prompt &&
                closed.sums.completion == sums.sums.completion;
    int64_t money = 0;
    for (size_t i = 0; i < closed.n_rows; i++)
        money += closed.rows[i].sums.money;
    if (!same || money != closed.sums.money)
        tell(c, "the bill of tenant %.*s for %d says %lld micro-units, its days sum up to %lld",
             STR_FMT(tenant), month, (long long)closed.sums.money, (long long)sums.sums.money);
    return check_bill_entry(c, &closed, why);
}

static enum err check_bills(struct checker *c, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(c->tx, "SELECT tenant, month FROM meter_bills", STORE_NO_ARGS,
                               c->arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        arena_reset(c->page);
        err = check_bill(c, store_str(&rows, i, 0), (int)store_int(&rows, i, 1), why);
    }
    return err;
}

/* ---- flight files of dead processes ---- */

static void count_flights(struct checker *c)
{
    char path[FLIGHT_MOST_PATH];
    struct flight f;
    DIR *dir = opendir(c->meter->dir);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!str_ends(str_c(e->d_name), STR(".flight")) ||
            snprintf(path, sizeof path, "%s/%s", c->meter->dir, e->d_name) >= (int)sizeof path ||
            flight_adopt(path, &f, NULL))
            continue;
        for (size_t i = 0; i < f.n; i++)
            c->report.n_flight += atomic_load(&f.slots[i].state) != FLIGHT_FREE;
        flight_close(&f, false);
    }
    if (dir)
        (void)closedir(dir);
}

/* ---- all of it ---- */

static enum err read_head(struct checker *c, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(c->tx, "SELECT COALESCE(MAX(batch), 0), COUNT(*) FROM meter_batches",
                               STORE_NO_ARGS, c->arena, &rows, why);
    if (err)
        return err;
    c->last_batch = store_int(&rows, 0, 0);
    c->report.n_batches = store_int(&rows, 0, 1);
    err = store_query(c->tx,
                      "SELECT COALESCE(MAX(to_batch), 0), COALESCE(MAX(last_day), 0)"
                      " FROM meter_expired",
                      STORE_NO_ARGS, c->arena, &rows, why);
    if (err)
        return err;
    c->expired_to = c->report.n_expired = store_int(&rows, 0, 0);
    c->expired_day = (int32_t)store_int(&rows, 0, 1);
    return ERR_OK;
}

enum err meter_check(struct meter *meter, void (*fault)(void *ctx, const char *words), void *ctx,
                     struct meter_report *out, struct why *why)
{
    static enum err (*const parts[])(struct checker * c, struct why * why) = {
        read_head,     check_plans,   check_batches, check_strays,
        check_entries, check_rollups, check_spent,   check_bills,
    };
    struct checker c = {.meter = meter,
                        .arena = arena_new(CHECK_MEMORY),
                        .page = arena_new(CHECK_MEMORY),
                        .fault = fault,
                        .ctx = ctx};
    enum err err =
        c.arena && c.page ? store_begin(meter->store, STORE_READ, &c.tx, why) : no_memory(why);
    for (size_t i = 0; !err && i < sizeof parts / sizeof parts[0]; i++)
        err = parts[i](&c, why);
    store_rollback(c.tx);
    if (!err)
        count_flights(&c);
    arena_free(c.arena);
    arena_free(c.page);
    if (!err)
        *out = c.report;
    return err;
}
