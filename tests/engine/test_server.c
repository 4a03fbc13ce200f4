/* The engine's server under many callers at once: every one gets an answer, none is left behind. */
#include "tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "engine/engine.h"
#include "http/http.h"

#define ROOM ((size_t)16 << 20)

static struct engine *engine;
static char model[256];

static enum err open_engine(void)
{
    struct engine_random shape = {.shape = "tiny", .kind = GGUF_TENSOR_F16, .seed = 1};
    struct engine_opts opts = {.alias = "tiny",
                               .run = {.model = model, .threads = 1, .slots = 2, .context = 1024}};
    struct why why = {0};
    (void)snprintf(model, sizeof model, "/tmp/engine-server-%d.gguf", (int)getpid());
    enum err err = engine_make_random(&shape, model, &why);
    if (!err)
        err = engine_open(&opts, &engine, &why);
    if (err)
        printf("# %s\n", why_text(&why, err));
    return err;
}

/* ---- a caller ---- */

struct caller {
    const char *path, *body;
    size_t leave_after; /* bytes after which it hangs up; 0: it stays */
    size_t bytes;
    struct buf text;
    enum err err;
    int status;
};

static enum err take(void *ctx, struct str part, struct why *why)
{
    struct caller *c = ctx;
    c->bytes += part.len;
    buf_add(&c->text, part);
    return c->leave_after && c->bytes >= c->leave_after ? err_set(why, ERR_CANCELLED, "enough")
                                                        : ERR_OK;
}

static void *call(void *ctx)
{
    struct caller *c = ctx;
    static const char *headers[] = {"Content-Type: application/json"};
    struct arena *arena = arena_new(ROOM);
    struct http_answer answer = {0};
    struct why why = {0};
    char url[128];
    buf_init(&c->text, arena);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", engine_port(engine), c->path);
    struct http_call call = {.method = c->body ? "POST" : "GET",
                             .url = url,
                             .headers = headers,
                             .n_headers = c->body ? 1 : 0,
                             .body = str_c(c->body),
                             .connect_ms = 30000,
                             .total_ms = 120000,
                             .most = ROOM,
                             .part = take,
                             .ctx = c};
    c->err = http_fetch(&call, arena, &answer, &why);
    c->status = answer.status;
    /* The end of what came is looked at while the arena lives. */
    c->bytes = c->err ? c->bytes : buf_str(&c->text).len;
    struct str tail = str_trim(buf_str(&c->text));
    bool stream = c->body && strstr(c->body, "\"stream\":true");
    if (!c->err && c->status == 200 && stream && !str_ends(tail, STR("[DONE]")))
        c->err = ERR_CORRUPT;
    if (!c->err && c->status == 200 && !stream && !str_ends(tail, STR("}")))
        c->err = ERR_CORRUPT;
    arena_free(arena);
    return NULL;
}

static int64_t busy(void)
{
    struct arena *arena = arena_new(ROOM);
    const struct json *root = NULL;
    struct json_out out;
    struct buf text;
    buf_init(&text, arena);
    json_out_init(&out, &text);
    json_begin_object(&out);
    engine_load(engine, &out);
    json_end_object(&out);
    CHECK_OK(json_parse(buf_str(&text), arena, &root, NULL), NULL);
    int64_t n = json_get_int(root, "busy", -1) + json_get_int(root, "queued", -1);
    arena_free(arena);
    return n;
}

#define ASK(more) "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"seed\":1," more "}"

TEST(answers_all_and_drops_those_who_leave)
{
    static const char *const bodies[] = {
        ASK("\"max_tokens\":12,\"stream\":true"),
        ASK("\"max_tokens\":12,\"n\":2,\"logprobs\":true,\"top_logprobs\":2"),
        ASK("\"max_tokens\":900,\"ignore_eos\":true,\"stream\":true"), /* leaves */
        ASK("\"max_tokens\":60,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
            "\"schema\":{\"enum\":[1,2]}}}"),
        ASK("\"max_tokens\":12,\"stream\":true,\"n\":2,\"logprobs\":true"),
        "{\"messages\":[]}", /* refused */
    };
    enum { N = 24 };
    pthread_t threads[N];
    struct caller callers[N];
    if (!HAVE_LLAMA)
        SKIP("built without llama.cpp");
    CHECK_EQ(open_engine(), ERR_OK);
    for (size_t i = 0; engine && i < N; i++) {
        size_t k = i % 6;
        callers[i] = (struct caller){
            .path = "/v1/chat/completions", .body = bodies[k], .leave_after = k == 2 ? 400 : 0};
        CHECK_EQ(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    for (size_t i = 0; engine && i < N; i++) {
        (void)pthread_join(threads[i], NULL);
        CHECK_EQ(callers[i].err, i % 6 == 2 ? ERR_CANCELLED : ERR_OK);
        if (i % 6 != 2)
            CHECK_EQ(callers[i].status, i % 6 == 5 ? 400 : 200);
    }
    for (int i = 0; engine && i < 600 && busy(); i++)
        time_sleep_ms(50);
    CHECK(!engine || busy() == 0);
}

/* Closing with answers under way: those that have the time end, the others are cut; it returns. */
TEST(ends_with_answers_under_way)
{
    enum { N = 4 };
    pthread_t threads[N];
    struct caller callers[N];
    if (!HAVE_LLAMA || !engine)
        SKIP("there is no engine");
    for (size_t i = 0; i < N; i++) {
        callers[i] = (struct caller){
            .path = "/v1/chat/completions",
            .body = i % 2 ? ASK("\"max_tokens\":900,\"ignore_eos\":true,\"stream\":true")
                          : ASK("\"max_tokens\":900,\"ignore_eos\":true")};
        CHECK_EQ(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < 600 && !busy(); i++)
        time_sleep_ms(10);
    engine_close(engine, 0);
    for (size_t i = 0; i < N; i++)
        (void)pthread_join(threads[i], NULL); /* an answer or an error, not a hang */
    (void)unlink(model);
}

TESTS_MAIN()
