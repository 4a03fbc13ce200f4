/* Bills, usage, keeping, and the check that finds one planted change. */
#include "meter/room.h"

/* Two tenants, three models, two applications over days; remainders everywhere. */
static void fill(struct metering *m, int n_days)
{
    static const char *const models[] = {"qwen", "deepseek", "=HYPERLINK(1)"};
    static const char *const apps[] = {"hotline", "", "公文"};
    int k = 0;
    for (int day = 0; day < n_days; day++) {
        for (int i = 0; i < 30; i++, k++) {
            struct meter_ask ask = ask_of(m, models[k % 3]);
            ask.application = str_c(apps[k % 3]);
            ask.kind = k % 7 == 0 ? METER_CACHED : k % 7 == 1 ? METER_EMBEDDINGS : METER_CHAT;
            m->key.id = k % 2 ? STR("key-1") : STR("key-2");
            m->key.tenant = k % 5 ? STR(OPS_HOME) : STR("second");
            struct meter_call *call = begin(m, &ask, NULL);
            if (!call)
                return;
            if (k % 4)
                meter_deliver(call, k % 61);
            atomic_fetch_add(&m->now_ms, 977);
            (void)end(call, 3 * k % 401, k % 61, k % 4 ? METER_OK : METER_CANCELLED);
        }
        flush(m);
        atomic_fetch_add(&m->now_ms, DAY_MS);
    }
    m->key.tenant = STR(OPS_HOME);
}

static void make_tenant(struct metering *m)
{
    struct why why = {0};
    /* Its id is what the calls name; ops gives random ones. */
    CHECK_OK(store_run(m->c.store,
                       "INSERT INTO ops_tenants (id, name, title, disabled, created_ms)"
                       " VALUES ('second', 'second', '第二租户', 0, 0)",
                       STORE_NO_ARGS, NULL, &why),
             &why);
}

static struct meter_bill bill(struct metering *m, const char *tenant, int month)
{
    struct meter_bill b = {0};
    struct why why = {0};
    CHECK_OK(meter_bill_of(m->meter, tenant, month, m->c.arena, &b, &why), &why);
    return b;
}

TEST(a_bill_is_the_sum_of_its_lines_exactly)
{
    METERING(m, NULL);
    make_tenant(&m);
    put_price(&m, "*");
    fill(&m, 5);
    struct meter_bill home = bill(&m, OPS_HOME, 202611), second = bill(&m, "second", 202611);
    CHECK(home.sums.money > 0 && second.sums.money > 0 && !home.closed);
    CHECK_EQ(home.sums.calls + second.sums.calls, 150);
    CHECK_EQ(home.sums.money,
             ask_int(&m, "SELECT CAST(SUM(l.money) AS BIGINT) FROM meter_lines l JOIN meter_dims d"
                         " ON d.id = l.dim WHERE d.tenant = 'city'"));
    CHECK_EQ(second.sums.money,
             ask_int(&m, "SELECT CAST(SUM(l.money) AS BIGINT) FROM meter_lines l JOIN meter_dims d"
                         " ON d.id = l.dim WHERE d.tenant = 'second'"));
    int64_t items = 0;
    for (size_t i = 0; i < home.n_rows; i++)
        items += home.rows[i].sums.money;
    CHECK_EQ(items, home.sums.money);
    CHECK_STR(second.tenant_title, "第二租户");
    struct meter_bill none;
    CHECK_EQ(meter_bill_of(m.meter, OPS_HOME, 202612, m.c.arena, &none, NULL), ERR_NOT_FOUND);
    CHECK_EQ(meter_bill_of(m.meter, OPS_HOME, 202613, m.c.arena, &none, NULL), ERR_INVALID);
    CHECK_EQ(meter_bill_of(m.meter, "nobody", 202611, m.c.arena, &none, NULL), ERR_NOT_FOUND);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(a_bill_as_json_and_as_csv)
{
    METERING(m, NULL);
    make_tenant(&m);
    put_price(&m, "*");
    fill(&m, 1);
    struct meter_bill b = bill(&m, OPS_HOME, 202611);
    struct buf json, csv;
    const struct json *doc;
    struct why why = {0};
    buf_init(&json, m.c.arena);
    buf_init(&csv, m.c.arena);
    CHECK_OK(meter_bill_json(&b, &json, &why), &why);
    CHECK_OK(meter_bill_csv(&b, &csv, &why), &why);
    CHECK_OK(json_parse(buf_str(&json), m.c.arena, &doc, &why), &why);
    CHECK_EQ(json_get_int(doc, "money_micro", 0), b.sums.money);
    CHECK_STR(json_get_str(doc, "month", STR("")), "2026-11");
    CHECK_STR(json_get_str(doc, "currency", STR("")), "CNY");
    CHECK_EQ(json_len(json_get(doc, "items")), b.n_rows);
    /* A line each, one head and one total; a name cannot become a formula. */
    struct str rest = buf_str(&csv), line;
    size_t n = 0;
    while (str_next_line(&rest, &line))
        n += line.len > 0;
    CHECK_EQ(n, b.n_rows + 2);
    CHECK(str_find(buf_str(&csv), STR("\"'=HYPERLINK(1)\"")) != STR_NPOS);
    char total[64];
    (void)snprintf(total, sizeof total, ",%lld.%06lld\r\n", (long long)(b.sums.money / 1000000),
                   (long long)(b.sums.money % 1000000));
    CHECK(str_ends(buf_str(&csv), str_c(total)));
    metering_close(&m);
}

TEST(a_closed_bill_stays_and_later_lines_go_to_the_open_month)
{
    struct ops_identity system = ops_system();
    struct why why = {0};
    METERING(m, NULL);
    make_tenant(&m);
    put_price(&m, "*");
    fill(&m, 3);
    CHECK_EQ(meter_bill_close(m.meter, &system, OPS_HOME, 202611, NULL), ERR_CONFLICT);
    /* A call of November that is under way while the month is closed. */
    struct meter_ask ask = ask_of(&m, "late");
    struct meter_call *late = begin(&m, &ask, NULL);
    struct meter_bill before = bill(&m, OPS_HOME, 202611);
    m.now_ms += 40 * DAY_MS;
    CHECK_OK(meter_bill_close(m.meter, &system, OPS_HOME, 202611, &why), &why);
    CHECK_EQ(meter_bill_close(m.meter, &system, OPS_HOME, 202611, NULL), ERR_CONFLICT);
    m.now_ms -= 40 * DAY_MS; /* another server, whose clock is late */
    CHECK(end(late, 100, 10, METER_OK).money > 0);
    m.now_ms += 40 * DAY_MS;
    flush(&m);
    struct meter_bill after = bill(&m, OPS_HOME, 202611), open = bill(&m, OPS_HOME, 202612);
    CHECK(after.closed);
    CHECK_EQ(after.sums.money, before.sums.money);
    CHECK_EQ(after.n_rows, before.n_rows);
    CHECK_EQ(open.sums.calls, 1);
    CHECK_EQ(after.json.len > 0 && after.sha256.len == 64, 1);
    CHECK(store_run(m.c.store, "UPDATE meter_bills SET json = '{}'", STORE_NO_ARGS, NULL, NULL) !=
          ERR_OK);
    CHECK(store_run(m.c.store, "DELETE FROM meter_bills", STORE_NO_ARGS, NULL, NULL) != ERR_OK);
    CHECK_EQ(centre_acts(&m.c, "meter.bill.close", "ok"), 1);
    struct meter_report report;
    CHECK_EQ(check_all(&m, &report), 0);
    CHECK_EQ(report.n_bills, 1);
    metering_close(&m);
}

TEST(bills_are_closed_by_themselves_after_a_while)
{
    struct why why = {0};
    size_t n = 9;
    METERING(m, "meter.close=15d");
    make_tenant(&m);
    put_price(&m, "*");
    fill(&m, 2);
    m.now_ms = day_start_ms(day_from_ymd(2026, 12, 15)); /* 14 days after the month */
    CHECK_OK(meter_bill_close_due(m.meter, &n, &why), &why);
    CHECK_EQ(n, 0);
    m.now_ms += DAY_MS;
    CHECK_OK(meter_bill_close_due(m.meter, &n, &why), &why);
    CHECK_EQ(n, 2);
    CHECK(bill(&m, "second", 202611).closed);
    struct ledger_entry *entries;
    CHECK_OK(ledger_list(m.c.store,
                         &(struct ledger_filter){.action = "meter.bill.close", .limit = 9},
                         m.c.arena, &entries, &n, &why),
             &why);
    CHECK_EQ(n, 2);
    CHECK_STR(entries[0].actor, "system");
    CHECK_OK(meter_bill_close_due(m.meter, &n, &why), &why);
    CHECK_EQ(n, 0);
    CHECK_FITS(&m);
    metering_close(&m);
}

/* ---- usage ---- */

static size_t query(struct metering *m, struct meter_filter f, struct meter_row **rows)
{
    size_t n = 0;
    struct why why = {0};
    f.from_ms = f.from_ms ? f.from_ms : 1793500000000LL - 40 * DAY_MS;
    f.to_ms = f.to_ms ? f.to_ms : m->now_ms + DAY_MS;
    f.limit = f.limit ? f.limit : 1000;
    CHECK_OK(meter_usage_query(m->meter, &f, m->c.arena, rows, &n, &why), &why);
    return n;
}

TEST(usage_by_time_and_by_what_it_was)
{
    struct meter_row *rows;
    METERING(m, NULL);
    make_tenant(&m);
    put_price(&m, "*");
    fill(&m, 4);
    int64_t money = ask_int(&m, "SELECT CAST(SUM(money) AS BIGINT) FROM meter_lines"), sum = 0;
    CHECK_EQ(query(&m, (struct meter_filter){.step = METER_STEP_NONE}, &rows), 1);
    CHECK_EQ(rows[0].sums.money, money);
    CHECK_EQ(rows[0].sums.calls, 120);
    size_t n =
        query(&m, (struct meter_filter){.step = METER_STEP_DAY, .by = METER_BY_MODEL}, &rows);
    CHECK_EQ(n, 12);
    for (size_t i = 0; i < n; i++) {
        sum += rows[i].sums.money;
        CHECK(i == 0 || rows[i].at_ms >= rows[i - 1].at_ms);
        CHECK_EQ(day_start_ms(day_of(rows[i].at_ms)), rows[i].at_ms);
    }
    CHECK_EQ(sum, money);
    n = query(&m, (struct meter_filter){.step = METER_STEP_HOUR}, &rows);
    CHECK_EQ(n, 4);
    CHECK_EQ(rows[0].at_ms % 3600000, 0);
    n = query(&m,
              (struct meter_filter){.step = METER_STEP_MONTH, .by = METER_BY_TENANT | METER_BY_KEY},
              &rows);
    CHECK_EQ(n, 4);
    CHECK_EQ(rows[0].at_ms, day_start_ms(day_from_ymd(2026, 11, 1)));
    n = query(
        &m, (struct meter_filter){.tenant = "second", .step = METER_STEP_NONE, .by = METER_BY_KIND},
        &rows);
    CHECK_EQ(n, 3);
    CHECK_EQ(rows[0].sums.calls + rows[1].sums.calls + rows[2].sums.calls, 24);
    CHECK_EQ(query(&m, (struct meter_filter){.application = "none"}, &rows), 0);
    struct meter_filter f = {.from_ms = 1, .to_ms = m.now_ms, .step = METER_STEP_DAY, .limit = 2};
    CHECK_EQ(meter_usage_query(m.meter, &f, m.c.arena, &rows, &n, NULL), ERR_TOO_LARGE);
    f.to_ms = 1;
    CHECK_EQ(meter_usage_query(m.meter, &f, m.c.arena, &rows, &n, NULL), ERR_INVALID);
    metering_close(&m);
}

/* ---- the check ---- */

static void plant(struct metering *m, const char *sql)
{
    static const char *const guards[] = {
        "meter_lines_fixed meter_lines", "meter_batches_fixed meter_batches",
        "meter_bills_fixed meter_bills", "meter_plans_fixed meter_plans"};
    struct why why = {0};
    bool sqlite = strcmp(store_engine(m->c.store), "sqlite") == 0;
    for (size_t i = 0; i < sizeof guards / sizeof guards[0]; i++) {
        struct str rest = str_c(guards[i]), name, table;
        (void)str_next(&rest, ' ', &name);
        (void)str_next(&rest, ' ', &table);
        struct str drop = sqlite
                              ? str_printf(m->c.arena, "DROP TRIGGER IF EXISTS %.*s", STR_FMT(name))
                              : str_printf(m->c.arena, "DROP TRIGGER IF EXISTS %.*s ON %.*s",
                                           STR_FMT(name), STR_FMT(table));
        CHECK_OK(store_run(m->c.store, drop.ptr, STORE_NO_ARGS, NULL, &why), &why);
    }
    if (sqlite)
        CHECK_OK(store_run(m->c.store, "DROP TRIGGER IF EXISTS meter_batches_kept", STORE_NO_ARGS,
                           NULL, &why),
                 &why);
    int64_t n = 0;
    CHECK_OK(store_run(m->c.store, sql, STORE_NO_ARGS, &n, &why), &why);
    CHECK_EQ(n, 1);
}

#define ONE_LINE "id = (SELECT MIN(id) + 3 FROM meter_lines)"

TEST(one_planted_change_is_found_and_named)
{
    static const struct {
        const char *sql, *undo, *words;
    } cases[] = {
        {"UPDATE meter_lines SET money = money + 1 WHERE " ONE_LINE,
         "UPDATE meter_lines SET money = money - 1 WHERE " ONE_LINE, "line 65539 (batch 1, call "},
        {"UPDATE meter_lines SET completion = completion + 1 WHERE " ONE_LINE,
         "UPDATE meter_lines SET completion = completion - 1 WHERE " ONE_LINE,
         "line 65539 (batch 1, call "},
        {"UPDATE meter_lines SET trace = 'x' WHERE " ONE_LINE,
         "UPDATE meter_lines SET trace = '' WHERE " ONE_LINE, "line 65539 (batch 1, call "},
        {"UPDATE meter_lines SET mark = mark + 1 WHERE " ONE_LINE,
         "UPDATE meter_lines SET mark = mark - 1 WHERE " ONE_LINE, "line 65539 (batch 1, call "},
        {"UPDATE meter_dims SET tenant = 'city2' WHERE id = 1",
         "UPDATE meter_dims SET tenant = 'second' WHERE id = 1", "it was changed after"},
        {"UPDATE meter_plans SET prompt = prompt + 1", "UPDATE meter_plans SET prompt = prompt - 1",
         "is not what stands in the ledger"},
        {"UPDATE meter_batches SET money = money + 1 WHERE batch = 2",
         "UPDATE meter_batches SET money = money - 1 WHERE batch = 2", "batch 2: its lines sum up"},
        {"UPDATE meter_batches SET entry = entry + 1 WHERE batch = 2",
         "UPDATE meter_batches SET entry = entry - 1 WHERE batch = 2",
         "batch 2 is not what stands in the ledger"},
        {"UPDATE meter_hours SET money = money + 1 WHERE dim = 3 AND hour ="
         " (SELECT MIN(hour) FROM meter_hours WHERE dim = 3)",
         "UPDATE meter_hours SET money = money - 1 WHERE dim = 3 AND hour ="
         " (SELECT MIN(hour) FROM meter_hours WHERE dim = 3)",
         "the sums of the hour 2026-11-02T12:00"},
        {"UPDATE meter_days SET prompt = prompt - 1 WHERE dim = 3 AND day ="
         " (SELECT MIN(day) FROM meter_days WHERE dim = 3)",
         "UPDATE meter_days SET prompt = prompt + 1 WHERE dim = 3 AND day ="
         " (SELECT MIN(day) FROM meter_days WHERE dim = 3)",
         "the sums of the day 2026-11-02"},
        {"UPDATE meter_spent SET money = 0 WHERE level = 1 AND name = 'hotline' AND period = 202611"
         " AND tenant = 'city'",
         NULL, "spent by application \"hotline\" of tenant city in 202611"},
    };
    METERING(m, NULL);
    make_tenant(&m);
    put_price(&m, "*");
    fill(&m, 2);
    CHECK_FITS(&m);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        plant(&m, cases[i].sql);
        CHECK(check_all(&m, NULL) >= 1);
        if (!strstr(m.fault, cases[i].words)) {
            printf("# case %zu: %s\n", i, m.fault);
            CHECK(!"named");
        }
        if (!cases[i].undo)
            break;
        plant(&m, cases[i].undo);
        CHECK_FITS(&m);
    }
    metering_close(&m);
}

TEST(a_line_that_is_gone_or_made_up_is_found)
{
    METERING(m, NULL);
    make_tenant(&m);
    put_price(&m, "*");
    fill(&m, 2);
    plant(&m, "DELETE FROM meter_lines WHERE " ONE_LINE);
    CHECK(check_all(&m, NULL) >= 1);
    CHECK(strstr(m.fault, "batch 1 has ") != NULL);
    plant(&m, "UPDATE meter_lines SET id = 99 * 65536 WHERE id ="
              " (SELECT MIN(id) + 5 FROM meter_lines)");
    CHECK(check_all(&m, NULL) >= 2);
    plant(&m, "DELETE FROM meter_batches WHERE batch = 2");
    CHECK(check_all(&m, NULL) >= 3);
    metering_close(&m);
}

/* ---- keeping ---- */

TEST(old_lines_leave_when_their_month_is_closed)
{
    struct ops_identity system = ops_system();
    struct why why = {0};
    size_t n = 0;
    METERING(m, "meter.keep=5d");
    make_tenant(&m);
    put_price(&m, "*");
    fill(&m, 3);
    int64_t money = ask_int(&m, "SELECT CAST(SUM(money) AS BIGINT) FROM meter_days");
    m.now_ms += 40 * DAY_MS;
    CHECK_OK(meter_expire(m.meter, 100, &n, &why), &why);
    CHECK_EQ(n, 0); /* the bills are open */
    CHECK_OK(meter_bill_close(m.meter, &system, OPS_HOME, 202611, &why), &why);
    CHECK_OK(meter_expire(m.meter, 100, &n, &why), &why);
    CHECK_EQ(n, 0); /* one of them */
    CHECK_OK(meter_bill_close(m.meter, &system, "second", 202611, &why), &why);
    fill(&m, 1);
    CHECK_OK(meter_expire(m.meter, 1, &n, &why), &why);
    CHECK_EQ(n, 1);
    CHECK_FITS(&m);
    CHECK_OK(meter_expire(m.meter, 100, &n, &why), &why);
    CHECK(n >= 1);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_lines"), 30);
    CHECK(ask_int(&m, "SELECT CAST(SUM(money) AS BIGINT) FROM meter_days") > money);
    CHECK(centre_acts(&m.c, "meter.lines.expire", "ok") >= 2);
    struct meter_report report;
    CHECK_EQ(check_all(&m, &report), 0);
    CHECK(report.n_expired >= 2);
    CHECK_EQ(report.n_lines, 30);
    CHECK_EQ(bill(&m, OPS_HOME, 202611).sums.calls + bill(&m, "second", 202611).sums.calls, 90);
    metering_close(&m);
}

TESTS_MAIN()
