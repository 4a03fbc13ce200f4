/*
 * data/lang - which language a text is in, by a fastText model (lid.176); one C++ file.
 */
#ifndef DATA_LANG_H
#define DATA_LANG_H

#include "core/str.h"

#define LANG_CODE 16 /* bytes of a code with '\0' */

#ifdef __cplusplus
extern "C" {
#endif

struct lang;

/* NULL with words when the file is missing or no model. */
struct lang *lang_open(const char *path, char *words, size_t n_words);
void lang_close(struct lang *lang);

/* The probability of each of `labels` ("zh", "en"; n of them), summed. From any thread. -1 when the
 * text has nothing to go by. Looks at the first `most` bytes. No exception leaves it. */
double lang_probability(const struct lang *lang, struct str text, size_t most,
                        const struct str *labels, size_t n);

/* The likeliest label of the text's first `most` bytes; false when there is nothing to go by. */
bool lang_best(const struct lang *lang, struct str text, size_t most, char out[LANG_CODE]);

#ifdef __cplusplus
}
#endif

#endif
