/*
 * ops - tenants, departments, users, roles, sign-in, API keys, rate limits. Everything is audited.
 *
 * Owns the tables ops_*. Three administrators are separated as classified protection asks: the
 * system administrator manages users and tenants but reads no audit and grants no roles with
 * content; the security administrator grants roles, keys and policies; the auditor reads the ledger
 * and nothing else. No user may hold two of the three.
 */
#ifndef OPS_OPS_H
#define OPS_OPS_H

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

/* Roles and the permissions they carry: ops/roles.def, ops/permissions.def. */
#define OPS_MOST_ROLES 8

/* Who acts. Made by the authorizer, by a command, or by a job for whom it runs. */
struct ops_identity {
    struct str kind;       /* "user", "key", "system", "public" */
    struct str id;         /* user or key id */
    struct str name;       /* for people */
    struct str tenant;     /* tenant id */
    struct str department; /* department id, may be empty */
    struct str address;
    struct str trace;
    uint64_t permissions; /* bit set over ops/permissions.def */
    uint64_t classes;     /* access classes of documents that this identity may read, see below */
};

/* Access classes, the unit of permission inside the index: bit 0 public, 1 staff, 2 department,
 * 3 restricted. A passage has one class; "department" also asks for the same department. */
enum ops_class { OPS_CLASS_PUBLIC, OPS_CLASS_STAFF, OPS_CLASS_DEPARTMENT, OPS_CLASS_RESTRICTED };

ERR_MUST_USE enum err ops_open(struct store *store, const struct conf *conf, struct ops **out,
                               struct why *why);
void ops_close(struct ops *ops);

/* For http_opts.authorize: session cookie with CSRF token, or "Authorization: Bearer <key>". */
enum err ops_authorize(void *ops, struct http_request *req, const struct http_route *route,
                       struct why *why);
extern const struct http_table *ops_routes(struct ops *ops);

bool ops_may(const struct ops_identity *who, const char *permission);
/* The identity of the centre itself, of a resident, and of a job that runs for `actor`. */
struct ops_identity ops_system(void);
struct ops_identity ops_public(const char *tenant);
ERR_MUST_USE enum err ops_identity_of(struct ops *ops, const char *actor, struct arena *arena,
                                      struct ops_identity *out, struct why *why);
/* The tenant that residents' pages and commands without a tenant belong to ("city"). */
const char *ops_home_tenant(struct ops *ops);

/* Writes an act of `who` into the ledger. detail: JSON object or empty. */
ERR_MUST_USE enum err ops_audit(struct store_tx *tx, const struct ops_identity *who,
                                const char *action, const char *object, const char *result,
                                struct str detail, struct why *why);

/* First start: makes the tenant, the three administrators and, unless it is there, returns their
 * first passwords (to be changed at the first sign-in). *out_text is for the terminal, once. */
ERR_MUST_USE enum err ops_bootstrap(struct ops *ops, struct arena *arena, struct str *out_text,
                                    struct why *why);
/* Departments, districts and demo users from sample/city.json. Idempotent. */
ERR_MUST_USE enum err ops_load_city(struct ops *ops, struct str city_json, struct why *why);

#endif
