/* Text to tokens and back, over the four kinds. */
#include "engine/vocab.h"

#include <string.h>

#include "core/arena.h"
#include "engine/vocab_in.h"

#define COUNT_LIMIT ((size_t)4 << 30)

enum vocab_kind vocab_kind(const struct vocab *vocab)
{
    return vocab->kind;
}

size_t vocab_n(const struct vocab *vocab)
{
    return vocab->n;
}

size_t vocab_memory(const struct vocab *vocab)
{
    return arena_used(vocab->arena);
}

struct str vocab_piece(const struct vocab *vocab, int32_t id)
{
    return id >= 0 && (size_t)id < vocab->n ? vocab->pieces[id] : STR("");
}

int32_t vocab_find(const struct vocab *vocab, struct str text)
{
    return vocab_strtab_find(&vocab->texts, text);
}

/* ---- encoding ---- */

static void encode_text(const struct vocab *v, struct str text, bool behind_special,
                        struct out *out)
{
    switch (v->kind) {
    case VOCAB_SPM:
        if (behind_special && v->space_prefix) {
            char *with = arena_bytes(out->arena, text.len + 1);
            if (!with) {
                out->failed = true;
                return;
            }
            with[0] = ' ';
            memcpy(with + 1, text.ptr, text.len);
            text = (struct str){with, text.len + 1};
        }
        vocab_spm_encode(v, text, out);
        break;
    case VOCAB_BPE:
        vocab_bpe_encode(v, text, out);
        break;
    case VOCAB_UGM:
        vocab_ugm_encode(v, text, out);
        break;
    default:
        vocab_wpm_encode(v, text, out);
        break;
    }
}

static void encode_parts(const struct vocab *v, const struct part *parts, size_t n, unsigned flags,
                         struct out *out)
{
    bool add = flags & VOCAB_ADD, behind_special = true;
    if (add && (v->add_bos || v->kind == VOCAB_WPM))
        vocab_out_add(out, v->bos);
    for (size_t i = 0; i < n && !out->failed; i++) {
        if (parts[i].id == NO_TOKEN)
            encode_text(v, parts[i].text, behind_special, out);
        else
            vocab_out_add(out, parts[i].id);
        behind_special = parts[i].id != NO_TOKEN;
    }
    if (add && v->kind == VOCAB_WPM)
        vocab_out_add(out, v->sep);
    else if (add && v->add_eos)
        vocab_out_add(out, v->eos);
}

enum err vocab_encode(const struct vocab *vocab, struct str text, unsigned flags,
                      struct arena *arena, struct vocab_tokens *tokens, struct why *why)
{
    struct out out = {.arena = arena};
    struct part *parts;
    size_t n;
    if (text.len > VOCAB_MOST_TEXT)
        return err_set(why, ERR_TOO_LARGE, "a text of %zu bytes is more than %zu", text.len,
                       VOCAB_MOST_TEXT);
    if (!vocab_special_split(vocab, text, flags & VOCAB_SPECIAL, arena, &parts, &n))
        return err_set(why, ERR_NO_MEMORY, "no memory for the tokens of a text of %zu bytes",
                       text.len);
    encode_parts(vocab, parts, n, flags, &out);
    if (out.failed)
        return err_set(why, ERR_NO_MEMORY, "no memory for the tokens of a text of %zu bytes",
                       text.len);
    *tokens = (struct vocab_tokens){out.ids, out.n};
    return ERR_OK;
}

enum err vocab_count(const struct vocab *vocab, struct str text, unsigned flags, size_t *n,
                     struct why *why)
{
    struct vocab_tokens tokens = {0};
    struct arena *arena = arena_new(COUNT_LIMIT);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "no memory to count tokens");
    enum err err = vocab_encode(vocab, text, flags, arena, &tokens, why);
    arena_free(arena);
    if (!err)
        *n = tokens.n;
    return err;
}

/* ---- decoding ---- */

/* The three passes of the library over text that was written token by token: no blank before .,!?,
 * none around a lone apostrophe, none before 's 'm 're 've. */
static size_t clean_marks(char *s, size_t len)
{
    size_t n = len > 0;
    for (size_t i = 1; i < len; i++) {
        if (s[i - 1] == ' ' && (s[i] == '?' || s[i] == '!' || s[i] == '.' || s[i] == ','))
            n--;
        s[n++] = s[i];
    }
    return n;
}

static size_t clean_lone(char *s, size_t len)
{
    size_t n = len > 0;
    for (size_t i = 1; i < len; i++) {
        char c = s[i];
        if (c == '\'' && i + 1 < len && s[i - 1] == ' ' && s[i + 1] == ' ') {
            n--;
            s[++i] = '\0';
        }
        s[n++] = c;
    }
    return n;
}

static bool short_form(const char *s, size_t left)
{
    return left >= 1 && (s[0] == 's' || s[0] == 'm' ||
                         (left >= 2 && (s[0] == 'r' || s[0] == 'v') && s[1] == 'e'));
}

static size_t clean_forms(char *s, size_t len)
{
    size_t n = len > 0;
    for (size_t i = 1; i < len; i++) {
        if (s[i - 1] == ' ' && s[i] == '\'' && short_form(s + i + 1, len - i - 1))
            n--;
        s[n++] = s[i];
    }
    return n;
}

void vocab_decode(const struct vocab *v, const int32_t *ids, size_t n, unsigned flags,
                  struct buf *out)
{
    size_t start = out->len;
    bool blank =
        v->space_prefix && !(flags & VOCAB_NO_SPACE); /* the one that encoding put before */
    if (n && (flags & VOCAB_ADD)) {
        if (v->add_bos && ids[0] == v->bos) {
            blank = false;
            ids++;
            n--;
        }
        if (n && v->add_eos && ids[n - 1] == v->eos)
            n--;
    }
    for (size_t i = 0; i < n; i++) {
        struct str piece = vocab_piece(v, ids[i]);
        bool special = piece.len && (v->attrs[ids[i]] & (ATTR_CONTROL | ATTR_UNKNOWN));
        if (!special || (flags & VOCAB_SPECIAL))
            buf_add(out, blank && piece.len && piece.ptr[0] == ' ' ? str_from(piece, 1) : piece);
        blank = false;
    }
    if (!(flags & VOCAB_CLEAN) || !v->clean || out->failed || out->len == start)
        return;
    char *s = out->ptr + start;
    buf_cut(out, start + clean_forms(s, clean_lone(s, clean_marks(s, out->len - start))));
}
