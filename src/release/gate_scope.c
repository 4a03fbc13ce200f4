/* What a gate found by the five kinds of risk, and what it did not look for at all: the end of its
 * report, which goes out with the release. */
#include <string.h>

#include "core/arena.h"
#include "release/room.h"
#include "release/rules.h"

#define WORDS_WANTED 10000 /* TC260-003 8.1 */

static const struct beyond {
    const char *clause, *words, *words_en;
} beyonds[] = {
#define RELEASE_BEYOND(clause, words, words_en) {clause, words, words_en},
#include "release/beyond.def"
#undef RELEASE_BEYOND
};

/* The groups of the risks in their order; how many samples were named one of each. */
struct tally_of_group {
    const char *group;
    int64_t n;
};

static enum err count_groups(struct store_tx *tx, struct str gate, struct arena *arena,
                             struct tally_of_group *groups, size_t *n, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT verdict, COUNT(*) FROM release_samples WHERE gate = ? AND "
                               "verdict NOT IN ('', 'ok') GROUP BY verdict",
                               STORE_ARGS(SV_STR(gate)), arena, &rows, why);
    *n = 0;
    for (size_t i = 0; !err && i < rules_n_risks(); i++)
        if (*n == 0 || strcmp(groups[*n - 1].group, rules_risk(i)->group) != 0)
            groups[(*n)++] = (struct tally_of_group){rules_risk(i)->group, 0};
    for (size_t r = 0; !err && r < rows.n_rows; r++) {
        const struct risk *risk = rules_risk_find(store_str(&rows, r, 0));
        for (size_t g = 0; risk && g < *n; g++)
            if (strcmp(groups[g].group, risk->group) == 0)
                groups[g].n += store_int(&rows, r, 1);
    }
    return err;
}

static void put_beyond(const char *clause, const char *words, const char *words_en,
                       struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "clause", clause);
    json_kv_c(out, "words", words);
    json_kv_c(out, "words_en", words_en);
    json_end_object(out);
}

/* A list of words that is shorter than the standard wants is the first thing to know. */
static void put_short_list(const struct json *found, struct arena *arena, struct json_out *out)
{
    int64_t n = json_get_int(json_get(found, "words"), "n", 0);
    if (!found || n >= WORDS_WANTED)
        return;
    struct str zh = str_printf(arena,
                               "本次使用的关键词库只有 %lld 个词，标准要求不少于 %d 个；请在 "
                               "release.words 配置完整词库。",
                               (long long)n, WORDS_WANTED);
    struct str en =
        str_printf(arena,
                   "The list had %lld words where the standard wants %d: put a whole one "
                   "into release.words.",
                   (long long)n, WORDS_WANTED);
    if (zh.ptr && en.ptr)
        put_beyond("TC260-003 8.1", zh.ptr, en.ptr, out);
}

enum err gate_put_scope(struct store_tx *tx, struct str gate, const struct json *found,
                        struct arena *arena, struct json_out *out, struct why *why)
{
    struct tally_of_group *groups = arena_array(arena, struct tally_of_group, rules_n_risks() + 1);
    size_t n = 0;
    enum err err = groups ? count_groups(tx, gate, arena, groups, &n, why)
                          : err_set(why, ERR_NO_MEMORY, "could not count the risks");
    if (err)
        return err;
    json_key(out, "risk_groups");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(out);
        json_kv_c(out, "group", groups[i].group);
        json_kv_c(out, "title", rules_group_title(str_c(groups[i].group), false));
        json_kv_c(out, "title_en", rules_group_title(str_c(groups[i].group), true));
        json_kv_int(out, "n", groups[i].n);
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "not_checked");
    json_begin_array(out);
    put_short_list(found, arena, out);
    for (size_t i = 0; i < sizeof beyonds / sizeof beyonds[0]; i++)
        put_beyond(beyonds[i].clause, beyonds[i].words, beyonds[i].words_en, out);
    json_end_array(out);
    return ERR_OK;
}
