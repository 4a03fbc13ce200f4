#include "data/pii.h"

#include "core/arena.h"

static void free_scanner(void *scanner)
{
    privacy_scanner_free(scanner);
}

static enum err kinds_of(const struct data_arg *names, unsigned *out, struct why *why)
{
    *out = 0;
    for (size_t i = 0; i < names->n; i++) {
        unsigned set = 0;
        enum err err = privacy_kinds_parse(names->list[i], &set, why);
        if (err)
            return err;
        *out |= set;
    }
    return ERR_OK;
}

enum err pii_prepare(const struct data_prepare *p, size_t first, bool keys, const struct pii **out,
                     struct why *why)
{
    const struct data_arg *args = p->args + first;
    struct privacy_scan_opts opts = {.least = (float)args[PII_LEAST].number,
                                     .public_too = args[PII_PUBLIC].number != 0};
    struct pii *pii = arena_one(p->arena, struct pii);
    if (!pii)
        return err_set(why, ERR_NO_MEMORY, "could not hold the scanner");
    enum err err = kinds_of(&args[PII_KINDS], &opts.kinds, why);
    if (!err)
        err = privacy_scanner_new(&opts, &pii->scanner, why);
    if (!err && arena_defer(p->arena, free_scanner, pii->scanner)) {
        privacy_scanner_free(pii->scanner);
        err = err_set(why, ERR_NO_MEMORY, "could not hold the scanner");
    }
    if (!err && keys && !p->keyring)
        err = err_set(why, ERR_UNAVAILABLE, "there are no keys for masks here");
    if (!err && keys)
        err = p->keyring->keys(p->keyring->ctx, p->arena, &pii->keys, why);
    *out = pii;
    return err;
}

enum err pii_scan(const struct data_call *call, struct str text, struct str context,
                  struct privacy_findings *out, struct why *why)
{
    const struct pii *pii = call->made;
    return privacy_scan(pii->scanner, text, context, call->arena, out, why);
}

/* "key": before the text, inside the member; else the member's own name. */
struct str pii_context(const struct record *record, const struct record_text *text)
{
    const struct record_member *m = &record->members[text->member];
    size_t end = text->start;
    while (end > 0 && (m->raw.ptr[end - 1] == ' ' || m->raw.ptr[end - 1] == ':'))
        end--;
    if (end == text->start || end < 2 || m->raw.ptr[end - 1] != '"')
        return m->key;
    size_t start = end - 1;
    while (start > 0 && m->raw.ptr[start - 1] != '"')
        start--;
    return str_slice(m->raw, start, end - 1);
}
