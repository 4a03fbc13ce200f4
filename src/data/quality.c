#include "data/quality.h"

#include <math.h>
#include <string.h>

#include "core/utf8.h"
#include "data/shipped.h"
#include "data/text.h"

#define FIRST_SIGN 0x4E00 /* signs are written as Han, which the classifier does not fold */

uint32_t quality_pair_bit(uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 21 ^ b) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> (64 - SHIPPED_PAIR_BITS));
}

struct counts {
    size_t n, han, latin, digits, marks, spaces, symbols, others;
    size_t stops, commas, functions, pairs, known, doubled, rare;
    size_t lines, short_lines, ended_lines, run, longest_run, kinds;
    uint64_t seen[16]; /* bits of the pairs that came: how varied the text is */
    size_t distinct;
};

static bool is_function_word(uint32_t c)
{
    static const uint16_t words[] = {
        0x7684, 0x4E86, 0x5728, 0x662F, 0x548C, 0x4E0E, 0x6216, 0x6709, 0x4E3A, 0x4E0D, 0x5BF9,
        0x4EE5, 0x7531, 0x5C06, 0x4E8E, 0x800C, 0x4E4B, 0x5176, 0x8FD9, 0x6211, 0x4ED6, 0x5C31,
        0x90FD, 0x4E5F, 0x5230, 0x8BF4, 0x8981, 0x4F1A, 0x7740, 0x4E2A, 0x4ECE, 0x88AB};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i] == c)
            return true;
    return false;
}

static bool is_comma(uint32_t c)
{
    return c == 0xFF0C || c == ',' || c == 0x3001;
}

static void count_pair(struct counts *k, const uint8_t *table, uint32_t a, uint32_t b)
{
    uint32_t bit = quality_pair_bit(a, b);
    k->pairs++;
    k->known += table[bit / 8] >> bit % 8 & 1;
    uint64_t mask = (uint64_t)1 << (bit & 63);
    uint64_t *word = &k->seen[bit >> 6 & 15];
    k->distinct += !(*word & mask);
    *word |= mask;
}

static void count_char(struct counts *k, const uint8_t *table, uint32_t before, uint32_t c)
{
    enum text_class class = text_class(c);
    k->n++;
    switch (class) {
    case TEXT_HAN:
        k->han++;
        k->functions += is_function_word(c);
        k->doubled += c == before;
        if (text_class(before) == TEXT_HAN)
            count_pair(k, table, before, c);
        break;
    case TEXT_LETTER:
        k->latin += c < 0x250;
        k->others += c >= 0x250;
        break;
    case TEXT_DIGIT:
        k->digits++;
        break;
    case TEXT_PUNCTUATION:
        k->marks++;
        k->stops += text_is_stop(c);
        k->commas += is_comma(c);
        break;
    case TEXT_SPACE:
        k->spaces += c != '\n';
        break;
    case TEXT_SYMBOL:
        k->symbols++;
        break;
    default:
        k->others++;
    }
    bool word = class == TEXT_HAN || class == TEXT_LETTER;
    k->run = word ? k->run + 1 : 0;
    k->longest_run = k->run > k->longest_run ? k->run : k->longest_run;
}

static struct counts count(struct str text)
{
    struct counts k = {0};
    const uint8_t *table = shipped_pairs();
    struct str rest = text, line;
    uint32_t before = ' ';
    for (size_t i = 0; i < text.len;) {
        uint32_t c = text_next(text, &i);
        count_char(&k, table, before, c);
        before = c;
    }
    while (str_next(&rest, '\n', &line)) {
        line = str_trim_space(line);
        if (!line.len)
            continue;
        k.lines++;
        k.short_lines += line.len < 45;
        k.ended_lines += text_ends_sentence(line);
    }
    return k;
}

static double share(size_t part, size_t all)
{
    return all ? (double)part / (double)all : 0;
}

/* 0 .. 15, in even steps of [low, high]. */
static unsigned step(double value, double low, double high)
{
    double x = (value - low) / (high - low) * 16;
    return x < 0 ? 0 : x >= 15 ? 15 : (unsigned)x;
}

struct str quality_signs(struct str text, char out[QUALITY_BYTES])
{
    struct counts k = count(text);
    double sentence = share(k.n, k.stops + 1), clause = share(k.n, k.stops + k.commas + 1);
    size_t most = k.pairs < 1024 ? k.pairs : 1024;
    /* Of n pairs thrown into 1,024 places so many places are hit when all differ. */
    double varied = most ? (double)k.distinct / (1024 * (1 - exp(-(double)k.pairs / 1024))) : 1;
    const unsigned steps[QUALITY_SIGNS] = {
        step(share(k.han, k.n), 0, 1),
        step(share(k.known, k.pairs), 0, 1),
        step(varied, 0, 1),
        step(share(k.functions, k.han), 0, 0.24),
        step(share(k.marks, k.n), 0, 0.4),
        step(log2(sentence + 1), 1, 9),
        step(log2(clause + 1), 1, 7),
        step(share(k.latin, k.n), 0, 0.5),
        step(share(k.digits, k.n), 0, 0.5),
        step(share(k.spaces, k.n), 0, 0.3),
        step(share(k.symbols, k.n), 0, 0.1),
        step(share(k.others, k.n), 0, 0.1),
        step(share(k.doubled, k.han), 0, 0.16),
        step(share(k.ended_lines, k.lines), 0, 1.05),
        step(share(k.short_lines, k.lines), 0, 1.05),
        step(log2((double)k.longest_run + 1), 1, 8),
    };
    size_t n = 0;
    for (unsigned i = 0; i < QUALITY_SIGNS; i++)
        n += utf8_put(out + n, FIRST_SIGN + i * 16 + steps[i]);
    return (struct str){out, n};
}
