/* Label Studio's tasks: one after the other out of a file, and what is in one of them. */
#include <math.h>
#include <string.h>

#include "annotate/studio.h"
#include "core/arena.h"
#include "core/time.h"
#include "core/utf8.h"

/* ---- the file ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip(struct studio_scan *s, bool commas)
{
    while (s->at < s->text.len &&
           (is_space(s->text.ptr[s->at]) || (commas && s->text.ptr[s->at] == ',')))
        s->at++;
}

/* The end of the JSON object that begins at `at`; STR_NPOS when it does not end. */
static size_t object_end(struct str text, size_t at)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = at; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return STR_NPOS;
}

enum err studio_next(struct studio_scan *s, struct str *task, struct why *why)
{
    *task = STR_NONE;
    if (!s->begun) {
        s->begun = true;
        if (str_starts(s->text, STR("\xEF\xBB\xBF")))
            s->at = 3;
        skip(s, false);
        s->list = s->at < s->text.len && s->text.ptr[s->at] == '[';
        s->at += s->list;
    }
    skip(s, s->list);
    if (s->at >= s->text.len)
        return s->list ? err_set(why, ERR_INVALID, "the list of tasks does not end") : ERR_OK;
    if (s->list && s->text.ptr[s->at] == ']') {
        s->at++;
        skip(s, false);
        if (s->at < s->text.len)
            return err_set(why, ERR_INVALID, "something stands behind the list of tasks");
        s->list = false;
        return ERR_OK;
    }
    if (s->text.ptr[s->at] != '{')
        return err_set(why, ERR_INVALID, "a task is a JSON object; at byte %zu there is none",
                       s->at);
    size_t end = object_end(s->text, s->at);
    if (end == STR_NPOS)
        return err_set(why, ERR_INVALID, "the task at byte %zu does not end", s->at);
    if (end - s->at > STUDIO_MOST_TASK)
        return err_set(why, ERR_TOO_LARGE, "the task at byte %zu has more than %zu bytes", s->at,
                       STUDIO_MOST_TASK);
    *task = str_slice(s->text, s->at, end);
    s->at = end;
    return ERR_OK;
}

/* ---- offsets ---- */

size_t studio_to_utf16(struct str text, size_t chars)
{
    size_t at = 0, units = 0;
    for (; chars > 0 && at < text.len; chars--)
        units += utf8_next(text, &at) >= 0x10000 ? 2 : 1;
    return chars ? STR_NPOS : units;
}

size_t studio_from_utf16(struct str text, size_t units)
{
    size_t at = 0, chars = 0;
    for (; units > 0 && at < text.len; chars++) {
        size_t wide = utf8_next(text, &at) >= 0x10000 ? 2 : 1;
        if (wide > units)
            return STR_NPOS;
        units -= wide;
    }
    return units ? STR_NPOS : chars;
}

/* So that an answer with many spans over a long text costs one pass. */
struct place {
    struct str text;
    uint32_t *byte;  /* of each character, and of the end */
    uint32_t *chars; /* of each UTF-16 unit and of the end; UINT32_MAX within a pair */
    size_t n_chars, n_units;
};

static bool place_make(struct str text, struct arena *arena, struct place *out)
{
    *out = (struct place){.text = text};
    for (size_t at = 0; at < text.len; out->n_chars++)
        out->n_units += utf8_next(text, &at) >= 0x10000 ? 2 : 1;
    out->byte = arena_array(arena, uint32_t, out->n_chars + 1);
    out->chars = arena_array(arena, uint32_t, out->n_units + 1);
    if (!out->byte || !out->chars)
        return false;
    size_t at = 0, unit = 0;
    for (size_t c = 0; c < out->n_chars; c++) {
        out->byte[c] = (uint32_t)at;
        out->chars[unit++] = (uint32_t)c;
        if (utf8_next(text, &at) >= 0x10000)
            out->chars[unit++] = UINT32_MAX;
    }
    out->byte[out->n_chars] = (uint32_t)text.len;
    out->chars[out->n_units] = (uint32_t)out->n_chars;
    return true;
}

/* Whether the characters [start, end) are what the producer says they are. */
static bool fits(const struct place *p, size_t start, size_t end, struct str said)
{
    if (start >= end || end > p->n_chars)
        return false;
    struct str words = str_slice(p->text, p->byte[start], p->byte[end]);
    return !said.ptr || str_eq(words, said) || str_eq(str_trim_space(words), str_trim_space(said));
}

/* In units or in characters, with the end behind the last or on it: what the words fit. */
static bool find_span(const struct place *p, int64_t start, int64_t end, struct str said,
                      struct agree_span *out, bool *repaired)
{
    for (int way = 0; way < 4; way++) {
        int64_t last = end + (way >= 2);
        size_t a, b;
        if (start < 0 || last <= start || (way >= 2 && !said.ptr))
            continue;
        if (way % 2 == 0) {
            if ((uint64_t)last > p->n_units || p->chars[start] == UINT32_MAX ||
                p->chars[last] == UINT32_MAX)
                continue;
            a = p->chars[start];
            b = p->chars[last];
        } else {
            a = (size_t)start;
            b = (size_t)last;
        }
        if (!fits(p, a, b, said))
            continue;
        *out = (struct agree_span){a, b, 0};
        *repaired = way > 0;
        return true;
    }
    return false;
}

/* ---- one annotation ---- */

struct taking {
    const struct labels *labels;
    struct arena *arena;
    struct studio_notes *notes;
    struct place places[LABELS_MOST_SHOWS]; /* by shown member; text.ptr NULL: none */
    struct why *why;
};

/* The list of labels in a value, under whatever name the type gives it. */
static const struct json *labels_in(const struct json *value)
{
    static const char *const names[] = {"choices",         "labels",   "hypertextlabels",
                                        "rectanglelabels", "taxonomy", "paragraphlabels"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (json_kind(json_get(value, names[i])) == JSON_KIND_ARRAY)
            return json_get(value, names[i]);
    return NULL;
}

/* A label as it stands in a list: a text, or the way to it as a list of texts. */
static int label_at(struct taking *t, const struct field *f, const struct json *one)
{
    struct str way = json_str(one, STR(""));
    if (json_kind(one) == JSON_KIND_ARRAY) {
        struct buf buf;
        buf_init(&buf, t->arena);
        for (size_t i = 0; i < json_len(one); i++) {
            if (i)
                buf_char(&buf, '/');
            buf_add(&buf, json_str(json_at(one, i), STR("")));
        }
        way = buf_str(&buf);
    }
    int i = field_label_loose(f, way);
    if (i < 0)
        studio_note(t->notes, "a label that the label set does not have: %.*s",
                    STR_FMT(str_slice(way, 0, utf8_floor(way, way.len < 60 ? way.len : 60))));
    return i;
}

static void put_choices(struct taking *t, const struct field *f, const struct json *value,
                        struct json_out *out)
{
    const struct json *list = json_kind(value) == JSON_KIND_OBJECT ? labels_in(value) : value;
    bool one = json_kind(list) == JSON_KIND_STRING;
    for (size_t i = 0; i < (one ? 1 : json_len(list)); i++) {
        int label = label_at(t, f, one ? list : json_at(list, i));
        if (label >= 0)
            json_put_str(out, f->labels[label].value);
    }
}

static void put_spans(struct taking *t, const struct field *f, const struct json *value,
                      struct json_out *out)
{
    const struct json *offsets = json_get(value, "globalOffsets"), *list = labels_in(value);
    const struct json *from = json_kind(offsets) == JSON_KIND_OBJECT ? offsets : value;
    const struct show *show = labels_show(t->labels, f->to);
    const struct place *place = show ? &t->places[show - t->labels->shows] : NULL;
    const struct json *said = json_get(value, "text");
    struct agree_span span;
    bool repaired = false;
    int64_t start = json_get_int(from, "start", -1), end = json_get_int(from, "end", -1);
    if (json_len(list) == 0) {
        studio_note(t->notes, "a span without a label");
        return;
    }
    if (!place || !place->text.ptr || start > INT32_MAX || end > INT32_MAX ||
        !find_span(place, start, end,
                   json_kind(said) == JSON_KIND_STRING ? json_str(said, STR("")) : STR_NONE, &span,
                   &repaired)) {
        studio_note(t->notes, "a span whose offsets do not fit its text");
        return;
    }
    if (repaired)
        studio_note(t->notes, "a span whose offsets were counted otherwise, and put right");
    for (size_t i = 0; i < json_len(list); i++) {
        int label = label_at(t, f, json_at(list, i));
        if (label < 0)
            continue;
        json_begin_object(out);
        json_kv_int(out, "start", (int64_t)span.start);
        json_kv_int(out, "end", (int64_t)span.end);
        json_kv_str(out, "label", f->labels[label].value);
        json_end_object(out);
    }
}

static double within(double x, double least, double most)
{
    return x < least ? least : x > most ? most : x;
}

static void put_boxes(struct taking *t, const struct field *f, const struct json *value,
                      struct json_out *out)
{
    const struct json *list = labels_in(value);
    if (json_get(value, "points")) { /* the short export gives no types */
        studio_note(t->notes, "a polygon");
        return;
    }
    double x = json_get_f64(value, "x", NAN), y = json_get_f64(value, "y", NAN);
    double w = json_get_f64(value, "width", NAN), h = json_get_f64(value, "height", NAN);
    if (json_len(list) == 0) {
        studio_note(t->notes, "a box without a label");
        return;
    }
    /* People draw over the edge; what lies outside is cut. */
    double right = within(x + w, 0, 100), bottom = within(y + h, 0, 100);
    x = within(x, 0, 100);
    y = within(y, 0, 100);
    if (!(right - x > 0.0005) || !(bottom - y > 0.0005)) {
        studio_note(t->notes, "a box that is empty or outside");
        return;
    }
    for (size_t i = 0; i < json_len(list); i++) {
        int label = label_at(t, f, json_at(list, i));
        if (label < 0)
            continue;
        json_begin_object(out);
        json_kv_real(out, "x", x);
        json_kv_real(out, "y", y);
        json_kv_real(out, "width", right - x);
        json_kv_real(out, "height", bottom - y);
        json_kv_real(out, "rotation", fmod(json_get_f64(value, "rotation", 0), 360));
        json_kv_str(out, "label", f->labels[label].value);
        json_end_object(out);
    }
}

/* The order of a ranker: of one bucket, or of all with "_" (what was not sorted) last. */
static void put_ranks(const struct json *value, struct json_out *out)
{
    const struct json *ranker = json_get(value, "ranker"), *list;
    void *iter = NULL;
    struct str key;
    if (json_kind(ranker) == JSON_KIND_ARRAY) {
        for (size_t i = 0; i < json_len(ranker); i++)
            json_put_str(out, json_str(json_at(ranker, i), STR("")));
        return;
    }
    for (int rest = 0; rest < 2; rest++)
        for (iter = NULL; json_each(ranker, &iter, &key, &list);)
            for (size_t i = 0; str_eq_c(key, "_") == (rest == 1) && i < json_len(list); i++)
                json_put_str(out, json_str(json_at(list, i), STR("")));
}

/* Text areas give a list of what was entered. */
static void add_words(struct buf *to, const struct json *value)
{
    const struct json *text =
        json_kind(value) == JSON_KIND_OBJECT ? json_get(value, "text") : value;
    bool one = json_kind(text) == JSON_KIND_STRING;
    for (size_t i = 0; i < (one ? 1 : json_len(text)); i++) {
        if (to->len)
            buf_char(to, '\n');
        buf_add(to, json_str(one ? text : json_at(text, i), STR("")));
    }
}

static const char *picked(const struct json *value)
{
    struct str s = json_kind(value) == JSON_KIND_OBJECT ? json_get_str(value, "selected", STR(""))
                                                        : json_str(value, STR(""));
    return str_eq_c(s, "left") ? "a" : str_eq_c(s, "right") ? "b" : "tie";
}

static double number_in(const struct json *value)
{
    const struct json *rating = json_get(value, "rating"), *number = json_get(value, "number");
    return json_f64(rating ? rating : number ? number : value, NAN);
}

static bool is_list(enum field_kind kind)
{
    return kind == FIELD_CHOICES || kind == FIELD_SPANS || kind == FIELD_BOXES ||
           kind == FIELD_RANKING;
}

/* The member of our answer out of the values that belong to the field. */
static void put_field(struct taking *t, const struct field *f, const struct json *const *values,
                      size_t n, struct json_out *out)
{
    struct buf words;
    double number = NAN;
    const char *choice = "tie";
    buf_init(&words, t->arena);
    if (is_list(f->kind))
        json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        if (f->kind == FIELD_CHOICES && (f->multiple || i == 0))
            put_choices(t, f, values[i], out);
        else if (f->kind == FIELD_SPANS)
            put_spans(t, f, values[i], out);
        else if (f->kind == FIELD_BOXES)
            put_boxes(t, f, values[i], out);
        else if (f->kind == FIELD_RANKING)
            put_ranks(values[i], out);
        else if (f->kind == FIELD_TEXT)
            add_words(&words, values[i]);
        else if (f->kind == FIELD_PREFERENCE)
            choice = picked(values[i]);
        else
            number = number_in(values[i]);
    }
    if (is_list(f->kind))
        json_end_array(out);
    else if (f->kind == FIELD_TEXT)
        json_put_str(out, buf_str(&words));
    else if (f->kind == FIELD_PREFERENCE)
        json_put_c(out, choice);
    else
        json_put_real(out, number);
}

/* Which results are a field's: by name, else by being the only one of their kind. */
static const struct field *field_of(struct taking *t, const struct json *result)
{
    struct str from = json_get_str(result, "from_name", STR("")),
               type = json_get_str(result, "type", STR(""));
    static const struct {
        const char *type;
        enum field_kind kind;
    } kinds[] = {{"choices", FIELD_CHOICES},       {"taxonomy", FIELD_CHOICES},
                 {"labels", FIELD_SPANS},          {"hypertextlabels", FIELD_SPANS},
                 {"rectanglelabels", FIELD_BOXES}, {"textarea", FIELD_TEXT},
                 {"rating", FIELD_RATING},         {"number", FIELD_NUMBER},
                 {"pairwise", FIELD_PREFERENCE},   {"ranker", FIELD_RANKING}};
    const struct field *f = labels_field(t->labels, from), *only = NULL;
    size_t known = FIELD_KINDS, n = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_eq_c(type, kinds[i].type))
            known = kinds[i].kind;
    bool box = known == FIELD_SPANS && json_get(json_get(result, "value"), "width") != NULL;
    known = box ? FIELD_BOXES : known;
    for (size_t i = 0; !f && !from.len && i < t->labels->n_fields; i++)
        if ((size_t)t->labels->fields[i].kind == known) {
            only = &t->labels->fields[i];
            n++;
        }
    f = f ? f : n == 1 ? only : NULL;
    /* A rectangle's labels stand beside it in a result of their own. */
    if (str_eq_c(type, "rectangle"))
        return NULL;
    if (!f || (type.len && known != (size_t)f->kind)) {
        studio_note(t->notes, "%.*s", STR_FMT(type.len ? str_slice(type, 0, 60) : STR("a result")));
        return NULL;
    }
    /* What belongs to a region, not to the task. */
    if (f->kind == FIELD_CHOICES && (json_get(json_get(result, "value"), "start") ||
                                     json_get(json_get(result, "value"), "width"))) {
        studio_note(t->notes, "%.*s of a region", STR_FMT(str_slice(type, 0, 40)));
        return NULL;
    }
    return f;
}

/* Our answer from lists of values by field. */
static enum err settle(struct taking *t, const struct json *const *const *values, const size_t *n,
                       struct str *out)
{
    struct buf buf;
    struct json_out json;
    struct answer answer;
    buf_init(&buf, t->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (size_t i = 0; i < t->labels->n_fields; i++) {
        char name[LABELS_MOST_NAME + 1] = "";
        const struct field *f = &t->labels->fields[i];
        memcpy(name, f->name.ptr, f->name.len < sizeof name ? f->name.len : sizeof name - 1);
        if (n[i] == 0)
            continue;
        json_key(&json, name);
        put_field(t, f, values[i], n[i], &json);
    }
    json_end_object(&json);
    enum err err = buf_err(&buf, t->why);
    if (!err)
        err = answer_parse(buf_str(&buf), t->labels, &answer_about_anything, true, t->arena,
                           &answer, t->why);
    return err ? err : answer_text(&answer, t->labels, t->arena, out, t->why);
}

static bool is_number(const struct json *value)
{
    return json_kind(value) == JSON_KIND_INT || json_kind(value) == JSON_KIND_REAL;
}

/* What a result says beside its value and we have no place for. */
static void note_beside(struct taking *t, const struct json *result)
{
    if (is_number(json_get(result, "score")))
        studio_note(t->notes, "score of a single result");
    if (json_len(json_get(result, "meta")))
        studio_note(t->notes, "words on a single result (meta)");
}

static enum err take_results(struct taking *t, const struct json *list, struct str *out)
{
    const struct json **values[LABELS_MOST_FIELDS] = {NULL};
    size_t n[LABELS_MOST_FIELDS] = {0}, all = json_len(list);
    if (json_kind(list) != JSON_KIND_ARRAY) /* null and {} are written, too */
        all = 0;
    if (all > STUDIO_MOST_RESULTS)
        return err_set(t->why, ERR_TOO_LARGE, "an annotation has more than %d results",
                       STUDIO_MOST_RESULTS);
    for (size_t i = 0; i < t->labels->n_fields; i++) {
        values[i] = arena_array(t->arena, const struct json *, all + 1);
        if (!values[i])
            return err_set(t->why, ERR_NO_MEMORY, "could not hold the results");
    }
    for (size_t i = 0; i < all; i++) {
        const struct json *one = json_at(list, i);
        const struct field *f = field_of(t, one);
        if (!f)
            continue;
        size_t at = (size_t)(f - t->labels->fields);
        values[at][n[at]++] = json_get(one, "value");
        note_beside(t, one);
    }
    return settle(t, (const struct json *const *const *)values, n, out);
}

/* ---- the task ---- */

static struct str as_text(const struct json *value, struct arena *arena)
{
    if (json_kind(value) == JSON_KIND_INT)
        return str_printf(arena, "%lld", (long long)json_int(value, 0));
    return json_str(value, STR(""));
}

/* People are numbers, e-mail addresses, or objects with both. */
static struct str person(const struct json *value, struct arena *arena)
{
    if (json_kind(value) != JSON_KIND_OBJECT)
        return as_text(value, arena);
    struct str email = json_get_str(value, "email", STR(""));
    struct str name = json_get_str(value, "username", json_get_str(value, "first_name", STR("")));
    return email.len ? email : name.len ? name : as_text(json_get(value, "id"), arena);
}

static int64_t time_of(const struct json *value)
{
    int64_t ms = 0;
    return time_parse(json_str(value, STR("")), &ms) ? ms : 0;
}

static enum err take_annotation(struct taking *t, const struct json *one, bool prediction,
                                struct studio_annotation *out)
{
    double lead = json_get_f64(one, "lead_time", 0);
    const struct json *by = json_get(one, prediction ? "model_version" : "completed_by");
    *out = (struct studio_annotation){
        .who = person(by ? by : json_get(one, "annotator"), t->arena),
        .skipped =
            json_get_bool(one, "was_cancelled", false) || json_get_bool(one, "skipped", false),
        .gold = json_get_bool(one, "ground_truth", false),
        .spent_ms = isfinite(lead) && lead > 0 && lead < 1e9 ? (int64_t)(lead * 1000) : 0,
        .created_ms = time_of(json_get(one, "created_at")),
        .score = json_get_f64(one, "score", -1)};
    if (json_len(json_get(one, "reviews")))
        studio_note(t->notes, "review of an annotation");
    return take_results(t, json_get(one, "result"), &out->answer);
}

/* An export names predictions by number and puts the one that somebody began with into his
 * annotation. Those are taken once each; of the others only the number is known. */
static enum err take_carried(struct taking *t, const struct json *annotations,
                             const struct json *predictions, struct studio_task *out)
{
    size_t n_named = 0, all = json_kind(annotations) == JSON_KIND_ARRAY ? json_len(annotations) : 0;
    for (size_t i = 0; i < json_len(predictions); i++)
        n_named += is_number(json_at(predictions, i));
    struct studio_annotation *more =
        arena_array(t->arena, struct studio_annotation, out->n_predictions + all + 1);
    struct str *ids = arena_array(t->arena, struct str, all + 1);
    size_t n = 0;
    enum err err =
        more && ids ? ERR_OK : err_set(t->why, ERR_NO_MEMORY, "could not hold the predictions");
    if (!err && out->n_predictions)
        memcpy(more, out->predictions, out->n_predictions * sizeof *more);
    for (size_t i = 0; !err && i < all; i++) {
        const struct json *one = json_get(json_at(annotations, i), "prediction");
        struct str id = as_text(json_get(one, "id"), t->arena);
        bool known = json_kind(json_get(one, "result")) != JSON_KIND_ARRAY || !id.len;
        for (size_t k = 0; k < n; k++)
            known = known || str_eq(ids[k], id);
        for (size_t k = 0; k < json_len(predictions); k++)
            known = known || str_eq(as_text(json_get(json_at(predictions, k), "id"), t->arena), id);
        if (known)
            continue;
        ids[n++] = id;
        err = take_annotation(t, one, true, &more[out->n_predictions++]);
    }
    out->predictions = more;
    for (size_t i = n; i < n_named; i++)
        studio_note(t->notes, "prediction given by its number only");
    return err;
}

static enum err take_list(struct taking *t, const struct json *list, bool prediction,
                          struct studio_annotation **out, size_t *n)
{
    enum err err = ERR_OK;
    size_t all = json_kind(list) == JSON_KIND_ARRAY ? json_len(list) : 0;
    if (all > STUDIO_MOST_PEOPLE)
        return err_set(t->why, ERR_TOO_LARGE, "a task has more than %d annotations",
                       STUDIO_MOST_PEOPLE);
    *out = arena_array(t->arena, struct studio_annotation, all + 1);
    if (!*out)
        return err_set(t->why, ERR_NO_MEMORY, "could not hold the annotations");
    for (size_t i = 0; !err && i < all; i++)
        if (json_kind(json_at(list, i)) == JSON_KIND_OBJECT) /* else only its number */
            err = take_annotation(t, json_at(list, i), prediction, &(*out)[(*n)++]);
    return err;
}

/* The short export: data and answers side by side in one object. */
static enum err take_min(struct taking *t, const struct json *task, struct studio_task *out)
{
    const struct json **values[LABELS_MOST_FIELDS] = {NULL};
    size_t n[LABELS_MOST_FIELDS] = {0};
    for (size_t i = 0; i < t->labels->n_fields; i++) {
        char name[LABELS_MOST_NAME + 1] = "";
        const struct field *f = &t->labels->fields[i];
        memcpy(name, f->name.ptr, f->name.len < sizeof name ? f->name.len : sizeof name - 1);
        const struct json *value = json_get(task, name);
        bool list = json_kind(value) == JSON_KIND_ARRAY;
        size_t all = list ? json_len(value) : value != NULL;
        values[i] = arena_array(t->arena, const struct json *, all + 1);
        if (!values[i])
            return err_set(t->why, ERR_NO_MEMORY, "could not hold the results");
        for (size_t k = 0; k < all && k < STUDIO_MOST_RESULTS; k++)
            values[i][n[i]++] = list ? json_at(value, k) : value;
    }
    out->annotations = arena_one(t->arena, struct studio_annotation);
    if (!out->annotations)
        return err_set(t->why, ERR_NO_MEMORY, "could not hold the annotation");
    out->n_annotations = 1;
    enum err err = take_annotation(t, task, false, out->annotations);
    return err ? err
               : settle(t, (const struct json *const *const *)values, n, &out->annotations->answer);
}

static enum err make_places(struct taking *t, const struct json *data)
{
    for (size_t i = 0; i < t->labels->n_shows; i++) {
        char name[LABELS_MOST_NAME + 1] = "";
        struct str path = t->labels->shows[i].path;
        memcpy(name, path.ptr, path.len < sizeof name ? path.len : sizeof name - 1);
        struct str text = json_get_str(data, name, STR_NONE);
        if (text.ptr && !place_make(text, t->arena, &t->places[i]))
            return err_set(t->why, ERR_NO_MEMORY, "could not hold the texts of a task");
    }
    return ERR_OK;
}

/* One file of a target storage: an annotation with its task inside. */
static bool is_apart(const struct json *task)
{
    return json_kind(json_get(json_get(task, "task"), "data")) == JSON_KIND_OBJECT &&
           json_kind(json_get(task, "result")) == JSON_KIND_ARRAY;
}

const struct json *studio_task_data(const struct json *task)
{
    const struct json *data = json_get(is_apart(task) ? json_get(task, "task") : task, "data");
    return json_kind(data) == JSON_KIND_OBJECT ? data : task;
}

static enum err take_apart(struct taking *t, const struct json *task, struct studio_task *out)
{
    out->annotations = arena_one(t->arena, struct studio_annotation);
    if (!out->annotations)
        return err_set(t->why, ERR_NO_MEMORY, "could not hold the annotation");
    out->n_annotations = 1;
    return take_annotation(t, task, false, out->annotations);
}

/* The long export. */
static enum err take_whole(struct taking *t, const struct json *task, struct studio_task *out)
{
    const struct json *list = json_get(task, "annotations");
    const struct json *predictions = json_get(task, "predictions");
    if (!list)
        list = json_get(task, "completions");
    for (size_t i = 0; i < json_len(json_get(task, "drafts")); i++)
        studio_note(t->notes, "draft");
    enum err err = take_list(t, list, false, &out->annotations, &out->n_annotations);
    if (!err)
        err = take_list(t, predictions, true, &out->predictions, &out->n_predictions);
    return err ? err : take_carried(t, list, predictions, out);
}

enum err studio_task_read(const struct json *task, const struct labels *labels, struct arena *arena,
                          struct studio_notes *notes, struct studio_task *out, struct why *why)
{
    struct taking t = {.labels = labels, .arena = arena, .notes = notes, .why = why};
    if (json_kind(task) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "a task is a JSON object");
    bool apart = is_apart(task);
    struct studio_task done = {
        .id = as_text(json_get(apart ? json_get(task, "task") : task, "id"), arena),
        .data = studio_task_data(task)};
    enum err err = make_places(&t, done.data);
    if (!err && apart)
        err = take_apart(&t, task, &done);
    else if (!err && done.data == task &&
             (json_get(task, "annotation_id") || json_get(task, "annotator")))
        err = take_min(&t, task, &done);
    else if (!err)
        err = take_whole(&t, task, &done);
    if (!err)
        *out = done;
    return err;
}
