/* Any bytes as a pipeline's spec, as JSON or YAML: refused in words, or a pipeline that runs. */
#include <stdint.h>
#include <stdlib.h>

#include "core/arena.h"
#include "data/pipeline.h"
#include "data/task.h"

static const char lines[] =
    "{\"id\":\"a-1\",\"text\":\" 第一条 <b>甲</b>。\\n- 1 -\\nhttp://a.cn\"}\n"
    "{\"id\":\"a-2\",\"text\":\"\"}\n";

/* Steps that see the whole set need files; those before the first are run. */
static size_t record_wise(const struct pipeline *p)
{
    size_t n = 0;
    while (n < p->n_steps && p->steps[n].op->effect != DATA_WHOLE)
        n++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)512 << 20);
    const struct json *spec = NULL;
    struct pipeline p;
    struct why why = {0};
    struct str text = {(const char *)data, size};
    enum err err = pipeline_text(text, arena, &spec, &why);
    if (!err)
        err = pipeline_read(spec, RECORD_TEXT, "", arena, &p, &why);
    if (err && !why.text[0])
        abort();
    struct step_count *counts = err ? NULL : arena_array(arena, struct step_count, p.n_steps + 1);
    if (counts) {
        struct task task = {.pipeline = &p,
                            .last = record_wise(&p),
                            .apply = STR_NPOS,
                            .note = STR_NPOS,
                            .lines = {lines, sizeof lines - 1},
                            .out_fd = -1,
                            .trail_fd = -1,
                            .note_fd = -1,
                            .counts = counts};
        err = task_run(&task, &why);
        if (err && !task_fatal(err))
            abort();
    }
    arena_free(arena);
    return 0;
}
