/* Label Studio's configuration: what was read, written and read again is the same label set. */
#include <stdlib.h>

#include "annotate/studio.h"
#include "core/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)128 << 20);
    struct labels labels, again;
    struct studio_notes notes;
    struct buf xml;
    if (!arena)
        return 0;
    studio_notes_init(&notes, arena);
    if (!studio_config_read((struct str){(const char *)data, size}, arena, &labels, &notes, NULL)) {
        buf_init(&xml, arena);
        studio_config_write(&labels, &xml);
        enum err err = studio_config_read(buf_str(&xml), arena, &again, &notes, NULL);
        if (err == ERR_INVALID || (!err && again.n_fields != labels.n_fields))
            abort();
    }
    arena_free(arena);
    return 0;
}
