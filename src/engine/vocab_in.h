/*
 * engine/vocab_in - what the files of the tokenizer share.
 */
#ifndef ENGINE_VOCAB_IN_H
#define ENGINE_VOCAB_IN_H

#include <stdatomic.h>

#include "engine/vocab.h"

#define NO_TOKEN (-1)

/* Attributes of a token; several may hold. */
enum {
    ATTR_NORMAL = 1,
    ATTR_UNKNOWN = 2,
    ATTR_CONTROL = 4,
    ATTR_USER = 8,
    ATTR_BYTE = 16,
    ATTR_UNUSED = 32,
    ATTR_LSTRIP = 64, /* eats the blanks before it */
    ATTR_RSTRIP = 128 /* and behind it */
};

/* ---- strings to numbers: open addressing, seeded, the hash's upper half beside the number ---- */

struct strtab {
    struct str *items; /* n of them, borrowed texts; an item with ptr NULL is in no slot */
    size_t n, cap;
    uint64_t *slots; /* (hash & upper half) | (index + 1); 0 is empty */
    size_t mask;
    uint64_t seed;
};

/* Room for `cap` items; all memory in `arena`. */
ERR_MUST_USE bool vocab_strtab_init(struct strtab *tab, struct arena *arena, size_t cap);
int32_t vocab_strtab_find(const struct strtab *tab, struct str s); /* NO_TOKEN when there is none */
/* The number of s, made when missing; NO_TOKEN when memory ran out. */
int32_t vocab_strtab_put(struct strtab *tab, struct arena *arena, struct str s, bool *made);
/* Puts s as the number i < cap (items[i] is set). False when it was there under another number. */
bool vocab_strtab_put_at(struct strtab *tab, struct str s, size_t i);

/* ---- all tokens that begin at a place (vocab_trie.c) ---- */

#define TRIE_MOST (1u << 24) /* nodes: three bytes of an edge */

struct trie {
    uint64_t *edges;
    size_t mask;
    uint64_t seed;
    int32_t *ids; /* of a node: the token that ends there, or NO_TOKEN */
    uint32_t n;   /* nodes; 0 is the root */
};

/* `most_nodes` < TRIE_MOST is proved by the caller: no more bytes are put. */
ERR_MUST_USE bool vocab_trie_init(struct trie *trie, struct arena *arena, size_t most_nodes);
/* Moves it to another arena, as large as it needs to be. */
ERR_MUST_USE bool vocab_trie_fit(struct trie *trie, struct arena *arena);
void vocab_trie_put(struct trie *trie, struct str s, int32_t id);
uint32_t vocab_trie_next(const struct trie *trie, uint32_t node,
                         uint8_t byte); /* 0: no such edge */

/* ---- pre-tokenizers (vocab_pre.c) ---- */

/* Properties of a character that the rules ask for. */
enum {
    CLASS_LETTER = 1,
    CLASS_NUMBER = 2,
    CLASS_PUNCTUATION = 4,
    CLASS_MARK = 8,
    CLASS_SYMBOL = 16,
    CLASS_SPACE = 32,
    CLASS_CONTROL = 64,
    CLASS_NONE = 128 /* no character at all: behind the end */
};

/* vocab_unicode.c, the only file that sees ICU */
uint8_t vocab_unicode_class(uint32_t c);
uint32_t vocab_unicode_lower(uint32_t c);
uint32_t vocab_unicode_base(uint32_t c); /* the first character of the canonical decomposition */

struct pre; /* compiled rules of a family */

/* ERR_UNSUPPORTED for a name that is not in vocab_pre.def. */
ERR_MUST_USE enum err vocab_pre_open(struct str name, struct arena *arena, struct pre **out,
                                     struct why *why);

struct words {
    uint32_t *ends; /* n of them, byte offsets into the text, ascending; the last is text.len */
    size_t n;
};
/* Cuts a text into the words within which pairs may be merged. False when memory ran out. */
ERR_MUST_USE bool vocab_pre_split(const struct pre *pre, struct str text, struct arena *arena,
                                  struct words *out);
bool vocab_pre_ignore_merges(const struct pre *pre);
bool vocab_pre_add_bos(const struct pre *pre);
bool vocab_pre_clean(const struct pre *pre);
bool vocab_pre_bytes(
    const struct pre *pre); /* tokens are bytes in GPT-2's writing, else UTF-8 with U+2581 */
bool vocab_pre_no_bos(const struct pre *pre);

/* ---- the vocabulary ---- */

struct merge {     /* a slot of the table of pairs */
    uint64_t pair; /* left << 32 | right; UINT64_MAX is empty */
    uint32_t rank, result;
};

enum { WHOLE_UNKNOWN, WHOLE_YES, WHOLE_NO };

struct vocab {
    struct arena *arena;
    enum vocab_kind kind;
    size_t n;
    struct strtab texts; /* of tokens, as in the file */
    struct str *pieces;  /* what each writes */
    float *scores;       /* 0 where the file has none */
    uint8_t *attrs;
    size_t longest; /* bytes of the longest text */
    int32_t bos, eos, unk, sep;
    bool add_bos, add_eos, space_prefix, clean, lowercase, strip_accents, escape;
    bool merge_spaces;
    int32_t bytes[256]; /* token of a byte: SPM and the like; NO_TOKEN when there is none */

    /* special tokens to look for in a text */
    uint64_t begins[4]; /* bytes that begin one */
    uint32_t
        len_first[256]; /* into lens: the lengths of those that begin with a byte, descending */
    uint16_t len_n[256];
    uint16_t *lens;
    bool any_user; /* some are looked for even in plain text */

    /* BPE */
    struct pre *pre;
    struct strtab raw; /* pieces by the bytes they stand for; numbers below n are tokens */
    struct merge *merges;
    size_t merge_mask;
    uint64_t merge_seed;
    int32_t byte_piece[256];
    bool ignore_merges;
    _Atomic uint8_t *whole; /* of a token: whether its bytes, merged, are it; WHOLE_* */

    /* Pairs of characters that some token has inside, hashed; and of bytes, see vocab_crosses() */
    uint64_t *inside;
    uint64_t ragged[256][4];

    /* WPM, UGM */
    struct trie trie;

    /* UGM */
    float unknown_score;
    const uint8_t *charsmap;
    size_t charsmap_units; /* of 4 bytes */
    const char *replacements;
    size_t replacements_len;
};

/* Ids that are being collected. */
struct out {
    struct arena *arena;
    int32_t *ids;
    size_t n, cap;
    bool failed;
};
void vocab_out_add(struct out *out, int32_t id);

/* What a run of plain text becomes. */
void vocab_spm_encode(const struct vocab *vocab, struct str text, struct out *out);
void vocab_bpe_encode(const struct vocab *vocab, struct str text, struct out *out);
void vocab_wpm_encode(const struct vocab *vocab, struct str text, struct out *out);
void vocab_ugm_encode(const struct vocab *vocab, struct str text, struct out *out);

/* vocab_pieces.c. `byte_of_char`: the byte that a character below 512 stands for in GPT-2's
 * writing, or -1; NULL when tokens are UTF-8. */
struct gguf;
ERR_MUST_USE enum err vocab_load_pieces(struct vocab *vocab, const int16_t *byte_of_char,
                                        struct why *why);
ERR_MUST_USE enum err vocab_load_merges(struct vocab *vocab, const struct gguf *gguf,
                                        const int16_t *byte_of_char, struct why *why);
ERR_MUST_USE enum err vocab_load_inside(struct vocab *vocab, struct why *why);

/* Whether some token may lie across the place between the characters a and b, whose bytes there are
 * x and y. False is certain. */
bool vocab_crosses(const struct vocab *vocab, uint32_t a, uint32_t b, uint8_t x, uint8_t y);

#define INSIDE_BITS (1u << 20)
static inline uint32_t inside_bit(uint32_t a, uint32_t b)
{
    return (uint32_t)(((uint64_t)a << 21 | b) * 0x9E3779B97F4A7C15u >> 44);
}

static inline size_t merge_slot(uint64_t pair, uint64_t seed)
{
    uint64_t hash = (pair ^ seed) * 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 32 ^ hash);
}

/* A text in parts: special tokens (id >= 0) and what lies between (id NO_TOKEN). */
struct part {
    int32_t id;
    struct str text;
};
ERR_MUST_USE bool vocab_special_split(const struct vocab *vocab, struct str text, bool control,
                                      struct arena *arena, struct part **out, size_t *n);
ERR_MUST_USE enum err vocab_special_index(struct vocab *vocab, struct why *why);

/* The text with U+2581 for blanks: itself when it has none; ptr NULL when memory ran out. */
struct str vocab_escape(struct str text, struct arena *arena);
static inline size_t vocab_put_blank(char *to)
{
    to[0] = '\xE2';
    to[1] = '\x96';
    to[2] = '\x81';
    return 3;
}

/* Bytes of the character that begins with c, as the library counts them (1 to 4). */
size_t vocab_lead_bytes(uint8_t c);

#endif
