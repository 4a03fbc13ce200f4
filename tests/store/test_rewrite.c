#include "core/arena.h"
#include "store/store_rewrite.h"
#include "tap.h"

TEST(places_for_arguments_are_numbered_outside_of_quotes)
{
    static const struct {
        const char *sql, *out;
        size_t n;
    } cases[] = {
        {"SELECT ?", "SELECT $1", 1},
        {"a = ? AND b=? OR c IN (?,?)", "a = $1 AND b=$2 OR c IN ($3,$4)", 4},
        {"'?' || ? || '''?'", "'?' || $1 || '''?'", 1},
        {"\"a?b\" = ?", "\"a?b\" = $1", 1},
        {"-- ?\n? /* ? */ ?", "-- ?\n$1 /* ? */ $2", 2},
        {"? -- ?", "$1 -- ?", 1},
        {"'never closed ?", "'never closed ?", 0},
        {"", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 16);
        struct buf out;
        size_t n = 99;
        buf_init(&out, arena);
        store_rewrite_params(cases[i].sql, &out, &n);
        CHECK_STR(buf_str(&out), cases[i].out);
        CHECK_EQ(n, cases[i].n);
        arena_free(arena);
    }
}

TEST(types_are_rewritten_where_columns_are_declared)
{
    static const struct {
        const char *sql, *out;
    } cases[] = {
        {"CREATE TABLE t (id INTEGER NOT NULL, x REAL, b BLOB, s TEXT NOT NULL)",
         "CREATE TABLE t (id BIGINT NOT NULL, x DOUBLE PRECISION, b BYTEA,"
         " s TEXT COLLATE \"C\" NOT NULL)"},
        {"CREATE TABLE t (text TEXT, real REAL DEFAULT 'REAL')",
         "CREATE TABLE t (text TEXT COLLATE \"C\", real DOUBLE PRECISION DEFAULT 'REAL')"},
        {"ALTER TABLE t ADD COLUMN n INTEGER", "ALTER TABLE t ADD COLUMN n BIGINT"},
        {"UPDATE t SET s = CAST(n AS TEXT); CREATE TABLE u (a BLOB); SELECT 'BLOB'",
         "UPDATE t SET s = CAST(n AS TEXT); CREATE TABLE u (a BYTEA); SELECT 'BLOB'"},
        {"CREATE INDEX i ON t (INTEGER)", "CREATE INDEX i ON t (INTEGER)"},
        {"-- BLOB\nCREATE TABLE t (MY_BLOB BLOB, BLOB_2 BLOB) -- REAL",
         "-- BLOB\nCREATE TABLE t (MY_BLOB BYTEA, BLOB_2 BYTEA) -- REAL"},
        {"CREATE TABLE t (n INTEGER CHECK (n > CAST('1' AS INTEGER)))",
         "CREATE TABLE t (n BIGINT CHECK (n > CAST('1' AS INTEGER)))"},
        {"CREATE FUNCTION f(a TEXT) AS $x$ CREATE TABLE q (a BLOB); $x$; ALTER TABLE a ADD b BLOB",
         "CREATE FUNCTION f(a TEXT) AS $x$ CREATE TABLE q (a BLOB); $x$; ALTER TABLE a ADD b "
         "BYTEA"},
        {"$", "$"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 16);
        struct buf out;
        buf_init(&out, arena);
        store_rewrite_types(cases[i].sql, &out);
        CHECK_STR(buf_str(&out), cases[i].out);
        arena_free(arena);
    }
}

TESTS_MAIN()
