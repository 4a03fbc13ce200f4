#include "release/measure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/map.h"
#include "core/time.h"
#include "core/utf8.h"
#include "privacy/privacy.h"

#define N_EXAMPLES   5
#define EXAMPLE_TEXT 160 /* characters */
#define NOTE         120
#define SHORT        5  /* characters: less is hardly a text */
#define NEAR_LEAST   20 /* characters: shorter texts have no near duplicates */
#define NEAR_MOST    200000
#define NEAR_BITS    3
#define NEAR_WINDOW  32
#define OPENING      20 /* characters of a beginning */
#define OPENING_MOST 20 /* records that may share one */
#define HLL_BITS     14
#define HLL_SIZE     (1u << HLL_BITS)
#define MOST_NAMES   20000 /* labels; sources have a list of their own */
#define N_LENGTHS    9
#define N_SHOWN      20

/* One wrong record as an example. */
struct example {
    struct str id, text;
    char note[NOTE];
};

enum {
    M_MEMBERS,
    M_EMPTY,
    M_PAPERS,
    M_ENCODING,
    M_SHORT,
    M_NOISE,
    M_EXACT,
    M_NEAR,
    M_LABELS,
    M_SCHEMA,
    M_OPENING,
    M_BALANCE,
    M_GRAMS,
    M_SOURCES,
    M_FRESH,
    M_WORDS,
    M_TOXIC,
    M_PERSONAL,
    M_COUNT
};

struct counted {
    int64_t n_bad;
    struct example examples[N_EXAMPLES];
    size_t n_examples;
};

struct print { /* of one record */
    uint64_t text, near;
    uint32_t label, opening; /* hashes */
};

struct sketch { /* HyperLogLog */
    uint8_t registers[HLL_SIZE];
    uint64_t n;
};

struct measure {
    struct arena *arena;
    const struct lookout *lookout;
    int64_t n, cap;
    struct print *prints;
    struct str *ids;
    struct counted counted[M_COUNT];
    struct sketch two, four;
    int64_t lengths[N_LENGTHS], scripts[4], personal[PRIVACY_KINDS];
    struct map labels, sources, splits, months;
    int64_t n_sources, n_papers, n_fresh, n_dated, largest_source, n_labelled;
    int64_t n_members, n_mixed;
    char mixed[NOTE];
    int64_t n_characters;
};

static const int64_t length_edges[N_LENGTHS - 1] = {20, 50, 100, 200, 500, 1000, 2000, 5000};
static const char *const length_names[N_LENGTHS] = {
    "<20", "20-50", "50-100", "100-200", "200-500", "500-1000", "1000-2000", "2000-5000", ">=5000"};
static const char *const script_names[4] = {"zh", "latin", "mixed", "other"};

/* Two passes with examples: a record that is wrong is remembered with its first words. */
static void bad(struct measure *m, int which, struct str id, struct str text, const char *fmt, ...)
    ERR_PRINTF(5, 6);
static void bad(struct measure *m, int which, struct str id, struct str text, const char *fmt, ...)
{
    struct counted *c = &m->counted[which];
    va_list args;
    c->n_bad++;
    if (c->n_examples == N_EXAMPLES)
        return;
    struct example *e = &c->examples[c->n_examples];
    e->id = str_copy(m->arena, id);
    e->text = str_copy(m->arena, utf8_prefix(text, EXAMPLE_TEXT));
    va_start(args, fmt);
    (void)vsnprintf(e->note, sizeof e->note, fmt, args);
    va_end(args);
    if (e->id.ptr && e->text.ptr)
        c->n_examples++;
}

enum err measure_new(struct arena *arena, int64_t n_records, const struct lookout *lookout,
                     struct measure **out, struct why *why)
{
    struct measure *m = calloc(1, sizeof *m);
    size_t n = (size_t)n_records + 1;
    if (!m)
        return err_set(why, ERR_NO_MEMORY, "could not begin the report");
    *m = (struct measure){.arena = arena, .lookout = lookout, .cap = n_records};
    m->prints = malloc(n * sizeof *m->prints);
    m->ids = arena_array(arena, struct str, n);
    map_init(&m->labels, arena);
    map_init(&m->sources, arena);
    map_init(&m->splits, arena);
    map_init(&m->months, arena);
    if (!m->prints || !m->ids) {
        measure_free(m);
        return err_set(why, ERR_NO_MEMORY, "could not hold the figures of %lld records",
                       (long long)n_records);
    }
    *out = m;
    return ERR_OK;
}

void measure_free(struct measure *m)
{
    if (!m)
        return;
    free(m->prints);
    free(m);
}

/* ---- one text ---- */

static void sketch_add(struct sketch *s, uint64_t h)
{
    uint32_t at = (uint32_t)(h >> (64 - HLL_BITS));
    uint64_t rest = h << HLL_BITS | 1ull << (HLL_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    if (rank > s->registers[at])
        s->registers[at] = rank;
    s->n++;
}

static double sketch_count(const struct sketch *s)
{
    double sum = 0, m = HLL_SIZE;
    int zeros = 0;
    for (size_t i = 0; i < HLL_SIZE; i++) {
        sum += ldexp(1, -s->registers[i]);
        zeros += s->registers[i] == 0;
    }
    double e = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    return e <= 2.5 * m && zeros ? m * log(m / zeros) : e;
}

struct looked {
    int64_t n, n_han, n_latin, n_strange, n_symbol;
    uint64_t near;
};

/* A base of SimHash: 64 counters over the hashes of the text's runs of four characters. */
static void look(struct measure *m, struct str text, struct looked *out)
{
    int32_t weights[64] = {0};
    uint32_t last[4] = {0};
    *out = (struct looked){0};
    for (size_t i = 0; i < text.len;) {
        uint32_t c = utf8_next(text, &i);
        out->n++;
        out->n_han += utf8_is_han(c);
        out->n_latin += (c | 32) >= 'a' && (c | 32) <= 'z';
        out->n_strange += c == UTF8_BAD || (c < 32 && c != '\n' && c != '\t' && c != '\r') ||
                          (c >= 0x7F && c < 0xA0) || (c >= 0xE000 && c < 0xF900);
        out->n_symbol += (c < 128 && c > 32 && !((c | 32) >= 'a' && (c | 32) <= 'z') &&
                          !(c >= '0' && c <= '9')) ||
                         (c >= 0x2000 && c < 0x2E80);
        memmove(last, last + 1, 3 * sizeof last[0]);
        last[3] = c;
        if (out->n >= 2)
            sketch_add(&m->two, hash64(last + 2, 2 * sizeof last[0], 2));
        if (out->n < 4)
            continue;
        uint64_t h = hash64(last, sizeof last, 4);
        sketch_add(&m->four, h);
        for (int b = 0; b < 64; b++)
            weights[b] += h >> b & 1 ? 1 : -1;
    }
    for (int b = 0; b < 64; b++)
        out->near |= (uint64_t)(weights[b] > 0) << b;
}

static enum err name_add(struct map *map, struct str name, struct arena *arena, int64_t n,
                         struct why *why)
{
    struct map_entry *e = map_find(map, name);
    if (!e && map->n >= MOST_NAMES)
        name = STR("*");
    if (!e) {
        struct str copy = str_copy(arena, name);
        e = copy.ptr ? map_put(map, copy, NULL) : NULL;
    }
    if (!e)
        return err_set(why, ERR_NO_MEMORY, "could not hold the names of the report");
    e->value.i += n;
    return ERR_OK;
}

static int length_of(int64_t n)
{
    int i = 0;
    while (i < N_LENGTHS - 1 && n >= length_edges[i])
        i++;
    return i;
}

static int script_of(const struct looked *l)
{
    int64_t letters = l->n_han + l->n_latin;
    if (!letters)
        return 3;
    return l->n_han * 10 >= letters * 7 ? 0 : l->n_latin * 10 >= letters * 7 ? 1 : 2;
}

static void check_text(struct measure *m, const struct data_view *v, const struct looked *l)
{
    if (v->fault[0])
        bad(m, M_MEMBERS, v->id, v->text, "%s", v->fault);
    if (!str_trim_space(v->text).len)
        bad(m, M_EMPTY, v->id, v->text, "no text");
    else if (l->n < SHORT)
        bad(m, M_SHORT, v->id, v->text, "%lld characters", (long long)l->n);
    if (l->n_strange)
        bad(m, M_ENCODING, v->id, v->text, "%lld damaged or control characters",
            (long long)l->n_strange);
    if (l->n >= NEAR_LEAST && l->n_symbol * 10 > l->n * 3)
        bad(m, M_NOISE, v->id, v->text, "%lld of %lld characters are signs", (long long)l->n_symbol,
            (long long)l->n);
}

static enum err check_safety(struct measure *m, const struct data_view *v, struct arena *arena,
                             struct why *why)
{
    struct sighting seen;
    enum err err = lookout_see(m->lookout, v->text, true, arena, &seen, why);
    if (err)
        return err;
    if (seen.words) {
        struct str word = lookout_word(m->lookout, v->text);
        bad(m, M_WORDS, v->id, v->text, "%.*s", STR_FMT(word));
    }
    if (seen.toxic >= LOOKOUT_TOXIC)
        bad(m, M_TOXIC, v->id, v->text, "%.2f", seen.toxic);
    if (seen.personal) {
        /* The example says which kind and shows no text: it would show the data. */
        const char *kind = "";
        for (int k = 0; k < PRIVACY_KINDS; k++)
            if (seen.kinds >> k & 1) {
                m->personal[k]++;
                kind = privacy_kind_title((enum privacy_kind)k, false);
            }
        bad(m, M_PERSONAL, v->id, STR(""), "%s", kind);
    }
    return ERR_OK;
}

enum err measure_add(struct measure *m, struct str kind, const struct data_record *record,
                     struct arena *arena, struct why *why)
{
    struct data_view v;
    struct looked l;
    if (m->n == m->cap)
        return err_set(why, ERR_TOO_LARGE, "more records than the version has");
    enum err err = data_view(kind, record->line, arena, &v, why);
    if (err)
        return err;
    look(m, v.text, &l);
    check_text(m, &v, &l);
    m->n_characters += l.n;
    m->lengths[length_of(l.n)]++;
    m->scripts[script_of(&l)]++;
    m->n_labelled += v.label.len > 0;
    size_t opening = utf8_offset(v.text, OPENING);
    m->ids[m->n] = str_copy(m->arena, v.id);
    m->prints[m->n++] =
        (struct print){hash64(v.text.ptr, v.text.len, 1), l.n >= NEAR_LEAST ? l.near : 0,
                       v.label.len ? (uint32_t)hash64(v.label.ptr, v.label.len, 3) | 1 : 0,
                       l.n >= OPENING ? (uint32_t)hash64(v.text.ptr, opening, 5) | 1 : 0};
    if (v.label.len)
        err = name_add(&m->labels, v.label, m->arena, 1, why);
    if (!err && v.split.len)
        err = name_add(&m->splits, v.split, m->arena, 1, why);
    return err ? err : check_safety(m, &v, arena, why);
}

/* ---- the version as a whole ---- */

enum err measure_sources(struct measure *m, const struct data_source_info *infos, size_t n,
                         struct why *why)
{
    enum err err = ERR_OK;
    int64_t year_ago = time_now_ms() - 365LL * 86400000;
    for (size_t i = 0; !err && i < n; i++) {
        const struct json *c = NULL;
        struct why own = {0};
        int64_t at = 0;
        if (infos[i].collection.len && json_parse(infos[i].collection, m->arena, &c, &own))
            c = NULL;
        bool paper =
            json_get_str(c, "licence", STR("")).len || json_get_str(c, "authority", STR("")).len;
        struct str when = json_get_str(c, "collected_at", STR(""));
        m->n_sources++;
        m->n_papers += paper;
        if (!paper)
            bad(m, M_PAPERS, infos[i].key, infos[i].uri, "no licence or authority");
        if (infos[i].n_records > m->largest_source)
            m->largest_source = infos[i].n_records;
        err = name_add(&m->sources, infos[i].uri, m->arena, infos[i].n_records, why);
        if (err || !when.len || !time_parse(when, &at))
            continue;
        m->n_dated += infos[i].n_records;
        m->n_fresh += at >= year_ago ? infos[i].n_records : 0;
        if (at < year_ago)
            bad(m, M_FRESH, infos[i].key, infos[i].uri, "%.*s",
                (int)(when.len < 10 ? when.len : 10), when.ptr);
        err = name_add(&m->months, str_slice(when, 0, 7), m->arena, infos[i].n_records, why);
    }
    return err;
}

void measure_schema(struct measure *m, const struct json *members)
{
    void *iter = NULL;
    struct str key;
    const struct json *kinds;
    while (json_each(members, &iter, &key, &kinds)) {
        m->n_members++;
        if (json_len(kinds) <= 1)
            continue;
        m->n_mixed++;
        if (!m->mixed[0])
            (void)snprintf(m->mixed, sizeof m->mixed, "%.*s", (int)(key.len < 60 ? key.len : 60),
                           key.ptr);
    }
}

/* ---- pairs ---- */

struct by {
    uint64_t key;
    int64_t record;
};

static int by_key(const void *a, const void *b)
{
    const struct by *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->record < y->record ? -1 : x->record > y->record;
}

static void same_texts(struct measure *m, struct by *list)
{
    for (int64_t i = 0; i < m->n; i++)
        list[i] = (struct by){m->prints[i].text, i};
    qsort(list, (size_t)m->n, sizeof *list, by_key);
    for (int64_t i = 0, k; i < m->n; i = k) {
        bool conflict = false;
        uint32_t label = m->prints[list[i].record].label;
        for (k = i + 1; k < m->n && list[k].key == list[i].key; k++) {
            bad(m, M_EXACT, m->ids[list[k].record], STR(""), "= %.*s",
                STR_FMT(m->ids[list[i].record]));
            conflict |= m->prints[list[k].record].label != label;
        }
        for (int64_t t = i; conflict && t < k; t++)
            bad(m, M_LABELS, m->ids[list[t].record], STR(""), "= %.*s",
                STR_FMT(m->ids[list[t == i ? i + 1 : i].record]));
    }
}

static void same_openings(struct measure *m, struct by *list)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->n; i++)
        if (m->prints[i].opening)
            list[n++] = (struct by){m->prints[i].opening, i};
    qsort(list, (size_t)n, sizeof *list, by_key);
    for (int64_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && list[k].key == list[i].key; k++)
            ;
        for (int64_t t = i; k - i > OPENING_MOST && t < k; t++)
            bad(m, M_OPENING, m->ids[list[t].record], STR(""), "%lld", (long long)(k - i));
    }
}

/* Four rotations: two values that differ in at most three bits agree in one quarter at least, and
 * so are near in that order; in a long run of equals only a window is compared. */
static enum err near_texts(struct measure *m, struct by *list, struct why *why)
{
    int64_t n = 0, step = m->n > NEAR_MOST ? m->n / NEAR_MOST + 1 : 1;
    bool *marked = calloc((size_t)m->n + 1, sizeof *marked);
    if (!marked)
        return err_set(why, ERR_NO_MEMORY, "could not compare the records");
    for (int turn = 0; turn < 4; turn++) {
        n = 0;
        for (int64_t i = 0; i < m->n; i += step)
            if (m->prints[i].near) {
                uint64_t h = m->prints[i].near;
                int by = 16 * turn;
                list[n++] = (struct by){by ? h << by | h >> (64 - by) : h, i};
            }
        qsort(list, (size_t)n, sizeof *list, by_key);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = i + 1;
                 k < n && k <= i + NEAR_WINDOW && list[k].key >> 48 == list[i].key >> 48; k++) {
                const struct print *a = &m->prints[list[i].record], *b = &m->prints[list[k].record];
                if (a->text == b->text || marked[list[k].record] ||
                    __builtin_popcountll(a->near ^ b->near) > NEAR_BITS)
                    continue;
                marked[list[k].record] = true;
                bad(m, M_NEAR, m->ids[list[k].record], STR(""), "~ %.*s",
                    STR_FMT(m->ids[list[i].record]));
            }
    }
    free(marked);
    return ERR_OK;
}

static double entropy(const struct map *map)
{
    size_t at = 0;
    double sum = 0, h = 0;
    for (struct map_entry *e; (e = map_each(map, &at));)
        sum += (double)e->value.i;
    at = 0;
    for (struct map_entry *e; (e = map_each(map, &at));)
        if (e->value.i > 0)
            h -= (double)e->value.i / sum * log2((double)e->value.i / sum);
    return map->n > 1 ? h / log2((double)map->n) : NAN;
}

/* ---- writing ---- */

struct about {
    int which;
    const char *name, *title, *title_en, *method, *method_en;
};

static const struct dimension {
    const char *name, *title, *title_en;
    struct about list[5];
} dimensions[] = {
    {"completeness",
     "完整性",
     "Completeness",
     {{M_MEMBERS, "members", "必填字段缺失", "Missing members", "逐条检查本类记录必有的字段",
       "each record is checked for the members of its kind"},
      {M_EMPTY, "empty", "正文为空", "Empty texts", "正文去掉空白后没有内容",
       "texts with nothing but white space"},
      {M_PAPERS, "papers", "来源缺许可或授权", "Sources without papers",
       "采集记录中许可和授权依据都没有填写的来源",
       "sources whose collection record names neither licence nor authority"}}},
    {"accuracy",
     "准确性",
     "Accuracy",
     {{M_ENCODING, "encoding", "乱码与控制字符", "Damaged characters",
       "含替换符、控制字符或私用区字符的记录",
       "records with U+FFFD, control or private characters"},
      {M_SHORT, "short", "过短", "Too short", "不足 5 个字的正文",
       "texts of fewer than 5 characters"},
      {M_NOISE, "noise", "符号过多", "Mostly signs", "符号占三成以上的记录",
       "records of which more than three tenths are signs"}}},
    {"consistency",
     "一致性",
     "Consistency",
     {{M_EXACT, "exact", "完全重复", "Exact duplicates", "正文逐字相同，只计多出来的",
       "texts that are the same to the letter; the first does not count"},
      {M_NEAR, "near", "近似重复", "Near duplicates",
       "SimHash 64 位中至多 3 位不同（20 字以上的正文；至多取 20 万条比较）",
       "SimHash, at most 3 of 64 bits apart (texts of 20 characters and more; of at most 200,000 "
       "records)"},
      {M_LABELS, "labels", "同文异标", "Conflicting labels", "正文相同而标签不同的记录",
       "records with the same text and different labels"},
      {M_SCHEMA, "schema", "字段类型不一", "Members of mixed kinds", "同一字段在不同记录中类型不同",
       "a member that is of one kind here and of another there"}}},
    {"diversity",
     "多样性",
     "Diversity",
     {{M_OPENING, "openings", "开头雷同", "Same beginnings", "前 20 个字与另外 20 条以上记录相同",
       "the first 20 characters are shared by more than 20 records"},
      {M_BALANCE, "balance", "标签均衡度", "Balance of labels", "标签分布的熵与均匀分布之比",
       "entropy of the labels over that of an even distribution"},
      {M_GRAMS, "grams", "不同的四字串", "Distinct runs of four characters",
       "四字串去重后的个数与总数之比（HyperLogLog 估计，误差约 1%）",
       "distinct over all runs of four characters (HyperLogLog, about 1 % off)"},
      {M_SOURCES, "sources", "最大来源占比", "Largest source", "记录最多的来源所占比例",
       "share of the source with the most records"}}},
    {"timeliness",
     "时效性",
     "Timeliness",
     {{M_FRESH, "fresh", "一年内采集", "Collected within a year",
       "采集时间在一年以内的记录占比（按采集记录）",
       "records whose source was collected within a year, by its collection record"}}},
    {"safety",
     "安全性",
     "Safety",
     {{M_WORDS, "words", "命中关键词", "Words of the list", "含词表词语（含变体写法）的记录",
       "records with a word of the list, in whatever dress"},
      {M_TOXIC, "toxic", "辱骂与仇恨", "Insult and hate", "分类模型概率 0.9 以上的记录",
       "records with a probability of 0.9 and more by the classifier"},
      {M_PERSONAL, "personal", "残留个人信息", "Personal data left",
       "仍能找到身份证号、手机号、姓名、住址等个人信息的记录",
       "records in which identity numbers, telephones, names, addresses are still found"}}},
};

struct figure {
    double value, score; /* NaN: cannot be said */
    const char *unit;    /* "share", "ratio" */
    int64_t of;
};

static struct figure figure_of(const struct measure *m, int which)
{
    double n = (double)m->n, b = (double)m->counted[which].n_bad;
    double grams = (double)m->four.n;
    switch (which) {
    case M_PAPERS:
        n = (double)m->n_sources;
        break;
    case M_SCHEMA:
        return (struct figure){m->n_members ? (double)m->n_mixed / (double)m->n_members : 0,
                               m->n_members ? 1 - (double)m->n_mixed / (double)m->n_members : NAN,
                               "share", m->n_members};
    case M_LABELS:
        n = (double)m->n_labelled;
        break;
    case M_BALANCE: {
        double h = entropy(&m->labels);
        return (struct figure){h, h, "ratio", (int64_t)m->labels.n};
    }
    case M_GRAMS:
        return (struct figure){grams > 0 ? sketch_count(&m->four) / grams : NAN, NAN, "ratio",
                               (int64_t)m->four.n};
    case M_SOURCES: {
        size_t at = 0;
        double all = 0;
        for (struct map_entry *e; (e = map_each(&m->sources, &at));)
            all += (double)e->value.i;
        return (struct figure){all > 0 ? (double)m->largest_source / all : NAN, NAN, "share",
                               m->n_sources};
    }
    case M_FRESH: {
        double share = m->n_dated ? (double)m->n_fresh / (double)m->n_dated : NAN;
        return (struct figure){share, share, "share", m->n_dated};
    }
    default:
        break;
    }
    if (n < 1)
        return (struct figure){NAN, NAN, "share", 0};
    return (struct figure){b / n, 1 - b / n, "share", (int64_t)n};
}

static void put_examples(const struct counted *c, struct json_out *out)
{
    json_key(out, "examples");
    json_begin_array(out);
    for (size_t i = 0; i < c->n_examples; i++) {
        json_begin_object(out);
        json_kv_str(out, "id", c->examples[i].id);
        json_kv_str(out, "text", c->examples[i].text);
        json_kv_c(out, "note", c->examples[i].note);
        json_end_object(out);
    }
    json_end_array(out);
}

static double put_measure(const struct measure *m, const struct about *a, bool there,
                          struct json_out *out)
{
    struct figure f = there ? figure_of(m, a->which) : (struct figure){NAN, NAN, "share", 0};
    json_begin_object(out);
    json_kv_c(out, "name", a->name);
    json_kv_c(out, "title", a->title);
    json_kv_c(out, "title_en", a->title_en);
    json_kv_c(out, "method", a->method);
    json_kv_c(out, "method_en", a->method_en);
    json_kv_real(out, "figure", f.value);
    json_kv_c(out, "unit", f.unit);
    json_kv_int(out, "of", f.of);
    json_kv_real(out, "score", isnan(f.score) ? NAN : f.score * 100);
    json_kv_int(out, "n_bad", a->which == M_SCHEMA ? m->n_mixed : m->counted[a->which].n_bad);
    put_examples(&m->counted[a->which], out);
    json_end_object(out);
    return f.score;
}

/* A dimension is as good as its worst measures let it be: the mean of those that have a score. */
static double put_dimension(const struct measure *m, const struct dimension *d, bool toxic,
                            struct json_out *out)
{
    double sum = 0;
    int n = 0;
    json_begin_object(out);
    json_kv_c(out, "name", d->name);
    json_kv_c(out, "title", d->title);
    json_kv_c(out, "title_en", d->title_en);
    json_key(out, "measures");
    json_begin_array(out);
    for (size_t i = 0; i < 5 && d->list[i].name; i++) {
        double score = put_measure(m, &d->list[i], d->list[i].which != M_TOXIC || toxic, out);
        if (!isnan(score)) {
            sum += score;
            n++;
        }
    }
    json_end_array(out);
    double score = n ? 100 * sum / n : NAN;
    json_kv_real(out, "score", score);
    json_end_object(out);
    return score;
}

/* ---- charts ---- */

static int by_count(const void *a, const void *b)
{
    const struct map_entry *x = *(const struct map_entry *const *)a,
                           *y = *(const struct map_entry *const *)b;
    return x->value.i > y->value.i ? -1 : x->value.i < y->value.i ? 1 : str_cmp(x->key, y->key);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp((*(const struct map_entry *const *)a)->key,
                   (*(const struct map_entry *const *)b)->key);
}

static void put_point(struct json_out *out, struct str name, int64_t n)
{
    json_begin_object(out);
    json_kv_str(out, "name", name);
    json_kv_int(out, "count", n);
    json_end_object(out);
}

static void put_map(const struct measure *m, const char *key, const struct map *map, bool by_time,
                    struct json_out *out)
{
    size_t at = 0, n = 0;
    int64_t rest = 0;
    const struct map_entry **list = arena_array(m->arena, const struct map_entry *, map->n + 1);
    for (struct map_entry *e; list && (e = map_each(map, &at));)
        list[n++] = e;
    if (list)
        qsort(list, n, sizeof(struct map_entry *), by_time ? by_name : by_count);
    json_key(out, key);
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        if (i < N_SHOWN || by_time)
            put_point(out, list[i]->key, list[i]->value.i);
        else
            rest += list[i]->value.i;
    }
    if (rest)
        put_point(out, STR("*"), rest);
    json_end_array(out);
}

static void put_list(const char *key, const char *const *names, const int64_t *counts, size_t n,
                     struct json_out *out)
{
    json_key(out, key);
    json_begin_array(out);
    for (size_t i = 0; i < n; i++)
        put_point(out, str_c(names[i]), counts[i]);
    json_end_array(out);
}

static void put_charts(const struct measure *m, struct json_out *out)
{
    json_key(out, "charts");
    json_begin_object(out);
    put_map(m, "sources", &m->sources, false, out);
    put_list("lengths", length_names, m->lengths, N_LENGTHS, out);
    put_map(m, "labels", &m->labels, false, out);
    put_list("languages", script_names, m->scripts, 4, out);
    put_map(m, "dates", &m->months, true, out);
    put_map(m, "splits", &m->splits, false, out);
    json_key(out, "personal");
    json_begin_array(out);
    for (int k = 0; k < PRIVACY_KINDS; k++)
        if (m->personal[k])
            put_point(out, str_c(privacy_kind_title((enum privacy_kind)k, false)), m->personal[k]);
    json_end_array(out);
    json_end_object(out);
    json_kv_int(out, "n_characters", m->n_characters);
    json_kv_int(out, "n_distinct_two", (int64_t)sketch_count(&m->two));
    json_kv_int(out, "n_distinct_four", (int64_t)sketch_count(&m->four));
    json_kv_c(out, "mixed_member", m->mixed);
}

enum err measure_put(struct measure *m, struct json_out *out, double *score, struct why *why)
{
    struct by *list = malloc(((size_t)m->n + 1) * sizeof *list);
    double sum = 0;
    int n = 0;
    if (!list)
        return err_set(why, ERR_NO_MEMORY, "could not compare the records");
    same_texts(m, list);
    same_openings(m, list);
    enum err err = near_texts(m, list, why);
    free(list);
    if (err)
        return err;
    json_key(out, "dimensions");
    json_begin_array(out);
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
        double s = put_dimension(m, &dimensions[i], lookout_has_classifier(m->lookout), out);
        if (!isnan(s)) {
            sum += s;
            n++;
        }
    }
    json_end_array(out);
    *score = n ? sum / n : 0;
    json_kv_real(out, "score", *score);
    lookout_put(m->lookout, out);
    put_charts(m, out);
    return ERR_OK;
}
