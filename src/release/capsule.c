#include "release/capsule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/secret.h"
#include "core/time.h"

#define MAGIC      "YCCAPS1\n"
#define MAGIC_SIZE (sizeof MAGIC - 1)
#define LAST       0x80000000u
#define ROOM       ((size_t)1 << 20)

static void put_u32(unsigned char out[4], uint32_t n)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(n >> (24 - 8 * i));
}

static uint32_t get_u32(const unsigned char in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* ---- the head ---- */

static void head_json(const struct capsule_head *h, struct json_out *out)
{
    char text[TIME_TEXT], hex[1100];
    json_begin_object(out);
    json_kv_int(out, "format", 1);
    json_kv_str(out, "id", h->id);
    json_kv_str(out, "release", h->release);
    json_kv_str(out, "title", h->title);
    json_kv_str(out, "from", h->from);
    json_kv_str(out, "to", h->to);
    json_kv_str(out, "to_key", h->to_key);
    json_kv_str(out, "manifest", h->manifest);
    json_kv_c(out, "suite", crypt_suite_name(h->suite));
    json_kv_int(out, "uses", h->uses);
    json_kv_c(out, "ends_at", h->ends_ms ? time_format(h->ends_ms, text) : NULL);
    json_kv_c(out, "created_at", time_format(h->created_ms, text));
    json_kv_c(out, "wrapped", hex_put(h->wrapped.ptr, h->wrapped.len, hex));
    json_end_object(out);
}

static enum err head_time(const struct json *json, const char *key, int64_t *out, struct why *why)
{
    struct str text = json_get_str(json, key, STR(""));
    *out = 0;
    if (text.len && !time_parse(text, out))
        return err_set(why, ERR_CORRUPT, "the capsule's head has no time in \"%s\"", key);
    return ERR_OK;
}

static enum err head_read(struct str text, struct arena *arena, struct capsule_head *h,
                          struct why *why)
{
    const struct json *json = NULL;
    struct why own = {0};
    if (json_parse(text, arena, &json, &own) || json_get_int(json, "format", 0) != 1)
        return err_set(why, ERR_CORRUPT, "the capsule's head is damaged or of another format");
    struct str wrapped = json_get_str(json, "wrapped", STR(""));
    char *bytes = arena_bytes(arena, wrapped.len / 2 + 1);
    *h = (struct capsule_head){.id = json_get_str(json, "id", STR("")),
                               .release = json_get_str(json, "release", STR("")),
                               .title = json_get_str(json, "title", STR("")),
                               .from = json_get_str(json, "from", STR("")),
                               .to = json_get_str(json, "to", STR("")),
                               .to_key = json_get_str(json, "to_key", STR("")),
                               .manifest = json_get_str(json, "manifest", STR("")),
                               .uses = json_get_int(json, "uses", -1),
                               .wrapped = {bytes, wrapped.len / 2}};
    enum err err = head_time(json, "ends_at", &h->ends_ms, why);
    if (!err)
        err = head_time(json, "created_at", &h->created_ms, why);
    if (!err &&
        (!bytes || !hex_get(wrapped, bytes, wrapped.len / 2) || !uuid_valid(h->id) || h->uses < 0 ||
         !crypt_suite_parse(json_get_str(json, "suite", STR("")), &h->suite)))
        err = err_set(why, ERR_CORRUPT, "the capsule's head is damaged");
    return err;
}

/* ---- writing ---- */

struct capsule_writer {
    struct arena *arena;
    capsule_put_fn *put;
    void *ctx;
    struct crypt_chunk chunk;
    unsigned char key[CRYPT_CONTENT_KEY];
    uint8_t head[HASH_BYTES];
    unsigned char buf[CAPSULE_CHUNK];
    size_t len;
};

static enum err put_head(struct capsule_writer *w, const struct capsule_head *head, struct why *why)
{
    struct buf buf;
    struct json_out json;
    unsigned char n[4];
    buf_init(&buf, w->arena);
    json_out_init(&json, &buf);
    head_json(head, &json);
    enum err err = buf_err(&buf, why);
    if (!err && buf.len > CAPSULE_MOST_HEAD)
        err = err_set(why, ERR_TOO_LARGE, "the head of the capsule has %zu bytes", buf.len);
    if (err)
        return err;
    struct buf all;
    buf_init(&all, w->arena);
    put_u32(n, (uint32_t)buf.len);
    buf_add_c(&all, MAGIC);
    buf_add(&all, (struct str){(char *)n, sizeof n});
    buf_add(&all, buf_str(&buf));
    err = buf_err(&all, why);
    if (err)
        return err;
    hash_of(HASH_SHA256, buf_str(&all), w->head);
    return w->put(w->ctx, buf_str(&all), why);
}

enum err capsule_begin(const struct capsule_head *given, struct str public_der, capsule_put_fn *put,
                       void *ctx, struct capsule_writer **out, struct why *why)
{
    struct capsule_head head = *given;
    char id[CRYPT_KEY_ID];
    struct arena *arena = arena_new(ROOM);
    struct capsule_writer *w = arena ? arena_one(arena, struct capsule_writer) : NULL;
    if (!w) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "could not make a capsule");
    }
    *w = (struct capsule_writer){.arena = arena, .put = put, .ctx = ctx};
    random_bytes(w->key, sizeof w->key);
    w->chunk = (struct crypt_chunk){head.suite, w->key, w->head, 0, false};
    crypt_key_id(public_der, id);
    head.to_key = str_c(id);
    enum err err = crypt_wrap(head.suite, public_der, w->key, head.id, arena, &head.wrapped, why);
    if (!err)
        err = put_head(w, &head, why);
    if (err)
        capsule_writer_free(w);
    else
        *out = w;
    return err;
}

static enum err put_chunk(struct capsule_writer *w, bool last, struct why *why)
{
    unsigned char n[4], tag[CRYPT_TAG_MOST];
    w->chunk.last = last;
    enum err err = crypt_seal(&w->chunk, (struct str){(char *)w->buf, w->len}, w->buf, tag, why);
    put_u32(n, (uint32_t)w->len | (last ? LAST : 0));
    if (!err)
        err = w->put(w->ctx, (struct str){(char *)n, sizeof n}, why);
    if (!err)
        err = w->put(w->ctx, (struct str){(char *)w->buf, w->len}, why);
    if (!err)
        err = w->put(w->ctx, (struct str){(char *)tag, crypt_tag_bytes(w->chunk.suite)}, why);
    w->chunk.number++;
    w->len = 0;
    return err;
}

enum err capsule_add(struct capsule_writer *w, struct str bytes, struct why *why)
{
    enum err err = ERR_OK;
    while (!err && bytes.len) {
        if (w->len == CAPSULE_CHUNK)
            err = put_chunk(w, false, why);
        size_t room = CAPSULE_CHUNK - w->len, n = bytes.len < room ? bytes.len : room;
        memcpy(w->buf + w->len, bytes.ptr, n);
        w->len += n;
        bytes = str_from(bytes, n);
    }
    return err;
}

enum err capsule_end(struct capsule_writer *w, struct why *why)
{
    return put_chunk(w, true, why);
}

void capsule_writer_free(struct capsule_writer *w)
{
    if (!w)
        return;
    struct arena *arena = w->arena;
    secret_wipe(w, sizeof *w);
    arena_free(arena);
}

/* ---- reading ---- */

struct capsule_reader {
    struct arena *arena;
    capsule_get_fn *get;
    void *ctx;
    struct capsule_head head;
    struct crypt_chunk chunk;
    unsigned char key[CRYPT_CONTENT_KEY];
    uint8_t digest[HASH_BYTES];
    unsigned char buf[CAPSULE_CHUNK];
    bool unlocked, ended;
};

static enum err get_some(struct capsule_reader *r, void *ptr, size_t n, size_t *got,
                         struct why *why)
{
    enum err err = ERR_OK;
    *got = 0;
    for (size_t part = 1; !err && part && *got < n; *got += err ? 0 : part)
        err = r->get(r->ctx, (char *)ptr + *got, n - *got, &part, why);
    return err;
}

static enum err get_all(struct capsule_reader *r, void *ptr, size_t n, struct why *why)
{
    size_t got;
    enum err err = get_some(r, ptr, n, &got, why);
    if (!err && got < n)
        err = err_set(why, ERR_CORRUPT, "the capsule is cut off");
    return err;
}

static enum err read_head(struct capsule_reader *r, struct why *why)
{
    unsigned char start[MAGIC_SIZE + 4];
    size_t got;
    enum err err = get_some(r, start, sizeof start, &got, why);
    if (!err && (got < sizeof start || memcmp(start, MAGIC, MAGIC_SIZE) != 0))
        err = err_set(why, ERR_INVALID, "that is no capsule");
    if (err)
        return err;
    uint32_t n = get_u32(start + MAGIC_SIZE);
    if (n > CAPSULE_MOST_HEAD)
        return err_set(why, ERR_CORRUPT, "the capsule's head is damaged");
    char *text = arena_bytes(r->arena, sizeof start + n + 1);
    if (!text)
        return err_set(why, ERR_NO_MEMORY, "could not read the capsule");
    memcpy(text, start, sizeof start);
    err = get_all(r, text + sizeof start, n, why);
    if (err)
        return err;
    hash_of(HASH_SHA256, (struct str){text, sizeof start + n}, r->digest);
    return head_read((struct str){text + sizeof start, n}, r->arena, &r->head, why);
}

enum err capsule_open(capsule_get_fn *get, void *ctx, struct capsule_reader **out, struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct capsule_reader *r = arena ? arena_one(arena, struct capsule_reader) : NULL;
    if (!r) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "could not open a capsule");
    }
    *r = (struct capsule_reader){.arena = arena, .get = get, .ctx = ctx};
    enum err err = read_head(r, why);
    if (err) {
        capsule_close(r);
        return err;
    }
    r->chunk = (struct crypt_chunk){r->head.suite, r->key, r->digest, 0, false};
    *out = r;
    return ERR_OK;
}

const struct capsule_head *capsule_head(const struct capsule_reader *reader)
{
    return &reader->head;
}

enum err capsule_unlock(struct capsule_reader *r, struct str secret_der, struct why *why)
{
    enum err err =
        crypt_unwrap(r->head.suite, secret_der, r->head.wrapped, r->head.id, r->key, why);
    r->unlocked = !err;
    return err;
}

/* Behind the last chunk there is nothing. */
static enum err at_end(struct capsule_reader *r, struct why *why)
{
    char more;
    size_t got;
    enum err err = get_some(r, &more, 1, &got, why);
    if (!err && got)
        err = err_set(why, ERR_CORRUPT, "something was put behind the end of the capsule");
    return err;
}

enum err capsule_next(struct capsule_reader *r, struct str *out, struct why *why)
{
    unsigned char n[4], tag[CRYPT_TAG_MOST];
    *out = STR("");
    if (r->ended)
        return ERR_OK;
    if (!r->unlocked)
        return err_set(why, ERR_FORBIDDEN, "the capsule is closed");
    enum err err = get_all(r, n, sizeof n, why);
    if (err)
        return err;
    uint32_t word = get_u32(n);
    size_t len = word & ~LAST;
    r->chunk.last = (word & LAST) != 0;
    if (len > CAPSULE_CHUNK || (!r->chunk.last && len != CAPSULE_CHUNK))
        return err_set(why, ERR_CORRUPT, "the capsule is damaged");
    err = get_all(r, r->buf, len, why);
    if (!err)
        err = get_all(r, tag, crypt_tag_bytes(r->head.suite), why);
    if (!err)
        err = crypt_open(&r->chunk, (struct str){(char *)r->buf, len}, tag, r->buf, why);
    if (!err && r->chunk.last)
        err = at_end(r, why);
    if (err) {
        secret_wipe(r->buf, sizeof r->buf);
        return err;
    }
    r->ended = r->chunk.last;
    r->chunk.number++;
    *out = (struct str){(char *)r->buf, len};
    return ERR_OK;
}

void capsule_close(struct capsule_reader *r)
{
    if (!r)
        return;
    struct arena *arena = r->arena;
    secret_wipe(r, sizeof *r);
    arena_free(arena);
}
