/* yicheng engine: one model, served alone. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "engine/engine.h"
#include "main/command.h"

#define LOOK_MS       500 /* how often it is looked whether the parent is there */
#define DRAIN_S       30
#define MOST_ADAPTERS RUN_MAX_ADAPTERS
#define MOST_SECRET   4096

struct line { /* what the command line says */
    struct engine_opts opts;
    struct edge_opts edge;
    struct run_adapter adapters[MOST_ADAPTERS];
    const char *token_file, *edge_token_file, *port_file;
    int64_t ready_fd, drain_s;
    bool with_parent;
    pid_t parent;
    struct arena *arena;
};

/* ---- the command line ---- */

static const struct {
    const char *name;
    size_t at;
} words[] = {
#define WORD(member) offsetof(struct line, member)
    {"--model", WORD(opts.run.model)},
    {"--alias", WORD(opts.alias)},
    {"--listen", WORD(opts.listen)},
    {"--template", WORD(opts.template_path)},
    {"--flash", WORD(opts.run.flash)},
    {"--token-file", WORD(token_file)},
    {"--port-file", WORD(port_file)},
    {"--register", WORD(edge.url)},
    {"--advertise", WORD(edge.advertise)},
    {"--name", WORD(edge.name)},
    {"--edge-token-file", WORD(edge_token_file)},
#undef WORD
};

/* 0 is the default, see run.h. */
static const struct {
    const char *name;
    size_t at;
    int64_t most;
} counts[] = {
#define COUNT(member) offsetof(struct line, opts.run.member)
    {"--context", COUNT(context), 1 << 24}, {"--slots", COUNT(slots), RUN_MAX_SLOTS},
    {"--threads", COUNT(threads), 1024},    {"--queue", COUNT(queue), 65536},
    {"--batch", COUNT(batch), 1 << 20},     {"--ubatch", COUNT(ubatch), 1 << 20},
#undef COUNT
};

static enum err number(const char *name, const char *text, int64_t least, int64_t most,
                       int64_t *out, struct why *why)
{
    if (text && (!str_to_i64(str_c(text), out) || *out < least || *out > most))
        return err_set(why, ERR_INVALID, "%s must be from %lld to %lld, not \"%s\"", name,
                       (long long)least, (long long)most, text);
    return ERR_OK;
}

static enum err take_counts(int *argc, char **argv, struct line *line, struct why *why)
{
    int64_t port = 0, remember = 0;
    const char *megabytes = command_option(argc, argv, "--remember");
    line->ready_fd = -1;
    line->drain_s = DRAIN_S;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int64_t value = 0;
        enum err err = number(counts[i].name, command_option(argc, argv, counts[i].name), 0,
                              counts[i].most, &value, why);
        if (err)
            return err;
        *(uint32_t *)(void *)((char *)line + counts[i].at) = (uint32_t)value;
    }
    enum err err = number("--port", command_option(argc, argv, "--port"), 0, 65535, &port, why);
    if (!err)
        err = number("--ready-fd", command_option(argc, argv, "--ready-fd"), 0, 65535,
                     &line->ready_fd, why);
    if (!err)
        err =
            number("--drain", command_option(argc, argv, "--drain"), 0, 3600, &line->drain_s, why);
    if (!err)
        err = number("--remember", megabytes, 0, 1 << 20, &remember, why);
    line->opts.port = (int)port;
    if (megabytes)
        line->opts.run.remember_bytes = remember ? remember << 20 : -1;
    return err;
}

/* "--lora NAME=FILE", any number of times. */
static enum err take_adapters(int *argc, char **argv, struct line *line, struct why *why)
{
    const char *text;
    while ((text = command_option(argc, argv, "--lora"))) {
        struct run_adapter *adapter = &line->adapters[line->opts.run.n_adapters];
        const char *equals = strchr(text, '=');
        if (!equals || equals == text || !equals[1])
            return err_set(why, ERR_INVALID, "--lora wants NAME=FILE, not \"%s\"", text);
        if (line->opts.run.n_adapters == MOST_ADAPTERS)
            return err_set(why, ERR_INVALID, "at most %d adapters are taken", MOST_ADAPTERS);
        adapter->name = str_copy(line->arena, (struct str){text, (size_t)(equals - text)}).ptr;
        adapter->path = equals + 1;
        if (!adapter->name)
            return err_set(why, ERR_NO_MEMORY, "could not hold the adapters");
        line->opts.run.n_adapters++;
    }
    line->opts.run.adapters = line->adapters;
    return ERR_OK;
}

static enum err take_kind(int *argc, char **argv, struct run_opts *run, struct why *why)
{
    static const char *const poolings[] = {"auto", "mean", "cls", "last"};
    const char *pooling = command_option(argc, argv, "--pooling");
    bool embed = command_flag(argc, argv, "--embedding"),
         rerank = command_flag(argc, argv, "--rerank");
    if (embed && rerank)
        return err_set(why, ERR_INVALID, "--embedding and --rerank exclude each other");
    run->kind = embed ? RUN_EMBED : rerank ? RUN_RERANK : RUN_AUTO;
    for (size_t i = 0; pooling && i < sizeof poolings / sizeof poolings[0]; i++)
        if (strcmp(pooling, poolings[i]) == 0) {
            run->pooling = (enum run_pooling)i;
            return ERR_OK;
        }
    return pooling ? err_set(why, ERR_INVALID, "--pooling is auto, mean, cls or last") : ERR_OK;
}

static enum err take_line(int argc, char **argv, struct line *line, struct why *why)
{
    const char *kv = command_option(&argc, argv, "--kv-type");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        *(const char **)(void *)((char *)line + words[i].at) =
            command_option(&argc, argv, words[i].name);
    line->opts.run.cache_k = line->opts.run.cache_v = kv;
    line->opts.run.split_kv = command_flag(&argc, argv, "--split-kv");
    line->opts.run.no_mmap = command_flag(&argc, argv, "--no-mmap");
    line->opts.run.mlock = command_flag(&argc, argv, "--mlock");
    line->with_parent = command_flag(&argc, argv, "--with-parent");
    enum err err = take_counts(&argc, argv, line, why);
    if (!err)
        err = take_adapters(&argc, argv, line, why);
    if (!err)
        err = take_kind(&argc, argv, &line->opts.run, why);
    if (!err)
        err = command_rest(argc, argv, 0, 0, why);
    if (!err && !line->opts.run.model)
        err = err_set(why, ERR_INVALID, "--model is missing");
    return err;
}

/* ---- secrets ---- */

/* The first line of a file; on the command line everybody would see it. */
static enum err read_secret(const char *path, struct arena *arena, const char **out,
                            struct why *why)
{
    struct str text, line;
    if (!path)
        return ERR_OK;
    enum err err = file_read(path, MOST_SECRET, arena, &text, why);
    if (err)
        return err;
    if (!str_next_line(&text, &line) || !str_trim(line).len)
        return err_set(why, ERR_INVALID, "the file \"%s\" holds no token", path);
    *out = str_copy(arena, str_trim(line)).ptr;
    return *out ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold a token");
}

static bool is_loopback(const char *address)
{
    return !address || strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0 ||
           strcmp(address, "localhost") == 0;
}

static enum err check_door(const struct line *line, struct why *why)
{
    if (is_loopback(line->opts.listen) || line->opts.token)
        return ERR_OK;
    enum err err =
        err_set(why, ERR_INVALID, "an engine on \"%s\" would answer anybody", line->opts.listen);
    err_hint(why, "give it a token: --token-file FILE");
    return err;
}

/* ---- telling that it is ready ---- */

/* One line of JSON for whoever started it. */
static void tell_ready(const struct line *line, const struct engine *engine, enum err err,
                       const struct why *why)
{
    struct json_out out;
    struct buf text;
    struct why ignored = {0};
    buf_init(&text, line->arena);
    json_out_init(&out, &text);
    json_begin_object(&out);
    if (engine) {
        engine_describe(engine, &out);
    } else {
        json_kv_c(&out, "error", why_text(why, err));
        json_kv_c(&out, "code", err_code(err));
    }
    json_end_object(&out);
    buf_char(&text, '\n');
    if (line->ready_fd >= 0) {
        (void)!file_write_fd((int)line->ready_fd, buf_str(&text), &ignored);
        (void)close((int)line->ready_fd);
    }
    if (engine && line->port_file &&
        file_write(line->port_file, buf_str(&text), 0640, &ignored) != ERR_OK)
        LOG_ERROR("the port file was not written", LOG_WHY(&ignored));
}

/* ---- the wait ---- */

static void wait_for_end(const struct line *line, const sigset_t *signals)
{
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    for (;;) {
        int got = sigtimedwait(signals, NULL, &look);
        if (got == SIGHUP)
            log_reopen();
        else if (got > 0)
            return;
        if (line->with_parent && getppid() != line->parent)
            return;
    }
}

static enum err serve(struct line *line, const sigset_t *signals, struct why *why)
{
    struct engine *engine = NULL;
    struct edge *edge = NULL;
    enum err err = engine_open(&line->opts, &engine, why);
    if (!err && line->edge.url) {
        line->edge.bearer = line->opts.token;
        err = edge_start(&line->edge, engine, &edge, why);
    }
    tell_ready(line, err ? NULL : engine, err, why);
    if (!err) {
        LOG_INFO("the engine is ready", LOG_S("model", line->opts.run.model),
                 LOG_I("port", engine_port(engine)));
        wait_for_end(line, signals);
        LOG_INFO("the engine ends", LOG_I("drain_s", line->drain_s));
    }
    edge_stop(edge);
    engine_close(engine, line->drain_s * 1000);
    return err;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    sigset_t signals;
    struct line line = {.parent = getppid(), .arena = arena_new((size_t)1 << 20)};
    (void)opts;
    enum err err = line.arena ? take_line(argc, argv, &line, &why)
                              : err_set(&why, ERR_NO_MEMORY, "could not start");
    if (err) {
        arena_free(line.arena);
        (void)command_fail("engine", err, &why);
        return command_usage(&command_engine);
    }
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    err = read_secret(line.token_file, line.arena, &line.opts.token, &why);
    if (!err)
        err = read_secret(line.edge_token_file, line.arena, &line.edge.token, &why);
    if (!err)
        err = check_door(&line, &why);
    if (err)
        tell_ready(&line, NULL, err, &why);
    else
        err = serve(&line, &signals, &why);
    arena_free(line.arena);
    return err ? command_fail("engine", err, &why) : 0;
}

const struct command command_engine = {
    .name = "engine",
    .usage =
        "--model FILE [--alias NAME] [--listen ADDRESS] [--port N] [--token-file FILE]\n"
        "--model FILE ... [--context N] [--slots N] [--threads N] [--queue N] [--kv-type TYPE]\n"
        "--model FILE ... [--lora NAME=FILE]... [--embedding | --rerank] [--pooling KIND]\n"
        "--model FILE ... [--template FILE] [--flash on|off] [--split-kv] [--batch N] [--ubatch "
        "N]\n"
        "--model FILE ... [--remember MIB]\n"
        "--model FILE ... [--no-mmap] [--mlock] [--drain SECONDS] [--with-parent] [--ready-fd N]\n"
        "--model FILE ... [--port-file FILE]\n"
        "--model FILE ... --register URL --edge-token-file FILE --advertise URL --name NAME",
    .summary = "Serve one model (GGUF) alone, with the OpenAI API on a port of its own",
    .run = run,
};
