/*
 * data/text - what operators ask of characters and lines. Pure; texts are valid UTF-8.
 */
#ifndef DATA_TEXT_H
#define DATA_TEXT_H

#include "core/str.h"

enum text_class {
    TEXT_HAN,
    TEXT_LETTER, /* of any other script */
    TEXT_DIGIT,
    TEXT_PUNCTUATION,
    TEXT_SPACE,
    TEXT_SYMBOL,
    TEXT_OTHER, /* control, private use, unassigned, U+FFFD */
    TEXT_CLASSES
};
enum text_class text_class(uint32_t c);

/* The character at *i of valid UTF-8, which moves behind it. Needs *i < s.len. */
static inline uint32_t text_next(struct str s, size_t *i)
{
    const unsigned char *p = (const unsigned char *)s.ptr + *i;
    if (p[0] < 0x80) {
        *i += 1;
        return p[0];
    }
    if (p[0] < 0xE0) {
        *i += 2;
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if (p[0] < 0xF0) {
        *i += 3;
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    }
    *i += 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
           (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}

/*
 * For operators that look for a few rare characters: TEXT_BLOCK bytes from the start of a character
 * on are looked at without a branch, so that the compiler takes many at once. When none may be
 * looked for, text_behind_block() is the start of a character in or behind them to go on from. When
 * one may be, the block is gone through character by character before the next is looked at.
 */
#define TEXT_BLOCK 32
#define TEXT_PEEK  2 /* bytes behind the block that are looked at too, for characters of three */
static inline size_t text_behind_block(struct str s, size_t at)
{
    at += TEXT_BLOCK;
    while (at < s.len && ((unsigned char)s.ptr[at] & 0xC0) == 0x80)
        at--;
    return at;
}

/*
 * For operators that look at every character: those of three bytes, U+0800 .. U+FFFF, are nearly
 * all of Chinese, its marks too. A set of them is a bit for each; looking a character up in it
 * needs no branch, for where marks stand among Han cannot be foretold.
 */
#define TEXT_SET 1024 /* words */
static inline bool text_leads_three(char byte)
{
    return ((unsigned char)byte & 0xF0) == 0xE0;
}
static inline unsigned text_in_set(const uint64_t set[TEXT_SET], const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
    return (unsigned)(set[(p[0] & 15u) << 6 | (p[1] & 63u)] >> (p[2] & 63)) & 1;
}
static inline void text_set_add(uint64_t set[TEXT_SET], uint32_t c)
{
    set[c >> 6] |= 1ULL << (c & 63); /* c < 0x10000 */
}

/* Characters by class. */
struct text_counts {
    size_t n;
    size_t of[TEXT_CLASSES];
};
struct text_counts text_count(struct str s);

/* Characters, fast. */
size_t text_length(struct str s);

/* The end of a URL or e-mail address that begins at `at`, or `at` when none does. A URL begins with
 * http:// https:// ftp:// or www. */
size_t text_url(struct str s, size_t at);
size_t text_email(struct str s, size_t at);

/* The character that the HTML entity at `at` ("&amp;", "&#x4E00;") stands for; the end of the
 * entity, 0: it is none. U+00A0 counts as a space. */
size_t text_entity(struct str s, size_t at, uint32_t *c);

/* Shown as a coloured picture unless a mark behind it says otherwise (Emoji_Presentation). */
bool text_is_picture(uint32_t c);

/* Whether a line (without white space at its ends) is empty of letters, digits and Han. */
bool text_is_blank(struct str line);
/* 。！？.!?…；; and closing quotes or brackets behind them. */
bool text_ends_sentence(struct str line);
bool text_is_closing(uint32_t c);
bool text_is_stop(uint32_t c); /* ends a sentence */

/* "。" and "\n" parted pieces, each with its end mark. False at the end. */
bool text_next_sentence(struct str *rest, struct str *sentence);

/* A text of which parts are replaced: what lies between them is taken over as it is. */
struct text_edit {
    struct str in;
    struct buf buf;
    size_t from; /* where what is not yet taken over begins; 0: no part was replaced */
};
void text_edit_init(struct text_edit *edit, struct str in, struct arena *arena);
/* The next part, from `at` to `end`; what is to stand for it is then added to edit->buf. */
static inline void text_edit_part(struct text_edit *edit, size_t at, size_t end)
{
    buf_add(&edit->buf, str_slice(edit->in, edit->from, at));
    edit->from = end;
}
/* *out is the text itself when nothing was replaced, and never NULL. */
ERR_MUST_USE enum err text_edit_end(struct text_edit *edit, struct str *out, struct why *why);

/* Joins what is kept: appends `line` with "\n" between lines. */
void text_add_line(struct buf *out, struct str line, bool *first);

#endif
