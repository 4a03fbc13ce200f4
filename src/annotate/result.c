/* What is final becomes a version of a data set: the job. */
#include <stdio.h>
#include <string.h>

#include "annotate/room.h"
#include "core/hash.h"
#include "ledger/ledger.h"

#define BATCH        500
#define BATCH_MEMORY ((size_t)256 << 20)

enum shape { SHAPE_SAME, SHAPE_CLASSIFICATION, SHAPE_SPANS, SHAPE_QA, SHAPE_PREFERENCE };

struct result {
    struct annotate *annotate;
    struct job *job;
    struct ops_identity who;
    struct project project;
    struct data_writer *writer;
    uint8_t digest[HASH_BYTES]; /* each item hashes the digest before it, its record and answer */
    int64_t after;              /* seq of the last item that was written */
    enum shape shape;
    const struct field *field; /* that the shape is made of */
    struct str kind;           /* of the version's records */
    struct str input_kind, input_card;
    int64_t n, n_left_out;
};

/* The one member that makes the records another kind, when the label set has that form. */
static enum shape shape_of(const struct result *r, const struct field **field)
{
    const struct labels *labels = &r->project.labels;
    const struct field *question = labels_field(labels, STR("question")),
                       *answer = labels_field(labels, STR("answer"));
    bool text = str_eq_c(r->input_kind, "text") || str_eq_c(r->input_kind, "classification") ||
                str_eq_c(r->input_kind, "spans");
    *field = &labels->fields[0];
    if (question && answer && question->kind == FIELD_TEXT && answer->kind == FIELD_TEXT)
        return SHAPE_QA;
    for (size_t i = 0; i < labels->n_fields; i++) {
        *field = &labels->fields[i];
        const struct show *show = labels_show(labels, (*field)->to);
        bool on_text = text && (!show || str_eq_c(show->path, "text"));
        if ((*field)->kind == FIELD_SPANS && on_text)
            return SHAPE_SPANS;
        if ((*field)->kind == FIELD_CHOICES && !(*field)->multiple && on_text)
            return SHAPE_CLASSIFICATION;
        if ((*field)->kind == FIELD_PREFERENCE && str_eq_c(r->input_kind, "preference"))
            return SHAPE_PREFERENCE;
    }
    return SHAPE_SAME;
}

static bool replaced(const struct result *r, struct str key)
{
    static const char *const members[][4] = {[SHAPE_SAME] = {NULL},
                                             [SHAPE_CLASSIFICATION] = {"label"},
                                             [SHAPE_SPANS] = {"spans"},
                                             [SHAPE_QA] = {"question", "answer"},
                                             [SHAPE_PREFERENCE] = {"chosen", "rejected"}};
    if (str_eq_c(key, "id") || str_eq_c(key, "annotations") || str_eq_c(key, "annotation"))
        return true;
    for (size_t i = 0; i < 4 && members[r->shape][i]; i++)
        if (str_eq_c(key, members[r->shape][i]))
            return true;
    return false;
}

static void put_spans(const struct field *f, const struct answer_value *v, struct json_out *out)
{
    json_key(out, "spans");
    json_begin_array(out);
    for (size_t i = 0; i < v->n_spans; i++) {
        json_begin_object(out);
        json_kv_int(out, "start", (int64_t)v->spans[i].start);
        json_kv_int(out, "end", (int64_t)v->spans[i].end);
        json_kv_str(out, "label", f->labels[v->spans[i].code].value);
        json_end_object(out);
    }
    json_end_array(out);
}

/* The members of the shape; false when the answer gives none (a tie is no preference). */
static bool put_shape(const struct result *r, const struct json *record,
                      const struct answer *answer, struct json_out *out)
{
    const struct labels *labels = &r->project.labels;
    const struct answer_value *v = &answer->values[r->field - labels->fields];
    switch (r->shape) {
    case SHAPE_CLASSIFICATION:
        if (v->n_labels == 0)
            return false;
        json_kv_str(out, "label", r->field->labels[v->labels[0]].value);
        return true;
    case SHAPE_SPANS:
        put_spans(r->field, v, out);
        return true;
    case SHAPE_QA: {
        const struct field *q = labels_field(labels, STR("question")),
                           *a = labels_field(labels, STR("answer"));
        json_kv_str(out, "question", answer->values[q - labels->fields].text);
        json_kv_str(out, "answer", answer->values[a - labels->fields].text);
        return answer->values[q - labels->fields].given && answer->values[a - labels->fields].given;
    }
    case SHAPE_PREFERENCE: {
        bool swap = str_eq_c(v->text, "b");
        json_key(out, "chosen");
        json_put_value(out, json_get(record, swap ? "rejected" : "chosen"));
        json_key(out, "rejected");
        json_put_value(out, json_get(record, swap ? "chosen" : "rejected"));
        return !str_eq_c(v->text, "tie");
    }
    default:
        return true;
    }
}

static enum err make_record(struct result *r, const struct item *item, struct str final,
                            struct arena *arena, struct str *out, struct why *why)
{
    const struct json *record = NULL, *value;
    struct answer answer;
    struct buf buf;
    struct json_out json;
    void *iter = NULL;
    struct str key;
    enum err err = record_of(r->annotate, &r->project, item->rec, arena, &record, NULL, why);
    if (!err)
        err = answer_parse(final, &r->project.labels, &answer_about_anything, true, arena, &answer,
                           why);
    if (err)
        return err;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    while (json_each(record, &iter, &key, &value))
        if (!replaced(r, key)) {
            char *name = str_z(arena, key);
            json_key(&json, name ? name : "");
            json_put_value(&json, value);
        }
    bool whole = put_shape(r, record, &answer, &json);
    json_key(&json, "annotations");
    answer_write(&answer, &r->project.labels, &json);
    json_key(&json, "annotation");
    json_begin_object(&json);
    json_kv_str(&json, "how", item->purpose == PURPOSE_WORK ? item->final_how : STR("gold"));
    json_kv_int(&json, "people", item->n_done);
    json_end_object(&json);
    json_end_object(&json);
    *out = whole ? buf_str(&buf) : STR_NONE;
    return buf_err(&buf, why);
}

static enum err digest_add(struct result *r, struct str record, struct str final, struct why *why)
{
    struct hash *hash = hash_new(HASH_SHA256);
    if (!hash)
        return err_set(why, ERR_NO_MEMORY, "could not begin a digest");
    hash_add(hash, r->digest, sizeof r->digest);
    hash_add(hash, record.ptr, record.len);
    hash_add(hash, "\n", 1);
    hash_add(hash, final.ptr, final.len);
    hash_end(hash, r->digest);
    hash_free(hash);
    return ERR_OK;
}

static enum err add_item(struct result *r, const struct item *item, struct arena *arena,
                         struct why *why)
{
    struct str text = STR_NONE, final = item->purpose == PURPOSE_WORK ? item->final : item->gold;
    bool bad = false;
    enum err err = make_record(r, item, final, arena, &text, why);
    if (!err && text.ptr)
        err = data_writer_add_as(r->writer, item->record, text, &bad, why);
    if (!err)
        err = digest_add(r, item->record, final, why);
    if (err)
        return err;
    bool left_out = !text.ptr || bad;
    r->n_left_out += left_out;
    r->n += !left_out;
    r->after = item->seq;
    return ERR_OK;
}

/* How far it is, beside what was written: whoever goes on after a kill goes on from here. */
static enum err mark(struct result *r, struct arena *arena, struct why *why)
{
    char hex[HASH_TEXT];
    struct str cursor =
        str_printf(arena, "{\"after\":%lld,\"n\":%lld,\"n_left_out\":%lld,\"digest\":\"%s\"}",
                   (long long)r->after, (long long)r->n, (long long)r->n_left_out,
                   hex_put(r->digest, sizeof r->digest, hex));
    return cursor.ptr ? data_writer_mark(r->writer, cursor, why)
                      : err_set(why, ERR_NO_MEMORY, "could not hold a batch");
}

static enum err take_up(struct result *r, struct arena *arena, struct why *why)
{
    const struct json *json = NULL;
    struct str cursor = data_writer_cursor(r->writer);
    enum err err = cursor.len ? json_parse(cursor, arena, &json, why) : ERR_OK;
    if (err || !cursor.len)
        return err;
    r->after = json_get_int(json, "after", 0);
    r->n = json_get_int(json, "n", 0);
    r->n_left_out = json_get_int(json, "n_left_out", 0);
    return hex_get(json_get_str(json, "digest", STR("")), r->digest, sizeof r->digest)
               ? ERR_OK
               : err_set(why, ERR_CORRUPT, "the mark of the result is damaged");
}

static enum err add_batch(struct result *r, bool *more, struct why *why)
{
    struct arena *arena = arena_new(BATCH_MEMORY);
    struct store_rows rows = {0};
    enum err err =
        arena ? store_ask(r->annotate->opts.store,
                          "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ?"
                          " AND seq > ? AND (state = 3 OR purpose > 0) ORDER BY seq LIMIT ?",
                          STORE_ARGS(SV_STR(r->project.id), SV_INT(r->after), SV_INT(BATCH)), arena,
                          &rows, why)
              : err_set(why, ERR_NO_MEMORY, "could not hold a batch");
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct item item = item_from(&rows, i);
        err = add_item(r, &item, arena, why);
    }
    if (!err && rows.n_rows)
        err = mark(r, arena, why);
    *more = !err && rows.n_rows == BATCH;
    arena_free(arena);
    return err;
}

/* ---- the card ---- */

static enum err put_people(struct result *r, struct arena *arena, struct json_out *out,
                           struct why *why)
{
    struct store_rows rows = {0};
    enum err err = store_ask(r->annotate->opts.store,
                             "SELECT user_id, n_submitted, n_reviewed, n_decided"
                             " FROM annotate_members WHERE project = ?"
                             " AND n_submitted + n_reviewed + n_decided > 0 ORDER BY user_id",
                             STORE_ARGS(SV_STR(r->project.id)), arena, &rows, why);
    json_key(out, "people");
    json_begin_array(out);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        json_begin_object(out);
        json_kv_str(out, "name", person_name(r->annotate, store_str(&rows, i, 0), arena));
        json_kv_int(out, "labelled", store_int(&rows, i, 1));
        json_kv_int(out, "reviewed", store_int(&rows, i, 2));
        json_kv_int(out, "decided", store_int(&rows, i, 3));
        json_end_object(out);
    }
    json_end_array(out);
    return err;
}

/* The card of the input, with a member "annotation": from what, by whom, and how far they agreed.
 */
static enum err make_card(struct result *r, struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf, stats;
    struct json_out json, write;
    const struct json *card = NULL, *value, *agreement = NULL;
    struct annotate_ask ask = {.who = &r->who, .arena = arena, .out = &write};
    void *iter = NULL;
    struct str key;
    buf_init(&stats, arena);
    json_out_init(&write, &stats);
    enum err err = annotate_statistics(r->annotate, &ask, r->project.id, why);
    if (!err)
        err = json_parse(buf_str(&stats), arena, &agreement, why);
    if (err)
        return err;
    if (json_parse(r->input_card.len ? r->input_card : STR("{}"), arena, &card, NULL))
        card = NULL;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    while (json_each(card, &iter, &key, &value))
        if (!str_eq_c(key, "annotation")) {
            char *name = str_z(arena, key);
            json_key(&json, name ? name : "");
            json_put_value(&json, value);
        }
    json_key(&json, "annotation");
    json_begin_object(&json);
    json_kv_str(&json, "project", r->project.id);
    json_kv_str(&json, "title", r->project.title);
    json_kv_int(&json, "people_an_item", r->project.overlap);
    json_kv_int(&json, "reviewed_percent", r->project.review);
    json_kv_int(&json, "final", r->project.n_final);
    json_kv_int(&json, "unusable", r->project.n_unusable);
    json_kv_int(&json, "gold", r->project.n_gold + r->project.n_exam);
    err = put_people(r, arena, &json, why);
    json_key(&json, "agreement");
    json_put_value(&json, json_get(json_get(agreement, "agreement"), "fields"));
    json_kv_int(&json, "agreement_over",
                json_get_int(json_get(agreement, "agreement"), "n_units", 0));
    json_end_object(&json);
    json_end_object(&json);
    *out = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

/* ---- the run ---- */

static enum err load(struct result *r, struct arena *arena, struct why *why)
{
    struct store_tx *tx = NULL;
    struct data_reader *reader = NULL;
    enum err err = store_begin(r->annotate->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = project_load(tx, r->who.tenant, json_get_str(job_spec(r->job), "project", STR("")),
                           arena, &r->project, why);
    store_rollback(tx);
    if (!err)
        err = data_reader_open(r->annotate->opts.data, &r->who, r->project.dataset,
                               r->project.number, &reader, why);
    if (err)
        return err;
    const struct data_version_info *v = data_reader_version(reader);
    r->input_kind = str_copy(arena, str_c(v->kind));
    r->input_card = str_copy(arena, v->card);
    r->shape = shape_of(r, &r->field);
    static const char *const kinds[] = {[SHAPE_CLASSIFICATION] = "classification",
                                        [SHAPE_SPANS] = "spans",
                                        [SHAPE_QA] = "qa",
                                        [SHAPE_PREFERENCE] = "preference"};
    r->kind = r->shape == SHAPE_SAME ? r->input_kind : str_c(kinds[r->shape]);
    data_reader_close(reader);
    return ERR_OK;
}

static enum err open_writer(struct result *r, struct arena *arena, struct why *why)
{
    struct str card, spec;
    enum err err = make_card(r, arena, &card, why);
    if (!err)
        err = json_dump(job_spec(r->job), arena, &spec, why);
    if (err)
        return err;
    struct data_writer_spec form = {.dataset = json_get_str(job_spec(r->job), "dataset", STR("")),
                                    .title = json_get_str(job_spec(r->job), "title", STR("")),
                                    .kind = r->kind,
                                    .access = OPS_CLASS_STAFF,
                                    .made_by = "annotate",
                                    .run = job_id(r->job),
                                    .dir = job_dir(r->job),
                                    .spec = spec,
                                    .card = card,
                                    .inputs = &r->project.version,
                                    .n_inputs = 1};
    return data_writer_open(r->annotate->opts.data, &r->who, &form, &r->writer, why);
}

/* An item that becomes final behind the last mark of a killed attempt is in when it stands behind
 * that mark: the digest says what is in, whatever people did meanwhile. */
static enum err write_all(struct result *r, struct data_written *written, struct why *why)
{
    bool more = true;
    enum err err = take_up(r, job_arena(r->job), why);
    if (err || data_writer_ended(r->writer, written))
        return err;
    while (!err && more) {
        if (job_cancelled(r->job))
            return ERR_CANCELLED;
        err = add_batch(r, &more, why);
        job_progress(r->job, r->n, r->project.n_final + r->project.n_gold + r->project.n_exam,
                     "writing records");
    }
    if (!err && r->n == 0)
        err = err_set(why, ERR_CONFLICT, "nothing of the project is final yet");
    return err ? err : data_writer_commit(r->writer, written, why);
}

/* Killed behind this, the next attempt finds the same words there and leaves them alone. */
static enum err keep(struct result *r, const struct data_written *written, struct arena *arena,
                     struct why *why)
{
    struct annotate_ask ask = {.who = &r->who, .arena = arena, .if_match = -1};
    struct act act;
    char hex[HASH_TEXT];
    struct str text = str_printf(
        arena,
        "{\"dataset\":\"%.*s\",\"number\":%lld,\"version\":\"%.*s\",\"kind\":\"%.*s\","
        "\"n_records\":%lld,\"n_left_out\":%lld,\"sha256\":\"%s\"}",
        STR_FMT(json_get_str(job_spec(r->job), "dataset", STR(""))), (long long)written->number,
        STR_FMT(written->version), STR_FMT(r->kind), (long long)written->n_records,
        (long long)r->n_left_out, hex_put(r->digest, sizeof r->digest, hex));
    job_result(r->job, text);
    if (text.ptr && str_eq(text, r->project.result))
        return ERR_OK;
    enum err err = change_begin(&act, r->annotate, &ask, "annotate.project.result",
                                "annotate.manage", r->project.id, why);
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE annotate_projects SET result = ?, revision = revision + 1"
                         " WHERE id = ?",
                         STORE_ARGS(SV_STR(text), SV_STR(r->project.id)), NULL, why);
    return change_end(&act, err, r->project.id, text, why);
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct result r = {.annotate = ctx, .job = job, .who = job_actor(job)};
    struct data_written written = {0};
    struct arena *arena = job_arena(job);
    enum err err = load(&r, arena, why);
    if (!err)
        err = open_writer(&r, arena, why);
    if (!err)
        err = write_all(&r, &written, why);
    if (!err)
        err = keep(&r, &written, arena, why);
    data_writer_close(r.writer);
    return err;
}

const struct job_kind annotate_result_job = {
    .name = "annotate.result",
    .summary = "Make a data-set version of what is final in an annotation project",
    .permission = "annotate.manage",
    .memory_bytes = (int64_t)1 << 30,
    .max_attempts = 5,
    .run = run,
};

enum err annotate_result(struct annotate *annotate, const struct annotate_ask *ask,
                         struct str project, const struct json *body, struct why *why)
{
    struct act act;
    struct buf buf;
    struct json_out out;
    struct str dataset = json_get_str(body, "dataset", STR(""));
    char job[UUID_TEXT];
    enum err err = change_begin(&act, annotate, ask, "annotate.project.finish", "annotate.manage",
                                project, why);
    if (!err)
        err = ops_need(ask->who, "data.write", why);
    if (!err && !dataset.len)
        err = err_set(why, ERR_INVALID, "\"dataset\" names the data set that is made");
    if (!err && act.project.n_final + act.project.n_gold + act.project.n_exam == 0)
        err = err_set(why, ERR_CONFLICT, "nothing of the project is final yet");
    if (!err) {
        buf_init(&buf, act.arena);
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_kv_str(&out, "project", act.project.id);
        json_kv_str(&out, "dataset", dataset);
        json_kv_str(&out, "title", json_get_str(body, "title", act.project.title));
        json_end_object(&out);
        err = buf_err(&buf, why);
    }
    if (!err)
        err = submit_job(&act, "annotate.result", "annotation result", buf_str(&buf), job, why);
    err = change_end(&act, err, project, STR("{}"), why);
    if (!err && ask->out) {
        json_begin_object(ask->out);
        json_kv_c(ask->out, "job", job);
        json_end_object(ask->out);
    }
    return err;
}
