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
    store->cap = tokens->len + 32 * v->n; /* "[EMPTY_<number>]" takes the place of an empty text */
    store->ptr = arena_bytes(v->arena, store->cap);
    v->pieces = arena_array(v->arena, struct str, v->n);
    v->scores = arena_array(v->arena, float, v->n);
    v->attrs = arena_array(v->arena, uint8_t, v->n);
    if (!store->ptr || !v->pieces || !v->scores || !v->attrs ||
        !strtab_init(&v->texts, v->arena, v->n))
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
        if (!strtab_put_at(&v->texts, keep(store, s), i))
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

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static bool byte_of(struct str text, char *out)
{
    if (text.len != 6 || memcmp(text.ptr, "<0x", 3) != 0 || hex_digit(text.ptr[3]) < 0 ||
        hex_digit(text.ptr[4]) < 0)
        return false;
    *out = (char)(hex_digit(text.ptr[3]) * 16 + hex_digit(text.ptr[4]));
    return true;
}

/* The bytes that a text in GPT-2's writing stands for; false when some character stands for none.
 */
static bool unwrite(const int16_t *byte_of_char, struct str s, struct store *store, struct str *out)
{
    char *to = store->ptr + store->n;
    size_t n = 0;
    for (size_t at = 0; at < s.len;) {
        uint32_t c = utf8_next(s, &at);
        if (c >= 512 || byte_of_char[c] < 0)
            return false;
        to[n++] = (char)byte_of_char[c];
    }
    store->n += n;
    *out = (struct str){to, n};
    return true;
}

static struct str unescape(struct str s, struct store *store)
{
    char *to = store->ptr + store->n;
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.len - i >= 3 && memcmp(s.ptr + i, BAR, 3) == 0) {
            to[n++] = ' ';
            i += 2;
        } else {
            to[n++] = s.ptr[i];
        }
    }
    store->n += n;
    return (struct str){to, n};
}

/* What each token writes. `bytes`: normal tokens are in GPT-2's writing. */
static enum err load_pieces(struct vocab *v, const int16_t *byte_of_char, struct why *why)
{
    struct store store = {0};
    size_t total = 0;
    for (size_t i = 0; i < v->n; i++)
        total += v->texts.items[i].len;
    store.ptr = arena_bytes(v->arena, total + 1);
    if (!store.ptr)
        return no_memory(why);
    for (size_t i = 0; i < v->n; i++) {
        struct str text = v->texts.items[i];
        uint8_t attr = v->attrs[i];
        v->pieces[i] = STR("");
        if (attr & (ATTR_UNKNOWN | ATTR_CONTROL | ATTR_USER))
            v->pieces[i] = text;
        else if ((attr & ATTR_NORMAL) && byte_of_char) {
            if (!unwrite(byte_of_char, text, &store, &v->pieces[i]))
                v->pieces[i] = text;
        } else if (attr & ATTR_NORMAL)
            v->pieces[i] = unescape(text, &store);
        else if ((attr & ATTR_BYTE) && byte_of(text, &store.ptr[store.n]))
            v->pieces[i] = (struct str){&store.ptr[store.n++], 1};
    }
    return ERR_OK;
}

/* ---- merges ---- */

static void put_merge(struct vocab *v, int32_t left, int32_t right, uint32_t rank, uint32_t result)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint64_t hash = (pair ^ v->merge_seed) * 0x9E3779B97F4A7C15u;
    size_t at = (hash >> 32 ^ hash) & v->merge_mask;
    while (v->merges[at].pair != UINT64_MAX && v->merges[at].pair != pair)
        at = (at + 1) & v->merge_mask;
    if (v->merges[at].pair == UINT64_MAX) /* the first of two equal ones counts */
        v->merges[at] = (struct merge){pair, rank, result};
}

static bool init_merges(struct vocab *v, size_t n)
{
    size_t slots = 16;
    while (slots < n + n / 2)
        slots *= 2;
    v->merges = arena_array(v->arena, struct merge, slots);
    v->merge_mask = slots - 1;
    random_bytes(&v->merge_seed, sizeof v->merge_seed);
    for (size_t i = 0; v->merges && i < slots; i++)
        v->merges[i].pair = UINT64_MAX;
    return v->merges != NULL;
}

/* Number of the piece with these bytes; of texts in GPT-2's writing, of what they stand for. */
static int32_t piece_of(struct vocab *v, const int16_t *byte_of_char, struct str text,
                        struct store *store)
{
    struct str bytes = text;
    bool made;
    size_t mark = store->n;
    if (byte_of_char ? !unwrite(byte_of_char, text, store, &bytes)
                     : !(bytes = keep(store, text)).ptr)
        return NO_TOKEN;
    if (!bytes.len)
        return NO_TOKEN;
    int32_t piece = strtab_put(&v->raw, v->arena, bytes, &made);
    if (!made)
        store->n = mark;
    return piece;
}

static enum err load_merges(struct vocab *v, const struct gguf *gguf, const int16_t *byte_of_char,
                            struct why *why)
{
    const struct gguf_value *merges = gguf_find(gguf, "tokenizer.ggml.merges");
    struct store store = {0};
    struct str s, joined;
    size_t at = 0, total = 256;
    if (!merges || merges->kind != GGUF_KIND_ARRAY || merges->of != GGUF_KIND_STR)
        return err_set(why, ERR_INVALID, "the vocabulary has no merges");
    if (merges->n > VOCAB_MOST_TOKENS)
        return err_set(why, ERR_INVALID, "the vocabulary has %llu merges, more than %d",
                       (unsigned long long)merges->n, VOCAB_MOST_TOKENS);
    size_t n_merges = (size_t)merges->n;
    for (size_t i = 0; i < v->n; i++)
        total += v->texts.items[i].len;
    store.cap = total + 3 * merges->len;
    store.ptr = arena_bytes(v->arena, store.cap);
    char *join = arena_bytes(v->arena, 2 * VOCAB_MOST_BYTES);
    if (!store.ptr || !join || !init_merges(v, n_merges) ||
        !strtab_init(&v->raw, v->arena, v->n + 1024))
        return no_memory(why);
    /* Tokens keep their numbers. One that cannot be the result of bytes has no text here. */
    for (size_t i = 0; i < v->n; i++) {
        struct str bytes = v->texts.items[i];
        if (byte_of_char && !unwrite(byte_of_char, v->texts.items[i], &store, &bytes))
            continue;
        (void)strtab_put_at(&v->raw, bytes, i);
    }
    v->raw.n = v->n;
    for (int byte = 0; byte < 256; byte++) {
        char one = (char)byte;
        bool made;
        struct str text = {&one, 1};
        if (strtab_find(&v->raw, text) == NO_TOKEN)
            text = keep(&store, text);
        v->byte_piece[byte] = strtab_put(&v->raw, v->arena, text, &made);
    }
    for (uint32_t rank = 0; gguf_next_str(merges, &at, &s); rank++) {
        size_t blank = s.len > 1 ? str_find_from(s, STR(" "), 1) : STR_NPOS;
        if (blank == STR_NPOS || s.len > VOCAB_MOST_BYTES)
            continue;
        struct str a = str_slice(s, 0, blank), b = str_from(s, blank + 1);
        memcpy(join, a.ptr, a.len);
        memcpy(join + a.len, b.ptr, b.len);
        joined = (struct str){join, a.len + b.len};
        int32_t left = piece_of(v, byte_of_char, a, &store),
                right = piece_of(v, byte_of_char, b, &store);
        int32_t result = left == NO_TOKEN || right == NO_TOKEN
                             ? NO_TOKEN
                             : piece_of(v, byte_of_char, joined, &store);
        if (result != NO_TOKEN)
            put_merge(v, left, right, rank, (uint32_t)result);
    }
    return ERR_OK;
}

/* ---- the kinds ---- */

static enum err load_inside(struct vocab *v, struct why *why)
{
    v->inside = arena_array(v->arena, uint64_t, (1 << 20) / 64);
    if (!v->inside)
        return no_memory(why);
    for (size_t i = 0; i < v->n; i++) {
        struct str text = v->texts.items[i];
        uint32_t last = 0;
        for (size_t at = 0; at < text.len;) {
            bool first = at == 0;
            size_t to = at, len = lead_bytes((uint8_t)text.ptr[at]);
            uint32_t c = utf8_next(text, &to);
            uint64_t hash = ((uint64_t)last << 21 | c) * 0x9E3779B97F4A7C15u >> 44;
            if (!first)
                v->inside[hash / 64] |= (uint64_t)1 << hash % 64;
            last = c;
            at += len;
        }
    }
    return ERR_OK;
}

static enum err load_pairs(struct vocab *v, const struct gguf *gguf, struct str pre,
                           struct why *why)
{
    int16_t byte_of_char[512];
    memset(byte_of_char, -1, sizeof byte_of_char);
    for (int byte = 0; byte < 256; byte++)
        byte_of_char[tiny_vocab_byte((uint8_t)byte)] = (int16_t)byte;
    enum err err = pre_open(pre, v->arena, &v->pre, why);
    if (err)
        return err;
    v->escape = !pre_bytes(v->pre);
    v->ignore_merges = pre_ignore_merges(v->pre);
    v->add_bos = pre_add_bos(v->pre);
    v->clean = pre_clean(v->pre);
    load_byte_tokens(v);
    struct defaults d = {11, 11, NO_TOKEN, NO_TOKEN};
    if (v->escape || pre_no_bos(v->pre))
        d.bos = NO_TOKEN;
    if (v->escape)
        d.eos = NO_TOKEN;
    err = load_specials(v, gguf, d, why);
    if (!err && v->escape && !str_eq_c(pre, "sarvam-moe"))
        v->add_bos = v->bos != NO_TOKEN;
    const int16_t *bytes = v->escape ? NULL : byte_of_char;
    mend_attrs(v, gguf);
    if (!err)
        err = load_pieces(v, bytes, why);
    return err ? err : load_merges(v, gguf, bytes, why);
}

static enum err load_spm(struct vocab *v, const struct gguf *gguf, struct why *why)
{
    v->escape = v->space_prefix = v->add_bos = true;
    enum err err = load_specials(v, gguf, (struct defaults){1, 2, 0, NO_TOKEN}, why);
    mend_attrs(v, gguf);
    load_byte_tokens(v);
    if (!err)
        err = load_pieces(v, NULL, why);
    return err ? err : load_inside(v, why);
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
    bool done = scratch && trie_init(&v->trie, scratch, total);
    for (size_t i = 0; i < v->n && done; i++)
        if (attrs == UINT8_MAX || (v->attrs[i] & attrs))
            trie_put(&v->trie, v->texts.items[i], (int32_t)i);
    done = done && trie_fit(&v->trie, v->arena);
    arena_free(scratch);
    return done ? ERR_OK : no_memory(why);
}

static enum err load_wpm(struct vocab *v, const struct gguf *gguf, struct why *why)
{
    v->add_bos = v->clean = true;
    enum err err = load_specials(v, gguf, (struct defaults){101, NO_TOKEN, 100, 102}, why);
    mend_attrs(v, gguf);
    if (!err)
        err = load_pieces(v, NULL, why);
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
        err = load_pieces(v, NULL, why);
    return err ? err : load_inside(v, why);
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
    return special_index(v, why);
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
