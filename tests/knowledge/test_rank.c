/* What rank.h and rank_grow_trees promise. */
#include "tap.h"

#include "core/arena.h"
#include "core/hash.h"
#include "knowledge/rank.h"
#include "knowledge/rank_told.h"
#include "knowledge/rank_train.h"

#include <math.h>
#include <string.h>

#define HEADER 88 /* bytes of the file before its note */

static const uint64_t words[] = {10, 20, 30};
static const float weights[] = {1, 2, 3};
static const float vectors[] = {1, 0, 0, 1, 0.6f, 0.8f};
static const uint32_t asked[] = {2};
static const float corrections[] = {0.4f, -0.8f};
static const float matrix[] = {1, 0, 0, 1};
static const uint32_t roots[] = {0};
static const struct rank_tree_node nodes[] = {
    {RANK_covered, 1, 2, 0, 0.5f}, {-1, 0, 0, 0, -1}, {-1, 0, 0, 0, 2}};

static struct rank_parts parts(void)
{
    return (struct rank_parts){
        STR("made by a test"), 2,      3,     1,    3, 1, 10, 1, words, weights, vectors, asked,
        corrections,           matrix, roots, nodes};
}

static struct rank_model *model_of(struct arena *arena, struct str *bytes)
{
    struct rank_parts p = parts();
    struct rank_model *model = NULL;
    struct why why = {0};
    CHECK_OK(rank_model_write(&p, arena, bytes, &why), &why);
    CHECK_OK(rank_model_parse(*bytes, &model, &why), &why);
    return model;
}

TEST(what_is_written_is_read)
{
    struct arena *arena = arena_new(1 << 20);
    struct str bytes;
    struct rank_model *model = model_of(arena, &bytes);
    float x[RANK_N_FEATURES] = {0};
    CHECK_STR(rank_model_note(model), "made by a test");
    CHECK_EQ(rank_model_dim(model), 2);
    CHECK(rank_score(model, x) == -1);
    x[RANK_covered] = 0.5f;
    CHECK(rank_score(model, x) == 2);
    int8_t row[2];
    float scale;
    const uint64_t passage[] = {10, 10, 15, 40};
    rank_passage_vector(model, passage, 4, row, &scale);
    CHECK(fabsf((float)row[0] * scale - 1) < 0.01f && row[1] == 0);
    const uint32_t times[] = {1};
    float a[2], latent[2];
    rank_question_vectors(model, &words[2], times, 1, a, latent);
    CHECK(fabsf(latent[0] - 0.6f) < 0.01f && fabsf(latent[1] - 0.8f) < 0.01f);
    CHECK(fabsf(a[0] - 1) < 0.01f && fabsf(a[1]) < 0.01f);
    rank_model_free(model);
    arena_free(arena);
}

TEST(unknown_terms_give_no_vector)
{
    struct arena *arena = arena_new(1 << 20);
    struct str bytes;
    struct rank_model *model = model_of(arena, &bytes);
    const uint64_t passage[] = {1, 2, 3};
    int8_t row[2] = {1, 1};
    float scale = 1;
    rank_passage_vector(model, passage, 3, row, &scale);
    CHECK(scale == 0 && row[0] == 0 && row[1] == 0);
    rank_passage_vector(model, passage, 0, row, &scale);
    CHECK(scale == 0);
    rank_model_free(model);
    arena_free(arena);
}

TEST(a_damaged_model_is_refused)
{
    struct arena *arena = arena_new(1 << 20);
    struct str bytes;
    struct rank_model *model = model_of(arena, &bytes), *bad = NULL;
    rank_model_free(model);
    for (size_t i = 0; i < bytes.len; i++) {
        char *copy = arena_copy(arena, bytes.ptr, bytes.len);
        copy[i] ^= 0x41;
        struct why why = {0};
        enum err err = rank_model_parse((struct str){copy, bytes.len}, &bad, &why);
        /* The header has no checksum of its own: a number in it may change, never the shape. */
        CHECK(err == ERR_CORRUPT || (err == ERR_OK && i < HEADER));
        if (!err)
            rank_model_free(bad);
    }
    for (size_t len = 0; len < bytes.len; len++)
        CHECK_EQ(rank_model_parse((struct str){bytes.ptr, len}, &bad, NULL), ERR_CORRUPT);
    arena_free(arena);
}

TEST(a_tree_that_leads_astray_is_refused)
{
    static const struct rank_tree_node loops[][2] = {
        {{RANK_covered, 0, 1, 0, 0}, {-1, 0, 0, 0, 0}},    /* to itself */
        {{RANK_covered, 1, 2, 0, 0}, {-1, 0, 0, 0, 0}},    /* outside */
        {{RANK_N_FEATURES, 1, 1, 0, 0}, {-1, 0, 0, 0, 0}}, /* no such figure */
        {{RANK_covered, 1, 1, 0, NAN}, {-1, 0, 0, 0, 0}}}; /* no number */
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        struct rank_parts p = parts();
        struct rank_model *model = NULL;
        struct str bytes;
        struct why why = {0};
        p.nodes = loops[i];
        p.n_nodes = 2;
        CHECK_OK(rank_model_write(&p, arena, &bytes, &why), &why);
        CHECK_EQ(rank_model_parse(bytes, &model, &why), ERR_CORRUPT);
    }
    arena_free(arena);
}

/* Two known questions: the first is answered by article 3 of a law, the second by its article 4 and
 * by another law's first. The third term is too common to say anything. */
#define LAW     5
#define ANOTHER 9
static const uint64_t told_terms[] = {100, 200, 300};
static const uint32_t told_first[] = {0, 1, 2, 2};
static const uint32_t told_postings[] = {0u << 16 | 16384, 1u << 16 | 16384};
static const int8_t told_vectors[] = {127, 0, 0, 127};
static const struct rank_told_article told_articles[] = {
    {LAW, 3 << 8, 0}, {LAW, 4 << 8, 0}, {ANOTHER, 1 << 8, 0}};
static const uint32_t answers_first[] = {0, 1, 3};
static const uint32_t answers[] = {0, 1, 2};

static struct rank_told told_table(void)
{
    return (struct rank_told){2,
                              3,
                              2,
                              3,
                              3,
                              told_terms,
                              told_first,
                              told_postings,
                              told_vectors,
                              told_articles,
                              answers_first,
                              answers};
}

TEST(known_questions_vote_for_what_answered_them)
{
    struct arena *arena = arena_new(1 << 20);
    struct rank_told table = told_table();
    struct rank_parts p = parts();
    struct rank_model *model = NULL;
    struct str bytes;
    struct why why = {0};
    struct rank_votes votes;
    p.told = &table;
    CHECK_OK(rank_model_write(&p, arena, &bytes, &why), &why);
    CHECK_OK(rank_model_parse(bytes, &model, &why), &why);
    static const uint64_t terms[] = {100, 300};
    static const float weighs[] = {2, 7}, meant[] = {3, 0};
    CHECK_OK(rank_told_ask(rank_model_told(model), terms, weighs, 2, meant, 2, arena, &votes, &why),
             &why);
    static const struct {
        uint64_t title;
        uint32_t number;
        float told, near, source, share, times;
    } cases[] = {
        {LAW, 3 << 8, 1.6f, 0, 1.6f, 1, 1},  /* all of the words, and 0.6 for the vectors */
        {LAW, 4 << 8, 0, 1.28f, 1.6f, 1, 1}, /* one article on: 1.6 / 1.25 */
        {LAW, 2 << 8, 0, 1.28f, 1.6f, 1, 0}, /* one before, that answered nothing */
        {LAW, 90 << 8, 0, 0, 1.6f, 1, 0},    /* too far to be a neighbour */
        {LAW, 0, 0, 0, 1.6f, 1, 0},          /* no article */
        {ANOTHER, 1 << 8, 0, 0, 0, 0, 1},    /* nothing in common */
        {7, 3 << 8, 0, 0, 0, 0, 0},          /* a law that answered nothing */
        {ANOTHER + 1, 1 << 8, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float x[RANK_N_FEATURES];
        memset(x, 0x7f, sizeof x);
        rank_told_figures(&votes, cases[i].title, cases[i].number, x);
        CHECK(fabsf(x[RANK_told] - cases[i].told) < 1e-4f);
        CHECK(fabsf(x[RANK_told_sum] - powf(cases[i].told, 3)) < 1e-3f);
        CHECK(fabsf(x[RANK_told_near] - cases[i].near) < 1e-4f);
        CHECK(fabsf(x[RANK_told_source] - cases[i].source) < 1e-4f);
        CHECK(fabsf(x[RANK_told_share] - cases[i].share) < 1e-4f);
        CHECK(x[RANK_told_times] == cases[i].times);
    }
    rank_model_free(model);
    arena_free(arena);
}

TEST(a_model_without_known_questions_has_no_votes)
{
    struct arena *arena = arena_new(1 << 20);
    struct str bytes;
    struct rank_model *model = model_of(arena, &bytes);
    struct rank_votes votes;
    struct why why = {0};
    static const uint64_t terms[] = {100};
    static const float weighs[] = {2}, meant[] = {3, 0};
    float x[RANK_N_FEATURES] = {0};
    CHECK_OK(rank_told_ask(rank_model_told(model), terms, weighs, 1, meant, 2, arena, &votes, &why),
             &why);
    rank_told_figures(&votes, LAW, 3 << 8, x);
    CHECK(x[RANK_told] == 0 && x[RANK_told_source] == 0 && x[RANK_told_share] == 0);
    rank_model_free(model);
    arena_free(arena);
}

TEST(known_questions_that_lead_astray_are_refused)
{
    static const uint32_t outside[] = {0, 1, 9}, falling[] = {0, 2, 1, 2},
                          other_question[] = {0, 2u << 16};
    static const uint64_t twice[] = {100, 100, 300};
    static const struct rank_told_article unsorted[] = {
        {ANOTHER, 1 << 8, 0}, {LAW, 3 << 8, 0}, {LAW, 4 << 8, 0}};
    struct rank_told bad[6];
    for (size_t i = 0; i < 6; i++)
        bad[i] = told_table();
    bad[0].answers = outside;
    bad[1].first = falling;
    bad[2].postings = other_question;
    bad[3].terms = twice;
    bad[4].articles = unsorted;
    bad[5].answers_first = outside;
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < 6; i++) {
        struct rank_parts p = parts();
        struct rank_model *model = NULL;
        struct str bytes;
        struct why why = {0};
        p.told = &bad[i];
        CHECK_OK(rank_model_write(&p, arena, &bytes, &why), &why);
        CHECK_EQ(rank_model_parse(bytes, &model, &why), ERR_CORRUPT);
        CHECK(why.text[0] != '\0');
    }
    arena_free(arena);
}

TEST(the_shipped_model_is_whole_and_says_how_it_was_made)
{
    const struct rank_model *model = rank_model_shipped();
    CHECK(rank_has_trees(model));
    CHECK(rank_model_dim(model) >= 32);
    CHECK(rank_model_note(model).len > 20);
    CHECK(rank_model_told(model)->n > 1000);
}

/* Questions whose right candidate is the one that is covered best, among noise. */
TEST(trees_learn_to_put_the_right_one_first)
{
    enum { QUERIES = 60, EACH = 20 };
    struct arena *arena = arena_new(64 << 20);
    float *rows = arena_array(arena, float, (size_t)QUERIES *EACH *RANK_N_FEATURES);
    uint8_t right[QUERIES * EACH] = {0};
    uint32_t first[QUERIES + 1];
    uint64_t state = 9;
    for (uint32_t q = 0; q < QUERIES; q++) {
        first[q] = q * EACH;
        for (uint32_t i = q * EACH; i < (q + 1) * EACH; i++)
            for (int f = 0; f < RANK_N_FEATURES; f++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                rows[i * RANK_N_FEATURES + (uint32_t)f] = 0.9f * (float)(state >> 40) / (1 << 24);
            }
        uint32_t best = q * EACH + (uint32_t)(state >> 33) % EACH;
        rows[best * RANK_N_FEATURES + RANK_covered] = 0.95f;
        right[best] = 1;
    }
    first[QUERIES] = QUERIES * EACH;
    struct rank_train_opts opts = rank_train_defaults();
    opts.trees = 60;
    struct rank_grown grown;
    struct why why = {0};
    CHECK_OK(rank_grow_trees(rows, right, first, 40, &opts, arena, &grown, &why), &why);
    struct rank_parts p = parts();
    p.roots = grown.roots;
    p.n_trees = grown.n_trees;
    p.nodes = grown.nodes;
    p.n_nodes = grown.n_nodes;
    struct str bytes;
    struct rank_model *model = NULL;
    CHECK_OK(rank_model_write(&p, arena, &bytes, &why), &why);
    CHECK_OK(rank_model_parse(bytes, &model, &why), &why);
    int hits = 0;
    for (uint32_t q = 40; q < QUERIES; q++) { /* questions it has not seen */
        uint32_t best = first[q];
        for (uint32_t i = first[q]; i < first[q + 1]; i++)
            if (rank_score(model, rows + i * RANK_N_FEATURES) >
                rank_score(model, rows + best * RANK_N_FEATURES))
                best = i;
        hits += right[best];
    }
    CHECK(hits >= 18);
    opts.leaves = 1;
    CHECK_EQ(rank_grow_trees(rows, right, first, 40, &opts, arena, &grown, &why), ERR_INVALID);
    rank_model_free(model);
    arena_free(arena);
}

TESTS_MAIN()
