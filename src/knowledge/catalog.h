/*
 * knowledge/catalog - the versions of a base in memory: whom they serve, when, and where they are.
 *
 * Place in the room: beside index and retrieve. A snapshot of kb_documents and kb_versions, made
 * when the base's revision in the table is newer than the one in memory; asking costs one small
 * query. Retrieval joins a segment's versions with it: a version that is not in the catalog, or
 * whose segment is another one, is dead.
 */
#ifndef KNOWLEDGE_CATALOG_H
#define KNOWLEDGE_CATALOG_H

#include "core/hash.h"
#include "core/map.h"
#include "core/str.h"
#include "knowledge/knowledge.h"

struct knowledge;
struct store_tx;

struct catalog_version {
    char id[UUID_TEXT];
    uint32_t document;          /* index into documents */
    uint32_t segment;           /* index into segments */
    struct knowledge_meta meta; /* with overrides; access is never weaker than the base's */
    int32_t from;               /* first day in force; DAY_NONE: always was */
    int32_t until; /* first day not in force any more, whatever ended it; DAY_NONE: no end known */
    bool superseded; /* what ends it is a newer text (else its own term, or a repeal) */
    uint32_t n_passages;
    struct str text_object;      /* the version's text is a range of this object, */
    size_t text_start, text_len; /* and passages are ranges of the version's text */
    struct str label;            /* tells versions apart for people: "2018-12-29 修正" */
    struct str name, format;     /* of the file */
    struct str object;           /* the file's own bytes */
    struct str department_id;    /* for OPS_CLASS_DEPARTMENT; may be empty: nobody */
    int64_t revision, created_ms;
};

struct catalog_document {
    char id[UUID_TEXT];
    uint32_t first, n;   /* its versions are versions[first .. first + n), newest first */
    uint32_t n_passages; /* of all versions */
    int64_t revision;
};

struct catalog_segment {
    char id[UUID_TEXT];
    struct str path; /* of the file */
};

struct catalog {
    char kb_id[UUID_TEXT];
    struct str kb_name, kb_title, tenant;
    enum ops_class access;
    int64_t revision;
    struct str embedder, reranker; /* names of models, empty for none */
    struct str dir;                /* of the segments: index/<base id> */
    struct catalog_document *documents;
    struct catalog_version *versions;
    struct catalog_segment *segments;
    uint32_t n_documents, n_versions, n_segments;
    struct map by_id; /* version id -> index into versions */
};

/* The newest snapshot of one base (by name, in the tenant of `who`), with a reference taken: give
 * it back with catalog_release. Snapshots never change. Any thread. ERR_NOT_FOUND also when `who`
 * may not see the base at all. */
ERR_MUST_USE enum err catalog_of(struct knowledge *k, const struct ops_identity *who, struct str kb,
                                 const struct catalog **out, struct why *why);
/* All bases that `who` may read; the array lives in `arena`, each has a reference taken. */
ERR_MUST_USE enum err catalog_all(struct knowledge *k, const struct ops_identity *who,
                                  struct arena *arena, const struct catalog ***out, size_t *n,
                                  struct why *why);
void catalog_release(const struct catalog *catalog); /* NULL is fine */

const struct catalog_version *catalog_version(const struct catalog *catalog, struct str id);

/* Whether `who` may read a version: its class, and the department for OPS_CLASS_DEPARTMENT. */
bool catalog_may_read(const struct catalog_version *version, const struct ops_identity *who);

/* The version that stands for its document on a day: in force, else the newest that was, else the
 * next one. */
const struct catalog_version *catalog_shown(const struct catalog *catalog,
                                            const struct catalog_document *document, int32_t day);

/* How the version stands on a day. */
enum knowledge_status catalog_status(const struct catalog_version *version, int32_t day);

/* The bytes start .. start + len of a version's text, in `arena`: one small read, no hash check
 * (`yicheng check` does that). */
ERR_MUST_USE enum err catalog_text(struct knowledge *k, const struct catalog_version *version,
                                   size_t start, size_t len, struct arena *arena, struct str *out,
                                   struct why *why);

/* The passages of a version, from its row. */
struct passage;
ERR_MUST_USE enum err catalog_passages(struct knowledge *k, const struct catalog_version *version,
                                       struct arena *arena, struct passage **out, size_t *n,
                                       struct why *why);

#endif
