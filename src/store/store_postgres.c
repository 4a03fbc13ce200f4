/* PostgreSQL, version 12 or later, through libpq. The only file that sees libpq-fe.h. */
#include "store/store_engine.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/time.h"
#include "store/store_postgres.h"
#include "store/store_rewrite.h"

#define LEAST_VERSION 120000
#define SQL_MOST      ((size_t)4 << 20)

/* Object ids of types, from PostgreSQL's pg_type.dat: they never change. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700
};

/* The lock that makes writers of all processes one at a time: "yicheng" in ASCII. */
#define BEGIN_WRITE "BEGIN; SELECT pg_advisory_xact_lock(34185283567611495)"
#define BEGIN_READ  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

struct store_conn {
    PGconn *pg;
    const struct store_opts *opts;
    enum store_mode mode;
    bool stale; /* not to be used for another transaction */
    /* A commit whose answer was lost is asked for by these: see commit(). */
    char writer[UUID_TEXT];
    int64_t n_commits;
    bool wrote;
    struct store_stmts stmts;
    size_t n_prepared; /* names of statements are counted up */
    struct store_value *row;
    size_t n_row;
    char *bytes; /* decoded bytea of the row being handed out */
    size_t n_bytes;
};

struct prepared {
    char name[24];
    size_t n_params;
};

/* ---- errors ---- */

static enum err code_of(const char *state)
{
    static const struct {
        const char *prefix;
        enum err err;
    } codes[] = {
        {"08", ERR_UNAVAILABLE},    /* connection exception */
        {"57P", ERR_UNAVAILABLE},   /* shutting down, crashed, starting up */
        {"53300", ERR_UNAVAILABLE}, /* too many connections */
        {"53100", ERR_NO_SPACE},    {"53200", ERR_NO_MEMORY}, {"23502", ERR_INVALID},
        {"23514", ERR_INVALID},     {"23", ERR_CONFLICT},     {"22", ERR_INVALID},
        {"40", ERR_BUSY},           {"55P03", ERR_BUSY},      {"57014", ERR_CANCELLED},
        {"54", ERR_TOO_LARGE},      {"58030", ERR_IO},        {"XX001", ERR_CORRUPT},
        {"XX002", ERR_CORRUPT},
    };
    for (size_t i = 0; state && i < sizeof codes / sizeof codes[0]; i++)
        if (strncmp(state, codes[i].prefix, strlen(codes[i].prefix)) == 0)
            return codes[i].err;
    return ERR_INTERNAL;
}

static struct str first_line(const char *text)
{
    struct str rest = str_c(text), line = STR_NONE;
    (void)str_next_line(&rest, &line);
    return line;
}

static enum err lost(struct store_conn *conn, struct why *why)
{
    conn->stale = true;
    return err_set(why, ERR_UNAVAILABLE, "the connection to the database server was lost");
}

/* The error that a result tells, or a broken connection without one. Only the primary message: the
 * detail may quote rows. */
static enum err fail(struct store_conn *conn, const PGresult *result, const char *what,
                     struct why *why)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    /* What the server did not say itself is libpq's: it could not send or receive. After a failed
     * write the status may still be good. */
    if (PQstatus(conn->pg) != CONNECTION_OK || !state)
        return lost(conn, why);
    enum err err = code_of(state);
    /* A plan that a migration has made invalid is invalid for good. */
    if (err == ERR_UNAVAILABLE || strcmp(state, "0A000") == 0)
        conn->stale = true;
    if (err == ERR_BUSY && strcmp(state, "55P03") == 0)
        return err_set(why, err, "%s: another process was writing for %lld ms", what,
                       (long long)conn->opts->busy_timeout_ms);
    struct str line = words ? str_c(words) : first_line(PQerrorMessage(conn->pg));
    return err_set(why, err, "%s: %.*s", what, STR_FMT(line));
}

/* ---- connections ---- */

static void drop_prepared(void *ctx, void *stmt)
{
    struct store_conn *conn = ctx;
    struct prepared *prepared = stmt;
    char sql[64];
    if (PQstatus(conn->pg) == CONNECTION_OK && !conn->stale) {
        (void)snprintf(sql, sizeof sql, "DEALLOCATE %s", prepared->name);
        PQclear(PQexec(conn->pg, sql));
    }
    free(prepared);
}

/* Runs statements without parameters and rows. */
static enum err plain(struct store_conn *conn, const char *sql, const char *what, struct why *why)
{
    PGresult *result = PQexec(conn->pg, sql);
    ExecStatusType status = PQresultStatus(result);
    enum err err =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY
            ? ERR_OK
            : fail(conn, result, what, why);
    PQclear(result);
    return err;
}

static void disconnect(struct store_conn *conn)
{
    if (!conn)
        return;
    /* The session ends and takes its prepared statements along. */
    bool clean = !conn->stale && PQstatus(conn->pg) == CONNECTION_OK;
    conn->stale = true;
    store_stmts_clear(&conn->stmts);
    if (clean && conn->n_commits > 0) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "DELETE FROM store_commits WHERE writer = '%s'",
                       conn->writer);
        PQclear(PQexec(conn->pg, sql));
    }
    PQfinish(conn->pg);
    free(conn->row);
    free(conn->bytes);
    free(conn);
}

static void ignore_notice(void *ctx, const char *message)
{
    (void)ctx, (void)message;
}

/* An address that cannot be read is not repeated: it may hold a password. */
static enum err check_url(const char *url, struct why *why)
{
    char *words = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &words);
    PQfreemem(words);
    if (!options) {
        err_hint(why, "it should look like postgresql://user@host:5432/database");
        return err_set(why, ERR_INVALID,
                       "the address of the PostgreSQL database is not well "
                       "formed");
    }
    PQconninfoFree(options);
    return ERR_OK;
}

static PGconn *dial(const char *url)
{
    /* What the url says comes last and wins. A server that vanishes is noticed within a minute. */
    static const char *const names[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname",           "client_encoding",  NULL};
    const char *const values[] = {"10", "20", "10", "3", "30000", "yicheng", url, "UTF8", NULL};
    PGconn *pg = PQconnectdbParams(names, values, 1);
    if (pg)
        (void)PQsetNoticeProcessor(pg, ignore_notice, NULL);
    return pg;
}

static enum err check_server(struct store_conn *conn, struct why *why)
{
    const char *encoding = PQparameterStatus(conn->pg, "server_encoding");
    if (PQserverVersion(conn->pg) < LEAST_VERSION)
        return err_set(why, ERR_UNSUPPORTED, "PostgreSQL %d is too old: 12 is the least",
                       PQserverVersion(conn->pg) / 10000);
    if (encoding && strcmp(encoding, "UTF8") != 0) {
        err_hint(why, "make the database with createdb -E UTF8 -T template0");
        return err_set(why, ERR_UNSUPPORTED, "the database keeps text as %s and not as UTF8",
                       encoding);
    }
    return ERR_OK;
}

static enum err set_up(struct store_conn *conn, struct why *why)
{
    char sql[640];
    /* lock_timeout 0 would mean for ever. The server notices a vanished client by its own probes,
     * so that the writers' lock does not stay with it for hours. */
    (void)snprintf(sql, sizeof sql,
                   "SET lock_timeout = %lld; SET standard_conforming_strings = on;"
                   "SET client_min_messages = warning; SET bytea_output = 'hex';"
                   "SET extra_float_digits = 3; SET synchronous_commit = on;"
                   "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10;"
                   "SET tcp_keepalives_count = 3",
                   (long long)(conn->opts->busy_timeout_ms ? conn->opts->busy_timeout_ms : 1));
    const char *what = "could not set up the database session";
    enum err err = plain(conn, sql, what, why);
    /* So that a query outside of a transaction is as one in it. */
    if (!err && conn->mode == STORE_READ)
        err = plain(conn,
                    "SET default_transaction_read_only = on;"
                    "SET default_transaction_isolation = 'repeatable read'",
                    what, why);
    return err;
}

/* The table that answers what became of a commit. It is made once, by a writer among writers. Rows
 * of processes that died are of no use after a day. */
static enum err make_commits(struct store_conn *conn, struct why *why)
{
    const char *what = "could not set up the database";
    (void)uuid7(conn->writer);
    PGresult *result = PQexec(conn->pg, "SELECT to_regclass('store_commits') IS NULL");
    bool missing = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    enum err err = PQntuples(result) == 1 ? ERR_OK : fail(conn, result, what, why);
    PQclear(result);
    if (!err && missing)
        err = plain(conn,
                    BEGIN_WRITE "; CREATE TABLE IF NOT EXISTS store_commits ("
                                "writer TEXT NOT NULL PRIMARY KEY, number BIGINT NOT NULL,"
                                " at TIMESTAMPTZ NOT NULL); COMMIT",
                    what, why);
    if (!err)
        err =
            plain(conn, "DELETE FROM store_commits WHERE at < now() - interval '1 day'", what, why);
    return err;
}

static enum err connect_to(const struct store_opts *opts, enum store_mode mode,
                           struct store_conn **out, struct why *why)
{
    enum err err = check_url(opts->url, why);
    if (err)
        return err;
    struct store_conn *conn = calloc(1, sizeof *conn);
    if (conn)
        conn->pg = dial(opts->url);
    if (!conn || !conn->pg) {
        free(conn);
        return err_set(why, ERR_NO_MEMORY, "could not hold a connection to the database");
    }
    conn->opts = opts;
    conn->mode = mode;
    conn->stmts.drop = drop_prepared;
    conn->stmts.conn = conn;
    if (PQstatus(conn->pg) != CONNECTION_OK)
        err = err_set(why, ERR_UNAVAILABLE, "could not connect to the database server: %.*s",
                      STR_FMT(first_line(PQerrorMessage(conn->pg))));
    if (!err)
        err = check_server(conn, why);
    if (!err)
        err = set_up(conn, why);
    if (!err && mode == STORE_WRITE)
        err = make_commits(conn, why);
    if (err) {
        disconnect(conn);
        return err;
    }
    *out = conn;
    return ERR_OK;
}

static bool alive(struct store_conn *conn)
{
    return !conn->stale && PQstatus(conn->pg) == CONNECTION_OK &&
           PQtransactionStatus(conn->pg) == PQTRANS_IDLE;
}

/* ---- statements ---- */

static Oid type_of(enum store_kind kind)
{
    switch (kind) {
    case STORE_INT:
        return OID_INT8;
    case STORE_REAL:
        return OID_FLOAT8;
    case STORE_TEXT:
        return OID_TEXT;
    case STORE_BLOB:
        return OID_BYTEA;
    case STORE_NULL:
        break;
    }
    return 0; /* the server takes it from the place where it stands */
}

/* Arguments as libpq wants them, all in binary form. */
struct params {
    Oid *types;
    const char **values;
    int *lengths, *formats;
    uint64_t *numbers; /* in network order */
};

static enum err bind(struct store_args args, struct arena *arena, struct params *out,
                     struct why *why)
{
    *out =
        (struct params){arena_array(arena, Oid, args.n), arena_array(arena, const char *, args.n),
                        arena_array(arena, int, args.n), arena_array(arena, int, args.n),
                        arena_array(arena, uint64_t, args.n)};
    if (!out->types || !out->values || !out->lengths || !out->formats || !out->numbers)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu arguments", args.n);
    for (size_t i = 0; i < args.n; i++) {
        const struct store_value *value = &args.values[i];
        uint64_t bits = (uint64_t)value->i;
        if (value->kind == STORE_REAL)
            memcpy(&bits, &value->r, sizeof bits);
        bool number = value->kind == STORE_INT || value->kind == STORE_REAL;
        if (!number && value->s.len > INT32_MAX)
            return err_set(why, ERR_TOO_LARGE, "an argument of %zu bytes", value->s.len);
        out->types[i] = type_of(value->kind);
        out->formats[i] = 1;
        out->numbers[i] = htobe64(bits);
        out->lengths[i] = number ? (int)sizeof bits : (int)value->s.len;
        out->values[i] = number ? (const char *)&out->numbers[i] : value->s.ptr ? value->s.ptr : "";
        if (value->kind == STORE_NULL)
            out->values[i] = NULL;
    }
    return ERR_OK;
}

/* The key of a prepared statement: its text and the kinds of its arguments. */
static struct str key_of(const char *sql, struct store_args args, struct arena *arena)
{
    struct buf key;
    buf_init(&key, arena);
    for (size_t i = 0; i < args.n; i++)
        buf_char(&key, (char)('0' + (int)args.values[i].kind));
    buf_char(&key, ' ');
    buf_add_c(&key, sql);
    return key.failed ? STR_NONE : buf_str(&key);
}

static enum err prepare_new(struct store_conn *conn, const char *sql, struct store_args args,
                            const struct params *params, struct arena *arena,
                            struct prepared *prepared, struct why *why)
{
    struct buf text;
    buf_init(&text, arena);
    store_rewrite_params(sql, &text, &prepared->n_params);
    if (text.failed)
        return err_set(why, ERR_NO_MEMORY, "could not hold a statement");
    if (str_trim(buf_str(&text)).len == 0)
        return err_set(why, ERR_INTERNAL, "not one statement: \"\"");
    if (prepared->n_params != args.n)
        return err_set(why, ERR_INTERNAL, "%zu arguments for %zu places in \"%.160s\"", args.n,
                       prepared->n_params, sql);
    (void)snprintf(prepared->name, sizeof prepared->name, "s%zu", ++conn->n_prepared);
    PGresult *result = PQprepare(conn->pg, prepared->name, text.ptr, (int)args.n, params->types);
    enum err err = ERR_OK;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        err = fail(conn, result, "could not understand the statement", why);
        err_hint(why, "statement: %.160s", sql);
    }
    PQclear(result);
    return err;
}

static enum err prepare(struct store_conn *conn, const char *sql, struct store_args args,
                        const struct params *params, struct arena *arena, struct prepared **out,
                        struct why *why)
{
    struct str key = key_of(sql, args, arena);
    if (!key.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold a statement");
    *out = store_stmts_find(&conn->stmts, key);
    if (*out)
        return ERR_OK;
    struct prepared *prepared = calloc(1, sizeof *prepared);
    if (!prepared)
        return err_set(why, ERR_NO_MEMORY, "could not hold a statement");
    enum err err = prepare_new(conn, sql, args, params, arena, prepared, why);
    if (!err && !store_stmts_keep(&conn->stmts, key, prepared))
        err = err_set(why, ERR_NO_MEMORY, "could not keep a statement");
    if (err) {
        free(prepared);
        return err;
    }
    *out = prepared;
    return ERR_OK;
}

/* ---- rows ---- */

static int hex_digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c >= 'A' ? c - 'A' + 10 : c - '0';
}

/* Space for all bytea of a row, so that no pointer into it moves. */
static enum err room_for_bytes(struct store_conn *conn, const PGresult *result, int row,
                               struct why *why)
{
    size_t n = 0;
    for (int i = 0; i < PQnfields(result); i++)
        if (PQftype(result, i) == OID_BYTEA)
            n += (size_t)PQgetlength(result, row, i) / 2 + 1;
    if (n <= conn->n_bytes)
        return ERR_OK;
    char *bytes = realloc(conn->bytes, n);
    if (!bytes)
        return err_set(why, ERR_NO_MEMORY, "could not hold a row of %zu bytes", n);
    conn->bytes = bytes;
    conn->n_bytes = n;
    return ERR_OK;
}

/* "\x0aff" to bytes at *at, which moves behind them. */
static struct str decode_bytea(struct str text, char **at)
{
    char *start = *at;
    for (size_t i = 2; i + 1 < text.len; i += 2)
        *(*at)++ = (char)(hex_digit(text.ptr[i]) << 4 | hex_digit(text.ptr[i + 1]));
    return (struct str){start, (size_t)(*at - start)};
}

/* Sums of integers are NUMERIC on this engine; they are integers all the same. */
static struct store_value decode_number(struct str text)
{
    int64_t i;
    if (str_to_i64(text, &i))
        return SV_INT(i);
    return SV_REAL(strtod(text.ptr, NULL));
}

static struct store_value decode(const PGresult *result, int row, int col, char **bytes)
{
    if (PQgetisnull(result, row, col))
        return SV_NULL;
    struct str text = {PQgetvalue(result, row, col), (size_t)PQgetlength(result, row, col)};
    switch (PQftype(result, col)) {
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_OID:
    case OID_NUMERIC:
        return decode_number(text);
    case OID_FLOAT4:
    case OID_FLOAT8:
        return SV_REAL(strtod(text.ptr, NULL));
    case OID_BOOL:
        return SV_INT(text.ptr[0] == 't');
    case OID_BYTEA:
        return SV_BLOB(decode_bytea(text, bytes));
    default:
        return SV_STR(text);
    }
}

static enum err hand_out(struct store_conn *conn, const PGresult *result, store_row_fn *each,
                         void *ctx, struct why *why)
{
    size_t n = (size_t)PQnfields(result);
    if (n > conn->n_row) {
        struct store_value *values = realloc(conn->row, n * sizeof *values);
        if (!values)
            return err_set(why, ERR_NO_MEMORY, "could not hold a row of %zu columns", n);
        conn->row = values;
        conn->n_row = n;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        enum err err = room_for_bytes(conn, result, row, why);
        if (err)
            return err;
        char *bytes = conn->bytes;
        for (size_t i = 0; i < n; i++)
            conn->row[i] = decode(result, row, (int)i, &bytes);
        err = each(ctx, &(struct store_rows){conn->row, 1, n}, why);
        if (err)
            return err;
    }
    return ERR_OK;
}

static int64_t changed_by(PGresult *result)
{
    int64_t n = 0;
    /* A SELECT counts its rows there, too. */
    if (strncmp(PQcmdStatus(result), "SELECT", 6) != 0)
        n = strtoll(PQcmdTuples(result), NULL, 10);
    return n;
}

/* Takes all results of the statement that was sent; after an error the rest is read and dropped,
 * so that the connection stays usable. */
static enum err take_results(struct store_conn *conn, store_row_fn *each, void *ctx,
                             int64_t *n_changed, struct why *why)
{
    enum err err = ERR_OK;
    PGresult *result;
    while ((result = PQgetResult(conn->pg)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK) {
            if (!err && each)
                err = hand_out(conn, result, each, ctx, why);
        } else if (status != PGRES_COMMAND_OK && !err) {
            err = fail(conn, result, "could not run the statement", why);
        }
        if (!err && status != PGRES_SINGLE_TUPLE) {
            if (n_changed)
                *n_changed = changed_by(result);
            conn->wrote |= strncmp(PQcmdStatus(result), "SELECT", 6) != 0;
        }
        PQclear(result);
    }
    if (!err && PQstatus(conn->pg) != CONNECTION_OK)
        err = lost(conn, why);
    return err;
}

static enum err run_in(struct store_conn *conn, const char *sql, struct store_args args,
                       store_row_fn *each, void *ctx, bool large, int64_t *n_changed,
                       struct arena *arena, struct why *why)
{
    struct params params;
    struct prepared *prepared;
    enum err err = bind(args, arena, &params, why);
    if (!err)
        err = prepare(conn, sql, args, &params, arena, &prepared, why);
    if (err)
        return err;
    if (!PQsendQueryPrepared(conn->pg, prepared->name, (int)args.n, params.values, params.lengths,
                             params.formats, 0))
        return fail(conn, NULL, "could not send the statement", why);
    if (large)
        (void)PQsetSingleRowMode(conn->pg);
    return take_results(conn, each, ctx, n_changed, why);
}

static enum err run(struct store_conn *conn, const char *sql, struct store_args args,
                    store_row_fn *each, void *ctx, bool large, int64_t *n_changed, struct why *why)
{
    struct arena *arena = arena_new(SQL_MOST);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold a statement");
    enum err err = run_in(conn, sql, args, each, ctx, large, n_changed, arena, why);
    arena_free(arena);
    return err;
}

static enum err script(struct store_conn *conn, const char *sql, struct why *why)
{
    struct arena *arena = arena_new(SQL_MOST);
    struct buf text;
    buf_init(&text, arena);
    store_rewrite_types(sql, &text);
    enum err err = buf_err(&text, why);
    if (!err)
        err = plain(conn, text.ptr ? text.ptr : "", "could not run the statements", why);
    conn->wrote = true;
    arena_free(arena);
    return err;
}

/* ---- transactions ---- */

static enum err begin(struct store_conn *conn, enum store_mode mode, struct why *why)
{
    conn->wrote = false;
    return plain(conn, mode == STORE_WRITE ? BEGIN_WRITE : BEGIN_READ,
                 "could not begin a transaction", why);
}

static void rollback(struct store_conn *conn)
{
    if (PQstatus(conn->pg) == CONNECTION_OK)
        (void)plain(conn, "ROLLBACK", "could not roll back", NULL);
}

/* Whether commit number n_commits of this writer is there. The writers' lock is free only when the
 * session that was lost has ended, one way or the other. */
static enum err ask_outcome(const struct store_conn *conn, PGconn *pg, bool *committed)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SET lock_timeout = 1000;" BEGIN_WRITE
                   "; SELECT count(*) FROM store_commits WHERE writer = '%s' AND number = %lld",
                   conn->writer, (long long)conn->n_commits);
    PGresult *result = PQexec(pg, sql);
    enum err err = PQresultStatus(result) == PGRES_TUPLES_OK ? ERR_OK : ERR_UNAVAILABLE;
    if (!err)
        *committed = strcmp(PQgetvalue(result, 0, 0), "1") == 0;
    PQclear(result);
    return err;
}

/* The answer to a commit was lost: connects anew, for as long as a writer would wait, and looks. */
static enum err find_outcome(struct store_conn *conn, struct why *why)
{
    int64_t until = time_mono_ns() + (conn->opts->busy_timeout_ms + 1000) * 1000000;
    bool committed = false;
    enum err err = ERR_UNAVAILABLE;
    while (err && time_mono_ns() < until) {
        PGconn *pg = dial(conn->opts->url);
        if (pg && PQstatus(pg) == CONNECTION_OK)
            err = ask_outcome(conn, pg, &committed);
        PQfinish(pg);
        if (err)
            time_sleep_ms(50);
    }
    if (!err && committed)
        return ERR_OK;
    return err ? err_set(why, ERR_UNAVAILABLE,
                         "the database server was lost during a commit: whether it happened is "
                         "unknown")
               : err_set(why, ERR_UNAVAILABLE,
                         "the database server was lost during a commit, which did not happen");
}

/*
 * The commit is numbered in the same transaction. If the server goes away before it answers, that
 * number tells afterwards whether the commit happened; transaction ids cannot, since a server that
 * crashed gives them out again.
 */
static enum err commit(struct store_conn *conn, struct why *why)
{
    char sql[320] = "COMMIT";
    bool numbered = conn->mode == STORE_WRITE && conn->wrote;
    if (numbered)
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO store_commits (writer, number, at) VALUES ('%s', %lld, now())"
                       " ON CONFLICT (writer) DO UPDATE SET number = excluded.number,"
                       " at = excluded.at; COMMIT",
                       conn->writer, (long long)++conn->n_commits);
    PGresult *result = PQexec(conn->pg, sql);
    enum err err = ERR_OK;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        struct why words = {0};
        err = fail(conn, result, "could not commit", &words);
        if (err == ERR_UNAVAILABLE && numbered)
            err = find_outcome(conn, why);
        else
            err_set(why, err, "%s", words.text);
        if (err)
            rollback(conn);
    } else if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        err = err_set(why, ERR_INTERNAL, "could not commit: the transaction had failed");
    }
    PQclear(result);
    return err;
}

static enum err take_count(void *ctx, const struct store_rows *row, struct why *why)
{
    (void)why;
    *(int64_t *)ctx = store_int(row, 0, 0);
    return ERR_OK;
}

static enum err has_table(struct store_conn *conn, const char *name, bool *out, struct why *why)
{
    int64_t n = 0;
    enum err err = run(conn,
                       "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
                       " AND tablename <> 'store_commits' AND (? = '' OR tablename = ?)",
                       STORE_ARGS(SV_C(name), SV_C(name)), take_count, &n, false, NULL, why);
    *out = n > 0;
    return err;
}

static const char *migration_sql(const struct store_migration *step)
{
    return step->sql_postgres ? step->sql_postgres : step->sql;
}

/* ---- COPY, for store_pg_backup.c ---- */

enum err pg_copy_out(struct store_conn *conn, const char *sql, pg_copy_fn *take, void *ctx,
                     int64_t *n_rows, struct why *why)
{
    const char *what = "could not read a table";
    PGresult *result = PQexec(conn->pg, sql);
    enum err err = ERR_OK;
    char *line;
    int len;
    if (PQresultStatus(result) != PGRES_COPY_OUT)
        err = fail(conn, result, what, why);
    PQclear(result);
    if (err)
        return err;
    *n_rows = 0;
    while ((len = PQgetCopyData(conn->pg, &line, 0)) > 0) {
        if (!err)
            err = take(ctx, (struct str){line, (size_t)len}, why);
        PQfreemem(line);
        ++*n_rows;
    }
    while ((result = PQgetResult(conn->pg)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && !err)
            err = fail(conn, result, what, why);
        PQclear(result);
    }
    return err;
}

enum err pg_copy_in(struct store_conn *conn, const char *sql, struct why *why)
{
    PGresult *result = PQexec(conn->pg, sql);
    enum err err = ERR_OK;
    if (PQresultStatus(result) != PGRES_COPY_IN)
        err = fail(conn, result, "could not restore a table", why);
    PQclear(result);
    conn->stale = true; /* until the end of the COPY was acknowledged */
    return err;
}

enum err pg_copy_in_put(struct store_conn *conn, struct str bytes, struct why *why)
{
    while (bytes.len > 0) {
        struct str part = str_slice(bytes, 0, (size_t)1 << 20);
        if (PQputCopyData(conn->pg, part.ptr, (int)part.len) != 1)
            return fail(conn, NULL, "could not restore a table", why);
        bytes = str_from(bytes, part.len);
    }
    return ERR_OK;
}

enum err pg_copy_in_end(struct store_conn *conn, int64_t *n_rows, struct why *why)
{
    const char *what = "could not restore a table";
    enum err err = ERR_OK;
    PGresult *result;
    if (PQputCopyEnd(conn->pg, NULL) != 1)
        return fail(conn, NULL, what, why);
    while ((result = PQgetResult(conn->pg)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && !err)
            err = fail(conn, result, what, why);
        *n_rows = changed_by(result);
        PQclear(result);
    }
    conn->stale = err != ERR_OK;
    return err;
}

const struct store_engine store_postgres = {
    .name = "postgresql",
    .connect = connect_to,
    .disconnect = disconnect,
    .alive = alive,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .run = run,
    .script = script,
    .has_table = has_table,
    .migration_sql = migration_sql,
    .backup = pg_backup,
    .restore = pg_restore,
    .check = pg_check,
};
