#include "data/whole.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/scan.h"

#define NAME  4096
#define SINK  ((size_t)1 << 20)
#define FAULT ((size_t)64 << 10) /* the kernel maps so much around a page that is asked for */

/* The lines of a shard, for data_whole_text(). */
struct lines {
    struct file_map map;
    uint32_t *starts; /* of each line; NULL: not looked at yet */
};

struct data_whole_in {
    const struct whole_form *form;
    struct file_map *notes;  /* n_shards */
    struct lines *lines;     /* n_shards */
    pthread_mutex_t lock;    /* of `lines` while they are opened */
    _Atomic uint64_t looked; /* bytes of maps that may have become resident */
    _Atomic uintptr_t last;  /* where the last look was */
    size_t shard;            /* that verdicts go to now */
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

static void give_back(const struct file_map *map)
{
    if (map->len)
        (void)madvise((void *)map->ptr, map->len, MADV_DONTNEED);
}

/* Pages of maps count as resident until they are given back; they stay in the system's cache. A
 * look near the last one costs no page. */
static void look_at(const struct data_whole *whole, const void *ptr, size_t bytes)
{
    struct data_whole_in *in = whole->in;
    uintptr_t at = (uintptr_t)ptr;
    uintptr_t last = atomic_exchange_explicit(&in->last, at, memory_order_relaxed);
    if ((at > last ? at - last : last - at) < FAULT && bytes < FAULT)
        return;
    uint64_t limit = whole->memory / 2 + 1, more = bytes + FAULT;
    uint64_t before = atomic_fetch_add_explicit(&in->looked, more, memory_order_relaxed);
    if (before / limit == (before + more) / limit)
        return;
    for (size_t i = 0; i < whole->n_shards; i++)
        give_back(&in->notes[i]);
    (void)pthread_mutex_lock(&in->lock);
    for (size_t i = 0; i < whole->n_shards; i++)
        give_back(&in->lines[i].map);
    (void)pthread_mutex_unlock(&in->lock);
}

struct str data_note(const struct data_whole *whole, uint64_t i)
{
    size_t s = shard_of(whole, i), n = whole->note_bytes;
    const char *note = (const char *)whole->in->notes[s].ptr + (i - whole->bounds[s]) * n;
    look_at(whole, note, n);
    return (struct str){note, n};
}

/* ---- lines ---- */

/* Where the lines of a shard begin; called under the lock. */
static enum err open_lines(const struct data_whole *whole, size_t shard, struct why *why)
{
    const struct whole_form *form = whole->in->form;
    struct lines *l = &whole->in->lines[shard];
    uint64_t n = whole->bounds[shard + 1] - whole->bounds[shard], k = 0;
    char name[NAME];
    (void)snprintf(name, sizeof name, "%s/s%zu-%zu.out", form->dir, form->stage, shard);
    enum err err = file_map(name, &l->map, why);
    uint32_t *starts = err ? NULL : malloc((n + 1) * sizeof *starts);
    if (!err && !starts)
        return err_set(why, ERR_NO_MEMORY, "could not hold where the records are");
    for (size_t at = 0; !err && at < l->map.len;) {
        const uint8_t *end = memchr(l->map.ptr + at, '\n', l->map.len - at);
        if (!end || k == n || at > UINT32_MAX)
            break;
        starts[k++] = (uint32_t)at;
        at = (size_t)(end - l->map.ptr) + 1;
    }
    if (!err && k != n)
        err = err_set(why, ERR_CORRUPT, "the lines of shard %zu do not fit its notes", shard);
    if (err) {
        free(starts);
        return err;
    }
    give_back(&l->map);
    starts[n] = (uint32_t)l->map.len;
    l->starts = starts;
    return ERR_OK;
}

static enum err line_of(const struct data_whole *whole, uint64_t i, struct str *out,
                        struct why *why)
{
    size_t s = shard_of(whole, i);
    uint64_t k = i - whole->bounds[s];
    struct lines *l = &whole->in->lines[s];
    (void)pthread_mutex_lock(&whole->in->lock);
    enum err err = l->starts ? ERR_OK : open_lines(whole, s, why);
    (void)pthread_mutex_unlock(&whole->in->lock);
    if (err)
        return err;
    assert(l->starts);
    *out =
        (struct str){(const char *)l->map.ptr + l->starts[k], l->starts[k + 1] - l->starts[k] - 1};
    look_at(whole, out->ptr, out->len);
    return ERR_OK;
}

/* Our own lines begin with the id: then nothing else need be read. */
static struct str first_id(struct str line, struct arena *arena)
{
    struct str head = STR("{\"id\":\"");
    size_t end = str_starts(line, head) ? scan_skip(line, head.len - 1) : 0;
    return end ? scan_decode(str_slice(line, head.len - 1, end), arena) : STR_NONE;
}

enum err data_whole_text(const struct data_whole *whole, uint64_t i, struct arena *arena,
                         struct str *id, struct str *text, struct why *why)
{
    const struct pipeline_step *step = whole->in->form->step;
    struct data_call call = {.args = step->args,
                             .made = step->made,
                             .arena = arena,
                             .seed = whole->seed,
                             .kind = step->takes,
                             .paths = step->paths,
                             .n_paths = step->n_paths};
    struct record record;
    struct str line, none;
    enum err err = line_of(whole, i, &line, why);
    if (err)
        return err;
    if (!text) {
        *id = first_id(line, arena);
        if (id->ptr)
            return ERR_OK;
    }
    err = record_read(line, arena, &record, why);
    if (err)
        return err;
    *(id ? id : &none) = record.id;
    if (text)
        *text = data_all_texts(&call, &record);
    return !text || text->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read a record");
}

bool data_note_next(const struct data_whole *whole, struct data_note_at *at, struct str *note)
{
    while (at->shard < whole->n_shards && at->offset == whole->in->notes[at->shard].len) {
        give_back(&whole->in->notes[at->shard]);
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

void data_whole_went(const struct data_whole *whole, uint64_t done, uint64_t total)
{
    const struct whole_form *form = whole->in->form;
    if (form->went)
        form->went(form->ctx, done, total);
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
    size_t size = form->step->note_bytes;
    enum err err = ERR_OK;
    for (size_t i = 0; i < form->n_shards && !err; i++) {
        char name[NAME];
        uint64_t n = form->bounds[i + 1] - form->bounds[i];
        (void)snprintf(name, sizeof name, "%s/s%zu-%zu.note", form->dir, form->stage, i);
        err = file_map(name, &notes[i], why);
        if (!err && (size ? notes[i].len != n * size : !adds_up(&notes[i], n)))
            err = err_set(why, ERR_CORRUPT, "the notes of shard %zu do not fit their number", i);
        give_back(&notes[i]);
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
                               .note_bytes = form->step->note_bytes,
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
                               .lines = calloc(form->n_shards + 1, sizeof *in.lines),
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .ptr = malloc(SINK),
                               .fd = -1};
    (void)snprintf(dir, sizeof dir, "%s/whole%zu", form->dir, form->stage);
    enum err err =
        in.notes && in.lines && in.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not decide");
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
    for (size_t i = 0; in.lines && i < form->n_shards; i++) {
        file_unmap(&in.lines[i].map);
        free(in.lines[i].starts);
    }
    (void)pthread_mutex_destroy(&in.lock);
    free(in.lines);
    free(in.notes);
    free(in.ptr);
    return err ? err : file_remove(dir, why);
}
