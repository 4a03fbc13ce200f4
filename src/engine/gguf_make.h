/*
 * engine/gguf_make - model files that we make ourselves: from a llama2.c checkpoint, and of random
 * weights.
 *
 * Random models have the shape, the keys and a working vocabulary of their family, so that whatever
 * loads, serves, counts or measures models can be tested without downloading one. What they write
 * is noise, and general.description says so.
 */
#ifndef ENGINE_GGUF_MAKE_H
#define ENGINE_GGUF_MAKE_H

#include "engine/gguf.h"

/*
 * A llama2.c checkpoint (version 0: seven numbers, then F32 weights) and its tokenizer (scores and
 * pieces) become one GGUF of architecture "llama". Weights of attention stay as they are: both
 * rotate neighbouring pairs.
 *
 *   kind    F32, F16, Q8_0 or Q4_0 for matrices whose rows are whole blocks; vectors stay F32
 *   Errors  ERR_INVALID when either file is not what it says, ERR_NOT_FOUND, ERR_NO_SPACE, ...
 *   Source  github.com/karpathy/llama2.c, run.c (memory_map_weights, build_tokenizer), MIT
 */
ERR_MUST_USE enum err engine_convert_llama2c(const char *checkpoint, const char *tokenizer,
                                             const char *path, enum gguf_tensor_kind kind,
                                             struct why *why);

/* The shapes, by name. */
#define ENGINE_RANDOM_MAP(X)                                                                       \
    /* name       family   embd   ff  layers heads kv  context pooling  summary */                 \
    X("tiny", "qwen2", 128, 256, 4, 4, 2, 2048, -1, "a chat model of 1.4 MB for tests")            \
    X("small", "qwen2", 512, 1408, 8, 8, 2, 4096, -1, "a chat model between tests and benches")    \
    X("0.5b", "qwen2", 896, 4864, 24, 14, 2, 32768, -1, "the shape of Qwen2 0.5B, for benches")    \
    X("embed", "bert", 64, 128, 2, 4, 4, 512, 2, "an embedding model for tests, cls pooling")      \
    X("rerank", "bert", 64, 128, 2, 4, 4, 512, 4, "a reranker for tests")

struct engine_random {
    const char *shape;          /* a name of the map above */
    const char *vocab;          /* a GGUF whose vocabulary is taken; NULL: a tiny one made here */
    enum gguf_tensor_kind kind; /* F32, F16, Q8_0, Q4_0 */
    uint64_t seed;              /* the same seed, shape and kind give the same bytes */
};

/*
 *   Errors  ERR_INVALID  unknown shape, or a vocabulary of another family; else as writing has
 *   Cost    "tiny" 10 ms, "0.5b" about 3 s; memory: a row and the vocabulary
 */
ERR_MUST_USE enum err engine_make_random(const struct engine_random *opts, const char *path,
                                         struct why *why);

/* "F16" and so on, without regard to case; false for a kind that cannot be written. */
bool engine_kind_parse(struct str name, enum gguf_tensor_kind *out);

#endif
