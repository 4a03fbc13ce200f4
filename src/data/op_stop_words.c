/* stop_words: running text has them, lists and garbage have not. */
#include <math.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0.02, 1, ""),
};

#define FIRST 0x4E00
#define LAST  0x9FFF

/* The function words of Chinese that are one character; all Han of three bytes. */
struct made {
    uint64_t words[TEXT_SET], han[TEXT_SET];
};

static const uint16_t function_words[] = {
    0x7684, 0x4E86, 0x5728, 0x662F, 0x548C, 0x4E0E, 0x53CA, 0x6216, 0x7B49, 0x6709, 0x4E3A, 0x4E0D,
    0x5BF9, 0x4EE5, 0x7531, 0x5C06, 0x4E8E, 0x800C, 0x4E4B, 0x5176, 0x8FD9, 0x90A3, 0x6211, 0x4F60,
    0x4ED6, 0x5C31, 0x90FD, 0x4E5F, 0x5F88, 0x5230, 0x8BF4, 0x8981, 0x53BB, 0x4F1A, 0x7740, 0x6CA1,
    0x770B, 0x597D, 0x4E2A, 0x4ECE, 0x88AB, 0x628A, 0x5E94, 0x6309, 0x4F46, 0x5E76, 0x5F97, 0x4E14};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    struct made *m = arena_one(p->arena, struct made);
    if (!m)
        return err_set(why, ERR_NO_MEMORY, "could not prepare the function words");
    for (size_t i = 0; i < sizeof function_words / sizeof function_words[0]; i++)
        text_set_add(m->words, function_words[i]);
    for (uint32_t c = 0x800; c < 0x10000; c++)
        if (c >= FIRST && c <= LAST ? true : c > 0x3400 && utf8_is_han(c))
            text_set_add(m->han, c);
    *made = m;
    return ERR_OK;
}

static bool is_english(struct str word)
{
    static const char *const list[] = {"the", "be", "to", "of",  "and", "that", "have", "with",
                                       "is",  "in", "a",  "for", "it",  "on",   "was",  "are"};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct str one = str_c(list[i]);
        bool same = one.len == word.len;
        for (size_t k = 0; same && k < word.len; k++)
            same = (word.ptr[k] | 32) == one.ptr[k];
        if (same)
            return true;
    }
    return false;
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    const struct made *m = call->made;
    (void)why;
    size_t n = 0, hits = 0; /* Han characters and words of Latin letters */
    for (size_t i = 0; i < in.len;) {
        size_t at = i;
        for (; i < in.len && text_leads_three(in.ptr[i]); i += 3) {
            n += text_in_set(m->han, in.ptr + i);
            hits += text_in_set(m->words, in.ptr + i);
        }
        if (i > at)
            continue;
        unsigned char b = (unsigned char)in.ptr[i];
        if ((b | 32) >= 'a' && (b | 32) <= 'z') {
            while (i < in.len && (in.ptr[i] | 32) >= 'a' && (in.ptr[i] | 32) <= 'z')
                i++;
            n++;
            hits += is_english(str_slice(in, at, i));
        } else if (b < 0xC2) { /* ASCII; inside a character */
            i++;
        } else {
            n += utf8_is_han(text_next(in, &i));
        }
    }
    *out = n ? (double)hits / (double)n : NAN;
    return ERR_OK;
}

const struct data_op data_op_stop_words = {
    .name = "stop_words",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records with too few function words (的, 了, 在, the, of) to be running text",
    .summary_zh = "丢弃虚词过少、不像正文的记录",
    .source = "stop-word rule of Gopher, arXiv:2112.11446 sec. A.1.1, as a ratio as in "
              "Data-Juicer; the Chinese list is ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};
