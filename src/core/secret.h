/*
 * core/secret - passwords, tokens and comparison in constant time.
 *
 * Passwords are hashed with Argon2id (libsodium, the "interactive" cost: 64 MiB, 2 passes), tokens
 * are 32 random bytes in base64url and are stored only as their SHA-256. Secrets that must come
 * back (the key of somebody else's server) are sealed with XChaCha20-Poly1305 under a key in a
 * file.
 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

#include "core/str.h"

struct arena;

#define SECRET_PASSWORD_HASH 128 /* bytes with '\0' */
#define SECRET_TOKEN_TEXT    44  /* 43 characters and '\0' */

/* Takes about 50 to 100 ms and 64 MiB while it runs. ERR_NO_MEMORY when that is not to be had. */
ERR_MUST_USE enum err secret_hash_password(struct str password, char out[SECRET_PASSWORD_HASH],
                                           struct why *why);
bool secret_verify_password(struct str password, const char *hash);

const char *secret_token(char out[SECRET_TOKEN_TEXT]);
bool secret_equal(struct str a, struct str b); /* time depends on the lengths only */

/* ---- sealing ---- */

#define SECRET_KEY_BYTES  32
#define SECRET_SEAL_EXTRA 40 /* bytes that a sealed text is longer: nonce and tag */

struct secret_key {
    unsigned char bytes[SECRET_KEY_BYTES];
};

/* The key in the file at `path`, made (random, mode 0600, durable) when there is none. Two
 * processes that make it at once get the same one. ERR_CORRUPT when the file does not hold a key.
 */
ERR_MUST_USE enum err secret_key_file(const char *path, struct secret_key *out, struct why *why);
/* A key out of a passphrase, for what is carried away: the same passphrase and salt give the same
 * key. Argon2id at the "moderate" cost: about half a second and 256 MiB. ERR_INVALID for a
 * passphrase of fewer than SECRET_PASSPHRASE characters. */
#define SECRET_PASSPHRASE 12
#define SECRET_SALT_BYTES 16
ERR_MUST_USE enum err secret_key_from(struct str passphrase,
                                      const unsigned char salt[SECRET_SALT_BYTES],
                                      struct secret_key *out, struct why *why);
/* `about` is bound to it and must be the same when it is opened: a sealed text that somebody moves
 * to another row does not open there. The result lives in `arena`. */
ERR_MUST_USE enum err secret_seal(const struct secret_key *key, struct str text, struct str about,
                                  struct arena *arena, struct str *out, struct why *why);
/* ERR_CORRUPT when it was sealed with another key, for something else, or was changed. */
ERR_MUST_USE enum err secret_open(const struct secret_key *key, struct str sealed, struct str about,
                                  struct arena *arena, struct str *out, struct why *why);
void secret_wipe(void *ptr, size_t len); /* overwrites, and is not optimized away */

#endif
