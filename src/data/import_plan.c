/* data/import_plan - which bytes of which files are read in which task. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/utf8.h"
#include "data/import.h"
#include "data/import_picture.h"
#include "data/room.h"

#define MOST_PLAN  ((size_t)512 << 20)
#define WALK_DEPTH 32

enum err import_spec_check(const struct json *spec, struct why *why)
{
    struct str key;
    enum record_kind kind;
    if (json_kind(spec) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "an import is a JSON object");
    if (json_unknown(spec, "dataset title kind paths append map names collection card upload base",
                     &key))
        return err_set(why, ERR_INVALID, "an import has no member \"%.*s\"", SHOW(key));
    struct str kind_name = json_get_str(spec, "kind", STR(""));
    if (kind_name.len && !record_kind_parse(kind_name, &kind))
        return err_set(why, ERR_INVALID,
                       "\"kind\" may be text, chat, preference, classification, spans, qa, caption "
                       "or row, not \"%.*s\"",
                       SHOW(kind_name));
    if (json_kind(json_get(spec, "paths")) != JSON_KIND_ARRAY || !json_len(json_get(spec, "paths")))
        return err_set(why, ERR_INVALID, "\"paths\" is a list of files and folders");
    if (json_get(spec, "collection") && json_kind(json_get(spec, "collection")) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "\"collection\" is a JSON object");
    if (json_get(spec, "map") && json_kind(json_get(spec, "map")) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "\"map\" is a JSON object: member -> column");
    return dataset_name_check(json_get_str(spec, "dataset", STR("")), why);
}

struct maker {
    struct import_plan *plan;
    struct arena *arena;
    size_t files_cap, units_cap, tasks_cap;
    struct str root; /* what stands before the relative path in an address */
    int64_t in_task; /* bytes */
    size_t files_in_task;
};

static enum err no_room(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not plan the import: too many files");
}

#define GROW(arena, items, n, cap)                                                                 \
    ((n) < (cap) ? true                                                                            \
                 : ((items) = arena_grow((arena), (items), (cap) * sizeof *(items),                \
                                         ((cap) ? (cap)*2 : 64) * sizeof *(items)),                \
                    (cap) = (cap) ? (cap)*2 : 64, (items) != NULL))

static bool is_native(struct str path)
{
    struct str suffix = file_suffix(path);
    return str_eq_c(suffix, "jsonl") || str_eq_c(suffix, "json") || str_eq_c(suffix, "ndjson");
}

static enum err add_file(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct maker *m = ctx;
    struct import_plan *p = m->plan;
    uint64_t bytes = 0;
    struct str uri = m->root.len && !str_eq(m->root, relative)
                         ? str_printf(m->arena, "%.*s/%.*s", STR_FMT(m->root), STR_FMT(relative))
                         : str_copy(m->arena, relative);
    if (utf8_invalid(relative) != STR_NPOS)
        return ERR_OK; /* a name that no address can hold */
    enum err err = file_size(path, &bytes, why);
    if (err)
        return err;
    if (p->n_files == IMPORT_MOST_FILES)
        return err_set(why, ERR_TOO_LARGE, "more than %d files", IMPORT_MOST_FILES);
    if (!GROW(m->arena, p->files, p->n_files, m->files_cap))
        return no_room(why);
    struct str kept = str_copy(m->arena, str_c(path));
    uri = str_printf(m->arena, "file:%.*s", STR_FMT(uri));
    if (!kept.ptr || !uri.ptr)
        return no_room(why);
    p->files[p->n_files++] = (struct import_file){
        .path = kept, .uri = uri, .n_bytes = (int64_t)bytes, .native = is_native(kept)};
    return ERR_OK;
}

static enum err add_path(struct maker *m, const struct json *spec, size_t i, struct why *why)
{
    struct str given = json_str(json_at(json_get(spec, "paths"), i), STR(""));
    struct str name = json_str(json_at(json_get(spec, "names"), i), STR(""));
    char *path = str_z(m->arena, given);
    char real[4096];
    if (!given.len || !path)
        return err_set(why, ERR_INVALID, "a path is empty");
    if (given.len >= sizeof real || !realpath(path, real))
        return err_errno(why, "could not find \"%.*s\"", SHOW(given));
    m->root = str_copy(m->arena, file_name(str_c(real)));
    size_t before = m->plan->n_files;
    enum err err = file_walk(real, WALK_DEPTH, add_file, m, why);
    if (!err && name.len && m->plan->n_files == before + 1) {
        struct import_file *file = &m->plan->files[before]; /* an upload */
        file->uri = str_printf(m->arena, "upload:%.*s", STR_FMT(name));
    }
    return err;
}

/* ---- units and tasks ---- */

static enum err new_task(struct maker *m, struct why *why)
{
    struct import_plan *p = m->plan;
    if (p->n_tasks && p->tasks[p->n_tasks - 1] == p->n_units)
        return ERR_OK;
    if (!GROW(m->arena, p->tasks, p->n_tasks + 1, m->tasks_cap))
        return no_room(why);
    p->tasks[p->n_tasks++] = p->n_units;
    m->in_task = 0;
    m->files_in_task = 0;
    return ERR_OK;
}

static enum err add_unit(struct maker *m, size_t file, int64_t from, int64_t to, struct why *why)
{
    struct import_plan *p = m->plan;
    enum err err = ERR_OK;
    if (!p->n_tasks || m->files_in_task == IMPORT_TASK_FILES ||
        (m->in_task && m->in_task + to - from > (int64_t)IMPORT_TASK_BYTES))
        err = new_task(m, why);
    if (!err && !GROW(m->arena, p->units, p->n_units, m->units_cap))
        err = no_room(why);
    if (err)
        return err;
    p->units[p->n_units++] = (struct import_unit){file, from, to};
    m->in_task += to - from;
    m->files_in_task++;
    return ERR_OK;
}

static enum err hash_file(struct maker *m, struct import_file *file, struct why *why)
{
    struct file_map map;
    char *hex = arena_bytes(m->arena, HASH_TEXT), *path = str_z(m->arena, file->path);
    if (!hex || !path)
        return no_room(why);
    enum err err = file_map(path, &map, why);
    if (err)
        return err;
    import_hash((struct str){(const char *)map.ptr, map.len}, hex);
    file_unmap(&map);
    file->sha256 = str_c(hex);
    return ERR_OK;
}

static enum err cut(struct maker *m, size_t i, struct why *why)
{
    struct import_file *file = &m->plan->files[i];
    const int64_t step = (int64_t)IMPORT_TASK_BYTES;
    char *path = str_z(m->arena, file->path);
    if (!path)
        return no_room(why);
    if (!file->native || file->n_bytes < 2 * step || !import_may_cut(path))
        return add_unit(m, i, 0, file->n_bytes, why);
    enum err err = hash_file(m, file, why);
    for (int64_t from = 0; !err && from < file->n_bytes; from += step)
        err = add_unit(m, i, from, from + step < file->n_bytes ? from + step : file->n_bytes, why);
    return err;
}

static enum record_kind kind_of(const struct json *spec, const struct import_plan *p,
                                struct arena *arena)
{
    enum record_kind kind;
    if (record_kind_parse(json_get_str(spec, "kind", STR("")), &kind))
        return kind;
    char *path = str_z(arena, p->files[0].path);
    struct str suffix = file_suffix(p->files[0].path);
    if (!p->n_renames && import_has_captions(p, arena))
        return RECORD_CAPTION;
    if (p->files[0].native && path && !p->n_renames)
        return import_guess(path, arena);
    if (!p->n_renames && (str_eq_c(suffix, "csv") || str_eq_c(suffix, "xlsx")))
        return RECORD_ROW;
    for (size_t i = 0; i < p->n_renames; i++)
        if (str_eq_c(p->renames[i].to, "label"))
            return RECORD_CLASSIFICATION;
        else if (str_eq_c(p->renames[i].to, "question"))
            return RECORD_QA;
    return RECORD_TEXT;
}

static enum err read_map(const struct json *spec, struct arena *arena, struct import_plan *p,
                         struct why *why)
{
    const struct json *map = json_get(spec, "map"), *value;
    void *iter = NULL;
    struct str key;
    p->renames = arena_array(arena, struct import_rename, json_len(map) + 1);
    if (!p->renames)
        return no_room(why);
    while (json_each(map, &iter, &key, &value)) {
        struct str from = json_str(value, STR(""));
        if (!key.len || !from.len || str_eq_c(key, "id"))
            return err_set(why, ERR_INVALID, "\"map\" names a member and its column");
        p->renames[p->n_renames++] = (struct import_rename){key, from};
    }
    return ERR_OK;
}

/* ---- kept in the folder ---- */

static void plan_json(const struct import_plan *p, struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "kind", record_kind_name(p->kind));
    json_key(out, "files");
    json_begin_array(out);
    for (size_t i = 0; i < p->n_files; i++) {
        json_begin_array(out);
        json_put_str(out, p->files[i].path);
        json_put_str(out, p->files[i].uri);
        json_put_int(out, p->files[i].n_bytes);
        json_put_str(out, p->files[i].sha256);
        json_end_array(out);
    }
    json_end_array(out);
    json_key(out, "units");
    json_begin_array(out);
    for (size_t i = 0; i < p->n_units; i++) {
        json_put_int(out, (int64_t)p->units[i].file);
        json_put_int(out, p->units[i].from);
        json_put_int(out, p->units[i].to);
    }
    json_end_array(out);
    json_key(out, "tasks");
    json_begin_array(out);
    for (size_t i = 0; i <= p->n_tasks; i++)
        json_put_int(out, (int64_t)p->tasks[i]);
    json_end_array(out);
    json_end_object(out);
}

static enum err plan_read(const struct json *json, struct arena *arena, struct import_plan *p,
                          struct why *why)
{
    const struct json *files = json_get(json, "files"), *units = json_get(json, "units"),
                      *tasks = json_get(json, "tasks");
    p->n_files = json_len(files);
    p->n_units = json_len(units) / 3;
    p->n_tasks = json_len(tasks) ? json_len(tasks) - 1 : 0;
    p->files = arena_array(arena, struct import_file, p->n_files + 1);
    p->units = arena_array(arena, struct import_unit, p->n_units + 1);
    p->tasks = arena_array(arena, size_t, p->n_tasks + 1);
    if (!p->files || !p->units || !p->tasks)
        return no_room(why);
    if (!record_kind_parse(json_get_str(json, "kind", STR("")), &p->kind))
        return err_set(why, ERR_CORRUPT, "the plan of the import is damaged");
    for (size_t i = 0; i < p->n_files; i++) {
        const struct json *f = json_at(files, i);
        p->files[i] = (struct import_file){.path = json_str(json_at(f, 0), STR("")),
                                           .uri = json_str(json_at(f, 1), STR("")),
                                           .n_bytes = json_int(json_at(f, 2), 0),
                                           .sha256 = json_str(json_at(f, 3), STR(""))};
        p->files[i].native = is_native(p->files[i].path);
    }
    for (size_t i = 0; i < p->n_units; i++)
        p->units[i] = (struct import_unit){(size_t)json_int(json_at(units, 3 * i), 0),
                                           json_int(json_at(units, 3 * i + 1), 0),
                                           json_int(json_at(units, 3 * i + 2), 0)};
    for (size_t i = 0; i <= p->n_tasks; i++)
        p->tasks[i] = (size_t)json_int(json_at(tasks, i), 0);
    return ERR_OK;
}

static enum err make(const struct json *spec, struct arena *arena, struct import_plan *p,
                     struct why *why)
{
    struct maker m = {.plan = p, .arena = arena};
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < json_len(json_get(spec, "paths")); i++)
        err = add_path(&m, spec, i, why);
    if (!err && !p->n_files)
        err = err_set(why, ERR_INVALID, "there is no file in what was named");
    for (size_t i = 0; !err && i < p->n_files; i++)
        err = cut(&m, i, why);
    if (!err)
        err = new_task(&m, why);
    if (!err)
        p->n_tasks--; /* the last bound */
    if (!err)
        p->kind = kind_of(spec, p, arena);
    return err;
}

static enum err save(const struct import_plan *p, const char *path, struct arena *arena,
                     struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    plan_json(p, &out);
    enum err err = buf_err(&buf, why);
    return err ? err : file_write(path, buf_str(&buf), 0640, why);
}

enum err import_plan_make(const struct json *spec, const char *dir, struct str tenant,
                          struct arena *arena, struct import_plan *out, struct why *why)
{
    char *path = file_join(arena, dir, "plan.json");
    struct import_plan p = {.dataset = json_get_str(spec, "dataset", STR("")),
                            .title = json_get_str(spec, "title", STR("")),
                            .tenant = tenant};
    struct str text;
    const struct json *json;
    enum err err = path ? import_spec_check(spec, why) : no_room(why);
    if (!err)
        err = read_map(spec, arena, &p, why);
    if (!err && file_exists(path)) {
        err = file_read(path, MOST_PLAN, arena, &text, why);
        if (!err)
            err = json_parse(text, arena, &json, why);
        if (!err)
            err = plan_read(json, arena, &p, why);
    } else if (!err) {
        err = make(spec, arena, &p, why);
        if (!err)
            err = save(&p, path, arena, why);
    }
    if (!err && p.kind == RECORD_CAPTION)
        err = import_index_pictures(&p, arena, why);
    if (!err)
        *out = p;
    return err;
}
