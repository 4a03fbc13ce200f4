/* What rank.h and rank_grow_trees promise. */
#include "tap.h"

#include "core/arena.h"
#include "core/hash.h"
#include "knowledge/rank.h"
#include "knowledge/rank_train.h"

#include <math.h>

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
        CHECK(err == ERR_CORRUPT || (err == ERR_OK && i < 64));
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

TEST(the_shipped_model_is_whole_and_says_how_it_was_made)
{
    const struct rank_model *model = rank_model_shipped();
    CHECK(rank_has_trees(model));
    CHECK(rank_model_dim(model) >= 32);
    CHECK(rank_model_note(model).len > 20);
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
