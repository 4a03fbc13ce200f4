/* Deployments: what shall run here, and how. The supervisor reads these rows and does it. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "core/utf8.h"
#include "models/models_in.h"

#define KV_TYPES "f16|f32|bf16|q8_0|q5_1|q5_0|q4_1|q4_0"

static const struct field fields[] = {
    {"version", FIELD_TEXT, 1, 2 * MODELS_MOST_NAME + 1, NULL, NULL,
     "The model or model:version that runs", false},
    {"replicas", FIELD_INT, 1, 64, NULL, "1", "Processes that serve it", false},
    {"weight", FIELD_INT, 1, 1000, NULL, "100", "Weight of each among the places of the version",
     false},
    {"threads", FIELD_INT, 0, 1024, NULL, "0", "Threads of each; 0: an even share of the cores",
     false},
    {"memory_bytes", FIELD_INT, 0, 1LL << 46, NULL, "0",
     "Memory that each may hold; above it, it is restarted; 0: no limit", false},
    {"context", FIELD_INT, 0, 100000000, NULL, "0",
     "Tokens of one call, prompt and answer; 0: as the model says, at most 8192", false},
    {"slots", FIELD_INT, 1, 256, NULL, "4", "Calls answered at once by each", false},
    {"kv_type", FIELD_CHOICE, 0, 0, KV_TYPES, "f16", "Kind of the numbers in the KV cache", false},
    {"loras", FIELD_JSON, 0, 8192, NULL, "[]", "Adapters to load: versions, \"model:version\" each",
     false},
    {"queue", FIELD_INT, 1, 10000, NULL, "32", "Calls that may wait for a slot of each", false},
    {"on_demand", FIELD_BOOL, 0, 0, NULL, "false", "Started by the first call", false},
    {"idle_ms", FIELD_INT, 0, 86400000, NULL, "600000",
     "On demand: stopped after so long without a call; 0: never", false},
};
enum {
    VERSION,
    REPLICAS,
    WEIGHT,
    THREADS,
    MEMORY,
    CONTEXT,
    SLOTS,
    KV_TYPE,
    LORAS,
    QUEUE,
    ON_DEMAND,
    IDLE
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

#define COLUMNS                                                                                    \
    "d.id, d.name, d.version, d.replicas, d.weight, d.threads, d.memory_bytes, d.context,"         \
    " d.slots, d.kv_type, d.loras, d.queue, d.on_demand, d.idle_ms, d.wanted, d.state, d.why,"     \
    " d.place, d.created_ms, d.changed_ms, d.revision, c.name, v.label"
#define FROM                                                                                       \
    " FROM models_deployments d JOIN models_versions v ON v.id = d.version"                        \
    " JOIN models_cards c ON c.id = v.card"

static enum err put_replicas(struct models *models, struct store_tx *tx,
                             const struct models_ask *ask, struct str deployment, struct why *why)
{
    struct store_rows r;
    struct json_out *out = ask->out;
    enum err err = store_query(tx,
                               "SELECT id, number, state, why, pid, port, threads, context, slots,"
                               " restarts, started_ms, ready_ms, rss_bytes, place FROM"
                               " models_replicas WHERE deployment = ? ORDER BY number",
                               STORE_ARGS(SV_STR(deployment)), ask->arena, &r, why);
    if (err)
        return err;
    json_key(out, "replicas_now");
    json_begin_array(out);
    for (size_t i = 0; i < r.n_rows; i++) {
        char id[UUID_TEXT];
        struct models_health h = {0};
        (void)snprintf(id, sizeof id, "%.*s", STR_FMT(store_str(&r, i, 0)));
        bool known = state_health(models, id, &h);
        json_begin_object(out);
        json_kv_c(out, "id", id);
        json_kv_int(out, "number", store_int(&r, i, 1));
        json_kv_str(out, "state", store_str(&r, i, 2));
        json_kv_said(out, "why", store_str(&r, i, 3));
        json_kv_int(out, "pid", store_int(&r, i, 4));
        json_kv_int(out, "port", store_int(&r, i, 5));
        json_kv_int(out, "threads", store_int(&r, i, 6));
        json_kv_int(out, "context", store_int(&r, i, 7));
        json_kv_int(out, "slots", store_int(&r, i, 8));
        json_kv_int(out, "restarts", store_int(&r, i, 9));
        json_kv_time(out, "started_at", store_int(&r, i, 10));
        json_kv_time(out, "ready_at", store_int(&r, i, 11));
        json_kv_int(out, "rss_bytes", store_int(&r, i, 12));
        json_kv_bool(out, "here", str_eq_c(store_str(&r, i, 13), models->place));
        json_kv_int(out, "busy", known ? h.busy : 0);
        json_kv_int(out, "calls", known ? h.calls : 0);
        json_kv_int(out, "failures", known ? h.failures : 0);
        json_kv_int(out, "first_ms", known ? h.first_ms : -1);
        json_end_object(out);
    }
    json_end_array(out);
    return ERR_OK;
}

static enum err put(struct models *models, struct store_tx *tx, const struct models_ask *ask,
                    const struct store_rows *r, size_t i, struct str once, struct why *why)
{
    struct json_out *out = ask->out;
    (void)once;
    json_begin_object(out);
    json_kv_str(out, "id", store_str(r, i, 0));
    json_kv_str(out, "name", store_str(r, i, 1));
    json_kv_str(out, "version",
                str_printf(ask->arena, "%.*s:%.*s", STR_FMT(store_str(r, i, 21)),
                           STR_FMT(store_str(r, i, 22))));
    for (size_t k = REPLICAS; k < N_FIELDS; k++) {
        const struct field *f = &fields[k];
        if (f->kind == FIELD_JSON)
            models_put_stored(out, f->name, store_str(r, i, 2 + k), "[]");
        else if (f->kind == FIELD_CHOICE)
            json_kv_str(out, f->name, store_str(r, i, 2 + k));
        else if (f->kind == FIELD_BOOL)
            json_kv_bool(out, f->name, store_int(r, i, 2 + k) != 0);
        else
            json_kv_int(out, f->name, store_int(r, i, 2 + k));
    }
    json_kv_str(out, "wanted", store_str(r, i, 14));
    json_kv_str(out, "state", store_str(r, i, 15));
    json_kv_said(out, "why", store_str(r, i, 16));
    json_kv_bool(out, "here", str_eq_c(store_str(r, i, 17), models->place));
    json_kv_time(out, "created_at", store_int(r, i, 18));
    json_kv_time(out, "changed_at", store_int(r, i, 19));
    json_kv_int(out, "revision", store_int(r, i, 20));
    enum err err = put_replicas(models, tx, ask, store_str(r, i, 0), why);
    json_end_object(out);
    return err;
}

static const struct row_kind kind = {"deployment", "models_deployments",   fields, N_FIELDS,
                                     N_FIELDS,     "SELECT " COLUMNS FROM, "d",    20,
                                     put};

/* ---- checks ---- */

static enum err need_file(struct act *act, struct str name, const char *member, bool adapter,
                          struct str *id, struct why *why)
{
    struct version_ref ref;
    struct store_rows r;
    enum err err = model_version_find(act->tx, name, act->arena, &ref, why);
    if (err == ERR_NOT_FOUND)
        return ERR_INVALID;
    if (!err && str_eq_c(ref.state, "retired"))
        err = err_set(why, ERR_INVALID, "\"%.*s\" has been retired", STR_FMT(name));
    if (!err && str_eq_c(ref.state, "damaged"))
        err = err_set(why, ERR_INVALID, "the file of \"%.*s\" is damaged", STR_FMT(name));
    if (!err && str_eq_c(ref.storage, "endpoint"))
        err = err_set(why, ERR_INVALID, "\"%.*s\" has no file: it is served by an endpoint",
                      STR_FMT(name));
    if (!err)
        err = store_query(act->tx, "SELECT header FROM models_versions WHERE id = ?",
                          STORE_ARGS(SV_STR(ref.id)), act->arena, &r, why);
    const struct json *header = NULL;
    if (!err)
        err = json_parse(store_str(&r, 0, 0), act->arena, &header, why);
    bool is = str_eq_c(json_get_str(header, "type", STR("")), "adapter");
    if (!err && is != adapter)
        err = err_set(why, ERR_INVALID, "\"%s\": \"%.*s\" is %s adapter", member, STR_FMT(name),
                      is ? "an" : "no");
    if (!err)
        *id = ref.id;
    return err;
}

/* Adapters by name become ids of versions, as the version itself does. */
static enum err check(struct act *act, struct field_value *v, struct why *why)
{
    const struct json *list = NULL;
    struct buf buf;
    struct json_out out;
    enum err err = need_file(act, v[VERSION].s, "version", false, &v[VERSION].s, why);
    if (!err)
        err = json_parse(v[LORAS].s, act->arena, &list, why);
    if (!err && json_len(list) > 16)
        err = err_set(why, ERR_INVALID, "\"loras\" holds more than 16");
    buf_init(&buf, act->arena);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    for (size_t i = 0; !err && i < json_len(list); i++) {
        struct str name = json_str(json_at(list, i), STR("")), id;
        err = need_file(act, name, "loras", true, &id, why);
        if (!err)
            json_put_str(&out, name);
    }
    if (err)
        return err;
    json_end_array(&out);
    v[LORAS].s = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err make(struct models *models, const struct models_ask *ask, const struct json *body,
                     struct why *why)
{
    struct act act;
    struct field_value v[N_FIELDS] = {0};
    struct str id, name;
    int64_t now = time_now_ms();
    enum err err = models_row_new(&act, models, &kind, ask, body, v, &id, &name, why);
    if (!err)
        err = check(&act, v, why);
    if (!err)
        err = store_exec(
            act.tx,
            "INSERT INTO models_deployments (id, name, version, replicas, weight,"
            " threads, memory_bytes, context, slots, kv_type, loras, queue, on_demand,"
            " idle_ms, wanted, spec, place, wake_ms, state, why, created_ms,"
            " changed_ms, revision) VALUES (?, ?, ?, 1, 1, 0, 0, 0, 1, '', '[]', 0, 0,"
            " 0, 'stopped', 1, '', 0, 'stopped', '', ?, ?, 0)",
            STORE_ARGS(SV_STR(id), SV_STR(name), SV_STR(v[VERSION].s), SV_INT(now), SV_INT(now)),
            NULL, why);
    if (!err)
        err = models_row_save(act.tx, &kind, id, ask->arena, v, why);
    return models_row_end(&act, &kind, err, id, name, why);
}

/* Whether an engine that runs has to be replaced for this. */
static bool other_engine(const struct field_value *a, const struct field_value *b)
{
    static const int numbers[] = {THREADS, CONTEXT, SLOTS, QUEUE};
    static const int texts[] = {VERSION, KV_TYPE, LORAS};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (a[numbers[i]].i != b[numbers[i]].i)
            return true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!str_eq(a[texts[i]].s, b[texts[i]].s))
            return true;
    return false;
}

static enum err change(struct models *models, const struct models_ask *ask, struct str name,
                       const struct json *body, struct why *why)
{
    struct act act;
    struct field_value before[N_FIELDS] = {{0}}, v[N_FIELDS];
    struct str id;
    enum err err = models_row_begin(&act, models, &kind, ask, "change", name, &id, why);
    if (!err)
        err = models_row_load(act.tx, &kind, id, ask->arena, before, why);
    if (!err) {
        memcpy(v, before, sizeof v);
        err = models_fields_read(body, fields, N_FIELDS, false, ask->arena, v, why);
    }
    if (!err)
        err = check(&act, v, why);
    if (!err)
        err = models_row_save(act.tx, &kind, id, ask->arena, v, why);
    if (!err && other_engine(before, v))
        err = store_exec(act.tx, "UPDATE models_deployments SET spec = spec + 1 WHERE id = ?",
                         STORE_ARGS(SV_STR(id)), NULL, why);
    return models_row_end(&act, &kind, err, id, name, why);
}

static enum err remove_deployment(struct models *models, const struct models_ask *ask,
                                  struct str name, struct why *why)
{
    struct act act;
    struct store_rows r;
    struct str id;
    enum err err = models_row_begin(&act, models, &kind, ask, "remove", name, &id, why);
    if (!err)
        err = store_query(act.tx,
                          "SELECT wanted, (SELECT COUNT(*) FROM models_replicas r"
                          " WHERE r.deployment = d.id) FROM models_deployments d WHERE id = ?",
                          STORE_ARGS(SV_STR(id)), ask->arena, &r, why);
    if (!err && (str_eq_c(store_str(&r, 0, 0), "running") || store_int(&r, 0, 1) > 0)) {
        err_hint(why, "stop it and wait until its engines have ended");
        err = err_set(why, ERR_CONFLICT, "the deployment \"%.*s\" runs", STR_FMT(name));
    }
    if (!err)
        err = store_exec(act.tx, "DELETE FROM models_deployments WHERE id = ?",
                         STORE_ARGS(SV_STR(id)), NULL, why);
    char path[MODELS_PATH];
    err = models_act_end(&act, err, id, models_act_detail(ask->arena, "name", name, ACT_END), why);
    if (!err)
        (void)unlink(engine_log_path(models, id, path));
    return err;
}

const struct noun noun_deployment = {
    .word = "deployment",
    .row = &kind,
    .make = make,
    .change = change,
    .remove = remove_deployment,
    .fields = fields,
    .n_fields = N_FIELDS,
};

/* ---- verbs ---- */

enum err models_deployment_do(struct models *models, const struct models_ask *ask, struct str name,
                              enum models_verb verb, struct why *why)
{
    static const struct {
        const char *word, *sql;
    } verbs[] = {
        /* A start is a wake too, and forgets what went wrong before. */
        [MODELS_START] = {"start",
                          "UPDATE models_deployments SET wanted = 'running', wake_ms = ?,"
                          " state = CASE WHEN state IN ('ready', 'draining') THEN state ELSE"
                          " 'starting' END, why = '', spec = CASE WHEN state = 'failed' THEN"
                          " spec + 1 ELSE spec END, revision = revision + 1 WHERE id = ?"},
        [MODELS_STOP] = {"stop", "UPDATE models_deployments SET wanted = 'stopped', wake_ms = ?,"
                                 " revision = revision + 1 WHERE id = ?"},
        /* As stop, but those that are answered have all the time they need. */
        [MODELS_DRAIN] = {"drain", "UPDATE models_deployments SET wanted = 'drained', wake_ms = ?,"
                                   " revision = revision + 1 WHERE id = ?"},
        [MODELS_RESTART] = {"restart",
                            "UPDATE models_deployments SET wanted = 'running', wake_ms = ?,"
                            " spec = spec + 1, why = '', revision = revision + 1 WHERE id = ?"},
    };
    struct act act;
    struct str id;
    struct store_rows r;
    enum err err = models_row_begin(&act, models, &kind, ask, verbs[verb].word, name, &id, why);
    if (!err)
        err = store_query(act.tx,
                          "SELECT v.state FROM models_deployments d JOIN models_versions v ON"
                          " v.id = d.version WHERE d.id = ?",
                          STORE_ARGS(SV_STR(id)), ask->arena, &r, why);
    if (!err && (verb == MODELS_START || verb == MODELS_RESTART) &&
        !str_eq_c(store_str(&r, 0, 0), "ready"))
        err = err_set(why, ERR_CONFLICT, "its version is %.*s: it is not started",
                      STR_FMT(store_str(&r, 0, 0)));
    if (!err)
        err = store_exec(act.tx, verbs[verb].sql, STORE_ARGS(SV_INT(time_now_ms()), SV_STR(id)),
                         NULL, why);
    return models_row_end(&act, &kind, err, id, name, why);
}

enum err models_deployment_log(struct models *models, const struct models_ask *ask, struct str name,
                               size_t most, struct str *text, struct why *why)
{
    struct store_tx *tx = NULL;
    struct str id = STR("");
    struct stat st;
    char path[MODELS_PATH];
    enum err err = models_need_read(ask, why);
    if (!err)
        err = store_begin(models->store, STORE_READ, &tx, why);
    if (!err)
        err = models_row_find(tx, &kind, name, ask->arena, &id, NULL, why);
    store_rollback(tx);
    if (err)
        return err;
    *text = STR("");
    int fd = open(engine_log_path(models, id, path), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ERR_OK;
    off_t from = fstat(fd, &st) == 0 && st.st_size > (off_t)most ? st.st_size - (off_t)most : 0;
    char *bytes = arena_bytes(ask->arena, most);
    ssize_t n = bytes ? pread(fd, bytes, most, from) : -1;
    (void)close(fd);
    if (n < 0)
        return err_set(why, ERR_IO, "could not read the log of the engines");
    *text = (struct str){bytes, (size_t)n};
    size_t line = from ? str_find_char(*text, '\n') : STR_NPOS;
    if (line != STR_NPOS)
        *text = str_from(*text, line + 1);
    return ERR_OK;
}
