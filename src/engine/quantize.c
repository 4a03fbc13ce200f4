#include "engine/quantize.h"

#include <llama.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "core/file.h"
#include "engine/gguf.h"
#include "engine/run_in.h"

#define PATH_MOST 4096

static int file_type(struct str kind)
{
    static const struct {
        const char *name;
        int number;
    } kinds[] = {
#define KIND(name, number, bits) {name, number},
        ENGINE_QUANTIZE_MAP(KIND)
#undef KIND
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_c(kinds[i].name).len == kind.len &&
            strncasecmp(kinds[i].name, kind.ptr, kind.len) == 0)
            return kinds[i].number;
    return -1;
}

/* Weights in blocks were quantised before: once more makes them worse than need be. */
static enum err check(const char *from, bool again, struct why *why)
{
    struct gguf *gguf = NULL;
    enum err err = gguf_open(from, &gguf, why);
    for (size_t i = 0; !err && i < gguf_n_tensors(gguf); i++) {
        uint32_t elements = 1, bytes;
        const struct gguf_tensor *t = gguf_tensor_at(gguf, i);
        (void)gguf_tensor_block(t->kind, &elements, &bytes);
        if (elements == 1 || again)
            continue;
        err = err_set(why, ERR_INVALID, "\"%s\" is quantised already (tensor \"%.*s\" is %s)", from,
                      STR_FMT(t->name), gguf_tensor_kind_name(t->kind));
        err_hint(why, "take the file in F16 or F32, or quantise again all the same (--again)");
    }
    if (!err && gguf_n_tensors(gguf) == 0)
        err = err_set(why, ERR_INVALID, "\"%s\" has no weights", from);
    gguf_close(gguf);
    return err;
}

static enum err prove(const char *path, struct why *why)
{
    struct gguf *gguf = NULL;
    enum err err = gguf_open(path, &gguf, why);
    gguf_close(gguf);
    return err;
}

enum err engine_quantize(const char *from, const char *to, struct str kind, bool again,
                         unsigned threads, struct why *why)
{
    char temp[PATH_MOST];
    struct llama_model_quantize_params params = llama_model_quantize_default_params();
    int type = file_type(kind);
    if (type < 0)
        return err_set(why, ERR_INVALID, "there is no quantisation \"%.*s\"", STR_FMT(kind));
    if (snprintf(temp, sizeof temp, "%s.%d.part", to, (int)getpid()) >= (int)sizeof temp)
        return err_set(why, ERR_INVALID, "the path \"%.60s...\" is too long", to);
    enum err err = check(from, again, why);
    if (err)
        return err;
    run_log_init();
    params.ftype = (enum llama_ftype)type;
    params.nthread = threads ? (int32_t)threads : 1;
    params.allow_requantize = again;
    params.max_buf_size = (size_t)256 << 20;
    if (llama_model_quantize(from, temp, &params) != 0)
        err = err_set(why, ERR_UNSUPPORTED, "llama.cpp could not quantise \"%s\": %s", from,
                      run_log_last());
    if (!err)
        err = prove(temp, why);
    if (!err)
        err = file_rename(temp, to, why);
    if (err)
        (void)unlink(temp);
    return err;
}
