#include "main/backup.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "ledger/ledger.h"
#include "main/keys.h"

#define FORMAT      1
#define MOST_OBJECT (4ull << 30)
#define MEMORY      (8u << 20)

/* ---- objects from one store of them to another ---- */

struct copy {
    struct objects *to;
    struct objects_batch *batch; /* of `to` */
    struct backup_report *report;
    bool verify; /* the source is a backup: its names must be true */
};

static enum err copy_one(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct copy *copy = ctx;
    char name[HASH_TEXT], got[HASH_TEXT];
    uint64_t bytes;
    (void)path;
    /* "ab/cdef...": what is not of that form is no object (a temporary file of a writer). */
    if (relative.len != HASH_TEXT || relative.ptr[2] != '/')
        return ERR_OK;
    memcpy(name, relative.ptr, 2);
    memcpy(name + 2, relative.ptr + 3, HASH_TEXT - 3);
    name[HASH_TEXT - 1] = '\0';
    copy->report->n_objects++;
    if (objects_has(copy->to, name))
        return ERR_OK;
    enum err err = objects_batch_put_file(copy->batch, path, MOST_OBJECT, got, &bytes, why);
    if (err == ERR_NOT_FOUND && !copy->verify) { /* collected since the folder was listed */
        *why = (struct why){0};
        return ERR_OK;
    }
    if (!err && strcmp(name, got) != 0)
        err = err_set(why, ERR_CORRUPT, "object %s does not have its hash", name);
    copy->report->n_copied += !err;
    return err;
}

static enum err copy_objects(const char *from_dir, struct objects *to, bool verify,
                             struct backup_report *report, struct why *why)
{
    struct copy copy = {
        .to = to, .batch = objects_batch_new(to), .report = report, .verify = verify};
    enum err err = copy.batch ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the objects");
    if (!err && file_is_dir(from_dir))
        err = file_walk(from_dir, 4, copy_one, &copy, why);
    if (!err)
        err = objects_batch_commit(copy.batch, why);
    objects_batch_free(copy.batch);
    return err;
}

/* ---- making ---- */

static enum err write_manifest(struct center *c, const char *folder,
                               const struct backup_report *report, struct why *why)
{
    struct buf buf;
    struct json_out out;
    char now[TIME_TEXT];
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_int(&out, "format", FORMAT);
    json_kv_c(&out, "version", YICHENG_VERSION);
    json_kv_c(&out, "store", store_engine(c->store));
    json_kv_c(&out, "time", time_format(time_now_ms(), now));
    json_kv_int(&out, "n_objects", report->n_objects);
    json_kv_c(&out, "ledger_head_sha256", report->head_sha256);
    json_key(&out, "keys"); /* which it belongs to; they are not in it */
    keys_prints(c->opts->data, c->arena, &out);
    json_end_object(&out);
    enum err err = buf_err(&buf, why);
    char *path = file_join(c->arena, folder, "manifest.json");
    return err ? err : file_write(path, buf_str(&buf), 0640, why);
}

static enum err copy_conf(struct center *c, const char *folder, struct why *why)
{
    struct str text;
    char *from = file_join(c->arena, c->opts->data, "yicheng.conf"),
         *to = file_join(c->arena, folder, "yicheng.conf");
    if (!from || !to || !file_exists(from))
        return ERR_OK;
    enum err err = file_read(from, 1 << 20, c->arena, &text, why);
    return err ? err : file_write(to, text, 0600, why);
}

enum err backup_make(struct center *c, const char *folder, struct backup_report *out,
                     struct why *why)
{
    struct ledger_report ledger;
    struct objects *to = NULL;
    struct objects_hold *hold = NULL;
    char *manifest = file_join(c->arena, folder, "manifest.json");
    char *store = file_join(c->arena, folder, "store.backup");
    char *objects = file_join(c->arena, folder, "objects"),
         *own = file_join(c->arena, c->opts->data, "objects");
    *out = (struct backup_report){0};
    if (!manifest || !store || !objects || !own)
        return err_set(why, ERR_NO_MEMORY, "could not hold the paths");
    enum err err = file_make_dirs(folder, why);
    /* The manifest goes first and comes last: a folder without one is no backup. */
    if (!err)
        err = file_remove(manifest, why);
    if (!err)
        err = ledger_check(c->store, NULL, &ledger, why);
    if (!err && ledger.first_bad)
        err = err_set(why, ERR_CORRUPT,
                      "the ledger is broken at entry %lld: run `yicheng check` before a backup",
                      (long long)ledger.first_bad);
    /* What the copy of the database names may be named by no row a moment later. */
    if (!err)
        err = objects_hold(c->objects, false, &hold, why);
    if (!err)
        err = store_backup(c->store, store, why);
    if (!err)
        err = objects_open(objects, &to, why);
    if (!err)
        err = copy_objects(own, to, false, out, why);
    objects_close(to);
    objects_release(hold);
    if (!err)
        err = copy_conf(c, folder, why);
    if (err)
        return err;
    (void)snprintf(out->head_sha256, sizeof out->head_sha256, "%s", ledger.head_sha256);
    for (size_t i = 0; i < KEYS_MOST; i++) {
        char *key = file_join(c->arena, c->opts->data, key_kinds[i].file);
        if (key && file_exists(key))
            out->without[out->n_without++] = &key_kinds[i];
    }
    return write_manifest(c, folder, out, why);
}

/* ---- restoring ---- */

static enum err read_manifest(const char *folder, struct arena *arena, struct str *head,
                              const struct json **keys, struct why *why)
{
    struct str text;
    const struct json *doc;
    char *path = file_join(arena, folder, "manifest.json");
    enum err err = path ? file_read(path, 65536, arena, &text, why) : ERR_NO_MEMORY;
    if (err == ERR_NOT_FOUND) {
        err_hint(why, "a backup that was not finished has no manifest.json and cannot be restored");
        return err;
    }
    if (!err)
        err = json_parse(text, arena, &doc, why);
    if (err)
        return err;
    if (json_get_int(doc, "format", 0) > FORMAT)
        return err_set(why, ERR_CONFLICT,
                       "the backup was made by version %.*s, which is newer than this program",
                       STR_FMT(json_get_str(doc, "version", STR("?"))));
    *head = json_get_str(doc, "ledger_head_sha256", STR(""));
    *keys = json_get(doc, "keys");
    return ERR_OK;
}

static enum err need_empty(const char *data, struct arena *arena, struct why *why)
{
    static const char *const names[] = {"yicheng.db", "objects", "jobs"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = file_join(arena, data, names[i]);
        if (path && file_exists(path)) {
            err_hint(why, "restore into a new directory with --data, then put it in place");
            return err_set(why, ERR_CONFLICT, "the data directory \"%s\" is not empty", data);
        }
    }
    return ERR_OK;
}

static enum err restore_files(const struct center_opts *opts, const char *folder,
                              struct arena *arena, struct backup_report *out, struct why *why)
{
    struct center c;
    struct objects *to = NULL;
    char *store = file_join(arena, folder, "store.backup"),
         *from = file_join(arena, folder, "objects");
    char *objects = file_join(arena, opts->data, "objects");
    const struct store_migration *steps = NULL;
    size_t n_steps = 0;
    center_migrations(&steps, &n_steps, arena);
    if (!store || !from || !objects || !steps)
        return err_set(why, ERR_NO_MEMORY, "could not hold the paths");
    enum err err = center_open(opts, CENTER_STORE, &c, why);
    if (err)
        return err;
    err = store_restore(c.store, store, steps, n_steps, why);
    if (!err)
        err = objects_open(objects, &to, why);
    if (!err)
        err = copy_objects(from, to, true, out, why);
    objects_close(to);
    center_close(&c);
    return err;
}

static void count_fault(void *ctx, const char *words)
{
    (void)words;
    ++*(int64_t *)ctx;
}

/* Opens the restored centre (which migrates it), proves the ledger against the manifest's head and
 * builds the indexes. */
static enum err finish(const struct center_opts *opts, struct str head, struct arena *arena,
                       struct why *why)
{
    struct center c;
    struct ledger_report ledger;
    int64_t faults = 0;
    char *expect = str_z(arena, head);
    enum err err = expect ? center_open(opts, CENTER_ALL, &c, why) : ERR_NO_MEMORY;
    if (err)
        return err;
    err = ledger_check(c.store, head.len ? expect : NULL, &ledger, why);
    if (!err && ledger.words[0])
        err = err_set(why, ERR_CORRUPT, "the restored ledger is not the one of the backup: %s",
                      ledger.words);
    if (!err)
        err = knowledge_check(c.knowledge, true, count_fault, &faults,
                              why); /* every index is missing: rebuilt */
    faults = 0;
    if (!err)
        err = knowledge_check(c.knowledge, false, count_fault, &faults, why);
    if (!err && faults)
        err = err_set(why, ERR_CORRUPT, "%lld faults remain after the restore: run `yicheng check`",
                      (long long)faults);
    center_close(&c);
    return err;
}

enum err backup_restore(const struct center_opts *opts, const char *folder,
                        struct backup_report *out, struct why *why)
{
    struct arena *arena = arena_new(MEMORY);
    struct str head = STR_NONE;
    const struct json *keys = NULL;
    *out = (struct backup_report){0};
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not begin");
    enum err err = read_manifest(folder, arena, &head, &keys, why);
    if (!err)
        err = need_empty(opts->data, arena, why);
    if (!err)
        err = restore_files(opts, folder, arena, out, why);
    if (!err)
        err = finish(opts, head, arena, why);
    if (!err)
        (void)snprintf(out->head_sha256, sizeof out->head_sha256, "%.*s", STR_FMT(head));
    for (size_t i = 0; !err && i < KEYS_MOST; i++) {
        struct str print = json_get_str(keys, key_kinds[i].file, STR(""));
        if (print.len && !keys_same(opts->data, &key_kinds[i], print, arena))
            out->without[out->n_without++] = &key_kinds[i];
    }
    arena_free(arena);
    return err;
}
