/* knowledge/documents - lists, pages of documents and versions, metadata by hand, removal. */
#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "knowledge/passage.h"
#include "knowledge/room.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MODEL 128 /* bytes of the name of a model */
#define MOST_LIST  200

/* ---- finding ---- */

struct place {
    const struct catalog **catalogs;
    size_t n, i; /* the one in use */
};

static void places_release(struct place *p)
{
    for (size_t i = 0; i < p->n; i++)
        catalog_release(p->catalogs[i]);
    p->n = 0;
}

static enum err no_version(struct str id, struct why *why)
{
    return err_set(why, ERR_NOT_FOUND, "there is no version \"%.*s\"",
                   (int)(id.len < 60 ? id.len : 60), id.ptr ? id.ptr : "");
}

enum err version_find(struct knowledge *k, const struct ops_identity *who, struct str id,
                      const struct catalog **catalog, const struct catalog_version **out,
                      struct why *why)
{
    struct arena *arena = arena_new((size_t)4 << 20);
    struct place p = {.n = 0};
    enum err err = arena ? catalog_all(k, who, arena, &p.catalogs, &p.n, why)
                         : err_set(why, ERR_NO_MEMORY, "could not look for a version");
    *out = NULL;
    for (size_t i = 0; i < p.n; i++) {
        const struct catalog_version *v = *out ? NULL : catalog_version(p.catalogs[i], id);
        if (v && catalog_may_read(v, who)) {
            *out = v;
            *catalog = p.catalogs[i];
        } else {
            catalog_release(p.catalogs[i]);
        }
    }
    arena_free(arena);
    return err || *out ? err : no_version(id, why);
}

/* The document in its catalog, when `who` may read one of its versions. */
static enum err document_find(struct knowledge *k, const struct ops_identity *who, const char *id,
                              struct arena *arena, struct place *p,
                              const struct catalog_document **out, struct why *why)
{
    enum err err = catalog_all(k, who, arena, &p->catalogs, &p->n, why);
    *out = NULL;
    for (p->i = 0; p->i < p->n && !err; p->i++) {
        const struct catalog *c = p->catalogs[p->i];
        for (uint32_t d = 0; d < c->n_documents; d++) {
            if (strcmp(c->documents[d].id, id) != 0)
                continue;
            for (uint32_t v = 0; v < c->documents[d].n; v++)
                if (catalog_may_read(&c->versions[c->documents[d].first + v], who))
                    *out = &c->documents[d];
        }
        if (*out)
            return ERR_OK;
    }
    if (!err)
        err = err_set(why, ERR_NOT_FOUND, "there is no document \"%.60s\"", id);
    places_release(p);
    return err;
}

/* ---- writing JSON ---- */

static void put_meta(struct json_out *out, const struct knowledge_meta *m)
{
    json_kv_str(out, "title", m->title);
    if (m->part.len)
        json_kv_str(out, "part", m->part);
    json_kv_c(out, "kind", kind_name(m->kind));
    json_kv_str(out, "number", m->number);
    json_kv_str(out, "issuer", m->issuer);
    json_kv_str(out, "region", m->region);
    json_kv_str(out, "department", m->department);
    json_kv_int(out, "level", m->level);
    json_kv_c(out, "access", access_name(m->access));
    json_kv_day(out, "published", m->published);
    json_kv_day(out, "effective", m->effective);
    json_kv_day(out, "expires", m->expires);
    json_kv_str(out, "replaced_by", m->replaced_by);
}

static void put_document(const struct catalog *c, const struct catalog_document *d,
                         const struct catalog_version *v, int32_t day, struct arena *arena,
                         struct json_out *out)
{
    json_kv_c(out, "id", d->id);
    json_kv_str(out, "kb", c->kb_name);
    put_meta(out, &v->meta);
    json_kv_c(out, "status", status_name(catalog_status(v, day)));
    json_kv_str(out, "status_text", status_words(v, day, arena));
    json_kv_int(out, "n_versions", d->n);
    json_kv_int(out, "n_passages", d->n_passages);
    json_kv_int(out, "revision", d->revision);
    json_kv_c(out, "version_id", v->id);
}

static void put_version(const struct catalog_version *v, int32_t day, bool shown,
                        struct arena *arena, struct json_out *out)
{
    char time[TIME_TEXT];
    json_begin_object(out);
    json_kv_c(out, "id", v->id);
    json_kv_str(out, "label", v->label);
    json_kv_str(out, "number", v->meta.number);
    json_kv_day(out, "published", v->meta.published);
    json_kv_day(out, "effective", v->meta.effective);
    json_kv_day(out, "expires", v->meta.expires);
    json_kv_day(out, "until", v->until > 0 ? v->until : DAY_NONE);
    json_kv_c(out, "status", status_name(catalog_status(v, day)));
    json_kv_str(out, "status_text", status_words(v, day, arena));
    json_kv_int(out, "n_passages", v->n_passages);
    json_kv_str(out, "source_path", v->name);
    json_kv_str(out, "format", v->format);
    json_kv_str(out, "object", v->object);
    json_kv_int(out, "revision", v->revision);
    json_kv_bool(out, "current", shown);
    json_kv_c(out, "created_at", time_format(v->created_ms, time));
    json_end_object(out);
}

/* ---- lists ---- */

static bool contains(struct str whole, struct str part)
{
    return !part.len || str_find(whole, part) != STR_NPOS;
}

/* The version of a document that `who` sees in lists; NULL when there is none. */
static const struct catalog_version *shown_to(const struct catalog *c,
                                              const struct catalog_document *d,
                                              const struct ops_identity *who, int32_t day)
{
    const struct catalog_version *v = catalog_shown(c, d, day);
    for (uint32_t i = 0; i < d->n && (!v || !catalog_may_read(v, who)); i++)
        v = &c->versions[d->first + i];
    return v && catalog_may_read(v, who) ? v : NULL;
}

static bool passes(const struct document_filter *f, const struct catalog_version *v, int32_t day)
{
    bool named = contains(v->meta.title, f->text) || contains(v->meta.number, f->text) ||
                 contains(v->name, f->text);
    return named && (!f->status.len || str_eq_c(f->status, status_name(catalog_status(v, day)))) &&
           (!f->kind.len || str_eq_c(f->kind, kind_name(v->meta.kind)));
}

enum err documents_json(struct knowledge *k, const struct ops_identity *who,
                        const struct document_filter *filter, struct arena *arena,
                        struct json_out *out, struct why *why)
{
    const struct catalog *c = NULL;
    size_t limit = filter->limit ? filter->limit : 50, n = 0;
    int32_t day = day_today();
    const char *next = NULL;
    enum err err = catalog_of(k, who, filter->kb, &c, why);
    if (err)
        return err;
    if (limit > MOST_LIST)
        limit = MOST_LIST;
    json_begin_items(out);
    /* By id: in the order they came; the cursor is the last id shown. */
    for (uint32_t d = 0; d < c->n_documents; d++) {
        const struct catalog_document *document = &c->documents[d];
        if (filter->after.len && str_cmp(str_c(document->id), filter->after) <= 0)
            continue;
        const struct catalog_version *v = shown_to(c, document, who, day);
        if (!v || !passes(filter, v, day))
            continue;
        if (n == limit)
            break;
        n++;
        next = document->id;
        json_begin_object(out);
        put_document(c, document, v, day, arena, out);
        json_end_object(out);
    }
    json_end_items(out, n == limit ? str_c(next) : STR(""));
    catalog_release(c);
    return ERR_OK;
}

enum err document_json(struct knowledge *k, const struct ops_identity *who, const char *id,
                       struct arena *arena, struct json_out *out, int64_t *revision,
                       struct why *why)
{
    struct place p = {.n = 0};
    const struct catalog_document *d = NULL;
    int32_t day = day_today();
    enum err err = document_find(k, who, id, arena, &p, &d, why);
    if (err)
        return err;
    assert(d);
    const struct catalog *c = p.catalogs[p.i];
    const struct catalog_version *v = shown_to(c, d, who, day);
    *revision = d->revision;
    json_begin_object(out);
    put_document(c, d, v, day, arena, out);
    json_key(out, "versions");
    json_begin_array(out);
    for (uint32_t i = 0; i < d->n; i++) {
        const struct catalog_version *one = &c->versions[d->first + i];
        if (catalog_may_read(one, who))
            put_version(one, day, one == v, arena, out);
    }
    json_end_array(out);
    json_end_object(out);
    places_release(&p);
    return ERR_OK;
}

/* ---- what ends or begins soon ---- */

enum err statuses_json(struct knowledge *k, const struct ops_identity *who, struct arena *arena,
                       struct json_out *out, struct why *why)
{
    struct place p = {.n = 0};
    int64_t counts[KNOWLEDGE_SUPERSEDED + 1] = {0};
    int32_t today = day_today();
    enum err err = catalog_all(k, who, arena, &p.catalogs, &p.n, why);
    for (size_t i = 0; i < p.n && !err; i++) {
        const struct catalog *c = p.catalogs[i];
        for (uint32_t d = 0; d < c->n_documents; d++) {
            const struct catalog_version *v = shown_to(c, &c->documents[d], who, today);
            if (v)
                counts[catalog_status(v, today)]++;
        }
    }
    places_release(&p);
    if (err)
        return err;
    json_begin_object(out);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_kv_int(out, status_name((enum knowledge_status)i), counts[i]);
    json_end_object(out);
    return ERR_OK;
}

struct soon {
    const struct catalog *catalog;
    const struct catalog_version *version;
    int32_t day;
    bool begins;
};

static int by_day(const void *a, const void *b)
{
    const struct soon *x = a, *y = b;
    return x->day != y->day ? (x->day < y->day ? -1 : 1) : strcmp(x->version->id, y->version->id);
}

static size_t collect_soon(const struct place *p, const struct ops_identity *who, int32_t today,
                           int days, struct soon *out, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct catalog *c = p->catalogs[i];
        for (uint32_t j = 0; j < c->n_versions && n < most; j++) {
            const struct catalog_version *v = &c->versions[j];
            enum knowledge_status status = catalog_status(v, today);
            bool begins = status == KNOWLEDGE_NOT_YET && v->from <= today + days;
            bool ends =
                status == KNOWLEDGE_IN_FORCE && v->until != DAY_NONE && v->until <= today + days;
            if ((begins || ends) && catalog_may_read(v, who))
                out[n++] = (struct soon){c, v, begins ? v->from : v->until, begins};
        }
    }
    return n;
}

static void put_soon(const struct soon *s, int32_t today, struct arena *arena, struct json_out *out)
{
    const struct catalog_document *d = &s->catalog->documents[s->version->document];
    const char *reason = s->begins ? "begins" : s->version->superseded ? "superseded" : "ends";
    json_begin_object(out);
    put_document(s->catalog, d, s->version, today, arena, out);
    json_kv_c(out, "reason", reason);
    json_kv_day(out, "day", s->day);
    json_kv_int(out, "days", s->day - today);
    json_end_object(out);
}

enum err expiring_json(struct knowledge *k, const struct ops_identity *who, int days, size_t limit,
                       struct arena *arena, struct json_out *out, struct why *why)
{
    struct place p = {.n = 0};
    int32_t today = day_today();
    size_t most = 0;
    enum err err = catalog_all(k, who, arena, &p.catalogs, &p.n, why);
    for (size_t i = 0; i < p.n; i++)
        most += p.catalogs[i]->n_versions;
    struct soon *list = err ? NULL : arena_array(arena, struct soon, most + 1);
    if (!err && !list)
        err = err_set(why, ERR_NO_MEMORY, "could not list what expires");
    if (!err && list) {
        size_t n = collect_soon(&p, who, today, days, list, most);
        qsort(list, n, sizeof *list, by_day);
        json_begin_items(out);
        for (size_t i = 0; i < n && i < limit; i++)
            put_soon(&list[i], today, arena, out);
        json_end_items(out, STR(""));
    }
    places_release(&p);
    return err;
}

/* ---- a version's text ---- */

/* Units of UTF-16 in s: what a browser counts in. */
static size_t utf16_units(struct str s)
{
    size_t n = 0;
    for (size_t at = 0; at < s.len;)
        n += utf8_next(s, &at) > 0xFFFF ? 2 : 1;
    return n;
}

static void put_passages(const struct catalog_version *v, struct str text,
                         const struct passage *passages, size_t n, struct json_out *out)
{
    size_t at = 0, units = 0; /* passages come in text order: count on from the one before */
    char id[PASSAGE_ID_TEXT];
    for (size_t i = 0; i < n; i++) {
        const struct passage *p = &passages[i];
        if (p->start < at) {
            at = 0;
            units = 0;
        }
        units += utf16_units(str_slice(text, at, p->start));
        at = p->start;
        json_begin_object(out);
        json_kv_c(out, "id", passage_id(v->id, (uint32_t)i, id));
        json_kv_str(out, "article", p->label);
        json_kv_str(out, "path", p->path);
        json_kv_str(out, "field", p->field);
        json_kv_int(out, "start", (int64_t)p->start);
        json_kv_int(out, "len", (int64_t)p->len);
        json_kv_int(out, "start_char", (int64_t)units);
        json_kv_int(out, "len_char",
                    (int64_t)utf16_units(str_slice(text, p->start, p->start + p->len)));
        json_end_object(out);
    }
}

enum err version_text_json(struct knowledge *k, const struct ops_identity *who, const char *id,
                           struct arena *arena, struct json_out *out, struct why *why)
{
    const struct catalog *c = NULL;
    const struct catalog_version *v = NULL;
    struct passage *passages = NULL;
    size_t n = 0;
    struct str text = STR_NONE;
    int32_t day = day_today();
    enum err err = version_find(k, who, str_c(id), &c, &v, why);
    if (err)
        return err;
    assert(c && v);
    err = catalog_text(k, v, 0, v->text_len, arena, &text, why);
    if (!err)
        err = catalog_passages(k, v, arena, &passages, &n, why);
    if (!err) {
        json_begin_object(out);
        json_kv_c(out, "document_id", c->documents[v->document].id);
        json_kv_c(out, "version_id", v->id);
        json_kv_str(out, "title", v->meta.title);
        json_kv_str(out, "text", text);
        json_key(out, "passages");
        json_begin_array(out);
        put_passages(v, text, passages, n, out);
        json_end_array(out);
        json_key(out, "meta");
        json_begin_object(out);
        put_meta(out, &v->meta);
        json_kv_str(out, "kb", c->kb_name);
        json_kv_str(out, "label", v->label);
        json_kv_c(out, "status", status_name(catalog_status(v, day)));
        json_kv_str(out, "status_text", status_words(v, day, arena));
        json_end_object(out);
        json_end_object(out);
    }
    catalog_release(c);
    return err;
}

/* ---- by hand ---- */

static enum err check_revision(int64_t is, int64_t want, struct why *why)
{
    if (want < 0 || want == is)
        return ERR_OK;
    return err_set(why, ERR_PRECONDITION, "somebody else changed it in the meantime");
}

struct change {
    struct knowledge *k;
    const struct ops_identity *who;
    struct store_tx *tx;
    struct arena *arena;
};

static enum err end_change(struct change *c, enum err err, const char *base_id, const char *action,
                           const char *id, struct str detail, struct why *why)
{
    if (!err)
        err = base_touch(c->tx, base_id, why);
    if (!err)
        err = ops_audit(c->tx, c->who, action, id, "ok", detail, why);
    if (err) {
        store_rollback(c->tx);
        return err;
    }
    return store_commit(c->tx, why);
}

/* The overrides of a row of kb_documents or kb_versions with the change over them. */
static enum err change_row(struct change *c, const char *table, const char *id, int64_t revision,
                           const struct json *json, bool of_version, struct why *why)
{
    struct store_rows rows;
    struct str overrides = STR(""), sql;
    bool any = false;
    sql = str_printf(c->arena, "SELECT overrides, revision FROM %s WHERE id = ?", table);
    enum err err = sql.ptr ? store_query(c->tx, sql.ptr, STORE_ARGS(SV_C(id)), c->arena, &rows, why)
                           : err_set(why, ERR_NO_MEMORY, "could not change a document");
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "it is not there any more");
    if (!err)
        err = check_revision(store_int(&rows, 0, 1), revision, why);
    if (!err)
        err = overrides_merge(store_str(&rows, 0, 0), json, of_version, c->arena, &overrides, &any,
                              why);
    if (err || (!any && revision < 0))
        return err;
    sql = str_printf(c->arena, "UPDATE %s SET overrides = ?, revision = revision + 1 WHERE id = ?",
                     table);
    return sql.ptr ? store_exec(c->tx, sql.ptr, STORE_ARGS(SV_STR(overrides), SV_C(id)), NULL, why)
                   : err_set(why, ERR_NO_MEMORY, "could not change a document");
}

enum err document_change(struct knowledge *k, const struct ops_identity *who, const char *id,
                         int64_t revision, const struct json *json, struct arena *arena,
                         struct why *why)
{
    struct place p = {.n = 0};
    const struct catalog_document *d = NULL;
    struct change c = {k, who, NULL, arena};
    struct str detail = STR_NONE;
    enum err err = document_find(k, who, id, arena, &p, &d, why);
    if (err)
        return err;
    assert(d);
    const struct catalog *catalog = p.catalogs[p.i];
    const struct catalog_version *v = shown_to(catalog, d, who, day_today());
    err = json_dump(json, arena, &detail, why);
    if (!err)
        err = store_begin(k->opts.store, STORE_WRITE, &c.tx, why);
    if (!err) {
        err = change_row(&c, "kb_documents", d->id, revision, json, false, why);
        if (!err)
            err = change_row(&c, "kb_versions", v->id, -1, json, true, why);
        err = end_change(&c, err, catalog->kb_id, "knowledge.document.change", id, detail, why);
    }
    places_release(&p);
    return err;
}

enum err version_change(struct knowledge *k, const struct ops_identity *who, const char *id,
                        int64_t revision, const struct json *json, struct arena *arena,
                        struct why *why)
{
    const struct catalog *catalog = NULL;
    const struct catalog_version *v = NULL;
    struct change c = {k, who, NULL, arena};
    struct str detail = STR_NONE;
    enum err err = version_find(k, who, str_c(id), &catalog, &v, why);
    if (err)
        return err;
    assert(catalog && v);
    err = json_dump(json, arena, &detail, why);
    if (!err)
        err = store_begin(k->opts.store, STORE_WRITE, &c.tx, why);
    if (!err) {
        err = change_row(&c, "kb_versions", v->id, revision, json, true, why);
        if (!err)
            err = change_row(&c, "kb_documents", catalog->documents[v->document].id, -1, json,
                             false, why);
        err = end_change(&c, err, catalog->kb_id, "knowledge.version.change", id, detail, why);
    }
    catalog_release(catalog);
    return err;
}

enum err document_remove(struct knowledge *k, const struct ops_identity *who, const char *id,
                         int64_t revision, struct arena *arena, struct why *why)
{
    struct place p = {.n = 0};
    const struct catalog_document *d = NULL;
    struct change c = {k, who, NULL, arena};
    enum err err = document_find(k, who, id, arena, &p, &d, why);
    if (err)
        return err;
    assert(d);
    const struct catalog *catalog = p.catalogs[p.i];
    const struct catalog_version *v = shown_to(catalog, d, who, day_today());
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "title", v->meta.title);
    json_end_object(&out);
    err = check_revision(d->revision, revision, why);
    if (!err)
        err = store_begin(k->opts.store, STORE_WRITE, &c.tx, why);
    if (!err) {
        static const char *const sql[] = {
            "DELETE FROM kb_repeals WHERE version IN (SELECT id FROM kb_versions WHERE document = "
            "?)",
            /* Its files count as not read: given again, they come back. */
            "DELETE FROM kb_sources WHERE path IN (SELECT source FROM kb_versions WHERE document = "
            "?)",
            "DELETE FROM kb_versions WHERE document = ?", "DELETE FROM kb_documents WHERE id = ?"};
        for (size_t i = 0; i < sizeof sql / sizeof sql[0] && !err; i++)
            err = store_exec(c.tx, sql[i], STORE_ARGS(SV_C(d->id)), NULL, why);
        err = end_change(&c, err, catalog->kb_id, "knowledge.document.delete", id, buf_str(&buf),
                         why);
    }
    places_release(&p);
    return err;
}

/* ---- bases ---- */

enum err base_change(struct knowledge *k, const struct ops_identity *who, struct str name,
                     const struct json *json, struct arena *arena, struct why *why)
{
    struct base base = {.id = ""};
    struct change c = {k, who, NULL, arena};
    struct str detail = STR_NONE;
    enum err err = base_find(k, who, name, arena, &base, why);
    if (err)
        return err;
    enum ops_class access = base.access;
    struct str title = json_get_str(json, "title", base.title);
    struct str word = json_get_str(json, "access", str_c(access_name(access)));
    if (!access_parse(word, &access))
        return err_set(why, ERR_INVALID, "\"access\" is public, staff, department or restricted");
    if (!title.len || title.len > 300)
        return err_set(why, ERR_INVALID, "\"title\" has 1 to 300 bytes");
    struct str writer = json_get_str(json, "writer", base.writer);
    struct str embedder = json_get_str(json, "embedder", base.embedder);
    struct str reranker = json_get_str(json, "reranker", base.reranker);
    if (writer.len > MOST_MODEL || embedder.len > MOST_MODEL || reranker.len > MOST_MODEL)
        return err_set(why, ERR_INVALID, "the name of a model has at most %d bytes", MOST_MODEL);
    err = json_dump(json, arena, &detail, why);
    if (!err)
        err = store_begin(k->opts.store, STORE_WRITE, &c.tx, why);
    if (err)
        return err;
    err = store_exec(c.tx,
                     "UPDATE kb_bases SET title = ?, access = ?, writer = ?, embedder = ?, "
                     "reranker = ? WHERE id = ?",
                     STORE_ARGS(SV_STR(title), SV_INT(access), SV_STR(writer), SV_STR(embedder),
                                SV_STR(reranker), SV_C(base.id)),
                     NULL, why);
    return end_change(&c, err, base.id, "knowledge.base.change", base.id, detail, why);
}

enum err base_remove(struct knowledge *k, const struct ops_identity *who, struct str name,
                     struct arena *arena, struct why *why)
{
    struct base base = {.id = ""};
    struct store_tx *tx = NULL;
    enum err err = base_find(k, who, name, arena, &base, why);
    if (!err)
        err = store_begin(k->opts.store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    static const char *const sql[] = {
        "DELETE FROM kb_repeals WHERE kb = ?",  "DELETE FROM kb_sources WHERE kb = ?",
        "DELETE FROM kb_versions WHERE kb = ?", "DELETE FROM kb_documents WHERE kb = ?",
        "DELETE FROM kb_segments WHERE kb = ?", "DELETE FROM kb_bases WHERE id = ?"};
    for (size_t i = 0; i < sizeof sql / sizeof sql[0] && !err; i++)
        err = store_exec(tx, sql[i], STORE_ARGS(SV_C(base.id)), NULL, why);
    if (!err)
        err = ops_audit(tx, who, "knowledge.base.delete", base.id, "ok", STR_NONE, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}
