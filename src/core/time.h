/*
 * core/time - instants in milliseconds, days as numbers, RFC 3339 text.
 *
 * Instants are milliseconds since 1970-01-01T00:00:00Z. Days are counted since 1970-01-01 in the
 * Gregorian calendar. The zone is one for the process (time_set_zone; +08:00 by default), since
 * China has one zone and no summer time.
 */
#ifndef CORE_TIME_H
#define CORE_TIME_H

#include "core/str.h"

#define DAY_NONE  INT32_MIN /* no date known */
#define TIME_TEXT 48        /* bytes for a formatted time, '\0' included */

int64_t time_now_ms(void);
int64_t time_mono_ns(void);
void time_sleep_ms(int64_t ms);

void time_set_zone(int minutes_east); /* at start, before threads */
int time_zone(void);

/* "2026-03-01T09:30:00.123+08:00" */
const char *time_format(int64_t ms, char out[TIME_TEXT]);
ERR_MUST_USE bool time_parse(struct str text, int64_t *ms);

int32_t day_of(int64_t ms); /* in the process's zone */
int32_t day_today(void);
int64_t day_start_ms(int32_t day);

/* The day, or DAY_NONE when there is no such date (2023-02-29). */
int32_t day_from_ymd(int year, int month, int day);
void day_to_ymd(int32_t day, int *year, int *month, int *mday);
/* "2026-03-01"; "" for DAY_NONE. */
const char *day_format(int32_t day, char out[TIME_TEXT]);
/* "2026-03-01", "2026/3/1", "2026.3.1" or "2026年3月1日", the whole text. */
ERR_MUST_USE bool day_parse(struct str text, int32_t *day);

#endif
