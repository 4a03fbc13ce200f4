/* The statistics against published tables and against what a pencil gives. */
#include <math.h>

#include "annotate/agree.h"
#include "core/arena.h"
#include "tap.h"

#define NEAR(a, b, by)                                                                             \
    do {                                                                                           \
        double near_a = (a), near_b = (b);                                                         \
        CHECK(fabs(near_a - near_b) <= (by));                                                      \
        if (!(fabs(near_a - near_b) <= (by)))                                                      \
            printf("# %s is %f, not %f\n", #a, near_a, near_b);                                    \
    } while (0)

/* One row a person, a digit a unit, '.' for none. */
static double alpha_of(const char *const *people, size_t n_people, double *interval)
{
    struct arena *arena = arena_new(1 << 20);
    struct agree_alpha sums;
    struct agree_interval measured = {0};
    struct why why = {0};
    agree_alpha_init(&sums, arena);
    for (size_t u = 0; people[0][u]; u++) {
        uint32_t codes[8];
        double values[8];
        size_t m = 0;
        for (size_t p = 0; p < n_people; p++)
            if (people[p][u] != '.') {
                codes[m] = (uint32_t)(people[p][u] - '0');
                values[m++] = people[p][u] - '0';
            }
        CHECK_OK(agree_alpha_add(&sums, codes, m, 1, &why), &why);
        agree_interval_add(&measured, values, m);
    }
    double alpha = agree_alpha_value(&sums);
    if (interval)
        *interval = agree_interval_value(&measured);
    arena_free(arena);
    return alpha;
}

/* Krippendorff 2011, "Computing Krippendorff's alpha-reliability": examples A, B and C. */
TEST(alpha_of_the_published_examples)
{
    const char *a[] = {"0100000010", "1110010000"};
    NEAR(alpha_of(a, 2, NULL), 0.095, 0.0005);
    const char *b[] = {"001132224330", "101112224333"};
    NEAR(alpha_of(b, 2, NULL), 0.692, 0.0005);
    const char *c[] = {"123321412...", "1233224125.3", ".3332342251.", "12332441251."};
    double interval = 0;
    NEAR(alpha_of(c, 4, &interval), 0.743, 0.0005);
    NEAR(interval, 0.849, 0.0005);
}

/* Fleiss 1971, table 1: 30 patients, 6 psychiatrists, 5 diagnoses; kappa 0.430. */
TEST(kappa_of_the_table_of_1971)
{
    static const char *const table[] = {
        "00060", "03003", "01401", "00006", "03030", "20400", "00402", "20310", "20040", "00006",
        "10050", "11040", "03300", "10050", "02031", "00501", "30012", "51000", "02040", "10203",
        "00006", "01050", "02013", "20040", "10041", "05010", "40002", "02040", "10500", "00006"};
    struct arena *arena = arena_new(1 << 20);
    struct agree_fleiss sums;
    struct why why = {0};
    double totals[5] = {0};
    agree_fleiss_init(&sums, arena);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint32_t codes[6];
        size_t m = 0;
        for (uint32_t c = 0; c < 5; c++)
            for (int k = 0; k < table[i][c] - '0'; k++) {
                codes[m++] = c;
                totals[c]++;
            }
        CHECK_EQ(m, 6);
        CHECK_OK(agree_fleiss_add(&sums, codes, m, &why), &why);
    }
    /* The shares that the paper gives: .144 .144 .167 .306 .239. */
    NEAR(totals[0] / 180, 0.144, 0.0006);
    NEAR(totals[1] / 180, 0.144, 0.0006);
    NEAR(totals[2] / 180, 0.167, 0.0006);
    NEAR(totals[3] / 180, 0.306, 0.0006);
    NEAR(totals[4] / 180, 0.239, 0.0006);
    NEAR(agree_fleiss_value(&sums), 0.430, 0.0006);
    /* Another number of ratings is left out. */
    CHECK_OK(agree_fleiss_add(&sums, (const uint32_t[]){0, 0}, 2, &why), &why);
    NEAR(agree_fleiss_value(&sums), 0.430, 0.0006);
    arena_free(arena);
}

/* 50 applications, two readers: 20 both yes, 5 and 10 split, 15 both no. Observed 35/50 = .7, by
 * chance 25/50 * 30/50 + 25/50 * 20/50 = .5, so kappa is .4. */
TEST(cohens_kappa_by_hand)
{
    static const struct {
        uint32_t a, b;
        int n;
    } cells[] = {{1, 1, 20}, {1, 0, 5}, {0, 1, 10}, {0, 0, 15}};
    struct arena *arena = arena_new(1 << 20);
    struct agree_cohen sums;
    struct why why = {0};
    agree_cohen_init(&sums, arena);
    for (size_t i = 0; i < 4; i++)
        for (int k = 0; k < cells[i].n; k++)
            CHECK_OK(agree_cohen_add(&sums, cells[i].a, cells[i].b, &why), &why);
    NEAR(agree_cohen_observed(&sums), 0.7, 1e-12);
    NEAR(agree_cohen_value(&sums), 0.4, 1e-12);
    arena_free(arena);
}

TEST(says_so_when_nothing_is_defined)
{
    struct arena *arena = arena_new(1 << 20);
    struct agree_alpha alpha;
    struct agree_cohen cohen;
    struct agree_fleiss fleiss;
    struct agree_interval interval = {0};
    agree_alpha_init(&alpha, arena);
    agree_cohen_init(&cohen, arena);
    agree_fleiss_init(&fleiss, arena);
    CHECK(isnan(agree_alpha_value(&alpha)));
    CHECK(isnan(agree_cohen_value(&cohen)));
    CHECK(isnan(agree_fleiss_value(&fleiss)));
    CHECK(isnan(agree_interval_value(&interval)));
    /* Everybody always says the same: no variation, so no measure. */
    CHECK_EQ(agree_alpha_add(&alpha, (const uint32_t[]){3, 3}, 2, 10, NULL), ERR_OK);
    CHECK(isnan(agree_alpha_value(&alpha)));
    CHECK_EQ(agree_alpha_add(&alpha, (const uint32_t[]){2000000000, 1}, 2, 1, NULL), ERR_TOO_LARGE);
    arena_free(arena);
}

/* A weight is as many units alike. */
TEST(a_weight_counts_as_so_many_units)
{
    struct arena *arena = arena_new(1 << 20);
    struct agree_alpha once, many;
    agree_alpha_init(&once, arena);
    agree_alpha_init(&many, arena);
    for (int i = 0; i < 7; i++)
        CHECK_EQ(agree_alpha_add(&once, (const uint32_t[]){1, 1}, 2, 1, NULL), ERR_OK);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(agree_alpha_add(&once, (const uint32_t[]){1, 2}, 2, 1, NULL), ERR_OK);
    CHECK_EQ(agree_alpha_add(&many, (const uint32_t[]){1, 1}, 2, 7, NULL), ERR_OK);
    CHECK_EQ(agree_alpha_add(&many, (const uint32_t[]){1, 2}, 2, 3, NULL), ERR_OK);
    NEAR(agree_alpha_value(&once), agree_alpha_value(&many), 1e-12);
    arena_free(arena);
}

TEST(spans_by_place_and_by_character)
{
    struct agree_span a[] = {{0, 4, 1}, {10, 12, 2}}, b[] = {{0, 4, 1}, {11, 13, 2}, {20, 24, 1}};
    /* One of two and three is the same: 2 * 1 / 5. */
    NEAR(agree_spans_exact(a, 2, b, 3), 0.4, 1e-12);
    /* Characters: 6 and 10, of which 4 and 1 are shared: 2 * 5 / 16. */
    NEAR(agree_spans_partial(a, 2, b, 3), 0.625, 1e-12);
    NEAR(agree_spans_exact(NULL, 0, NULL, 0), 1, 0);
    NEAR(agree_spans_partial(a, 2, NULL, 0), 0, 0);
    /* What one covers twice counts once: [0,6) and [0,6). */
    struct agree_span twice[] = {{0, 4, 1}, {2, 6, 1}}, whole[] = {{0, 6, 1}};
    NEAR(agree_spans_partial(twice, 2, whole, 1), 1, 1e-12);
    struct agree_span other[] = {{0, 6, 9}};
    NEAR(agree_spans_partial(other, 1, whole, 1), 0, 0);
}

TEST(boxes_by_intersection_over_union)
{
    struct agree_box a = {0, 0, 10, 10, 1}, half = {5, 0, 10, 10, 1}, apart = {20, 20, 1, 1, 1};
    NEAR(agree_iou(&a, &half), 50.0 / 150, 1e-12);
    NEAR(agree_iou(&a, &apart), 0, 0);
    NEAR(agree_iou(&a, &a), 1, 1e-12);
    struct agree_box one[] = {{0, 0, 10, 10, 1}, {50, 50, 10, 10, 2}};
    struct agree_box two[] = {{1, 0, 10, 10, 1}, {50, 50, 10, 10, 3}};
    double mean = 0;
    /* The first pair meets with 90 / 110; the second has another label. */
    NEAR(agree_boxes(one, 2, two, 2, 0.5, &mean), 0.5, 1e-12);
    NEAR(mean, 90.0 / 110, 1e-12);
    NEAR(agree_boxes(one, 2, two, 2, 0.9, &mean), 0, 0);
    CHECK(isnan(mean));
    NEAR(agree_boxes(NULL, 0, NULL, 0, 0.5, NULL), 1, 0);
}

TESTS_MAIN()
