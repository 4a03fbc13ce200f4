/*
 * knowledge/numeral - Chinese numbers, article numbers and dates in running text. Pure.
 */
#ifndef KNOWLEDGE_NUMERAL_H
#define KNOWLEDGE_NUMERAL_H

#include "core/str.h"
#include "core/time.h"

#define NUMERAL_TEXT 64 /* bytes for a written number, '\0' included */

/* The number at the start of s: 一百零三, 一千二百六十, 二〇二五, 两, 37, ３７. At most
 * 999,999,999. *used gets its bytes. False when s begins with none. */
ERR_MUST_USE bool numeral_read(struct str s, uint32_t *n, size_t *used);

/* 103 as 一百零三; n at most 99,999,999. */
const char *numeral_write(uint32_t n, char out[NUMERAL_TEXT]);

/* 第三十七条, 第一百零三条之一, 第37条 at the start of s. */
struct numeral_article {
    uint32_t number, sub; /* sub: 之一 is 1, 0 when there is none */
    size_t len;           /* bytes of the label */
};
ERR_MUST_USE bool numeral_article(struct str s, struct numeral_article *out);

/* "第一百零三条之一". */
const char *numeral_article_write(uint32_t number, uint32_t sub, char out[2 * NUMERAL_TEXT]);

/*
 * The next date in s at or after *at: 2025年6月30日, ２０２５年…, 二〇二五年六月三十日, 2025-06-30,
 * 2025/6/30, 2025.6.30, with spaces between. On success *at is behind it.
 */
struct numeral_date {
    int32_t day;
    size_t start, end; /* its bytes in s */
};
ERR_MUST_USE bool numeral_date_next(struct str s, size_t *at, struct numeral_date *out);

#endif
