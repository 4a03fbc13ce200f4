/* gguf: any bytes are a model file whose every key, item and tensor can be read, or are refused
 * with words; nothing that is handed out lies outside of the bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "engine/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *begin, *end;
static volatile uint64_t sum;

static void within(const void *ptr, uint64_t len)
{
    const uint8_t *p = ptr;
    if (p < begin || p > end || len > (uint64_t)(end - p))
        abort();
    if (len)
        sum += p[0] + p[len - 1];
}

static void look_at_keys(const struct gguf *gguf)
{
    for (size_t i = 0; i < gguf_n_keys(gguf); i++) {
        struct str name, s;
        const struct gguf_value *value = gguf_key_at(gguf, i, &name);
        size_t at = 0, n = 0;
        int64_t whole;
        double real;
        within(name.ptr, name.len);
        within(value->bytes, value->len);
        if (name.len == 0 || utf8_invalid(name) != STR_NPOS)
            abort();
        while (gguf_next_str(value, &at, &s)) {
            within(s.ptr, s.len);
            n++;
        }
        if (value->of == GGUF_KIND_STR && n != value->n)
            abort();
        if (value->n) {
            (void)gguf_item_int(value, value->n - 1, &whole);
            (void)gguf_item_real(value, value->n - 1, &real);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf *gguf = NULL;
    struct why why = {0};
    struct gguf_card card;
    begin = data;
    end = data + size;
    if (gguf_open_bytes((struct str){(const char *)data, size}, &gguf, &why)) {
        if (gguf || !why.text[0])
            abort();
        return 0;
    }
    look_at_keys(gguf);
    const uint8_t *last = data;
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(gguf, i);
        within(t->bytes, t->len);
        if (t->bytes < last || t->len == 0 || t->name.len > GGUF_MOST_NAME)
            abort();
        last = t->bytes + t->len;
    }
    gguf_describe(gguf, &card);
    struct arena *arena = arena_new(16u << 20);
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    gguf_card_json(&card, &out);
    json_end_object(&out);
    arena_free(arena);
    gguf_close(gguf);
    return 0;
}
