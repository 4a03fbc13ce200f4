/* index_file - the layout that index_build.c writes and index_read.c trusts nothing of. Private. */
#ifndef KNOWLEDGE_INDEX_FILE_H
#define KNOWLEDGE_INDEX_FILE_H

#include <stdint.h>

#define INDEX_MAGIC   "YCINDEX"
#define INDEX_VERSION 1

enum index_section {
    INDEX_TEXT,     /* the passages' texts, one behind the other */
    INDEX_HEAP,     /* all other strings */
    INDEX_VERSIONS, /* struct index_version_rec */
    INDEX_PASSAGES, /* struct index_passage_rec */
    INDEX_TERMS,    /* struct index_term_rec, ascending by term */
    INDEX_POSTINGS, /* per passage: varint of (steps over passages << 1 | many), varint times */
    INDEX_CITED,    /* struct index_cited_rec, ascending by title */
    INDEX_VECTORS,  /* (n_passages, dim) signed bytes */
    INDEX_SCALES,   /* n_passages floats */
    INDEX_N_SECTIONS
};

struct index_range {
    uint64_t offset, len; /* bytes; the offset is a multiple of 8 */
    uint64_t hash;        /* hash64 of the bytes, seed: number of the section */
};

struct index_header {
    char magic[8];
    uint32_t version, n_sections;
    uint32_t n_passages, n_versions, n_terms, n_cited;
    uint32_t dim, reserved;
    uint64_t n_tokens;
    uint64_t model; /* id of the ranking model that made the vectors, 0: none */
    struct index_range sections[INDEX_N_SECTIONS];
    uint64_t hash; /* of all bytes before it */
};

struct index_text {
    uint32_t at, len; /* in INDEX_HEAP */
};

struct index_version_rec {
    char id[40];       /* with '\0' behind it */
    uint32_t first, n; /* passages */
};

struct index_passage_rec {
    uint64_t text;  /* offset in INDEX_TEXT */
    uint64_t copy;  /* see index_facts */
    uint64_t start; /* byte range in the version's text */
    uint64_t len, body;
    uint32_t n_bytes; /* of the text in INDEX_TEXT */
    uint32_t version, number, n_tokens;
    uint32_t section, article; /* as in index_facts */
    struct index_text title, label, path, field;
    uint32_t kind, looks;
};

struct index_term_rec {
    uint64_t term;
    uint64_t at; /* in INDEX_POSTINGS; ends where the next begins */
    uint32_t n_passages, reserved;
};

struct index_cited_rec {
    uint64_t title;
    uint32_t times, reserved;
};

_Static_assert(sizeof(struct index_version_rec) == 48, "no holes");
_Static_assert(sizeof(struct index_passage_rec) == 104, "no holes");
_Static_assert(sizeof(struct index_term_rec) == 24, "no holes");

#endif
