#include "meter/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/time.h"
#include "core/utf8.h"
#include "meter/meter_in.h"

#define ACT_MEMORY (4u << 20)
#define DAY_MS     86400000LL
#define YEAR_MS    (366 * DAY_MS)

static const struct conf_key keys[] = {
    {"meter.commit", CONF_DURATION, "1s", 1, 60000, NULL,
     "Longest time until an ended call is written; each commit is an entry of the ledger"},
    {"meter.refresh", CONF_DURATION, "1s", 10, 60000, NULL,
     "How often limits, prices and what other processes spent are read"},
    {"meter.slots", CONF_INT, "65536", 16, 1 << 20, NULL,
     "Calls of a process in flight or not written yet; 1 KiB of disk each"},
    {"meter.reserve", CONF_INT, "1024", 0, 1000000, NULL,
     "Completion tokens reserved for a call that names no most"},
    {"meter.unpriced", CONF_CHOICE, "allow", 0, 0, "allow|refuse",
     "What becomes of a call for a model without a price: free of charge, or refused"},
    {"meter.close", CONF_DURATION, "15d", 0, YEAR_MS, NULL,
     "How long after its end a month's bill is closed by the centre itself; 0s: only by hand"},
    {"meter.keep", CONF_DURATION, "400d", DAY_MS, 20 * YEAR_MS, NULL,
     "How long lines of closed months are kept; their sums and bills stay"},
};
const struct conf_table meter_conf = {keys, sizeof keys / sizeof keys[0]};

static const char *const levels[] = {"tenant", "application", "key"};

const char *meter_level_name(enum meter_level level)
{
    return level < METER_N_LEVELS ? levels[level] : "";
}

int64_t meter_now(const struct meter *meter)
{
    return meter->clock(meter->clock_ctx);
}

static int64_t system_clock(void *ctx)
{
    (void)ctx;
    return time_now_ms();
}

struct str meter_new_id(struct arena *arena)
{
    char id[UUID_TEXT];
    return str_copy(arena, str_c(uuid7(id)));
}

enum err meter_see(const struct ops_identity *who, struct str tenant, struct why *why)
{
    if (str_eq(who->tenant, tenant) || ops_may(who, "ops.every_tenant"))
        return ERR_OK;
    return err_set(why, ERR_NOT_FOUND, "there is no such tenant");
}

enum err meter_check_text(const char *what, struct str s, size_t most_bytes, struct why *why)
{
    if (s.len > most_bytes)
        return err_set(why, ERR_INVALID, "the %s has %zu bytes, more than %zu", what, s.len,
                       most_bytes);
    if (utf8_invalid(s) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the %s is not valid UTF-8", what);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return err_set(why, ERR_INVALID, "the %s has a control character", what);
    return ERR_OK;
}

/* ---- acts ---- */

enum err act_begin(struct meter_act *act, struct meter *meter, const struct ops_identity *who,
                   const char *action, const char *permission, struct why *why)
{
    *act = (struct meter_act){.meter = meter, .who = who, .action = action};
    enum err err = ops_need(who, permission, why);
    if (err)
        return err;
    act->arena = arena_new(ACT_MEMORY);
    return act->arena ? store_begin(meter->store, STORE_WRITE, &act->tx, why)
                      : err_set(why, ERR_NO_MEMORY, "could not begin \"%s\"", action);
}

static enum err reload(struct meter *m, struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = store_begin(m->store, STORE_READ, &tx, why);
    if (!err)
        err = rules_load(m, tx, why);
    store_rollback(tx);
    return err;
}

enum err act_end(struct meter_act *act, enum err err, const char *object, struct str detail,
                 bool rules, struct why *why)
{
    struct why own = {0};
    if (!err && rules)
        err = rules_touch(act->tx, why);
    if (!err)
        err = ops_audit(act->tx, act->who, act->action, object, "ok", detail, why);
    if (!err)
        err = store_commit(act->tx, why);
    else
        store_rollback(act->tx);
    if (err == ERR_FORBIDDEN)
        ops_audit_refusal(act->meter->ops, act->who, act->action, object, err);
    arena_free(act->arena);
    /* It is done; if it cannot be read now, the writer reads it within meter.refresh. */
    if (!err && rules && reload(act->meter, &own))
        LOG_WARN("changed limits or prices could not be read at once", LOG_WHY(&own));
    return err;
}

/* ---- open ---- */

static bool init_locks(struct meter *m)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    bool good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_mutex_init(&m->start, NULL) == 0 &&
                pthread_mutex_init(&m->rules_lock, NULL) == 0 &&
                pthread_mutex_init(&m->writer_lock, NULL) == 0 &&
                pthread_cond_init(&m->wake, &attr) == 0 && pthread_cond_init(&m->done, &attr) == 0;
    for (size_t i = 0; good && i < METER_STRIPES; i++)
        good = pthread_mutex_init(&m->stripes[i].lock, NULL) == 0;
    (void)pthread_condattr_destroy(&attr);
    return good;
}

static void read_conf(struct meter *m, const struct conf *conf)
{
    m->commit_ms = conf_int(conf, "meter.commit");
    m->refresh_ms = conf_int(conf, "meter.refresh");
    m->n_slots = (size_t)conf_int(conf, "meter.slots");
    m->default_completion = conf_int(conf, "meter.reserve");
    m->refuse_unpriced = strcmp(conf_str(conf, "meter.unpriced"), "refuse") == 0;
    m->keep_ms = conf_int(conf, "meter.keep");
    m->close_ms = conf_int(conf, "meter.close");
}

enum err meter_open(const struct meter_opts *opts, struct meter **out, struct why *why)
{
    struct meter *m = NULL;
    if (posix_memalign((void **)&m, 64, sizeof *m) != 0)
        return err_set(why, ERR_NO_MEMORY, "could not hold the meter");
    memset(m, 0, sizeof *m);
    m->arena = arena_new(64 << 10);
    m->flight.fd = -1;
    m->backlog_end = &m->backlog;
    if (!m->arena || !init_locks(m)) {
        arena_free(m->arena);
        free(m);
        return err_set(why, ERR_NO_MEMORY, "could not hold the meter");
    }
    m->store = opts->store;
    m->ops = opts->ops;
    m->clock = opts->clock ? opts->clock : system_clock;
    m->clock_ctx = opts->clock_ctx;
    read_conf(m, opts->conf);
    if (snprintf(m->dir, sizeof m->dir, "%s/meter", opts->data_dir) >= (int)sizeof m->dir) {
        meter_close(m);
        return err_set(why, ERR_INVALID, "the data directory's path is too long");
    }
    *out = m;
    return ERR_OK;
}

static bool has_open_slots(const struct meter *m)
{
    for (size_t i = 0; i < m->flight.n; i++)
        if (atomic_load(&m->flight.slots[i].state) != FLIGHT_FREE)
            return true;
    return false;
}

void meter_close(struct meter *m)
{
    if (!m)
        return;
    writer_stop(m);
    if (m->flight.map)
        flight_close(&m->flight, !has_open_slots(m));
    free(m->calls);
    free(m->next_free);
    scopes_free(m);
    if (m->rules)
        arena_free(m->rules->arena);
    for (size_t i = 0; i < METER_STRIPES; i++)
        (void)pthread_mutex_destroy(&m->stripes[i].lock);
    (void)pthread_mutex_destroy(&m->start);
    (void)pthread_mutex_destroy(&m->rules_lock);
    (void)pthread_mutex_destroy(&m->writer_lock);
    (void)pthread_cond_destroy(&m->wake);
    (void)pthread_cond_destroy(&m->done);
    arena_free(m->arena);
    free(m);
}

/* ---- start ---- */

static enum err make_slots(struct meter *m, struct why *why)
{
    uint64_t from;
    m->calls = calloc(m->n_slots, sizeof *m->calls);
    m->next_free = calloc(m->n_slots, sizeof *m->next_free);
    if (!m->calls || !m->next_free)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu calls", m->n_slots);
    enum err err = flight_make(m->dir, m->n_slots, &m->flight, why);
    if (err)
        return err;
    random_bytes(m->id_seed, sizeof m->id_seed);
    random_bytes(&from, sizeof from);
    atomic_store(&m->id_count, from >> 21);
    for (size_t i = m->n_slots; i > 0; i--)
        call_free(m, &m->calls[i - 1]);
    return ERR_OK;
}

static void drop_slots(struct meter *m)
{
    if (m->flight.map)
        flight_close(&m->flight, true);
    free(m->calls);
    free(m->next_free);
    m->calls = NULL;
    m->next_free = NULL;
    atomic_store(&m->free_head, 0);
    atomic_store(&m->n_free, 0);
}

static enum err start(struct meter *m, struct why *why)
{
    struct why later = {0};
    enum err err = meter_refresh(m, why);
    if (!err)
        err = make_slots(m, why);
    /* What cannot be settled now is tried again by the writer. */
    if (!err && meter_recover(m, NULL, &later))
        LOG_WARN("calls of a dead process could not be settled yet", LOG_WHY(&later));
    if (!err)
        err = meter_refresh(m, why);
    if (!err)
        err = writer_start(m, why);
    if (err)
        drop_slots(m);
    return err;
}

enum err meter_start(struct meter *m, struct why *why)
{
    enum err err = ERR_OK;
    (void)pthread_mutex_lock(&m->start);
    if (!atomic_load(&m->started)) {
        err = start(m, why);
        if (!err)
            atomic_store_explicit(&m->started, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&m->start);
    return err;
}

/* ---- keeping fresh ---- */

struct fresh {
    struct meter *meter;
    int64_t now_ms;
};

static enum err take_spent(void *ctx, const struct store_rows *row, struct why *why)
{
    const struct fresh *fresh = ctx;
    struct meter *m = fresh->meter;
    struct str tenant = store_str(row, 0, 0), name = store_str(row, 0, 2);
    int64_t level = store_int(row, 0, 1), period = store_int(row, 0, 3);
    if (level < 0 || level >= METER_N_LEVELS || tenant.len > UINT8_MAX || name.len > UINT8_MAX)
        return ERR_OK;
    struct meter_stripe *stripe = stripe_of(m, tenant);
    (void)pthread_mutex_lock(&stripe->lock);
    struct meter_scope *s = scope_get(m, stripe, tenant, (enum meter_level)level, name);
    if (s) {
        scope_roll(s, fresh->now_ms);
        if (period == date_of(s->day)) {
            s->day_tokens = store_int(row, 0, 4);
            s->day_money = store_int(row, 0, 5);
        } else if (period == s->month) {
            s->month_tokens = store_int(row, 0, 4);
            s->month_money = store_int(row, 0, 5);
        }
    }
    (void)pthread_mutex_unlock(&stripe->lock);
    return s ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold what a caller has used");
}

static enum err read_spent(struct meter *m, struct store_tx *tx, struct arena *arena,
                           struct why *why)
{
    struct fresh fresh = {m, meter_now(m)};
    struct store_rows rows;
    int32_t today = day_of(fresh.now_ms);
    if (today != m->seen_day) /* another day, another month: all of it anew */
        m->seen_batch = 0;
    enum err err = store_query(tx, "SELECT COALESCE(MAX(batch), 0) FROM meter_batches",
                               STORE_NO_ARGS, arena, &rows, why);
    int64_t last = err ? 0 : store_int(&rows, 0, 0);
    if (err || last == m->seen_batch)
        return err;
    err = store_each(
        tx,
        "SELECT tenant, level, name, period, tokens, money FROM meter_spent"
        " WHERE batch > ? AND period IN (?, ?)",
        STORE_ARGS(SV_INT(m->seen_batch), SV_INT(date_of(today)), SV_INT(month_of(today))),
        take_spent, &fresh, why);
    if (!err) {
        m->seen_batch = last;
        m->seen_day = today;
    }
    return err;
}

enum err meter_refresh(struct meter *m, struct why *why)
{
    struct store_tx *tx = NULL;
    int64_t generation = 0;
    struct arena *arena = arena_new(1 << 16);
    enum err err = arena ? store_begin(m->store, STORE_READ, &tx, why)
                         : err_set(why, ERR_NO_MEMORY, "could not read the limits");
    if (!err)
        err = rules_generation(tx, &generation, why);
    (void)pthread_mutex_lock(&m->rules_lock);
    bool stale = !m->rules || m->rules->generation != generation;
    (void)pthread_mutex_unlock(&m->rules_lock);
    if (!err && stale)
        err = rules_load(m, tx, why);
    if (!err)
        err = read_spent(m, tx, arena, why);
    store_rollback(tx);
    arena_free(arena);
    return err;
}
