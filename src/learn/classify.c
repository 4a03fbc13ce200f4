/*
 * classify: reading, writing and asking a linear classifier.
 *
 * The file, little-endian: header, labels (a byte of length and the name each), note, padded to 8;
 * thresholds, biases and scales (a float each); then 2^bits rows of `columns` signed bytes. Two
 * labels are one column: the odds of the second.
 */
#include "learn/classify_in.h"

#include "core/arena.h"
#include "core/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "YCLEARN1"

struct file_header {
    char magic[8];
    uint32_t n_labels, columns, bits, grams_least, grams_most, labels_len, note_len, reserved;
    uint64_t most_characters;
    float temperature;
    uint32_t reserved2;
    uint64_t hash; /* of the header with 0 here and of all bytes behind it */
};

/* ---- n-grams ---- */

uint32_t learn_fold(uint32_t c)
{
    if (c >= 0xFF01 && c <= 0xFF5E)
        c -= 0xFEE0;
    if (c >= 'A' && c <= 'Z')
        return c + ('a' - 'A');
    if (c >= '0' && c <= '9')
        return '0';
    return c <= ' ' || c == 0x3000 || c == 0xA0 ? ' ' : c;
}

void learn_walk_init(struct learn_walk *walk, const struct learn_shape *shape, struct str text)
{
    *walk = (struct learn_walk){.shape = *shape, .text = text};
    walk->last[0] = ' '; /* the beginning stands as a space */
}

size_t learn_walk_next(struct learn_walk *walk, uint32_t places[LEARN_GRAMS_MOST])
{
    const struct learn_shape *shape = &walk->shape;
    uint32_t c;
    do {
        if (walk->at >= walk->text.len ||
            (shape->most_characters && walk->n >= shape->most_characters))
            return 0;
        c = learn_fold(utf8_next(walk->text, &walk->at));
    } while (c == ' ' && walk->last[0] == ' ');
    walk->n++;
    memmove(walk->last + 1, walk->last, sizeof walk->last - sizeof walk->last[0]);
    walk->last[0] = c;
    uint64_t h = 0x9E3779B97F4A7C15u;
    size_t n = 0;
    for (unsigned k = 1; k <= shape->grams_most && k <= walk->n + 1; k++) {
        h = (h ^ walk->last[k - 1]) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
        if (k >= shape->grams_least)
            places[n++] = (uint32_t)((h * 0x9E3779B97F4A7C15u) >> (64 - shape->bits));
    }
    return n ? n : LEARN_WALK_NONE;
}

/* ---- asking ---- */

static void sums_of(const struct learn_model *m, struct str text, float *sums)
{
    int32_t whole[LEARN_LABELS_MOST] = {0};
    uint32_t places[LEARN_GRAMS_MOST];
    size_t n, grams = 0, columns = m->columns;
    struct learn_walk walk;
    learn_walk_init(&walk, &m->shape, text);
    while ((n = learn_walk_next(&walk, places)) != 0) {
        if (n == LEARN_WALK_NONE)
            continue;
        grams += n;
        for (size_t i = 0; i < n; i++) {
            const int8_t *row = m->weights + (size_t)places[i] * columns;
            for (size_t k = 0; k < columns; k++)
                whole[k] += row[k];
        }
        /* 127 * 6 a character: far from the end of 32 bits, but a text may be of any length. */
        if (grams > (1u << 23))
            break;
    }
    float scale = grams ? 1 / sqrtf((float)grams) : 0;
    for (size_t k = 0; k < columns; k++)
        sums[k] = ((float)whole[k] * m->scales[k] * scale + m->biases[k]) / m->temperature;
}

size_t learn_odds_to_p(float *sums, size_t n_labels, float *p)
{
    if (n_labels == 2) {
        float second = 1 / (1 + expf(-sums[0]));
        p[0] = 1 - second;
        p[1] = second;
        return second > 0.5f;
    }
    size_t best = 0;
    float total = 0;
    for (size_t k = 1; k < n_labels; k++)
        if (sums[k] > sums[best])
            best = k;
    float most = sums[best];
    for (size_t k = 0; k < n_labels; k++)
        total += p[k] = expf(sums[k] - most);
    for (size_t k = 0; k < n_labels; k++)
        p[k] /= total;
    return best;
}

size_t learn_say(const struct learn_model *model, struct str text, float *p)
{
    float sums[LEARN_LABELS_MOST], own[LEARN_LABELS_MOST];
    sums_of(model, text, sums);
    return learn_odds_to_p(sums, model->n_labels, p ? p : own);
}

size_t learn_n_labels(const struct learn_model *model)
{
    return model->n_labels;
}

struct str learn_label(const struct learn_model *model, size_t i)
{
    return model->labels[i];
}

bool learn_label_find(const struct learn_model *model, struct str name, size_t *out)
{
    for (size_t i = 0; i < model->n_labels; i++)
        if (str_eq(model->labels[i], name)) {
            *out = i;
            return true;
        }
    return false;
}

struct str learn_note(const struct learn_model *model)
{
    return model->note;
}

size_t learn_most_characters(const struct learn_model *model)
{
    return model->shape.most_characters;
}

float learn_threshold(const struct learn_model *model, size_t label)
{
    return model->thresholds[label];
}

void learn_set_threshold(struct learn_model *model, size_t label, float threshold)
{
    model->thresholds[label] = threshold;
}

/* ---- the file ---- */

static enum err corrupt(struct why *why, const char *what)
{
    return err_set(why, ERR_CORRUPT, "the classifier is damaged: %s", what);
}

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

size_t learn_columns(size_t n_labels)
{
    return n_labels == 2 ? 1 : n_labels;
}

enum err learn_model_new(size_t n_labels, const struct learn_shape *shape, struct learn_model **out,
                         struct why *why)
{
    size_t columns = learn_columns(n_labels);
    struct learn_model *m = calloc(1, sizeof *m);
    if (m) {
        m->n_labels = n_labels;
        m->columns = columns;
        m->shape = *shape;
        m->temperature = 1;
        m->weights = calloc((size_t)1 << shape->bits, columns);
    }
    if (!m || !m->weights) {
        learn_free(m);
        return err_set(why, ERR_NO_MEMORY, "could not hold a classifier of %zu labels", n_labels);
    }
    for (size_t i = 0; i < n_labels; i++)
        m->thresholds[i] = 0.5f;
    *out = m;
    return ERR_OK;
}

void learn_free(struct learn_model *model)
{
    if (!model)
        return;
    free(model->names);
    free(model->weights);
    free(model);
}

enum err learn_model_name(struct learn_model *m, const struct str *labels, struct str note,
                          struct why *why)
{
    size_t size = note.len + 1, at = 0;
    for (size_t i = 0; i < m->n_labels; i++)
        size += labels[i].len;
    m->names = malloc(size);
    if (!m->names)
        return err_set(why, ERR_NO_MEMORY, "could not hold the names of labels");
    for (size_t i = 0; i < m->n_labels; at += labels[i++].len) {
        memcpy(m->names + at, labels[i].ptr, labels[i].len);
        m->labels[i] = (struct str){m->names + at, labels[i].len};
    }
    if (note.len)
        memcpy(m->names + at, note.ptr, note.len);
    m->note = (struct str){m->names + at, note.len};
    return ERR_OK;
}

static bool sizes_fit(const struct file_header *h)
{
    return h->n_labels >= 2 && h->n_labels <= LEARN_LABELS_MOST &&
           h->columns == learn_columns(h->n_labels) && h->bits >= 10 &&
           h->bits <= LEARN_BITS_MOST && h->grams_least >= 1 && h->grams_least <= h->grams_most &&
           h->grams_most <= LEARN_GRAMS_MOST && h->note_len <= LEARN_NOTE_BYTES &&
           h->labels_len <= LEARN_LABELS_MOST * (LEARN_LABEL_BYTES + 1) && h->reserved == 0 &&
           h->reserved2 == 0;
}

static uint64_t checksum(struct str bytes)
{
    struct file_header h;
    memcpy(&h, bytes.ptr, sizeof h);
    h.hash = 0;
    return hash64(bytes.ptr + sizeof h, bytes.len - sizeof h, hash64(&h, sizeof h, 0));
}

/* The names, each behind the byte of its length. */
static enum err read_names(struct learn_model *m, struct str bytes, const struct file_header *h,
                           struct why *why)
{
    struct str labels[LEARN_LABELS_MOST];
    struct str list = {bytes.ptr + sizeof *h, h->labels_len};
    struct str note = {list.ptr + list.len, h->note_len};
    size_t at = 0;
    for (size_t i = 0; i < h->n_labels; i++) {
        size_t len = at < list.len ? (unsigned char)list.ptr[at] : 0;
        if (len < 1 || len > LEARN_LABEL_BYTES || len > list.len - at - 1)
            return corrupt(why, "a label lies outside");
        labels[i] = (struct str){list.ptr + at + 1, len};
        if (utf8_invalid(labels[i]) != STR_NPOS)
            return corrupt(why, "a label is no text");
        at += len + 1;
    }
    if (at != list.len || utf8_invalid(note) != STR_NPOS)
        return corrupt(why, "its names are not where they should be");
    return learn_model_name(m, labels, note, why);
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]) || fabsf(x[i]) > 1e6f)
            return false;
    return true;
}

static enum err read_numbers(struct learn_model *m, const char *at, const struct file_header *h,
                             struct why *why)
{
    size_t n = m->n_labels, columns = m->columns;
    m->temperature = h->temperature;
    memcpy(m->thresholds, at, n * sizeof(float));
    memcpy(m->biases, at + n * sizeof(float), columns * sizeof(float));
    memcpy(m->scales, at + (n + columns) * sizeof(float), columns * sizeof(float));
    if (!all_finite(m->thresholds, n) || !all_finite(m->biases, columns) ||
        !all_finite(m->scales, columns) || !all_finite(&m->temperature, 1) ||
        m->temperature < 1e-3f)
        return corrupt(why, "it holds what is no number");
    memcpy(m->weights, at + padded((n + 2 * columns) * sizeof(float)), columns << h->bits);
    return ERR_OK;
}

enum err learn_read(struct str bytes, struct learn_model **out, struct why *why)
{
    struct file_header h;
    struct learn_model *m = NULL;
    if (bytes.len < sizeof h)
        return corrupt(why, "it is too short");
    memcpy(&h, bytes.ptr, sizeof h);
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0)
        return corrupt(why, "it is of another kind or version");
    if (!sizes_fit(&h))
        return corrupt(why, "its sizes are out of range");
    size_t front = padded(sizeof h + h.labels_len + h.note_len);
    size_t numbers = padded((h.n_labels + 2 * (size_t)h.columns) * sizeof(float));
    if (bytes.len != front + numbers + ((size_t)h.columns << h.bits))
        return corrupt(why, "it has not the size of its tables");
    if (checksum(bytes) != h.hash)
        return corrupt(why, "its checksum differs");
    struct learn_shape shape = {h.bits, h.grams_least, h.grams_most, (size_t)h.most_characters};
    enum err err = learn_model_new(h.n_labels, &shape, &m, why);
    if (!err)
        err = read_names(m, bytes, &h, why);
    if (!err)
        err = read_numbers(m, bytes.ptr + front, &h, why);
    if (err) {
        learn_free(m);
        return err;
    }
    *out = m;
    return ERR_OK;
}

static void add_padding(struct buf *buf)
{
    while (buf->len % 8 && !buf->failed)
        buf_char(buf, '\0');
}

enum err learn_write(const struct learn_model *m, struct arena *arena, struct str *out,
                     struct why *why)
{
    struct buf buf;
    struct file_header h = {.n_labels = (uint32_t)m->n_labels,
                            .columns = (uint32_t)m->columns,
                            .bits = m->shape.bits,
                            .grams_least = m->shape.grams_least,
                            .grams_most = m->shape.grams_most,
                            .note_len = (uint32_t)m->note.len,
                            .most_characters = m->shape.most_characters,
                            .temperature = m->temperature};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    for (size_t i = 0; i < m->n_labels; i++)
        h.labels_len += (uint32_t)m->labels[i].len + 1;
    buf_init(&buf, arena);
    buf_add(&buf, (struct str){(const char *)&h, sizeof h});
    for (size_t i = 0; i < m->n_labels; i++) {
        buf_char(&buf, (char)m->labels[i].len);
        buf_add(&buf, m->labels[i]);
    }
    buf_add(&buf, m->note);
    add_padding(&buf);
    buf_add(&buf, (struct str){(const char *)m->thresholds, m->n_labels * sizeof(float)});
    buf_add(&buf, (struct str){(const char *)m->biases, m->columns * sizeof(float)});
    buf_add(&buf, (struct str){(const char *)m->scales, m->columns * sizeof(float)});
    add_padding(&buf);
    buf_add(&buf, (struct str){(const char *)m->weights, m->columns << m->shape.bits});
    enum err err = buf_err(&buf, why);
    if (err)
        return err;
    h.hash = checksum(buf_str(&buf));
    memcpy(buf.ptr, &h, sizeof h);
    *out = buf_str(&buf);
    return ERR_OK;
}
