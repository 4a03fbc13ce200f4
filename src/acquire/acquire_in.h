/*
 * acquire/acquire_in - what the files of this room share: the open room, the contract of a kind of
 * collector, and what a run gives it.
 */
#ifndef ACQUIRE_ACQUIRE_IN_H
#define ACQUIRE_ACQUIRE_IN_H

#include <pthread.h>

#include "acquire/acquire.h"
#include "acquire/net.h"
#include "core/secret.h"
#include "data/data.h"
#include "http/http.h"

#define ACQUIRE_TRY       20                  /* records of a trial */
#define ACQUIRE_ITEM_MEM  ((size_t)256 << 20) /* arena of a page, a batch, a document */
#define ACQUIRE_MOST_BODY ((size_t)1 << 20)
#define SHOW(s)           (int)((s).len < 120 ? (s).len : 120), ((s).ptr ? (s).ptr : "")

struct acquire {
    struct acquire_opts opts;
    struct arena *arena;
    struct net_rules networks;
    bool sockets; /* PostgreSQL on local sockets */
    struct secret_key key;
    struct http_table table;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool running, stopping;
};

/* ---- a kind of collector: kind_<name>.c and a line in kinds.def ---- */

enum param_kind {
    PARAM_TEXT,
    PARAM_INTEGER,
    PARAM_FLAG,
    PARAM_CHOICE,
    PARAM_LIST,   /* of texts */
    PARAM_OBJECT, /* of texts */
    PARAM_SECRET, /* a text */
    PARAM_SECRETS /* an object of texts: the names are shown, the values are not */
};
struct acquire_param {
    const char *name;
    enum param_kind kind;
    bool required;
    int64_t least, most;  /* of an integer; else bytes */
    const char *fallback; /* as it would stand in the settings, without quotes; "" */
    const char *choices;  /* "a|b" */
    const char *unit, *summary, *summary_zh;
};

struct collect;
struct acquire_kind {
    const char *name, *title, *title_zh, *summary, *summary_zh;
    const char *records; /* kinds of records, "row|text|qa"; the first is the usual one */
    const struct acquire_param *params;
    size_t n_params;
    /* What the table of params cannot say; may be NULL. */
    enum err (*check)(struct acquire *acquire, const struct json *settings, struct str record_kind,
                      struct why *why);
    /* All that is new: through the functions below, until the end, an error, or
     * collect_enough(). NULL: the kind is a job of another room (files). */
    enum err (*collect)(struct collect *c, struct why *why);
};
const struct acquire_kind *acquire_kind_find(struct str name); /* NULL: none */
/* Settings with secrets as they were given: checked, defaults put in, unknown members refused.
 * *plain and *secret are JSON objects. */
ERR_MUST_USE enum err acquire_settings(const struct acquire_kind *kind, const struct json *given,
                                       struct arena *arena, struct str *plain, struct str *secret,
                                       struct why *why);

/* ---- a collector ---- */

struct collector {
    struct str id, tenant, name, title, kind_name, dataset, dataset_title, record_kind;
    const struct acquire_kind *kind;
    enum ops_class access;
    struct str settings, map, collection, schedule, owner, state, why; /* JSON but for the last */
    struct str sealed;                                                 /* secrets */
    struct str secret_names;                                           /* JSON list */
    bool enabled;
    int64_t revision, created_ms, changed_ms, next_ms;
};
ERR_MUST_USE enum err collector_find(struct acquire *acquire, const struct ops_identity *who,
                                     struct str name, struct arena *arena, struct collector *out,
                                     struct why *why);
/* A body over `base` (NULL: a new one), checked; secrets in *secret as JSON. */
ERR_MUST_USE enum err collector_read(struct acquire *acquire, const struct ops_identity *who,
                                     const struct json *body, const struct collector *base,
                                     struct arena *arena, struct collector *out, struct str *secret,
                                     struct why *why);
ERR_MUST_USE enum err collector_secrets(struct acquire *acquire, const struct collector *collector,
                                        struct arena *arena, const struct json **out,
                                        struct why *why);
void collector_json(struct acquire *acquire, const struct collector *collector, struct arena *arena,
                    struct json_out *out);
/* The run with a job, in the caller's transaction. */
ERR_MUST_USE enum err collector_submit(struct acquire *acquire, struct store_tx *tx,
                                       const struct ops_identity *who,
                                       const struct collector *collector, const char *by,
                                       char job[UUID_TEXT], struct why *why);
/* The last runs of a collector (RUN objects of the list that is open). */
ERR_MUST_USE enum err collector_runs(struct acquire *acquire, struct str collector, size_t limit,
                                     struct arena *arena, struct json_out *out, struct why *why);

/* ---- what a run gives to collect() ---- */

struct collect {
    struct acquire *acquire;
    struct job *job;
    struct ops_identity who;
    struct collector def;
    const struct json *settings, *secrets, *map, *state; /* state: of the run before; may be NULL */
    struct arena *arena;                                 /* of the run */
    struct arena *item; /* of a page or a batch: whoever loops resets it */
    const char *dir;    /* of the job, for files */
    /* the rest belongs to run.c */
    struct data_writer *writer; /* NULL: a trial */
    struct str next_state;
    int64_t n_done, n_total;
    struct buf records, sources, bad;
    struct json_out records_json, sources_json, bad_json;
    size_t n_shown, n_sources, n_bad;
    struct arena *shown;
};

struct str collect_text(const struct collect *c, const char *name); /* a setting */
int64_t collect_int(const struct collect *c, const char *name);
bool collect_flag(const struct collect *c, const char *name);
struct str collect_secret(const struct collect *c, const char *name); /* "" when not set */

/* The job was cancelled, or a trial has seen what it shows. */
bool collect_enough(struct collect *c);
/* After collect_enough(): ERR_CANCELLED, or ERR_OK for a trial. */
ERR_MUST_USE enum err collect_stopped(struct collect *c, struct why *why);
void collect_progress(struct collect *c, int64_t total, const char *phase); /* one more is done */

/* A source with the collector's papers. ERR_CONFLICT: it was withdrawn. */
ERR_MUST_USE enum err collect_source(struct collect *c, struct str uri, struct str sha256,
                                     int64_t n_bytes, char key[DATA_SOURCE_KEY], struct why *why);
/* An item (a JSON value) in the shape that the collector's record kind and map ask for. */
ERR_MUST_USE enum err collect_item(struct collect *c, const char *key, struct str item,
                                   const struct json *value, struct why *why);
/* A record as it is. */
ERR_MUST_USE enum err collect_record(struct collect *c, const char *key, struct str item,
                                     struct str json, struct why *why);
ERR_MUST_USE enum err collect_bad(struct collect *c, const char *key, struct str item,
                                  const char *words, struct why *why);
ERR_MUST_USE enum err collect_drop(struct collect *c, const char *key, struct str item,
                                   struct why *why);
/* How far it has read; what comes back from collect_cursor() after a kill -9. */
ERR_MUST_USE enum err collect_mark(struct collect *c, struct str cursor, struct why *why);
struct str collect_cursor(const struct collect *c);
/* What the next run is to know, a JSON object; kept when the version is there. */
ERR_MUST_USE enum err collect_keep(struct collect *c, struct str state, struct why *why);

/* ---- shape.c ---- */

/* The value at a dotted path: names, numbers of items; an empty path is the value itself; NULL. */
const struct json *shape_at(const struct json *value, struct str path);
/* A scalar as text; lists and objects as JSON; "" for null. */
ERR_MUST_USE enum err shape_text(const struct json *value, struct arena *arena, struct str *out,
                                 struct why *why);
/* The record for an item. ERR_INVALID when it lacks what the map names. */
ERR_MUST_USE enum err shape_record(const struct json *value, struct str record_kind,
                                   const struct json *map, struct arena *arena, struct str *out,
                                   struct why *why);

/* ---- fetch.c: polite HTTP ---- */

struct fetcher {
    struct collect *c;
    const char *const *headers; /* sent to the origin of `home` alone */
    size_t n_headers;
    struct str home;  /* origin, as url_origin() */
    int64_t pause_ms; /* between two requests */
    int64_t total_ms; /* of one request */
    size_t most;      /* bytes of an answer */
    int attempts;
    int64_t last_ns;
    struct str url; /* of the last answer, redirects followed; in the arena of the call */
};
struct fetch_opts {
    const char *method; /* NULL: GET */
    struct str body;
    struct str etag, modified; /* of what is there: If-None-Match, If-Modified-Since */
    const char *accept;
};
/*
 * Waits its turn, asks, follows up to 5 redirects (each address checked again), tries again after
 * 429, 5xx and lost connections with growing pauses, as Retry-After says. Any other status is
 * ERR_OK.
 *   Errors  ERR_FORBIDDEN (an address that may not be used), ERR_INVALID, ERR_TOO_LARGE,
 *           ERR_UNAVAILABLE or ERR_TIMEOUT after the last attempt, ERR_CANCELLED
 */
ERR_MUST_USE enum err fetch_url(struct fetcher *f, struct str url, const struct fetch_opts *opts,
                                struct arena *arena, struct http_answer *out, struct why *why);
#define FETCH_AGENT "YichengBot/1.0"
#define FETCH_TOKEN "yichengbot"

/* Whether `path` may be read: below data.import_root, or by the centre itself. */
ERR_MUST_USE enum err acquire_path(struct collect *c, struct str path, struct str *real,
                                   struct why *why);

#endif
