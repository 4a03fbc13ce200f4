#include "meter/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"
#include "core/utf8.h"

#define HEAD_BYTES    4096
#define VERSION       1
#define SEED          0x796963686e67u

#define YEAR_10000_MS 253402300800000LL

static const char magic[16] = "yicheng flight\n";

struct head {
    char magic[16];
    uint32_t version, slot_bytes;
    uint64_t n_slots;
    int64_t pid, started_ms;
};

uint64_t flight_sum(const struct flight_open *open)
{
    return hash64(open, sizeof *open, SEED);
}

/* What the store takes: UTF-8 without '\0'. */
#define TEXT_FITS(field)                                                                           \
    ((field).len <= sizeof(field).s && utf8_invalid(FLIGHT_GET(field)) == STR_NPOS &&              \
     !memchr((field).s, 0, (field).len))

static bool texts_fit(const struct flight_open *o)
{
    return TEXT_FITS(o->tenant) && TEXT_FITS(o->key) && TEXT_FITS(o->who_kind) &&
           TEXT_FITS(o->application) && TEXT_FITS(o->model) && TEXT_FITS(o->model_id) &&
           TEXT_FITS(o->plan) && TEXT_FITS(o->trace);
}

static bool time_fits(int64_t ms)
{
    return ms >= 0 && ms < YEAR_10000_MS;
}

static bool in_range(int64_t n, int64_t least)
{
    return n >= least && n <= METER_MOST_TOKENS;
}

static bool rates_fit(const struct meter_rates *r)
{
    const int64_t all[] = {r->prompt,  r->cached, r->completion,
                           r->request, r->image,  r->cached_answer};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] < 0 || all[i] > METER_MOST_RATE)
            return false;
    return true;
}

static bool end_fits(const struct flight_end *e)
{
    return in_range(e->prompt, 0) && in_range(e->cached, 0) && in_range(e->completion, 0) &&
           in_range(e->images, 0) && e->cached <= e->prompt && e->money >= 0 &&
           time_fits(e->ended_ms) && e->queue_ms >= -1 && e->first_ms >= -1 &&
           e->source < METER_N_SOURCES && e->outcome < METER_N_OUTCOMES;
}

bool flight_valid(const struct flight_slot *slot)
{
    uint32_t state = atomic_load(&slot->state);
    int64_t prompt = atomic_load(&slot->prompt), cached = atomic_load(&slot->cached);
    if (state != FLIGHT_OPEN && state != FLIGHT_ENDED)
        return false;
    if (slot->sum != flight_sum(&slot->open) || !texts_fit(&slot->open) ||
        slot->open.kind >= METER_N_KINDS || !rates_fit(&slot->open.rates) ||
        !time_fits(slot->open.began_ms) || slot->open.images < 0 ||
        slot->open.images > METER_MOST_IMAGES)
        return false;
    if (!in_range(prompt, 0) || !in_range(cached, 0) || cached > prompt ||
        !in_range(atomic_load(&slot->delivered), -1))
        return false;
    return state == FLIGHT_OPEN || end_fits(&slot->end);
}

/* ---- files ---- */

static enum err map_file(struct flight *f, size_t len, struct why *why)
{
    f->map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    if (f->map == MAP_FAILED) {
        f->map = NULL;
        return err_errno(why, "could not map \"%s\"", f->path);
    }
    f->map_len = len;
    f->slots = (struct flight_slot *)((char *)f->map + HEAD_BYTES);
    return ERR_OK;
}

/* Every block is there afterwards, so that no store can meet a full disk. */
static enum err allocate(struct flight *f, size_t len, struct why *why)
{
    int code = posix_fallocate(f->fd, 0, (off_t)len);
    if (code == 0)
        return ERR_OK;
    errno = code == EFBIG ? ENOSPC : code;
    enum err err = err_errno(why, "could not make the file of calls in flight \"%s\" (%zu bytes)",
                             f->path, len);
    err_hint(why, "free some space, or set meter.slots lower");
    return err;
}

enum err flight_make(const char *dir, size_t n_slots, struct flight *out, struct why *why)
{
    struct flight f = {.fd = -1, .n = n_slots};
    char fresh[FLIGHT_MOST_PATH + 8];
    size_t len = HEAD_BYTES + n_slots * sizeof(struct flight_slot);
    int64_t now = time_now_ms();
    enum err err = file_make_dirs(dir, why);
    if (err)
        return err;
    if (snprintf(f.path, sizeof f.path, "%s/%lld-%llx.flight", dir, (long long)getpid(),
                 (unsigned long long)time_mono_ns()) >= (int)sizeof f.path)
        return err_set(why, ERR_INVALID, "the data directory's path is too long");
    (void)snprintf(fresh, sizeof fresh, "%s.new", f.path);
    f.fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (f.fd < 0)
        return err_errno(why, "could not make \"%s\"", fresh);
    if (flock(f.fd, LOCK_EX | LOCK_NB) != 0)
        err = err_errno(why, "could not lock \"%s\"", fresh);
    if (!err)
        err = allocate(&f, len, why);
    if (!err)
        err = map_file(&f, len, why);
    if (!err) {
        struct head *head = f.map;
        *head = (struct head){.version = VERSION,
                              .slot_bytes = sizeof(struct flight_slot),
                              .n_slots = n_slots,
                              .pid = getpid(),
                              .started_ms = now};
        memcpy(head->magic, magic, sizeof magic);
        if (rename(fresh, f.path) != 0)
            err = err_errno(why, "could not name \"%s\"", f.path);
    }
    if (err) {
        (void)unlink(fresh);
        flight_close(&f, false);
        return err;
    }
    *out = f;
    return ERR_OK;
}

static enum err check_head(struct flight *f, size_t bytes, struct why *why)
{
    struct head head;
    if (bytes < HEAD_BYTES || pread(f->fd, &head, sizeof head, 0) != (ssize_t)sizeof head ||
        memcmp(head.magic, magic, sizeof magic) != 0)
        return err_set(why, ERR_CORRUPT, "\"%s\" is not a file of calls in flight", f->path);
    if (head.version != VERSION || head.slot_bytes != sizeof(struct flight_slot))
        return err_set(why, ERR_CORRUPT,
                       "\"%s\" was written by another version of the program (%u)", f->path,
                       head.version);
    if (head.n_slots > FLIGHT_MOST_SLOTS ||
        bytes < HEAD_BYTES + head.n_slots * sizeof(struct flight_slot))
        return err_set(why, ERR_CORRUPT, "\"%s\" is shorter than its head says", f->path);
    f->n = head.n_slots;
    return ERR_OK;
}

enum err flight_adopt(const char *path, struct flight *out, struct why *why)
{
    struct flight f = {.fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    struct stat st;
    if (f.fd < 0)
        return err_errno(why, "could not open \"%s\"", path);
    (void)snprintf(f.path, sizeof f.path, "%s", path);
    enum err err = ERR_OK;
    if (flock(f.fd, LOCK_EX | LOCK_NB) != 0)
        err = errno == EWOULDBLOCK
                  ? err_set(why, ERR_BUSY, "\"%s\" belongs to a live process", path)
                  : err_errno(why, "could not lock \"%s\"", path);
    else if (fstat(f.fd, &st) != 0)
        err = err_errno(why, "could not look at \"%s\"", path);
    else if (st.st_nlink == 0)
        err = err_set(why, ERR_NOT_FOUND, "\"%s\" is gone", path);
    if (!err)
        err = check_head(&f, (size_t)st.st_size, why);
    if (!err)
        err = map_file(&f, HEAD_BYTES + f.n * sizeof(struct flight_slot), why);
    if (err) {
        flight_close(&f, false);
        return err;
    }
    *out = f;
    return ERR_OK;
}

void flight_close(struct flight *f, bool remove)
{
    if (remove && f->path[0])
        (void)unlink(f->path);
    if (f->map)
        (void)munmap(f->map, f->map_len);
    if (f->fd >= 0)
        (void)close(f->fd);
    *f = (struct flight){.fd = -1};
}

void flight_set_aside(const char *path)
{
    char bad[FLIGHT_MOST_PATH + 8];
    (void)snprintf(bad, sizeof bad, "%s.bad", path);
    if (rename(path, bad) != 0)
        LOG_ERROR("could not set a flight file aside", LOG_S("path", path), LOG_I("errno", errno));
}
