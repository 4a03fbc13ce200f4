/*
 * csv: rows of fields (RFC 4180), the delimiter and the header found by looking.
 *
 * The delimiter is the one that parts the first records most evenly. A quote that is never closed
 * would swallow the rest of the file: from there on quotes are ordinary characters, and the note
 * says so.
 */
#include "formats/reader.h"

#include <string.h>

#include "core/arena.h"

#define MOST_COLUMNS 4096
#define LOOK         50

struct csv {
    struct format_out *out;
    struct str text;
    size_t at;
    char delimiter;
    bool quotes;     /* still believed in */
    struct str *row; /* fields of the last row, cap of them */
    size_t cap;
};

static int detect(struct str text, struct str suffix)
{
    (void)text;
    return format_has_suffix(" csv tsv tab ", suffix) ? 50 : 0;
}

/* The quoted field that begins at csv->at; false when it is never closed. */
static bool quoted(struct csv *csv, struct str *field)
{
    struct str s = csv->text;
    size_t start = csv->at + 1, at = start;
    bool doubled = false;
    for (;; at += 2) {
        const char *q = at < s.len ? memchr(s.ptr + at, '"', s.len - at) : NULL;
        if (!q)
            return false;
        at = (size_t)(q - s.ptr);
        if (at + 1 >= s.len || s.ptr[at + 1] != '"')
            break;
        doubled = true;
    }
    *field = str_slice(s, start, at);
    csv->at = at + 1;
    if (!doubled)
        return true;
    char *copy = arena_bytes(csv->out->arena, field->len + 1), *to = copy;
    if (!copy) {
        (void)format_fail(csv->out, ERR_NO_MEMORY, "the table needs more memory than the limit");
        return true;
    }
    for (size_t i = 0; i < field->len; i++) {
        *to++ = field->ptr[i];
        i += field->ptr[i] == '"';
    }
    *field = (struct str){copy, (size_t)(to - copy)};
    return true;
}

static struct str unquoted(struct csv *csv)
{
    struct str s = csv->text;
    size_t start = csv->at;
    while (csv->at < s.len && s.ptr[csv->at] != csv->delimiter && s.ptr[csv->at] != '\n')
        csv->at++;
    return str_slice(s, start, csv->at);
}

static struct str next_field(struct csv *csv)
{
    struct str field;
    if (!csv->quotes || csv->at >= csv->text.len || csv->text.ptr[csv->at] != '"')
        return unquoted(csv);
    if (!quoted(csv, &field)) {
        csv->quotes = false;
        return unquoted(csv);
    }
    /* What stands between the closing quote and the delimiter is kept with the field. */
    struct str tail = unquoted(csv);
    if (str_trim(tail).len == 0)
        return field;
    return str_printf(csv->out->arena, "%.*s%.*s", STR_FMT(field), STR_FMT(tail));
}

/* Number of fields in csv->row; 0 at the end of the text. */
static size_t next_row(struct csv *csv)
{
    size_t n = 0, start = csv->at;
    if (csv->at >= csv->text.len)
        return 0;
    for (;;) {
        struct str field = next_field(csv);
        if (n == csv->cap || csv->at - start > csv->out->limits->line_bytes) {
            (void)format_fail(csv->out, ERR_TOO_LARGE,
                              n == csv->cap
                                  ? "a row has more than %d columns"
                                  : "a row is longer than the limit (more than %d columns "
                                    "or a quote that is not closed)",
                              MOST_COLUMNS);
            return 0;
        }
        csv->row[n++] = field;
        bool more = csv->at < csv->text.len && csv->text.ptr[csv->at] == csv->delimiter;
        if (csv->at < csv->text.len)
            csv->at++;
        if (!more)
            return n;
    }
}

/* How evenly `delimiter` parts the first rows: rows that have as many columns as most, times the
 * columns; 0 when it parts nothing. */
static size_t evenness(struct csv *csv, char delimiter)
{
    size_t widths[LOOK], n_rows = 0, best = 0;
    csv->delimiter = delimiter;
    csv->at = 0;
    csv->quotes = true;
    for (size_t n; n_rows < LOOK && (n = next_row(csv)) > 0;) {
        if (n > 1 || str_trim(csv->row[0]).len)
            widths[n_rows++] = n;
    }
    for (size_t i = 0; i < n_rows; i++) {
        size_t same = 0;
        for (size_t j = 0; j < n_rows; j++)
            same += widths[j] == widths[i];
        if (widths[i] > 1 && same * 1000 / n_rows * 100 + widths[i] > best)
            best = same * 1000 / n_rows * 100 + widths[i];
    }
    return best;
}

static char find_delimiter(struct csv *csv)
{
    static const char delimiters[] = ",\t;|";
    char found = ',';
    size_t best = 0;
    for (const char *d = delimiters; *d && !csv->out->err; d++) {
        size_t score = evenness(csv, *d);
        if (score > best) {
            best = score;
            found = *d;
        }
    }
    return found;
}

/* Appends the row to cells, `n_cols` wide; false without memory. */
static bool keep_row(struct csv *csv, struct str **cells, size_t *cap, size_t n_rows, size_t n_cols,
                     size_t n)
{
    if (n_rows == *cap) {
        size_t cap2 = *cap ? *cap * 2 : 64;
        struct str *grown = arena_grow(csv->out->arena, *cells, *cap * n_cols * sizeof *grown,
                                       cap2 * n_cols * sizeof *grown);
        if (!grown)
            return false;
        *cells = grown;
        *cap = cap2;
    }
    for (size_t c = 0; c < n_cols; c++)
        (*cells)[n_rows * n_cols + c] = c < n ? csv->row[c] : STR_NONE;
    return true;
}

static size_t widest(struct csv *csv)
{
    size_t most = 0, n_rows = 0;
    for (size_t n; n_rows < LOOK * 20 && (n = next_row(csv)) > 0; n_rows++)
        most = n > most ? n : most;
    csv->at = 0;
    csv->quotes = true;
    return most;
}

static enum err read_csv(struct str text, struct format_out *out)
{
    struct csv csv = {.out = out, .text = text, .cap = MOST_COLUMNS, .quotes = true};
    csv.row = arena_array(out->arena, struct str, csv.cap);
    if (!csv.row)
        return format_fail(out, ERR_NO_MEMORY, "the table needs more memory than the limit");
    csv.delimiter = find_delimiter(&csv);
    csv.at = 0;
    csv.quotes = true;
    size_t n_cols = widest(&csv), n_rows = 0, cap = 0, n_cut = 0;
    struct str *cells = NULL;
    for (size_t n; format_go_on(out) && (n = next_row(&csv)) > 0;) {
        n_cut += n > n_cols;
        if (n_rows > out->limits->blocks)
            return format_fail(out, ERR_TOO_LARGE, "it has more rows than the limit of %zu",
                               out->limits->blocks);
        if (!keep_row(&csv, &cells, &cap, n_rows++, n_cols, n))
            return format_fail(out, ERR_NO_MEMORY, "the table needs more memory than the limit");
    }
    if (out->err)
        return out->err;
    if (!csv.quotes)
        format_note(out, "a quote is never closed: from there on quotes were read as they stand");
    if (n_cut)
        format_note(out, "%zu rows have more than %zu columns: the rest was left out", n_cut,
                    n_cols);
    format_rows(out, cells, n_rows, n_cols);
    return out->err;
}

const struct format_reader format_reader_csv = {
    .name = "csv",
    .suffixes = " csv tsv tab ",
    .text = true,
    .detect = detect,
    .read = read_csv,
};
