#include "data/spill.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

#define NAME        4096
#define BUFFERED    4096 /* entries of a part that wait in memory: 64 KiB */
#define MOST_PARTS  2048
#define SMALL       32 /* entries that are sorted by insertion */
#define MOST_GROUPS ((size_t)1 << 20)

struct part {
    struct spill_entry *waiting; /* BUFFERED of them, or NULL */
    size_t n_waiting;
    uint64_t n; /* in the file */
};

struct spill {
    char dir[NAME], name[64];
    uint64_t width, total; /* keys i * width .. are of part i */
    size_t n_parts;
    struct part parts[];
};

enum err spill_new(const char *dir, const char *name, uint64_t n_entries, uint64_t key_most,
                   size_t part_bytes, struct spill **out, struct why *why)
{
    uint64_t each = part_bytes / (2 * sizeof(struct spill_entry)) + 1;
    uint64_t n = n_entries / each + 1;
    n = n > MOST_PARTS ? MOST_PARTS : n;
    struct spill *spill = calloc(1, sizeof *spill + n * sizeof *spill->parts);
    *out = spill;
    if (!spill)
        return err_set(why, ERR_NO_MEMORY, "could not begin to sort");
    (void)snprintf(spill->dir, sizeof spill->dir, "%s", dir);
    (void)snprintf(spill->name, sizeof spill->name, "%s", name);
    spill->n_parts = n;
    spill->width = key_most / n + 1; /* n == 1 and all 64 bits: 0, see part_of() */
    return ERR_OK;
}

static void path_of(const struct spill *spill, size_t i, char out[NAME + 128])
{
    (void)snprintf(out, NAME + 128, "%s/%s-%zu", spill->dir, spill->name, i);
}

void spill_free(struct spill *spill)
{
    for (size_t i = 0; spill && i < spill->n_parts; i++) {
        char path[NAME + 128];
        path_of(spill, i, path);
        if (spill->parts[i].n)
            (void)unlink(path);
        free(spill->parts[i].waiting);
    }
    free(spill);
}

static enum err flush(struct spill *spill, size_t i, struct why *why)
{
    struct part *part = &spill->parts[i];
    char path[NAME + 128];
    if (!part->n_waiting)
        return ERR_OK;
    path_of(spill, i, path);
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (part->n ? O_APPEND : O_TRUNC);
    int fd = open(path, flags, 0640);
    if (fd < 0)
        return err_errno(why, "could not open the work file \"%s\"", path);
    struct str bytes = {(const char *)part->waiting, part->n_waiting * sizeof *part->waiting};
    enum err err = file_write_fd(fd, bytes, why);
    if (close(fd) != 0 && !err)
        err = err_errno(why, "could not write \"%s\"", path);
    part->n += part->n_waiting;
    part->n_waiting = 0;
    return err;
}

static size_t part_of(const struct spill *spill, uint64_t key)
{
    size_t i = spill->width ? (size_t)(key / spill->width) : 0;
    return i < spill->n_parts ? i : spill->n_parts - 1;
}

enum err spill_put(struct spill *spill, uint64_t key, uint64_t value, struct why *why)
{
    size_t i = part_of(spill, key);
    struct part *part = &spill->parts[i];
    if (!part->waiting)
        part->waiting = malloc(BUFFERED * sizeof *part->waiting);
    if (!part->waiting)
        return err_set(why, ERR_NO_MEMORY, "could not sort %llu entries",
                       (unsigned long long)spill->total);
    part->waiting[part->n_waiting++] = (struct spill_entry){key, value};
    spill->total++;
    return part->n_waiting == BUFFERED ? flush(spill, i, why) : ERR_OK;
}

enum err spill_end(struct spill *spill, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < spill->n_parts && !err; i++) {
        err = flush(spill, i, why);
        free(spill->parts[i].waiting);
        spill->parts[i].waiting = NULL;
    }
    return err;
}

size_t spill_n_parts(const struct spill *spill)
{
    return spill->n_parts;
}

uint64_t spill_n(const struct spill *spill)
{
    return spill->total;
}

/* ---- sorting a part ---- */

static bool before(const struct spill_entry *a, const struct spill_entry *b)
{
    return a->key < b->key || (a->key == b->key && a->value < b->value);
}

static int compare(const void *a, const void *b)
{
    return before(a, b) ? -1 : before(b, a);
}

static void sort_few(struct spill_entry *all, size_t n)
{
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = !before(&all[i], &all[i - 1]);
    if (sorted)
        return;
    if (n > SMALL) {
        qsort(all, n, sizeof *all, compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct spill_entry e = all[i];
        size_t k = i;
        for (; k > 0 && before(&e, &all[k - 1]); k--)
            all[k] = all[k - 1];
        all[k] = e;
    }
}

/* Spreads entries whose keys are even over groups of a few, then sorts each. */
static void sort_part(const struct spill_entry *from, struct spill_entry *to, size_t n,
                      uint64_t low, uint64_t width, uint32_t *ends)
{
    size_t groups = n / 8 + 1 < MOST_GROUPS ? n / 8 + 1 : MOST_GROUPS;
    uint64_t step = (width - 1) / groups; /* width 0 stands for 2^64 */
    step += step < UINT64_MAX;
    memset(ends, 0, (groups + 1) * sizeof *ends);
#define GROUP(k) (((k)-low) / step < groups ? ((k)-low) / step : groups - 1)
    for (size_t i = 0; i < n; i++)
        ends[GROUP(from[i].key) + 1]++;
    for (size_t g = 0; g < groups; g++)
        ends[g + 1] += ends[g];
    for (size_t i = 0; i < n; i++)
        to[ends[GROUP(from[i].key)]++] = from[i];
#undef GROUP
    for (size_t g = 0, at = 0; g < groups; at = ends[g++])
        sort_few(to + at, ends[g] - at);
}

static enum err read_part(const char *path, struct spill_entry *out, size_t bytes, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open the work file \"%s\"", path);
    enum err err = ERR_OK;
    for (size_t at = 0; at < bytes && !err;) {
        ssize_t n = read(fd, (char *)out + at, bytes - at);
        if (n <= 0)
            err = n < 0 ? err_errno(why, "could not read \"%s\"", path)
                        : err_set(why, ERR_CORRUPT, "the work file \"%s\" is cut off", path);
        else
            at += (size_t)n;
    }
    (void)close(fd);
    (void)unlink(path);
    return err;
}

enum err spill_part(struct spill *spill, size_t i, struct spill_entry **out, size_t *n,
                    struct why *why)
{
    struct part *part = &spill->parts[i];
    char path[NAME + 128];
    size_t count = (size_t)part->n;
    *out = NULL;
    *n = 0;
    if (!count)
        return ERR_OK;
    if (count > UINT32_MAX)
        return err_set(why, ERR_TOO_LARGE, "%zu entries have nearly the same key", count);
    path_of(spill, i, path);
    struct spill_entry *from = malloc(count * sizeof *from), *to = malloc(count * sizeof *to);
    uint32_t *ends = malloc((MOST_GROUPS + 1) * sizeof *ends);
    enum err err = from && to && ends
                       ? read_part(path, from, count * sizeof *from, why)
                       : err_set(why, ERR_NO_MEMORY, "could not sort %zu entries", count);
    if (!err)
        sort_part(from, to, count, i * spill->width, spill->width, ends);
    free(from);
    free(ends);
    if (err) {
        free(to);
        return err;
    }
    part->n = 0;
    *out = to;
    *n = count;
    return ERR_OK;
}
