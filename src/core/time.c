#include "core/time.h"

#include <stdio.h>
#include <time.h>

#include "core/utf8.h"

#define DAY_MS 86400000LL

static int zone_minutes = 480;

int64_t time_now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t time_mono_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void time_sleep_ms(int64_t ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    (void)nanosleep(&ts, NULL);
}

void time_set_zone(int minutes_east)
{
    zone_minutes = minutes_east;
}

int time_zone(void)
{
    return zone_minutes;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days from the civil date: the algorithm of Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms", with March as the first month so that the leap day is the last. */
static int64_t civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void day_to_ymd(int32_t day, int *year, int *month, int *mday)
{
    int64_t z = (int64_t)day + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

int32_t day_from_ymd(int year, int month, int day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1)
        return DAY_NONE;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && leap))
        return DAY_NONE;
    return (int32_t)civil(year, month, day);
}

int32_t day_of(int64_t ms)
{
    return (int32_t)floor_div(ms + (int64_t)zone_minutes * 60000, DAY_MS);
}

int32_t day_today(void)
{
    return day_of(time_now_ms());
}

int64_t day_start_ms(int32_t day)
{
    return day * DAY_MS - (int64_t)zone_minutes * 60000;
}

const char *day_format(int32_t day, char out[TIME_TEXT])
{
    out[0] = '\0';
    if (day == DAY_NONE)
        return out;
    int y, m, d;
    day_to_ymd(day, &y, &m, &d);
    (void)snprintf(out, TIME_TEXT, "%04d-%02d-%02d", y, m, d);
    return out;
}

const char *time_format(int64_t ms, char out[TIME_TEXT])
{
    int64_t local = ms + (int64_t)zone_minutes * 60000;
    int64_t rest = local - floor_div(local, DAY_MS) * DAY_MS;
    int y, m, d;
    day_to_ymd((int32_t)floor_div(local, DAY_MS), &y, &m, &d);
    int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;
    (void)snprintf(out, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02d:%02d", y % 10000, m, d,
                   (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60),
                   (int)(rest % 1000), zone_minutes < 0 ? '-' : '+', zone / 60 % 100, zone % 60);
    return out;
}

/* A run of `least` to `most` digits at the front of *s, taken off. */
static bool take_digits(struct str *s, size_t least, size_t most, int *out)
{
    size_t n = 0;
    int value = 0;
    while (n < s->len && n < most && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        value = value * 10 + (s->ptr[n++] - '0');
    if (n < least)
        return false;
    *s = str_from(*s, n);
    *out = value;
    return true;
}

static bool take(struct str *s, struct str what)
{
    if (!str_starts(*s, what))
        return false;
    *s = str_from(*s, what.len);
    return true;
}

static bool take_day(struct str *s, int32_t *day)
{
    static const struct {
        struct str a, b, end;
    } forms[] = {
        {STR_INIT("-"), STR_INIT("-"), STR_INIT("")},
        {STR_INIT("/"), STR_INIT("/"), STR_INIT("")},
        {STR_INIT("."), STR_INIT("."), STR_INIT("")},
        {STR_INIT("年"), STR_INIT("月"), STR_INIT("日")},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct str rest = *s;
        int y, m, d;
        if (!take_digits(&rest, 4, 4, &y) || !take(&rest, forms[i].a) ||
            !take_digits(&rest, 1, 2, &m) || !take(&rest, forms[i].b) ||
            !take_digits(&rest, 1, 2, &d) || !take(&rest, forms[i].end))
            continue;
        *day = day_from_ymd(y, m, d);
        *s = rest;
        return *day != DAY_NONE;
    }
    return false;
}

bool day_parse(struct str text, int32_t *day)
{
    int32_t value;
    text = str_trim_space(text);
    if (!take_day(&text, &value) || text.len)
        return false;
    *day = value;
    return true;
}

static bool take_zone(struct str *s, int *minutes)
{
    int h, m, sign = 1;
    *minutes = 0;
    if (take(s, STR("Z")) || take(s, STR("z")))
        return true;
    if (take(s, STR("-")))
        sign = -1;
    else if (!take(s, STR("+")))
        return false;
    if (!take_digits(s, 2, 2, &h) || !take(s, STR(":")) || !take_digits(s, 2, 2, &m) || h > 23 ||
        m > 59)
        return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

bool time_parse(struct str text, int64_t *ms)
{
    int32_t day;
    int h, m, sec, minutes, milli = 0;
    if (!take_day(&text, &day) || !(take(&text, STR("T")) || take(&text, STR(" "))) ||
        !take_digits(&text, 2, 2, &h) || !take(&text, STR(":")) || !take_digits(&text, 2, 2, &m) ||
        !take(&text, STR(":")) || !take_digits(&text, 2, 2, &sec) || h > 23 || m > 59 || sec > 60)
        return false;
    if (take(&text, STR("."))) {
        int digit, scale = 100;
        if (!take_digits(&text, 1, 1, &digit))
            return false;
        do {
            milli += digit * scale;
            scale /= 10;
        } while (take_digits(&text, 1, 1, &digit));
    }
    if (!take_zone(&text, &minutes) || text.len)
        return false;
    *ms = day * DAY_MS + ((h * 60 + m - minutes) * 60LL + sec) * 1000 + milli;
    return true;
}
