/*
 * engine/run: LoRA adapters. The adapter and the model that it was merged into are written here,
 * from the real model stories260K: with the adapter the model must say what the merged model says,
 * token by token, and without it what it says alone.
 */
#include "http/http.h"
#include "run_kit.h"

#include <math.h>

#define RANK   3
#define ALPHA  6.0f /* an adapter of scale 1 adds alpha / rank * B A */
#define TOKENS 60

static uint64_t dice = 42;

static float noise(float size)
{
    dice = dice * 6364136223846793005ull + 1442695040888963407ull;
    return size * ((float)(dice >> 40) / (float)(1 << 23) - 1);
}

/* A (in, rank) and B (rank, out) for one matrix of the model. */
struct pair {
    const struct gguf_tensor *of;
    float *a, *b;
};

static bool is_adapted(const struct gguf_tensor *t)
{
    static const char *const kinds[] = {"attn_q.weight", "attn_v.weight", "attn_output.weight",
                                        "ffn_gate.weight", "ffn_down.weight"};
    bool found = false;
    for (size_t i = 0; !found && i < sizeof kinds / sizeof kinds[0]; i++)
        found = str_find(t->name, str_c(kinds[i])) != STR_NPOS;
    return found;
}

static size_t make_pairs(const struct gguf *model, struct arena *arena, struct pair *pairs)
{
    size_t n = 0;
    for (size_t i = 0; i < gguf_n_tensors(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        if (!is_adapted(t))
            continue;
        struct pair *p = &pairs[n++];
        *p = (struct pair){t, arena_array(arena, float, t->dims[0] * RANK),
                           arena_array(arena, float, t->dims[1] * RANK)};
        for (size_t k = 0; k < t->dims[0] * RANK; k++)
            p->a[k] = noise(0.12f);
        for (size_t k = 0; k < t->dims[1] * RANK; k++)
            p->b[k] = noise(0.12f);
    }
    return n;
}

static void write_adapter(const char *path, const struct pair *pairs, size_t n)
{
    struct gguf_out *out = NULL;
    struct why why = {0};
    char name[128];
    CHECK_OK(gguf_out_open(path, &out, &why), &why);
    gguf_put_str(out, "general.type", STR("adapter"));
    gguf_put_str(out, "general.architecture", STR("llama"));
    gguf_put_str(out, "adapter.type", STR("lora"));
    gguf_put_real(out, "adapter.lora.alpha", ALPHA);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "%.*s.lora_a", STR_FMT(pairs[i].of->name));
        (void)gguf_put_tensor(out, name, GGUF_TENSOR_F32, 2,
                              (uint64_t[]){pairs[i].of->dims[0], RANK});
        (void)snprintf(name, sizeof name, "%.*s.lora_b", STR_FMT(pairs[i].of->name));
        (void)gguf_put_tensor(out, name, GGUF_TENSOR_F32, 2,
                              (uint64_t[]){RANK, pairs[i].of->dims[1]});
    }
    for (size_t i = 0; i < n; i++) {
        gguf_put_f32(out, pairs[i].a, pairs[i].of->dims[0] * RANK);
        gguf_put_f32(out, pairs[i].b, pairs[i].of->dims[1] * RANK);
    }
    CHECK_OK(gguf_out_close(out, &why), &why);
}

static void merge(const struct pair *p, float *w)
{
    for (size_t o = 0; o < p->of->dims[1]; o++)
        for (size_t i = 0; i < p->of->dims[0]; i++) {
            float sum = 0;
            for (size_t r = 0; r < RANK; r++)
                sum += p->b[o * RANK + r] * p->a[r * p->of->dims[0] + i];
            w[o * p->of->dims[0] + i] += ALPHA / RANK * sum;
        }
}

static void write_merged(const char *path, const struct gguf *model, const struct pair *pairs,
                         size_t n, struct arena *arena)
{
    struct gguf_out *out = NULL;
    struct why why = {0};
    struct str name;
    CHECK_OK(gguf_out_open(path, &out, &why), &why);
    for (size_t i = 0; i < gguf_n_keys(model); i++) {
        const struct gguf_value *value = gguf_key_at(model, i, &name);
        gguf_put_value(out, name, value);
    }
    for (size_t i = 0; i < gguf_n_tensors(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        (void)gguf_put_tensor(out, str_z(arena, t->name), t->kind, t->n_dims, t->dims);
    }
    for (size_t i = 0; i < gguf_n_tensors(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        float *w = arena_array(arena, float, t->n);
        memcpy(w, t->bytes, t->n * sizeof *w);
        for (size_t k = 0; k < n; k++)
            if (pairs[k].of == t)
                merge(&pairs[k], w);
        gguf_put_f32(out, w, t->n);
    }
    CHECK_OK(gguf_out_close(out, &why), &why);
}

/* Owned by the process: most tests use them. */
static struct files {
    const char *model, *adapter, *merged;
} files;

static bool make_files(void)
{
    struct gguf *model = NULL;
    struct why why = {0};
    struct pair pairs[256];
    if (files.model || !kit_stories())
        return files.model;
    struct arena *arena = arena_new(64 << 20);
    files = (struct files){kit_stories(), kit_path("adapter.gguf"), kit_path("merged.gguf")};
    CHECK_OK(gguf_open(files.model, &model, &why), &why);
    size_t n = make_pairs(model, arena, pairs);
    CHECK_EQ(n, 25u); /* five matrices in each of five layers */
    write_adapter(files.adapter, pairs, n);
    write_merged(files.merged, model, pairs, n, arena);
    gguf_close(model);
    arena_free(arena);
    return true;
}

static struct run *open_model(const char *model, const char *adapter)
{
    struct run_adapter adapters[] = {{"town", adapter}};
    struct run *run = NULL;
    struct why why = {0};
    struct run_opts opts = {.model = model,
                            .threads = 1,
                            .slots = 2,
                            .cache_k = "f32",
                            .cache_v = "f32",
                            .flash = "off",
                            .adapters = adapters,
                            .n_adapters = adapter ? 1 : 0};
    CHECK_OK(run_open(&opts, &run, &why), &why);
    return run;
}

static struct heard *tell(struct run *run, const struct run_lora *lora)
{
    static const int32_t bos = 1;
    struct run_input in = {&bos, 1};
    struct heard *h = heard_all(run, &(struct run_request){.inputs = &in,
                                                           .n_inputs = 1,
                                                           .max_tokens = TOKENS,
                                                           .logprobs = true,
                                                           .loras = lora,
                                                           .n_loras = lora ? 1 : 0});
    CHECK_OK(h->err, &h->why);
    CHECK_EQ(h->choice[0].n, (size_t)TOKENS);
    return h;
}

static size_t same_tokens(const struct heard *a, const struct heard *b)
{
    size_t n = 0;
    while (n < TOKENS && a->choice[0].ids[n] == b->choice[0].ids[n])
        n++;
    return n;
}

#define NEED_FILES()                                                                               \
    NEED_LLAMA();                                                                                  \
    if (!make_files())                                                                             \
    SKIP("the model stories260K is not here")

TEST(an_adapter_does_what_merging_it_does)
{
    NEED_FILES();
    struct run *with = open_model(files.model, files.adapter);
    struct run *merged = open_model(files.merged, NULL);
    struct heard *a = tell(with, &(struct run_lora){"town", 1}), *b = tell(merged, NULL);
    CHECK_EQ(same_tokens(a, b), (size_t)TOKENS);
    for (size_t i = 0; i < TOKENS; i++)
        CHECK(fabsf(a->choice[0].logprob[i] - b->choice[0].logprob[i]) < 1e-3f);
    heard_free(a);
    heard_free(b);
    run_close(with);
    run_close(merged);
}

TEST(a_request_without_it_or_with_scale_0_gets_the_model_alone)
{
    NEED_FILES();
    struct run *with = open_model(files.model, files.adapter);
    struct run *alone = open_model(files.model, NULL);
    struct heard *base = tell(alone, NULL), *not_asked = tell(with, NULL);
    struct heard *adapted = tell(with, &(struct run_lora){"town", 1});
    struct heard *nothing = tell(with, &(struct run_lora){"town", 0});
    CHECK_EQ(same_tokens(base, not_asked), (size_t)TOKENS);
    CHECK_EQ(same_tokens(base, nothing), (size_t)TOKENS);
    CHECK(same_tokens(base, adapted) < TOKENS); /* it changes what is said */
    heard_free(base);
    heard_free(not_asked);
    heard_free(adapted);
    heard_free(nothing);
    run_close(with);
    run_close(alone);
}

TEST(requests_with_and_without_it_run_side_by_side)
{
    NEED_FILES();
    struct run *with = open_model(files.model, files.adapter);
    struct run_lora town = {"town", 1};
    struct heard *base = tell(with, NULL), *adapted = tell(with, &town);
    for (int i = 0; i < 3;
         i++) { /* in turns over the same prefix: no cache of the other is taken */
        struct heard *one = tell(with, i % 2 ? NULL : &town);
        CHECK_EQ(same_tokens(one, i % 2 ? base : adapted), (size_t)TOKENS);
        heard_free(one);
    }
    heard_free(base);
    heard_free(adapted);
    run_close(with);
}

/* The text of one completion over HTTP, or the status when it is none. */
static struct str complete(struct engine *engine, const char *more, struct arena *arena,
                           int *status)
{
    static const char *headers[] = {"Content-Type: application/json"};
    struct http_answer answer = {0};
    const struct json *json = NULL;
    struct why why = {0};
    struct http_call call = {
        .method = "POST",
        .url = str_printf(arena, "http://127.0.0.1:%d/v1/completions", engine_port(engine)).ptr,
        .headers = headers,
        .n_headers = 1,
        .body = str_printf(arena, "{\"prompt\":\"\",\"max_tokens\":%d,\"temperature\":0%s}", TOKENS,
                           more),
        .connect_ms = 5000,
        .total_ms = 60000,
        .most = 1 << 20};
    CHECK_OK(http_fetch(&call, arena, &answer, &why), &why);
    CHECK_OK(json_parse(answer.body, arena, &json, &why), &why);
    *status = answer.status;
    return answer.status == 200
               ? json_get_str(json_at(json_get(json, "choices"), 0), "text", STR(""))
               : str_copy(arena, json_get_str(json_get(json, "error"), "message", STR("")));
}

TEST(a_request_names_it_over_http)
{
    NEED_FILES();
    struct run_adapter town = {"town", files.adapter};
    struct engine_opts opts = {.alias = "m",
                               .run = {.model = files.model,
                                       .threads = 1,
                                       .slots = 2,
                                       .cache_k = "f32",
                                       .cache_v = "f32",
                                       .flash = "off",
                                       .adapters = &town,
                                       .n_adapters = 1}};
    struct engine *engine = NULL;
    struct why why = {0};
    int status = 0;
    struct run *with = open_model(files.model, files.adapter);
    struct heard *adapted = tell(with, &(struct run_lora){"town", 1}), *base = tell(with, NULL);
    run_close(with);
    struct arena *arena = arena_new(16 << 20);
    CHECK_OK(engine_open(&opts, &engine, &why), &why);
    if (engine) {
        CHECK_STR(complete(engine, "", arena, &status), base->choice[0].text);
        CHECK_STR(complete(engine, ",\"lora\":[{\"name\":\"town\",\"scale\":1}]", arena, &status),
                  adapted->choice[0].text);
        struct str words = complete(engine, ",\"lora\":[{\"name\":\"village\"}]", arena, &status);
        CHECK(str_find(words, STR("village")) != STR_NPOS);
        CHECK_EQ(status, 400);
    }
    engine_close(engine, 1000);
    arena_free(arena);
    heard_free(adapted);
    heard_free(base);
}

TEST(an_adapter_of_another_model_is_refused)
{
    NEED_FILES();
    struct run_adapter adapters[] = {{"town", files.adapter}};
    struct run *run = NULL;
    struct why why = {0};
    struct run_opts opts = {
        .model = kit_random("tiny"), .threads = 1, .adapters = adapters, .n_adapters = 1};
    CHECK_EQ(run_open(&opts, &run, &why), ERR_INVALID);
    CHECK(strstr(why.text, "no adapter for this model"));
    CHECK(!run);
}

TEST(a_name_that_is_not_loaded_is_refused)
{
    NEED_FILES();
    static const int32_t bos = 1;
    struct run *with = open_model(files.model, files.adapter);
    struct run_input in = {&bos, 1};
    struct run_lora other = {"village", 1};
    struct run_call *call = NULL;
    struct why why = {0};
    struct run_request request = {
        .inputs = &in, .n_inputs = 1, .max_tokens = 2, .loras = &other, .n_loras = 1};
    CHECK_EQ(run_submit(with, &request, heard_sink, NULL, &call, &why), ERR_INVALID);
    CHECK(strstr(why.text, "village"));
    run_close(with);
}

TESTS_MAIN()
