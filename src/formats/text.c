/* formats/text - a document as the plain text that is stored, searched and cited. */
#include "formats/formats.h"

#include <string.h>

#include "core/arena.h"

static void put_table(struct buf *buf, const struct format_table *table)
{
    for (size_t r = 0; r < table->n_rows; r++) {
        for (size_t c = 0; c < table->n_cols; c++) {
            if (c)
                buf_add(buf, STR(" | "));
            buf_add(buf, table->cells[r * table->n_cols + c]);
        }
        buf_char(buf, '\n');
    }
}

static void put_record(struct buf *buf, const struct format_block *block)
{
    for (size_t i = 0; i < block->n_fields; i++) {
        if (!block->fields[i].value.len)
            continue;
        buf_add(buf, block->fields[i].name);
        buf_add(buf, STR("："));
        buf_add(buf, block->fields[i].value);
        buf_char(buf, '\n');
    }
}

static void put_block(struct buf *buf, const struct format_block *block)
{
    switch (block->kind) {
    case FORMAT_HEADING:
        buf_add(buf, str_slice(STR("######"), 0, (size_t)block->level));
        buf_char(buf, ' ');
        break;
    case FORMAT_LIST_ITEM:
        for (int i = 1; i < block->level; i++)
            buf_add(buf, STR("  "));
        if (!block->numbered)
            buf_add(buf, STR("- "));
        break;
    case FORMAT_TABLE:
        put_table(buf, &block->table);
        return;
    case FORMAT_RECORD:
        put_record(buf, block);
        return;
    case FORMAT_PAGE:
        return;
    case FORMAT_PARAGRAPH:
        break;
    }
    buf_add(buf, block->text);
    buf_char(buf, '\n');
}

enum err format_text(const struct format_document *doc, struct arena *arena, struct str *out,
                     size_t *offsets, struct why *why)
{
    struct buf buf;
    enum format_block_kind last = FORMAT_PAGE;
    buf_init(&buf, arena);
    for (size_t i = 0; i < doc->n_blocks; i++) {
        const struct format_block *block = &doc->blocks[i];
        bool in_list = last == FORMAT_LIST_ITEM && block->kind == FORMAT_LIST_ITEM;
        if (buf.len && block->kind != FORMAT_PAGE && !in_list)
            buf_char(&buf, '\n');
        if (offsets)
            offsets[i] = buf.len;
        put_block(&buf, block);
        if (block->kind != FORMAT_PAGE)
            last = block->kind;
    }
    enum err err = buf_err(&buf, why);
    if (!err)
        *out = buf_str(&buf);
    return err;
}
