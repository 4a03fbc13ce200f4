/*
 * core/conf - one configuration file, with a default, a kind and a summary for every key.
 *
 * The file holds lines "key = value"; '#' begins a comment; a value may stand in double quotes.
 * Keys are dotted, "http.port". The environment overrides the file (YICHENG_HTTP_PORT), the command
 * line overrides both (--set http.port=9000). A key that does not exist is refused with the nearest
 * that does. Rooms describe their keys in tables; main hands them in. Read-only after conf_load.
 */
#ifndef CORE_CONF_H
#define CORE_CONF_H

#include "core/str.h"

struct arena;

enum conf_kind {
    CONF_STR,
    CONF_INT,      /* with least and most */
    CONF_BOOL,     /* true false yes no on off 1 0 */
    CONF_BYTES,    /* 512, 64k, 10M, 2G */
    CONF_DURATION, /* 250ms, 30s, 5m, 2h, 7d: kept in milliseconds */
    CONF_CHOICE,   /* one of `choices`, separated by '|' */
    CONF_SECRET    /* a string that is never shown; "file:/path" reads it from a file */
};

struct conf_key {
    const char *name;
    enum conf_kind kind;
    const char *fallback; /* the default, as it would stand in the file */
    int64_t least, most;  /* for CONF_INT, CONF_BYTES, CONF_DURATION; both 0: no limits */
    const char *choices;  /* for CONF_CHOICE */
    const char *summary;  /* one line, no full stop */
};

struct conf_table {
    const struct conf_key *keys;
    size_t n;
};

struct conf;

/*
 * Reads the defaults, then the file at `path` (NULL: none), then the environment, then `sets`
 * ("key=value" each). Everything lives in `arena`. ERR_INVALID names the file, the line, the key
 * and what it may be; ERR_NOT_FOUND when `path` does not exist.
 */
ERR_MUST_USE enum err conf_load(const struct conf_table *tables, size_t n_tables, const char *path,
                                const char *const *sets, size_t n_sets, struct arena *arena,
                                const struct conf **out, struct why *why);

/* The value of a key that some table has; a key that none has is a bug (assert). */
const char *conf_str(const struct conf *conf, const char *name);
int64_t conf_int(const struct conf *conf, const char *name); /* INT, BYTES, DURATION (ms) */
bool conf_bool(const struct conf *conf, const char *name);

/* Every key with its default and summary, as a configuration file whose lines are all commented
 * out: the reference page and `yicheng config`. With `current`, the values in force, secrets
 * hidden. */
ERR_MUST_USE enum err conf_write(const struct conf *conf, bool current, struct buf *out,
                                 struct why *why);

#endif
