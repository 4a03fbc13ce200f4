#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "objects/objects.h"
#include "tap.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* FIPS 180-2 */

static char root[64], dir[96];

static struct objects *begin(void)
{
    struct objects *objects = NULL;
    struct why why = {0};
    (void)snprintf(root, sizeof root, "/tmp/yicheng-objects-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    (void)snprintf(dir, sizeof dir, "%s/objects", root);
    CHECK_OK(objects_open(dir, &objects, &why), &why);
    return objects;
}

static void end(struct objects *objects)
{
    objects_close(objects);
    CHECK_OK(file_remove(root, NULL), NULL);
}

static const char *at(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void overwrite(const char *path, const char *text)
{
    CHECK_OK(file_write(path, str_c(text), 0440, NULL), NULL);
}

static enum err count_file(void *ctx, const char *path, struct str relative, struct why *why)
{
    (void)path, (void)relative, (void)why;
    ++*(int *)ctx;
    return ERR_OK;
}

static int n_files(void)
{
    int n = 0;
    CHECK_OK(file_walk(dir, 8, count_file, &n, NULL), NULL);
    return n;
}

TEST(names_content_by_its_sha256)
{
    struct objects *objects = begin();
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    char name[HASH_TEXT], again[HASH_TEXT];
    struct str data;
    const char *path;
    CHECK_OK(objects_put(objects, STR("abc"), name, &why), &why);
    CHECK_STR(str_c(name), ABC);
    CHECK_OK(objects_put(objects, STR("abc"), again, &why), &why);
    CHECK_STR(str_c(again), ABC);
    CHECK_EQ(n_files(), 1);
    CHECK(objects_has(objects, ABC));
    CHECK_OK(objects_get(objects, name, 3, arena, &data, &why), &why);
    CHECK_STR(data, "abc");
    CHECK_EQ(objects_get(objects, name, 2, arena, &data, NULL), ERR_TOO_LARGE);
    CHECK_OK(objects_path(objects, name, arena, &path, &why), &why);
    CHECK(strstr(path, "/ba/7816bf") != NULL);
    struct stat st;
    CHECK_EQ(stat(path, &st), 0);
    CHECK_EQ(st.st_mode & 0222, 0);
    CHECK_OK(objects_put(objects, STR_NONE, name, &why), &why);
    CHECK_OK(objects_get(objects, name, 0, arena, &data, &why), &why);
    CHECK_EQ(data.len, 0);
    CHECK_OK(objects_remove(objects, name, &why), &why);
    CHECK_EQ(objects_remove(objects, name, NULL), ERR_NOT_FOUND);
    CHECK_EQ(objects_get(objects, name, 0, arena, &data, NULL), ERR_NOT_FOUND);
    CHECK_EQ(objects_path(objects, name, arena, &path, NULL), ERR_NOT_FOUND);
    arena_free(arena);
    end(objects);
}

TEST(a_name_never_becomes_another_path)
{
    struct objects *objects = begin();
    struct arena *arena = arena_new(1 << 16);
    static const char *const names[] = {
        "",
        "..",
        "../../../../etc/passwd",
        "ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
        "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        ABC "0",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct str data = STR("as before");
        const char *path = "as before";
        struct why why = {0};
        CHECK_EQ(objects_get(objects, names[i], 99, arena, &data, &why), ERR_INVALID);
        CHECK(why.text[0] != '\0');
        CHECK_EQ(objects_path(objects, names[i], arena, &path, NULL), ERR_INVALID);
        CHECK_EQ(objects_remove(objects, names[i], NULL), ERR_INVALID);
        CHECK(!objects_has(objects, names[i]));
        CHECK_STR(data, "as before");
    }
    CHECK(!objects_has(objects, NULL));
    arena_free(arena);
    end(objects);
}

TEST(stores_a_file_up_to_its_limit)
{
    struct objects *objects = begin();
    struct why why = {0};
    char name[HASH_TEXT] = "untouched";
    uint64_t bytes = 99;
    static char big[300000];
    memset(big, 'x', sizeof big);
    CHECK_OK(file_write(at("big"), (struct str){big, sizeof big}, 0600, NULL), NULL);
    CHECK_EQ(objects_put_file(objects, at("big"), sizeof big - 1, name, &bytes, &why),
             ERR_TOO_LARGE);
    CHECK(strstr(why.text, "299999") != NULL);
    CHECK_STR(str_c(name), "untouched");
    CHECK_EQ(n_files(), 0);
    memset(&why, 0, sizeof why);
    CHECK_OK(objects_put_file(objects, at("big"), sizeof big, name, &bytes, &why), &why);
    CHECK_EQ(bytes, sizeof big);
    CHECK_OK(objects_put_file(objects, at("big"), sizeof big, name, NULL, &why), &why);
    CHECK_EQ(n_files(), 1);
    CHECK_EQ(objects_put_file(objects, at("missing"), 9, name, NULL, NULL), ERR_NOT_FOUND);
    CHECK_EQ(objects_put_file(objects, root, 9, name, NULL, NULL), ERR_INVALID);
    CHECK_EQ(mkfifo(at("pipe"), 0600), 0); /* must not wait for a writer */
    CHECK_EQ(objects_put_file(objects, at("pipe"), 9, name, NULL, NULL), ERR_INVALID);
    end(objects);
}

struct seen {
    int n;
    char first[300], words[300];
};

static void note(void *ctx, const char *name, const char *words)
{
    struct seen *seen = ctx;
    if (seen->n++ == 0) {
        (void)snprintf(seen->first, sizeof seen->first, "%s", name);
        (void)snprintf(seen->words, sizeof seen->words, "%s", words);
    }
}

TEST(finds_what_was_damaged_and_heals_it_when_it_comes_again)
{
    struct objects *objects = begin();
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    char name[HASH_TEXT];
    const char *path;
    struct str data;
    struct seen seen = {0};
    size_t n = 0;
    CHECK_OK(objects_put(objects, STR("abc"), name, &why), &why);
    CHECK_OK(objects_put(objects, STR("def"), name, &why), &why);
    CHECK_OK(objects_check(objects, note, &seen, &n, &why), &why);
    CHECK_EQ(n, 2);
    CHECK_EQ(seen.n, 0);

    CHECK_OK(objects_path(objects, ABC, arena, &path, &why), &why);
    overwrite(path, "abd");
    CHECK_OK(objects_check(objects, note, &seen, &n, &why), &why);
    CHECK_EQ(n, 2);
    CHECK_EQ(seen.n, 1);
    CHECK_STR(str_c(seen.first), ABC);
    CHECK_EQ(objects_get(objects, ABC, 9, arena, &data, &why), ERR_CORRUPT);
    memset(&why, 0, sizeof why);
    CHECK_OK(objects_put(objects, STR("abc"), name, &why), &why);
    CHECK_OK(objects_get(objects, ABC, 9, arena, &data, &why), &why);
    CHECK_STR(data, "abc");

    seen.n = 0;
    overwrite(at("objects/ba/notes.txt"), "a stray file");
    overwrite(at("objects/tmp/being-written"), "not yet an object");
    CHECK_OK(objects_check(objects, note, &seen, &n, &why), &why);
    CHECK_EQ(n, 2);
    CHECK_EQ(seen.n, 1);
    CHECK(strstr(seen.first, "notes.txt") != NULL);
    CHECK_STR(str_c(seen.words), "is no object");
    arena_free(arena);
    end(objects);
}

TEST(sweeps_out_only_what_was_long_forgotten)
{
    struct objects *objects = begin();
    objects_close(objects);
    overwrite(at("objects/tmp/old"), "x");
    overwrite(at("objects/tmp/new"), "x");
    char old[256];
    (void)snprintf(old, sizeof old, "%s", at("objects/tmp/old"));
    struct timespec times[2] = {{1, 0}, {1, 0}};
    CHECK_EQ(utimensat(AT_FDCWD, old, times, 0), 0);
    CHECK_OK(objects_open(dir, &objects, NULL), NULL);
    CHECK(!file_exists(old));
    CHECK(file_exists(at("objects/tmp/new")));
    end(objects);
    CHECK_EQ(objects_open("", &objects, NULL), ERR_INVALID);
}

TEST(a_batch_is_there_when_it_is_committed)
{
    struct objects *objects = begin();
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    struct seen seen = {0};
    size_t n = 0;
    char names[50][HASH_TEXT], name[HASH_TEXT];
    struct objects_batch *batch = objects_batch_new(objects);
    CHECK_OK(objects_batch_commit(batch, &why), &why);
    for (int i = 0; i < 50; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "content %d", i % 40); /* some of it twice */
        CHECK_OK(objects_batch_put(batch, str_c(text), names[i], &why), &why);
        CHECK(!objects_has(objects, names[i]));
    }
    CHECK_OK(objects_batch_commit(batch, &why), &why);
    for (int i = 0; i < 50; i++) {
        struct str data;
        CHECK_OK(objects_get(objects, names[i], 99, arena, &data, &why), &why);
    }
    CHECK_OK(objects_check(objects, note, &seen, &n, &why), &why);
    CHECK_EQ(n, 40);
    CHECK_EQ(seen.n, 0);
    CHECK_EQ(n_files(), 40); /* nothing is left in tmp/ */

    CHECK_OK(objects_batch_put(batch, STR("abc"), name, &why), &why);
    CHECK_EQ(n_files(), 41);
    uint64_t bytes = 0;
    CHECK_OK(file_write(at("file"), STR("from a file"), 0600, NULL), NULL);
    CHECK_EQ(objects_batch_put_file(batch, at("file"), 10, name, &bytes, NULL), ERR_TOO_LARGE);
    CHECK_EQ(objects_batch_put_file(batch, at("none"), 10, name, &bytes, NULL), ERR_NOT_FOUND);
    CHECK_EQ(n_files(), 41);
    CHECK_OK(objects_batch_put_file(batch, at("file"), 11, name, &bytes, &why), &why);
    CHECK_EQ(bytes, 11);
    CHECK_EQ(n_files(), 42);
    objects_batch_free(batch); /* without a commit: dropped */
    objects_batch_free(NULL);
    CHECK(!objects_has(objects, ABC));
    CHECK_EQ(n_files(), 40);
    batch = objects_batch_new(objects);
    CHECK_OK(objects_batch_put_file(batch, at("file"), 11, name, NULL, &why), &why);
    CHECK_OK(objects_batch_commit(batch, &why), &why);
    CHECK(objects_has(objects, name));
    objects_batch_free(batch);
    arena_free(arena);
    end(objects);
}

/* ---- many at once ---- */

static void *put_many(void *arg)
{
    static char failed;
    for (int i = 0; i < 40; i++) {
        char text[32], name[HASH_TEXT];
        (void)snprintf(text, sizeof text, "object %d", i);
        if (objects_put(arg, str_c(text), name, NULL))
            return &failed;
    }
    return NULL;
}

TEST(many_writers_of_the_same_content_agree)
{
    struct objects *objects = begin();
    pthread_t ids[4];
    struct seen seen = {0};
    size_t n = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&ids[i], NULL, put_many, objects);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(ids[i], &failed);
        CHECK(failed == NULL);
    }
    CHECK_EQ(n_files(), 40);
    CHECK_OK(objects_check(objects, note, &seen, &n, NULL), NULL);
    CHECK_EQ(n, 40);
    CHECK_EQ(seen.n, 0);
    end(objects);
}

/* ---- a full disk: a limit on the size of files stands in for it ---- */

TEST(a_full_disk_leaves_nothing_behind)
{
    struct objects *objects = begin();
    pid_t pid = fork();
    if (pid == 0) {
        static char big[100000];
        char name[HASH_TEXT];
        struct rlimit limit = {40000, 40000};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        struct why why = {0};
        enum err err = objects_put(objects, (struct str){big, sizeof big}, name, &why);
        struct objects_batch *batch = objects_batch_new(objects);
        enum err later = objects_batch_put(batch, (struct str){big, sizeof big}, name, NULL);
        objects_batch_free(batch);
        _exit(err == ERR_NO_SPACE && later == ERR_NO_SPACE && why.text[0] ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(n_files(), 0);
    char name[HASH_TEXT];
    CHECK_OK(objects_put(objects, STR("abc"), name, NULL), NULL);
    end(objects);
}

/* ---- kill -9: what was acknowledged is there whole ---- */

#define N_BATCH 5

static void put_until_killed(struct objects *objects, bool batched, int to)
{
    struct objects_batch *batch = objects_batch_new(objects);
    char names[N_BATCH][HASH_TEXT];
    for (unsigned i = 0;; i++) {
        static char text[20000];
        char *name = names[i % N_BATCH];
        size_t len = (size_t)snprintf(text, sizeof text, "%d %u ", (int)getpid(), i);
        memset(text + len, 'z', sizeof text - len);
        struct str data = {text, sizeof text};
        if (batched ? objects_batch_put(batch, data, name, NULL)
                    : objects_put(objects, data, name, NULL))
            _exit(1);
        bool last = i % N_BATCH == N_BATCH - 1;
        if (batched && last && objects_batch_commit(batch, NULL))
            _exit(1);
        if (batched ? last && write(to, names, sizeof names) != sizeof names
                    : write(to, name, HASH_TEXT) != HASH_TEXT)
            _exit(1);
    }
}

TEST(a_killed_writer_loses_nothing_acknowledged)
{
    struct objects *objects = begin();
    struct arena *arena = arena_new(1 << 20);
    int n_acknowledged = 0;
    for (int round = 0; round < 20; round++) {
        int fds[2];
        CHECK_EQ(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0)
            put_until_killed(objects, round % 2, fds[1]);
        (void)close(fds[1]);
        (void)usleep(2000 + (useconds_t)(rand() % 20000));
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        char name[HASH_TEXT];
        while (read(fds[0], name, HASH_TEXT) == HASH_TEXT) {
            struct str data;
            struct why why = {0};
            arena_reset(arena);
            CHECK_OK(objects_get(objects, name, 20000, arena, &data, &why), &why);
            n_acknowledged++;
        }
        (void)close(fds[0]);
    }
    CHECK(n_acknowledged > 0);
    struct seen seen = {0};
    CHECK_OK(objects_check(objects, note, &seen, NULL, NULL), NULL);
    CHECK_EQ(seen.n, 0);
    arena_free(arena);
    end(objects);
}

static void age(struct objects *objects, const char *name, int days)
{
    struct arena *arena = arena_new(8192);
    const char *path;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - days * 86400}};
    CHECK_OK(objects_path(objects, name, arena, &path, NULL), NULL);
    CHECK_EQ(utimensat(AT_FDCWD, path, times, 0), 0);
    arena_free(arena);
}

/* The same two days back; the object may go while this looks. */
static bool age_quietly(struct objects *objects, const char *name)
{
    struct arena *arena = arena_new(8192);
    const char *path;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - 2 * 86400}};
    bool done = objects_path(objects, name, arena, &path, NULL) == ERR_OK &&
                utimensat(AT_FDCWD, path, times, 0) == 0;
    arena_free(arena);
    return done;
}

static enum err count_info(void *ctx, const struct objects_info *info, struct why *why)
{
    (void)why;
    CHECK_EQ(strlen(info->name), HASH_TEXT - 1);
    CHECK_EQ(info->bytes, 3);
    ++*(int *)ctx;
    return ERR_OK;
}

TEST(what_is_stored_once_more_is_young_and_stays)
{
    struct objects *objects = begin();
    char name[HASH_TEXT], other[HASH_TEXT];
    bool removed = true;
    int n = 0;
    int64_t yesterday = time_now_ms() - (int64_t)86400 * 1000;
    CHECK_OK(objects_put(objects, STR("abc"), name, NULL), NULL);
    CHECK_OK(objects_put(objects, STR("def"), other, NULL), NULL);
    CHECK_OK(objects_each(objects, count_info, &n, NULL), NULL);
    CHECK_EQ(n, 2);
    CHECK_OK(objects_collect(objects, name, yesterday, &removed, NULL), NULL);
    CHECK(!removed && objects_has(objects, name));
    age(objects, name, 3);
    age(objects, other, 3);
    CHECK_OK(objects_put(objects, STR("abc"), name, NULL), NULL);
    CHECK_OK(objects_collect(objects, name, yesterday, &removed, NULL), NULL);
    CHECK(!removed && objects_has(objects, name));
    CHECK_OK(objects_collect(objects, other, yesterday, &removed, NULL), NULL);
    CHECK(removed && !objects_has(objects, other));
    CHECK_OK(objects_collect(objects, other, yesterday, &removed, NULL), NULL);
    CHECK(!removed); /* gone already: no error */
    /* by a batch, too */
    struct objects_batch *batch = objects_batch_new(objects);
    age(objects, name, 3);
    CHECK_OK(objects_batch_put(batch, STR("abc"), name, NULL), NULL);
    CHECK_OK(objects_batch_commit(batch, NULL), NULL);
    CHECK_OK(objects_collect(objects, name, yesterday, &removed, NULL), NULL);
    CHECK(!removed);
    objects_batch_free(batch);
    CHECK_EQ(objects_collect(objects, "../x", yesterday, &removed, NULL), ERR_INVALID);
    end(objects);
}

TEST(a_backup_and_a_collector_keep_each_other_away)
{
    struct objects *objects = begin();
    struct objects_hold *backup = NULL, *second = NULL, *alone = NULL;
    struct why why = {0};
    CHECK_OK(objects_hold(objects, false, &backup, NULL), NULL);
    CHECK_OK(objects_hold(objects, false, &second, NULL), NULL);
    CHECK_EQ(objects_hold(objects, true, &alone, &why), ERR_BUSY);
    CHECK(why.text[0] != '\0' && !alone);
    objects_release(backup);
    objects_release(second);
    CHECK_OK(objects_hold(objects, true, &alone, NULL), NULL);
    CHECK_EQ(objects_hold(objects, false, &backup, NULL), ERR_BUSY);
    objects_release(alone);
    objects_release(NULL);
    end(objects);
}

struct racing {
    struct objects *objects;
    atomic_bool over;
};

static void *collect_all_the_time(void *ctx)
{
    struct racing *r = ctx;
    bool removed;
    while (!atomic_load(&r->over))
        CHECK_OK(objects_collect(r->objects, ABC, time_now_ms() - 3600 * 1000, &removed, NULL),
                 NULL);
    return NULL;
}

/* Stored while a collector wants it: when the call is back, the object is there, and stays. */
TEST(a_collector_never_takes_what_was_just_stored)
{
    struct racing r = {.objects = begin()};
    pthread_t thread;
    char name[HASH_TEXT];
    CHECK_EQ(pthread_create(&thread, NULL, collect_all_the_time, &r), 0);
    for (int i = 0; i < 300; i++) {
        CHECK_OK(objects_put(r.objects, STR("abc"), name, NULL), NULL);
        CHECK(objects_has(r.objects, name));
        (void)age_quietly(r.objects,
                          name); /* now it may go at any moment, also while it is stored again */
    }
    atomic_store(&r.over, true);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    end(r.objects);
}

TESTS_MAIN()
