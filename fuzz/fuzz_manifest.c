/* Any bytes as a release's manifest and as its signatures: refused, or in their one form. */
#include <stdlib.h>

#include "core/arena.h"
#include "release/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct str text = {(const char *)data, size}, again;
    struct manifest m;
    struct manifest_signature sigs[MANIFEST_SIGNATURES];
    struct why why = {0};
    if (!arena)
        return 0;
    if (manifest_read(text, arena, &m, &why) == ERR_OK &&
        (manifest_write(&m, arena, &again, NULL) || !str_eq(text, again)))
        abort();
    /* Nobody has the keys: no bytes are a signature of this text. */
    if (signatures_check(STR("{}\n"), text, arena, sigs, NULL) == ERR_OK)
        abort();
    arena_free(arena);
    return 0;
}
