/* The request log: table gateway_requests, written behind the calls by a thread of its own. */
#include "gateway/gateway_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/pool.h"
#include "core/time.h"
#include "core/utf8.h"
#include "gateway/answers.h"

#define MOST_QUEUED  8192
#define BATCH        1000
#define MOST_TEXT    ((size_t)4096)  /* bytes of a request or an answer that are kept */
#define MOST_AGREED  ((size_t)65536) /* the same of calls that may become data */
#define COLLECT_MS   200
#define EXPIRE_MS    600000
#define EXPIRE_BATCH 5000
#define N_STRINGS    17
#define ANSWERS_MS   5000 /* how long counts of answers wait to be written */

static struct metric lost = METRIC_INIT(METRIC_COUNTER, "yicheng_gateway_log_lost_total",
                                        "Lines of the request log that were not written", NULL);

const struct store_migration gateway_migrations[] = {
    {"gateway", 1,
     "CREATE TABLE gateway_requests ("
     " id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, tenant_id TEXT NOT NULL, actor TEXT NOT NULL,"
     " name TEXT NOT NULL, application TEXT NOT NULL, address TEXT NOT NULL, trace TEXT NOT NULL,"
     " door TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL, target TEXT NOT NULL,"
     " status INTEGER NOT NULL, code TEXT NOT NULL, stream INTEGER NOT NULL,"
     " cached INTEGER NOT NULL, attempts INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,"
     " cached_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, source TEXT NOT NULL,"
     " money INTEGER NOT NULL, ms INTEGER NOT NULL, first_ms INTEGER NOT NULL,"
     " queue_ms INTEGER NOT NULL, request TEXT, reply TEXT);"
     "CREATE INDEX gateway_requests_tenant ON gateway_requests (tenant_id, id);"
     "CREATE INDEX gateway_requests_at ON gateway_requests (at_ms)",
     NULL},
    {"gateway", 2,
     "ALTER TABLE gateway_requests ADD COLUMN consent INTEGER NOT NULL DEFAULT 0;"
     "CREATE INDEX gateway_requests_consent ON gateway_requests (tenant_id, consent, id)",
     NULL},
    {"gateway", 3, /* latency.c; *_n: "bucket:count bucket:count" */
     "CREATE TABLE gateway_latency (hour INTEGER NOT NULL, tenant_id TEXT NOT NULL,"
     " model TEXT NOT NULL, application TEXT NOT NULL, process TEXT NOT NULL,"
     " first_n TEXT NOT NULL, between_n TEXT NOT NULL, whole_n TEXT NOT NULL,"
     " PRIMARY KEY (hour, tenant_id, model, application, process))",
     NULL},
    {"gateway", 4, /* answers.c; served: "model:version" */
     "ALTER TABLE gateway_requests ADD COLUMN served TEXT NOT NULL DEFAULT '';"
     "CREATE INDEX gateway_requests_served ON gateway_requests (served, id);"
     "CREATE INDEX gateway_requests_trace ON gateway_requests (trace);"
     "CREATE TABLE gateway_answers (model TEXT NOT NULL, tenant_id TEXT NOT NULL,"
     " n BIGINT NOT NULL, first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL,"
     " PRIMARY KEY (model, tenant_id))",
     NULL},
};
const size_t gateway_n_migrations = sizeof gateway_migrations / sizeof gateway_migrations[0];

struct entry { /* a record whose strings follow it */
    struct record record;
    char bytes[];
};

struct records {
    struct store *store;
    const struct limits *limits;
    struct privacy_scanner *scanner; /* NULL: nothing is masked */
    struct queue *queue;
    pthread_t thread;
    int64_t expired_ns, answers_ns;
    struct answers *answers;
    _Atomic int64_t second, in_second; /* lines of calls that went well */
};

/* ---- masking ---- */

enum err record_scanner(struct privacy_scanner **out, struct why *why)
{
    /* A log shows less than a page does: what is only likely is masked too. */
    struct privacy_scan_opts opts = {.least = 0.45F};
    return privacy_scanner_new(&opts, out, why);
}

/* Nothing at all rather than a text that could not be masked. */
void record_mask(const struct privacy_scanner *scanner, struct str text, struct buf *out)
{
    struct privacy_findings found;
    if (privacy_scan(scanner, text, STR(""), out->arena, &found, NULL) ||
        privacy_mask(text, &found, PRIVACY_MODE_PARTIAL, NULL, out, NULL))
        buf_clear(out);
}

/* ---- putting ---- */

static void strings_of(struct record *r, struct str *out[N_STRINGS])
{
    struct str *all[N_STRINGS] = {
        &r->id,      &r->trace,   &r->tenant, &r->actor,   &r->name,   &r->application,
        &r->address, &r->door,    &r->model,  &r->version, &r->target, &r->code,
        &r->source,  &r->request, &r->reply,  &r->served,  NULL};
    memcpy(out, all, sizeof all);
}

static struct str cut(struct str text, bool agreed)
{
    size_t most = agreed ? MOST_AGREED : MOST_TEXT;
    return text.len > most ? str_slice(text, 0, utf8_floor(text, most)) : text;
}

/* Whether a call that went well is among those that are kept: by its id, so that whoever has the id
 * of one knows. */
bool records_want(struct records *records, const char *id, int status)
{
    uint64_t hash = hash64(id, strlen(id), 1);
    int64_t second = time_mono_ns() / 1000000000;
    if (status >= 400)
        return true;
    if ((int)(hash % 1000) >= records->limits->log_sample)
        return false;
    if (atomic_exchange(&records->second, second) != second)
        atomic_store(&records->in_second, 0);
    return atomic_fetch_add(&records->in_second, 1) < records->limits->log_rate;
}

void records_put(struct records *records, const struct record *record)
{
    struct record copy = *record;
    struct str *strings[N_STRINGS];
    size_t total = 0;
    bool bodies = records->limits->log_bodies != LOG_BODIES_OFF;
    copy.request = bodies ? cut(copy.request, copy.consent) : STR_NONE;
    copy.reply = bodies ? cut(copy.reply, copy.consent) : STR_NONE;
    strings_of(&copy, strings);
    for (size_t i = 0; strings[i]; i++)
        total += strings[i]->len;
    struct entry *entry = malloc(sizeof *entry + total);
    if (!entry) {
        metric_add(&lost, 1);
        return;
    }
    char *at = entry->bytes;
    for (size_t i = 0; strings[i]; i++) {
        if (strings[i]->len)
            memcpy(at, strings[i]->ptr, strings[i]->len);
        strings[i]->ptr = at;
        at += strings[i]->len;
    }
    entry->record = copy;
    if (queue_push(records->queue, entry, 0) != ERR_OK) {
        metric_add(&lost, 1);
        free(entry);
    }
}

/* ---- writing ---- */

static struct str body_of(const struct records *records, struct str text, struct arena *arena)
{
    struct buf out;
    if (utf8_invalid(text) != STR_NPOS || (text.len && memchr(text.ptr, '\0', text.len)))
        return STR("");
    if (records->limits->log_bodies == LOG_BODIES_FULL)
        return text;
    buf_init(&out, arena);
    record_mask(records->scanner, text, &out);
    return out.failed ? STR("") : buf_str(&out);
}

static enum err insert(struct records *records, struct store_tx *tx, const struct record *r,
                       struct arena *arena, struct why *why)
{
    return store_exec(
        tx,
        "INSERT INTO gateway_requests (id, at_ms, tenant_id, actor, name, application, address,"
        " trace, door, model, version, target, status, code, stream, cached, attempts,"
        " prompt_tokens, cached_tokens, completion_tokens, source, money, ms, first_ms, queue_ms,"
        " request, reply, consent, served) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        STORE_ARGS(
            SV_STR(r->id), SV_INT(r->at_ms), SV_STR(r->tenant), SV_STR(r->actor), SV_STR(r->name),
            SV_STR(r->application), SV_STR(r->address), SV_STR(r->trace), SV_STR(r->door),
            SV_STR(r->model), SV_STR(r->version), SV_STR(r->target), SV_INT(r->status),
            SV_STR(r->code), SV_INT(r->stream), SV_INT(r->cached), SV_INT(r->attempts),
            SV_INT(r->prompt), SV_INT(r->cached_tokens), SV_INT(r->completion), SV_STR(r->source),
            SV_INT(r->money), SV_INT(r->ms), SV_INT(r->first_ms), SV_INT(r->queue_ms),
            SV_STR(body_of(records, r->request, arena)), SV_STR(body_of(records, r->reply, arena)),
            SV_INT(r->consent), SV_STR(r->served)),
        NULL, why);
}

static void write_batch(struct records *records, struct entry **entries, size_t n)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct store_tx *tx = NULL;
    struct why why = {0};
    enum err err = arena ? store_begin(records->store, STORE_WRITE, &tx, &why) : ERR_NO_MEMORY;
    for (size_t i = 0; i < n && !err; i++)
        err = insert(records, tx, &entries[i]->record, arena, &why);
    if (!err)
        err = store_commit(tx, &why);
    else
        store_rollback(tx);
    if (err) {
        metric_add(&lost, (int64_t)n);
        LOG_WARN("the request log could not be written", LOG_I("lines", n), LOG_WHY(&why));
    }
    for (size_t i = 0; i < n; i++)
        free(entries[i]);
    arena_free(arena);
}

static void expire(struct records *records)
{
    int64_t now = time_mono_ns(), n = 0;
    struct why why = {0};
    if (records->limits->log_keep_ms <= 0 ||
        (records->expired_ns && now - records->expired_ns < (int64_t)EXPIRE_MS * 1000000))
        return;
    enum err err = store_run(
        records->store,
        "DELETE FROM gateway_requests WHERE id IN (SELECT id FROM gateway_requests"
        " WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
        STORE_ARGS(SV_INT(time_now_ms() - records->limits->log_keep_ms), SV_INT(EXPIRE_BATCH)), &n,
        &why);
    if (err)
        LOG_WARN("old lines of the request log could not be removed", LOG_WHY(&why));
    if (n < EXPIRE_BATCH)
        records->expired_ns = now;
}

void records_answered(struct records *records, struct str tenant, struct str served)
{
    if (records)
        answers_add(records->answers, tenant, served, time_now_ms());
}

static void write_answers(struct records *records, bool now)
{
    struct why why = {0};
    int64_t at = time_mono_ns();
    if (!now && at - records->answers_ns < (int64_t)ANSWERS_MS * 1000000)
        return;
    records->answers_ns = at;
    if (answers_write(records->answers, &why))
        LOG_WARN("the counts of answers could not be written", LOG_WHY(&why));
}

static void *write_log(void *arg)
{
    struct records *records = arg;
    struct entry *entries[BATCH];
    enum err err = ERR_OK;
    while (err != ERR_CANCELLED) {
        void *item;
        size_t n = 0;
        err = queue_pop(records->queue, &item, ANSWERS_MS);
        if (err == ERR_OK) {
            entries[n++] = item;
            if (queue_len(records->queue) < BATCH / 2)
                time_sleep_ms(COLLECT_MS);
        }
        while (err == ERR_OK && n < BATCH && queue_pop(records->queue, &item, 0) == ERR_OK)
            entries[n++] = item;
        if (n)
            write_batch(records, entries, n);
        write_answers(records, err == ERR_CANCELLED);
        expire(records);
    }
    return NULL;
}

enum err records_open(struct gateway *gateway, struct records **out, struct why *why)
{
    struct records *records = calloc(1, sizeof *records);
    if (!records || !(records->answers = answers_new(gateway->opts.store)) ||
        !(records->queue = queue_new(MOST_QUEUED))) {
        answers_free(records ? records->answers : NULL);
        free(records);
        return err_set(why, ERR_NO_MEMORY, "could not hold the request log");
    }
    records->store = gateway->opts.store;
    records->limits = &gateway->limits;
    enum err err = ERR_OK;
    if (records->limits->log_bodies == LOG_BODIES_MASKED)
        err = record_scanner(&records->scanner, why);
    if (!err && (errno = pthread_create(&records->thread, NULL, write_log, records)) != 0)
        err = err_errno(why, "could not start a thread");
    if (err) {
        privacy_scanner_free(records->scanner);
        queue_free(records->queue);
        answers_free(records->answers);
        free(records);
        return err;
    }
    *out = records;
    return ERR_OK;
}

void records_close(struct records *records)
{
    if (!records)
        return;
    queue_close(records->queue);
    pthread_join(records->thread, NULL);
    privacy_scanner_free(records->scanner);
    queue_free(records->queue);
    answers_free(records->answers);
    free(records);
}
