#include "formats/pack.h"

#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "formats/formats.h"

#define CHUNK      65536
#define FREE_RATIO ((uint64_t)16 << 20) /* so much may come out whatever the ratio */

struct pack {
    zip_t *zip;
    size_t packed;
    const struct format_limits *limits;
    struct arena *arena;
};

bool pack_is(struct str bytes)
{
    return str_starts(bytes, STR("PK\3\4")) || str_starts(bytes, STR("PK\5\6")) ||
           str_starts(bytes, STR("PK\7\10PK"));
}

static void discard(void *zip)
{
    zip_discard(zip);
}

static enum err broken(struct why *why, zip_error_t *error)
{
    return err_set(why, ERR_INVALID, "the archive is broken or cut off: %s",
                   zip_error_strerror(error));
}

enum err pack_open(struct str bytes, const struct format_limits *limits, struct arena *arena,
                   struct pack **out, struct why *why)
{
    zip_error_t error;
    enum err err = ERR_OK;
    zip_error_init(&error);
    struct pack *pack = arena_one(arena, struct pack);
    zip_source_t *source = zip_source_buffer_create(bytes.ptr, bytes.len, 0, &error);
    zip_t *zip =
        pack && source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : NULL;
    /* Archives of some writers fail the strict check and read all the same. */
    if (!zip && pack && source)
        zip = zip_open_from_source(source, ZIP_RDONLY, &error);
    if (!zip) {
        zip_source_free(source);
        err = broken(why, &error);
    } else if (arena_defer(arena, discard, zip) != 0) {
        zip_discard(zip);
        err = err_set(why, ERR_NO_MEMORY, "could not hold the archive");
    } else {
        *pack = (struct pack){zip, bytes.len, limits, arena};
        *out = pack;
    }
    zip_error_fini(&error);
    return err;
}

size_t pack_count(const struct pack *pack)
{
    zip_int64_t n = zip_get_num_entries(pack->zip, 0);
    return n > 0 ? (size_t)n : 0;
}

/* The name as a label: folders that lead out of the archive are dropped. */
static struct str label(struct arena *arena, struct str raw)
{
    struct buf buf;
    struct str part, rest = raw;
    char *slash = (char *)raw.ptr;
    buf_init(&buf, arena);
    for (size_t i = 0; i < raw.len; i++) {
        if (slash[i] == '\\')
            slash[i] = '/';
        else if ((unsigned char)slash[i] < 0x20)
            slash[i] = ' ';
    }
    while (str_next(&rest, '/', &part)) {
        part = str_trim(part);
        bool drive = part.len == 2 && part.ptr[1] == ':';
        if (part.len == 0 || str_eq(part, STR(".")) || str_eq(part, STR("..")) || drive)
            continue;
        if (buf.len)
            buf_char(&buf, '/');
        buf_add(&buf, part);
    }
    return buf_str(&buf);
}

/* UTF-8 when it is, else what format_decode makes of it: Windows in China writes GB18030. */
static enum err name_of(struct pack *pack, size_t i, struct str *out, struct why *why)
{
    const char *encoding;
    size_t replaced;
    struct str raw = str_copy(pack->arena, str_c(zip_get_name(pack->zip, i, ZIP_FL_ENC_RAW)));
    if (utf8_invalid(raw) != STR_NPOS) {
        enum err err = format_decode(raw, pack->arena, &raw, &encoding, &replaced, why);
        if (err)
            return err;
        raw = str_copy(pack->arena, raw);
    }
    *out = label(pack->arena, raw);
    return ERR_OK;
}

enum err pack_at(struct pack *pack, size_t i, struct pack_entry *out, struct why *why)
{
    zip_stat_t st;
    zip_uint8_t system = 0;
    zip_uint32_t bits = 0;
    struct str name;
    if (zip_stat_index(pack->zip, i, 0, &st) != 0)
        return broken(why, zip_get_error(pack->zip));
    enum err err = name_of(pack, i, &name, why);
    if (err)
        return err;
    (void)zip_file_get_external_attributes(pack->zip, i, 0, &system, &bits);
    size_t len = strlen(st.name ? st.name : "");
    *out = (struct pack_entry){
        .name = name,
        .folder = len > 0 && (st.name[len - 1] == '/' || st.name[len - 1] == '\\'),
        .link = system == ZIP_OPSYS_UNIX && S_ISLNK(bits >> 16),
        .locked = (st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE,
    };
    return ERR_OK;
}

int64_t pack_find(const struct pack *pack, const char *name)
{
    return zip_name_locate(pack->zip, name, ZIP_FL_NOCASE);
}

bool pack_has_folder(const struct pack *pack, const char *name)
{
    for (size_t i = 0; i < pack_count(pack) && i < 10000; i++) {
        const char *entry = zip_get_name(pack->zip, i, ZIP_FL_ENC_RAW);
        if (entry && strncmp(entry, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

static enum err check_total(const struct pack *pack, uint64_t expanded, struct why *why)
{
    const struct format_limits *limits = pack->limits;
    if (expanded > limits->expanded_bytes)
        return err_set(why, ERR_TOO_LARGE, "unpacked it is more than the limit of %zu MB",
                       limits->expanded_bytes >> 20);
    if (expanded > FREE_RATIO && expanded / limits->expand_ratio > pack->packed)
        return err_set(
            why, ERR_TOO_LARGE,
            "it unpacks to more than %zu times its size, like an archive made to do harm",
            limits->expand_ratio);
    return ERR_OK;
}

static enum err read_all(struct pack *pack, zip_file_t *file, size_t most, uint64_t *expanded,
                         struct buf *buf, struct why *why)
{
    for (;;) {
        char *room = buf_room(buf, CHUNK);
        if (!room)
            return buf_err(buf, why);
        zip_int64_t n = zip_fread(file, room, CHUNK);
        if (n < 0)
            return err_set(why, ERR_INVALID, "it is damaged in the archive: %s",
                           zip_error_strerror(zip_file_get_error(file)));
        if (n == 0)
            return ERR_OK;
        buf->len += (size_t)n;
        *expanded += (uint64_t)n;
        if (buf->len > most)
            return err_set(why, ERR_TOO_LARGE, "it has more than the limit of %zu MB", most >> 20);
        enum err err = check_total(pack, *expanded, why);
        if (err)
            return err;
    }
}

enum err pack_read(struct pack *pack, size_t i, size_t most, uint64_t *expanded,
                   struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    zip_stat_t st;
    if (zip_stat_index(pack->zip, i, 0, &st) == 0 && (st.valid & ZIP_STAT_ENCRYPTION_METHOD) &&
        st.encryption_method != ZIP_EM_NONE)
        return err_set(why, ERR_UNSUPPORTED, "it is protected by a password");
    zip_file_t *file = zip_fopen_index(pack->zip, i, 0);
    if (!file)
        return err_set(why, ERR_UNSUPPORTED, "it cannot be unpacked: %s",
                       zip_error_strerror(zip_get_error(pack->zip)));
    buf_init(&buf, arena);
    enum err err = read_all(pack, file, most, expanded, &buf, why);
    (void)zip_fclose(file);
    if (!err)
        *out = buf_str(&buf);
    return err;
}
