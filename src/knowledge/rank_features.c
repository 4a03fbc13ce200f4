/* rank_features: one pass over each candidate's text against a small table of terms. */
#include "knowledge/rank_features.h"

#include "knowledge/lay.h"
#include "knowledge/tokens.h"

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUESTION_BYTES     6000 /* of a question that are read */
#define TEXT_BYTES         3000 /* of a candidate that are read */
#define VOTERS             120  /* candidates that vote for their source and section */
#define FEEDBACK_FROM      8    /* candidates that feedback terms are taken from */
#define FEEDBACK_TERMS     40
#define FEEDBACK_LOOKED_UP 120

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the question's candidates");
}

/* ---- the question ---- */

#define OTHER_WORD ((uint64_t)1 << 63) /* above the kinds of terms: while they are collected */

static int by_term_bits(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a & ~OTHER_WORD, y = *(const uint64_t *)b & ~OTHER_WORD;
    return x < y ? -1 : x > y;
}

/* Room for the terms of the text and of whatever lay.def adds to it. */
static size_t most_terms(struct str text)
{
    size_t most = text.len * 2 + 1;
    for (size_t i = 0; i < lay_n_words; i++)
        most += lay_words[i].written.len;
    return most;
}

/* Adds the pairs and words of what lay.def says for the question's words. */
static size_t add_lay(struct str text, uint64_t *terms, size_t n)
{
    for (size_t i = 0; i < lay_n_words; i++) {
        if (str_find(text, lay_words[i].said) == STR_NPOS)
            continue;
        struct tokens tokens;
        uint64_t term;
        tokens_init(&tokens, lay_words[i].written, false);
        while (tokens_next(&tokens, &term))
            if (tokens_kind(term) == TOKENS_PAIR || tokens_kind(term) == TOKENS_WORD)
                terms[n++] = term | OTHER_WORD;
    }
    return n;
}

/* Sorts, counts each term once, and keeps of the added ones those that the question has not. */
static void count_terms(struct rank_question *q, uint64_t *terms, size_t n)
{
    qsort(terms, n, sizeof *terms, by_term_bits);
    for (size_t i = 0, j; i < n && q->n < RANK_QUESTION_TERMS; i = j) {
        uint64_t term = terms[i] & ~OTHER_WORD;
        uint32_t own = 0;
        for (j = i; j < n && (terms[j] & ~OTHER_WORD) == term; j++)
            own += !(terms[j] & OTHER_WORD);
        terms[q->n] = term;
        q->times[q->n++] = own;
    }
    q->terms = terms;
}

enum err rank_question_init(struct rank_question *q, struct str text, struct arena *arena,
                            struct why *why)
{
    text =
        str_slice(text, 0, utf8_floor(text, text.len < QUESTION_BYTES ? text.len : QUESTION_BYTES));
    size_t n = 0;
    uint64_t *terms = arena_array(arena, uint64_t, most_terms(text)), term;
    *q = (struct rank_question){.text = text, .n_chars = utf8_count(text)};
    q->times = arena_array(arena, uint32_t, RANK_QUESTION_TERMS);
    q->weights = arena_array(arena, float, RANK_QUESTION_TERMS);
    if (!terms || !q->times || !q->weights)
        return no_memory(why);
    struct tokens tokens;
    tokens_init(&tokens, text, true);
    while (tokens_next(&tokens, &term)) {
        if (tokens_kind(term) == TOKENS_ARTICLE && !q->article)
            q->article = (uint32_t)term;
        terms[n++] = term;
    }
    count_terms(q, terms, add_lay(text, terms, n));
    return ERR_OK;
}

/* ---- a table of terms, with what was seen of each in the passage at hand ---- */

struct slot {
    uint64_t term;  /* 0: empty */
    float weight;   /* in the question; 0 when it only feeds back */
    float feedback; /* weight as a feedback term */
    float alone;    /* of a character of the question: what it weighs without its pairs */
    uint32_t text;  /* stamp of the passage that has it in its text, and so on */
    uint32_t title, path, sentence;
    uint32_t times; /* in the text of the passage with that stamp */
};

struct slots {
    struct slot *at;
    size_t mask;
    size_t n;             /* of the question's own terms */
    float alone;          /* sum of it over all slots */
    uint32_t n_sentences; /* looked at so far: each has its stamp */
};

static struct slot *find(const struct slots *s, uint64_t term)
{
    size_t i = hash64(&term, sizeof term, 5) & s->mask;
    while (s->at[i].term && s->at[i].term != term)
        i = (i + 1) & s->mask;
    return &s->at[i];
}

/* They stand in every question and in every text. */
static const struct str form_words =
    STR_INIT("吗呢的了是有我你他她它们啊吧么什怎如何请问能可以否会要和与或被在为对将"
             "把这那哪些个");

static bool is_form_word(uint32_t c)
{
    for (size_t at = 0; at < form_words.len;)
        if (utf8_next(form_words, &at) == c)
            return true;
    return false;
}

/*
 * 辞退 and 解除 have no pair in common, 租房 and 租赁房屋 have two characters. What a character
 * weighs is the weight of the commoner of the pairs that it stands in: alone it says less.
 */
static void weigh_characters(struct slots *s, const struct rank_question *q)
{
    for (size_t i = 0; i < q->n; i++) {
        if (!q->times[i] || tokens_kind(q->terms[i]) != TOKENS_PAIR)
            continue;
        const uint32_t both[] = {tokens_first(q->terms[i]), tokens_last(q->terms[i])};
        for (size_t k = 0; k < 2; k++) {
            struct slot *slot = find(s, tokens_character(both[k]));
            if (!slot->term || is_form_word(both[k]))
                continue;
            slot->alone = slot->alone > 0 ? fminf(slot->alone, q->weights[i]) : q->weights[i];
        }
    }
    for (size_t i = 0; i <= s->mask; i++)
        s->alone += s->at[i].alone;
}

static bool slots_init(struct slots *s, const struct rank_question *q, struct arena *arena)
{
    size_t cap = 256;
    while (cap < (q->n + FEEDBACK_TERMS) * 4)
        cap *= 2;
    *s = (struct slots){.at = arena_array(arena, struct slot, cap), .mask = cap - 1};
    if (!s->at)
        return false;
    for (size_t i = 0; i < q->n; i++) {
        if (!q->times[i])
            continue;
        struct slot *slot = find(s, q->terms[i]);
        slot->term = q->terms[i];
        slot->weight = q->weights[i];
        s->n++;
    }
    weigh_characters(s, q);
    return true;
}

/* ---- feedback: the terms that the best candidates share (RM3, Abdul-Jaleel et al. 2004) ---- */

struct fed {
    uint64_t term;
    float weight;
};

static int by_weight(const void *a, const void *b)
{
    const struct fed *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->term < y->term ? -1 : x->term > y->term;
}

static int by_term(const void *a, const void *b)
{
    const struct fed *x = a, *y = b;
    return x->term < y->term ? -1 : x->term > y->term;
}

/* Pairs and words of the item's text, each with its share of the item's score. */
static size_t take_terms(const struct rank_item *item, struct fed *out, size_t most)
{
    struct index_passage p;
    index_get(item->index, item->passage, &p);
    struct tokens tokens;
    tokens_init(&tokens, str_slice(p.text, 0, TEXT_BYTES), false);
    uint64_t term;
    float share =
        item->x[RANK_words] * item->x[RANK_words] / sqrtf((float)item->facts.n_tokens + 1);
    size_t n = 0;
    while (n < most && tokens_next(&tokens, &term))
        if (tokens_kind(term) == TOKENS_PAIR || tokens_kind(term) == TOKENS_WORD)
            out[n++] = (struct fed){term, share};
    return n;
}

static enum err feed_back(const struct slots *slots, const struct rank_item *items, size_t n,
                          rank_weight_fn *weight_of, void *ctx, struct arena *arena,
                          struct why *why)
{
    size_t per_item = TEXT_BYTES / 3, n_fed = 0, distinct = 0;
    struct fed *fed = arena_array(arena, struct fed, FEEDBACK_FROM * per_item);
    if (!fed)
        return no_memory(why);
    for (size_t i = 0; i < n && i < FEEDBACK_FROM; i++)
        n_fed += take_terms(&items[i], fed + n_fed, per_item);
    qsort(fed, n_fed, sizeof *fed, by_term);
    for (size_t i = 0, j; i < n_fed; i = j) {
        float sum = 0;
        for (j = i; j < n_fed && fed[j].term == fed[i].term; j++)
            sum += fed[j].weight;
        fed[distinct++] = (struct fed){fed[i].term, sum};
    }
    qsort(fed, distinct, sizeof *fed, by_weight);
    if (distinct > FEEDBACK_LOOKED_UP) /* looking up a term in every segment is what costs */
        distinct = FEEDBACK_LOOKED_UP;
    for (size_t i = 0; i < distinct; i++)
        fed[i].weight *= weight_of(ctx, fed[i].term);
    qsort(fed, distinct, sizeof *fed, by_weight);
    for (size_t i = 0; i < distinct && i < FEEDBACK_TERMS; i++) {
        struct slot *slot = find(slots, fed[i].term);
        slot->term = fed[i].term;
        slot->feedback = fed[i].weight;
    }
    return ERR_OK;
}

/* ---- the texts ---- */

struct seen {
    float weight, rarest;
    size_t n, run, running; /* distinct terms; characters of the longest run, and of this one */
    float alone, sentence;  /* weight of the characters; in the sentence at hand */
};

enum part { IN_TITLE, IN_PATH, IN_TEXT };

static void look(struct slots *slots, struct str text, enum part part, uint32_t stamp,
                 struct seen *seen)
{
    struct tokens tokens;
    tokens_init(&tokens, text, false);
    uint64_t term;
    uint32_t sentence = ++slots->n_sentences;
    seen->sentence = 0;
    while (tokens_next(&tokens, &term)) {
        struct slot *slot = find(slots, term);
        bool known = slot->term && slot->weight > 0;
        if (tokens_kind(term) == TOKENS_PAIR) {
            seen->running = known ? seen->running + 1 : 0;
            if (seen->running > seen->run)
                seen->run = seen->running;
        }
        if (!slot->term)
            continue;
        if (slot->alone > 0 && slot->sentence != sentence) {
            slot->sentence = sentence;
            seen->sentence += slot->alone;
        }
        uint32_t *mark = part == IN_TITLE  ? &slot->title
                         : part == IN_PATH ? &slot->path
                                           : &slot->text;
        if (part == IN_TEXT)
            slot->times = *mark == stamp ? slot->times + 1 : 1;
        if (*mark == stamp)
            continue;
        *mark = stamp;
        seen->alone += slot->alone;
        if (!known)
            continue;
        seen->n++;
        seen->weight += slot->weight;
        seen->rarest = fmaxf(seen->rarest, slot->weight);
    }
}

/* Looks at the text sentence by sentence; what the best one holds of the characters. */
static float look_at_sentences(struct slots *slots, struct str text, uint32_t stamp,
                               struct seen *seen)
{
    static const struct str ends[] = {STR_INIT("。"), STR_INIT("；"), STR_INIT("\n")};
    float best = 0;
    for (size_t from = 0, to; from < text.len; from = to) {
        to = text.len;
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
            size_t end = str_find_from(str_slice(text, 0, to), ends[i], from);
            to = end == STR_NPOS ? to : end + ends[i].len;
        }
        look(slots, str_slice(text, from, to), IN_TEXT, stamp, seen);
        best = fmaxf(best, seen->sentence);
    }
    return best;
}

static void sum_slots(const struct slots *slots, uint32_t stamp, float *covered, float *matched,
                      float *feedback, float *alone)
{
    for (size_t i = 0; i <= slots->mask; i++) {
        const struct slot *s = &slots->at[i];
        if (!s->term)
            continue;
        if (s->weight > 0 && (s->text == stamp || s->title == stamp || s->path == stamp)) {
            *covered += s->weight;
            *matched += 1;
            *alone += s->alone;
        }
        if (s->feedback > 0 && s->text == stamp)
            *feedback += s->feedback * (float)s->times / ((float)s->times + 1);
    }
}

/* The pairs of the title when the question holds them all, else 0. */
static unsigned holds_title(const struct slots *slots, struct str title)
{
    struct tokens tokens;
    tokens_init(&tokens, title, false);
    uint64_t term;
    unsigned n = 0, missing = 0;
    static const struct str country = STR_INIT("中华人民共和国");
    if (str_starts(title, country))
        tokens.at = country.len;
    while (tokens_next(&tokens, &term)) {
        if (tokens_kind(term) != TOKENS_PAIR)
            continue;
        struct slot *slot = find(slots, term);
        n++;
        missing += !(slot->term && slot->weight > 0);
    }
    return missing ? 0 : n;
}

static void read_text(struct slots *slots, const struct rank_question *q, float total,
                      struct rank_item *item, uint32_t stamp)
{
    struct index_passage p;
    index_get(item->index, item->passage, &p);
    struct seen title = {0}, path = {0}, text = {0};
    look(slots, p.title, IN_TITLE, stamp, &title);
    look(slots, p.path, IN_PATH, stamp, &path);
    look(slots, p.label, IN_PATH, stamp, &path);
    float sentence = look_at_sentences(slots, str_slice(p.text, 0, TEXT_BYTES), stamp, &text);
    float covered = 0, matched = 0, feedback = 0, alone = 0;
    sum_slots(slots, stamp, &covered, &matched, &feedback, &alone);
    float *x = item->x;
    if (slots->alone > 0) {
        x[RANK_chars] = alone / slots->alone;
        x[RANK_chars_text] = text.alone / slots->alone;
        x[RANK_chars_sentence] = sentence / slots->alone;
    }
    x[RANK_covered] = total > 0 ? covered / total : 0;
    x[RANK_covered_text] = total > 0 ? text.weight / total : 0;
    x[RANK_matched] = matched / (float)(slots->n ? slots->n : 1);
    x[RANK_rarest] = fmaxf(fmaxf(title.rarest, path.rarest), text.rarest);
    x[RANK_run] = text.run ? (float)text.run + 1 : 0;
    x[RANK_in_title] = total > 0 ? title.weight / total : 0;
    x[RANK_in_path] = total > 0 ? path.weight / total : 0;
    x[RANK_feedback] = feedback;
    item->named = q->article && item->facts.article == q->article ? holds_title(slots, p.title) : 0;
}

/* ---- what candidates say of each other ---- */

static void vote(struct rank_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float *x = items[i].x;
        for (size_t j = 0; j < n; j++) {
            if (items[j].source != items[i].source)
                continue;
            float share = items[j].x[RANK_words], cube = share * share * share;
            bool section = items[j].section == items[i].section;
            x[RANK_source_best] = fmaxf(x[RANK_source_best], share);
            if (section)
                x[RANK_section_best] = fmaxf(x[RANK_section_best], share);
            if (j >= VOTERS)
                continue;
            x[RANK_source_count] += 1;
            if (j != i) {
                x[RANK_source_votes] += cube;
                x[RANK_section_votes] += section ? cube : 0;
            }
        }
    }
}

enum err rank_features(const struct rank_question *q, struct rank_item *items, size_t n,
                       rank_weight_fn *weight_of, void *ctx, struct arena *arena, struct why *why)
{
    struct slots slots = {0};
    if (!slots_init(&slots, q, arena))
        return no_memory(why);
    enum err err = feed_back(&slots, items, n, weight_of, ctx, arena, why);
    if (err)
        return err;
    float total = 0, most = 0;
    for (size_t i = 0; i < q->n; i++)
        total += q->times[i] ? q->weights[i] : 0;
    vote(items, n);
    for (size_t i = 0; i < n; i++) {
        struct rank_item *item = &items[i];
        float *x = item->x;
        read_text(&slots, q, total, item, (uint32_t)i + 1);
        x[RANK_place] = (float)i;
        x[RANK_bytes] = (float)item->facts.n_bytes;
        x[RANK_order] = (float)item->facts.order;
        x[RANK_of] = (float)item->facts.of;
        x[RANK_order_share] = (float)item->facts.order / (float)item->facts.of;
        x[RANK_looks] = (float)item->facts.looks;
        x[RANK_question_chars] = (float)q->n_chars;
        x[RANK_question_weight] = total;
        most = fmaxf(most, x[RANK_feedback]);
    }
    for (size_t i = 0; i < n && most > 0; i++)
        items[i].x[RANK_feedback] /= most;
    return ERR_OK;
}
