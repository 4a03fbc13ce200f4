/* object_name: any text as the name of an object is a name of 64 hex digits, or refused; it never
 * leads out of the folder. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "objects/objects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct objects *objects;
static char dir[] = "/tmp/yicheng-fuzz-XXXXXX";

static void end(void)
{
    objects_close(objects);
    (void)!file_remove(dir, NULL);
}

static bool is_name(const char *text)
{
    size_t n = 0;
    while (isdigit((unsigned char)text[n]) || (text[n] >= 'a' && text[n] <= 'f'))
        n++;
    return n == 64 && text[n] == '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!objects) {
        if (!mkdtemp(dir) || objects_open(dir, &objects, NULL))
            abort();
        (void)atexit(end);
    }
    struct arena *arena = arena_new(1u << 20);
    char *name = arena_copy(arena, (const char *)data, size);
    struct str out = STR_NONE;
    const char *path = NULL;
    if (name) {
        enum err expect = is_name(name) ? ERR_NOT_FOUND : ERR_INVALID;
        if (objects_has(objects, name) ||
            objects_get(objects, name, 100, arena, &out, NULL) != expect ||
            objects_path(objects, name, arena, &path, NULL) != expect ||
            objects_remove(objects, name, NULL) != expect || path)
            abort();
    }
    arena_free(arena);
    return 0;
}
