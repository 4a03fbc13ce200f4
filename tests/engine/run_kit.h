/*
 * tests/run_kit - a model to ask and somebody who listens: for tests of engine/run.
 */
#ifndef TESTS_ENGINE_RUN_KIT_H
#define TESTS_ENGINE_RUN_KIT_H

#include <pthread.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/time.h"
#include "engine/engine.h"
#include "engine/run.h"
#include "tap.h"

#if HAVE_LLAMA
#define NEED_LLAMA() (void)0
#else
#define NEED_LLAMA() SKIP("built without llama.cpp")
#endif

#define HEARD_TOKENS 4096

struct heard_choice {
    char text[16384];
    size_t len;
    int32_t ids[HEARD_TOKENS];
    float logprob[HEARD_TOKENS];
    float tops[HEARD_TOKENS][RUN_MAX_TOPS];
    int32_t top_ids[HEARD_TOKENS][RUN_MAX_TOPS];
    size_t n, n_tops;
    bool ended;
    enum run_finish finish;
    char stop[64];
};

struct heard {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct run_call *call;
    struct heard_choice choice[4];
    float vectors[16][512];
    size_t n_vectors, n_vector;
    bool done;
    int events_after_done;
    int cancel_after; /* pieces; 0: never */
    int pieces;
    uint64_t when; /* order of the ends */
    enum err err;
    struct why why;
    struct run_usage usage;
    struct run_timing timing;
};

static uint64_t heard_clock;

__attribute__((unused)) static void heard_piece(struct heard *h, const struct run_event *e)
{
    struct heard_choice *c = &h->choice[e->index];
    CHECK(e->index < 4 && c->len + e->text.len < sizeof c->text && !c->ended);
    memcpy(c->text + c->len, e->text.ptr, e->text.len);
    c->len += e->text.len;
    for (size_t i = 0; i < e->n_tokens && c->n < HEARD_TOKENS; i++, c->n++) {
        const struct run_token *t = &e->tokens[i];
        c->ids[c->n] = t->id;
        c->logprob[c->n] = t->logprob;
        c->n_tops = t->n_tops;
        for (size_t j = 0; j < t->n_tops; j++) {
            c->tops[c->n][j] = t->tops[j].logprob;
            c->top_ids[c->n][j] = t->tops[j].id;
        }
    }
    if (++h->pieces == h->cancel_after)
        run_cancel(h->call);
}

__attribute__((unused)) static void heard_sink(void *ctx, const struct run_event *e)
{
    struct heard *h = ctx;
    (void)pthread_mutex_lock(&h->lock);
    h->events_after_done += h->done;
    switch (e->kind) {
    case RUN_PIECE:
        heard_piece(h, e);
        break;
    case RUN_VECTOR:
        memcpy(h->vectors[e->index], e->vector, e->n_vector * sizeof(float));
        h->n_vector = e->n_vector;
        h->n_vectors++;
        break;
    case RUN_END:
        h->choice[e->index].ended = true;
        h->choice[e->index].finish = e->finish;
        (void)snprintf(h->choice[e->index].stop, 64, "%.*s", STR_FMT(e->stop));
        break;
    case RUN_DONE:
        h->done = true;
        h->err = e->err;
        h->why = *e->why;
        h->usage = e->usage;
        h->timing = e->timing;
        h->when = ++heard_clock;
        (void)pthread_cond_broadcast(&h->news);
        break;
    }
    (void)pthread_mutex_unlock(&h->lock);
}

__attribute__((unused)) static struct heard *heard_new(void)
{
    struct heard *h = calloc(1, sizeof *h);
    (void)pthread_mutex_init(&h->lock, NULL);
    (void)pthread_cond_init(&h->news, NULL);
    return h;
}

__attribute__((unused)) static enum err heard_ask(struct run *run, const struct run_request *r,
                                                  struct heard *h, struct why *why)
{
    (void)pthread_mutex_lock(&h->lock); /* h->call is there before the first event */
    enum err err = run_submit(run, r, heard_sink, h, &h->call, why);
    (void)pthread_mutex_unlock(&h->lock);
    return err;
}

__attribute__((unused)) static bool heard_over(struct heard *h)
{
    (void)pthread_mutex_lock(&h->lock);
    bool over = h->done;
    (void)pthread_mutex_unlock(&h->lock);
    return over;
}

/* Waits until its first text has come (or it is over). */
__attribute__((unused)) static void heard_begun(struct heard *h)
{
    bool begun = false;
    while (!begun) {
        time_sleep_ms(1);
        (void)pthread_mutex_lock(&h->lock);
        begun = h->pieces > 0 || h->done;
        (void)pthread_mutex_unlock(&h->lock);
    }
}

__attribute__((unused)) static void heard_wait(struct heard *h)
{
    (void)pthread_mutex_lock(&h->lock);
    while (!h->done)
        (void)pthread_cond_wait(&h->news, &h->lock);
    (void)pthread_mutex_unlock(&h->lock);
    run_release(h->call);
    h->call = NULL;
}

__attribute__((unused)) static void heard_free(struct heard *h)
{
    CHECK_EQ(h->events_after_done, 0);
    (void)pthread_mutex_destroy(&h->lock);
    (void)pthread_cond_destroy(&h->news);
    free(h);
}

/* Asks and waits; what was heard is the caller's. An error of the submission is in ->err. */
__attribute__((unused)) static struct heard *heard_all(struct run *run, const struct run_request *r)
{
    struct heard *h = heard_new();
    struct why why = {0};
    enum err err = heard_ask(run, r, h, &why);
    if (err) {
        h->err = err;
        h->why = why;
    } else {
        heard_wait(h);
    }
    return h;
}

/* ---- models ---- */

static char kit_files[32][256];
static size_t kit_n;

__attribute__((unused)) static void kit_clean(void)
{
    for (size_t i = 0; i < kit_n; i++)
        (void)unlink(kit_files[i]);
}

__attribute__((unused)) static const char *kit_path(const char *name)
{
    if (kit_n == 0)
        (void)atexit(kit_clean);
    (void)snprintf(kit_files[kit_n], sizeof kit_files[0], "%s/tests/engine/%d-%s",
                   YICHENG_BUILD_ROOT, (int)getpid(), name);
    return kit_files[kit_n++];
}

/* The real tiny model as a GGUF, or NULL when the data are not here. */
__attribute__((unused)) static const char *kit_stories(void)
{
    static const char *path;
    char tokenizer[4096];
    struct why why = {0};
    const char *checkpoint =
        path ? NULL : tap_dataset("tiny-models/llama2c-stories260K/data/stories260K.bin");
    if (path || !checkpoint)
        return path;
    (void)snprintf(tokenizer, sizeof tokenizer, "%.*s/tok512.bin",
                   (int)(strrchr(checkpoint, '/') - checkpoint), checkpoint);
    path = kit_path("stories.gguf");
    CHECK_OK(engine_convert_llama2c(checkpoint, tokenizer, path, GGUF_TENSOR_F32, &why), &why);
    return path;
}

/* A random model by its shape. */
__attribute__((unused)) static const char *kit_random(const char *shape)
{
    struct why why = {0};
    char name[64];
    (void)snprintf(name, sizeof name, "%s.gguf", shape);
    const char *path = kit_path(name);
    struct engine_random opts = {.shape = shape, .kind = GGUF_TENSOR_F32, .seed = 1};
    CHECK_OK(engine_make_random(&opts, path, &why), &why);
    return path;
}

#endif
