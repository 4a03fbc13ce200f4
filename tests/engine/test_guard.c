/* The promises of engine/guard.h: what kills the child costs one request. */
#include "tap.h"

#include "core/arena.h"
#include "engine/guard.h"

#define ROOM  ((size_t)64 << 20)
#define HELLO STR("{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}")
#define PLAIN STR("{% for m in messages %}[{{ m.content }}]{% endfor %}")

/* Small limits, so that the test is quick; the sanitizers' own weight needs more time. */
static struct guard *start(int64_t cpu_ms)
{
    struct guard_limits limits = {.cpu_ms = cpu_ms, .memory = (size_t)64 << 20};
    struct guard *guard = NULL;
    struct why why = {0};
    CHECK_OK(guard_start(&limits, &guard, &why), &why);
    return guard;
}

static enum err open_text(struct guard *guard, struct str text, struct why *why)
{
    struct chat_source source = {.template_text = text};
    return guard_open(guard, &source, why);
}

/* A request of "content" that a template can choose by. */
static enum err render(struct guard *guard, struct str request, struct str *out,
                       struct arena *arena, struct why *why)
{
    return guard_render(guard, request, arena, out, why);
}

TEST(does_what_chat_does)
{
    if (!HAVE_LLAMA)
        SKIP("built without llama.cpp");
    struct arena *arena = arena_new(ROOM);
    struct guard *guard = start(2000);
    struct why why = {0};
    struct str out = STR("");
    CHECK_OK(open_text(guard, PLAIN, &why), &why);
    CHECK_OK(render(guard, HELLO, &out, arena, &why), &why);
    CHECK(str_find(out, STR("[hello]")) != STR_NPOS);
    CHECK_OK(guard_schema(guard, STR("{\"type\":\"boolean\"}"), arena, &out, &why), &why);
    CHECK(str_find(out, STR("root ::=")) != STR_NPOS);
    CHECK_OK(guard_grammar(guard, out, arena, &why), &why);
    CHECK_EQ(guard_grammar(guard, STR("root ::= \"a"), arena, &why), ERR_INVALID);
    CHECK_EQ(open_text(guard, STR("{% if %}"), NULL), ERR_INVALID);
    guard_stop(guard);
    arena_free(arena);
}

/* Each is harmless while it is analysed and does its worst when a user says so. */
TEST(outlives_hostile_templates)
{
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"{% for m in messages %}{% if m.content == 'now' %}{% for a in range(9999) %}{% for b in "
         "range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}{% endif %}"
         "[{{ m.content }}]{% endfor %}",
         ERR_TIMEOUT},
        {"{% macro f(x) %}{{ f(x) }}{% endmacro %}{% for m in messages %}{% if m.content == 'now' "
         "%}{{ f(1) }}{% endif %}[{{ m.content }}]{% endfor %}",
         ERR_TOO_LARGE},
        {"{% for m in messages %}{% if m.content == 'now' %}{% set ns = namespace(t='xxxxxxxx') %}"
         "{% for a in range(99) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{% endif %}"
         "[{{ m.content }}]{% endfor %}",
         ERR_TOO_LARGE},
    };
    if (!HAVE_LLAMA)
        SKIP("built without llama.cpp");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct guard *guard = start(500);
        struct why why = {0};
        struct str out = STR("");
        CHECK_OK(open_text(guard, str_c(cases[i].text), &why), &why);
        enum err err =
            render(guard, STR("{\"messages\":[{\"role\":\"user\",\"content\":\"now\"}]}"), &out,
                   arena, &why);
        CHECK(err != ERR_OK && why.text[0] != '\0');
        /* Memory may end as an error of the interpreter or as the child's death. */
        if (err != cases[i].err && !(i == 2 && (err == ERR_INVALID || err == ERR_NO_MEMORY)))
            printf("# case %zu: %s: %s\n", i, err_code(err), why.text);
        CHECK(err == cases[i].err || i == 2);
        why = (struct why){0};
        CHECK_OK(render(guard, HELLO, &out, arena, &why), &why);
        CHECK(str_find(out, STR("[hello]")) != STR_NPOS);
        guard_stop(guard);
        arena_free(arena);
    }
}

TEST(refuses_a_template_that_never_ends)
{
    if (!HAVE_LLAMA)
        SKIP("built without llama.cpp");
    struct guard *guard = start(300);
    struct why why = {0};
    CHECK_EQ(open_text(guard,
                       STR("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
                           "{% endfor %}"),
                       &why),
             ERR_TIMEOUT);
    CHECK(strstr(why.text, "template") != NULL);
    CHECK_OK(open_text(guard, PLAIN, &why), &why);
    guard_stop(guard);
}

TEST(outlives_hostile_schemas)
{
    if (!HAVE_LLAMA)
        SKIP("built without llama.cpp");
    struct arena *arena = arena_new(ROOM);
    struct guard *guard = start(500);
    struct str out;
    struct buf deep;
    struct why why = {0};
    buf_init(&deep, arena);
    for (int i = 0; i < 200000; i++)
        buf_add_c(&deep, "{\"items\":");
    CHECK(guard_schema(guard, buf_str(&deep), arena, &out, &why) != ERR_OK);
    buf_clear(&deep);
    buf_add_c(&deep, "{\"type\":\"string\",\"pattern\":\"^");
    for (int i = 0; i < 100000; i++)
        buf_char(&deep, '(');
    buf_add_c(&deep, "a$\"}"); /* an error, or any string: as long as there is an answer */
    enum err any = guard_schema(guard, buf_str(&deep), arena, &out, &why);
    CHECK(any == ERR_OK || any == ERR_INVALID || any == ERR_TOO_LARGE || any == ERR_TIMEOUT);
    buf_clear(&deep);
    buf_add_c(&deep, "root ::= ");
    for (int i = 0; i < 100000; i++)
        buf_char(&deep, '(');
    CHECK(guard_grammar(guard, buf_str(&deep), arena, &why) != ERR_OK);
    why = (struct why){0};
    CHECK_OK(guard_schema(guard, STR("{\"type\":\"boolean\"}"), arena, &out, &why), &why);
    guard_stop(guard);
    arena_free(arena);
}

TESTS_MAIN()
