/*
 * data/writer - a version that a job of a room above makes, record by record (data.h).
 *
 * writer (adds, marks, goes on) -> writer_end (sorts out what is new, publishes)
 *
 * The folder "version" of the job holds
 *
 *     <n>.out, <n>.trail   the lines and the trail as they came, a new pair after each 16 MiB
 *     sources              a JSON line for each source that was named
 *     state                the mark: sizes of these files, the cursor, the version it appends to;
 *                          behind the commit only what came of it
 *
 * Files are cut back to their sizes in `state` when a killed writer is opened again. Which of the
 * records are new is decided by the commit, over the version to append to as it then is.
 */
#ifndef DATA_WRITER_H
#define DATA_WRITER_H

#include "data/lineage.h"
#include "data/room.h"
#include "data/sink.h"

#define WRITER_NAME 4096
#define WRITER_LINE ((size_t)96 << 20) /* arena of one record */

/* What is known of an id: where it stands last in this run. */
struct writer_id {
    uint64_t id;   /* hash; 0: an empty place */
    uint64_t line; /* hash of its line */
    uint64_t last; /* number of the adding that counts; WRITER_DROP: it was dropped */
    bool same;     /* the version before has it just so */
    bool met;      /* the version before has it */
};
#define WRITER_DROP UINT64_MAX

struct writer_ids {
    struct writer_id *items;
    size_t n, cap; /* cap a power of two */
};
struct writer_id *writer_ids_find(const struct writer_ids *ids, uint64_t id);

struct data_writer {
    struct data *data;
    struct arena *arena; /* of the writer */
    struct arena *line;  /* of one record */
    struct ops_identity who;
    struct data_writer_spec spec; /* copied */
    enum record_kind kind;
    const char *dir;
    struct dataset_version *inputs; /* spec.n_inputs */
    enum ops_class least;           /* the highest class of the inputs */
    struct dataset_version base;    /* id empty: none */
    struct sink out, trail, papers;
    size_t part;   /* number of the pair in hand */
    uint64_t seen; /* lines added in all */
    struct writer_ids ids;
    struct map named; /* key -> data_source * */
    struct map gone;  /* keys of sources that are withdrawn, as far as asked */
    struct str cursor;
    struct data_writer_counts counts;
    bool ended;
    struct data_written written;
};

/* "<dir>/<part>.<suffix>" */
void writer_name(const struct data_writer *w, size_t part, const char *suffix,
                 char out[WRITER_NAME]);
ERR_MUST_USE enum err writer_flush(struct data_writer *w, bool durably, struct why *why);
/* Leaves only the result in the folder. */
ERR_MUST_USE enum err writer_keep_end(struct data_writer *w, struct why *why);
ERR_MUST_USE enum err writer_find_base(struct data_writer *w, struct why *why);
/* writer_end.c */
ERR_MUST_USE enum err writer_publish(struct data_writer *w, struct data_written *out,
                                     struct why *why);

#endif
