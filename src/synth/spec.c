/* synth/spec - what is asked for, what a record gives to work on, and calls of a model. */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "synth/synth_in.h"

#define MOST_RECORD   ((size_t)16 << 20)
#define MOST_CONTEXT  6000 /* characters of a passage that a model is shown */
#define MOST_ROW_TEXT ((size_t)4 << 20)

static enum err check_members(const struct json *spec, struct why *why)
{
    struct str key;
    if (json_kind(spec) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "a synthesis is a JSON object");
    if (json_unknown(spec, "input output method model per_passage seed most_records budget append",
                     &key))
        return err_set(why, ERR_INVALID, "a synthesis has no member \"%.*s\"", SHOW(key));
    return ERR_OK;
}

static enum err read_number(const struct json *spec, const char *name, int64_t least, int64_t most,
                            int64_t fallback, int64_t *out, struct why *why)
{
    const struct json *value = json_get(spec, name);
    *out = json_int(value, fallback);
    if (value && (json_kind(value) != JSON_KIND_INT || *out < least || *out > most))
        return err_set(why, ERR_INVALID, "\"%s\" is a whole number from %lld to %lld", name,
                       (long long)least, (long long)most);
    return ERR_OK;
}

enum err synth_spec_read(struct str text, struct arena *arena, struct synth_spec *out,
                         struct why *why)
{
    const struct json *spec;
    struct synth_spec s = {0};
    int64_t per = 3;
    enum err err = json_parse(text, arena, &spec, why);
    if (!err)
        err = check_members(spec, why);
    if (err)
        return err;
    const struct json *input = json_get(spec, "input"), *output = json_get(spec, "output"),
                      *budget = json_get(spec, "budget");
    s.input = json_get_str(input, "dataset", STR(""));
    s.output = json_get_str(output, "dataset", STR(""));
    s.title = json_get_str(output, "title", STR(""));
    s.model = json_get_str(spec, "model", STR(""));
    s.append = json_get_bool(spec, "append", false);
    struct str method = json_get_str(spec, "method", STR(""));
    s.method = synth_method_find(method);
    err = read_number(input, "version", 0, INT64_MAX, 0, &s.version, why);
    if (!err)
        err = read_number(spec, "per_passage", 1, 20, 3, &per, why);
    if (!err)
        err = read_number(spec, "seed", 0, INT64_MAX, 1, &s.seed, why);
    if (!err)
        err = read_number(spec, "most_records", 0, INT64_MAX, 0, &s.most_records, why);
    if (!err)
        err = read_number(budget, "tokens", 0, INT64_MAX, 0, &s.budget_tokens, why);
    if (!err)
        err = read_number(budget, "calls", 0, INT64_MAX, 0, &s.budget_calls, why);
    if (!err && !s.method)
        err = err_set(why, ERR_INVALID, "there is no method \"%.*s\"", SHOW(method));
    if (!err && s.model.len && !s.method->with_model)
        err = err_set(why, ERR_INVALID, "%s are made by rules alone", s.method->name);
    if (!err && (!s.input.len || !s.output.len))
        err = err_set(why, ERR_INVALID, "\"input\" and \"output\" name data sets");
    if (!err && str_eq(s.input, s.output))
        err = err_set(why, ERR_INVALID, "what is made goes to another data set than its input");
    s.per_passage = (size_t)per;
    if (!err)
        *out = s;
    return err;
}

/* ---- a record to work on ---- */

/* The row as "name：value" a line, lists joined. */
static enum err row_text(const struct json *row, struct arena *arena, struct str *out,
                         struct why *why)
{
    struct buf buf;
    void *iter = NULL;
    struct str key;
    const struct json *value;
    buf_init(&buf, arena);
    while (json_each(row, &iter, &key, &value)) {
        bool list = json_kind(value) == JSON_KIND_ARRAY;
        size_t before = buf.len;
        buf_printf(&buf, "%.*s：", STR_FMT(key));
        size_t head = buf.len;
        for (size_t i = 0; list && i < json_len(value); i++) {
            if (i)
                buf_add_c(&buf, "；");
            buf_add(&buf, json_str(json_at(value, i), STR("")));
        }
        if (json_kind(value) == JSON_KIND_INT)
            buf_printf(&buf, "%lld", (long long)json_int(value, 0));
        else if (!list)
            buf_add(&buf, json_str(value, STR("")));
        for (size_t i = head; i < buf.len; i++) /* a field is one line */
            if (buf.ptr[i] == '\n')
                buf.ptr[i] = ' ';
        if (buf.len == head)
            buf_cut(&buf, before);
        else
            buf_char(&buf, '\n');
    }
    *out = buf.ptr ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

/* The title of a record: its own, that of its file, or the first heading of its text. */
static struct str title_of(const struct json *record, struct str text)
{
    struct str title = json_get_str(record, "title", STR("")), line;
    if (!title.len)
        title = json_get_str(json_get(record, "meta"), "title", STR(""));
    if (!title.len && str_starts(text, STR("# ")) && str_next_line(&text, &line))
        title = str_trim_space(str_from(line, 2));
    return title;
}

enum err making_read(struct making *m, const char *kind, const struct data_record *record,
                     struct why *why)
{
    const struct json *json;
    struct str text = STR("");
    enum err err = json_parse(record->line, m->arena, &json, why);
    if (err)
        return err;
    m->id = record->id;
    m->passages = NULL;
    m->n_passages = 0;
    if (!strcmp(kind, "qa")) {
        m->question = json_get_str(json, "question", STR(""));
        m->answer = json_get_str(json, "answer", STR(""));
        return m->question.len && m->answer.len
                   ? ERR_OK
                   : err_set(why, ERR_INVALID, "the record has no question with an answer");
    }
    if (!strcmp(kind, "row"))
        err = row_text(json_get(json, "row"), m->arena, &text, why);
    else
        text = json_get_str(json, "text", STR(""));
    if (!err)
        err = passages_cut(title_of(json, text), text, m->arena, &m->passages, &m->n_passages, why);
    return err;
}

/* ---- calls ---- */

/* About 0.7 tokens a Chinese character, one for four letters: what common vocabularies do. */
int64_t tokens_guess(struct str text)
{
    size_t han = 0, rest = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t c = utf8_next(text, &at);
        if (c >= 0x2E80)
            han++;
        else
            rest++;
    }
    return (int64_t)(han * 7 / 10 + rest / 4 + 1);
}

/* What can be said at all: at most twice what was asked for. */
static void put_format(const struct making *m, struct json_out *json)
{
    if (!m->method->item_schema)
        return;
    struct str schema = str_printf(
        m->arena,
        "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"items\",\"strict\":true,\"schema\":"
        "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"minItems\":1,"
        "\"maxItems\":%zu,\"items\":%s}},\"required\":[\"items\"],"
        "\"additionalProperties\":false}}}",
        2 * m->per_passage, m->method->item_schema);
    if (schema.ptr) {
        json_key(json, "response_format");
        json_put_raw(json, schema);
    }
}

enum err call_body(const struct making *m, size_t i, struct arena *arena, struct str *out,
                   struct why *why)
{
    struct buf buf;
    struct json_out json;
    struct str about;
    const char *mark = strstr(m->method->prompt, "%zu");
    bool qa = !strcmp(m->method->takes, "qa");
    size_t head = mark ? (size_t)(mark - m->method->prompt) : strlen(m->method->prompt);
    struct str task = str_printf(arena, "%.*s%zu%s", (int)head, m->method->prompt, m->per_passage,
                                 mark ? mark + strlen("%zu") : "");
    const struct passage *p = qa ? NULL : &m->passages[i];
    about = qa ? str_printf(arena, "问题：%.*s", STR_FMT(m->question))
               : str_printf(arena, "%s%.*s%s材料：\n%.*s", p->title.len ? "标题：" : "",
                            STR_FMT(p->title), p->title.len ? "\n" : "",
                            STR_FMT(utf8_prefix(p->text, MOST_CONTEXT)));
    if (!task.ptr || !about.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold a call");
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "model", m->model);
    json_key(&json, "messages");
    json_begin_array(&json);
    json_begin_object(&json);
    json_kv_c(&json, "role", "system");
    json_kv_str(&json, "content", task);
    json_end_object(&json);
    json_begin_object(&json);
    json_kv_c(&json, "role", "user");
    json_kv_str(&json, "content", about);
    json_end_object(&json);
    json_end_array(&json);
    json_kv_real(&json, "temperature", 0.7);
    json_kv_int(&json, "seed", (int64_t)(m->seed & 0x7fffffff));
    json_kv_int(&json, "max_tokens", 2048);
    if (!m->plain)
        put_format(m, &json);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* Models put words or fences round what they were asked for: the list is from the first '[' to the
 * last ']'. */
enum err call_items(struct str reply, struct arena *arena, const struct json **items,
                    int64_t *prompt_tokens, int64_t *completion_tokens, struct why *why)
{
    const struct json *json, *usage;
    *items = NULL;
    enum err err = json_parse(reply, arena, &json, why);
    if (err)
        return err;
    usage = json_get(json, "usage");
    *prompt_tokens = json_get_int(usage, "prompt_tokens", -1);
    *completion_tokens = json_get_int(usage, "completion_tokens", -1);
    struct str text = json_get_str(json_get(json_at(json_get(json, "choices"), 0), "message"),
                                   "content", STR(""));
    size_t from = str_find_char(text, '['), to = text.len;
    while (to > 0 && text.ptr[to - 1] != ']')
        to--;
    if (from != STR_NPOS && from < to && json_parse(str_slice(text, from, to), arena, items, NULL))
        *items = NULL;
    return ERR_OK;
}
