/* Annotates without pause until it is killed: annotate_child URL DIR PROJECT USER LOG. Each item
 * that was acknowledged is a line of the log, written before the next is asked for.
 * annotate_child URL DIR job ID: runs that job. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "annotate/annotate.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"

static struct annotate *annotate;
static struct ops_identity who;

static enum err one_round(struct str project, int log, struct arena *arena, struct why *why)
{
    struct buf buf;
    struct json_out out;
    const struct json *json = NULL, *body = NULL;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    struct annotate_ask ask = {.who = &who, .arena = arena, .out = &out, .if_match = -1};
    enum err err = annotate_work(annotate, &ask, project, 2, why);
    if (!err)
        err = json_parse(buf_str(&buf), arena, &json, why);
    struct str id = json_get_str(json_at(json_get(json, "items"), 0), "id", STR(""));
    if (!err && !id.len)
        return ERR_NOT_FOUND;
    ask.out = NULL;
    if (!err)
        err = json_parse(STR("{\"answer\":{\"kind\":[\"投诉\"],\"ner\":[]},\"spent_ms\":1000}"),
                         arena, &body, why);
    if (!err)
        err = annotate_submit(annotate, &ask, id, body, why);
    if (!err)
        err = file_write_fd(log, str_printf(arena, "%.*s\n", STR_FMT(id)), why);
    return err;
}

int main(int argc, char **argv)
{
    static const struct conf_key log_keys[] = {
        {"log.level", CONF_STR, "info", 0, 0, NULL, "Not used here"}};
    const struct conf_table tables[] = {{log_keys, 1}, ops_conf, compute_conf, data_conf};
    struct arena *arena = arena_new((size_t)64 << 20), *round = arena_new((size_t)64 << 20);
    const struct conf *conf = NULL;
    struct store *store = NULL;
    struct objects *objects = NULL;
    struct ops *ops = NULL;
    struct compute *compute = NULL;
    struct data *data = NULL;
    struct why why = {0};
    bool job = argc == 5 && strcmp(argv[3], "job") == 0;
    if ((argc != 6 && !job) || !arena || !round)
        return 2;
    struct store_opts opts = {.url = argv[1], .busy_timeout_ms = 20000, .n_connections = 4};
    enum err err = conf_load(tables, 4, NULL, NULL, 0, arena, &conf, &why);
    if (!err)
        err = store_open(&opts, &store, &why);
    if (!err)
        err = objects_open(file_join(arena, argv[2], "objects"), &objects, &why);
    if (!err)
        err = ops_open(store, conf, &ops, &why);
    struct compute_opts copts = {.store = store,
                                 .ops = ops,
                                 .conf = conf,
                                 .data_dir = argv[2],
                                 .program = "/bin/false",
                                 .program_args = (const char *const[]){NULL}};
    if (!err)
        err = compute_open(&copts, &compute, &why);
    struct data_opts dopts = {store, objects, compute, ops, conf, argv[2]};
    if (!err)
        err = data_open(&dopts, &data, &why);
    struct annotate_opts aopts = {.store = store,
                                  .objects = objects,
                                  .ops = ops,
                                  .compute = compute,
                                  .data = data,
                                  .data_dir = argv[2]};
    if (!err)
        err = annotate_open(&aopts, &annotate, &why);
    if (job && !err) {
        compute_bind(compute, &annotate_prepare_job, annotate);
        compute_bind(compute, &annotate_result_job, annotate);
        err = job_run(compute, argv[4], &why);
        if (err)
            fprintf(stderr, "%s\n", why_text(&why, err));
        _exit(err ? 1 : 0);
    }
    who = ops_system();
    who.kind = STR("user");
    who.id = who.user = str_c(argv[4]);
    int log = open(argv[5], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    while (!err && log >= 0) {
        arena_reset(round);
        err = one_round(str_c(argv[3]), log, round, &why);
        if (err == ERR_BUSY) {
            err = ERR_OK;
            why = (struct why){0};
        }
    }
    if (err != ERR_NOT_FOUND)
        fprintf(stderr, "%s\n", why_text(&why, err));
    /* Nothing is left to do; mostly it is killed before, so it has no orderly end. */
    _exit(err == ERR_NOT_FOUND ? 0 : 1);
}
