/*
 * store/store_dump - the file that a PostgreSQL database is backed up into. Internal to the room.
 *
 * Layout: the 16 bytes "yicheng dump 1\n\0", then records: kind (1 byte), length (4 bytes, little
 * endian, at most DUMP_RECORD_MOST), payload. In this order:
 *
 *     'm'*             a migration: JSON with room, number, checksum, ran_ms, sql
 *     ('t' 'd'* 'e')*  a table: JSON with table and columns; rows in COPY's text format, cut
 *                      anywhere; JSON with rows, their number
 *     'z'              the SHA-256 of all bytes before this record; the file ends behind it
 *
 * Reading is pure: over bytes that the caller holds (a mapped file), which may be anything.
 */
#ifndef STORE_STORE_DUMP_H
#define STORE_STORE_DUMP_H

#include "core/hash.h"
#include "core/str.h"

#define DUMP_RECORD_MOST ((size_t)16 << 20)

struct arena;

/* ---- writing ---- */

struct dump_writer {
    int fd; /* borrowed */
    struct hash *hash;
    char *buf; /* gathered bytes, n_buf of DUMP_BUF */
    size_t n_buf;
};

ERR_MUST_USE enum err dump_begin(struct dump_writer *writer, int fd, struct why *why);
ERR_MUST_USE enum err dump_put(struct dump_writer *writer, char kind, struct str payload,
                               struct why *why);
/* Writes the last record; fsync is the caller's. */
ERR_MUST_USE enum err dump_end(struct dump_writer *writer, struct why *why);
void dump_release(struct dump_writer *writer);

/* ---- reading ---- */

struct dump_reader {
    struct str bytes;
    size_t at;
    char last; /* kind of the record before; 0 at the start */
};

struct dump_record {
    char kind;
    struct str payload; /* borrowed from the bytes */
};

/* Reads all records once: their order, lengths and the digest. ERR_CORRUPT says what is wrong. */
ERR_MUST_USE enum err dump_check(struct str bytes, struct why *why);

void dump_reader_init(struct dump_reader *reader, struct str bytes);
/* The next record, 'z' as the last one. ERR_CORRUPT for one that is cut off or out of order. */
ERR_MUST_USE enum err dump_next(struct dump_reader *reader, struct dump_record *out,
                                struct why *why);

struct dump_migration {
    struct str room, checksum, sql;
    int64_t number, ran_ms;
};
/* Strings are in `arena`. ERR_CORRUPT when a member is missing or of another kind. */
ERR_MUST_USE enum err dump_migration(struct str payload, struct arena *arena,
                                     struct dump_migration *out, struct why *why);

struct dump_table {
    struct str name;
    struct str *columns; /* n_columns of them */
    size_t n_columns;
};
ERR_MUST_USE enum err dump_table(struct str payload, struct arena *arena, struct dump_table *out,
                                 struct why *why);

#endif
