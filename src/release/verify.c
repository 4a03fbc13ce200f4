/* The proof of a folder, with public keys alone: needs no data directory. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "release/manifest.h"
#include "release/room.h"

#define PART ((size_t)64 << 10)

static enum err read_small(const char *dir, const char *name, size_t most, struct arena *arena,
                           struct str *out, struct why *why)
{
    char *path = file_join(arena, dir, name);
    struct why own = {0};
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not read \"%s\"", name);
    enum err err = file_read(path, most, arena, out, &own);
    if (err == ERR_NOT_FOUND || err == ERR_TOO_LARGE)
        return err_set(why, ERR_CORRUPT, "\"%s\" %s", name,
                       err == ERR_NOT_FOUND ? "is missing: the export did not end, or was changed"
                                            : "is too large");
    return err ? err_set(why, err, "%s", why_text(&own, err)) : ERR_OK;
}

/* ---- one file ---- */

struct sums {
    struct hash *sha256, *sm3;
    int64_t n_bytes, n_lines;
    bool ends; /* with a line's end */
};

static enum err read_sums(int fd, const char *name, struct sums *s, struct why *why)
{
    static _Thread_local char part[PART];
    s->ends = true;
    for (;;) {
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0)
            return err_errno(why, "could not read \"%s\"", name);
        if (n == 0)
            return ERR_OK;
        hash_add(s->sha256, part, (size_t)n);
        hash_add(s->sm3, part, (size_t)n);
        s->n_bytes += n;
        for (const char *at = part; (at = memchr(at, '\n', (size_t)(part + n - at))); at++)
            s->n_lines++;
        s->ends = part[n - 1] == '\n';
    }
}

static bool fits(struct hash *hash, struct str want)
{
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    hash_end(hash, digest);
    return str_eq_c(want, hex_put(digest, sizeof digest, hex));
}

static enum err check_file(const char *dir, const struct manifest_file *f, struct arena *arena,
                           struct why *why)
{
    struct sums s = {.sha256 = hash_new(HASH_SHA256), .sm3 = hash_new(HASH_SM3)};
    char *name = str_z(arena, f->name), *path = name ? file_join(arena, dir, name) : NULL;
    struct stat st;
    enum err err = s.sha256 && s.sm3 && path
                       ? ERR_OK
                       : err_set(why, ERR_NO_MEMORY, "could not read the files");
    int fd = err ? -1 : open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (!err && fd < 0)
        err = err_set(why, ERR_CORRUPT, "\"%s\" is missing or cannot be read", name);
    if (!err && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
        err = err_set(why, ERR_CORRUPT, "\"%s\" is no file", name);
    if (!err)
        err = read_sums(fd, name, &s, why);
    bool same = !err && fits(s.sha256, f->sha256);
    same = !err && fits(s.sm3, f->sm3) && same;
    if (!err && (s.n_bytes != f->n_bytes || !same))
        err = err_set(why, ERR_CORRUPT, "\"%s\" was changed", name);
    if (!err && f->n_records >= 0 && s.n_lines + !s.ends != f->n_records)
        err = err_set(why, ERR_CORRUPT, "\"%s\" holds %lld records and not %lld", name,
                      (long long)(s.n_lines + !s.ends), (long long)f->n_records);
    if (fd >= 0)
        (void)close(fd);
    hash_free(s.sha256);
    hash_free(s.sm3);
    return err;
}

/* ---- nothing else is there ---- */

struct others {
    const struct manifest *manifest;
    struct map known;
};

static enum err each_file(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct others *o = ctx;
    (void)path;
    if (map_find(&o->known, relative))
        return ERR_OK;
    return err_set(why, ERR_CORRUPT, "\"%.*s\" is no part of the release", SHOW(relative));
}

static enum err check_others(const char *dir, const struct manifest *m, struct arena *arena,
                             struct why *why)
{
    struct others o = {.manifest = m};
    map_init(&o.known, arena);
    bool good = map_put(&o.known, STR("manifest.json"), NULL) != NULL &&
                map_put(&o.known, STR("signature.json"), NULL) != NULL;
    for (size_t i = 0; good && i < m->n; i++)
        good = map_put(&o.known, m->files[i].name, NULL) != NULL;
    if (!good)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of files");
    return file_walk(dir, 16, each_file, &o, why);
}

/* ---- keys that are trusted ---- */

static enum err check_pins(const struct str *pems, size_t n,
                           const struct manifest_signature sigs[MANIFEST_SIGNATURES],
                           struct arena *arena, struct why *why)
{
    static const enum crypt_kind kinds[MANIFEST_SIGNATURES] = {CRYPT_SM2, CRYPT_ED25519};
    for (size_t i = 0; i < n; i++) {
        struct str der;
        enum crypt_kind kind;
        bool found = false;
        enum err err = crypt_read_pem(pems[i], arena, &der, &kind, why);
        if (err)
            return err;
        for (size_t k = 0; k < MANIFEST_SIGNATURES; k++)
            found |= kinds[k] == kind && str_eq(der, sigs[k].public_der);
        if (!found)
            return err_set(why, ERR_FORBIDDEN, "it was signed by another %s key than the one given",
                           crypt_kind_name(kind));
    }
    return ERR_OK;
}

enum err release_verify(const char *dir, const struct str *pems, size_t n, struct arena *arena,
                        struct release_proof *out, struct why *why)
{
    struct str manifest = STR_NONE, signature = STR_NONE;
    struct manifest m;
    struct manifest_signature sigs[MANIFEST_SIGNATURES];
    enum err err = read_small(dir, "manifest.json", MANIFEST_MOST, arena, &manifest, why);
    if (!err)
        err = read_small(dir, "signature.json", MANIFEST_MOST_SIGS, arena, &signature, why);
    if (!err)
        err = signatures_check(manifest, signature, arena, sigs, why);
    if (!err)
        err = check_pins(pems, n, sigs, arena, why);
    if (!err)
        err = manifest_read(manifest, arena, &m, why);
    for (size_t i = 0; !err && i < m.n; i++)
        err = check_file(dir, &m.files[i], arena, why);
    if (!err)
        err = check_others(dir, &m, arena, why);
    if (err)
        return err;
    *out = (struct release_proof){.id = m.id,
                                  .name = m.name,
                                  .title = m.title,
                                  .tenant = m.tenant,
                                  .dataset = m.dataset,
                                  .grade = m.grade,
                                  .created_at = m.created_at,
                                  .version = m.version,
                                  .n_records = m.n_records,
                                  .n_bytes = m.n_bytes,
                                  .n_files = m.n,
                                  .pinned = n > 0};
    crypt_key_id(sigs[0].public_der, out->sm2_key);
    crypt_key_id(sigs[1].public_der, out->ed25519_key);
    return ERR_OK;
}
