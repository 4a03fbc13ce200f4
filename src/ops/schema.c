#include "ops/ops.h"

const struct store_migration ops_migrations[] = {
    {"ops", 1,
     "CREATE TABLE ops_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);\n"
     /* One row that whoever changes grants locks first: see lock_grants(). */
     "INSERT INTO ops_meta (name, value) VALUES ('grants', '0');\n"
     "CREATE TABLE ops_tenants (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,\n"
     "  title TEXT NOT NULL, disabled INTEGER NOT NULL, created_ms INTEGER NOT NULL);\n"
     "CREATE TABLE ops_departments (id TEXT PRIMARY KEY,\n"
     "  tenant_id TEXT NOT NULL REFERENCES ops_tenants (id), code TEXT NOT NULL,\n"
     "  name TEXT NOT NULL, short_name TEXT NOT NULL, kind TEXT NOT NULL, info TEXT NOT NULL,\n"
     "  created_ms INTEGER NOT NULL, UNIQUE (tenant_id, code));\n"
     "CREATE TABLE ops_users (id TEXT PRIMARY KEY,\n"
     "  tenant_id TEXT NOT NULL REFERENCES ops_tenants (id),\n"
     "  department_id TEXT REFERENCES ops_departments (id), name TEXT NOT NULL,\n"
     "  display_name TEXT NOT NULL, login_key TEXT NOT NULL, password TEXT NOT NULL,\n"
     "  password_ms INTEGER NOT NULL, must_change INTEGER NOT NULL, disabled INTEGER NOT NULL,\n"
     "  demo INTEGER NOT NULL, created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,\n"
     "  UNIQUE (tenant_id, name));\n"
     "CREATE TABLE ops_passwords (id TEXT PRIMARY KEY,\n"
     "  user_id TEXT NOT NULL REFERENCES ops_users (id), hash TEXT NOT NULL);\n"
     "CREATE INDEX ops_passwords_user ON ops_passwords (user_id);\n"
     "CREATE TABLE ops_grants (user_id TEXT NOT NULL REFERENCES ops_users (id),\n"
     "  role TEXT NOT NULL, granted_by TEXT NOT NULL, granted_ms INTEGER NOT NULL,\n"
     "  PRIMARY KEY (user_id, role));\n"
     "CREATE INDEX ops_grants_role ON ops_grants (role);\n"
     "CREATE TABLE ops_sessions (id TEXT PRIMARY KEY,\n"
     "  user_id TEXT NOT NULL REFERENCES ops_users (id), created_ms INTEGER NOT NULL,\n"
     "  seen_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, address TEXT NOT NULL);\n"
     "CREATE INDEX ops_sessions_user ON ops_sessions (user_id);\n"
     "CREATE TABLE ops_lockouts (login_key TEXT PRIMARY KEY, failures INTEGER NOT NULL,\n"
     "  locks INTEGER NOT NULL, until_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL);\n"
     "CREATE INDEX ops_lockouts_seen ON ops_lockouts (seen_ms);\n"
     "CREATE TABLE ops_keys (id TEXT PRIMARY KEY,\n"
     "  tenant_id TEXT NOT NULL REFERENCES ops_tenants (id),\n"
     "  user_id TEXT NOT NULL REFERENCES ops_users (id), name TEXT NOT NULL,\n"
     "  prefix TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, permissions TEXT NOT NULL,\n"
     "  bases TEXT NOT NULL, per_minute INTEGER NOT NULL, created_ms INTEGER NOT NULL,\n"
     "  expires_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL);\n"
     "CREATE INDEX ops_keys_user ON ops_keys (user_id)",
     NULL},
};
const size_t ops_n_migrations = sizeof ops_migrations / sizeof ops_migrations[0];
