/* Calls of processes that are dead: settled by what was delivered, once. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "meter/meter_in.h"

/* A call that was under way is charged for what had been said to be delivered. */
static void end_open(struct meter *m, struct flight_slot *slot)
{
    static const struct meter_usage cut = {.prompt = -1,
                                           .cached = -1,
                                           .completion = -1,
                                           .source = METER_ESTIMATED,
                                           .outcome = METER_INTERRUPTED,
                                           .queue_ms = -1,
                                           .first_ms = -1};
    struct flight_end end;
    int64_t now = meter_now(m);
    call_settle(slot, &cut, &end);
    end.ended_ms = now > slot->open.began_ms ? now : slot->open.began_ms;
    slot->end = end;
    atomic_store(&slot->state, FLIGHT_ENDED);
}

static enum err settle_some(struct meter *m, struct flight_slot **slots, size_t n, struct why *why)
{
    if (n == 0)
        return ERR_OK;
    enum err err = batch_write(m, slots, n, true, why);
    for (size_t i = 0; !err && i < n; i++)
        atomic_store(&slots[i]->state, FLIGHT_FREE);
    return err;
}

/* *n_bad: slots that this program cannot have written so. */
static enum err settle_file(struct meter *m, struct flight *f, size_t *n_calls, size_t *n_bad,
                            struct why *why)
{
    struct flight_slot *slots[METER_BATCH] = {NULL};
    size_t n = 0;
    enum err err = ERR_OK;
    for (size_t i = 0; i < f->n && !err; i++) {
        struct flight_slot *slot = &f->slots[i];
        if (atomic_load(&slot->state) == FLIGHT_FREE)
            continue;
        if (!flight_valid(slot)) {
            (*n_bad)++;
            continue;
        }
        if (atomic_load(&slot->state) == FLIGHT_OPEN)
            end_open(m, slot);
        slots[n++] = slot;
        ++*n_calls;
        if (n == METER_BATCH) {
            err = settle_some(m, slots, n, why);
            n = 0;
        }
    }
    return err ? err : settle_some(m, slots, n, why);
}

static enum err recover_one(struct meter *m, const char *path, size_t *n_calls, struct why *why)
{
    struct flight f;
    struct why own = {0};
    size_t n = 0, n_bad = 0;
    enum err err = flight_adopt(path, &f, &own);
    if (err == ERR_BUSY || err == ERR_NOT_FOUND)
        return ERR_OK;
    if (err == ERR_CORRUPT) {
        LOG_ERROR("a flight file was set aside", LOG_WHY(&own));
        flight_set_aside(path);
        return ERR_OK;
    }
    if (err)
        return err_set(why, err, "%s", own.text);
    err = settle_file(m, &f, &n, &n_bad, why);
    if (!err && n_bad) {
        LOG_ERROR("calls in a flight file are damaged; the file is kept", LOG_S("path", path),
                  LOG_I("n", n_bad));
        flight_set_aside(path);
    }
    if (!err && n)
        LOG_INFO("calls of a dead process were settled", LOG_I("n", n));
    flight_close(&f, !err && n_bad == 0);
    *n_calls += err ? 0 : n;
    return err;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_flight(const struct dirent *entry)
{
    return str_ends(str_c(entry->d_name), STR(".flight"));
}

enum err meter_recover(struct meter *m, size_t *n_calls, struct why *why)
{
    struct dirent **names;
    char path[FLIGHT_MOST_PATH];
    size_t n_settled = 0;
    enum err err = ERR_OK;
    int n = scandir(m->dir, &names, is_flight, by_name);
    if (n < 0 && errno != ENOENT)
        return err_errno(why, "could not look into \"%s\"", m->dir);
    for (int i = 0; i < n; i++) {
        if (!err &&
            snprintf(path, sizeof path, "%s/%s", m->dir, names[i]->d_name) < (int)sizeof path)
            err = recover_one(m, path, &n_settled, why);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    if (n_calls)
        *n_calls = n_settled;
    return err;
}
