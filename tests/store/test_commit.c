/*
 * A commit whose answer is lost. Between the store and PostgreSQL stands a relay that cuts the
 * connection at the commit: before the server has seen it, or behind it. The store must tell which.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/time.h"
#include "support/pg_cluster.h"
#include "support/test_store.h"
#include "tap.h"

enum cut { CUT_NONE, CUT_BEFORE, CUT_BEHIND };

struct relay {
    char server[108]; /* the socket of PostgreSQL */
    int listener;
    atomic_int cut;
    atomic_int n_cut;
    pthread_t thread;
};

static int dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Passes on what is there; false at the end of the stream. *commit: a COMMIT went by. */
static bool pass(int from, int to, bool hold, bool *commit)
{
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof bytes);
    if (n <= 0)
        return false;
    *commit |= memmem(bytes, (size_t)n, "COMMIT", 6) != NULL;
    if (hold && *commit)
        return true;
    return write(to, bytes, (size_t)n) == n;
}

struct pair {
    struct relay *relay;
    int client, server;
};

static void serve(struct relay *relay, int client, int server)
{
    bool at_commit = false, ignored = false, open = true;
    while (open) {
        struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            break;
        int cut = atomic_load(&relay->cut);
        if (fds[0].revents)
            open = pass(client, server, cut == CUT_BEFORE, &at_commit);
        bool now = at_commit && (cut == CUT_BEFORE || (cut == CUT_BEHIND && fds[1].revents));
        if (now) {
            atomic_store(&relay->cut, CUT_NONE);
            atomic_fetch_add(&relay->n_cut, 1);
            break;
        }
        if (cut == CUT_NONE)
            at_commit = false;
        if (open && fds[1].revents)
            open = pass(server, client, false, &ignored);
    }
}

static void *run_pair(void *arg)
{
    struct pair *pair = arg;
    serve(pair->relay, pair->client, pair->server);
    (void)close(pair->client);
    (void)close(pair->server);
    free(pair);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct relay *relay = arg;
    int client;
    while ((client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct pair *pair = malloc(sizeof *pair);
        int server = dial(relay->server);
        pthread_t thread;
        if (pair)
            *pair = (struct pair){relay, client, server};
        if (!pair || server < 0 || pthread_create(&thread, NULL, run_pair, pair) != 0) {
            (void)close(client);
            free(pair);
            continue;
        }
        pthread_detach(thread);
    }
    return NULL;
}

/* Listens in `dir` and sends everything to the server that `url` names; the address of the relay.
 */
static const char *begin(struct relay *relay, const char *dir, const char *url)
{
    static char relayed[300];
    const char *host = strstr(url, "?host=") + 6;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    *relay = (struct relay){.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    (void)snprintf(relay->server, sizeof relay->server, "%s/.s.PGSQL.5432", host);
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s/.s.PGSQL.5432", dir);
    CHECK_EQ(bind(relay->listener, (struct sockaddr *)&addr, sizeof addr), 0);
    CHECK_EQ(listen(relay->listener, 16), 0);
    CHECK_EQ(pthread_create(&relay->thread, NULL, accept_all, relay), 0);
    (void)snprintf(relayed, sizeof relayed, "%.*s?host=%s", (int)(host - 6 - url), url, dir);
    return relayed;
}

static void end(struct relay *relay)
{
    (void)shutdown(relay->listener, SHUT_RDWR);
    pthread_join(relay->thread, NULL);
    (void)close(relay->listener);
}

static const struct store_migration steps[] = {
    {"commit", 1, "CREATE TABLE commit_rows (id INTEGER NOT NULL PRIMARY KEY)", NULL}};

static int64_t count(struct store *store)
{
    struct arena *arena = arena_new(1 << 14);
    struct store_rows rows = {0};
    struct why why = {0};
    CHECK_OK(
        store_ask(store, "SELECT count(*) FROM commit_rows", STORE_NO_ARGS, arena, &rows, &why),
        &why);
    int64_t n = store_int(&rows, 0, 0);
    arena_free(arena);
    return n;
}

static enum err add_while(struct relay *relay, enum cut cut, struct store *store, int64_t id,
                          struct why *why)
{
    struct store_tx *tx;
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, why), why);
    CHECK_OK(store_exec(tx, "INSERT INTO commit_rows (id) VALUES (?)", STORE_ARGS(SV_INT(id)), NULL,
                        why),
             why);
    atomic_store(&relay->cut, cut);
    return store_commit(tx, why);
}

TEST(a_commit_whose_answer_is_lost_is_told_as_it_was)
{
    FRESH_STORE(direct, 2);
    struct relay relay;
    struct store *store = NULL;
    struct why why = {0};
    const char *url = begin(&relay, test_store_dir(), test_store_url());
    CHECK_OK(store_migrate(direct, steps, 1, false, NULL, &why), &why);
    CHECK_OK(store_open(&(struct store_opts){url, 2000, 2}, &store, &why), &why);
    CHECK_OK(add_while(&relay, CUT_NONE, store, 1, &why), &why);
    CHECK_EQ(count(direct), 1);

    /* It happened: so it says, though the connection broke. */
    for (int64_t id = 2; id <= 6; id++) {
        CHECK_OK(add_while(&relay, CUT_BEHIND, store, id, &why), &why);
        CHECK_EQ(count(direct), id);
    }
    CHECK_EQ(atomic_load(&relay.n_cut), 5);

    /* It did not: so it says, and nothing is there. */
    for (int i = 0; i < 5; i++) {
        memset(&why, 0, sizeof why);
        CHECK_EQ(add_while(&relay, CUT_BEFORE, store, 7, &why), ERR_UNAVAILABLE);
        CHECK(strstr(why.text, "did not happen") != NULL);
        CHECK_EQ(count(direct), 6);
    }
    CHECK_EQ(atomic_load(&relay.n_cut), 10);
    memset(&why, 0, sizeof why);
    CHECK_OK(add_while(&relay, CUT_NONE, store, 7, &why), &why);
    store_close(store);
    end(&relay);
    test_store_done(direct);
}

TEST(a_commit_that_nobody_can_be_asked_about_is_unknown)
{
    FRESH_STORE(store, 2);
    struct why why = {0};
    struct store_tx *tx;
    CHECK_OK(store_migrate(store, steps, 1, false, NULL, &why), &why);
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(store_exec(tx, "INSERT INTO commit_rows (id) VALUES (1)", STORE_NO_ARGS, NULL, &why),
             &why);
    pg_cluster_stop(test_store_cluster(), true);
    int64_t start = time_mono_ns();
    CHECK_EQ(store_commit(tx, &why), ERR_UNAVAILABLE);
    CHECK(strstr(why.text, "unknown") != NULL);
    CHECK((time_mono_ns() - start) / 1000000 < 10000);
    CHECK(pg_cluster_start(test_store_cluster()));
    CHECK_EQ(count(store), 0);
    test_store_done(store);
}

TESTS_MAIN()
