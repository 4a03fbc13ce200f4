/* A project as Label Studio's tasks, and its label set as their configuration. */
#include <stdio.h>
#include <string.h>

#include "annotate/room.h"
#include "core/file.h"
#include "core/map.h"

#define BATCH        200
#define BATCH_MEMORY ((size_t)256 << 20)

struct export
{
    struct annotate *annotate;
    struct project project;
    struct arena *arena; /* of the whole: people */
    struct map people;   /* user -> number, as Label Studio counts them */
    bool rows;           /* the data of a task is the record's "row" */
    int fd;
    bool begun;
    struct why *why;
};

static int64_t number_of(struct export *e, struct str user)
{
    struct map_entry *entry = map_find(&e->people, user);
    if (!entry) {
        struct str copy = str_copy(e->arena, user);
        entry = copy.ptr ? map_put(&e->people, copy, NULL) : NULL;
        if (entry)
            entry->value.i = (int64_t)e->people.n;
    }
    return entry ? entry->value.i : 0;
}

static enum err put_result(struct export *e, struct str answer_text, const struct str *texts,
                           const char *origin, struct arena *arena, struct json_out *out)
{
    struct answer answer;
    enum err err = ERR_OK;
    json_key(out, "result");
    if (!answer_text.len) {
        json_begin_array(out);
        json_end_array(out);
        return ERR_OK;
    }
    err = answer_parse(answer_text, &e->project.labels, &answer_about_anything, true, arena,
                       &answer, e->why);
    if (!err)
        studio_result_write(&answer, &e->project.labels, texts, origin, out);
    return err;
}

static enum err put_annotation(struct export *e, const struct work_label *l,
                               const struct str *texts, struct arena *arena, struct json_out *out)
{
    const char *origin = str_eq_c(l->pre, "accepted")  ? "prediction"
                         : str_eq_c(l->pre, "changed") ? "prediction-changed"
                                                       : "manual";
    struct str name = person_name(e->annotate, l->user, arena);
    json_begin_object(out);
    json_kv_str(out, "id", l->id);
    json_key(out, "completed_by");
    json_begin_object(out);
    json_kv_int(out, "id", number_of(e, l->user));
    json_kv_str(out, "email", str_starts(l->user, STR("studio:")) ? str_from(l->user, 7) : STR(""));
    json_kv_str(out, "first_name", name);
    json_kv_str(out, "last_name", STR(""));
    json_end_object(out);
    json_kv_bool(out, "was_cancelled", l->state == LABEL_SKIPPED);
    json_kv_bool(out, "ground_truth", false);
    json_kv_time(out, "created_at", l->done_ms);
    json_kv_real(out, "lead_time", (double)l->spent_ms / 1000);
    enum err err = put_result(e, l->fixed.len ? l->fixed : l->answer, texts, origin, arena, out);
    json_end_object(out);
    return err;
}

/* What is right by decision: gold, or what a reviewer made of it. */
static enum err put_truth(struct export *e, const struct item *item, const struct str *texts,
                          struct arena *arena, struct json_out *out)
{
    struct str truth = item->purpose == PURPOSE_WORK ? item->final : item->gold;
    bool decided = item->purpose != PURPOSE_WORK || str_eq_c(item->final_how, "adjudicated");
    if (!decided || !truth.len)
        return ERR_OK;
    json_begin_object(out);
    json_kv_str(out, "id", str_printf(arena, "%.*s-truth", STR_FMT(item->record)));
    json_kv_bool(out, "was_cancelled", false);
    json_kv_bool(out, "ground_truth", true);
    enum err err = put_result(e, truth, texts, "manual", arena, out);
    json_end_object(out);
    return err;
}

static enum err put_task(struct export *e, struct act *act, const struct item *item,
                         struct json_out *out)
{
    const struct json *record = NULL;
    struct work_label *labels = NULL;
    size_t n = 0;
    struct str texts[LABELS_MOST_SHOWS];
    enum err err =
        record_of(e->annotate, &e->project, item->rec, act->arena, &record, NULL, e->why);
    if (!err)
        err = labels_of(act, item->seq, &labels, &n, e->why);
    if (err)
        return err;
    for (size_t i = 0; i < e->project.labels.n_shows; i++)
        texts[i] = shown_text(record, &e->project.labels.shows[i], act->arena);
    json_begin_object(out);
    json_kv_int(out, "id", item->seq);
    json_key(out, "data");
    json_put_value(out, e->rows ? json_get(record, "row") : record);
    json_kv_int(out, "inner_id", item->seq);
    json_key(out, "annotations");
    json_begin_array(out);
    for (size_t i = 0; !err && i < n; i++)
        if (labels[i].state == LABEL_SUBMITTED || labels[i].state == LABEL_SKIPPED)
            err = put_annotation(e, &labels[i], texts, act->arena, out);
    if (!err)
        err = put_truth(e, item, texts, act->arena, out);
    json_end_array(out);
    json_key(out, "predictions");
    json_begin_array(out);
    if (!err && item->pre.len) {
        json_begin_object(out);
        json_kv_str(out, "model_version", item->pre_by);
        err = put_result(e, item->pre, texts, "prediction", act->arena, out);
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
    return err;
}

static enum err put_batch(struct export *e, struct act *act, int64_t *after, bool *more)
{
    struct store_rows rows = {0};
    enum err err = store_query(act->tx,
                               "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ?"
                               " AND seq > ? ORDER BY seq LIMIT ?",
                               STORE_ARGS(SV_STR(e->project.id), SV_INT(*after), SV_INT(BATCH)),
                               act->arena, &rows, e->why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct buf buf;
        struct json_out out;
        struct item item = item_from(&rows, i);
        buf_init(&buf, act->arena);
        json_out_init(&out, &buf);
        buf_add_c(&buf, e->begun ? ",\n" : "[");
        err = put_task(e, act, &item, &out);
        if (!err)
            err = buf_err(&buf, e->why);
        if (!err)
            err = file_write_fd(e->fd, buf_str(&buf), e->why);
        e->begun = true;
        *after = item.seq;
    }
    *more = !err && rows.n_rows == BATCH;
    return err;
}

static enum err write_tasks(struct export *e, struct act *act)
{
    bool more = true;
    int64_t after = 0;
    enum err err = ERR_OK;
    struct arena *whole = act->arena;
    act->arena = arena_new(BATCH_MEMORY);
    if (!act->arena)
        err = err_set(e->why, ERR_NO_MEMORY, "could not hold a batch");
    while (!err && more) {
        arena_reset(act->arena);
        err = put_batch(e, act, &after, &more);
    }
    arena_free(act->arena);
    act->arena = whole;
    return err ? err : file_write_fd(e->fd, e->begun ? STR("]\n") : STR("[]\n"), e->why);
}

enum err annotate_export(struct annotate *annotate, const struct annotate_ask *ask,
                         struct str project, bool config, int fd, struct why *why)
{
    struct act act;
    struct buf xml;
    enum err err = ops_need(ask->who, "annotate.manage", why);
    if (err)
        return err;
    err = look_begin(&act, annotate, ask, project, why);
    if (!err && config) {
        buf_init(&xml, act.arena);
        studio_config_write(&act.project.labels, &xml);
        err = buf_err(&xml, why);
        if (!err)
            err = file_write_fd(fd, buf_str(&xml), why);
    } else if (!err) {
        struct export e = {.annotate = annotate,
                           .project = act.project,
                           .arena = act.arena,
                           .fd = fd,
                           .rows = true,
                           .why = why};
        map_init(&e.people, act.arena);
        for (size_t i = 0; i < act.project.labels.n_shows; i++)
            e.rows = e.rows && str_starts(act.project.labels.shows[i].path, STR("row."));
        err = write_tasks(&e, &act);
    }
    look_end(&act);
    return err;
}
