#include "release/crypt.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/secret.h"

#define SM2_ID    "1234567812345678"
#define NONCE     12
#define GCM_TAG   16
#define SM4_KEY   16
#define MOST_DER  ((size_t)4096)
#define MOST_WRAP ((size_t)512)

static const char *const kinds[CRYPT_KINDS] = {"sm2", "ed25519", "x25519"};
static const char *const suites[CRYPT_SUITES] = {"sm2-sm4-sm3", "x25519-aes256gcm"};

const char *crypt_kind_name(enum crypt_kind kind)
{
    return kinds[kind];
}

bool crypt_kind_parse(struct str name, enum crypt_kind *out)
{
    for (int i = 0; i < CRYPT_KINDS; i++)
        if (str_eq_c(name, kinds[i])) {
            *out = (enum crypt_kind)i;
            return true;
        }
    return false;
}

const char *crypt_suite_name(enum crypt_suite suite)
{
    return suites[suite];
}

bool crypt_suite_parse(struct str name, enum crypt_suite *out)
{
    for (int i = 0; i < CRYPT_SUITES; i++)
        if (str_eq_c(name, suites[i])) {
            *out = (enum crypt_suite)i;
            return true;
        }
    return false;
}

enum crypt_kind crypt_suite_key(enum crypt_suite suite)
{
    return suite == CRYPT_SUITE_SM ? CRYPT_SM2 : CRYPT_X25519;
}

size_t crypt_tag_bytes(enum crypt_suite suite)
{
    return suite == CRYPT_SUITE_SM ? HASH_BYTES : GCM_TAG;
}

static enum err failed(struct why *why, const char *what)
{
    return err_set(why, ERR_INTERNAL, "the crypto library could not %s", what);
}

static const unsigned char *bytes(struct str s)
{
    return (const unsigned char *)(s.ptr ? s.ptr : "");
}

/* ---- keys ---- */

static bool is_sm2(const EVP_PKEY *key)
{
    char group[64] = "";
    size_t n = 0;
    return EVP_PKEY_is_a(key, "SM2") ||
           (EVP_PKEY_is_a(key, "EC") &&
            EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                           &n) == 1 &&
            strcmp(group, "SM2") == 0);
}

static bool is_kind(const EVP_PKEY *key, enum crypt_kind kind)
{
    return kind == CRYPT_SM2       ? is_sm2(key)
           : kind == CRYPT_ED25519 ? EVP_PKEY_is_a(key, "ED25519") == 1
                                   : EVP_PKEY_is_a(key, "X25519") == 1;
}

static EVP_PKEY *generate(enum crypt_kind kind)
{
    return kind == CRYPT_SM2       ? EVP_PKEY_Q_keygen(NULL, NULL, "SM2")
           : kind == CRYPT_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                   : EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
}

static enum err keep_der(int len, unsigned char *der, struct arena *arena, struct str *out,
                         struct why *why)
{
    if (len <= 0)
        return failed(why, "write a key");
    char *copy = arena_copy(arena, (const char *)der, (size_t)len);
    OPENSSL_clear_free(der, (size_t)len);
    if (!copy)
        return err_set(why, ERR_NO_MEMORY, "could not hold a key");
    *out = (struct str){copy, (size_t)len};
    return ERR_OK;
}

static enum err secret_bytes(EVP_PKEY *key, struct arena *arena, struct str *out, struct why *why)
{
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    PKCS8_PRIV_KEY_INFO_free(info);
    return keep_der(len, der, arena, out, why);
}

static enum err public_bytes(EVP_PKEY *key, struct arena *arena, struct str *out, struct why *why)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    return keep_der(len, der, arena, out, why);
}

enum err crypt_make(enum crypt_kind kind, struct arena *arena, struct str *public_der,
                    struct str *secret_der, struct why *why)
{
    EVP_PKEY *key = generate(kind);
    enum err err = key ? public_bytes(key, arena, public_der, why) : failed(why, "make a key");
    if (!err)
        err = secret_bytes(key, arena, secret_der, why);
    EVP_PKEY_free(key);
    return err;
}

void crypt_key_id(struct str public_der, char out[CRYPT_KEY_ID])
{
    uint8_t digest[HASH_BYTES];
    hash_of(HASH_SHA256, public_der, digest);
    (void)hex_put(digest, (CRYPT_KEY_ID - 1) / 2, out);
}

#define SM2_POINT                                                                                  \
    65 /* 0x04, x, y: the last bytes of the key. 0x06 and 0x07 say the same, and more */

/* The key in exactly these bytes: what can be written in two ways would carry a signature twice. */
static EVP_PKEY *public_key(enum crypt_kind kind, struct str der)
{
    const unsigned char *at = bytes(der);
    EVP_PKEY *key = der.len && der.len <= MOST_DER ? d2i_PUBKEY(NULL, &at, (long)der.len) : NULL;
    unsigned char *again = NULL;
    int len = key ? i2d_PUBKEY(key, &again) : -1;
    bool same = len > 0 && (size_t)len == der.len && memcmp(again, der.ptr, der.len) == 0;
    if (same && kind == CRYPT_SM2)
        same = der.len > SM2_POINT && der.ptr[der.len - SM2_POINT] == 0x04;
    OPENSSL_free(again);
    if (key && same && is_kind(key, kind))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *secret_key(struct str der)
{
    const unsigned char *at = bytes(der);
    return der.len && der.len <= MOST_DER ? d2i_AutoPrivateKey(NULL, &at, (long)der.len) : NULL;
}

static enum err no_key(enum crypt_kind kind, struct why *why)
{
    return err_set(why, ERR_INVALID, "that is no public key of kind %s", kinds[kind]);
}

enum err crypt_check_public(enum crypt_kind kind, struct str public_der, struct why *why)
{
    EVP_PKEY *key = public_key(kind, public_der);
    EVP_PKEY_free(key);
    return key ? ERR_OK : no_key(kind, why);
}

enum err crypt_pem(struct str public_der, struct arena *arena, struct str *out, struct why *why)
{
    const unsigned char *at = bytes(public_der);
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)public_der.len);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = 0;
    enum err err =
        key && bio && PEM_write_bio_PUBKEY(bio, key) == 1 ? ERR_OK : failed(why, "write a key");
    if (!err)
        len = BIO_get_mem_data(bio, &text);
    if (!err && len > 0)
        *out = str_copy(arena, (struct str){text, (size_t)len});
    if (!err && (len <= 0 || !out->ptr))
        err = err_set(why, ERR_NO_MEMORY, "could not hold a key");
    BIO_free(bio);
    EVP_PKEY_free(key);
    return err;
}

enum err crypt_read_pem(struct str pem, struct arena *arena, struct str *public_der,
                        enum crypt_kind *kind, struct why *why)
{
    BIO *bio = pem.len <= MOST_DER ? BIO_new_mem_buf(bytes(pem), (int)pem.len) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    enum err err = ERR_INVALID;
    for (int i = 0; key && i < CRYPT_KINDS; i++)
        if (is_kind(key, (enum crypt_kind)i)) {
            *kind = (enum crypt_kind)i;
            err = public_bytes(key, arena, public_der, why);
        }
    if (err == ERR_INVALID)
        err_note(why, "that is no public key of kind sm2, ed25519 or x25519 in PEM");
    EVP_PKEY_free(key);
    BIO_free(bio);
    return err;
}

/* ---- signatures ---- */

/* A context for either; SM2 takes its distinguishing id and SM3, Ed25519 hashes itself. */
static EVP_MD_CTX *digest_ctx(enum crypt_kind kind, EVP_PKEY *key, bool sign, EVP_PKEY_CTX **pctx)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    *pctx = ctx ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool good = *pctx != NULL;
    if (good && kind == CRYPT_SM2)
        good = EVP_PKEY_CTX_set1_id(*pctx, SM2_ID, sizeof SM2_ID - 1) > 0;
    if (good)
        EVP_MD_CTX_set_pkey_ctx(ctx, *pctx);
    const EVP_MD *md = kind == CRYPT_SM2 ? EVP_sm3() : NULL;
    if (good)
        good = (sign ? EVP_DigestSignInit(ctx, NULL, md, NULL, key)
                     : EVP_DigestVerifyInit(ctx, NULL, md, NULL, key)) == 1;
    if (good)
        return ctx;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_CTX_free(*pctx);
    *pctx = NULL;
    return NULL;
}

enum err crypt_sign(enum crypt_kind kind, struct str secret_der, struct str text,
                    struct arena *arena, struct str *out, struct why *why)
{
    EVP_PKEY *key = kind == CRYPT_X25519 ? NULL : secret_key(secret_der);
    EVP_PKEY_CTX *pctx = NULL;
    EVP_MD_CTX *ctx = key && is_kind(key, kind) ? digest_ctx(kind, key, true, &pctx) : NULL;
    size_t len = 0;
    enum err err = ctx && EVP_DigestSign(ctx, NULL, &len, bytes(text), text.len) == 1
                       ? ERR_OK
                       : failed(why, "sign");
    char *to = err ? NULL : arena_bytes(arena, len + 1);
    if (!err && !to)
        err = err_set(why, ERR_NO_MEMORY, "could not hold a signature");
    if (!err && EVP_DigestSign(ctx, (unsigned char *)to, &len, bytes(text), text.len) != 1)
        err = failed(why, "sign");
    if (!err)
        *out = (struct str){to, len};
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_CTX_free(pctx);
    EVP_PKEY_free(key);
    return err;
}

enum err crypt_verify(enum crypt_kind kind, struct str public_der, struct str text,
                      struct str signature, struct why *why)
{
    EVP_PKEY *key = public_key(kind, public_der);
    EVP_PKEY_CTX *pctx = NULL;
    if (!key)
        return no_key(kind, why);
    EVP_MD_CTX *ctx = digest_ctx(kind, key, false, &pctx);
    int good =
        ctx ? EVP_DigestVerify(ctx, bytes(signature), signature.len, bytes(text), text.len) : -1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_CTX_free(pctx);
    EVP_PKEY_free(key);
    if (!ctx)
        return failed(why, "verify");
    return good == 1 ? ERR_OK : err_set(why, ERR_CORRUPT, "the %s signature is wrong", kinds[kind]);
}

/* ---- AES-256-GCM ---- */

static bool gcm(bool seal, const unsigned char *key, const unsigned char nonce[NONCE],
                struct str about, struct str in, unsigned char *out, unsigned char *tag)
{
    int n = 0, end = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = ctx && in.len <= INT32_MAX &&
                EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1 &&
                EVP_CipherUpdate(ctx, NULL, &n, bytes(about), (int)about.len) == 1;
    if (good && in.len)
        good = EVP_CipherUpdate(ctx, out, &n, bytes(in), (int)in.len) == 1;
    if (good && !seal)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) == 1;
    unsigned char none[16];
    if (good)
        good = EVP_CipherFinal_ex(ctx, none, &end) == 1;
    if (good && seal)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* ---- SM4-CTR with HMAC-SM3 ---- */

static bool sm4(const unsigned char *key, uint64_t number, struct str in, unsigned char *out)
{
    int n = 0;
    /* Chunk number in front, blocks within the chunk behind: no counter block comes twice. */
    unsigned char iv[16] = {0};
    for (int i = 0; i < 8; i++)
        iv[i] = (unsigned char)(number >> (56 - 8 * i));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good =
        ctx && in.len <= INT32_MAX && EVP_CipherInit_ex(ctx, EVP_sm4_ctr(), NULL, key, iv, 1) == 1;
    if (good && in.len)
        good = EVP_CipherUpdate(ctx, out, &n, bytes(in), (int)in.len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* What is authenticated besides the bytes: header, number, length, whether it is the last. */
#define BOUND (HASH_BYTES + 8 + 8 + 1)
static void bind(const struct crypt_chunk *c, size_t len, unsigned char out[BOUND])
{
    memcpy(out, c->head, HASH_BYTES);
    for (int i = 0; i < 8; i++) {
        out[HASH_BYTES + i] = (unsigned char)(c->number >> (56 - 8 * i));
        out[HASH_BYTES + 8 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
    }
    out[BOUND - 1] = c->last;
}

static bool mac_sm3(const struct crypt_chunk *c, struct str sealed, unsigned char tag[HASH_BYTES])
{
    unsigned char about[BOUND];
    size_t len = 0;
    char name[] = "SM3";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0),
                           OSSL_PARAM_construct_end()};
    bind(c, sealed.len, about);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    bool good = ctx && EVP_MAC_init(ctx, c->key + SM4_KEY, 32, params) == 1 &&
                EVP_MAC_update(ctx, about, sizeof about) == 1 &&
                EVP_MAC_update(ctx, bytes(sealed), sealed.len) == 1 &&
                EVP_MAC_final(ctx, tag, &len, HASH_BYTES) == 1 && len == HASH_BYTES;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return good;
}

/* ---- chunks ---- */

static void nonce_of(uint64_t number, unsigned char out[NONCE])
{
    memset(out, 0, NONCE);
    for (int i = 0; i < 8; i++)
        out[NONCE - 1 - i] = (unsigned char)(number >> (8 * i));
}

enum err crypt_seal(const struct crypt_chunk *c, struct str in, unsigned char *out,
                    unsigned char tag[CRYPT_TAG_MOST], struct why *why)
{
    bool good;
    if (c->suite == CRYPT_SUITE_SM) {
        good = sm4(c->key, c->number, in, out) &&
               mac_sm3(c, (struct str){(const char *)out, in.len}, tag);
    } else {
        unsigned char nonce[NONCE], about[BOUND];
        nonce_of(c->number, nonce);
        bind(c, in.len, about);
        good =
            gcm(true, c->key, nonce, (struct str){(const char *)about, sizeof about}, in, out, tag);
    }
    return good ? ERR_OK : failed(why, "seal");
}

enum err crypt_open(const struct crypt_chunk *c, struct str in, const unsigned char *tag,
                    unsigned char *out, struct why *why)
{
    bool good;
    unsigned char own[CRYPT_TAG_MOST];
    if (c->suite == CRYPT_SUITE_SM) {
        good = mac_sm3(c, in, own) && secret_equal((struct str){(const char *)own, HASH_BYTES},
                                                   (struct str){(const char *)tag, HASH_BYTES});
        good = good && sm4(c->key, c->number, in, out);
    } else {
        unsigned char nonce[NONCE], about[BOUND];
        nonce_of(c->number, nonce);
        bind(c, in.len, about);
        memcpy(own, tag, GCM_TAG);
        good = gcm(false, c->key, nonce, (struct str){(const char *)about, sizeof about}, in, out,
                   own);
    }
    if (good)
        return ERR_OK;
    secret_wipe(out, in.len);
    return err_set(why, ERR_CORRUPT,
                   "part %llu of the capsule was changed, moved or cut, or the key is another",
                   (unsigned long long)c->number + 1);
}

/* ---- wrapping the content key ---- */

static enum err sm2_crypt(bool wrap, EVP_PKEY *key, struct str in, unsigned char *out, size_t *len,
                          struct why *why)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool good = ctx && (wrap ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx)) == 1;
    if (good)
        good = (wrap ? EVP_PKEY_encrypt(ctx, out, len, bytes(in), in.len)
                     : EVP_PKEY_decrypt(ctx, out, len, bytes(in), in.len)) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good ? ERR_OK
                : err_set(why, wrap ? ERR_INTERNAL : ERR_CORRUPT,
                          "the key of the capsule does not %s", wrap ? "close" : "open");
}

/* The key that two X25519 keys agree on, over both public keys and what it is for. */
static bool agree(EVP_PKEY *own, EVP_PKEY *other, struct str ephemeral, struct str about,
                  unsigned char out[32])
{
    unsigned char shared[32];
    size_t n = sizeof shared;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    bool good = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, other) == 1 && EVP_PKEY_derive(ctx, shared, &n) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_KDF *kdf = good ? EVP_KDF_fetch(NULL, "HKDF", NULL) : NULL;
    EVP_KDF_CTX *kctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, shared, sizeof shared),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)bytes(ephemeral),
                                          ephemeral.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)bytes(about), about.len),
        OSSL_PARAM_construct_end()};
    good = kctx && EVP_KDF_derive(kctx, out, 32, params) == 1;
    EVP_KDF_CTX_free(kctx);
    EVP_KDF_free(kdf);
    OPENSSL_cleanse(shared, sizeof shared);
    return good;
}

#define RAW_X25519 32

static enum err x25519_wrap(EVP_PKEY *to, const unsigned char *key, struct str about,
                            unsigned char *out, size_t *len, struct why *why)
{
    static const unsigned char nonce[NONCE];
    unsigned char kek[32];
    size_t n = RAW_X25519;
    EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    bool good = own && EVP_PKEY_get_raw_public_key(own, out, &n) == 1 && n == RAW_X25519 &&
                agree(own, to, (struct str){(const char *)out, n}, about, kek) &&
                gcm(true, kek, nonce, about, (struct str){(const char *)key, CRYPT_CONTENT_KEY},
                    out + RAW_X25519, out + RAW_X25519 + CRYPT_CONTENT_KEY);
    OPENSSL_cleanse(kek, sizeof kek);
    EVP_PKEY_free(own);
    *len = RAW_X25519 + CRYPT_CONTENT_KEY + GCM_TAG;
    return good ? ERR_OK : failed(why, "close the key of the capsule");
}

static enum err x25519_unwrap(EVP_PKEY *own, struct str in, struct str about, unsigned char *key,
                              struct why *why)
{
    static const unsigned char nonce[NONCE];
    unsigned char kek[32], tag[GCM_TAG];
    if (in.len != RAW_X25519 + CRYPT_CONTENT_KEY + GCM_TAG)
        return err_set(why, ERR_CORRUPT, "the key of the capsule does not open");
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, bytes(in), RAW_X25519);
    memcpy(tag, in.ptr + RAW_X25519 + CRYPT_CONTENT_KEY, GCM_TAG);
    bool good = other && agree(own, other, str_slice(in, 0, RAW_X25519), about, kek) &&
                gcm(false, kek, nonce, about,
                    str_slice(in, RAW_X25519, RAW_X25519 + CRYPT_CONTENT_KEY), key, tag);
    OPENSSL_cleanse(kek, sizeof kek);
    EVP_PKEY_free(other);
    return good ? ERR_OK : err_set(why, ERR_CORRUPT, "the key of the capsule does not open");
}

enum err crypt_wrap(enum crypt_suite suite, struct str public_der,
                    const unsigned char key[CRYPT_CONTENT_KEY], struct str about,
                    struct arena *arena, struct str *out, struct why *why)
{
    size_t len = MOST_WRAP;
    char *to = arena_bytes(arena, MOST_WRAP);
    EVP_PKEY *other = public_key(crypt_suite_key(suite), public_der);
    enum err err = !other ? no_key(crypt_suite_key(suite), why)
                   : !to  ? err_set(why, ERR_NO_MEMORY, "could not hold a key")
                          : ERR_OK;
    if (!err)
        err = suite == CRYPT_SUITE_SM
                  ? sm2_crypt(true, other, (struct str){(const char *)key, CRYPT_CONTENT_KEY},
                              (unsigned char *)to, &len, why)
                  : x25519_wrap(other, key, about, (unsigned char *)to, &len, why);
    EVP_PKEY_free(other);
    if (!err)
        *out = (struct str){to, len};
    return err;
}

enum err crypt_unwrap(enum crypt_suite suite, struct str secret_der, struct str wrapped,
                      struct str about, unsigned char key[CRYPT_CONTENT_KEY], struct why *why)
{
    unsigned char big[MOST_WRAP];
    size_t len = sizeof big;
    EVP_PKEY *own = secret_key(secret_der);
    enum err err = own && is_kind(own, crypt_suite_key(suite)) && wrapped.len <= MOST_WRAP
                       ? ERR_OK
                       : err_set(why, ERR_CORRUPT, "the key of the capsule does not open");
    if (!err && suite == CRYPT_SUITE_SM) {
        err = sm2_crypt(false, own, wrapped, big, &len, why);
        if (!err && len != CRYPT_CONTENT_KEY)
            err = err_set(why, ERR_CORRUPT, "the key of the capsule does not open");
        if (!err)
            memcpy(key, big, CRYPT_CONTENT_KEY);
    } else if (!err) {
        err = x25519_unwrap(own, wrapped, about, key, why);
    }
    OPENSSL_cleanse(big, sizeof big);
    EVP_PKEY_free(own);
    return err;
}
