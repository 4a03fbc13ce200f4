/*
 * data/lm - how likely a Chinese text is, by the trigram model of libime; one C++ file.
 *
 * A text is cut into the longest words that the model knows (four characters at most); what is not
 * Han ends a run. Read-only: from any thread.
 *
 *   Source  Heafield 2011, KenLM: Faster and Smaller Language Model Queries; model zh_CN.lm of
 * libime
 */
#ifndef DATA_LM_H
#define DATA_LM_H

#include "core/str.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lm;

/* The file, or the system's own when path is NULL; NULL with words when there is none. */
struct lm *lm_open(const char *path, char *words, size_t n_words);
void lm_close(struct lm *lm); /* NULL is fine */

struct lm_score {
    size_t characters, words, unknown; /* Han characters scored; words; those that are not known */
    double log10;                      /* sum of the words' probabilities */
};
/* Of the first `most` Han characters of valid UTF-8. No exception leaves it. */
void lm_say(const struct lm *lm, struct str text, size_t most, struct lm_score *out);

#ifdef __cplusplus
}
#endif

#endif
