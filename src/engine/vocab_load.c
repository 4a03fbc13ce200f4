/* A vocabulary out of a model file: tokens, merges, special tokens; then the tables for looking up.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "engine/gguf.h"
#include "engine/tiny_vocab.h"
#include "engine/vocab_in.h"

#define MEMORY_LIMIT ((size_t)1 << 30)

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "no memory for a vocabulary");
}

/* ---- tokens ---- */

/* The copies of the texts, one behind the other. */
struct store {
    char *ptr;
    size_t n, cap;
};

static struct str keep(struct store *store, struct str s)
{
    char *to = store->ptr + store->n;
    if (s.len)
        memcpy(to, s.ptr, s.len);
    store->n += s.len;
    return (struct str){to, s.len};
}

static uint8_t attr_of(int64_t type)
{
    static const uint8_t attrs[] = {0,         ATTR_NORMAL, ATTR_UNKNOWN, ATTR_CONTROL,
                                    ATTR_USER, ATTR_UNUSED, ATTR_BYTE};
    return type >= 0 && (size_t)type < sizeof attrs ? attrs[type] : 0;
}

static enum err check_array(const struct gguf *gguf, const char *key, size_t n, bool reals,
                            const struct gguf_value **out, struct why *why)
{
    const struct gguf_value *value = *out = gguf_find(gguf, key);
    if (!value)
        return ERR_OK;
    bool good = value->kind == GGUF_KIND_ARRAY && value->n >= n &&
                (value->of == GGUF_KIND_I32 || (reals && value->of == GGUF_KIND_F32));
    return good ? ERR_OK : err_set(why, ERR_INVALID, "\"%s\" is no list of %zu numbers", key, n);
}

static enum err load_tokens(struct vocab *v, const struct gguf *gguf, struct store *store,
                            struct why *why)
{
    const struct gguf_value *tokens = gguf_find(gguf, "tokenizer.ggml.tokens"), *scores, *types;
    struct str s;
    size_t at = 0;
    if (!tokens || tokens->kind != GGUF_KIND_ARRAY || tokens->of != GGUF_KIND_STR || tokens->n == 0)
        return err_set(why, ERR_INVALID, "the file has no vocabulary");
    if (tokens->n > VOCAB_MOST_TOKENS)
        return err_set(why, ERR_INVALID, "a vocabulary of %llu tokens is more than %d",
                       (unsigned long long)tokens->n, VOCAB_MOST_TOKENS);
    v->n = (size_t)tokens->n;
    enum err err = check_array(gguf, "tokenizer.ggml.scores", v->n, true, &scores, why);
    if (!err)
        err = check_array(gguf, "tokenizer.ggml.token_type", v->n, false, &types, why);
    if (err)
        return err;
    size_t n_empty = 0;
    while (gguf_next_str(tokens, &at, &s))
        n_empty += s.len == 0;
    at = 0;
    store->cap = tokens->len - 8 * v->n + 32 * n_empty; /* "[EMPTY_<number>]" takes its place */
    store->ptr = arena_bytes(v->arena, store->cap + 1);
    v->pieces = arena_array(v->arena, struct str, v->n);
    v->scores = arena_array(v->arena, float, v->n);
    v->attrs = arena_array(v->arena, uint8_t, v->n);
    if (!store->ptr || !v->pieces || !v->scores || !v->attrs ||
        !vocab_strtab_init(&v->texts, v->arena, v->n))
        return no_memory(why);
    for (size_t i = 0; i < v->n && gguf_next_str(tokens, &at, &s); i++) {
        double score = 0;
        int64_t type = TOKEN_NORMAL;
        char name[32];
        if (!s.len)
            s = (struct str){name, (size_t)snprintf(name, sizeof name, "[EMPTY_%zu]", i)};
        if (s.len > VOCAB_MOST_BYTES)
            return err_set(why, ERR_INVALID, "token %zu has %zu bytes, more than %d", i, s.len,
                           VOCAB_MOST_BYTES);
        if (!vocab_strtab_put_at(&v->texts, keep(store, s), i))
            return err_set(why, ERR_INVALID, "token \"%.*s\" stands twice",
                           STR_FMT(str_slice(s, 0, 60)));
        if (scores && (!gguf_item_real(scores, i, &score) || !isfinite(score)))
            return err_set(why, ERR_INVALID, "the score of token %zu is no number", i);
        if (types)
            (void)gguf_item_int(types, i, &type);
        v->scores[i] = (float)score;
        v->attrs[i] = attr_of(type);
        v->longest = s.len > v->longest ? s.len : v->longest;
    }
    return ERR_OK;
}

/* ---- what the files forget to say, found by the texts of the tokens ---- */

static void set_control(struct vocab *v, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t id = vocab_find(v, str_c(texts[i]));
        if (id != NO_TOKEN)
            v->attrs[id] |= ATTR_CONTROL;
    }
}

static void set_attr(struct vocab *v, const char *text, uint8_t attr)
{
    int32_t id = vocab_find(v, str_c(text));
    if (id != NO_TOKEN)
        v->attrs[id] = attr;
}

static bool has(const struct vocab *v, const char *text)
{
    return vocab_find(v, str_c(text)) != NO_TOKEN;
}

#define DEEPSEEK(name) "<\xEF\xBD\x9C" name "\xEF\xBD\x9C>"
#define BAR            "\xE2\x96\x81"

static void mend_attrs(struct vocab *v, const struct gguf *gguf)
{
    static const char *const ends[] = {"<|eot_id|>",
                                       "<|im_end|>",
                                       "<|end|>",
                                       "<|return|>",
                                       "<|call|>",
                                       "<|flush|>",
                                       "<|calls|>",
                                       "<end_of_turn>",
                                       "<|endoftext|>",
                                       "</s>",
                                       "<|eom_id|>",
                                       "<EOT>",
                                       "_<EOT>",
                                       "[EOT]",
                                       "[EOS]",
                                       "<|end_of_text|>",
                                       "<end_of_utterance>",
                                       "<eos>",
                                       "<turn|>",
                                       "<|tool_response>",
                                       "[e~[",
                                       DEEPSEEK("end" BAR "of" BAR "sentence")};
    static const struct {
        const char *key, *old_key;
        const char *texts[8];
    } middles[] = {
        {"fim_pre",
         "prefix",
         {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", DEEPSEEK("fim" BAR "begin"), "<PRE>",
          BAR "<PRE>", "<|code_prefix|>", "<|prefix|>"}},
        {"fim_suf",
         "suffix",
         {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", DEEPSEEK("fim" BAR "hole"), "<SUF>",
          BAR "<SUF>", "<|code_suffix|>", "<|suffix|>"}},
        {"fim_mid",
         "middle",
         {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", DEEPSEEK("fim" BAR "end"), "<MID>",
          BAR "<MID>", "<|code_middle|>", "<|middle|>"}},
        {"fim_pad", "fim_pad", {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
        {"fim_rep",
         "fim_rep",
         {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
        {"fim_sep", "fim_sep", {"<|file_sep|>"}},
    };
    for (size_t i = 0; i < sizeof middles / sizeof middles[0]; i++) {
        char key[64], old_key[64];
        (void)snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", middles[i].key);
        (void)snprintf(old_key, sizeof old_key, "tokenizer.ggml.%s_token_id", middles[i].old_key);
        size_t n = 0;
        while (n < 8 && middles[i].texts[n])
            n++;
        if (gguf_int(gguf, key, -1) < 0 && gguf_int(gguf, old_key, -1) < 0)
            set_control(v, middles[i].texts, n);
    }
    set_control(v, ends, sizeof ends / sizeof ends[0]);
    set_attr(v, "<|channel|>", ATTR_USER);
    set_attr(v, "<|message|>", ATTR_USER);
    set_attr(v, "<|start|>", ATTR_USER);
    set_attr(v, "<|constrain|>", ATTR_USER);
    bool call = has(v, "<|call|>") || has(v, "<|calls|>");
    if (call && (has(v, "<|return|>") || has(v, "<|flush|>")))
        set_attr(v, "<|end|>", ATTR_USER);
    if (has(v, "<|tool_response>"))
        set_attr(v, "</s>", ATTR_NORMAL);
}

static bool contains(struct str s, const char *part)
{
    return str_find(s, str_c(part)) != STR_NPOS;
}

/* Tokens that eat the blanks beside them; the files do not say so, the models' names do. */
static void mend_strips(struct vocab *v, const struct gguf *gguf, struct str pre)
{
    struct str arch = gguf_str(gguf, "general.architecture", STR(""));
    struct str name = str_lower_ascii(v->arena, gguf_str(gguf, "general.name", STR("")));
    const char *mask = NULL;
    if (contains(pre, "jina-v2-de") || contains(pre, "jina-v2-es") ||
        contains(pre, "jina-v2-code") || contains(arch, "nomic-bert-moe") ||
        contains(arch, "jina-bert-v3")) {
        mask = "<mask>";
    } else if (contains(name, "phi-3") || contains(name, "phi3")) {
        for (size_t i = 0; i < v->n; i++)
            if (v->attrs[i] & (ATTR_CONTROL | ATTR_USER | ATTR_UNKNOWN))
                v->attrs[i] |= ATTR_RSTRIP;
        static const char *const plain[] = {"<unk>", "<s>", "<|endoftext|>"};
        for (size_t i = 0; i < 3; i++) {
            int32_t id = vocab_find(v, str_c(plain[i]));
            if (id != NO_TOKEN)
                v->attrs[id] &= (uint8_t)~ATTR_RSTRIP;
        }
        int32_t end = vocab_find(v, STR("</s>"));
        if (end != NO_TOKEN)
            v->attrs[end] |= ATTR_RSTRIP;
    } else if (contains(name, "modern-bert")) {
        mask = "[MASK]";
    }
    int32_t id = mask ? vocab_find(v, str_c(mask)) : NO_TOKEN;
    if (id != NO_TOKEN)
        v->attrs[id] |= ATTR_LSTRIP;
}

static int32_t special_id(const struct vocab *v, const struct gguf *gguf, const char *key,
                          int32_t otherwise)
{
    int64_t id = gguf_int(gguf, key, -1);
    if (id >= 0 && (uint64_t)id < v->n)
        return (int32_t)id;
    return otherwise >= 0 && (size_t)otherwise < v->n ? otherwise : NO_TOKEN;
}

struct defaults {
    int32_t bos, eos, unk, sep;
};

static enum err load_specials(struct vocab *v, const struct gguf *gguf, struct defaults d,
                              struct why *why)
{
    v->bos = special_id(v, gguf, "tokenizer.ggml.bos_token_id", d.bos);
    v->eos = special_id(v, gguf, "tokenizer.ggml.eos_token_id", d.eos);
    v->unk = special_id(v, gguf, "tokenizer.ggml.unknown_token_id", d.unk);
    v->sep = special_id(v, gguf, "tokenizer.ggml.seperator_token_id", d.sep); /* so it is spelled */
    v->add_bos = gguf_bool(gguf, "tokenizer.ggml.add_bos_token", v->add_bos);
    v->add_eos = gguf_bool(gguf, "tokenizer.ggml.add_eos_token", v->add_eos);
    v->space_prefix = gguf_bool(gguf, "tokenizer.ggml.add_space_prefix", v->space_prefix);
    v->merge_spaces = gguf_bool(gguf, "tokenizer.ggml.remove_extra_whitespaces", false);
    v->lowercase = gguf_bool(gguf, "tokenizer.ggml.normalizer.lowercase", true);
    v->strip_accents = gguf_bool(gguf, "tokenizer.ggml.normalizer.strip_accents", v->lowercase);
    if ((v->add_bos && v->bos == NO_TOKEN) || (v->add_eos && v->eos == NO_TOKEN) ||
        (v->kind == VOCAB_WPM &&
         (v->bos == NO_TOKEN || v->sep == NO_TOKEN || v->unk == NO_TOKEN)) ||
        ((v->kind == VOCAB_SPM || v->kind == VOCAB_UGM) && v->unk == NO_TOKEN))
        return err_set(why, ERR_INVALID,
                       "the vocabulary does not name the special tokens that it wants");
    return ERR_OK;
}

/* ---- bytes ---- */

static void load_byte_tokens(struct vocab *v)
{
    for (int byte = 0; byte < 256; byte++) {
        char name[8], one = (char)byte;
        (void)snprintf(name, sizeof name, "<0x%02X>", byte);
        v->bytes[byte] = vocab_find(v, (struct str){name, 6});
        if (v->bytes[byte] == NO_TOKEN && v->kind == VOCAB_SPM)
            v->bytes[byte] = vocab_find(v, (struct str){&one, 1});
    }
}

/* ---- the kinds ---- */

static enum err load_pairs(struct vocab *v, const struct gguf *gguf, struct str pre,
                           struct why *why)
{
    int16_t byte_of_char[512];
    memset(byte_of_char, -1, sizeof byte_of_char);
    for (int byte = 0; byte < 256; byte++)
        byte_of_char[tiny_vocab_byte((uint8_t)byte)] = (int16_t)byte;
    enum err err = vocab_pre_open(pre, v->arena, &v->pre, why);
    if (err)
        return err;
    v->escape = !vocab_pre_bytes(v->pre);
    v->ignore_merges = vocab_pre_ignore_merges(v->pre);
    v->add_bos = vocab_pre_add_bos(v->pre);
    v->clean = vocab_pre_clean(v->pre);
    load_byte_tokens(v);
    struct defaults d = {11, 11, NO_TOKEN, NO_TOKEN};
    if (v->escape || vocab_pre_no_bos(v->pre))
        d.bos = NO_TOKEN;
    if (v->escape)
        d.eos = NO_TOKEN;
    err = load_specials(v, gguf, d, why);
    if (!err && v->escape && !str_eq_c(pre, "sarvam-moe"))
        v->add_bos = v->bos != NO_TOKEN;
    const int16_t *bytes = v->escape ? NULL : byte_of_char;
    mend_attrs(v, gguf);
    if (!err)
        err = vocab_load_pieces(v, bytes, why);
    if (!err)
        err = vocab_load_merges(v, gguf, bytes, why);
    return err ? err : vocab_load_inside(v, why);
}

static enum err load_spm(struct vocab *v, const struct gguf *gguf, struct why *why)
{
    v->escape = v->space_prefix = v->add_bos = true;
    enum err err = load_specials(v, gguf, (struct defaults){1, 2, 0, NO_TOKEN}, why);
    mend_attrs(v, gguf);
    load_byte_tokens(v);
    if (!err)
        err = vocab_load_pieces(v, NULL, why);
    return err ? err : vocab_load_inside(v, why);
}

static enum err load_trie(struct vocab *v, uint8_t attrs, struct why *why)
{
    size_t total = 1;
    for (size_t i = 0; i < v->n; i++)
        total += v->texts.items[i].len;
    if (total >= TRIE_MOST)
        return err_set(why, ERR_INVALID, "the tokens have %zu bytes, more than %u", total,
                       TRIE_MOST);
    struct arena *scratch = arena_new(MEMORY_LIMIT);
    bool done = scratch && vocab_trie_init(&v->trie, scratch, total);
    for (size_t i = 0; i < v->n && done; i++)
        if (attrs == UINT8_MAX || (v->attrs[i] & attrs))
            vocab_trie_put(&v->trie, v->texts.items[i], (int32_t)i);
    done = done && vocab_trie_fit(&v->trie, v->arena);
    arena_free(scratch);
    return done ? ERR_OK : no_memory(why);
}

static enum err load_wpm(struct vocab *v, const struct gguf *gguf, struct why *why)
{
    v->add_bos = v->clean = true;
    enum err err = load_specials(v, gguf, (struct defaults){101, NO_TOKEN, 100, 102}, why);
    mend_attrs(v, gguf);
    if (!err)
        err = vocab_load_pieces(v, NULL, why);
    return err ? err : load_trie(v, UINT8_MAX, why);
}

/* The map of characters: bytes of its double array, the double array, replacements that end in
 * '\0'. */
static enum err load_charsmap(struct vocab *v, const struct gguf *gguf, struct why *why)
{
    const struct gguf_value *map = gguf_find(gguf, "tokenizer.ggml.precompiled_charsmap");
    uint32_t len = 0;
    if (!map)
        return ERR_OK;
    if (map->kind != GGUF_KIND_ARRAY || (map->of != GGUF_KIND_U8 && map->of != GGUF_KIND_I8) ||
        map->len < sizeof len)
        return err_set(why, ERR_INVALID, "the map of characters is not a list of bytes");
    memcpy(&len, map->bytes, sizeof len);
    if (len % 4 || len > map->len - sizeof len)
        return err_set(why, ERR_INVALID, "the map of characters says %u bytes and has %zu", len,
                       map->len);
    char *copy = arena_copy(v->arena, (const char *)map->bytes + sizeof len, map->len - sizeof len);
    if (!copy)
        return no_memory(why);
    v->charsmap = (const uint8_t *)copy;
    v->charsmap_units = len / 4;
    v->replacements = copy + len;
    v->replacements_len = map->len - sizeof len - len;
    return ERR_OK;
}

static enum err load_ugm(struct vocab *v, const struct gguf *gguf, struct why *why)
{
    float least = FLT_MAX;
    v->add_eos = true;
    enum err err = load_specials(v, gguf, (struct defaults){NO_TOKEN, 1, 2, NO_TOKEN}, why);
    for (size_t i = 0; i < v->n; i++)
        if ((v->attrs[i] & ATTR_NORMAL) && v->scores[i] < least)
            least = v->scores[i];
    v->unknown_score = least - 10; /* as sentencepiece has it */
    if (!err)                      /* before the attributes are mended, as the library does */
        err = load_trie(v, ATTR_NORMAL | ATTR_USER | ATTR_UNUSED, why);
    mend_attrs(v, gguf);
    if (!err)
        err = load_charsmap(v, gguf, why);
    if (!err)
        err = vocab_load_pieces(v, NULL, why);
    return err ? err : vocab_load_inside(v, why);
}

static enum err load(struct vocab *v, const struct gguf *gguf, struct why *why)
{
    struct store store = {0};
    struct str model = gguf_str(gguf, "tokenizer.ggml.model", STR(""));
    struct str pre = gguf_str(gguf, "tokenizer.ggml.pre", STR(""));
    enum err err = load_tokens(v, gguf, &store, why);
    if (err)
        return err;
    if (str_eq_c(model, "llama")) {
        v->kind = VOCAB_SPM;
        err = load_spm(v, gguf, why);
    } else if (str_eq_c(model, "gpt2") || str_eq_c(model, "gemma4")) {
        v->kind = VOCAB_BPE;
        err = load_pairs(v, gguf, str_eq_c(model, "gemma4") ? STR("gemma4") : pre, why);
    } else if (str_eq_c(model, "bert")) {
        v->kind = VOCAB_WPM;
        err = load_wpm(v, gguf, why);
    } else if (str_eq_c(model, "t5")) {
        v->kind = VOCAB_UGM;
        err = load_ugm(v, gguf, why);
    } else {
        return err_set(why, ERR_UNSUPPORTED, "the tokenizer \"%.*s\" is not known", STR_FMT(model));
    }
    if (err)
        return err;
    mend_strips(v, gguf, pre);
    return vocab_special_index(v, why);
}

enum err vocab_open(const struct gguf *gguf, struct vocab **out, struct why *why)
{
    struct arena *arena = arena_new(MEMORY_LIMIT);
    struct vocab *v = arena ? arena_one(arena, struct vocab) : NULL;
    if (!v) {
        arena_free(arena);
        return no_memory(why);
    }
    v->arena = arena;
    enum err err = load(v, gguf, why);
    if (err)
        arena_free(arena);
    else
        *out = v;
    return err;
}

enum err vocab_open_file(const char *path, struct vocab **out, struct why *why)
{
    struct gguf *gguf = NULL;
    enum err err = gguf_open(path, &gguf, why);
    if (err)
        return err;
    err = vocab_open(gguf, out, why);
    if (err)
        err_prefix(why, "model file \"%s\"", path);
    gguf_close(gguf);
    return err;
}

void vocab_close(struct vocab *vocab)
{
    if (vocab)
        arena_free(vocab->arena);
}
