/*
 * release/room - what the files of this room share: the open room, acts, releases as rows.
 */
#ifndef RELEASE_ROOM_H
#define RELEASE_ROOM_H

#include "core/conf.h"
#include "core/secret.h"
#include "release/crypt.h"
#include "release/release.h"

struct release {
    struct release_opts opts;
    struct secret_key key; /* seals the tenants' secret keys; in release.key */
    char *exports;         /* folder of finished exports */
    struct http_table *table;
};

/* For %.*s of what came from outside: at most 120 bytes of it. */
#define SHOW(s) (int)((s).len < 120 ? (s).len : 120), ((s).ptr ? (s).ptr : "")

extern const char *const release_grades[4]; /* names of enum ops_class */
ERR_MUST_USE bool release_grade_parse(struct str name, int *out);

/* ---- an act: one write transaction with its record in the ledger ---- */

struct act {
    struct release *release;
    const struct ops_identity *who;
    struct arena *arena;
    struct store_tx *tx;
};
/* Checks the permission (NULL: none), begins. On an error nothing is to be ended. */
ERR_MUST_USE enum err release_act_begin(struct act *act, struct release *release,
                                        const struct ops_identity *who, const char *permission,
                                        struct why *why);
/* Writes the record and commits, or rolls back when `err`; gives that error back. */
ERR_MUST_USE enum err release_act_end(struct act *act, enum err err, const char *action,
                                      struct str object, struct str detail, struct why *why);

/* A JSON object of texts for the ledger: name, value, name, value ..., NULL. In `arena`. */
struct str detail_of(struct arena *arena, ...);

void kv_actor(struct json_out *out, struct release *release, struct str actor,
              struct arena *arena); /* "actor", "actor_name" */

/* A text member with limits in characters; `least` 0: may be missing. No control characters but
 * "\n". */
ERR_MUST_USE enum err text_of(const struct json *json, const char *key, size_t least, size_t most,
                              struct str *out, struct why *why);
/* "ends_at": a time in the future, or 0 when missing or null. */
ERR_MUST_USE enum err end_of(const struct json *json, int64_t *ms, struct why *why);
/* "uses": 0 (no limit) .. 1,000,000; 0 when missing. */
ERR_MUST_USE enum err uses_of(const struct json *json, int64_t *uses, struct why *why);

/* Who acts within a tenant for the room itself: reads its data sets whoever asked, after the room
 * has checked that he may. */
struct ops_identity inside(struct str tenant);
/* The tenant with this id or name, or ERR_NOT_FOUND. */
ERR_MUST_USE enum err tenant_find(struct release *release, struct str name, struct arena *arena,
                                  struct ops_tenant *out, struct why *why);
/* What people call it; the id when it is gone. */
struct str tenant_title(struct release *release, struct str id, struct arena *arena);

/* ---- keys (keys.c) ---- */

struct tenant_key {
    struct str id, public_der;
    enum crypt_kind kind;
};
/* The newest key of the kind; with `make` it is made when there is none, all three kinds at once.
 */
ERR_MUST_USE enum err key_find(struct store_tx *tx, struct release *release, struct str tenant,
                               enum crypt_kind kind, bool make, struct arena *arena,
                               struct tenant_key *out, struct why *why);
/* The secret of a key by its id, for the tenant that it belongs to alone. Wipe it. */
ERR_MUST_USE enum err key_secret(struct store_tx *tx, struct release *release, struct str tenant,
                                 struct str id, struct arena *arena, struct str *out,
                                 struct why *why);

/* ---- releases as rows (releases.c) ---- */

/* The columns of a table are told once, as X(STR or INT, name), all but the first, "id": a row's
 * struct, the list in SQL and the reading are made of that. */
#define ROW_FIELD(kind, name) ROW_FIELD_##kind(name)
#define ROW_FIELD_STR(name)   struct str name;
#define ROW_FIELD_INT(name)   int64_t name;
#define ROW_NAME(kind, name)  ", " #name
#define ROW_READ(kind, name)  row->name = ROW_READ_##kind(rows, i, at++);
#define ROW_READ_STR          store_str
#define ROW_READ_INT          store_int

/* manifest, signature and card are names of objects. */
/* clang-format off */
#define RELEASE_COLUMNS(X)                                                                         \
    X(STR, tenant) X(STR, name) X(STR, title) X(STR, dataset) X(INT, number) X(STR, version)       \
    X(INT, access) X(STR, gate) X(STR, job) X(STR, kind) X(STR, manifest) X(STR, signature)        \
    X(STR, card) X(INT, n_records) X(INT, n_bytes) X(STR, state) X(STR, reason) X(STR, actor)      \
    X(INT, created_ms) X(INT, withdrawn_ms)
/* clang-format on */
struct release_row {
    struct str id;
    RELEASE_COLUMNS(ROW_FIELD)
};
/* Whether records of this class may be read: otherwise nothing that names them is shown. */
bool may_read_class(const struct ops_identity *who, int64_t access);
/* Of any tenant: the caller checks. ERR_NOT_FOUND. */
ERR_MUST_USE enum err release_row(struct store_tx *tx, struct str id, struct arena *arena,
                                  struct release_row *out, struct why *why);
/* Of the tenant of `who`, in a class that he may read. */
ERR_MUST_USE enum err release_own(struct store_tx *tx, const struct ops_identity *who,
                                  struct str id, struct arena *arena, struct release_row *out,
                                  struct why *why);
void release_put(struct release *release, const struct release_row *row, struct arena *arena,
                 struct json_out *out); /* members of the open object */
/* ERR_CONFLICT when nothing may be handed out from it any more. */
ERR_MUST_USE enum err release_usable(const struct release_row *row, struct why *why);

/* The listener: marks releases, gates, offers and capsules of these versions. */
ERR_MUST_USE enum err release_withdrawn(void *ctx, struct store_tx *tx,
                                        const struct ops_identity *who, struct str source,
                                        struct str reason, const struct str *versions, size_t n,
                                        struct arena *arena, struct why *why);

/* ---- gates as rows (gate.c) ---- */

/* clang-format off */
#define GATE_COLUMNS(X)                                                                            \
    X(STR, tenant) X(STR, dataset) X(INT, number) X(STR, version) X(STR, manifest) X(INT, access)  \
    X(STR, maker) X(INT, n_records) X(STR, purpose) X(STR, spec) X(STR, state) X(STR, job)         \
    X(STR, found) X(STR, result) X(STR, actor) X(INT, created_ms) X(STR, decided_by)               \
    X(INT, decided_ms) X(STR, why)
/* clang-format on */
struct gate_row {
    struct str id;
    GATE_COLUMNS(ROW_FIELD)
};
ERR_MUST_USE enum err gate_find(struct store_tx *tx, const struct ops_identity *who, struct str id,
                                struct arena *arena, struct gate_row *out, struct why *why);
/* {"id", ..., "rules": [...], "manual", "hits", "judges"} as it stands now. *open: records still to
 * be judged; *passed: every rule holds. */
ERR_MUST_USE enum err gate_put(struct store_tx *tx, struct release *release,
                               const struct gate_row *gate, struct arena *arena,
                               struct json_out *out, int64_t *open, bool *passed, struct why *why);
/* Into its object: "risk_groups" (what judges named, by the five kinds of risk) and "not_checked"
 * (what a gate does not look for, beyond.def). `found` NULL: its job has not ended. */
ERR_MUST_USE enum err gate_put_scope(struct store_tx *tx, struct str gate, const struct json *found,
                                     struct arena *arena, struct json_out *out, struct why *why);

/* ---- rows beside jobs (moved.c) ---- */

/* What became of a job, into the row of a gate or a report that is not made yet; for job_kind. */
ERR_MUST_USE enum err gate_moved(void *ctx, struct store_tx *tx, const struct job_move *move,
                                 struct why *why);
ERR_MUST_USE enum err report_moved(void *ctx, struct store_tx *tx, const struct job_move *move,
                                   struct why *why);

/* ---- uses (subscribe.c) ---- */

/* Counts one use of a subscription of `who` and writes it down: ERR_FORBIDDEN with the reason when
 * it is used up, ended, revoked, or not approved. *release gets the release's id. Without `count`
 * it only asks whether it could be used. */
ERR_MUST_USE enum err subscription_use(struct store_tx *tx, const struct ops_identity *who,
                                       struct str id, struct str capsule, const char *what,
                                       struct str purpose, bool count, struct arena *arena,
                                       struct str *release, struct why *why);
ERR_MUST_USE enum err use_note(struct store_tx *tx, const struct ops_identity *who,
                               struct str release, struct str subscription, struct str capsule,
                               const char *what, struct str purpose, struct arena *arena,
                               struct why *why);

/* Whether an offer of the release reaches the tenant of `who`. */
ERR_MUST_USE enum err offered_to(struct store_tx *tx, const struct ops_identity *who,
                                 const struct release_row *row, struct arena *arena, bool *out,
                                 struct why *why);
/* Puts the words of an offer into the index of bigrams. */
ERR_MUST_USE enum err grams_put(struct store_tx *tx, struct str release, struct str words,
                                struct arena *arena, struct why *why);

#endif
