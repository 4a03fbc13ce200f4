/*
 * What tokens write, which pairs are merged to what, and where no token can cross.
 */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "engine/gguf.h"
#include "engine/vocab_in.h"

#define SCRATCH_LIMIT ((size_t)1 << 30)

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "no memory for a vocabulary");
}

/* The bytes that a text in GPT-2's writing stands for, at `to`; false when some character stands
 * for none. */
static bool unwrite(const int16_t *byte_of_char, struct str s, char *to, struct str *out)
{
    size_t n = 0;
    for (size_t at = 0; at < s.len;) {
        uint32_t c = utf8_next(s, &at);
        if (c >= 512 || byte_of_char[c] < 0)
            return false;
        to[n++] = (char)byte_of_char[c];
    }
    *out = (struct str){to, n};
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static bool byte_of(struct str text, char *out)
{
    if (text.len != 6 || memcmp(text.ptr, "<0x", 3) != 0 || hex_digit(text.ptr[3]) < 0 ||
        hex_digit(text.ptr[4]) < 0)
        return false;
    *out = (char)(hex_digit(text.ptr[3]) * 16 + hex_digit(text.ptr[4]));
    return true;
}

static struct str unescape(struct str s, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.len - i >= 3 && memcmp(s.ptr + i, "\xE2\x96\x81", 3) == 0) {
            to[n++] = ' ';
            i += 2;
        } else {
            to[n++] = s.ptr[i];
        }
    }
    return (struct str){to, n};
}

/* The library writes control, unknown and user tokens as they stand, normal ones translated, bytes
 * as such, and nothing for the rest. */
static struct str piece_of_token(uint8_t attr, struct str text, const int16_t *byte_of_char,
                                 char *to)
{
    struct str piece = text;
    if (attr & (ATTR_UNKNOWN | ATTR_CONTROL | ATTR_USER))
        return text;
    if (attr & ATTR_NORMAL)
        return !byte_of_char                             ? unescape(text, to)
               : unwrite(byte_of_char, text, to, &piece) ? piece
                                                         : text;
    return (attr & ATTR_BYTE) && byte_of(text, to) ? (struct str){to, 1} : STR("");
}

enum err vocab_load_pieces(struct vocab *v, const int16_t *byte_of_char, struct why *why)
{
    size_t total = 0;
    for (size_t i = 0; i < v->n; i++)
        total += v->texts.items[i].len;
    char *to = arena_bytes(v->arena, total + 1);
    if (!to)
        return no_memory(why);
    for (size_t i = 0; i < v->n; i++) {
        v->pieces[i] = piece_of_token(v->attrs[i], v->texts.items[i], byte_of_char, to);
        to += v->pieces[i].ptr == to ? v->pieces[i].len : 0;
    }
    return ERR_OK;
}

/* ---- merges ---- */

struct loader {
    struct vocab *v;
    const int16_t *byte_of_char; /* NULL: texts are the bytes */
    char *text;                  /* room for one text */
    bool failed;
};

/* The number of the piece that a text stands for, made when missing; NO_TOKEN when it stands for
 * none. */
static int32_t piece_number(struct loader *l, struct str text)
{
    struct str bytes = text;
    bool made = false;
    if (!text.len || (l->byte_of_char && !unwrite(l->byte_of_char, text, l->text, &bytes)))
        return NO_TOKEN;
    int32_t piece = vocab_strtab_find(&l->v->raw, bytes);
    if (piece != NO_TOKEN)
        return piece;
    bytes = str_copy(l->v->arena, bytes);
    piece = bytes.ptr ? vocab_strtab_put(&l->v->raw, l->v->arena, bytes, &made) : NO_TOKEN;
    l->failed |= piece == NO_TOKEN;
    return piece;
}

/* Tokens keep their numbers; one that no bytes can give has no text here. */
static bool put_tokens(struct loader *l)
{
    struct vocab *v = l->v;
    if (!vocab_strtab_init(&v->raw, v->arena, v->n + 1024))
        return false;
    for (size_t i = 0; i < v->n; i++) {
        struct str bytes = v->texts.items[i];
        if (l->byte_of_char && !unwrite(l->byte_of_char, v->texts.items[i], l->text, &bytes))
            continue;
        if (str_eq(bytes, v->pieces[i]))
            bytes = v->pieces[i];
        else if (bytes.ptr == l->text)
            bytes = str_copy(v->arena, bytes);
        if (!bytes.ptr)
            return false;
        (void)vocab_strtab_put_at(&v->raw, bytes, i);
    }
    v->raw.n = v->n;
    for (int byte = 0; byte < 256; byte++) {
        char one = (char)byte;
        bool made;
        struct str text = str_copy(v->arena, (struct str){&one, 1});
        v->byte_piece[byte] =
            text.ptr ? vocab_strtab_put(&v->raw, v->arena, text, &made) : NO_TOKEN;
        l->failed |= v->byte_piece[byte] == NO_TOKEN;
    }
    return !l->failed;
}

static bool init_merges(struct vocab *v, size_t n)
{
    size_t slots = 16;
    while (slots < n + n / 2)
        slots *= 2;
    v->merges = arena_array(v->arena, struct merge, slots);
    v->merge_mask = slots - 1;
    random_bytes(&v->merge_seed, sizeof v->merge_seed);
    for (size_t i = 0; v->merges && i < slots; i++)
        v->merges[i].pair = UINT64_MAX;
    return v->merges != NULL;
}

static void put_merge(struct vocab *v, int32_t left, int32_t right, uint32_t rank, uint32_t result)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t at = merge_slot(pair, v->merge_seed) & v->merge_mask;
    while (v->merges[at].pair != UINT64_MAX && v->merges[at].pair != pair)
        at = (at + 1) & v->merge_mask;
    if (v->merges[at].pair == UINT64_MAX) /* the first of two equal ones counts */
        v->merges[at] = (struct merge){pair, rank, result};
}

static void load_merge(struct loader *l, struct str s, char *join, uint32_t rank)
{
    size_t blank = s.len > 1 ? str_find_from(s, STR(" "), 1) : STR_NPOS;
    if (blank == STR_NPOS || s.len > VOCAB_MOST_BYTES)
        return;
    struct str a = str_slice(s, 0, blank), b = str_from(s, blank + 1);
    memcpy(join, a.ptr, a.len);
    memcpy(join + a.len, b.ptr, b.len);
    int32_t left = piece_number(l, a), right = piece_number(l, b);
    if (left == NO_TOKEN || right == NO_TOKEN)
        return;
    int32_t result = piece_number(l, (struct str){join, a.len + b.len});
    if (result != NO_TOKEN)
        put_merge(l->v, left, right, rank, (uint32_t)result);
}

enum err vocab_load_merges(struct vocab *v, const struct gguf *gguf, const int16_t *byte_of_char,
                           struct why *why)
{
    const struct gguf_value *merges = gguf_find(gguf, "tokenizer.ggml.merges");
    char text[VOCAB_MOST_BYTES + 8], join[VOCAB_MOST_BYTES + 8];
    struct loader l = {v, byte_of_char, text, false};
    struct str s;
    size_t at = 0;
    if (!merges || merges->kind != GGUF_KIND_ARRAY || merges->of != GGUF_KIND_STR)
        return err_set(why, ERR_INVALID, "the vocabulary has no merges");
    if (merges->n > VOCAB_MOST_TOKENS)
        return err_set(why, ERR_INVALID, "the vocabulary has %llu merges, more than %d",
                       (unsigned long long)merges->n, VOCAB_MOST_TOKENS);
    if (!init_merges(v, (size_t)merges->n) || !put_tokens(&l))
        return no_memory(why);
    for (uint32_t rank = 0; gguf_next_str(merges, &at, &s); rank++)
        load_merge(&l, s, join, rank);
    v->whole = arena_alloc(v->arena, v->n);
    return l.failed || !v->whole ? no_memory(why) : ERR_OK;
}

/* ---- where no token can cross ---- */

/*
 * For every place between two characters inside a piece: whole characters on both sides go into the
 * table of pairs; where one is cut, all pairs with these two bytes at the place are given up
 * (`ragged`): that is rare. What is then in neither table is certain to have no piece across.
 */
static void mark_inside(struct vocab *v, struct str s, bool bytes)
{
    for (size_t i = 1; i < s.len; i++) {
        uint8_t x = (uint8_t)s.ptr[i - 1], y = (uint8_t)s.ptr[i];
        if ((y & 0xC0) == 0x80 || (bytes && x < 0x80 && y < 0x80))
            continue;
        size_t start = i - 1, behind = i, again;
        while (start > 0 && ((uint8_t)s.ptr[start] & 0xC0) == 0x80)
            start--;
        again = start;
        uint32_t a = utf8_next(s, &again), b = utf8_next(s, &behind);
        if (again != i || a == UTF8_BAD || b == UTF8_BAD) {
            v->ragged[x][y / 64] |= (uint64_t)1 << y % 64;
            continue;
        }
        uint32_t bit = inside_bit(a, b);
        v->inside[bit / 64] |= (uint64_t)1 << bit % 64;
    }
}

enum err vocab_load_inside(struct vocab *v, struct why *why)
{
    bool bytes = v->kind == VOCAB_BPE && !v->escape;
    const struct strtab *tab = v->kind == VOCAB_BPE ? &v->raw : &v->texts;
    v->inside = arena_array(v->arena, uint64_t, INSIDE_BITS / 64);
    if (!v->inside)
        return no_memory(why);
    for (size_t i = 0; i < tab->n; i++)
        if (tab->items[i].ptr)
            mark_inside(v, tab->items[i], bytes);
    return ERR_OK;
}

bool vocab_crosses(const struct vocab *v, uint32_t a, uint32_t b, uint8_t x, uint8_t y)
{
    uint32_t bit = inside_bit(a, b);
    return a == UTF8_BAD || b == UTF8_BAD || (v->inside[bit / 64] >> bit % 64 & 1) ||
           (v->ragged[x][y / 64] >> y % 64 & 1);
}
