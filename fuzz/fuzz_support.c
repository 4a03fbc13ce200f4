/* knowledge/support and written: a model's reply is bytes from outside, whatever it says. */
#include <assert.h>

#include "core/arena.h"
#include "knowledge/support.h"
#include "knowledge/written.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = {(const char *)data, size};
    struct str sentence = all, rest = STR_NONE;
    size_t cut = str_find_char(all, '\n');
    if (cut != STR_NPOS) {
        sentence = str_slice(all, 0, cut);
        rest = str_from(all, cut + 1);
    }
    struct arena *arena = arena_new((size_t)64 << 20);
    if (!arena)
        return 0;
    struct support_source sources[] = {{STR("养犬管理条例"), STR("第十二条"), rest},
                                       {rest, STR_NONE, sentence}};
    struct support s;
    if (support_of(sentence, sources, 2, arena, &s, NULL) == ERR_OK) {
        assert(s.source < 2 && s.share >= 0 && s.share <= 1);
        assert(s.start <= sources[s.source].text.len);
        assert(s.len <= sources[s.source].text.len - s.start);
    }
    struct knowledge_hit hit = {.title = STR("养犬管理条例"), .text = rest, .len = rest.len};
    struct knowledge_answer answer = {.method = "extract", .hits = &hit, .n_hits = 1};
    (void)written_words(all, arena);
    if (written_take(sentence, arena, &answer, NULL) == ERR_OK)
        assert(answer.written.n_struck <= answer.written.n_sentences);
    arena_free(arena);
    return 0;
}
