/* The room itself: open, start, the door, and one way to every noun. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/log.h"
#include "models/models_in.h"

#define ROOM_MEMORY (256u << 10)

static const struct conf_key keys[] = {
    {"models.folder", CONF_STR, "", 0, 0, NULL,
     "Folder of model files that the API may import from; empty: models in the data directory"},
    {"models.threads", CONF_INT, "0", 0, 4096, NULL,
     "Threads of all engines together; 0: as many as there are cores"},
    {"models.memory", CONF_BYTES, "0", 0, 0, NULL,
     "Memory of all engines together; 0: what the machine has free"},
    {"models.start_timeout", CONF_DURATION, "120s", 100, 3600000, NULL,
     "How long an engine may take to load its model"},
    {"models.health_every", CONF_DURATION, "2s", 50, 600000, NULL,
     "How often a running engine is asked how it is"},
    {"models.drain", CONF_DURATION, "30s", 0, 3600000, NULL,
     "How long an engine that is stopped may finish what it answers"},
    {"models.edge_heartbeat", CONF_DURATION, "10s", 200, 600000, NULL,
     "How often an engine elsewhere says that it is there; lost after three times that"},
    {"models.vocabularies", CONF_INT, "4", 1, 64, NULL,
     "Vocabularies kept in memory for counting tokens"},
};
const struct conf_table models_conf = {keys, sizeof keys / sizeof keys[0]};

const char *models_modality_name(enum models_modality modality)
{
    static const char *const names[] = {
#define MODELS_MODALITY(id, name) name,
        MODELS_MODALITY_MAP(MODELS_MODALITY)
#undef MODELS_MODALITY
    };
    return names[modality];
}

static enum err set_paths(struct models *m, struct why *why)
{
    char host[256] = "", real[PATH_MAX];
    const char *folder = conf_str(m->conf, "models.folder");
    (void)gethostname(host, sizeof host - 1);
    enum err err = file_make_dirs(m->data_dir, why);
    if (err)
        return err;
    if (!realpath(m->data_dir, real))
        return err_errno(why, "could not find the data directory \"%s\"", m->data_dir);
    if (strlen(real) + 300 > sizeof m->folder)
        return err_set(why, ERR_INVALID, "the path of the data directory is too long");
    (void)snprintf(m->place, sizeof m->place, "%s:%s", host, real);
    (void)snprintf(m->data_dir, sizeof m->data_dir, "%.*s", (int)(sizeof m->data_dir - 1), real);
    if (folder[0])
        (void)snprintf(m->folder, sizeof m->folder, "%s", folder);
    else
        (void)snprintf(m->folder, sizeof m->folder, "%s/models", real);
    char key[MODELS_PATH];
    (void)snprintf(key, sizeof key, "%s/models.key", m->data_dir);
    return secret_key_file(key, &m->key, why);
}

enum err models_open(const struct models_opts *opts, struct models **out, struct why *why)
{
    struct models *m = calloc(1, sizeof *m);
    if (m)
        m->arena = arena_new(ROOM_MEMORY);
    if (!m || !m->arena) {
        free(m);
        return err_set(why, ERR_NO_MEMORY, "could not hold the registry");
    }
    m->store = opts->store;
    m->objects = opts->objects;
    m->ops = opts->ops;
    m->compute = opts->compute;
    m->conf = opts->conf;
    m->program = opts->program;
    (void)pthread_mutex_init(&m->lock, NULL);
    (void)pthread_cond_init(&m->built, NULL);
    (void)pthread_mutex_init(&m->watch_lock, NULL);
    (void)pthread_cond_init(&m->watch_wake, NULL);
    enum err err = ERR_OK;
    if (strlen(opts->data_dir) + 400 > sizeof m->data_dir)
        err = err_set(why, ERR_INVALID, "the path of the data directory is too long");
    else
        (void)snprintf(m->data_dir, sizeof m->data_dir, "%s", opts->data_dir);
    if (!err)
        err = set_paths(m, why);
    m->vocabularies = vocabularies_new((size_t)conf_int(m->conf, "models.vocabularies"));
    if (!err && !m->vocabularies)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the vocabularies");
    if (err) {
        models_close(m);
        return err;
    }
    *out = m;
    return ERR_OK;
}

void models_close(struct models *m)
{
    if (!m)
        return;
    models_stop(m, 0);
    snapshot_drop_all(m);
    vocabularies_free(m->vocabularies);
    (void)pthread_cond_destroy(&m->watch_wake);
    (void)pthread_mutex_destroy(&m->watch_lock);
    (void)pthread_cond_destroy(&m->built);
    (void)pthread_mutex_destroy(&m->lock);
    secret_wipe(&m->key, sizeof m->key);
    arena_free(m->arena);
    free(m);
}

enum err models_start(struct models *m, struct why *why)
{
    enum err err = supervisor_start(m, why);
    if (!err)
        err = models_watch_start(m, why);
    if (err)
        supervisor_stop(m, 0);
    return err;
}

void models_stop(struct models *m, int64_t wait_ms)
{
    models_watch_stop(m); /* first: it would take the supervision over again */
    supervisor_stop(m, wait_ms);
}

/* ---- the door ---- */

void models_set_door(struct models *m, const struct models_door *door)
{
    m->door = door ? *door : (struct models_door){0};
}

enum err models_call(struct models *m, const struct ops_identity *who, const char *path,
                     struct str body, struct arena *arena, struct str *reply, struct why *why)
{
    if (!m->door.call)
        return err_set(why, ERR_UNSUPPORTED, "this process has no way to call models");
    return m->door.call(m->door.ctx, who, path, body, arena, reply, why);
}

/* ---- the nouns ---- */

static const struct noun *const nouns[MODELS_N_NOUNS] = {
    [MODELS_MODEL] = &noun_model,       [MODELS_ALIAS] = &noun_alias,
    [MODELS_ENDPOINT] = &noun_endpoint, [MODELS_DEPLOYMENT] = &noun_deployment,
    [MODELS_EDGE] = &noun_edge,
};

enum err models_items(struct models *m, const struct models_ask *ask, enum models_noun noun,
                      const struct json *filter, struct why *why)
{
    const struct noun *n = nouns[noun];
    return n->row ? models_row_items(m, n->row, ask, why) : n->items(m, ask, filter, why);
}

enum err models_show(struct models *m, const struct models_ask *ask, enum models_noun noun,
                     struct str name, struct why *why)
{
    const struct noun *n = nouns[noun];
    return n->row ? models_row_show(m, n->row, ask, name, why) : n->show(m, ask, name, why);
}

enum err models_make(struct models *m, const struct models_ask *ask, enum models_noun noun,
                     const struct json *body, struct why *why)
{
    return nouns[noun]->make(m, ask, body, why);
}

enum err models_change(struct models *m, const struct models_ask *ask, enum models_noun noun,
                       struct str name, const struct json *body, struct why *why)
{
    return nouns[noun]->change(m, ask, name, body, why);
}

enum err models_remove(struct models *m, const struct models_ask *ask, enum models_noun noun,
                       struct str name, struct why *why)
{
    return nouns[noun]->remove(m, ask, name, why);
}
