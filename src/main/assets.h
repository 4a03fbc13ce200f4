/*
 * main/assets - the built console, embedded by tools/embed.mjs.
 */
#ifndef MAIN_ASSETS_H
#define MAIN_ASSETS_H

#include "core/str.h"

struct asset {
    const char *path; /* "/assets/console-3f2a.js", sorted bytewise over the table */
    const char *content_type;
    const char *etag; /* without quotes */
    struct str bytes;
    struct str gzip; /* len 0 when compressing does not help */
    bool immutable;  /* the name holds the content's hash */
};

extern const struct asset assets[]; /* n_assets of them; 0 when the console was not built */
extern const size_t n_assets;

/* NULL when there is none at that path. */
const struct asset *asset_find(struct str path);

#endif
