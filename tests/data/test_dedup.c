/* What is alike or repeated over a whole set: against the plain way, and with little memory. */
#include "golden.h"

#include <stdlib.h>

#include "core/hash.h"
#include "data/field.h"
#include "data/shingles.h"
#include "data/spill.h"

static uint64_t draw(uint64_t *seed, uint64_t most)
{
    *seed = hash64(seed, sizeof *seed, 7);
    return *seed % most;
}

/* ---- spill ---- */

static void spill_round(uint64_t n, uint64_t key_most, size_t part_bytes, size_t least_parts)
{
    char dir[] = "/tmp/yicheng-spill-XXXXXX";
    struct spill *spill = NULL;
    struct why why = {0};
    uint64_t seed = n, sum = 0, got = 0, count = 0;
    struct spill_entry last = {0, 0};
    CHECK(mkdtemp(dir) != NULL);
    CHECK_OK(spill_new(dir, "t", n, key_most, part_bytes, &spill, &why), &why);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t key = key_most == UINT64_MAX ? draw(&seed, UINT64_MAX) : draw(&seed, key_most + 1);
        sum += hash64(&key, sizeof key, i);
        CHECK_OK(spill_put(spill, key, i, &why), &why);
    }
    CHECK_OK(spill_end(spill, &why), &why);
    CHECK_EQ(spill_n(spill), n);
    CHECK(spill_n_parts(spill) >= least_parts);
    for (size_t p = 0; p < spill_n_parts(spill); p++) {
        struct spill_entry *all = NULL;
        size_t k = 0;
        CHECK_OK(spill_part(spill, p, &all, &k, &why), &why);
        for (size_t i = 0; i < k; i++) {
            if (all[i].key < last.key || (all[i].key == last.key && all[i].value < last.value))
                count = UINT64_MAX / 2; /* out of order */
            last = all[i];
            got += hash64(&all[i].key, sizeof all[i].key, all[i].value);
            count++;
        }
        free(all);
    }
    CHECK_EQ(count, n);
    CHECK_EQ(got, sum);
    spill_free(spill);
    CHECK_EQ(rmdir(dir), 0); /* no file is left */
}

TEST(entries_come_back_sorted_through_any_number_of_parts)
{
    spill_round(0, 10, 1024, 1);
    spill_round(3, UINT64_MAX, 1 << 20, 1);
    spill_round(50000, UINT64_MAX, 1 << 16, 20);
    spill_round(50000, 7, 1 << 16, 7);
    spill_round(50000, 49999, 1 << 20, 1);
    spill_round(200000, UINT64_MAX, 64 << 20, 1);
}

/* ---- texts with planted copies ---- */

static void put_chars(struct buf *out, uint64_t *seed, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char utf8[4];
        uint32_t c = 0x4E00 + (uint32_t)draw(seed, 3000);
        if (draw(seed, 25) == 0)
            buf_add_c(out, draw(seed, 2) ? "。" : "，");
        utf8[0] = (char)(0xE0 | c >> 12);
        utf8[1] = (char)(0x80 | (c >> 6 & 0x3F));
        utf8[2] = (char)(0x80 | (c & 0x3F));
        buf_add(out, (struct str){utf8, 3});
    }
}

/* Each text is new, or a copy of one before with some characters drawn anew. */
static void put_texts(struct buf *lines, struct str *texts, size_t n, struct arena *arena)
{
    uint64_t seed = 11;
    for (size_t i = 0; i < n; i++) {
        struct buf text;
        buf_init(&text, arena);
        if (i < 5 || draw(&seed, 3) == 0) {
            put_chars(&text, &seed, 100 + draw(&seed, 400));
        } else {
            struct str from = texts[draw(&seed, i)];
            uint64_t changes = draw(&seed, 12);
            size_t at = 0;
            for (uint64_t c = 0; c < changes && at < from.len; c++) {
                size_t next = at + 3 * draw(&seed, from.len / 3 / (changes + 1) + 1);
                buf_add(&text, str_slice(from, at, next));
                put_chars(&text, &seed, 1);
                at = next + 3;
            }
            buf_add(&text, str_from(from, at));
        }
        texts[i] = buf_str(&text);
        buf_printf(lines, "{\"id\":\"t-%zu\",\"text\":\"%.*s\"}\n", i, STR_FMT(texts[i]));
    }
}

/* The lines through one step, in `shards` shards, with `memory` bytes for decide(). */
static struct str through(const char *step, struct str lines, size_t shards, size_t memory,
                          size_t threads, struct arena *arena)
{
    char dir[64];
    struct why why = {0};
    struct pipeline p;
    struct work_result result;
    const struct json *spec = NULL;
    struct buf out;
    struct work_input inputs[16];
    (void)snprintf(dir, sizeof dir, "%s/yicheng-dedup-XXXXXX", golden_temp());
    CHECK(mkdtemp(dir) != NULL);
    CHECK_OK(json_parse(str_printf(arena,
                                   "{\"input\":{\"dataset\":\"a\"},\"output\":{\"dataset\":\"b\"},"
                                   "\"steps\":[%s]}",
                                   step),
                        arena, &spec, &why),
             &why);
    CHECK_OK(pipeline_read(spec, RECORD_TEXT, "", arena, &p, &why), &why);
    for (size_t i = 0; i < shards; i++) {
        struct str part = lines;
        size_t want = lines.len / (shards - i);
        const char *end = memchr(lines.ptr + want - 1, '\n', lines.len - want + 1);
        part.len = i + 1 < shards ? (size_t)(end - lines.ptr) + 1 : lines.len;
        inputs[i] =
            (struct work_input){.path = str_z(arena, str_printf(arena, "%s/in%zu", dir, i))};
        CHECK_OK(file_write(inputs[i].path, part, 0640, &why), &why);
        lines = str_from(lines, part.len);
    }
    struct work work = {.pipeline = &p,
                        .dir = file_join(arena, dir, "work"),
                        .shards = inputs,
                        .n_shards = shards,
                        .threads = threads,
                        .memory = memory};
    CHECK_OK(work_run(&work, arena, &result, &why), &why);
    buf_init(&out, arena);
    for (size_t i = 0; i < shards; i++) {
        struct str text = STR("");
        char *name =
            str_z(arena, str_printf(arena, "%s/s%zu-%zu.out", work.dir, work_n_stages(&p) - 1, i));
        CHECK_OK(file_read(name, (size_t)64 << 20, arena, &text, &why), &why);
        buf_add(&out, text);
    }
    CHECK_EQ(file_remove(dir, NULL), ERR_OK);
    return buf_str(&out);
}

#define TEXTS 600

static struct shingles set_of(struct str text, struct arena *arena)
{
    struct shingles s = {0};
    CHECK_EQ(shingles_of(text, 5, true, arena, &s, NULL), ERR_OK);
    shingles_sort(&s);
    return s;
}

/* What goes is alike to what stays; what stays is alike to nothing that stays. */
TEST(a_star_keeps_what_is_not_alike_and_drops_what_is)
{
    struct arena *arena = arena_new((size_t)2 << 30);
    struct str texts[TEXTS], rest, line;
    struct shingles sets[TEXTS];
    struct buf lines;
    size_t n = 0, wrong = 0, dropped = 0;
    buf_init(&lines, arena);
    put_texts(&lines, texts, TEXTS, arena);
    for (size_t i = 0; i < TEXTS; i++)
        sets[i] = set_of(texts[i], arena);
    struct str out = through("{\"op\":\"minhash_dedup\",\"mode\":\"mark\"}", buf_str(&lines), 3,
                             (size_t)1 << 20, 2, arena);
    bool stays[TEXTS];
    for (rest = out; str_next_line(&rest, &line); n++) {
        struct record record;
        CHECK_EQ(record_read(line, arena, &record, NULL), ERR_OK);
        struct str cluster = field_text(&record, STR("duplicates.cluster"));
        stays[n] = !cluster.ptr || str_eq(cluster, record.id);
        dropped += !stays[n];
        int64_t number = -1;
        if (stays[n])
            continue;
        CHECK(str_to_i64(str_from(cluster, 2), &number) && number >= 0 && number < TEXTS);
        wrong += shingles_jaccard(&sets[n], &sets[number]) < 0.8;
    }
    CHECK_EQ(n, TEXTS);
    CHECK_EQ(wrong, 0);
    CHECK(dropped > TEXTS / 4);
    size_t missed = 0, alike = 0;
    for (size_t i = 0; i < TEXTS; i++)
        for (size_t k = 0; k < i; k++) {
            bool same = shingles_jaccard(&sets[i], &sets[k]) >= 0.8;
            alike += same;
            missed += same && stays[i] && stays[k];
        }
    CHECK(alike > dropped);
    CHECK(missed * 100 <= alike); /* found with 0.995 a pair at the threshold */
    arena_free(arena);
}

TEST(little_memory_many_shards_and_threads_change_no_byte)
{
    static const char *const steps[] = {
        "{\"op\":\"minhash_dedup\"}",
        "{\"op\":\"minhash_dedup\",\"cluster\":\"chain\",\"verify\":\"estimate\"}",
        "{\"op\":\"simhash_dedup\",\"distance\":5}",
        "{\"op\":\"repeated_units\",\"unit\":\"sentence\",\"least\":4}",
        "{\"op\":\"repeated_spans\",\"n\":40}",
        "{\"op\":\"repeated_spans\",\"n\":40,\"exact\":true}",
    };
    struct arena *arena = arena_new((size_t)2 << 30);
    struct str texts[TEXTS];
    struct buf lines;
    buf_init(&lines, arena);
    put_texts(&lines, texts, TEXTS, arena);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct str a = through(steps[i], buf_str(&lines), 1, (size_t)256 << 20, 1, arena);
        struct str b = through(steps[i], buf_str(&lines), 7, (size_t)40 << 10, 4, arena);
        CHECK(a.len < lines.len && a.len > 0);
        CHECK(str_eq(a, b));
    }
    arena_free(arena);
}

/* ---- spans against the plain way ---- */

/* Whether chars[at .. at + n) of text i stand before: in a text before, or before in this one. */
static bool stands_before(uint32_t **chars, const size_t *lens, size_t i, size_t at, size_t n)
{
    for (size_t k = 0; k <= i; k++)
        for (size_t p = 0; p + n <= lens[k] && (k < i || p < at); p++)
            if (memcmp(chars[k] + p, chars[i] + at, n * sizeof **chars) == 0)
                return true;
    return false;
}

TEST(marked_spans_are_those_that_the_plain_way_finds)
{
    enum { FEW = 60, SPAN = 40 };
    struct arena *arena = arena_new((size_t)2 << 30);
    struct str texts[FEW], rest, line;
    uint32_t *chars[FEW];
    size_t lens[FEW], n = 0, marked = 0, missed = 0, wrong = 0;
    struct buf lines;
    buf_init(&lines, arena);
    put_texts(&lines, texts, FEW, arena);
    for (size_t i = 0; i < FEW; i++) {
        chars[i] = arena_array(arena, uint32_t, texts[i].len + 1);
        lens[i] = shingle_chars(texts[i], false, chars[i], NULL);
    }
    struct str out = through("{\"op\":\"repeated_spans\",\"n\":40,\"same\":\"text\",\"mode\":"
                             "\"mark\"}",
                             buf_str(&lines), 2, (size_t)1 << 20, 2, arena);
    for (rest = out; str_next_line(&rest, &line); n++) {
        const struct json *json = NULL;
        bool ours[4096] = {false}, plain[4096] = {false};
        CHECK_EQ(json_parse(line, arena, &json, NULL), ERR_OK);
        const struct json *spans = json_get(json, "repeats");
        for (size_t s = 0; s < json_len(spans); s++)
            for (int64_t c = json_int(json_at(json_at(spans, s), 0), 0);
                 c < json_int(json_at(json_at(spans, s), 1), 0); c++)
                ours[c] = true;
        for (size_t at = 0; at + SPAN <= lens[n]; at++)
            if (stands_before(chars, lens, n, at, SPAN))
                memset(plain + at, 1, SPAN);
        for (size_t c = 0; c < lens[n]; c++) {
            marked += plain[c];
            missed += plain[c] && !ours[c];
            wrong += ours[c] && !plain[c];
        }
    }
    CHECK_EQ(n, FEW);
    CHECK(marked > 1000);
    CHECK_EQ(wrong, 0);
    CHECK(missed * 100 <= marked); /* places with more than three copies before them */
    printf("# %zu characters repeated, %zu of them missed\n", marked, missed);
    arena_free(arena);
}

/* ---- spans against a suffix array ---- */

/* All texts behind one another, each with a character of its own behind it that is equal to no
 * other: no run crosses a border. */
struct suffixes {
    uint32_t *chars, *order, *rank, *next; /* n each */
    size_t n;
};

static struct suffixes *sorting;
static size_t sorting_step;

static int by_rank(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct suffixes *s = sorting;
    if (s->rank[x] != s->rank[y])
        return s->rank[x] < s->rank[y] ? -1 : 1;
    uint32_t p = x + sorting_step < s->n ? s->rank[x + sorting_step] + 1 : 0;
    uint32_t q = y + sorting_step < s->n ? s->rank[y + sorting_step] + 1 : 0;
    return (p > q) - (p < q);
}

/* Manber and Myers 1990, by doubling: ranks of suffixes by their first 1, 2, 4 ... characters. */
static void sort_suffixes(struct suffixes *s)
{
    sorting = s;
    for (size_t i = 0; i < s->n; i++) {
        s->order[i] = (uint32_t)i;
        s->rank[i] = s->chars[i];
    }
    for (sorting_step = 1;; sorting_step *= 2) {
        uint32_t rank = 0;
        qsort(s->order, s->n, sizeof *s->order, by_rank);
        for (size_t i = 0; i < s->n; i++) {
            rank += i && by_rank(&s->order[i - 1], &s->order[i]) != 0;
            s->next[s->order[i]] = rank;
        }
        memcpy(s->rank, s->next, s->n * sizeof *s->rank);
        if (rank + 1 == s->n)
            return;
    }
}

static bool same_run(const struct suffixes *s, size_t a, size_t b, size_t n)
{
    return a + n <= s->n && b + n <= s->n &&
           memcmp(s->chars + a, s->chars + b, n * sizeof *s->chars) == 0;
}

/* Every place within a run of n that begins earlier, too. Suffixes with the same first n characters
 * stand side by side; the leftmost of them is the first. */
static void mark_by_suffixes(struct suffixes *s, size_t n, bool *marked)
{
    sort_suffixes(s);
    for (size_t i = 0, end; i < s->n; i = end) {
        uint32_t first = s->order[i];
        for (end = i + 1; end < s->n && same_run(s, s->order[end - 1], s->order[end], n); end++)
            first = s->order[end] < first ? s->order[end] : first;
        for (size_t k = i; end - i > 1 && k < end; k++)
            if (s->order[k] != first)
                memset(marked + s->order[k], 1, n);
    }
}

static struct suffixes suffixes_of(const struct str *texts, size_t n, bool words,
                                   struct arena *arena)
{
    struct suffixes s = {0};
    size_t most = n;
    for (size_t i = 0; i < n; i++)
        most += texts[i].len;
    s.chars = arena_array(arena, uint32_t, most);
    s.order = arena_array(arena, uint32_t, most);
    s.rank = arena_array(arena, uint32_t, most);
    s.next = arena_array(arena, uint32_t, most);
    for (size_t i = 0; i < n; i++) {
        s.n += shingle_chars(texts[i], words, s.chars + s.n, NULL);
        s.chars[s.n++] = 0x110000 + (uint32_t)i;
    }
    return s;
}

/* The operator's marks (characters of the text, "same": "text") as the suffix array has them. */
static void exact_round(const struct str *texts, size_t n, size_t span, struct str lines,
                        size_t shards, size_t memory, struct arena *arena)
{
    struct suffixes s = suffixes_of(texts, n, false, arena);
    bool *wanted = arena_array(arena, bool, s.n + span),
         *ours = arena_array(arena, bool, s.n + span);
    struct str step = str_printf(arena,
                                 "{\"op\":\"repeated_spans\",\"n\":%zu,\"same\":\"text\",\"mode\":"
                                 "\"mark\",\"exact\":true}",
                                 span);
    struct str out = through(str_z(arena, step), lines, shards, memory, 2, arena), line;
    size_t base = 0, i = 0, marked = 0, wrong = 0, missed = 0;
    mark_by_suffixes(&s, span, wanted);
    for (; str_next_line(&out, &line); i++) {
        const struct json *json = NULL;
        CHECK_EQ(json_parse(line, arena, &json, NULL), ERR_OK);
        const struct json *spans = json_get(json, "repeats");
        for (size_t k = 0; k < json_len(spans); k++)
            for (int64_t c = json_int(json_at(json_at(spans, k), 0), 0);
                 c < json_int(json_at(json_at(spans, k), 1), 0); c++)
                ours[base + (size_t)c] = true;
        while (s.chars[base] < 0x110000)
            base++;
        base++;
    }
    for (size_t c = 0; c < s.n; c++) {
        marked += wanted[c];
        missed += wanted[c] && !ours[c];
        wrong += ours[c] && !wanted[c];
    }
    CHECK_EQ(i, n);
    CHECK(marked * 20 > s.n);
    CHECK_EQ(missed, 0);
    CHECK_EQ(wrong, 0);
    printf("# %zu of %zu characters repeated\n", marked, s.n);
}

TEST(exact_spans_are_those_of_a_suffix_array)
{
    static const size_t spans[] = {20, 40, 101};
    for (size_t k = 0; k < sizeof spans / sizeof spans[0]; k++) {
        struct arena *arena = arena_new((size_t)2 << 30);
        struct str texts[TEXTS];
        struct buf lines;
        buf_init(&lines, arena);
        put_texts(&lines, texts, TEXTS, arena);
        exact_round(texts, TEXTS, spans[k], buf_str(&lines), 1 + 3 * k,
                    (size_t)(k ? 40 : 4096) << 10, arena);
        arena_free(arena);
    }
}

/* Few characters and few sentences: nearly every run stands often, and over itself. */
TEST(exact_spans_hold_where_everything_is_repeated)
{
    enum { MANY = 300 };
    struct arena *arena = arena_new((size_t)2 << 30);
    struct str texts[MANY];
    struct buf lines;
    uint64_t seed = 5;
    buf_init(&lines, arena);
    for (size_t i = 0; i < MANY; i++) {
        struct buf text;
        buf_init(&text, arena);
        for (size_t k = 0, n = 3 + draw(&seed, 30); k < n; k++)
            switch (draw(&seed, 4)) {
            case 0:
                buf_add_c(&text, "本条例自公布之日起施行，由市人民政府负责解释。");
                break;
            case 1:
                buf_add_c(&text, "甲乙甲乙甲乙甲乙甲乙甲乙甲乙甲乙甲乙甲乙甲乙甲乙");
                break;
            case 2:
                buf_add_c(&text, "违反本条例规定的，由城市管理部门责令限期改正；");
                break;
            default:
                put_chars(&text, &seed, 1 + draw(&seed, 12));
            }
        texts[i] = buf_str(&text);
        buf_printf(&lines, "{\"id\":\"t-%zu\",\"text\":\"%.*s\"}\n", i, STR_FMT(texts[i]));
    }
    exact_round(texts, MANY, 25, buf_str(&lines), 3, (size_t)64 << 10, arena);
    arena_free(arena);
}

TESTS_MAIN()
