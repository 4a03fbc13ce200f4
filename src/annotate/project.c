/* Projects and the people in them: made, changed, listed. */
#include <string.h>

#include "annotate/room.h"
#include "core/utf8.h"
#include "ledger/ledger.h"

#define MOST_TITLE      200
#define MOST_GUIDELINES ((size_t)64 << 10)
#define PROJECT_COLUMNS                                                                            \
    "id, tenant, title, dataset, number, version, state, labels, guidelines, overlap, review, "    \
    "lease_ms, gold_every, pass_mark, separate, n_items, n_final, n_review, n_disputed, "          \
    "n_unusable, n_gold, n_exam, n_labels, n_skipped, freed, revision, job, result, why, "         \
    "created_by, created_ms, changed_ms"

bool is_manager(const struct ops_identity *who)
{
    return ops_may(who, "annotate.manage");
}

struct str person_name(struct annotate *annotate, struct str user, struct arena *arena)
{
    struct str name =
        ops_actor_name(annotate->opts.ops, str_printf(arena, "user:%.*s", STR_FMT(user)), arena);
    /* Whoever came with an import has no account, but a name. */
    return name.len ? name : str_starts(user, STR("studio:")) ? str_from(user, 7) : user;
}

/* ---- rows ---- */

static struct project project_from(const struct store_rows *rows, size_t i)
{
    return (struct project){.id = store_str(rows, i, 0),
                            .tenant = store_str(rows, i, 1),
                            .title = store_str(rows, i, 2),
                            .dataset = store_str(rows, i, 3),
                            .number = store_int(rows, i, 4),
                            .version = store_str(rows, i, 5),
                            .state = store_str(rows, i, 6),
                            .labels_text = store_str(rows, i, 7),
                            .guidelines = store_str(rows, i, 8),
                            .overlap = store_int(rows, i, 9),
                            .review = store_int(rows, i, 10),
                            .lease_ms = store_int(rows, i, 11),
                            .gold_every = store_int(rows, i, 12),
                            .pass_mark = store_int(rows, i, 13),
                            .separate = store_int(rows, i, 14) != 0,
                            .n_items = store_int(rows, i, 15),
                            .n_final = store_int(rows, i, 16),
                            .n_review = store_int(rows, i, 17),
                            .n_disputed = store_int(rows, i, 18),
                            .n_unusable = store_int(rows, i, 19),
                            .n_gold = store_int(rows, i, 20),
                            .n_exam = store_int(rows, i, 21),
                            .n_labels = store_int(rows, i, 22),
                            .n_skipped = store_int(rows, i, 23),
                            .freed = store_int(rows, i, 24),
                            .revision = store_int(rows, i, 25),
                            .job = store_str(rows, i, 26),
                            .result = store_str(rows, i, 27),
                            .why = store_str(rows, i, 28),
                            .created_by = store_str(rows, i, 29),
                            .created_ms = store_int(rows, i, 30),
                            .changed_ms = store_int(rows, i, 31)};
}

enum err project_load(struct store_tx *tx, struct str tenant, struct str id, struct arena *arena,
                      struct project *out, struct why *why)
{
    struct store_rows rows = {0};
    const struct json *json = NULL;
    enum err err = store_query(tx,
                               "SELECT " PROJECT_COLUMNS " FROM annotate_projects WHERE id = ?"
                               " AND tenant = ?",
                               STORE_ARGS(SV_STR(id), SV_STR(tenant)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such annotation project");
    if (err)
        return err;
    *out = project_from(&rows, 0);
    err = json_parse(out->labels_text, arena, &json, why);
    return err ? err : labels_read(json, arena, &out->labels, why);
}

enum err project_add(struct act *act, const struct project_delta *d, struct why *why)
{
    return store_exec(
        act->tx,
        "UPDATE annotate_projects SET n_items = n_items + ?, n_final = n_final + ?,"
        " n_review = n_review + ?, n_disputed = n_disputed + ?, n_unusable = n_unusable + ?,"
        " n_gold = n_gold + ?, n_exam = n_exam + ?, n_labels = n_labels + ?,"
        " n_skipped = n_skipped + ?, freed = freed + ?, changed_ms = ? WHERE id = ?",
        STORE_ARGS(SV_INT(d->items), SV_INT(d->final), SV_INT(d->review), SV_INT(d->disputed),
                   SV_INT(d->unusable), SV_INT(d->gold), SV_INT(d->exam), SV_INT(d->labels),
                   SV_INT(d->skipped), SV_INT(d->freed), SV_INT(act->now_ms),
                   SV_STR(act->project.id)),
        NULL, why);
}

/* ---- acts ---- */

enum err change_begin(struct act *act, struct annotate *annotate, const struct annotate_ask *ask,
                      const char *action, const char *permission, struct str project,
                      struct why *why)
{
    *act = (struct act){
        .annotate = annotate, .ask = ask, .action = action, .now_ms = now_of(annotate)};
    enum err err = permission ? ops_need(ask->who, permission, why) : ERR_OK;
    if (err)
        return err;
    act->arena = arena_new(ACT_MEMORY);
    err = act->arena ? store_begin(annotate->opts.store, STORE_WRITE, &act->tx, why)
                     : err_set(why, ERR_NO_MEMORY, "could not begin");
    if (!err && project.len)
        err = project_load(act->tx, ask->who->tenant, project, act->arena, &act->project, why);
    return err;
}

enum err change_end(struct act *act, enum err err, struct str object, struct str detail,
                    struct why *why)
{
    const char *name = act->action ? act->action : "annotate.work";
    char *what = act->arena ? str_z(act->arena, object) : NULL;
    if (!err && act->action)
        err = ops_audit(act->tx, act->ask->who, act->action, what ? what : "", "ok", detail, why);
    if (!err)
        err = store_commit(act->tx, why);
    else
        store_rollback(act->tx);
    if (err == ERR_FORBIDDEN)
        ops_audit_refusal(act->annotate->opts.ops, act->ask->who, name, what ? what : "", err);
    arena_free(act->arena);
    return err;
}

enum err look_begin(struct act *act, struct annotate *annotate, const struct annotate_ask *ask,
                    struct str project, struct why *why)
{
    *act = (struct act){.annotate = annotate, .ask = ask, .now_ms = now_of(annotate)};
    act->arena = arena_new(ACT_MEMORY);
    enum err err = act->arena ? store_begin(annotate->opts.store, STORE_READ, &act->tx, why)
                              : err_set(why, ERR_NO_MEMORY, "could not begin");
    if (!err && project.len)
        err = project_load(act->tx, ask->who->tenant, project, act->arena, &act->project, why);
    return err;
}

void look_end(struct act *act)
{
    store_rollback(act->tx);
    arena_free(act->arena);
}

/* ---- people ---- */

enum err member_load(struct act *act, struct str user, struct member *out, struct why *why)
{
    struct store_rows rows = {0};
    enum err err =
        store_query(act->tx,
                    "SELECT roles, suspended, exam, cursor_seq, since_gold"
                    " FROM annotate_members WHERE project = ? AND user_id = ?",
                    STORE_ARGS(SV_STR(act->project.id), SV_STR(user)), act->arena, &rows, why);
    if (err)
        return err;
    *out = (struct member){.user = user,
                           .roles = store_int(&rows, 0, 0),
                           .suspended = store_int(&rows, 0, 1) != 0,
                           .exam = store_str(&rows, 0, 2),
                           .cursor = store_int(&rows, 0, 3),
                           .since_gold = store_int(&rows, 0, 4),
                           .there = rows.n_rows > 0};
    return ERR_OK;
}

enum err member_need(struct act *act, int role, struct member *out, struct why *why)
{
    enum err err = member_load(act, act->ask->who->user, out, why);
    if (err)
        return err;
    if (!out->there || !(out->roles & role))
        return err_set(why, ERR_FORBIDDEN, "this account has no place in the project for that");
    if (out->suspended)
        return err_set(why, ERR_FORBIDDEN, "this account's place in the project is suspended");
    return ERR_OK;
}

enum err project_see(struct act *act, struct why *why)
{
    struct member member;
    if (is_manager(act->ask->who))
        return ERR_OK;
    enum err err = member_load(act, act->ask->who->user, &member, why);
    if (!err && (!member.there || member.roles == 0))
        err = err_set(why, ERR_NOT_FOUND, "there is no such annotation project");
    return err;
}

static enum err put_members(struct act *act, struct json_out *out, struct why *why)
{
    struct store_rows rows = {0};
    enum err err = store_query(
        act->tx,
        "SELECT user_id, roles, suspended, exam, exam_n, exam_score, n_submitted, n_reviewed,"
        " last_ms FROM annotate_members WHERE project = ? ORDER BY user_id",
        STORE_ARGS(SV_STR(act->project.id)), act->arena, &rows, why);
    if (err)
        return err;
    json_key(out, "people");
    json_begin_array(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        int64_t roles = store_int(&rows, i, 1), n = store_int(&rows, i, 4);
        json_begin_object(out);
        json_kv_str(out, "id", store_str(&rows, i, 0));
        json_kv_str(out, "name", person_name(act->annotate, store_str(&rows, i, 0), act->arena));
        json_kv_bool(out, "work", (roles & MEMBER_WORK) != 0);
        json_kv_bool(out, "review", (roles & MEMBER_REVIEW) != 0);
        json_kv_bool(out, "suspended", store_int(&rows, i, 2) != 0);
        json_kv_str(out, "exam", store_str(&rows, i, 3));
        json_kv_int(out, "exam_done", n);
        json_kv_real(out, "exam_score", n ? store_real(&rows, i, 5) / (double)n : 0);
        json_kv_int(out, "n_submitted", store_int(&rows, i, 6));
        json_kv_int(out, "n_reviewed", store_int(&rows, i, 7));
        json_kv_time(out, "last_at", store_int(&rows, i, 8));
        json_end_object(out);
    }
    json_end_array(out);
    return ERR_OK;
}

/* ---- showing ---- */

static void put_project(const struct project *p, struct annotate *annotate, struct arena *arena,
                        struct json_out *out)
{
    json_kv_str(out, "id", p->id);
    json_kv_str(out, "title", p->title);
    json_kv_str(out, "dataset", p->dataset);
    json_kv_int(out, "version", p->number);
    json_kv_str(out, "state", p->state);
    json_kv_said(out, "why", p->why);
    json_kv_int(out, "overlap", p->overlap);
    json_kv_int(out, "review", p->review);
    json_kv_int(out, "lease_minutes", p->lease_ms / 60000);
    json_kv_int(out, "gold_every", p->gold_every);
    json_kv_int(out, "pass_mark", p->pass_mark);
    json_kv_bool(out, "separate", p->separate);
    json_kv_int(out, "n_items", p->n_items);
    json_kv_int(out, "n_final", p->n_final);
    json_kv_int(out, "n_review", p->n_review);
    json_kv_int(out, "n_disputed", p->n_disputed);
    json_kv_int(out, "n_unusable", p->n_unusable);
    json_kv_int(out, "n_gold", p->n_gold);
    json_kv_int(out, "n_exam", p->n_exam);
    json_kv_int(out, "n_labels", p->n_labels);
    json_kv_int(out, "n_skipped", p->n_skipped);
    json_kv_int(out, "revision", p->revision);
    json_kv_str(out, "job", p->job);
    json_key(out, "result");
    if (p->result.len)
        json_put_raw(out, p->result);
    else
        json_put_null(out);
    json_kv_str(out, "created_by", p->created_by);
    json_kv_str(out, "created_by_name", person_name(annotate, p->created_by, arena));
    json_kv_time(out, "created_at", p->created_ms);
    json_kv_time(out, "changed_at", p->changed_ms);
}

/* The caller's own place. */
static void put_mine(const struct member *m, const struct ops_identity *who, struct json_out *out)
{
    json_key(out, "mine");
    json_begin_object(out);
    json_kv_bool(out, "work", m->there && (m->roles & MEMBER_WORK) && !m->suspended);
    json_kv_bool(out, "review", m->there && (m->roles & MEMBER_REVIEW) && !m->suspended);
    json_kv_bool(out, "manage", is_manager(who));
    json_kv_str(out, "exam", m->exam);
    json_end_object(out);
}

static enum err show_in(struct act *act, struct json_out *out, struct why *why)
{
    struct member mine = {0};
    enum err err = member_load(act, act->ask->who->user, &mine, why);
    if (err)
        return err;
    if (act->ask->revision)
        *act->ask->revision = act->project.revision;
    json_begin_object(out);
    put_project(&act->project, act->annotate, act->arena, out);
    json_kv_str(out, "guidelines", act->project.guidelines);
    json_key(out, "labels");
    labels_write(&act->project.labels, out);
    put_mine(&mine, act->ask->who, out);
    if (is_manager(act->ask->who))
        err = put_members(act, out, why);
    json_end_object(out);
    return err;
}

enum err annotate_show(struct annotate *annotate, const struct annotate_ask *ask,
                       struct str project, struct why *why)
{
    struct act act;
    enum err err = look_begin(&act, annotate, ask, project, why);
    if (!err)
        err = project_see(&act, why);
    if (!err)
        err = show_in(&act, ask->out, why);
    look_end(&act);
    return err;
}

enum err annotate_list(struct annotate *annotate, const struct annotate_ask *ask, struct str after,
                       size_t limit, struct why *why)
{
    struct act act;
    struct store_rows rows = {0};
    bool all = is_manager(ask->who);
    limit = limit < 1 ? 1 : limit > 200 ? 200 : limit;
    struct str last = after.len ? after : STR("~"); /* behind every id */
    enum err err = look_begin(&act, annotate, ask, STR(""), why);
    if (!err)
        err = store_query(act.tx,
                          "SELECT " PROJECT_COLUMNS " FROM annotate_projects WHERE tenant = ?"
                          " AND id < ? AND (? = 1 OR EXISTS (SELECT 1 FROM annotate_members m"
                          " WHERE m.project = annotate_projects.id AND m.user_id = ?"
                          " AND m.roles > 0)) ORDER BY id DESC LIMIT ?",
                          STORE_ARGS(SV_STR(ask->who->tenant), SV_STR(last), SV_INT(all),
                                     SV_STR(ask->who->user), SV_INT((int64_t)limit + 1)),
                          act.arena, &rows, why);
    if (!err) {
        size_t n = rows.n_rows > limit ? limit : rows.n_rows;
        json_begin_object(ask->out);
        json_key(ask->out, "items");
        json_begin_array(ask->out);
        for (size_t i = 0; !err && i < n; i++) {
            struct member mine;
            act.project = project_from(&rows, i);
            err = member_load(&act, ask->who->user, &mine, why);
            json_begin_object(ask->out);
            put_project(&act.project, annotate, act.arena, ask->out);
            put_mine(&mine, ask->who, ask->out);
            json_end_object(ask->out);
        }
        json_end_array(ask->out);
        json_key(ask->out, "next");
        if (rows.n_rows > limit)
            json_put_str(ask->out, store_str(&rows, n - 1, 0));
        else
            json_put_null(ask->out);
        json_end_object(ask->out);
    }
    look_end(&act);
    return err;
}

/* ---- settings ---- */

struct setting {
    const char *name;
    int64_t least, most, fallback;
    int64_t *value;
};

/* Reads what stands in the body into the project; what is missing stays. */
static enum err read_settings(const struct json *body, struct project *p, struct why *why)
{
    int64_t minutes = p->lease_ms / 60000;
    const struct setting settings[] = {{"overlap", 1, MOST_OVERLAP, 1, &p->overlap},
                                       {"review", 0, 100, 0, &p->review},
                                       {"lease_minutes", 1, 7 * 24 * 60, 30, &minutes},
                                       {"gold_every", 0, 1000, 0, &p->gold_every},
                                       {"pass_mark", 0, 100, 0, &p->pass_mark}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct json *value = json_get(body, settings[i].name);
        if (json_kind(value) == JSON_KIND_NULL)
            continue;
        int64_t n = json_int(value, -1);
        if (n < settings[i].least || n > settings[i].most)
            return err_set(why, ERR_INVALID, "\"%s\" goes from %lld to %lld", settings[i].name,
                           (long long)settings[i].least, (long long)settings[i].most);
        *settings[i].value = n;
    }
    p->lease_ms = minutes * 60000;
    p->separate = json_get_bool(body, "separate", p->separate);
    p->title = str_trim_space(json_get_str(body, "title", p->title));
    p->guidelines = json_get_str(body, "guidelines", p->guidelines);
    if (!p->title.len || p->title.len > MOST_TITLE)
        return err_set(why, ERR_INVALID, "\"title\" has 1 to %d bytes", MOST_TITLE);
    if (p->guidelines.len > MOST_GUIDELINES)
        return err_set(why, ERR_INVALID, "\"guidelines\" have at most %zu bytes", MOST_GUIDELINES);
    return ERR_OK;
}

/* The label set of a body: its own JSON, or a configuration of Label Studio. */
static enum err read_labels(const struct json *body, struct arena *arena, struct labels *out,
                            struct str *text, struct why *why)
{
    const struct json *json = json_get(body, "labels");
    struct str xml = json_get_str(body, "studio_config", STR(""));
    struct studio_notes notes;
    struct buf buf;
    struct json_out write;
    studio_notes_init(&notes, arena);
    enum err err = xml.len ? studio_config_read(xml, arena, out, &notes, why)
                           : labels_read(json, arena, out, why);
    if (err)
        return err;
    buf_init(&buf, arena);
    json_out_init(&write, &buf);
    labels_write(out, &write);
    *text = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err insert_project(struct act *act, const struct project *p, struct why *why)
{
    return store_exec(
        act->tx,
        "INSERT INTO annotate_projects (" PROJECT_COLUMNS ", statistics, statistics_ms,"
        " statistics_n) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0,"
        " 0, 0, 0, 1, ?, '', '', ?, ?, ?, '', 0, 0)",
        STORE_ARGS(SV_STR(p->id), SV_STR(p->tenant), SV_STR(p->title), SV_STR(p->dataset),
                   SV_INT(p->number), SV_STR(p->version), SV_STR(p->state), SV_STR(p->labels_text),
                   SV_STR(p->guidelines), SV_INT(p->overlap), SV_INT(p->review),
                   SV_INT(p->lease_ms), SV_INT(p->gold_every), SV_INT(p->pass_mark),
                   SV_INT(p->separate), SV_STR(p->job), SV_STR(p->created_by),
                   SV_INT(p->created_ms), SV_INT(p->created_ms)),
        NULL, why);
}

/* The version that is to be labelled; the caller must be able to read it himself. */
static enum err find_version(struct annotate *annotate, const struct annotate_ask *ask,
                             const struct json *body, struct arena *arena, struct project *p,
                             struct why *why)
{
    struct data_reader *reader = NULL;
    struct str dataset = json_get_str(body, "dataset", STR(""));
    if (!dataset.len)
        return err_set(why, ERR_INVALID, "\"dataset\" names the data set to annotate");
    enum err err = data_reader_open(annotate->opts.data, ask->who, dataset,
                                    json_get_int(body, "version", 0), &reader, why);
    if (err)
        return err;
    const struct data_version_info *v = data_reader_version(reader);
    p->dataset = str_copy(arena, v->dataset);
    p->version = str_copy(arena, v->id);
    p->number = v->number;
    if (str_eq_c(v->state, "withdrawn"))
        err = err_set(why, ERR_CONFLICT, "that version holds records of a withdrawn source");
    else if (data_reader_n(reader) == 0)
        err = err_set(why, ERR_INVALID, "that version has no records");
    data_reader_close(reader);
    return err;
}

static enum err check_body(const struct project *p, const struct json *body, struct arena *arena,
                           struct why *why)
{
    const struct json *pre = json_get(body, "prelabel"), *gold = json_get(body, "gold");
    enum err err = pre ? prelabel_check(&p->labels, pre, arena, why) : ERR_OK;
    if (!err && gold && json_kind(gold) == JSON_KIND_OBJECT &&
        json_get_int(gold, "exam", 0) > json_get_int(gold, "n", 0))
        err = err_set(why, ERR_INVALID, "the exam is a part of the gold items");
    if (!err && (json_get_int(body, "limit", 0) < 0 || json_get_int(body, "limit", 0) > MOST_ITEMS))
        err = err_set(why, ERR_INVALID, "\"limit\" goes from 0 to %d", MOST_ITEMS);
    return err;
}

static struct str job_spec_of(struct str project, const struct json *body, struct arena *arena)
{
    static const char *const members[] = {"limit", "spread", "filter", "gold", "prelabel"};
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "project", project);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_get(body, members[i])) {
            json_key(&out, members[i]);
            json_put_value(&out, json_get(body, members[i]));
        }
    json_end_object(&out);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

enum err annotate_create(struct annotate *annotate, const struct annotate_ask *ask,
                         const struct json *body, struct why *why)
{
    struct act act;
    char id[UUID_TEXT], job[UUID_TEXT];
    struct project p = {.overlap = 1,
                        .lease_ms = 30 * 60000,
                        .separate = true,
                        .state = STR("preparing"),
                        .id = str_c(uuid7(id)),
                        .created_by = ask->who->user,
                        .tenant = ask->who->tenant,
                        .created_ms = now_of(annotate)};
    enum err err = ops_need(ask->who, "annotate.manage", why);
    if (!err)
        err = find_version(annotate, ask, body, ask->arena, &p, why);
    if (!err)
        err = read_settings(body, &p, why);
    if (!err)
        err = read_labels(body, ask->arena, &p.labels, &p.labels_text, why);
    if (!err)
        err = check_body(&p, body, ask->arena, why);
    if (err)
        return err;
    err = change_begin(&act, annotate, ask, "annotate.project.create", "annotate.manage", STR(""),
                       why);
    if (!err)
        err = submit_job(&act, "annotate.prepare", "annotation items",
                         job_spec_of(p.id, body, ask->arena), job, why);
    p.job = str_c(job);
    act.project = p;
    if (!err)
        err = insert_project(&act, &p, why);
    struct str detail = str_printf(ask->arena, "{\"dataset\":\"%.*s\",\"version\":%lld}",
                                   STR_FMT(p.dataset), (long long)p.number);
    err = change_end(&act, err, p.id, detail, why);
    return err || !ask->out ? err : annotate_show(annotate, ask, p.id, why);
}

/* A label that somebody used must stay what it is. */
static enum err check_new_labels(struct act *act, const struct labels *fresh, struct why *why)
{
    const struct labels *old = &act->project.labels;
    if (act->project.n_labels == 0 && act->project.n_gold == 0 && act->project.n_exam == 0)
        return ERR_OK;
    for (size_t i = 0; i < old->n_fields; i++) {
        const struct field *was = &old->fields[i], *is = labels_field(fresh, was->name);
        if (!is || is->kind != was->kind || (was->multiple && !is->multiple) || is->max < was->max)
            return err_set(why, ERR_CONFLICT,
                           "field \"%.*s\" is in use: it stays, and stays of its kind",
                           STR_FMT(was->name));
        for (size_t k = 0; k < was->n_labels; k++)
            if (field_label(is, was->labels[k].value) < 0)
                return err_set(why, ERR_CONFLICT, "label \"%.*s\" may be in use: it stays",
                               STR_FMT(was->labels[k].value));
    }
    return ERR_OK;
}

static enum err change_state(struct project *p, const struct json *body, struct why *why)
{
    struct str state = json_get_str(body, "state", p->state);
    if (str_eq(state, p->state))
        return ERR_OK;
    if (!str_eq_c(state, "open") && !str_eq_c(state, "paused") && !str_eq_c(state, "finished"))
        return err_set(why, ERR_INVALID, "\"state\" is open, paused or finished");
    if (str_eq_c(p->state, "preparing") || str_eq_c(p->state, "failed"))
        return err_set(why, ERR_CONFLICT, "the project's items are not there yet");
    p->state = state;
    return ERR_OK;
}

/* More people an item: what is still open wants more, and everybody looks from the start again. */
static enum err change_overlap(struct act *act, int64_t before, struct why *why)
{
    if (act->project.overlap == before)
        return ERR_OK;
    enum err err = store_exec(
        act->tx,
        "UPDATE annotate_items SET wanted = ?, open = CASE WHEN n_out + n_done + n_skip < ? THEN 1"
        " ELSE 0 END WHERE project = ? AND state = 0 AND purpose = 0",
        STORE_ARGS(SV_INT(act->project.overlap), SV_INT(act->project.overlap),
                   SV_STR(act->project.id)),
        NULL, why);
    if (!err)
        err = store_exec(act->tx, "UPDATE annotate_members SET cursor_seq = 0 WHERE project = ?",
                         STORE_ARGS(SV_STR(act->project.id)), NULL, why);
    return err;
}

static enum err update_project(struct act *act, struct why *why)
{
    const struct project *p = &act->project;
    return store_exec(
        act->tx,
        "UPDATE annotate_projects SET title = ?, guidelines = ?, labels = ?, overlap = ?,"
        " review = ?, lease_ms = ?, gold_every = ?, pass_mark = ?, separate = ?, state = ?,"
        " revision = revision + 1, changed_ms = ? WHERE id = ?",
        STORE_ARGS(SV_STR(p->title), SV_STR(p->guidelines), SV_STR(p->labels_text),
                   SV_INT(p->overlap), SV_INT(p->review), SV_INT(p->lease_ms),
                   SV_INT(p->gold_every), SV_INT(p->pass_mark), SV_INT(p->separate),
                   SV_STR(p->state), SV_INT(act->now_ms), SV_STR(p->id)),
        NULL, why);
}

enum err annotate_change(struct annotate *annotate, const struct annotate_ask *ask,
                         struct str project, const struct json *body, struct why *why)
{
    struct act act;
    struct labels fresh;
    struct str detail = STR_NONE;
    enum err err = change_begin(&act, annotate, ask, "annotate.project.change", "annotate.manage",
                                project, why);
    int64_t overlap = act.project.overlap;
    if (!err && ask->if_match >= 0 && ask->if_match != act.project.revision)
        err = err_set(why, ERR_PRECONDITION, "somebody else changed the project in the meantime");
    if (!err)
        err = read_settings(body, &act.project, why);
    if (!err && (json_get(body, "labels") || json_get(body, "studio_config"))) {
        err = read_labels(body, act.arena, &fresh, &act.project.labels_text, why);
        if (!err)
            err = check_new_labels(&act, &fresh, why);
    }
    if (!err)
        err = change_state(&act.project, body, why);
    if (!err && act.project.overlap < overlap && act.project.n_labels > 0)
        err = err_set(why, ERR_CONFLICT, "people an item cannot become fewer once work has begun");
    if (!err)
        err = update_project(&act, why);
    if (!err)
        err = change_overlap(&act, overlap, why);
    if (!err)
        detail = str_printf(ask->arena, "{\"state\":\"%.*s\",\"overlap\":%lld,\"review\":%lld}",
                            STR_FMT(act.project.state), (long long)act.project.overlap,
                            (long long)act.project.review);
    err = change_end(&act, err, project, detail, why);
    return err || !ask->out ? err : annotate_show(annotate, ask, project, why);
}
