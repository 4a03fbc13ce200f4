/* engine/run: vectors, scores, adapters, files that are not sound, a model of another vocabulary.
 */
#include "run_kit.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#if HAVE_LLAMA
#include <llama.h>
#endif

static struct run *open_model(struct run_opts opts)
{
    struct run *run = NULL;
    struct why why = {0};
    opts.threads = 1;
    opts.cache_k = opts.cache_v = "f32";
    opts.flash = "off";
    CHECK_OK(run_open(&opts, &run, &why), &why);
    return run;
}

static struct run_input tokens_of(struct run *run, const char *text, struct arena *arena)
{
    struct run_input in = {0};
    int32_t *tokens = NULL;
    struct why why = {0};
    CHECK_OK(run_tokenize(run, str_c(text), true, false, arena, &tokens, &in.n, &why), &why);
    in.tokens = tokens;
    return in;
}

/* ---- vectors ---- */

TEST(embeddings_have_the_shape_and_length_1)
{
    static const char *const texts[] = {"one", "another text, somewhat longer", "one", "x"};
    NEED_LLAMA();
    struct arena *arena = arena_new(16 << 20);
    struct run *run = open_model((struct run_opts){.model = kit_random("embed")});
    struct run_input in[4];
    if (!run)
        return;
    CHECK_EQ(run_info(run)->kind, RUN_EMBED); /* the file says so */
    CHECK_EQ(run_info(run)->pooling, RUN_POOLING_CLS);
    size_t total = 0;
    for (size_t i = 0; i < 4; i++) {
        in[i] = tokens_of(run, texts[i], arena);
        total += in[i].n;
    }
    struct heard *all = heard_all(run, &(struct run_request){.inputs = in, .n_inputs = 4});
    CHECK_OK(all->err, &all->why);
    CHECK_EQ(all->n_vectors, 4);
    CHECK_EQ(all->n_vector, 64);
    CHECK_EQ(all->n_vector, run_info(run)->n_embd);
    CHECK_EQ(all->usage.prompt, total);
    double same = 0, other = 0;
    for (size_t i = 0; i < 4; i++) {
        double sum = 0;
        for (size_t j = 0; j < 64; j++)
            sum += (double)all->vectors[i][j] * (double)all->vectors[i][j];
        CHECK(fabs(sum - 1) < 1e-5);
    }
    for (size_t j = 0; j < 64; j++) {
        same += (double)all->vectors[0][j] * (double)all->vectors[2][j];
        other += (double)all->vectors[0][j] * (double)all->vectors[1][j];
    }
    CHECK(same > 0.99999);
    CHECK(other < 0.9999);
    /* Alone it is the same vector. */
    struct heard *one = heard_all(run, &(struct run_request){.inputs = &in[1], .n_inputs = 1});
    for (size_t j = 0; j < 64; j++)
        CHECK(fabsf(one->vectors[0][j] - all->vectors[1][j]) < 1e-5f);
    heard_free(one);
    heard_free(all);
    /* Too long is said with numbers; text is not to be had. */
    static int32_t many[600];
    for (size_t i = 0; i < 600; i++)
        many[i] = 5;
    one = heard_all(run,
                    &(struct run_request){.inputs = &(struct run_input){many, 600}, .n_inputs = 1});
    CHECK_EQ(one->err, ERR_TOO_LARGE);
    CHECK(strstr(one->why.text, "has 600 tokens, the model takes at most 512") != NULL);
    heard_free(one);
    one = heard_all(run, &(struct run_request){.kind = RUN_GENERATE, .inputs = in, .n_inputs = 1});
    CHECK_EQ(one->err, ERR_UNSUPPORTED);
    heard_free(one);
    run_close(run);
    arena_free(arena);
}

/* More inputs than fit in a step, from several requests at once. */
TEST(many_inputs_all_get_their_own_vector)
{
    NEED_LLAMA();
    struct arena *arena = arena_new(16 << 20);
    struct run *run =
        open_model((struct run_opts){.model = kit_random("embed"), .slots = 4, .ubatch = 64});
    struct run_input in[16];
    struct heard *h[3], *alone[16];
    char text[64];
    if (!run)
        return;
    for (size_t i = 0; i < 16; i++) {
        (void)snprintf(text, sizeof text, "number %zu %s", i, i % 3 ? "and more of it" : "");
        in[i] = tokens_of(run, text, arena);
        alone[i] = heard_all(run, &(struct run_request){.inputs = &in[i], .n_inputs = 1});
    }
    for (size_t i = 0; i < 3; i++) {
        h[i] = heard_new();
        CHECK_OK(heard_ask(run,
                           &(struct run_request){
                               .inputs = in, .n_inputs = 16, .key = i ? STR("b") : STR("a")},
                           h[i], NULL),
                 NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        heard_wait(h[i]);
        CHECK_EQ(h[i]->n_vectors, 16);
        for (size_t j = 0; j < 16; j++)
            for (size_t k = 0; k < 64; k++)
                CHECK(fabsf(h[i]->vectors[j][k] - alone[j]->vectors[0][k]) < 1e-5f);
        heard_free(h[i]);
    }
    for (size_t i = 0; i < 16; i++)
        heard_free(alone[i]);
    run_close(run);
    arena_free(arena);
}

TEST(a_writing_model_gives_vectors_when_asked_to)
{
    NEED_LLAMA();
    struct arena *arena = arena_new(16 << 20);
    for (int pooling = RUN_POOLING_MEAN; pooling <= RUN_POOLING_LAST; pooling++) {
        struct run *run = open_model((struct run_opts){
            .model = kit_random("tiny"), .kind = RUN_EMBED, .pooling = (enum run_pooling)pooling});
        struct run_input in[2];
        if (!run)
            return;
        in[0] = tokens_of(run, "城市", arena);
        in[1] = tokens_of(run, "村庄和河流", arena);
        struct heard *h = heard_all(run, &(struct run_request){.inputs = in, .n_inputs = 2});
        CHECK_OK(h->err, &h->why);
        CHECK_EQ(h->n_vectors, 2);
        CHECK_EQ(h->n_vector, 128);
        CHECK(memcmp(h->vectors[0], h->vectors[1], 128 * sizeof(float)) != 0);
        heard_free(h);
        run_close(run);
    }
    arena_free(arena);
}

TEST(a_reranker_gives_one_score_for_a_pair)
{
    NEED_LLAMA();
    struct arena *arena = arena_new(16 << 20);
    struct run *run = open_model((struct run_opts){.model = kit_random("rerank")});
    struct run_input in[2];
    int32_t *tokens;
    struct why why = {0};
    if (!run)
        return;
    CHECK_EQ(run_info(run)->kind, RUN_RERANK);
    CHECK_OK(run_pair(run, STR("who pays"), STR("the tenant pays"), arena, &tokens, &in[0].n, &why),
             &why);
    in[0].tokens = tokens;
    CHECK_OK(run_pair(run, STR("who pays"), STR("it rains"), arena, &tokens, &in[1].n, &why), &why);
    in[1].tokens = tokens;
    struct heard *h = heard_all(run, &(struct run_request){.inputs = in, .n_inputs = 2});
    CHECK_OK(h->err, &h->why);
    CHECK_EQ(h->n_vectors, 2);
    CHECK_EQ(h->n_vector, 1);
    CHECK(isfinite(h->vectors[0][0]) && h->vectors[0][0] != h->vectors[1][0]);
    heard_free(h);
    run_close(run);
    arena_free(arena);
}

/* ---- adapters ---- */

/* A LoRA of rank 2 on the first layers' queries; `strength` 0 changes nothing. */
static const char *make_adapter(const char *name, float strength, uint32_t seed)
{
    const char *path = kit_path(name);
    struct gguf_out *out = NULL;
    struct why why = {0};
    float a[128], b[128];
    const uint64_t a_dims[] = {64, 2}, b_dims[] = {2, 64};
    CHECK_OK(gguf_out_open(path, &out, &why), &why);
    gguf_put_str(out, "general.architecture", STR("llama"));
    gguf_put_str(out, "general.type", STR("adapter"));
    gguf_put_str(out, "adapter.type", STR("lora"));
    gguf_put_real(out, "adapter.lora.alpha", 2);
    for (int layer = 0; layer < 3; layer++) {
        char tensor[64];
        (void)snprintf(tensor, sizeof tensor, "blk.%d.attn_q.weight.lora_a", layer);
        (void)gguf_put_tensor(out, tensor, GGUF_TENSOR_F32, 2, a_dims);
        (void)snprintf(tensor, sizeof tensor, "blk.%d.attn_q.weight.lora_b", layer);
        (void)gguf_put_tensor(out, tensor, GGUF_TENSOR_F32, 2, b_dims);
    }
    for (int layer = 0; layer < 3; layer++) {
        for (size_t i = 0; i < 128; i++) {
            seed = seed * 1664525u + 1013904223u;
            a[i] = strength * ((float)(seed >> 8) / 8388608.0f - 1);
            seed = seed * 1664525u + 1013904223u;
            b[i] = (float)(seed >> 8) / 8388608.0f - 1;
        }
        gguf_put_f32(out, a, 128);
        gguf_put_f32(out, b, 128);
    }
    CHECK_OK(gguf_out_close(out, &why), &why);
    return path;
}

TEST(adapters_are_chosen_by_the_request_and_never_mixed)
{
    NEED_LLAMA();
    if (!kit_stories())
        SKIP("the model stories260K is not here");
    struct arena *arena = arena_new(16 << 20);
    struct run_adapter adapters[] = {{"red", make_adapter("red.gguf", 1, 1)},
                                     {"blue", make_adapter("blue.gguf", 1, 9)}};
    struct run *run = open_model((struct run_opts){
        .model = kit_stories(), .slots = 4, .adapters = adapters, .n_adapters = 2});
    struct run_lora red = {"red", 1}, blue = {"blue", 1}, none = {"red", 0};
    struct run_lora *sets[] = {NULL, &red, &blue, &none};
    struct heard *alone[4], *together[4];
    struct run_request r[4];
    if (!run)
        return;
    struct run_input in = tokens_of(run, "One day, Tim went to the", arena);
    for (size_t i = 0; i < 4; i++) {
        r[i] = (struct run_request){.inputs = &in,
                                    .n_inputs = 1,
                                    .max_tokens = 40,
                                    .loras = sets[i],
                                    .n_loras = sets[i] != NULL};
        alone[i] = heard_all(run, &r[i]);
        CHECK_OK(alone[i]->err, &alone[i]->why);
        CHECK_EQ(alone[i]->usage.cached, i == 3 ? in.n - 1 : 0); /* no prefix of another's */
    }
    CHECK(strcmp(alone[0]->choice[0].text, alone[1]->choice[0].text) != 0);
    CHECK(strcmp(alone[0]->choice[0].text, alone[2]->choice[0].text) != 0);
    CHECK(strcmp(alone[1]->choice[0].text, alone[2]->choice[0].text) != 0);
    CHECK(strcmp(alone[0]->choice[0].text, alone[3]->choice[0].text) == 0);
    for (size_t i = 0; i < 4; i++) {
        together[i] = heard_new();
        CHECK_OK(heard_ask(run, &r[i], together[i], NULL), NULL);
    }
    for (size_t i = 0; i < 4; i++) {
        heard_wait(together[i]);
        CHECK(strcmp(alone[i]->choice[0].text, together[i]->choice[0].text) == 0);
        heard_free(alone[i]);
        heard_free(together[i]);
    }
    run_close(run);
    arena_free(arena);
}

/* ---- what cannot be opened ---- */

TEST(what_cannot_be_opened_is_said_in_words)
{
    NEED_LLAMA();
    const char *cut = kit_path("cut.gguf"), *text = kit_path("text.gguf"),
               *fine = kit_random("tiny");
    struct arena *arena = arena_new(64 << 20);
    struct str bytes;
    CHECK_OK(file_read(fine, 32 << 20, arena, &bytes, NULL), NULL);
    CHECK_OK(file_write(cut, str_slice(bytes, 0, bytes.len / 2), 0600, NULL), NULL);
    CHECK_OK(file_write(text, STR("this is not a model"), 0600, NULL), NULL);
    struct run_adapter wrong = {"wrong", fine};
    const struct {
        struct run_opts opts;
        enum err err;
    } cases[] = {
        {{.model = "/nowhere/at/all.gguf"}, ERR_NOT_FOUND},
        {{.model = cut}, ERR_CORRUPT},
        {{.model = text}, ERR_CORRUPT},
        {{.model = fine, .context = 10}, ERR_INVALID},
        {{.model = fine, .slots = 65}, ERR_INVALID},
        {{.model = fine, .batch = 5}, ERR_INVALID},
        {{.model = fine, .cache_k = "q3"}, ERR_INVALID},
        {{.model = fine, .flash = "maybe"}, ERR_INVALID},
        {{.model = fine, .kind = RUN_RERANK}, ERR_UNSUPPORTED},
        {{.model = fine, .adapters = &wrong, .n_adapters = 1}, ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run *run = NULL;
        struct why why = {0};
        CHECK_EQ(run_open(&cases[i].opts, &run, &why), cases[i].err);
        CHECK(!run && why.text[0] != '\0');
    }
    arena_free(arena);
}

#if HAVE_LLAMA
TEST(an_abort_inside_the_library_leaves_a_last_line)
{
    int ends[2], status = 0;
    char line[4096] = "";
    size_t len = 0;
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        run_log_init();
        ggml_abort("kernel.c", 1, "made to fail");
    }
    (void)close(ends[1]);
    for (ssize_t n; (n = read(ends[0], line + len, sizeof line - 1 - len)) > 0;)
        len += (size_t)n;
    (void)close(ends[0]);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(line, "llama.cpp found an error it cannot go on from") != NULL);
    CHECK(strstr(line, "made to fail") != NULL);
}
#endif

/* ---- another family ---- */

TEST(a_quantised_cache_and_a_control_token)
{
    NEED_LLAMA();
    struct arena *arena = arena_new(16 << 20);
    struct run *run = NULL;
    struct why why = {0};
    struct run_opts opts = {.model = kit_random("tiny"),
                            .threads = 1,
                            .cache_k = "q8_0",
                            .cache_v = "q4_0",
                            .flash = "on",
                            .slots = 2};
    CHECK_OK(run_open(&opts, &run, &why), &why);
    if (!run)
        return;
    struct run_input in = tokens_of(run, "你好，城市", arena);
    int32_t end = run_info(run)->eos, *control;
    size_t n;
    CHECK(end >= 0);
    struct run_bias always = {end, 100};
    struct run_request r = {
        .inputs = &in, .n_inputs = 1, .max_tokens = 8, .sampling = {.bias = &always, .n_bias = 1}};
    struct heard *h = heard_all(run, &r);
    CHECK_OK(h->err, &h->why);
    CHECK_EQ(h->choice[0].finish, RUN_FINISH_STOP);
    CHECK_EQ(h->usage.completion, 0);
    heard_free(h);
    /* A control token that ends nothing has no text, unless it is wanted. */
    CHECK_OK(run_tokenize(run, STR("<|im_start|>"), false, true, arena, &control, &n, &why), &why);
    CHECK_EQ(n, 1);
    always.token = control[0];
    r.max_tokens = 1;
    h = heard_all(run, &r);
    CHECK_EQ(h->choice[0].n, 1);
    CHECK_EQ(h->choice[0].len, 0);
    heard_free(h);
    r.preserved = control;
    r.n_preserved = 1;
    h = heard_all(run, &r);
    CHECK(strcmp(h->choice[0].text, "<|im_start|>") == 0);
    heard_free(h);
    run_close(run);
    arena_free(arena);
}

TESTS_MAIN()
