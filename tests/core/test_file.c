#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "tap.h"

static char root[64];

static const char *at(struct arena *arena, const char *name)
{
    return file_join(arena, root, name);
}

TEST(writes_whole_and_reads_back)
{
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    struct str text;
    (void)snprintf(root, sizeof root, "/tmp/yicheng-file-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    CHECK_OK(file_make_dirs(at(arena, "a/b/c"), &why), &why);
    CHECK_OK(file_write(at(arena, "a/b/c/f"), STR("one"), 0600, &why), &why);
    CHECK_OK(file_write(at(arena, "a/b/c/f"), STR("second"), 0600, &why), &why);
    CHECK_OK(file_read(at(arena, "a/b/c/f"), 100, arena, &text, &why), &why);
    CHECK_STR(text, "second");
    CHECK_EQ(file_read(at(arena, "a/b/c/f"), 5, arena, &text, &why), ERR_TOO_LARGE);
    CHECK_EQ(file_read(at(arena, "missing"), 5, arena, &text, NULL), ERR_NOT_FOUND);
    CHECK_EQ(file_read(root, 5, arena, &text, NULL), ERR_INVALID);
    CHECK_STR(file_suffix(STR("a/b.c/x.tar.gz")), "gz");
    CHECK_STR(file_suffix(STR("a/.hidden")), "");
    arena_free(arena);
}

static enum err each(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct buf *seen = ctx;
    (void)path, (void)why;
    buf_add(seen, relative);
    buf_char(seen, ' ');
    return ERR_OK;
}

TEST(walks_in_order_and_follows_no_links)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf seen;
    buf_init(&seen, arena);
    CHECK_OK(file_write(at(arena, "a/z"), STR(""), 0600, NULL), NULL);
    CHECK_OK(file_write(at(arena, "a/a"), STR(""), 0600, NULL), NULL);
    CHECK_EQ(symlink("/etc", at(arena, "a/link")), 0);
    CHECK_OK(file_walk(at(arena, "a"), 8, each, &seen, NULL), NULL);
    CHECK_STR(buf_str(&seen), "a b/c/f z ");
    CHECK_EQ(file_walk(at(arena, "a"), 1, each, &seen, NULL), ERR_INVALID);
    arena_free(arena);
}

TEST(a_lock_has_one_holder)
{
    struct arena *arena = arena_new(1 << 20);
    int fd = -1, second = -1;
    CHECK_OK(file_lock(at(arena, "lock"), &fd, NULL), NULL);
    CHECK_EQ(file_lock(at(arena, "lock"), &second, NULL), ERR_BUSY);
    file_unlock(fd);
    CHECK_OK(file_lock(at(arena, "lock"), &second, NULL), NULL);
    file_unlock(second);
    struct file_map map;
    CHECK_OK(file_map(at(arena, "a/b/c/f"), &map, NULL), NULL);
    CHECK(map.len == 6 && memcmp(map.ptr, "second", 6) == 0);
    file_unmap(&map);
    CHECK_OK(file_remove(root, NULL), NULL);
    CHECK(!file_exists(root));
    CHECK_OK(file_remove(root, NULL), NULL);
    arena_free(arena);
}

TEST(says_so_when_the_disk_is_full)
{
    /* /dev/full refuses every write with ENOSPC. */
    FILE *full = fopen("/dev/full", "we");
    if (!full)
        SKIP("no /dev/full on this system");
    struct why why = {0};
    CHECK_EQ(file_write_fd(fileno(full), STR("x"), &why), ERR_NO_SPACE);
    CHECK(why.text[0] != '\0');
    (void)fclose(full);
}

TEST(a_limit_on_file_sizes_is_a_full_disk_too)
{
    struct why why = {0};
    errno = EFBIG;
    CHECK_EQ(err_errno(&why, "could not write"), ERR_NO_SPACE);
    errno = EIO;
    CHECK_EQ(err_errno(&why, "could not write"), ERR_IO);
}

TESTS_MAIN()
