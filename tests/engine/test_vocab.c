/* engine/vocab: token for token what the vectors say and what llama.cpp makes of the same text. */
#include "engine/vocab.h"

#include <dirent.h>
#include <unistd.h>
#if HAVE_LLAMA
#include <llama.h>
#endif

#include "core/arena.h"
#include "core/file.h"
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
    struct buf buf;
    uint32_t n = 1 + next(state) % 60, c = 0;
    buf_init(&buf, arena);
    for (uint32_t i = 0; i < n; i++) {
        char bytes[UTF8_MAX_BYTES];
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
    if (++some->n_files > 12)
        return ERR_CANCELLED;
    if (file_read(path, 64 << 20, some->b->arena, &text, why))
        return ERR_OK;
    text = str_slice(text, 0, utf8_floor(text, text.len < 6000 ? text.len : 6000));
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
        CHECK(!set || file_walk(set, 8, compare_file, &some, NULL) == ERR_OK || some.n_files > 12);
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
#endif

TESTS_MAIN()
