/* knowledge/passage - passages as bytes, their words and their clauses. */
#include "knowledge/passage.h"

#include "core/arena.h"
#include "core/map.h"
#include "knowledge/numeral.h"

#include <stdio.h>
#include <string.h>

/*
 * The packed form: "P1", then varints: n_strings, each string as length and bytes (string 0 is the
 * empty one and not written), n, and for each passage kind, start (as a zigzag difference to the
 * one before), len, body, number, sub, and the numbers of label, path, field and words.
 */

/* ---- writing ---- */

static void put(struct buf *buf, uint64_t v)
{
    while (v >= 0x80) {
        buf_char(buf, (char)(v | 0x80));
        v >>= 7;
    }
    buf_char(buf, (char)v);
}

struct pack {
    struct map seen;    /* string -> number */
    struct buf strings; /* as written */
    struct buf items;
    uint64_t n_strings; /* the empty one not counted */
};

static enum err put_string(struct pack *p, struct str s, struct why *why)
{
    if (!s.len) {
        put(&p->items, 0);
        return ERR_OK;
    }
    bool made = false;
    struct map_entry *entry = map_put(&p->seen, s, &made);
    if (!entry)
        return err_set(why, ERR_NO_MEMORY, "could not hold the names of passages");
    if (made) {
        entry->value.u = ++p->n_strings;
        put(&p->strings, s.len);
        buf_add(&p->strings, s);
    }
    put(&p->items, entry->value.u);
    return ERR_OK;
}

enum err passages_pack(const struct passage *items, size_t n, struct arena *arena, struct str *out,
                       struct why *why)
{
    struct pack p = {.n_strings = 0};
    map_init(&p.seen, arena);
    buf_init(&p.strings, arena);
    buf_init(&p.items, arena);
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        const struct passage *it = &items[i];
        int64_t diff = (int64_t)it->start - (int64_t)last;
        last = it->start;
        put(&p.items, (uint64_t)it->kind);
        put(&p.items, ((uint64_t)diff << 1) ^ (diff < 0 ? UINT64_MAX : 0));
        put(&p.items, it->len);
        put(&p.items, it->body);
        put(&p.items, it->number);
        put(&p.items, it->sub);
        enum err err = put_string(&p, it->label, why);
        if (!err)
            err = put_string(&p, it->path, why);
        if (!err)
            err = put_string(&p, it->field, why);
        if (!err)
            err = put_string(&p, it->words, why);
        if (err)
            return err;
    }
    struct buf all;
    buf_init(&all, arena);
    buf_add(&all, STR("P1"));
    put(&all, p.n_strings);
    buf_add(&all, buf_str(&p.strings));
    put(&all, n);
    buf_add(&all, buf_str(&p.items));
    if (p.strings.failed || p.items.failed || all.failed)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu passages", n);
    *out = buf_str(&all);
    return ERR_OK;
}

/* ---- reading ---- */

struct unpack {
    struct str in;
    size_t at;
    bool bad;
};

static uint64_t get(struct unpack *u)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (u->at >= u->in.len)
            break;
        uint8_t byte = (uint8_t)u->in.ptr[u->at++];
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return v;
    }
    u->bad = true;
    return 0;
}

static enum err corrupt(struct why *why)
{
    return err_set(why, ERR_CORRUPT, "the list of a version's passages is damaged");
}

static enum err get_strings(struct unpack *u, struct arena *arena, struct str **out, uint64_t *n,
                            struct why *why)
{
    *n = get(u);
    if (u->bad || *n > u->in.len) /* each takes a byte at least */
        return corrupt(why);
    struct str *strings = arena_array(arena, struct str, *n + 1);
    if (!strings)
        return err_set(why, ERR_NO_MEMORY, "could not hold the names of passages");
    for (uint64_t i = 1; i <= *n; i++) {
        uint64_t len = get(u);
        if (u->bad || len > u->in.len - u->at)
            return corrupt(why);
        strings[i] = (struct str){u->in.ptr + u->at, (size_t)len};
        u->at += (size_t)len;
    }
    *out = strings;
    return ERR_OK;
}

static struct str get_string(struct unpack *u, const struct str *strings, uint64_t n)
{
    uint64_t i = get(u);
    if (!strings || i > n) {
        u->bad = true;
        return STR_NONE;
    }
    return strings[i];
}

enum err passages_unpack(struct str packed, struct arena *arena, struct passage **items, size_t *n,
                         struct why *why)
{
    struct unpack u = {packed, 2, !str_starts(packed, STR("P1"))};
    struct str *strings = NULL;
    uint64_t n_strings = 0;
    if (u.bad)
        return corrupt(why);
    enum err err = get_strings(&u, arena, &strings, &n_strings, why);
    if (err)
        return err;
    uint64_t count = get(&u);
    if (u.bad || count > packed.len)
        return corrupt(why);
    struct passage *out = arena_array(arena, struct passage, count ? count : 1);
    if (!out)
        return err_set(why, ERR_NO_MEMORY, "could not hold %llu passages",
                       (unsigned long long)count);
    uint64_t last = 0;
    for (uint64_t i = 0; i < count && !u.bad; i++) {
        struct passage *it = &out[i];
        uint64_t kind = get(&u), zigzag = get(&u);
        last += (zigzag >> 1) ^ (~(zigzag & 1) + 1);
        it->kind = (enum passage_kind)kind;
        it->start = (size_t)last;
        it->len = (size_t)get(&u);
        it->body = (size_t)get(&u);
        it->number = (uint32_t)get(&u);
        it->sub = (uint32_t)get(&u);
        it->label = get_string(&u, strings, n_strings);
        it->path = get_string(&u, strings, n_strings);
        it->field = get_string(&u, strings, n_strings);
        it->words = get_string(&u, strings, n_strings);
        u.bad = u.bad || kind > PASSAGE_HEAD || it->body > it->len || last > SIZE_MAX / 4 ||
                it->len > SIZE_MAX / 4;
    }
    if (u.bad || u.at != packed.len)
        return corrupt(why);
    *items = out;
    *n = (size_t)count;
    return ERR_OK;
}

/* ---- use ---- */

struct str passage_words(const struct passage *passage, struct str text)
{
    if (passage->words.len)
        return passage->words;
    return str_slice(text, passage->start, passage->start + passage->len);
}

/* （三） or (三) or ㈢ at the start: the number of an item, 0 when there is none. */
static uint32_t item_number(struct str line)
{
    static const struct str opens[] = {STR_INIT("（"), STR_INIT("(")};
    static const struct str closes[] = {STR_INIT("）"), STR_INIT(")")};
    for (size_t i = 0; i < 2; i++) {
        uint32_t n = 0;
        size_t used = 0;
        if (!str_starts(line, opens[i]))
            continue;
        struct str rest = str_from(line, opens[i].len);
        if (!numeral_read(rest, &n, &used))
            continue;
        rest = str_from(rest, used);
        if (str_starts(rest, closes[0]) || str_starts(rest, closes[1]))
            return n;
    }
    return 0;
}

size_t passage_clauses(struct str article, struct passage_clause *out, size_t most)
{
    size_t n = 0;
    uint32_t clause = 0;
    for (size_t at = 0; at < article.len && n < most;) {
        size_t end = str_find_from(article, STR("\n"), at);
        if (end == STR_NPOS)
            end = article.len;
        struct str raw = str_slice(article, at, end);
        struct str line = str_trim_space(raw);
        at = end + 1;
        if (!line.len)
            continue;
        uint32_t item = item_number(line);
        if (!item || !clause) {
            clause++;
            item = 0;
        }
        size_t start = (size_t)(line.ptr - article.ptr);
        out[n++] = (struct passage_clause){start, line.len, clause, item};
    }
    return n;
}

const char *passage_id(const char *version, uint32_t number, char out[PASSAGE_ID_TEXT])
{
    (void)snprintf(out, PASSAGE_ID_TEXT, "%.36s:%u", version, number);
    return out;
}

bool passage_id_parse(struct str id, char version[UUID_TEXT], uint32_t *number)
{
    int64_t n = 0;
    if (id.len < UUID_TEXT + 1 || id.len >= PASSAGE_ID_TEXT || id.ptr[UUID_TEXT - 1] != ':')
        return false;
    struct str uuid = str_slice(id, 0, UUID_TEXT - 1), digits = str_from(id, UUID_TEXT);
    if (!uuid_valid(uuid) || digits.ptr[0] < '0' || digits.ptr[0] > '9' ||
        !str_to_i64(digits, &n) || n > UINT32_MAX)
        return false;
    memcpy(version, uuid.ptr, UUID_TEXT - 1);
    version[UUID_TEXT - 1] = '\0';
    *number = (uint32_t)n;
    return true;
}
