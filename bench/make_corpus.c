/*
 * make_corpus FILE.jsonl BYTES [SEED] > BIG.jsonl - much text that is like a little text.
 *
 * Every text of FILE comes again and again, never the same twice: about one in seven is a near
 * duplicate (a few sentences gone, a few numbers drawn anew), the others are made of their own
 * sentences and of those of others by halves, numbers drawn anew. A text of a sentence or two gets
 * more behind it. The same seed gives the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "data/record.h"
#include "data/scan.h"
#include "data/text.h"

#define ROOM  ((size_t)4 << 30)
#define LIGHT 15 /* of 100 texts */

struct source {
    struct str *texts;
    size_t n;
    struct str *sentences; /* of all texts */
    size_t n_sentences;
};

static uint64_t state;

static uint64_t draw(uint64_t most)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return ((state >> 33) ^ (state >> 11)) % most;
}

static size_t count_lines(struct str all)
{
    size_t n = 1;
    for (size_t i = 0; i < all.len; i++)
        n += all.ptr[i] == '\n';
    return n;
}

static enum err read_source(struct str all, struct arena *arena, struct source *out,
                            struct why *why)
{
    struct str rest = all, line, sentence;
    size_t cap = all.len / 24 + 1000;
    enum err err = ERR_OK;
    out->texts = arena_array(arena, struct str, count_lines(all));
    out->sentences = arena_array(arena, struct str, cap);
    if (!out->texts || !out->sentences)
        return err_set(why, ERR_NO_MEMORY, "could not hold the texts");
    while (!err && str_next(&rest, '\n', &line)) {
        struct record record;
        if (!line.len)
            continue;
        err = record_read(line, arena, &record, why);
        struct str text = err ? STR_NONE : record_str(&record, "text");
        if (!text.len)
            continue;
        out->texts[out->n++] = text;
        while (text_next_sentence(&text, &sentence) && out->n_sentences < cap)
            if (sentence.len >= 15)
                out->sentences[out->n_sentences++] = sentence;
    }
    if (!err && (!out->n || !out->n_sentences))
        err = err_set(why, ERR_INVALID, "the file holds no texts");
    return err;
}

/* With numbers drawn anew: one digit of `of`. */
static void put_sentence(struct buf *out, struct str s, uint64_t of)
{
    size_t at = out->len;
    buf_add(out, s);
    for (; at < out->len && !out->failed; at++)
        if (out->ptr[at] >= '0' && out->ptr[at] <= '9' && draw(of) == 0)
            out->ptr[at] = (char)('0' + draw(10));
}

static void vary(const struct source *from, struct str text, struct buf *out)
{
    bool light = draw(100) < LIGHT;
    size_t n = 0;
    for (struct str sentence; text_next_sentence(&text, &sentence); n++) {
        uint64_t dice = draw(100);
        if (light && dice < 98)
            put_sentence(out, sentence, 20);
        else if (!light && dice < 45)
            put_sentence(out, sentence, 2);
        else if (!light && dice < 90)
            put_sentence(out, from->sentences[draw(from->n_sentences)], 2);
    }
    for (; !light && n < 3; n++)
        put_sentence(out, from->sentences[draw(from->n_sentences)], 2);
}

int main(int argc, char **argv)
{
    struct file_map map = {0};
    struct why why = {0};
    struct arena *arena = arena_new(ROOM), *one = arena_new((size_t)256 << 20);
    struct source from = {0};
    if (argc < 3 || !arena || !one || file_map(argv[1], &map, &why)) {
        (void)fprintf(stderr, "make_corpus FILE.jsonl BYTES [SEED] %s\n", why.text);
        return 2;
    }
    uint64_t most = strtoull(argv[2], NULL, 10), made = 0;
    state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    enum err err = read_source((struct str){(const char *)map.ptr, map.len}, arena, &from, &why);
    while (!err && made < most) {
        struct buf text, line;
        arena_reset(one);
        buf_init(&text, one);
        buf_init(&line, one);
        vary(&from, from.texts[draw(from.n)], &text);
        if (!text.len)
            continue;
        buf_add_c(&line, "{\"text\":");
        scan_quote(&line, buf_str(&text));
        buf_add_c(&line, "}\n");
        err = buf_err(&line, &why);
        if (!err && fwrite(line.ptr, 1, line.len, stdout) != line.len)
            err = err_errno(&why, "could not write");
        made += line.len;
    }
    if (!err && fflush(stdout) != 0)
        err = err_errno(&why, "could not write");
    if (err)
        (void)fprintf(stderr, "%s\n", why_text(&why, err));
    arena_free(one);
    arena_free(arena);
    file_unmap(&map);
    return err != ERR_OK;
}
