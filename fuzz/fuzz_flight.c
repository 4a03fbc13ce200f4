/* Any bytes as a file of calls in flight, and as one slot with the checksum made right: refused, or
 * settled to a line that the store takes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/utf8.h"
#include "meter/meter_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void settle(const struct flight_slot *slot)
{
    static const struct meter_usage cut = {-1, -1, -1, METER_ESTIMATED, METER_INTERRUPTED, -1, -1};
    struct flight_end end;
    struct str texts[] = {FLIGHT_GET(slot->open.tenant), FLIGHT_GET(slot->open.model),
                          FLIGHT_GET(slot->open.application), FLIGHT_GET(slot->open.trace)};
    call_settle(slot, &cut, &end);
    if (end.money < 0 || end.prompt < 0 || end.cached > end.prompt || end.completion < 0)
        abort();
    if (atomic_load(&slot->delivered) < 0 && end.money != 0)
        abort();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (utf8_invalid(texts[i]) != STR_NPOS)
            abort();
    struct meter_line line = {.call = slot->open.id,
                              .tenant = FLIGHT_GET(slot->open.tenant),
                              .key = FLIGHT_GET(slot->open.key),
                              .who_kind = FLIGHT_GET(slot->open.who_kind),
                              .application = FLIGHT_GET(slot->open.application),
                              .model = FLIGHT_GET(slot->open.model),
                              .model_id = FLIGHT_GET(slot->open.model_id),
                              .plan = FLIGHT_GET(slot->open.plan),
                              .trace = FLIGHT_GET(slot->open.trace),
                              .began_ms = INT64_MIN,
                              .ended_ms = INT64_MIN,
                              .money = end.money};
    uint8_t digest[HASH_BYTES];
    line_digest(&line, digest);
}

static void as_slot(const uint8_t *data, size_t size)
{
    struct flight_slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        return;
    memcpy(slot, data, size < sizeof *slot ? size : sizeof *slot);
    slot->sum = flight_sum(&slot->open);
    if (flight_valid(slot))
        settle(slot);
    free(slot);
}

static void as_file(const uint8_t *data, size_t size)
{
    char path[64];
    struct flight f;
    struct why why = {0};
    (void)snprintf(path, sizeof path, "/dev/shm/yicheng-fuzz-%d.flight", (int)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    bool written = write(fd, data, size) == (ssize_t)size;
    (void)close(fd);
    if (written && flight_adopt(path, &f, &why) == ERR_OK) {
        for (size_t i = 0; i < f.n; i++)
            if (flight_valid(&f.slots[i]))
                settle(&f.slots[i]);
        flight_close(&f, true);
    } else if (!why.text[0]) {
        abort();
    }
    (void)unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] & 1)
        as_slot(data + 1, size - 1);
    else if (size > 0)
        as_file(data + 1, size - 1);
    return 0;
}
