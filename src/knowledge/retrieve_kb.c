/*
 * retrieve_kb: search in a base, or in several as one - which bases, which view of them, and what a
 * hit looks like.
 *
 * A view costs some 10 ms to make and belongs to one revision of each of its bases, so the last few
 * are kept. A view that is being searched stays until the search is over.
 */
#include "knowledge/retrieve.h"

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "core/log.h"
#include "core/utf8.h"
#include "knowledge/dense.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REST_AFTER_S  30 /* without a search */
#define VIEWS_KEPT    32
#define MOST_WEIGHED  30   /* hits that a reranker is shown */
#define WEIGHED_BYTES 1600 /* of each */

struct view {
    struct retrieve *retrieve;
    const struct catalog **catalogs; /* n, each with a reference of ours */
    size_t n;
    uint64_t used; /* the cache's clock when it was last asked for */
    int users;     /* searches under way, and one more while it is in the cache */
};

struct retrieve_cache {
    pthread_mutex_t lock;
    pthread_cond_t ending;
    struct view *views[VIEWS_KEPT];
    uint64_t clock;
    pthread_t keeper; /* runs when keeping */
    bool keeping, closing, rested;
    int64_t searched_ns; /* when a view was last asked for */
};

struct retrieve_cache *retrieve_cache_new(void)
{
    struct retrieve_cache *cache = calloc(1, sizeof *cache);
    pthread_condattr_t clock;
    if (!cache)
        return NULL;
    (void)pthread_mutex_init(&cache->lock, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cache->ending, &clock);
    (void)pthread_condattr_destroy(&clock);
    return cache;
}

/* With the lock held. Searches under way go on: what they need of the files comes back. */
static void rest(struct retrieve_cache *cache)
{
    for (size_t i = 0; i < VIEWS_KEPT; i++)
        if (cache->views[i])
            retrieve_rest(cache->views[i]->retrieve);
    cache->rested = true;
}

/* Gives the pages of the indexes back when nobody has searched for a while: they are the system's
 * cache either way, but count as the centre's memory as long as they are mapped. */
static void *keep_small(void *arg)
{
    struct retrieve_cache *cache = arg;
    (void)pthread_mutex_lock(&cache->lock);
    while (!cache->closing) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += REST_AFTER_S / 3;
        (void)pthread_cond_timedwait(&cache->ending, &cache->lock, &until);
        int64_t idle = time_mono_ns() - cache->searched_ns;
        if (!cache->closing && !cache->rested && idle >= REST_AFTER_S * 1000000000ll)
            rest(cache);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return NULL;
}

/* With the lock held; without the thread the pages stay. */
static void note_search(struct retrieve_cache *cache)
{
    cache->searched_ns = time_mono_ns();
    cache->rested = false;
    if (!cache->keeping && !cache->closing)
        cache->keeping = pthread_create(&cache->keeper, NULL, keep_small, cache) == 0;
}

static void view_free(struct view *view)
{
    retrieve_free(view->retrieve);
    for (size_t i = 0; view->catalogs && i < view->n; i++)
        catalog_release(view->catalogs[i]);
    free(view->catalogs);
    free(view);
}

/* With the lock held. */
static void view_drop(struct view *view)
{
    if (!--view->users)
        view_free(view);
}

void retrieve_cache_free(struct retrieve_cache *cache)
{
    if (!cache)
        return;
    (void)pthread_mutex_lock(&cache->lock);
    cache->closing = true;
    (void)pthread_cond_signal(&cache->ending);
    (void)pthread_mutex_unlock(&cache->lock);
    if (cache->keeping)
        (void)pthread_join(cache->keeper, NULL);
    for (size_t i = 0; i < VIEWS_KEPT; i++)
        if (cache->views[i])
            view_drop(cache->views[i]);
    (void)pthread_cond_destroy(&cache->ending);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* The same bases in the same order; *newer when ours is of an older revision of one. */
static bool same_bases(const struct view *view, const struct catalog *const *catalogs, size_t n,
                       bool *stale)
{
    *stale = false;
    if (view->n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(view->catalogs[i]->kb_id, catalogs[i]->kb_id) != 0)
            return false;
        *stale = *stale || view->catalogs[i]->revision != catalogs[i]->revision;
    }
    return true;
}

/* With the lock held: the view in use for these bases, or NULL; an older one goes. */
static struct view *view_find(struct retrieve_cache *cache, const struct catalog *const *catalogs,
                              size_t n)
{
    for (size_t i = 0; i < VIEWS_KEPT; i++) {
        struct view *view = cache->views[i];
        bool stale;
        if (!view || !same_bases(view, catalogs, n, &stale))
            continue;
        if (!stale) {
            view->used = ++cache->clock;
            view->users++;
            return view;
        }
        cache->views[i] = NULL;
        view_drop(view);
    }
    return NULL;
}

/* With the lock held: in place of the one that was not asked for longest. */
static void view_keep(struct retrieve_cache *cache, struct view *view)
{
    size_t at = 0;
    for (size_t i = 0; i < VIEWS_KEPT && cache->views[at]; i++)
        if (!cache->views[i] || cache->views[i]->used < cache->views[at]->used)
            at = i;
    if (cache->views[at])
        view_drop(cache->views[at]);
    cache->views[at] = view;
    view->used = ++cache->clock;
    view->users++;
}

/* Takes over the catalogs' references, whatever comes of it. */
static enum err view_make(const struct catalog *const *catalogs, size_t n, struct view **out,
                          struct why *why)
{
    struct view *view = calloc(1, sizeof *view);
    const struct catalog **own = calloc(n + 1, sizeof(const struct catalog *));
    if (!view || !own) {
        free(view);
        free(own);
        for (size_t i = 0; i < n; i++)
            catalog_release(catalogs[i]);
        return err_set(why, ERR_NO_MEMORY, "could not hold the view of a base");
    }
    memcpy(own, catalogs, n * sizeof(const struct catalog *));
    *view = (struct view){.catalogs = own, .n = n, .users = 1};
    enum err err = retrieve_new(catalogs, n, NULL, &view->retrieve, why);
    if (err)
        view_free(view);
    else
        *out = view;
    return err;
}

/*
 * The view of the catalogs, whose references it takes over. The lock is held while a view is made:
 * a revision is opened once, and who asks in the same moment waits for it.
 */
static enum err view_of(struct retrieve_cache *cache, const struct catalog *const *catalogs,
                        size_t n, struct view **out, struct why *why)
{
    (void)pthread_mutex_lock(&cache->lock);
    enum err err = ERR_OK;
    note_search(cache);
    *out = view_find(cache, catalogs, n);
    if (*out) {
        for (size_t i = 0; i < n; i++)
            catalog_release(catalogs[i]);
    } else {
        err = view_make(catalogs, n, out, why);
        if (!err)
            view_keep(cache, *out);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return err;
}

static void view_done(struct retrieve_cache *cache, struct view *view)
{
    (void)pthread_mutex_lock(&cache->lock);
    view_drop(view);
    (void)pthread_mutex_unlock(&cache->lock);
}

/* What was indexed of a row or a table is not its bytes: those are read from the version. */
static enum err set_texts(struct knowledge *k, const struct view *view, struct knowledge_hit *hits,
                          size_t n, struct arena *arena, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        if (hits[i].text.len == hits[i].len)
            continue;
        const struct catalog_version *version = NULL;
        for (size_t c = 0; c < view->n && !version; c++)
            version = catalog_version(view->catalogs[c], hits[i].version_id);
        enum err err =
            catalog_text(k, version, hits[i].start, hits[i].len, arena, &hits[i].text, why);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* The view of one base, or of all that `who` may see; give it back with view_done. */
static enum err open_view(struct knowledge *k, const struct ops_identity *who, const char *kb,
                          struct arena *arena, struct view **out, struct why *why)
{
    const struct catalog *one = NULL, **catalogs = &one;
    size_t n = 1;
    enum err err = kb && kb[0] ? catalog_of(k, who, str_c(kb), &one, why)
                               : catalog_all(k, who, arena, &catalogs, &n, why);
    return err ? err : view_of(knowledge_retrieve_cache(k), catalogs, n, out, why);
}

/*
 * The question's vector by each base's embedder; NULL when no base has vectors. A model that is not
 * to be had costs its vectors, not the search.
 */
static const float **ask_vectors(struct knowledge *k, const struct ops_identity *who,
                                 const struct view *view, struct str text, struct arena *arena)
{
    const float **dense = NULL;
    for (size_t c = 0; c < retrieve_n_catalogs(view->retrieve); c++) {
        size_t dim = 0, found = 0;
        float *vector = NULL;
        struct why failed = {0};
        struct str model = retrieve_embedder(view->retrieve, c, &dim);
        if (model.len == 0)
            continue;
        if (!dense)
            dense = arena_array(arena, const float *, retrieve_n_catalogs(view->retrieve) + 1);
        if (!dense)
            return NULL;
        for (size_t b = 0; b < c && !dense[c]; b++) { /* bases that share a model ask it once */
            size_t other = 0;
            if (str_eq(retrieve_embedder(view->retrieve, b, &other), model) && other == dim)
                dense[c] = dense[b];
        }
        if (dense[c])
            continue;
        enum err err = dense_ask(k, who, model, &text, 1, arena, &vector, &found, &failed);
        if (!err && found != dim)
            err = err_set(&failed, ERR_CONFLICT, "it gives %zu dimensions, the base has %zu", found,
                          dim);
        if (err)
            LOG_WARN("searching without vectors", LOG_STR("model", model), LOG_WHY(&failed));
        else
            dense[c] = vector;
    }
    return dense;
}

/* Puts the first hits in the order of the base's reranker; a stable sort of few. Scores stay with
 * their places. */
static void reorder(struct knowledge_hit *hits, float *weights, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && weights[j] > weights[j - 1]; j--) {
            struct knowledge_hit hit = hits[j];
            double better = hits[j - 1].score, worse = hit.score;
            float weight = weights[j];
            hits[j] = hits[j - 1];
            hits[j].score = worse;
            hits[j - 1] = hit;
            hits[j - 1].score = better;
            weights[j] = weights[j - 1];
            weights[j - 1] = weight;
        }
}

void retrieve_weigh(struct knowledge *k, const struct ops_identity *who,
                    const struct catalog *const *catalogs, size_t n_catalogs, struct str question,
                    struct knowledge_hit *hits, size_t n, struct arena *arena)
{
    struct str model = n_catalogs ? catalogs[0]->reranker : STR_NONE;
    struct str texts[MOST_WEIGHED];
    struct why failed = {0};
    float *weights = NULL;
    for (size_t i = 1; i < n_catalogs; i++) /* bases together are weighed by the one they share */
        if (!str_eq(catalogs[i]->reranker, model))
            return;
    if (model.len == 0 || n < 2)
        return;
    if (n > MOST_WEIGHED)
        n = MOST_WEIGHED;
    for (size_t i = 0; i < n; i++) {
        texts[i] =
            str_printf(arena, "%.*s %.*s\n%.*s", STR_FMT(hits[i].title), STR_FMT(hits[i].article),
                       STR_FMT(str_slice(hits[i].text, 0,
                                         utf8_floor(hits[i].text, hits[i].text.len < WEIGHED_BYTES
                                                                      ? hits[i].text.len
                                                                      : WEIGHED_BYTES))));
        if (!texts[i].ptr)
            return;
    }
    if (dense_weigh(k, who, model, question, texts, n, arena, &weights, &failed) != ERR_OK) {
        LOG_WARN("searching without a reranker", LOG_STR("model", model), LOG_WHY(&failed));
        return;
    }
    reorder(hits, weights, n);
}

enum err retrieve_bases(struct knowledge *k, const struct ops_identity *who,
                        const struct knowledge_query *query, struct arena *arena,
                        struct knowledge_hit **out, size_t *n, struct why *why)
{
    struct view *view = NULL;
    enum err err = open_view(k, who, query->kb, arena, &view, why);
    if (err)
        return err;
    struct knowledge_hit *hits;
    size_t n_hits;
    const float **dense = ask_vectors(k, who, view, query->text, arena);
    err = retrieve_search(view->retrieve, query, who, dense, arena, &hits, &n_hits, why);
    if (!err)
        err = set_texts(k, view, hits, n_hits, arena, why);
    if (!err)
        retrieve_weigh(k, who, view->catalogs, view->n, query->text, hits, n_hits, arena);
    view_done(knowledge_retrieve_cache(k), view);
    if (!err) {
        *out = hits;
        *n = n_hits;
    }
    return err;
}

enum err knowledge_rarity(struct knowledge *k, const struct ops_identity *who, const char *kb,
                          const uint64_t *terms, size_t n, struct arena *arena, uint32_t *n_holding,
                          uint32_t *n_passages, struct why *why)
{
    struct view *view = NULL;
    enum err err = open_view(k, who, kb, arena, &view, why);
    if (err)
        return err;
    memset(n_holding, 0, n * sizeof *n_holding);
    for (size_t s = 0; s < retrieve_n_segments(view->retrieve); s++) {
        const struct index *index = retrieve_segment(view->retrieve, s);
        struct index_postings postings;
        for (size_t i = 0; i < n; i++)
            n_holding[i] += index_find(index, terms[i], &postings);
    }
    *n_passages = (uint32_t)retrieve_n_passages(view->retrieve);
    view_done(knowledge_retrieve_cache(k), view);
    return ERR_OK;
}

/* ---- as JSON ---- */

static const char *status_name(enum knowledge_status status)
{
    static const char *const names[] = {"in_force", "not_yet", "expired", "superseded"};
    return names[status];
}

static const char *kind_name(enum knowledge_kind kind)
{
    static const char *const names[] = {"law", "policy", "guide", "faq", "notice", "text", "table"};
    return names[kind];
}

static const char *class_name(enum ops_class access)
{
    static const char *const names[] = {"public", "staff", "department", "restricted"};
    return names[access];
}

void knowledge_hit_json(const struct knowledge_hit *hit, struct json_out *out)
{
    const struct knowledge_meta *m = &hit->meta;
    json_begin_object(out);
    json_kv_str(out, "kb", hit->kb);
    json_kv_str(out, "passage_id", hit->passage_id);
    json_kv_str(out, "document_id", hit->document_id);
    json_kv_str(out, "version_id", hit->version_id);
    json_kv_str(out, "title", hit->title);
    json_kv_str(out, "part", m->part);
    json_kv_str(out, "article", hit->article);
    json_kv_str(out, "path", hit->path);
    json_kv_str(out, "text", hit->text);
    json_kv_int(out, "start", (int64_t)hit->start);
    json_kv_int(out, "len", (int64_t)hit->len);
    json_kv_c(out, "kind", kind_name(m->kind));
    json_kv_str(out, "issuer", m->issuer);
    json_kv_str(out, "number", m->number);
    json_kv_str(out, "region", m->region);
    json_kv_str(out, "department", m->department);
    json_kv_int(out, "level", m->level);
    json_kv_c(out, "access", class_name(m->access));
    json_kv_day(out, "published", m->published);
    json_kv_day(out, "effective", m->effective);
    json_kv_day(out, "expires", m->expires);
    json_kv_str(out, "replaced_by", m->replaced_by);
    json_kv_c(out, "status", status_name(hit->status));
    json_kv_real(out, "score", hit->score);
    json_kv_real(out, "confidence", hit->confidence);
    json_kv_int(out, "n_folded", (int64_t)hit->n_folded);
    if (hit->explain.len) {
        json_key(out, "explain");
        json_put_raw(out, hit->explain);
    }
    json_end_object(out);
}
