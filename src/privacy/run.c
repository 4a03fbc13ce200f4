/* Runs of cells: where a number may begin and end, how it is grouped. */
#include <string.h>

#include "privacy/scan_in.h"

static bool is_letter(const struct cell *cell)
{
    return cell->c > '9';
}

/* Letters before digits part from them when they are a word: "tel138", not "a1b2c3". */
static bool word_before(const struct run *run, size_t first)
{
    size_t n = 0;
    for (size_t i = first; i > 0 && is_letter(&run->cells[i - 1]); i--) {
        n++;
        if (run->cells[i - 1].gap & GAP_REAL || i == 1)
            return n >= 2 && (i > 1 || !run->open_left);
    }
    return false;
}

static bool word_after(const struct run *run, size_t end)
{
    static const char *const words[] = {"QQ", "WX", "VX", "V", "TEL", "WECHAT", "EMAIL", "NAME"};
    char text[12];
    size_t n = 0;
    for (; end + n < run->n && n < sizeof text - 1 && is_letter(&run->cells[end + n]); n++)
        text[n] = run->cells[end + n].c;
    text[n] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool mixed(const struct run *run, size_t first, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if ((run->cells[first + i].flags ^ run->cells[first].flags) & CELL_HAN)
            return true;
    return false;
}

static bool borders(const struct run *run, size_t first, size_t n)
{
    const struct cell *cells = run->cells;
    size_t end = first + n;
    bool left = first ? cells[first].gap & GAP_REAL : !run->open_left;
    bool right = end < run->n ? cells[end].gap & GAP_REAL : !run->open_right;
    if (!left && first && !mixed(run, first, n))
        left = (cells[first - 1].flags ^ cells[first].flags) & CELL_HAN;
    if (!left && first && is_letter(&cells[first - 1]) && !is_letter(&cells[first]))
        left = word_before(run, first);
    if (!right && end < run->n && !mixed(run, first, n))
        right = (cells[end - 1].flags ^ cells[end].flags) & CELL_HAN;
    if (!right && end < run->n && is_letter(&cells[end]) && !is_letter(&cells[end - 1]))
        right = word_after(run, end);
    return left && right;
}

/* A number of which every character stands apart does not begin in the middle of such a series. */
static bool in_series(const struct run *run, size_t first, size_t n)
{
    const struct cell *cells = run->cells;
    uint8_t sort = cells[first + 1].gap & GAP_REAL;
    bool before = first && (cells[first].gap & GAP_REAL) == sort &&
                  (first == 1 || cells[first - 1].gap & GAP_REAL);
    size_t end = first + n;
    bool after = end < run->n && (cells[end].gap & GAP_REAL) == sort &&
                 (end + 1 == run->n || cells[end + 1].gap & GAP_REAL);
    return before || after;
}

bool run_shape(const struct run *run, size_t first, size_t n, bool digits, struct shape *out)
{
    const struct cell *cells = run->cells;
    uint8_t sort = 0;
    *out = (struct shape){.n = n, .groups = 1, .sizes = {1}, .tidy = true};
    if (n >= sizeof out->text || first + n > run->n || !borders(run, first, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct cell *cell = &cells[first + i];
        uint8_t gap = i ? cell->gap & GAP_REAL : 0;
        if (run->taken[first + i] || (digits && !cell->digit))
            return false;
        out->text[i] = digits ? cell->digit : cell->c;
        if (gap) {
            /* A line break or a bracket may stand beside marks of another sort. */
            if (sort && sort != gap && !((sort | gap) & (GAP_LINE | GAP_BRACKET)))
                out->tidy = false;
            sort = sort && sort & (GAP_LINE | GAP_BRACKET) ? sort : gap;
            out->sizes[out->groups++] = 0;
        }
        if (i)
            out->sizes[out->groups - 1]++;
    }
    out->ones = out->groups == n;
    return !out->ones || n < 2 || !in_series(run, first, n);
}

void scan_add_cells(struct scan *scan, struct run *run, size_t first, size_t n, bool digits,
                    enum privacy_kind kind, float confidence)
{
    char value[RUN_CELLS];
    size_t start = run->cells[first].start, end = run->cells[first + n - 1].end, at;
    bool bracket = false;
    for (size_t i = 0; i < n; i++) {
        const struct cell *cell = &run->cells[first + i];
        value[i] = digits && cell->digit ? cell->digit : cell->c;
        bracket = bracket || (i && cell->gap & GAP_BRACKET);
        run->taken[first + i] = 1;
    }
    uint32_t before = bracket ? letters_before(scan->text, start, 0, &at) : 0;
    if (before == '(' || before == 0xFF08)
        start = at;
    for (size_t next; letters_gap(letters_at(scan->text, end, &next)) == GAP_NOTHING;)
        end = next;
    scan_add(scan, kind, start, end, (struct str){value, n}, confidence);
}
