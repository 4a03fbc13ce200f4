#include "acquire/agreed.h"

#include "core/arena.h"
#include "privacy/privacy.h"

enum err agreed_begin(struct collect *c, struct privacy_scanner **out, struct why *why)
{
    const struct json *papers;
    enum err err = json_parse(c->def.collection, c->arena, &papers, why);
    if (!err && !json_get_bool(papers, "consent", false))
        err = err_set(why, ERR_INVALID,
                      "what people said is collected only with \"consent\": true in the collection "
                      "record, which names what they agreed to");
    return err ? err : privacy_scanner_new(NULL, out, why);
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
