/* What a model says about itself, gathered from the keys that the families use. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "engine/gguf.h"

/* general.file_type: number and name, as llama.cpp writes them. */
#define FILE_TYPE_MAP(X)                                                                           \
    X(0, "F32")                                                                                    \
    X(1, "F16")                                                                                    \
    X(2, "Q4_0")                                                                                   \
    X(3, "Q4_1")                                                                                   \
    X(7, "Q8_0")                                                                                   \
    X(8, "Q5_0")                                                                                   \
    X(9, "Q5_1")                                                                                   \
    X(10, "Q2_K")                                                                                  \
    X(11, "Q3_K_S")                                                                                \
    X(12, "Q3_K_M")                                                                                \
    X(13, "Q3_K_L")                                                                                \
    X(14, "Q4_K_S")                                                                                \
    X(15, "Q4_K_M")                                                                                \
    X(16, "Q5_K_S")                                                                                \
    X(17, "Q5_K_M")                                                                                \
    X(18, "Q6_K")                                                                                  \
    X(19, "IQ2_XXS")                                                                               \
    X(20, "IQ2_XS")                                                                                \
    X(21, "Q2_K_S")                                                                                \
    X(22, "IQ3_XS")                                                                                \
    X(23, "IQ3_XXS")                                                                               \
    X(24, "IQ1_S")                                                                                 \
    X(25, "IQ4_NL")                                                                                \
    X(26, "IQ3_S")                                                                                 \
    X(27, "IQ3_M")                                                                                 \
    X(28, "IQ2_S")                                                                                 \
    X(29, "IQ2_M")                                                                                 \
    X(30, "IQ4_XS")                                                                                \
    X(31, "IQ1_M")                                                                                 \
    X(32, "BF16")                                                                                  \
    X(36, "TQ1_0")                                                                                 \
    X(37, "TQ2_0")                                                                                 \
    X(38, "MXFP4_MOE")                                                                             \
    X(39, "NVFP4")                                                                                 \
    X(40, "Q1_0")                                                                                  \
    X(41, "Q2_0")

static struct str file_type(int64_t number)
{
    switch (number) {
#define TYPE_CASE(n, name)                                                                         \
    case (n):                                                                                      \
        return STR(name);
        FILE_TYPE_MAP(TYPE_CASE)
#undef TYPE_CASE
    default:
        return STR("");
    }
}

/* "<architecture>.<name>" as a count; of an array (a value a layer) its largest. 0 when silent. */
static uint64_t of_architecture(const struct gguf *gguf, struct str architecture, const char *name)
{
    char key[GGUF_MOST_KEY + 1];
    if (snprintf(key, sizeof key, "%.*s.%s", STR_FMT(architecture), name) >= (int)sizeof key)
        return 0;
    const struct gguf_value *value = gguf_find(gguf, key);
    int64_t most = 0, x;
    for (uint64_t i = 0; value && i < value->n && gguf_item_int(value, i, &x); i++)
        most = x > most ? x : most;
    return (uint64_t)most;
}

void gguf_describe(const struct gguf *gguf, struct gguf_card *out)
{
    struct str none = STR(""), arch = gguf_str(gguf, "general.architecture", none);
    const struct gguf_value *tokens = gguf_find(gguf, "tokenizer.ggml.tokens");
    char key[GGUF_MOST_KEY + 1];
    *out = (struct gguf_card){
        .architecture = arch,
        .name = gguf_str(gguf, "general.name", none),
        .basename = gguf_str(gguf, "general.basename", none),
        .organization = gguf_str(gguf, "general.organization", none),
        .license = gguf_str(gguf, "general.license", none),
        .description = gguf_str(gguf, "general.description", none),
        .file_type = file_type(gguf_int(gguf, "general.file_type", -1)),
        .tokenizer = gguf_str(gguf, "tokenizer.ggml.model", none),
        .pre_tokenizer = gguf_str(gguf, "tokenizer.ggml.pre", none),
        .chat_template = gguf_str(gguf, "tokenizer.chat_template", none),
        .n_context = of_architecture(gguf, arch, "context_length"),
        .n_embed = of_architecture(gguf, arch, "embedding_length"),
        .n_layers = of_architecture(gguf, arch, "block_count"),
        .n_heads = of_architecture(gguf, arch, "attention.head_count"),
        .n_heads_kv = of_architecture(gguf, arch, "attention.head_count_kv"),
        .n_feed_forward = of_architecture(gguf, arch, "feed_forward_length"),
        .n_vocab = tokens && tokens->kind == GGUF_KIND_ARRAY
                       ? tokens->n
                       : of_architecture(gguf, arch, "vocab_size"),
        .pooling = -1,
    };
    if (snprintf(key, sizeof key, "%.*s.pooling_type", STR_FMT(arch)) < (int)sizeof key)
        out->pooling = gguf_int(gguf, key, -1);
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        out->n_parameters += gguf_tensor_at(gguf, i)->n;
        out->tensor_bytes += gguf_tensor_at(gguf, i)->len;
    }
}

void gguf_card_json(const struct gguf_card *card, struct json_out *out)
{
    json_kv_str(out, "architecture", card->architecture);
    json_kv_str(out, "name", card->name);
    json_kv_str(out, "basename", card->basename);
    json_kv_str(out, "organization", card->organization);
    json_kv_str(out, "license", card->license);
    json_kv_str(out, "description", card->description);
    json_kv_str(out, "quantization", card->file_type);
    json_kv_str(out, "tokenizer", card->tokenizer);
    json_kv_str(out, "pre_tokenizer", card->pre_tokenizer);
    json_kv_bool(out, "chat_template", card->chat_template.len > 0);
    json_kv_int(out, "parameters", (int64_t)card->n_parameters);
    json_kv_int(out, "context_length", (int64_t)card->n_context);
    json_kv_int(out, "embedding_length", (int64_t)card->n_embed);
    json_kv_int(out, "layers", (int64_t)card->n_layers);
    json_kv_int(out, "heads", (int64_t)card->n_heads);
    json_kv_int(out, "heads_kv", (int64_t)card->n_heads_kv);
    json_kv_int(out, "feed_forward_length", (int64_t)card->n_feed_forward);
    json_kv_int(out, "vocabulary", (int64_t)card->n_vocab);
    json_kv_int(out, "tensor_bytes", (int64_t)card->tensor_bytes);
    json_kv_int(out, "pooling", card->pooling);
}
