/*
 * engine/vocab_rule - small regular expressions over characters, for the pre-tokenizers.
 *
 * Just what vocab_pre.def needs, so that a family of tokenizers is a line of text and not a
 * function: first alternative wins, greedy, back-tracking (as ECMAScript). Rules are ours, texts
 * are anybody's: matching takes time in proportion to the text for every rule of the list.
 */
#ifndef ENGINE_VOCAB_RULE_H
#define ENGINE_VOCAB_RULE_H

#include "core/str.h"

struct arena;
struct rule;

/* A text as its characters. Blanks beyond ASCII are c == 0x0B, as llama.cpp shows them to its
 * rules. */
struct chars {
    uint32_t *c;    /* (n) */
    uint8_t *class; /* (n), CLASS_* */
    size_t n;
};

/* NULL when memory ran out. A rule that is not well formed is a bug. */
const struct rule *vocab_rule_compile(const char *text, struct arena *arena);

/* What a match needs while it runs: places to come back to. One thread at a time. */
struct rule_stack {
    struct arena *arena;
    struct rule_frame *frames;
    size_t cap;
    bool failed; /* memory ran out: the matches are not to be trusted */
};

/* Characters that match at `at`, of those before `end`; 0 when it does not match. */
size_t vocab_rule_match(const struct rule *rule, const struct chars *chars, size_t at, size_t end,
                        struct rule_stack *stack);

#endif
