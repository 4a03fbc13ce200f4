/* A change: permission, transaction, generation, ledger; and small things that every noun needs. */
#include <stdarg.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "models/models_in.h"

enum err models_act_begin(struct act *act, struct models *models, const struct models_ask *ask,
                          const char *action, bool routes, struct why *why)
{
    *act = (struct act){
        .models = models, .ask = ask, .arena = ask->arena, .action = action, .routes = routes};
    enum err err = ops_need(ask->who, "model.manage", why);
    return err ? err : store_begin(models->store, STORE_WRITE, &act->tx, why);
}

enum err models_generation_raise(struct store_tx *tx, struct why *why)
{
    return store_exec(tx, "UPDATE models_generation SET number = number + 1 WHERE id = 1",
                      STORE_NO_ARGS, NULL, why);
}

enum err models_commit(struct models *models, struct store_tx *tx, enum err err, bool routes,
                       struct why *why)
{
    if (!err && routes)
        err = models_generation_raise(tx, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    err = store_commit(tx, why);
    if (!err && routes)
        snapshot_wake(models);
    return err;
}

enum err models_act_end(struct act *act, enum err err, struct str object, struct str detail,
                        struct why *why)
{
    char *id = str_z(act->arena, object);
    if (!err && !id)
        err = err_set(why, ERR_NO_MEMORY, "could not record the change");
    if (!err)
        err = ops_audit(act->tx, act->ask->who, act->action, id, "ok", detail, why);
    bool refused = err == ERR_FORBIDDEN;
    err = models_commit(act->models, act->tx, err, act->routes, why);
    if (refused && act->models->ops)
        ops_audit_refusal(act->models->ops, act->ask->who, act->action, id ? id : "", err);
    if (!err && act->routes)
        supervisor_poke(act->models);
    return err;
}

struct str models_act_detail(struct arena *arena, ...)
{
    struct buf buf;
    struct json_out out;
    va_list args;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    va_start(args, arena);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        struct str value = va_arg(args, struct str);
        json_kv_str(&out, key, value);
    }
    va_end(args);
    json_end_object(&out);
    return buf.failed ? STR("{}") : buf_str(&buf);
}

enum err models_need_read(const struct models_ask *ask, struct why *why)
{
    return ops_need(ask->who, "model.read", why);
}

void models_put_stored(struct json_out *out, const char *key, struct str json, const char *fallback)
{
    json_key(out, key);
    json_put_raw(out, json.len ? json : str_c(fallback));
}

static bool name_char(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/' || utf8_is_han(c);
}

enum err models_name_check(const char *what, struct str name, struct why *why)
{
    if (name.len < 1 || name.len > MODELS_MOST_NAME)
        return err_set(why, ERR_INVALID, "a %s's name has 1 to %d bytes", what, MODELS_MOST_NAME);
    for (size_t at = 0; at < name.len;)
        if (!name_char(utf8_next(name, &at))) {
            err_hint(why, "letters, digits, Han characters and . _ - / will do");
            return err_set(why, ERR_INVALID, "\"%.*s\" is no name for a %s", STR_FMT(name), what);
        }
    if (name.ptr[0] == '/' || name.ptr[name.len - 1] == '/')
        return err_set(why, ERR_INVALID, "a %s's name does not begin or end with '/'", what);
    return ERR_OK;
}
