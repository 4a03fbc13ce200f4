/*
 * ops - tenants, departments, users, roles, sign-in, API keys, rate limits. Everything is audited.
 *
 * Owns the tables ops_*. Three administrators are separated as classified protection asks: the
 * system administrator makes users and tenants but reads no audit and grants no roles; the security
 * administrator grants roles and watches keys; the auditor reads the ledger and nothing else. No
 * user may hold two of the three, nobody grants roles to himself, and of each of the three at least
 * one stays able to sign in.
 *
 * Every function that changes something checks the permission of `who` itself and writes the act
 * into the ledger in the same transaction: there is no way around it through another door.
 *
 * Threads: a `struct ops` serves any thread. Errors common to all: ERR_FORBIDDEN (why names the
 * permission), ERR_NOT_FOUND (also for what belongs to another tenant), ERR_INVALID (why names the
 * field), ERR_CONFLICT, ERR_BUSY and ERR_UNAVAILABLE from the store. Strings in results live in the
 * arena that was passed.
 */
#ifndef OPS_OPS_H
#define OPS_OPS_H

#include "core/hash.h"
#include "core/secret.h"
#include "core/str.h"
#include "store/store.h"

struct arena;
struct conf;
struct conf_table;
struct http_request;
struct http_route;
struct http_table;
struct ops;

extern const struct store_migration ops_migrations[];
extern const size_t ops_n_migrations;
extern const struct conf_table ops_conf; /* ops.session_idle, ops.password_min, ops.lockout ... */

#define OPS_MOST_ROLES 8
#define OPS_HOME       "city" /* id of the tenant that the centre belongs to */

/* ---- who acts ---- */

/* Made by the authorizer, by a command, or by a job for whom it runs. */
struct ops_identity {
    struct str kind;       /* "user", "key", "system", "public" */
    struct str id;         /* user or key id; empty for system and public */
    struct str user;       /* the user behind it: id itself, or the maker of the key */
    struct str name;       /* for people */
    struct str tenant;     /* tenant id */
    struct str department; /* department id, may be empty */
    struct str bases; /* names of the knowledge bases a key is for, separated by ' '; empty: all */
    struct str address;
    struct str trace;
    uint64_t permissions; /* bit set over ops/permissions.def */
    uint64_t classes;     /* access classes of documents that this identity may read, see below */
};

/* Access classes, the unit of permission inside the index: bit 0 public, 1 staff, 2 department,
 * 3 restricted. A passage has one class; "department" also asks for the same department. */
enum ops_class { OPS_CLASS_PUBLIC, OPS_CLASS_STAFF, OPS_CLASS_DEPARTMENT, OPS_CLASS_RESTRICTED };

bool ops_may(const struct ops_identity *who, const char *permission);
/* ERR_FORBIDDEN with words when `who` may not. */
ERR_MUST_USE enum err ops_need(const struct ops_identity *who, const char *permission,
                               struct why *why);
/* Whether this identity's key is for that knowledge base; true for everybody without a list. */
bool ops_may_base(const struct ops_identity *who, struct str base);

/* The identity of the centre itself (may do everything) and of a resident (knowledge.ask, public
 * documents). `tenant` is borrowed. */
struct ops_identity ops_system(void);
struct ops_identity ops_public(const char *tenant);
/* "user:<id>", "key:<id>", "system" or "public", as the ledger and the jobs write it. */
struct str ops_actor(const struct ops_identity *who, struct arena *arena);
/* What people call an actor: display name of the user, name of the key; empty when it is neither or
 * gone. */
struct str ops_actor_name(struct ops *ops, struct str actor, struct arena *arena);
/* The identity behind such an actor, with the permissions of now. ERR_FORBIDDEN when the account
 * has been disabled or the key revoked in the meantime. */
ERR_MUST_USE enum err ops_identity_of(struct ops *ops, const char *actor, struct arena *arena,
                                      struct ops_identity *out, struct why *why);

/* Roles and the permissions they carry: ops/roles.def, ops/permissions.def. */
struct ops_permission {
    const char *name, *title, *title_en;
    bool for_keys; /* whether an API key may carry it */
};
struct ops_role {
    const char *name, *title, *title_en;
    const char *group; /* roles of one group exclude each other; "" when there is none */
    bool by_tenant;    /* a tenant administrator may grant it */
    uint64_t permissions, classes;
};
size_t ops_n_permissions(void);
const struct ops_permission *ops_permission(size_t i); /* NULL behind the last */
uint64_t ops_permission_bit(struct str name);          /* 0 when there is no such */
const struct ops_role *ops_role(size_t i);             /* NULL behind the last */
const struct ops_role *ops_role_find(struct str name); /* NULL when there is no such */
/* The permission matrix of roles as Markdown, Chinese and English: docs/permissions.md. */
ERR_MUST_USE enum err ops_matrix(struct buf *out, struct why *why);

/* ---- open, start ---- */

ERR_MUST_USE enum err ops_open(struct store *store, const struct conf *conf, struct ops **out,
                               struct why *why);
void ops_close(struct ops *ops);

/* First start: makes the tenant "city" and the three administrators sysadmin, secadmin and auditor,
 * and returns their first passwords (to be changed at the first sign-in) as text for the terminal,
 * once. Empty text when they are there already. */
ERR_MUST_USE enum err ops_bootstrap(struct ops *ops, struct arena *arena, struct str *out_text,
                                    struct why *why);
/* The city, its departments and districts from sample/city.json and, only when ops.demo is true,
 * the sample users and one demo user for each role. Idempotent. *out_text (may be NULL) says what
 * was made, with the demo names and passwords. */
ERR_MUST_USE enum err ops_load_city(struct ops *ops, struct str city_json, struct arena *arena,
                                    struct str *out_text, struct why *why);
/* What the pages show of the city: the JSON that GET /api/city answers. */
ERR_MUST_USE enum err ops_city(struct ops *ops, struct arena *arena, struct str *json,
                               struct why *why);
/* The tenant that residents' pages and commands without a tenant belong to ("city"). */
const char *ops_home_tenant(struct ops *ops);
/* The id of a department by its code or its name, ERR_NOT_FOUND when the tenant has none such. */
ERR_MUST_USE enum err ops_department_find(struct ops *ops, const char *tenant, struct str name,
                                          struct arena *arena, struct str *id, struct why *why);

/* ---- audit ---- */

/* Writes an act of `who` into the ledger. detail: a JSON object or empty. */
ERR_MUST_USE enum err ops_audit(struct store_tx *tx, const struct ops_identity *who,
                                const char *action, const char *object, const char *result,
                                struct str detail, struct why *why);
/* Records that `who` was refused. A flood of refusals by one actor is counted, not written: at most
 * one entry a minute, which says how many were left out. */
void ops_audit_refusal(struct ops *ops, const struct ops_identity *who, const char *action,
                       const char *object, enum err err);

/* ---- http ---- */

/* For http_opts.authorize, with the `struct ops` as ctx: session cookie with CSRF token, or
 * "Authorization: Bearer <key>"; rate limits; refusals are audited. */
enum err ops_authorize(void *ops, struct http_request *req, const struct http_route *route,
                       struct why *why);
/* For http_opts.authorize_here: API keys that are known and may do what they ask. */
bool ops_authorize_here(void *ops, struct http_request *req, const struct http_route *route,
                        enum err *err, struct why *why);
const struct http_table *ops_routes(struct ops *ops); /* lives as long as ops */

/* ---- users ---- */

struct ops_user {
    struct str id, tenant, department, name, display_name;
    struct str sign_in_name;    /* "name" at home, "name@tenant" elsewhere */
    struct str department_name; /* empty when there is none */
    struct str roles[OPS_MOST_ROLES];
    size_t n_roles;
    bool disabled, must_change;
    int64_t locked_until_ms, created_ms, seen_ms; /* 0: not locked, never signed in */
};

struct ops_user_form {
    const char *tenant;      /* NULL: the tenant of `who` */
    struct str name;         /* 2 to 64 letters, digits, Han characters, '.', '_', '-' */
    struct str display_name; /* 1 to 100 characters; empty: the name */
    struct str department;   /* id, or empty */
    struct str password;     /* empty: a random one is made */
    const struct str *roles; /* n_roles names; asks for ops.role.grant too */
    size_t n_roles;
};

/* The password must be changed at the first sign-in. *first (may be NULL) gets it when it was made
 * here, else the empty str. */
ERR_MUST_USE enum err ops_user_create(struct ops *ops, const struct ops_identity *who,
                                      const struct ops_user_form *form, struct arena *arena,
                                      struct str *id, struct str *first, struct why *why);

struct ops_user_change {
    const struct str *display_name; /* NULL: unchanged; so below */
    const struct str *department;
    const bool *disabled; /* disabling ends all sessions and keys of the user */
    const struct str *roles;
    size_t n_roles;
    bool set_roles; /* `roles` replaces what the user holds */
};
ERR_MUST_USE enum err ops_user_change(struct ops *ops, const struct ops_identity *who,
                                      const char *id, const struct ops_user_change *change,
                                      struct why *why);
/* A new random password, to be changed at the next sign-in; ends all sessions. The three
 * administrators' passwords are reset only from the command line (who: ops_system()). */
ERR_MUST_USE enum err ops_user_reset(struct ops *ops, const struct ops_identity *who,
                                     const char *id, struct arena *arena, struct str *password,
                                     struct why *why);
ERR_MUST_USE enum err ops_user_unlock(struct ops *ops, const struct ops_identity *who,
                                      const char *id, struct why *why);
ERR_MUST_USE enum err ops_user_find(struct ops *ops, const struct ops_identity *who, const char *id,
                                    struct arena *arena, struct ops_user *out, struct why *why);
/* By name as at sign-in, "name" or "name@tenant"; for commands. */
ERR_MUST_USE enum err ops_user_named(struct ops *ops, const struct ops_identity *who,
                                     struct str name, struct arena *arena, struct ops_user *out,
                                     struct why *why);
/* In order of id (time of making) behind `after` ("" from the start), at most limit (1 .. 1000). */
ERR_MUST_USE enum err ops_user_list(struct ops *ops, const struct ops_identity *who,
                                    const char *tenant, const char *after, int limit,
                                    struct arena *arena, struct ops_user **out, size_t *n,
                                    struct why *why);

/* ---- sign-in ---- */

struct ops_session {
    char token[SECRET_TOKEN_TEXT]; /* for the cookie; stored only as its SHA-256 */
    char csrf[HASH_TEXT];          /* bound to the token */
    struct ops_identity who;
    bool must_change;
    int64_t expires_ms;
    int64_t retry_ms; /* with ERR_RATE_LIMITED: so long to wait */
};

/* ERR_UNAUTHENTICATED with the same words and after the same time for a wrong name and a wrong
 * password; ERR_RATE_LIMITED when the name is locked or the address tries too often. Wrong names
 * lock as real ones do. A session before (`old_token`, may be empty) ends. */
ERR_MUST_USE enum err ops_sign_in(struct ops *ops, struct str name, struct str password,
                                  struct str address, struct str trace, struct str old_token,
                                  struct arena *arena, struct ops_session *out, struct why *why);
/* The session of a token; ERR_UNAUTHENTICATED when it has ended, idled out or never was. */
ERR_MUST_USE enum err ops_session_of(struct ops *ops, struct str token, struct arena *arena,
                                     struct ops_session *out, struct why *why);
ERR_MUST_USE enum err ops_sign_out(struct ops *ops, const struct ops_session *session,
                                   struct why *why);
/* Ends every session of the user, this one too. Checks the old one, the rules and the last five. */
ERR_MUST_USE enum err ops_password_change(struct ops *ops, const struct ops_identity *who,
                                          struct str old, struct str fresh, struct why *why);
/* Only the rules that need no history: length, kinds of characters, common words, names. */
ERR_MUST_USE enum err ops_password_check(struct ops *ops, struct str password, struct str name,
                                         struct str display_name, struct why *why);

/* ---- tenants and departments ---- */

struct ops_tenant {
    struct str id, name, title;
    bool disabled; /* nobody of it may sign in */
    int64_t created_ms;
};
ERR_MUST_USE enum err ops_tenant_create(struct ops *ops, const struct ops_identity *who,
                                        struct str name, struct str title, struct arena *arena,
                                        struct str *id, struct why *why);
/* title and disabled may be NULL: unchanged. */
ERR_MUST_USE enum err ops_tenant_change(struct ops *ops, const struct ops_identity *who,
                                        const char *id, const struct str *title,
                                        const bool *disabled, struct why *why);
/* All of them for who manages tenants, else only the own one. */
ERR_MUST_USE enum err ops_tenant_list(struct ops *ops, const struct ops_identity *who,
                                      struct arena *arena, struct ops_tenant **out, size_t *n,
                                      struct why *why);

struct ops_department {
    struct str id, code, name, short_name, kind; /* kind: "department" or "district" */
    struct str info;                             /* JSON object: phone, address, duties ... */
    int64_t n_users;                             /* read only */
};
/* id empty: made, *out_id says which. Else the parts that are not empty are changed. */
ERR_MUST_USE enum err ops_department_put(struct ops *ops, const struct ops_identity *who,
                                         const struct ops_department *department,
                                         struct arena *arena, struct str *out_id, struct why *why);
ERR_MUST_USE enum err ops_department_list(struct ops *ops, const struct ops_identity *who,
                                          struct arena *arena, struct ops_department **out,
                                          size_t *n, struct why *why);

/* ---- API keys ---- */

struct ops_key {
    struct str id, tenant, user, name, prefix; /* user: who made it */
    struct str permissions, bases;             /* names separated by ' ' */
    int64_t requests_per_minute;
    int64_t created_ms, expires_ms, revoked_ms; /* revoked 0: in force */
};

struct ops_key_form {
    struct str name;        /* 1 to 100 characters */
    struct str permissions; /* names separated by ' '; none that `who` has not, none but for_keys */
    struct str bases;       /* knowledge bases by name, separated by ' '; empty: all */
    int64_t expires_ms;     /* 0: after ops.key_days; at most that far away */
    int64_t requests_per_minute; /* 0: ops.rate_key */
};

/* *key is shown once: "yc_<prefix>_<secret>". What a key may do is, at each call, what it was made
 * for and what its maker still may. */
ERR_MUST_USE enum err ops_key_create(struct ops *ops, const struct ops_identity *who,
                                     const struct ops_key_form *form, struct arena *arena,
                                     struct ops_key *out, struct str *key, struct why *why);
/* The own ones; all of the tenant for who grants roles. */
ERR_MUST_USE enum err ops_key_list(struct ops *ops, const struct ops_identity *who,
                                   struct arena *arena, struct ops_key **out, size_t *n,
                                   struct why *why);
ERR_MUST_USE enum err ops_key_revoke(struct ops *ops, const struct ops_identity *who,
                                     const char *id, struct why *why);
/* The identity of a presented key and its limit; ERR_UNAUTHENTICATED with the same words for one
 * that is unknown, wrong, expired or revoked. */
ERR_MUST_USE enum err ops_key_of(struct ops *ops, struct str key, struct arena *arena,
                                 struct ops_identity *out, int64_t *requests_per_minute,
                                 struct why *why);
/* The same from memory alone, when the key was looked up lately; else false. */
bool ops_key_known(struct ops *ops, struct str key, struct arena *arena, struct ops_identity *out,
                   int64_t *requests_per_minute);

#endif
