/*
 * bench/bench_vocab - text to tokens, megabytes a second of one core: ours and llama_tokenize(),
 * the same vocabulary, the same text, token for token the same result (else it stops).
 *
 *     bench_vocab [folder with ggml-vocab-*.gguf]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <llama.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/utf8.h"
#include "engine/vocab.h"

#define LEAST_S 0.5 /* seconds a figure is taken over */
#define MOST    ((size_t)1 << 20)

static const char *const vocabs[] = {"qwen2",    "deepseek-llm",   "llama-bpe",
                                     "gpt-2",    "llama-spm",      "baichuan",
                                     "bert-bge", "nomic-bert-moe", "gemma-4"};

static const struct {
    const char *name, *file;
    bool ours; /* in this repository, not among the data sets */
} texts[] = {{"Chinese prose", "prose/\xE7\xBA\xA2\xE6\xA5\xBC\xE6\xA2\xA6.txt"},
             {"Chinese law",
              "laws/\xE6\xB0\x91\xE6\xB3\x95\xE5\x85\xB8/\xE5\x90\x88\xE5\x90\x8C\xE7\xBC\x96.md"},
             {"English", "README.md", true}};

static _Noreturn void stop(const char *words)
{
    (void)fprintf(stderr, "bench_vocab: %s\n", words);
    exit(1);
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void quiet(enum ggml_log_level level, const char *text, void *ctx)
{
    (void)level, (void)text, (void)ctx;
}

static double ours(const struct vocab *vocab, struct str text, struct arena *arena,
                   struct vocab_tokens *out)
{
    struct why why = {0};
    int n = 0;
    double start = cpu_seconds(), s;
    do {
        arena_reset(arena);
        if (vocab_encode(vocab, text, 0, arena, out, &why))
            stop(why.text);
        n++;
    } while ((s = cpu_seconds() - start) < LEAST_S);
    return s / n;
}

static double theirs(const struct llama_vocab *vocab, struct str text, int32_t *ids, int32_t *n_ids)
{
    int n = 0;
    double start = cpu_seconds(), s;
    do {
        *n_ids = llama_tokenize(vocab, text.ptr, (int32_t)text.len, ids, (int32_t)text.len + 16,
                                false, false);
        n++;
    } while ((s = cpu_seconds() - start) < LEAST_S);
    return s / n;
}

static void measure(const char *folder, const char *name)
{
    char path[4096];
    struct why why = {0};
    struct vocab *vocab = NULL;
    struct arena *arena = arena_new((size_t)1 << 30), *held = arena_new((size_t)1 << 28);
    struct llama_model_params params = llama_model_default_params();
    (void)snprintf(path, sizeof path, "%s/ggml-vocab-%s.gguf", folder, name);
    if (!file_exists(path))
        return;
    params.vocab_only = true;
    double start = cpu_seconds();
    if (vocab_open_file(path, &vocab, &why))
        stop(why.text);
    double open_s = cpu_seconds() - start;
    struct llama_model *model = llama_model_load_from_file(path, params);
    if (!model || !arena || !held)
        stop("could not load the vocabulary");
    printf("%s: %zu tokens, opened in %.0f ms, %.1f MB\n", name, vocab_n(vocab), open_s * 1e3,
           (double)vocab_memory(vocab) / 1e6);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct str text;
        struct vocab_tokens tokens = {0};
        int32_t n = 0, *ids = arena_array(held, int32_t, MOST + 16);
        const char *root = getenv("YICHENG_DATASETS");
        root = texts[i].ours ? YICHENG_SOURCE_ROOT
               : root        ? root
                             : YICHENG_SOURCE_ROOT "/../shared/data";
        (void)snprintf(path, sizeof path, "%s/%s", root, texts[i].file);
        if (!file_exists(path) || file_read(path, (size_t)64 << 20, held, &text, &why))
            continue;
        text = str_slice(text, 0, utf8_floor(text, text.len < MOST ? text.len : MOST));
        double a = ours(vocab, text, arena, &tokens),
               b = theirs(llama_model_get_vocab(model), text, ids, &n);
        if (n != (int32_t)tokens.n || memcmp(ids, tokens.ids, tokens.n * sizeof *ids) != 0)
            stop("the tokens are not the same");
        printf("  %-14s %7.2f MB %7zu tokens  ours %7.1f MB/s  llama_tokenize %7.2f MB/s  x%.1f\n",
               texts[i].name, (double)text.len / 1e6, tokens.n, (double)text.len / 1e6 / a,
               (double)text.len / 1e6 / b, b / a);
    }
    llama_model_free(model);
    vocab_close(vocab);
    arena_free(arena);
    arena_free(held);
}

int main(int argc, char **argv)
{
    llama_log_set(quiet, NULL);
    for (size_t i = 0; i < sizeof vocabs / sizeof vocabs[0]; i++)
        measure(argc > 1 ? argv[1] : LLAMA_MODELS, vocabs[i]);
    return 0;
}
