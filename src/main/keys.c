#include "main/keys.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/secret.h"
#include "core/time.h"

#define FORMAT 1
#define MOST   ((size_t)64 << 10)
#define PRINT  16 /* hex digits */

const struct key_kind key_kinds[KEYS_MOST] = {
    {"privacy.key", "tokens of the vault, pseudonyms", "保险库令牌和化名"},
    {"models.key", "keys of endpoints", "模型端点的密钥"},
    {"acquire.key", "passwords and headers of collectors", "采集器的口令和请求头"},
    {"release.key", "keys that sign releases and open capsules", "发布签名和打开数据胶囊的密钥"},
};

/* False when there is none. */
static bool read_key(const char *dir, const char *name, struct arena *arena, struct str *out)
{
    char *path = file_join(arena, dir, name);
    return path && file_exists(path) && file_read(path, 256, arena, out, NULL) == ERR_OK &&
           out->len == SECRET_KEY_BYTES;
}

static void print_of(struct str key, char out[PRINT + 1])
{
    static const char about[] = "yicheng print of a key\n";
    uint8_t sum[HASH_BYTES];
    char hex[HASH_TEXT];
    char both[sizeof about - 1 + SECRET_KEY_BYTES];
    memcpy(both, about, sizeof about - 1);
    memcpy(both + sizeof about - 1, key.ptr, SECRET_KEY_BYTES);
    hash_of(HASH_SHA256, (struct str){both, sizeof both}, sum);
    secret_wipe(both, sizeof both);
    (void)snprintf(out, PRINT + 1, "%.*s", PRINT, hex_put(sum, sizeof sum, hex));
}

void keys_prints(const char *dir, struct arena *arena, struct json_out *out)
{
    json_begin_object(out);
    for (size_t i = 0; i < KEYS_MOST; i++) {
        struct str key;
        char print[PRINT + 1];
        if (!read_key(dir, key_kinds[i].file, arena, &key))
            continue;
        print_of(key, print);
        json_kv_c(out, key_kinds[i].file, print);
    }
    json_end_object(out);
}

bool keys_same(const char *dir, const struct key_kind *kind, struct str print, struct arena *arena)
{
    struct str key;
    char own[PRINT + 1];
    if (!read_key(dir, kind->file, arena, &key))
        return false;
    print_of(key, own);
    return str_eq_c(print, own);
}

/* ---- away ---- */

static enum err put_keys(const char *dir, const struct secret_key *with, struct arena *arena,
                         struct json_out *out, size_t *n, struct why *why)
{
    enum err err = ERR_OK;
    json_key(out, "keys");
    json_begin_object(out);
    for (size_t i = 0; !err && i < KEYS_MOST; i++) {
        struct str key, sealed;
        const char *name = key_kinds[i].file;
        if (!read_key(dir, name, arena, &key))
            continue;
        err = secret_seal(with, key, str_c(name), arena, &sealed, why);
        char *hex = err ? NULL : arena_bytes(arena, 2 * sealed.len + 1);
        if (!err && !hex)
            err = err_set(why, ERR_NO_MEMORY, "could not hold the keys");
        if (!err)
            json_kv_c(out, name, hex_put(sealed.ptr, sealed.len, hex));
        ++*n;
    }
    json_end_object(out);
    return err;
}

enum err keys_save(const char *dir, const char *file, struct str passphrase, struct arena *arena,
                   struct keys_report *report, struct why *why)
{
    unsigned char salt[SECRET_SALT_BYTES];
    char hex[2 * SECRET_SALT_BYTES + 1], now[TIME_TEXT];
    struct secret_key with;
    struct buf buf;
    struct json_out out;
    *report = (struct keys_report){0};
    random_bytes(salt, sizeof salt);
    enum err err = secret_key_from(passphrase, salt, &with, why);
    if (err)
        return err;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_c(&out, "what", "key files of a Yicheng centre, sealed under a passphrase");
    json_kv_int(&out, "format", FORMAT);
    json_kv_c(&out, "kdf", "argon2id13-moderate");
    json_kv_c(&out, "salt", hex_put(salt, sizeof salt, hex));
    json_kv_c(&out, "time", time_format(time_now_ms(), now));
    err = put_keys(dir, &with, arena, &out, &report->n, why);
    json_end_object(&out);
    secret_wipe(&with, sizeof with);
    if (!err)
        err = buf_err(&buf, why);
    if (!err && !report->n)
        err = err_set(why, ERR_NOT_FOUND, "there is no key file in \"%s\"", dir);
    return err ? err : file_write(file, buf_str(&buf), 0600, why);
}

/* ---- back ---- */

static enum err open_file(const char *file, struct str passphrase, struct arena *arena,
                          const struct json **keys, struct secret_key *with, struct why *why)
{
    struct str text;
    const struct json *json;
    unsigned char salt[SECRET_SALT_BYTES];
    enum err err = file_read(file, MOST, arena, &text, why);
    if (!err)
        err = json_parse(text, arena, &json, why);
    if (err)
        return err;
    *keys = json_get(json, "keys");
    if (json_get_int(json, "format", 0) != FORMAT || json_len(*keys) == 0 ||
        !hex_get(json_get_str(json, "salt", STR("")), salt, sizeof salt))
        return err_set(why, ERR_INVALID, "\"%s\" is no file of keys that this program knows", file);
    return secret_key_from(passphrase, salt, with, why);
}

static enum err open_key(const struct json *keys, const char *name, const struct secret_key *with,
                         struct arena *arena, struct str *out, struct why *why)
{
    struct str hex = json_get_str(keys, name, STR(""));
    char *sealed = arena_bytes(arena, hex.len / 2 + 1);
    struct why own = {0};
    *out = STR_NONE;
    if (!hex.len)
        return ERR_OK;
    if (!sealed)
        return err_set(why, ERR_NO_MEMORY, "could not hold the keys");
    if (!hex_get(hex, sealed, hex.len / 2) ||
        secret_open(with, (struct str){sealed, hex.len / 2}, str_c(name), arena, out, &own) ||
        out->len != SECRET_KEY_BYTES)
        return err_set(why, ERR_FORBIDDEN,
                       "%s does not open: another passphrase, or the file was changed", name);
    return ERR_OK;
}

static enum err set_aside(const char *path, struct arena *arena, struct why *why)
{
    char now[TIME_TEXT];
    char *to =
        str_z(arena, str_printf(arena, "%s.replaced-%s", path, time_format(time_now_ms(), now)));
    return to ? file_rename(path, to, why)
              : err_set(why, ERR_NO_MEMORY, "could not set a key aside");
}

static enum err put_back(const char *dir, const char *name, struct str key, struct arena *arena,
                         struct keys_report *report, struct why *why)
{
    struct str there;
    char *path = file_join(arena, dir, name);
    enum err err = path ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not write the keys");
    bool same = !err && read_key(dir, name, arena, &there) && str_eq(there, key);
    report->n++;
    if (err || same)
        return err;
    if (file_exists(path)) {
        err = set_aside(path, arena, why);
        report->replaced[report->n_replaced++] = name;
    }
    return err ? err : file_write(path, key, 0600, why);
}

enum err keys_load(const char *dir, const char *file, struct str passphrase, struct arena *arena,
                   struct keys_report *report, struct why *why)
{
    const struct json *keys = NULL;
    struct secret_key with;
    struct str opened[KEYS_MOST];
    *report = (struct keys_report){0};
    enum err err = open_file(file, passphrase, arena, &keys, &with, why);
    for (size_t i = 0; !err && i < KEYS_MOST; i++)
        err = open_key(keys, key_kinds[i].file, &with, arena, &opened[i], why);
    secret_wipe(&with, sizeof with);
    if (!err)
        err = file_make_dirs(dir, why);
    for (size_t i = 0; !err && i < KEYS_MOST; i++)
        if (opened[i].ptr)
            err = put_back(dir, key_kinds[i].file, opened[i], arena, report, why);
    return err;
}
