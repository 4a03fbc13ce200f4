/*
 * knowledge/chunk - cut prose into passages that can be retrieved on their own.
 *
 * Place in the room: parse -> [chunk] -> index -> retrieve -> answer. Pure: no I/O, no locks, no
 * clock; the same text and options give the same passages.
 */
#ifndef KNOWLEDGE_CHUNK_H
#define KNOWLEDGE_CHUNK_H

#include "core/str.h"

struct arena;

#define CHUNK_MIN_BYTES 64

struct chunk_opts {
    size_t max_bytes;     /* at least CHUNK_MIN_BYTES */
    size_t overlap_bytes; /* repeated from the passage before; at most max_bytes / 4 */
};

struct chunk {
    size_t start; /* byte offset into the text, always at a character's first byte */
    size_t len;   /* bytes, 1 .. max_bytes */
};

struct chunks {
    struct chunk *items; /* n of them, in text order, none contained in another */
    size_t n;
};

/*
 * Cuts `text` at a line's or sentence's end where one falls in the second half of the window, else
 * at the last whole character. The overlap, too, begins at a sentence where there is one.
 *
 *   Shape   every byte of text is in some passage; an empty text gives n == 0
 *   Units   bytes (a CJK character is 3), so that limits match storage and the index
 *   Owner   out->items lives in `arena`; text is borrowed for the call
 *   Errors  ERR_INVALID    options out of range, or text is not UTF-8 (why says where)
 *           ERR_NO_MEMORY  arena limit reached; *out is left untouched
 *   Cost    one pass, O(text.len); items of 16 bytes each
 *   Source  Lewis et al. 2020, arXiv:2005.11401 sec. 3 (fixed-size passages); the overlap and the
 *           sentence rule are ours
 */
ERR_MUST_USE enum err chunk_text(struct str text, const struct chunk_opts *opts,
                                 struct arena *arena, struct chunks *out, struct why *why);

#endif
