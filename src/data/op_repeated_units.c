/* repeated_units: lines, paragraphs or sentences that stand in many places of the whole set. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/pool.h"
#include "data/op.h"
#include "data/shingles.h"
#include "data/spill.h"
#include "data/text.h"

enum { UNIT, LEAST, FROM, KEEP, SAME, DIGITS };
static const struct data_param params[] = {
    [UNIT] = {"unit", DATA_CHOICE, 0, 0, 0, "line|paragraph|sentence", "",
              "What is compared; paragraphs are parted by empty lines",
              "比较的单位：行、段（以空行分隔）、句"},
    [LEAST] = {"least", DATA_INTEGER, 1, 1e6, 10, NULL, "characters",
               "Shorter ones are left alone; of those that are compared", "短于此长度的不处理"},
    [FROM] = {"from", DATA_INTEGER, 2, 1e9, 2, NULL, "", "So often it must occur in the whole set",
              "在整个数据集中至少出现多少次才处理"},
    [KEEP] = {"keep", DATA_CHOICE, 0, 0, 0, "first|none", "",
              "first: the first of all stays; none: all go, as with boilerplate",
              "first 保留最先出现的一处；none 全部去掉（适合套话、页眉页脚）"},
    [SAME] = {"same", DATA_CHOICE, 0, 0, 0, "words|text", "",
              "words: Han, letters and digits alone, width and case folded; text: byte for byte",
              "words 只比较汉字、字母、数字，忽略全半角和大小写；text 逐字节相同"},
    [DIGITS] = {"digits", DATA_FLAG, 0, 1, 0, NULL, "",
                "Numbers may differ: they count as one character (not with same: text)",
                "数字不同也算相同（same 为 text 时无效）"},
};

enum { LINE, PARAGRAPH, SENTENCE };

/* ---- units of a text ---- */

/* The next unit with what parts it from the one behind. Units follow one another without a gap. */
static bool next_unit(struct str *rest, int unit, struct str *out)
{
    struct str all = *rest;
    size_t end = all.len;
    if (!all.len)
        return false;
    if (unit == SENTENCE)
        return text_next_sentence(rest, out);
    size_t at = str_find_char(all, '\n');
    if (unit == PARAGRAPH)
        for (; at != STR_NPOS; at = str_find_from(all, STR("\n"), at + 1)) {
            size_t k = at + 1;
            while (k < all.len && (all.ptr[k] == ' ' || all.ptr[k] == '\t' || all.ptr[k] == '\r'))
                k++;
            if (k < all.len && all.ptr[k] == '\n') {
                at = k;
                break;
            }
        }
    if (at != STR_NPOS)
        end = at + 1;
    *out = str_slice(all, 0, end);
    *rest = str_from(all, end);
    return true;
}

/* 0: too short to be compared. */
static uint64_t hash_of_unit(struct str unit, const struct data_arg *args, uint32_t *chars)
{
    size_t n, k = 0;
    uint64_t h;
    if (args[SAME].number > 0) {
        struct str plain = str_trim_space(unit);
        if ((double)text_length(plain) < args[LEAST].number)
            return 0;
        h = hash64(plain.ptr, plain.len, 3);
        return h + (h == 0);
    }
    n = shingle_chars(unit, true, chars, NULL);
    if ((double)n < args[LEAST].number)
        return 0;
    for (size_t i = 0; i < n && args[DIGITS].number > 0; i++) {
        bool digit = text_class(chars[i]) == TEXT_DIGIT;
        if (!digit || k == 0 || chars[k - 1] != '0')
            chars[k++] = digit ? '0' : chars[i];
    }
    h = hash64(chars, (k ? k : n) * sizeof *chars, 4);
    return h + (h == 0);
}

/* The hashes of all units of all texts, in order: the note. */
static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct record_text *texts;
    size_t n;
    enum err err = record_texts(record, call->paths, call->n_paths, &texts, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        struct str rest = texts[i].value, unit;
        uint32_t *chars = arena_grow(call->arena, NULL, 0, (rest.len + 1) * sizeof *chars);
        if (!chars)
            return err_set(why, ERR_NO_MEMORY, "could not compare the lines of a text");
        while (next_unit(&rest, (int)call->args[UNIT].number, &unit)) {
            uint64_t h = hash_of_unit(unit, call->args, chars);
            buf_add(note, (struct str){(const char *)&h, sizeof h});
        }
    }
    return err;
}

/* ---- the whole set ---- */

struct job {
    const struct data_whole *whole;
    const struct data_arg *args;
    struct spill *units;  /* hash -> record and number of the unit */
    struct spill *gone;   /* record -> number of the unit */
    pthread_mutex_t lock; /* of `gone` */
};

static enum err put_units(struct job *job, struct why *why)
{
    struct data_note_at at = {0};
    struct str note;
    enum err err = ERR_OK;
    for (uint64_t i = 0; !err && data_note_next(job->whole, &at, &note); i++) {
        for (uint32_t k = 0; !err && k < note.len / 8; k++) {
            uint64_t h;
            memcpy(&h, note.ptr + 8 * (size_t)k, sizeof h);
            if (h)
                err = spill_put(job->units, h, i << 32 | k, why);
        }
        if (!err && i % 4096 == 0 && data_whole_cancelled(job->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    return err ? err : spill_end(job->units, why);
}

static enum err one_part(void *ctx, size_t part, struct why *why)
{
    struct job *job = ctx;
    struct spill_entry *all;
    size_t n, from = (size_t)job->args[FROM].number, skip = job->args[KEEP].number < 1;
    enum err err = spill_part(job->units, part, &all, &n, why);
    for (size_t i = 0, end; !err && i < n; i = end) {
        end = spill_run(all, n, i);
        if (end - i < from)
            continue;
        (void)pthread_mutex_lock(&job->lock);
        for (size_t k = i + skip; !err && k < end; k++)
            err = spill_put(job->gone, all[k].value >> 32, all[k].value & UINT32_MAX, why);
        (void)pthread_mutex_unlock(&job->lock);
        if (!err && data_whole_cancelled(job->whole))
            err = err_set(why, ERR_CANCELLED, "the run was cancelled");
    }
    free(all);
    return err;
}

/* The verdict of a record: the numbers of its units that go, 4 bytes each. */
static enum err put_verdicts(struct job *job, struct why *why)
{
    uint64_t next = 0;
    enum err err = spill_end(job->gone, why);
    for (size_t part = 0; !err && part < spill_n_parts(job->gone); part++) {
        struct spill_entry *all;
        size_t n;
        err = spill_part(job->gone, part, &all, &n, why);
        for (size_t i = 0, end; !err && i < n; i = end) {
            end = spill_run(all, n, i);
            uint32_t *units = malloc((end - i) * sizeof *units);
            if (!units)
                err = err_set(why, ERR_NO_MEMORY, "could not say which lines go");
            for (; !err && next < all[i].key; next++)
                err = data_verdict(job->whole, STR(""), why);
            for (size_t k = i; !err && k < end; k++)
                units[k - i] = (uint32_t)all[k].value;
            struct str verdict = {(const char *)units, (end - i) * sizeof *units};
            if (!err)
                err = data_verdict(job->whole, verdict, why);
            free(units);
            next++;
        }
        free(all);
    }
    for (; !err && next < job->whole->n; next++)
        err = data_verdict(job->whole, STR(""), why);
    return err;
}

static uint64_t count_units(const struct data_whole *whole)
{
    struct data_note_at at = {0};
    struct str note;
    uint64_t n = 0;
    while (data_note_next(whole, &at, &note))
        n += note.len / 8;
    return n;
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    struct job job = {.whole = whole, .args = args, .lock = PTHREAD_MUTEX_INITIALIZER};
    size_t room = whole->memory / 4 / (whole->threads ? whole->threads : 1);
    uint64_t n = count_units(whole);
    (void)made;
    if (whole->n >= UINT32_MAX)
        return err_set(why, ERR_TOO_LARGE, "%llu records are too many to be compared in one run",
                       (unsigned long long)whole->n);
    enum err err = spill_new(whole->dir, "units", n, UINT64_MAX, room, &job.units, why);
    if (!err)
        err = spill_new(whole->dir, "gone", n, whole->n, room, &job.gone, why);
    if (!err)
        err = put_units(&job, why);
    if (!err)
        err = pool_each(whole->threads, spill_n_parts(job.units), one_part, &job, why);
    if (!err)
        err = put_verdicts(&job, why);
    spill_free(job.units);
    spill_free(job.gone);
    (void)pthread_mutex_destroy(&job.lock);
    return err;
}

/* ---- cutting them out ---- */

struct cut {
    struct str verdict;
    size_t at;     /* into the verdict */
    uint32_t unit; /* of the record */
};

static bool goes(struct cut *cut)
{
    uint32_t number;
    if (cut->verdict.len - cut->at < sizeof number)
        return false;
    memcpy(&number, cut->verdict.ptr + cut->at, sizeof number);
    if (number != cut->unit)
        return false;
    cut->at += sizeof number;
    return true;
}

static enum err cut_text(const struct data_call *call, struct record_text *text, struct cut *cut,
                         struct why *why)
{
    struct str rest = text->value, unit;
    struct buf buf;
    buf_init(&buf, call->arena);
    for (; next_unit(&rest, (int)call->args[UNIT].number, &unit); cut->unit++) {
        if (goes(cut))
            text->changed = true;
        else
            buf_add(&buf, unit);
    }
    if (text->changed)
        text->value = str_trim(buf_str(&buf));
    return buf_err(&buf, why);
}

static enum err apply(const struct data_call *call, struct record *record, struct str verdict,
                      struct data_out *out, struct why *why)
{
    struct record_text *texts;
    struct cut cut = {verdict, 0, 0};
    size_t n, left = 0;
    enum err err = record_texts(record, call->paths, call->n_paths, &texts, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        err = cut_text(call, &texts[i], &cut, why);
        left += texts[i].value.len;
    }
    if (err)
        return err;
    if (!left) {
        data_drop(out, "nothing is left of it: all of it stands elsewhere");
        return ERR_OK;
    }
    return record_put_texts(record, texts, n, why);
}

const struct data_op data_op_repeated_units = {
    .name = "repeated_units",
    .version = 1,
    .group = DATA_DEDUP,
    .summary = "Cut out lines, paragraphs or sentences that the whole set holds several times",
    .summary_zh = "去掉在整个数据集中重复出现的行、段或句，可忽略标点、空白、全半角、大小写和数字",
    .source = "paragraph deduplication by normalised hashes as in CCNet, Wenzek et al. 2020, "
              "arXiv:1911.00359 sec. 3.1; by 64-bit hashes sorted through files",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .takes = DATA_ANY_KIND & ~DATA_KIND(RECORD_SPANS),
    .gives = DATA_SAME_KIND,
    .note = note,
    .decide = decide,
    .apply = apply,
};
