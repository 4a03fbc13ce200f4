/* Keys of a tenant, and tokens. */
#include "privacy/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/secret.h"

enum err privacy_keys_make(const uint8_t secret[PRIVACY_SECRET_BYTES], int64_t number,
                           struct privacy_keys **out, struct why *why)
{
    struct str bytes = {(const char *)secret, PRIVACY_SECRET_BYTES};
    struct privacy_keys *keys = calloc(1, sizeof *keys);
    if (!keys)
        return err_set(why, ERR_NO_MEMORY, "could not hold the keys");
    keys->number = number;
    sm4_key_of(bytes, "privacy vault", &keys->vault);
    hash_hmac_sm3(bytes, STR("yicheng privacy pseudonym"), keys->pseudonym);
    *out = keys;
    return ERR_OK;
}

int64_t privacy_keys_number(const struct privacy_keys *keys)
{
    return keys->number;
}

void privacy_keys_free(struct privacy_keys *keys)
{
    if (keys)
        secret_wipe(keys, sizeof *keys);
    free(keys);
}

/* ---- base32 (RFC 4648), lower case, without padding ---- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

static void put_base32(struct str bytes, struct buf *out)
{
    uint32_t bits = 0;
    int n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.ptr[i];
        for (n += 8; n >= 5; n -= 5)
            buf_char(out, letters[bits >> (n - 5) & 31]);
    }
    if (n)
        buf_char(out, letters[bits << (5 - n) & 31]);
}

static int letter_value(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* False for letters that are none, and for bits left over that are not 0. */
static bool get_base32(struct str text, char *out)
{
    uint32_t bits = 0;
    int n = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = letter_value(text.ptr[i]);
        if (value < 0)
            return false;
        bits = (bits << 5 | (uint32_t)value) & 0xFFF;
        n += 5;
        if (n >= 8) {
            n -= 8;
            *out++ = (char)(bits >> n & 0xFF);
        }
    }
    return n < 5 && (bits & ((1u << n) - 1)) == 0;
}

/* ---- tokens ---- */

static const struct str head = STR_INIT("[yc:");

size_t vault_next(struct str text, size_t at)
{
    return str_find_from(text, head, at);
}

/* The part before the next ':' (or ']' when `last`), and behind it. */
static bool part(struct str *rest, char end, size_t most, struct str *out)
{
    size_t n = str_find_char(str_slice(*rest, 0, most + 1), end);
    if (n == STR_NPOS || n == 0)
        return false;
    *out = str_slice(*rest, 0, n);
    *rest = str_from(*rest, n + 1);
    return true;
}

enum err vault_read(struct str text, size_t at, struct arena *arena, struct vault_token *out)
{
    struct str rest = str_from(text, at), kind, number, body;
    if (!str_starts(rest, head))
        return ERR_NOT_FOUND;
    rest = str_from(rest, head.len);
    if (!part(&rest, ':', 24, &kind) || !part(&rest, ':', 9, &number) ||
        !part(&rest, ']', VAULT_MOST_TOKEN, &body))
        return ERR_NOT_FOUND;
    struct str lower = str_lower_ascii(arena, kind);
    if (!lower.ptr)
        return ERR_NO_MEMORY;
    *out = (struct vault_token){.kind = privacy_kind_find(lower), .end = text.len - rest.len};
    if (out->kind == PRIVACY_KINDS || number.ptr[0] == '0' || !str_to_i64(number, &out->number) ||
        out->number < 1)
        return ERR_NOT_FOUND;
    size_t len = body.len * 5 / 8;
    char *sealed = arena_bytes(arena, len + 1);
    if (!sealed)
        return ERR_NO_MEMORY;
    if (len < SM4_EXTRA || !get_base32(body, sealed))
        return ERR_NOT_FOUND;
    out->sealed = (struct str){sealed, len};
    return ERR_OK;
}

/* By its form alone: as good as any token when something is to be left alone. */
bool vault_inside(struct str text, size_t at)
{
    size_t from = at > VAULT_MOST_TOKEN ? at - VAULT_MOST_TOKEN : 0;
    for (size_t i = at; i > from; i--) {
        char c = text.ptr[i - 1];
        if (c == '[')
            return str_starts(str_from(text, i - 1), head);
        bool may = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == ':' || c == '_';
        if (!may)
            return false;
    }
    return false;
}

static struct str about(enum privacy_kind kind, int64_t number, char text[64])
{
    int n = snprintf(text, 64, "%s:%lld", privacy_kind_name(kind), (long long)number);
    return (struct str){text, (size_t)n};
}

enum err vault_put(const struct privacy_keys *keys, enum privacy_kind kind, struct str value,
                   struct buf *out, struct why *why)
{
    char text[64];
    struct str sealed;
    if (value.len > VAULT_MOST_VALUE)
        return err_set(why, ERR_TOO_LARGE, "a value of more than %d bytes cannot go to the vault",
                       VAULT_MOST_VALUE);
    enum err err =
        sm4_seal(&keys->vault, about(kind, keys->number, text), value, out->arena, &sealed, why);
    if (err)
        return err;
    buf_printf(out, "[yc:%s:%lld:", privacy_kind_name(kind), (long long)keys->number);
    put_base32(sealed, out);
    buf_char(out, ']');
    return buf_err(out, why);
}

enum err vault_open(const struct privacy_keys *keys, const struct vault_token *token,
                    struct arena *arena, struct str *value, struct why *why)
{
    char text[64];
    return sm4_open(&keys->vault, about(token->kind, token->number, text), token->sealed, arena,
                    value, why);
}
