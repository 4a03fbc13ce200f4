/* Lists of items, pictures, and the statistics of people and their agreement. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "annotate/room.h"
#include "core/map.h"
#include "core/utf8.h"

#define MOST_UNITS   20000 /* items that agreement is computed over */
#define MOST_PEOPLE  200
#define STALE_MS     30000
#define PREVIEW      120 /* characters */
#define STATS_MEMORY ((size_t)256 << 20)
#define MOST_IMAGE   ((size_t)32 << 20)

/* ---- lists ---- */

static enum err put_row(struct act *act, const struct item *item, struct json_out *out,
                        struct why *why)
{
    const struct json *record = NULL;
    enum err err =
        record_of(act->annotate, &act->project, item->rec, act->arena, &record, NULL, why);
    if (err)
        return err;
    json_begin_object(out);
    json_kv_str(out, "id", item_id(&act->project, item->seq, act->arena));
    json_kv_int(out, "seq", item->seq);
    json_kv_str(out, "record", item->record);
    json_kv_str(
        out, "text",
        utf8_prefix(shown_text(record, &act->project.labels.shows[0], act->arena), PREVIEW));
    json_kv_c(out, "state", item_state_names[item->state]);
    json_kv_c(out, "purpose",
              item->purpose == PURPOSE_GOLD   ? "gold"
              : item->purpose == PURPOSE_EXAM ? "exam"
                                              : "work");
    json_kv_int(out, "n_done", item->n_done);
    json_kv_int(out, "n_skip", item->n_skip);
    json_kv_int(out, "wanted", item->wanted);
    json_kv_str(out, "final_how", item->final_how);
    json_key(out, "final");
    if (item->final.len)
        json_put_raw(out, item->final);
    else
        json_put_null(out);
    json_kv_time(out, "changed_at", item->changed_ms);
    json_end_object(out);
    return ERR_OK;
}

enum err annotate_items(struct annotate *annotate, const struct annotate_ask *ask,
                        struct str project, struct str state, int64_t after, size_t limit,
                        struct why *why)
{
    struct act act;
    struct store_rows rows = {0};
    int number = -1;
    limit = limit < 1 ? 1 : limit > 200 ? 200 : limit;
    for (int i = 0; i < ITEM_STATES; i++)
        if (str_eq_c(state, item_state_names[i]))
            number = i;
    bool gold = str_eq_c(state, "gold"), exam = str_eq_c(state, "exam");
    if (state.len && number < 0 && !gold && !exam)
        return err_set(why, ERR_INVALID,
                       "\"state\" is open, review, disputed, final, unusable, gold or exam");
    enum err err =
        ops_need(ask->who, is_manager(ask->who) ? "annotate.manage" : "annotate.review", why);
    if (err)
        return err;
    err = look_begin(&act, annotate, ask, project, why);
    if (!err)
        err = project_see(&act, why);
    if (!err && number >= 0)
        err = store_query(
            act.tx,
            "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ?"
            " AND state = ? AND seq > ? ORDER BY seq LIMIT ?",
            STORE_ARGS(SV_STR(project), SV_INT(number), SV_INT(after), SV_INT((int64_t)limit + 1)),
            act.arena, &rows, why);
    else if (!err && state.len)
        err = store_query(act.tx,
                          "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ?"
                          " AND purpose = ? AND seq > ? ORDER BY seq LIMIT ?",
                          STORE_ARGS(SV_STR(project), SV_INT(gold ? PURPOSE_GOLD : PURPOSE_EXAM),
                                     SV_INT(after), SV_INT((int64_t)limit + 1)),
                          act.arena, &rows, why);
    else if (!err)
        err =
            store_query(act.tx,
                        "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ? AND seq > ?"
                        " ORDER BY seq LIMIT ?",
                        STORE_ARGS(SV_STR(project), SV_INT(after), SV_INT((int64_t)limit + 1)),
                        act.arena, &rows, why);
    if (!err) {
        size_t n = rows.n_rows > limit ? limit : rows.n_rows;
        json_begin_object(ask->out);
        json_key(ask->out, "items");
        json_begin_array(ask->out);
        for (size_t i = 0; !err && i < n; i++) {
            struct item item = item_from(&rows, i);
            err = put_row(&act, &item, ask->out, why);
        }
        json_end_array(ask->out);
        json_key(ask->out, "next");
        if (rows.n_rows > limit)
            json_put_str(ask->out,
                         str_printf(act.arena, "%lld", (long long)store_int(&rows, n - 1, 0)));
        else
            json_put_null(ask->out);
        json_end_object(ask->out);
    }
    look_end(&act);
    return err;
}

/* ---- pictures ---- */

static const char *image_type(struct str bytes)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *type;
    } kinds[] = {{"\x89PNG", 4, "image/png"},
                 {"\xFF\xD8\xFF", 3, "image/jpeg"},
                 {"GIF8", 4, "image/gif"},
                 {"BM", 2, "image/bmp"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (bytes.len > kinds[i].len && memcmp(bytes.ptr, kinds[i].magic, kinds[i].len) == 0)
            return kinds[i].type;
    if (bytes.len > 12 && memcmp(bytes.ptr, "RIFF", 4) == 0 &&
        memcmp(bytes.ptr + 8, "WEBP", 4) == 0)
        return "image/webp";
    return NULL;
}

enum err annotate_image(struct annotate *annotate, const struct annotate_ask *ask, struct str id,
                        struct str show, struct str *bytes, const char **type, struct why *why)
{
    struct act act;
    struct item item = {0};
    struct str project;
    const struct json *record = NULL;
    int64_t seq;
    enum err err = item_split(id, &project, &seq, why);
    if (err)
        return err;
    err = look_begin(&act, annotate, ask, project, why);
    if (!err)
        err = project_see(&act, why);
    if (!err)
        err = item_load(&act, seq, &item, why);
    if (!err)
        err = record_of(annotate, &act.project, item.rec, act.arena, &record, NULL, why);
    const struct show *s = err ? NULL : labels_show(&act.project.labels, show);
    if (!err && (!s || !str_eq_c(s->kind, "image")))
        err = err_set(why, ERR_NOT_FOUND, "the project shows no such image");
    char *name = err ? NULL : str_z(act.arena, json_str(at_path(record, s->path), STR("")));
    if (!err &&
        (!name || strlen(name) != HASH_TEXT - 1 || !objects_has(annotate->opts.objects, name)))
        err = err_set(why, ERR_NOT_FOUND, "the picture is not in the centre");
    if (!err)
        err = objects_get(annotate->opts.objects, name, MOST_IMAGE, ask->arena, bytes, why);
    look_end(&act);
    if (err)
        return err;
    *type = image_type(*bytes);
    return *type ? ERR_OK
                 : err_set(why, ERR_UNSUPPORTED, "the picture is no PNG, JPEG, GIF, BMP or WebP");
}

/* ---- agreement ---- */

struct pair { /* two people */
    uint32_t a, b;
    struct agree_cohen cohen; /* over the first field with labels */
    double score, n;
};

struct field_sums {
    struct agree_alpha alpha;
    struct agree_interval interval;
    struct agree_fleiss fleiss;
    struct map codes; /* answers of this field as one value -> code */
    double exact, partial, iou, n_iou, n_pairs;
};

struct agreement {
    struct act *act;
    struct arena *arena;
    struct field_sums *fields;
    struct map people; /* user -> number */
    struct str *names;
    struct pair *pairs; /* (MOST_PEOPLE, MOST_PEOPLE) by need: a list */
    size_t n_pairs, cap_pairs;
    struct answer *answers; /* of the item at hand */
    uint32_t *who;
    size_t m;
    int64_t n_units;
    struct why *why;
};

static enum err code_of(struct agreement *g, struct map *codes, struct str key, uint32_t *out)
{
    struct map_entry *e = map_find(codes, key);
    bool made = false;
    if (!e) {
        struct str copy = str_copy(g->arena, key);
        e = copy.ptr ? map_put(codes, copy, &made) : NULL;
        if (!e)
            return err_set(g->why, ERR_NO_MEMORY, "could not compute the agreement");
        e->value.u = codes->n - 1;
    }
    *out = (uint32_t)e->value.u;
    return ERR_OK;
}

/* What a person said in a field as one value: all its labels together. */
static enum err value_code(struct agreement *g, struct field_sums *s, const struct answer_value *v,
                           uint32_t *out)
{
    struct buf key;
    buf_init(&key, g->act->arena);
    for (size_t i = 0; i < v->n_labels; i++)
        buf_printf(&key, "%u,", v->labels[i]);
    for (size_t i = 0; i < v->n_ranks; i++)
        buf_printf(&key, "%.*s,", STR_FMT(v->ranks[i]));
    buf_add(&key, v->text);
    if (!v->n_labels && !v->n_ranks && !v->text.len)
        buf_printf(&key, "=%.6g", v->number);
    return code_of(g, &s->codes, buf_str(&key), out);
}

static int by_size(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* Characters as units: between two borders nothing changes, so a stretch is one unit with a weight.
 * Under several labels a character's value is all of them. */
static enum err add_characters(struct agreement *g, struct field_sums *s, size_t f, size_t chars)
{
    size_t cuts[2 + 2 * ANSWER_MOST_SPANS], n = 0;
    uint32_t codes[MOST_OVERLAP];
    enum err err = ERR_OK;
    cuts[n++] = 0;
    cuts[n++] = chars;
    for (size_t p = 0; p < g->m; p++) {
        const struct answer_value *v = &g->answers[p].values[f];
        for (size_t i = 0; i < v->n_spans && n + 2 < sizeof cuts / sizeof cuts[0]; i++) {
            cuts[n++] = v->spans[i].start;
            cuts[n++] = v->spans[i].end < chars ? v->spans[i].end : chars;
        }
    }
    qsort(cuts, n, sizeof *cuts, by_size);
    for (size_t c = 0; !err && c + 1 < n; c++) {
        if (cuts[c] == cuts[c + 1])
            continue;
        for (size_t p = 0; !err && p < g->m; p++) {
            const struct answer_value *v = &g->answers[p].values[f];
            struct buf key;
            buf_init(&key, g->act->arena);
            for (size_t i = 0; i < v->n_spans; i++)
                if (v->spans[i].start <= cuts[c] && cuts[c] < v->spans[i].end)
                    buf_printf(&key, "%u,", v->spans[i].code);
            err = code_of(g, &s->codes, key.len ? buf_str(&key) : STR("-"), &codes[p]);
        }
        if (!err)
            err = agree_alpha_add(&s->alpha, codes, g->m, (double)(cuts[c + 1] - cuts[c]), g->why);
    }
    return err;
}

static void add_pairs(struct agreement *g, struct field_sums *s, const struct field *field,
                      size_t f)
{
    for (size_t i = 0; i < g->m; i++)
        for (size_t k = i + 1; k < g->m; k++) {
            const struct answer_value *a = &g->answers[i].values[f], *b = &g->answers[k].values[f];
            s->n_pairs++;
            s->exact += field_alike(field, a, b);
            if (field->kind == FIELD_SPANS)
                s->partial += agree_spans_partial(a->spans, a->n_spans, b->spans, b->n_spans);
            if (field->kind != FIELD_BOXES)
                continue;
            struct agree_box x[ANSWER_MOST_BOXES], y[ANSWER_MOST_BOXES];
            double mean = NAN;
            for (size_t n = 0; n < a->n_boxes; n++)
                x[n] = a->boxes[n].at;
            for (size_t n = 0; n < b->n_boxes; n++)
                y[n] = b->boxes[n].at;
            (void)agree_boxes(x, a->n_boxes, y, b->n_boxes, 0.5, &mean);
            if (!isnan(mean)) {
                s->iou += mean;
                s->n_iou++;
            }
        }
}

static enum err add_field(struct agreement *g, size_t f, size_t chars)
{
    const struct field *field = &g->act->project.labels.fields[f];
    struct field_sums *s = &g->fields[f];
    uint32_t codes[MOST_OVERLAP];
    double values[MOST_OVERLAP];
    size_t m = 0;
    enum err err = ERR_OK;
    add_pairs(g, s, field, f);
    if (field->kind == FIELD_SPANS)
        return add_characters(g, s, f, chars);
    if (field->kind == FIELD_BOXES || field->kind == FIELD_TEXT)
        return ERR_OK;
    for (size_t p = 0; !err && p < g->m; p++) {
        const struct answer_value *v = &g->answers[p].values[f];
        if (!v->given)
            continue;
        values[m] = v->number;
        err = value_code(g, s, v, &codes[m++]);
    }
    if (!err && (field->kind == FIELD_RATING || field->kind == FIELD_NUMBER))
        agree_interval_add(&s->interval, values, m);
    if (!err)
        err = agree_fleiss_add(&s->fleiss, codes, m, g->why);
    return err ? err : agree_alpha_add(&s->alpha, codes, m, 1, g->why);
}

static enum err pair_of(struct agreement *g, uint32_t a, uint32_t b, struct pair **out)
{
    for (size_t i = 0; i < g->n_pairs; i++)
        if (g->pairs[i].a == a && g->pairs[i].b == b) {
            *out = &g->pairs[i];
            return ERR_OK;
        }
    *out = NULL;
    if (g->n_pairs == g->cap_pairs)
        return ERR_OK; /* more pairs than a page shows */
    *out = &g->pairs[g->n_pairs++];
    **out = (struct pair){.a = a, .b = b};
    agree_cohen_init(&(*out)->cohen, g->arena);
    return ERR_OK;
}

/* The field that two people are compared by with kappa: the first with one value an item. */
static int kappa_field(const struct labels *labels)
{
    for (size_t i = 0; i < labels->n_fields; i++) {
        enum field_kind kind = labels->fields[i].kind;
        if (kind == FIELD_CHOICES || kind == FIELD_PREFERENCE || kind == FIELD_RATING)
            return (int)i;
    }
    return -1;
}

static enum err add_people(struct agreement *g)
{
    int f = kappa_field(&g->act->project.labels);
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < g->m; i++)
        for (size_t k = 0; !err && k < g->m; k++) {
            struct pair *pair = NULL;
            uint32_t a, b;
            if (g->who[i] >= g->who[k]) /* each two once, whoever was first */
                continue;
            err = pair_of(g, g->who[i], g->who[k], &pair);
            if (err || !pair)
                continue;
            pair->n++;
            pair->score +=
                answer_score(&g->act->project.labels, &g->answers[i], &g->answers[k], NULL);
            if (f < 0)
                continue;
            err = value_code(g, &g->fields[f], &g->answers[i].values[f], &a);
            if (!err)
                err = value_code(g, &g->fields[f], &g->answers[k].values[f], &b);
            if (!err)
                err = agree_cohen_add(&pair->cohen, a, b, g->why);
        }
    return err;
}

/* The texts' lengths: known from the record when spans are counted, else not needed. */
static enum err unit_chars(struct agreement *g, int64_t rec, size_t *chars)
{
    const struct labels *labels = &g->act->project.labels;
    const struct json *record = NULL;
    bool spans = false;
    for (size_t i = 0; i < labels->n_fields; i++)
        spans = spans || labels->fields[i].kind == FIELD_SPANS;
    if (!spans)
        return ERR_OK;
    enum err err =
        record_of(g->act->annotate, &g->act->project, rec, g->act->arena, &record, NULL, g->why);
    for (size_t i = 0; !err && i < labels->n_fields; i++) {
        const struct show *show = labels_show(labels, labels->fields[i].to);
        if (labels->fields[i].kind == FIELD_SPANS && show)
            chars[i] = utf8_count(shown_text(record, show, g->act->arena));
    }
    return err;
}

static enum err end_unit(struct agreement *g, int64_t rec)
{
    size_t chars[LABELS_MOST_FIELDS] = {0};
    enum err err = ERR_OK;
    if (g->m >= 2) {
        g->n_units++;
        err = unit_chars(g, rec, chars);
        for (size_t f = 0; !err && f < g->act->project.labels.n_fields; f++)
            err = add_field(g, f, chars[f]);
        if (!err)
            err = add_people(g);
    }
    g->m = 0;
    arena_reset(g->act->arena); /* scratch of one item */
    return err;
}

static enum err add_rows(struct agreement *g, const struct store_rows *rows)
{
    enum err err = ERR_OK;
    int64_t seq = -1, rec = 0;
    for (size_t i = 0; !err && i < rows->n_rows; i++) {
        if (store_int(rows, i, 0) != seq) {
            err = end_unit(g, rec);
            seq = store_int(rows, i, 0);
            rec = store_int(rows, i, 1);
        }
        if (err || g->m == MOST_OVERLAP)
            continue;
        err = answer_parse(store_str(rows, i, 3), &g->act->project.labels, &answer_about_anything,
                           true, g->act->arena, &g->answers[g->m], g->why);
        uint32_t number = 0;
        if (!err)
            err = code_of(g, &g->people, store_str(rows, i, 2), &number);
        if (!err && number < MOST_PEOPLE) {
            g->names[number] = store_str(rows, i, 2);
            g->who[g->m++] = number;
        }
    }
    return err ? err : end_unit(g, rec);
}

static enum err agreement_new(struct act *act, struct arena *arena, struct agreement *g,
                              struct why *why)
{
    size_t n = act->project.labels.n_fields;
    *g = (struct agreement){.act = act,
                            .arena = arena,
                            .fields = arena_array(arena, struct field_sums, n),
                            .names = arena_array(arena, struct str, MOST_PEOPLE),
                            .cap_pairs = 500,
                            .pairs = arena_array(arena, struct pair, 500),
                            .answers = arena_array(arena, struct answer, MOST_OVERLAP),
                            .who = arena_array(arena, uint32_t, MOST_OVERLAP),
                            .why = why};
    if (!g->fields || !g->names || !g->pairs || !g->answers || !g->who)
        return err_set(why, ERR_NO_MEMORY, "could not compute the agreement");
    map_init(&g->people, arena);
    for (size_t i = 0; i < n; i++) {
        map_init(&g->fields[i].codes, arena);
        agree_alpha_init(&g->fields[i].alpha, arena);
        agree_fleiss_init(&g->fields[i].fleiss, arena);
    }
    return ERR_OK;
}

static double share(double sum, double n)
{
    return n > 0 ? sum / n : (double)NAN;
}

static void put_fields(const struct agreement *g, struct json_out *out)
{
    json_key(out, "fields");
    json_begin_array(out);
    for (size_t i = 0; i < g->act->project.labels.n_fields; i++) {
        const struct field *f = &g->act->project.labels.fields[i];
        const struct field_sums *s = &g->fields[i];
        bool measured = f->kind == FIELD_RATING || f->kind == FIELD_NUMBER;
        json_begin_object(out);
        json_kv_str(out, "field", f->name);
        json_kv_str(out, "title", f->title);
        json_kv_c(out, "kind", field_kind_name(f->kind));
        json_kv_real(out, "alpha", agree_alpha_value(&s->alpha));
        if (measured)
            json_kv_real(out, "alpha_interval", agree_interval_value(&s->interval));
        if (f->kind != FIELD_SPANS && f->kind != FIELD_BOXES && f->kind != FIELD_TEXT)
            json_kv_real(out, "fleiss", agree_fleiss_value(&s->fleiss));
        json_kv_real(out, "exact", share(s->exact, s->n_pairs));
        if (f->kind == FIELD_SPANS)
            json_kv_real(out, "partial", share(s->partial, s->n_pairs));
        if (f->kind == FIELD_BOXES)
            json_kv_real(out, "iou", share(s->iou, s->n_iou));
        json_end_object(out);
    }
    json_end_array(out);
}

static void put_pairs(const struct agreement *g, struct json_out *out)
{
    json_key(out, "pairs");
    json_begin_array(out);
    for (size_t i = 0; i < g->n_pairs; i++) {
        const struct pair *p = &g->pairs[i];
        json_begin_object(out);
        json_kv_str(out, "a", g->names[p->a]);
        json_kv_str(out, "b", g->names[p->b]);
        json_kv_str(out, "a_name", person_name(g->act->annotate, g->names[p->a], g->arena));
        json_kv_str(out, "b_name", person_name(g->act->annotate, g->names[p->b], g->arena));
        json_kv_int(out, "n", (int64_t)p->n);
        json_kv_real(out, "score", share(p->score, p->n));
        json_kv_real(out, "kappa", agree_cohen_value(&p->cohen));
        json_end_object(out);
    }
    json_end_array(out);
}

/* The newest items with two answers or more; scratch is reset for each item, so what must stay is
 * read into an arena of its own. */
static enum err agreement_text(struct act *act, struct arena *arena, struct str *out,
                               struct why *why)
{
    struct store_rows rows = {0};
    struct agreement g;
    struct buf buf;
    struct json_out json;
    struct arena *scratch = act->arena;
    enum err err = store_query(
        act->tx,
        "SELECT l.seq, i.rec, l.user_id, l.answer FROM annotate_labels l JOIN annotate_items i"
        " ON i.project = l.project AND i.seq = l.seq WHERE l.project = ? AND l.state = 1"
        " AND l.seq IN (SELECT seq FROM annotate_items WHERE project = ? AND purpose = 0"
        " AND n_done > 1 ORDER BY changed_ms DESC LIMIT ?) ORDER BY l.seq, l.user_id",
        STORE_ARGS(SV_STR(act->project.id), SV_STR(act->project.id), SV_INT(MOST_UNITS)), arena,
        &rows, why);
    act->arena = arena_new(ACT_MEMORY);
    if (!err && !act->arena)
        err = err_set(why, ERR_NO_MEMORY, "could not compute the agreement");
    if (!err)
        err = agreement_new(act, arena, &g, why);
    if (!err)
        err = add_rows(&g, &rows);
    if (!err) {
        buf_init(&buf, arena);
        json_out_init(&json, &buf);
        json_begin_object(&json);
        json_kv_int(&json, "n_units", g.n_units);
        put_fields(&g, &json);
        put_pairs(&g, &json);
        json_end_object(&json);
        err = buf_err(&buf, why);
        *out = buf_str(&buf);
    }
    arena_free(act->arena);
    act->arena = scratch;
    return err;
}

/* ---- people ---- */

static enum err put_people(struct act *act, struct json_out *out, struct why *why)
{
    struct store_rows rows = {0};
    enum err err = store_query(
        act->tx,
        "SELECT user_id, roles, n_submitted, n_skipped, n_returned, n_accepted, n_fixed,"
        " n_reviewed, n_decided, n_gold, gold_score, n_scored, score, spent_ms, n_pre_accepted,"
        " n_pre_changed, last_ms, exam, exam_n, exam_score FROM annotate_members"
        " WHERE project = ? ORDER BY n_submitted DESC, user_id",
        STORE_ARGS(SV_STR(act->project.id)), act->arena, &rows, why);
    if (err)
        return err;
    json_key(out, "people");
    json_begin_array(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        int64_t done = store_int(&rows, i, 2), spent = store_int(&rows, i, 13);
        static const char *const counts[] = {"n_submitted", "n_skipped", "n_returned",
                                             "n_accepted",  "n_fixed",   "n_reviewed",
                                             "n_decided",   "n_gold"};
        json_begin_object(out);
        json_kv_str(out, "id", store_str(&rows, i, 0));
        json_kv_str(out, "name", person_name(act->annotate, store_str(&rows, i, 0), act->arena));
        json_kv_bool(out, "work", (store_int(&rows, i, 1) & MEMBER_WORK) != 0);
        json_kv_bool(out, "review", (store_int(&rows, i, 1) & MEMBER_REVIEW) != 0);
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
            json_kv_int(out, counts[k], store_int(&rows, i, 2 + k));
        json_kv_real(out, "gold", share(store_real(&rows, i, 10), (double)store_int(&rows, i, 9)));
        json_kv_real(out, "accuracy",
                     share(store_real(&rows, i, 12), (double)store_int(&rows, i, 11)));
        json_kv_int(out, "n_scored", store_int(&rows, i, 11));
        json_kv_real(out, "per_hour",
                     spent > 0 ? (double)done / ((double)spent / 3600000) : (double)NAN);
        json_kv_int(out, "mean_ms", done > 0 ? spent / done : 0);
        json_kv_int(out, "spent_ms", spent);
        json_kv_real(
            out, "returned",
            share((double)store_int(&rows, i, 4), (double)(done + store_int(&rows, i, 4))));
        json_kv_int(out, "n_pre_accepted", store_int(&rows, i, 14));
        json_kv_int(out, "n_pre_changed", store_int(&rows, i, 15));
        json_kv_time(out, "last_at", store_int(&rows, i, 16));
        json_kv_str(out, "exam", store_str(&rows, i, 17));
        json_kv_real(out, "exam_score",
                     share(store_real(&rows, i, 19), (double)store_int(&rows, i, 18)));
        json_end_object(out);
    }
    json_end_array(out);
    return ERR_OK;
}

/* What was kept, unless something was submitted since and it is half a minute old. */
static enum err kept(struct act *act, struct str *out, bool *fresh, struct why *why)
{
    struct store_rows rows = {0};
    enum err err = store_query(act->tx,
                               "SELECT statistics, statistics_ms, statistics_n FROM"
                               " annotate_projects WHERE id = ?",
                               STORE_ARGS(SV_STR(act->project.id)), act->arena, &rows, why);
    bool same = store_int(&rows, 0, 2) == act->project.changed_ms;
    *out = store_str(&rows, 0, 0);
    *fresh = !err && out->len && (same || act->now_ms - store_int(&rows, 0, 1) < STALE_MS);
    return err;
}

enum err annotate_statistics(struct annotate *annotate, const struct annotate_ask *ask,
                             struct str project, struct why *why)
{
    struct act act;
    struct arena *arena = arena_new(STATS_MEMORY);
    struct str text = STR("");
    bool fresh = false;
    enum err err =
        arena
            ? ops_need(ask->who, is_manager(ask->who) ? "annotate.manage" : "annotate.review", why)
            : err_set(why, ERR_NO_MEMORY, "could not compute the agreement");
    if (err) {
        arena_free(arena);
        return err;
    }
    err = look_begin(&act, annotate, ask, project, why);
    if (!err)
        err = project_see(&act, why);
    if (!err)
        err = kept(&act, &text, &fresh, why);
    if (!err && !fresh)
        err = agreement_text(&act, arena, &text, why);
    if (!err) {
        json_begin_object(ask->out);
        err = put_people(&act, ask->out, why);
        json_key(ask->out, "agreement");
        json_put_raw(ask->out, text);
        json_end_object(ask->out);
    }
    struct str id = str_copy(arena, act.project.id);
    int64_t changed = act.project.changed_ms, now = act.now_ms;
    look_end(&act);
    if (!err && !fresh)
        err = store_run(annotate->opts.store,
                        "UPDATE annotate_projects SET statistics = ?, statistics_ms = ?,"
                        " statistics_n = ? WHERE id = ?",
                        STORE_ARGS(SV_STR(text), SV_INT(now), SV_INT(changed), SV_STR(id)), NULL,
                        why);
    arena_free(arena);
    return err;
}
