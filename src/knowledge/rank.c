/*
 * rank: reading a model, and the three sums it makes.
 *
 * The file, little-endian: header, note, then the tables in the order of struct file_sizes. Vectors
 * are signed bytes with a scale a row.
 */
#include "knowledge/rank.h"

#include "knowledge/rank_shipped.h"
#include "knowledge/rank_told.h"

#include "core/arena.h"
#include "core/hash.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RANK_MAGIC   "YCRANK2"
#define WORDS_MOST   2000000u
#define SATURATION   1.0f /* k1 and b of the weights the words were learned with */
#define LENGTH_SHARE 0.6f

struct file_header {
    char magic[8];
    uint32_t n_features, dim, n_words, n_asked, n_nodes, n_trees, note_len, reserved;
    float mean_tokens, question_scale;
    uint32_t n_told, n_told_terms, n_told_postings, n_told_articles, n_told_answers, reserved2;
    uint64_t words_hash; /* of words, weights, vectors and their scales: the id */
    uint64_t hash;       /* of all bytes behind the header */
};

struct rank_model {
    uint8_t *bytes; /* the tables point into it; 8-aligned */
    struct file_header header;
    struct str note;
    const uint64_t *words;
    const float *weights, *scales, *asked_scales, *matrix;
    const uint32_t *asked, *roots;
    const struct rank_tree_node *nodes;
    const int8_t *vectors, *corrections;
    struct rank_told told;
};

static const struct {
    const char *name, *words;
} features[] = {
#define RANK_ROW(name, words) {#name, words},
    RANK_FEATURES(RANK_ROW)
#undef RANK_ROW
};

const char *rank_feature_name(enum rank_feature feature)
{
    return features[feature].name;
}

const char *rank_feature_words(enum rank_feature feature)
{
    return features[feature].words;
}

/* ---- the file ---- */

struct table {
    size_t size; /* bytes, padded to 8 in the file */
    const void **place;
};

#define N_TABLES 17

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* The tables in file order, with where the model keeps them. */
static void tables_of(const struct file_header *h, struct rank_model *m, struct table t[N_TABLES])
{
    size_t dim = h->dim, words = h->n_words, asked = h->n_asked, told_any = h->n_told > 0;
    struct rank_told *told = &m->told;
    const struct table all[N_TABLES] = {
        {words * 8, (const void **)&m->words},
        {words * 4, (const void **)&m->weights},
        {words * 4, (const void **)&m->scales},
        {words * dim, (const void **)&m->vectors},
        {asked * 4, (const void **)&m->asked},
        {asked * 4, (const void **)&m->asked_scales},
        {asked * dim, (const void **)&m->corrections},
        {(asked ? dim : 0) * dim * 4, (const void **)&m->matrix},
        {(size_t)h->n_trees * 4, (const void **)&m->roots},
        {(size_t)h->n_nodes * sizeof(struct rank_tree_node), (const void **)&m->nodes},
        {(size_t)h->n_told_terms * 8, (const void **)&told->terms},
        {told_any * ((size_t)h->n_told_terms + 1) * 4, (const void **)&told->first},
        {(size_t)h->n_told_postings * 4, (const void **)&told->postings},
        {h->n_told * dim, (const void **)&told->vectors},
        {h->n_told_articles * sizeof(struct rank_told_article), (const void **)&told->articles},
        {told_any * ((size_t)h->n_told + 1) * 4, (const void **)&told->answers_first},
        {(size_t)h->n_told_answers * 4, (const void **)&told->answers},
    };
    memcpy(t, all, sizeof all);
}

static enum err corrupt(struct why *why, const char *what)
{
    return err_set(why, ERR_CORRUPT, "the ranking model is damaged: %s", what);
}

static enum err check_trees(const struct rank_model *m, struct why *why)
{
    for (uint32_t t = 0; t < m->header.n_trees; t++) {
        uint32_t root = m->roots[t];
        uint32_t end = t + 1 < m->header.n_trees ? m->roots[t + 1] : m->header.n_nodes;
        if (root >= end || end > m->header.n_nodes)
            return corrupt(why, "a tree lies outside");
        for (uint32_t i = root; i < end; i++) {
            const struct rank_tree_node *node = &m->nodes[i];
            if (!isfinite(node->value))
                return corrupt(why, "a tree holds no number");
            if (node->feature < 0)
                continue;
            /* Children stand behind their parent: every walk ends. */
            if (node->feature >= RANK_N_FEATURES || node->left <= i - root ||
                node->right <= i - root || node->left >= end - root || node->right >= end - root)
                return corrupt(why, "a tree's branch leads astray");
        }
    }
    return ERR_OK;
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]) || fabsf(x[i]) > 1e6f)
            return false;
    return true;
}

static enum err check_words(const struct rank_model *m, struct why *why)
{
    const struct file_header *h = &m->header;
    for (uint32_t i = 1; i < h->n_words; i++)
        if (m->words[i] <= m->words[i - 1])
            return corrupt(why, "its words are out of order");
    for (uint32_t i = 0; i < h->n_asked; i++)
        if (m->asked[i] >= h->n_words || (i && m->asked[i] <= m->asked[i - 1]))
            return corrupt(why, "its corrections are out of order");
    if (!all_finite(m->weights, h->n_words) || !all_finite(m->scales, h->n_words) ||
        !all_finite(m->asked_scales, h->n_asked) ||
        !all_finite(m->matrix, h->n_asked ? (size_t)h->dim * h->dim : 0) ||
        !all_finite(&h->mean_tokens, 1) || !all_finite(&h->question_scale, 1) || h->mean_tokens < 1)
        return corrupt(why, "it holds what is no number");
    return ERR_OK;
}

static enum err read_model(struct rank_model *m, struct str bytes, struct why *why)
{
    struct file_header *h = &m->header;
    if (bytes.len < sizeof *h)
        return corrupt(why, "it is too short");
    memcpy(h, bytes.ptr, sizeof *h);
    if (memcmp(h->magic, RANK_MAGIC, sizeof h->magic) != 0 || h->n_features != RANK_N_FEATURES)
        return corrupt(why, "it is of another kind or version");
    if (h->dim < 1 || h->dim > RANK_DIM_MOST || h->n_words > WORDS_MOST ||
        h->n_asked > h->n_words || h->n_trees > RANK_TREES_MOST || h->n_nodes > WORDS_MOST ||
        h->note_len > 4096 || h->n_told > RANK_TOLD_MOST || h->n_told_terms > WORDS_MOST ||
        h->n_told_postings > WORDS_MOST || h->n_told_articles > WORDS_MOST ||
        h->n_told_answers > WORDS_MOST)
        return corrupt(why, "its sizes are out of range");
    struct table tables[N_TABLES];
    tables_of(h, m, tables);
    size_t at = sizeof *h + padded(h->note_len), need = at;
    for (size_t i = 0; i < N_TABLES; i++)
        need += padded(tables[i].size);
    if (bytes.len != need)
        return corrupt(why, "it has not the size of its tables");
    m->bytes = malloc(need);
    if (!m->bytes)
        return err_set(why, ERR_NO_MEMORY, "could not hold a ranking model of %zu bytes", need);
    memcpy(m->bytes, bytes.ptr, need);
    if (hash64(m->bytes + sizeof *h, need - sizeof *h, 0) != h->hash)
        return corrupt(why, "its checksum differs");
    m->note = (struct str){(char *)m->bytes + sizeof *h, h->note_len};
    for (size_t i = 0; i < N_TABLES; at += padded(tables[i++].size))
        *tables[i].place = m->bytes + at;
    m->told.n = h->n_told;
    m->told.n_terms = h->n_told_terms;
    m->told.n_postings = h->n_told_postings;
    m->told.n_articles = h->n_told_articles;
    m->told.n_answers = h->n_told_answers;
    if (!rank_told_check(&m->told))
        return corrupt(why, "its known questions lead astray");
    enum err err = check_words(m, why);
    return err ? err : check_trees(m, why);
}

enum err rank_model_parse(struct str bytes, struct rank_model **out, struct why *why)
{
    struct rank_model *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(why, ERR_NO_MEMORY, "could not hold a ranking model");
    enum err err = read_model(m, bytes, why);
    if (err) {
        rank_model_free(m);
        return err;
    }
    *out = m;
    return ERR_OK;
}

void rank_model_free(struct rank_model *m)
{
    if (m)
        free(m->bytes);
    free(m);
}

static void put_rows(int8_t *out, float *scales, const float *rows, size_t n, size_t dim)
{
    for (size_t i = 0; i < n; i++) {
        const float *row = rows + i * dim;
        float most = 0;
        for (size_t k = 0; k < dim; k++)
            most = fmaxf(most, fabsf(row[k]));
        scales[i] = most / 127;
        for (size_t k = 0; k < dim; k++)
            out[i * dim + k] = most > 0 ? (int8_t)lrintf(row[k] / scales[i]) : 0;
    }
}

enum err rank_model_write(const struct rank_parts *p, struct arena *arena, struct str *out,
                          struct why *why)
{
    struct file_header h = {.magic = RANK_MAGIC,
                            .n_features = RANK_N_FEATURES,
                            .dim = p->dim,
                            .n_words = p->n_words,
                            .n_asked = p->n_asked,
                            .n_nodes = p->n_nodes,
                            .n_trees = p->n_trees,
                            .note_len = (uint32_t)p->note.len,
                            .mean_tokens = p->mean_tokens,
                            .question_scale = p->question_scale};
    if (p->told) {
        h.n_told = p->told->n;
        h.n_told_terms = p->told->n_terms;
        h.n_told_postings = p->told->n_postings;
        h.n_told_articles = p->told->n_articles;
        h.n_told_answers = p->told->n_answers;
    }
    struct rank_model m;
    struct table t[N_TABLES];
    tables_of(&h, &m, t);
    size_t at = sizeof h + padded(p->note.len), size = at;
    for (size_t i = 0; i < N_TABLES; i++)
        size += padded(t[i].size);
    uint8_t *bytes = arena_alloc(arena, size);
    if (!bytes)
        return err_set(why, ERR_NO_MEMORY, "could not hold a ranking model of %zu bytes", size);
    memcpy(bytes + sizeof h, p->note.ptr, p->note.len);
    uint8_t *place[N_TABLES];
    for (size_t i = 0; i < N_TABLES; at += padded(t[i++].size))
        place[i] = bytes + at;
    memcpy(place[0], p->words, t[0].size);
    memcpy(place[1], p->weights, t[1].size);
    put_rows((int8_t *)place[3], (float *)(void *)place[2], p->vectors, p->n_words, p->dim);
    if (p->n_asked) {
        memcpy(place[4], p->asked, t[4].size);
        put_rows((int8_t *)place[6], (float *)(void *)place[5], p->corrections, p->n_asked, p->dim);
        memcpy(place[7], p->matrix, t[7].size);
    }
    if (p->n_trees) {
        memcpy(place[8], p->roots, t[8].size);
        memcpy(place[9], p->nodes, t[9].size);
    }
    const struct rank_told none = {0}, *told = p->told ? p->told : &none;
    const void *const known[] = {told->terms,    told->first,         told->postings, told->vectors,
                                 told->articles, told->answers_first, told->answers};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (t[10 + i].size)
            memcpy(place[10 + i], known[i], t[10 + i].size);
    h.words_hash = hash64(place[0], (size_t)(place[4] - place[0]), h.dim);
    h.hash = hash64(bytes + sizeof h, size - sizeof h, 0);
    memcpy(bytes, &h, sizeof h);
    *out = (struct str){(char *)bytes, size};
    return ERR_OK;
}

/* ---- the shipped one ---- */

static struct rank_model *shipped;

static void read_shipped(void)
{
    struct why why = {0};
    /* Both are labels of one blob, which the assembler made. */
    struct str bytes = {(const char *)rank_shipped_begin,
                        /* cppcheck-suppress comparePointers */
                        (size_t)(rank_shipped_end - rank_shipped_begin)};
    if (rank_model_parse(bytes, &shipped, &why))
        abort(); /* it is part of the binary: a bug, or no memory at start */
}

const struct rank_model *rank_model_shipped(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, read_shipped);
    return shipped;
}

/* ---- what it computes ---- */

size_t rank_model_dim(const struct rank_model *m)
{
    return m->header.dim;
}

uint64_t rank_model_id(const struct rank_model *m)
{
    return m->header.words_hash;
}

struct str rank_model_note(const struct rank_model *m)
{
    return m->note;
}

/* The place of a term, at or behind *from, or -1. Terms asked for in ascending order share work. */
static int64_t find_word(const struct rank_model *m, uint64_t term, size_t *from)
{
    size_t low = *from, high = m->header.n_words;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->words[middle] < term)
            low = middle + 1;
        else
            high = middle;
    }
    *from = low;
    return low < m->header.n_words && m->words[low] == term ? (int64_t)low : -1;
}

double rank_word_share(const struct rank_model *m, uint64_t term)
{
    size_t from = 0;
    int64_t at = find_word(m, term, &from);
    /* Their weight is log(1 + (n - in) / in), so this is in / n. */
    return at < 0 ? 0 : exp(-(double)m->weights[at]);
}

float rank_term_weight(const struct rank_model *m, uint64_t term)
{
    size_t from = 0;
    int64_t at = find_word(m, term, &from);
    return at < 0 ? RANK_RARE : m->weights[at];
}

const struct rank_told *rank_model_told(const struct rank_model *m)
{
    return &m->told;
}

static void add_row(float *to, const int8_t *row, float weight, size_t dim)
{
    for (size_t k = 0; k < dim; k++)
        to[k] += weight * (float)row[k];
}

static float length(const float *x, size_t dim)
{
    float sum = 0;
    for (size_t k = 0; k < dim; k++)
        sum += x[k] * x[k];
    return sqrtf(sum);
}

void rank_passage_vector(const struct rank_model *m, const uint64_t *terms, size_t n, int8_t *out,
                         float *scale)
{
    size_t dim = m->header.dim, from = 0;
    float sum[RANK_DIM_MOST] = {0};
    float slow = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * (float)n / m->header.mean_tokens);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && terms[j] == terms[i];)
            j++;
        int64_t at = find_word(m, terms[i], &from);
        if (at < 0)
            continue;
        float times = (float)(j - i);
        add_row(sum, m->vectors + (size_t)at * dim,
                m->weights[at] * m->scales[at] * times / (times + slow), dim);
    }
    float len = length(sum, dim);
    if (len > 0)
        for (size_t k = 0; k < dim; k++)
            sum[k] /= len;
    put_rows(out, scale, sum, 1, dim);
}

static int64_t find_asked(const struct rank_model *m, uint32_t word)
{
    size_t low = 0, high = m->header.n_asked;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->asked[middle] < word)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->header.n_asked && m->asked[low] == word ? (int64_t)low : -1;
}

void rank_question_vectors(const struct rank_model *m, const uint64_t *terms, const uint32_t *times,
                           size_t n, float *asked, float *latent)
{
    size_t dim = m->header.dim;
    float corrected[RANK_DIM_MOST] = {0}, total = 0;
    memset(asked, 0, dim * sizeof *asked);
    memset(latent, 0, dim * sizeof *latent);
    for (size_t i = 0; i < n; i++) {
        size_t from = 0;
        int64_t at = find_word(m, terms[i], &from);
        if (at < 0)
            continue;
        float weight = m->weights[at] * (float)times[i];
        total += weight * weight;
        add_row(latent, m->vectors + (size_t)at * dim,
                weight * m->scales[at] * m->header.question_scale, dim);
        int64_t own = find_asked(m, (uint32_t)at);
        if (own >= 0)
            add_row(corrected, m->corrections + (size_t)own * dim, weight * m->asked_scales[own],
                    dim);
    }
    float norm = total > 0 ? 1 / sqrtf(total) : 0;
    for (size_t k = 0; k < dim; k++) {
        latent[k] *= norm;
        corrected[k] = corrected[k] * norm + latent[k];
    }
    if (!m->header.n_asked) {
        memcpy(asked, latent, dim * sizeof *asked);
        return;
    }
    for (size_t i = 0; i < dim; i++)
        for (size_t k = 0; k < dim; k++)
            asked[k] += corrected[i] * m->matrix[i * dim + k];
}

bool rank_has_trees(const struct rank_model *m)
{
    return m->header.n_trees > 0;
}

_Static_assert(offsetof(struct rank_tree_node, right) ==
                   offsetof(struct rank_tree_node, left) + sizeof(uint16_t),
               "read as one number");

/* The child without a branch that a processor would have to guess: left stands before right. */
static inline uint32_t child_of(const struct rank_tree_node *node, const float *x)
{
    uint32_t both;
    memcpy(&both, &node->left, sizeof both);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return both >> (x[node->feature] < node->value ? 0 : 16) & 0xFFFF;
#else
    return both >> (x[node->feature] < node->value ? 16 : 0) & 0xFFFF;
#endif
}

/* Four at a time: while one waits for its node, the others go on. */
static void score_four(const struct rank_model *m, const float *const x[4], float sum[4])
{
    for (uint32_t t = 0; t < m->header.n_trees; t++) {
        const struct rank_tree_node *tree = m->nodes + m->roots[t];
        uint32_t at[4] = {0};
        bool on_the_way;
        do {
            on_the_way = false;
            for (int k = 0; k < 4; k++) {
                const struct rank_tree_node *node = tree + at[k];
                if (node->feature >= 0) {
                    at[k] = child_of(node, x[k]);
                    on_the_way = true;
                }
            }
        } while (on_the_way);
        for (int k = 0; k < 4; k++)
            sum[k] += tree[at[k]].value;
    }
}

void rank_scores(const struct rank_model *m, const float *const *rows, size_t n, float *out)
{
    for (size_t i = 0; i < n; i += 4) {
        const float *x[4];
        float sum[4] = {0};
        for (size_t k = 0; k < 4; k++)
            x[k] = rows[i + k < n ? i + k : n - 1];
        score_four(m, x, sum);
        for (size_t k = 0; k < 4 && i + k < n; k++)
            out[i + k] = m->header.n_trees ? sum[k] : x[k][RANK_first];
    }
}

float rank_score(const struct rank_model *m, const float x[RANK_N_FEATURES])
{
    float out;
    rank_scores(m, &x, 1, &out);
    return out;
}
