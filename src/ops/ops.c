#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/time.h"
#include "core/utf8.h"
#include "ledger/ledger.h"
#include "ops/ops_in.h"

#define DAYS_MOST 3650
#define LEAST_MS  100
#define YEAR_MS   31536000000LL

static const struct conf_key keys[] = {
    {"ops.session_idle", CONF_DURATION, "30m", LEAST_MS, YEAR_MS, NULL,
     "A session ends after this long without a request"},
    {"ops.session_life", CONF_DURATION, "12h", LEAST_MS, YEAR_MS, NULL,
     "A session ends this long after the sign-in"},
    {"ops.password_min", CONF_INT, "10", 8, 64, NULL, "Least number of characters in a password"},
    {"ops.password_kinds", CONF_INT, "3", 1, 4, NULL,
     "Of lower case, upper case, digits and other characters a password has at least so many"},
    {"ops.lockout", CONF_INT, "5", 1, 100, NULL, "Failed sign-ins in a row that lock a name"},
    {"ops.lockout_time", CONF_DURATION, "5m", LEAST_MS, YEAR_MS, NULL,
     "How long the first lock lasts; each further one lasts twice as long"},
    {"ops.lockout_most", CONF_DURATION, "1h", LEAST_MS, YEAR_MS, NULL, "The longest lock"},
    {"ops.signin_rate", CONF_INT, "20", 1, 1000000, NULL,
     "Failed sign-ins a minute from one address before it has to wait"},
    {"ops.rate_user", CONF_INT, "1200", 1, 100000000, NULL, "Requests a minute of one user"},
    {"ops.rate_key", CONF_INT, "120", 1, 100000000, NULL,
     "Requests a minute of an API key that was made without a limit of its own"},
    {"ops.rate_address", CONF_INT, "600", 1, 100000000, NULL,
     "Requests a minute of one address without account"},
    {"ops.key_days", CONF_INT, "365", 1, DAYS_MOST, NULL, "Longest life of an API key in days"},
    {"ops.demo", CONF_BOOL, "false", 0, 0, NULL,
     "Sample users with documented passwords may sign in; never on a real centre"},
};
const struct conf_table ops_conf = {keys, sizeof keys / sizeof keys[0]};

static struct metric refusals = METRIC_INIT(METRIC_COUNTER, "yicheng_ops_refusals_total",
                                            "Requests refused for want of a permission", NULL);

static void read_conf(struct ops *ops, const struct conf *conf)
{
    ops->session_idle_ms = conf_int(conf, "ops.session_idle");
    ops->session_life_ms = conf_int(conf, "ops.session_life");
    ops->password_min = conf_int(conf, "ops.password_min");
    ops->password_kinds = conf_int(conf, "ops.password_kinds");
    ops->lockout_failures = conf_int(conf, "ops.lockout");
    ops->lockout_ms = conf_int(conf, "ops.lockout_time");
    ops->lockout_most_ms = conf_int(conf, "ops.lockout_most");
    ops->signin_per_minute = conf_int(conf, "ops.signin_rate");
    ops->user_per_minute = conf_int(conf, "ops.rate_user");
    ops->key_per_minute = conf_int(conf, "ops.rate_key");
    ops->address_per_minute = conf_int(conf, "ops.rate_address");
    ops->key_days = conf_int(conf, "ops.key_days");
    ops->demo = conf_bool(conf, "ops.demo");
}

enum err ops_open(struct store *store, const struct conf *conf, struct ops **out, struct why *why)
{
    struct ops *ops = calloc(1, sizeof *ops);
    if (!ops)
        return err_set(why, ERR_NO_MEMORY, "could not hold the accounts' settings");
    ops->arena = arena_new(64 << 10);
    ops->limiter = limiter_new();
    ops->known = known_new(); /* NULL: the store is asked each time */
    if (!ops->arena || !ops->limiter || sem_init(&ops->hashing, 0, 2) != 0) {
        arena_free(ops->arena);
        limiter_free(ops->limiter);
        known_free(ops->known);
        free(ops);
        return err_set(why, ERR_NO_MEMORY, "could not hold the table of rate limits");
    }
    ops->store = store;
    read_conf(ops, conf);
    *out = ops;
    return ERR_OK;
}

void ops_close(struct ops *ops)
{
    if (!ops)
        return;
    (void)sem_destroy(&ops->hashing);
    limiter_free(ops->limiter);
    known_free(ops->known);
    arena_free(ops->arena);
    free(ops);
}

const char *ops_home_tenant(struct ops *ops)
{
    (void)ops;
    return OPS_HOME;
}

struct str ops_new_id(struct arena *arena)
{
    char id[UUID_TEXT];
    return str_copy(arena, str_c(uuid7(id)));
}

bool ops_is_system(const struct ops_identity *who)
{
    return str_eq_c(who->kind, "system");
}

bool ops_every_tenant(const struct ops_identity *who)
{
    return (who->permissions & OPS_P(EVERY_TENANT)) != 0;
}

struct str ops_detail(struct arena *arena, const char *k1, struct str v1, const char *k2,
                      struct str v2)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, k1, v1);
    if (k2)
        json_kv_str(&json, k2, v2);
    json_end_object(&json);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

enum err ops_check_text(const char *what, struct str s, size_t least, size_t most, struct why *why)
{
    if (utf8_invalid(s) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the %s is not valid UTF-8", what);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return err_set(why, ERR_INVALID, "the %s has a control character at byte %zu", what, i);
    size_t n = utf8_count(s);
    if (n < least || n > most)
        return err_set(why, ERR_INVALID, "the %s has %zu characters; it must have %zu to %zu", what,
                       n, least, most);
    return ERR_OK;
}

/* ---- acts ---- */

enum err ops_act_begin(struct ops_act *act, struct ops *ops, const struct ops_identity *who,
                       const char *action, struct why *why)
{
    *act = (struct ops_act){.ops = ops, .who = who, .action = action};
    act->arena = arena_new(OPS_SCRATCH);
    if (!act->arena)
        return err_set(why, ERR_NO_MEMORY, "could not begin \"%s\"", action);
    return store_begin(ops->store, STORE_WRITE, &act->tx, why);
}

enum err ops_act_end(struct ops_act *act, enum err err, const char *object, struct str detail,
                     struct why *why)
{
    if (!err)
        err = ops_audit(act->tx, act->who, act->action, object, "ok", detail, why);
    if (!err) {
        err = store_commit(act->tx, why);
        known_forget(act->ops->known);
    } else {
        store_rollback(act->tx);
        if (err == ERR_FORBIDDEN)
            ops_audit_refusal(act->ops, act->who, act->action, object, err);
    }
    arena_free(act->arena);
    act->tx = NULL;
    act->arena = NULL;
    return err;
}

/* ---- audit ---- */

static enum err audit(struct store_tx *tx, struct arena *arena, const struct ops_identity *who,
                      const char *action, const char *object, const char *result, struct str detail,
                      struct why *why)
{
    struct str actor = ops_actor(who, arena);
    struct ledger_act act = {
        .tenant = str_z(arena, who->tenant),
        .actor = actor.ptr,
        .address = str_z(arena, who->address),
        .action = action,
        .object = object,
        .result = result,
        .trace = str_z(arena, who->trace),
        .detail = detail,
    };
    if (!act.tenant || !act.actor || !act.address || !act.trace)
        return err_set(why, ERR_NO_MEMORY, "could not write \"%s\" into the ledger", action);
    return ledger_append(tx, &act, NULL, why);
}

enum err ops_audit(struct store_tx *tx, const struct ops_identity *who, const char *action,
                   const char *object, const char *result, struct str detail, struct why *why)
{
    struct arena *arena = arena_new(16 << 10);
    enum err err = arena ? audit(tx, arena, who, action, object, result, detail, why)
                         : err_set(why, ERR_NO_MEMORY, "could not write into the ledger");
    arena_free(arena);
    return err;
}

#define REFUSALS_A_MINUTE 1   /* of one actor and action, after a burst of 3 */
#define REFUSALS_IN_ALL   120 /* of everybody: bounds the ledger's growth under a flood */

void ops_audit_refusal(struct ops *ops, const struct ops_identity *who, const char *action,
                       const char *object, enum err err)
{
    char key[160], missed_text[24];
    int64_t now = time_now_ms();
    metric_add(&refusals, 1);
    (void)snprintf(key, sizeof key, "%.*s %.*s %s", STR_FMT(who->kind),
                   STR_FMT(who->id.len ? who->id : who->address), action);
    if (limiter_take(ops->limiter, "refusal", str_c(key), REFUSALS_A_MINUTE, 3, 1, now) > 0)
        return;
    if (limiter_take(ops->limiter, "refusals", STR("all"), REFUSALS_IN_ALL, REFUSALS_IN_ALL, 1,
                     now) > 0)
        return;
    int64_t missed = limiter_missed(ops->limiter, "refusal", str_c(key));
    (void)snprintf(missed_text, sizeof missed_text, "%lld", (long long)missed);
    struct store_tx *tx = NULL;
    struct why why = {0};
    struct arena *arena = arena_new(16 << 10);
    enum err wrote = arena ? store_begin(ops->store, STORE_WRITE, &tx, &why) : ERR_NO_MEMORY;
    if (!wrote) {
        struct str detail =
            missed ? ops_detail(arena, "left_out_before", str_c(missed_text), NULL, STR_NONE)
                   : STR_NONE;
        wrote = audit(tx, arena, who, action, object, err_code(err), detail, &why);
        if (!wrote) {
            wrote = store_commit(tx, &why);
            tx = NULL;
        }
    }
    store_rollback(tx);
    if (wrote)
        LOG_ERROR("could not record a refusal", LOG_S("action", action), LOG_WHY(&why));
    arena_free(arena);
}
