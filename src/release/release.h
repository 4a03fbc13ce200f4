/*
 * release - a version of a data set becomes a release: report, gate, signature, capsule, catalogue.
 *
 *     version -> report (how good is it?) -> gate (may it go out?) -> release (signed, immutable)
 *             -> export | capsule      -> catalogue -> subscription -> use (counted, in the ledger)
 *
 * A gate is for one version and one purpose: rules over its papers, an automatic sample and a
 * sample that people judge. Only a version that passed can be released. A release is a manifest
 * with the hashes of everything in it, signed twice (SM2 with SM3, Ed25519) by keys of the tenant.
 * Another tenant finds it in the catalogue when it was offered to him, asks for it with a purpose,
 * and uses it as often and as long as was granted. A withdrawn source marks the releases that hold
 * it, in the same transaction; nothing is handed out from them any more.
 *
 * The rules of the gate follow what is known of GB/T 45654-2025 and TC260-003; docs/decisions/0016
 * says which clause from which source. No conformity is claimed.
 *
 * Everything checks the permissions of `who` itself (release.make, release.approve, release.use,
 * data.read) and writes what it does into the ledger. Heavy work is a job. Results of the *_json
 * functions are what the REST routes answer; they live in the arena that was passed.
 *
 * Threads: a `struct release` serves any thread. Errors common to all: ERR_FORBIDDEN, ERR_NOT_FOUND
 * (also for what belongs to another tenant and was not offered), ERR_INVALID (why names the field),
 * ERR_CONFLICT (the state does not allow it), those of the store.
 *
 * Owns the tables release_*.
 */
#ifndef RELEASE_RELEASE_H
#define RELEASE_RELEASE_H

#include "compute/compute.h"
#include "core/json.h"
#include "core/str.h"
#include "data/data.h"
#include "objects/objects.h"
#include "ops/ops.h"
#include "store/store.h"

struct arena;
struct conf;
struct conf_table;
struct http_table;
struct release;

extern const struct store_migration release_migrations[];
extern const size_t release_n_migrations;
extern const struct conf_table release_conf; /* release.words, release.keep_exports ... */
extern const struct job_kind release_report_job, release_gate_job, release_make_job,
    release_export_job;

struct release_opts {
    struct store *store;
    struct objects *objects;
    struct compute *compute;
    struct ops *ops;
    struct data *data; /* release_open() listens to its withdrawals */
    const struct conf *conf;
    const char *data_dir; /* release.key and exports/ stand in it */
};
ERR_MUST_USE enum err release_open(const struct release_opts *opts, struct release **out,
                                   struct why *why);
void release_close(struct release *release); /* NULL is fine */
const struct http_table *release_routes(struct release *release);

/* ---- quality reports ---- */

/*
 * Queues "release.report": measures by completeness, accuracy, consistency, diversity, timeliness
 * and safety over all records, or over `sample` of them spread by a seed. ask: {"dataset",
 * "version"?, "sample"?: n, 0 or missing: all}. The report becomes an object and stands in the
 * set's card.
 */
ERR_MUST_USE enum err release_report_make(struct release *release, const struct ops_identity *who,
                                          const struct json *ask, char id[UUID_TEXT],
                                          char job[UUID_TEXT], struct why *why);
/* {"items": [{"id", "dataset", "version", "state", "job", "created_at", "score"?}]}, newest first.
 */
ERR_MUST_USE enum err release_reports_json(struct release *release, const struct ops_identity *who,
                                           struct str dataset, struct arena *arena,
                                           struct json_out *out, struct why *why);
ERR_MUST_USE enum err release_report_json(struct release *release, const struct ops_identity *who,
                                          struct str id, struct arena *arena, struct json_out *out,
                                          struct why *why);

/* ---- the gate ---- */

#define RELEASE_LEAST_SAMPLE 4000 /* records judged by people, or all when there are fewer */

/*
 * Queues "release.gate": checks the papers, looks through the automatic sample, draws the manual
 * one. ask: {"dataset", "version"?, "purpose": "training" | "evaluation" | "knowledge" | "sharing",
 * "sample"?: at least RELEASE_LEAST_SAMPLE, "share"?: 0.1 .. 1, "seed"?}.
 */
ERR_MUST_USE enum err release_gate_make(struct release *release, const struct ops_identity *who,
                                        const struct json *ask, char id[UUID_TEXT],
                                        char job[UUID_TEXT], struct why *why);
ERR_MUST_USE enum err release_gates_json(struct release *release, const struct ops_identity *who,
                                         struct str dataset, struct str state, struct arena *arena,
                                         struct json_out *out, struct why *why);
/* With every rule: what it asks, what was found, whether it holds, and where it comes from. */
ERR_MUST_USE enum err release_gate_json(struct release *release, const struct ops_identity *who,
                                        struct str id, struct arena *arena, struct json_out *out,
                                        struct why *why);
/* Passed or failed, for good. ERR_CONFLICT while records are still to be judged. */
ERR_MUST_USE enum err release_gate_decide(struct release *release, const struct ops_identity *who,
                                          struct str id, bool *passed, struct why *why);
ERR_MUST_USE enum err release_gate_cancel(struct release *release, const struct ops_identity *who,
                                          struct str id, struct why *why);

/* The 31 risks of the standard's appendix A: {"items": [{"code", "group", "title", ...}]}. */
void release_risks_json(struct json_out *out);

/*
 * Judging. Who made the version does not judge it. `n` records are lent to the caller for ten
 * minutes, so that several people share the work; a judgement is there when the call returns.
 *
 * claim: {"gate", "kind": "manual" | "hit", "n"?} -> {"items": [sample, ...], "left", "mine"}
 */
ERR_MUST_USE enum err release_samples_claim(struct release *release, const struct ops_identity *who,
                                            const struct json *ask, struct arena *arena,
                                            struct json_out *out, struct why *why);
/* {"verdict": "ok" | a code of a risk, "comment"?}. May be changed by the same person, or by
 * anybody who may judge, until the gate is decided; every change is in the ledger. */
ERR_MUST_USE enum err release_sample_judge(struct release *release, const struct ops_identity *who,
                                           struct str id, const struct json *judgement,
                                           struct why *why);
struct release_samples_filter {
    struct str gate, kind, verdict, source; /* verdict "open", "ok", "bad" or a code; empty: any */
    int64_t after;                          /* number of the sample before */
    size_t limit;
};
ERR_MUST_USE enum err release_samples_json(struct release *release, const struct ops_identity *who,
                                           const struct release_samples_filter *filter,
                                           struct arena *arena, struct json_out *out,
                                           struct why *why);

/* ---- releases ---- */

/* Queues "release.make". ask: {"gate", "name", "title"?, "note"?}. One release a gate. */
ERR_MUST_USE enum err release_make(struct release *release, const struct ops_identity *who,
                                   const struct json *ask, char id[UUID_TEXT], char job[UUID_TEXT],
                                   struct why *why);
ERR_MUST_USE enum err release_list_json(struct release *release, const struct ops_identity *who,
                                        struct str dataset, struct arena *arena,
                                        struct json_out *out, struct why *why);
ERR_MUST_USE enum err release_one_json(struct release *release, const struct ops_identity *who,
                                       struct str id, struct arena *arena, struct json_out *out,
                                       struct why *why);
/* The bytes of manifest.json or signature.json. */
ERR_MUST_USE enum err release_file(struct release *release, const struct ops_identity *who,
                                   struct str id, const char *name, struct arena *arena,
                                   struct str *out, struct why *why);
/*
 * Queues "release.export". ask: {"release", "form": "directory" | "jsonl" | "text" | "openai" |
 * "sharegpt" | "alpaca" | "dpo" | "capsule", "to"? (tenant), "suite"?, "uses"?, "ends_at"?,
 * "subscription"?}. For the own tenant, or against a subscription, which it counts.
 */
ERR_MUST_USE enum err release_export(struct release *release, const struct ops_identity *who,
                                     const struct json *ask, char job[UUID_TEXT], struct why *why);
/* The file that an export made, for who it was made for. */
ERR_MUST_USE enum err release_export_path(struct release *release, const struct ops_identity *who,
                                          struct str job, struct arena *arena, const char **path,
                                          struct str *name, struct why *why);
/* The same into a folder, in the foreground; resumes when it is given again. */
ERR_MUST_USE enum err release_export_to(struct release *release, const struct ops_identity *who,
                                        struct str id, const char *dir, struct why *why);

/* The tenant's public keys, made when there are none: {"items": [{"id", "kind", "pem", "state"}]}.
 */
ERR_MUST_USE enum err release_keys_json(struct release *release, const struct ops_identity *who,
                                        struct arena *arena, struct json_out *out, struct why *why);
/* New keys; the old ones still open and verify. release.approve. */
ERR_MUST_USE enum err release_keys_rotate(struct release *release, const struct ops_identity *who,
                                          struct why *why);

/*
 * Proves a folder that was exported, with public keys alone: both signatures, every file's size,
 * SHA-256, SM3 and count of records, and that nothing else is there. pems: keys that are trusted
 * (n may be 0: then only that the folder is whole and by whom it says it was signed).
 *
 *   Errors  ERR_CORRUPT  something was changed, is missing or was put in: why names it
 *           ERR_FORBIDDEN signed by other keys than those given
 *   Cost    reads everything once, 64 KiB in memory at a time
 */
struct release_proof {
    struct str id, name, title, tenant, dataset, grade, created_at;
    int64_t version, n_records, n_bytes;
    size_t n_files;
    char sm2_key[33], ed25519_key[33];
    bool pinned; /* by keys that were given */
};
ERR_MUST_USE enum err release_verify(const char *dir, const struct str *pems, size_t n,
                                     struct arena *arena, struct release_proof *out,
                                     struct why *why);

/* ---- capsules ---- */

ERR_MUST_USE enum err release_capsules_json(struct release *release, const struct ops_identity *who,
                                            struct arena *arena, struct json_out *out,
                                            struct why *why);
/* The sealed file, for either side. */
ERR_MUST_USE enum err release_capsule_path(struct release *release, const struct ops_identity *who,
                                           struct str id, struct arena *arena, const char **path,
                                           struct why *why);
/*
 * Opens a capsule for the tenant of `who` into `dir` (made here, must not be there). One opening is
 * counted and written into the ledger before anything is opened. file NULL: the copy of the centre.
 *   Errors  ERR_FORBIDDEN  closed for another tenant, used up, ended, revoked, or the release was
 *                          withdrawn
 *           ERR_CORRUPT    damaged
 */
ERR_MUST_USE enum err release_capsule_open(struct release *release, const struct ops_identity *who,
                                           struct str id, const char *file, struct str purpose,
                                           const char *dir, struct why *why);
/* The same as an archive (tar) at `path`. */
ERR_MUST_USE enum err release_capsule_unpack(struct release *release,
                                             const struct ops_identity *who, struct str id,
                                             struct str purpose, const char *path, struct why *why);
ERR_MUST_USE enum err release_capsule_revoke(struct release *release,
                                             const struct ops_identity *who, struct str id,
                                             struct str reason, struct why *why);

/* ---- catalogue ---- */

struct release_search {
    struct str find, industry, grade; /* empty: any */
    size_t from, limit;
};
/* What is offered to the tenant of `who`, and what he offers himself. */
ERR_MUST_USE enum err release_catalogue_json(struct release *release,
                                             const struct ops_identity *who,
                                             const struct release_search *search,
                                             struct arena *arena, struct json_out *out,
                                             struct why *why);
ERR_MUST_USE enum err release_offer_json(struct release *release, const struct ops_identity *who,
                                         struct str id, struct arena *arena, struct json_out *out,
                                         struct why *why);
/* offer: {"title", "summary", "industry", "fields": [{"name", "summary"}], "price_note",
 * "tenants": [...]}; a grade above public needs tenants by name. release.make. */
ERR_MUST_USE enum err release_offer(struct release *release, const struct ops_identity *who,
                                    struct str id, const struct json *offer, struct why *why);
ERR_MUST_USE enum err release_offer_end(struct release *release, const struct ops_identity *who,
                                        struct str id, struct why *why);

/* ---- subscriptions ---- */

/* ask: {"release", "purpose", "uses"?, "ends_at"?}. release.use. */
ERR_MUST_USE enum err release_subscribe(struct release *release, const struct ops_identity *who,
                                        const struct json *ask, char id[UUID_TEXT],
                                        struct why *why);
/* side "mine" (asked for), "theirs" (asked of us) or "" (both). */
ERR_MUST_USE enum err release_subscriptions_json(struct release *release,
                                                 const struct ops_identity *who, struct str side,
                                                 struct str state, struct arena *arena,
                                                 struct json_out *out, struct why *why);
/* With every use. */
ERR_MUST_USE enum err release_subscription_json(struct release *release,
                                                const struct ops_identity *who, struct str id,
                                                struct arena *arena, struct json_out *out,
                                                struct why *why);
/* act "approve" {"uses"?, "ends_at"?, "note"?}, "refuse" {"note"}, "revoke" {"note"}:
 * release.approve of the tenant that released; "end" {}: of the one that asked. */
ERR_MUST_USE enum err release_subscription_act(struct release *release,
                                               const struct ops_identity *who, struct str id,
                                               const char *act, const struct json *form,
                                               struct why *why);

/* ---- proof ---- */

/* Objects of reports, releases and capsules are there, manifests fit their signatures. */
typedef void release_bad_fn(void *ctx, const char *what, const char *words);
ERR_MUST_USE enum err release_check(struct release *release, release_bad_fn *bad, void *ctx,
                                    struct why *why);

#endif
