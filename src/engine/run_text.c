/* Tokens and text. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <llama.h>

#include "core/utf8.h"
#include "engine/run_in.h"

#define TEXT_MOST ((size_t)16 << 20)

static enum err check(struct str text, struct why *why)
{
    size_t bad = utf8_invalid(text);
    if (text.len > TEXT_MOST)
        return err_set(why, ERR_TOO_LARGE, "the text has %zu bytes, at most %zu are taken",
                       text.len, TEXT_MOST);
    return bad == STR_NPOS ? ERR_OK
                           : err_set(why, ERR_INVALID, "the text is not UTF-8 at byte %zu", bad);
}

enum err run_tokenize(const struct run *run, struct str text, bool add_special, bool parse_special,
                      struct arena *arena, int32_t **tokens, size_t *n, struct why *why)
{
    enum err err = check(text, why);
    if (err)
        return err;
    /* Hardly a tokenizer makes more tokens than bytes; the few it may add in front are there too.
     */
    int32_t room = (int32_t)text.len + 16;
    int32_t *scratch = malloc((size_t)room * sizeof *scratch);
    const char *ptr = text.ptr ? text.ptr : "";
    int32_t got = scratch ? llama_tokenize(run->vocab, ptr, (int32_t)text.len, scratch, room,
                                           add_special, parse_special)
                          : INT32_MIN;
    if (got < 0 && got > INT32_MIN) {
        free(scratch);
        room = -got;
        scratch = malloc((size_t)room * sizeof *scratch);
        got = scratch ? llama_tokenize(run->vocab, ptr, (int32_t)text.len, scratch, room,
                                       add_special, parse_special)
                      : INT32_MIN;
    }
    int32_t *kept = got >= 0 ? arena_array(arena, int32_t, (size_t)got) : NULL;
    if (kept) {
        memcpy(kept, scratch, (size_t)got * sizeof *kept);
        *tokens = kept;
        *n = (size_t)got;
    }
    free(scratch);
    return kept ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the tokens of the text");
}

enum err run_detokenize(const struct run *run, const int32_t *tokens, size_t n, bool special,
                        struct arena *arena, struct str *out, struct why *why)
{
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= run->info.n_vocab)
            return err_set(why, ERR_INVALID, "there is no token %d, the vocabulary has %u",
                           tokens[i], run->info.n_vocab);
    size_t room = 16;
    for (size_t i = 0; i < n; i++)
        room += write_piece(run, tokens[i]).len + 1;
    char *text = room < INT_MAX && n < INT_MAX ? arena_bytes(arena, room + 1) : NULL;
    if (!text)
        return err_set(why, ERR_NO_MEMORY, "could not hold the text of %zu tokens", n);
    int32_t got =
        llama_detokenize(run->vocab, tokens, (int32_t)n, text, (int32_t)room, false, special);
    if (got < 0)
        return err_set(why, ERR_INTERNAL, "the text of %zu tokens has more than %zu bytes", n,
                       room);
    text[got] = '\0';
    *out = (struct str){text, (size_t)got};
    return ERR_OK;
}

enum err run_piece(const struct run *run, int32_t token, bool special, struct arena *arena,
                   struct str *out, struct why *why)
{
    (void)arena; /* the table of pieces lives as long as the run */
    if (token < 0 || (uint32_t)token >= run->info.n_vocab)
        return err_set(why, ERR_INVALID, "there is no token %d, the vocabulary has %u", token,
                       run->info.n_vocab);
    bool hidden = !special && (run->piece_kind[token] & PIECE_HIDDEN);
    *out = hidden ? STR("") : write_piece(run, token);
    return ERR_OK;
}

/* ---- pairs for a rerank model ---- */

struct tokens {
    struct arena *arena;
    int32_t *ids;
    size_t n, cap;
    bool failed;
};

static void put(struct tokens *t, const int32_t *ids, size_t n)
{
    if (t->n + n > t->cap) {
        size_t cap = 2 * t->cap + n;
        int32_t *grown = arena_grow(t->arena, t->ids, t->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->ids = grown;
        t->cap = cap;
    }
    if (n)
        memcpy(t->ids + t->n, ids, n * sizeof *ids);
    t->n += n;
}

/* `text` with {query} and {document} filled in. */
static void fill(struct buf *out, struct str text, struct str query, struct str document)
{
    for (size_t at = 0; at < text.len;) {
        struct str rest = str_from(text, at);
        if (str_starts(rest, STR("{query}"))) {
            buf_add(out, query);
            at += STR("{query}").len;
        } else if (str_starts(rest, STR("{document}"))) {
            buf_add(out, document);
            at += STR("{document}").len;
        } else {
            buf_char(out, text.ptr[at++]);
        }
    }
}

/* Text of a citizen's may say "<|im_end|>": a zero-width space keeps it from becoming the token. */
static enum err harmless(const struct run *run, struct str text, struct arena *arena,
                         struct str *out, struct why *why)
{
    int32_t *ids;
    size_t n = 0, m = 0;
    struct buf buf;
    enum err err = run_tokenize(run, text, false, true, arena, &ids, &n, why);
    if (!err)
        err = run_tokenize(run, text, false, false, arena, &ids, &m, why);
    *out = text;
    if (err || n == m)
        return err;
    buf_init(&buf, arena);
    for (size_t i = 0; i < text.len; i++) {
        buf_char(&buf, text.ptr[i]);
        if (text.ptr[i] == '<' || text.ptr[i] == '[')
            buf_add(&buf, STR("\xE2\x80\x8B"));
    }
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err pair_by_template(const struct run *run, struct str form, struct str query,
                                 struct str text, struct arena *arena, int32_t **tokens, size_t *n,
                                 struct why *why)
{
    struct buf filled;
    enum err err = harmless(run, query, arena, &query, why);
    if (!err)
        err = harmless(run, text, arena, &text, why);
    if (err)
        return err;
    buf_init(&filled, arena);
    fill(&filled, form, query, text);
    err = buf_err(&filled, why);
    return err ? err : run_tokenize(run, buf_str(&filled), false, true, arena, tokens, n, why);
}

enum err run_pair(const struct run *run, struct str query, struct str text, struct arena *arena,
                  int32_t **tokens, size_t *n, struct why *why)
{
    const char *form = llama_model_chat_template(run->model, "rerank");
    const struct llama_vocab *v = run->vocab;
    struct tokens all = {.arena = arena};
    int32_t *part[2] = {NULL, NULL}, bos = llama_vocab_bos(v), sep = llama_vocab_sep(v);
    int32_t eos = llama_vocab_eos(v) >= 0 ? llama_vocab_eos(v) : sep;
    size_t len[2] = {0, 0};
    if (form)
        return pair_by_template(run, str_c(form), query, text, arena, tokens, n, why);
    enum err err = run_tokenize(run, query, false, false, arena, &part[0], &len[0], why);
    if (!err)
        err = run_tokenize(run, text, false, false, arena, &part[1], &len[1], why);
    if (err)
        return err;
    put(&all, &bos, llama_vocab_get_add_bos(v) && bos >= 0);
    put(&all, part[0], len[0]);
    put(&all, &eos, llama_vocab_get_add_eos(v) && eos >= 0);
    put(&all, &sep, llama_vocab_get_add_sep(v) && sep >= 0);
    put(&all, part[1], len[1]);
    put(&all, &eos, llama_vocab_get_add_eos(v) && eos >= 0);
    if (all.failed)
        return err_set(why, ERR_NO_MEMORY, "could not hold the tokens of a pair");
    *tokens = all.ids;
    *n = all.n;
    return ERR_OK;
}
