/*
 * Pseudonyms: values of the same form that can belong to nobody. Digits come from HMAC-SM3 of the
 * value under the tenant's key; what makes a value possible is put where no authority gives it out:
 *
 *   identity number, residence permit   province 99, right date and check digit
 *   credit code                         registered by nobody (first character 0), right check digit
 *   bank card                           issuer 00, right Luhn digit
 *   mobile                              10..., which no carrier has
 *   landline                            the area code, then 1..., where service numbers are
 *   passport, permits                   X before the digits; Taiwan: 00 before them
 *   officer card                        the head, then 00 before the digits
 *   plate                               the province, then I, which plates do not use
 *   e-mail                              at example.com (RFC 2606)
 *   IPv4, IPv6                          240.0.0.0/4 (RFC 1112), 2001:db8::/32 (RFC 3849)
 *   MAC                                 locally administered
 *   name, address                       with 某, as courts write them
 *   date of birth                       the year, another day: the one that may be somebody's
 */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "privacy/scan_in.h"
#include "privacy/vault.h"

/* A stream of numbers that depends on key, kind and value alone. */
struct stream {
    unsigned char bytes[HASH_BYTES];
    size_t at;
};

static unsigned below(struct stream *s, unsigned n)
{
    unsigned value = 0;
    for (int i = 0; i < 2; i++)
        value = value << 8 | s->bytes[s->at++ % HASH_BYTES];
    return value % n;
}

static void begin(struct stream *s, const struct privacy_keys *keys, enum privacy_kind kind,
                  struct str value)
{
    char text[1100];
    int n = snprintf(text, sizeof text, "%s:%.*s", privacy_kind_name(kind),
                     (int)(value.len < 1024 ? value.len : 1024), value.ptr);
    s->at = 0;
    hash_hmac_sm3((struct str){(const char *)keys->pseudonym, sizeof keys->pseudonym},
                  (struct str){text, (size_t)n}, s->bytes);
}

static void digits(struct stream *s, char *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (char)('0' + below(s, 10));
    out[n] = '\0';
}

/* The last character that makes the check right: tried, there are few. */
static void finish(char *text, size_t n, const char *set, bool (*right)(const char *))
{
    for (const char *c = set; *c; c++) {
        text[n - 1] = *c;
        if (right(text))
            return;
    }
}

static void identity(struct stream *s, size_t len, struct buf *out)
{
    char text[20];
    (void)snprintf(text, sizeof text, "99");
    digits(s, text + 2, 4);
    if (len == 15) {
        (void)snprintf(text + 6, 14, "%02u%02u%02u", 40 + below(s, 50), 1 + below(s, 12),
                       1 + below(s, 28));
        digits(s, text + 12, 3);
    } else {
        (void)snprintf(text + 6, 14, "%04u%02u%02u", 1940 + below(s, 70), 1 + below(s, 12),
                       1 + below(s, 28));
        digits(s, text + 14, 4);
        finish(text, 18, "0123456789X", check_id18);
    }
    buf_add_c(out, text);
}

static void credit(struct stream *s, struct buf *out)
{
    char text[20] = "0";
    digits(s, text + 1, 17);
    finish(text, 18, "0123456789ABCDEFGHJKLMNPQRTUWXY", check_credit);
    buf_add_c(out, text);
}

static void card(struct stream *s, size_t len, struct buf *out)
{
    char text[24] = "00";
    len = len < 12 ? 12 : len > 19 ? 19 : len;
    digits(s, text + 2, len - 2);
    for (int digit = 0; digit < 10; digit++) {
        text[len - 1] = (char)('0' + digit);
        if (check_luhn(text, len))
            break;
    }
    buf_add_c(out, text);
}

static void landline(struct stream *s, struct str value, struct buf *out)
{
    char text[16];
    size_t area = check_area(value.ptr, value.len), left = value.len - area;
    left = left < 2 ? 2 : left > 9 ? 9 : left;
    digits(s, text, left);
    text[0] = '1';
    buf_add(out, str_slice(value, 0, area));
    buf_add_c(out, text);
}

/* `head`, and digits up to the length of the value. */
static void headed(struct stream *s, const char *head, size_t len, struct buf *out)
{
    char text[24];
    size_t n = strlen(head), more = len > n ? len - n : 1;
    digits(s, text, more < 20 ? more : 20);
    buf_add_c(out, head);
    buf_add_c(out, text);
}

static void officer(struct stream *s, struct str value, struct buf *out)
{
    char text[8];
    digits(s, text, 5);
    buf_add(out, str_slice(value, 0, 3));
    buf_printf(out, "字第00%s号", text);
}

static void plate(struct stream *s, struct str value, struct buf *out)
{
    static const char set[] = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    buf_add(out, str_slice(value, 0, 3));
    buf_char(out, 'I');
    for (int i = 0; i < 5; i++)
        buf_char(out, set[below(s, sizeof set - 1)]);
}

static void name(struct stream *s, struct buf *out)
{
    static const char surnames[] = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩冯邓曹";
    static const char stems[] = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥";
    buf_add(out, (struct str){surnames + 3 * (size_t)below(s, (sizeof surnames - 1) / 3), 3});
    buf_add_c(out, "某");
    for (int i = 0; i < 2; i++)
        buf_add(out, (struct str){stems + 3 * (size_t)below(s, (sizeof stems - 1) / 3), 3});
}

static void birth(struct stream *s, struct str value, struct buf *out)
{
    buf_printf(out, "%.4s-%02u-%02u", value.ptr, 1 + below(s, 12), 1 + below(s, 28));
}

static void code(struct stream *s, const char *head, const char *tail, struct buf *out)
{
    static const char set[] = "abcdefghijkmnpqrstuvwxyz23456789";
    buf_add_c(out, head);
    for (int i = 0; i < 8; i++)
        buf_char(out, set[below(s, sizeof set - 1)]);
    buf_add_c(out, tail);
}

void pseudonym_put(const struct privacy_keys *keys, enum privacy_kind kind, struct str value,
                   struct buf *out)
{
    struct stream s;
    begin(&s, keys, kind, value);
    switch (kind) {
    case PRIVACY_ID_NUMBER:
    case PRIVACY_RESIDENCE_PERMIT:
        identity(&s, value.len, out);
        break;
    case PRIVACY_CREDIT_CODE:
        credit(&s, out);
        break;
    case PRIVACY_BANK_CARD:
        card(&s, value.len, out);
        break;
    case PRIVACY_MOBILE:
        headed(&s, "10", 11, out);
        break;
    case PRIVACY_LANDLINE:
        landline(&s, value, out);
        break;
    case PRIVACY_PASSPORT:
    case PRIVACY_HK_MACAU_PERMIT:
        headed(&s, "X", value.len, out);
        break;
    case PRIVACY_TAIWAN_PERMIT:
        headed(&s, "00", value.len, out);
        break;
    case PRIVACY_OFFICER_CARD:
        officer(&s, value, out);
        break;
    case PRIVACY_PLATE:
        plate(&s, value, out);
        break;
    case PRIVACY_EMAIL:
        code(&s, "user-", "@example.com", out);
        break;
    case PRIVACY_IPV4:
        buf_printf(out, "%u.%u.%u.%u", 240 + below(&s, 15), below(&s, 256), below(&s, 256),
                   below(&s, 256));
        break;
    case PRIVACY_IPV6:
        buf_printf(out, "2001:db8:%x:%x::%x", below(&s, 65536), below(&s, 65536), below(&s, 65536));
        break;
    case PRIVACY_MAC:
        buf_printf(out, "02:00:%02x:%02x:%02x:%02x", below(&s, 256), below(&s, 256), below(&s, 256),
                   below(&s, 256));
        break;
    case PRIVACY_ACCOUNT:
        code(&s, "user_", "", out);
        break;
    case PRIVACY_BIRTH_DATE:
        birth(&s, value, out);
        break;
    case PRIVACY_ADDRESS:
        buf_printf(out, "某市某区某路%u号%u室", 1 + below(&s, 9999), 101 + below(&s, 9899));
        break;
    case PRIVACY_NAME:
        name(&s, out);
        break;
    case PRIVACY_KINDS:
        break;
    }
}
