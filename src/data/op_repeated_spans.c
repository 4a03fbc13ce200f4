/*
 * repeated_spans: runs of at least n characters that stand elsewhere in the set before.
 *
 * Not a suffix array: that would need the whole set with eight times its size at hand. Each text is
 * winnowed to anchors (hashes of n/2 characters, the least of every window), so that any two equal
 * runs of n characters have an anchor in common. Anchors are sorted through files; where one stands
 * twice the texts themselves are compared, character by character, and the run is widened. So what
 * is cut does stand before, exactly. What may be missed: a place whose anchor occurs more than
 * four times is compared with the first two and the last before it, not with all.
 *
 * With "exact" nothing is missed either: round anchors that occur more often, every run of n
 * characters is hashed and sorted through files too, and compared with the first of its hash. That
 * is what a suffix array over the whole set gives (tests/data/test_dedup.c holds it against one),
 * with the memory of one part and the disk of 16 bytes for every character near such an anchor.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/pool.h"
#include "data/op.h"
#include "data/scan.h"
#include "data/shingles.h"
#include "data/spill.h"
#include "data/text.h"

enum { N, SAME, MODE, CUT, SHARE, INTO, EXACT };
static const struct data_param params[] = {
    [N] = {"n", DATA_INTEGER, 20, 10000, 100, NULL, "characters", "Shortest run that counts",
           "重复片段的最小长度"},
    [SAME] = {"same", DATA_CHOICE, 0, 0, 0, "words|text", "",
              "words: Han, letters and digits alone, width and case folded; text: every character",
              "words 只比较汉字、字母、数字，忽略全半角和大小写；text 比较全部字符"},
    [MODE] =
        {"mode", DATA_CHOICE, 0, 0, 0, "cut|mark|drop", "",
         "cut: runs go; mark: their places go into \"into\"; drop: records go by \"share\"",
         "cut 切除重复片段；mark 在 into 字段标出位置；drop 重复占比达到 share 的记录整条去掉"},
    [CUT] = {"whole", DATA_CHOICE, 0, 0, 1, "characters|sentences|lines", "",
             "Only whole ones of these within a run are cut", "只切除片段内完整的字符、句或行"},
    [SHARE] = {"share", DATA_NUMBER, 0.01, 1, 0.5, NULL, "", "Share of the record for mode drop",
               "drop 方式下重复部分的占比"},
    [INTO] = {"into", DATA_STRING, 0, 80, 0, "repeats", "",
              "Member for the mark: [[start, end], ...] in characters of the texts joined by \\n",
              "标记写入的字段：[[起, 止], ...]，按字符计"},
    [EXACT] = {"exact", DATA_FLAG, 0, 0, 0, NULL, "",
               "Miss nothing, as with a suffix array, where a run stands often; takes more disk",
               "片段多次出现时也一个不漏（与后缀数组结果一致），需要更多磁盘"},
};

enum { MODE_CUT, MODE_MARK, MODE_DROP };
enum { CHARACTERS, SENTENCES, LINES };

/* An anchor in a note: where it stands (in characters that count), and its hash. */
struct anchor {
    uint32_t at, low, high;
};

/* From start to before end, in characters that count. */
struct span {
    uint32_t start, end;
};

/* ---- anchors ---- */

static size_t gram_of(const struct data_arg *args)
{
    return (size_t)args[N].number / 2;
}

struct chars {
    uint32_t *items, *starts;
    size_t n;
};

static enum err chars_of(struct str text, const struct data_arg *args, struct arena *arena,
                         struct chars *out, struct why *why)
{
    size_t most = text_length(text) + 1;
    out->items = arena_grow(arena, NULL, 0, most * sizeof *out->items);
    out->starts = arena_grow(arena, NULL, 0, most * sizeof *out->starts);
    if (!out->items || !out->starts)
        return err_set(why, ERR_NO_MEMORY, "could not hold the characters of a text");
    out->n = shingle_chars(text, args[SAME].number < 1, out->items, out->starts);
    return ERR_OK;
}

/* The rightmost least hash of every window of n - gram + 1, each once: Schleimer, Wilkerson and
 * Aiken 2003, winnowing. */
static void winnow(const uint64_t *hashes, size_t n, size_t window, struct buf *out)
{
    size_t least = 0, told = SIZE_MAX;
    for (size_t end = 0; end < n; end++) {
        size_t from = end + 1 > window ? end + 1 - window : 0;
        if (least < from) {
            least = from;
            for (size_t i = from; i <= end; i++)
                least = hashes[i] <= hashes[least] ? i : least;
        } else if (hashes[end] <= hashes[least]) {
            least = end;
        }
        if (end + 1 < window || least == told)
            continue;
        struct anchor a = {(uint32_t)least, (uint32_t)hashes[least],
                           (uint32_t)(hashes[least] >> 32)};
        buf_add(out, (struct str){(const char *)&a, sizeof a});
        told = least;
    }
}

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct chars chars = {0};
    size_t gram = gram_of(call->args), n = (size_t)call->args[N].number;
    struct str all = data_all_texts(call, record);
    enum err err = all.ptr ? chars_of(all, call->args, call->arena, &chars, why)
                           : err_set(why, ERR_NO_MEMORY, "could not join the texts");
    if (err || chars.n < n)
        return err;
    uint64_t *hashes = arena_grow(call->arena, NULL, 0, chars.n * sizeof *hashes);
    if (!hashes)
        return err_set(why, ERR_NO_MEMORY, "could not hold the anchors of a text");
    winnow(hashes, shingles_roll(chars.items, chars.n, gram, hashes), n - gram + 1, note);
    return ERR_OK;
}

/* ---- the whole set ---- */

struct job {
    const struct data_whole *whole;
    const struct data_arg *args;
    struct spill *anchors; /* hash -> record and place */
    struct spill *pairs;   /* record and place -> an earlier record and place */
    /* With "exact": record and place of an anchor that occurs often; the hash of a run of n ->
     * record and place; record and place of a run -> those of the first that is equal. NULL: not
     * exact. */
    struct spill *often, *runs, *firsts;
    struct spill *spans;  /* record -> start and end */
    pthread_mutex_t lock; /* of what is put into now */
};

static enum err put_anchors(struct job *job, struct why *why)
{
    struct data_note_at at = {0};
    struct str note;
    enum err err = ERR_OK;
    for (uint64_t i = 0; !err && data_note_next(job->whole, &at, &note); i++) {
        for (size_t k = 0; !err && k < note.len; k += sizeof(struct anchor)) {
            struct anchor a;
            memcpy(&a, note.ptr + k, sizeof a);
            err = spill_put(job->anchors, (uint64_t)a.high << 32 | a.low, i << 32 | a.at, why);
        }
        if (!err && i % 4096 == 0 && data_whole_cancelled(job->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    return err ? err : spill_end(job->anchors, why);
}

/* Every place after the first of an anchor with the first two and the last before it. */
static enum err pair_few(struct job *job, const struct spill_entry *all, size_t i, size_t end,
                         struct why *why)
{
    enum err err = ERR_OK;
    for (size_t k = i + 1; !err && k < end; k++) {
        err = spill_put(job->pairs, all[k].value, all[i].value, why);
        if (!err && k > i + 1)
            err = spill_put(job->pairs, all[k].value, all[i + 1].value, why);
        if (!err && k > i + 2)
            err = spill_put(job->pairs, all[k].value, all[k - 1].value, why);
    }
    return err;
}

#define FEW 4 /* so many places of an anchor are all compared with one another */

static enum err put_often(struct job *job, const struct spill_entry *all, size_t i, size_t end,
                          struct why *why)
{
    enum err err = ERR_OK;
    for (; !err && i < end; i++)
        err = spill_put(job->often, all[i].value, 0, why);
    return err;
}

static enum err pair_part(void *ctx, size_t part, struct why *why)
{
    struct job *job = ctx;
    struct spill_entry *all;
    size_t n;
    enum err err = spill_part(job->anchors, part, &all, &n, why);
    for (size_t i = 0, end; !err && i < n; i = end) {
        end = spill_run(all, n, i);
        if (end - i < 2)
            continue;
        (void)pthread_mutex_lock(&job->lock);
        err = job->often && end - i > FEW ? put_often(job, all, i, end, why)
                                          : pair_few(job, all, i, end, why);
        (void)pthread_mutex_unlock(&job->lock);
        if (!err && data_whole_cancelled(job->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    free(all);
    data_whole_went(job->whole, part + 1, 2 * spill_n_parts(job->anchors));
    return err;
}

#define KEPT 16
#define LONG ((size_t)1 << 20) /* of a text: others are not kept beside it */

struct kept {
    struct arena *arena;
    uint64_t number; /* of the record; UINT64_MAX: none */
    struct chars chars;
};

static void forget(struct kept *kept)
{
    kept->number = UINT64_MAX;
    arena_reset(kept->arena);
}

/* The characters of record i in place k: KEPT is that of the record in hand. */
static enum err text_of(const struct job *job, struct kept *all, size_t k, uint64_t i,
                        const struct chars **out, struct why *why)
{
    struct str text;
    struct kept *kept = &all[k];
    *out = &kept->chars;
    if (kept->number == i)
        return ERR_OK;
    forget(kept);
    enum err err = data_whole_text(job->whole, i, kept->arena, NULL, &text, why);
    for (size_t o = 0; !err && text.len > LONG && o < KEPT; o++)
        if (o != k)
            forget(&all[o]);
    if (!err)
        err = chars_of(text, job->args, kept->arena, &kept->chars, why);
    if (!err)
        kept->number = i;
    return err;
}

/* How far the texts agree round the places, at most n to each side: the next anchor of a longer run
 * is nearer than that. */
static void widen(const struct chars *a, size_t x, const struct chars *b, size_t y, size_t n,
                  size_t *start, size_t *end)
{
    size_t left = 0, right = 0;
    while (left < n && left < x && left < y && a->items[x - left - 1] == b->items[y - left - 1])
        left++;
    while (right < 2 * n && x + right < a->n && y + right < b->n &&
           a->items[x + right] == b->items[y + right])
        right++;
    *start = x - left;
    *end = x + right;
}

static enum err put_span(struct job *job, uint64_t record, size_t start, size_t end,
                         struct why *why)
{
    (void)pthread_mutex_lock(&job->lock);
    enum err err = spill_put(job->spans, record, (uint64_t)start << 32 | end, why);
    (void)pthread_mutex_unlock(&job->lock);
    return err;
}

/* `run`: the pair is of runs of n, so one within what was told needs no look. */
static enum err one_pair(struct job *job, struct kept *kept, const struct spill_entry *pair,
                         bool run, struct span *told, struct why *why)
{
    uint64_t record = pair->key >> 32, other = pair->value >> 32, at = pair->key & UINT32_MAX;
    const struct chars *a, *b;
    size_t n = (size_t)job->args[N].number, start, end;
    if (run && at >= told->start && at + n <= told->end)
        return ERR_OK;
    enum err err = text_of(job, kept, KEPT, record, &a, why);
    if (!err && other == record)
        b = a;
    else if (!err)
        err = text_of(job, kept, other % KEPT, other, &b, why);
    if (err)
        return err;
    widen(a, at, b, pair->value & UINT32_MAX, n, &start, &end);
    if (end - start < n || (start >= told->start && end <= told->end))
        return ERR_OK;
    *told = (struct span){(uint32_t)start, (uint32_t)end}; /* said again it says nothing new */
    return put_span(job, record, start, end, why);
}

static void drop_kept(struct kept *kept)
{
    for (int i = 0; kept && i <= KEPT; i++)
        arena_free(kept[i].arena);
    free(kept);
}

/* Memory for KEPT texts and one more; free with drop_kept(), also after an error. */
static enum err new_kept(struct kept **out, struct why *why)
{
    struct kept *kept = *out = calloc(KEPT + 1, sizeof *kept);
    bool held = kept != NULL;
    for (int i = 0; held && i <= KEPT; i++) {
        kept[i] = (struct kept){arena_new((size_t)512 << 20), UINT64_MAX, {0}};
        held = kept[i].arena != NULL;
    }
    return held ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not compare texts");
}

static enum err compare(struct job *job, struct spill *pairs, size_t part, struct why *why)
{
    struct spill_entry *all = NULL;
    size_t n = 0;
    struct span told = {0, 0};
    struct kept *kept;
    enum err err = new_kept(&kept, why);
    if (!err)
        err = spill_part(pairs, part, &all, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        if (i == 0 || all[i].key >> 32 != all[i - 1].key >> 32)
            told = (struct span){0, 0};
        err = one_pair(job, kept, &all[i], pairs == job->firsts, &told, why);
        if (!err && i % 1024 == 0 && data_whole_cancelled(job->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    drop_kept(kept);
    free(all);
    return err;
}

static enum err compare_part(void *ctx, size_t part, struct why *why)
{
    struct job *job = ctx;
    size_t parts = spill_n_parts(job->pairs);
    enum err err = compare(job, job->pairs, part, why);
    data_whole_went(job->whole, parts + part + 1, 2 * parts);
    return err;
}

/* ---- exact: every run of n round an anchor that occurs often ---- */

/* Puts the runs that hold the gram at `anchor` wholly and begin at *next or behind; moves *next
 * behind the last. Hashes are made in `hashes`, with room for 2 * n. */
static enum err put_runs(struct job *job, uint64_t record, const struct chars *chars, size_t anchor,
                         uint64_t *hashes, size_t *next, struct why *why)
{
    size_t n = (size_t)job->args[N].number, reach = n - gram_of(job->args);
    size_t first = anchor > reach ? anchor - reach : 0, last = anchor;
    enum err err = ERR_OK;
    first = first > *next ? first : *next;
    last = last + n <= chars->n ? last : chars->n - n;
    if (first > last)
        return ERR_OK;
    size_t n_runs = shingles_roll(chars->items + first, last - first + n, n, hashes);
    (void)pthread_mutex_lock(&job->lock);
    for (size_t k = 0; !err && k < n_runs; k++)
        err = spill_put(job->runs, hashes[k], record << 32 | (first + k), why);
    (void)pthread_mutex_unlock(&job->lock);
    *next = last + 1;
    return err;
}

static enum err runs_part(void *ctx, size_t part, struct why *why)
{
    struct job *job = ctx;
    struct spill_entry *all = NULL;
    struct kept *kept;
    const struct chars *chars = NULL;
    size_t n = 0, next = 0;
    uint64_t *hashes = calloc(2 * (size_t)job->args[N].number, sizeof *hashes);
    enum err err = new_kept(&kept, why);
    if (!err && !hashes)
        err = err_set(why, ERR_NO_MEMORY, "could not compare texts");
    if (!err)
        err = spill_part(job->often, part, &all, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        uint64_t record = all[i].key >> 32;
        if (i == 0 || record != all[i - 1].key >> 32) {
            next = 0;
            err = text_of(job, kept, KEPT, record, &chars, why);
        }
        if (!err)
            err = put_runs(job, record, chars, all[i].key & UINT32_MAX, hashes, &next, why);
        if (!err && i % 1024 == 0 && data_whole_cancelled(job->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    drop_kept(kept);
    free(all);
    free(hashes);
    return err;
}

/* Every run with the first of its hash: it stands before all others. */
static enum err firsts_part(void *ctx, size_t part, struct why *why)
{
    struct job *job = ctx;
    struct spill_entry *all;
    size_t n;
    enum err err = spill_part(job->runs, part, &all, &n, why);
    for (size_t i = 0, end; !err && i < n; i = end) {
        end = spill_run(all, n, i);
        (void)pthread_mutex_lock(&job->lock);
        for (size_t k = i + 1; !err && k < end; k++)
            if (all[k].value != all[i].value) /* put twice where the parts of `often` meet */
                err = spill_put(job->firsts, all[k].value, all[i].value, why);
        (void)pthread_mutex_unlock(&job->lock);
        if (!err && data_whole_cancelled(job->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    free(all);
    return err;
}

static enum err firsts_compare(void *ctx, size_t part, struct why *why)
{
    struct job *job = ctx;
    return compare(job, job->firsts, part, why);
}

static enum err find_exactly(struct job *job, size_t room, struct why *why)
{
    const struct data_whole *whole = job->whole;
    size_t reach = (size_t)job->args[N].number - gram_of(job->args) + 1;
    enum err err = spill_end(job->often, why);
    if (!err)
        err = spill_new(whole->dir, "runs", spill_n(job->often) * reach, UINT64_MAX, room,
                        &job->runs, why);
    if (!err)
        err = pool_each(whole->threads, spill_n_parts(job->often), runs_part, job, why);
    if (!err)
        err = spill_end(job->runs, why);
    if (!err)
        err = spill_new(whole->dir, "firsts", spill_n(job->runs), whole->n << 32, room,
                        &job->firsts, why);
    if (!err)
        err = pool_each(whole->threads, spill_n_parts(job->runs), firsts_part, job, why);
    if (!err)
        err = spill_end(job->firsts, why);
    return err ? err
               : pool_each(whole->threads, spill_n_parts(job->firsts), firsts_compare, job, why);
}

/* Spans of one record, sorted by their start, joined where they touch. */
static size_t merge(const struct spill_entry *all, size_t n, struct span *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        struct span s = {(uint32_t)(all[i].value >> 32), (uint32_t)all[i].value};
        if (k && s.start <= out[k - 1].end)
            out[k - 1].end = s.end > out[k - 1].end ? s.end : out[k - 1].end;
        else
            out[k++] = s;
    }
    return k;
}

static enum err put_verdicts(struct job *job, struct why *why)
{
    uint64_t next = 0;
    enum err err = spill_end(job->spans, why);
    for (size_t part = 0; !err && part < spill_n_parts(job->spans); part++) {
        struct spill_entry *all;
        size_t n;
        err = spill_part(job->spans, part, &all, &n, why);
        for (size_t i = 0, end; !err && i < n; i = end) {
            end = spill_run(all, n, i);
            struct span *spans = malloc((end - i) * sizeof *spans);
            if (!spans)
                err = err_set(why, ERR_NO_MEMORY, "could not say what is repeated");
            for (; !err && next < all[i].key; next++)
                err = data_verdict(job->whole, STR(""), why);
            size_t k = err ? 0 : merge(all + i, end - i, spans);
            if (!err)
                err = data_verdict(job->whole, (struct str){(const char *)spans, k * sizeof *spans},
                                   why);
            free(spans);
            next++;
        }
        free(all);
    }
    for (; !err && next < job->whole->n; next++)
        err = data_verdict(job->whole, STR(""), why);
    return err;
}

static uint64_t count_anchors(const struct data_whole *whole)
{
    struct data_note_at at = {0};
    struct str note;
    uint64_t n = 0;
    while (data_note_next(whole, &at, &note))
        n += note.len / sizeof(struct anchor);
    return n;
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    struct job job = {.whole = whole, .args = args, .lock = PTHREAD_MUTEX_INITIALIZER};
    size_t room = whole->memory / 4 / (whole->threads ? whole->threads : 1);
    uint64_t n = count_anchors(whole), last = whole->n << 32;
    (void)made;
    if (whole->n >= UINT32_MAX)
        return err_set(why, ERR_TOO_LARGE, "%llu records are too many to be compared in one run",
                       (unsigned long long)whole->n);
    enum err err = spill_new(whole->dir, "anchors", n, UINT64_MAX, room, &job.anchors, why);
    if (!err)
        err = spill_new(whole->dir, "pairs", n, last, room, &job.pairs, why);
    if (!err)
        err = spill_new(whole->dir, "spans", n, whole->n, room, &job.spans, why);
    if (!err && args[EXACT].number > 0)
        err = spill_new(whole->dir, "often", n, last, room, &job.often, why);
    if (!err)
        err = put_anchors(&job, why);
    if (!err)
        err = pool_each(whole->threads, spill_n_parts(job.anchors), pair_part, &job, why);
    if (!err)
        err = spill_end(job.pairs, why);
    if (!err)
        err = pool_each(whole->threads, spill_n_parts(job.pairs), compare_part, &job, why);
    if (!err && job.often)
        err = find_exactly(&job, room, why);
    if (!err)
        err = put_verdicts(&job, why);
    spill_free(job.anchors);
    spill_free(job.pairs);
    spill_free(job.spans);
    spill_free(job.often);
    spill_free(job.runs);
    spill_free(job.firsts);
    (void)pthread_mutex_destroy(&job.lock);
    return err;
}

/* ---- what becomes of the record ---- */

static struct span span_at(struct str verdict, size_t i)
{
    struct span s;
    memcpy(&s, verdict.ptr + i * sizeof s, sizeof s);
    return s;
}

/* The bytes of the joined text that a span stands for, with what does not count behind it. */
static struct span bytes_of(struct span s, const struct chars *chars, size_t len)
{
    uint32_t end = s.end < chars->n ? chars->starts[s.end] : (uint32_t)len;
    return (struct span){chars->starts[s.start], end};
}

/* The same with what does not count before it: a sentence may begin with a bracket. */
static uint32_t wide_start(struct span s, const struct chars *chars, struct str all)
{
    size_t at = s.start ? chars->starts[s.start - 1] : 0;
    if (s.start)
        (void)text_next(all, &at);
    return (uint32_t)at;
}

/* Takes the whole sentences or lines out of a text's span; bytes of the text. */
static void cut_units(struct str text, struct span s, int whole, struct buf *out, size_t *from)
{
    struct str rest = text, unit;
    if (whole == CHARACTERS) {
        buf_add(out, str_slice(text, *from, s.start));
        *from = s.end;
        return;
    }
    for (size_t at = 0; at < s.end; at += unit.len) {
        if (whole == SENTENCES && !text_next_sentence(&rest, &unit))
            break;
        if (whole == LINES) {
            size_t end = str_find_from(text, STR("\n"), at);
            unit = str_slice(text, at, end == STR_NPOS ? text.len : end + 1);
        }
        if (at < s.start || at < *from || at + str_trim_space(unit).len > s.end)
            continue;
        buf_add(out, str_slice(text, *from, at));
        *from = at + unit.len;
    }
}

static enum err cut_texts(const struct data_call *call, struct record_text *texts, size_t n,
                          const struct chars *chars, struct str verdict, struct str all,
                          size_t *left, struct why *why)
{
    int whole = (int)call->args[CUT].number;
    size_t base = 0, n_spans = verdict.len / sizeof(struct span);
    for (size_t i = 0; i < n; i++) {
        struct str text = texts[i].value;
        struct buf out;
        size_t from = 0;
        buf_init(&out, call->arena);
        for (size_t k = 0; k < n_spans; k++) {
            struct span s = bytes_of(span_at(verdict, k), chars, all.len);
            if (whole != CHARACTERS)
                s.start = wide_start(span_at(verdict, k), chars, all);
            if (s.end <= base || s.start >= base + text.len)
                continue;
            s.start = s.start > base ? (uint32_t)(s.start - base) : 0;
            s.end = s.end - base < text.len ? (uint32_t)(s.end - base) : (uint32_t)text.len;
            cut_units(text, s, whole, &out, &from);
        }
        buf_add(&out, str_from(text, from < text.len ? from : text.len));
        if (from) {
            texts[i].changed = true;
            texts[i].value = str_trim(buf_str(&out));
        }
        *left += texts[i].value.len;
        base += text.len + 1;
        enum err err = buf_err(&out, why);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err mark(const struct data_call *call, struct record *record, struct str all,
                     const struct chars *chars, struct str verdict, struct why *why)
{
    struct buf out;
    buf_init(&out, call->arena);
    for (size_t k = 0; k < verdict.len / sizeof(struct span); k++) {
        struct span s = bytes_of(span_at(verdict, k), chars, all.len);
        size_t start = text_length(str_slice(all, 0, s.start));
        buf_printf(&out, "%s[%zu,%zu]", k ? "," : "[", start,
                   start + text_length(str_slice(all, s.start, s.end)));
    }
    buf_char(&out, ']');
    char *into = str_z(call->arena, call->args[INTO].text);
    enum err err = into ? buf_err(&out, why) : err_set(why, ERR_NO_MEMORY, "could not mark");
    return err ? err : record_set_raw(record, into, buf_str(&out), why);
}

static enum err apply(const struct data_call *call, struct record *record, struct str verdict,
                      struct data_out *out, struct why *why)
{
    struct record_text *texts;
    struct chars chars = {0};
    size_t n, left = 0, repeated = 0;
    struct str all = data_all_texts(call, record);
    enum err err = all.ptr ? chars_of(all, call->args, call->arena, &chars, why)
                           : err_set(why, ERR_NO_MEMORY, "could not join the texts");
    if (err)
        return err;
    for (size_t k = 0; k < verdict.len / sizeof(struct span); k++)
        repeated += span_at(verdict, k).end - span_at(verdict, k).start;
    if (call->args[MODE].number == MODE_MARK)
        return mark(call, record, all, &chars, verdict, why);
    if (call->args[MODE].number == MODE_DROP) {
        double share = (double)repeated / (double)(chars.n ? chars.n : 1);
        if (share >= call->args[SHARE].number)
            data_drop(out, "%.0f %% of it stands elsewhere before", share * 100);
        return ERR_OK;
    }
    err = record_texts(record, call->paths, call->n_paths, &texts, &n, why);
    if (!err)
        err = cut_texts(call, texts, n, &chars, verdict, all, &left, why);
    if (err)
        return err;
    if (!left) {
        data_drop(out, "nothing is left of it: all of it stands elsewhere before");
        return ERR_OK;
    }
    return record_put_texts(record, texts, n, why);
}

static enum err prepare(const struct data_prepare *prepare, const void **made, struct why *why)
{
    struct str into = prepare->args[INTO].text;
    *made = NULL;
    return into.len && !str_eq_c(into, "id")
               ? ERR_OK
               : err_set(why, ERR_INVALID, "\"into\" must be the name of a member, not the id");
}

const struct data_op data_op_repeated_spans = {
    .name = "repeated_spans",
    .version = 1,
    .group = DATA_DEDUP,
    .summary = "Cut out, mark or drop by long runs of characters that stand elsewhere before",
    .summary_zh = "找出此前已在别处出现过的长片段（逐字核实），切除、标记或按占比丢弃",
    .source = "the purpose of exact substring deduplication, Lee et al. 2022, arXiv:2107.06499 "
              "sec. 4.1, without a suffix array: anchors by winnowing, Schleimer et al. 2003, "
              "doi:10.1145/872757.872770, verified in the texts; a place is compared with at most "
              "three earlier ones, or with \"exact\" with all, so that the runs are those of a "
              "suffix array",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .takes = DATA_ANY_KIND & ~DATA_KIND(RECORD_SPANS),
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .note = note,
    .decide = decide,
    .apply = apply,
};
