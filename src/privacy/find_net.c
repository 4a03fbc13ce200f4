/* E-mail, IP and MAC addresses. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "privacy/scan_in.h"

/* ---- IPv4, and MAC with dashes or dots: in runs ---- */

static bool ipv4(struct scan *scan, struct run *run, size_t first)
{
    char value[16];
    size_t at = first, len = 0;
    unsigned parts[4];
    for (int part = 0; part < 4; part++) {
        unsigned n = 0, size = 0;
        if (part) {
            if (at >= run->n || (run->cells[at].gap & GAP_REAL) != GAP_DOT)
                return false;
            value[len++] = '.';
        }
        for (; at < run->n && size < 4; at++, size++) {
            const struct cell *cell = &run->cells[at];
            if (cell->c > '9' || cell->flags & CELL_HAN || run->taken[at] ||
                (size && cell->gap & GAP_REAL))
                break;
            n = n * 10 + (unsigned)(cell->c - '0');
            if (size < 3)
                value[len++] = cell->c;
        }
        if (!size || size > 3 || n > 255 || (size > 1 && value[len - size] == '0'))
            return false;
        parts[part] = n;
    }
    bool left = first == 0 ? !run->open_left
                           : run->cells[first].gap & GAP_REAL && run->cells[first].gap != GAP_DOT;
    bool right = at == run->n ? !run->open_right
                              : run->cells[at].gap & GAP_REAL || run->cells[at].flags & CELL_HAN;
    if (at < run->n && run->cells[at].gap == GAP_DOT && run->cells[at].c <= '9')
        right = false;
    /* This machine, networks of nobody: no address of anybody. */
    if (!left || !right || parts[0] == 0 || parts[0] == 127 || parts[0] >= 240)
        return false;
    struct cues cues;
    cues_before(scan->text, run->cells[first].start, scan->context, &cues);
    bool small = parts[0] < 20 && parts[1] < 30 && parts[2] < 30 && parts[3] < 30 && parts[0] != 10;
    float sure = small ? 0.4F : 0.85F;
    struct str head = str_slice(scan->text, 0, run->cells[first].start);
    if (str_ends(head, STR("://")) && !scan->scanner->public_too)
        sure = 0; /* a server's address, for everybody */
    else if (cues.at[CUE_IP] < 36)
        sure = 0.95F;
    if (cues.at[CUE_VERSION] < 24 && cues.at[CUE_VERSION] < cues.at[CUE_IP])
        sure *= 0.5F;
    for (size_t i = first; i < at; i++)
        run->taken[i] = 1;
    scan_add(scan, PRIVACY_IPV4, run->cells[first].start, run->cells[at - 1].end,
             (struct str){value, len}, sure);
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* "00-1A-2B-3C-4D-5E" */
static bool mac_dashes(struct scan *scan, struct run *run, size_t first)
{
    char value[18];
    if (first + 12 > run->n)
        return false;
    for (size_t i = 0; i < 12; i++) {
        const struct cell *cell = &run->cells[first + i];
        uint8_t gap = cell->gap & GAP_REAL;
        bool parted = i && i % 2 == 0;
        if (!is_hex(cell->c) || cell->flags & CELL_HAN || run->taken[first + i] ||
            (i && (parted ? gap != GAP_DASH : gap != 0)))
            return false;
        (void)snprintf(value + i / 2 * 3 + i % 2, 3, "%c%s", cell->c | (cell->c > '9' ? 32 : 0),
                       i % 2 && i < 11 ? ":" : "");
    }
    bool left = first == 0 ? !run->open_left : (run->cells[first].gap & GAP_REAL) > 0;
    bool right = first + 12 == run->n ? !run->open_right
                                      : run->cells[first + 12].gap & GAP_REAL &&
                                            run->cells[first + 12].gap != GAP_DASH;
    if (!left || !right || (first && run->cells[first].gap == GAP_DASH))
        return false;
    for (size_t i = 0; i < 12; i++)
        run->taken[first + i] = 1;
    scan_add(scan, PRIVACY_MAC, run->cells[first].start, run->cells[first + 11].end,
             (struct str){value, 17}, 0.93F);
    return true;
}

void find_numbers(struct scan *scan, struct run *run)
{
    for (size_t i = 0; i + 4 <= run->n; i++) {
        if (run->taken[i] || (i && !(run->cells[i].gap & GAP_REAL)))
            continue;
        if (run->dots >= 3 && run->cells[i].c <= '9' && ipv4(scan, run, i))
            continue;
        (void)mac_dashes(scan, run, i);
    }
}

/* ---- with colons ---- */

static bool hex_char(char c)
{
    return is_hex((char)(c >= 'a' && c <= 'f' ? c - 32 : c));
}

static bool mac_colons(const char *s, size_t n)
{
    if (n != 17)
        return false;
    for (size_t i = 0; i < n; i++)
        if (i % 3 == 2 ? s[i] != ':' : !hex_char(s[i]))
            return false;
    return true;
}

/* At least four groups, or a "::" with something on it: "12:30:45" is a time. */
static bool ipv6(const char *s, size_t n)
{
    char text[48];
    unsigned char bytes[16];
    size_t colons = 0, digits = 0;
    if (n < 4 || n >= sizeof text)
        return false;
    memcpy(text, s, n);
    text[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        colons += s[i] == ':';
        digits += hex_char(s[i]);
    }
    return colons >= 2 && digits >= 4 && inet_pton(AF_INET6, text, bytes) == 1;
}

static bool joins(char c)
{
    return hex_char(c) || c == ':' || c == '.';
}

size_t find_colons(struct scan *scan, size_t at)
{
    struct str t = scan->text;
    size_t start = at, end = at, next;
    char value[48];
    if (at + 1 >= t.len || !(hex_char(t.ptr[at + 1]) || t.ptr[at + 1] == ':') ||
        (at && !hex_char(t.ptr[at - 1]) && t.ptr[at + 1] != ':'))
        return at + 1;
    while (start > 0 && at - start < 48 && hex_char(t.ptr[start - 1]))
        start--;
    while (end < t.len && end - start < 64 && joins(t.ptr[end]))
        end++;
    while (end > start && (t.ptr[end - 1] == '.' ||
                           (t.ptr[end - 1] == ':' && end - start > 2 && t.ptr[end - 2] != ':')))
        end--;
    size_t n = end - start;
    struct cell cell;
    uint32_t left = letters_before(t, start, 0, &next), right = letters_at(t, end, &next);
    bool mac = mac_colons(t.ptr + start, n);
    if ((left && left < 0x80 && letters_cell(left, &cell)) || left == ':' ||
        (right && right < 0x80 && letters_cell(right, &cell)) || n >= sizeof value ||
        (!mac && !ipv6(t.ptr + start, n)))
        return at + 1;
    for (size_t i = 0; i < n; i++)
        value[i] = (char)(t.ptr[start + i] >= 'A' && t.ptr[start + i] <= 'F' ? t.ptr[start + i] | 32
                                                                             : t.ptr[start + i]);
    scan_add(scan, mac ? PRIVACY_MAC : PRIVACY_IPV6, start, end, (struct str){value, n}, 0.93F);
    return end;
}

/* ---- e-mail ---- */

/* ASCII of a character of a mail address, '\0' when it is none. */
static char mail_char(uint32_t c)
{
    if (c >= 0xFF01 && c <= 0xFF5E)
        c = c - 0xFF01 + '!';
    if (c == 0x3002 || c == 0xFF61)
        c = '.';
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || (c && c < 0x80 && strchr("._-+%", (int)c)) ? (char)c : '\0';
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Length of the sign at `at`: '@', '＠', "(at)", "[at]", "（at）"; 0: it is none. */
size_t find_mail_sign(struct str text, size_t at)
{
    static const char *const signs[] = {"@", "＠", "(at)", "[at]", "（at）", "(AT)", "[AT]", "(@)"};
    struct str rest = str_from(text, at);
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (str_starts(rest, str_c(signs[i])))
            return strlen(signs[i]);
    return 0;
}

static bool skip_space(struct str text, size_t *at)
{
    size_t next;
    uint8_t gap = letters_gap(letters_at(text, *at, &next));
    if (gap != GAP_SPACE && gap != GAP_NOTHING)
        return false;
    *at = next;
    return true;
}

/* The part before the sign, backwards into the end of `value`; its start, or `at` when empty. */
static size_t local_part(struct str text, size_t at, char value[64], size_t *len)
{
    size_t here = at, start, from = at;
    char back[64];
    uint32_t c = letters_before(text, here, 0, &start);
    *len = 0;
    if (c == ' ' || c == 0x3000)
        here = start;
    while (*len < 64) {
        c = letters_before(text, here, 0, &start);
        char ascii = c == 0x3002 ? '\0' : mail_char(c);
        if (!ascii)
            break;
        back[(*len)++] = ascii;
        from = here = start;
    }
    while (*len && !is_alnum(back[*len - 1])) { /* "-zhang@": the mark is not its own */
        size_t next;
        (void)letters_at(text, from, &next);
        from = next;
        (*len)--;
    }
    for (size_t i = 0; i < *len; i++)
        value[i] = back[*len - 1 - i];
    return *len && is_alnum(back[0]) ? from : at;
}

/* The domain from `at` on; its end, or `at` when it is none. */
static size_t domain(struct str text, size_t at, char *value, size_t room, size_t *len)
{
    size_t here = at, next, end = at, kept = 0, dots = 0, since = 0;
    *len = 0;
    (void)skip_space(text, &here);
    for (; *len < room; here = next) {
        char c = mail_char(letters_at(text, here, &next));
        if (!c || c == '_' || c == '+' || c == '%')
            break;
        if (c == '.') {
            if (!since)
                break;
            dots++;
            since = 0;
        } else {
            since++;
        }
        value[(*len)++] = c;
        if (c != '.' && c != '-') {
            end = next;
            kept = *len;
        }
    }
    *len = kept;
    for (since = 0; since < kept && value[kept - 1 - since] != '.'; since++)
        if (value[kept - 1 - since] >= '0' && value[kept - 1 - since] <= '9')
            return at; /* no country is a number */
    dots = 0;
    for (size_t i = 0; i < kept; i++)
        dots += value[i] == '.';
    return dots && since >= 2 && since <= 12 ? end : at;
}

size_t find_mail(struct scan *scan, size_t at)
{
    char value[160];
    size_t sign = find_mail_sign(scan->text, at), n, len;
    if (!sign)
        return at + 1;
    size_t start = local_part(scan->text, at, value, &n);
    if (start == at)
        return at + sign;
    value[n] = '@';
    size_t end = domain(scan->text, at + sign, value + n + 1, sizeof value - n - 1, &len);
    if (end == at + sign)
        return at + sign;
    for (size_t i = 0; i < n + 1 + len; i++)
        value[i] = (char)(value[i] >= 'A' && value[i] <= 'Z' ? value[i] | 32 : value[i]);
    scan_add(scan, PRIVACY_EMAIL, start, end, (struct str){value, n + 1 + len}, 0.95F);
    return end;
}
