/* zip: recognised here; what is inside is read one by one, see read_file.c. */
#include "formats/reader.h"

#include "core/arena.h"
#include "formats/pack.h"

static int detect(struct str bytes, struct str suffix)
{
    (void)suffix;
    return pack_is(bytes) ? 50 : 0;
}

static enum err read_zip(struct str bytes, struct format_out *out)
{
    (void)bytes;
    return format_fail(out, ERR_UNSUPPORTED, "an archive is not one document");
}

const struct format_reader format_reader_zip = {
    .name = "zip",
    .suffixes = " zip ",
    .detect = detect,
    .read = read_zip,
};
