/*
 * support: a sentence and a passage as rows of characters; what stands beside what.
 *
 * Pairs of neighbouring characters are the words (as in tokens.h). A mark (不得, 可以, 应当 ...)
 * holds for the pairs behind it until the clause ends. The place in the passage that is nearest to
 * the sentence must have the same marks on the same pairs.
 */
#include "knowledge/support.h"

#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/utf8.h"
#include "knowledge/numeral.h"
#include "knowledge/quote.h"

#define MARK_REACH   6   /* characters behind a mark that it holds for */
#define MARK_NEAR    2   /* a pair this near behind a mark is what it speaks of */
#define LIGHT        0.2 /* what a pair of two function characters weighs */
#define MOST_NUMBERS 64
#define CLAIM_LEAST  2.0 /* weight of pairs below which a sentence says nothing */

enum mark { MARK_NONE, MARK_NOT, MARK_MAY, MARK_MUST };

static const struct {
    const char *word;
    enum mark mark;
} marks[] = {
    /* Longer ones first. MARK_NONE: looks like one and is none. */
    {"不动产", MARK_NONE}, {"不仅", MARK_NONE}, {"不但", MARK_NONE},  {"不论", MARK_NONE},
    {"不管", MARK_NONE},   {"不同", MARK_NONE}, {"无论", MARK_NONE},  {"是否", MARK_NONE},
    {"可以不", MARK_NOT},  {"可不", MARK_NOT},  {"应当不", MARK_NOT}, {"不可以", MARK_NOT},
    {"不得", MARK_NOT},    {"不能", MARK_NOT},  {"不应", MARK_NOT},   {"不必", MARK_NOT},
    {"不需要", MARK_NOT},  {"不需", MARK_NOT},  {"不予", MARK_NOT},   {"无需", MARK_NOT},
    {"无须", MARK_NOT},    {"禁止", MARK_NOT},  {"严禁", MARK_NOT},   {"没有", MARK_NOT},
    {"未经", MARK_NOT},    {"并非", MARK_NOT},  {"免予", MARK_NOT},   {"免于", MARK_NOT},
    {"不", MARK_NOT},      {"未", MARK_NOT},    {"无", MARK_NOT},     {"没", MARK_NOT},
    {"可以", MARK_MAY},    {"有权", MARK_MAY},  {"允许", MARK_MAY},   {"应当", MARK_MUST},
    {"必须", MARK_MUST},   {"应该", MARK_MUST}, {"须", MARK_MUST},
};

static const char light_characters[] = "的了在是和与或及等对为以由于其该此有也就都而则即如所被把将"
                                       "向从到并且之个您好你我他们它这那些要可会能"
                                       "应当根据按照依照关规定情况";

struct row {
    uint32_t *chars; /* n of them: folded() */
    size_t *at;      /* byte offsets, n + 1 of them */
    uint8_t *mark;   /* enum mark that holds at each */
    uint8_t *gap;    /* characters since the mark ended */
    size_t n;
};

#define DIGIT 1 /* any: numbers are compared as numbers, not as words */

/* As it is compared: half-width, small letters; 0 ends the clause. */
static uint32_t folded(uint32_t c)
{
    c = utf8_halfwidth(c);
    if (c >= 'A' && c <= 'Z')
        return c + 32;
    if (c >= '0' && c <= '9')
        return DIGIT;
    return utf8_is_han(c) || (c >= 'a' && c <= 'z') ? c : 0;
}

static void set_marks(struct str text, struct row *row)
{
    size_t since = MARK_REACH + 1;
    enum mark now = MARK_NONE;
    for (size_t i = 0; i < row->n;) {
        size_t len = 0;
        struct str rest = str_from(text, row->at[i]);
        if (!row->chars[i])
            now = MARK_NONE;
        for (size_t m = 0; row->chars[i] && !len && m < sizeof marks / sizeof marks[0]; m++) {
            struct str word = str_c(marks[m].word);
            if (!str_starts(rest, word))
                continue;
            len = utf8_count(word);
            if (marks[m].mark == MARK_NONE)
                break;
            now = marks[m].mark;
        }
        bool is_mark = len > 0 && now != MARK_NONE;
        for (size_t k = 0; k < (len ? len : 1) && i < row->n; k++, i++) {
            since = is_mark ? 0 : since + 1;
            row->mark[i] = (uint8_t)(since <= MARK_REACH ? now : MARK_NONE);
            row->gap[i] = (uint8_t)(since > 255 ? 255 : since);
        }
    }
}

static enum err read_row(struct str text, struct arena *arena, struct row *row, struct why *why)
{
    size_t most = utf8_count(text);
    row->chars = arena_array(arena, uint32_t, most + 1);
    row->at = arena_array(arena, size_t, most + 2);
    row->mark = arena_array(arena, uint8_t, most + 1);
    row->gap = arena_array(arena, uint8_t, most + 1);
    row->n = 0;
    if (!row->chars || !row->at || !row->mark || !row->gap)
        return err_set(why, ERR_NO_MEMORY, "could not check a sentence");
    for (size_t at = 0; at < text.len && row->n < most;) {
        row->at[row->n] = at;
        row->chars[row->n++] = folded(utf8_next(text, &at));
    }
    row->at[row->n] = text.len;
    set_marks(text, row);
    return ERR_OK;
}

/* ---- pairs ---- */

static bool is_light(uint32_t c)
{
    char bytes[UTF8_MAX_BYTES];
    size_t len = utf8_put(bytes, c);
    return str_find(str_c(light_characters), (struct str){bytes, len}) != STR_NPOS;
}

static uint64_t pair_at(const struct row *row, size_t i)
{
    return i + 1 < row->n && row->chars[i] > DIGIT && row->chars[i + 1] > DIGIT
               ? (uint64_t)row->chars[i] << 32 | row->chars[i + 1]
               : 0;
}

static double weight_of(uint64_t pair)
{
    return is_light((uint32_t)(pair >> 32)) || is_light((uint32_t)pair) ? LIGHT : 1;
}

/* What a passage says with a pair: bits 1 << mark, and 16 when it stands in the window. */
struct pairs {
    struct map map;
    uint64_t *keys;
    size_t n_keys, most;
};

static enum err add_pairs(struct pairs *pairs, const struct row *row, struct why *why)
{
    for (size_t i = 0; i + 1 < row->n; i++) {
        uint64_t pair = pair_at(row, i);
        if (!pair || pairs->n_keys == pairs->most)
            continue;
        uint64_t *key = &pairs->keys[pairs->n_keys];
        *key = pair;
        bool made = false;
        struct map_entry *e =
            map_put(&pairs->map, (struct str){(const char *)key, sizeof *key}, &made);
        if (!e)
            return err_set(why, ERR_NO_MEMORY, "could not check a sentence");
        pairs->n_keys += made;
        e->value.u |= (uint64_t)1 << row->mark[i];
    }
    return ERR_OK;
}

static uint64_t said_of(const struct pairs *pairs, uint64_t pair)
{
    const struct map_entry *e =
        map_find(&pairs->map, (struct str){(const char *)&pair, sizeof pair});
    return e ? e->value.u : 0;
}

static double share_of(const struct row *sentence, const struct pairs *pairs, double *total)
{
    double there = 0;
    *total = 0;
    for (size_t i = 0; i + 1 < sentence->n; i++) {
        uint64_t pair = pair_at(sentence, i);
        if (!pair)
            continue;
        *total += weight_of(pair);
        there += said_of(pairs, pair) ? weight_of(pair) : 0;
    }
    return *total > 0 ? there / *total : 0;
}

/* ---- numbers ---- */

struct number {
    int64_t value; /* thousandths */
    uint32_t unit; /* the character behind it, days as 日; 0: none that counts */
    size_t start, len;
    bool article;
};

static const char unit_characters[] =
    "年月日天周时分元万亿条款项次倍岁份公里米平吨克级名户件人%折章节";

static uint32_t unit_at(struct str text, size_t at)
{
    static const char *const skipped[] = {"个", "工作", "自然", "小"};
    struct str rest = str_from(text, at);
    for (size_t i = 0; i < 2; i++)
        for (size_t s = 0; s < sizeof skipped / sizeof skipped[0]; s++)
            if (str_starts(rest, str_c(skipped[s])))
                rest = str_from(rest, strlen(skipped[s]));
    if (rest.len == 0)
        return 0;
    size_t next = 0;
    uint32_t c = utf8_halfwidth(utf8_next(rest, &next));
    if (c == 0x5929) /* 天 */
        return 0x65E5;
    char bytes[UTF8_MAX_BYTES];
    size_t len = utf8_put(bytes, c);
    return str_find(str_c(unit_characters), (struct str){bytes, len}) != STR_NPOS ? c : 0;
}

/* Decimals behind an integer of digits: thousandths, and the bytes they take. */
static int64_t decimals(struct str rest, size_t *used)
{
    int64_t value = 0, step = 100;
    *used = 0;
    if (rest.len < 2 || rest.ptr[0] != '.' || rest.ptr[1] < '0' || rest.ptr[1] > '9')
        return 0;
    for (*used = 1; *used < rest.len && rest.ptr[*used] >= '0' && rest.ptr[*used] <= '9';
         ++*used, step /= 10)
        value += step * (rest.ptr[*used] - '0');
    return value;
}

/* Numbers of a text in order. A bare 一 or 两 of everyday speech (一般, 统一, 两者) is none:
 * Chinese numerals count when a unit follows or when they have two characters. */
static size_t read_numbers(struct str text, struct number *out, size_t most)
{
    size_t n = 0;
    for (size_t at = 0; at < text.len && n < most;) {
        uint32_t value = 0;
        size_t used = 0, start = at, more = 0;
        struct str rest = str_from(text, at);
        bool percent = str_starts(rest, STR("百分之"));
        if (percent)
            rest = str_from(rest, strlen("百分之"));
        if (!numeral_read(rest, &value, &used)) {
            (void)utf8_next(text, &at);
            continue;
        }
        bool digits = rest.ptr[0] >= '0' && rest.ptr[0] <= '9';
        int64_t part = digits ? decimals(str_from(rest, used), &more) : 0;
        at = (size_t)(rest.ptr - text.ptr) + used + more;
        uint32_t unit = percent ? '%' : unit_at(text, at);
        bool one = !digits && used <= 3;
        if (one && (!unit || (value <= 2 && (unit == 0x4EBA || unit == 0x6B21)))) /* 一人, 一次 */
            continue;
        bool article = start >= 3 && str_eq(str_slice(text, start - 3, start), STR("第"));
        out[n++] = (struct number){(int64_t)value * 1000 + part, unit, start, at - start, article};
    }
    return n;
}

static bool has_number(const struct number *list, size_t n, const struct number *want)
{
    for (size_t i = 0; i < n; i++) {
        bool unit = list[i].unit == want->unit || !list[i].unit || !want->unit;
        if (list[i].value == want->value && unit)
            return true;
        /* 3万元 is 30000元 */
        if (unit && list[i].value == 0)
            continue;
        bool ten_thousands = (list[i].unit == 0x4E07 && list[i].value * 10000 == want->value) ||
                             (want->unit == 0x4E07 && want->value * 10000 == list[i].value);
        if (ten_thousands)
            return true;
    }
    return false;
}

/* ---- the checks ---- */

struct check {
    struct str sentence;
    struct row row;
    const struct support_source *source;
    struct row title, label, text;
    struct pairs pairs;
};

static enum err open_source(struct check *c, const struct support_source *source,
                            struct arena *arena, struct why *why)
{
    c->source = source;
    enum err err = read_row(source->title, arena, &c->title, why);
    if (!err)
        err = read_row(source->label, arena, &c->label, why);
    if (!err)
        err = read_row(source->text, arena, &c->text, why);
    if (err)
        return err;
    c->pairs.most = c->title.n + c->label.n + c->text.n;
    c->pairs.n_keys = 0;
    c->pairs.keys = arena_array(arena, uint64_t, c->pairs.most + 1);
    if (!c->pairs.keys)
        return err_set(why, ERR_NO_MEMORY, "could not check a sentence");
    map_init(&c->pairs.map, arena);
    err = add_pairs(&c->pairs, &c->title, why);
    if (!err)
        err = add_pairs(&c->pairs, &c->label, why);
    return err ? err : add_pairs(&c->pairs, &c->text, why);
}

static bool numbers_stand(const struct check *c, struct str *what)
{
    struct number own[MOST_NUMBERS], there[4 * MOST_NUMBERS];
    size_t n = read_numbers(c->sentence, own, MOST_NUMBERS);
    size_t most = sizeof there / sizeof there[0];
    size_t m = read_numbers(c->source->text, there, most);
    m += read_numbers(c->source->label, there + m, most - m);
    m += read_numbers(c->source->title, there + m, most - m);
    for (size_t i = 0; i < n; i++)
        if (!has_number(there, m, &own[i])) {
            *what = str_slice(c->sentence, own[i].start, own[i].start + own[i].len);
            return false;
        }
    return true;
}

static bool titles_stand(const struct check *c, struct str *what)
{
    struct str rest = c->sentence;
    for (;;) {
        size_t from = str_find(rest, STR("《"));
        if (from == STR_NPOS)
            return true;
        rest = str_from(rest, from + 3);
        size_t to = str_find(rest, STR("》"));
        if (to == STR_NPOS)
            return true;
        struct str title = str_slice(rest, 0, to);
        if (str_find(c->source->title, title) == STR_NPOS &&
            str_find(c->source->text, title) == STR_NPOS) {
            *what = title;
            return false;
        }
        rest = str_from(rest, to);
    }
}

/* Whether what the place says of the pairs under a mark (bits 1 << mark) bears that mark. */
static bool bears(enum mark own, uint64_t said)
{
    uint64_t not_bit = 1u << MARK_NOT, may = 1u << MARK_MAY, must = 1u << MARK_MUST;
    switch (own) {
    case MARK_NOT:
        return said & not_bit;
    case MARK_MAY:
        return said & may || (said && !(said & (not_bit | must)));
    case MARK_MUST:
        return said & must || (said && !(said & (not_bit | may)));
    default:
        return true;
    }
}

/* Each mark of the sentence must be borne by the place on one of the pairs that it holds for. */
static bool own_marks_stand(const struct check *c, const struct pairs *place, struct str *what)
{
    const struct row *row = &c->row;
    for (size_t i = 0; i + 1 < row->n; i++) {
        if (row->mark[i] == MARK_NONE || row->gap[i] != 1)
            continue;
        uint64_t said = 0, anywhere = 0;
        for (size_t k = i;
             k + 1 < row->n && row->mark[k] == row->mark[i] && row->gap[k] == k - i + 1; k++) {
            uint64_t pair = pair_at(row, k);
            if (!pair || weight_of(pair) != 1)
                continue;
            said |= said_of(place, pair);
            anywhere |= said_of(&c->pairs, pair);
        }
        /* What is forbidden in one sentence is not allowed by another that is silent about it. */
        bool forbidden =
            row->mark[i] == MARK_MAY && anywhere & 1u << MARK_NOT && !(anywhere & 1u << MARK_MAY);
        if (forbidden || !bears((enum mark)row->mark[i], said)) {
            *what = str_slice(c->sentence, row->at[i], row->at[i + 1 < row->n ? i + 2 : i + 1]);
            return false;
        }
    }
    return true;
}

/* What the place denies, and nowhere says plainly, the sentence must not say plainly. */
static bool no_denial_lost(struct str words, const struct row *text, const struct pairs *place,
                           const struct pairs *own, struct str *what)
{
    for (size_t i = 0; i + 1 < text->n; i++) {
        uint64_t pair = pair_at(text, i), said = pair ? said_of(place, pair) : 0;
        bool near = text->mark[i] == MARK_NOT && text->gap[i] > 0 && text->gap[i] <= MARK_NEAR;
        uint64_t mine = near && weight_of(pair) == 1 ? said_of(own, pair) : 0;
        if (mine && said == 1u << MARK_NOT && !(mine & 1u << MARK_NOT)) {
            *what = str_slice(words, text->at[i], text->at[i + 2]);
            return false;
        }
    }
    return true;
}

static enum err pairs_of(const struct row *row, struct arena *arena, struct pairs *out,
                         struct why *why)
{
    *out = (struct pairs){.most = row->n};
    out->keys = arena_array(arena, uint64_t, row->n + 1);
    map_init(&out->map, arena);
    return out->keys ? add_pairs(out, row, why)
                     : err_set(why, ERR_NO_MEMORY, "could not check a sentence");
}

static enum err marks_stand(const struct check *c, const struct support *at, struct arena *arena,
                            bool *stand, struct str *what, struct why *why)
{
    struct row text;
    struct pairs place, own;
    struct str words = str_slice(c->source->text, at->start, at->start + at->len);
    enum err err = read_row(words, arena, &text, why);
    if (!err)
        err = pairs_of(&text, arena, &place, why);
    if (!err)
        err = pairs_of(&c->row, arena, &own, why);
    *stand = !err && own_marks_stand(c, &place, what) &&
             no_denial_lost(words, &text, &place, &own, what);
    return err;
}

/* The one to three sentences of the passage that share most with the sentence. */
static enum err place(struct check *c, struct arena *arena, struct support *out, struct why *why)
{
    struct quote_span *spans = arena_array(arena, struct quote_span, QUOTE_MOST_SENTENCES);
    if (!spans)
        return err_set(why, ERR_NO_MEMORY, "could not check a sentence");
    size_t n = quote_sentences(c->source->text, spans, QUOTE_MOST_SENTENCES);
    double best = -1;
    out->start = 0;
    out->len = c->source->text.len;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i; k < n && k < i + 3; k++) {
            size_t start = spans[i].start, end = spans[k].start + spans[k].len;
            struct row row;
            struct pairs pairs;
            double total;
            enum err err = read_row(str_slice(c->source->text, start, end), arena, &row, why);
            if (!err)
                err = pairs_of(&row, arena, &pairs, why);
            if (err)
                return err;
            double share = share_of(&c->row, &pairs, &total) - 0.05 * (double)(k - i);
            if (share > best) {
                best = share;
                out->start = start;
                out->len = end - start;
            }
        }
    return ERR_OK;
}

static enum err judge(struct check *c, struct arena *arena, struct support *out, struct why *why)
{
    bool stand = false;
    out->verdict = SUPPORT_THIN;
    if (out->share < SUPPORT_LEAST)
        return ERR_OK;
    enum err err = place(c, arena, out, why);
    if (!err)
        err = marks_stand(c, out, arena, &stand, &out->what, why);
    out->verdict = !stand ? SUPPORT_REVERSED : SUPPORT_STANDS;
    if (!titles_stand(c, &out->what))
        out->verdict = SUPPORT_TITLE;
    else if (!numbers_stand(c, &out->what))
        out->verdict = SUPPORT_NUMBER;
    return err;
}

enum err support_of(struct str sentence, const struct support_source *sources, size_t n_sources,
                    struct arena *arena, struct support *out, struct why *why)
{
    struct check c = {.sentence = sentence};
    struct support best = {.verdict = SUPPORT_THIN};
    enum err err = read_row(sentence, arena, &c.row, why);
    if (err)
        return err;
    double claim = 0;
    for (size_t i = 0; i + 1 < c.row.n; i++)
        claim += pair_at(&c.row, i) ? weight_of(pair_at(&c.row, i)) : 0;
    if (claim < CLAIM_LEAST)
        best.verdict = SUPPORT_EMPTY;
    for (size_t i = 0; claim >= CLAIM_LEAST && c.row.n <= SUPPORT_MOST_CHARS && i < n_sources;
         i++) {
        struct support this = {.source = i};
        double total;
        err = open_source(&c, &sources[i], arena, why);
        if (err)
            return err;
        this.share = share_of(&c.row, &c.pairs, &total);
        err = judge(&c, arena, &this, why);
        if (err)
            return err;
        bool better = this.verdict == best.verdict
                          ? this.share > best.share
                          : this.verdict == SUPPORT_STANDS || best.verdict == SUPPORT_THIN;
        if (i == 0 || better)
            best = this;
    }
    *out = best;
    return ERR_OK;
}

const char *support_verdict_name(enum support_verdict verdict)
{
    static const char *const names[] = {"stands", "empty", "thin", "number", "title", "reversed"};
    return names[verdict];
}
