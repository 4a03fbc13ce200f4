/* Reading a tagger: head, kinds, marks, follow, the groups' keys and rows, checksum; little endian.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "learn/tagger_in.h"

#define MOST_PLACES ((size_t)1 << 20) /* of a table */

struct reader {
    struct str rest;
    bool bad;
};

static const unsigned char *take(struct reader *r, size_t n)
{
    if (r->bad || r->rest.len < n) {
        r->bad = true;
        return NULL;
    }
    const char *p = r->rest.ptr;
    r->rest = str_from(r->rest, n);
    return (const unsigned char *)p;
}

static uint32_t take32(struct reader *r)
{
    const unsigned char *p = take(r, 4);
    return p ? p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

static float take_float(struct reader *r)
{
    uint32_t bits = take32(r);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void read_head(struct reader *r, struct tagger *t)
{
    t->n_kinds = take32(r);
    r->bad = r->bad || t->n_kinds < 1 || t->n_kinds > TAGGER_KINDS;
    for (size_t k = 0; !r->bad && k < t->n_kinds; k++) {
        const unsigned char *name = take(r, TAGGER_NAME);
        r->bad = r->bad || !memchr(name, 0, TAGGER_NAME);
        if (!r->bad)
            memcpy(t->kinds[k], name, TAGGER_NAME);
        t->slope[k] = take_float(r);
        t->shift[k] = take_float(r);
        r->bad = r->bad || !isfinite(t->slope[k]) || !isfinite(t->shift[k]);
    }
    t->marks.n = take32(r);
    r->bad = r->bad || t->marks.n > TAGGER_MARKS;
    for (size_t i = 0; !r->bad && i < t->marks.n; i++)
        t->marks.chars[i] = take32(r);
    if (r->bad)
        return;
    tagger_marks_set(&t->marks);
    for (size_t p = 0; !r->bad && p <= TAGS; p++)
        for (size_t q = 0; !r->bad && q < TAGS; q++) {
            int32_t value = (int32_t)take32(r);
            r->bad = r->bad || value < -TAGGER_FOLLOW || value > TAGGER_FOLLOW;
            t->follow[p][q] = (int16_t)value;
        }
}

static uint32_t key_at(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Whether an entry near this one has the key's sign: they would be taken for one another. */
static bool has_twin(const struct tagger_table *table, size_t at, uint32_t key)
{
    size_t from = at < TAGGER_TRIES ? 0 : at - (TAGGER_TRIES - 1);
    for (size_t k = from; k < at + TAGGER_TRIES && k < table->mask + TAGGER_TRIES; k++)
        if (table->entries[k] && table->entries[k] >> 16 == key >> 16)
            return true;
    return false;
}

/* The first free of the key's entries; a twin is left out. False when all are taken. */
static bool put_entry(struct tagger_table *table, uint32_t key, size_t row)
{
    size_t at = key & table->mask, k = 0;
    while (k < TAGGER_TRIES && table->entries[at + k])
        k++;
    if (k < TAGGER_TRIES && !has_twin(table, at + k, key))
        table->entries[at + k] = (key & 0xFFFF0000) | (uint32_t)row;
    return k < TAGGER_TRIES;
}

/* The keys' entries, in as few places as hold them all apart. */
static enum err make_entries(struct tagger_table *table, const unsigned char *keys, size_t n,
                             size_t step, struct why *why)
{
    size_t places = 64;
    while (places < n * 3)
        places *= 2;
    for (bool whole = false; !whole && places <= MOST_PLACES; places *= 2) {
        free(table->entries);
        table->mask = (uint32_t)places - 1;
        table->entries = calloc(places + TAGGER_TRIES - 1, sizeof *table->entries);
        if (!table->entries)
            return err_set(why, ERR_NO_MEMORY, "could not hold the tagger");
        whole = true;
        for (size_t i = 0; whole && i < n; i++)
            whole = put_entry(table, key_at(keys + i * step), i + 1);
        if (whole)
            return ERR_OK;
    }
    return err_set(why, ERR_CORRUPT, "the tagger's keys are too much alike");
}

static enum err read_group(struct reader *r, struct tagger *t, enum tagger_group group,
                           struct why *why)
{
    struct tagger_table *table = &t->tables[group];
    size_t n = take32(r), size = (size_t)tagger_shapes[group].rows * TAGS;
    r->bad = r->bad || n > TAGGER_KEYS || r->rest.len < n * (4 + size);
    if (r->bad)
        return ERR_OK;
    const unsigned char *keys = (const unsigned char *)r->rest.ptr;
    table->rows = calloc(n + 1, size);
    if (!table->rows)
        return err_set(why, ERR_NO_MEMORY, "could not hold the tagger");
    for (size_t i = 1; i <= n; i++)
        memcpy(table->rows + i * size, take(r, 4 + size) + 4, size);
    return make_entries(table, keys, n, 4 + size, why);
}

static void set_direct(struct tagger *t)
{
    for (uint32_t i = 0; i < 1u << SORTS_BITS; i++)
        t->sort_rows[i] =
            (uint16_t)tagger_rows(&t->tables[GROUP_SORTS], tagger_key_of(GROUP_SORTS, i));
    for (uint32_t i = 0; i < 1u << MARKS_BITS; i++)
        t->mark_rows[i] =
            (uint16_t)tagger_rows(&t->tables[GROUP_MARKS], tagger_key_of(GROUP_MARKS, i));
    for (uint32_t i = 0; i < 1u << NEAR_BITS; i++)
        t->near_rows[i] =
            (uint16_t)tagger_rows(&t->tables[GROUP_NEAR], tagger_key_of(GROUP_NEAR, i));
}

enum err tagger_read(struct str bytes, struct tagger **out, struct why *why)
{
    struct reader r = {.rest = bytes};
    uint64_t sum = 0;
    enum err err = ERR_OK;
    struct tagger *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(why, ERR_NO_MEMORY, "could not hold the tagger");
    r.bad = bytes.len < 16 || memcmp(bytes.ptr, "YCTAG2\n", 8) != 0;
    if (!r.bad) {
        memcpy(&sum, bytes.ptr + bytes.len - 8, 8);
        r.bad = sum != hash64(bytes.ptr, bytes.len - 8, 1);
        r.rest = str_slice(bytes, 8, bytes.len - 8);
    }
    if (!r.bad)
        read_head(&r, t);
    for (unsigned g = 0; !err && !r.bad && g < TAGGER_GROUPS; g++)
        err = read_group(&r, t, (enum tagger_group)g, why);
    if (!err && (r.bad || r.rest.len))
        err = err_set(why, ERR_CORRUPT, "the file is not a whole tagger");
    if (!err && !tagger_steps_set(t))
        err = err_set(why, ERR_NO_MEMORY, "could not hold the tagger");
    if (err) {
        tagger_free(t);
        return err;
    }
    set_direct(t);
    *out = t;
    return ERR_OK;
}

void tagger_free(struct tagger *tagger)
{
    if (!tagger)
        return;
    for (size_t g = 0; g < TAGGER_GROUPS; g++) {
        free(tagger->tables[g].entries);
        free(tagger->tables[g].rows);
    }
    free(tagger->steps);
    free(tagger);
}
