/*
 * The program that is killed: meter_child URL DATA_DIR TRUTH. Threads make calls as fast as they
 * may until somebody kills them.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/time.h"
#include "meter/meter.h"
#include "meter/truth.h"

#define N_THREADS 3

static struct meter *meter;
static struct truth *truths;
static _Atomic int64_t n_truths;

static _Noreturn void stop(const char *what, const struct why *why)
{
    (void)fprintf(stderr, "meter_child: %s: %s\n", what, why->text);
    _exit(3);
}

static void deliver(struct meter_call *call, struct truth *t, int64_t tokens)
{
    atomic_store(&t->intent, tokens + 1);
    meter_deliver(call, tokens);
    atomic_store(&t->done, tokens + 1);
}

/* Slow ones, fast ones, and ones that end before their first byte. */
static void one_call(unsigned *seed, struct truth *t)
{
    static const struct ops_identity who = {
        .kind = STR_INIT("key"), .id = STR_INIT("key-1"), .tenant = STR_INIT("city")};
    struct meter_ask ask = {.who = &who,
                            .kind = METER_CHAT,
                            .model = STR("model"),
                            .prompt_tokens = 10 + rand_r(seed) % 90,
                            .max_completion_tokens = 100};
    struct meter_call *call;
    struct why why = {0};
    enum err err;
    while ((err = meter_begin(meter, &ask, &call, NULL, &why)) == ERR_UNAVAILABLE) {
        why = (struct why){0};
        time_sleep_ms(1);
    }
    if (err)
        stop("could not begin", &why);
    t->prompt = ask.prompt_tokens;
    memcpy(t->id, meter_call_id(call), UUID_TEXT);
    atomic_store(&t->begun, 1);
    int n = rand_r(seed) % 12;
    for (int i = 0; i < n; i++) {
        deliver(call, t, i * 3);
        if (rand_r(seed) % 16 == 0)
            time_sleep_ms(1);
    }
    enum meter_outcome outcome = n && rand_r(seed) % 4 ? METER_OK : METER_CANCELLED;
    atomic_store(&t->outcome, (int64_t)outcome + 1);
    meter_end(call,
              &(struct meter_usage){.prompt = -1,
                                    .cached = -1,
                                    .completion = -1,
                                    .source = METER_COUNTED,
                                    .outcome = outcome,
                                    .queue_ms = -1,
                                    .first_ms = -1},
              NULL);
    atomic_store(&t->ended, 1);
}

static void *work(void *arg)
{
    unsigned seed = (unsigned)(time_mono_ns() ^ (intptr_t)arg);
    for (;;) {
        int64_t at = atomic_fetch_add(&n_truths, 1);
        if (at >= TRUTH_MOST)
            return NULL;
        one_call(&seed, &truths[at]);
    }
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"meter.commit=3ms", "meter.refresh=20ms", "meter.slots=512"};
    struct why why = {0};
    struct store *store;
    const struct conf *conf;
    pthread_t ids[N_THREADS];
    if (argc != 4)
        return 2;
    if (log_open("/dev/null", LOG_LEVEL_ERROR, true, &why))
        stop("log", &why);
    truths = truth_map(argv[3], 1);
    if (!truths)
        stop("truth", &why);
    if (conf_load(&meter_conf, 1, NULL, sets, 3, arena_new(1 << 20), &conf, &why))
        stop("conf", &why);
    if (store_open(&(struct store_opts){argv[1], 20000, 3}, &store, &why))
        stop("store", &why);
    struct meter_opts opts = {.store = store, .conf = conf, .data_dir = argv[2]};
    if (meter_open(&opts, &meter, &why) || meter_start(meter, &why))
        stop("meter", &why);
    for (intptr_t i = 0; i < N_THREADS; i++)
        if (pthread_create(&ids[i], NULL, work, (void *)i) != 0)
            return 3;
    for (int i = 0; i < N_THREADS; i++)
        (void)pthread_join(ids[i], NULL);
    time_sleep_ms(60000); /* done, and still to be killed */
    return 0;
}
