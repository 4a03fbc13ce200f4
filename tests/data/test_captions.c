/* Pictures with captions: beside each other, in lists, in COCO's form; nothing else is read. */
#include "room.h"

#include "objects/objects.h"

#define FRESH(r)                                                                                   \
    struct room r;                                                                                 \
    FRESH_STORE(store, 4);                                                                         \
    if (!room_fresh(&(r), store))                                                                  \
    SKIP("no room")

#define DONE(r)                                                                                    \
    do {                                                                                           \
        room_done(&(r));                                                                           \
        test_store_done(store);                                                                    \
    } while (0)

/* A picture of the tests under another name below `folder` of the room. */
static void put_picture(struct room *r, const char *folder, const char *name, const char *from)
{
    struct str bytes = STR("");
    struct why why = {0};
    const char *dir = file_join(r->arena, r->dir, folder);
    CHECK_OK(file_read(str_z(r->arena, str_printf(r->arena, "%s/tests/data/images/%s",
                                                  YICHENG_SOURCE_ROOT, from)),
                       1 << 20, r->arena, &bytes, &why),
             &why);
    char *path = file_join(r->arena, dir, name), *slash = strrchr(path, '/');
    CHECK_OK(
        file_make_dirs(str_z(r->arena, str_slice(str_c(path), 0, (size_t)(slash - path))), &why),
        &why);
    CHECK_OK(file_write(path, bytes, 0640, &why), &why);
}

static void put_text(struct room *r, const char *folder, const char *name, const char *text)
{
    struct why why = {0};
    const char *dir = file_join(r->arena, r->dir, folder);
    CHECK_OK(file_make_dirs(dir, &why), &why);
    CHECK_OK(file_write(file_join(r->arena, dir, name), str_c(text), 0640, &why), &why);
}

static const struct json *import(struct room *r, const char *set, const char *folder,
                                 const char *more)
{
    return room_import(
        r, str_z(r->arena,
                 str_printf(r->arena,
                            "{\"dataset\":\"%s\",\"paths\":[\"%s/%s\"],\"collection\":{\"licence\":"
                            "\"own\"}%s}",
                            set, r->dir, folder, more)));
}

/* "caption|caption|..." in order; checks that each picture is an object. */
static struct str captions(struct room *r, const char *set)
{
    struct data_reader *reader = NULL;
    struct data_record record = {.line = STR("x")};
    struct buf buf;
    struct why why = {0};
    buf_init(&buf, r->arena);
    CHECK_OK(data_reader_open(r->data, &r->who, str_c(set), 0, &reader, &why), &why);
    CHECK_STR(str_c(data_reader_version(reader)->kind), "caption");
    for (int i = 0;; i++) {
        const struct json *json = NULL;
        CHECK_OK(data_reader_next(reader, r->arena, &record, &why), &why);
        if (!record.line.ptr || json_parse(record.line, r->arena, &json, NULL))
            break;
        CHECK(objects_has(r->objects, str_z(r->arena, json_get_str(json, "image", STR("")))));
        buf_printf(&buf, "%s%.*s", i ? "|" : "", STR_FMT(json_get_str(json, "caption", STR("?"))));
    }
    data_reader_close(reader);
    return buf_str(&buf);
}

TEST(a_caption_stands_beside_its_picture)
{
    FRESH(r);
    put_picture(&r, "in", "a.jpg", "exif.jpg");
    put_text(&r, "in", "a.txt", "\xEF\xBB\xBF 路口的路灯坏了 \n");
    put_picture(&r, "in", "b.png", "flat.png");
    put_text(&r, "in", "b.json", "{\"caption\":\"绿地\"}");
    put_picture(&r, "in", "c.jpg", "fields.jpg");
    put_text(&r, "in", "d.jpg", "no picture at all");
    put_text(&r, "in", "d.txt", "坏图");
    const struct json *got = import(&r, "p", "in", "");
    CHECK_STR(captions(&r, "p"), "路口的路灯坏了|绿地");
    CHECK_EQ(json_get_int(got, "n_failed", -1), 2); /* c without words, d without a picture */
    /* Again into another set: the same bytes. */
    const struct json *again = import(&r, "q", "in", ",\"kind\":\"caption\"");
    CHECK(json_get_str(got, "manifest", STR("")).len > 0);
    CHECK(
        str_eq(json_get_str(got, "manifest", STR("a")), json_get_str(again, "manifest", STR("b"))));
    DONE(r);
}

TEST(a_list_names_pictures_of_the_same_import_and_no_others)
{
    FRESH(r);
    char secret[160], line[400];
    put_picture(&r, "in", "one.jpg", "exif.jpg");
    put_picture(&r, "in", "sub/two.png", "flat.png");
    put_picture(&r, "out", "secret.png", "flat.png");
    put_text(&r, "in", "list.csv",
             "file,caption,place\none.jpg,第一张,紫藤路\nsub/two.png,第二张,\nmissing.jpg,没有,\n");
    const struct json *got = import(&r, "csv", "in", ",\"kind\":\"caption\"");
    CHECK_STR(captions(&r, "csv"), "第一张|第二张");
    CHECK_EQ(json_get_int(got, "n_quarantined", -1), 1);
    /* As JSON lines, by another name of the members; and paths that lead out of the folder. */
    CHECK_EQ(file_remove(file_join(r.arena, r.dir, "in/list.csv"), NULL), ERR_OK);
    (void)snprintf(secret, sizeof secret, "%s/out/secret.png", r.dir);
    (void)snprintf(line, sizeof line,
                   "{\"file_name\":\"two.png\",\"text\":\"只凭文件名\"}\n"
                   "{\"image\":\"../out/secret.png\",\"caption\":\"外面\"}\n"
                   "{\"image\":\"%s\",\"caption\":\"外面\"}\n"
                   "{\"image\":\"one.jpg\"}\n",
                   secret);
    put_text(&r, "in", "list.jsonl", line);
    got = import(&r, "jsonl", "in", ",\"kind\":\"caption\"");
    CHECK_STR(captions(&r, "jsonl"), "只凭文件名");
    CHECK_EQ(json_get_int(got, "n_quarantined", -1), 3);
    DONE(r);
}

TEST(captions_of_coco_become_a_record_each)
{
    FRESH(r);
    put_picture(&r, "in", "images/000000000009.jpg", "exif.jpg");
    put_picture(&r, "in", "images/000000000025.png", "flat.png");
    put_text(&r, "in", "captions_val.json",
             "{\"info\":{\"year\":2017},\"images\":[{\"id\":9,\"file_name\":\"000000000009.jpg\","
             "\"width\":8,\"height\":8},{\"id\":25,\"file_name\":\"000000000025.png\"}],"
             "\"annotations\":[{\"id\":1,\"image_id\":25,\"caption\":\"A flat field.\"},"
             "{\"id\":2,\"image_id\":9,\"caption\":\"A street.\"},"
             "{\"id\":3,\"image_id\":9,\"caption\":\"The same street \"},"
             "{\"id\":4,\"image_id\":77,\"caption\":\"nowhere\"}]}");
    const struct json *got = import(&r, "coco", "in", "");
    CHECK_STR(captions(&r, "coco"), "A flat field.|A street.|The same street");
    CHECK_EQ(json_get_int(got, "n_quarantined", -1), 1);
    DONE(r);
}

TESTS_MAIN()
