/*
 * acquire/page - what a crawler reads in a page beside its text: links, and what its author asks
 * for; and the lists of addresses that sites publish. Pure; the bytes are hostile.
 */
#ifndef ACQUIRE_PAGE_H
#define ACQUIRE_PAGE_H

#include "acquire/url.h"

#define PAGE_MOST_LINKS 5000

struct page_links {
    struct str *items; /* n canonical addresses, in the order of the page, each once */
    size_t n;
    struct str canonical;     /* <link rel="canonical">, or empty */
    bool no_index, no_follow; /* <meta name="robots" content="noindex, nofollow"> */
};
/* Links of <a> and <area> without rel="nofollow". One pass; no tree. ERR_NO_MEMORY. */
ERR_MUST_USE enum err page_links(struct str html, const struct url *base, struct arena *arena,
                                 struct page_links *out, struct why *why);

/* The addresses (<loc>) of a sitemap, or the lines of a plain one; is_index when they are sitemaps
 * again. Source: sitemaps.org protocol 0.9. At most `most`. */
ERR_MUST_USE enum err page_sitemap(struct str text, const struct url *base, size_t most,
                                   struct arena *arena, struct str **out, size_t *n, bool *is_index,
                                   struct why *why);

#endif
