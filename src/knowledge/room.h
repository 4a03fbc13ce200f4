/*
 * knowledge/room - what the files of this room share. Not for other rooms.
 */
#ifndef KNOWLEDGE_ROOM_H
#define KNOWLEDGE_ROOM_H

#include "knowledge/catalog.h"
#include "knowledge/knowledge.h"
#include "models/models.h"
#include "objects/objects.h"
#include "store/store.h"

struct catalog_cache;
struct http_route;
struct http_table;
struct json;
struct retrieve_cache;

#define PAPERS_MIGRATION_NUMBER 2 /* the tables of papers.c come after those of schema.c */

struct knowledge {
    struct knowledge_opts opts;
    char *index_dir; /* <data>/index */
    struct catalog_cache *catalogs;
    struct retrieve_cache *retrieve;
    struct models_door door;  /* call NULL: no models */
    struct http_table *table; /* made when main asks for the routes */
    struct http_route *routes;
};

/* Calls a model for the tenant of `who`, as the centre itself: what a resident may do is settled by
 * what is asked, not by the model. ERR_UNSUPPORTED without a door. */
ERR_MUST_USE enum err knowledge_call(struct knowledge *k, const struct ops_identity *who,
                                     const char *path, struct str body, struct arena *arena,
                                     struct str *reply, struct why *why);

/* ---- bases (base.c) ---- */

struct base {
    char id[UUID_TEXT];
    struct str name, title, tenant;
    enum ops_class access;
    int64_t revision;
    /* Names of models that help here, each empty for none. */
    struct str writer, embedder, reranker;
};

/* The base `name` of the tenant of `who`. ERR_NOT_FOUND also when `who` may not see it. */
ERR_MUST_USE enum err base_find(struct knowledge *k, const struct ops_identity *who,
                                struct str name, struct arena *arena, struct base *out,
                                struct why *why);
/* All that `who` may see, by name. */
ERR_MUST_USE enum err base_list(struct knowledge *k, const struct ops_identity *who,
                                struct arena *arena, struct base **out, size_t *n, struct why *why);
/* In a write transaction that changes documents of the base: raises its revision. */
ERR_MUST_USE enum err base_touch(struct store_tx *tx, const char *base_id, struct why *why);

const char *access_name(enum ops_class access); /* "public" */
ERR_MUST_USE bool access_parse(struct str name, enum ops_class *out);
const char *kind_name(enum knowledge_kind kind); /* "law" */
ERR_MUST_USE bool kind_parse(struct str name, enum knowledge_kind *out);
const char *status_name(enum knowledge_status status); /* "in_force" */
/* For people: "现行有效", "已于 2024-07-01 被新版本取代". */
struct str status_words(const struct catalog_version *version, int32_t day, struct arena *arena);

/* ---- metadata in rows and in JSON (meta_row.c) ---- */

/* Columns of kb_versions, in this order. */
#define META_COLUMNS                                                                               \
    "kind, title, part, meta_key, issuer, number, region, department, level, access, "             \
    "access_said, published, effective, expires, repealed, replaced_by, label"
#define META_N 17

void meta_to_values(const struct knowledge_meta *meta, bool access_said, struct str label,
                    struct store_value out[META_N]);
/* Strings are borrowed from the row. */
void meta_from_row(const struct store_rows *rows, size_t row, size_t col,
                   struct knowledge_meta *meta, bool *access_said, struct str *label);

/* What was set by hand: a JSON object with some of "title" "kind" "issuer" "number" "region"
 * "department" "level" "access" "published" "effective" "expires" "repealed" "replaced_by"; null
 * sets a day to "not known". *access_set tells whether the class was among them. */
ERR_MUST_USE enum err overrides_apply(struct str json, struct arena *arena,
                                      struct knowledge_meta *meta, bool *access_set,
                                      struct why *why);
/* The fields of `meta` that are set, as such an object; "" when none is. */
ERR_MUST_USE enum err overrides_of(const struct knowledge_meta *meta, struct arena *arena,
                                   struct str *out, struct why *why);
/* Puts the members of `change` over those of `old` (JSON or ""). Checks names and values:
 * ERR_INVALID says which. `of_version` picks the members that belong to a version (number, days,
 * repeal); the others belong to the document. *any: whether there was one. */
ERR_MUST_USE enum err overrides_merge(struct str old, const struct json *change, bool of_version,
                                      struct arena *arena, struct str *out, bool *any,
                                      struct why *why);

/* ---- catalog.c ---- */

struct catalog_cache *catalog_cache_new(void); /* NULL without memory */
void catalog_cache_free(struct catalog_cache *cache);
/* The file of a segment. */
char *segment_path(const struct knowledge *k, const char *base_id, const char *segment_id,
                   struct arena *arena);
/* The class that guards a version, from the base, the text's own word and what was set by hand. */
enum ops_class catalog_access(enum ops_class base, bool said, enum ops_class text, bool set,
                              enum ops_class hand);

/* ---- import.c ---- */

/* One file to be read: where it is, what it is called, and what makes it the same file next time.
 */
struct import_file {
    const char *path;
    struct str name;   /* shown, and its folders tell what kind of text it is */
    struct str source; /* identity: absolute path, or "upload:<file name>" */
    uint64_t bytes;
};

/* The base is locked against a second import for as long as this runs. */
ERR_MUST_USE enum err import_run(struct knowledge *k, const struct ops_identity *who,
                                 const struct knowledge_import *import,
                                 const struct import_file *files, size_t n_files,
                                 knowledge_progress_fn *progress, void *ctx, struct arena *arena,
                                 struct knowledge_report *out, struct why *why);

/* Takes the lock file of a base's index, waiting up to wait_ms. */
ERR_MUST_USE enum err base_lock(struct knowledge *k, const char *base_id, int64_t wait_ms, int *fd,
                                struct why *why);

/* ---- segments.c ---- */

/* Merges segments when there are many; the base is locked. */
ERR_MUST_USE enum err segments_tidy(struct knowledge *k, const struct base *base, struct why *why);
/* Writes the segments of a base anew from the stored texts; the base is locked. */
ERR_MUST_USE enum err segments_rebuild(struct knowledge *k, const struct base *base,
                                       struct why *why);
/* Removes segment files that no row names and that are older than an hour. */
void segments_collect(struct knowledge *k, const char *base_id);

/* ---- documents.c, knowledge_http.c ---- */

/* What GET /api/documents/{id} answers, with the revision for the ETag. ERR_NOT_FOUND also for what
 * `who` may not read. */
ERR_MUST_USE enum err document_json(struct knowledge *k, const struct ops_identity *who,
                                    const char *id, struct arena *arena, struct json_out *out,
                                    int64_t *revision, struct why *why);

struct document_filter {
    struct str kb;           /* name */
    struct str text;         /* in title or number */
    struct str status, kind; /* "" any */
    struct str after;        /* cursor: a document's id */
    size_t limit;
};
ERR_MUST_USE enum err documents_json(struct knowledge *k, const struct ops_identity *who,
                                     const struct document_filter *filter, struct arena *arena,
                                     struct json_out *out, struct why *why);

/* {"in_force":n,"not_yet":n,"expired":n,"superseded":n} of the documents that `who` may read, each
 * by the version shown in lists. */
ERR_MUST_USE enum err statuses_json(struct knowledge *k, const struct ops_identity *who,
                                    struct arena *arena, struct json_out *out, struct why *why);

/* Documents in force that end, or that begin, within `days` days; soonest first. */
ERR_MUST_USE enum err expiring_json(struct knowledge *k, const struct ops_identity *who, int days,
                                    size_t limit, struct arena *arena, struct json_out *out,
                                    struct why *why);

/* Sets metadata by hand, of a document (what belongs to a version goes to the one shown in lists)
 * or of one version. `revision` -1: whatever it is now; else ERR_PRECONDITION when it is another.
 */
ERR_MUST_USE enum err document_change(struct knowledge *k, const struct ops_identity *who,
                                      const char *id, int64_t revision, const struct json *change,
                                      struct arena *arena, struct why *why);
ERR_MUST_USE enum err version_change(struct knowledge *k, const struct ops_identity *who,
                                     const char *id, int64_t revision, const struct json *change,
                                     struct arena *arena, struct why *why);
ERR_MUST_USE enum err document_remove(struct knowledge *k, const struct ops_identity *who,
                                      const char *id, int64_t revision, struct arena *arena,
                                      struct why *why);

/* A version that `who` may read, wherever it is, with its catalog's reference taken. */
ERR_MUST_USE enum err version_find(struct knowledge *k, const struct ops_identity *who,
                                   struct str id, const struct catalog **catalog,
                                   const struct catalog_version **out, struct why *why);
/* What GET /api/versions/{id}/text answers. */
ERR_MUST_USE enum err version_text_json(struct knowledge *k, const struct ops_identity *who,
                                        const char *id, struct arena *arena, struct json_out *out,
                                        struct why *why);

ERR_MUST_USE enum err base_change(struct knowledge *k, const struct ops_identity *who,
                                  struct str name, const struct json *change, struct arena *arena,
                                  struct why *why);
/* Removes the base with its documents and segments; the objects stay (other bases may name them).
 */
ERR_MUST_USE enum err base_remove(struct knowledge *k, const struct ops_identity *who,
                                  struct str name, struct arena *arena, struct why *why);

#endif
