/*
 * Byte pairs: within each word the pair of the best rank is merged until none has a rank.
 *
 * Pieces are numbers: tokens, and beside them what merges name without its being a token. Short
 * words (nearly all) are merged by looking over all pairs; long ones with a heap, so that a text
 * without blanks stays n log n.
 */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "engine/vocab_in.h"

#define SHORT                                                                                      \
    48 /* symbols up to which looking over all beats a heap: measured with bench_vocab             \
        */
#define CHUNK   32768 /* bytes of text at a time, so that the scratch stays in the cache */
#define NO_RANK UINT32_MAX

static const struct merge *find_merge(const struct vocab *v, int32_t left, int32_t right)
{
    static const struct merge none = {UINT64_MAX, NO_RANK, 0};
    if (left < 0 || right < 0)
        return &none;
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (size_t at = merge_slot(pair, v->merge_seed) & v->merge_mask;;
         at = (at + 1) & v->merge_mask) {
        const struct merge *m = &v->merges[at];
        if (m->pair == pair)
            return m;
        if (m->pair == UINT64_MAX)
            return &none;
    }
}

/* Symbols in a row: piece and the rank of the pair with the one behind. */
static size_t merge_short(const struct vocab *v, int32_t *pieces, size_t n)
{
    uint32_t ranks[SHORT];
    for (size_t i = 0; i + 1 < n; i++)
        ranks[i] = find_merge(v, pieces[i], pieces[i + 1])->rank;
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (ranks[i] < ranks[best])
                best = i;
        if (ranks[best] == NO_RANK)
            break;
        pieces[best] = (int32_t)find_merge(v, pieces[best], pieces[best + 1])->result;
        n--;
        memmove(&pieces[best + 1], &pieces[best + 2], (n - best - 1) * sizeof *pieces);
        if (best + 1 < n)
            memmove(&ranks[best + 1], &ranks[best + 2], (n - best - 2) * sizeof *ranks);
        if (best > 0)
            ranks[best - 1] = find_merge(v, pieces[best - 1], pieces[best])->rank;
        if (best + 1 < n)
            ranks[best] = find_merge(v, pieces[best], pieces[best + 1])->rank;
    }
    return n;
}

struct symbol {
    int32_t piece; /* NO_TOKEN: merged away */
    uint32_t prev, next;
};
struct pair {
    uint32_t rank, left;
    int32_t a, b; /* pieces when it was seen: another since means that it is old */
};
struct heap {
    struct pair *items;
    size_t n;
};
#define END UINT32_MAX

static bool before(const struct pair *x, const struct pair *y)
{
    return x->rank != y->rank ? x->rank < y->rank : x->left < y->left;
}

static void heap_push(struct heap *h, struct pair pair)
{
    size_t i = h->n++;
    for (; i && before(&pair, &h->items[(i - 1) / 2]); i = (i - 1) / 2)
        h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = pair;
}

static struct pair heap_pop(struct heap *h)
{
    struct pair top = h->items[0], last = h->items[--h->n];
    size_t i = 0;
    for (size_t child = 1; child < h->n; child = 2 * i + 1) {
        if (child + 1 < h->n && before(&h->items[child + 1], &h->items[child]))
            child++;
        if (!before(&h->items[child], &last))
            break;
        h->items[i] = h->items[child];
        i = child;
    }
    h->items[i] = last;
    return top;
}

static void see_pair(const struct vocab *v, const struct symbol *s, uint32_t left,
                     struct heap *heap)
{
    if (left == END || s[left].next == END)
        return;
    int32_t a = s[left].piece, b = s[s[left].next].piece;
    uint32_t rank = find_merge(v, a, b)->rank;
    if (rank != NO_RANK)
        heap_push(heap, (struct pair){rank, left, a, b});
}

/* Each merge brings at most two new pairs, so that 3 n places are enough. */
static size_t merge_long(const struct vocab *v, int32_t *pieces, size_t n, struct arena *arena,
                         bool *failed)
{
    struct symbol *s = arena_array(arena, struct symbol, n);
    struct heap heap = {arena_array(arena, struct pair, 3 * n), 0};
    if (!s || !heap.items) {
        *failed = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        s[i] = (struct symbol){pieces[i], i ? (uint32_t)i - 1 : END,
                               i + 1 < n ? (uint32_t)i + 1 : END};
    for (size_t i = 0; i < n; i++)
        see_pair(v, s, (uint32_t)i, &heap);
    while (heap.n) {
        struct pair p = heap_pop(&heap);
        uint32_t right = s[p.left].next;
        if (s[p.left].piece != p.a || right == END || s[right].piece != p.b)
            continue;
        s[p.left].piece = (int32_t)find_merge(v, p.a, p.b)->result;
        s[p.left].next = s[right].next;
        s[right].piece = NO_TOKEN;
        if (s[right].next != END)
            s[s[right].next].prev = p.left;
        see_pair(v, s, s[p.left].prev, &heap);
        see_pair(v, s, p.left, &heap);
    }
    size_t left = 0;
    for (uint32_t i = 0; i != END; i = s[i].next)
        pieces[left++] = s[i].piece;
    return left;
}

/* A piece that is no token is written by its bytes, as far as there are tokens for them. */
static void put_piece(const struct vocab *v, int32_t piece, struct str text, struct out *out)
{
    if (piece >= 0 && (size_t)piece < v->n) {
        vocab_out_add(out, piece);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        int32_t id = v->bytes[byte];
        if (vocab_pre_bytes(
                v->pre)) /* the library finds only those that are written as themselves */
            id = byte > ' ' && byte < 0x7F && (size_t)v->byte_piece[byte] < v->n
                     ? v->byte_piece[byte]
                     : NO_TOKEN;
        if (id != NO_TOKEN)
            vocab_out_add(out, id);
    }
}

static size_t first_pieces(const struct vocab *v, struct str word, int32_t *pieces)
{
    size_t n = 0;
    if (vocab_pre_bytes(v->pre)) {
        for (; n < word.len; n++)
            pieces[n] = v->byte_piece[(uint8_t)word.ptr[n]];
        return n;
    }
    for (size_t at = 0; at < word.len;) {
        size_t len = vocab_lead_bytes((uint8_t)word.ptr[at]);
        len = len < word.len - at ? len : word.len - at;
        pieces[n++] = vocab_strtab_find(&v->raw, (struct str){word.ptr + at, len});
        at += len;
    }
    return n;
}

/* The bytes of pieces follow one another; a piece that nobody knows is one character of UTF-8. */
static void put_word(const struct vocab *v, struct str word, const int32_t *pieces, size_t n,
                     struct out *out)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len =
            pieces[i] >= 0 ? v->raw.items[pieces[i]].len : vocab_lead_bytes((uint8_t)word.ptr[at]);
        put_piece(v, pieces[i], str_slice(word, at, at + len), out);
        at += len;
    }
}

/*
 * A run of characters that is a token is not always what merging gives: remembered for each token
 * when it is first seen (any thread may find out; all find the same).
 */
static void encode_run(const struct vocab *v, struct str run, int32_t *pieces,
                       struct arena *scratch, struct out *out)
{
    int32_t token = vocab_strtab_find(&v->raw, run);
    if ((size_t)token >= v->n) /* NO_TOKEN too */
        token = NO_TOKEN;
    uint8_t known =
        token == NO_TOKEN ? WHOLE_NO : atomic_load_explicit(&v->whole[token], memory_order_relaxed);
    if (known == WHOLE_YES) {
        vocab_out_add(out, token);
        return;
    }
    size_t n = first_pieces(v, run, pieces);
    n = n <= SHORT ? merge_short(v, pieces, n) : merge_long(v, pieces, n, scratch, &out->failed);
    if (known == WHOLE_UNKNOWN && !out->failed)
        atomic_store_explicit(&v->whole[token], n == 1 && pieces[0] == token ? WHOLE_YES : WHOLE_NO,
                              memory_order_relaxed);
    put_word(v, run, pieces, n, out);
}

/* The word in runs that no token crosses: with Chinese text, one to four characters each. */
static void encode_word(const struct vocab *v, struct str word, int32_t *pieces,
                        struct arena *scratch, struct out *out)
{
    bool bytes = vocab_pre_bytes(v->pre), lines = !bytes && word.ptr[0] == '\n';
    int32_t whole = v->ignore_merges || lines ? vocab_strtab_find(&v->raw, word) : NO_TOKEN;
    if (whole != NO_TOKEN && (size_t)whole < v->n) {
        vocab_out_add(out, whole);
        return;
    }
    size_t start = 0, at = 0;
    uint32_t last = utf8_next(word, &at);
    while (at < word.len) {
        size_t here = at;
        uint32_t c = utf8_next(word, &at);
        if ((bytes && c < 0x80 && last < 0x80) ||
            vocab_crosses(v, last, c, (uint8_t)word.ptr[here - 1], (uint8_t)word.ptr[here])) {
            last = c;
            continue;
        }
        encode_run(v, str_slice(word, start, here), pieces, scratch, out);
        start = here;
        last = c;
    }
    encode_run(v, str_from(word, start), pieces, scratch, out);
}

static void encode_chunk(const struct vocab *v, struct str text, struct arena *scratch,
                         struct out *out)
{
    struct words words;
    int32_t *pieces = NULL;
    size_t longest = 0, start = 0;
    if (v->escape)
        text = vocab_escape(text, scratch);
    if (!text.ptr || !vocab_pre_split(v->pre, text, scratch, &words)) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < words.n; start = words.ends[i++])
        longest = words.ends[i] - start > longest ? words.ends[i] - start : longest;
    pieces = arena_array(scratch, int32_t, longest + 1);
    out->failed |= !pieces;
    start = 0;
    for (size_t i = 0; i < words.n && !out->failed; start = words.ends[i++])
        encode_word(v, str_slice(text, start, words.ends[i]), pieces, scratch, out);
}

/*
 * Where a text may be cut without any rule noticing: behind a line feed that has no blank before it
 * and a letter or number behind it. Every family ends a word there: no rule takes a line feed
 * and a letter together, and a single blank is the same word before a text's end and before a
 * letter.
 */
static bool may_cut(struct str text, size_t at)
{
    if (text.ptr[at - 1] != '\n' || at < 2)
        return false;
    size_t before_at = utf8_prev(text, at - 1), behind = at;
    uint32_t before_char = utf8_next(text, &before_at), next = utf8_next(text, &behind);
    return !(vocab_unicode_class(before_char) & CLASS_SPACE) &&
           (vocab_unicode_class(next) & (CLASS_LETTER | CLASS_NUMBER)) != 0;
}

static size_t chunk_end(struct str text, size_t start)
{
    for (size_t at = start + CHUNK; at < text.len; at++) {
        const char *line = memchr(text.ptr + at - 1, '\n', text.len - at);
        if (!line)
            break;
        at = (size_t)(line - text.ptr) + 1;
        if (may_cut(text, at))
            return at;
    }
    return text.len;
}

void vocab_bpe_encode(const struct vocab *v, struct str text, struct out *out)
{
    struct arena *scratch = arena_new(arena_limit(out->arena));
    out->failed |= !scratch;
    for (size_t start = 0; start < text.len && !out->failed;) {
        size_t end = chunk_end(text, start);
        encode_chunk(v, str_slice(text, start, end), scratch, out);
        arena_reset(scratch);
        start = end;
    }
    arena_free(scratch);
}
