#include "formats/markup.h"

#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <pthread.h>
#include <string.h>

#include "core/arena.h"
#include "formats/reader.h"

#define MOST_DEPTH 250 /* libxml2's own limit for XML is 256 */
#define MOST_ATTRS 256
#define CHUNK      (64 << 10)

/* What the callbacks work on. */
struct parse {
    struct format_out *out;
    const struct markup_events *events;
    void *ctx;
    xmlParserCtxtPtr parser;
    int depth;
    bool stopped;
};

/* Held for reading by who parses, for writing by who forks, who goes first. */
static pthread_rwlock_t forking = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

/* Set in the child, which is one thread and forks no more. The lock knows its writer by the
 * thread's number, which is another there: it could not be given back, and there is nobody to keep
 * out. */
static bool alone;

void markup_before_fork(void)
{
    (void)pthread_rwlock_wrlock(&forking);
}

void markup_after_fork(bool child)
{
    if (child)
        alone = true;
    else
        (void)pthread_rwlock_unlock(&forking);
}

static struct str of(const xmlChar *s)
{
    return str_c((const char *)s);
}

static void stop(struct parse *p)
{
    p->stopped = true;
    xmlStopParser(p->parser);
}

/* Whether to go on after an event. */
static void check(struct parse *p, bool more)
{
    if (!p->stopped && (!more || !format_go_on(p->out)))
        stop(p);
}

static void started(struct parse *p, struct str name, const struct markup_attr *attrs, size_t n)
{
    if (p->stopped)
        return;
    if (++p->depth > MOST_DEPTH) {
        (void)format_fail(p->out, ERR_INVALID, "its elements nest deeper than %d levels",
                          MOST_DEPTH);
        stop(p);
        return;
    }
    check(p, p->events->start(p->ctx, name, attrs, n));
}

static void ended(struct parse *p, struct str name)
{
    p->depth--;
    if (!p->stopped)
        check(p, p->events->end(p->ctx, name));
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
    struct parse *p = ctx;
    if (!p->stopped && len > 0)
        check(p, p->events->text(p->ctx, (struct str){(const char *)text, (size_t)len}));
}

static void on_start_xml(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                         int n_spaces, const xmlChar **spaces, int n_attrs, int n_default,
                         const xmlChar **values)
{
    struct markup_attr attrs[MOST_ATTRS];
    size_t n = 0;
    (void)prefix, (void)uri, (void)n_spaces, (void)spaces, (void)n_default;
    for (int i = 0; i < n_attrs && n < MOST_ATTRS; i++) {
        const xmlChar **a = values + (ptrdiff_t)i * 5; /* name, prefix, uri, value, its end */
        attrs[n++] = (struct markup_attr){of(a[0]), {(const char *)a[3], (size_t)(a[4] - a[3])}};
    }
    started(ctx, of(name), attrs, n);
}

static void on_end_xml(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    (void)prefix, (void)uri;
    ended(ctx, of(name));
}

static void on_start_html(void *ctx, const xmlChar *name, const xmlChar **values)
{
    struct markup_attr attrs[MOST_ATTRS];
    size_t n = 0;
    for (; values && values[0] && n < MOST_ATTRS; values += 2)
        attrs[n++] = (struct markup_attr){of(values[0]), of(values[1])};
    started(ctx, of(name), attrs, n);
}

static void on_end_html(void *ctx, const xmlChar *name)
{
    ended(ctx, of(name));
}

static xmlEntityPtr only_predefined(void *ctx, const xmlChar *name)
{
    (void)ctx;
    return xmlGetPredefinedEntity(name);
}

static void quiet(void *ctx, const char *format, ...)
{
    (void)ctx, (void)format;
}

/* No handler for declarations: a DTD's entities are never stored, so they cannot expand. */
static xmlSAXHandler handler_for(enum markup_kind kind)
{
    xmlSAXHandler sax;
    memset(&sax, 0, sizeof sax);
    sax.initialized = kind == MARKUP_XML ? XML_SAX2_MAGIC : 1;
    sax.characters = on_text;
    sax.ignorableWhitespace = on_text;
    sax.cdataBlock = kind == MARKUP_XML ? on_text : NULL; /* of HTML: scripts and styles */
    sax.getEntity = only_predefined;
    sax.warning = quiet;
    sax.error = quiet;
    if (kind == MARKUP_XML) {
        sax.startElementNs = on_start_xml;
        sax.endElementNs = on_end_xml;
    } else {
        sax.startElement = on_start_html;
        sax.endElement = on_end_html;
    }
    return sax;
}

static void no_memory(struct format_out *out)
{
    (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
}

/* Words for a parse that libxml2 gave up. */
static void explain(struct parse *p)
{
    const xmlError *error = xmlCtxtGetLastError(p->parser);
    char words[120] = "broken";
    if (error && error->message)
        (void)snprintf(words, sizeof words, "%s", error->message);
    words[strcspn(words, "\n")] = '\0';
    (void)format_fail(p->out, ERR_INVALID, "its XML is broken at line %d: %s",
                      error ? error->line : 0, words);
}

static void feed(struct parse *p, enum markup_kind kind, struct str bytes)
{
    for (size_t at = 0; at < bytes.len && !p->stopped && format_go_on(p->out);) {
        int n = (int)(bytes.len - at < CHUNK ? bytes.len - at : CHUNK);
        bool last = at + (size_t)n == bytes.len;
        if (kind == MARKUP_HTML)
            (void)htmlParseChunk(p->parser, bytes.ptr + at, n, last);
        else if (xmlParseChunk(p->parser, bytes.ptr + at, n, last) != 0 && !p->stopped)
            break;
        at += (size_t)n;
    }
}

static void parse_all(struct parse *p, enum markup_kind kind, struct str bytes)
{
    /* libxml2 makes its tables at the first use, which two threads must not share. */
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, xmlInitParser);
    xmlSAXHandler sax = handler_for(kind);
    p->parser = kind == MARKUP_HTML
                    ? htmlCreatePushParserCtxt(&sax, p, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8)
                    : xmlCreatePushParserCtxt(&sax, p, NULL, 0, NULL);
    if (!p->parser) {
        no_memory(p->out);
        return;
    }
    if (kind == MARKUP_HTML)
        (void)htmlCtxtUseOptions(p->parser, HTML_PARSE_NONET | HTML_PARSE_NOERROR |
                                                HTML_PARSE_NOWARNING | HTML_PARSE_IGNORE_ENC);
    else
        (void)xmlCtxtUseOptions(p->parser, XML_PARSE_NONET | XML_PARSE_NOERROR |
                                               XML_PARSE_NOWARNING | XML_PARSE_NOCDATA |
                                               XML_PARSE_COMPACT);
    feed(p, kind, bytes);
    if (kind == MARKUP_XML && !p->stopped && !p->out->err && !p->parser->wellFormed)
        explain(p);
    if (p->parser->myDoc)
        xmlFreeDoc(p->parser->myDoc);
    p->parser->myDoc = NULL;
    xmlFreeParserCtxt(p->parser);
}

enum err markup_stream(struct format_out *out, enum markup_kind kind, struct str bytes,
                       const struct markup_events *events, void *ctx)
{
    struct parse p = {.out = out, .events = events, .ctx = ctx};
    if (out->err || bytes.len == 0)
        return out->err;
    if (!alone)
        (void)pthread_rwlock_rdlock(&forking);
    parse_all(&p, kind, bytes);
    if (!alone)
        (void)pthread_rwlock_unlock(&forking);
    return out->err;
}

/* ---- the tree ---- */

struct growing {
    struct format_out *out;
    struct arena *arena;
    struct markup_node *at;
};

static struct markup_node *append(struct growing *g)
{
    struct markup_node *node = arena_one(g->arena, struct markup_node);
    if (!node) {
        no_memory(g->out);
        return NULL;
    }
    node->parent = g->at;
    node->depth = g->at->depth + 1;
    if (g->at->last)
        g->at->last->next = node;
    else
        g->at->first = node;
    g->at->last = node;
    return node;
}

static bool grow_start(void *ctx, struct str name, const struct markup_attr *attrs, size_t n_attrs)
{
    struct growing *g = ctx;
    struct markup_node *node = append(g);
    if (!node)
        return false;
    struct markup_attr *kept = n_attrs ? arena_array(g->arena, struct markup_attr, n_attrs) : NULL;
    node->name = str_copy(g->arena, name);
    for (size_t i = 0; i < n_attrs && kept; i++)
        kept[i] = (struct markup_attr){str_copy(g->arena, attrs[i].name),
                                       str_copy(g->arena, attrs[i].value)};
    if (!node->name.ptr || (n_attrs && !kept)) {
        no_memory(g->out);
        return false;
    }
    node->attrs = kept;
    node->n_attrs = n_attrs;
    g->at = node;
    return true;
}

static bool grow_end(void *ctx, struct str name)
{
    struct growing *g = ctx;
    (void)name;
    if (g->at->parent)
        g->at = g->at->parent;
    return true;
}

static bool grow_text(void *ctx, struct str text)
{
    struct growing *g = ctx;
    struct markup_node *node = append(g);
    if (!node)
        return false;
    node->text = str_copy(g->arena, text);
    if (!node->text.ptr)
        no_memory(g->out);
    return node->text.ptr != NULL;
}

struct markup_node *markup_tree(struct format_out *out, enum markup_kind kind, struct str bytes,
                                struct arena *arena)
{
    static const struct markup_events events = {grow_start, grow_end, grow_text};
    struct markup_node *root = arena_one(arena, struct markup_node);
    struct growing g = {out, arena, root};
    if (!root) {
        no_memory(out);
        return NULL;
    }
    return markup_stream(out, kind, bytes, &events, &g) ? NULL : root;
}

struct str markup_attr(const struct markup_attr *attrs, size_t n_attrs, const char *name)
{
    for (size_t i = 0; i < n_attrs; i++) {
        if (str_eq_c(attrs[i].name, name))
            return attrs[i].value;
    }
    return STR_NONE;
}

struct str markup_get(const struct markup_node *node, const char *name)
{
    return node ? markup_attr(node->attrs, node->n_attrs, name) : STR_NONE;
}

struct markup_node *markup_child(const struct markup_node *node, const char *name)
{
    struct markup_node *child = node ? node->first : NULL;
    while (child && !str_eq_c(child->name, name))
        child = child->next;
    return child;
}

struct markup_node *markup_next(const struct markup_node *top, const struct markup_node *node)
{
    if (node->first)
        return node->first;
    while (node != top && !node->next)
        node = node->parent;
    return node == top ? NULL : node->next;
}

void markup_text(const struct markup_node *node, struct buf *buf)
{
    for (const struct markup_node *n = node; n; n = markup_next(node, n)) {
        if (n->text.len)
            buf_add(buf, n->text);
    }
}
