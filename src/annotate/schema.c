#include "annotate/annotate.h"

/*
 * annotate_projects  one a project, with the counts of its items
 * annotate_members   people of a project, with the counts of their work
 * annotate_items     one a record that is asked about; `open` and `front` are what handing out
 *                    looks for: whether it wants one more person, and whether it became free again
 * annotate_labels    what one person did with one item
 */
const struct store_migration annotate_migrations[] = {
    {"annotate", 1,
     "CREATE TABLE annotate_projects (id TEXT PRIMARY KEY, tenant TEXT NOT NULL,\n"
     "  title TEXT NOT NULL, dataset TEXT NOT NULL, number INTEGER NOT NULL,\n"
     "  version TEXT NOT NULL, state TEXT NOT NULL, labels TEXT NOT NULL,\n"
     "  guidelines TEXT NOT NULL, overlap INTEGER NOT NULL, review INTEGER NOT NULL,\n"
     "  lease_ms INTEGER NOT NULL, gold_every INTEGER NOT NULL, pass_mark INTEGER NOT NULL,\n"
     "  separate INTEGER NOT NULL, n_items INTEGER NOT NULL, n_final INTEGER NOT NULL,\n"
     "  n_review INTEGER NOT NULL, n_disputed INTEGER NOT NULL, n_unusable INTEGER NOT NULL,\n"
     "  n_gold INTEGER NOT NULL, n_exam INTEGER NOT NULL, n_labels INTEGER NOT NULL,\n"
     "  n_skipped INTEGER NOT NULL, freed INTEGER NOT NULL, revision INTEGER NOT NULL,\n"
     "  job TEXT NOT NULL, result TEXT NOT NULL, why TEXT NOT NULL, created_by TEXT NOT NULL,\n"
     "  created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,\n"
     "  statistics TEXT NOT NULL, statistics_ms INTEGER NOT NULL, statistics_n INTEGER NOT NULL);\n"
     "CREATE INDEX annotate_projects_tenant ON annotate_projects (tenant, id);\n"
     "CREATE TABLE annotate_members (project TEXT NOT NULL, user_id TEXT NOT NULL,\n"
     "  roles INTEGER NOT NULL, suspended INTEGER NOT NULL, exam TEXT NOT NULL,\n"
     "  exam_round INTEGER NOT NULL, exam_n INTEGER NOT NULL, exam_score REAL NOT NULL,\n"
     "  cursor_seq INTEGER NOT NULL, since_gold INTEGER NOT NULL, n_submitted INTEGER NOT NULL,\n"
     "  n_skipped INTEGER NOT NULL, n_returned INTEGER NOT NULL, n_accepted INTEGER NOT NULL,\n"
     "  n_fixed INTEGER NOT NULL, n_reviewed INTEGER NOT NULL, n_decided INTEGER NOT NULL,\n"
     "  n_gold INTEGER NOT NULL, gold_score REAL NOT NULL, n_scored INTEGER NOT NULL,\n"
     "  score REAL NOT NULL, spent_ms INTEGER NOT NULL, n_pre_accepted INTEGER NOT NULL,\n"
     "  n_pre_changed INTEGER NOT NULL, last_ms INTEGER NOT NULL,\n"
     "  PRIMARY KEY (project, user_id));\n"
     "CREATE INDEX annotate_members_user ON annotate_members (user_id, project);\n"
     "CREATE TABLE annotate_items (project TEXT NOT NULL, seq INTEGER NOT NULL,\n"
     "  rec INTEGER NOT NULL, record TEXT NOT NULL, purpose INTEGER NOT NULL,\n"
     "  state INTEGER NOT NULL, wanted INTEGER NOT NULL, n_out INTEGER NOT NULL,\n"
     "  n_done INTEGER NOT NULL, n_skip INTEGER NOT NULL, open INTEGER NOT NULL,\n"
     "  front INTEGER NOT NULL, gold TEXT NOT NULL, pre TEXT NOT NULL, pre_by TEXT NOT NULL,\n"
     "  final TEXT NOT NULL, final_how TEXT NOT NULL, final_by TEXT NOT NULL,\n"
     "  held_by TEXT NOT NULL, held_until INTEGER NOT NULL, changed_ms INTEGER NOT NULL,\n"
     "  PRIMARY KEY (project, seq));\n"
     "CREATE INDEX annotate_items_open ON annotate_items (project, open, seq);\n"
     "CREATE INDEX annotate_items_front ON annotate_items (project, front, seq);\n"
     "CREATE INDEX annotate_items_state ON annotate_items (project, state, seq);\n"
     "CREATE INDEX annotate_items_purpose ON annotate_items (project, purpose, seq);\n"
     "CREATE INDEX annotate_items_record ON annotate_items (project, record);\n"
     "CREATE TABLE annotate_labels (id TEXT PRIMARY KEY, project TEXT NOT NULL,\n"
     "  seq INTEGER NOT NULL, user_id TEXT NOT NULL, purpose INTEGER NOT NULL,\n"
     "  state INTEGER NOT NULL, answer TEXT NOT NULL, pre TEXT NOT NULL, comment TEXT NOT NULL,\n"
     "  verdict TEXT NOT NULL, reviewer TEXT NOT NULL, review_comment TEXT NOT NULL,\n"
     "  fixed TEXT NOT NULL, lease_ms INTEGER NOT NULL, begun_ms INTEGER NOT NULL,\n"
     "  done_ms INTEGER NOT NULL, spent_ms INTEGER NOT NULL, review_ms INTEGER NOT NULL,\n"
     "  score REAL NOT NULL, UNIQUE (project, seq, user_id));\n"
     "CREATE INDEX annotate_labels_person ON annotate_labels (project, user_id, state, done_ms);\n"
     "CREATE INDEX annotate_labels_lease ON annotate_labels (project, state, lease_ms)",
     NULL},
};
const size_t annotate_n_migrations = sizeof annotate_migrations / sizeof annotate_migrations[0];
