/* engine/gguf_write, gguf_make: what we write is what we read, and what llama.cpp loads and runs.
 */
#include "engine/engine.h"

#include <math.h>
#include <unistd.h>
#if HAVE_LLAMA
#include <llama.h>
#endif

#include "core/arena.h"
#include "core/file.h"
#include "tap.h"

static const char *temp_path(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/tests/engine/%d-%s", YICHENG_BUILD_ROOT, (int)getpid(),
                   name);
    return path;
}

static float noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(int32_t)*state / 2147483648.0f;
}

TEST(reads_back_what_was_written)
{
    struct why why = {0};
    struct gguf_out *out = NULL;
    struct gguf *gguf = NULL;
    const char *path = temp_path("round.gguf");
    struct str items[] = {STR_INIT("a"), STR_INIT(""), STR_INIT("\xE5\x9F\x8E")}, s;
    float x[96], y[96];
    uint64_t dims[2] = {32, 3}, odd[2] = {5, 2};
    uint32_t state = 1;
    size_t at = 0;
    for (int i = 0; i < 96; i++)
        x[i] = noise(&state);
    CHECK_OK(gguf_out_open(path, &out, &why), &why);
    if (!out)
        return;
    gguf_put_str(out, "general.architecture", STR("none"));
    gguf_put_strs(out, "list", items, 3);
    gguf_put_u32(out, "number", 7);
    CHECK_EQ(gguf_put_tensor(out, "a", GGUF_TENSOR_Q8_0, 2, dims), GGUF_TENSOR_Q8_0);
    CHECK_EQ(gguf_put_tensor(out, "b", GGUF_TENSOR_Q4_0, 2, odd), GGUF_TENSOR_F32);
    CHECK_EQ(gguf_put_tensor(out, "c", GGUF_TENSOR_F16, 1, dims), GGUF_TENSOR_F32);
    gguf_put_f32(out, x, 32); /* in parts */
    gguf_put_f32(out, x + 32, 64);
    gguf_put_f32(out, x, 10);
    gguf_put_f32(out, x, 32);
    CHECK_OK(gguf_out_close(out, &why), &why);
    CHECK_OK(gguf_open(path, &gguf, &why), &why);
    if (!gguf)
        return;
    const struct gguf_value *list = gguf_find(gguf, "list");
    CHECK(gguf_next_str(list, &at, &s) && gguf_next_str(list, &at, &s) && s.len == 0);
    CHECK(gguf_next_str(list, &at, &s) && s.len == 3);
    CHECK_EQ(gguf_int(gguf, "number", 0), 7);
    const struct gguf_tensor *a = gguf_tensor(gguf, "a"), *b = gguf_tensor(gguf, "b");
    CHECK(a && b && gguf_row_unpack(a->kind, a->bytes, 96, y));
    for (int i = 0; i < 96; i++)
        CHECK(fabsf(x[i] - y[i]) < 0.005f);
    CHECK(b && memcmp(b->bytes, x, 40) == 0);
    CHECK(a && a->bytes + 96 / 32 * 34 + 26 == b->bytes); /* padded to 32 */
    gguf_close(gguf);
    (void)unlink(path);
}

TEST(leaves_nothing_when_it_fails)
{
    static const struct {
        int what;
        const char *words;
    } cases[] = {
        {0, "put twice"}, {1, "not written to its end"}, {2, "no tensor has room"}, {3, "UTF-8"}};
    const char *path = temp_path("fails.gguf");
    uint64_t dims[2] = {4, 2};
    float x[16] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct why why = {0};
        struct gguf_out *out = NULL;
        CHECK_OK(gguf_out_open(path, &out, &why), &why);
        gguf_put_u32(out, "k", 1);
        if (cases[i].what == 0)
            gguf_put_u32(out, "k", 2);
        if (cases[i].what == 3)
            gguf_put_str(out, "s", STR("\xFF"));
        (void)gguf_put_tensor(out, "t", GGUF_TENSOR_F32, 2, dims);
        gguf_put_f32(out, x, cases[i].what == 1 ? 4 : cases[i].what == 2 ? 12 : 8);
        CHECK_EQ(gguf_out_close(out, &why), ERR_INVALID);
        CHECK(strstr(why.text, cases[i].words) != NULL);
        CHECK(!file_exists(path));
    }
}

TEST(halves_are_rounded_to_the_nearest)
{
    static const struct {
        float x;
        uint16_t h;
    } cases[] = {
        {0, 0},
        {-0.0f, 0x8000},
        {1, 0x3C00},
        {-2, 0xC000},
        {65504, 0x7BFF},
        {65519.99f, 0x7BFF},
        {65520, 0x7C00},
        {INFINITY, 0x7C00},
        {6.1035e-5f, 0x0400},
        {5.9605e-8f, 1},
        {2.9802e-8f, 0},
        {1.00048828125f, 0x3C00},
        {1.00146484375f, 0x3C02},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(gguf_half(cases[i].x), cases[i].h);
    CHECK(isnan(gguf_from_half(gguf_half(NAN))));
    for (uint32_t h = 0; h < 0x10000; h++) /* every half comes back as itself */
        if ((h & 0x7C00) != 0x7C00)
            CHECK_EQ(gguf_half(gguf_from_half((uint16_t)h)), h);
}

#if HAVE_LLAMA
static void quiet(enum ggml_log_level level, const char *text, void *ctx)
{
    (void)ctx;
    if (level == GGML_LOG_LEVEL_ERROR)
        printf("# llama: %s", text);
}

TEST(packs_as_the_library_does)
{
    static const struct {
        enum gguf_tensor_kind ours;
        enum ggml_type theirs;
    } kinds[] = {{GGUF_TENSOR_Q8_0, GGML_TYPE_Q8_0},
                 {GGUF_TENSOR_Q4_0, GGML_TYPE_Q4_0},
                 {GGUF_TENSOR_F16, GGML_TYPE_F16}};
    static float x[4096];
    static uint8_t ours[16384], theirs[16384];
    uint32_t state = 7;
    for (int i = 0; i < 4096; i++)
        x[i] = i < 64 ? 0 : noise(&state) * (float)(1 << i / 512);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        size_t n = ggml_quantize_chunk(kinds[k].theirs, x, theirs, 0, 1, 4096, NULL);
        gguf_row_pack(kinds[k].ours, x, 4096, ours);
        CHECK_EQ(n, gguf_row_bytes(kinds[k].ours, 4096));
        CHECK(memcmp(ours, theirs, n) == 0);
    }
}

struct loaded {
    struct llama_model *model;
    struct llama_context *context;
};

static struct loaded load(const char *path, bool embeddings)
{
    struct llama_model_params mp = llama_model_default_params();
    struct llama_context_params cp = llama_context_default_params();
    struct loaded l = {0};
    llama_log_set(quiet, NULL);
    mp.n_gpu_layers = 0;
    cp.n_ctx = 512;
    cp.n_threads = cp.n_threads_batch = 1;
    cp.embeddings = embeddings;
    l.model = llama_model_load_from_file(path, mp);
    l.context = l.model ? llama_init_from_model(l.model, cp) : NULL;
    return l;
}

static void unload(struct loaded l)
{
    llama_free(l.context);
    llama_model_free(l.model);
}

static int32_t likeliest(const struct loaded *l)
{
    const float *logits = llama_get_logits_ith(l->context, -1);
    int32_t best = 0;
    for (int32_t i = 1; logits && i < llama_vocab_n_tokens(llama_model_get_vocab(l->model)); i++)
        if (logits[i] > logits[best])
            best = i;
    return logits ? best : -1;
}

/* The text that the model's own page says it writes, taken from that page. */
static struct str reference(struct arena *arena)
{
    const char *path = tap_dataset("tiny-models/llama2c-tokenizer/doc/stories260K.md");
    struct str page = STR_NONE;
    if (!path || file_read(path, 1 << 20, arena, &page, NULL))
        return STR_NONE;
    size_t from = str_find(page, STR("-t 0.0\n"));
    struct str text = str_from(page, from + 7);
    return str_slice(text, 0, str_find(text, STR("\n```")));
}

TEST(stories_are_told_as_the_author_says)
{
    struct why why = {0};
    char checkpoint[4096], tokenizer[4096];
    const char *found = tap_dataset("tiny-models/llama2c-stories260K/data/stories260K.bin");
    if (!found)
        SKIP("the tiny model is not on this machine");
    (void)snprintf(checkpoint, sizeof checkpoint, "%s", found);
    (void)snprintf(tokenizer, sizeof tokenizer, "%s",
                   tap_dataset("tiny-models/llama2c-stories260K/data/tok512.bin"));
    struct arena *arena = arena_new(16 << 20);
    struct str want = reference(arena);
    const char *path = temp_path("stories.gguf");
    CHECK_OK(engine_convert_llama2c(checkpoint, tokenizer, path, GGUF_TENSOR_F32, &why), &why);
    struct loaded l = load(path, false);
    CHECK(l.context != NULL);
    struct buf text;
    buf_init(&text, arena);
    int32_t token = 1;
    for (int i = 0; l.context && i < 256; i++) {
        char piece[64];
        CHECK_EQ(llama_decode(l.context, llama_batch_get_one(&token, 1)), 0);
        token = likeliest(&l);
        if (token <= 1)
            break;
        int n = llama_token_to_piece(llama_model_get_vocab(l.model), token, piece, sizeof piece, 0,
                                     false);
        buf_add(&text, (struct str){piece, n > 0 ? (size_t)n : 0});
    }
    CHECK(want.len > 500);
    CHECK_STR(str_trim(str_slice(buf_str(&text), 0, want.len + 1)), str_z(arena, want));
    unload(l);
    (void)unlink(path);
    arena_free(arena);
}

TEST(quantises_to_what_loads_and_is_smaller)
{
    static const struct {
        const char *kind, *file_type;
    } kinds[] = {{"q8_0", "Q8_0"}, {"Q4_K_M", "Q4_K_M"}};
    struct engine_random opts = {.shape = "tiny", .kind = GGUF_TENSOR_F16, .seed = 5};
    struct why why = {0};
    char from[256], to[256];
    uint64_t before = 0, after = 0;
    (void)snprintf(from, sizeof from, "%s", temp_path("from.gguf"));
    (void)snprintf(to, sizeof to, "%s", temp_path("to.gguf"));
    CHECK_OK(engine_make_random(&opts, from, &why), &why);
    CHECK_OK(file_size(from, &before, &why), &why);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct gguf *gguf = NULL;
        struct gguf_card card;
        CHECK_OK(engine_quantize(from, to, str_c(kinds[i].kind), false, 1, &why), &why);
        CHECK_OK(file_size(to, &after, &why), &why);
        CHECK(after > 100000 && after < before * 3 / 4);
        CHECK_OK(gguf_open(to, &gguf, &why), &why);
        if (!gguf)
            continue;
        gguf_describe(gguf, &card);
        CHECK_STR(card.file_type, kinds[i].file_type);
        gguf_close(gguf);
        struct loaded l = load(to, false);
        CHECK(l.context != NULL);
        unload(l);
    }
    CHECK_EQ(engine_quantize(to, from, STR("Q8_0"), false, 1, &why), ERR_INVALID);
    CHECK(strstr(why.text, "quantised already") != NULL);
    why = (struct why){0};
    CHECK_EQ(engine_quantize(from, to, STR("Q9"), false, 1, &why), ERR_INVALID);
    CHECK(strstr(why.text, "\"Q9\"") != NULL);
    (void)unlink(from);
    (void)unlink(to);
}

static int32_t tokens_of(const struct loaded *l, const char *text, int32_t *out, int32_t most)
{
    return llama_tokenize(llama_model_get_vocab(l->model), text, (int32_t)strlen(text), out, most,
                          true, true);
}

TEST(random_chat_models_run)
{
    static const enum gguf_tensor_kind kinds[] = {GGUF_TENSOR_F16, GGUF_TENSOR_Q8_0,
                                                  GGUF_TENSOR_Q4_0};
    const char *path = temp_path("tiny.gguf");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct why why = {0};
        struct engine_random opts = {.shape = "tiny", .kind = kinds[k], .seed = 3};
        int32_t tokens[64], next[2] = {0};
        CHECK_OK(engine_make_random(&opts, path, &why), &why);
        struct loaded l = load(path, false);
        CHECK(l.context != NULL);
        if (!l.context)
            continue;
        int32_t n = tokens_of(&l, "<|im_start|>user\n\xE6\x82\xA8\xE5\xA5\xBD, the city!<|im_end|>",
                              tokens, 64);
        CHECK(n > 5 && n < 20);
        CHECK_EQ(llama_decode(l.context, llama_batch_get_one(tokens, n)), 0);
        next[0] = likeliest(&l);
        CHECK(next[0] >= 0);
        CHECK(llama_model_chat_template(l.model, NULL) != NULL);
        unload(l);
    }
    (void)unlink(path);
}

TEST(random_embedding_models_and_rerankers_run)
{
    static const char *const shapes[] = {"embed", "rerank"};
    const char *path = temp_path("bert.gguf");
    for (size_t k = 0; k < 2; k++) {
        struct why why = {0};
        struct engine_random opts = {.shape = shapes[k], .kind = GGUF_TENSOR_F32, .seed = 3};
        int32_t tokens[64];
        CHECK_OK(engine_make_random(&opts, path, &why), &why);
        struct loaded l = load(path, true);
        CHECK(l.context != NULL);
        if (!l.context)
            continue;
        int32_t n = tokens_of(
            &l, "the office is open, \xE5\x8A\x9E\xE7\x90\x86\xE8\xBA\xAB\xE4\xBB\xBD", tokens, 64);
        CHECK(n > 8);
        for (int i = 1; i < n - 1; i++) /* nothing unknown, nothing special */
            CHECK(tokens[i] > 4);
        CHECK_EQ(llama_encode(l.context, llama_batch_get_one(tokens, n)), 0);
        const float *v = llama_get_embeddings_seq(l.context, 0);
        CHECK(v && isfinite(v[0]) && v[0] != 0.0f);
        CHECK_EQ(llama_pooling_type(l.context),
                 k == 0 ? LLAMA_POOLING_TYPE_CLS : LLAMA_POOLING_TYPE_RANK);
        unload(l);
    }
    (void)unlink(path);
}
#endif

TEST(the_same_seed_makes_the_same_file)
{
    struct arena *arena = arena_new(32 << 20);
    struct str bytes[3] = {0};
    for (int i = 0; i < 3; i++) {
        struct why why = {0};
        struct engine_random opts = {
            .shape = "tiny", .kind = GGUF_TENSOR_Q8_0, .seed = i == 2 ? 9 : 8};
        const char *path = temp_path("same.gguf");
        CHECK_OK(engine_make_random(&opts, path, &why), &why);
        CHECK_OK(file_read(path, 16 << 20, arena, &bytes[i], &why), &why);
        (void)unlink(path);
    }
    CHECK(bytes[0].len > 500000 && str_eq(bytes[0], bytes[1]));
    CHECK(!str_eq(bytes[0], bytes[2]));
    arena_free(arena);
}

TEST(refuses_what_it_cannot_make)
{
    struct why why = {0};
    struct engine_random opts = {.shape = "huge", .kind = GGUF_TENSOR_F16};
    CHECK_EQ(engine_make_random(&opts, temp_path("x.gguf"), &why), ERR_INVALID);
    CHECK(strstr(why.text, "\"huge\"") != NULL);
    const char *vocab = tap_dataset("gguf-vocab/models/ggml-vocab-gpt-2.gguf");
    if (!vocab)
        SKIP("the vocabularies are not on this machine");
    opts = (struct engine_random){.shape = "embed", .vocab = vocab};
    why = (struct why){0};
    CHECK_EQ(engine_make_random(&opts, temp_path("x.gguf"), &why), ERR_INVALID);
    CHECK(strstr(why.text, "\"gpt2\"") != NULL);
    CHECK(!file_exists(temp_path("x.gguf")));
}

TEST(refuses_checkpoints_that_lie)
{
    static const struct {
        int32_t head[7];
        size_t floats;
        const char *words;
    } cases[] = {
        {{64, 172, 5, 8, 4, 512, 512}, 100, "its head says"},
        {{64, 172, 5, 7, 4, 512, 512}, 100, "no llama2.c checkpoint"},
        {{INT32_MAX, INT32_MAX, 1024, 8, 4, 512, 512}, 100, "no llama2.c checkpoint"},
        {{64, 172, 5, 8, 4, INT32_MIN, 512}, 100, "no llama2.c checkpoint"},
        {{2, 2, 1, 1, 1, 3, 1}, 6 + 2 + 4 * 4 + 2 + 3 * 4 + 2 + 2, "piece 1 of 3"},
    };
    char checkpoint[256], tokenizer[256];
    (void)snprintf(checkpoint, sizeof checkpoint, "%s", temp_path("lie.bin"));
    (void)snprintf(tokenizer, sizeof tokenizer, "%s", temp_path("lie-tok.bin"));
    CHECK_OK(file_write(tokenizer, (struct str){"\5\0\0\0\0\0\0\0\1\0\0\0x", 13}, 0600, NULL),
             NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static char bytes[4096];
        struct why why = {0};
        memcpy(bytes, cases[i].head, 28);
        CHECK_OK(file_write(checkpoint, (struct str){bytes, 28 + 4 * cases[i].floats}, 0600, NULL),
                 NULL);
        CHECK_EQ(engine_convert_llama2c(checkpoint, tokenizer, temp_path("x.gguf"), GGUF_TENSOR_F32,
                                        &why),
                 ERR_INVALID);
        CHECK(strstr(why.text, cases[i].words) != NULL);
        if (!strstr(why.text, cases[i].words))
            printf("# case %zu says: %s\n", i, why.text);
    }
    (void)unlink(checkpoint);
    (void)unlink(tokenizer);
}

TESTS_MAIN()
