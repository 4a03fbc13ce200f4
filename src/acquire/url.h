/*
 * acquire/url - addresses of the web: taken apart, resolved, made canonical. Pure.
 *
 * Source: RFC 3986 sec. 5.2 (resolving), 6.2.2 and 6.2.3 (normalizing). http and https only; user
 * names in addresses are refused, for they would end in papers and logs.
 */
#ifndef ACQUIRE_URL_H
#define ACQUIRE_URL_H

#include "core/str.h"

struct arena;

#define URL_MOST 2048 /* bytes; longer ones are traps */

struct url {
    struct str scheme, host; /* lower case; an IPv6 host without its brackets */
    int port;                /* the scheme's own when none is given */
    struct str path, query;  /* path begins with '/'; query without '?' (ptr NULL: none) */
};

/* ERR_INVALID with words; `text` may hold spaces at its ends. Strings live in `arena`. */
ERR_MUST_USE enum err url_parse(struct str text, struct arena *arena, struct url *out,
                                struct why *why);
/* The canonical form: no fragment, no port of the scheme's own, no dot segments, percent signs in
 * capitals and only where they must be, no session ids and no marks of advertisers. ptr NULL: no
 * memory. */
struct str url_text(const struct url *url, struct arena *arena);
/* `reference` as it stands in a page at `base`: canonical text, ptr NULL when it leads to nothing
 * that can be fetched (mailto:, javascript:, "#...", too long). */
struct str url_resolve(const struct url *base, struct str reference, struct arena *arena);
/* scheme://host[:port] */
struct str url_origin(const struct url *url, struct arena *arena);
bool url_same_origin(const struct url *a, const struct url *b);

#endif
