/* rare_han: Han characters that hardly anyone writes: what misreading and bad scans leave. */
#include <iconv.h>
#include <math.h>

#include "core/arena.h"
#include "data/op.h"
#include "data/text.h"

enum { COMMON = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 0.1, ""),
    [COMMON] = {"common", DATA_CHOICE, 0, 0, 0, "level_1|level_2|gbk", "",
                "What counts as common: the 3,755 of GB 2312 level 1, its 6,763, or all of GBK",
                "常用字范围：GB 2312 一级 3755 字、一二级 6763 字，或 GBK 全部"},
};

#define FIRST 0x4E00
#define LAST  0x9FFF

struct common {
    uint8_t bits[(LAST - FIRST) / 8 + 1];
};

/* The characters of a range of codes of GBK; what is no code is passed over. */
static void add_codes(iconv_t gbk, unsigned low, unsigned high, unsigned least, unsigned most,
                      struct common *common)
{
    for (unsigned a = low; a <= high; a++)
        for (unsigned b = least; b <= most; b++) {
            char bytes[2] = {(char)a, (char)b}, *from = bytes;
            unsigned char wide[8];
            char *to = (char *)wide;
            size_t n_from = 2, n_to = sizeof wide;
            (void)iconv(gbk, NULL, NULL, NULL, NULL);
            if (iconv(gbk, &from, &n_from, &to, &n_to) == (size_t)-1 || sizeof wide - n_to != 2)
                continue;
            unsigned c = wide[0] | (unsigned)wide[1] << 8;
            if (c >= FIRST && c <= LAST)
                common->bits[(c - FIRST) / 8] |= (uint8_t)(1u << (c - FIRST) % 8);
        }
}

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    struct common *common = arena_one(p->arena, struct common);
    iconv_t gbk = iconv_open("UTF-16LE", "GBK");
    if (gbk == (iconv_t)-1)
        return err_set(why, ERR_UNAVAILABLE, "the system has no table of GBK");
    int level = (int)p->args[COMMON].number;
    if (common)
        add_codes(gbk, 0xB0, 0xD7, 0xA1, 0xFE, common);
    if (common && level >= 1)
        add_codes(gbk, 0xD8, 0xF7, 0xA1, 0xFE, common);
    if (common && level >= 2)
        add_codes(gbk, 0x81, 0xFE, 0x40, 0xFE, common);
    (void)iconv_close(gbk);
    *made = common;
    return common ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the common characters");
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    const struct common *common = call->made;
    size_t n = 0, rare = 0;
    (void)why;
    for (size_t i = 0; i < in.len;) {
        uint32_t c = text_next(in, &i);
        if (c >= FIRST && c <= LAST) {
            n++;
            rare += !(common->bits[(c - FIRST) / 8] >> (c - FIRST) % 8 & 1);
        } else if (c > LAST && text_class(c) == TEXT_HAN) {
            n++;
            rare++;
        }
    }
    *out = n ? (double)rare / (double)n : NAN;
    return ERR_OK;
}

const struct data_op data_op_rare_han = {
    .name = "rare_han",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop texts by the share of Han characters that are not in common use",
    .summary_zh = "按非常用汉字的占比过滤，可发现乱码和识别错误",
    .source = "levels of GB 2312-1980 and GBK, by the C library",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};
