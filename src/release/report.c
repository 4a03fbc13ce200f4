/* Quality reports: asked for, made in the job "release.report", kept as objects, shown. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "release/lookout.h"
#include "release/measure.h"
#include "release/room.h"
#include "release/rules.h"

#define RECORD_ROOM ((size_t)192 << 20)
#define MOST_REPORT ((size_t)16 << 20)
#define ASK_EVERY   512

/* ---- asking ---- */

static enum err insert(struct act *act, const struct data_version_info *v, int64_t sample,
                       const char *id, char job[UUID_TEXT], struct why *why)
{
    struct str spec =
        str_printf(act->arena, "{\"report\":\"%s\",\"sample\":%lld}", id, (long long)sample);
    struct str key = str_printf(act->arena, "%.*s %lld", STR_FMT(v->id), (long long)sample);
    char *title = str_z(
        act->arena, str_printf(act->arena, "%.*s %lld", STR_FMT(v->dataset), (long long)v->number));
    char *dedup = str_z(act->arena, key);
    enum err err = spec.ptr && title && dedup
                       ? job_submit(act->tx, act->release->opts.compute, act->who, "release.report",
                                    title, spec, dedup, job, why)
                       : err_set(why, ERR_NO_MEMORY, "could not begin the report");
    return err ? err
               : store_exec(act->tx,
                            "INSERT INTO release_reports (id, tenant, dataset, number, version, "
                            "access, state, job, object, score, actor, created_ms) VALUES (?, ?, "
                            "?, ?, ?, ?, 'queued', ?, '', 0, ?, ?)",
                            STORE_ARGS(SV_C(id), SV_STR(act->who->tenant), SV_STR(v->dataset),
                                       SV_INT(v->number), SV_STR(v->id), SV_INT(v->access),
                                       SV_C(job), SV_STR(ops_actor(act->who, act->arena)),
                                       SV_INT(time_now_ms())),
                            NULL, why);
}

static bool may_report(const struct ops_identity *who)
{
    return ops_may(who, "data.write") || ops_may(who, "data.manage") ||
           ops_may(who, "release.make");
}

/* A report of the same version that is under way is given again. */
static enum err under_way(struct act *act, const struct data_version_info *v, char id[UUID_TEXT],
                          char job[UUID_TEXT], bool *found, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(act->tx,
                               "SELECT id, job FROM release_reports WHERE version = ? AND state IN "
                               "('queued', 'running') ORDER BY created_ms DESC LIMIT 1",
                               STORE_ARGS(SV_STR(v->id)), act->arena, &rows, why);
    *found = !err && rows.n_rows;
    struct job_info info;
    char *z = *found ? str_z(act->arena, store_str(&rows, 0, 1)) : NULL;
    if (z && (job_find(act->release->opts.compute, z, act->arena, &info, NULL) ||
              (info.state != JOB_QUEUED && info.state != JOB_RUNNING)))
        *found = false; /* its job failed: another one is made */
    if (*found) {
        (void)snprintf(id, UUID_TEXT, "%.*s", STR_FMT(store_str(&rows, 0, 0)));
        (void)snprintf(job, UUID_TEXT, "%.*s", STR_FMT(store_str(&rows, 0, 1)));
    }
    return err;
}

enum err release_report_make(struct release *r, const struct ops_identity *who,
                             const struct json *ask, char id[UUID_TEXT], char job[UUID_TEXT],
                             struct why *why)
{
    struct act act;
    struct str dataset;
    struct data_reader *reader = NULL;
    int64_t sample = json_get_int(ask, "sample", 0);
    bool found = false;
    id[0] = job[0] = '\0';
    enum err err = may_report(who) ? ERR_OK : ops_need(who, "data.write", why);
    if (!err)
        err = text_of(ask, "dataset", 1, 100, &dataset, why);
    if (!err && (sample < 0 || (sample > 0 && sample < 100)))
        err = err_set(why, ERR_INVALID, "\"sample\" is 0 (all records) or at least 100");
    if (!err)
        err = data_reader_open(r->opts.data, who, dataset, json_get_int(ask, "version", 0), &reader,
                               why);
    if (!err)
        err = release_act_begin(&act, r, who, NULL, why);
    if (err) {
        data_reader_close(reader);
        return err;
    }
    const struct data_version_info *v = data_reader_version(reader);
    err = under_way(&act, v, id, job, &found, why);
    if (!err && !found)
        err = insert(&act, v, sample, uuid7(id), job, why);
    err = release_act_end(&act, err, "release.report.make", str_c(id),
                          err ? STR_NONE : detail_of(act.arena, "dataset", dataset, NULL), why);
    data_reader_close(reader);
    return err;
}

/* ---- the job ---- */

struct reporting {
    struct release *release;
    struct job *job;
    struct arena *arena;
    struct ops_identity own;
    struct str id, tenant, dataset, version;
    int64_t number, sample;
    struct data_reader *reader;
    struct lookout *lookout;
    struct measure *measure;
};

static enum err find_report(struct reporting *p, struct str *state, struct why *why)
{
    struct store_rows rows;
    struct ops_identity who = job_actor(p->job);
    p->id = json_get_str(job_spec(p->job), "report", STR(""));
    p->sample = json_get_int(job_spec(p->job), "sample", 0);
    enum err err = store_ask(p->release->opts.store,
                             "SELECT tenant, dataset, number, version, state FROM release_reports "
                             "WHERE id = ? AND tenant = ?",
                             STORE_ARGS(SV_STR(p->id), SV_STR(who.tenant)), p->arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "there is no such report");
    if (err)
        return err;
    p->tenant = store_str(&rows, 0, 0);
    p->dataset = store_str(&rows, 0, 1);
    p->number = store_int(&rows, 0, 2);
    p->version = store_str(&rows, 0, 3);
    *state = store_str(&rows, 0, 4);
    p->own = inside(p->tenant);
    return store_run(p->release->opts.store,
                     "UPDATE release_reports SET state = 'running' WHERE id = ? AND state = "
                     "'queued'",
                     STORE_ARGS(SV_STR(p->id)), NULL, why);
}

static enum err pass_records(struct reporting *p, int64_t take, struct why *why)
{
    struct arena *arena = arena_new(RECORD_ROOM);
    struct picker picker;
    struct str kind = str_c(data_reader_version(p->reader)->kind);
    int64_t all = data_reader_n(p->reader), n = 0;
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the records");
    picker_init(&picker, all, take, 1);
    for (struct data_record record; !err; n++) {
        if (n % ASK_EVERY == 0) {
            job_progress(p->job, n, all, "checking every record");
            if (job_cancelled(p->job))
                err = err_set(why, ERR_CANCELLED, "it was cancelled");
        }
        arena_reset(arena);
        if (!err)
            err = data_reader_next(p->reader, arena, &record, why);
        if (err || !record.line.ptr)
            break;
        if (picker_take(&picker))
            err = measure_add(p->measure, kind, &record, arena, why);
    }
    arena_free(arena);
    return err;
}

static enum err read_whole(struct reporting *p, struct why *why)
{
    struct data_source_info *infos = NULL;
    size_t n = 0;
    struct str text = STR_NONE;
    const struct json *manifest = NULL;
    char *object = str_z(p->arena, data_reader_version(p->reader)->manifest);
    enum err err = data_reader_sources(p->reader, p->arena, &infos, &n, why);
    if (!err)
        err = measure_sources(p->measure, infos, n, why);
    if (!err)
        err = object ? objects_get(p->release->opts.objects, object, (size_t)256 << 20, p->arena,
                                   &text, why)
                     : err_set(why, ERR_NO_MEMORY, "could not read the manifest");
    if (!err)
        err = json_parse(text, p->arena, &manifest, why);
    if (!err)
        measure_schema(p->measure, json_get(manifest, "schema"));
    return err;
}

static enum err write_report(struct reporting *p, int64_t take, struct str *out, double *score,
                             struct why *why)
{
    struct buf buf;
    struct json_out json;
    char now[TIME_TEXT];
    buf_init(&buf, p->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_int(&json, "format", 1);
    json_kv_str(&json, "dataset", p->dataset);
    json_kv_int(&json, "version", p->number);
    json_kv_str(&json, "version_id", p->version);
    json_kv_str(&json, "manifest", data_reader_version(p->reader)->manifest);
    json_kv_int(&json, "n_records", data_reader_n(p->reader));
    json_kv_int(&json, "n_measured", take);
    json_kv_bool(&json, "sampled", take < data_reader_n(p->reader));
    json_kv_c(&json, "made_at", time_format(time_now_ms(), now));
    enum err err = measure_put(p->measure, &json, score, why);
    json_end_object(&json);
    *out = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

/* Into the card of the set, that stands for its newest version. */
static enum err card_with(struct reporting *p, const char *object, double score, int64_t *revision,
                          const struct json **change, struct why *why)
{
    struct buf buf;
    struct json_out out;
    const struct json *set = NULL;
    void *iter = NULL;
    struct str key;
    const struct json *value;
    buf_init(&buf, p->arena);
    json_out_init(&out, &buf);
    enum err err = data_set_json(p->release->opts.data, &p->own, p->dataset, p->arena, &out, why);
    if (!err)
        err = json_parse(buf_str(&buf), p->arena, &set, why);
    if (err)
        return err;
    *revision = json_get_int(set, "revision", -1);
    buf_init(&buf, p->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_key(&out, "card");
    json_begin_object(&out);
    while (json_each(json_get(set, "card"), &iter, &key, &value)) {
        char *name = str_z(p->arena, key);
        if (!name || str_eq_c(key, "quality"))
            continue;
        json_key(&out, name);
        json_put_value(&out, value);
    }
    json_key(&out, "quality");
    json_begin_object(&out);
    json_kv_str(&out, "report", p->id);
    json_kv_int(&out, "version", p->number);
    json_kv_c(&out, "object", object);
    json_kv_real(&out, "score", floor(score * 10) / 10);
    json_end_object(&out);
    json_end_object(&out);
    json_end_object(&out);
    err = buf_err(&buf, why);
    return err ? err : json_parse(buf_str(&buf), p->arena, change, why);
}

static enum err put_card(struct reporting *p, const char *object, double score, struct why *why)
{
    for (int turn = 0;; turn++) {
        const struct json *change = NULL;
        int64_t revision = -1;
        struct why own = {0};
        enum err err = card_with(p, object, score, &revision, &change, why);
        if (!err)
            err =
                data_set_change(p->release->opts.data, &p->own, p->dataset, change, revision, &own);
        if (err != ERR_PRECONDITION || turn == 5)
            return err ? err_set(why, err, "%s", why_text(&own, err)) : ERR_OK;
    }
}

/* The card first: killed in between, the report is made once more and nothing is left out. */
static enum err keep(struct reporting *p, struct str text, double score, struct why *why)
{
    char object[HASH_TEXT];
    enum err err = objects_put(p->release->opts.objects, text, object, why);
    if (!err)
        err = put_card(p, object, score, why);
    return err ? err
               : store_run(
                     p->release->opts.store,
                     "UPDATE release_reports SET state = 'ready', object = ?, score = ? WHERE "
                     "id = ?",
                     STORE_ARGS(SV_C(object), SV_REAL(score), SV_STR(p->id)), NULL, why);
    return err ? err : put_card(p, object, score, why);
}

static enum err measure_all(struct reporting *p, struct why *why)
{
    struct str text;
    double score = 0;
    enum err err =
        data_reader_open(p->release->opts.data, &p->own, p->dataset, p->number, &p->reader, why);
    int64_t all = err ? 0 : data_reader_n(p->reader);
    int64_t take = p->sample && p->sample < all ? p->sample : all;
    if (take > MEASURE_MOST)
        take = MEASURE_MOST;
    if (!err)
        err = lookout_open(p->release, &p->lookout, why);
    if (!err)
        err = measure_new(p->arena, take, p->lookout, &p->measure, why);
    if (!err)
        err = pass_records(p, take, why);
    if (!err)
        err = read_whole(p, why);
    if (!err)
        err = write_report(p, take, &text, &score, why);
    return err ? err : keep(p, text, score, why);
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct reporting p = {.release = ctx, .job = job, .arena = job_arena(job)};
    struct str state = STR("");
    enum err err = find_report(&p, &state, why);
    if (!err && !str_eq_c(state, "ready"))
        err = measure_all(&p, why);
    measure_free(p.measure);
    lookout_close(p.lookout);
    data_reader_close(p.reader);
    if (!err)
        job_result(job, str_printf(p.arena, "{\"report\":\"%.*s\"}", STR_FMT(p.id)));
    return err;
}

const struct job_kind release_report_job = {
    .name = "release.report",
    .summary = "Measure the quality of a version",
    .permission = "data.read",
    .memory_bytes = (int64_t)1 << 30,
    .run = run,
    .moved = report_moved,
};

/* ---- looking ---- */

enum err release_reports_json(struct release *r, const struct ops_identity *who, struct str dataset,
                              struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = store_ask(
            r->opts.store,
            "SELECT id, dataset, number, state, job, score, actor, created_ms, access, "
            "why FROM release_reports WHERE tenant = ? AND (? = 0 OR dataset = ?) ORDER BY "
            "created_ms DESC, id DESC LIMIT 500",
            STORE_ARGS(SV_STR(who->tenant), SV_INT(dataset.len > 0), SV_STR(dataset)), arena, &rows,
            why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        if (!may_read_class(who, store_int(&rows, i, 8)))
            continue;
        bool ready = str_eq_c(store_str(&rows, i, 3), "ready");
        json_begin_object(out);
        json_kv_str(out, "id", store_str(&rows, i, 0));
        json_kv_str(out, "dataset", store_str(&rows, i, 1));
        json_kv_int(out, "version", store_int(&rows, i, 2));
        json_kv_str(out, "state", store_str(&rows, i, 3));
        json_kv_str(out, "job", store_str(&rows, i, 4));
        json_kv_real(out, "score", ready ? store_real(&rows, i, 5) : NAN);
        kv_actor(out, r, store_str(&rows, i, 6), arena);
        json_kv_time(out, "created_at", store_int(&rows, i, 7));
        json_kv_said(out, "why", store_str(&rows, i, 9));
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

enum err release_report_json(struct release *r, const struct ops_identity *who, struct str id,
                             struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    struct str text = STR_NONE;
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = store_ask(r->opts.store,
                        "SELECT dataset, number, state, job, object, actor, created_ms, access, "
                        "why FROM release_reports WHERE id = ? AND tenant = ?",
                        STORE_ARGS(SV_STR(id), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && (!rows.n_rows || !may_read_class(who, store_int(&rows, 0, 7))))
        err = err_set(why, ERR_NOT_FOUND, "there is no report \"%.*s\"", SHOW(id));
    char *object = err ? NULL : str_z(arena, store_str(&rows, 0, 4));
    if (!err && object && object[0])
        err = objects_get(r->opts.objects, object, MOST_REPORT, arena, &text, why);
    if (err)
        return err;
    json_begin_object(out);
    json_kv_str(out, "id", id);
    json_kv_str(out, "dataset", store_str(&rows, 0, 0));
    json_kv_int(out, "version", store_int(&rows, 0, 1));
    json_kv_str(out, "state", store_str(&rows, 0, 2));
    json_kv_str(out, "job", store_str(&rows, 0, 3));
    json_kv_str(out, "object", store_str(&rows, 0, 4));
    kv_actor(out, r, store_str(&rows, 0, 5), arena);
    json_kv_time(out, "created_at", store_int(&rows, 0, 6));
    json_kv_said(out, "why", store_str(&rows, 0, 8));
    json_kv_raw(out, "report", text);
    json_end_object(out);
    return ERR_OK;
}
