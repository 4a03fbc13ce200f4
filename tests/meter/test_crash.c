/*
 * Killed at any moment: nothing acknowledged is lost, nothing doubled, and what is charged is what
 * was delivered. METER_KILLS sets how often (default: some hundred).
 */
#include <signal.h>
#include <sys/wait.h>

#include "core/map.h"
#include "meter/room.h"
#include "meter/truth.h"

#define CHILD YICHENG_BUILD_ROOT "/tests/meter/meter_child"

static int n_kills(void)
{
    const char *text = getenv("METER_KILLS");
    return text ? atoi(text) : strcmp(TEST_ENGINE, "sqlite") == 0 ? 200 : 50;
}

static char *truth_path(struct metering *m, int i)
{
    return (char *)str_printf(m->c.arena, "%s/truth-%d", test_store_dir(), i).ptr;
}

/* Starts a child, waits until it has begun some calls and a moment more, kills it. False when it
 * ended by itself. */
static bool run_and_kill(struct metering *m, int i, unsigned *seed)
{
    const char *path = truth_path(m, i);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(CHILD, CHILD, test_store_url(), test_store_dir(), path, (char *)NULL);
        _exit(127);
    }
    struct truth *t = NULL;
    int64_t deadline = time_mono_ns() + 60 * 1000000000LL;
    int wanted = rand_r(seed) % 40;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (!t && file_exists(path))
            t = truth_map(path, 0);
        if ((t && atomic_load(&t[wanted].begun)) || time_mono_ns() > deadline)
            break;
        (void)usleep(200);
    }
    (void)usleep((useconds_t)(rand_r(seed) % 12000));
    if (t)
        truth_unmap(t);
    (void)kill(pid, SIGKILL);
    int status = 0;
    pid_t got = waitpid(pid, &status, 0);
    return got == pid && WIFSIGNALED(status) && t != NULL;
}

struct line {
    int64_t outcome, delivered, prompt, completion, money;
    bool told; /* by the truth */
};

struct seen {
    struct arena *arena;
    struct map lines; /* call id -> struct line */
    size_t n;
    bool doubled;
};

static enum err take_line(void *ctx, const struct store_rows *row, struct why *why)
{
    struct seen *seen = ctx;
    bool made = false;
    struct str id = str_copy(seen->arena, store_str(row, 0, 0));
    struct line *line = arena_one(seen->arena, struct line);
    struct map_entry *e = id.ptr && line ? map_put(&seen->lines, id, &made) : NULL;
    if (!e)
        return err_set(why, ERR_NO_MEMORY, "too many lines for the test");
    seen->doubled = seen->doubled || !made;
    *line = (struct line){store_int(row, 0, 1), store_int(row, 0, 2), store_int(row, 0, 3),
                          store_int(row, 0, 4), store_int(row, 0, 5), false};
    e->value.p = line;
    seen->n++;
    return ERR_OK;
}

static void read_lines(struct metering *m, struct seen *seen)
{
    struct why why = {0};
    struct store_tx *tx = NULL;
    seen->arena = arena_new((size_t)1 << 30);
    map_init(&seen->lines, seen->arena);
    CHECK_OK(store_begin(m->c.store, STORE_READ, &tx, &why), &why);
    CHECK_OK(store_each(tx,
                        "SELECT call, outcome, delivered, prompt, completion, money"
                        " FROM meter_lines",
                        STORE_NO_ARGS, take_line, seen, &why),
             &why);
    store_rollback(tx);
    CHECK(!seen->doubled);
}

static bool id_bytes(const char *text, char out[16])
{
    char hex[33];
    size_t n = 0;
    for (const char *p = text; *p && n < 32; p++)
        if (*p != '-')
            hex[n++] = *p;
    return hex_get((struct str){hex, n}, out, 16);
}

/* Whether the call's line is what the truth says. */
static bool fits(struct seen *seen, const struct truth *t)
{
    char id[16];
    struct map_entry *e =
        id_bytes(t->id, id) ? map_find(&seen->lines, (struct str){id, sizeof id}) : NULL;
    struct line *l = e ? e->value.p : NULL;
    if (!l || l->told)
        return false;
    int64_t intent = atomic_load(&t->intent) - 1, done = atomic_load(&t->done) - 1;
    bool none = l->delivered < 0, ended = atomic_load(&t->ended);
    bool settled = l->outcome != METER_INTERRUPTED;
    l->told = true;
    return (l->delivered == intent || l->delivered == done) && /* killed in between */
           l->completion == (none ? 0 : l->delivered) && l->prompt == (none ? 0 : t->prompt) &&
           (settled ? l->outcome + 1 == atomic_load(&t->outcome) : !ended) &&
           l->money ==
               (none ? 0 : meter_price(&test_rates, METER_CHAT, l->prompt, 0, l->completion, 0));
}

static void tell_bad(const struct truth *t, size_t n_bad)
{
    if (n_bad <= 5)
        printf("# call %s: its line is missing or not what was delivered (%lld to %lld)\n", t->id,
               (long long)atomic_load(&t->done) - 1, (long long)atomic_load(&t->intent) - 1);
}

TEST(a_killed_process_leaves_exactly_what_was_delivered)
{
    METERING(m, NULL);
    unsigned seed = (unsigned)time_mono_ns();
    int kills = n_kills(), killed = 0;
    size_t n_calls = 0, n_bad = 0, n_open = 0;
    struct seen seen = {0};
    struct why why = {0};
    put_price(&m, "*");
    /* Children have the system's clock, the price must not be of a day to come. */
    meter_close(m.meter);
    printf("# seed %u, %d kills\n", seed, kills);
    for (int i = 0; i < kills; i++)
        killed += run_and_kill(&m, i, &seed);
    CHECK_EQ(killed, kills);

    m.now_ms = time_now_ms();
    metering_meter(&m);
    size_t n = 0;
    CHECK_OK(meter_recover(m.meter, &n, &why), &why);
    CHECK_OK(meter_recover(m.meter, &n, &why), &why);
    CHECK_EQ(n, 0);
    read_lines(&m, &seen);
    for (int i = 0; i < kills; i++) {
        struct truth *t = truth_map(truth_path(&m, i), 0);
        CHECK(t != NULL);
        for (size_t k = 0; t && k < TRUTH_MOST; k++) {
            if (!atomic_load(&t[k].begun))
                continue;
            n_calls++;
            n_open += !atomic_load(&t[k].ended);
            if (!fits(&seen, &t[k]))
                tell_bad(&t[k], ++n_bad);
        }
        if (t)
            truth_unmap(t);
    }
    CHECK_EQ(n_bad, 0);
    /* A line without a truth: killed between begin and the note of it. It has cost nothing. */
    size_t at = 0, n_unknown = 0;
    for (struct map_entry *e; (e = map_each(&seen.lines, &at));) {
        const struct line *l = e->value.p;
        n_unknown += !l->told;
        CHECK(l->told || l->money == 0);
    }
    CHECK(n_unknown <= (size_t)kills * 3);
    CHECK(n_open > 0);
    printf("# %zu calls, %zu of them under way when killed, %zu just begun\n", n_calls, n_open,
           n_unknown);
    struct meter_report report;
    CHECK_EQ(check_all(&m, &report), 0);
    CHECK_EQ(report.n_flight, 0);
    CHECK_EQ(report.n_lines, seen.n);
    arena_free(seen.arena);
    metering_close(&m);
}

TEST(a_file_that_is_no_flight_file_is_set_aside)
{
    METERING(m, NULL);
    struct why why = {0};
    char path[512], bad[520];
    size_t n = 7;
    (void)snprintf(path, sizeof path, "%s/meter", test_store_dir());
    CHECK_OK(file_make_dirs(path, &why), &why);
    (void)snprintf(path, sizeof path, "%s/meter/1-2.flight", test_store_dir());
    (void)snprintf(bad, sizeof bad, "%s.bad", path);
    CHECK_OK(file_write(path, STR("yicheng flight\n and then nonsense"), 0600, &why), &why);
    CHECK_OK(meter_recover(m.meter, &n, &why), &why);
    CHECK_EQ(n, 0);
    CHECK(!file_exists(path) && file_exists(bad));
    CHECK(one_call(&m, "m", 1, 1).prompt == 1);
    metering_close(&m);
}

TEST(calls_that_never_ended_are_settled_by_the_next)
{
    METERING(m, NULL);
    struct meter_ask ask = ask_of(&m, "m");
    struct why why = {0};
    size_t n = 0;
    put_price(&m, "*");
    struct meter_call *call = begin(&m, &ask, NULL);
    meter_prompt(call, 70, 7);
    meter_deliver(call, 9);
    meter_close(m.meter); /* with a call still open */
    metering_meter(&m);
    struct meter_report report;
    CHECK_EQ(check_all(&m, &report), 0);
    CHECK_EQ(report.n_flight, 1);
    CHECK_OK(meter_recover(m.meter, &n, &why), &why);
    CHECK_EQ(n, 1);
    CHECK_EQ(ask_int(&m, "SELECT outcome FROM meter_lines"), METER_INTERRUPTED);
    CHECK_EQ(ask_int(&m, "SELECT prompt * 100 + cached * 10 + completion FROM meter_lines"), 7079);
    CHECK_FITS(&m);
    metering_close(&m);
}

TESTS_MAIN()
