/* formats/reader, the half that writes the document. */
#include "formats/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "core/utf8.h"

enum err format_fail(struct format_out *out, enum err err, const char *fmt, ...)
{
    char words[sizeof out->why->text];
    va_list args;
    if (out->err)
        return out->err;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    out->err = err_set(out->why, err, "%s", words);
    return out->err;
}

static void no_memory(struct format_out *out)
{
    (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit of %zu MB",
                      arena_limit(out->arena) >> 20);
}

void format_note(struct format_out *out, const char *fmt, ...)
{
    char words[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    struct str *note = &out->doc->note;
    struct str whole =
        str_printf(out->arena, "%.*s%s%s", STR_FMT(*note), note->len ? "; " : "", words);
    if (whole.ptr)
        *note = whole;
}

bool format_go_on(struct format_out *out)
{
    if (out->err)
        return false;
    if (out->ticks++ % 64 == 0 && time_mono_ns() > out->deadline_ns)
        (void)format_fail(out, ERR_TIMEOUT, "reading took longer than %lld s",
                          (long long)(out->limits->time_ms / 1000));
    return !out->err;
}

void format_extend(struct format_out *out, int64_t ms)
{
    int64_t until = time_mono_ns() + ms * 1000000;
    if (until <= out->deadline_ns)
        return;
    out->deadline_ns = until;
    if (out->watch)
        __atomic_store_n(out->watch, until, __ATOMIC_RELAXED);
}

bool format_line(struct format_out *out, struct str *rest, struct str *line)
{
    if (!format_go_on(out) || !str_next_line(rest, line))
        return false;
    if (line->len <= out->limits->line_bytes)
        return true;
    (void)format_fail(out, ERR_TOO_LARGE, "a line of %zu bytes is longer than the limit of %zu",
                      line->len, out->limits->line_bytes);
    return false;
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
}

/* Texts that come out of other people's parsers: replaces what is not UTF-8, drops controls. */
static struct str cleaned(struct format_out *out, struct str s)
{
    bool bad = utf8_invalid(s) != STR_NPOS;
    for (size_t i = 0; i < s.len && !bad; i++)
        bad = is_control(s.ptr[i]);
    if (!bad)
        return s;
    struct buf buf;
    buf_init(&buf, out->arena);
    for (size_t at = 0; at < s.len;) {
        char put[UTF8_MAX_BYTES];
        size_t start = at;
        uint32_t c = utf8_next(s, &at);
        out->doc->n_replaced += c == UTF8_BAD && at - start == 1;
        if (at - start > 1 || !is_control(s.ptr[start]))
            buf_add(&buf, (struct str){put, utf8_put(put, c)});
    }
    if (buf.failed)
        no_memory(out);
    return buf_str(&buf);
}

static struct str checked(struct format_out *out, struct str s)
{
    s = str_trim_space(s);
    if (!out->clean && s.len)
        s = str_trim_space(cleaned(out, s));
    out->text_bytes += s.len;
    if (out->text_bytes > out->limits->text_bytes)
        (void)format_fail(out, ERR_TOO_LARGE, "its text is longer than the limit of %zu MB",
                          out->limits->text_bytes >> 20);
    return s;
}

static struct format_block *add(struct format_out *out, enum format_block_kind kind)
{
    struct format_document *doc = out->doc;
    if (out->err)
        return NULL;
    if (doc->n_blocks >= out->limits->blocks) {
        (void)format_fail(out, ERR_TOO_LARGE, "it has more parts than the limit of %zu",
                          out->limits->blocks);
        return NULL;
    }
    if (doc->n_blocks == out->cap_blocks) {
        size_t cap = out->cap_blocks ? out->cap_blocks * 2 : 32;
        struct format_block *grown = arena_grow(
            out->arena, doc->blocks, out->cap_blocks * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            no_memory(out);
            return NULL;
        }
        doc->blocks = grown;
        out->cap_blocks = cap;
    }
    struct format_block *block = &doc->blocks[doc->n_blocks++];
    *block = (struct format_block){.kind = kind, .page = out->page};
    return block;
}

static void add_text(struct format_out *out, enum format_block_kind kind, int level, bool numbered,
                     struct str text)
{
    if (out->err)
        return;
    text = checked(out, text);
    struct format_block *block = text.len ? add(out, kind) : NULL;
    if (!block)
        return;
    block->level = level;
    block->numbered = numbered;
    block->text = text;
}

void format_heading(struct format_out *out, int level, struct str text)
{
    add_text(out, FORMAT_HEADING, level < 1 ? 1 : level > 6 ? 6 : level, false, text);
}

void format_paragraph(struct format_out *out, struct str text)
{
    add_text(out, FORMAT_PARAGRAPH, 0, false, text);
}

void format_item(struct format_out *out, int level, bool numbered, struct str text)
{
    add_text(out, FORMAT_LIST_ITEM, level < 1 ? 1 : level > 9 ? 9 : level, numbered, text);
}

void format_page(struct format_out *out, int page)
{
    out->page = page;
    (void)add(out, FORMAT_PAGE);
}

static bool empty_row(const struct str *row, size_t n_cols)
{
    for (size_t c = 0; c < n_cols; c++) {
        if (row[c].len)
            return false;
    }
    return true;
}

void format_table(struct format_out *out, struct str *cells, size_t n_rows, size_t n_cols,
                  bool has_header)
{
    for (size_t i = 0; i < n_rows * n_cols && format_go_on(out); i++)
        cells[i] = checked(out, cells[i]);
    while (n_rows && empty_row(cells + (n_rows - 1) * n_cols, n_cols))
        n_rows--;
    struct format_block *block = n_rows && n_cols && !out->err ? add(out, FORMAT_TABLE) : NULL;
    if (block)
        block->table = (struct format_table){cells, n_rows, n_cols, has_header && n_rows > 1};
}

void format_record(struct format_out *out, struct format_field *fields, size_t n_fields)
{
    bool filled = false;
    for (size_t i = 0; i < n_fields && format_go_on(out); i++) {
        fields[i].value = checked(out, fields[i].value);
        filled = filled || fields[i].value.len;
    }
    struct format_block *block = filled && !out->err ? add(out, FORMAT_RECORD) : NULL;
    if (!block)
        return;
    block->fields = fields;
    block->n_fields = n_fields;
}

void format_meta(struct format_out *out, struct str name, struct str value)
{
    struct format_document *doc = out->doc;
    if (out->err)
        return;
    name = checked(out, name);
    value = checked(out, value);
    if (!name.len || !value.len || doc->n_meta >= 1000)
        return;
    if (doc->n_meta == out->cap_meta) {
        size_t cap = out->cap_meta ? out->cap_meta * 2 : 8;
        struct format_field *grown =
            arena_grow(out->arena, doc->meta, out->cap_meta * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            no_memory(out);
            return;
        }
        doc->meta = grown;
        out->cap_meta = cap;
    }
    doc->meta[doc->n_meta++] = (struct format_field){name, value};
}

void format_title(struct format_out *out, struct str title)
{
    if (!out->doc->title.len && !out->err)
        out->doc->title = checked(out, title);
}
