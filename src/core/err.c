#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int http;
    bool again;
    const char *code;
    const char *words;
} infos[] = {
#define ERR_INFO(name, http, again, code, words) [ERR_##name] = {http, again, code, words},
    ERR_MAP(ERR_INFO)
#undef ERR_INFO
};

/* A text cut by the fixed size must not end inside a character. */
static void cut_whole(char *text)
{
    size_t len = strlen(text);
    size_t at = len;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xC0) == 0x80)
        at--;
    if (at == 0)
        return;
    unsigned char lead = (unsigned char)text[at - 1];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (len - (at - 1) < want)
        text[at - 1] = '\0';
}

static void put(char *out, size_t size, const char *fmt, va_list args)
{
    (void)vsnprintf(out, size, fmt, args);
    cut_whole(out);
}

void err_note(struct why *why, const char *fmt, ...)
{
    if (!why || why->text[0])
        return;
    va_list args;
    va_start(args, fmt);
    put(why->text, sizeof why->text, fmt, args);
    va_end(args);
}

static enum err from_errno(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* a limit on the size of files */
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EACCES:
    case EPERM:
        return ERR_FORBIDDEN;
    default:
        return ERR_IO;
    }
}

enum err err_errno(struct why *why, const char *fmt, ...)
{
    int code = errno;
    if (why && !why->text[0]) {
        va_list args;
        va_start(args, fmt);
        put(why->text, sizeof why->text, fmt, args);
        va_end(args);
        size_t len = strlen(why->text);
        char words[96];
        const char *text = strerror_r(code, words, sizeof words);
        (void)snprintf(why->text + len, sizeof why->text - len, ": %s", text);
        cut_whole(why->text);
    }
    return from_errno(code);
}

void err_hint(struct why *why, const char *fmt, ...)
{
    if (!why || why->hint[0])
        return;
    va_list args;
    va_start(args, fmt);
    put(why->hint, sizeof why->hint, fmt, args);
    va_end(args);
}

void err_prefix(struct why *why, const char *fmt, ...)
{
    if (!why)
        return;
    char old[sizeof why->text];
    memcpy(old, why->text, sizeof old);
    va_list args;
    va_start(args, fmt);
    put(why->text, sizeof why->text, fmt, args);
    va_end(args);
    size_t len = strlen(why->text);
    (void)snprintf(why->text + len, sizeof why->text - len, ": %s", old);
    cut_whole(why->text);
}

int err_http(enum err err)
{
    return infos[err].http;
}

bool err_again(enum err err)
{
    return infos[err].again;
}

const char *err_code(enum err err)
{
    return infos[err].code;
}

const char *err_words(enum err err)
{
    return infos[err].words;
}

const char *why_text(const struct why *why, enum err err)
{
    return why && why->text[0] ? why->text : infos[err].words;
}
