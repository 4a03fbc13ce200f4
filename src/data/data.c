/* data - opening and closing, and what all files use. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/file.h"
#include "data/room.h"

static const struct conf_key keys[] = {
    {"data.models", CONF_STR, "", 0, 0, NULL,
     "Folder of models and word lists for operators (lid.176.ftz ...); empty: models in the data "
     "directory"},
    {"data.import_root", CONF_STR, "", 0, 0, NULL,
     "Folder on the server that people may import from; empty: only uploads and the command line"},
    {"data.threads", CONF_INT, "0", 0, 256, NULL, "Threads of an import or a run; 0: all cores"},
};
const struct conf_table data_conf = {keys, sizeof keys / sizeof keys[0]};

enum err data_open(const struct data_opts *opts, struct data **out, struct why *why)
{
    struct data *data = calloc(1, sizeof *data);
    if (!data)
        return err_set(why, ERR_NO_MEMORY, "could not open the data sets");
    data->opts = *opts;
    data->models = conf_str(opts->conf, "data.models");
    if (!data->models[0]) {
        if (asprintf(&data->made_models, "%s/models", opts->data_dir) < 0) {
            free(data);
            return err_set(why, ERR_NO_MEMORY, "could not open the data sets");
        }
        data->models = data->made_models;
    }
    *out = data;
    return ERR_OK;
}

void data_close(struct data *data)
{
    if (!data)
        return;
    free(data->made_models);
    free(data);
}

void data_set_answers(struct data *data, const struct data_answers *answers)
{
    data->answers = answers ? *answers : (struct data_answers){0};
}

void data_listen(struct data *data, data_withdrawn_fn *withdrawn, void *ctx)
{
    assert(data->n_listeners < sizeof data->listeners / sizeof data->listeners[0]);
    data->listeners[data->n_listeners].withdrawn = withdrawn;
    data->listeners[data->n_listeners++].ctx = ctx;
}
