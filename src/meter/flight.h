/*
 * meter/flight - the mapped file that holds the calls of one process, so that its death loses none.
 *
 * Place in the room: begin -> [flight] -> writer. A file has a head and slots of fixed size. A slot
 * is written in this order, which kill -9 cannot reverse (the pages outlive the process):
 *
 *     free -> (open part, its checksum) -> open -> (delivered ...) -> (end part) -> ended -> free
 *
 * The step to `free` comes after the commit of its line; the line's unique call id tells a slot
 * that was committed and not freed. All blocks are allocated when the file is made: a full disk can
 * not turn a store into a signal. After a loss of power the file may show an older state of a slot:
 * its call id then decides, too.
 *
 * The owner holds a lock on the file; free means dead. Files that are being made end in ".new".
 */
#ifndef METER_FLIGHT_H
#define METER_FLIGHT_H

#include <stdatomic.h>

#include "core/err.h"
#include "core/str.h"
#include "meter/meter.h"

#define FLIGHT_MOST_PATH  4200
#define FLIGHT_MOST_SLOTS ((size_t)1 << 20)

enum flight_state { FLIGHT_FREE, FLIGHT_OPEN, FLIGHT_ENDED };

/* A text of at most size - 1 bytes; bytes behind its end are 0. */
#define FLIGHT_TEXT(name, size)                                                                    \
    struct {                                                                                       \
        uint8_t len;                                                                               \
        char s[(size)-1];                                                                          \
    } name

/* Written once, before the slot is open. */
struct flight_open {
    uint8_t id[16]; /* UUIDv7 */
    int64_t began_ms;
    int64_t images;
    struct meter_rates rates;
    uint32_t kind, pad;
    FLIGHT_TEXT(tenant, 48);
    FLIGHT_TEXT(key, 48);
    FLIGHT_TEXT(who_kind, 16);
    FLIGHT_TEXT(application, 64);
    FLIGHT_TEXT(model, 128);
    FLIGHT_TEXT(model_id, 128);
    FLIGHT_TEXT(plan, 48);
    FLIGHT_TEXT(trace, 64);
};

/* Written once, before the slot is ended. */
struct flight_end {
    int64_t ended_ms;
    int64_t prompt, cached, completion, images, money; /* as charged */
    int64_t queue_ms, first_ms;                        /* -1: not known */
    uint32_t source, outcome;
};

struct flight_slot {
    _Atomic uint32_t state; /* enum flight_state */
    uint32_t pad;
    uint64_t sum; /* of `open` */
    struct flight_open open;
    _Atomic int64_t prompt, cached; /* as known so far */
    _Atomic int64_t delivered;      /* completion tokens; -1: not one byte */
    struct flight_end end;
};

struct flight {
    struct flight_slot *slots; /* n of them */
    size_t n;
    void *map;
    size_t map_len;
    int fd;
    char path[FLIGHT_MOST_PATH];
};

/* Makes a new file in `dir` (made when missing), locked, all slots free. ERR_NO_SPACE. */
ERR_MUST_USE enum err flight_make(const char *dir, size_t n_slots, struct flight *out,
                                  struct why *why);

/* Takes over a file whose process is dead. ERR_BUSY when it lives; ERR_CORRUPT (why says what) when
 * it is not a flight file of this program; ERR_NOT_FOUND when it is gone. The slots' contents are
 * not checked: flight_valid. */
ERR_MUST_USE enum err flight_adopt(const char *path, struct flight *out, struct why *why);

/* Whether the slot's contents can be what this program wrote: checksum, lengths, ranges. */
bool flight_valid(const struct flight_slot *slot);
uint64_t flight_sum(const struct flight_open *open);

/* Unmaps and unlocks; with `remove` the file goes first. */
void flight_close(struct flight *flight, bool remove);

/* Renames a file that cannot be read to *.bad, so that it is kept and not tried again. */
void flight_set_aside(const char *path);

#define FLIGHT_PUT(field, text) flight_put(&(field).len, (field).s, sizeof(field).s, (text))
#define FLIGHT_GET(field)       ((struct str){(field).s, (field).len})
/* The caller has zeroed the field and checked the length. */
static inline void flight_put(uint8_t *len, char *s, size_t size, struct str text)
{
    size_t n = text.len < size ? text.len : size;
    *len = (uint8_t)n;
    for (size_t i = 0; i < n; i++)
        s[i] = text.ptr[i];
}

#endif
