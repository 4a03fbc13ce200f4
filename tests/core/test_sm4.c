/* Seals that hold, with the bytes of SM4 and SM3. */
#include "tap.h"

#include "core/arena.h"
#include "core/hash.h"
#include "core/sm4.h"

#define ROOM ((size_t)1 << 20)

static struct sm4_key key_of(const char *secret)
{
    struct sm4_key key;
    sm4_key_of(str_c(secret), "test", &key);
    return key;
}

TEST(a_value_comes_back_and_equal_values_look_equal)
{
    struct arena *arena = arena_new(ROOM);
    struct sm4_key key = key_of("one"), other = key_of("two");
    static const char *const values[] = {"", "1", "13800138000", "张三",
                                         "a text that is longer than two blocks of the cipher"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct str a = STR(""), b = STR(""), c = STR(""), back = STR("");
        struct why why = {0};
        CHECK_OK(sm4_seal(&key, STR("mobile"), str_c(values[i]), arena, &a, &why), &why);
        CHECK_OK(sm4_seal(&key, STR("mobile"), str_c(values[i]), arena, &b, &why), &why);
        CHECK_OK(sm4_seal(&other, STR("mobile"), str_c(values[i]), arena, &c, &why), &why);
        CHECK(str_eq(a, b) && !str_eq(a, c));
        CHECK_EQ(a.len, strlen(values[i]) + SM4_EXTRA);
        CHECK_OK(sm4_open(&key, STR("mobile"), a, arena, &back, &why), &why);
        CHECK_STR(back, values[i]);
        CHECK_EQ(sm4_open(&other, STR("mobile"), a, arena, &back, NULL), ERR_CORRUPT);
        CHECK_EQ(sm4_open(&key, STR("email"), a, arena, &back, NULL), ERR_CORRUPT);
    }
    arena_free(arena);
}

TEST(every_changed_bit_and_every_cut_shows)
{
    struct arena *arena = arena_new(ROOM);
    struct sm4_key key = key_of("one");
    struct str sealed = STR(""), back;
    CHECK_OK(sm4_seal(&key, STR("x"), STR("13800138000"), arena, &sealed, NULL), NULL);
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        char *copy = arena_copy(arena, sealed.ptr, sealed.len);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        CHECK_EQ(sm4_open(&key, STR("x"), (struct str){copy, sealed.len}, arena, &back, NULL),
                 ERR_CORRUPT);
    }
    for (size_t len = 0; len < sealed.len; len++)
        CHECK_EQ(sm4_open(&key, STR("x"), str_slice(sealed, 0, len), arena, &back, NULL),
                 ERR_CORRUPT);
    arena_free(arena);
}

/* The same bytes as the command line of OpenSSL gives, step by step (dgst -sm3 -mac HMAC, then
 * enc -sm4-ctr), and HMAC-SM3 as an implementation of our own in another language has it. */
TEST(the_bytes_are_those_of_the_standards)
{
    struct arena *arena = arena_new(ROOM);
    struct sm4_key key = key_of("one");
    struct str sealed = STR("");
    uint8_t digest[HASH_BYTES];
    char hex[2 * 64 + 1];
    hash_hmac_sm3(STR("key"), STR("abc"), digest);
    CHECK_STR(str_c(hex_put(digest, HASH_BYTES, hex)),
              "28e63256e7c5a087b1f073265dc53092163f7b82729735d06f28f10af9d52393");
    CHECK_OK(sm4_seal(&key, STR("mobile"), STR("13800138000"), arena, &sealed, NULL), NULL);
    CHECK_STR(str_c(hex_put(sealed.ptr, sealed.len, hex)),
              "fcaf2d41a151ec3dff7be73b86dfc7062c57b45c9593731a4c4a95");
    arena_free(arena);
}

TESTS_MAIN()
