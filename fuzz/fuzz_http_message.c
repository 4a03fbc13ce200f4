/* Any bytes as what an upstream answers, and as a request: the same head and the same body however
 * the bytes are cut, nothing outside of them, and no body that two lengths describe. */
#include "http/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(cond) ((cond) ? (void)0 : broken(#cond))

static void broken(const char *promise)
{
    (void)fprintf(stderr, "broken: %s\n", promise);
    abort();
}

static bool inside(struct str part, struct str all)
{
    return part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len);
}

/* The chunked body of these bytes, given `step` at a time (0: all at once). */
static enum chunk read_chunks(struct str in, size_t step, char *out, size_t *len, size_t *used)
{
    struct chunks chunks = {0};
    struct str data;
    *len = *used = 0;
    while (*used < in.len) {
        struct str piece = str_slice(in, *used, step ? *used + step : in.len), rest = piece;
        enum chunk kind;
        do {
            kind = chunks_take(&chunks, &rest, &data);
            if (kind == CHUNK_DATA) {
                must(inside(data, piece) && data.len > 0);
                memcpy(out + *len, data.ptr, data.len);
                *len += data.len;
            }
        } while (kind == CHUNK_DATA);
        *used += piece.len - rest.len;
        if (kind != CHUNK_MORE)
            return kind;
        must(rest.len == 0);
    }
    return CHUNK_MORE;
}

static void check_chunks(struct str in, size_t step)
{
    static char a[1 << 16], b[1 << 16];
    size_t na, nb, ua, ub;
    enum chunk one = read_chunks(in, 0, a, &na, &ua), two = read_chunks(in, step, b, &nb, &ub);
    must(one == two && na == nb && memcmp(a, b, na) == 0 && na <= in.len);
    must(one == CHUNK_BAD || ua == ub);
}

static size_t head_by_steps(struct str in, size_t step)
{
    size_t seen = 0, end = 0;
    for (size_t have = step; !end && have < in.len + step; have += step) {
        end = message_head_end(str_slice(in, 0, have), &seen);
        must(seen <= in.len);
    }
    return end;
}

static void check_head(struct str head, struct arena *arena, bool head_only)
{
    struct message_head parsed;
    struct message_body body;
    struct str method, target, version;
    struct why why = {0};
    int status = 0;
    unsigned lengths = 0, encodings = 0;
    if (message_head_parse(head, arena, &parsed, &why) != ERR_OK) {
        must(why.text[0] != '\0');
        return;
    }
    must(inside(parsed.first, head));
    for (size_t i = 0; i < parsed.n; i++) {
        struct http_pair h = parsed.headers[i];
        must(inside(h.name, head) && inside(h.value, head) && message_token(h.name));
        must(!memchr(h.value.ptr, '\r', h.value.len) && !memchr(h.value.ptr, '\0', h.value.len));
        lengths += message_same_name(h.name, "Content-Length");
        encodings += message_same_name(h.name, "Transfer-Encoding");
    }
    if (message_answer(&parsed, head_only, &status, &body, &why) == ERR_OK) {
        must(status >= 100 && status <= 999 && lengths + encodings <= 1);
        must(body.kind != BODY_TO_END || !body.keep);
        must(body.length < UINT64_C(1000000000000000000));
    }
    if (message_request_line(parsed.first, &method, &target, &version, &why) == ERR_OK)
        must(method.len && target.len &&
             method.len + target.len + version.len + 2 == parsed.first.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 60000)
        return 0;
    struct str in = {(const char *)data + 2, size - 2};
    size_t step = (size_t)data[0] % 32 + 1, seen = 0;
    size_t end = message_head_end(in, &seen);
    must(end <= in.len && head_by_steps(in, step) == end);
    struct arena *arena = arena_new((size_t)4 << 20);
    if (end)
        check_head(str_slice(in, 0, end), arena, data[1] & 1);
    check_chunks(str_from(in, end), step);
    arena_free(arena);
    return 0;
}
