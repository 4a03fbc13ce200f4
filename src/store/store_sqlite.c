/* SQLite: one file in WAL mode. The only file that sees sqlite3.h. */
#include "store/store_engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/file.h"
#include "core/time.h"

#define PATH_MOST 4096

struct store_conn {
    sqlite3 *db;
    int64_t busy_timeout_ms;
    int64_t waits_until_ns; /* end of the wait that is going on */
    int turn;               /* lock file of the writers of all processes; -1: none */
    struct store_stmts stmts;
    struct store_value *row; /* n_row of them, for the row being handed out */
    size_t n_row;
};

/* ---- errors ---- */

/* A write past a quota or a limit on the file's size is a full disk too, to whoever must act. */
static bool disk_is_full(sqlite3 *db)
{
    /* SQLite keeps the system's code for some calls only; run() and script() cleared errno. */
    int code = sqlite3_system_errno(db) ? sqlite3_system_errno(db) : errno;
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

static enum err code_of(sqlite3 *db)
{
    int code = sqlite3_extended_errcode(db);
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return disk_is_full(db) ? ERR_NO_SPACE : ERR_IO;
    case SQLITE_CONSTRAINT:
        return code == SQLITE_CONSTRAINT_NOTNULL || code == SQLITE_CONSTRAINT_CHECK ||
                       code == SQLITE_CONSTRAINT_DATATYPE
                   ? ERR_INVALID
                   : ERR_CONFLICT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_TOOBIG:
        return ERR_TOO_LARGE;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    default:
        return ERR_INTERNAL;
    }
}

static enum err fail(struct store_conn *conn, const char *what, struct why *why)
{
    enum err err = code_of(conn->db);
    if (err == ERR_NO_SPACE)
        return err_set(why, err, "%s: the disk is full", what);
    if (err == ERR_BUSY)
        return err_set(why, err, "%s: another process was writing for %lld ms", what,
                       (long long)conn->busy_timeout_ms);
    return err_set(why, err, "%s: %s", what, sqlite3_errmsg(conn->db));
}

/* ---- connections ---- */

/* Nobody asks SQLite how much memory it uses, and counting it takes a lock at every allocation. */
static void configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS,
                         0); /* refused when it runs already: then so be it */
}

static void finalize(void *conn, void *stmt)
{
    (void)conn;
    (void)sqlite3_finalize(stmt);
}

/* Waits in short steps; SQLite's own handler sleeps up to 100 ms. False when the time is over. */
static bool wait_step(struct store_conn *conn, int n_before)
{
    int64_t now = time_mono_ns();
    if (n_before == 0)
        conn->waits_until_ns = now + conn->busy_timeout_ms * 1000000;
    if (now >= conn->waits_until_ns)
        return false;
    (void)usleep(n_before < 20 ? 250 : 1000);
    return true;
}

static int on_busy(void *ctx, int n_before)
{
    return wait_step(ctx, n_before);
}

/*
 * The turnstile: a writer takes this lock, waits for the database's own lock, and gives this one
 * back. A process that writes without a pause must come through here again and so stands behind the
 * one that waits; without it, the other would have to hit the microseconds between its commits.
 */
static enum err take_turn(struct store_conn *conn, struct why *why)
{
    for (int n = 0; conn->turn >= 0 && flock(conn->turn, LOCK_EX | LOCK_NB) != 0; n++)
        if (!wait_step(conn, n))
            return err_set(why, ERR_BUSY, "other processes were writing for %lld ms",
                           (long long)conn->busy_timeout_ms);
    return ERR_OK;
}

static void give_turn(struct store_conn *conn)
{
    if (conn->turn >= 0)
        (void)flock(conn->turn, LOCK_UN);
}

static enum err pragma(struct store_conn *conn, const char *sql, struct why *why)
{
    if (sqlite3_exec(conn->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(conn, "could not set up the database", why);
    return ERR_OK;
}

static void disconnect(struct store_conn *conn)
{
    if (!conn)
        return;
    store_stmts_clear(&conn->stmts);
    int rc = sqlite3_close(conn->db);
    assert(rc == SQLITE_OK);
    (void)rc;
    if (conn->turn >= 0)
        (void)close(conn->turn);
    free(conn->row);
    free(conn);
}

static enum err set_up(struct store_conn *conn, enum store_mode mode, struct why *why)
{
    (void)sqlite3_extended_result_codes(conn->db, 1);
    (void)sqlite3_busy_handler(conn->db, on_busy, conn);
    enum err err = ERR_OK;
    /* The file's mode is set once, by the connection that writes. */
    if (mode == STORE_WRITE)
        err = pragma(conn, "PRAGMA journal_mode=WAL", why);
    if (!err)
        err = pragma(conn,
                     "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                     "PRAGMA case_sensitive_like=ON; PRAGMA journal_size_limit=67108864",
                     why);
    if (!err && mode == STORE_READ)
        err = pragma(conn, "PRAGMA query_only=ON", why);
    return err;
}

/* Makes the file readable for its owner and group only. SQLite gives the journals the same mode. An
 * existing file is not opened: closing it would drop the locks that this process has on it. */
static enum err make_file(const char *path, struct why *why)
{
    if (file_exists(path))
        return ERR_OK;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return errno == EEXIST ? ERR_OK : err_errno(why, "could not make database \"%s\"", path);
    (void)close(fd);
    return ERR_OK;
}

/* Without the file, where the folder refuses it, writers wait less fairly. */
static int open_turn(const char *path)
{
    char turn[PATH_MOST];
    if (snprintf(turn, sizeof turn, "%s-turn", path) >= (int)sizeof turn)
        return -1;
    return open(turn, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
}

static enum err connect_to(const struct store_opts *opts, enum store_mode mode,
                           struct store_conn **out, struct why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, configure);
    enum err err = make_file(opts->url, why);
    if (err)
        return err;
    struct store_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return err_set(why, ERR_NO_MEMORY, "could not hold a connection to the database");
    conn->busy_timeout_ms = opts->busy_timeout_ms;
    conn->turn = -1;
    conn->stmts.drop = finalize;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(opts->url, &conn->db, flags, NULL) != SQLITE_OK)
        err = fail(conn, "could not open the database", why);
    if (!err)
        err = set_up(conn, mode, why);
    if (err) {
        err_prefix(why, "database \"%s\"", opts->url);
        disconnect(conn);
        return err;
    }
    if (mode == STORE_WRITE)
        conn->turn = open_turn(opts->url);
    *out = conn;
    return ERR_OK;
}

static bool alive(struct store_conn *conn)
{
    (void)conn;
    return true;
}

/* ---- statements ---- */

static enum err prepare(struct store_conn *conn, const char *sql, sqlite3_stmt **out,
                        struct why *why)
{
    struct str key = str_c(sql);
    *out = store_stmts_find(&conn->stmts, key);
    if (*out)
        return ERR_OK;
    const char *tail = NULL;
    if (sqlite3_prepare_v3(conn->db, sql, (int)key.len + 1, SQLITE_PREPARE_PERSISTENT, out,
                           &tail) != SQLITE_OK) {
        enum err err = fail(conn, "could not understand the statement", why);
        err_hint(why, "statement: %.160s", sql);
        return err;
    }
    if (!*out || str_trim(str_c(tail)).len > 0) {
        (void)sqlite3_finalize(*out);
        return err_set(why, ERR_INTERNAL, "not one statement: \"%.160s\"", sql);
    }
    if (!store_stmts_keep(&conn->stmts, key, *out)) {
        (void)sqlite3_finalize(*out);
        return err_set(why, ERR_NO_MEMORY, "could not keep a statement");
    }
    return ERR_OK;
}

static int bind_one(sqlite3_stmt *stmt, int at, const struct store_value *value)
{
    const char *bytes = value->s.ptr ? value->s.ptr : "";
    switch (value->kind) {
    case STORE_INT:
        return sqlite3_bind_int64(stmt, at, value->i);
    case STORE_REAL:
        return sqlite3_bind_double(stmt, at, value->r);
    case STORE_TEXT:
        return sqlite3_bind_text64(stmt, at, bytes, value->s.len, SQLITE_STATIC, SQLITE_UTF8);
    case STORE_BLOB:
        return sqlite3_bind_blob64(stmt, at, bytes, value->s.len, SQLITE_STATIC);
    case STORE_NULL:
        break;
    }
    return sqlite3_bind_null(stmt, at);
}

static enum err bind(struct store_conn *conn, sqlite3_stmt *stmt, struct store_args args,
                     struct why *why)
{
    if ((size_t)sqlite3_bind_parameter_count(stmt) != args.n)
        return err_set(why, ERR_INTERNAL, "%zu arguments for %d places in \"%.160s\"", args.n,
                       sqlite3_bind_parameter_count(stmt), sqlite3_sql(stmt));
    for (size_t i = 0; i < args.n; i++)
        if (bind_one(stmt, (int)i + 1, &args.values[i]) != SQLITE_OK)
            return fail(conn, "could not pass an argument", why);
    return ERR_OK;
}

static enum err read_cell(struct store_conn *conn, sqlite3_stmt *stmt, int i, struct why *why)
{
    struct store_value *cell = &conn->row[i];
    *cell = (struct store_value){.kind = STORE_NULL};
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        cell->kind = STORE_INT;
        cell->i = sqlite3_column_int64(stmt, i);
        return ERR_OK;
    case SQLITE_FLOAT:
        cell->kind = STORE_REAL;
        cell->r = sqlite3_column_double(stmt, i);
        return ERR_OK;
    case SQLITE_NULL:
        return ERR_OK;
    case SQLITE_TEXT:
        cell->kind = STORE_TEXT;
        cell->s.ptr = (const char *)sqlite3_column_text(stmt, i);
        break;
    default:
        cell->kind = STORE_BLOB;
        cell->s.ptr = sqlite3_column_blob(stmt, i);
        break;
    }
    cell->s.len = (size_t)sqlite3_column_bytes(stmt, i);
    if (!cell->s.ptr && cell->s.len > 0)
        return err_set(why, ERR_NO_MEMORY, "could not hold a cell of %zu bytes", cell->s.len);
    return ERR_OK;
}

static enum err hand_out(struct store_conn *conn, sqlite3_stmt *stmt, store_row_fn *each, void *ctx,
                         struct why *why)
{
    size_t n = (size_t)sqlite3_column_count(stmt);
    if (n > conn->n_row) {
        struct store_value *row = realloc(conn->row, n * sizeof *row);
        if (!row)
            return err_set(why, ERR_NO_MEMORY, "could not hold a row of %zu columns", n);
        conn->row = row;
        conn->n_row = n;
    }
    for (size_t i = 0; i < n; i++) {
        enum err err = read_cell(conn, stmt, (int)i, why);
        if (err)
            return err;
    }
    return each(ctx, &(struct store_rows){conn->row, 1, n}, why);
}

static enum err step_all(struct store_conn *conn, sqlite3_stmt *stmt, store_row_fn *each, void *ctx,
                         struct why *why)
{
    enum err err = ERR_OK;
    for (;;) {
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE)
            return ERR_OK;
        if (rc != SQLITE_ROW)
            return fail(conn, "could not run the statement", why);
        if (each && (err = hand_out(conn, stmt, each, ctx, why)) != ERR_OK)
            return err;
    }
}

static enum err run(struct store_conn *conn, const char *sql, struct store_args args,
                    store_row_fn *each, void *ctx, bool large, int64_t *n_changed, struct why *why)
{
    (void)large; /* rows come one by one anyway */
    sqlite3_stmt *stmt;
    errno = 0;
    enum err err = prepare(conn, sql, &stmt, why);
    if (err)
        return err;
    int64_t before = sqlite3_total_changes64(conn->db);
    err = bind(conn, stmt, args, why);
    if (!err)
        err = step_all(conn, stmt, each, ctx, why);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    /* What sqlite3_changes64() tells is that of the statement before when this one changes none. */
    if (!err && n_changed)
        *n_changed = sqlite3_total_changes64(conn->db) == before ? 0 : sqlite3_changes64(conn->db);
    return err;
}

static enum err script(struct store_conn *conn, const char *sql, struct why *why)
{
    errno = 0;
    if (sqlite3_exec(conn->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(conn, "could not run the statements", why);
    return ERR_OK;
}

/* ---- transactions ---- */

static enum err begin(struct store_conn *conn, enum store_mode mode, struct why *why)
{
    if (mode == STORE_READ)
        return run(conn, "BEGIN", STORE_NO_ARGS, NULL, NULL, false, NULL, why);
    /* Writers take their place at once: two that read first and then both want to write could only
     * be told to start again. */
    enum err err = take_turn(conn, why);
    if (!err) {
        err = run(conn, "BEGIN IMMEDIATE", STORE_NO_ARGS, NULL, NULL, false, NULL, why);
        give_turn(conn);
    }
    return err;
}

static void rollback(struct store_conn *conn)
{
    /* An error such as a full disk has ended the transaction already. */
    if (!sqlite3_get_autocommit(conn->db))
        (void)run(conn, "ROLLBACK", STORE_NO_ARGS, NULL, NULL, false, NULL, NULL);
}

static enum err commit(struct store_conn *conn, struct why *why)
{
    enum err err = run(conn, "COMMIT", STORE_NO_ARGS, NULL, NULL, false, NULL, why);
    if (err)
        rollback(conn);
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
                       "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                       " AND (?1 IS NULL OR name = ?1)",
                       STORE_ARGS(name ? SV_C(name) : SV_NULL), take_count, &n, false, NULL, why);
    *out = n > 0;
    return err;
}

static const char *migration_sql(const struct store_migration *step)
{
    return step->sql;
}

/* ---- backup, restore, check ---- */

/* Copies all pages of one database over another in one step: the source's snapshot is held for
 * that long, and in WAL mode its writers are not. */
static enum err copy_pages(sqlite3 *to, sqlite3 *from, const char *what, struct why *why)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    if (!copy)
        return err_set(why, code_of(to), "%s: %s", what, sqlite3_errmsg(to));
    int rc = sqlite3_backup_step(copy, -1);
    (void)sqlite3_backup_finish(copy);
    if (rc == SQLITE_DONE)
        return ERR_OK;
    enum err err = rc == SQLITE_FULL ? ERR_NO_SPACE : rc == SQLITE_BUSY ? ERR_BUSY : code_of(to);
    return err_set(why, err ? err : ERR_IO, "%s: %s", what, sqlite3_errstr(rc));
}

static enum err sync_file(const char *path, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        enum err err = err_errno(why, "could not sync \"%s\"", path);
        if (fd >= 0)
            (void)close(fd);
        return err;
    }
    (void)close(fd);
    return ERR_OK;
}

/* Out of WAL mode, so that the copy is one file that needs nothing beside it. */
static enum err write_copy(struct store_conn *conn, const char *path, struct why *why)
{
    struct store_conn copy = {0};
    enum err err = ERR_OK;
    if (sqlite3_open_v2(path, &copy.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        err = fail(&copy, "could not open the backup", why);
    if (!err)
        err = pragma(&copy, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", why);
    if (!err)
        err = copy_pages(copy.db, conn->db, "could not write the backup", why);
    if (!err)
        err = pragma(&copy, "PRAGMA journal_mode=DELETE", why);
    (void)sqlite3_close(copy.db);
    return err;
}

static enum err backup(struct store_conn *conn, const char *path, struct why *why)
{
    char part[PATH_MOST];
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return err_set(why, ERR_INVALID, "the path \"%.60s...\" is too long", path);
    enum err err = file_remove(part, why);
    if (!err)
        err = make_file(part, why);
    if (!err)
        err = write_copy(conn, part, why);
    if (!err)
        err = sync_file(part, why);
    if (!err)
        err = file_rename(part, path, why);
    if (err)
        (void)unlink(part);
    return err;
}

static enum err first_words(void *ctx, const struct store_rows *row, struct why *why)
{
    (void)ctx;
    struct str words = store_str(row, 0, 0);
    if (str_eq_c(words, "ok"))
        return ERR_OK;
    return err_set(why, ERR_CORRUPT, "the database is damaged: %.*s", STR_FMT(words));
}

static enum err orphan(void *ctx, const struct store_rows *row, struct why *why)
{
    (void)ctx;
    return err_set(why, ERR_CORRUPT,
                   "row %lld of table \"%.*s\" refers to a row of \"%.*s\" that"
                   " does not exist",
                   (long long)store_int(row, 0, 1), STR_FMT(store_str(row, 0, 0)),
                   STR_FMT(store_str(row, 0, 2)));
}

static enum err check(struct store_conn *conn, struct why *why)
{
    enum err err =
        run(conn, "PRAGMA integrity_check(1)", STORE_NO_ARGS, first_words, NULL, false, NULL, why);
    if (!err)
        err = run(conn, "PRAGMA foreign_key_check", STORE_NO_ARGS, orphan, NULL, false, NULL, why);
    return err;
}

/* A backup of the other engine, told from a damaged file. */
static bool is_dump(const char *path)
{
    char head[12] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool dump = fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head &&
                memcmp(head, "yicheng dump", sizeof head) == 0;
    if (fd >= 0)
        (void)close(fd);
    return dump;
}

static enum err restore(struct store_conn *conn, const char *path,
                        const struct store_migration *steps, size_t n, struct why *why)
{
    (void)steps, (void)n; /* the tables are in the backup as they are */
    struct store_conn copy = {.stmts = {.drop = finalize}};
    enum err err = ERR_OK;
    if (!file_exists(path))
        return err_set(why, ERR_NOT_FOUND, "there is no backup \"%s\"", path);
    if (is_dump(path)) {
        err_hint(why, "set store.url to an empty PostgreSQL database");
        return err_set(why, ERR_UNSUPPORTED, "\"%s\" is a backup of PostgreSQL and this is SQLite",
                       path);
    }
    if (sqlite3_open_v2(path, &copy.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        err = fail(&copy, "could not open the backup", why);
    if (!err)
        (void)sqlite3_extended_result_codes(copy.db, 1);
    if (!err)
        err = check(&copy, why);
    if (!err)
        err = copy_pages(conn->db, copy.db, "could not restore the backup", why);
    if (err)
        err_prefix(why, "backup \"%s\"", path);
    store_stmts_clear(&copy.stmts);
    free(copy.row);
    (void)sqlite3_close(copy.db);
    return err;
}

const struct store_engine store_sqlite = {
    .name = "sqlite",
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
    .backup = backup,
    .restore = restore,
    .check = check,
};
