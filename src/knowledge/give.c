/* knowledge/give - texts and feedback of a base for room acquire. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "knowledge/catalog.h"
#include "knowledge/room.h"

#define TEXT_MEM  ((size_t)96 << 20)
#define SAID_MEM  ((size_t)64 << 20)
#define SAID_ROWS 500

static enum err give_one(struct knowledge *k, const struct catalog *catalog,
                         const struct catalog_version *v, knowledge_given_fn *each, void *ctx,
                         struct why *why)
{
    struct arena *arena = arena_new(TEXT_MEM);
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    struct knowledge_given given = {.document_id = str_c(catalog->documents[v->document].id),
                                    .version_id = str_c(v->id),
                                    .name = v->name,
                                    .format = v->format,
                                    .meta = v->meta,
                                    .status = catalog_status(v, day_today())};
    enum err err = arena ? catalog_text(k, v, 0, v->text_len, arena, &given.text, why)
                         : err_set(why, ERR_NO_MEMORY, "could not hold a text");
    if (!err) {
        hash_of(HASH_SHA256, given.text, digest);
        given.text_sha256 = str_c(hex_put(digest, sizeof digest, hex));
        err = each(ctx, &given, why);
    }
    arena_free(arena);
    return err;
}

static int by_id(const void *a, const void *b)
{
    const struct catalog_version *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

enum err knowledge_texts_each(struct knowledge *k, const struct ops_identity *who, struct str kb,
                              knowledge_given_fn *each, void *ctx, struct why *why)
{
    const struct catalog *catalog = NULL;
    struct arena *arena = arena_new((size_t)64 << 20);
    const struct catalog_version **list = NULL;
    size_t n = 0;
    enum err err = arena ? ops_need(who, "knowledge.read", why)
                         : err_set(why, ERR_NO_MEMORY, "could not read the base");
    if (!err)
        err = catalog_of(k, who, kb, &catalog, why);
    if (!err) {
        list = arena_array(arena, const struct catalog_version *, catalog->n_documents + 1);
        if (!list)
            err = err_set(why, ERR_NO_MEMORY, "could not read the base");
    }
    for (uint32_t i = 0; !err && i < catalog->n_documents; i++) {
        const struct catalog_version *v =
            catalog_shown(catalog, &catalog->documents[i], day_today());
        if (v && catalog_may_read(v, who))
            list[n++] = v;
    }
    if (n)
        qsort(list, n, sizeof(void *), by_id);
    for (size_t i = 0; !err && i < n; i++)
        err = give_one(k, catalog, list[i], each, ctx, why);
    catalog_release(catalog);
    arena_free(arena);
    return err;
}

static enum err said_page(struct knowledge *k, const struct ops_identity *who, struct str kb,
                          char after[UUID_TEXT], size_t *n, knowledge_said_fn *each, void *ctx,
                          struct why *why)
{
    struct arena *arena = arena_new(SAID_MEM);
    struct store_rows rows;
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the feedback");
    *n = 0;
    if (!err)
        err = store_ask(
            k->opts.store,
            "SELECT id, kb, question, answer_text, verdict, comment, correction, created_ms FROM "
            "kb_feedback WHERE tenant = ? AND consent = 1 AND id > ? AND (? = 0 OR kb = ?) ORDER "
            "BY "
            "id LIMIT ?",
            STORE_ARGS(SV_STR(who->tenant), SV_C(after), SV_INT(kb.len > 0), SV_STR(kb),
                       SV_INT(SAID_ROWS)),
            arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct knowledge_said said = {.id = store_str(&rows, i, 0),
                                      .kb = store_str(&rows, i, 1),
                                      .question = store_str(&rows, i, 2),
                                      .answer = store_str(&rows, i, 3),
                                      .verdict = store_str(&rows, i, 4),
                                      .comment = store_str(&rows, i, 5),
                                      .correction = store_str(&rows, i, 6),
                                      .at_ms = store_int(&rows, i, 7)};
        err = each(ctx, &said, why);
        (void)snprintf(after, UUID_TEXT, "%.*s", STR_FMT(said.id));
        ++*n;
    }
    arena_free(arena);
    return err;
}

enum err knowledge_said_each(struct knowledge *k, const struct ops_identity *who, struct str kb,
                             struct str after, knowledge_said_fn *each, void *ctx, struct why *why)
{
    char at[UUID_TEXT];
    size_t n = SAID_ROWS;
    enum err err = ops_need(who, "knowledge.review", why);
    (void)snprintf(at, sizeof at, "%.*s", STR_FMT(after));
    while (!err && n == SAID_ROWS)
        err = said_page(k, who, kb, at, &n, each, ctx, why);
    return err;
}
