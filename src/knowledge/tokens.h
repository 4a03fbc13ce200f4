/*
 * knowledge/tokens - text to terms: the one place that says when two writings are the same word.
 *
 * Place in the room: parse -> chunk -> [tokens] -> index -> retrieve -> answer. Pure: no memory, no
 * I/O, no clock; the same bytes give the same terms on every machine.
 *
 * A term is a number, so that an index needs no list of words:
 *
 *     one Chinese (or kana, hangul) character   法         TOKENS_CHAR
 *     two neighbouring ones                     合同       TOKENS_PAIR
 *     a word of letters, digits and inner dots  gb45438    TOKENS_WORD (58 bits of its hash)
 *     the number of an article                  第三十七条 TOKENS_ARTICLE, same as 第37条
 *
 * Full-width letters and digits count as half-width, capitals as small ones.
 */
#ifndef KNOWLEDGE_TOKENS_H
#define KNOWLEDGE_TOKENS_H

#include "core/str.h"

struct arena;

enum tokens_kind { TOKENS_CHAR = 1, TOKENS_PAIR, TOKENS_WORD, TOKENS_ARTICLE };

static inline enum tokens_kind tokens_kind(uint64_t term)
{
    return (enum tokens_kind)(term >> 60);
}

/* The term of one character; the two characters of a pair. */
static inline uint64_t tokens_character(uint32_t c)
{
    return (uint64_t)TOKENS_CHAR << 60 | c;
}
static inline uint32_t tokens_first(uint64_t pair)
{
    return (uint32_t)(pair >> 21 & 0x1FFFFF);
}
static inline uint32_t tokens_last(uint64_t pair)
{
    return (uint32_t)(pair & 0x1FFFFF);
}

struct tokens {
    struct str text;
    size_t at;       /* next byte to read */
    uint32_t before; /* the character that a pair would begin with, or 0 */
    bool question;   /* words that only make a question of it (怎么, 是否, 吗) are breaks */
    uint64_t queue[2];
    int n_queue;
};

/* Begins at the start of `text`, which is borrowed until the last tokens_next(). Any bytes will do:
 * what is not UTF-8 is a break. */
void tokens_init(struct tokens *tokens, struct str text, bool question);

/* The next term in the order of the text (a character before the pair that it ends), false at the
 * end. Amortised constant time. */
bool tokens_next(struct tokens *tokens, uint64_t *term);

/* The article number at the start of `text`: 第三十七条, 第37条, 第二百八十七条之二. *len gets its
 * bytes. 0 when there is none; else number * 256 + the number behind 之 (0 when none), both clamped
 * to what fits. */
uint32_t tokens_article(struct str text, size_t *len);

/*
 * A title as it is compared: half-width, small letters, without 中华人民共和国, white space, and
 * brackets or quotes of any kind. In `arena`; ptr is NULL when memory ran out.
 */
struct str tokens_title(struct arena *arena, struct str title);

/* hash64 of tokens_title() without needing memory; 0 for a title of which nothing is left. */
uint64_t tokens_title_hash(struct str title);

#endif
