/* engine/run: text from the real tiny model of llama2.c. */
#include "run_kit.h"

#include <math.h>

/* Ends at process end: most tests share one loaded model. */
static struct run *shared;

static struct run *open_with(struct run_opts opts)
{
    struct run *run = NULL;
    struct why why = {0};
    opts.model = opts.model ? opts.model : kit_stories();
    opts.threads = 1;
    /* The most exact there is: what is computed in other batches differs by 4e-6, so that texts can
     * be compared. With the defaults it is 2e-3, which turns a near tie in 100 tokens or so. */
    opts.cache_k = opts.cache_k ? opts.cache_k : "f32";
    opts.cache_v = opts.cache_v ? opts.cache_v : "f32";
    opts.flash = opts.flash ? opts.flash : "off";
    CHECK_OK(run_open(&opts, &run, &why), &why);
    return run;
}

static void close_shared(void)
{
    run_close(shared);
}

static struct run *stories(void)
{
    if (!shared && kit_stories()) {
        shared = open_with((struct run_opts){.slots = 4});
        (void)atexit(close_shared);
    }
    return shared;
}

#define NEED_STORIES()                                                                             \
    NEED_LLAMA();                                                                                  \
    if (!stories())                                                                                \
    SKIP("the model stories260K is not here")

/* "Once upon" and so on as tokens; good until the process ends. */
static struct run_input prompt(const char *text)
{
    static struct arena *arena;
    struct run_input in = {0};
    int32_t *tokens = NULL;
    struct why why = {0};
    arena = arena ? arena : arena_new(64 << 20);
    CHECK_OK(run_tokenize(shared, str_c(text), true, false, arena, &tokens, &in.n, &why), &why);
    in.tokens = tokens;
    return in;
}

static struct str text_of(const struct heard *h, int choice)
{
    return (struct str){h->choice[choice].text, h->choice[choice].len};
}

/* The story that the model's author printed: the block behind the command with temperature 0. */
static struct str reference(struct arena *arena)
{
    const char *path = tap_dataset("tiny-models/llama2c-tokenizer/doc/stories260K.md");
    struct str doc, none = STR_NONE;
    if (!path || file_read(path, 1 << 20, arena, &doc, NULL))
        return none;
    size_t at = str_find(doc, STR("-t 0.0\n"));
    size_t start = at == STR_NPOS ? at : at + STR("-t 0.0\n").len;
    size_t end = at == STR_NPOS ? at : str_find_from(doc, STR("\n```"), start);
    return end == STR_NPOS ? none : str_slice(doc, start, end);
}

TEST(writes_the_authors_story_word_for_word)
{
    static const int32_t ids[] = {403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315,
                                  421, 395, 317, 426, 338, 401, 396, 267, 337, 410, 408,
                                  419, 292, 411, 322, 265, 282, 295, 433, 426, 385, 328,
                                  432, 358, 394, 261, 370, 432, 352, 266, 268, 388, 426};
    static const int32_t bos = 1;
    NEED_STORIES();
    struct arena *arena = arena_new(4 << 20);
    struct run_input in = {&bos, 1};
    struct heard *h =
        heard_all(shared, &(struct run_request){.inputs = &in, .n_inputs = 1, .max_tokens = 256});
    struct str story = reference(arena), got = str_trim(text_of(h, 0));
    CHECK_OK(h->err, &h->why);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        CHECK_EQ(h->choice[0].ids[i], ids[i]);
    CHECK(story.len > 500);
    CHECK(str_eq(got, story));
    CHECK_EQ(h->choice[0].finish, RUN_FINISH_LENGTH);
    CHECK_EQ(h->usage.prompt, 1);
    CHECK_EQ(h->usage.completion, 256);
    CHECK_EQ(h->choice[0].n, 256);
    heard_free(h);
    arena_free(arena);
}

TEST(every_kind_of_cache_writes)
{
    static const int32_t bos = 1;
    NEED_STORIES();
    const struct {
        const char *k, *v, *flash;
    } caches[] = {{"f16", "f16", "auto"}, {"f16", "f16", "off"}, {"bf16", "bf16", "on"}};
    for (size_t i = 0; i < sizeof caches / sizeof caches[0]; i++) {
        struct run *run = open_with((struct run_opts){
            .slots = 1, .cache_k = caches[i].k, .cache_v = caches[i].v, .flash = caches[i].flash});
        struct run_input in = {&bos, 1};
        if (!run)
            return;
        struct heard *h =
            heard_all(run, &(struct run_request){.inputs = &in, .n_inputs = 1, .max_tokens = 12});
        CHECK_STR(str_trim(text_of(h, 0)), "Once upon a time, there was a little girl");
        heard_free(h);
        run_close(run);
    }
}

static const char *const openings[] = {
    "Once upon a time, there was a big dog who",
    "Lily and Tom went to the park. They saw",
    "One day",
    "The cat was sad because she had lost her red ball. She asked her mom to help. Her mom said,",
    "Tim has a new car. It is",
    "There was a bird",
};
enum { OPENINGS = sizeof openings / sizeof openings[0] };

/* Six requests on four slots against each of them by itself on a fresh slot. */
static void alone_and_together(struct run *run)
{
    struct heard *alone[OPENINGS], *together[OPENINGS];
    struct run_input in[OPENINGS];
    struct run_request r[OPENINGS];
    for (size_t i = 0; i < OPENINGS; i++) {
        in[i] = prompt(openings[i]);
        r[i] = (struct run_request){
            .inputs = &in[i], .n_inputs = 1, .max_tokens = 60 + (uint32_t)i, .no_cache = true};
        alone[i] = heard_all(run, &r[i]);
    }
    for (size_t i = 0; i < OPENINGS; i++) {
        together[i] = heard_new();
        CHECK_OK(heard_ask(run, &r[i], together[i], NULL), NULL);
    }
    for (size_t i = 0; i < OPENINGS; i++) {
        heard_wait(together[i]);
        CHECK_OK(together[i]->err, &together[i]->why);
        CHECK(alone[i]->choice[0].len > 50);
        CHECK(str_eq(text_of(alone[i], 0), text_of(together[i], 0)));
        heard_free(alone[i]);
        heard_free(together[i]);
    }
}

TEST(a_request_gets_the_same_text_alone_and_among_others)
{
    NEED_STORIES();
    alone_and_together(shared);
}

TEST(a_cache_for_each_slot_gives_the_same_text)
{
    NEED_STORIES();
    struct run *run = open_with((struct run_opts){.slots = 3, .context = 1536, .split_kv = true});
    if (run)
        alone_and_together(run);
    run_close(run);
}

/* A prompt's start that a slot holds is not computed again, and changes nothing. */
static void reuses(struct run *run)
{
    struct run_input longer = prompt(openings[3]), in = longer;
    struct heard *first, *again, *other;
    first = heard_all(run, &(struct run_request){
                               .inputs = &in, .n_inputs = 1, .max_tokens = 40, .no_cache = true});
    again = heard_all(run, &(struct run_request){.inputs = &in, .n_inputs = 1, .max_tokens = 40});
    CHECK_EQ(first->usage.cached, 0);
    CHECK_EQ(again->usage.cached, longer.n - 1);
    CHECK(str_eq(text_of(first, 0), text_of(again, 0)));
    /* Another end on the same start; then, while that one's slot remembers it, the first again. */
    in = (struct run_input){longer.tokens, longer.n - 4};
    other = heard_all(run, &(struct run_request){.inputs = &in, .n_inputs = 1, .max_tokens = 30});
    CHECK_EQ(other->usage.cached, in.n - 1);
    heard_free(again);
    in = longer;
    again = heard_all(run, &(struct run_request){.inputs = &in, .n_inputs = 1, .max_tokens = 40});
    CHECK(again->usage.cached >= longer.n - 5);
    CHECK(str_eq(text_of(first, 0), text_of(again, 0)));
    heard_free(first);
    heard_free(again);
    heard_free(other);
}

TEST(a_prefix_is_reused_and_changes_nothing)
{
    NEED_STORIES();
    reuses(shared);
    struct run *split = open_with((struct run_opts){.slots = 3, .context = 1536, .split_kv = true});
    if (split)
        reuses(split);
    run_close(split);
}

/* While one slot writes on a prompt, another request with the same prompt takes it over from there.
 */
TEST(a_prefix_is_taken_from_a_slot_that_is_busy)
{
    NEED_STORIES();
    for (int split = 0; split < 2; split++) {
        struct run *run =
            open_with((struct run_opts){.slots = 2, .context = 1024, .split_kv = split == 1});
        struct run_input in = prompt(openings[3]);
        struct run_request r = {.inputs = &in, .n_inputs = 1, .max_tokens = 200};
        struct heard *first = heard_new(), *second = heard_new();
        if (!run)
            return;
        CHECK_OK(heard_ask(run, &r, first, NULL), NULL);
        heard_begun(first);
        CHECK_OK(heard_ask(run, &r, second, NULL), NULL);
        heard_wait(first);
        heard_wait(second);
        CHECK_EQ(second->usage.cached, in.n - 1);
        CHECK(str_eq(text_of(first, 0), text_of(second, 0)));
        heard_free(first);
        heard_free(second);
        run_close(run);
    }
}

/* One slot and other requests in between: what the slot held is taken from outside the cache. */
static void recalls(struct run_opts opts, uint64_t cached_least, uint64_t cached_most)
{
    struct run *run = open_with(opts);
    struct run_input in[3], first = prompt(openings[3]);
    struct run_request r = {.inputs = &first, .n_inputs = 1, .max_tokens = 40};
    struct run_state before, after;
    if (!run)
        return;
    struct heard *fresh = heard_all(run, &r);
    run_state(run, &before);
    for (size_t i = 0; i < 3; i++) {
        in[i] = prompt(openings[i]);
        heard_free(heard_all(
            run, &(struct run_request){.inputs = &in[i], .n_inputs = 1, .max_tokens = 40}));
    }
    struct heard *again = heard_all(run, &r);
    run_state(run, &after);
    CHECK(again->usage.cached >= cached_least && again->usage.cached <= cached_most);
    CHECK_EQ(after.recalled - before.recalled, cached_least > 2);
    CHECK_EQ(after.remembered_bytes > 0, opts.remember_bytes >= 0);
    CHECK(opts.remember_bytes <= 0 || after.remembered_bytes <= (uint64_t)opts.remember_bytes);
    CHECK(str_eq(text_of(fresh, 0), text_of(again, 0)));
    heard_free(fresh);
    heard_free(again);
    run_close(run);
}

TEST(what_a_slot_held_before_is_recalled)
{
    NEED_STORIES();
    uint64_t all = prompt(openings[3]).n - 1;
    recalls((struct run_opts){.slots = 1}, all, all);
    recalls((struct run_opts){.slots = 1, .split_kv = true}, all, all);
    recalls((struct run_opts){.slots = 1, .flash = "on"}, all, all);
    /* Not kept, or too little room for four: only the begin token and what openings share. */
    recalls((struct run_opts){.slots = 1, .remember_bytes = -1}, 0, 2);
    recalls((struct run_opts){.slots = 1, .remember_bytes = 100000}, 0, 2);
}

/* Two slots, one cache: who writes alone does not share the cache with what the other held. */
TEST(what_is_idle_leaves_the_cache)
{
    NEED_STORIES();
    struct run *run = open_with((struct run_opts){.slots = 2, .context = 1024});
    struct run_input in[2] = {prompt(openings[0]), prompt(openings[3])};
    struct run_state state;
    if (!run)
        return;
    for (size_t i = 0; i < 2; i++)
        heard_free(heard_all(
            run, &(struct run_request){.inputs = &in[i], .n_inputs = 1, .max_tokens = 20}));
    run_state(run, &state);
    CHECK_EQ((state.slots[0].cached > 0) + (state.slots[1].cached > 0), 1);
    CHECK(state.remembered_bytes > 0);
    run_close(run);
}

/* A prompt of some hundred tokens is read while another answer is written: steps take turns, and
 * neither text changes. */
TEST(reading_and_writing_take_turns)
{
    NEED_STORIES();
    struct run *run = open_with((struct run_opts){.slots = 2, .context = 1024});
    char text[2000] = "";
    for (size_t i = 0; i < 12; i++)
        (void)strncat(text, openings[i % OPENINGS], sizeof text - strlen(text) - 1);
    struct run_input in[2] = {prompt(openings[4]), prompt(text)};
    struct run_request r[2] = {
        {.inputs = &in[0], .n_inputs = 1, .max_tokens = 300, .no_cache = true},
        {.inputs = &in[1], .n_inputs = 1, .max_tokens = 40, .no_cache = true}};
    struct heard *alone[2], *together[2] = {heard_new(), heard_new()};
    if (!run)
        return;
    CHECK(in[1].n > 128);
    for (size_t i = 0; i < 2; i++)
        alone[i] = heard_all(run, &r[i]);
    CHECK_OK(heard_ask(run, &r[0], together[0], NULL), NULL);
    heard_begun(together[0]);
    CHECK_OK(heard_ask(run, &r[1], together[1], NULL), NULL);
    for (size_t i = 0; i < 2; i++) {
        heard_wait(together[i]);
        CHECK(alone[i]->choice[0].len > 50);
        CHECK(str_eq(text_of(alone[i], 0), text_of(together[i], 0)));
        heard_free(alone[i]);
        heard_free(together[i]);
    }
    run_close(run);
}

/* Several answers to one prompt: it is read once, and answer i is that of the seed + i alone. */
TEST(choices_share_the_prompt_and_have_seeds_of_their_own)
{
    NEED_STORIES();
    struct run_input in = prompt(openings[0]);
    struct run_request r = {
        .inputs = &in,
        .n_inputs = 1,
        .max_tokens = 30,
        .choices = 3,
        .no_cache = true,
        .sampling = {.temperature = 1, .top_p = 0.9f, .seeded = true, .seed = 100}};
    struct heard *three = heard_all(shared, &r);
    CHECK_OK(three->err, &three->why);
    CHECK_EQ(three->usage.prompt, in.n);
    CHECK_EQ(three->usage.completion, three->choice[0].n + three->choice[1].n + three->choice[2].n);
    CHECK(!str_eq(text_of(three, 0), text_of(three, 1)));
    CHECK(!str_eq(text_of(three, 1), text_of(three, 2)));
    r.choices = 1;
    for (uint32_t i = 0; i < 3; i++) {
        r.sampling.seed = 100 + i;
        struct heard *one = heard_all(shared, &r);
        CHECK(str_eq(text_of(one, 0), text_of(three, (int)i)));
        heard_free(one);
    }
    heard_free(three);
}

TEST(without_a_seed_answers_differ)
{
    NEED_STORIES();
    struct run_input in = prompt("One day");
    struct run_request r = {
        .inputs = &in, .n_inputs = 1, .max_tokens = 40, .sampling = {.temperature = 1}};
    struct heard *a = heard_all(shared, &r), *b = heard_all(shared, &r);
    CHECK(!str_eq(text_of(a, 0), text_of(b, 0)));
    heard_free(a);
    heard_free(b);
}

TEST(the_answer_ends_before_a_stop_string)
{
    static const struct str stops[] = {STR_INIT("nobody says this"), STR_INIT("park. One")};
    NEED_STORIES();
    struct run_input in = prompt("");
    struct heard *h = heard_all(
        shared, &(struct run_request){
                    .inputs = &in, .n_inputs = 1, .max_tokens = 200, .stops = stops, .n_stops = 2});
    CHECK(str_ends(text_of(h, 0), STR("She loved to play outside in the ")));
    CHECK_EQ(h->choice[0].finish, RUN_FINISH_STOP);
    CHECK_STR(str_c(h->choice[0].stop), "park. One");
    heard_free(h);
}

TEST(a_cancel_ends_it_and_frees_the_slot)
{
    NEED_STORIES();
    struct run *run = open_with((struct run_opts){.slots = 1});
    struct run_input in = prompt("One day");
    struct run_request r = {.inputs = &in, .n_inputs = 1, .sampling = {.ignore_eos = true}};
    struct heard *h = heard_new(), *waiting = heard_new();
    struct run_state state;
    if (!run)
        return;
    h->cancel_after = 3;
    CHECK_OK(heard_ask(run, &r, h, NULL), NULL);
    CHECK_OK(heard_ask(run, &r, waiting, NULL), NULL);
    run_cancel(waiting->call); /* it may not have a slot yet */
    heard_wait(h);
    heard_wait(waiting);
    CHECK_EQ(h->err, ERR_CANCELLED);
    CHECK(h->usage.completion >= 3 && h->usage.completion < 20);
    CHECK(!h->choice[0].ended);
    CHECK_EQ(waiting->err, ERR_CANCELLED);
    r.max_tokens = 5;
    heard_free(h);
    h = heard_all(run, &r); /* the slot is free again */
    CHECK_OK(h->err, &h->why);
    run_state(run, &state);
    CHECK_EQ(state.active + state.waiting, 0);
    CHECK_EQ(state.slots[0].phase, RUN_SLOT_IDLE);
    CHECK_EQ(state.cancelled, 2);
    heard_free(h);
    heard_free(waiting);
    run_close(run);
}

/* In the middle of a long prompt: the step is broken off, and what it left behind harms nobody. */
TEST(a_cancel_breaks_off_the_reading)
{
    NEED_STORIES();
    static int32_t many[2000];
    struct run *run = open_with((struct run_opts){.slots = 1, .context = 2560});
    if (!run)
        return;
    many[0] = 1;
    for (size_t i = 1; i < 2000; i++)
        many[i] = 259 + (int32_t)(i * 7 % 200);
    for (int64_t wait = 0; wait < 60; wait += 12) {
        struct run_input in = {many, 2000};
        struct run_request r = {.inputs = &in, .n_inputs = 1, .max_tokens = 10};
        struct heard *h = heard_new();
        CHECK_OK(heard_ask(run, &r, h, NULL), NULL);
        time_sleep_ms(wait);
        run_cancel(h->call);
        heard_wait(h);
        CHECK(h->err == ERR_CANCELLED || (h->err == ERR_OK && h->choice[0].n == 10));
        heard_free(h);
        /* A shorter prompt reuses what was read for certain, and is answered as without. */
        in.n = 300;
        struct heard *reused = heard_all(run, &r);
        r.no_cache = true;
        struct heard *fresh = heard_all(run, &r);
        CHECK_OK(reused->err, &reused->why);
        CHECK(str_eq(text_of(reused, 0), text_of(fresh, 0)));
        heard_free(reused);
        heard_free(fresh);
    }
    run_close(run);
}

TEST(a_released_request_is_never_heard_again)
{
    NEED_STORIES();
    struct run_input in = prompt("One day");
    struct run_request r = {.inputs = &in, .n_inputs = 1, .sampling = {.ignore_eos = true}};
    for (int i = 0; i < 20; i++) {
        struct heard *h = heard_new();
        CHECK_OK(heard_ask(shared, &r, h, NULL), NULL);
        if (i % 2)
            time_sleep_ms(1);
        run_release(h->call);
        memset(h, 0xFF, sizeof *h); /* whoever writes here is seen by the checkers */
        free(h);
    }
    r.max_tokens = 1;
    heard_free(heard_all(shared, &r));
}

TEST(what_does_not_fit_is_refused_with_numbers)
{
    NEED_STORIES();
    static int32_t many[600];
    for (size_t i = 0; i < 600; i++)
        many[i] = 300;
    uint32_t context = run_info(shared)->context;
    CHECK_EQ(context, 512);
    const struct {
        size_t n;
        uint32_t max_tokens;
        const char *words;
    } cases[] = {
        {600, 0, "has 600 tokens, the context holds 512"},
        {512, 0, "has 512 tokens, the context holds 512"},
        {500, 13, "has 500 tokens and the answer may have 13, together 513; the context holds 512"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct run_input in = {many, cases[i].n};
        struct heard *h = heard_all(
            shared,
            &(struct run_request){.inputs = &in, .n_inputs = 1, .max_tokens = cases[i].max_tokens});
        CHECK_EQ(h->err, ERR_TOO_LARGE);
        CHECK(strstr(h->why.text, cases[i].words) != NULL);
        heard_free(h);
    }
    /* Up to the last token of the context, and not further. */
    struct run_input in = {many, 500};
    struct heard *h = heard_all(
        shared,
        &(struct run_request){.inputs = &in, .n_inputs = 1, .sampling = {.ignore_eos = true}});
    CHECK_OK(h->err, &h->why);
    CHECK_EQ(h->usage.completion, 12);
    CHECK_EQ(h->choice[0].finish, RUN_FINISH_LENGTH);
    heard_free(h);
}

TEST(refuses_what_is_not_well_formed)
{
    NEED_STORIES();
    static const int32_t wrong = 512, low = -1, fine = 1;
    struct str empty = STR("");
    struct run_bias bias = {600, 1};
    struct run_lora lora = {"nobody", 1};
    const struct run_input bad = {&wrong, 1}, neg = {&low, 1}, ok = {&fine, 1}, none = {&fine, 0};
    const struct run_request cases[] = {
        {.n_inputs = 0},
        {.inputs = &bad, .n_inputs = 1},
        {.inputs = &neg, .n_inputs = 1},
        {.inputs = &none, .n_inputs = 1},
        {.inputs = &ok, .n_inputs = 1, .sampling = {.temperature = -1}},
        {.inputs = &ok, .n_inputs = 1, .stops = &empty, .n_stops = 1},
        {.inputs = &ok, .n_inputs = 1, .sampling = {.bias = &bias, .n_bias = 1}},
        {.inputs = &ok, .n_inputs = 1, .loras = &lora, .n_loras = 1},
        {.inputs = &ok, .n_inputs = 1, .choices = 17},
        {.inputs = &ok, .n_inputs = 1, .n_tops = 21},
        {.inputs = &ok, .n_inputs = 1, .priority = 101},
        {.inputs = &ok, .n_inputs = 1, .preserved = &wrong, .n_preserved = 1},
        {.inputs = &ok, .n_inputs = 1, .grammar = {.gbnf = STR_INIT("root ::= missing")}},
        {.inputs = &ok, .n_inputs = 1, .grammar = {.gbnf = STR_INIT("root ::= root \"a\"")}},
        {.inputs = &ok, .n_inputs = 1, .grammar = {.gbnf = STR_INIT("other ::= \"a\"")}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct heard *h = heard_all(shared, &cases[i]);
        CHECK_EQ(h->err, ERR_INVALID);
        CHECK(h->why.text[0] != '\0');
        heard_free(h);
    }
    struct heard *h =
        heard_all(shared, &(struct run_request){.kind = RUN_EMBED, .inputs = &ok, .n_inputs = 1});
    CHECK_EQ(h->err, ERR_UNSUPPORTED);
    heard_free(h);
}

TEST(a_grammar_is_kept)
{
    NEED_STORIES();
    struct run_input in = prompt("Tim said");
    struct run_request r = {.inputs = &in, .n_inputs = 1, .max_tokens = 60};
    r.grammar.gbnf = STR("root ::= \"{\\\"name\\\":\\\"\" [A-Z] [a-z]{2,6} \"\\\",\\\"n\\\":\" "
                         "[1-9] [0-9]{0,2} \"}\"");
    for (uint32_t seed = 0; seed < 5; seed++) {
        const struct json *object = NULL;
        struct arena *arena = arena_new(1 << 20);
        r.sampling =
            (struct run_sampling){.temperature = seed ? 1.5f : 0, .seeded = true, .seed = seed};
        struct heard *h = heard_all(shared, &r);
        CHECK_OK(h->err, &h->why);
        CHECK_EQ(h->choice[0].finish, RUN_FINISH_STOP);
        CHECK_OK(json_parse(text_of(h, 0), arena, &object, NULL), NULL);
        CHECK(json_get_str(object, "name", STR("")).len >= 3);
        CHECK(json_get_int(object, "n", -1) >= 0);
        heard_free(h);
        arena_free(arena);
    }
    /* An end that is forbidden and a grammar that is over: the answer is over. */
    r.grammar.gbnf = STR("root ::= \"yes\" | \"no\"");
    r.sampling = (struct run_sampling){.ignore_eos = true};
    struct heard *h = heard_all(shared, &r);
    CHECK_OK(h->err, &h->why);
    CHECK(str_eq_c(text_of(h, 0), "yes") || str_eq_c(text_of(h, 0), "no"));
    heard_free(h);
}

TEST(a_lazy_grammar_waits_for_its_trigger)
{
    NEED_STORIES();
    struct str pattern = STR("(Lily)[\\s\\S]*");
    struct run_input in = prompt("");
    struct heard *h = heard_all(
        shared, &(struct run_request){.inputs = &in,
                                      .n_inputs = 1,
                                      .max_tokens = 200,
                                      .grammar = {.gbnf = STR_INIT("root ::= \"Lily\" \"?\"{3}"),
                                                  .lazy = true,
                                                  .patterns = &pattern,
                                                  .n_patterns = 1}});
    CHECK_OK(h->err, &h->why);
    CHECK_STR(str_trim(text_of(h, 0)), "Once upon a time, there was a little girl named Lily???");
    heard_free(h);
}

TEST(log_probabilities_are_those_of_the_model)
{
    NEED_STORIES();
    struct run_input in = prompt("One day");
    struct run_request r = {
        .inputs = &in, .n_inputs = 1, .max_tokens = 20, .logprobs = true, .n_tops = 20};
    struct heard *h = heard_all(shared, &r);
    struct heard_choice *c = &h->choice[0];
    CHECK_EQ(c->n, 20);
    CHECK_EQ(c->n_tops, 20);
    for (size_t i = 0; i < c->n; i++) {
        double sum = 0;
        for (size_t j = 0; j < 20; j++) {
            sum += exp((double)c->tops[i][j]);
            CHECK(j == 0 || c->tops[i][j] <= c->tops[i][j - 1]);
        }
        CHECK(sum > 0.5 && sum <= 1.0001);
        CHECK_EQ(c->top_ids[i][0], c->ids[i]); /* greedy */
        CHECK(c->logprob[i] == c->tops[i][0]);
    }
    /* Options of sampling do not change them: the first token's is the same when it is forced. */
    struct run_bias bias = {c->top_ids[0][5], 100};
    float expected = c->tops[0][5];
    r.sampling.bias = &bias;
    r.sampling.n_bias = 1;
    r.max_tokens = 1;
    struct heard *forced = heard_all(shared, &r);
    CHECK_EQ(forced->choice[0].ids[0], bias.token);
    CHECK(fabsf(forced->choice[0].logprob[0] - expected) < 1e-4f);
    heard_free(h);
    heard_free(forced);
}

TEST(a_forbidden_token_does_not_come)
{
    NEED_STORIES();
    struct run_input in = prompt("One day");
    struct run_request r = {.inputs = &in, .n_inputs = 1, .max_tokens = 50};
    struct heard *h = heard_all(shared, &r);
    struct run_bias bias = {h->choice[0].ids[3], -100};
    r.sampling.bias = &bias;
    r.sampling.n_bias = 1;
    struct heard *without = heard_all(shared, &r);
    CHECK_EQ(without->choice[0].n, 50);
    for (size_t i = 0; i < without->choice[0].n; i++)
        CHECK(without->choice[0].ids[i] != bias.token);
    heard_free(h);
    heard_free(without);
}

/* A cache that cannot hold four long answers: they take turns, and none is worse for it. */
TEST(when_the_cache_is_full_somebody_steps_back_and_comes_again)
{
    NEED_STORIES();
    struct run *run = open_with((struct run_opts){.slots = 4, .context = 256});
    struct heard *alone[4], *together[4];
    struct run_input in[4];
    struct run_request r[4];
    struct run_state state;
    if (!run)
        return;
    for (size_t i = 0; i < 4; i++) {
        in[i] = prompt(openings[i == 3 ? 4 : i]);
        r[i] = (struct run_request){
            .inputs = &in[i], .n_inputs = 1, .max_tokens = 190, .sampling = {.ignore_eos = true}};
        alone[i] = heard_all(run, &r[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        together[i] = heard_new();
        CHECK_OK(heard_ask(run, &r[i], together[i], NULL), NULL);
    }
    for (size_t i = 0; i < 4; i++) {
        heard_wait(together[i]);
        CHECK_OK(together[i]->err, &together[i]->why);
        CHECK_EQ(together[i]->usage.completion, 190);
        CHECK(str_eq(text_of(alone[i], 0), text_of(together[i], 0)));
        heard_free(alone[i]);
        heard_free(together[i]);
    }
    run_state(run, &state);
    CHECK(state.preempted > 0);
    run_close(run);
}

/* One slot: who has been served least goes first, and priority goes before that. */
TEST(the_line_is_fair_and_bounded)
{
    NEED_STORIES();
    struct run *run = open_with((struct run_opts){.slots = 1, .queue = 8});
    struct run_input in = prompt("One day");
    struct run_request r = {
        .inputs = &in, .n_inputs = 1, .max_tokens = 400, .sampling = {.ignore_eos = true}};
    struct heard *h[9];
    struct why why = {0};
    if (!run)
        return;
    for (size_t i = 0; i < 9; i++)
        h[i] = heard_new();
    r.key = STR("a");
    CHECK_OK(heard_ask(run, &r, h[0], NULL), NULL);
    heard_begun(h[0]);
    /* The slot is taken; the rest waits. a comes five times more, then b, then somebody urgent. */
    r.max_tokens = 20;
    for (size_t i = 1; i < 6; i++)
        CHECK_OK(heard_ask(run, &r, h[i], NULL), NULL);
    r.key = STR("b");
    CHECK_OK(heard_ask(run, &r, h[6], NULL), NULL);
    CHECK_OK(heard_ask(run, &r, h[7], NULL), NULL);
    r.priority = 1;
    CHECK_OK(heard_ask(run, &r, h[8], NULL), NULL);
    struct heard *over = heard_new();
    enum err full = heard_ask(run, &r, over, &why);
    bool was_over = heard_over(h[0]);
    for (size_t i = 0; i < 9; i++)
        heard_wait(h[i]);
    if (was_over)
        printf("# the first answer was over before the line was full\n");
    else
        CHECK_EQ(full, ERR_BUSY);
    if (!full)
        heard_wait(over);
    CHECK(h[8]->when < h[6]->when && h[8]->when < h[1]->when);
    /* b was not served yet: lifted to a's counter when it came, so it is not behind all of a. */
    CHECK(h[6]->when < h[5]->when && h[7]->when < h[5]->when);
    for (size_t i = 1; i < 5; i++)
        CHECK(h[i]->when < h[i + 1]->when); /* within a key, in order */
    for (size_t i = 0; i < 9; i++)
        heard_free(h[i]);
    heard_free(over);
    run_close(run);
}

TEST(a_deadline_is_kept)
{
    NEED_STORIES();
    struct run *run = open_with((struct run_opts){.slots = 1, .context = 4096});
    struct run_input in = prompt("One day");
    if (!run)
        return;
    struct heard *h = heard_all(
        run, &(struct run_request){
                 .inputs = &in, .n_inputs = 1, .deadline_ms = 1, .sampling = {.ignore_eos = true}});
    CHECK_EQ(h->err, ERR_TIMEOUT);
    heard_free(h);
    run_close(run);
}

TEST(closing_ends_what_is_in_flight)
{
    NEED_STORIES();
    struct run *run = open_with((struct run_opts){.slots = 1});
    struct run_input in = prompt("One day");
    struct run_request r = {.inputs = &in, .n_inputs = 1, .sampling = {.ignore_eos = true}};
    struct heard *a = heard_new(), *b = heard_new(), *c = heard_new();
    struct why why = {0};
    if (!run)
        return;
    CHECK_OK(heard_ask(run, &r, a, NULL), NULL);
    CHECK_OK(heard_ask(run, &r, b, NULL), NULL);
    run_drain(run);
    CHECK_EQ(heard_ask(run, &r, c, &why), ERR_UNAVAILABLE);
    run_close(run);
    heard_wait(a);
    heard_wait(b);
    CHECK(a->err == ERR_CANCELLED || a->err == ERR_OK);
    CHECK(b->err == ERR_CANCELLED || b->err == ERR_OK);
    heard_free(a);
    heard_free(b);
    heard_free(c);
}

TEST(text_becomes_tokens_and_back)
{
    NEED_STORIES();
    struct arena *arena = arena_new(1 << 20);
    int32_t *tokens;
    size_t n;
    struct str out;
    struct why why = {0};
    CHECK_OK(
        run_tokenize(shared, STR("Tom saw a cat, 你好"), false, false, arena, &tokens, &n, &why),
        &why);
    CHECK_OK(run_detokenize(shared, tokens, n, false, arena, &out, &why), &why);
    CHECK_STR(str_trim(out), "Tom saw a cat, 你好");
    CHECK_EQ(run_tokenize(shared, STR("a\xFF"), false, false, arena, &tokens, &n, &why),
             ERR_INVALID);
    static const int32_t wrong[] = {3, 512};
    CHECK_EQ(run_detokenize(shared, wrong, 2, false, arena, &out, NULL), ERR_INVALID);
    CHECK_EQ(run_piece(shared, -1, false, arena, &out, NULL), ERR_INVALID);
    CHECK_OK(run_piece(shared, 403, false, arena, &out, NULL), NULL);
    CHECK(str_eq_c(out, " Once") || str_eq_c(out, "Once"));
    arena_free(arena);
}

TESTS_MAIN()
