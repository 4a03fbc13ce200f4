/*
 * acquire/schedule - when a collector runs next. Pure.
 *
 *     ""             never by itself
 *     "30m" "6h" "1d" after so long, counted from the last time
 *     "0 3 * * 1-5"  minute hour day month weekday, as cron: lists, ranges, steps; 0 and 7 are
 *                    Sunday; when day and weekday are both named either will do. In the zone of the
 *                    process.
 */
#ifndef ACQUIRE_SCHEDULE_H
#define ACQUIRE_SCHEDULE_H

#include "core/str.h"

#define SCHEDULE_LEAST_MS 60000

struct schedule {
    int64_t every_ms;        /* 0: not an interval */
    uint64_t minutes, hours; /* bits; hours 0: never */
    uint32_t days, months, weekdays;
    bool any_day, any_weekday;
};
ERR_MUST_USE enum err schedule_parse(struct str text, struct schedule *out, struct why *why);
/* The first time after `from_ms`; -1: never. */
int64_t schedule_next(const struct schedule *schedule, int64_t from_ms);

#endif
