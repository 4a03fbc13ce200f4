/* knowledge/catalog - the versions of a base in memory. */
#include "knowledge/catalog.h"

#include "core/arena.h"
#include "knowledge/meta.h"
#include "knowledge/passage.h"
#include "knowledge/room.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CATALOG_MEMORY ((size_t)1 << 30)
#define PASSAGES_FROM  "SELECT passages FROM kb_versions WHERE id = ?"

/* A catalog with what keeps it alive. The catalog stands first: a pointer to it is one to this. */
struct snapshot {
    struct catalog catalog;
    atomic_int references;
    struct arena *arena;
    struct snapshot *next; /* in the cache */
};

struct catalog_cache {
    pthread_mutex_t lock;
    struct snapshot *first; /* one for each base, the newest made here */
};

struct catalog_cache *catalog_cache_new(void)
{
    struct catalog_cache *cache = calloc(1, sizeof *cache);
    if (cache && pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return NULL;
    }
    return cache;
}

static void drop(struct snapshot *snapshot)
{
    if (snapshot && atomic_fetch_sub(&snapshot->references, 1) == 1) {
        arena_free(snapshot->arena);
        free(snapshot);
    }
}

void catalog_release(const struct catalog *catalog)
{
    drop((struct snapshot *)(uintptr_t)catalog);
}

void catalog_cache_free(struct catalog_cache *cache)
{
    if (!cache)
        return;
    while (cache->first) {
        struct snapshot *first = cache->first;
        cache->first = first->next;
        drop(first);
    }
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
}

char *segment_path(const struct knowledge *k, const char *base_id, const char *segment_id,
                   struct arena *arena)
{
    return (char *)str_printf(arena, "%s/%s/%s.seg", k->index_dir, base_id, segment_id).ptr;
}

/* ---- reading the tables ---- */

struct loading {
    struct knowledge *k;
    struct store_tx *tx;
    struct snapshot *snapshot;
    struct map segments;  /* id -> index */
    struct map documents; /* id -> index */
    struct map keys;      /* document key -> index of the document */
    struct str *keys_of;  /* (n_documents) */
    struct str *hand_of;  /* what was set by hand, (n_documents) */
    size_t n;             /* versions read so far */
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the catalog of a knowledge base");
}

enum ops_class catalog_access(enum ops_class base, bool said, enum ops_class text, bool set,
                              enum ops_class hand)
{
    /* A person's word replaces the text's; neither opens what the base closes. */
    enum ops_class own = set ? hand : said ? text : OPS_CLASS_PUBLIC;
    return own > base ? own : base;
}

static void id_into(char out[UUID_TEXT], struct str id)
{
    size_t n = id.len < UUID_TEXT - 1 ? id.len : UUID_TEXT - 1;
    memcpy(out, id.len ? id.ptr : "", n);
    out[n] = '\0';
}

static enum err load_segments(struct loading *l, struct why *why)
{
    struct catalog *c = &l->snapshot->catalog;
    struct store_rows rows;
    enum err err = store_query(l->tx, "SELECT id FROM kb_segments WHERE kb = ? ORDER BY id",
                               STORE_ARGS(SV_C(c->kb_id)), l->snapshot->arena, &rows, why);
    if (err)
        return err;
    c->segments = arena_array(l->snapshot->arena, struct catalog_segment, rows.n_rows + 1);
    if (!c->segments)
        return no_memory(why);
    for (size_t i = 0; i < rows.n_rows; i++) {
        struct catalog_segment *segment = &c->segments[i];
        id_into(segment->id, store_str(&rows, i, 0));
        segment->path = str_c(segment_path(l->k, c->kb_id, segment->id, l->snapshot->arena));
        struct map_entry *entry = map_put(&l->segments, store_str(&rows, i, 0), NULL);
        if (!segment->path.len || !entry)
            return no_memory(why);
        entry->value.u = i;
    }
    c->n_segments = (uint32_t)rows.n_rows;
    return ERR_OK;
}

static enum err load_documents(struct loading *l, struct why *why)
{
    struct catalog *c = &l->snapshot->catalog;
    struct arena *arena = l->snapshot->arena;
    struct store_rows rows;
    enum err err = store_query(
        l->tx, "SELECT id, doc_key, overrides, revision FROM kb_documents WHERE kb = ? ORDER BY id",
        STORE_ARGS(SV_C(c->kb_id)), arena, &rows, why);
    if (err)
        return err;
    c->documents = arena_array(arena, struct catalog_document, rows.n_rows + 1);
    l->keys_of = arena_array(arena, struct str, rows.n_rows + 1);
    l->hand_of = arena_array(arena, struct str, rows.n_rows + 1);
    if (!c->documents || !l->keys_of || !l->hand_of)
        return no_memory(why);
    for (size_t i = 0; i < rows.n_rows; i++) {
        id_into(c->documents[i].id, store_str(&rows, i, 0));
        c->documents[i].revision = store_int(&rows, i, 3);
        l->keys_of[i] = store_str(&rows, i, 1);
        l->hand_of[i] = store_str(&rows, i, 2);
        struct map_entry *by_id = map_put(&l->documents, store_str(&rows, i, 0), NULL);
        if (by_id)
            by_id->value.u = i;
        struct map_entry *by_key = map_put(&l->keys, l->keys_of[i], NULL);
        if (!by_id || !by_key)
            return no_memory(why);
        by_key->value.u = i;
    }
    c->n_documents = (uint32_t)rows.n_rows;
    return ERR_OK;
}

#define VERSION_COLUMNS                                                                            \
    "id, document, segment, name, format, object, text_object, text_start, text_len, n_passages, " \
    "overrides, revision, created_ms, "
#define VERSION_META 13 /* column where META_COLUMNS begin */

static struct str keep(struct loading *l, struct str s)
{
    return s.len ? str_copy(l->snapshot->arena, s) : STR("");
}

static enum err keep_meta(struct loading *l, struct knowledge_meta *m, struct why *why)
{
    struct str *texts[] = {&m->title,  &m->part,   &m->key,        &m->issuer,
                           &m->number, &m->region, &m->department, &m->replaced_by};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = keep(l, *texts[i]);
        if (!texts[i]->ptr)
            return no_memory(why);
    }
    return ERR_OK;
}

/* The department's id is only asked for where it guards something. */
static struct str department_id(struct loading *l, const struct catalog_version *v)
{
    struct str id = STR("");
    struct why none = {0};
    char *tenant = str_z(l->snapshot->arena, l->snapshot->catalog.tenant);
    if (v->meta.access != OPS_CLASS_DEPARTMENT || !l->k->opts.ops || !tenant ||
        ops_department_find(l->k->opts.ops, tenant, v->meta.department, l->snapshot->arena, &id,
                            &none))
        return STR("");
    return id;
}

static enum err load_version(void *ctx, const struct store_rows *row, struct why *why)
{
    struct loading *l = ctx;
    struct catalog *c = &l->snapshot->catalog;
    struct map_entry *document = map_find(&l->documents, store_str(row, 0, 1));
    struct map_entry *segment = map_find(&l->segments, store_str(row, 0, 2));
    if (!document || l->n >= c->n_versions)
        return ERR_OK;
    struct catalog_version *v = &c->versions[l->n++];
    bool said = false, set = false;
    id_into(v->id, store_str(row, 0, 0));
    v->document = (uint32_t)document->value.u;
    v->segment = segment ? (uint32_t)segment->value.u : UINT32_MAX;
    v->name = keep(l, store_str(row, 0, 3));
    v->format = keep(l, store_str(row, 0, 4));
    v->object = keep(l, store_str(row, 0, 5));
    v->text_object = keep(l, store_str(row, 0, 6));
    v->text_start = (size_t)store_int(row, 0, 7);
    v->text_len = (size_t)store_int(row, 0, 8);
    v->n_passages = (uint32_t)store_int(row, 0, 9);
    v->revision = store_int(row, 0, 11);
    v->created_ms = store_int(row, 0, 12);
    meta_from_row(row, 0, VERSION_META, &v->meta, &said, &v->label);
    v->label = keep(l, v->label);
    enum ops_class text = v->meta.access;
    /* First what the import said of this file, then what a person set: the person wins. */
    enum err err =
        overrides_apply(keep(l, store_str(row, 0, 10)), l->snapshot->arena, &v->meta, &set, why);
    if (!err)
        err = overrides_apply(l->hand_of[v->document], l->snapshot->arena, &v->meta, &set, why);
    if (!err)
        err = keep_meta(l, &v->meta, why);
    v->meta.access = catalog_access(c->access, said, text, set, v->meta.access);
    v->department_id = department_id(l, v);
    if (!err && (!v->object.ptr || !v->text_object.ptr || !v->label.ptr))
        err = no_memory(why);
    return err;
}

static int32_t first_day(const struct catalog_version *v)
{
    return v->meta.effective != DAY_NONE ? v->meta.effective : v->meta.published;
}

/* Versions of one document together, newest first; those without a day last, as they came. */
static int compare(const void *a, const void *b)
{
    const struct catalog_version *x = a, *y = b;
    if (x->document != y->document)
        return x->document < y->document ? -1 : 1;
    int32_t dx = first_day(x), dy = first_day(y);
    if (dx != dy)
        return dx > dy ? -1 : 1;
    if (x->meta.published != y->meta.published)
        return x->meta.published > y->meta.published ? -1 : 1;
    return -strcmp(x->id, y->id);
}

static enum err load_versions(struct loading *l, struct why *why)
{
    struct catalog *c = &l->snapshot->catalog;
    struct store_rows rows;
    enum err err = store_query(l->tx, "SELECT COUNT(*) FROM kb_versions WHERE kb = ?",
                               STORE_ARGS(SV_C(c->kb_id)), l->snapshot->arena, &rows, why);
    if (err)
        return err;
    c->n_versions = (uint32_t)store_int(&rows, 0, 0);
    c->versions = arena_array(l->snapshot->arena, struct catalog_version, c->n_versions + 1);
    if (!c->versions)
        return no_memory(why);
    err = store_each(l->tx, "SELECT " VERSION_COLUMNS META_COLUMNS " FROM kb_versions WHERE kb = ?",
                     STORE_ARGS(SV_C(c->kb_id)), load_version, l, why);
    if (err)
        return err;
    c->n_versions = (uint32_t)l->n;
    qsort(c->versions, c->n_versions, sizeof *c->versions, compare);
    for (uint32_t i = 0; i < c->n_versions; i++) {
        struct catalog_document *d = &c->documents[c->versions[i].document];
        if (!d->n)
            d->first = i;
        d->n++;
        d->n_passages += c->versions[i].n_passages;
        struct map_entry *entry = map_put(&c->by_id, str_c(c->versions[i].id), NULL);
        if (!entry)
            return no_memory(why);
        entry->value.u = i;
    }
    return ERR_OK;
}

/* ---- when a version is in force ---- */

static void end_by(struct catalog_version *v, int32_t day, bool newer)
{
    if (day != DAY_NONE && (v->until == DAY_NONE || day < v->until)) {
        v->until = day;
        v->superseded = newer;
    }
}

/* By its own term, by its own word, and by the next version of the same document. */
static void settle(struct catalog *c)
{
    for (uint32_t d = 0; d < c->n_documents; d++) {
        struct catalog_version *versions = &c->versions[c->documents[d].first];
        for (uint32_t i = 0; i < c->documents[d].n; i++) {
            struct catalog_version *v = &versions[i];
            v->from = first_day(v);
            v->until = v->meta.expires;
            v->superseded = v->meta.repealed && v->meta.replaced_by.len > 0;
            if (v->meta.repealed && v->until == DAY_NONE)
                v->until = v->from != DAY_NONE ? v->from : 0; /* over, nobody says since when */
            if (i == 0)
                continue;
            /* Without a day, the one that came later counts from the beginning. */
            int32_t next = versions[i - 1].from;
            end_by(v, next != DAY_NONE ? next : INT32_MIN + 1, true);
        }
    }
}

static bool same_number(struct str a, struct str b)
{
    struct str x = meta_number(a), y = meta_number(b);
    return !a.len || !b.len || str_eq(x.len ? x : a, y.len ? y : b);
}

static enum err load_repeal(void *ctx, const struct store_rows *row, struct why *why)
{
    struct loading *l = ctx;
    struct catalog *c = &l->snapshot->catalog;
    (void)why;
    struct map_entry *by = map_find(&c->by_id, store_str(row, 0, 0));
    struct map_entry *what = map_find(&l->keys, store_str(row, 0, 1));
    if (!by || !what)
        return ERR_OK;
    const struct catalog_version *newer = &c->versions[by->value.u];
    const struct catalog_document *document = &c->documents[what->value.u];
    int32_t day = store_is_null(row, 0, 3) ? newer->from : (int32_t)store_int(row, 0, 3);
    for (uint32_t i = 0; i < document->n && day != DAY_NONE; i++) {
        struct catalog_version *v = &c->versions[document->first + i];
        bool older = v->from == DAY_NONE || v->from < newer->from;
        if (v == newer || v->document == newer->document || !older ||
            !same_number(store_str(row, 0, 2), v->meta.number))
            continue;
        end_by(v, day, true);
        if (v->until == day && !v->meta.replaced_by.len)
            v->meta.replaced_by = newer->meta.title;
    }
    return ERR_OK;
}

/* ---- making and finding snapshots ---- */

static enum err load(struct knowledge *k, const struct base *base, struct snapshot *s,
                     struct why *why)
{
    struct catalog *c = &s->catalog;
    struct loading l = {.k = k, .snapshot = s};
    struct arena *scratch = arena_new(CATALOG_MEMORY);
    if (!scratch)
        return no_memory(why);
    map_init(&l.segments, scratch);
    map_init(&l.documents, scratch);
    map_init(&l.keys, scratch);
    map_init(&c->by_id, s->arena);
    memcpy(c->kb_id, base->id, sizeof c->kb_id);
    c->kb_name = str_copy(s->arena, base->name);
    c->kb_title = str_copy(s->arena, base->title);
    c->tenant = str_copy(s->arena, base->tenant);
    c->access = base->access;
    struct store_rows rows;
    enum err err = c->kb_name.ptr && c->kb_title.ptr && c->tenant.ptr ? ERR_OK : no_memory(why);
    if (!err)
        err = store_begin(k->opts.store, STORE_READ, &l.tx, why);
    /* The revision of this very state: the base may have moved on since it was asked for. */
    if (!err)
        err = store_query(l.tx,
                          "SELECT revision, access, embedder, reranker FROM kb_bases WHERE id = ?",
                          STORE_ARGS(SV_C(base->id)), scratch, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "the knowledge base is not there any more");
    if (!err) {
        c->revision = store_int(&rows, 0, 0);
        c->access = (enum ops_class)store_int(&rows, 0, 1);
        c->embedder = str_copy(s->arena, store_str(&rows, 0, 2));
        c->reranker = str_copy(s->arena, store_str(&rows, 0, 3));
        c->dir = str_printf(s->arena, "%s/%s", k->index_dir, base->id);
        err = c->embedder.ptr && c->reranker.ptr && c->dir.ptr ? ERR_OK : no_memory(why);
    }
    if (!err) {
        err = load_segments(&l, why);
    }
    if (!err)
        err = load_documents(&l, why);
    if (!err)
        err = load_versions(&l, why);
    if (!err) {
        settle(c);
        err = store_each(l.tx,
                         "SELECT version, doc_key, number, from_day FROM kb_repeals WHERE kb = ?",
                         STORE_ARGS(SV_C(base->id)), load_repeal, &l, why);
    }
    store_rollback(l.tx);
    arena_free(scratch);
    return err;
}

static enum err make(struct knowledge *k, const struct base *base, struct snapshot **out,
                     struct why *why)
{
    struct snapshot *s = calloc(1, sizeof *s);
    struct arena *arena = arena_new(CATALOG_MEMORY);
    if (!s || !arena) {
        free(s);
        arena_free(arena);
        return no_memory(why);
    }
    s->arena = arena;
    atomic_init(&s->references, 1);
    enum err err = load(k, base, s, why);
    if (err) {
        drop(s);
        return err;
    }
    *out = s;
    return ERR_OK;
}

/* The newest snapshot in memory, with a reference taken, or NULL. The lock is held. */
static struct snapshot *cached(struct catalog_cache *cache, const struct base *base)
{
    for (struct snapshot *s = cache->first; s; s = s->next)
        if (strcmp(s->catalog.kb_id, base->id) == 0 && s->catalog.revision >= base->revision) {
            (void)atomic_fetch_add(&s->references, 1);
            return s;
        }
    return NULL;
}

/* Puts `s` in the place of an older one. The lock is held; the cache takes its own reference. */
static void publish(struct catalog_cache *cache, struct snapshot *s)
{
    for (struct snapshot **at = &cache->first; *at; at = &(*at)->next) {
        struct snapshot *old = *at;
        if (strcmp(old->catalog.kb_id, s->catalog.kb_id) != 0)
            continue;
        if (old->catalog.revision > s->catalog.revision)
            return;
        *at = old->next;
        drop(old);
        break;
    }
    (void)atomic_fetch_add(&s->references, 1);
    s->next = cache->first;
    cache->first = s;
}

static enum err snapshot_of(struct knowledge *k, const struct base *base,
                            const struct catalog **out, struct why *why)
{
    struct catalog_cache *cache = k->catalogs;
    (void)pthread_mutex_lock(&cache->lock);
    struct snapshot *s = cached(cache, base);
    (void)pthread_mutex_unlock(&cache->lock);
    if (!s) {
        enum err err = make(k, base, &s, why);
        if (err)
            return err;
        assert(s);
        (void)pthread_mutex_lock(&cache->lock);
        publish(cache, s);
        (void)pthread_mutex_unlock(&cache->lock);
    }
    *out = &s->catalog;
    return ERR_OK;
}

enum err catalog_of(struct knowledge *k, const struct ops_identity *who, struct str kb,
                    const struct catalog **out, struct why *why)
{
    struct base base = {.id = ""};
    struct arena *arena = arena_new(1u << 20);
    enum err err = arena ? base_find(k, who, kb, arena, &base, why) : no_memory(why);
    if (!err)
        err = snapshot_of(k, &base, out, why);
    arena_free(arena);
    return err;
}

enum err catalog_all(struct knowledge *k, const struct ops_identity *who, struct arena *arena,
                     const struct catalog ***out, size_t *n, struct why *why)
{
    struct base *bases = NULL;
    size_t n_bases = 0, done = 0;
    enum err err = base_list(k, who, arena, &bases, &n_bases, why);
    if (err)
        return err;
    const struct catalog **list = arena_array(arena, const struct catalog *, n_bases + 1);
    if (!list)
        return no_memory(why);
    for (; !err && done < n_bases; done += !err)
        err = snapshot_of(k, &bases[done], &list[done], why);
    if (err) {
        while (done > 0)
            catalog_release(list[--done]);
        return err;
    }
    *out = list;
    *n = n_bases;
    return ERR_OK;
}

/* ---- use ---- */

const struct catalog_version *catalog_version(const struct catalog *catalog, struct str id)
{
    const struct map_entry *entry = map_find(&catalog->by_id, id);
    return entry ? &catalog->versions[entry->value.u] : NULL;
}

bool catalog_may_read(const struct catalog_version *version, const struct ops_identity *who)
{
    enum ops_class access = version->meta.access;
    if ((unsigned)access >= 64 || !(who->classes >> access & 1))
        return false;
    return access != OPS_CLASS_DEPARTMENT || str_eq_c(who->kind, "system") ||
           (who->department.len && str_eq(who->department, version->department_id));
}

enum knowledge_status catalog_status(const struct catalog_version *version, int32_t day)
{
    if (version->until != DAY_NONE && day >= version->until)
        return version->superseded ? KNOWLEDGE_SUPERSEDED : KNOWLEDGE_EXPIRED;
    if (version->from != DAY_NONE && day < version->from)
        return KNOWLEDGE_NOT_YET;
    return KNOWLEDGE_IN_FORCE;
}

const struct catalog_version *catalog_shown(const struct catalog *catalog,
                                            const struct catalog_document *document, int32_t day)
{
    const struct catalog_version *past = NULL, *next = NULL;
    for (uint32_t i = 0; i < document->n; i++) {
        const struct catalog_version *v = &catalog->versions[document->first + i];
        enum knowledge_status status = catalog_status(v, day);
        if (status == KNOWLEDGE_IN_FORCE)
            return v;
        if (status == KNOWLEDGE_NOT_YET)
            next = v; /* the soonest comes last */
        else if (!past)
            past = v;
    }
    return past ? past : next;
}

struct str status_words(const struct catalog_version *version, int32_t day, struct arena *arena)
{
    char text[TIME_TEXT];
    switch (catalog_status(version, day)) {
    case KNOWLEDGE_NOT_YET:
        return str_printf(arena, "尚未施行，%s 起施行", day_format(version->from, text));
    case KNOWLEDGE_EXPIRED:
        if (version->until <= 0)
            return STR("已失效");
        return str_printf(arena, "已于 %s 失效", day_format(version->until, text));
    case KNOWLEDGE_SUPERSEDED:
        if (version->until <= 0)
            return STR("已被新的文本取代");
        return version->meta.replaced_by.len
                   ? str_printf(arena, "已于 %s 被《%.*s》取代", day_format(version->until, text),
                                STR_FMT(version->meta.replaced_by))
                   : str_printf(arena, "已于 %s 被新版本取代", day_format(version->until, text));
    case KNOWLEDGE_IN_FORCE:
        break;
    }
    if (version->until != DAY_NONE)
        return str_printf(arena, "现行有效，有效期至 %s", day_format(version->until - 1, text));
    return STR("现行有效");
}

static enum err read_range(const char *path, size_t start, size_t len, struct arena *arena,
                           struct str *out, struct why *why)
{
    char *bytes = arena_bytes(arena, len + 1);
    if (!bytes)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu bytes of a text", len);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open the text of a document");
    size_t got = 0;
    enum err err = ERR_OK;
    while (got < len && !err) {
        ssize_t n = pread(fd, bytes + got, len - got, (off_t)(start + got));
        if (n > 0)
            got += (size_t)n;
        else if (n == 0)
            err = err_set(why, ERR_CORRUPT, "the text of a document is shorter than its passages");
        else if (errno != EINTR)
            err = err_errno(why, "could not read the text of a document");
    }
    (void)close(fd);
    bytes[got] = '\0';
    *out = (struct str){bytes, got};
    return err;
}

enum err catalog_text(struct knowledge *k, const struct catalog_version *version, size_t start,
                      size_t len, struct arena *arena, struct str *out, struct why *why)
{
    const char *path = NULL;
    char *name = str_z(arena, version->text_object);
    if (!name)
        return no_memory(why);
    if (start > version->text_len || len > version->text_len - start)
        return err_set(why, ERR_CORRUPT, "a passage lies outside its text");
    enum err err = objects_path(k->opts.objects, name, arena, &path, why);
    return err ? err : read_range(path, version->text_start + start, len, arena, out, why);
}

enum err catalog_passages(struct knowledge *k, const struct catalog_version *version,
                          struct arena *arena, struct passage **out, size_t *n, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_ask(k->opts.store, PASSAGES_FROM, STORE_ARGS(SV_C(version->id)), arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "the version is not there any more");
    return err ? err : passages_unpack(store_str(&rows, 0, 0), arena, out, n, why);
}
