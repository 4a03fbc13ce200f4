/* web_boilerplate: lines that every page of a site has. */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { EXTRA };
static const struct data_param params[] = {
    [EXTRA] = {"phrases", DATA_STRINGS, 0, 1000, 0, "", "",
               "More phrases: a short line that holds one is removed",
               "补充短语：含有其一的短行被去掉"},
};

#define MOST_LINE 150 /* bytes: a longer line says something of its own */

/* A short line that begins with one of these, or holds one of the second list, is furniture. */
static const char *const heads[] = {
    "当前位置",  "您当前的位置", "您的位置",  "你的位置", "上一篇",     "下一篇",   "上一页",
    "下一页",    "责任编辑",     "打印本页",  "关闭窗口", "【打印",     "分享到",   "扫一扫",
    "版权所有",  "主办单位",     "承办单位",  "技术支持", "网站标识码", "网站地图", "联系我们",
    "字号：",    "字体：",       "字体大小",  "浏览次数", "访问次数",   "阅读次数", "点击数",
    "相关链接",  "相关阅读",     "友情链接",  "返回顶部", "返回首页",   "设为首页", "加入收藏",
    "Copyright", "copyright",    "COPYRIGHT", "©",
};
static const char *const inside[] = {
    "ICP备",      "公网安备",       "扫描二维码", "微信扫一扫",
    "关注公众号", "点击下载客户端", "收藏本站",   "All Rights Reserved",
    "无障碍浏览", "繁体版",         "打印】",     "【关闭",
    "[打印",      "[关闭",
};

/* Which first three bytes a phrase may have, as bits at a hash of them: most lines hold none. */
struct made {
    uint64_t heads[64], inside[64];
};

static unsigned bit_of(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return ((unsigned)b[0] * 67 ^ (unsigned)b[1] * 29 ^ (unsigned)b[2]) & 4095;
}

static enum err prepare(const struct data_prepare *p, const void **out, struct why *why)
{
    struct made *m = arena_one(p->arena, struct made);
    if (!m)
        return err_set(why, ERR_NO_MEMORY, "could not prepare the phrases");
    for (size_t i = 0; i < sizeof heads / sizeof heads[0];
         i++) /* © has two bytes and the end's 0 */
        m->heads[bit_of(heads[i]) / 64] |= 1ull << bit_of(heads[i]) % 64;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
        m->inside[bit_of(inside[i]) / 64] |= 1ull << bit_of(inside[i]) % 64;
    *out = m;
    return ERR_OK;
}

static bool has_head(struct str line)
{
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        if (str_starts(line, str_c(heads[i])))
            return true;
    return false;
}

static bool has_inside(const struct made *m, struct str line)
{
    for (size_t at = 0; at + 3 <= line.len; at++) {
        unsigned bit = bit_of(line.ptr + at);
        if (!(m->inside[bit / 64] >> bit % 64 & 1))
            continue;
        for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
            if (str_starts(str_from(line, at), str_c(inside[i])))
                return true;
    }
    return false;
}

static bool is_furniture(const struct made *m, struct str line, const struct data_arg *extra)
{
    if (!line.len || line.len > MOST_LINE || text_ends_sentence(line))
        return false;
    unsigned bit = line.len >= 3 ? bit_of(line.ptr) : 0;
    bool copyright = (unsigned char)line.ptr[0] == 0xC2; /* © and what stands behind it */
    if ((copyright || line.len < 3 || m->heads[bit / 64] >> bit % 64 & 1) && has_head(line))
        return true;
    if (has_inside(m, line))
        return true;
    for (size_t i = 0; i < extra->n; i++)
        if (extra->list[i].len && str_find(line, extra->list[i]) != STR_NPOS)
            return true;
    return false;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct buf buf;
    struct str rest = in, line;
    bool first = true, any = false;
    buf_init(&buf, call->arena);
    while (str_next(&rest, '\n', &line)) {
        if (is_furniture(call->made, str_trim_space(line), &call->args[EXTRA])) {
            any = true;
            continue;
        }
        text_add_line(&buf, line, &first);
    }
    *out = !any ? in : buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

const struct data_op data_op_web_boilerplate = {
    .name = "web_boilerplate",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Remove navigation, sharing, counting and copyright lines of web pages",
    .summary_zh = "去掉网页的导航、分享、计数、版权等固定行",
    .source = "ours, from the pages of Chinese government sites",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .text = text,
};
