/* links: web and e-mail addresses. */
#include "data/op.h"
#include "data/text.h"

enum { URLS, EMAILS, WITH };
static const struct data_param params[] = {
    [URLS] = {"urls", DATA_FLAG, 0, 0, 1, NULL, "", "Replace web addresses", "替换网址"},
    [EMAILS] = {"emails", DATA_FLAG, 0, 0, 1, NULL, "", "Replace e-mail addresses", "替换电子邮箱"},
    [WITH] = {"with", DATA_STRING, 0, 100, 0, "", "", "What comes in their place", "替换成的文字"},
};

/* Only where an address may begin. */
static bool may_begin(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct text_edit edit;
    bool urls = call->args[URLS].number > 0, emails = call->args[EMAILS].number > 0;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        size_t end = i;
        if (may_begin(in.ptr[i]) && (i == 0 || !may_begin(in.ptr[i - 1]))) {
            end = urls ? text_url(in, i) : i;
            if (end == i && emails)
                end = text_email(in, i);
        }
        if (end == i) {
            i++;
            continue;
        }
        text_edit_part(&edit, i, end);
        buf_add(&edit.buf, call->args[WITH].text);
        i = end;
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_links = {
    .name = "links",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Remove or replace web and e-mail addresses",
    .summary_zh = "去掉或替换网址和电子邮箱",
    .source = "clean_links_mapper and clean_email_mapper of Data-Juicer, arXiv:2309.02033; RFC "
              "3986 for the characters",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
