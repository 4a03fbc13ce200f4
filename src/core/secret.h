/*
 * core/secret - passwords, tokens and comparison in constant time.
 *
 * Passwords are hashed with Argon2id (libsodium, the "interactive" cost: 64 MiB, 2 passes), tokens
 * are 32 random bytes in base64url and are stored only as their SHA-256.
 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

#include "core/str.h"

#define SECRET_PASSWORD_HASH 128 /* bytes with '\0' */
#define SECRET_TOKEN_TEXT    44  /* 43 characters and '\0' */

/* Takes about 50 to 100 ms and 64 MiB while it runs. ERR_NO_MEMORY when that is not to be had. */
ERR_MUST_USE enum err secret_hash_password(struct str password, char out[SECRET_PASSWORD_HASH],
                                           struct why *why);
bool secret_verify_password(struct str password, const char *hash);

const char *secret_token(char out[SECRET_TOKEN_TEXT]);
bool secret_equal(struct str a, struct str b); /* time depends on the lengths only */

#endif
