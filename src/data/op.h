/*
 * data/op - the contract of an operator: a step of a pipeline, described as data.
 *
 * An operator is one file op_<name>.c with one `const struct data_op data_op_<name>`, one line in
 * ops.def and one file of golden cases tests/data/ops/<name>.jsonl. Its parameters are checked, its
 * form is drawn, its reference page is written and its contract is tested from the descriptor.
 *
 * Every function is called from many threads at once and keeps no state: the same input, arguments
 * and seed give the same bytes, on any machine, in any order. Texts are valid UTF-8 when they come
 * in and must be when they go out. An error sends this one record to quarantine with the words of
 * `why`; only ERR_CANCELLED, ERR_IO, ERR_NO_SPACE and ERR_UNAVAILABLE end the run.
 */
#ifndef DATA_OP_H
#define DATA_OP_H

#include "core/str.h"
#include "data/record.h"

struct arena;
struct objects;

/* ---- parameters ---- */

enum data_param_kind {
    DATA_NUMBER,  /* arg.number, least .. most */
    DATA_INTEGER, /* the same, without a fraction */
    DATA_FLAG,    /* arg.number is 0 or 1 */
    DATA_CHOICE,  /* arg.number is the index into `text`, "first|second|third" */
    DATA_STRING,  /* arg.text, at most `most` bytes; `text` is the default, NULL: must be given */
    DATA_STRINGS  /* arg.list, at most `most` of them; `text` has the default parted by '|' */
};

struct data_param {
    const char *name; /* [a-z0-9_]+ */
    enum data_param_kind kind;
    double least, most;
    double fallback;  /* of a number, a flag, a choice (its index) */
    const char *text; /* see above */
    const char *unit; /* "bytes", "characters", ""; for people */
    const char *summary, *summary_zh;
};

struct data_arg {
    double number;
    struct str text;
    const struct str *list; /* n of them */
    size_t n;
};

/* The first two parameters of every DATA_MEASURE, with what they are by default. */
enum { DATA_LEAST, DATA_MOST, DATA_OWN };
#define DATA_BOUNDS(low, high, least_by_default, most_by_default, unit)                            \
    [DATA_LEAST] = {"least", DATA_NUMBER,          (low),                                          \
                    (high),  (least_by_default),   NULL,                                           \
                    (unit),  "Drop what is below", "低于此值则丢弃"},                              \
    [DATA_MOST] = {"most", DATA_NUMBER,          (low),           (high), (most_by_default), NULL, \
                   (unit), "Drop what is above", "高于此值则丢弃"}

/* ---- what an operator is called with ---- */

struct data_call {
    const struct data_arg *args; /* n_params of them, checked, defaults filled in */
    const void *made;            /* what prepare() made; NULL without one */
    struct arena *arena;         /* of the record in hand, with a limit */
    uint64_t seed;               /* of the pipeline; see data_chance() */
    size_t input;                /* the number of the input that the record came from */
    enum record_kind kind;       /* of the records at this step */
    const struct str *paths;     /* where its texts are ("on"), n_paths of them */
    size_t n_paths;
    struct objects *objects; /* where pictures are (data/image.h); NULL: this run has none */
};

/* A number in [0, 1) that depends on the seed, the record's id and `salt` alone. */
double data_chance(const struct data_call *call, struct str id, uint64_t salt);
/* All texts of the record at call->paths: the one text itself, or several joined by "\n". ptr is
 * "" when there is none; NULL when memory ran out. */
struct str data_all_texts(const struct data_call *call, const struct record *record);

/* Where a DATA_RECORD or DATA_WHOLE says what becomes of the record. */
struct data_out;
/* The record ends here. `reason` is kept with its id and counted. Copied. */
void data_drop(struct data_out *out, const char *reason, ...) ERR_PRINTF(2, 3);
/* `part` goes on to the next step besides the record (data_drop() the record when it is replaced).
 * At most DATA_MOST_PARTS of one record: ERR_TOO_LARGE. */
#define DATA_MOST_PARTS 10000
ERR_MUST_USE enum err data_emit(struct data_out *out, const struct record *part, struct why *why);

/* ---- the whole data set: for what one record alone does not tell ---- */

/*
 * Duplicates, samples, mixes: note() is called for every record and leaves some bytes; decide()
 * sees all notes in the order of the records and gives one verdict for each; apply() is called
 * with the verdict of each record whose verdict is not empty (or the record is dropped). note() and
 * apply() run in parallel, shard by shard, in two passes; decide() once, between them.
 */
struct data_whole {
    uint64_t n;             /* notes, one for each record, numbered from 0 */
    const uint64_t *bounds; /* n_shards + 1: shard i holds the notes bounds[i] .. bounds[i + 1] */
    size_t n_shards;
    size_t note_bytes; /* of each note; 0: of any length */
    const char *dir;   /* a folder for files of its own; ends with the run */
    size_t memory;     /* bytes that decide() may hold; mapped notes do not count */
    size_t threads;    /* that it may use (core/pool) */
    uint64_t seed;
    const struct str *inputs; /* what the inputs are called, n_inputs of them */
    size_t n_inputs;
    struct data_whole_in *in; /* not for operators */
};

/* Note number i, from any thread. Only with note_bytes > 0. Mapped from a file: reading in order
 * is cheap, in random order it costs page faults when the notes do not fit into memory. What was
 * read is given back to the system now and then, so that it does not stay resident. */
struct str data_note(const struct data_whole *whole, uint64_t i);
/* The notes in order, of any length; *at starts zeroed. False at the end. */
struct data_note_at {
    size_t shard, offset;
};
bool data_note_next(const struct data_whole *whole, struct data_note_at *at, struct str *note);
/* The verdict of the next record, in the order of the records; empty: it passes untouched. */
ERR_MUST_USE enum err data_verdict(const struct data_whole *whole, struct str verdict,
                                   struct why *why);
/* To be asked often; then return ERR_CANCELLED. */
bool data_whole_cancelled(const struct data_whole *whole);
/* How far decide() is: done of total, for people. From any thread. */
void data_whole_went(const struct data_whole *whole, uint64_t done, uint64_t total);
/* The texts of record number i joined as note() saw them (data_all_texts), and its id, read anew
 * from its line; either may be NULL. From any thread. In random order it costs what reading a line
 * costs, and its shard is looked through once for where the lines begin. */
ERR_MUST_USE enum err data_whole_text(const struct data_whole *whole, uint64_t i,
                                      struct arena *arena, struct str *id, struct str *text,
                                      struct why *why);

/* ---- the operator ---- */

enum data_effect {
    DATA_TEXT,    /* text():    changes texts, one at a time */
    DATA_MEASURE, /* measure(): a number for a text; what is not in [least, most] is dropped */
    DATA_RECORD,  /* record():  changes, drops, or makes other records from one */
    DATA_WHOLE    /* note(), decide(), apply() */
};

enum data_group { /* where the reference and the console list it */
                  DATA_CLEAN,
                  DATA_FILTER,
                  DATA_DEDUP,
                  DATA_SELECT,
                  DATA_SHAPE,
                  DATA_PRIVACY,
                  DATA_GROUPS
};

#define DATA_ANY_KIND  ((1u << RECORD_KINDS) - 1)
#define DATA_KIND(k)   (1u << (k))
#define DATA_SAME_KIND RECORD_KINDS

/* A version that records are compared with and that gives none: a test set, say. The pipeline names
 * it under "references"; the number is fixed when the run is queued, so that the same spec gives
 * the same bytes, and the lineage leads from it to the run. */
struct data_reference {
    struct str dataset;
    int64_t number;
    enum record_kind kind;
    const char *const *paths; /* of the files with its lines, n_paths of them */
    size_t n_paths;
};

/* The keys that masks of personal data work with: those of the tenant that the run is for, of the
 * generation that was the newest when it was queued. They live as long as `arena`.
 *   Errors  those of privacy_keys_of() */
struct privacy_keys;
struct data_keyring {
    enum err (*keys)(void *ctx, struct arena *arena, const struct privacy_keys **out,
                     struct why *why);
    void *ctx;
};

/* The files of vocabularies by the name of a model or an alias of the registry; which version that
 * means is fixed when the run is queued, as with keys.
 *   Errors  ERR_UNAVAILABLE  no such model, or none with a vocabulary here */
struct data_vocabularies {
    enum err (*path)(void *ctx, struct str name, struct arena *arena, const char **out,
                     struct why *why);
    void *ctx;
};

/* For prepare(): what outlives the call goes into the arena (arena_defer for foreign things). */
struct data_prepare {
    const struct data_arg *args;
    struct arena *arena;
    const char *models; /* folder of shipped and configured models and word lists; may be "" */
    const struct data_reference *references; /* n_references of them */
    size_t n_references;
    const struct data_keyring *keyring;           /* NULL: there are no keys here */
    const struct data_vocabularies *vocabularies; /* NULL: there is no registry here */
};

struct data_op {
    const char *name; /* [a-z0-9_]+, stable: stored in pipelines and lineage */
    int version;      /* goes up when its results change; stored in lineage */
    enum data_group group;
    const char *summary, *summary_zh; /* one line, no full stop */
    const char *source;               /* paper, standard, peer, or "ours" */
    const struct data_param *params;  /* n_params of them; NULL when there are none */
    size_t n_params;
    enum data_effect effect;
    unsigned takes;         /* kinds of records, DATA_KIND bits; 0: any */
    enum record_kind gives; /* DATA_SAME_KIND: what came in. Zero is RECORD_TEXT: always say it */
    bool keeps_length;      /* DATA_TEXT: never moves a character, so spans stay right */

    /* Checks arguments together and builds what all threads share (an automaton, a dictionary).
     * May be NULL. ERR_INVALID for arguments, ERR_UNAVAILABLE for a model that is not there. */
    enum err (*prepare)(const struct data_prepare *prepare, const void **made, struct why *why);

    /* *out in call->arena, or `in` itself when nothing is to change. */
    enum err (*text)(const struct data_call *call, struct str in, struct str *out, struct why *why);
    /* Of all texts of a record joined. NaN: it cannot be said of this text, which passes. */
    enum err (*measure)(const struct data_call *call, struct str in, double *out, struct why *why);
    enum err (*record)(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why);

    size_t note_bytes; /* 0: of any length */
    size_t (*note_size)(
        const struct data_arg *args); /* instead, when the arguments tell; or NULL */
    enum err (*note)(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why);
    enum err (*decide)(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why);
    /* One of the two: what is done with a record that has a verdict, or, where such records are
     * dropped and no more, the words that say why. */
    enum err (*apply)(const struct data_call *call, struct record *record, struct str verdict,
                      struct data_out *out, struct why *why);
    const char *drops;
};

/* All operators in the order of ops.def (alphabetical); NULL behind the last. */
const struct data_op *data_op_at(size_t i);
const struct data_op *data_op_find(struct str name); /* NULL when there is none */
const char *data_effect_name(enum data_effect effect);
const char *data_group_name(enum data_group group);

#define DATA_OP(name) extern const struct data_op data_op_##name;
#include "data/ops.def"
#undef DATA_OP

#define DATA_N_PARAMS(params) (sizeof(params) / sizeof(params)[0])

#endif
