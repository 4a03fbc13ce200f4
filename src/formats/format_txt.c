/* txt: a paragraph a line, or lines joined again where a program wrapped them. */
#include "formats/reader.h"

#include "core/utf8.h"

static int detect(struct str bytes, struct str suffix)
{
    (void)bytes, (void)suffix;
    return 1; /* what is text and nothing else is this */
}

/* The first line is the title when it is short and does not end like a sentence. */
static void take_title(struct format_out *out, struct str line)
{
    static const struct str ends[] = {STR_INIT("。"), STR_INIT("；"), STR_INIT("，"),
                                      STR_INIT(".")};
    bool sentence = false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        sentence = sentence || str_ends(line, ends[i]);
    if (!sentence && utf8_count(line) <= 60)
        format_title(out, line);
}

static void flush(struct format_out *out, struct buf *para)
{
    struct str text = str_copy(out->arena, buf_str(para));
    if (para->failed || !text.ptr)
        (void)format_fail(out, ERR_NO_MEMORY, "the text needs more memory than the limit");
    format_paragraph(out, text);
    buf_clear(para);
}

static void read_wrapped(struct format_out *out, struct str text, size_t wrap)
{
    struct str line, last = STR_NONE;
    struct buf para;
    buf_init(&para, out->arena);
    while (format_line(out, &text, &line)) {
        if (last.len == 0 || !format_continues(wrap, last, line))
            flush(out, &para);
        format_join(&para, line);
        last = str_trim_space(line).len ? line : STR_NONE;
    }
    flush(out, &para);
}

static enum err read_txt(struct str text, struct format_out *out)
{
    struct str line, rest = text;
    while (!out->doc->title.len && str_next_line(&rest, &line)) {
        line = str_trim_space(line);
        if (line.len) {
            take_title(out, line);
            break;
        }
    }
    size_t wrap = format_wrap_width(text);
    if (wrap) {
        read_wrapped(out, text, wrap);
        return out->err;
    }
    while (format_line(out, &text, &line))
        format_paragraph(out, line);
    return out->err;
}

const struct format_reader format_reader_txt = {
    .name = "txt",
    .suffixes = " txt text log ",
    .text = true,
    .detect = detect,
    .read = read_txt,
};
