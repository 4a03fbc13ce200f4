/*
 * release/manifest - what a release consists of, its signatures, and the proof of a folder.
 *
 * crypt -> [manifest] -> make, verify. Pure. A manifest and its signatures have one form only: a
 * text that says the same in other bytes is refused, so that no bit of it can be changed unseen.
 *
 *     manifest.json   {"format": 1, "kind": "yicheng-release", "id", "name", "title", "tenant",
 *                      "dataset", "version", "version_manifest", "record_kind", "grade", "gate",
 *                      "created_at", "n_records", "n_bytes",
 *                      "files": [{"name", "sha256", "sm3", "n_bytes", "n_records"?}, ...]}
 *     signature.json  {"format": 1, "manifest_sha256", "manifest_sm3", "signatures":
 *                      [{"algorithm": "sm2", "key", "public_key", "signature"}, {... "ed25519"}]}
 *
 * Both signatures are over the bytes of manifest.json. Keys and signatures are hex of DER.
 */
#ifndef RELEASE_MANIFEST_H
#define RELEASE_MANIFEST_H

#include "core/json.h"
#include "release/crypt.h"
#include "release/release.h"

struct arena;

#define MANIFEST_MOST      ((size_t)64 << 20) /* bytes */
#define MANIFEST_MOST_SIGS ((size_t)64 << 10)

struct manifest_file {
    struct str name; /* tar_name_ok() */
    struct str sha256, sm3;
    int64_t n_bytes;
    int64_t n_records; /* -1: no file of records */
};

struct manifest {
    struct str id, name, title, tenant, dataset, version_manifest, record_kind, grade, gate;
    struct str created_at;
    int64_t version, n_records, n_bytes;
    struct manifest_file *files; /* n of them */
    size_t n;
};

ERR_MUST_USE enum err manifest_write(const struct manifest *manifest, struct arena *arena,
                                     struct str *out, struct why *why);
/* ERR_CORRUPT for what is no manifest in its one form. */
ERR_MUST_USE enum err manifest_read(struct str text, struct arena *arena, struct manifest *out,
                                    struct why *why);

#define MANIFEST_SIGNATURES 2 /* sm2, ed25519, in this order */
struct manifest_signature {
    struct str public_der, signature;
};

ERR_MUST_USE enum err signatures_write(struct str manifest,
                                       const struct manifest_signature sigs[MANIFEST_SIGNATURES],
                                       struct arena *arena, struct str *out, struct why *why);
/* Reads and verifies both over `manifest`. ERR_CORRUPT says which is wrong. */
ERR_MUST_USE enum err signatures_check(struct str manifest, struct str text, struct arena *arena,
                                       struct manifest_signature out[MANIFEST_SIGNATURES],
                                       struct why *why);

#endif
