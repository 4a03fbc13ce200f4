/* Opening a model: options, the file's header, loading; and closing it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llama.h>

#include "core/file.h"
#include "core/log.h"
#include "core/pool.h"
#include "engine/gguf.h"
#include "engine/kernels.h"
#include "engine/run_in.h"

#define RUN_MEMORY     ((size_t)64 << 20) /* the names, the texts, the tables of pieces */
#define CONTEXT_MOST   32768              /* unless asked for: the cache of a long one is large */
#define CONTEXT_LIMIT  (1u << 20)
#define REMEMBER_BYTES ((size_t)512 << 20)

/* ---- options ---- */

static const struct cache_kind {
    const char *name;
    enum ggml_type type;
} cache_kinds[] = {
    {"f16", GGML_TYPE_F16},   {"f32", GGML_TYPE_F32},   {"bf16", GGML_TYPE_BF16},
    {"q8_0", GGML_TYPE_Q8_0}, {"q5_1", GGML_TYPE_Q5_1}, {"q5_0", GGML_TYPE_Q5_0},
    {"q4_1", GGML_TYPE_Q4_1}, {"q4_0", GGML_TYPE_Q4_0},
};

static enum err cache_type(const char *name, enum ggml_type *out, struct why *why)
{
    *out = GGML_TYPE_F16;
    for (size_t i = 0; name && i < sizeof cache_kinds / sizeof cache_kinds[0]; i++)
        if (strcmp(cache_kinds[i].name, name) == 0) {
            *out = cache_kinds[i].type;
            return ERR_OK;
        }
    return name ? err_set(
                      why, ERR_INVALID,
                      "a cache of \"%s\"; it may be f16, f32, bf16, q8_0, q5_1, q5_0, q4_1 or q4_0",
                      name)
                : ERR_OK;
}

static enum err flash_type(const char *name, enum llama_flash_attn_type *out, struct why *why)
{
    static const struct {
        const char *name;
        enum llama_flash_attn_type type;
    } kinds[] = {{"auto", LLAMA_FLASH_ATTN_TYPE_AUTO},
                 {"on", LLAMA_FLASH_ATTN_TYPE_ENABLED},
                 {"off", LLAMA_FLASH_ATTN_TYPE_DISABLED}};
    *out = LLAMA_FLASH_ATTN_TYPE_AUTO;
    for (size_t i = 0; name && i < 3; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *out = kinds[i].type;
            return ERR_OK;
        }
    return name ? err_set(why, ERR_INVALID, "flash attention \"%s\"; it may be auto, on or off",
                          name)
                : ERR_OK;
}

static enum err check_range(const char *name, uint32_t value, uint32_t least, uint32_t most,
                            struct why *why)
{
    return value == 0 || (value >= least && value <= most)
               ? ERR_OK
               : err_set(why, ERR_INVALID, "%s is %u, it goes from %u to %u", name, value, least,
                         most);
}

static enum err check_opts(const struct run_opts *o, struct why *why)
{
    enum err err = check_range("the context", o->context, 64, CONTEXT_LIMIT, why);
    if (!err)
        err = check_range("the number of slots", o->slots, 1, RUN_MAX_SLOTS, why);
    if (!err)
        err = check_range("the batch", o->batch, RUN_MAX_SLOTS, 1 << 16, why);
    if (!err)
        err = check_range("the batch computed at once", o->ubatch, 16, 1 << 16, why);
    if (!err)
        err = check_range("the number of threads", o->threads, 1, 512, why);
    if (!err)
        err = check_range("the queue", o->queue, 1, 100000, why);
    if (!err && o->n_adapters > RUN_MAX_ADAPTERS)
        err = err_set(why, ERR_INVALID, "%zu adapters, at most %d are loaded", o->n_adapters,
                      RUN_MAX_ADAPTERS);
    return err;
}

/* ---- the header ---- */

static enum err check_file(const char *path, struct gguf_card *card, struct arena *arena,
                           bool *scores, struct why *why)
{
    struct gguf *file = NULL;
    enum err err = gguf_open(path, &file, why);
    if (err) {
        err_prefix(why, "\"%s\": ", path);
        return err == ERR_INVALID ? ERR_CORRUPT : err;
    }
    if (card) {
        gguf_describe(file, card);
        card->architecture = str_copy(arena, card->architecture);
        card->file_type = str_copy(arena, card->file_type);
        card->chat_template = str_copy(arena, card->chat_template);
        card->name = str_copy(arena, card->name);
        *scores = gguf_tensor(file, "cls.weight") || gguf_tensor(file, "cls.output.weight");
    }
    gguf_close(file);
    return ERR_OK;
}

/* "name-00001-of-00003.gguf": the other parts are checked as well. */
static enum err check_parts(const char *path, struct why *why)
{
    size_t len = strlen(path);
    int count = 0;
    char part[4096];
    if (len < 20 || len >= sizeof part ||
        sscanf(path + len - 20, "-00001-of-%5d.gguf", &count) != 1)
        return ERR_OK;
    enum err err = count > 0 && count < 1000
                       ? ERR_OK
                       : err_set(why, ERR_INVALID, "\"%s\" says it has %d parts", path, count);
    for (int i = 2; !err && i <= count; i++) {
        (void)snprintf(part, sizeof part, "%.*s-%05d-of-%05d.gguf", (int)(len - 20), path, i,
                       count);
        err = check_file(part, NULL, NULL, NULL, why);
    }
    return err;
}

static enum err choose_kind(struct run *run, const struct run_opts *o, const struct gguf_card *card,
                            bool scores, struct why *why)
{
    static const enum run_kind by_pooling[] = {RUN_GENERATE, RUN_EMBED, RUN_EMBED, RUN_EMBED,
                                               RUN_RERANK};
    static const enum run_pooling poolings[] = {RUN_POOLING_MEAN, RUN_POOLING_MEAN, RUN_POOLING_CLS,
                                                RUN_POOLING_LAST, RUN_POOLING_MEAN};
    struct run_info *info = &run->info;
    size_t pooling = card->pooling > 0 && card->pooling <= 4 ? (size_t)card->pooling : 0;
    info->kind = o->kind != RUN_AUTO ? o->kind : by_pooling[pooling];
    if (info->kind == RUN_RERANK && !scores)
        return err_set(why, ERR_UNSUPPORTED, "the model has no head that gives scores to pairs");
    if (info->kind == RUN_EMBED)
        info->pooling = o->pooling ? o->pooling : poolings[pooling];
    return ERR_OK;
}

static struct str base_name(const char *path)
{
    struct str name = file_name(str_c(path));
    return str_ends(name, STR(".gguf")) ? str_slice(name, 0, name.len - 5) : name;
}

static enum err read_header(struct run *run, const struct run_opts *o, struct gguf_card *card,
                            struct why *why)
{
    bool scores = false;
    struct run_info *info = &run->info;
    enum err err = check_file(o->model, card, run->arena, &scores, why);
    if (!err)
        err = check_parts(o->model, why);
    for (size_t i = 0; !err && i < o->n_adapters; i++)
        err = check_file(o->adapters[i].path, NULL, NULL, NULL, why);
    if (!err)
        err = choose_kind(run, o, card, scores, why);
    info->name = card->name.len ? card->name : str_copy(run->arena, base_name(o->model));
    info->architecture = card->architecture;
    info->quantisation = card->file_type;
    info->chat_template = card->chat_template;
    return err;
}

/* ---- loading ---- */

static enum err load_model(struct run *run, const struct run_opts *o, struct why *why)
{
    struct llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    params.load_mode = o->no_mmap ? (o->mlock ? LLAMA_LOAD_MODE_MLOCK : LLAMA_LOAD_MODE_NONE)
                       : o->mlock ? LLAMA_LOAD_MODE_MMAP_MLOCK
                                  : LLAMA_LOAD_MODE_MMAP;
    run->model = llama_model_load_from_file(o->model, params);
    if (!run->model)
        return err_set(why, ERR_UNSUPPORTED, "llama.cpp could not load \"%s\" (%.*s): %s", o->model,
                       STR_FMT(run->info.architecture), run_log_last());
    run->vocab = llama_model_get_vocab(run->model);
    if (llama_vocab_type(run->vocab) == LLAMA_VOCAB_TYPE_NONE)
        return err_set(why, ERR_UNSUPPORTED, "\"%s\" has no vocabulary", o->model);
    if (run->info.kind == RUN_GENERATE &&
        (llama_model_has_encoder(run->model) || llama_model_is_diffusion(run->model)))
        return err_set(
            why, ERR_UNSUPPORTED,
            "a model of the architecture \"%.*s\" does not write one token after another",
            STR_FMT(run->info.architecture));
    run->whole = llama_model_is_recurrent(run->model) || llama_model_is_hybrid(run->model);
    return ERR_OK;
}

static enum err load_adapters(struct run *run, const struct run_opts *o, struct why *why)
{
    struct run_adapter *kept = arena_array(run->arena, struct run_adapter, o->n_adapters);
    for (size_t i = 0; kept && i < o->n_adapters; i++) {
        kept[i].name = str_copy(run->arena, str_c(o->adapters[i].name)).ptr;
        kept[i].path = str_copy(run->arena, str_c(o->adapters[i].path)).ptr;
        run->adapters[i] = llama_adapter_lora_init(run->model, o->adapters[i].path);
        if (!run->adapters[i])
            return err_set(why, ERR_INVALID, "\"%s\" is no adapter for this model: %s",
                           o->adapters[i].path, run_log_last());
        if (llama_adapter_get_alora_n_invocation_tokens(run->adapters[i]))
            return err_set(why, ERR_UNSUPPORTED,
                           "\"%s\" is an adapter that begins at a word, which is not supported",
                           o->adapters[i].path);
        run->n_adapters++;
    }
    run->info.adapters = kept;
    run->info.n_adapters = run->n_adapters;
    return kept ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not keep the adapters' names");
}

static enum llama_pooling_type pooling_type(const struct run_info *info)
{
    static const enum llama_pooling_type types[] = {LLAMA_POOLING_TYPE_MEAN,
                                                    LLAMA_POOLING_TYPE_MEAN, LLAMA_POOLING_TYPE_CLS,
                                                    LLAMA_POOLING_TYPE_LAST};
    return info->kind == RUN_GENERATE ? LLAMA_POOLING_TYPE_NONE
           : info->kind == RUN_RERANK ? LLAMA_POOLING_TYPE_RANK
                                      : types[info->pooling];
}

static uint32_t or_else(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* A model of vectors computes every input whole: batch, ubatch and cache are the longest input. */
static void choose_sizes(struct run *run, const struct run_opts *o, struct llama_context_params *p)
{
    bool text = run->info.kind == RUN_GENERATE;
    uint32_t trained = (uint32_t)llama_model_n_ctx_train(run->model);
    run->info.context_trained = trained;
    run->info.slots = or_else(o->slots, text ? 4 : 16);
    run->info.threads = or_else(o->threads, (uint32_t)pool_cores());
    run->split_kv = o->split_kv && text;
    p->n_ctx = or_else(o->context, smaller(or_else(trained, 4096), CONTEXT_MOST));
    p->n_batch = or_else(o->batch, 2048);
    p->n_ubatch = or_else(o->ubatch, text ? 512 : smaller(or_else(trained, 512), 2048));
    if (!text) {
        run->info.input = smaller(p->n_ubatch, or_else(trained, p->n_ubatch));
        p->n_batch = p->n_ubatch;
        p->n_ctx = p->n_ubatch;
    }
    run->batch = p->n_batch;
    run->ubatch = smaller(p->n_ubatch, p->n_batch);
    run->queue = or_else(o->queue, 256);
    run->prompt_ms = or_else(o->prompt_ms, 500);
    run->shelf.limit = o->remember_bytes < 0   ? 0
                       : o->remember_bytes > 0 ? (size_t)o->remember_bytes
                                               : REMEMBER_BYTES;
}

static enum err open_context(struct run *run, const struct run_opts *o, struct why *why)
{
    struct llama_context_params p = llama_context_default_params();
    bool text = run->info.kind == RUN_GENERATE;
    choose_sizes(run, o, &p);
    enum err err = cache_type(o->cache_k, &p.type_k, why);
    if (!err)
        err = cache_type(o->cache_v, &p.type_v, why);
    if (!err)
        err = flash_type(o->flash, &p.flash_attn_type, why);
    if (err)
        return err;
    p.n_seq_max = run->info.slots;
    p.n_outputs_max = text ? run->info.slots : 0; /* a row of logits is as wide as the vocabulary */
    p.n_threads = p.n_threads_batch = (int32_t)run->info.threads;
    p.pooling_type = pooling_type(&run->info);
    p.embeddings = !text;
    p.kv_unified = !run->split_kv;
    p.no_perf = true;
    p.abort_callback = loop_unwanted;
    p.abort_callback_data = run;
    run->ctx = llama_init_from_model(run->model, p);
    if (!run->ctx)
        return err_set(why, ERR_NO_MEMORY, "could not make a context of %u tokens: %s", p.n_ctx,
                       run_log_last());
    run->info.context = llama_n_ctx_seq(run->ctx);
    run->info.context_total = llama_n_ctx(run->ctx);
    return ERR_OK;
}

/* ---- tables ---- */

static uint32_t piece(const struct run *run, int32_t token, bool special, char *out, uint32_t room)
{
    int32_t n = llama_token_to_piece(run->vocab, token, out, (int32_t)room, 0, special);
    return n > 0 ? (uint32_t)n : 0;
}

/* The text of all tokens once: a token is then a look into a table, from any thread. */
static enum err read_pieces(struct run *run, struct why *why)
{
    uint32_t n = run->info.n_vocab;
    char text[4096];
    struct buf buf;
    buf_init(&buf, run->arena);
    run->piece_at = arena_array(run->arena, uint32_t, (size_t)n + 1);
    run->piece_kind = arena_array(run->arena, uint8_t, n);
    run->ends = arena_array(run->arena, int32_t, n);
    for (uint32_t i = 0; run->piece_at && run->piece_kind && run->ends && i < n; i++) {
        uint32_t len = piece(run, (int32_t)i, true, text, sizeof text);
        run->piece_at[i] = (uint32_t)buf.len;
        buf_add(&buf, (struct str){text, len});
        if (len && piece(run, (int32_t)i, false, text, sizeof text) == 0)
            run->piece_kind[i] |= PIECE_HIDDEN;
        if (llama_vocab_is_eog(run->vocab, (int32_t)i)) {
            run->piece_kind[i] |= PIECE_END;
            run->ends[run->n_ends++] = (int32_t)i;
        }
    }
    if (!run->piece_at || !run->piece_kind || !run->ends || buf.failed)
        return err_set(why, ERR_NO_MEMORY, "could not hold the text of %u tokens", n);
    run->piece_at[n] = (uint32_t)buf.len;
    run->pieces = buf.ptr;
    int32_t n_never = 0;
    run->never = llama_vocab_get_suppress_tokens(run->vocab, &n_never);
    run->n_never = run->never && n_never > 0 ? (size_t)n_never : 0;
    return ERR_OK;
}

static void fill_info(struct run *run)
{
    struct run_info *info = &run->info;
    const char *tools = llama_model_chat_template(run->model, "tool_use");
    info->bytes = llama_model_size(run->model);
    info->n_params = llama_model_n_params(run->model);
    info->n_vocab = (uint32_t)llama_vocab_n_tokens(run->vocab);
    info->n_embd = info->kind == RUN_RERANK ? llama_model_n_cls_out(run->model)
                                            : (uint32_t)llama_model_n_embd_out(run->model);
    info->bos = llama_vocab_bos(run->vocab);
    info->eos = llama_vocab_eos(run->vocab);
    info->eot = llama_vocab_eot(run->vocab);
    info->sep = llama_vocab_sep(run->vocab);
    info->add_bos = llama_vocab_get_add_bos(run->vocab);
    info->add_eos = llama_vocab_get_add_eos(run->vocab);
    info->tool_template = tools ? str_c(tools) : STR("");
}

static enum err make_slots(struct run *run, struct why *why)
{
    uint32_t n = run->info.slots;
    bool failed = false;
    run->slots = calloc(n, sizeof *run->slots);
    for (uint32_t i = 0; run->slots && i < n; i++) {
        run->slots[i].scales = calloc(RUN_MAX_ADAPTERS, sizeof(float));
        run->slots[i].tokens = calloc((size_t)run->info.context + 1, sizeof(int32_t));
        failed = failed || !run->slots[i].tokens || !run->slots[i].scales;
    }
    return run->slots && !failed ? ERR_OK
                                 : err_set(why, ERR_NO_MEMORY, "could not make %u slots", n);
}

static enum err make_step(struct run *run, struct why *why)
{
    struct step *s = &run->step;
    uint32_t n = run->batch;
    s->token = calloc(n, sizeof *s->token);
    s->pos = calloc(n, sizeof *s->pos);
    s->n_seq = calloc(n, sizeof *s->n_seq);
    s->seq = calloc(n, sizeof *s->seq);
    s->seq_ids = calloc(n, sizeof *s->seq_ids);
    s->output = calloc(n, sizeof *s->output);
    if (!s->token || !s->pos || !s->n_seq || !s->seq || !s->seq_ids || !s->output)
        return err_set(why, ERR_NO_MEMORY, "could not make a batch of %u tokens", n);
    for (uint32_t i = 0; i < n; i++)
        s->seq[i] = &s->seq_ids[i];
    return ERR_OK;
}

static enum err make_tables(struct run *run, struct why *why)
{
    enum err err = ERR_OK;
    fill_info(run);
    run->call_most = run->queue + run->info.slots;
    run->fresh = calloc(run->queue, sizeof(struct run_call *));
    run->calls = calloc(run->call_most, sizeof(struct run_call *));
    run->raw = calloc(run->info.n_vocab, sizeof(float));
    if (!run->fresh || !run->calls || !run->raw)
        return err_set(why, ERR_NO_MEMORY, "could not make a queue of %u requests", run->queue);
    err = read_pieces(run, why);
    if (!err)
        err = make_slots(run, why);
    if (!err)
        err = make_step(run, why);
    if (!err)
        err = fair_init(&run->fair, run->call_most, why);
    if (!err)
        err = sample_scratch_init(&run->scratch, run->info.n_vocab, why);
    return err;
}

/* ---- start and end ---- */

static enum err start(struct run *run, struct why *why)
{
    run->shown.n_slots = run->info.slots;
    if (pthread_create(&run->thread, NULL, loop_main, run) != 0)
        return err_set(why, ERR_NO_MEMORY, "could not start the loop's thread");
    run->threaded = true;
    (void)pthread_mutex_lock(&run->lock);
    while (!run->ready)
        (void)pthread_cond_wait(&run->wake, &run->lock);
    (void)pthread_mutex_unlock(&run->lock);
    if (run->start_err && why)
        *why = run->start_why;
    return run->start_err;
}

enum err run_open(const struct run_opts *opts, struct run **out, struct why *why)
{
    struct gguf_card card = {0};
    *out = NULL;
    enum err err = check_opts(opts, why);
    if (err)
        return err;
    struct run *run = calloc(1, sizeof *run);
    if (!run || !(run->arena = arena_new(RUN_MEMORY))) {
        free(run);
        return err_set(why, ERR_NO_MEMORY, "could not begin to load a model");
    }
    (void)pthread_mutex_init(&run->lock, NULL);
    (void)pthread_cond_init(&run->wake, NULL);
    run_log_init();
    llama_backend_init();
    err = read_header(run, opts, &card, why);
    if (!err)
        err = load_model(run, opts, why);
    if (!err)
        err = load_adapters(run, opts, why);
    if (!err)
        err = open_context(run, opts, why);
    if (!err)
        err = make_tables(run, why);
    if (!err)
        err = start(run, why);
    if (err) {
        run_close(run);
        return err;
    }
    LOG_INFO("model loaded", LOG_STR("name", run->info.name),
             LOG_STR("architecture", run->info.architecture), LOG_I("bytes", run->info.bytes),
             LOG_I("context", run->info.context), LOG_I("slots", run->info.slots),
             LOG_I("threads", run->info.threads), LOG_S("kernels", kernels_name()));
    *out = run;
    return ERR_OK;
}

static void stop(struct run *run)
{
    if (!run->threaded)
        return;
    (void)pthread_mutex_lock(&run->lock);
    run->stopping = true;
    (void)pthread_cond_broadcast(&run->wake);
    (void)pthread_mutex_unlock(&run->lock);
    (void)pthread_join(run->thread, NULL);
}

void run_close(struct run *run)
{
    if (!run)
        return;
    stop(run);
    shelf_release(run);
    llama_free(run->ctx);
    llama_model_free(run->model); /* the adapters with it */
    for (uint32_t i = 0; run->slots && i < run->info.slots; i++) {
        free(run->slots[i].tokens);
        free(run->slots[i].scales);
    }
    free(run->slots);
    free(run->step.token);
    free(run->step.pos);
    free(run->step.n_seq);
    free(run->step.seq);
    free(run->step.seq_ids);
    free(run->step.output);
    free(run->fresh);
    free(run->calls);
    free(run->raw);
    fair_release(&run->fair);
    sample_scratch_release(&run->scratch);
    (void)pthread_mutex_destroy(&run->lock);
    (void)pthread_cond_destroy(&run->wake);
    arena_free(run->arena);
    free(run);
}

/* ---- what others see ---- */

const struct run_info *run_info(const struct run *run)
{
    return &run->info;
}

const struct llama_model *run_model(const struct run *run)
{
    return run->model;
}

void run_drain(struct run *run)
{
    (void)pthread_mutex_lock(&run->lock);
    run->draining = true;
    (void)pthread_mutex_unlock(&run->lock);
}

void run_state(struct run *run, struct run_state *out)
{
    (void)pthread_mutex_lock(&run->lock);
    *out = run->shown;
    out->waiting += run->n_fresh;
    out->draining = run->draining;
    (void)pthread_mutex_unlock(&run->lock);
}
