/*
 * knowledge/index - segments: files that are written once and searched by words.
 *
 * Place in the room: parse -> chunk -> [index] -> retrieve -> answer. A base has the segment files
 * index/<base id>/<segment id>.seg. Which of them count, and which version's passages in them
 * count, is said by the tables alone: kb_segments names the segments, kb_versions.segment names
 * the one segment that serves a version. A version in a segment that the tables do not give it to
 * is dead (a tombstone without a file); a segment file that no row names is left of a crash and is
 * collected. So one transaction makes an import, a change, a removal and a merge visible.
 *
 * What changes without re-reading a text (dates, status, class, region, department, kind, level)
 * is not in a segment: retrieval takes it from the catalog (catalog.h), which is small, in memory
 * and as new as the tables.
 */
#ifndef KNOWLEDGE_INDEX_H
#define KNOWLEDGE_INDEX_H

#include "core/hash.h"
#include "core/str.h"
#include "knowledge/passage.h"

struct arena;

/* One passage to be indexed. Everything is borrowed for the call. */
struct index_passage {
    uint32_t version; /* from index_writer_version */
    uint32_t number;  /* of the passage in its version */
    enum passage_kind kind;
    size_t start, len; /* byte range in the version's text object */
    size_t body;       /* see struct passage */
    uint32_t article, article_sub;
    struct str title; /* of the document, with its part ("中华人民共和国民法典 婚姻家庭编") */
    struct str label, path, field;
    struct str text; /* the words: passage_words() */
};

struct index_info {
    uint32_t n_versions, n_passages;
    uint64_t bytes;
    char sha256[HASH_TEXT]; /* of the file, for `yicheng check` */
};

struct index_writer;

/*
 * Writes one segment file. Only index_writer_commit makes the file appear, whole and durable
 * (fsync of file and folder); index_writer_free without commit leaves nothing. One thread.
 *
 *   Errors  ERR_NO_MEMORY past `memory` bytes, ERR_IO, ERR_NO_SPACE
 *   Cost    grows with the text; memory a few times the posting lists of what was added
 */
ERR_MUST_USE enum err index_writer_new(const char *path, size_t memory, struct index_writer **out,
                                       struct why *why);
ERR_MUST_USE enum err index_writer_version(struct index_writer *writer, const char *version_id,
                                           uint32_t *version, struct why *why);
ERR_MUST_USE enum err index_writer_add(struct index_writer *writer,
                                       const struct index_passage *passage, struct why *why);
ERR_MUST_USE enum err index_writer_commit(struct index_writer *writer, struct index_info *out,
                                          struct why *why);
void index_writer_free(struct index_writer *writer); /* NULL is fine; also after commit */

/* Writes the live versions of `n` segments into one new segment at `path`, without their texts.
 * alive(ctx, i, version id): whether segment i still serves that version. */
typedef bool index_alive_fn(void *ctx, size_t i, const char *version_id);
ERR_MUST_USE enum err index_merge(const char *const *paths, size_t n, index_alive_fn *alive,
                                  void *ctx, const char *path, struct index_info *out,
                                  struct why *why);

/* Reads the whole file: header, checksum, every list within bounds. `each` (may be NULL) gets every
 * version and the number of its passages. ERR_CORRUPT with words. */
typedef enum err index_version_fn(void *ctx, const char *version_id, uint32_t n_passages,
                                  struct why *why);
ERR_MUST_USE enum err index_verify(const char *path, struct index_info *out, index_version_fn *each,
                                   void *ctx, struct why *why);

#endif
