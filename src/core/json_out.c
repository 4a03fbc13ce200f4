/* core/json, the writing half. */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "core/json.h"
#include "core/time.h"
#include "core/utf8.h"

void json_out_init(struct json_out *out, struct buf *buf)
{
    *out = (struct json_out){.buf = buf};
}

static void before_value(struct json_out *out)
{
    if (!out->after_key && out->depth > 0 && (out->filled >> out->depth & 1))
        buf_char(out->buf, ',');
    out->filled |= 1ULL << out->depth;
    out->after_key = false;
}

static void begin(struct json_out *out, char c)
{
    before_value(out);
    assert(out->depth < JSON_DEPTH - 1);
    out->depth++;
    out->filled &= ~(1ULL << out->depth);
    buf_char(out->buf, c);
}

static void end(struct json_out *out, char c)
{
    assert(out->depth > 0 && !out->after_key);
    out->depth--;
    buf_char(out->buf, c);
}

void json_begin_object(struct json_out *out)
{
    begin(out, '{');
}

void json_end_object(struct json_out *out)
{
    end(out, '}');
}

void json_begin_array(struct json_out *out)
{
    begin(out, '[');
}

void json_end_array(struct json_out *out)
{
    end(out, ']');
}

static void quote_char(struct buf *buf, uint32_t c, struct str raw)
{
    switch (c) {
    case '"':
        buf_add_c(buf, "\\\"");
        return;
    case '\\':
        buf_add_c(buf, "\\\\");
        return;
    case '\n':
        buf_add_c(buf, "\\n");
        return;
    case '\r':
        buf_add_c(buf, "\\r");
        return;
    case '\t':
        buf_add_c(buf, "\\t");
        return;
    case UTF8_BAD:
        buf_add_c(buf, "\xEF\xBF\xBD");
        return;
    default:
        if (c < 0x20 || c == 0x7F || c == 0x2028 || c == 0x2029)
            buf_printf(buf, "\\u%04x", (unsigned)c);
        else
            buf_add(buf, raw);
    }
}

static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

void json_quote(struct buf *buf, struct str s)
{
    buf_char(buf, '"');
    for (size_t at = 0; at < s.len;) {
        size_t start = at;
        while (at < s.len && plain((unsigned char)s.ptr[at]))
            at++;
        if (at > start)
            buf_add(buf, str_slice(s, start, at));
        if (at >= s.len)
            break;
        start = at;
        uint32_t c = utf8_next(s, &at);
        quote_char(buf, c, str_slice(s, start, at));
    }
    buf_char(buf, '"');
}

void json_key(struct json_out *out, const char *key)
{
    assert(out->depth > 0 && !out->after_key);
    before_value(out);
    json_quote(out->buf, str_c(key));
    buf_char(out->buf, ':');
    out->after_key = true;
}

void json_put_str(struct json_out *out, struct str s)
{
    before_value(out);
    json_quote(out->buf, s);
}

void json_put_c(struct json_out *out, const char *s)
{
    if (s)
        json_put_str(out, str_c(s));
    else
        json_put_null(out);
}

void json_put_int(struct json_out *out, int64_t value)
{
    before_value(out);
    buf_printf(out->buf, "%lld", (long long)value);
}

void json_put_real(struct json_out *out, double value)
{
    before_value(out);
    if (isfinite(value))
        buf_printf(out->buf, "%.10g", value);
    else
        buf_add_c(out->buf, "null");
}

void json_put_bool(struct json_out *out, bool value)
{
    before_value(out);
    buf_add_c(out->buf, value ? "true" : "false");
}

void json_put_null(struct json_out *out)
{
    before_value(out);
    buf_add_c(out->buf, "null");
}

void json_put_raw(struct json_out *out, struct str json)
{
    before_value(out);
    buf_add(out->buf, json);
}

void json_kv_str(struct json_out *out, const char *key, struct str s)
{
    json_key(out, key);
    json_put_str(out, s);
}

void json_kv_c(struct json_out *out, const char *key, const char *s)
{
    json_key(out, key);
    json_put_c(out, s);
}

void json_put_said(struct json_out *out, struct str words)
{
    struct buf said;
    buf_init(&said, out->buf->arena);
    bool known = out->say && words.len && out->say(words, &said) && !said.failed;
    json_put_str(out, known ? buf_str(&said) : words);
}

void json_kv_said(struct json_out *out, const char *key, struct str words)
{
    json_key(out, key);
    json_put_said(out, words);
}

void json_kv_int(struct json_out *out, const char *key, int64_t value)
{
    json_key(out, key);
    json_put_int(out, value);
}

void json_kv_real(struct json_out *out, const char *key, double value)
{
    json_key(out, key);
    json_put_real(out, value);
}

void json_kv_bool(struct json_out *out, const char *key, bool value)
{
    json_key(out, key);
    json_put_bool(out, value);
}

void json_kv_raw(struct json_out *out, const char *key, struct str json)
{
    json_key(out, key);
    if (json.len)
        json_put_raw(out, json);
    else
        json_put_null(out);
}

void json_begin_items(struct json_out *out)
{
    json_begin_object(out);
    json_key(out, "items");
    json_begin_array(out);
}

void json_end_items(struct json_out *out, struct str next)
{
    json_end_array(out);
    json_key(out, "next");
    if (next.len)
        json_put_str(out, next);
    else
        json_put_null(out);
    json_end_object(out);
}

void json_kv_time(struct json_out *out, const char *key, int64_t ms)
{
    char text[TIME_TEXT];
    json_kv_c(out, key, ms > 0 ? time_format(ms, text) : NULL);
}

void json_kv_day(struct json_out *out, const char *key, int32_t day)
{
    char text[TIME_TEXT];
    json_kv_c(out, key, day == DAY_NONE ? NULL : day_format(day, text));
}
