/* The arithmetic of numbers: check digits, regions, dates, prefixes. */
#include <string.h>

#include "privacy/scan_in.h"

/* ---- regions ---- */

static const struct {
    uint16_t prefecture;
    uint64_t low, high;
} regions[] = {
#define REGION(prefecture, low, high) {prefecture, low, high},
#include "privacy/regions.def"
#undef REGION
};

static int number(const char *digits, size_t n)
{
    int value = 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

/* Also those without a table here: Taiwan, Hong Kong, Macau, and 91 for foreigners. */
static bool is_province(int code)
{
    static const uint64_t low =
        0x3EULL << 10 | 0xEULL << 20 | 0xFEULL << 30 | 0x7EULL << 40 | 0x1FULL << 50 | 0xEULL << 60;
    if (code < 64)
        return low >> code & 1;
    return code == 64 || code == 65 || code == 71 || (code >= 81 && code <= 83) || code == 91;
}

float region_known(const char digits[6])
{
    int prefecture = number(digits, 4), county = number(digits + 4, 2);
    size_t low = 0, high = sizeof regions / sizeof regions[0];
    if (!is_province(prefecture / 100))
        return 0;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (regions[mid].prefecture < prefecture)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == sizeof regions / sizeof regions[0] || regions[low].prefecture != prefecture)
        return 0.8F;
    uint64_t bits = county < 64 ? regions[low].low >> county : regions[low].high >> (county - 64);
    return bits & 1 ? 1.0F : 0.9F;
}

/* ---- check digits ---- */

bool check_id18(const char digits[18])
{
    static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    int sum = 0;
    for (int i = 0; i < 17; i++)
        sum += weights[i] * (digits[i] - '0');
    return digits[17] == "10X98765432"[sum % 11];
}

/* GB 32100-2015: 31 characters without I, O, S, V, Z; weights are powers of 3 modulo 31. */
bool check_credit(const char code[18])
{
    static const char set[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    int sum = 0, weight = 1;
    for (int i = 0; i < 17; i++, weight = weight * 3 % 31) {
        const char *at = strchr(set, code[i]);
        if (!code[i] || !at)
            return false;
        sum += weight * (int)(at - set);
    }
    return code[17] == set[(31 - sum % 31) % 31];
}

bool check_luhn(const char *digits, size_t n)
{
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        int d = digits[n - 1 - i] - '0';
        sum += i % 2 == 0 ? d : d > 4 ? d * 2 - 9 : d * 2;
    }
    return sum % 10 == 0;
}

bool check_date(int year, int month, int day)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1850 || year > 2100 || month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month != 2 || day < 29 || leap;
}

/* ---- telephones ---- */

/* Prefixes of three digits that carriers were given (plan of the ministry for 11-digit numbers);
 * 10x, 12x and what is for machines only are left out. */
bool check_mobile(const char digits[11])
{
    static const uint16_t third[10] = {
        [3] = 0x3FF, [4] = 0x3F3, [5] = 0x3EF, [6] = 0x0E4, [7] = 0x1FF, [8] = 0x3FF, [9] = 0x3EF};
    return digits[0] == '1' && third[digits[1] - '0'] >> (digits[2] - '0') & 1;
}

/* Area codes: 010, 02x, and four digits from 03 to 09. */
size_t check_area(const char *digits, size_t n)
{
    static const uint16_t fourth[10] = {
        /* the third digit, by the second: which exist */
        [3] = 0x2FF, [4] = 0x3F6, [5] = 0x3FF, [6] = 0x279, [7] = 0x3FE, [8] = 0x3FF, [9] = 0x3DF};
    if (n < 4 || digits[0] != '0')
        return 0;
    if (digits[1] == '1')
        return digits[2] == '0' ? 3 : 0;
    if (digits[1] == '2')
        return digits[2] != '6' ? 3 : 0;
    return digits[1] >= '3' && fourth[digits[1] - '0'] >> (digits[2] - '0') & 1 ? 4 : 0;
}

/* ---- bank cards ---- */

/* Prefixes of mainland banks' cards outside 62, which is UnionPay's own (ISO/IEC 7812). */
static const uint32_t issuers[] = {
    356833, 370246, 370247, 370248, 370249, 402658, 402791, 405512, 409665, 409666, 409667,
    409668, 409669, 409670, 409671, 409672, 410062, 421349, 427010, 427018, 427019, 427020,
    427028, 427029, 427030, 427038, 427039, 427062, 427064, 434061, 434062, 436718, 436738,
    436742, 436745, 436748, 439188, 439225, 439226, 439227, 451804, 451810, 451811, 458060,
    458123, 458124, 468203, 489734, 489735, 489736, 510529, 512315, 512316, 512425, 514957,
    514958, 518710, 518718, 521899, 524011, 524091, 524094, 525498, 526836, 528856, 530990,
    531693, 532450, 532458, 543098, 544243, 545324, 548259, 552742, 552801, 553131, 558360,
    558730, 558868, 601382, 601428, 603601, 955880, 955881, 955882, 955888};

float check_card(const char *digits, size_t n)
{
    uint32_t prefix = (uint32_t)number(digits, 6);
    if (prefix >= 621000 && prefix <= 625999)
        return 1.0F;
    for (size_t i = 0; i < sizeof issuers / sizeof issuers[0]; i++)
        if (issuers[i] == prefix)
            return 1.0F;
    if (digits[0] == '6' && digits[1] == '2')
        return 0.8F;
    bool scheme = n == 16 &&
                  (digits[0] == '4' || (digits[0] == '5' && digits[1] >= '1' && digits[1] <= '5') ||
                   prefix / 10000 == 35);
    return scheme || (n == 15 && (prefix / 10000 == 34 || prefix / 10000 == 37)) ? 0.65F : 0;
}
