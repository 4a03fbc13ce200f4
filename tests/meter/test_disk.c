/* A full disk: a clear refusal while it lasts, and nothing lost or doubled afterwards. */
#include <fcntl.h>

#include "meter/room.h"

static char filler[512];

/* The disk of this program, made once. */
static bool small_disk(void)
{
    static bool made;
    made = made || test_store_small_disk(TEST_ENGINE, (size_t)16 << 20);
    return made;
}

#define SMALL_DISK(m)                                                                              \
    if (!small_disk())                                                                             \
        SKIP(test_store_skip());                                                                   \
    METERING(m, NULL)

/* Takes all the room that is left. */
static void fill_disk(void)
{
    static const char block[4096];
    (void)snprintf(filler, sizeof filler, "%s/filler", test_store_dir());
    int fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    size_t step = sizeof block;
    while (step) {
        ssize_t n = write(fd, block, step);
        if (n <= 0)
            step /= 2;
    }
    (void)close(fd);
}

TEST(a_full_disk_refuses_calls_and_loses_none)
{
    SMALL_DISK(m);
    struct meter_call *call = NULL;
    struct meter_refusal refusal;
    int64_t n_ended = 0, money = 0;
    enum err err = ERR_OK;
    struct why why = {0};
    put_price(&m, "*");
    money += one_call(&m, "m", 10, 10).money;
    flush(&m);
    fill_disk();
    struct meter_ask ask = ask_of(&m, "m");
    /* 256 slots; each holds its call until it can be written. What SQLite still had room for is
     * written. */
    for (int i = 0; i < 20000 && !err; i++) {
        why = (struct why){0};
        err = meter_begin(m.meter, &ask, &call, &refusal, &why);
        if (!err) {
            meter_deliver(call, i % 50);
            money += end(call, 10, i % 50, METER_OK).money;
            n_ended++;
        } else if (err == ERR_UNAVAILABLE) { /* the writer has not tried yet */
            err = ERR_OK;
            time_sleep_ms(2);
        }
    }
    CHECK_EQ(err, ERR_NO_SPACE);
    CHECK(strstr(why.text, "cannot be metered") != NULL &&
          strstr(why.text, "disk is full") != NULL);
    CHECK(n_ended >= 256);
    CHECK_EQ(meter_flush(m.meter, 1000, NULL), ERR_NO_SPACE);
    CHECK_OK(file_remove(filler, &why), &why);
    flush(&m);
    money += one_call(&m, "m", 10, 10).money;
    flush(&m);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_lines"), n_ended + 2);
    CHECK_EQ(ask_int(&m, "SELECT CAST(SUM(money) AS BIGINT) FROM meter_lines"), money);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(a_disk_without_room_for_the_flight_file_says_so)
{
    if (strcmp(TEST_ENGINE, "sqlite") != 0)
        SKIP("the file does not depend on the engine, and the server takes one folder once");
    SMALL_DISK(m);
    struct why why = {0};
    fill_disk();
    CHECK_EQ(meter_start(m.meter, &why), ERR_NO_SPACE);
    CHECK(strstr(why.text, "calls in flight") != NULL && why.hint[0]);
    CHECK_OK(file_remove(filler, NULL), NULL);
    CHECK(one_call(&m, "m", 1, 1).prompt == 1); /* the next call tries again */
    flush(&m);
    CHECK_FITS(&m);
    metering_close(&m);
}

TESTS_MAIN()
