/* The catalogue: offers of releases, who sees them, and finding them by bigrams. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/time.h"
#include "core/utf8.h"
#include "release/room.h"

#define MOST_GRAMS   4000
#define MOST_FIND    64 /* bigrams of a search */
#define MOST_FIELDS  100
#define MOST_TENANTS 200
#define N_SAMPLE     3
#define SAMPLE_BYTES 1000

#define COLUMNS                                                                                    \
    "o.release, o.tenant, o.title, o.summary, o.industry, o.fields, o.sample, o.price_note, "      \
    "o.everybody, o.state, o.created_ms, o.changed_ms, r.name, r.dataset, r.access, r.kind, "      \
    "r.n_records, r.n_bytes, r.state, r.reason, r.created_ms"

/* ---- bigrams ---- */

/* Letters, digits and Han in lower case and half width; what else is parts the words. */
static uint32_t folded(uint32_t c)
{
    c = utf8_halfwidth(c);
    if (c >= 'A' && c <= 'Z')
        return c | 32;
    bool word =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 0xC0 && !utf8_is_space(c));
    return word && !(c >= 0x2000 && c < 0x2C00) && !(c >= 0x3000 && c < 0x3040) &&
                   !(c >= 0xFF00 && c < 0xFFF0)
               ? c
               : 0;
}

/* Pairs of neighbours; a single character alone counts as a pair with itself left out. */
static enum err grams_of(struct str text, size_t most, struct arena *arena, struct str **out,
                         size_t *n, struct why *why)
{
    struct map seen;
    uint32_t before = 0;
    bool paired = true;
    map_init(&seen, arena);
    *out = arena_array(arena, struct str, most + 1);
    *n = 0;
    if (!*out)
        return err_set(why, ERR_NO_MEMORY, "could not read the words");
    for (size_t i = 0; i <= text.len && *n < most;) {
        uint32_t c = i < text.len ? folded(utf8_next(text, &i)) : (i++, 0);
        char gram[2 * UTF8_MAX_BYTES + 1];
        size_t len = 0;
        if (before && c)
            len = utf8_put(gram, before), len += utf8_put(gram + len, c);
        else if (before && !paired)
            len = utf8_put(gram, before);
        paired = before && c;
        before = c;
        bool made = false;
        struct str copy = len ? str_copy(arena, (struct str){gram, len}) : STR_NONE;
        if (len && (!copy.ptr || !map_put(&seen, copy, &made)))
            return err_set(why, ERR_NO_MEMORY, "could not read the words");
        if (made)
            (*out)[(*n)++] = copy;
    }
    return ERR_OK;
}

enum err grams_put(struct store_tx *tx, struct str release, struct str words, struct arena *arena,
                   struct why *why)
{
    struct str *grams = NULL;
    size_t n = 0;
    enum err err = store_exec(tx, "DELETE FROM release_grams WHERE release = ?",
                              STORE_ARGS(SV_STR(release)), NULL, why);
    if (!err)
        err = grams_of(words, MOST_GRAMS, arena, &grams, &n, why);
    for (size_t i = 0; !err && i < n; i++)
        err = store_exec(tx,
                         "INSERT INTO release_grams (gram, release) VALUES (?, ?) ON CONFLICT DO "
                         "NOTHING",
                         STORE_ARGS(SV_STR(grams[i]), SV_STR(release)), NULL, why);
    return err;
}

/* ---- who sees what ---- */

/* The own ones; else those in force that name the tenant or everybody, of a class he may read. */
#define VISIBLE                                                                                    \
    "(o.tenant = ? OR (o.state = 'offered' AND (o.everybody = 1 OR EXISTS (SELECT 1 FROM "         \
    "release_offered x WHERE x.release = o.release AND x.tenant = ?))))"

enum err offered_to(struct store_tx *tx, const struct ops_identity *who,
                    const struct release_row *row, struct arena *arena, bool *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        tx, "SELECT o.state FROM release_offers o WHERE o.release = ? AND " VISIBLE,
        STORE_ARGS(SV_STR(row->id), SV_STR(who->tenant), SV_STR(who->tenant)), arena, &rows, why);
    *out = !err && rows.n_rows && str_eq_c(store_str(&rows, 0, 0), "offered") &&
           may_read_class(who, row->access);
    return err;
}

static enum err may_see(const struct ops_identity *who, struct why *why)
{
    return ops_may(who, "release.make") || ops_may(who, "release.approve")
               ? ERR_OK
               : ops_need(who, "release.use", why);
}

static enum err put_tenants(struct store_tx *tx, struct release *r, struct str release,
                            struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT tenant FROM release_offered WHERE release = ? ORDER BY "
                               "tenant",
                               STORE_ARGS(SV_STR(release)), arena, &rows, why);
    json_key(out, "tenants");
    json_begin_array(out);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        json_begin_object(out);
        json_kv_str(out, "id", store_str(&rows, i, 0));
        json_kv_str(out, "title", tenant_title(r, store_str(&rows, i, 0), arena));
        json_end_object(out);
    }
    json_end_array(out);
    return err;
}

/* The caller's subscription to it, the newest. */
static enum err put_mine(struct store_tx *tx, const struct ops_identity *who, struct str release,
                         struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT id, state FROM release_subscriptions WHERE release = ? AND "
                               "tenant = ? ORDER BY created_ms DESC LIMIT 1",
                               STORE_ARGS(SV_STR(release), SV_STR(who->tenant)), arena, &rows, why);
    json_key(out, "subscription");
    if (err || !rows.n_rows) {
        json_put_null(out);
        return err;
    }
    json_begin_object(out);
    json_kv_str(out, "id", store_str(&rows, 0, 0));
    json_kv_str(out, "state", store_str(&rows, 0, 1));
    json_end_object(out);
    return err;
}

static enum err put_offer(struct store_tx *tx, struct release *r, const struct ops_identity *who,
                          const struct store_rows *rows, size_t i, struct arena *arena,
                          struct json_out *out, struct why *why)
{
    struct str id = store_str(rows, i, 0), tenant = store_str(rows, i, 1);
    bool mine = str_eq(tenant, who->tenant);
    json_begin_object(out);
    json_kv_str(out, "release", id);
    json_kv_str(out, "tenant", tenant);
    json_kv_str(out, "tenant_title", tenant_title(r, tenant, arena));
    json_kv_bool(out, "mine", mine);
    json_kv_str(out, "title", store_str(rows, i, 2));
    json_kv_str(out, "summary", store_str(rows, i, 3));
    json_kv_str(out, "industry", store_str(rows, i, 4));
    json_kv_c(out, "grade", release_grades[store_int(rows, i, 14) & 3]);
    json_kv_raw(out, "fields", store_str(rows, i, 5));
    json_kv_raw(out, "sample", store_str(rows, i, 6));
    json_kv_str(out, "price_note", store_str(rows, i, 7));
    json_kv_bool(out, "everybody", store_int(rows, i, 8) != 0);
    json_kv_str(out, "state", store_str(rows, i, 9));
    json_kv_str(out, "name", store_str(rows, i, 12));
    json_kv_str(out, "kind", store_str(rows, i, 15));
    json_kv_int(out, "n_records", store_int(rows, i, 16));
    json_kv_int(out, "n_bytes", store_int(rows, i, 17));
    json_kv_str(out, "release_state", store_str(rows, i, 18));
    json_kv_str(out, "release_reason", store_str(rows, i, 19));
    json_kv_time(out, "released_at", store_int(rows, i, 20));
    json_kv_time(out, "changed_at", store_int(rows, i, 11));
    enum err err =
        mine ? put_tenants(tx, r, id, arena, out, why) : put_mine(tx, who, id, arena, out, why);
    json_end_object(out);
    return err;
}

/* ---- finding ---- */

/* Releases in the order of how many bigrams of the search they hold; all of them must be held by
 * half. */
static enum err find_ids(struct store_tx *tx, struct str find, struct arena *arena,
                         struct map *scores, size_t *n_grams, struct why *why)
{
    struct str *grams = NULL;
    map_init(scores, arena);
    enum err err = grams_of(find, MOST_FIND, arena, &grams, n_grams, why);
    for (size_t i = 0; !err && i < *n_grams; i++) {
        struct store_rows rows;
        bool one = utf8_count(grams[i]) == 1;
        struct str like = str_printf(arena, "%%%.*s%%", STR_FMT(grams[i]));
        err = store_query(tx,
                          one ? "SELECT DISTINCT release FROM release_grams WHERE gram LIKE ?"
                              : "SELECT release FROM release_grams WHERE gram = ?",
                          STORE_ARGS(SV_STR(one ? like : grams[i])), arena, &rows, why);
        for (size_t k = 0; !err && k < rows.n_rows; k++) {
            struct map_entry *e = map_put(scores, store_str(&rows, k, 0), NULL);
            if (!e)
                return err_set(why, ERR_NO_MEMORY, "could not search");
            e->value.u++;
        }
    }
    return err;
}

struct found {
    size_t row;
    uint64_t score;
};

static void order(struct found *list, size_t n)
{
    for (size_t i = 1; i < n; i++) /* few, and nearly in order */
        for (size_t k = i; k > 0 && list[k].score > list[k - 1].score; k--) {
            struct found f = list[k];
            list[k] = list[k - 1];
            list[k - 1] = f;
        }
}

static enum err search(struct store_tx *tx, struct release *r, const struct ops_identity *who,
                       const struct release_search *s, struct arena *arena, struct json_out *out,
                       struct why *why)
{
    struct store_rows rows = {0};
    struct map scores;
    size_t n_grams = 0, n = 0;
    int grade = -1;
    if (s->grade.len && !release_grade_parse(s->grade, &grade))
        return err_set(why, ERR_INVALID, "\"grade\" is public, staff, department or restricted");
    enum err err = find_ids(tx, s->find, arena, &scores, &n_grams, why);
    if (!err)
        err = store_query(
            tx,
            "SELECT " COLUMNS " FROM release_offers o JOIN release_releases r ON r.id = o.release "
            "WHERE " VISIBLE " AND (? = 0 OR o.industry = ?) AND (? < 0 OR r.access = ?) ORDER BY "
            "o.changed_ms DESC LIMIT 5000",
            STORE_ARGS(SV_STR(who->tenant), SV_STR(who->tenant), SV_INT(s->industry.len > 0),
                       SV_STR(s->industry), SV_INT(grade), SV_INT(grade)),
            arena, &rows, why);
    struct found *list = err ? NULL : arena_array(arena, struct found, rows.n_rows + 1);
    if (!err && !list)
        err = err_set(why, ERR_NO_MEMORY, "could not search");
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct map_entry *e = map_find(&scores, store_str(&rows, i, 0));
        uint64_t score = e ? e->value.u : 0;
        if (may_read_class(who, store_int(&rows, i, 14)) && (!n_grams || score * 2 > n_grams))
            list[n++] = (struct found){i, score};
    }
    if (err)
        return err;
    order(list, n);
    size_t end = s->from + s->limit < n ? s->from + s->limit : n;
    json_begin_object(out);
    json_kv_int(out, "total", (int64_t)n);
    json_key(out, "items");
    json_begin_array(out);
    for (size_t i = s->from; !err && i < end; i++)
        err = put_offer(tx, r, who, &rows, list[i].row, arena, out, why);
    json_end_items(out, end < n ? str_printf(arena, "%zu", end) : STR(""));
    return err;
}

enum err release_catalogue_json(struct release *r, const struct ops_identity *who,
                                const struct release_search *s, struct arena *arena,
                                struct json_out *out, struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = may_see(who, why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = search(tx, r, who, s, arena, out, why);
    store_rollback(tx);
    return err;
}

enum err release_offer_json(struct release *r, const struct ops_identity *who, struct str id,
                            struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows rows = {0};
    enum err err = may_see(who, why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = store_query(tx,
                          "SELECT " COLUMNS " FROM release_offers o JOIN release_releases r ON "
                          "r.id = o.release WHERE o.release = ? AND " VISIBLE,
                          STORE_ARGS(SV_STR(id), SV_STR(who->tenant), SV_STR(who->tenant)), arena,
                          &rows, why);
    if (!err && (!rows.n_rows || !may_read_class(who, store_int(&rows, 0, 14))))
        err = err_set(why, ERR_NOT_FOUND, "there is no offer \"%.*s\"", SHOW(id));
    if (!err)
        err = put_offer(tx, r, who, &rows, 0, arena, out, why);
    store_rollback(tx);
    return err;
}

/* ---- offering ---- */

struct offer {
    struct str title, summary, industry, price_note, fields, sample;
    struct str tenants[MOST_TENANTS];
    size_t n_tenants;
    bool everybody;
};

static enum err read_fields(const struct json *json, struct arena *arena, struct str *out,
                            struct why *why)
{
    const struct json *list = json_get(json, "fields");
    struct buf buf;
    struct json_out o;
    enum err err = ERR_OK;
    buf_init(&buf, arena);
    json_out_init(&o, &buf);
    if (json_len(list) > MOST_FIELDS)
        return err_set(why, ERR_INVALID, "\"fields\" has at most %d entries", MOST_FIELDS);
    json_begin_array(&o);
    for (size_t i = 0; !err && i < json_len(list); i++) {
        struct str name, summary;
        err = text_of(json_at(list, i), "name", 1, 100, &name, why);
        if (!err)
            err = text_of(json_at(list, i), "summary", 0, 300, &summary, why);
        json_begin_object(&o);
        json_kv_str(&o, "name", err ? STR("") : name);
        json_kv_str(&o, "summary", err ? STR("") : summary);
        json_end_object(&o);
    }
    json_end_array(&o);
    *out = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

static enum err read_tenants(struct act *act, const struct json *json,
                             const struct release_row *row, struct offer *o, struct why *why)
{
    const struct json *list = json_get(json, "tenants");
    enum err err = ERR_OK;
    o->everybody = json_len(list) == 0;
    if (o->everybody && row->access != OPS_CLASS_PUBLIC)
        return err_set(why, ERR_INVALID,
                       "a release of grade %s is offered to tenants by name: \"tenants\"",
                       release_grades[row->access & 3]);
    if (json_len(list) > MOST_TENANTS)
        return err_set(why, ERR_INVALID, "\"tenants\" has at most %d entries", MOST_TENANTS);
    for (size_t i = 0; !err && i < json_len(list); i++) {
        struct ops_tenant tenant;
        err = tenant_find(act->release, json_str(json_at(list, i), STR("")), act->arena, &tenant,
                          why);
        if (!err)
            o->tenants[o->n_tenants++] = tenant.id;
    }
    return err;
}

/* The first records, cut: what a tenant sees before he asks. */
static enum err take_sample(struct act *act, const struct release_row *row, struct str *out,
                            struct why *why)
{
    struct ops_identity own = inside(row->tenant);
    struct data_reader *reader = NULL;
    struct buf buf;
    struct json_out o;
    buf_init(&buf, act->arena);
    json_out_init(&o, &buf);
    json_begin_array(&o);
    enum err err =
        data_reader_open(act->release->opts.data, &own, row->dataset, row->number, &reader, why);
    for (int64_t i = 0; !err && i < N_SAMPLE && i < data_reader_n(reader); i++) {
        struct data_record record;
        struct data_view view = {0};
        err =
            data_reader_at(reader, i * data_reader_n(reader) / N_SAMPLE, act->arena, &record, why);
        if (!err)
            err = data_view(row->kind, record.line, act->arena, &view, why);
        if (!err)
            json_put_str(&o,
                         utf8_prefix(str_slice(view.text, 0,
                                               utf8_floor(view.text, view.text.len < SAMPLE_BYTES
                                                                         ? view.text.len
                                                                         : SAMPLE_BYTES)),
                                     300));
    }
    json_end_array(&o);
    data_reader_close(reader);
    *out = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

static enum err write_offer(struct act *act, const struct release_row *row, const struct offer *o,
                            struct why *why)
{
    int64_t now = time_now_ms();
    enum err err = store_exec(
        act->tx,
        "INSERT INTO release_offers (release, tenant, title, summary, industry, fields, sample, "
        "price_note, everybody, state, created_ms, changed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "'offered', ?, ?) ON CONFLICT (release) DO UPDATE SET title = excluded.title, summary = "
        "excluded.summary, industry = excluded.industry, fields = excluded.fields, sample = "
        "excluded.sample, price_note = excluded.price_note, everybody = excluded.everybody, state "
        "= 'offered', changed_ms = excluded.changed_ms",
        STORE_ARGS(SV_STR(row->id), SV_STR(row->tenant), SV_STR(o->title), SV_STR(o->summary),
                   SV_STR(o->industry), SV_STR(o->fields), SV_STR(o->sample), SV_STR(o->price_note),
                   SV_INT(o->everybody), SV_INT(now), SV_INT(now)),
        NULL, why);
    if (!err)
        err = store_exec(act->tx, "DELETE FROM release_offered WHERE release = ?",
                         STORE_ARGS(SV_STR(row->id)), NULL, why);
    for (size_t i = 0; !err && i < o->n_tenants; i++)
        err = store_exec(act->tx,
                         "INSERT INTO release_offered (release, tenant) VALUES (?, ?) ON CONFLICT "
                         "DO NOTHING",
                         STORE_ARGS(SV_STR(row->id), SV_STR(o->tenants[i])), NULL, why);
    struct str words =
        str_printf(act->arena, "%.*s %.*s %.*s %.*s %.*s", STR_FMT(o->title), STR_FMT(o->summary),
                   STR_FMT(o->industry), STR_FMT(row->name), STR_FMT(o->fields));
    return err ? err : grams_put(act->tx, row->id, words, act->arena, why);
}

enum err release_offer(struct release *r, const struct ops_identity *who, struct str id,
                       const struct json *json, struct why *why)
{
    struct act act;
    struct release_row row;
    struct offer o = {0};
    enum err err = text_of(json, "title", 1, 200, &o.title, why);
    if (!err)
        err = text_of(json, "summary", 0, 4000, &o.summary, why);
    if (!err)
        err = text_of(json, "industry", 0, 50, &o.industry, why);
    if (!err)
        err = text_of(json, "price_note", 0, 500, &o.price_note, why);
    if (!err)
        err = release_act_begin(&act, r, who, "release.make", why);
    if (err)
        return err;
    err = release_own(act.tx, who, id, act.arena, &row, why);
    if (!err)
        err = release_usable(&row, why);
    if (!err)
        err = read_fields(json, act.arena, &o.fields, why);
    if (!err)
        err = read_tenants(&act, json, &row, &o, why);
    if (!err)
        err = take_sample(&act, &row, &o.sample, why);
    if (!err)
        err = write_offer(&act, &row, &o, why);
    return release_act_end(&act, err, "release.offer.put", id,
                           err ? STR_NONE
                               : detail_of(act.arena, "title", o.title, "to",
                                           o.everybody ? STR("everybody") : STR("tenants by name"),
                                           NULL),
                           why);
}

enum err release_offer_end(struct release *r, const struct ops_identity *who, struct str id,
                           struct why *why)
{
    struct act act;
    struct release_row row;
    int64_t changed = 0;
    enum err err = release_act_begin(&act, r, who, "release.make", why);
    if (err)
        return err;
    err = release_own(act.tx, who, id, act.arena, &row, why);
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE release_offers SET state = 'taken_back', changed_ms = ? WHERE "
                         "release = ? AND state = 'offered'",
                         STORE_ARGS(SV_INT(time_now_ms()), SV_STR(id)), &changed, why);
    if (!err && !changed)
        err = err_set(why, ERR_NOT_FOUND, "the release is not offered");
    return release_act_end(&act, err, "release.offer.end", id, STR_NONE, why);
}
