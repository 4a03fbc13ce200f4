#include "data/count.h"

#include "core/arena.h"
#include "core/file.h"

static void close_counter(void *counter)
{
    models_counter_close(counter);
}

enum err count_prepare(const struct data_prepare *p, struct str vocabulary, const void **made,
                       struct why *why)
{
    struct models_counter *counter = NULL;
    char *path = NULL;
    if (str_find_char(vocabulary, '/') != STR_NPOS || str_starts(vocabulary, STR(".")))
        return err_set(why, ERR_INVALID,
                       "\"vocabulary\" is the name of a file in the folder of data.models");
    if (vocabulary.len) {
        char *name = str_z(p->arena, vocabulary);
        path = name ? file_join(p->arena, p->models, name) : NULL;
        if (!path)
            return err_set(why, ERR_NO_MEMORY, "could not open a vocabulary");
    }
    enum err err = models_counter_open(path, &counter, why);
    if (err)
        return err == ERR_NO_MEMORY ? err : ERR_UNAVAILABLE;
    *made = counter;
    if (arena_defer(p->arena, close_counter, counter) == 0)
        return ERR_OK;
    models_counter_close(counter);
    return err_set(why, ERR_NO_MEMORY, "could not hold a vocabulary");
}
