/* data/record_texts - where the texts of a record are, and putting changed ones back. */
#include <stdlib.h>

#include "core/arena.h"
#include "data/record.h"
#include "data/scan.h"

#define MOST_PARTS 8

struct walk {
    const struct record *record;
    struct record_text *items;
    size_t n, cap;
    size_t member;
    struct str raw; /* of the member */
    enum err err;
};

static const struct str paths_text[] = {STR_INIT("text")};
static const struct str paths_chat[] = {STR_INIT("messages[].content")};
static const struct str paths_preference[] = {
    STR_INIT("prompt"),         STR_INIT("prompt[].content"), STR_INIT("chosen"),
    STR_INIT("chosen.content"), STR_INIT("rejected"),         STR_INIT("rejected.content"),
};
static const struct str paths_qa[] = {STR_INIT("question"), STR_INIT("answer"),
                                      STR_INIT("context")};
static const struct str paths_caption[] = {STR_INIT("caption")};
static const struct str paths_row[] = {STR_INIT("row.*")};

const struct str *record_paths(enum record_kind kind, size_t *n)
{
#define GIVE(paths)                                                                                \
    do {                                                                                           \
        *n = sizeof(paths) / sizeof(paths)[0];                                                     \
        return paths;                                                                              \
    } while (0)
    switch (kind) {
    case RECORD_CHAT:
        GIVE(paths_chat);
    case RECORD_PREFERENCE:
        GIVE(paths_preference);
    case RECORD_QA:
        GIVE(paths_qa);
    case RECORD_CAPTION:
        GIVE(paths_caption);
    case RECORD_ROW:
        GIVE(paths_row);
    case RECORD_TEXT:
    case RECORD_CLASSIFICATION:
    case RECORD_SPANS:
    case RECORD_KINDS:
        break;
    }
    GIVE(paths_text);
#undef GIVE
}

/* "[]" is cut off the part and said in *items. */
static bool next_part(struct str *rest, struct str *part, bool *items)
{
    if (!rest->ptr || !rest->len)
        return false;
    size_t dot = str_find_char(*rest, '.');
    *part = str_slice(*rest, 0, dot == STR_NPOS ? rest->len : dot);
    *rest = dot == STR_NPOS ? STR_NONE : str_from(*rest, dot + 1);
    *items = str_ends(*part, STR("[]"));
    if (*items)
        part->len -= 2;
    return true;
}

enum err record_path_check(struct str path, struct why *why)
{
    struct str rest = path, part;
    bool items, good = path.len > 0 && path.len <= 200 && path.ptr[path.len - 1] != '.';
    size_t n = 0;
    while (good && next_part(&rest, &part, &items))
        good = part.len > 0 && ++n <= MOST_PARTS && str_find(part, STR("[")) == STR_NPOS;
    if (good && !str_eq_c(path, "id"))
        return ERR_OK;
    enum err err = err_set(why, ERR_INVALID, "\"%.*s\" is no path of a text",
                           (int)(path.len < 80 ? path.len : 80), path.ptr ? path.ptr : "");
    err_hint(why, "names parted by '.', \"[]\" for every item, \"*\" for every member, such as "
                  "messages[].content");
    return err;
}

static void take(struct walk *w, size_t start, size_t end)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 8, size = sizeof *w->items;
        w->items = arena_grow(w->record->arena, w->items, w->cap * size, cap * size);
        w->cap = cap;
    }
    struct str value =
        w->items ? scan_decode(str_slice(w->raw, start, end), w->record->arena) : STR_NONE;
    if (!value.ptr)
        w->err = ERR_NO_MEMORY;
    else
        w->items[w->n++] = (struct record_text){w->member, start, end, value, false};
}

static void follow(struct walk *w, size_t start, size_t end, struct str rest, bool items, int left)
{
    struct str part, key;
    size_t next = 0, from, to;
    if (w->err || left == 0)
        return;
    char c = w->raw.ptr[start];
    if (items) {
        while (c == '[' && scan_each(w->raw, start, &next, &key, &from, &to))
            follow(w, from, to, rest, false, left - 1);
        return;
    }
    if (!next_part(&rest, &part, &items)) {
        if (c == '"')
            take(w, start, end);
        return;
    }
    if (c != '{')
        return;
    bool every = str_eq_c(part, "*");
    while (!w->err && scan_each(w->raw, start, &next, &key, &from, &to)) {
        if (!every) {
            struct str name = scan_decode(key, w->record->arena);
            if (!name.ptr)
                w->err = ERR_NO_MEMORY;
            if (!name.ptr || !str_eq(name, part))
                continue;
        }
        follow(w, from, to, rest, items, left - 1);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct record_text *x = a, *y = b;
    if (x->member != y->member)
        return x->member < y->member ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Several paths: in the order of the record, each text once. */
static void put_in_order(struct walk *w)
{
    size_t n = 0;
    if (w->n)
        qsort(w->items, w->n, sizeof *w->items, by_place);
    for (size_t i = 0; i < w->n; i++)
        if (!n || by_place(&w->items[n - 1], &w->items[i]) != 0)
            w->items[n++] = w->items[i];
    w->n = n;
}

enum err record_texts(const struct record *record, const struct str *paths, size_t n_paths,
                      struct record_text **out, size_t *n, struct why *why)
{
    struct walk w = {.record = record};
    for (size_t i = 0; i < n_paths && !w.err; i++) {
        struct str rest = paths[i], part;
        bool items = false;
        if (!next_part(&rest, &part, &items))
            continue;
        for (w.member = 0; w.member < record->n && !w.err; w.member++) {
            const struct record_member *m = &record->members[w.member];
            if (!m->raw.ptr || str_eq_c(m->key, "id") ||
                (!str_eq_c(part, "*") && !str_eq(m->key, part)))
                continue;
            w.raw = m->raw;
            follow(&w, 0, m->raw.len, rest, items, MOST_PARTS + 2);
        }
    }
    if (w.err)
        return err_set(why, w.err, "could not hold the texts of a record");
    if (n_paths > 1)
        put_in_order(&w);
    *out = w.items;
    *n = w.n;
    return ERR_OK;
}

static enum err put_member(struct record *record, size_t member, const struct record_text *texts,
                           size_t n, struct why *why)
{
    struct buf buf;
    struct str raw = record->members[member].raw;
    size_t at = 0;
    buf_init(&buf, record->arena);
    (void)buf_room(&buf, raw.len + raw.len / 8 + 64);
    for (size_t i = 0; i < n; i++) {
        if (!texts[i].changed)
            continue;
        buf_add(&buf, str_slice(raw, at, texts[i].start));
        scan_quote(&buf, texts[i].value);
        at = texts[i].end;
    }
    buf_add(&buf, str_from(raw, at));
    record->members[member].raw = buf_str(&buf);
    record->changed = true;
    return buf_err(&buf, why);
}

enum err record_put_texts(struct record *record, const struct record_text *texts, size_t n,
                          struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0, end; i < n && !err; i = end) {
        bool any = false;
        for (end = i; end < n && texts[end].member == texts[i].member; end++)
            any |= texts[end].changed;
        if (any)
            err = put_member(record, texts[i].member, &texts[i], end - i, why);
    }
    return err;
}
