/* tokens: one pass over the characters, a queue of two for what a character ends. */
#include "knowledge/tokens.h"

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"

#include <string.h>

#define TERM(kind, bits) ((uint64_t)(kind) << 60 | ((bits) & (((uint64_t)1 << 60) - 1)))
#define WORD_MOST        64 /* bytes of a word that count: an endless "word" must not cost */

/* What turns a statement into a question and says nothing about its subject. Longest first. */
static const struct str question_words[] = {
    STR_INIT("可不可以"), STR_INIT("怎么办"), STR_INIT("怎么样"), STR_INIT("能不能"),
    STR_INIT("有没有"),   STR_INIT("是不是"), STR_INIT("会不会"), STR_INIT("为什么"),
    STR_INIT("要不要"),   STR_INIT("算不算"), STR_INIT("怎么"),   STR_INIT("怎样"),
    STR_INIT("如何"),     STR_INIT("什么"),   STR_INIT("是否"),   STR_INIT("可以"),
    STR_INIT("能否"),     STR_INIT("请问"),   STR_INIT("哪些"),   STR_INIT("多少"),
    STR_INIT("多久"),     STR_INIT("的话"),   STR_INIT("如果"),   STR_INIT("应该"),
    STR_INIT("吗"),       STR_INIT("呢"),     STR_INIT("该"),     STR_INIT("我"),
    STR_INIT("您"),       STR_INIT("你"),
};

/* Letters of one script that are written without spaces: each is a term of its own. */
static bool is_ideograph(uint32_t c)
{
    return utf8_is_han(c) || (c >= 0x3041 && c <= 0x30FF) || (c >= 0xAC00 && c <= 0xD7A3) ||
           c == 0x3005 || c == 0x3007;
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

/* Letters and digits that make words between breaks; others (punctuation, symbols) are breaks. */
static bool is_word(uint32_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0x24F && c != 0xF7) ||
           (c >= 0x370 && c <= 0x52F) || (c >= 0x5D0 && c <= 0x6FF) || (c >= 0xE00 && c <= 0xEFF);
}

static uint32_t fold(uint32_t c)
{
    c = utf8_halfwidth(c);
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) ||
        (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F))
        return c + 0x20;
    return c;
}

static uint32_t peek(struct str s, size_t at, size_t *next)
{
    *next = at;
    return at < s.len ? fold(utf8_next(s, next)) : 0;
}

static int digit_of(uint32_t c)
{
    static const uint32_t han[] = {0x96F6, 0x4E00, 0x4E8C, 0x4E09, 0x56DB,
                                   0x4E94, 0x516D, 0x4E03, 0x516B, 0x4E5D}; /* 零一二..九 */
    if (is_digit(c))
        return (int)(c - '0');
    if (c == 0x3007)
        return 0; /* 〇 */
    if (c == 0x4E24)
        return 2; /* 两 */
    for (int i = 0; i < 10; i++)
        if (han[i] == c)
            return i;
    return -1;
}

static uint32_t unit_of(uint32_t c)
{
    return c == 0x5341 ? 10 : c == 0x767E ? 100 : c == 0x5343 ? 1000 : 0; /* 十百千 */
}

/* A number in Arabic or Chinese digits at *at; false when there is none. Clamped to 65535. */
static bool number(struct str s, size_t *at, uint32_t *out)
{
    uint32_t total = 0, last = 0;
    bool any = false;
    for (size_t next;; *at = next, any = true) {
        uint32_t c = peek(s, *at, &next), unit = unit_of(c);
        int digit = digit_of(c);
        if (unit) {
            total += (last ? last : 1) * unit;
            last = 0;
        } else if (digit >= 0) {
            last = last * 10 + (uint32_t)digit;
        } else {
            break;
        }
        if (total > 65535 || last > 65535)
            total = 65535, last = 0;
    }
    total += last;
    *out = total > 65535 ? 65535 : total;
    return any;
}

uint32_t tokens_article(struct str text, size_t *len)
{
    size_t at = 0, next;
    uint32_t n, sub = 0;
    if (peek(text, 0, &at) != 0x7B2C || !number(text, &at, &n)) /* 第 */
        return 0;
    if (peek(text, at, &next) != 0x6761) /* 条 */
        return 0;
    at = next;
    if (peek(text, at, &next) == 0x4E4B) { /* 之 */
        size_t behind = next;
        if (number(text, &behind, &sub))
            at = behind;
    }
    *len = at;
    return n ? n << 8 | (sub > 255 ? 255 : sub) : 0;
}

void tokens_init(struct tokens *tokens, struct str text, bool question)
{
    *tokens = (struct tokens){.text = text, .question = question};
}

static size_t question_word(struct str rest)
{
    for (size_t i = 0; i < sizeof question_words / sizeof question_words[0]; i++)
        if (str_starts(rest, question_words[i]))
            return question_words[i].len;
    return 0;
}

/* Letters, digits and dots between them, as one term. `at` is behind the first character. */
static uint64_t word(struct tokens *t, uint32_t first)
{
    char bytes[WORD_MOST + UTF8_MAX_BYTES];
    size_t n = utf8_put(bytes, first);
    for (size_t next;; t->at = next) {
        uint32_t c = peek(t->text, t->at, &next);
        if (c == '.') {
            size_t behind;
            if (!is_digit(peek(t->text, next, &behind)))
                break;
        } else if (!is_word(c)) {
            break;
        }
        if (n < WORD_MOST)
            n += utf8_put(bytes + n, c);
    }
    return TERM(TOKENS_WORD, hash64(bytes, n, 0));
}

bool tokens_next(struct tokens *t, uint64_t *term)
{
    while (!t->n_queue) {
        if (t->at >= t->text.len)
            return false;
        size_t start = t->at;
        if (t->question) {
            size_t skip = question_word(str_from(t->text, start));
            if (skip) {
                t->at += skip;
                t->before = 0;
                continue;
            }
        }
        uint32_t c = fold(utf8_next(t->text, &t->at)), before = t->before;
        t->before = 0;
        if (is_ideograph(c)) {
            size_t len;
            uint32_t article = c == 0x7B2C ? tokens_article(str_from(t->text, start), &len) : 0;
            if (article)
                t->queue[t->n_queue++] = TERM(TOKENS_ARTICLE, article);
            else if (before)
                t->queue[t->n_queue++] = TERM(TOKENS_PAIR, (uint64_t)before << 21 | c);
            t->before = c;
            *term = TERM(TOKENS_CHAR, c);
            return true;
        }
        if (is_word(c)) {
            *term = word(t, c);
            return true;
        }
    }
    *term = t->queue[0];
    t->n_queue = 0;
    return true;
}

/* Brackets and quotes that are set around or inside titles, in the writing after fold(). */
static bool is_title_noise(uint32_t c)
{
    static const uint32_t noise[] = {'(',    ')',    '[',    ']',    '<',    '>',    '"',
                                     '\'',   0x300A, 0x300B, 0x3008, 0x3009, 0x3010, 0x3011,
                                     0x3014, 0x3015, 0x201C, 0x201D, 0x2018, 0x2019, 0x300C,
                                     0x300D, 0x300E, 0x300F, 0xB7,   0x2022};
    if (utf8_is_space(c))
        return true;
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++)
        if (noise[i] == c)
            return true;
    return false;
}

/* Writes the compared form of the title, piece by piece, at most `most` bytes. */
static size_t put_title(struct str title, char *out, size_t most)
{
    static const struct str country = STR_INIT("中华人民共和国");
    size_t n = 0;
    for (size_t at = 0; at < title.len;) {
        if (str_starts(str_from(title, at), country)) {
            at += country.len;
            continue;
        }
        uint32_t c = fold(utf8_next(title, &at));
        if (is_title_noise(c))
            continue;
        if (n + UTF8_MAX_BYTES > most)
            break;
        n += utf8_put(out + n, c);
    }
    return n;
}

struct str tokens_title(struct arena *arena, struct str title)
{
    /* fold() never makes a character longer, but a bad byte becomes U+FFFD: three bytes for one. */
    size_t most = title.len * 3 + UTF8_MAX_BYTES;
    char *out = arena_bytes(arena, most);
    if (!out)
        return STR_NONE;
    return (struct str){out, put_title(title, out, most)};
}

uint64_t tokens_title_hash(struct str title)
{
    char out[1024]; /* titles are at most some hundred bytes; more is compared by its beginning */
    size_t n = put_title(title, out, sizeof out);
    uint64_t hash = n ? hash64(out, n, 1) : 0;
    return n && !hash ? 1 : hash;
}
