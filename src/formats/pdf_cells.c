#include "formats/pdf_cells.h"

#include <math.h>
#include <stdlib.h>

#include "core/arena.h"
#include "formats/pdf_rules.h"
#include "formats/reader.h"

/* A character in a cell: sorted by cell, line and place it gives the cell's text. */
struct kept {
    size_t cell;
    int line; /* within the cell */
    double x, y, size;
    struct str text;
};

struct heap {
    struct kept *items;
    size_t n, cap;
};

struct pdf_cells {
    struct arena *arena;
    const struct pdf_grid *grids;
    size_t n_grids;
    struct heap *heaps; /* n_grids of them */
};

struct pdf_cells *pdf_cells_new(struct arena *arena, const struct pdf_grid *grids, size_t n_grids)
{
    struct pdf_cells *cells = n_grids ? arena_one(arena, struct pdf_cells) : NULL;
    if (!cells)
        return NULL;
    *cells = (struct pdf_cells){arena, grids, n_grids, arena_array(arena, struct heap, n_grids)};
    return cells->heaps ? cells : NULL;
}

static bool keep(struct pdf_cells *cells, struct heap *heap, const struct kept *item)
{
    if (heap->n == heap->cap) {
        size_t cap = heap->cap ? heap->cap * 2 : 128;
        struct kept *grown =
            arena_grow(cells->arena, heap->items, heap->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return false;
        heap->items = grown;
        heap->cap = cap;
    }
    heap->items[heap->n++] = *item;
    return true;
}

bool pdf_cells_take(struct pdf_cells *cells, const struct pdf_rune *rune, size_t *grid)
{
    struct kept item = {.x = rune->x1,
                        .y = (rune->y1 + rune->y2) / 2,
                        .size = rune->y2 - rune->y1,
                        .text = rune->text};
    for (size_t i = 0; cells && i < cells->n_grids; i++) {
        if (pdf_grid_at(&cells->grids[i], (rune->x1 + rune->x2) / 2, item.y, &item.cell)) {
            *grid = i;
            return keep(cells, &cells->heaps[i], &item);
        }
    }
    return false;
}

static int by_cell_then_height(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    return x->y < y->y ? -1 : x->y > y->y;
}

static int by_line_then_place(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->x < y->x ? -1 : x->x > y->x;
}

/* Characters less than half a letter apart in height stand in one line. */
static void number_lines(struct heap *heap)
{
    double top = 0;
    qsort(heap->items, heap->n, sizeof *heap->items, by_cell_then_height);
    for (size_t i = 0; i < heap->n; i++) {
        struct kept *k = &heap->items[i];
        const struct kept *before = i ? k - 1 : NULL;
        bool same = before && before->cell == k->cell;
        if (!same || k->y - top > k->size * 0.5) {
            k->line = same ? before->line + 1 : 0;
            top = k->y;
        } else {
            k->line = before->line;
        }
    }
    qsort(heap->items, heap->n, sizeof *heap->items, by_line_then_place);
}

/* The text of the cell whose characters begin at *at; *at moves behind them. */
static struct str cell_text(const struct heap *heap, size_t *at, struct format_out *out)
{
    size_t cell = heap->items[*at].cell;
    struct buf text, line;
    buf_init(&text, out->arena);
    buf_init(&line, out->arena);
    while (*at < heap->n && heap->items[*at].cell == cell) {
        int number = heap->items[*at].line;
        buf_clear(&line);
        for (; *at < heap->n && heap->items[*at].cell == cell && heap->items[*at].line == number;
             ++*at)
            buf_add(&line, heap->items[*at].text);
        format_join(&text, buf_str(&line));
    }
    return format_squeeze(out, buf_str(&text));
}

void pdf_cells_table(struct pdf_cells *cells, size_t grid, struct format_out *out,
                     struct format_table *table)
{
    const struct pdf_grid *g = &cells->grids[grid];
    struct heap *heap = &cells->heaps[grid];
    size_t n = g->n_rows * g->n_cols;
    *table = (struct format_table){.cells = arena_array(out->arena, struct str, n)};
    if (!table->cells)
        return;
    number_lines(heap);
    for (size_t at = 0; at < heap->n && format_go_on(out);) {
        size_t cell = heap->items[at].cell;
        table->cells[cell] = cell_text(heap, &at, out);
    }
    for (size_t i = 0; i < n; i++)
        table->cells[i] = table->cells[g->merged[i]];
    table->n_rows = g->n_rows;
    table->n_cols = g->n_cols;
    table->has_header = format_looks_like_header(table->cells, g->n_rows, g->n_cols);
}
