#include "core/hash.h"
#include "core/secret.h"
#include "tap.h"

TEST(gives_the_published_digests)
{
    uint8_t d[HASH_BYTES];
    char text[HASH_TEXT];
    /* FIPS 180-4 and GB/T 32905-2016 appendix A, both of "abc" */
    hash_of(HASH_SHA256, STR("abc"), d);
    CHECK_STR(str_c(hex_put(d, sizeof d, text)),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_of(HASH_SM3, STR("abc"), d);
    CHECK_STR(str_c(hex_put(d, sizeof d, text)),
              "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    struct hash *h = hash_new(HASH_SM3);
    hash_add(h, "a", 1);
    hash_add(h, "bc", 2);
    uint8_t again[HASH_BYTES], back[HASH_BYTES];
    hash_end(h, again);
    hash_free(h);
    CHECK(memcmp(d, again, sizeof d) == 0);
    CHECK(hex_get(str_c(text), back, sizeof back) && memcmp(d, back, sizeof d) == 0);
    CHECK(!hex_get(STR("zz"), back, 1));
}

TEST(identifiers_are_ordered_and_well_formed)
{
    char last[UUID_TEXT] = "", id[UUID_TEXT];
    for (int i = 0; i < 20000; i++) {
        uuid7(id);
        if (!uuid_valid(str_c(id)) || id[14] != '7' || strcmp(last, id) >= 0)
            CHECK(!"a UUID out of order or malformed");
        memcpy(last, id, sizeof id);
    }
    CHECK(!uuid_valid(STR("not-a-uuid")));
}

TEST(the_table_hash_is_stable)
{
    CHECK_EQ(hash64("yicheng", 7, 0), hash64("yicheng", 7, 0));
    CHECK(hash64("yicheng", 7, 0) != hash64("yicheng", 7, 1));
    CHECK(hash64("a", 1, 0) != hash64("a\0", 2, 0));
    /* Files hold these values: computed once with the bytes read one by one. */
    static const char text[] = "一城 one city, thirty-three bytes";
    uint64_t all = 0;
    for (size_t n = 0; n <= 33; n++)
        all = all * 31 + hash64(text, n, 7);
    CHECK_EQ(all, -4218579111244796817LL);
}

TEST(passwords_verify_and_tokens_differ)
{
    char hash[SECRET_PASSWORD_HASH], a[SECRET_TOKEN_TEXT], b[SECRET_TOKEN_TEXT];
    CHECK_OK(secret_hash_password(STR("correct horse"), hash, NULL), NULL);
    CHECK(strncmp(hash, "$argon2id$", 10) == 0);
    CHECK(secret_verify_password(STR("correct horse"), hash));
    CHECK(!secret_verify_password(STR("Correct horse"), hash));
    CHECK_EQ(strlen(secret_token(a)), 43);
    CHECK(strcmp(a, secret_token(b)) != 0);
    CHECK(secret_equal(STR("x"), STR("x")) && !secret_equal(STR("x"), STR("y")) &&
          !secret_equal(STR("x"), STR("xx")));
}

TESTS_MAIN()
