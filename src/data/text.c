#include "data/text.h"

#include <pthread.h>
#include <string.h>
#include <unicode/uchar.h>

#include "core/utf8.h"

static enum text_class other_class(uint32_t c)
{
    switch (u_charType((UChar32)c)) {
    case U_UPPERCASE_LETTER:
    case U_LOWERCASE_LETTER:
    case U_TITLECASE_LETTER:
    case U_MODIFIER_LETTER:
    case U_OTHER_LETTER:
    case U_NON_SPACING_MARK:
    case U_COMBINING_SPACING_MARK:
        return utf8_is_han(c) ? TEXT_HAN : TEXT_LETTER;
    case U_DECIMAL_DIGIT_NUMBER:
    case U_LETTER_NUMBER:
    case U_OTHER_NUMBER:
        return TEXT_DIGIT;
    case U_SPACE_SEPARATOR:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
        return TEXT_SPACE;
    case U_DASH_PUNCTUATION:
    case U_START_PUNCTUATION:
    case U_END_PUNCTUATION:
    case U_CONNECTOR_PUNCTUATION:
    case U_OTHER_PUNCTUATION:
    case U_INITIAL_PUNCTUATION:
    case U_FINAL_PUNCTUATION:
        return TEXT_PUNCTUATION;
    case U_MATH_SYMBOL:
    case U_CURRENCY_SYMBOL:
    case U_MODIFIER_SYMBOL:
    case U_OTHER_SYMBOL:
    case U_ENCLOSING_MARK:
        return TEXT_SYMBOL;
    default:
        return c == 0x3007 ? TEXT_HAN : TEXT_OTHER;
    }
}

enum text_class text_class(uint32_t c)
{
    if (c >= 0x4E00 && c <= 0x9FFF)
        return TEXT_HAN;
    if (c < 0x80) {
        if ((c | 32) >= 'a' && (c | 32) <= 'z')
            return TEXT_LETTER;
        if (c >= '0' && c <= '9')
            return TEXT_DIGIT;
        if (c == ' ' || (c >= 9 && c <= 13))
            return TEXT_SPACE;
        if (c < 0x20 || c == 0x7F)
            return TEXT_OTHER;
        return strchr("$+<=>^`|~", (int)c) ? TEXT_SYMBOL : TEXT_PUNCTUATION;
    }
    if (c == 0xFF0C || c == 0x3002 || c == 0x3001) /* the most frequent of all */
        return TEXT_PUNCTUATION;
    return other_class(c);
}

/* Eight times the class of every character below 0x10000. */
static uint8_t classes[0x10000];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_classes(void)
{
    for (uint32_t c = 0; c < 0x10000; c++)
        classes[c] = (uint8_t)(text_class(c) * 8);
}

/* A count for each class in a byte of one word, so that no branch hangs on what a character is;
 * taken down before a byte runs over. */
struct text_counts text_count(struct str s)
{
    struct text_counts counts = {0};
    (void)pthread_once(&once, make_classes);
    for (size_t i = 0; i < s.len;) {
        uint64_t sums = 0;
        size_t n = 0;
        for (; n < 255 && i < s.len; n++) {
            uint32_t c = text_next(s, &i);
            sums += 1ULL << (c < 0x10000 ? classes[c] : text_class(c) * 8);
        }
        for (int k = 0; k < TEXT_CLASSES; k++)
            counts.of[k] += sums >> (8 * k) & 255;
        counts.n += n;
    }
    return counts;
}
_Static_assert(TEXT_CLASSES <= 8, "a class is a byte of a word");

/* Bytes that continue a character, 10xxxxxx, eight at a time. */
size_t text_length(struct str s)
{
    const uint64_t ones = 0x0101010101010101u;
    size_t inner = 0, i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t w;
        memcpy(&w, s.ptr + i, sizeof w);
        inner += (size_t)(((w >> 7 & ~(w >> 6) & ones) * ones) >> 56); /* sums the eight bytes */
    }
    for (; i < s.len; i++)
        inner += ((unsigned char)s.ptr[i] & 0xC0) == 0x80;
    return s.len - inner;
}

/* ---- addresses ---- */

static bool is_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool is_url_byte(unsigned char c)
{
    return is_word(c) || (c && strchr("-._~:/?#[]@!$&'()*+,;=%", c) != NULL);
}

static bool begins(struct str s, size_t at, const char *with)
{
    for (; *with; with++, at++)
        if (at >= s.len || (s.ptr[at] | 32) != (*with | 32))
            return false;
    return true;
}

size_t text_url(struct str s, size_t at)
{
    static const char *const heads[] = {"http://", "https://", "ftp://", "www."};
    size_t from = at;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0] && from == at; i++)
        if (begins(s, at, heads[i]))
            from = at + strlen(heads[i]);
    if (from == at || (at > 0 && is_word((unsigned char)s.ptr[at - 1])))
        return at;
    size_t end = from;
    while (end < s.len && is_url_byte((unsigned char)s.ptr[end]))
        end++;
    while (end > from && strchr(".,;:!?)]'", s.ptr[end - 1]))
        end--; /* belongs to the sentence */
    return end > from + 2 ? end : at;
}

size_t text_email(struct str s, size_t at)
{
    size_t i = at;
    if (at > 0 && (is_word((unsigned char)s.ptr[at - 1]) || s.ptr[at - 1] == '.'))
        return at;
    while (i < s.len && i - at < 64 &&
           (is_word((unsigned char)s.ptr[i]) || (s.ptr[i] && strchr("._+-", s.ptr[i]))))
        i++;
    if (i == at || i >= s.len || s.ptr[i] != '@')
        return at;
    size_t host = ++i, dot = 0;
    while (i < s.len && (is_word((unsigned char)s.ptr[i]) || s.ptr[i] == '-' || s.ptr[i] == '.')) {
        if (s.ptr[i] == '.')
            dot = i;
        i++;
    }
    while (i > host && (s.ptr[i - 1] == '.' || s.ptr[i - 1] == '-'))
        i--;
    return dot > host && i > dot + 2 ? i : at;
}

/* ---- lines and sentences ---- */

bool text_is_blank(struct str line)
{
    for (size_t i = 0; i < line.len;)
        if (text_class(text_next(line, &i)) <= TEXT_DIGIT)
            return false;
    return true;
}

bool text_is_stop(uint32_t c)
{
    switch (c) {
    case 0x3002: /* 。 */
    case 0xFF01: /* ！ */
    case 0xFF1F: /* ？ */
    case 0xFF1B: /* ； */
    case 0x2026: /* … */
    case '.':
    case '!':
    case '?':
    case ';':
        return true;
    default:
        return false;
    }
}

bool text_is_closing(uint32_t c)
{
    switch (c) {
    case 0x201D: /* ” */
    case 0x2019: /* ’ */
    case 0xFF09: /* ） */
    case 0x300B: /* 》 */
    case 0x300D: /* 」 */
    case 0x300F: /* 』 */
    case 0x3011: /* 】 */
    case '"':
    case '\'':
    case ')':
        return true;
    default:
        return false;
    }
}

bool text_ends_sentence(struct str line)
{
    size_t end = line.len;
    while (end > 0) {
        size_t at = utf8_prev(line, end), i = at;
        uint32_t c = text_next(line, &i);
        if (text_is_stop(c))
            return true;
        if (!text_is_closing(c))
            return false;
        end = at;
    }
    return false;
}

bool text_next_sentence(struct str *rest, struct str *sentence)
{
    struct str s = *rest;
    size_t i = 0;
    bool stopped = false;
    if (!s.len)
        return false;
    while (i < s.len) {
        size_t before = i;
        uint32_t c = text_next(s, &i);
        if (stopped && !text_is_stop(c) && !text_is_closing(c) && c != '\n') {
            i = before;
            break;
        }
        if (c == '\n')
            break;
        /* a point inside 3.14 or a.b ends nothing */
        bool inner = c == '.' && i < s.len && is_word((unsigned char)s.ptr[i]);
        stopped = stopped || (text_is_stop(c) && !inner);
    }
    *sentence = str_slice(s, 0, i);
    *rest = str_from(s, i);
    return true;
}

void text_add_line(struct buf *out, struct str line, bool *first)
{
    if (!*first)
        buf_char(out, '\n');
    *first = false;
    buf_add(out, line);
}

static const struct {
    const char *name;
    uint32_t c;
} entities[] = {
    {"nbsp", ' '},     {"amp", '&'},      {"lt", '<'},        {"gt", '>'},       {"quot", '"'},
    {"apos", '\''},    {"ldquo", 0x201C}, {"rdquo", 0x201D},  {"lsquo", 0x2018}, {"rsquo", 0x2019},
    {"mdash", 0x2014}, {"ndash", 0x2013}, {"hellip", 0x2026}, {"middot", 0xB7},  {"times", 0xD7},
    {"copy", 0xA9},    {"reg", 0xAE},     {"deg", 0xB0},      {"yen", 0xA5},     {"bull", 0x2022},
    {"emsp", ' '},     {"ensp", ' '},     {"laquo", 0xAB},    {"raquo", 0xBB},   {"permil", 0x2030},
};

size_t text_entity(struct str in, size_t at, uint32_t *c)
{
    size_t end = at + 1;
    while (end < in.len && end - at < 12 && in.ptr[end] != ';')
        end++;
    if (end >= in.len || in.ptr[end] != ';' || end == at + 1)
        return 0;
    struct str name = str_slice(in, at + 1, end);
    if (in.ptr[at + 1] == '#') {
        bool hex = name.len > 1 && (name.ptr[1] | 32) == 'x';
        uint32_t v = 0;
        for (size_t i = 1 + hex; i < name.len; i++) {
            int d = name.ptr[i] <= '9' ? name.ptr[i] - '0' : (name.ptr[i] | 32) - 'a' + 10;
            if (d < 0 || d >= (hex ? 16 : 10) || v > 0x10FFFF)
                return 0;
            v = v * (hex ? 16u : 10u) + (uint32_t)d;
        }
        *c = v == 0xA0 ? ' ' : v;
        return name.len > 1u + hex && v && v <= 0x10FFFF ? end + 1 : 0;
    }
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        if (str_eq_c(name, entities[i].name)) {
            *c = entities[i].c;
            return end + 1;
        }
    return 0;
}

bool text_is_picture(uint32_t c)
{
    return c >= 0x203C && c != 0x3030 && c != 0x303D && c != 0x3297 && c != 0x3299 &&
           u_hasBinaryProperty((UChar32)c, UCHAR_EMOJI_PRESENTATION);
}

void text_edit_init(struct text_edit *edit, struct str in, struct arena *arena)
{
    *edit = (struct text_edit){.in = in};
    buf_init(&edit->buf, arena);
}

enum err text_edit_end(struct text_edit *edit, struct str *out, struct why *why)
{
    if (!edit->from) {
        *out = edit->in;
        return ERR_OK;
    }
    buf_add(&edit->buf, str_from(edit->in, edit->from));
    *out = edit->buf.len ? buf_str(&edit->buf) : STR("");
    return buf_err(&edit->buf, why);
}
