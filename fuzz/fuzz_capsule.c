/* Any bytes as a capsule and as an archive, and a good capsule with any edits: refused, or the same
 * bytes come out as went in; nothing is written outside the folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "release/capsule.h"
#include "release/tar.h"

#define N_TEXT (CAPSULE_CHUNK + 5000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
    const char *ptr;
    size_t len, at;
};

static enum err get(void *ctx, char *ptr, size_t n, size_t *got, struct why *why)
{
    struct source *s = ctx;
    (void)why;
    *got = n < s->len - s->at ? n : s->len - s->at;
    if (*got)
        memcpy(ptr, s->ptr + s->at, *got);
    s->at += *got;
    return ERR_OK;
}

static enum err put(void *ctx, struct str bytes, struct why *why)
{
    buf_add(ctx, bytes);
    return buf_err(ctx, why);
}

/* One good capsule of each suite, made once. */
static struct arena *kept;
static struct buf good[CRYPT_SUITES];
static struct str secret[CRYPT_SUITES];
static char text[N_TEXT];

static void make(enum crypt_suite suite)
{
    struct capsule_writer *w = NULL;
    struct str pub;
    struct capsule_head head = {.id = STR("0198f1c2-0000-7000-8000-000000000001"),
                                .to = STR("water"),
                                .suite = suite,
                                .created_ms = 1};
    buf_init(&good[suite], kept);
    if (crypt_make(crypt_suite_key(suite), kept, &pub, &secret[suite], NULL) ||
        capsule_begin(&head, pub, put, &good[suite], &w, NULL) ||
        capsule_add(w, (struct str){text, sizeof text}, NULL) || capsule_end(w, NULL))
        abort();
    capsule_writer_free(w);
}

/* Whether it opened to the end, and gave the text. */
static bool opens(struct str bytes, struct str key)
{
    struct source s = {bytes.ptr, bytes.len, 0};
    struct capsule_reader *r = NULL;
    struct str part = STR("x");
    size_t n = 0;
    enum err err = capsule_open(get, &s, &r, NULL);
    if (!err)
        err = capsule_unlock(r, key, NULL);
    while (!err && part.len) {
        err = capsule_next(r, &part, NULL);
        if (!err && (n + part.len > sizeof text || memcmp(text + n, part.ptr, part.len) != 0))
            abort();
        n += err ? 0 : part.len;
    }
    capsule_close(r);
    return !err && n == sizeof text;
}

/* Edits of three bytes of place, one of what and one of value. */
static void edited(const uint8_t *data, size_t size)
{
    enum crypt_suite suite = (enum crypt_suite)(data[0] & 1);
    size_t len = good[suite].len;
    char *copy = malloc(len + 1);
    if (!copy)
        return;
    memcpy(copy, good[suite].ptr, len);
    for (size_t i = 1; i + 5 <= size && len; i += 5) {
        size_t at = ((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % len;
        size_t more = data[i + 4];
        if (data[i + 3] % 4 == 0)
            copy[at] ^= (char)data[i + 4];
        else if (data[i + 3] % 4 == 1)
            len = at;
        else if (data[i + 3] % 4 == 2 && at + more < len)
            memmove(copy + at, copy + at + more, len - at - more);
        else if (at + 2 * more < len)
            memcpy(copy + at, copy + at + more, more);
    }
    bool same = len == good[suite].len && memcmp(copy, good[suite].ptr, len) == 0;
    if (opens((struct str){copy, len}, secret[suite]) != same)
        abort();
    free(copy);
}

static enum err outside(void *ctx, const char *path, struct str relative, struct why *why)
{
    (void)ctx, (void)path, (void)why;
    if (!tar_name_ok(relative))
        abort();
    return ERR_OK;
}

static void unpacked(const uint8_t *data, size_t size)
{
    char dir[] = "/tmp/yicheng-fuzz-tar-XXXXXX";
    struct tar_out out;
    if (!mkdtemp(dir))
        return;
    tar_out_init(&out, dir);
    enum err err = tar_take(&out, (struct str){(const char *)data, size}, NULL);
    if (!err)
        err = tar_done(&out, NULL);
    tar_out_release(&out);
    if (file_walk(dir, 16, outside, NULL, NULL) || file_remove(dir, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!kept) {
        kept = arena_new((size_t)16 << 20);
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)(i * 7);
        make(CRYPT_SUITE_SM);
        make(CRYPT_SUITE_AES);
    }
    if (!size)
        return 0;
    if (data[0] >> 6 == 0)
        unpacked(data + 1, size - 1);
    else if (data[0] >> 6 == 1)
        (void)opens((struct str){(const char *)data + 1, size - 1}, secret[data[0] & 1]);
    else
        edited(data, size);
    return 0;
}
