/* Capsules in the centre: listed, opened with a count and an end, revoked. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "release/capsule.h"
#include "release/room.h"
#include "release/tar.h"

#define ROOM ((size_t)16 << 20)

#define COLUMNS                                                                                    \
    "c.id, c.release, c.owner, c.tenant, c.subscription, c.object, c.suite, c.key_id, c.n_bytes, " \
    "c.uses_most, c.uses, c.ends_ms, c.state, c.reason, c.actor, c.created_ms, r.title, r.state, " \
    "r.reason"

struct capsule_row {
    struct str id, release, owner, tenant, subscription, object, suite, key_id, state, reason;
    struct str actor, title, release_state, release_reason;
    int64_t n_bytes, uses_most, uses, ends_ms, created_ms;
};

static void row_of(const struct store_rows *rows, size_t i, struct capsule_row *c)
{
    *c = (struct capsule_row){.id = store_str(rows, i, 0),
                              .release = store_str(rows, i, 1),
                              .owner = store_str(rows, i, 2),
                              .tenant = store_str(rows, i, 3),
                              .subscription = store_str(rows, i, 4),
                              .object = store_str(rows, i, 5),
                              .suite = store_str(rows, i, 6),
                              .key_id = store_str(rows, i, 7),
                              .n_bytes = store_int(rows, i, 8),
                              .uses_most = store_int(rows, i, 9),
                              .uses = store_int(rows, i, 10),
                              .ends_ms = store_int(rows, i, 11),
                              .state = store_str(rows, i, 12),
                              .reason = store_str(rows, i, 13),
                              .actor = store_str(rows, i, 14),
                              .created_ms = store_int(rows, i, 15),
                              .title = store_str(rows, i, 16),
                              .release_state = store_str(rows, i, 17),
                              .release_reason = store_str(rows, i, 18)};
}

static enum err find(struct store_tx *tx, const struct ops_identity *who, struct str id,
                     struct arena *arena, struct capsule_row *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT " COLUMNS " FROM release_capsules c JOIN release_releases r "
                               "ON r.id = c.release WHERE c.id = ? AND (c.owner = ? OR c.tenant = "
                               "?)",
                               STORE_ARGS(SV_STR(id), SV_STR(who->tenant), SV_STR(who->tenant)),
                               arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "there is no capsule \"%.*s\"", SHOW(id));
    if (!err)
        row_of(&rows, 0, out);
    return err;
}

/* What it is for people: revoked, withdrawn, ended, used up, or ready. */
static const char *state_of(const struct capsule_row *c)
{
    if (!str_eq_c(c->state, "ready"))
        return "revoked";
    if (!str_eq_c(c->release_state, "ready"))
        return "withdrawn";
    if (c->ends_ms && c->ends_ms <= time_now_ms())
        return "ended";
    return c->uses_most && c->uses >= c->uses_most ? "used_up" : "ready";
}

enum err release_capsules_json(struct release *r, const struct ops_identity *who,
                               struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = ops_may(who, "release.make") || ops_may(who, "release.approve")
                       ? ERR_OK
                       : ops_need(who, "release.use", why);
    if (!err)
        err = store_ask(r->opts.store,
                        "SELECT " COLUMNS " FROM release_capsules c JOIN release_releases r ON "
                        "r.id = c.release WHERE c.owner = ? OR c.tenant = ? ORDER BY c.created_ms "
                        "DESC LIMIT 500",
                        STORE_ARGS(SV_STR(who->tenant), SV_STR(who->tenant)), arena, &rows, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        struct capsule_row c;
        row_of(&rows, i, &c);
        json_begin_object(out);
        json_kv_str(out, "id", c.id);
        json_kv_str(out, "release", c.release);
        json_kv_str(out, "title", c.title);
        json_kv_str(out, "from", c.owner);
        json_kv_str(out, "from_title", tenant_title(r, c.owner, arena));
        json_kv_str(out, "to", c.tenant);
        json_kv_str(out, "to_title", tenant_title(r, c.tenant, arena));
        json_kv_bool(out, "mine", str_eq(c.tenant, who->tenant));
        json_kv_str(out, "suite", c.suite);
        json_kv_str(out, "key", c.key_id);
        json_kv_str(out, "sha256", c.object);
        json_kv_int(out, "n_bytes", c.n_bytes);
        json_kv_int(out, "uses_most", c.uses_most);
        json_kv_int(out, "uses", c.uses);
        json_kv_time(out, "ends_at", c.ends_ms);
        json_kv_c(out, "state", state_of(&c));
        json_kv_str(out, "reason", c.reason.len ? c.reason : c.release_reason);
        json_kv_time(out, "created_at", c.created_ms);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

enum err release_capsule_path(struct release *r, const struct ops_identity *who, struct str id,
                              struct arena *arena, const char **path, struct why *why)
{
    struct store_tx *tx = NULL;
    struct capsule_row c = {0};
    enum err err = ops_may(who, "release.make") ? ERR_OK : ops_need(who, "release.use", why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = find(tx, who, id, arena, &c, why);
    store_rollback(tx);
    char *object = err ? NULL : str_z(arena, c.object);
    if (!err && !object)
        err = err_set(why, ERR_NO_MEMORY, "could not find the capsule");
    return err ? err : objects_path(r->opts.objects, object, arena, path, why);
}

/* ---- opening ---- */

static enum err check_open(const struct capsule_row *c, const struct ops_identity *who,
                           struct why *why)
{
    if (!str_eq(c->tenant, who->tenant))
        return err_set(why, ERR_FORBIDDEN, "the capsule is closed for another tenant");
    const char *state = state_of(c);
    if (!strcmp(state, "revoked"))
        return err_set(why, ERR_FORBIDDEN, "the capsule was revoked: %.*s", SHOW(c->reason));
    if (!strcmp(state, "withdrawn"))
        return err_set(why, ERR_FORBIDDEN, "the release was withdrawn: %.*s",
                       SHOW(c->release_reason));
    if (!strcmp(state, "ended"))
        return err_set(why, ERR_FORBIDDEN, "the time of the capsule is over");
    if (!strcmp(state, "used_up"))
        return err_set(why, ERR_FORBIDDEN,
                       "the capsule was opened %lld times, as often as it may be",
                       (long long)c->uses);
    return ERR_OK;
}

/* Against a subscription the opening is a use of it: one that was revoked ends its capsules. */
static enum err note_opening(struct act *act, const struct capsule_row *c, struct str purpose,
                             struct why *why)
{
    struct str release;
    if (!c->subscription.len)
        return use_note(act->tx, act->who, c->release, STR(""), c->id, "open", purpose, act->arena,
                        why);
    return subscription_use(act->tx, act->who, c->subscription, c->id, "open", purpose, true,
                            act->arena, &release, why);
}

/* Counts before it opens: who is killed in between has used one opening, and the record says so. */
static enum err count_opening(struct release *r, const struct ops_identity *who, struct str id,
                              struct str purpose, struct arena *arena, struct capsule_row *c,
                              struct str *secret, struct why *why)
{
    struct act act;
    int64_t changed = 0;
    enum err err = release_act_begin(&act, r, who, "release.use", why);
    if (err)
        return err;
    err = find(act.tx, who, id, arena, c, why);
    if (!err)
        err = check_open(c, who, why);
    if (!err && !purpose.len)
        err = err_set(why, ERR_INVALID, "\"purpose\" says what it is opened for");
    if (!err)
        err = key_secret(act.tx, r, who->tenant, c->key_id, arena, secret, why);
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE release_capsules SET uses = uses + 1 WHERE id = ? AND (uses_most "
                         "= 0 OR uses < uses_most)",
                         STORE_ARGS(SV_STR(id)), &changed, why);
    if (!err && !changed)
        err = err_set(why, ERR_FORBIDDEN, "the capsule is used up");
    if (!err)
        err = note_opening(&act, c, purpose, why);
    return release_act_end(
        &act, err, "release.capsule.open", id,
        err ? STR_NONE : detail_of(act.arena, "release", c->release, "purpose", purpose, NULL),
        why);
}

static enum err get_fd(void *ctx, char *ptr, size_t n, size_t *got, struct why *why)
{
    ssize_t r = read(*(const int *)ctx, ptr, n);
    if (r < 0)
        return err_errno(why, "could not read the capsule");
    *got = (size_t)r;
    return ERR_OK;
}

typedef enum err take_fn(void *ctx, struct str bytes, struct why *why);

static enum err pour(const char *path, struct str id, struct str secret, take_fn *take, void *ctx,
                     struct why *why)
{
    struct capsule_reader *reader = NULL;
    struct str part = STR("x");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open \"%s\"", path);
    enum err err = capsule_open(get_fd, &fd, &reader, why);
    if (!err && !str_eq(capsule_head(reader)->id, id))
        err = err_set(why, ERR_CORRUPT, "that file is another capsule");
    if (!err)
        err = capsule_unlock(reader, secret, why);
    while (!err && part.len) {
        err = capsule_next(reader, &part, why);
        if (!err && part.len)
            err = take(ctx, part, why);
    }
    capsule_close(reader);
    (void)close(fd);
    return err;
}

static enum err take_tar(void *ctx, struct str bytes, struct why *why)
{
    return tar_take(ctx, bytes, why);
}

static enum err take_fd(void *ctx, struct str bytes, struct why *why)
{
    return file_write_fd(*(const int *)ctx, bytes, why);
}

static enum err path_of(struct release *r, const struct capsule_row *c, const char *file,
                        struct arena *arena, const char **out, struct why *why)
{
    if (file) {
        *out = file;
        return ERR_OK;
    }
    char *object = str_z(arena, c->object);
    return object ? objects_path(r->opts.objects, object, arena, out, why)
                  : err_set(why, ERR_NO_MEMORY, "could not find the capsule");
}

/* Into a folder beside, that gets its name when everything was proved. */
static enum err unpack(const char *path, struct str id, struct str secret, const char *dir,
                       struct arena *arena, struct why *why)
{
    struct tar_out tar;
    char *temp = str_z(arena, str_printf(arena, "%s.part", dir));
    enum err err =
        temp ? file_remove(temp, why) : err_set(why, ERR_NO_MEMORY, "could not open the capsule");
    if (!err)
        err = file_make_dirs(temp, why);
    if (err)
        return err;
    tar_out_init(&tar, temp);
    err = pour(path, id, secret, take_tar, &tar, why);
    if (!err)
        err = tar_done(&tar, why);
    tar_out_release(&tar);
    if (!err)
        err = file_rename(temp, dir, why);
    enum err gone = err ? file_remove(temp, NULL) : ERR_OK;
    return err ? err : gone;
}

enum err release_capsule_open(struct release *r, const struct ops_identity *who, struct str id,
                              const char *file, struct str purpose, const char *dir,
                              struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct capsule_row c = {0};
    struct str secret = STR("");
    const char *path = NULL;
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not open the capsule");
    if (!err && (file_exists(dir) || file_is_dir(dir)))
        err = err_set(why, ERR_CONFLICT, "\"%s\" is there already", dir);
    if (!err)
        err = count_opening(r, who, id, purpose, arena, &c, &secret, why);
    if (!err)
        err = path_of(r, &c, file, arena, &path, why);
    if (!err)
        err = unpack(path, id, secret, dir, arena, why);
    secret_wipe((void *)secret.ptr, secret.len);
    arena_free(arena);
    return err;
}

enum err release_capsule_unpack(struct release *r, const struct ops_identity *who, struct str id,
                                struct str purpose, const char *to, struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct capsule_row c = {0};
    struct str secret = STR("");
    const char *path = NULL;
    int fd = -1;
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not open the capsule");
    if (!err)
        err = count_opening(r, who, id, purpose, arena, &c, &secret, why);
    if (!err)
        err = path_of(r, &c, NULL, arena, &path, why);
    if (!err) {
        fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        err = fd < 0 ? err_errno(why, "could not write \"%s\"", to)
                     : pour(path, id, secret, take_fd, &fd, why);
    }
    if (fd >= 0)
        (void)close(fd);
    if (err && fd >= 0)
        (void)unlink(to);
    secret_wipe((void *)secret.ptr, secret.len);
    arena_free(arena);
    return err;
}

enum err release_capsule_revoke(struct release *r, const struct ops_identity *who, struct str id,
                                struct str reason, struct why *why)
{
    struct act act;
    struct capsule_row c;
    enum err err = release_act_begin(&act, r, who, "release.approve", why);
    if (err)
        return err;
    err = find(act.tx, who, id, act.arena, &c, why);
    if (!err && !str_eq(c.owner, who->tenant))
        err = err_set(why, ERR_FORBIDDEN, "only who made the capsule revokes it");
    if (!err && (!reason.len || reason.len > 1000))
        err = err_set(why, ERR_INVALID, "a revocation has a reason of 1 to 1000 bytes");
    if (!err && !str_eq_c(c.state, "ready"))
        err = err_set(why, ERR_CONFLICT, "the capsule was revoked already");
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE release_capsules SET state = 'revoked', reason = ? WHERE id = ?",
                         STORE_ARGS(SV_STR(reason), SV_STR(id)), NULL, why);
    return release_act_end(&act, err, "release.capsule.revoke", id,
                           err ? STR_NONE : detail_of(act.arena, "reason", reason, NULL), why);
}
