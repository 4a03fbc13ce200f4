/* decontaminate: records that hold questions or answers of test sets. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/op.h"
#include "data/scan.h"
#include "data/shingles.h"
#include "data/text.h"

enum { AGAINST, THEIRS, N, SHARE, MODE, INTO };
static const struct data_param params[] = {
    [AGAINST] = {"against", DATA_STRINGS, 0, 64, 0, "", "",
                 "Data sets among the pipeline's references; all of them when none is named",
                 "与哪些参照数据集比对（须列在流水线的 references 中），不填表示全部"},
    [THEIRS] = {"reference_on", DATA_STRINGS, 0, 16, 0, "", "",
                "Paths of their texts, each a text to be looked for; the usual ones of their kind",
                "参照集中要查找的文本字段，不填为该类记录的常用字段"},
    [N] = {"n", DATA_INTEGER, 8, 50, 13, NULL, "characters",
           "Length of a run; texts of 8 to n - 1 characters are looked for by runs of 8, all of "
           "which must be there; shorter ones are not",
           "比对片段的长度；8 字以上但不足此长度的文本须全部吻合，更短的不比对"},
    [SHARE] = {"share", DATA_NUMBER, 0.05, 1, 0.7, NULL, "",
               "Of a text's runs, how many the record must hold",
               "参照文本的片段有多大比例出现在记录中即视为污染"},
    [MODE] = {"mode", DATA_CHOICE, 0, 0, 0, "drop|mark", "",
              "drop: the record goes; mark: it stays and gets the member \"into\"",
              "drop 去掉该记录；mark 保留并在 into 字段标出"},
    [INTO] = {"into", DATA_STRING, 0, 80, 0, "contaminated", "",
              "Member for the mark: {\"dataset\", \"version\", \"id\", \"share\"}",
              "标记写入的字段：参照集、版本、题目标识、比例"},
};

#define SHORT       8
#define MOST_GRAMS  ((size_t)16 << 20) /* 128 MiB */
#define MOST_HOLDER 64 /* texts that share a run; a run of more says nothing about one of them */
#define READ_ROOM   ((size_t)192 << 20)

/* A run of a text that is looked for. */
struct gram {
    uint64_t hash;
    uint32_t text;
};

struct wanted {
    struct str id;      /* of its record */
    uint32_t reference; /* number */
    uint32_t n_grams;   /* different ones that count */
};

/* Runs of one length: sorted by hash; `bits` says at once that a run is not there. */
struct grams {
    struct gram *items;
    size_t n, cap, length;
    uint64_t *bits;
    int shift;
};

struct made {
    struct grams kinds[2]; /* of N and of SHORT characters */
    struct wanted *texts;
    size_t n_texts, cap;
    const struct data_reference *references;
};

static void free_made(void *ctx)
{
    struct made *made = ctx;
    for (int i = 0; i < 2; i++) {
        free(made->kinds[i].items);
        free(made->kinds[i].bits);
    }
    free(made->texts);
}

/* ---- reading the references ---- */

static enum err add_grams(struct grams *g, const uint64_t *hashes, size_t n, uint32_t text,
                          struct why *why)
{
    if (g->n + n > MOST_GRAMS)
        return err_set(why, ERR_TOO_LARGE,
                       "the references have more than %zu runs; name fewer or shorter texts with "
                       "\"reference_on\"",
                       MOST_GRAMS);
    if (g->n + n > g->cap) {
        size_t cap = (g->n + n) * 2;
        struct gram *more = realloc(g->items, cap * sizeof *more);
        if (!more)
            return err_set(why, ERR_NO_MEMORY, "could not hold the references");
        g->items = more;
        g->cap = cap;
    }
    for (size_t i = 0; i < n; i++)
        g->items[g->n++] = (struct gram){hashes[i], text};
    return ERR_OK;
}

static enum err add_text(struct made *made, struct str text, struct str id, uint32_t reference,
                         struct arena *keep, struct arena *arena, struct why *why)
{
    struct shingles s;
    struct grams *g = &made->kinds[0];
    enum err err = shingles_of(text, g->length, true, arena, &s, why);
    if (err || s.n_chars < SHORT)
        return err;
    if (s.n_chars < g->length) {
        g = &made->kinds[1];
        err = shingles_of(text, g->length, true, arena, &s, why);
    }
    if (!err && made->n_texts == made->cap) {
        size_t cap = made->cap ? made->cap * 2 : 1024;
        struct wanted *more = realloc(made->texts, cap * sizeof *more);
        if (!more)
            return err_set(why, ERR_NO_MEMORY, "could not hold the references");
        made->texts = more;
        made->cap = cap;
    }
    if (err)
        return err;
    struct str kept = str_copy(keep, id);
    made->texts[made->n_texts] = (struct wanted){kept, reference, 0};
    return kept.ptr ? add_grams(g, s.items, s.n, (uint32_t)made->n_texts++, why)
                    : err_set(why, ERR_NO_MEMORY, "could not hold the references");
}

static enum err add_line(const struct data_prepare *prepare, struct made *made, uint32_t reference,
                         struct str line, struct arena *arena, struct why *why)
{
    struct record record;
    struct record_text *texts;
    size_t n, n_paths = prepare->args[THEIRS].n;
    const struct str *paths = prepare->args[THEIRS].list;
    if (!n_paths)
        paths = record_paths(prepare->references[reference].kind, &n_paths);
    enum err err = record_read(line, arena, &record, why);
    if (!err)
        err = record_texts(&record, paths, n_paths, &texts, &n, why);
    for (size_t i = 0; !err && i < n; i++)
        err = add_text(made, texts[i].value, record.id, reference, prepare->arena, arena, why);
    return err;
}

static enum err add_file(const struct data_prepare *prepare, struct made *made, uint32_t reference,
                         const char *path, struct why *why)
{
    struct arena *arena = arena_new(READ_ROOM);
    struct file_map map = {0};
    struct str line;
    enum err err = arena ? file_map(path, &map, why)
                         : err_set(why, ERR_NO_MEMORY, "could not read the references");
    struct str rest = {(const char *)map.ptr, map.len};
    while (!err && str_next(&rest, '\n', &line)) {
        if (line.len)
            err = add_line(prepare, made, reference, line, arena, why);
        arena_reset(arena);
    }
    file_unmap(&map);
    arena_free(arena);
    return err;
}

static int by_hash(const void *a, const void *b)
{
    const struct gram *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

/* Sorted, each run of a text once; those of too many texts are left out. */
static enum err finish(struct made *made, struct grams *g, struct why *why)
{
    size_t n = 0, bits = 64;
    if (g->n)
        qsort(g->items, g->n, sizeof *g->items, by_hash);
    for (size_t i = 0, end; i < g->n; i = end) {
        size_t start = n;
        for (end = i; end < g->n && g->items[end].hash == g->items[i].hash; end++)
            if (n == start || g->items[n - 1].text != g->items[end].text)
                g->items[n++] = g->items[end];
        if (n - start > MOST_HOLDER)
            n = start;
        for (size_t k = start; k < n; k++)
            made->texts[g->items[k].text].n_grams++;
    }
    g->n = n;
    g->shift = 58;
    while (bits < n * 16 && g->shift > 32) {
        bits *= 2;
        g->shift--;
    }
    g->bits = calloc(bits / 64, sizeof *g->bits);
    if (!g->bits)
        return err_set(why, ERR_NO_MEMORY, "could not hold the references");
    for (size_t i = 0; i < n; i++) {
        uint64_t bit = g->items[i].hash >> g->shift;
        g->bits[bit / 64] |= 1ull << (bit % 64);
    }
    return ERR_OK;
}

static bool is_named(const struct data_prepare *prepare, size_t reference)
{
    const struct data_arg *against = &prepare->args[AGAINST];
    bool named = against->n == 0;
    for (size_t i = 0; i < against->n; i++)
        named |= str_eq(against->list[i], prepare->references[reference].dataset);
    return named;
}

static enum err check(const struct data_prepare *prepare, struct why *why)
{
    const struct data_arg *against = &prepare->args[AGAINST], *theirs = &prepare->args[THEIRS];
    struct str into = prepare->args[INTO].text;
    enum err err = ERR_OK;
    if (!into.len || str_eq_c(into, "id"))
        return err_set(why, ERR_INVALID, "\"into\" must be the name of a member, not the id");
    if (!prepare->n_references) {
        err = err_set(why, ERR_INVALID, "the pipeline has no \"references\" to compare with");
        err_hint(why, "\"references\": [{\"dataset\": \"...\"}] beside \"inputs\"; a file is "
                      "imported first");
        return err;
    }
    for (size_t i = 0; i < against->n; i++) {
        bool known = false;
        for (size_t k = 0; k < prepare->n_references; k++)
            known |= str_eq(against->list[i], prepare->references[k].dataset);
        if (!known)
            return err_set(why, ERR_INVALID, "\"%.*s\" is not among the references",
                           STR_FMT(against->list[i]));
    }
    for (size_t i = 0; !err && i < theirs->n; i++)
        err = record_path_check(theirs->list[i], why);
    return err;
}

static enum err prepare(const struct data_prepare *prepare, const void **out, struct why *why)
{
    enum err err = check(prepare, why);
    struct made *made = err ? NULL : arena_one(prepare->arena, struct made);
    if (!err && (!made || arena_defer(prepare->arena, free_made, made)))
        err = err_set(why, ERR_NO_MEMORY, "could not hold the references");
    if (err)
        return err;
    made->kinds[0].length = (size_t)prepare->args[N].number;
    made->kinds[1].length = SHORT;
    made->references = prepare->references;
    for (uint32_t r = 0; !err && r < prepare->n_references; r++)
        for (size_t i = 0; !err && is_named(prepare, r) && i < prepare->references[r].n_paths; i++)
            err = add_file(prepare, made, r, prepare->references[r].paths[i], why);
    for (int i = 0; !err && i < 2; i++)
        err = finish(made, &made->kinds[i], why);
    *out = made;
    return err;
}

/* ---- looking ---- */

static size_t find(const struct grams *g, uint64_t hash)
{
    size_t low = 0, high = g->n;
    uint64_t bit = hash >> g->shift;
    if (!(g->bits[bit / 64] >> (bit % 64) & 1))
        return STR_NPOS;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (g->items[mid].hash < hash)
            low = mid + 1;
        else
            high = mid;
    }
    return low < g->n && g->items[low].hash == hash ? low : STR_NPOS;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

struct found {
    const struct wanted *text;
    double share;
};

/* Of the texts whose runs are at `hits` (each run once), that with the largest share. */
static enum err weigh(const struct made *made, const struct grams *g, const uint32_t *hits,
                      size_t n, double least, struct arena *arena, struct found *best,
                      struct why *why)
{
    struct buf texts;
    buf_init(&texts, arena);
    for (size_t i = 0; i < n; i++)
        for (size_t k = hits[i]; k < g->n && g->items[k].hash == g->items[hits[i]].hash; k++)
            buf_add(&texts, (struct str){(const char *)&g->items[k].text, sizeof(uint32_t)});
    uint32_t *list = (uint32_t *)(void *)arena_alloc(arena, texts.len + 1);
    size_t total = texts.len / sizeof *list;
    if (texts.failed || !list)
        return err_set(why, ERR_NO_MEMORY, "could not weigh what was found");
    if (total)
        memcpy(list, texts.ptr, texts.len);
    qsort(list, total, sizeof *list, by_number);
    for (size_t i = 0, end; i < total; i = end) {
        for (end = i; end < total && list[end] == list[i]; end++)
            ;
        const struct wanted *w = &made->texts[list[i]];
        double share = (double)(end - i) / (double)w->n_grams;
        if (share >= least && share > best->share)
            *best = (struct found){w, share};
    }
    return ERR_OK;
}

static enum err look(const struct made *made, const struct grams *g, struct str all, double least,
                     struct arena *arena, struct found *best, struct why *why)
{
    struct shingles s;
    size_t n = 0, k = 0;
    if (!g->n)
        return ERR_OK;
    enum err err = shingles_of(all, g->length, true, arena, &s, why);
    uint32_t *hits = (uint32_t *)(void *)s.items; /* written behind what is read */
    for (size_t i = 0; !err && i < s.n; i++) {
        size_t at = s.n_chars < g->length ? STR_NPOS : find(g, s.items[i]);
        if (at != STR_NPOS)
            hits[n++] = (uint32_t)at;
    }
    if (err || !n)
        return err;
    qsort(hits, n, sizeof *hits, by_number);
    for (size_t i = 0; i < n; i++)
        if (!k || hits[i] != hits[k - 1])
            hits[k++] = hits[i];
    return weigh(made, g, hits, k, least, arena, best, why);
}

static enum err mark(const struct data_call *call, const struct made *made, struct record *record,
                     const struct found *f, struct why *why)
{
    const struct data_reference *r = &made->references[f->text->reference];
    struct buf buf;
    buf_init(&buf, call->arena);
    buf_add_c(&buf, "{\"dataset\":");
    scan_quote(&buf, r->dataset);
    buf_printf(&buf, ",\"version\":%lld,\"id\":", (long long)r->number);
    scan_quote(&buf, f->text->id);
    buf_printf(&buf, ",\"share\":%.2f}", f->share);
    char *into = str_z(call->arena, call->args[INTO].text);
    enum err err = into ? buf_err(&buf, why) : err_set(why, ERR_NO_MEMORY, "could not mark");
    return err ? err : record_set_raw(record, into, buf_str(&buf), why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct made *made = call->made;
    struct found best = {0};
    struct str all = data_all_texts(call, record);
    enum err err = all.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not join the texts");
    if (!err)
        err = look(made, &made->kinds[0], all, call->args[SHARE].number, call->arena, &best, why);
    if (!err)
        err = look(made, &made->kinds[1], all, 1, call->arena, &best, why);
    if (err || !best.text)
        return err;
    if (call->args[MODE].number > 0)
        return mark(call, made, record, &best, why);
    const struct data_reference *r = &made->references[best.text->reference];
    data_drop(out, "holds %.0f %% of %.*s of the reference %.*s version %lld", best.share * 100,
              STR_FMT(best.text->id), STR_FMT(r->dataset), (long long)r->number);
    return ERR_OK;
}

const struct data_op data_op_decontaminate = {
    .name = "decontaminate",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop or mark records that hold questions or answers of test sets",
    .summary_zh = "去掉或标出含有评测集题目、答案的记录，避免测试数据混入训练数据",
    .source = "n-gram overlap, Brown et al. 2020, arXiv:2005.14165 app. C; by the share of a "
              "text's runs as in Chowdhery et al. 2022, arXiv:2204.02311 sec. 8",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
