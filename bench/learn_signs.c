/*
 * learn_signs - what the shipped quality classifier is trained on; see bench/learn_shipped.
 *
 *     learn_signs pairs TEXTS.jsonl TABLE   the table of pairs of Han characters that stand
 * together at least FREQUENT times learn_signs signs EXAMPLES.jsonl      the examples on standard
 * output with their signs for text
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "data/quality.h"
#include "data/shipped.h"

#define FREQUENT 3

static uint8_t counts[(size_t)0x5200 * 0x5200]; /* of pairs of U+4E00 .. U+9FFF */

static void count_pairs(struct str text)
{
    uint32_t before = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t c = utf8_next(text, &i);
        bool han = c >= 0x4E00 && c <= 0x9FFF;
        if (han && before) {
            uint8_t *n = &counts[(size_t)(before - 0x4E00) * 0x5200 + (c - 0x4E00)];
            *n = *n < 255 ? *n + 1 : 255;
        }
        before = han ? c : 0;
    }
}

static enum err write_pairs(const char *path, struct why *why)
{
    static uint8_t table[1 << (SHIPPED_PAIR_BITS - 3)];
    size_t n = 0;
    for (uint32_t a = 0; a < 0x5200; a++)
        for (uint32_t b = 0; b < 0x5200; b++)
            if (counts[(size_t)a * 0x5200 + b] >= FREQUENT) {
                uint32_t bit = quality_pair_bit(a + 0x4E00, b + 0x4E00);
                table[bit / 8] |= (uint8_t)(1u << bit % 8);
                n++;
            }
    (void)fprintf(stderr, "%zu frequent pairs\n", n);
    return file_write(path, (struct str){(const char *)table, sizeof table}, 0644, why);
}

static enum err each_line(const char *path, bool signs, struct why *why)
{
    struct arena *all = arena_new((size_t)1 << 30), *arena = arena_new((size_t)64 << 20);
    struct str text, line;
    enum err err = file_read(path, (size_t)1 << 30, all, &text, why);
    while (!err && str_next_line(&text, &line)) {
        const struct json *json = NULL;
        char out[QUALITY_BYTES];
        err = json_parse(line, arena, &json, why);
        if (!err && signs)
            printf("{\"text\":\"%.*s\",\"label\":\"%.*s\"}\n",
                   STR_FMT(quality_signs(json_get_str(json, "text", STR("")), out)),
                   STR_FMT(json_get_str(json, "label", STR(""))));
        else if (!err)
            count_pairs(json_get_str(json, "text", STR("")));
        arena_reset(arena);
    }
    arena_free(arena);
    arena_free(all);
    return err;
}

int main(int argc, char **argv)
{
    struct why why = {0};
    bool pairs = argc == 4 && strcmp(argv[1], "pairs") == 0,
         signs = argc == 3 && strcmp(argv[1], "signs") == 0;
    if (!pairs && !signs) {
        (void)fprintf(stderr, "learn_signs pairs TEXTS.jsonl TABLE | signs EXAMPLES.jsonl\n");
        return 2;
    }
    enum err err = each_line(argv[2], signs, &why);
    if (!err && pairs)
        err = write_pairs(argv[3], &why);
    if (err)
        (void)fprintf(stderr, "%s\n", why_text(&why, err));
    return err != ERR_OK;
}
