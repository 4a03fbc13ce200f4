/* fuzz/reads - one document from any bytes: it is read, or there is a reason; what is read is
 * text. */
#ifndef FUZZ_READS_H
#define FUZZ_READS_H

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "formats/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

__attribute__((unused)) static void check_text(struct str s)
{
    if (utf8_invalid(s) != STR_NPOS || (s.len && memchr(s.ptr, '\r', s.len)))
        abort();
}

/* The promises of formats.h for a document: text is UTF-8, offsets point at blocks. */
__attribute__((unused)) static void check_document(const struct format_document *doc,
                                                   struct arena *arena)
{
    struct str text;
    size_t *offsets = arena_array(arena, size_t, doc->n_blocks + 1);
    if (!offsets || format_text(doc, arena, &text, offsets, NULL))
        return; /* no memory */
    check_text(text);
    for (size_t i = 0; i < doc->n_blocks; i++) {
        const struct format_block *block = &doc->blocks[i];
        if (offsets[i] > text.len || (i && offsets[i] < offsets[i - 1]))
            abort();
        if (block->kind == FORMAT_PARAGRAPH && !str_starts(str_from(text, offsets[i]), block->text))
            abort();
        if (block->kind == FORMAT_HEADING && (block->level < 1 || block->level > 6))
            abort();
        if (block->kind == FORMAT_TABLE && block->table.n_rows * block->table.n_cols == 0)
            abort();
    }
    check_text(doc->title);
    for (size_t i = 0; i < doc->n_meta; i++)
        check_text(doc->meta[i].value);
}

__attribute__((unused)) static void read_any(struct str bytes, const char *name)
{
    struct arena *arena = arena_new((size_t)256 << 20);
    struct format_limits limits = format_limits_default;
    struct format_document doc = {.n_blocks = 99};
    struct why why = {0};
    limits.ocr = false;
    limits.time_ms = 10000;
    enum err err = format_read(bytes, str_c(name), &limits, arena, &doc, &why);
    if (err && (!why.text[0] || doc.n_blocks != 99))
        abort();
    if (!err)
        check_document(&doc, arena);
    arena_free(arena);
}

#endif
