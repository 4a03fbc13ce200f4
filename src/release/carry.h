/*
 * release/carry - the files of a release on their way out: into a folder, an archive, or one file
 * in a form that trainers read. Each is hashed on the way; a damaged object stops it.
 */
#ifndef RELEASE_CARRY_H
#define RELEASE_CARRY_H

#include "release/manifest.h"
#include "release/room.h"
#include "release/tar.h"

struct carried {
    struct release *release;
    const struct release_row *row;
    struct arena *arena;
    struct str text, signature; /* of the manifest */
    struct manifest manifest;
    bool (*stop)(void *ctx, int64_t done, int64_t total); /* asked between parts; or NULL */
    void *ctx;
};

ERR_MUST_USE enum err carry_begin(struct carried *c, struct release *release,
                                  const struct release_row *row, struct arena *arena,
                                  struct why *why);
/* Each file is written beside and renamed; what is there whole already is left. manifest.json comes
 * last: a folder that has it is whole. */
ERR_MUST_USE enum err carry_dir(struct carried *c, const char *dir, struct why *why);
ERR_MUST_USE enum err carry_tar(struct carried *c, tar_put_fn *put, void *ctx, struct why *why);

/* The forms of one file; ERR_UNSUPPORTED for a kind of records that has not this form. */
bool carry_form_ok(struct str form);
const char *carry_suffix(struct str form);
struct carry_counts {
    int64_t n_records, n_left_out;
};
ERR_MUST_USE enum err carry_form(struct carried *c, struct str form, int fd,
                                 struct carry_counts *out, struct why *why);

#endif
