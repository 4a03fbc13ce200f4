/*
 * knowledge - documents in, grounded answers out. Owns the tables kb_* and the folders index/<kb>/.
 *
 *     formats -> parse -> chunk -> index -> retrieve -> answer
 *
 * A knowledge base holds documents; a document holds versions (several texts of one law are one
 * document); a version holds passages (article, heading section, field of a record, FAQ pair, table
 * rows). The text of a version is one object (plain text, see format_text); a passage is a byte
 * range of it, so that a citation can be opened at the place.
 *
 * Everything here works directly on a data directory: the commands use it without a server.
 */
#ifndef KNOWLEDGE_KNOWLEDGE_H
#define KNOWLEDGE_KNOWLEDGE_H

#include "core/hash.h"
#include "core/str.h"
#include "core/time.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "store/store.h"

struct arena;
struct compute;
struct conf_table;
struct http_table;
struct job_kind;
struct json_out;
struct knowledge;
struct objects;
struct ops;

extern const struct store_migration knowledge_migrations[];
extern const size_t knowledge_n_migrations;
extern const struct conf_table knowledge_conf;

/* ---- what a document is (parse.h fills it from the text; a steward may set every field) ---- */

enum knowledge_kind {
    KNOWLEDGE_LAW, /* 编/章/节/条/款/项: laws, regulations, interpretations, policies with articles
                    */
    KNOWLEDGE_POLICY, /* headings 一、（一）1. */
    KNOWLEDGE_GUIDE,  /* a service guide: a record of fields */
    KNOWLEDGE_FAQ,    /* question and answer */
    KNOWLEDGE_NOTICE,
    KNOWLEDGE_TEXT, /* anything else */
    KNOWLEDGE_TABLE
};

/* Level of the source, higher is stronger (立法法 ch. 5): constitution 9, law 8, administrative
 * regulation 7, judicial interpretation 6, department rule 5, local regulation 4, local government
 * rule 3, normative document 2, case 1, other 0. */
struct knowledge_meta {
    enum knowledge_kind kind;
    struct str title; /* as printed */
    struct str
        part; /* "婚姻家庭编": the text is one part of a work printed in several; else empty */
    struct str key; /* normalised title that joins versions: no 中华人民共和国, brackets, dates */
    struct str issuer; /* 发文机关 */
    struct str number; /* 发文字号 */
    struct str region; /* "" national, else "广东" ... */
    struct str department;
    int level; /* 0 .. 9 */
    enum ops_class access;
    int32_t published, effective,
        expires;            /* days; DAY_NONE unknown; expires: first day no longer in force */
    bool repealed;          /* the text itself says so */
    struct str replaced_by; /* title or number of the text that replaces it, may be empty */
};

/* A meta in which nothing is set, for overrides: kind and level -1, days DAY_NONE, access as the
 * base's (OPS_CLASS_PUBLIC never weakens it), strings empty. */
struct knowledge_meta knowledge_meta_unset(void);

enum knowledge_status {
    KNOWLEDGE_IN_FORCE,
    KNOWLEDGE_NOT_YET,
    KNOWLEDGE_EXPIRED,
    KNOWLEDGE_SUPERSEDED
};

/* ---- opening ---- */

struct knowledge_opts {
    struct store *store;
    struct objects *objects;
    struct compute *compute; /* NULL: no jobs (a command that works directly) */
    const struct conf *conf;
    const char *data_dir;
    struct ops *ops; /* NULL: nobody reads what is for one department */
};
ERR_MUST_USE enum err knowledge_open(const struct knowledge_opts *opts, struct knowledge **out,
                                     struct why *why);
void knowledge_close(struct knowledge *knowledge);

/* How a model is called (the gateway's door, see models.h); main hands it in before anybody asks.
 * NULL takes it away: then everything is quoted and ranked without models. Copied. */
struct models_door;
void knowledge_set_door(struct knowledge *k, const struct models_door *door);

/* Makes the base when it is missing. ERR_INVALID for a name that is not [a-z0-9_-]{1,40} or
 * Chinese. */
ERR_MUST_USE enum err knowledge_create(struct knowledge *k, const struct ops_identity *who,
                                       const char *name, const char *title, enum ops_class access,
                                       char id[UUID_TEXT], struct why *why);

/* Whether the base is there and `who` may read it. ERR_NOT_FOUND. */
ERR_MUST_USE enum err knowledge_see(struct knowledge *k, const struct ops_identity *who,
                                    struct str kb, struct arena *arena, struct why *why);

/* The bases that `who` may read:
 * {"items":[{"id","name","title","access","n_documents","n_passages", "updated_at"}]}, as GET
 * /api/knowledge_bases answers. */
ERR_MUST_USE enum err knowledge_bases_json(struct knowledge *k, const struct ops_identity *who,
                                           struct arena *arena, struct json_out *out,
                                           struct why *why);

/* ---- import ---- */

struct knowledge_import {
    const char *kb;           /* name */
    const char *const *paths; /* files, folders, archives */
    size_t n_paths;
    const struct knowledge_meta *overrides; /* fields set here win over the text; NULL: none */
    bool update;                            /* documents of these paths that are gone are retired */
};
struct knowledge_report {
    int64_t n_files, n_documents, n_versions, n_passages, n_unchanged, n_failed;
    struct str failures; /* JSON array of {"path","code","why"}, at most 1000 */
};
/* In this process. Progress through `progress` (may be NULL). What was acknowledged survives any
 * crash; calling again with the same paths finishes the work and doubles nothing. */
/* Called after every batch; false ends the import there with ERR_CANCELLED: what was acknowledged
 * stays. */
typedef bool knowledge_progress_fn(void *ctx, int64_t done, int64_t total, const char *phase);
ERR_MUST_USE enum err knowledge_import(struct knowledge *k, const struct ops_identity *who,
                                       const struct knowledge_import *import,
                                       knowledge_progress_fn *progress, void *ctx,
                                       struct arena *arena, struct knowledge_report *out,
                                       struct why *why);
extern const struct job_kind knowledge_import_job; /* spec: {"kb","paths","upload":true...} */

/* Gives every passage of a base that has an embedder a vector; *n_new (may be NULL) counts those
 * that had none. May be stopped and run again at any time. ERR_CONFLICT when the base names no
 * embedder, ERR_BUSY while another one runs, and what the model answers. */
ERR_MUST_USE enum err knowledge_embed(struct knowledge *k, const struct ops_identity *who,
                                      const char *kb, knowledge_progress_fn *progress, void *ctx,
                                      int64_t *n_new, struct why *why);
extern const struct job_kind knowledge_embed_job; /* spec: {"kb"} */

/* ---- search ---- */

struct knowledge_query {
    const char *kb; /* name; NULL or "": all that `who` may read */
    struct str text;
    int32_t as_of;                                 /* day; DAY_NONE: today */
    bool all_versions;                             /* also expired, superseded, not yet in force */
    struct str kind, region, department, document; /* filters, empty: any */
    int level_least;
    size_t limit; /* 1 .. 100 */
    bool explain;
};

struct knowledge_hit {
    struct str kb; /* name of the base */
    struct str passage_id, document_id, version_id;
    struct str title, article, path; /* "第三十七条"; "第二章 > 第一节" */
    struct str text;                 /* the passage's text */
    size_t start, len;               /* its byte range in the version's text */
    struct knowledge_meta meta;
    enum knowledge_status status;
    double score;
    double confidence;      /* calibrated 0 .. 1: the probability that it answers */
    double meaning, latent; /* likeness of meaning to the question, see rank.h */
    struct str explain;     /* JSON of features when asked for */
    size_t n_folded;        /* near copies not shown */
};

/*
 * The best query->limit passages. Over several bases (kb NULL) each is searched by itself and the
 * first of all are weighed against each other as answers (answer_rank.h); score is then the
 * logarithm of the odds of confidence, and falls along *out.
 */
ERR_MUST_USE enum err knowledge_search(struct knowledge *k, const struct ops_identity *who,
                                       const struct knowledge_query *query, struct arena *arena,
                                       struct knowledge_hit **out, size_t *n, struct why *why);

/* One hit as the JSON object that the API, the CLI and the console share. */
void knowledge_hit_json(const struct knowledge_hit *hit, struct json_out *out);

/* ---- answer ---- */

struct knowledge_turn {
    struct str role; /* "user" or "assistant" */
    struct str text;
};

struct knowledge_quote {
    size_t hit;        /* index into hits */
    size_t start, len; /* byte range in the version's text: the exact words */
    struct str text;
    struct str field; /* name of the field, when the passage is a record */
};

/* What a model had to do with an answer (written.h). Of method "model" the text is its words, with
 * the numbers of the quotes that bear each sentence behind it: "...。[1]". */
struct knowledge_written {
    struct str model;              /* that was asked; empty: none */
    struct str failure;            /* why its words were not taken; empty when they were */
    int64_t n_sentences, n_struck; /* written; struck out, for they do not stand in the passages */
};

struct knowledge_answer {
    bool refused;
    struct str text;    /* what is shown: the quotes in order, or the refusal with whom to ask */
    const char *method; /* "extract", "field", "faq", "article", "model", "refuse" */
    struct knowledge_quote *quotes;
    size_t n_quotes;
    struct knowledge_hit *hits; /* the cited passages first */
    size_t n_hits;
    double confidence;
    struct str question; /* as understood, after the conversation was taken into account */
    struct str notice;   /* "this text expired on ...", or empty */
    char id[UUID_TEXT];  /* for feedback; its papers are in the ledger */
    struct knowledge_written written;
    int64_t took_us;
};

struct knowledge_ask {
    struct knowledge_query query;
    const struct knowledge_turn *turns; /* earlier turns, oldest first */
    size_t n_turns;
    bool record; /* keep question and papers (server: yes; eval: no) */
};
ERR_MUST_USE enum err knowledge_ask(struct knowledge *k, const struct ops_identity *who,
                                    const struct knowledge_ask *ask, struct arena *arena,
                                    struct knowledge_answer *out, struct why *why);
/* The label that a quote has for a field of guides, by any of its names (phone, 咨询电话,
 * consult_phone); empty when none is known. */
struct str knowledge_field_label(struct str name);
/* The answer as the JSON object that the API, the CLI (--json) and the console share. */
void knowledge_answer_json(const struct knowledge_answer *answer, struct json_out *out);

/* The place of `text` that is quoted for a question, as knowledge_ask would from a passage: a byte
 * range, len 0 when there are no words. Pure; working memory comes from `arena`. */
ERR_MUST_USE enum err knowledge_quote(struct str question, struct str text, struct arena *arena,
                                      size_t *start, size_t *len, struct why *why);

/* ---- for room acquire: what a base holds, as data ---- */

/* The text of a document as it stands today. Strings live until `each` returns. */
struct knowledge_given {
    struct str document_id, version_id, name, format, text, text_sha256;
    struct knowledge_meta meta;
    enum knowledge_status status;
};
typedef enum err knowledge_given_fn(void *ctx, const struct knowledge_given *text, struct why *why);
/* Every document of the base that `who` may read (knowledge.read), in the order of their ids. An
 * error of `each` ends it. Memory: one text. */
ERR_MUST_USE enum err knowledge_texts_each(struct knowledge *k, const struct ops_identity *who,
                                           struct str kb, knowledge_given_fn *each, void *ctx,
                                           struct why *why);

/* What people said of an answer and agreed to be used, as it is kept: masked. */
struct knowledge_said {
    struct str id, kb, question, answer, verdict, comment, correction;
    int64_t at_ms;
};
typedef enum err knowledge_said_fn(void *ctx, const struct knowledge_said *said, struct why *why);
/* In the order of the ids behind `after`; kb empty: of all bases. Needs knowledge.review. */
ERR_MUST_USE enum err knowledge_said_each(struct knowledge *k, const struct ops_identity *who,
                                          struct str kb, struct str after, knowledge_said_fn *each,
                                          void *ctx, struct why *why);

/* ---- care ---- */

/* Checks indexes against tables and objects; `bad` gets words for each fault. Rebuilds when
 * `repair`. */
ERR_MUST_USE enum err knowledge_check(struct knowledge *k, bool repair,
                                      void (*bad)(void *ctx, const char *words), void *ctx,
                                      struct why *why);

const struct http_table *knowledge_routes(struct knowledge *k);

#endif
