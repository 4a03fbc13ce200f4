#include "core/sm4.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/secret.h"

void sm4_key_of(struct str secret, const char *purpose, struct sm4_key *out)
{
    unsigned char digest[HASH_BYTES];
    char label[96];
    (void)snprintf(label, sizeof label, "yicheng sm4 cipher %s", purpose);
    hash_hmac_sm3(secret, str_c(label), digest);
    memcpy(out->cipher, digest, sizeof out->cipher);
    (void)snprintf(label, sizeof label, "yicheng sm4 mac %s", purpose);
    hash_hmac_sm3(secret, str_c(label), out->mac);
    secret_wipe(digest, sizeof digest);
}

/* The length before `about` keeps ("ab", "c") apart from ("a", "bc"). */
static enum err synthetic(const struct sm4_key *key, struct str about, struct str value,
                          struct arena *arena, unsigned char iv[SM4_EXTRA], struct why *why)
{
    unsigned char digest[HASH_BYTES];
    struct buf all;
    buf_init(&all, arena);
    buf_printf(&all, "%zu:", about.len);
    buf_add(&all, about);
    buf_add(&all, value);
    enum err err = buf_err(&all, why);
    if (err)
        return err;
    hash_hmac_sm3((struct str){(const char *)key->mac, sizeof key->mac}, buf_str(&all), digest);
    secret_wipe(all.ptr, all.len);
    memcpy(iv, digest, SM4_EXTRA);
    return ERR_OK;
}

/* CTR is its own inverse. */
static enum err counter_mode(const struct sm4_key *key, const unsigned char iv[SM4_EXTRA],
                             struct str in, unsigned char *out, struct why *why)
{
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_sm4_ctr(), NULL, key->cipher, iv) == 1 &&
              EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)(in.ptr ? in.ptr : ""),
                                (int)in.len) == 1 &&
              (size_t)n == in.len;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? ERR_OK : err_set(why, ERR_INTERNAL, "the crypto library could not compute SM4");
}

enum err sm4_seal(const struct sm4_key *key, struct str about, struct str value,
                  struct arena *arena, struct str *out, struct why *why)
{
    unsigned char iv[SM4_EXTRA];
    char *sealed = arena_bytes(arena, value.len + SM4_EXTRA);
    if (!sealed)
        return err_set(why, ERR_NO_MEMORY, "could not hold the sealed value");
    enum err err = synthetic(key, about, value, arena, iv, why);
    if (!err)
        err = counter_mode(key, iv, value, (unsigned char *)sealed + SM4_EXTRA, why);
    if (err)
        return err;
    memcpy(sealed, iv, SM4_EXTRA);
    *out = (struct str){sealed, value.len + SM4_EXTRA};
    return ERR_OK;
}

enum err sm4_open(const struct sm4_key *key, struct str about, struct str sealed,
                  struct arena *arena, struct str *out, struct why *why)
{
    unsigned char iv[SM4_EXTRA], right[SM4_EXTRA];
    if (sealed.len < SM4_EXTRA)
        return err_set(why, ERR_CORRUPT, "the sealed value is cut off");
    size_t len = sealed.len - SM4_EXTRA;
    char *value = arena_bytes(arena, len + 1);
    if (!value)
        return err_set(why, ERR_NO_MEMORY, "could not hold the value");
    memcpy(iv, sealed.ptr, SM4_EXTRA);
    enum err err = counter_mode(key, iv, str_from(sealed, SM4_EXTRA), (unsigned char *)value, why);
    if (!err)
        err = synthetic(key, about, (struct str){value, len}, arena, right, why);
    if (err)
        return err;
    if (!secret_equal((struct str){(char *)iv, SM4_EXTRA},
                      (struct str){(char *)right, SM4_EXTRA})) {
        secret_wipe(value, len);
        return err_set(why, ERR_CORRUPT,
                       "the sealed value was changed, or sealed with another key");
    }
    value[len] = '\0';
    *out = (struct str){value, len};
    return ERR_OK;
}
