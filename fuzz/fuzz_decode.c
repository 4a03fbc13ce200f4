/* Any bytes: format_decode() gives UTF-8 without line ends of other systems, or says that it is no
 * text; and what it gave decodes to itself. */
#include "reads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct str text, again;
    const char *encoding;
    size_t n_replaced;
    struct why why = {0};
    enum err err = format_decode((struct str){(const char *)data, size}, arena, &text, &encoding,
                                 &n_replaced, &why);
    if (err && !why.text[0])
        abort();
    if (!err) {
        check_text(text);
        for (size_t i = 0; i < text.len; i++) {
            unsigned char c = (unsigned char)text.ptr[i];
            if (c == 0x7F || (c < 0x20 && c != '\n' && c != '\t'))
                abort();
        }
        if (format_decode(text, arena, &again, &encoding, &n_replaced, &why) ||
            !str_eq(text, again))
            abort();
    }
    arena_free(arena);
    return 0;
}
