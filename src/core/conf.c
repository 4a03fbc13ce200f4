#include "core/conf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"

#define MOST_FILE (1u << 20)
#define MOST_NAME 64

struct entry {
    const struct conf_key *key;
    const char *text; /* as given */
    int64_t number;
};

struct conf {
    struct entry *entries;
    size_t n;
};

static struct entry *find(const struct conf *conf, struct str name)
{
    for (size_t i = 0; i < conf->n; i++)
        if (str_eq_c(name, conf->entries[i].key->name))
            return &conf->entries[i];
    return NULL;
}

static const char *nearest(const struct conf *conf, struct str name)
{
    const char *best = NULL;
    size_t least = STR_NPOS;
    for (size_t i = 0; i < conf->n; i++) {
        size_t d = str_edits(name, str_c(conf->entries[i].key->name));
        if (d < least) {
            least = d;
            best = conf->entries[i].key->name;
        }
    }
    return best;
}

/* A number with one of the suffixes; `units` is pairs of suffix and factor, the empty one last. */
struct unit {
    const char *suffix;
    int64_t factor;
};
static const struct unit bytes_units[] = {{"k", 1024},    {"K", 1024},      {"M", 1 << 20},
                                          {"m", 1 << 20}, {"G", 1LL << 30}, {"g", 1LL << 30},
                                          {"", 1},        {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                         {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static bool with_unit(struct str text, const struct unit *units, int64_t *out)
{
    for (; units->suffix; units++) {
        struct str suffix = str_c(units->suffix);
        int64_t n;
        if (!str_ends(text, suffix) || !str_to_i64(str_slice(text, 0, text.len - suffix.len), &n))
            continue;
        return !__builtin_mul_overflow(n, units->factor, out);
    }
    return false;
}

static bool to_bool(struct str text, int64_t *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_eq_c(text, words[i])) {
            *out = (int64_t)(i & 1);
            return true;
        }
    }
    return false;
}

static bool is_choice(struct str text, const char *choices, int64_t *out)
{
    struct str rest = str_c(choices), part;
    for (*out = 0; str_next(&rest, '|', &part); ++*out)
        if (str_eq(part, text))
            return true;
    return false;
}

static enum err parse_value(const struct conf_key *key, struct str text, int64_t *out,
                            struct why *why)
{
    bool good = true;
    const char *form = "";
    *out = 0;
    switch (key->kind) {
    case CONF_INT:
        good = str_to_i64(text, out);
        form = "a whole number";
        break;
    case CONF_BYTES:
        good = with_unit(text, bytes_units, out);
        form = "a size such as 512, 64k, 10M or 2G";
        break;
    case CONF_DURATION:
        good = with_unit(text, time_units, out);
        form = "a time such as 250ms, 30s, 5m, 2h or 7d";
        break;
    case CONF_BOOL:
        good = to_bool(text, out);
        form = "true or false";
        break;
    case CONF_CHOICE:
        good = is_choice(text, key->choices, out);
        form = key->choices;
        break;
    case CONF_STR:
    case CONF_SECRET:
        return ERR_OK;
    }
    if (!good)
        return err_set(why, ERR_INVALID, "%s = \"%.*s\" is not valid: it must be %s", key->name,
                       STR_FMT(text), form);
    if ((key->least || key->most) && (*out < key->least || *out > key->most))
        return err_set(why, ERR_INVALID, "%s = \"%.*s\" is out of range: from %lld to %lld",
                       key->name, STR_FMT(text), (long long)key->least, (long long)key->most);
    return ERR_OK;
}

static enum err set_value(const struct conf *conf, struct str name, struct str text,
                          struct arena *arena, struct why *why)
{
    struct entry *entry = find(conf, name);
    int64_t number;
    if (!entry) {
        err_hint(why, "did you mean \"%s\"? `yicheng config` lists all keys", nearest(conf, name));
        return err_set(why, ERR_INVALID, "there is no configuration key \"%.*s\"", STR_FMT(name));
    }
    enum err err = parse_value(entry->key, text, &number, why);
    if (err)
        return err;
    if (entry->key->kind == CONF_SECRET && str_starts(text, STR("file:"))) {
        char *path = str_z(arena, str_from(text, 5));
        err = path ? file_read(path, 65536, arena, &text, why) : ERR_NO_MEMORY;
        if (err)
            return err;
        text = str_trim(text);
    }
    char *copy = str_z(arena, text);
    if (!copy)
        return err_set(why, ERR_NO_MEMORY, "could not hold the configuration");
    entry->text = copy;
    entry->number = number;
    return ERR_OK;
}

/* "key = value" with an optional comment behind a value that is not quoted. */
static enum err parse_line(struct str line, struct str *name, struct str *value, struct why *why)
{
    size_t eq = str_find_char(line, '=');
    if (eq == STR_NPOS)
        return err_set(why, ERR_INVALID, "\"%.*s\" is not of the form key = value", STR_FMT(line));
    *name = str_trim(str_slice(line, 0, eq));
    *value = str_trim(str_from(line, eq + 1));
    if (value->len >= 2 && value->ptr[0] == '"') {
        size_t end = str_find_char(str_from(*value, 1), '"');
        if (end == STR_NPOS)
            return err_set(why, ERR_INVALID, "the quoted value does not end");
        *value = str_slice(*value, 1, end + 1);
        return ERR_OK;
    }
    size_t hash = str_find(*value, STR(" #"));
    if (hash != STR_NPOS)
        *value = str_trim(str_slice(*value, 0, hash));
    return ERR_OK;
}

static enum err load_file(const struct conf *conf, const char *path, struct arena *arena,
                          struct why *why)
{
    struct str text, line;
    enum err err = file_read(path, MOST_FILE, arena, &text, why);
    for (int n = 1; !err && str_next_line(&text, &line); n++) {
        struct str name, value;
        line = str_trim_space(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        err = parse_line(line, &name, &value, why);
        if (!err)
            err = set_value(conf, name, value, arena, why);
        if (err)
            err_prefix(why, "%s line %d", path, n);
    }
    return err;
}

static enum err load_env(const struct conf *conf, struct arena *arena, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < conf->n && !err; i++) {
        char name[MOST_NAME + 16];
        (void)snprintf(name, sizeof name, "YICHENG_%s", conf->entries[i].key->name);
        for (char *p = name; *p; p++)
            *p = *p == '.' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        const char *value = getenv(name);
        if (value)
            err = set_value(conf, str_c(conf->entries[i].key->name), str_c(value), arena, why);
        if (err)
            err_prefix(why, "environment variable %s", name);
    }
    return err;
}

static enum err load_sets(const struct conf *conf, const char *const *sets, size_t n_sets,
                          struct arena *arena, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < n_sets && !err; i++) {
        struct str name, value;
        err = parse_line(str_c(sets[i]), &name, &value, why);
        if (!err)
            err = set_value(conf, name, value, arena, why);
    }
    return err;
}

enum err conf_load(const struct conf_table *tables, size_t n_tables, const char *path,
                   const char *const *sets, size_t n_sets, struct arena *arena,
                   const struct conf **out, struct why *why)
{
    size_t n = 0;
    for (size_t t = 0; t < n_tables; t++)
        n += tables[t].n;
    struct conf *conf = arena_one(arena, struct conf);
    struct entry *entries = arena_array(arena, struct entry, n);
    if (!conf || !entries)
        return err_set(why, ERR_NO_MEMORY, "could not hold the configuration");
    conf->entries = entries;
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t k = 0; k < tables[t].n; k++) {
            entries[conf->n] = (struct entry){&tables[t].keys[k], tables[t].keys[k].fallback, 0};
            enum err err = parse_value(entries[conf->n].key, str_c(entries[conf->n].text),
                                       &entries[conf->n].number, why);
            if (err)
                return err;
            conf->n++;
        }
    }
    enum err err = path ? load_file(conf, path, arena, why) : ERR_OK;
    if (!err)
        err = load_env(conf, arena, why);
    if (!err)
        err = load_sets(conf, sets, n_sets, arena, why);
    if (!err)
        *out = conf;
    return err;
}

static const struct entry *must_find(const struct conf *conf, const char *name)
{
    const struct entry *entry = find(conf, str_c(name));
    assert(entry && "a key that no table has");
    return entry;
}

const char *conf_str(const struct conf *conf, const char *name)
{
    return must_find(conf, name)->text;
}

int64_t conf_int(const struct conf *conf, const char *name)
{
    return must_find(conf, name)->number;
}

bool conf_bool(const struct conf *conf, const char *name)
{
    return must_find(conf, name)->number != 0;
}

enum err conf_write(const struct conf *conf, bool current, struct buf *out, struct why *why)
{
    for (size_t i = 0; i < conf->n; i++) {
        const struct entry *e = &conf->entries[i];
        bool hide = e->key->kind == CONF_SECRET && e->text[0];
        buf_printf(out, "# %s", e->key->summary);
        if (e->key->kind == CONF_CHOICE)
            buf_printf(out, " (%s)", e->key->choices);
        else if (e->key->least || e->key->most)
            buf_printf(out, " (from %lld to %lld%s)", (long long)e->key->least,
                       (long long)e->key->most, e->key->kind == CONF_DURATION ? " ms" : "");
        if (current)
            buf_printf(out, "\n%s = %s\n\n", e->key->name, hide ? "(hidden)" : e->text);
        else
            buf_printf(out, "\n# %s = %s\n\n", e->key->name, e->key->fallback);
    }
    return buf_err(out, why);
}
