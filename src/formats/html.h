/* formats/html - HTML fragments into the document being written; shared by html and md. */
#ifndef FORMATS_HTML_H
#define FORMATS_HTML_H

#include "core/str.h"

struct format_out;

/* Adds the blocks of a fragment or a page; title and meta are left alone. */
enum err format_html_blocks(struct format_out *out, struct str html);

#endif
