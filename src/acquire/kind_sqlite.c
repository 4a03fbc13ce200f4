/* acquire/kind_sqlite - tables and queries of SQLite files. The file may be hostile. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "acquire/sql.h"
#include "core/arena.h"
#include "core/time.h"

#define MOST_BLOB  ((size_t)64 << 10) /* longer ones are left out */
#define STEPS      10000
#define MOST_CELL  (16 << 20)
#define CURSOR_MEM 2048

static const struct acquire_param params[] = {
    {"path", PARAM_TEXT, true, 1, 4000, NULL, NULL, "", "The file on the server",
     "服务器上的数据库文件"},
    SQL_PARAMS,
    {"timeout_s", PARAM_INTEGER, false, 1, 86400, "3600", NULL, "s", "Longest run of the query",
     "查询最长时间"},
};

struct reading {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    struct collect *c;
    int64_t until_ns;
    int n_keys;
};

/* Reading is all that a query may do. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    (void)ctx, (void)a, (void)c, (void)d;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return b && !strcmp(b, "load_extension") ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static int still(void *ctx)
{
    const struct reading *r = ctx;
    return job_cancelled(r->c->job) || time_mono_ns() > r->until_ns;
}

static enum err failed(const struct reading *r, struct why *why)
{
    if (job_cancelled(r->c->job))
        return err_set(why, ERR_CANCELLED, "the run was cancelled");
    if (sqlite3_errcode(r->db) == SQLITE_INTERRUPT)
        return err_set(why, ERR_TIMEOUT, "the query took longer than it may");
    return err_set(why, ERR_INVALID, "the database says: %s", sqlite3_errmsg(r->db));
}

static enum err open_db(struct reading *r, struct str real, struct why *why)
{
    char uri[8300];
    struct buf buf;
    buf_init(&buf, r->c->arena);
    for (size_t i = 0; i < real.len; i++) { /* '?', '#' and '%' mean something in an address */
        unsigned char c = (unsigned char)real.ptr[i];
        if (c == '?' || c == '#' || c == '%')
            buf_printf(&buf, "%%%02X", (unsigned)c);
        else
            buf_char(&buf, (char)c);
    }
    (void)snprintf(uri, sizeof uri, "file:%s?mode=ro", buf.ptr ? buf.ptr : "");
    if (sqlite3_open_v2(uri, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return r->db ? failed(r, why) : err_set(why, ERR_NO_MEMORY, "could not open the database");
    (void)sqlite3_busy_timeout(r->db, 10000);
    (void)sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_exec(r->db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, MOST_CELL);
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_WORKER_THREADS, 0);
    (void)sqlite3_set_authorizer(r->db, authorize, NULL);
    sqlite3_progress_handler(r->db, STEPS, still, r);
    return ERR_OK;
}

/* SELECT q.*, q.cursor, q.key ... */
static void put_select(const struct reading *r, bool since, struct buf *sql)
{
    const struct json *settings = r->c->settings, *keys = json_get(settings, "key");
    struct str cursor = json_get_str(settings, "cursor", STR(""));
    buf_add_c(sql, "SELECT ");
    if (cursor.len) {
        buf_add_c(sql, "q.");
        sql_quote(sql, cursor, false);
    } else {
        buf_add_c(sql, "NULL");
    }
    for (size_t i = 0; i < json_len(keys); i++) {
        buf_add_c(sql, ", q.");
        sql_quote(sql, json_str(json_at(keys, i), STR("")), false);
    }
    buf_add_c(sql, ", q.* FROM ");
    sql_from(sql, settings);
    if (!cursor.len)
        return;
    if (since) {
        buf_add_c(sql, " WHERE q.");
        sql_quote(sql, cursor, false);
        buf_add_c(sql, " >= ? OR q.");
        sql_quote(sql, cursor, false);
        buf_add_c(sql, " IS NULL");
    }
    buf_add_c(sql, " ORDER BY q.");
    sql_quote(sql, cursor, false);
    buf_add_c(sql, " NULLS LAST");
}

/* A value with its type, for the cursor: "i:5", "r:1.5", "t:2026-01-01". */
static struct str typed(sqlite3_stmt *stmt, int col, char out[CURSOR_MEM])
{
    int n = 0;
    switch (sqlite3_column_type(stmt, col)) {
    case SQLITE_INTEGER:
        n = snprintf(out, CURSOR_MEM, "i:%lld", (long long)sqlite3_column_int64(stmt, col));
        break;
    case SQLITE_FLOAT:
        n = snprintf(out, CURSOR_MEM, "r:%.17g", sqlite3_column_double(stmt, col));
        break;
    case SQLITE_TEXT:
        n = snprintf(out, CURSOR_MEM, "t:%s", (const char *)sqlite3_column_text(stmt, col));
        break;
    default:
        break;
    }
    return (struct str){out, n > 0 && n < CURSOR_MEM ? (size_t)n : 0};
}

static void bind(sqlite3_stmt *stmt, struct str since)
{
    struct str value = str_from(since, 2);
    int64_t i = 0;
    double d = 0;
    if (str_starts(since, STR("i:")) && str_to_i64(value, &i))
        (void)sqlite3_bind_int64(stmt, 1, i);
    else if (str_starts(since, STR("r:")) && str_to_f64(value, &d))
        (void)sqlite3_bind_double(stmt, 1, d);
    else
        (void)sqlite3_bind_text(stmt, 1, value.ptr, (int)value.len, SQLITE_TRANSIENT);
}

static enum err prepare(struct reading *r, struct str since, struct why *why)
{
    struct buf sql;
    const char *tail = NULL;
    buf_init(&sql, r->c->arena);
    put_select(r, since.len > 0, &sql);
    enum err err = buf_err(&sql, why);
    if (err)
        return err;
    if (sqlite3_prepare_v2(r->db, sql.ptr, (int)sql.len, &r->stmt, &tail) != SQLITE_OK)
        return failed(r, why);
    if (!r->stmt || !sqlite3_stmt_readonly(r->stmt) || (tail && str_trim(str_c(tail)).len))
        return err_set(why, ERR_INVALID, "a query is one statement that only reads");
    if (since.len)
        bind(r->stmt, since);
    return ERR_OK;
}

static void put_cell(sqlite3_stmt *stmt, int col, struct arena *arena, struct json_out *out)
{
    size_t n;
    switch (sqlite3_column_type(stmt, col)) {
    case SQLITE_INTEGER:
        json_put_int(out, sqlite3_column_int64(stmt, col));
        return;
    case SQLITE_FLOAT:
        json_put_real(out, sqlite3_column_double(stmt, col));
        return;
    case SQLITE_TEXT:
        n = (size_t)sqlite3_column_bytes(stmt, col);
        json_put_str(out, (struct str){(const char *)sqlite3_column_text(stmt, col), n});
        return;
    case SQLITE_BLOB:
        n = (size_t)sqlite3_column_bytes(stmt, col);
        char *hex = n <= MOST_BLOB ? arena_bytes(arena, n * 2 + 1) : NULL;
        json_put_c(out, hex ? hex_put(sqlite3_column_blob(stmt, col), n, hex) : NULL);
        return;
    default:
        json_put_null(out);
    }
}

static enum err put_row(struct reading *r, struct sql_rows *rows, struct why *why)
{
    struct buf buf;
    struct json_out json;
    struct str names[SQL_MOST_KEYS];
    char cursor[CURSOR_MEM];
    int n = sqlite3_column_count(r->stmt);
    buf_init(&buf, r->c->item);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (int i = 1 + r->n_keys; i < n; i++) {
        const char *name = sqlite3_column_name(r->stmt, i);
        json_key(&json, name ? name : "");
        put_cell(r->stmt, i, r->c->item, &json);
    }
    json_end_object(&json);
    struct str last = typed(r->stmt, 0, cursor);
    for (int i = 0; i < r->n_keys; i++) {
        const char *text = (const char *)sqlite3_column_text(r->stmt, i + 1);
        names[i] = (struct str){text, (size_t)sqlite3_column_bytes(r->stmt, i + 1)};
    }
    if (buf.failed)
        return err_set(why, ERR_UNAVAILABLE, "could not hold a row");
    return sql_row(rows, buf_str(&buf), names, (size_t)r->n_keys, last, why);
}

static enum err collect(struct collect *c, struct why *why)
{
    struct reading r = {.c = c,
                        .until_ns = time_mono_ns() + collect_int(c, "timeout_s") * 1000000000,
                        .n_keys = (int)json_len(json_get(c->settings, "key"))};
    struct sql_rows rows;
    struct str real, place;
    enum err err = acquire_path(c, collect_text(c, "path"), &real, why);
    if (!err)
        err = sql_place(c->settings, c->arena, &place, why);
    if (!err) {
        struct str uri = str_printf(c->arena, "sqlite:%.*s/%.*s", STR_FMT(real), STR_FMT(place));
        err = uri.ptr ? sql_begin(c, uri, &rows, why)
                      : err_set(why, ERR_NO_MEMORY, "could not name a source");
    }
    if (!err)
        err = open_db(&r, real, why);
    if (!err)
        err = prepare(&r, sql_since(&rows), why);
    for (int code = SQLITE_ROW; !err && code == SQLITE_ROW && !sql_enough(&rows);) {
        code = sqlite3_step(r.stmt);
        if (code == SQLITE_ROW)
            err = put_row(&r, &rows, why);
        else if (code != SQLITE_DONE)
            err = failed(&r, why);
    }
    if (!err)
        err = sql_end(&rows, why);
    (void)sqlite3_finalize(r.stmt);
    (void)sqlite3_close(r.db);
    return err;
}

static enum err check(struct acquire *acquire, const struct json *settings, struct str record_kind,
                      struct why *why)
{
    (void)acquire, (void)record_kind;
    return sql_check(settings, why);
}

const struct acquire_kind acquire_kind_sqlite = {
    .name = "sqlite",
    .title = "SQLite file",
    .title_zh = "SQLite 数据库文件",
    .summary = "A table or a query of a SQLite file on the server",
    .summary_zh = "读取服务器上 SQLite 文件中的表或查询结果",
    .records = "row|text|qa|classification|chat|preference",
    .params = params,
    .n_params = sizeof params / sizeof params[0],
    .check = check,
    .collect = collect,
};
