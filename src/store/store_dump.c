#include "store/store_dump.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"

#define DUMP_BUF  ((size_t)256 << 10)
#define HEAD      "yicheng dump 1\n"
#define HEAD_LEN  16 /* with the '\0' */
#define FRAME_LEN 5  /* kind and length */

/* ---- writing ---- */

static enum err flush(struct dump_writer *writer, struct why *why)
{
    enum err err = file_write_fd(writer->fd, (struct str){writer->buf, writer->n_buf}, why);
    writer->n_buf = 0;
    return err;
}

static enum err add(struct dump_writer *writer, struct str bytes, struct why *why)
{
    hash_add(writer->hash, bytes.ptr, bytes.len);
    while (bytes.len > 0) {
        size_t n = DUMP_BUF - writer->n_buf;
        if (n > bytes.len)
            n = bytes.len;
        memcpy(writer->buf + writer->n_buf, bytes.ptr, n);
        writer->n_buf += n;
        bytes = str_from(bytes, n);
        if (writer->n_buf < DUMP_BUF)
            break;
        enum err err = flush(writer, why);
        if (err)
            return err;
    }
    return ERR_OK;
}

enum err dump_begin(struct dump_writer *writer, int fd, struct why *why)
{
    *writer = (struct dump_writer){.fd = fd};
    writer->hash = hash_new(HASH_SHA256);
    writer->buf = malloc(DUMP_BUF);
    if (!writer->hash || !writer->buf) {
        dump_release(writer);
        return err_set(why, ERR_NO_MEMORY, "could not hold a part of the backup");
    }
    return add(writer, (struct str){HEAD, HEAD_LEN}, why);
}

static void frame(char out[FRAME_LEN], char kind, size_t len)
{
    out[0] = kind;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (char)(len >> (8 * i));
}

enum err dump_put(struct dump_writer *writer, char kind, struct str payload, struct why *why)
{
    char head[FRAME_LEN];
    /* Rows may be cut anywhere, what describes them may not. */
    do {
        struct str part = str_slice(payload, 0, DUMP_RECORD_MOST);
        if (part.len < payload.len && kind != 'd')
            return err_set(why, ERR_TOO_LARGE, "a record of %zu bytes is too long for a backup",
                           payload.len);
        frame(head, kind, part.len);
        enum err err = add(writer, (struct str){head, FRAME_LEN}, why);
        if (!err)
            err = add(writer, part, why);
        if (err)
            return err;
        payload = str_from(payload, part.len);
    } while (payload.len > 0);
    return ERR_OK;
}

enum err dump_end(struct dump_writer *writer, struct why *why)
{
    char head[FRAME_LEN];
    uint8_t digest[HASH_BYTES];
    hash_end(writer->hash, digest);
    hash_free(writer->hash);
    writer->hash = hash_new(HASH_SHA256); /* add() wants one; what it takes is not used */
    if (!writer->hash)
        return err_set(why, ERR_NO_MEMORY, "could not end the backup");
    frame(head, 'z', HASH_BYTES);
    enum err err = add(writer, (struct str){head, FRAME_LEN}, why);
    if (!err)
        err = add(writer, (struct str){(const char *)digest, HASH_BYTES}, why);
    return err ? err : flush(writer, why);
}

void dump_release(struct dump_writer *writer)
{
    hash_free(writer->hash);
    free(writer->buf);
    *writer = (struct dump_writer){.fd = -1};
}

/* ---- reading ---- */

static enum err damaged(const struct dump_reader *reader, const char *words, struct why *why)
{
    return err_set(why, ERR_CORRUPT, "the backup is damaged at byte %zu: %s", reader->at, words);
}

void dump_reader_init(struct dump_reader *reader, struct str bytes)
{
    *reader = (struct dump_reader){.bytes = bytes};
}

/* Which kinds may follow which: see the layout in the header. */
static bool may_follow(char last, char kind)
{
    const char *next = last == 0 || last == 'm' ? "mtz" : last == 't' || last == 'd' ? "de" : "tz";
    return last != 'z' && kind != '\0' && strchr(next, kind) != NULL;
}

static size_t length_at(const char *ptr)
{
    size_t len = 0;
    for (int i = 0; i < 4; i++)
        len |= (size_t)(unsigned char)ptr[i] << (8 * i);
    return len;
}

enum err dump_next(struct dump_reader *reader, struct dump_record *out, struct why *why)
{
    if (reader->at == 0) {
        if (!str_starts(reader->bytes, (struct str){HEAD, HEAD_LEN}))
            return err_set(why, ERR_CORRUPT, "the file is no backup of this program");
        reader->at = HEAD_LEN;
    }
    struct str rest = str_from(reader->bytes, reader->at);
    if (rest.len < FRAME_LEN)
        return damaged(reader, "it ends too early", why);
    char kind = rest.ptr[0];
    size_t len = length_at(rest.ptr + 1);
    if (!may_follow(reader->last, kind))
        return damaged(reader, "a record that does not belong there", why);
    if (len > DUMP_RECORD_MOST || len > rest.len - FRAME_LEN)
        return damaged(reader, "a record is cut off", why);
    if (kind == 'z' && (len != HASH_BYTES || rest.len != FRAME_LEN + HASH_BYTES))
        return damaged(reader, "the last record is not the end", why);
    *out = (struct dump_record){kind, str_slice(rest, FRAME_LEN, FRAME_LEN + len)};
    reader->at += FRAME_LEN + len;
    reader->last = kind;
    return ERR_OK;
}

enum err dump_check(struct str bytes, struct why *why)
{
    struct dump_reader reader;
    struct dump_record record = {0};
    uint8_t digest[HASH_BYTES];
    dump_reader_init(&reader, bytes);
    while (record.kind != 'z') {
        enum err err = dump_next(&reader, &record, why);
        if (err)
            return err;
    }
    hash_of(HASH_SHA256, str_slice(bytes, 0, bytes.len - FRAME_LEN - HASH_BYTES), digest);
    if (memcmp(digest, record.payload.ptr, HASH_BYTES) != 0)
        return err_set(why, ERR_CORRUPT, "the backup is damaged: it does not have its SHA-256");
    return ERR_OK;
}

/* ---- what the records say ---- */

static enum err parse(struct str payload, struct arena *arena, const struct json **out,
                      struct why *why)
{
    struct why words = {0};
    enum err err = json_parse(payload, arena, out, &words);
    if (err == ERR_NO_MEMORY)
        return err_set(why, err, "%s", words.text);
    if (err || json_kind(*out) != JSON_KIND_OBJECT)
        return err_set(why, ERR_CORRUPT, "the backup is damaged: a record is no JSON object");
    return ERR_OK;
}

static enum err incomplete(struct why *why)
{
    return err_set(why, ERR_CORRUPT, "the backup is damaged: a record is incomplete");
}

enum err dump_migration(struct str payload, struct arena *arena, struct dump_migration *out,
                        struct why *why)
{
    const struct json *json;
    enum err err = parse(payload, arena, &json, why);
    if (err)
        return err;
    *out = (struct dump_migration){.room = json_get_str(json, "room", STR_NONE),
                                   .checksum = json_get_str(json, "checksum", STR_NONE),
                                   .sql = json_get_str(json, "sql", STR_NONE),
                                   .number = json_get_int(json, "number", 0),
                                   .ran_ms = json_get_int(json, "ran_ms", 0)};
    /* An SQL text with '\0' in it would end there. */
    if (out->room.len == 0 || out->checksum.len == 0 || out->sql.len == 0 || out->number < 1 ||
        memchr(out->sql.ptr, '\0', out->sql.len))
        return incomplete(why);
    return ERR_OK;
}

static bool is_identifier(struct str s)
{
    return s.len > 0 && s.len < 64 && !memchr(s.ptr, '\0', s.len);
}

enum err dump_table(struct str payload, struct arena *arena, struct dump_table *out,
                    struct why *why)
{
    const struct json *json;
    enum err err = parse(payload, arena, &json, why);
    if (err)
        return err;
    const struct json *columns = json_get(json, "columns");
    struct dump_table table = {.name = json_get_str(json, "table", STR_NONE),
                               .n_columns = json_len(columns)};
    if (!is_identifier(table.name) || json_kind(columns) != JSON_KIND_ARRAY || !table.n_columns)
        return incomplete(why);
    table.columns = arena_array(arena, struct str, table.n_columns);
    if (!table.columns)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu columns", table.n_columns);
    for (size_t i = 0; i < table.n_columns; i++) {
        table.columns[i] = json_str(json_at(columns, i), STR_NONE);
        if (!is_identifier(table.columns[i]))
            return incomplete(why);
    }
    *out = table;
    return ERR_OK;
}
