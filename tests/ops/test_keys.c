/* Keys that are checked in memory, on the event thread: what ends or changes a key counts at once,
 * and what another process does within a second. */
#include <pthread.h>
#include <stdatomic.h>

#include "ops/door.h"

static atomic_int n_here;

static bool here(struct http_request *req)
{
    (void)req;
    atomic_fetch_add(&n_here, 1);
    return true;
}

static enum err say_who(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct ops_identity *who = http_identity(req);
    (void)why;
    http_send(res, "text/plain", str_copy(http_arena(req), who->name));
    return ERR_OK;
}

static const struct http_route routes[] = {
    {.method = "POST",
     .path = "/call",
     .access = HTTP_SESSION,
     .permission = "model.use",
     .body_limit = 1024,
     .summary = "Says who calls",
     .handle = say_who,
     .here = here},
};
static const struct http_table table = {.room = "test", .routes = routes, .n = 1};

struct hall {
    struct centre c;
    struct door d;
    char *id; /* of the maker */
    struct ops_identity dev;
};

static bool hall_open(struct hall *h)
{
    const struct conf_table tables[] = {ops_conf, http_conf};
    const char *sets[] = {"http.port=0", "http.access_log=false", "ops.rate_address=1000000"};
    struct why why = {0};
    if (!centre_open_with(&h->c, tables, 2, sets, sizeof sets / sizeof sets[0]))
        return false;
    h->c.sysadmin = centre_user(&h->c, "sysadmin");
    h->c.secadmin = centre_user(&h->c, "secadmin");
    h->id = str_z(h->c.arena, centre_make(&h->c, NULL, "dev", "developer"));
    h->dev = centre_user(&h->c, "dev");
    if (log_open(NULL, LOG_LEVEL_ERROR, true, NULL) != ERR_OK)
        abort();
    struct http_opts opts = {.conf = h->c.conf,
                             .tables = &table,
                             .n_tables = 1,
                             .authorize = ops_authorize,
                             .authorize_here = ops_authorize_here,
                             .authorize_ctx = h->c.ops};
    CHECK_OK(http_start(&opts, &h->d.server, &why), &why);
    h->d.port = http_port(h->d.server);
    return true;
}

#define HALL(h)                                                                                    \
    struct hall h = {0};                                                                           \
    if (!hall_open(&h))                                                                            \
    SKIP(test_store_skip())

static void hall_close(struct hall *h)
{
    door_close(&h->d);
    centre_close(&h->c);
}

static struct visitor new_key(struct hall *h, int64_t expires_ms, int64_t per_minute, char id[40])
{
    struct visitor v = {.door = &h->d, .arena = h->c.arena};
    struct ops_key made = {0};
    struct str key = STR("");
    struct why why = {0};
    struct ops_key_form form = {.name = STR("k"),
                                .permissions = STR("model.use"),
                                .expires_ms = expires_ms,
                                .requests_per_minute = per_minute};
    CHECK_OK(ops_key_create(h->c.ops, &h->dev, &form, h->c.arena, &made, &key, &why), &why);
    (void)snprintf(v.key, sizeof v.key, "%.*s", STR_FMT(key));
    (void)snprintf(id, 40, "%.*s", STR_FMT(made.id));
    return v;
}

static int call(struct visitor *v)
{
    return visit(v, "POST", "/call", "{}").status;
}

/* Until it is known, that is checked without the store: else these tests would prove nothing. */
static bool is_known(struct hall *h, const struct visitor *v)
{
    struct ops_identity who;
    int64_t per_minute;
    return ops_key_known(h->c.ops, str_c(v->key), h->c.arena, &who, &per_minute);
}

static void warm(struct hall *h, struct visitor *v)
{
    CHECK_EQ(call(v), 200);
    CHECK_EQ(call(v), 200);
    CHECK(is_known(h, v));
}

TEST(a_key_that_is_known_is_checked_without_the_store)
{
    char id[40];
    HALL(h);
    struct visitor v = new_key(&h, 0, 1000000, id);
    warm(&h, &v);
    int before = atomic_load(&n_here);
    CHECK_EQ(call(&v), 200);
    CHECK_EQ(atomic_load(&n_here), before + 1);
    v.key[20] ^= 1; /* one bit beside a key that is known */
    CHECK_EQ(call(&v), 401);
    hall_close(&h);
}

TEST(a_revoked_key_opens_nothing_more)
{
    char id[40];
    HALL(h);
    for (int i = 0; i < 10; i++) {
        struct visitor v = new_key(&h, 0, 1000000, id);
        warm(&h, &v);
        CHECK_OK(ops_key_revoke(h.c.ops, &h.c.secadmin, id, NULL), NULL);
        CHECK_EQ(call(&v), 401);
        CHECK(!is_known(&h, &v));
    }
    hall_close(&h);
}

/* ---- while it is used from all sides ---- */

struct crowd {
    struct visitor v;
    atomic_bool revoked, over;
    atomic_int n_before, n_refused, n_served_after;
};

static void *hammer(void *arg)
{
    struct crowd *crowd = arg;
    struct visitor v = crowd->v;
    v.arena = arena_new((size_t)64 << 20);
    while (!atomic_load(&crowd->over)) {
        char reply[512];
        char text[256];
        bool after = atomic_load(&crowd->revoked); /* before the request was made */
        int n = snprintf(text, sizeof text,
                         "POST /call HTTP/1.1\r\nHost: t\r\nConnection: close\r\nAuthorization: "
                         "Bearer %s\r\nContent-Length: 2\r\n\r\n{}",
                         v.key);
        int fd = raw_open(v.door->port);
        if (fd < 0)
            continue;
        (void)raw_send(fd, text, (size_t)n);
        size_t len = raw_read_all(fd, reply, sizeof reply, 20000);
        (void)close(fd);
        int status = len ? raw_status(reply) : 0;
        atomic_fetch_add(&crowd->n_before, status == 200 && !after);
        atomic_fetch_add(&crowd->n_served_after, status == 200 && after);
        atomic_fetch_add(&crowd->n_refused, status == 401);
    }
    arena_free(v.arena);
    return NULL;
}

TEST(a_key_revoked_under_load_is_never_served_again)
{
    HALL(h);
    for (int round = 0; round < 5; round++) {
        pthread_t threads[4];
        char id[40];
        struct crowd crowd = {.v = new_key(&h, 0, 100000000, id)};
        for (size_t i = 0; i < 4; i++)
            CHECK_EQ(pthread_create(&threads[i], NULL, hammer, &crowd), 0);
        while (atomic_load(&crowd.n_before) < 50)
            time_sleep_ms(1);
        CHECK_OK(ops_key_revoke(h.c.ops, &h.c.secadmin, id, NULL), NULL);
        atomic_store(&crowd.revoked, true);
        while (atomic_load(&crowd.n_refused) < 50)
            time_sleep_ms(1);
        atomic_store(&crowd.over, true);
        for (size_t i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        CHECK_EQ(atomic_load(&crowd.n_served_after), 0);
    }
    hall_close(&h);
}

/* ---- what else ends or changes a key ---- */

TEST(a_key_expires_at_its_time_though_it_is_known)
{
    char id[40];
    HALL(h);
    struct visitor v = new_key(&h, time_now_ms() + 700, 1000000, id);
    warm(&h, &v);
    int64_t end = time_now_ms() + 700;
    while (time_now_ms() < end)
        time_sleep_ms(10);
    CHECK_EQ(call(&v), 401);
    hall_close(&h);
}

TEST(what_its_maker_may_no_more_a_known_key_may_not)
{
    char id[40];
    bool yes = true, no = false;
    struct str role = STR("developer");
    HALL(h);
    struct visitor v = new_key(&h, 0, 1000000, id);
    struct ops_user_change none = {.set_roles = true},
                           again = {.roles = &role, .n_roles = 1, .set_roles = true},
                           off = {.disabled = &yes}, on = {.disabled = &no};
    warm(&h, &v);
    CHECK_OK(ops_user_change(h.c.ops, &h.c.secadmin, h.id, &none, NULL), NULL);
    CHECK_EQ(call(&v), 403);
    CHECK_OK(ops_user_change(h.c.ops, &h.c.secadmin, h.id, &again, NULL), NULL);
    warm(&h, &v);
    CHECK_OK(ops_user_change(h.c.ops, &h.c.sysadmin, h.id, &off, NULL), NULL);
    CHECK_EQ(call(&v), 401);
    CHECK_OK(ops_user_change(h.c.ops, &h.c.sysadmin, h.id, &on, NULL), NULL);
    CHECK_EQ(call(&v), 200);
    hall_close(&h);
}

TEST(the_key_of_a_disabled_tenant_is_dead_at_once)
{
    char id[40];
    bool yes = true;
    HALL(h);
    struct str tenant = STR_NONE;
    struct why why = {0};
    CHECK_OK(ops_tenant_create(h.c.ops, &h.c.sysadmin, STR("water"), STR("Water"), h.c.arena,
                               &tenant, &why),
             &why);
    char *name = str_z(h.c.arena, tenant);
    (void)centre_make(&h.c, name, "liang", "developer");
    h.dev = centre_user(&h.c, "liang@water");
    struct visitor v = new_key(&h, 0, 1000000, id);
    warm(&h, &v);
    CHECK_OK(ops_tenant_change(h.c.ops, &h.c.sysadmin, name, NULL, &yes, &why), &why);
    CHECK_EQ(call(&v), 401);
    hall_close(&h);
}

TEST(the_limit_of_a_known_key_holds_on_the_event_thread)
{
    char id[40];
    int n_served = 0, n_limited = 0;
    HALL(h);
    struct visitor v = new_key(&h, 0, 20, id);
    for (int i = 0; i < 40; i++) {
        struct answer a = visit(&v, "POST", "/call", "{}");
        n_served += a.status == 200;
        n_limited += a.status == 429 && answer_header(&a, "Retry-After").len > 0;
    }
    CHECK(n_served >= 20 && n_served <= 24); /* a token comes every three seconds */
    CHECK_EQ(n_served + n_limited, 40);
    hall_close(&h);
}

/* A second process on the same store, which this one hears nothing of. */
TEST(what_another_process_changes_counts_within_a_second)
{
    char id[40];
    struct ops *other;
    struct why why = {0};
    HALL(h);
    CHECK_OK(ops_open(h.c.store, h.c.conf, &other, &why), &why);
    struct visitor v = new_key(&h, 0, 1000000, id), w = new_key(&h, 0, 1000000, id);
    warm(&h, &v);
    warm(&h, &w);
    /* A smaller quota: the bucket is the process's own, its size is the store's. */
    CHECK_OK(store_run(h.c.store, "UPDATE ops_keys SET per_minute = 3", STORE_NO_ARGS, NULL, &why),
             &why);
    CHECK_OK(ops_key_revoke(other, &h.c.secadmin, id, &why), &why);
    int64_t began = time_mono_ns();
    while (call(&w) == 200 && time_mono_ns() - began < 3000000000)
        time_sleep_ms(5);
    CHECK(time_mono_ns() - began < 1500000000);
    CHECK_EQ(call(&w), 401);
    int n_served = 0;
    for (int i = 0; i < 10; i++)
        n_served += call(&v) == 200;
    CHECK(n_served <= 4);
    ops_close(other);
    hall_close(&h);
}

TESTS_MAIN()
