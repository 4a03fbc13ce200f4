/* knowledge/import_job - the import as a job: of paths on the server, or of an upload. */
#include "compute/compute.h"
#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "knowledge/room.h"

#include <sys/stat.h>

static bool on_progress(void *ctx, int64_t done, int64_t total, const char *phase)
{
    job_progress(ctx, done, total, phase);
    return !job_cancelled(ctx);
}

static enum err report(struct job *job, const struct knowledge_report *r, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, job_arena(job));
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_int(&out, "n_files", r->n_files);
    json_kv_int(&out, "n_documents", r->n_documents);
    json_kv_int(&out, "n_versions", r->n_versions);
    json_kv_int(&out, "n_passages", r->n_passages);
    json_kv_int(&out, "n_unchanged", r->n_unchanged);
    json_kv_int(&out, "n_failed", r->n_failed);
    json_key(&out, "failures");
    json_put_raw(&out, r->failures);
    json_end_object(&out);
    enum err err = buf_err(&buf, why);
    if (!err)
        job_result(job, buf_str(&buf));
    job_log(job, "%lld files, %lld versions, %lld passages, %lld unchanged, %lld failed",
            (long long)r->n_files, (long long)r->n_versions, (long long)r->n_passages,
            (long long)r->n_unchanged, (long long)r->n_failed);
    return err;
}

/* One file that came over HTTP; the same name again is the same file, changed. */
static enum err run_upload(struct knowledge *k, struct job *job, const struct ops_identity *who,
                           const struct knowledge_import *import, struct knowledge_report *out,
                           struct why *why)
{
    struct arena *arena = job_arena(job);
    struct stat st;
    struct str name = json_get_str(job_spec(job), "name", STR("upload"));
    struct import_file file = {.path = import->paths[0],
                               .name = name,
                               .source = str_printf(arena, "upload:%.*s", STR_FMT(name))};
    if (!file.source.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not read an upload in");
    const struct json *before = NULL;
    enum err err = job_saved(job, arena, &before, why);
    if (err)
        return err;
    if (stat(file.path, &st) != 0) {
        if (!json_get_bool(before, "imported", false))
            return err_errno(why, "the upload is not there any more");
        job_log(job, "the upload was read in before this process began");
        return ERR_OK; /* an earlier attempt died between removing the file and saying so */
    }
    file.bytes = (uint64_t)st.st_size;
    err = import_run(k, who, import, &file, 1, on_progress, job, arena, out, why);
    if (!err)
        err = job_save(job, STR("{\"imported\":true}"), why);
    struct why none = {0};
    if (!err && file_remove(file.path, &none))
        job_log(job, "the uploaded file was not removed: %s", none.text);
    return err;
}

/* What is new gets its vectors at once where the base has a model; without them it is found by its
 * words, and the next embedding makes them. */
static void embed_new(struct knowledge *k, struct job *job, const struct ops_identity *who,
                      const char *kb)
{
    struct base base = {.id = ""};
    struct why failed = {0};
    if (base_find(k, who, str_c(kb), job_arena(job), &base, &failed) || base.embedder.len == 0)
        return;
    if (knowledge_embed(k, who, kb, on_progress, job, NULL, &failed) != ERR_OK)
        job_log(job, "the new passages have no vectors yet: %s", failed.text);
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct knowledge *k = ctx;
    struct arena *arena = job_arena(job);
    const struct json *spec = job_spec(job), *list = json_get(spec, "paths");
    struct ops_identity who = job_actor(job);
    struct knowledge_report out = {.failures = STR("[]")};
    size_t n = json_len(list);
    const char **paths = arena_array(arena, const char *, n + 1);
    char *kb = str_z(arena, json_get_str(spec, "kb", STR("")));
    if (!paths || !kb)
        return err_set(why, ERR_NO_MEMORY, "could not begin the import");
    for (size_t i = 0; i < n; i++) {
        paths[i] = str_z(arena, json_str(json_at(list, i), STR("")));
        if (!paths[i])
            return err_set(why, ERR_NO_MEMORY, "could not begin the import");
    }
    struct knowledge_import import = {
        .kb = kb, .paths = paths, .n_paths = n, .update = json_get_bool(spec, "update", false)};
    if (!n)
        return err_set(why, ERR_INVALID, "the import names no file");
    enum err err = json_get_bool(spec, "upload", false)
                       ? run_upload(k, job, &who, &import, &out, why)
                       : knowledge_import(k, &who, &import, on_progress, job, arena, &out, why);
    if (!err)
        embed_new(k, job, &who, kb);
    return err ? err : report(job, &out, why);
}

const struct job_kind knowledge_import_job = {
    .name = "knowledge.import",
    .summary = "Read files into a knowledge base",
    .permission = "knowledge.write",
    .memory_bytes = (int64_t)2 << 30,
    .max_attempts = 10,
    .run = run,
};
