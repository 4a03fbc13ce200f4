/*
 * core/log - structured logs: one JSON object a line, or readable lines on a terminal.
 *
 *     LOG_INFO("job finished", LOG_S("job", id), LOG_I("n_files", n));
 *
 * From any thread; one line is one write. Values are cut at 2 KiB. No secrets, no citizens' texts.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log_field {
    const char *key;
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_REAL } kind;
    struct str s;
    int64_t i;
    double r;
};

#define LOG_S(key, text)  ((struct log_field){(key), LOG_FIELD_STR, str_c(text), 0, 0})
#define LOG_STR(key, str) ((struct log_field){(key), LOG_FIELD_STR, (str), 0, 0})
#define LOG_I(key, n)     ((struct log_field){(key), LOG_FIELD_INT, STR_NONE, (int64_t)(n), 0})
#define LOG_R(key, x)     ((struct log_field){(key), LOG_FIELD_REAL, STR_NONE, 0, (x)})
#define LOG_WHY(why)      LOG_S("why", (why)->text)

/* Begins with level INFO to stderr. `path` NULL is stderr; a file is appended to and opened anew by
 * log_reopen (after rotation). `json` forces JSON on a terminal too. */
ERR_MUST_USE enum err log_open(const char *path, enum log_level least, bool json, struct why *why);
void log_reopen(void);
bool log_level_parse(struct str name, enum log_level *out);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        const struct log_field log_fields_[] = {__VA_ARGS__};                                      \
        log_write((level), (event), log_fields_, sizeof log_fields_ / sizeof log_fields_[0]);      \
    } while (0)
#define LOG_DEBUG(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define LOG_INFO(...)  LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_WARN(...)  LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_ERROR(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
