#include "acquire/robots.h"

#include <string.h>

#include "core/arena.h"

static bool same_word(struct str s, const char *word)
{
    size_t n = strlen(word);
    if (s.len != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = s.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != word[i])
            return false;
    }
    return true;
}

/* "Name: value # comment" */
static bool split(struct str line, struct str *name, struct str *value)
{
    size_t hash = str_find_char(line, '#');
    if (hash != STR_NPOS)
        line.len = hash;
    size_t colon = str_find_char(line, ':');
    if (colon == STR_NPOS)
        return false;
    *name = str_trim(str_slice(line, 0, colon));
    *value = str_trim(str_from(line, colon + 1));
    return true;
}

/* The product token: "YichengBot/1.0" is "yichengbot". */
static struct str token_of(struct str value)
{
    size_t n = 0;
    while (n < value.len && ((value.ptr[n] | 0x20) >= 'a' && (value.ptr[n] | 0x20) <= 'z'))
        n++;
    return n ? str_slice(value, 0, n) : value;
}

static int64_t delay_of(struct str value)
{
    double seconds = 0;
    if (!str_to_f64(value, &seconds) || !(seconds >= 0))
        return -1;
    return seconds * 1000 > ROBOTS_MOST_DELAY_MS ? ROBOTS_MOST_DELAY_MS : (int64_t)(seconds * 1000);
}

struct reading {
    struct robots *out;
    const char *agent;
    bool ours;     /* groups of our name count, not those of '*' */
    bool in_group; /* the group in hand counts */
    bool in_head;  /* still among the User-agent lines of a group */
};

static void rule(struct reading *r, struct str name, struct str value)
{
    bool allow = same_word(name, "allow");
    r->in_head = false;
    if (!r->in_group)
        return;
    if (allow || same_word(name, "disallow")) {
        if (value.len && r->out->n_rules < ROBOTS_MOST_RULES)
            r->out->rules[r->out->n_rules++] = (struct robots_rule){value, allow};
    } else if (same_word(name, "crawl-delay")) {
        r->out->delay_ms = delay_of(value);
    }
}

static void read_groups(struct str text, struct reading *r)
{
    struct str line, name, value;
    while (str_next_line(&text, &line)) {
        if (!split(line, &name, &value))
            continue;
        if (same_word(name, "sitemap")) {
            continue; /* belongs to no group */
        } else if (same_word(name, "user-agent")) {
            bool fits = r->ours ? same_word(token_of(value), r->agent) : str_eq_c(value, "*");
            r->in_group = fits || (r->in_head && r->in_group);
            r->in_head = true;
        } else {
            rule(r, name, value);
        }
    }
}

static bool names_us(struct str text, const char *agent)
{
    struct str line, name, value;
    while (str_next_line(&text, &line))
        if (split(line, &name, &value) && same_word(name, "user-agent") &&
            same_word(token_of(value), agent))
            return true;
    return false;
}

enum err robots_parse(struct str text, const char *agent, struct arena *arena, struct robots *out,
                      struct why *why)
{
    struct str line, name, value, rest;
    struct robots robots = {.delay_ms = -1};
    text = str_slice(text, 0, ROBOTS_MOST_BYTES);
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_from(text, 3);
    robots.rules = arena_array(arena, struct robots_rule, ROBOTS_MOST_RULES);
    robots.sitemaps = arena_array(arena, struct str, ROBOTS_MOST_SITEMAPS);
    if (!robots.rules || !robots.sitemaps)
        return err_set(why, ERR_NO_MEMORY, "could not read robots.txt");
    struct reading r = {.out = &robots, .agent = agent, .ours = names_us(text, agent)};
    read_groups(text, &r);
    rest = text;
    while (str_next_line(&rest, &line))
        if (split(line, &name, &value) && same_word(name, "sitemap") && value.len &&
            robots.n_sitemaps < ROBOTS_MOST_SITEMAPS)
            robots.sitemaps[robots.n_sitemaps++] = value;
    *out = robots;
    return ERR_OK;
}

/*
 * '*' fits any bytes, '$' at the end the end. Greedy with one place to go back to, so that a rule
 * of many stars costs its length times the path's, not more.
 */
static bool fits(struct str rule, struct str path)
{
    bool whole = rule.len && rule.ptr[rule.len - 1] == '$';
    size_t r = 0, p = 0, star = STR_NPOS, from = 0;
    if (whole)
        rule.len--;
    for (;;) {
        if (r == rule.len && (!whole || p == path.len))
            return true;
        if (r < rule.len && rule.ptr[r] == '*') {
            star = ++r;
            from = p;
        } else if (r < rule.len && p < path.len && rule.ptr[r] == path.ptr[p]) {
            r++;
            p++;
        } else if (star != STR_NPOS && from < path.len) {
            r = star;
            p = ++from;
        } else {
            return false;
        }
    }
}

bool robots_allows(const struct robots *robots, struct str path)
{
    size_t best = 0;
    bool allowed = true;
    for (size_t i = 0; i < robots->n_rules; i++) {
        const struct robots_rule *rule = &robots->rules[i];
        if (rule->path.len < best || !fits(rule->path, path))
            continue;
        allowed = rule->path.len > best ? rule->allow : allowed || rule->allow;
        best = rule->path.len;
    }
    return allowed;
}
