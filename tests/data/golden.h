/*
 * tests/data/golden - the golden cases of an operator: tests/data/ops/<name>.jsonl.
 *
 * Each line is a case:
 *     {"args": {...}, "on": [...], "kind": "chat", "seed": 1,      all may be left out
 *      "own": true         models and tables are those of tests/data/models
 *      "in": "a text" | {a record} | [texts or records],
 *      and one of
 *      "out": what comes out, in the same forms      "drop": true     nothing comes out
 *      "value": the number that a measure gives      "fails": words of the quarantine
 *      "refuses": words when the arguments are refused}
 * "references": {name: [texts or records]} is what the operator compares with.
 * Records without an id get "t-1", "t-2" ...; an id that the expected record does not have is not
 * compared.
 */
#ifndef TESTS_DATA_GOLDEN_H
#define TESTS_DATA_GOLDEN_H

#include <math.h>
#include <unistd.h>

#include "tap.h"

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "data/try.h"
#include "objects/objects.h"
#include "privacy/privacy.h"

#define GOLDEN_ROOM ((size_t)512 << 20)

struct golden {
    const struct json *json; /* the case */
    struct arena *arena;
    struct pipeline pipeline;
    enum record_kind kind;
    struct str lines;
};

__attribute__((unused)) static const char *golden_models(void)
{
    const char *dir = tap_dataset("tiny-models/fasttext-lid176");
    return dir ? dir : "";
}

/* In memory where that can be had: a run waits for the disk, and there are hundreds of them. */
__attribute__((unused)) static const char *golden_temp(void)
{
    return file_is_dir("/dev/shm") ? "/dev/shm" : "/tmp";
}

/* The pictures of tests/data/images as objects, in a folder that ends with the test. */
static char golden_dir[64];
__attribute__((unused)) static void golden_end(void)
{
    if (golden_dir[0] && file_remove(golden_dir, NULL))
        printf("# %s was not removed\n", golden_dir);
}

static enum err golden_image(void *ctx, const char *path, struct str relative, struct why *why)
{
    char name[HASH_TEXT];
    (void)relative;
    return objects_put_file(ctx, path, 1 << 20, name, NULL, why);
}

__attribute__((unused)) static struct objects *golden_objects(void)
{
    static struct objects *objects; /* ends with the process */
    struct why why = {0};
    if (objects)
        return objects;
    (void)snprintf(golden_dir, sizeof golden_dir, "%s/golden-XXXXXX", golden_temp());
    if (!mkdtemp(golden_dir) || objects_open(golden_dir, &objects, &why) ||
        file_walk(YICHENG_SOURCE_ROOT "/tests/data/images", 1, golden_image, objects, &why))
        printf("# no pictures: %s\n", why.text);
    (void)atexit(golden_end);
    return objects;
}

/* {"text": the string} or the object itself, with an id. */
static void golden_record(struct golden *g, const struct json *in, size_t number, struct buf *out)
{
    struct json_out json;
    void *iter = NULL;
    struct str key;
    const struct json *value;
    json_out_init(&json, out);
    json_begin_object(&json);
    if (!json_get(in, "id")) {
        char id[32];
        (void)snprintf(id, sizeof id, "t-%zu", number);
        json_kv_c(&json, "id", id);
    }
    if (json_kind(in) == JSON_KIND_STRING)
        json_kv_str(&json, "text", json_str(in, STR("")));
    while (json_each(in, &iter, &key, &value)) {
        json_key(&json, str_z(g->arena, key));
        json_put_value(&json, value);
    }
    json_end_object(&json);
    buf_char(out, '\n');
}

static struct str golden_records(struct golden *g, const struct json *in)
{
    struct buf buf;
    buf_init(&buf, g->arena);
    if (json_kind(in) == JSON_KIND_ARRAY)
        for (size_t i = 0; i < json_len(in); i++)
            golden_record(g, json_at(in, i), i + 1, &buf);
    else if (in)
        golden_record(g, in, 1, &buf);
    return buf_str(&buf);
}

static void golden_lines(struct golden *g)
{
    struct record record;
    g->lines = golden_records(g, json_get(g->json, "in"));
    struct str first = g->lines, line;
    g->kind = RECORD_TEXT;
    if (str_next_line(&first, &line) && record_read(line, g->arena, &record, NULL) == ERR_OK)
        g->kind = record_kind_guess(&record);
    if (g->kind == RECORD_KINDS)
        g->kind = RECORD_TEXT;
    struct str kind = json_get_str(g->json, "kind", STR(""));
    if (kind.len && !record_kind_parse(kind, &g->kind))
        printf("# no kind \"%.*s\"\n", STR_FMT(kind));
}

/* The case's references: each a file that ends with the arena. */
static void golden_unlink(void *path)
{
    (void)unlink(path);
}

static size_t golden_references(struct golden *g, struct data_reference *out, size_t most)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    size_t n = 0;
    while (n < most && json_each(json_get(g->json, "references"), &iter, &key, &value)) {
        char path[64];
        const char **paths = arena_array(g->arena, const char *, 1);
        struct record first;
        struct str lines = golden_records(g, value), rest = lines, line;
        (void)snprintf(path, sizeof path, "%s/yicheng-golden-XXXXXX", golden_temp());
        int fd = mkstemp(path);
        if (fd < 0 || file_write_fd(fd, lines, NULL) || close(fd) != 0)
            printf("# no file for the reference\n");
        paths[0] = arena_copy(g->arena, path, strlen(path));
        (void)arena_defer(g->arena, golden_unlink, (void *)paths[0]);
        enum record_kind kind = RECORD_TEXT;
        if (str_next_line(&rest, &line) && !record_read(line, g->arena, &first, NULL))
            kind = record_kind_guess(&first);
        out[n++] = (struct data_reference){key, 1, kind, paths, 1};
    }
    return n;
}

/* Keys that are the same in every test. */
static void golden_free_keys(void *keys)
{
    privacy_keys_free(keys);
}

static enum err golden_keys(void *ctx, struct arena *arena, const struct privacy_keys **out,
                            struct why *why)
{
    static const uint8_t secret[PRIVACY_SECRET_BYTES] = "golden golden golden golden keys";
    struct privacy_keys *keys = NULL;
    (void)ctx;
    enum err err = privacy_keys_make(secret, 1, &keys, why);
    if (!err && arena_defer(arena, golden_free_keys, keys))
        err = ERR_NO_MEMORY;
    *out = keys;
    return err;
}
static const struct data_keyring golden_keyring = {golden_keys, NULL};

/* A pipeline of this one step. */
static enum err golden_pipeline(struct golden *g, const struct data_op *op, struct why *why)
{
    struct buf buf;
    struct json_out out;
    void *iter = NULL;
    struct str key;
    const struct json *value, *spec;
    buf_init(&buf, g->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_key(&out, "inputs");
    json_put_raw(&out, STR("[{\"dataset\":\"first\"},{\"dataset\":\"second\"}]"));
    json_key(&out, "output");
    json_put_raw(&out, STR("{\"dataset\":\"out\"}"));
    json_kv_int(&out, "seed", json_get_int(g->json, "seed", 0));
    json_key(&out, "steps");
    json_begin_array(&out);
    json_begin_object(&out);
    json_kv_c(&out, "op", op->name);
    if (json_get(g->json, "on")) {
        json_key(&out, "on");
        json_put_value(&out, json_get(g->json, "on"));
    }
    while (json_each(json_get(g->json, "args"), &iter, &key, &value)) {
        json_key(&out, str_z(g->arena, key));
        json_put_value(&out, value);
    }
    json_end_object(&out);
    json_end_array(&out);
    json_end_object(&out);
    enum err err = json_parse(buf_str(&buf), g->arena, &spec, why);
    bool own = json_get_bool(g->json, "own", false);
    const char *models = own ? YICHENG_SOURCE_ROOT "/tests/data/models" : golden_models();
    struct data_reference *references = arena_array(g->arena, struct data_reference, 4);
    size_t n = golden_references(g, references, 4);
    if (!err)
        err = pipeline_read_with(spec, g->kind,
                                 &(struct pipeline_given){models, references, n, &golden_keyring},
                                 g->arena, &g->pipeline, why);
    g->pipeline.objects = golden_objects();
    return err;
}

/* The case as lines and a pipeline. Free g->arena afterwards, whatever it gives. */
__attribute__((unused)) static enum err golden_open(struct golden *g, const struct data_op *op,
                                                    struct str text, struct why *why)
{
    *g = (struct golden){.arena = arena_new(GOLDEN_ROOM)};
    enum err err = json_parse(text, g->arena, &g->json, why);
    if (err)
        return err;
    golden_lines(g);
    return golden_pipeline(g, op, why);
}

__attribute__((unused)) static struct str golden_file(const struct data_op *op, struct arena *arena)
{
    char path[1024];
    struct str text = STR("");
    (void)snprintf(path, sizeof path, "%s/tests/data/ops/%s.jsonl", YICHENG_SOURCE_ROOT, op->name);
    if (file_read(path, (size_t)16 << 20, arena, &text, NULL))
        text = STR("");
    return text;
}

#endif
