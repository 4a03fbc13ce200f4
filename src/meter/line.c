/*
 * A line's canonical bytes: "yicheng line 1\n", then each field as its length in decimal, ':', its
 * bytes, '\n', in the order of canonical() below; numbers in decimal, the call's id as 32
 * lower-case hex digits. A batch's SHA-256 is that of its lines' SHA-256 (32 bytes each), in the
 * order of ids.
 */
#include <string.h>

#include "meter/meter_in.h"

#define LINE_MOST 2048 /* texts are at most 540 bytes, 15 numbers at most 24 with their length */

struct bytes {
    char *at;
};

static void put(struct bytes *b, const char *ptr, size_t len)
{
    memcpy(b->at, ptr, len);
    b->at += len;
}

/* The length in decimal, most often one digit. */
static void put_str(struct bytes *b, struct str s)
{
    char room[STR_I64];
    if (s.len < 10) {
        *b->at++ = (char)('0' + s.len);
    } else {
        struct str digits = str_of_i64((int64_t)s.len, room);
        put(b, digits.ptr, digits.len);
    }
    *b->at++ = ':';
    if (s.len)
        put(b, s.ptr, s.len);
    *b->at++ = '\n';
}

static void put_int(struct bytes *b, int64_t n)
{
    char room[STR_I64];
    put_str(b, str_of_i64(n, room));
}

static size_t canonical(const struct meter_line *l, char out[LINE_MOST])
{
    static const char head[] = "yicheng line 1\n";
    char hex[33];
    struct bytes b = {out};
    put(&b, head, sizeof head - 1);
    put_int(&b, l->id);
    put_str(&b, str_c(hex_put(l->call, 16, hex)));
    put_str(&b, l->tenant);
    put_str(&b, l->key);
    put_str(&b, l->who_kind);
    put_str(&b, l->application);
    put_str(&b, l->model);
    put_str(&b, l->model_id);
    put_str(&b, l->plan);
    put_str(&b, l->trace);
    put_str(&b, str_c(meter_kind_name(l->kind)));
    put_str(&b, str_c(meter_source_name(l->source)));
    put_str(&b, str_c(meter_outcome_name(l->outcome)));
    const int64_t numbers[] = {l->began_ms,  l->ended_ms, l->hour,     l->day,
                               l->delivered, l->prompt,   l->cached,   l->completion,
                               l->images,    l->money,    l->queue_ms, l->first_ms};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        put_int(&b, numbers[i]);
    return (size_t)(b.at - out);
}

struct str line_text(const struct meter_line *line, struct arena *arena)
{
    char bytes[LINE_MOST] = "";
    return str_copy(arena, (struct str){bytes, canonical(line, bytes)});
}

const char *call_text(const uint8_t *id, char out[UUID_TEXT])
{
    return uuid_text(id, out);
}

struct meter_line line_from(const struct store_rows *r, size_t row)
{
    return (struct meter_line){
        .id = store_int(r, row, 0),
        .call = (const uint8_t *)store_str(r, row, 1).ptr,
        .began_ms = store_int(r, row, 2),
        .ended_ms = store_int(r, row, 3),
        .hour = store_int(r, row, 4),
        .day = (int32_t)store_int(r, row, 5),
        .source = (enum meter_source)store_int(r, row, 6),
        .outcome = (enum meter_outcome)store_int(r, row, 7),
        .delivered = store_int(r, row, 8),
        .prompt = store_int(r, row, 9),
        .cached = store_int(r, row, 10),
        .completion = store_int(r, row, 11),
        .images = store_int(r, row, 12),
        .money = store_int(r, row, 13),
        .queue_ms = store_int(r, row, 14),
        .first_ms = store_int(r, row, 15),
        .trace = store_str(r, row, 16),
        .tenant = store_str(r, row, 18),
        .key = store_str(r, row, 19),
        .who_kind = store_str(r, row, 20),
        .application = store_str(r, row, 21),
        .model = store_str(r, row, 22),
        .model_id = store_str(r, row, 23),
        .plan = store_str(r, row, 24),
        .kind = (enum meter_kind)store_int(r, row, 25),
    };
}

void line_digest(struct meter_line *line, uint8_t out[HASH_BYTES])
{
    char bytes[LINE_MOST];
    uint64_t mark = 0;
    hash_of(HASH_SHA256, (struct str){bytes, canonical(line, bytes)}, out);
    for (int i = 0; i < 8; i++)
        mark = mark << 8 | out[i];
    line->mark = (int64_t)mark;
}

int64_t line_price(const struct meter_line *line, const struct meter_rates *rates)
{
    if (line->outcome != METER_OK && line->delivered < 0)
        return 0;
    return meter_price(rates, line->kind, line->prompt, line->cached, line->completion,
                       line->images);
}
