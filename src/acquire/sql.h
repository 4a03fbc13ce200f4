/*
 * acquire/sql - tables and queries of other people's databases: what the two engines share.
 *
 * The query is put into "SELECT ... FROM (query) q", so that it must be one that only reads; the
 * connection or file is opened for reading alone, too.
 */
#ifndef ACQUIRE_SQL_H
#define ACQUIRE_SQL_H

#include "acquire/acquire_in.h"

#define SQL_MARK_EVERY 1000
#define SQL_MOST_KEYS  8
#define SQL_MOST_ROW   ((size_t)15 << 20)

/* The params that both have; put first into their tables. */
#define SQL_PARAMS                                                                                 \
    {"table",                                                                                      \
     PARAM_TEXT,                                                                                   \
     false,                                                                                        \
     0,                                                                                            \
     200,                                                                                          \
     "",                                                                                           \
     NULL,                                                                                         \
     "",                                                                                           \
     "Table or view, with its schema",                                                             \
     "表或视图，可带模式名"},                                                                      \
        {"query",                                                                                  \
         PARAM_TEXT,                                                                               \
         false,                                                                                    \
         0,                                                                                        \
         20000,                                                                                    \
         "",                                                                                       \
         NULL,                                                                                     \
         "",                                                                                       \
         "A query in place of a table; it may only read",                                          \
         "只读查询语句，与表二选一"},                                                              \
        {"key",                                                                                    \
         PARAM_LIST,                                                                               \
         false,                                                                                    \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "",                                                                                       \
         "Columns that together name a row; needed but for snapshots",                             \
         "主键列；增量采集必填"},                                                                  \
        {"cursor",                                                                                 \
         PARAM_TEXT,                                                                               \
         false,                                                                                    \
         0,                                                                                        \
         200,                                                                                      \
         "",                                                                                       \
         NULL,                                                                                     \
         "",                                                                                       \
         "Column that grows with each change (updated_at): only rows from there on are read",      \
         "递增列（如更新时间），只读取其后变动的行"},                                              \
        {"mode",                                                                                   \
         PARAM_CHOICE,                                                                             \
         false,                                                                                    \
         0,                                                                                        \
         0,                                                                                        \
         "incremental",                                                                            \
         "incremental|snapshot",                                                                   \
         "",                                                                                       \
         "incremental: new and changed rows are added; snapshot: the version is the table as it "  \
         "is",                                                                                     \
         "incremental 追加新增与变动的行；snapshot 每个版本是整张表的快照"},                       \
    {                                                                                              \
        "most_rows", PARAM_INTEGER, false, 1, 1000000000, "100000000", NULL, "rows",               \
            "Most rows of a run", "一次最多读取的行数"                                    \
    }

ERR_MUST_USE enum err sql_check(const struct json *settings, struct why *why);
/* A name in double quotes; with `dots` its parts apart. */
void sql_quote(struct buf *out, struct str name, bool dots);
/* "(SELECT * FROM table) q" or "(query) q" */
void sql_from(struct buf *out, const struct json *settings);
/* What stands in the address of the source behind the database: the table, or the query's hash. */
ERR_MUST_USE enum err sql_place(const struct json *settings, struct arena *arena, struct str *out,
                                struct why *why);

/* The rows of a run, as an engine hands them over. */
struct sql_rows {
    struct collect *c;
    char key[DATA_SOURCE_KEY];
    struct str cursor; /* of the last row */
    int64_t n, most;
    bool has_key, has_cursor;
};
ERR_MUST_USE enum err sql_begin(struct collect *c, struct str uri, struct sql_rows *out,
                                struct why *why);
/* Where to read from: the mark of this run, or what the run before kept; "" from the beginning. */
struct str sql_since(struct sql_rows *rows);
/* A row as JSON text; names: the values of its key columns; cursor may be empty. */
ERR_MUST_USE enum err sql_row(struct sql_rows *rows, struct str json, const struct str *names,
                              size_t n_names, struct str cursor, struct why *why);
bool sql_enough(struct sql_rows *rows);
ERR_MUST_USE enum err sql_end(struct sql_rows *rows, struct why *why);

#endif
