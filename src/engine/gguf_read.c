/* Reading: a cursor over the mapped bytes that never passes their end, then the directory. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "core/utf8.h"
#include "engine/gguf.h"

#define DIRECTORY_LIMIT (64u << 20)
#define ALIGNMENT       32 /* unless the file says otherwise */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are read on little-endian machines only"
#endif

struct key {
    struct str name;
    struct gguf_value value;
};

struct gguf {
    struct file_map map; /* ptr NULL: the bytes are the caller's */
    struct str bytes;
    struct arena *arena;
    uint32_t version;
    struct key *keys;
    size_t n_keys;
    struct map key_map; /* name to index */
    struct gguf_tensor *tensors;
    size_t n_tensors;
    struct map tensor_map;
};

struct reader {
    const uint8_t *ptr;
    size_t len;
    size_t at;
    struct why *why;
};

static enum err short_of(struct reader *r, const char *what)
{
    return err_set(r->why, ERR_INVALID, "the file ends inside %s, at byte %zu", what, r->len);
}

static enum err take(struct reader *r, void *out, size_t n, const char *what)
{
    if (r->len - r->at < n)
        return short_of(r, what);
    memcpy(out, r->ptr + r->at, n);
    r->at += n;
    return ERR_OK;
}

static enum err take_str(struct reader *r, struct str *out, const char *what)
{
    uint64_t len = 0;
    enum err err = take(r, &len, sizeof len, what);
    if (err)
        return err;
    if (len > r->len - r->at)
        return err_set(r->why, ERR_INVALID,
                       "%s at byte %zu says %llu bytes, but the file has %zu more", what, r->at,
                       (unsigned long long)len, r->len - r->at);
    *out = (struct str){(const char *)r->ptr + r->at, (size_t)len};
    r->at += (size_t)len;
    return ERR_OK;
}

/* Names go into logs, pages and error texts: UTF-8 without control characters. */
static enum err check_name(struct reader *r, struct str name, size_t most, const char *what)
{
    if (name.len == 0)
        return err_set(r->why, ERR_INVALID, "%s before byte %zu has no name", what, r->at);
    if (name.len > most)
        return err_set(r->why, ERR_INVALID,
                       "the name of %s before byte %zu has %zu bytes, more than %zu", what, r->at,
                       name.len, most);
    bool bad = utf8_invalid(name) != STR_NPOS;
    for (size_t i = 0; i < name.len; i++)
        bad |= (unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7F;
    if (bad)
        return err_set(r->why, ERR_INVALID,
                       "the name of %s before byte %zu is not clean UTF-8 text", what, r->at);
    return ERR_OK;
}

static const uint8_t kind_bytes[GGUF_KIND_COUNT] = {
    [GGUF_KIND_U8] = 1,  [GGUF_KIND_I8] = 1,  [GGUF_KIND_U16] = 2, [GGUF_KIND_I16] = 2,
    [GGUF_KIND_U32] = 4, [GGUF_KIND_I32] = 4, [GGUF_KIND_F32] = 4, [GGUF_KIND_BOOL] = 1,
    [GGUF_KIND_U64] = 8, [GGUF_KIND_I64] = 8, [GGUF_KIND_F64] = 8,
};

static enum err take_kind(struct reader *r, struct str name, enum gguf_kind *out)
{
    uint32_t kind = 0;
    enum err err = take(r, &kind, sizeof kind, "the kind of a key");
    if (err)
        return err;
    if (kind >= GGUF_KIND_COUNT)
        return err_set(r->why, ERR_UNSUPPORTED, "key \"%.*s\" has the unknown kind %u",
                       STR_FMT(name), kind);
    *out = (enum gguf_kind)kind;
    return ERR_OK;
}

static enum err take_strings(struct reader *r, struct str name, const struct gguf_value *value)
{
    struct str s;
    for (uint64_t i = 0; i < value->n; i++) {
        enum err err = take_str(r, &s, "a string");
        if (err) {
            err_prefix(r->why, "key \"%.*s\"", STR_FMT(name));
            return err;
        }
        if (value->kind == GGUF_KIND_STR && utf8_invalid(s) != STR_NPOS)
            return err_set(r->why, ERR_INVALID, "the value of key \"%.*s\" is not UTF-8 text",
                           STR_FMT(name));
    }
    return ERR_OK;
}

static enum err check_bools(struct reader *r, struct str name, const struct gguf_value *value)
{
    for (size_t i = 0; i < value->len; i++)
        if (value->bytes[i] > 1)
            return err_set(r->why, ERR_INVALID, "key \"%.*s\" has a truth value of %u",
                           STR_FMT(name), value->bytes[i]);
    return ERR_OK;
}

static enum err take_value(struct reader *r, struct str name, struct gguf_value *out)
{
    struct gguf_value value = {.n = 1};
    enum err err = take_kind(r, name, &value.kind);
    value.of = value.kind;
    if (!err && value.kind == GGUF_KIND_ARRAY) {
        err = take_kind(r, name, &value.of);
        if (!err && value.of == GGUF_KIND_ARRAY)
            return err_set(r->why, ERR_UNSUPPORTED, "key \"%.*s\" is an array of arrays",
                           STR_FMT(name));
        if (!err)
            err = take(r, &value.n, sizeof value.n, "the length of an array");
    }
    if (err)
        return err;
    size_t least = value.of == GGUF_KIND_STR ? 8 : kind_bytes[value.of];
    if (value.n > (r->len - r->at) / least)
        return err_set(r->why, ERR_INVALID,
                       "key \"%.*s\" says %llu items, more than the rest of the file can hold",
                       STR_FMT(name), (unsigned long long)value.n);
    value.bytes = r->ptr + r->at;
    if (value.of == GGUF_KIND_STR)
        err = take_strings(r, name, &value);
    else
        r->at += (size_t)value.n * least;
    value.len = (size_t)(r->ptr + r->at - value.bytes);
    if (!err && value.of == GGUF_KIND_BOOL)
        err = check_bools(r, name, &value);
    *out = value;
    return err;
}

static enum err no_memory(struct reader *r)
{
    return err_set(r->why, ERR_NO_MEMORY, "the directory of the file takes more than %u MiB",
                   DIRECTORY_LIMIT >> 20);
}

static enum err once(struct reader *r, struct map *map, struct str name, size_t i, const char *what)
{
    bool made;
    struct map_entry *entry = map_put(map, name, &made);
    if (!entry)
        return no_memory(r);
    if (!made)
        return err_set(r->why, ERR_INVALID, "%s \"%.*s\" stands twice", what, STR_FMT(name));
    entry->value.u = i;
    return ERR_OK;
}

static enum err read_keys(struct gguf *gguf, struct reader *r)
{
    gguf->keys = arena_array(gguf->arena, struct key, gguf->n_keys);
    if (!gguf->keys)
        return no_memory(r);
    enum err err = ERR_OK;
    for (size_t i = 0; i < gguf->n_keys && !err; i++) {
        struct key *key = &gguf->keys[i];
        err = take_str(r, &key->name, "a key");
        if (!err)
            err = check_name(r, key->name, GGUF_MOST_KEY, "a key");
        if (!err)
            err = once(r, &gguf->key_map, key->name, i, "key");
        if (!err)
            err = take_value(r, key->name, &key->value);
    }
    return err;
}

static enum err read_shape(struct reader *r, struct gguf_tensor *t)
{
    uint32_t kind = 0, elements = 0, bytes = 0;
    enum err err = take(r, &t->n_dims, sizeof t->n_dims, "a tensor's shape");
    if (err)
        return err;
    if (t->n_dims < 1 || t->n_dims > GGUF_MOST_DIMS)
        return err_set(r->why, ERR_INVALID, "tensor \"%.*s\" has %u dimensions, not 1 to %d",
                       STR_FMT(t->name), t->n_dims, GGUF_MOST_DIMS);
    t->n = 1;
    for (uint32_t d = 0; d < GGUF_MOST_DIMS; d++) {
        t->dims[d] = 1;
        if (d >= t->n_dims)
            continue;
        err = take(r, &t->dims[d], sizeof t->dims[d], "a tensor's shape");
        if (err)
            return err;
        if (t->dims[d] == 0 || t->dims[d] > INT64_MAX / t->n)
            return err_set(r->why, ERR_INVALID, "tensor \"%.*s\" has an impossible shape",
                           STR_FMT(t->name));
        t->n *= t->dims[d];
    }
    err = take(r, &kind, sizeof kind, "a tensor's kind");
    if (err)
        return err;
    if (!gguf_tensor_block(kind, &elements, &bytes))
        return err_set(r->why, ERR_UNSUPPORTED, "tensor \"%.*s\" has the unknown kind %u",
                       STR_FMT(t->name), kind);
    if (t->dims[0] % elements)
        return err_set(
            r->why, ERR_INVALID,
            "tensor \"%.*s\" of kind %s has rows of %llu, which are no whole blocks of %u",
            STR_FMT(t->name), gguf_tensor_kind_name((enum gguf_tensor_kind)kind),
            (unsigned long long)t->dims[0], elements);
    if (t->n / elements > UINT64_MAX / 2 / bytes)
        return err_set(r->why, ERR_INVALID, "tensor \"%.*s\" has an impossible shape",
                       STR_FMT(t->name));
    t->kind = (enum gguf_tensor_kind)kind;
    t->len = t->n / elements * bytes;
    return ERR_OK;
}

/* Tensors lie one behind the other in the order of the directory, each padded to the alignment:
 * then none overlaps, and llama.cpp takes no others. Places count from the start of the weights,
 * which is known only behind the directory. */
static enum err read_tensors(struct gguf *gguf, struct reader *r, uint64_t alignment)
{
    gguf->tensors = arena_array(gguf->arena, struct gguf_tensor, gguf->n_tensors);
    if (!gguf->tensors)
        return no_memory(r);
    uint64_t next = 0;
    for (size_t i = 0; i < gguf->n_tensors; i++) {
        struct gguf_tensor *t = &gguf->tensors[i];
        uint64_t offset = 0;
        enum err err = take_str(r, &t->name, "a tensor's name");
        if (!err)
            err = check_name(r, t->name, GGUF_MOST_NAME, "a tensor");
        if (!err)
            err = once(r, &gguf->tensor_map, t->name, i, "tensor");
        if (!err)
            err = read_shape(r, t);
        if (!err)
            err = take(r, &offset, sizeof offset, "a tensor's place");
        if (err)
            return err;
        if (offset != next)
            return err_set(r->why, ERR_INVALID,
                           "tensor \"%.*s\" is at %llu where %llu was expected: they would overlap "
                           "or leave a gap",
                           STR_FMT(t->name), (unsigned long long)offset, (unsigned long long)next);
        if (t->len > r->len || next > r->len)
            return err_set(r->why, ERR_INVALID, "tensor \"%.*s\" is larger than the file",
                           STR_FMT(t->name));
        next += (t->len + alignment - 1) / alignment * alignment;
    }
    return ERR_OK;
}

static enum err place_tensors(struct gguf *gguf, struct reader *r, uint64_t alignment)
{
    uint64_t at = (r->at + alignment - 1) / alignment * alignment;
    for (size_t i = 0; i < gguf->n_tensors; i++) {
        struct gguf_tensor *t = &gguf->tensors[i];
        if (at > r->len || t->len > r->len - at)
            return err_set(r->why, ERR_INVALID,
                           "tensor \"%.*s\" ends at byte %llu, but the file at %zu: it was cut off",
                           STR_FMT(t->name), (unsigned long long)(at + t->len), r->len);
        t->bytes = r->ptr + at;
        at += (t->len + alignment - 1) / alignment * alignment;
    }
    return ERR_OK;
}

static enum err read_alignment(const struct gguf *gguf, struct reader *r, uint64_t *out)
{
    const struct gguf_value *value = gguf_find(gguf, "general.alignment");
    int64_t alignment = ALIGNMENT;
    if (value && (value->kind != GGUF_KIND_U32 || !gguf_item_int(value, 0, &alignment) ||
                  alignment < 8 || alignment > 1 << 20 || (alignment & (alignment - 1))))
        return err_set(r->why, ERR_INVALID,
                       "general.alignment is not a power of two from 8 to 1048576");
    *out = (uint64_t)alignment;
    return ERR_OK;
}

static enum err read_head(struct gguf *gguf, struct reader *r)
{
    char magic[4] = {0};
    uint64_t n_tensors = 0, n_keys = 0;
    if (take(r, magic, sizeof magic, "its first bytes") || memcmp(magic, "GGUF", 4) != 0) {
        if (r->why)
            *r->why = (struct why){0};
        return err_set(r->why, ERR_INVALID, "this is not a GGUF file");
    }
    enum err err = take(r, &gguf->version, sizeof gguf->version, "its head");
    if (!err && (gguf->version & 0xFFFF) == 0)
        return err_set(r->why, ERR_UNSUPPORTED,
                       "this is a big-endian GGUF file, not a little-endian one");
    if (!err && gguf->version != 2 && gguf->version != 3)
        return err_set(r->why, ERR_UNSUPPORTED, "GGUF version %u is not supported, only 2 and 3",
                       gguf->version);
    if (!err)
        err = take(r, &n_tensors, sizeof n_tensors, "its head");
    if (!err)
        err = take(r, &n_keys, sizeof n_keys, "its head");
    if (!err && n_tensors > GGUF_MOST_TENSORS)
        return err_set(r->why, ERR_INVALID, "the file says %llu tensors, more than %d",
                       (unsigned long long)n_tensors, GGUF_MOST_TENSORS);
    if (!err && n_keys > GGUF_MOST_KEYS)
        return err_set(r->why, ERR_INVALID, "the file says %llu keys, more than %d",
                       (unsigned long long)n_keys, GGUF_MOST_KEYS);
    gguf->n_tensors = (size_t)n_tensors;
    gguf->n_keys = (size_t)n_keys;
    return err;
}

static enum err read_all(struct gguf *gguf, struct why *why)
{
    struct reader r = {(const uint8_t *)gguf->bytes.ptr, gguf->bytes.len, 0, why};
    uint64_t alignment = ALIGNMENT;
    enum err err = read_head(gguf, &r);
    if (!err)
        err = read_keys(gguf, &r);
    if (!err)
        err = read_alignment(gguf, &r, &alignment);
    if (!err)
        err = read_tensors(gguf, &r, alignment);
    if (!err)
        err = place_tensors(gguf, &r, alignment);
    return err;
}

static enum err open_map(struct file_map map, struct str bytes, struct gguf **out, struct why *why)
{
    struct gguf *gguf = calloc(1, sizeof *gguf);
    struct arena *arena = gguf ? arena_new(DIRECTORY_LIMIT) : NULL;
    if (!arena) {
        free(gguf);
        file_unmap(&map);
        return err_set(why, ERR_NO_MEMORY, "no memory to read a model file");
    }
    *gguf = (struct gguf){.map = map, .bytes = bytes, .arena = arena};
    map_init(&gguf->key_map, arena);
    map_init(&gguf->tensor_map, arena);
    enum err err = read_all(gguf, why);
    if (err)
        gguf_close(gguf);
    else
        *out = gguf;
    return err;
}

enum err gguf_open(const char *path, struct gguf **out, struct why *why)
{
    struct file_map map = {0};
    enum err err = file_map(path, &map, why);
    if (err)
        return err;
    err = open_map(map, (struct str){(const char *)map.ptr, map.len}, out, why);
    if (err)
        err_prefix(why, "model file \"%s\"", path);
    return err;
}

enum err gguf_open_bytes(struct str bytes, struct gguf **out, struct why *why)
{
    return open_map((struct file_map){0}, bytes, out, why);
}

void gguf_close(struct gguf *gguf)
{
    if (!gguf)
        return;
    file_unmap(&gguf->map);
    arena_free(gguf->arena);
    free(gguf);
}

uint32_t gguf_version(const struct gguf *gguf)
{
    return gguf->version;
}

uint64_t gguf_file_bytes(const struct gguf *gguf)
{
    return gguf->bytes.len;
}

size_t gguf_n_keys(const struct gguf *gguf)
{
    return gguf->n_keys;
}

const struct gguf_value *gguf_key_at(const struct gguf *gguf, size_t i, struct str *name)
{
    *name = gguf->keys[i].name;
    return &gguf->keys[i].value;
}

const struct gguf_value *gguf_find(const struct gguf *gguf, const char *name)
{
    const struct map_entry *entry = map_find(&gguf->key_map, str_c(name));
    return entry ? &gguf->keys[entry->value.u].value : NULL;
}

size_t gguf_n_tensors(const struct gguf *gguf)
{
    return gguf->n_tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, size_t i)
{
    return &gguf->tensors[i];
}

const struct gguf_tensor *gguf_tensor(const struct gguf *gguf, const char *name)
{
    const struct map_entry *entry = map_find(&gguf->tensor_map, str_c(name));
    return entry ? &gguf->tensors[entry->value.u] : NULL;
}

static const struct tensor_kind {
    const char *name;
    uint32_t number, elements, bytes;
} tensor_kinds[] = {
#define TENSOR_KIND(id, number, name, elements, bytes) {name, number, elements, bytes},
    GGUF_TENSOR_MAP(TENSOR_KIND)
#undef TENSOR_KIND
};

static const struct tensor_kind *find_kind(uint32_t number)
{
    for (size_t i = 0; i < sizeof tensor_kinds / sizeof tensor_kinds[0]; i++)
        if (tensor_kinds[i].number == number)
            return &tensor_kinds[i];
    return NULL;
}

bool gguf_tensor_block(uint32_t kind, uint32_t *elements, uint32_t *bytes)
{
    const struct tensor_kind *found = find_kind(kind);
    if (!found)
        return false;
    *elements = found->elements;
    *bytes = found->bytes;
    return true;
}

const char *gguf_tensor_kind_name(enum gguf_tensor_kind kind)
{
    const struct tensor_kind *found = find_kind(kind);
    return found ? found->name : "unknown";
}

const char *gguf_kind_name(enum gguf_kind kind)
{
    static const char *const names[GGUF_KIND_COUNT] = {
        "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "str", "array", "u64", "i64", "f64"};
    return kind < GGUF_KIND_COUNT ? names[kind] : "unknown";
}

/* ---- values ---- */

#define LOAD(type)                                                                                 \
    do {                                                                                           \
        type x_;                                                                                   \
        memcpy(&x_, p, sizeof x_);                                                                 \
        *out = x_;                                                                                 \
        return true;                                                                               \
    } while (0)

bool gguf_item_int(const struct gguf_value *value, uint64_t i, int64_t *out)
{
    if (!value || i >= value->n || value->of == GGUF_KIND_STR || value->of == GGUF_KIND_ARRAY)
        return false;
    const uint8_t *p = value->bytes + i * kind_bytes[value->of];
    uint64_t u;
    switch (value->of) {
    case GGUF_KIND_U8:
        LOAD(uint8_t);
    case GGUF_KIND_I8:
        *out = *p < 128 ? *p : *p - 256;
        return true;
    case GGUF_KIND_U16:
        LOAD(uint16_t);
    case GGUF_KIND_I16:
        LOAD(int16_t);
    case GGUF_KIND_U32:
        LOAD(uint32_t);
    case GGUF_KIND_I32:
        LOAD(int32_t);
    case GGUF_KIND_I64:
        LOAD(int64_t);
    case GGUF_KIND_U64:
        memcpy(&u, p, sizeof u);
        *out = (int64_t)u;
        return u <= INT64_MAX;
    default:
        return false;
    }
}

bool gguf_item_real(const struct gguf_value *value, uint64_t i, double *out)
{
    int64_t whole;
    if (!value || i >= value->n)
        return false;
    if (value->of == GGUF_KIND_F32 || value->of == GGUF_KIND_F64) {
        const uint8_t *p = value->bytes + i * kind_bytes[value->of];
        if (value->of == GGUF_KIND_F32)
            LOAD(float);
        LOAD(double);
    }
    if (!gguf_item_int(value, i, &whole))
        return false;
    *out = (double)whole;
    return true;
}

bool gguf_next_str(const struct gguf_value *value, size_t *at, struct str *out)
{
    uint64_t len;
    if (!value || value->of != GGUF_KIND_STR || *at >= value->len)
        return false;
    memcpy(&len, value->bytes + *at, sizeof len);
    *out = (struct str){(const char *)value->bytes + *at + sizeof len, (size_t)len};
    *at += sizeof len + (size_t)len;
    return true;
}

struct str gguf_str(const struct gguf *gguf, const char *name, struct str fallback)
{
    const struct gguf_value *value = gguf_find(gguf, name);
    struct str s;
    size_t at = 0;
    return value && value->kind == GGUF_KIND_STR && gguf_next_str(value, &at, &s) ? s : fallback;
}

int64_t gguf_int(const struct gguf *gguf, const char *name, int64_t fallback)
{
    const struct gguf_value *value = gguf_find(gguf, name);
    int64_t n;
    return value && value->kind != GGUF_KIND_ARRAY && gguf_item_int(value, 0, &n) ? n : fallback;
}

double gguf_real(const struct gguf *gguf, const char *name, double fallback)
{
    const struct gguf_value *value = gguf_find(gguf, name);
    double x;
    return value && value->kind != GGUF_KIND_ARRAY && gguf_item_real(value, 0, &x) ? x : fallback;
}

bool gguf_bool(const struct gguf *gguf, const char *name, bool fallback)
{
    const struct gguf_value *value = gguf_find(gguf, name);
    return value && value->kind == GGUF_KIND_BOOL ? value->bytes[0] != 0 : fallback;
}
