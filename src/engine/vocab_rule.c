#include "engine/vocab_rule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "engine/vocab_in.h"

#define MOST_OPS    256
#define MOST_SETS   96
#define MOST_RANGES 160
#define FOREVER     UINT16_MAX

struct set {
    uint64_t ascii[2]; /* bit c: the character c is in; negation is worked in */
    uint8_t classes;   /* of the others */
    bool negated;      /* of the others */
    uint16_t first, n; /* ranges beyond ASCII */
};

enum op_kind { OP_NONE, OP_SET, OP_LOOP, OP_SPLIT, OP_JUMP, OP_NOT_AHEAD, OP_END, OP_DONE };

struct op {
    uint8_t kind;
    uint16_t set;
    uint16_t least, most; /* OP_LOOP */
    uint16_t a, b;        /* OP_SPLIT: first a, then b; OP_JUMP: a */
};

struct rule {
    struct op ops[MOST_OPS];
    struct set sets[MOST_SETS];
    uint32_t ranges[MOST_RANGES][2];
    uint16_t n_ops, n_sets, n_ranges;
    uint64_t starts[2]; /* ASCII characters with which some alternative may begin */
};

/* ---- compiling; the rules are constants of ours, so that what is wrong is a bug ---- */

struct parser {
    struct rule *rule;
    const char *p;
};

static uint16_t emit(struct parser *s, struct op op)
{
    assert(s->rule->n_ops < MOST_OPS);
    s->rule->ops[s->rule->n_ops] = op;
    return s->rule->n_ops++;
}

static void add_range(struct parser *s, struct set *set, uint32_t from, uint32_t to)
{
    for (uint32_t c = from; c <= to && c < 128; c++)
        set->ascii[c / 64] |= (uint64_t)1 << c % 64;
    if (to < 128)
        return;
    assert(s->rule->n_ranges < MOST_RANGES);
    s->rule->ranges[s->rule->n_ranges][0] = from < 128 ? 128 : from;
    s->rule->ranges[s->rule->n_ranges++][1] = to;
    set->n++;
}

static void add_classes(struct set *set, uint8_t classes)
{
    set->classes |= classes;
    for (uint32_t c = 0; c < 128; c++)
        if (vocab_unicode_class(c) & classes)
            set->ascii[c / 64] |= (uint64_t)1 << c % 64;
}

static void drop_ascii(struct set *set, char from, char to)
{
    for (uint32_t c = (uint32_t)from; c <= (uint32_t)to; c++)
        set->ascii[c / 64] &= ~((uint64_t)1 << c % 64);
}

/* "\x" where it stands for one character; UINT32_MAX where it stands for a set, which it adds. */
static uint32_t escape(struct parser *s, struct set *set)
{
    static const char names[] = "LNPMS";
    static const uint8_t classes[] = {CLASS_LETTER, CLASS_NUMBER, CLASS_PUNCTUATION, CLASS_MARK,
                                      CLASS_SYMBOL};
    char c = *s->p++;
    char *end;
    switch (c) {
    case 'r':
        return '\r';
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'u': {
        uint32_t value = (uint32_t)strtoul(s->p + 1, &end, 16);
        s->p = end + 1;
        return value;
    }
    case 's':
        add_classes(set, CLASS_SPACE);
        return UINT32_MAX;
    case 'p':
        assert(s->p[0] == '{' && strchr(names, s->p[1]) && s->p[2] == '}');
        add_classes(set, classes[strchr(names, s->p[1]) - names]);
        s->p += 3;
        return UINT32_MAX;
    case 'U':
    case 'O':
    case 'V':
    case 'W':
        add_classes(set, c == 'V' || c == 'W' ? CLASS_LETTER | CLASS_MARK : CLASS_LETTER);
        drop_ascii(set, c == 'U' || c == 'V' ? 'a' : 'A', c == 'U' || c == 'V' ? 'z' : 'Z');
        return UINT32_MAX;
    default:
        return (unsigned char)c;
    }
}

static uint32_t one_char(struct parser *s, struct set *set)
{
    if (*s->p != '\\')
        return (unsigned char)*s->p++;
    s->p++;
    return escape(s, set);
}

static uint16_t parse_set(struct parser *s)
{
    struct rule *r = s->rule;
    assert(r->n_sets < MOST_SETS);
    struct set *set = &r->sets[r->n_sets];
    *set = (struct set){.first = r->n_ranges};
    bool list = *s->p == '[', negated = list && s->p[1] == '^';
    s->p += list + negated;
    if (strncmp(s->p, "\\S", 2) == 0) { /* only by itself */
        s->p += 2;
        add_classes(set, CLASS_SPACE);
        negated = true;
    } else if (!list) {
        uint32_t c = one_char(s, set);
        if (c != UINT32_MAX)
            add_range(s, set, c, c);
    }
    while (list && *s->p != ']') {
        uint32_t from = one_char(s, set), to = from;
        if (from == UINT32_MAX)
            continue;
        if (s->p[0] == '-' && s->p[1] != ']') {
            s->p++;
            to = one_char(s, set);
        }
        add_range(s, set, from, to);
    }
    s->p += list;
    if (negated) {
        set->ascii[0] = ~set->ascii[0];
        set->ascii[1] = ~set->ascii[1];
        set->negated = true;
    }
    return r->n_sets++;
}

static void parse_any(struct parser *s);

/* The counts behind a set or a group: 1, 1 when there are none. */
static void parse_counts(struct parser *s, uint16_t *least, uint16_t *most)
{
    char *end;
    *least = *most = 1;
    if (*s->p == '{') {
        *least = *most = (uint16_t)strtoul(s->p + 1, &end, 10);
        if (*end == ',')
            *most = (uint16_t)strtoul(end + 1, &end, 10);
        assert(*end == '}');
        s->p = end + 1;
        return;
    }
    if (*s->p == '?' || *s->p == '*')
        *least = 0;
    if (*s->p == '+' || *s->p == '*')
        *most = FOREVER;
    s->p += *s->p == '?' || *s->p == '*' || *s->p == '+';
}

/* A group keeps a place before it, for the choice whether to enter it at all. */
static void parse_group(struct parser *s)
{
    uint16_t least, most, before = emit(s, (struct op){.kind = OP_NONE});
    parse_any(s);
    assert(*s->p == ')');
    s->p++;
    parse_counts(s, &least, &most);
    if (most == FOREVER) {
        uint16_t again = emit(s, (struct op){.kind = OP_SPLIT, .a = (uint16_t)(before + 1)});
        s->rule->ops[again].b = s->rule->n_ops;
    }
    if (least == 0)
        s->rule->ops[before] =
            (struct op){.kind = OP_SPLIT, .a = (uint16_t)(before + 1), .b = s->rule->n_ops};
}

static void parse_item(struct parser *s)
{
    uint16_t least, most;
    if (strncmp(s->p, "(?!", 3) == 0) {
        s->p += 3;
        uint16_t set = parse_set(s);
        assert(*s->p == ')');
        s->p++;
        emit(s, (struct op){.kind = OP_NOT_AHEAD, .set = set});
    } else if (*s->p == '(') {
        s->p += strncmp(s->p, "(?:", 3) == 0 ? 3 : 1;
        parse_group(s);
    } else if (*s->p == '$') {
        s->p++;
        emit(s, (struct op){.kind = OP_END});
    } else {
        uint16_t set = parse_set(s);
        parse_counts(s, &least, &most);
        emit(s, (struct op){.kind = least == 1 && most == 1 ? OP_SET : OP_LOOP,
                            .set = set,
                            .least = least,
                            .most = most});
    }
}

/* Alternatives: SPLIT to the first or the rest; behind each a JUMP to the end of all. */
static void parse_any(struct parser *s)
{
    uint16_t jumps[32], n = 0;
    for (;;) {
        uint16_t split = emit(s, (struct op){.kind = OP_NONE});
        while (*s->p && *s->p != '|' && *s->p != ')')
            parse_item(s);
        if (*s->p != '|')
            break;
        s->p++;
        assert(n < 32);
        jumps[n++] = emit(s, (struct op){.kind = OP_JUMP});
        s->rule->ops[split] =
            (struct op){.kind = OP_SPLIT, .a = (uint16_t)(split + 1), .b = s->rule->n_ops};
    }
    while (n)
        s->rule->ops[jumps[--n]].a = s->rule->n_ops;
}

/* Which ASCII characters may come first, so that most places are passed with one look. */
static void find_starts(struct rule *r, uint16_t pc, int depth)
{
    const struct op *op = &r->ops[pc];
    switch (op->kind) {
    case OP_NONE:
        find_starts(r, (uint16_t)(pc + 1), depth + 1);
        return;
    case OP_JUMP:
        find_starts(r, op->a, depth + 1);
        return;
    case OP_SPLIT:
        find_starts(r, op->a, depth + 1);
        find_starts(r, op->b, depth + 1);
        return;
    case OP_SET:
    case OP_LOOP:
        r->starts[0] |= r->sets[op->set].ascii[0];
        r->starts[1] |= r->sets[op->set].ascii[1];
        if (op->kind == OP_LOOP && op->least == 0)
            find_starts(r, (uint16_t)(pc + 1), depth + 1);
        return;
    default:
        r->starts[0] = r->starts[1] = UINT64_MAX;
        return;
    }
}

const struct rule *vocab_rule_compile(const char *text, struct arena *arena)
{
    struct rule *rule = arena_one(arena, struct rule);
    if (!rule)
        return NULL;
    struct parser s = {rule, text};
    parse_any(&s);
    assert(*s.p == '\0');
    emit(&s, (struct op){.kind = OP_DONE});
    find_starts(rule, 0, 0);
    return rule;
}

/* ---- matching ---- */

struct rule_frame {
    size_t at;    /* where to go on */
    size_t least; /* of a loop: not before this place; == at: only once */
    uint16_t pc;
};

static bool in_set(const struct rule *r, const struct set *set, uint32_t c, uint8_t class)
{
    if (c < 128)
        return set->ascii[c / 64] >> c % 64 & 1;
    bool in = (class & set->classes) != 0;
    for (uint16_t i = 0; i < set->n && !in; i++)
        in = c >= r->ranges[set->first + i][0] && c <= r->ranges[set->first + i][1];
    return in != set->negated;
}

static bool push(struct rule_stack *stack, size_t n, struct rule_frame frame)
{
    if (n == stack->cap) {
        size_t cap = stack->cap ? stack->cap * 2 : 64;
        struct rule_frame *frames = arena_grow(stack->arena, stack->frames,
                                               stack->cap * sizeof *frames, cap * sizeof *frames);
        if (!frames) {
            stack->failed = true;
            return false;
        }
        stack->frames = frames;
        stack->cap = cap;
    }
    stack->frames[n] = frame;
    return true;
}

/* The place behind as many characters of the set as the loop takes; at - 1 when they are too few.
 */
static size_t run_loop(const struct rule *r, const struct op *op, const struct chars *t, size_t at,
                       size_t end)
{
    const struct set *set = &r->sets[op->set];
    size_t stop = op->most == FOREVER || end - at < op->most ? end : at + op->most, to = at;
    while (to < stop && in_set(r, set, t->c[to], t->class[to]))
        to++;
    return to;
}

size_t vocab_rule_match(const struct rule *r, const struct chars *t, size_t start, size_t end,
                        struct rule_stack *stack)
{
    size_t n = 0, at = start, to;
    uint16_t pc = 0;
    uint32_t c = t->c[start];
    if (c < 128 && !(r->starts[c / 64] >> c % 64 & 1))
        return 0;
    for (;;) {
        const struct op *op = &r->ops[pc];
        bool good = true;
        switch (op->kind) {
        case OP_NONE:
            pc++;
            break;
        case OP_JUMP:
            pc = op->a;
            break;
        case OP_SPLIT:
            good = push(stack, n++, (struct rule_frame){at, at, op->b});
            pc = op->a;
            break;
        case OP_SET:
            good = at < end && in_set(r, &r->sets[op->set], t->c[at], t->class[at]);
            at++;
            pc++;
            break;
        case OP_LOOP:
            to = run_loop(r, op, t, at, end);
            good = to - at >= op->least;
            pc++;
            if (good && to > at + op->least)
                good = push(stack, n++, (struct rule_frame){to, at + op->least, pc});
            at = to;
            break;
        case OP_NOT_AHEAD:
            good = at == end || !in_set(r, &r->sets[op->set], t->c[at], t->class[at]);
            pc++;
            break;
        case OP_END:
            good = at == end;
            pc++;
            break;
        default:
            return at - start;
        }
        if (good)
            continue;
        if (n == 0 || stack->failed)
            return 0;
        struct rule_frame *top = &stack->frames[n - 1];
        pc = top->pc;
        at = top->at;
        if (top->at == top->least) { /* a choice, used up */
            n--;
            continue;
        }
        at = --top->at; /* a loop: one character less */
        if (top->at == top->least)
            n--;
    }
}
