/*
 * release/crypt - keys, signatures, wrapped keys and sealed chunks. The only file that sees
 * OpenSSL.
 *
 * Place in the room: [crypt] -> keys -> make, capsule. Pure but for random bytes; from any thread.
 *
 * Two suites stand side by side, as classified protection asks for the domestic algorithms and the
 * world reads the others:
 *
 *     signature   SM2 with SM3 (GB/T 32918.2, distinguishing id "1234567812345678"), and Ed25519
 *     wrapping    SM2 encryption (GB/T 32918.4), or X25519 with HKDF-SHA-256 and AES-256-GCM
 *     chunks      SM4-CTR with HMAC-SM3 (encrypt, then authenticate), or AES-256-GCM
 *
 * OpenSSL 3.0 knows no SM4-GCM; that is why the first suite authenticates with HMAC-SM3.
 */
#ifndef RELEASE_CRYPT_H
#define RELEASE_CRYPT_H

#include "core/hash.h"
#include "core/str.h"

struct arena;

enum crypt_kind { CRYPT_SM2, CRYPT_ED25519, CRYPT_X25519, CRYPT_KINDS };
const char *crypt_kind_name(enum crypt_kind kind); /* "sm2", "ed25519", "x25519" */
ERR_MUST_USE bool crypt_kind_parse(struct str name, enum crypt_kind *out);

/* A pair as DER: SubjectPublicKeyInfo, and PKCS #8 unencrypted (to be sealed by the caller). Both
 * in `arena`; wipe the secret one after use. */
ERR_MUST_USE enum err crypt_make(enum crypt_kind kind, struct arena *arena, struct str *public_der,
                                 struct str *secret_der, struct why *why);
/* What a public key is called: the first 32 hex digits of the SHA-256 of its DER. */
#define CRYPT_KEY_ID 33 /* with '\0' */
void crypt_key_id(struct str public_der, char out[CRYPT_KEY_ID]);
/* PEM of a public key, and back. ERR_INVALID for what is none, or of another kind than the three.
 */
ERR_MUST_USE enum err crypt_pem(struct str public_der, struct arena *arena, struct str *out,
                                struct why *why);
ERR_MUST_USE enum err crypt_read_pem(struct str pem, struct arena *arena, struct str *public_der,
                                     enum crypt_kind *kind, struct why *why);
/* ERR_INVALID when the bytes are not exactly the DER of a public key of that kind. */
ERR_MUST_USE enum err crypt_check_public(enum crypt_kind kind, struct str public_der,
                                         struct why *why);

/* A signature over `text`, 64 (Ed25519) or 70 to 72 (SM2, DER) bytes in `arena`. */
ERR_MUST_USE enum err crypt_sign(enum crypt_kind kind, struct str secret_der, struct str text,
                                 struct arena *arena, struct str *out, struct why *why);
/* ERR_CORRUPT when it is not the signature of that text under that key; ERR_INVALID for a key that
 * is none. */
ERR_MUST_USE enum err crypt_verify(enum crypt_kind kind, struct str public_der, struct str text,
                                   struct str signature, struct why *why);

/* ---- suites ---- */

enum crypt_suite { CRYPT_SUITE_SM, CRYPT_SUITE_AES, CRYPT_SUITES };
const char *crypt_suite_name(enum crypt_suite suite); /* "sm2-sm4-sm3", "x25519-aes256gcm" */
ERR_MUST_USE bool crypt_suite_parse(struct str name, enum crypt_suite *out);
enum crypt_kind crypt_suite_key(enum crypt_suite suite); /* what the receiver's key must be */
size_t crypt_tag_bytes(enum crypt_suite suite);

#define CRYPT_CONTENT_KEY 48 /* bytes: SM4 and HMAC keys, or the AES key; the rest is not used */
#define CRYPT_TAG_MOST    32

/* The content key for the holder of the public key, and back. `about` is bound to it (X25519) or
 * stands in the header that the chunks authenticate (SM2). ERR_CORRUPT when it does not open. */
ERR_MUST_USE enum err crypt_wrap(enum crypt_suite suite, struct str public_der,
                                 const unsigned char key[CRYPT_CONTENT_KEY], struct str about,
                                 struct arena *arena, struct str *out, struct why *why);
ERR_MUST_USE enum err crypt_unwrap(enum crypt_suite suite, struct str secret_der,
                                   struct str wrapped, struct str about,
                                   unsigned char key[CRYPT_CONTENT_KEY], struct why *why);

/*
 * One chunk: `number` counts from 0, `last` marks the end, `head` (a digest of the capsule's
 * header) is bound to it, so that chunks cannot be left out, swapped, or moved to another capsule.
 * STREAM, Hoang, Reyhanitabar, Rogaway, Vizar 2015, eprint 2015/189. `out` holds in.len bytes and
 * may be in.ptr; the tag is crypt_tag_bytes() long. Open gives ERR_CORRUPT, then out is wiped.
 */
struct crypt_chunk {
    enum crypt_suite suite;
    const unsigned char *key; /* CRYPT_CONTENT_KEY */
    const uint8_t *head;      /* HASH_BYTES */
    uint64_t number;
    bool last;
};
ERR_MUST_USE enum err crypt_seal(const struct crypt_chunk *chunk, struct str in, unsigned char *out,
                                 unsigned char tag[CRYPT_TAG_MOST], struct why *why);
ERR_MUST_USE enum err crypt_open(const struct crypt_chunk *chunk, struct str in,
                                 const unsigned char *tag, unsigned char *out, struct why *why);

#endif
