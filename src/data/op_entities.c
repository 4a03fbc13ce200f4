/* entities: HTML entities that were left in a text, also those written twice over. */
#include <string.h>

#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { ROUNDS };
static const struct data_param params[] = {
    [ROUNDS] = {"rounds", DATA_INTEGER, 1, 4, 2, NULL, "",
                "So often: &amp;amp;lt; takes three rounds to be <",
                "还原的轮数，&amp;amp;lt; 需三轮才成为 <"},
};

static bool once(struct str in, struct arena *arena, struct str *out, struct buf *buf)
{
    size_t from = 0;
    buf_init(buf, arena);
    for (size_t i = 0; i < in.len;) {
        const char *at = memchr(in.ptr + i, '&', in.len - i);
        uint32_t c = 0;
        if (!at)
            break;
        i = (size_t)(at - in.ptr);
        size_t end = text_entity(in, i, &c);
        if (!end) {
            i++;
            continue;
        }
        char put[UTF8_MAX_BYTES];
        buf_add(buf, str_slice(in, from, i));
        buf_add(buf, (struct str){put, utf8_put(put, c)});
        from = i = end;
    }
    if (!from)
        return false;
    buf_add(buf, str_from(in, from));
    *out = buf->len ? buf_str(buf) : STR("");
    return true;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    enum err err = ERR_OK;
    struct buf buf;
    *out = in;
    for (int round = 0; !err && round < (int)call->args[ROUNDS].number; round++) {
        if (!out->len || !once(*out, call->arena, out, &buf))
            break;
        err = buf_err(&buf, why);
    }
    return err;
}

const struct data_op data_op_entities = {
    .name = "entities",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Decode HTML entities in texts without tags, also those that were escaped twice",
    .summary_zh = "还原文本中残留的 HTML 字符实体，含被多次转义的",
    .source = "HTML Living Standard sec. 13.5; the rounds are ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
