/* learn/classify: a file of a model is bytes from outside, and so is what it is asked about. The
 * checksum is put right, so that what lies behind it is reached. */
#include <assert.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "learn/learn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER 64 /* its last eight bytes are the checksum */

static void ask(struct learn_model *model, struct str text, struct arena *arena)
{
    float p[LEARN_LABELS_MOST], sum = 0;
    struct str bytes = STR_NONE;
    size_t best = learn_say(model, text, p);
    assert(best < learn_n_labels(model));
    for (size_t i = 0; i < learn_n_labels(model); i++) {
        assert(p[i] >= 0 && p[i] <= 1);
        sum += p[i];
    }
    assert(sum > 0.99f && sum < 1.01f);
    if (learn_write(model, arena, &bytes, NULL) == ERR_OK) {
        struct learn_model *back = NULL;
        assert(learn_read(bytes, &back, NULL) == ERR_OK);
        learn_free(back);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct learn_model *model = NULL;
    struct arena *arena = arena_new((size_t)64 << 20);
    char *bytes = arena ? arena_bytes(arena, size + 1) : NULL;
    if (!bytes) {
        arena_free(arena);
        return 0;
    }
    if (size)
        memcpy(bytes, data, size);
    if (size >= HEADER) {
        memset(bytes + HEADER - 8, 0, 8);
        uint64_t hash = hash64(bytes + HEADER, size - HEADER, hash64(bytes, HEADER, 0));
        memcpy(bytes + HEADER - 8, &hash, sizeof hash);
    }
    if (learn_read((struct str){bytes, size}, &model, NULL) == ERR_OK)
        ask(model, (struct str){(const char *)data, size < 4096 ? size : 4096}, arena);
    learn_free(model);
    arena_free(arena);
    return 0;
}
