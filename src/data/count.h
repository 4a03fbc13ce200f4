/*
 * data/count - what operators that count tokens share: the parameter that names a vocabulary, and
 * its opening.
 */
#ifndef DATA_COUNT_H
#define DATA_COUNT_H

#include "data/op.h"
#include "models/models.h"

#define COUNT_PARAM                                                                                \
    {                                                                                              \
        "vocabulary", DATA_STRING, 0, 200, 0, "", "",                                              \
            "A model or alias of the registry, or a GGUF file in the folder of data.models; "      \
            "empty: an "                                                                           \
            "estimate (a token for each Han character, or 4 letters)",                             \
            "模型中心的模型名或别名，或 data.models 目录中的 GGUF "               \
            "文件名；为空则估算（一个汉字或四个字母计一个词元）"          \
    }

/* *made is a struct models_counter that ends with the pipeline. ERR_INVALID for a name with
 * folders, ERR_UNAVAILABLE for a file that is missing or holds no vocabulary. */
ERR_MUST_USE enum err count_prepare(const struct data_prepare *prepare, struct str vocabulary,
                                    const void **made, struct why *why);

#endif
