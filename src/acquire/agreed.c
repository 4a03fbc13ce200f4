#include "acquire/agreed.h"

#include "core/arena.h"
#include "privacy/privacy.h"

static enum err begin(struct collect *c, struct privacy_scanner **out, struct why *why)
{
    const struct json *papers;
    enum err err = json_parse(c->def.collection, c->arena, &papers, why);
    if (!err && !json_get_bool(papers, "consent", false))
        err = err_set(why, ERR_INVALID,
                      "what people said is collected only with \"consent\": true in the collection "
                      "record, which names what they agreed to");
    return err ? err : privacy_scanner_new(NULL, out, why);
}

enum err agreed_collect(struct collect *c, struct str uri, agreed_each *each, struct why *why)
{
    struct agreed r = {.c = c};
    struct why own = {0};
    enum err err = begin(c, &r.scanner, why);
    if (!err)
        err = collect_source(c, uri, STR(""), 0, r.key, why);
    if (!err) {
        err = each(&r, json_get_str(c->state, "after", STR("")), &own);
        if (err == ERR_CANCELLED && collect_enough(c))
            err = ERR_OK;
        else if (err)
            err_note(why, "%s", why_text(&own, err));
    }
    if (!err && r.last[0] && !collect_enough(c)) {
        struct str state = str_printf(c->arena, "{\"after\":\"%s\"}", r.last);
        err = state.ptr ? collect_keep(c, state, why)
                        : err_set(why, ERR_NO_MEMORY, "could not keep a state");
    }
    privacy_scanner_free(r.scanner);
    return err;
}

enum err agreed_mask(struct collect *c, const struct privacy_scanner *scanner, struct str text,
                     struct arena *arena, struct str *out, struct why *why)
{
    struct privacy_findings findings;
    struct buf buf;
    bool remove = str_eq_c(collect_text(c, "mask"), "remove");
    buf_init(&buf, arena);
    enum err err = privacy_scan(scanner, text, STR(""), arena, &findings, why);
    if (!err)
        err = privacy_mask(text, &findings, remove ? PRIVACY_MODE_REMOVE : PRIVACY_MODE_PARTIAL,
                           NULL, &buf, why);
    if (!err)
        err = buf_err(&buf, why);
    *out = buf_str(&buf);
    return err;
}
