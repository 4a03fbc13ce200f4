/* knowledge/dense: a model's answers and a file of vectors are bytes from outside. */
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "knowledge/dense.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_file(struct str bytes)
{
    char path[64];
    struct dense *dense = NULL;
    struct why why = {0};
    (void)snprintf(path, sizeof path, "/tmp/yicheng-fuzz-dense-%d", (int)getpid());
    if (file_write(path, bytes, 0600, &why) == ERR_OK && dense_open(path, &dense, &why) == ERR_OK) {
        float asked[DENSE_MOST_DIM] = {1};
        for (size_t i = 0; i < dense_n(dense) && i < 8; i++)
            (void)dense_like(dense, (int64_t)i, asked);
        (void)dense_find(dense, 42);
        dense_close(dense);
    }
    (void)unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    struct arena *arena = arena_new((size_t)64 << 20);
    float *out = NULL;
    size_t dim = 0;
    if (!arena)
        return 0;
    for (size_t n = 1; n < 4; n++) {
        if (dense_read(bytes, n, arena, &out, &dim, NULL) == ERR_OK)
            assert(dim >= 1 && dim <= DENSE_MOST_DIM && out);
        (void)dense_read_weights(bytes, n, arena, &out, NULL);
    }
    if (size && data[0] == 'Y')
        open_file(bytes);
    arena_free(arena);
    return 0;
}
