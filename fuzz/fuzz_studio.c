/* Label Studio's tasks: scanned, guessed, read, written; what was read must be an answer again. */
#include <stdlib.h>

#include "annotate/studio.h"
#include "core/arena.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A table: whatever it holds, its rows are tasks as JSON. */
static void table(struct str text, struct arena *arena)
{
    static const char config[] =
        "<View><Text name='text' value='$text'/><Choices name='kind' toName='text'><Choice "
        "value='a'/></Choices><Rating name='urgency' toName='text'/><Labels name='ner' "
        "toName='text'><Label value='x'/></Labels></View>";
    struct labels labels;
    struct studio_notes notes;
    struct str lines = STR(""), line;
    studio_notes_init(&notes, arena);
    if (!studio_is_table(text) || studio_config_read(str_c(config), arena, &labels, &notes, NULL) ||
        studio_table(text, &labels, arena, &lines, NULL))
        return;
    while (str_next_line(&lines, &line)) {
        const struct json *task = NULL;
        struct studio_task out;
        if (utf8_invalid(text) == STR_NPOS && json_parse(line, arena, &task, NULL) == ERR_INVALID)
            abort();
        if (task)
            (void)!studio_task_read(task, &labels, arena, &notes, &out, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct studio_scan scan = {.text = {(const char *)data, size}};
    struct studio_guess *guess = arena ? studio_guess_new(arena) : NULL;
    struct str text = STR_NONE;
    const struct json *tasks[16];
    size_t n = 0;
    struct labels labels;
    struct studio_notes notes;
    studio_notes_init(&notes, arena);
    if (arena)
        table(scan.text, arena);
    while (guess && n < 16 && !studio_next(&scan, &text, NULL) && text.ptr)
        if (!json_parse(text, arena, &tasks[n], NULL) && !studio_guess_see(guess, tasks[n], NULL))
            n++;
    if (guess && n && !studio_guess_labels(guess, &labels, NULL)) {
        for (size_t i = 0; i < n; i++) {
            struct studio_task task;
            if (studio_task_read(tasks[i], &labels, arena, &notes, &task, NULL))
                continue;
            for (size_t k = 0; k < task.n_annotations; k++) {
                struct answer answer;
                struct str texts[LABELS_MOST_SHOWS] = {{0}};
                struct buf buf;
                struct json_out out;
                if (answer_parse(task.annotations[k].answer, &labels, &answer_about_anything, true,
                                 arena, &answer, NULL) == ERR_INVALID)
                    abort();
                buf_init(&buf, arena);
                json_out_init(&out, &buf);
                studio_result_write(&answer, &labels, texts, "manual", &out);
            }
        }
    }
    arena_free(arena);
    return 0;
}
