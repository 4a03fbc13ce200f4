/* language: keep what is in one of some languages. */
#include <math.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/lang.h"
#include "data/op.h"

enum { LANGUAGES = DATA_OWN, LOOKED };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0.5, 1, ""),
    [LANGUAGES] = {"languages", DATA_STRINGS, 0, 200, 0, "zh", "",
                   "Codes of ISO 639-1: zh, en, ja, ko, bo, ug, mn, vi and so on",
                   "语言代码，如 zh、en、bo、ug"},
    [LOOKED] = {"looked", DATA_INTEGER, 64, 1e6, 1000, NULL, "bytes",
                "So much of the beginning is looked at", "判断所看的开头长度"},
};

static void release(void *lang)
{
    lang_close(lang);
}

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    char words[160] = "";
    char *path = file_join(p->arena, p->models, "lid.176.ftz");
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not open the language model");
    if (!p->args[LANGUAGES].n)
        return err_set(why, ERR_INVALID, "\"languages\" names none");
    if (!file_exists(path)) {
        err_hint(why, "put fastText's lid.176.ftz into the folder of data.models");
        return err_set(why, ERR_UNAVAILABLE, "the language model lid.176.ftz is not there");
    }
    struct lang *lang = lang_open(path, words, sizeof words);
    if (!lang)
        return err_set(why, ERR_UNAVAILABLE, "could not read the language model: %s", words);
    if (arena_defer(p->arena, release, lang) != 0) {
        lang_close(lang);
        return err_set(why, ERR_NO_MEMORY, "could not open the language model");
    }
    *made = lang;
    return ERR_OK;
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    (void)why;
    double p = !str_trim_space(in).len
                   ? -1
                   : lang_probability(call->made, in, (size_t)call->args[LOOKED].number,
                                      call->args[LANGUAGES].list, call->args[LANGUAGES].n);
    *out = p < 0 ? NAN : p;
    return ERR_OK;
}

const struct data_op data_op_language = {
    .name = "language",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Keep records that are in one of some languages",
    .summary_zh = "只保留指定语言的记录",
    .source =
        "fastText lid.176, Joulin et al. 2016, arXiv:1612.03651; as in CCNet, arXiv:1911.00359",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};
