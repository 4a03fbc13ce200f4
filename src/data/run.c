/* data/run - a pipeline over versions, as a job; checked and tried before. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "data/import.h"
#include "data/room.h"
#include "data/scan.h"
#include "data/try.h"
#include "data/vocabulary.h"
#include "data/work.h"
#include "privacy/privacy.h"

#define SPEC_ROOM     ((size_t)512 << 20) /* of a plan with what its operators prepare */
#define DECIDE        ((size_t)384 << 20)
#define MOST_SAMPLE   2000
#define SAMPLE_SHARDS 16
#define MOST_EXAMPLE  3    /* of each step */
#define SHOWN         6000 /* bytes of an example's line */

/* ---- the spec with what it works on ---- */

struct plan {
    struct pipeline pipeline;
    struct dataset_version *versions; /* of the inputs, then of the references */
};

static enum err find_one(struct data *data, const struct ops_identity *who,
                         const struct pipeline_input *input, struct arena *arena,
                         struct dataset_version *out, struct why *why)
{
    struct dataset set;
    enum err err = dataset_find(data, who, input->dataset, arena, &set, why);
    return err ? err : dataset_version_find(data, &set, input->version, arena, out, why);
}

static enum err find_inputs(struct data *data, const struct ops_identity *who,
                            const struct json *spec, struct arena *arena, struct plan *out,
                            struct why *why)
{
    struct pipeline_input *inputs, *references = NULL;
    size_t n, n_references = 0;
    enum err err = pipeline_inputs(spec, arena, &inputs, &n, why);
    if (!err)
        err = pipeline_references(spec, arena, &references, &n_references, why);
    out->versions = err ? NULL : arena_array(arena, struct dataset_version, n + n_references);
    if (!err && !out->versions)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the inputs");
    for (size_t i = 0; !err && i < n; i++) {
        err = find_one(data, who, &inputs[i], arena, &out->versions[i], why);
        if (!err && out->versions[i].kind != out->versions[0].kind)
            err = err_set(why, ERR_INVALID, "\"%.*s\" holds records of kind %s, \"%.*s\" of %s",
                          SHOW(inputs[i].dataset), record_kind_name(out->versions[i].kind),
                          SHOW(inputs[0].dataset), record_kind_name(out->versions[0].kind));
    }
    for (size_t i = 0; !err && i < n_references; i++)
        err = find_one(data, who, &references[i], arena, &out->versions[n + i], why);
    return err;
}

/* The files of one version, as operators are given them. */
static enum err refer_to(struct data *data, struct dataset_version *v, struct arena *arena,
                         struct data_reference *out, struct why *why)
{
    enum err err = v->shards ? ERR_OK : dataset_shards(data, v, arena, why);
    const char **paths = err ? NULL : arena_array(arena, const char *, v->n_shards + 1);
    size_t n = 0;
    if (!err && !paths)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the references");
    for (size_t i = 0; !err && i < v->n_shards; i++) {
        char *name = str_z(arena, v->shards[i].object);
        if (name && name[0])
            err = objects_path(data->opts.objects, name, arena, &paths[n++], why);
    }
    *out = (struct data_reference){v->set_name, v->number, v->kind, paths, n};
    return err;
}

/* The keys of one tenant, fetched when an operator asks for them. */
struct ring {
    struct data *data;
    struct str tenant;
    int64_t number; /* 0: the newest; then which that was */
    struct privacy_keys *keys;
};

static void free_keys(void *keys)
{
    privacy_keys_free(keys);
}

static enum err ring_keys(void *ctx, struct arena *arena, const struct privacy_keys **out,
                          struct why *why)
{
    struct ring *ring = ctx;
    enum err err = ERR_OK;
    if (!ring->keys && !ring->data->opts.privacy)
        return err_set(why, ERR_UNAVAILABLE, "there are no keys for masks here");
    if (!ring->keys) {
        err =
            privacy_keys_of(ring->data->opts.privacy, ring->tenant, ring->number, &ring->keys, why);
        if (!err && arena_defer(arena, free_keys, ring->keys)) {
            privacy_keys_free(ring->keys);
            ring->keys = NULL;
            err = err_set(why, ERR_NO_MEMORY, "could not hold the keys");
        }
    }
    if (err)
        return err;
    ring->number = privacy_keys_number(ring->keys);
    *out = ring->keys;
    return ERR_OK;
}

/* versions[n_inputs ..] are what the spec's "references" name. */
enum err data_read_pipeline(struct data *data, const struct ops_identity *who,
                            const struct json *spec, struct dataset_version *versions,
                            struct arena *arena, struct pipeline *out, struct why *why)
{
    struct pipeline_input *inputs, *names;
    size_t n_inputs, n = 0;
    enum err err = pipeline_inputs(spec, arena, &inputs, &n_inputs, why);
    if (!err)
        err = pipeline_references(spec, arena, &names, &n, why);
    struct data_reference *list = err ? NULL : arena_array(arena, struct data_reference, n + 1);
    if (!err && !list)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the references");
    for (size_t i = 0; !err && i < n; i++)
        err = refer_to(data, &versions[n_inputs + i], arena, &list[i], why);
    struct ring ring = {
        .data = data, .tenant = who->tenant, .number = json_get_int(spec, "privacy_key", 0)};
    struct data_keyring keyring = {ring_keys, &ring};
    struct word_shelf *vocabularies = NULL;
    if (!err)
        err = word_shelf_new(data, who, spec, arena, &vocabularies, why);
    if (!err && (ring.number < 0 || ring.number > 999999999))
        err = err_set(why, ERR_INVALID, "\"privacy_key\" is the number of a key of the tenant");
    if (!err) {
        const struct pipeline_given given = {data->models, list, n, &keyring,
                                             word_shelf_vocabularies(vocabularies)};
        err = pipeline_read_with(spec, versions[0].kind, &given, arena, out, why);
    }
    if (!err) {
        out->privacy_key = ring.keys ? ring.number : 0;
        out->vocabularies = vocabularies;
    }
    if (!err)
        out->objects = data->opts.objects;
    return err;
}

static enum err read_plan(struct data *data, const struct ops_identity *who, struct str text,
                          struct arena *arena, const struct json **spec, struct plan *out,
                          struct why *why)
{
    enum err err = pipeline_text(text, arena, spec, why);
    if (!err)
        err = find_inputs(data, who, *spec, arena, out, why);
    if (!err)
        err = data_read_pipeline(data, who, *spec, out->versions, arena, &out->pipeline, why);
    return err ? err : dataset_name_check(out->pipeline.dataset, why);
}

enum err data_check_spec_json(struct data *data, const struct ops_identity *who, struct str spec,
                              struct arena *arena, struct json_out *out, struct why *why)
{
    struct arena *own = arena_new(SPEC_ROOM);
    const struct json *json;
    struct plan plan = {0};
    enum err err = own ? ops_need(who, "data.read", why)
                       : err_set(why, ERR_NO_MEMORY, "could not read the pipeline");
    (void)arena;
    if (!err)
        err = read_plan(data, who, spec, own, &json, &plan, why);
    if (!err) {
        const struct pipeline *p = &plan.pipeline;
        json_begin_object(out);
        json_kv_bool(out, "ok", true);
        json_kv_c(out, "takes", record_kind_name(p->takes));
        json_kv_c(out, "gives", record_kind_name(p->gives));
        json_kv_int(out, "n_inputs", (int64_t)p->n_inputs);
        json_key(out, "steps");
        json_begin_array(out);
        for (size_t i = 0; i < p->n_steps; i++) {
            json_begin_object(out);
            json_kv_c(out, "op", p->steps[i].op->name);
            json_kv_c(out, "effect", data_effect_name(p->steps[i].op->effect));
            json_kv_c(out, "takes", record_kind_name(p->steps[i].takes));
            json_kv_c(out, "gives", record_kind_name(p->steps[i].gives));
            json_end_object(out);
        }
        json_end_array(out);
        json_end_object(out);
    }
    arena_free(own);
    return err;
}

/* ---- queueing ---- */

/* The spec with the numbers of its references and keys as they are now: who follows a record later
 * compares it with the same, and a run that goes on after a rotation gives the same bytes. */
static void put_spec(const struct plan *plan, const struct json *spec, struct json_out *out)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    const struct pipeline *p = &plan->pipeline;
    json_begin_object(out);
    while (json_each(spec, &iter, &key, &value)) {
        char *name = str_z(p->arena, key);
        if (!name || !strcmp(name, "references") || !strcmp(name, "privacy_key") ||
            !strcmp(name, "vocabularies"))
            continue;
        json_key(out, name);
        json_put_value(out, value);
    }
    if (p->privacy_key)
        json_kv_int(out, "privacy_key", p->privacy_key);
    word_shelf_put(p->vocabularies, out);
    if (p->n_references) {
        json_key(out, "references");
        json_begin_array(out);
    }
    for (size_t i = 0; i < p->n_references; i++) {
        json_begin_object(out);
        json_kv_str(out, "dataset", p->references[i].dataset);
        json_kv_int(out, "version", plan->versions[p->n_inputs + i].number);
        json_end_object(out);
    }
    if (p->n_references)
        json_end_array(out);
    json_end_object(out);
}

enum err data_run(struct data *data, const struct ops_identity *who, struct str spec,
                  char job[UUID_TEXT], struct why *why)
{
    struct arena *arena = arena_new(SPEC_ROOM);
    const struct json *json;
    struct plan plan = {0};
    struct buf buf;
    struct json_out out;
    enum err err = arena ? ops_need(who, "data.write", why)
                         : err_set(why, ERR_NO_MEMORY, "could not read the pipeline");
    if (!err)
        err = read_plan(data, who, spec, arena, &json, &plan, why);
    if (!err) {
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_key(&out, "versions"); /* "the newest" is what was the newest now */
        json_begin_array(&out);
        for (size_t i = 0; i < plan.pipeline.n_inputs + plan.pipeline.n_references; i++)
            json_put_str(&out, plan.versions[i].id);
        json_end_array(&out);
        json_key(&out, "pipeline");
        put_spec(&plan, json, &out);
        json_end_object(&out);
        err = buf_err(&buf, why);
    }
    struct str name = err ? STR("") : plan.pipeline.name;
    char *title = err ? NULL : str_z(arena, name.len ? name : plan.pipeline.dataset);
    if (!err)
        err = title ? job_submit_alone(data->opts.compute, who, "data.run", title, buf_str(&buf),
                                       NULL, job, why)
                    : err_set(why, ERR_NO_MEMORY, "could not queue the run");
    arena_free(arena);
    return err;
}

/* People may import from one folder of the server; the centre itself from anywhere. */
static enum err check_paths(struct data *data, const struct ops_identity *who,
                            const struct json *spec, struct arena *arena, struct why *why)
{
    const struct json *paths = json_get(spec, "paths");
    const char *root = conf_str(data->opts.conf, "data.import_root");
    if (str_eq_c(who->kind, "system") || json_get_bool(spec, "upload", false))
        return ERR_OK;
    for (size_t i = 0; i < json_len(paths); i++) {
        struct str path = json_str(json_at(paths, i), STR(""));
        struct str below = str_printf(arena, "%s/", root);
        if (!root[0] || !str_starts(path, below) || str_find(path, STR("/../")) != STR_NPOS ||
            str_ends(path, STR("/..")))
            return err_set(why, ERR_FORBIDDEN,
                           "files of the server are imported from the folder data.import_root%s",
                           root[0] ? "" : ", which is not set");
    }
    return ERR_OK;
}

/* The spec with the version that is appended to. */
static enum err with_base(struct data *data, const struct ops_identity *who,
                          const struct json *spec, struct arena *arena, struct buf *out,
                          struct why *why)
{
    struct json_out json;
    struct dataset set = {.latest = 0};
    struct dataset_version version = {.number = 0};
    void *iter = NULL;
    struct str key;
    const struct json *value;
    struct str name = json_get_str(spec, "dataset", STR(""));
    enum err err = ERR_OK;
    if (json_get_bool(spec, "append", false)) {
        struct why own = {0};
        err = dataset_find(data, who, name, arena, &set, &own);
        if (err == ERR_NOT_FOUND)
            err = ERR_OK;
        else if (err)
            err_note(why, "%s", why_text(&own, err));
    }
    if (!err && set.latest)
        err = dataset_version_find(data, &set, 0, arena, &version, why);
    json_out_init(&json, out);
    json_begin_object(&json);
    while (json_each(spec, &iter, &key, &value)) {
        char *member = str_z(arena, key);
        if (!member || !strcmp(member, "base"))
            continue;
        json_key(&json, member);
        json_put_value(&json, value);
    }
    if (version.number)
        json_kv_str(&json, "base", version.id);
    json_end_object(&json);
    return err ? err : buf_err(out, why);
}

enum err data_import(struct data *data, const struct ops_identity *who, struct str spec_json,
                     char job[UUID_TEXT], struct why *why)
{
    return data_import_in(data, NULL, who, spec_json, job, why);
}

enum err data_import_in(struct data *data, struct store_tx *tx, const struct ops_identity *who,
                        struct str spec_json, char job[UUID_TEXT], struct why *why)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    const struct json *spec = NULL;
    struct buf buf;
    enum err err = arena ? ops_need(who, "data.write", why)
                         : err_set(why, ERR_NO_MEMORY, "could not read the import");
    if (!err)
        err = pipeline_text(spec_json, arena, &spec, why);
    if (!err)
        err = import_spec_check(spec, why);
    if (!err)
        err = check_paths(data, who, spec, arena, why);
    if (!err) {
        buf_init(&buf, arena);
        err = with_base(data, who, spec, arena, &buf, why);
    }
    char *title = err ? NULL : str_z(arena, json_get_str(spec, "dataset", STR("")));
    if (!err && !title)
        err = err_set(why, ERR_NO_MEMORY, "could not queue the import");
    else if (!err)
        err = tx ? job_submit(tx, data->opts.compute, who, "data.import", title, buf_str(&buf),
                              NULL, job, why)
                 : job_submit_alone(data->opts.compute, who, "data.import", title, buf_str(&buf),
                                    NULL, job, why);
    arena_free(arena);
    return err;
}

/* ---- the job ---- */

static bool job_stop(void *ctx)
{
    return job_cancelled(ctx);
}

static void job_went(void *ctx, int64_t done, int64_t total, const char *phase)
{
    job_progress(ctx, done, total, phase);
}

static enum err open_versions(struct data *data, const struct json *list, struct arena *arena,
                              struct plan *plan, struct why *why)
{
    size_t n = json_len(list);
    plan->versions = arena_array(arena, struct dataset_version, n + 1);
    enum err err =
        plan->versions && n ? ERR_OK : err_set(why, ERR_INVALID, "the run has no inputs");
    for (size_t i = 0; !err && i < n; i++) {
        err = dataset_version_by_id(data, json_str(json_at(list, i), STR("")), arena,
                                    &plan->versions[i], why);
        if (!err)
            err = dataset_shards(data, &plan->versions[i], arena, why);
    }
    return err;
}

/* A version for every input and reference. */
static enum err check_count(const struct json *spec, const struct json *versions,
                            struct arena *arena, struct why *why)
{
    struct pipeline_input *list;
    size_t n, m;
    enum err err = pipeline_inputs(spec, arena, &list, &n, why);
    if (!err)
        err = pipeline_references(spec, arena, &list, &m, why);
    if (!err && n + m != json_len(versions))
        err = err_set(why, ERR_INVALID, "the run has %zu versions for %zu inputs and references",
                      json_len(versions), n + m);
    return err;
}

static enum err list_shards(struct data *data, const struct plan *plan, size_t n_inputs,
                            struct arena *arena, struct work_input **out, size_t *n,
                            struct why *why)
{
    size_t total = 0;
    for (size_t i = 0; i < n_inputs; i++)
        total += plan->versions[i].n_shards;
    struct work_input *list = arena_array(arena, struct work_input, total + 1);
    enum err err = list ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not list the shards");
    *n = 0;
    for (size_t i = 0; i < n_inputs; i++)
        for (size_t k = 0; !err && k < plan->versions[i].n_shards; k++) {
            const struct shard_info *s = &plan->versions[i].shards[k];
            char *name = str_z(arena, s->object);
            const char *path = NULL;
            if (!s->object.len)
                continue;
            err = name ? objects_path(data->opts.objects, name, arena, &path, why)
                       : err_set(why, ERR_NO_MEMORY, "could not list the shards");
            list[(*n)++] = (struct work_input){path, i, s->n_records};
        }
    *out = list;
    return err;
}

static enum err result_json(const struct plan *plan, const struct work_result *r,
                            const struct dataset_version *v, struct arena *arena, struct str *out,
                            struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "dataset", plan->pipeline.dataset);
    if (v) {
        json_kv_str(&json, "version", v->id);
        json_kv_int(&json, "number", v->number);
        json_kv_str(&json, "manifest", v->manifest);
    }
    json_kv_c(&json, "kind", record_kind_name(plan->pipeline.gives));
    json_kv_int(&json, "n_records", r->stats.n_records);
    json_kv_int(&json, "n_bytes", r->stats.n_bytes);
    json_kv_int(&json, "n_unreadable", r->n_bad);
    json_key(&json, "steps");
    work_counts_json(&plan->pipeline, r, &json);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err publish(struct data *data, struct job *job, const struct plan *plan,
                        const struct json *spec, const struct work_result *r, struct why *why)
{
    struct arena *arena = job_arena(job);
    struct ops_identity who = job_actor(job);
    struct dataset_version version;
    struct str counts = STR(""), text = STR("");
    const struct pipeline *p = &plan->pipeline;
    enum err err = json_dump(json_get(spec, "pipeline"), arena, &text, why);
    if (!err)
        err = result_json(plan, r, NULL, arena, &counts, why);
    struct run_form run = {.id = job_id(job),
                           .kind = "pipeline",
                           .spec = text,
                           .counts = counts,
                           .inputs = plan->versions,
                           .n_inputs = p->n_inputs + p->n_references,
                           .card = plan->versions[0].card};
    if (!err)
        err = dataset_publish(data, &who, p->dataset, p->title, p->gives, p->card, r->shards,
                              r->n_shards, &r->stats, &run, NULL, NULL, arena, &version, why);
    if (!err)
        err = result_json(plan, r, &version, arena, &counts, why);
    if (err)
        return err;
    job_result(job, counts);
    for (size_t i = 0; i < p->n_steps; i++)
        job_log(job,
                "step %zu %s: %lld in, %lld out, %lld changed, %lld made, %lld dropped, %lld "
                "failed",
                i + 1, p->steps[i].op->name, (long long)r->counts[i].in,
                (long long)r->counts[i].out, (long long)r->counts[i].changed,
                (long long)r->counts[i].made, (long long)r->counts[i].dropped,
                (long long)r->counts[i].failed);
    job_log(job, "%lld records: version %lld", (long long)r->stats.n_records,
            (long long)version.number);
    return ERR_OK;
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct data *data = ctx;
    struct arena *arena = job_arena(job);
    struct ops_identity who = job_actor(job);
    const struct json *spec = job_spec(job);
    struct plan plan = {0};
    struct work_input *shards = NULL;
    struct work_result result;
    size_t n = 0;
    char *dir = file_join(arena, job_dir(job), "work");
    enum err err = dir ? open_versions(data, json_get(spec, "versions"), arena, &plan, why)
                       : err_set(why, ERR_NO_MEMORY, "could not begin the run");
    if (!err)
        err = check_count(json_get(spec, "pipeline"), json_get(spec, "versions"), arena, why);
    if (!err)
        err = data_read_pipeline(data, &who, json_get(spec, "pipeline"), plan.versions, arena,
                                 &plan.pipeline, why);
    if (!err)
        err = list_shards(data, &plan, plan.pipeline.n_inputs, arena, &shards, &n, why);
    struct work work = {.pipeline = &plan.pipeline,
                        .dir = dir,
                        .shards = shards,
                        .n_shards = n,
                        .objects = data->opts.objects,
                        .threads = (size_t)conf_int(data->opts.conf, "data.threads"),
                        .memory = DECIDE,
                        .cancelled = job_stop,
                        .progress = job_went,
                        .ctx = job};
    if (!err)
        err = work_run(&work, arena, &result, why);
    if (!err)
        err = publish(data, job, &plan, spec, &result, why);
    if (err)
        return err;
    struct why none = {0};
    if (file_remove(dir, &none))
        job_log(job, "the work folder was not removed: %s", none.text);
    return ERR_OK;
}

const struct job_kind data_run_job = {
    .name = "data.run",
    .summary = "Run a pipeline over data sets",
    .permission = "data.write",
    .memory_bytes = (int64_t)1 << 30,
    .max_attempts = 10,
    .run = run,
};

/* ---- the dry run ---- */

struct example {
    enum task_event event;
    struct str id, before, after, words;
};

struct dry {
    struct arena *arena;
    struct example *examples; /* (n_steps, MOST_EXAMPLE) */
    size_t *n;                /* of each step */
};

static struct str shown(struct dry *d, struct str s)
{
    bool cut = s.len > SHOWN;
    while (s.len > SHOWN || (cut && s.len && (s.ptr[s.len] & 0xC0) == 0x80))
        s.len = s.len > SHOWN ? SHOWN : s.len - 1;
    return str_printf(d->arena, "%.*s%s", STR_FMT(s), cut ? "…" : "");
}

static void dry_saw(void *ctx, size_t step, enum task_event event, struct str id, struct str before,
                    struct str after, const char *words)
{
    struct dry *d = ctx;
    if (step == STR_NPOS || d->n[step] == MOST_EXAMPLE)
        return;
    d->examples[step * MOST_EXAMPLE + d->n[step]++] =
        (struct example){event, str_copy(d->arena, id), shown(d, before), shown(d, after),
                         str_copy(d->arena, str_c(words))};
}

/* `n` lines of a version, spread evenly over the records of at most SAMPLE_SHARDS shards. */
static enum err sample_lines(struct data *data, struct dataset_version *v, size_t n,
                             struct arena *arena, struct str *out, size_t *taken, struct why *why)
{
    struct buf buf;
    int64_t number = 0, total = 0, want = (int64_t)n;
    enum err err = dataset_shards(data, v, arena, why);
    size_t step = v->n_shards > SAMPLE_SHARDS ? v->n_shards / SAMPLE_SHARDS : 1;
    for (size_t s = 0; !err && s < v->n_shards; s += step)
        total += v->shards[s].n_records;
    buf_init(&buf, arena);
    *taken = 0;
    for (size_t s = 0; !err && s < v->n_shards; s += step) {
        struct file_map map;
        err = dataset_map(data, v->shards[s].object, arena, &map, why);
        struct str rest = {(const char *)map.ptr, map.len}, line;
        for (; !err && str_next(&rest, '\n', &line); number += line.len > 0) {
            if (!line.len || (total > want && number * want / total == (number + 1) * want / total))
                continue;
            buf_add(&buf, line);
            buf_char(&buf, '\n');
            ++*taken;
        }
        if (!err)
            file_unmap(&map);
    }
    *out = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

static void put_examples(const struct dry *d, size_t step, struct json_out *out)
{
    static const char *const what[] = {"changed", "dropped", "failed", "made"};
    json_key(out, "examples");
    json_begin_array(out);
    for (size_t i = 0; i < d->n[step]; i++) {
        const struct example *e = &d->examples[step * MOST_EXAMPLE + i];
        json_begin_object(out);
        json_kv_str(out, "id", e->id);
        json_kv_c(out, "what", what[e->event]);
        json_kv_str(out, "before", e->before);
        json_kv_str(out, "after", e->after);
        json_kv_str(out, "why", e->words);
        json_end_object(out);
    }
    json_end_array(out);
}

static void put_dry(const struct plan *plan, const struct work_result *r, const struct dry *d,
                    size_t sampled, struct str lines, struct json_out *out)
{
    struct str line;
    json_begin_object(out);
    json_kv_int(out, "n_sampled", (int64_t)sampled);
    json_kv_int(out, "n_records", r->stats.n_records);
    json_key(out, "steps");
    json_begin_array(out);
    for (size_t i = 0; i < plan->pipeline.n_steps; i++) {
        const struct step_count *c = &r->counts[i];
        json_begin_object(out);
        json_kv_c(out, "op", plan->pipeline.steps[i].op->name);
        json_kv_int(out, "in", c->in);
        json_kv_int(out, "out", c->out);
        json_kv_int(out, "changed", c->changed);
        json_kv_int(out, "made", c->made);
        json_kv_int(out, "dropped", c->dropped);
        json_kv_int(out, "failed", c->failed);
        put_examples(d, i, out);
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "records");
    json_begin_array(out);
    for (size_t i = 0; i < 20 && str_next_line(&lines, &line); i++)
        json_put_raw(out, line);
    json_end_array(out);
    json_end_object(out);
}

enum err data_dry_run_json(struct data *data, const struct ops_identity *who, struct str spec,
                           size_t sample, struct arena *arena, struct json_out *out,
                           struct why *why)
{
    struct arena *own = arena_new(SPEC_ROOM);
    const struct json *json;
    struct plan plan = {0};
    struct try_input inputs[PIPELINE_MOST_INPUTS];
    size_t sampled = 0;
    enum err err = own ? ops_need(who, "data.read", why)
                       : err_set(why, ERR_NO_MEMORY, "could not try the pipeline");
    (void)arena;
    if (!err && (sample < 1 || sample > MOST_SAMPLE))
        err = err_set(why, ERR_INVALID, "a sample is 1 to %d records", MOST_SAMPLE);
    if (!err)
        err = read_plan(data, who, spec, own, &json, &plan, why);
    for (size_t i = 0; !err && i < plan.pipeline.n_inputs; i++) {
        size_t taken;
        inputs[i].input = i;
        err = sample_lines(data, &plan.versions[i], sample, own, &inputs[i].lines, &taken, why);
        sampled += err ? 0 : taken;
    }
    size_t steps = plan.pipeline.n_steps;
    struct dry dry = {own, arena_array(own, struct example, (steps + 1) * MOST_EXAMPLE),
                      arena_array(own, size_t, steps + 1)};
    struct work_result result;
    struct str lines = STR("");
    struct try_form form = {.pipeline = &plan.pipeline,
                            .inputs = inputs,
                            .n_inputs = plan.pipeline.n_inputs,
                            .temp = "/tmp",
                            .saw = dry_saw,
                            .ctx = &dry};
    if (!err && (!dry.examples || !dry.n))
        err = err_set(why, ERR_NO_MEMORY, "could not try the pipeline");
    if (!err)
        err = try_run(&form, own, &result, &lines, NULL, why);
    if (!err)
        put_dry(&plan, &result, &dry, sampled, lines, out);
    arena_free(own);
    return err;
}
