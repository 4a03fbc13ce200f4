/* unicode: one form for characters that can be written in several. */
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { FORM };
static const struct data_param params[] = {
    [FORM] = {"form", DATA_CHOICE, 0, 0, 0, "nfc|nfkc", "",
              "nfkc also folds compatibility forms: ① becomes 1, ﬁ becomes fi, ／ becomes /",
              "nfkc 还会合并兼容字符，如 ① 变为 1"},
};

/* Characters that no form changes, whatever stands beside them: nearly all of a Chinese text. */
static bool inert(uint32_t c, bool compatible)
{
    if (c < 0x80)
        return true;
    if (c >= 0x4E00 && c <= 0x9FFF)
        return true;
    if (c >= 0x3001 && c <= 0x3011)
        return true;
    if (c >= 0x2010 && c <= 0x201F)
        return !compatible || (c != 0x2011 && c != 0x2017);
    if ((c >= 0x2020 && c <= 0x2027) || (c >= 0x2460 && c <= 0x24FF) || c == 0x3000 ||
        (c >= 0x3012 && c <= 0x301D) || c == 0xB7)
        return !compatible; /* … ① U+3000 〔 · */
    return c >= 0xFF01 && c <= 0xFF5E && !compatible;
}

struct made {
    const UNormalizer2 *form;
    uint64_t plain[TEXT_SET]; /* inert characters of three bytes */
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    UErrorCode code = U_ZERO_ERROR;
    bool compatible = p->args[FORM].number > 0;
    struct made *m = arena_one(p->arena, struct made);
    if (!m)
        return err_set(why, ERR_NO_MEMORY, "could not prepare the form");
    m->form = compatible ? unorm2_getNFKCInstance(&code) : unorm2_getNFCInstance(&code);
    for (uint32_t c = 0x800; c < 0x10000; c++)
        if (inert(c, compatible))
            text_set_add(m->plain, c);
    *made = m;
    return U_SUCCESS(code) ? ERR_OK
                           : err_set(why, ERR_UNAVAILABLE, "ICU has no data for the form: %s",
                                     u_errorName(code));
}

/* Behind the inert characters from *at on; *last is where the last of them begins. */
static size_t skip_inert(const struct made *m, struct str in, size_t at, bool compatible,
                         size_t *last)
{
    while (at < in.len) {
        size_t from = at, next;
        for (; at < in.len && text_leads_three(in.ptr[at]) && text_in_set(m->plain, in.ptr + at);
             at += 3)
            *last = at;
        for (; at < in.len && !((unsigned char)in.ptr[at] & 0x80); at++)
            *last = at;
        if (at > from)
            continue;
        next = at;
        if (!inert(text_next(in, &next), compatible))
            break;
        *last = at;
        at = next;
    }
    return at;
}

/* UTF-8 to the form, by way of UTF-16; appended. */
static enum err convert(const UNormalizer2 *form, struct str in, struct arena *arena,
                        struct buf *out, struct why *why)
{
    UErrorCode code = U_ZERO_ERROR;
    int32_t n16 = 0, n = 0;
    size_t cap = in.len + 16;
    UChar *wide = arena_array(arena, UChar, cap), *to = NULL;
    char *bytes = NULL;
    if (wide)
        u_strFromUTF8(wide, (int32_t)cap, &n16, in.ptr, (int32_t)in.len, &code);
    for (size_t room = (size_t)n16 * 2 + 32; wide; room *= 4) { /* NFKC may grow a text 18 times */
        code = U_ZERO_ERROR;
        to = arena_array(arena, UChar, room);
        if (!to)
            break;
        n = unorm2_normalize(form, wide, n16, to, (int32_t)room, &code);
        if (code != U_BUFFER_OVERFLOW_ERROR)
            break;
    }
    if (to)
        bytes = arena_bytes(arena, (size_t)n * 3 + 1);
    if (!bytes)
        return err_set(why, ERR_NO_MEMORY, "could not normalise a text of %zu bytes", in.len);
    int32_t len = 0;
    if (U_SUCCESS(code))
        u_strToUTF8(bytes, n * 3 + 1, &len, to, n, &code);
    if (U_FAILURE(code))
        return err_set(why, ERR_INVALID, "could not normalise a text: %s", u_errorName(code));
    buf_add(out, (struct str){bytes, (size_t)len});
    return ERR_OK;
}

/*
 * Inert characters are starters that join with nothing before them, so the form of a text is that
 * of its pieces when each begins with one: only what is not inert is converted, with the character
 * before it, which it may join.
 */
static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    const struct made *m = call->made;
    bool compatible = call->args[FORM].number > 0;
    size_t last = 0, from = 0, at = skip_inert(m, in, 0, compatible, &last);
    struct buf buf;
    enum err err = ERR_OK;
    *out = in;
    if (at == in.len)
        return ERR_OK;
    buf_init(&buf, call->arena);
    while (!err && at < in.len) {
        size_t first = at > from ? last : at, end = at;
        buf_add(&buf, str_slice(in, from, first));
        while (end < in.len) {
            size_t next = end;
            if (inert(text_next(in, &next), compatible))
                break;
            end = next;
        }
        err = convert(m->form, str_slice(in, first, end), call->arena, &buf, why);
        from = end;
        at = skip_inert(m, in, end, compatible, &last);
    }
    if (err)
        return err;
    buf_add(&buf, str_from(in, from));
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

const struct data_op data_op_unicode = {
    .name = "unicode",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Bring characters into one Unicode normalization form",
    .summary_zh = "统一为同一种 Unicode 规范化形式",
    .source = "Unicode Standard Annex 15, by ICU 72",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .text = text,
};
