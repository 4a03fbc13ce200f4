/*
 * formats/markup - XML and HTML as a tree in an arena or as a stream of events; the only file that
 * sees libxml2.
 *
 * Nothing is fetched and no entity is expanded: of the entities only the five of XML (and the named
 * characters of HTML) are known, so no document can grow while it is read. Depth is limited.
 */
#ifndef FORMATS_MARKUP_H
#define FORMATS_MARKUP_H

#include "core/str.h"

struct arena;
struct format_out;

enum markup_kind { MARKUP_XML, MARKUP_HTML };

struct markup_attr {
    struct str name, value; /* name without its namespace's prefix; of HTML in lower case */
};

/* An element, or a text (name empty). Names and texts are UTF-8 in the arena. */
struct markup_node {
    struct str name; /* without the prefix */
    struct str text; /* of a text node */
    const struct markup_attr *attrs;
    size_t n_attrs;
    struct markup_node *parent, *first, *last, *next;
    int depth; /* of the root 0 */
};

/*
 * The tree, or an error put into `out` (ERR_INVALID: broken XML or too deep; ERR_TIMEOUT;
 * ERR_NO_MEMORY) and NULL. The root is a node without name above the document's element.
 * Broken HTML is repaired; HTML must be UTF-8, XML says its encoding itself.
 */
struct markup_node *markup_tree(struct format_out *out, enum markup_kind kind, struct str bytes,
                                struct arena *arena);

/* Events instead of a tree, for parts that may be large. Strings live until the call returns.
 * Stops early, without error, when one returns false. */
struct markup_events {
    bool (*start)(void *ctx, struct str name, const struct markup_attr *attrs, size_t n_attrs);
    bool (*end)(void *ctx, struct str name);
    bool (*text)(void *ctx, struct str text);
};
enum err markup_stream(struct format_out *out, enum markup_kind kind, struct str bytes,
                       const struct markup_events *events, void *ctx);

/* Around a fork: libxml2 keeps locks of its own, and a child born while another thread holds one
 * would wait for ever. Waits for the parsing under way; after_fork is for parent and child. */
void markup_before_fork(void);
void markup_after_fork(bool child);

/* The value of an attribute, or the empty str. */
struct str markup_attr(const struct markup_attr *attrs, size_t n_attrs, const char *name);
struct str markup_get(const struct markup_node *node, const char *name);
/* The first child with that name, or NULL; `node` may be NULL. */
struct markup_node *markup_child(const struct markup_node *node, const char *name);
/* Next node in document order below `top`, or NULL at its end; begin with node = top. */
struct markup_node *markup_next(const struct markup_node *top, const struct markup_node *node);
/* Appends all text below the node. */
void markup_text(const struct markup_node *node, struct buf *buf);

#endif
