/* formats/refuse - what is recognised by its first bytes and not read, and what to do about it. */
#include "formats/reader.h"

#include <string.h>

struct magic {
    size_t at;
    struct str bytes;
    const char *is;   /* "a RAR archive" */
    const char *hint; /* may be NULL */
};

static const char to_zip[] = "unpack it and upload the files, or pack them as zip";
static const char to_text[] = "only documents, tables, images of text and zip archives are read";

static const struct magic magics[] = {
    {0, STR_INIT("Rar!\x1A\x07"), "a RAR archive", to_zip},
    {0, STR_INIT("7z\xBC\xAF\x27\x1C"), "a 7z archive", to_zip},
    {0, STR_INIT("\x1F\x8B"), "a gzip archive", to_zip},
    {0, STR_INIT("BZh"), "a bzip2 archive", to_zip},
    {0,
     STR_INIT("\xFD"
              "7zXZ"),
     "an xz archive", to_zip},
    {0, STR_INIT("\x28\xB5\x2F\xFD"), "a zstd archive", to_zip},
    {257, STR_INIT("ustar"), "a tar archive", to_zip},
    {0, STR_INIT("MSCF"), "a cab archive", to_zip},
    {0,
     STR_INIT("\x7F"
              "ELF"),
     "a program", to_text},
    {0, STR_INIT("\xCF\xFA\xED\xFE"), "a program", to_text},
    {0, STR_INIT("\xCE\xFA\xED\xFE"), "a program", to_text},
    {0, STR_INIT("\xCA\xFE\xBA\xBE"), "a program", to_text},
    {0, STR_INIT("\0asm"), "a program", to_text},
    {0, STR_INIT("dex\n"), "a program", to_text},
    {0, STR_INIT("GGUF"), "a model", "models are imported on the models page"},
    {0, STR_INIT("SQLite format 3"), "a SQLite database", "export its tables as csv"},
    {0, STR_INIT("{\\rtf"), "an RTF document", "open it and save it as docx or pdf"},
    {0, STR_INIT("%!PS"), "a PostScript file", "convert it to pdf"},
    {0, STR_INIT("GIF8"), "a GIF image", "save it as png"},
    {8, STR_INIT("WEBP"), "a WebP image", "save it as png or jpg"},
    {4, STR_INIT("ftypheic"), "a HEIC image", "save it as jpg"},
    {4, STR_INIT("ftyp"), "a video", to_text},
    {0, STR_INIT("\x1A\x45\xDF\xA3"), "a video", to_text},
    {0, STR_INIT("ID3"), "a sound file", to_text},
    {0, STR_INIT("fLaC"), "a sound file", to_text},
    {0, STR_INIT("OggS"), "a sound file", to_text},
    {8, STR_INIT("WAVE"), "a sound file", to_text},
    {8, STR_INIT("AVI "), "a video", to_text},
    {0, STR_INIT("AC10"), "an AutoCAD drawing", "print it to pdf"},
    {0, STR_INIT("wOF"), "a font", to_text},
    {0, STR_INIT("\0\1\0\0\0"), "a font", to_text},
};

/* Streams of OLE containers, named in UTF-16, and what they make of the file. */
static const struct magic ole_streams[] = {
    {0, STR_INIT("E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0"),
     "an Office document protected by a password", "remove the password and upload it again"},
    {0, STR_INIT("W\0o\0r\0d\0D\0o\0c\0u\0m\0e\0n\0t\0"),
     "a document of old Word or WPS (.doc, .wps)", "open it and save it as docx"},
    {0, STR_INIT("P\0o\0w\0e\0r\0P\0o\0i\0n\0t\0 \0D\0o\0c\0u\0m\0e\0n\0t\0"),
     "a presentation of old PowerPoint (.ppt)", "open it and save it as pdf"},
    {0, STR_INIT("W\0o\0r\0k\0b\0o\0o\0k\0"), "a workbook of old Excel or WPS (.xls, .et)",
     "open it and save it as xlsx"},
    {0, STR_INIT("B\0o\0o\0k\0"), "a workbook of old Excel (.xls)", "open it and save it as xlsx"},
};

static enum err refused(const struct magic *m, struct why *why)
{
    enum err err = err_set(why, ERR_UNSUPPORTED, "it is %s, which is not read", m->is);
    if (m->hint)
        err_hint(why, "%s", m->hint);
    return err;
}

static enum err refuse_ole(struct str bytes, struct why *why)
{
    static const struct magic other = {0, STR_INIT(""), "an old Office or installer file",
                                       "open it and save it as docx, xlsx or pdf"};
    for (size_t i = 0; i < sizeof ole_streams / sizeof ole_streams[0]; i++) {
        if (str_find(bytes, ole_streams[i].bytes) != STR_NPOS)
            return refused(&ole_streams[i], why);
    }
    return refused(&other, why);
}

/* "MZ" alone may begin a text; a program also has its second header where the first one says. */
static bool is_windows_program(struct str bytes)
{
    if (!str_starts(bytes, STR("MZ")) || bytes.len < 64)
        return false;
    const unsigned char *p = (const unsigned char *)bytes.ptr + 60;
    size_t at = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    return str_starts(str_from(bytes, at), STR("PE\0\0")) || memchr(bytes.ptr, 0, 64) != NULL;
}

enum err format_refuse(struct str bytes, struct why *why)
{
    static const struct magic program = {0, STR_INIT("MZ"), "a program", to_text};
    if (str_starts(bytes, STR("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")))
        return refuse_ole(bytes, why);
    if (is_windows_program(bytes))
        return refused(&program, why);
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (str_starts(str_from(bytes, magics[i].at), magics[i].bytes))
            return refused(&magics[i], why);
    }
    return ERR_OK;
}
