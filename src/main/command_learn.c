/* yicheng learn: train a classifier of texts, measure one, ask one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "learn/learn.h"
#include "main/command.h"

#define MEMORY     ((size_t)8 << 30)
#define MOST_FILE  ((size_t)2 << 30)
#define MOST_MODEL ((size_t)256 << 20)

struct learn_command {
    struct arena *arena;
    bool json;
    struct str labels[LEARN_LABELS_MOST];
    size_t n_labels;
    struct learn_example *examples;
    size_t n, cap;
    struct buf buf;
    struct json_out out;
};

/* The place of a label; a new one when the list is still open. */
static enum err label_of(struct learn_command *c, struct str name, bool open, uint32_t *out,
                         struct why *why)
{
    for (size_t i = 0; i < c->n_labels; i++)
        if (str_eq(c->labels[i], name)) {
            *out = (uint32_t)i;
            return ERR_OK;
        }
    if (!open)
        return err_set(why, ERR_INVALID, "\"%.*s\" is none of the labels", STR_FMT(name));
    if (c->n_labels == LEARN_LABELS_MOST)
        return err_set(why, ERR_INVALID, "there are more than %d labels", LEARN_LABELS_MOST);
    c->labels[c->n_labels] = str_copy(c->arena, name);
    *out = (uint32_t)c->n_labels++;
    return ERR_OK;
}

static enum err add_line(struct learn_command *c, struct str line, bool held, bool open,
                         struct arena *scratch, struct why *why)
{
    const struct json *json = NULL;
    enum err err = json_parse(line, scratch, &json, why);
    if (err)
        return err;
    struct str text = json_get_str(json, "text", STR_NONE),
               label = json_get_str(json, "label", STR_NONE);
    if (!text.ptr || !label.len)
        return err_set(why, ERR_INVALID, "it has no \"text\" or no \"label\"");
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 4096, size = sizeof *c->examples;
        struct learn_example *more = arena_grow(c->arena, c->examples, c->cap * size, cap * size);
        if (!more)
            return err_set(why, ERR_NO_MEMORY, "could not hold %zu examples", cap);
        c->examples = more;
        c->cap = cap;
    }
    struct learn_example *e = &c->examples[c->n];
    *e = (struct learn_example){.text = str_copy(c->arena, text), .held = held};
    if (!e->text.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu examples", c->n);
    err = label_of(c, label, open, &e->label, why);
    c->n += !err;
    return err;
}

static enum err add_file(struct learn_command *c, const char *path, bool held, bool open,
                         struct why *why)
{
    struct str text, line;
    struct arena *scratch = arena_new((size_t)64 << 20);
    size_t number = 0;
    enum err err = scratch ? file_read(path, MOST_FILE, c->arena, &text, why) : ERR_NO_MEMORY;
    while (!err && str_next_line(&text, &line)) {
        number++;
        if (!str_trim(line).len)
            continue;
        err = add_line(c, line, held, open, scratch, why);
        if (err)
            err_prefix(why, "%s line %zu: ", path, number);
        arena_reset(scratch);
    }
    arena_free(scratch);
    return err;
}

/* Bytewise, so that the order of the examples does not matter; of two labels the second is the one
 * that thresholds are about. */
static void sort_labels(struct learn_command *c)
{
    for (size_t i = 1; i < c->n_labels; i++)
        for (size_t j = i; j && str_cmp(c->labels[j - 1], c->labels[j]) > 0; j--) {
            struct str kept = c->labels[j];
            c->labels[j] = c->labels[j - 1];
            c->labels[j - 1] = kept;
            for (size_t k = 0; k < c->n; k++) {
                uint32_t *of = &c->examples[k].label;
                *of = *of == j ? (uint32_t)j - 1 : *of == j - 1 ? (uint32_t)j : *of;
            }
        }
}

static enum err read_model(struct learn_command *c, const char *path, struct learn_model **out,
                           struct why *why)
{
    struct str bytes;
    enum err err = file_read(path, MOST_MODEL, c->arena, &bytes, why);
    if (!err)
        err = learn_read(bytes, out, why);
    for (size_t i = 0; !err && i < learn_n_labels(*out); i++)
        c->labels[i] = learn_label(*out, i);
    if (!err)
        c->n_labels = learn_n_labels(*out);
    return err;
}

/* ---- what is shown ---- */

static void show_score(struct learn_command *c, const struct learn_model *model,
                       const struct learn_score *s)
{
    json_begin_object(&c->out);
    json_kv_int(&c->out, "n", (int64_t)s->n);
    json_kv_real(&c->out, "accuracy", s->accuracy);
    json_kv_real(&c->out, "macro_f1", s->macro_f1);
    json_kv_real(&c->out, "log_loss", s->log_loss);
    json_kv_real(&c->out, "calibration_error", s->calibration_error);
    if (learn_n_labels(model) == 2)
        json_kv_real(&c->out, "threshold", learn_threshold(model, 1));
    json_kv_str(&c->out, "note", learn_note(model));
    json_key(&c->out, "labels");
    json_begin_array(&c->out);
    for (size_t i = 0; i < learn_n_labels(model); i++) {
        json_begin_object(&c->out);
        json_kv_str(&c->out, "label", learn_label(model, i));
        json_kv_int(&c->out, "n", (int64_t)s->labels[i].gold);
        json_kv_real(&c->out, "precision", s->labels[i].precision);
        json_kv_real(&c->out, "recall", s->labels[i].recall);
        json_kv_real(&c->out, "f1", s->labels[i].f1);
        json_end_object(&c->out);
    }
    json_end_array(&c->out);
    json_end_object(&c->out);
}

static void print_score(const struct learn_model *model, const struct learn_score *s)
{
    printf("%zu texts: accuracy %.4f, macro F1 %.4f, log loss %.4f, calibration error %.4f\n", s->n,
           s->accuracy, s->macro_f1, s->log_loss, s->calibration_error);
    if (learn_n_labels(model) == 2)
        printf("threshold of %.*s %.3f\n", STR_FMT(learn_label(model, 1)),
               (double)learn_threshold(model, 1));
    for (size_t i = 0; i < learn_n_labels(model); i++)
        printf("  %-28.*s %6zu  precision %.4f  recall %.4f  F1 %.4f\n",
               STR_FMT(learn_label(model, i)), s->labels[i].gold, s->labels[i].precision,
               s->labels[i].recall, s->labels[i].f1);
}

static enum err give_score(struct learn_command *c, const struct learn_model *model,
                           const struct learn_example *examples, size_t n, struct why *why)
{
    struct learn_score *score = arena_one(c->arena, struct learn_score);
    if (!score)
        return err_set(why, ERR_NO_MEMORY, "could not hold the figures");
    learn_measure(model, examples, n, score);
    if (!c->json) {
        print_score(model, score);
        return ERR_OK;
    }
    show_score(c, model, score);
    enum err err = buf_err(&c->buf, why);
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&c->buf)));
    return err;
}

static bool say_epoch(void *ctx, unsigned epoch, double loss)
{
    (void)ctx;
    (void)fprintf(stderr, "pass %u: loss %.4f\n", epoch, loss);
    return false;
}

/* ---- the verbs ---- */

struct train_args {
    const char *out, *held, *bits, *grams, *epochs, *rate, *l2, *characters, *seed, *note;
    bool balance;
};

static enum err number_of(const char *text, const char *name, unsigned *out, struct why *why)
{
    int64_t value = *out;
    if (text && (!str_to_i64(str_c(text), &value) || value < 0 || value > UINT32_MAX))
        return err_set(why, ERR_INVALID, "%s \"%s\" is no number", name, text);
    *out = (unsigned)value;
    return ERR_OK;
}

static enum err real_of(const char *text, const char *name, double *out, struct why *why)
{
    if (text && !str_to_f64(str_c(text), out))
        return err_set(why, ERR_INVALID, "%s \"%s\" is no number", name, text);
    return ERR_OK;
}

static enum err read_options(const struct train_args *a, struct learn_options *o, struct why *why)
{
    unsigned characters = 0, seed = 1;
    *o = learn_options_default;
    o->balance = a->balance;
    o->progress = say_epoch;
    o->note = str_c(a->note ? a->note : "");
    enum err err = number_of(a->bits, "--bits", &o->bits, why);
    if (!err)
        err = number_of(a->epochs, "--epochs", &o->epochs, why);
    if (!err)
        err = number_of(a->characters, "--characters", &characters, why);
    if (!err)
        err = number_of(a->seed, "--seed", &seed, why);
    if (!err)
        err = real_of(a->rate, "--rate", &o->rate, why);
    if (!err)
        err = real_of(a->l2, "--l2", &o->l2, why);
    if (!err && a->grams) {
        char grams[32], *most;
        (void)snprintf(grams, sizeof grams, "%s", a->grams);
        most = strchr(grams, '-');
        if (!most)
            return err_set(why, ERR_INVALID, "--grams \"%s\" is not like 1-4", a->grams);
        *most++ = '\0';
        err = number_of(grams, "--grams", &o->grams_least, why);
        if (!err)
            err = number_of(most, "--grams", &o->grams_most, why);
    }
    o->most_characters = characters;
    o->seed = seed;
    return err;
}

static enum err train(struct learn_command *c, int argc, char **argv, const struct train_args *a,
                      struct why *why)
{
    struct learn_options options;
    struct learn_model *model = NULL;
    struct str bytes = STR_NONE;
    enum err err = read_options(a, &options, why);
    for (int i = 2; !err && i < argc; i++)
        err = add_file(c, argv[i], false, true, why);
    size_t n_train = c->n;
    if (!err && a->held)
        err = add_file(c, a->held, true, true, why);
    if (err)
        return err;
    sort_labels(c);
    err = learn_train(c->examples, c->n, c->labels, c->n_labels, &options, &model, why);
    struct learn_example *held = c->examples + n_train;
    if (!err && a->held && c->n_labels == 2)
        err = learn_fit_threshold(model, held, c->n - n_train, 1, why);
    if (!err)
        err = learn_write(model, c->arena, &bytes, why);
    if (!err)
        err = file_write(a->out, bytes, 0644, why);
    if (!err && a->held)
        err = give_score(c, model, held, c->n - n_train, why);
    else if (!err)
        err = give_score(c, model, c->examples, c->n, why);
    learn_free(model);
    return err;
}

static enum err measure(struct learn_command *c, int argc, char **argv, struct why *why)
{
    struct learn_model *model = NULL;
    enum err err = read_model(c, argv[2], &model, why);
    for (int i = 3; !err && i < argc; i++)
        err = add_file(c, argv[i], false, false, why);
    if (!err)
        err = give_score(c, model, c->examples, c->n, why);
    learn_free(model);
    return err;
}

static enum err say(struct learn_command *c, const char *path, const char *text, struct why *why)
{
    struct learn_model *model = NULL;
    float p[LEARN_LABELS_MOST];
    enum err err = read_model(c, path, &model, why);
    if (err)
        return err;
    (void)learn_say(model, str_c(text), p);
    json_begin_object(&c->out);
    for (size_t i = 0; i < c->n_labels; i++) {
        char *name = str_z(c->arena, c->labels[i]);
        if (!c->json)
            printf("%.4f  %.*s\n", (double)p[i], STR_FMT(c->labels[i]));
        else if (name)
            json_kv_real(&c->out, name, p[i]);
    }
    json_end_object(&c->out);
    err = buf_err(&c->buf, why);
    if (!err && c->json)
        printf("%.*s\n", STR_FMT(buf_str(&c->buf)));
    learn_free(model);
    return err;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct learn_command c = {.json = opts->json};
    struct train_args a = {.out = command_option(&argc, argv, "--out"),
                           .held = command_option(&argc, argv, "--held"),
                           .bits = command_option(&argc, argv, "--bits"),
                           .grams = command_option(&argc, argv, "--grams"),
                           .epochs = command_option(&argc, argv, "--epochs"),
                           .rate = command_option(&argc, argv, "--rate"),
                           .l2 = command_option(&argc, argv, "--l2"),
                           .characters = command_option(&argc, argv, "--characters"),
                           .seed = command_option(&argc, argv, "--seed"),
                           .note = command_option(&argc, argv, "--note"),
                           .balance = command_flag(&argc, argv, "--balance")};
    enum err err;
    if (command_rest(argc, argv, 2, 1000, &why))
        return command_usage(&command_learn);
    bool trains = strcmp(argv[1], "train") == 0 && argc >= 3 && a.out,
         measures = strcmp(argv[1], "eval") == 0 && argc >= 4,
         says = strcmp(argv[1], "say") == 0 && argc == 4;
    if (!trains && !measures && !says)
        return command_usage(&command_learn);
    c.arena = arena_new(MEMORY);
    if (!c.arena)
        return command_fail("learn", ERR_NO_MEMORY, &why);
    buf_init(&c.buf, c.arena);
    json_out_init(&c.out, &c.buf);
    err = trains     ? train(&c, argc, argv, &a, &why)
          : measures ? measure(&c, argc, argv, &why)
                     : say(&c, argv[2], argv[3], &why);
    arena_free(c.arena);
    return err ? command_fail("learn", err, &why) : 0;
}

const struct command command_learn = {
    .name = "learn",
    .usage = "train FILE... --out MODEL [--held FILE] [--bits N] [--grams 1-4] [--epochs N] "
             "[--rate X] [--l2 X] [--balance] [--characters N] [--seed N] [--note TEXT]\n"
             "eval MODEL FILE...\n"
             "say MODEL TEXT",
    .summary = "Small classifiers of texts: train one on JSON lines of \"text\" and \"label\", "
               "measure one, ask one",
    .run = run,
};
