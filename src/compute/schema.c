#include "compute/compute.h"

const struct store_migration compute_migrations[] = {
    {"compute", 1,
     "CREATE TABLE compute_jobs (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, actor TEXT NOT NULL,\n"
     "  kind TEXT NOT NULL, title TEXT NOT NULL, spec TEXT NOT NULL, dedup_key TEXT NOT NULL,\n"
     "  state TEXT NOT NULL, cancel INTEGER NOT NULL, attempt INTEGER NOT NULL,\n"
     "  max_attempts INTEGER NOT NULL, starts INTEGER NOT NULL, memory_bytes INTEGER NOT NULL,\n"
     "  not_before_ms INTEGER NOT NULL, best_done INTEGER NOT NULL, done INTEGER NOT NULL,\n"
     "  total INTEGER NOT NULL, phase TEXT NOT NULL, result TEXT NOT NULL, why TEXT NOT NULL,\n"
     "  created_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,\n"
     "  place TEXT NOT NULL, runner TEXT NOT NULL, pid INTEGER NOT NULL,\n"
     "  pid_start INTEGER NOT NULL);\n"
     "CREATE INDEX compute_jobs_state ON compute_jobs (state, tenant, id);\n"
     "CREATE INDEX compute_jobs_tenant ON compute_jobs (tenant, id);\n"
     "CREATE INDEX compute_jobs_started ON compute_jobs (tenant, started_ms);\n"
     "CREATE UNIQUE INDEX compute_jobs_dedup ON compute_jobs (tenant, kind, dedup_key)\n"
     "  WHERE dedup_key <> '' AND state IN ('queued', 'running')",
     NULL},
};
const size_t compute_n_migrations = sizeof compute_migrations / sizeof compute_migrations[0];
