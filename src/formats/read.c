/* formats - which reader, and one document from bytes in memory. */
#include "formats/formats.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "formats/reader.h"

#define FORMAT(name) extern const struct format_reader format_reader_##name;
#include "formats/formats.def"
#undef FORMAT

static const struct format_reader *const readers[] = {
#define FORMAT(name) &format_reader_##name,
#include "formats/formats.def"
#undef FORMAT
};

#define N_READERS (sizeof readers / sizeof readers[0])

const struct format_limits format_limits_default = {
    .file_bytes = 100u << 20,
    .text_bytes = 32u << 20,
    .expanded_bytes = 1u << 30,
    .expand_ratio = 200,
    .archive_files = 10000,
    .archive_depth = 2,
    .line_bytes = 4u << 20,
    .blocks = 1000000,
    .pages = 5000,
    .time_ms = 120000,
    .ocr = true,
};

bool format_has_suffix(const char *suffixes, struct str suffix)
{
    char padded[20];
    if (suffix.len == 0 || suffix.len > sizeof padded - 3)
        return false;
    (void)snprintf(padded, sizeof padded, " %.*s ", STR_FMT(suffix));
    return strstr(suffixes, padded) != NULL;
}

const struct format_reader *format_detect(struct str bytes, struct str suffix, bool text)
{
    const struct format_reader *best = NULL;
    int best_score = 0;
    for (size_t i = 0; i < N_READERS; i++) {
        int score = readers[i]->text == text ? readers[i]->detect(bytes, suffix) : 0;
        if (score > best_score) {
            best_score = score;
            best = readers[i];
        }
    }
    return best;
}

/* Says so when the suffix belongs to another format than the bytes. */
static void note_wrong_suffix(struct format_out *out, const struct format_reader *reader)
{
    if (format_has_suffix(reader->suffixes, out->suffix))
        return;
    for (size_t i = 0; i < N_READERS; i++) {
        if (format_has_suffix(readers[i]->suffixes, out->suffix)) {
            format_note(out, "named .%.*s but is %s", STR_FMT(out->suffix), reader->name);
            return;
        }
    }
}

static enum err check_size(struct str bytes, const struct format_limits *limits, struct why *why)
{
    if (bytes.len == 0)
        return err_set(why, ERR_INVALID, "the file is empty");
    if (bytes.len > limits->file_bytes)
        return err_set(why, ERR_TOO_LARGE, "it has %zu MB, more than the limit of %zu MB",
                       bytes.len >> 20, limits->file_bytes >> 20);
    return ERR_OK;
}

/* The first heading, else nothing: a reader that knows better has set the title itself. */
static void find_title(struct format_document *doc)
{
    for (size_t i = 0; i < doc->n_blocks && i < 50 && !doc->title.len; i++) {
        if (doc->blocks[i].kind == FORMAT_HEADING)
            doc->title = doc->blocks[i].text;
    }
}

static enum err finish(struct format_out *out)
{
    struct format_document *doc = out->doc;
    find_title(doc);
    bool nothing = true;
    for (size_t i = 0; i < doc->n_blocks && nothing; i++)
        nothing = doc->blocks[i].kind == FORMAT_PAGE;
    if (nothing && doc->n_meta == 0)
        return format_fail(out, ERR_INVALID, "there is no text in it%s%.*s",
                           doc->note.len ? ": " : "", STR_FMT(doc->note));
    return ERR_OK;
}

enum err format_read_with(const struct format_reader *reader, struct str bytes, struct str name,
                          const struct format_limits *limits, struct arena *arena, int64_t *watch,
                          struct format_document *result, struct why *why)
{
    if (!limits)
        limits = &format_limits_default;
    enum err err = check_size(bytes, limits, why);
    if (err)
        return err;
    struct format_document doc = {.path = name, .encoding = ""};
    struct format_out out = {
        .arena = arena, .limits = limits, .doc = &doc, .watch = watch, .why = why};
    out.deadline_ns = time_mono_ns() + limits->time_ms * 1000000;
    out.suffix = str_lower_ascii(arena, file_suffix(file_name(name)));
    if (!reader)
        reader = format_detect(bytes, out.suffix, false);
    if (!reader) {
        err = format_refuse(bytes, why);
        if (!err)
            err = format_decode(bytes, arena, &bytes, &doc.encoding, &doc.n_replaced, why);
        if (err)
            return err;
        reader = format_detect(bytes, out.suffix, true);
        out.clean = true;
    }
    doc.format = reader->name;
    note_wrong_suffix(&out, reader);
    err = reader->read(bytes, &out);
    if (!err)
        err = out.err;
    if (!err)
        err = finish(&out);
    if (!err)
        *result = doc;
    return err;
}

enum err format_read(struct str bytes, struct str name, const struct format_limits *limits,
                     struct arena *arena, struct format_document *out, struct why *why)
{
    return format_read_with(NULL, bytes, name, limits, arena, NULL, out, why);
}
