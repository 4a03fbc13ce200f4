/*
 * formats/pack - reading zip archives in memory; the only file that sees libzip.
 *
 * Sizes that an archive declares are never trusted: every read counts what comes out, against the
 * limit of the entry, of the archive as a whole and of its ratio to the packed bytes. Names are
 * labels and never become paths on disk.
 */
#ifndef FORMATS_PACK_H
#define FORMATS_PACK_H

#include "core/str.h"

struct arena;
struct format_limits;
struct pack;

struct pack_entry {
    struct str name; /* UTF-8, '/' between folders, no "..", no '/' in front; in the pack's arena */
    bool folder;
    bool link;   /* a symbolic link */
    bool locked; /* encrypted */
};

bool pack_is(struct str bytes); /* by the first bytes */

/* `bytes` and `limits` are borrowed for the life of `arena`, which closes the pack. ERR_INVALID:
 * broken or cut off. */
ERR_MUST_USE enum err pack_open(struct str bytes, const struct format_limits *limits,
                                struct arena *arena, struct pack **out, struct why *why);
size_t pack_count(const struct pack *pack);
ERR_MUST_USE enum err pack_at(struct pack *pack, size_t i, struct pack_entry *out, struct why *why);
/* The entry of exactly that name, or -1. */
int64_t pack_find(const struct pack *pack, const char *name);
bool pack_has_folder(const struct pack *pack, const char *name); /* "word/" */

/* The content of an entry, at most `most` bytes (ERR_TOO_LARGE). ERR_UNSUPPORTED when encrypted or
 * packed by a method that is not known, ERR_INVALID when damaged. `expanded` counts on. */
ERR_MUST_USE enum err pack_read(struct pack *pack, size_t i, size_t most, uint64_t *expanded,
                                struct arena *arena, struct str *out, struct why *why);

#endif
