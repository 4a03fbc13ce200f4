#include "release/manifest.h"

#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "release/tar.h"

#define KIND "yicheng-release"

enum err manifest_write(const struct manifest *m, struct arena *arena, struct str *out,
                        struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_int(&json, "format", 1);
    json_kv_c(&json, "kind", KIND);
    json_kv_str(&json, "id", m->id);
    json_kv_str(&json, "name", m->name);
    json_kv_str(&json, "title", m->title);
    json_kv_str(&json, "tenant", m->tenant);
    json_kv_str(&json, "dataset", m->dataset);
    json_kv_int(&json, "version", m->version);
    json_kv_str(&json, "version_manifest", m->version_manifest);
    json_kv_str(&json, "record_kind", m->record_kind);
    json_kv_str(&json, "grade", m->grade);
    json_kv_str(&json, "gate", m->gate);
    json_kv_str(&json, "created_at", m->created_at);
    json_kv_int(&json, "n_records", m->n_records);
    json_kv_int(&json, "n_bytes", m->n_bytes);
    json_key(&json, "files");
    json_begin_array(&json);
    for (size_t i = 0; i < m->n; i++) {
        const struct manifest_file *f = &m->files[i];
        json_begin_object(&json);
        json_kv_str(&json, "name", f->name);
        json_kv_str(&json, "sha256", f->sha256);
        json_kv_str(&json, "sm3", f->sm3);
        json_kv_int(&json, "n_bytes", f->n_bytes);
        if (f->n_records >= 0)
            json_kv_int(&json, "n_records", f->n_records);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    buf_char(&buf, '\n');
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static bool is_digest(struct str hex)
{
    uint8_t bytes[HASH_BYTES];
    return hex_get(hex, bytes, sizeof bytes);
}

static enum err read_files(const struct json *list, struct arena *arena, struct manifest *out,
                           struct why *why)
{
    struct str before = STR("");
    int64_t n_records = 0;
    out->n = json_len(list);
    out->files = arena_array(arena, struct manifest_file, out->n + 1);
    if (!out->files)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of files");
    for (size_t i = 0; i < out->n; i++) {
        const struct json *f = json_at(list, i);
        struct manifest_file *to = &out->files[i];
        *to = (struct manifest_file){.name = json_get_str(f, "name", STR("")),
                                     .sha256 = json_get_str(f, "sha256", STR("")),
                                     .sm3 = json_get_str(f, "sm3", STR("")),
                                     .n_bytes = json_get_int(f, "n_bytes", -1),
                                     .n_records = json_get_int(f, "n_records", -1)};
        /* In order, so none stands twice. */
        if (!tar_name_ok(to->name) || str_cmp(before, to->name) >= 0 || to->n_bytes < 0 ||
            !is_digest(to->sha256) || !is_digest(to->sm3))
            return err_set(why, ERR_CORRUPT, "the manifest's file %zu is not well described", i);
        before = to->name;
        n_records += to->n_records > 0 ? to->n_records : 0;
    }
    return n_records == out->n_records
               ? ERR_OK
               : err_set(why, ERR_CORRUPT, "the manifest's counts of records do not add up");
}

enum err manifest_read(struct str text, struct arena *arena, struct manifest *out, struct why *why)
{
    const struct json *json = NULL;
    struct why own = {0};
    struct str again;
    if (json_parse(text, arena, &json, &own))
        return err_set(why, ERR_CORRUPT, "the manifest is damaged: %s",
                       why_text(&own, ERR_INVALID));
    if (json_get_int(json, "format", 0) != 1 ||
        !str_eq_c(json_get_str(json, "kind", STR("")), KIND))
        return err_set(why, ERR_CORRUPT, "that is no manifest of a release");
    *out = (struct manifest){.id = json_get_str(json, "id", STR("")),
                             .name = json_get_str(json, "name", STR("")),
                             .title = json_get_str(json, "title", STR("")),
                             .tenant = json_get_str(json, "tenant", STR("")),
                             .dataset = json_get_str(json, "dataset", STR("")),
                             .version = json_get_int(json, "version", 0),
                             .version_manifest = json_get_str(json, "version_manifest", STR("")),
                             .record_kind = json_get_str(json, "record_kind", STR("")),
                             .grade = json_get_str(json, "grade", STR("")),
                             .gate = json_get_str(json, "gate", STR("")),
                             .created_at = json_get_str(json, "created_at", STR("")),
                             .n_records = json_get_int(json, "n_records", -1),
                             .n_bytes = json_get_int(json, "n_bytes", -1)};
    enum err err = read_files(json_get(json, "files"), arena, out, why);
    if (!err)
        err = manifest_write(out, arena, &again, why);
    if (!err && !str_eq(text, again))
        err = err_set(why, ERR_CORRUPT, "the manifest is not in its one form");
    return err;
}

/* ---- signatures ---- */

static const enum crypt_kind kinds[MANIFEST_SIGNATURES] = {CRYPT_SM2, CRYPT_ED25519};

static void put_hex(struct json_out *json, const char *key, struct str bytes, struct arena *arena)
{
    char *hex = arena_bytes(arena, bytes.len * 2 + 1);
    json_kv_c(json, key, hex ? hex_put(bytes.ptr, bytes.len, hex) : NULL);
}

static void put_digest(struct json_out *json, const char *key, enum hash_kind kind, struct str text)
{
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    hash_of(kind, text, digest);
    json_kv_c(json, key, hex_put(digest, sizeof digest, hex));
}

enum err signatures_write(struct str manifest,
                          const struct manifest_signature sigs[MANIFEST_SIGNATURES],
                          struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    char id[CRYPT_KEY_ID];
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_int(&json, "format", 1);
    put_digest(&json, "manifest_sha256", HASH_SHA256, manifest);
    put_digest(&json, "manifest_sm3", HASH_SM3, manifest);
    json_key(&json, "signatures");
    json_begin_array(&json);
    for (size_t i = 0; i < MANIFEST_SIGNATURES; i++) {
        crypt_key_id(sigs[i].public_der, id);
        json_begin_object(&json);
        json_kv_c(&json, "algorithm", crypt_kind_name(kinds[i]));
        json_kv_c(&json, "key", id);
        put_hex(&json, "public_key", sigs[i].public_der, arena);
        put_hex(&json, "signature", sigs[i].signature, arena);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    buf_char(&buf, '\n');
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err get_hex(const struct json *json, const char *key, struct arena *arena,
                        struct str *out, struct why *why)
{
    struct str hex = json_get_str(json, key, STR(""));
    char *bytes = arena_bytes(arena, hex.len / 2 + 1);
    if (!bytes)
        return err_set(why, ERR_NO_MEMORY, "could not read the signatures");
    if (!hex.len || !hex_get(hex, bytes, hex.len / 2))
        return err_set(why, ERR_CORRUPT, "the signatures are damaged");
    *out = (struct str){bytes, hex.len / 2};
    return ERR_OK;
}

enum err signatures_check(struct str manifest, struct str text, struct arena *arena,
                          struct manifest_signature out[MANIFEST_SIGNATURES], struct why *why)
{
    const struct json *json = NULL;
    struct str again;
    struct why own = {0};
    enum err err = ERR_OK;
    if (json_parse(text, arena, &json, &own) || json_get_int(json, "format", 0) != 1)
        return err_set(why, ERR_CORRUPT, "the signatures are damaged");
    const struct json *list = json_get(json, "signatures");
    for (size_t i = 0; !err && i < MANIFEST_SIGNATURES; i++) {
        err = get_hex(json_at(list, i), "public_key", arena, &out[i].public_der, why);
        if (!err)
            err = get_hex(json_at(list, i), "signature", arena, &out[i].signature, why);
        if (!err)
            err = crypt_verify(kinds[i], out[i].public_der, manifest, out[i].signature, why);
        if (err == ERR_INVALID)
            err = ERR_CORRUPT;
    }
    if (!err)
        err = signatures_write(manifest, out, arena, &again, why);
    if (!err && !str_eq(text, again))
        err = err_set(why, ERR_CORRUPT, "the signatures are not in their one form");
    return err;
}
