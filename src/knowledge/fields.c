/* knowledge/fields - the fields of a service guide under one set of names. */
#include "knowledge/fields.h"
#include "knowledge/knowledge.h"

#include "core/hash.h"
#include "knowledge/numeral.h"

#include <pthread.h>
#include <string.h>

static const struct field_kind kinds[] = {
#define FIELD(name, label, telling) {#name, label, telling},
#define NAME(text)
#include "knowledge/fields.def"
#undef FIELD
#undef NAME
};

/* The names in the order of the file; a FIELD line stands as an empty name before its names. */
static const char *const names[] = {
#define FIELD(name, label, telling) "",
#define NAME(text)                  text,
#include "knowledge/fields.def"
#undef FIELD
#undef NAME
};

#define N_NAMES (sizeof names / sizeof names[0])
#define PLACES  1024 /* a power of two, over twice N_NAMES: short probes */
_Static_assert(N_NAMES * 2 < PLACES, "the table of names needs more places");

struct place {
    char name[48]; /* folded */
    size_t len;
    const struct field_kind *kind;
};
static struct place places[PLACES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Lower case without spaces, '_', '-', '*', brackets at the end and a colon; 0 when it is too
 * long to be a name. */
static size_t fold(struct str name, char out[48])
{
    static const struct str colon = STR_INIT("："), open = STR_INIT("（"), wide = STR_INIT("　");
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        struct str rest = str_from(name, i);
        char c = name.ptr[i];
        if (str_starts(rest, open) || c == '(')
            break;
        if (str_starts(rest, colon) || str_starts(rest, wide)) {
            i += 2;
            continue;
        }
        if (c == ' ' || c == '_' || c == '-' || c == '*' || c == ':' || c == '\t')
            continue;
        if (n + 1 >= 48)
            return 0;
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[n] = '\0';
    return n;
}

static struct place *place_of(const char *folded, size_t len)
{
    size_t at = (size_t)hash64(folded, len, 0) & (PLACES - 1);
    while (places[at].kind && (places[at].len != len || memcmp(places[at].name, folded, len) != 0))
        at = (at + 1) & (PLACES - 1);
    return &places[at];
}

static void fill(void)
{
    size_t n_kinds = 0;
    for (size_t i = 0; i < N_NAMES; i++) {
        if (!names[i][0]) {
            n_kinds++;
            continue;
        }
        char folded[48];
        size_t len = fold(str_c(names[i]), folded);
        struct place *place = place_of(folded, len);
        if (place->kind)
            continue; /* the first line wins */
        memcpy(place->name, folded, len + 1);
        place->len = len;
        place->kind = &kinds[n_kinds - 1]; /* a FIELD line comes first */
    }
}

/* "20(工作日)", "5个工作日", "即时办结": a time that something takes, not hours of an office. */
static bool is_duration(struct str value)
{
    static const struct str units[] = {STR_INIT("工作日"), STR_INIT("自然日"), STR_INIT("个月"),
                                       STR_INIT("即办"),   STR_INIT("即时"),   STR_INIT("当场"),
                                       STR_INIT("天")};
    if (value.len > 60 || str_find(value, STR("周")) != STR_NPOS ||
        str_find(value, STR("星期")) != STR_NPOS || str_find_char(value, ':') != STR_NPOS ||
        str_find(value, STR("：")) != STR_NPOS || str_find(value, STR("午")) != STR_NPOS)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (str_find(value, units[i]) != STR_NPOS)
            return true;
    return false;
}

const struct field_kind *field_find(struct str name, struct str value)
{
    (void)pthread_once(&once, fill);
    char folded[48];
    size_t len = fold(name, folded);
    if (!len)
        return NULL;
    const struct field_kind *kind = place_of(folded, len)->kind;
    /* "handle_time" and 办理时间 are the office's hours in some records, the statutory term in
     * others. */
    if (kind && strcmp(kind->name, "when") == 0 && is_duration(value))
        return field_named("how_long_statutory");
    return kind;
}

const struct field_kind *field_named(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const struct field_kind *field_all(size_t *n)
{
    *n = sizeof kinds / sizeof kinds[0];
    return kinds;
}

bool field_is_empty(struct str value)
{
    static const char *const nothing[] = {
        "无", "null", "NULL", "None", "none", "-",  "--", "/",    "暂无", "空",       "[]",
        "{}", "nan",  "NaN",  "N/A",  "n/a",  "——", "—",  "无。", "没有", "undefined"};
    value = str_trim_space(value);
    if (!value.len)
        return true;
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        if (str_eq_c(value, nothing[i]))
            return true;
    return false;
}

struct str knowledge_field_label(struct str name)
{
    char own[40] = "";
    if (name.len && name.len < sizeof own)
        memcpy(own, name.ptr, name.len);
    const struct field_kind *kind = own[0] ? field_named(own) : NULL;
    kind = kind || !name.len ? kind : field_find(name, STR(""));
    return kind ? str_c(kind->label) : STR("");
}
