/* parse: what any file of the text formats becomes has passages within the text, at characters. */
#include <stdint.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct parsed *d, struct str text, struct arena *arena)
{
    for (size_t i = 0; i < d->n_passages; i++) {
        const struct passage *p = &d->passages[i];
        if (!p->len || p->start > text.len || p->len > text.len - p->start || p->body > p->len ||
            utf8_floor(text, p->start) != p->start ||
            utf8_floor(text, p->start + p->len) != p->start + p->len)
            abort();
    }
    struct str packed = STR_NONE;
    struct passage *again = NULL;
    size_t n = 0;
    if (passages_pack(d->passages, d->n_passages, arena, &packed, NULL) == ERR_OK &&
        (passages_unpack(packed, arena, &again, &n, NULL) == ERR_CORRUPT || n != d->n_passages))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.md", "a.txt", "a.jsonl", "a.csv", "a.html", "a.json"};
    if (size < 1)
        return 0;
    struct str bytes = {(const char *)data + 1, size - 1};
    struct str name = str_c(names[data[0] % (sizeof names / sizeof names[0])]);
    struct arena *arena = arena_new(64u << 20);
    struct format_document doc;
    struct str text = STR_NONE;
    struct parsed_file file = {NULL, 0};
    size_t *offsets = NULL;
    enum err err = format_read(bytes, name, &format_limits_default, arena, &doc, NULL);
    if (!err)
        offsets = arena_array(arena, size_t, doc.n_blocks + 1);
    if (offsets && format_text(&doc, arena, &text, offsets, NULL) == ERR_OK &&
        parse_document(&doc, text, offsets, arena, &file, NULL) == ERR_OK)
        for (size_t i = 0; i < file.n; i++)
            check(&file.items[i], text, arena);
    arena_free(arena);
    return 0;
}
