/* First start, and the sample city. */
#include <stdio.h>

#include "core/log.h"
#include "core/time.h"
#include "ops/ops_in.h"

#define DEMO_PASSWORD "Kan-Yun-Ting-2026" /* documented; of use only where ops.demo is true */

static const struct {
    const char *name, *display_name;
    struct str role;
} administrators[] = {
    {"sysadmin", "系统管理员", STR_INIT("system_admin")},
    {"secadmin", "安全管理员", STR_INIT("security_admin")},
    {"auditor", "审计员", STR_INIT("auditor")},
};
#define N_ADMINISTRATORS (sizeof administrators / sizeof administrators[0])

/* ---- first start ---- */

static enum err has_home(struct store_tx *tx, struct arena *arena, bool *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT 1 FROM ops_tenants WHERE id = ?",
                               STORE_ARGS(SV_C(OPS_HOME)), arena, &rows, why);
    if (!err)
        *out = rows.n_rows > 0;
    return err;
}

static enum err make_home(struct ops_act *act, char hashes[][SECRET_PASSWORD_HASH], struct why *why)
{
    enum err err = store_exec(
        act->tx,
        "INSERT INTO ops_tenants (id, name, title, disabled, created_ms)"
        " VALUES (?, ?, ?, 0, ?)",
        STORE_ARGS(SV_C(OPS_HOME), SV_C(OPS_HOME), SV_C("城市"), SV_INT(time_now_ms())), NULL, why);
    for (size_t i = 0; i < N_ADMINISTRATORS && !err; i++) {
        struct str id;
        struct ops_user_seed seed = {.form = {.tenant = OPS_HOME,
                                              .name = str_c(administrators[i].name),
                                              .display_name = str_c(administrators[i].display_name),
                                              .roles = &administrators[i].role,
                                              .n_roles = 1}};
        err = ops_user_insert(act, &seed, hashes[i], &id, why);
    }
    return err;
}

static void bootstrap_text(struct buf *buf, char passwords[][OPS_FIRST_PASSWORD])
{
    buf_add_c(buf, "三个管理员的初始口令，只显示这一次，首次登录须修改：\n"
                   "First passwords of the three administrators, shown this once, to be changed "
                   "at the first sign-in:\n");
    for (size_t i = 0; i < N_ADMINISTRATORS; i++)
        buf_printf(buf, "    %-10s %s  %s\n", administrators[i].name, passwords[i],
                   administrators[i].display_name);
}

enum err ops_bootstrap(struct ops *ops, struct arena *arena, struct str *out_text, struct why *why)
{
    char passwords[N_ADMINISTRATORS][OPS_FIRST_PASSWORD];
    char hashes[N_ADMINISTRATORS][SECRET_PASSWORD_HASH];
    struct ops_identity system = ops_system();
    struct ops_act act;
    struct buf buf;
    struct store_rows rows;
    bool there;
    enum err err = store_ask(ops->store, "SELECT 1 FROM ops_tenants WHERE id = ?",
                             STORE_ARGS(SV_C(OPS_HOME)), arena, &rows, why);
    if (err)
        return err;
    *out_text = STR("");
    if (rows.n_rows)
        return ERR_OK;
    for (size_t i = 0; i < N_ADMINISTRATORS && !err; i++)
        err = ops_hash(ops, str_c(ops_first_password(passwords[i])), hashes[i], why);
    if (err)
        return err;
    buf_init(&buf, arena);
    bootstrap_text(&buf, passwords);
    err = ops_act_begin(&act, ops, &system, "ops.centre.create", why);
    if (!err)
        err = has_home(act.tx, act.arena, &there, why); /* another `serve` may have been first */
    if (!err && there) {
        store_rollback(act.tx);
        arena_free(act.arena);
        return ERR_OK;
    }
    if (!err)
        err = make_home(&act, hashes, why);
    if (!err)
        err = buf_err(&buf, why);
    err = ops_act_end(&act, err, OPS_HOME, STR_NONE, why);
    if (!err)
        *out_text = buf_str(&buf);
    return err;
}

/* ---- the sample city ---- */

/* Phone, address, duties and so on: everything of the entry that has no column. */
static struct str info_of(const struct json *entry, struct arena *arena)
{
    static const char *const columns[] = {"code", "name", "short"};
    struct buf buf;
    struct json_out out;
    void *iter = NULL;
    struct str key;
    const struct json *value;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    while (json_each(entry, &iter, &key, &value)) {
        bool column = false;
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
            column |= str_eq_c(key, columns[i]);
        char *name = column ? NULL : str_z(arena, key);
        if (!name)
            continue;
        json_key(&out, name);
        json_put_value(&out, value);
    }
    json_end_object(&out);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

static enum err put_department(struct ops *ops, const struct json *entry, const char *kind,
                               struct arena *arena, size_t *n_made, struct why *why)
{
    struct ops_identity system = ops_system();
    struct str id, code = json_get_str(entry, "code", STR(""));
    struct str name = json_get_str(entry, "name", STR(""));
    struct why not_there = {0};
    enum err err = ops_department_find(ops, OPS_HOME, code, arena, &id, &not_there);
    if (err != ERR_NOT_FOUND)
        return err ? err_set(why, err, "%s", not_there.text) : ERR_OK;
    struct ops_department d = {.code = code,
                               .name = name,
                               .short_name = json_get_str(entry, "short", name),
                               .kind = str_c(kind),
                               .info = info_of(entry, arena)};
    err = ops_department_put(ops, &system, &d, arena, &id, why);
    if (err)
        err_prefix(why, "%s \"%.*s\"", kind, STR_FMT(code));
    *n_made += !err;
    return err;
}

static enum err put_departments(struct ops *ops, const struct json *list, const char *kind,
                                struct arena *arena, size_t *n_made, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < json_len(list) && !err; i++)
        err = put_department(ops, json_at(list, i), kind, arena, n_made, why);
    return err;
}

/* What the pages show: the particulars of the city without its users. */
static enum err city_json(const struct json *city, struct arena *arena, struct str *out,
                          struct why *why)
{
    struct buf buf;
    struct json_out json;
    void *iter = NULL;
    struct str key, name = json_get_str(city, "name", STR("本市"));
    const struct json *value;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    while (json_each(city, &iter, &key, &value)) {
        char *k = str_eq_c(key, "users") ? NULL : str_z(arena, key);
        if (!k)
            continue;
        json_key(&json, k);
        json_put_value(&json, value);
    }
    if (!json_get(city, "title"))
        json_kv_str(&json, "title", str_printf(arena, "%.*s智能问答", STR_FMT(name)));
    if (!json_get(city, "tagline"))
        json_kv_c(&json, "tagline", "政策和办事指南，句句有出处");
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    if (!err)
        *out = buf_str(&buf);
    return err;
}

static enum err save_city(struct ops *ops, const struct json *city, struct arena *arena,
                          struct why *why)
{
    struct ops_identity system = ops_system();
    struct ops_act act;
    struct str json = STR_NONE, name = json_get_str(city, "name", STR(""));
    enum err err = ops_act_begin(&act, ops, &system, "ops.city.load", why);
    if (!err)
        err = city_json(city, arena, &json, why);
    if (!err)
        err = store_exec(act.tx,
                         "INSERT INTO ops_meta (name, value) VALUES ('city', ?)"
                         " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                         STORE_ARGS(SV_STR(json)), NULL, why);
    if (!err)
        err = store_exec(act.tx, "UPDATE ops_tenants SET title = ? WHERE id = ?",
                         STORE_ARGS(SV_STR(name), SV_C(OPS_HOME)), NULL, why);
    struct str detail = err ? STR_NONE : ops_detail(act.arena, "name", name, NULL, STR_NONE);
    return ops_act_end(&act, err, OPS_HOME, detail, why);
}

/* ---- demo users ---- */

struct demo {
    struct ops *ops;
    struct arena *arena;
    struct buf *text;
    char hash[SECRET_PASSWORD_HASH]; /* one for all: they share a documented password */
    size_t n;
};

static enum err demo_user(struct demo *demo, struct str name, struct str display,
                          struct str department, struct str role, struct why *why)
{
    struct ops_identity system = ops_system();
    struct ops_act act;
    struct store_rows rows;
    struct str id;
    struct ops_user_seed seed = {.form = {.tenant = OPS_HOME,
                                          .name = name,
                                          .display_name = display,
                                          .department = department,
                                          .roles = &role,
                                          .n_roles = 1},
                                 .demo = true};
    buf_printf(demo->text, "    %-22.*s %.*s（%.*s）\n", STR_FMT(name), STR_FMT(display),
               STR_FMT(role));
    enum err err =
        store_ask(demo->ops->store, "SELECT 1 FROM ops_users WHERE tenant_id = ? AND name = ?",
                  STORE_ARGS(SV_C(OPS_HOME), SV_STR(name)), demo->arena, &rows, why);
    if (err || rows.n_rows)
        return err;
    if (!ops_name_valid(name))
        return err_set(why, ERR_INVALID, "\"%.*s\" is not a user's name", STR_FMT(name));
    if (!demo->hash[0])
        err = ops_hash(demo->ops, STR(DEMO_PASSWORD), demo->hash, why);
    if (err)
        return err;
    err = ops_act_begin(&act, demo->ops, &system, "ops.user.create", why);
    if (!err)
        err = ops_user_insert(&act, &seed, demo->hash, &id, why);
    struct str detail = err ? STR_NONE : ops_detail(act.arena, "name", name, "demo", STR("true"));
    demo->n += !err;
    return ops_act_end(&act, err, err ? "" : str_z(demo->arena, id), detail, why);
}

static enum err sample_users(struct demo *demo, const struct json *users, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < json_len(users) && !err; i++) {
        const struct json *u = json_at(users, i);
        struct str department = STR("");
        err = ops_department_find(demo->ops, OPS_HOME, json_get_str(u, "department", STR("")),
                                  demo->arena, &department, why);
        if (!err)
            err =
                demo_user(demo, json_get_str(u, "login", STR("")), json_get_str(u, "name", STR("")),
                          department, json_get_str(u, "role", STR("")), why);
        if (err)
            err_prefix(why, "user %zu", i + 1);
    }
    return err;
}

/* "demo-steward" and so on: one for each role. */
static enum err role_users(struct demo *demo, struct str department, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; ops_role(i) && !err; i++) {
        const struct ops_role *role = ops_role(i);
        char name[64];
        (void)snprintf(name, sizeof name, "demo-%s", role->name);
        err = demo_user(demo, str_c(name), str_printf(demo->arena, "演示%s", role->title),
                        role->group[0] ? STR("") : department, str_c(role->name), why);
    }
    return err;
}

static enum err demo_users(struct ops *ops, const struct json *city, struct arena *arena,
                           struct buf *text, struct why *why)
{
    struct demo demo = {.ops = ops, .arena = arena, .text = text};
    struct store_rows rows;
    buf_add_c(text, "演示账号（仅在 ops.demo = true 时可登录），口令都是 " DEMO_PASSWORD "：\n"
                    "Demo users (only while ops.demo is true), all with the password above:\n");
    enum err err = sample_users(&demo, json_get(city, "users"), why);
    if (!err)
        err = store_ask(ops->store,
                        "SELECT id FROM ops_departments WHERE tenant_id = ? AND kind = ?"
                        " ORDER BY (CASE WHEN code = 'zwj' THEN 0 ELSE 1 END), id LIMIT 1",
                        STORE_ARGS(SV_C(OPS_HOME), SV_C("department")), arena, &rows, why);
    if (!err)
        err = role_users(&demo, store_str(&rows, 0, 0), why);
    if (!err && demo.n)
        LOG_WARN("demo users with a documented password were made", LOG_I("n_users", demo.n));
    return err;
}

enum err ops_load_city(struct ops *ops, struct str text, struct arena *arena, struct str *out_text,
                       struct why *why)
{
    const struct json *city;
    struct buf buf;
    size_t n_made = 0;
    buf_init(&buf, arena);
    enum err err = json_parse(text, arena, &city, why);
    if (!err && json_get_str(city, "name", STR("")).len == 0)
        err = err_set(why, ERR_INVALID, "the city has no \"name\"");
    if (!err)
        err = save_city(ops, city, arena, why);
    if (!err)
        err =
            put_departments(ops, json_get(city, "departments"), "department", arena, &n_made, why);
    if (!err)
        err = put_departments(ops, json_get(city, "districts"), "district", arena, &n_made, why);
    if (!err && ops->demo)
        err = demo_users(ops, city, arena, &buf, why);
    if (err) {
        err_prefix(why, "the description of the city");
        return err;
    }
    LOG_INFO("city loaded", LOG_STR("name", json_get_str(city, "name", STR(""))),
             LOG_I("n_departments_made", n_made));
    err = buf_err(&buf, why);
    if (!err && out_text)
        *out_text = buf_str(&buf);
    return err;
}

enum err ops_city(struct ops *ops, struct arena *arena, struct str *json, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(ops->store, "SELECT value FROM ops_meta WHERE name = 'city'",
                             STORE_NO_ARGS, arena, &rows, why);
    if (err)
        return err;
    *json = rows.n_rows
                ? store_str(&rows, 0, 0)
                : STR("{\"name\":\"本市\",\"name_en\":\"The city\",\"title\":\"一城智能问答\","
                      "\"tagline\":\"政策和办事指南，句句有出处\",\"hotline\":\"12345\"}");
    return ERR_OK;
}
