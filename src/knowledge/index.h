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
 *   Order   a version's passages are added before the next version begins
 *   Errors  ERR_NO_MEMORY past `memory` bytes, ERR_IO, ERR_NO_SPACE
 *   Cost    grows with the text; memory a few times the posting lists of what was added
 */
ERR_MUST_USE enum err index_writer_new(const char *path, size_t memory, struct index_writer **out,
                                       struct why *why);
ERR_MUST_USE enum err index_writer_version(struct index_writer *writer, const char *version_id,
                                           uint32_t *version, struct why *why);
ERR_MUST_USE enum err index_writer_add(struct index_writer *writer,
                                       const struct index_passage *passage, struct why *why);
/* The passages of one version, in order; `text` is the version's own text. */
ERR_MUST_USE enum err index_writer_passages(struct index_writer *writer, uint32_t version,
                                            struct str title, const struct passage *passages,
                                            size_t n, struct str text, struct why *why);
ERR_MUST_USE enum err index_writer_commit(struct index_writer *writer, struct index_info *out,
                                          struct why *why);
void index_writer_free(struct index_writer *writer); /* NULL is fine; also after commit */

/* Whether three quarters of `memory` are used: time to commit and begin another segment. */
bool index_writer_full(const struct index_writer *writer);

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

/* ---- reading, for retrieve.c, training and checks: from any number of threads ----
 *
 * A file is untrusted bytes. What later reads lean on is checked when it is opened, postings at
 * every read: a hostile file is ERR_CORRUPT or finds nothing, never a crash. Texts and names are
 * borrowed from the mapped file. Layout: index_file.h.
 */

struct index;

/* ERR_NOT_FOUND, ERR_CORRUPT. Cost: one pass over the records, some 10 ms for 100,000 passages. */
ERR_MUST_USE enum err index_open(const char *path, struct index **out, struct why *why);
/* The same over bytes in memory, which are borrowed; 8-aligned. */
ERR_MUST_USE enum err index_open_bytes(const void *ptr, size_t len, struct index **out,
                                       struct why *why);
void index_close(struct index *index); /* NULL is fine */
/* Gives the pages that were read back to the system, which keeps them while it has room: a file
 * that nobody searches costs no memory. */
void index_rest(const struct index *index);

uint32_t index_n_passages(const struct index *index);
uint32_t index_n_versions(const struct index *index);
uint64_t index_n_tokens(const struct index *index); /* in all passages */

struct str index_version_id(const struct index *index, uint32_t version);
/* As it was added; `version` counts in this file. `passage` below the number of them. */
void index_get(const struct index *index, uint32_t passage, struct index_passage *out);

/* What ranking needs of a passage, without its text. */
struct index_facts {
    enum passage_kind kind;
    uint32_t version;
    uint32_t n_tokens;  /* terms in title, headings, label and text */
    uint32_t n_bytes;   /* of the text */
    uint32_t order, of; /* place in its version, from 0, and how many there are */
    uint32_t section;   /* a number of its headings: equal in one version means equal headings */
    uint32_t article;   /* number * 256 + number behind 之, as tokens_article(); 0: none */
    uint64_t copy;      /* hash of its text from `body` on, without spaces: equal is a copy */
    unsigned looks;     /* INDEX_* bits of what the text looks like */
};
enum {
    INDEX_PURPOSE = 1,    /* why and for whom it was made, when it comes into force */
    INDEX_DEFINITION = 2, /* what a word means */
    INDEX_GENERAL = 4,    /* stands under general provisions */
    INDEX_LIABILITY = 8,  /* stands under liability and penalties */
    INDEX_CLOSING = 16,   /* stands under supplementary provisions */
    INDEX_PENALTY = 32    /* names a penalty */
};
void index_facts(const struct index *index, uint32_t passage, struct index_facts *out);

/* How many passages hold the term (tokens.h) in title, headings, label or text, and where they are
 * listed, ascending; 0 when none does. */
struct index_postings {
    const uint8_t *at, *end;
    uint32_t left;                /* passages still to come */
    uint32_t passage, n_passages; /* one more than the last one given; bound of all */
};
uint32_t index_find(const struct index *index, uint64_t term, struct index_postings *out);
/* All terms, ascending. */
uint32_t index_n_terms(const struct index *index);
uint64_t index_term(const struct index *index, uint32_t i);

/* How many passages of the file cite each title (tokens_title_hash) between 《 and 》; ascending.
 */
size_t index_n_cited(const struct index *index);
void index_cited_at(const struct index *index, size_t i, uint64_t *title_hash, uint32_t *times);

/* (n_passages, dim) row-major of signed bytes and a scale a row, see rank.h; NULL when they were
 * made with another model. */
struct rank_model;
const int8_t *index_vectors(const struct index *index, const struct rank_model *model,
                            const float **scales);

/* A LEB128 number of at most 32 bits; false when it does not end before `end`. */
static inline bool index_varint(const uint8_t **at, const uint8_t *end, uint32_t *out)
{
    if (*at < end && **at < 0x80) { /* most steps are short */
        *out = *(*at)++;
        return true;
    }
    uint32_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 35; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint32_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* The next passage and how often the term stands in it; false at the end or at damage. */
static inline bool index_next(struct index_postings *p, uint32_t *passage, uint32_t *times)
{
    uint32_t step, n = 1;
    if (!p->left || !index_varint(&p->at, p->end, &step))
        return false;
    if ((step & 1) && !index_varint(&p->at, p->end, &n))
        return false;
    step >>= 1;
    if (step >= p->n_passages - p->passage)
        return false;
    p->left--;
    *passage = p->passage + step;
    p->passage += step + 1;
    *times = n;
    return true;
}

#endif
