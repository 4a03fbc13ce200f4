/* llama.cpp's log becomes ours; an abort inside it leaves a last line. */
#include <stdio.h>
#include <string.h>

#include <llama.h>

#include "core/log.h"
#include "engine/run_in.h"

static _Thread_local bool quiet;
static _Thread_local struct {
    char text[1024];
    size_t len;
    int level;
} line;

static _Thread_local char last[256];

const char *run_log_last(void)
{
    return last[0] ? last : "it gave no reason";
}

void run_log_quiet(bool on)
{
    quiet = on;
}

/* Its INFO tells a hundred lines at each start, its WARN what an operator can do nothing about. */
static enum log_level level_of(int level)
{
    if (quiet || level <= GGML_LOG_LEVEL_INFO)
        return LOG_LEVEL_DEBUG;
    return level == GGML_LOG_LEVEL_WARN ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
}

static void flush(void)
{
    struct log_field field;
    if (line.len && line.level == GGML_LOG_LEVEL_ERROR)
        (void)snprintf(last, sizeof last, "%.*s", (int)line.len, line.text);
    if (line.len) {
        field = LOG_STR("text", ((struct str){line.text, line.len}));
        log_write(level_of(line.level), "llama.cpp", &field, 1);
    }
    line.len = 0;
}

/* Lines come in pieces; level CONT continues what was before (and sorts above ERROR). */
static void on_log(enum ggml_log_level level, const char *text, void *ctx)
{
    (void)ctx;
    if (level != GGML_LOG_LEVEL_CONT) {
        flush();
        line.level = (int)level;
    }
    for (; *text; text++) {
        if (*text == '\n')
            flush();
        else if (line.len < sizeof line.text)
            line.text[line.len++] = *text;
    }
}

static void on_abort(const char *message)
{
    LOG_ERROR("the engine ends: llama.cpp found an error it cannot go on from",
              LOG_S("message", message));
}

void run_log_init(void)
{
    llama_log_set(on_log, NULL);
    (void)ggml_set_abort_callback(on_abort);
}
