/* html: the text of a page without its tags. */
#include <string.h>

#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

#define MOST_NAME 12
#define MOST_TAG  8192 /* bytes: a longer tag is none, or hostile */

/* Tags that end a line; all others leave nothing. */
static const char *const blocks[] = {
    "p",  "br",    "div", "li", "tr", "h1",  "h2", "h3", "h4",      "h5",      "h6", "ul",
    "ol", "table", "dd",  "dt", "hr", "pre", "td", "th", "section", "article", "dl", "blockquote"};
/* What stands between these is no text. */
static const char *const silent[] = {"script", "style", "noscript", "template", "svg", "head"};

static bool one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

/* The name of the tag that begins at `at` ("/p" for an end), and where it ends; 0: no tag. */
static size_t read_tag(struct str in, size_t at, char name[MOST_NAME], bool *closes, bool *open)
{
    size_t i = at + 1, n = 0;
    *closes = i < in.len && in.ptr[i] == '/';
    i += *closes;
    if (i < in.len && (in.ptr[i] == '!' || in.ptr[i] == '?')) {
        if (in.len - i > 2 && memcmp(in.ptr + i, "!--", 3) == 0) {
            size_t end = *open ? STR_NPOS : str_find_from(in, STR("-->"), i + 3);
            name[0] = '\0';
            *open = end == STR_NPOS; /* the next need not look again */
            return *open ? 0 : end + 3;
        }
    } else if (i >= in.len || (in.ptr[i] | 32) < 'a' || (in.ptr[i] | 32) > 'z') {
        return 0;
    }
    for (; i < in.len && n + 1 < MOST_NAME; i++) {
        char c = (char)(in.ptr[i] | 32);
        if ((c < 'a' || c > 'z') && (in.ptr[i] < '0' || in.ptr[i] > '9'))
            break;
        name[n++] = in.ptr[i] >= '0' && in.ptr[i] <= '9' ? in.ptr[i] : c;
    }
    name[n] = '\0';
    char quote = 0;
    for (; i < in.len && i - at < MOST_TAG; i++) {
        if (quote ? in.ptr[i] == quote : in.ptr[i] == '>')
            quote = 0;
        else if (!quote && (in.ptr[i] == '"' || in.ptr[i] == '\''))
            quote = in.ptr[i];
        if (!quote && in.ptr[i] == '>')
            return i + 1;
    }
    return 0;
}

/* Behind the end tag of a silent element, or the end of the text. */
static size_t behind(struct str in, size_t at, const char *name)
{
    bool closes, comment = true;
    char other[MOST_NAME];
    while (at < in.len) {
        const char *open = memchr(in.ptr + at, '<', in.len - at);
        if (!open)
            return in.len;
        at = (size_t)(open - in.ptr);
        size_t end = in.len - at > 1 && in.ptr[at + 1] == '/'
                         ? read_tag(in, at, other, &closes, &comment)
                         : 0;
        if (end && strcmp(other, name) == 0)
            return end;
        at = end ? end : at + 1;
    }
    return in.len;
}

static size_t take_tag(struct str in, size_t at, struct buf *out, bool *open)
{
    char name[MOST_NAME];
    bool closes;
    size_t end = read_tag(in, at, name, &closes, open);
    if (!end) {
        buf_char(out, '<');
        return at + 1;
    }
    if (!closes && one_of(name, silent, sizeof silent / sizeof silent[0]))
        return behind(in, end, name);
    if (one_of(name, blocks, sizeof blocks / sizeof blocks[0]) && out->len &&
        out->ptr[out->len - 1] != '\n')
        buf_char(out, '\n');
    return end;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct buf buf;
    size_t i = 0;
    bool open = false; /* a comment that does not end was seen */
    *out = in;
    if (!in.len || (!memchr(in.ptr, '<', in.len) && !memchr(in.ptr, '&', in.len)))
        return ERR_OK;
    buf_init(&buf, call->arena);
    while (i < in.len) {
        size_t from = i, end = 0;
        uint32_t c = 0;
        while (i < in.len && in.ptr[i] != '<' && in.ptr[i] != '&')
            i++;
        buf_add(&buf, str_slice(in, from, i));
        if (i == in.len)
            break;
        if (in.ptr[i] == '<') {
            i = take_tag(in, i, &buf, &open);
        } else if ((end = text_entity(in, i, &c))) {
            char put[UTF8_MAX_BYTES];
            buf_add(&buf, (struct str){put, utf8_put(put, c)});
            i = end;
        } else {
            buf_char(&buf, in.ptr[i++]);
        }
    }
    while (buf.len && buf.ptr[buf.len - 1] == '\n')
        buf_cut(&buf, buf.len - 1);
    *out = buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

const struct data_op data_op_html = {
    .name = "html",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Remove HTML tags, scripts, styles and comments, and decode character entities",
    .summary_zh = "去掉 HTML 标签、脚本、样式和注释，还原字符实体",
    .source =
        "HTML Living Standard sec. 13.5 for entities; the set of tags that break lines is ours",
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
