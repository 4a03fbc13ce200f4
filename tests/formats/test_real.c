/* Real data, when it is on this machine. */
#include "formats/reads.h"

#include "core/file.h"
#include "core/time.h"

struct seen {
    size_t n_docs, n_failed, n_records, n_headings;
    bool odd; /* a document without title or text */
};

static enum err see(void *ctx, const struct format_document *doc, struct str raw, struct why *why)
{
    struct seen *seen = ctx;
    (void)raw, (void)why;
    seen->n_docs++;
    for (size_t i = 0; i < doc->n_blocks; i++) {
        seen->n_records += doc->blocks[i].kind == FORMAT_RECORD;
        seen->n_headings += doc->blocks[i].kind == FORMAT_HEADING;
    }
    seen->odd = seen->odd || doc->n_replaced > 0;
    return ERR_OK;
}

static void miss(void *ctx, struct str path, enum err err, const struct why *why)
{
    struct seen *seen = ctx;
    seen->n_failed++;
    CHECK(err != ERR_OK && why->text[0] && path.len);
}

static enum err walk(void *ctx, const char *path, struct str relative, struct why *why)
{
    return format_read_file(path, relative, NULL, ROOM, see, miss, ctx, why);
}

TEST(all_laws_are_read_in_seconds)
{
    const char *path = tap_dataset("laws");
    if (!path)
        SKIP("no data set laws");
    struct seen seen = {0};
    struct why why = {0};
    int64_t start = time_mono_ns();
    CHECK_OK(file_walk(path, 9, walk, &seen, &why), &why);
    CHECK_EQ(seen.n_docs, 2612);
    CHECK_EQ(seen.n_failed, 6); /* the databases beside them */
    CHECK(!seen.odd);
    CHECK(seen.n_headings > 15000);
    CHECK(time_mono_ns() - start < 30000000000LL); /* half a second when nothing else runs */
}

TEST(service_guides_are_records_of_42_fields)
{
    const char *path = tap_dataset("service-guides/data/policy.json");
    if (!path)
        SKIP("no data set service-guides");
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    struct str bytes;
    struct why why = {0};
    CHECK_OK(file_read(path, 1 << 23, arena, &bytes, &why), &why);
    CHECK_OK(format_read(bytes, STR("policy.json"), NULL, arena, &doc, &why), &why);
    CHECK_STR(str_c(doc.format), "jsonl");
    CHECK_EQ(doc.n_blocks, 2262);
    size_t n_named = 0;
    for (size_t i = 0; i < doc.n_blocks; i++) {
        for (size_t f = 0; f < doc.blocks[i].n_fields; f++)
            n_named += str_eq_c(doc.blocks[i].fields[f].name, "TASK_NAME");
    }
    CHECK_EQ(n_named, 2262);
    CHECK_EQ(doc.blocks[0].n_fields, 42);
    arena_free(arena);
}

TEST(models_are_refused)
{
    const char *path = tap_dataset("gguf-vocab/models");
    if (!path)
        SKIP("no data set gguf-vocab");
    struct seen seen = {0};
    struct why why = {0};
    CHECK_OK(file_walk(path, 9, walk, &seen, &why), &why);
    CHECK(seen.n_failed > 0);
}

TESTS_MAIN()
