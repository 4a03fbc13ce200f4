/*
 * index_read: a mapped file of which nothing is believed.
 *
 * Checked at opening, once: the header's checksum, that every section lies inside the file and has
 * the size its count asks for, that records point inside their sections, that terms ascend. After
 * that only postings are read from unchecked bytes, and index_next() checks each.
 */
#include "knowledge/index.h"
#include "knowledge/index_file.h"
#include "knowledge/rank.h"

#include "core/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct index {
    struct file_map map;
    bool mapped;
    struct index_header header;
    const uint8_t *sections[INDEX_N_SECTIONS];
    const struct index_version_rec *versions;
    const struct index_passage_rec *passages;
    const struct index_term_rec *terms;
    const struct index_cited_rec *cited;
};

static enum err corrupt(struct why *why, const char *what)
{
    return err_set(why, ERR_CORRUPT, "the index file is damaged: %s", what);
}

static enum err check_header(const struct index *x, struct why *why)
{
    const struct index_header *h = &x->header;
    if (memcmp(h->magic, INDEX_MAGIC, sizeof h->magic) != 0)
        return corrupt(why, "it does not begin like one");
    if (h->version != INDEX_VERSION || h->n_sections != INDEX_N_SECTIONS)
        return corrupt(why, "it has another version");
    if (hash64(h, offsetof(struct index_header, hash), 0) != h->hash)
        return corrupt(why, "the header's checksum differs");
    if (h->dim > RANK_DIM_MOST)
        return corrupt(why, "its vectors are too long");
    return ERR_OK;
}

static enum err check_sections(struct index *x, struct why *why)
{
    const struct index_header *h = &x->header;
    const struct {
        enum index_section section;
        uint64_t n, size;
    } tables[] = {{INDEX_VERSIONS, h->n_versions, sizeof(struct index_version_rec)},
                  {INDEX_PASSAGES, h->n_passages, sizeof(struct index_passage_rec)},
                  {INDEX_TERMS, h->n_terms, sizeof(struct index_term_rec)},
                  {INDEX_CITED, h->n_cited, sizeof(struct index_cited_rec)},
                  {INDEX_VECTORS, h->n_passages, h->dim},
                  {INDEX_SCALES, h->n_passages, h->dim ? sizeof(float) : 0}};
    for (size_t i = 0; i < INDEX_N_SECTIONS; i++) {
        const struct index_range *r = &h->sections[i];
        if (r->offset % 8 || r->offset > x->map.len || r->len > x->map.len - r->offset)
            return corrupt(why, "a section lies outside the file");
        x->sections[i] = x->map.ptr + r->offset;
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (h->sections[tables[i].section].len != tables[i].n * tables[i].size)
            return corrupt(why, "a section has not the size of its records");
    x->versions = (const void *)x->sections[INDEX_VERSIONS];
    x->passages = (const void *)x->sections[INDEX_PASSAGES];
    x->terms = (const void *)x->sections[INDEX_TERMS];
    x->cited = (const void *)x->sections[INDEX_CITED];
    return ERR_OK;
}

static bool inside(const struct index *x, struct index_text text)
{
    uint64_t len = x->header.sections[INDEX_HEAP].len;
    return text.at <= len && text.len <= len - text.at;
}

static enum err check_versions(const struct index *x, struct why *why)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < x->header.n_versions; i++) {
        const struct index_version_rec *v = &x->versions[i];
        if (!v->id[0] || !memchr(v->id, 0, sizeof v->id))
            return corrupt(why, "a version has no id");
        if (v->first != next || v->n > x->header.n_passages - v->first)
            return corrupt(why, "a version's passages lie outside");
        next = (uint64_t)v->first + v->n;
    }
    return next == x->header.n_passages ? ERR_OK : corrupt(why, "passages belong to no version");
}

static enum err check_passages(const struct index *x, struct why *why)
{
    uint64_t len = x->header.sections[INDEX_TEXT].len;
    for (uint32_t i = 0; i < x->header.n_passages; i++) {
        const struct index_passage_rec *p = &x->passages[i];
        if (p->version >= x->header.n_versions || i < x->versions[p->version].first ||
            i - x->versions[p->version].first >= x->versions[p->version].n)
            return corrupt(why, "a passage belongs to no version");
        if (p->text > len || p->n_bytes > len - p->text || !inside(x, p->title) ||
            !inside(x, p->label) || !inside(x, p->path) || !inside(x, p->field))
            return corrupt(why, "a passage's text lies outside");
        if (p->kind > PASSAGE_HEAD)
            return corrupt(why, "a passage's kind is unknown");
    }
    return ERR_OK;
}

static enum err check_terms(const struct index *x, struct why *why)
{
    uint64_t len = x->header.sections[INDEX_POSTINGS].len, at = 0, term = 0;
    for (uint32_t i = 0; i < x->header.n_terms; i++) {
        const struct index_term_rec *t = &x->terms[i];
        if (t->term <= term || t->at < at || t->at > len || t->n_passages > x->header.n_passages)
            return corrupt(why, "its terms are out of order");
        term = t->term;
        at = t->at;
    }
    uint64_t title = 0;
    for (uint32_t i = 0; i < x->header.n_cited; i++) {
        if (x->cited[i].title <= title)
            return corrupt(why, "its cited titles are out of order");
        title = x->cited[i].title;
    }
    return ERR_OK;
}

static enum err check(struct index *x, struct why *why)
{
    enum err err = check_header(x, why);
    if (!err)
        err = check_sections(x, why);
    if (!err)
        err = check_versions(x, why);
    if (!err)
        err = check_passages(x, why);
    if (!err)
        err = check_terms(x, why);
    return err;
}

static enum err open_map(struct file_map map, bool mapped, struct index **out, struct why *why)
{
    struct index *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(why, ERR_NO_MEMORY, "could not open an index");
    x->map = map;
    x->mapped = mapped;
    enum err err = ERR_OK;
    if (map.len < sizeof x->header || (uintptr_t)map.ptr % 8)
        err = corrupt(why, "it is too short");
    if (!err) {
        memcpy(&x->header, map.ptr, sizeof x->header);
        err = check(x, why);
    }
    if (err) {
        x->mapped = false; /* the caller still owns the bytes */
        index_close(x);
        return err;
    }
    *out = x;
    return ERR_OK;
}

enum err index_open_bytes(const void *ptr, size_t len, struct index **out, struct why *why)
{
    return open_map((struct file_map){ptr, len}, false, out, why);
}

enum err index_open(const char *path, struct index **out, struct why *why)
{
    struct file_map map;
    enum err err = file_map(path, &map, why);
    if (err)
        return err;
    err = open_map(map, true, out, why);
    if (err) {
        file_unmap(&map);
        err_prefix(why, "\"%s\": ", path);
    }
    return err;
}

void index_close(struct index *x)
{
    if (!x)
        return;
    if (x->mapped)
        file_unmap(&x->map);
    free(x);
}

void index_rest(const struct index *x)
{
    if (x->mapped)
        (void)madvise((void *)(uintptr_t)x->map.ptr, x->map.len, MADV_DONTNEED);
}

static enum err verify_sums(const struct index *x, struct why *why)
{
    const struct index_header *h = &x->header;
    uint64_t text = INDEX_TEXT, postings = INDEX_POSTINGS;
    for (uint32_t i = 0; i < h->n_passages; i++)
        text = hash64(x->sections[INDEX_TEXT] + x->passages[i].text, x->passages[i].n_bytes, text);
    for (uint32_t i = 0; i < h->n_terms; i++) {
        uint64_t end = i + 1 < h->n_terms ? x->terms[i + 1].at : h->sections[INDEX_POSTINGS].len;
        postings =
            hash64(x->sections[INDEX_POSTINGS] + x->terms[i].at, end - x->terms[i].at, postings);
    }
    if (text != h->sections[INDEX_TEXT].hash)
        return corrupt(why, "the checksum of its texts differs");
    if (postings != h->sections[INDEX_POSTINGS].hash)
        return corrupt(why, "the checksum of its postings differs");
    for (size_t i = 0; i < INDEX_N_SECTIONS; i++)
        if (i != INDEX_TEXT && i != INDEX_POSTINGS &&
            hash64(x->sections[i], h->sections[i].len, i) != h->sections[i].hash)
            return corrupt(why, "the checksum of its records differs");
    return ERR_OK;
}

/* Every list ends where it says and gives as many passages as it says. */
static enum err verify_postings(const struct index *x, struct why *why)
{
    for (uint32_t i = 0; i < x->header.n_terms; i++) {
        struct index_postings p;
        uint32_t passage, times;
        (void)index_find(x, x->terms[i].term, &p);
        while (index_next(&p, &passage, &times)) {
        }
        if (p.left || p.at != p.end)
            return corrupt(why, "a list of passages is broken");
    }
    return ERR_OK;
}

enum err index_verify(const char *path, struct index_info *out, index_version_fn *each, void *ctx,
                      struct why *why)
{
    struct index *x;
    uint8_t digest[HASH_BYTES];
    enum err err = index_open(path, &x, why);
    if (err)
        return err;
    err = verify_sums(x, why);
    if (!err)
        err = verify_postings(x, why);
    for (uint32_t i = 0; !err && each && i < x->header.n_versions; i++)
        err = each(ctx, x->versions[i].id, x->versions[i].n, why);
    if (!err) {
        hash_of(HASH_SHA256, (struct str){(const char *)x->map.ptr, x->map.len}, digest);
        *out = (struct index_info){x->header.n_versions, x->header.n_passages, x->map.len, {0}};
        (void)hex_put(digest, sizeof digest, out->sha256);
    }
    index_close(x);
    return err;
}

uint32_t index_n_passages(const struct index *x)
{
    return x->header.n_passages;
}

uint32_t index_n_versions(const struct index *x)
{
    return x->header.n_versions;
}

uint64_t index_n_tokens(const struct index *x)
{
    return x->header.n_tokens;
}

static struct str text_of(const struct index *x, struct index_text text)
{
    return (struct str){(const char *)x->sections[INDEX_HEAP] + text.at, text.len};
}

struct str index_version_id(const struct index *x, uint32_t version)
{
    assert(version < x->header.n_versions);
    return str_c(x->versions[version].id);
}

void index_get(const struct index *x, uint32_t i, struct index_passage *out)
{
    assert(i < x->header.n_passages);
    const struct index_passage_rec *p = &x->passages[i];
    *out = (struct index_passage){
        .version = p->version,
        .number = p->number,
        .kind = (enum passage_kind)p->kind,
        .start = p->start,
        .len = p->len,
        .body = p->body,
        .article = p->article >> 8,
        .article_sub = p->article & 0xFF,
        .title = text_of(x, p->title),
        .label = text_of(x, p->label),
        .path = text_of(x, p->path),
        .field = text_of(x, p->field),
        .text = {(const char *)x->sections[INDEX_TEXT] + p->text, p->n_bytes},
    };
}

void index_facts(const struct index *x, uint32_t i, struct index_facts *out)
{
    assert(i < x->header.n_passages);
    const struct index_passage_rec *p = &x->passages[i];
    const struct index_version_rec *v = &x->versions[p->version];
    *out = (struct index_facts){
        .kind = (enum passage_kind)p->kind,
        .version = p->version,
        .n_tokens = p->n_tokens,
        .n_bytes = p->n_bytes,
        .order = i - v->first,
        .of = v->n,
        .section = p->section,
        .article = p->article,
        .copy = p->copy,
        .looks = p->looks,
    };
}

uint32_t index_find(const struct index *x, uint64_t term, struct index_postings *out)
{
    size_t low = 0, high = x->header.n_terms;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x->terms[middle].term < term)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == x->header.n_terms || x->terms[low].term != term)
        return 0;
    const uint8_t *postings = x->sections[INDEX_POSTINGS];
    uint64_t end =
        low + 1 < x->header.n_terms ? x->terms[low + 1].at : x->header.sections[INDEX_POSTINGS].len;
    uint32_t n = x->terms[low].n_passages;
    *out = (struct index_postings){postings + x->terms[low].at, postings + end, n, 0,
                                   x->header.n_passages};
    return n;
}

uint32_t index_n_terms(const struct index *x)
{
    return x->header.n_terms;
}

uint64_t index_term(const struct index *x, uint32_t i)
{
    assert(i < x->header.n_terms);
    return x->terms[i].term;
}

size_t index_n_cited(const struct index *x)
{
    return x->header.n_cited;
}

void index_cited_at(const struct index *x, size_t i, uint64_t *title, uint32_t *times)
{
    assert(i < x->header.n_cited);
    *title = x->cited[i].title;
    *times = x->cited[i].times;
}

const int8_t *index_vectors(const struct index *x, const struct rank_model *model,
                            const float **scales)
{
    if (!model || !x->header.dim || x->header.model != rank_model_id(model) ||
        x->header.dim != rank_model_dim(model))
        return NULL;
    *scales = (const void *)x->sections[INDEX_SCALES];
    return (const void *)x->sections[INDEX_VECTORS];
}
