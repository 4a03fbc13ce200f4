#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/metric.h"
#include "tap.h"

TEST(a_line_is_one_json_object)
{
    char path[] = "/tmp/yicheng-log-XXXXXX";
    (void)close(mkstemp(path));
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    CHECK_OK(log_open(path, LOG_LEVEL_INFO, false, &why), &why);
    LOG_DEBUG("not written", LOG_I("n", 1));
    LOG_INFO("job finished", LOG_S("job", "a\"b\n"), LOG_I("n_files", 3), LOG_R("share", 0.5));
    struct str text, line;
    CHECK_OK(file_read(path, 10000, arena, &text, &why), &why);
    CHECK(str_next_line(&text, &line));
    const struct json *doc = NULL;
    CHECK_OK(json_parse(line, arena, &doc, &why), &why);
    CHECK_STR(json_get_str(doc, "event", STR("")), "job finished");
    CHECK_STR(json_get_str(doc, "job", STR("")), "a\"b\n");
    CHECK_EQ(json_get_int(doc, "n_files", 0), 3);
    CHECK(!str_next_line(&text, &line));
    CHECK_OK(log_open(NULL, LOG_LEVEL_INFO, false, NULL), NULL);
    (void)unlink(path);
    arena_free(arena);
}

TEST(metrics_follow_the_text_format)
{
    static struct metric ok =
        METRIC_INIT(METRIC_COUNTER, "yicheng_test_total", "Things", "code=\"2xx\"");
    static struct metric bad =
        METRIC_INIT(METRIC_COUNTER, "yicheng_test_total", "Things", "code=\"5xx\"");
    static struct metric time = METRIC_INIT(METRIC_HISTOGRAM, "yicheng_test_seconds", "Time", NULL);
    struct arena *arena = arena_new(1 << 20);
    struct buf out;
    metric_add(&ok, 2);
    metric_add(&bad, 1);
    metric_observe_us(&time, 700);
    buf_init(&out, arena);
    metric_write(&out);
    struct str text = buf_str(&out);
    CHECK(str_find(text, STR("yicheng_test_total{code=\"2xx\"} 2\n")) != STR_NPOS);
    CHECK(str_find(text, STR("yicheng_test_seconds_bucket{le=\"0.0005\"} 0\n")) != STR_NPOS);
    CHECK(str_find(text, STR("yicheng_test_seconds_bucket{le=\"0.001\"} 1\n")) != STR_NPOS);
    CHECK(str_find(text, STR("yicheng_test_seconds_count 1\n")) != STR_NPOS);
    size_t first = str_find(text, STR("# TYPE yicheng_test_total counter"));
    CHECK(first != STR_NPOS &&
          str_find_from(text, STR("# TYPE yicheng_test_total counter"), first + 1) == STR_NPOS);
    CHECK(str_find(text, STR("process_resident_memory_bytes ")) != STR_NPOS);
    arena_free(arena);
}

TEST(words_keep_the_first_cause_and_whole_characters)
{
    struct why why = {0};
    CHECK_EQ(err_set(&why, ERR_INVALID, "first"), ERR_INVALID);
    CHECK_EQ(err_set(&why, ERR_IO, "second"), ERR_IO);
    CHECK_STR(str_c(why.text), "first");
    err_prefix(&why, "row %d", 7);
    CHECK_STR(str_c(why.text), "row 7: first");
    why = (struct why){0};
    char text[400] = "";
    for (int i = 0; i < 130; i++)
        strcat(text, "条");
    CHECK_EQ(err_set(&why, ERR_INVALID, "x%s", text), ERR_INVALID);
    CHECK_EQ(strlen(why.text) % 3, 1);
    CHECK_STR(str_c(why_text(NULL, ERR_BUSY)), "busy with other work");
    CHECK_EQ(err_http(ERR_RATE_LIMITED), 429);
    CHECK(err_again(ERR_BUSY) && !err_again(ERR_INVALID));
}

TESTS_MAIN()
