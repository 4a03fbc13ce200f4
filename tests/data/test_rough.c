/*
 * Rough handling: kill -9 at random moments, a full disk, poisoned lines. In the end there are the
 * same bytes as after an undisturbed run. YICHENG_KILLS says how often it is killed (4).
 */
#include "tap.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/time.h"
#include "data/work.h"
#include "support/small_disk.h"

#define SHARDS 6
#define LINES  1500

struct rough {
    struct arena *arena;
    char dir[64];
    struct work_input shards[SHARDS];
    struct pipeline pipeline;
};

/* A line that no record can be read from, or one that is barely one. */
static void put_poison(struct buf *out, int k)
{
    switch (k % 8) {
    case 0:
        buf_printf(out, "{\"id\":\"p-%d\",\"text\":\"\xC0\xAF\xFF\"}\n", k);
        break;
    case 1: /* deeper than may be */
        buf_printf(out, "{\"id\":\"p-%d\",\"x\":", k);
        for (int i = 0; i < 100; i++)
            buf_char(out, '[');
        for (int i = 0; i < 100; i++)
            buf_char(out, ']');
        buf_add_c(out, "}\n");
        break;
    case 2:
        buf_printf(out, "{\"id\":\"p-%d\",\"text\":\"a", k);
        buf_add(out, (struct str){"\0\0", 2});
        buf_add_c(out, "b\"}\n");
        break;
    case 3:
        buf_printf(out, "{\"id\":\"p-%d\",\"text\":\"cut", k);
        buf_char(out, '\n');
        break;
    case 4:
        buf_add_c(
            out,
            "{\"id\":\"same\",\"text\":\"两条记录的标识相同，文本也相同，其中一条应当去掉\"}\n");
        break;
    case 5:
        buf_printf(out,
                   "{\"id\":\"p-%d\",\"text\":\"\\u0000\\ud800 escaped\",\"text\":\"twice\"}\n", k);
        break;
    case 6:
        buf_add_c(out, "[]\nnull\n\n{}\n\"x\"\n");
        break;
    default:
        buf_printf(out, "{\"id\":\"p-%d\",\"text\":\"\\u0000\\ud800\"}\n", k);
    }
}

static void put_huge(struct buf *out)
{
    buf_add_c(out, "{\"id\":\"huge\",\"text\":\"");
    for (size_t i = 0; i < ((size_t)17 << 20) / 12; i++)
        buf_add_c(out, "一二三四");
    buf_add_c(out, "\"}\n");
}

static void make_shard(struct rough *r, size_t s)
{
    struct buf buf;
    buf_init(&buf, r->arena);
    for (int i = 0; i < LINES; i++) {
        buf_printf(
            &buf,
            "{\"id\":\"s%zu-%d\",\"text\":\"第%d条 本市行政区域内的单位和个人应当遵守本条例，", s,
            i, i % 97);
        for (int k = 0; k < 12; k++)
            buf_printf(&buf, "第%d款规定的事项%s", (i * 7 + k * (int)(s + 1)) % 31,
                       k % 5 ? "，" : "。\\n");
        buf_add_c(&buf, "\"}\n");
        if (i % 60 == 0)
            put_poison(&buf, i / 60);
    }
    if (s == 2)
        put_huge(&buf);
    r->shards[s].path = str_z(r->arena, str_printf(r->arena, "%s/in%zu", r->dir, s));
    CHECK_EQ(file_write(r->shards[s].path, buf_str(&buf), 0640, NULL), ERR_OK);
}

#define SPEC(steps)                                                                                \
    "{\"input\":{\"dataset\":\"a\"},\"output\":{\"dataset\":\"c\"},\"seed\":3,\"steps\":["         \
    "{\"op\":\"unicode\"},{\"op\":\"white_space\"},{\"op\":\"length\",\"least\":9}," steps "]}"

static const char usual[] =
    SPEC("{\"op\":\"exact_dedup\"},{\"op\":\"minhash_dedup\",\"threshold\":0.7,\"mode\":\"mark\"},"
         "{\"op\":\"repeated_units\",\"unit\":\"sentence\",\"from\":40},"
         "{\"op\":\"repeated_spans\",\"n\":60,\"mode\":\"mark\"},{\"op\":\"split\",\"by\":\"\"}");
/* Every run is looked at, in parts as large as the memory allows. */
static const char spans[] =
    SPEC("{\"op\":\"exact_dedup\"},{\"op\":\"repeated_spans\",\"n\":60,\"exact\":true},"
         "{\"op\":\"repeated_spans\",\"n\":40,\"exact\":true,\"mode\":\"mark\"}");

static void rough_open(struct rough *r, const char *spec)
{
    const struct json *json = NULL;
    struct why why = {0};
    *r = (struct rough){.arena = arena_new((size_t)1 << 30), .dir = "/tmp/yicheng-rough-XXXXXX"};
    CHECK(mkdtemp(r->dir) != NULL);
    for (size_t s = 0; s < SHARDS; s++)
        make_shard(r, s);
    CHECK_OK(json_parse(str_c(spec), r->arena, &json, &why), &why);
    CHECK_OK(pipeline_read(json, RECORD_TEXT, "", r->arena, &r->pipeline, &why), &why);
}

static void rough_close(struct rough *r)
{
    CHECK_EQ(file_remove(r->dir, NULL), ERR_OK);
    arena_free(r->arena);
}

static struct work work_of(struct rough *r, const char *name)
{
    return (struct work){.pipeline = &r->pipeline,
                         .dir = name[0] == '/' ? name : file_join(r->arena, r->dir, name),
                         .shards = r->shards,
                         .n_shards = SHARDS,
                         .threads = 2,
                         .memory = (size_t)8 << 20};
}

/* The lines and the trails of the last stage, as a digest. */
static uint64_t outcome(const struct work *w)
{
    uint64_t h = 1;
    size_t last = work_n_stages(w->pipeline) - 1;
    for (size_t s = 0; s <= last; s++)
        for (size_t i = 0; i < w->n_shards; i++) {
            char name[256];
            struct file_map map = {0};
            (void)snprintf(name, sizeof name, "%s/s%zu-%zu.%s", w->dir, s, i,
                           s == last ? "out" : "trail");
            CHECK_EQ(file_map(name, &map, NULL), ERR_OK);
            h = hash64(map.ptr, map.len, h);
            file_unmap(&map);
        }
    return h;
}

static bool run_and_kill(const struct work *w, struct arena *arena, useconds_t us)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct work_result own;
        _exit(work_run(w, arena, &own, NULL) != ERR_OK);
    }
    (void)usleep(us);
    (void)kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static int n_kills(void)
{
    const char *text = getenv("YICHENG_KILLS");
    int n = text ? atoi(text) : 4;
    return n > 0 ? n : 4;
}

/* Each time the folder is new and is killed once at a moment of the whole run, then again while it
 * goes on. */
static struct work_result through_kills(struct rough *r, const char *spec)
{
    struct work_result calm = {0}, rough;
    struct why why = {0};
    uint64_t seed;
    int killed = 0;
    rough_open(r, spec);
    random_bytes(&seed, sizeof seed);
    struct work a = work_of(r, "calm");
    int64_t start = time_mono_ns();
    CHECK_OK(work_run(&a, r->arena, &calm, &why), &why);
    int64_t us = (time_mono_ns() - start) / 1000;
    uint64_t want = outcome(&a);
    for (int i = 0; i < n_kills(); i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "rough%d", i);
        struct work b = work_of(r, name);
        for (int again = 0; again < 2; again++) {
            seed = hash64(&seed, sizeof seed, 5);
            killed += run_and_kill(&b, r->arena, (useconds_t)(seed % (uint64_t)us));
        }
        CHECK_OK(work_run(&b, r->arena, &rough, &why), &why);
        CHECK_EQ(outcome(&b), want);
        CHECK_EQ(rough.n_bad, calm.n_bad);
        for (size_t step = 0; step < r->pipeline.n_steps; step++) {
            CHECK_EQ(rough.counts[step].dropped, calm.counts[step].dropped);
            CHECK_EQ(rough.counts[step].changed, calm.counts[step].changed);
        }
        CHECK_EQ(file_remove(b.dir, NULL), ERR_OK);
    }
    CHECK(killed > 0);
    printf("# killed %d times in %d runs of %lld ms\n", killed, n_kills(), (long long)us / 1000);
    return calm;
}

TEST(killed_at_any_moment_it_ends_with_the_same_bytes)
{
    struct rough r;
    struct work_result calm = through_kills(&r, usual);
    CHECK(calm.n_bad > 0);
    CHECK(calm.stats.n_records > 1000);
    CHECK(calm.counts[3].dropped > 0);
    CHECK(calm.counts[4].changed > 0);
    CHECK(calm.counts[5].changed > 0);
    rough_close(&r);
}

TEST(killed_among_exact_spans_it_ends_with_the_same_bytes)
{
    struct rough r;
    struct work_result calm = through_kills(&r, spans);
    CHECK(calm.n_bad > 0);
    CHECK(calm.counts[4].changed > 100);
    CHECK(calm.counts[5].changed > 0);
    rough_close(&r);
}

struct small_run {
    struct rough *r;
    uint64_t want;
};

/* A small disk at r->dir/small, grown from run to run. */
static int on_small_disk(void *ctx)
{
    struct rough *r = ((struct small_run *)ctx)->r;
    uint64_t want = ((struct small_run *)ctx)->want;
    char *dir = file_join(r->arena, r->dir, "small");
    struct work_result result;
    bool was_full = false;
    if (!small_disk_mount(dir, (size_t)512 << 10))
        return SMALL_DISK_NONE;
    struct work w = work_of(r, file_join(r->arena, dir, "w"));
    for (unsigned kib = 512; kib < (1u << 18); kib += kib / 2) {
        struct why why = {0};
        if (!small_disk_resize(dir, (size_t)kib << 10))
            return SMALL_DISK_NONE;
        enum err err = work_run(&w, r->arena, &result, &why);
        if (err == ERR_OK)
            return was_full && outcome(&w) == want ? 0 : 1;
        if (err != ERR_NO_SPACE) {
            printf("# %s\n", why_text(&why, err));
            return 2;
        }
        was_full = true;
    }
    return 3;
}

TEST(a_full_disk_is_said_and_the_run_goes_on_when_there_is_room)
{
    struct rough r;
    struct work_result calm;
    struct why why = {0};
    rough_open(&r, usual);
    struct work a = work_of(&r, "calm");
    CHECK_OK(work_run(&a, r.arena, &calm, &why), &why);
    CHECK_EQ(file_make_dirs(file_join(r.arena, r.dir, "small"), NULL), ERR_OK);
    CHECK_SMALL_DISK(on_small_disk, (&(struct small_run){&r, outcome(&a)}));
    rough_close(&r);
}

TESTS_MAIN()
