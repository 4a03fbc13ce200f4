#include "core/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/time.h"
#include "core/utf8.h"

#define MOST_VALUE 2048
#define MOST_LINE  65536

static struct {
    pthread_mutex_t lock;
    int fd;
    enum log_level least;
    bool json;
    char path[4096];
} sink = {PTHREAD_MUTEX_INITIALIZER, STDERR_FILENO, LOG_LEVEL_INFO, false, ""};

static const char *const names[] = {"debug", "info", "warn", "error"};

enum err log_open(const char *path, enum log_level least, bool json, struct why *why)
{
    int fd = STDERR_FILENO;
    if (path && strlen(path) >= sizeof sink.path)
        return err_set(why, ERR_INVALID, "the path of the log is too long");
    if (path)
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(why, "could not open log \"%s\"", path);
    pthread_mutex_lock(&sink.lock);
    sink.fd = fd;
    sink.least = least;
    sink.json = json || path || !isatty(fd);
    (void)snprintf(sink.path, sizeof sink.path, "%s", path ? path : "");
    pthread_mutex_unlock(&sink.lock);
    return ERR_OK;
}

void log_reopen(void)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.path[0]) {
        int fd = open(sink.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (fd >= 0) {
            (void)close(sink.fd);
            sink.fd = fd;
        }
    }
    pthread_mutex_unlock(&sink.lock);
}

bool log_level_parse(struct str name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_eq_c(name, names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static struct str cut(struct str s)
{
    return s.len > MOST_VALUE ? str_slice(s, 0, utf8_floor(s, MOST_VALUE)) : s;
}

static void line_json(struct buf *buf, enum log_level level, const char *event,
                      const struct log_field *fields, size_t n)
{
    struct json_out out;
    char when[TIME_TEXT];
    json_out_init(&out, buf);
    json_begin_object(&out);
    json_kv_c(&out, "time", time_format(time_now_ms(), when));
    json_kv_c(&out, "level", names[level]);
    json_kv_c(&out, "event", event);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].kind == LOG_FIELD_STR)
            json_kv_str(&out, fields[i].key, cut(fields[i].s));
        else if (fields[i].kind == LOG_FIELD_INT)
            json_kv_int(&out, fields[i].key, fields[i].i);
        else
            json_kv_real(&out, fields[i].key, fields[i].r);
    }
    json_end_object(&out);
}

static void line_text(struct buf *buf, enum log_level level, const char *event,
                      const struct log_field *fields, size_t n)
{
    char when[TIME_TEXT];
    buf_printf(buf, "%.19s %-5s %s", time_format(time_now_ms(), when), names[level], event);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].kind == LOG_FIELD_INT) {
            buf_printf(buf, " %s=%lld", fields[i].key, (long long)fields[i].i);
        } else if (fields[i].kind == LOG_FIELD_REAL) {
            buf_printf(buf, " %s=%g", fields[i].key, fields[i].r);
        } else {
            buf_printf(buf, " %s=", fields[i].key);
            json_quote(buf, cut(fields[i].s));
        }
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    if (level < sink.least)
        return;
    struct arena *arena = arena_new(MOST_LINE);
    if (!arena)
        return;
    struct buf buf;
    buf_init(&buf, arena);
    (sink.json ? line_json : line_text)(&buf, level, event, fields, n);
    buf_char(&buf, '\n');
    pthread_mutex_lock(&sink.lock);
    if (!buf.failed)
        (void)!file_write_fd(sink.fd, buf_str(&buf), NULL);
    pthread_mutex_unlock(&sink.lock);
    arena_free(arena);
}
