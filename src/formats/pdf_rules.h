/*
 * formats/pdf_rules - the ruled tables of a page, found in its picture. Pure.
 *
 * A pdf does not say that something is a table; its lines do. Long dark runs of pixels are rules,
 * rules that touch make a grid, and cells without a rule between them are one merged cell. Tables
 * without vertical rules are not found: their text is read as lines.
 */
#ifndef FORMATS_PDF_RULES_H
#define FORMATS_PDF_RULES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct pdf_grid {
    size_t n_rows, n_cols;
    double *xs, *ys; /* edges from left to right (n_cols + 1) and down (n_rows + 1), in points */
    size_t *merged;  /* (n_rows, n_cols): index of the first cell of the merged cell it is in */
};

/* Grids of at least two columns in pixels of 0xXXRRGGBB (`stride` bytes a row, `scale` pixels a
 * point). n_grids is 0 when there are none, when there is no memory, or when the page is a drawing
 * rather than a table. */
void pdf_rules_find(const unsigned char *pixels, int width, int height, int stride, double scale,
                    struct arena *arena, struct pdf_grid **grids, size_t *n_grids);

/* The merged cell at a point, as the index of its first cell; false outside the grid. */
bool pdf_grid_at(const struct pdf_grid *grid, double x, double y, size_t *cell);

#endif
