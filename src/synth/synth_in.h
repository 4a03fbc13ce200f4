/*
 * synth/synth_in - what the files of this room share.
 */
#ifndef SYNTH_SYNTH_IN_H
#define SYNTH_SYNTH_IN_H

#include "core/map.h"
#include "data/data.h"

#include "synth/synth.h"

#define SHOW(s) (int)((s).len < 120 ? (s).len : 120), ((s).ptr ? (s).ptr : "")

struct synth {
    struct synth_opts opts;
    struct http_table *table; /* made when it is asked for: synth_http.c */
};

/* ---- passages (passage.c) ---- */

enum passage_kind { PASSAGE_ARTICLE, PASSAGE_GUIDE, PASSAGE_FAQ, PASSAGE_PROSE };
struct passage_field {
    struct str name, value;
};
struct passage {
    enum passage_kind kind;
    struct str title;             /* of the text it is from; may be empty */
    struct str name;              /* "第十二条" */
    struct str text;              /* whole */
    struct str body;              /* of an article: without its number */
    struct passage_field *fields; /* of a guide; of a FAQ: question and answer */
    size_t n_fields;
};
/* Cuts a text: articles (第...条), fields "name：value" a line, questions and answers, else prose
 * in pieces of at most 600 characters at sentence ends. Strings borrow from the text. Pure. */
ERR_MUST_USE enum err passages_cut(struct str title, struct str text, struct arena *arena,
                                   struct passage **out, size_t *n, struct why *why);
/* Sentences of a text: each with its end mark. */
bool passage_sentence(struct str *rest, struct str *sentence);

/* ---- drafts ---- */

/* A question with its answer, from one passage. */
struct pair {
    struct str question, answer;
    const char *form; /* name of the template; static */
    size_t passage;   /* index */
};
struct pairs {
    struct pair *items;
    size_t n, cap;
    struct arena *arena;
};
ERR_MUST_USE enum err pairs_add(struct pairs *pairs, struct str question, struct str answer,
                                const char *form, size_t passage, struct why *why);
/* By the rules; at most `most` a passage. */
ERR_MUST_USE enum err ask_rules(const struct passage *passages, size_t n, size_t most,
                                struct pairs *out, struct why *why);
/* Other ways to ask the same: at most `most`. */
ERR_MUST_USE enum err ask_otherwise(struct str question, size_t most, struct arena *arena,
                                    struct str **out, size_t *n, struct why *why);

/* ---- errors for proofreading (slips.c, pinyin.c) ---- */

struct pinyin; /* characters by their sound */
ERR_MUST_USE enum err pinyin_open(struct pinyin **out, struct why *why);
void pinyin_close(struct pinyin *pinyin);
/* Common characters that sound the same as `c` (tones aside), itself among them; *n 0: it is not
 * common. */
const uint32_t *pinyin_alike(const struct pinyin *pinyin, uint32_t c, size_t *n);

enum slip_kind { SLIP_SOUND, SLIP_SHAPE, SLIP_DROP, SLIP_DOUBLE, SLIP_SWAP, SLIP_KINDS };
struct slip {
    enum slip_kind kind;
    size_t start, end;       /* characters of the wrong text; equal for what was dropped */
    struct str wrong, right; /* what stands there, what should */
};
const char *slip_name(enum slip_kind kind);
/* `right` with about one error in `every` characters, at most `most`, at least one when any can be
 * made; the same for the same seed. The errors never touch each other. *n 0: none could be made. */
ERR_MUST_USE enum err slips_make(const struct pinyin *pinyin, struct str right, size_t every,
                                 size_t most, uint64_t seed, struct arena *arena, struct str *wrong,
                                 struct slip *slips, size_t *n, struct why *why);
/* The wrong text with the corrections put in. */
struct str slips_undo(struct str wrong, const struct slip *slips, size_t n, struct arena *arena);
#define SLIPS_MOST 16

/* ---- quality (quality.c) ---- */

enum reject {
    REJECT_NONE,
    REJECT_UNSUPPORTED,
    REJECT_DUPLICATE,
    REJECT_MALFORMED,
    REJECT_SHORT,
    REJECT_SOURCE,
    REJECTS
};
const char *reject_name(enum reject reject);
/* The share of the answer's character pairs that stand in the passage; 0 when a number of it does
 * not. */
double quality_support(struct str answer, struct str passage);
enum reject quality_pair(struct str question, struct str answer, struct str passage);
/* A text without marks and spaces, for comparing: its hash. */
uint64_t quality_key(struct str text);
/* The likeness of two texts by their character pairs, 0 .. 1 (Jaccard). */
double quality_alike(struct str a, struct str b);

/* ---- methods ---- */

struct making;
struct synth_method {
    const char *name, *title, *title_zh, *summary, *summary_zh;
    const char *takes; /* kinds of records, "text|row" */
    const char *gives;
    bool with_model;
    const char *prompt;      /* what a model is told; its answer is {"items": [...]} */
    const char *item_schema; /* of one of them, JSON Schema: what a model may write at all */
    /* Records by the rules, from the passages (or the question and answer) of m. */
    enum err (*rules)(struct making *m, struct why *why);
    /* One item of a model's answer for passage i. */
    enum err (*item)(struct making *m, size_t i, const struct json *item, struct why *why);
};
const struct synth_method *synth_method_find(struct str name);

/* One input record on its way. */
struct making {
    const struct synth_method *method;
    struct arena *arena; /* of this record */
    struct str id, model;
    struct str question, answer; /* of a qa record */
    struct passage *passages;
    size_t n_passages;
    struct str other; /* a passage of another record, for negatives; may be empty */
    size_t per_passage;
    uint64_t seed;
    bool plain;
    const struct pinyin *pinyin;
    size_t n_made;
    /* Hands a record over; `key`: what tells duplicates. */
    enum err (*put)(void *ctx, struct making *m, struct str key, struct str json, struct why *why);
    void (*reject)(void *ctx, enum reject reject);
    void *ctx;
};
/* Begins {"...", and ends with "meta" {...}}: what every synthetic record says. */
void making_meta(const struct making *m, const char *form, const struct passage *passage,
                 struct json_out *out);

/* ---- the spec (spec.c) ---- */

struct synth_spec {
    struct str input, output, title, model;
    int64_t version;
    const struct synth_method *method;
    size_t per_passage;
    int64_t most_records, seed, budget_tokens, budget_calls;
    bool append;
};
ERR_MUST_USE enum err synth_spec_read(struct str text, struct arena *arena, struct synth_spec *out,
                                      struct why *why);
/* The record as passages, or as a question and answer, in m. ERR_INVALID: nothing to work on. */
ERR_MUST_USE enum err making_read(struct making *m, const char *kind,
                                  const struct data_record *record, struct why *why);
/* The body of a call for a passage, and a guess of its tokens. m->plain: without a schema, for a
 * server that takes none. */
ERR_MUST_USE enum err call_body(const struct making *m, size_t passage, struct arena *arena,
                                struct str *out, struct why *why);
int64_t tokens_guess(struct str text);
/* The list in a model's reply; NULL when there is none. usage -1: not said. */
ERR_MUST_USE enum err call_items(struct str reply, struct arena *arena, const struct json **items,
                                 int64_t *prompt_tokens, int64_t *completion_tokens,
                                 struct why *why);

#endif
