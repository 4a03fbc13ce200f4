#include "data/import_picture.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "formats/formats.h"
#include "objects/objects.h"

#define MOST_PICTURE ((size_t)64 << 20)
#define MOST_CAPTION ((size_t)1 << 20)
#define COCO_ROOM    ((size_t)2 << 30)

#define SHOW(s)      (int)((s).len < 120 ? (s).len : 120), ((s).ptr ? (s).ptr : "")

static const char *const path_names[] = {"image",      "file",     "file_name", "filename",
                                         "image_path", "img_path", "path",      NULL};
static const char *const text_names[] = {"caption", "text", "description", "描述", "说明", NULL};

bool import_is_picture(struct str path)
{
    static const char *const suffixes[] = {"jpg", "jpeg", "png", "webp",
                                           "gif", "bmp",  "tif", "tiff"};
    struct str suffix = file_suffix(path);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (str_eq_c(suffix, suffixes[i]))
            return true;
    return false;
}

/* "dir/one.jpg" without its suffix and dot. */
static struct str stem(struct str path)
{
    struct str name = file_name(path);
    for (size_t i = name.len; i > 1; i--)
        if (name.ptr[i - 1] == '.')
            return str_slice(path, 0, path.len - name.len + i - 1);
    return path;
}

static bool beside(struct str picture, const char *suffix, char out[4096])
{
    struct str s = stem(picture);
    return snprintf(out, 4096, "%.*s.%s", STR_FMT(s), suffix) < 4096 && file_exists(out);
}

static bool looks_like_coco(struct str all)
{
    struct str head = str_slice(all, 0, all.len < 65536 ? all.len : 65536);
    struct str tail = str_from(all, all.len < 65536 ? 0 : all.len - 65536);
    head = str_trim(head);
    return str_starts(head, STR("{")) && str_find(all, STR("\"annotations\"")) != STR_NPOS &&
           (str_find(head, STR("\"file_name\"")) != STR_NPOS ||
            str_find(tail, STR("\"file_name\"")) != STR_NPOS);
}

static bool is_coco_file(const struct import_file *file, struct arena *arena)
{
    struct file_map map;
    char *path = str_eq_c(file_suffix(file->path), "json") ? str_z(arena, file->path) : NULL;
    if (!path || file_map(path, &map, NULL))
        return false;
    bool is = looks_like_coco((struct str){(const char *)map.ptr, map.len});
    file_unmap(&map);
    return is;
}

bool import_has_captions(const struct import_plan *p, struct arena *arena)
{
    bool looked = false, pictures = false;
    char path[4096];
    for (size_t i = 0; i < p->n_files; i++) {
        if (!import_is_picture(p->files[i].path))
            continue;
        pictures = true;
        if (!looked &&
            (beside(p->files[i].path, "txt", path) || beside(p->files[i].path, "json", path)))
            return true;
        looked = true;
    }
    for (size_t i = 0; pictures && i < p->n_files; i++)
        if (is_coco_file(&p->files[i], arena))
            return true;
    return false;
}

/* A text or JSON file of the name of a picture of the import. */
static bool is_caption(const struct import_plan *p, struct str file, struct arena *arena)
{
    static const char *const pictures[] = {"jpg", "jpeg", "png", "webp", "JPG", "JPEG",
                                           "PNG", "gif",  "bmp", "tif",  "tiff"};
    struct str suffix = file_suffix(file), s = stem(file);
    if (!str_eq_c(suffix, "txt") && !str_eq_c(suffix, "json"))
        return false;
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        struct str path = str_printf(arena, "%.*s.%s", STR_FMT(s), pictures[i]);
        if (path.ptr && map_find(p->pictures, path))
            return true;
    }
    return false;
}

/* By the whole path; and by the name alone, where value.n counts how many have it. */
enum err import_index_pictures(struct import_plan *p, struct arena *arena, struct why *why)
{
    p->pictures = arena_one(arena, struct map);
    p->names = arena_one(arena, struct map);
    if (!p->pictures || !p->names)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of pictures");
    map_init(p->pictures, arena);
    map_init(p->names, arena);
    for (size_t i = 0; i < p->n_files; i++) {
        bool made = false;
        if (!import_is_picture(p->files[i].path))
            continue;
        struct map_entry *a = map_put(p->pictures, p->files[i].path, &made);
        struct map_entry *b = map_put(p->names, file_name(p->files[i].path), &made);
        if (!a || !b)
            return err_set(why, ERR_NO_MEMORY, "could not hold the list of pictures");
        a->value.p = &p->files[i];
        b->value.p = made ? &p->files[i] : NULL; /* two of one name: which is not said */
    }
    for (size_t i = 0; i < p->n_files; i++)
        p->has_lists |=
            !import_is_picture(p->files[i].path) && !is_caption(p, p->files[i].path, arena);
    return ERR_OK;
}

enum picture_part import_part(const struct import_task *t, const struct import_file *file,
                              struct str all, struct arena *arena)
{
    if (import_is_picture(file->path))
        return PART_PICTURE;
    if (is_caption(t->plan, file->path, arena))
        return PART_CAPTION;
    return str_eq_c(file_suffix(file->path), "json") && looks_like_coco(all) ? PART_COCO
                                                                             : PART_LIST;
}

/* ---- a picture ---- */

static enum err store_picture(struct import_task *t, struct str bytes, struct str path,
                              char name[HASH_TEXT], struct picture *size, struct why *why)
{
    if (bytes.len > MOST_PICTURE)
        return err_set(why, ERR_INVALID, "\"%.*s\" is larger than %zu MiB", SHOW(path),
                       MOST_PICTURE >> 20);
    struct why own = {0};
    enum err err = picture_measure(bytes, size, &own);
    if (err)
        return err_set(why, ERR_INVALID, "\"%.*s\": %s", SHOW(path), why_text(&own, err));
    return objects_put(t->objects, bytes, name, why);
}

static void put_picture(struct json_out *out, const char *object, const struct picture *size,
                        struct str path)
{
    json_kv_c(out, "image", object);
    json_key(out, "meta");
    json_begin_object(out);
    json_kv_str(out, "file", file_name(path));
    json_kv_int(out, "width", size->width);
    json_kv_int(out, "height", size->height);
    json_end_object(out);
}

/* The words of a caption file; empty when it holds none. */
static struct str caption_in(const char *path, bool json, struct arena *arena)
{
    struct str text;
    const struct json *doc = NULL;
    if (file_read(path, MOST_CAPTION, arena, &text, NULL) || utf8_invalid(text) != STR_NPOS)
        return STR("");
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_from(text, 3);
    if (!json)
        return str_trim(text);
    if (json_parse(text, arena, &doc, NULL))
        return STR("");
    struct str words = json_str(doc, STR(""));
    for (size_t i = 0; !words.len && text_names[i]; i++)
        words = json_get_str(doc, text_names[i], STR(""));
    return str_trim(words);
}

enum err import_picture_line(struct import_task *t, const struct import_file *file,
                             struct str bytes, struct str *line, struct why *why)
{
    char path[4096], name[HASH_TEXT];
    struct picture size;
    struct buf buf;
    struct json_out out;
    struct str words = STR("");
    *line = STR_NONE;
    if (beside(file->path, "txt", path))
        words = caption_in(path, false, t->arena);
    if (!words.len && beside(file->path, "json", path))
        words = caption_in(path, true, t->arena);
    if (!words.len)
        return t->plan->has_lists ? ERR_OK
                                  : err_set(why, ERR_INVALID, "no caption stands beside \"%.*s\"",
                                            SHOW(file_name(file->path)));
    enum err err = store_picture(t, bytes, file_name(file->path), name, &size, why);
    if (err)
        return err;
    buf_init(&buf, t->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    put_picture(&out, name, &size, file->path);
    json_kv_str(&out, "caption", words);
    json_end_object(&out);
    *line = buf_str(&buf);
    return buf_err(&buf, why);
}

/* ---- lists ---- */

/* The file that a list means by `path`; NULL when it is none of the import's. */
static const struct import_file *find(const struct import_task *t, const struct import_file *list,
                                      struct str path, struct arena *arena)
{
    struct str folder = str_slice(list->path, 0, list->path.len - file_name(list->path).len);
    while (str_starts(path, STR("./")))
        path = str_from(path, 2);
    struct str whole = str_printf(arena, "%.*s%.*s", STR_FMT(folder), STR_FMT(path));
    struct map_entry *e = whole.ptr ? map_find(t->plan->pictures, whole) : NULL;
    if (!e)
        e = map_find(t->plan->names, file_name(path));
    return e ? e->value.p : NULL;
}

static enum err store_listed(struct import_task *t, const struct import_file *list, struct str path,
                             char name[HASH_TEXT], struct picture *size, struct why *why)
{
    struct file_map map;
    const struct import_file *file = find(t, list, path, t->arena);
    char *z = file ? str_z(t->arena, file->path) : NULL;
    if (!file)
        return err_set(why, ERR_INVALID,
                       "the picture \"%.*s\" is not among the files of this import, or several "
                       "have that name",
                       SHOW(path));
    enum err err =
        z ? file_map(z, &map, why) : err_set(why, ERR_NO_MEMORY, "could not read a file");
    if (err)
        return err;
    err = store_picture(t, (struct str){(const char *)map.ptr, map.len}, path, name, size, why);
    file_unmap(&map);
    return err;
}

struct coco {
    struct import_task *task;
    const struct import_file *file;
    struct map images; /* id -> file_name */
    struct arena *arena;
};

static enum err coco_images(struct coco *c, const struct json *images, struct why *why)
{
    for (size_t i = 0; i < json_len(images); i++) {
        const struct json *image = json_at(images, i);
        struct str id = str_printf(c->arena, "%lld", (long long)json_get_int(image, "id", -1));
        struct str name = json_get_str(image, "file_name", STR(""));
        bool made;
        struct map_entry *e = id.ptr ? map_put(&c->images, id, &made) : NULL;
        char *copy = e ? str_z(c->arena, name) : NULL;
        if (!copy)
            return err_set(why, ERR_NO_MEMORY, "could not hold the list of pictures");
        e->value.p = copy;
    }
    return ERR_OK;
}

/* A caption whose picture is unknown keeps its id as the path, so that the fault names it. */
static enum err coco_line(struct coco *c, const struct json *note, struct str *line,
                          struct why *why)
{
    struct buf buf;
    struct json_out out;
    char id[32];
    (void)snprintf(id, sizeof id, "%lld", (long long)json_get_int(note, "image_id", -1));
    struct map_entry *e = map_find(&c->images, str_c(id));
    buf_init(&buf, c->task->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_c(&out, "file_name", e ? e->value.p : id);
    json_kv_str(&out, "caption", str_trim(json_get_str(note, "caption", STR(""))));
    json_end_object(&out);
    *line = buf_str(&buf);
    return buf_err(&buf, why);
}

enum err import_coco(struct import_task *t, const struct import_file *file, struct str all,
                     enum err (*take)(struct import_task *, struct str, int64_t, struct why *),
                     struct why *why)
{
    struct coco c = {.task = t, .file = file, .arena = arena_new(COCO_ROOM)};
    const struct json *doc = NULL;
    enum err err = c.arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read a list");
    if (!err)
        err = json_parse(all, c.arena, &doc, why);
    if (!err) {
        map_init(&c.images, c.arena);
        err = coco_images(&c, json_get(doc, "images"), why);
    }
    const struct json *notes = json_get(doc, "annotations");
    for (size_t i = 0; !err && i < json_len(notes); i++) {
        struct str line, own = STR_NONE;
        if (i % 256 == 0 && t->cancelled && t->cancelled(t->ctx))
            err = err_set(why, ERR_CANCELLED, "the import was cancelled");
        if (!err)
            err = coco_line(&c, json_at(notes, i), &line, why);
        if (!err) /* taking it resets the arena that it is in */
            own = str_copy(c.arena, line);
        if (!err)
            err = own.ptr ? take(t, own, (int64_t)i, why)
                          : err_set(why, ERR_NO_MEMORY, "could not hold a list");
    }
    arena_free(c.arena);
    return err;
}

/* The first of the members that is a text. */
static struct str text_at(const struct record *record, const char *const *names, const char **which)
{
    for (size_t i = 0; names[i]; i++) {
        struct str raw = record_raw(record, names[i]);
        struct str text = raw.ptr ? record_decode(raw, record->arena) : STR_NONE;
        if (text.ptr) {
            *which = names[i];
            return text;
        }
    }
    *which = NULL;
    return STR_NONE;
}

enum err import_caption_of(struct import_task *t, const struct import_file *list,
                           struct record *record, struct why *why)
{
    const char *path_at, *text_member;
    char name[HASH_TEXT];
    struct picture size = {0};
    struct str path = text_at(record, path_names, &path_at);
    struct str words = text_at(record, text_names, &text_member);
    uint8_t digest[HASH_BYTES];
    if (!path.len || !words.len)
        return err_set(why, ERR_INVALID, "a caption needs the path of its picture and words");
    /* The name of an object that is here already: an export of this centre. */
    bool known = path.len == HASH_TEXT - 1 && hex_get(path, digest, sizeof digest);
    enum err err = ERR_OK;
    if (known)
        (void)snprintf(name, sizeof name, "%.*s", STR_FMT(path));
    if (known && !objects_has(t->objects, name))
        err = err_set(why, ERR_INVALID, "there is no picture %s here", name);
    if (!known)
        err = store_listed(t, list, path, name, &size, why);
    struct str image = err ? STR_NONE : str_copy(record->arena, str_c(name));
    if (!err && !image.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not hold a record");
    if (err)
        return err;
    record_remove(record, path_at);
    record_remove(record, text_member);
    err = record_set_str(record, "image", image, why);
    if (!err)
        err = record_set_str(record, "caption", str_trim(words), why);
    return err || known || record_raw(record, "file").ptr
               ? err
               : record_set_str(record, "file", file_name(path), why);
}
