/*
 * index_build: passages in, one file out.
 *
 * Texts are written through as they come; everything else is kept until the end: records (104 bytes
 * a passage), strings, and the postings, already in the form of the file, one growing run of bytes
 * a term. What is kept is counted against the
 * caller's bound.
 */
#include "knowledge/index.h"
#include "knowledge/index_file.h"
#include "knowledge/rank.h"
#include "knowledge/tokens.h"

#include "core/file.h"
#include "core/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITE_BUFFER (256 * 1024)
#define TEXT_MOST    (64u << 20) /* bytes of one passage */
#define NAME_MOST    65536       /* bytes of a title, label, path or field */

/* Bytes that grow; the sizes are bounded by what callers may pass, so failure is only memory. */
struct grow {
    uint8_t *ptr;
    size_t len, cap;
};

struct term {
    uint64_t term; /* 0: an empty place */
    struct grow bytes;
    uint32_t next; /* the passage after the last one listed */
    uint32_t n;
};

struct index_writer {
    char *path, *temp;
    int fd;
    bool done;
    const struct rank_model *model;
    size_t memory, used; /* the bound, and what postings and the table of terms take */

    uint8_t *out; /* bytes not yet written to fd */
    size_t n_out;
    uint64_t written; /* bytes in the file and in `out` */
    struct index_header header;

    struct index_text last_title, last_path, last_field; /* in heap */
    struct grow heap, versions, passages, cited, vectors, scales;
    struct term *terms; /* open addressing, cap_terms a power of two */
    size_t cap_terms, n_terms;
    uint64_t *found; /* terms of one passage */
    size_t cap_found;
    char *squeezed; /* a passage without spaces */
    size_t cap_squeezed;
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the index being built");
}

static bool grow_by(struct grow *g, size_t n)
{
    if (g->cap - g->len >= n)
        return true;
    size_t cap = g->cap ? g->cap * 2 : 16;
    while (cap - g->len < n)
        cap *= 2;
    uint8_t *ptr = realloc(g->ptr, cap);
    if (!ptr)
        return false;
    g->ptr = ptr;
    g->cap = cap;
    return true;
}

static bool grow_add(struct grow *g, const void *ptr, size_t n)
{
    if (!grow_by(g, n))
        return false;
    if (n)
        memcpy(g->ptr + g->len, ptr, n);
    g->len += n;
    return true;
}

static size_t put_varint(uint8_t out[5], uint32_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

/* ---- the file ---- */

static enum err flush(struct index_writer *b, struct why *why)
{
    enum err err = file_write_fd(b->fd, (struct str){(const char *)b->out, b->n_out}, why);
    b->n_out = 0;
    return err;
}

static enum err put(struct index_writer *b, const void *ptr, size_t len, struct why *why)
{
    const uint8_t *from = ptr;
    b->written += len;
    while (len) {
        size_t n = WRITE_BUFFER - b->n_out < len ? WRITE_BUFFER - b->n_out : len;
        memcpy(b->out + b->n_out, from, n);
        b->n_out += n;
        from += n;
        len -= n;
        if (b->n_out == WRITE_BUFFER) {
            enum err err = flush(b, why);
            if (err)
                return err;
        }
    }
    return ERR_OK;
}

static enum err begin_section(struct index_writer *b, enum index_section s, struct why *why)
{
    static const uint8_t zeros[8];
    enum err err = put(b, zeros, (8 - b->written % 8) % 8, why);
    b->header.sections[s].offset = b->written;
    return err;
}

static enum err put_section(struct index_writer *b, enum index_section s, const struct grow *g,
                            struct why *why)
{
    enum err err = begin_section(b, s, why);
    if (!err && g->len)
        err = put(b, g->ptr, g->len, why);
    b->header.sections[s].len = g->len;
    b->header.sections[s].hash = hash64(g->ptr, g->len, (uint64_t)s);
    return err;
}

/* ---- begin ---- */

enum err index_writer_new(const char *path, size_t memory, struct index_writer **out,
                          struct why *why)
{
    struct index_writer *b = calloc(1, sizeof *b);
    if (!b)
        return no_memory(why);
    b->fd = -1;
    b->model = rank_model_shipped();
    b->memory = memory;
    b->path = strdup(path);
    b->out = malloc(WRITE_BUFFER);
    b->cap_terms = 1 << 10;
    b->terms = calloc(b->cap_terms, sizeof *b->terms);
    if (!b->path || !b->out || !b->terms || asprintf(&b->temp, "%s.part", path) < 0) {
        b->temp = NULL;
        index_writer_free(b);
        return no_memory(why);
    }
    b->fd = open(b->temp, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0640);
    if (b->fd < 0) {
        enum err err = err_errno(why, "could not write file \"%s\"", b->temp);
        index_writer_free(b);
        return err;
    }
    memcpy(b->header.magic, INDEX_MAGIC, sizeof b->header.magic);
    b->header.version = INDEX_VERSION;
    b->header.n_sections = INDEX_N_SECTIONS;
    b->header.dim = (uint32_t)rank_model_dim(b->model);
    b->header.model = rank_model_id(b->model);
    enum err err = put(b, &b->header, sizeof b->header, why); /* its place; written again last */
    if (!err)
        err = begin_section(b, INDEX_TEXT, why);
    if (err) {
        index_writer_free(b);
        return err;
    }
    *out = b;
    return ERR_OK;
}

static size_t used(const struct index_writer *b)
{
    return b->used + b->heap.cap + b->passages.cap + b->vectors.cap + b->cited.cap;
}

static bool keep(struct index_writer *b, struct str s, struct index_text *out)
{
    *out = (struct index_text){(uint32_t)b->heap.len, (uint32_t)s.len};
    return b->heap.len + s.len < UINT32_MAX && grow_add(&b->heap, s.ptr, s.len);
}

/* Headings, titles and labels stand in many passages in a row: kept once a run. */
static bool keep_again(struct index_writer *b, struct str s, struct index_text *last,
                       struct index_text *out)
{
    struct str before = {(char *)b->heap.ptr + last->at, last->len};
    if (!str_eq(s, before) && !keep(b, s, last))
        return false;
    *out = *last;
    return true;
}

enum err index_writer_version(struct index_writer *b, const char *version_id, uint32_t *version,
                              struct why *why)
{
    assert(b);
    struct index_version_rec rec = {.first = b->header.n_passages};
    size_t len = strlen(version_id);
    if (!len || len >= sizeof rec.id)
        return err_set(why, ERR_INVALID, "\"%.60s\" is no id of a version", version_id);
    memcpy(rec.id, version_id, len);
    if (!grow_add(&b->versions, &rec, sizeof rec))
        return no_memory(why);
    *version = b->header.n_versions++;
    return ERR_OK;
}

/* ---- a passage ---- */

static bool add_terms(struct index_writer *b, struct str text, size_t *n)
{
    struct tokens tokens;
    tokens_init(&tokens, text, false);
    uint64_t term;
    while (tokens_next(&tokens, &term)) {
        if (*n == b->cap_found) {
            size_t cap = b->cap_found ? b->cap_found * 2 : 4096;
            uint64_t *found = realloc(b->found, cap * sizeof *found);
            if (!found)
                return false;
            b->found = found;
            b->cap_found = cap;
        }
        b->found[(*n)++] = term;
    }
    return true;
}

static bool more_terms(struct index_writer *b)
{
    size_t cap = b->cap_terms * 2;
    struct term *terms = calloc(cap, sizeof *terms);
    if (!terms)
        return false;
    for (size_t i = 0; i < b->cap_terms; i++) {
        if (!b->terms[i].term)
            continue;
        size_t at = hash64(&b->terms[i].term, 8, 2) & (cap - 1);
        while (terms[at].term)
            at = (at + 1) & (cap - 1);
        terms[at] = b->terms[i];
    }
    free(b->terms);
    b->terms = terms;
    b->cap_terms = cap;
    return true;
}

static bool add_posting(struct index_writer *b, uint64_t term, uint32_t passage, uint32_t times)
{
    if (b->n_terms * 4 >= b->cap_terms * 3 && !more_terms(b))
        return false;
    size_t at = hash64(&term, 8, 2) & (b->cap_terms - 1);
    while (b->terms[at].term && b->terms[at].term != term)
        at = (at + 1) & (b->cap_terms - 1);
    struct term *t = &b->terms[at];
    if (!t->term) {
        t->term = term;
        b->n_terms++;
        b->used += sizeof *t * 2;
    }
    uint8_t bytes[10];
    size_t n = put_varint(bytes, (passage - t->next) << 1 | (times > 1));
    if (times > 1)
        n += put_varint(bytes + n, times);
    size_t cap = t->bytes.cap;
    if (!grow_add(&t->bytes, bytes, n))
        return false;
    b->used += t->bytes.cap - cap;
    t->next = passage + 1;
    t->n++;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorts the passage's terms and lists each once. */
static bool post_terms(struct index_writer *b, size_t n)
{
    qsort(b->found, n, sizeof *b->found, by_number);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && b->found[j] == b->found[i];)
            j++;
        if (!add_posting(b, b->found[i], b->header.n_passages, (uint32_t)(j - i)))
            return false;
    }
    return true;
}

static bool add_vector(struct index_writer *b, size_t n)
{
    int8_t row[RANK_DIM_MOST];
    float scale;
    rank_passage_vector(b->model, b->found, n, row, &scale);
    return grow_add(&b->vectors, row, b->header.dim) && grow_add(&b->scales, &scale, sizeof scale);
}

static bool has(struct str text, const char *words)
{
    return str_find(text, str_c(words)) != STR_NPOS;
}

static unsigned looks_of(const struct index_passage *p)
{
    unsigned bits = 0;
    struct str head = str_slice(p->text, 0, 240);
    if (has(head, "为了") || has(head, "之日起施行") || has(head, "日起施行") ||
        has(head, "日起生效"))
        bits |= INDEX_PURPOSE;
    if (has(p->text, "所称") || has(p->text, "是指"))
        bits |= INDEX_DEFINITION;
    if (has(p->path, "总则") || has(p->path, "一般规定"))
        bits |= INDEX_GENERAL;
    if (has(p->path, "法律责任") || has(p->path, "罚则"))
        bits |= INDEX_LIABILITY;
    if (has(p->path, "附则"))
        bits |= INDEX_CLOSING;
    if (has(p->text, "罚款") || has(p->text, "处分") || has(p->text, "责令") ||
        has(p->text, "有期徒刑") || has(p->text, "追究"))
        bits |= INDEX_PENALTY;
    return bits;
}

/* The titles between 《 and 》, each counted once for this passage. */
static bool add_cited(struct index_writer *b, struct str text)
{
    static const struct str open = STR_INIT("《"), shut = STR_INIT("》");
    uint64_t seen[64] = {0};
    size_t n_seen = 0;
    for (size_t at = 0; (at = str_find_from(text, open, at)) != STR_NPOS;) {
        at += open.len;
        size_t end = str_find_from(text, shut, at);
        if (end == STR_NPOS)
            break;
        if (end - at > 300)
            continue;
        uint64_t hash = tokens_title_hash(str_slice(text, at, end));
        size_t i = 0;
        while (i < n_seen && seen[i] != hash)
            i++;
        at = end + shut.len;
        if (!hash || i < n_seen || n_seen == sizeof seen / sizeof seen[0])
            continue;
        seen[n_seen++] = hash;
        if (!grow_add(&b->cited, &hash, sizeof hash))
            return false;
    }
    return true;
}

static bool copy_hash(struct index_writer *b, struct str text, uint64_t *out)
{
    if (b->cap_squeezed < text.len) {
        char *squeezed = realloc(b->squeezed, text.len * 2);
        if (!squeezed)
            return false;
        b->squeezed = squeezed;
        b->cap_squeezed = text.len * 2;
    }
    size_t n = 0;
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        if (utf8_is_space(utf8_next(text, &at)))
            continue;
        memcpy(b->squeezed + n, text.ptr + start, at - start);
        n += at - start;
    }
    *out = hash64(b->squeezed, n, 3);
    return true;
}

static enum err check_passage(const struct index_writer *b, const struct index_passage *p,
                              struct why *why)
{
    /* Passages of a version stand together: the versions' ranges are read from that. */
    assert(p->version + 1 == b->header.n_versions && !b->done);
    if (p->text.len > TEXT_MOST || p->label.len > NAME_MOST || p->path.len > NAME_MOST ||
        p->title.len > NAME_MOST || p->field.len > NAME_MOST)
        return err_set(why, ERR_TOO_LARGE, "a passage of %zu bytes is too large to index",
                       p->text.len);
    if (b->header.n_passages >= UINT32_MAX / 4)
        return err_set(why, ERR_TOO_LARGE, "too many passages for one segment");
    if (used(b) > b->memory)
        return err_set(why, ERR_NO_MEMORY, "the segment is larger than %zu bytes of memory",
                       b->memory);
    return ERR_OK;
}

static bool keep_names(struct index_writer *b, const struct index_passage *p,
                       struct index_passage_rec *rec)
{
    return keep_again(b, p->title, &b->last_title, &rec->title) &&
           keep_again(b, p->path, &b->last_path, &rec->path) &&
           keep_again(b, p->field, &b->last_field, &rec->field) && keep(b, p->label, &rec->label);
}

enum err index_writer_add(struct index_writer *b, const struct index_passage *p, struct why *why)
{
    enum err err = check_passage(b, p, why);
    if (err)
        return err;
    struct index_version_rec *version =
        (struct index_version_rec *)(void *)b->versions.ptr + p->version;
    struct index_range *texts = &b->header.sections[INDEX_TEXT];
    struct index_passage_rec rec = {
        .text = texts->len,
        .start = p->start,
        .len = p->len,
        .body = p->body,
        .n_bytes = (uint32_t)p->text.len,
        .version = p->version,
        .number = p->number,
        .section = (uint32_t)hash64(p->path.ptr, p->path.len, version->first),
        .article = p->article > 0xFFFF ? 0 : p->article << 8 | (p->article_sub & 0xFF),
        .kind = (uint32_t)p->kind,
        .looks = looks_of(p),
    };
    size_t n = 0;
    /* Without "第三十七条" before it: the same rule may stand elsewhere under another number. */
    struct str words = p->body < p->text.len ? str_from(p->text, p->body) : p->text;
    bool ok = copy_hash(b, words, &rec.copy) && add_terms(b, p->title, &n) &&
              add_terms(b, p->path, &n) && add_terms(b, p->label, &n) &&
              add_terms(b, p->text, &n) && keep_names(b, p, &rec) && add_cited(b, p->text);
    rec.n_tokens = (uint32_t)n;
    if (!ok || !post_terms(b, n) || !add_vector(b, n) || !grow_add(&b->passages, &rec, sizeof rec))
        return no_memory(why);
    version->n++;
    b->header.n_passages++;
    b->header.n_tokens += n;
    texts->hash = hash64(p->text.ptr, p->text.len, texts->hash); /* chained: see index_verify */
    texts->len += p->text.len;
    return put(b, p->text.ptr, p->text.len, why);
}

bool index_writer_full(const struct index_writer *b)
{
    return used(b) >= b->memory / 4 * 3;
}

/* ---- the end ---- */

static int by_term(const void *a, const void *b)
{
    uint64_t x = ((const struct term *)a)->term, y = ((const struct term *)b)->term;
    return x < y ? -1 : x > y;
}

static enum err put_terms(struct index_writer *b, struct why *why)
{
    size_t n = 0;
    for (size_t i = 0; i < b->cap_terms; i++)
        if (b->terms[i].term)
            b->terms[n++] = b->terms[i];
    memset(b->terms + n, 0, (b->cap_terms - n) * sizeof *b->terms); /* moved: not freed twice */
    qsort(b->terms, n, sizeof *b->terms, by_term);
    struct grow table = {0};
    struct index_range *range = &b->header.sections[INDEX_POSTINGS];
    enum err err = begin_section(b, INDEX_POSTINGS, why);
    range->hash = (uint64_t)INDEX_POSTINGS;
    for (size_t i = 0; !err && i < n; i++) {
        struct term *t = &b->terms[i];
        struct index_term_rec rec = {t->term, range->len, t->n, 0};
        if (!grow_add(&table, &rec, sizeof rec)) {
            err = no_memory(why);
            break;
        }
        range->len += t->bytes.len;
        range->hash = hash64(t->bytes.ptr, t->bytes.len, range->hash);
        err = put(b, t->bytes.ptr, t->bytes.len, why);
    }
    b->header.n_terms = (uint32_t)n;
    if (!err)
        err = put_section(b, INDEX_TERMS, &table, why);
    free(table.ptr);
    return err;
}

static enum err put_cited(struct index_writer *b, struct why *why)
{
    uint64_t *hashes = (uint64_t *)(void *)b->cited.ptr;
    size_t n = b->cited.len / sizeof *hashes;
    if (n)
        qsort(hashes, n, sizeof *hashes, by_number);
    struct grow table = {0};
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && hashes[j] == hashes[i];)
            j++;
        struct index_cited_rec rec = {hashes[i], (uint32_t)(j - i), 0};
        if (!grow_add(&table, &rec, sizeof rec)) {
            free(table.ptr);
            return no_memory(why);
        }
        b->header.n_cited++;
    }
    enum err err = put_section(b, INDEX_CITED, &table, why);
    free(table.ptr);
    return err;
}

static enum err put_header(struct index_writer *b, struct why *why)
{
    b->header.hash = hash64(&b->header, offsetof(struct index_header, hash), 0);
    if (pwrite(b->fd, &b->header, sizeof b->header, 0) != (ssize_t)sizeof b->header)
        return err_errno(why, "could not write file \"%s\"", b->temp);
    if (fsync(b->fd))
        return err_errno(why, "could not make file \"%s\" durable", b->temp);
    return ERR_OK;
}

static enum err file_digest(const struct index_writer *b, struct index_info *out, struct why *why)
{
    struct file_map map;
    uint8_t digest[HASH_BYTES];
    enum err err = file_map(b->temp, &map, why);
    if (err)
        return err;
    hash_of(HASH_SHA256, (struct str){(const char *)map.ptr, map.len}, digest);
    *out = (struct index_info){b->header.n_versions, b->header.n_passages, map.len, {0}};
    (void)hex_put(digest, sizeof digest, out->sha256);
    file_unmap(&map);
    return ERR_OK;
}

enum err index_writer_passages(struct index_writer *b, uint32_t version, struct str title,
                               const struct passage *passages, size_t n, struct str text,
                               struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && !err; i++) {
        const struct passage *p = &passages[i];
        struct index_passage passage = {.version = version,
                                        .number = (uint32_t)i,
                                        .kind = p->kind,
                                        .start = p->start,
                                        .len = p->len,
                                        .body = p->body,
                                        .article = p->number,
                                        .article_sub = p->sub,
                                        .title = title,
                                        .label = p->label,
                                        .path = p->path,
                                        .field = p->field,
                                        .text = passage_words(p, text)};
        err = index_writer_add(b, &passage, why);
    }
    return err;
}

enum err index_writer_commit(struct index_writer *b, struct index_info *out, struct why *why)
{
    static const struct {
        enum index_section section;
        size_t at;
    } rest[] = {{INDEX_HEAP, offsetof(struct index_writer, heap)},
                {INDEX_VERSIONS, offsetof(struct index_writer, versions)},
                {INDEX_PASSAGES, offsetof(struct index_writer, passages)},
                {INDEX_VECTORS, offsetof(struct index_writer, vectors)},
                {INDEX_SCALES, offsetof(struct index_writer, scales)}};
    assert(b && !b->done);
    struct index_info info;
    enum err err = put_terms(b, why);
    if (!err)
        err = put_cited(b, why);
    for (size_t i = 0; !err && i < sizeof rest / sizeof rest[0]; i++) {
        const void *grow = (const char *)b + rest[i].at;
        err = put_section(b, rest[i].section, grow, why);
    }
    if (!err)
        err = flush(b, why);
    if (!err)
        err = put_header(b, why);
    if (!err)
        err = file_digest(b, &info, why);
    if (!err)
        err = file_rename(b->temp, b->path, why);
    if (err)
        return err;
    b->done = true;
    *out = info;
    return ERR_OK;
}

void index_writer_free(struct index_writer *b)
{
    if (!b)
        return;
    if (b->fd >= 0) {
        (void)close(b->fd);
        if (!b->done)
            (void)unlink(b->temp);
    }
    for (size_t i = 0; b->terms && i < b->cap_terms; i++)
        free(b->terms[i].bytes.ptr);
    struct grow *grows[] = {&b->heap,  &b->versions, &b->passages,
                            &b->cited, &b->vectors,  &b->scales};
    for (size_t i = 0; i < sizeof grows / sizeof grows[0]; i++)
        free(grows[i]->ptr);
    free(b->terms);
    free(b->found);
    free(b->squeezed);
    free(b->out);
    free(b->temp);
    free(b->path);
    free(b);
}

/* ---- merging ---- */

/* Adds one version's passages of a segment; they stand together from *at on. */
static enum err copy_version(struct index_writer *b, const struct index *from, uint32_t version,
                             uint32_t *at, bool live, struct why *why)
{
    uint32_t own = 0, n = index_n_passages(from);
    struct str id = index_version_id(from, version);
    enum err err = live ? index_writer_version(b, id.ptr, &own, why) : ERR_OK;
    for (; !err && *at < n; ++*at) {
        struct index_passage p;
        index_get(from, *at, &p);
        if (p.version != version)
            break;
        p.version = own;
        if (live)
            err = index_writer_add(b, &p, why);
    }
    return err;
}

enum err index_merge(const char *const *paths, size_t n, index_alive_fn *alive, void *ctx,
                     const char *path, struct index_info *out, struct why *why)
{
    struct index_writer *b = NULL;
    enum err err = index_writer_new(path, SIZE_MAX, &b, why);
    for (size_t i = 0; !err && i < n; i++) {
        struct index *from = NULL;
        err = index_open(paths[i], &from, why);
        uint32_t at = 0;
        for (uint32_t v = 0; !err && v < index_n_versions(from); v++)
            err = copy_version(b, from, v, &at, alive(ctx, i, index_version_id(from, v).ptr), why);
        index_close(from);
    }
    if (!err)
        err = index_writer_commit(b, out, why);
    index_writer_free(b);
    return err;
}
