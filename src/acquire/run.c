/* acquire/run - a run of a collector as a job, its trial, and what collect() stands on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquire/acquire_in.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/time.h"

#define RUN_MEMORY  ((int64_t)1 << 30)
#define MOST_RESULT ((size_t)900 << 10) /* of a trial: a job's result has 1 MiB */
#define MOST_SHOWN  200                 /* sources and bad items of a trial */

/* ---- queueing ---- */

static enum err next_number(struct store_tx *tx, struct str collector, struct arena *arena,
                            int64_t *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT MAX(number) FROM acquire_runs WHERE collector = ?",
                               STORE_ARGS(SV_STR(collector)), arena, &rows, why);
    *out = err ? 0 : store_int(&rows, 0, 0) + 1;
    return err;
}

static enum err spec_of(const struct collector *c, struct arena *arena, struct str *out,
                        struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "collector", c->id);
    json_kv_str(&json, "name", c->name);
    json_kv_str(&json, "kind", c->kind_name);
    json_kv_str(&json, "dataset", c->dataset);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* Files are read by the import of room data, which knows what is there already. */
static enum err import_spec(const struct collector *c, struct arena *arena, struct str *out,
                            struct why *why)
{
    struct buf buf;
    struct json_out json;
    const struct json *settings, *map;
    enum err err = json_parse(c->settings, arena, &settings, why);
    if (!err)
        err = json_parse(c->map, arena, &map, why);
    if (err)
        return err;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "dataset", c->dataset);
    json_kv_str(&json, "title", c->dataset_title);
    json_kv_str(&json, "kind", c->record_kind);
    json_key(&json, "paths");
    json_put_value(&json, json_get(settings, "paths"));
    json_kv_bool(&json, "append", true);
    if (json_len(map)) {
        json_key(&json, "map");
        json_put_value(&json, map);
    }
    json_key(&json, "collection");
    json_put_raw(&json, c->collection);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

enum err collector_submit(struct acquire *a, struct store_tx *tx, const struct ops_identity *who,
                          const struct collector *c, const char *by, char job[UUID_TEXT],
                          struct why *why)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    struct str spec;
    int64_t number = 0, n = 0;
    char *title = arena ? str_z(arena, c->title) : NULL, *id = arena ? str_z(arena, c->id) : NULL;
    enum err err = title && id ? spec_of(c, arena, &spec, why)
                               : err_set(why, ERR_NO_MEMORY, "could not queue a run");
    if (!err && c->kind->collect) {
        err = job_submit(tx, a->opts.compute, who, "acquire.run", title, spec, id, job, why);
    } else if (!err) {
        err = import_spec(c, arena, &spec, why);
        if (!err)
            err = data_import_in(a->opts.data, tx, who, spec, job, why);
    }
    if (!err)
        err = next_number(tx, c->id, arena, &number, why);
    struct str by_whom = by ? str_c(by) : err ? STR("") : ops_actor(who, arena);
    if (!err) /* the run that is under way is known already */
        err =
            store_exec(tx,
                       "INSERT INTO acquire_runs (job, collector, tenant, number, by_whom, result, "
                       "created_ms) VALUES (?, ?, ?, ?, ?, '', ?) ON CONFLICT DO NOTHING",
                       STORE_ARGS(SV_C(job), SV_STR(c->id), SV_STR(c->tenant), SV_INT(number),
                                  SV_STR(by_whom), SV_INT(time_now_ms())),
                       &n, why);
    if (!err && n)
        err = ops_audit(tx, who, "acquire.run", id, "ok", spec.len < 8000 ? spec : STR_NONE, why);
    arena_free(arena);
    return err;
}

enum err acquire_run(struct acquire *a, const struct ops_identity *who, struct str name,
                     char job[UUID_TEXT], struct why *why)
{
    struct arena *arena = arena_new((size_t)4 << 20);
    struct collector c;
    struct store_tx *tx = NULL;
    enum err err = arena ? ops_need(who, "data.write", why)
                         : err_set(why, ERR_NO_MEMORY, "could not queue a run");
    if (!err)
        err = collector_find(a, who, name, arena, &c, why);
    if (!err)
        err = store_begin(a->opts.store, STORE_WRITE, &tx, why);
    if (!err) {
        err = collector_submit(a, tx, who, &c, NULL, job, why);
        if (err)
            store_rollback(tx);
        else
            err = store_commit(tx, why);
    }
    arena_free(arena);
    return err;
}

/* ---- showing ---- */

static void put_result(const struct json *result, struct json_out *out)
{
    static const char *const numbers[] = {"n_records", "n_new",     "n_changed",
                                          "n_same",    "n_dropped", "n_bad"};
    json_kv_bool(out, "made", json_get_bool(result, "made", json_get_int(result, "number", 0) > 0));
    json_kv_str(out, "dataset", json_get_str(result, "dataset", STR("")));
    json_kv_int(out, "version_number", json_get_int(result, "number", 0));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        json_kv_int(out, numbers[i], json_get_int(result, numbers[i], 0));
}

static void put_run(struct acquire *a, const struct store_rows *rows, size_t i, struct arena *arena,
                    struct json_out *out)
{
    struct job_info info = {.state = JOB_DONE};
    struct str by = store_str(rows, i, 2), text = store_str(rows, i, 3);
    const struct json *result = NULL;
    char *job = str_z(arena, store_str(rows, i, 0));
    bool known = job && job_find(a->opts.compute, job, arena, &info, NULL) == ERR_OK;
    if (!text.len && known)
        text = info.result;
    if (text.len)
        (void)!json_parse(text, arena, &result, NULL);
    json_begin_object(out);
    json_kv_c(out, "job", job);
    json_kv_int(out, "number", store_int(rows, i, 1));
    json_kv_str(out, "by", by);
    json_kv_str(out, "by_name", ops_actor_name(a->opts.ops, by, arena));
    json_kv_c(out, "state", job_state_name(info.state));
    json_kv_said(out, "why", info.why);
    json_kv_said(out, "phase", info.phase);
    json_kv_int(out, "done", info.done);
    json_kv_int(out, "total", info.total);
    json_kv_time(out, "queued_at", store_int(rows, i, 4));
    json_kv_time(out, "began_at", info.started_ms);
    json_kv_time(out, "ended_at", info.ended_ms);
    put_result(result, out);
    json_end_object(out);
}

enum err collector_runs(struct acquire *a, struct str collector, size_t limit, struct arena *arena,
                        struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_ask(a->opts.store,
                  "SELECT job, number, by_whom, result, created_ms FROM acquire_runs "
                  "WHERE collector = ? ORDER BY number DESC LIMIT ?",
                  STORE_ARGS(SV_STR(collector), SV_INT((int64_t)limit)), arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        put_run(a, &rows, i, arena, out);
    return err;
}

enum err acquire_runs_json(struct acquire *a, const struct ops_identity *who, struct str name,
                           size_t limit, struct arena *arena, struct json_out *out, struct why *why)
{
    struct collector c;
    enum err err = collector_find(a, who, name, arena, &c, why);
    if (err)
        return err;
    json_begin_items(out);
    err = collector_runs(a, c.id, limit, arena, out, why);
    json_end_items(out, STR(""));
    return err;
}

/* ---- what collect() stands on ---- */

struct str collect_text(const struct collect *c, const char *name)
{
    return json_get_str(c->settings, name, STR(""));
}

int64_t collect_int(const struct collect *c, const char *name)
{
    return json_get_int(c->settings, name, 0);
}

bool collect_flag(const struct collect *c, const char *name)
{
    return json_get_bool(c->settings, name, false);
}

struct str collect_secret(const struct collect *c, const char *name)
{
    return json_get_str(c->secrets, name, STR(""));
}

bool collect_enough(struct collect *c)
{
    return job_cancelled(c->job) || (!c->writer && c->n_shown >= ACQUIRE_TRY);
}

enum err collect_stopped(struct collect *c, struct why *why)
{
    return job_cancelled(c->job) ? err_set(why, ERR_CANCELLED, "the run was cancelled") : ERR_OK;
}

void collect_progress(struct collect *c, int64_t total, const char *phase)
{
    c->n_total = total;
    job_progress(c->job, ++c->n_done, total, phase);
}

/* The papers of the collector, and who it is. */
static enum err papers_of(struct collect *c, struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    void *iter = NULL;
    struct str key;
    const struct json *given, *value;
    enum err err = json_parse(c->def.collection, arena, &given, why);
    if (err)
        return err;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "collector", c->def.name);
    json_kv_c(&json, "collector_kind", c->def.kind->name);
    while (json_each(given, &iter, &key, &value)) {
        char *name = str_z(arena, key);
        if (!name || !strcmp(name, "collector") || !strcmp(name, "collector_kind"))
            continue;
        json_key(&json, name);
        json_put_value(&json, value);
    }
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

enum err collect_source(struct collect *c, struct str uri, struct str sha256, int64_t n_bytes,
                        char key[DATA_SOURCE_KEY], struct why *why)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    struct str papers = STR("");
    enum err err = arena ? papers_of(c, arena, &papers, why)
                         : err_set(why, ERR_NO_MEMORY, "could not name a source");
    if (!err && c->writer) {
        err = data_writer_source(c->writer, uri, sha256, n_bytes, papers, key, why);
    } else if (!err) {
        (void)snprintf(key, DATA_SOURCE_KEY, "trial");
        if (c->n_sources++ < MOST_SHOWN) {
            json_begin_object(&c->sources_json);
            json_kv_str(&c->sources_json, "uri", uri);
            json_key(&c->sources_json, "collection");
            json_put_raw(&c->sources_json, papers);
            json_end_object(&c->sources_json);
        }
    }
    arena_free(arena);
    return err;
}

static void show_bad(struct collect *c, struct str item, const char *words)
{
    if (c->n_bad++ >= MOST_SHOWN)
        return;
    json_begin_object(&c->bad_json);
    json_kv_str(&c->bad_json, "item", item);
    json_kv_c(&c->bad_json, "why", words);
    json_end_object(&c->bad_json);
}

enum err collect_record(struct collect *c, const char *key, struct str item, struct str json,
                        struct why *why)
{
    if (c->writer)
        return data_writer_add(c->writer, key, item, json, NULL, why);
    struct data_view view;
    struct why own = {0};
    struct arena *arena = arena_new(ACQUIRE_ITEM_MEM);
    enum err err = arena ? data_view(c->def.record_kind, json, arena, &view, &own)
                         : err_set(&own, ERR_NO_MEMORY, "could not hold a record");
    if (err || view.fault[0]) {
        show_bad(c, item, err ? why_text(&own, err) : view.fault);
    } else if (c->n_shown < ACQUIRE_TRY && c->records.len + json.len < MOST_RESULT) {
        json_put_raw(&c->records_json, json);
        c->n_shown++;
    } else {
        c->n_shown = ACQUIRE_TRY;
    }
    arena_free(arena);
    return ERR_OK;
}

enum err collect_bad(struct collect *c, const char *key, struct str item, const char *words,
                     struct why *why)
{
    if (c->writer)
        return data_writer_bad(c->writer, key, item, words, why);
    show_bad(c, item, words);
    return ERR_OK;
}

enum err collect_item(struct collect *c, const char *key, struct str item, const struct json *value,
                      struct why *why)
{
    struct arena *arena = arena_new(ACQUIRE_ITEM_MEM);
    struct str record;
    struct why own = {0};
    enum err err = arena ? shape_record(value, c->def.record_kind, c->map, arena, &record, &own)
                         : err_set(&own, ERR_UNAVAILABLE, "could not hold an item");
    if (!err)
        err = collect_record(c, key, item, record, why);
    else if (err == ERR_UNAVAILABLE)
        err_note(why, "%s", own.text);
    else
        err = collect_bad(c, key, item, why_text(&own, err), why);
    arena_free(arena);
    return err;
}

enum err collect_drop(struct collect *c, const char *key, struct str item, struct why *why)
{
    return c->writer ? data_writer_drop(c->writer, key, item, why) : ERR_OK;
}

enum err collect_mark(struct collect *c, struct str cursor, struct why *why)
{
    return c->writer ? data_writer_mark(c->writer, cursor, why) : ERR_OK;
}

struct str collect_cursor(const struct collect *c)
{
    return c->writer ? data_writer_cursor(c->writer) : STR("");
}

enum err collect_keep(struct collect *c, struct str state, struct why *why)
{
    c->next_state = str_copy(c->arena, state);
    return c->next_state.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not keep a state");
}

enum err acquire_path(struct collect *c, struct str path, struct str *real, struct why *why)
{
    const char *root = conf_str(c->acquire->opts.conf, "data.import_root");
    char resolved[4096], folder[4096];
    char *name = str_z(c->arena, path);
    if (!name)
        return err_set(why, ERR_NO_MEMORY, "could not hold a path");
    if (path.len >= sizeof resolved || !realpath(name, resolved))
        return err_errno(why, "could not find \"%.*s\"", SHOW(path));
    bool centre = str_eq_c(c->who.kind, "system");
    if (!centre && (!root[0] || !realpath(root, folder)))
        return err_set(why, ERR_FORBIDDEN,
                       "files of the server are read from the folder data.import_root, which is "
                       "not set");
    size_t n = centre ? 0 : strlen(folder);
    if (!centre && (strncmp(resolved, folder, n) != 0 || resolved[n] != '/'))
        return err_set(why, ERR_FORBIDDEN,
                       "files of the server are read from the folder data.import_root alone");
    *real = str_copy(c->arena, str_c(resolved));
    return real->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold a path");
}

/* ---- the job ---- */

static enum err begin(struct acquire *a, struct job *job, struct collect *c, struct why *why)
{
    *c = (struct collect){.acquire = a,
                          .job = job,
                          .who = job_actor(job),
                          .arena = job_arena(job),
                          .item = arena_new(ACQUIRE_ITEM_MEM),
                          .dir = job_dir(job)};
    return c->item ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not begin the run");
}

static enum err parse_def(struct collect *c, struct why *why)
{
    enum err err = json_parse(c->def.settings, c->arena, &c->settings, why);
    if (!err)
        err = json_parse(c->def.map, c->arena, &c->map, why);
    if (!err && c->def.state.len)
        err = json_parse(c->def.state, c->arena, &c->state, why);
    return err;
}

static enum err open_writer(struct collect *c, struct why *why)
{
    struct str spec;
    enum err err = spec_of(&c->def, c->arena, &spec, why);
    if (err)
        return err;
    bool snapshot = str_eq_c(collect_text(c, "mode"), "snapshot");
    struct data_writer_spec form = {.dataset = c->def.dataset,
                                    .title = c->def.dataset_title,
                                    .kind = c->def.record_kind,
                                    .access = c->def.access,
                                    .append = !snapshot,
                                    .made_by = "acquire",
                                    .run = job_id(c->job),
                                    .dir = c->dir,
                                    .spec = spec};
    return data_writer_open(c->acquire->opts.data, &c->who, &form, &c->writer, why);
}

static enum err result_of(struct collect *c, const struct data_written *w, struct str *out,
                          struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, c->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "collector", c->def.name);
    json_kv_str(&json, "dataset", c->def.dataset);
    json_kv_bool(&json, "made", w->made);
    json_kv_str(&json, "version", w->version);
    json_kv_int(&json, "number", w->number);
    json_kv_str(&json, "manifest", w->manifest);
    json_kv_int(&json, "n_records", w->n_records);
    json_kv_int(&json, "n_new", w->n_new);
    json_kv_int(&json, "n_changed", w->n_changed);
    json_kv_int(&json, "n_same", w->n_same);
    json_kv_int(&json, "n_dropped", w->n_dropped);
    json_kv_int(&json, "n_bad", w->n_bad);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* The version is there: what the next run is to know, and what came of this one. */
static enum err keep(struct collect *c, struct str result, struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = store_begin(c->acquire->opts.store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    if (c->next_state.len)
        err = store_exec(tx, "UPDATE acquire_collectors SET state = ? WHERE id = ?",
                         STORE_ARGS(SV_STR(c->next_state), SV_STR(c->def.id)), NULL, why);
    if (!err)
        err = store_exec(tx, "UPDATE acquire_runs SET result = ? WHERE job = ?",
                         STORE_ARGS(SV_STR(result), SV_STR(job_id(c->job))), NULL, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

static enum err collect_all(struct collect *c, struct why *why)
{
    struct data_written written;
    struct str result = STR_NONE;
    enum err err = open_writer(c, why);
    if (!err && !data_writer_ended(c->writer, &written)) {
        err = c->def.kind->collect(c, why);
        if (!err)
            err = collect_stopped(c, why);
        if (!err)
            err = data_writer_commit(c->writer, &written, why);
    }
    if (!err)
        err = result_of(c, &written, &result, why);
    if (!err)
        err = keep(c, result, why);
    if (err)
        return err;
    job_result(c->job, result);
    job_log(c->job, "%lld new, %lld changed, %lld as before, %lld gone, %lld quarantined",
            (long long)written.n_new, (long long)written.n_changed, (long long)written.n_same,
            (long long)written.n_dropped, (long long)written.n_bad);
    if (written.made)
        job_log(c->job, "version %lld", (long long)written.number);
    else
        job_log(c->job, "nothing new, the newest version is %lld", (long long)written.number);
    return ERR_OK;
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct collect c;
    enum err err = begin(ctx, job, &c, why);
    struct str id = json_get_str(job_spec(job), "collector", STR(""));
    if (!err)
        err = collector_find(c.acquire, &c.who, id, c.arena, &c.def, why);
    if (!err)
        err = parse_def(&c, why);
    if (!err)
        err = collector_secrets(c.acquire, &c.def, c.arena, &c.secrets, why);
    if (!err)
        err = collect_all(&c, why);
    data_writer_close(c.writer);
    arena_free(c.item);
    return err;
}

const struct job_kind acquire_run_job = {
    .name = "acquire.run",
    .summary = "Collect what is new at a source",
    .permission = "data.write",
    .memory_bytes = RUN_MEMORY,
    .max_attempts = 10,
    .run = run,
};

/* ---- a trial ---- */

/* The definition in the job's spec; its secrets are sealed there, too. */
static enum err trial_spec(struct acquire *a, const struct ops_identity *who,
                           const struct json *body, struct arena *arena, struct str *out,
                           struct why *why)
{
    struct collector c;
    struct str secret = STR_NONE, sealed = STR("");
    struct buf buf;
    struct json_out json;
    char id[UUID_TEXT], *hex;
    struct str about = str_printf(arena, "trial:%s", uuid7(id));
    struct str known = json_get_str(body, "id", STR(""));
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    if (known.len) {
        json_kv_str(&json, "collector", known);
        json_end_object(&json);
        *out = buf_str(&buf);
        enum err found = collector_find(a, who, known, arena, &c, why);
        return found ? found : buf_err(&buf, why);
    }
    enum err err = collector_read(a, who, body, NULL, arena, &c, &secret, why);
    if (!err)
        err = secret_seal(&a->key, secret, about, arena, &sealed, why);
    hex = err ? NULL : arena_bytes(arena, sealed.len * 2 + 1);
    if (!err && !hex)
        err = err_set(why, ERR_NO_MEMORY, "could not try the collector");
    if (err)
        return err;
    json_kv_c(&json, "trial", id);
    json_kv_c(&json, "sealed", hex_put(sealed.ptr, sealed.len, hex));
    json_kv_str(&json, "name", c.name);
    json_kv_str(&json, "kind", c.kind_name);
    json_kv_str(&json, "dataset", c.dataset);
    json_kv_str(&json, "record_kind", c.record_kind);
    json_key(&json, "settings");
    json_put_raw(&json, c.settings);
    json_key(&json, "map");
    json_put_raw(&json, c.map);
    json_key(&json, "collection");
    json_put_raw(&json, c.collection);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

enum err acquire_try(struct acquire *a, const struct ops_identity *who, const struct json *body,
                     char job[UUID_TEXT], struct why *why)
{
    struct arena *arena = arena_new((size_t)16 << 20);
    struct str spec;
    enum err err = arena ? ops_need(who, "data.write", why)
                         : err_set(why, ERR_NO_MEMORY, "could not try the collector");
    if (!err)
        err = trial_spec(a, who, body, arena, &spec, why);
    if (!err)
        err = job_submit_alone(a->opts.compute, who, "acquire.try", "trial", spec, "", job, why);
    arena_free(arena);
    return err;
}

static enum err read_trial(struct collect *c, const struct json *spec, struct why *why)
{
    struct str id = json_get_str(spec, "trial", STR("")), text;
    struct str hex = json_get_str(spec, "sealed", STR(""));
    struct str about = str_printf(c->arena, "trial:%.*s", STR_FMT(id));
    char *sealed = arena_bytes(c->arena, hex.len / 2 + 1);
    c->def = (struct collector){.name = json_get_str(spec, "name", STR("")),
                                .kind_name = json_get_str(spec, "kind", STR("")),
                                .dataset = json_get_str(spec, "dataset", STR("")),
                                .record_kind = json_get_str(spec, "record_kind", STR("")),
                                .id = id,
                                .tenant = c->who.tenant,
                                .state = STR("")};
    c->def.kind = acquire_kind_find(c->def.kind_name);
    if (!c->def.kind || !sealed || !about.ptr || !hex_get(hex, sealed, hex.len / 2))
        return err_set(why, ERR_INVALID, "the trial cannot be read");
    enum err err = json_dump(json_get(spec, "settings"), c->arena, &c->def.settings, why);
    if (!err)
        err = json_dump(json_get(spec, "map"), c->arena, &c->def.map, why);
    if (!err)
        err = json_dump(json_get(spec, "collection"), c->arena, &c->def.collection, why);
    if (!err)
        err = secret_open(&c->acquire->key, (struct str){sealed, hex.len / 2}, about, c->arena,
                          &text, why);
    return err ? err : json_parse(text, c->arena, &c->secrets, why);
}

static void begin_list(struct buf *buf, struct json_out *json, struct arena *arena)
{
    buf_init(buf, arena);
    json_out_init(json, buf);
    json_begin_array(json);
}

static enum err show_trial(struct collect *c, struct why *why)
{
    struct buf buf;
    struct json_out json;
    json_end_array(&c->records_json);
    json_end_array(&c->sources_json);
    json_end_array(&c->bad_json);
    buf_init(&buf, c->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_key(&json, "records");
    json_put_raw(&json, buf_str(&c->records));
    json_key(&json, "sources");
    json_put_raw(&json, buf_str(&c->sources));
    json_kv_int(&json, "n_bad", (int64_t)c->n_bad);
    json_key(&json, "bad");
    json_put_raw(&json, buf_str(&c->bad));
    json_end_object(&json);
    enum err err = c->records.failed || c->sources.failed || c->bad.failed
                       ? err_set(why, ERR_NO_MEMORY, "could not show the trial")
                       : buf_err(&buf, why);
    if (!err)
        job_result(c->job, buf_str(&buf));
    return err;
}

static enum err try_it(void *ctx, struct job *job, struct why *why)
{
    struct collect c;
    const struct json *spec = job_spec(job);
    struct str known = json_get_str(spec, "collector", STR(""));
    enum err err = begin(ctx, job, &c, why);
    if (!err && known.len) {
        err = collector_find(c.acquire, &c.who, known, c.arena, &c.def, why);
        if (!err)
            err = collector_secrets(c.acquire, &c.def, c.arena, &c.secrets, why);
        c.def.state = STR(""); /* from the beginning */
    } else if (!err) {
        err = read_trial(&c, spec, why);
    }
    if (!err)
        err = parse_def(&c, why);
    begin_list(&c.records, &c.records_json, c.arena);
    begin_list(&c.sources, &c.sources_json, c.arena);
    begin_list(&c.bad, &c.bad_json, c.arena);
    if (!err && !c.def.kind->collect)
        err = err_set(why, ERR_UNSUPPORTED,
                      "files are not tried: import them into a set of their "
                      "own and look at it");
    if (!err)
        err = c.def.kind->collect(&c, why);
    if (!err)
        err = collect_stopped(&c, why);
    if (!err)
        err = show_trial(&c, why);
    arena_free(c.item);
    return err;
}

const struct job_kind acquire_try_job = {
    .name = "acquire.try",
    .summary = "Show what a collector would give",
    .permission = "data.write",
    .memory_bytes = RUN_MEMORY,
    .max_attempts = 1,
    .run = try_it,
};
