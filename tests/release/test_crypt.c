/* Signatures, wrapped keys and sealed chunks: the promises of release/crypt.h. */
#include "core/arena.h"
#include "release/crypt.h"
#include "tap.h"

static void pair(enum crypt_kind kind, struct arena *arena, struct str *pub, struct str *sec)
{
    struct why why = {0};
    CHECK_OK(crypt_make(kind, arena, pub, sec, &why), &why);
}

static struct str changed(struct arena *arena, struct str s, size_t bit)
{
    struct str copy = str_copy(arena, s);
    ((char *)copy.ptr)[bit / 8] ^= (char)(1 << bit % 8);
    return copy;
}

TEST(a_signature_holds_for_its_text_and_its_key_alone)
{
    static const enum crypt_kind kinds[] = {CRYPT_SM2, CRYPT_ED25519};
    struct arena *arena = arena_new((size_t)16 << 20);
    struct why why = {0};
    struct str text = STR("{\"format\":1,\"name\":\"法律\"}");
    for (size_t k = 0; k < 2; k++) {
        struct str pub, sec, other, other_sec, sig;
        pair(kinds[k], arena, &pub, &sec);
        pair(kinds[k], arena, &other, &other_sec);
        CHECK_OK(crypt_sign(kinds[k], sec, text, arena, &sig, &why), &why);
        CHECK_OK(crypt_verify(kinds[k], pub, text, sig, &why), &why);
        CHECK_EQ(crypt_verify(kinds[k], other, text, sig, NULL), ERR_CORRUPT);
        for (size_t bit = 0; bit < text.len * 8; bit++)
            CHECK_EQ(crypt_verify(kinds[k], pub, changed(arena, text, bit), sig, NULL),
                     ERR_CORRUPT);
        for (size_t bit = 0; bit < sig.len * 8; bit++)
            CHECK_EQ(crypt_verify(kinds[k], pub, text, changed(arena, sig, bit), NULL),
                     ERR_CORRUPT);
        for (size_t bit = 0; bit < pub.len * 8; bit++)
            CHECK(crypt_verify(kinds[k], changed(arena, pub, bit), text, sig, NULL) != ERR_OK);
        for (size_t cut = 0; cut < sig.len; cut++)
            CHECK_EQ(crypt_verify(kinds[k], pub, text, str_slice(sig, 0, cut), NULL), ERR_CORRUPT);
        CHECK_EQ(crypt_verify(kinds[1 - k], pub, text, sig, NULL), ERR_INVALID);
    }
    arena_free(arena);
}

TEST(a_public_key_goes_through_pem)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    for (int k = 0; k < CRYPT_KINDS; k++) {
        struct str pub, sec, pem, back;
        enum crypt_kind kind;
        struct why why = {0};
        pair((enum crypt_kind)k, arena, &pub, &sec);
        CHECK_OK(crypt_pem(pub, arena, &pem, &why), &why);
        CHECK(str_starts(pem, STR("-----BEGIN PUBLIC KEY-----\n")));
        CHECK_OK(crypt_read_pem(pem, arena, &back, &kind, &why), &why);
        CHECK_EQ(kind, k);
        CHECK(str_eq(pub, back));
        CHECK_EQ(crypt_read_pem(str_slice(pem, 0, pem.len / 2), arena, &back, &kind, NULL),
                 ERR_INVALID);
        CHECK_EQ(crypt_check_public((enum crypt_kind)k, pub, &why), ERR_OK);
        CHECK_EQ(crypt_check_public((enum crypt_kind)((k + 1) % CRYPT_KINDS), pub, NULL),
                 ERR_INVALID);
    }
    arena_free(arena);
}

TEST(a_key_is_wrapped_for_one_receiver)
{
    struct arena *arena = arena_new((size_t)4 << 20);
    for (int s = 0; s < CRYPT_SUITES; s++) {
        enum crypt_suite suite = (enum crypt_suite)s;
        struct str pub, sec, other, other_sec, wrapped;
        unsigned char key[CRYPT_CONTENT_KEY], back[CRYPT_CONTENT_KEY];
        struct why why = {0};
        pair(crypt_suite_key(suite), arena, &pub, &sec);
        pair(crypt_suite_key(suite), arena, &other, &other_sec);
        random_bytes(key, sizeof key);
        CHECK_OK(crypt_wrap(suite, pub, key, STR("capsule 1"), arena, &wrapped, &why), &why);
        CHECK_OK(crypt_unwrap(suite, sec, wrapped, STR("capsule 1"), back, &why), &why);
        CHECK(memcmp(key, back, sizeof key) == 0);
        CHECK_EQ(crypt_unwrap(suite, other_sec, wrapped, STR("capsule 1"), back, NULL),
                 ERR_CORRUPT);
        for (size_t bit = 0; bit < wrapped.len * 8; bit += 3)
            CHECK_EQ(crypt_unwrap(suite, sec, changed(arena, wrapped, bit), STR("capsule 1"), back,
                                  NULL),
                     ERR_CORRUPT);
        CHECK_EQ(crypt_unwrap(suite, sec, str_slice(wrapped, 0, wrapped.len - 1), STR("capsule 1"),
                              back, NULL),
                 ERR_CORRUPT);
        CHECK_EQ(crypt_wrap(suite, STR("no key"), key, STR(""), arena, &wrapped, NULL),
                 ERR_INVALID);
    }
    arena_free(arena);
}

TEST(a_chunk_opens_in_its_place_alone)
{
    struct arena *arena = arena_new((size_t)4 << 20);
    for (int s = 0; s < CRYPT_SUITES; s++) {
        unsigned char key[CRYPT_CONTENT_KEY], tag[CRYPT_TAG_MOST], sealed[100], open[100];
        uint8_t head[HASH_BYTES], other[HASH_BYTES] = {1};
        struct why why = {0};
        struct str text = STR("第一条 为了保障公民的权利");
        random_bytes(key, sizeof key);
        random_bytes(head, sizeof head);
        struct crypt_chunk c = {(enum crypt_suite)s, key, head, 3, false};
        CHECK_OK(crypt_seal(&c, text, sealed, tag, &why), &why);
        struct str in = {(char *)sealed, text.len};
        CHECK(memcmp(sealed, text.ptr, text.len) != 0);
        CHECK_OK(crypt_open(&c, in, tag, open, &why), &why);
        CHECK(memcmp(open, text.ptr, text.len) == 0);
        struct crypt_chunk next = c, last = c, moved = c;
        next.number = 4;
        last.last = true;
        moved.head = other;
        CHECK_EQ(crypt_open(&next, in, tag, open, NULL), ERR_CORRUPT);
        CHECK_EQ(crypt_open(&last, in, tag, open, NULL), ERR_CORRUPT);
        CHECK_EQ(crypt_open(&moved, in, tag, open, NULL), ERR_CORRUPT);
        CHECK_EQ(crypt_open(&c, str_slice(in, 0, in.len - 1), tag, open, NULL), ERR_CORRUPT);
        for (size_t bit = 0; bit < text.len * 8; bit++)
            CHECK_EQ(crypt_open(&c, changed(arena, in, bit), tag, open, NULL), ERR_CORRUPT);
        for (size_t bit = 0; bit < crypt_tag_bytes(c.suite) * 8; bit++) {
            struct str t = changed(arena, (struct str){(char *)tag, crypt_tag_bytes(c.suite)}, bit);
            CHECK_EQ(crypt_open(&c, in, (const unsigned char *)t.ptr, open, NULL), ERR_CORRUPT);
        }
    }
    arena_free(arena);
}

TESTS_MAIN()
