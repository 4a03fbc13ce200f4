/* Any bytes as a line of a data set: read, its texts found, changed and put back, read again. */
#include <stdint.h>
#include <stdlib.h>

#include "core/arena.h"
#include "data/record.h"
#include "data/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str paths[] = {STR("*"), STR("messages[].content"), STR("row.*"), STR("a.b[].c")};
    struct str line = {(const char *)data, size};
    struct arena *arena = arena_new((size_t)64 << 20);
    struct record record, again;
    struct record_text *texts;
    struct buf buf;
    size_t n;
    if (record_read(line, arena, &record, NULL) == ERR_OK) {
        if (record_texts(&record, paths, 4, &texts, &n, NULL))
            abort();
        for (size_t i = 0; i < n; i++)
            texts[i].changed = true;
        if (record_put_texts(&record, texts, n, NULL))
            abort();
        buf_init(&buf, arena);
        record_write(&record, &buf);
        if (buf.failed || record_read(buf_str(&buf), arena, &again, NULL))
            abort();
        if (again.n != record.n)
            abort();
        scan_mend(buf.ptr, buf.len);
        if (record_read(buf_str(&buf), arena, &again, NULL) || again.n > record.n)
            abort();
    }
    arena_free(arena);
    return 0;
}
