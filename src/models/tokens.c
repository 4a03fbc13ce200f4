/* How many tokens a text has: by the vocabulary of a model file, kept in memory while it is used.
 */
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/time.h"
#include "core/utf8.h"
#include "engine/engine.h"
#include "models/models_in.h"
#include "objects/objects.h"

#define MOST_KEPT 64
#define RETRY_MS  60000 /* what could not be loaded is not tried again sooner */

struct kept {
    char id[UUID_TEXT];  /* of the version; "" : free */
    struct vocab *vocab; /* NULL: could not be loaded, or is being loaded */
    int users;
    bool loading;
    int64_t used_ms;
};

struct vocabularies {
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    size_t most; /* kept of them */
    struct kept kept[MOST_KEPT];
};

struct vocabularies *vocabularies_new(size_t most)
{
    struct vocabularies *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->most = most < MOST_KEPT ? most : MOST_KEPT;
    (void)pthread_mutex_init(&v->lock, NULL);
    (void)pthread_cond_init(&v->loaded, NULL);
    return v;
}

void vocabularies_free(struct vocabularies *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->most; i++)
        vocab_close(v->kept[i].vocab);
    (void)pthread_cond_destroy(&v->loaded);
    (void)pthread_mutex_destroy(&v->lock);
    free(v);
}

enum err models_vocabulary_path(struct models *m, struct str version, struct arena *arena,
                                const char **path, struct why *why)
{
    struct store_rows r;
    *path = NULL;
    enum err err =
        store_ask(m->store, "SELECT storage, object, path FROM models_versions WHERE id = ?",
                  STORE_ARGS(SV_STR(version)), arena, &r, why);
    if (err)
        return err;
    if (r.n_rows && str_eq_c(store_str(&r, 0, 0), "object") && m->objects) {
        const char *name = str_z(arena, store_str(&r, 0, 1));
        return name ? objects_path(m->objects, name, arena, path, why)
                    : err_set(why, ERR_NO_MEMORY, "could not find a vocabulary");
    }
    if (r.n_rows)
        *path = str_z(arena, store_str(&r, 0, 2));
    return *path && *path[0] ? ERR_OK
                             : err_set(why, ERR_NOT_FOUND, "the version of the model has no file");
}

static struct vocab *load(struct models *m, const char *id)
{
    struct arena *arena = arena_new(256u << 10);
    struct why why = {0};
    struct vocab *vocab = NULL;
    const char *path = NULL;
    enum err err = arena ? models_vocabulary_path(m, str_c(id), arena, &path, &why) : ERR_NO_MEMORY;
    if (!err)
        err = vocab_open_file(path, &vocab, &why);
    if (err)
        LOG_WARN("a vocabulary could not be loaded: tokens are estimated", LOG_S("version", id),
                 LOG_WHY(&why));
    arena_free(arena);
    return err ? NULL : vocab;
}

static struct kept *find(struct vocabularies *v, const char *id)
{
    for (size_t i = 0; i < v->most; i++)
        if (strcmp(v->kept[i].id, id) == 0)
            return &v->kept[i];
    return NULL;
}

/* A free place, or that of the one that nobody has used for longest; NULL when all are in use. */
static struct kept *place(struct vocabularies *v)
{
    struct kept *oldest = NULL;
    for (size_t i = 0; i < v->most; i++) {
        struct kept *k = &v->kept[i];
        if (!k->id[0])
            return k;
        if (k->users == 0 && !k->loading && (!oldest || k->used_ms < oldest->used_ms))
            oldest = k;
    }
    return oldest;
}

/* The vocabulary, counted as used; NULL when there is none to be had. */
static struct kept *take(struct models *m, const char *id)
{
    struct vocabularies *v = m->vocabularies;
    (void)pthread_mutex_lock(&v->lock);
    struct kept *k = find(v, id);
    while (k && k->loading) {
        (void)pthread_cond_wait(&v->loaded, &v->lock);
        k = find(v, id);
    }
    if (!k || (!k->vocab && time_now_ms() - k->used_ms > RETRY_MS)) {
        k = k ? k : place(v);
        if (k) {
            vocab_close(k->vocab);
            *k = (struct kept){.loading = true};
            (void)snprintf(k->id, sizeof k->id, "%s", id);
            (void)pthread_mutex_unlock(&v->lock);
            struct vocab *fresh = load(m, id);
            (void)pthread_mutex_lock(&v->lock);
            k->vocab = fresh;
            k->loading = false;
            k->used_ms = time_now_ms();
            (void)pthread_cond_broadcast(&v->loaded);
        }
    }
    if (k && k->vocab) {
        k->users++;
        k->used_ms = time_now_ms();
    } else {
        k = NULL;
    }
    (void)pthread_mutex_unlock(&v->lock);
    return k;
}

static void give_back(struct vocabularies *v, struct kept *k)
{
    (void)pthread_mutex_lock(&v->lock);
    k->users--;
    (void)pthread_mutex_unlock(&v->lock);
}

/* Byte-pair vocabularies give a token to some 4 letters of English, and of Chinese to about one
 * character. */
static int64_t guess(struct str text)
{
    int64_t ascii = 0, others = 0;
    for (size_t at = 0; at < text.len;)
        if ((unsigned char)text.ptr[at] < 0x80) {
            ascii++;
            at++;
        } else {
            (void)utf8_next(text, &at);
            others++;
        }
    return (ascii + 3) / 4 + others;
}

enum err models_count_tokens(struct models *m, const struct models_route *route, struct str text,
                             int64_t *n, bool *estimate, struct why *why)
{
    char id[UUID_TEXT];
    size_t count = 0;
    (void)snprintf(id, sizeof id, "%.*s", STR_FMT(route->tokenizer));
    struct kept *k = id[0] ? take(m, id) : NULL;
    *estimate = k == NULL;
    if (!k) {
        *n = guess(text);
        return ERR_OK;
    }
    enum err err = vocab_count(k->vocab, text, 0, &count, why);
    give_back(m->vocabularies, k);
    if (!err)
        *n = (int64_t)count;
    return err;
}

/* ---- a vocabulary alone ---- */

struct models_counter {
    struct vocab *vocab; /* NULL: estimate */
};

enum err models_counter_open(const char *path, struct models_counter **out, struct why *why)
{
    struct models_counter *counter = calloc(1, sizeof *counter);
    if (!counter)
        return err_set(why, ERR_NO_MEMORY, "could not hold a vocabulary");
    enum err err = path ? vocab_open_file(path, &counter->vocab, why) : ERR_OK;
    if (err) {
        free(counter);
        return err;
    }
    *out = counter;
    return ERR_OK;
}

void models_counter_close(struct models_counter *counter)
{
    if (counter)
        vocab_close(counter->vocab);
    free(counter);
}

enum err models_counter_count(const struct models_counter *counter, struct str text, int64_t *n,
                              struct why *why)
{
    size_t count = 0;
    if (!counter->vocab) {
        *n = guess(text);
        return ERR_OK;
    }
    enum err err = vocab_count(counter->vocab, text, 0, &count, why);
    if (!err)
        *n = (int64_t)count;
    return err;
}
