/* What a collector reads from servers that it does not know: robots.txt, pages, sitemaps, answers.
 */
#include <stdlib.h>
#include <string.h>

#include "acquire/page.h"
#include "acquire/paging.h"
#include "acquire/robots.h"
#include "acquire/schedule.h"
#include "core/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_robots(struct str text, struct arena *arena)
{
    struct robots robots;
    if (robots_parse(text, "yichengbot", arena, &robots, NULL) != ERR_OK)
        return;
    (void)robots_allows(&robots, STR("/a/b/c?d=e"));
    (void)robots_allows(&robots, str_slice(text, 0, 100));
}

static void try_page(struct str text, const struct url *base, struct arena *arena)
{
    struct page_links links;
    struct str *urls;
    size_t n = 0;
    bool is_index;
    if (page_links(text, base, arena, &links, NULL) == ERR_OK)
        for (size_t i = 0; i < links.n; i++) {
            struct url url; /* what is canonical stays as it is */
            if (url_parse(links.items[i], arena, &url, NULL) != ERR_OK ||
                !str_eq(url_text(&url, arena), links.items[i]))
                abort();
        }
    if (page_sitemap(text, base, 50, arena, &urls, &n, &is_index, NULL) == ERR_OK && n > 50)
        abort();
}

static void try_answer(struct str text, struct arena *arena)
{
    const struct json *json = NULL;
    struct schedule schedule;
    if (json_parse(text, arena, &json, NULL) != ERR_OK)
        json = NULL;
    for (int by = PAGING_NONE; by <= PAGING_LINK; by++) {
        struct paging paging = {.by = (enum paging_by)by,
                                .url = STR("http://a.cn/x?y={cursor}"),
                                .param = STR("p"),
                                .path = STR("next"),
                                .size = 10};
        struct paging_place place;
        struct map seen;
        struct str url, body;
        bool more = true;
        map_init(&seen, arena);
        paging_begin(&paging, &place);
        for (int i = 0; i < 3 && more; i++)
            if (paging_next(&paging, json, text, text, 1, &seen, &place, &more, NULL) != ERR_OK ||
                paging_request(&paging, &place, arena, &url, &body, NULL) != ERR_OK)
                break;
    }
    if (schedule_parse(text, &schedule, NULL) == ERR_OK && text.len)
        (void)schedule_next(&schedule, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct url base;
    struct str text = {(const char *)data, size};
    if (!arena || url_parse(STR("http://a.cn/dir/page?x=1"), arena, &base, NULL) != ERR_OK)
        abort();
    try_robots(text, arena);
    try_page(text, &base, arena);
    try_answer(text, arena);
    arena_free(arena);
    return 0;
}
