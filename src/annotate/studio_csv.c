/* Label Studio's exports as CSV and TSV: a row is the short export with its lists as JSON texts. */
#include <string.h>

#include "annotate/studio.h"
#include "core/arena.h"
#include "core/json.h"

#define MOST_COLUMNS 500

/* RFC 4180, with any separator; *at behind the row. A quoted cell keeps its line ends. False when a
 * quote is not closed. */
static bool next_row(struct str text, size_t *at, char separator, struct arena *arena,
                     struct str *cells, size_t *n)
{
    *n = 0;
    for (bool more = true; more && *at <= text.len && *n < MOST_COLUMNS;) {
        struct buf buf;
        buf_init(&buf, arena);
        bool quoted = *at < text.len && text.ptr[*at] == '"', closed = !quoted;
        *at += quoted;
        for (; *at < text.len; ++*at) {
            char c = text.ptr[*at];
            if (quoted && !closed && c == '"') {
                bool twice = *at + 1 < text.len && text.ptr[*at + 1] == '"';
                *at += twice;
                closed = !twice;
                if (closed)
                    continue;
            } else if (closed && (c == separator || c == '\n' || c == '\r')) {
                break;
            }
            buf_char(&buf, c);
        }
        if (!closed)
            return false;
        cells[(*n)++] = buf.len ? buf_str(&buf) : STR("");
        more = *at < text.len && text.ptr[*at] == separator;
        *at += more;
    }
    while (*at < text.len && text.ptr[*at] != '\n')
        ++*at;
    *at += *at < text.len;
    return true;
}

static struct str begin_of(struct str text)
{
    return str_starts(text, STR("\xEF\xBB\xBF")) ? str_from(text, 3) : text;
}

bool studio_is_table(struct str text)
{
    text = begin_of(text);
    struct str line = STR(""), head = str_trim(str_slice(text, 0, text.len < 64 ? text.len : 64));
    (void)str_next_line(&text, &line);
    return head.len && head.ptr[0] != '[' && head.ptr[0] != '{' &&
           (str_find_char(line, ',') != STR_NPOS || str_find_char(line, '\t') != STR_NPOS);
}

static bool is_number_of(struct str name, const struct labels *labels)
{
    static const char *const own[] = {"id", "annotation_id", "annotator", "lead_time"};
    const struct field *f = labels_field(labels, name);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (str_eq_c(name, own[i]))
            return true;
    return f && (f->kind == FIELD_RATING || f->kind == FIELD_NUMBER);
}

/* Lists and objects are JSON there, other answers their plain words; numbers only where a number
 * is meant. */
static void put_cell(struct json_out *out, struct str name, struct str cell,
                     const struct labels *labels, struct arena *arena)
{
    const struct json *json = NULL;
    char *key = str_z(arena, name);
    struct str trimmed = str_trim(cell);
    if (!key || !name.len || !trimmed.len)
        return;
    bool field = labels_field(labels, name) != NULL;
    bool maybe =
        (field && (trimmed.ptr[0] == '[' || trimmed.ptr[0] == '{')) || is_number_of(name, labels);
    json_key(out, key);
    if (maybe && json_parse(trimmed, arena, &json, NULL) == ERR_OK)
        json_put_value(out, json);
    else
        json_put_str(out, cell);
}

static enum err check_names(const struct str *names, size_t n, struct why *why)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < names[i].len; k++)
            if ((unsigned char)names[i].ptr[k] < 0x20) /* a name would end there */
                return err_set(why, ERR_INVALID, "the head of the table cannot be read");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (names[i].len && str_eq(names[i], names[k]))
                return err_set(why, ERR_INVALID, "two columns are called \"%.*s\"",
                               (int)(names[i].len < 120 ? names[i].len : 120), names[i].ptr);
    return ERR_OK;
}

enum err studio_table(struct str text, const struct labels *labels, struct arena *arena,
                      struct str *lines, struct why *why)
{
    struct buf buf;
    size_t at = 0, n_names = 0, n = 0;
    struct str *names = arena_array(arena, struct str, MOST_COLUMNS);
    struct str *cells = arena_array(arena, struct str, MOST_COLUMNS);
    text = begin_of(text);
    struct str rest = text, head = STR("");
    (void)str_next_line(&rest, &head);
    char separator = str_find_char(head, '\t') != STR_NPOS ? '\t' : ',';
    buf_init(&buf, arena);
    if (!names || !cells || !next_row(text, &at, separator, arena, names, &n_names))
        return err_set(why, ERR_INVALID, "the head of the table cannot be read");
    enum err err = check_names(names, n_names, why);
    if (err)
        return err;
    for (size_t row = 1; at < text.len; row++) {
        struct json_out out;
        if (!next_row(text, &at, separator, arena, cells, &n))
            return err_set(why, ERR_INVALID, "a quote of row %zu is not closed", row);
        if (n == 1 && !cells[0].len)
            continue; /* an empty line */
        if (n != n_names)
            return err_set(why, ERR_INVALID, "row %zu has %zu cells, the head %zu", row, n,
                           n_names);
        json_out_init(&out, &buf);
        json_begin_object(&out);
        for (size_t i = 0; i < n; i++)
            put_cell(&out, names[i], cells[i], labels, arena);
        json_end_object(&out);
        buf_char(&buf, '\n');
    }
    *lines = buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}
