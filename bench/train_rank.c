/*
 * train_rank: makes src/knowledge/rank_model.bin from a base and questions with known answers.
 *
 *     train_rank DATA KB QUESTIONS SPLITS OUT NOTE     learns from the questions of SPLITS
 *     train_rank DATA KB QUESTIONS SPLITS -            prints, a line each, what the best hit of
 *                                                      every question looks like (KB "": all)
 *
 * QUESTIONS is what `yicheng eval retrieval` takes (make_questions.mjs writes it), with "keywords"
 * and "reply" where lawyers wrote some; SPLITS is "train", "train,dev" or "" for all. The base is
 * imported before with `yicheng kb import`.
 */
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "knowledge/catalog.h"
#include "knowledge/rank_train.h"
#include "knowledge/tokens.h"
#include "objects/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 20000

struct asked {
    struct rank_train_question items[MOST];
    size_t n;
};

struct kb {
    struct store *store;
    struct objects *objects;
    struct knowledge *knowledge;
    struct ops_identity system;
    struct why why;
};

/* Opens the knowledge of a data directory that a command has made. */
static enum err kb_open(struct kb *kb, const char *dir, struct arena *arena)
{
    const struct conf_table tables[] = {knowledge_conf};
    struct store_opts store = {
        .url = file_join(arena, dir, "yicheng.db"), .busy_timeout_ms = 20000, .n_connections = 2};
    struct knowledge_opts opts = {.data_dir = dir};
    kb->system = ops_system();
    enum err err = conf_load(tables, 1, NULL, NULL, 0, arena, &opts.conf, &kb->why);
    if (!err)
        err = store_open(&store, &kb->store, &kb->why);
    if (!err)
        err = objects_open(file_join(arena, dir, "objects"), &kb->objects, &kb->why);
    opts.store = kb->store;
    opts.objects = kb->objects;
    return err ? err : knowledge_open(&opts, &kb->knowledge, &kb->why);
}

static int fail(enum err err, const struct why *why)
{
    (void)fprintf(stderr, "train_rank: %s\n", why_text(why, err));
    return 1;
}

static bool in_splits(const char *splits, struct str split)
{
    struct str rest = str_c(splits), one;
    if (!rest.len)
        return true;
    while (str_next(&rest, ',', &one))
        if (str_eq(one, split))
            return true;
    return false;
}

/* The passages in force with that title and article, counted over all segments. */
static size_t find_gold(const struct catalog *catalog, const struct retrieve *view, uint64_t title,
                        uint32_t article, uint32_t *out, size_t most)
{
    size_t n = 0;
    uint32_t first = 0;
    for (size_t s = 0; s < retrieve_n_segments(view); s++) {
        const struct index *index = retrieve_segment(view, s);
        for (uint32_t i = 0; i < index_n_passages(index); i++) {
            struct index_facts facts;
            index_facts(index, i, &facts);
            if (facts.article != article)
                continue;
            const struct catalog_version *v =
                catalog_version(catalog, index_version_id(index, facts.version));
            if (v && v->segment == s && n < most &&
                catalog_status(v, day_today()) == KNOWLEDGE_IN_FORCE &&
                tokens_title_hash(v->meta.title) == title)
                out[n++] = first + i;
        }
        first += index_n_passages(index);
    }
    return n;
}

static enum err read_questions(struct str text, const char *splits, const struct catalog *catalog,
                               const struct retrieve *view, struct arena *arena, struct asked *out,
                               struct why *why)
{
    struct str line;
    while (str_next_line(&text, &line)) {
        const struct json *json;
        enum err err = line.len ? json_parse(line, arena, &json, why) : ERR_OK;
        if (err)
            return err;
        if (!line.len || !in_splits(splits, json_get_str(json, "split", STR(""))) || out->n == MOST)
            continue;
        uint32_t gold[64];
        size_t n = 0, len;
        const struct json *all = json_get(json, "gold");
        for (size_t i = 0; view && i < json_len(all); i++) {
            struct str article = json_get_str(json_at(all, i), "article", STR(""));
            n += find_gold(catalog, view,
                           tokens_title_hash(json_get_str(json_at(all, i), "title", STR(""))),
                           tokens_article(article, &len), gold + n, 64 - n);
        }
        uint32_t *own = arena_array(arena, uint32_t, n + 1);
        if (!own)
            return err_set(why, ERR_NO_MEMORY, "could not hold the questions");
        memcpy(own, gold, n * sizeof *gold);
        out->items[out->n++] =
            (struct rank_train_question){.text = json_get_str(json, "question", STR("")),
                                         .gold = own,
                                         .n_gold = n,
                                         .keywords = json_get_str(json, "keywords", STR("")),
                                         .reply = json_get_str(json, "reply", STR(""))};
    }
    return ERR_OK;
}

static void say(const char *words)
{
    (void)fprintf(stderr, "%s\n", words);
}

static enum err train(const struct catalog *catalog, const struct asked *asked,
                      const struct ops_identity *who, const char *path, const char *note,
                      struct arena *arena, struct why *why)
{
    struct rank_train_opts opts = rank_train_defaults();
    struct str bytes;
    opts.progress = say;
    enum err err = rank_train(&catalog, 1, who, asked->items, asked->n, &opts, str_c(note), arena,
                              &bytes, why);
    return err ? err : file_write(path, bytes, 0644, why);
}

static enum err show(struct kb *kb, const char *base, const struct asked *asked,
                     struct arena *arena, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < asked->n; i++) {
        struct knowledge_query query = {.kb = base,
                                        .text = asked->items[i].text,
                                        .as_of = DAY_NONE,
                                        .limit = 1,
                                        .explain = true};
        struct knowledge_hit *hits;
        size_t n;
        struct buf buf;
        struct json_out json;
        arena_reset(arena);
        err = knowledge_search(kb->knowledge, &kb->system, &query, arena, &hits, &n, why);
        if (err)
            break;
        buf_init(&buf, arena);
        json_out_init(&json, &buf);
        json_begin_object(&json);
        json_kv_str(&json, "question", query.text);
        json_key(&json, "hit");
        if (n)
            knowledge_hit_json(&hits[0], &json);
        else
            json_put_null(&json);
        json_end_object(&json);
        (void)printf("%.*s\n", STR_FMT(buf_str(&buf)));
    }
    return err;
}

int main(int argc, char **argv)
{
    static struct asked asked;
    static struct kb kb;
    struct arena *arena = arena_new((size_t)2 << 30), *work = arena_new((size_t)256 << 20);
    const struct catalog *catalog = NULL;
    struct retrieve *view = NULL;
    struct str text;
    if (argc < 6 || !arena || !work) {
        (void)fprintf(stderr, "train_rank DATA KB QUESTIONS SPLITS OUT|- [NOTE]\n");
        return 2;
    }
    bool only_show = strcmp(argv[5], "-") == 0;
    enum err err = kb_open(&kb, argv[1], arena);
    if (!err && !only_show)
        err = catalog_of(kb.knowledge, &kb.system, str_c(argv[2]), &catalog, &kb.why);
    if (!err && !only_show)
        err = retrieve_new(&catalog, 1, NULL, &view, &kb.why);
    if (!err)
        err = file_read(argv[3], (size_t)1 << 28, arena, &text, &kb.why);
    if (!err)
        err = read_questions(text, argv[4], catalog, view, arena, &asked, &kb.why);
    if (!err)
        err = only_show ? show(&kb, argv[2], &asked, work, &kb.why)
                        : train(catalog, &asked, &kb.system, argv[5], argc > 6 ? argv[6] : "",
                                arena, &kb.why);
    retrieve_free(view);
    catalog_release(catalog);
    knowledge_close(kb.knowledge);
    objects_close(kb.objects);
    store_close(kb.store);
    arena_free(work);
    arena_free(arena);
    return err ? fail(err, &kb.why) : 0;
}
