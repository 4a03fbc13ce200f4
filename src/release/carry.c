#include "release/carry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"

#define PART ((size_t)256 << 10)
#define ROOM ((size_t)192 << 20)

static enum err get(struct carried *c, struct str name, size_t most, struct str *out,
                    struct why *why)
{
    char *object = str_z(c->arena, name);
    return object ? objects_get(c->release->opts.objects, object, most, c->arena, out, why)
                  : err_set(why, ERR_NO_MEMORY, "could not read the release");
}

enum err carry_begin(struct carried *c, struct release *release, const struct release_row *row,
                     struct arena *arena, struct why *why)
{
    *c = (struct carried){.release = release, .row = row, .arena = arena};
    enum err err = release_usable(row, why);
    if (!err)
        err = get(c, row->manifest, MANIFEST_MOST, &c->text, why);
    if (!err)
        err = get(c, row->signature, MANIFEST_MOST_SIGS, &c->signature, why);
    struct manifest_signature sigs[MANIFEST_SIGNATURES];
    if (!err)
        err = signatures_check(c->text, c->signature, arena, sigs, why);
    return err ? err : manifest_read(c->text, arena, &c->manifest, why);
}

/* ---- one file, in parts, hashed ---- */

static enum err each_part(struct carried *c, const struct manifest_file *f, tar_put_fn *put,
                          void *ctx, int64_t *done, struct why *why)
{
    struct file_map map;
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    const char *path;
    struct hash *hash = hash_new(HASH_SHA256);
    char *object = str_z(c->arena, f->sha256);
    enum err err = hash && object
                       ? objects_path(c->release->opts.objects, object, c->arena, &path, why)
                       : err_set(why, ERR_NO_MEMORY, "could not read the release");
    if (!err)
        err = file_map(path, &map, why);
    if (err) {
        hash_free(hash);
        return err;
    }
    for (size_t at = 0; !err && at < map.len; at += PART) {
        struct str part = str_slice((struct str){(const char *)map.ptr, map.len}, at, at + PART);
        hash_add(hash, part.ptr, part.len);
        *done += (int64_t)part.len;
        if (c->stop && c->stop(c->ctx, *done, c->manifest.n_bytes))
            err = err_set(why, ERR_CANCELLED, "it was cancelled");
        if (!err)
            err = put(ctx, part, why);
    }
    hash_end(hash, digest);
    if (!err && !str_eq_c(f->sha256, hex_put(digest, sizeof digest, hex)))
        err = err_set(why, ERR_CORRUPT, "object %.*s is damaged", STR_FMT(f->sha256));
    file_unmap(&map);
    hash_free(hash);
    return err;
}

/* ---- a folder ---- */

static enum err put_fd(void *ctx, struct str bytes, struct why *why)
{
    return file_write_fd(*(const int *)ctx, bytes, why);
}

static bool is_whole(const struct file_map *map, const struct manifest_file *f)
{
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    hash_of(HASH_SHA256, (struct str){(const char *)map->ptr, map->len}, digest);
    return str_eq_c(f->sha256, hex_put(digest, sizeof digest, hex));
}

static bool is_there(const char *path, const struct manifest_file *f)
{
    struct file_map map;
    uint64_t n;
    if (!file_exists(path) || file_size(path, &n, NULL) || (int64_t)n != f->n_bytes ||
        file_map(path, &map, NULL))
        return false;
    bool whole = is_whole(&map, f);
    file_unmap(&map);
    return whole;
}

static enum err one_file(struct carried *c, const char *dir, const struct manifest_file *f,
                         int64_t *done, struct why *why)
{
    char *name = str_z(c->arena, f->name);
    char *path = name ? file_join(c->arena, dir, name) : NULL;
    char *temp = path ? str_z(c->arena, str_printf(c->arena, "%s/.part", dir)) : NULL;
    if (!temp)
        return err_set(why, ERR_NO_MEMORY, "could not export");
    if (is_there(path, f)) {
        *done += f->n_bytes;
        return ERR_OK;
    }
    char *above = strrchr(path + strlen(dir), '/');
    *above = '\0';
    enum err err = file_make_dirs(path, why);
    *above = '/';
    int fd = err ? -1 : open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (!err && fd < 0)
        return err_errno(why, "could not write \"%s\"", temp);
    if (!err)
        err = each_part(c, f, put_fd, &fd, done, why);
    if (!err && fsync(fd) != 0)
        err = err_errno(why, "could not write \"%s\"", temp);
    if (fd >= 0)
        (void)close(fd);
    if (!err)
        err = file_rename(temp, path, why);
    return err;
}

/* Beside and renamed, too: what a killed export leaves has one name that the next one knows. */
static enum err put_small(struct carried *c, const char *dir, const char *name, struct str text,
                          struct why *why)
{
    char *path = file_join(c->arena, dir, name), *temp = file_join(c->arena, dir, ".part");
    int fd = path && temp ? open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640) : -1;
    if (!path || !temp)
        return err_set(why, ERR_NO_MEMORY, "could not export");
    if (fd < 0)
        return err_errno(why, "could not write \"%s\"", temp);
    enum err err = file_write_fd(fd, text, why);
    if (!err && fsync(fd) != 0)
        err = err_errno(why, "could not write \"%s\"", temp);
    (void)close(fd);
    return err ? err : file_rename(temp, path, why);
}

enum err carry_dir(struct carried *c, const char *dir, struct why *why)
{
    int64_t done = 0;
    enum err err = file_make_dirs(dir, why);
    for (size_t i = 0; !err && i < c->manifest.n; i++)
        err = one_file(c, dir, &c->manifest.files[i], &done, why);
    if (!err)
        err = put_small(c, dir, "signature.json", c->signature, why);
    return err ? err : put_small(c, dir, "manifest.json", c->text, why);
}

/* ---- an archive ---- */

static enum err put_text(struct str name, struct str text, tar_put_fn *put, void *ctx,
                         struct why *why)
{
    enum err err = tar_file(name, text.len, put, ctx, why);
    if (!err)
        err = put(ctx, text, why);
    return err ? err : tar_pad(text.len, put, ctx, why);
}

enum err carry_tar(struct carried *c, tar_put_fn *put, void *ctx, struct why *why)
{
    int64_t done = 0;
    enum err err = put_text(STR("manifest.json"), c->text, put, ctx, why);
    if (!err)
        err = put_text(STR("signature.json"), c->signature, put, ctx, why);
    for (size_t i = 0; !err && i < c->manifest.n; i++) {
        const struct manifest_file *f = &c->manifest.files[i];
        err = tar_file(f->name, (uint64_t)f->n_bytes, put, ctx, why);
        if (!err)
            err = each_part(c, f, put, ctx, &done, why);
        if (!err)
            err = tar_pad((uint64_t)f->n_bytes, put, ctx, why);
    }
    return err ? err : tar_end(put, ctx, why);
}

/* ---- one file in a trainer's form ---- */

static const struct form {
    const char *name, *suffix;
    const char *steps_qa; /* for question and answer, and rows */
    const char *steps;    /* for the kind itself */
    const char *kind;     /* NULL: every */
    const char *member;
} forms[] = {
    {"jsonl", "jsonl", NULL, NULL, NULL, NULL},
    {"text", "txt", NULL, NULL, NULL, NULL},
    {"openai", "jsonl", "[{\"op\":\"to_chat\"}]", "[]", "chat", "{messages}"},
    {"sharegpt", "jsonl", "[{\"op\":\"to_chat\"},{\"op\":\"chat_to\",\"form\":\"sharegpt\"}]",
     "[{\"op\":\"chat_to\",\"form\":\"sharegpt\"}]", "chat", "row"},
    {"alpaca", "jsonl", "[{\"op\":\"to_chat\"},{\"op\":\"chat_to\",\"form\":\"alpaca\"}]",
     "[{\"op\":\"chat_to\",\"form\":\"alpaca\"}]", "chat", "row"},
    {"dpo", "jsonl", NULL, "[]", "preference", "{prompt,chosen,rejected}"},
};

static const struct form *form_of(struct str name)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (str_eq_c(name, forms[i].name))
            return &forms[i];
    return NULL;
}

bool carry_form_ok(struct str form)
{
    return form_of(form) != NULL;
}

const char *carry_suffix(struct str form)
{
    const struct form *f = form_of(form);
    return f ? f->suffix : "tar";
}

/* Texts with an empty line between records. */
static enum err put_texts(struct str kind, struct str lines, int fd, struct carry_counts *out,
                          struct why *why)
{
    struct str line;
    struct arena *arena = arena_new(ROOM);
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not export");
    while (!err && str_next_line(&lines, &line)) {
        struct data_view view;
        struct buf buf;
        arena_reset(arena);
        err = data_view(kind, line, arena, &view, why);
        if (err || !view.text.len) {
            out->n_left_out += !err;
            continue;
        }
        buf_init(&buf, arena);
        buf_add(&buf, view.text);
        buf_add_c(&buf, "\n\n");
        err = buf_err(&buf, why);
        if (!err)
            err = file_write_fd(fd, buf_str(&buf), why);
        out->n_records++;
    }
    arena_free(arena);
    return err;
}

static enum err shape(struct carried *c, const struct form *form, struct str lines, int fd,
                      struct carry_counts *out, struct why *why)
{
    struct str kind = c->manifest.record_kind;
    struct data_shaped n;
    const char *steps = form->steps;
    if (form->kind && !str_eq_c(kind, form->kind))
        steps = str_eq_c(kind, "qa") || str_eq_c(kind, "row") ? form->steps_qa : NULL;
    if (!steps)
        return err_set(why, ERR_UNSUPPORTED, "records of kind %.*s have no form \"%s\"",
                       STR_FMT(kind), form->name);
    enum err err =
        data_shape(c->release->opts.data, kind, str_c(steps), lines, form->member, fd, &n, why);
    out->n_records += n.n_out;
    out->n_left_out += n.n_left_out;
    return err;
}

static enum err one_shard(struct carried *c, const struct form *form, const struct manifest_file *f,
                          int fd, struct carry_counts *out, int64_t *done, struct why *why)
{
    struct file_map map;
    const char *path;
    char *object = str_z(c->arena, f->sha256);
    if (!strcmp(form->name, "jsonl")) {
        out->n_records += f->n_records;
        return each_part(c, f, put_fd, &fd, done, why);
    }
    enum err err = object ? objects_path(c->release->opts.objects, object, c->arena, &path, why)
                          : err_set(why, ERR_NO_MEMORY, "could not export");
    if (!err)
        err = file_map(path, &map, why);
    if (err)
        return err;
    struct str lines = {(const char *)map.ptr, map.len};
    if (!is_whole(&map, f)) /* before its lines are read: damage may look like another record */
        err = err_set(why, ERR_CORRUPT, "object %.*s is damaged", STR_FMT(f->sha256));
    else if (strcmp(form->name, "text") == 0)
        err = put_texts(c->manifest.record_kind, lines, fd, out, why);
    else
        err = shape(c, form, lines, fd, out, why);
    *done += f->n_bytes;
    if (!err && c->stop && c->stop(c->ctx, *done, c->manifest.n_bytes))
        err = err_set(why, ERR_CANCELLED, "it was cancelled");
    file_unmap(&map);
    return err;
}

enum err carry_form(struct carried *c, struct str name, int fd, struct carry_counts *out,
                    struct why *why)
{
    const struct form *form = form_of(name);
    int64_t done = 0;
    *out = (struct carry_counts){0};
    enum err err =
        form ? ERR_OK : err_set(why, ERR_INVALID, "there is no form \"%.*s\"", SHOW(name));
    for (size_t i = 0; !err && i < c->manifest.n; i++)
        if (c->manifest.files[i].n_records >= 0)
            err = one_shard(c, form, &c->manifest.files[i], fd, out, &done, why);
    return err;
}
