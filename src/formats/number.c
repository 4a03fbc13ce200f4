#include "formats/number.h"

#include "core/utf8.h"

static const char *const digits[] = {"零", "一", "二", "三", "四", "五", "六", "七", "八", "九"};

/* 12 is 十二, 20 is 二十, 105 is 一百零五. */
static void put_chinese(struct buf *buf, int64_t n)
{
    static const char *const units[] = {"千", "百", "十", ""};
    bool begun = false, zero = false;
    if (n >= 10000 || n < 1) {
        buf_printf(buf, "%lld", (long long)n);
        return;
    }
    for (int64_t unit = 1000, i = 0; unit > 0; unit /= 10, i++) {
        int64_t d = n / unit % 10;
        if (d == 0) {
            zero = begun;
            continue;
        }
        if (zero)
            buf_add_c(buf, digits[0]);
        if (d > 1 || unit != 10 || begun)
            buf_add_c(buf, digits[d]);
        buf_add_c(buf, units[i]);
        begun = true;
        zero = false;
    }
}

static void put_letters(struct buf *buf, int64_t n, char first)
{
    /* Word repeats the letter after 26: z, aa, bb. */
    for (int64_t i = 0; i <= (n - 1) / 26 && i < 10; i++)
        buf_char(buf, (char)(first + (n - 1) % 26));
}

static void put_roman(struct buf *buf, int64_t n, bool upper)
{
    static const struct {
        int64_t value;
        const char *lower, *upper;
    } parts[] = {{1000, "m", "M"}, {900, "cm", "CM"}, {500, "d", "D"}, {400, "cd", "CD"},
                 {100, "c", "C"},  {90, "xc", "XC"},  {50, "l", "L"},  {40, "xl", "XL"},
                 {10, "x", "X"},   {9, "ix", "IX"},   {5, "v", "V"},   {4, "iv", "IV"},
                 {1, "i", "I"}};
    for (size_t i = 0; n > 0 && n < 4000 && i < sizeof parts / sizeof parts[0]; i++) {
        for (; n >= parts[i].value; n -= parts[i].value)
            buf_add_c(buf, upper ? parts[i].upper : parts[i].lower);
    }
}

static void put_char(struct buf *buf, uint32_t c)
{
    char put[UTF8_MAX_BYTES];
    buf_add(buf, (struct str){put, utf8_put(put, c)});
}

static void put_digits(struct buf *buf, int64_t n)
{
    char text[24];
    int len = 0;
    for (; n > 0 && len < 20; n /= 10)
        text[len++] = (char)(n % 10);
    while (len > 0)
        buf_add_c(buf, digits[(int)text[--len]]);
}

void format_number(struct buf *buf, struct str f, int64_t n)
{
    static const struct str stems[] = {STR_INIT("甲乙丙丁戊己庚辛壬癸")};
    static const struct str branches[] = {STR_INIT("子丑寅卯辰巳午未申酉戌亥")};
    if (n < 1 || str_eq_c(f, "none"))
        return;
    if (str_eq_c(f, "chineseCounting") || str_eq_c(f, "chineseCountingThousand") ||
        str_eq_c(f, "japaneseCounting") || str_eq_c(f, "taiwaneseCounting") ||
        str_eq_c(f, "taiwaneseCountingThousand"))
        put_chinese(buf, n);
    else if (str_eq_c(f, "ideographDigital") || str_eq_c(f, "taiwaneseDigital") ||
             str_eq_c(f, "japaneseDigitalTenThousand"))
        put_digits(buf, n);
    else if (str_eq_c(f, "ideographTraditional") && n <= 10)
        buf_add(buf, str_slice(stems[0], (size_t)(n - 1) * 3, (size_t)n * 3));
    else if (str_eq_c(f, "ideographZodiac") && n <= 12)
        buf_add(buf, str_slice(branches[0], (size_t)(n - 1) * 3, (size_t)n * 3));
    else if (str_eq_c(f, "upperLetter"))
        put_letters(buf, n, 'A');
    else if (str_eq_c(f, "lowerLetter"))
        put_letters(buf, n, 'a');
    else if ((str_eq_c(f, "upperRoman") || str_eq_c(f, "lowerRoman")) && n < 4000)
        put_roman(buf, n, str_eq_c(f, "upperRoman"));
    else if ((str_eq_c(f, "decimalEnclosedCircle") ||
              str_eq_c(f, "decimalEnclosedCircleChinese")) &&
             n <= 20)
        put_char(buf, 0x2460 + (uint32_t)n - 1);
    else if (str_eq_c(f, "decimalEnclosedParen") && n <= 20)
        put_char(buf, 0x2474 + (uint32_t)n - 1);
    else if (str_eq_c(f, "ideographEnclosedCircle") && n <= 10)
        put_char(buf, 0x3220 + (uint32_t)n - 1);
    else if (str_eq_c(f, "decimalZero") && n < 10)
        buf_printf(buf, "0%lld", (long long)n);
    else
        buf_printf(buf, "%lld", (long long)n);
}
