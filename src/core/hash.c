#include "core/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"

/* Fetched once: EVP_sha256() has the library look its implementation up under a lock each time. */
static const EVP_MD *fetched[2];

static void fetch(void)
{
    fetched[HASH_SHA256] = EVP_MD_fetch(NULL, "SHA256", NULL);
    fetched[HASH_SM3] = EVP_MD_fetch(NULL, "SM3", NULL);
}

static const EVP_MD *md_of(enum hash_kind kind)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fetch);
    if (fetched[kind])
        return fetched[kind];
    return kind == HASH_SM3 ? EVP_sm3() : EVP_sha256();
}

struct hash *hash_new(enum hash_kind kind)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx && EVP_DigestInit_ex(ctx, md_of(kind), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    return (struct hash *)ctx;
}

void hash_add(struct hash *hash, const void *ptr, size_t len)
{
    (void)EVP_DigestUpdate((EVP_MD_CTX *)hash, ptr, len);
}

void hash_end(struct hash *hash, uint8_t out[HASH_BYTES])
{
    (void)EVP_DigestFinal_ex((EVP_MD_CTX *)hash, out, NULL);
}

void hash_free(struct hash *hash)
{
    EVP_MD_CTX_free((EVP_MD_CTX *)hash);
}

/* One context for each thread, which EVP_Digest() would make and free each time: a third of what
 * the digest of a short text costs. */
static pthread_key_t contexts;

static void free_context(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void make_contexts(void)
{
    if (pthread_key_create(&contexts, free_context) != 0)
        abort(); /* at the first digest: the system has no key left for a thread's own things */
}

static EVP_MD_CTX *own_context(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local EVP_MD_CTX *ctx;
    if (ctx)
        return ctx;
    (void)pthread_once(&once, make_contexts);
    ctx = EVP_MD_CTX_new();
    if (!ctx || pthread_setspecific(contexts, ctx) != 0)
        abort(); /* only memory for a context can be missing here */
    return ctx;
}

void hash_of(enum hash_kind kind, struct str data, uint8_t out[HASH_BYTES])
{
    EVP_MD_CTX *ctx = own_context();
    if (EVP_DigestInit_ex(ctx, md_of(kind), NULL) != 1 ||
        EVP_DigestUpdate(ctx, data.ptr ? data.ptr : "", data.len) != 1 ||
        EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        abort();
}

static void hmac(enum hash_kind kind, struct str key, struct str data, uint8_t out[HASH_BYTES])
{
    if (!HMAC(md_of(kind), key.ptr ? key.ptr : "", (int)key.len,
              (const unsigned char *)(data.ptr ? data.ptr : ""), data.len, out, NULL))
        abort();
}

void hash_hmac_sha256(struct str key, struct str data, uint8_t out[HASH_BYTES])
{
    hmac(HASH_SHA256, key, data, out);
}

void hash_hmac_sm3(struct str key, struct str data, uint8_t out[HASH_BYTES])
{
    hmac(HASH_SM3, key, data, out);
}

const char *hex_put(const void *ptr, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = ptr;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_get(struct str hex, void *out, size_t len)
{
    if (hex.len != 2 * len)
        return false;
    unsigned char *p = out;
    for (size_t i = 0; i < len; i++) {
        int hi = nibble(hex.ptr[2 * i]), lo = nibble(hex.ptr[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        p[i] = (unsigned char)(hi << 4 | lo);
    }
    return true;
}

void random_bytes(void *out, size_t len)
{
    if (RAND_bytes(out, (int)len) != 1)
        abort(); /* a centre without randomness must not hand out keys */
}

const char *uuid_text(const uint8_t bytes[16], char out[UUID_TEXT])
{
    static const size_t groups[] = {4, 2, 2, 2, 6}; /* bytes */
    char *at = out;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        hex_put(bytes, groups[i], at); /* its '\0' becomes the dash */
        bytes += groups[i];
        at += 2 * groups[i];
        *at++ = i < 4 ? '-' : '\0';
    }
    return out;
}

/* 48 bits of milliseconds, 12 bits of a counter within the millisecond, 62 random bits. The counter
 * runs on into the next millisecond when it is used up, so order holds under any rate. */
const char *uuid7(char out[UUID_TEXT])
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int64_t last;
    uint8_t b[16];
    random_bytes(b, sizeof b);
    pthread_mutex_lock(&lock);
    int64_t tick = time_now_ms() << 12 | ((b[6] & 0x07) << 8) | b[7];
    if (tick <= last)
        tick = last + 1;
    last = tick;
    pthread_mutex_unlock(&lock);
    int64_t ms = tick >> 12;
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | ((tick >> 8) & 0x0F));
    b[7] = (uint8_t)tick;
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3F));
    return uuid_text(b, out);
}

bool uuid_valid(struct str text)
{
    if (text.len != UUID_TEXT - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.ptr[i] != '-' : nibble(text.ptr[i]) < 0)
            return false;
    }
    return true;
}

/* Multiply-and-fold over 8-byte words, after wyhash (Wang Yi, public domain). */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __uint128_t r = (__uint128_t)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* The first n (at most 8) bytes, the first lowest, on every machine. Short keys are most keys, so
 * they are read in at most two pieces, which may share bytes. */
static uint64_t load32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

static uint64_t load(const unsigned char *p, size_t n)
{
    if (n >= 4)
        return load32(p) | load32(p + n - 4) << (8 * (n - 4));
    if (n == 0)
        return 0;
    return p[0] | (uint64_t)p[n / 2] << (8 * (n / 2)) | (uint64_t)p[n - 1] << (8 * (n - 1));
}

uint64_t hash64(const void *ptr, size_t len, uint64_t seed)
{
    static const uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL;
    const unsigned char *p = ptr;
    uint64_t h = seed ^ k0;
    size_t left = len;
    for (; left >= 16; left -= 16, p += 16)
        h = fold(load(p, 8) ^ k1, load(p + 8, 8) ^ h);
    uint64_t a = load(p, left < 8 ? left : 8);
    uint64_t b = left > 8 ? load(p + 8, left - 8) : 0;
    return fold(k1 ^ len, fold(a ^ k1, b ^ h));
}
