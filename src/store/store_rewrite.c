#include "store/store_rewrite.h"

#include <string.h>

/* The end of a quoted text or identifier that begins at s[0]; a doubled quote is two of them. */
static size_t quoted(const char *s)
{
    const char *end = strchr(s + 1, s[0]);
    return end ? (size_t)(end - s) + 1 : strlen(s);
}

static size_t to_behind(const char *s, size_t skip, const char *mark)
{
    const char *end = strstr(s + skip, mark);
    return end ? (size_t)(end - s) + strlen(mark) : strlen(s);
}

/* "$$ ... $$" or "$tag$ ... $tag$"; 0 when s begins none. */
static size_t dollar_quoted(const char *s)
{
    char tag[32];
    size_t len = 1;
    while (s[len] == '_' || (s[len] >= 'a' && s[len] <= 'z'))
        len++;
    if (s[len] != '$' || len + 2 > sizeof tag)
        return 0;
    memcpy(tag, s, len + 1);
    tag[len + 1] = '\0';
    return to_behind(s, len + 1, tag);
}

/* Bytes at s that are not SQL to look at: quotes and comments. 0 when there are none. */
static size_t opaque(const char *s)
{
    if (s[0] == '\'' || s[0] == '"')
        return quoted(s);
    if (s[0] == '-' && s[1] == '-')
        return to_behind(s, 2, "\n");
    if (s[0] == '/' && s[1] == '*')
        return to_behind(s, 2, "*/");
    return s[0] == '$' ? dollar_quoted(s) : 0;
}

void store_rewrite_params(const char *sql, struct buf *out, size_t *n_params)
{
    size_t n = 0;
    for (size_t len; *sql; sql += len) {
        len = opaque(sql);
        if (len == 0 && *sql == '?') {
            buf_printf(out, "$%zu", ++n);
            len = 1;
            continue;
        }
        if (len == 0)
            len = 1;
        buf_add(out, (struct str){sql, len});
    }
    *n_params = n;
}

static bool in_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (unsigned char)c >= 0x80;
}

static const char *type_for(struct str word)
{
    static const char *const types[][2] = {{"INTEGER", "BIGINT"},
                                           {"BLOB", "BYTEA"},
                                           {"REAL", "DOUBLE PRECISION"},
                                           {"TEXT", "TEXT COLLATE \"C\""}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_eq_c(word, types[i][0]))
            return types[i][1];
    return NULL;
}

/* Where in a statement we are: its first two words tell whether it declares columns. */
struct place {
    size_t n_words;
    bool creates;  /* the first word is CREATE or ALTER */
    bool declares; /* and the second one TABLE */
    bool after_as; /* the word before is AS: a type there is a cast */
};

static void see_word(struct place *place, struct str word)
{
    if (place->n_words == 0)
        place->creates = str_eq_c(word, "CREATE") || str_eq_c(word, "ALTER");
    else if (place->n_words == 1)
        place->declares = place->creates && str_eq_c(word, "TABLE");
    place->n_words++;
    place->after_as = str_eq_c(word, "AS");
}

void store_rewrite_types(const char *sql, struct buf *out)
{
    struct place place = {0};
    for (size_t len; *sql; sql += len) {
        len = opaque(sql);
        if (len == 0 && !in_word(*sql)) {
            if (*sql == ';')
                place = (struct place){0};
            len = 1;
        } else if (len == 0) {
            while (in_word(sql[len]))
                len++;
            struct str word = {sql, len};
            const char *type = place.declares && !place.after_as ? type_for(word) : NULL;
            see_word(&place, word);
            if (type) {
                buf_add_c(out, type);
                continue;
            }
        }
        buf_add(out, (struct str){sql, len});
    }
}
