/*
 * acquire/robots - what a site allows its visitors. Pure.
 *
 * Source: RFC 9309; Crawl-delay and Sitemap as the large crawlers read them. Of a file longer than
 * 500 KiB the beginning counts (sec. 2.5).
 */
#ifndef ACQUIRE_ROBOTS_H
#define ACQUIRE_ROBOTS_H

#include "core/str.h"

struct arena;

#define ROBOTS_MOST_BYTES    ((size_t)500 << 10)
#define ROBOTS_MOST_RULES    10000
#define ROBOTS_MOST_SITEMAPS 100
#define ROBOTS_MOST_DELAY_MS 60000 /* who asks for more gets this */

struct robots_rule {
    struct str path; /* with '*' and a '$' at its end */
    bool allow;
};
struct robots {
    struct robots_rule *rules; /* n_rules, of the groups for this agent */
    size_t n_rules;
    int64_t delay_ms; /* -1: not said */
    struct str *sitemaps;
    size_t n_sitemaps;
};

/* `agent` is a product token in lower case ("yicheng"). All groups that name it count, else those
 * of '*'. Strings borrow from `text`. ERR_NO_MEMORY only: a file that makes no sense allows all. */
ERR_MUST_USE enum err robots_parse(struct str text, const char *agent, struct arena *arena,
                                   struct robots *out, struct why *why);
/* Whether the path with its query may be fetched: the longest rule that fits decides, of two as
 * long the one that allows. Cost: O(rules x length of the path), also for hostile rules. */
bool robots_allows(const struct robots *robots, struct str path);

#endif
