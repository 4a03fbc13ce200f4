/* The pass over the text: hot characters, runs, finders; the best findings are kept. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "learn/learn.h"
#include "privacy/scan_in.h"
#include "privacy/vault.h"

#define LEAST_DIGITS 4 /* of a run that is looked at */

/* ---- what begins something ---- */

static struct {
    uint8_t ascii[128];
    uint64_t wide[1024]; /* a bit for every character of three bytes */
} hot;
/* What characters are in a run, for a first look. */
enum { IN_DIGIT = 1, IN_GAP, IN_OTHER };
static uint8_t in_run[65536];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint8_t sort_in_run(uint32_t c)
{
    struct cell cell;
    if (letters_cell(c, &cell))
        return cell.c <= '9' ? IN_DIGIT : IN_OTHER;
    if (c == '(' || c == '[' || c == 0xFF08)
        return IN_OTHER;
    return letters_gap(c) ? IN_GAP : 0;
}

static void make_tables(void)
{
    for (uint32_t c = 1; c < 65536; c++)
        in_run[c] = sort_in_run(c);
    for (uint32_t c = 0; c < 128; c++)
        hot.ascii[c] = letters_hot(c);
    for (uint32_t c = 0x800; c < 0x10000; c++)
        if (letters_hot(c))
            hot.wide[c >> 6] |= 1ULL << (c & 63);
    cues_init();
    names_init();
}

/* The next place where something may begin. */
static size_t next_hot(struct str text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t n = text.len;
    while (at < n) {
        for (; at + 4 <= n; at += 3) { /* characters of three bytes, nearly all; w is one load */
            uint32_t w = p[at] | (uint32_t)p[at + 1] << 8 | (uint32_t)p[at + 2] << 16 |
                         (uint32_t)p[at + 3] << 24;
            if ((w & 0xC0C0F0) != 0x8080E0)
                break;
            if (hot.wide[(w & 15) << 6 | (w >> 8 & 63)] >> (w >> 16 & 63) & 1)
                return at;
        }
        unsigned char a = p[at];
        if (a < 0x80) {
            if (hot.ascii[a])
                return at;
            at++;
        } else if (a >= 0xE0 && a < 0xF0 && at + 2 < n && (p[at + 1] & 0xC0) == 0x80 &&
                   (p[at + 2] & 0xC0) == 0x80) {
            uint32_t c = (a & 0xFu) << 12 | (p[at + 1] & 0x3Fu) << 6 | (p[at + 2] & 0x3Fu);
            if (hot.wide[c >> 6] >> (c & 63) & 1)
                return at;
            at += 3;
        } else if (a == 0xF0 && at + 3 < n && p[at + 1] == 0x9D && p[at + 2] == 0x9F) {
            return at;
        } else {
            at++;
        }
    }
    return n;
}

/* ---- findings ---- */

bool scan_wants(const struct scan *scan, enum privacy_kind kind)
{
    return scan->scanner->kinds & PRIVACY_BIT(kind);
}

void scan_add(struct scan *scan, enum privacy_kind kind, size_t start, size_t end, struct str value,
              float confidence)
{
    if (!scan_wants(scan, kind) || confidence < scan->scanner->least)
        return;
    if (scan->n == scan->cap) {
        size_t cap = scan->cap ? scan->cap * 2 : 16, size = sizeof *scan->items;
        void *more = arena_grow(scan->arena, scan->items, scan->cap * size, cap * size);
        if (!more) {
            scan->failed = true;
            return;
        }
        scan->items = more;
        scan->cap = cap;
    }
    struct str copy = str_copy(scan->arena, value);
    if (!copy.ptr)
        scan->failed = true;
    else
        scan->items[scan->n++] = (struct privacy_finding){kind, start, end, copy, confidence};
}

static int by_start(const void *a, const void *b)
{
    const struct privacy_finding *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

/* Whether b goes before a in the same place: numbers before names, then the longer one. */
static bool better(const struct privacy_finding *b, const struct privacy_finding *a)
{
    bool text_b = !(PRIVACY_NUMBERS & PRIVACY_BIT(b->kind));
    bool text_a = !(PRIVACY_NUMBERS & PRIVACY_BIT(a->kind));
    if (text_a != text_b)
        return text_a;
    return b->end - b->start > a->end - a->start;
}

static void keep_best(struct scan *scan)
{
    size_t n = 0;
    bool sorted = true;
    for (size_t i = 1; i < scan->n && sorted; i++)
        sorted = by_start(&scan->items[i - 1], &scan->items[i]) <= 0;
    if (!sorted)
        qsort(scan->items, scan->n, sizeof *scan->items, by_start);
    for (size_t i = 0; i < scan->n; i++) {
        struct privacy_finding *item = &scan->items[i];
        if (vault_inside(scan->text, item->start))
            continue;
        while (n && scan->items[n - 1].end > item->start && better(item, &scan->items[n - 1]))
            n--;
        if (!n || scan->items[n - 1].end <= item->start)
            scan->items[n++] = *item;
    }
    scan->n = n;
}

/* ---- the pass ---- */

static void look_at_run(struct scan *scan, struct run *run)
{
    if (run->digits < LEAST_DIGITS)
        return;
    if (run->n >= 15)
        find_papers(scan, run);
    if (run->n >= 5)
        find_plates(scan, run);
    if (run->dots >= 3 || run->n >= 12)
        find_numbers(scan, run);
    if (run->n >= 6)
        find_passes(scan, run);
    if (run->n >= 7)
        find_phones(scan, run);
    if (scan_wants(scan, PRIVACY_BIRTH_DATE))
        find_birth(scan, run);
}

/* Where the pass goes on behind a run: behind its last digit, or inside when it was cut. */
static size_t after_run(const struct run *run, size_t at)
{
    size_t last = run->n;
    while (last && run->cells[last - 1].c > '9')
        last--;
    if (run->n == RUN_CELLS)
        for (size_t i = run->n - 1; i > RUN_CELLS / 2; i--)
            if (run->cells[i].gap & GAP_REAL && run->cells[i].start > at)
                return run->cells[i].start;
    return last && run->cells[last - 1].end > at ? run->cells[last - 1].end : at + 1;
}

/*
 * A quick look at the run that begins at `at`: whether it surely has too few digits to be looked
 * at, as most numbers of articles have; then *end is behind its last one. How many marks stand
 * between two digits is not counted: a run may seem longer than it is, never shorter.
 */
static bool is_short(struct str text, size_t at, size_t *end)
{
    size_t digits = 0;
    for (size_t next; at < text.len; at = next) {
        uint32_t c = letters_at(text, at, &next);
        uint8_t sort = c < 65536 ? in_run[c] : IN_OTHER;
        if (sort == IN_OTHER)
            return false;
        if (!sort)
            return true;
        if (sort == IN_DIGIT) {
            *end = next;
            if (++digits == LEAST_DIGITS)
                return false;
        }
    }
    return true;
}

static void pass(struct scan *scan)
{
    struct run run;
    size_t floor = 0, n = scan->text.len;
    for (size_t at = next_hot(scan->text, 0); at < n && !scan->failed;
         at = next_hot(scan->text, at)) {
        size_t next;
        struct cell cell;
        uint32_t c = letters_at(scan->text, at, &next);
        if (c && c < 65536 && in_run[c] == IN_DIGIT && is_short(scan->text, at, &next)) {
            floor = at = next;
        } else if (c && letters_cell(c, &cell) && cell.c <= '9') {
            letters_run(scan->text, at, floor, &run);
            look_at_run(scan, &run);
            floor = at = after_run(&run, at);
        } else if (c == ':') {
            at = find_colons(scan, at);
        } else if (c == '@' || c == '(' || c == '[' || c == 0xFF20 || c == 0xFF08) {
            at = find_mail(scan, at);
        } else {
            at = scan_wants(scan, PRIVACY_ACCOUNT) && c ? find_account(scan, at) : at + 1;
        }
    }
}

enum err privacy_scan(const struct privacy_scanner *scanner, struct str text, struct str context,
                      struct arena *arena, struct privacy_findings *out, struct why *why)
{
    struct scan scan = {.scanner = scanner, .text = text, .context = context, .arena = arena};
    if (scanner->kinds & PRIVACY_NUMBERS)
        pass(&scan);
    if (scanner->tagger && !scan.failed)
        find_names(&scan);
    if (scan.failed)
        return err_set(why, ERR_NO_MEMORY, "could not hold what was found");
    keep_best(&scan);
    *out = (struct privacy_findings){scan.items, scan.n};
    return ERR_OK;
}

enum err privacy_scanner_new(const struct privacy_scan_opts *opts, struct privacy_scanner **out,
                             struct why *why)
{
    struct privacy_scan_opts o = opts ? *opts : (struct privacy_scan_opts){0};
    if (o.kinds & ~PRIVACY_ALL)
        return err_set(why, ERR_INVALID, "there are no such kinds of personal data");
    if (!(o.least >= 0 && o.least <= 1))
        return err_set(why, ERR_INVALID, "the least confidence is a number from 0 to 1");
    struct privacy_scanner *scanner = calloc(1, sizeof *scanner);
    if (!scanner)
        return err_set(why, ERR_NO_MEMORY, "could not hold the scanner");
    (void)pthread_once(&once, make_tables);
    scanner->kinds = o.kinds ? o.kinds : PRIVACY_ALL;
    scanner->least = o.least > 0 ? o.least : PRIVACY_LEAST;
    scanner->public_too = o.public_too;
    enum err err = ERR_OK;
    if (scanner->kinds & ~PRIVACY_NUMBERS)
        err = names_tagger(&scanner->tagger, why);
    if (!err && scanner->tagger)
        err = names_gate(&scanner->gate, why);
    if (err) {
        privacy_scanner_free(scanner);
        return err;
    }
    *out = scanner;
    return ERR_OK;
}

void privacy_scanner_free(struct privacy_scanner *scanner)
{
    if (!scanner)
        return;
    tagger_free(scanner->tagger);
    gate_free(scanner->gate);
    free(scanner);
}
