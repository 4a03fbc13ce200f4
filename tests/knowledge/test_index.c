/* What index.h promises. */
#include "tap.h"

#include "core/arena.h"
#include "core/file.h"
#include "knowledge/index.h"
#include "knowledge/tokens.h"

#include <unistd.h>

static char folder[] = "/tmp/yicheng-index-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int turn;
    char *path = paths[turn++ % 4];
    static bool made; /* not by the X's: a name that mkdtemp made may hold one */
    if (!made)
        CHECK(mkdtemp(folder) != NULL);
    made = true;
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

struct row {
    const char *version, *title, *label, *path, *text;
};

static const struct row law[] = {
    {"v1", "中华人民共和国劳动合同法", "第一条", "第一章 总则", "为了完善劳动合同制度，制定本法。"},
    {"v1", "中华人民共和国劳动合同法", "第三十七条", "第四章 解除",
     "劳动者提前三十日以书面形式通知用人单位，可以解除劳动合同。"},
    {"v2", "云汀市条例", "第二条", "",
     "本市用人单位执行《中华人民共和国劳动合同法》和《劳动法》，合同合同。"},
};

static enum err write_rows(const char *path, const struct row *rows, size_t n, size_t memory,
                           struct index_info *info, struct why *why)
{
    struct index_writer *writer;
    enum err err = index_writer_new(path, memory, &writer, why);
    if (err)
        return err;
    uint32_t version = 0;
    for (size_t i = 0; !err && i < n; i++) {
        if (!i || strcmp(rows[i].version, rows[i - 1].version) != 0)
            err = index_writer_version(writer, rows[i].version, &version, why);
        struct index_passage p = {.version = version,
                                  .number = (uint32_t)i,
                                  .kind = PASSAGE_ARTICLE,
                                  .start = i * 1000,
                                  .len = strlen(rows[i].text),
                                  .body = 3,
                                  .article = (uint32_t)i + 1,
                                  .title = str_c(rows[i].title),
                                  .label = str_c(rows[i].label),
                                  .path = str_c(rows[i].path),
                                  .text = str_c(rows[i].text)};
        if (!err)
            err = index_writer_add(writer, &p, why);
    }
    if (!err)
        err = index_writer_commit(writer, info, why);
    index_writer_free(writer);
    return err;
}

static uint64_t term_of(const char *text)
{
    struct tokens tokens;
    uint64_t term = 0, last = 0;
    tokens_init(&tokens, str_c(text), false);
    while (tokens_next(&tokens, &term))
        last = term;
    return last;
}

static size_t find_all(const struct index *index, uint64_t term, uint32_t *passages,
                       uint32_t *times)
{
    struct index_postings p;
    size_t n = 0;
    if (index_find(index, term, &p))
        while (index_next(&p, &passages[n], &times[n]))
            n++;
    return n;
}

TEST(gives_back_what_was_added)
{
    struct index_info info;
    struct index *index = NULL;
    struct why why = {0};
    CHECK_OK(write_rows(path_of("a.seg"), law, 3, 64 << 20, &info, &why), &why);
    CHECK_EQ(info.n_versions, 2);
    CHECK_EQ(info.n_passages, 3);
    CHECK_EQ(strlen(info.sha256), HASH_TEXT - 1);
    CHECK_OK(index_open(path_of("a.seg"), &index, &why), &why);
    for (uint32_t i = 0; i < 3; i++) {
        struct index_passage p;
        index_get(index, i, &p);
        CHECK_STR(p.text, law[i].text);
        CHECK_STR(p.title, law[i].title);
        CHECK_STR(p.label, law[i].label);
        CHECK_STR(p.path, law[i].path);
        CHECK_EQ(p.start, i * 1000);
        CHECK_EQ(p.len, strlen(law[i].text));
        CHECK_EQ(p.body, 3);
        CHECK_EQ(p.article, i + 1);
        CHECK_EQ(p.number, i);
        CHECK_EQ(p.version, i == 2);
        CHECK_STR(index_version_id(index, p.version), law[i].version);
    }
    struct index_facts facts;
    index_facts(index, 1, &facts);
    CHECK_EQ(facts.order, 1);
    CHECK_EQ(facts.of, 2);
    CHECK_EQ(facts.looks, 0);
    index_facts(index, 0, &facts);
    CHECK_EQ(facts.looks, INDEX_PURPOSE | INDEX_GENERAL);
    index_close(index);
}

TEST(lists_every_term_of_title_headings_label_and_text)
{
    struct index *index;
    struct why why = {0};
    uint32_t at[8], times[8];
    CHECK_OK(index_open(path_of("a.seg"), &index, &why), &why);
    CHECK_EQ(find_all(index, term_of("合同"), at, times), 3);
    CHECK_EQ(at[2], 2);
    CHECK_EQ(times[2], 3); /* once in the cited title, twice at the end */
    CHECK_EQ(find_all(index, term_of("云汀"), at, times), 1); /* title */
    CHECK_EQ(at[0], 2);
    CHECK_EQ(find_all(index, term_of("四章"), at, times), 1); /* headings */
    CHECK_EQ(at[0], 1);
    CHECK_EQ(find_all(index, term_of("电脑"), at, times), 0);
    uint64_t article = (uint64_t)TOKENS_ARTICLE << 60 | 37 << 8;
    CHECK_EQ(find_all(index, article, at, times), 1);
    CHECK_EQ(at[0], 1);
    for (uint32_t i = 1; i < index_n_terms(index); i++)
        CHECK(index_term(index, i - 1) < index_term(index, i));
    index_close(index);
}

TEST(counts_cited_titles)
{
    struct index *index;
    struct why why = {0};
    CHECK_OK(index_open(path_of("a.seg"), &index, &why), &why);
    CHECK_EQ(index_n_cited(index), 2);
    bool found = false;
    for (size_t i = 0; i < index_n_cited(index); i++) {
        uint64_t title;
        uint32_t times;
        index_cited_at(index, i, &title, &times);
        CHECK_EQ(times, 1);
        found = found || title == tokens_title_hash(STR("劳动合同法"));
    }
    CHECK(found);
    index_close(index);
}

TEST(leaves_nothing_without_commit)
{
    struct index_writer *writer;
    uint32_t version;
    struct why why = {0};
    CHECK_OK(index_writer_new(path_of("gone.seg"), 1 << 20, &writer, &why), &why);
    CHECK_OK(index_writer_version(writer, "v1", &version, &why), &why);
    index_writer_free(writer);
    CHECK(!file_exists(path_of("gone.seg")));
    CHECK(!file_exists(path_of("gone.seg.part")));
}

TEST(refuses_to_outgrow_its_memory)
{
    struct index_writer *writer;
    uint32_t version;
    struct why why = {0};
    CHECK_OK(index_writer_new(path_of("big.seg"), 400000, &writer, &why), &why);
    CHECK_OK(index_writer_version(writer, "v1", &version, &why), &why);
    CHECK(!index_writer_full(writer));
    enum err err = ERR_OK;
    bool full = false;
    for (uint32_t i = 0; !err && i < 100000; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "word%u other%u third%u", i, i, i);
        struct index_passage p = {.version = version, .number = i, .text = str_c(text)};
        full = index_writer_full(writer);
        err = index_writer_add(writer, &p, &why);
    }
    CHECK_EQ(err, ERR_NO_MEMORY);
    CHECK(full);
    index_writer_free(writer);
    CHECK(!file_exists(path_of("big.seg")));
}

static enum err count_version(void *ctx, const char *id, uint32_t n, struct why *why)
{
    (void)why;
    uint32_t *counts = ctx;
    counts[id[1] - '1'] += n;
    return ERR_OK;
}

TEST(verifies_and_finds_a_planted_change)
{
    struct arena *arena = arena_new(16 << 20);
    struct index_info made, seen;
    struct str bytes;
    struct why why = {0};
    uint32_t counts[2] = {0};
    CHECK_OK(write_rows(path_of("b.seg"), law, 3, 64 << 20, &made, &why), &why);
    CHECK_OK(index_verify(path_of("b.seg"), &seen, count_version, counts, &why), &why);
    CHECK(strcmp(made.sha256, seen.sha256) == 0 && made.bytes == seen.bytes);
    CHECK(counts[0] == 2 && counts[1] == 1);
    CHECK_OK(file_read(path_of("b.seg"), 16 << 20, arena, &bytes, &why), &why);
    size_t missed = 0, opened = 0;
    for (size_t i = 0; i < bytes.len; i += 7) {
        char *copy = arena_copy(arena, bytes.ptr, bytes.len);
        copy[i] ^= 0x10;
        CHECK_OK(file_write(path_of("c.seg"), (struct str){copy, bytes.len}, 0640, &why), &why);
        struct why bad = {0};
        enum err err = index_verify(path_of("c.seg"), &seen, NULL, NULL, &bad);
        opened += err == ERR_OK;
        missed += err == ERR_OK && strcmp(made.sha256, seen.sha256) == 0;
        CHECK(err == ERR_OK || err == ERR_CORRUPT);
        arena_reset(arena);
        CHECK_OK(file_read(path_of("b.seg"), 16 << 20, arena, &bytes, &why), &why);
    }
    CHECK_EQ(missed, 0);
    CHECK(opened < 20); /* bytes of padding only */
    arena_free(arena);
}

TEST(a_cut_file_is_corrupt)
{
    struct arena *arena = arena_new(16 << 20);
    struct str bytes;
    struct why why = {0};
    CHECK_OK(file_read(path_of("b.seg"), 16 << 20, arena, &bytes, &why), &why);
    for (size_t len = 0; len < bytes.len; len += 97) {
        struct index *index;
        uint64_t *copy = arena_alloc(arena, len + 8);
        memcpy(copy, bytes.ptr, len);
        struct why bad = {0};
        CHECK_EQ(index_open_bytes(copy, len, &index, &bad), ERR_CORRUPT);
        CHECK(bad.text[0] != '\0');
    }
    arena_free(arena);
}

static bool only_v2(void *ctx, size_t i, const char *id)
{
    (void)ctx, (void)i;
    return strcmp(id, "v2") == 0;
}

TEST(merges_what_is_alive)
{
    struct index_info info;
    struct index *index;
    struct why why = {0};
    uint32_t at[8], times[8];
    CHECK_OK(write_rows(path_of("m1.seg"), law, 2, 64 << 20, &info, &why), &why);
    CHECK_OK(write_rows(path_of("m2.seg"), law, 3, 64 << 20, &info, &why), &why);
    const char *paths[] = {path_of("m1.seg"), path_of("m2.seg")};
    CHECK_OK(index_merge(paths, 2, only_v2, NULL, path_of("m.seg"), &info, &why), &why);
    CHECK_EQ(info.n_passages, 1);
    CHECK_OK(index_open(path_of("m.seg"), &index, &why), &why);
    struct index_passage p;
    index_get(index, 0, &p);
    CHECK_STR(p.text, law[2].text);
    CHECK_EQ(p.number, 2);
    CHECK_EQ(find_all(index, term_of("合同"), at, times), 1);
    CHECK_EQ(find_all(index, term_of("四章"), at, times), 0);
    index_close(index);
}

TEST(an_empty_segment_is_fine)
{
    struct index_info info;
    struct index *index;
    struct index_postings p;
    struct why why = {0};
    CHECK_OK(write_rows(path_of("e.seg"), law, 0, 64 << 20, &info, &why), &why);
    CHECK_OK(index_open(path_of("e.seg"), &index, &why), &why);
    CHECK_EQ(index_n_passages(index), 0);
    CHECK_EQ(index_find(index, term_of("合同"), &p), 0);
    index_close(index);
    CHECK_OK(file_remove(folder, &why), &why);
}

TESTS_MAIN()
