#include "data/near.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/pool.h"
#include "data/field.h"
#include "data/scan.h"
#include "data/spill.h"
#include "data/table.h"

enum { LONGEST, FIRST, NEWEST, BEST, ORDER };
enum { DROP, MARK };

#define ASK_EVERY 65536
#define NOBODY    UINT32_MAX

struct near {
    const struct data_whole *whole;
    struct spill *keys;
    struct data_table table; /* what the arrays below stand in */
    _Atomic uint32_t *up;    /* (n): the record that it is joined to, smaller or itself */
    uint32_t *stays;         /* (n): who stays of its cluster; NOBODY: it is alone */
    uint32_t *size;          /* (n): first of a chain, at its first record; then at who stays */
    _Atomic uint64_t compared, alike;
    _Atomic size_t parts_done;
    struct near_compare compare;
    bool is_star;
    uint64_t (*rank_of)(struct str note);
};

/* ---- arguments ---- */

enum err near_check(const struct data_arg *args, struct why *why)
{
    int keep = (int)args[NEAR_KEEP].number;
    if (keep >= NEWEST && !args[NEAR_BY].text.len)
        return err_set(why, ERR_INVALID, "\"keep\" %.*s needs \"by\", the path of a field",
                       STR_FMT(args[NEAR_KEEP].text));
    if (keep == ORDER && !args[NEAR_ORDER].n)
        return err_set(why, ERR_INVALID, "\"keep\" order needs \"order\", a list of values");
    if (!args[NEAR_INTO].text.len || str_eq_c(args[NEAR_INTO].text, "id"))
        return err_set(why, ERR_INVALID, "\"into\" must be the name of a member, not the id");
    return ERR_OK;
}

/* The numbers in a date or time one behind the other: 2021-3-4, 2021年3月4日, 2021-03-04T05:06:07.
 * The first gives the year, the rest two digits each; "20210304" is read as it stands. */
static uint64_t date_rank(struct str s)
{
    uint64_t parts[6] = {0}, rank = 0;
    size_t n = 0, width = 0;
    for (size_t i = 0; i <= s.len && n < 6; i++) {
        bool digit = i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
        if (digit && width < 14) {
            parts[n] = parts[n] * 10 + (uint64_t)(s.ptr[i] - '0');
            width++;
        } else if (!digit && width) {
            if (n == 0 && width == 8) { /* year, month and day in one */
                parts[2] = parts[0] % 100;
                parts[1] = parts[0] / 100 % 100;
                parts[0] /= 10000;
                n = 2;
            }
            n++;
            width = 0;
        }
    }
    for (size_t i = 0; i < 6; i++)
        rank = rank * (i ? 100 : 1) + (i ? parts[i] % 100 : parts[i] % 100000);
    return rank;
}

/* Numbers in the order of their bits; 0 is kept for those without. */
static uint64_t number_rank(struct str s)
{
    double x;
    uint64_t bits;
    if (!str_to_f64(str_trim(s), &x) || isnan(x))
        return 0;
    x += 0.0; /* -0 is 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

uint64_t near_rank(const struct data_call *call, const struct record *record, uint64_t length)
{
    const struct data_arg *args = call->args;
    int keep = (int)args[NEAR_KEEP].number;
    if (keep <= FIRST)
        return keep == LONGEST ? length : 0;
    struct str value = field_text(record, args[NEAR_BY].text);
    if (!value.ptr)
        return 0;
    if (keep == NEWEST)
        return date_rank(value);
    if (keep == BEST)
        return number_rank(value);
    for (size_t i = 0; i < args[NEAR_ORDER].n; i++)
        if (str_eq(value, args[NEAR_ORDER].list[i]))
            return args[NEAR_ORDER].n - i;
    return 0;
}

/* ---- joining ---- */

/* The smallest record of the cluster, as far as is known. Halves the way as it goes. */
static uint32_t root_of(struct near *near, uint32_t i)
{
    for (;;) {
        uint32_t up = atomic_load_explicit(&near->up[i], memory_order_relaxed);
        if (up == i)
            return i;
        uint32_t above = atomic_load_explicit(&near->up[up], memory_order_relaxed);
        if (above != up)
            (void)atomic_compare_exchange_weak_explicit(&near->up[i], &up, above,
                                                        memory_order_relaxed, memory_order_relaxed);
        i = above;
    }
}

/* The larger root is hung below the smaller: in the end each root is its cluster's first record,
 * whatever came first. Anderson and Woll 1991, wait-free union-find. */
static void join(struct near *near, uint32_t a, uint32_t b)
{
    for (;;) {
        a = root_of(near, a);
        b = root_of(near, b);
        if (a == b)
            return;
        uint32_t high = a > b ? a : b, low = a > b ? b : a, expected = high;
        if (atomic_compare_exchange_strong_explicit(&near->up[high], &expected, low,
                                                    memory_order_relaxed, memory_order_relaxed))
            return;
    }
}

enum err near_new(const struct data_whole *whole, uint64_t n_keys, struct near **out,
                  struct why *why)
{
    uint64_t n = whole->n;
    struct near *near = calloc(1, sizeof *near);
    *out = near;
    if (!near)
        return err_set(why, ERR_NO_MEMORY, "could not begin to compare");
    near->whole = whole;
    if (n >= NOBODY)
        return err_set(why, ERR_TOO_LARGE, "%llu records are too many to be compared in one run",
                       (unsigned long long)n);
    enum err err = data_table_open(&near->table, whole->dir, n * 12, whole->memory / 8, why);
    if (err)
        return err;
    near->up = near->table.ptr;
    near->stays = (uint32_t *)(near->up + n);
    near->size = near->stays + n;
    for (uint64_t i = 0; i < n; i++) {
        atomic_init(&near->up[i], (uint32_t)i);
        near->stays[i] = NOBODY;
    }
    size_t threads = whole->threads ? whole->threads : 1;
    return spill_new(whole->dir, "keys", n_keys, UINT64_MAX, whole->memory / 2 / threads,
                     &near->keys, why);
}

void near_free(struct near *near)
{
    if (!near)
        return;
    spill_free(near->keys);
    data_table_close(&near->table);
    free(near);
}

enum err near_put(struct near *near, uint32_t table, uint32_t key, uint64_t i, struct why *why)
{
    return spill_put(near->keys, (uint64_t)key << 32 | table, i, why);
}

/* One record against those before it in the group. */
static enum err compare_one(struct near *near, void *own, const struct spill_entry *group, size_t k,
                            struct why *why)
{
    const struct near_compare *c = &near->compare;
    uint32_t b = (uint32_t)group[k].value;
    size_t least = k > c->window ? k - c->window : 0;
    for (size_t j = k; j-- > least;) {
        uint32_t a = (uint32_t)group[j].value;
        bool same = false;
        if (a == b || root_of(near, a) == root_of(near, b))
            continue;
        enum err err = c->same(c->ctx, own, a, b, &same, why);
        if (err)
            return err;
        atomic_fetch_add_explicit(&near->compared, 1, memory_order_relaxed);
        if (!same)
            continue;
        atomic_fetch_add_explicit(&near->alike, 1, memory_order_relaxed);
        join(near, a, b);
    }
    return ERR_OK;
}

static enum err compare_part(void *ctx, size_t part, struct why *why)
{
    struct near *near = ctx;
    const struct near_compare *c = &near->compare;
    struct spill_entry *all;
    size_t n;
    enum err err = spill_part(near->keys, part, &all, &n, why);
    void *own = !err && c->begin ? c->begin(c->ctx) : NULL;
    if (!err && c->begin && !own)
        err = err_set(why, ERR_NO_MEMORY, "could not begin to compare");
    for (size_t i = 0, end; !err && i < n; i = end) {
        end = spill_run(all, n, i);
        for (size_t k = 1; !err && k < end - i; k++) {
            if (k % 256 == 0 && data_whole_cancelled(near->whole))
                err = err_set(why, ERR_CANCELLED, "the run was cancelled");
            else
                err = compare_one(near, own, all + i, k, why);
        }
        if (!err && i / ASK_EVERY != end / ASK_EVERY && data_whole_cancelled(near->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    if (own && c->end)
        c->end(own);
    free(all);
    data_whole_went(near->whole, ++near->parts_done, spill_n_parts(near->keys));
    return err;
}

enum err near_join(struct near *near, const struct near_compare *compare, struct why *why)
{
    near->compare = *compare;
    enum err err = spill_end(near->keys, why);
    if (!err)
        err = pool_each(near->whole->threads, spill_n_parts(near->keys), compare_part, near, why);
    return err;
}

void near_counts(const struct near *near, uint64_t *compared, uint64_t *alike)
{
    *compared = near->compared;
    *alike = near->alike;
}

/* ---- who stays ---- */

struct member {
    uint64_t rank;
    uint32_t number;
};

/* The best first; of equals the first. */
static int by_rank(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/* list[0] stays; those of the others that are alike to it go. The rest moves to the front. */
static enum err one_star(struct near *near, void *own, struct member *list, size_t *n,
                         struct why *why)
{
    uint32_t center = list[0].number, size = 1;
    size_t left = 0;
    for (size_t i = 1; i < *n; i++) {
        bool same = !near->is_star;
        enum err err =
            same ? ERR_OK
                 : near->compare.same(near->compare.ctx, own, list[i].number, center, &same, why);
        if (err)
            return err;
        if (i % 4096 == 0 && data_whole_cancelled(near->whole))
            return err_set(why, ERR_CANCELLED, "the run was cancelled");
        if (same)
            near->stays[list[i].number] = center;
        else
            list[left++] = list[i];
        size += same;
    }
    near->size[center] = size;
    near->stays[center] = size > 1 ? center : NOBODY;
    *n = left;
    return ERR_OK;
}

static enum err one_chain(struct near *near, void *own, const struct spill_entry *group, size_t n,
                          struct why *why)
{
    struct member *list = malloc(n * sizeof *list);
    enum err err = list ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not choose who stays");
    for (size_t i = 0; !err && i < n; i++) {
        list[i].number = (uint32_t)group[i].value;
        list[i].rank = near->rank_of(data_note(near->whole, list[i].number));
    }
    if (!err)
        qsort(list, n, sizeof *list, by_rank);
    for (int i = 0; !err && n && i < NEAR_STARS; i++)
        err = one_star(near, own, list, &n, why);
    free(list);
    return err;
}

static enum err choose_part(void *ctx, size_t part, struct why *why)
{
    struct near *near = ctx;
    struct spill_entry *all;
    size_t n;
    enum err err = spill_part(near->keys, part, &all, &n, why);
    void *own = !err && near->compare.begin ? near->compare.begin(near->compare.ctx) : NULL;
    if (!err && near->compare.begin && !own)
        err = err_set(why, ERR_NO_MEMORY, "could not begin to choose");
    for (size_t i = 0, end; !err && i < n; i = end) {
        end = spill_run(all, n, i);
        err = one_chain(near, own, all + i, end - i, why);
    }
    if (own && near->compare.end)
        near->compare.end(own);
    free(all);
    return err;
}

/* Records of chains by the first of each; those that are alone stay without a word. */
static enum err choose(struct near *near, struct why *why)
{
    const struct data_whole *whole = near->whole;
    uint32_t n = (uint32_t)whole->n;
    spill_free(near->keys);
    near->keys = NULL;
    uint64_t joined = 0;
    for (uint32_t i = 0; i < n; i++)
        near->size[root_of(near, i)]++;
    for (uint32_t i = 0; i < n; i++)
        joined += near->size[root_of(near, i)] > 1;
    size_t threads = whole->threads ? whole->threads : 1;
    enum err err =
        spill_new(whole->dir, "chains", joined, n, whole->memory / 2 / threads, &near->keys, why);
    for (uint32_t i = 0; !err && i < n; i++) {
        uint32_t root = root_of(near, i);
        if (near->size[root] > 1)
            err = spill_put(near->keys, root, i, why);
    }
    if (!err)
        err = spill_end(near->keys, why);
    if (!err)
        err = pool_each(whole->threads, spill_n_parts(near->keys), choose_part, near, why);
    return err;
}

/* A verdict: whether the record stays, the size of its cluster (4 bytes), the id of who stays. */
static enum err verdict_of(struct near *near, uint32_t i, int mode, struct arena *arena,
                           struct buf *out, struct why *why)
{
    uint32_t stays = near->stays[i];
    struct str id;
    if (stays == NOBODY || (mode == DROP && stays == i))
        return ERR_OK;
    enum err err = data_whole_text(near->whole, stays, arena, &id, NULL, why);
    if (err)
        return err;
    buf_char(out, stays == i ? 's' : 'd');
    buf_add(out, (struct str){(const char *)&near->size[stays], sizeof near->size[stays]});
    buf_add(out, id);
    return buf_err(out, why);
}

enum err near_verdicts(struct near *near, const struct data_arg *args,
                       uint64_t (*rank_of)(struct str note), struct why *why)
{
    int mode = (int)args[NEAR_MODE].number;
    struct arena *arena = arena_new((size_t)128 << 20);
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not choose who stays");
    near->is_star = args[NEAR_CLUSTER].number < 1;
    near->rank_of = rank_of;
    if (!err)
        err = choose(near, why);
    for (uint32_t i = 0; !err && i < near->whole->n; i++) {
        struct buf verdict;
        buf_init(&verdict, arena);
        err = verdict_of(near, i, mode, arena, &verdict, why);
        if (!err)
            err = data_verdict(near->whole, buf_str(&verdict), why);
        if (!err && i % ASK_EVERY == 0 && data_whole_cancelled(near->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
        arena_reset(arena);
    }
    arena_free(arena);
    return err;
}

enum err near_apply(const struct data_call *call, struct record *record, struct str verdict,
                    struct data_out *out, struct why *why)
{
    uint32_t size;
    struct buf mark;
    if (verdict.len < 1 + sizeof size)
        return err_set(why, ERR_CORRUPT, "the verdict is cut off");
    memcpy(&size, verdict.ptr + 1, sizeof size);
    struct str id = str_from(verdict, 1 + sizeof size);
    if (call->args[NEAR_MODE].number < MARK) {
        data_drop(out, "one of %u that are alike; %.*s stays", size, STR_FMT(id));
        return ERR_OK;
    }
    buf_init(&mark, call->arena);
    buf_add_c(&mark, "{\"cluster\":");
    scan_quote(&mark, id);
    buf_printf(&mark, ",\"size\":%u,\"keep\":%s}", size, verdict.ptr[0] == 's' ? "true" : "false");
    char *into = str_z(call->arena, call->args[NEAR_INTO].text);
    enum err err = into ? buf_err(&mark, why) : err_set(why, ERR_NO_MEMORY, "could not mark");
    return err ? err : record_set_raw(record, into, buf_str(&mark), why);
}
