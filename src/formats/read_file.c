/* formats - the documents of one file. */
#include "formats/formats.h"

#include "core/arena.h"
#include "core/file.h"
#include "formats/reader.h"

/* The file being read, and who is told. */
struct visit {
    const struct format_limits *limits;
    size_t memory;
    struct arena *arena; /* of the document; reset between documents */
    format_each_fn *each;
    format_failed_fn *failed;
    void *ctx;
};

static enum err one_document(struct visit *v, struct str bytes, struct str name, struct why *why)
{
    struct format_document doc;
    struct why reason = {0};
    arena_reset(v->arena);
    enum err err = format_read(bytes, name, v->limits, v->arena, &doc, &reason);
    if (!err)
        return v->each(v->ctx, &doc, bytes, why);
    v->failed(v->ctx, name, err, &reason);
    return ERR_OK;
}

enum err format_read_file(const char *path, struct str name, const struct format_limits *limits,
                          size_t memory, format_each_fn *each, format_failed_fn *failed, void *ctx,
                          struct why *why)
{
    struct visit v = {.limits = limits ? limits : &format_limits_default,
                      .memory = memory,
                      .each = each,
                      .failed = failed,
                      .ctx = ctx};
    struct arena *file = arena_new(v.limits->file_bytes + (1u << 20));
    struct str bytes;
    enum err err = ERR_NO_MEMORY;
    v.arena = arena_new(memory);
    if (!file || !v.arena) {
        err = err_set(why, ERR_NO_MEMORY, "could not hold file \"%s\"", path);
        goto done;
    }
    struct why reason = {0};
    err = file_read(path, v.limits->file_bytes, file, &bytes, &reason);
    if (err == ERR_TOO_LARGE) {
        failed(ctx, name, err, &reason);
        err = ERR_OK;
        goto done;
    }
    if (err) {
        err = err_set(why, err, "%s", reason.text);
        goto done;
    }
    err = one_document(&v, bytes, name, why);
done:
    arena_free(v.arena);
    arena_free(file);
    return err;
}
