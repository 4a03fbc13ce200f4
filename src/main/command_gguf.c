/* yicheng gguf: model files by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/pool.h"
#include "engine/engine.h"
#include "main/command.h"

#define MEMORY (256u << 20)

/* A value on one line; of an array the first eight items. */
static void put_value(struct buf *buf, const struct gguf_value *value)
{
    struct json_out out;
    struct str s;
    size_t at = 0;
    int64_t whole;
    double real;
    json_out_init(&out, buf);
    if (value->kind == GGUF_KIND_ARRAY)
        json_begin_array(&out);
    for (uint64_t i = 0; i < value->n && i < 8; i++) {
        if (gguf_next_str(value, &at, &s))
            json_put_str(&out, str_slice(s, 0, 400));
        else if (value->of == GGUF_KIND_BOOL)
            json_put_bool(&out, value->bytes[i] != 0);
        else if (gguf_item_int(value, i, &whole))
            json_put_int(&out, whole);
        else if (gguf_item_real(value, i, &real))
            json_put_real(&out, real);
        else
            json_put_null(&out);
    }
    if (value->kind == GGUF_KIND_ARRAY)
        json_end_array(&out);
}

static void put_tensor(struct json_out *out, const struct gguf_tensor *t)
{
    json_begin_object(out);
    json_kv_str(out, "name", t->name);
    json_kv_c(out, "kind", gguf_tensor_kind_name(t->kind));
    json_key(out, "shape");
    json_begin_array(out);
    for (uint32_t d = 0; d < t->n_dims; d++)
        json_put_int(out, (int64_t)t->dims[d]);
    json_end_array(out);
    json_kv_int(out, "bytes", (int64_t)t->len);
    json_end_object(out);
}

static void show_json(const struct gguf *gguf, struct buf *buf)
{
    struct json_out out;
    struct gguf_card card;
    gguf_describe(gguf, &card);
    json_out_init(&out, buf);
    json_begin_object(&out);
    gguf_card_json(&card, &out);
    json_kv_int(&out, "version", gguf_version(gguf));
    json_kv_int(&out, "file_bytes", (int64_t)gguf_file_bytes(gguf));
    json_key(&out, "tensors");
    json_begin_array(&out);
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++)
        put_tensor(&out, gguf_tensor_at(gguf, i));
    json_end_array(&out);
    json_end_object(&out);
    buf_char(buf, '\n');
}

static void show_text(const struct gguf *gguf, struct buf *buf)
{
    buf_printf(buf, "GGUF version %u, %llu bytes, %zu keys, %zu tensors\n", gguf_version(gguf),
               (unsigned long long)gguf_file_bytes(gguf), gguf_n_keys(gguf), gguf_n_tensors(gguf));
    for (size_t i = 0; i < gguf_n_keys(gguf); i++) {
        struct str name;
        const struct gguf_value *value = gguf_key_at(gguf, i, &name);
        buf_printf(buf, "%-48.*s ", STR_FMT(name));
        if (value->kind == GGUF_KIND_ARRAY)
            buf_printf(buf, "%s[%llu] ", gguf_kind_name(value->of), (unsigned long long)value->n);
        put_value(buf, value);
        buf_char(buf, '\n');
    }
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(gguf, i);
        buf_printf(buf, "%-48.*s %-8s", STR_FMT(t->name), gguf_tensor_kind_name(t->kind));
        for (uint32_t d = 0; d < t->n_dims; d++)
            buf_printf(buf, "%s%llu", d ? " x " : "", (unsigned long long)t->dims[d]);
        buf_char(buf, '\n');
    }
}

static enum err show(bool json, const char *path, struct why *why)
{
    struct gguf *gguf = NULL;
    struct buf buf;
    struct arena *arena = arena_new(MEMORY);
    enum err err = arena ? gguf_open(path, &gguf, why) : ERR_NO_MEMORY;
    if (!err) {
        buf_init(&buf, arena);
        if (json)
            show_json(gguf, &buf);
        else
            show_text(gguf, &buf);
        err = buf_err(&buf, why);
        if (!err)
            printf("%.*s", STR_FMT(buf_str(&buf)));
    }
    gguf_close(gguf);
    arena_free(arena);
    return err;
}

/* One token a line: its number and what it writes; with --json the numbers alone. */
static enum err tokens(bool json, const char *path, const char *text, struct why *why)
{
    struct vocab *vocab = NULL;
    struct vocab_tokens list = {0};
    struct buf buf;
    struct arena *arena = arena_new(MEMORY);
    enum err err = arena ? vocab_open_file(path, &vocab, why) : ERR_NO_MEMORY;
    if (!err)
        err = vocab_encode(vocab, str_c(text), VOCAB_ADD | VOCAB_SPECIAL, arena, &list, why);
    if (!err) {
        buf_init(&buf, arena);
        for (size_t i = 0; i < list.n; i++) {
            buf_printf(&buf, json ? (i ? ",%d" : "[%d") : "%d ", list.ids[i]);
            if (json)
                continue;
            json_quote(&buf, vocab_piece(vocab, list.ids[i]));
            buf_char(&buf, '\n');
        }
        if (json)
            buf_add_c(&buf, list.n ? "]\n" : "[]\n");
        err = buf_err(&buf, why);
    }
    if (!err)
        printf("%.*s", STR_FMT(buf_str(&buf)));
    vocab_close(vocab);
    arena_free(arena);
    return err;
}

static enum err kind_of(const char *name, enum gguf_tensor_kind *out, struct why *why)
{
    if (!name || engine_kind_parse(str_c(name), out))
        return ERR_OK;
    return err_set(why, ERR_INVALID, "--kind \"%s\" is none of F32, F16, Q8_0, Q4_0", name);
}

static void list_shapes(void)
{
#define SHAPE(name, family, embed, feed, layers, heads, kv, context, pooling, summary)             \
    printf("%-8s %-6s %s\n", name, family, summary);
    ENGINE_RANDOM_MAP(SHAPE)
#undef SHAPE
}

static void list_kinds(void)
{
#define KIND(name, number, bits) printf("%-8s about %s bits a weight\n", name, bits);
    ENGINE_QUANTIZE_MAP(KIND)
#undef KIND
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    enum gguf_tensor_kind kind = GGUF_TENSOR_F16;
    const char *kind_name = command_option(&argc, argv, "--kind");
    const char *seed = command_option(&argc, argv, "--seed");
    const char *threads = command_option(&argc, argv, "--threads");
    bool again = command_flag(&argc, argv, "--again");
    struct engine_random random = {.vocab = command_option(&argc, argv, "--vocab"),
                                   .seed = seed ? strtoull(seed, NULL, 10) : 1};
    if (command_rest(argc, argv, 1, 4, &why))
        return command_usage(&command_gguf);
    const char *verb = argv[1];
    bool quantize = strcmp(verb, "quantize") == 0;
    enum err err = quantize ? ERR_OK : kind_of(kind_name, &kind, &why);
    random.kind = kind;
    if (err)
        return command_fail("gguf", err, &why);
    if (strcmp(verb, "show") == 0 && argc == 3) {
        err = show(opts->json, argv[2], &why);
    } else if (strcmp(verb, "tokens") == 0 && argc == 4) {
        err = tokens(opts->json, argv[2], argv[3], &why);
    } else if (quantize && argc == 4 && kind_name) {
        err = engine_quantize(
            argv[2], argv[3], str_c(kind_name), again,
            threads ? (unsigned)strtoul(threads, NULL, 10) : (unsigned)pool_cores(), &why);
    } else if (strcmp(verb, "convert") == 0 && argc == 5) {
        err = engine_convert_llama2c(argv[2], argv[3], argv[4], kind_name ? kind : GGUF_TENSOR_F32,
                                     &why);
    } else if (strcmp(verb, "random") == 0 && argc == 4) {
        random.shape = argv[2];
        err = engine_make_random(&random, argv[3], &why);
    } else if (strcmp(verb, "shapes") == 0 && argc == 2) {
        list_shapes();
    } else if (strcmp(verb, "kinds") == 0 && argc == 2) {
        list_kinds();
    } else {
        return command_usage(&command_gguf);
    }
    return err ? command_fail("gguf", err, &why) : 0;
}

const struct command command_gguf = {
    .name = "gguf",
    .usage = "show FILE\n"
             "tokens FILE TEXT\n"
             "convert CHECKPOINT TOKENIZER FILE [--kind F32|F16|Q8_0|Q4_0]\n"
             "random SHAPE FILE [--vocab GGUF] [--kind KIND] [--seed N]\n"
             "shapes\n"
             "quantize FROM TO --kind Q4_K_M|Q8_0|... [--again] [--threads N]\n"
             "kinds",
    .summary = "Model files: show one, cut a text into its tokens, convert a llama2.c checkpoint, "
               "make one of random weights, quantise one",
    .run = run,
};
