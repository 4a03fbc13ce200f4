/* Bills: a month of a tenant, from the roll-ups; closed ones as they were closed. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/time.h"
#include "meter/meter_in.h"

#define MOST_ROWS   100000
#define MOST_TENANT 47

static bool month_valid(int month)
{
    return month >= 197001 && month <= 999912 && month % 100 >= 1 && month % 100 <= 12;
}

/* ---- from sums, to and from JSON ---- */

enum err bill_from_sums(struct store_tx *tx, struct str tenant, int month, struct arena *arena,
                        struct meter_bill *out, struct why *why)
{
    char *z = str_z(arena, tenant);
    struct meter_filter filter = {.tenant = z,
                                  .from_ms = day_start_ms(month_begin(month)),
                                  .to_ms = day_start_ms(month_begin(month_next(month))),
                                  .step = METER_STEP_NONE,
                                  .by = METER_BY_MODEL | METER_BY_APPLICATION | METER_BY_KIND,
                                  .limit = MOST_ROWS};
    if (!z)
        return err_set(why, ERR_NO_MEMORY, "could not hold the bill");
    *out = (struct meter_bill){.tenant = tenant, .month = month};
    enum err err = meter_usage_in(tx, &filter, arena, &out->rows, &out->n_rows, why);
    for (size_t i = 0; !err && i < out->n_rows; i++)
        meter_sums_add(&out->sums, &out->rows[i].sums);
    return err;
}

static void put_sums(struct json_out *out, const struct meter_sums *s)
{
    json_kv_int(out, "calls", s->calls);
    json_kv_int(out, "failed", s->failed);
    json_kv_int(out, "prompt_tokens", s->prompt);
    json_kv_int(out, "cached_tokens", s->cached);
    json_kv_int(out, "completion_tokens", s->completion);
    json_kv_int(out, "images", s->images);
    json_kv_int(out, "money_micro", s->money);
}

enum err meter_bill_json(const struct meter_bill *bill, struct buf *buf, struct why *why)
{
    struct json_out out;
    char text[TIME_TEXT];
    if (bill->json.len) {
        buf_add(buf, bill->json);
        return buf_err(buf, why);
    }
    json_out_init(&out, buf);
    json_begin_object(&out);
    json_kv_str(&out, "tenant", bill->tenant);
    json_kv_str(&out, "tenant_title", bill->tenant_title);
    (void)snprintf(text, sizeof text, "%04d-%02d", bill->month / 100, bill->month % 100);
    json_kv_c(&out, "month", text);
    json_kv_c(&out, "currency", METER_CURRENCY);
    json_kv_bool(&out, "closed", bill->closed);
    json_kv_c(&out, "closed_at", bill->closed ? time_format(bill->closed_ms, text) : NULL);
    put_sums(&out, &bill->sums);
    json_key(&out, "items");
    json_begin_array(&out);
    for (size_t i = 0; i < bill->n_rows; i++) {
        const struct meter_row *r = &bill->rows[i];
        json_begin_object(&out);
        json_kv_str(&out, "model", r->model);
        json_kv_str(&out, "application", r->application);
        json_kv_str(&out, "kind", r->kind);
        put_sums(&out, &r->sums);
        json_end_object(&out);
    }
    json_end_array(&out);
    json_end_object(&out);
    return buf_err(buf, why);
}

static struct meter_sums sums_from(const struct json *j)
{
    return (struct meter_sums){
        .calls = json_get_int(j, "calls", 0),
        .failed = json_get_int(j, "failed", 0),
        .prompt = json_get_int(j, "prompt_tokens", 0),
        .cached = json_get_int(j, "cached_tokens", 0),
        .completion = json_get_int(j, "completion_tokens", 0),
        .images = json_get_int(j, "images", 0),
        .money = json_get_int(j, "money_micro", 0),
    };
}

static enum err bill_from_json(struct str text, struct arena *arena, struct meter_bill *bill,
                               struct why *why)
{
    const struct json *j;
    enum err err = json_parse(text, arena, &j, why);
    const struct json *items = err ? NULL : json_get(j, "items");
    if (err)
        return err_set(why, ERR_CORRUPT, "the closed bill cannot be read");
    bill->rows = arena_array(arena, struct meter_row, json_len(items) + 1);
    if (!bill->rows)
        return err_set(why, ERR_NO_MEMORY, "could not hold the bill");
    bill->json = text;
    bill->tenant_title = json_get_str(j, "tenant_title", STR(""));
    bill->sums = sums_from(j);
    for (; bill->n_rows < json_len(items); bill->n_rows++) {
        const struct json *item = json_at(items, bill->n_rows);
        bill->rows[bill->n_rows] =
            (struct meter_row){.model = json_get_str(item, "model", STR("")),
                               .application = json_get_str(item, "application", STR("")),
                               .kind = json_get_str(item, "kind", STR("")),
                               .sums = sums_from(item)};
    }
    return ERR_OK;
}

/* ---- CSV ---- */

/* Quoted; a spreadsheet must not take a name for a formula. */
static void csv_text(struct buf *buf, struct str s)
{
    bool formula = s.len && s.ptr[0] && strchr("=+-@\t", s.ptr[0]);
    buf_char(buf, '"');
    if (formula)
        buf_char(buf, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"')
            buf_char(buf, '"');
        buf_char(buf, s.ptr[i]);
    }
    buf_char(buf, '"');
}

static void csv_row(struct buf *buf, const struct meter_bill *bill, struct str application,
                    struct str model, struct str kind, const struct meter_sums *s)
{
    csv_text(buf, bill->tenant);
    buf_printf(buf, ",%04d-%02d,", bill->month / 100, bill->month % 100);
    csv_text(buf, application);
    buf_char(buf, ',');
    csv_text(buf, model);
    buf_char(buf, ',');
    csv_text(buf, kind);
    buf_printf(buf, ",%lld,%lld,%lld,%lld,%lld,%lld,%lld.%06lld\r\n", (long long)s->calls,
               (long long)s->failed, (long long)s->prompt, (long long)s->cached,
               (long long)s->completion, (long long)s->images, (long long)(s->money / METER_MICRO),
               (long long)(s->money % METER_MICRO));
}

enum err meter_bill_csv(const struct meter_bill *bill, struct buf *buf, struct why *why)
{
    buf_add_c(buf, "\xEF\xBB\xBF租户 tenant,月份 month,应用 application,模型 model,类型 kind,"
                   "请求数 calls,失败 failed,输入 prompt tokens,其中缓存 cached tokens,"
                   "输出 completion tokens,图片 images,金额(元) " METER_CURRENCY "\r\n");
    for (size_t i = 0; i < bill->n_rows; i++)
        csv_row(buf, bill, bill->rows[i].application, bill->rows[i].model, bill->rows[i].kind,
                &bill->rows[i].sums);
    csv_row(buf, bill, STR("合计 total"), STR(""), STR(""), &bill->sums);
    return buf_err(buf, why);
}

/* ---- asking and closing ---- */

/* Empty for a tenant that ops does not know; *known says so. */
static enum err find_title(struct meter *m, struct arena *arena, struct meter_bill *bill,
                           bool *known, struct why *why)
{
    struct ops_identity system = ops_system();
    struct ops_tenant *tenants;
    size_t n;
    *known = false;
    bill->tenant_title = STR("");
    enum err err = ops_tenant_list(m->ops, &system, arena, &tenants, &n, why);
    for (size_t i = 0; !err && i < n; i++)
        if (str_eq(tenants[i].id, bill->tenant)) {
            bill->tenant_title = tenants[i].title;
            *known = true;
        }
    return err;
}

static enum err read_closed(struct store_tx *tx, struct str tenant, int month, struct arena *arena,
                            struct meter_bill *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        tx, "SELECT closed_ms, json, sha256 FROM meter_bills WHERE tenant = ? AND month = ?",
        STORE_ARGS(SV_STR(tenant), SV_INT(month)), arena, &rows, why);
    if (err || rows.n_rows == 0)
        return err;
    *out = (struct meter_bill){.tenant = tenant,
                               .month = month,
                               .closed = true,
                               .closed_ms = store_int(&rows, 0, 0),
                               .sha256 = store_str(&rows, 0, 2)};
    return bill_from_json(store_str(&rows, 0, 1), arena, out, why);
}

enum err meter_bill_of(struct meter *m, const char *tenant, int month, struct arena *arena,
                       struct meter_bill *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct meter_bill bill = {0};
    if (!month_valid(month))
        return err_set(why, ERR_INVALID, "a month is a year and two digits, like 2026-11");
    if (month > month_of(day_of(meter_now(m))))
        return err_set(why, ERR_NOT_FOUND, "the month has not begun");
    struct str name = str_copy(arena, str_c(tenant));
    enum err err = store_begin(m->store, STORE_READ, &tx, why);
    if (!err)
        err = read_closed(tx, name, month, arena, &bill, why);
    if (!err && !bill.closed)
        err = bill_from_sums(tx, name, month, arena, &bill, why);
    store_rollback(tx);
    bool known = true;
    if (!err && !bill.closed)
        err = find_title(m, arena, &bill, &known, why);
    if (!err && !known && bill.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such tenant");
    if (!err)
        *out = bill;
    return err;
}

static enum err insert_bill(struct meter_act *act, struct meter_bill *bill, struct str *detail,
                            struct why *why)
{
    uint8_t digest[HASH_BYTES];
    char sha256[HASH_TEXT];
    struct buf buf;
    int64_t n = 0;
    bill->closed = true;
    bill->closed_ms = meter_now(act->meter);
    buf_init(&buf, act->arena);
    enum err err = meter_bill_json(bill, &buf, why);
    if (err)
        return err;
    hash_of(HASH_SHA256, buf_str(&buf), digest);
    hex_put(digest, sizeof digest, sha256);
    *detail = str_printf(
        act->arena, "{\"month\":%d,\"calls\":%lld,\"money_micro\":%lld,\"sha256\":\"%s\"}",
        bill->month, (long long)bill->sums.calls, (long long)bill->sums.money, sha256);
    if (!detail->ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the bill");
    err = store_exec(act->tx,
                     "INSERT INTO meter_bills (tenant, month, closed_ms, json, sha256)"
                     " VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, month) DO NOTHING",
                     STORE_ARGS(SV_STR(bill->tenant), SV_INT(bill->month), SV_INT(bill->closed_ms),
                                SV_STR(buf_str(&buf)), SV_C(sha256)),
                     &n, why);
    if (!err && n == 0)
        err = err_set(why, ERR_CONFLICT, "the bill of that month is closed already");
    return err;
}

enum err meter_bill_close(struct meter *m, const struct ops_identity *who, const char *tenant,
                          int month, struct why *why)
{
    struct meter_act act;
    struct meter_bill bill = {.tenant = str_c(tenant)};
    struct str detail = STR_NONE;
    char object[MOST_TENANT + 16];
    (void)snprintf(object, sizeof object, "%.*s/%d", STR_FMT(str_slice(bill.tenant, 0, 47)), month);
    enum err err = act_begin(&act, m, who, "meter.bill.close", "meter.bill", why);
    if (!err)
        err = meter_see(who, str_c(tenant), why);
    if (!err && !month_valid(month))
        err = err_set(why, ERR_INVALID, "a month is a year and two digits, like 2026-11");
    if (!err && month >= month_of(day_of(meter_now(m))))
        err = err_set(why, ERR_CONFLICT, "a bill is closed when its month is over");
    if (!err)
        err = bill_from_sums(act.tx, str_c(tenant), month, act.arena, &bill, why);
    bool known = false;
    if (!err)
        err = find_title(m, act.arena, &bill, &known, why);
    if (!err && !known && bill.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such tenant");
    if (!err)
        err = insert_bill(&act, &bill, &detail, why);
    return act_end(&act, err, object, detail, false, why);
}

enum err meter_bill_list(struct meter *m, const char *tenant, int limit, struct arena *arena,
                         struct meter_month **out, size_t *n, struct why *why)
{
    struct store_rows rows;
    if (limit < 1 || limit > 1000)
        return err_set(why, ERR_INVALID, "limit must be from 1 to 1000");
    enum err err = store_ask(
        m->store,
        "SELECT s.tenant, s.period, s.tokens, s.money, COALESCE(b.closed_ms, 0) FROM meter_spent s"
        " LEFT JOIN meter_bills b ON b.tenant = s.tenant AND b.month = s.period"
        " WHERE s.level = 0 AND s.period < 1000000 AND (? = 1 OR s.tenant = ?)"
        " ORDER BY s.period DESC, s.tenant LIMIT ?",
        STORE_ARGS(SV_INT(!tenant), SV_C(tenant ? tenant : ""), SV_INT(limit)), arena, &rows, why);
    struct meter_month *items =
        err ? NULL : arena_array(arena, struct meter_month, rows.n_rows + 1);
    if (!err && !items)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the bills");
    if (err)
        return err;
    for (size_t i = 0; i < rows.n_rows; i++)
        items[i] = (struct meter_month){.tenant = store_str(&rows, i, 0),
                                        .month = (int)store_int(&rows, i, 1),
                                        .tokens = store_int(&rows, i, 2),
                                        .money = store_int(&rows, i, 3),
                                        .closed_ms = store_int(&rows, i, 4)};
    *out = items;
    *n = rows.n_rows;
    return ERR_OK;
}

/* ---- by itself ---- */

static enum err next_open(struct meter *m, struct arena *arena, int before, char **tenant,
                          int *month, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(
        m->store,
        "SELECT s.tenant, s.period FROM meter_spent s WHERE s.level = 0 AND s.period < ? AND NOT"
        " EXISTS (SELECT 1 FROM meter_bills b WHERE b.tenant = s.tenant AND b.month = s.period)"
        " ORDER BY s.period, s.tenant LIMIT 1",
        STORE_ARGS(SV_INT(before)), arena, &rows, why);
    *tenant = err || rows.n_rows == 0 ? NULL : str_z(arena, store_str(&rows, 0, 0));
    *month = err ? 0 : (int)store_int(&rows, 0, 1);
    return err;
}

enum err meter_bill_close_due(struct meter *m, size_t *n_closed, struct why *why)
{
    struct ops_identity system = ops_system();
    enum err err = ERR_OK;
    *n_closed = 0;
    if (m->close_ms == 0)
        return ERR_OK;
    /* The month in which the grace began, and those after it, stay open. */
    int before = month_of(day_of(meter_now(m) - m->close_ms));
    while (!err) {
        char *tenant;
        int month;
        struct arena *arena = arena_new(1 << 16);
        err = arena ? next_open(m, arena, before, &tenant, &month, why)
                    : err_set(why, ERR_NO_MEMORY, "could not close the bills");
        bool any = !err && tenant;
        if (any)
            err = meter_bill_close(m, &system, tenant, month, why);
        arena_free(arena);
        if (!any)
            break;
        *n_closed += err == ERR_OK;
    }
    return err == ERR_CONFLICT ? ERR_OK : err; /* another server was quicker */
}
