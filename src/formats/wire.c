#include "formats/wire.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/utf8.h"

#define MAGIC 0x59434431u

/* ---- writing ---- */

static void put_u32(FILE *f, size_t n)
{
    uint32_t word = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    (void)fwrite(&word, sizeof word, 1, f);
}

static void put_str(FILE *f, struct str s)
{
    put_u32(f, s.len);
    if (s.len)
        (void)fwrite(s.ptr, 1, s.len, f);
}

/* Records of one table share their names: they are written once. */
static bool same_names(const struct format_block *a, const struct format_block *b)
{
    if (!a || a->n_fields != b->n_fields)
        return false;
    for (size_t i = 0; i < a->n_fields; i++) {
        if (a->fields[i].name.ptr != b->fields[i].name.ptr ||
            a->fields[i].name.len != b->fields[i].name.len)
            return false;
    }
    return true;
}

static void put_record(FILE *f, const struct format_block *last, const struct format_block *block)
{
    bool same = same_names(last, block);
    put_u32(f, block->n_fields);
    put_u32(f, same);
    for (size_t i = 0; i < block->n_fields && !same; i++)
        put_str(f, block->fields[i].name);
    for (size_t i = 0; i < block->n_fields; i++)
        put_str(f, block->fields[i].value);
}

static void put_blocks(FILE *f, const struct format_document *doc)
{
    const struct format_block *last = NULL;
    put_u32(f, doc->n_blocks);
    for (size_t i = 0; i < doc->n_blocks; i++) {
        const struct format_block *block = &doc->blocks[i];
        put_u32(f, block->kind);
        put_u32(f, (size_t)block->level);
        put_u32(f, (size_t)block->page);
        put_u32(f, block->numbered);
        put_str(f, block->text);
        if (block->kind == FORMAT_TABLE) {
            put_u32(f, block->table.n_rows);
            put_u32(f, block->table.n_cols);
            put_u32(f, block->table.has_header);
            for (size_t c = 0; c < block->table.n_rows * block->table.n_cols; c++)
                put_str(f, block->table.cells[c]);
        } else if (block->kind == FORMAT_RECORD) {
            put_record(f, last, block);
            last = block;
        }
    }
}

bool wire_write(int take_fd, enum err err, const struct format_document *doc, const struct why *why)
{
    FILE *f = fdopen(take_fd, "w");
    if (!f)
        return false;
    put_u32(f, MAGIC);
    put_u32(f, err);
    put_str(f, str_c(why->text));
    put_str(f, str_c(why->hint));
    if (!err) {
        put_str(f, doc->title);
        put_str(f, doc->note);
        put_u32(f, doc->n_replaced);
        put_u32(f, doc->ocr);
        put_u32(f, doc->n_meta);
        for (size_t i = 0; i < doc->n_meta; i++) {
            put_str(f, doc->meta[i].name);
            put_str(f, doc->meta[i].value);
        }
        put_blocks(f, doc);
    }
    put_u32(f, MAGIC);
    bool failed = ferror(f) != 0;
    return fclose(f) == 0 && !failed;
}

/* ---- reading ---- */

struct wire {
    struct str rest;
    struct arena *arena;
    bool bad;
};

static size_t get_u32(struct wire *w)
{
    uint32_t word = 0;
    if (w->rest.len < sizeof word) {
        w->bad = true;
        return 0;
    }
    memcpy(&word, w->rest.ptr, sizeof word);
    w->rest = str_from(w->rest, sizeof word);
    return word;
}

/* A number of things of which each takes at least `least` bytes: more than fit is a lie. */
static size_t get_count(struct wire *w, size_t least)
{
    size_t n = get_u32(w);
    if (n > w->rest.len / least)
        w->bad = true;
    return w->bad ? 0 : n;
}

static struct str get_str(struct wire *w)
{
    size_t len = get_count(w, 1);
    struct str s = str_slice(w->rest, 0, len);
    w->rest = str_from(w->rest, len);
    if (utf8_invalid(s) != STR_NPOS)
        w->bad = true;
    return s;
}

static void *get_array(struct wire *w, size_t n, size_t size)
{
    void *items = w->bad ? NULL : arena_calloc(w->arena, n, size);
    if (!items)
        w->bad = true;
    return items;
}

static void get_table(struct wire *w, struct format_table *table)
{
    size_t n_rows = get_u32(w), n_cols = get_u32(w);
    table->has_header = get_u32(w) != 0;
    /* Rows without cells cost no bytes here, and a line each in the text. */
    if (n_cols ? n_rows > w->rest.len / 4 / n_cols : n_rows > 0)
        w->bad = true;
    table->cells = get_array(w, n_rows * n_cols, sizeof *table->cells);
    for (size_t i = 0; !w->bad && i < n_rows * n_cols; i++)
        table->cells[i] = get_str(w);
    table->n_rows = n_rows;
    table->n_cols = n_cols;
}

static void get_record(struct wire *w, const struct format_block *last, struct format_block *block)
{
    size_t n = get_count(w, 4);
    bool same = get_u32(w) != 0;
    if (same && (!last || last->n_fields != n))
        w->bad = true;
    block->fields = get_array(w, n, sizeof *block->fields);
    block->n_fields = n;
    for (size_t i = 0; !w->bad && i < n; i++)
        block->fields[i].name = same ? last->fields[i].name : get_str(w);
    for (size_t i = 0; !w->bad && i < n; i++)
        block->fields[i].value = get_str(w);
}

static void get_blocks(struct wire *w, struct format_document *doc)
{
    const struct format_block *last = NULL;
    size_t n = get_count(w, 20);
    doc->blocks = get_array(w, n, sizeof *doc->blocks);
    doc->n_blocks = n;
    for (size_t i = 0; !w->bad && i < n; i++) {
        struct format_block *block = &doc->blocks[i];
        size_t kind = get_u32(w), level = get_u32(w), page = get_u32(w);
        if (kind > FORMAT_PAGE || level > 9 || page > INT32_MAX)
            w->bad = true;
        block->kind = (enum format_block_kind)kind;
        block->level = (int)level;
        block->page = (int)page;
        block->numbered = get_u32(w) != 0;
        block->text = get_str(w);
        if (block->kind == FORMAT_TABLE) {
            get_table(w, &block->table);
        } else if (block->kind == FORMAT_RECORD) {
            get_record(w, last, block);
            last = block;
        } else if (block->kind == FORMAT_HEADING && (level < 1 || level > 6)) {
            w->bad = true;
        }
    }
}

enum err wire_read(struct str bytes, struct arena *arena, struct format_document *doc,
                   struct why *why)
{
    struct wire w = {bytes, arena, get_u32(&(struct wire){bytes, arena, false}) != MAGIC};
    (void)get_u32(&w);
    size_t err = get_u32(&w);
    struct str text = get_str(&w), hint = get_str(&w);
    if (!w.bad && err > ERR_OK && err < ERR_COUNT) {
        if (text.len == 0 || text.ptr[0] == '\0')
            text = str_c(err_words((enum err)err));
        (void)err_set(why, (enum err)err, "%.*s", STR_FMT(text));
        if (hint.len)
            err_hint(why, "%.*s", STR_FMT(hint));
        return (enum err)err;
    }
    doc->title = get_str(&w);
    doc->note = get_str(&w);
    doc->n_replaced = get_u32(&w);
    doc->ocr = get_u32(&w) != 0;
    doc->n_meta = get_count(&w, 8);
    doc->meta = get_array(&w, doc->n_meta, sizeof *doc->meta);
    for (size_t i = 0; !w.bad && i < doc->n_meta; i++) {
        doc->meta[i].name = get_str(&w);
        doc->meta[i].value = get_str(&w);
    }
    get_blocks(&w, doc);
    if (get_u32(&w) != MAGIC || w.bad || err != ERR_OK)
        return err_set(why, ERR_INVALID, "what its parser gave back is not whole, or is too large");
    return ERR_OK;
}
