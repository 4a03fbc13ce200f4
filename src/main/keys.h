/*
 * main/keys - the key files of a data directory, carried away under a passphrase and brought back.
 *
 * Rooms seal secrets in the database under keys in files beside it (models.key, privacy.key,
 * acquire.key, release.key). A backup leaves these files out, so that whoever gets hold of it opens
 * nothing; without them a restored centre opens nothing either. So they are kept apart: one small
 * file, each key sealed with XChaCha20-Poly1305 under Argon2id of a passphrase. A backup notes
 * which keys it belongs to by prints that tell nothing of them, and a restore says what is missing.
 */
#ifndef MAIN_KEYS_H
#define MAIN_KEYS_H

#include "core/json.h"
#include "core/str.h"

struct arena;

/* What a key opens, for people. */
struct key_kind {
    const char *file, *opens, *opens_zh;
};
#define KEYS_MOST 4
extern const struct key_kind key_kinds[KEYS_MOST];

struct keys_report {
    size_t n; /* keys written or brought back */
    const char
        *replaced[KEYS_MOST]; /* other keys that were there: set aside as NAME.replaced-TIME */
    size_t n_replaced;
};

/* ERR_NOT_FOUND when the directory holds no key. `file` is written whole or not at all, mode 0600.
 */
ERR_MUST_USE enum err keys_save(const char *data_dir, const char *file, struct str passphrase,
                                struct arena *arena, struct keys_report *out, struct why *why);
/* ERR_FORBIDDEN for another passphrase (or a file that was changed): then nothing is written. */
ERR_MUST_USE enum err keys_load(const char *data_dir, const char *file, struct str passphrase,
                                struct arena *arena, struct keys_report *out, struct why *why);

/* {"privacy.key": "<print>", ...} of the keys that are there. */
void keys_prints(const char *data_dir, struct arena *arena, struct json_out *out);
/* Whether the key of that name in the directory is the one with this print. */
bool keys_same(const char *data_dir, const struct key_kind *kind, struct str print,
               struct arena *arena);

#endif
