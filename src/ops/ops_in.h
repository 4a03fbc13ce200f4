/*
 * ops/ops_in - what the files of this room share; nobody else includes it.
 */
#ifndef OPS_OPS_IN_H
#define OPS_OPS_IN_H

#include <semaphore.h>

#include "core/arena.h"
#include "core/json.h"
#include "ops/limit.h"
#include "ops/ops.h"

/* Bits of permissions.def by id: OPS_P_USER_READ ... */
enum ops_permission_index {
#define OPS_PERMISSION(name, id, for_keys, title, title_en) OPS_I_##id,
#include "ops/permissions.def"
#undef OPS_PERMISSION
    OPS_I_COUNT
};
#define OPS_P(id)        ((uint64_t)1 << OPS_I_##id)

#define OPS_SCRATCH      (1u << 20) /* of one act */
#define OPS_MOST_NAME    100        /* characters of a title or display name */
#define OPS_HISTORY      5          /* passwords that may not come back */
#define OPS_PASSWORD_MAX 256        /* bytes */

struct ops {
    struct store *store;
    struct arena *arena; /* what lives as long as ops: the table of routes */
    struct limiter *limiter;
    struct known_keys *known; /* may be NULL */
    sem_t hashing;            /* Argon2id takes 64 MiB each: at most two at once */
    int64_t session_idle_ms, session_life_ms;
    int64_t password_min, password_kinds;
    int64_t lockout_failures, lockout_ms, lockout_most_ms;
    int64_t signin_per_minute, user_per_minute, key_per_minute, address_per_minute;
    int64_t key_days;
    bool demo;
};

/* ---- ops.c ---- */
struct str ops_new_id(struct arena *arena);
bool ops_is_system(const struct ops_identity *who);
bool ops_every_tenant(const struct ops_identity *who);
/* {"k1":"v1","k2":"v2"} in the arena; k2 may be NULL. */
struct str ops_detail(struct arena *arena, const char *k1, struct str v1, const char *k2,
                      struct str v2);
/* ERR_INVALID unless `s` is valid UTF-8 without control characters, of least .. most characters. */
enum err ops_check_text(const char *what, struct str s, size_t least, size_t most, struct why *why);
/* One act: a write transaction, its scratch memory, who does it, and how it is called. */
struct ops_act {
    struct ops *ops;
    const struct ops_identity *who;
    const char *action;
    struct arena *arena;
    struct store_tx *tx;
};
enum err ops_act_begin(struct ops_act *act, struct ops *ops, const struct ops_identity *who,
                       const char *action, struct why *why);
/* Without an error so far: writes the act into the ledger and commits. Else rolls back; a refusal
 * is audited. Returns what came of it. */
enum err ops_act_end(struct ops_act *act, enum err err, const char *object, struct str detail,
                     struct why *why);

/* ---- identity.c ---- */
struct ops_account {
    struct ops_identity who;    /* kind "user" */
    bool must_change, disabled; /* disabled: the user, the tenant, or a demo user without demo */
};
/* ERR_NOT_FOUND when there is no such user. */
enum err ops_account_of(struct ops *ops, struct store_tx *tx, struct str id, struct arena *arena,
                        struct ops_account *out, struct why *why);

/* ---- password.c ---- */
enum err ops_hash(struct ops *ops, struct str password, char out[SECRET_PASSWORD_HASH],
                  struct why *why);
/* *right tells; hash "" takes the time of a check and is wrong. ERR_BUSY when there was no place.
 */
enum err ops_verify(struct ops *ops, struct str password, struct str hash, bool *right,
                    struct why *why);
#define OPS_FIRST_PASSWORD 21
const char *ops_first_password(char out[OPS_FIRST_PASSWORD]); /* 20 random characters */
/* Keeps `old` as history and sets the new one; ends all sessions. */
enum err ops_password_set(struct store_tx *tx, struct str user, const char *hash, bool must_change,
                          struct why *why);

/* ---- known.c: keys that were checked a moment ago ---- */
struct known_keys *known_new(void); /* NULL without memory */
void known_free(struct known_keys *keys);
/* An act was committed: what was known may be so no more. NULL is fine. */
void known_forget(struct known_keys *keys);
/* Taken before the store is asked, for known_put(). */
uint64_t known_now(struct known_keys *keys);
/* What the store said of the key with that SHA-256 less than a second ago and after the last act of
 * this process; strings are copied into the arena. */
bool known_find(struct known_keys *keys, const uint8_t digest[HASH_BYTES], struct arena *arena,
                struct ops_identity *out, int64_t *per_minute);
/* left_ms: until it expires. */
void known_put(struct known_keys *keys, const uint8_t digest[HASH_BYTES], uint64_t act,
               const struct ops_identity *who, int64_t per_minute, int64_t left_ms);

/* ---- session.c ---- */
enum err ops_session_make(struct ops *ops, struct store_tx *tx, const struct ops_account *account,
                          struct str address, struct ops_session *out, struct why *why);
/* Splits "name@tenant", lower-cased; false when it cannot be a name. */
bool ops_login_parse(struct arena *arena, struct str login, struct str *name, struct str *tenant);
/* The key of the lock-out table: SHA-256 of "name@tenant" in hex. */
void ops_login_key(struct str name, struct str tenant, char out[HASH_TEXT]);

/* ---- user.c ---- */
struct ops_user_seed {
    struct ops_user_form form;
    bool demo; /* need not change the password; cannot sign in without ops.demo */
};
/* Makes the user and grants the roles in the act's transaction, without asking whether it may. */
enum err ops_user_insert(struct ops_act *act, const struct ops_user_seed *seed, const char *hash,
                         struct str *id, struct why *why);
bool ops_name_valid(struct str name);

#endif
