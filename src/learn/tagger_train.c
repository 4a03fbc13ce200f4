/* Training a tagger: averaged structured perceptron, then pruning, rounding, and the curve of
 * `sure`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "learn/tagger_in.h"

#define MOST_KEYS  (1u << 24)
#define FLOAT_TAGS ((size_t)TAGS)
#define MARGIN     1000.0 /* of the size that margins have */

const struct tagger_options tagger_options_default = {
    .epochs = 10, .least = 2, .features = TAGGER_FEATURES, .seed = 1};

/* A line of a sample with its right tags and the features of its characters. */
struct example {
    uint32_t (*ids)[FEATURES]; /* 0: not kept */
    uint8_t *tags;
    size_t n, sample;
    unsigned never; /* of the sample */
    bool held;
};

/* A group's keys that are kept, and their rows. */
struct small {
    size_t places, n, row_bytes;
    uint32_t *keys; /* 0: free */
    int8_t *rows;
};

struct trainer {
    struct arena *arena;
    const struct tagger_sample *samples;
    const struct tagger_options *options;
    struct tagger *tagger; /* its marks and kinds; weights at the end */
    struct example *examples;
    size_t n, cap;
    uint32_t *keys, *counts, *ids; /* a table of features, `places` of them */
    uint8_t *slots;                /* which of a character's FEATURES it is */
    size_t places;
    size_t n_ids;          /* with 0, which is nothing */
    float *weights, *sums; /* (n_ids, TAGS): as they are, and weighted by when they changed */
    float follow[TAGS + 1][TAGS], follow_sums[TAGS + 1][TAGS];
    double step;
    struct small small[TAGGER_GROUPS];
};

/* ---- the samples as lines ---- */

static enum err check(const struct tagger_sample *samples, size_t n, const char *const *kinds,
                      size_t n_kinds, const struct tagger_options *o, struct why *why)
{
    if (n == 0 || n_kinds < 1 || n_kinds > TAGGER_KINDS)
        return err_set(why, ERR_INVALID, "there must be samples, and 1 to %d kinds", TAGGER_KINDS);
    if (o->epochs < 1 || o->epochs > 100 || o->least < 1 || o->least > 100 || o->features < 1 ||
        o->features > TAGGER_FEATURES)
        return err_set(why, ERR_INVALID, "an option of the training is out of range");
    for (size_t k = 0; k < n_kinds; k++)
        if (!kinds[k][0] || strlen(kinds[k]) >= TAGGER_NAME)
            return err_set(why, ERR_INVALID, "the name of a kind has 1 to %d bytes",
                           TAGGER_NAME - 1);
    for (size_t i = 0; i < n; i++)
        for (size_t s = 0; s < samples[i].n; s++) {
            const struct tagger_span *span = &samples[i].spans[s];
            size_t from = s ? samples[i].spans[s - 1].end : 0;
            if (span->start < from || span->end <= span->start || span->end > samples[i].text.len ||
                span->kind >= n_kinds)
                return err_set(why, ERR_INVALID, "sample %zu: span %zu is not in order", i + 1,
                               s + 1);
        }
    return ERR_OK;
}

/* ---- features: a row of a group's key ---- */

#define ROW_STEP 0x9E3779B9U /* between the keys of a group's rows */

static size_t place_of(const struct trainer *t, uint32_t key)
{
    size_t at = key * 0x9E3779B1U >> 7 & (t->places - 1);
    while (t->keys[at] && t->keys[at] != key)
        at = (at + 1) & (t->places - 1);
    return at;
}

/* 0, which one in 2^32 would have, is no feature. */
static void keys_of(const struct tagger_line *line, size_t i, uint32_t keys[FEATURES])
{
    size_t k = 0;
    for (unsigned g = 0; g < TAGGER_GROUPS; g++)
        for (unsigned r = 0; r < tagger_shapes[g].rows; r++) {
            ptrdiff_t at = (ptrdiff_t)i - tagger_shapes[g].first - (ptrdiff_t)r;
            keys[k++] = tagger_key(line, (enum tagger_group)g, at) + r * ROW_STEP;
        }
}

static void slot_is(unsigned slot, enum tagger_group *group, unsigned *row)
{
    unsigned g = 0;
    for (; slot >= tagger_shapes[g].rows; g++)
        slot -= tagger_shapes[g].rows;
    *group = (enum tagger_group)g;
    *row = slot;
}

static void set_tags(const struct tagger_sample *sample, const struct tagger_line *line,
                     uint8_t *tags)
{
    for (size_t s = 0; s < sample->n; s++) {
        const struct tagger_span *span = &sample->spans[s];
        size_t first = 0, last;
        while (first < line->n && line->at[first] < span->start)
            first++;
        if (first == line->n || line->at[first] >= span->end || line->at[line->n] < span->end)
            continue;
        for (last = first; last + 1 < line->n && line->at[last + 1] < span->end; last++)
            ;
        for (size_t i = first; i <= last; i++)
            tags[i] = (uint8_t)tag_of(span->kind, i == last    ? TAG_LAST
                                                  : i == first ? TAG_FIRST
                                                               : TAG_INNER);
    }
}

static enum err add_line(struct trainer *t, size_t sample, const struct tagger_line *line,
                         struct why *why)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 1024, size = sizeof *t->examples;
        void *more = arena_grow(t->arena, t->examples, t->cap * size, cap * size);
        if (!more)
            return err_set(why, ERR_NO_MEMORY, "could not hold the samples");
        t->examples = more;
        t->cap = cap;
    }
    struct example *e = &t->examples[t->n++];
    *e = (struct example){.n = line->n,
                          .sample = sample,
                          .never = t->samples[sample].never,
                          .held = t->samples[sample].held};
    e->tags = arena_array(t->arena, uint8_t, line->n);
    e->ids = arena_calloc(t->arena, line->n, sizeof *e->ids);
    if (!e->tags || !e->ids)
        return err_set(why, ERR_NO_MEMORY, "could not hold the samples");
    memset(e->tags, TAG_NONE, line->n);
    set_tags(&t->samples[sample], line, e->tags);
    for (size_t i = 0; i < line->n; i++)
        keys_of(line, i, e->ids[i]);
    return ERR_OK;
}

static enum err read_samples(struct trainer *t, size_t n, struct why *why)
{
    size_t total = 0;
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) {
        struct tagger_line line;
        size_t at = 0;
        while (!err && tagger_line_next(&t->tagger->marks, t->samples[i].text, &at, &line)) {
            err = add_line(t, i, &line, why);
            total += line.n * FEATURES;
        }
    }
    for (t->places = 1024; t->places < total * 2 && t->places < MOST_KEYS; t->places *= 2)
        ;
    t->keys = arena_array(t->arena, uint32_t, t->places);
    t->counts = arena_array(t->arena, uint32_t, t->places);
    t->slots = arena_array(t->arena, uint8_t, t->places);
    if (!err && (!t->keys || !t->counts || !t->slots))
        err = err_set(why, ERR_NO_MEMORY, "could not hold the features");
    return err;
}

/* Counts the features of what is trained on and numbers those that are frequent enough. */
static enum err number_features(struct trainer *t, struct why *why)
{
    size_t distinct = 0;
    for (size_t x = 0; x < t->n; x++)
        for (size_t i = 0; !t->examples[x].held && i < t->examples[x].n; i++)
            for (size_t k = 0; k < FEATURES; k++) {
                uint32_t key = t->examples[x].ids[i][k];
                size_t at = place_of(t, key);
                t->keys[at] = key;
                t->slots[at] = (uint8_t)k;
                distinct += key && t->counts[at] == 0;
                t->counts[at] += key != 0;
                if (distinct > t->places / 10 * 8)
                    return err_set(why, ERR_INVALID, "the samples have too many features");
            }
    t->n_ids = 1;
    t->ids = arena_array(t->arena, uint32_t, t->places);
    if (!t->ids)
        return err_set(why, ERR_NO_MEMORY, "could not hold the features");
    for (size_t at = 0; at < t->places; at++)
        if (t->counts[at] >= t->options->least)
            t->ids[at] = (uint32_t)t->n_ids++;
    for (size_t x = 0; x < t->n; x++)
        for (size_t i = 0; i < t->examples[x].n; i++)
            for (size_t k = 0; k < FEATURES; k++) {
                uint32_t *id = &t->examples[x].ids[i][k];
                size_t at = place_of(t, *id);
                *id = t->keys[at] ? t->ids[at] : 0;
            }
    t->weights = arena_array(t->arena, float, t->n_ids *FLOAT_TAGS);
    t->sums = arena_array(t->arena, float, t->n_ids *FLOAT_TAGS);
    return t->weights && t->sums ? ERR_OK
                                 : err_set(why, ERR_NO_MEMORY, "could not hold the weights");
}

/* ---- the perceptron ---- */

/* Tags that may be used when the kinds of `never` may not, and what stands before each. */
struct grammar {
    uint8_t tags[TAGS], before[TAGS][TAGS];
    size_t n, n_before[TAGS];
};

static void grammar_set(struct grammar *g, size_t n_kinds, unsigned never)
{
    *g = (struct grammar){0};
    for (unsigned q = 0; q < TAGS; q++)
        if (q == TAG_NONE || (tag_kind(q) < n_kinds && !(never >> tag_kind(q) & 1)))
            g->tags[g->n++] = (uint8_t)q;
    for (size_t a = 0; a < g->n; a++)
        for (size_t b = 0; b < g->n; b++) {
            unsigned q = g->tags[b];
            if (tag_follows(g->tags[a], q))
                g->before[q][g->n_before[q]++] = g->tags[a];
        }
}

/* The best line of tags by the weights as they are. */
static void search(const struct trainer *t, const struct grammar *g, const struct example *e,
                   uint8_t *out)
{
    float rows[2][TAGS];
    static _Thread_local uint8_t from[TAGGER_MOST_LINE][TAGS];
    for (size_t i = 0; i < e->n; i++) {
        float score[TAGS] = {0};
        const float *left = rows[(i + 1) & 1];
        for (size_t k = 0; k < FEATURES; k++) {
            const float *w = t->weights + e->ids[i][k] * FLOAT_TAGS;
            for (size_t q = 0; q < TAGS; q++)
                score[q] += w[q];
        }
        for (size_t a = 0; a < g->n; a++) {
            unsigned q = g->tags[a];
            float best = !i && tag_follows(TAG_START, q) ? t->follow[TAG_START][q] : -1e30F;
            from[i][q] = TAG_NONE;
            for (size_t b = 0; i && b < g->n_before[q]; b++) {
                unsigned p = g->before[q][b];
                float sum = left[p] + t->follow[p][q];
                if (sum > best) {
                    best = sum;
                    from[i][q] = (uint8_t)p;
                }
            }
            rows[i & 1][q] = best + score[q];
        }
    }
    const float *end = rows[(e->n - 1) & 1];
    uint8_t tag = TAG_NONE;
    for (size_t a = 0; a < g->n; a++)
        if (tag_place(g->tags[a]) == TAG_LAST && end[g->tags[a]] > end[tag])
            tag = g->tags[a];
    for (size_t i = e->n; i-- > 0;) {
        out[i] = tag;
        tag = from[i][tag];
    }
}

static void change(struct trainer *t, const struct example *e, const uint8_t *tags, float by)
{
    float late = by * (float)t->step;
    for (size_t i = 0; i < e->n; i++) {
        unsigned before = i ? tags[i - 1] : TAG_START;
        t->follow[before][tags[i]] += by;
        t->follow_sums[before][tags[i]] += late;
    }
}

static void move(struct trainer *t, const struct example *e, const uint8_t *right,
                 const uint8_t *got)
{
    change(t, e, right, 1);
    change(t, e, got, -1);
    for (size_t i = 0; i < e->n; i++) {
        if (right[i] == got[i])
            continue;
        for (size_t k = 0; k < FEATURES; k++) {
            size_t row = e->ids[i][k] * FLOAT_TAGS;
            if (!row)
                continue;
            t->weights[row + right[i]] += 1;
            t->weights[row + got[i]] -= 1;
            t->sums[row + right[i]] += (float)t->step;
            t->sums[row + got[i]] -= (float)t->step;
        }
    }
}

/* Whether a line was wrong; then the weights move. Where nothing but kinds that do not occur is
 * told, right is the best line without them. */
static bool learn_line(struct trainer *t, const struct grammar *all, const struct example *e)
{
    uint8_t got[TAGGER_MOST_LINE], best[TAGGER_MOST_LINE];
    const uint8_t *right = e->tags;
    bool wrong = false;
    search(t, all, e, got);
    if (e->never) {
        struct grammar some;
        for (size_t i = 0; i < e->n; i++)
            wrong = wrong || (got[i] != TAG_NONE && e->never >> tag_kind(got[i]) & 1);
        if (!wrong)
            return false;
        grammar_set(&some, t->tagger->n_kinds, e->never);
        search(t, &some, e, best);
        right = best;
    }
    wrong = memcmp(got, right, e->n) != 0;
    if (wrong)
        move(t, e, right, got);
    return wrong;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static enum err run_epochs(struct trainer *t, struct why *why)
{
    uint32_t *order = arena_array(t->arena, uint32_t, t->n);
    uint64_t state = t->options->seed;
    struct grammar all;
    if (!order)
        return err_set(why, ERR_NO_MEMORY, "could not hold the order");
    for (size_t i = 0; i < t->n; i++)
        order[i] = (uint32_t)i;
    t->step = 1;
    grammar_set(&all, t->tagger->n_kinds, 0);
    for (unsigned epoch = 0; epoch < t->options->epochs; epoch++) {
        size_t wrong = 0;
        for (size_t i = t->n; i > 1; i--) {
            size_t k = next_random(&state) % i;
            uint32_t swap = order[i - 1];
            order[i - 1] = order[k];
            order[k] = swap;
        }
        for (size_t i = 0; i < t->n; i++) {
            const struct example *e = &t->examples[order[i]];
            if (e->held)
                continue;
            wrong += learn_line(t, &all, e);
            t->step++;
        }
        if (t->options->progress)
            t->options->progress(t->options->ctx, epoch + 1, wrong);
    }
    for (size_t i = 0; i < t->n_ids * FLOAT_TAGS; i++)
        t->weights[i] -= t->sums[i] / (float)t->step;
    for (size_t p = 0; p <= TAGS; p++)
        for (size_t q = 0; q < TAGS; q++)
            t->follow[p][q] -= t->follow_sums[p][q] / (float)t->step;
    return ERR_OK;
}

/* ---- the small model ---- */

static float largest(const float *w)
{
    float most = 0;
    for (size_t q = 0; q < TAGS; q++)
        most = fabsf(w[q]) > most ? fabsf(w[q]) : most;
    return most;
}

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The weight below which features are left out so that at most `features` stay. */
static enum err threshold(struct trainer *t, float *least, float *most, struct why *why)
{
    float *sizes = arena_array(t->arena, float, t->n_ids);
    if (!sizes)
        return err_set(why, ERR_NO_MEMORY, "could not weigh the features");
    for (size_t i = 1; i < t->n_ids; i++)
        sizes[i - 1] = largest(t->weights + i * FLOAT_TAGS);
    qsort(sizes, t->n_ids - 1, sizeof *sizes, falling);
    *most = t->n_ids > 1 && sizes[0] > 0 ? sizes[0] : 1;
    *least = t->options->features < t->n_ids - 1 ? sizes[t->options->features] : 0;
    return ERR_OK;
}

static int rounded(float value, float scale, int most)
{
    float x = roundf(value * scale);
    return (int)(x > (float)most ? (float)most : x < (float)-most ? (float)-most : x);
}

/* The place of a group's key, or where it would come. */
static size_t small_place(const struct small *small, uint32_t key)
{
    size_t at = key & (small->places - 1);
    while (small->keys[at] && small->keys[at] != key)
        at = (at + 1) & (small->places - 1);
    return at;
}

static bool small_init(struct small *small, enum tagger_group group, size_t n, struct arena *arena)
{
    small->places = 64;
    while (small->places < n * 2)
        small->places *= 2;
    small->row_bytes = (size_t)tagger_shapes[group].rows * TAGS;
    small->keys = arena_array(arena, uint32_t, small->places);
    small->rows = arena_calloc(arena, small->places, small->row_bytes);
    return small->keys && small->rows;
}

/* A key for every feature that weighs enough. */
static enum err make_tables(struct trainer *t, float least, struct why *why)
{
    size_t counts[TAGGER_GROUPS] = {0};
    enum tagger_group group;
    unsigned row;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t from = 0; from < t->places; from++) {
            if (!t->ids[from] || largest(t->weights + t->ids[from] * FLOAT_TAGS) <= least)
                continue;
            slot_is(t->slots[from], &group, &row);
            counts[group]++;
            if (!pass)
                continue;
            struct small *small = &t->small[group];
            uint32_t key = t->keys[from] - row * ROW_STEP;
            size_t at = small_place(small, key);
            small->n += small->keys[at] != key;
            small->keys[at] = key;
        }
        for (unsigned g = 0; !pass && g < TAGGER_GROUPS; g++)
            if (!small_init(&t->small[g], (enum tagger_group)g, counts[g], t->arena))
                return err_set(why, ERR_NO_MEMORY, "could not hold the tagger");
    }
    for (unsigned g = 0; g < TAGGER_GROUPS; g++)
        if (t->small[g].n > TAGGER_KEYS)
            return err_set(why, ERR_INVALID, "fewer features must be kept");
    return ERR_OK;
}

/* A key that stays keeps all its rows, light ones too: they are there anyway. */
static void fill_tables(struct trainer *t, float scale)
{
    for (size_t from = 0; from < t->places; from++) {
        enum tagger_group group;
        unsigned row;
        if (!t->ids[from])
            continue;
        slot_is(t->slots[from], &group, &row);
        struct small *small = &t->small[group];
        size_t at = small_place(small, t->keys[from] - row * ROW_STEP);
        const float *w = t->weights + t->ids[from] * FLOAT_TAGS;
        int8_t *to = small->rows + at * small->row_bytes + (size_t)row * TAGS;
        for (size_t q = 0; small->keys[at] && q < TAGS; q++)
            to[q] = (int8_t)rounded(w[q], scale, 127);
    }
}

static enum err shrink(struct trainer *t, struct why *why)
{
    float least, most;
    enum err err = threshold(t, &least, &most, why);
    if (!err)
        err = make_tables(t, least, why);
    if (err)
        return err;
    /* Few weights are near the largest: the rest gets finer steps. */
    float scale = 127.0F / (most * 0.6F);
    fill_tables(t, scale);
    for (size_t p = 0; p <= TAGS; p++)
        for (size_t q = 0; q < TAGS; q++)
            t->tagger->follow[p][q] = (int16_t)rounded(t->follow[p][q], scale, TAGGER_FOLLOW);
    return ERR_OK;
}

/* ---- how sure a span is, from the held samples: logistic regression on its margin ---- */

static bool is_right(const struct tagger_sample *sample, size_t start, size_t end, unsigned kind)
{
    for (size_t s = 0; s < sample->n; s++)
        if (sample->spans[s].start == start && sample->spans[s].end == end &&
            sample->spans[s].kind == kind)
            return true;
    return false;
}

struct points {
    double *margin;
    uint8_t *kind;
    bool *right;
    size_t n, cap;
};

static void add_point(struct points *out, const struct tagger_sample *sample, unsigned kind,
                      double margin, bool right)
{
    if (out->n == out->cap || (sample->never && !(sample->never >> kind & 1)))
        return;
    out->margin[out->n] = margin / MARGIN;
    out->kind[out->n] = (uint8_t)kind;
    out->right[out->n++] = right && !sample->never;
}

static void collect(const struct tagger *g, const struct tagger_sample *sample, struct points *out)
{
    static _Thread_local tag_scores scores;
    struct tagger_line line;
    struct tagger_path path;
    size_t at = 0, last;
    while (tagger_line_next(&g->marks, sample->text, &at, &line)) {
        tagger_score(g, &line, scores);
        tagger_search(g, line.n, TAG_START, scores, &path);
        for (size_t i = 0; i < line.n; i++) {
            if (!tagger_span_at(&path, line.n, i, &last))
                continue;
            unsigned kind = tag_kind(path.tags[i]);
            add_point(out, sample, kind,
                      tagger_margin(g, line.n, TAG_START, scores, &path, i, last),
                      is_right(sample, line.at[i], line.at[last + 1], kind));
            i = last;
        }
    }
}

static void fit(struct tagger *g, unsigned kind, const struct points *points)
{
    double slope = 0, shift = 0;
    for (int round = 0; round < 30; round++) { /* Newton's steps, damped */
        double g0 = 0, g1 = 0, h00 = 1e-3, h01 = 0, h11 = 1e-3;
        for (size_t i = 0; i < points->n; i++) {
            if (points->kind[i] != kind)
                continue;
            double x = points->margin[i], p = 1 / (1 + exp(-(slope * x + shift)));
            double d = (points->right[i] ? 1 : 0) - p, w = p * (1 - p);
            g0 += d, g1 += d * x;
            h00 += w, h01 += w * x, h11 += w * x * x;
        }
        double det = h00 * h11 - h01 * h01;
        if (fabs(det) < 1e-12)
            break;
        shift += (h11 * g0 - h01 * g1) / det;
        slope += (h00 * g1 - h01 * g0) / det;
    }
    bool usable = isfinite(slope) && isfinite(shift) && slope > 0;
    g->slope[kind] = usable ? (float)(slope / MARGIN) : 0.01F;
    g->shift[kind] = usable ? (float)shift : 0;
}

/* ---- writing ---- */

static void put32(struct buf *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        buf_char(out, (char)(value >> (8 * i) & 0xFF));
}

static void put_float(struct buf *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put32(out, bits);
}

static void write_group(const struct small *small, struct buf *out)
{
    put32(out, (uint32_t)small->n);
    for (size_t at = 0; at < small->places; at++)
        if (small->keys[at]) {
            put32(out, small->keys[at]);
            buf_add(out, (struct str){(const char *)small->rows + at * small->row_bytes,
                                      small->row_bytes});
        }
}

static enum err write_model(const struct trainer *t, struct str *bytes, struct why *why)
{
    const struct tagger *g = t->tagger;
    struct buf out;
    buf_init(&out, t->arena);
    buf_add(&out, (struct str){"YCTAG2\n", 8});
    put32(&out, (uint32_t)g->n_kinds);
    for (size_t k = 0; k < g->n_kinds; k++) {
        buf_add(&out, (struct str){g->kinds[k], TAGGER_NAME});
        put_float(&out, g->slope[k]);
        put_float(&out, g->shift[k]);
    }
    put32(&out, (uint32_t)g->marks.n);
    for (size_t i = 0; i < g->marks.n; i++)
        put32(&out, g->marks.chars[i]);
    for (size_t p = 0; p <= TAGS; p++)
        for (size_t q = 0; q < TAGS; q++)
            put32(&out, (uint32_t)(int32_t)g->follow[p][q]);
    for (unsigned k = 0; k < TAGGER_GROUPS; k++)
        write_group(&t->small[k], &out);
    if (!out.failed) {
        uint64_t sum = hash64(out.ptr, out.len, 1);
        buf_add(&out, (struct str){(const char *)&sum, sizeof sum});
    }
    *bytes = buf_str(&out);
    return buf_err(&out, why);
}

/* By the tagger as it will be read. */
static enum err calibrate(struct trainer *t, struct str bytes, size_t n, struct why *why)
{
    struct points points = {.cap = 200000};
    struct tagger *read = NULL;
    points.margin = arena_array(t->arena, double, points.cap);
    points.kind = arena_array(t->arena, uint8_t, points.cap);
    points.right = arena_array(t->arena, bool, points.cap);
    if (!points.margin || !points.kind || !points.right)
        return err_set(why, ERR_NO_MEMORY, "could not measure the tagger");
    enum err err = tagger_read(bytes, &read, why);
    for (size_t i = 0; !err && i < n; i++)
        if (t->samples[i].held)
            collect(read, &t->samples[i], &points);
    for (unsigned k = 0; k < t->tagger->n_kinds; k++)
        fit(t->tagger, k, &points);
    tagger_free(read);
    return err;
}

static int rising(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static enum err begin(struct trainer *t, const char *const *kinds, size_t n_kinds, struct why *why)
{
    struct tagger *g = t->tagger;
    struct str marks = t->options->marks;
    g->n_kinds = n_kinds;
    for (size_t k = 0; k < n_kinds; k++)
        memcpy(g->kinds[k], kinds[k], strlen(kinds[k]) + 1);
    for (size_t at = 0; at < marks.len;) {
        if (g->marks.n == TAGGER_MARKS)
            return err_set(why, ERR_INVALID, "there are more than %d marked characters",
                           TAGGER_MARKS);
        g->marks.chars[g->marks.n++] = utf8_next(marks, &at);
    }
    qsort(g->marks.chars, g->marks.n, sizeof(uint32_t), rising);
    tagger_marks_set(&g->marks);
    return ERR_OK;
}

enum err tagger_train(const struct tagger_sample *samples, size_t n, const char *const *kinds,
                      size_t n_kinds, const struct tagger_options *options, struct arena *arena,
                      struct str *bytes, struct why *why)
{
    struct trainer t = {.arena = arena, .samples = samples, .options = options};
    enum err err = check(samples, n, kinds, n_kinds, options, why);
    if (err)
        return err;
    t.tagger = calloc(1, sizeof *t.tagger);
    if (!t.tagger)
        return err_set(why, ERR_NO_MEMORY, "could not hold the tagger");
    err = begin(&t, kinds, n_kinds, why);
    if (!err)
        err = read_samples(&t, n, why);
    if (!err)
        err = number_features(&t, why);
    if (!err)
        err = run_epochs(&t, why);
    if (!err)
        err = shrink(&t, why);
    if (!err)
        err = write_model(&t, bytes, why);
    if (!err)
        err = calibrate(&t, *bytes, n, why);
    if (!err)
        err = write_model(&t, bytes, why);
    tagger_free(t.tagger);
    return err;
}
