/* retrieve_view: the segments of some bases as one, with what ranking needs of each version. */
#include "knowledge/retrieve_in.h"

#include "knowledge/dense.h"
#include "knowledge/tokens.h"

#include "core/arena.h"
#include "core/log.h"
#include "core/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CITED_WEIGHT   0.06f
#define OTHER_STANDING 1.1f /* of policies, guides, questions and answers */
#define NATIONAL       6    /* level from which a law binds everywhere */
#define HEADS_MOST     4    /* a version, that are marked down */

/* How much a source of each level weighs: what binds everywhere before what binds in one place. */
static const float level_standing[10] = {0.6f, 0.6f, 0.6f, 0.65f, 0.7f, 0.7f, 0.95f, 0.85f, 1, 1};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the search");
}

/* Adds up over all segments how often each title is cited. */
static enum err count_cited(const struct retrieve *r, struct map *cited, struct arena *arena,
                            struct why *why)
{
    map_init(cited, arena);
    for (size_t s = 0; s < r->n_segments; s++) {
        size_t n = index_n_cited(r->segments[s].index);
        uint64_t *keys = arena_array(arena, uint64_t, n + 1);
        if (!keys)
            return no_memory(why);
        for (size_t i = 0; i < n; i++) {
            uint32_t times;
            index_cited_at(r->segments[s].index, i, &keys[i], &times);
            struct map_entry *e =
                map_put(cited, (struct str){(char *)&keys[i], sizeof keys[i]}, NULL);
            if (!e)
                return no_memory(why);
            e->value.u += times;
        }
    }
    return ERR_OK;
}

/* Whether the base is a collection of national law: what the trees were learned on. A city's own
 * rules are laws too, but among themselves the trees only disturb them. */
static bool holds_national(const struct catalog *catalog)
{
    size_t national = 0;
    for (size_t i = 0; i < catalog->n_versions; i++)
        national += catalog->versions[i].meta.kind == KNOWLEDGE_LAW &&
                    catalog->versions[i].meta.level >= NATIONAL;
    return 10 * national > catalog->n_versions;
}

/* What the catalog says of a version in segment `s` of it, and its standing. */
static void set_version(const struct catalog *catalog, bool has_law, uint32_t s, struct str id,
                        const struct map *cited, struct version *v)
{
    const struct catalog_version *row = catalog_version(catalog, id);
    *v = (struct version){.catalog = catalog, .row = row && row->segment == s ? row : NULL};
    if (!v->row)
        return;
    v->title = tokens_title_hash(row->meta.title);
    v->law = row->meta.kind == KNOWLEDGE_LAW && has_law;
    const struct map_entry *e = map_find(cited, (struct str){(char *)&v->title, sizeof v->title});
    v->cited = logf(1 + (e ? (float)e->value.u : 0));
    int level = row->meta.level < 0 ? 0 : row->meta.level > 9 ? 9 : row->meta.level;
    v->standing = row->meta.kind == KNOWLEDGE_LAW
                      ? level_standing[level] * (1 + CITED_WEIGHT * v->cited)
                      : OTHER_STANDING;
    v->standing_log = logf(v->standing);
}

static enum err open_segments(struct retrieve *r, const struct catalog *const *catalogs, size_t n,
                              struct why *why)
{
    size_t total = 0;
    for (size_t c = 0; c < n; c++)
        total += catalogs[c]->n_segments;
    r->segments = calloc(total + 1, sizeof *r->segments);
    if (!r->segments)
        return no_memory(why);
    for (size_t c = 0; c < n; c++)
        for (uint32_t i = 0; i < catalogs[c]->n_segments; i++) {
            struct segment *s = &r->segments[r->n_segments];
            enum err err = index_open(catalogs[c]->segments[i].path.ptr, &s->index, why);
            if (err)
                return err;
            r->n_segments++;
            s->catalog = c;
            s->first_passage = (uint32_t)r->n_passages;
            s->first_version = (uint32_t)r->n_versions;
            r->n_passages += index_n_passages(s->index);
            r->n_versions += index_n_versions(s->index);
            if (r->n_passages > UINT32_MAX / 4)
                return err_set(why, ERR_TOO_LARGE, "too many passages for one search");
        }
    return ERR_OK;
}

static void set_passages(struct retrieve *r)
{
    uint64_t tokens = 0;
    for (size_t s = 0; s < r->n_segments; s++)
        tokens += index_n_tokens(r->segments[s].index);
    float mean = r->n_passages ? fmaxf(1, (float)tokens / (float)r->n_passages) : 1;
    for (size_t s = 0, g = 0; s < r->n_segments; s++) {
        const struct segment *segment = &r->segments[s];
        for (uint32_t i = 0; i < index_n_passages(segment->index); i++, g++) {
            struct index_facts facts;
            index_facts(segment->index, i, &facts);
            r->version_of[g] = segment->first_version + facts.version;
            if (facts.kind == PASSAGE_HEAD && r->n_heads < r->n_versions * HEADS_MOST)
                r->heads[r->n_heads++] = (uint32_t)g;
            r->slow[g] = RETRIEVE_K1 *
                         (1 - RETRIEVE_LENGTH + RETRIEVE_LENGTH * (float)facts.n_tokens / mean);
            r->once[g] = 1 / (1 + r->slow[g]);
        }
        for (uint32_t v = 0; v < index_n_versions(segment->index); v++)
            r->segment_of[segment->first_version + v] = (uint32_t)s;
    }
}

static enum err set_runs(struct retrieve *r, struct why *why)
{
    size_t n = r->n_passages > 0;
    for (size_t g = 1; g < r->n_passages; g++)
        n += r->version_of[g] != r->version_of[g - 1];
    r->runs = calloc(n + 1, sizeof *r->runs);
    if (!r->runs)
        return no_memory(why);
    for (size_t g = 0; g < r->n_passages; g++) {
        if (!g || r->version_of[g] != r->version_of[g - 1])
            r->runs[r->n_runs++] = (struct run){(uint32_t)g, (uint32_t)g, r->version_of[g]};
        r->runs[r->n_runs - 1].end = (uint32_t)g + 1;
    }
    return ERR_OK;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The vector of a passage from what was indexed of it. */
static bool make_vector(const struct rank_model *model, const struct index *index, uint32_t passage,
                        struct arena *arena, int8_t *row, float *scale)
{
    struct index_passage p;
    index_get(index, passage, &p);
    const struct str texts[] = {p.title, p.path, p.label, p.text};
    size_t most = 2 * (p.title.len + p.path.len + p.label.len + p.text.len), n = 0;
    uint64_t *terms = arena_calloc(arena, most + 1, sizeof *terms);
    for (size_t i = 0; terms && i < 4; i++) {
        struct tokens tokens;
        tokens_init(&tokens, texts[i], false);
        while (n < most && tokens_next(&tokens, &terms[n]))
            n++;
    }
    if (!terms)
        return false;
    qsort(terms, n, sizeof *terms, by_number);
    rank_passage_vector(model, terms, n, row, scale);
    return true;
}

/* The segment's own vectors, or new ones when another model made them. */
static enum err set_vectors(struct retrieve *r, struct segment *s, struct arena *arena,
                            struct why *why)
{
    size_t dim = rank_model_dim(r->model), n = index_n_passages(s->index);
    s->vectors = index_vectors(s->index, r->model, &s->scales);
    if (s->vectors)
        return ERR_OK;
    s->own_vectors = calloc(n + 1, dim);
    s->own_scales = calloc(n + 1, sizeof *s->own_scales);
    if (!s->own_vectors || !s->own_scales)
        return no_memory(why);
    for (uint32_t i = 0; i < n; i++) {
        arena_reset(arena);
        if (!make_vector(r->model, s->index, i, arena, s->own_vectors + i * dim, &s->own_scales[i]))
            return no_memory(why);
    }
    s->vectors = s->own_vectors;
    s->scales = s->own_scales;
    return ERR_OK;
}

static enum err set_versions(struct retrieve *r, const struct catalog *const *catalogs, size_t n,
                             struct arena *arena, struct why *why)
{
    struct map cited;
    enum err err = count_cited(r, &cited, arena, why);
    if (err)
        return err;
    size_t s = 0;
    for (size_t c = 0; c < n; c++) {
        bool has_law = holds_national(catalogs[c]);
        for (uint32_t i = 0; i < catalogs[c]->n_segments; i++, s++)
            for (uint32_t v = 0; v < index_n_versions(r->segments[s].index); v++)
                set_version(catalogs[c], has_law, i, index_version_id(r->segments[s].index, v),
                            &cited, &r->versions[r->segments[s].first_version + v]);
    }
    return ERR_OK;
}

/* Which row is whose; a damaged file is told and left alone, for the words still find. */
static enum err set_dense(struct retrieve *r, const struct catalog *const *catalogs, size_t n,
                          struct arena *arena, struct why *why)
{
    size_t any = 0;
    r->dense = calloc(n + 1, sizeof *r->dense);
    if (!r->dense)
        return no_memory(why);
    r->n_catalogs = n;
    for (size_t c = 0; c < n; c++) {
        struct why bad = {0};
        if (catalogs[c]->embedder.len == 0)
            continue;
        char *path = dense_path(catalogs[c]->dir.ptr, catalogs[c]->embedder, arena);
        if (!path)
            return no_memory(why);
        r->dense[c].model = catalogs[c]->embedder;
        if (dense_open(path, &r->dense[c].dense, &bad) != ERR_OK)
            LOG_WARN("vectors of a base are not used", LOG_STR("base", catalogs[c]->kb_name),
                     LOG_WHY(&bad));
        else
            any += dense_n(r->dense[c].dense);
    }
    if (!any)
        return ERR_OK;
    r->dense_row = calloc(r->n_passages + 1, sizeof *r->dense_row);
    if (!r->dense_row)
        return no_memory(why);
    for (size_t s = 0; s < r->n_segments; s++) {
        const struct dense *dense = r->dense[r->segments[s].catalog].dense;
        for (uint32_t i = 0; i < index_n_passages(r->segments[s].index); i++) {
            struct index_passage passage;
            index_get(r->segments[s].index, i, &passage);
            r->dense_row[r->segments[s].first_passage + i] =
                dense ? (int32_t)dense_find(dense, dense_key(&passage)) : -1;
        }
    }
    return ERR_OK;
}

struct str retrieve_embedder(const struct retrieve *r, size_t catalog, size_t *dim)
{
    if (catalog >= r->n_catalogs || !r->dense_row || !r->dense[catalog].dense)
        return STR_NONE;
    *dim = dense_dim(r->dense[catalog].dense);
    return *dim ? r->dense[catalog].model : STR_NONE;
}

size_t retrieve_n_catalogs(const struct retrieve *r)
{
    return r->n_catalogs;
}

enum err retrieve_new(const struct catalog *const *catalogs, size_t n,
                      const struct rank_model *model, struct retrieve **out, struct why *why)
{
    struct arena *arena = arena_new((size_t)1 << 30);
    struct retrieve *r = calloc(1, sizeof *r);
    enum err err = arena && r ? ERR_OK : no_memory(why);
    if (err)
        goto done;
    r->model = model ? model : rank_model_shipped();
    err = open_segments(r, catalogs, n, why);
    if (err)
        goto done;
    r->versions = calloc(r->n_versions + 1, sizeof *r->versions);
    r->segment_of = calloc(r->n_versions + 1, sizeof *r->segment_of);
    r->version_of = calloc(r->n_passages + 1, sizeof *r->version_of);
    r->slow = calloc(r->n_passages + 1, sizeof *r->slow);
    r->once = calloc(r->n_passages + 1, sizeof *r->once);
    r->heads = calloc(r->n_versions * HEADS_MOST + 1, sizeof *r->heads);
    if (!r->versions || !r->segment_of || !r->version_of || !r->slow || !r->once || !r->heads) {
        err = no_memory(why);
        goto done;
    }
    set_passages(r);
    err = set_runs(r, why);
    if (err)
        goto done;
    err = set_versions(r, catalogs, n, arena, why);
    for (size_t s = 0; !err && s < r->n_segments; s++)
        err = set_vectors(r, &r->segments[s], arena, why);
    if (!err)
        err = set_dense(r, catalogs, n, arena, why);
    if (!err)
        retrieve_rest(r);
done:
    arena_free(arena);
    if (err)
        retrieve_free(r);
    else
        *out = r;
    return err;
}

void retrieve_rest(const struct retrieve *r)
{
    for (size_t s = 0; s < r->n_segments; s++)
        index_rest(r->segments[s].index);
}

void retrieve_free(struct retrieve *r)
{
    if (!r)
        return;
    for (size_t s = 0; s < r->n_segments; s++) {
        index_close(r->segments[s].index);
        free(r->segments[s].own_vectors);
        free(r->segments[s].own_scales);
    }
    free(r->segments);
    free(r->versions);
    free(r->segment_of);
    free(r->version_of);
    free(r->runs);
    free(r->slow);
    free(r->once);
    free(r->heads);
    for (size_t c = 0; c < r->n_catalogs; c++)
        dense_close(r->dense[c].dense);
    free(r->dense);
    free(r->dense_row);
    free(r);
}

size_t retrieve_n_passages(const struct retrieve *r)
{
    return r->n_passages;
}

size_t retrieve_n_segments(const struct retrieve *r)
{
    return r->n_segments;
}

const struct index *retrieve_segment(const struct retrieve *r, size_t i)
{
    return r->segments[i].index;
}

const int8_t *retrieve_vectors(const struct retrieve *r, size_t segment, const float **scales)
{
    *scales = r->segments[segment].scales;
    return r->segments[segment].vectors;
}
