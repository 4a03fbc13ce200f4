#include "data/count.h"

#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"

static void close_counter(void *counter)
{
    models_counter_close(counter);
}

/* A file in the folder, else what the registry knows by that name. */
static enum err find(const struct data_prepare *p, struct str vocabulary, const char **path,
                     struct why *why)
{
    bool file = str_find_char(vocabulary, '/') == STR_NPOS && !str_starts(vocabulary, STR("."));
    char *name = str_z(p->arena, vocabulary), *own = NULL;
    if (!file)
        return err_set(why, ERR_INVALID,
                       "\"vocabulary\" is the name of a file in the folder of data.models, or of a "
                       "model");
    if (name)
        own = file_join(p->arena, p->models, name);
    if (!own)
        return err_set(why, ERR_NO_MEMORY, "could not open a vocabulary");
    *path = own;
    if (access(own, F_OK) == 0 || !p->vocabularies)
        return ERR_OK;
    return p->vocabularies->path(p->vocabularies->ctx, vocabulary, p->arena, path, why);
}

enum err count_prepare(const struct data_prepare *p, struct str vocabulary, const void **made,
                       struct why *why)
{
    struct models_counter *counter = NULL;
    const char *path = NULL;
    enum err err = vocabulary.len ? find(p, vocabulary, &path, why) : ERR_OK;
    if (err)
        return err;
    err = models_counter_open(path, &counter, why);
    if (err)
        return err == ERR_NO_MEMORY ? err : ERR_UNAVAILABLE;
    *made = counter;
    if (arena_defer(p->arena, close_counter, counter) == 0)
        return ERR_OK;
    models_counter_close(counter);
    return err_set(why, ERR_NO_MEMORY, "could not hold a vocabulary");
}
