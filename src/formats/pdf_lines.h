/*
 * formats/pdf_lines - lines with their places on pages to paragraphs and headings. Pure.
 *
 * Place in the room: poppler or recognition -> lines -> [pdf_lines] -> document. Running heads and
 * feet and page numbers go, lines are joined to paragraphs also over the end of a page, and what is
 * set in larger letters than the body becomes a heading.
 */
#ifndef FORMATS_PDF_LINES_H
#define FORMATS_PDF_LINES_H

#include "core/str.h"

struct format_out;
struct format_table;

struct pdf_line {
    struct str text;            /* one line, trimmed, not empty; of a table nothing */
    struct format_table *table; /* stands here in place of text; else NULL */
    double x1, y1, x2, y2;      /* points from the upper left corner */
    double size;                /* height of its letters */
};

struct pdf_page {
    double width, height;
    struct pdf_line *lines; /* n_lines of them, in reading order */
    size_t n_lines;
};

struct pdf_pages {
    struct pdf_page *pages; /* n_pages of them */
    size_t n_pages;
};

void pdf_lines_write(struct format_out *out, const struct pdf_pages *pages);

#endif
