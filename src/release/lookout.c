#include "release/lookout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "privacy/privacy.h"
#include "release/room.h"

#define ROOM       ((size_t)256 << 20)
#define MOST_WORDS ((size_t)16 << 20) /* bytes */

static const char *const own_words[] = {
#define RELEASE_WORD(word) word,
#include "release/words.def"
#undef RELEASE_WORD
};

struct lookout {
    struct arena *arena;
    struct str *words; /* n_words */
    size_t n_words;
    struct str list; /* what it is called */
    char sha256[HASH_TEXT];
    struct data_gauge *flagged, *toxic; /* toxic: NULL when there is none */
    const char *classifier;
    struct privacy_scanner *scanner;
};

static enum err take_words(struct lookout *l, struct str text, struct why *why)
{
    struct str rest = text, line;
    uint8_t digest[HASH_BYTES];
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    l->words = arena_array(l->arena, struct str, n);
    if (!l->words)
        return err_set(why, ERR_NO_MEMORY, "could not hold the word list");
    while (str_next_line(&rest, &line))
        if (str_trim_space(line).len)
            l->words[l->n_words++] = str_trim_space(line);
    hash_of(HASH_SHA256, text, digest);
    (void)hex_put(digest, sizeof digest, l->sha256);
    return l->n_words ? ERR_OK : err_set(why, ERR_UNAVAILABLE, "the word list is empty");
}

static enum err own_list(struct lookout *l, struct why *why)
{
    struct buf buf;
    buf_init(&buf, l->arena);
    for (size_t i = 0; i < sizeof own_words / sizeof own_words[0]; i++) {
        buf_add_c(&buf, own_words[i]);
        buf_char(&buf, '\n');
    }
    l->list = STR("");
    enum err err = buf_err(&buf, why);
    return err ? err : take_words(l, buf_str(&buf), why);
}

static enum err read_words(struct lookout *l, struct release *r, struct why *why)
{
    const char *name = conf_str(r->opts.conf, "release.words");
    const char *dir = conf_str(r->opts.conf, "data.models");
    struct str text;
    if (!name[0])
        return own_list(l, why);
    char *path =
        str_z(l->arena, dir[0] ? str_printf(l->arena, "%s/%s", dir, name)
                               : str_printf(l->arena, "%s/models/%s", r->opts.data_dir, name));
    if (!path || strstr(name, "..") || name[0] == '/')
        return err_set(why, ERR_INVALID, "release.words is a file of the folder data.models");
    l->list = str_c(name);
    struct why own = {0};
    enum err err = file_read(path, MOST_WORDS, l->arena, &text, &own);
    if (err)
        return err_set(why, ERR_UNAVAILABLE, "the word list of release.words: %s",
                       why_text(&own, err));
    return take_words(l, text, why);
}

static enum err open_flagged(struct lookout *l, struct release *r, struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, l->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_key(&json, "words");
    json_begin_array(&json);
    for (size_t i = 0; i < l->n_words; i++)
        json_put_str(&json, l->words[i]);
    json_end_array(&json);
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    return err ? err
               : data_gauge_open(r->opts.data, "flagged_words", buf_str(&buf), &l->flagged, why);
}

/* The classifier is an operator of data; a centre without its model goes without. */
static enum err open_toxic(struct lookout *l, struct release *r, struct why *why)
{
    struct why own = {0};
    enum err err = data_gauge_open(r->opts.data, "toxicity", STR(""), &l->toxic, &own);
    if (err && err != ERR_NOT_FOUND && err != ERR_UNAVAILABLE)
        return err_set(why, err, "%s", why_text(&own, err));
    l->classifier = err ? NULL : "toxicity";
    return ERR_OK;
}

enum err lookout_open(struct release *r, struct lookout **out, struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct lookout *l = arena ? arena_one(arena, struct lookout) : NULL;
    if (!l) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "could not prepare the automatic sample");
    }
    *l = (struct lookout){.arena = arena};
    enum err err = read_words(l, r, why);
    if (!err)
        err = open_flagged(l, r, why);
    if (!err)
        err = open_toxic(l, r, why);
    if (!err)
        err = privacy_scanner_new(NULL, &l->scanner, why);
    if (err)
        lookout_close(l);
    else
        *out = l;
    return err;
}

void lookout_close(struct lookout *l)
{
    if (!l)
        return;
    data_gauge_close(l->flagged);
    data_gauge_close(l->toxic);
    privacy_scanner_free(l->scanner);
    arena_free(l->arena);
}

enum err lookout_see(const struct lookout *l, struct str text, bool personal, struct arena *arena,
                     struct sighting *out, struct why *why)
{
    double x = 0;
    *out = (struct sighting){.toxic = -1};
    enum err err = data_gauge_read(l->flagged, text, arena, &x, why);
    if (err)
        return err;
    out->words = !isnan(x) && x > 0;
    if (l->toxic) {
        err = data_gauge_read(l->toxic, text, arena, &x, why);
        out->toxic = isnan(x) ? 0 : x;
    }
    out->hit = out->words || out->toxic >= LOOKOUT_TOXIC;
    if (!err && personal) {
        struct privacy_findings found;
        err = privacy_scan(l->scanner, text, STR(""), arena, &found, why);
        out->personal = err ? 0 : found.n;
        for (size_t i = 0; i < out->personal; i++)
            out->kinds |= PRIVACY_BIT(found.items[i].kind);
    }
    return err;
}

bool lookout_has_classifier(const struct lookout *l)
{
    return l->toxic != NULL;
}

struct str lookout_word(const struct lookout *l, struct str text)
{
    for (size_t i = 0; i < l->n_words; i++)
        if (str_find(text, l->words[i]) != STR_NPOS)
            return l->words[i];
    return STR("");
}

void lookout_put(const struct lookout *l, struct json_out *out)
{
    json_key(out, "words");
    json_begin_object(out);
    json_kv_str(out, "list", l->list);
    json_kv_int(out, "n", (int64_t)l->n_words);
    json_kv_c(out, "sha256", l->sha256);
    json_end_object(out);
    json_kv_c(out, "classifier", l->classifier);
}
