#include "data/try.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/file.h"

#define NAME      4096
#define MOST_READ ((size_t)256 << 20)

static enum err gather(const char *dir, size_t stage, size_t n, const char *suffix, bool all,
                       struct arena *arena, struct buf *out, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && !err; i++)
        for (size_t s = all ? 0 : stage; s <= stage && !err; s++) {
            char name[NAME];
            struct str text;
            (void)snprintf(name, sizeof name, "%s/s%zu-%zu.%s", dir, s, i, suffix);
            err = file_read(name, MOST_READ, arena, &text, why);
            if (!err)
                buf_add(out, text);
        }
    return err ? err : buf_err(out, why);
}

static enum err run(const struct try_form *form, const char *dir, struct arena *arena,
                    struct work_result *result, struct str *lines, struct str *trail,
                    struct why *why)
{
    struct work_input *shards = arena_array(arena, struct work_input, form->n_inputs + 1);
    char *sub = file_join(arena, dir, "work");
    enum err err =
        shards && sub ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not begin the dry run");
    for (size_t i = 0; i < form->n_inputs && !err; i++) {
        char *path = str_z(arena, str_printf(arena, "%s/in-%zu", dir, i));
        if (!path)
            return err_set(why, ERR_NO_MEMORY, "could not begin the dry run");
        shards[i] = (struct work_input){.path = path, .input = form->inputs[i].input};
        err = file_write(path, form->inputs[i].lines, 0640, why);
    }
    struct work work = {.pipeline = form->pipeline,
                        .dir = sub,
                        .shards = shards,
                        .n_shards = form->n_inputs,
                        .threads = 1,
                        .memory = (size_t)256 << 20,
                        .saw = form->saw,
                        .ctx = form->ctx};
    if (!err)
        err = work_run(&work, arena, result, why);
    size_t last = work_n_stages(form->pipeline) - 1;
    struct buf out, way;
    buf_init(&out, arena);
    buf_init(&way, arena);
    if (!err && lines)
        err = gather(sub, last, form->n_inputs, "out", false, arena, &out, why);
    if (!err && trail)
        err = gather(sub, last, form->n_inputs, "trail", true, arena, &way, why);
    if (lines)
        *lines = buf_str(&out);
    if (trail)
        *trail = buf_str(&way);
    return err;
}

enum err try_run(const struct try_form *form, struct arena *arena, struct work_result *result,
                 struct str *lines, struct str *trail, struct why *why)
{
    char dir[NAME];
    (void)snprintf(dir, sizeof dir, "%s/yicheng-try-XXXXXX", form->temp);
    if (!mkdtemp(dir))
        return err_errno(why, "could not make a folder in \"%s\"", form->temp);
    enum err err = run(form, dir, arena, result, lines, trail, why);
    enum err gone = file_remove(dir, err ? NULL : why);
    return err ? err : gone;
}
