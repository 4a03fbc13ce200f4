/* gibberish: strings that nobody reads: hashes, base64, keys struck at random. */
#include <math.h>
#include <string.h>

#include "data/op.h"
#include "data/text.h"

static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 0.2, ""),
};

static bool is_vowel(char c)
{
    return strchr("aeiouyAEIOUY", c) != NULL;
}

/* A run of ASCII letters, digits and + / = _ - . Long ones that mix kinds, and words without the
 * vowels that words of any Latin script have. */
static bool is_gibberish(struct str run)
{
    size_t upper = 0, lower = 0, digits = 0, changes = 0, row = 0, longest = 0, vowels = 0;
    int before = 0;
    for (size_t i = 0; i < run.len; i++) {
        char c = run.ptr[i];
        int kind = c >= '0' && c <= '9'   ? 1
                   : c >= 'A' && c <= 'Z' ? 2
                   : c >= 'a' && c <= 'z' ? 3
                                          : 4;
        digits += kind == 1;
        upper += kind == 2;
        lower += kind == 3;
        changes += i && kind != before;
        before = kind;
        bool vowel = (kind == 2 || kind == 3) && is_vowel(c);
        vowels += vowel;
        row = (kind == 2 || kind == 3) && !vowel ? row + 1 : 0;
        longest = row > longest ? row : longest;
    }
    size_t letters = upper + lower;
    if (run.len >= 16 && digits && letters && changes * 4 >= run.len)
        return true; /* hashes, keys */
    if (run.len >= 24 && upper && lower && changes * 4 >= run.len)
        return true; /* base64 */
    if (run.len >= 32 && letters && !upper != !lower && digits && changes * 6 >= run.len)
        return true; /* hexadecimal */
    if (letters < 6 || upper == letters)
        return false; /* abbreviations */
    return longest >= 7 || vowels * 8 < letters;
}

static bool in_run(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           (c != '\0' && strchr("+/=_-", c));
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    size_t n = 0, hits = 0;
    (void)call, (void)why;
    for (size_t i = 0; i < in.len;) {
        size_t url = text_url(in, i);
        if (url > i) { /* addresses are not prose, nor are they struck at random */
            n += url - i;
            i = url;
            continue;
        }
        size_t at = i;
        while (i < in.len && in_run(in.ptr[i]))
            i++;
        if (i > at) {
            n += i - at;
            hits += is_gibberish(str_slice(in, at, i)) ? i - at : 0;
        } else {
            (void)text_next(in, &i);
            n++;
        }
    }
    *out = n ? (double)hits / (double)n : NAN;
    return ERR_OK;
}

const struct data_op data_op_gibberish = {
    .name = "gibberish",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop texts by the share of hashes, base64 and letters struck at random",
    .summary_zh = "按哈希、Base64、乱敲字母等无意义字符串的占比过滤",
    .source = "ours, from runs of kinds of characters and of consonants",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
