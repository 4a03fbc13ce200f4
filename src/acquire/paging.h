/*
 * acquire/paging - how one gets from a page of an API to the next. Pure; answers are hostile.
 *
 *     by      the next page is
 *     none    there is one page only
 *     page    page_param + 1, until a page is empty
 *     offset  offset_param + number of items, until a page is empty
 *     cursor  cursor_param = what stands at cursor_path, until that is empty
 *     next    the address that stands at next_path, until that is empty
 *     link    the address in the header Link with rel="next" (RFC 8288)
 *
 * An end is also a page that is the same as the one before, and an address or cursor that was there
 * before: servers that ignore a parameter or go in circles do not hold a collector for ever.
 */
#ifndef ACQUIRE_PAGING_H
#define ACQUIRE_PAGING_H

#include "acquire/url.h"
#include "core/json.h"
#include "core/map.h"

enum paging_by { PAGING_NONE, PAGING_PAGE, PAGING_OFFSET, PAGING_CURSOR, PAGING_NEXT, PAGING_LINK };
struct paging {
    enum paging_by by;
    struct str url,
        body;         /* body: of a POST; both may hold {page} {offset} {cursor} {since} {size} */
    struct str param; /* name of the parameter of page, offset or cursor; may be empty */
    struct str size_param;         /* may be empty */
    struct str since_param, since; /* may be empty */
    struct str path;               /* of the cursor or the next address */
    int64_t first, size;           /* number of the first page; items a page */
};
/* Where one is; what a mark holds. Strings live in the arena that was passed. */
struct paging_place {
    int64_t page, offset;
    struct str cursor, url; /* url: of the next page, when the server said it */
    int64_t n_pages;        /* seen so far */
    uint64_t last;          /* hash of the page before */
};

bool paging_by_parse(struct str name, enum paging_by *out);
void paging_begin(const struct paging *paging, struct paging_place *out);
/* The address of the page at `place`, and the body when there is one. ERR_NO_MEMORY, or ERR_INVALID
 * when it is none. */
ERR_MUST_USE enum err paging_request(const struct paging *paging, const struct paging_place *place,
                                     struct arena *arena, struct str *url, struct str *body,
                                     struct why *why);
/* From the answer to the place behind it; *more false: this was the last. `seen` holds what was met
 * (its arena outlives the walk); `link` the header's value, or empty. */
ERR_MUST_USE enum err paging_next(const struct paging *paging, const struct json *answer,
                                  struct str answer_text, struct str link, size_t n_items,
                                  struct map *seen, struct paging_place *place, bool *more,
                                  struct why *why);
/* The address with rel="next" of a Link header; ptr NULL when there is none. */
struct str paging_link(struct str header);

void paging_place_json(const struct paging_place *place, struct json_out *out);
void paging_place_read(const struct json *json, struct paging_place *out);

#endif
