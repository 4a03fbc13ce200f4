#include "annotate/room.h"

#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

static int64_t system_clock(void *ctx)
{
    (void)ctx;
    return time_now_ms();
}

int64_t now_of(const struct annotate *annotate)
{
    return annotate->opts.clock(annotate->opts.clock_ctx);
}

enum err annotate_open(const struct annotate_opts *opts, struct annotate **out, struct why *why)
{
    struct annotate *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(why, ERR_NO_MEMORY, "could not open the room annotate");
    a->opts = *opts;
    if (!a->opts.clock)
        a->opts.clock = system_clock;
    (void)pthread_mutex_init(&a->lock, NULL);
    *out = a;
    return ERR_OK;
}

void annotate_close(struct annotate *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < MOST_READERS; i++)
        data_reader_close(a->readers[i].reader);
    (void)pthread_mutex_destroy(&a->lock);
    free(a->table);
    free(a);
}

struct ops_identity tenant_identity(struct str tenant)
{
    struct ops_identity who = ops_system();
    who.tenant = tenant;
    return who;
}

/* ---- records ---- */

/* The reader of the version, kept open among the last used; the lock is held. */
static enum err reader_for(struct annotate *a, const struct project *project,
                           struct data_reader **out, struct why *why)
{
    struct open_reader *oldest = &a->readers[0];
    for (size_t i = 0; i < MOST_READERS; i++) {
        struct open_reader *r = &a->readers[i];
        if (r->reader && str_eq_c(project->version, r->version)) {
            r->used = ++a->n_used;
            *out = r->reader;
            return ERR_OK;
        }
        if (r->used < oldest->used)
            oldest = r;
    }
    struct ops_identity who = tenant_identity(project->tenant);
    struct data_reader *fresh = NULL;
    enum err err =
        data_reader_open(a->opts.data, &who, project->dataset, project->number, &fresh, why);
    if (err)
        return err;
    data_reader_close(oldest->reader);
    *oldest = (struct open_reader){.reader = fresh, .used = ++a->n_used};
    size_t len = project->version.len < UUID_TEXT - 1 ? project->version.len : UUID_TEXT - 1;
    memcpy(oldest->version, project->version.ptr, len);
    *out = fresh;
    return ERR_OK;
}

enum err record_of(struct annotate *a, const struct project *project, int64_t rec,
                   struct arena *arena, const struct json **out, struct str *line, struct why *why)
{
    struct data_reader *reader = NULL;
    struct data_record record = {0};
    (void)pthread_mutex_lock(&a->lock);
    enum err err = reader_for(a, project, &reader, why);
    if (!err)
        err = data_reader_at(reader, rec, arena, &record, why);
    struct str copy = err ? STR_NONE : str_copy(arena, record.line); /* the shard may be unmapped */
    (void)pthread_mutex_unlock(&a->lock);
    if (!err && !copy.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the record");
    if (!err)
        err = json_parse(copy, arena, out, why);
    if (!err && line)
        *line = copy;
    return err;
}

const struct json *at_path(const struct json *record, struct str path)
{
    struct str part;
    const struct json *at = record;
    while (at && str_next(&path, '.', &part)) {
        char key[LABELS_MOST_NAME + 1] = "";
        memcpy(key, part.ptr, part.len < sizeof key ? part.len : sizeof key - 1);
        at = json_kind(at) == JSON_KIND_OBJECT ? json_get(at, key) : NULL;
    }
    return at;
}

/* Turns of a talk as lines "who: words"; the names of the members are those of either format. */
static struct str talk(const struct json *list, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *turn = json_at(list, i);
        struct str who = json_get_str(turn, "role", json_get_str(turn, "author", STR("")));
        if (i)
            buf_char(&buf, '\n');
        buf_printf(&buf, "%.*s: ", STR_FMT(who));
        buf_add(&buf, json_get_str(turn, "content", json_get_str(turn, "text", STR(""))));
    }
    return buf_str(&buf);
}

struct str shown_text(const struct json *record, const struct show *show, struct arena *arena)
{
    const struct json *value = at_path(record, show->path);
    struct str text = STR("");
    if (json_kind(value) == JSON_KIND_STRING)
        return json_str(value, STR(""));
    if (json_kind(value) == JSON_KIND_ARRAY && str_eq_c(show->kind, "chat"))
        return talk(value, arena);
    if (json_kind(value) != JSON_KIND_NULL && json_dump(value, arena, &text, NULL))
        text = STR("");
    return text;
}

struct answer_about about_record(const struct project *project, const struct json *record,
                                 struct arena *arena)
{
    struct answer_about about = answer_about_anything;
    for (size_t i = 0; i < project->labels.n_shows; i++)
        if (str_eq_c(project->labels.shows[i].kind, "text"))
            about.chars[i] = utf8_count(shown_text(record, &project->labels.shows[i], arena));
    return about;
}

void put_shown(const struct project *project, const struct json *record, struct json_out *out)
{
    json_begin_object(out);
    for (size_t i = 0; i < project->labels.n_shows; i++) {
        const struct show *show = &project->labels.shows[i];
        char name[LABELS_MOST_NAME + 1] = "";
        memcpy(name, show->name.ptr,
               show->name.len < sizeof name ? show->name.len : sizeof name - 1);
        json_key(out, name);
        json_put_value(out, at_path(record, show->path));
    }
    json_end_object(out);
}
