/* engine/gguf: what a good file gives, and that each rule of the format is held when one breaks it.
 */
#include "engine/gguf.h"

#include "core/arena.h"
#include "core/json.h"
#include "tap.h"

static void u32(struct buf *b, uint32_t x)
{
    buf_add(b, (struct str){(const char *)&x, sizeof x});
}

static void u64(struct buf *b, uint64_t x)
{
    buf_add(b, (struct str){(const char *)&x, sizeof x});
}

static void text(struct buf *b, const char *s)
{
    u64(b, strlen(s));
    buf_add_c(b, s);
}

static void head(struct buf *b, uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    buf_add_c(b, "GGUF");
    u32(b, version);
    u64(b, n_tensors);
    u64(b, n_keys);
}

static void key(struct buf *b, const char *name, uint32_t kind)
{
    text(b, name);
    u32(b, kind);
}

static void key_u32(struct buf *b, const char *name, uint32_t x)
{
    key(b, name, GGUF_KIND_U32);
    u32(b, x);
}

static void tensor(struct buf *b, const char *name, uint64_t d0, uint64_t d1, uint32_t kind,
                   uint64_t offset)
{
    text(b, name);
    u32(b, 2);
    u64(b, d0);
    u64(b, d1);
    u32(b, kind);
    u64(b, offset);
}

static void pad(struct buf *b, size_t to)
{
    while (b->len % to)
        buf_char(b, 0);
}

/* A small good file: seven keys, two tensors (2 x 3 F32, 32 x 1 Q8_0). */
static void good(struct buf *b)
{
    float scores[3] = {0.5f, -1, 2};
    head(b, 3, 2, 7);
    key(b, "general.architecture", GGUF_KIND_STR);
    text(b, "qwen2");
    key_u32(b, "qwen2.context_length", 2048);
    key(b, "general.name", GGUF_KIND_STR);
    text(b, "\xE5\x9F\x8E");
    key(b, "tokenizer.ggml.tokens", GGUF_KIND_ARRAY);
    u32(b, GGUF_KIND_STR);
    u64(b, 3);
    text(b, "a");
    text(b, "");
    text(b, "\xE5\x9F"); /* half a character: a token may be */
    key(b, "tokenizer.ggml.scores", GGUF_KIND_ARRAY);
    u32(b, GGUF_KIND_F32);
    u64(b, 3);
    buf_add(b, (struct str){(const char *)scores, sizeof scores});
    key(b, "x.flag", GGUF_KIND_BOOL);
    buf_char(b, 1);
    key(b, "x.big", GGUF_KIND_U64);
    u64(b, UINT64_MAX);
    tensor(b, "token_embd.weight", 2, 3, GGUF_TENSOR_F32, 0);
    tensor(b, "output.weight", 32, 1, GGUF_TENSOR_Q8_0, 32);
    pad(b, 32);
    for (int i = 0; i < 32 + 34; i++)
        buf_char(b, (char)i);
}

TEST(gives_what_stands_in_the_file)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf b;
    struct gguf *gguf = NULL;
    struct why why = {0};
    struct str s, name;
    size_t at = 0;
    double x = 0;
    int64_t n = 0;
    buf_init(&b, arena);
    good(&b);
    CHECK_OK(gguf_open_bytes(buf_str(&b), &gguf, &why), &why);
    if (!gguf)
        return;
    CHECK_EQ(gguf_version(gguf), 3);
    CHECK_EQ(gguf_file_bytes(gguf), b.len);
    CHECK_EQ(gguf_n_keys(gguf), 7);
    CHECK_EQ(gguf_n_tensors(gguf), 2);
    CHECK_STR(gguf_str(gguf, "general.architecture", STR_NONE), "qwen2");
    CHECK_STR(gguf_str(gguf, "x.flag", STR("other kind")), "other kind");
    CHECK_EQ(gguf_int(gguf, "qwen2.context_length", -1), 2048);
    CHECK_EQ(gguf_int(gguf, "x.big", -7), -7);
    CHECK_EQ(gguf_int(gguf, "nowhere", -8), -8);
    CHECK(gguf_bool(gguf, "x.flag", false));
    CHECK(gguf_real(gguf, "qwen2.context_length", 0) == 2048.0);
    const struct gguf_value *tokens = gguf_find(gguf, "tokenizer.ggml.tokens");
    CHECK(tokens && tokens->kind == GGUF_KIND_ARRAY && tokens->of == GGUF_KIND_STR);
    CHECK(gguf_next_str(tokens, &at, &s) && str_eq_c(s, "a"));
    CHECK(gguf_next_str(tokens, &at, &s) && s.len == 0);
    CHECK(gguf_next_str(tokens, &at, &s) && s.len == 2);
    CHECK(!gguf_next_str(tokens, &at, &s));
    const struct gguf_value *scores = gguf_find(gguf, "tokenizer.ggml.scores");
    CHECK(gguf_item_real(scores, 1, &x) && x == -1.0);
    CHECK(!gguf_item_real(scores, 3, &x));
    CHECK(!gguf_item_int(scores, 0, &n));
    CHECK(gguf_key_at(gguf, 5, &name)->kind == GGUF_KIND_BOOL);
    CHECK_STR(name, "x.flag");
    const struct gguf_tensor *t = gguf_tensor(gguf, "output.weight");
    CHECK(t && t == gguf_tensor_at(gguf, 1));
    CHECK(t && t->n == 32 && t->len == 34 && t->bytes[0] == 32 && t->dims[3] == 1);
    CHECK(gguf_tensor(gguf, "nowhere") == NULL);
    gguf_close(gguf);
    arena_free(arena);
}

TEST(describes_a_model)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf b, json;
    struct gguf *gguf = NULL;
    struct gguf_card card;
    struct json_out out;
    struct why why = {0};
    buf_init(&b, arena);
    buf_init(&json, arena);
    good(&b);
    CHECK_OK(gguf_open_bytes(buf_str(&b), &gguf, &why), &why);
    if (!gguf)
        return;
    gguf_describe(gguf, &card);
    CHECK_STR(card.architecture, "qwen2");
    CHECK_EQ(card.n_context, 2048);
    CHECK_EQ(card.n_parameters, 38);
    CHECK_EQ(card.tensor_bytes, 58);
    CHECK_EQ(card.n_vocab, 3);
    CHECK_EQ(card.pooling, -1);
    json_out_init(&out, &json);
    json_begin_object(&out);
    gguf_card_json(&card, &out);
    json_end_object(&out);
    CHECK(str_find(buf_str(&json), STR("\"parameters\":38")) != STR_NPOS);
    gguf_close(gguf);
    arena_free(arena);
}

/* Cut after every byte, the good file is refused with words, and nothing is written. */
TEST(refuses_a_file_that_was_cut_off)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf b;
    buf_init(&b, arena);
    good(&b);
    for (size_t len = 0; len < b.len; len++) {
        struct gguf *gguf = NULL;
        struct why why = {0};
        CHECK_EQ(gguf_open_bytes((struct str){b.ptr, len}, &gguf, &why), ERR_INVALID);
        CHECK(gguf == NULL && why.text[0]);
    }
    arena_free(arena);
}

/* Each makes one bad file; the words must name what is wrong. */
static void bad_magic(struct buf *b)
{
    buf_add_c(b, "GGML\3");
    u64(b, 0);
    u64(b, 0);
}
static void version_1(struct buf *b)
{
    head(b, 1, 0, 0);
}
static void version_4(struct buf *b)
{
    head(b, 4, 0, 0);
}
static void big_endian(struct buf *b)
{
    head(b, 0x03000000, 0, 0);
}
static void many_tensors(struct buf *b)
{
    head(b, 3, UINT64_MAX, 0);
}
static void many_keys(struct buf *b)
{
    head(b, 3, 0, (uint64_t)1 << 62);
}
static void long_key(struct buf *b)
{
    head(b, 3, 0, 1);
    u64(b, UINT64_MAX - 3);
}
static void empty_key(struct buf *b)
{
    head(b, 3, 0, 1);
    key_u32(b, "", 1);
}
static void dirty_key(struct buf *b)
{
    head(b, 3, 0, 1);
    key_u32(b, "a\x1B[2J", 1);
}
static void unclean_key(struct buf *b)
{
    head(b, 3, 0, 1);
    key_u32(b, "a\xFF", 1);
}
static void same_key(struct buf *b)
{
    head(b, 3, 0, 2);
    key_u32(b, "general.x", 1);
    key_u32(b, "general.x", 1);
}
static void unknown_kind(struct buf *b)
{
    head(b, 3, 0, 1);
    key(b, "k", 13);
}
static void nested(struct buf *b)
{
    head(b, 3, 0, 1);
    key(b, "k", GGUF_KIND_ARRAY);
    u32(b, GGUF_KIND_ARRAY);
    u64(b, 1);
}
static void long_array(struct buf *b)
{
    head(b, 3, 0, 1);
    key(b, "k", GGUF_KIND_ARRAY);
    u32(b, GGUF_KIND_U64);
    u64(b, ((uint64_t)1 << 61) + 1); /* times 8 wraps to 8 */
    u64(b, 7);
}
static void bad_utf8(struct buf *b)
{
    head(b, 3, 0, 1);
    key(b, "k", GGUF_KIND_STR);
    text(b, "\xC0\xAF");
}
static void bad_bool(struct buf *b)
{
    head(b, 3, 0, 1);
    key(b, "k", GGUF_KIND_BOOL);
    buf_char(b, 2);
}
static void bad_alignment(struct buf *b)
{
    head(b, 3, 0, 1);
    key_u32(b, "general.alignment", 24);
}
static void zero_alignment(struct buf *b)
{
    head(b, 3, 0, 1);
    key_u32(b, "general.alignment", 0);
}
static void long_tensor_name(struct buf *b)
{
    head(b, 3, 1, 0);
    tensor(b, "a234567890123456789012345678901234567890123456789012345678901234", 1, 1, 0, 0);
}
static void same_tensor(struct buf *b)
{
    head(b, 3, 2, 0);
    tensor(b, "t", 8, 1, GGUF_TENSOR_F32, 0);
    tensor(b, "t", 8, 1, GGUF_TENSOR_F32, 32);
    pad(b, 32);
    for (int i = 0; i < 64; i++)
        buf_char(b, 0);
}
static void five_dims(struct buf *b)
{
    head(b, 3, 1, 0);
    text(b, "t");
    u32(b, 5);
}
static void empty_tensor(struct buf *b)
{
    head(b, 3, 1, 0);
    tensor(b, "t", 0, 1, GGUF_TENSOR_F32, 0);
}
static void huge_tensor(struct buf *b)
{
    head(b, 3, 1, 0);
    tensor(b, "t", (uint64_t)1 << 33, (uint64_t)1 << 33, GGUF_TENSOR_F32, 0);
}
static void huge_bytes(struct buf *b)
{
    head(b, 3, 1, 0);
    tensor(b, "t", (uint64_t)1 << 58, 1, GGUF_TENSOR_F32, 0);
}
static void unknown_tensor_kind(struct buf *b)
{
    head(b, 3, 1, 0);
    tensor(b, "t", 4, 1, 4, 0);
}
static void broken_block(struct buf *b)
{
    head(b, 3, 1, 0);
    tensor(b, "t", 33, 1, GGUF_TENSOR_Q8_0, 0);
}
static void overlap(struct buf *b)
{
    head(b, 3, 2, 0);
    tensor(b, "t", 16, 1, GGUF_TENSOR_F32, 0);
    tensor(b, "u", 8, 1, GGUF_TENSOR_F32, 32);
    pad(b, 32);
    for (int i = 0; i < 96; i++)
        buf_char(b, 0);
}
static void out_of_file(struct buf *b)
{
    head(b, 3, 1, 0);
    tensor(b, "t", 8, 1, GGUF_TENSOR_F32, (uint64_t)1 << 63);
    pad(b, 32);
    for (int i = 0; i < 32; i++)
        buf_char(b, 0);
}
static void weights_cut(struct buf *b)
{
    head(b, 3, 1, 0);
    tensor(b, "t", 8, 1, GGUF_TENSOR_F32, 0);
    pad(b, 32);
    for (int i = 0; i < 31; i++)
        buf_char(b, 0);
}

TEST(refuses_files_that_break_a_rule)
{
    static const struct {
        void (*make)(struct buf *);
        enum err err;
        const char *words;
    } cases[] = {
        {bad_magic, ERR_INVALID, "not a GGUF file"},
        {version_1, ERR_UNSUPPORTED, "version 1"},
        {version_4, ERR_UNSUPPORTED, "version 4"},
        {big_endian, ERR_UNSUPPORTED, "big-endian"},
        {many_tensors, ERR_INVALID, "tensors, more than"},
        {many_keys, ERR_INVALID, "keys, more than"},
        {long_key, ERR_INVALID, "a key at byte"},
        {empty_key, ERR_INVALID, "has no name"},
        {dirty_key, ERR_INVALID, "not clean"},
        {unclean_key, ERR_INVALID, "not clean"},
        {same_key, ERR_INVALID, "key \"general.x\" stands twice"},
        {unknown_kind, ERR_UNSUPPORTED, "unknown kind 13"},
        {nested, ERR_UNSUPPORTED, "array of arrays"},
        {long_array, ERR_INVALID, "items, more than"},
        {bad_utf8, ERR_INVALID, "\"k\" is not UTF-8"},
        {bad_bool, ERR_INVALID, "truth value of 2"},
        {bad_alignment, ERR_INVALID, "power of two"},
        {zero_alignment, ERR_INVALID, "power of two"},
        {long_tensor_name, ERR_INVALID, "has 64 bytes"},
        {same_tensor, ERR_INVALID, "tensor \"t\" stands twice"},
        {five_dims, ERR_INVALID, "5 dimensions"},
        {empty_tensor, ERR_INVALID, "impossible shape"},
        {huge_tensor, ERR_INVALID, "impossible shape"},
        {huge_bytes, ERR_INVALID, "larger than the file"},
        {unknown_tensor_kind, ERR_UNSUPPORTED, "unknown kind 4"},
        {broken_block, ERR_INVALID, "whole blocks"},
        {overlap, ERR_INVALID, "overlap"},
        {out_of_file, ERR_INVALID, "overlap or leave a gap"},
        {weights_cut, ERR_INVALID, "cut off"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct gguf *gguf = NULL;
        struct why why = {0};
        struct buf b;
        buf_init(&b, arena);
        cases[i].make(&b);
        CHECK_EQ(gguf_open_bytes(buf_str(&b), &gguf, &why), cases[i].err);
        CHECK(gguf == NULL);
        CHECK(strstr(why.text, cases[i].words) != NULL);
        if (!strstr(why.text, cases[i].words))
            printf("# case %zu says: %s\n", i, why.text);
        gguf_close(gguf);
        arena_free(arena);
    }
}

TEST(says_which_file_is_missing)
{
    struct gguf *gguf = NULL;
    struct why why = {0};
    CHECK_EQ(gguf_open("/nonexistent/model.gguf", &gguf, &why), ERR_NOT_FOUND);
    CHECK(strstr(why.text, "/nonexistent/model.gguf") != NULL);
}

TEST(reads_the_real_vocabularies)
{
    static const struct {
        const char *file, *tokenizer;
        unsigned n;
    } cases[] = {
        {"gguf-vocab/models/ggml-vocab-llama-spm.gguf", "llama", 32000},
        {"gguf-vocab/models/ggml-vocab-bert-bge.gguf", "bert", 30522},
        {"gguf-vocab/models/ggml-vocab-deepseek-llm.gguf", "gpt2", 102400},
        {"gguf-vocab/models/ggml-vocab-gpt-2.gguf", "gpt2", 50257},
        {"gguf-vocab/models/ggml-vocab-baichuan.gguf", "llama", 64000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = tap_dataset(cases[i].file);
        struct gguf *gguf = NULL;
        struct gguf_card card;
        struct why why = {0};
        if (!path)
            SKIP("the vocabularies are not on this machine");
        CHECK_OK(gguf_open(path, &gguf, &why), &why);
        if (!gguf)
            continue;
        gguf_describe(gguf, &card);
        CHECK_STR(card.tokenizer, cases[i].tokenizer);
        CHECK_EQ(card.n_vocab, cases[i].n);
        gguf_close(gguf);
    }
}

TESTS_MAIN()
