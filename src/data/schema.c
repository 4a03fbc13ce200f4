#include "data/data.h"

const struct store_migration data_migrations[] = {
    {"data", 1,
     "CREATE TABLE data_sets (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,\n"
     "  title TEXT NOT NULL, kind TEXT NOT NULL, access INTEGER NOT NULL, card TEXT NOT NULL,\n"
     "  latest INTEGER NOT NULL, revision INTEGER NOT NULL, created_ms INTEGER NOT NULL,\n"
     "  updated_ms INTEGER NOT NULL, UNIQUE (tenant, name));\n"
     "CREATE TABLE data_versions (id TEXT PRIMARY KEY, set_id TEXT NOT NULL,\n"
     "  number INTEGER NOT NULL, kind TEXT NOT NULL, manifest TEXT NOT NULL, state TEXT NOT NULL,\n"
     "  run TEXT NOT NULL, n_records INTEGER NOT NULL, n_bytes INTEGER NOT NULL,\n"
     "  card TEXT NOT NULL, actor TEXT NOT NULL, created_ms INTEGER NOT NULL,\n"
     "  UNIQUE (set_id, number), UNIQUE (run));\n"
     "CREATE TABLE data_contents (version TEXT NOT NULL, source TEXT NOT NULL,\n"
     "  n_records INTEGER NOT NULL, PRIMARY KEY (version, source));\n"
     "CREATE INDEX data_contents_source ON data_contents (source);\n"
     "CREATE TABLE data_sources (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, uri TEXT NOT NULL,\n"
     "  sha256 TEXT NOT NULL, n_bytes INTEGER NOT NULL, collection TEXT NOT NULL,\n"
     "  state TEXT NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL,\n"
     "  created_ms INTEGER NOT NULL, withdrawn_ms INTEGER NOT NULL);\n"
     "CREATE INDEX data_sources_uri ON data_sources (tenant, uri);\n"
     "CREATE TABLE data_runs (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL,\n"
     "  spec TEXT NOT NULL, counts TEXT NOT NULL, actor TEXT NOT NULL,\n"
     "  ended_ms INTEGER NOT NULL);\n"
     "CREATE TABLE data_edges (tenant TEXT NOT NULL, from_kind TEXT NOT NULL,\n"
     "  from_id TEXT NOT NULL, to_kind TEXT NOT NULL, to_id TEXT NOT NULL,\n"
     "  created_ms INTEGER NOT NULL, PRIMARY KEY (from_kind, from_id, to_kind, to_id));\n"
     "CREATE INDEX data_edges_to ON data_edges (to_kind, to_id)",
     NULL},
    {"data", 2,
     "CREATE TABLE data_pipelines (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,\n"
     "  note TEXT NOT NULL, spec TEXT NOT NULL, revision INTEGER NOT NULL, actor TEXT NOT NULL,\n"
     "  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, UNIQUE (tenant, name));\n"
     "CREATE TABLE data_profiles (version TEXT PRIMARY KEY, format INTEGER NOT NULL,\n"
     "  profile TEXT NOT NULL)",
     NULL},
};
const size_t data_n_migrations = sizeof data_migrations / sizeof data_migrations[0];
