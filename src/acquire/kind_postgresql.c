/*
 * acquire/kind_postgresql - tables and queries of PostgreSQL servers and what speaks like them.
 *
 * One query in a transaction that only reads, row by row: the server's answer is never held whole.
 * The server makes the JSON of a row (row_to_json), which keeps its types. Slow and hostile servers
 * are bounded by time, rows and the size of a row; the memory of the job bounds the rest.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquire/sql.h"
#include "core/arena.h"
#include "core/time.h"

#define CONNECT_MS 15000
#define STEP_MS    200

static const struct acquire_param params[] = {
    {"host", PARAM_TEXT, true, 1, 250, NULL, NULL, "", "Name or address of the server",
     "服务器地址"},
    {"port", PARAM_INTEGER, false, 1, 65535, "5432", NULL, "", "Port", "端口"},
    {"database", PARAM_TEXT, true, 1, 200, NULL, NULL, "", "Database", "数据库"},
    {"user", PARAM_TEXT, true, 1, 200, NULL, NULL, "", "User; one that may only read is enough",
     "用户名，建议使用只读账号"},
    {"password", PARAM_SECRET, false, 0, 1000, NULL, NULL, "", "Password, kept sealed",
     "密码，加密保存"},
    {"sslmode", PARAM_CHOICE, false, 0, 0, "prefer", "disable|prefer|require|verify-full", "",
     "Encryption of the connection", "连接加密方式"},
    SQL_PARAMS,
    {"timeout_s", PARAM_INTEGER, false, 1, 86400, "600", NULL, "s",
     "Longest wait for the next rows", "等待下一批数据的最长时间"},
};

struct reading {
    struct collect *c;
    PGconn *db;
    int n_keys;
    int64_t wait_ms;
};

static enum err failed(struct reading *r, struct why *why)
{
    struct str words = str_trim(str_c(PQerrorMessage(r->db)));
    size_t line = str_find_char(words, '\n');
    if (line != STR_NPOS)
        words.len = line;
    return err_set(why, PQstatus(r->db) == CONNECTION_OK ? ERR_INVALID : ERR_UNAVAILABLE,
                   "the database says: %.*s", (int)(words.len < 200 ? words.len : 200), words.ptr);
}

/* Waits until the socket can be read (or written); false when it took too long. */
static enum err wait_for(struct reading *r, short events, int64_t until_ns, struct why *why)
{
    for (;;) {
        struct pollfd p = {.fd = PQsocket(r->db), .events = events};
        int n = poll(&p, 1, STEP_MS);
        if (n > 0 || p.fd < 0)
            return ERR_OK;
        if (job_cancelled(r->c->job))
            return err_set(why, ERR_CANCELLED, "the run was cancelled");
        if (time_mono_ns() > until_ns)
            return err_set(why, ERR_TIMEOUT, "the database did not answer in time");
    }
}

static enum err open_db(struct reading *r, const char *host, const char *address, struct why *why)
{
    const struct collect *c = r->c;
    char port[16], options[200];
    (void)snprintf(port, sizeof port, "%lld", (long long)collect_int(c, "port"));
    (void)snprintf(options, sizeof options,
                   "-c default_transaction_read_only=on -c DateStyle=ISO -c lock_timeout=30000 "
                   "-c statement_timeout=86400000");
    char *database = str_z(c->arena, collect_text(c, "database"));
    char *user = str_z(c->arena, collect_text(c, "user"));
    char *password = str_z(c->arena, collect_secret(c, "password"));
    char *sslmode = str_z(c->arena, collect_text(c, "sslmode"));
    if (!database || !user || !password || !sslmode)
        return err_set(why, ERR_NO_MEMORY, "could not connect");
    const char *const names[] = {"host",
                                 "hostaddr",
                                 "port",
                                 "dbname",
                                 "user",
                                 "password",
                                 "sslmode",
                                 "options",
                                 "passfile",
                                 "gssencmode",
                                 "application_name",
                                 "client_encoding",
                                 NULL};
    const char *const values[] = {host,      address, port,    database,    user,
                                  password,  sslmode, options, "/dev/null", "disable",
                                  "yicheng", "UTF8",  NULL};
    r->db = PQconnectStartParams(names, values, 0);
    int64_t until = time_mono_ns() + (int64_t)CONNECT_MS * 1000000;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    enum err err = r->db && PQstatus(r->db) != CONNECTION_BAD
                       ? ERR_OK
                       : err_set(why, ERR_UNAVAILABLE, "could not connect to the database: %.200s",
                                 r->db ? PQerrorMessage(r->db) : "no memory");
    while (!err && state != PGRES_POLLING_OK) {
        err = wait_for(r, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until, why);
        state = err ? state : PQconnectPoll(r->db);
        if (!err && state == PGRES_POLLING_FAILED)
            err = failed(r, why);
    }
    return err;
}

/* The next result; NULL at the end. */
static enum err next(struct reading *r, PGresult **out, struct why *why)
{
    int64_t until = time_mono_ns() + r->wait_ms * 1000000;
    enum err err = ERR_OK;
    int left;
    while (!err && (left = PQflush(r->db)) != 0)
        err = left < 0 ? failed(r, why) : wait_for(r, POLLIN | POLLOUT, until, why);
    while (!err && PQisBusy(r->db)) {
        err = wait_for(r, POLLIN, until, why);
        if (!err && !PQconsumeInput(r->db))
            err = failed(r, why);
    }
    *out = err ? NULL : PQgetResult(r->db);
    return err;
}

static enum err command(struct reading *r, const char *sql, struct why *why)
{
    PGresult *result = NULL;
    enum err err = PQsendQuery(r->db, sql) ? ERR_OK : failed(r, why);
    while (!err) {
        err = next(r, &result, why);
        if (err || !result)
            break;
        if (PQresultStatus(result) == PGRES_FATAL_ERROR)
            err = failed(r, why);
        PQclear(result);
    }
    return err;
}

static void put_select(const struct reading *r, bool since, struct buf *sql)
{
    const struct json *settings = r->c->settings, *keys = json_get(settings, "key");
    struct str cursor = json_get_str(settings, "cursor", STR(""));
    buf_add_c(sql, "SELECT row_to_json(q)::text, ");
    if (cursor.len) {
        buf_add_c(sql, "(q.");
        sql_quote(sql, cursor, false);
        buf_add_c(sql, ")::text");
    } else {
        buf_add_c(sql, "NULL::text");
    }
    for (size_t i = 0; i < json_len(keys); i++) {
        buf_add_c(sql, ", (q.");
        sql_quote(sql, json_str(json_at(keys, i), STR("")), false);
        buf_add_c(sql, ")::text");
    }
    buf_add_c(sql, " FROM ");
    sql_from(sql, settings);
    if (!cursor.len)
        return;
    if (since) {
        buf_add_c(sql, " WHERE q.");
        sql_quote(sql, cursor, false);
        buf_add_c(sql, " >= $1 OR q.");
        sql_quote(sql, cursor, false);
        buf_add_c(sql, " IS NULL");
    }
    buf_add_c(sql, " ORDER BY q.");
    sql_quote(sql, cursor, false);
}

static enum err send_query(struct reading *r, struct str since, struct why *why)
{
    struct buf sql;
    char *value = str_z(r->c->arena, since);
    const char *const values[] = {value};
    buf_init(&sql, r->c->arena);
    put_select(r, since.len > 0, &sql);
    enum err err = buf_err(&sql, why);
    if (!err && !value)
        err = err_set(why, ERR_NO_MEMORY, "could not ask the database");
    if (err)
        return err;
    if (!PQsendQueryParams(r->db, sql.ptr, since.len > 0, NULL, values, NULL, NULL, 0) ||
        !PQsetSingleRowMode(r->db))
        return failed(r, why);
    return ERR_OK;
}

static struct str cell(const PGresult *result, int col)
{
    return PQgetisnull(result, 0, col)
               ? STR("")
               : (struct str){PQgetvalue(result, 0, col), (size_t)PQgetlength(result, 0, col)};
}

static enum err put_row(struct reading *r, struct sql_rows *rows, const PGresult *result,
                        struct why *why)
{
    struct str names[SQL_MOST_KEYS];
    if (PQnfields(result) != 2 + r->n_keys || PQntuples(result) != 1)
        return err_set(why, ERR_INVALID, "the database answers with something else than rows");
    for (int i = 0; i < r->n_keys; i++)
        names[i] = cell(result, 2 + i);
    return sql_row(rows, cell(result, 0), names, (size_t)r->n_keys, cell(result, 1), why);
}

static enum err read_rows(struct reading *r, struct sql_rows *rows, struct why *why)
{
    enum err err = send_query(r, sql_since(rows), why);
    while (!err && !sql_enough(rows)) {
        PGresult *result = NULL;
        err = next(r, &result, why);
        if (err || !result)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE)
            err = put_row(r, rows, result, why);
        else if (status != PGRES_TUPLES_OK)
            err = failed(r, why);
        PQclear(result);
    }
    return err;
}

/* A socket of this machine, or an address that collectors may use. */
static enum err find_host(struct reading *r, char **host, char address[NET_TEXT], struct why *why)
{
    struct acquire *a = r->c->acquire;
    *host = str_z(r->c->arena, collect_text(r->c, "host"));
    address[0] = '\0';
    if (!*host)
        return err_set(why, ERR_NO_MEMORY, "could not connect");
    if ((*host)[0] != '/' && (*host)[0] != '@')
        return net_resolve(&a->networks, *host, (int)collect_int(r->c, "port"), address, why);
    return a->sockets ? ERR_OK
                      : err_set(why, ERR_FORBIDDEN,
                                "collectors may not use sockets of this machine "
                                "(acquire.local_sockets)");
}

static enum err collect(struct collect *c, struct why *why)
{
    struct reading r = {.c = c,
                        .n_keys = (int)json_len(json_get(c->settings, "key")),
                        .wait_ms = collect_int(c, "timeout_s") * 1000};
    struct sql_rows rows;
    char *host = NULL, address[NET_TEXT];
    struct str place;
    enum err err = sql_place(c->settings, c->arena, &place, why);
    if (!err)
        err = find_host(&r, &host, address, why);
    if (!err) {
        struct str uri = str_printf(c->arena, "postgresql://%s:%lld/%.*s/%.*s", host,
                                    (long long)collect_int(c, "port"),
                                    STR_FMT(collect_text(c, "database")), STR_FMT(place));
        err = uri.ptr ? sql_begin(c, uri, &rows, why)
                      : err_set(why, ERR_NO_MEMORY, "could not name a source");
    }
    if (!err)
        err = open_db(&r, host, address[0] ? address : NULL, why);
    if (!err)
        err = command(&r, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", why);
    if (!err)
        err = read_rows(&r, &rows, why);
    if (!err)
        err = sql_end(&rows, why);
    PQfinish(r.db);
    return err;
}

static enum err check(struct acquire *acquire, const struct json *settings, struct str record_kind,
                      struct why *why)
{
    (void)acquire, (void)record_kind;
    return sql_check(settings, why);
}

const struct acquire_kind acquire_kind_postgresql = {
    .name = "postgresql",
    .title = "PostgreSQL",
    .title_zh = "PostgreSQL 数据库",
    .summary = "A table or a query of a PostgreSQL server (or one that speaks its language), read "
               "only",
    .summary_zh = "只读方式读取 PostgreSQL（及兼容数据库）的表或查询结果",
    .records = "row|text|qa|classification|chat|preference",
    .params = params,
    .n_params = sizeof params / sizeof params[0],
    .check = check,
    .collect = collect,
};
