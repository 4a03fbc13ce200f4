/* engine/sample, engine/spell, engine/fair: what needs no model. */
#include "core/arena.h"
#include "engine/fair.h"
#include "engine/sample.h"
#include "engine/spell.h"
#include "tap.h"

#include <math.h>

#define V 1000

static float logits[V];
static struct sample_scratch scratch;

static void setup(uint64_t seed)
{
    struct sample_rng rng;
    sample_seed(&rng, seed);
    for (size_t i = 0; i < V; i++)
        logits[i] = (float)(sample_uniform(&rng) * 12 - 6);
    if (!scratch.n_vocab)
        CHECK_OK(sample_scratch_init(&scratch, V, NULL), NULL);
}

/* Which tokens can come: the draw with many numbers. */
static size_t support(const struct sample_opts *opts, bool seen[V], double share[V])
{
    struct sample_rng rng;
    size_t kinds = 0;
    enum { DRAWS = 20000 };
    sample_seed(&rng, 7);
    memset(seen, 0, V * sizeof *seen);
    memset(share, 0, V * sizeof *share);
    for (int i = 0; i < DRAWS; i++) {
        int32_t token = sample_draw(opts, logits, &scratch, &rng);
        kinds += !seen[token];
        seen[token] = true;
        share[token] += 1.0 / DRAWS;
    }
    return kinds;
}

static int by_falling(const void *a, const void *b)
{
    float x = logits[*(const int32_t *)a], y = logits[*(const int32_t *)b];
    return (x < y) - (x > y);
}

static void order(int32_t ids[V])
{
    for (int32_t i = 0; i < V; i++)
        ids[i] = i;
    qsort(ids, V, sizeof *ids, by_falling);
}

static bool seen[V];
static double share[V];

TEST(greedy_takes_the_greatest_and_no_random_number)
{
    struct sample_opts opts = {0};
    struct sample_rng rng, before;
    int32_t ids[V];
    setup(1);
    order(ids);
    sample_seed(&rng, 1);
    before = rng;
    CHECK_EQ(sample_draw(&opts, logits, &scratch, &rng), ids[0]);
    CHECK(memcmp(&rng, &before, sizeof rng) == 0);
    logits[3] = logits[ids[0]];
    CHECK_EQ(sample_draw(&opts, logits, &scratch, &rng), ids[0] < 3 ? ids[0] : 3);
}

TEST(the_same_seed_draws_the_same)
{
    struct sample_opts opts = {.temperature = 1};
    struct sample_rng a, b, c;
    int differ = 0;
    setup(2);
    sample_seed(&a, 42);
    sample_seed(&b, 42);
    sample_seed(&c, 43);
    for (int i = 0; i < 100; i++) {
        int32_t x = sample_draw(&opts, logits, &scratch, &a);
        CHECK_EQ(x, sample_draw(&opts, logits, &scratch, &b));
        differ += x != sample_draw(&opts, logits, &scratch, &c);
    }
    CHECK(differ > 50);
}

TEST(draws_follow_the_softmax)
{
    struct sample_opts opts = {.temperature = 0.7f};
    double sum = 0, off = 0;
    setup(3);
    support(&opts, seen, share);
    for (size_t i = 0; i < V; i++)
        sum += exp((double)logits[i] / 0.7);
    for (size_t i = 0; i < V; i++)
        off += fabs(share[i] - exp((double)logits[i] / 0.7) / sum);
    CHECK(off < 0.15); /* total variation of 20000 draws over some hundred live tokens */
}

TEST(top_k_keeps_exactly_the_k_greatest)
{
    setup(4);
    int32_t ids[V];
    order(ids);
    for (int32_t k = 1; k <= 9; k += 2) {
        struct sample_opts opts = {.temperature = 5, .top_k = k};
        CHECK_EQ(support(&opts, seen, share), k);
        for (int32_t i = 0; i < k; i++)
            CHECK(seen[ids[i]]);
    }
}

TEST(top_p_keeps_the_fewest_that_hold_the_mass)
{
    setup(5);
    int32_t ids[V];
    order(ids);
    double sum = 0, kept = 0;
    for (size_t i = 0; i < V; i++)
        sum += exp((double)logits[i]);
    size_t n = 0;
    while (kept < 0.3 * sum)
        kept += exp((double)logits[ids[n++]]);
    struct sample_opts opts = {.temperature = 1, .top_p = 0.3f};
    CHECK_EQ(support(&opts, seen, share), n);
    for (size_t i = 0; i < n; i++)
        CHECK(seen[ids[i]]);
    /* With top-k at once: the mass is of what top-k left. */
    opts.top_k = 5;
    opts.top_p = 0.9999f;
    CHECK_EQ(support(&opts, seen, share), 5);
}

TEST(min_p_measures_by_the_likeliest)
{
    setup(6);
    int32_t ids[V];
    order(ids);
    size_t n = 0;
    while (n < V && logits[ids[n]] >= logits[ids[0]] + logf(0.6f))
        n++;
    struct sample_opts opts = {.temperature = 1, .min_p = 0.6f};
    CHECK_EQ(support(&opts, seen, share), n);
}

TEST(typical_keeps_what_surprises_as_expected)
{
    /* One token of half the mass, and many alike that share the rest: the entropy lies between, the
     * typical set is not the likeliest first. */
    setup(7);
    for (size_t i = 0; i < V; i++)
        logits[i] = i == 0 ? logf(0.05f) : logf(0.95f / (V - 1));
    struct sample_opts opts = {.temperature = 1, .typical = 0.5f};
    support(&opts, seen, share);
    CHECK(!seen[0]);
}

TEST(forbidden_tokens_never_come)
{
    struct sample_opts opts = {.temperature = 2};
    struct sample_rng rng;
    setup(8);
    for (size_t i = 0; i < V; i++)
        if (i != 77 && i != 500)
            logits[i] = -INFINITY;
    CHECK_EQ(support(&opts, seen, share), 2);
    CHECK(seen[77] && seen[500]);
    logits[77] = logits[500] = -INFINITY;
    sample_seed(&rng, 1);
    CHECK_EQ(sample_draw(&opts, logits, &scratch, &rng), -1);
    for (size_t i = 0; i < V; i++)
        logits[i] = NAN;
    CHECK_EQ(sample_draw(&opts, logits, &scratch, &rng), -1);
}

TEST(penalties_count_what_was_written)
{
    static const int32_t history[] = {1, 2, 2, 3, 4, 4, 4};
    struct sample_opts opts = {.presence = 0.5f, .frequency = 0.25f, .window = 100};
    setup(9);
    for (size_t i = 0; i < V; i++)
        logits[i] = 1;
    sample_penalize(&opts, history, 7, 3, logits, &scratch); /* 3 4 4 4 were written */
    CHECK(logits[1] == 1 && logits[2] == 1);
    CHECK(fabsf(logits[3] - 0.25f) < 1e-6f);
    CHECK(fabsf(logits[4] - (1 - 0.5f - 0.75f)) < 1e-6f);
    /* The repeat penalty sees the prompt too, once for each token, and only the window. */
    opts = (struct sample_opts){.repeat = 2, .window = 5};
    for (size_t i = 0; i < V; i++)
        logits[i] = i == 4 ? -1 : 1;
    sample_penalize(&opts, history, 7, 3, logits, &scratch);
    CHECK(logits[1] == 1);
    CHECK(logits[2] == 0.5f);
    CHECK(logits[4] == -2);
    for (size_t i = 0; i < V; i++)
        CHECK(scratch.counts[i] == 0);
}

TEST(log_probabilities_sum_to_one)
{
    int32_t ids[V], tops[20];
    double sum = 0;
    setup(10);
    order(ids);
    double log_sum = sample_log_sum(logits, V);
    for (size_t i = 0; i < V; i++)
        sum += exp((double)logits[i] - log_sum);
    CHECK(fabs(sum - 1) < 1e-5);
    CHECK_EQ(sample_tops(logits, V, 20, tops), 20);
    for (size_t i = 0; i < 20; i++)
        CHECK_EQ(tops[i], ids[i]);
    CHECK_EQ(sample_tops(logits, 3, 20, tops), 3);
    CHECK_EQ(sample_tops(logits, V, 0, tops), 0);
}

TEST(refuses_options_out_of_range)
{
    static const struct sample_opts bad[] = {
        {.temperature = -1}, {.temperature = NAN}, {.top_k = -1},   {.top_p = 1.5f},
        {.min_p = -0.1f},    {.typical = 2},       {.presence = 3}, {.frequency = -2.5f},
        {.repeat = -1},      {.repeat = INFINITY},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct why why = {0};
        CHECK_EQ(sample_check(&bad[i], &why), ERR_INVALID);
        CHECK(why.text[0] != '\0');
    }
    CHECK_OK(sample_check(&(struct sample_opts){.temperature = 1, .top_p = 1}, NULL), NULL);
}

/* ---- spell ---- */

/* What a client gets of these tokens; the last "" ends. *stop tells which stop string was met. */
static struct str spelled(struct arena *arena, const char *const *tokens, const struct str *stops,
                          size_t n_stops, size_t *n_tokens, const struct str **stop)
{
    struct spell spell;
    struct spell_part part;
    struct buf all;
    buf_init(&all, arena);
    spell_init(&spell, stops, n_stops, arena);
    *stop = NULL;
    *n_tokens = 0;
    for (int32_t i = 0; tokens[i] && !*stop; i++) {
        CHECK_OK(spell_add(&spell, i, str_c(tokens[i]), NULL, &part, NULL), NULL);
        buf_add(&all, part.text);
        buf_char(&all, '|');
        for (size_t t = 0; t < part.n_tokens; t++)
            CHECK_EQ(part.tokens[t].id, (*n_tokens)++);
        *stop = part.stop;
    }
    if (!*stop) {
        CHECK_OK(spell_end(&spell, &part, NULL), NULL);
        buf_add(&all, part.text);
        for (size_t t = 0; t < part.n_tokens; t++)
            CHECK_EQ(part.tokens[t].id, (*n_tokens)++);
    }
    return buf_str(&all);
}

TEST(text_is_given_out_as_soon_as_it_is_sure)
{
    static const struct str stops[] = {STR_INIT("</s>"), STR_INIT("END")};
    static const struct {
        const char *tokens[8];
        const char *out; /* '|' behind each token's part, then the end's */
        size_t n_tokens;
        int stop;
    } cases[] = {
        {{"a", "b", NULL}, "a|b|", 2, -1},
        {{"a<", "b", NULL}, "a|<b|", 2, -1},
        {{"a<", "/s", ">b", NULL}, "a|||", 1, 0},     /* the stop string over three tokens */
        {{"x</", "s", "y", NULL}, "x||</sy|", 3, -1}, /* it was none */
        {{"x</", NULL}, "x|</", 1, -1},               /* the end sets it free */
        {{"E", "N", "ENDx", NULL}, "||EN|", 2, 1},    /* and begins anew inside itself */
        {{"oEND</s>", NULL}, "o|", 1, 1},             /* the earliest */
        {{"\xE4", "\xBD", "\xA0\xE5", "\xA5\xBD", NULL}, "||你|好|", 4, -1},
        {{"\xE4\xBD", NULL}, "|", 1, -1}, /* an unfinished character at the end */
        {{"a\xFF"
          "b",
          NULL},
         "a\xEF\xBF\xBD"
         "b|",
         1,
         -1},
        {{"\xE4", "b", NULL},
         "|\xEF\xBF\xBD"
         "b|",
         2,
         -1},
        {{"\xF0\x9F", "\x98\x80", "", NULL}, "|😀||", 3, -1},
        {{"", "a", NULL}, "|a|", 2, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        const struct str *stop;
        size_t n;
        struct str out = spelled(arena, cases[i].tokens, stops, 2, &n, &stop);
        CHECK_STR(out, cases[i].out);
        CHECK_EQ(n, cases[i].n_tokens);
        CHECK_EQ(stop ? stop - stops : -1, cases[i].stop);
        arena_free(arena);
    }
}

/* However a text is cut into tokens: what comes out is the text before the first stop string. */
TEST(no_cut_lets_a_stop_string_through)
{
    static const struct str stops[] = {STR_INIT("aab"), STR_INIT("ba\n")};
    struct sample_rng rng;
    sample_seed(&rng, 5);
    for (int round = 0; round < 3000; round++) {
        struct arena *arena = arena_new(1 << 20);
        char text[24] = {0};
        static char pieces[24][24];
        const char *tokens[25] = {NULL};
        size_t len = (size_t)(sample_uniform(&rng) * 22), n_tokens, n = 0;
        for (size_t i = 0; i < len; i++)
            text[i] = "aabb\n"[(int)(sample_uniform(&rng) * 5)];
        for (size_t at = 0; at < len; n++) {
            size_t take = 1 + (size_t)(sample_uniform(&rng) * 4);
            take = take < len - at ? take : len - at;
            memcpy(pieces[n], text + at, take);
            pieces[n][take] = '\0';
            tokens[n] = pieces[n];
            at += take;
        }
        const struct str *stop;
        struct str out = spelled(arena, tokens, stops, 2, &n_tokens, &stop), all = {text, len};
        size_t a = str_find(all, stops[0]), b = str_find(all, stops[1]), cut = a < b ? a : b;
        struct buf plain;
        buf_init(&plain, arena);
        for (size_t i = 0; i < out.len; i++)
            if (out.ptr[i] != '|')
                buf_char(&plain, out.ptr[i]);
        CHECK(str_eq(buf_str(&plain), str_slice(all, 0, cut)));
        CHECK((stop != NULL) == (cut != STR_NPOS));
        arena_free(arena);
    }
}

/* ---- fair ---- */

TEST(the_key_that_was_served_least_is_least)
{
    struct fair fair;
    CHECK_OK(fair_init(&fair, 3, NULL), NULL);
    size_t a = fair_enter(&fair, STR("a")), b = fair_enter(&fair, STR("b"));
    fair_charge(&fair, a, 100);
    fair_charge(&fair, b, 30);
    CHECK(fair_served(&fair, b) < fair_served(&fair, a));
    CHECK_EQ(fair_enter(&fair, STR("a")), a);
    fair_leave(&fair, a);
    CHECK_EQ(fair_served(&fair, a), 100);
    /* One that was away does not come back with credit. */
    size_t c = fair_enter(&fair, STR("c"));
    CHECK_EQ(fair_served(&fair, c), 30);
    fair_leave(&fair, c);
    fair_charge(&fair, b, 500);
    CHECK_EQ(fair_enter(&fair, STR("c")), c);
    CHECK_EQ(fair_served(&fair, c), 100);
    /* Who is gone makes room for others. */
    fair_leave(&fair, c);
    size_t d = fair_enter(&fair, STR("d"));
    CHECK_EQ(d, c);
    CHECK_EQ(fair_served(&fair, d), 100);
    fair_release(&fair);
}

TESTS_MAIN()
