/*
 * eval_dedup FILE.jsonl [RECORDS] - what minhash_dedup and simhash_dedup find, against every pair.
 *
 * Of the first RECORDS records (all unless told) the Jaccard similarity of every two is computed
 * from their shingles; only pairs whose sizes already rule the threshold out are passed over. Then
 * the operators mark clusters, and for thresholds 0.7, 0.8 and 0.9:
 *
 *     recall       of the pairs at or above the threshold, how many are in one cluster
 *     precision    of the pairs that hang together by such pairs (the exact clusters) and those of
 *                  the operator: how many of the operator's are exact ones
 *     direct       of the operator's pairs, how many are at or above the threshold themselves
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "core/pool.h"
#include "data/field.h"
#include "data/shingles.h"
#include "data/try.h"

#define ROOM  ((size_t)8 << 30)
#define N     5
#define LEAST 0.7

struct set {
    struct arena *arena;
    struct shingles *items; /* n of them */
    size_t n;
    float *rows; /* (n, n): similarity of i and k < i, 0 when below LEAST */
};

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum err one_row(void *ctx, size_t i, struct why *why)
{
    struct set *s = ctx;
    (void)why;
    for (size_t k = 0; k < i; k++) {
        double a = (double)s->items[i].n, b = (double)s->items[k].n;
        if ((a < b ? a / b : b / a) < LEAST)
            continue;
        double j = shingles_jaccard(&s->items[i], &s->items[k]);
        s->rows[i * s->n + k] = j >= LEAST ? (float)j : 0;
    }
    return ERR_OK;
}

static size_t root_of(size_t *up, size_t i)
{
    while (up[i] != i)
        i = up[i] = up[up[i]];
    return i;
}

/* Clusters as the operator marks them: the number of a cluster for each record. */
static enum err marked(struct set *s, const char *op, const char *form_of, double t,
                       struct str lines, size_t *cluster, struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    const struct json *spec;
    struct pipeline p;
    struct work_result result;
    struct str out = STR(""), line;
    struct try_input input = {lines, 0};
    struct str text = str_printf(
        arena,
        "{\"input\":{\"dataset\":\"in\"},\"output\":{\"dataset\":\"out\"},\"steps\":"
        "[{\"op\":\"%s\",\"mode\":\"mark\",\"cluster\":\"%s\",%s}]}",
        op, form_of,
        strcmp(op, "minhash_dedup") == 0 ? str_z(arena, str_printf(arena, "\"threshold\":%g", t))
                                         : str_z(arena, str_printf(arena, "\"distance\":%g", t)));
    enum err err = json_parse(text, arena, &spec, why);
    if (!err)
        err = pipeline_read(spec, RECORD_TEXT, "", arena, &p, why);
    struct try_form form = {.pipeline = &p, .inputs = &input, .n_inputs = 1, .temp = "/tmp"};
    double start = cpu_seconds();
    if (!err)
        err = try_run(&form, arena, &result, &out, NULL, why);
    printf("%s %g, %s: %.1f s of the processor\n", op, t, form_of, cpu_seconds() - start);
    struct map names;
    map_init(&names, arena);
    for (size_t i = 0; !err && i < s->n && str_next_line(&out, &line); i++) {
        struct record record;
        err = record_read(line, arena, &record, why);
        struct str id = err ? STR("") : field_text(&record, STR("duplicates.cluster"));
        cluster[i] = SIZE_MAX - i; /* alone */
        if (!id.ptr)
            continue;
        struct map_entry *e = map_find(&names, id);
        if (!e) {
            e = map_put(&names, str_copy(arena, id), NULL);
            if (e)
                e->value.i = (int64_t)i;
        }
        cluster[i] = e ? (size_t)e->value.i : i;
    }
    arena_free(arena);
    return err;
}

static void compare(const struct set *s, double t, const size_t *cluster)
{
    size_t pairs = 0, found = 0, exact = 0, ours = 0, both = 0, direct = 0;
    size_t *up = malloc(s->n * sizeof *up);
    for (size_t i = 0; up && i < s->n; i++)
        up[i] = i;
    for (size_t i = 0; up && i < s->n; i++)
        for (size_t k = 0; k < i; k++)
            if (s->rows[i * s->n + k] >= (float)t)
                up[root_of(up, i)] = root_of(up, k);
    for (size_t i = 0; up && i < s->n; i++)
        for (size_t k = 0; k < i; k++) {
            bool alike = s->rows[i * s->n + k] >= (float)t, mine = cluster[i] == cluster[k];
            bool hang = root_of(up, i) == root_of(up, k);
            pairs += alike;
            found += alike && mine;
            exact += hang;
            ours += mine;
            both += hang && mine;
            direct += mine && alike;
        }
    printf("  %zu pairs at %.2f, %zu found: recall %.4f; clusters of %zu pairs, exact %zu, both "
           "%zu: precision %.4f, recall %.4f; direct %.4f\n",
           pairs, t, found, (double)found / (double)pairs, ours, exact, both,
           (double)both / (double)ours, (double)both / (double)exact,
           (double)direct / (double)ours);
    free(up);
}

static enum err read_sets(struct set *s, struct str lines, size_t most, size_t *bytes,
                          struct why *why)
{
    struct str rest = lines, line;
    struct arena *one = arena_new((size_t)512 << 20);
    size_t cap = 0;
    enum err err = ERR_OK;
    for (struct str count = lines; str_next_line(&count, &line) && cap < most;)
        cap++;
    s->items = arena_array(s->arena, struct shingles, cap);
    while (!err && s->n < cap && str_next_line(&rest, &line)) {
        struct record record;
        struct str text;
        err = record_read(line, one, &record, why);
        text = err ? STR("") : record_str(&record, "text");
        struct shingles set;
        if (!err)
            err = shingles_of(text, N, true, one, &set, why);
        if (err)
            break;
        shingles_sort(&set);
        s->items[s->n].items =
            (uint64_t *)(void *)arena_alloc(s->arena, (set.n + 1) * sizeof *set.items);
        memcpy(s->items[s->n].items, set.items, set.n * sizeof *set.items);
        s->items[s->n++].n = set.n;
        arena_reset(one);
    }
    *bytes = (size_t)(rest.ptr ? rest.ptr - lines.ptr : (ptrdiff_t)lines.len);
    arena_free(one);
    return err;
}

int main(int argc, char **argv)
{
    static const double thresholds[] = {0.7, 0.8, 0.9};
    struct set s = {.arena = arena_new(ROOM)};
    struct file_map map;
    struct why why = {0};
    size_t bytes, most = argc > 2 ? (size_t)atoll(argv[2]) : SIZE_MAX;
    if (argc < 2 || !s.arena || file_map(argv[1], &map, &why)) {
        (void)fprintf(stderr, "eval_dedup FILE.jsonl [RECORDS] %s\n", why.text);
        return 2;
    }
    struct str lines = {(const char *)map.ptr, map.len};
    enum err err = read_sets(&s, lines, most, &bytes, &why);
    lines.len = bytes;
    s.rows = calloc(s.n * s.n + 1, sizeof *s.rows);
    size_t *cluster = calloc(s.n + 1, sizeof *cluster);
    if (!err && s.rows && cluster)
        err = pool_each(0, s.n, one_row, &s, &why);
    printf("%zu records, %.1f MB\n", s.n, (double)bytes / 1e6);
    for (size_t i = 0; !err && i < 6; i++) {
        err = marked(&s, "minhash_dedup", i % 2 ? "star" : "chain", thresholds[i / 2], lines,
                     cluster, &why);
        if (!err)
            compare(&s, thresholds[i / 2], cluster);
    }
    if (data_op_find(STR("simhash_dedup")) && !err) {
        err = marked(&s, "simhash_dedup", "chain", 3, lines, cluster, &why);
        if (!err)
            compare(&s, 0.9, cluster);
    }
    if (err)
        (void)fprintf(stderr, "%s\n", why_text(&why, err));
    free(s.rows);
    free(cluster);
    file_unmap(&map);
    arena_free(s.arena);
    return err != ERR_OK;
}
