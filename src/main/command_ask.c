/* yicheng ask and yicheng search. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "main/command.h"

#define ASK_MEMORY (128u << 20)

/* "-" stands for all bases. */
static const char *base(const char *name)
{
    return strcmp(name, "-") == 0 ? NULL : name;
}

static void print_hit(const struct knowledge_hit *hit, size_t number)
{
    char published[TIME_TEXT], effective[TIME_TEXT];
    static const char *const status[] = {"现行有效", "尚未施行", "已失效", "已被替代"};
    printf("[%zu] 《%.*s》 %.*s  %s", number, STR_FMT(hit->title), STR_FMT(hit->article),
           status[hit->status]);
    if (hit->meta.number.len)
        printf("  %.*s", STR_FMT(hit->meta.number));
    if (hit->meta.published != DAY_NONE)
        printf("  %s 公布", day_format(hit->meta.published, published));
    if (hit->meta.effective != DAY_NONE)
        printf("  %s 施行", day_format(hit->meta.effective, effective));
    printf("\n    /doc/%.*s?passage=%.*s\n", STR_FMT(hit->version_id), STR_FMT(hit->passage_id));
}

static void print_answer(const struct knowledge_answer *a, double ms)
{
    if (a->notice.len)
        printf("（%.*s）\n", STR_FMT(a->notice));
    printf("%.*s\n\n", STR_FMT(a->text));
    for (size_t i = 0; i < a->n_hits && i < 5; i++)
        print_hit(&a->hits[i], i + 1);
    (void)fprintf(stderr, "%s, confidence %.2f, %.1f ms\n", a->method, a->confidence, ms);
}

static enum err print_json(struct center *c, const struct knowledge_answer *a, struct arena *arena,
                           struct why *why)
{
    struct buf buf;
    struct json_out out;
    (void)c;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    knowledge_answer_json(a, &out);
    enum err err = buf_err(&buf, why);
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&buf)));
    return err;
}

static enum err ask(struct center *c, const char *kb, const char *question, int32_t as_of,
                    struct why *why)
{
    struct arena *arena = arena_new(ASK_MEMORY);
    struct knowledge_answer answer = {0};
    struct knowledge_ask ask = {
        .query = {.kb = base(kb), .text = str_c(question), .as_of = as_of, .limit = 10},
        .record = false};
    int64_t start = time_mono_ns();
    enum err err =
        arena ? knowledge_ask(c->knowledge, &c->system, &ask, arena, &answer, why) : ERR_NO_MEMORY;
    if (!err && c->opts->json)
        err = print_json(c, &answer, arena, why);
    else if (!err)
        print_answer(&answer, (double)(time_mono_ns() - start) / 1e6);
    arena_free(arena);
    return err;
}

static enum err search(struct center *c, const char *kb, const char *text, int32_t as_of,
                       struct why *why)
{
    struct arena *arena = arena_new(ASK_MEMORY);
    struct knowledge_hit *hits = NULL;
    size_t n = 0;
    struct knowledge_query query = {
        .kb = base(kb), .text = str_c(text), .as_of = as_of, .limit = 10, .explain = c->opts->json};
    enum err err = arena ? knowledge_search(c->knowledge, &c->system, &query, arena, &hits, &n, why)
                         : ERR_NO_MEMORY;
    struct buf buf;
    struct json_out out;
    if (!err && c->opts->json) {
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_key(&out, "items");
        json_begin_array(&out);
        for (size_t i = 0; i < n; i++)
            knowledge_hit_json(&hits[i], &out);
        json_end_array(&out);
        json_end_object(&out);
        err = buf_err(&buf, why);
        if (!err)
            printf("%.*s\n", STR_FMT(buf_str(&buf)));
    }
    for (size_t i = 0; !err && !c->opts->json && i < n; i++) {
        print_hit(&hits[i], i + 1);
        printf("    %.*s\n\n", STR_FMT(hits[i].text));
    }
    arena_free(arena);
    return err;
}

static int run_both(const struct command *command, const struct center_opts *opts, int argc,
                    char **argv)
{
    struct why why = {0};
    struct center center;
    int32_t as_of = DAY_NONE;
    const char *day = command_option(&argc, argv, "--as-of");
    if (command_rest(argc, argv, 2, 2, &why))
        return command_usage(command);
    if (day && !day_parse(str_c(day), &as_of))
        return command_fail(command->name, err_set(&why, ERR_INVALID, "\"%s\" is no date", day),
                            &why);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail(command->name, err, &why);
    err = (command == &command_ask ? ask : search)(&center, argv[1], argv[2], as_of, &why);
    center_close(&center);
    return err ? command_fail(command->name, err, &why) : 0;
}

static int run_ask(const struct center_opts *opts, int argc, char **argv)
{
    return run_both(&command_ask, opts, argc, argv);
}

static int run_search(const struct center_opts *opts, int argc, char **argv)
{
    return run_both(&command_search, opts, argc, argv);
}

const struct command command_ask = {
    .name = "ask",
    .usage = "NAME QUESTION [--as-of DATE]",
    .summary = "Ask a knowledge base (\"-\": all): exact quotes with their sources, or a refusal",
    .run = run_ask,
};

const struct command command_search = {
    .name = "search",
    .usage = "NAME WORDS [--as-of DATE]",
    .summary = "The passages that fit best, with their scores (--json explains them)",
    .run = run_search,
};
