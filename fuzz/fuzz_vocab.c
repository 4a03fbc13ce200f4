/*
 * vocab: a vocabulary of any tokens, merges, scores and kinds is refused with words, or cuts any
 * text into tokens that it has, the same number as it counts, and writes them again; with an arena
 * that is too small it says so.
 *
 *   byte 0 the kind, byte 1 the pre-tokenizer, byte 2 flags, then tokens up to a 0xFE (0xFF between
 * them, the byte before each is its type and score), merges up to a 0xFE, then the text
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "engine/gguf.h"
#include "engine/vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put32(struct buf *b, uint32_t x)
{
    buf_add(b, (struct str){(const char *)&x, sizeof x});
}

static void put64(struct buf *b, uint64_t x)
{
    buf_add(b, (struct str){(const char *)&x, sizeof x});
}

static void put_text(struct buf *b, struct str s)
{
    put64(b, s.len);
    buf_add(b, s);
}

static void put_key(struct buf *b, const char *name, uint32_t kind)
{
    put_text(b, str_c(name));
    put32(b, kind);
}

static struct str up_to(struct str *rest, char mark)
{
    struct str part = STR_NONE;
    (void)str_next(rest, mark, &part);
    return part;
}

/* The parts of a list, and how many; what is put behind each is for the caller. */
static void put_list(struct buf *b, const char *name, struct str list, size_t *n)
{
    struct str part;
    size_t before = b->len, at;
    put_key(b, name, GGUF_KIND_ARRAY);
    put32(b, GGUF_KIND_STR);
    at = b->len;
    put64(b, 0);
    *n = 0;
    while (str_next(&list, '\xFF', &part)) {
        put_text(b, str_from(part, part.len > 0));
        ++*n;
    }
    uint64_t count = *n;
    if (!b->failed && before < b->len)
        memcpy(b->ptr + at, &count, sizeof count);
}

static void put_types(struct buf *b, struct str list)
{
    struct str part, again = list;
    size_t n = 0;
    while (str_next(&again, '\xFF', &part))
        n++;
    put_key(b, "tokenizer.ggml.token_type", GGUF_KIND_ARRAY);
    put32(b, GGUF_KIND_I32);
    put64(b, n);
    for (again = list; str_next(&again, '\xFF', &part);)
        put32(b, part.len ? (uint8_t)part.ptr[0] % 8 : 1);
    put_key(b, "tokenizer.ggml.scores", GGUF_KIND_ARRAY);
    put32(b, GGUF_KIND_F32);
    put64(b, n);
    for (again = list; str_next(&again, '\xFF', &part);) {
        float score = part.len ? -(float)((uint8_t)part.ptr[0] / 8) : 0;
        uint32_t bits;
        memcpy(&bits, &score, sizeof bits);
        put32(b, bits);
    }
}

/* What are merges to one kind is the map of characters to another. */
static void put_charsmap(struct buf *b, struct str bytes, uint8_t part)
{
    uint32_t len = (uint32_t)(bytes.len * part / 255) & ~3u;
    put_key(b, "tokenizer.ggml.precompiled_charsmap", GGUF_KIND_ARRAY);
    put32(b, GGUF_KIND_U8);
    put64(b, bytes.len + sizeof len);
    put32(b, len);
    buf_add(b, bytes);
}

static struct str make(struct arena *arena, const uint8_t *data, size_t size, struct str *text)
{
    static const char *const kinds[] = {"llama", "gpt2", "bert", "t5", "gemma4", "other"};
    static const char *const pres[] = {
        "gpt-2",     "llama-bpe", "qwen2",      "deepseek-llm", "deepseek-coder", "deepseek-v3",
        "falcon",    "tekken",    "gpt-4o",     "exaone-moe",   "jais-2",         "bloom",
        "chameleon", "laguna",    "bailingmoe", "default"};
    struct str rest = {(const char *)data + 3, size - 3}, tokens, merges;
    struct buf b;
    size_t n;
    buf_init(&b, arena);
    tokens = up_to(&rest, '\xFE');
    merges = up_to(&rest, '\xFE');
    *text = rest;
    buf_add_c(&b, "GGUF");
    put32(&b, 3);
    put64(&b, 0);
    put64(&b, 10);
    put_key(&b, "tokenizer.ggml.model", GGUF_KIND_STR);
    put_text(&b, str_c(kinds[data[0] % 6]));
    put_key(&b, "tokenizer.ggml.pre", GGUF_KIND_STR);
    put_text(&b, str_c(pres[data[1] % 16]));
    put_list(&b, "tokenizer.ggml.tokens", tokens, &n);
    put_types(&b, tokens);
    put_list(&b, "tokenizer.ggml.merges", merges, &n);
    put_charsmap(&b, merges, data[1]);
    put_key(&b, "tokenizer.ggml.add_bos_token", GGUF_KIND_BOOL);
    buf_char(&b, data[2] & 1);
    put_key(&b, "tokenizer.ggml.bos_token_id", GGUF_KIND_U32);
    put32(&b, data[2] >> 4);
    put_key(&b, "tokenizer.ggml.unknown_token_id", GGUF_KIND_U32);
    put32(&b, data[2] >> 6);
    return buf_str(&b);
}

static void use(const struct vocab *vocab, struct str text, struct arena *arena)
{
    for (unsigned flags = 0; flags < 16; flags++) {
        struct vocab_tokens tokens = {0}, few = {.n = 99};
        struct buf out;
        size_t n = 0;
        if (vocab_encode(vocab, text, flags, arena, &tokens, NULL) ||
            vocab_count(vocab, text, flags, &n, NULL))
            abort();
        if (n != tokens.n)
            abort();
        for (size_t i = 0; i < n; i++)
            if (tokens.ids[i] < 0 || (size_t)tokens.ids[i] >= vocab_n(vocab))
                abort();
        buf_init(&out, arena);
        vocab_decode(vocab, tokens.ids, tokens.n, flags, &out);
        struct arena *small = arena_new(text.len * 4 + 300);
        enum err err = vocab_encode(vocab, text, flags, small, &few, NULL);
        if (err ? err != ERR_NO_MEMORY || few.n != 99 : few.n != n)
            abort();
        arena_free(small);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)256 << 20);
    struct gguf *gguf = NULL;
    struct vocab *vocab = NULL;
    struct why why = {0};
    struct str text = STR_NONE;
    if (size >= 3 && size < 4000) {
        struct str file = make(arena, data, size, &text);
        if (gguf_open_bytes(file, &gguf, &why))
            abort(); /* what we made ourselves is a good file */
        if (vocab_open(gguf, &vocab, &why)) {
            if (!why.text[0])
                abort();
        } else {
            gguf_close(gguf);
            gguf = NULL;
            use(vocab, text, arena);
        }
    }
    vocab_close(vocab);
    gguf_close(gguf);
    arena_free(arena);
    return 0;
}
