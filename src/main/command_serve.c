/* yicheng serve: the centre itself. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "core/file.h"
#include "core/log.h"
#include "main/command.h"
#include "main/root_http.h"
#include "main/sample.h"

#define DRAIN_MS 10000

static enum err first_words(struct center *c, struct why *why)
{
    struct str text;
    enum err err = ops_bootstrap(c->ops, c->arena, &text, why);
    if (!err && text.len)
        (void)fprintf(stderr, "\n%.*s\n", STR_FMT(text));
    return err;
}

static void say_where(const struct center *c, const struct http_server *server)
{
    const char *listen = conf_str(c->conf, "http.listen");
    const char *scheme = conf_str(c->conf, "http.tls_certificate")[0] ? "https" : "http";
    (void)fprintf(stderr,
                  "\n  一城 Yicheng is ready.\n\n  residents  %s://%s:%d/\n  console    "
                  "%s://%s:%d/console/\n\n",
                  scheme, listen, http_port(server), scheme, listen, http_port(server));
    LOG_INFO("serving", LOG_S("listen", listen), LOG_I("port", http_port(server)),
             LOG_S("version", YICHENG_VERSION), LOG_S("store", store_engine(c->store)));
}

/* Waits for a signal to end; SIGHUP reopens the log and reads the certificate anew. */
static void wait_for_end(const sigset_t *signals, struct http_server *server)
{
    for (;;) {
        int got = 0;
        if (sigwait(signals, &got) != 0)
            continue;
        if (got != SIGHUP)
            return;
        struct why why = {0};
        log_reopen();
        if (http_reload(server, &why) != ERR_OK)
            LOG_ERROR("the certificate stays as it was", LOG_WHY(&why));
    }
}

static enum err serve(struct center *c, const sigset_t *signals, struct why *why)
{
    struct http_table tables[CENTER_MOST_TABLES];
    struct http_server *server = NULL;
    size_t n = center_routes(c, tables);
    tables[n] = *root_routes(c);
    n++;
    struct http_opts opts = {.conf = c->conf,
                             .tables = tables,
                             .n_tables = n,
                             .authorize = ops_authorize,
                             .authorize_ctx = c->ops,
                             .authorize_here = ops_authorize_here,
                             .asset = root_asset,
                             .loops = c->loops,
                             .temp_dir = file_join(c->arena, c->opts->data, "tmp")};
    struct why meter_why = {0};
    /* Without it no call of a model is taken, and the first tries again; the rest works. */
    if (meter_start(c->meter, &meter_why))
        LOG_ERROR("calls cannot be metered", LOG_WHY(&meter_why));
    enum err err = compute_start(c->compute, why);
    if (!err)
        err = models_start(c->models, why);
    if (!err)
        err = acquire_start(c->acquire, why);
    if (!err)
        err = http_start(&opts, &server, why);
    if (err) {
        acquire_stop(c->acquire);
        models_stop(c->models, 0);
        compute_stop(c->compute, false);
        return err;
    }
    say_where(c, server);
    wait_for_end(signals, server);
    LOG_INFO("stopping", LOG_I("drain_ms", DRAIN_MS));
    acquire_stop(c->acquire);
    http_stop(server, DRAIN_MS);
    models_stop(c->models, DRAIN_MS);
    compute_stop(c->compute, false);
    return ERR_OK;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    sigset_t signals;
    const char *sample = command_option(&argc, argv, "--sample");
    if (command_rest(argc, argv, 0, 0, &why))
        return command_usage(&command_serve);
    /* Before any thread is made, so that all inherit the mask and only sigwait() sees them. */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("serve", err, &why);
    err = first_words(&center, &why);
    if (!err && sample)
        err = sample_load(&center, sample, &why);
    if (!err)
        err = serve(&center, &signals, &why);
    center_close(&center);
    return err ? command_fail("serve", err, &why) : 0;
}

const struct command command_serve = {
    .name = "serve",
    .usage = "[--sample FOLDER]",
    .summary = "Run the centre: API, console, public pages, jobs; --sample loads a sample city at "
               "the first start",
    .run = run,
};
