/* release - opening and closing, and what all files use. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "core/utf8.h"
#include "release/room.h"

#define ACT_MEMORY ((size_t)64 << 20)
#define DAY_MS     86400000LL

static const struct conf_key keys[] = {
    {"release.words", CONF_STR, "", 0, 0, NULL,
     "File of the folder data.models with a word a line, that the gate's automatic sample is "
     "looked "
     "through for; empty: the short list of the program"},
    {"release.keep_exports", CONF_DURATION, "7d", 60000, 366 * DAY_MS, NULL,
     "How long the file of an export can be fetched"},
};
const struct conf_table release_conf = {keys, sizeof keys / sizeof keys[0]};

const char *const release_grades[4] = {"public", "staff", "department", "restricted"};

bool release_grade_parse(struct str name, int *out)
{
    for (int i = 0; i < 4; i++)
        if (str_eq_c(name, release_grades[i])) {
            *out = i;
            return true;
        }
    return false;
}

enum err release_open(const struct release_opts *opts, struct release **out, struct why *why)
{
    struct arena *arena = arena_new(16384);
    struct release *r = arena ? calloc(1, sizeof *r) : NULL;
    const char *key = r ? file_join(arena, opts->data_dir, "release.key") : NULL;
    enum err err = ERR_OK;
    if (!key || asprintf(&r->exports, "%s/exports", opts->data_dir) < 0)
        err = err_set(why, ERR_NO_MEMORY, "could not open the releases");
    if (!err)
        err = secret_key_file(key, &r->key, why);
    arena_free(arena);
    if (err) {
        free(r);
        return err;
    }
    r->opts = *opts;
    data_listen(opts->data, release_withdrawn, r);
    *out = r;
    return ERR_OK;
}

void release_close(struct release *r)
{
    if (!r)
        return;
    secret_wipe(&r->key, sizeof r->key);
    free(r->exports);
    free(r->table);
    free(r);
}

/* ---- acts ---- */

enum err release_act_begin(struct act *act, struct release *release, const struct ops_identity *who,
                           const char *permission, struct why *why)
{
    *act = (struct act){.release = release, .who = who};
    enum err err = permission ? ops_need(who, permission, why) : ERR_OK;
    if (err) {
        ops_audit_refusal(release->opts.ops, who, "release.refused", "", err);
        return err;
    }
    act->arena = arena_new(ACT_MEMORY);
    err = act->arena ? store_begin(release->opts.store, STORE_WRITE, &act->tx, why)
                     : err_set(why, ERR_NO_MEMORY, "could not begin");
    if (err)
        arena_free(act->arena);
    return err;
}

enum err release_act_end(struct act *act, enum err err, const char *action, struct str object,
                         struct str detail, struct why *why)
{
    char *id = err ? NULL : str_z(act->arena, object);
    if (!err && !id)
        err = err_set(why, ERR_NO_MEMORY, "could not write the record");
    if (!err)
        err = ops_audit(act->tx, act->who, action, id, "ok", detail, why);
    if (!err)
        err = store_commit(act->tx, why);
    else
        store_rollback(act->tx);
    arena_free(act->arena);
    return err;
}

struct str detail_of(struct arena *arena, ...)
{
    struct buf buf;
    struct json_out out;
    va_list args;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    va_start(args, arena);
    for (const char *name; (name = va_arg(args, const char *));)
        json_kv_str(&out, name, va_arg(args, struct str));
    va_end(args);
    json_end_object(&out);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

/* ---- writing JSON ---- */

void kv_actor(struct json_out *out, struct release *release, struct str actor, struct arena *arena)
{
    json_kv_str(out, "actor", actor);
    json_kv_str(out, "actor_name", ops_actor_name(release->opts.ops, actor, arena));
}

/* ---- reading JSON ---- */

enum err text_of(const struct json *json, const char *key, size_t least, size_t most,
                 struct str *out, struct why *why)
{
    const struct json *value = json_get(json, key);
    *out = STR("");
    if (value && json_kind(value) != JSON_KIND_STRING && json_kind(value) != JSON_KIND_NULL)
        return err_set(why, ERR_INVALID, "\"%s\" is a text", key);
    *out = str_trim_space(json_str(value, STR("")));
    size_t n = utf8_count(*out);
    if (n < least || n > most)
        return err_set(why, ERR_INVALID, "\"%s\" has %zu to %zu characters", key, least, most);
    for (size_t i = 0; i < out->len; i++)
        if ((unsigned char)out->ptr[i] < ' ' && out->ptr[i] != '\n')
            return err_set(why, ERR_INVALID, "\"%s\" has a control character", key);
    return ERR_OK;
}

enum err end_of(const struct json *json, int64_t *ms, struct why *why)
{
    struct str text = json_get_str(json, "ends_at", STR(""));
    *ms = 0;
    if (!text.len && json_kind(json_get(json, "ends_at")) == JSON_KIND_NULL)
        return ERR_OK;
    if (!time_parse(text, ms))
        return err_set(why, ERR_INVALID, "\"ends_at\" is a time such as 2027-01-31T00:00:00+08:00");
    return *ms > time_now_ms() ? ERR_OK : err_set(why, ERR_INVALID, "\"ends_at\" lies in the past");
}

enum err uses_of(const struct json *json, int64_t *uses, struct why *why)
{
    const struct json *value = json_get(json, "uses");
    *uses = json_kind(value) == JSON_KIND_NULL ? 0 : json_int(value, -1);
    return *uses >= 0 && *uses <= 1000000
               ? ERR_OK
               : err_set(why, ERR_INVALID, "\"uses\" is a number from 0 (no limit) to 1000000");
}

/* ---- tenants ---- */

struct ops_identity inside(struct str tenant)
{
    struct ops_identity who = ops_system();
    who.tenant = tenant;
    return who;
}

enum err tenant_find(struct release *release, struct str name, struct arena *arena,
                     struct ops_tenant *out, struct why *why)
{
    struct ops_identity system = ops_system();
    struct ops_tenant *all = NULL;
    size_t n = 0;
    enum err err = ops_tenant_list(release->opts.ops, &system, arena, &all, &n, why);
    for (size_t i = 0; !err && i < n; i++)
        if (str_eq(all[i].id, name) || str_eq(all[i].name, name)) {
            *out = all[i];
            return ERR_OK;
        }
    return err ? err : err_set(why, ERR_NOT_FOUND, "there is no tenant \"%.*s\"", SHOW(name));
}

struct str tenant_title(struct release *release, struct str id, struct arena *arena)
{
    struct ops_tenant tenant;
    if (tenant_find(release, id, arena, &tenant, NULL))
        return id;
    return tenant.title.len ? tenant.title : tenant.name;
}
