/* engine/vocab: token for token what the vectors say and what llama.cpp makes of the same text. */
#include "engine/vocab.h"

#include <dirent.h>
#include <unistd.h>
#if HAVE_LLAMA
#include <llama.h>
#endif

#include "core/arena.h"
#include "core/file.h"
#include "core/pool.h"
#include "core/utf8.h"
#include "engine/engine.h"
#include "tap.h"

#define MARK "\n__ggml_vocab_test__\n"

/* The folders with vocabularies and vectors: the data set's, and that of llama.cpp's own source. */
static const char *folder(int i)
{
    static char path[2][4096];
    const char *found = i == 0 ? tap_dataset("gguf-vocab/models") : LLAMA_MODELS;
    if (!found || !*found || !file_is_dir(found))
        return NULL;
    (void)snprintf(path[i], sizeof path[i], "%s", found);
    return path[i];
}

static struct str read_beside(struct arena *arena, const char *path, const char *suffix)
{
    struct str s = STR_NONE;
    char name[4200];
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    if (file_exists(name))
        CHECK_OK(file_read(name, 1 << 20, arena, &s, NULL), NULL);
    return s;
}

static bool next_vector(struct str *rest, struct str *text)
{
    if (!rest->ptr)
        return false;
    size_t at = str_find(*rest, STR(MARK));
    *text = str_slice(*rest, 0, at == STR_NPOS ? rest->len : at);
    *rest = at == STR_NPOS ? STR_NONE : str_from(*rest, at + strlen(MARK));
    return true;
}

static bool same_ids(const struct vocab_tokens *got, struct str want)
{
    size_t n = 0;
    struct str part;
    while (str_next(&want, ' ', &part)) {
        int64_t id;
        if (!part.len)
            continue;
        if (!str_to_i64(part, &id) || n >= got->n || got->ids[n] != id)
            return false;
        n++;
    }
    return n == got->n;
}

static size_t check_vectors(const struct vocab *vocab, const char *path, struct arena *arena)
{
    struct str inputs = read_beside(arena, path, ".inp"),
               outputs = read_beside(arena, path, ".out"), text, line;
    size_t n = 0;
    if (!inputs.ptr || !outputs.ptr)
        return 0;
    while (next_vector(&inputs, &text)) {
        struct vocab_tokens tokens = {0};
        struct why why = {0};
        size_t count = 0;
        if (!str_next(&outputs, '\n', &line))
            break;
        CHECK_OK(vocab_encode(vocab, text, 0, arena, &tokens, &why), &why);
        CHECK(same_ids(&tokens, line));
        if (!same_ids(&tokens, line)) {
            printf("# %s, vector %zu: \"%.*s\" wants %.*s, has", path, n, STR_FMT(text),
                   STR_FMT(line));
            for (size_t i = 0; i < tokens.n; i++)
                printf(" %d", tokens.ids[i]);
            printf("\n");
        }
        CHECK_OK(vocab_count(vocab, text, 0, &count, &why), &why);
        CHECK_EQ(count, tokens.n);
        if (vocab_kind(vocab) != VOCAB_WPM && vocab_kind(vocab) != VOCAB_UGM) {
            struct buf back;
            buf_init(&back, arena);
            vocab_decode(vocab, tokens.ids, tokens.n, 0, &back);
            CHECK(str_eq(buf_str(&back), text));
        }
        n++;
    }
    return n;
}

static const char *beside(const char *where, const char *name)
{
    static char path[4400];
    (void)snprintf(path, sizeof path, "%s/%s", where, name);
    return path;
}

/* Calls `check` for every vocabulary that is on this machine; gives how many there were. */
static size_t each_vocab(size_t (*check)(const char *path, struct arena *arena), bool only_once)
{
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        const char *where = folder(i);
        DIR *dir = where ? opendir(where) : NULL;
        for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
            if (!str_ends(str_c(e->d_name), STR(".gguf")))
                continue;
            if (only_once && i == 1 && folder(0) && file_exists(beside(folder(0), e->d_name)))
                continue;
            struct arena *arena = arena_new((size_t)1 << 30);
            n += check(file_join(arena, where, e->d_name), arena);
            arena_free(arena);
        }
        if (dir)
            (void)closedir(dir);
    }
    return n;
}

static size_t vectors_of(const char *path, struct arena *arena)
{
    struct vocab *vocab = NULL;
    struct why why = {0};
    CHECK_OK(vocab_open_file(path, &vocab, &why), &why);
    size_t n = vocab ? check_vectors(vocab, path, arena) : 0;
    vocab_close(vocab);
    return n;
}

TEST(cuts_as_the_vectors_say)
{
    size_t n = each_vocab(vectors_of, false);
    if (!n)
        SKIP("no vocabularies on this machine");
    printf("# %zu vectors\n", n);
}

/* ---- vocabularies of our own ---- */

static const char *temp_path(void)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/tests/engine/%d-vocab.gguf", YICHENG_BUILD_ROOT,
                   (int)getpid());
    return path;
}

static struct vocab *tiny(const char *shape)
{
    struct engine_random opts = {.shape = shape, .kind = GGUF_TENSOR_Q4_0, .seed = 1};
    struct vocab *vocab = NULL;
    struct why why = {0};
    CHECK_OK(engine_make_random(&opts, temp_path(), &why), &why);
    CHECK_OK(vocab_open_file(temp_path(), &vocab, &why), &why);
    (void)unlink(temp_path());
    return vocab;
}

/* Any bytes come back from byte pairs: texts of all bytes, in random order and length. */
TEST(any_bytes_come_back)
{
    struct vocab *vocab = tiny("tiny");
    struct arena *arena = arena_new(64 << 20);
    uint32_t state = 1;
    for (int round = 0; vocab && round < 500; round++) {
        char bytes[300];
        struct vocab_tokens tokens = {0};
        struct buf back;
        size_t n = (size_t)round % sizeof bytes;
        for (size_t i = 0; i < n; i++) {
            state = state * 1664525u + 1013904223u;
            bytes[i] = round % 2 ? (char)(state >> 24) : "a \xE5\x9F\x8E\n'"[state >> 24 & 7];
        }
        CHECK_OK(vocab_encode(vocab, (struct str){bytes, n}, 0, arena, &tokens, NULL), NULL);
        buf_init(&back, arena);
        vocab_decode(vocab, tokens.ids, tokens.n, 0, &back);
        CHECK(str_eq(buf_str(&back), (struct str){bytes, n}));
    }
    arena_free(arena);
    vocab_close(vocab);
}

TEST(special_tokens_are_read_only_when_asked_for)
{
    struct vocab *vocab = tiny("tiny");
    struct arena *arena = arena_new(1 << 20);
    struct vocab_tokens plain = {0}, special = {0};
    struct str text = STR("a<|im_end|>b");
    struct buf out;
    if (!vocab)
        return;
    int32_t end = vocab_find(vocab, STR("<|im_end|>"));
    CHECK_OK(vocab_encode(vocab, text, 0, arena, &plain, NULL), NULL);
    CHECK_OK(vocab_encode(vocab, text, VOCAB_SPECIAL, arena, &special, NULL), NULL);
    CHECK_EQ(special.n, 3);
    CHECK(end >= 0 && special.n == 3 && special.ids[1] == end);
    for (size_t i = 0; i < plain.n; i++)
        CHECK(plain.ids[i] != end);
    buf_init(&out, arena);
    vocab_decode(vocab, special.ids, special.n, 0, &out);
    CHECK_STR(buf_str(&out), "ab");
    buf_clear(&out);
    vocab_decode(vocab, special.ids, special.n, VOCAB_SPECIAL, &out);
    CHECK_STR(buf_str(&out), "a<|im_end|>b");
    CHECK_EQ(vocab_piece(vocab, -1).len, 0);
    CHECK_EQ(vocab_piece(vocab, INT32_MAX).len, 0);
    CHECK_EQ(vocab_find(vocab, STR("no such token")), -1);
    arena_free(arena);
    vocab_close(vocab);
}

/* A text without blanks or ends of lines is one word: it must not take the square of its length. */
TEST(endless_words_take_no_longer_than_short_ones)
{
    enum { LEN = 14 * 70000 };
    struct vocab *vocab = tiny("tiny");
    char *text = malloc(LEN);
    size_t n = 0, parts = 0, part = 0;
    if (!vocab || !text)
        return;
    for (size_t i = 0; i < LEN; i++)
        text[i] = "thecityanswers"[i % 14];
    CHECK_OK(vocab_count(vocab, (struct str){text, LEN}, 0, &n, NULL), NULL);
    for (size_t at = 0; at < LEN; at += 14, parts += part)
        CHECK_OK(vocab_count(vocab, (struct str){text + at, 14}, 0, &part, NULL), NULL);
    CHECK(n > LEN / 14 && n <= parts + 2);
    free(text);
    vocab_close(vocab);
}

static enum err open_made(void (*make)(struct gguf_out *), struct why *why)
{
    struct gguf_out *out = NULL;
    struct vocab *vocab = NULL;
    CHECK_OK(gguf_out_open(temp_path(), &out, why), why);
    make(out);
    CHECK_OK(gguf_out_close(out, why), why);
    enum err err = vocab_open_file(temp_path(), &vocab, why);
    CHECK(err != ERR_OK || vocab != NULL);
    vocab_close(vocab);
    (void)unlink(temp_path());
    return err;
}

static void put_tokens(struct gguf_out *out, const char *model, const char *pre, const char *a,
                       const char *b)
{
    struct str tokens[] = {STR("<unk>"), str_c(a), str_c(b)};
    gguf_put_str(out, "tokenizer.ggml.model", str_c(model));
    gguf_put_str(out, "tokenizer.ggml.pre", str_c(pre));
    gguf_put_strs(out, "tokenizer.ggml.tokens", tokens, 3);
}

static void nothing(struct gguf_out *out)
{
    gguf_put_u32(out, "x", 1);
}
static void unknown_kind(struct gguf_out *out)
{
    put_tokens(out, "rwkv", "", "a", "b");
}
static void unknown_pre(struct gguf_out *out)
{
    put_tokens(out, "gpt2", "kimi-k9", "a", "b");
}
static void same_token(struct gguf_out *out)
{
    put_tokens(out, "llama", "", "a", "a");
}
static void no_merges(struct gguf_out *out)
{
    put_tokens(out, "gpt2", "qwen2", "a", "b");
}
static void few_scores(struct gguf_out *out)
{
    float scores[2] = {0, 0};
    put_tokens(out, "llama", "", "a", "b");
    gguf_put_reals(out, "tokenizer.ggml.scores", scores, 2);
}
static void endless_score(struct gguf_out *out)
{
    float scores[3] = {0, 1.0f / 0.0f, 0};
    put_tokens(out, "llama", "", "a", "b");
    gguf_put_reals(out, "tokenizer.ggml.scores", scores, 3);
}
static void no_specials(struct gguf_out *out)
{
    put_tokens(out, "bert", "", "a", "b");
}
static void long_token(struct gguf_out *out)
{
    static char text[VOCAB_MOST_BYTES + 2];
    memset(text, 'x', sizeof text - 1);
    put_tokens(out, "llama", "", "a", text);
}
static void good_one(struct gguf_out *out)
{
    put_tokens(out, "llama", "", "a", "b");
}

TEST(refuses_vocabularies_that_break_a_rule)
{
    static const struct {
        void (*make)(struct gguf_out *);
        enum err err;
        const char *words;
    } cases[] = {
        {nothing, ERR_INVALID, "has no vocabulary"},
        {unknown_kind, ERR_UNSUPPORTED, "\"rwkv\""},
        {unknown_pre, ERR_UNSUPPORTED, "\"kimi-k9\""},
        {same_token, ERR_INVALID, "\"a\" stands twice"},
        {no_merges, ERR_INVALID, "no merges"},
        {few_scores, ERR_INVALID, "scores"},
        {endless_score, ERR_INVALID, "score of token 1"},
        {no_specials, ERR_INVALID, "special tokens"},
        {long_token, ERR_INVALID, "more than 1024"},
        {good_one, ERR_OK, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct why why = {0};
        CHECK_EQ(open_made(cases[i].make, &why), cases[i].err);
        CHECK(strstr(why.text, cases[i].words) != NULL);
        if (!strstr(why.text, cases[i].words))
            printf("# case %zu says: %s\n", i, why.text);
    }
}

/* The arena is a little larger each time, until it is enough. */
TEST(says_so_when_memory_runs_out)
{
    static const char *const shapes[] = {"tiny", "embed"};
    for (size_t k = 0; k < 2; k++) {
        struct vocab *vocab = tiny(shapes[k]);
        size_t limit = 0;
        for (enum err err = ERR_NO_MEMORY; vocab && err == ERR_NO_MEMORY; limit += 512) {
            struct arena *arena = arena_new(limit);
            struct vocab_tokens tokens = {.n = 99};
            err = vocab_encode(vocab, STR("the city <|im_end|> answers, 12345 times"),
                               VOCAB_SPECIAL, arena, &tokens, NULL);
            CHECK(err == ERR_OK ? tokens.n != 99 : err == ERR_NO_MEMORY && tokens.n == 99);
            arena_free(arena);
        }
        CHECK(limit > 512);
        vocab_close(vocab);
    }
}

/* Whole tokens are remembered while several threads look: all get the same. */
struct race {
    const struct vocab *vocab;
    struct str text;
    size_t want;
};

static enum err count_again(void *ctx, size_t i, struct why *why)
{
    struct race *race = ctx;
    size_t n = 0;
    (void)i;
    enum err err = vocab_count(race->vocab, race->text, 0, &n, why);
    return err               ? err
           : n == race->want ? ERR_OK
                             : err_set(why, ERR_INTERNAL, "%zu tokens, not %zu", n, race->want);
}

TEST(threads_share_a_vocabulary)
{
    struct vocab *first = tiny("tiny"), *vocab = tiny("tiny");
    struct race race = {vocab,
                        STR("the city answers the questions of its people, "
                            "\xE6\x82\xA8\xE5\xA5\xBD\xEF\xBC\x8C\xE8\xAF\xB7\xE9\x97\xAE"),
                        0};
    struct why why = {0};
    if (!first || !vocab)
        return;
    CHECK_OK(vocab_count(first, race.text, 0, &race.want, &why), &why);
    CHECK_OK(pool_each(4, 200, count_again, &race, &why), &why);
    vocab_close(first);
    vocab_close(vocab);
}

/* ---- against the library ---- */

#if HAVE_LLAMA
static void quiet(enum ggml_log_level level, const char *text, void *ctx)
{
    (void)level, (void)text, (void)ctx;
}

struct both {
    struct vocab *ours;
    struct llama_model *theirs;
    const struct llama_vocab *vocab;
    const char *path;
    struct arena *arena;
    size_t n_wrong;
};
static size_t n_compared;

static bool open_both(const char *path, struct arena *arena, struct both *out)
{
    struct llama_model_params params = llama_model_default_params();
    struct why why = {0};
    *out = (struct both){.path = path, .arena = arena};
    params.vocab_only = true;
    llama_log_set(quiet, NULL);
    CHECK_OK(vocab_open_file(path, &out->ours, &why), &why);
    out->theirs = llama_model_load_from_file(path, params);
    if (!out->ours || !out->theirs)
        return false;
    out->vocab = llama_model_get_vocab(out->theirs);
    return true;
}

static void close_both(struct both *b)
{
    vocab_close(b->ours);
    llama_model_free(b->theirs);
}

static void compare(struct both *b, struct str text, unsigned flags)
{
    struct vocab_tokens tokens = {0};
    struct why why = {0};
    int32_t most = (int32_t)text.len * 2 + 16;
    int32_t *theirs = arena_array(b->arena, int32_t, (size_t)most);
    int32_t n = llama_tokenize(b->vocab, text.ptr, (int32_t)text.len, theirs, most,
                               flags & VOCAB_ADD, flags & VOCAB_SPECIAL);
    CHECK_OK(vocab_encode(b->ours, text, flags, b->arena, &tokens, &why), &why);
    bool same = n == (int32_t)tokens.n &&
                (n == 0 || memcmp(theirs, tokens.ids, (size_t)n * sizeof *theirs) == 0);
    if (same) {
        static char want[1 << 16];
        struct buf have;
        int32_t len =
            llama_detokenize(b->vocab, theirs, n, want, sizeof want, false, flags & VOCAB_SPECIAL);
        buf_init(&have, b->arena);
        vocab_decode(b->ours, tokens.ids, tokens.n, VOCAB_CLEAN | (flags & VOCAB_SPECIAL), &have);
        same = len < 0 || str_eq(buf_str(&have), (struct str){want, (size_t)len});
        if (!same)
            printf("# detokenised: \"%.*s\" and theirs \"%.*s\"\n", STR_FMT(buf_str(&have)), len,
                   want);
    }
    CHECK(same);
    n_compared += text.len;
    if (!same && b->n_wrong++ < 3) {
        size_t at = 0;
        while (at < tokens.n && (int32_t)at < n && tokens.ids[at] == theirs[at])
            at++;
        printf("# %s: %zu tokens, not %d; they part at %zu: %d (\"%.*s\") and %d (\"%.*s\") in "
               "\"%.*s\"\n",
               b->path, tokens.n, n, at, at < tokens.n ? tokens.ids[at] : -1,
               STR_FMT(vocab_piece(b->ours, at < tokens.n ? tokens.ids[at] : -1)),
               (int32_t)at < n ? theirs[at] : -1,
               STR_FMT(vocab_piece(b->ours, (int32_t)at < n ? theirs[at] : -1)),
               STR_FMT(str_slice(text, 0, 400)));
    }
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Mostly what makes rules quarrel: blanks, digits, apostrophes, line ends, scripts, marks, emoji.
 */
static uint32_t random_char(uint32_t *state)
{
    static const char common[] = " \n\r\t  \n''sStdmMrRlLvVeE.,!?-_/(){}[]<|>#$%0123456789aAzZ";
    static const uint32_t bases[] = {0x80,   0xA0,    0x100,   0x370,   0x400,   0x5D0,  0x620,
                                     0x900,  0xE00,   0x1780,  0x1E00,  0x2000,  0x20A0, 0x2100,
                                     0x2460, 0x2580,  0x3000,  0x3040,  0x30A0,  0xAC00, 0xFE00,
                                     0xFF00, 0x10400, 0x1F600, 0x1F900, 0x20000, 0xE000, 0x300};
    uint32_t kind = next(state) % 10;
    if (kind < 5)
        return (unsigned char)common[next(state) % (sizeof common - 1)];
    if (kind < 7)
        return 0x4E00 + next(state) % 3000;
    return bases[next(state) % (sizeof bases / sizeof bases[0])] + next(state) % 100;
}

static struct str random_text(struct arena *arena, uint32_t *state)
{
    static const char *const words[] = {"HelloWorld",
                                        "ABCdef",
                                        "it's",
                                        "I'LL",
                                        "we'Re",
                                        "1234567",
                                        "foo_bar()",
                                        " \n\n  ",
                                        "\xC3\x89"
                                        "cole",
                                        "e\xCC\x81t\xCC\x81",
                                        "\xC3\x9C"
                                        "berMUT",
                                        " the city",
                                        "http://a.b/c?d=e",
                                        "//\n/",
                                        "<sentinel:12>",
                                        "IMGIMGABZ",
                                        "\xE6\x82\xA8\xE5\xA5\xBD\xEF\xBC\x8C",
                                        "\xE3\x80\x80\xE3\x80\x80",
                                        "\xD0\x9F\xD1\x80\xD0\xB8"};
    struct buf buf;
    uint32_t n = 1 + next(state) % 60, c = 0;
    buf_init(&buf, arena);
    for (uint32_t i = 0; i < n; i++) {
        char bytes[UTF8_MAX_BYTES];
        if (next(state) % 5 == 0) {
            buf_add_c(&buf, words[next(state) % (sizeof words / sizeof words[0])]);
            continue;
        }
        if (next(state) % 3 || !c) /* runs of one character too */
            c = random_char(state);
        buf_add(&buf, (struct str){bytes, utf8_put(bytes, c)});
    }
    return buf_str(&buf);
}

static void compare_random(struct both *b)
{
    uint32_t state = 42;
    for (int i = 0; i < 300; i++) {
        struct str text = random_text(b->arena, &state);
        compare(b, text, i % 2 ? VOCAB_ADD : 0);
        compare(b, text, VOCAB_SPECIAL);
    }
}

/* Some laws and some prose: the start of each file, by paragraphs and in one piece. */
struct some {
    struct both *b;
    int n_files;
};

static enum err compare_file(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct some *some = ctx;
    struct str text;
    (void)relative;
    if (++some->n_files > 5)
        return ERR_CANCELLED;
    if (file_read(path, 64 << 20, some->b->arena, &text, why))
        return ERR_OK;
    text = str_slice(text, 0, utf8_floor(text, text.len < 4000 ? text.len : 4000));
    if (utf8_invalid(text) == STR_NPOS)
        compare(some->b, text, VOCAB_ADD);
    return ERR_OK;
}

static void compare_real(struct both *b)
{
    static const char *const sets[] = {"laws", "prose", "service-guides", "tnews", "mgsm-zh"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        const char *set = tap_dataset(sets[i]);
        struct some some = {b, 0};
        CHECK(!set || file_walk(set, 8, compare_file, &some, NULL) == ERR_OK || some.n_files > 5);
    }
}

/* Special tokens between other texts, side by side, and half. */
static void compare_special(struct both *b)
{
    static const char *const parts[] = {"a", " ", "\n", "hello", "\xE5\x9F\x8E", "<|", "|>"};
    uint32_t state = 7;
    int32_t n = llama_vocab_n_tokens(b->vocab), specials[64], n_specials = 0;
    for (int32_t i = 0; i < n && n_specials < 64; i++)
        if (llama_vocab_get_attr(b->vocab, i) &
            (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN))
            specials[n_specials++] = i;
    for (int i = 0; i < 200 && n_specials; i++) {
        struct buf buf;
        buf_init(&buf, b->arena);
        for (uint32_t k = 0; k < 6; k++) {
            if (next(&state) % 2)
                buf_add_c(&buf, llama_vocab_get_text(
                                    b->vocab, specials[next(&state) % (uint32_t)n_specials]));
            else
                buf_add_c(&buf, parts[next(&state) % (sizeof parts / sizeof parts[0])]);
        }
        compare(b, buf_str(&buf), VOCAB_SPECIAL | VOCAB_ADD);
        compare(b, buf_str(&buf), 0);
    }
}

static size_t compare_all(const char *path, struct arena *arena)
{
    struct both b;
    if (open_both(path, arena, &b)) {
        compare_random(&b);
        compare_real(&b);
        compare_special(&b);
    }
    close_both(&b);
    return 1;
}

TEST(cuts_as_the_library_does)
{
    size_t n = each_vocab(compare_all, true);
    if (!n)
        SKIP("no vocabularies on this machine");
    printf("# %zu vocabularies, %zu bytes of text\n", n, n_compared);
}

/* One vocabulary under every name of vocab_pre.def: families without a file of their own too. */
static const struct {
    const char *name, *family;
} pres[] = {
#define RULES(name, ...)
#define PRE(name, family, flags) {name, #family},
#include "engine/vocab_pre.def"
#undef RULES
#undef PRE
};

static void put_renamed(const struct gguf *gguf, const char *pre)
{
    struct gguf_out *out = NULL;
    struct why why = {0};
    CHECK_OK(gguf_out_open(temp_path(), &out, &why), &why);
    for (size_t i = 0; out && i < gguf_n_keys(gguf); i++) {
        struct str name;
        const struct gguf_value *value = gguf_key_at(gguf, i, &name);
        if (!str_eq_c(name, "tokenizer.ggml.pre"))
            gguf_put_value(out, name, value);
    }
    gguf_put_str(out, "tokenizer.ggml.pre", str_c(pre));
    CHECK_OK(gguf_out_close(out, &why), &why);
}

static void compare_pre(const struct gguf *gguf, const char *pre, int n_texts)
{
    struct arena *arena = arena_new(256 << 20);
    struct both b;
    uint32_t state = 99;
    put_renamed(gguf, pre);
    CHECK(open_both(temp_path(), arena, &b));
    b.path = pre;
    for (int k = 0; b.theirs && k < n_texts; k++)
        compare(&b, random_text(arena, &state), k % 2 ? VOCAB_ADD : VOCAB_SPECIAL);
    close_both(&b);
    arena_free(arena);
    (void)unlink(temp_path());
}

/* A family is looked at closely once, with a vocabulary that has many words where there is one; its
 * other names for their flags. */
TEST(every_pre_tokenizer_cuts_as_the_library_does)
{
    struct engine_random opts = {.shape = "tiny", .kind = GGUF_TENSOR_Q4_0, .seed = 1};
    const char *large = tap_dataset("gguf-vocab/models/ggml-vocab-gpt-2.gguf");
    struct gguf *small = NULL, *words = NULL;
    struct why why = {0};
    CHECK_OK(engine_make_random(&opts, temp_path(), &why), &why);
    CHECK_OK(gguf_open(temp_path(), &small, &why), &why);
    (void)unlink(temp_path()); /* what is open stays whole */
    CHECK(!large || gguf_open(large, &words, &why) == ERR_OK);
    for (size_t i = 0; small && i < sizeof pres / sizeof pres[0]; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first &= strcmp(pres[k].family, pres[i].family) != 0;
        compare_pre(first && words ? words : small, pres[i].name, first ? 60 : 3);
    }
    gguf_close(small);
    gguf_close(words);
}
#endif

TESTS_MAIN()
