/* Suggestions before people begin: from a member of the record, terms, patterns, or a model. */
#include <stdio.h>
#include <string.h>

#include "annotate/room.h"
#include "core/utf8.h"

#define BATCH        200
#define MODEL_BATCH  20 /* answers of a model are dear: they are written soon */
#define MOST_FAILED  5  /* calls that fail one after the other */
#define MOST_PROMPT  4000
#define MOST_PIECES  64   /* spans that a model may name */
#define MOST_LABELS  500  /* that a schema lists */
#define MOST_TEXT    8000 /* characters of a text that a model is given */
#define BATCH_MEMORY ((size_t)128 << 20)

static const struct field *target(const struct labels *labels, const struct json *spec)
{
    struct str to = json_get_str(spec, "to", STR(""));
    return to.len ? labels_field(labels, to) : &labels->fields[0];
}

static bool is_from(const struct json *spec, const char *what)
{
    return str_eq_c(json_get_str(spec, "from", STR("")), what);
}

static enum err make_rules(const struct field *field, const struct json *spec, struct arena *arena,
                           struct rules **out, struct why *why)
{
    bool patterns = is_from(spec, "patterns");
    const struct json *list = json_get(spec, patterns ? "patterns" : "terms");
    struct rule *rules = arena_array(arena, struct rule, json_len(list) + 1);
    if (!rules)
        return err_set(why, ERR_NO_MEMORY, "could not hold the rules");
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *one = json_at(list, i);
        rules[i].text = json_get_str(one, patterns ? "pattern" : "term", STR(""));
        rules[i].label = json_get_str(one, "label", STR(""));
    }
    return rules_new(rules, json_len(list), patterns, field, arena, out, why);
}

enum err prelabel_check(const struct labels *labels, const struct json *spec, struct arena *arena,
                        struct why *why)
{
    const struct field *field = target(labels, spec);
    struct rules *rules = NULL;
    bool terms = is_from(spec, "dictionary") || is_from(spec, "patterns");
    if (!field)
        return err_set(why, ERR_INVALID, "pre-labels go to a field of the label set");
    if (is_from(spec, "field"))
        return json_get_str(spec, "field", STR("")).len
                   ? ERR_OK
                   : err_set(why, ERR_INVALID, "\"field\" names the member of the record");
    if (is_from(spec, "model"))
        return json_get_str(spec, "model", STR("")).len &&
                       json_get_str(spec, "prompt", STR("")).len <= MOST_PROMPT
                   ? ERR_OK
                   : err_set(why, ERR_INVALID, "\"model\" names the model to ask");
    if (!terms)
        return err_set(why, ERR_INVALID, "\"from\" is field, dictionary, patterns or model");
    if (field->kind != FIELD_CHOICES && field->kind != FIELD_SPANS)
        return err_set(why, ERR_INVALID, "terms and patterns give choices or spans");
    enum err err = make_rules(field, spec, arena, &rules, why);
    rules_free(rules);
    return err;
}

/* ---- values ---- */

struct str answer_of(const struct labels *labels, const struct field *field, struct str value,
                     struct arena *arena)
{
    struct buf buf, name;
    struct answer answer;
    struct str text = STR_NONE;
    buf_init(&buf, arena);
    buf_init(&name, arena);
    json_quote(&name, field->name);
    buf_printf(&buf, "{%.*s:", STR_FMT(buf_str(&name)));
    buf_add(&buf, value);
    buf_char(&buf, '}');
    if (!value.ptr || buf.failed ||
        answer_parse(buf_str(&buf), labels, &answer_about_anything, true, arena, &answer, NULL) ||
        !answer.values[field - labels->fields].given ||
        answer_text(&answer, labels, arena, &text, NULL))
        return STR_NONE;
    return text;
}

/* A member of a record as the field takes it: names of labels may be their last part or title. */
static struct str value_of(const struct field *field, const struct json *value, struct arena *arena)
{
    struct buf buf;
    struct json_out out;
    struct str text = STR_NONE;
    size_t n = 0;
    if (json_kind(value) == JSON_KIND_NULL)
        return STR_NONE;
    if (field->kind != FIELD_CHOICES)
        return json_dump(value, arena, &text, NULL) ? STR_NONE : text;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    bool list = json_kind(value) == JSON_KIND_ARRAY;
    for (size_t i = 0; i < (list ? json_len(value) : 1); i++) {
        const struct json *one = list ? json_at(value, i) : value;
        struct str name = json_kind(one) == JSON_KIND_INT
                              ? str_printf(arena, "%lld", (long long)json_int(one, 0))
                              : json_str(one, STR(""));
        int label = field_label_loose(field, name);
        if (label < 0)
            continue;
        json_put_str(&out, field->labels[label].value);
        n++;
    }
    json_end_array(&out);
    return n ? buf_str(&buf) : STR_NONE;
}

struct str member_answer(const struct labels *labels, const struct field *field,
                         const struct json *record, struct str path, struct arena *arena)
{
    return answer_of(labels, field, value_of(field, at_path(record, path), arena), arena);
}

/* ---- a model ---- */

static void put_message(struct json_out *out, const char *role, struct str content)
{
    json_begin_object(out);
    json_kv_c(out, "role", role);
    json_kv_str(out, "content", content);
    json_end_object(out);
}

/* What the model is told; the guidelines of people are its guidelines, too. */
static struct str system_words(const struct project *p, const struct field *f,
                               const struct json *spec, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena);
    buf_add(&buf, json_get_str(spec, "prompt", STR("")));
    buf_add_c(&buf, "\n你在给数据做标注。只输出一个 JSON 对象，不要解释。\n");
    if (f->n_labels) {
        buf_add_c(&buf, "标签：");
        for (size_t i = 0; i < f->n_labels && i < 200; i++)
            buf_printf(&buf, "%s%.*s", i ? "、" : "", STR_FMT(f->labels[i].value));
        buf_char(&buf, '\n');
    }
    buf_add_c(&buf, f->kind == FIELD_SPANS
                        ? "格式：{\"spans\":[{\"text\":\"原文片段\",\"label\":\"标签\"}]}\n"
                    : f->kind == FIELD_CHOICES ? "格式：{\"labels\":[\"标签\"]}\n"
                                               : "格式：{\"value\":…}\n");
    if (p->guidelines.len)
        buf_printf(&buf, "标注说明：\n%.*s\n", STR_FMT(utf8_prefix(p->guidelines, 2000)));
    return buf_str(&buf);
}

/* Pieces that the model names are looked for in the text; one that is not there is left out. */
static struct str found_spans(const struct field *f, struct str text, const struct json *list,
                              struct arena *arena)
{
    struct buf buf;
    struct json_out out;
    size_t n = 0, from = 0;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    for (size_t i = 0; i < json_len(list) && n < ANSWER_MOST_SPANS; i++) {
        struct str piece = json_get_str(json_at(list, i), "text", STR(""));
        int label = field_label_loose(f, json_get_str(json_at(list, i), "label", STR("")));
        size_t at = piece.len ? str_find_from(text, piece, from) : STR_NPOS;
        if (at == STR_NPOS && piece.len)
            at = str_find(text, piece);
        if (at == STR_NPOS || label < 0)
            continue;
        from = at + piece.len;
        size_t start = utf8_count(str_slice(text, 0, at));
        json_begin_object(&out);
        json_kv_int(&out, "start", (int64_t)start);
        json_kv_int(&out, "end", (int64_t)(start + utf8_count(piece)));
        json_kv_str(&out, "label", f->labels[label].value);
        json_end_object(&out);
        n++;
    }
    json_end_array(&out);
    return n ? buf_str(&buf) : STR_NONE;
}

/* The first JSON object in what a model wrote. */
static const struct json *object_in(struct str words, struct arena *arena)
{
    const struct json *json = NULL;
    size_t open = str_find_char(words, '{');
    for (size_t end = words.len; open != STR_NPOS && end > open; end--)
        if (words.ptr[end - 1] == '}' &&
            !json_parse(str_slice(words, open, end), arena, &json, NULL))
            return json;
    return NULL;
}

/* ---- the run ---- */

struct run {
    struct annotate *annotate;
    struct job *job;
    struct ops_identity who;
    struct project project;
    const struct json *spec;
    const struct field *field;
    struct rules *rules;
    int64_t n_seen, n_given;
    int n_failed; /* in a row */
    bool plain;   /* the server takes no schema */
};

/* ---- asking a model ---- */

static void put_type(struct json_out *out, const char *type)
{
    json_begin_object(out);
    json_kv_c(out, "type", type);
}

static void put_labels(const struct field *f, struct json_out *out)
{
    json_begin_object(out);
    json_key(out, "enum");
    json_begin_array(out);
    for (size_t i = 0; i < f->n_labels; i++)
        json_put_str(out, f->labels[i].value);
    json_end_array(out);
    json_end_object(out);
}

/* One of the labels, or several; pieces with a label; or a value: what an answer may look like. */
static void put_member(const struct field *f, struct json_out *out)
{
    if (f->kind != FIELD_CHOICES && f->kind != FIELD_SPANS) {
        put_type(out, f->kind == FIELD_RATING   ? "integer"
                      : f->kind == FIELD_NUMBER ? "number"
                                                : "string");
        json_end_object(out);
        return;
    }
    bool spans = f->kind == FIELD_SPANS;
    put_type(out, "array");
    json_kv_int(out, "minItems", spans ? 0 : 1);
    json_kv_int(out, "maxItems", spans ? MOST_PIECES : f->multiple ? (int64_t)f->n_labels : 1);
    json_key(out, "items");
    if (spans) {
        put_type(out, "object");
        json_key(out, "properties");
        json_begin_object(out);
        json_key(out, "text");
        put_type(out, "string");
        json_end_object(out);
        json_key(out, "label");
        put_labels(f, out);
        json_end_object(out);
        json_key(out, "required");
        json_put_raw(out, STR("[\"text\",\"label\"]"));
        json_kv_bool(out, "additionalProperties", false);
        json_end_object(out);
    } else {
        put_labels(f, out);
    }
    json_end_object(out);
}

static const char *member_of(const struct field *f)
{
    return f->kind == FIELD_SPANS ? "spans" : f->kind == FIELD_CHOICES ? "labels" : "value";
}

/* OpenAI's response_format: with it a model can say nothing but labels of the set. */
static void put_format(const struct field *f, struct json_out *out)
{
    json_key(out, "response_format");
    json_begin_object(out);
    json_kv_c(out, "type", "json_schema");
    json_key(out, "json_schema");
    json_begin_object(out);
    json_kv_c(out, "name", "answer");
    json_kv_bool(out, "strict", true);
    json_key(out, "schema");
    put_type(out, "object");
    json_key(out, "properties");
    json_begin_object(out);
    json_key(out, member_of(f));
    put_member(f, out);
    json_end_object(out);
    json_key(out, "required");
    json_begin_array(out);
    json_put_c(out, member_of(f));
    json_end_array(out);
    json_kv_bool(out, "additionalProperties", false);
    json_end_object(out);
    json_end_object(out);
    json_end_object(out);
}

/* Pictures, orders and preferences have forms that depend on the record: no schema for them. */
static bool has_format(const struct field *f)
{
    return f->kind != FIELD_BOXES && f->kind != FIELD_RANKING && f->kind != FIELD_PREFERENCE &&
           f->n_labels <= MOST_LABELS;
}

static enum err call_model(const struct run *r, struct str text, bool plain, struct arena *arena,
                           struct str *reply, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "model", json_get_str(r->spec, "model", STR("")));
    json_kv_int(&out, "temperature", 0);
    json_kv_int(&out, "max_tokens", 1024);
    json_key(&out, "messages");
    json_begin_array(&out);
    put_message(&out, "system", system_words(&r->project, r->field, r->spec, arena));
    put_message(&out, "user", utf8_prefix(text, MOST_TEXT));
    json_end_array(&out);
    if (!plain && has_format(r->field))
        put_format(r->field, &out);
    json_end_object(&out);
    enum err err = buf_err(&buf, why);
    if (!err && !r->annotate->opts.models)
        err = err_set(why, ERR_UNSUPPORTED, "there are no models here");
    return err ? err
               : models_call(r->annotate->opts.models, &r->who, "chat/completions", buf_str(&buf),
                             arena, reply, why);
}

static enum err read_reply(const struct field *f, struct str reply, struct str text,
                           struct arena *arena, struct str *value, struct why *why)
{
    const struct json *json = NULL;
    enum err err = json_parse(reply, arena, &json, why);
    if (err)
        return err;
    const struct json *said =
        object_in(json_get_str(json_get(json_at(json_get(json, "choices"), 0), "message"),
                               "content", STR("")),
                  arena);
    const struct json *member = json_get(said, member_of(f));
    *value =
        f->kind == FIELD_SPANS ? found_spans(f, text, member, arena) : value_of(f, member, arena);
    return ERR_OK;
}

/* A server that takes no schema is asked again without one, and so from then on. A call that fails
 * costs its item the suggestion; several in a row end the attempt, which goes on from here. */
static enum err ask_model(struct run *r, struct str text, struct arena *arena, struct str *value,
                          struct why *why)
{
    struct why own = {0};
    struct str reply = STR("");
    *value = STR_NONE;
    enum err err = call_model(r, text, r->plain, arena, &reply, &own);
    if (err == ERR_INVALID && !r->plain) {
        struct why again = {0};
        err = call_model(r, text, true, arena, &reply, &again);
        r->plain = !err; /* else it was not the schema */
        own = again;
    }
    if (!err)
        err = read_reply(r->field, reply, text, arena, value, &own);
    if (!err) {
        r->n_failed = 0;
        return ERR_OK;
    }
    job_log(r->job, "a call failed: %s", why_text(&own, err));
    if (err != ERR_INVALID && err != ERR_TOO_LARGE && err != ERR_CORRUPT)
        return err_set(why, err, "%s", why_text(&own, err));
    return ++r->n_failed < MOST_FAILED ? ERR_OK : err_set(why, err, "%s", why_text(&own, err));
}

static enum err suggest(struct run *r, const struct item *item, struct arena *arena,
                        struct str *out, struct why *why)
{
    const struct json *record = NULL;
    struct str value = STR_NONE;
    enum err err = record_of(r->annotate, &r->project, item->rec, arena, &record, NULL, why);
    if (err)
        return err;
    if (is_from(r->spec, "field")) {
        *out = member_answer(&r->project.labels, r->field, record,
                             json_get_str(r->spec, "field", STR("")), arena);
        return ERR_OK;
    }
    const struct show *show = labels_show(&r->project.labels, r->field->to);
    struct str text = shown_text(record, show ? show : &r->project.labels.shows[0], arena);
    err = r->rules ? rules_apply(r->rules, text, arena, &value, why)
                   : ask_model(r, text, arena, &value, why);
    if (!err && value.ptr)
        *out = answer_of(&r->project.labels, r->field, value, arena);
    return err;
}

static struct str maker(const struct run *r, struct arena *arena)
{
    return is_from(r->spec, "model")
               ? str_printf(arena, "model:%.*s", STR_FMT(json_get_str(r->spec, "model", STR(""))))
               : str_printf(arena, "rule:%.*s", STR_FMT(json_get_str(r->spec, "from", STR(""))));
}

static enum err write_batch(struct run *r, const struct store_rows *rows, const struct str *answers,
                            size_t n, struct arena *arena, struct why *why)
{
    struct store_tx *tx = NULL;
    int64_t given = 0;
    enum err err = store_begin(r->annotate->opts.store, STORE_WRITE, &tx, why);
    for (size_t i = 0; !err && i < n; i++)
        if (answers[i].ptr) {
            err = store_exec(tx,
                             "UPDATE annotate_items SET pre = ?, pre_by = ? WHERE project = ?"
                             " AND seq = ? AND n_done = 0 AND n_out = 0",
                             STORE_ARGS(SV_STR(answers[i]), SV_STR(maker(r, arena)),
                                        SV_STR(r->project.id), SV_INT(store_int(rows, i, 0))),
                             NULL, why);
            given++;
        }
    if (err) {
        store_rollback(tx);
        return err;
    }
    err = store_commit(tx, why);
    r->n_given += err ? 0 : given;
    return err;
}

/* Suggestions are found first, with nothing locked, and then written in one step; an item that
 * somebody took in between stays as it is. What was found before a failure is kept: it may have
 * cost money. */
static enum err one_batch(struct run *r, int64_t *after, bool *more, struct why *why)
{
    struct arena *arena = arena_new(BATCH_MEMORY);
    struct store_rows rows = {0};
    struct why own = {0};
    size_t n = 0;
    int64_t size = is_from(r->spec, "model") ? MODEL_BATCH : BATCH;
    *more = false;
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold a batch");
    enum err err = store_ask(r->annotate->opts.store,
                             "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ?"
                             " AND seq > ? AND purpose = 0 AND state = 0 ORDER BY seq LIMIT ?",
                             STORE_ARGS(SV_STR(r->project.id), SV_INT(*after), SV_INT(size)), arena,
                             &rows, why);
    struct str *answers = err ? NULL : arena_array(arena, struct str, rows.n_rows + 1);
    if (!err && !answers)
        err = err_set(why, ERR_NO_MEMORY, "could not hold a batch");
    if (err) {
        arena_free(arena);
        return err;
    }
    enum err failed = ERR_OK;
    while (!failed && n < rows.n_rows) {
        struct item item = item_from(&rows, n);
        failed = job_cancelled(r->job) ? err_set(&own, ERR_CANCELLED, "the job was cancelled")
                                       : suggest(r, &item, arena, &answers[n], &own);
        n += !failed;
    }
    err = write_batch(r, &rows, answers, n, arena, why);
    if (!err && n) {
        r->n_seen += (int64_t)n;
        *after = store_int(&rows, n - 1, 0);
    }
    *more = !err && !failed && (int64_t)rows.n_rows == size;
    arena_free(arena);
    if (!err && failed)
        return err_set(why, failed, "%s", why_text(&own, failed));
    return err;
}

enum err prelabel_run(struct annotate *annotate, struct job *job, const struct project *project,
                      const struct json *spec, int64_t after, int64_t *n_given, struct why *why)
{
    struct run r = {.annotate = annotate,
                    .job = job,
                    .who = job_actor(job),
                    .project = *project,
                    .spec = spec,
                    .field = target(&project->labels, spec),
                    .n_seen = after, /* items are numbered from 1 */
                    .n_given = *n_given};
    bool more = true;
    char saved[96];
    enum err err = prelabel_check(&project->labels, spec, job_arena(job), why);
    if (!err && (is_from(spec, "dictionary") || is_from(spec, "patterns")))
        err = make_rules(r.field, spec, job_arena(job), &r.rules, why);
    while (!err && more) {
        err = one_batch(&r, &after, &more, why);
        job_progress(job, r.n_seen, project->n_items, "labelling");
        (void)snprintf(saved, sizeof saved, "{\"prelabel\":%lld,\"given\":%lld}", (long long)after,
                       (long long)r.n_given);
        enum err kept = job_save(job, str_c(saved), err ? NULL : why);
        err = err ? err : kept;
    }
    rules_free(r.rules);
    *n_given = r.n_given;
    return err;
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct annotate *annotate = ctx;
    struct store_tx *tx = NULL;
    struct project project;
    struct arena *arena = job_arena(job);
    const struct json *saved = NULL;
    int64_t n = 0;
    struct ops_identity who = job_actor(job);
    enum err err = store_begin(annotate->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = project_load(tx, who.tenant, json_get_str(job_spec(job), "project", STR("")), arena,
                           &project, why);
    store_rollback(tx);
    if (!err)
        err = job_saved(job, arena, &saved, why);
    n = json_get_int(saved, "given", 0);
    if (!err)
        err = prelabel_run(annotate, job, &project, json_get(job_spec(job), "prelabel"),
                           json_get_int(saved, "prelabel", 0), &n, why);
    if (!err)
        job_result(job, str_printf(arena, "{\"project\":\"%.*s\",\"n_given\":%lld}",
                                   STR_FMT(project.id), (long long)n));
    return err;
}

const struct job_kind annotate_prelabel_job = {
    .name = "annotate.prelabel",
    .summary = "Suggest answers for an annotation project",
    .permission = "annotate.manage",
    .memory_bytes = (int64_t)1 << 30,
    .max_attempts = 5,
    .run = run,
};

enum err annotate_prelabel(struct annotate *annotate, const struct annotate_ask *ask,
                           struct str project, const struct json *body, struct why *why)
{
    struct act act;
    struct str text, spec;
    char job[UUID_TEXT];
    enum err err = change_begin(&act, annotate, ask, "annotate.project.prelabel", "annotate.manage",
                                project, why);
    if (!err)
        err = prelabel_check(&act.project.labels, body, act.arena, why);
    if (!err)
        err = json_dump(body, act.arena, &text, why);
    if (!err) {
        spec = str_printf(act.arena, "{\"project\":\"%.*s\",\"prelabel\":%.*s}",
                          STR_FMT(act.project.id), STR_FMT(text));
        err = submit_job(&act, "annotate.prelabel", "pre-labels", spec, job, why);
    }
    err = change_end(&act, err, project, STR("{}"), why);
    if (!err && ask->out) {
        json_begin_object(ask->out);
        json_kv_c(ask->out, "job", job);
        json_end_object(ask->out);
    }
    return err;
}
