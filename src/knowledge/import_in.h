/*
 * knowledge/import_in - what the steps of an import share. Not for other files.
 *
 * import.c finds the files, takes them in batches, and reports; import_read.c turns one file into
 * documents (on any core); import_write.c acknowledges a batch: segment file first, then one
 * transaction.
 */
#ifndef KNOWLEDGE_IMPORT_IN_H
#define KNOWLEDGE_IMPORT_IN_H

#include <pthread.h>

#include "core/arena.h"
#include "core/map.h"
#include "knowledge/parse.h"
#include "knowledge/room.h"

/* One document of a file, ready to be written. Everything lives in `arena`. */
struct import_item {
    struct meta_found found;
    struct str item;
    size_t start, len;        /* of the file's text */
    struct passage *passages; /* ranges of the version's own text */
    size_t n_passages;
    struct str packed;
    char text_sha256[HASH_TEXT];
};

struct import_doc {
    struct arena *arena;
    struct str source, name; /* identity and what is shown; of a file in an archive: both longer */
    const char *format;
    struct str text;
    struct import_item *items;
    size_t n_items;
    char sha256[HASH_TEXT], object[HASH_TEXT], text_object[HASH_TEXT];
    bool failed; /* then code and why say it, and there are no items */
    bool unchanged;
    enum err code;
    struct why why;
    struct import_doc *next;
};

/* What one file gave. */
struct import_result {
    struct import_doc *first, **last;
    size_t bytes; /* of text held */
    char sha256[HASH_TEXT];
    bool whole; /* read to its end, nothing failed: need not be read again while it is the same */
    bool unchanged;
};

struct import {
    struct knowledge *k;
    const struct ops_identity *who;
    const struct knowledge_import *spec;
    struct base base;
    struct str overrides; /* JSON of spec->overrides, or "" */
    bool override_access;
    const struct import_file *files;
    size_t n_files;
    struct arena *arena;
    struct objects_batch *objects; /* files and texts of the batch, under its lock */
    pthread_mutex_t *objects_lock;
    struct map sources;  /* path -> its SHA-256 (void *), of files read by this parser */
    struct map versions; /* "source" -> SHA-256 of the bytes that gave the newest versions */
    struct map keys;     /* document keys that are there */
    struct knowledge_report *report;
    struct buf failures;
    size_t n_told; /* failures told */
    knowledge_progress_fn *progress;
    bool cancelled; /* progress said so */
    void *ctx;
    int64_t n_done;
};

/* Reads file i; never fails as a whole: failures are documents that say so. From any thread. */
void import_read(const struct import *import, size_t i, struct import_result *out);
/* The same for an archive: `each` gets every document as it comes. */
typedef enum err import_each_fn(void *ctx, struct import_doc *doc, struct why *why);
enum err import_read_archive(const struct import *import, size_t i, import_each_fn *each, void *ctx,
                             struct import_result *out, struct why *why);
void import_doc_free(struct import_doc *doc);

/* Writes segment, documents, versions and sources of these results in one step. */
enum err import_write(struct import *import, const struct import_result *results,
                      const size_t *files, size_t n, struct why *why);

/* An archive was read to its end: it need not be read again while it is the same. */
enum err import_remember(struct import *import, size_t file, const char *sha256, struct why *why);

/* `update`: versions whose files are gone from the folders that were given. */
enum err import_retire(struct import *import, const struct map *seen, struct why *why);

#endif
