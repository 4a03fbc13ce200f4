/* Masking: findings are taken out of a text and something stands in their place. */
#include <string.h>

#include "core/utf8.h"
#include "privacy/scan_in.h"
#include "privacy/vault.h"

/* What stays of a value, in characters from the start and from the end. */
static const struct {
    unsigned char first, last;
} stays[PRIVACY_KINDS] = {
    [PRIVACY_ID_NUMBER] = {3, 4},     [PRIVACY_CREDIT_CODE] = {4, 4},
    [PRIVACY_BANK_CARD] = {4, 4},     [PRIVACY_MOBILE] = {3, 4},
    [PRIVACY_LANDLINE] = {0, 4},      [PRIVACY_PASSPORT] = {1, 3},
    [PRIVACY_OFFICER_CARD] = {3, 3},  [PRIVACY_HK_MACAU_PERMIT] = {1, 3},
    [PRIVACY_TAIWAN_PERMIT] = {0, 3}, [PRIVACY_RESIDENCE_PERMIT] = {3, 4},
    [PRIVACY_PLATE] = {2, 2},         [PRIVACY_ACCOUNT] = {2, 0},
    [PRIVACY_NAME] = {1, 0},
};

static void stars(struct str value, size_t first, size_t last, struct buf *out)
{
    size_t n = utf8_count(value), i = 0;
    if (first + last >= n) { /* too short to show anything */
        first = n > 1;
        last = 0;
    }
    for (size_t at = 0; at < value.len; i++) {
        size_t from = at;
        (void)utf8_next(value, &at);
        if (i < first || i + last >= n)
            buf_add(out, str_slice(value, from, at));
        else
            buf_char(out, '*');
    }
}

/* Up to and with the n-th `mark`, then `rest`. */
static void upto(struct str value, char mark, int n, const char *rest, struct buf *out)
{
    size_t at = 0;
    while (at < value.len && n > 0)
        n -= value.ptr[at++] == mark;
    buf_add(out, str_slice(value, 0, at));
    buf_add_c(out, rest);
}

/* The region stays, the street and the door go. */
static void address(struct str value, struct buf *out)
{
    static const char *const ends[] = {"区", "县", "市", "省", "镇", "乡"};
    size_t best = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0] && !best; i++)
        for (size_t at = 0; (at = str_find_from(value, str_c(ends[i]), at)) != STR_NPOS; at += 3) {
            /* "小区" is no region. */
            if (at >= 3 && memcmp(value.ptr + at - 3, "小", 3) != 0 &&
                memcmp(value.ptr + at - 3, "社", 3) != 0 && at > 3)
                best = at + 3;
        }
    buf_add(out, str_slice(value, 0, best));
    buf_add_c(out, "****");
}

static void email(struct str value, struct buf *out)
{
    size_t at = str_find_char(value, '@');
    buf_add(out, utf8_prefix(value, 1));
    buf_add_c(out, "***");
    if (at != STR_NPOS)
        buf_add(out, str_from(value, at));
}

static void partial(enum privacy_kind kind, struct str value, struct buf *out)
{
    switch (kind) {
    case PRIVACY_EMAIL:
        email(value, out);
        break;
    case PRIVACY_IPV4:
        upto(value, '.', 2, "*.*", out);
        break;
    case PRIVACY_IPV6:
        upto(value, ':', 2, "****", out);
        break;
    case PRIVACY_MAC:
        upto(value, ':', 2, "**:**:**:**", out);
        break;
    case PRIVACY_ADDRESS:
        address(value, out);
        break;
    case PRIVACY_BIRTH_DATE:
        buf_add(out, str_slice(value, 0, 4));
        buf_add_c(out, "-**-**");
        break;
    case PRIVACY_LANDLINE:
        stars(value, check_area(value.ptr, value.len), 4, out);
        break;
    default:
        stars(value, stays[kind].first, stays[kind].last, out);
    }
}

static enum err put(const struct privacy_finding *f, enum privacy_mode mode,
                    const struct privacy_keys *keys, struct buf *out, struct why *why)
{
    switch (mode) {
    case PRIVACY_MODE_PARTIAL:
        partial(f->kind, f->value, out);
        return ERR_OK;
    case PRIVACY_MODE_PSEUDONYM:
        pseudonym_put(keys, f->kind, f->value, out);
        return ERR_OK;
    case PRIVACY_MODE_VAULT:
        return vault_put(keys, f->kind, f->value, out, why);
    default:
        return ERR_OK;
    }
}

enum err privacy_mask(struct str text, const struct privacy_findings *findings,
                      enum privacy_mode mode, const struct privacy_keys *keys, struct buf *out,
                      struct why *why)
{
    size_t from = 0;
    if (mode >= PRIVACY_MODES)
        return err_set(why, ERR_INVALID, "there is no such mode of masking");
    if (!keys && (mode == PRIVACY_MODE_PSEUDONYM || mode == PRIVACY_MODE_VAULT))
        return err_set(why, ERR_INVALID, "the mode \"%s\" needs the keys of a tenant",
                       privacy_mode_name(mode));
    for (size_t i = 0; i < findings->n; i++) {
        const struct privacy_finding *f = &findings->items[i];
        if (f->start < from || f->end > text.len)
            continue;
        buf_add(out, str_slice(text, from, f->start));
        enum err err = put(f, mode, keys, out, why);
        if (err)
            return err;
        from = f->end;
    }
    buf_add(out, str_from(text, from));
    return buf_err(out, why);
}
