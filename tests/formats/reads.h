/* tests/formats/reads - what the tests of this room share. */
#ifndef TESTS_FORMATS_READS_H
#define TESTS_FORMATS_READS_H

#include "core/arena.h"
#include "formats/formats.h"
#include "tap.h"

#define ROOM ((size_t)256 << 20)

#if defined(__SANITIZE_ADDRESS__)
#define READS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define READS_ASAN 1
#endif
#endif
#ifndef READS_ASAN
#define READS_ASAN 0
#endif

/* The plain text of one document in memory; "" and a failed check when it cannot be read. */
__attribute__((unused)) static struct str text_of(struct arena *arena, struct str bytes,
                                                  const char *name, struct format_document *doc)
{
    struct why why = {0};
    struct str text = STR("");
    CHECK_OK(format_read(bytes, str_c(name), NULL, arena, doc, &why), &why);
    if (!why.text[0])
        CHECK_OK(format_text(doc, arena, &text, NULL, &why), &why);
    return text;
}

/* Checks that reading fails like that, with words, and that the result is left alone. */
__attribute__((unused)) static void check_refused(struct str bytes, const char *name,
                                                  const struct format_limits *limits,
                                                  enum err expected, const char *words)
{
    struct arena *arena = arena_new(ROOM);
    struct why why = {0};
    struct format_document doc = {.n_blocks = 99};
    enum err err = format_read(bytes, str_c(name), limits, arena, &doc, &why);
    CHECK_EQ(err, expected);
    CHECK_EQ(doc.n_blocks, 99);
    if (!strstr(why.text, words) && !strstr(why.hint, words))
        printf("# %s: \"%s\" does not say \"%s\"\n", name, why.text, words);
    CHECK(strstr(why.text, words) || strstr(why.hint, words));
    arena_free(arena);
}

#endif
