/* The names of kinds and modes. */
#include "privacy/privacy.h"

static const struct {
    const char *name, *zh, *en;
} kinds[] = {
#define KIND(id, text, zh, en) {text, zh, en},
    PRIVACY_KIND_MAP(KIND)
#undef KIND
};

const char *privacy_kind_name(enum privacy_kind kind)
{
    return kind < PRIVACY_KINDS ? kinds[kind].name : "";
}

const char *privacy_kind_title(enum privacy_kind kind, bool english)
{
    if (kind >= PRIVACY_KINDS)
        return "";
    return english ? kinds[kind].en : kinds[kind].zh;
}

enum privacy_kind privacy_kind_find(struct str name)
{
    size_t i = 0;
    while (i < PRIVACY_KINDS && !str_eq_c(name, kinds[i].name))
        i++;
    return (enum privacy_kind)i;
}

enum err privacy_kinds_parse(struct str names, unsigned *out, struct why *why)
{
    unsigned set = 0;
    while (names.len) {
        size_t end = 0;
        while (end < names.len && names.ptr[end] != ',' && names.ptr[end] != '|' &&
               names.ptr[end] != ' ')
            end++;
        struct str name = str_slice(names, 0, end);
        enum privacy_kind kind = privacy_kind_find(name);
        names = str_from(names, end + 1);
        if (str_eq_c(name, "all"))
            set |= PRIVACY_ALL;
        else if (str_eq_c(name, "numbers"))
            set |= PRIVACY_NUMBERS;
        else if (kind < PRIVACY_KINDS)
            set |= PRIVACY_BIT(kind);
        else if (name.len)
            return err_set(why, ERR_INVALID, "there is no kind of personal data called \"%.*s\"",
                           (int)(name.len < 64 ? name.len : 64), name.ptr);
    }
    if (!set)
        return err_set(why, ERR_INVALID, "no kind of personal data is named");
    *out = set;
    return ERR_OK;
}

static const char *const modes[] = {
#define MODE(id, text) text,
    PRIVACY_MODE_MAP(MODE)
#undef MODE
};

const char *privacy_mode_name(enum privacy_mode mode)
{
    return mode < PRIVACY_MODES ? modes[mode] : "";
}

enum privacy_mode privacy_mode_find(struct str name)
{
    size_t i = 0;
    while (i < PRIVACY_MODES && !str_eq_c(name, modes[i]))
        i++;
    return (enum privacy_mode)i;
}
