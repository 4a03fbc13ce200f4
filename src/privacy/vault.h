/*
 * privacy/vault - keys of a tenant, and the tokens that stand for values. Private.
 *
 * A token is "[yc:<kind>:<generation>:<base32>]". The last part is the value sealed with SM4
 * (core/sm4), bound to its kind and generation, in the letters a-z and digits 2-7 without padding;
 * reading minds no case, since operators fold it.
 */
#ifndef PRIVACY_VAULT_H
#define PRIVACY_VAULT_H

#include "core/sm4.h"
#include "privacy/privacy.h"

#define VAULT_MOST_VALUE 1024 /* bytes of a value that a token is made of */
#define VAULT_MOST_TOKEN (64 + (VAULT_MOST_VALUE + SM4_EXTRA) * 8 / 5)

struct privacy_keys {
    int64_t number;
    struct sm4_key vault;
    unsigned char pseudonym[32];
};

struct vault_token {
    enum privacy_kind kind;
    int64_t number;
    struct str sealed; /* in the arena */
    size_t end;        /* behind the token, in the text */
};

/* Whether a token begins at `at`; every byte of it is checked but the seal. ERR_NOT_FOUND when none
 * does, ERR_NO_MEMORY. */
ERR_MUST_USE enum err vault_read(struct str text, size_t at, struct arena *arena,
                                 struct vault_token *out);
/* The place of the next "[yc:" from `at` on, or STR_NPOS. */
size_t vault_next(struct str text, size_t at);
/* Whether the byte at `at` lies inside a token. */
bool vault_inside(struct str text, size_t at);

/* Appends the token of a value. ERR_TOO_LARGE beyond VAULT_MOST_VALUE. */
ERR_MUST_USE enum err vault_put(const struct privacy_keys *keys, enum privacy_kind kind,
                                struct str value, struct buf *out, struct why *why);
ERR_MUST_USE enum err vault_open(const struct privacy_keys *keys, const struct vault_token *token,
                                 struct arena *arena, struct str *value, struct why *why);

/* Appends another value of the same form (pseudonym.c). */
void pseudonym_put(const struct privacy_keys *keys, enum privacy_kind kind, struct str value,
                   struct buf *out);

#endif
