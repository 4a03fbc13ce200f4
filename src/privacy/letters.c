/* Characters as cells and gaps, and the run of cells around a digit. */
#include <string.h>

#include "core/utf8.h"
#include "privacy/scan_in.h"

#define MOST_BACK    9 /* letters before the first digit */
#define MOST_LETTERS 8 /* letters in a row inside a run */
#define MOST_GAP     3 /* marks between two cells; spaces in a row count as one */

static const struct {
    uint32_t c;
    char digit;
} numerals[] = {
    {0x3007, '0'}, {0x96F6, '0'}, {0x4E00, '1'}, {0x5E7A, '1'}, {0x58F9, '1'}, {0x58F1, '1'},
    {0x4E8C, '2'}, {0x8D30, '2'}, {0x8CB3, '2'}, {0x4E09, '3'}, {0x53C1, '3'}, {0x53C3, '3'},
    {0x56DB, '4'}, {0x8086, '4'}, {0x4E94, '5'}, {0x4F0D, '5'}, {0x516D, '6'}, {0x9646, '6'},
    {0x9678, '6'}, {0x4E03, '7'}, {0x67D2, '7'}, {0x516B, '8'}, {0x634C, '8'}, {0x4E5D, '9'},
    {0x7396, '9'}, {0x24EA, '0'}, {0x25CB, '0'}, {0x3024, '4'},
};

static char numeral(uint32_t c)
{
    for (size_t i = 0; i < sizeof numerals / sizeof numerals[0]; i++)
        if (numerals[i].c == c)
            return numerals[i].digit;
    return '\0';
}

/* Digits in other dress than ASCII: wide, circled, of mathematics, superscripts. */
static char dressed(uint32_t c)
{
    static const struct {
        uint32_t from;
        char first, last;
    } rows[] = {{0xFF10, '0', '9'},  {0x2460, '1', '9'},  {0x2474, '1', '9'},  {0x2488, '1', '9'},
                {0x24F5, '1', '9'},  {0x2776, '1', '9'},  {0x2780, '1', '9'},  {0x278A, '1', '9'},
                {0x2074, '4', '9'},  {0x2080, '0', '9'},  {0x3220, '1', '9'},  {0x3280, '1', '9'},
                {0x0660, '0', '9'},  {0x1D7CE, '0', '9'}, {0x1D7D8, '0', '9'}, {0x1D7E2, '0', '9'},
                {0x1D7EC, '0', '9'}, {0x1D7F6, '0', '9'}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (c >= rows[i].from && c - rows[i].from <= (uint32_t)(rows[i].last - rows[i].first))
            return (char)(rows[i].first + (char)(c - rows[i].from));
    return c == 0x2070 || c == 0x24FF ? '0' : '\0';
}

static char digit_of_letter(char c)
{
    return c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : '\0';
}

bool letters_cell(uint32_t c, struct cell *out)
{
    *out = (struct cell){0};
    if (c >= 0xFF01 && c <= 0xFF5E) {
        c = c - 0xFF01 + '!';
        out->flags = CELL_WIDE;
    }
    if (c < 0x80) {
        if (c >= 'a' && c <= 'z') {
            c -= 32;
            out->flags |= CELL_LOWER;
        }
        if (c >= '0' && c <= '9')
            out->digit = (char)c;
        else if (c >= 'A' && c <= 'Z')
            out->digit = digit_of_letter((char)c);
        else
            return false;
        out->c = (char)c;
        return true;
    }
    if (c < 0x2000 && (c < 0x660 || c > 0x669))
        return false;
    char digit = numeral(c);
    if (digit)
        out->flags = CELL_HAN;
    else if (!(digit = dressed(c)))
        return false;
    out->c = out->digit = digit;
    return true;
}

bool letters_is_word(uint32_t c)
{
    struct cell cell;
    return letters_cell(c, &cell) && !(cell.flags & CELL_HAN);
}

uint8_t letters_gap(uint32_t c)
{
    switch (c) {
    case ' ':
    case '\t':
    case 0xA0:
    case 0x3000:
        return GAP_SPACE;
    case '\n':
    case '\r':
    case 0x2028:
        return GAP_LINE;
    case '-':
    case 0xFF0D:
    case 0x2212:
    case 0xFE63:
    case 0x30FC:
        return GAP_DASH;
    case '.':
    case 0xB7:
    case 0x2022:
    case 0x2027:
    case 0x30FB:
    case 0xFF0E:
    case 0x22C5:
        return GAP_DOT;
    case '/':
    case '_':
    case '|':
    case '~':
    case '+':
    case '*':
    case 0xFF0F:
    case 0xFF3F:
    case 0xFF5E:
        return GAP_SLASH;
    case ',':
    case 0xFF0C:
    case 0x3001:
        return GAP_COMMA;
    case '(':
    case ')':
    case '[':
    case ']':
    case 0xFF08:
    case 0xFF09:
    case 0x3010:
    case 0x3011:
        return GAP_BRACKET;
    case 0xAD:
    case 0xFEFF:
    case 0x2060:
    case 0x20E3:
    case 0xFE0E:
    case 0xFE0F:
    case 0x180E:
        return GAP_NOTHING;
    default:
        if (c >= 0x200B && c <= 0x200F)
            return GAP_NOTHING;
        if (c >= 0x2000 && c <= 0x200A)
            return GAP_SPACE;
        return c >= 0x2010 && c <= 0x2015 ? GAP_DASH : 0;
    }
}

uint32_t letters_at(struct str text, size_t at, size_t *next)
{
    *next = at;
    if (at >= text.len)
        return 0;
    const unsigned char *p = (const unsigned char *)text.ptr + at;
    if (p[0] < 0x80) {
        ++*next;
        return p[0];
    }
    if (p[0] >= 0xE1 && p[0] <= 0xEC && text.len - at >= 3 && (p[1] & 0xC0) == 0x80 &&
        (p[2] & 0xC0) == 0x80) {
        *next += 3;
        return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    }
    uint32_t c = utf8_next(text, next);
    return c == UTF8_BAD ? 0 : c;
}

uint32_t letters_before(struct str text, size_t at, size_t floor, size_t *start)
{
    size_t next;
    *start = at;
    if (at <= floor)
        return 0;
    *start = utf8_prev(text, at);
    if (*start < floor)
        return 0;
    return letters_at(text, *start, &next);
}

/* One letter by itself: "B" in "粤B·D12345", "E" in "E B 6 6". */
static bool lone_letter(struct str text, size_t at, size_t floor)
{
    struct cell cell;
    size_t one, two;
    uint32_t c = letters_before(text, at, floor, &one);
    for (int i = 0; i < MOST_GAP && c && letters_gap(c); i++)
        c = letters_before(text, one, floor, &one);
    return c && letters_cell(c, &cell) && !(cell.flags & CELL_HAN) && cell.c > '9' &&
           !letters_is_word(letters_before(text, one, floor, &two));
}

/* Letters that belong to the number stand before its first digit: "E", "A·", "E B ", "llO". */
static size_t walk_back(struct str text, size_t at, size_t floor, bool *open)
{
    size_t from = at, letters = 0;
    *open = false;
    for (size_t here = at, start; letters < MOST_BACK; here = start) {
        struct cell cell;
        uint32_t c = letters_before(text, here, floor, &start);
        if (c && letters_cell(c, &cell) && !(cell.flags & CELL_HAN)) {
            from = start;
            letters++;
            continue;
        }
        uint8_t gap = c ? letters_gap(c) : 0;
        if (!gap || (gap & GAP_REAL && !lone_letter(text, start, floor)))
            return from;
    }
    *open = true;
    return from;
}

struct gap {
    uint8_t set;
    size_t marks;
    uint8_t last;
};

static bool add_gap(struct gap *gap, uint8_t sort)
{
    const uint8_t white = GAP_SPACE | GAP_LINE;
    gap->set |= sort;
    if (sort == GAP_NOTHING || (sort & white && gap->last & white))
        return true;
    gap->last = sort;
    return ++gap->marks <= MOST_GAP;
}

static void count(struct run *run)
{
    run->digits = run->dots = 0;
    for (size_t i = 0; i < run->n; i++) {
        run->digits += run->cells[i].c <= '9';
        run->dots += run->cells[i].gap == GAP_DOT;
    }
}

void letters_run(struct str text, size_t at, size_t floor, struct run *run)
{
    size_t here = walk_back(text, at, floor, &run->open_left), letters = 0;
    struct gap gap = {0};
    run->n = 0;
    run->open_right = false;
    while (here < text.len) {
        size_t next;
        struct cell cell;
        uint32_t c = letters_at(text, here, &next);
        uint8_t sort = 0;
        if ((c == '(' || c == '[' || c == 0xFF08) && find_mail_sign(text, here))
            break;
        if (c && letters_cell(c, &cell)) {
            letters = cell.c > '9' ? letters + 1 : 0;
            if (run->n == RUN_CELLS || letters > MOST_LETTERS) {
                run->open_right = !(gap.set & GAP_REAL);
                break;
            }
            cell.start = here;
            cell.end = next;
            cell.gap = run->n ? gap.set : 0;
            run->taken[run->n] = 0;
            run->cells[run->n++] = cell;
            gap = (struct gap){0};
        } else if (!c || !(sort = letters_gap(c)) || !add_gap(&gap, sort)) {
            break;
        }
        here = next;
    }
    count(run);
}

bool letters_hot(uint32_t c)
{
    struct cell cell;
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c && strchr("@:([QqWwVv", (int)c));
    switch (c) {
    case 0xFF20: /* ＠ */
    case 0xFF08: /* （at） */
    case 0x5FAE: /* 微信, 微博 */
    case 0x6263: /* 扣扣 */
    case 0x6296: /* 抖音 */
    case 0x652F: /* 支付宝 */
    case 0x5FEB: /* 快手 */
    case 0x4F01: /* 企鹅 */
    case 0x8D26: /* 账号 */
    case 0x5A01: /* 威信 */
        return true;
    default:
        return letters_cell(c, &cell) && cell.c <= '9';
    }
}
