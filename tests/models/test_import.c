/* Model files into the registry: checked, hashed, verified, counted with. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hash.h"
#include "engine/engine.h"
#include "models/registry.h"

static char *write_model(struct registry *r, const char *name, uint64_t seed)
{
    char *path = (char *)str_printf(r->arena, "%s/%s.gguf", r->dir, name).ptr;
    struct why why = {0};
    CHECK_OK(engine_make_random(
                 &(struct engine_random){.shape = "tiny", .kind = GGUF_TENSOR_F16, .seed = seed},
                 path, &why),
             &why);
    return path;
}

static const struct json *import(struct registry *r, const char *path, const char *rest)
{
    struct buf buf;
    struct json_out out;
    struct models_ask a = {.who = &r->system, .arena = r->arena, .if_match = -1, .out = &out};
    buf_init(&buf, r->arena);
    json_out_init(&out, &buf);
    r->why = (struct why){0};
    r->err = models_import(r->models, &a,
                           parse(r, str_printf(r->arena, "{\"path\":\"%s\"%s}", path, rest).ptr),
                           NULL, &r->why);
    return r->err ? NULL : parse(r, str_z(r->arena, buf_str(&buf)));
}

static enum err verify(struct registry *r, const char *name)
{
    struct models_ask a = {.who = &r->system, .arena = r->arena, .if_match = -1};
    r->why = (struct why){0};
    return models_verify(r->models, &a, str_c(name), NULL, &r->why);
}

static void flip_byte(const char *path, off_t at)
{
    unsigned char b = 0;
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0 && pread(fd, &b, 1, at) == 1);
    b ^= 0x40;
    CHECK(pwrite(fd, &b, 1, at) == 1);
    (void)close(fd);
}

TEST(a_file_fills_its_card_and_has_both_digests)
{
    REGISTRY(r);
    char *path = write_model(&r, "m", 1);
    struct str bytes;
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    struct arena *big = arena_new(64 << 20);
    const struct json *v =
        import(&r, path, ",\"model\":\"tiny\",\"card\":{\"filing\":\"京备1号\"}");
    CHECK_EQ(r.err, ERR_OK);
    if (r.err)
        printf("# %s\n", r.why.text);
    CHECK_OK(file_read(path, 32 << 20, big, &bytes, NULL), NULL);
    hash_of(HASH_SM3, bytes, digest);
    CHECK_STR(text_at(v, "sm3"), hex_put(digest, sizeof digest, hex));
    hash_of(HASH_SHA256, bytes, digest);
    CHECK_STR(text_at(v, "sha256"), hex_put(digest, sizeof digest, hex));
    CHECK(objects_has(r.objects, hex));
    CHECK_STR(text_at(v, "architecture"), "qwen2");
    CHECK_STR(text_at(v, "storage"), "object");
    CHECK_STR(text_at(v, "quantisation"), "F16");
    CHECK(json_get_int(v, "parameters", 0) > 100000);
    CHECK(json_get_int(v, "context", 0) > 0);
    CHECK(json_get_bool(v, "vocabulary", false) && json_get_bool(v, "chat_template", false));
    CHECK_STR(text_at(json_get(v, "header"), "type"), "model");
    const struct json *card = must(&r, SHOW, MODELS_MODEL, "tiny", "");
    CHECK_STR(text_at(card, "modality"), "chat");
    CHECK_STR(text_at(card, "filing"), "京备1号");
    /* A second version of the same model; its card is not made anew. */
    (void)import(&r, write_model(&r, "n", 2), ",\"model\":\"tiny\",\"version\":\"q\"");
    CHECK_EQ(r.err, ERR_OK);
    (void)import(&r, path, ",\"model\":\"tiny\",\"version\":\"q\"");
    CHECK_EQ(r.err, ERR_CONFLICT);
    (void)import(&r, path, ",\"model\":\"tiny\",\"card\":{\"title\":\"x\"}");
    CHECK_EQ(r.err, ERR_CONFLICT);
    CHECK_EQ(centre_acts(&r.c, "models.version.import", "ok"), 2);
    arena_free(big);
    registry_close(&r);
}

TEST(what_is_no_model_is_refused_with_the_reason)
{
    REGISTRY(r);
    char *path = write_model(&r, "m", 1);
    char *cut = (char *)str_printf(r.arena, "%s/cut.gguf", r.dir).ptr;
    char *text = (char *)str_printf(r.arena, "%s/text.gguf", r.dir).ptr;
    struct str bytes;
    struct arena *big = arena_new(64 << 20);
    CHECK_OK(file_read(path, 32 << 20, big, &bytes, NULL), NULL);
    CHECK_OK(file_write(cut, str_slice(bytes, 0, bytes.len / 2), 0600, NULL), NULL);
    CHECK_OK(file_write(text, STR("not a model at all, but long enough to look at"), 0600, NULL),
             NULL);
    (void)import(&r, cut, ",\"model\":\"tiny\"");
    CHECK_EQ(r.err, ERR_INVALID);
    printf("# %s\n", r.why.text);
    (void)import(&r, text, ",\"model\":\"tiny\"");
    CHECK_EQ(r.err, ERR_INVALID);
    printf("# %s\n", r.why.text);
    (void)import(&r, "/nowhere.gguf", ",\"model\":\"tiny\"");
    CHECK_EQ(r.err, ERR_NOT_FOUND);
    (void)import(&r, path, ",\"model\":\"a:b\"");
    CHECK_EQ(r.err, ERR_INVALID);
    (void)import(&r, path, ",\"model\":\"tiny\",\"store\":\"moon\"");
    CHECK_EQ(r.err, ERR_INVALID);
    (void)ask(&r, SHOW, MODELS_MODEL, "tiny", "");
    CHECK_EQ(r.err, ERR_NOT_FOUND); /* nothing was left behind */
    arena_free(big);
    registry_close(&r);
}

TEST(a_changed_file_is_found_and_not_deployed)
{
    REGISTRY(r);
    char *path = write_model(&r, "m", 1);
    (void)import(&r, path, ",\"model\":\"tiny\",\"store\":\"file\"");
    CHECK_EQ(r.err, ERR_OK);
    CHECK_EQ(verify(&r, "tiny:1"), ERR_OK);
    (void)must(&r, MAKE, MODELS_DEPLOYMENT, "", "{\"name\":\"d\",\"version\":\"tiny\"}");
    flip_byte(path, 200000);
    CHECK_EQ(verify(&r, "tiny:1"), ERR_CORRUPT);
    CHECK(strstr(r.why.text, "digests") != NULL);
    const struct json *v = must(&r, SHOW, MODELS_MODEL, "tiny:1", "");
    CHECK_STR(text_at(v, "state"), "damaged");
    (void)ask(&r, DO, MODELS_START, "d", "");
    CHECK_EQ(r.err, ERR_CONFLICT);
    flip_byte(path, 200000);
    CHECK_EQ(verify(&r, "tiny:1"), ERR_OK);
    (void)must(&r, DO, MODELS_START, "d", "");
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(verify(&r, "tiny:1"), ERR_CORRUPT);
    registry_close(&r);
}

struct counter {
    struct registry *r;
    const struct models_route *route;
    pthread_t thread;
    bool ok;
};

static void *count_many(void *arg)
{
    struct counter *c = arg;
    c->ok = true;
    for (int i = 0; i < 50; i++) {
        int64_t n = 0;
        bool estimate = true;
        c->ok = c->ok &&
                models_count_tokens(c->r->models, c->route, STR("一城一云一模型 one city"), &n,
                                    &estimate, NULL) == ERR_OK &&
                n > 0 && !estimate;
    }
    return NULL;
}

TEST(tokens_are_counted_by_the_model_s_own_vocabulary)
{
    REGISTRY(r);
    char *path = write_model(&r, "m", 1);
    (void)import(&r, path, ",\"model\":\"tiny\"");
    (void)must(&r, MAKE, MODELS_ENDPOINT, "",
               "{\"name\":\"e\",\"model\":\"far\",\"base_url\":\"http://a.example\"}");
    struct vocab *vocab = NULL;
    struct why why = {0};
    size_t exact = 0;
    int64_t n = 0;
    bool estimate = true;
    struct str text = STR("市民热线 12345，有什么可以帮您？");
    CHECK_OK(vocab_open_file(path, &vocab, &why), &why);
    CHECK_OK(vocab_count(vocab, text, 0, &exact, &why), &why);
    vocab_close(vocab);
    const struct models_route *route = route_of(&r, "tiny"), *far = route_of(&r, "far");
    CHECK_OK(models_count_tokens(r.models, route, text, &n, &estimate, &why), &why);
    CHECK(!estimate);
    CHECK_EQ(n, exact);
    CHECK_OK(models_count_tokens(r.models, far, text, &n, &estimate, &why), &why);
    CHECK(estimate && n > 0);
    models_route_free(far);
    /* An endpoint's model may count with the vocabulary of a file. */
    (void)must(&r, VERSION, 0, "far:1", "{\"tokenizer\":\"tiny:1\"}");
    far = route_of(&r, "far");
    CHECK_OK(models_count_tokens(r.models, far, text, &n, &estimate, &why), &why);
    CHECK(!estimate);
    CHECK_EQ(n, exact);
    struct counter c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = (struct counter){.r = &r, .route = i % 2 ? far : route};
        CHECK_EQ(pthread_create(&c[i].thread, NULL, count_many, &c[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(c[i].thread, NULL);
        CHECK(c[i].ok);
    }
    models_route_free(far);
    models_route_free(route);
    registry_close(&r);
}

TEST(a_version_carries_its_results_and_where_it_came_from)
{
    REGISTRY(r);
    (void)import(&r, write_model(&r, "m", 1), ",\"model\":\"tiny\"");
    (void)must(&r, VERSION, 0, "tiny:1",
               "{\"evaluations\":[{\"suite\":\"热线\",\"metric\":\"f1\",\"value\":0.91}],"
               "\"lineage\":{\"data_releases\":[\"hotline:3\"],\"training_runs\":[\"run-1\"]}}");
    const struct json *v = must(&r, SHOW, MODELS_MODEL, "tiny:1", "");
    CHECK_EQ(json_len(json_get(v, "evaluations")), 1);
    CHECK_STR(json_str(json_at(json_get(json_get(v, "lineage"), "data_releases"), 0), STR("")),
              "hotline:3");
    (void)ask(&r, VERSION, 0, "tiny:1", "{\"tokenizer\":\"none\"}");
    CHECK_EQ(r.err, ERR_NOT_FOUND);
    (void)ask(&r, VERSION, 0, "tiny:1", "{\"sha256\":\"00\"}");
    CHECK_EQ(r.err, ERR_INVALID);
    registry_close(&r);
}

TESTS_MAIN()
