/* knowledge/schema - the tables, and the keys of the configuration. */
#include "core/conf.h"
#include "knowledge/papers.h"
#include "knowledge/room.h"

static const char tables[] =
    "CREATE TABLE kb_bases ("
    " id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,"
    " access INTEGER NOT NULL, revision INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL, UNIQUE (tenant, name));"

    /* What is joined by a title: overrides are what a steward set, as JSON. */
    "CREATE TABLE kb_documents ("
    " id TEXT PRIMARY KEY, kb TEXT NOT NULL, doc_key TEXT NOT NULL, overrides TEXT NOT NULL,"
    " revision INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    " UNIQUE (kb, doc_key));"

    /* One text: `source` is the file it came from, `is_newest` whether that file still gives it,
     * `segment` the one index segment that serves it. Passages are ranges of text_object from
     * text_start on, packed as passage.h says. */
    "CREATE TABLE kb_versions ("
    " id TEXT PRIMARY KEY, kb TEXT NOT NULL, document TEXT NOT NULL, segment TEXT NOT NULL,"
    " source TEXT NOT NULL, item TEXT NOT NULL, name TEXT NOT NULL, is_newest INTEGER NOT NULL,"
    " format TEXT NOT NULL, parser INTEGER NOT NULL, sha256 TEXT NOT NULL, object TEXT NOT NULL, "
    "text_object TEXT NOT NULL,"
    " text_start INTEGER NOT NULL, text_len INTEGER NOT NULL, text_sha256 TEXT NOT NULL,"
    " n_passages INTEGER NOT NULL, passages BLOB NOT NULL,"
    " kind INTEGER NOT NULL, title TEXT NOT NULL, part TEXT NOT NULL, meta_key TEXT NOT NULL,"
    " issuer TEXT NOT NULL, number TEXT NOT NULL, region TEXT NOT NULL, department TEXT NOT NULL,"
    " level INTEGER NOT NULL, access INTEGER NOT NULL, access_said INTEGER NOT NULL,"
    " published INTEGER, effective INTEGER, expires INTEGER, repealed INTEGER NOT NULL,"
    " replaced_by TEXT NOT NULL, label TEXT NOT NULL, overrides TEXT NOT NULL,"
    " revision INTEGER NOT NULL, created_ms INTEGER NOT NULL);"
    "CREATE INDEX kb_versions_by_kb ON kb_versions (kb, document);"
    "CREATE INDEX kb_versions_by_document ON kb_versions (document);"
    "CREATE INDEX kb_versions_by_source ON kb_versions (kb, source);"

    /* What a text ends; from_day NULL: on its own first day. */
    "CREATE TABLE kb_repeals ("
    " kb TEXT NOT NULL, version TEXT NOT NULL, doc_key TEXT NOT NULL, number TEXT NOT NULL,"
    " from_day INTEGER);"
    "CREATE INDEX kb_repeals_by_kb ON kb_repeals (kb);"
    "CREATE INDEX kb_repeals_by_version ON kb_repeals (version);"

    /* Files that were read whole: the same bytes and the same parser need not be read again. */
    "CREATE TABLE kb_sources ("
    " kb TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, parser INTEGER NOT NULL,"
    " imported_ms INTEGER NOT NULL, PRIMARY KEY (kb, path));"

    "CREATE TABLE kb_segments ("
    " id TEXT PRIMARY KEY, kb TEXT NOT NULL, n_versions INTEGER NOT NULL,"
    " n_passages INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL);"
    "CREATE INDEX kb_segments_by_kb ON kb_segments (kb)";

/* The models that help with a base, by name; empty for none. */
static const char base_models[] =
    "ALTER TABLE kb_bases ADD COLUMN writer TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE kb_bases ADD COLUMN embedder TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE kb_bases ADD COLUMN reranker TEXT NOT NULL DEFAULT ''";

/* Whether who gave the feedback agrees that it becomes data for training. */
static const char feedback_consent[] =
    "ALTER TABLE kb_feedback ADD COLUMN consent INTEGER NOT NULL DEFAULT 0";

const struct store_migration knowledge_migrations[] = {
    {"knowledge", 1, tables, NULL},
    {"knowledge", PAPERS_MIGRATION_NUMBER, papers_tables, NULL},
    {"knowledge", 3, base_models, NULL},
    {"knowledge", 4, feedback_consent, NULL},
};
const size_t knowledge_n_migrations = sizeof knowledge_migrations / sizeof knowledge_migrations[0];

static const struct conf_key keys[] = {
    {"knowledge.accept_secret", CONF_BOOL, "false", 0, 0, NULL,
     "Take in files that are marked 秘密, 机密 or 绝密 (they become restricted) instead of "
     "refusing"},
    {"knowledge.ocr", CONF_BOOL, "true", 0, 0, NULL,
     "Recognise the text of scanned pages and pictures"},
    {"knowledge.file_bytes", CONF_BYTES, "100M", 1024, (int64_t)1 << 32, NULL,
     "Largest file that is read"},
    {"knowledge.file_memory", CONF_BYTES, "512M", (int64_t)16 << 20, (int64_t)1 << 36, NULL,
     "Most memory for reading one file"},
    {"knowledge.lock_wait", CONF_DURATION, "60s", 0, 3600000, NULL,
     "How long an import waits for another one of the same base"},
};
const struct conf_table knowledge_conf = {keys, sizeof keys / sizeof keys[0]};
