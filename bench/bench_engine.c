/*
 * bench_engine [MODEL.gguf [THREADS [CLIENTS...]]]: tokens a second of the decode loop, without
 * HTTP. MODEL is made when it is missing: random weights of the shape of Qwen2 0.5B in Q4_0. Each
 * client asks once for TOKENS tokens behind a prompt of its own of PROMPT tokens.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "engine/engine.h"
#include "engine/run.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROMPT_MOST = 4096, MOST = 64 };
static int PROMPT = 128, TOKENS = 64;

struct client {
    pthread_mutex_t *lock;
    pthread_cond_t *news;
    bool done;
    enum err err;
    struct run_usage usage;
    struct run_timing timing;
};

static void sink(void *ctx, const struct run_event *e)
{
    struct client *c = ctx;
    if (e->kind != RUN_DONE)
        return;
    (void)pthread_mutex_lock(c->lock);
    c->done = true;
    c->err = e->err;
    c->usage = e->usage;
    c->timing = e->timing;
    (void)pthread_cond_signal(c->news);
    (void)pthread_mutex_unlock(c->lock);
}

static double cpu_seconds(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void measure(struct run *run, int n, uint32_t salt, bool sampled)
{
    static int32_t tokens[MOST][PROMPT_MOST];
    struct client clients[MOST];
    struct run_call *calls[MOST];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t news = PTHREAD_COND_INITIALIZER;
    struct why why = {0};
    uint64_t written = 0, read = 0;
    double first = 0, cpu = cpu_seconds();
    int64_t start = time_mono_ns();
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < PROMPT; j++) {
            salt = salt * 1664525u + 1013904223u;
            tokens[i][j] = (int32_t)((salt >> 8) % (run_info(run)->n_vocab / 2));
        }
        clients[i] = (struct client){.lock = &lock, .news = &news};
        struct run_input in = {tokens[i], (size_t)PROMPT};
        struct run_request r = {.inputs = &in,
                                .n_inputs = 1,
                                .max_tokens = (uint32_t)TOKENS,
                                .sampling = {.ignore_eos = true,
                                             .temperature = sampled ? 0.8f : 0,
                                             .top_k = sampled ? 40 : 0,
                                             .top_p = sampled ? 0.95f : 0}};
        if (run_submit(run, &r, sink, &clients[i], &calls[i], &why)) {
            (void)fprintf(stderr, "%s\n", why.text);
            exit(1);
        }
    }
    for (int i = 0; i < n; i++) {
        (void)pthread_mutex_lock(&lock);
        while (!clients[i].done)
            (void)pthread_cond_wait(&news, &lock);
        (void)pthread_mutex_unlock(&lock);
        run_release(calls[i]);
        written += clients[i].usage.completion;
        read += clients[i].usage.prompt - clients[i].usage.cached;
        first += clients[i].timing.queue_ms + clients[i].timing.prompt_ms;
    }
    double s = (double)(time_mono_ns() - start) / 1e9;
    printf("%2d clients, %s: %6.1f tokens/s written, %6.1f tokens/s in all, first token after %.0f "
           "ms, %.2f s of processor\n",
           n, sampled ? "sampled" : "greedy ", (double)written / s, (double)(written + read) / s,
           first / n, cpu_seconds() - cpu);
}

int main(int argc, char **argv)
{
    PROMPT = getenv("PROMPT") ? atoi(getenv("PROMPT")) : PROMPT;
    TOKENS = getenv("TOKENS") ? atoi(getenv("TOKENS")) : TOKENS;
    const char *model = argc > 1 ? argv[1] : "/tmp/yicheng-bench-0.5b.gguf";
    struct why why = {0};
    struct run *run = NULL;
    struct run_opts opts = {.model = model,
                            .slots = 16,
                            .context = 16 * 512,
                            .threads = argc > 2 ? (uint32_t)atoi(argv[2]) : 0};
    struct engine_random shape = {.shape = "0.5b", .kind = GGUF_TENSOR_Q4_0, .seed = 1};
    opts.split_kv = getenv("SPLIT_KV") != NULL;
    opts.prompt_ms = getenv("PROMPT_MS") ? (uint32_t)atoi(getenv("PROMPT_MS")) : 0;
    enum err err = file_exists(model) ? ERR_OK : engine_make_random(&shape, model, &why);
    if (!err)
        err = run_open(&opts, &run, &why);
    if (err) {
        (void)fprintf(stderr, "bench_engine: %s\n", why_text(&why, err));
        return err == ERR_UNSUPPORTED ? 0 : 1;
    }
    int64_t begun = time_mono_ns();
    static const int usual[] = {1, 4, 16};
    for (int i = 0; i < (argc > 3 ? argc - 3 : 3); i++) {
        int n = argc > 3 ? atoi(argv[3 + i]) : usual[i];
        measure(run, n > MOST ? MOST : n, (uint32_t)i + 1, false);
        if (!getenv("GREEDY"))
            measure(run, n > MOST ? MOST : n, (uint32_t)i + 100, true);
    }
    struct run_state state;
    run_state(run, &state);
    printf("%llu steps, %.0f of %.0f ms inside llama_decode\n", (unsigned long long)state.steps,
           state.busy_ms, (double)(time_mono_ns() - begun) / 1e6);
    run_close(run);
    return 0;
}
