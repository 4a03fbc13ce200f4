/* yicheng model: the registry from the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "main/command.h"

struct call {
    struct center *c;
    struct buf buf;
    struct json_out out;
    struct models_ask ask;
};

static void begin(struct call *call, struct center *c)
{
    call->c = c;
    buf_init(&call->buf, c->arena);
    json_out_init(&call->out, &call->buf);
    call->ask = (struct models_ask){
        .who = &c->system, .arena = c->arena, .if_match = -1, .out = &call->out};
}

/* ---- what is printed ---- */

static void print_value(const struct json *value, struct arena *arena)
{
    struct str text = json_str(value, STR(""));
    if (json_kind(value) != JSON_KIND_STRING && json_dump(value, arena, &text, NULL) != ERR_OK)
        text = STR("?");
    printf("%.*s\n", STR_FMT(text));
}

static void print_object(const struct json *object, struct arena *arena)
{
    struct str key;
    const struct json *value;
    for (void *iter = NULL; json_each(object, &iter, &key, &value);) {
        printf("%-16.*s ", STR_FMT(key));
        print_value(value, arena);
    }
}

/* The members that tell most, one line an item. */
static void print_items(const struct json *items)
{
    static const char *const columns[] = {"name",     "model",    "version", "kind",
                                          "modality", "provider", "state",   "base_url",
                                          "title",    "number",   "action",  "at"};
    for (size_t i = 0; i < json_len(items); i++) {
        const struct json *item = json_at(items, i);
        for (size_t k = 0; k < sizeof columns / sizeof columns[0]; k++) {
            const struct json *value = json_get(item, columns[k]);
            if (json_kind(value) == JSON_KIND_STRING)
                printf("%-18.*s ", STR_FMT(json_str(value, STR(""))));
            else if (json_kind(value) == JSON_KIND_INT)
                printf("%-6lld ", (long long)json_int(value, 0));
        }
        const struct json *versions = json_get(item, "versions");
        for (size_t k = 0; k < json_len(versions); k++)
            printf("%s%.*s", k ? "," : "",
                   STR_FMT(json_get_str(json_at(versions, k), "label", STR(""))));
        printf("\n");
    }
}

static enum err print(struct call *call, struct why *why)
{
    const struct json *json = NULL;
    enum err err = buf_err(&call->buf, why);
    if (err || call->buf.len == 0)
        return err;
    if (call->c->opts->json) {
        printf("%.*s\n", STR_FMT(buf_str(&call->buf)));
        return ERR_OK;
    }
    err = json_parse(buf_str(&call->buf), call->c->arena, &json, why);
    if (!err && json_get(json, "items"))
        print_items(json_get(json, "items"));
    else if (!err)
        print_object(json, call->c->arena);
    return err;
}

/* ---- bodies out of options ---- */

/* "--max-busy 4" is {"max_busy": 4} when the option stands in the table. */
struct option {
    const char *name;
    enum { TEXT, NUMBER, FLAG } kind;
};

static void key_of(const char *option, char out[32])
{
    (void)snprintf(out, 32, "%s", option + 2);
    for (char *p = out; *p; p++)
        if (*p == '-')
            *p = '_';
}

static enum err put_options(struct json_out *out, int *argc, char **argv,
                            const struct option *options, size_t n, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        char key[32];
        int64_t number;
        key_of(options[i].name, key);
        if (options[i].kind == FLAG) {
            if (command_flag(argc, argv, options[i].name))
                json_kv_bool(out, key, true);
            continue;
        }
        const char *value = command_option(argc, argv, options[i].name);
        if (!value)
            continue;
        if (options[i].kind == TEXT)
            json_kv_c(out, key, value);
        else if (str_to_i64(str_c(value), &number))
            json_kv_int(out, key, number);
        else
            return err_set(why, ERR_INVALID, "%s takes a whole number, not \"%s\"", options[i].name,
                           value);
    }
    return ERR_OK;
}

static enum err parse(struct center *c, struct buf *buf, const struct json **out, struct why *why)
{
    enum err err = buf_err(buf, why);
    return err ? err : json_parse(buf_str(buf), c->arena, out, why);
}

#define N(array) (array), sizeof(array) / sizeof((array)[0])

/* ---- the forms ---- */

static bool tell(void *ctx, int64_t done, int64_t total)
{
    int *last = ctx, now = total > 0 ? (int)(done * 10 / total) : 10;
    if (now != *last && isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\r%d %%", now * 10);
    *last = now;
    return true;
}

static enum err import(struct center *c, int argc, char **argv, struct why *why)
{
    static const struct option own[] = {
        {"--model", TEXT}, {"--version", TEXT}, {"--store", TEXT}, {"--notes", TEXT}};
    static const struct option card[] = {
        {"--title", TEXT},   {"--kind", TEXT},   {"--modality", TEXT}, {"--industry", TEXT},
        {"--licence", TEXT}, {"--source", TEXT}, {"--filing", TEXT},   {"--description", TEXT}};
    struct call call;
    struct buf buf;
    struct json_out out;
    const struct json *body = NULL;
    int last = 0;
    struct models_progress progress = {&last, tell};
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    enum err err = put_options(&out, &argc, argv, N(own), why);
    json_key(&out, "card");
    json_begin_object(&out);
    if (!err)
        err = put_options(&out, &argc, argv, N(card), why);
    json_end_object(&out);
    if (!err)
        err = command_rest(argc, argv, 1, 1, why);
    if (err)
        return err;
    json_kv_c(&out, "path", argv[1]);
    json_end_object(&out);
    begin(&call, c);
    err = parse(c, &buf, &body, why);
    if (!err)
        err = models_import(c->models, &call.ask, body, &progress, why);
    return err ? err : print(&call, why);
}

static enum err list(struct center *c, int noun, int argc, char **argv, struct why *why)
{
    struct call call;
    const struct json *filter = NULL;
    bool retired = command_flag(&argc, argv, "--retired");
    enum err err = command_rest(argc, argv, 0, 0, why);
    begin(&call, c);
    if (!err && retired)
        err = json_parse(STR("{\"retired\":true}"), c->arena, &filter, why);
    if (!err)
        err = models_items(c->models, &call.ask, (enum models_noun)noun, filter, why);
    return err ? err : print(&call, why);
}

static enum err verify(struct center *c, int argc, char **argv, struct why *why)
{
    struct call call;
    int last = 0;
    struct models_progress progress = {&last, tell};
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    if (!err)
        err = models_verify(c->models, &call.ask, str_c(argv[1]), &progress, why);
    return err ? err : print(&call, why);
}

static enum err retire(struct center *c, int argc, char **argv, struct why *why)
{
    struct call call;
    const char *reason = command_option(&argc, argv, "--reason");
    bool force = command_flag(&argc, argv, "--force");
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    if (!err)
        err = models_retire(c->models, &call.ask, str_c(argv[1]), force, str_c(reason), why);
    return err ? err : print(&call, why);
}

static enum err show(struct center *c, int noun, int argc, char **argv, struct why *why)
{
    struct call call;
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    if (!err)
        err = models_show(c->models, &call.ask, (enum models_noun)noun, str_c(argv[1]), why);
    return err ? err : print(&call, why);
}

static enum err take_away(struct center *c, int noun, int argc, char **argv, struct why *why)
{
    struct call call;
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    return err ? err
               : models_remove(c->models, &call.ask, (enum models_noun)noun, str_c(argv[1]), why);
}

/* Makes it, or changes it when it is there. */
static enum err put(struct center *c, enum models_noun noun, const char *name, struct buf *rest,
                    struct why *why)
{
    struct call call;
    struct buf full;
    const struct json *body = NULL;
    begin(&call, c);
    call.ask.out = NULL;
    enum err err = models_show(c->models, &call.ask, (enum models_noun)noun, str_c(name), NULL);
    call.ask.out = &call.out;
    if (!err) {
        err = parse(c, rest, &body, why);
        if (!err)
            err = models_change(c->models, &call.ask, noun, str_c(name), body, why);
    } else if (err == ERR_NOT_FOUND) {
        buf_init(&full, c->arena);
        buf_add_c(&full, "{\"name\":");
        json_quote(&full, str_c(name));
        if (rest->len > 2)
            buf_char(&full, ',');
        buf_add(&full, str_from(buf_str(rest), 1));
        err = parse(c, &full, &body, why);
        if (!err)
            err = models_make(c->models, &call.ask, noun, body, why);
    } else {
        err = err_set(why, err, "could not look for \"%s\"", name);
    }
    return err ? err : print(&call, why);
}

/* alias NAME TARGET[=WEIGHT] ... */
static enum err alias(struct center *c, int argc, char **argv, struct why *why)
{
    static const struct option own[] = {
        {"--title", TEXT}, {"--price-key", TEXT}, {"--tokenizer", TEXT}, {"--context", NUMBER}};
    struct buf buf;
    struct json_out out;
    const char *fallback = command_option(&argc, argv, "--fallback");
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    enum err err = put_options(&out, &argc, argv, N(own), why);
    if (!err)
        err = command_rest(argc, argv, 2, 64, why);
    if (err)
        return err;
    json_key(&out, "targets");
    json_begin_array(&out);
    for (int i = 2; i < argc; i++) {
        struct str rest = str_c(argv[i]), model, weight = STR("100");
        int64_t w = 0;
        (void)str_next(&rest, '=', &model);
        if (model.len < strlen(argv[i]))
            weight = rest;
        if (!str_to_i64(weight, &w))
            return err_set(why, ERR_INVALID, "\"%s\" is no target: MODEL[:VERSION][=WEIGHT]",
                           argv[i]);
        json_begin_object(&out);
        json_kv_str(&out, "model", model);
        json_kv_int(&out, "weight", w);
        json_end_object(&out);
    }
    json_end_array(&out);
    if (fallback) {
        struct str rest = str_c(fallback), part;
        json_key(&out, "fallbacks");
        json_begin_array(&out);
        while (str_next(&rest, ',', &part))
            json_put_str(&out, part);
        json_end_array(&out);
    }
    json_end_object(&out);
    return put(c, MODELS_ALIAS, argv[1], &buf, why);
}

static enum err rollback(struct center *c, int argc, char **argv, struct why *why)
{
    struct call call;
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    if (!err)
        err = models_alias_rollback(c->models, &call.ask, str_c(argv[1]), why);
    return err ? err : print(&call, why);
}

static enum err history(struct center *c, int argc, char **argv, struct why *why)
{
    struct call call;
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    if (!err)
        err = models_alias_history(c->models, &call.ask, str_c(argv[1]), why);
    return err ? err : print(&call, why);
}

/* The key comes from a file (or "-"), never from the command line, where others could read it. */
static enum err endpoint(struct center *c, int argc, char **argv, struct why *why)
{
    static const struct option own[] = {
        {"--model", TEXT},      {"--base-url", TEXT},   {"--provider", TEXT},
        {"--weight", NUMBER},   {"--max-busy", NUMBER}, {"--upstream-model", TEXT},
        {"--first-ms", NUMBER}, {"--total-ms", NUMBER}, {"--disabled", FLAG}};
    struct buf buf;
    struct json_out out;
    struct str key = STR("");
    const char *file = command_option(&argc, argv, "--key-file");
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    enum err err = put_options(&out, &argc, argv, N(own), why);
    if (!err)
        err = command_rest(argc, argv, 1, 1, why);
    if (!err && file)
        err = file_read(strcmp(file, "-") == 0 ? "/dev/stdin" : file, 4096, c->arena, &key, why);
    if (err)
        return err;
    if (file)
        json_kv_str(&out, "api_key", str_trim(key));
    json_end_object(&out);
    return put(c, MODELS_ENDPOINT, argv[1], &buf, why);
}

static enum err test(struct center *c, int argc, char **argv, struct why *why)
{
    struct call call;
    const struct json *body = NULL;
    bool deep = command_flag(&argc, argv, "--call");
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    if (!err)
        err = json_parse(deep ? STR("{\"call\":true}") : STR("{}"), c->arena, &body, why);
    if (!err)
        err = models_endpoint_test(c->models, &call.ask, str_c(argv[1]), body, why);
    return err ? err : print(&call, why);
}

static enum err deploy(struct center *c, int argc, char **argv, struct why *why)
{
    static const struct option own[] = {
        {"--version", TEXT},   {"--replicas", NUMBER},    {"--threads", NUMBER},
        {"--context", NUMBER}, {"--slots", NUMBER},       {"--kv-type", TEXT},
        {"--queue", NUMBER},   {"--on-demand", FLAG},     {"--idle-ms", NUMBER},
        {"--weight", NUMBER},  {"--memory-bytes", NUMBER}};
    struct buf buf;
    struct json_out out;
    struct call call;
    bool stopped = command_flag(&argc, argv, "--stopped");
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    enum err err = put_options(&out, &argc, argv, N(own), why);
    json_end_object(&out);
    if (!err)
        err = command_rest(argc, argv, 1, 1, why);
    if (!err)
        err = put(c, MODELS_DEPLOYMENT, argv[1], &buf, why);
    begin(&call, c);
    call.ask.out = NULL;
    return err || stopped
               ? err
               : models_deployment_do(c->models, &call.ask, str_c(argv[1]), MODELS_START, why);
}

static enum err change_state(struct center *c, int what, int argc, char **argv, struct why *why)
{
    struct call call;
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    if (!err)
        err =
            models_deployment_do(c->models, &call.ask, str_c(argv[1]), (enum models_verb)what, why);
    return err ? err : print(&call, why);
}

static enum err show_log(struct center *c, int argc, char **argv, struct why *why)
{
    struct call call;
    struct str text = STR("");
    enum err err = command_rest(argc, argv, 1, 1, why);
    begin(&call, c);
    if (!err)
        err = models_deployment_log(c->models, &call.ask, str_c(argv[1]), 256u << 10, &text, why);
    if (!err)
        (void)fwrite(text.ptr ? text.ptr : "", 1, text.len, stdout);
    return err;
}

static enum err edge(struct center *c, int argc, char **argv, struct why *why)
{
    static const struct option own[] = {{"--model", TEXT}, {"--weight", NUMBER}};
    struct buf buf;
    struct json_out out;
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    enum err err = put_options(&out, &argc, argv, N(own), why);
    json_end_object(&out);
    if (!err)
        err = command_rest(argc, argv, 1, 1, why);
    return err ? err : put(c, MODELS_EDGE, argv[1], &buf, why);
}

/* ---- which ---- */

/* `what` is the noun or the verb that a function serving several is asked for. */
static const struct verb {
    const char *name;
    enum err (*run)(struct center *c, int argc, char **argv, struct why *why);
    enum err (*run_for)(struct center *c, int what, int argc, char **argv, struct why *why);
    int what;
} verbs[] = {
    {"list", NULL, list, MODELS_MODEL},
    {"show", NULL, show, MODELS_MODEL},
    {"import", import, NULL, 0},
    {"verify", verify, NULL, 0},
    {"retire", retire, NULL, 0},
    {"aliases", NULL, list, MODELS_ALIAS},
    {"alias", alias, NULL, 0},
    {"rollback", rollback, NULL, 0},
    {"history", history, NULL, 0},
    {"unalias", NULL, take_away, MODELS_ALIAS},
    {"endpoints", NULL, list, MODELS_ENDPOINT},
    {"endpoint", endpoint, NULL, 0},
    {"test", test, NULL, 0},
    {"unendpoint", NULL, take_away, MODELS_ENDPOINT},
    {"deployments", NULL, list, MODELS_DEPLOYMENT},
    {"deploy", deploy, NULL, 0},
    {"deployment", NULL, show, MODELS_DEPLOYMENT},
    {"start", NULL, change_state, MODELS_START},
    {"stop", NULL, change_state, MODELS_STOP},
    {"drain", NULL, change_state, MODELS_DRAIN},
    {"restart", NULL, change_state, MODELS_RESTART},
    {"log", show_log, NULL, 0},
    {"undeploy", NULL, take_away, MODELS_DEPLOYMENT},
    {"edges", NULL, list, MODELS_EDGE},
    {"edge", edge, NULL, 0},
    {"unedge", NULL, take_away, MODELS_EDGE},
};

static const struct verb *verb_of(const char *word)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(word, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    const struct verb *verb = argc < 2 ? NULL : verb_of(argv[1]);
    if (!verb)
        return command_usage(&command_model);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("model", err, &why);
    err = verb->run ? verb->run(&center, argc - 1, argv + 1, &why)
                    : verb->run_for(&center, verb->what, argc - 1, argv + 1, &why);
    center_close(&center);
    return err ? command_fail("model", err, &why) : 0;
}

const struct command command_model = {
    .name = "model",
    .usage = "list [--retired]\n"
             "show MODEL[:VERSION]\n"
             "import FILE --model MODEL [--version LABEL] [--store object|file] [--title ...]\n"
             "verify MODEL:VERSION\n"
             "retire MODEL[:VERSION] [--force --reason WORDS]\n"
             "aliases | alias NAME MODEL[:VERSION][=WEIGHT]... [--fallback A,B] | rollback NAME"
             " | history NAME | unalias NAME\n"
             "endpoints | endpoint NAME --model MODEL --base-url URL [--key-file FILE] | test NAME"
             " [--call] | unendpoint NAME\n"
             "deployments | deploy NAME --version MODEL:VERSION [--threads N] [--on-demand]"
             " [--stopped] | deployment NAME | undeploy NAME\n"
             "start NAME | stop NAME | drain NAME | restart NAME | log NAME\n"
             "edges | edge NAME --model MODEL | unedge NAME",
    .summary = "Models, their versions and aliases, endpoints, deployments and edges",
    .run = run,
};
