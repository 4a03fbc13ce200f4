/*
 * Sentencepiece merges: the two neighbours that together are the token of the highest score are
 * merged, until none are. Characters that are no token are written byte by byte.
 *
 * A merge never crosses a place where no token has the two characters side by side, so the text is
 * cut there first (vocab_crosses); what is left is short, and the work is linear in the text.
 */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "engine/vocab_in.h"

#define SHORT 32

struct symbol {
    uint32_t at, len; /* bytes; len 0: merged away */
    uint32_t prev, next;
};
struct pair {
    float score;
    uint32_t left, right, len;
};
#define END UINT32_MAX

struct run {
    const struct vocab *v;
    const char *text;
    struct symbol *s;
    struct pair *heap;
    size_t n_heap;
};

static bool before(const struct pair *x, const struct pair *y)
{
    return x->score > y->score || (x->score == y->score && x->left < y->left);
}

static void heap_push(struct run *r, struct pair pair)
{
    size_t i = r->n_heap++;
    for (; i && before(&pair, &r->heap[(i - 1) / 2]); i = (i - 1) / 2)
        r->heap[i] = r->heap[(i - 1) / 2];
    r->heap[i] = pair;
}

static struct pair heap_pop(struct run *r)
{
    struct pair top = r->heap[0], last = r->heap[--r->n_heap];
    size_t i = 0;
    for (size_t child = 1; child < r->n_heap; child = 2 * i + 1) {
        if (child + 1 < r->n_heap && before(&r->heap[child + 1], &r->heap[child]))
            child++;
        if (!before(&r->heap[child], &last))
            break;
        r->heap[i] = r->heap[child];
        i = child;
    }
    r->heap[i] = last;
    return top;
}

static void see_pair(struct run *r, uint32_t left, uint32_t right)
{
    if (left == END || right == END)
        return;
    uint32_t len = r->s[left].len + r->s[right].len;
    int32_t id = len <= r->v->longest
                     ? vocab_strtab_find(&r->v->texts, (struct str){r->text + r->s[left].at, len})
                     : NO_TOKEN;
    if (id != NO_TOKEN)
        heap_push(r, (struct pair){r->v->scores[id], left, right, len});
}

static void put_symbol(const struct vocab *v, struct str text, struct out *out)
{
    int32_t id = vocab_strtab_find(&v->texts, text);
    if (id != NO_TOKEN) {
        vocab_out_add(out, id);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        id = v->bytes[(uint8_t)text.ptr[i]];
        vocab_out_add(out, id != NO_TOKEN ? id : v->unk);
    }
}

static void merge_segment(struct run *r, size_t n, struct out *out)
{
    for (uint32_t i = 1; i < n; i++)
        see_pair(r, i - 1, i);
    while (r->n_heap) {
        struct pair p = heap_pop(r);
        struct symbol *left = &r->s[p.left], *right = &r->s[p.right];
        if (!left->len || !right->len || left->len + right->len != p.len)
            continue;
        left->len += right->len;
        right->len = 0;
        left->next = right->next;
        if (right->next != END)
            r->s[right->next].prev = p.left;
        see_pair(r, left->prev, p.left);
        see_pair(r, p.left, left->next);
    }
    for (uint32_t i = 0; i != END; i = r->s[i].next)
        put_symbol(r->v, (struct str){r->text + r->s[i].at, r->s[i].len}, out);
}

/* Characters as the library counts them; bytes that begin none are characters by themselves. */
static size_t next_char(struct str s, size_t at, uint32_t *c)
{
    size_t len = vocab_lead_bytes((uint8_t)s.ptr[at]), to = at;
    *c = utf8_next(s, &to);
    len = len < s.len - at ? len : s.len - at;
    return at + len;
}

static void encode_escaped(const struct vocab *v, struct str text, struct arena *scratch,
                           struct out *out)
{
    struct symbol few[SHORT] = {0};
    struct pair pairs[3 * SHORT] = {0};
    for (size_t start = 0; start < text.len && !out->failed;) {
        struct run r = {v, text.ptr, few, pairs, 0};
        uint32_t last, c = 0;
        size_t n = 1, end = next_char(text, start, &last);
        while (end < text.len) {
            size_t behind = next_char(text, end, &c);
            if (!vocab_crosses(v, last, c, (uint8_t)text.ptr[end - 1], (uint8_t)text.ptr[end]))
                break;
            end = behind;
            last = c;
            n++;
        }
        if (n > SHORT) {
            r.s = arena_array(scratch, struct symbol, n);
            r.heap = arena_array(scratch, struct pair, 3 * n);
        }
        if (!r.s || !r.heap) {
            out->failed = true;
            return;
        }
        size_t at = start;
        for (uint32_t i = 0; i < n; i++) {
            size_t behind = next_char(text, at, &c);
            r.s[i] = (struct symbol){(uint32_t)at, (uint32_t)(behind - at), i ? i - 1 : END,
                                     i + 1 < n ? i + 1 : END};
            at = behind;
        }
        merge_segment(&r, n, out);
        if (n > SHORT)
            arena_reset(scratch);
        start = end;
    }
}

void vocab_spm_encode(const struct vocab *v, struct str text, struct out *out)
{
    struct arena *scratch = arena_new(arena_limit(out->arena)),
                 *held = arena_new(arena_limit(out->arena));
    struct str escaped = scratch && held ? vocab_escape(text, held) : STR_NONE;
    if (escaped.ptr)
        encode_escaped(v, escaped, scratch, out);
    else
        out->failed = true;
    arena_free(scratch);
    arena_free(held);
}
