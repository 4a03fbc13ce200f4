/* Models of random weights: the families' keys and shapes as data, then one walk that writes them.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/arena.h"
#include "engine/gguf_make.h"
#include "engine/gguf_write.h"
#include "engine/tiny_vocab.h"

struct shape {
    const char *name, *family;
    uint32_t embed, feed, layers, heads, heads_kv, context;
    int pooling; /* -1: it generates */
    const char *summary;
};
static const struct shape shapes[] = {
#define SHAPE(...) {__VA_ARGS__},
    ENGINE_RANDOM_MAP(SHAPE)
#undef SHAPE
};
#define N_SHAPES (sizeof shapes / sizeof shapes[0])

/* ---- tensors ---- */

enum fill { ONES, ZEROS, NOISE };

/* Sizes by letter: e embedding, f feed forward, k keys and values, v vocabulary, c context, 2 and 1
 * themselves. The first is the length of a row. */
struct tensor {
    const char *name; /* "%u" is the layer */
    const char *dims;
    enum fill fill;
};
static const struct tensor qwen2_head[] = {{"token_embd.weight", "ev", NOISE}};
static const struct tensor qwen2_layer[] = {
    {"blk.%u.attn_norm.weight", "e", ONES},  {"blk.%u.attn_q.weight", "ee", NOISE},
    {"blk.%u.attn_q.bias", "e", NOISE},      {"blk.%u.attn_k.weight", "ek", NOISE},
    {"blk.%u.attn_k.bias", "k", NOISE},      {"blk.%u.attn_v.weight", "ek", NOISE},
    {"blk.%u.attn_v.bias", "k", NOISE},      {"blk.%u.attn_output.weight", "ee", NOISE},
    {"blk.%u.ffn_norm.weight", "e", ONES},   {"blk.%u.ffn_gate.weight", "ef", NOISE},
    {"blk.%u.ffn_down.weight", "fe", NOISE}, {"blk.%u.ffn_up.weight", "ef", NOISE},
};
static const struct tensor qwen2_tail[] = {{"output_norm.weight", "e", ONES}};
static const struct tensor bert_head[] = {
    {"token_embd.weight", "ev", NOISE},   {"position_embd.weight", "ec", NOISE},
    {"token_types.weight", "e2", NOISE},  {"token_embd_norm.weight", "e", ONES},
    {"token_embd_norm.bias", "e", ZEROS},
};
static const struct tensor bert_layer[] = {
    {"blk.%u.attn_q.weight", "ee", NOISE},          {"blk.%u.attn_q.bias", "e", NOISE},
    {"blk.%u.attn_k.weight", "ek", NOISE},          {"blk.%u.attn_k.bias", "k", NOISE},
    {"blk.%u.attn_v.weight", "ek", NOISE},          {"blk.%u.attn_v.bias", "k", NOISE},
    {"blk.%u.attn_output.weight", "ee", NOISE},     {"blk.%u.attn_output.bias", "e", NOISE},
    {"blk.%u.attn_output_norm.weight", "e", ONES},  {"blk.%u.attn_output_norm.bias", "e", ZEROS},
    {"blk.%u.ffn_up.weight", "ef", NOISE},          {"blk.%u.ffn_up.bias", "f", NOISE},
    {"blk.%u.ffn_down.weight", "fe", NOISE},        {"blk.%u.ffn_down.bias", "e", NOISE},
    {"blk.%u.layer_output_norm.weight", "e", ONES}, {"blk.%u.layer_output_norm.bias", "e", ZEROS},
};
static const struct tensor bert_rank[] = {
    {"cls.weight", "ee", NOISE},
    {"cls.bias", "e", NOISE},
    {"cls.output.weight", "e1", NOISE},
    {"cls.output.bias", "1", ZEROS},
};

struct list {
    const struct tensor *items;
    size_t n;
};
#define LIST(array) ((struct list){(array), sizeof(array) / sizeof(array)[0]})

struct maker {
    const struct shape *shape;
    struct gguf_out *out;
    enum gguf_tensor_kind kind;
    uint64_t n_vocab;
    uint64_t state; /* of the generator */
    float *row;
};

static uint64_t size_of(const struct maker *m, char letter)
{
    const struct shape *s = m->shape;
    switch (letter) {
    case 'e':
        return s->embed;
    case 'f':
        return s->feed;
    case 'k':
        return (uint64_t)s->embed / s->heads * s->heads_kv;
    case 'v':
        return m->n_vocab;
    case 'c':
        return s->context;
    default:
        return (uint64_t)(letter - '0');
    }
}

/* Steele et al. 2014, splitmix64. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Even noise whose sums over a row of n have a variance of about 1. */
static void fill_row(struct maker *m, enum fill fill, uint64_t n, float scale)
{
    for (uint64_t i = 0; i < n; i += 2) {
        uint64_t bits = fill == NOISE ? next(&m->state) : 0;
        float still = fill == ONES ? 1.0f : 0.0f;
        m->row[i] = fill == NOISE ? (float)(int32_t)bits * scale : still;
        if (i + 1 < n)
            m->row[i + 1] = fill == NOISE ? (float)(int32_t)(bits >> 32) * scale : still;
    }
}

static void each_tensor(struct maker *m, struct list list, uint32_t layer,
                        void (*each)(struct maker *, const struct tensor *, const char *))
{
    char name[GGUF_MOST_NAME + 1];
    for (size_t i = 0; i < list.n; i++) {
        const char *mark = strstr(list.items[i].name, "%u");
        if (mark)
            (void)snprintf(name, sizeof name, "%.*s%u%s", (int)(mark - list.items[i].name),
                           list.items[i].name, layer, mark + 2);
        else
            (void)snprintf(name, sizeof name, "%s", list.items[i].name);
        each(m, &list.items[i], name);
    }
}

static void declare(struct maker *m, const struct tensor *t, const char *name)
{
    uint64_t dims[2] = {size_of(m, t->dims[0]), t->dims[1] ? size_of(m, t->dims[1]) : 1};
    (void)gguf_put_tensor(m->out, name, m->kind, t->dims[1] ? 2 : 1, dims);
}

static void write_noise(struct maker *m, const struct tensor *t, const char *name)
{
    (void)name;
    uint64_t row = size_of(m, t->dims[0]), n = t->dims[1] ? size_of(m, t->dims[1]) : 1;
    float scale = sqrtf(3.0f / (float)row) / 2147483648.0f * (t->dims[1] ? 1.0f : 0.5f);
    for (uint64_t i = 0; i < n; i++) {
        fill_row(m, t->fill, row, scale);
        gguf_put_f32(m->out, m->row, row);
    }
}

static void each_of_model(struct maker *m,
                          void (*each)(struct maker *, const struct tensor *, const char *))
{
    bool bert = strcmp(m->shape->family, "bert") == 0;
    each_tensor(m, bert ? LIST(bert_head) : LIST(qwen2_head), 0, each);
    for (uint32_t layer = 0; layer < m->shape->layers; layer++)
        each_tensor(m, bert ? LIST(bert_layer) : LIST(qwen2_layer), layer, each);
    if (!bert)
        each_tensor(m, LIST(qwen2_tail), 0, each);
    if (m->shape->pooling == 4)
        each_tensor(m, LIST(bert_rank), 0, each);
}

/* ---- keys ---- */

static void put_u32(struct maker *m, const char *name, uint32_t value)
{
    char key[GGUF_MOST_KEY];
    (void)snprintf(key, sizeof key, "%s.%s", m->shape->family, name);
    gguf_put_u32(m->out, key, value);
}

static void put_real(struct maker *m, const char *name, float value)
{
    char key[GGUF_MOST_KEY];
    (void)snprintf(key, sizeof key, "%s.%s", m->shape->family, name);
    gguf_put_real(m->out, key, value);
}

static void put_keys(struct maker *m)
{
    const struct shape *s = m->shape;
    char name[64];
    (void)snprintf(name, sizeof name, "Random %s (%s)", s->name, s->family);
    gguf_put_str(m->out, "general.architecture", str_c(s->family));
    gguf_put_str(m->out, "general.name", str_c(name));
    gguf_put_str(m->out, "general.description",
                 STR("random weights: what this model says has no meaning"));
    gguf_put_u32(m->out, "general.file_type", m->kind == GGUF_TENSOR_Q8_0 ? 7 : (uint32_t)m->kind);
    put_u32(m, "context_length", s->context);
    put_u32(m, "embedding_length", s->embed);
    put_u32(m, "block_count", s->layers);
    put_u32(m, "feed_forward_length", s->feed);
    put_u32(m, "attention.head_count", s->heads);
    put_u32(m, "attention.head_count_kv", s->heads_kv);
    if (strcmp(s->family, "bert") != 0) {
        put_real(m, "rope.freq_base", 1000000.0f);
        put_real(m, "attention.layer_norm_rms_epsilon", 1e-6f);
        return;
    }
    put_real(m, "attention.layer_norm_epsilon", 1e-12f);
    gguf_put_bool(m->out, "bert.attention.causal", false);
    put_u32(m, "pooling_type", (uint32_t)s->pooling);
}

/* The turns as most chat models mark them (ChatML); a tool's answer comes as a turn of the user. */
static const char chat_template[] =
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + (message.role if message.role != 'tool' else 'user') + '\\n' }}"
    "{{- message.content if message.content is string else '' }}"
    "{%- for call in message.tool_calls or [] %}"
    "{{- '<tool_call>\\n' + (call.function | tojson) + '\\n</tool_call>' }}"
    "{%- endfor %}"
    "{{- '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

static enum err put_tiny_pairs(struct maker *m, struct arena *arena, struct why *why)
{
    struct tiny_vocab v;
    enum err err = tiny_vocab_pairs(arena, &v, why);
    if (err)
        return err;
    uint32_t first = (uint32_t)v.n - 5; /* <|endoftext|>, <|im_start|>, <|im_end|>, two for tools */
    gguf_put_str(m->out, "tokenizer.ggml.model", STR("gpt2"));
    gguf_put_str(m->out, "tokenizer.ggml.pre", STR("qwen2"));
    gguf_put_strs(m->out, "tokenizer.ggml.tokens", v.tokens, v.n);
    gguf_put_i32s(m->out, "tokenizer.ggml.token_type", v.types, v.n);
    gguf_put_strs(m->out, "tokenizer.ggml.merges", v.merges, v.n_merges);
    gguf_put_u32(m->out, "tokenizer.ggml.bos_token_id", first);
    gguf_put_u32(m->out, "tokenizer.ggml.eos_token_id", first + 2);
    gguf_put_u32(m->out, "tokenizer.ggml.padding_token_id", first);
    gguf_put_bool(m->out, "tokenizer.ggml.add_bos_token", false);
    gguf_put_str(m->out, "tokenizer.chat_template", str_c(chat_template));
    m->n_vocab = v.n;
    return ERR_OK;
}

static enum err put_tiny_pieces(struct maker *m, struct arena *arena, struct why *why)
{
    struct tiny_vocab v;
    enum err err = tiny_vocab_pieces(arena, &v, why);
    if (err)
        return err;
    gguf_put_str(m->out, "tokenizer.ggml.model", STR("bert"));
    gguf_put_strs(m->out, "tokenizer.ggml.tokens", v.tokens, v.n);
    gguf_put_i32s(m->out, "tokenizer.ggml.token_type", v.types, v.n);
    gguf_put_u32(m->out, "tokenizer.ggml.token_type_count", 2);
    gguf_put_u32(m->out, "tokenizer.ggml.padding_token_id", 0);
    gguf_put_u32(m->out, "tokenizer.ggml.unknown_token_id", 1);
    gguf_put_u32(m->out, "tokenizer.ggml.bos_token_id", 2);
    gguf_put_u32(m->out, "tokenizer.ggml.cls_token_id", 2);
    gguf_put_u32(m->out, "tokenizer.ggml.seperator_token_id", 3); /* so it is spelled */
    gguf_put_u32(m->out, "tokenizer.ggml.mask_token_id", 4);
    m->n_vocab = v.n;
    return ERR_OK;
}

/* Every "tokenizer." key of another file, and what a family needs beside them. */
static enum err put_vocab_of(struct maker *m, const struct gguf *gguf, const char *path,
                             struct why *why)
{
    struct gguf_card card;
    bool bert = strcmp(m->shape->family, "bert") == 0;
    gguf_describe(gguf, &card);
    if (!card.n_vocab || str_eq_c(card.tokenizer, "bert") != bert)
        return err_set(why, ERR_INVALID,
                       "\"%s\" has a vocabulary of kind \"%.*s\", shape \"%s\" needs %s", path,
                       STR_FMT(card.tokenizer), m->shape->name,
                       bert ? "\"bert\"" : "one of a chat model");
    for (size_t i = 0; i < gguf_n_keys(gguf); i++) {
        struct str name;
        const struct gguf_value *value = gguf_key_at(gguf, i, &name);
        if (str_starts(name, STR("tokenizer.")))
            gguf_put_value(m->out, name, value);
    }
    if (bert && !gguf_find(gguf, "tokenizer.ggml.token_type_count"))
        gguf_put_u32(m->out, "tokenizer.ggml.token_type_count", 2);
    if (!bert && !card.chat_template.len)
        gguf_put_str(m->out, "tokenizer.chat_template", str_c(chat_template));
    m->n_vocab = card.n_vocab;
    return ERR_OK;
}

static enum err put_vocab(struct maker *m, const struct gguf *vocab, const char *path,
                          struct arena *arena, struct why *why)
{
    if (vocab)
        return put_vocab_of(m, vocab, path, why);
    return strcmp(m->shape->family, "bert") == 0 ? put_tiny_pieces(m, arena, why)
                                                 : put_tiny_pairs(m, arena, why);
}

static const struct shape *find_shape(const char *name)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

static enum err write_model(struct maker *m, const struct gguf *vocab,
                            const struct engine_random *opts, const char *path, struct arena *arena,
                            struct why *why)
{
    enum err err = gguf_out_open(path, &m->out, why);
    if (err)
        return err;
    put_keys(m);
    err = put_vocab(m, vocab, opts->vocab, arena, why);
    if (err) {
        gguf_out_drop(m->out);
        return err;
    }
    each_of_model(m, declare);
    each_of_model(m, write_noise);
    return gguf_out_close(m->out, why);
}

enum err engine_make_random(const struct engine_random *opts, const char *path, struct why *why)
{
    struct maker m = {.shape = find_shape(opts->shape), .kind = opts->kind, .state = opts->seed};
    struct gguf *vocab = NULL;
    if (!m.shape)
        return err_set(why, ERR_INVALID, "there is no shape \"%s\"", opts->shape);
    enum err err = opts->vocab ? gguf_open(opts->vocab, &vocab, why) : ERR_OK;
    if (err)
        return err;
    struct arena *arena = arena_new((size_t)32 << 20);
    uint32_t longest = m.shape->feed > m.shape->embed ? m.shape->feed : m.shape->embed;
    m.row = arena ? arena_array(arena, float, longest) : NULL;
    err = m.row ? write_model(&m, vocab, opts, path, arena, why)
                : err_set(why, ERR_NO_MEMORY, "no memory to make a model");
    arena_free(arena);
    gguf_close(vocab);
    return err;
}

bool engine_kind_parse(struct str name, enum gguf_tensor_kind *out)
{
    static const enum gguf_tensor_kind kinds[] = {GGUF_TENSOR_F32, GGUF_TENSOR_F16,
                                                  GGUF_TENSOR_Q8_0, GGUF_TENSOR_Q4_0};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *known = gguf_tensor_kind_name(kinds[i]);
        if (name.len == strlen(known) && strncasecmp(name.ptr, known, name.len) == 0) {
            *out = kinds[i];
            return true;
        }
    }
    return false;
}
