/* Sealed streams and archives: the promises of release/capsule.h and release/tar.h. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "release/capsule.h"
#include "release/tar.h"
#include "tap.h"

struct bytes {
    struct buf buf;
    size_t at, step; /* read so many at once; 0: all */
};

static enum err put(void *ctx, struct str bytes, struct why *why)
{
    struct bytes *b = ctx;
    buf_add(&b->buf, bytes);
    return buf_err(&b->buf, why);
}

static enum err get(void *ctx, char *ptr, size_t n, size_t *got, struct why *why)
{
    struct bytes *b = ctx;
    size_t left = b->buf.len - b->at;
    (void)why;
    *got = n < left ? n : left;
    if (b->step && *got > b->step)
        *got = b->step;
    if (*got)
        memcpy(ptr, b->buf.ptr + b->at, *got);
    b->at += *got;
    return ERR_OK;
}

struct pair {
    struct str pub, sec;
};

#define N_BYTES (3 * CAPSULE_CHUNK + 1234)

static void make(enum crypt_suite suite, size_t n, struct arena *arena, struct pair *keys,
                 struct bytes *out)
{
    struct capsule_writer *w = NULL;
    struct why why = {0};
    char *text = arena_bytes(arena, n + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 23);
    struct capsule_head head = {.id = STR("0198f1c2-0000-7000-8000-000000000001"),
                                .release = STR("r"),
                                .title = STR("法律文本"),
                                .from = STR("city"),
                                .to = STR("water"),
                                .manifest = STR("00"),
                                .suite = suite,
                                .uses = 3,
                                .ends_ms = 1800000000000,
                                .created_ms = 1700000000000};
    *out = (struct bytes){0};
    buf_init(&out->buf, arena);
    CHECK_OK(crypt_make(crypt_suite_key(suite), arena, &keys->pub, &keys->sec, &why), &why);
    CHECK_OK(capsule_begin(&head, keys->pub, put, out, &w, &why), &why);
    for (size_t at = 0; at < n; at += 1000)
        CHECK_OK(capsule_add(w, (struct str){text + at, n - at < 1000 ? n - at : 1000}, &why),
                 &why);
    CHECK_OK(capsule_end(w, &why), &why);
    capsule_writer_free(w);
}

/* What comes out of a capsule, *n bytes of it. */
static enum err read_all(struct bytes *in, struct str secret, size_t *n, struct why *why)
{
    struct capsule_reader *r = NULL;
    struct str part;
    *n = 0;
    in->at = 0;
    enum err err = capsule_open(get, in, &r, why);
    if (!err)
        err = capsule_unlock(r, secret, why);
    while (!err) {
        err = capsule_next(r, &part, why);
        if (err || !part.len)
            break;
        for (size_t i = 0; i < part.len; i++)
            CHECK(part.ptr[i] == (char)('a' + (*n + i) % 23));
        *n += part.len;
    }
    capsule_close(r);
    return err;
}

TEST(what_was_closed_opens_for_its_receiver_alone)
{
    static const size_t sizes[] = {0,      1, CAPSULE_CHUNK - 1, CAPSULE_CHUNK, CAPSULE_CHUNK + 1,
                                   N_BYTES};
    for (int s = 0; s < CRYPT_SUITES; s++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct arena *arena = arena_new((size_t)8 << 20);
            struct pair keys, others;
            struct bytes capsule, other;
            struct why why = {0};
            size_t n;
            make((enum crypt_suite)s, sizes[i], arena, &keys, &capsule);
            make((enum crypt_suite)s, 1, arena, &others, &other);
            CHECK_OK(read_all(&capsule, keys.sec, &n, &why), &why);
            CHECK_EQ(n, sizes[i]);
            capsule.step = 777;
            CHECK_OK(read_all(&capsule, keys.sec, &n, &why), &why);
            CHECK_EQ(n, sizes[i]);
            CHECK_EQ(read_all(&capsule, others.sec, &n, NULL), ERR_CORRUPT);
            arena_free(arena);
        }
}

TEST(its_head_says_for_whom_and_how_long)
{
    struct arena *arena = arena_new((size_t)4 << 20);
    struct pair keys;
    struct bytes capsule;
    struct capsule_reader *r = NULL;
    struct why why = {0};
    char id[CRYPT_KEY_ID];
    struct str part;
    make(CRYPT_SUITE_SM, 10, arena, &keys, &capsule);
    CHECK_OK(capsule_open(get, &capsule, &r, &why), &why);
    const struct capsule_head *h = capsule_head(r);
    crypt_key_id(keys.pub, id);
    CHECK_STR(h->to, "water");
    CHECK_STR(h->title, "法律文本");
    CHECK_STR(h->to_key, id);
    CHECK_EQ(h->uses, 3);
    CHECK_EQ(h->ends_ms, 1800000000000);
    CHECK_EQ(h->suite, CRYPT_SUITE_SM);
    CHECK_EQ(capsule_next(r, &part, NULL), ERR_FORBIDDEN);
    capsule_close(r);
    arena_free(arena);
}

/* The chunks begin behind the head. */
static size_t head_end(const struct bytes *b)
{
    const unsigned char *p = (const unsigned char *)b->buf.ptr + 8;
    return 12 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
}

TEST(a_cut_at_any_place_is_refused)
{
    for (int s = 0; s < CRYPT_SUITES; s++) {
        struct arena *arena = arena_new((size_t)8 << 20);
        struct pair keys;
        struct bytes capsule;
        size_t n;
        make((enum crypt_suite)s, N_BYTES, arena, &keys, &capsule);
        size_t whole = capsule.buf.len, from = head_end(&capsule);
        size_t chunk = 4 + CAPSULE_CHUNK + crypt_tag_bytes((enum crypt_suite)s);
        /* At every chunk's border, and beside it; every byte of the head. */
        for (size_t cut = from; cut < whole; cut += chunk)
            for (size_t d = 0; d < 6 && cut + d < whole; d++) {
                capsule.buf.len = cut + d;
                CHECK_EQ(read_all(&capsule, keys.sec, &n, NULL), ERR_CORRUPT);
            }
        for (size_t cut = 0; cut < from; cut++) {
            capsule.buf.len = cut;
            CHECK_EQ(read_all(&capsule, keys.sec, &n, NULL), cut < 12 ? ERR_INVALID : ERR_CORRUPT);
        }
        capsule.buf.len = whole - 1;
        CHECK_EQ(read_all(&capsule, keys.sec, &n, NULL), ERR_CORRUPT);
        capsule.buf.len = whole;
        buf_char(&capsule.buf, 'x');
        CHECK_EQ(read_all(&capsule, keys.sec, &n, NULL), ERR_CORRUPT);
        arena_free(arena);
    }
}

TEST(a_changed_or_moved_part_is_refused)
{
    for (int s = 0; s < CRYPT_SUITES; s++) {
        struct arena *arena = arena_new((size_t)8 << 20);
        struct pair keys, again;
        struct bytes capsule, other;
        size_t n;
        make((enum crypt_suite)s, N_BYTES, arena, &keys, &capsule);
        size_t from = head_end(&capsule);
        size_t chunk = 4 + CAPSULE_CHUNK + crypt_tag_bytes((enum crypt_suite)s);
        for (size_t at = 0; at < capsule.buf.len; at += at < from ? 1 : 4999)
            for (int bit = 0; bit < 8; bit += at < from ? 1 : 3) {
                capsule.buf.ptr[at] ^= (char)(1 << bit);
                CHECK(read_all(&capsule, keys.sec, &n, NULL) != ERR_OK);
                capsule.buf.ptr[at] ^= (char)(1 << bit);
            }
        /* Two chunks swapped, one left out, one twice. */
        char *keep = arena_copy(arena, capsule.buf.ptr, capsule.buf.len);
        size_t whole = capsule.buf.len;
        memcpy(capsule.buf.ptr + from, keep + from + chunk, chunk);
        memcpy(capsule.buf.ptr + from + chunk, keep + from, chunk);
        CHECK_EQ(read_all(&capsule, keys.sec, &n, NULL), ERR_CORRUPT);
        memcpy(capsule.buf.ptr, keep, whole);
        memcpy(capsule.buf.ptr + from, keep + from + chunk, whole - from - chunk);
        capsule.buf.len = whole - chunk;
        CHECK_EQ(read_all(&capsule, keys.sec, &n, NULL), ERR_CORRUPT);
        memcpy(capsule.buf.ptr, keep, whole);
        memcpy(capsule.buf.ptr + from + chunk, keep + from, chunk);
        capsule.buf.len = whole;
        CHECK_EQ(read_all(&capsule, keys.sec, &n, NULL), ERR_CORRUPT);
        /* A chunk of another capsule with the same place. */
        make((enum crypt_suite)s, N_BYTES, arena, &again, &other);
        memcpy(capsule.buf.ptr, keep, whole);
        memcpy(capsule.buf.ptr + from, other.buf.ptr + head_end(&other), chunk);
        CHECK_EQ(read_all(&capsule, keys.sec, &n, NULL), ERR_CORRUPT);
        arena_free(arena);
    }
}

/* ---- archives ---- */

static void archive(struct bytes *out, struct arena *arena)
{
    struct why why = {0};
    static const struct {
        const char *name, *text;
    } files[] = {{"manifest.json", "{}"}, {"empty", ""}, {"shards/00000.jsonl", "{\"id\":1}\n"}};
    *out = (struct bytes){0};
    buf_init(&out->buf, arena);
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(files[i].text);
        CHECK_OK(tar_file(str_c(files[i].name), n, put, out, &why), &why);
        CHECK_OK(put(out, str_c(files[i].text), &why), &why);
        CHECK_OK(tar_pad(n, put, out, &why), &why);
    }
    CHECK_OK(tar_end(put, out, &why), &why);
}

static enum err unpack(const struct bytes *in, const char *dir, size_t step)
{
    struct tar_out out;
    enum err err = ERR_OK;
    tar_out_init(&out, dir);
    for (size_t at = 0; !err && at < in->buf.len; at += step)
        err = tar_take(&out, str_slice(buf_str(&in->buf), at, at + step), NULL);
    if (!err)
        err = tar_done(&out, NULL);
    tar_out_release(&out);
    return err;
}

TEST(an_archive_comes_out_as_it_went_in_and_cut_ones_do_not)
{
    static const size_t steps[] = {1, 7, 512, 100000};
    struct arena *arena = arena_new((size_t)4 << 20);
    struct bytes tar;
    struct str text;
    archive(&tar, arena);
    for (size_t i = 0; i < 4; i++) {
        char dir[] = "/tmp/yicheng-tar-XXXXXX";
        CHECK(mkdtemp(dir) != NULL);
        CHECK_EQ(unpack(&tar, dir, steps[i]), ERR_OK);
        CHECK_EQ(file_read(file_join(arena, dir, "shards/00000.jsonl"), 100, arena, &text, NULL),
                 ERR_OK);
        CHECK_STR(text, "{\"id\":1}\n");
        CHECK_EQ(unpack(&tar, dir, 512), ERR_IO); /* it is there already */
        CHECK_EQ(file_remove(dir, NULL), ERR_OK);
    }
    for (size_t cut = 0; cut < tar.buf.len; cut += 64) {
        char dir[] = "/tmp/yicheng-tar-XXXXXX";
        struct bytes part = tar;
        part.buf.len = cut;
        CHECK(mkdtemp(dir) != NULL);
        CHECK_EQ(unpack(&part, dir, 300), ERR_CORRUPT);
        CHECK_EQ(file_remove(dir, NULL), ERR_OK);
    }
    arena_free(arena);
}

TEST(nothing_is_written_outside_the_folder)
{
    static const char *const names[] = {"../x", "/etc/x", "a/../b", "",     "a//b", ".x",
                                        "a/.b", "a/",     "a b",    "a\\b", "a\nb"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK(!tar_name_ok(str_c(names[i])));
    struct arena *arena = arena_new((size_t)4 << 20);
    struct bytes tar;
    char dir[] = "/tmp/yicheng-tar-XXXXXX";
    archive(&tar, arena);
    CHECK(mkdtemp(dir) != NULL);
    /* A name that leads out, under a right checksum. */
    unsigned sum = 0;
    memcpy(tar.buf.ptr, "../ifest.json", 13);
    memset(tar.buf.ptr + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)tar.buf.ptr[i];
    (void)snprintf(tar.buf.ptr + 148, 8, "%06o", sum);
    CHECK_EQ(unpack(&tar, dir, 512), ERR_CORRUPT);
    CHECK(!file_exists("/tmp/ifest.json"));
    CHECK_EQ(file_remove(dir, NULL), ERR_OK);
    arena_free(arena);
}

TESTS_MAIN()
