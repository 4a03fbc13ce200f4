/* Label Studio's tasks become a data set and a project with its annotations: the job. */
#include <stdio.h>
#include <string.h>

#include "annotate/room.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/map.h"
#include "core/utf8.h"

#define BATCH        200
#define MARK         5000
#define MOST_TASKS   1000000
#define MOST_NAMED   50 /* tasks left out that are named in the job's log */
#define TASK_MEMORY  ((size_t)256 << 20)
#define MOST_PICTURE ((uint64_t)32 << 20)

struct import {
    struct annotate *annotate;
    struct job *job;
    struct ops_identity who;
    const struct json *spec;
    struct arena *arena;
    struct file_map file;
    struct studio_notes notes;
    struct labels labels; /* as the tasks have them: paths are members of "data" */
    bool rows;            /* records are rows: the data has no text of its own */
    struct str *tasks;    /* n_tasks, within the file */
    size_t n_tasks, cap;
    struct project project;
    struct str dataset;
    int64_t n_annotations, n_predictions, n_bad, n_pictures;
};

/* ---- the file ---- */

/* One task that cannot be read is named and left out; the others come in. */
static void leave_out(struct import *m, size_t number, const char *what, const struct why *own,
                      enum err err)
{
    m->n_bad++;
    studio_note(&m->notes, "%s", what);
    if (m->n_bad <= MOST_NAMED)
        job_log(m->job, "task %zu: %s", number, why_text(own, err));
}

static bool task_is_bad(enum err err)
{
    return err == ERR_INVALID || err == ERR_TOO_LARGE;
}

/* A target storage has a file for each annotation: two of one task become two items, and that is
 * said. */
static enum err see_task(struct import *m, const struct json *task, struct map *seen,
                         struct why *why)
{
    const struct json *own = json_get(task, "task");
    int64_t number = json_get_int(own, "id", 0);
    bool made = false;
    if (json_kind(own) != JSON_KIND_OBJECT || number == 0)
        return ERR_OK;
    struct str key = str_printf(m->arena, "%lld", (long long)number);
    if (!key.ptr || !map_put(seen, key, &made))
        return err_set(why, ERR_NO_MEMORY, "could not hold the tasks");
    if (!made)
        studio_note(&m->notes, "another annotation of a task, as an item of its own");
    return ERR_OK;
}

/* Leaves out what is no JSON by itself, such as half of a surrogate pair or a member twice. */
static enum err sift_tasks(struct import *m, struct why *why)
{
    struct arena *scratch = arena_new(TASK_MEMORY);
    enum err err = scratch ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the tasks");
    size_t n = 0;
    struct map seen;
    map_init(&seen, m->arena);
    for (size_t i = 0; !err && i < m->n_tasks; i++) {
        const struct json *task = NULL;
        struct why own = {0};
        arena_reset(scratch);
        enum err bad = json_parse(m->tasks[i], scratch, &task, &own);
        if (!bad) {
            m->tasks[n++] = m->tasks[i];
            err = see_task(m, task, &seen, why);
        } else if (task_is_bad(bad)) {
            leave_out(m, i + 1, "unreadable task", &own, bad);
        } else {
            err = err_set(why, bad, "%s", why_text(&own, bad));
        }
    }
    if (!err && n == 0 && m->n_tasks)
        err = err_set(why, ERR_INVALID, "none of the %zu tasks can be read", m->n_tasks);
    m->n_tasks = n;
    arena_free(scratch);
    return err;
}

static enum err list_tasks(struct import *m, bool configured, struct why *why)
{
    struct studio_scan scan = {.text = {(const char *)m->file.ptr, m->file.len}};
    struct str task;
    if (utf8_invalid(scan.text) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the file is not UTF-8");
    if (studio_is_table(scan.text)) {
        enum err err = configured ? studio_table(scan.text, &m->labels, m->arena, &scan.text, why)
                                  : err_set(why, ERR_INVALID,
                                            "a table needs the labelling configuration of its "
                                            "project: it does not say which columns are answers");
        if (err)
            return err;
    }
    for (;;) {
        enum err err = studio_next(&scan, &task, why);
        if (err || !task.ptr)
            return err;
        if (m->n_tasks == MOST_TASKS)
            return err_set(why, ERR_TOO_LARGE, "the file has more than %d tasks", MOST_TASKS);
        if (m->n_tasks == m->cap) {
            size_t cap = m->cap ? m->cap * 2 : 1024;
            m->tasks = arena_grow(m->arena, m->tasks, m->cap * sizeof task, cap * sizeof task);
            m->cap = cap;
            if (!m->tasks)
                return err_set(why, ERR_NO_MEMORY, "could not hold the tasks");
        }
        m->tasks[m->n_tasks++] = task;
    }
}

static enum err guess_labels(struct import *m, struct why *why)
{
    struct studio_guess *guess = studio_guess_new(m->arena);
    struct arena *scratch = arena_new(TASK_MEMORY);
    enum err err = guess && scratch ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not begin");
    for (size_t i = 0; !err && i < m->n_tasks; i++) {
        const struct json *task = NULL;
        arena_reset(scratch);
        err = json_parse(m->tasks[i], scratch, &task, why);
        if (!err)
            err = studio_guess_see(guess, task, why);
        if (err)
            err_prefix(why, "task %zu", i + 1);
    }
    if (!err)
        err = studio_guess_labels(guess, &m->labels, why);
    arena_free(scratch);
    return err;
}

/* The project's label set: the same with paths of our records. */
static enum err own_labels(struct import *m, struct why *why)
{
    struct labels own = m->labels;
    struct buf buf;
    struct json_out out;
    bool text = false;
    own.shows = arena_array(m->arena, struct show, own.n_shows);
    if (!own.shows)
        return err_set(why, ERR_NO_MEMORY, "could not hold the label set");
    for (size_t i = 0; i < own.n_shows; i++)
        text = text || (str_eq_c(m->labels.shows[i].path, "text") &&
                        str_eq_c(m->labels.shows[i].kind, "text"));
    m->rows = !text;
    for (size_t i = 0; i < own.n_shows; i++) {
        own.shows[i] = m->labels.shows[i];
        if (m->rows)
            own.shows[i].path = str_printf(m->arena, "row.%.*s", STR_FMT(m->labels.shows[i].path));
    }
    buf_init(&buf, m->arena);
    json_out_init(&out, &buf);
    labels_write(&own, &out);
    m->project.labels = own;
    m->project.labels_text = buf_str(&buf);
    return buf_err(&buf, why);
}

/* ---- records ---- */

/* A picture beside the tasks comes into the centre; its member then names the object. */
static struct str take_picture(struct import *m, struct str value, struct arena *arena)
{
    struct str folder = json_get_str(m->spec, "images", STR("")), name = value;
    char object[HASH_TEXT];
    size_t query = str_find(value, STR("?d="));
    if (query != STR_NPOS)
        name = str_from(value, query + 3);
    name = file_name(name);
    char *dir = str_z(arena, folder), *file = str_z(arena, name);
    char *path = folder.len && name.len && dir && file && !str_eq_c(name, "..")
                     ? file_join(arena, dir, file)
                     : NULL;
    if (!path ||
        objects_put_file(m->annotate->opts.objects, path, MOST_PICTURE, object, NULL, NULL))
        return value;
    m->n_pictures++;
    return str_copy(arena, str_c(object));
}

static bool is_picture(const struct import *m, struct str key)
{
    for (size_t i = 0; i < m->labels.n_shows; i++)
        if (str_eq(m->labels.shows[i].path, key) && str_eq_c(m->labels.shows[i].kind, "image"))
            return true;
    return false;
}

static enum err record_text(struct import *m, const struct json *data, struct arena *arena,
                            struct str *out, struct why *why)
{
    static const char *const ours[] = {"annotations", "completions", "predictions", "drafts"};
    struct buf buf;
    struct json_out json;
    void *iter = NULL;
    struct str key;
    const struct json *value;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    if (m->rows) {
        json_key(&json, "row");
        json_begin_object(&json);
    }
    while (json_each(data, &iter, &key, &value)) {
        bool skip = false;
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
            skip = skip || str_eq_c(key, ours[i]);
        char *name = str_z(arena, key);
        if (skip || !name)
            continue;
        json_key(&json, name);
        if (json_kind(value) == JSON_KIND_STRING && is_picture(m, key))
            json_put_str(&json, take_picture(m, json_str(value, STR("")), arena));
        else
            json_put_value(&json, value);
    }
    if (m->rows)
        json_end_object(&json);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err add_record(struct import *m, struct data_writer *writer, const char *key, size_t i,
                           struct arena *arena, struct why *why)
{
    const struct json *task = NULL;
    struct str text, item = str_printf(arena, "%zu", i + 1);
    bool bad = false;
    enum err err = json_parse(m->tasks[i], arena, &task, why);
    if (err) {
        err_prefix(why, "task %zu", i + 1);
        return err;
    }
    err = record_text(m, studio_task_data(task), arena, &text, why);
    if (!err)
        err = data_writer_add(writer, key, item, text, &bad, why);
    m->n_bad += bad;
    return err;
}

static enum err write_records(struct import *m, struct data_writer *writer,
                              struct data_written *written, struct why *why)
{
    char key[DATA_SOURCE_KEY];
    struct arena *scratch = arena_new(TASK_MEMORY);
    struct str collection = STR("{}");
    int64_t at = 0;
    struct str uri = str_printf(m->arena, "label-studio:%.*s", STR_FMT(m->dataset));
    if (json_get(m->spec, "collection") &&
        json_dump(json_get(m->spec, "collection"), m->arena, &collection, NULL))
        collection = STR("{}");
    enum err err = scratch ? data_writer_source(writer, uri, STR(""), (int64_t)m->file.len,
                                                collection, key, why)
                           : err_set(why, ERR_NO_MEMORY, "could not begin");
    if (!err && data_writer_cursor(writer).len && !str_to_i64(data_writer_cursor(writer), &at))
        at = 0;
    for (size_t i = (size_t)at; !err && i < m->n_tasks; i++) {
        char mark[32];
        arena_reset(scratch);
        err = job_cancelled(m->job) ? ERR_CANCELLED : add_record(m, writer, key, i, scratch, why);
        (void)snprintf(mark, sizeof mark, "%zu", i + 1);
        if (!err && (i + 1) % MARK == 0)
            err = data_writer_mark(writer, str_c(mark), why);
        job_progress(m->job, (int64_t)i, (int64_t)m->n_tasks * 2, "writing records");
    }
    arena_free(scratch);
    return err ? err : data_writer_commit(writer, written, why);
}

static enum err make_dataset(struct import *m, struct why *why)
{
    struct data_writer *writer = NULL;
    struct data_written written = {0};
    struct str spec;
    enum err err = json_dump(m->spec, m->arena, &spec, why);
    if (err)
        return err;
    struct data_writer_spec form = {.dataset = m->dataset,
                                    .title = m->project.title,
                                    .kind = m->rows ? STR("row") : STR("text"),
                                    .access = OPS_CLASS_STAFF,
                                    .made_by = "annotate",
                                    .run = job_id(m->job),
                                    .dir = job_dir(m->job),
                                    .spec = spec};
    err = data_writer_open(m->annotate->opts.data, &m->who, &form, &writer, why);
    if (!err && !data_writer_ended(writer, &written))
        err = write_records(m, writer, &written, why);
    if (!err && written.number == 0)
        err = err_set(why, ERR_INVALID, "none of the tasks became a record");
    m->project.number = written.number;
    m->project.version = str_copy(m->arena, written.version);
    data_writer_close(writer);
    return err;
}

/* ---- the project ---- */

static enum err insert_project(struct import *m, struct why *why)
{
    struct project *p = &m->project;
    return store_run(
        m->annotate->opts.store,
        "INSERT INTO annotate_projects (id, tenant, title, dataset, number, version, state, labels,"
        " guidelines, overlap, review, lease_ms, gold_every, pass_mark, separate, n_items, n_final,"
        " n_review, n_disputed, n_unusable, n_gold, n_exam, n_labels, n_skipped, freed, revision,"
        " job, result, why, created_by, created_ms, changed_ms, statistics, statistics_ms,"
        " statistics_n) VALUES (?, ?, ?, ?, ?, ?, 'preparing', ?, '', ?, ?, 1800000, 0, 0, 1, 0, 0,"
        " 0, 0, 0, 0, 0, 0, 0, 0, 1, ?, '', '', ?, ?, ?, '', 0, 0) ON CONFLICT (id) DO NOTHING",
        STORE_ARGS(SV_STR(p->id), SV_STR(m->who.tenant), SV_STR(p->title), SV_STR(p->dataset),
                   SV_INT(p->number), SV_STR(p->version), SV_STR(p->labels_text),
                   SV_INT(p->overlap), SV_INT(p->review), SV_STR(job_id(m->job)),
                   SV_STR(m->who.user), SV_INT(now_of(m->annotate)), SV_INT(now_of(m->annotate))),
        NULL, why);
}

/* Who annotated there has no account here: a name of its own, and a place without roles. */
static enum err add_person(struct act *act, struct str user, bool skipped, int64_t spent_ms,
                           struct why *why)
{
    return store_exec(
        act->tx,
        "INSERT INTO annotate_members (project, user_id, roles, suspended, exam, exam_round,"
        " exam_n, exam_score, cursor_seq, since_gold, n_submitted, n_skipped, n_returned,"
        " n_accepted, n_fixed, n_reviewed, n_decided, n_gold, gold_score, n_scored, score,"
        " spent_ms, n_pre_accepted, n_pre_changed, last_ms)"
        " VALUES (?, ?, 0, 0, '', 0, 0, 0.0, 0, 0, ?, ?, 0, 0, 0, 0, 0, 0, 0.0, 0, 0.0, ?, 0, 0, ?)"
        " ON CONFLICT (project, user_id) DO UPDATE SET"
        " n_submitted = annotate_members.n_submitted + excluded.n_submitted,"
        " n_skipped = annotate_members.n_skipped + excluded.n_skipped,"
        " spent_ms = annotate_members.spent_ms + excluded.spent_ms",
        STORE_ARGS(SV_STR(act->project.id), SV_STR(user), SV_INT(!skipped), SV_INT(skipped),
                   SV_INT(spent_ms), SV_INT(act->now_ms)),
        NULL, why);
}

static enum err add_label(struct act *act, int64_t seq, struct str user,
                          const struct studio_annotation *a, struct why *why)
{
    char id[UUID_TEXT];
    int64_t at = a->created_ms ? a->created_ms : act->now_ms;
    enum err err = store_exec(
        act->tx,
        "INSERT INTO annotate_labels (id, project, seq, user_id, purpose, state, answer, pre,"
        " comment, verdict, reviewer, review_comment, fixed, lease_ms, begun_ms, done_ms,"
        " spent_ms, review_ms, score) VALUES (?, ?, ?, ?, 0, ?, ?, '', '', '', '', '', '', 0, ?, ?,"
        " ?, 0, -1.0)",
        STORE_ARGS(SV_C(uuid7(id)), SV_STR(act->project.id), SV_INT(seq), SV_STR(user),
                   SV_INT(a->skipped ? LABEL_SKIPPED : LABEL_SUBMITTED),
                   SV_STR(a->skipped ? STR("") : a->answer), SV_INT(at), SV_INT(at),
                   SV_INT(a->spent_ms)),
        NULL, why);
    return err ? err : add_person(act, user, a->skipped, a->spent_ms, why);
}

/* Two annotations of one person on one task (or of nobody known) are two people here. */
static struct str person_of(const struct studio_task *task, size_t i, struct arena *arena)
{
    const struct studio_annotation *a = &task->annotations[i];
    size_t before = 0;
    for (size_t k = 0; k < i; k++)
        before += str_eq(task->annotations[k].who, a->who);
    struct str who =
        a->who.len ? str_slice(a->who, 0, utf8_floor(a->who, a->who.len < 100 ? a->who.len : 100))
                   : STR("?");
    return before ? str_printf(arena, "studio:%.*s (%zu)", STR_FMT(who), before + 1)
                  : str_printf(arena, "studio:%.*s", STR_FMT(who));
}

static enum err add_annotations(struct import *m, struct act *act, const struct studio_task *task,
                                struct item *item, struct why *why)
{
    struct project_delta d = {0};
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < task->n_annotations; i++) {
        const struct studio_annotation *a = &task->annotations[i];
        err = add_label(act, item->seq, person_of(task, i, act->arena), a, why);
        item->n_done += !a->skipped;
        item->n_skip += a->skipped;
        d.labels += !a->skipped;
        d.skipped += a->skipped;
        m->n_annotations++;
    }
    m->n_predictions += (int64_t)task->n_predictions;
    item->wanted = item->n_done + item->n_skip > act->project.overlap ? item->n_done + item->n_skip
                                                                      : act->project.overlap;
    if (!err)
        err = project_add(act, &d, why);
    if (err || task->n_annotations == 0)
        return err;
    return item_settle(act, item, why);
}

/* A task whose annotations cannot be read becomes an item without any. */
static enum err read_task(struct import *m, size_t number, const struct json *json,
                          struct arena *arena, struct studio_task *task, struct why *why)
{
    struct why own = {0};
    enum err err = studio_task_read(json, &m->labels, arena, &m->notes, task, &own);
    if (task_is_bad(err)) {
        leave_out(m, number, "unreadable annotations", &own, err);
        *task = (struct studio_task){0};
        return ERR_OK;
    }
    return err ? err_set(why, err, "task %zu: %s", number, why_text(&own, err)) : ERR_OK;
}

static enum err add_item(struct import *m, struct act *act, const struct data_record *record,
                         int64_t seq, struct why *why)
{
    const struct json *json = NULL;
    struct studio_task task = {0};
    struct new_item fresh = {.seq = seq, .rec = record->number, .record = record->id};
    struct item item;
    int64_t index = 0;
    size_t dash = str_find_char(record->id, '-');
    if (dash == STR_NPOS || !str_to_i64(str_from(record->id, dash + 1), &index) || index < 1 ||
        (size_t)index > m->n_tasks)
        return err_set(why, ERR_CORRUPT, "the version holds a record that is none of the tasks");
    enum err err = json_parse(m->tasks[index - 1], act->arena, &json, why);
    if (!err)
        err = read_task(m, (size_t)index, json, act->arena, &task, why);
    if (err)
        return err;
    for (size_t i = 0; i < task.n_predictions && !fresh.pre.len; i++)
        if (task.predictions[i].answer.len > 2) { /* not "{}" */
            fresh.pre = task.predictions[i].answer;
            fresh.pre_by = str_printf(act->arena, "model:%.*s", STR_FMT(task.predictions[i].who));
        }
    err = item_add(act, &fresh, why);
    if (!err)
        err = project_add(act, &(struct project_delta){.items = 1}, why);
    if (!err)
        err = item_load(act, seq, &item, why);
    if (!err)
        err = add_annotations(m, act, &task, &item, why);
    /* What they call ground truth is decided. */
    for (size_t i = 0; !err && i < task.n_annotations; i++)
        if (task.annotations[i].gold && !task.annotations[i].skipped && item.state != ITEM_FINAL)
            err = item_move(act, &item, ITEM_FINAL, task.annotations[i].answer, "adjudicated",
                            STR(""), why);
    return err;
}

static enum err add_items(struct import *m, struct data_reader *reader, int64_t *seq, bool *more,
                          struct why *why)
{
    struct annotate_ask ask = {.who = &m->who};
    struct act act = {.annotate = m->annotate,
                      .ask = &ask,
                      .project = m->project,
                      .now_ms = now_of(m->annotate),
                      .arena = arena_new(TASK_MEMORY)};
    enum err err = act.arena ? store_begin(m->annotate->opts.store, STORE_WRITE, &act.tx, why)
                             : err_set(why, ERR_NO_MEMORY, "could not hold a batch");
    for (size_t i = 0; !err && i < BATCH && *more; i++) {
        struct data_record record = {0};
        if (*seq >= data_reader_n(reader)) {
            *more = false;
            break;
        }
        err = data_reader_at(reader, *seq, act.arena, &record, why);
        if (!err)
            err = add_item(m, &act, &record, ++*seq, why);
    }
    if (!err)
        err = store_commit(act.tx, why);
    else
        store_rollback(act.tx);
    arena_free(act.arena);
    return err;
}

static enum err fill_project(struct import *m, struct why *why)
{
    struct data_reader *reader = NULL;
    struct store_rows rows = {0};
    bool more = true;
    enum err err = insert_project(m, why);
    if (!err)
        err = store_ask(m->annotate->opts.store,
                        "SELECT COALESCE(MAX(seq), 0) FROM annotate_items WHERE project = ?",
                        STORE_ARGS(SV_STR(m->project.id)), m->arena, &rows, why);
    int64_t seq = store_int(&rows, 0, 0);
    if (!err)
        err = data_reader_open(m->annotate->opts.data, &m->who, m->dataset, m->project.number,
                               &reader, why);
    while (!err && more) {
        err = job_cancelled(m->job) ? ERR_CANCELLED : add_items(m, reader, &seq, &more, why);
        job_progress(m->job, (int64_t)m->n_tasks + seq, (int64_t)m->n_tasks * 2,
                     "taking over labels");
    }
    data_reader_close(reader);
    return err ? err
               : store_run(m->annotate->opts.store,
                           "UPDATE annotate_projects SET state = 'open' WHERE id = ?"
                           " AND state = 'preparing'",
                           STORE_ARGS(SV_STR(m->project.id)), NULL, why);
}

static enum err put_report(struct import *m, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, m->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "project", m->project.id);
    json_kv_str(&out, "dataset", m->dataset);
    json_kv_int(&out, "number", m->project.number);
    json_kv_int(&out, "n_tasks", (int64_t)m->n_tasks);
    json_kv_int(&out, "n_annotations", m->n_annotations);
    json_kv_int(&out, "n_predictions", m->n_predictions);
    json_kv_int(&out, "n_pictures", m->n_pictures);
    json_kv_int(&out, "n_bad", m->n_bad);
    json_key(&out, "notes");
    studio_notes_write(&m->notes, &out);
    json_end_object(&out);
    job_result(m->job, buf_str(&buf));
    return buf_err(&buf, why);
}

static enum err read_file(struct import *m, struct why *why)
{
    struct str config = json_get_str(m->spec, "config", STR(""));
    char *path = str_z(m->arena, json_get_str(m->spec, "path", STR("")));
    enum err err =
        path ? file_map(path, &m->file, why) : err_set(why, ERR_NO_MEMORY, "could not begin");
    if (!err && config.len)
        err = studio_config_read(config, m->arena, &m->labels, &m->notes, why);
    if (!err)
        err = list_tasks(m, config.len > 0, why);
    if (!err && m->n_tasks == 0)
        err = err_set(why, ERR_INVALID, "the file holds no tasks");
    if (!err)
        err = sift_tasks(m, why);
    if (!err && !config.len)
        err = guess_labels(m, why);
    return err ? err : own_labels(m, why);
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct import m = {.annotate = ctx,
                       .job = job,
                       .who = job_actor(job),
                       .spec = job_spec(job),
                       .arena = job_arena(job)};
    m.dataset = json_get_str(m.spec, "dataset", STR(""));
    m.project = (struct project){.id = job_id(job), /* so that a restart finds it */
                                 .tenant = m.who.tenant,
                                 .title = json_get_str(m.spec, "title", m.dataset),
                                 .dataset = m.dataset,
                                 .overlap = json_get_int(m.spec, "overlap", 1),
                                 .review = json_get_int(m.spec, "review", 0),
                                 .lease_ms = 30 * 60000};
    studio_notes_init(&m.notes, m.arena);
    enum err err = read_file(&m, why);
    if (!err)
        err = make_dataset(&m, why);
    if (!err)
        err = fill_project(&m, why);
    if (!err)
        err = put_report(&m, why);
    file_unmap(&m.file);
    char *path = str_z(m.arena, json_get_str(m.spec, "path", STR("")));
    if (!err && path && json_get_bool(m.spec, "upload", false) && file_remove(path, NULL))
        job_log(job, "the uploaded file could not be removed");
    return err;
}

const struct job_kind annotate_import_job = {
    .name = "annotate.import",
    .summary = "Bring a project of Label Studio in",
    .permission = "annotate.manage",
    .memory_bytes = (int64_t)2 << 30,
    .max_attempts = 5,
    .run = run,
    .moved = project_moved,
};

enum err annotate_import(struct annotate *annotate, const struct annotate_ask *ask,
                         const struct json *spec, struct why *why)
{
    struct act act;
    struct labels labels;
    struct studio_notes notes;
    struct str text, config = json_get_str(spec, "config", STR("")),
                     title = json_get_str(spec, "title", STR(""));
    char job[UUID_TEXT];
    enum err err = change_begin(&act, annotate, ask, "annotate.project.import", "annotate.manage",
                                STR(""), why);
    if (!err)
        err = ops_need(ask->who, "data.write", why);
    if (!err && (!json_get_str(spec, "dataset", STR("")).len ||
                 !json_get_str(spec, "path", STR("")).len || title.len > 200))
        err = err_set(why, ERR_INVALID, "an import needs a file and the name of a data set");
    int64_t overlap = json_get_int(spec, "overlap", 1), review = json_get_int(spec, "review", 0);
    if (!err && (overlap < 1 || overlap > MOST_OVERLAP || review < 0 || review > 100))
        err = err_set(why, ERR_INVALID, "\"overlap\" goes from 1 to %d, \"review\" to 100",
                      MOST_OVERLAP);
    if (!err && config.len) {
        studio_notes_init(&notes, act.arena);
        err = studio_config_read(config, act.arena, &labels, &notes, why);
    }
    if (!err)
        err = json_dump(spec, act.arena, &text, why);
    if (!err)
        err = submit_job(&act, "annotate.import", "Label Studio", text, job, why);
    err = change_end(&act, err, STR(""), STR("{}"), why);
    if (!err && ask->out) {
        json_begin_object(ask->out);
        json_kv_c(ask->out, "job", job);
        json_end_object(ask->out);
    }
    return err;
}
