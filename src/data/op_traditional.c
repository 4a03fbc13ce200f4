/* traditional: between traditional and simplified characters, by words (opencc). */
#include <opencc/opencc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { TO };
static const struct data_param params[] = {
    [TO] = {"to", DATA_CHOICE, 0, 0, 0, "t2s|s2t|tw2sp|s2twp|hk2s|s2hk", "",
            "t2s: to simplified; s2t: to traditional; tw, hk: the words of Taiwan, Hong Kong",
            "t2s 转简体，s2t 转繁体，tw、hk 按当地用词"},
};

#define FIRST 0x3400
#define LAST  0x9FFF

/* One converter for all threads behind a lock would make them wait: each borrows one. */
struct made {
    char config[16];
    pthread_mutex_t lock;
    opencc_t idle[64];
    size_t n;
    uint64_t changes[TEXT_SET]; /* characters that may */
    bool by_character;
};

static void release(void *thing)
{
    struct made *m = thing;
    for (size_t i = 0; i < m->n; i++)
        (void)opencc_close(m->idle[i]);
    (void)pthread_mutex_destroy(&m->lock);
}

static opencc_t borrow(struct made *m)
{
    opencc_t one = NULL;
    (void)pthread_mutex_lock(&m->lock);
    if (m->n)
        one = m->idle[--m->n];
    (void)pthread_mutex_unlock(&m->lock);
    if (one)
        return one;
    one = opencc_open(m->config);
    return one == (opencc_t)-1 ? NULL : one;
}

static void give_back(struct made *m, opencc_t one)
{
    (void)pthread_mutex_lock(&m->lock);
    bool kept = m->n < sizeof m->idle / sizeof m->idle[0];
    if (kept)
        m->idle[m->n++] = one;
    (void)pthread_mutex_unlock(&m->lock);
    if (!kept)
        (void)opencc_close(one);
}

/* Characters that stay alone and change in words: 反覆, 答覆. Dictionaries cannot be listed through
 * opencc, so these were found by comparing with whole texts converted. */
static const uint32_t in_words[] = {0x8986};

/* Nearly every text of a city is simplified already: which characters would ever change. Of those
 * that are not asked about, any that is Han. */
static void learn_characters(struct made *m, opencc_t one)
{
    for (uint32_t c = FIRST; c <= 0xFFFF; c++) {
        char in[UTF8_MAX_BYTES];
        size_t n = utf8_put(in, c);
        bool asked = m->by_character && c <= LAST;
        char *out = asked ? opencc_convert_utf8(one, in, n) : NULL;
        if (utf8_is_han(c) && (!out || strlen(out) != n || memcmp(in, out, n) != 0))
            text_set_add(m->changes, c);
        if (out)
            opencc_convert_utf8_free(out);
    }
    for (size_t i = 0; i < sizeof in_words / sizeof in_words[0]; i++)
        text_set_add(m->changes, in_words[i]);
}

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    struct made *m = arena_one(p->arena, struct made);
    if (!m)
        return err_set(why, ERR_NO_MEMORY, "could not prepare the conversion");
    struct str name = p->args[TO].text;
    memcpy(m->config, name.ptr, name.len);
    memcpy(m->config + name.len, ".json", 6);
    (void)pthread_mutex_init(&m->lock, NULL);
    if (arena_defer(p->arena, release, m) != 0) {
        release(m);
        return err_set(why, ERR_NO_MEMORY, "could not prepare the conversion");
    }
    opencc_t one = borrow(m);
    if (!one)
        return err_set(why, ERR_UNAVAILABLE, "could not open opencc's %s", m->config);
    m->by_character = p->args[TO].number == 0 || p->args[TO].number == 4;
    learn_characters(m, one);
    give_back(m, one);
    *made = m;
    return ERR_OK;
}

static bool may_change(const struct made *m, struct str in)
{
    for (size_t i = 0; i < in.len;) {
        for (; i < in.len && text_leads_three(in.ptr[i]); i += 3)
            if (text_in_set(m->changes, in.ptr + i))
                return true;
        while (i < in.len && !((unsigned char)in.ptr[i] & 0x80))
            i++;
        if (i < in.len && !text_leads_three(in.ptr[i]) && utf8_is_han(text_next(in, &i)))
            return true;
    }
    return false;
}

static enum err convert(struct made *m, struct str in, struct buf *out, struct why *why)
{
    opencc_t one = borrow(m);
    char *to = one ? opencc_convert_utf8(one, in.ptr, in.len) : NULL;
    if (one)
        give_back(m, one);
    if (!to)
        return err_set(why, ERR_INVALID, "could not convert a text of %zu bytes", in.len);
    buf_add_c(out, to);
    opencc_convert_utf8_free(to);
    return ERR_OK;
}

/* The end of the piece that begins at `at`: no word of the dictionaries holds a line's or a
 * sentence's end, so what stands before it is converted the same without what stands behind. */
static size_t piece_end(struct str in, size_t at)
{
    const unsigned char *p = (const unsigned char *)in.ptr;
    while (at < in.len && p[at] != '\n' &&
           !(p[at] == 0xE3 && p[at + 1] == 0x80 && p[at + 2] == 0x82))
        at++; /* E3 begins a character of three bytes */
    at += at < in.len;
    while (at < in.len && ((unsigned char)in.ptr[at] & 0xC0) == 0x80)
        at++; /* behind the whole stop */
    return at;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct made *m = (struct made *)call->made;
    struct buf buf;
    enum err err = ERR_OK;
    *out = in;
    /* opencc reads to the first '\0' */
    if (!may_change(m, in) || memchr(in.ptr, '\0', in.len))
        return ERR_OK;
    buf_init(&buf, call->arena);
    if (!m->by_character)
        err = convert(m, in, &buf, why);
    for (size_t at = 0, end; m->by_character && !err && at < in.len; at = end) {
        end = piece_end(in, at);
        struct str piece = str_slice(in, at, end);
        if (may_change(m, piece))
            err = convert(m, piece, &buf, why);
        else
            buf_add(&buf, piece);
    }
    if (err)
        return err;
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

const struct data_op data_op_traditional = {
    .name = "traditional",
    .version = 2,
    .group = DATA_CLEAN,
    .summary = "Convert between traditional and simplified Chinese by words",
    .summary_zh = "繁体与简体中文按词转换",
    .source = "OpenCC 1.1 and its dictionaries",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .text = text,
};
