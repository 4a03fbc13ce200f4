/*
 * formats - the documents of one file: itself, or what is packed in it.
 *
 * Archives are unpacked in memory, entry by entry; names are labels and nothing is written to disk.
 * What all archives of one file unpack to counts together, so that nesting gains nothing.
 */
#include "formats/formats.h"

#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "formats/pack.h"
#include "formats/reader.h"

/* The file being read, and who is told. */
struct visit {
    const struct format_limits *limits;
    size_t memory;
    struct arena *arena; /* of the document; reset between documents */
    format_each_fn *each;
    format_failed_fn *failed;
    void *ctx;
    uint64_t expanded; /* bytes that came out of archives so far */
    size_t n_entries;
};

static enum err one_document(struct visit *v, const struct format_reader *reader, struct str bytes,
                             struct str name, struct why *why)
{
    struct format_document doc;
    struct why reason = {0};
    enum err err;
    arena_reset(v->arena);
    if (reader && reader->risky && bytes.len && bytes.len <= v->limits->file_bytes)
        err = format_read_child(reader, bytes, name, v->limits, v->memory, v->arena, &doc, &reason);
    else
        err = format_read_with(reader, bytes, name, v->limits, v->arena, NULL, &doc, &reason);
    if (!err)
        return v->each(v->ctx, &doc, bytes, why);
    v->failed(v->ctx, name, err, &reason);
    return ERR_OK;
}

static enum err visit_bytes(struct visit *v, struct str bytes, struct str name, int depth,
                            struct why *why);

/* What packers leave behind and nobody means. */
static bool is_litter(struct str name)
{
    static const char *const files[] = {".DS_Store", "Thumbs.db", "desktop.ini"};
    struct str last = file_name(name);
    if (str_starts(name, STR("__MACOSX/")) || str_starts(last, STR("._")) ||
        str_starts(last, STR("~$")))
        return true;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (str_eq_c(last, files[i]))
            return true;
    }
    return false;
}

/* Packages that are zip archives and documents of other programs at once. */
static enum err refuse_package(const struct pack *pack, struct why *why)
{
    static const struct {
        const char *entry, *is, *hint;
    } packages[] = {
        {"ppt/presentation.xml", "a presentation (.pptx)", "save it as pdf"},
        {"xl/workbook.bin", "a binary workbook (.xlsb)", "save it as xlsx"},
        {"OFD.xml", "an OFD document", "open it and save it as pdf"},
        {"content.xml", "an OpenDocument file (.odt, .ods)", "save it as docx or xlsx"},
        {"AndroidManifest.xml", "a program",
         "only documents, tables, images of text and zip archives are read"},
        {"META-INF/MANIFEST.MF", "a program",
         "only documents, tables, images of text and zip archives are read"},
    };
    for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++) {
        if (pack_find(pack, packages[i].entry) >= 0) {
            enum err err =
                err_set(why, ERR_UNSUPPORTED, "it is %s, which is not read", packages[i].is);
            err_hint(why, "%s", packages[i].hint);
            return err;
        }
    }
    return ERR_OK;
}

/* One entry into memory. A limit of the whole archive is passed on in *stop. */
static enum err unpack(struct visit *v, struct pack *pack, size_t i, const struct pack_entry *entry,
                       struct arena *arena, struct str *bytes, bool *stop, struct why *why)
{
    const struct format_limits *limits = v->limits;
    if (entry->link)
        return err_set(why, ERR_UNSUPPORTED, "it is a symbolic link, which is not followed");
    if (entry->locked) {
        enum err err = err_set(why, ERR_UNSUPPORTED, "it is protected by a password");
        err_hint(why, "pack it again without one");
        return err;
    }
    enum err err = pack_read(pack, i, limits->file_bytes, &v->expanded, arena, bytes, why);
    *stop = err == ERR_TOO_LARGE &&
            !(v->expanded <= limits->expanded_bytes && strstr(why->text, "it has more than"));
    return err;
}

static enum err visit_entry(struct visit *v, struct pack *pack, size_t i, struct str outer,
                            int depth, bool *stop, struct why *why)
{
    struct arena *arena = arena_new(v->limits->file_bytes * 2 + (4u << 20));
    struct pack_entry entry;
    struct str bytes, name;
    struct why reason = {0};
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold a file of the archive");
    enum err err = pack_at(pack, i, &entry, &reason), result = ERR_OK;
    if (err || (!entry.folder && !is_litter(entry.name))) {
        name = err ? str_printf(arena, "%.*s/#%zu", STR_FMT(outer), i + 1)
                   : str_printf(arena, "%.*s/%.*s", STR_FMT(outer), STR_FMT(entry.name));
        if (!err)
            err = unpack(v, pack, i, &entry, arena, &bytes, stop, &reason);
        if (err)
            v->failed(v->ctx, *stop ? outer : name, err, &reason);
        else
            result = visit_bytes(v, bytes, name, depth, why);
    }
    arena_free(arena);
    return result;
}

static enum err visit_pack(struct visit *v, struct pack *pack, struct str name, int depth,
                           struct why *why)
{
    bool stop = false;
    enum err err = ERR_OK;
    size_t n = pack_count(pack);
    if (n == 0) {
        struct why reason = {0};
        err = err_set(&reason, ERR_INVALID, "the archive is empty");
        v->failed(v->ctx, name, err, &reason);
        return ERR_OK;
    }
    for (size_t i = 0; i < n && !err && !stop; i++) {
        if (v->n_entries++ >= v->limits->archive_files) {
            struct why reason = {0};
            err = err_set(&reason, ERR_TOO_LARGE,
                          "the archive has more files than the limit of %zu; the rest was not read",
                          v->limits->archive_files);
            v->failed(v->ctx, name, err, &reason);
            return ERR_OK;
        }
        err = visit_entry(v, pack, i, name, depth, &stop, why);
    }
    return err;
}

static enum err visit_zip(struct visit *v, struct str bytes, struct str name, int depth,
                          struct why *why)
{
    struct why reason = {0};
    struct pack *pack;
    struct arena *arena = arena_new(v->memory);
    enum err err, result = ERR_OK;
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold the archive");
    if (depth > v->limits->archive_depth)
        err = err_set(&reason, ERR_TOO_LARGE, "archives are packed in archives more than %d deep",
                      v->limits->archive_depth);
    else
        err = pack_open(bytes, v->limits, arena, &pack, &reason);
    if (!err)
        err = refuse_package(pack, &reason);
    if (err)
        v->failed(v->ctx, name, err, &reason);
    else
        result = visit_pack(v, pack, name, depth, why);
    arena_free(arena);
    return result;
}

static enum err visit_bytes(struct visit *v, struct str bytes, struct str name, int depth,
                            struct why *why)
{
    arena_reset(v->arena);
    struct str suffix = str_lower_ascii(v->arena, file_suffix(file_name(name)));
    const struct format_reader *reader = format_detect(bytes, suffix, false);
    if (reader && strcmp(reader->name, "zip") == 0)
        return visit_zip(v, bytes, name, depth + 1, why);
    return one_document(v, reader, bytes, name, why);
}

enum err format_read_file(const char *path, struct str name, const struct format_limits *limits,
                          size_t memory, format_each_fn *each, format_failed_fn *failed, void *ctx,
                          struct why *why)
{
    struct visit v = {.limits = limits ? limits : &format_limits_default,
                      .memory = memory,
                      .each = each,
                      .failed = failed,
                      .ctx = ctx};
    struct arena *file = arena_new(v.limits->file_bytes + (1u << 20));
    struct why reason = {0};
    struct str bytes;
    enum err err;
    v.arena = arena_new(memory);
    if (!file || !v.arena) {
        err = err_set(why, ERR_NO_MEMORY, "could not hold file \"%s\"", path);
        goto done;
    }
    err = file_read(path, v.limits->file_bytes, file, &bytes, &reason);
    if (err == ERR_TOO_LARGE) {
        failed(ctx, name, err, &reason);
        err = ERR_OK;
    } else if (err) {
        err = err_set(why, err, "%s", reason.text);
    } else {
        err = visit_bytes(&v, bytes, name, 0, why);
    }
done:
    arena_free(v.arena);
    arena_free(file);
    return err;
}
