#include "knowledge/lay.h"

const struct lay lay_words[] = {
#define LAY(said, written) {STR_INIT(said), STR_INIT(written)},
#include "knowledge/lay.def"
#undef LAY
};

const size_t lay_n_words = sizeof lay_words / sizeof lay_words[0];
