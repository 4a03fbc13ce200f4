/*
 * engine/quantize - a model file in fewer bits, by llama.cpp's own quantisation.
 */
#ifndef ENGINE_QUANTIZE_H
#define ENGINE_QUANTIZE_H

#include "core/str.h"

/* Name and number of general.file_type, the usual ones; with bits a weight (about). */
#define ENGINE_QUANTIZE_MAP(X)                                                                     \
    X("F16", 1, "16.0")                                                                            \
    X("BF16", 32, "16.0")                                                                          \
    X("Q8_0", 7, "8.5")                                                                            \
    X("Q6_K", 18, "6.6")                                                                           \
    X("Q5_K_M", 17, "5.7")                                                                         \
    X("Q5_K_S", 16, "5.5")                                                                         \
    X("Q4_K_M", 15, "4.8")                                                                         \
    X("Q4_K_S", 14, "4.6")                                                                         \
    X("IQ4_NL", 25, "4.5")                                                                         \
    X("IQ4_XS", 30, "4.3")                                                                         \
    X("Q4_1", 3, "4.8")                                                                            \
    X("Q4_0", 2, "4.3")                                                                            \
    X("Q3_K_M", 12, "3.9")                                                                         \
    X("Q2_K", 10, "3.0")

/*
 * Reads `from` (F32, F16 or BF16; anything with `again`, which loses twice), writes `to` in one
 * step. The file is checked by gguf_open() before the library sees it, and what it wrote after.
 *
 *   Process the library aborts on what it does not expect: call it where that ends nothing else (a
 *           command, a job)
 *   Errors  ERR_INVALID      unknown kind, a broken file, or one that is quantised already
 *           ERR_UNSUPPORTED  built without llama.cpp, or an architecture that it does not know
 *           ERR_IO, ERR_NO_SPACE
 *   Cost    0.5 billion weights to Q4_K_M: about half a minute on 2 cores; 256 MB
 */
ERR_MUST_USE enum err engine_quantize(const char *from, const char *to, struct str kind, bool again,
                                      unsigned threads, struct why *why);

#endif
