/*
 * synth/pinyin - common characters by their sound.
 *
 * Source: ICU's transliterator Han-Latin (CLDR, from Unihan's kMandarin), over the 3,755 characters
 * of the first level of GB/T 2312, which are those that people type. The only file that sees
 * utrans.h.
 */
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/utrans.h>

#include "core/utf8.h"
#include "synth/synth_in.h"

#define FIRST 0xB0 /* rows of the first level, in EUC-CN */
#define LAST  0xD7
#define MOST  3800
#define SOUND 8

struct sounding {
    char sound[SOUND];
    uint32_t c;
};
struct pinyin {
    struct sounding by_sound[MOST]; /* n, sorted */
    uint32_t chars[MOST];           /* the same, without their sounds */
    uint32_t order[MOST];           /* places in by_sound, sorted by character */
    size_t n;
};

static int by_sound(const void *a, const void *b)
{
    const struct sounding *x = a, *y = b;
    int order = strcmp(x->sound, y->sound);
    return order ? order : x->c < y->c ? -1 : x->c > y->c;
}

/* The sound in letters, without its tone; false when there is none. */
static bool sound_of(const UTransliterator *trans, uint32_t c, char out[SOUND])
{
    UChar text[32] = {(UChar)c, 0};
    int32_t len = 1, limit = 1;
    UErrorCode status = U_ZERO_ERROR;
    utrans_transUChars(trans, text, &len, 32, 0, &limit, &status);
    if (U_FAILURE(status) || len < 1 || len >= SOUND)
        return false;
    for (int32_t i = 0; i < len; i++) {
        if (text[i] < 'a' || text[i] > 'z')
            return false;
        out[i] = (char)text[i];
    }
    out[len] = '\0';
    return true;
}

static bool character(iconv_t cd, int row, int column, uint32_t *out)
{
    char in[2] = {(char)row, (char)column}, text[8], *from = in, *to = text;
    size_t n_in = 2, n_out = sizeof text, at = 0;
    if (iconv(cd, &from, &n_in, &to, &n_out) == (size_t)-1)
        return false;
    *out = utf8_next((struct str){text, sizeof text - n_out}, &at);
    return utf8_is_han(*out) && *out < 0x10000;
}

static void fill(struct pinyin *p, const UTransliterator *trans, iconv_t cd)
{
    for (int row = FIRST; row <= LAST; row++)
        for (int column = 0xA1; column <= 0xFE && p->n < MOST; column++) {
            struct sounding *s = &p->by_sound[p->n];
            if (character(cd, row, column, &s->c) && sound_of(trans, s->c, s->sound))
                p->n++;
        }
    qsort(p->by_sound, p->n, sizeof *p->by_sound, by_sound);
}

static _Thread_local const struct pinyin *sorted;
static int by_char(const void *a, const void *b)
{
    uint32_t x = sorted->chars[*(const uint32_t *)a], y = sorted->chars[*(const uint32_t *)b];
    return x < y ? -1 : x > y;
}

enum err pinyin_open(struct pinyin **out, struct why *why)
{
    static const UChar id[] = u"Han-Latin; Latin-ASCII; Lower";
    UErrorCode status = U_ZERO_ERROR;
    struct pinyin *p = calloc(1, sizeof *p);
    UTransliterator *trans = utrans_openU(id, -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
    iconv_t cd = iconv_open("UTF-8", "GB2312");
    enum err err = ERR_OK;
    if (!p)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the sounds of characters");
    else if (U_FAILURE(status) || cd == (iconv_t)-1)
        err = err_set(why, ERR_UNAVAILABLE, "ICU has no sounds of characters here");
    if (!err) {
        fill(p, trans, cd);
        for (size_t i = 0; i < p->n; i++) {
            p->chars[i] = p->by_sound[i].c;
            p->order[i] = (uint32_t)i;
        }
        sorted = p;
        qsort(p->order, p->n, sizeof *p->order, by_char);
    }
    if (trans)
        utrans_close(trans);
    if (cd != (iconv_t)-1)
        (void)iconv_close(cd);
    if (err) {
        free(p);
        return err;
    }
    *out = p;
    return ERR_OK;
}

void pinyin_close(struct pinyin *p)
{
    free(p);
}

/* The place of a character in by_sound; p->n when it is not common. */
static size_t place_of(const struct pinyin *p, uint32_t c)
{
    size_t low = 0, high = p->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->chars[p->order[middle]] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->n && p->chars[p->order[low]] == c ? p->order[low] : p->n;
}

const uint32_t *pinyin_alike(const struct pinyin *p, uint32_t c, size_t *n)
{
    size_t at = place_of(p, c), from = at, to = at;
    *n = 0;
    if (at == p->n)
        return NULL;
    while (from > 0 && !strcmp(p->by_sound[from - 1].sound, p->by_sound[at].sound))
        from--;
    while (to < p->n && !strcmp(p->by_sound[to].sound, p->by_sound[at].sound))
        to++;
    *n = to - from;
    return &p->chars[from]; /* itself is among them */
}
