/* The scanner of members and core/json agree on what JSON is, and on strings. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "gateway/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the tree refuses and the scanner leaves to the upstream. */
static bool known_difference(const char *words)
{
    static const char *const parts[] = {"duplicate", "too big", "overflow",  "Unicode",
                                        "\\u0000",   "deeper",  "surrogate", "NUL byte"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(words, parts[i]))
            return true;
    return false;
}

static void compare_members(struct str text, const struct json *root, struct arena *arena)
{
    struct scan scan;
    struct str key, value;
    size_t n = 0;
    if (!scan_object(&scan, text))
        return;
    while (scan_next(&scan, &key, &value)) {
        struct str s = scan_str(value, arena);
        const struct json *same;
        char name[64];
        n++;
        if (!scan_valid(value))
            abort();
        if (key.len >= sizeof name || (key.len && memchr(key.ptr, '\\', key.len)))
            continue;
        memcpy(name, key.ptr, key.len);
        name[key.len] = '\0';
        same = json_get(root, name);
        if (same && s.ptr && json_kind(same) == JSON_KIND_STRING && !str_eq(s, json_str(same, s)))
            abort();
    }
    if (scan.bad || (json_kind(root) == JSON_KIND_OBJECT && n != json_len(root)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena *arena = arena_new((size_t)16 << 20);
    const struct json *root = NULL;
    struct why why = {0};
    bool valid = scan_valid(text);
    if (size < 65536 && utf8_invalid(text) == STR_NPOS && (!size || !memchr(data, '\0', size))) {
        enum err err = json_parse(text, arena, &root, &why);
        if (valid && err == ERR_INVALID && !known_difference(why.text))
            abort();
        if (!err && valid)
            compare_members(text, root, arena);
    }
    arena_free(arena);
    return 0;
}
