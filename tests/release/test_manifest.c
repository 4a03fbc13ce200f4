/* Manifests and their signatures: the promises of release/manifest.h. */
#include "core/arena.h"
#include "release/manifest.h"
#include "tap.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct manifest sample(struct arena *arena)
{
    struct manifest m = {.id = STR("r-1"),
                         .name = STR("laws"),
                         .title = STR("法律"),
                         .tenant = STR("city"),
                         .dataset = STR("laws"),
                         .version = 3,
                         .version_manifest = STR(HEX64),
                         .record_kind = STR("text"),
                         .grade = STR("public"),
                         .gate = STR("g-1"),
                         .created_at = STR("2026-11-22T08:00:00+08:00"),
                         .n_records = 7,
                         .n_bytes = 300};
    m.files = arena_array(arena, struct manifest_file, 3);
    m.files[m.n++] = (struct manifest_file){STR("card.json"), STR(HEX64), STR(HEX64), 100, -1};
    m.files[m.n++] =
        (struct manifest_file){STR("shards/000000.jsonl"), STR(HEX64), STR(HEX64), 200, 7};
    return m;
}

TEST(a_manifest_comes_back_as_it_was)
{
    struct arena *arena = arena_new((size_t)4 << 20);
    struct manifest m = sample(arena), back;
    struct str text;
    struct why why = {0};
    CHECK_OK(manifest_write(&m, arena, &text, &why), &why);
    CHECK_OK(manifest_read(text, arena, &back, &why), &why);
    CHECK_STR(back.title, "法律");
    CHECK_EQ(back.n, 2);
    CHECK_EQ(back.files[0].n_records, -1);
    CHECK_EQ(back.files[1].n_records, 7);
    arena_free(arena);
}

TEST(what_says_the_same_in_other_bytes_is_refused)
{
    static const struct {
        const char *from, *to;
    } changes[] = {
        {"{\"format\":1,", "{ \"format\":1,"}, /* a space */
        {"\"version\":3", "\"version\":3.0"},  /* another spelling */
        {"\"title\":\"法律\"", "\"title\":\"\\u6cd5\\u5f8b\""},
        {"\"n_records\":7}", "\"n_records\":7,\"x\":1}"}, /* an unknown member */
        {"card.json", "../d.json"},
        {"card.json", "tard.json"}, /* out of order */
        {"\"n_records\":7,\"n_bytes\"", "\"n_records\":8,\"n_bytes\""},
        {"\"sha256\":\"0", "\"sha256\":\"x"},
        {"\"n_bytes\":200", "\"n_bytes\":-1"},
        {"yicheng-release", "yicheng-capsule"},
    };
    struct arena *arena = arena_new((size_t)4 << 20);
    struct manifest m = sample(arena), back;
    struct str text;
    CHECK_EQ(manifest_write(&m, arena, &text, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct buf buf;
        size_t at = str_find(text, str_c(changes[i].from));
        CHECK(at != STR_NPOS);
        buf_init(&buf, arena);
        buf_add(&buf, str_slice(text, 0, at));
        buf_add_c(&buf, changes[i].to);
        buf_add(&buf, str_from(text, at + strlen(changes[i].from)));
        CHECK_EQ(manifest_read(buf_str(&buf), arena, &back, NULL), ERR_CORRUPT);
    }
    CHECK_EQ(manifest_read(str_slice(text, 0, text.len - 1), arena, &back, NULL), ERR_CORRUPT);
    arena_free(arena);
}

TEST(no_bit_of_manifest_or_signatures_can_be_flipped)
{
    static const enum crypt_kind kinds[MANIFEST_SIGNATURES] = {CRYPT_SM2, CRYPT_ED25519};
    struct arena *arena = arena_new((size_t)512 << 20);
    struct manifest m = sample(arena);
    struct manifest_signature sigs[MANIFEST_SIGNATURES], got[MANIFEST_SIGNATURES];
    struct str text, sig, secret;
    struct why why = {0};
    CHECK_OK(manifest_write(&m, arena, &text, &why), &why);
    for (size_t i = 0; i < MANIFEST_SIGNATURES; i++) {
        CHECK_OK(crypt_make(kinds[i], arena, &sigs[i].public_der, &secret, &why), &why);
        CHECK_OK(crypt_sign(kinds[i], secret, text, arena, &sigs[i].signature, &why), &why);
    }
    CHECK_OK(signatures_write(text, sigs, arena, &sig, &why), &why);
    CHECK_OK(signatures_check(text, sig, arena, got, &why), &why);
    struct arena *one = arena_new((size_t)4 << 20);
    for (size_t bit = 0; bit < sig.len * 8; bit++) {
        arena_reset(one);
        char *copy = arena_copy(one, sig.ptr, sig.len);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        CHECK_EQ(signatures_check(text, (struct str){copy, sig.len}, one, got, NULL), ERR_CORRUPT);
    }
    for (size_t bit = 0; bit < text.len * 8; bit++) {
        arena_reset(one);
        char *copy = arena_copy(one, text.ptr, text.len);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        CHECK_EQ(signatures_check((struct str){copy, text.len}, sig, one, got, NULL), ERR_CORRUPT);
    }
    arena_free(one);
    arena_free(arena);
}

TESTS_MAIN()
