/*
 * core/sm4 - sealing short values with SM4 and SM3, so that equal values give equal seals.
 *
 * A synthetic IV as in SIV: the first 16 bytes of HMAC-SM3 over what the value is about and the
 * value, which is then both the counter block of SM4-CTR and the proof that nothing was changed. It
 * tells whether two values are equal and how long they are, and nothing else; for what must not
 * even tell that, see core/secret.
 *
 *   Source  GB/T 32907-2016 (SM4), GB/T 32905-2016 (SM3), GB/T 17964-2021 (CTR); the construction
 *           after Rogaway and Shrimpton, RFC 5297, with HMAC for S2V
 */
#ifndef CORE_SM4_H
#define CORE_SM4_H

#include "core/str.h"

struct arena;

#define SM4_EXTRA 16 /* bytes that a seal is longer than its value */

struct sm4_key {
    unsigned char cipher[16];
    unsigned char mac[32];
};

/* Both keys from one secret; `purpose` tells uses apart. */
void sm4_key_of(struct str secret, const char *purpose, struct sm4_key *out);
/* The result lives in `arena`. ERR_NO_MEMORY; ERR_INTERNAL when the crypto library has no SM4. */
ERR_MUST_USE enum err sm4_seal(const struct sm4_key *key, struct str about, struct str value,
                               struct arena *arena, struct str *out, struct why *why);
/* ERR_CORRUPT when it was sealed with another key, about something else, or was changed. */
ERR_MUST_USE enum err sm4_open(const struct sm4_key *key, struct str about, struct str sealed,
                               struct arena *arena, struct str *out, struct why *why);

#endif
