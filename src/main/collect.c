/* collect: marks from what the tables, the jobs' files and the young objects name; the rest goes.
 */
#include "main/collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/time.h"
#include "ledger/ledger.h"

#define DAY_MS   ((int64_t)24 * 3600 * 1000)
#define NAME_LEN (HASH_TEXT - 1)
#define MEMORY   ((size_t)4 << 30) /* 60 million objects */

struct item {
    uint8_t digest[HASH_BYTES];
    uint64_t bytes;
    int64_t written_ms;
    bool named, held; /* held: named or young */
};

struct collecting {
    struct center *center;
    struct arena *arena;
    struct item *items; /* n, ascending by digest */
    size_t n, cap;
    uint32_t *waiting; /* n: places of held items whose content has to be looked at */
    size_t n_waiting;
    int64_t before_ms;
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the list of objects");
}

/* ---- what there is ---- */

static enum err list_one(void *ctx, const struct objects_info *info, struct why *why)
{
    struct collecting *c = ctx;
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 4096, size = sizeof *c->items;
        if (cap > UINT32_MAX)
            return no_memory(why);
        c->items = arena_grow(c->arena, c->items, c->cap * size, cap * size);
        c->cap = cap;
        if (!c->items)
            return no_memory(why);
    }
    struct item *item = &c->items[c->n++];
    *item = (struct item){.bytes = info->bytes, .written_ms = info->written_ms};
    return hex_get((struct str){info->name, NAME_LEN}, item->digest, HASH_BYTES)
               ? ERR_OK
               : err_set(why, ERR_INTERNAL, "object %s has no name", info->name);
}

static int by_digest(const void *a, const void *b)
{
    return memcmp(((const struct item *)a)->digest, ((const struct item *)b)->digest, HASH_BYTES);
}

static enum err list(struct collecting *c, struct why *why)
{
    enum err err = objects_each(c->center->objects, list_one, c, why);
    if (err)
        return err;
    c->waiting = arena_array(c->arena, uint32_t, c->n + 1);
    if (!c->waiting)
        return no_memory(why);
    qsort(c->items, c->n, sizeof *c->items, by_digest);
    return ERR_OK;
}

/* ---- what is meant ---- */

static void hold(struct collecting *c, struct item *item)
{
    if (item->held)
        return;
    item->held = true;
    c->waiting[c->n_waiting++] = (uint32_t)(item - c->items);
}

static void name_at(struct collecting *c, const char *hex)
{
    struct item key = {0};
    if (!hex_get((struct str){hex, NAME_LEN}, key.digest, HASH_BYTES))
        return;
    struct item *item = bsearch(&key, c->items, c->n, sizeof *c->items, by_digest);
    if (!item)
        return;
    item->named = true;
    hold(c, item);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Whatever may be a name: 64 hex digits, in a longer run of them at every place. */
static void names_in(struct collecting *c, const char *text, size_t len)
{
    for (size_t i = 0, run = 0; i < len; i++) {
        run = is_hex(text[i]) ? run + 1 : 0;
        if (run >= NAME_LEN)
            name_at(c, text + i + 1 - NAME_LEN);
    }
}

static enum err in_table(void *ctx, struct str table, struct str text, struct why *why)
{
    (void)why;
    if (!str_starts(table, STR("ledger_")))
        names_in(ctx, text.ptr, text.len);
    return ERR_OK;
}

static enum err in_file(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct file_map map = {0};
    (void)relative;
    enum err err = file_map(path, &map, why);
    if (err == ERR_NOT_FOUND) { /* the job has just removed it */
        *why = (struct why){0};
        return ERR_OK;
    }
    if (!err)
        names_in(ctx, (const char *)map.ptr, map.len);
    file_unmap(&map);
    return err;
}

static enum err look_into(struct collecting *c, const struct item *item, struct why *why)
{
    char name[HASH_TEXT];
    const char *path;
    struct file_map map = {0};
    struct arena *arena = arena_new(8192);
    enum err err = arena ? objects_path(c->center->objects, hex_put(item->digest, HASH_BYTES, name),
                                        arena, &path, why)
                         : no_memory(why);
    if (!err)
        err = file_map(path, &map, why);
    if (!err && map.len && (map.ptr[0] == '{' || map.ptr[0] == '['))
        names_in(c, (const char *)map.ptr, map.len);
    file_unmap(&map);
    arena_free(arena);
    if (err == ERR_NOT_FOUND) { /* somebody removed it: `yicheng check` tells of it */
        *why = (struct why){0};
        err = ERR_OK;
    }
    return err;
}

static enum err find_meant(struct collecting *c, struct why *why)
{
    char *jobs = file_join(c->arena, c->center->opts->data, "jobs");
    if (!jobs)
        return no_memory(why);
    for (size_t i = 0; i < c->n; i++)
        if (c->items[i].written_ms >= c->before_ms)
            hold(c, &c->items[i]);
    enum err err = store_texts(c->center->store, NAME_LEN, in_table, c, why);
    if (!err && file_is_dir(jobs))
        err = file_walk(jobs, 16, in_file, c, why);
    while (!err && c->n_waiting)
        err = look_into(c, &c->items[c->waiting[--c->n_waiting]], why);
    return err;
}

/* ---- since when a row may come yet ---- */

/* What a job stores is named by its rows at its end, which may be days later. */
static enum err wait_for_jobs(struct collecting *c, const char *state, struct collect_report *out,
                              struct why *why)
{
    char before[UUID_TEXT] = "";
    struct job_info *jobs;
    size_t n = 0;
    enum err err = ERR_OK;
    do {
        err = job_list(c->center->compute, NULL, state, 1000, before, c->arena, &jobs, &n, why);
        for (size_t i = 0; !err && i < n; i++)
            if (jobs[i].created_ms < c->before_ms) {
                c->before_ms = jobs[i].created_ms;
                (void)snprintf(out->waits_for, sizeof out->waits_for, "%.*s", STR_FMT(jobs[i].id));
            }
        if (!err && n)
            (void)snprintf(before, sizeof before, "%.*s", STR_FMT(jobs[n - 1].id));
    } while (!err && n == 1000);
    return err;
}

/* ---- the end ---- */

static void count(const struct collecting *c, struct collect_report *out)
{
    out->n_objects = (int64_t)c->n;
    out->before_ms = c->before_ms;
    for (size_t i = 0; i < c->n; i++) {
        const struct item *item = &c->items[i];
        out->n_young += item->held && !item->named;
        if (item->held)
            continue;
        out->n_orphans++;
        out->orphan_bytes += (int64_t)item->bytes;
        if (!out->oldest_ms || item->written_ms < out->oldest_ms)
            out->oldest_ms = item->written_ms;
    }
}

/* Nothing goes without a line: it is written first, and a collector that dies leaves the rest to
 * the next, which writes its own. */
static enum err record(struct collecting *c, const struct collect_report *report, struct why *why)
{
    struct buf buf;
    struct json_out json;
    char time[TIME_TEXT];
    buf_init(&buf, c->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_int(&json, "n_objects", report->n_orphans);
    json_kv_int(&json, "n_bytes", report->orphan_bytes);
    json_kv_c(&json, "stored_before", time_format(report->before_ms, time));
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    struct ledger_act act = {
        .actor = "system", .action = "objects.collect", .result = "ok", .detail = buf_str(&buf)};
    return err ? err : ledger_record(c->center->store, &act, why);
}

static enum err remove_all(struct collecting *c, struct collect_report *out, struct why *why)
{
    enum err err = out->n_orphans ? record(c, out, why) : ERR_OK;
    for (size_t i = 0; !err && i < c->n; i++) {
        char name[HASH_TEXT];
        bool removed = false;
        if (c->items[i].held)
            continue;
        err = objects_collect(c->center->objects, hex_put(c->items[i].digest, HASH_BYTES, name),
                              c->before_ms, &removed, why);
        out->n_removed += removed;
        out->removed_bytes += removed ? (int64_t)c->items[i].bytes : 0;
    }
    return err;
}

enum err collect(struct center *center, bool remove, struct collect_report *out, struct why *why)
{
    struct collecting c = {
        .center = center, .arena = arena_new(MEMORY), .before_ms = time_now_ms() - DAY_MS};
    struct objects_hold *alone = NULL;
    struct collect_report report = {0};
    enum err err = c.arena ? ERR_OK : no_memory(why);
    if (!err && remove)
        err = objects_hold(center->objects, true, &alone, why);
    if (!err)
        err = wait_for_jobs(&c, "running", &report, why);
    if (!err)
        err = wait_for_jobs(&c, "queued", &report, why);
    if (!err)
        err = list(&c, why);
    if (!err)
        err = find_meant(&c, why);
    if (!err)
        count(&c, &report);
    if (!err && remove)
        err = remove_all(&c, &report, why);
    objects_release(alone);
    arena_free(c.arena);
    if (!err)
        *out = report;
    return err;
}
