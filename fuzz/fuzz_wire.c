/* Any bytes as what a child process gives back: a document that is whole, or a reason; and what was
 * a document is written and read again as the same text. */
#include "reads.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "formats/wire.h"

static struct str written(const struct format_document *doc, struct arena *arena)
{
    char path[64];
    struct why none = {0};
    struct str bytes = STR_NONE;
    int fd = memfd_create("wire", 0), copy = dup(fd);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || copy < 0)
        abort();
    if (!wire_write(copy, ERR_OK, doc, &none) ||
        file_read(path, (size_t)64 << 20, arena, &bytes, NULL))
        abort();
    (void)close(fd);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)128 << 20);
    struct format_document doc = {0}, again = {0};
    struct str text, text_again;
    struct why why = {0};
    enum err err = wire_read((struct str){(const char *)data, size}, arena, &doc, &why);
    if (err && !why.text[0])
        abort();
    if (!err && !format_text(&doc, arena, &text, NULL, &why)) {
        if (wire_read(written(&doc, arena), arena, &again, &why) ||
            format_text(&again, arena, &text_again, NULL, &why) || !str_eq(text, text_again))
            abort();
    }
    arena_free(arena);
    return 0;
}
