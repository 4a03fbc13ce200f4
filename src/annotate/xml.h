/*
 * annotate/xml - just enough XML to read a labelling configuration from somebody else.
 *
 * Elements and attributes; text is passed over. No document type, no entities but the five of XML
 * and numbers, so nothing can grow while it is read or reach outside. Pure.
 */
#ifndef ANNOTATE_XML_H
#define ANNOTATE_XML_H

#include "core/str.h"

struct arena;

#define XML_MOST_BYTES ((size_t)1 << 20)
#define XML_MOST_NODES 20000
#define XML_MOST_ATTRS 64
#define XML_DEPTH      32

struct xml_attr {
    struct str name, value;
};
struct xml_node {
    struct str name;
    struct xml_attr *attrs; /* n_attrs */
    size_t n_attrs;
    struct xml_node *first, *last, *next; /* children; the one behind */
};

/* The document's element. ERR_INVALID says at which byte it is broken, a document type included;
 * ERR_TOO_LARGE beyond the limits above. */
ERR_MUST_USE enum err xml_read(struct str text, struct arena *arena, struct xml_node **out,
                               struct why *why);
/* The attribute, or the empty str. */
struct str xml_get(const struct xml_node *node, const char *name);

#endif
