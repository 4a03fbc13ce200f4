#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "tap.h"

static const struct conf_key keys[] = {
    {"http.port", CONF_INT, "8080", 1, 65535, NULL, "Port to listen on"},
    {"http.body_limit", CONF_BYTES, "16M", 0, 0, NULL, "Largest request body"},
    {"http.timeout", CONF_DURATION, "30s", 0, 0, NULL, "Longest wait for a request"},
    {"log.level", CONF_CHOICE, "info", 0, 0, "debug|info|warn|error", "Least level that is logged"},
    {"store.url", CONF_STR, "", 0, 0, NULL, "PostgreSQL URL; empty for SQLite"},
    {"store.password", CONF_SECRET, "", 0, 0, NULL, "Password of the database"},
    {"http.metrics", CONF_BOOL, "yes", 0, 0, NULL, "Whether /metrics is served"},
};
static const struct conf_table table = {keys, sizeof keys / sizeof keys[0]};

static enum err load(const char *text, struct arena *arena, const struct conf **conf,
                     struct why *why)
{
    char path[] = "/tmp/yicheng-conf-XXXXXX";
    int fd = mkstemp(path);
    if (file_write_fd(fd, str_c(text), NULL))
        abort();
    (void)close(fd);
    enum err err = conf_load(&table, 1, path, NULL, 0, arena, conf, why);
    (void)unlink(path);
    return err;
}

TEST(file_overrides_defaults_and_environment_overrides_the_file)
{
    struct arena *arena = arena_new(1 << 20);
    const struct conf *conf = NULL;
    struct why why = {0};
    setenv("YICHENG_LOG_LEVEL", "warn", 1);
    CHECK_OK(
        load("# a comment\nhttp.port = 9000 # here too\nhttp.timeout=250ms\nlog.level = debug\n"
             "store.url = \"postgres://a # b\"\nhttp.body_limit = 2k\n",
             arena, &conf, &why),
        &why);
    unsetenv("YICHENG_LOG_LEVEL");
    CHECK_EQ(conf_int(conf, "http.port"), 9000);
    CHECK_EQ(conf_int(conf, "http.timeout"), 250);
    CHECK_EQ(conf_int(conf, "http.body_limit"), 2048);
    CHECK_STR(str_c(conf_str(conf, "log.level")), "warn");
    CHECK_STR(str_c(conf_str(conf, "store.url")), "postgres://a # b");
    CHECK(conf_bool(conf, "http.metrics"));
    arena_free(arena);
}

TEST(refuses_unknown_keys_with_the_nearest_and_bad_values_with_the_reason)
{
    static const struct {
        const char *text, *words, *hint;
    } cases[] = {
        {"htp.port = 1", "line 1", "http.port"},       {"\nhttp.prot = 1", "line 2", "http.port"},
        {"http.port = 99999", "from 1 to 65535", ""},  {"http.port = many", "whole number", ""},
        {"log.level = loud", "debug|info", ""},        {"http.timeout = 5", "such as", ""},
        {"http.metrics = maybe", "true or false", ""}, {"nonsense", "key = value", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        const struct conf *conf = NULL;
        struct why why = {0};
        CHECK_EQ(load(cases[i].text, arena, &conf, &why), ERR_INVALID);
        CHECK(strstr(why.text, cases[i].words) != NULL);
        CHECK(strstr(why.hint, cases[i].hint) != NULL);
        CHECK(conf == NULL);
        arena_free(arena);
    }
}

TEST(never_shows_a_secret)
{
    struct arena *arena = arena_new(1 << 20);
    const struct conf *conf = NULL;
    struct buf out;
    CHECK_OK(load("store.password = hunter2\n", arena, &conf, NULL), NULL);
    CHECK_STR(str_c(conf_str(conf, "store.password")), "hunter2");
    buf_init(&out, arena);
    CHECK_OK(conf_write(conf, true, &out, NULL), NULL);
    CHECK(str_find(buf_str(&out), STR("hunter2")) == STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("http.port = 8080")) != STR_NPOS);
    arena_free(arena);
}

TESTS_MAIN()
