#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/secret.h"
#include "tap.h"

static char dir[64], path[96];

static void fresh(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/yicheng-secret-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/models.key", dir);
}

TEST(what_is_sealed_opens_again_and_nowhere_else)
{
    struct arena *arena = arena_new(1 << 20);
    struct secret_key key, other;
    struct why why = {0};
    struct str sealed, twice, open;
    memset(&key, 7, sizeof key);
    memset(&other, 8, sizeof other);
    struct str text = STR("sk-一城-0123456789");
    CHECK_OK(secret_seal(&key, text, STR("endpoint:1"), arena, &sealed, &why), &why);
    CHECK_OK(secret_seal(&key, text, STR("endpoint:1"), arena, &twice, &why), &why);
    CHECK_EQ(sealed.len, text.len + SECRET_SEAL_EXTRA);
    CHECK(!str_eq(sealed, twice)); /* a fresh nonce each time */
    CHECK(str_find(sealed, STR("sk-")) == STR_NPOS);
    CHECK_OK(secret_open(&key, sealed, STR("endpoint:1"), arena, &open, &why), &why);
    CHECK(str_eq(open, text));
    CHECK_EQ(secret_open(&other, sealed, STR("endpoint:1"), arena, &open, NULL), ERR_CORRUPT);
    CHECK_EQ(secret_open(&key, sealed, STR("endpoint:2"), arena, &open, NULL), ERR_CORRUPT);
    for (size_t i = 0; i < sealed.len; i++) {
        struct str bad = str_copy(arena, sealed);
        ((char *)bad.ptr)[i] ^= 1;
        CHECK_EQ(secret_open(&key, bad, STR("endpoint:1"), arena, &open, NULL), ERR_CORRUPT);
        CHECK_EQ(secret_open(&key, str_slice(sealed, 0, i), STR("endpoint:1"), arena, &open, NULL),
                 ERR_CORRUPT);
    }
    CHECK_OK(secret_seal(&key, STR(""), STR(""), arena, &sealed, &why), &why);
    CHECK_OK(secret_open(&key, sealed, STR(""), arena, &open, &why), &why);
    CHECK_EQ(open.len, 0);
    arena_free(arena);
}

TEST(the_key_file_is_made_once_for_its_owner_only)
{
    struct secret_key a, b;
    struct why why = {0};
    struct stat st;
    fresh();
    CHECK_OK(secret_key_file(path, &a, &why), &why);
    CHECK_OK(secret_key_file(path, &b, &why), &why);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_OK(file_write(path, STR("short"), 0600, &why), &why);
    CHECK_EQ(secret_key_file(path, &b, &why), ERR_CORRUPT);
    CHECK_OK(file_remove(dir, NULL), NULL);
}

/* Eight processes at once end with the same key. */
TEST(makers_at_once_get_the_same_key)
{
    int ends[2];
    struct secret_key first, next;
    fresh();
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            struct secret_key key;
            bool ok = secret_key_file(path, &key, NULL) == ERR_OK &&
                      write(ends[1], &key, sizeof key) == (ssize_t)sizeof key;
            _exit(ok ? 0 : 1);
        }
    int bad = 0, status;
    while (wait(&status) > 0)
        bad += status != 0;
    CHECK_EQ(bad, 0);
    (void)close(ends[1]);
    CHECK_EQ(read(ends[0], &first, sizeof first), sizeof first);
    for (int i = 1; i < 8; i++) {
        CHECK_EQ(read(ends[0], &next, sizeof next), sizeof next);
        CHECK(memcmp(&first, &next, sizeof first) == 0);
    }
    (void)close(ends[0]);
    CHECK_OK(file_remove(dir, NULL), NULL);
}

TEST(a_passphrase_gives_the_same_key_again)
{
    const unsigned char salt[SECRET_SALT_BYTES] = "0123456789abcde",
                        other[SECRET_SALT_BYTES] = "0123456789abcdf";
    struct secret_key a, b, c, d;
    struct why why = {0};
    CHECK_OK(secret_key_from(STR("correct horse battery"), salt, &a, &why), &why);
    CHECK_OK(secret_key_from(STR("correct horse battery"), salt, &b, &why), &why);
    CHECK_OK(secret_key_from(STR("correct horse batterz"), salt, &c, &why), &why);
    CHECK_OK(secret_key_from(STR("correct horse battery"), other, &d, &why), &why);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK(memcmp(&a, &c, sizeof a) != 0);
    CHECK(memcmp(&a, &d, sizeof a) != 0);
    CHECK_EQ(secret_key_from(STR("十一个字的口令短语不够"), salt, &a, &why), ERR_INVALID);
    CHECK_OK(secret_key_from(STR("十二个字的口令短语刚刚好"), salt, &a, &why), &why);
}

TESTS_MAIN()
