#include "core/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/utf8.h"

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

void secret_wipe(void *ptr, size_t len)
{
    sodium_memzero(ptr, len);
}

static enum err read_key(const char *path, struct secret_key *out, struct why *why)
{
    unsigned char bytes[SECRET_KEY_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open the key file \"%s\"", path);
    ssize_t n = read(fd, bytes, sizeof bytes);
    int saved = errno;
    (void)close(fd);
    errno = saved;
    if (n < 0)
        return err_errno(why, "could not read the key file \"%s\"", path);
    if (n != SECRET_KEY_BYTES)
        return err_set(why, ERR_CORRUPT, "the key file \"%s\" does not hold a key of %d bytes",
                       path, SECRET_KEY_BYTES);
    memcpy(out->bytes, bytes, SECRET_KEY_BYTES);
    sodium_memzero(bytes, sizeof bytes);
    return ERR_OK;
}

/* Written under a name of its own and then linked: the name is there with all its bytes or not at
 * all, and of two makers one is told that it exists. */
static enum err make_key(const char *path, struct why *why)
{
    unsigned char bytes[SECRET_KEY_BYTES];
    char temp[4200], id[UUID_TEXT];
    if (snprintf(temp, sizeof temp, "%s.%s", path, uuid7(id)) >= (int)sizeof temp)
        return err_set(why, ERR_INVALID, "the path of the key file is too long");
    randombytes_buf(bytes, sizeof bytes);
    enum err err =
        file_write(temp, (struct str){(const char *)bytes, sizeof bytes}, S_IRUSR | S_IWUSR, why);
    sodium_memzero(bytes, sizeof bytes);
    if (!err && link(temp, path) != 0 && errno != EEXIST)
        err = err_errno(why, "could not make the key file \"%s\"", path);
    (void)unlink(temp);
    char *slash = strrchr(temp, '/');
    if (!err && slash) {
        *slash = '\0';
        err = file_sync_dir(temp, why);
    }
    return err;
}

enum err secret_key_file(const char *path, struct secret_key *out, struct why *why)
{
    if (sodium_init() < 0)
        return err_set(why, ERR_INTERNAL, "the crypto library did not start");
    if (!file_exists(path)) {
        enum err err = make_key(path, why);
        if (err)
            return err;
    }
    return read_key(path, out, why);
}

enum err secret_key_from(struct str passphrase, const unsigned char salt[SECRET_SALT_BYTES],
                         struct secret_key *out, struct why *why)
{
    _Static_assert(crypto_pwhash_SALTBYTES == SECRET_SALT_BYTES, "the salt's size");
    if (utf8_count(passphrase) < SECRET_PASSPHRASE)
        return err_set(why, ERR_INVALID, "a passphrase has at least %d characters",
                       SECRET_PASSPHRASE);
    if (sodium_init() < 0 ||
        crypto_pwhash(out->bytes, sizeof out->bytes, passphrase.ptr, passphrase.len, salt,
                      crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return err_set(why, ERR_NO_MEMORY, "could not make a key of the passphrase");
    return ERR_OK;
}

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG   crypto_aead_xchacha20poly1305_ietf_ABYTES
_Static_assert(NONCE + TAG == SECRET_SEAL_EXTRA, "what secret.h says");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == SECRET_KEY_BYTES, "the key's size");

enum err secret_seal(const struct secret_key *key, struct str text, struct str about,
                     struct arena *arena, struct str *out, struct why *why)
{
    unsigned long long len = 0;
    char *bytes = arena_bytes(arena, text.len + SECRET_SEAL_EXTRA);
    if (!bytes)
        return err_set(why, ERR_NO_MEMORY, "could not seal a secret");
    unsigned char *nonce = (unsigned char *)bytes, *sealed = nonce + NONCE;
    randombytes_buf(nonce, NONCE);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        sealed, &len, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len,
        (const unsigned char *)about.ptr, about.len, NULL, nonce, key->bytes);
    *out = (struct str){bytes, NONCE + (size_t)len};
    return ERR_OK;
}

enum err secret_open(const struct secret_key *key, struct str sealed, struct str about,
                     struct arena *arena, struct str *out, struct why *why)
{
    unsigned long long len = 0;
    if (sealed.len < SECRET_SEAL_EXTRA)
        return err_set(why, ERR_CORRUPT, "the sealed secret is cut off");
    char *text = arena_bytes(arena, sealed.len - SECRET_SEAL_EXTRA + 1);
    if (!text)
        return err_set(why, ERR_NO_MEMORY, "could not open a secret");
    const unsigned char *nonce = (const unsigned char *)sealed.ptr;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            (unsigned char *)text, &len, NULL, nonce + NONCE, sealed.len - NONCE,
            (const unsigned char *)about.ptr, about.len, nonce, key->bytes) != 0) {
        err_hint(why, "enter it again; the key file may have been replaced");
        return err_set(why, ERR_CORRUPT, "the sealed secret does not open with this key file");
    }
    text[len] = '\0';
    *out = (struct str){text, (size_t)len};
    return ERR_OK;
}
