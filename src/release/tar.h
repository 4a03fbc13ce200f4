/*
 * release/tar - a folder as one stream (POSIX ustar), written and read in parts.
 *
 * Only what a release consists of: regular files with plain relative names. Times, owners and modes
 * are fixed, so that the same files give the same bytes; any tar reads it.
 */
#ifndef RELEASE_TAR_H
#define RELEASE_TAR_H

#include "core/str.h"

/* Names of files in a release: parts of [A-Za-z0-9_.-] parted by '/', none "." or "..", none that
 * begins with '.', at most TAR_MOST_NAME bytes. */
#define TAR_MOST_NAME 99
bool tar_name_ok(struct str name);

typedef enum err tar_put_fn(void *ctx, struct str bytes, struct why *why);

/* A header, then the bytes (by the caller, exactly n of them), then the padding; tar_end() last. */
ERR_MUST_USE enum err tar_file(struct str name, uint64_t n, tar_put_fn *put, void *ctx,
                               struct why *why);
ERR_MUST_USE enum err tar_pad(uint64_t n, tar_put_fn *put, void *ctx, struct why *why);
ERR_MUST_USE enum err tar_end(tar_put_fn *put, void *ctx, struct why *why);

/*
 * Unpacks a stream into a folder, that must be there and is best empty. Feed it with tar_take() in
 * parts of any size; tar_done() says whether the stream was whole. Nothing outside the folder is
 * ever written: a name that is not tar_name_ok(), or that was there before, is ERR_CORRUPT.
 */
struct tar_out {
    const char *dir;
    unsigned char block[512];
    size_t filled;
    uint64_t left, pad; /* of the file in hand */
    int fd;             /* -1: none */
    int zeros;          /* empty blocks seen */
};
void tar_out_init(struct tar_out *out, const char *dir);
ERR_MUST_USE enum err tar_take(struct tar_out *out, struct str bytes, struct why *why);
ERR_MUST_USE enum err tar_done(struct tar_out *out, struct why *why);
void tar_out_release(struct tar_out *out);

#endif
