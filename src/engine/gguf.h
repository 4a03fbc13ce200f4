/*
 * engine/gguf - GGUF files: what a model file says about itself, read as if an enemy had written
 * it.
 *
 * Reading maps the file and copies nothing but the directory: names, places and shapes. Everything
 * is checked before gguf_open() returns (magic, version, every length, count, kind, name, shape and
 * place, against the end of the file and against each other), so that nothing handed out here can
 * point outside of the mapping. Writing is gguf_write.h.
 *
 *   Source  github.com/ggml-org/ggml docs/gguf.md, versions 2 and 3, little endian; where the text
 *           is open we refuse what llama.cpp refuses (nested arrays, names of 64 bytes, gaps)
 *   Threads an open file does not change: from any number of threads at once
 *   Owner   every str and pointer handed out lives in the mapping, until gguf_close(). Who shortens
 *           the file under us gets a SIGBUS: replace model files by rename, never in place
 *
 * The names here keep clear of the library's own gguf_* functions, which are linked beside them.
 */
#ifndef ENGINE_GGUF_H
#define ENGINE_GGUF_H

#include "core/str.h"

struct arena;
struct json_out;

#define GGUF_MOST_KEYS    65536
#define GGUF_MOST_TENSORS 65536
#define GGUF_MOST_NAME    63 /* bytes of a tensor's name */
#define GGUF_MOST_KEY                                                                              \
    256 /* bytes of a key's name; the format says 65535, nobody has more than 60 */
#define GGUF_MOST_DIMS 4

/* The numbers are those of the format. */
enum gguf_kind {
    GGUF_KIND_U8,
    GGUF_KIND_I8,
    GGUF_KIND_U16,
    GGUF_KIND_I16,
    GGUF_KIND_U32,
    GGUF_KIND_I32,
    GGUF_KIND_F32,
    GGUF_KIND_BOOL,
    GGUF_KIND_STR,
    GGUF_KIND_ARRAY,
    GGUF_KIND_U64,
    GGUF_KIND_I64,
    GGUF_KIND_F64,
    GGUF_KIND_COUNT
};

/* Kinds of tensors: number in the file, name, elements of a block, bytes of a block. */
#define GGUF_TENSOR_MAP(X)                                                                         \
    X(F32, 0, "F32", 1, 4)                                                                         \
    X(F16, 1, "F16", 1, 2)                                                                         \
    X(Q4_0, 2, "Q4_0", 32, 18)                                                                     \
    X(Q4_1, 3, "Q4_1", 32, 20)                                                                     \
    X(Q5_0, 6, "Q5_0", 32, 22)                                                                     \
    X(Q5_1, 7, "Q5_1", 32, 24)                                                                     \
    X(Q8_0, 8, "Q8_0", 32, 34)                                                                     \
    X(Q8_1, 9, "Q8_1", 32, 36)                                                                     \
    X(Q2_K, 10, "Q2_K", 256, 84)                                                                   \
    X(Q3_K, 11, "Q3_K", 256, 110)                                                                  \
    X(Q4_K, 12, "Q4_K", 256, 144)                                                                  \
    X(Q5_K, 13, "Q5_K", 256, 176)                                                                  \
    X(Q6_K, 14, "Q6_K", 256, 210)                                                                  \
    X(Q8_K, 15, "Q8_K", 256, 292)                                                                  \
    X(IQ2_XXS, 16, "IQ2_XXS", 256, 66)                                                             \
    X(IQ2_XS, 17, "IQ2_XS", 256, 74)                                                               \
    X(IQ3_XXS, 18, "IQ3_XXS", 256, 98)                                                             \
    X(IQ1_S, 19, "IQ1_S", 256, 50)                                                                 \
    X(IQ4_NL, 20, "IQ4_NL", 32, 18)                                                                \
    X(IQ3_S, 21, "IQ3_S", 256, 110)                                                                \
    X(IQ2_S, 22, "IQ2_S", 256, 82)                                                                 \
    X(IQ4_XS, 23, "IQ4_XS", 256, 136)                                                              \
    X(I8, 24, "I8", 1, 1)                                                                          \
    X(I16, 25, "I16", 1, 2)                                                                        \
    X(I32, 26, "I32", 1, 4)                                                                        \
    X(I64, 27, "I64", 1, 8)                                                                        \
    X(F64, 28, "F64", 1, 8)                                                                        \
    X(IQ1_M, 29, "IQ1_M", 256, 56)                                                                 \
    X(BF16, 30, "BF16", 1, 2)                                                                      \
    X(TQ1_0, 34, "TQ1_0", 256, 54)                                                                 \
    X(TQ2_0, 35, "TQ2_0", 256, 66)                                                                 \
    X(MXFP4, 39, "MXFP4", 32, 17)                                                                  \
    X(NVFP4, 40, "NVFP4", 64, 36)                                                                  \
    X(Q1_0, 41, "Q1_0", 128, 18)                                                                   \
    X(Q2_0, 42, "Q2_0", 64, 18)

enum gguf_tensor_kind {
#define GGUF_TENSOR_ENUM(id, number, name, elements, bytes) GGUF_TENSOR_##id = (number),
    GGUF_TENSOR_MAP(GGUF_TENSOR_ENUM)
#undef GGUF_TENSOR_ENUM
};

struct gguf_value {
    enum gguf_kind kind;
    enum gguf_kind of;    /* kind of the items; of an array never GGUF_KIND_ARRAY, else == kind */
    uint64_t n;           /* items of an array; 1 otherwise */
    const uint8_t *bytes; /* the items as they lie in the file, not aligned */
    size_t len;           /* bytes of all items; of strings with their lengths of 8 bytes */
};

struct gguf_tensor {
    struct str name;
    enum gguf_tensor_kind kind;
    uint32_t n_dims;
    uint64_t dims[GGUF_MOST_DIMS]; /* dims[0] runs fastest; 1 behind n_dims */
    uint64_t n;                    /* elements */
    const uint8_t *bytes;          /* aligned as the file says, 32 by default */
    uint64_t len;                  /* bytes */
};

struct gguf;

/*
 * Maps and checks the file.
 *
 *   Errors  ERR_NOT_FOUND    no such file
 *           ERR_INVALID      not a GGUF file, or one that breaks its own rules: why says which and
 * where ERR_UNSUPPORTED  version 1 or above 3, big endian, nested arrays, an unknown kind
 *           ERR_NO_MEMORY    the directory takes more than 64 MiB
 *   Cost    one pass over the keys (17 ms for 300,000 strings), none over the weights
 */
ERR_MUST_USE enum err gguf_open(const char *path, struct gguf **out, struct why *why);
/* The same over bytes of the caller's, which must outlive it; at any address. */
ERR_MUST_USE enum err gguf_open_bytes(struct str bytes, struct gguf **out, struct why *why);
void gguf_close(struct gguf *gguf); /* NULL is fine */

uint32_t gguf_version(const struct gguf *gguf);
uint64_t gguf_file_bytes(const struct gguf *gguf);

/* ---- keys, in the order of the file ---- */

size_t gguf_n_keys(const struct gguf *gguf);
const struct gguf_value *gguf_key_at(const struct gguf *gguf, size_t i, struct str *name);
const struct gguf_value *gguf_find(const struct gguf *gguf, const char *name); /* NULL: none */
const char *gguf_kind_name(enum gguf_kind kind);

/* The value of a key when it is there and has the kind, else the fallback. An integer of any width
 * that fits counts as an integer, and as a real; F32 and F64 are reals. Strings are valid UTF-8. */
struct str gguf_str(const struct gguf *gguf, const char *name, struct str fallback);
int64_t gguf_int(const struct gguf *gguf, const char *name, int64_t fallback);
double gguf_real(const struct gguf *gguf, const char *name, double fallback);
bool gguf_bool(const struct gguf *gguf, const char *name, bool fallback);

/* Item i of a value of integers or reals (0 <= i < n; a single value is item 0); false when it is
 * of another kind or does not fit. */
bool gguf_item_int(const struct gguf_value *value, uint64_t i, int64_t *out);
bool gguf_item_real(const struct gguf_value *value, uint64_t i, double *out);
/* Strings one after another: *at starts at 0; false at the end. Items of an array are bytes (a
 * vocabulary may hold parts of characters); a single string is UTF-8. */
bool gguf_next_str(const struct gguf_value *value, size_t *at, struct str *out);

/* ---- tensors, in the order of the file ---- */

size_t gguf_n_tensors(const struct gguf *gguf);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, size_t i);
const struct gguf_tensor *gguf_tensor(const struct gguf *gguf, const char *name); /* NULL: none */
const char *gguf_tensor_kind_name(enum gguf_tensor_kind kind);
/* Elements and bytes of a block; false for a number that is no kind. */
bool gguf_tensor_block(uint32_t kind, uint32_t *elements, uint32_t *bytes);

/* ---- what a model says about itself ---- */

/* Empty or 0 where the file is silent. */
struct gguf_card {
    struct str architecture, name, basename, organization, license, description;
    struct str file_type;     /* "Q4_0" and so on, from general.file_type */
    struct str tokenizer;     /* "llama", "gpt2", "bert", ... */
    struct str pre_tokenizer; /* "qwen2", ... */
    struct str chat_template; /* jinja */
    uint64_t n_parameters;    /* elements of all tensors */
    uint64_t n_context;       /* tokens it was trained for */
    uint64_t n_embed, n_layers, n_heads, n_heads_kv, n_feed_forward, n_vocab;
    uint64_t tensor_bytes;
    int64_t pooling; /* 0 none, 1 mean, 2 cls, 3 last, 4 rank; -1: silent, a generating model */
};
void gguf_describe(const struct gguf *gguf, struct gguf_card *out);

/* The card as members of an open JSON object: architecture, name, ..., parameters, context_length.
 */
void gguf_card_json(const struct gguf_card *card, struct json_out *out);

#endif
