/* retrieve_copies: passages that say the same, word for word or nearly so. */
#include "knowledge/retrieve_in.h"

#include "knowledge/tokens.h"

#include "core/arena.h"

#include <string.h>

#define SHINGLES 512

/* The distinct pairs of the text, ascending; texts that are longer are compared by their start. */
static size_t shingle(struct str text, uint64_t out[SHINGLES])
{
    struct tokens tokens;
    tokens_init(&tokens, text, false);
    uint64_t term;
    size_t n = 0, distinct = 0;
    while (n < SHINGLES && tokens_next(&tokens, &term))
        if (tokens_kind(term) == TOKENS_PAIR || tokens_kind(term) == TOKENS_WORD)
            out[n++] = term;
    for (size_t i = 1; i < n; i++) { /* short and often half sorted: no library call needed */
        uint64_t x = out[i];
        size_t j = i;
        for (; j && out[j - 1] > x; j--)
            out[j] = out[j - 1];
        out[j] = x;
    }
    for (size_t i = 0; i < n; i++)
        if (!distinct || out[distinct - 1] != out[i])
            out[distinct++] = out[i];
    return distinct;
}

/* Nine of ten pairs in common (Broder 1997), and none too short to say. */
static bool near_copy(const uint64_t *a, size_t n, const uint64_t *b, size_t m)
{
    size_t common = 0;
    if (n < 8 || m < 8 || n * 10 < m * 9 || m * 10 < n * 9)
        return false;
    for (size_t i = 0, j = 0; i < n && j < m;) {
        if (a[i] == b[j])
            common++, i++, j++;
        else if (a[i] < b[j])
            i++;
        else
            j++;
    }
    return common * 10 >= (n + m - common) * 9;
}

enum err retrieve_copy_of(const struct rank_item *item, const struct kept *kept, size_t n,
                          struct arena *arena, size_t *of, struct kept *own, struct why *why)
{
    struct index_passage passage;
    uint64_t shingles[SHINGLES];
    index_get(item->index, item->passage, &passage);
    struct str words =
        passage.body < passage.text.len ? str_from(passage.text, passage.body) : passage.text;
    size_t n_shingles = shingle(words, shingles), i = 0;
    while (i < n && kept[i].copy != item->facts.copy &&
           !near_copy(kept[i].shingles, kept[i].n, shingles, n_shingles))
        i++;
    *of = i;
    if (i < n)
        return ERR_OK;
    *own = (struct kept){item->facts.copy, n_shingles, arena_array(arena, uint64_t, n_shingles)};
    if (!own->shingles)
        return err_set(why, ERR_NO_MEMORY, "could not hold the search");
    memcpy(own->shingles, shingles, n_shingles * sizeof *shingles);
    return ERR_OK;
}
