#include "acquire/schedule.h"

#include "core/time.h"

#define MINUTE_MS 60000
#define DAY_MS    86400000
#define MOST_DAYS (366 * 9) /* the 29th of February may be 8 years away */

static enum err bad(struct str text, struct why *why)
{
    enum err err = err_set(why, ERR_INVALID, "\"%.*s\" is no schedule",
                           (int)(text.len < 60 ? text.len : 60), text.ptr);
    err_hint(why, "\"30m\", \"6h\", \"1d\", or \"0 3 * * *\" for three o'clock every night");
    return err;
}

static bool interval(struct str text, int64_t *ms)
{
    int64_t n = 0, unit = 0;
    if (text.len < 2)
        return false;
    switch (text.ptr[text.len - 1]) {
    case 'm':
        unit = MINUTE_MS;
        break;
    case 'h':
        unit = 60 * (int64_t)MINUTE_MS;
        break;
    case 'd':
        unit = DAY_MS;
        break;
    default:
        return false;
    }
    if (!str_to_i64(str_slice(text, 0, text.len - 1), &n) || n < 1 || n > 100000)
        return false;
    *ms = n * unit;
    return *ms <= 366 * (int64_t)DAY_MS;
}

/* "*", "5", "1-5", each with "/2" behind it. */
static bool range(struct str part, int least, int most, uint64_t *bits)
{
    int64_t from = least, to = most, step = 1;
    size_t slash = str_find_char(part, '/');
    if (slash != STR_NPOS) {
        if (!str_to_i64(str_from(part, slash + 1), &step) || step < 1 || step > most)
            return false;
        part = str_slice(part, 0, slash);
    }
    if (!str_eq_c(part, "*")) {
        size_t dash = str_find_char(part, '-');
        if (!str_to_i64(str_slice(part, 0, dash == STR_NPOS ? part.len : dash), &from))
            return false;
        to = slash == STR_NPOS ? from : most;
        if (dash != STR_NPOS && !str_to_i64(str_from(part, dash + 1), &to))
            return false;
    }
    if (from < least || to > most || from > to)
        return false;
    for (int64_t i = from; i <= to; i += step)
        *bits |= (uint64_t)1 << i;
    return true;
}

static bool field(struct str text, int least, int most, uint64_t *bits)
{
    struct str part;
    *bits = 0;
    while (str_next(&text, ',', &part))
        if (!range(part, least, most, bits))
            return false;
    return *bits != 0;
}

enum err schedule_parse(struct str text, struct schedule *out, struct why *why)
{
    static const struct {
        int least, most;
    } fields[] = {{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}};
    struct str given = str_trim(text), rest = given, part;
    uint64_t bits[5];
    size_t n = 0;
    bool stars[5] = {false};
    *out = (struct schedule){0};
    if (!given.len)
        return ERR_OK;
    if (interval(given, &out->every_ms))
        return ERR_OK;
    while (str_next(&rest, ' ', &part)) {
        if (!part.len)
            continue;
        if (n == 5 || !field(part, fields[n].least, fields[n].most, &bits[n]))
            return bad(given, why);
        stars[n] = str_eq_c(part, "*");
        n++;
    }
    if (n != 5)
        return bad(given, why);
    *out = (struct schedule){.minutes = bits[0],
                             .hours = bits[1],
                             .days = (uint32_t)bits[2],
                             .months = (uint32_t)bits[3],
                             .weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f),
                             .any_day = stars[2],
                             .any_weekday = stars[4]};
    if (schedule_next(out, 0) < 0)
        return bad(given, why); /* the 30th of February */
    return ERR_OK;
}

static bool day_fits(const struct schedule *s, int32_t day)
{
    int year, month, mday;
    day_to_ymd(day, &year, &month, &mday);
    int weekday = (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    bool by_day = s->days >> mday & 1, by_weekday = s->weekdays >> weekday & 1;
    if (!(s->months >> month & 1))
        return false;
    return s->any_day || s->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

int64_t schedule_next(const struct schedule *s, int64_t from_ms)
{
    if (s->every_ms)
        return from_ms + s->every_ms;
    if (!s->hours)
        return -1;
    int32_t first = day_of(from_ms);
    for (int32_t day = first; day < first + MOST_DAYS; day++) {
        if (!day_fits(s, day))
            continue;
        for (int hour = 0; hour < 24; hour++)
            for (int minute = 0; (s->hours >> hour & 1) && minute < 60; minute++) {
                int64_t at = day_start_ms(day) + (hour * 60 + minute) * (int64_t)MINUTE_MS;
                if ((s->minutes >> minute & 1) && at > from_ms)
                    return at;
            }
    }
    return -1;
}
