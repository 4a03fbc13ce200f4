/*
 * engine/vocab - text to tokens and back, by the vocabulary that a model file carries.
 *
 * Token for token what llama.cpp v0.5.0 makes of valid UTF-8 (tests/engine/test_vocab.c holds the
 * one against the other), without it: for counting, limits, bills and data pipelines, in processes
 * that hold no model. Four ways to cut: sentencepiece merges (SPM), byte pairs (BPE, GPT-2 and its
 * kin, with the 85 pre-tokenizers of vocab_pre.def), word pieces (WPM, BERT) and unigrams (UGM,
 * XLM-R, T5).
 *
 *   Threads a vocab does not change: from any number of threads at once, without locks
 *   Owner   a vocab stands alone; the GGUF may be closed behind it
 *   Memory  qwen2 (152,000 tokens, 151,000 merges) 25 MB
 */
#ifndef ENGINE_VOCAB_H
#define ENGINE_VOCAB_H

#include "core/str.h"

struct arena;
struct gguf;

#define VOCAB_MOST_TOKENS (1 << 22)
#define VOCAB_MOST_BYTES  1024 /* of one token */
#define VOCAB_MOST_TEXT   ((size_t)256 << 20)

enum vocab_kind { VOCAB_SPM, VOCAB_BPE, VOCAB_WPM, VOCAB_UGM };

enum vocab_flags {
    VOCAB_ADD = 1,      /* the first and last tokens that the model wants (BOS, EOS, CLS, SEP) */
    VOCAB_SPECIAL = 2,  /* encode: control tokens written in the text count as such, "<|im_end|>";
                           decode: they are written. Never for text that a user typed */
    VOCAB_NO_SPACE = 4, /* decode: no blank is taken from the front (a piece out of the middle) */
    VOCAB_CLEAN = 8 /* decode: blanks before .,!? and in contractions go, where the model says so */
};

struct vocab;

/*
 *   Errors  ERR_INVALID      no vocabulary, tokens that stand twice or are too long, broken scores
 *           ERR_UNSUPPORTED  a kind or a pre-tokenizer that is not known: why has its name
 *   Cost    60 ms for 150,000 tokens and merges
 */
ERR_MUST_USE enum err vocab_open(const struct gguf *gguf, struct vocab **out, struct why *why);
ERR_MUST_USE enum err vocab_open_file(const char *path, struct vocab **out, struct why *why);
void vocab_close(struct vocab *vocab); /* NULL is fine */

enum vocab_kind vocab_kind(const struct vocab *vocab);
size_t vocab_n(const struct vocab *vocab);
size_t vocab_memory(const struct vocab *vocab); /* bytes */

struct vocab_tokens {
    int32_t *ids; /* n of them */
    size_t n;
};

/*
 * Bytes that are not UTF-8 are kept where a vocabulary has single bytes, and are U+FFFD elsewhere.
 *
 *   Owner   out->ids in `arena`
 *   Errors  ERR_NO_MEMORY  the arena's limit; ERR_TOO_LARGE  more than VOCAB_MOST_TEXT
 *   Cost    linear; scratch of about 12 bytes a byte of text, in `arena`
 */
ERR_MUST_USE enum err vocab_encode(const struct vocab *vocab, struct str text, unsigned flags,
                                   struct arena *arena, struct vocab_tokens *out, struct why *why);

/* How many tokens vocab_encode() would give; memory of its own, freed before it returns. */
ERR_MUST_USE enum err vocab_count(const struct vocab *vocab, struct str text, unsigned flags,
                                  size_t *n, struct why *why);

/* Appends the text of the tokens. An id that the vocabulary does not have writes nothing. For a
 * text without U+2581, decode(encode(text)) is the text in SPM and BPE; WPM and UGM normalise. */
void vocab_decode(const struct vocab *vocab, const int32_t *ids, size_t n, unsigned flags,
                  struct buf *out);

/* What one token writes, control tokens too; may be part of a character. Empty for an unknown id.
 */
struct str vocab_piece(const struct vocab *vocab, int32_t id);
/* The id of a token by its text in the file; -1 when there is none. */
int32_t vocab_find(const struct vocab *vocab, struct str text);

#endif
