#include "acquire/sql.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"

enum err sql_check(const struct json *settings, struct why *why)
{
    struct str table = json_get_str(settings, "table", STR(""));
    struct str query = str_trim(json_get_str(settings, "query", STR("")));
    bool snapshot = str_eq_c(json_get_str(settings, "mode", STR("")), "snapshot");
    size_t n_keys = json_len(json_get(settings, "key"));
    if (!table.len == !query.len)
        return err_set(why, ERR_INVALID, "either \"table\" or \"query\" says what is read");
    if (str_find_char(query, ';') != STR_NPOS)
        return err_set(why, ERR_INVALID, "a query is one statement without ';'");
    if (n_keys > SQL_MOST_KEYS)
        return err_set(why, ERR_INVALID, "a key has at most %d columns", SQL_MOST_KEYS);
    if (!snapshot && !n_keys)
        return err_set(why, ERR_INVALID,
                       "\"key\" names the columns that tell rows apart; without it only snapshots "
                       "can be taken");
    return ERR_OK;
}

void sql_quote(struct buf *out, struct str name, bool dots)
{
    buf_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            buf_char(out, '"');
        if (dots && name.ptr[i] == '.')
            buf_add_c(out, "\".\"");
        else
            buf_char(out, name.ptr[i]);
    }
    buf_char(out, '"');
}

void sql_from(struct buf *out, const struct json *settings)
{
    struct str table = json_get_str(settings, "table", STR(""));
    if (table.len) {
        buf_add_c(out, "(SELECT * FROM ");
        sql_quote(out, table, true);
        buf_add_c(out, ") q");
        return;
    }
    buf_add_c(out, "(");
    buf_add(out, str_trim(json_get_str(settings, "query", STR(""))));
    buf_add_c(out, "\n) q"); /* behind a comment at its end */
}

enum err sql_place(const struct json *settings, struct arena *arena, struct str *out,
                   struct why *why)
{
    struct str table = json_get_str(settings, "table", STR(""));
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    hash_of(HASH_SHA256, str_trim(json_get_str(settings, "query", STR(""))), digest);
    *out = table.len ? table : str_printf(arena, "query-%s", hex_put(digest, 6, hex));
    return out->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not name a table");
}

enum err sql_begin(struct collect *c, struct str uri, struct sql_rows *out, struct why *why)
{
    *out = (struct sql_rows){.c = c,
                             .most = collect_int(c, "most_rows"),
                             .has_key = json_len(json_get(c->settings, "key")) > 0,
                             .has_cursor = collect_text(c, "cursor").len > 0,
                             .cursor = STR("")};
    return collect_source(c, uri, STR(""), 0, out->key, why);
}

struct str sql_since(struct sql_rows *r)
{
    struct str marked = collect_cursor(r->c);
    bool snapshot = str_eq_c(collect_text(r->c, "mode"), "snapshot");
    if (!marked.len && !snapshot)
        marked = json_get_str(r->c->state, "cursor", STR(""));
    r->cursor = marked;
    return r->has_cursor ? marked : STR("");
}

bool sql_enough(struct sql_rows *r)
{
    return r->n >= r->most || collect_enough(r->c);
}

/* The key's values, joined so that ("a", "bc") and ("ab", "c") are two. */
static struct str item_of(struct sql_rows *r, const struct str *names, size_t n_names)
{
    struct buf buf;
    if (!r->has_key)
        return str_printf(r->c->item, "%lld", (long long)r->n);
    if (n_names == 1)
        return names[0];
    buf_init(&buf, r->c->item);
    for (size_t i = 0; i < n_names; i++) {
        buf_printf(&buf, "%zu:", names[i].len);
        buf_add(&buf, names[i]);
    }
    return buf.failed ? STR_NONE : buf_str(&buf);
}

static enum err put_row(struct sql_rows *r, struct str item, struct str json, struct why *why)
{
    struct collect *c = r->c;
    const struct json *value;
    struct why own = {0};
    if (json.len > SQL_MOST_ROW)
        return collect_bad(c, r->key, item, "the row is too large for a record", why);
    if (str_eq_c(c->def.record_kind, "row") && !json_len(c->map)) {
        struct str record = str_printf(c->item, "{\"row\":%.*s}", STR_FMT(json));
        return record.ptr ? collect_record(c, r->key, item, record, why)
                          : err_set(why, ERR_UNAVAILABLE, "could not hold a row");
    }
    enum err err = json_parse(json, c->item, &value, &own);
    return err ? collect_bad(c, r->key, item, why_text(&own, err), why)
               : collect_item(c, r->key, item, value, why);
}

enum err sql_row(struct sql_rows *r, struct str json, const struct str *names, size_t n_names,
                 struct str cursor, struct why *why)
{
    struct str item = item_of(r, names, n_names);
    if (!item.ptr)
        return err_set(why, ERR_UNAVAILABLE, "could not hold a row");
    enum err err = put_row(r, item.len ? item : STR("empty"), json, why);
    if (!err && cursor.len && cursor.len < 1000 && !str_eq(cursor, r->cursor))
        r->cursor = str_copy(r->c->arena, cursor);
    r->n++;
    arena_reset(r->c->item);
    if (!err && r->n % SQL_MARK_EVERY == 0 && r->has_cursor && r->cursor.len)
        err = collect_mark(r->c, r->cursor, why);
    if (r->n % 100 == 0)
        job_progress(r->c->job, r->n, 0, "reading rows");
    return err;
}

enum err sql_end(struct sql_rows *r, struct why *why)
{
    struct buf buf;
    struct json_out json;
    if (!r->has_cursor || collect_enough(r->c))
        return ERR_OK;
    buf_init(&buf, r->c->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "cursor", r->cursor);
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    return err ? err : collect_keep(r->c, buf_str(&buf), why);
}
