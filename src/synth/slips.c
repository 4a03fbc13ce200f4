/* synth/slips - the errors that people make when they type and copy, put into right texts. Pure. */
#include <assert.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "synth/synth_in.h"

#define MOST_GROUP 8
#define TRIES      12 /* for an error of a kind in one place */

static const char *const shapes[] = {
#define SHAPES(group) group,
#include "synth/shapes.def"
#undef SHAPES
};

static const char *const names[SLIP_KINDS] = {"sound", "shape", "drop", "double", "swap"};

const char *slip_name(enum slip_kind kind)
{
    return names[kind];
}

/* A sequence that a seed gives (splitmix64, Steele et al. 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

struct making_slips {
    const struct pinyin *pinyin;
    const uint32_t *in; /* n characters of the right text */
    size_t n;
    uint64_t state;
    struct arena *arena;
    struct buf out; /* the wrong text so far */
    size_t written; /* its characters */
    struct slip *slips;
    size_t n_slips;
};

static uint32_t alike_by_sound(struct making_slips *m, uint32_t c)
{
    size_t n;
    const uint32_t *alike = pinyin_alike(m->pinyin, c, &n);
    for (int i = 0; i < TRIES && n > 1; i++) {
        uint32_t other = alike[next_random(&m->state) % n];
        if (other != c)
            return other;
    }
    return 0;
}

static uint32_t alike_by_shape(struct making_slips *m, uint32_t c)
{
    uint32_t found[32];
    size_t n = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct str group = str_c(shapes[i]);
        uint32_t members[MOST_GROUP];
        size_t n_members = 0;
        bool holds = false;
        for (size_t at = 0; at < group.len && n_members < MOST_GROUP;) {
            members[n_members] = utf8_next(group, &at);
            holds |= members[n_members++] == c;
        }
        for (size_t k = 0; holds && k < n_members && n < 32; k++)
            if (members[k] != c)
                found[n++] = members[k];
    }
    return n ? found[next_random(&m->state) % n] : 0;
}

static struct str text_of(struct making_slips *m, const uint32_t *c, size_t n)
{
    struct buf buf;
    buf_init(&buf, m->arena);
    for (size_t i = 0; i < n; i++) {
        char bytes[UTF8_MAX_BYTES];
        buf_add(&buf, (struct str){bytes, utf8_put(bytes, c[i])});
    }
    return buf.failed ? STR_NONE : buf.ptr ? buf_str(&buf) : STR("");
}

/* Writes `wrong` in the place of `right`; both may be empty. */
static void put_slip(struct making_slips *m, enum slip_kind kind, const uint32_t *wrong,
                     size_t n_wrong, const uint32_t *right, size_t n_right)
{
    struct slip *s = &m->slips[m->n_slips++];
    *s = (struct slip){.kind = kind,
                       .start = m->written,
                       .end = m->written + n_wrong,
                       .wrong = text_of(m, wrong, n_wrong),
                       .right = text_of(m, right, n_right)};
    buf_add(&m->out, s->wrong);
    m->written += n_wrong;
    if (!s->wrong.ptr || !s->right.ptr)
        m->out.failed = true;
}

/* An error of a kind at character i; how many characters of the right text it takes, 0: none can be
 * made there. */
static size_t slip_at(struct making_slips *m, enum slip_kind kind, size_t i)
{
    uint32_t c = m->in[i], other;
    switch (kind) {
    case SLIP_SOUND:
    case SLIP_SHAPE:
        other = kind == SLIP_SOUND ? alike_by_sound(m, c) : alike_by_shape(m, c);
        if (other)
            put_slip(m, kind, &other, 1, &c, 1);
        return other != 0;
    case SLIP_DROP:
        if (i == 0 || i + 1 == m->n || m->in[i - 1] == c || m->in[i + 1] == c)
            return 0; /* who finds it could not say where */
        put_slip(m, kind, NULL, 0, &c, 1);
        return 1;
    case SLIP_DOUBLE:
        if ((i + 1 < m->n && m->in[i + 1] == c) || (i > 0 && m->in[i - 1] == c))
            return 0;
        put_slip(m, kind, (const uint32_t[]){c, c}, 2, &c, 1);
        return 1;
    case SLIP_SWAP:
        if (i + 1 >= m->n || !utf8_is_han(m->in[i + 1]) || m->in[i + 1] == c)
            return 0;
        put_slip(m, kind, (const uint32_t[]){m->in[i + 1], c}, 2, &m->in[i], 2);
        return 2;
    default:
        return 0;
    }
}

/* Sounds and shapes are by far the most in real texts. */
static enum slip_kind any_kind(struct making_slips *m)
{
    static const enum slip_kind kinds[] = {SLIP_SOUND, SLIP_SOUND,  SLIP_SOUND,
                                           SLIP_SOUND, SLIP_SHAPE,  SLIP_SHAPE,
                                           SLIP_DROP,  SLIP_DOUBLE, SLIP_SWAP};
    return kinds[next_random(&m->state) % (sizeof kinds / sizeof kinds[0])];
}

static void copy(struct making_slips *m, size_t i)
{
    char bytes[UTF8_MAX_BYTES];
    buf_add(&m->out, (struct str){bytes, utf8_put(bytes, m->in[i])});
    m->written++;
}

/* About one error in `every`; the places are spread, with at least two characters between. */
static void walk(struct making_slips *m, size_t every, size_t most)
{
    assert(every > 0);
    size_t wait = 1 + next_random(&m->state) % every;
    for (size_t i = 0; i < m->n;) {
        size_t taken = 0;
        if (wait > 0)
            wait--;
        for (int k = 0; wait == 0 && utf8_is_han(m->in[i]) && m->n_slips < most && !taken && k < 4;
             k++)
            taken = slip_at(m, any_kind(m), i);
        if (taken) {
            i += taken;
            wait = 3 + next_random(&m->state) % (2 * every);
        } else {
            copy(m, i++);
        }
    }
}

enum err slips_make(const struct pinyin *pinyin, struct str right, size_t every, size_t most,
                    uint64_t seed, struct arena *arena, struct str *wrong, struct slip *slips,
                    size_t *n, struct why *why)
{
    size_t count = utf8_count(right);
    uint32_t *in = arena_array(arena, uint32_t, count + 1);
    if (!in)
        return err_set(why, ERR_NO_MEMORY, "could not hold a text");
    size_t k = 0;
    for (size_t at = 0; at < right.len && k < count;)
        in[k++] = utf8_next(right, &at);
    struct making_slips m = {.pinyin = pinyin, .in = in, .n = k, .arena = arena, .slips = slips};
    for (int i = 0; i < TRIES && !m.n_slips; i++) { /* a text of few characters may need another */
        m.state = seed + (uint64_t)i;
        m.written = 0;
        buf_init(&m.out, arena);
        walk(&m, every < count ? every : count / 2 + 1, most < SLIPS_MOST ? most : SLIPS_MOST);
    }
    *n = m.n_slips;
    *wrong = buf_str(&m.out);
    return buf_err(&m.out, why);
}

struct str slips_undo(struct str wrong, const struct slip *slips, size_t n, struct arena *arena)
{
    struct buf out;
    size_t from = 0;
    buf_init(&out, arena);
    for (size_t i = 0; i < n; i++) {
        size_t start = utf8_offset(wrong, slips[i].start), end = utf8_offset(wrong, slips[i].end);
        buf_add(&out, str_slice(wrong, from, start));
        buf_add(&out, slips[i].right);
        from = end;
    }
    buf_add(&out, str_from(wrong, from));
    return out.failed ? STR_NONE : buf_str(&out);
}
