#include "http/message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- heads ---- */

size_t message_head_end(struct str bytes, size_t *seen)
{
    size_t from = *seen;
    while (from < bytes.len) {
        const char *lf = memchr(bytes.ptr + from, '\n', bytes.len - from);
        if (!lf)
            break;
        size_t at = (size_t)(lf - bytes.ptr) + 1;
        if (at < bytes.len && bytes.ptr[at] == '\n')
            return at + 1;
        if (at + 1 < bytes.len && bytes.ptr[at] == '\r' && bytes.ptr[at + 1] == '\n')
            return at + 2;
        if (at + 1 >= bytes.len) { /* what follows the line has not come: look at it again */
            *seen = at - 1;
            return 0;
        }
        from = at;
    }
    *seen = bytes.len;
    return 0;
}

/* What a method or a header's name is made of: letters, digits and !#$%&'*+-.^_`|~ (RFC 9110
 * 5.6.2). A bit for each character below 128. */
static bool is_token(unsigned char c)
{
    static const uint64_t set[2] = {0x03ff6cfa00000000u, 0x57ffffffc7fffffeu};
    return c < 128 && (set[c >> 6] >> (c & 63) & 1);
}

static size_t token_len(struct str s)
{
    size_t n = 0;
    while (n < s.len && is_token((unsigned char)s.ptr[n]))
        n++;
    return n;
}

bool message_token(struct str s)
{
    return s.len > 0 && token_len(s) == s.len;
}

static bool clean(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] < 0x20 && s.ptr[i] != '\t') || s.ptr[i] == 0x7F)
            return false;
    return true;
}

bool message_lists(struct str list, const char *member)
{
    struct str part;
    while (str_next(&list, ',', &part))
        if (message_same_name(str_trim(part), member))
            return true;
    return false;
}

static struct str trim_blank(struct str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = str_from(s, 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static enum err parse_header(struct str line, size_t i, struct http_pair *out, struct why *why)
{
    size_t colon = token_len(line);
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return err_set(why, ERR_INVALID, "a header goes on in a second line");
    if (colon == 0 || colon == line.len || line.ptr[colon] != ':')
        return err_set(why, ERR_INVALID, "header %zu is malformed", i + 1);
    *out = (struct http_pair){str_slice(line, 0, colon), trim_blank(str_from(line, colon + 1))};
    if (!clean(out->value))
        return err_set(why, ERR_INVALID, "header %zu is malformed", i + 1);
    return ERR_OK;
}

enum err message_head_parse(struct str head, struct arena *arena, struct message_head *out,
                            struct why *why)
{
    struct str rest = head, line;
    struct message_head found = {0};
    size_t most = 0;
    for (const char *at = head.ptr, *end = head.ptr + head.len;
         (at = memchr(at, '\n', (size_t)(end - at))); at++)
        most++;
    found.headers = arena_array(arena, struct http_pair, most + 1);
    if (!found.headers)
        return err_set(why, ERR_NO_MEMORY, "could not hold the headers");
    if (!str_next_line(&rest, &found.first) || !clean(found.first))
        return err_set(why, ERR_INVALID, "the first line is malformed");
    while (str_next_line(&rest, &line) && line.len > 0) {
        enum err err = parse_header(line, found.n, &found.headers[found.n], why);
        if (err)
            return err;
        found.n++;
    }
    *out = found;
    return ERR_OK;
}

enum err message_request_line(struct str line, struct str *method, struct str *target,
                              struct str *version, struct why *why)
{
    size_t one = str_find_char(line, ' ');
    size_t two = one == STR_NPOS ? one : str_find_from(line, STR(" "), one + 1);
    if (two == STR_NPOS || two == one + 1)
        return err_set(why, ERR_INVALID, "the request line is malformed");
    *method = str_slice(line, 0, one);
    *target = str_slice(line, one + 1, two);
    *version = str_from(line, two + 1);
    if (!message_token(*method) || memchr(target->ptr, '\t', target->len))
        return err_set(why, ERR_INVALID, "the request line is malformed");
    if (!str_eq_c(*version, "HTTP/1.1") && !str_eq_c(*version, "HTTP/1.0"))
        return err_set(why, ERR_INVALID, "the version of HTTP is neither 1.1 nor 1.0");
    return ERR_OK;
}

/* ---- answers ---- */

bool message_length(struct str text, uint64_t *out)
{
    uint64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *out = n;
    return text.len > 0 && text.len <= 18;
}

static bool status_line(struct str line, int *status)
{
    if (line.len < 12 || !str_starts(line, STR("HTTP/1.")) || line.ptr[8] != ' ' ||
        (line.len > 12 && line.ptr[12] != ' ') || line.ptr[7] < '0' || line.ptr[7] > '9')
        return false;
    int n = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9')
            return false;
        n = n * 10 + line.ptr[i] - '0';
    }
    *status = n;
    return n >= 100;
}

struct lengths {
    unsigned lengths, encodings;
    struct str length, encoding;
    bool close, keep_alive;
};

static struct lengths look(const struct message_head *head)
{
    struct lengths l = {0};
    for (size_t i = 0; i < head->n; i++) {
        const struct http_pair *h = &head->headers[i];
        if (message_same_name(h->name, "Content-Length")) {
            l.lengths++;
            l.length = h->value;
        } else if (message_same_name(h->name, "Transfer-Encoding")) {
            l.encodings++;
            l.encoding = h->value;
        } else if (message_same_name(h->name, "Connection")) {
            l.close |= message_lists(h->value, "close");
            l.keep_alive |= message_lists(h->value, "keep-alive");
        }
    }
    return l;
}

enum err message_answer(const struct message_head *head, bool head_only, int *status,
                        struct message_body *out, struct why *why)
{
    struct lengths l = look(head);
    struct message_body body = {0};
    if (!status_line(head->first, status))
        return err_set(why, ERR_INVALID, "no status line of HTTP/1.1");
    bool old = head->first.ptr[7] == '0';
    body.keep = !l.close && (!old || l.keep_alive);
    if (l.lengths > 1 || l.encodings > 1 || (l.lengths && l.encodings) || (old && l.encodings))
        return err_set(why, ERR_INVALID, "the length of the answer is declared twice");
    if (l.encodings && !message_same_name(l.encoding, "chunked"))
        return err_set(why, ERR_INVALID, "a transfer encoding that is not \"chunked\"");
    if (l.lengths && !message_length(l.length, &body.length))
        return err_set(why, ERR_INVALID, "a Content-Length that is no number");
    if (*status < 200 || *status == 204 || *status == 304 || head_only) {
        body.kind = BODY_NONE;
    } else if (l.encodings) {
        body.kind = BODY_CHUNKED;
    } else if (l.lengths) {
        body.kind = BODY_LENGTH;
    } else {
        body.kind = BODY_TO_END;
        body.keep = false;
    }
    *out = body;
    return ERR_OK;
}

/* ---- chunks ---- */

enum {
    AT_SIZE,
    AT_EXTENSION,
    AT_SIZE_END,
    AT_DATA,
    AT_DATA_CR,
    AT_DATA_LF,
    AT_TRAILER,
    AT_TRAILER_LINE,
    AT_TRAILER_LF,
    AT_LAST_LF
};

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "1a", "1a;name=value", up to and with the line's end. */
static bool take_size(struct chunks *c, char ch)
{
    if (++c->line > CHUNK_LINE_MOST)
        return false;
    if (c->state == AT_SIZE_END) {
        if (ch != '\n')
            return false;
        c->state = c->left ? AT_DATA : AT_TRAILER;
        return true;
    }
    int digit = c->state == AT_SIZE ? hex(ch) : -1;
    if (digit >= 0) {
        c->left = c->left << 4 | (uint64_t)digit;
        return ++c->digits <= 15; /* so that no sum of them passes what 64 bits hold */
    }
    if (c->digits == 0)
        return false;
    if (ch == '\r')
        c->state = AT_SIZE_END;
    else if ((c->state == AT_SIZE && ch != ';' && ch != ' ' && ch != '\t') ||
             ((unsigned char)ch < ' ' && ch != '\t'))
        return false;
    else
        c->state = AT_EXTENSION;
    return true;
}

/* Lines that are dropped, until an empty one. */
static bool take_trailer(struct chunks *c, char ch)
{
    if (++c->trailer > CHUNK_TRAILER_MOST)
        return false;
    switch (c->state) {
    case AT_TRAILER:
        c->state = ch == '\r' ? AT_LAST_LF : AT_TRAILER_LINE;
        return ch != '\n' && ch != ' ' && ch != '\t';
    case AT_TRAILER_LINE:
        if (ch == '\r')
            c->state = AT_TRAILER_LF;
        return ch != '\n';
    default: /* AT_TRAILER_LF */
        c->state = AT_TRAILER;
        return ch == '\n';
    }
}

static bool take_byte(struct chunks *c, char ch)
{
    switch (c->state) {
    case AT_DATA_CR:
        c->state = AT_DATA_LF;
        return ch == '\r';
    case AT_DATA_LF:
        *c = (struct chunks){.trailer = c->trailer};
        return ch == '\n';
    case AT_TRAILER:
    case AT_TRAILER_LINE:
    case AT_TRAILER_LF:
        return take_trailer(c, ch);
    default:
        return take_size(c, ch);
    }
}

enum chunk chunks_take(struct chunks *c, struct str *in, struct str *data)
{
    while (in->len > 0) {
        if (c->state == AT_DATA) {
            *data = str_slice(*in, 0, c->left < in->len ? (size_t)c->left : in->len);
            *in = str_from(*in, data->len);
            c->left -= data->len;
            if (c->left == 0)
                c->state = AT_DATA_CR;
            return CHUNK_DATA;
        }
        char ch = in->ptr[0];
        *in = str_from(*in, 1);
        if (c->state == AT_LAST_LF)
            return ch == '\n' ? CHUNK_END : CHUNK_BAD;
        if (!take_byte(c, ch))
            return CHUNK_BAD;
    }
    return CHUNK_MORE;
}

/* ---- what waits for more ---- */

static bool carry_room(struct carry *carry, size_t need)
{
    size_t cap = need < 1024 ? 1024 : need + need / 2;
    if (need <= carry->cap)
        return true;
    char *ptr = realloc(carry->ptr, cap);
    if (!ptr)
        return false;
    carry->ptr = ptr;
    carry->cap = cap;
    return true;
}

bool carry_set(struct carry *carry, struct str bytes)
{
    /* A part of what it holds is not longer than that, so the memory stays where it is. */
    if (bytes.len > 0 && !carry_room(carry, bytes.len))
        return false;
    if (bytes.len > 0)
        memmove(carry->ptr, bytes.ptr, bytes.len);
    carry->len = bytes.len;
    return true;
}

bool carry_add(struct carry *carry, struct str bytes)
{
    if (!carry_room(carry, carry->len + bytes.len))
        return false;
    memcpy(carry->ptr + carry->len, bytes.ptr, bytes.len);
    carry->len += bytes.len;
    return true;
}

void carry_free(struct carry *carry)
{
    free(carry->ptr);
    *carry = (struct carry){0};
}
