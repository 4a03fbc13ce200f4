/* Histograms of times: counted without a lock, written behind the calls, added up when asked for.
 */
#include "gateway/latency.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/map.h"
#include "core/time.h"
#include "core/utf8.h"
#include "store/store.h"

#define HOUR_MS    3600000LL
#define KEEP_HOURS (400 * 24)
#define FLUSH_S    5
#define N_HEADS    1024
#define MOST_CELLS 1000
#define MOST_NAME  80
#define MOST_ROWS  2000
#define SUB_BITS   3 /* buckets an octave: 8 */

enum { TENANT, MODEL, APPLICATION, N_NAMES };

struct cell {
    struct cell *next;
    uint64_t hash;
    struct str names[N_NAMES];
    char bytes[N_NAMES][MOST_NAME];
    atomic_bool touched;
    _Atomic uint32_t counts[LATENCY_N_KINDS][LATENCY_BUCKETS];
};

struct latency {
    struct store *store;
    char process[UUID_TEXT];
    struct cell *_Atomic heads[N_HEADS];
    atomic_size_t n_cells;
    pthread_mutex_t making; /* of cells */

    pthread_mutex_t lock; /* of what follows: one flush at a time */
    pthread_cond_t changed;
    pthread_t thread;
    bool started, closing;
    int64_t hour; /* that the counts belong to */
};

/* ---- a histogram ---- */

size_t latency_bucket(int64_t us)
{
    uint64_t u = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint64_t)us;
    if (u < (1U << SUB_BITS))
        return (size_t)u;
    unsigned octave = 63U - (unsigned)__builtin_clzll(u); /* 3..31 */
    return ((size_t)(octave - SUB_BITS + 1) << SUB_BITS) +
           ((u >> (octave - SUB_BITS)) & ((1U << SUB_BITS) - 1));
}

/* The least value of a bucket. */
static double bound(size_t bucket)
{
    size_t octave = bucket >> SUB_BITS, sub = bucket & ((1U << SUB_BITS) - 1);
    if (octave == 0)
        return (double)bucket;
    return (double)(((uint64_t)(1U << SUB_BITS) + sub) << (octave - 1));
}

int64_t latency_percentile(const int64_t counts[LATENCY_BUCKETS], double q)
{
    int64_t total = 0, below = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return -1;
    double wanted = q * (double)total;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        if (counts[i] > 0 && (double)(below + counts[i]) >= wanted) {
            double share = (wanted - (double)below) / (double)counts[i];
            return (int64_t)(bound(i) + share * (bound(i + 1) - bound(i)));
        }
        below += counts[i];
    }
    return (int64_t)bound(LATENCY_BUCKETS);
}

/* ---- cells ---- */

static struct str cut(struct str name)
{
    return name.len > MOST_NAME ? str_slice(name, 0, utf8_floor(name, MOST_NAME)) : name;
}

static uint64_t hash_names(const struct str names[N_NAMES])
{
    uint64_t hash = 0;
    for (int i = 0; i < N_NAMES; i++)
        hash = hash64(names[i].ptr, names[i].len, hash + 1);
    return hash;
}

static struct cell *find(struct latency *latency, uint64_t hash, const struct str names[N_NAMES])
{
    struct cell *c = atomic_load_explicit(&latency->heads[hash % N_HEADS], memory_order_acquire);
    while (c && !(c->hash == hash && str_eq(c->names[TENANT], names[TENANT]) &&
                  str_eq(c->names[MODEL], names[MODEL]) &&
                  str_eq(c->names[APPLICATION], names[APPLICATION])))
        c = c->next;
    return c;
}

/* NULL without memory. Cells live as long as the process: a reader needs no lock. */
static struct cell *make(struct latency *latency, uint64_t hash, const struct str names[N_NAMES])
{
    pthread_mutex_lock(&latency->making);
    struct cell *c = find(latency, hash, names);
    if (!c && (c = calloc(1, sizeof *c)) != NULL) {
        for (int i = 0; i < N_NAMES; i++) {
            if (names[i].len)
                memcpy(c->bytes[i], names[i].ptr, names[i].len);
            c->names[i] = (struct str){c->bytes[i], names[i].len};
        }
        c->hash = hash;
        c->next = atomic_load(&latency->heads[hash % N_HEADS]);
        atomic_store_explicit(&latency->heads[hash % N_HEADS], c, memory_order_release);
        atomic_fetch_add(&latency->n_cells, 1);
    }
    pthread_mutex_unlock(&latency->making);
    return c;
}

static struct cell *cell_of(struct latency *latency, struct str names[N_NAMES])
{
    uint64_t hash = hash_names(names);
    struct cell *c = find(latency, hash, names);
    if (c)
        return c;
    if (atomic_load(&latency->n_cells) >= MOST_CELLS) { /* one more for each tenant */
        names[MODEL] = names[APPLICATION] = STR("…");
        hash = hash_names(names);
        c = find(latency, hash, names);
    }
    return c ? c : make(latency, hash, names);
}

void latency_add(struct latency *latency, struct str tenant, struct str model,
                 struct str application, const int64_t us[LATENCY_N_KINDS])
{
    struct str names[N_NAMES] = {cut(tenant), cut(model), cut(application)};
    struct cell *c = latency ? cell_of(latency, names) : NULL;
    if (!c)
        return;
    for (int i = 0; i < LATENCY_N_KINDS; i++)
        if (us[i] >= 0)
            atomic_fetch_add_explicit(&c->counts[i][latency_bucket(us[i])], 1,
                                      memory_order_relaxed);
    atomic_store_explicit(&c->touched, true, memory_order_release);
}

/* ---- writing ---- */

/* "12:3 40:1": the buckets that hold something. */
static void put_counts(struct buf *out, const uint32_t counts[LATENCY_BUCKETS])
{
    const char *sep = "";
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        if (counts[i]) {
            buf_printf(out, "%s%zu:%u", sep, i, counts[i]);
            sep = " ";
        }
}

static void get_counts(struct str text, int64_t counts[LATENCY_BUCKETS])
{
    struct str part;
    while (str_next(&text, ' ', &part)) {
        size_t colon = str_find_char(part, ':');
        int64_t bucket, n;
        if (colon != STR_NPOS && str_to_i64(str_slice(part, 0, colon), &bucket) &&
            str_to_i64(str_slice(part, colon + 1, part.len), &n) && bucket >= 0 &&
            bucket < LATENCY_BUCKETS)
            counts[bucket] += n;
    }
}

static enum err write_cell(struct latency *latency, struct store_tx *tx, const struct cell *c,
                           uint32_t counts[LATENCY_N_KINDS][LATENCY_BUCKETS], struct arena *arena,
                           struct why *why)
{
    struct buf texts[LATENCY_N_KINDS];
    for (int i = 0; i < LATENCY_N_KINDS; i++) {
        buf_init(&texts[i], arena);
        put_counts(&texts[i], counts[i]);
        if (texts[i].failed)
            return buf_err(&texts[i], why);
    }
    return store_exec(
        tx,
        "INSERT INTO gateway_latency (hour, tenant_id, model, application, process, first_n,"
        " between_n, whole_n) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hour, tenant_id, model,"
        " application, process) DO UPDATE SET first_n = excluded.first_n,"
        " between_n = excluded.between_n, whole_n = excluded.whole_n",
        STORE_ARGS(SV_INT(latency->hour), SV_STR(c->names[TENANT]), SV_STR(c->names[MODEL]),
                   SV_STR(c->names[APPLICATION]), SV_C(latency->process),
                   SV_STR(buf_str(&texts[0])), SV_STR(buf_str(&texts[1])),
                   SV_STR(buf_str(&texts[2]))),
        NULL, why);
}

/* A row holds all that an hour gave so far, so a row that was written twice counts once. At the end
 * of the hour the counts begin anew. */
static enum err write_touched(struct latency *latency, struct store_tx *tx, bool anew,
                              struct arena *arena, struct why *why)
{
    uint32_t counts[LATENCY_N_KINDS][LATENCY_BUCKETS];
    enum err err = ERR_OK;
    for (size_t head = 0; head < N_HEADS; head++)
        for (struct cell *c = atomic_load(&latency->heads[head]); c && !err; c = c->next) {
            bool touched = atomic_exchange(&c->touched, false);
            if (!touched && !anew)
                continue;
            uint64_t sum = 0;
            for (int i = 0; i < LATENCY_N_KINDS; i++)
                for (size_t j = 0; j < LATENCY_BUCKETS; j++) {
                    counts[i][j] =
                        anew ? atomic_exchange(&c->counts[i][j], 0) : atomic_load(&c->counts[i][j]);
                    sum += counts[i][j];
                }
            if (sum)
                err = write_cell(latency, tx, c, counts, arena, why);
            if (err)
                atomic_store(&c->touched, true);
        }
    return err;
}

static enum err flush(struct latency *latency, struct why *why)
{
    int64_t hour = time_now_ms() / HOUR_MS;
    bool anew = hour != latency->hour;
    struct store_tx *tx = NULL;
    struct arena *arena = arena_new((size_t)64 << 20);
    enum err err = arena ? store_begin(latency->store, STORE_WRITE, &tx, why)
                         : err_set(why, ERR_NO_MEMORY, "could not hold the times of calls");
    if (!err)
        err = write_touched(latency, tx, anew, arena, why);
    if (!err && anew)
        err = store_exec(tx, "DELETE FROM gateway_latency WHERE hour < ?",
                         STORE_ARGS(SV_INT(hour - KEEP_HOURS)), NULL, why);
    if (!err)
        err = store_commit(tx, why);
    else
        store_rollback(tx);
    arena_free(arena);
    latency->hour = hour; /* what an hour's end could not write is lost: a statistic, no account */
    return err;
}

static bool any_touched(struct latency *latency)
{
    if (time_now_ms() / HOUR_MS != latency->hour)
        return true;
    for (size_t head = 0; head < N_HEADS; head++)
        for (struct cell *c = atomic_load(&latency->heads[head]); c; c = c->next)
            if (atomic_load_explicit(&c->touched, memory_order_relaxed))
                return true;
    return false;
}

/* Lock held. */
static void write_now(struct latency *latency)
{
    struct why why = {0};
    if (any_touched(latency) && flush(latency, &why))
        LOG_WARN("the times of calls could not be written", LOG_WHY(&why));
}

static void *write_behind(void *arg)
{
    struct latency *latency = arg;
    pthread_mutex_lock(&latency->lock);
    while (!latency->closing) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += FLUSH_S;
        (void)pthread_cond_timedwait(&latency->changed, &latency->lock, &until);
        write_now(latency);
    }
    pthread_mutex_unlock(&latency->lock);
    return NULL;
}

enum err latency_open(struct store *store, struct latency **out, struct why *why)
{
    struct latency *latency = calloc(1, sizeof *latency);
    pthread_condattr_t attr;
    if (!latency)
        return err_set(why, ERR_NO_MEMORY, "could not hold the times of calls");
    latency->store = store;
    latency->hour = time_now_ms() / HOUR_MS;
    (void)uuid7(latency->process);
    pthread_mutex_init(&latency->making, NULL);
    pthread_mutex_init(&latency->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&latency->changed, &attr);
    pthread_condattr_destroy(&attr);
    if ((errno = pthread_create(&latency->thread, NULL, write_behind, latency)) != 0) {
        enum err err = err_errno(why, "could not start a thread");
        latency_close(latency);
        return err;
    }
    latency->started = true;
    *out = latency;
    return ERR_OK;
}

void latency_close(struct latency *latency)
{
    if (!latency)
        return;
    if (latency->started) {
        pthread_mutex_lock(&latency->lock);
        latency->closing = true;
        pthread_cond_signal(&latency->changed);
        pthread_mutex_unlock(&latency->lock);
        pthread_join(latency->thread, NULL);
        write_now(latency);
    }
    for (size_t head = 0; head < N_HEADS; head++)
        for (struct cell *c = atomic_load(&latency->heads[head]), *next; c; c = next) {
            next = c->next;
            free(c);
        }
    pthread_cond_destroy(&latency->changed);
    pthread_mutex_destroy(&latency->lock);
    pthread_mutex_destroy(&latency->making);
    free(latency);
}

/* ---- asking ---- */

struct gathering {
    const struct latency_filter *filter;
    struct arena *arena;
    struct map seen;
    struct latency_row **rows;
    size_t n;
};

static int64_t begin_of(enum latency_step step, int64_t hour)
{
    switch (step) {
    case LATENCY_STEP_HOUR:
        return hour * HOUR_MS;
    case LATENCY_STEP_DAY:
        return day_start_ms(day_of(hour * HOUR_MS));
    case LATENCY_STEP_NONE:
        break;
    }
    return 0;
}

static struct latency_row *row_of(struct gathering *g, int64_t at, const struct str names[N_NAMES])
{
    bool made;
    struct str key =
        str_printf(g->arena, "%lld\n%.*s\n%.*s\n%.*s", (long long)at, STR_FMT(names[TENANT]),
                   STR_FMT(names[MODEL]), STR_FMT(names[APPLICATION]));
    struct map_entry *entry = key.ptr ? map_put(&g->seen, key, &made) : NULL;
    if (!entry || !made)
        return entry ? entry->value.p : NULL;
    struct latency_row *row = g->n < MOST_ROWS ? arena_one(g->arena, struct latency_row) : NULL;
    if (!row)
        return NULL;
    *row = (struct latency_row){.at_ms = at,
                                .tenant = str_copy(g->arena, names[TENANT]),
                                .model = str_copy(g->arena, names[MODEL]),
                                .application = str_copy(g->arena, names[APPLICATION])};
    entry->value.p = row;
    g->rows[g->n++] = row;
    return row;
}

static enum err gather(void *ctx, const struct store_rows *rows, struct why *why)
{
    struct gathering *g = ctx;
    static const unsigned bits[N_NAMES] = {LATENCY_BY_TENANT, LATENCY_BY_MODEL,
                                           LATENCY_BY_APPLICATION};
    struct str names[N_NAMES];
    for (int i = 0; i < N_NAMES; i++)
        names[i] = g->filter->by & bits[i] ? store_str(rows, 0, (size_t)i + 1) : STR("");
    struct latency_row *row = row_of(g, begin_of(g->filter->step, store_int(rows, 0, 0)), names);
    if (!row)
        return g->n < MOST_ROWS
                   ? err_set(why, ERR_NO_MEMORY, "could not hold the times of calls")
                   : err_set(why, ERR_TOO_LARGE,
                             "the answer has more than %d rows: ask for less time", MOST_ROWS);
    for (int i = 0; i < LATENCY_N_KINDS; i++)
        get_counts(store_str(rows, 0, (size_t)i + 4), row->counts[i]);
    return ERR_OK;
}

static int64_t calls_of(const struct latency_row *row)
{
    int64_t n = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        n += row->counts[LATENCY_WHOLE][i];
    return n;
}

static int compare(const void *a, const void *b)
{
    const struct latency_row *x = *(struct latency_row *const *)a;
    const struct latency_row *y = *(struct latency_row *const *)b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    int64_t more = calls_of(y) - calls_of(x);
    return more < 0 ? -1 : more > 0;
}

static enum err read_all(struct latency *latency, struct gathering *g, struct why *why)
{
    const struct latency_filter *f = g->filter;
    struct store_tx *tx = NULL;
    enum err err = store_begin(latency->store, STORE_READ, &tx, why);
    if (!err)
        err = store_each(
            tx,
            "SELECT hour, tenant_id, model, application, first_n, between_n, whole_n"
            " FROM gateway_latency WHERE hour >= ? AND hour < ? AND (? = 0 OR tenant_id = ?)"
            " AND (? = 0 OR model = ?) AND (? = 0 OR application = ?) ORDER BY hour",
            STORE_ARGS(SV_INT((f->from_ms + HOUR_MS - 1) / HOUR_MS),
                       SV_INT((f->to_ms + HOUR_MS - 1) / HOUR_MS), SV_INT(f->tenant.len > 0),
                       SV_STR(f->tenant), SV_INT(f->model.len > 0), SV_STR(f->model),
                       SV_INT(f->application.len > 0), SV_STR(f->application)),
            gather, g, why);
    store_rollback(tx);
    return err;
}

enum err latency_ask(struct latency *latency, const struct latency_filter *filter,
                     struct arena *arena, struct latency_row ***out, size_t *n, struct why *why)
{
    struct gathering g = {.filter = filter, .arena = arena};
    enum err err = ERR_OK;
    if (filter->to_ms <= filter->from_ms || filter->from_ms < 0)
        return err_set(why, ERR_INVALID, "the time must begin before it ends");
    map_init(&g.seen, arena);
    g.rows = arena_array(arena, struct latency_row *, MOST_ROWS);
    if (!g.rows)
        return err_set(why, ERR_NO_MEMORY, "could not hold the times of calls");
    pthread_mutex_lock(&latency->lock);
    if (any_touched(latency))
        err = flush(latency, why);
    pthread_mutex_unlock(&latency->lock);
    if (!err)
        err = read_all(latency, &g, why);
    if (err)
        return err;
    qsort(g.rows, g.n, sizeof(struct latency_row *), compare);
    *out = g.rows;
    *n = g.n;
    return ERR_OK;
}
