/*
 * engine/tiny_vocab - small vocabularies that work, made from a few sentences of our own.
 *
 * For models of random weights: real enough that every text can be written in them and comes back.
 */
#ifndef ENGINE_TINY_VOCAB_H
#define ENGINE_TINY_VOCAB_H

#include "core/str.h"

struct arena;

/* The numbers are those of tokenizer.ggml.token_type. */
enum { TOKEN_NORMAL = 1, TOKEN_UNKNOWN = 2, TOKEN_CONTROL = 3, TOKEN_USER = 4, TOKEN_BYTE = 6 };

struct tiny_vocab {
    struct str *tokens;
    int32_t *types;
    size_t n;
    struct str *merges; /* "left right", best first; byte pairs only */
    size_t n_merges;
};

/* Byte pairs as GPT-2 writes them: 256 bytes, what was merged, <|endoftext|>, <|im_start|>,
 * <|im_end|>, <tool_call>, </tool_call>. Pairs are merged by frequency within words, the smaller
 * numbers first among equals, as long as they occur twice (Sennrich et al. 2016, arXiv:1508.07909).
 */
ERR_MUST_USE enum err tiny_vocab_pairs(struct arena *arena, struct tiny_vocab *out,
                                       struct why *why);

/* Word pieces as BERT files have them: [PAD] [UNK] [CLS] [SEP] [MASK] as 0 to 4, then characters
 * and words with U+2581 before those that begin a word. */
ERR_MUST_USE enum err tiny_vocab_pieces(struct arena *arena, struct tiny_vocab *out,
                                        struct why *why);

/* The character that stands for a byte in the tokens of GPT-2 and its kin: U+0021 to U+0143. */
uint32_t tiny_vocab_byte(uint8_t byte);

#endif
