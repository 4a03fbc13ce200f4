/*
 * Word pieces: the text is lowered and stripped of accents, cut into words, and each word is
 * written by the longest pieces from the left; one that cannot be is the unknown token.
 */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "engine/vocab_in.h"

/* As BERT's own normaliser has them, its gap included. */
static bool stands_alone(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* A word with its U+2581 in front. */
static void put_word(const struct vocab *v, struct str word, struct out *out)
{
    size_t first = out->n;
    for (size_t at = 0; at < word.len;) {
        int32_t id = NO_TOKEN;
        uint32_t node = 0;
        size_t len = 0;
        for (size_t i = at;
             i < word.len && (node = vocab_trie_next(&v->trie, node, (uint8_t)word.ptr[i])) != 0;
             i++) {
            if (v->trie.ids[node] == NO_TOKEN)
                continue;
            id = v->trie.ids[node];
            len = i + 1 - at;
        }
        if (id == NO_TOKEN) {
            out->n = first;
            break;
        }
        vocab_out_add(out, id);
        at += len;
    }
    if (out->n == first)
        vocab_out_add(out, v->unk);
}

static void end_word(const struct vocab *v, struct buf *word, struct out *out)
{
    if (word->len > 3 && !word->failed)
        put_word(v, buf_str(word), out);
    buf_cut(word, 3);
}

void vocab_wpm_encode(const struct vocab *v, struct str text, struct out *out)
{
    struct arena *scratch = arena_new(arena_limit(out->arena));
    struct buf word;
    if (!scratch) {
        out->failed = true;
        return;
    }
    buf_init(&word, scratch);
    buf_add_c(&word, "\xE2\x96\x81");
    for (size_t at = 0; at < text.len && !out->failed;) {
        uint32_t c = utf8_next(text, &at);
        char bytes[UTF8_MAX_BYTES];
        if (v->strip_accents)
            c = vocab_unicode_base(c);
        uint8_t class = vocab_unicode_class(c);
        if (class & CLASS_SPACE) {
            end_word(v, &word, out);
            continue;
        }
        if (c == 0 || c == UTF8_BAD || (class & CLASS_CONTROL) ||
            (v->strip_accents && (class & CLASS_MARK)))
            continue;
        bool alone =
            (class & CLASS_PUNCTUATION) || (c < 0x7F && (class & CLASS_SYMBOL)) || stands_alone(c);
        if (alone)
            end_word(v, &word, out);
        if (v->lowercase)
            c = vocab_unicode_lower(c);
        buf_add(&word, (struct str){bytes, utf8_put(bytes, c)});
        if (alone)
            end_word(v, &word, out);
    }
    end_word(v, &word, out);
    out->failed |= word.failed;
    arena_free(scratch);
}
