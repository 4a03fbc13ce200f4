/* Backup, restore and check of the engine PostgreSQL, by COPY; the file is store_dump's. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "store/store_dump.h"
#include "store/store_postgres.h"

#define DUMP_ARENA ((size_t)256 << 20)

/* ---- backup ---- */

static enum err put_table_head(struct dump_writer *writer, const struct dump_table *table,
                               struct arena *arena, struct why *why)
{
    struct buf text;
    struct json_out json;
    buf_init(&text, arena);
    json_out_init(&json, &text);
    json_begin_object(&json);
    json_kv_str(&json, "table", table->name);
    json_key(&json, "columns");
    json_begin_array(&json);
    for (size_t i = 0; i < table->n_columns; i++)
        json_put_str(&json, table->columns[i]);
    json_end_array(&json);
    json_end_object(&json);
    enum err err = buf_err(&text, why);
    return err ? err : dump_put(writer, 't', buf_str(&text), why);
}

static enum err put_row(void *ctx, struct str row, struct why *why)
{
    return dump_put(ctx, 'd', row, why);
}

static enum err put_table(struct store_conn *conn, struct str name, struct dump_writer *writer,
                          struct arena *arena, struct why *why)
{
    struct dump_table table;
    struct buf sql;
    int64_t n_rows = 0;
    buf_init(&sql, arena);
    enum err err = pg_columns(conn, name, arena, &table, why);
    if (!err && table.n_columns == 0)
        return ERR_OK;
    if (!err)
        err = put_table_head(writer, &table, arena, why);
    if (!err)
        err = pg_copy_sql(&table, "TO STDOUT", &sql, why);
    if (!err)
        err = pg_copy_out(conn, sql.ptr, put_row, writer, &n_rows, why);
    if (err)
        return err;
    char end[48];
    int len = snprintf(end, sizeof end, "{\"rows\":%lld}", (long long)n_rows);
    return dump_put(writer, 'e', (struct str){end, (size_t)len}, why);
}

struct putting {
    struct dump_writer *writer;
    struct arena *arena;
};

static enum err put_migration(void *ctx, const struct store_rows *row, struct why *why)
{
    struct putting *putting = ctx;
    struct buf text;
    struct json_out json;
    buf_init(&text, putting->arena);
    json_out_init(&json, &text);
    json_begin_object(&json);
    json_kv_str(&json, "room", store_str(row, 0, 0));
    json_kv_int(&json, "number", store_int(row, 0, 1));
    json_kv_str(&json, "checksum", store_str(row, 0, 2));
    json_kv_int(&json, "ran_ms", store_int(row, 0, 3));
    json_kv_str(&json, "sql", store_str(row, 0, 4));
    json_end_object(&json);
    enum err err = buf_err(&text, why);
    return err ? err : dump_put(putting->writer, 'm', buf_str(&text), why);
}

static enum err put_all(struct store_conn *conn, struct dump_writer *writer, struct arena *arena,
                        struct why *why)
{
    struct putting putting = {writer, arena};
    struct pg_tables *tables = arena_one(arena, struct pg_tables);
    bool migrated = false;
    if (!tables)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of tables");
    enum err err = store_postgres.has_table(conn, "store_migrations", &migrated, why);
    if (!err && migrated)
        err = store_postgres.run(conn,
                                 "SELECT room, number, checksum, ran_ms, sql FROM store_migrations"
                                 " ORDER BY position",
                                 STORE_NO_ARGS, put_migration, &putting, false, NULL, why);
    if (!err)
        err = pg_list_tables(conn, arena, tables, why);
    for (size_t i = 0; !err && i < tables->names.n_rows; i++)
        err = put_table(conn, store_str(&tables->names, tables->order[i], 0), writer, arena, why);
    return err;
}

static enum err write_dump(struct store_conn *conn, int fd, struct why *why)
{
    struct dump_writer writer;
    struct arena *arena = arena_new(DUMP_ARENA);
    enum err err = arena ? dump_begin(&writer, fd, why) : ERR_NO_MEMORY;
    if (err) {
        arena_free(arena);
        return err;
    }
    err = store_postgres.begin(conn, STORE_READ, why);
    if (!err) {
        err = put_all(conn, &writer, arena, why);
        store_postgres.rollback(conn);
    }
    if (!err)
        err = dump_end(&writer, why);
    if (!err && fsync(fd) != 0)
        err = err_errno(why, "could not write the backup");
    dump_release(&writer);
    arena_free(arena);
    return err;
}

enum err pg_backup(struct store_conn *conn, const char *path, struct why *why)
{
    struct arena *arena = arena_new(1 << 14);
    const char *part = arena ? str_printf(arena, "%s.part", path).ptr : NULL;
    if (!part) {
        arena_free(arena);
        return err_set(why, ERR_INVALID, "the path \"%.60s...\" is too long", path);
    }
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    enum err err = fd < 0 ? err_errno(why, "could not make \"%s\"", part) : ERR_OK;
    if (!err)
        err = write_dump(conn, fd, why);
    if (fd >= 0)
        (void)close(fd);
    if (!err)
        err = file_rename(part, path, why);
    if (err && fd >= 0)
        (void)unlink(part);
    arena_free(arena);
    return err;
}

/* ---- restore ---- */

/* Makes the tables by the migrations that the backup holds, and enters those. */
static enum err restore_migration(struct store_conn *conn, struct str payload, int64_t position,
                                  struct arena *arena, struct why *why)
{
    struct dump_migration step = {.number = 0};
    enum err err = dump_migration(payload, arena, &step, why);
    if (!err && position == 1)
        err = store_postgres.script(conn, store_own_table, why);
    if (!err)
        err = store_postgres.script(conn, step.sql.ptr, why);
    if (!err)
        err = store_postgres.run(
            conn,
            "INSERT INTO store_migrations"
            " (position, room, number, checksum, ran_ms, sql) VALUES (?, ?, ?, ?, ?, ?)",
            STORE_ARGS(SV_INT(position), SV_STR(step.room), SV_INT(step.number),
                       SV_STR(step.checksum), SV_INT(step.ran_ms), SV_STR(step.sql)),
            NULL, NULL, false, NULL, why);
    if (err)
        err_prefix(why, "migration %.*s %lld of the backup", STR_FMT(step.room),
                   (long long)step.number);
    return err;
}

static enum err begin_copy(struct store_conn *conn, struct str payload, struct arena *arena,
                           struct why *why)
{
    struct dump_table table;
    struct buf sql;
    buf_init(&sql, arena);
    enum err err = dump_table(payload, arena, &table, why);
    if (!err)
        err = pg_copy_sql(&table, "FROM STDIN", &sql, why);
    if (err)
        return err;
    return pg_copy_in(conn, sql.ptr, why);
}

static enum err end_copy(struct store_conn *conn, struct str payload, struct arena *arena,
                         struct why *why)
{
    const struct json *json = NULL;
    int64_t n = -1;
    enum err err = pg_copy_in_end(conn, &n, why);
    if (!err)
        err = json_parse(payload, arena, &json, why);
    if (!err && n != json_get_int(json, "rows", -2))
        err = err_set(why, ERR_CORRUPT, "a table of the backup has not all its rows");
    return err;
}

static enum err restore_all(struct store_conn *conn, struct str bytes, struct arena *arena,
                            struct why *why)
{
    struct dump_reader reader;
    struct dump_record record = {0};
    int64_t n_migrations = 0;
    bool emptied = false;
    dump_reader_init(&reader, bytes);
    for (;;) {
        enum err err = dump_next(&reader, &record, why);
        if (err || record.kind == 'z')
            return err;
        if (record.kind == 't' && !emptied) {
            err = pg_empty_tables(conn, arena, why);
            emptied = true;
        }
        if (err)
            return err;
        switch (record.kind) {
        case 'm':
            err = restore_migration(conn, record.payload, ++n_migrations, arena, why);
            break;
        case 't':
            err = begin_copy(conn, record.payload, arena, why);
            break;
        case 'd':
            err = pg_copy_in_put(conn, record.payload, why);
            break;
        default:
            err = end_copy(conn, record.payload, arena, why);
            break;
        }
        if (err)
            return err;
    }
}

static enum err restore_map(struct store_conn *conn, struct str bytes, struct why *why)
{
    struct arena *arena = arena_new(DUMP_ARENA);
    enum err err = arena ? dump_check(bytes, why) : ERR_NO_MEMORY;
    if (!err) {
        err = store_postgres.begin(conn, STORE_WRITE, why);
        if (!err)
            err = restore_all(conn, bytes, arena, why);
        if (!err)
            err = store_postgres.commit(conn, why);
        else
            store_postgres.rollback(conn);
    }
    arena_free(arena);
    return err;
}

enum err pg_restore(struct store_conn *conn, const char *path, const struct store_migration *steps,
                    size_t n, struct why *why)
{
    struct file_map map;
    enum err err = file_map(path, &map, why);
    if (err)
        return err;
    struct str bytes = {(const char *)map.ptr, map.len};
    err = str_starts(bytes, STR("SQLite format 3")) ? pg_adopt(conn, path, steps, n, why)
                                                    : restore_map(conn, bytes, why);
    if (err)
        err_prefix(why, "backup \"%s\"", path);
    file_unmap(&map);
    return err;
}

/* ---- check: every row is read, and every B-tree looked at where amcheck is installed ---- */

static enum err check_indexes(struct store_conn *conn, struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err = pg_ask(conn, "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'",
                          STORE_NO_ARGS, arena, &rows, why);
    if (err || store_int(&rows, 0, 0) == 0)
        return err;
    return store_postgres.run(conn,
                              "SELECT bt_index_check(c.oid::regclass) FROM pg_class c"
                              " JOIN pg_am a ON a.oid = c.relam"
                              " WHERE c.relkind = 'i' AND a.amname = 'btree'"
                              " AND c.relnamespace = current_schema()::regnamespace",
                              STORE_NO_ARGS, NULL, NULL, false, NULL, why);
}

static enum err drop_row(void *ctx, struct str row, struct why *why)
{
    (void)ctx, (void)row, (void)why;
    return ERR_OK;
}

static enum err read_all(struct store_conn *conn, struct arena *arena, struct why *why)
{
    struct pg_tables *tables = arena_one(arena, struct pg_tables);
    if (!tables)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of tables");
    enum err err = pg_list_tables(conn, arena, tables, why);
    for (size_t i = 0; !err && i < tables->names.n_rows; i++) {
        struct buf sql;
        int64_t n_rows = 0;
        buf_init(&sql, arena);
        buf_add_c(&sql, "COPY ");
        pg_quote(store_str(&tables->names, i, 0), &sql);
        buf_add_c(&sql, " TO STDOUT");
        err = buf_err(&sql, why);
        if (!err)
            err = pg_copy_out(conn, sql.ptr, drop_row, NULL, &n_rows, why);
        if (err)
            err_prefix(why, "table \"%.*s\"", STR_FMT(store_str(&tables->names, i, 0)));
    }
    return err;
}

enum err pg_check(struct store_conn *conn, struct why *why)
{
    struct arena *arena = arena_new(DUMP_ARENA);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not check the database");
    enum err err = store_postgres.begin(conn, STORE_READ, why);
    if (!err) {
        err = read_all(conn, arena, why);
        if (!err)
            err = check_indexes(conn, arena, why);
        store_postgres.rollback(conn);
    }
    arena_free(arena);
    return err;
}
