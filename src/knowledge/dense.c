#include "knowledge/dense.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/utf8.h"
#include "knowledge/room.h"

/*
 * The file: 16 bytes of head ("YCDENSE1", dimension as 4 bytes little endian, 4 bytes zero), then
 * rows of key (8), scale (4), `dim` signed bytes, and padding to a multiple of 4. A component is
 * scale times its byte; the vector has length 1 but for rounding.
 */
#define MAGIC      "YCDENSE1"
#define HEAD       16
#define MOST_WORDS 2000 /* bytes of a passage that are embedded */

struct dense {
    struct file_map map;
    size_t dim, row_bytes, n;
    uint64_t *slots; /* open addressing: row + 1 */
    size_t mask;
};

static size_t row_size(size_t dim)
{
    return (12 + dim + 3) / 4 * 4;
}

char *dense_path(const char *dir, struct str model, struct arena *arena)
{
    struct str path = str_printf(arena, "%s/%016llx.vec", dir,
                                 (unsigned long long)hash64(model.ptr, model.len, 0xDE45E));
    return (char *)(uintptr_t)path.ptr;
}

static const uint8_t *row_at(const struct dense *d, size_t row)
{
    return d->map.ptr + HEAD + row * d->row_bytes;
}

static uint64_t key_of(const struct dense *d, size_t row)
{
    uint64_t key;
    memcpy(&key, row_at(d, row), sizeof key);
    return key;
}

static enum err index_rows(struct dense *d, struct why *why)
{
    size_t cap = 16;
    while (cap < 2 * d->n)
        cap *= 2;
    d->slots = calloc(cap, sizeof *d->slots);
    if (!d->slots)
        return err_set(why, ERR_NO_MEMORY, "could not hold the vectors of a base");
    d->mask = cap - 1;
    for (size_t i = 0; i < d->n; i++) {
        uint64_t key = key_of(d, i);
        size_t at = key & d->mask;
        while (d->slots[at] && key_of(d, d->slots[at] - 1) != key)
            at = (at + 1) & d->mask;
        d->slots[at] = i + 1; /* the newest row of a key counts */
    }
    return ERR_OK;
}

static enum err read_head(struct str bytes, size_t *dim, struct why *why)
{
    uint32_t words[2];
    if (bytes.len < HEAD || memcmp(bytes.ptr, MAGIC, 8) != 0)
        return err_set(why, ERR_CORRUPT, "the file of vectors is not one of ours");
    memcpy(words, bytes.ptr + 8, sizeof words);
    if (words[0] < 1 || words[0] > DENSE_MOST_DIM || words[1] != 0)
        return err_set(why, ERR_CORRUPT, "the file of vectors has %u dimensions", words[0]);
    *dim = words[0];
    return ERR_OK;
}

enum err dense_open(const char *path, struct dense **out, struct why *why)
{
    struct dense *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(why, ERR_NO_MEMORY, "could not hold the vectors of a base");
    enum err err = ERR_OK;
    if (file_exists(path))
        err = file_map(path, &d->map, why);
    if (!err && d->map.len) {
        err = read_head((struct str){(const char *)d->map.ptr, d->map.len}, &d->dim, why);
        if (!err) {
            d->row_bytes = row_size(d->dim);
            d->n = (d->map.len - HEAD) / d->row_bytes;
        }
    }
    if (!err)
        err = index_rows(d, why);
    if (err)
        dense_close(d);
    else
        *out = d;
    return err;
}

void dense_close(struct dense *d)
{
    if (!d)
        return;
    if (d->map.ptr)
        file_unmap(&d->map);
    free(d->slots);
    free(d);
}

size_t dense_dim(const struct dense *d)
{
    return d->n ? d->dim : 0;
}

size_t dense_n(const struct dense *d)
{
    return d->n;
}

/* ---- passages ---- */

static struct str cut(struct str text)
{
    return text.len > MOST_WORDS ? str_slice(text, 0, utf8_floor(text, MOST_WORDS)) : text;
}

struct str dense_words(const struct index_passage *p, struct arena *arena)
{
    struct str text = cut(p->text);
    return str_printf(arena, "%.*s %.*s %.*s\n%.*s", STR_FMT(p->title), STR_FMT(p->path),
                      STR_FMT(p->label), STR_FMT(text));
}

uint64_t dense_key(const struct index_passage *p)
{
    const struct str parts[] = {p->title, p->path, p->label, cut(p->text)};
    uint64_t key = 0xDE45E;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        key = hash64(parts[i].ptr, parts[i].len, key + parts[i].len);
    return key;
}

int64_t dense_find(const struct dense *d, uint64_t key)
{
    for (size_t at = key & d->mask; d->slots[at]; at = (at + 1) & d->mask)
        if (key_of(d, d->slots[at] - 1) == key)
            return (int64_t)d->slots[at] - 1;
    return -1;
}

float dense_like(const struct dense *d, int64_t row, const float *asked)
{
    const uint8_t *at = row_at(d, (size_t)row);
    float scale, sum = 0;
    memcpy(&scale, at + 8, sizeof scale);
    const int8_t *bytes = (const int8_t *)at + 12;
    for (size_t k = 0; k < d->dim; k++)
        sum += (float)bytes[k] * asked[k];
    return isfinite(scale) ? sum * scale : 0;
}

/* ---- adding ---- */

static void pack_row(uint64_t key, const float *vector, size_t dim, uint8_t *out)
{
    float most = 0, square = 0;
    for (size_t k = 0; k < dim; k++) {
        most = fmaxf(most, fabsf(vector[k]));
        square += vector[k] * vector[k];
    }
    float scale = most / 127, length = sqrtf(square), unit = length > 0 ? scale / length : 0;
    memcpy(out, &key, sizeof key);
    memcpy(out + 8, &unit, sizeof unit);
    for (size_t k = 0; k < dim; k++)
        out[12 + k] = (uint8_t)(int8_t)(scale > 0 ? lrintf(vector[k] / scale) : 0);
}

/* Cuts a half row at the end away and leaves the file at its end. */
static enum err to_the_end(int fd, const char *path, size_t dim, struct why *why)
{
    struct stat st;
    char head[HEAD] = MAGIC;
    uint32_t word = (uint32_t)dim;
    if (fstat(fd, &st) != 0)
        return err_errno(why, "could not look at \"%s\"", path);
    if (st.st_size < HEAD) {
        memcpy(head + 8, &word, sizeof word);
        if (ftruncate(fd, 0) != 0)
            return err_errno(why, "could not begin \"%s\"", path);
        return file_write_fd(fd, (struct str){head, HEAD}, why);
    }
    size_t found = 0;
    if (pread(fd, head, HEAD, 0) != HEAD)
        return err_errno(why, "could not read \"%s\"", path);
    enum err err = read_head((struct str){head, HEAD}, &found, why);
    if (!err && found != dim)
        err = err_set(why, ERR_CONFLICT,
                      "the model gives %zu dimensions, its vectors of before have %zu", dim, found);
    size_t rows = ((size_t)st.st_size - HEAD) / row_size(dim);
    off_t end = (off_t)(HEAD + rows * row_size(dim));
    if (!err && (ftruncate(fd, end) != 0 || lseek(fd, end, SEEK_SET) != end))
        err = err_errno(why, "could not write \"%s\"", path);
    return err;
}

enum err dense_add(const char *path, const uint64_t *keys, const float *vectors, size_t n,
                   size_t dim, struct why *why)
{
    size_t size = row_size(dim);
    if (dim < 1 || dim > DENSE_MOST_DIM)
        return err_set(why, ERR_INVALID, "vectors of %zu dimensions are not taken (1 to %d)", dim,
                       DENSE_MOST_DIM);
    uint8_t *rows = calloc(n ? n : 1, size);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    enum err err = ERR_OK;
    if (!rows)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the vectors");
    else if (fd < 0)
        err = err_errno(why, "could not open \"%s\"", path);
    for (size_t i = 0; !err && i < n; i++)
        pack_row(keys[i], vectors + i * dim, dim, rows + i * size);
    if (!err)
        err = to_the_end(fd, path, dim, why);
    if (!err)
        err = file_write_fd(fd, (struct str){(const char *)rows, n * size}, why);
    if (!err && fsync(fd) != 0)
        err = err_errno(why, "could not write \"%s\"", path);
    if (fd >= 0)
        (void)close(fd);
    free(rows);
    return err;
}

/* ---- the model ---- */

static enum err read_vector(const struct json *values, size_t dim, float *out, struct why *why)
{
    double square = 0;
    for (size_t k = 0; k < dim; k++) {
        const struct json *value = json_at(values, k);
        double x = json_f64(value, NAN);
        if (!isfinite(x))
            return err_set(why, ERR_CORRUPT, "the model's vectors hold what is no number");
        out[k] = (float)x;
        square += x * x;
    }
    float length = (float)sqrt(square);
    for (size_t k = 0; k < dim && length > 0; k++)
        out[k] /= length;
    return ERR_OK;
}

enum err dense_read(struct str reply, size_t n, struct arena *arena, float **out, size_t *dim,
                    struct why *why)
{
    const struct json *root = NULL;
    if (utf8_invalid(reply) != STR_NPOS)
        return err_set(why, ERR_CORRUPT, "the model's answer is not UTF-8");
    enum err err = json_parse(reply, arena, &root, why);
    if (err)
        return err;
    const struct json *data = json_get(root, "data");
    *dim = json_len(json_get(json_at(data, 0), "embedding"));
    if (json_len(data) != n || *dim < 1 || *dim > DENSE_MOST_DIM)
        return err_set(why, ERR_CORRUPT, "the model gave %zu vectors of %zu dimensions, not %zu",
                       json_len(data), *dim, n);
    float *vectors = arena_array(arena, float, n **dim);
    bool *seen = arena_array(arena, bool, n);
    if (!vectors || !seen)
        return err_set(why, ERR_NO_MEMORY, "could not hold the vectors");
    for (size_t i = 0; i < n && !err; i++) {
        const struct json *item = json_at(data, i), *values = json_get(item, "embedding");
        int64_t at = json_get_int(item, "index", (int64_t)i);
        if (at < 0 || (size_t)at >= n || seen[at] || json_len(values) != *dim)
            return err_set(why, ERR_CORRUPT, "the model's vectors do not fit together");
        seen[at] = true;
        err = read_vector(values, *dim, vectors + (size_t)at * *dim, why);
    }
    if (!err)
        *out = vectors;
    return err;
}

static void begin_body(struct buf *buf, struct json_out *json, struct str model,
                       struct arena *arena)
{
    buf_init(buf, arena);
    json_out_init(json, buf);
    json_begin_object(json);
    json_kv_str(json, "model", model);
}

static void put_texts(struct json_out *json, const char *key, const struct str *texts, size_t n)
{
    json_key(json, key);
    json_begin_array(json);
    for (size_t i = 0; i < n; i++)
        json_put_str(json, texts[i]);
    json_end_array(json);
    json_end_object(json);
}

enum err dense_ask(struct knowledge *k, const struct ops_identity *who, struct str model,
                   const struct str *texts, size_t n, struct arena *arena, float **out, size_t *dim,
                   struct why *why)
{
    struct buf body;
    struct json_out json;
    struct str reply = STR_NONE;
    begin_body(&body, &json, model, arena);
    json_kv_c(&json, "encoding_format", "float");
    put_texts(&json, "input", texts, n);
    enum err err = buf_err(&body, why);
    if (!err)
        err = knowledge_call(k, who, "embeddings", buf_str(&body), arena, &reply, why);
    return err ? err : dense_read(reply, n, arena, out, dim, why);
}

enum err dense_read_weights(struct str reply, size_t n, struct arena *arena, float **out,
                            struct why *why)
{
    const struct json *root = NULL;
    if (utf8_invalid(reply) != STR_NPOS)
        return err_set(why, ERR_CORRUPT, "the model's answer is not UTF-8");
    enum err err = json_parse(reply, arena, &root, why);
    const struct json *results = err ? NULL : json_get(root, "results");
    float *weights = arena_array(arena, float, n + 1);
    bool *seen = arena_array(arena, bool, n + 1);
    if (err)
        return err;
    if (!weights || !seen)
        return err_set(why, ERR_NO_MEMORY, "could not hold the scores");
    if (json_len(results) != n)
        return err_set(why, ERR_CORRUPT, "the model weighed %zu texts of %zu", json_len(results),
                       n);
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(results, i);
        int64_t at = json_get_int(item, "index", -1);
        double x = json_get_f64(item, "relevance_score", NAN);
        if (at < 0 || (size_t)at >= n || seen[at] || !isfinite(x))
            return err_set(why, ERR_CORRUPT, "the model's scores do not fit the texts");
        seen[at] = true;
        weights[at] = (float)x;
    }
    *out = weights;
    return ERR_OK;
}

enum err dense_weigh(struct knowledge *k, const struct ops_identity *who, struct str model,
                     struct str question, const struct str *texts, size_t n, struct arena *arena,
                     float **out, struct why *why)
{
    struct buf body;
    struct json_out json;
    struct str reply = STR_NONE;
    begin_body(&body, &json, model, arena);
    json_kv_str(&json, "query", question);
    put_texts(&json, "documents", texts, n);
    enum err err = buf_err(&body, why);
    if (!err)
        err = knowledge_call(k, who, "rerank", buf_str(&body), arena, &reply, why);
    return err ? err : dense_read_weights(reply, n, arena, out, why);
}
