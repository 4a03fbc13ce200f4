/* fuzz/packed - a zip archive of stored parts, so that a target can fuzz what is inside one. */
#ifndef FUZZ_PACKED_H
#define FUZZ_PACKED_H

#include <string.h>

#include "core/arena.h"
#include "core/str.h"

struct packed_part {
    const char *name;
    struct str bytes;
};

static uint32_t packed_crc(struct str s)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= (unsigned char)s.ptr[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static void packed_put(struct buf *buf, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8)
        buf_char(buf, (char)value);
}

/* What the local header and the directory have in common: from the version to the sizes. */
static void packed_common(struct buf *buf, const struct packed_part *part)
{
    packed_put(buf, 20, 2);
    packed_put(buf, 0, 8); /* flags, method, time, date */
    packed_put(buf, packed_crc(part->bytes), 4);
    packed_put(buf, part->bytes.len, 4);
    packed_put(buf, part->bytes.len, 4);
    packed_put(buf, strlen(part->name), 2);
}

static struct str packed_of(struct arena *arena, const struct packed_part *parts, size_t n)
{
    struct buf buf, directory;
    buf_init(&buf, arena);
    buf_init(&directory, arena);
    for (size_t i = 0; i < n; i++) {
        packed_put(&directory, 0x02014b50, 4);
        packed_put(&directory, 20, 2);
        packed_common(&directory, &parts[i]);
        packed_put(&directory, 0, 12); /* extra, comment, disk, attributes */
        packed_put(&directory, buf.len, 4);
        buf_add_c(&directory, parts[i].name);
        packed_put(&buf, 0x04034b50, 4);
        packed_common(&buf, &parts[i]);
        packed_put(&buf, 0, 2);
        buf_add_c(&buf, parts[i].name);
        buf_add(&buf, parts[i].bytes);
    }
    size_t at = buf.len;
    buf_add(&buf, buf_str(&directory));
    packed_put(&buf, 0x06054b50, 4);
    packed_put(&buf, 0, 4);
    packed_put(&buf, n, 2);
    packed_put(&buf, n, 2);
    packed_put(&buf, directory.len, 4);
    packed_put(&buf, at, 4);
    packed_put(&buf, 0, 2);
    return buf_str(&buf);
}

#endif
