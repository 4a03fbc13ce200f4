/*
 * ops/limit - token buckets in memory, in a table of fixed size.
 *
 * A bucket holds up to `burst` tokens and gains `per_minute` a minute. The table has places for
 * 32,768 buckets in sets of eight; when a set is full the bucket that was touched longest ago goes,
 * so that a flood of new addresses costs no memory. A bucket that went starts full again: floods
 * are limited a little less sharply, never more. From any thread.
 */
#ifndef OPS_LIMIT_H
#define OPS_LIMIT_H

#include "core/str.h"

struct limiter;

struct limiter *limiter_new(void); /* NULL without memory; takes 1 MiB */
void limiter_free(struct limiter *limiter);

/* Takes `n` tokens (0: only looks) of the bucket (kind, key). Returns 0, or how many milliseconds
 * from now there will be one; then nothing was taken. */
int64_t limiter_take(struct limiter *limiter, const char *kind, struct str key, int64_t per_minute,
                     int64_t burst, int64_t n, int64_t now_ms);

/* Counts what was left out since the bucket last gave a token, for "and 17 more". */
int64_t limiter_missed(struct limiter *limiter, const char *kind, struct str key);

#endif
