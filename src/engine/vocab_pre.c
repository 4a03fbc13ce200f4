/* The families of vocab_pre.def, and the cutting of a text into words. */
#include "core/arena.h"
#include "core/utf8.h"
#include "engine/vocab_in.h"
#include "engine/vocab_rule.h"

#define MOST_RULES 8

enum { CLEAN = 1, WHOLE = 2, BOS = 4, NO_BOS = 8, UTF8 = 16 };

#define RULES(name, ...) static const char *const rules_##name[] = {__VA_ARGS__, NULL};
#define PRE(name, family, flags)
#include "engine/vocab_pre.def"
#undef RULES
#undef PRE

static const struct family {
    const char *name;
    const char *const *rules;
    unsigned flags;
} families[] = {
#define RULES(name, ...)
#define PRE(name, family, flags) {name, rules_##family, flags},
#include "engine/vocab_pre.def"
#undef RULES
#undef PRE
};
#define N_FAMILIES (sizeof families / sizeof families[0])

struct pre {
    const struct rule *rules[MOST_RULES];
    size_t n;
    unsigned flags;
};

static const struct family *find(struct str name)
{
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (str_eq_c(name, families[i].name))
            return &families[i];
    return NULL;
}

enum err vocab_pre_open(struct str name, struct arena *arena, struct pre **out, struct why *why)
{
    const struct family *family = find(name);
    if (!family)
        return err_set(why, ERR_UNSUPPORTED, "the pre-tokenizer \"%.*s\" is not known",
                       STR_FMT(name));
    struct pre *pre = arena_one(arena, struct pre);
    if (!pre)
        return err_set(why, ERR_NO_MEMORY, "no memory for a vocabulary");
    pre->flags = family->flags;
    while (family->rules[pre->n]) {
        pre->rules[pre->n] = vocab_rule_compile(family->rules[pre->n], arena);
        if (!pre->rules[pre->n++])
            return err_set(why, ERR_NO_MEMORY, "no memory for a vocabulary");
    }
    *out = pre;
    return ERR_OK;
}

bool vocab_pre_ignore_merges(const struct pre *pre)
{
    return pre->flags & WHOLE;
}

bool vocab_pre_add_bos(const struct pre *pre)
{
    return pre->flags & BOS;
}

bool vocab_pre_clean(const struct pre *pre)
{
    return pre->flags & CLEAN;
}

bool vocab_pre_bytes(const struct pre *pre)
{
    return !(pre->flags & UTF8);
}

bool vocab_pre_no_bos(const struct pre *pre)
{
    return pre->flags & NO_BOS;
}

/* ---- cutting ---- */

struct text {
    struct chars chars;
    uint32_t *at; /* (n + 1) byte offsets */
};

static bool decode(struct str s, struct arena *arena, struct text *out)
{
    uint32_t *c = arena_array(arena, uint32_t, s.len + 1);
    uint32_t *offsets = arena_array(arena, uint32_t, s.len + 1);
    uint8_t *class = arena_array(arena, uint8_t, s.len + 1);
    size_t n = 0, at = 0;
    if (!c || !offsets || !class)
        return false;
    while (at < s.len) {
        offsets[n] = (uint32_t)at;
        c[n] = (unsigned char)s.ptr[at] < 128 ? (unsigned char)s.ptr[at++] : utf8_next(s, &at);
        if (c[n] >= 128) { /* properties of ASCII are in the sets themselves */
            class[n] = vocab_unicode_class(c[n]);
            if (class[n] & CLASS_SPACE)
                c[n] = 0x0B;
        }
        n++;
    }
    offsets[n] = (uint32_t)s.len;
    *out = (struct text){{c, class, n}, offsets};
    return true;
}

/* The parts [ends[i - 1], ends[i]) cut by one rule: matches, and what lies between them. */
static size_t cut(const struct rule *rule, const struct chars *chars, const uint32_t *ends,
                  size_t n, struct rule_stack *stack, uint32_t *out)
{
    size_t n_out = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t end = ends[i], gap = at;
        while (at < end) {
            size_t len = vocab_rule_match(rule, chars, at, end, stack);
            if (!len) {
                at++;
                continue;
            }
            if (gap < at)
                out[n_out++] = (uint32_t)at;
            at += len;
            out[n_out++] = (uint32_t)at;
            gap = at;
        }
        if (gap < end)
            out[n_out++] = (uint32_t)end;
    }
    return n_out;
}

bool vocab_pre_split(const struct pre *pre, struct str text, struct arena *arena, struct words *out)
{
    struct text t;
    struct rule_stack stack = {.arena = arena};
    if (!decode(text, arena, &t))
        return false;
    uint32_t *a = arena_array(arena, uint32_t, t.chars.n + 1),
             *b = arena_array(arena, uint32_t, t.chars.n + 1);
    if (!a || !b)
        return false;
    size_t n = t.chars.n > 0;
    a[0] = (uint32_t)t.chars.n;
    for (size_t i = 0; i < pre->n; i++) {
        uint32_t *swap = a;
        n = cut(pre->rules[i], &t.chars, a, n, &stack, b);
        a = b;
        b = swap;
    }
    for (size_t i = 0; i < n; i++)
        a[i] = t.at[a[i]];
    *out = (struct words){a, n};
    return !stack.failed;
}
