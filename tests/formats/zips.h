/* tests/formats/zips - archives made for a test, in memory. */
#ifndef TESTS_FORMATS_ZIPS_H
#define TESTS_FORMATS_ZIPS_H

#include <stdlib.h>
#include <zip.h>

#include "core/arena.h"
#include "core/str.h"

struct zip_part {
    const char *name;
    struct str bytes;
};

/* The bytes of a zip with these parts, deflated; a name ending in '/' is a folder,
 * one with ".link" in it a symbolic link. With a password
 * when it is not NULL. */
__attribute__((unused)) static struct str zip_of(struct arena *arena, const struct zip_part *parts,
                                                 size_t n, const char *password)
{
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
    zip_t *zip = zip_open_from_source(source, ZIP_TRUNCATE, NULL);
    zip_stat_t st;
    if (!zip)
        abort();
    zip_source_keep(source);
    for (size_t i = 0; i < n; i++) {
        zip_int64_t at = zip_file_add(
            zip, parts[i].name, zip_source_buffer(zip, parts[i].bytes.ptr, parts[i].bytes.len, 0),
            ZIP_FL_ENC_RAW);
        if (at >= 0 && strstr(parts[i].name, ".link"))
            (void)zip_file_set_external_attributes(zip, (zip_uint64_t)at, 0, ZIP_OPSYS_UNIX,
                                                   0120777u << 16);
        if (at < 0 || (password && zip_file_set_encryption(zip, (zip_uint64_t)at, ZIP_EM_AES_256,
                                                           password) != 0))
            abort();
    }
    if (zip_close(zip) != 0 || zip_source_open(source) != 0 || zip_source_stat(source, &st) != 0)
        abort();
    char *ptr = arena_bytes(arena, st.size + 1);
    if (!ptr || zip_source_read(source, ptr, st.size) != (zip_int64_t)st.size)
        abort();
    zip_source_close(source);
    zip_source_free(source);
    return (struct str){ptr, st.size};
}

#define ZIP_PART(name, text)                                                                       \
    {                                                                                              \
        (name), STR_INIT(text)                                                                     \
    }
#define ZIP_OF(arena, parts) zip_of((arena), (parts), sizeof(parts) / sizeof(parts)[0], NULL)

#endif
