#include "meter/meter.h"

/*
 * meter_dims     what lines have in common; never changed
 * meter_lines    one a call; its id is batch << 16 | place; never changed
 * meter_batches  one a commit of the writer, with the ledger's entry of it; never changed
 * meter_hours    sums of lines by hour and by day; kept in the transaction of the lines
 * meter_days
 * meter_spent    sums by tenant, application, key for a day (20261122) and a month (202611)
 * meter_expired  batches whose lines were removed because of their age
 */
#define SUMS                                                                                       \
    "  calls INTEGER NOT NULL, failed INTEGER NOT NULL, prompt INTEGER NOT NULL,\n"                \
    "  cached INTEGER NOT NULL, completion INTEGER NOT NULL, images INTEGER NOT NULL,\n"           \
    "  money INTEGER NOT NULL, ms INTEGER NOT NULL, first_ms INTEGER NOT NULL,\n"                  \
    "  n_first INTEGER NOT NULL, queue_ms INTEGER NOT NULL"

const struct store_migration meter_migrations[] = {
    {"meter", 1,
     "CREATE TABLE meter_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);\n"
     "CREATE TABLE meter_limits (tenant TEXT NOT NULL, level INTEGER NOT NULL,\n"
     "  name TEXT NOT NULL, models TEXT NOT NULL, network TEXT NOT NULL,\n"
     "  application TEXT NOT NULL, requests_per_minute INTEGER NOT NULL,\n"
     "  tokens_per_minute INTEGER NOT NULL, concurrent INTEGER NOT NULL,\n"
     "  tokens_per_day INTEGER NOT NULL, tokens_per_month INTEGER NOT NULL,\n"
     "  money_per_day INTEGER NOT NULL, money_per_month INTEGER NOT NULL,\n"
     "  expires_ms INTEGER NOT NULL, version INTEGER NOT NULL, updated_ms INTEGER NOT NULL,\n"
     "  PRIMARY KEY (tenant, level, name));\n"
     "CREATE TABLE meter_plans (id TEXT PRIMARY KEY, tenant TEXT NOT NULL,\n"
     "  price_key TEXT NOT NULL, from_ms INTEGER NOT NULL, prompt INTEGER NOT NULL,\n"
     "  cached INTEGER NOT NULL, completion INTEGER NOT NULL, request INTEGER NOT NULL,\n"
     "  image INTEGER NOT NULL, cached_answer INTEGER NOT NULL, note TEXT NOT NULL,\n"
     "  created_by TEXT NOT NULL, created_ms INTEGER NOT NULL,\n"
     "  UNIQUE (tenant, price_key, from_ms));\n"
     "CREATE TABLE meter_dims (id INTEGER NOT NULL PRIMARY KEY, tenant TEXT NOT NULL,\n"
     "  key_id TEXT NOT NULL, who_kind TEXT NOT NULL, application TEXT NOT NULL,\n"
     "  model TEXT NOT NULL, model_id TEXT NOT NULL, plan_id TEXT NOT NULL,\n"
     "  kind INTEGER NOT NULL,\n"
     "  UNIQUE (tenant, key_id, who_kind, application, model, model_id, plan_id, kind));\n"
     "CREATE TABLE meter_lines (id INTEGER NOT NULL PRIMARY KEY, dim INTEGER NOT NULL,\n"
     "  call BLOB NOT NULL, began_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,\n"
     "  hour INTEGER NOT NULL, day INTEGER NOT NULL, source INTEGER NOT NULL,\n"
     "  outcome INTEGER NOT NULL, delivered INTEGER NOT NULL, prompt INTEGER NOT NULL,\n"
     "  cached INTEGER NOT NULL, completion INTEGER NOT NULL, images INTEGER NOT NULL,\n"
     "  money INTEGER NOT NULL, queue_ms INTEGER NOT NULL, first_ms INTEGER NOT NULL,\n"
     "  trace TEXT NOT NULL, mark INTEGER NOT NULL);\n"
     "CREATE UNIQUE INDEX meter_lines_call ON meter_lines (call);\n"
     "CREATE TABLE meter_batches (batch INTEGER NOT NULL PRIMARY KEY, time_ms INTEGER NOT NULL,\n"
     "  n INTEGER NOT NULL, prompt INTEGER NOT NULL, cached INTEGER NOT NULL,\n"
     "  completion INTEGER NOT NULL, images INTEGER NOT NULL, money INTEGER NOT NULL,\n"
     "  last_day INTEGER NOT NULL, sha256 TEXT NOT NULL, entry INTEGER NOT NULL);\n"
     "CREATE TABLE meter_expired (to_batch INTEGER NOT NULL PRIMARY KEY,\n"
     "  from_batch INTEGER NOT NULL, last_day INTEGER NOT NULL, time_ms INTEGER NOT NULL);\n"
     "CREATE TABLE meter_hours (hour INTEGER NOT NULL, dim INTEGER NOT NULL,\n" SUMS
     ",\n  PRIMARY KEY (hour, dim));\n"
     "CREATE TABLE meter_days (day INTEGER NOT NULL, dim INTEGER NOT NULL,\n" SUMS
     ",\n  PRIMARY KEY (day, dim));\n"
     "CREATE TABLE meter_spent (tenant TEXT NOT NULL, level INTEGER NOT NULL, name TEXT NOT NULL,\n"
     "  period INTEGER NOT NULL, tokens INTEGER NOT NULL, money INTEGER NOT NULL,\n"
     "  batch INTEGER NOT NULL, PRIMARY KEY (tenant, level, name, period));\n"
     "CREATE INDEX meter_spent_batch ON meter_spent (batch);\n"
     "CREATE TABLE meter_bills (tenant TEXT NOT NULL, month INTEGER NOT NULL,\n"
     "  closed_ms INTEGER NOT NULL, json TEXT NOT NULL, sha256 TEXT NOT NULL,\n"
     "  PRIMARY KEY (tenant, month))",
     NULL},
    {"meter", 2,
     "CREATE TRIGGER meter_lines_fixed BEFORE UPDATE ON meter_lines"
     " BEGIN SELECT RAISE(ABORT, 'a metered line is never changed'); END;"
     "CREATE TRIGGER meter_batches_fixed BEFORE UPDATE ON meter_batches"
     " BEGIN SELECT RAISE(ABORT, 'a metered batch is never changed'); END;"
     "CREATE TRIGGER meter_batches_kept BEFORE DELETE ON meter_batches"
     " BEGIN SELECT RAISE(ABORT, 'a metered batch is never removed'); END;"
     "CREATE TRIGGER meter_bills_fixed BEFORE UPDATE ON meter_bills"
     " BEGIN SELECT RAISE(ABORT, 'a closed bill is never changed'); END;"
     "CREATE TRIGGER meter_bills_kept BEFORE DELETE ON meter_bills"
     " BEGIN SELECT RAISE(ABORT, 'a closed bill is never removed'); END;"
     "CREATE TRIGGER meter_plans_fixed BEFORE UPDATE ON meter_plans"
     " BEGIN SELECT RAISE(ABORT, 'a price is never changed, only followed by another'); END;",
     "CREATE FUNCTION meter_refuse() RETURNS trigger LANGUAGE plpgsql AS"
     " $$ BEGIN RAISE integrity_constraint_violation"
     " USING MESSAGE = 'what was metered is never changed'; END $$;"
     "CREATE TRIGGER meter_lines_fixed BEFORE UPDATE ON meter_lines"
     " FOR EACH ROW EXECUTE FUNCTION meter_refuse();"
     "CREATE TRIGGER meter_batches_fixed BEFORE UPDATE OR DELETE ON meter_batches"
     " FOR EACH ROW EXECUTE FUNCTION meter_refuse();"
     "CREATE TRIGGER meter_bills_fixed BEFORE UPDATE OR DELETE ON meter_bills"
     " FOR EACH ROW EXECUTE FUNCTION meter_refuse();"
     "CREATE TRIGGER meter_plans_fixed BEFORE UPDATE ON meter_plans"
     " FOR EACH ROW EXECUTE FUNCTION meter_refuse();"},
};
const size_t meter_n_migrations = sizeof meter_migrations / sizeof meter_migrations[0];
