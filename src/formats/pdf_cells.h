/*
 * formats/pdf_cells - characters with their places into the cells of ruled grids. Pure.
 */
#ifndef FORMATS_PDF_CELLS_H
#define FORMATS_PDF_CELLS_H

#include "core/str.h"

struct arena;
struct format_out;
struct format_table;
struct pdf_cells;
struct pdf_grid;

struct pdf_rune {
    struct str text; /* one character */
    double x1, y1, x2, y2;
};

/* `grids` are borrowed. NULL without memory or when n_grids is 0. */
struct pdf_cells *pdf_cells_new(struct arena *arena, const struct pdf_grid *grids, size_t n_grids);

/* Keeps the character when it lies in a grid, and says in which; `cells` may be NULL. */
bool pdf_cells_take(struct pdf_cells *cells, const struct pdf_rune *rune, size_t *grid);

/* The table of a grid, in out->arena; n_rows is 0 without memory. */
void pdf_cells_table(struct pdf_cells *cells, size_t grid, struct format_out *out,
                     struct format_table *table);

#endif
