#include "release/tar.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

#define BLOCK     512
#define MOST_PATH 4096

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

bool tar_name_ok(struct str name)
{
    struct str part;
    if (!name.len || name.len > TAR_MOST_NAME || name.ptr[name.len - 1] == '/')
        return false;
    while (str_next(&name, '/', &part)) {
        if (!part.len || part.ptr[0] == '.')
            return false;
        for (size_t i = 0; i < part.len; i++)
            if (!name_char(part.ptr[i]))
                return false;
    }
    return true;
}

/* ---- writing ---- */

enum err tar_file(struct str name, uint64_t n, tar_put_fn *put, void *ctx, struct why *why)
{
    char head[BLOCK] = {0}, size[32];
    unsigned sum = 0;
    if (!tar_name_ok(name))
        return err_set(why, ERR_INVALID, "\"%.*s\" cannot be the name of a file", STR_FMT(name));
    memcpy(head, name.ptr, name.len);
    memcpy(head + 100, "0000640", 7);
    memcpy(head + 108, "0000000", 7);
    memcpy(head + 116, "0000000", 7);
    /* 8 GiB and more: the number in base 256, as every tar since 1990 reads it. */
    if (n < (uint64_t)1 << 33) {
        (void)snprintf(size, sizeof size, "%011llo", (unsigned long long)n);
        memcpy(head + 124, size, 11);
    } else {
        head[124] = (char)0x80;
        for (int i = 0; i < 8; i++)
            head[135 - i] = (char)(n >> (8 * i));
    }
    memcpy(head + 136, "00000000000", 11);
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)head[i];
    (void)snprintf(size, sizeof size, "%06o", sum);
    memcpy(head + 148, size, 6);
    head[154] = '\0';
    return put(ctx, (struct str){head, BLOCK}, why);
}

enum err tar_pad(uint64_t n, tar_put_fn *put, void *ctx, struct why *why)
{
    static const char none[BLOCK];
    size_t rest = (size_t)(n % BLOCK);
    return rest ? put(ctx, (struct str){none, BLOCK - rest}, why) : ERR_OK;
}

enum err tar_end(tar_put_fn *put, void *ctx, struct why *why)
{
    static const char none[2 * BLOCK];
    return put(ctx, (struct str){none, sizeof none}, why);
}

/* ---- reading ---- */

void tar_out_init(struct tar_out *out, const char *dir)
{
    *out = (struct tar_out){.dir = dir, .fd = -1};
}

static enum err damaged(struct why *why)
{
    return err_set(why, ERR_CORRUPT, "the archive is damaged");
}

static bool octal(const unsigned char *p, size_t n, uint64_t *out)
{
    *out = 0;
    if (p[0] == 0x80) {
        for (size_t i = n - 8; i < n; i++)
            *out = *out << 8 | p[i];
        return *out < (uint64_t)1 << 50;
    }
    for (size_t i = 0; i < n && p[i] && p[i] != ' '; i++) {
        if (p[i] < '0' || p[i] > '7')
            return false;
        *out = *out << 3 | (uint64_t)(p[i] - '0');
    }
    return true;
}

static bool sum_fits(const unsigned char *b)
{
    uint64_t want, sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : b[i];
    return octal(b + 148, 8, &want) && want == sum;
}

/* Folders above the file. */
static enum err make_above(char *path, size_t from, struct why *why)
{
    enum err err = ERR_OK;
    for (char *at = strchr(path + from, '/'); !err && at; at = strchr(at + 1, '/')) {
        *at = '\0';
        err = file_make_dirs(path, why);
        *at = '/';
    }
    return err;
}

static enum err begin_file(struct tar_out *o, struct why *why)
{
    char path[MOST_PATH];
    const unsigned char *b = o->block;
    struct str name = {(const char *)b, strnlen((const char *)b, 100)};
    if (!sum_fits(b) || memcmp(b + 257, "ustar", 5) != 0 || (b[156] != '0' && b[156] != 0) ||
        b[345] != 0 || !octal(b + 124, 12, &o->left))
        return damaged(why);
    if (!tar_name_ok(name))
        return err_set(why, ERR_CORRUPT, "the archive holds a file that no release has");
    int n = snprintf(path, sizeof path, "%s/%.*s", o->dir, STR_FMT(name));
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(why, ERR_INVALID, "the path of the folder is too long");
    enum err err = make_above(path, strlen(o->dir) + 1, why);
    if (err)
        return err;
    o->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    o->pad = (BLOCK - o->left % BLOCK) % BLOCK;
    return o->fd < 0 ? err_errno(why, "could not make \"%s\"", path) : ERR_OK;
}

static enum err end_file(struct tar_out *o, struct why *why)
{
    int fd = o->fd;
    o->fd = -1;
    if (fd >= 0 && close(fd) != 0)
        return err_errno(why, "could not write a file");
    return ERR_OK;
}

static enum err take_block(struct tar_out *o, struct why *why)
{
    static const unsigned char none[BLOCK];
    o->filled = 0;
    if (memcmp(o->block, none, BLOCK) == 0) {
        o->zeros++;
        return ERR_OK;
    }
    return o->zeros ? damaged(why) : begin_file(o, why);
}

enum err tar_take(struct tar_out *o, struct str in, struct why *why)
{
    enum err err = ERR_OK;
    while (!err && in.len) {
        size_t n;
        if (o->fd >= 0 && o->left) {
            n = in.len < o->left ? in.len : (size_t)o->left;
            err = file_write_fd(o->fd, str_slice(in, 0, n), why);
            o->left -= n;
        } else if (o->pad) {
            n = in.len < o->pad ? in.len : (size_t)o->pad;
            o->pad -= n;
        } else {
            n = in.len < BLOCK - o->filled ? in.len : BLOCK - o->filled;
            memcpy(o->block + o->filled, in.ptr, n);
            o->filled += n;
            if (o->filled == BLOCK)
                err = take_block(o, why);
        }
        in = str_from(in, n);
        if (!err && o->fd >= 0 && !o->left)
            err = end_file(o, why);
    }
    return err;
}

enum err tar_done(struct tar_out *o, struct why *why)
{
    return o->fd < 0 && !o->pad && !o->filled && o->zeros >= 2
               ? ERR_OK
               : err_set(why, ERR_CORRUPT, "the archive is cut off");
}

void tar_out_release(struct tar_out *o)
{
    if (o->fd >= 0)
        (void)close(o->fd);
    o->fd = -1;
}
