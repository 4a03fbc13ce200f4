#include "core/secret.h"

#include <sodium.h>

enum err secret_hash_password(struct str password, char out[SECRET_PASSWORD_HASH], struct why *why)
{
    _Static_assert(crypto_pwhash_STRBYTES <= SECRET_PASSWORD_HASH, "room for the encoded hash");
    if (sodium_init() < 0 || crypto_pwhash_str(out, password.ptr ? password.ptr : "", password.len,
                                               crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                               crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return err_set(why, ERR_NO_MEMORY, "could not hash the password");
    return ERR_OK;
}

bool secret_verify_password(struct str password, const char *hash)
{
    return sodium_init() >= 0 &&
           crypto_pwhash_str_verify(hash, password.ptr ? password.ptr : "", password.len) == 0;
}

const char *secret_token(char out[SECRET_TOKEN_TEXT])
{
    unsigned char raw[32];
    randombytes_buf(raw, sizeof raw);
    return sodium_bin2base64(out, SECRET_TOKEN_TEXT, raw, sizeof raw,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool secret_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}
