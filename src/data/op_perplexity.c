/* perplexity: how surprised a language model of Chinese is by a text. */
#include <math.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/lm.h"
#include "data/op.h"

enum { PER = DATA_OWN, LOOKED };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1e12, 0, 2000, ""),
    [PER] = {"per", DATA_CHOICE, 0, 0, 0, "character|word", "",
             "Perplexity of characters or of words", "按字还是按词计算困惑度"},
    [LOOKED] = {"looked", DATA_INTEGER, 10, 1e6, 2000, NULL, "characters",
                "Han characters from the beginning that are looked at", "从开头起参与计算的汉字数"},
};

#define FEWEST 8 /* Han characters: of less nothing is said */

static void close_model(void *lm)
{
    lm_close(lm);
}

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    char words[160] = "";
    char *path = p->models[0] ? file_join(p->arena, p->models, "zh_CN.lm") : NULL;
    struct lm *lm = lm_open(path && file_exists(path) ? path : NULL, words, sizeof words);
    if (!lm) {
        err_hint(why, "install libime-data-language-model, or put zh_CN.lm into the folder of "
                      "data.models");
        return err_set(why, ERR_UNAVAILABLE, "there is no language model zh_CN.lm: %s", words);
    }
    *made = lm;
    if (arena_defer(p->arena, close_model, lm) == 0)
        return ERR_OK;
    lm_close(lm);
    return err_set(why, ERR_NO_MEMORY, "could not hold the language model");
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    struct lm_score score;
    (void)why;
    lm_say(call->made, in, (size_t)call->args[LOOKED].number, &score);
    size_t n = call->args[PER].number > 0 ? score.words : score.characters;
    *out = score.characters < FEWEST ? NAN : pow(10, -score.log10 / (double)n);
    return ERR_OK;
}

const struct data_op data_op_perplexity = {
    .name = "perplexity",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop texts that a trigram model of Chinese finds unlikely",
    .summary_zh = "丢弃中文三元语言模型认为不通顺的文本",
    .source =
        "CCNet, Wenzek et al. 2020, arXiv:1911.00359 sec. 3.4; the model is zh_CN.lm of libime",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};
