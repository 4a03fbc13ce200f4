/*
 * core/hash - digests, random bytes, identifiers, and a fast hash for tables.
 */
#ifndef CORE_HASH_H
#define CORE_HASH_H

#include "core/str.h"

#define HASH_BYTES 32                   /* SHA-256 and SM3 alike */
#define HASH_TEXT  (HASH_BYTES * 2 + 1) /* hex with '\0' */
#define UUID_TEXT  37                   /* with '\0' */

enum hash_kind { HASH_SHA256, HASH_SM3 };

struct hash; /* a digest being computed */

/* NULL when the crypto library cannot give it. One thread at a time. */
struct hash *hash_new(enum hash_kind kind);
void hash_add(struct hash *hash, const void *ptr, size_t len);
void hash_end(struct hash *hash, uint8_t out[HASH_BYTES]); /* then only hash_free */
void hash_free(struct hash *hash);

/* In one step. Aborts only when the crypto library lacks the digest, which start-up checks. */
void hash_of(enum hash_kind kind, struct str data, uint8_t out[HASH_BYTES]);
void hash_hmac_sha256(struct str key, struct str data, uint8_t out[HASH_BYTES]);
void hash_hmac_sm3(struct str key, struct str data, uint8_t out[HASH_BYTES]);

/* Lower-case hex with '\0'; out holds 2 * len + 1 bytes. */
const char *hex_put(const void *ptr, size_t len, char *out);
ERR_MUST_USE bool hex_get(struct str hex, void *out, size_t len);

/* Cryptographic random bytes; from any thread. */
void random_bytes(void *out, size_t len);

/* UUID version 7 (RFC 9562): ordered by time of creation, in one process strictly. */
const char *uuid7(char out[UUID_TEXT]);
const char *uuid_text(const uint8_t bytes[16], char out[UUID_TEXT]); /* any, as it is written */
bool uuid_valid(struct str text);

/* 64 bits for tables and checksums of our own files; not for secrets. Stable across machines. */
uint64_t hash64(const void *ptr, size_t len, uint64_t seed);

#endif
