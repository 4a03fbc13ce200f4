#include "ledger/ledger.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "ledger/ledger_chain.h"

#define TABLES                                                                                     \
    "CREATE TABLE ledger_entries ("                                                                \
    " number INTEGER NOT NULL PRIMARY KEY, time_ms INTEGER NOT NULL, tenant TEXT NOT NULL,"        \
    " actor TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,"     \
    " result TEXT NOT NULL, trace TEXT NOT NULL, detail TEXT NOT NULL,"                            \
    " sha256 TEXT NOT NULL, sm3 TEXT NOT NULL);"                                                   \
    "CREATE INDEX ledger_entries_time ON ledger_entries (time_ms);"                                \
    "CREATE INDEX ledger_entries_tenant ON ledger_entries (tenant, number);"                       \
    "CREATE INDEX ledger_entries_actor ON ledger_entries (actor, number);"                         \
    "CREATE INDEX ledger_entries_object ON ledger_entries (object, number);"

const struct store_migration ledger_migrations[] = {
    {"ledger", 1, TABLES, NULL},
    {"ledger", 2,
     "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger_entries"
     " BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
     "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger_entries"
     " BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;",
     "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS"
     " $$ BEGIN RAISE integrity_constraint_violation"
     " USING MESSAGE = 'the ledger is append-only'; END $$;"
     "CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger_entries"
     " FOR EACH ROW EXECUTE FUNCTION ledger_refuse();"},
};
const size_t ledger_n_migrations = sizeof ledger_migrations / sizeof ledger_migrations[0];

/* ---- appending ---- */

static enum err check_field(const char *name, struct str s, bool needed, struct why *why)
{
    if (needed && s.len == 0)
        return err_set(why, ERR_INVALID, "an entry of the ledger needs the field %s", name);
    if (s.len > LEDGER_FIELD_MOST)
        return err_set(why, ERR_TOO_LARGE, "field %s has %zu bytes, more than the limit of %d",
                       name, s.len, LEDGER_FIELD_MOST);
    return ERR_OK;
}

static enum err check_detail(struct str detail, struct why *why)
{
    if (detail.len > LEDGER_DETAIL_MOST)
        return err_set(why, ERR_TOO_LARGE, "detail has %zu bytes, more than the limit of %d",
                       detail.len, LEDGER_DETAIL_MOST);
    struct arena *arena = arena_new((size_t)1 << 22);
    const struct json *json = NULL;
    enum err err = arena ? json_parse(detail, arena, &json, why) : ERR_NO_MEMORY;
    if (!err && json_kind(json) != JSON_KIND_OBJECT)
        err = err_set(why, ERR_INVALID, "detail is not a JSON object");
    arena_free(arena);
    return err;
}

static enum err entry_from(const struct ledger_act *act, struct ledger_entry *out, struct why *why)
{
    *out = (struct ledger_entry){.time_ms = time_now_ms(),
                                 .tenant = str_c(act->tenant),
                                 .actor = str_c(act->actor),
                                 .address = str_c(act->address),
                                 .action = str_c(act->action),
                                 .object = str_c(act->object),
                                 .result = str_c(act->result),
                                 .trace = str_c(act->trace),
                                 .detail = act->detail.len ? act->detail : STR("{}")};
    const struct {
        const char *name;
        struct str s;
        bool needed;
    } fields[] = {
        {"tenant", out->tenant, false},   {"actor", out->actor, true},
        {"address", out->address, false}, {"action", out->action, true},
        {"object", out->object, false},   {"result", out->result, true},
        {"trace", out->trace, false},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        enum err err = check_field(fields[i].name, fields[i].s, fields[i].needed, why);
        if (err)
            return err;
    }
    return check_detail(out->detail, why);
}

struct head {
    int64_t number;
    struct ledger_digests digests;
};

static enum err take_head(void *ctx, const struct store_rows *row, struct why *why)
{
    struct head *head = ctx;
    struct str sha256 = store_str(row, 0, 1), sm3 = store_str(row, 0, 2);
    if (sha256.len != HASH_TEXT - 1 || sm3.len != HASH_TEXT - 1)
        return err_set(why, ERR_CORRUPT, "the newest entry of the ledger has no digest");
    head->number = store_int(row, 0, 0);
    memcpy(head->digests.sha256, sha256.ptr, sha256.len);
    memcpy(head->digests.sm3, sm3.ptr, sm3.len);
    return ERR_OK;
}

enum err ledger_append(struct store_tx *tx, const struct ledger_act *act, int64_t *number,
                       struct why *why)
{
    struct ledger_entry entry;
    struct head head = {0, ledger_before_first};
    struct ledger_digests digests;
    enum err err = entry_from(act, &entry, why);
    if (!err)
        err = store_each(tx,
                         "SELECT number, sha256, sm3 FROM ledger_entries"
                         " ORDER BY number DESC LIMIT 1",
                         STORE_NO_ARGS, take_head, &head, why);
    entry.number = head.number + 1;
    if (!err)
        err = ledger_digest(&entry, &head.digests, &digests, why);
    if (!err)
        err =
            store_exec(tx,
                       "INSERT INTO ledger_entries (" LEDGER_COLUMNS
                       ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       STORE_ARGS(SV_INT(entry.number), SV_INT(entry.time_ms), SV_STR(entry.tenant),
                                  SV_STR(entry.actor), SV_STR(entry.address), SV_STR(entry.action),
                                  SV_STR(entry.object), SV_STR(entry.result), SV_STR(entry.trace),
                                  SV_STR(entry.detail), SV_C(digests.sha256), SV_C(digests.sm3)),
                       NULL, why);
    if (!err && number)
        *number = entry.number;
    return err;
}

enum err ledger_record(struct store *store, const struct ledger_act *act, struct why *why)
{
    struct store_tx *tx;
    enum err err = store_begin(store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = ledger_append(tx, act, NULL, why);
    if (!err)
        return store_commit(tx, why);
    store_rollback(tx);
    return err;
}

/* ---- listing ---- */

#define MOST_CONDITIONS 10

struct query {
    struct buf sql;
    struct store_value values[MOST_CONDITIONS];
    size_t n;
};

static void where(struct query *query, const char *condition, struct store_value value)
{
    buf_add_c(&query->sql, query->n ? " AND " : " WHERE ");
    buf_add_c(&query->sql, condition);
    query->values[query->n++] = value;
}

static void where_text(struct query *query, const char *condition, const char *text)
{
    if (text && text[0])
        where(query, condition, SV_C(text));
}

/* "ops.user.*" is the range of what begins with "ops.user.": an index serves it on both engines. */
static void where_action(struct query *query, struct arena *arena, const char *action)
{
    struct str s = str_c(action);
    if (s.len == 0)
        return;
    if (s.ptr[s.len - 1] != '*') {
        where(query, "action = ?", SV_STR(s));
        return;
    }
    s.len--;
    struct str end = str_printf(arena, "%.*s\xF4\x8F\xBF\xBF", STR_FMT(s)); /* U+10FFFF */
    where(query, "action >= ?", SV_STR(s));
    where(query, "action < ?", SV_STR(end));
}

static void build(struct query *query, const struct ledger_filter *filter, struct arena *arena)
{
    buf_init(&query->sql, arena);
    buf_add_c(&query->sql, "SELECT " LEDGER_COLUMNS " FROM ledger_entries");
    if (filter->tenant)
        where(query, "tenant = ?", SV_C(filter->tenant));
    where_text(query, "actor = ?", filter->actor);
    where_text(query, "object = ?", filter->object);
    where_action(query, arena, filter->action);
    if (filter->from_ms)
        where(query, "time_ms >= ?", SV_INT(filter->from_ms));
    if (filter->to_ms)
        where(query, "time_ms <= ?", SV_INT(filter->to_ms));
    if (filter->before)
        where(query, "number < ?", SV_INT(filter->before));
    buf_add_c(&query->sql, " ORDER BY number DESC LIMIT ?");
    query->values[query->n++] = SV_INT(filter->limit);
}

enum err ledger_list(struct store *store, const struct ledger_filter *filter, struct arena *arena,
                     struct ledger_entry **out, size_t *n, struct why *why)
{
    if (filter->limit < 1 || filter->limit > 1000)
        return err_set(why, ERR_INVALID, "a limit of %d entries: must be 1 to 1000", filter->limit);
    struct query query = {.n = 0};
    struct store_rows rows = {0};
    build(&query, filter, arena);
    enum err err = buf_err(&query.sql, why);
    if (!err)
        err = store_ask(store, query.sql.ptr, (struct store_args){query.values, query.n}, arena,
                        &rows, why);
    if (err)
        return err;
    struct ledger_entry *entries = arena_array(arena, struct ledger_entry, rows.n_rows);
    if (!entries)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu entries", rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++)
        entries[i] = ledger_entry_of(&rows, i);
    *out = entries;
    *n = rows.n_rows;
    return ERR_OK;
}
