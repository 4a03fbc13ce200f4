/* A llama2.c checkpoint with its tokenizer, to GGUF. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "engine/gguf_make.h"
#include "engine/gguf_write.h"

#define MOST_VOCAB (1 << 20)
#define MOST_PIECE 1024

struct header {
    int32_t dim, hidden, n_layers, n_heads, n_kv_heads, n_vocab, n_context;
};

struct model {
    struct header h;
    bool shared; /* the classifier is the embedding */
    uint64_t kv_dim, head;
    const float *w; /* behind the header */
    uint64_t n;     /* of them */
};

static enum err read_header(struct file_map map, const char *path, struct model *m, struct why *why)
{
    if (map.len < sizeof m->h)
        return err_set(why, ERR_INVALID, "\"%s\" is no llama2.c checkpoint: it has no head", path);
    memcpy(&m->h, map.ptr, sizeof m->h);
    m->shared = m->h.n_vocab > 0;
    m->h.n_vocab = m->h.n_vocab == INT32_MIN ? 0 : abs(m->h.n_vocab);
    const struct header *h = &m->h;
    if (h->dim < 1 || h->dim > 1 << 16 || h->hidden < 1 || h->hidden > 1 << 18 || h->n_layers < 1 ||
        h->n_layers > 1024 || h->n_heads < 1 || h->n_heads > h->dim || h->n_kv_heads < 1 ||
        h->n_kv_heads > h->n_heads || h->n_vocab < 1 || h->n_vocab > MOST_VOCAB ||
        h->n_context < 1 || h->n_context > 1 << 20 || h->dim % h->n_heads ||
        h->n_heads % h->n_kv_heads || h->dim / h->n_heads % 2)
        return err_set(
            why, ERR_INVALID,
            "\"%s\" is no llama2.c checkpoint: its head says dim %d, hidden %d, layers %d, "
            "heads %d and %d, vocabulary %d, context %d",
            path, h->dim, h->hidden, h->n_layers, h->n_heads, h->n_kv_heads, h->n_vocab,
            h->n_context);
    m->head = (uint64_t)(h->dim / h->n_heads);
    m->kv_dim = m->head * (uint64_t)h->n_kv_heads;
    return ERR_OK;
}

/* Sizes of the parts in the order of the file; the largest product is below 2^60. */
enum part { EMBED, ATT_NORM, WQ, WK, WV, WO, FFN_NORM, W1, W2, W3, NORM, FREQ, CLASSIFIER, PARTS };

static uint64_t part_size(const struct model *m, enum part part)
{
    uint64_t dim = (uint64_t)m->h.dim, hidden = (uint64_t)m->h.hidden;
    switch (part) {
    case EMBED:
        return dim * (uint64_t)m->h.n_vocab;
    case ATT_NORM:
    case FFN_NORM:
        return dim;
    case WQ:
    case WO:
        return dim * dim;
    case WK:
    case WV:
        return dim * m->kv_dim;
    case W1:
    case W2:
    case W3:
        return dim * hidden;
    case NORM:
        return dim;
    case FREQ: /* tables of cosines and sines that nobody reads any more */
        return (uint64_t)m->h.n_context * m->head;
    default:
        return m->shared ? 0 : dim * (uint64_t)m->h.n_vocab;
    }
}

static bool of_layer(enum part part)
{
    return part >= ATT_NORM && part <= W3;
}

/* Where part `part` of layer `layer` begins, in floats. */
static uint64_t part_at(const struct model *m, enum part part, uint64_t layer)
{
    uint64_t at = 0;
    for (enum part p = EMBED; p < part; p++)
        at += part_size(m, p) * (of_layer(p) ? (uint64_t)m->h.n_layers : 1);
    return at + layer * part_size(m, part);
}

/* ---- the tokenizer ---- */

struct pieces {
    struct str *text;
    float *score;
    int32_t *type;
    size_t n;
};

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_BYTE = 6 };

/* The file keeps a blank where sentencepiece has U+2581, and line feeds around <s> and </s>. */
static struct str piece_text(struct arena *arena, struct str raw)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == ' ')
            buf_add_c(&buf, "\xE2\x96\x81");
        else
            buf_char(&buf, raw.ptr[i]);
    }
    return buf.failed ? STR_NONE : buf_str(&buf);
}

static bool is_byte_piece(struct str s)
{
    uint8_t byte;
    return s.len == 6 && memcmp(s.ptr, "<0x", 3) == 0 && s.ptr[5] == '>' &&
           hex_get((struct str){s.ptr + 3, 2}, &byte, 1);
}

static enum err read_pieces(struct str file, const char *path, size_t n, struct arena *arena,
                            struct pieces *out, struct why *why)
{
    struct pieces p = {arena_array(arena, struct str, n), arena_array(arena, float, n),
                       arena_array(arena, int32_t, n), n};
    size_t at = 4; /* the longest piece: we look for ourselves */
    if (!p.text || !p.score || !p.type)
        return err_set(why, ERR_NO_MEMORY, "no memory for a vocabulary of %zu", n);
    for (size_t i = 0; i < n; i++) {
        int32_t len = 0;
        if (file.len < 8 || at > file.len - 8)
            return err_set(why, ERR_INVALID, "tokenizer \"%s\" ends before piece %zu of %zu", path,
                           i, n);
        memcpy(&p.score[i], file.ptr + at, 4);
        memcpy(&len, file.ptr + at + 4, 4);
        at += 8;
        if (len < 0 || len > MOST_PIECE || (size_t)len > file.len - at || !isfinite(p.score[i]))
            return err_set(why, ERR_INVALID, "tokenizer \"%s\": piece %zu is broken", path, i);
        struct str raw = {file.ptr + at, (size_t)len};
        at += (size_t)len;
        p.type[i] = i == 0 ? TYPE_UNKNOWN : i < 3 ? TYPE_CONTROL : TYPE_NORMAL;
        if (i >= 3 && is_byte_piece(raw))
            p.type[i] = TYPE_BYTE;
        p.text[i] = i < 3 ? str_trim(raw) : piece_text(arena, raw);
        if (!p.text[i].ptr)
            return err_set(why, ERR_NO_MEMORY, "no memory for a vocabulary of %zu", n);
        if (p.text[i].len == 0 || utf8_invalid(p.text[i]) != STR_NPOS)
            return err_set(why, ERR_INVALID, "tokenizer \"%s\": piece %zu is empty or not UTF-8",
                           path, i);
    }
    if (at != file.len)
        return err_set(why, ERR_INVALID, "tokenizer \"%s\" has %zu bytes behind its %zu pieces",
                       path, file.len - at, n);
    *out = p;
    return ERR_OK;
}

/* ---- writing ---- */

static void put_keys(struct gguf_out *out, const struct model *m, const struct pieces *p,
                     uint32_t type)
{
    gguf_put_str(out, "general.architecture", STR("llama"));
    gguf_put_str(out, "general.name", STR("llama2.c"));
    gguf_put_u32(out, "general.file_type", type);
    gguf_put_u32(out, "llama.context_length", (uint32_t)m->h.n_context);
    gguf_put_u32(out, "llama.embedding_length", (uint32_t)m->h.dim);
    gguf_put_u32(out, "llama.block_count", (uint32_t)m->h.n_layers);
    gguf_put_u32(out, "llama.feed_forward_length", (uint32_t)m->h.hidden);
    gguf_put_u32(out, "llama.attention.head_count", (uint32_t)m->h.n_heads);
    gguf_put_u32(out, "llama.attention.head_count_kv", (uint32_t)m->h.n_kv_heads);
    gguf_put_real(out, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_put_u32(out, "llama.rope.dimension_count", (uint32_t)m->head);
    gguf_put_real(out, "llama.rope.freq_base", 10000.0f);
    gguf_put_u32(out, "llama.vocab_size", (uint32_t)m->h.n_vocab);
    gguf_put_str(out, "tokenizer.ggml.model", STR("llama"));
    gguf_put_strs(out, "tokenizer.ggml.tokens", p->text, p->n);
    gguf_put_reals(out, "tokenizer.ggml.scores", p->score, p->n);
    gguf_put_i32s(out, "tokenizer.ggml.token_type", p->type, p->n);
    gguf_put_u32(out, "tokenizer.ggml.unknown_token_id", 0);
    gguf_put_u32(out, "tokenizer.ggml.bos_token_id", 1);
    gguf_put_u32(out, "tokenizer.ggml.eos_token_id", 2);
    gguf_put_bool(out, "tokenizer.ggml.add_bos_token", true);
    gguf_put_bool(out, "tokenizer.ggml.add_eos_token", false);
}

struct layer_tensor {
    const char *name;
    enum part part;
};
static const struct layer_tensor layer_tensors[] = {
    {"attn_norm", ATT_NORM}, {"attn_q", WQ},      {"attn_k", WK},
    {"attn_v", WV},          {"attn_output", WO}, {"ffn_norm", FFN_NORM},
    {"ffn_gate", W1},        {"ffn_down", W2},    {"ffn_up", W3},
};
#define N_LAYER_TENSORS (sizeof layer_tensors / sizeof layer_tensors[0])

/* Rows are as long as what they are multiplied with. */
static void put_shape(struct gguf_out *out, const struct model *m, const char *name, enum part part,
                      enum gguf_tensor_kind kind)
{
    uint64_t row = part == W2 ? (uint64_t)m->h.hidden : (uint64_t)m->h.dim;
    uint64_t dims[2] = {row, part_size(m, part) / row};
    uint32_t n_dims = part == ATT_NORM || part == FFN_NORM || part == NORM ? 1 : 2;
    (void)gguf_put_tensor(out, name, kind, n_dims, dims);
}

static void put_weights(struct gguf_out *out, const struct model *m, enum gguf_tensor_kind kind)
{
    char name[GGUF_MOST_NAME + 1];
    put_shape(out, m, "token_embd.weight", EMBED, kind);
    for (int layer = 0; layer < m->h.n_layers; layer++)
        for (size_t i = 0; i < N_LAYER_TENSORS; i++) {
            (void)snprintf(name, sizeof name, "blk.%d.%s.weight", layer, layer_tensors[i].name);
            put_shape(out, m, name, layer_tensors[i].part, kind);
        }
    put_shape(out, m, "output_norm.weight", NORM, kind);
    if (!m->shared)
        put_shape(out, m, "output.weight", CLASSIFIER, kind);
    gguf_put_f32(out, m->w + part_at(m, EMBED, 0), part_size(m, EMBED));
    for (int layer = 0; layer < m->h.n_layers; layer++)
        for (size_t i = 0; i < N_LAYER_TENSORS; i++) {
            enum part part = layer_tensors[i].part;
            gguf_put_f32(out, m->w + part_at(m, part, (uint64_t)layer), part_size(m, part));
        }
    gguf_put_f32(out, m->w + part_at(m, NORM, 0), part_size(m, NORM));
    if (!m->shared)
        gguf_put_f32(out, m->w + part_at(m, CLASSIFIER, 0), part_size(m, CLASSIFIER));
}

static uint32_t file_type(enum gguf_tensor_kind kind)
{
    return kind == GGUF_TENSOR_Q8_0 ? 7
                                    : (uint32_t)kind; /* F32 0, F16 1, Q4_0 2 in both countings */
}

enum err engine_convert_llama2c(const char *checkpoint, const char *tokenizer, const char *path,
                                enum gguf_tensor_kind kind, struct why *why)
{
    struct file_map weights = {0}, pieces_map = {0};
    struct model m = {0};
    struct pieces pieces;
    struct gguf_out *out = NULL;
    struct arena *arena = arena_new((size_t)256 << 20);
    enum err err = arena ? file_map(checkpoint, &weights, why)
                         : err_set(why, ERR_NO_MEMORY, "no memory to convert a model");
    if (!err)
        err = read_header(weights, checkpoint, &m, why);
    uint64_t n = err ? 0 : part_at(&m, PARTS, 0);
    if (!err && weights.len != sizeof m.h + n * sizeof(float))
        err =
            err_set(why, ERR_INVALID, "checkpoint \"%s\" has %zu bytes, its head says %llu",
                    checkpoint, weights.len, (unsigned long long)(sizeof m.h + n * sizeof(float)));
    if (!err)
        err = file_map(tokenizer, &pieces_map, why);
    if (!err)
        err = read_pieces((struct str){(const char *)pieces_map.ptr, pieces_map.len}, tokenizer,
                          (size_t)m.h.n_vocab, arena, &pieces, why);
    if (!err)
        err = gguf_out_open(path, &out, why);
    if (!err) {
        m.w = (const float *)(const void *)(weights.ptr +
                                            sizeof m.h); /* a page's start + 28: aligned */
        put_keys(out, &m, &pieces, file_type(kind));
        put_weights(out, &m, kind);
        err = gguf_out_close(out, why);
    }
    file_unmap(&pieces_map);
    file_unmap(&weights);
    arena_free(arena);
    return err;
}
