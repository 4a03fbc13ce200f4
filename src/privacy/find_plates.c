/* Licence plates (GA 36): cars, new energy, police, embassies, trailers, learners, the army's. */
#include <stdio.h>
#include <string.h>

#include "privacy/scan_in.h"

/* Provinces, and 使 for embassies. */
static bool is_province(uint32_t c)
{
    static const uint16_t signs[] = {0x4EAC, 0x6D25, 0x5180, 0x664B, 0x8499, 0x8FBD, 0x5409, 0x9ED1,
                                     0x6CAA, 0x82CF, 0x6D59, 0x7696, 0x95FD, 0x8D63, 0x9C81, 0x8C6B,
                                     0x9102, 0x6E58, 0x7CA4, 0x6842, 0x743C, 0x5DDD, 0x8D35, 0x4E91,
                                     0x85CF, 0x9655, 0x7518, 0x9752, 0x5B81, 0x65B0, 0x6E1D};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (signs[i] == c)
            return true;
    return false;
}

/* 警 学 挂 领 使 港 澳 试 超, at the end. */
static bool is_tail(uint32_t c)
{
    static const uint16_t tails[] = {0x8B66, 0x5B66, 0x6302, 0x9886, 0x4F7F,
                                     0x6E2F, 0x6FB3, 0x8BD5, 0x8D85};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
        if (tails[i] == c)
            return true;
    return false;
}

/* Cells of a serial: digits and letters but I and O, no Chinese numerals. */
static size_t serial(const struct run *run, size_t from, size_t *letters)
{
    size_t n = 0;
    *letters = 0;
    for (; from + n < run->n && n < 7; n++) {
        const struct cell *cell = &run->cells[from + n];
        if (cell->flags & CELL_HAN || (n && cell->gap & GAP_REAL))
            break;
        if (cell->c == 'I' || cell->c == 'O')
            return 0;
        *letters += cell->c > '9';
    }
    return n;
}

/* New energy: small cars have D, F (or A to K since 2018 in some cities) first, large ones last. */
static bool new_energy(const struct run *run, size_t from)
{
    size_t first = run->cells[from].c > '9', last = run->cells[from + 5].c > '9';
    for (size_t i = 2; i < 5; i++)
        if (run->cells[from + i].c > '9')
            return false;
    return first + last == 1 && (last == 0 || run->cells[from + 1].c <= '9');
}

static void plate(struct scan *scan, struct run *run, size_t first)
{
    size_t at, letters, next, start = run->cells[first].start;
    char value[32];
    uint32_t c = letters_before(scan->text, start, 0, &at);
    if (c && letters_gap(c))
        c = letters_before(scan->text, at, 0, &at);
    bool army = run->cells[first].c == 'W' && first + 1 < run->n && run->cells[first + 1].c == 'J';
    if (!is_province(c) || army || run->cells[first].c == 'I')
        return;
    size_t n = serial(run, first + 1, &letters), end_cell = first + 1 + n;
    if (n < 4 || n > 6 || letters > 2 || run->taken[first])
        return;
    size_t end = run->cells[end_cell - 1].end;
    bool tail = is_tail(letters_at(scan->text, end, &next));
    if ((n == 4 && !tail) || (n == 6 && !new_energy(run, first + 1)))
        return;
    if (end_cell < run->n && !(run->cells[end_cell].gap & GAP_REAL) &&
        !(run->cells[end_cell].flags & CELL_HAN))
        return;
    if (end_cell == run->n && run->open_right)
        return;
    if (tail && n == 4)
        end = next;
    (void)snprintf(value, sizeof value, "%.3s%c", scan->text.ptr + at, run->cells[first].c);
    for (size_t i = 0; i < n; i++)
        value[4 + i] = run->cells[first + 1 + i].c;
    size_t len = 4 + n;
    if (tail && n == 4) {
        memcpy(value + len, scan->text.ptr + next - 3, 3);
        len += 3;
    }
    for (size_t i = first; i < end_cell; i++)
        run->taken[i] = 1;
    scan_add(scan, PRIVACY_PLATE, at, end, (struct str){value, len},
             cues_unit(scan->text, end) ? 0.5F : 0.92F);
}

/* 使123456, WJ京12345 and plates of the army (军A12345) are rare and begin otherwise. */
static void embassy(struct scan *scan, struct run *run, size_t first)
{
    size_t at, n = 0;
    char value[16] = "使";
    if (letters_before(scan->text, run->cells[first].start, 0, &at) != 0x4F7F)
        return;
    while (first + n < run->n && n < 7 && run->cells[first + n].c <= '9' &&
           !(run->cells[first + n].flags & CELL_HAN) && !run->taken[first + n])
        n++;
    if (n != 6 || (first + n < run->n && !(run->cells[first + n].gap & GAP_REAL)))
        return;
    struct cues cues;
    cues_before(scan->text, at, scan->context, &cues);
    for (size_t i = 0; i < n; i++)
        value[3 + i] = run->cells[first + i].c;
    bool said = str_find(str_slice(scan->text, at > 48 ? at - 48 : 0, at), STR("车")) != STR_NPOS;
    scan_add(scan, PRIVACY_PLATE, at, run->cells[first + 5].end, (struct str){value, 9},
             said ? 0.9F : 0.4F);
}

void find_plates(struct scan *scan, struct run *run)
{
    for (size_t i = 0; i + 5 <= run->n; i++)
        if (run->cells[i].c > '9' && (i == 0 || run->cells[i].gap & GAP_REAL))
            plate(scan, run, i);
    if (run->n >= 6 && run->cells[0].c <= '9')
        embassy(scan, run, 0);
}
