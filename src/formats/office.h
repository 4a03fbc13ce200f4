/*
 * formats/office - what docx and xlsx share: parts of an Office package and its properties.
 */
#ifndef FORMATS_OFFICE_H
#define FORMATS_OFFICE_H

#include "core/str.h"

struct arena;
struct format_out;
struct markup_node;
struct pack;

/* An open package: what is needed meanwhile lives in `scratch`, which ends with out->arena. */
struct office {
    struct format_out *out;
    struct arena *scratch;
    struct pack *pack;
    uint64_t expanded;
};

enum err office_open(struct office *office, struct format_out *out, struct str bytes);
/* A part as bytes (in scratch) or as a tree; empty / NULL without error when there is none. */
struct str office_bytes(struct office *office, const char *name);
struct markup_node *office_tree(struct office *office, const char *name);
/* The path of what `base` (a part) relates to by an id, or by a type ending in `type`. "" for
 * none. */
struct str office_related(struct office *office, struct str base, struct str id, const char *type);
/* Title, author and dates from docProps/core.xml into the document. */
void office_properties(struct office *office);
/* Whether the package's main part lies in `folder` ("word/"). */
bool office_is(struct str bytes, const char *folder);

#endif
