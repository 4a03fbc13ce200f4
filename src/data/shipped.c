#include "data/shipped.h"

#include <assert.h>
#include <pthread.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/shipped_bytes.h"

#define MOST_MODEL ((size_t)80 << 20)

static struct learn_model *models[SHIPPED_N];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct learn_model *read_one(const unsigned char *begin, const unsigned char *end)
{
    struct learn_model *model = NULL;
    struct str bytes = {(const char *)begin, (size_t)(end - begin)};
    enum err err = learn_read(bytes, &model, NULL);
    assert(!err && model); /* a build with a damaged model */
    (void)err;
    return model;
}

static void read_all(void)
{
    models[SHIPPED_RUDE] = read_one(shipped_rude_begin, shipped_rude_end);
    models[SHIPPED_QUALITY] = read_one(shipped_quality_begin, shipped_quality_end);
}

const struct learn_model *shipped_model(enum shipped which)
{
    (void)pthread_once(&once, read_all);
    return models[which];
}

const uint8_t *shipped_pairs(void)
{
    /* Both are labels of one blob, which the assembler made. */
    /* cppcheck-suppress comparePointers */
    assert(shipped_pairs_end - shipped_pairs_begin == 1 << (SHIPPED_PAIR_BITS - 3));
    return shipped_pairs_begin;
}

static void close_model(void *model)
{
    learn_free(model);
}

enum err shipped_open(const struct data_prepare *p, struct str name, const struct learn_model **out,
                      struct why *why)
{
    struct learn_model *model = NULL;
    struct str bytes;
    char *file = str_z(p->arena, name), *path = file ? file_join(p->arena, p->models, file) : NULL;
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not read a classifier");
    if (str_find_char(name, '/') != STR_NPOS || str_starts(name, STR(".")))
        return err_set(why, ERR_INVALID, "\"file\" is the name of a file, without folders");
    enum err err = file_read(path, MOST_MODEL, p->arena, &bytes, why);
    if (!err)
        err = learn_read(bytes, &model, why);
    if (err)
        return err == ERR_NO_MEMORY ? err : ERR_UNAVAILABLE;
    *out = model;
    if (arena_defer(p->arena, close_model, model) == 0)
        return ERR_OK;
    learn_free(model);
    return err_set(why, ERR_NO_MEMORY, "could not hold a classifier");
}
