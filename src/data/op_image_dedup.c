/* image_dedup: of pictures that look the same the first stays. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "data/image.h"

enum { DISTANCE };
static const struct data_param params[] = {
    [DISTANCE] = {"distance", DATA_INTEGER, 0, 12, 6, NULL, "bits",
                  "So many of 64 signs may differ", "64 位感知哈希允许相差的位数"},
};

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct str bytes;
    struct picture picture;
    struct image_gray gray;
    uint64_t print = 0;
    enum err err = image_get(call, record, &bytes, why);
    if (!err)
        err = picture_decode(bytes, IMAGE_MOST_PIXELS, call->arena, &picture, why);
    if (!err)
        err = image_gray(&picture, 512, call->arena, &gray, why);
    if (!err)
        print = image_print(&gray);
    buf_add(note, (struct str){(const char *)&print, sizeof print});
    return err;
}

struct one {
    uint64_t print;
    uint32_t number;
};
struct seek {
    struct one *all, *sorted;
    uint8_t *gone;
    size_t n;
    unsigned shift, width, distance;
};

static uint64_t block(uint64_t print, unsigned shift, unsigned width)
{
    return print >> shift & (((uint64_t)1 << width) - 1);
}

static int by_block(const void *a, const void *b, void *ctx)
{
    const struct one *x = a, *y = b;
    const struct seek *s = ctx;
    uint64_t p = block(x->print, s->shift, s->width), q = block(y->print, s->shift, s->width);
    if (p != q)
        return p < q ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Of two within the distance, at least one of distance + 1 blocks of bits is the same: only those
 * need to be held against each other. A later one goes when an earlier that stays is near; because
 * the order of blocks is not that of the records, pairs are gathered first. */
struct pairs {
    uint64_t *items; /* later << 32 | earlier */
    size_t n, cap;
};

static bool add_pair(struct pairs *p, uint32_t later, uint32_t earlier)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 1024;
        uint64_t *more = cap > ((size_t)1 << 26) ? NULL : realloc(p->items, cap * sizeof *more);
        if (!more)
            return false;
        p->items = more;
        p->cap = cap;
    }
    p->items[p->n++] = (uint64_t)later << 32 | earlier;
    return true;
}

static bool gather(struct seek *s, struct pairs *pairs)
{
    for (size_t i = 0, end; i < s->n; i = end) {
        uint64_t own = block(s->sorted[i].print, s->shift, s->width);
        for (end = i; end < s->n && block(s->sorted[end].print, s->shift, s->width) == own; end++)
            for (size_t k = i; k < end; k++) {
                uint64_t differ = s->sorted[k].print ^ s->sorted[end].print;
                if ((unsigned)__builtin_popcountll(differ) > s->distance)
                    continue;
                if (!add_pair(pairs, s->sorted[end].number, s->sorted[k].number))
                    return false;
                if (!differ)
                    break; /* the same as one before: that one speaks for it */
            }
    }
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum err find(struct seek *s, struct why *why)
{
    struct pairs pairs = {0};
    bool good = true;
    unsigned blocks = s->distance + 1;
    for (unsigned b = 0; good && b < blocks; b++) {
        s->shift = b * 64 / blocks;
        s->width = (b + 1) * 64 / blocks - s->shift;
        s->width = s->width > 63 ? 63 : s->width;
        memcpy(s->sorted, s->all, s->n * sizeof *s->all);
        qsort_r(s->sorted, s->n, sizeof *s->sorted, by_block, s);
        good = gather(s, &pairs);
    }
    if (pairs.n > 1)
        qsort(pairs.items, pairs.n, sizeof *pairs.items, by_number);
    for (size_t i = 0; i < pairs.n; i++) /* ascending by the later one */
        if (!s->gone[(uint32_t)pairs.items[i]])
            s->gone[pairs.items[i] >> 32] = 1;
    free(pairs.items);
    return good ? ERR_OK : err_set(why, ERR_NO_MEMORY, "too many pictures look the same");
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    struct seek s = {.n = (size_t)whole->n, .distance = (unsigned)args[DISTANCE].number};
    enum err err = ERR_OK;
    (void)made;
    if (s.n > UINT32_MAX / 2 || s.n * (2 * sizeof *s.all + 1) > whole->memory)
        return err_set(why, ERR_NO_MEMORY, "%zu pictures are too many to compare", s.n);
    s.all = calloc(s.n + 1, sizeof *s.all);
    s.sorted = calloc(s.n + 1, sizeof *s.sorted);
    s.gone = calloc(s.n + 1, 1);
    if (!s.all || !s.sorted || !s.gone)
        err = err_set(why, ERR_NO_MEMORY, "could not compare %zu pictures", s.n);
    for (size_t i = 0; !err && i < s.n; i++) {
        memcpy(&s.all[i].print, data_note(whole, i).ptr, sizeof s.all[i].print);
        s.all[i].number = (uint32_t)i;
    }
    if (!err && s.n)
        err = find(&s, why);
    for (size_t i = 0; !err && i < s.n; i++)
        err = data_verdict(whole, s.gone[i] ? STR("d") : STR(""), why);
    free(s.all);
    free(s.sorted);
    free(s.gone);
    return err;
}

const struct data_op data_op_image_dedup = {
    .name = "image_dedup",
    .version = 1,
    .group = DATA_DEDUP,
    .summary = "Drop pictures that look like one before, also when scaled or compressed again",
    .summary_zh = "丢弃与前面图片看起来相同的图片（含缩放、重新压缩）",
    .source =
        "perceptual hash by DCT, Zauner 2010, Implementation and Benchmarking of Perceptual Image "
        "Hash Functions; blocks by the pigeonhole principle as Manku et al. 2007",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .takes = DATA_KIND(RECORD_CAPTION),
    .gives = DATA_SAME_KIND,
    .note_bytes = 8,
    .note = note,
    .decide = decide,
    .drops = "a picture before looks the same",
};
