/* Dates of birth: a date beside a word that says so. */
#include <stdio.h>
#include <string.h>

#include "privacy/scan_in.h"

#define BEFORE 40 /* bytes before the date */
#define AFTER  6

/* One or two numerals with 十 ("十二", "二十一", "03") at *at; -1 when there are none. */
static int counted(struct str text, size_t *at)
{
    int value = -1;
    bool ten = false;
    for (int i = 0; i < 3; i++) {
        size_t next;
        struct cell cell;
        uint32_t c = letters_at(text, *at, &next);
        if (c == 0x5341 && !ten) { /* 十 */
            value = value < 0 ? 10 : value * 10;
            ten = true;
        } else if (c && letters_cell(c, &cell) && cell.c <= '9') {
            int digit = cell.c - '0';
            value = value < 0 ? digit : ten ? value + digit : value * 10 + digit;
            if (value > 99)
                return -1;
        } else {
            break;
        }
        *at = next;
    }
    return value;
}

static bool is_mark(uint32_t c, uint32_t word)
{
    return c == word || (c && letters_gap(c) & (GAP_DASH | GAP_DOT | GAP_SLASH));
}

/* "1985年3月2日", "1985-03-02", "1985.03", "19850302"; *end behind it. */
static bool date_at(struct scan *scan, const struct run *run, size_t first, char value[16],
                    size_t *end)
{
    int year = 0, month, day = 0;
    size_t at, next;
    for (size_t i = 0; i < 4; i++) {
        const struct cell *cell = &run->cells[first + i];
        if (first + i >= run->n || cell->c > '9' || (i && cell->gap & GAP_REAL))
            return false;
        year = year * 10 + (cell->c - '0');
    }
    if (year < 1890 || year > 2030)
        return false;
    at = run->cells[first + 3].end;
    uint32_t mark = letters_at(scan->text, at, &next);
    if (is_mark(mark, 0x5E74)) { /* 年 */
        at = next;
        month = counted(scan->text, &at);
        *end = at;
        mark = letters_at(scan->text, at, &next);
        if (mark == 0x6708) /* 月 */
            *end = next;
        if (is_mark(mark, 0x6708)) {
            at = next;
            day = counted(scan->text, &at);
            if (day > 0) {
                *end = at;
                mark = letters_at(scan->text, at, &next);
                if (mark == 0x65E5 || mark == 0x53F7) /* 日 号 */
                    *end = next;
            }
        }
    } else if (first + 8 <= run->n && !(run->cells[first + 4].gap & GAP_REAL) &&
               (first + 8 == run->n || run->cells[first + 8].gap & GAP_REAL)) {
        for (size_t i = 4; i < 8; i++)
            if (run->cells[first + i].c > '9' || run->cells[first + i].gap & GAP_REAL)
                return false;
        month = (run->cells[first + 4].c - '0') * 10 + (run->cells[first + 5].c - '0');
        day = (run->cells[first + 6].c - '0') * 10 + (run->cells[first + 7].c - '0');
        *end = run->cells[first + 7].end;
    } else {
        return false;
    }
    if (!check_date(year, month, day > 0 ? day : 1))
        return false;
    (void)snprintf(value, 16, day > 0 ? "%04d-%02d-%02d" : "%04d-%02d", year, month, day);
    return true;
}

void find_birth(struct scan *scan, struct run *run)
{
    char value[16];
    size_t end;
    for (size_t i = 0; i + 4 <= run->n; i++) {
        struct cues cues;
        if (run->taken[i] || (i && !(run->cells[i].gap & GAP_REAL)) || (i == 0 && run->open_left) ||
            !date_at(scan, run, i, value, &end))
            continue;
        cues_before(scan->text, run->cells[i].start, scan->context, &cues);
        bool behind = cues_after(scan->text, end, CUE_BIRTH, AFTER);
        if (cues.at[CUE_BIRTH] > BEFORE && !behind)
            continue;
        scan_add(scan, PRIVACY_BIRTH_DATE, run->cells[i].start, end, str_c(value), 0.9F);
        return;
    }
}
