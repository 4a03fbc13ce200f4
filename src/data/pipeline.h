/*
 * data/pipeline - a list of steps, read from a spec and checked against the operators.
 *
 *     spec (JSON or YAML) -> [pipeline] -> work: stages over shards -> task: records through steps
 *
 * A spec:
 *     {"name": "laws for pre-training",
 *      "inputs": [{"dataset": "laws", "version": 2}, ...],      or "input": {...}
 *      "references": [{"dataset": "exam", "version": 1}, ...],  compared with, never put out
 *      "output": {"dataset": "laws-clean", "title": "...", "card": {...}},
 *      "seed": 7, "privacy_key": 2,       of masks; missing: the newest when the run is queued
 *      "vocabularies": {"qwen": "<id>"},  of models by name; missing: as they are then
 *      "steps": [{"op": "unicode_nfc"}, {"op": "length", "least": 200, "on": ["text"]}, ...]}
 * A step names an operator, its parameters, and "on": the paths of the texts that it works on
 * (record_texts; the usual ones of the kind when it is missing).
 */
#ifndef DATA_PIPELINE_H
#define DATA_PIPELINE_H

#include "core/json.h"
#include "data/op.h"

#define PIPELINE_MOST_STEPS  100
#define PIPELINE_MOST_INPUTS 64
#define PIPELINE_ARENA       ((size_t)192 << 20) /* for one record with all its parts */

struct pipeline_input {
    struct str dataset;
    int64_t version; /* 0: the newest */
};

struct pipeline_step {
    const struct data_op *op;
    struct data_arg *args; /* op->n_params */
    const void *made;
    struct str *paths; /* n_paths */
    size_t n_paths;
    size_t note_bytes;             /* of a DATA_WHOLE with these arguments; 0: of any length */
    enum record_kind takes, gives; /* here */
};

struct pipeline {
    struct arena *arena;
    struct str name, dataset, title;
    struct str card; /* JSON object of the output, or empty */
    uint64_t seed;
    int64_t privacy_key; /* generation of the tenant's keys; 0: the newest */
    struct pipeline_input *inputs;
    size_t n_inputs;
    struct pipeline_input *references;
    size_t n_references;
    struct pipeline_step *steps;
    size_t n_steps;
    enum record_kind takes, gives;
    const struct word_shelf
        *vocabularies;       /* vocabularies by names of models; NULL: none (vocabulary.h) */
    struct objects *objects; /* for operators on pictures; NULL until the caller sets it */
};

/*
 * Reads and checks a spec for records of `kind`, and prepares its operators. Everything lives in
 * `arena`. With several things wrong the first is told, with the step's number and the nearest
 * right name.
 *
 *   Errors  ERR_INVALID      names the step, the parameter, the value and what it may be
 *           ERR_UNSUPPORTED  an operator does not take this kind of record
 *           ERR_UNAVAILABLE  an operator's model is missing
 */
ERR_MUST_USE enum err pipeline_read(const struct json *spec, enum record_kind kind,
                                    const char *models, struct arena *arena, struct pipeline *out,
                                    struct why *why);
/* The same with what operators compare with and mask with; pipeline_read() has neither, which
 * operators that need them refuse. */
struct pipeline_given {
    const char *models;
    const struct data_reference *references; /* one for each of the spec's, in order */
    size_t n_references;
    const struct data_keyring *keyring;           /* or NULL */
    const struct data_vocabularies *vocabularies; /* or NULL */
};
ERR_MUST_USE enum err pipeline_read_with(const struct json *spec, enum record_kind kind,
                                         const struct pipeline_given *given, struct arena *arena,
                                         struct pipeline *out, struct why *why);
/* The references alone; none is fine. */
ERR_MUST_USE enum err pipeline_references(const struct json *spec, struct arena *arena,
                                          struct pipeline_input **out, size_t *n, struct why *why);
/* The inputs alone: needed to know the kind. */
ERR_MUST_USE enum err pipeline_inputs(const struct json *spec, struct arena *arena,
                                      struct pipeline_input **out, size_t *n, struct why *why);
/* JSON or YAML (told apart by the first character) as a JSON document. YAML: one document, no
 * anchors, no tags; numbers, true, false and null are read as YAML 1.2's core schema says. */
ERR_MUST_USE enum err pipeline_text(struct str text, struct arena *arena, const struct json **out,
                                    struct why *why);

#endif
