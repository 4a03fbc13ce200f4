/* The head is built in memory, then the weights are streamed behind it through one buffer. */
#include "engine/gguf_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "core/utf8.h"

#define HEAD_LIMIT ((size_t)512 << 20)
#define BUFFER     ((size_t)1 << 20)
#define ALIGNMENT  32

struct shape {
    struct str name;
    enum gguf_tensor_kind kind;
    uint32_t n_dims;
    uint64_t dims[GGUF_MOST_DIMS];
    uint64_t n, len, offset;
    struct shape *next;
};

struct gguf_out {
    struct arena *arena;
    const char *path, *temp;
    int fd;
    enum err err;
    struct why why;
    struct buf keys;
    uint64_t n_keys, n_tensors, next_offset;
    struct map names; /* "k" or "t" before the name: each stands once */
    struct shape *shapes, **last;
    struct shape *now; /* being written; NULL before the first element and behind the last */
    uint64_t left;     /* elements of `now` that are to come */
    bool begun;
    uint8_t *buffer;
    size_t held;
};

static void fail(struct gguf_out *out, enum err err)
{
    if (!out->err)
        out->err = err;
}

static void flush(struct gguf_out *out)
{
    if (!out->err && out->held)
        fail(out,
             file_write_fd(out->fd, (struct str){(const char *)out->buffer, out->held}, &out->why));
    out->held = 0;
}

static void put(struct gguf_out *out, const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    while (len && !out->err) {
        size_t n = len < BUFFER - out->held ? len : BUFFER - out->held;
        memcpy(out->buffer + out->held, p, n);
        out->held += n;
        p += n;
        len -= n;
        if (out->held == BUFFER)
            flush(out);
    }
}

static void put_zeros(struct gguf_out *out, size_t n)
{
    static const uint8_t zeros[ALIGNMENT];
    put(out, zeros, n);
}

enum err gguf_out_open(const char *path, struct gguf_out **result, struct why *why)
{
    struct arena *arena = arena_new(HEAD_LIMIT);
    struct gguf_out *out = arena ? arena_one(arena, struct gguf_out) : NULL;
    char *temp = out ? (char *)str_printf(arena, "%s.XXXXXX", path).ptr : NULL;
    uint8_t *buffer = temp ? arena_alloc(arena, BUFFER) : NULL;
    if (!buffer) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "no memory to write \"%s\"", path);
    }
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) {
        enum err err = err_errno(why, "could not make a file beside \"%s\"", path);
        arena_free(arena);
        return err;
    }
    *out = (struct gguf_out){.arena = arena, .temp = temp, .fd = fd, .buffer = buffer};
    out->path = str_z(arena, str_c(path));
    out->last = &out->shapes;
    buf_init(&out->keys, arena);
    map_init(&out->names, arena);
    if (!out->path)
        fail(out, ERR_NO_MEMORY);
    *result = out;
    return ERR_OK;
}

void gguf_out_drop(struct gguf_out *out)
{
    if (!out)
        return;
    (void)close(out->fd);
    (void)unlink(out->temp);
    arena_free(out->arena);
}

/* ---- keys ---- */

static void add(struct buf *buf, const void *ptr, size_t len)
{
    buf_add(buf, (struct str){ptr, len});
}

static void add_str(struct buf *buf, struct str s)
{
    uint64_t len = s.len;
    add(buf, &len, sizeof len);
    buf_add(buf, s);
}

static bool once(struct gguf_out *out, char what, struct str name, size_t most)
{
    bool made = false;
    if (out->err)
        return false;
    if (name.len == 0 || name.len > most || utf8_invalid(name) != STR_NPOS) {
        fail(out, err_set(&out->why, ERR_INVALID, "\"%.*s\" is no name of 1 to %zu bytes",
                          STR_FMT(name), most));
        return false;
    }
    struct str mark = str_printf(out->arena, "%c%.*s", what, STR_FMT(name));
    if (!mark.ptr || !map_put(&out->names, mark, &made))
        fail(out, err_set(&out->why, ERR_NO_MEMORY, "no memory for the head of the model file"));
    else if (!made)
        fail(out, err_set(&out->why, ERR_INVALID, "\"%.*s\" is put twice", STR_FMT(name)));
    return made;
}

static bool begin_key(struct gguf_out *out, struct str key, enum gguf_kind kind)
{
    uint32_t number = kind;
    if (!once(out, 'k', key, GGUF_MOST_KEY))
        return false;
    out->n_keys++;
    add_str(&out->keys, key);
    add(&out->keys, &number, sizeof number);
    return true;
}

static bool begin_array(struct gguf_out *out, const char *key, enum gguf_kind of, size_t n)
{
    uint32_t number = of;
    uint64_t items = n;
    if (!begin_key(out, str_c(key), GGUF_KIND_ARRAY))
        return false;
    add(&out->keys, &number, sizeof number);
    add(&out->keys, &items, sizeof items);
    return true;
}

void gguf_put_str(struct gguf_out *out, const char *key, struct str value)
{
    if (utf8_invalid(value) != STR_NPOS)
        fail(out, err_set(&out->why, ERR_INVALID, "the value of \"%s\" is not UTF-8 text", key));
    else if (begin_key(out, str_c(key), GGUF_KIND_STR))
        add_str(&out->keys, value);
}

void gguf_put_u32(struct gguf_out *out, const char *key, uint32_t value)
{
    if (begin_key(out, str_c(key), GGUF_KIND_U32))
        add(&out->keys, &value, sizeof value);
}

void gguf_put_real(struct gguf_out *out, const char *key, float value)
{
    if (begin_key(out, str_c(key), GGUF_KIND_F32))
        add(&out->keys, &value, sizeof value);
}

void gguf_put_bool(struct gguf_out *out, const char *key, bool value)
{
    if (begin_key(out, str_c(key), GGUF_KIND_BOOL))
        buf_char(&out->keys, value);
}

void gguf_put_strs(struct gguf_out *out, const char *key, const struct str *items, size_t n)
{
    if (!begin_array(out, key, GGUF_KIND_STR, n))
        return;
    for (size_t i = 0; i < n; i++)
        add_str(&out->keys, items[i]);
}

void gguf_put_i32s(struct gguf_out *out, const char *key, const int32_t *items, size_t n)
{
    if (begin_array(out, key, GGUF_KIND_I32, n))
        add(&out->keys, items, n * sizeof *items);
}

void gguf_put_reals(struct gguf_out *out, const char *key, const float *items, size_t n)
{
    if (begin_array(out, key, GGUF_KIND_F32, n))
        add(&out->keys, items, n * sizeof *items);
}

void gguf_put_value(struct gguf_out *out, struct str key, const struct gguf_value *value)
{
    uint32_t of = value->of;
    if (!begin_key(out, key, value->kind))
        return;
    if (value->kind == GGUF_KIND_ARRAY) {
        add(&out->keys, &of, sizeof of);
        add(&out->keys, &value->n, sizeof value->n);
    }
    add(&out->keys, value->bytes, value->len);
}

/* ---- tensors ---- */

static bool can_write(enum gguf_tensor_kind kind)
{
    return kind == GGUF_TENSOR_F32 || kind == GGUF_TENSOR_F16 || kind == GGUF_TENSOR_Q8_0 ||
           kind == GGUF_TENSOR_Q4_0;
}

enum gguf_tensor_kind gguf_put_tensor(struct gguf_out *out, const char *name,
                                      enum gguf_tensor_kind kind, uint32_t n_dims,
                                      const uint64_t *dims)
{
    uint32_t elements = 0, bytes = 0;
    struct shape *shape = arena_one(out->arena, struct shape);
    struct str kept = str_copy(out->arena, str_c(name));
    if (!shape || !kept.ptr) {
        fail(out, err_set(&out->why, ERR_NO_MEMORY, "no memory for the head of the model file"));
        return kind;
    }
    if (!can_write(kind) || n_dims < 1 || n_dims > GGUF_MOST_DIMS || out->begun) {
        fail(out, err_set(&out->why, ERR_INVALID, "tensor \"%s\" cannot be written so", name));
        return kind;
    }
    (void)gguf_tensor_block(kind, &elements, &bytes);
    if (n_dims == 1 || dims[0] % elements) {
        kind = GGUF_TENSOR_F32;
        (void)gguf_tensor_block(kind, &elements, &bytes);
    }
    *shape = (struct shape){.name = kept, .kind = kind, .n_dims = n_dims, .n = 1};
    for (uint32_t d = 0; d < n_dims; d++) {
        shape->dims[d] = dims[d];
        if (dims[d] == 0 || dims[d] > ((uint64_t)1 << 48) / shape->n) {
            fail(out,
                 err_set(&out->why, ERR_INVALID, "tensor \"%s\" has an impossible shape", name));
            return kind;
        }
        shape->n *= dims[d];
    }
    if (!once(out, 't', kept, GGUF_MOST_NAME))
        return kind;
    shape->len = shape->n / elements * bytes;
    shape->offset = out->next_offset;
    out->next_offset += (shape->len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    out->n_tensors++;
    *out->last = shape;
    out->last = &shape->next;
    return kind;
}

static void put_directory(struct gguf_out *out)
{
    struct buf head;
    uint32_t version = 3;
    buf_init(&head, out->arena);
    buf_add_c(&head, "GGUF");
    add(&head, &version, sizeof version);
    add(&head, &out->n_tensors, sizeof out->n_tensors);
    add(&head, &out->n_keys, sizeof out->n_keys);
    buf_add(&head, buf_str(&out->keys));
    for (const struct shape *s = out->shapes; s; s = s->next) {
        uint32_t kind = s->kind;
        add_str(&head, s->name);
        add(&head, &s->n_dims, sizeof s->n_dims);
        add(&head, s->dims, s->n_dims * sizeof s->dims[0]);
        add(&head, &kind, sizeof kind);
        add(&head, &s->offset, sizeof s->offset);
    }
    while (out->n_tensors && head.len % ALIGNMENT && !head.failed)
        buf_char(&head, 0);
    if (out->keys.failed || buf_err(&head, &out->why))
        fail(out, err_set(&out->why, ERR_NO_MEMORY, "no memory for the head of the model file"));
    put(out, head.ptr, out->err ? 0 : head.len);
}

/* Moves to the next tensor when the one before is whole. */
static void begin_elements(struct gguf_out *out)
{
    if (!out->begun) {
        put_directory(out);
        out->begun = true;
        out->now = out->shapes;
    } else if (out->now && out->left == 0) {
        put_zeros(out, (ALIGNMENT - out->now->len % ALIGNMENT) % ALIGNMENT);
        out->now = out->now->next;
    } else {
        return;
    }
    out->left = out->now ? out->now->n : 0;
}

void gguf_put_f32(struct gguf_out *out, const float *elements, uint64_t n)
{
    uint8_t packed[4096];
    while (n && !out->err) {
        begin_elements(out);
        uint64_t row = out->now ? out->now->dims[0] : 1;
        uint64_t most = n < out->left ? n : out->left;
        if (!out->now || most % row) {
            fail(out,
                 err_set(&out->why, ERR_INVALID, "elements are put that no tensor has room for"));
            return;
        }
        for (uint64_t at = 0; at < most && !out->err;) { /* 1024 elements are at most 4096 bytes */
            size_t part = most - at < 1024 ? (size_t)(most - at) : 1024;
            gguf_row_pack(out->now->kind, elements + at, part, packed);
            put(out, packed, gguf_row_bytes(out->now->kind, part));
            at += part;
        }
        elements += most;
        n -= most;
        out->left -= most;
    }
}

static void finish(struct gguf_out *out)
{
    begin_elements(out);
    if (!out->err && out->left)
        fail(out, err_set(&out->why, ERR_INVALID, "tensor \"%.*s\" was not written to its end",
                          STR_FMT(out->now->name)));
    flush(out);
    if (!out->err && (fchmod(out->fd, 0644) != 0 || fsync(out->fd) != 0))
        fail(out, err_errno(&out->why, "could not write \"%s\"", out->path));
    if (!out->err)
        fail(out, file_rename(out->temp, out->path, &out->why));
}

enum err gguf_out_close(struct gguf_out *out, struct why *why)
{
    finish(out);
    enum err err = out->err;
    if (err)
        err_note(why, "%s", why_text(&out->why, err));
    gguf_out_drop(out); /* after the rename there is nothing under the name beside it */
    return err;
}
