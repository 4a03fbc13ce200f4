/* Reading a gate, and the pass over a text. */
#include "learn/gate_in.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/utf8.h"

static uint16_t folded(uint32_t c)
{
    c = utf8_halfwidth(c);
    if (c >= '0' && c <= '9')
        return '0';
    if (c >= 'A' && c <= 'Z')
        return (uint16_t)(c | 32);
    return c < 0x10000 ? (uint16_t)c : UTF8_BAD;
}

#define SAME8(c)  (c), (c) + 1, (c) + 2, (c) + 3, (c) + 4, (c) + 5, (c) + 6, (c) + 7
#define SAME32(c) SAME8(c), SAME8((c) + 8), SAME8((c) + 16), SAME8((c) + 24)
/* Letters as small ones, digits as one. */
static const uint8_t ascii[128] = {
    SAME32(0),  SAME8(32), SAME8(40), '0', '0',  '0', '0', '0', '0',       '0',        '0',
    '0',        '0',       ':',       ';', '<',  '=', '>', '?', '@',       SAME8('a'), SAME8('i'),
    SAME8('q'), 'y',       'z',       '[', '\\', ']', '^', '_', SAME32(96)};

static inline __attribute__((always_inline)) uint16_t next_char(struct str text, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text.ptr + *at;
    if (p[0] >= 0xE2 && p[0] <= 0xEC && *at + 2 < text.len && (p[1] & 0xC0) == 0x80 &&
        (p[2] & 0xC0) == 0x80) {
        *at += 3; /* U+2000 .. U+CFFF: of these, U+3000 alone is folded */
        uint16_t c = (uint16_t)((p[0] & 15) << 12 | (p[1] & 63) << 6 | (p[2] & 63));
        return c == 0x3000 ? ' ' : c;
    }
    if (p[0] < 0x80) {
        ++*at;
        return ascii[p[0]];
    }
    return folded(utf8_next(text, at));
}

uint16_t gate_char(struct str text, size_t *at)
{
    return next_char(text, at);
}

/* ---- n-grams ---- */

static inline uint32_t gram(uint64_t sort, uint64_t value)
{
    uint64_t x = (value ^ (sort + 1) << 52) * 0x9E3779B97F4A7C15U;
    return (uint32_t)(x >> (64 - GATE_BITS));
}

void gate_grams(const uint16_t *c, uint32_t out[GATE_GRAMS])
{
    static const int8_t pairs[][2] = {{-2, -1}, {-1, 0}, {0, 1},  {1, 2},
                                      {2, 3},   {3, 4},  {-1, 2}, {-1, 3}};
    uint32_t n = 0;
    for (int k = -2; k <= GATE_AHEAD; k++, n++)
        out[n] = gram(n, c[k]);
    for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++, n++)
        out[n] = gram(n, (uint64_t)c[pairs[p][0]] << 16 | c[pairs[p][1]]);
    for (int k = -2; k <= 2; k++, n++)
        out[n] = gram(n, (uint64_t)c[k] << 32 | (uint64_t)c[k + 1] << 16 | c[k + 2]);
    out[n] = gram(n, (uint64_t)c[-1] << 32 | (uint64_t)c[0] << 16 | c[2]);
    out[n + 1] = gram(n + 1, (uint64_t)c[0] << 32 | (uint64_t)c[1] << 16 | c[3]);
}

/* ---- the pass ---- */

void gate_begin(struct gate_pass *pass, const struct gate *gate, struct str text)
{
    uint64_t end = gate_word(gate, GATE_END);
    pass->gate = gate;
    pass->text = text;
    pass->at = 0;
    pass->n = pass->n_hits = pass->hit = pass->n_ends = 0;
    pass->sums[0] = 0;
    for (int k = 0; k < GATE_CARRY; k++) {
        pass->chars[k] = GATE_END;
        pass->starts[k] = STR_NPOS;
        pass->sums[0] = gate_add(pass->sums[0], end);
    }
    pass->sums[1] = pass->sums[2] = 0; /* of places before the text */
}

/* The next characters; behind the text, some that end it. */
static bool fill(struct gate_pass *p)
{
    struct str text = p->text;
    size_t n = GATE_CARRY, at = p->at, most = GATE_CARRY + GATE_BLOCK;
    if (p->n) {
        memmove(p->chars, p->chars + p->n, GATE_CARRY * sizeof p->chars[0]);
        memmove(p->starts, p->starts + p->n, GATE_CARRY * sizeof p->starts[0]);
    }
    while (n < most && at < text.len) {
        p->starts[n] = at;
        p->chars[n++] = next_char(text, &at);
    }
    p->at = at;
    for (; at == text.len && n < most && p->n_ends < GATE_AHEAD; p->n_ends++) {
        p->starts[n] = at;
        p->chars[n++] = GATE_END;
    }
    p->n = n - GATE_CARRY;
    return p->n > 0;
}

/* The sum of a place is whole two characters behind it; it is looked at when four are there. */
static void look(struct gate_pass *p)
{
    const struct gate *gate = p->gate;
    uint64_t newest = p->sums[0], second = p->sums[1], third = p->sums[2];
    size_t hits = 0;
    for (size_t i = GATE_CARRY; i < p->n + GATE_CARRY; i++) {
        third = second;
        second = newest;
        newest = gate_add(newest, gate_word(gate, p->chars[i]));
        uint32_t sum = gate_sum(third);
        p->hits[hits] = (uint16_t)(i - GATE_AHEAD);
        p->scores[hits] = (uint16_t)sum;
        hits += sum >= gate->first;
    }
    p->sums[0] = newest;
    p->sums[1] = second;
    p->sums[2] = third;
    p->n_hits = hits;
    p->hit = 0;
}

/* Whether place i passes. What stands before the text does not. */
static bool judge(const struct gate_pass *p, size_t i, struct gate_hit *out)
{
    uint32_t grams[GATE_GRAMS], score = p->scores[i], place = p->hits[i];
    int32_t sum = 0;
    out->at = p->starts[place];
    if (out->at == STR_NPOS)
        return false;
    out->watched = score & GATE_WATCHED;
    out->begins = (score & (GATE_WATCHED - 1)) >= p->gate->first;
    if (out->begins) {
        gate_grams(p->chars + place, grams);
        for (size_t k = 0; k < GATE_GRAMS; k++)
            sum += p->gate->grams[grams[k]];
        out->begins = sum >= p->gate->second;
    }
    return out->begins || out->watched;
}

bool gate_next(struct gate_pass *pass, struct gate_hit *out)
{
    for (;;) {
        while (pass->hit < pass->n_hits)
            if (judge(pass, pass->hit++, out))
                return true;
        if (!fill(pass))
            return false;
        look(pass);
    }
}

/* ---- words ---- */

bool gate_words(struct gate *gate, const uint16_t *chars, const uint16_t *weights, size_t n)
{
    size_t all = 65536;
    gate->words = malloc(all * sizeof *gate->words);
    if (!gate->words)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t word = 0;
        for (unsigned k = 0; k < GATE_ROLES; k++) /* place -2 in the highest lane */
            word |= (uint64_t)weights[i * GATE_ROLES + k] << (GATE_LANE * (GATE_ROLES - 1 - k));
        for (size_t c = 0; !i && c < all; c++)
            gate->words[c] = word;
        if (i)
            gate->words[chars[i]] = word;
    }
    return true;
}

void gate_watch(struct gate *gate, uint16_t c)
{
    gate->words[c] |= (uint64_t)GATE_WATCHED << (GATE_LANE * 2);
}

/* ---- reading: limits, characters and weights, watched ones, n-grams, checksum ---- */

static uint32_t get(const unsigned char *p, size_t n)
{
    uint32_t value = 0;
    for (size_t i = n; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

#define HEAD     24 /* sign, limits, counts */
#define ONE_CHAR (2 + 2 * GATE_ROLES)
#define N_GRAMS  ((size_t)1 << GATE_BITS)

static enum err read_chars(const unsigned char *p, size_t n, struct gate *gate, struct why *why)
{
    uint16_t *chars = malloc(n * sizeof *chars),
             *weights = malloc(n * GATE_ROLES * sizeof *weights);
    bool bad = false, held = chars && weights;
    for (size_t i = 0; held && i < n; i++, p += ONE_CHAR) {
        chars[i] = (uint16_t)get(p, 2);
        for (size_t k = 0; k < GATE_ROLES; k++) {
            weights[i * GATE_ROLES + k] = (uint16_t)get(p + 2 + 2 * k, 2);
            bad = bad || weights[i * GATE_ROLES + k] > GATE_MOST;
        }
    }
    held = held && (bad || gate_words(gate, chars, weights, n));
    free(chars);
    free(weights);
    if (!held)
        return err_set(why, ERR_NO_MEMORY, "could not hold the gate");
    return bad ? err_set(why, ERR_CORRUPT, "a weight of the gate is out of range") : ERR_OK;
}

static enum err read_body(struct str bytes, struct gate *gate, struct why *why)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    size_t n = get(p + 16, 4), n_watch = get(p + 20, 4);
    gate->first = get(p + 8, 4);
    gate->second = (int32_t)get(p + 12, 4);
    if (n < 1 || n > GATE_CHARS + 1 || n_watch > GATE_WATCH || gate->first < 1 ||
        gate->first > GATE_WATCHED || bytes.len != HEAD + n * ONE_CHAR + 2 * n_watch + N_GRAMS + 8)
        return err_set(why, ERR_CORRUPT, "the file is not a whole gate");
    enum err err = read_chars(p + HEAD, n, gate, why);
    p += HEAD + n * ONE_CHAR;
    for (size_t i = 0; !err && i < n_watch; i++, p += 2)
        gate_watch(gate, (uint16_t)get(p, 2));
    gate->grams = err ? NULL : malloc(N_GRAMS);
    if (!err && !gate->grams)
        return err_set(why, ERR_NO_MEMORY, "could not hold the gate");
    if (!err)
        memcpy(gate->grams, p, N_GRAMS);
    return err;
}

enum err gate_read(struct str bytes, struct gate **out, struct why *why)
{
    uint64_t sum = 0;
    if (bytes.len > HEAD + 8)
        memcpy(&sum, bytes.ptr + bytes.len - 8, 8);
    if (bytes.len <= HEAD + 8 || memcmp(bytes.ptr, "YCGATE1\n", 8) != 0 ||
        sum != hash64(bytes.ptr, bytes.len - 8, 1))
        return err_set(why, ERR_CORRUPT, "the file is not a whole gate");
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return err_set(why, ERR_NO_MEMORY, "could not hold the gate");
    enum err err = read_body(bytes, gate, why);
    if (err) {
        gate_free(gate);
        return err;
    }
    *out = gate;
    return ERR_OK;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    free(gate->words);
    free(gate->grams);
    free(gate);
}
