#include "core/arena.h"
#include "core/hash.h"
#include "core/time.h"
#include "ledger/ledger.h"
#include "support/test_store.h"
#include "tap.h"

static const struct ledger_act act = {.tenant = "t1",
                                      .actor = "user:张三",
                                      .address = "10.0.0.7",
                                      .action = "knowledge.document.import",
                                      .object = "doc-1",
                                      .result = "ok",
                                      .trace = "trace-1",
                                      .detail = STR_INIT("{\"files\": 3}")};

static void begin(struct store *store, int n)
{
    struct why why = {0};
    CHECK_OK(store_migrate(store, ledger_migrations, ledger_n_migrations, false, NULL, &why), &why);
    for (int i = 0; i < n; i++)
        CHECK_OK(ledger_record(store, &act, &why), &why);
}

static struct ledger_report check(struct store *store, const char *head)
{
    struct ledger_report report = {0};
    struct why why = {0};
    CHECK_OK(ledger_check(store, head, &report, &why), &why);
    return report;
}

static void run(struct store *store, const char *sql)
{
    struct why why = {0};
    CHECK_OK(store_run(store, sql, STORE_NO_ARGS, NULL, &why), &why);
}

/* What somebody with the database's password would do first. */
static void disarm(struct store *store)
{
    if (strcmp(store_engine(store), "sqlite") == 0) {
        run(store, "DROP TRIGGER ledger_no_update");
        run(store, "DROP TRIGGER ledger_no_delete");
    } else {
        run(store, "DROP TRIGGER ledger_no_change ON ledger_entries");
    }
}

TEST(numbers_entries_without_gaps_and_the_chain_fits)
{
    FRESH_STORE(store, 2);
    struct why why = {0};
    struct store_tx *tx;
    int64_t number = 0;
    begin(store, 3);
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(ledger_append(tx, &act, &number, &why), &why);
    CHECK_EQ(number, 4);
    CHECK_OK(ledger_append(tx, &act, &number, &why), &why);
    CHECK_EQ(number, 5);
    store_rollback(tx); /* the act did not happen, so neither did its record */
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(ledger_append(tx, &act, &number, &why), &why);
    CHECK_EQ(number, 4);
    CHECK_OK(store_commit(tx, &why), &why);
    struct ledger_report report = check(store, NULL);
    CHECK_EQ(report.n_entries, 4);
    CHECK_EQ(report.first_bad, 0);
    CHECK_EQ(strlen(report.head_sha256), 64);
    CHECK_EQ(strlen(report.head_sm3), 64);
    CHECK_EQ(check(store, report.head_sha256).first_bad, 0);
    test_store_done(store);
}

TEST(an_empty_ledger_is_whole)
{
    FRESH_STORE(store, 2);
    begin(store, 0);
    struct ledger_report report = check(store, NULL);
    CHECK_EQ(report.n_entries, 0);
    CHECK_EQ(report.first_bad, 0);
    CHECK_EQ(check(store, report.head_sha256).first_bad, 0);
    begin(store, 1);
    CHECK_EQ(check(store, report.head_sha256).first_bad, 0);
    test_store_done(store);
}

/* The digests, computed here by hand from the words of the header. */
TEST(digests_are_of_the_canonical_bytes)
{
    FRESH_STORE(store, 2);
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    struct ledger_entry *entries;
    size_t n = 0;
    begin(store, 2);
    struct ledger_filter filter = {.limit = 10};
    CHECK_OK(ledger_list(store, &filter, arena, &entries, &n, &why), &why);
    CHECK_EQ(n, 2);
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    struct str before[2] = {str_c(zeros), str_c(zeros)};
    for (size_t i = n; i-- > 0;) {
        uint8_t digest[HASH_BYTES];
        char hex[HASH_TEXT], time[32];
        (void)snprintf(time, sizeof time, "%lld", (long long)entries[i].time_ms);
        struct str bytes = str_printf(arena,
                                      "yicheng ledger 1\n1:%lld\n%zu:%s\n2:t1\n11:user:张三\n"
                                      "8:10.0.0.7\n25:knowledge.document.import\n5:doc-1\n2:ok\n"
                                      "7:trace-1\n12:{\"files\": 3}\n64:%.*s\n64:%.*s\n",
                                      (long long)entries[i].number, strlen(time), time,
                                      STR_FMT(before[0]), STR_FMT(before[1]));
        hash_of(HASH_SHA256, bytes, digest);
        CHECK_STR(entries[i].sha256, hex_put(digest, sizeof digest, hex));
        hash_of(HASH_SM3, bytes, digest);
        CHECK_STR(entries[i].sm3, hex_put(digest, sizeof digest, hex));
        before[0] = entries[i].sha256;
        before[1] = entries[i].sm3;
    }
    arena_free(arena);
    test_store_done(store);
}

TEST(refuses_change_and_removal)
{
    FRESH_STORE(store, 2);
    begin(store, 2);
    CHECK_EQ(
        store_run(store, "UPDATE ledger_entries SET actor = 'user:x'", STORE_NO_ARGS, NULL, NULL),
        ERR_CONFLICT);
    CHECK_EQ(
        store_run(store, "DELETE FROM ledger_entries WHERE number = 2", STORE_NO_ARGS, NULL, NULL),
        ERR_CONFLICT);
    CHECK_EQ(check(store, NULL).n_entries, 2);
    test_store_done(store);
}

TEST(finds_every_planted_change)
{
    static const struct {
        const char *sql;
        int64_t first_bad;
    } cases[] = {
        {"UPDATE ledger_entries SET time_ms = time_ms + 1 WHERE number = 3", 3},
        {"UPDATE ledger_entries SET tenant = 't2' WHERE number = 3", 3},
        {"UPDATE ledger_entries SET actor = 'user:x' WHERE number = 1", 1},
        {"UPDATE ledger_entries SET address = '' WHERE number = 5", 5},
        {"UPDATE ledger_entries SET action = 'a.b.c' WHERE number = 4", 4},
        {"UPDATE ledger_entries SET object = 'doc-2' WHERE number = 4", 4},
        {"UPDATE ledger_entries SET result = 'forbidden' WHERE number = 4", 4},
        {"UPDATE ledger_entries SET trace = 'trace-1 ' WHERE number = 2", 2},
        {"UPDATE ledger_entries SET detail = '{}' WHERE number = 5", 5},
        /* a byte moved from one field to the next */
        {"UPDATE ledger_entries SET object = 'doc-1o', result = 'k' WHERE number = 3", 3},
        {"UPDATE ledger_entries SET sha256 = sm3 WHERE number = 3", 3},
        {"UPDATE ledger_entries SET sm3 = sha256 WHERE number = 3", 3},
        {"DELETE FROM ledger_entries WHERE number = 1", 1},
        {"DELETE FROM ledger_entries WHERE number = 4", 4},
        {"UPDATE ledger_entries SET number = 9 WHERE number = 5", 5},
        {"UPDATE ledger_entries SET number = 0 WHERE number = 1", 1},
        {"INSERT INTO ledger_entries SELECT -5, time_ms, tenant, actor, address, action, object,"
         " result, trace, detail, sha256, sm3 FROM ledger_entries WHERE number = 5",
         1},
        {"INSERT INTO ledger_entries SELECT 6, time_ms, tenant, actor, address, action, object,"
         " result, trace, detail, sha256, sm3 FROM ledger_entries WHERE number = 5",
         6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FRESH_STORE(store, 2);
        begin(store, 5);
        disarm(store);
        CHECK_EQ(check(store, NULL).first_bad, 0);
        run(store, cases[i].sql);
        struct ledger_report report = check(store, NULL);
        CHECK_EQ(report.first_bad, cases[i].first_bad);
        CHECK(report.words[0] != '\0');
        test_store_done(store);
    }
}

TEST(finds_a_cut_tail_and_a_chain_computed_anew_by_the_head_that_was_noted)
{
    FRESH_STORE(store, 2);
    begin(store, 5);
    disarm(store);
    struct ledger_report noted = check(store, NULL);
    run(store, "DELETE FROM ledger_entries WHERE number > 3");
    CHECK_EQ(check(store, NULL).first_bad, 0); /* in itself it is whole */
    struct ledger_report report = check(store, noted.head_sha256);
    CHECK_EQ(report.first_bad, 4);
    CHECK(strstr(report.words, "noted") != NULL);
    /* The same acts once more: other times, so other digests. */
    time_sleep_ms(2);
    struct why why = {0};
    for (int i = 0; i < 2; i++)
        CHECK_OK(ledger_record(store, &act, &why), &why);
    CHECK_EQ(check(store, NULL).first_bad, 0);
    CHECK_EQ(check(store, noted.head_sha256).first_bad, 6);
    test_store_done(store);
}

TEST(refuses_what_is_no_entry)
{
    FRESH_STORE(store, 2);
    begin(store, 1);
    static char long_text[LEDGER_DETAIL_MOST + 8];
    memset(long_text, ' ', sizeof long_text - 1);
    long_text[0] = '{', long_text[sizeof long_text - 2] = '}';
    const struct {
        struct ledger_act act;
        enum err err;
    } cases[] = {
        {{.actor = "", .action = "a", .result = "ok"}, ERR_INVALID},
        {{.actor = "system", .action = NULL, .result = "ok"}, ERR_INVALID},
        {{.actor = "system", .action = "a", .result = ""}, ERR_INVALID},
        {{.actor = "system", .action = "a", .result = "ok", .detail = STR_INIT("[]")}, ERR_INVALID},
        {{.actor = "system", .action = "a", .result = "ok", .detail = STR_INIT("{")}, ERR_INVALID},
        {{.actor = "\xFF", .action = "a", .result = "ok"}, ERR_INVALID},
        {{.actor = "system", .action = "a", .result = "ok", .object = long_text}, ERR_TOO_LARGE},
        {{.actor = "system",
          .action = "a",
          .result = "ok",
          .detail = {long_text, sizeof long_text - 1}},
         ERR_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct why why = {0};
        CHECK_EQ(ledger_record(store, &cases[i].act, &why), cases[i].err);
        CHECK(why.text[0] != '\0');
    }
    struct ledger_act least = {.actor = "system", .action = "a", .result = "ok"};
    struct why why = {0};
    CHECK_OK(ledger_record(store, &least, &why), &why);
    struct ledger_report report = check(store, NULL);
    CHECK_EQ(report.n_entries, 2);
    CHECK_EQ(report.first_bad, 0);
    test_store_done(store);
}

TEST(lists_newest_first_by_filter)
{
    FRESH_STORE(store, 2);
    begin(store, 0);
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    static const char *const actions[] = {"ops.user.create", "ops.user.delete", "ops.users",
                                          "knowledge.document.import", "ops.user.create"};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        struct ledger_act one = act;
        one.action = actions[i];
        one.tenant = i == 4 ? "t2" : "t1";
        one.object = i == 1 ? "u-1" : "u-2";
        CHECK_OK(ledger_record(store, &one, &why), &why);
    }
    int64_t now = time_now_ms();
    const struct {
        struct ledger_filter filter;
        size_t n;
        int64_t newest;
    } cases[] = {
        {{.limit = 1000}, 5, 5},
        {{.limit = 2}, 2, 5},
        {{.limit = 10, .before = 4}, 3, 3},
        {{.limit = 10, .action = "ops.user.*"}, 3, 5},
        {{.limit = 10, .action = "ops.user.create"}, 2, 5},
        {{.limit = 10, .action = "*"}, 5, 5},
        {{.limit = 10, .action = "ops.user.*", .tenant = "t1"}, 2, 2},
        {{.limit = 10, .tenant = ""}, 0, 0},
        {{.limit = 10, .object = "u-1"}, 1, 2},
        {{.limit = 10, .actor = "user:张三"}, 5, 5},
        {{.limit = 10, .actor = "user:' OR 1=1"}, 0, 0},
        {{.limit = 10, .from_ms = now - 60000, .to_ms = now + 1}, 5, 5},
        {{.limit = 10, .from_ms = now + 60000}, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ledger_entry *entries = NULL;
        size_t n = 99;
        CHECK_OK(ledger_list(store, &cases[i].filter, arena, &entries, &n, &why), &why);
        CHECK_EQ(n, cases[i].n);
        if (n > 0 && n == cases[i].n)
            CHECK_EQ(entries[0].number, cases[i].newest);
    }
    struct ledger_filter none = {.limit = 0};
    struct ledger_entry *entries;
    size_t n;
    CHECK_EQ(ledger_list(store, &none, arena, &entries, &n, NULL), ERR_INVALID);
    arena_free(arena);
    test_store_done(store);
}

/* Every allocation fails once in turn; each time the right error. */
TEST(says_so_when_memory_runs_out)
{
    FRESH_STORE(store, 2);
    begin(store, 4);
    size_t limit = 0;
    struct ledger_filter filter = {.limit = 10, .action = "knowledge.*"};
    for (enum err err = ERR_NO_MEMORY; err == ERR_NO_MEMORY; limit += 128) {
        struct arena *arena = arena_new(limit);
        struct ledger_entry *entries = NULL;
        size_t n = 99;
        err = ledger_list(store, &filter, arena, &entries, &n, NULL);
        CHECK(err == ERR_OK ? n == 4 : err == ERR_NO_MEMORY && n == 99 && !entries);
        arena_free(arena);
    }
    CHECK(limit > 512);
    test_store_done(store);
}

TESTS_MAIN()
