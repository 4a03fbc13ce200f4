/*
 * release/capsule - a sealed stream for one receiver: written and read in parts, bounded memory.
 *
 * crypt -> [capsule] -> export, capsules. Knows no store: counts and end dates stand in its head
 * for people to read, and are enforced by the centre that holds the receiver's key (capsules.c).
 * Whoever has that secret key outside a centre can open the capsule as often as he likes: no format
 * can prevent that, and this one does not claim to.
 *
 *     "YCCAPS1\n"  8 bytes
 *     n            4 bytes, big endian: length of the head, at most CAPSULE_MOST_HEAD
 *     head         JSON, below
 *     chunks       each 4 bytes big endian (bit 31: this is the last; else the number of bytes),
 *                  the sealed bytes, the tag. All but the last have CAPSULE_CHUNK bytes.
 *
 * The SHA-256 of everything before the chunks is bound into each of them, as are its number and
 * whether it is the last: what is cut, changed, put in or swapped does not open. Nothing may follow
 * the last chunk. What was read before a fault is found was true; a reader must throw it away all
 * the same when the end does not come (export.c extracts beside, then renames).
 */
#ifndef RELEASE_CAPSULE_H
#define RELEASE_CAPSULE_H

#include "core/str.h"
#include "release/crypt.h"

struct arena;

#define CAPSULE_CHUNK     ((size_t)64 << 10)
#define CAPSULE_MOST_HEAD ((size_t)16 << 10)

struct capsule_head {
    struct str id, release, title;
    struct str from, to; /* tenants */
    struct str to_key;   /* id of the key that it is closed for */
    struct str manifest; /* SHA-256 of the release's manifest, hex */
    enum crypt_suite suite;
    int64_t uses;                /* openings allowed, 0: no limit */
    int64_t ends_ms, created_ms; /* ends 0: no end */
    struct str wrapped;          /* the content key; set by the writer */
};

typedef enum err capsule_put_fn(void *ctx, struct str bytes, struct why *why);
/* At most n bytes into ptr, *got of them; 0 at the end. */
typedef enum err capsule_get_fn(void *ctx, char *ptr, size_t n, size_t *got, struct why *why);

struct capsule_writer;
/* Closes it for `public_der` (of the kind that the suite asks for) and puts the head. */
ERR_MUST_USE enum err capsule_begin(const struct capsule_head *head, struct str public_der,
                                    capsule_put_fn *put, void *ctx, struct capsule_writer **out,
                                    struct why *why);
ERR_MUST_USE enum err capsule_add(struct capsule_writer *writer, struct str bytes, struct why *why);
ERR_MUST_USE enum err capsule_end(struct capsule_writer *writer, struct why *why);
void capsule_writer_free(struct capsule_writer *writer); /* NULL is fine */

struct capsule_reader;
/* Reads the head. ERR_INVALID when it is no capsule; ERR_CORRUPT for a head that is damaged. The
 * head is not proved before the first chunk was opened. */
ERR_MUST_USE enum err capsule_open(capsule_get_fn *get, void *ctx, struct capsule_reader **out,
                                   struct why *why);
const struct capsule_head *capsule_head(const struct capsule_reader *reader);
/* With the receiver's secret key (crypt_make). ERR_CORRUPT when it is another. */
ERR_MUST_USE enum err capsule_unlock(struct capsule_reader *reader, struct str secret_der,
                                     struct why *why);
/* The next part, at most CAPSULE_CHUNK bytes, valid until the next call; empty at the end, which
 * was then proved to be the end. ERR_CORRUPT for anything changed, cut or put in. */
ERR_MUST_USE enum err capsule_next(struct capsule_reader *reader, struct str *out, struct why *why);
void capsule_close(struct capsule_reader *reader); /* wipes; NULL is fine */

#endif
