/* What classify.h promises. */
#include "tap.h"

#include <math.h>

#include "core/arena.h"
#include "learn/learn.h"

#define ROOM ((size_t)64 << 20)
#define N    600

static const struct str labels[] = {STR_INIT("天气"), STR_INIT("交通"), STR_INIT("饮食")};

/* Sentences of three matters, made from parts: each example's number gives its words. */
static struct str sentence(struct arena *arena, size_t number, uint32_t label)
{
    static const char *const places[] = {"东城", "南山", "西湖", "北港", "江边", "城里", "县城"};
    static const char *const what[3][5] = {
        {"下了大雨", "气温回升", "刮起北风", "多云转晴", "雾很浓"},
        {"公交改线", "路口堵车", "地铁晚点", "停车位不足", "桥上封路"},
        {"小馆开张", "面条好吃", "菜价上涨", "米饭很香", "食堂换了厨师"},
    };
    static const char *const ends[] = {"，请注意", "，大家说", "。", "，今天", "！"};
    return str_printf(arena, "%s%s%s%zu", places[number % 7], what[label][number / 7 % 5],
                      ends[number / 35 % 5], number);
}

static struct learn_example *examples_of(struct arena *arena, size_t n, size_t n_labels,
                                         size_t from)
{
    struct learn_example *out = arena_array(arena, struct learn_example, n);
    for (size_t i = 0; out && i < n; i++) {
        out[i].label = (uint32_t)((i + from) % n_labels);
        out[i].text = sentence(arena, (i + from) * 31 + 7, out[i].label);
    }
    return out;
}

static struct learn_model *train(struct arena *arena, size_t n_labels)
{
    struct learn_options options = learn_options_default;
    struct learn_model *model = NULL;
    struct why why = {0};
    options.bits = 14;
    options.note = STR("sentences of the test");
    CHECK_OK(learn_train(examples_of(arena, N, n_labels, 0), N, labels, n_labels, &options, &model,
                         &why),
             &why);
    return model;
}

TEST(tells_matters_apart_that_it_learnt)
{
    for (size_t n_labels = 2; n_labels <= 3; n_labels++) {
        struct arena *arena = arena_new(ROOM);
        struct learn_model *model = train(arena, n_labels);
        struct learn_score *score = arena_one(arena, struct learn_score);
        learn_measure(model, examples_of(arena, 300, n_labels, N), 300, score);
        CHECK_EQ(score->n, 300);
        CHECK(score->accuracy > 0.98);
        CHECK(score->macro_f1 > 0.98);
        CHECK(score->log_loss < 0.2);
        CHECK(score->calibration_error < 0.15);
        CHECK_STR(learn_label(model, learn_say(model, STR("明天路口还要堵车吗"), NULL)), "交通");
        learn_free(model);
        arena_free(arena);
    }
}

TEST(probabilities_sum_to_one_for_any_bytes)
{
    static const struct str texts[] = {STR_INIT(""), STR_INIT("   "), STR_INIT("\xff\xfe\x00中"),
                                       STR_INIT("下雨"), STR_INIT("ABC 123")};
    struct arena *arena = arena_new(ROOM);
    struct learn_model *model = train(arena, 3);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        float p[LEARN_LABELS_MOST];
        size_t best = learn_say(model, texts[i], p);
        CHECK(best < 3);
        CHECK(fabsf(p[0] + p[1] + p[2] - 1) < 1e-5f);
        CHECK(p[best] >= p[0] && p[best] >= p[1] && p[best] >= p[2]);
    }
    learn_free(model);
    arena_free(arena);
}

TEST(width_case_digits_and_space_do_not_matter)
{
    struct arena *arena = arena_new(ROOM);
    struct learn_model *model = train(arena, 3);
    float a[3], b[3];
    (void)learn_say(model, STR("ＢＵＳ　９路堵车"), a);
    (void)learn_say(model, STR("bus \n 1路堵车"), b);
    for (size_t k = 0; k < 3; k++)
        CHECK(a[k] == b[k]);
    learn_free(model);
    arena_free(arena);
}

TEST(what_was_written_reads_back_and_says_the_same)
{
    struct arena *arena = arena_new(ROOM);
    struct learn_model *model = train(arena, 3), *back = NULL;
    struct str bytes = {0}, again = {0};
    struct why why = {0};
    learn_set_threshold(model, 1, 0.75f);
    CHECK_OK(learn_write(model, arena, &bytes, &why), &why);
    CHECK_OK(learn_read(bytes, &back, &why), &why);
    CHECK_EQ(learn_n_labels(back), 3);
    CHECK_STR(learn_note(back), "sentences of the test");
    CHECK(learn_threshold(back, 1) == 0.75f);
    for (size_t i = 0; i < 50; i++) {
        float p[3], q[3];
        struct str text = sentence(arena, i, (uint32_t)(i % 3));
        CHECK_EQ(learn_say(model, text, p), learn_say(back, text, q));
        CHECK(memcmp(p, q, sizeof p) == 0);
    }
    CHECK_OK(learn_write(back, arena, &again, &why), &why);
    CHECK(str_eq(bytes, again));
    learn_free(model);
    learn_free(back);
    arena_free(arena);
}

TEST(the_same_training_gives_the_same_file)
{
    struct arena *arena = arena_new(ROOM);
    struct learn_model *a = train(arena, 3), *b = train(arena, 3);
    struct str of_a = {0}, of_b = {0};
    CHECK_OK(learn_write(a, arena, &of_a, NULL), NULL);
    CHECK_OK(learn_write(b, arena, &of_b, NULL), NULL);
    CHECK(of_a.len > 0 && str_eq(of_a, of_b));
    learn_free(a);
    learn_free(b);
    arena_free(arena);
}

TEST(refuses_a_file_with_any_byte_changed_or_cut)
{
    struct arena *arena = arena_new(ROOM);
    struct learn_options options = learn_options_default;
    struct learn_model *model = NULL, *back = NULL;
    struct str bytes = {0};
    options.bits = 10;
    CHECK_OK(learn_train(examples_of(arena, 100, 2, 0), 100, labels, 2, &options, &model, NULL),
             NULL);
    CHECK_OK(learn_write(model, arena, &bytes, NULL), NULL);
    char *copy = arena_bytes(arena, bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        struct why why = {0};
        memcpy(copy, bytes.ptr, bytes.len);
        copy[i] = (char)(copy[i] ^ 0x21);
        CHECK_EQ(learn_read((struct str){copy, bytes.len}, &back, &why), ERR_CORRUPT);
        CHECK(why.text[0] != '\0' && back == NULL);
        CHECK_EQ(learn_read((struct str){bytes.ptr, i}, &back, NULL), ERR_CORRUPT);
    }
    learn_free(model);
    arena_free(arena);
}

TEST(refuses_to_learn_from_what_teaches_nothing)
{
    struct arena *arena = arena_new(ROOM);
    struct learn_example *examples = examples_of(arena, 100, 2, 0);
    static const struct str twice[] = {STR_INIT("a"), STR_INIT("a")};
    struct learn_options bad = learn_options_default, good = learn_options_default;
    struct learn_model *model = NULL;
    good.bits = 10;
    bad.bits = 40;
    CHECK_EQ(learn_train(examples, 100, labels, 2, &bad, &model, NULL), ERR_INVALID);
    bad.bits = 22;
    CHECK_EQ(learn_train(examples, 100, labels, 1, &bad, &model, NULL), ERR_INVALID);
    CHECK_EQ(learn_train(examples, 3, labels, 2, &good, &model, NULL), ERR_INVALID);
    CHECK_EQ(learn_train(examples, 100, labels, 3, &good, &model, NULL), ERR_INVALID);
    CHECK_EQ(learn_train(examples, 100, twice, 2, &good, &model, NULL), ERR_INVALID);
    bad = good;
    bad.grams_least = 3;
    bad.grams_most = 2;
    CHECK_EQ(learn_train(examples, 100, labels, 2, &bad, &model, NULL), ERR_INVALID);
    examples[5].label = 2;
    CHECK_EQ(learn_train(examples, 100, labels, 2, &good, &model, NULL), ERR_INVALID);
    CHECK(model == NULL);
    arena_free(arena);
}

static bool stop_at_once(void *ctx, unsigned epoch, double loss)
{
    (void)loss;
    *(unsigned *)ctx = epoch;
    return true;
}

TEST(a_training_can_be_cancelled)
{
    struct arena *arena = arena_new(ROOM);
    struct learn_options options = learn_options_default;
    struct learn_model *model = NULL;
    unsigned epoch = 0;
    options.bits = 10;
    options.progress = stop_at_once;
    options.ctx = &epoch;
    CHECK_EQ(learn_train(examples_of(arena, 100, 2, 0), 100, labels, 2, &options, &model, NULL),
             ERR_CANCELLED);
    CHECK_EQ(epoch, 1);
    arena_free(arena);
}

TEST(the_threshold_is_the_one_with_the_best_f1)
{
    struct arena *arena = arena_new(ROOM);
    struct learn_model *model = train(arena, 2);
    struct learn_example *examples = examples_of(arena, 200, 2, N);
    struct learn_score *score = arena_one(arena, struct learn_score);
    for (size_t i = 0; i < 200; i += 9) /* some that nobody can get right */
        examples[i].label = 1 - examples[i].label;
    CHECK_OK(learn_fit_threshold(model, examples, 200, 1, NULL), NULL);
    learn_measure(model, examples, 200, score);
    double best = score->labels[1].f1;
    float fitted = learn_threshold(model, 1);
    for (float t = 0.01f; t < 1; t += 0.01f) {
        learn_set_threshold(model, 1, t);
        learn_measure(model, examples, 200, score);
        CHECK(score->labels[1].f1 <= best + 1e-9);
    }
    CHECK(fitted > 0 && fitted < 1);
    for (size_t i = 0; i < 200; i++)
        examples[i].label = 0;
    CHECK_EQ(learn_fit_threshold(model, examples, 200, 1, NULL), ERR_INVALID);
    learn_free(model);
    arena_free(arena);
}

TEST(rare_labels_are_heard_when_balanced)
{
    struct arena *arena = arena_new(ROOM);
    struct learn_example *examples = examples_of(arena, N, 2, 0);
    struct learn_score *score = arena_one(arena, struct learn_score);
    struct learn_options options = learn_options_default;
    struct learn_model *model = NULL;
    size_t n = 0;
    options.bits = 12;
    options.balance = true;
    for (size_t i = 0; i < N; i++) /* one in twenty of the second label */
        if (examples[i].label == 0 || i % 40 == 1)
            examples[n++] = examples[i];
    CHECK_OK(learn_train(examples, n, labels, 2, &options, &model, NULL), NULL);
    learn_measure(model, examples_of(arena, 200, 2, N), 200, score);
    CHECK(score->labels[1].recall > 0.9);
    learn_free(model);
    arena_free(arena);
}

TESTS_MAIN()
