#include "main/sample.h"

#include <stdio.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/log.h"
#include "core/map.h"
#include "core/time.h"

#define MOST_FILE (4u << 20)

struct loader {
    struct center *c;
    const char *folder;
    struct arena *arena;
    struct map departments; /* code -> name (struct str *) */
    struct knowledge_report sum;
};

static enum err read_json(struct loader *l, const char *name, struct str *text,
                          const struct json **out, struct why *why)
{
    char *path = file_join(l->arena, l->folder, name);
    enum err err = path ? file_read(path, MOST_FILE, l->arena, text, why) : ERR_NO_MEMORY;
    if (!err)
        err = json_parse(*text, l->arena, out, why);
    if (err)
        err_prefix(why, "sample %s", name);
    return err;
}

static enum err learn_departments(struct loader *l, const struct json *city, struct why *why)
{
    const struct json *list = json_get(city, "departments");
    map_init(&l->departments, l->arena);
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *d = json_at(list, i);
        struct map_entry *entry = map_put(&l->departments, json_get_str(d, "code", STR("")), NULL);
        struct str *name = arena_one(l->arena, struct str);
        if (!entry || !name)
            return err_set(why, ERR_NO_MEMORY, "could not hold the departments");
        *name = json_get_str(d, "name", STR(""));
        entry->value.p = name;
    }
    return ERR_OK;
}

static enum err load_city(struct loader *l, const char *name, struct why *why)
{
    struct str text, said = STR_NONE;
    const struct json *city;
    enum err err = read_json(l, name, &text, &city, why);
    if (!err)
        err = ops_load_city(l->c->ops, text, l->arena, &said, why);
    if (!err && said.len)
        (void)fprintf(stderr, "%.*s\n", STR_FMT(said));
    return err ? err : learn_departments(l, city, why);
}

static enum err class_of(struct str grade, enum ops_class *out, struct why *why)
{
    static const char *const names[] = {"public", "staff", "department", "restricted"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_eq_c(grade, names[i])) {
            *out = (enum ops_class)i;
            return ERR_OK;
        }
    }
    return err_set(why, ERR_INVALID, "there is no grade \"%.*s\"", STR_FMT(grade));
}

/* A date of the manifest, if it is there, plus `later` days. */
static enum err read_day(const struct json *file, const char *key, int32_t later, int32_t *out,
                         struct why *why)
{
    struct str text = json_get_str(file, key, STR(""));
    int32_t day;
    if (!text.len)
        return ERR_OK;
    if (!day_parse(text, &day))
        return err_set(why, ERR_INVALID, "\"%s\" is no date: \"%.*s\"", key, STR_FMT(text));
    *out = day + later;
    return ERR_OK;
}

/* What the manifest says of a file because its own text does not. */
static enum err read_overrides(const struct json *file, struct knowledge_meta *meta,
                               struct why *why)
{
    meta->title = json_get_str(file, "title", meta->title);
    meta->number = json_get_str(file, "number", meta->number);
    meta->replaced_by = json_get_str(file, "replaced_by", meta->replaced_by);
    enum err err = read_day(file, "issued", 0, &meta->published, why);
    if (!err)
        err = read_day(file, "effective", 0, &meta->effective, why);
    if (!err) /* the manifest has the last day in force, a document the first day after it */
        err = read_day(file, "expires", 1, &meta->expires, why);
    return err;
}

static enum err import_file(struct loader *l, const char *kb, const struct json *file,
                            struct str grade, struct why *why)
{
    struct knowledge_meta meta = knowledge_meta_unset();
    struct knowledge_report report = {0};
    struct str relative = json_get_str(file, "path", STR(""));
    struct map_entry *department =
        map_find(&l->departments, json_get_str(file, "department", STR("")));
    char *name = str_z(l->arena, relative);
    const char *path = name ? file_join(l->arena, l->folder, name) : NULL;
    enum err err =
        path ? class_of(json_get_str(file, "grade", grade), &meta.access, why) : ERR_NO_MEMORY;
    if (!err)
        err = read_overrides(file, &meta, why);
    if (department)
        meta.department = *(const struct str *)department->value.p;
    struct knowledge_import import = {.kb = kb, .paths = &path, .n_paths = 1, .overrides = &meta};
    if (!err)
        err = knowledge_import(l->c->knowledge, &l->c->system, &import, NULL, NULL, l->arena,
                               &report, why);
    l->sum.n_documents += report.n_documents;
    l->sum.n_passages += report.n_passages;
    l->sum.n_failed += report.n_failed;
    if (!err && report.n_failed)
        LOG_WARN("a sample file could not be read", LOG_STR("failures", report.failures));
    return err;
}

static enum err load_base(struct loader *l, const struct json *base, struct why *why)
{
    char id[UUID_TEXT];
    enum ops_class access;
    struct str grade = json_get_str(base, "grade", STR("public"));
    const struct json *files = json_get(base, "files");
    char *name = str_z(l->arena, json_get_str(base, "name", STR("")));
    char *title = str_z(l->arena, json_get_str(base, "title", STR("")));
    enum err err = name && title ? class_of(grade, &access, why) : ERR_NO_MEMORY;
    if (!err)
        err = knowledge_create(l->c->knowledge, &l->c->system, name, title, access, id, why);
    for (size_t i = 0; !err && i < json_len(files); i++)
        err = import_file(l, name, json_at(files, i), grade, why);
    if (err)
        err_prefix(why, "sample base \"%s\"", name ? name : "");
    return err;
}

/* ---- data sets and pipelines: queued as anybody would, and run here and now; what a loading that
 * was cut short has made, or a restored backup holds, is taken as it is ---- */

/* Whether the data set has a version. */
static enum err is_made(struct loader *l, struct str name, bool *made, struct why *why)
{
    struct buf buf;
    struct json_out out;
    const struct json *sets = NULL;
    buf_init(&buf, l->arena);
    json_out_init(&out, &buf);
    const struct data_sets_ask ask = {.find = name, .limit = 1000};
    enum err err = data_sets_json(l->c->data, &l->c->system, &ask, l->arena, &out, why);
    if (!err)
        err = buf_err(&buf, why);
    if (!err)
        err = json_parse(buf_str(&buf), l->arena, &sets, why);
    const struct json *items = json_get(sets, "items");
    *made = false;
    for (size_t i = 0; !err && i < json_len(items); i++)
        if (str_eq(json_get_str(json_at(items, i), "name", STR("")), name))
            *made = json_get_int(json_at(items, i), "latest", 0) > 0;
    return err;
}

static enum err run_job(struct loader *l, const char *id, enum err err, struct why *why)
{
    return err ? err : job_run(l->c->compute, id, why);
}

/* An import of the files, under the names that they have in the folder. */
static enum err import_spec(struct loader *l, const struct json *set, struct str *out,
                            struct why *why)
{
    static const char *const members[] = {"dataset", "title", "kind", "map", "collection"};
    const struct json *files = json_get(set, "files");
    struct buf buf;
    struct json_out json;
    buf_init(&buf, l->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!json_get(set, members[i]))
            continue;
        json_key(&json, members[i]);
        json_put_value(&json, json_get(set, members[i]));
    }
    json_key(&json, "names");
    json_put_value(&json, files);
    json_key(&json, "paths");
    json_begin_array(&json);
    for (size_t i = 0; i < json_len(files); i++) {
        char *name = str_z(l->arena, json_str(json_at(files, i), STR("")));
        json_put_c(&json, name ? file_join(l->arena, l->folder, name) : NULL);
    }
    json_end_array(&json);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err load_set(struct loader *l, const struct json *set, struct why *why)
{
    char job[UUID_TEXT];
    struct str spec, name = json_get_str(set, "dataset", STR(""));
    bool made = false;
    enum err err = is_made(l, name, &made, why);
    if (!err && !made) {
        err = import_spec(l, set, &spec, why);
        if (!err)
            err = data_import(l->c->data, &l->c->system, spec, job, why);
        err = run_job(l, job, err, why);
    }
    if (err)
        err_prefix(why, "sample data set \"%.*s\"", STR_FMT(name));
    return err;
}

static enum err save_pipeline(struct loader *l, const struct json *pipeline, struct why *why)
{
    struct str id;
    struct why taken = {0};
    enum err err =
        data_pipeline_save(l->c->data, &l->c->system, STR(""), pipeline, -1, l->arena, &id, &taken);
    if (err == ERR_CONFLICT) /* it is there, perhaps changed since */
        return ERR_OK;
    return err ? err_set(why, err, "%s", why_text(&taken, err)) : ERR_OK;
}

static enum err run_pipeline(struct loader *l, const struct json *spec, struct why *why)
{
    char job[UUID_TEXT];
    struct str text;
    bool made = false;
    enum err err =
        is_made(l, json_get_str(json_get(spec, "output"), "dataset", STR("")), &made, why);
    if (err || made)
        return err;
    err = json_dump(spec, l->arena, &text, why);
    if (!err)
        err = data_run(l->c->data, &l->c->system, text, job, why);
    return run_job(l, job, err, why);
}

static enum err load_pipeline(struct loader *l, const struct json *pipeline, struct why *why)
{
    enum err err = save_pipeline(l, pipeline, why);
    if (!err && json_get_bool(pipeline, "run", false))
        err = run_pipeline(l, json_get(pipeline, "spec"), why);
    if (err)
        err_prefix(why, "sample pipeline \"%.*s\"",
                   STR_FMT(json_get_str(pipeline, "name", STR(""))));
    return err;
}

static enum err load_data(struct loader *l, const struct json *manifest, struct why *why)
{
    const struct json *sets = json_get(manifest, "datasets"),
                      *pipelines = json_get(manifest, "pipelines");
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < json_len(sets); i++)
        err = load_set(l, json_at(sets, i), why);
    for (size_t i = 0; !err && i < json_len(pipelines); i++)
        err = load_pipeline(l, json_at(pipelines, i), why);
    return err;
}

static enum err load(struct loader *l, struct why *why)
{
    struct str text;
    const struct json *manifest;
    enum err err = read_json(l, "manifest.json", &text, &manifest, why);
    char *city = err ? NULL : str_z(l->arena, json_get_str(manifest, "city", STR("city.json")));
    if (!err)
        err = city ? load_city(l, city, why) : ERR_NO_MEMORY;
    const struct json *bases = err ? NULL : json_get(manifest, "knowledge_bases");
    for (size_t i = 0; !err && i < json_len(bases); i++)
        err = load_base(l, json_at(bases, i), why);
    return err ? err : load_data(l, manifest, why);
}

enum err sample_load(struct center *center, const char *folder, struct why *why)
{
    char *mark = file_join(center->arena, center->opts->data, "sample.loaded");
    if (!mark)
        return err_set(why, ERR_NO_MEMORY, "could not load the sample");
    if (file_exists(mark))
        return ERR_OK;
    struct loader l = {.c = center, .folder = folder, .arena = arena_new(256u << 20)};
    if (!l.arena)
        return err_set(why, ERR_NO_MEMORY, "could not load the sample");
    (void)fprintf(stderr, "loading the sample city from %s ...\n", folder);
    int64_t start = time_mono_ns();
    enum err err = load(&l, why);
    if (!err)
        err = file_write(mark, STR("loaded once; remove this file to load the sample again\n"),
                         0640, why);
    if (!err)
        (void)fprintf(stderr, "loaded %lld documents with %lld passages in %.1f s\n",
                      (long long)l.sum.n_documents, (long long)l.sum.n_passages,
                      (double)(time_mono_ns() - start) / 1e9);
    arena_free(l.arena);
    return err;
}
