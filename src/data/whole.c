#include "data/whole.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

#define NAME 4096
#define SINK ((size_t)1 << 20)

struct data_whole_in {
    const struct whole_form *form;
    struct file_map *notes; /* n_shards */
    size_t shard;           /* that verdicts go to now */
    uint64_t n_verdicts;
    int fd;
    char *ptr;
    size_t len;
};

static size_t shard_of(const struct data_whole *whole, uint64_t i)
{
    size_t low = 0, high = whole->n_shards;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (whole->bounds[mid] <= i)
            low = mid;
        else
            high = mid;
    }
    return low;
}

struct str data_note(const struct data_whole *whole, uint64_t i)
{
    size_t s = shard_of(whole, i), n = whole->note_bytes;
    return (struct str){(const char *)whole->in->notes[s].ptr + (i - whole->bounds[s]) * n, n};
}

bool data_note_next(const struct data_whole *whole, struct data_note_at *at, struct str *note)
{
    while (at->shard < whole->n_shards && at->offset == whole->in->notes[at->shard].len) {
        at->shard++;
        at->offset = 0;
    }
    if (at->shard == whole->n_shards)
        return false;
    const struct file_map *map = &whole->in->notes[at->shard];
    uint32_t len = (uint32_t)whole->note_bytes;
    if (!len) {
        memcpy(&len, map->ptr + at->offset, sizeof len);
        at->offset += sizeof len;
    }
    *note = (struct str){(const char *)map->ptr + at->offset, len};
    at->offset += len;
    return true;
}

bool data_whole_cancelled(const struct data_whole *whole)
{
    const struct whole_form *form = whole->in->form;
    return form->cancelled && form->cancelled(form->ctx);
}

/* ---- verdicts ---- */

static enum err flush(struct data_whole_in *in, struct why *why)
{
    enum err err = in->len ? file_write_fd(in->fd, (struct str){in->ptr, in->len}, why) : ERR_OK;
    in->len = 0;
    return err;
}

static enum err open_shard(struct data_whole_in *in, struct why *why)
{
    char name[NAME];
    (void)snprintf(name, sizeof name, "%s/v%zu-%zu", in->form->dir, in->form->stage, in->shard);
    in->fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    return in->fd < 0 ? err_errno(why, "could not make the work file \"%s\"", name) : ERR_OK;
}

static enum err close_shard(struct data_whole_in *in, struct why *why)
{
    enum err err = flush(in, why);
    if (close(in->fd) != 0 && !err)
        err = err_errno(why, "could not write the verdicts");
    in->fd = -1;
    in->shard++;
    return err;
}

/* Up to the shard that the next verdict belongs to; empty shards get empty files. */
static enum err advance(struct data_whole_in *in, struct why *why)
{
    enum err err = ERR_OK;
    while (!err && in->shard < in->form->n_shards) {
        if (in->fd < 0)
            err = open_shard(in, why);
        if (err || in->n_verdicts < in->form->bounds[in->shard + 1])
            return err;
        err = close_shard(in, why);
    }
    return err;
}

enum err data_verdict(const struct data_whole *whole, struct str verdict, struct why *why)
{
    struct data_whole_in *in = whole->in;
    uint32_t len = (uint32_t)verdict.len;
    if (in->n_verdicts >= whole->n)
        return err_set(why, ERR_INTERNAL, "there are more verdicts than records");
    enum err err = advance(in, why);
    if (!err && in->len + sizeof len + verdict.len > SINK)
        err = flush(in, why);
    if (err)
        return err;
    in->n_verdicts++;
    memcpy(in->ptr + in->len, &len, sizeof len);
    in->len += sizeof len;
    if (verdict.len > SINK - sizeof len) {
        err = flush(in, why);
        return err ? err : file_write_fd(in->fd, verdict, why);
    }
    if (verdict.len)
        memcpy(in->ptr + in->len, verdict.ptr, verdict.len);
    in->len += verdict.len;
    return ERR_OK;
}

/* ---- the call ---- */

/* Notes of any length: their lengths must add up. */
static bool adds_up(const struct file_map *map, uint64_t n)
{
    size_t at = 0;
    for (; n > 0; n--) {
        uint32_t len;
        if (map->len - at < sizeof len)
            return false;
        memcpy(&len, map->ptr + at, sizeof len);
        at += sizeof len;
        if (map->len - at < len)
            return false;
        at += len;
    }
    return at == map->len;
}

static enum err map_notes(const struct whole_form *form, struct file_map *notes, struct why *why)
{
    size_t size = form->step->op->note_bytes;
    enum err err = ERR_OK;
    for (size_t i = 0; i < form->n_shards && !err; i++) {
        char name[NAME];
        uint64_t n = form->bounds[i + 1] - form->bounds[i];
        (void)snprintf(name, sizeof name, "%s/s%zu-%zu.note", form->dir, form->stage, i);
        err = file_map(name, &notes[i], why);
        if (!err && (size ? notes[i].len != n * size : !adds_up(&notes[i], n)))
            err = err_set(why, ERR_CORRUPT, "the notes of shard %zu do not fit their number", i);
    }
    return err;
}

static enum err decide(struct data_whole_in *in, const char *dir, struct why *why)
{
    const struct whole_form *form = in->form;
    struct str names[PIPELINE_MOST_INPUTS];
    for (size_t i = 0; i < form->pipeline->n_inputs; i++)
        names[i] = form->pipeline->inputs[i].dataset;
    struct data_whole whole = {.n = form->bounds[form->n_shards],
                               .bounds = form->bounds,
                               .n_shards = form->n_shards,
                               .note_bytes = form->step->op->note_bytes,
                               .dir = dir,
                               .memory = form->memory,
                               .threads = form->threads,
                               .seed = form->pipeline->seed,
                               .inputs = names,
                               .n_inputs = form->pipeline->n_inputs,
                               .in = in};
    enum err err = form->step->op->decide(&whole, form->step->args, form->step->made, why);
    if (!err && in->n_verdicts != whole.n)
        err = err_set(why, ERR_INTERNAL, "%llu verdicts for %llu records",
                      (unsigned long long)in->n_verdicts, (unsigned long long)whole.n);
    return err ? err : advance(in, why);
}

enum err whole_decide(const struct whole_form *form, struct why *why)
{
    char dir[NAME];
    struct data_whole_in in = {.form = form,
                               .notes = calloc(form->n_shards + 1, sizeof *in.notes),
                               .ptr = malloc(SINK),
                               .fd = -1};
    (void)snprintf(dir, sizeof dir, "%s/whole%zu", form->dir, form->stage);
    enum err err = in.notes && in.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not decide");
    if (!err)
        err = file_remove(dir, why);
    if (!err)
        err = file_make_dirs(dir, why);
    if (!err)
        err = map_notes(form, in.notes, why);
    if (!err)
        err = decide(&in, dir, why);
    if (in.fd >= 0)
        (void)close(in.fd);
    for (size_t i = 0; in.notes && i < form->n_shards; i++)
        file_unmap(&in.notes[i]);
    free(in.notes);
    free(in.ptr);
    return err ? err : file_remove(dir, why);
}
